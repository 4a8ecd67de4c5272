"""ADVI: the normal approximation with the highest ELBO, found by stochastic gradients."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError
from latentscale.inference.approximations.batches import BatchClimber, BatchedDensity
from latentscale.inference.approximations.elbo import (
    Climber,
    ELBOMaximum,
    WholeClimber,
    maximise_elbo,
)
from latentscale.inference.approximations.importance import importance_weights, weight_stats
from latentscale.inference.approximations.normals import FullRank, MeanField
from latentscale.inference.method import METHODS, Method
from latentscale.inference.progress import COMPILING, Waiting, WorkProgress
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density
from latentscale.markup import call_text
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.numerics.psis import k_limit
from latentscale.posterior.draws import Draws
from latentscale.posterior.provenance import FAMILIES_CENTRED
from latentscale.posterior.status import status_of_approximation

MAX_FULL_RANK = 5000
"""Most parameters with a full covariance: its factor takes 200 MB, and each step a pass over it."""

_STILL_RISING = "The ELBO was still rising at the last step: raise steps."
_NOT_FINITE = (
    "The ELBO is not finite: draws of the approximation reach points where the density is 0 or "
    "NaN. Lower learning_rate; if that does not help, check scores.audit and the priors of scales."
)


@METHODS.add
@dataclass(frozen=True)
class ADVI(Method):
    """Automatic differentiation variational inference (Kucukelbir et al. 2017).

    A normal approximation on the unconstrained scale, whose evidence lower bound (ELBO) is
    maximised by Adam with one-draw gradients. If no learning rate is given, short trials choose the
    best of a few. The rate falls threefold whenever the ELBO stops rising, and the run has
    converged when it stops rising at the smallest rate. Parameters are averaged over the last
    `window` steps, as in Welandawe et al. 2022, "Robust, automated, and accurate black-box
    variational inference".

    Attributes
    ----------
    draws
        Independent draws from the approximation.
    approximation
        ``"mean_field"``: independent parameters. ``"full_rank"``: any covariance; it starts
        from the mean-field solution, and a step's cost grows with the square of the number of
        parameters.
    steps
        Maximum total number of gradient steps.
    learning_rate
        Adam's initial step size, or None to choose one by trials.
    window
        Steps over which the ELBO is averaged before it is compared.
    batch
        Models in each step's batch, or None for all. For tables of thousands of models. Families
        are dealt into batches, lineage by lineage; a step updates the shared parameters and those
        of its own families. A batch cannot know the mean of families' effects over the table, so
        effects are not centred on it and intercepts refer to the population of families.

    Raises
    ------
    FitError
        If a field is out of range, a full-rank approximation is asked to use batches, or it would
        have more than 5,000 parameters.

    References
    ----------
    Batches: Hoffman, Blei, Wang and Paisley 2013, "Stochastic variational inference".

    Examples
    --------
    >>> method = ls.ADVI(draws=200)
    >>> quick = ls.fit(pooled.spec, pooled.scores, method=method, seed=1, progress=False)
    >>> quick.samples.sizes["sample"]
    200
    """

    __repr__ = call_text

    good_for: ClassVar[str] = (
        "large tables and quick comparisons of the centres of forecasts; its intervals are usually "
        "too narrow"
    )

    weighted: ClassVar[bool] = False

    draws: int = 1000
    approximation: Literal["mean_field", "full_rank"] = "mean_field"
    steps: int = 50_000
    learning_rate: float | None = None
    window: int = 250
    batch: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", "steps")
        self._check_counts("window", least=10)
        self._check_choice("approximation", ("mean_field", "full_rank"))
        if self.learning_rate is not None:
            self._check_between("learning_rate", 0, 10)
        if self.batch is not None:
            self._check_counts("batch")
            if self.approximation == "full_rank":
                raise FitError(
                    'ADVI.batch works only with approximation="mean_field"; leave one of them out.'
                )

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Fit the approximation and draw from it; Ctrl-C keeps the approximation reached so far.

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
            If `approximation` is ``"full_rank"`` and the model has too many parameters for it.

        Examples
        --------
        >>> method = ls.ADVI(steps=200, draws=50)
        >>> drawn = method.draw(pooled.spec, pooled.design, seed=1, progress=False)
        >>> drawn.posterior["intercept"].sizes["draw"]
        50
        """
        start = time.perf_counter()
        rng = np.random.default_rng(seed)
        batched = None
        with Waiting(f"ADVI: {COMPILING}", enabled=progress):
            if self.batch is None or self.batch >= len(design.scores.models):
                density = posterior_density(build_design(spec, design))
            else:
                batched = BatchedDensity.of(spec, replace(design, centred=False), self.batch, rng)
                density = batched.whole
        if self.approximation == "full_rank" and density.size > MAX_FULL_RANK:
            raise FitError(
                f"A full-rank approximation of {density.size} parameters needs a matrix of "
                f'{density.size} x {density.size}; use ADVI(approximation="mean_field").'
            )
        compiled = time.perf_counter()
        with WorkProgress(self.steps, "ADVI", "steps", enabled=progress) as shown:
            normal, maximum = self._fit(density, batched, rng, shown)
        points, log_q = normal.draw(self.draws, rng)
        log_p = density.values(points)
        weights = importance_weights(log_p, log_q)
        status = status_of_approximation(
            weights.pareto_k,
            _faults(maximum),
            figures=f"ELBO {maximum.elbo:.1f} +/- {maximum.error:.1f} after {maximum.steps} steps, "
            f"first learning rate {maximum.learning_rate:g}",
            good_for=self.good_for,
            limit=k_limit(self.draws, weighted=self.weighted),
            interrupted=maximum.interrupted,
        )
        seconds = {"compile": compiled - start, "approximate": time.perf_counter() - compiled}
        posterior = density.to_posterior(points)
        stats = weight_stats(log_p, log_q, weights)
        chosen = {} if batched is None else {FAMILIES_CENTRED: False}
        return Draws(posterior, stats, status, seconds, chosen=chosen)

    def _fit(
        self,
        density: PosteriorDensity,
        batched: BatchedDensity | None,
        rng: np.random.Generator,
        shown: WorkProgress,
    ) -> tuple[MeanField | FullRank, ELBOMaximum]:
        def run[Normal: MeanField | FullRank](
            begin: Callable[[], Climber[Normal]], done: int
        ) -> ELBOMaximum[Normal]:
            return maximise_elbo(
                begin,
                steps=self.steps - done,
                window=self.window,
                learning_rate=self.learning_rate,
                report=lambda steps, elbo: shown.update(done + steps, f"ELBO {elbo:.1f}"),
            )

        diagonal = MeanField.at(density.start)
        if batched is not None:
            maximum = run(partial(BatchClimber, batched, diagonal, rng), 0)
        else:
            maximum = run(partial(WholeClimber, density, diagonal, rng), 0)
        if self.approximation == "mean_field" or maximum.interrupted:
            return maximum.normal, maximum
        dense = FullRank.from_mean_field(maximum.normal)
        full = run(partial(WholeClimber, density, dense, rng), maximum.steps)
        return full.normal, full.after(maximum.steps)


def _faults(maximum: ELBOMaximum) -> tuple[str, ...]:
    """Return what went wrong in the ascent, and what to do."""
    if maximum.converged or maximum.interrupted:
        return ()
    return (_STILL_RISING if np.isfinite(maximum.elbo) else _NOT_FINITE,)
