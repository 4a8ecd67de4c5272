"""One task of engines.py in a separate process: prints what it measured as a line of JSON.

It is run by its path, with any checkout of the package on PYTHONPATH, so it uses only what the
checkouts have in common.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from importlib import import_module
from typing import Any

GRADIENTS = 1000
"""Evaluations whose median is taken: a quarter of a second to a few seconds in all."""
SPREAD = 0.1
"""Scatter of the points around the priors' support points, where nothing overflows."""


def main() -> None:
    """Do the task that the command line gives as JSON."""
    asked = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    work = {"first": first_draw, "gradient": gradient, "sample": sample}[asked["task"]]
    measured = work(asked)
    used = resource.getrusage(resource.RUSAGE_SELF)
    measured |= {"processor": used.ru_utime + used.ru_stime, "clock": time.time() - asked["began"]}
    print(json.dumps(asked | measured))


def first_draw(asked: dict[str, Any]) -> dict[str, Any]:
    """Sample one warm-up draw and one draw of one chain."""
    _run(asked, draws=1, tune=1, chains=1)
    return {}


def sample(asked: dict[str, Any]) -> dict[str, Any]:
    """Sample all chains on one core, one after the other, compiled before the clock starts."""
    _run(asked, draws=1, tune=1, chains=1)
    posterior, stats, seconds = _run(asked, asked["draws"], asked["tune"], asked["chains"])
    import arviz as az

    ess = az.summary(posterior, kind="diagnostics", round_to="none")
    return {
        "seconds": seconds,
        "steps": float(stats["n_steps"].mean()),
        "ess": float(ess[["ess_bulk", "ess_tail"]].min().min()),
        "rhat": float(ess["r_hat"].max()),
    }


def gradient(asked: dict[str, Any]) -> dict[str, Any]:
    """Time the log density with its gradient, in the model's own variables."""
    import numpy as np

    import latentscale as ls

    model = ls.build(*_problem(asked))
    if asked["contender"] == "nutpie":
        import nutpie

        compiled: Any = nutpie.compile_pymc_model(model)
        begin = np.concatenate([np.ravel(v) for v in model.initial_point(random_seed=0).values()])
        evaluate = compiled.logp_func
    else:
        density = _posterior_density()(model)
        evaluate, begin = density.evaluate, density.start
    points = begin + SPREAD * np.random.default_rng(1).standard_normal((8, len(begin)))
    evaluate(points[0])
    each = []
    for number in range(GRADIENTS):
        begun = time.process_time()
        evaluate(points[number % len(points)])
        each.append(time.process_time() - begun)
    return {"milliseconds": 1000 * float(np.median(each))}


def _run(asked: dict[str, Any], draws: int, tune: int, chains: int) -> tuple[Any, Any, float]:
    """Return draws, statistics and processor seconds: of the fit, or of nutpie's sampling."""
    import latentscale as ls

    spec, scores = _problem(asked)
    if asked["contender"] != "nutpie":
        method = ls.NUTS(draws=draws, tune=tune, chains=chains, cores=1)
        begun = time.process_time()
        fit = ls.fit(spec, scores, method=method, seed=asked["seed"], progress=False)
        seconds = time.process_time() - begun
        return fit.posterior, fit.tree["sample_stats"].to_dataset(), seconds
    import nutpie

    model = ls.build(spec, scores)
    variables = [*model.free_RVs, *model.deterministics]
    kept = [v.name for v in variables if not v.name.endswith("_raw")]
    compiled = nutpie.compile_pymc_model(model, var_names=kept)
    begun = time.process_time()
    trace: Any = nutpie.sample(
        compiled,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=1,
        seed=asked["seed"],
        progress_bar=False,
    )
    seconds = time.process_time() - begun
    return trace["posterior"].to_dataset(), trace["sample_stats"].to_dataset(), seconds


def _problem(asked: dict[str, Any]) -> tuple[Any, Any]:
    """Return the spec of the file asked for, the same in every checkout, and the bundled table."""
    import latentscale as ls

    return ls.load_spec(asked["file"]), ls.datasets.open_llm_leaderboard()


def _posterior_density() -> Any:
    """Return the function that compiles a model's density, wherever it is in the checkout."""
    for place in ("tools.posterior_density", "posterior_density"):
        try:
            return import_module(f"latentscale.inference.{place}").posterior_density
        except ImportError:
            continue
    raise SystemExit("this checkout has no latentscale.inference posterior_density")


if __name__ == "__main__":
    main()
