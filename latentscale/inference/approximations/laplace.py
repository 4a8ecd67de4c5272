"""Laplace: a normal approximation at the posterior mode."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import linalg

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError
from latentscale.inference.approximations.importance import importance_weights, weight_stats
from latentscale.inference.method import METHODS, Method
from latentscale.inference.progress import COMPILING, Waiting, WorkProgress
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density
from latentscale.markup import counted
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.numerics.climb import climb
from latentscale.numerics.curvature import hessian, root_of_inverse
from latentscale.numerics.psis import k_limit
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import status_of_approximation

MAX_PARAMETERS = 10_000
"""Most parameters: the Hessian takes 800 MB, and twice as many gradients as parameters."""

# The climb ends near the mode, and Newton steps finish: where the gradient is 1/1000, the mode is
# about 1/1000 of a standard deviation away, in units of the parameters.
_FLAT = 1e-3
_TOLERANCE = 1e-12
_HISTORY = 20  # pairs of L-BFGS, as Nocedal and Wright advise (3 to 20) for costly densities
# Newton's method doubles the correct digits at each step. It ends at this gain in log density.
_NEWTON_STEPS = 4
_NEWTON_DONE = 1e-6
# Smallest curvature, relative to the largest and absolute (a standard deviation of 10 on the
# unconstrained scale): flatter directions are not identified, and this normal is already wide.
_FLATTEST = 1e-6
_LEAST_CURVATURE = 1e-2
# Largest absolute entry of the gradient at which the mode counts as reached.
_LEVEL = 1e-2
_ROUNDING = 1e-9  # in log density: at the mode, a Newton step may appear to lose this much
_LOG_2PI = float(np.log(2 * np.pi))


@METHODS.add
@dataclass(frozen=True)
class Laplace(Method):
    """Normal approximation at the posterior mode on the unconstrained scale.

    The covariance is the inverse of the negative Hessian at the mode (Tierney and Kadane 1986;
    Gelman et al., "Bayesian Data Analysis", section 13.3). The mode is found by L-BFGS and
    polished by Newton steps; the Hessian comes from central differences of the gradient.

    Attributes
    ----------
    draws
        Independent draws from the normal.
    max_iterations
        Maximum number of L-BFGS iterations.

    Raises
    ------
    FitError
        If a field is out of range.

    Examples
    --------
    >>> method = ls.Laplace(draws=200)
    >>> quick = ls.fit(pooled.spec, pooled.scores, method=method, seed=1, progress=False)
    >>> quick.samples.sizes["sample"]
    200
    """

    good_for: ClassVar[str] = (
        "a first look in seconds, and parameters informed by many scores; scales of effects "
        "and shares are often off centre"
    )

    weighted: ClassVar[bool] = False

    draws: int = 1000
    max_iterations: int = 5000

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", "max_iterations")

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Find the mode, and draw from the normal around it.

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
            If the model has too many parameters for a Hessian, or its log density is not finite.

        Examples
        --------
        >>> method = ls.Laplace(draws=50)
        >>> drawn = method.draw(pooled.spec, pooled.design, seed=1, progress=False)
        >>> drawn.posterior["intercept"].sizes["draw"]
        50
        """
        start = time.perf_counter()
        with Waiting(f"Laplace: {COMPILING}", enabled=progress):
            density = posterior_density(build_design(spec, design))
        _refuse_large(density)
        compiled = time.perf_counter()
        with WorkProgress(3, "Laplace", "stages", enabled=progress) as shown:
            with one_blas_thread():
                top = climb(
                    density.value_and_gradient,
                    density.start,
                    steps=self.max_iterations,
                    history=_HISTORY,
                    tolerance=_TOLERANCE,
                    flat=_FLAT,
                    kept=1,
                )
            if not np.isfinite(top.value):
                raise FitError(
                    "The log density is not finite at the priors' support points, where the climb "
                    "to the mode begins: check scores.audit for scores far from the others, and "
                    "the priors for scales that are too wide."
                )
            shown.update(1, "mode")
            mode, factor, floored, gradient = _at_mode(density, top.mode)
            shown.update(2, "Hessian")
            rng = np.random.default_rng(seed)
            normal = rng.standard_normal((self.draws, density.size))
            points = mode + normal @ factor.T
            log_q = -0.5 * (normal**2).sum(axis=1) - _log_normaliser(factor)
            log_p = density.values(points)
            weights = importance_weights(log_p, log_q)
            shown.update(3)
        status = status_of_approximation(
            weights.pareto_k,
            _faults(floored, gradient),
            figures=f"log density {density.value_and_gradient(mode)[0]:.1f} at the mode, "
            f"largest gradient {gradient:.1g}",
            good_for=self.good_for,
            limit=k_limit(self.draws, weighted=self.weighted),
        )
        seconds = {"compile": compiled - start, "approximate": time.perf_counter() - compiled}
        posterior = density.to_posterior(points)
        return Draws(posterior, weight_stats(log_p, log_q, weights), status, seconds)


def _faults(floored: int, gradient: float) -> tuple[str, ...]:
    if floored:
        were = "was" if floored == 1 else "were"
        return (
            f"At its mode the posterior curves the wrong way in {counted(floored, 'direction')}, "
            f"which {were} given a wide normal. This is usual for specs with an effect for each "
            "model or family: use NUTS or ADVI.",
        )
    if gradient > _LEVEL:
        return ("The optimiser did not reach the mode: raise max_iterations, or use NUTS.",)
    return ()


def _refuse_large(density: PosteriorDensity) -> None:
    if density.size > MAX_PARAMETERS:
        raise FitError(
            f"Laplace needs the full {density.size} x {density.size} Hessian of this model; its "
            f"limit is {MAX_PARAMETERS} parameters. Use ADVI() or Pathfinder()."
        )


def _at_mode(
    density: PosteriorDensity, point: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int, float]:
    """Polish a mode by Newton steps.

    Returns
    -------
    The mode; F with F F' the covariance there, shape (n, n); the number of directions that are not
    concave; and the largest entry of the gradient.
    """
    value, gradient = density.value_and_gradient(point)
    factor, floored = _covariance_factor(density, point)
    for _ in range(_NEWTON_STEPS):
        moved = point + factor @ (factor.T @ gradient)
        new_value, new_gradient = density.value_and_gradient(moved)
        if floored or not new_value > value - _ROUNDING:
            break
        gain, point, value, gradient = new_value - value, moved, new_value, new_gradient
        factor, floored = _covariance_factor(density, point)
        if gain < _NEWTON_DONE:
            break
    return point, factor, floored, float(np.abs(gradient).max())


def _covariance_factor(density: PosteriorDensity, point: np.ndarray) -> tuple[np.ndarray, int]:
    """Return F with F F' = (-H)^-1, and the number of directions in which -H had to be raised."""
    curvature = -hessian(lambda there: density.value_and_gradient(there)[1], point)
    try:
        lower = linalg.cholesky(curvature, lower=True)
    except linalg.LinAlgError:
        values = linalg.eigvalsh(curvature)
        least = max(_FLATTEST * float(values.max()), _LEAST_CURVATURE)
        return root_of_inverse(curvature, least), int((values < least).sum())
    return linalg.solve_triangular(lower, np.eye(len(lower)), lower=True).T, 0


def _log_normaliser(factor: np.ndarray) -> float:
    """Return the log normalising constant of the normal density, from the determinant of F."""
    return float(np.linalg.slogdet(factor)[1]) + 0.5 * len(factor) * _LOG_2PI
