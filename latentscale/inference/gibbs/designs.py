"""Designs: how each normal effect acts on skills or predictors, from its term's equation.

The equation is evaluated at unit vectors of the effect, and then once at arbitrary values to check
that it is linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, MODEL, SAMPLE, SKILL
from latentscale.errors import FitError
from latentscale.maths import on_draws
from latentscale.model.design import Design
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.rows import coordinates_of, rows_of, with_families, with_levels
from latentscale.model.terms.base import Rows, Term, known_of

_CHUNK = 64  # unit vectors at a time: a table of 2,000 x 50 then takes 50 MB
_LINEAR = 1e-9  # relative: rounding of sums over thousands of levels is far below this


@dataclass(frozen=True)
class Designed:
    """An effect and its design.

    Attributes
    ----------
    term, effect
        Its origin.
    shape
        Sizes of its dims.
    on_skills
        Whether it acts on skills, each with its own coefficients.
    values
        Factors of its levels, without dims in which every model, benchmark or skill has its own
        coefficient: shape (model, level) for skills, otherwise (model, benchmark, level).
    """

    term: Term
    effect: NormalEffect
    shape: dict[str, int]
    on_skills: bool
    values: np.ndarray

    @property
    def levels(self) -> tuple[str, ...]:
        """Dims of its levels: all except model, benchmark and skill."""
        return tuple(d for d in self.effect.dims if d not in (MODEL, BENCHMARK, SKILL))


def labels_of(spec: ModelSpec, design: Design, effects: list[NormalEffect]) -> dict[str, Any]:
    """Return the coordinates of all dims."""
    labels: dict[str, Any] = dict(coordinates_of(spec, design))
    for effect in effects:
        labels |= dict(effect.labels)
    return labels


def rows_of_design(spec: ModelSpec, design: Design) -> Rows[xr.DataArray]:
    """Return the fitted models as rows for the equations."""
    table = design.scores.dataset
    rows = rows_of(spec, design.x, table)
    rows = with_levels(rows, design.transform, table, design.transform.levels)
    return with_families(rows, list(table["family"].values), design.families)


def designed(spec: ModelSpec, design: Design, term: Term, labels: dict[str, Any]) -> list[Designed]:
    """Return the effects of a term with their designs.

    Raises
    ------
    FitError
        If the term is not linear in them, as `NormalEffect` requires.
    """
    effects = term.normal_effects(spec, design) or ()
    known = known_of(spec, design.scores.dataset)
    rows = rows_of_design(spec, design)
    zeros = {e.variable: _array(np.zeros(_shape(e, labels)), e.dims, labels) for e in effects}

    def evaluated(effect: NormalEffect, value: xr.DataArray) -> xr.DataArray:
        values = {**known, **zeros, effect.variable: value}
        skill = term.skill(values, rows)
        added = term.predictor(values, rows, None) if skill is None else skill
        if added is None:
            raise FitError(f'The term "{term.kind}" adds nothing through "{effect.variable}".')
        return on_draws(added)

    return [_designed(term, effect, labels, evaluated) for effect in effects]


def _designed(term: Term, effect: NormalEffect, labels: dict[str, Any], evaluated: Any) -> Designed:
    shape = dict(zip(effect.dims, _shape(effect, labels), strict=True))
    levels = [d for d in effect.dims if d not in (MODEL, BENCHMARK, SKILL)]
    on_skills = SKILL in effect.dims
    wanted = (MODEL,) if on_skills else (MODEL, BENCHMARK)
    full = {d: len(labels[d]) for d in wanted}
    units = list(product(*(range(shape[d]) for d in levels)))
    parts = []
    for first in range(0, len(units), _CHUNK):
        chunk = units[first : first + _CHUNK]
        unit = np.zeros((len(chunk), *shape.values()))
        for place, at in enumerate(chunk):
            index = tuple(at[levels.index(d)] if d in levels else slice(None) for d in shape)
            unit[(place, *index)] = 1.0
        added = evaluated(effect, _array(unit, (SAMPLE, *shape), labels))
        if on_skills:
            added = added.isel({SKILL: 0})
        parts.append(_spread(added, {SAMPLE: len(chunk), **full}))
    values = np.moveaxis(np.concatenate(parts), 0, -1)
    made = Designed(term, effect, shape, on_skills, np.ascontiguousarray(values))
    _check_linear(made, labels, evaluated)
    return made


def _check_linear(made: Designed, labels: dict[str, Any], evaluated: Any) -> None:
    """Raise FitError if the equation at arbitrary values does not equal design times values."""
    effect = made.effect
    value = np.random.default_rng(0).standard_normal(tuple(made.shape.values()))
    array = _array(value, tuple(made.shape), labels)
    names = [MODEL, SKILL] if made.on_skills else [MODEL, BENCHMARK]
    added = _spread(evaluated(effect, array), {d: len(labels[d]) for d in names})
    design_dims = (MODEL, *made.levels) if made.on_skills else (MODEL, BENCHMARK, *made.levels)
    shape = (*made.values.shape[:-1], *(made.shape[d] for d in made.levels))
    factors = xr.DataArray(made.values.reshape(shape), dims=design_dims)
    plain = xr.DataArray(value, dims=tuple(made.shape))
    wanted = (factors * plain).sum(list(made.levels)) if made.levels else factors * plain
    size = np.abs(added).max() + 1.0
    if np.abs(added - wanted.transpose(*names).values).max() > _LINEAR * size:
        raise FitError(
            f'Gibbs cannot draw under the term "{made.term.kind}": its contribution is not linear '
            f'in its variable "{effect.variable}". Use NUTS().'
        )


def _shape(effect: NormalEffect, labels: dict[str, Any]) -> tuple[int, ...]:
    return tuple(len(labels[d]) for d in effect.dims)


def _array(values: np.ndarray, dims: tuple[str, ...], labels: dict[str, Any]) -> xr.DataArray:
    """Return an array with labels on its dims, which equations may read."""
    coords = {d: list(labels[d]) for d in dims if d != SAMPLE}
    return xr.DataArray(values, coords, dims)


def _spread(values: xr.DataArray, sizes: dict[str, int]) -> np.ndarray:
    """Return values with exactly these dims, repeated along missing ones."""
    bare = values.drop_vars(list(values.coords))
    missing = {d: n for d, n in sizes.items() if d not in bare.dims}
    return np.asarray(bare.expand_dims(missing).transpose(*sizes).values, dtype=float)
