"""NUTS: the No-U-Turn sampler, through nutpie, NumPyro or PyMC's own implementation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pymc as pm
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.engine.choice import fast_or_stock
from latentscale.engine.jax import register_for_jax
from latentscale.errors import FitError
from latentscale.files import expanded
from latentscale.inference import nutpie_chains
from latentscale.inference.chart import Chart, Charted, placed_in_chart
from latentscale.inference.method import Method
from latentscale.inference.posterior_density import kept_names
from latentscale.inference.progress import WorkProgress, divergence_note
from latentscale.inference.start import Placed, Start, start_from, usual_start
from latentscale.inference.threads import one_blas_thread
from latentscale.inference.versions import library_versions
from latentscale.model.build import build_design
from latentscale.model.coordinates import can_be_centred
from latentscale.model.design import Design
from latentscale.posterior.convergence import convergence
from latentscale.posterior.draws import NOTHING_KEPT, Draws, kept_chains, sampler_statistics
from latentscale.posterior.folder import claimed, start_folder
from latentscale.posterior.provenance import Provenance
from latentscale.posterior.status import FOR_ANYTHING, status_of_chains
from latentscale.spec.spec import ModelSpec
from latentscale.validate import seed_word

Sampled = tuple[xr.Dataset, xr.Dataset, bool, dict[str, float]]

_BACKENDS = ("nutpie", "nutpie-jax", "numpyro", "pymc")
_NEEDS = {"nutpie-jax": ("jax",), "numpyro": ("jax", "numpyro")}


@dataclass(frozen=True)
class NUTS(Method):
    """Hamiltonian Monte Carlo with the No-U-Turn rule (Hoffman and Gelman 2014).

    Attributes
    ----------
    draws, tune, chains
        Kept draws and warm-up draws of each chain, and the number of chains. nutpie adapts in
        some 400 draws; give PyMC's and NumPyro's samplers 1,000.
    target_accept
        Mean acceptance that the step size is tuned to, in (0, 1).
    max_depth
        Largest tree depth; a draw takes at most 2**max_depth gradient evaluations.
    cores
        Chains run at once; None for as many as the machine has. NumPyro takes its chains in
        turn.
    backend
        ``"nutpie"`` (compiled by numba: the fastest draws; where families' skills are the only
        latents its chains move in coordinates in which the posterior is nearly normal),
        ``"nutpie-jax"`` (compiles in seconds, slower draws), ``"numpyro"`` (on JAX), or ``"pymc"``
        (PyMC's own sampler). Those on JAX need ``pip install "latentscale[jax]"``.
    adaptation
        nutpie's mass matrix: ``"diag"``, or ``"low_rank"``, which also follows the
        strongest correlations.
    start
        Where chains begin: `ModeStart`, round the highest modes that climbs reach, or
        `PriorStart`, scattered over the priors' middle. None is ``ModeStart()`` for anchored
        skills, which can turn round, but ``PriorStart()`` where they are in units of their
        anchors and models have residuals, and for all other specs. Only nutpie's backends take
        one; the others begin where PyMC lets them.
    store
        A new folder to which nutpie writes its draws as they come, ``~`` expanded, or None to
        keep them in memory. Whatever ends the process, `latentscale.load` opens the draws in the
        folder and `latentscale.resume` goes on with them. One process writes to a folder at a
        time; it is made before the model is compiled, so one that cannot be used is refused then.

    Raises
    ------
    FitError
        If a field is out of range.

    Examples
    --------
    >>> ls.NUTS(draws=500, chains=2).tune
    400
    """

    good_for: ClassVar[str] = FOR_ANYTHING

    draws: int = 1000
    tune: int = 400
    chains: int = 4
    target_accept: float = 0.8
    max_depth: int = 10
    cores: int | None = None
    backend: Literal["nutpie", "nutpie-jax", "numpyro", "pymc"] = "nutpie"
    adaptation: Literal["diag", "low_rank"] = "diag"
    start: Start | None = None
    store: str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", "tune", "chains", "max_depth")
        if self.cores is not None:
            self._check_counts("cores")
        self._check_between("target_accept", 0, 1)
        self._check_choice("backend", _BACKENDS)
        self._check_choice("adaptation", ("diag", "low_rank"))
        object.__setattr__(self, "start", start_from(self.start))
        if self.start is not None and not self.backend.startswith("nutpie"):
            raise FitError(
                'NUTS.start works with the backends "nutpie" and "nutpie-jax"; leave it out for '
                f'"{self.backend}".'
            )
        if self.store is None:
            return
        if not isinstance(self.store, str | Path) or not str(self.store):
            raise FitError(f"NUTS.store must be the path of a folder; got {self.store!r}.")
        if not self.backend.startswith("nutpie"):
            raise FitError(
                f'NUTS.store works with the backends "nutpie" and "nutpie-jax"; '
                f'got "{self.backend}".'
            )
        path = expanded(self.store, FitError)
        object.__setattr__(self, "store", str(path))  # as JSON holds it

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Sample the posterior; Ctrl-C keeps the draws so far and marks the fit.

        PyMC's own sampler on one core takes its chains in turn: Ctrl-C ends the chain that
        runs, and the next one starts. Of NumPyro's draws Ctrl-C keeps none.
        """
        require_engine(self.backend)
        folder = nullcontext() if self.store is None else claimed(Path(self.store))
        with folder:
            return self._draw(spec, design, seed, progress)

    def _draw(self, spec: ModelSpec, design: Design, seed: int, progress: bool) -> Draws:
        model = build_design(spec, design)
        if self.backend.startswith("nutpie"):
            sampled, placed = self._with_nutpie(model, spec, design, seed, progress)
        else:
            sampled, placed = self._with_pymc(model, seed, progress), Placed(None)
        posterior, stats, interrupted, seconds = sampled
        posterior = posterior[
            [name for name in posterior.data_vars if not str(name).endswith("_raw")]
        ]
        found = convergence(posterior, stats)
        status = status_of_chains(found, interrupted=interrupted, good_for=self.good_for)
        return Draws(posterior, stats, placed.told(status), seconds)

    @one_blas_thread()
    def _with_nutpie(
        self, model: pm.Model, spec: ModelSpec, design: Design, seed: int, progress: bool
    ) -> tuple[Sampled, Placed]:
        names = kept_names(model)
        began = time.perf_counter()
        start = self.start or usual_start(spec)

        def in_charts() -> tuple[float, Placed, Chart | None]:
            charted = Charted(spec, design, model, names)
            first = charted.first()
            ready = time.perf_counter()
            placed, chart = placed_in_chart(
                charted, first, start, seed=seed, cores=self.cores, progress=progress
            )
            return ready, placed, chart

        def in_own_coordinates() -> tuple[float, Placed, Chart | None]:
            compiled = nutpie_chains.compiled(model, names, self.backend)
            ready = time.perf_counter()
            placed = start.place(compiled, seed=seed, cores=self.cores, progress=progress)
            return ready, placed, None

        if self.backend == "nutpie" and can_be_centred(spec, design):
            ready, placed, chart = fast_or_stock(in_charts, in_own_coordinates)
        else:
            ready, placed, chart = in_own_coordinates()
        assert placed.compiled is not None  # both ways place a compiled model
        seconds = {"compile": ready - began, "start": time.perf_counter() - ready}
        began = time.perf_counter()
        if self.store is None:
            trace = nutpie_chains.sample(placed.compiled, self, seed, progress)
            found = self._finished(trace)
        else:
            path = Path(self.store)
            made = Provenance("NUTS", self.settings, seed, seconds, library_versions())
            start_folder(
                path,
                spec,
                design,
                made,
                names,
                message=placed.message,
                advice=placed.advice,
                chart=None if chart is None else chart.to_dict(),
            )
            found = nutpie_chains.sample_to_folder(
                placed.compiled, self, path, names, seed, progress
            )
        return (*found, seconds | {"sample": time.perf_counter() - began}), placed

    def _with_pymc(self, model: pm.Model, seed: int, progress: bool) -> Sampled:
        start = time.perf_counter()
        numpyro = self.backend == "numpyro"
        depth = {"max_tree_depth" if numpyro else "max_treedepth": self.max_depth}
        if numpyro:
            register_for_jax()
        total = self.chains * (self.tune + self.draws)
        ours = progress and not numpyro  # NumPyro has no callback, and so shows its own bar
        with (
            model,
            warnings.catch_warnings(),
            WorkProgress(total, "NUTS", "draws", enabled=ours) as shown,
        ):
            if numpyro:  # that chains run in turn on one device is said in `cores`
                warnings.filterwarnings("ignore", message="There are not enough devices")
            trace = pm.sample(
                draws=self.draws,
                tune=self.tune,
                chains=self.chains,
                cores=self.cores,
                random_seed=seed_word(seed, 32),  # what PyMC's samplers and JAX's keys take
                nuts={"target_accept": self.target_accept, **depth},
                var_names=kept_names(model),
                progressbar=progress and numpyro,
                nuts_sampler="numpyro" if numpyro else "pymc",
                compile_kwargs={} if numpyro else fast_or_stock(_fast_mode, dict),
                compute_convergence_checks=False,
                quiet=True,
                **({"callback": _counted(shown)} if ours else {}),
            )
        return *self._finished(trace), {"compile and sample": time.perf_counter() - start}

    def _finished(self, trace: xr.DataTree) -> tuple[xr.Dataset, xr.Dataset, bool]:
        """Return kept draws, statistics and whether the run was cut short.

        Of a run that was cut short, keep what the chains that got far have in common.
        """
        if "posterior" not in trace or not trace["posterior"].sizes.get(DRAW):
            raise FitError(NOTHING_KEPT)
        posterior = trace["posterior"].to_dataset()
        stats = sampler_statistics(trace["sample_stats"].to_dataset())
        done = np.isfinite(stats["energy"].transpose(CHAIN, DRAW).values).cumprod(axis=1)
        lengths = done.sum(axis=1)
        interrupted = bool(lengths.min() < self.draws or len(lengths) < self.chains)
        if interrupted:
            far, common = kept_chains(lengths.tolist())
            posterior = posterior.isel({CHAIN: far, DRAW: slice(common)})
            stats = stats.isel({CHAIN: far, DRAW: slice(common)})
        return posterior.drop_attrs(), stats.drop_attrs(), interrupted


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


def require_engine(backend: str) -> None:
    """Refuse a backend whose libraries are not installed.

    Raises
    ------
    FitError
        With the command that installs them.
    """
    missing = [name for name in _NEEDS.get(backend, ()) if find_spec(name) is None]
    if missing:
        raise FitError(
            f'NUTS(backend="{backend}") needs {" and ".join(missing)}, which '
            f"{'is' if len(missing) == 1 else 'are'} not installed: "
            'pip install "latentscale[jax]", or use backend="nutpie".'
        )
