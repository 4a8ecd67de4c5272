"""Categories: levels without an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.columns import cells_of, distinct_cells, missing, of_kind, read_names
from latentscale.data.features.base import (
    AS_LEVEL,
    FEATURES,
    LEAVE_OUT,
    Feature,
    FeatureKind,
    Floats,
)
from latentscale.data.problems import Problem, at_cell
from latentscale.errors import SpecError, listed, nearest

MISSING: Final = "(missing)"
"""The level of models that leave the category empty, if empty cells are a level of their own."""
POOLED: Final = "pooled"
REFERENCE: Final = "reference"
CODINGS: Final = (POOLED, REFERENCE)
SIZE_CLASSES: Final = ("nano", "mini", "small", "medium", "large")
"""Size classes of models, in order."""
UNKNOWN: Final = "unknown"
"""Size class of a model whose name states neither a size nor a word for one."""
SIZE_LEVELS: Final = (*SIZE_CLASSES, UNKNOWN)
"""Levels of the category size_class."""
_LEVELS_OF: Final = {"size_class": SIZE_LEVELS}
"""Levels of categories that the package knows, allowed where a declaration states none."""


def levels_of(table: xr.Dataset, variable: str, *, missing: str) -> npt.NDArray[np.object_]:
    """Return each model's level, an empty string where it has none.

    Parameters
    ----------
    table
        The variables of models, dims (model,).
    variable
        The category's variable; a table without it has no levels.
    missing
        The level of models that leave it empty.
    """
    if variable not in table:
        return np.full(table.sizes["model"], missing, dtype=object)
    cells = table[variable].to_numpy().astype(object)
    return np.where(cells == "", missing, cells)


def read_levels(
    column: pd.Series, labels: Sequence[str], name: str, allowed: Sequence[str], remedy: str = ""
) -> tuple[pd.Series, list[Problem]]:
    """Read a column of level names; whole numbers and truth values are names as well.

    A `remedy` ends the message on a level that is not among those allowed.
    """
    cells = cells_of(column).copy()
    others = ~(of_kind(cells, str) | missing(cells))
    for row in np.flatnonzero(others).tolist():  # a cell may hold a list
        cells[row] = _as_text(cells[row])
    names, problems, _ = read_names(pd.Series(cells, dtype=object), labels, name)
    levels = pd.Series(names, dtype=object).replace("", None)
    if allowed:
        for row in np.flatnonzero(levels.notna() & ~levels.isin(allowed)).tolist():
            rule = f"Allowed levels: {listed(allowed, 20)}.{nearest(names[row], allowed)}{remedy}"
            problems.append(at_cell(row, labels[row], name, names[row], rule))
    return levels, problems


@FEATURES.add
@dataclass(frozen=True)
class Category(FeatureKind):
    """A level's name; levels have partially pooled effects on skills, or a covariate each."""

    kind: ClassVar[str] = "category"
    settings: ClassVar[tuple[str, ...]] = ("levels", "coding")
    if_missing: ClassVar[tuple[str, ...]] = (LEAVE_OUT, AS_LEVEL)
    centred: ClassVar[bool] = False
    place: ClassVar[int] = 40

    @classmethod
    def check(cls, feature: Feature) -> None:
        """Refuse a coding that is not known."""
        super().check(feature)
        if feature.coding not in (None, *CODINGS):
            raise SpecError(
                f'Feature "{feature.name}": coding "{feature.coding}" is not known; allowed are '
                f"{listed(CODINGS)}." + nearest(str(feature.coding), CODINGS)
            )
        for level in feature.levels:
            if ":" in level:
                raise SpecError(
                    f'Feature "{feature.name}": the level "{level}" holds ":", with which products '
                    "of covariates are written; rename it."
                )

    @classmethod
    def occurs_in(cls, column: pd.Series) -> bool:
        """Return whether every cell that is filled is text."""
        cells = distinct_cells(column)
        return bool(cells) and all(isinstance(cell, str) for cell in cells)

    @property
    def pooled(self) -> bool:
        """Whether the levels' effects are partially pooled."""
        return self.feature.coding != REFERENCE

    @property
    def missing_level(self) -> str:
        """The level of models that leave it empty; an empty string where these are left out."""
        return MISSING if self.feature.missing == AS_LEVEL else ""

    def read(self, column: pd.Series, labels: Sequence[str]) -> tuple[pd.Series, list[Problem]]:
        """Read names of levels."""
        known = () if self.feature.levels else _LEVELS_OF.get(self.name, ())
        others = (
            f' For others declare Feature("{self.name}", "category", levels=[...]) when the table '
            "of scores is read."
            if known
            else ""
        )
        return read_levels(column, labels, self.name, self.feature.levels or known, others)

    def kept(self, values: pd.Series | None, rows: int) -> npt.NDArray[Any]:
        """Return levels, empty strings where not given."""
        if values is None:
            return np.full(rows, "", dtype=np.str_)
        return values.astype(object).fillna("").to_numpy(dtype=np.str_)

    def cells(self, kept: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return names of levels, None where not given."""
        return np.array([str(level) or None for level in kept], dtype=object)

    def levels(self, table: xr.Dataset) -> npt.NDArray[np.object_]:
        """Return each model's level, an empty string where it is not known."""
        return levels_of(table, self.variable, missing=self.missing_level)

    def given(self, table: xr.Dataset) -> npt.NDArray[np.bool_]:
        """Return which models have a level."""
        return np.asarray(self.levels(table) != "", dtype=bool)

    def settled(self, table: xr.Dataset) -> FeatureKind:
        """Return the category with the levels of the fitted models, declared ones first."""
        seen = {str(level) for level in self.levels(table)} - {""}
        stated = [level for level in self.feature.levels if level in seen]
        levels = (*stated, *sorted(seen - set(stated)))
        return replace(self, feature=replace(self.feature, levels=levels))

    def bases(self) -> tuple[str, ...]:
        """Return the covariates of a reference-coded category: one per level except the first."""
        if self.pooled:
            return ()
        return tuple(f"{self.name}={level}" for level in self.feature.levels[1:])

    def gives(self, base: str) -> bool:
        """Return whether a covariate belongs to a level."""
        name, equals, level = base.partition("=")
        levels = self.feature.levels
        named = bool(equals) and name == self.name and not self.pooled
        return named and (level in levels or not levels)

    @property
    def is_single(self) -> bool:
        """Whether the name means one number; a category's name means its levels."""
        return False

    def typical(self, table: xr.Dataset) -> npt.NDArray[Any]:
        """Return the commonest level; the first by name if several tie."""
        levels = pd.Series(self.levels(table)).value_counts().sort_index()
        commonest = str(levels.idxmax())
        return np.array(["" if commonest == MISSING else commonest], dtype=np.str_)

    def range_of(self, table: xr.Dataset) -> tuple[str, str]:
        """Return how many levels there are, and the commonest."""
        levels = pd.Series(self.levels(table)).value_counts(sort=True)
        return f"{len(levels)} levels", f"mostly {levels.index[0]}"

    def raw(self, table: xr.Dataset, base: str) -> Floats:
        """Return 1 for models of a level, 0 for other models, NaN where the level is not known."""
        levels = self.levels(table)
        is_level = (levels == base.partition("=")[2]).astype(float)
        fitted = np.isin(levels.astype(str), self.feature.levels)
        return np.where(fitted, is_level, np.nan)


def _as_text(cell: Any) -> Any:
    if isinstance(cell, bool | np.bool_):
        return "yes" if cell else "no"
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return cell
