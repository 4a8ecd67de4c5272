"""An inference method from outside the package: random-walk Metropolis that adapts in warm-up."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from latentscale.extend import (
    METHODS,
    Design,
    Draws,
    Method,
    ModelSpec,
    PosteriorDensity,
    build_design,
    convergence,
    posterior_density,
    status_of_chains,
)

BATCH = 50  # steps after which the proposal is adapted: enough to judge how many are accepted
WANTED = 0.234  # share of proposals accepted that mixes best (Roberts, Gelman and Gilks 1997)


@METHODS.add
@dataclass(frozen=True)
class Metropolis(Method):
    """Random-walk Metropolis, its steps in proportion to the warm-up's standard deviations.

    Attributes
    ----------
    draws, tune, chains
        Kept draws and warm-up draws of each chain, and the number of chains.
    """

    draws: int = 2000
    tune: int = 2000
    chains: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", "tune", "chains")

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Sample the chains, one after the other."""
        density = posterior_density(build_design(spec, design))
        began = time.perf_counter()
        streams = np.random.default_rng(seed).spawn(self.chains)
        points = np.stack([self._chain(density, rng) for rng in streams])
        posterior = density.to_posterior(points)
        status = status_of_chains(convergence(posterior, None), interrupted=False)
        return Draws(posterior, None, status, {"sample": time.perf_counter() - began})

    def _chain(self, density: PosteriorDensity, rng: np.random.Generator) -> np.ndarray:
        """Return the kept points of one chain, shape (draws, n)."""
        point = density.start.copy()
        value = density.value_and_gradient(point)[0]
        path = np.empty((self.tune + self.draws, density.size))
        step, size, accepted = np.ones(density.size), 1 / np.sqrt(density.size), 0
        for number in range(len(path)):
            proposed = point + size * step * rng.standard_normal(density.size)
            new = density.value_and_gradient(proposed)[0]
            if np.log(rng.random()) < new - value:
                point, value, accepted = proposed, new, accepted + 1
            path[number] = point
            if (number + 1) % BATCH == 0 and number < self.tune:
                size *= np.exp(accepted / BATCH - WANTED)
                step = path[number // 2 : number + 1].std(axis=0) + 1e-3  # no direction is frozen
                accepted = 0
        return path[self.tune :]
