"""Ceilings opened after the fit: in a share of the draws, curves that rise to the best score.

Scores of fitted models hardly inform a curve beyond them, yet an estimated ceiling is just above
the best of them, with a narrow posterior (``benchmarks/ceilings``). Here a share of the posterior
draws gets a different curve for every benchmark with an estimated ceiling: it ends at 1 (0 where
lower is better), and is fitted to the benchmark's scores given the draw's linear predictors. The
density does not change: sampling, its convergence and the log likelihood use estimated ceilings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.scaling import is_bounded, lower_is_better
from latentscale.declare.likelihood import Noise
from latentscale.declare.prior import POSITIVE, Prior
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, CELL, CHAIN, DRAW, FAMILY, LINEAGE, MODEL, SAMPLE, SKILL
from latentscale.maths import on_draws
from latentscale.model.design import Design
from latentscale.model.equations import OPEN_INTERCEPT, OPEN_SLOPE, expected_score
from latentscale.model.evaluate import FITTED_RESIDUALS, Evaluation, Evaluator
from latentscale.model.terms.base import curve_places
from latentscale.numerics.thinning import evenly_spread

Floats = npt.NDArray[np.float64]

IS_OPEN = "open_ceiling"
"""1 if a draw has a curve without its estimated ceiling, otherwise 0; dims of the draws."""

_WHICH = 20261128
"""Seed for the draw of each stretch that is opened: arbitrary, but the same on every load."""
_PRIOR_SD = np.array([3.0, 1.0, 1.0])
"""For the intercept, the log slope and the change of the log precision, around the draw's own
curve: wide compared with the information in scores of a dozen models, and proper if a benchmark has
fewer."""
_STEP = 1e-3
"""Step of central differences, on scales of about 1: truncation error 1e-6, rounding error 1e-9 of
a log density."""
_FLATTEST = 1e-2
"""Smallest curvature that a step uses, far below the curvature of the priors of `_PRIOR_SD`."""
_LONGEST = 2.0
"""Longest step in any parameter: a factor of seven in slope or precision."""
_CLOSE = 1e-3
"""Length of the last step: Newton's next one would be about 1e-6."""
_MOST_STEPS = 60
"""About 10 suffice; a draw that needs more keeps its estimated ceiling."""
_HALVINGS = 20
"""Halvings of one step, to a millionth: shorter steps have no effect."""
_SLACK = 1e-9
"""By how much rounding may lower a log density of several hundred."""
_MOST_CELLS = 1000
"""Most cells of a benchmark to which its curve is fitted: more would estimate an intercept, a slope
and a precision to better than three percent, and take proportionally longer."""
_BLOCK = 2**21
"""Numbers in a block of draws by models and benchmarks, 16 MB: about ten of these arrays are
held."""


def open_curves(spec: ModelSpec, design: Design, posterior: xr.Dataset) -> xr.Dataset | None:
    """Return the variables of draws, a share of which have open ceilings.

    mu = c + (1 - c) h(a + b eta), with a, b > 0, the precision and the link's positive parameters
    by benchmark at the posterior mode given the draw's predictors eta. If a benchmark has more than
    `_MOST_CELLS` scores, that number of representative scores is used.

    Parameters
    ----------
    spec, design
        What was fitted; ``spec.benchmarks.ceiling_open`` is the share.
    posterior
        Draws, dims (chain, draw, ...).

    Returns
    -------
    ``ceiling``, ``precision`` and the link's parameters for forecasts, ``open_intercept`` (a),
    ``open_slope`` (b) and ``open_ceiling``, dims (chain, draw, benchmark). Draws that are not open
    keep their own values, with 0, 1 and 0 for the last three. None if no draw or no benchmark is
    opened.
    """
    which = opened_draws(posterior.sizes[CHAIN] * posterior.sizes[DRAW], spec)
    free = estimated_ceilings(spec, design) if which.size else []
    if not free:
        return None
    made = _Opened.of(spec, posterior, free)
    models = len(design.scores.models) * len(design.scores.benchmarks)
    each = max(1, _BLOCK // models)
    evaluator = Evaluator.of(spec, design.transform, design.scores.dataset)
    for first in range(0, len(which), each):
        made.fit(evaluator, design, which[first : first + each])
    return made.dataset()


def opened_draws(count: int, spec: ModelSpec) -> npt.NDArray[np.int64]:
    """Return the sorted indices of the draws with open ceilings, of `count` in all chains.

    One random draw is opened in each of as many stretches of equal length: they are spread over
    every chain, without a period that thinning of draws could share.
    """
    settings = spec.benchmarks
    share = settings.ceiling_open if settings.ceiling == "estimated" else 0.0
    wanted = round(share * count)
    edges = np.arange(wanted + 1) * count // max(wanted, 1)
    place = np.random.default_rng(_WHICH).uniform(size=wanted)
    return (edges[:-1] + np.floor(place * np.diff(edges))).astype(np.int64)


def estimated_ceilings(spec: ModelSpec, design: Design) -> list[str]:
    """Return the benchmarks with their own curve and a ceiling that the table does not state.

    Benchmarks with several attempts at one task keep their ceilings: if curves were opened one by
    one, more attempts could score lower.
    """
    data = design.scores.dataset
    free = is_bounded(data).values.copy()
    if "ceiling" in data:
        free &= data["ceiling"].isnull().values
    places = curve_places(spec, design)
    if places is not None:
        free &= np.bincount(places, minlength=len(places))[places] == 1
    names = map(str, design.scores.benchmarks)
    return [name for name, is_free in zip(names, free, strict=True) if is_free]


@dataclass(frozen=True)
class _Opened:
    """Variables of draws that are opened a block at a time; arrays (chain x draw, benchmark)."""

    spec: ModelSpec
    posterior: xr.Dataset
    free: list[str]
    powers: dict[str, Prior]
    arrays: dict[str, Floats]

    @classmethod
    def of(cls, spec: ModelSpec, posterior: xr.Dataset, free: list[str]) -> _Opened:
        """Return the unchanged draws, with none open."""
        powers = {
            name: spec.prior(parameter.slot)
            for name, parameter in spec.benchmarks.link.parameters().items()
            if parameter.dims == (BENCHMARK,) and spec.prior(parameter.slot).support == POSITIVE
        }
        shape = (-1, posterior.sizes[BENCHMARK])
        arrays = {
            name: posterior[name].transpose(CHAIN, DRAW, BENCHMARK).values.reshape(shape).copy()
            for name in ("ceiling", "precision", *powers)
        }
        like = arrays["ceiling"]
        arrays |= {OPEN_INTERCEPT: np.zeros_like(like), OPEN_SLOPE: np.ones_like(like)}
        return cls(spec, posterior, free, powers, {**arrays, IS_OPEN: np.zeros_like(like)})

    def fit(self, evaluator: Evaluator, design: Design, which: npt.NDArray[np.int64]) -> None:
        """Open some draws: fit their curves, and keep those that converge."""
        at = np.unravel_index(which, (self.posterior.sizes[CHAIN], self.posterior.sizes[DRAW]))
        places = {d: xr.DataArray(i, dims=SAMPLE) for d, i in zip((CHAIN, DRAW), at, strict=True)}
        draws = self.posterior.isel(places).drop_vars([CHAIN, DRAW], errors="ignore")
        here = evaluator.at(draws, design.scores.dataset, residuals=FITTED_RESIDUALS)
        for name, curve in _curves(self, here, design):
            mode, close = _maximum(curve)
            column = list(design.scores.benchmarks).index(name)
            rows = which[close]
            found = {
                "ceiling": np.full(len(rows), curve.end),
                "precision": self.arrays["precision"][rows, column] * np.exp(mode[close, 2]),
                OPEN_INTERCEPT: mode[close, 0],
                OPEN_SLOPE: np.exp(mode[close, 1]),
                IS_OPEN: np.ones(len(rows)),
                **{n: np.exp(mode[close, 3 + p]) for p, n in enumerate(self.powers)},
            }
            for variable, values in found.items():
                self.arrays[variable][rows, column] = values

    def dataset(self) -> xr.Dataset:
        """Return the variables, dims (chain, draw, benchmark)."""
        dims = (CHAIN, DRAW, BENCHMARK)
        coords = {dim: self.posterior[dim].values for dim in dims if dim in self.posterior.coords}
        shape = tuple(self.posterior.sizes[dim] for dim in dims)
        variables = {name: (dims, array.reshape(shape)) for name, array in self.arrays.items()}
        made = xr.Dataset(variables, coords)
        return made.assign({IS_OPEN: made[IS_OPEN].astype("int8")})


@dataclass(frozen=True)
class _Curve:
    """One benchmark's cells on some draws, and the density of their scores.

    Attributes
    ----------
    spec
        Names the link.
    end
        The ceiling of the open curve.
    values
        Parameters of the benchmark, dims (sample,) or (cell,) or none.
    noise, phi, score
        Noise, drawn precision and score of the cells.
    eta
        Linear predictors of the draws, shape (sample, cell).
    powers
        Priors of the link's parameters that are refitted, by name.
    """

    spec: ModelSpec
    end: float
    values: dict[str, xr.DataArray]
    noise: Noise
    phi: xr.DataArray
    score: xr.DataArray
    eta: Floats
    powers: dict[str, Prior]

    def start(self) -> Floats:
        """Return the draw's own curve: intercept 0, log slope 0, change of log precision 0."""
        count = len(self.eta)
        logs = [np.log(_of_samples(self.values[name], count)) for name in self.powers]
        return np.stack([np.zeros(count)] * 3 + logs, axis=1)

    def cells(self, mode: Floats, moved: Floats) -> Floats:
        """Return log densities (sample, cell), after moving predictor and parameters by `moved`."""
        eta = mode[:, :1] + np.exp(mode[:, 1:2]) * self.eta + moved[0]
        logs = np.exp(mode[:, 2:] + moved[1:])
        phi, *powers = (xr.DataArray(column, dims=(SAMPLE,)) for column in logs.T)
        values = {**self.values, "ceiling": xr.DataArray(self.end)}
        values |= dict(zip(self.powers, powers, strict=True))
        mean = expected_score(self.spec, values, xr.DataArray(eta, dims=(SAMPLE, CELL)))
        density = self.noise.log_density(self.score, mean, self.phi * phi)
        return np.asarray(on_draws(density).transpose(SAMPLE, CELL).values, dtype=float)

    def prior(self, mode: Floats, moved: float = 0.0) -> Floats:
        """Return log prior densities by parameter, shape of `mode`, each shifted by `moved`."""
        at = mode + moved
        density = np.empty_like(at)
        density[:, :3] = -0.5 * (at[:, :3] / _PRIOR_SD) ** 2
        for place, prior in enumerate(self.powers.values(), start=3):
            density[:, place] = prior.log_density(np.exp(at[:, place])) + at[:, place]
        return density

    def density(self, mode: Floats) -> Floats:
        """Return the log posterior density of the parameters, shape (sample,)."""
        unmoved = np.zeros(mode.shape[1] - 1)
        return np.asarray(self.cells(mode, unmoved).sum(axis=1) + self.prior(mode).sum(axis=1))


def _curves(opened: _Opened, here: Evaluation, design: Design) -> Iterator[tuple[str, _Curve]]:
    """Yield the curve of every benchmark that is opened."""
    lower = lower_is_better(design.scores.dataset).values
    noise = here.noise(design.scores.item_counts, design.sampling)
    eta = here.eta.transpose(SAMPLE, MODEL, BENCHMARK).values
    wide = {MODEL, FAMILY, LINEAGE, SKILL}
    for name in opened.free:
        column = list(design.scores.benchmarks).index(name)
        cells = representative(
            np.nonzero(design.benchmark_of_cell == column)[0], design.score_of_cell
        )
        models = xr.DataArray(design.model_of_cell[cells], dims=(CELL,))
        at = {MODEL: models, BENCHMARK: xr.full_like(models, column)}
        values = {
            key: value.isel({BENCHMARK: column}, missing_dims="ignore").reset_coords(drop=True)
            for key, value in here.values.items()
            if not wide.intersection(map(str, value.dims))
        }
        phi = here.precision.isel({d: at[d] for d in at if d in here.precision.dims})
        yield (
            name,
            _Curve(
                spec=opened.spec,
                end=0.0 if lower[column] else 1.0,
                values=values,
                noise=noise.at(at),
                phi=phi.reset_coords(drop=True),
                score=xr.DataArray(design.score_of_cell[cells], dims=(CELL,)),
                eta=eta[:, models.values, column],
                powers=opened.powers,
            ),
        )


def representative(cells: npt.NDArray[np.int64], scores: Floats) -> npt.NDArray[np.int64]:
    """Return at most `_MOST_CELLS` of some cells, evenly spaced in the order of their scores.

    Parameters
    ----------
    cells
        Sorted indices of a benchmark's cells.
    scores
        Scores of all cells, shape (cell,).
    """
    if len(cells) <= _MOST_CELLS:
        return cells
    order = np.argsort(scores[cells], kind="stable")
    return np.sort(cells[order[evenly_spread(len(cells), _MOST_CELLS)]])


def _maximum(curve: _Curve) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the posterior modes, (sample, parameter), and for which draws they converged.

    This is Newton's method, uphill also along directions of negative curvature; steps are halved
    until the density does not fall. A draw whose density or derivatives are not finite does not
    converge.
    """
    mode = curve.start()
    density = curve.density(mode)
    close = np.zeros(len(mode), dtype=bool)
    active = np.arange(len(mode))
    for _ in range(_MOST_STEPS):
        part = _at(curve, active)
        step = _newton_step(part, mode[active])
        at, best = _halved(part, mode[active], step, density[active])
        moved = np.abs(at - mode[active]).max(axis=1)
        mode[active], density[active] = at, best
        finite = np.isfinite(step).all(axis=1) & np.isfinite(best)
        close[active] = (moved < _CLOSE) & finite
        active = active[(moved >= _CLOSE) & finite]
        if not active.size:
            break
    return mode, close


def _at(curve: _Curve, index: npt.NDArray[np.int64]) -> _Curve:
    """Return a curve on some of its draws."""

    def chosen(array: Any) -> Any:
        return array.isel({SAMPLE: index}, missing_dims="ignore")

    return replace(
        curve,
        values={name: chosen(value) for name, value in curve.values.items()},
        noise=curve.noise.mapped(chosen),
        phi=chosen(curve.phi),
        eta=curve.eta[index],
    )


def _newton_step(curve: _Curve, mode: Floats) -> Floats:
    """Return Newton's steps uphill, (sample, parameter), by differences of the cells' densities.

    Intercept and log slope act only through the predictor: with e = a + b eta, the derivatives with
    respect to them are those with respect to e, times 1 and times b eta. NaN if a derivative is not
    finite.
    """
    count = mode.shape[1] - 1
    unit = _STEP * np.eye(count)
    middle = curve.cells(mode, np.zeros(count))
    up, down = ([curve.cells(mode, sign * row) for row in unit] for sign in (1, -1))
    first = [(u - d) / (2 * _STEP) for u, d in zip(up, down, strict=True)]

    def second(i: int, j: int) -> Floats:
        if i == j:
            return np.asarray((up[i] - 2 * middle + down[i]) / _STEP**2)
        both = curve.cells(mode, unit[i] + unit[j])
        return np.asarray((both - up[i] - up[j] + middle) / _STEP**2)

    turn = np.exp(mode[:, 1:2]) * curve.eta
    acts = [(0, np.ones_like(turn)), (0, turn), *((i, np.ones_like(turn)) for i in range(1, count))]
    bends = {(i, j): second(i, j) for i in range(count) for j in range(i + 1)}
    gradient = np.stack([(first[i] * w).sum(axis=1) for i, w in acts], axis=1)
    hessian = np.empty((len(mode), count + 1, count + 1))
    for r, (i, left) in enumerate(acts):
        for s, (j, right) in enumerate(acts):
            bend = bends[max(i, j), min(i, j)]
            hessian[:, r, s] = (bend * left * right).sum(axis=1)
    hessian[:, 1, 1] += gradient[:, 1]
    above, at, below = (curve.prior(mode, sign * _STEP) for sign in (1, 0, -1))
    gradient += (above - below) / (2 * _STEP)
    hessian += ((above - 2 * at + below) / _STEP**2)[:, :, None] * np.eye(count + 1)
    finite = np.isfinite(hessian).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
    hessian[~finite], gradient[~finite] = 0.0, np.nan
    scale, turned = np.linalg.eigh(-hessian)
    along = (turned.swapaxes(1, 2) @ gradient[..., None]) / np.maximum(np.abs(scale), _FLATTEST)[
        ..., None
    ]
    step = (turned @ along)[..., 0]
    longest = np.abs(step).max(axis=1, keepdims=True)
    return np.asarray(step * np.minimum(1.0, _LONGEST / np.maximum(longest, _CLOSE)))


def _halved(curve: _Curve, mode: Floats, step: Floats, before: Floats) -> tuple[Floats, Floats]:
    """Return the modes after steps halved until the density does not fall, and the densities."""
    at, best = mode.copy(), before.copy()
    share = np.ones(len(mode))
    pending = np.ones(len(mode), dtype=bool)
    for _ in range(_HALVINGS):
        tried = mode + share[:, None] * step
        density = curve.density(tried)
        better = pending & (density >= before - _SLACK)
        at[better], best[better] = tried[better], density[better]
        pending &= ~better
        if not pending.any():
            break
        share[pending] /= 2
    return at, best


def _of_samples(value: xr.DataArray, count: int) -> Floats:
    return np.broadcast_to(np.asarray(value.values, dtype=float), (count,))
