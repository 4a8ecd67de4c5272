"""What rows leave out of their models, where the fitted table has its own from names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from latentscale.data.columns import is_blank
from latentscale.data.readers.efforts import UNSTATED, effort, reasoning
from latentscale.data.readers.families import base_families
from latentscale.data.readers.model_names import parse_name, provider_of
from latentscale.data.readers.size_classes import NameReading, size_class
from latentscale.dims import FAMILY, LINEAGE, MODEL
from latentscale.posterior.fit import Fit

_READINGS: Final[Mapping[str, Callable[[Sequence[str]], NameReading]]] = {
    "reasoning": reasoning,
    "effort": effort,
    "size_class": size_class,
}
"""Features that readers of hubs take from names."""
_MOSTLY: Final = 0.9
"""Share of fitted models whose family their name gives: bases and architectures that a
leaderboard states decide on the others."""


class _Named(NamedTuple):
    """Family and lineage that a name gives, and what says so."""

    family: str
    lineage: str
    source: str


def with_names_read(fit: Fit, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return rows with the families, and features, that they leave out and their names give.

    A fitted model has its fitted family. Another row has the one that its name gives, if the
    fitted families are read from names (as in tables of hubs and leaderboards, which state
    none); a family that is not fitted also has the lineage that its name gives. Reasoning, effort
    and size class are read likewise, if those of all fitted models are what their names give.
    Otherwise the rows stay as they are.

    Parameters
    ----------
    fit
        A fit.
    frame
        Rows to forecast.

    Returns
    -------
    tuple
        The rows, and a text each, such as ``"family=gpt (name)"``; empty where it was stated.
    """
    frame, of_families = _with_families(fit, frame)
    frame, of_features = _with_features(fit, frame)
    pairs = zip(of_families, of_features, strict=True)
    return frame, ["; ".join(filter(None, pair)) for pair in pairs]


def _with_features(fit: Fit, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    texts: list[list[str]] = [[] for _ in range(len(frame))]
    used = [kind for kind in fit.transform.kinds if kind.name in _READINGS]
    if not used or list(frame.columns).count(MODEL) != 1:
        return frame, [""] * len(frame)
    models = _cells(frame, MODEL)
    fitted = set(fit.scores.models)
    for kind in used:
        cells = _cells(frame, kind.name)
        new = [
            row
            for row, model in enumerate(models)
            if isinstance(model, str) and model.strip() not in fitted and is_blank(cells[row])
        ]
        table = fit.scores.dataset
        own = kind.cells(table[kind.variable].values).tolist() if kind.variable in table else []
        # Equal values of all models would agree with names by chance.
        by_name = len(set(own)) > 1 and own == _reading(kind.name, fit.scores.models)
        if not new or not by_name:
            continue
        for row, value in zip(new, _reading(kind.name, [str(models[r]) for r in new]), strict=True):
            if value is not None:
                cells[row] = value
                shown = f"{value:g}" if isinstance(value, float) else value
                texts[row].append(f"{kind.name}={shown} (name)")
        frame = frame.assign(**{kind.name: pd.Series(cells, frame.index, dtype=object)})
    return frame, ["; ".join(said) for said in texts]


def _reading(name: str, models: Sequence[str]) -> list[object]:
    """Return what names of models give for a feature, None where they are silent."""
    return [None if value == UNSTATED else value for value in _READINGS[name](models).values]


def _with_families(fit: Fit, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    names = [name.strip() if isinstance(name, str) else name for name in frame.columns]
    unsaid = [""] * len(frame)
    if names.count(MODEL) != 1 or names.count(FAMILY) > 1 or names.count(LINEAGE) > 1:
        return frame, unsaid
    clean = frame.set_axis(pd.Index(names, dtype=object), axis="columns")
    families = _cells(clean, FAMILY)
    models = [cell.strip() if isinstance(cell, str) else "" for cell in _cells(clean, MODEL)]
    empty = [row for row, cell in enumerate(families) if is_blank(cell) and models[row]]
    if not empty:
        return frame, unsaid
    own = dict(zip(fit.scores.models, _of_models(fit, FAMILY), strict=True))
    new = [models[row] for row in empty if models[row] not in own]
    read = dict(zip(new, _read_from_names(fit, new), strict=False)) if new else {}
    lineages = _cells(clean, LINEAGE)
    for row in empty:
        model = models[row]
        if model in own:
            families[row], unsaid[row] = own[model], f"{FAMILY}={own[model]} (fitted model)"
        elif model in read:
            families[row] = read[model].family
            unsaid[row] = f"{FAMILY}={read[model].family} ({read[model].source})"
            if is_blank(lineages[row]) and read[model].family not in fit.scores.families:
                lineages[row] = read[model].lineage
    stated = {LINEAGE: lineages} if LINEAGE in clean or any(map(_given, lineages)) else {}
    if not any(map(_given, families)):
        return frame, unsaid
    columns = {FAMILY: families, **stated}
    return clean.assign(
        **{n: pd.Series(c, clean.index, dtype=object) for n, c in columns.items()}
    ), unsaid


def _given(cell: object) -> bool:
    return not is_blank(cell)


def _cells(frame: pd.DataFrame, name: str) -> list[object]:
    return frame[name].astype(object).tolist() if name in frame else [None] * len(frame)


def _of_models(fit: Fit, name: str) -> list[str]:
    return [str(value) for value in fit.scores.dataset[name].values]


def _read_from_names(fit: Fit, models: Sequence[str]) -> list[_Named]:
    """Return what names give by the rule that gives the fitted families; empty if none does."""
    fitted, families = list(fit.scores.models), _of_models(fit, FAMILY)
    if [parse_name(name).series for name in fitted] == families:
        parsed = [parse_name(name) for name in models]
        return [_Named(n.series, provider_of(n) or n.series, "name") for n in parsed]
    every = [*fitted, *models]
    sizes = [parse_name(name).size_b for name in models]
    table, _ = base_families(every, params_b=[*fit.scores.dataset["params"].values, *sizes])
    known, new = table.iloc[: len(fitted)], table.iloc[len(fitted) :]
    named = (known["family_basis"] == "name").to_numpy()
    agree = known["family"].to_numpy() == np.array(families, dtype=object)
    if not named.any() or agree[named].mean() < _MOSTLY:
        return []
    return [
        _Named(row.family, row.lineage, "name" if row.family_basis == "name" else "its own")
        for row in new.itertuples()
    ]
