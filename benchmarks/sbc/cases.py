"""Cases of the calibration study: a spec, the rows that are simulated, and rows never fitted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

import latentscale as ls
from latentscale.data.scores import Scores, scores_from_frame
from latentscale.declare import ModelSpec

BENCHMARKS = ("mmlu", "hellaswag", "math_lvl5", "ifeval", "arc", "mmlu_pro")
GROUPS = {"math_lvl5": "maths", "mmlu_pro": "maths", "mmlu": "knowledge", "arc": "knowledge"}
SEED = 20261122
EMPTY = 0.1
"""Share of cells without a score."""
SIZES = (0.5, 80.0)  # billions of parameters, as in the bundled table
TOKENS = (0.3, 12.0)  # trillions of tokens, as there


@dataclass(frozen=True)
class Case:
    """What one case simulates and forecasts.

    Attributes
    ----------
    spec
        The spec under test.
    rows
        One row per model, with a score in every cell that is simulated; the last two are not
        fitted, and their scores are forecast.
    new
        One row per model of a new family, whose expected scores are forecast.
    benchmarks
        Benchmarks that are declared; none if the package knows them.
    """

    spec: ModelSpec
    rows: pd.DataFrame
    new: pd.DataFrame
    benchmarks: dict[str, ls.Benchmark] = field(default_factory=dict)

    @property
    def held(self) -> tuple[str, str]:
        """Names of the two models that are not fitted."""
        first, second = self.rows["model"].iloc[-2:]
        return str(first), str(second)

    def template(self) -> Scores:
        """Return the table of these rows."""
        return scores_from_frame(self.rows, benchmarks=self.benchmarks or None)


def cases() -> dict[str, Case]:
    """Return the cases by name."""
    cai = ls.load_spec("cai2025").with_({"skills.identify.anchors": BENCHMARKS[:4]})
    positive = {"loading": {"dist": "HalfNormal", "sigma": 1.0}}
    # Draws with opened ceilings are not posterior draws, which this tests.
    sampled = ls.load_spec("latentscale").with_({"benchmarks.ceiling_open": 0.0})
    # Without size classes and settings, which the models of `dated` do not have.
    shared = ls.load_spec("capabilities").with_({"covariates": ["released", "reasoning"]})
    closed = shared.with_({"skills.release": False})
    declared = {name: ls.Benchmark(group=GROUPS.get(name, "")) for name in BENCHMARKS}
    return {
        "latentscale": Case(sampled, sized(), new_sized()),
        "cai2025": Case(cai, sized(), new_sized()),
        "cai2025-positive": Case(cai.with_priors(positive), sized(), new_sized()),
        "capabilities": Case(closed, dated(), new_dated(), declared),
        "capabilities-settings": Case(shared, with_settings(), new_dated(), declared),
        "checkpoints": Case(ls.load_spec("checkpoints"), runs(), new_runs()),
    }


def sized(families: int = 16, members: int = 3) -> pd.DataFrame:
    """Return models with sizes and tokens: `members` per family, two more in the first and last.

    Each lineage has two families, except for the last four families, which are alone; every third
    row is tuned.
    """
    rng = np.random.default_rng(SEED)
    rows = []
    for family in range(families):
        tokens = _between(*TOKENS, rng)
        for member in range(members):
            row = {"tokens_t": tokens, **_of_family(f"m{family}-{member}", family, families)}
            row |= {"instruct": int(rng.random() < 1 / 3), "params_b": _between(*SIZES, rng)}
            rows.append(row)
    for name, family, instruct in (("held base", 0, 0), ("held tuned", families - 1, 1)):
        new = {"model": name, "instruct": instruct, "params_b": _between(*SIZES, rng)}
        rows.append({**rows[family * members], **new})
    return _with_cells(rows, rng)


def new_sized() -> pd.DataFrame:
    """Return two models of new families, one of a lineage that is fitted."""
    about = {"instruct": [0, 0], "params_b": [70.0, 70.0], "tokens_t": [4.0, 4.0]}
    return pd.DataFrame({**_new(), **about})


def dated(families: int = 16, members: int = 3) -> pd.DataFrame:
    """Return models with dates and the reasoning flag, and no sizes; families as in `sized`."""
    rng = np.random.default_rng(SEED)
    rows = []
    for family in range(families):
        for member in range(members):
            row = _of_family(f"m{family}-{member}", family, families)
            rows.append({**row, "reasoning": int(rng.random() < 1 / 3), "released": _date(rng)})
    for name, family, reasoning in (("held plain", 0, 0), ("held reasoning", families - 1, 1)):
        new = {"model": name, "reasoning": reasoning, "released": _date(rng)}
        rows.append({**rows[family * members], **new})
    return _with_cells(rows, rng)


def with_settings(families: int = 16) -> pd.DataFrame:
    """Return models with dates: in each family one release at two efforts and another at one.

    The two that are not fitted are a third effort of the first release, and another model.
    """
    rng = np.random.default_rng(SEED)
    rows = []
    for family in range(families):
        about = _of_family("", family, families)
        reasoning, first, second = int(rng.random() < 1 / 3), _date(rng), _date(rng)
        for name, day in (("a_low", first), ("a_high", first), ("b", second)):
            row = {**about, "model": f"m{family}-{name}", "reasoning": reasoning, "released": day}
            rows.append(row)
    rows.append({**rows[0], "model": "m0-a_minimal"})
    rows.append({**rows[-2], "model": "held plain", "released": _date(rng)})
    return _with_cells(rows, rng)


def new_dated() -> pd.DataFrame:
    """Return two models of new families, released half a year after the last fitted one."""
    return pd.DataFrame({**_new(), "reasoning": [1, 1], "released": ["2026-06-30"] * 2})


def runs(count: int = 12, points: int = 4) -> pd.DataFrame:
    """Return checkpoints of training runs: `points` per run, and two later ones, not fitted."""
    rng = np.random.default_rng(SEED)
    rows = []
    for run in range(count):
        size, tokens = _between(*SIZES, rng), _between(*TOKENS, rng)
        about = {"family": f"run {run:02d}", "params_b": size}
        for point in range(points):
            share = 0.5 ** (points - point)  # share of a run's tokens; the last half is not fitted
            rows.append({"model": f"r{run}-{point}", **about, "tokens_t": tokens * share})
    for name, run in (("later", 0), ("later of the last", count - 1)):
        last = rows[run * points + points - 1]
        rows.append({**last, "model": name, "tokens_t": 2 * last["tokens_t"]})
    return _with_cells(rows, rng)


def new_runs() -> pd.DataFrame:
    """Return one checkpoint each of two new runs."""
    names = ["new small run", "new large run"]
    about = {"params_b": [1.0, 70.0], "tokens_t": [1.0, 4.0]}
    return pd.DataFrame({"model": names, "family": names, **about})


def _with_cells(rows: list[dict[str, object]], rng: np.random.Generator) -> pd.DataFrame:
    """Return rows with a score in nine of ten fitted cells, and in all other cells."""
    score = np.full((len(rows), len(BENCHMARKS)), 0.5)
    empty = rng.random(score.shape) < EMPTY
    empty[-2:] = False
    score[empty] = np.nan
    return pd.DataFrame(rows).join(pd.DataFrame(score, columns=list(BENCHMARKS)))


def _of_family(name: str, family: int, families: int) -> dict[str, object]:
    """Return a row's names; the last four families have lineages of their own."""
    lineage = family // 2 if family < families - 4 else family
    names = {"family": f"family {family:02d}", "lineage": f"lineage {lineage:02d}"}
    return {"model": name, **names}


def _new() -> dict[str, list[str]]:
    names = ["new family of lineage 00", "new family"]
    return {"model": names, "family": names, "lineage": ["lineage 00", "new lineage"]}


def _between(low: float, high: float, rng: np.random.Generator) -> float:
    """Return a number that is uniform in its logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _date(rng: np.random.Generator) -> str:
    """Return a day of 2024 or 2025."""
    return str(np.datetime64("2024-01-01") + int(rng.integers(731)))
