"""Resampling of weighted draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def resampled(weight: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the places of as many draws as there are, chosen by their weights, ascending.

    One random offset and evenly spaced points are the least noisy way. But over draws in the order
    of their chains these points can keep step with a pattern of the weights, and then whole groups
    of draws come too often: so the draws are taken in random order.

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
