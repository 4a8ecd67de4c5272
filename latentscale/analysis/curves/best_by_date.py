"""The best of several models by date, and which model leads, overall and by level of a category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.dims import MODEL, SAMPLE
from latentscale.errors import DataError

DATE = "date"


@dataclass(frozen=True)
class Best:
    """The best value by date.

    Attributes
    ----------
    draws
        Best value over all models, dims (sample, date) or (sample, level, date).
    leader_draws
        Value of the leading fitted model, same dims.
    leaders
        Columns date, model (the leader) and probability_new, preceded by the level if there are
        levels.
    """

    draws: xr.DataArray
    leader_draws: xr.DataArray
    leaders: pd.DataFrame


def best_by_level(
    when: np.ndarray,
    fitted: tuple[xr.DataArray, np.ndarray],
    later: tuple[xr.DataArray, np.ndarray] | None,
    sign: float,
    groups: tuple[str, np.ndarray, np.ndarray],
) -> Best:
    """Return `best_by_date` by level, dims (sample, level, date), the best at the last date first.

    `groups` has the name of the dim, and the levels of fitted models and of future releases.
    """
    by, levels, coming = groups
    parts, leading, leaders = [], [], []
    for level in dict.fromkeys(value for value in levels if value is not None):
        own = np.flatnonzero(levels == level)
        dates = fitted[1][own]
        begun = when[when >= np.nanmin(dates)] if not np.isnat(dates).all() else when[:0]
        if not len(begun):
            continue
        new = None
        if later is not None:
            mine = np.flatnonzero(coming == level)
            new = (later[0].isel({MODEL: mine}), later[1][mine])
        best = best_by_date(begun, (fitted[0].isel({MODEL: own}), dates), new, sign)
        parts.append(best.draws.reindex({DATE: when}).expand_dims({by: [level]}))
        leading.append(best.leader_draws.reindex({DATE: when}).expand_dims({by: [level]}))
        leaders.append(best.leaders.assign(**{by: level}))
    if not parts:
        raise DataError(
            f"No model with a {by} was released by {str(when.max())[:10]}; give later dates."
        )
    order = np.argsort([-sign * float(part.isel({DATE: -1}).median()) for part in parts])
    draws, of_leaders = (
        xr.concat([several[place] for place in order], dim=by).transpose(SAMPLE, by, DATE)
        for several in (parts, leading)
    )
    table = pd.concat([leaders[place] for place in order], ignore_index=True)
    return Best(draws, of_leaders, table[[by, DATE, MODEL, "probability_new"]])


def best_by_date(
    when: np.ndarray,
    fitted: tuple[xr.DataArray, np.ndarray],
    later: tuple[xr.DataArray, np.ndarray] | None,
    sign: float,
) -> Best:
    """Return the best value by date, and the fitted model that leads.

    Parameters
    ----------
    when
        The dates.
    fitted, later
        Values of fitted models and of future releases, dims (sample, model), with their dates.
    sign
        1 if higher is better, -1 if lower is better.
    """
    columns, leading, leaders = [], [], []
    for date in when:
        old = (sign * fitted[0]).isel({MODEL: np.flatnonzero(fitted[1] <= date)})
        best, share = old.max(MODEL), 0.0
        first = int(np.argmax(old.mean(SAMPLE).values))
        leader = str(old[MODEL].values[first])
        leading.append(sign * old.isel({MODEL: first}, drop=True))
        new = np.zeros(0, int) if later is None else np.flatnonzero(later[1] <= date)
        if later is not None and len(new):
            candidate = (sign * later[0]).isel({MODEL: new}).max(MODEL)
            share = float((candidate > best).mean())
            best = xr.where(candidate > best, candidate, best)
        columns.append(sign * best)
        leaders.append((date, leader, share))
    draws, of_leaders = (
        xr.concat(several, dim=DATE).assign_coords({DATE: when}).transpose(SAMPLE, DATE)
        for several in (columns, leading)
    )
    return Best(draws, of_leaders, pd.DataFrame(leaders, columns=[DATE, MODEL, "probability_new"]))
