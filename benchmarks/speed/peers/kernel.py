"""The recommended law's log density and gradient in one hand-written numba function, as a bound.

It takes the package's own unconstrained point, so value and gradient compare entry by entry. One
pass over the cells computes curve, Beta density and their derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pymc as pm
from numba import njit

from benchmarks.speed.peers.kernel_cells import cells
from benchmarks.speed.peers.kernel_families import (
    benchmark_effects,
    benchmark_effects_back,
    family_skill,
    family_skill_back,
    levels,
    levels_back,
    skill_slopes,
    skill_slopes_back,
)
from benchmarks.speed.peers.kernel_framework import framework_kernel
from benchmarks.speed.peers.kernel_priors import (
    LOG_NORMAL,
    REAL,
    SCALE,
    SHARE,
    log_priors,
    to_natural,
)
from benchmarks.speed.peers.law_data import LawData
from benchmarks.speed.peers.natural import places

_KINDS = {
    "link_power": LOG_NORMAL,
    "precision": LOG_NORMAL,
    "loading_raw": SCALE,
    "residual_scale": SCALE,
    "family_scale": SCALE,
    "family_slope_scale": SCALE,
    "family_benchmark_scale_raw": SCALE,
    "family_benchmark_slope_scale": SCALE,
    "ceiling_share": SHARE,
    "skill_partial_correlation_raw": SHARE,
    "lineage_share": SHARE,
}


class Table(NamedTuple):
    """Arrays of a law as the kernel takes them; `apart` is 0 at anchors and 1 elsewhere."""

    x: np.ndarray
    x_family: np.ndarray
    x_family_benchmark: np.ndarray
    x_instruct: np.ndarray
    instruct: np.ndarray
    family: np.ndarray
    lineage: np.ndarray
    members: np.ndarray
    model: np.ndarray
    benchmark: np.ndarray
    log_score: np.ndarray
    log_rest: np.ndarray
    floor: np.ndarray
    anchors: np.ndarray
    apart: np.ndarray


class Parameters(NamedTuple):
    """The parameters on their natural scale, or the gradient with respect to them."""

    intercept: np.ndarray
    instruct_shift: np.ndarray
    instruct_slope: np.ndarray
    link_power: np.ndarray
    precision: np.ndarray
    ceiling_share: np.ndarray
    loading_raw: np.ndarray
    slope: np.ndarray
    residual_scale: np.ndarray
    residual_raw: np.ndarray
    skill_partial_correlation_raw: np.ndarray
    family_scale: np.ndarray
    lineage_skill_raw: np.ndarray
    family_skill_raw: np.ndarray
    lineage_share: np.ndarray
    family_slope_scale: np.ndarray
    family_slope_raw: np.ndarray
    family_benchmark_scale_raw: np.ndarray
    family_benchmark_raw: np.ndarray
    family_benchmark_slope_scale: np.ndarray
    family_benchmark_slope_raw: np.ndarray


def kernel(model: pm.Model, data: LawData) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return the hand-written log density and gradient of a law.

    Raises
    ------
    ValueError
        If it is the recommended law, and its skills are not two.
    """
    if data.law == "framework":
        return framework_kernel(model, data)
    if data.sizes["skills"] != 2:
        raise ValueError("The recommended law's kernel is written for two skills.")
    table, where = _table(data), places(model)
    ranges = np.array([(where[n][0].start, where[n][0].stop) for n in Parameters._fields])
    kinds = np.array([_KINDS.get(name, REAL) for name in Parameters._fields])
    numbers = _prior_numbers(data)
    shapes = {name: where[name][1] for name in Parameters._fields}

    def views(flat: np.ndarray) -> Parameters:
        return Parameters(**{n: flat[where[n][0]].reshape(shapes[n] or (1,)) for n in shapes})

    scratch, gradient = np.empty(ranges.max()), np.empty(ranges.max())
    natural, adjoint = views(scratch), views(gradient)

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        value = _evaluate(point, scratch, gradient, ranges, kinds, numbers, natural, adjoint, table)
        return value, gradient

    return evaluate


def _table(data: LawData) -> Table:
    apart = np.ones(data.sizes["benchmarks"])
    apart[data.anchors] = 0.0
    return Table(
        x=data.x,
        x_family=data.x_family,
        x_family_benchmark=data.x_family_benchmark,
        x_instruct=data.x_instruct,
        instruct=data.instruct,
        family=data.family_of_model.astype("uint64"),
        lineage=data.lineage_of_family.astype("uint64"),
        members=np.bincount(data.lineage_of_family).astype(float),
        model=data.model_of_cell.astype("uint64"),
        benchmark=data.benchmark_of_cell.astype("uint64"),
        log_score=np.log(data.score_of_cell),
        log_rest=np.log1p(-data.score_of_cell),
        floor=data.floor,
        anchors=data.anchors.astype("uint64"),
        apart=apart,
    )


def _prior_numbers(data: LawData) -> np.ndarray:
    """Return the two numbers of each parameter's prior: 0 and sigma of one centred at 0."""
    slots = {
        "ceiling_share": "ceiling",
        "loading_raw": "loading",
        "family_benchmark_scale_raw": "family_benchmark_scale",
    }
    correlation = (2.0, 2.0)  # LKJ with concentration 2, for two skills
    rows = []
    for name in Parameters._fields:
        numbers = data.priors.get(slots.get(name, name), (1.0,))
        numbers = correlation if name == "skill_partial_correlation_raw" else numbers
        rows.append(numbers if len(numbers) == 2 else (0.0, *numbers))
    return np.array(rows)


@njit(error_model="numpy")
def _evaluate(point, natural_flat, gradient_flat, ranges, kinds, numbers, p, g, table):
    """Fill the gradient and return the log density without the priors' constants."""
    to_natural(point, natural_flat, ranges, kinds)
    gradient_flat[:] = 0.0
    spread, along, within, level = levels(p, table)
    skill = family_skill(p, level)
    own = skill_slopes(p)
    effect, slopes = benchmark_effects(p, table)
    adjoint_skill = np.zeros_like(skill)
    value = cells(p, g, table, skill, own, effect, slopes, adjoint_skill)
    benchmark_effects_back(p, g, table)
    skill_slopes_back(p, g)
    adjoint_level = family_skill_back(p, g, level, adjoint_skill)
    levels_back(p, g, table, spread, along, within, adjoint_level)
    return value + log_priors(point, natural_flat, gradient_flat, ranges, kinds, numbers)
