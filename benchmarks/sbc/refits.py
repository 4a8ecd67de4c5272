"""One simulation of the calibration study as a refit: in worker processes or on a cluster, kept.

Each simulation has a separate file while a case runs. At the end each becomes a row of the
case's table, which the report reads and the repository keeps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.refit import sample, with_scores
from benchmarks.sbc.cases import SEED, cases
from benchmarks.sbc.simulation import Study, prepare, ranks_of, simulate
from latentscale.analysis.tools.refits import Refit, run_refits
from latentscale.posterior.identified import convergence_of


@dataclass(frozen=True)
class Ranking(Refit):
    """One simulation: a table from the prior, its fit, and the truth's ranks.

    Attributes
    ----------
    case, fault
        What is simulated and fitted, by the names of `benchmarks.sbc.simulation`.
    number
        Which simulation; with the study's seed it determines all random numbers.
    method
        Sampler of the fit.
    folder
        Where its file is kept.
    """

    case: str
    fault: str
    number: int
    method: ls.NUTS
    folder: Path

    @property
    def name(self) -> str:
        return str(self.number)

    @property
    def file(self) -> Path:
        settings = f"{self.method.chains}x{self.method.tune}+{self.method.draws}"
        return self.folder / f"{stem(self.case, self.fault)} {settings}" / f"{self.number}.csv"

    @property
    def columns(self) -> tuple[str, ...]:
        return "quantity", "value"

    def table(self) -> pd.DataFrame:
        row = ranked(_study(self.case, self.fault), self.number, self.method)
        return pd.DataFrame({"quantity": list(row), "value": [float(v) for v in row.values()]})


def run(
    case: str,
    fault: str,
    simulations: int,
    method: ls.NUTS,
    folder: Path,
    *,
    workers: int = 1,
    cluster: str | None = None,
) -> None:
    """Run the simulations that a case's table does not hold yet, and add them to it.

    Parameters
    ----------
    case, fault, simulations
        Case and fault, and how many simulations the table is to hold.
    method
        Sampler of the fits, on one core each.
    folder
        Where the case's table is, and files of simulations while the case runs.
    workers
        Simulations that run at once, each in its own process.
    cluster
        Address of a dask.distributed scheduler whose workers run them instead.

    Raises
    ------
    RuntimeError
        Naming the simulations that failed and the first reason; the others are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem(case, fault)}.csv"
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["simulation"])
    missing = [number for number in range(simulations) if number not in set(table["simulation"])]
    kept = folder / "runs"  # which git ignores, next to the tables that it keeps
    refits = [Ranking(case, fault, number, method, kept) for number in missing]
    rows, failed = run_refits(
        refits, workers, cluster, title=case, unit="simulations", progress=True
    )
    for number in missing:
        if str(number) in rows:
            values = rows[str(number)].set_index("quantity")["value"]
            table = with_row(table, {"simulation": number, **_whole(values.to_dict())})
    if rows:
        table.to_csv(path, index=False)
    if failed:
        first = next(iter(failed.values()))
        raise RuntimeError(f"{case}: simulations {', '.join(failed)} failed. The first: {first}")


def stem(case: str, fault: str) -> str:
    """Return the name of a case's files, with its spec's digest."""
    return f"sbc_{case}_{fault}_{cases()[case].spec.digest[:8]}"


def ranked(study: Study, number: int, method: ls.NUTS) -> dict[str, float]:
    """Simulate and fit one table; return how its chains mixed and the ranks of the truth."""
    seed = int(np.random.SeedSequence([SEED, number]).generate_state(1)[0]) % 2**31
    simulated = simulate(study, number)
    start = time.perf_counter()
    observed = with_scores(study.fit_design, simulated.score_of_cell)
    sampled = sample(study.fit_spec, observed, method, seed)
    statistics = convergence_of(study.fit_spec, observed, sampled.draws.posterior, None)
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "first_rhat": round(sampled.first_rhat, 3),
        "max_rhat": round(statistics.max_rhat, 3),
        "min_ess": round(statistics.min_ess, 1),
        "dropped_chains": sampled.dropped_chains,
        "divergences": sampled.divergences,
        "tried": simulated.tried,
        **ranks_of(study, simulated, sampled.draws.posterior, seed),
    }


def with_row(table: pd.DataFrame, row: dict[str, object]) -> pd.DataFrame:
    """Return a table with one more row; a quantity new to it is empty in earlier rows."""
    if table.empty:
        return pd.DataFrame([row])
    whole = pd.concat([table, pd.DataFrame([row])], ignore_index=True)
    return whole.convert_dtypes()  # ranks stay whole numbers next to empty cells


def _whole(values: dict[str, float]) -> dict[str, object]:
    """Return counts and ranks as whole numbers, as `ranked` returned them."""
    return {name: int(v) if float(v).is_integer() else v for name, v in values.items()}


@lru_cache(maxsize=1)
def _study(case: str, fault: str) -> Study:
    """Return a case with its simulator, built once per process."""
    return prepare(cases()[case], fault)
