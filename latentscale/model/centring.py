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
from dataclasses import dataclass
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
from latentscale.model.skill_units import (
    LEAST_SQUARE,
    pooled_loadings,
    unit_coordinates,
    unit_of_skills,
)
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
    known = parts.values
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
        directions = _directions(known, of_skills, unit, spec.skills.count)
        coordinates.append(_residuals(known, design, curve, unit, directions))
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


@dataclass(frozen=True)
class _Direction:
    """Directions among skills of which a score says equally much.

    Attributes
    ----------
    part
        What a vector over skills has along them.
    weight
        What a score says of them, over its average over all directions.
    count
        How many they are, where numbers for them have no dim of skills; else 1.
    """

    part: Callable[[Any], Any]
    weight: Any
    count: int


_EVERY = _Direction(lambda vector: vector, 1.0, 1)
"""All of them, of which a score says the same in units of loadings."""

type _Way = tuple[_Direction, _Change, Any]
"""Directions, what their coordinate has of the middle and its factor, and the mean's stretch."""


def _directions(
    known: dict[str, Any], of_skills: Pooling | None, unit: Any, count: int
) -> tuple[_Direction, ...]:
    """Return directions that scores tell apart.

    Where skills share their spreads, loadings have the second moments m m' + (s^2 + g^2) I for
    their mean m, spread s and groups' spread g: scores say more along m than across it.
    """
    if of_skills is None or not of_skills.alike:
        return (_EVERY,)
    mean: Any = known[f"{of_skills.name}_mean"]
    of_groups = known.get(f"{of_skills.name}_group_spread", 0.0)
    rest: Any = known[f"{of_skills.name}_spread"] ** 2 + of_groups**2
    square: Any = (mean**2).sum(SKILL) + LEAST_SQUARE

    def along(vector: Any) -> Any:
        return mean * ((mean * vector).sum(SKILL) / square)

    def across(vector: Any) -> Any:
        return vector - along(vector)

    both = (
        _Direction(along, (square + rest) / unit**2, 1),
        _Direction(across, rest / unit**2, count - 1),
    )
    return both if count > 1 else both[:1]


def _share(scores: np.ndarray, dim: str) -> Named:
    """Return how far each model or benchmark is centred, between 0 and 1, by its scores."""
    return as_data(scores / (scores + _HALF), (dim,))


def _scores_by_benchmark(design: Design) -> np.ndarray:
    """Return how many scores each benchmark has, (benchmark,)."""
    return np.bincount(design.benchmark_of_cell, minlength=len(design.scores.benchmarks))


def _residuals(
    known: dict[str, Any],
    design: Design,
    curve: Named | None,
    unit: Named | None,
    directions: tuple[_Direction, ...],
) -> Coordinate:
    """Return the coordinate of residuals: models' skills, around their curve, in units of loadings.

    The mean of a free skill over all models is weakly identified, as intercepts can absorb it.
    Parts of the curve that shift all models, such as levels of a category that all have, therefore
    move without the coordinates of residuals, and the mean of those is stretched until only the
    residuals' prior holds it.
    """
    raw, scale = known["residual_raw"], known["residual_scale"]
    middle = _in_units(0.0 * raw if curve is None else curve, unit)
    spread = _in_units(scale, unit)
    scores = np.bincount(design.model_of_cell, minlength=len(design.scores.models)).astype(float)
    if design.use_release:
        scores = mean_of_releases(scores, design)
    changes: list[_Change] = [partial(_moving, share=_share(scores, MODEL))]
    stretches: list[Any] = [None]
    if unit is not None:
        # In these units loadings have a root mean square of 1.
        of_scores: Any = as_data(scores / _NOISE_VARIANCE, (MODEL,))
        precisions = [of_scores * one.weight for one in directions]
        changes = [partial(_standardising, precision=precision) for precision in precisions]
        of_mean = variances(known["release_share"], design)[0] if design.use_release else 1.0
        # By scores and prior, over the prior alone.
        held: list[Any] = [1 + precision * spread**2 * of_mean for precision in precisions]
        stretches = [0.5 * maths_of(each).log(each).mean(MODEL) for each in held]
        if curve is not None:
            middle = middle - middle.mean(MODEL)
    ways = list(zip(directions, changes, stretches, strict=True))
    if design.use_release:
        return _by_release(known, middle, spread, ways, design)
    point, effect, volume = _stretched(raw, ways)
    value: Any = 0.0
    for one, change, _ in ways:
        of_middle, factor = change(spread)
        value = value + factor * one.part(effect - of_middle * middle)
        volume = [*volume, one.count * _log_sum(factor)]
    return _coordinate(raw, point, value, *volume)


def _by_release(
    known: dict[str, Any], middle: Any, spread: Any, ways: list[_Way], design: Design
) -> Coordinate:
    """Return the coordinate of residuals that settings of a release have partly in common.

    What settings of a release share has another spread than what differs between them, of which
    less is left the more they share: each of the two is centred as far as its own spread says.
    """
    along, across = (spread * v**0.5 for v in variances(known["release_share"], design))
    every: Any = middle + as_data(np.zeros(len(design.scores.models)), (MODEL,))
    point, effect, volume = _stretched(known["residual_raw"], ways)
    value: Any = 0.0
    for one, change, _ in ways:
        (of_mean, mean_factor), (of_rest, rest_factor) = change(along), change(across)
        moved: Any = one.part(effect) - scaled(one.part(every), of_mean, of_rest, design)
        value = value + scaled(moved, mean_factor, rest_factor, design)
        volume = [*volume, one.count * log_volume(mean_factor, rest_factor, design)]
    return _coordinate(known["residual_raw"], point, value, *volume)


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
    if pooling.alike:  # for each skill, so that volumes count all
        spread = spread + 0.0 * known[f"{pooling.name}_mean"]
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


def _replaced(raw: Any, middle: Any, of_middle: Any, factor: Any) -> Coordinate:
    """Return the coordinate p of standard normals z = factor (p - of_middle middle)."""
    point = _point(raw)
    return _coordinate(raw, point, (point - of_middle * middle) * factor, _log_sum(factor))


def _point(raw: Any) -> Any:
    return raw.type(name=f"{raw.name}_point")


def _log_sum(factor: Any) -> Any:
    """Return the sum of the logs of factors, dims ()."""
    import pytensor.tensor as pt

    narrowed: Any = maths_of(factor).log(factor)
    return pt.as_tensor(narrowed, allow_xtensor_conversion=True).sum()


def _stretched(raw: Any, ways: list[_Way]) -> tuple[Any, Any, list[Any]]:
    """Return what is moved in the place of `raw`, the same stretched, and its log Jacobians.

    With a stretch k, on the log scale, what is moved has (e^k - 1) times its mean over models added
    along the stretch's directions.
    """
    point: Any = _point(raw)
    effect, volume = point, []
    for one, _, stretch in ways:
        if stretch is not None:
            longer: Any = maths_of(raw).exp(stretch) - 1
            effect = effect + longer * one.part(point.mean(MODEL))
            volume.append(one.count * stretch.sum())
    return point, effect, volume


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
