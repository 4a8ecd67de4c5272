"""Chart: coordinates of one run in which the posterior is close to a standard normal.

Families' latents move round where their scores put them (`latentscale.model.coordinates`), with
scores made linear at the highest mode; all other parameters move along a linear map that makes
the density's curvature at that mode the identity. The posterior is that of the same model in any
chart; a good one makes trajectories short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from pytensor.xtensor import as_xtensor

from latentscale.data.scaling import is_bounded
from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL
from latentscale.engine.compile import compile_density
from latentscale.engine.density import Affine, ChainModel, Density, LogDensity
from latentscale.engine.graphs import initial_point
from latentscale.inference.marginal.likelihood import marginal_likelihood
from latentscale.inference.marginal.parameters import values_of_variables
from latentscale.inference.marginal.starts import first_start
from latentscale.inference.start import ModeStart, Placed, Start, climb, scattered
from latentscale.model.coordinates import (
    LATENT,
    UNBOUNDED_WEIGHT,
    Told,
    families_centred,
    told_by_scores,
)
from latentscale.model.design import Design
from latentscale.model.equations import expected_score
from latentscale.model.evaluate import NO_RESIDUALS, Evaluator
from latentscale.spec.spec import ModelSpec

_STEP = 1e-4
_LEAST_CURVATURE = 1e-2
_ITERATIONS = 1500
_JITTER = 0.8
_MOST_MODES = 6
_TOO_LOW = 40.0  # heights and log masses differ by up to 12 on the bundled table
_WORTH_TELLING = 0.02
_APART = 0.25  # at K = 6 climbs to one mode end within 0.05 of each other, modes lie 2.5 apart


@dataclass(frozen=True)
class Chart:
    """What fixes the coordinates of a run.

    Attributes
    ----------
    told
        What scores tell of their cells' linear predictors.
    origin, spread
        The parameters beside families' latents are origin + spread w for w that a chain moves;
        shapes (n,) and (n, n).
    """

    told: Told
    origin: np.ndarray
    spread: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return lists of numbers, as JSON holds them."""
        return {
            "eta": self.told.eta.tolist(),
            "weight": self.told.weight.tolist(),
            "origin": self.origin.tolist(),
            "spread": self.spread.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Chart:
        """Return the chart that `to_dict` wrote."""
        told = Told(np.array(values["eta"]), np.array(values["weight"]))
        return cls(told, np.array(values["origin"]), np.array(values["spread"]))


@dataclass(frozen=True)
class Weighed:
    """A chart at a mode, and the log of the mode's mass by Laplace's approximation.

    Masses compare between modes of one posterior; a constant is left out.
    """

    chart: Chart
    log_mass: float


@dataclass(frozen=True)
class Charted:
    """A model whose families can be centred, to be compiled in charts.

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

    def density(self, chart: Chart) -> Density:
        """Compile the log density in a chart's coordinates."""
        others = self._others
        return self._centred(chart.told).mapped(Affine(others, chart.origin, chart.spread))

    def first(self) -> Chart:
        """Return a chart at the mode next to what regressions give, or by the scores alone."""
        count = len(self._others)
        plain = Chart(told_by_scores(self.design), np.zeros(count), np.eye(count))
        regressed = self._regressed
        if regressed is None:
            return plain
        density = self.density(plain)
        found = climb(density.log_density, self._place(plain, regressed), _ITERATIONS)
        return self.at_mode(plain, found.mode).chart if np.isfinite(found.value) else plain

    def compiled(self, chart: Chart) -> ChainModel:
        """Compile for nutpie, to begin at points scattered as by `PriorStart`."""
        middle = np.concatenate([np.ravel(value) for value in self._initial])[self._others]
        density = self.density(chart)

        def point(seed: Any) -> np.ndarray:
            moved = np.random.default_rng(seed).uniform(-1, 1, density.size)
            place = self._place(chart, middle + moved[self._others])
            place[self._is_latent] = moved[self._is_latent]
            return place

        return density.for_nutpie().beginning(point)

    def compiled_for_climbs(self, chart: Chart) -> ChainModel:
        """Compile for nutpie, to begin by the prior or, twice as often, round regressions."""
        compiled, regressed = self.compiled(chart), self._regressed
        if regressed is None:
            return compiled
        by_prior = compiled.begin

        def point(seed: Any) -> np.ndarray:
            rng = np.random.default_rng(seed)
            if rng.random() < 1 / 3:
                return np.asarray(by_prior(seed))
            jitter = _JITTER * rng.standard_normal(len(regressed))
            return self._place(chart, regressed + jitter)

        return compiled.beginning(point)

    @cached_property
    def _regressed(self) -> np.ndarray | None:
        """Return unconstrained parameters by regressions, or None for what they do not know."""
        if self.spec.benchmarks.link.scalar is None or not self.design.is_plain:
            return None
        likelihood = marginal_likelihood(self.spec, self.design)
        values = values_of_variables(likelihood.layout, first_start(likelihood))
        parts = []
        for variable, initial in zip(self.model.free_RVs, self._initial, strict=True):
            value = self.model.rvs_to_values[variable]
            transform = self.model.rvs_to_transforms[variable]
            if str(variable.name) not in values:  # regressions do not know every term
                parts.append(np.ravel(initial))
                continue
            given = as_xtensor(values[str(variable.name)], dims=value.type.dims)
            free = given if transform is None else transform.forward(given, *variable.owner.inputs)
            with np.errstate(all="ignore"):  # a regression may leave a prior's support
                point = np.ravel(free.eval(mode="FAST_COMPILE"))  # once: not worth compiling
            parts.append(np.where(np.isfinite(point), point, np.ravel(initial)))
        return np.concatenate(parts)[self._others]

    def at_mode(self, first: Chart, mode: np.ndarray) -> Weighed:
        """Return a chart at a mode that was found in another chart, and the mode's mass.

        Parameters
        ----------
        first
            The chart in which the mode was found.
        mode
            Its place there, shape (n,).
        """
        others = self._others
        told = self._told_at(self.density(first).expand(mode))
        centred = self._centred(told)
        begin = np.zeros(centred.size)
        begin[others] = first.origin + first.spread @ mode[others]
        top = climb(centred.log_density, begin, _ITERATIONS)
        spread = _whitener(centred.log_density, top.mode, others)
        chart = Chart(told, top.mode[others], spread)
        return Weighed(chart, top.value + float(np.linalg.slogdet(spread)[1]))

    def place_of(self, chart: Chart, other: Chart) -> np.ndarray:
        """Return the origin of another chart in a chart's coordinates, latents at zero."""
        return self._place(chart, other.origin)

    def _place(self, chart: Chart, natural: np.ndarray) -> np.ndarray:
        """Return unconstrained parameters as a point of a chart, latents at zero."""
        latent = self._is_latent
        place = np.zeros(len(latent))
        place[~latent] = np.linalg.solve(chart.spread, natural - chart.origin)
        return place

    def _centred(self, told: Told) -> Density:
        coordinate = families_centred(self.spec, self.design, self.model, told)
        return compile_density(self.model, self.names, (coordinate,))

    @cached_property
    def _others(self) -> np.ndarray:
        """Return the places of all parameters but the families' latents in the vector."""
        return np.flatnonzero(~self._is_latent)

    @cached_property
    def _is_latent(self) -> np.ndarray:
        """Return which places of the vector are families' latents."""
        sizes = [np.size(value) for value in self._initial]
        return np.repeat([v.name == LATENT for v in self.model.free_RVs], sizes)

    @cached_property
    def _initial(self) -> list[np.ndarray]:
        """Where PyMC would begin, by free variable, unconstrained."""
        initial = initial_point(self.model)
        return [initial[str(self.model.rvs_to_values[v].name)] for v in self.model.free_RVs]

    @cached_property
    def _is_unbounded(self) -> np.ndarray:
        """Return which cells hold scores that are not fractions."""
        bounded = is_bounded(self.design.scores.dataset).values
        return ~bounded[self.design.benchmark_of_cell]

    def _told_at(self, values: dict[str, np.ndarray]) -> Told:
        """Return what scores tell where parameters are `values`: working responses of a GLM."""
        dims = self.model.named_vars_to_dims
        named = {
            name: ((CHAIN, DRAW, *map(str, dims.get(name, ()))), value[None, None])
            for name, value in values.items()
        }
        coords = {dim: list(found) for dim, found in self.model.coords.items() if found is not None}
        used = {dim for held, _ in named.values() for dim in held}
        point = xr.Dataset(named, {dim: found for dim, found in coords.items() if dim in used})
        here = Evaluator.of(self.spec, self.design).at(
            point, self.design.scores.dataset, residuals=NO_RESIDUALS
        )
        known, eta = here.values, here.eta

        def at_cells(array: xr.DataArray) -> np.ndarray:
            plain = array.squeeze((CHAIN, DRAW)).transpose(MODEL, BENCHMARK).values
            return np.asarray(plain[self.design.model_of_cell, self.design.benchmark_of_cell])

        mean = at_cells(here.mean)
        above = at_cells(expected_score(self.spec, known, eta + _STEP))
        below = at_cells(expected_score(self.spec, known, eta - _STEP))
        rise = (above - below) / (2 * _STEP)
        # Expected scores fall where lower is better.
        rise = np.where(rise < 0, -1.0, 1.0) * np.maximum(np.abs(rise), 1e-9)
        told = at_cells(eta) + (self.design.score_of_cell - mean) / rise
        other = self._is_unbounded
        weight = rise**2 / np.where(other, 1.0, mean * (1 - mean))
        weight = np.where(other, UNBOUNDED_WEIGHT, weight)
        usable = np.isfinite(told).all() and np.isfinite(weight).all()
        return Told(told, weight) if usable else told_by_scores(self.design)


def placed_in_chart(
    charted: Charted, first: Chart, start: Start, *, seed: int, cores: int | None, progress: bool
) -> tuple[Placed, Chart]:
    """Give chains their starting points, and the coordinates in which to move."""
    if not isinstance(start, ModeStart):
        plain = charted.compiled(first)
        return start.place(plain, seed=seed, cores=cores, progress=progress), first
    compiled = charted.compiled_for_climbs(first)
    placed = start.place(compiled, seed=seed, cores=cores, progress=progress)
    return settle(charted, first, placed, start.least_share)


def settle(
    charted: Charted, first: Chart, placed: Placed, least_share: float
) -> tuple[Placed, Chart]:
    """Move starting points and their coordinates to a chart at the mode with the largest mass.

    Chains begin at modes in proportion to their mass by Laplace's approximation, which also
    counts how wide a mode is: the highest need not be the heaviest. Modes with less than
    `least_share` of the whole get no chain; what is far lower than the highest is not weighed.
    """
    below = [placed.modes[0].value - one.value for one in placed.modes]
    high = [one for one, gap in zip(placed.modes, below, strict=True) if gap < _TOO_LOW]
    low = min((gap for gap in below if gap >= _TOO_LOW), default=None)
    weighed = _distinct([charted.at_mode(first, one.mode) for one in high[:_MOST_MODES]])
    mass = np.array([one.log_mass for one in weighed])
    share = np.exp(mass - mass.max()) / np.exp(mass - mass.max()).sum()
    chart = weighed[int(np.argmax(share))].chart
    density = charted.density(chart)
    kept = np.flatnonzero((share >= least_share) | (share == share.max()))
    modes = [
        climb(density.log_density, charted.place_of(chart, weighed[k].chart), _ITERATIONS)
        for k in kept
    ]
    compiled = scattered(density.for_nutpie(), modes, share[kept])
    left = share[np.setdiff1d(np.arange(len(share)), kept)]
    message, advice = _told_masses(share[kept], left)
    if low is not None:
        message += f" (other climbs ended {low:.0f} or more lower in log density)"
    return replace(placed, compiled=compiled, message=message, advice=advice), chart


def _distinct(weighed: list[Weighed]) -> list[Weighed]:
    """Return one of those that lie at one place, the first.

    Climbs that stop short of a mode, at other heights, go on to the same one in a chart of
    their own; counted twice it would seem heavier than it is.
    """
    kept: list[Weighed] = []
    for one in weighed:
        if all(_distance(other.chart, one.chart) > _APART for other in kept):
            kept.append(one)
    return kept


def _distance(chart: Chart, other: Chart) -> float:
    """Return how far apart two charts' origins are: root mean square, in standard deviations."""
    apart = np.linalg.solve(chart.spread, other.origin - chart.origin)
    return float(np.sqrt(np.mean(apart**2)))


def _told_masses(share: np.ndarray, left: np.ndarray) -> tuple[str, tuple[str, ...]]:
    """Return a message on the modes at which chains begin, and advice on those left out."""
    count = len(share) + len(left)
    whole = "the whole" if count == 1 else _percent(share)
    modes = "the highest mode" if count == 1 else f"the heaviest of {count} modes"
    message = (
        f"chains begin at {modes} that climbs found, holding {whole} of the posterior by "
        "Laplace's approximation"
    )
    told = left[left >= _WORTH_TELLING]
    if not len(told):
        return message, ()
    lowest = np.floor(100 * told.min()) / 100
    return message, (
        f"No chain begins at {'a mode' if len(told) == 1 else 'modes'} holding {_percent(told)} "
        "of the posterior: draws and intervals leave that part out. "
        f"ModeStart(least_share={lowest:g}) puts chains there too; they will not mix with the "
        "others.",
    )


def _percent(share: np.ndarray) -> str:
    largest_first = np.sort(share[share >= _WORTH_TELLING])[::-1]
    return " and ".join(f"{100 * one:.0f}%" for one in largest_first)


def _whitener(density: LogDensity, mode: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return S with S S' the inverse of the negative Hessian over some places of the vector.

    By central differences of the gradient; directions that are next to flat, or curve upward,
    are taken for a little curved.
    """
    if not np.isfinite(density(mode)[0]):
        return np.eye(len(places))
    columns = []
    for place in places:
        step = np.zeros(len(mode))
        step[place] = _STEP
        columns.append((density(mode - step)[1] - density(mode + step)[1])[places] / (2 * _STEP))
    hessian = np.array(columns)
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    return np.asarray(vectors / np.sqrt(np.maximum(values, _LEAST_CURVATURE)))
