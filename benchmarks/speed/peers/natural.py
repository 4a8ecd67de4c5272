"""Points of the package's own density, as the parameters of the hand-written models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
from scipy.special import expit

from benchmarks.speed.peers.law_data import LawData

_SLOPE_AXIS = {"family_slope_raw": 1, "family_benchmark_slope_raw": 2}  # Stan puts it first
UNUSED = ("loading_raw", "family_benchmark_scale_raw", "family_benchmark_raw")


def places(model: pm.Model) -> dict[str, tuple[slice, tuple[int, ...]]]:
    """Return the place of each free variable in the unconstrained point, and its shape."""
    initial = model.initial_point(random_seed=0)
    ranges, begin = {}, 0
    for variable in model.free_RVs:
        shape = np.shape(initial[model.rvs_to_values[variable].name])
        end = begin + int(np.prod(shape))
        ranges[variable.name] = (slice(begin, end), shape)
        begin = end
    return ranges


def random_points(
    model: pm.Model, data: LawData, start: np.ndarray, count: int, seed: int
) -> np.ndarray:
    """Return random unconstrained points, shape (count, n).

    The package declares some effects at anchor benchmarks that enter nothing else and that the
    hand-written models omit. These stay fixed, and so add a constant.
    """
    rng = np.random.default_rng(seed)
    points = start + 0.5 * rng.standard_normal((count, len(start)))
    for name, (place, shape) in places(model).items():
        if name in UNUSED:
            axis = 0 if name == "loading_raw" else len(shape) - 1
            held = np.zeros(shape, dtype=bool)
            np.moveaxis(held, axis, 0)[data.anchors] = True
            index = np.arange(place.start, place.stop)[held.ravel()]
            points[:, index] = start[index]
    return points


def natural_parameters(model: pm.Model, data: LawData, point: np.ndarray) -> dict[str, np.ndarray]:
    """Return a point of the package's density as parameters of the hand-written models.

    The maps that are not the identity are a rotation (lineage and family levels) and constant
    factors, so log densities differ by a constant.
    """
    raw = _on_natural_scale(model, point)
    named = {name: value for name, value in raw.items() if not name.endswith("_raw")}
    others = data.others
    named["loading"] = raw["loading_raw"][others]
    if "skill_partial_correlation_raw" in raw:
        named["skill_cholesky"] = _cholesky(
            2 * raw["skill_partial_correlation_raw"] - 1, data.sizes["skills"]
        )
    if data.law == "framework":
        return named | {"family_raw": raw["family_skill_raw"]}
    named["lineage_raw"], named["family_raw"] = _unrotated(
        data, raw["lineage_skill_raw"], raw["family_skill_raw"], raw["lineage_share"]
    )
    named["residual_raw"] = raw["residual_raw"]
    named["family_benchmark_scale"] = raw["family_benchmark_scale_raw"][others]
    named["family_benchmark_raw"] = raw["family_benchmark_raw"][:, others]
    for name in _SLOPE_AXIS:
        named[name] = raw[name]
    return named


def for_stan(named: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return parameters laid out as in the Stan programs."""
    moved = {
        name: np.moveaxis(named[name], axis, 0)
        for name, axis in _SLOPE_AXIS.items()
        if name in named
    }
    return {name: np.asarray(value).tolist() for name, value in (named | moved).items()}


def _on_natural_scale(model: pm.Model, point: np.ndarray) -> dict[str, np.ndarray]:
    back = {"NoneType": np.asarray, "LogTransform": np.exp, "LogOddsTransform": expit}
    values = {}
    where = places(model)
    for variable in model.free_RVs:
        place, shape = where[variable.name]
        kind = type(model.rvs_to_transforms[variable]).__name__
        values[variable.name] = back[kind](point[place].reshape(shape))
    return values


def _cholesky(partial: np.ndarray, count: int) -> np.ndarray:
    """Return the Cholesky factor of a correlation from its partial correlations, row by row."""
    factor, position = np.zeros((count, count)), 0
    for row in range(count):
        left = 1.0
        for column in range(row):
            factor[row, column] = left * partial[position]
            left *= np.sqrt(1 - partial[position] ** 2)
            position += 1
        factor[row, row] = left
    return factor


def _unrotated(
    data: LawData, along: np.ndarray, within: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return lineage and family levels in the plain coding, from along and across the means."""
    lineage = data.lineage_of_family
    members = np.bincount(lineage, minlength=data.sizes["lineages"])[:, None].astype(float)
    mean = np.zeros((len(members), within.shape[1]))
    np.add.at(mean, lineage, within)
    mean /= members
    across = np.sqrt(members) * mean
    between, rest = np.sqrt(share), np.sqrt((1 - share) / members)
    spread = np.sqrt(share + (1 - share) / members)
    level = (between * along - rest * across) / spread
    own = (rest * along + between * across) / spread
    return level, within + (own / np.sqrt(members) - mean)[lineage]
