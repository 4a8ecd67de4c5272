"""Resampling of weighted draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def resampled(weight: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the ascending indices of as many draws as there are, resampled by their weights.

    Systematic resampling (evenly spaced points with one random offset) has the least noise. But if
    draws are in the order of their chains, the points can be in phase with a pattern of the
    weights, so that whole groups of draws come too often. The draws are therefore put in random
    order first.

    Parameters
    ----------
    weight
        Weights of the draws, shape (sample,); they need not sum to 1.
    rng
        Source of random numbers.

    References
    ----------
    Douc, Cappé and Moulines 2005, "Comparison of resampling schemes for particle filtering"
    (arXiv:cs/0507025), section 3.4.
    """
    order = rng.permutation(len(weight))
    edges = np.cumsum(weight[order] / weight.sum())
    points = (np.arange(len(weight)) + rng.random()) / len(weight)
    places = np.minimum(np.searchsorted(edges, points), len(weight) - 1)
    return np.sort(order[places]).astype(np.int64)
