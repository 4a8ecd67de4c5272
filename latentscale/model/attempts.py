"""Several attempts per item: pass@k if items' success rates are Beta around the mean.

The term `latentscale.model.terms.attempts` declares the spread of the rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of

ATTEMPTS: Final = "attempts"
"""Attempts per item of each benchmark, dims (benchmark,)."""
OF: Final = "task"
"""The name of each benchmark's task; empty if the benchmark is its own task."""
FIRST: Final = "attempts_first"
"""Index of the benchmark whose linear predictor each benchmark uses, dims (benchmark,)."""
SPREAD: Final = "item_spread"
"""Concentration of items' success rates, dims (benchmark,)."""


OFFSET: Final = "source_offset"
"""Offset of a source in the linear predictor of its benchmarks, dims (benchmark,)."""


def first_of_each(table: xr.Dataset) -> npt.NDArray[np.int64]:
    """Return the index of the first benchmark of each benchmark's task, shape (benchmark,).

    This is the benchmark after which the task is named, if the table has it.
    """
    names = [str(name) for name in table[BENCHMARK].values]
    of = [str(name) for name in table[OF].values] if OF in table else [""] * len(names)
    tasks = [task or name for task, name in zip(of, names, strict=True)]
    place = {task: names.index(task) if task in names else tasks.index(task) for task in tasks}
    return np.array([place[task] for task in tasks], dtype="int64")


def of_first[Array: Named](values: Mapping[str, Array], eta: Array) -> Array:
    """Return linear predictors in which all benchmarks of a task have that of its first.

    The offsets of sources are added if `values` has ``source_offset``. Without ``attempts_first``
    in `values`, or without a dim benchmark, `eta` is returned.
    """
    if FIRST not in values or BENCHMARK not in getattr(eta, "dims", ()):
        return eta
    total: Any
    if isinstance(eta, xr.DataArray):
        names = eta[BENCHMARK].values
        index = xr.DataArray(np.asarray(values[FIRST]), dims=(BENCHMARK,))
        total = eta.isel({BENCHMARK: index}).assign_coords({BENCHMARK: names})
    else:
        total = eta.isel({BENCHMARK: values[FIRST]})
    return cast("Array", total + values[OFFSET] if OFFSET in values else total)


def over_attempts(mean: Named, spread: Named, attempts: Named) -> Named:
    """Return E[1 - (1 - p)^k] for p Beta(mean s, (1 - mean) s): the expected pass@k.

    Parameters
    ----------
    mean
        Expected pass@1, inside (0, 1).
    spread, attempts
        s and k, with dims that broadcast against those of `mean`.
    """
    maths = maths_of(mean)
    failure = (1 - mean) * spread
    log_all_fail = (
        maths.gammaln(failure + attempts)
        - maths.gammaln(failure)
        - maths.gammaln(spread + attempts)
        + maths.gammaln(spread)
    )
    return -maths.expm1(log_all_fail)
