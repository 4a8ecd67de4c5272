"""Units of free skills: what is sampled in place of everything that has a skill's unit.

Loadings times c and skills divided by c give the same scores. Only priors identify the unit of a
free skill: the priors of families' levels, slopes and scales on one side, of loadings on the other.
So the unit is known to about ten percent, and each change in it changes all loadings, families and
models: this is the direction in which chains are slowest. Here the unit is u_k, the root mean
square of the population of a skill's loadings, with mean m_k, spread s_k over benchmarks and spread
g_k of groups of benchmarks. Let v_k^2 = m_k^2 + s_k^2. In place of s_k, m_k, g_k, an effect x_k on
the skill and a scale r_k of such effects, a sampler moves u_k, artanh(m_k / v_k), g_k / v_k,
u_k x_k and u_k r_k. Given the others, scores do not depend on u_k, so only priors constrain it. If
groups or the mean explain all of a skill's loadings, s_k may be near 0. The ratio m_k / s_k would
then have the tails of a Cauchy distribution; the tails of the artanh are exponential. If skills
share their spreads, they share one u, with the mean of m_k^2 over skills in place of m_k^2. The
vector of means is then replaced by its direction and the artanh of its length in units of v. The
density is that of the same model: a change of variables with its Jacobian.

Liu and Sabatti 2000, "Generalised Gibbs sampler and multigrid Monte Carlo for Bayesian
computation", move along such groups of scale changes in separate steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pymc as pm

from latentscale.declare.prior import REAL
from latentscale.declare.spec import ModelSpec
from latentscale.dims import SKILL
from latentscale.engine.coordinate import Coordinate
from latentscale.maths import Named, maths_of
from latentscale.model.design import Design
from latentscale.model.pooling import Pooling
from latentscale.model.terms.base import terms_of
from latentscale.model.terms.loading import Loadings

LEAST_SQUARE = 1e-12
"""Added to a squared length, whose root has no derivative at 0; means are of the order of 1."""


def pooled_loadings(spec: ModelSpec) -> Pooling | None:
    """Return how free skills' loadings are pooled; None if skills have their own units."""
    poolings = [p for term in terms_of(spec) if isinstance(term, Loadings) for p in term.poolings()]
    return next((p for p in poolings if p.support == REAL), None)


def unit_of_skills(spec: ModelSpec, model: pm.Model) -> Named | None:
    """Return u_k, dims (skill,): the root mean square of its loadings' population.

    None as for `pooled_loadings`.
    """
    pooling = pooled_loadings(spec)
    if pooling is None:
        return None
    mean: Any = model[f"{pooling.name}_mean"]
    parts = [model[f"{pooling.name}_spread"]]
    if (of_groups := f"{pooling.name}_group_spread") in model.named_vars:
        parts.append(model[of_groups])
    squares: Any = sum(part**2 for part in parts)
    squares = squares + ((mean**2).mean(SKILL) if pooling.alike else mean**2)
    unit: Named = maths_of(squares).sqrt(squares)
    return unit


def unit_coordinates(spec: ModelSpec, design: Design, model: pm.Model) -> tuple[Coordinate, ...]:
    """Return what is sampled in place of variables that have a skill's unit.

    Parameters
    ----------
    spec, design
        A spec and its table.
    model
        What `build_design` made of them.
    """
    pooling, unit = pooled_loadings(spec), unit_of_skills(spec, model)
    if pooling is None or unit is None:
        return ()
    names = {str(v.name) for v in model.free_RVs if _movable(model.rvs_to_transforms[v])}
    population = [f"{pooling.name}_{what}" for what in ("spread", "mean")]
    population += [n for n in (f"{pooling.name}_group_spread",) if n in model.named_vars]
    if not names.issuperset(population):
        return ()
    moved = (
        _common_population(model, spec.skills.count, *population)
        if pooling.alike
        else _population(model, *population)
    )
    return (
        *moved,
        *(_times(model, name, unit, -1.0) for name in _of_skills(spec, design) if name in names),
    )


def _population(
    model: pm.Model, spread: str, mean: str, of_groups: str | None = None
) -> tuple[Coordinate, ...]:
    """Return coordinates log u, w and log h of a population's spread s, mean m and groups' spread.

    v = u / sqrt(1 + h^2), s = v / cosh(w), m = v tanh(w) and g = v h; without groups v = u. The
    Jacobian of (log s, m, log g) with respect to (log u, w, log h) is v.
    """
    import pytensor.tensor as pt

    unit, to_mean = (model[name].type(name=f"{name}_in_units") for name in (spread, mean))
    maths = maths_of(unit)
    nothing = cast("Named", pt.zeros(()))
    log_v, wider = _within_groups(model, unit, of_groups)
    log_cosh = maths.softplus(2.0 * to_mean) - to_mean - np.log(2.0)
    volume = pt.as_tensor(log_v, allow_xtensor_conversion=True).sum()
    return (
        Coordinate(spread, unit, log_v - log_cosh, nothing),
        Coordinate(mean, to_mean, maths.tanh(to_mean) * maths.exp(log_v), volume),
        *wider,
    )


def _within_groups(
    model: pm.Model, unit: Any, of_groups: str | None
) -> tuple[Any, tuple[Coordinate, ...]]:
    """Return log v from log u, and the coordinate log h of the groups' spread if there is one."""
    import pytensor.tensor as pt

    if of_groups is None:
        return unit, ()
    ratio = model[of_groups].type(name=f"{of_groups}_in_units")
    log_v = unit - 0.5 * maths_of(unit).softplus(2.0 * ratio)
    return log_v, (Coordinate(of_groups, ratio, log_v + ratio, cast("Named", pt.zeros(()))),)


def _common_population(
    model: pm.Model, count: int, spread: str, mean: str, of_groups: str | None = None
) -> tuple[Coordinate, ...]:
    """Return coordinates log u, w and log h as in `_population`, for spreads that K skills share.

    v = u / sqrt(1 + h^2), s = v / cosh(r), m = v sqrt(K) tanh(r) / r w with r = |w|, and g = v h.
    The Jacobian of (log s, m, log g) with respect to (log u, w, log h) is the factor for m's
    length, v sqrt(K), times the factor for its direction, (v sqrt(K) tanh(r) / r)^(K - 1).
    """
    import pytensor.tensor as pt

    unit, to_mean = (model[name].type(name=f"{name}_in_units") for name in (spread, mean))
    maths = maths_of(unit)
    nothing = cast("Named", pt.zeros(()))
    log_v, wider = _within_groups(model, unit, of_groups)
    length = maths.sqrt((to_mean**2).sum(SKILL) + LEAST_SQUARE)
    log_cosh = maths.softplus(2.0 * length) - length - np.log(2.0)
    log_stretch = maths.log(maths.tanh(length) / length)
    log_scale = log_v + 0.5 * np.log(count)
    volume = count * log_scale + (count - 1) * log_stretch
    return (
        Coordinate(spread, unit, log_v - log_cosh, nothing),
        Coordinate(
            mean,
            to_mean,
            (to_mean * maths.exp(log_scale + log_stretch)).transpose(*model[mean].dims),
            cast("Named", pt.as_tensor(volume, allow_xtensor_conversion=True)),
        ),
        *wider,
    )


def _of_skills(spec: ModelSpec, design: Design) -> Iterator[str]:
    """Yield variables with the unit of their skill: scales, and effects without a scale."""
    for term in terms_of(spec):
        yield from term.skill_scales
        for effect in term.normal_effects(spec, design) or ():
            own = effect.variable in term.skill_vectors and effect.scale is None
            if own and effect.pooling is None:
                yield from (effect.variable, f"{effect.variable}_raw")
                if effect.nesting is not None:
                    yield from (effect.nesting.variable, f"{effect.nesting.variable}_raw")


def _movable(transform: Any) -> bool:
    """Return whether a variable is unconstrained, or positive and sampled on the log scale."""
    return transform is None or type(transform).__name__ == "LogTransform"


def _times(model: pm.Model, name: str, unit: Named, power: float) -> Coordinate:
    """Return x = p unit^power, with p in place of x; on the log scale if x is positive."""
    import pytensor.tensor as pt

    variable: Any = model[name]
    point = variable.type(name=f"{name}_in_units")
    shift: Any = power * maths_of(unit).log(unit)
    if model.rvs_to_transforms[variable] is not None:
        return Coordinate(
            name, point, (point + shift).transpose(*variable.dims), cast("Named", pt.zeros(()))
        )
    every: Any = shift + 0.0 * point
    volume = pt.as_tensor(every.transpose(*variable.dims), allow_xtensor_conversion=True).sum()
    value = (point * maths_of(unit).exp(shift)).transpose(*variable.dims)
    return Coordinate(name, point, value, volume)
