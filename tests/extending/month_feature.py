"""A kind of feature from outside the package: months on a circle, with two covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.extend import FEATURES, FeatureKind, Problem, at_cell, is_missing


@FEATURES.add
@dataclass(frozen=True)
class Month(FeatureKind):
    """A month from 1 to 12; its covariates are the sine and cosine, centred and scaled."""

    kind: ClassVar[str] = "month"

    def read(self, column: pd.Series, labels: Sequence[str]) -> tuple[Any, list[Problem]]:
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
        values = np.where((values >= 1) & (values <= 12), values, np.nan)
        bad = [row for row in np.flatnonzero(np.isnan(values)) if not is_missing(column.iloc[row])]
        rule = "Expected a month from 1 to 12."
        return values, [at_cell(r, labels[r], self.name, column.iloc[r], rule) for r in bad]

    def bases(self) -> tuple[str, ...]:
        return (f"{self.name}_sin", f"{self.name}_cos")

    def raw(self, table: xr.Dataset, base: str) -> Any:
        if self.variable not in table:
            return np.full(table.sizes["model"], np.nan)
        angle = 2 * np.pi * table[self.variable].to_numpy() / 12
        return np.sin(angle) if base.endswith("_sin") else np.cos(angle)

    def typical(self, table: xr.Dataset) -> Any:
        return np.array([float(np.nanmedian(table[self.variable].to_numpy()))])

    def range_of(self, table: xr.Dataset) -> tuple[str, str]:
        months = table[self.variable].to_numpy()
        return f"{months.min():g}", f"{months.max():g}"
