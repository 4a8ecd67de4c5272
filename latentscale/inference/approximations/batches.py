"""Stochastic variational inference: one batch of the table at a time."""

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
class BatchDensity:
    """The log density of a batch of a table, given all shared parameters and its own.

    Attributes
    ----------
    value_and_gradient
        From the batch's point, shape (n,), to the log density and its gradient.
    places
        Indices of the batch's parameters in the whole point, shape (n,).
    shared
        Which of them are common to all batches, shape (n,).
    """

    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]]
    places: np.ndarray
    shared: np.ndarray


@dataclass(frozen=True)
class BatchedDensity:
    """A log posterior density as a sum over batches, less the repeated prior of shared parameters.

    log p = sum over batches of log p_batch - (number of batches - 1) log prior(shared).

    Attributes
    ----------
    whole
        The density of the whole table, without centring (see `Design.centred`).
    batches
        The densities of its batches.
    prior
        From the shared parameters to their log prior density and its gradient.
    """

    whole: PosteriorDensity
    batches: tuple[BatchDensity, ...]
    prior: LogDensity

    @classmethod
    def of(
        cls, spec: ModelSpec, whole: Design, size: int, rng: np.random.Generator
    ) -> BatchedDensity:
        """Partition a table (without centring) into batches of about `size` models."""
        model = build_design(spec, whole)
        slices = VariableSlices.of(model)
        batches = []
        for batch in deal(whole, size, rng):
            density = posterior_density(build_design(spec, batch.design))
            places, shared = slices.places(batch)
            batches.append(BatchDensity(density.value_and_gradient, places, shared))
        return cls(posterior_density(model), tuple(batches), compile_prior(model, slices.shared))

    def from_batch(self, batch: BatchDensity, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return an estimate of the whole density from one batch: its value and its gradient.

        Parameters
        ----------
        batch
            One of `batches`.
        point
            The batch's parameters, shape (n,).

        Returns
        -------
        An estimate of the whole log density, and its gradient, which is estimated for shared
        parameters and exact for the batch's own. The mean over all batches is exact.
        """
        value, slope = batch.value_and_gradient(point)
        if not np.isfinite(value):
            return -np.inf, slope
        prior, prior_slope = self.prior(point[batch.shared])
        number = len(self.batches)
        slope = slope.copy()
        slope[batch.shared] = number * slope[batch.shared] - (number - 1) * prior_slope
        return number * value - (number - 1) * prior, slope


class BatchClimber:
    """Adam on one-draw gradients of one batch at a time; a step is a pass over all batches.

    Parameters of a batch's own families, and Adam's moments for them, are updated only on the
    batch's turn (Hoffman, Blei, Wang and Paisley 2013, "Stochastic variational inference").
    """

    def __init__(self, density: BatchedDensity, start: MeanField, rng: np.random.Generator) -> None:
        self._density = density
        self._rng = rng
        self._parameters = start.parameters.copy()
        self._adam = Adam(len(self._parameters))
        self.gradients = len(density.batches)

    @property
    def normal(self) -> MeanField:
        """The current approximation."""
        return MeanField(self._parameters.copy())

    def step(self, rate: float) -> float:
        """Use every batch once, in random order; return an estimate of the ELBO meanwhile."""
        order = self._rng.permutation(len(self._density.batches))
        value = float(np.mean([self._look(self._density.batches[k], rate) for k in order]))
        return value + MeanField(self._parameters).entropy

    def _look(self, batch: BatchDensity, rate: float) -> float:
        noise = self._rng.standard_normal(len(batch.places))
        at = np.concatenate([batch.places, batch.places + len(self._parameters) // 2])
        normal = MeanField(self._parameters[at])
        value, slope = self._density.from_batch(batch, normal.point(noise))
        if not np.isfinite(value):
            return -np.inf
        self._parameters[at] += rate * self._adam.direction(normal.gradient(noise, slope), at)
        return value
