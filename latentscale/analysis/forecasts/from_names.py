"""Families and features that rows leave out, read from model names as in the fitted table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from latentscale.data.columns import is_blank
from latentscale.data.known_features import features_of, kinds_among
from latentscale.data.readers.efforts import UNSTATED, effort, reasoning
from latentscale.data.readers.families import base_families
from latentscale.data.readers.model_names import parse_name, provider_of
from latentscale.data.readers.size_classes import NameReading, size_class
from latentscale.data.scores import Scores
from latentscale.dims import FAMILY, LINEAGE, MODEL
from latentscale.posterior.fit import Fit

_READINGS: Final[Mapping[str, Callable[[Sequence[str]], NameReading]]] = {
    "reasoning": reasoning,
    "effort": effort,
    "size_class": size_class,
}
"""Features that readers of hubs take from model names."""
_MOSTLY: Final = 0.9
"""Least share of fitted models whose name gives their family; for the others, the base model or
architecture that a leaderboard states decides."""
_PROVIDER: Final = "provider"
_ACTIVE: Final = "active_params_b"


class _Named(NamedTuple):
    """The family that a name implies, its lineage if names imply one too, and the source."""

    family: str
    lineage: str | None
    source: str


def with_names_read(fit: Fit, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Fill in families and features that rows leave out and their names imply.

    A fitted model keeps its fitted family. Any other row gets the family that its name implies, if
    the fitted families were read from names (as in tables of hubs and leaderboards, which state
    none). Where the fitted lineages are providers, a new family without a lineage gets that of its
    provider, as stated or implied by the name. Reasoning, effort and size class are read from names
    if the values of all fitted models agree with their names. Otherwise rows are unchanged.

    Parameters
    ----------
    fit
        A fit.
    frame
        Rows to forecast.

    Returns
    -------
    tuple
        The rows, and one text per row, such as ``"family=gpt (name)"``; empty if it was stated.
    """
    frame, of_families = with_families_read(fit.scores, frame)
    frame, of_lineages = with_lineages_of_providers(fit.scores, frame)
    if "lineage_skill" not in fit.posterior:
        of_lineages = [""] * len(frame)
    frame, of_features = _with_features(fit, frame)
    parts = zip(of_families, of_lineages, of_features, strict=True)
    return frame, ["; ".join(filter(None, part)) for part in parts]


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
        # A value that all models share could agree with their names by chance.
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


def given_by_names(name: str, models: Sequence[str], cells: Sequence[object]) -> bool:
    """Return whether all filled cells of a feature agree with the names of their models.

    Readers of hubs fill cells from names, so such cells do not count as stated.
    """
    if name == _PROVIDER:
        read: list[object] = [provider_of(parse_name(model)) for model in models]
    elif name == _ACTIVE:
        read = [parse_name(model).active_b for model in models]
    elif name in _READINGS:
        read = _reading(name, models)
    else:
        return False
    return all(is_blank(cell) or cell == said for cell, said in zip(cells, read, strict=True))


def _reading(name: str, models: Sequence[str]) -> list[object]:
    """Return the values of a feature that model names imply, None for names without one."""
    return [None if value == UNSTATED else value for value in _READINGS[name](models).values]


def with_families_read(scores: Scores, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Fill in families that rows leave out, determined as for a table of scores.

    Parameters
    ----------
    scores
        The fitted table.
    frame
        Rows to forecast.

    Returns
    -------
    tuple
        The rows, and one text per row, such as ``"family=gpt (name)"``; empty if it was stated.
    """
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
    own = dict(zip(scores.models, _of_models(scores, FAMILY), strict=True))
    new = [models[row] for row in empty if models[row] not in own]
    read = dict(zip(new, _read_from_names(scores, new), strict=False)) if new else {}
    lineages = _cells(clean, LINEAGE)
    for row in empty:
        model = models[row]
        if model in own:
            families[row], unsaid[row] = own[model], f"{FAMILY}={own[model]} (fitted model)"
        elif model in read:
            families[row] = read[model].family
            unsaid[row] = f"{FAMILY}={read[model].family} ({read[model].source})"
            new_family = read[model].family not in scores.families
            if read[model].lineage and is_blank(lineages[row]) and new_family:
                lineages[row] = read[model].lineage
    stated = {LINEAGE: lineages} if LINEAGE in clean or any(map(_given, lineages)) else {}
    if not any(map(_given, families)):
        return frame, unsaid
    columns = {FAMILY: families, **stated}
    return clean.assign(
        **{n: pd.Series(c, clean.index, dtype=object) for n, c in columns.items()}
    ), unsaid


def with_lineages_of_providers(
    scores: Scores, frame: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Give rows of new families the lineage of their provider, if lineages are providers.

    Parameters
    ----------
    scores
        The fitted table.
    frame
        Rows to forecast. Rows of fitted families, and of families for which any row states a
        lineage, are unchanged.

    Returns
    -------
    tuple
        The rows, and one text per row, such as ``"lineage=OpenAI (provider)"``; empty if nothing
        was filled in.
    """
    unsaid = [""] * len(frame)
    names = [name.strip() if isinstance(name, str) else name for name in frame.columns]
    if any(names.count(name) != 1 for name in (MODEL, FAMILY)) or names.count(LINEAGE) > 1:
        return frame, unsaid
    frame = frame.set_axis(pd.Index(names, dtype=object), axis="columns")
    families, lineages = _cells(frame, FAMILY), _cells(frame, LINEAGE)
    stated = {_text(f) for f, g in zip(families, lineages, strict=True) if not is_blank(g)}
    free = [
        row
        for row, (family, lineage) in enumerate(zip(families, lineages, strict=True))
        if is_blank(lineage)
        and not is_blank(family)
        and _text(family) not in stated
        and _text(family) not in scores.families
    ]
    of_makers = _providers_by_maker(scores) if free else None
    if of_makers is None:
        return frame, unsaid
    models, providers = _cells(frame, MODEL), _cells(frame, _PROVIDER)
    for row in free:
        maker = provider_of(parse_name(_text(models[row])))
        own = None if is_blank(providers[row]) else _text(providers[row])
        lineages[row] = own or of_makers.get(maker or "", maker)
        if lineages[row]:
            unsaid[row] = f"{LINEAGE}={lineages[row]} ({'provider' if own else 'name'})"
    if not any(map(_given, lineages)):
        return frame, unsaid
    return frame.assign(**{LINEAGE: pd.Series(lineages, frame.index, dtype=object)}), unsaid


def _providers_by_maker(scores: Scores) -> dict[str, str] | None:
    """Map makers that names imply to the table's spelling; None unless lineages are providers.

    Providers are taken from the table if it states them, otherwise from names.
    """
    table = scores.dataset
    makers = [provider_of(parse_name(model)) for model in scores.models]
    kind = kinds_among(features_of(table)).get(_PROVIDER)
    has = kind is not None and kind.variable in table
    stated = kind.cells(table[kind.variable].values).tolist() if kind and has else makers
    pairs = zip(stated, _of_models(scores, LINEAGE), makers, strict=True)
    known = [(said, lineage, maker) for said, lineage, maker in pairs if not is_blank(said)]
    alike = [one for one in known if one[0] == one[1]]
    if len(alike) < max(_MOSTLY * len(known), 1):
        return None
    spelt: dict[str, Counter[str]] = defaultdict(Counter)
    for _, lineage, maker in alike:
        spelt[maker or ""][lineage] += 1
    return {maker: counts.most_common(1)[0][0] for maker, counts in spelt.items() if maker}


def _text(cell: object) -> str:
    return str(cell).strip()


def _given(cell: object) -> bool:
    return not is_blank(cell)


def _cells(frame: pd.DataFrame, name: str) -> list[object]:
    return frame[name].astype(object).tolist() if name in frame else [None] * len(frame)


def _of_models(scores: Scores, name: str) -> list[str]:
    return [str(value) for value in scores.dataset[name].values]


def _read_from_names(scores: Scores, models: Sequence[str]) -> list[_Named]:
    """Read names by the rule that reproduces the fitted families; empty if no rule does."""
    fitted, families = list(scores.models), _of_models(scores, FAMILY)
    if [parse_name(name).series for name in fitted] == families:
        parsed = [parse_name(name) for name in models]
        return [_Named(n.series, None, "name") for n in parsed]
    every = [*fitted, *models]
    sizes = [parse_name(name).size_b for name in models]
    table, _ = base_families(every, params_b=[*scores.dataset["params"].values, *sizes])
    known, new = table.iloc[: len(fitted)], table.iloc[len(fitted) :]
    named = (known["family_basis"] == "name").to_numpy()
    agree = known["family"].to_numpy() == np.array(families, dtype=object)
    if not named.any() or agree[named].mean() < _MOSTLY:
        return []
    return [
        _Named(row.family, row.lineage, "name" if row.family_basis == "name" else "its own")
        for row in new.itertuples()
    ]
