"""Pathfinder and Laplace compared with those of pymc-extras, on three posteriors;
   APPROXIMATIONS.md.

Run from the project's root:  python -m benchmarks.approximations.run [--cases pooled]

Needs ``pip install --no-deps pymc-extras better-optimize`` in a separate environment: versions up
to 0.15 require an older PyMC than the package's.

pymc-extras is given the package's model and, if it refuses that, the same log density as one flat
vector. Distances are to NUTS on the same posterior: for each scalar parameter that all contenders
have, the Wasserstein distance between its draws on the natural scale, in standard deviations of
NUTS. Each contender's draws are kept in the folder runs; finished contenders are not run again.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from scipy.stats import wasserstein_distance

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.inference.tools.posterior_density import posterior_density

HERE = Path(__file__).parent
RUNS = HERE / "runs"
DRAWS = 1000  # of each approximation: errors of a quantile near 3% of a standard deviation
LIMIT = 240  # seconds of wall time for each contender: some twenty times what the package takes
NUTS_LIMIT = 540  # seconds for NUTS, from which distances are measured
REFERENCE = "NUTS"
NUTS = ls.NUTS(draws=500, tune=400, chains=2, cores=1)
Posterior = tuple[xr.Dataset, dict[str, Any]]
_ONE_SKILL = {
    "name": "one skill",
    "covariates": ["log_params", "log_tokens"],
    "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["mmlu"]}},
    "family": {"level": "partial"},
}


def cases() -> dict[str, ModelSpec]:
    """Return the posteriors: no latents, one skill of families, four skills (Cai et al.)."""
    return {
        "pooled": ls.load_spec("pooled_flops"),
        "one skill": spec_from_dict(_ONE_SKILL),
        "cai2025": ls.load_spec("cai2025"),
    }


def main() -> None:
    """Run the requested cases that have not been run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(cases()), default=list(cases()))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="time after which nothing starts"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    begun = time.perf_counter()
    for case in options.cases:
        for contender in contenders():
            if time.perf_counter() - begun < 60 * options.minutes and not _path(case, contender):
                run(case, contender, options.seed)
    write(options.seed)


def contenders() -> dict[str, Callable[[ModelSpec, int], Posterior]]:
    """Return the contenders by name: functions from a spec and a seed to a posterior and a
    message."""
    ours = (ls.Laplace(draws=DRAWS), ls.Pathfinder(draws=DRAWS))
    theirs = ("fit_laplace", "fit_pathfinder")
    return {
        **{f"ours, {type(method).__name__}": partial(_ours, method=method) for method in ours},
        **{f"pymc-extras, {kind}": partial(_theirs, kind=kind) for kind in theirs},
        **{
            f"pymc-extras, {kind}, flat vector": partial(_theirs, kind=kind, as_vector=True)
            for kind in theirs
        },
        REFERENCE: partial(_ours, method=NUTS),  # last: the others would reuse what it compiles
    }


def run(case: str, contender: str, seed: int) -> None:
    """Run one contender on one posterior, and keep its row and its draws."""
    folder = RUNS / case.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    begun, processor = time.perf_counter(), time.process_time()
    limit = NUTS_LIMIT if contender == REFERENCE else LIMIT
    signal.signal(signal.SIGALRM, partial(_late, limit))
    signal.alarm(limit)
    row: dict[str, Any] = {"contender": contender}
    try:
        posterior, said = contenders()[contender](cases()[case], seed)
        row |= {"seconds": time.perf_counter() - begun, **said}
        posterior.to_netcdf(folder / f"{_file(contender)}.nc", engine="h5netcdf")
    except Exception as failure:  # any error is the result
        lines = str(failure).strip().splitlines() or [""]
        row["failed"] = f"{type(failure).__name__}: {lines[0]}"
        if time.perf_counter() - begun >= limit:
            row["failed"] = f"stopped after {limit} s on the clock"
    finally:
        signal.alarm(0)
    row["processor"] = time.process_time() - processor
    print(f"    {case}, {contender}: {time.perf_counter() - begun:.0f} s", flush=True)
    kept = folder / f"{_file(contender)}.json"
    kept.write_text(json.dumps(row, indent=1), encoding="utf-8")


def _file(contender: str) -> str:
    return contender.replace(", ", "-").replace(" ", "_")


def _path(case: str, contender: str) -> Path | None:
    """Return where the row of a contender is kept; None if it was not run."""
    path = RUNS / case.replace(" ", "_") / f"{_file(contender)}.json"
    return path if path.exists() else None


def _late(limit: int, *signals: object) -> None:
    raise TimeoutError(f"stopped after {limit} s on the clock")


def flat(model: pm.Model) -> pm.Model:
    """Return a model of one flat vector with the unconstrained log density of another model."""
    import pytensor.tensor as pt
    from pytensor.graph import clone_replace, graph_replace, rewrite_graph
    from pytensor.xtensor import as_xtensor

    initial = model.initial_point(random_seed=0)
    whole = np.concatenate([np.ravel(value) for value in initial.values()])
    point, parts, begin = pt.dvector("point"), {}, 0
    for variable in model.free_RVs:
        value = model.rvs_to_values[variable]
        start = np.asarray(initial[str(value.name)])
        end = begin + start.size
        parts[value] = as_xtensor(point[begin:end].reshape(start.shape), dims=value.type.dims)
        begin = end
    named: Any = clone_replace([model.logp()], parts, rebuild_strict=False)[0]
    log_density: Any = rewrite_graph(named, include=["lower_xtensor", "canonicalize"])
    with pm.Model() as plain:
        # pymc-extras draws the starts of paths from the prior, so a proper one is added and removed
        # again.
        vector: Any = pm.Normal("vector", 0, 1, shape=len(whole), initval=whole)
        wanted = graph_replace([log_density], {point: vector})[0]  # clones not the vector
        pm.Potential("log_density", wanted - pm.logp(pm.Normal.dist(0, 1), vector).sum())
    return plain


def _ours(spec: ModelSpec, seed: int, *, method: Any) -> Posterior:
    scores = ls.datasets.open_llm_leaderboard()
    fit = ls.fit(spec, scores, method=method, seed=seed, progress=False)
    compiled = fit.provenance.seconds["compile"]
    return fit.posterior, {"compile": compiled, "status": fit.status.message}


def _theirs(spec: ModelSpec, seed: int, *, kind: str, as_vector: bool = False) -> Posterior:
    import pymc_extras as pmx

    model = ls.build(spec, ls.datasets.open_llm_leaderboard())
    with flat(model) if as_vector else model:
        if kind == "fit_laplace":
            tree: Any = pmx.fit_laplace(draws=DRAWS, random_seed=seed, progressbar=False)
        else:
            tree = pmx.fit_pathfinder(
                num_draws=DRAWS, random_seed=seed, progressbar=False, cores=1, parallel=False
            )
    posterior = tree["posterior"].to_dataset()
    if as_vector:
        density = posterior_density(model)
        posterior = density.to_posterior(posterior["vector"].values.reshape(-1, density.size))
    return posterior, {"status": ""}


def distance(posterior: xr.Dataset, reference: xr.Dataset) -> dict[str, float]:
    """Return distances of all scalar parameters that vary."""
    distances, widths = [], []
    for name in reference.data_vars:
        dims = [d for d in reference[name].dims if d not in ("chain", "draw")]
        theirs, ours = (
            data[name]
            .transpose("chain", "draw", *dims)
            .values.reshape(data.sizes["chain"] * data.sizes["draw"], -1)
            for data in (posterior, reference)
        )
        for their, our in zip(theirs.T, ours.T, strict=True):
            spread = our.std()
            if spread > 1e-9:  # not a constant, such as a loading fixed at an anchor
                distances.append(wasserstein_distance(their, our) / spread)
                widths.append(their.std() / spread)
    return {
        "distance": float(np.median(distances)),
        "worst": float(np.max(distances)),
        "width": float(np.median(widths)),
    }


def write(seed: int) -> None:
    """Write the tables of the cases that were run."""
    notes = HERE / "notes.md"
    lines = ["# Approximations compared with pymc-extras", "", provenance(seed), ""]
    try:
        lines += [f"pymc-extras {version('pymc-extras')}.", ""]
    except Exception:
        lines += ["pymc-extras is not installed here.", ""]
    if notes.exists():
        lines += [notes.read_text(encoding="utf-8").strip(), ""]
    for case in cases():
        rows = [_shown(_row(case, name)) for name in contenders() if _path(case, name)]
        if rows:
            lines += [f"## {case}", "", markdown(pd.DataFrame(rows)), ""]
    (HERE / "APPROXIMATIONS.md").write_text("\n".join(lines), encoding="utf-8")


def _row(case: str, contender: str) -> dict[str, Any]:
    """Return the row of a finished contender, with distances if both have draws."""
    path = _path(case, contender)
    assert path is not None
    row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    draws, reference = path.with_suffix(".nc"), path.with_name(f"{_file(REFERENCE)}.nc")
    if draws.exists() and reference.exists():
        names = _in_all(draws.parent)
        with xr.open_dataset(draws) as theirs, xr.open_dataset(reference) as ours:
            row |= distance(theirs[names], ours[names])
    return row


def _in_all(folder: Path) -> list[str]:
    """Return the parameters that every contender has draws of, so that medians are comparable."""
    each = []
    for path in folder.glob("*.nc"):
        with xr.open_dataset(path) as draws:
            each.append(set(map(str, draws.data_vars)))
    return sorted(set.intersection(*each))


def _shown(row: dict[str, Any]) -> dict[str, str]:
    def number(key: str, form: str) -> str:
        return format(row[key], form) if key in row else "–"

    return {
        "contender": row["contender"],
        "wall s": number("seconds", ".1f"),
        "processor s": number("processor", ".1f"),
        "compiling s": number("compile", ".1f"),
        "median distance, sd": number("distance", ".2f"),
        "largest distance, sd": number("worst", ".2f"),
        "median width / NUTS": number("width", ".2f"),
        "failed": row.get("failed", ""),
    }


if __name__ == "__main__":
    main()
