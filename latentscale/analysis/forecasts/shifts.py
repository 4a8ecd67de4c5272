"""Shifts: posterior draws moved along a few directions, weighted by the old scores.

Conditional on the rest of a draw, the density of a shift is prior times likelihood of the old
scores. Its Laplace approximation serves as the prior of a few more latents of the forecast rows;
importance weights of the resampled draws correct for the error of the approximation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.directions import Cells, Directions, directions
from latentscale.analysis.forecasts.elimination import division_of
from latentscale.analysis.forecasts.fitted_scores import FittedScores, fitted_scores
from latentscale.analysis.forecasts.groups import Group
from latentscale.analysis.forecasts.latents import Floats, slope_and_curvature
from latentscale.analysis.forecasts.moves import SHIFT
from latentscale.analysis.forecasts.shared_effects import SharedEffects, shared_effects
from latentscale.analysis.tools.blocks import parts
from latentscale.dims import BENCHMARK, MODEL, SAMPLE
from latentscale.posterior.fit import Fit

_MOST_SHIFTS = 24
"""Most new scores: each adds a direction in the space of all effects, on every draw."""
_MOST_EFFECTS = 1500
"""Most shared effects: their precision matrix is factorised on every draw, 1 GFlop at this size."""
_MOST_NUMBERS = 2e8
"""Array elements in all directions together, 1.6 GB; above that, there are no shifts."""
_BLOCK = 2**23
"""Array elements in a block of draws whose directions are computed at a time, 64 MB."""
_FOR_AVERAGES = 40
"""Draws behind the average curvature of a score, which need only be accurate to about 20%."""
_LEAST_WEIGHT = 1e-3
"""Least curvature, for scores at a floor, which are nearly uninformative: a standard deviation of
about 30."""
_NEWTON_STEPS = 6
"""Steps from a draw to the mode: about 3 suffice, since directions have unit variance."""
_CLOSE = 0.1
"""Size of the last step, in standard deviations: the next Newton step would be about 0.01, too
small to affect the weights of draws."""


@dataclass(frozen=True)
class Shifts:
    """Posterior draws at the modes of their shifts, and the Laplace approximations there.

    Attributes
    ----------
    centred
        Draws moved to the mode, dims (sample, ...).
    moves
        Change of each variable for a shift of one standard deviation, (sample, shift, ...).
    directions
        Directions of the shifts.
    old
        Fitted scores, at the original draws.
    mode, factor
        A shift is mode + factor u for u of unit variance; (sample, shift) and
        (sample, shift, shift).
    """

    centred: xr.Dataset
    moves: xr.Dataset
    directions: Directions
    old: FittedScores
    mode: Floats
    factor: Floats

    def log_correction(self, index: npt.NDArray[np.int64], u: Floats) -> Floats:
        """Return log importance weights of shifts drawn from the Gaussian, on chosen draws.

        The ratio of target density (prior times likelihood of the old scores) to Gaussian density
        at `u`, divided by the same ratio at the original draw, which is a draw from the target.

        Parameters
        ----------
        index
            Posterior draw of each sample.
        u
            Shifts in standard deviations from the mode, (len(index), shift).
        """
        mode, factor = self.mode[index], self.factor[index]
        shift = mode + (factor @ u[..., None])[..., 0]
        back = np.linalg.solve(factor, mode[..., None])[..., 0]
        slope, bend = self.directions.slope[index], self.directions.bend[index]
        old = self.old.problem.at(index)
        changed = (self.directions.old[index] @ shift[..., None])[..., 0]
        there = old.log_likelihood(old.offset + changed).sum(axis=-1)
        likelihood = there - self.old.density.sum(axis=-1)[index]
        prior = -(slope * shift).sum(axis=1) - np.einsum("sc,scd,sd->s", shift, bend, shift) / 2
        gaussian = ((back**2).sum(axis=1) - (u**2).sum(axis=1)) / 2
        return np.asarray(likelihood + prior - gaussian)


def shifts_for(
    fit: Fit,
    draws: xr.Dataset,
    group: Group,
    fitted: Callable[[], FittedScores] | None = None,
) -> Shifts | None:
    """Return the shifts for new scores.

    None if there would be too many, or if scores and priors do not identify them on every draw, as
    at flat ends of curves.

    Parameters
    ----------
    fit
        A fit.
    draws
        Its draws with floors, dims (sample, ...).
    group
        All rows with new scores, from `joined_group`.
    fitted
        Returns the fitted scores on these draws; by default they are computed.
    """
    if len(group.score) > _MOST_SHIFTS:
        return None
    effects = shared_effects(fit, draws, group.rows)
    if effects is None or effects.size > _MOST_EFFECTS:
        return None
    single = len(fit.scores.models) * (effects.loading.shape[2] + effects.member.shape[1])
    numbers = len(group.score) * (effects.size + single + 2 * fit.scores.n_observed)
    if numbers * draws.sizes[SAMPLE] > _MOST_NUMBERS:
        return None
    old = fitted_scores(fit, draws) if fitted is None else fitted()
    cells = _cells(fit, group, old, effects.of_rows)
    made = _in_blocks(effects, cells, draws)
    try:
        mode, factor = _gaussian(old, made)
    except np.linalg.LinAlgError:
        return None
    mean = {n: _times(made.moves[n], mode[:, :, None]) for n in made.moves.data_vars}
    moves = {n: _times(made.moves[n], factor) for n in made.moves.data_vars}
    centred = draws.assign({n: draws[n] + change.isel({SHIFT: 0}) for n, change in mean.items()})
    return Shifts(centred, xr.Dataset(moves), made, old, mode, factor)


def _cells(fit: Fit, group: Group, old: FittedScores, of_rows: Floats) -> Cells:
    """Return the indices of old and new scores, and the weights of the old ones.

    New scores on one benchmark whose rows have the same coefficients of the shared effects
    (`of_rows`), such as settings of a release, share one direction: that of the first.
    """
    count = len(old.curvature)
    some = np.unique(np.linspace(0, count - 1, min(count, _FOR_AVERAGES)).round().astype(int))
    curvature = np.maximum(old.curvature[some], 0.0)
    data = fit.scores.dataset
    models, benchmarks = data.get_index(MODEL), data.get_index(BENCHMARK)
    rows = group.rows.get_index(MODEL)
    new_row = rows.get_indexer(group.model_of_cell)
    new_benchmark = benchmarks.get_indexer(group.benchmark_of_cell)
    taken = np.column_stack([new_benchmark, of_rows[new_row]])
    first = np.sort(np.unique(taken, axis=0, return_index=True)[1])
    return Cells(
        model=models.get_indexer(old.group.model_of_cell),
        benchmark=benchmarks.get_indexer(old.group.benchmark_of_cell),
        weight=np.maximum(curvature.mean(axis=0), _LEAST_WEIGHT),
        new_row=new_row[first],
        new_benchmark=new_benchmark[first],
        kept=np.isin(models, rows),
    )


def _in_blocks(effects: SharedEffects, cells: Cells, draws: xr.Dataset) -> Directions:
    """Return the directions on all draws."""
    _, width, skills = effects.loading.shape
    per_model = np.bincount(cells.model, minlength=len(effects.factors))
    each = int((per_model**2).sum()) + len(per_model) * width * skills + width**2
    each += effects.size * len(cells.new_row) * skills
    division = division_of(effects)
    each += division.numbers(effects)
    blocks = [
        directions(effects.at(some), division, cells, draws)
        for some in parts(draws.sizes[SAMPLE], each, _BLOCK)
    ]
    return Directions(
        xr.concat([block.moves for block in blocks], dim=SAMPLE),
        *(
            np.concatenate([getattr(block, name) for block in blocks])
            for name in ("old", "slope", "bend")
        ),
    )


def _gaussian(old: FittedScores, made: Directions) -> tuple[Floats, Floats]:
    """Return the mode of the shifts on every draw, and a factor of their covariance there."""
    shift = np.zeros_like(made.slope)
    transposed = made.old.swapaxes(1, 2)
    slope, curvature = old.slope, old.curvature
    for number in range(_NEWTON_STEPS):
        if number:
            changed = old.problem.offset + (made.old @ shift[..., None])[..., 0]
            slope, curvature = slope_and_curvature(old.problem, changed)
        hessian = made.bend + transposed @ (np.maximum(curvature, 0.0)[..., None] * made.old)
        gradient = (transposed @ slope[..., None] - made.bend @ shift[..., None])[..., 0]
        step = np.linalg.solve(hessian, (gradient - made.slope)[..., None])[..., 0]
        shift = shift + step
        if np.sqrt(np.mean(step**2)) < _CLOSE:
            break
    return shift, np.linalg.inv(np.linalg.cholesky(hessian)).swapaxes(1, 2)


def _times(moves: xr.DataArray, factor: Floats) -> xr.DataArray:
    """Return moves (sample, shift, ...) times a factor (sample, shift, other)."""
    flat = moves.values.reshape(*moves.shape[:2], -1)
    product = factor.swapaxes(1, 2) @ flat
    shape = (len(flat), factor.shape[2], *moves.shape[2:])
    coords = {d: moves[d].values for d in moves.dims[2:] if d in moves.coords}
    return xr.DataArray(product.reshape(shape), coords, moves.dims)
