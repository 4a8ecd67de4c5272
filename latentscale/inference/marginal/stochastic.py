"""StochasticMarginalML: maximum marginal likelihood where quadrature cannot go."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import xarray as xr

from latentscale.errors import SpecError
from latentscale.inference.marginal.ascent import Ascent, ascend
from latentscale.inference.marginal.complete import CompleteData, complete_data
from latentscale.inference.marginal.latent_chain import LatentChain
from latentscale.inference.method import Method
from latentscale.inference.progress import WorkProgress
from latentscale.inference.start import climb
from latentscale.inference.threads import in_threads, one_blas_thread
from latentscale.model.design import Design
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import Status
from latentscale.spec.spec import ModelSpec

_CLIMB = 1000
_MOVES_A_DRAW = 4
_STEP_LIMIT = 0.25
_NOISE_LIMIT = 0.2


@dataclass(frozen=True)
class StochasticMarginalML(Method):
    """Maximum marginal likelihood by projected stochastic gradients, as in Cai et al. 2025.

    Latents (families' and lineages' skills, their benchmark effects, models' residuals) are
    drawn from their distribution given the parameters by Hamiltonian Monte Carlo; each draw
    gives an unbiased gradient of the log marginal likelihood. The parameters move on the
    unconstrained scale, where loadings of anchors and scales are positive and correlations
    valid, and are projected on a box. A few Newton steps from longer runs follow, with the
    observed information by Louis' identity. The spec's priors play no part, but for the
    starting points. Draws are normal round the estimate, latents drawn given each.

    Where `MarginalML` can go it is better: faster, without Monte Carlo error, and it tells the
    likelihood, AIC and BIC.

    Attributes
    ----------
    starts
        Climbs of the posterior density; the highest end is where the ascent begins.
    steps
        Stochastic gradient steps.
    rounds, moves
        Newton steps, and the trajectories of the latents before each.
    leaps
        Leapfrog steps a trajectory.
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
    """

    good_for: ClassVar[str] = (
        "estimates and rough standard errors of specs that MarginalML refuses; it tells no "
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
        if self.cores is not None:
            self._check_counts("cores")

    @one_blas_thread()
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Climb, then draw parameters and latents (see the class).

        Raises
        ------
        SpecError
            If the spec has no latents, or its likelihood no single maximum.
        """
        _refuse(spec, design)
        rng = np.random.default_rng(seed)
        began = time.perf_counter()
        complete = complete_data(spec, design, rng)
        compiled = time.perf_counter()
        work = self.steps + self.rounds * self.moves
        with WorkProgress(work, "StochasticMarginalML", "moves", enabled=progress) as shown:
            start = self._highest(complete, rng)
            chain = LatentChain(complete.target, start, complete.latents, self.leaps, rng)
            found = ascend(
                complete,
                chain,
                steps=self.steps,
                rounds=self.rounds,
                moves=self.moves,
                cores=self.cores,
                shown=shown,
            )
            climbed = time.perf_counter()
            points = self._points(complete, chain, found, rng)
            shown.update(work)
        seconds = {
            "compile": compiled - began,
            "ascend": climbed - compiled,
            "draw": time.perf_counter() - climbed,
        }
        posterior = complete.target.to_posterior(points)
        return Draws(posterior, None, self._status(found), seconds, _table(complete, found))

    def _highest(self, complete: CompleteData, rng: np.random.Generator) -> np.ndarray:
        """Return the highest mode of the posterior density that a few climbs reach."""
        target = complete.target
        begins = [target.start + rng.uniform(-1, 1, target.size) for _ in range(self.starts)]

        def work(begin: np.ndarray) -> tuple[float, np.ndarray]:
            end = climb(target.value_and_gradient, begin, _CLIMB)
            return end.value, end.mode

        return max(in_threads(work, begins, self.cores), key=lambda end: end[0])[1]

    def _points(
        self, complete: CompleteData, chain: LatentChain, found: Ascent, rng: np.random.Generator
    ) -> np.ndarray:
        values, vectors = np.linalg.eigh(found.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
        points = np.empty((self.draws, complete.target.size))
        for number in range(self.draws):
            moved = found.vector + root @ rng.standard_normal(found.vector.size)
            chain.point[complete.parameters] = moved
            for _ in range(_MOVES_A_DRAW):
                chain.move()
            points[number] = chain.point
        return points

    def _status(self, found: Ascent) -> Status:
        advice = []
        if found.last_step > _STEP_LIMIT:
            advice.append(
                f"The last step was {found.last_step:.2f} standard errors long: raise steps or "
                "rounds."
            )
        if found.noise > _NOISE_LIMIT:
            advice.append(
                f"Monte Carlo noise is {found.noise:.2f} of a standard error: raise moves."
            )
        if not found.acceptance > 0.5:
            advice.append(
                f"Trajectories of the latents are accepted at {found.acceptance:.0%} only: "
                "raise steps, or use NUTS."
            )
        word = "maximum NOT reached" if advice else "maximum reached"
        message = (
            f"{word}, within noise: last step {found.last_step:.2f} and Monte Carlo error "
            f"{found.noise:.2f} standard errors; draws approximate by a normal distribution "
            "(observed information), priors not used"
        )
        return Status(True, not advice, False, message, tuple(advice), self.good_for)


def _table(complete: CompleteData, found: Ascent) -> xr.Dataset:
    """Return what a fit's tree keeps, dims (parameter,), on the unconstrained scale."""
    return xr.Dataset(
        {
            "estimate": ("parameter", found.vector),
            "se_observed": ("parameter", found.standard_error),
            "monte_carlo_error": ("parameter", found.error),
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
            f"{len(design.undisclosed)} models that do not disclose them; set undisclosed = "
            '{kind = "leave-out"}, or use NUTS.'
        )
    part = spec.benchmarks
    effects = bool(part.family_effect or part.family_slopes)
    partial = spec.family.level == "partial"
    if not (partial and (spec.skills.count or effects)) and not spec.skills.residual:
        raise SpecError(
            "StochasticMarginalML integrates latents out, but this spec has none: family.level is "
            f'"{spec.family.level}" and skills.residual is false. Use Laplace or NUTS.'
        )
