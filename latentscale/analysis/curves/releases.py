"""Releases: how many per year a table has, and simulated releases after its last one."""

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
"""Relative tolerance, so that a release due on the last date counts despite rounding of its
date."""
CANDIDATES = 3
"""Candidates for each release that is due, one of which occurs in a draw on average: the variance
of their number is then two thirds of that of a Poisson process, and more would take longer."""
_MOST_ROWS = 3000
"""Most rows to simulate, which takes a few seconds: ten years of a hub with 300 rows a year."""


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
        """Return some of the releases, by position."""
        mine = np.isin(self.release, self.names[some])
        return ReleasesToCome(self.rows[mine].reset_index(drop=True), self.release[mine])

    def of_rows(self, of_releases: xr.Dataset) -> xr.Dataset:
        """Return each row's values from its release, dims (model, ...); empty if there are none."""
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
    """Return draws with values of future releases' undisclosed tokens and missing features added.

    Each release has one value per draw, which all its settings share. Releases are drawn in order,
    so that the values of those up to a date do not depend on how many follow.

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
    for name in coming.names:  # a release is named after its first row
        only = planned.sel({MODEL: [name]})
        draws = with_drawn_features(spec, transform, draws, only, {}, rng)
    pairs = zip(planned[MODEL].values.tolist(), coming.release.tolist(), strict=True)
    first = {row: release for row, release in pairs if row != release}
    return with_drawn_features(spec, transform, draws, planned, first, rng)


def releases_a_year(per_year: float | None, fit: Fit, released: np.ndarray) -> float:
    """Return the number of releases per year: as given, or that of the last fitted year.

    Raises
    ------
    DataError
        If it is not a number or is below 0.
    """
    if per_year is not None:
        return real_number(per_year, "per_year", least=0, error=DataError)
    recent = released > np.nanmax(released) - YEAR
    return float(len(np.unique(release_of_rows(features_of_models(fit.scores))[recent])))


def releases_to_come(
    fit: Fit, released: np.ndarray, until: np.datetime64, rate: float
) -> ReleasesToCome | None:
    """Return simulated releases up to a date, copied in turn from those of the last fitted year.

    The order begins with the latest and is spread over the year, so that the releases of a few
    weeks are a mix of the whole year's, and no provider comes last. Releases are evenly spaced,
    `rate` per year, after the last fitted one; if these are too many to simulate, as many as
    possible are evenly spaced up to the date. None if no release is due by then.

    Raises
    ------
    DataError
        If more are due than can be simulated.
    SpecError
        If the spec has no covariate that increases with dates.
    """
    if not any(RELEASED in name.split(":") for name in fit.spec.covariates):
        raise SpecError(
            f'The spec "{fit.spec.name}" has no covariate "released", so it cannot extrapolate to '
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
    # Dates are multiples of one interval after the last fitted release, so that requests for later
    # dates do not move earlier releases.
    count = int(np.floor(rate * span * (1 + _ROUNDING)))
    most = max(1, _MOST_ROWS * len(like) // len(recent))
    if count > CANDIDATES * most:  # fewer would occur than the headline says
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
    """Draw which rows occur in which draw, dims (model, sample).

    Parameters
    ----------
    coming
        Candidates: `CANDIDATES` times as many as are due, or as many as can be simulated.
    rate, span
        Releases due per year, and the time up to the last date.
    count
        Number of draws.
    rng
        Source of random numbers; those of earlier candidates do not depend on how many follow.
    """
    names = coming.names
    share = min(1.0, max(1 / CANDIDATES, rate * (span / YEAR) / (len(names) + 1)))
    drawn = rng.spawn(1)[0].random((len(names), count)) < share
    of_row = pd.Index(names).get_indexer(coming.release)
    return xr.DataArray(drawn[of_row], dims=(MODEL, SAMPLE))


def spread_order(count: int) -> list[int]:
    """Return the integers below `count` in an order whose every beginning is spread over the range.

    The van der Corput sequence: integers sorted by their reversed binary digits.
    """
    digits = (count - 1).bit_length()
    turned = (int(f"{turn:0{digits}b}"[::-1], 2) for turn in range(2**digits))
    return [number for number in turned if number < count]


def _labels(names: np.ndarray, which: np.ndarray) -> list[str]:
    """Return a name for every row: that of its release, numbered if the release has several."""
    turn = pd.Series(which).groupby(which).cumcount()
    return [
        f"{names[one]}, {place + 1}" if place else str(names[one])
        for one, place in zip(which, turn, strict=True)
    ]
