"""Thinning: some of many indices, evenly spread from the first to the last."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def evenly_spread(total: int, most: int) -> npt.NDArray[np.int64]:
    """Return at most `most` of the indices 0 to `total` - 1, each once and in order.

    Examples
    --------
    >>> evenly_spread(10, 4).tolist(), evenly_spread(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return np.linspace(0, total - 1, min(most, total)).round().astype(np.int64)
