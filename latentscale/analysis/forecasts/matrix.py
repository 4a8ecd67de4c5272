"""The design matrix of a group's latents: their coefficients in the cells' linear predictors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.groups import Group
from latentscale.dims import MODEL, SAMPLE

Floats = npt.NDArray[np.float64]


def matrix_of(
    group: Group,
    linked: Mapping[str, npt.NDArray[np.int64]],
    base: xr.Dataset,
    free: npt.NDArray[np.bool_],
    at: Callable[[xr.Dataset], Floats],
    offset: Floats,
) -> Floats:
    """Return coefficients of free latents in the linear predictors, (sample, cell, free latent).

    They are found by adding 1 to latents. An effect by model affects only that model and those that
    it is linked with, so the effects of unlinked models are moved together.

    Parameters
    ----------
    group, free
        As in `LocalProblem`.
    linked
        From `linked_rows`, for each effect by model.
    base
        Raw latents to which 1 is added, dims (sample, ...).
    at
        Returns the linear predictors of the cells, (sample, cell), at raw latents.
    offset
        The linear predictors at `base`.
    """
    column = np.cumsum(free) - 1
    matrix = np.zeros((*offset.shape, int(free.sum())))
    first = 0
    for name, variable in base.isel({SAMPLE: 0}, missing_dims="ignore").data_vars.items():
        places = first + np.arange(variable.size)
        first += variable.size
        of_cell = np.zeros((1, len(group.score)), dtype=np.int64)
        if str(name) in linked:
            row = variable.get_index(MODEL).get_indexer(group.model_of_cell)
            of_cell = _turns(linked[str(name)])[:, row]
        rows = variable.sizes[MODEL] if str(name) in linked else 1
        for turn in of_cell:
            for together in places.reshape(rows, -1).T:
                cells = np.flatnonzero((turn >= 0) & free[together[turn]])
                if not len(cells):
                    continue
                mine = np.isin(places, together[np.unique(turn[cells])])
                unit = variable.copy(data=mine.reshape(variable.shape) * 1.0)
                change = at(base.assign({name: base[name] + unit})) - offset
                matrix[:, cells, column[together[turn[cells]]]] = change[:, cells]
    return matrix


def _turns(number: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the members of each row's group, one per turn, (turn, row); -1 if there are fewer."""
    _, of_row = np.unique(number, return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    size = np.bincount(of_row)
    turn = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    member = np.full((size.max(initial=1), len(size)), -1)
    member[turn, of_row[order]] = order
    return member[:, of_row]
