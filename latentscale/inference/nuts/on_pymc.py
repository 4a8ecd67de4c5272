"""Chains of PyMC's own sampler and of NumPyro's."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pymc as pm

from latentscale.engine.choice import fast_or_stock
from latentscale.engine.jax import register_for_jax
from latentscale.inference.nuts.backends import usual_acceptance
from latentscale.inference.nuts.runs import ChainRun, kept_of
from latentscale.inference.nuts.start import StartingPoints
from latentscale.inference.progress import WorkProgress, divergence_note
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.validate import seed_word

if TYPE_CHECKING:
    from latentscale.inference.nuts.method import NUTS


def run_on_pymc(model: pm.Model, method: NUTS, seed: int, progress: bool) -> ChainRun:
    """Sample all chains of a model that `build_design` made."""
    start = time.perf_counter()
    numpyro = method.backend == "numpyro"
    depth = {"max_tree_depth" if numpyro else "max_treedepth": method.max_depth}
    if numpyro:
        register_for_jax()
    acceptance = method.target_accept or usual_acceptance("model")
    total = method.chains * (method.tune + method.draws)
    ours = progress and not numpyro  # NumPyro has no callback, so it shows its own bar
    with (
        model,
        warnings.catch_warnings(),
        WorkProgress(total, "NUTS", "draws", enabled=ours) as shown,
    ):
        if numpyro:  # `cores` documents that chains run in turn on one device
            warnings.filterwarnings("ignore", message="There are not enough devices")
        trace = pm.sample(
            draws=method.draws,
            tune=method.tune,
            chains=method.chains,
            cores=method.cores,
            random_seed=seed_word(seed, 32),  # the size that PyMC's samplers and JAX's keys accept
            nuts={"target_accept": acceptance, **depth},
            var_names=kept_names(model),
            progressbar=progress and numpyro,
            nuts_sampler="numpyro" if numpyro else "pymc",
            compile_kwargs={} if numpyro else fast_or_stock(_fast_mode, dict),
            compute_convergence_checks=False,
            quiet=True,
            **({"callback": _counted(shown)} if ours else {}),
        )
    kept = kept_of(trace, method.draws, method.chains)
    seconds = {"compile and sample": time.perf_counter() - start}
    chosen = {"coordinates": "model", "target_accept": acceptance}
    return ChainRun(*kept, seconds, StartingPoints(None), chosen)


def _counted(shown: WorkProgress) -> Callable[[Any, Any], None]:
    """Return a callback of PyMC's sampler that shows how many draws all chains have."""
    done = divergences = 0

    def report(trace: Any, draw: Any) -> None:
        nonlocal done, divergences
        done += 1
        if not draw.tuning:
            divergences += sum(bool(stats.get("diverging")) for stats in draw.stats)
        shown.update(done, divergence_note(divergences))

    return report


def _fast_mode() -> dict[str, Any]:
    from latentscale.engine.linker import numba_mode

    return {"mode": numba_mode()}
