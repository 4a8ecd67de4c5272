"""Centring: coordinates in which models' skills and pooled benchmarks' parameters move.

A skill that many scores pin down is coded as a family's level, slopes, a trend and a standardised
residual; a benchmark's intercept, loadings and precision as their population's mean plus its
spread times standard normals. Each part must then take all others along, and steps are as short
as the scores are sharp. Here a sampler moves the skill, the intercept or the loading itself where
there are many scores, the standard normal where there are few, and what lies between elsewhere.
A benchmark that only strong models were measured on says little of its intercept, the predictor of
a model of skill 0, without its loading: there the predictor at the mean skill of its own models
moves in the intercept's place, which a shift of all skills leaves as it is.
The density is that of the same model: a change of variables with its Jacobian.

Papaspiliopoulos, Roberts and Skold 2007, "A general framework for the parametrization of
hierarchical models", section 4.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pymc as pm

from latentscale.declare.prior import POSITIVE
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, MODEL, SKILL
from latentscale.engine.coordinate import Coordinate
from latentscale.maths import Named, as_data, maths_of
from latentscale.model.design import Design
from latentscale.model.equations import latent_skill, linear_predictor
from latentscale.model.pooling import Pooling
from latentscale.model.terms.base import terms_of
from latentscale.model.terms.intercept import INTERCEPT, Intercept
from latentscale.model.terms.residual import Residual
from latentscale.model.undisclosed import rows_in_graph

_HALF = 2.0
"""Scores with which a coordinate is half centred. A score says about as much of a loading or of
a skill as half its prior does on the tables of closed models."""
_RESIDUAL_SCALE = 0.3
"""Scale of residuals at which `_HALF` scores centre one half: the sd of the scale's first prior."""


def can_be_moved(spec: ModelSpec) -> bool:
    """Return whether benchmarks are pooled, so that there is a hierarchy to centre."""
    return spec.benchmarks.pooled


def centred_coordinates(spec: ModelSpec, design: Design, model: pm.Model) -> tuple[Coordinate, ...]:
    """Return what a sampler moves in place of the standard normals of residuals and benchmarks.

    Parameters
    ----------
    spec, design
        A spec that `can_be_moved`, and its table.
    model
        What `build_design` made of them.
    """
    known: dict[str, Any] = dict(model.named_vars)
    for term in terms_of(spec):
        known |= term.fixed(design)
    by_benchmark = _share(design.benchmark_of_cell, len(design.scores.benchmarks), BENCHMARK)
    poolings = [pooling for term in terms_of(spec) for pooling in term.poolings()]
    family = as_data(design.family_of_model, (MODEL,))
    rows = replace(rows_in_graph(spec, design, known), family=family)
    coordinates = [
        _pooled(pooling, known, design, by_benchmark, spec)
        for pooling in poolings
        if pooling.name != INTERCEPT
    ]
    if any(isinstance(term, Residual) for term in terms_of(spec)):
        curve = latent_skill(spec, known, rows, lambda term: not isinstance(term, Residual))
        scale = known["residual_scale"]
        by_model = _share_at(scale, design.model_of_cell, len(design.scores.models))
        middle = 0.0 * scale if curve is None else curve
        coordinates.append(_moved(known["residual_raw"], middle, scale, by_model))
    skill = latent_skill(spec, known, rows)
    # Last: intercepts move with loadings and skills, which are moved themselves.
    coordinates += [
        _pooled(pooling, known, design, by_benchmark, spec, skill)
        for pooling in poolings
        if pooling.name == INTERCEPT
    ]
    return tuple(coordinates)


def _share(of_cell: np.ndarray, count: int, dim: str) -> Named:
    """Return how far each model or benchmark is centred, between 0 and 1, by its scores."""
    scores = np.bincount(of_cell, minlength=count)
    return as_data(scores / (scores + _HALF), (dim,))


def _share_at(scale: Named, of_cell: np.ndarray, count: int) -> Named:
    """Return how far each model's residual is centred where its population has this scale.

    n scores of a residual that has scale s shrink its variance by n s^2 / (n s^2 + noise). So a
    skill whose scale is near 0 keeps its standard normals: scores say nothing of them, and centred
    they would form a funnel. A share may depend on the scale, which is a coordinate of its own.
    """
    scores = as_data(np.bincount(of_cell, minlength=count).astype(float), (MODEL,))
    said = scores * (scale / _RESIDUAL_SCALE) ** 2
    return said / (said + _HALF)


def _at_mean_skill(skill: Named, known: dict[str, Any], design: Design) -> Named:
    """Return what loadings add to the predictor at the mean skill of each benchmark's models."""
    weight: Any = as_data(_shares(design), (BENCHMARK, MODEL))
    return (known["loading"] * weight.dot(skill, dim=MODEL)).sum(SKILL)


def _shares(design: Design) -> np.ndarray:
    """Return weights whose sum over models is a mean over each benchmark's, (benchmark, model)."""
    measured = np.zeros((len(design.scores.benchmarks), len(design.scores.models)))
    measured[design.benchmark_of_cell, design.model_of_cell] = 1.0
    return np.asarray(measured / np.maximum(measured.sum(axis=1, keepdims=True), 1))


def _pooled(
    pooling: Pooling,
    known: dict[str, Any],
    design: Design,
    share: Named,
    spec: ModelSpec,
    skill: Named | None = None,
) -> Coordinate:
    """Return the coordinate of a pooled parameter; `skill` is that of models, for intercepts."""
    middle = pooling.middle(known, design)
    if skill is not None:
        middle = middle + _at_mean_skill(skill, known, design)
    if pooling.support == POSITIVE:  # its prior is far from 0, where chains begin
        middle = middle - float(spec.prior(f"{pooling.name}_mean").numbers["mu"])
    return _moved(known[f"{pooling.name}_raw"], middle, known[f"{pooling.name}_spread"], share)


def _moved(raw: Any, middle: Named, spread: Named, share: Named) -> Coordinate:
    """Return z = (p - w middle) / spread^w for the standard normals z, with p in their place.

    For w = 1 that is middle + spread z = p, the effect itself; for w = 0 it is z = p.
    """
    import pytensor.tensor as pt

    point = raw.type(name=f"{raw.name}_point")
    maths = maths_of(raw)
    narrowed: Any = share * maths.log(spread)
    value = (point - share * middle) * maths.exp(-narrowed)
    volume = -pt.as_tensor(narrowed, allow_xtensor_conversion=True).sum()
    return Coordinate(str(raw.name), point, value.transpose(*raw.dims), volume)


def can_be_levelled(model: pm.Model) -> bool:
    """Return whether intercepts are variables of their own, which can be any number."""
    free = {str(variable.name): variable for variable in model.free_RVs}
    return INTERCEPT in free and model.rvs_to_transforms[free[INTERCEPT]] is None


def level_coordinates(spec: ModelSpec, design: Design, model: pm.Model) -> tuple[Coordinate, ...]:
    """Return the mean linear predictor of each benchmark's models, moved in its intercept's place.

    Scores pin that mean down, whatever the loadings, curves and effects that add to it, while an
    intercept must follow the mean of all of them. A shift: its Jacobian is 1.

    Parameters
    ----------
    spec, design
        A spec whose intercepts have priors of their own, and its table.
    model
        What `build_design` made of them.
    """
    known: dict[str, Any] = dict(model.named_vars)
    for term in terms_of(spec):
        known |= term.fixed(design)
    family = as_data(design.family_of_model, (MODEL,))
    rows = replace(rows_in_graph(spec, design, known), family=family)
    skill = latent_skill(spec, known, rows)
    others = linear_predictor(
        spec, known, rows, skill, lambda term: not isinstance(term, Intercept)
    )
    import pytensor.tensor as pt

    raw = known[INTERCEPT]
    point = raw.type(name=f"{raw.name}_point")
    mean: Any = as_data(_shares(design), (BENCHMARK, MODEL)) * others
    return (Coordinate(INTERCEPT, point, point - mean.sum(MODEL), cast("Named", pt.zeros(()))),)
