"""Feature: a column that describes models, and the base class of kinds of features.

The kinds are in ``latentscale/data/features``, one per file. Code that reads a table, standardises
covariates, marks extrapolation or steps along a curve asks the kind and keeps no list of kinds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.problems import Problem
from latentscale.errors import SpecError, listed, nearest
from latentscale.markup import call_text
from latentscale.registry import Registry
from latentscale.validate import plain_fields

Floats = npt.NDArray[np.float64]

LEAVE_OUT: Final = "leave-out"
AS_LEVEL: Final = "level"
ESTIMATED: Final = "estimated"
_RESERVED: Final = (
    *("model", "family", "lineage", "benchmark", "score", "feature", "params", "tokens"),
    *("attempts", "task"),
    *("floor", "ceiling", "n_items", "suite", "basis", "cell_items", "stderr", "source", "scale"),
    *("assumed", "extrapolates", "covariate", "skill", "sample", "chain", "draw", "cell"),
)
"""Names with another meaning in a table, a forecast or a fit."""


@dataclass(frozen=True)
class Feature:
    """A column of a table of models from which covariates can be made.

    Attributes
    ----------
    name
        The column, and the name of its covariate.
    kind
        ``"numeric"``, ``"date"`` (in years; a year, quarter or month alone means its middle),
        ``"flag"`` (0 or 1, true or false, yes or no), ``"category"``, ``"ordered"``, or a kind that
        another package registered; inferred from the column's cells by default.
    transform
        For a numeric feature: ``"identity"`` (the default), or ``"log"`` for positive numbers.
    unit
        For a numeric feature: its unit, for messages and the axes of curves.
    missing
        How a spec that uses the feature treats models that leave it empty: ``"leave-out"``; for
        numbers and dates ``"estimated"``, a parameter for each such model under the prior
        ``missing_feature``; for a category ``"level"``, a level of its own.
    levels
        For an ordered feature: its levels from the lowest to the highest. For a category: the
        allowed levels, by default all that occur; the first is the reference.
    coding
        For a category: ``"pooled"`` (the default) for partially pooled effects of levels on
        skills, or ``"reference"`` for one covariate for each level except the first.

    Raises
    ------
    SpecError
        If a setting is not allowed, or does nothing for a feature of this kind.

    Examples
    --------
    >>> from latentscale import Feature
    >>> Feature("context_k", transform="log", unit="thousand tokens").transform
    'log'
    """

    __repr__ = call_text

    name: str
    kind: str | None = None
    transform: str | None = None
    unit: str = ""
    missing: str = LEAVE_OUT
    levels: tuple[str, ...] = ()
    coding: str | None = None

    def __post_init__(self) -> None:
        plain_fields(self)
        if isinstance(self.levels, list):
            object.__setattr__(self, "levels", tuple(self.levels))
        _check_name(self.name)
        for field in ("kind", "transform", "coding"):
            value = getattr(self, field)
            if value is not None and not isinstance(value, str):
                raise SpecError(f'Feature "{self.name}": {field} must be text; got {value!r}.')
        if not isinstance(self.unit, str) or not isinstance(self.missing, str):
            raise SpecError(f'Feature "{self.name}": unit and missing must be text.')
        _check_levels(self)
        kind = self.kind or _kind_of_settings(self)
        if kind is not None:
            object.__setattr__(self, "kind", kind)
            FEATURES[kind].check(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings that differ from the defaults as plain JSON types, for `from_dict`.

        Returns
        -------
        dict
            The name, and the settings that differ from their defaults.

        Examples
        --------
        >>> ls.Feature("context_k", transform="log").to_dict()
        {'name': 'context_k', 'kind': 'numeric', 'transform': 'log'}
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        kept = {name: value for name, value in values.items() if value != defaults[name]}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in kept.items()}

    @classmethod
    def from_dict(cls, document: object) -> Feature:
        """Read what `to_dict` wrote, or a table of TOML or JSON.

        Parameters
        ----------
        document
            A mapping with the key ``name`` and the settings of `Feature`.

        Returns
        -------
        Feature
            The record.

        Raises
        ------
        SpecError
            If a key is unknown, or a value is not allowed.

        Examples
        --------
        >>> ls.Feature.from_dict({"name": "context_k", "transform": "log"}).transform
        'log'
        """
        known = [field.name for field in fields(cls)]
        if not isinstance(document, Mapping) or "name" not in document:
            raise SpecError(f'A feature is a table with a "name"; got {document!r}.')
        for key in document:
            if key not in known:
                raise SpecError(
                    f'Feature "{document["name"]}": unknown key "{key}"; allowed are '
                    f"{listed(known)}." + nearest(str(key), known)
                )
        return cls(**document)


@dataclass(frozen=True)
class FeatureKind(ABC):
    """A feature of one kind: how it is read, which covariates it gives, and its range.

    A kind is a subclass with a class variable `kind`, registered by ``@FEATURES.add``. Values are
    kept in a table under `variable`, over model: floats, dates or text, depending on the kind.

    Attributes
    ----------
    feature
        The declaration.
    variable
        Its variable in a dataset of models; by default the feature's name.
    covariate
        Its covariate; by default the feature's name.

    Examples
    --------
    >>> from latentscale.extend import FEATURES, Feature
    >>> kind = FEATURES["numeric"](Feature("context_k", kind="numeric", transform="log"))
    >>> kind.transformed(np.array([1.0, 8.0])).round(2).tolist()
    [0.0, 2.08]
    """

    feature: Feature
    variable: str = ""
    covariate: str = ""

    kind: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ()
    """Which of transform, unit, levels and coding act on features of this kind."""

    steps: ClassVar[bool] = False
    """Whether a curve can run along it: its covariate takes any value in a range."""

    if_missing: ClassVar[tuple[str, ...]] = (LEAVE_OUT,)
    """The values that `missing` allows."""

    centred: ClassVar[bool] = True
    """Whether its covariate is centred and scaled."""

    place: ClassVar[int] = 100
    """Kinds are tried in this order, then by name, where a column's kind is not declared."""

    def __post_init__(self) -> None:
        for field in ("variable", "covariate"):
            if not getattr(self, field):
                object.__setattr__(self, field, self.feature.name)

    @property
    def name(self) -> str:
        """The feature's name: its column."""
        return self.feature.name

    @property
    def estimated(self) -> bool:
        """Whether its missing values are parameters."""
        return self.feature.missing == ESTIMATED

    @property
    def pooled(self) -> bool:
        """Whether its levels have partially pooled effects instead of covariates."""
        return False

    @classmethod
    def check(cls, feature: Feature) -> None:
        """Refuse settings of a declaration that this kind does not have.

        Raises
        ------
        SpecError
            Naming the feature and the setting.
        """
        for setting in ("transform", "unit", "levels", "coding"):
            if getattr(feature, setting) and setting not in cls.settings:
                raise SpecError(
                    f'Feature "{feature.name}" is of kind "{cls.kind}", for which {setting} does '
                    "nothing; leave it out, or choose another kind."
                )
        if feature.missing not in cls.if_missing:
            raise SpecError(
                f'Feature "{feature.name}": missing is "{feature.missing}"; of kind '
                f'"{cls.kind}" it can be {listed(cls.if_missing)}.'
            )

    @classmethod
    def occurs_in(cls, column: pd.Series) -> bool:
        """Return whether a column whose kind is not declared is of this kind."""
        return False

    @abstractmethod
    def read(
        self, column: pd.Series, labels: Sequence[str]
    ) -> tuple[npt.NDArray[Any] | pd.Series, list[Problem]]:
        """Read and check the column.

        Parameters
        ----------
        column
            Cells, one per row.
        labels
            Model name of each row, for messages.

        Returns
        -------
        tuple
            Values as the table keeps them, empty (NaN, NaT or None) where the cell is empty or
            bad; and a problem for each bad cell, naming its row, column and value.
        """

    def findings(self, column: pd.Series) -> list[Finding]:
        """Return what the audit reports about how a column's cells were read."""
        return []

    def kept(self, values: pd.Series | None, rows: int) -> npt.NDArray[Any]:
        """Return values as a dataset's array, all empty if the table does not have the column."""
        if values is None:
            return np.full(rows, np.nan)
        return values.to_numpy(dtype=float)

    def cells(self, kept: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Undo `kept`: return cells that `read` reads."""
        return kept

    def given(self, table: xr.Dataset) -> npt.NDArray[np.bool_]:
        """Return which models give the feature, over model."""
        if self.variable not in table:
            return np.zeros(table.sizes["model"], dtype=bool)
        return np.asarray(table[self.variable].notnull().values, dtype=bool)

    def missing(self, table: xr.Dataset) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which models leave the feature out, by the column that needs filling."""
        return {self.name: ~self.given(table)}

    def settled(self, table: xr.Dataset) -> FeatureKind:
        """Return the kind with what the fitted models determine, such as levels."""
        return self

    def bases(self) -> tuple[str, ...]:
        """Return the covariates that the feature gives."""
        return (self.covariate,)

    def gives(self, base: str) -> bool:
        """Return whether a covariate is one of `bases`, or may be once the table is known."""
        return base in self.bases()

    @property
    def is_single(self) -> bool:
        """Whether the feature's name, used as a covariate, means one number."""
        return self.bases() == (self.covariate,)

    def raw(self, table: xr.Dataset, base: str) -> Floats:
        """Return a covariate before it is centred, over model; NaN where it is not known.

        Parameters
        ----------
        table
            The variables of models, dims (model,).
        base
            One of `bases`.
        """
        if self.variable not in table:
            return np.full(table.sizes["model"], np.nan)
        return self.transformed(table[self.variable].to_numpy())

    def transformed(self, values: npt.NDArray[Any]) -> Floats:
        """Return kept values on the covariate's scale."""
        return np.asarray(values, dtype=float)

    def stepped(self, raw: Floats) -> npt.NDArray[Any]:
        """Undo `transformed`: return the values to keep for points along a curve."""
        return raw

    def typical(self, table: xr.Dataset) -> npt.NDArray[Any]:
        """Return the value of a model like those of a table, shape (1,)."""
        return self.stepped(np.array([float(np.nanmean(self.raw(table, self.covariate)))]))

    def coming(self, table: xr.Dataset) -> npt.NDArray[Any]:
        """Return the value of a model that follows those of a table, shape (1,)."""
        return self.typical(table)

    def range_of(self, table: xr.Dataset) -> tuple[str, str]:
        """Return the lowest and the highest value among models that give the feature, as text."""
        values = self.raw(table, self.covariate)
        return self.cell_text(float(values.min())), self.cell_text(float(values.max()))

    def cell_text(self, raw: float) -> str:
        """Return, as text, the column's value for a value of the covariate."""
        return self.shown(raw)

    def shown(self, raw: float) -> str:
        """Return a value on the covariate's scale as text for messages."""
        return f"{raw:.4g}"


FEATURES: Registry[FeatureKind] = Registry(
    "feature kind", "latentscale.data.features", lambda kind: kind.kind
)
"""Kinds of features by name."""


def kind_of_column(column: pd.Series) -> str:
    """Return the kind of a column that was declared by name only.

    Returns
    -------
    The first kind that fits the column, in the order in which kinds are tried; ``"numeric"`` for an
    empty column.
    """
    kinds = sorted(FEATURES.items(), key=lambda item: (item[1].place, item[0]))
    return next((name for name, kind in kinds if kind.occurs_in(column)), "numeric")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise SpecError(f"A feature is named by its column, a text; got {name!r}.")
    if name != name.strip() or ":" in name or "=" in name:
        raise SpecError(
            f'"{name}" cannot name a feature: products of covariates are written with ":" and '
            'levels with "=". Rename the column, without spaces at its ends.'
        )
    if name in _RESERVED:
        raise SpecError(
            f'"{name}" cannot name a feature: it means something else in a table of scores. '
            "Rename the column."
        )


def _check_levels(feature: Feature) -> None:
    levels = feature.levels
    if not isinstance(levels, tuple) or not all(isinstance(v, str) and v.strip() for v in levels):
        raise SpecError(
            f'Feature "{feature.name}": levels are a list of names, such as ["low", "high"]; got '
            f"{levels!r}."
        )
    if len(set(levels)) < len(levels):
        raise SpecError(f'Feature "{feature.name}": a level is repeated in {listed(levels)}.')


def _kind_of_settings(feature: Feature) -> Literal["numeric", "category"] | None:
    """Return the kind that the settings imply where none is declared; None if they imply none."""
    if feature.levels and not feature.coding:
        raise SpecError(
            f'Feature "{feature.name}" has levels: say whether they are in order, '
            'kind="ordered", or not, kind="category".'
        )
    if feature.coding or feature.missing == AS_LEVEL:
        return "category"
    return "numeric" if feature.transform or feature.unit else None
