"""StochasticMarginalML: maximum marginal likelihood if quadrature is not possible."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.errors import SpecError, listed
from latentscale.inference.method import METHODS, Method
from latentscale.inference.progress import COMPILING, Waiting, WorkProgress
from latentscale.inference.stochastic.ascent import (
    STEP_LIMIT,
    StochasticMaximum,
    maximise_stochastically,
)
from latentscale.inference.stochastic.complete import CompleteData, complete_data
from latentscale.inference.stochastic.latent_chain import LatentChain
from latentscale.inference.tools.exact_fits import refuse_exact_fits
from latentscale.markup import call_text, counted
from latentscale.model.design import Design, missing_values_are_parameters
from latentscale.model.terms.base import terms_of
from latentscale.numerics.climb import climb
from latentscale.numerics.curvature import normal_draws
from latentscale.numerics.threads import in_threads, one_blas_thread
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import Status

# The climbs only give starting points, so a rough mode suffices.
_STEPS = 1000
_HISTORY = 20
_TOLERANCE = 1e-9
# Trajectories of the latents after each draw of the parameters, which moved them only a little.
_MOVES_A_DRAW = 4
# Monte Carlo noise as a share of a standard error: it adds 2% to the error.
_NOISE_LIMIT = 0.2


@METHODS.add
@dataclass(frozen=True)
class StochasticMarginalML(Method):
    """Maximum marginal likelihood by projected stochastic gradients, as in Cai et al. 2025.

    Latents (families' and lineages' skills, their benchmark effects, models' residuals) are
    drawn from their distribution given the parameters by Hamiltonian Monte Carlo; each draw
    gives an unbiased gradient of the log marginal likelihood. The parameters move on the
    unconstrained scale, where loadings of anchors and scales are positive and correlations
    valid, and are projected on a box. A few Newton steps from longer runs follow, with the
    observed information by Louis' identity. The spec's priors are used only for the starting
    points. Draws are normal around the estimate, and latents are drawn given each.

    If `MarginalML` takes the spec, it is better: faster, without Monte Carlo error, and with the
    likelihood, AIC and BIC.

    Attributes
    ----------
    starts
        Climbs of the posterior density; the ascent begins at the highest end.
    steps
        Stochastic gradient steps.
    rounds, moves
        Newton steps, and the trajectories of the latents before each. Up to three times as many
        steps are taken while the last one is longer than a quarter of a standard error.
    leaps
        Leapfrog steps per trajectory.
    draws
        Draws of the parameters.
    cores
        Threads; None for as many as the machine has.

    Raises
    ------
    FitError
        If a field is out of range.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), estimation; Louis 1982, "Finding the observed
    information matrix when using the EM algorithm".

    Examples
    --------
    >>> ls.methods.StochasticMarginalML(steps=600, rounds=2).rounds
    2
    """

    __repr__ = call_text

    good_for: ClassVar[str] = (
        "estimates and rough standard errors of specs that MarginalML refuses; it gives no "
        "likelihood, and its standard errors carry Monte Carlo noise"
    )

    starts: int = 6
    steps: int = 1200
    rounds: int = 4
    moves: int = 600
    leaps: int = 8
    draws: int = 500
    cores: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("starts", "rounds", "leaps", "draws")
        self._check_counts("steps", "moves", least=60)
        self._check_cores()

    @one_blas_thread()
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Climb, then draw parameters and latents (see the class).

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
        SpecError
            If the spec has no latents, or its likelihood no maximum, or several.

        Examples
        --------
        >>> method = ls.methods.StochasticMarginalML()
        >>> method.draw(pooled.spec, pooled.design, seed=1, progress=False)
        Traceback (most recent call last):
            ...
        latentscale.errors.SpecError: StochasticMarginalML integrates latents out, ...
        """
        _refuse(spec, design)
        rng = np.random.default_rng(seed)
        began = time.perf_counter()
        with Waiting(f"StochasticMarginalML: {COMPILING}", enabled=progress):
            complete = complete_data(spec, design, rng)
        compiled = time.perf_counter()
        work = self.steps + self.rounds * self.moves
        with WorkProgress(work, "StochasticMarginalML", "moves", enabled=progress) as shown:
            start = self._highest(complete, rng)
            chain = LatentChain(complete.target, start, complete.latents, self.leaps, rng)
            maximum = maximise_stochastically(
                complete,
                chain,
                steps=self.steps,
                rounds=self.rounds,
                moves=self.moves,
                cores=self.cores,
                shown=shown,
            )
            climbed = time.perf_counter()
            points = self._points(complete, chain, maximum, rng)
            shown.update(work)
        seconds = {
            "compile": compiled - began,
            "ascend": climbed - compiled,
            "draw": time.perf_counter() - climbed,
        }
        posterior = complete.target.to_posterior(points)
        status = self._status(maximum, complete.labels)
        return Draws(posterior, None, status, seconds, _table(complete, maximum))

    def _highest(self, complete: CompleteData, rng: np.random.Generator) -> np.ndarray:
        """Return the highest mode of the posterior density that a few climbs reach."""
        target = complete.target
        begins = [target.start + rng.uniform(-1, 1, target.size) for _ in range(self.starts)]

        def work(begin: np.ndarray) -> tuple[float, np.ndarray]:
            end = climb(
                target.value_and_gradient,
                begin,
                steps=_STEPS,
                history=_HISTORY,
                tolerance=_TOLERANCE,
                kept=1,
            )
            return end.value, end.mode

        return max(in_threads(work, begins, self.cores), key=lambda end: end[0])[1]

    def _points(
        self,
        complete: CompleteData,
        chain: LatentChain,
        maximum: StochasticMaximum,
        rng: np.random.Generator,
    ) -> np.ndarray:
        points = np.empty((self.draws, complete.target.size))
        moved = normal_draws(maximum.vector, maximum.covariance, self.draws, rng)
        for number, parameters in enumerate(moved):
            chain.point[complete.parameters] = parameters
            for _ in range(_MOVES_A_DRAW):
                chain.move()
            points[number] = chain.point
        return points

    def _status(self, maximum: StochasticMaximum, labels: Sequence[str]) -> Status:
        advice = []
        if maximum.flat.any():
            named = [label for label, flat in zip(labels, maximum.flat, strict=True) if flat]
            advice.append(
                f"The likelihood does not identify {listed(named)}, as far as Monte Carlo noise "
                "shows: their standard errors mean nothing. Raise moves; if that does not help, "
                "use fewer skills or other anchors, or NUTS with priors."
            )
        if not maximum.last_step <= STEP_LIMIT:
            advice.append(
                f"The last step was {maximum.last_step:.2f} standard errors long: raise steps or "
                "rounds."
            )
        if not maximum.noise <= _NOISE_LIMIT:
            advice.append(
                f"Monte Carlo noise is {maximum.noise:.2f} of a standard error: raise moves."
            )
        if not maximum.acceptance > 0.5:
            advice.append(
                f"Only {maximum.acceptance:.0%} of the latents' trajectories are accepted: "
                "raise steps, or use NUTS."
            )
        word = "maximum NOT reached" if advice else "maximum reached"
        message = (
            f"{word}, within noise: last step {maximum.last_step:.2f} and Monte Carlo error "
            f"{maximum.noise:.2f} standard errors; draws approximate by a normal distribution "
            "(observed information), priors not used"
        )
        return Status(True, not advice, False, message, tuple(advice), self.good_for)


def _table(complete: CompleteData, maximum: StochasticMaximum) -> xr.Dataset:
    """Return the table for a fit's tree, dims (parameter,), on the unconstrained scale."""
    return xr.Dataset(
        {
            "estimate": ("parameter", maximum.vector),
            "se_observed": ("parameter", maximum.standard_error),
            "monte_carlo_error": ("parameter", maximum.error),
        },
        coords={"parameter": list(complete.labels)},
        attrs={"scale": "unconstrained"},
    )


def _refuse(spec: ModelSpec, design: Design) -> None:
    if spec.skills.count and spec.skills.identify.kind != "anchored":
        raise SpecError(
            'StochasticMarginalML needs skills.identify of kind "anchored"; it is '
            f'"{spec.skills.identify.kind}", and then the likelihood has no single maximum '
            "(skills can be rotated). Name anchors, or use NUTS."
        )
    if design.undisclosed:
        raise SpecError(
            "StochasticMarginalML has no distribution for the training tokens of "
            f"{counted(len(design.undisclosed), 'model')} without disclosed tokens; set "
            'undisclosed = {kind = "leave-out"}, or use NUTS.'
        )
    if design.estimated:
        raise SpecError(missing_values_are_parameters("StochasticMarginalML", design))
    if not any(term.latent_variables(design) for term in terms_of(spec)):
        raise SpecError(
            "StochasticMarginalML integrates latents out, but this spec has none: it has no "
            "partially pooled effect. Use Laplace or NUTS."
        )
    refuse_exact_fits(spec, design, "StochasticMarginalML")
