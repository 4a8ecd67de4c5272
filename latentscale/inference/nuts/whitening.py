"""Whitening: coordinates of one run in which the posterior is close to a standard normal.

Families' latents are sampled as deviations from the values that their scores suggest
(`latentscale.model.coordinates`) under the likelihood linearised at the heaviest mode. All other
parameters are sampled after a linear map that makes the density's curvature at that mode the
identity. The posterior is the same in all coordinates; good ones make trajectories short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from pytensor.xtensor import as_xtensor

from latentscale.data.scaling import is_bounded
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL
from latentscale.engine.compile import compile_density
from latentscale.engine.density import Affine, ChainModel, Density, LogDensity
from latentscale.engine.graphs import initial_point
from latentscale.inference.nuts.start import ascent
from latentscale.inference.tools.regressions import regressed
from latentscale.model.coordinates import (
    LATENT,
    UNBOUNDED_WEIGHT,
    WorkingResponse,
    families_centred,
    response_of_scores,
)
from latentscale.model.design import Design
from latentscale.model.equations import expected_score
from latentscale.model.evaluate import NO_RESIDUALS, Evaluator
from latentscale.numerics.curvature import STEP, hessian, root_of_inverse

# Smallest curvature of a direction: a standard deviation of 10 on the unconstrained scale. Priors
# are narrower; flatter directions, and upward curvature, mean that the mode was not quite reached.
_LEAST_CURVATURE = 1e-2
# Scatter around regressions, in logits and logs, as wide as their error on small families.
_JITTER = 0.8
# One climb in three begins at a prior point, in case regressions point to the wrong mode.
_BY_PRIOR = 1 / 3
# Smallest slope of an expected score: on a flat part of its curve, a score does not inform eta.
_LEAST_SLOPE = 1e-9


@dataclass(frozen=True)
class Whitening:
    """What determines the coordinates of a run.

    Attributes
    ----------
    response
        The scores' working response, by which families' latents are centred.
    origin, spread
        The parameters other than families' latents are origin + spread w, where chains move w;
        shapes (n,) and (n, n).
    """

    response: WorkingResponse
    origin: np.ndarray
    spread: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return lists of numbers, as in JSON."""
        return {
            "eta": self.response.eta.tolist(),
            "weight": self.response.weight.tolist(),
            "origin": self.origin.tolist(),
            "spread": self.spread.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Whitening:
        """Return the coordinates that `to_dict` wrote."""
        response = WorkingResponse(np.array(values["eta"]), np.array(values["weight"]))
        return cls(response, np.array(values["origin"]), np.array(values["spread"]))


@dataclass(frozen=True)
class WhitenedModel:
    """A model whose families can be centred, to be compiled in whitened coordinates.

    Attributes
    ----------
    spec, design, model
        What is fitted.
    names
        Names of the variables that draws hold.
    """

    spec: ModelSpec
    design: Design
    model: pm.Model
    names: Sequence[str]

    def density(self, whitening: Whitening) -> Density:
        """Compile the log density in whitened coordinates."""
        affine = Affine(self._others, whitening.origin, whitening.spread)
        return self._centred(whitening.response).mapped(affine)

    def first(self) -> Whitening:
        """Return coordinates at the mode near the regressions, or from the scores alone."""
        count = len(self._others)
        plain = Whitening(response_of_scores(self.design), np.zeros(count), np.eye(count))
        density = self.density(plain)
        top = ascent(density.log_density, self._place(plain, self._regressed))
        return self.at_mode(plain, top.mode)[0] if np.isfinite(top.value) else plain

    def compiled(self, whitening: Whitening) -> ChainModel:
        """Compile for nutpie, with starting points scattered like those of `PriorStart`."""
        middle = np.concatenate([np.ravel(value) for value in self._initial])[self._others]
        density = self.density(whitening)

        def point(seed: Any) -> np.ndarray:
            moved = np.random.default_rng(seed).uniform(-1, 1, density.size)
            place = self._place(whitening, middle + moved[self._others])
            place[self._is_latent] = moved[self._is_latent]
            return place

        return density.for_nutpie().beginning(point)

    def compiled_for_climbs(self, whitening: Whitening) -> ChainModel:
        """Compile for nutpie; begin at prior points or, twice as often, around regressions."""
        compiled = self.compiled(whitening)
        by_prior = compiled.begin

        def point(seed: Any) -> np.ndarray:
            rng = np.random.default_rng(seed)
            if rng.random() < _BY_PRIOR:
                return np.asarray(by_prior(seed))
            jitter = _JITTER * rng.standard_normal(len(self._regressed))
            return self._place(whitening, self._regressed + jitter)

        return compiled.beginning(point)

    @cached_property
    def _regressed(self) -> np.ndarray:
        """Unconstrained parameters from regressions, or PyMC's initial values where these fail."""
        values = regressed(self.spec, self.design)
        parts = []
        for variable, initial in zip(self.model.free_RVs, self._initial, strict=True):
            value = self.model.rvs_to_values[variable]
            transform = self.model.rvs_to_transforms[variable]
            if str(variable.name) not in values:  # regressions do not cover every term
                parts.append(np.ravel(initial))
                continue
            given = as_xtensor(values[str(variable.name)], dims=value.type.dims)
            free = given if transform is None else transform.forward(given, *variable.owner.inputs)
            with np.errstate(all="ignore"):  # a regression may leave a prior's support
                point = np.ravel(free.eval(mode="FAST_COMPILE"))  # once: not worth compiling
            parts.append(np.where(np.isfinite(point), point, np.ravel(initial)))
        return np.concatenate(parts)[self._others]

    def at_mode(self, first: Whitening, mode: np.ndarray) -> tuple[Whitening, float]:
        """Return coordinates at a mode, and the log of its mass by the Laplace approximation.

        Masses are comparable between modes of one posterior; a constant is left out.

        Parameters
        ----------
        first
            The coordinates in which the mode was reached.
        mode
            Its position in them, shape (n,).
        """
        others = self._others
        response = self._response_at(self.density(first).expand(mode))
        centred = self._centred(response)
        begin = np.zeros(centred.size)
        begin[others] = first.origin + first.spread @ mode[others]
        top = ascent(centred.log_density, begin)
        spread = _whitener(centred.log_density, top.mode, others)
        log_mass = top.value + float(np.linalg.slogdet(spread)[1])
        return Whitening(response, top.mode[others], spread), log_mass

    def place_of(self, whitening: Whitening, other: Whitening) -> np.ndarray:
        """Return the origin of other coordinates in the given ones, with latents at zero."""
        return self._place(whitening, other.origin)

    def _place(self, whitening: Whitening, natural: np.ndarray) -> np.ndarray:
        """Return unconstrained parameters in whitened coordinates, with latents at zero."""
        latent = self._is_latent
        place = np.zeros(len(latent))
        place[~latent] = np.linalg.solve(whitening.spread, natural - whitening.origin)
        return place

    def _centred(self, response: WorkingResponse) -> Density:
        coordinate = families_centred(self.spec, self.design, self.model, response)
        return compile_density(self.model, self.names, (coordinate,))

    @cached_property
    def _others(self) -> np.ndarray:
        """Return the indices of all parameters except the families' latents."""
        return np.flatnonzero(~self._is_latent)

    @cached_property
    def _is_latent(self) -> np.ndarray:
        """Return a mask of the vector's elements that are families' latents."""
        sizes = [np.size(value) for value in self._initial]
        return np.repeat([v.name == LATENT for v in self.model.free_RVs], sizes)

    @cached_property
    def _initial(self) -> list[np.ndarray]:
        """PyMC's unconstrained initial values, by free variable."""
        initial = initial_point(self.model)
        return [initial[str(self.model.rvs_to_values[v].name)] for v in self.model.free_RVs]

    def _response_at(self, values: dict[str, np.ndarray]) -> WorkingResponse:
        """Return the working response, as in a GLM, at parameters `values`."""
        dims_of = self.model.named_vars_to_dims
        named = {
            name: ((CHAIN, DRAW, *map(str, dims_of.get(name, ()))), value[None, None])
            for name, value in values.items()
        }
        coords = {dim: list(names) for dim, names in self.model.coords.items() if names is not None}
        used = {dim for dims, _ in named.values() for dim in dims}
        point = xr.Dataset(named, {dim: names for dim, names in coords.items() if dim in used})
        here = Evaluator.of(self.spec, self.design.transform, self.design.scores.dataset).at(
            point, self.design.scores.dataset, residuals=NO_RESIDUALS
        )
        known, eta = here.values, here.eta

        def at_cells(array: xr.DataArray) -> np.ndarray:
            plain = array.squeeze((CHAIN, DRAW)).transpose(MODEL, BENCHMARK).values
            return np.asarray(plain[self.design.model_of_cell, self.design.benchmark_of_cell])

        mean = at_cells(here.mean)
        above = at_cells(expected_score(self.spec, known, eta + STEP))
        below = at_cells(expected_score(self.spec, known, eta - STEP))
        slope = (above - below) / (2 * STEP)
        # Expected scores fall where lower is better.
        rise = np.copysign(np.maximum(np.abs(slope), _LEAST_SLOPE), slope)
        response = at_cells(eta) + (self.design.score_of_cell - mean) / rise
        bounded = is_bounded(self.design.scores.dataset).values[self.design.benchmark_of_cell]
        variance = np.where(bounded, mean * (1 - mean), 1.0)
        weight = np.where(bounded, rise**2 / variance, UNBOUNDED_WEIGHT)
        usable = np.isfinite(response).all() and np.isfinite(weight).all()
        return WorkingResponse(response, weight) if usable else response_of_scores(self.design)


def _whitener(log_density: LogDensity, mode: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return S with S S' the inverse of the negative Hessian over some elements of the vector."""
    if not np.isfinite(log_density(mode)[0]):
        return np.eye(len(places))
    curvature = -hessian(lambda point: log_density(point)[1], mode, places=places)
    return root_of_inverse(curvature, _LEAST_CURVATURE)
