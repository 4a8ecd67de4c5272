"""Pathfinder and Laplace beside those of pymc-extras, on three posteriors; APPROXIMATIONS.md.

Run from the project's root:  python -m benchmarks.approximations.run [--cases pooled]

Needs ``pip install --no-deps pymc-extras better-optimize`` in an environment of its own: versions
up to 0.15 ask for a PyMC older than the package's.

pymc-extras is given the package's model as it is, and where it refuses that, the same log density
as one flat vector. Distances are to NUTS on the same posterior: of each scalar parameter on its
natural scale, Wasserstein's distance of its draws in standard deviations of NUTS. Results are kept
in the folder runs; what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
import warnings
from collections.abc import Callable
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
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density

HERE = Path(__file__).parent
RUNS = HERE / "runs"
DRAWS = 1000  # of each approximation: errors of a quantile near 3% of a standard deviation
LIMIT = 180  # seconds on the clock for each contender: a dozen times what the package's take
NUTS = ls.NUTS(draws=500, tune=400, chains=2, cores=1)
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
    """Run the cases that are asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(cases()), default=list(cases()))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    RUNS.mkdir(exist_ok=True)
    for name in options.cases:
        path = RUNS / f"{name.replace(' ', '_')}.json"
        if not path.exists():
            rows = run(cases()[name], options.seed)
            path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    write(options.seed)


def run(spec: ModelSpec, seed: int) -> list[dict[str, Any]]:
    """Run every contender on one posterior; return rows of the table."""
    warnings.simplefilter("ignore")
    scores = ls.datasets.open_llm_leaderboard()
    found: dict[str, xr.Dataset] = {}
    rows: list[dict[str, Any]] = []

    def attempt(name: str, work: Callable[[], tuple[xr.Dataset, dict[str, Any]]]) -> bool:
        begun, processor = time.perf_counter(), time.process_time()
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(LIMIT)
        try:
            posterior, said = work()
        except Exception as failure:  # whatever it is, it is the result
            lines = str(failure).strip().splitlines() or [""]
            said_of_it = f"{type(failure).__name__}: {lines[0]}"
            if time.perf_counter() - begun >= LIMIT:
                said_of_it = f"stopped after {LIMIT} s on the clock"
            used = time.process_time() - processor
            rows.append({"contender": name, "failed": said_of_it, "processor": used})
            return False
        finally:
            signal.alarm(0)
        clock, used = time.perf_counter() - begun, time.process_time() - processor
        found[name] = posterior
        rows.append({"contender": name, "seconds": clock, "processor": used, **said})
        print(f"    {name}: {clock:.0f} s", flush=True)
        return True

    for method in (ls.Laplace(draws=DRAWS), ls.Pathfinder(draws=DRAWS)):
        attempt(f"ours, {type(method).__name__}", lambda m=method: _ours(spec, scores, m, seed))  # type: ignore[misc]
    model = ls.build(spec, scores)
    density = posterior_density(model)
    for kind in ("fit_laplace", "fit_pathfinder"):
        if not attempt(f"pymc-extras, {kind}", lambda k=kind: _theirs(model, k, seed, None)):  # type: ignore[misc]
            attempt(
                f"pymc-extras, {kind}, flat vector",
                lambda k=kind: _theirs(flat(model), k, seed, density),  # type: ignore[misc]
            )
    attempt("NUTS", lambda: _ours(spec, scores, NUTS, seed))
    reference = found["NUTS"]
    for row in rows:
        if row["contender"] in found:
            row |= _distance(found[row["contender"]], reference)
    return rows


def _late(*signals: object) -> None:
    raise TimeoutError(f"stopped after {LIMIT} s on the clock")


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
        # pymc-extras draws where paths begin, so a proper prior is needed, and is taken out again.
        vector: Any = pm.Normal("vector", 0, 1, shape=len(whole), initval=whole)
        wanted = graph_replace([log_density], {point: vector})[0]  # clones not the vector
        pm.Potential("log_density", wanted - pm.logp(pm.Normal.dist(0, 1), vector).sum())
    return plain


def _ours(
    spec: ModelSpec, scores: ls.Scores, method: Any, seed: int
) -> tuple[xr.Dataset, dict[str, Any]]:
    fit = ls.fit(spec, scores, method=method, seed=seed, progress=False)
    compiled = fit.provenance.seconds["compile"]
    return fit.posterior, {"compile": compiled, "status": fit.status.message}


def _theirs(
    model: pm.Model, kind: str, seed: int, density: PosteriorDensity | None
) -> tuple[xr.Dataset, dict[str, Any]]:
    import pymc_extras as pmx

    with model:
        if kind == "fit_laplace":
            tree: Any = pmx.fit_laplace(draws=DRAWS, random_seed=seed, progressbar=False)
        else:
            tree = pmx.fit_pathfinder(
                num_draws=DRAWS, random_seed=seed, progressbar=False, cores=1, parallel=False
            )
    posterior = tree["posterior"].to_dataset()
    if density is not None:
        points = posterior["vector"].values.reshape(-1, density.size)
        posterior = density.to_posterior(points)
    return posterior, {"status": ""}


def _distance(posterior: xr.Dataset, reference: xr.Dataset) -> dict[str, float]:
    """Return distances of all scalar parameters that both have and that vary."""
    distances, widths = [], []
    for name in reference.data_vars:
        if name not in posterior:
            continue
        dims = [d for d in reference[name].dims if d not in ("chain", "draw")]
        theirs, ours = (
            data[name]
            .transpose("chain", "draw", *dims)
            .values.reshape(data.sizes["chain"] * data.sizes["draw"], -1)
            for data in (posterior, reference)
        )
        for one, other in zip(theirs.T, ours.T, strict=True):
            spread = other.std()
            if spread > 1e-9:  # not a constant, such as a loading fixed at an anchor
                distances.append(wasserstein_distance(one, other) / spread)
                widths.append(one.std() / spread)
    return {
        "distance": float(np.median(distances)),
        "worst": float(np.max(distances)),
        "width": float(np.median(widths)),
    }


def write(seed: int) -> None:
    """Write the tables of the cases that were run."""
    notes = HERE / "notes.md"
    lines = ["# Approximations beside pymc-extras", "", provenance(seed), ""]
    try:
        lines += [f"pymc-extras {version('pymc-extras')}.", ""]
    except Exception:
        lines += ["pymc-extras is not installed here.", ""]
    if notes.exists():
        lines += [notes.read_text(encoding="utf-8").strip(), ""]
    for name in cases():
        path = RUNS / f"{name.replace(' ', '_')}.json"
        if path.exists():
            rows = [_shown(row) for row in json.loads(path.read_text(encoding="utf-8"))]
            lines += [f"## {name}", "", markdown(pd.DataFrame(rows)), ""]
    (HERE / "APPROXIMATIONS.md").write_text("\n".join(lines), encoding="utf-8")


def _shown(row: dict[str, Any]) -> dict[str, str]:
    def number(key: str, form: str) -> str:
        return format(row[key], form) if key in row else "–"

    return {
        "contender": row["contender"],
        "clock s": number("seconds", ".1f"),
        "processor s": number("processor", ".1f"),
        "of it compiling s": number("compile", ".1f"),
        "median distance, sd": number("distance", ".2f"),
        "largest distance, sd": number("worst", ".2f"),
        "median width / NUTS": number("width", ".2f"),
        "failed": row.get("failed", ""),
    }


if __name__ == "__main__":
    main()
