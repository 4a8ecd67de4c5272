"""Features that forecast rows leave out, filled in from fitted settings of the same release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.assumed_values import as_text
from latentscale.data.audit import Finding
from latentscale.data.columns import is_blank
from latentscale.data.features.base import FeatureKind
from latentscale.data.features.compute import ACTIVE, FLOPS
from latentscale.data.known_features import INSTRUCT, features_of, kinds_among
from latentscale.data.readers.efforts import SETTINGS
from latentscale.data.releases import name_without_setting
from latentscale.dims import FAMILY, MODEL
from latentscale.errors import listed

_OF_FLOPS = ("params_b", "tokens_t", ACTIVE)
"""The features from which FLOPs are computed where a row does not state them."""

Values = Mapping[str, Hashable]
"""Features that are stated, by name."""


@dataclass(frozen=True)
class FittedReleases:
    """The fitted release of each row.

    Attributes
    ----------
    values
        What the release states, by feature; empty for fitted models and for rows that belong to no
        fitted release.
    others
        Rows with the name and family of a fitted release whose features differ from it: by place
        and feature, the row's value and the release's value.
    """

    values: tuple[Values, ...]
    others: Mapping[int, Mapping[str, tuple[Hashable, Hashable]]]


def fitted_releases(models: pd.DataFrame, fitted: xr.Dataset) -> FittedReleases:
    """Return the fitted release of each row that is a new setting of one.

    The names differ only in the setting that they state (``"o3_low"`` and ``"o3_high"``); family
    and all features that the row states, apart from settings, agree. A row that could belong to
    several releases is assigned to none.

    Parameters
    ----------
    models
        The rows: model, family and features.
    fitted
        The fitted models, dims (model,).
    """
    kinds = [k for name, k in kinds_among(features_of(fitted)).items() if name not in SETTINGS]
    of_fitted = pd.DataFrame(
        {name: fitted[name].to_numpy().astype(str) for name in (MODEL, FAMILY)}
    )
    arrays = {k.name: fitted[k.variable].to_numpy() for k in kinds if k.variable in fitted}
    releases: dict[tuple[str, str], list[Values]] = defaultdict(list)
    for key, values in zip(_keys(of_fitted), _stated(kinds, arrays, len(of_fitted)), strict=True):
        if values not in releases[key]:
            releases[key].append(values)
    # instruct has a value even where a row leaves it out.
    in_rows = [kind for kind in kinds if kind.name in models and kind.name != INSTRUCT]
    own = {kind.name: kind.kept(models[kind.name], len(models)) for kind in in_rows}
    known = set(of_fitted[MODEL])
    found: list[Values] = []
    others = {}
    rows = zip(models[MODEL], _keys(models), _stated(in_rows, own, len(models)), strict=True)
    for place, (model, key, stated) in enumerate(rows):
        among = [] if model in known else releases.get(key, [])
        differ = [_differences(stated, values) for values in among]
        alike = [values for values, other in zip(among, differ, strict=True) if not other]
        found.append(alike[0] if len(alike) == 1 else {})
        if among and not alike:
            others[place] = differ[0]
    return FittedReleases(tuple(found), others)


def with_values_of_releases(
    models: pd.DataFrame, releases: FittedReleases, uses: Collection[str]
) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    """Return rows with features that they leave out filled in from their fitted releases.

    Parameters
    ----------
    models
        The rows: model, family and features.
    releases
        The fitted releases of the rows.
    uses
        Features that the forecast depends on.

    Returns
    -------
    tuple
        The rows; one text per row, such as ``"released=2024-07-23 (release)"``; and findings.
    """
    texts: list[list[str]] = [[] for _ in range(len(models))]
    names = [n for n in (*uses, *(_OF_FLOPS if FLOPS in uses else ())) if n != INSTRUCT]
    taken: dict[str, set[int]] = {}
    for name in dict.fromkeys(names):
        blank = pd.Series([None] * len(models), index=models.index, dtype=object)
        column = models[name].astype(object) if name in models else blank
        cells = column.tolist()
        for place, values in enumerate(releases.values):
            if name in values and is_blank(cells[place]):
                cells[place] = values[name]
                texts[place].append(f"{name}={as_text(values[name])} (release)")
                taken.setdefault(name, set()).add(place)
        if name in taken:
            filled = pd.Series(cells, index=models.index, dtype=object)
            models = models.assign(**{name: filled.infer_objects()})
    names = [str(name) for name in models[MODEL]]
    findings = [*_of_taken(names, taken), *_of_others(names, releases, uses)]
    return models, ["; ".join(text) for text in texts], findings


def _of_taken(names: Sequence[str], taken: Mapping[str, set[int]]) -> Iterator[Finding]:
    """Yield a finding on how many rows take features from their release, if any do."""
    if taken:
        rows = sorted(set().union(*taken.values()))
        leave = "1 new setting of a fitted release leaves"
        if len(rows) > 1:
            leave = f"{len(rows)} new settings of fitted releases leave"
        message = (
            f'{leave} out {listed(taken)}, taken from the fitted settings (column "assumed" of the '
            f"forecast): {listed(names[row] for row in rows)}."
        )
        yield Finding("warning", "from-release", MODEL, message)


def _of_others(
    names: Sequence[str], releases: FittedReleases, uses: Collection[str]
) -> Iterator[Finding]:
    """Yield findings on rows that have the name of a fitted release but are another release."""
    for row, differences in releases.others.items():
        feature = next((name for name in differences if name in uses), None)
        if feature is None:
            continue
        mine, theirs = differences[feature]
        message = (
            f'"{names[row]}" states {feature} {as_text(mine)}, and the fitted settings of its name '
            f"{as_text(theirs)}: it is forecast as another release. If it is the same one, give it "
            f"{as_text(theirs)}, or leave the cell empty."
        )
        yield Finding("warning", "other-release", names[row], message)


def _keys(models: pd.DataFrame) -> list[tuple[str, str]]:
    pairs = zip(models[MODEL], models[FAMILY], strict=True)
    return [(name_without_setting(str(model)), str(family)) for model, family in pairs]


def _stated(
    kinds: Sequence[FeatureKind], arrays: Mapping[str, np.ndarray], rows: int
) -> list[dict[str, Hashable]]:
    """Return the features that each row states."""
    stated: list[dict[str, Hashable]] = [{} for _ in range(rows)]
    for kind in (kind for kind in kinds if kind.name in arrays):
        cells = pd.Series(kind.cells(arrays[kind.name])).astype(object)
        for place, cell in enumerate(cells):
            if not is_blank(cell):
                stated[place][kind.name] = cell
    return stated


def _differences(stated: Values, release: Values) -> dict[str, tuple[Hashable, Hashable]]:
    """Return the features that both state with different values, and the values."""
    return {
        name: (value, release[name])
        for name, value in stated.items()
        if name in release and release[name] != value
    }
