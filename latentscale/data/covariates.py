"""Covariates: features of models, transformed, then centred and scaled on the fitted models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.features.base import Feature, FeatureKind, Floats
from latentscale.data.features.category import Category
from latentscale.data.known_features import (
    features_of,
    kind_of_feature,
    kinds_among,
    known_features,
)
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, CATEGORY_LEVEL, COVARIATE, FAMILY, LINEAGE, MODEL
from latentscale.errors import DataError, SpecError, listed, nearest
from latentscale.markup import call_text

_NUMBERS: Final = ("mean", "scale", "lower", "upper")
_FIELDS: Final = ("names", *_NUMBERS, "features")


@dataclass(frozen=True)
class CovariateTransform:
    """How features become covariates; fitted once, then applied to every later row.

    Parameters
    ----------
    names
        Covariates in order, as a spec names them: ``log_params``, ``released`` and other features'
        covariates, and products such as ``log_params:log_tokens``.
    mean, scale
        Centre and standard deviation of each base covariate in use, on the scale of its feature:
        natural logs of billions, trillions and FLOPs; years for dates; 0 and 1 for flags.
    lower, upper
        Range of each base covariate among the fitted models, on the same scale.
    features
        The features in use; a category has the levels of the fitted models.
    """

    __repr__ = call_text

    names: tuple[str, ...]
    mean: Mapping[str, float] = field(hash=False)
    scale: Mapping[str, float] = field(hash=False)
    lower: Mapping[str, float] = field(hash=False)
    upper: Mapping[str, float] = field(hash=False)
    features: tuple[Feature, ...] = ()

    @classmethod
    def fit(cls, scores: Scores, names: Sequence[str]) -> CovariateTransform:
        """Centre and scale on the models of a table that a fit can use.

        Parameters
        ----------
        scores
            Models without any score are skipped, and so are models that leave empty a feature that
            a covariate needs.
        names
            Covariates in the desired order.

        Returns
        -------
        CovariateTransform
            With the population standard deviation; a covariate that does not vary has scale 1.

        Raises
        ------
        SpecError
            If a covariate is unknown or named twice.
        DataError
            If the table does not have a category, or no model is left.
        """
        table = scores.dataset
        kinds = features_in_use(table, names)
        if absent := [kind.name for kind in kinds if kind.pooled and kind.variable not in table]:
            raise DataError(
                f"The table has no column {listed(absent)}, of which the covariates "
                f"{listed(names)} are made. Add it, or name other covariates."
            )
        used = table["score"].notnull().any(BENCHMARK).to_numpy()
        for kind in kinds:
            if not kind.estimated:
                used = used & kind.given(table)
        if not used.any():
            raise DataError(
                "No model is left to scale the covariates on: every row is without scores, or "
                f"without what {listed(names)} need: {listed(_missing(table, kinds)) or 'scores'}. "
                "Fill these columns, or name other covariates."
            )
        fitted = table.isel({MODEL: np.flatnonzero(used)})
        settled = [kind.settled(fitted) for kind in kinds]
        expanded = _expanded(names, settled)
        mean, scale, lower, upper = {}, {}, {}, {}
        for base, kind in _bases(expanded, settled).items():
            values = kind.raw(fitted, base)
            values = values[~np.isnan(values)] if kind.estimated else values
            if not len(values):
                raise DataError(
                    f"No model gives {kind.name}, so its missing values cannot be estimated. Fill "
                    f"it for some models, or leave {base} out of the covariates."
                )
            lower[base], upper[base] = float(values.min()), float(values.max())
            mean[base], scale[base] = _centre(values) if kind.centred else (0.0, 1.0)
        features = tuple(kind.feature for kind in settled)
        return cls(tuple(names), mean, scale, lower, upper, features)

    @cached_property
    def kinds(self) -> tuple[FeatureKind, ...]:
        """The kinds of `features`."""
        return tuple(kind_of_feature(feature) for feature in self.features)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of `apply`: `names` without pooled categories; coded ones have one per level."""
        return _expanded(self.names, self.kinds)

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """The partially pooled categories, in the order of `names`."""
        by_name = {kind.name: kind for kind in self.kinds if kind.pooled}
        chosen = [by_name[name] for name in self.names if name in by_name]
        return tuple(kind for kind in chosen if isinstance(kind, Category))

    @property
    def levels(self) -> tuple[str, ...]:
        """Fitted levels of the partially pooled categories, such as ``"provider=Meta"``."""
        return tuple(
            f"{kind.name}={level}" for kind in self.categories for level in kind.feature.levels
        )

    def ranging_over(self, table: xr.Dataset) -> CovariateTransform:
        """Return the transform with ranges that include fitted models with missing features.

        Centres, scales and ranges come from models that give every feature. Models that leave one
        empty can be fitted as well, namely those whose tokens are parameters; ranges then include
        them.

        Parameters
        ----------
        table
            All fitted models.
        """
        lower, upper = dict(self.lower), dict(self.upper)
        for base, kind in self._by_base.items():
            values = kind.raw(table, base)
            known = values[~np.isnan(values)]
            lower[base] = min([lower[base], *known.tolist()])
            upper[base] = max([upper[base], *known.tolist()])
        return replace(self, lower=lower, upper=upper)

    def needs(self, base: str) -> bool:
        """Return whether a base covariate is in use."""
        return base in self.mean

    def apply(self, table: xr.Dataset, *, at_mean: bool = False) -> xr.DataArray:
        """Return the covariates of some models.

        Parameters
        ----------
        table
            Variables of the features in use over model: params (billions), tokens (trillions),
            instruct and others.
        at_mean
            Whether missing values that are parameters are set to their prior mean, 0.

        Returns
        -------
        xarray.DataArray
            Dims (model, covariate), in the order of `columns`. A product multiplies its
            standardised factors. NaN where a feature is not known.
        """
        standard = self.standard(table)
        if at_mean:
            standard |= {base: np.nan_to_num(v) for base, v in self.estimated(table).items()}
        values = np.empty((table.sizes[MODEL], len(self.columns)))
        for column, name in enumerate(self.columns):
            values[:, column] = np.prod([standard[factor] for factor in name.split(":")], axis=0)
        names = np.array(self.columns, dtype=np.str_)
        coords = {MODEL: table[MODEL].to_numpy(), COVARIATE: names}
        return xr.DataArray(values, coords=coords, dims=(MODEL, COVARIATE), name=COVARIATE)

    def standard(self, table: xr.Dataset) -> dict[str, Floats]:
        """Return base covariates, centred and scaled, over model; NaN where not known."""
        return {
            base: (kind.raw(table, base) - self.mean[base]) / self.scale[base]
            for base, kind in self._by_base.items()
        }

    def estimated(self, table: xr.Dataset) -> dict[str, Floats]:
        """Return, as `standard` does, the base covariates whose missing values are parameters."""
        bases = [base for base, kind in self._by_base.items() if kind.estimated]
        values = self.standard(table) if bases else {}
        return {base: values[base] for base in bases}

    def indicators(self, table: xr.Dataset, levels: Sequence[str]) -> xr.DataArray:
        """Return which models have which levels of partially pooled categories.

        Parameters
        ----------
        table
            As for `apply`.
        levels
            For example `levels`; levels that were not fitted are allowed.

        Returns
        -------
        xarray.DataArray
            1 or 0, dims (model, category_level).
        """
        own = {kind.name: kind.levels(table) for kind in self.categories}
        values = np.empty((table.sizes[MODEL], len(levels)))
        for column, level in enumerate(levels):
            name, _, value = level.partition("=")
            values[:, column] = own[name] == value
        coords = {MODEL: table[MODEL].to_numpy(), CATEGORY_LEVEL: np.array(levels, dtype=np.str_)}
        return xr.DataArray(values, coords=coords, dims=(MODEL, CATEGORY_LEVEL))

    def unseen(self, table: xr.Dataset) -> tuple[str, ...]:
        """Return levels of partially pooled categories that a table has but the fit does not."""
        levels = [
            f"{kind.name}={level}"
            for kind in self.categories
            for level in sorted({str(v) for v in kind.levels(table)} - {"", *kind.feature.levels})
        ]
        return tuple(levels)

    def missing(self, table: xr.Dataset) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which models leave a feature in use empty (see `missing_features`)."""
        return _missing(table, self.kinds)

    def extrapolates(self, table: xr.Dataset) -> pd.Series:
        """Say for each model which covariates lie outside the range of the fitted models.

        Parameters
        ----------
        table
            As for `apply`.

        Returns
        -------
        pandas.Series
            Text by model, such as ``"log_flops above the fitted range (60.1 > 58.3)"`` or
            ``"provider=Acme not fitted"``; empty if every covariate is inside or not known.
        """
        texts: list[list[str]] = [[] for _ in range(table.sizes[MODEL])]
        for base, kind in self._by_base.items():
            lower, upper = self.lower[base], self.upper[base]
            # A fitted row can lie exactly on the edge; allow for rounding in the logs.
            slack = 1e-9 * max(1.0, abs(lower), abs(upper))
            values = kind.raw(table, base)
            for side, sign, edge, outside in (
                ("above", ">", upper, values > upper + slack),
                ("below", "<", lower, values < lower - slack),
            ):
                for row in np.flatnonzero(outside).tolist():
                    place = f"({kind.shown(values[row])} {sign} {kind.shown(edge)})"
                    texts[row].append(f"{base} {side} the fitted range {place}")
        for kind in self.categories:
            levels = kind.levels(table)
            fitted = ["", *kind.feature.levels]
            for row in np.flatnonzero(~np.isin(levels.astype(str), fitted)).tolist():
                texts[row].append(f"{kind.name}={levels[row]} not fitted")
        index = pd.Index([str(model) for model in table[MODEL].to_numpy()], name=MODEL)
        return pd.Series(["; ".join(text) for text in texts], index=index, dtype=object)

    @cached_property
    def _by_base(self) -> dict[str, FeatureKind]:
        return _bases(self.columns, self.kinds)

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types, for `from_dict`."""
        numbers = {name: dict(getattr(self, name)) for name in _NUMBERS}
        known = {known.feature for known in known_features().values()}
        own = [feature.to_dict() for feature in self.features if feature not in known]
        return {"names": list(self.names), **numbers, "features": own}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> CovariateTransform:
        """Read what `to_dict` wrote.

        Raises
        ------
        SpecError
            If fields are missing or unknown, or do not cover the covariates.
        """
        if set(data) != set(_FIELDS):
            raise SpecError(
                f"A covariate transform has the fields {listed(_FIELDS)}; got {listed(data)}."
            )
        raw_names, raw_features = data["names"], data["features"]
        if not isinstance(raw_names, list | tuple) or not isinstance(raw_features, list):
            raise SpecError(
                "The names and features of a covariate transform are lists; got "
                f"{raw_names!r} and {raw_features!r}."
            )
        names = tuple(str(name) for name in raw_names)
        own = [Feature.from_dict(document) for document in raw_features]
        kinds = _needed(names, kinds_among(own))
        bases = tuple(_bases(_expanded(names, kinds), kinds))
        numbers = {name: _numbers(name, data[name], bases) for name in _NUMBERS}
        return cls(names, **numbers, features=tuple(kind.feature for kind in kinds))


def missing_features(table: xr.Dataset, names: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return, by column, which models of a table leave empty a feature that covariates need.

    Columns that all models fill are left out.

    Raises
    ------
    SpecError
        If a covariate is unknown or named twice.
    """
    return _missing(table, features_in_use(table, names))


def features_in_use(table: xr.Dataset, names: Sequence[str]) -> tuple[FeatureKind, ...]:
    """Return the features of a table that covariates need, in a fixed order.

    Raises
    ------
    SpecError
        If a covariate is unknown or named twice.
    """
    return _needed(names, kinds_among(features_of(table)))


def _missing(table: xr.Dataset, kinds: Sequence[FeatureKind]) -> dict[str, npt.NDArray[np.bool_]]:
    missing: dict[str, npt.NDArray[np.bool_]] = {}
    for kind in (kind for kind in kinds if not kind.estimated):
        for column, rows in kind.missing(table).items():
            missing[column] = missing.get(column, np.zeros(len(rows), dtype=bool)) | rows
    return {column: rows for column, rows in missing.items() if rows.any()}


def check_names(names: Sequence[str]) -> None:
    """Refuse covariates that are not a list of different names.

    Raises
    ------
    SpecError
        Naming what is wrong.
    """
    if isinstance(names, str):
        raise SpecError(f'Covariates are a list of names, such as ["{names}"], not one string.')
    if len(set(names)) < len(names):
        raise SpecError(f"A covariate is named twice in {listed(names)}; name each once.")


def _needed(names: Sequence[str], kinds: Mapping[str, FeatureKind]) -> tuple[FeatureKind, ...]:
    """Check covariates, and return the features that they use, in a fixed order."""
    check_names(names)
    used = []
    for name in names:
        factors = name.split(":")
        for factor in factors:
            kind = _owner(factor, kinds)
            if kind is None:
                raise SpecError(_unknown(factor, name, kinds))
            if len(factors) > 1 and factor == kind.covariate and not kind.is_single:
                raise SpecError(
                    f'The covariate "{name}" multiplies "{factor}", which is not one number; '
                    f"{single_covariates_of(kind)}."
                )
            used.append(kind.name)
    return tuple(kind for name, kind in kinds.items() if name in used)


def single_covariates_of(kind: FeatureKind) -> str:
    """Return which covariates to name if the feature gives several but one number is needed."""
    if kind.bases():
        return f"name one of those that it gives: {listed(kind.bases(), 20)}"
    return f'of a category declared with coding="reference", name a level: "{kind.covariate}=..."'


def _owner(factor: str, kinds: Mapping[str, FeatureKind]) -> FeatureKind | None:
    """Return the feature that gives a base covariate, or that has this name."""
    for kind in kinds.values():
        if factor == kind.covariate or kind.gives(factor):
            return kind
    return None


def _unknown(factor: str, name: str, kinds: Mapping[str, FeatureKind]) -> str:
    allowed = [kind.covariate for kind in kinds.values()]
    named = f'Unknown covariate "{factor}" in "{name}".'
    if factor in kinds:
        return f'{named} The covariate of the column "{factor}" is "{kinds[factor].covariate}".'
    if factor in (FAMILY, LINEAGE):
        return f"{named} Families and lineages are set by family.level and family.lineage."
    return (
        f"{named}{nearest(factor, allowed)} This table has {listed(allowed, 30)}, and products "
        'such as "log_params:log_tokens". Another column is a covariate once the table is read '
        f'with features=["{factor}"].'
    )


def _expanded(names: Iterable[str], kinds: Sequence[FeatureKind]) -> tuple[str, ...]:
    """Return the covariates' columns: a category's name gives its levels, or none if pooled."""
    whole = {kind.covariate: kind for kind in kinds if not kind.is_single}
    columns: list[str] = []
    for name in names:
        columns += whole[name].bases() if name in whole else [name]
    return tuple(columns)


def _bases(columns: Sequence[str], kinds: Sequence[FeatureKind]) -> dict[str, FeatureKind]:
    """Return the features of the base covariates in use, by base, in the order of features."""
    factors = dict.fromkeys(factor for column in columns for factor in column.split(":"))
    kind_of: dict[str, FeatureKind] = {}
    for kind in kinds:
        kind_of |= {factor: kind for factor in factors if kind.gives(factor)}
    for factor in factors:
        if factor not in kind_of:
            name = factor.partition("=")[0]
            levels = next((kind.feature.levels for kind in kinds if kind.name == name), ())
            raise SpecError(
                f'Unknown covariate "{factor}": the fitted models have the levels '
                f"{listed(levels, 20)} of {name}."
            )
    return kind_of


def _centre(values: Floats) -> tuple[float, float]:
    mean, scale = float(np.mean(values)), float(np.std(values))
    # Equal sizes leave rounding noise, not always an exact zero.
    return mean, scale if scale > 1e-9 * max(1.0, abs(mean)) else 1.0


def _numbers(name: str, values: object, bases: Sequence[str]) -> dict[str, float]:
    if not isinstance(values, Mapping) or set(values) != set(bases):
        raise SpecError(
            f'Field "{name}" of a covariate transform needs one number for each of '
            f"{listed(bases)}; got {values!r}."
        )
    return {base: float(values[base]) for base in bases}
