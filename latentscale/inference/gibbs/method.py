"""Gibbs sampling: every parameter drawn from its exact conditional, in blocks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError
from latentscale.inference.gibbs.blocks import GibbsProblem
from latentscale.inference.gibbs.chain import Chain
from latentscale.inference.gibbs.draws import Kept, draw_of, posterior_of
from latentscale.inference.gibbs.problem import problem_of
from latentscale.inference.method import METHODS, Method
from latentscale.inference.progress import WorkProgress
from latentscale.model.design import Design
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.draws import Draws, kept_chains
from latentscale.posterior.identified import convergence_of
from latentscale.posterior.status import FOR_ANYTHING, status_of_chains

_POLL_SECONDS = 0.1  # between checks of running chains


@METHODS.add
@dataclass(frozen=True)
class Gibbs(Method):
    """Gibbs sampling, for specs that are normal on the link's scale given scales and precisions.

    Skills, effects and loadings are drawn from their normal conditionals in blocks: all effects on
    skills at once, and each benchmark's intercept with its loadings and its families' effects.
    Standard deviations, precisions, shares, correlations, positive loadings and degrees of freedom
    are drawn by slice sampling; Student-t noise is a mixture of normals. A new spec needs no
    compilation: the sampler's loops are compiled once per machine.

    It takes the likelihoods ``student-t`` and ``logit-normal`` with the logistic link, floors of 0
    and ceilings of 1, and any real or positive scale. If the spec has anything that it cannot draw
    exactly, the error names it. Expected scores within 1e-6 of 0 and 1 are not clipped during
    sampling.

    Attributes
    ----------
    draws, chains
        Kept draws of each chain, and the number of chains.
    tune
        Warm-up draws of each chain, which are not kept.
    thin
        Sweeps per kept draw; more than one if draws are strongly autocorrelated and the posterior
        would take much memory.
    cores
        Chains run at once; None for as many as the machine has.

    Raises
    ------
    FitError
        If a field is out of range.

    References
    ----------
    Geman and Geman 1984; West 1987 for Student-t noise; Neal 2003, "Slice sampling"; Yu and Meng
    2011, "To center or not to center", for the two draws of each standard deviation.

    Examples
    --------
    >>> ls.methods.Gibbs(draws=500, chains=2).tune
    500
    """

    good_for: ClassVar[str] = FOR_ANYTHING

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    thin: int = 1
    cores: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", "tune", "chains", "thin")
        self._check_cores()

    @one_blas_thread()
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Sample the posterior; Ctrl-C keeps the draws so far and marks the fit.

        Parameters
        ----------
        spec, design, seed, progress
            As for `Method.draw`.

        Returns
        -------
        Draws
            As `Method.draw` returns.

        Raises
        ------
        FitError
            If some conditional of the spec on this table cannot be drawn exactly.

        Examples
        --------
        >>> ls.methods.Gibbs().draw(pooled.spec, pooled.design, seed=1, progress=False)
        Traceback (most recent call last):
            ...
        latentscale.errors.FitError: Gibbs cannot draw under the spec "pooled_flops": ...
        """
        began = time.perf_counter()
        problem = problem_of(spec, design)
        seconds = {"prepare": time.perf_counter() - began}
        began = time.perf_counter()
        runs = self._run(problem, seed, progress)
        seconds["sample"] = time.perf_counter() - began
        lengths = [len(run) for run in runs]
        interrupted = min(lengths) < self.draws
        far, common = kept_chains(lengths)
        posterior, stats = posterior_of(problem, [runs[place][:common] for place in far])
        figures = convergence_of(spec, design, posterior, stats)
        status = status_of_chains(figures, interrupted=interrupted, good_for=self.good_for)
        return Draws(posterior, stats, status, seconds)

    def _run(self, problem: GibbsProblem, seed: int, progress: bool) -> list[list[dict[str, Kept]]]:
        """Run all chains in threads; return the draws of each."""
        runs: list[list[dict[str, Kept]]] = [[] for _ in range(self.chains)]
        done = [0] * self.chains
        stop = threading.Event()
        sources = np.random.default_rng(seed).spawn(self.chains)

        def work(place: int) -> None:
            chain = Chain(problem, sources[place])
            for sweep in range(self.tune + self.draws * self.thin):
                if stop.is_set():
                    return
                chain.sweep()
                kept = sweep - self.tune + 1
                if kept > 0 and kept % self.thin == 0:
                    runs[place].append(_checked(draw_of(chain)))
                done[place] = sweep + 1

        total = self.chains * (self.tune + self.draws * self.thin)
        cores = min(self.cores or os.cpu_count() or 1, self.chains)
        with (
            WorkProgress(total, "Gibbs", "sweeps", enabled=progress) as shown,
            ThreadPoolExecutor(cores) as pool,
        ):
            futures = [pool.submit(work, place) for place in range(self.chains)]
            try:
                _await(futures, shown, done)
            except KeyboardInterrupt:
                pass
            finally:
                stop.set()
        return runs


def _checked(draw: dict[str, Kept]) -> dict[str, Kept]:
    """Return a draw whose numbers are all finite.

    Raises
    ------
    FitError
        If one is not.
    """
    for name, _, values in draw.values():
        if not np.isfinite(values).all():
            raise FitError(
                f'Gibbs drew a value of "{name}" that is not finite: a standard deviation or a '
                "precision has left the range of doubles. Use a narrower prior for it, or NUTS()."
            )
    return draw


def _await(futures: Sequence[Future[None]], shown: WorkProgress, done: Sequence[int]) -> None:
    """Wait for chains and show their progress; raise any error of theirs."""
    waiting = set(futures)
    while waiting:
        ended, waiting = wait(waiting, timeout=_POLL_SECONDS, return_when=FIRST_EXCEPTION)
        shown.update(sum(done))
        for future in ended:
            future.result()
