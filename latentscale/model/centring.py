"""Centring: coordinates for sampling models' skills and pooled benchmarks' parameters.

In the model's variables, a skill is a family's level, slopes, a trend and a standardised residual;
a benchmark's intercept, loadings and precision are their population's mean plus its spread times
standard normals. If many scores inform a skill, these parts are strongly dependent, and steps must
be as short as the scores are precise. Here the skill, the intercept or the loading itself is
sampled if there are many scores, the standard normal if there are few, and a mixture of both in
between. If only strong models were measured on a benchmark, its scores hardly inform its intercept
(the predictor at skill 0) without its loading. The predictor at the mean skill of its own models is
therefore sampled in place of the intercept; shifts of all skills do not change it.
`latentscale.model.skill_units` treats the units of free skills, which only priors identify. The
density is that of the same model: a change of variables with its Jacobian.

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
"""Number of scores with which a coordinate is half centred. On tables of closed models, a score is
about as informative about a loading or a skill as half its prior."""
_NOISE_VARIANCE = 0.1
"""Variance of a score's linear predictor from noise alone: 1 / (0.2 x 50) for a score of 0.3 or 0.7
and a Beta with precision 50, which is typical of tables of closed models."""
_OF_LOG_PRECISION = 0.5
"""Information in a score on a log precision: Fisher information of a normal's log variance."""
_CONTRIBUTION_SD = 0.5
"""Standard deviation of a skill's contribution to predictors, for a table's second and third."""

type _Change = Callable[[Any], tuple[Any, Any]]
"""From effects' spread to the middle's share in a coordinate, and the factor that inverts it."""

CENTRING = {"centring": "8"}
"""Recorded in folders of draws next to libraries' versions. The number changes with the
coordinates, so that chains are never resumed in other coordinates than those in which they
began."""


def can_be_moved(spec: ModelSpec) -> bool:
    """Return whether benchmarks are pooled, so that there is a hierarchy to centre."""
    return spec.benchmarks.pooled


def centred_coordinates(spec: ModelSpec, design: Design, model: pm.Model) -> tuple[Coordinate, ...]:
    """Return what is sampled in place of the standard normals of residuals and benchmarks.

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
    # Last, because intercepts depend on loadings and skills, which are replaced themselves.
    coordinates += [
        _intercepts(pooling, known, design, skill)
        for pooling in poolings
        if pooling.name == INTERCEPT
    ]
    return tuple(coordinates)


@dataclass(frozen=True)
class _Direction:
    """Directions among skills on which a score is equally informative.

    Attributes
    ----------
    part
        The part of a vector over skills along them.
    weight
        Information in a score on them, relative to the average over all directions.
    count
        Number of directions if their values have no dim of skills; otherwise 1.
    """

    part: Callable[[Any], Any]
    weight: Any
    count: int


_EVERY = _Direction(lambda vector: vector, 1.0, 1)
"""All directions, on which a score is equally informative in units of loadings."""

type _Way = tuple[_Direction, _Change, Any]
"""Directions, the middle's share in their coordinate and its factor, and the mean's stretch."""


def _directions(
    known: dict[str, Any], of_skills: Pooling | None, unit: Any, count: int
) -> tuple[_Direction, ...]:
    """Return directions on which scores are not equally informative.

    If skills share their spreads, loadings have second moments m m' + (s^2 + g^2) I for their mean
    m, spread s and groups' spread g: scores are more informative along m than across it.
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
    """Return how far each model or benchmark is centred, from 0 to 1, by its number of scores."""
    return as_data(scores / (scores + _HALF), (dim,))


def _scores_by_benchmark(design: Design) -> np.ndarray:
    """Return the number of scores of each benchmark, shape (benchmark,)."""
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
    vary independently of the residuals' coordinates, and the mean of these is stretched so that
    only the residuals' prior constrains it.
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
        # Precision from scores and prior, relative to the prior alone.
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

    The common part has a different spread from the differences between settings, which are smaller
    the more they share: each of the two is centred according to its own spread.
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
    """Return the loadings' contribution at the mean skill of each benchmark's models."""
    weight: Any = as_data(_shares(design), (BENCHMARK, MODEL))
    # The same expression as in the predictor, so that the graph has it once.
    each: Any = (skill * known["loading"]).sum(SKILL)
    return (weight * each).sum(MODEL)


def _shares(design: Design) -> np.ndarray:
    """Return weights for means over each benchmark's models, shape (benchmark, model)."""
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

    Intercepts absorb what all levels have in common, so that only priors constrain their mean,
    while scores inform their differences. The coordinate is a reflection of each category's
    standard normals, with the mean in place of the first level: their prior does not change, and
    the Jacobian is 1.
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
    """Return the middle of a pooled parameter, minus the prior's centre if that is far from 0."""
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

    The information in a score on a loading is b^2 / v, for a skill that contributes a standard
    deviation of b to predictors and noise with variance v.
    """
    spread: Any = known[f"{pooling.name}_spread"] / unit
    if pooling.alike:  # one for each skill, so that log volumes include all
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
    """Return p, whose variance given scores is the same for any spread s, for standard normals z.

    Effects are middle + s z. Given scores that measure the effect as y with precision q, z has
    variance 1 / (1 + q s^2) and mean s q (y - middle) / (1 + q s^2). With r = sqrt(1 + q s^2),
    p = (r z + s q middle / r) / sqrt(1 + q) has a variance that depends on neither spread nor
    middle, and a mean that does not depend on the middle: it is the effect if q s^2 is large, and
    proportional to z if it is small. If the variance changed with the spread, so would the density
    at the mode and, with many effects, a chain's energy, and chains would explore the spread
    slowly.

    Returns
    -------
    The middle's contribution to p, and the factor in z = factor (p - contribution).
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
    """Return what is sampled in place of `raw`, its stretched values, and its log Jacobians.

    With a stretch k, on the log scale, the stretched values add (e^k - 1) times the mean over
    models along the stretch's directions.
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
    """Return a coordinate whose log Jacobian is the sum of `volumes`, each dims () or None."""
    import pytensor.tensor as pt

    parts = [pt.as_tensor(v, allow_xtensor_conversion=True) for v in volumes if v is not None]
    volume: Any = sum(parts[1:], parts[0])
    return Coordinate(str(raw.name), point, value.transpose(*raw.dims), volume)


def can_be_levelled(model: pm.Model) -> bool:
    """Return whether intercepts are separate, unconstrained variables."""
    free = {str(variable.name): variable for variable in model.free_RVs}
    return INTERCEPT in free and model.rvs_to_transforms[free[INTERCEPT]] is None


def level_coordinates(spec: ModelSpec, design: Design, model: pm.Model) -> tuple[Coordinate, ...]:
    """Return coordinates with each benchmark's mean linear predictor in its intercept's place.

    Scores determine that mean closely, whatever the loadings, curves and effects that add to it,
    while an intercept must follow the mean of all of these. This is a shift, with Jacobian 1.

    Parameters
    ----------
    spec, design
        A spec whose intercepts have their own priors, and its table.
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
