"""ADVI: the normal distribution nearest to the posterior, by stochastic gradients."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from latentscale.errors import FitError
from latentscale.inference.elbo import Ascent, climb
from latentscale.inference.importance import importance_weights, weight_stats
from latentscale.inference.method import Method
from latentscale.inference.posterior_density import PosteriorDensity, posterior_density
from latentscale.inference.progress import WorkProgress
from latentscale.inference.variational_family import FullRank, MeanField
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import status_of_approximation
from latentscale.spec.spec import ModelSpec

MAX_FULL_RANK = 5000
_STILL_RISING = "The ELBO was still rising at the last step: raise steps."


@dataclass(frozen=True)
class ADVI(Method):
    """Automatic differentiation variational inference (Kucukelbir et al. 2017).

    A normal on the unconstrained scale, with the evidence lower bound (ELBO) climbed by Adam on
    one-draw gradients. Without a learning rate, the best of a few is found by short trials. The
    rate falls threefold whenever the ELBO stops rising, and the run has converged when it stops
    rising at the smallest rate; the parameters are averaged over that last stage (Welandawe
    et al. 2022, "Robust, automated, and accurate black-box variational inference").

    Attributes
    ----------
    draws
        Independent draws from the approximation.
    approximation
        ``"mean_field"``: independent parameters. ``"full_rank"``: any covariance; it starts
        from the mean-field answer, and each step costs the square of the number of parameters.
    steps
        Most gradient steps in all.
    learning_rate
        Adam's first step size, or None to find one.
    window
        Steps over which the ELBO is averaged before it is compared.

    Raises
    ------
    FitError
        If a field is out of range, or the model has more than 5,000 parameters and the
        approximation is full-rank.
    """

    good_for: ClassVar[str] = (
        "large tables and quick comparisons of forecasts' centres; its intervals are usually too "
        "narrow"
    )

    draws: int = 1000
    approximation: Literal["mean_field", "full_rank"] = "mean_field"
    steps: int = 50_000
    learning_rate: float | None = None
    window: int = 250

    def __post_init__(self) -> None:
        self._check_counts("draws", "steps")
        self._check_counts("window", least=10)
        self._check_choice("approximation", ("mean_field", "full_rank"))
        if self.learning_rate is not None:
            self._check_between("learning_rate", 0, 10)

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Fit the approximation and draw from it; Ctrl-C keeps the approximation so far."""
        start = time.perf_counter()
        density = posterior_density(build_design(spec, design))
        if self.approximation == "full_rank" and density.size > MAX_FULL_RANK:
            raise FitError(
                f"A full-rank approximation of {density.size} parameters needs a matrix of "
                f'{density.size} x {density.size}; use ADVI(approximation="mean_field").'
            )
        compiled = time.perf_counter()
        rng = np.random.default_rng(seed)
        with WorkProgress(self.steps, "ADVI", "steps", enabled=progress) as shown:
            normal, ascent = self._fit(density, rng, shown)
        points, log_q = normal.draw(self.draws, rng)
        log_p = density.values(points)
        weights = importance_weights(log_p, log_q)
        status = status_of_approximation(
            weights.pareto_k,
            () if ascent.converged or ascent.interrupted else (_STILL_RISING,),
            figures=f"ELBO {ascent.elbo:.1f} +/- {ascent.error:.1f} after {ascent.steps} steps, "
            f"first learning rate {ascent.learning_rate:g}",
            good_for=self.good_for,
            interrupted=ascent.interrupted,
        )
        seconds = {"compile": compiled - start, "approximate": time.perf_counter() - compiled}
        posterior = density.to_posterior(points)
        return Draws(posterior, weight_stats(log_p, log_q, weights), status, seconds)

    def _fit(
        self, density: PosteriorDensity, rng: np.random.Generator, shown: WorkProgress
    ) -> tuple[MeanField | FullRank, Ascent]:
        def run(start: MeanField | FullRank, done: int) -> Ascent:
            return climb(
                density,
                start,
                rng,
                steps=self.steps - done,
                window=self.window,
                learning_rate=self.learning_rate,
                report=lambda steps, elbo: shown.update(done + steps, f"ELBO {elbo:.1f}"),
            )

        diagonal = MeanField.at(density.start)
        ascent = run(diagonal, 0)
        if self.approximation == "mean_field" or ascent.interrupted:
            return ascent.normal, ascent
        full = run(FullRank.from_mean_field(ascent.normal), ascent.steps)
        return full.normal, full.after(ascent.steps)
