"""Chains of nutpie: compiled once, sampled to memory or disk, continued from their positions."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import xarray as xr

from latentscale.engine.compile import compile_density
from latentscale.engine.coordinate import Coordinate
from latentscale.engine.density import ChainModel
from latentscale.engine.jax import jax_model
from latentscale.engine.sampler import nutpie_module
from latentscale.errors import FitError, FitWarning
from latentscale.inference.progress import WorkProgress, divergence_note
from latentscale.posterior.stream import (
    common_draws,
    finish_run,
    read_chains,
    start_run,
    zarr_folder,
)
from latentscale.validate import seed_word

if TYPE_CHECKING:
    from latentscale.inference.nuts.method import NUTS

_POLL_SECONDS = 0.1  # between checks of running chains, which take microseconds
# Operating systems' and the sampler's Rust libraries' messages that a disk or quota is full.
_FULL = ("os error 28", "os error 122", "os error 112", "No space left", "quota exceeded")


def compiled(
    model: pm.Model, names: Sequence[str], backend: str, moved: Sequence[Coordinate] = ()
) -> ChainModel:
    """Compile a model for nutpie, with numba or (``"nutpie-jax"``) with JAX.

    Parameters
    ----------
    model, names, backend
        The model, the variables that draws hold, and nutpie's backend.
    moved
        What is sampled in place of the model's own variables; none with JAX.
    """
    if backend == "nutpie-jax":
        return jax_model(model, names)
    return compile_density(model, names, moved).for_nutpie()


def sample(
    model: ChainModel,
    method: NUTS,
    seed: int,
    progress: bool,
    *,
    positions: bool = False,
    min_depth: int = 0,
) -> xr.DataTree:
    """Sample all chains, with draws in memory; Ctrl-C returns the draws so far.

    With `positions`, the statistics hold each draw on the unconstrained scale. Trees are doubled at
    least `min_depth` times.
    """
    nutpie = nutpie_module()
    total = method.chains * (method.tune + method.draws)
    with WorkProgress(total, "NUTS", "draws", enabled=progress) as shown:
        trace: xr.DataTree = nutpie.sample(
            model.compiled(),
            **_all_chains(method, seed, shown),
            store_unconstrained=positions,
            **({"mindepth": min_depth} if min_depth else {}),  # nutpie's default otherwise
        )
        stats = trace["sample_stats"]
        if "energy" in stats and int(np.isfinite(stats["energy"]).sum()) == _kept_draws(method):
            shown.update(total, divergence_note(int(stats["diverging"].sum())))
    return trace


def sample_to_folder(
    model: ChainModel, method: NUTS, path: Path, names: Sequence[str], seed: int, progress: bool
) -> tuple[xr.Dataset, xr.Dataset, bool]:
    """Sample all chains, and stream draws to disk.

    Returns
    -------
    Kept draws, their statistics, and whether the run was cut short.
    """
    nutpie = nutpie_module()
    chains = range(method.chains)
    before = dict.fromkeys(chains, 0)
    run = start_run(path, chains, method.draws, method.tune, seed, before)
    total = method.chains * (method.tune + method.draws)
    shown = WorkProgress(total, "NUTS", "draws", enabled=progress)
    with shown, _how_to_go_on(path):
        nutpie.sample(model.compiled(), **_all_chains(method, seed, shown), **_on_disk(run))
    finish_runs([run], names)
    drawn = read_chains(path, names)
    posterior, stats = common_draws(drawn)
    short = len(drawn) < method.chains or any(c.length < method.draws for c in drawn.values())
    return posterior, stats, short


@dataclass(frozen=True)
class Continuation:
    """One chain to continue.

    Attributes
    ----------
    chain
        Its number.
    position
        Its position, shape (n,) on the unconstrained scale, or None to start it again.
    before
        Number of draws that it already has.
    draws, tune
        Draws to add, and warm-up before them.
    seed
        Seed of its random numbers.
    """

    chain: int
    position: np.ndarray | None
    before: int
    draws: int
    tune: int
    seed: int


def continue_chains(
    model: ChainModel,
    method: NUTS,
    path: Path,
    names: Sequence[str],
    work: Sequence[Continuation],
    *,
    wanted: int,
    progress: bool,
) -> None:
    """Continue each chain from its own position, and stream draws to disk.

    Ctrl-C stops every chain; the draws so far stay in the folder.
    """
    total = sum(own.tune + own.draws for own in work)
    at_once = method.cores or max(len(work), 1)
    waiting = list(work)
    running: list[Any] = []
    started: list[Path] = []
    shown = WorkProgress(total, "NUTS", "draws", enabled=progress)
    with shown, _how_to_go_on(path):
        reporter = _Reporter(shown)
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    own = waiting.pop(0)
                    before = {own.chain: own.before}
                    run = start_run(path, [own.chain], wanted, own.tune, own.seed, before)
                    started.append(run)
                    running.append(_started(model, method, run, own, reporter))
                time.sleep(_POLL_SECONDS)
                ended = [sampler for sampler in running if _has_ended(sampler)]
                running = [sampler for sampler in running if sampler not in ended]
                for sampler in ended:
                    sampler.wait()  # closes the store, and raises any error
        except KeyboardInterrupt:
            pass
        finally:
            for sampler in running:  # none, unless one was stopped or failed
                with suppress(RuntimeError):
                    sampler.abort()
    finish_runs(started, names)


@contextmanager
def _how_to_go_on(path: Path) -> Iterator[None]:
    """Raise an error of a sampler that writes to a folder as one that says how to continue."""
    try:
        yield
    except (RuntimeError, OSError) as failure:
        cause = str(failure).split("Stack backtrace")[0].strip()
        full = any(word in cause for word in _FULL)
        reason = "the disk is full" if full else f"{type(failure).__name__}: {cause}"
        free = "free some space, then go on by" if full else "go on by"
        raise FitError(
            f"Sampling to {path} was stopped: {reason}. The draws before it are kept: {free} "
            f'latentscale.resume("{path}").'
        ) from failure


def finish_runs(runs: Sequence[Path], names: Sequence[str]) -> None:
    """Gather each run's draws in one file; if the disk is full, leave them unchanged."""
    for run in runs:
        try:
            finish_run(run, names)
        except FitError as failure:
            message = f"{failure} The draws of {run} stay in many small files; nothing is lost."
            warnings.warn(message, FitWarning, stacklevel=2)


def _has_ended(sampler: Any) -> bool:
    try:
        return bool(sampler.is_finished)
    except TimeoutError:  # nutpie's answer while a sampler is busy
        return False


def _started(
    model: ChainModel, method: NUTS, run: Path, own: Continuation, reporter: _Reporter
) -> Any:
    nutpie = nutpie_module()
    return nutpie.sample(
        (model if own.position is None else _starting_at(model, own.position)).compiled(),
        draws=own.draws,
        tune=own.tune,
        chains=1,
        cores=1,
        seed=own.seed,
        blocking=False,
        progress_callback=reporter.of(own.chain),
        **_on_disk(run),
        **_settings(method),
    )


def _kept_draws(method: NUTS) -> int:
    return method.chains * method.draws


def _settings(method: NUTS) -> dict[str, Any]:
    return {
        "save_warmup": False,
        "progress_bar": False,
        "adaptation": method.adaptation,
        "target_accept": method.target_accept,
        "maxdepth": method.max_depth,
        "extra_doublings": method.extra_doublings or 0,
    }


def _all_chains(method: NUTS, seed: int, shown: WorkProgress) -> dict[str, Any]:
    """Return the arguments with which nutpie runs all chains of a method at once."""
    return _settings(method) | {
        "draws": method.draws,
        "tune": method.tune,
        "chains": method.chains,
        "cores": method.cores,
        "seed": seed_word(seed, 64),
        "progress_callback": _Reporter(shown).of(0),
    }


def _on_disk(run: Path) -> dict[str, Any]:
    """Return the arguments with which nutpie streams a run's draws to disk."""
    nutpie = nutpie_module()
    store = nutpie.zarr_store.LocalStore(str(zarr_folder(run)))
    return {"zarr_store": store, "store_unconstrained": True}


def _starting_at(model: ChainModel, position: np.ndarray) -> ChainModel:
    """Return the model with chains that start at a position, without scatter."""
    return model.beginning(lambda seed: position.astype("float64"))


class _Reporter:
    """Adds up the progress of several samplers."""

    def __init__(self, shown: WorkProgress) -> None:
        self._shown = shown
        self._done: dict[int, tuple[int, int]] = {}

    def of(self, sampler: int) -> Any:
        """Return the callback of one sampler."""

        def report(chains: Sequence[Any]) -> None:
            draws = sum(chain.finished_draws for chain in chains)
            self._done[sampler] = (draws, sum(chain.divergences for chain in chains))
            divergences = sum(each[1] for each in self._done.values())
            self._shown.update(
                sum(each[0] for each in self._done.values()), divergence_note(divergences)
            )

        return report
