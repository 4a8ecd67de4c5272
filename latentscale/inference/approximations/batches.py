"""Batched: stochastic variational inference, a part of the table at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latentscale.declare.spec import ModelSpec
from latentscale.engine.compile import compile_prior
from latentscale.engine.density import LogDensity
from latentscale.inference.approximations.elbo import Adam
from latentscale.inference.approximations.normals import MeanField
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density
from latentscale.model.batches import VariableSlices, deal
from latentscale.model.build import build_design
from latentscale.model.design import Design


@dataclass(frozen=True)
class PartDensity:
    """The log density of a part of a table, with all shared parameters and its own.

    Attributes
    ----------
    value_and_gradient
        From the part's point, shape (n,), to the log density and its gradient.
    places
        Where the part's parameters are in the whole point, shape (n,).
    shared
        Which of them all parts have in common, shape (n,).
    """

    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]]
    places: np.ndarray
    shared: np.ndarray


@dataclass(frozen=True)
class BatchedDensity:
    """A log posterior density as the sum of its parts' and of the prior of what they share.

    log p = sum over parts of log p_part - (number of parts - 1) log prior(shared).

    Attributes
    ----------
    whole
        The density of the whole table, without centring (see `Design.centred`).
    parts
        Those of its parts.
    prior
        From the shared parameters to their log prior density and its gradient.
    """

    whole: PosteriorDensity
    parts: tuple[PartDensity, ...]
    prior: LogDensity

    @classmethod
    def of(
        cls, spec: ModelSpec, whole: Design, size: int, rng: np.random.Generator
    ) -> BatchedDensity:
        """Deal a table (without centring) into parts of about `size` models, and compile them."""
        model = build_design(spec, whole)
        slices = VariableSlices.of(model)
        parts = []
        for part in deal(whole, size, rng):
            density = posterior_density(build_design(spec, part.design))
            places, shared = slices.places(part)
            parts.append(PartDensity(density.value_and_gradient, places, shared))
        return cls(posterior_density(model), tuple(parts), compile_prior(model, slices.shared))

    def one_part(self, part: PartDensity, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return an estimate of the whole density by one part: its value and its gradient.

        Parameters
        ----------
        part
            Of `parts`.
        point
            The part's parameters, shape (n,).

        Returns
        -------
        An estimate of the whole log density, and its gradient: of shared parameters an estimate,
        of the part's own exactly. The mean over all parts is the whole one.
        """
        value, slope = part.value_and_gradient(point)
        if not np.isfinite(value):
            return -np.inf, slope
        prior, prior_slope = self.prior(point[part.shared])
        number = len(self.parts)
        slope = slope.copy()
        slope[part.shared] = number * slope[part.shared] - (number - 1) * prior_slope
        return number * value - (number - 1) * prior, slope


class BatchClimber:
    """Adam on one-draw gradients of one part at a time; a step is a pass over all parts.

    Parameters of a part's own families, and Adam's moments of them, move only when the part is
    looked at (Hoffman, Blei, Wang and Paisley 2013, "Stochastic variational inference").
    """

    def __init__(self, density: BatchedDensity, start: MeanField, rng: np.random.Generator) -> None:
        self._density = density
        self._rng = rng
        self._parameters = start.parameters.copy()
        self._adam = Adam(len(self._parameters))
        self.gradients = len(density.parts)

    @property
    def normal(self) -> MeanField:
        """The approximation now."""
        return MeanField(self._parameters.copy())

    def step(self, rate: float) -> float:
        """Look at every part once, in random order; return an estimate of the ELBO on the way."""
        order = self._rng.permutation(len(self._density.parts))
        value = float(np.mean([self._look(self._density.parts[k], rate) for k in order]))
        return value + MeanField(self._parameters).entropy

    def _look(self, part: PartDensity, rate: float) -> float:
        noise = self._rng.standard_normal(len(part.places))
        at = np.concatenate([part.places, part.places + len(self._parameters) // 2])
        normal = MeanField(self._parameters[at])
        value, slope = self._density.one_part(part, normal.point(noise))
        if not np.isfinite(value):
            return -np.inf
        self._parameters[at] += rate * self._adam.direction(normal.gradient(noise, slope), at)
        return value
