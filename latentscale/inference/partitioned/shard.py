"""Shard: the log density of some lineages, given shared parameters and each lineage's latents.

Given the shared parameters, lineages are independent. So one gradient of a shard's density contains
every lineage's own gradient, and differences along one latent of each lineage at once give all
their Hessians.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, LINEAGE, MISSING_VALUE, MODEL, UNDISCLOSED
from latentscale.engine.compile import compile_prior
from latentscale.engine.density import LogDensity
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density
from latentscale.model.batches import VariableSlices
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.model.rows import release_coords
from latentscale.numerics.curvature import STEP

Floats = npt.NDArray[np.float64]
_NONE = -1
"""Placeholder for a latent that pads the row of a smaller lineage."""


def units_of_latents(slices: VariableSlices, design: Design) -> npt.NDArray[np.int64]:
    """Return the lineage (or family, without a lineage level) of each entry of a point.

    Parameters
    ----------
    slices
        Slices of the model of `design`.
    design
        A table, or a part of one.

    Returns
    -------
    Shape (n,); -1 for shared parameters.
    """
    by_family = design.lineage_of_family if design.use_lineage else np.arange(len(design.families))
    by_model = by_family[design.family_of_model]
    owner_of = dict(zip(design.scores.models, by_model.tolist(), strict=True))
    owner_of |= {label: by_model[row] for label, (_, row) in design.estimated.items()}
    of_dim = {
        LINEAGE: np.arange(len(design.lineages)),
        FAMILY: by_family,
        MODEL: by_model,
    }
    labels = {
        UNDISCLOSED: list(design.undisclosed),
        MISSING_VALUE: list(design.estimated),
        **release_coords(design),
    }
    of_dim |= {
        dim: np.array([owner_of[label] for label in some], dtype=int)
        for dim, some in labels.items()
    }
    parts = []
    for name, shape in slices.shapes.items():
        owner = np.full(shape, _NONE)
        for axis, dim in enumerate(slices.dims[name]):
            if dim in of_dim:
                along = [1] * len(shape)
                along[axis] = -1
                owner = np.broadcast_to(of_dim[dim].reshape(along), shape)
                break
        parts.append(np.ravel(owner))
    return np.concatenate(parts).astype(np.int64)


@dataclass(frozen=True)
class Gradient:
    """Log density of a shard without the shared parameters' prior, and its gradient.

    Attributes
    ----------
    value
        The log density; -inf if the density is 0.
    shared
        Gradient with respect to the shared parameters, shape (d,).
    latents
        Gradient with respect to the latents, shape (unit, latent).
    """

    value: float
    shared: Floats
    latents: Floats


@dataclass(frozen=True)
class Shard:
    """The log density of a shard.

    Attributes
    ----------
    density
        Log density of shared parameters and latents, with their priors.
    prior
        Log prior of only the shared parameters.
    shared
        Indices of shared parameters in a point, shape (d,).
    places
        Indices of each unit's latents, shape (unit, latent); -1 if a unit has fewer.
    units
        The lineage in the design (or family, without a lineage level) of each unit, shape (unit,);
        lineages without latents are left out.
    """

    density: PosteriorDensity
    prior: LogDensity
    shared: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]

    @classmethod
    def of(cls, spec: ModelSpec, design: Design, prior: LogDensity | None = None) -> Shard:
        """Compile the density of a part of a table (see `latentscale.model.batches`)."""
        model = build_design(spec, design)
        slices = VariableSlices.of(model)
        unit = units_of_latents(slices, design)
        units = np.unique(unit[unit >= 0])
        rows = [np.nonzero(unit == k)[0] for k in units]
        places = np.full((len(rows), max(map(len, rows), default=0)), _NONE)
        for row, own in zip(places, rows, strict=True):
            row[: len(own)] = own
        return cls(
            density=posterior_density(model),
            prior=compile_prior(model, slices.shared) if prior is None else prior,
            shared=np.nonzero(unit < 0)[0],
            places=places,
            units=units,
        )

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which of `places` are latents, shape (unit, latent)."""
        return np.asarray(self.places >= 0)

    def point(self, shared: Floats, latents: Floats) -> Floats:
        """Return a whole point, shape (n,)."""
        point = np.empty(self.density.size)
        point[self.shared] = shared
        point[self.places[self.present]] = latents[self.present]
        return point

    def rows(self, point: Floats) -> Floats:
        """Return a point's latents, shape (unit, latent), 0 if a unit has fewer."""
        return np.where(self.present, point[self.places], 0.0)

    def in_order(self, latents: Floats) -> Floats:
        """Return latents (unit, latent) in the order of a point, without the shared parameters."""
        return np.asarray(latents[self.present][np.argsort(self.places[self.present])])

    def gradient(self, shared: Floats, latents: Floats) -> Gradient:
        """Return the density at shared parameters (d,) and latents (unit, latent)."""
        value, slope = self.density.value_and_gradient(self.point(shared, latents))
        prior, prior_slope = self.prior(shared)
        return Gradient(value - prior, slope[self.shared] - prior_slope, self.rows(slope))

    def along_latents(self, shared: Floats, latents: Floats) -> tuple[float, Floats]:
        """Return the log density with the shared prior, and its slope by (unit, latent)."""
        value, slope = self.density.value_and_gradient(self.point(shared, latents))
        return value, self.rows(slope)

    def curvature(self, shared: Floats, latents: Floats) -> Floats:
        """Return minus the Hessian of each unit's latents, shape (unit, latent, latent).

        The diagonal is 1 if a unit has fewer latents.
        """
        units, width = self.places.shape
        hessians = np.zeros((units, width, width))
        for column in range(width):
            step = np.zeros((units, width))
            step[:, column] = STEP
            ahead = self.gradient(shared, latents + step).latents
            behind = self.gradient(shared, latents - step).latents
            hessians[:, :, column] = (behind - ahead) / (2 * STEP)
        hessians = (hessians + hessians.swapaxes(1, 2)) / 2
        unit, at = np.nonzero(~self.present)
        hessians[unit, at, at] = 1.0
        return hessians

    def cross(self, shared: Floats, latents: Floats) -> tuple[Floats, Floats]:
        """Return derivatives of the gradient with respect to the shared parameters.

        Returns
        -------
        Derivatives of the shared parameters' gradient, (d, d), and the latents', (unit, latent, d).
        """
        own = np.empty((shared.size, shared.size))
        others = np.empty((*self.places.shape, shared.size))
        for column in range(shared.size):
            step = np.zeros(shared.size)
            step[column] = STEP
            ahead = self.gradient(shared + step, latents)
            behind = self.gradient(shared - step, latents)
            own[:, column] = (ahead.shared - behind.shared) / (2 * STEP)
            others[:, :, column] = (ahead.latents - behind.latents) / (2 * STEP)
        return (own + own.T) / 2, others
