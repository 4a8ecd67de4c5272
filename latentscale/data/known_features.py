"""Features that the package knows by their column's name, and features that a table declares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.features.base import (
    AS_LEVEL,
    FEATURES,
    Feature,
    FeatureKind,
    kind_of_column,
)
from latentscale.dims import FEATURE
from latentscale.errors import SpecError, listed, nearest

RECORD: Final = "feature_record"
"""Variable of a table, over feature: declarations as JSON, so that files keep them."""

INSTRUCT: Final = "instruct"
UNSTATED: Final = "unstated"
"""Attribute of an ``instruct`` that no column of the table states: 0 then means not known."""


@dataclass(frozen=True)
class Known:
    """A feature that needs no declaration.

    Attributes
    ----------
    feature
        The declaration.
    variable
        Its variable in a dataset of models; empty if the same as its name.
    covariate
        Its covariate; empty if the same as its name.
    chosen
        Whether curves, allocations and examples choose its values; they hold all others at values
        typical of the family's models.
    """

    feature: Feature
    variable: str = ""
    covariate: str = ""
    chosen: bool = False


_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Reasoning efforts as providers name them in 2025 and 2026, from the lowest."""


_FREE_KIND: Final = ("effort", "provider", "size_class")
"""Known features that a table may declare to be of another kind."""


@cache
def known_features() -> Mapping[str, Known]:
    """Return the known features by their column's name.

    Built on first use, not on import, because it looks up their kinds, including plug-ins.
    """
    log: dict[str, Any] = {"kind": "numeric", "transform": "log"}
    return {
        known.feature.name: known
        for known in (
            Known(Feature("params_b", **log, unit="billions"), "params", "log_params", chosen=True),
            Known(
                Feature("tokens_t", **log, unit="trillions"), "tokens", "log_tokens", chosen=True
            ),
            Known(Feature("flops", "compute", "log", "FLOPs"), covariate="log_flops", chosen=True),
            Known(
                Feature("active_params_b", **log, unit="billions"), covariate="log_active_params"
            ),
            Known(Feature("instruct", "flag"), chosen=True),
            Known(Feature("reasoning", "flag")),
            Known(Feature("released", "date")),
            Known(Feature("effort", "ordered", levels=_EFFORTS)),
            Known(Feature("provider", "category")),
            Known(Feature("size_class", "category", missing=AS_LEVEL)),
        )
    }


def can_be_category(covariate: str) -> bool:
    """Return whether a covariate of a spec may be a category in some table."""
    fixed = {
        known.covariate or name
        for name, known in known_features().items()
        if name not in _FREE_KIND
    }
    return not ({":", "="} & set(covariate) or covariate in fixed)


def kind_of_feature(feature: Feature) -> FeatureKind:
    """Return the kind of a feature whose declaration states it."""
    known = known_features().get(feature.name)
    if known is None:
        return FEATURES[str(feature.kind)](feature)
    return FEATURES[str(feature.kind)](feature, known.variable, known.covariate)


def kinds_among(features: Iterable[Feature]) -> dict[str, FeatureKind]:
    """Return the known features and some others by name; a declaration wins."""
    kinds = {name: kind_of_feature(known.feature) for name, known in known_features().items()}
    return kinds | {feature.name: kind_of_feature(feature) for feature in features}


def declared(features: object, frame: pd.DataFrame) -> tuple[Feature, ...]:
    """Return declarations with the kind of each, inferred from the column if not stated.

    Parameters
    ----------
    features
        What the caller passed: names of columns and `Feature` records; None for none.
    frame
        The table.

    Raises
    ------
    SpecError
        If it is not such a list, a feature is declared twice or has no column, or a known feature
        is declared with another kind.
    """
    if features is None:
        return ()
    if isinstance(features, str | Feature | Mapping) or not isinstance(features, Iterable):
        raise SpecError(
            'features is a list of names of columns and Feature records, such as ["released", '
            f'Feature("context_k", transform="log")]; got {features!r}.'
        )
    features_by_name: dict[str, Feature] = {}
    for given in features:
        if not isinstance(given, str | Feature):
            raise SpecError(f"features holds names and Feature records; got {given!r}.")
        feature = _named(given) if isinstance(given, str) else given
        if feature.name in features_by_name:
            raise SpecError(f'features: "{feature.name}" is declared twice; declare it once.')
        if feature.name not in frame.columns:
            raise SpecError(
                f'features: the table has no column "{feature.name}".'
                f"{nearest(feature.name, frame.columns)} It has {listed(frame.columns, 20)}."
            )
        features_by_name[feature.name] = _settled(feature, frame[feature.name])
    return tuple(features_by_name.values())


def _named(name: str) -> Feature:
    known = known_features().get(name)
    return Feature(name) if known is None else known.feature


def _settled(feature: Feature, column: pd.Series) -> Feature:
    known = known_features().get(feature.name)
    if known is None or (feature.kind and feature.name in _FREE_KIND):
        return feature if feature.kind else replace(feature, kind=kind_of_column(column))
    if replace(feature, missing=known.feature.missing) not in (
        Feature(feature.name, missing=known.feature.missing),
        known.feature,
    ):
        raise SpecError(
            f'Feature "{feature.name}" is known as {known.feature.to_dict()}, which cannot be '
            f"changed{'' if feature.name not in _FREE_KIND else ' without naming its kind'}; "
            f'declare features=["{feature.name}"], or rename the column.'
        )
    return replace(known.feature, missing=feature.missing)


def features_of(table: xr.Dataset) -> tuple[Feature, ...]:
    """Return the features declared in a table of models, in the order of declaration."""
    if RECORD not in table:
        return ()
    texts = table[RECORD].to_numpy().tolist()
    return tuple(Feature.from_dict(json.loads(text)) for text in texts)


def with_features(table: xr.Dataset, features: Sequence[Feature]) -> xr.Dataset:
    """Return a table with declarations of features added; unchanged if there are none."""
    if not features:
        return table
    texts = [json.dumps(feature.to_dict(), sort_keys=True) for feature in features]
    return table.assign({RECORD: (FEATURE, np.array(texts, dtype=np.str_))})


def is_stated(table: xr.Dataset, kind: FeatureKind) -> bool:
    """Return whether a table has a feature, as opposed to a stand-in for an unstated one."""
    return kind.variable in table and not table[kind.variable].attrs.get(UNSTATED)


def feature_table(table: xr.Dataset) -> pd.DataFrame:
    """Return one row per feature that some model gives (see `Scores.feature_table`)."""
    rows = []
    for name, kind in kinds_among(features_of(table)).items():
        given = kind.given(table) if is_stated(table, kind) else np.zeros(0, dtype=bool)
        if not given.any():
            continue
        lowest, highest = kind.range_of(table.isel(model=np.flatnonzero(given)))
        rows.append((name, str(kind.kind), kind.feature.unit, int(given.sum()), lowest, highest))
    return pd.DataFrame(rows, columns=["feature", "kind", "unit", "models", "from", "to"])
