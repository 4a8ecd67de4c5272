"""Dates: days since an origin, as years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from pandas.api.types import is_datetime64_any_dtype

from latentscale.data.audit import Finding
from latentscale.data.columns import distinct_cells, is_blank
from latentscale.data.dates import MIDDLES, middles_of, read_dates, said_of_middles
from latentscale.data.features.base import (
    ESTIMATED,
    FEATURES,
    LEAVE_OUT,
    FeatureKind,
    Floats,
)
from latentscale.data.problems import Problem

ORIGIN: Final = np.datetime64("2020-01-01", "ns")
"""Years are counted from here. It only shifts the covariate before it is centred."""
DAYS_PER_YEAR: Final = 365.25
"""Days in a year of the Julian calendar, leap years included."""


@FEATURES.add
@dataclass(frozen=True)
class Date(FeatureKind):
    """A date; its covariate is the years since 2020, centred and scaled."""

    kind: ClassVar[str] = "date"
    steps: ClassVar[bool] = True
    if_missing: ClassVar[tuple[str, ...]] = (LEAVE_OUT, ESTIMATED)
    place: ClassVar[int] = 30

    @classmethod
    def occurs_in(cls, column: pd.Series) -> bool:
        """Return whether every cell that is filled is a date."""
        if is_datetime64_any_dtype(column.dtype):
            return True
        cells = [cell for cell in distinct_cells(column) if not is_blank(cell)]
        _, problems = read_dates(pd.Series(cells, dtype=object), [""] * len(cells), "")
        return bool(cells) and not problems

    def read(
        self, column: pd.Series, labels: Sequence[str]
    ) -> tuple[npt.NDArray[np.datetime64], list[Problem]]:
        """Read dates such as 2024-07-23; a year, a quarter or a month alone means its middle."""
        return read_dates(column, labels, self.name)

    def findings(self, column: pd.Series) -> list[Finding]:
        """Return the finding that periods were read as their middle, if any were."""
        middles = middles_of(column)
        message = said_of_middles(middles)
        return [Finding("info", MIDDLES, self.name, message)] if middles else []

    def kept(self, values: pd.Series | None, rows: int) -> npt.NDArray[Any]:
        """Return dates, NaT where not given."""
        if values is None:
            return np.full(rows, np.datetime64("NaT", "ns"))
        # Cells that a forecast completes are objects, NaT among them.
        dates = pd.to_datetime(values)
        return np.asarray(dates.to_numpy(dtype="datetime64[ns]"))

    def transformed(self, values: npt.NDArray[Any]) -> Floats:
        """Return years since the origin, NaN where there is no date."""
        days = (values.astype("datetime64[ns]") - ORIGIN) / np.timedelta64(1, "D")
        return np.asarray(days, dtype=float) / DAYS_PER_YEAR

    def stepped(self, raw: Floats) -> npt.NDArray[Any]:
        """Return the dates of years since the origin, to the day."""
        days = np.round(np.asarray(raw, dtype=float) * DAYS_PER_YEAR)
        return ORIGIN + days.astype("timedelta64[D]")

    def coming(self, table: xr.Dataset) -> npt.NDArray[Any]:
        """Return the latest day: a model that follows is later than the mean."""
        return self.stepped(np.array([float(np.nanmax(self.raw(table, self.covariate)))]))

    def shown(self, raw: float) -> str:
        """Return the day."""
        return str(self.stepped(np.array([raw])).astype("datetime64[D]")[0])
