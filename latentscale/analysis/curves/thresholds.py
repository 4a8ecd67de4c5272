"""Thresholds: scores to reach, checked on the scale of their benchmark."""

from __future__ import annotations

import numpy as np
import xarray as xr

from latentscale.analysis.tools.units import other_units
from latentscale.data.scales.base import Scale
from latentscale.data.scaling import lower_is_better, scales_of
from latentscale.errors import DataError, FitError, listed, nearest
from latentscale.posterior.fit import Fit
from latentscale.validate import is_number


def need_posterior(fit: Fit) -> None:
    """Refuse a point estimate, which does not give probabilities."""
    if not fit.is_posterior:
        raise FitError(
            "This fit is a point estimate, without uncertainty; fit with NUTS to get "
            "probabilities and intervals."
        )


def check_benchmark(fit: Fit, benchmark: str) -> None:
    """Refuse the name of a benchmark that was not fitted."""
    names = fit.scores.benchmarks
    if benchmark not in names:
        raise DataError(
            f'Benchmark "{benchmark}" is not in the fit, which has {listed(names, 20)}.'
            + nearest(str(benchmark), names)
        )


def signs(fit: Fit) -> xr.DataArray:
    """Return -1 for benchmarks on which lower is better, 1 for others, dims (benchmark,)."""
    sign: xr.DataArray = xr.where(lower_is_better(fit.scores.dataset), -1.0, 1.0)
    return sign


def check_on_scale(fit: Fit, benchmark: str, what: str, value: object) -> None:
    """Refuse a value that is not a score of a benchmark; fractions are strictly within (0, 1)."""
    scale = scales_of(fit.scores.dataset)[benchmark]
    check_score(scale, other_units(fit.scores).get(benchmark, ""), what, value)


def check_score(scale: Scale, unit: str, what: str, value: object) -> None:
    """Refuse a value that is not a score of a scale; `unit` is the unit of other scores."""
    given = float(value) if is_number(value) else float("nan")  # type: ignore[arg-type]
    if scale.bounded is not None:
        if not 0 < given < 1:
            hint = " If it is a percentage, divide it by 100." if 1 < given <= 100 else ""
            raise DataError(
                f"{what} must be a fraction strictly between 0 and 1; got {value!r}.{hint}"
            )
        return
    if not np.isfinite(given) or scale.problems(np.array([given]), [0], [""], what):
        raise DataError(f'{what} must be a score of scale "{scale.kind}" ({unit}); got {value!r}.')
