"""Modes: whether draws form one group or several separate ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy.cluster.vq import kmeans2

from latentscale.dims import CHAIN, DRAW

APART = 5.0
"""Distance of two groups' means, in standard deviations within groups, above which they are
separate.

Halves of one Gaussian are 2.6 apart, halves of a uniform distribution 3.5.
"""
_LEAST = 0.02
"""Smallest share of the draws in a group: a smaller one hardly affects any interval."""
_FEWEST_DRAWS = 20
"""With fewer draws, standard deviations within groups are too uncertain for comparing means."""
_TRIES = 5
"""Random starts of k-means: the best of five splits is rarely worse than the optimum."""
_MOST = 6
"""Most groups to look for; with more, the fit has failed, whatever their number."""


def find_modes(values: xr.DataArray) -> pd.DataFrame:
    """Split draws into separate groups, if they fall into any.

    Values are scaled by their standard deviations within chains and split in two by k-means. The
    split is kept if the groups are at least `APART` standard deviations apart along the line
    between their means and the smaller has at least 2% of the draws. Each part is then split in the
    same way.

    Parameters
    ----------
    values
        Draws, dims (chain, draw, ...).

    Returns
    -------
    One row per group, largest first: mode (from 1), share of all draws, and a column ``chain <k>``
    for each chain with the share of its draws. k is the chain's label, as in `Fit.with_chains`, or
    is counted from 0 if chains do not have labels.
    """
    ordered = values.transpose(CHAIN, DRAW, ...)
    spread = ordered.std(DRAW).mean(CHAIN)
    scaled = ordered / spread.where(spread > 0, 1.0)
    chains, draws = ordered.sizes[CHAIN], ordered.sizes[DRAW]
    points = scaled.values.reshape(chains * draws, -1)
    label = np.zeros(len(points), dtype=int)
    pending = [0]
    while pending and label.max() + 1 < _MOST:
        here = np.nonzero(label == pending.pop())[0]
        second = _split(points[here], max(_LEAST * len(points), 2))
        if second is not None:
            new = int(label.max()) + 1
            pending += [int(label[here[0]]), new]
            label[here[second]] = new
    by_chain = label.reshape(chains, draws)
    numbers = ordered[CHAIN].values  # 0, 1, ... without labels
    rows = []
    for mode in np.argsort(-np.bincount(label), kind="stable"):
        own = (by_chain == mode).mean(axis=1)
        columns = {
            f"{CHAIN} {number}": float(share) for number, share in zip(numbers, own, strict=True)
        }
        rows.append({"share": float((label == mode).mean()), **columns})
    table = pd.DataFrame(rows)
    table.insert(0, "mode", np.arange(1, len(table) + 1))
    return table


def _split(points: np.ndarray, least: float) -> np.ndarray | None:
    """Return which points form a second group, or None if they are one group."""
    if len(points) < _FEWEST_DRAWS or points.std(axis=0).max() == 0:
        return None
    tries = []
    for seed in range(_TRIES):
        centres, label = kmeans2(points, 2, minit="++", seed=seed)
        tries.append((float(np.square(points - centres[label]).sum()), label))
    label = min(tries, key=lambda attempt: attempt[0])[1]
    second = label == 1
    if min(second.sum(), (~second).sum()) < least:
        return None
    axis = points[second].mean(axis=0) - points[~second].mean(axis=0)
    along = points @ (axis / np.linalg.norm(axis))
    between = along[second].mean() - along[~second].mean()
    within = np.sqrt((along[second].var() + along[~second].var()) / 2)
    return second if between > APART * within else None
