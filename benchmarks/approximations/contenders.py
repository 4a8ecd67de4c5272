"""One approximation of one posterior, in a process of its own: draws and what they cost.

    python -m benchmarks.approximations.contenders CASE CONTENDER SEED OUT.npz

A process of its own, so that nothing that one contender compiled serves another.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

DRAWS = 1000
OURS = ("NUTS", "Pathfinder", "Laplace")
THEIRS = ("Pathfinder of pymc-extras", "Laplace of pymc-extras")
CASES = ("pooled_flops", "two skills", "latentscale")


def case(name: str) -> tuple[Any, Any]:
    """Return a spec and a table: few parameters, families' latents, and every usual term."""
    import latentscale as ls
    from latentscale.spec import spec_from_dict

    table = ls.datasets.open_llm_leaderboard()
    benchmarks = list(table.benchmarks)[:6]
    if name == "pooled_flops":
        return ls.load_spec(name), table
    small = table.select(models=list(table.models)[:60], benchmarks=benchmarks)
    if name == "latentscale":
        return ls.load_spec(name), small
    document = ls.load_spec("cai2025").to_dict()
    document["skills"] |= {"count": 2}
    document["skills"]["identify"]["anchors"] = benchmarks[:2]
    return spec_from_dict(document), small


def flat_model(model: Any) -> tuple[Any, Any]:
    """Return the model's log density as a PyMC model of one vector, and the way back.

    pymc-extras takes no models with named dims: `fit_pathfinder` cannot vectorise their graphs and
    `fit_laplace` does not know their variables. On the unconstrained vector it gets the very
    density that our methods approximate.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.graph import clone_replace, rewrite_graph
    from pytensor.xtensor import as_xtensor

    from latentscale.engine.stock import compile_density
    from latentscale.inference.tools.posterior_density import kept_names

    density = compile_density(model, kept_names(model))
    initial = model.initial_point(random_seed=0)
    vector, begin, parts = pt.dvector("vector"), 0, {}
    for variable in model.free_RVs:
        value = model.rvs_to_values[variable]
        shape = np.shape(initial[value.name])
        end = begin + int(np.prod(shape))
        parts[value] = as_xtensor(vector[begin:end].reshape(shape), dims=value.type.dims)
        begin = end
    with model:
        graph = clone_replace([model.logp()], parts, rebuild_strict=False)[0]
    plain = rewrite_graph(graph, include=["lower_xtensor", "canonicalize"])
    with pm.Model() as flat:
        point = pm.Flat("point", shape=density.size, initval=density.start)
        pm.Potential("log_density", clone_replace(plain, {vector: point}))
    return flat, density


def ours(name: str, spec: Any, scores: Any, seed: int) -> dict[str, np.ndarray]:
    """Return draws of one of our methods."""
    import latentscale as ls

    methods = {
        "NUTS": ls.NUTS(draws=DRAWS),
        "Pathfinder": ls.Pathfinder(draws=DRAWS),
        "Laplace": ls.Laplace(draws=DRAWS),
    }
    fit = ls.fit(spec, scores, method=methods[name], seed=seed, progress=False)
    return {n: v.values.reshape(-1, *v.shape[2:]) for n, v in fit.posterior.data_vars.items()}


def theirs(name: str, spec: Any, scores: Any, seed: int) -> dict[str, np.ndarray]:
    """Return draws of one of pymc-extras' functions, at its own defaults."""
    import pymc_extras as pmx

    from latentscale import build

    flat, density = flat_model(build(spec, scores))
    quiet = {"model": flat, "random_seed": seed, "progressbar": False}
    calls: dict[str, Callable[[], Any]] = {
        THEIRS[0]: lambda: pmx.fit_pathfinder(num_draws=DRAWS, parallel=False, **quiet),
        THEIRS[1]: lambda: pmx.fit_laplace(draws=DRAWS, include_transformed=False, **quiet),
    }
    points = calls[name]()["posterior"]["point"].values.reshape(-1, density.size)
    drawn = [density.expand(point) for point in points]
    return {key: np.array([draw[key] for draw in drawn]) for key in density.shapes}


def main(case_name: str, contender: str, seed: int, out: str) -> None:
    """Run, and write draws with wall-clock and processor seconds."""
    warnings.simplefilter("ignore")
    if contender in THEIRS:
        os.environ["LATENTSCALE_ENGINE"] = "stock"  # its graphs are PyTensor's own alone
    spec, scores = case(case_name)
    wall, processor = time.perf_counter(), time.process_time()
    run = theirs if contender in THEIRS else ours
    draws = run(contender, spec, scores, seed)
    seconds = [time.perf_counter() - wall, time.process_time() - processor]
    np.savez(out, seconds=np.array(seconds), **draws)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
