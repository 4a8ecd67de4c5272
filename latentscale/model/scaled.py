"""Scores that are not fractions: their expected values, and constants from the table.

The scales themselves are in `latentscale.data.scales`; here their centre and step enter the
equations. A table of plain fractions, and its model, have none of these variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from latentscale.data.scales.base import SCALES, Scale, scale_of
from latentscale.data.scaling import CENTRE, STEP, best_of, scales_of
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of

CODE = "scale_code"
"""Index of each benchmark's scale, from 1, among the unbounded ones by name; 0 for a fraction."""
CEILING = "ceiling"
_FARTHEST = 50.0  # standard deviations from the centre: beyond any score, but exp stays finite


def known_curve(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the constants of curves that a table states, each with dims (benchmark,).

    They are ``floor``; ``ceiling``, the best score, unless it is 1 for all benchmarks; and
    ``centre``, ``step`` and ``scale_code`` if some scores are not fractions.

    Parameters
    ----------
    dataset
        Scores with centre and step (`latentscale.data.scaling.standardised`).
    """
    curve = {"floor": dataset["floor"]}
    best = best_of(dataset)
    if bool((best != 1).any()):
        curve[CEILING] = best
    scales = scales_of(dataset).values()
    if any(scale.bounded is None for scale in scales):
        names = ["", *(kind for kind, _ in unbounded_scales())]
        code = [0.0 if s.bounded is not None else float(names.index(s.kind)) for s in scales]
        curve |= {CENTRE: dataset[CENTRE], STEP: dataset[STEP]}
        curve[CODE] = xr.DataArray(np.array(code), dims=(BENCHMARK,))
    coords = {BENCHMARK: dataset[BENCHMARK].values}
    return {
        name: xr.DataArray(np.asarray(array.values, dtype=float), coords, (BENCHMARK,))
        for name, array in curve.items()
    }


def unbounded_scales() -> Iterator[tuple[str, Scale]]:
    """Yield the registered unbounded scales, by name, in the order of their codes."""
    for kind in sorted(SCALES):
        if SCALES[kind].bounded is None:
            yield kind, scale_of(kind)


def on_own_scale(values: Mapping[str, Named], mean: Named, eta: Named) -> Named:
    """Return expected scores of all benchmarks, each in its own units.

    Parameters
    ----------
    values
        ``centre``, ``step`` and ``scale_code``, with dims that broadcast against those of `eta`;
        without them, `mean` is returned.
    mean
        Expected fractions.
    eta
        Linear predictor, which is the standardised score if scores are not fractions.
    """
    if CODE not in values:
        return mean
    maths = maths_of(eta)
    centred = maths.clip(eta, -_FARTHEST, _FARTHEST) * values[STEP] + values[CENTRE]
    score = mean * is_code(values[CODE], 0)
    for number, (_, scale) in enumerate(unbounded_scales(), start=1):
        mask = is_code(values[CODE], number)
        # Elsewhere 0, which every scale maps back to a finite number.
        score = score + scale.backward(centred * mask) * mask
    return score


def is_code(code: Named, number: int) -> Named:
    """Return 1 where a scale's code is `number`, otherwise 0."""
    maths = maths_of(code)
    return 1 - maths.minimum(maths.abs(code - number), 1.0)


def forwarded(code: Named, score: Named) -> tuple[Named, Named]:
    """Return scores on the scale that is standardised, and the transformation's log slope.

    Both are 0 for fractions.
    """
    value: Any = 0.0
    slope: Any = 0.0
    for number, (_, scale) in enumerate(unbounded_scales(), start=1):
        mask = is_code(code, number)
        # 1 is a score that every scale allows.
        safe = score * mask + (1 - mask)
        value = value + scale.forward(safe) * mask
        slope = slope + scale.log_slope(safe) * mask
    return value, slope


def without_bounds(code: xr.DataArray | None, score: xr.DataArray) -> xr.DataArray:
    """Return scores of draws on the scale that is standardised; fractions do not change.

    Parameters
    ----------
    code
        As for `forwarded`; None if all scores are fractions.
    score
        Scores, dims that include those of `code`.
    """
    if code is None:
        return score
    value, _ = forwarded(code, score)
    return score.where(code == 0, value)


def backwarded(code: Named, value: Named) -> Named:
    """Return the scores that `forwarded` maps to `value`; 0 for fractions."""
    score: Any = 0.0
    for number, (_, scale) in enumerate(unbounded_scales(), start=1):
        mask = is_code(code, number)
        score = score + scale.backward(value * mask) * mask
    return score
