"""A Markov chain of latents given parameters: Hamiltonian Monte Carlo."""

from __future__ import annotations

import numpy as np

from latentscale.inference.tools.posterior_density import PosteriorDensity

# Mean acceptance to which the step size is tuned, as in NUTS: a compromise between 0.65, the best
# for many dimensions, and small steps, which are safer where curvature varies.
_WANTED = 0.8
# Change of the log step size per trajectory: a hundred of them can change it 100-fold.
_RATE = 0.05
_FIRST_SIZE = 0.1  # of a step, for latents with unit scale; adapted from the first move on
_LEAST_VARIANCE = 1e-4  # of a latent that a short run hardly moved
# Steps of random length, so that no trajectory returns to where it began (Neal 2011, section 3.2).
_LENGTHS = (0.8, 1.2)


class LatentChain:
    """Hamiltonian Monte Carlo (Neal 2011) of the latents of a point, with fixed parameters.

    The step size adapts to the acceptance while `adapt` is true, and `learn_mass` sets the mass
    from the spread of the draws.
    """

    def __init__(
        self,
        target: PosteriorDensity,
        point: np.ndarray,
        latents: np.ndarray,
        leaps: int,
        rng: np.random.Generator,
    ) -> None:
        self.point = point.copy()
        self.adapt = True
        self.accepted: list[float] = []
        self._target, self._latents, self._leaps, self._rng = target, latents, leaps, rng
        self._size = _FIRST_SIZE
        self._spread = np.ones(len(latents))
        self._sums = np.zeros((2, len(latents)))
        self._seen = 0

    def move(self) -> np.ndarray:
        """Run one trajectory; return the point."""
        here = self.point
        value, gradient = self._target.value_and_gradient(here)
        momentum = self._rng.standard_normal(len(self._latents))
        energy = value - 0.5 * momentum @ momentum
        step = self._size * self._spread * self._rng.uniform(*_LENGTHS)
        moved = here.copy()
        for _ in range(self._leaps):
            momentum = momentum + 0.5 * step * gradient[self._latents]
            moved[self._latents] += step * momentum
            value, gradient = self._target.value_and_gradient(moved)
            momentum = momentum + 0.5 * step * gradient[self._latents]
        gain = value - 0.5 * momentum @ momentum - energy
        chance = float(np.exp(min(float(gain), 0.0))) if np.isfinite(gain) else 0.0
        if self._rng.random() < chance:
            self.point = moved
        if self.adapt:
            self._size = self._size * float(np.exp(_RATE * (chance - _WANTED)))
        self.accepted.append(chance)
        own = self.point[self._latents]
        self._sums = self._sums + np.stack([own, own**2])
        self._seen += 1
        return self.point

    def learn_mass(self) -> None:
        """Set the scale of each latent to the spread of the draws since the last call."""
        mean, square = self._sums / max(self._seen, 1)
        before = self._spread
        self._spread = np.sqrt(np.maximum(square - mean**2, _LEAST_VARIANCE))
        self._size = self._size * float(np.exp(np.log(before / self._spread).mean()))
        self._sums[:] = 0
        self._seen = 0
