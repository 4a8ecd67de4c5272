"""Releases: how many a year a table has, and those to come after its last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.releases import features_of_models, release_of_rows
from latentscale.dims import MODEL, SAMPLE
from latentscale.errors import DataError, SpecError
from latentscale.model.left_open import with_drawn_features
from latentscale.posterior.fit import Fit
from latentscale.validate import real_number

RELEASED = "released"
YEAR = pd.Timedelta(days=365.25).to_numpy()
_ROUNDING = 1e-9
"""Relative tolerance: a release due on the last date itself counts, despite rounding of its
date."""
CANDIDATES = 3
"""Candidates for each release that is due, one of which comes in a draw on average: the variance of
their number is then two thirds of that of a Poisson process, and more of them take longer."""
_MOST_ROWS = 3000
"""Rows simulated, which takes some seconds: ten years of a hub of 300 rows a year."""


@dataclass(frozen=True)
class ReleasesToCome:
    """Releases that are simulated after the last fitted one.

    Attributes
    ----------
    rows
        One row per setting of a release, as planned models: model, family, features, released.
    release
        Name of each row's release, shape (row,): rows of one release share its deviations.
    """

    rows: pd.DataFrame
    release: np.ndarray

    @property
    def names(self) -> list[str]:
        """Names of the releases, the earliest first."""
        return list(dict.fromkeys(self.release.tolist()))

    def part(self, some: slice) -> ReleasesToCome:
        """Return some of the releases, by their places."""
        mine = np.isin(self.release, self.names[some])
        return ReleasesToCome(self.rows[mine].reset_index(drop=True), self.release[mine])

    def of_rows(self, of_releases: xr.Dataset) -> xr.Dataset:
        """Return for every row what its release has, dims (model, ...); empty of nothing."""
        if not of_releases.data_vars:
            return of_releases
        repeated = of_releases.sel({MODEL: self.release})
        return repeated.assign_coords({MODEL: self.rows[MODEL].to_numpy()})


def with_drawn_releases(
    fit: Fit,
    draws: xr.Dataset,
    coming: ReleasesToCome,
    planned: xr.Dataset,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Return draws that also hold what releases to come leave open: tokens and missing features.

    Each release has one value a draw, which the rows of all its settings share. Releases are
    drawn in their order, so that those up to a date have the same values however many follow.

    Parameters
    ----------
    fit
        A fit.
    draws
        Its draws, dims (sample, ...).
    coming
        The releases.
    planned
        Their rows as checked for a forecast, dims (model,).
    rng
        Source of random numbers.
    """
    spec, transform = fit.spec, fit.transform
    for name in coming.names:  # which is also that of its first row
        only = planned.sel({MODEL: [name]})
        draws = with_drawn_features(spec, transform, draws, only, {}, rng)
    pairs = zip(planned[MODEL].values.tolist(), coming.release.tolist(), strict=True)
    first = {row: release for row, release in pairs if row != release}
    return with_drawn_features(spec, transform, draws, planned, first, rng)


def releases_a_year(per_year: float | None, fit: Fit, released: np.ndarray) -> float:
    """Return the number of releases a year: that given, or that of the last year fitted.

    Raises
    ------
    DataError
        If a number is given that is not one or below 0.
    """
    if per_year is not None:
        return real_number(per_year, "per_year", least=0, error=DataError)
    recent = released > np.nanmax(released) - YEAR
    return float(len(np.unique(release_of_rows(features_of_models(fit.scores))[recent])))


def releases_to_come(
    fit: Fit, released: np.ndarray, until: np.datetime64, rate: float
) -> ReleasesToCome | None:
    """Return releases up to a date, resembling in turn the releases of the last fitted year.

    The turns begin with the latest and spread over the year, so that releases of a few weeks are
    of the kinds that the whole year has, and no provider waits for all others. They are evenly
    spaced, `rate` a year, from the last fitted release on; of more than can be simulated as many
    as can, evenly spaced up to the date. None where none is due by then.

    Raises
    ------
    DataError
        If more are due than can be simulated.
    SpecError
        If the spec has no covariate that rises with dates.
    """
    if not any(RELEASED in name.split(":") for name in fit.spec.covariates):
        raise SpecError(
            f'The spec "{fit.spec.name}" has no covariate "released", so it says nothing about '
            "dates after the last release. Add it to the covariates, or fit "
            'load_spec("capabilities").'
        )
    last = np.nanmax(released)
    rows = features_of_models(fit.scores)
    of_rows = release_of_rows(rows)
    latest_first = np.argsort(-released.astype("int64"), kind="stable")
    recent = [int(place) for place in latest_first if released[place] > last - YEAR]
    alike = [np.flatnonzero(of_rows == one) for one in dict.fromkeys(of_rows[recent])]
    like = [alike[turn] for turn in spread_order(len(alike))]
    span = (until - last) / YEAR
    # One interval after the last fitted release, and so on: what is asked of later dates does not
    # move the releases before them.
    count = int(np.floor(rate * span * (1 + _ROUNDING)))
    most = max(1, _MOST_ROWS * len(like) // len(recent))
    if count > CANDIDATES * most:  # of which fewer would come than the headline says
        raise DataError(
            f"{rate / CANDIDATES:.6g} releases a year (per_year) up to {str(until)[:10]} are "
            f"{count // CANDIDATES}, more than the {most} that can be simulated. Give earlier "
            "dates, or a smaller per_year."
        )
    apart = 1 / rate if count <= most else span / most
    count = min(count, most)
    if not count:
        return None
    places = [like[turn % len(like)] for turn in range(count)]
    which = np.repeat(np.arange(count), [len(place) for place in places])
    names = np.array([f"release {turn + 1} to come" for turn in range(count)])
    seconds = YEAR.astype("timedelta64[s]").astype(float)
    days = last + ((which + 1) * apart * seconds).astype("timedelta64[s]")
    taken = rows.iloc[np.concatenate(places)].reset_index(drop=True)
    labels = _labels(names, which)
    return ReleasesToCome(taken.assign(**{MODEL: labels, RELEASED: days}), names[which])


def drawn_to_come(
    coming: ReleasesToCome, rate: float, span: np.timedelta64, count: int, rng: np.random.Generator
) -> xr.DataArray:
    """Return which rows come in which draw, dims (model, sample): their schedule is not known.

    Parameters
    ----------
    coming
        Candidates: `CANDIDATES` times as many as are due, or as many as can be simulated.
    rate, span
        Releases due a year, and the time up to the last date.
    count
        Number of draws.
    rng
        Source of random numbers; candidates up to a date have theirs, however many follow.
    """
    names = coming.names
    share = min(1.0, max(1 / CANDIDATES, rate * (span / YEAR) / (len(names) + 1)))
    drawn = rng.spawn(1)[0].random((len(names), count)) < share
    of_row = pd.Index(names).get_indexer(coming.release)
    return xr.DataArray(drawn[of_row], dims=(MODEL, SAMPLE))


def spread_order(count: int) -> list[int]:
    """Return the numbers below `count` in an order in which any first few are spread over all.

    The van der Corput sequence: numbers by their binary digits in reverse.
    """
    digits = (count - 1).bit_length()
    turned = (int(f"{turn:0{digits}b}"[::-1], 2) for turn in range(2**digits))
    return [number for number in turned if number < count]


def _labels(names: np.ndarray, which: np.ndarray) -> list[str]:
    """Return a name for every row: its release's, numbered where that has several."""
    turn = pd.Series(which).groupby(which).cumcount()
    return [
        f"{names[one]}, {place + 1}" if place else str(names[one])
        for one, place in zip(which, turn, strict=True)
    ]
