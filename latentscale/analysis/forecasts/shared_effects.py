"""Shared effects: effects common to all models in which the equations are linear, on draws.

They are intercepts, slopes, trends, effects of categories, lineages and families. The effects of
single models are kept alongside. The equations stay in the terms; this module collects their
effects as the columns of one design matrix, with their prior precision, for `shifts`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL, SAMPLE, SKILL
from latentscale.maths import on_draws
from latentscale.model.evaluate import NO_RESIDUALS
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.pooling import Pooling, benchmark_groups, group_of_benchmark
from latentscale.model.terms.base import Rows, Term, terms_of
from latentscale.posterior.fit import Fit

Floats = npt.NDArray[np.float64]
_LEAST_SCALE = 1e-6
"""A standard deviation on the skills' scale that is practically zero but has a finite precision."""


@dataclass
class SharedEffects:
    """Effects of all models on posterior draws, with their design matrix and prior precision.

    The first dim of draws is sample. A level is one coefficient (per skill) of an effect on skills.

    Attributes
    ----------
    variables
        The columns of each variable's levels.
    factors
        Coefficient of each level in a fitted model's skills, shape (model, level).
    of_rows
        The same for the forecast rows, shape (row, level).
    value
        Deviations of the levels from their prior means, (sample, level, skill).
    precision
        Diagonal of their prior precision, (sample, level, skill).
    ties
        Its off-diagonal entries: row, column, value (sample, skill).
    sums
        Coefficients of the sums of levels constrained to 0, (sample, sum, level); None without any.
    loading
        (sample, benchmark, skill).
    intercept
        Deviations from their prior mean, (sample, benchmark); None where intercepts do not move.
    intercept_precision
        Their prior precision, (sample, benchmark, benchmark).
    residual
        Variable, values (sample, model, skill) and standard deviations (sample, skill).
    correlation
        Correlation of the residuals within groups of models, (sample,), and the group of each
        model; None where residuals are independent.
    grouped
        As `residual`, for models' effects on groups of benchmarks: (sample, model, group) and
        (sample, group).
    member
        Coefficient of each group's effects on each benchmark, (benchmark, group).
    """

    variables: dict[str, slice]
    factors: Floats
    of_rows: Floats
    value: Floats
    precision: Floats
    loading: Floats
    ties: list[tuple[int, int, Floats]] = field(default_factory=list)
    sums: Floats | None = None
    intercept: Floats | None = None
    intercept_precision: Floats | None = None
    residual: tuple[str, Floats, Floats] | None = None
    correlation: tuple[Floats, npt.NDArray[np.int64]] | None = None
    grouped: tuple[str, Floats, Floats] | None = None
    member: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def size(self) -> int:
        """Number of shared effects."""
        return int(self.loading.shape[1] + self.value.shape[1] * self.value.shape[2])

    def at(self, some: slice) -> SharedEffects:
        """Return the effects on some of the draws."""

        def of(effect: tuple[str, Floats, Floats] | None) -> tuple[str, Floats, Floats] | None:
            return None if effect is None else (effect[0], effect[1][some], effect[2][some])

        return replace(
            self,
            value=self.value[some],
            precision=self.precision[some],
            loading=self.loading[some],
            ties=[(row, column, value[some]) for row, column, value in self.ties],
            sums=None if self.sums is None else self.sums[some],
            intercept=None if self.intercept is None else self.intercept[some],
            intercept_precision=None
            if self.intercept_precision is None
            else self.intercept_precision[some],
            residual=of(self.residual),
            correlation=None
            if self.correlation is None
            else (self.correlation[0][some], self.correlation[1]),
            grouped=of(self.grouped),
        )


def shared_effects(fit: Fit, draws: xr.Dataset, rows: xr.Dataset) -> SharedEffects | None:
    """Return a fit's shared effects, with their coefficients for the fitted and the forecast rows.

    Parameters
    ----------
    fit
        A fit.
    draws
        Its draws, dims (sample, ...).
    rows
        Rows that are forecast, dims (model,).

    Returns
    -------
    None if the spec has no skills, if families' skills are correlated, if values of covariates are
    parameters, or if there are no effects on skills of this kind.
    """
    if "loading" not in draws or "skill_cholesky" in draws:
        return None
    one = draws.isel({SAMPLE: [0]})
    tables = [
        fit.evaluator.at(one, table, residuals=NO_RESIDUALS).rows
        for table in (fit.scores.dataset, _of_fitted_families(draws, rows))
    ]
    if any(SAMPLE in array.dims for at in tables for array in at.covariates.values()):
        return None
    loading = draws["loading"].transpose(SAMPLE, BENCHMARK, SKILL).values
    made = _Gathered(fit, draws, tables, rows)
    for term in terms_of(fit.spec):
        for effect in term.normal_effects(fit.spec, fit.design) or ():
            made.take(term, effect)
    return made.effects(loading)


def _of_fitted_families(draws: xr.Dataset, rows: xr.Dataset) -> xr.Dataset:
    """Return the rows with new families replaced by the first fitted one."""
    if FAMILY not in draws.coords:
        return rows
    known = draws[FAMILY].values
    return rows.assign({FAMILY: rows[FAMILY].where(rows[FAMILY].isin(known), known[0])})


class _Gathered:
    """Effects collected one by one; effects of other forms keep their posterior draws."""

    def __init__(
        self, fit: Fit, draws: xr.Dataset, tables: list[Rows[xr.DataArray]], rows: xr.Dataset
    ) -> None:
        self._fit, self._draws, self._tables, self._rows = fit, draws, tables, rows
        self._columns: list[tuple[str, list[Floats]]] = []
        self._width = 0
        none = np.zeros((0, 0))
        self._rest = SharedEffects({}, none, none, none, none, none)

    def take(self, term: Term, effect: NormalEffect) -> None:
        """Add an effect if it has one of the forms handled here."""
        if effect.variable not in self._draws or effect.correlated:
            return
        if effect.dims == (BENCHMARK,) and effect.variable == "intercept":
            self._intercepts(effect)
        elif effect.dims == (MODEL, SKILL) and effect.scale is not None:
            each = self._draws[effect.scale.name] + xr.zeros_like(self._draws[SKILL], dtype=float)
            scale = each.transpose(SAMPLE, SKILL).values
            self._rest.residual = (effect.variable, self._values(effect), scale)
            among = effect.equal_correlation
            if among is not None:
                self._rest.correlation = (self._draws[among.share].values, among.index)
        elif effect.dims[0] == MODEL and len(effect.dims) == 2 and effect.scale is not None:
            self._groups(term, effect)
        elif effect.dims == (FAMILY, SKILL):
            self._families(term, effect)
        elif len(effect.dims) == 2 and effect.dims[1] == SKILL and MODEL not in effect.dims:
            self._levels(term, effect)

    def effects(self, loading: Floats) -> SharedEffects | None:
        """Return the effects added so far; None if none is on skills."""
        if not self._columns:
            return None
        made = self._rest
        made.loading = loading
        if made.grouped is None:
            made.member = np.zeros((loading.shape[1], 0))
        first = 0
        for name, arrays in self._columns:
            made.variables[name] = slice(first, first + arrays[0].shape[1])
            first = made.variables[name].stop
        joined = zip(*(arrays for _, arrays in self._columns), strict=True)
        made.factors, made.of_rows, made.value, made.precision = (
            np.concatenate(parts, axis=1) for parts in joined
        )
        if made.sums is not None:
            made.sums = np.pad(made.sums, ((0, 0), (0, 0), (0, first - made.sums.shape[2])))
        return made

    def _values(self, effect: NormalEffect) -> Floats:
        return np.asarray(self._draws[effect.variable].transpose(SAMPLE, *effect.dims).values)

    def _deviation(self, effect: NormalEffect, value: Floats) -> tuple[Floats, Floats] | None:
        """Return deviations of levels from their prior mean, and prior standard deviations."""
        if effect.prior is not None:
            prior = self._fit.spec.prior(effect.prior)
            if prior.dist != "Normal" or prior.mu is None or prior.sigma is None:
                return None
            return value - prior.mu, np.full_like(value, prior.sigma)
        if effect.scale is None or effect.scale.switched_on is not None:
            return None
        scale = self._draws[effect.scale.name].transpose(SAMPLE, *effect.scale.dims).values
        for dim, (_, index) in effect.scale.owners.items():
            scale = np.take(scale, index, axis=1 + effect.scale.dims.index(dim))
        if SKILL not in effect.scale.dims:
            scale = scale[..., None]  # the same for all skills
        if scale.ndim == 2:
            scale = scale[:, None]
        return value, np.broadcast_to(scale * effect.scale.times, value.shape)

    def _levels(self, term: Term, effect: NormalEffect) -> None:
        value = self._values(effect)
        # Levels that were not fitted come last and keep their draws.
        fitted = self._fitted_levels(effect, value.shape[1])
        found = self._deviation(effect, value[:, :fitted])
        if found is None:
            return
        first = self._width
        self._add(effect.variable, self._factors(term, effect, fitted), *found)
        if effect.centred is not None:
            self._sum_to_zero(first, np.ones((len(value), fitted)))

    def _fitted_levels(self, effect: NormalEffect, count: int) -> int:
        """Return how many of the levels among the draws were fitted."""
        if effect.dims[0] in effect.labels:
            return len(effect.labels[effect.dims[0]])
        owners = effect.scale.owners.values() if effect.scale is not None else ()
        return next((len(index) for _, index in owners), count)

    def _add(self, name: str, factors: list[Floats], away: Floats, scale: Floats) -> None:
        precision = 1 / np.maximum(scale, _LEAST_SCALE) ** 2
        self._columns.append((name, [*factors, away, precision]))
        self._width += away.shape[1]

    def _factors(self, term: Term, effect: NormalEffect, count: int) -> list[Floats]:
        """Return coefficients of the first levels in models' skills, (model, level), by table."""
        sizes = [self._draws.sizes[dim] for dim in effect.dims]
        unit = np.zeros((count, *sizes))
        unit[np.arange(count), np.arange(count)] = 1.0
        coords = {d: self._draws[d].values for d in effect.dims if d in self._draws.coords}
        every = {e.variable for e in term.normal_effects(self._fit.spec, self._fit.design) or ()}
        draw = self._draws.isel({SAMPLE: 0}, drop=True)
        values = {name: 0.0 * draw[name] for name in every if name in draw}
        values[effect.variable] = xr.DataArray(unit, coords, (SAMPLE, *effect.dims))
        return [
            _spread(term.skill(values, rows), (MODEL, SAMPLE), {MODEL: _count(rows), SAMPLE: count})
            for rows in self._tables
        ]

    def _families(self, term: Term, effect: NormalEffect) -> None:
        value = self._values(effect)
        factors = self._factors(term, effect, value.shape[1])
        families = [str(name) for name in self._draws[FAMILY].values]
        row_families = [str(name) for name in self._rows[FAMILY].values]
        # `_of_fitted_families` replaced new families by the first one: drop its effect there.
        factors[1] = factors[1] * np.isin(row_families, families)[:, None]
        spread = np.ones((len(value), 1, value.shape[2]))
        if effect.scale is not None:
            spread = self._draws[effect.scale.name].transpose(SAMPLE, SKILL).values[:, None]
        nesting = effect.nesting
        if nesting is None:
            found = (
                (value, np.broadcast_to(spread, value.shape))
                if effect.prior is None
                else self._deviation(effect, value)
            )
            if found is None:
                return
            first = self._width
            self._add(effect.variable, factors, *found)
            if effect.centred is not None:
                self._sum_to_zero(first, np.ones((len(value), value.shape[1])))
            return
        lineages = [str(name) for name in self._draws[LINEAGE].values]
        index = np.asarray(nesting.index)
        share = self._draws[nesting.share].values[:, None, None]
        count = np.bincount(index, minlength=len(lineages))
        first = self._width
        new = np.array([str(v) for v in self._rows[LINEAGE].values])[:, None]
        of_lineages = (new == np.array(lineages)) & ~np.isin(row_families, families)[:, None]
        none = np.zeros((len(self._fit.scores.models), len(lineages)))
        level = np.asarray(self._draws[nesting.variable].transpose(SAMPLE, LINEAGE, SKILL).values)
        inside = 1 / np.maximum((1 - share) * spread**2, _LEAST_SCALE**2)
        between = 1 / np.maximum(share * spread**2, _LEAST_SCALE**2)
        tied = between + count[:, None] * inside
        own = np.broadcast_to(inside, value.shape)
        of_lineages = of_lineages.astype(float)
        self._columns.append((nesting.variable, [none, of_lineages, level, tied]))
        self._columns.append((effect.variable, [*factors, value, own]))
        self._width += len(lineages) + value.shape[1]
        for family, lineage in enumerate(index):
            place = first + len(lineages) + family
            self._rest.ties.append((first + int(lineage), place, -inside[:, 0]))
        if effect.centred is not None:
            along = np.sqrt(share[:, 0] + (1 - share[:, 0]) / count)
            weights = (1 / (along * count))[:, index]
            self._sum_to_zero(first + len(lineages), weights)

    def _sum_to_zero(self, first: int, weights: Floats) -> None:
        """Add a sum-to-zero constraint on levels from `first` on, weights (sample, level)."""
        before = self._rest.sums
        if before is None:
            before = np.zeros((len(weights), 0, 0))
        width = max(first + weights.shape[1], before.shape[2])
        own = np.pad(weights, ((0, 0), (first, width - first - weights.shape[1])))[:, None]
        before = np.pad(before, ((0, 0), (0, 0), (0, width - before.shape[2])))
        self._rest.sums = np.concatenate([before, own], axis=1)

    def _intercepts(self, effect: NormalEffect) -> None:
        value = self._values(effect)
        width = value.shape[1]
        if effect.prior is not None:
            found = self._deviation(effect, value)
            if found is None:
                return
            away, scale = found
            precision = np.eye(width) / scale[:, None] ** 2
        elif effect.pooling is not None:
            away, precision = self._pooled(effect.pooling, value)
        else:
            return
        self._rest.intercept, self._rest.intercept_precision = away, precision

    def _pooled(self, pooling: Pooling, value: Floats) -> tuple[Floats, Floats]:
        """Return deviations from the mean, and the precision with group means integrated out."""
        table, name = self._fit.scores.dataset, pooling.name
        away = value - self._draws[f"{name}_mean"].values[:, None]
        variance = self._draws[f"{name}_spread"].values[:, None, None] ** 2
        precision = np.eye(value.shape[1]) / variance
        groups = benchmark_groups(table)
        if groups:
            own = np.array(group_of_benchmark(table))[:, None] == np.array(groups)
            between = self._draws[f"{name}_group_spread"].values[:, None] ** 2
            factor = between / (variance[:, 0] + own.sum(axis=0) * between)
            precision = precision - ((own * factor[:, None]) @ own.T.astype(float)) / variance
        return away, precision

    def _groups(self, term: Term, effect: NormalEffect) -> None:
        dim = effect.dims[1]
        scale = effect.scale
        if scale is None or scale.dims != (dim,) or dim not in self._draws.coords:
            return
        labels = self._draws[dim].values
        unit = np.repeat(np.eye(len(labels))[:, None], _count(self._tables[0]), axis=1)
        coords = {dim: labels, MODEL: self._tables[0].instruct[MODEL].values}
        values = {
            **self._fit.evaluator.known,
            effect.variable: xr.DataArray(unit, coords, (SAMPLE, MODEL, dim)),
        }
        added = term.predictor(values, self._tables[0], None)
        sizes = {BENCHMARK: self._draws.sizes[BENCHMARK], SAMPLE: len(labels)}
        first = None if added is None else on_draws(added).isel({MODEL: 0})
        self._rest.member = _spread(first, (BENCHMARK, SAMPLE), sizes)
        spread = self._draws[scale.name].transpose(SAMPLE, dim).values * scale.times
        self._rest.grouped = (effect.variable, self._values(effect), spread)


def _count(rows: Rows[xr.DataArray]) -> int:
    return int(rows.instruct.sizes[MODEL])


def _spread(value: object, dims: tuple[str, ...], sizes: dict[str, int]) -> Floats:
    """Return an array with these dims; its first skill only, if it has skills."""
    array = on_draws(value)  # type: ignore[arg-type]
    if SKILL in array.dims:
        array = array.isel({SKILL: 0})
    bare = array.drop_vars(list(array.coords))
    missing = {d: n for d, n in sizes.items() if d not in bare.dims}
    return np.asarray(bare.expand_dims(missing).transpose(*dims).values, dtype=float)
