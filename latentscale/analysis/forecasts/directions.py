"""Directions: in which new scores move the effects that all models share.

The posterior draws of intercepts, trends, effects of lineages, families and single models reflect
the fitted scores alone. Where these say little about a new model (its date is after the last fitted
one, or its benchmarks have few scores), the draws vary by much more than the new scores allow, and
importance weights degenerate. Each draw is therefore moved along one direction per new score with
a distinct linear predictor. Of all changes with a given effect on the new predictors, the direction
has the highest density under the prior and the linearised likelihood of the old scores. The rest of
the draw is held fixed; conditional on it, the density of a shift is prior times likelihood of the
old scores, a problem of few dimensions.

The method is valid for any directions that do not depend on the draw's position along them; good
directions make the weights nearly equal. The curvatures of the old scores are therefore averages
over draws, and correlated residuals of settings of one release are treated as independent here; the
prior density of a shift includes their correlation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.elimination import Division, OldScores, solved
from latentscale.analysis.forecasts.moves import SHIFT
from latentscale.analysis.forecasts.shared_effects import SharedEffects
from latentscale.dims import BENCHMARK, MODEL, SAMPLE, SKILL
from latentscale.model.release_share import times_inverse_correlation

Floats = npt.NDArray[np.float64]
_SAME_DIRECTION = 1e-8
"""Relative jitter on variances: keeps the covariance of collinear predictors positive definite."""


@dataclass(frozen=True)
class Directions:
    """Directions of all effects on every draw, of about unit variance given the old scores.

    Attributes
    ----------
    moves
        Changes by variable, dims (sample, shift, ...).
    old
        Changes of the old scores' linear predictors, (sample, cell, shift).
    slope, bend
        Log prior density of a shift d, up to a constant: -slope d - d' bend d / 2;
        (sample, shift) and (sample, shift, shift).
    """

    moves: xr.Dataset
    old: Floats
    slope: Floats
    bend: Floats


@dataclass(frozen=True)
class Cells:
    """Indices of old and new scores.

    Attributes
    ----------
    model, benchmark
        Fitted model and benchmark of each old score.
    weight
        Average negative curvature of its log density in its linear predictor.
    new_row, new_benchmark
        Row and benchmark of each new score that has a direction.
    kept
        Whether a fitted model's own effects are held fixed, by model.
    """

    model: npt.NDArray[np.int64]
    benchmark: npt.NDArray[np.int64]
    weight: Floats
    new_row: npt.NDArray[np.int64]
    new_benchmark: npt.NDArray[np.int64]
    kept: npt.NDArray[np.bool_]


def directions(
    effects: SharedEffects, division: Division, cells: Cells, draws: xr.Dataset
) -> Directions:
    """Return the directions on every draw of `effects`; `draws` gives names and dims."""
    given_old = _GivenOldScores(effects, cells)
    columns = given_old.columns(division)
    own = given_old.own_effects(columns)
    slope, bend = _prior(effects, columns, own)
    return Directions(_named(effects, columns, own, draws), own.old, slope, bend)


@dataclass(frozen=True)
class _Columns:
    """Changes of intercepts (sample, benchmark, shift) and levels (sample, level, skill, shift)."""

    intercept: Floats
    level: Floats


@dataclass(frozen=True)
class _Own:
    """Changes of single models' effects and of the old scores' predictors, (sample, ..., shift).

    `pulls` are changes divided by prior variances; they stay finite where a variance is 0.
    """

    residual: Floats
    residual_pulls: Floats
    grouped: Floats
    grouped_pulls: Floats
    old: Floats


class _GivenOldScores:
    """Conditional posterior of shared effects given old scores, models' effects integrated out."""

    def __init__(self, effects: SharedEffects, cells: Cells) -> None:
        self._effects, self._cells = effects, cells
        count = len(effects.factors)
        self._of_model = [np.flatnonzero(cells.model == model) for model in range(count)]
        self._inverse: list[Floats] = [self._inverse_of(model) for model in range(count)]

    def _inverse_of(self, model: int) -> Floats:
        """Return the precision of a model's working responses given the shared effects."""
        e, here = self._effects, self._of_model[model]
        at = self._cells.benchmark[here]
        covariance = np.zeros((len(e.loading), len(here), len(here)))
        covariance += np.diag(1 / self._cells.weight[here])
        if not self._cells.kept[model]:
            if e.residual is not None:
                load = e.loading[:, at]
                covariance += (load * e.residual[2][:, None] ** 2) @ load.swapaxes(1, 2)
            if e.grouped is not None:
                member = e.member[at]
                covariance += (member * e.grouped[2][:, None] ** 2) @ member.T
        return np.linalg.inv(covariance)

    def columns(self, division: Division) -> _Columns:
        """Return changes of shared effects, of unit variance given the old scores."""
        e = self._effects
        draws, width, skills = e.loading.shape
        shifts = len(self._cells.new_row)
        wanted, held = self._wanted(), self._held()
        solution = solved(e, division, self._old_scores(), np.concatenate([wanted, held], axis=2))
        moved = solution[..., :shifts]
        if held.shape[2]:
            of_sums, transposed = solution[..., shifts:], held.swapaxes(1, 2)
            moved = moved - of_sums @ np.linalg.solve(transposed @ of_sums, transposed @ moved)
        variance = wanted.swapaxes(1, 2) @ moved
        corner = np.arange(shifts)
        variance[:, corner, corner] *= 1 + _SAME_DIRECTION
        unit = np.linalg.solve(np.linalg.cholesky(variance), moved.swapaxes(1, 2)).swapaxes(1, 2)
        first = 0 if e.intercept is None else width
        intercept = np.zeros((draws, width, shifts))
        intercept[:, :first] = unit[:, :first]
        level = unit[:, first:].reshape(draws, skills, -1, shifts).swapaxes(1, 2)
        return _Columns(intercept, level)

    def _old_scores(self) -> OldScores:
        """Return the information of the old scores on skills, on intercepts, and between them."""
        e = self._effects
        draws, width, skills = e.loading.shape
        models = len(e.factors)
        core = np.zeros((draws, skills, skills, models))
        cross = np.zeros((draws, skills, models, width))
        block = np.zeros((draws, width, width))
        for model, here in enumerate(self._of_model):
            at = self._cells.benchmark[here]
            seen = self._inverse[model] @ e.loading[:, at]
            core[..., model] = e.loading[:, at].swapaxes(1, 2) @ seen
            cross[:, :, model, at] = seen.swapaxes(1, 2)
            block[:, at[:, None], at] += self._inverse[model]
        return OldScores(core, cross, block)

    def _wanted(self) -> Floats:
        """Return coefficients of the effects in the new predictors, (sample, effect, shift)."""
        e, c = self._effects, self._cells
        draws, width, _ = e.loading.shape
        load = e.loading[:, c.new_benchmark]
        both = np.einsum("cl,sck->sklc", e.of_rows[c.new_row], load)
        levels = both.reshape(draws, -1, len(c.new_row))
        if e.intercept is None:
            return levels
        intercepts = np.zeros((draws, width, len(c.new_row)))
        intercepts[:, c.new_benchmark, np.arange(len(c.new_row))] = 1.0
        return np.concatenate([intercepts, levels], axis=1)

    def _held(self) -> Floats:
        """Return the sum-to-zero constraints on levels, skill by skill, (sample, effect, sum)."""
        e = self._effects
        draws, width, skills = e.loading.shape
        levels = e.factors.shape[1]
        first = 0 if e.intercept is None else width
        if e.sums is None:
            return np.zeros((draws, first + levels * skills, 0))
        each = np.einsum("shl,kj->sklhj", e.sums, np.eye(skills))
        flat = each.reshape(draws, levels * skills, -1)
        return np.pad(flat, ((0, 0), (first, 0), (0, 0)))

    def own_effects(self, columns: _Columns) -> _Own:
        """Return the changes of single models' effects and of the old scores' predictors.

        Given the change of the shared effects, models' effects move to their conditional mean.
        """
        e = self._effects
        draws, _, skills = e.loading.shape
        models, shifts = len(e.factors), columns.intercept.shape[-1]
        groups = e.member.shape[1]
        moved = np.einsum("ml,slkd->smkd", e.factors, columns.level, optimize=True)
        pulls = np.zeros((draws, models, skills, shifts))
        of_groups = np.zeros((draws, models, groups, shifts))
        old = np.zeros((draws, len(self._cells.model), shifts))
        for model, here in enumerate(self._of_model):
            at = self._cells.benchmark[here]
            load = e.loading[:, at]
            pushed = columns.intercept[:, at] + load @ moved[:, model]
            answer = self._inverse[model] @ pushed
            old[:, here] = answer / self._cells.weight[here, None]
            if self._cells.kept[model]:
                continue
            pulls[:, model] = -load.swapaxes(1, 2) @ answer
            of_groups[:, model] = -e.member[at].T @ answer
        residual = pulls * (0 if e.residual is None else e.residual[2][:, None, :, None] ** 2)
        grouped = of_groups * (0 if e.grouped is None else e.grouped[2][:, None, :, None] ** 2)
        return _Own(residual, pulls, grouped, of_groups, old)


def _prior(e: SharedEffects, columns: _Columns, own: _Own) -> tuple[Floats, Floats]:
    """Return gradient (at 0) and Hessian of the negative log prior density in the shifts."""
    level = e.precision[..., None] * columns.level
    for row, column, value in e.ties:
        level[:, row] += value[..., None] * columns.level[:, column]
        level[:, column] += value[..., None] * columns.level[:, row]
    slope = np.einsum("slk,slkd->sd", e.value, level)
    bend = np.einsum("slkc,slkd->scd", columns.level, level, optimize=True)
    if e.intercept is not None and e.intercept_precision is not None:
        pull = e.intercept_precision @ columns.intercept
        slope += np.einsum("sb,sbd->sd", e.intercept, pull)
        bend += columns.intercept.swapaxes(1, 2) @ pull
    pulled = own.residual_pulls
    if e.correlation is not None:
        pulled = times_inverse_correlation(pulled, *e.correlation)
    for effect, change, pulls in (
        (e.residual, own.residual, pulled),
        (e.grouped, own.grouped, own.grouped_pulls),
    ):
        if effect is not None:
            slope += np.einsum("smk,smkd->sd", effect[1], pulls, optimize=True)
            bend += np.einsum("smkc,smkd->scd", change, pulls, optimize=True)
    return slope, (bend + bend.swapaxes(1, 2)) / 2


def _named(e: SharedEffects, columns: _Columns, own: _Own, draws: xr.Dataset) -> xr.Dataset:
    """Return the changes by variable, dims (sample, shift, ...)."""
    named = {}

    def put(name: str, array: Floats, dims: tuple[str, ...]) -> None:
        """Add changes (shift last), padded with 0 for levels that were not fitted."""
        sizes = [draws.sizes[dim] for dim in dims]
        full = np.zeros((len(array), array.shape[-1], *sizes))
        moved = np.moveaxis(array, -1, 1)
        full[tuple(slice(size) for size in moved.shape)] = moved
        coords = {dim: draws[dim].values for dim in dims if dim in draws.coords}
        named[name] = xr.DataArray(full, coords, (SAMPLE, SHIFT, *dims))

    if e.intercept is not None:
        put("intercept", columns.intercept, (BENCHMARK,))
    for name, place in e.variables.items():
        level = next(str(d) for d in draws[name].dims if d not in (SAMPLE, SKILL))
        put(name, columns.level[:, place], (level, SKILL))
    if e.residual is not None:
        put(e.residual[0], own.residual, (MODEL, SKILL))
    if e.grouped is not None:
        dim = next(str(d) for d in draws[e.grouped[0]].dims if d not in (SAMPLE, MODEL))
        put(e.grouped[0], own.grouped, (MODEL, dim))
    return xr.Dataset(named)
