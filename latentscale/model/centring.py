"""Centring: coordinates in which models' skills and pooled benchmarks' parameters move.

A skill that many scores pin down is coded as a family's level, slopes, a trend and a standardised
residual; a benchmark's intercept, loadings and precision as their population's mean plus its
spread times standard normals. Each part must then take all others along, and steps are as short
as the scores are sharp. Here a sampler moves the skill, the intercept or the loading itself where
there are many scores, the standard normal where there are few, and what lies between elsewhere.
A benchmark that only strong models were measured on says little of its intercept, the predictor of
a model of skill 0, without its loading: there the predictor at the mean skill of its own models
moves in the intercept's place, which a shift of all skills leaves as it is.
The units of free skills, which only priors identify, move by `latentscale.model.skill_units`.
The density is that of the same model: a change of variables with its Jacobian.

Papaspiliopoulos, Roberts and Skold 2007, "A general framework for the parametrization of
hierarchical models", section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import pymc as pm

from latentscale.declare.prior import POSITIVE
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, CATEGORY, CATEGORY_LEVEL, MODEL, SKILL
from latentscale.engine.coordinate import Coordinate
from latentscale.maths import Named, as_data, maths_of
from latentscale.model.design import Design
from latentscale.model.equations import latent_skill, linear_predictor
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.parts import parts_of
from latentscale.model.pooling import Pooling
from latentscale.model.release_share import log_volume, mean_of_releases, scaled, variances
from latentscale.model.skill_units import pooled_loadings, unit_coordinates, unit_of_skills
from latentscale.model.terms.base import terms_of
from latentscale.model.terms.categories import EFFECT, category_of
from latentscale.model.terms.intercept import INTERCEPT, Intercept
from latentscale.model.terms.precision import PRECISION_POOLING
from latentscale.model.terms.residual import Residual

_HALF = 2.0
"""Scores with which a coordinate is half centred. A score says about as much of a loading or of
a skill as half its prior does on the tables of closed models."""
_NOISE_VARIANCE = 0.1
"""Variance of a score's linear predictor, of the noise alone: 1 / (0.2 x 50) for a score of 0.3 or
0.7 and a Beta of precision 50, which is typical of the tables of closed models."""
_OF_LOG_PRECISION = 0.5
"""What a score says of a log precision: Fisher's information of a normal's log variance."""
_CONTRIBUTION_SD = 0.5
"""Standard deviation of a skill's contribution to predictors: of a table's second and third."""

type _Change = Callable[[Any], tuple[Any, Any]]
"""What a coordinate has of effects' middle, and the factor that undoes it, by their spread."""

CENTRING = {"centring": "8"}
"""What a folder of draws records beside libraries' versions; the number changes with what is moved,
so that chains are never resumed in other coordinates than they began in."""


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
    parts = parts_of(model)
    rows, of_skills = parts.rows, pooled_loadings(spec)
    known = _by_skill(parts.values, of_skills)
    by_benchmark = _share(_scores_by_benchmark(design), BENCHMARK)
    poolings = [pooling for term in terms_of(spec) for pooling in term.poolings()]
    unit = unit_of_skills(spec, model)
    coordinates = list(unit_coordinates(spec, design, model))
    if f"{EFFECT}_raw" in {str(variable.name) for variable in model.free_RVs}:
        coordinates.append(_levels(known[f"{EFFECT}_raw"], design))
    for pooling in poolings:
        if pooling.name != INTERCEPT:
            if unit is not None and pooling == of_skills:
                pooled = _loadings(pooling, known, design, unit)
            elif pooling == PRECISION_POOLING:
                pooled = _precisions(pooling, known, design, spec)
            else:
                pooled = _pooled(pooling, known, design, by_benchmark, spec)
            coordinates.append(pooled)
    if any(isinstance(term, Residual) for term in terms_of(spec)):
        curve = latent_skill(spec, known, rows, lambda term: not isinstance(term, Residual))
        coordinates.append(_residuals(known, design, curve, unit))
    if unit is not None:
        effects = [e for term in terms_of(spec) for e in term.normal_effects(spec, design) or ()]
        coordinates += [_added(effect, known) for effect in effects if effect.scores is not None]
    skill = latent_skill(spec, known, rows)
    # Last: intercepts move with loadings and skills, which are moved themselves.
    coordinates += [
        _intercepts(pooling, known, design, skill)
        for pooling in poolings
        if pooling.name == INTERCEPT
    ]
    return tuple(coordinates)


def _by_skill(known: dict[str, Any], of_skills: Pooling | None) -> dict[str, Any]:
    """Return values with spreads that skills share repeated for each, so that volumes count all."""
    if of_skills is None or not of_skills.alike:
        return known
    nothing: Any = 0.0 * known[f"{of_skills.name}_mean"]
    names = [n for n in ("residual_scale", f"{of_skills.name}_spread") if n in known]
    return known | {name: known[name] + nothing for name in names}


def _share(scores: np.ndarray, dim: str) -> Named:
    """Return how far each model or benchmark is centred, between 0 and 1, by its scores."""
    return as_data(scores / (scores + _HALF), (dim,))


def _scores_by_benchmark(design: Design) -> np.ndarray:
    """Return how many scores each benchmark has, (benchmark,)."""
    return np.bincount(design.benchmark_of_cell, minlength=len(design.scores.benchmarks))


def _residuals(
    known: dict[str, Any], design: Design, curve: Named | None, unit: Named | None
) -> Coordinate:
    """Return the coordinate of residuals: models' skills, around their curve, in units of loadings.

    The mean of a free skill over all models is weakly identified, as intercepts can absorb it.
    Parts of the curve that shift all models, such as levels of a category that all have, therefore
    move without the coordinates of residuals, and the mean of those is stretched until only the
    residuals' prior holds it.
    """
    scale = known["residual_scale"]
    middle = _in_units(0.0 * scale if curve is None else curve, unit)
    spread = _in_units(scale, unit)
    scores = np.bincount(design.model_of_cell, minlength=len(design.scores.models)).astype(float)
    if design.use_release:
        scores = mean_of_releases(scores, design)
    if unit is None:
        change: _Change = partial(_moving, share=_share(scores, MODEL))
        stretch = None
    else:
        # In these units loadings have a root mean square of 1.
        precision = as_data(scores / _NOISE_VARIANCE, (MODEL,))
        change = partial(_standardising, precision=precision)
        of_mean = variances(known["release_share"], design)[0] if design.use_release else 1.0
        held: Any = 1 + precision * spread**2 * of_mean  # by scores and prior, over the prior alone
        stretch = 0.5 * maths_of(held).log(held).mean(MODEL)
        if curve is not None:
            middle = middle - middle.mean(MODEL)
    if not design.use_release:
        return _replaced(known["residual_raw"], middle, *change(spread), stretch)
    return _by_release(known, middle, spread, change, stretch, design)


def _by_release(
    known: dict[str, Any],
    middle: Any,
    spread: Any,
    change: _Change,
    stretch: Any,
    design: Design,
) -> Coordinate:
    """Return the coordinate of residuals that settings of a release have partly in common.

    What settings of a release share has another spread than what differs between them, of which
    less is left the more they share: each of the two is centred as far as its own spread says.
    """
    along, across = (spread * v**0.5 for v in variances(known["release_share"], design))
    (of_mean, mean_factor), (of_rest, rest_factor) = change(along), change(across)
    every: Any = as_data(np.zeros(len(design.scores.models)), (MODEL,))
    start = scaled(middle + every, of_mean, of_rest, design)
    point, effect, volume = _stretched(known["residual_raw"], stretch)
    value: Any = scaled(effect - start, mean_factor, rest_factor, design)
    return _coordinate(
        known["residual_raw"], point, value, volume, log_volume(mean_factor, rest_factor, design)
    )


def _in_units(value: Named, unit: Named | None) -> Named:
    return value if unit is None else value * unit


def _at_mean_skill(skill: Named, known: dict[str, Any], design: Design) -> Named:
    """Return what loadings add to the predictor at the mean skill of each benchmark's models."""
    weight: Any = as_data(_shares(design), (BENCHMARK, MODEL))
    # As the predictor has it, so that the graph holds it once.
    each: Any = (skill * known["loading"]).sum(SKILL)
    return (weight * each).sum(MODEL)


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
) -> Coordinate:
    """Return the coordinate of a pooled parameter."""
    middle = _around_prior(pooling, known, design, spec)
    return _moved(known[f"{pooling.name}_raw"], middle, known[f"{pooling.name}_spread"], share)


def _precisions(
    pooling: Pooling, known: dict[str, Any], design: Design, spec: ModelSpec
) -> Coordinate:
    """Return the coordinate of pooled log precisions."""
    held = as_data(_OF_LOG_PRECISION * _scores_by_benchmark(design), (BENCHMARK,))
    middle = _around_prior(pooling, known, design, spec)
    return _standardised(
        known[f"{pooling.name}_raw"], middle, known[f"{pooling.name}_spread"], held
    )


def _levels(raw: Any, design: Design) -> Coordinate:
    """Return the coordinate of a category's levels: their mean, and differences from it.

    Intercepts absorb what all levels have in common, so that only priors hold their mean, while
    scores hold their differences. A reflection of each category's standard normals, which has the
    mean in the place of the first level: their prior stays, and its Jacobian is 1.
    """
    import pytensor.tensor as pt

    owner = category_of(design.transform)
    own = np.arange(owner.max() + 1)[:, None] == owner
    first = np.concatenate([np.eye(1, size)[0] for size in own.sum(axis=1)])
    mirror = first - 1 / np.sqrt(own.sum(axis=1)[owner])
    length = np.sqrt((own * mirror**2).sum(axis=1))[owner]
    normal = as_data(mirror / np.where(length > 0, length, 1), (CATEGORY_LEVEL,))
    within = as_data(own.astype(float), (CATEGORY, CATEGORY_LEVEL))
    point: Any = raw.type(name=f"{raw.name}_point")
    along = (within * (normal * point)).sum(CATEGORY_LEVEL)
    value = point - 2 * normal * (within * along).sum(CATEGORY)
    return _coordinate(raw, point, value, pt.zeros(()))


def _around_prior(
    pooling: Pooling, known: dict[str, Any], design: Design, spec: ModelSpec
) -> Named:
    """Return the middle of a pooled parameter, less a prior's that is far from 0."""
    middle = pooling.middle(known, design)
    if pooling.support == POSITIVE:  # chains begin at 0
        middle = middle - float(spec.prior(f"{pooling.name}_mean").numbers["mu"])
    return middle


def _intercepts(
    pooling: Pooling, known: dict[str, Any], design: Design, skill: Named | None
) -> Coordinate:
    """Return the coordinate of pooled intercepts: predictors at their models' mean skill."""
    middle = pooling.middle(known, design)
    if skill is not None:
        middle = middle + _at_mean_skill(skill, known, design)
    precision = as_data(_scores_by_benchmark(design) / _NOISE_VARIANCE, (BENCHMARK,))
    raw, spread = known[f"{pooling.name}_raw"], known[f"{pooling.name}_spread"]
    return _standardised(raw, middle, spread, precision)


def _loadings(pooling: Pooling, known: dict[str, Any], design: Design, unit: Named) -> Coordinate:
    """Return the coordinate of free skills' loadings, in units of their population.

    Of a loading a score says b^2 / v, for a skill that contributes a standard deviation of b to
    predictors and noise of variance v.
    """
    spread: Any = known[f"{pooling.name}_spread"] / unit
    held = _scores_by_benchmark(design) * _CONTRIBUTION_SD**2 / _NOISE_VARIANCE
    precision = as_data(held, (BENCHMARK,))
    middle = pooling.middle(known, design) / unit
    return _standardised(known[f"{pooling.name}_raw"], middle, spread, precision)


def _added(effect: NormalEffect, known: dict[str, Any]) -> Coordinate:
    """Return the coordinate of effects around 0 that are added to the predictors of scores."""
    if effect.scale is None or effect.scores is None:
        raise ValueError(f"{effect.variable}: it has no scale, or is not added to predictors.")
    precision = as_data(effect.scores / _NOISE_VARIANCE, effect.dims)
    spread = known[effect.scale.name] * effect.scale.times
    return _standardised(known[f"{effect.variable}_raw"], 0.0 * spread, spread, precision)


def _standardised(raw: Any, middle: Named, spread: Named, precision: Named) -> Coordinate:
    """Return the coordinate that `_standardising` describes."""
    return _replaced(raw, middle, *_standardising(spread, precision))


def _standardising(spread: Any, precision: Any) -> tuple[Any, Any]:
    """Return p, which scores leave one variance whatever the spread s, for standard normals z.

    Effects are middle + s z. Given scores that say y of the effect with precision q, z has variance
    1 / (1 + q s^2) and mean s q (y - middle) / (1 + q s^2). So with r = sqrt(1 + q s^2)
    p = (r z + s q middle / r) / sqrt(1 + q) has a variance that depends on neither spread nor
    middle, and a mean that does not depend on the middle: it is the effect where q s^2 is large,
    and in proportion to z where it is small. Where the variance changed with the spread, the
    density at the mode would, and with many effects a chain's energy: it would explore the spread
    slowly.

    Returns
    -------
    What p has of the middle, and the factor of z = factor (p - that).
    """
    root: Any = maths_of(spread).sqrt((1 + precision * spread**2) / (1 + precision))
    return spread * precision / (1 + precision) / root, 1 / root


def _moved(raw: Any, middle: Named, spread: Named, share: Named) -> Coordinate:
    """Return the coordinate that `_moving` describes."""
    return _replaced(raw, middle, *_moving(spread, share))


def _moving(spread: Any, share: Any) -> tuple[Any, Any]:
    """Return p = spread^w z + w middle for the standard normals z: the effect itself for w = 1.

    Returns
    -------
    As `_standardising` does.
    """
    maths = maths_of(spread)
    narrowed: Any = share * maths.log(spread)
    return share, maths.exp(-narrowed)


def _replaced(
    raw: Any, middle: Any, of_middle: Any, factor: Any, stretch: Named | None = None
) -> Coordinate:
    """Return the coordinate p of standard normals z = factor (p - of_middle middle).

    With a stretch k, on the log scale, p is what is moved plus (e^k - 1) times its mean over
    models.
    """
    import pytensor.tensor as pt

    point, effect, volume = _stretched(raw, stretch)
    narrowed: Any = maths_of(raw).log(factor)
    each = pt.as_tensor(narrowed, allow_xtensor_conversion=True).sum()
    return _coordinate(raw, point, (effect - of_middle * middle) * factor, volume, each)


def _stretched(raw: Any, stretch: Any) -> tuple[Any, Any, Any]:
    """Return what is moved in the place of `raw`, the same stretched, and its log Jacobian."""
    point = raw.type(name=f"{raw.name}_point")
    if stretch is None:
        return point, point, None
    return point, point + (maths_of(raw).exp(stretch) - 1) * point.mean(MODEL), stretch.sum()


def _coordinate(raw: Any, point: Any, value: Any, *volumes: Any) -> Coordinate:
    """Return a coordinate of which the log Jacobian is the sum of some, each dims () or None."""
    import pytensor.tensor as pt

    parts = [pt.as_tensor(v, allow_xtensor_conversion=True) for v in volumes if v is not None]
    volume: Any = sum(parts[1:], parts[0])
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
    parts = parts_of(model)
    known, rows = parts.values, parts.rows
    skill = latent_skill(spec, known, rows)
    others = linear_predictor(
        spec, known, rows, skill, lambda term: not isinstance(term, Intercept)
    )
    import pytensor.tensor as pt

    raw = known[INTERCEPT]
    point = raw.type(name=f"{raw.name}_point")
    mean: Any = as_data(_shares(design), (BENCHMARK, MODEL)) * others
    return (Coordinate(INTERCEPT, point, point - mean.sum(MODEL), cast("Named", pt.zeros(()))),)
