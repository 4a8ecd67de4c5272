"""NUTS: the No-U-Turn sampler, through nutpie or PyMC's own implementation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pymc as pm
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.errors import FitError
from latentscale.inference.density import compile_density
from latentscale.inference.method import Method
from latentscale.inference.progress import WorkProgress
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.posterior.convergence import convergence
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import status_of_chains
from latentscale.spec.spec import ModelSpec

_NOTHING_KEPT = "Sampling was stopped before the first kept draw; there is nothing to keep."
_STATISTICS = {
    "diverging": ("diverging",),
    "energy": ("energy",),
    "tree_depth": ("depth", "tree_depth"),
    "n_steps": ("n_steps",),
    "step_size": ("step_size",),
    "acceptance_rate": ("mean_tree_accept", "acceptance_rate"),
}


@dataclass(frozen=True)
class NUTS(Method):
    """Hamiltonian Monte Carlo with the No-U-Turn rule (Hoffman and Gelman 2014).

    Attributes
    ----------
    draws, tune, chains
        Kept draws and warm-up draws of each chain, and the number of chains.
    target_accept
        Mean acceptance that the step size is tuned to, in (0, 1).
    max_depth
        Largest tree depth; a draw takes at most 2**max_depth gradient evaluations.
    cores
        Chains run at once; None for as many as the machine has.
    backend
        ``"nutpie"`` (compiled by numba) or ``"pymc"`` (PyMC's own sampler).
    adaptation
        nutpie's mass matrix: ``"diag"``, or ``"low_rank"``, which also follows the
        strongest correlations.

    Raises
    ------
    FitError
        If a field is out of range.
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    target_accept: float = 0.8
    max_depth: int = 10
    cores: int | None = None
    backend: Literal["nutpie", "pymc"] = "nutpie"
    adaptation: Literal["diag", "low_rank"] = "diag"

    def __post_init__(self) -> None:
        counts = ("draws", "tune", "chains", "max_depth")
        for name in counts if self.cores is None else (*counts, "cores"):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise FitError(f"NUTS.{name} must be a whole number of at least 1; got {count!r}.")
        target = self.target_accept
        if isinstance(target, bool) or not isinstance(target, int | float) or not 0 < target < 1:
            raise FitError(f"NUTS.target_accept must lie strictly in (0, 1); got {target!r}.")
        if self.backend not in ("nutpie", "pymc"):
            raise FitError(f'NUTS.backend must be "nutpie" or "pymc"; got "{self.backend}".')
        if self.adaptation not in ("diag", "low_rank"):
            raise FitError(
                f'NUTS.adaptation must be "diag" or "low_rank"; got "{self.adaptation}".'
            )

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Sample the posterior; Ctrl-C keeps the draws so far and marks the fit.

        PyMC's own sampler on one core takes its chains in turn: Ctrl-C ends the chain that
        runs, and the next one starts.
        """
        model = build_design(spec, design)
        sample = self._with_nutpie if self.backend == "nutpie" else self._with_pymc
        posterior, stats, interrupted, seconds = sample(model, seed, progress)
        posterior = posterior[[name for name in posterior.data_vars if not name.endswith("_raw")]]
        found = convergence(posterior, stats)
        status = status_of_chains(found, interrupted=interrupted)
        return Draws(posterior, stats, status, seconds)

    def _with_nutpie(self, model: pm.Model, seed: int, progress: bool) -> Any:
        import nutpie

        start = time.perf_counter()
        compiled = compile_density(model, _kept(model)).for_nutpie()
        compiled_at = time.perf_counter()
        total = self.chains * (self.tune + self.draws)
        with WorkProgress(total, "NUTS", "draws", enabled=progress) as shown:

            def report(chains: Sequence[Any]) -> None:
                done = sum(chain.finished_draws for chain in chains)
                shown.update(done, _note(sum(chain.divergences for chain in chains)))

            trace = nutpie.sample(
                compiled,
                draws=self.draws,
                tune=self.tune,
                chains=self.chains,
                cores=self.cores,
                seed=seed,
                save_warmup=False,
                progress_bar=False,
                adaptation=self.adaptation,
                target_accept=self.target_accept,
                maxdepth=self.max_depth,
                progress_callback=report,
            )
            posterior, stats, interrupted = self._finished(trace)
            if not interrupted:
                shown.update(total, _note(int(stats["diverging"].sum())))
        seconds = {"compile": compiled_at - start, "sample": time.perf_counter() - compiled_at}
        return posterior, stats, interrupted, seconds

    def _with_pymc(self, model: pm.Model, seed: int, progress: bool) -> Any:
        start = time.perf_counter()
        with model:
            trace = pm.sample(
                draws=self.draws,
                tune=self.tune,
                chains=self.chains,
                cores=self.cores,
                random_seed=seed,
                target_accept=self.target_accept,
                nuts={"max_treedepth": self.max_depth},
                var_names=_kept(model),
                progressbar=progress,
                nuts_sampler="pymc",
                compute_convergence_checks=False,
            )
        seconds = {"compile and sample": time.perf_counter() - start}
        return *self._finished(trace), seconds

    def _finished(self, trace: xr.DataTree) -> tuple[xr.Dataset, xr.Dataset, bool]:
        """Return kept draws, statistics and whether the run was cut short.

        Of a run that was cut short, keep what the chains that got far have in common.
        """
        if "posterior" not in trace or not trace["posterior"].sizes.get(DRAW):
            raise FitError(_NOTHING_KEPT)
        posterior = trace["posterior"].to_dataset()
        stats = _statistics(trace["sample_stats"].to_dataset())
        done = np.isfinite(stats["energy"].transpose(CHAIN, DRAW).values).cumprod(axis=1)
        lengths = done.sum(axis=1)
        interrupted = bool(lengths.min() < self.draws or len(lengths) < self.chains)
        if interrupted:
            far = np.nonzero(lengths >= max(int(lengths.max()) // 2, 1))[0]
            if not len(far):
                raise FitError(_NOTHING_KEPT)
            common = slice(int(lengths[far].min()))
            posterior = posterior.isel({CHAIN: far, DRAW: common})
            stats = stats.isel({CHAIN: far, DRAW: common})
        return posterior.drop_attrs(), stats.drop_attrs(), interrupted


def _note(divergences: int) -> str:
    return f"{divergences} divergences" if divergences else ""


def _kept(model: pm.Model) -> list[str]:
    variables = [*model.free_RVs, *model.deterministics]
    return [v.name for v in variables if not v.name.endswith("_raw")]


def _statistics(raw: xr.Dataset) -> xr.Dataset:
    return xr.Dataset(
        {
            name: raw[source]
            for name, sources in _STATISTICS.items()
            for source in sources
            if source in raw
        }
    )
