"""Values that a forecast row leaves out and that can be taken from the fitted models.

An empty `tokens_t` is not one of them: it means that the tokens are undisclosed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.columns import is_blank
from latentscale.data.features.base import FeatureKind
from latentscale.data.known_features import INSTRUCT
from latentscale.data.problems import Problem, at_cell
from latentscale.data.similar_names import fitted_spelling
from latentscale.dims import FAMILY, LINEAGE, MODEL
from latentscale.markup import counted

_ENDED: Final = re.compile(r"(?<=\)); ")
"""Between two texts of a row, each of which ends with its source in brackets."""
_SETTLED: Final = (LINEAGE, "family")
"""A fitted family has one lineage, so a note need not say that its models have it."""
_RULE: Final = "Write 1 for an instruction-tuned model, 0 for a base model."


@dataclass(frozen=True)
class AssumedValues:
    """Values assumed for what rows leave out.

    Parameters
    ----------
    values
        One per row, stated or assumed.
    texts
        What was assumed and from where, such as ``"instruct=1 (family)"``; empty if nothing was.
    problems
        Rows for which nothing can be assumed.
    """

    values: list[float]
    texts: list[str]
    problems: list[Problem]


def left_out(frame: pd.DataFrame, name: str) -> npt.NDArray[np.bool_]:
    """Return which rows have an empty cell in a column; all rows if the table does not have it."""
    if name not in frame.columns:
        return np.ones(len(frame), dtype=bool)
    return np.array([bool(is_blank(cell)) for cell in frame[name].array], dtype=bool)


def assumed_instruct(
    models: pd.DataFrame,
    empty: npt.NDArray[np.bool_],
    fitted: xr.Dataset,
    releases: Sequence[Mapping[str, object]],
    *,
    needed: bool,
) -> AssumedValues:
    """Take `instruct` from the fitted models where it is left out.

    A fitted model's row takes that model's value; a new setting of a fitted release, the release's
    value; a row of a fitted family, the value common to the family's models; a row of a new family,
    the value common to all fitted models.

    Parameters
    ----------
    models
        The rows: model, family, instruct, indexed by row position.
    empty
        Rows that leave it out.
    fitted
        Variables instruct and family of the fitted models, dims (model,).
    releases
        What the fitted release of each row states, by feature; empty if the row belongs to none.
    needed
        Whether the forecast depends on it. If not, a row without such a value is taken as 0, and
        no text is written.
    """
    instruct = [float(value) for value in fitted[INSTRUCT].to_numpy()]
    own = dict(zip(map(str, fitted[MODEL].to_numpy()), instruct, strict=True))
    by_family: dict[str, set[float]] = defaultdict(set)
    for family, value in zip(map(str, fitted[FAMILY].to_numpy()), instruct, strict=True):
        by_family[family].add(value)
    values = models[INSTRUCT].astype(float).tolist()
    texts, problems = [""] * len(values), []
    for row in np.flatnonzero(empty).tolist():
        model, family = str(models[MODEL].iloc[row]), str(models[FAMILY].iloc[row])
        if model in own:
            choices, source = {own[model]}, "fitted model"
        elif INSTRUCT in releases[row]:
            choices, source = {float(str(releases[row][INSTRUCT]))}, "release"
        elif family in by_family:
            choices, source = by_family[family], "family"
        else:
            choices, source = set(instruct), "all fitted models"
        values[row] = next(iter(choices)) if len(choices) == 1 else 0.0
        if needed and len(choices) == 1:
            texts[row] = f"{INSTRUCT}={values[row]:g} ({source})"
        elif needed:
            why = (
                f'Family "{family}" has fitted models of both kinds'
                if family in by_family
                else f'Family "{family}" is new{_spelling_hint(family, by_family)}, and the fitted '
                "models are of both kinds"
            )
            rule = f"{why}, so none can be assumed. {_RULE}"
            problems.append(at_cell(int(row), model, INSTRUCT, "empty", rule))
    return AssumedValues(values, texts, problems)


def _spelling_hint(family: str, fitted: Iterable[str]) -> str:
    other = fitted_spelling(family, fitted)
    return "" if other is None else f' (if it is the fitted family "{other}", write that)'


def assumed_feature(
    models: pd.DataFrame, kind: FeatureKind, fitted: xr.Dataset
) -> tuple[pd.Series, list[str]]:
    """Take a feature that a row leaves out from the fitted models, where these determine it.

    As `assumed_instruct`, except that values which they do not determine stay empty, and so do
    values missing for a fitted model, as they were in the fit. If missing is a level of the
    category, it counts as a value of the models that have it, and the text says so. If missing
    values are estimated, a model that was not fitted gets a drawn value, whatever its family, and
    the text says so.

    Parameters
    ----------
    models
        The rows: model, family and features, indexed by row position.
    kind
        The feature.
    fitted
        The fitted models, dims (model,).

    Returns
    -------
    tuple
        Cells, stated or assumed; and one text per row, such as ``"released=2024-07-23 (family)"``.
    """
    empty = pd.Series([None] * len(models), index=models.index, dtype=object)
    cells = models[kind.name].astype(object) if kind.name in models else empty
    texts = [""] * len(models)
    level = getattr(kind, "missing_level", "")
    own, by_family = _values_of_models(kind, fitted, level)
    for place, row in enumerate(models.index):
        if not is_blank(cells[row]):
            continue
        model, family = str(models.at[row, MODEL]), str(models.at[row, FAMILY])
        if model in own or kind.estimated:
            choices, source = own.get(model, set()), "fitted model"
        elif family in by_family:
            choices, source = by_family[family], "family"
        else:
            choices, source = set().union(*by_family.values()), "all fitted models"
        value = next(iter(choices)) if len(choices) == 1 else level
        if value == level:
            texts[place] = _of_missing(kind, level, fitted=model in own)
        else:
            cells[row] = value
            texts[place] = f"{kind.name}={as_text(value)} ({source})"
    return cells, texts


def _values_of_models(
    kind: FeatureKind, fitted: xr.Dataset, level: str
) -> tuple[dict[str, set[object]], dict[str, set[object]]]:
    """Return the values of each fitted model and family, including the level of missing values."""
    own: dict[str, set[object]] = defaultdict(set)
    by_family: dict[str, set[object]] = defaultdict(set)
    rows = len(fitted[MODEL])
    kept = fitted[kind.variable].to_numpy() if kind.variable in fitted else kind.kept(None, rows)
    values = pd.Series(kind.cells(kept)).astype(object)
    names = (fitted[name].to_numpy().astype(str) for name in (MODEL, FAMILY))
    for model, family, value in zip(*names, values, strict=True):
        own[model] |= set()
        said = level if is_blank(value) else value
        if said != "":
            own[model].add(said)
            by_family[family].add(said)
    return own, by_family


def _of_missing(kind: FeatureKind, level: str, *, fitted: bool) -> str:
    """Return the text for a feature that a row leaves out and that nothing determines."""
    if level:
        return f"{kind.name}={level} (left out)"
    if kind.estimated:
        return f"{kind.name} estimated (fitted model)" if fitted else f"{kind.name} drawn (prior)"
    return ""


def as_text(value: object) -> str:
    """Return a feature's value as it appears in texts about rows."""
    if isinstance(value, pd.Timestamp):
        return str(value.date())
    return f"{value:g}" if isinstance(value, float) else str(value)


def assumed_note(texts: Sequence[str]) -> tuple[str, ...]:
    """Return one line, with counts, on values that rows left out and that were assumed, if any.

    Parameters
    ----------
    texts
        What was assumed for each row, as in `AssumedValues`, several joined by "; ".
    """
    kinds: dict[tuple[str, str], list[str]] = {}
    for one in (one for text in texts for one in _ENDED.split(text) if one):
        what, _, source = one.rpartition(" (")
        kind = (what.partition("=")[0], source.removesuffix(")"))
        if kind != _SETTLED:
            kinds.setdefault(kind, []).append(what)
    total = counted(len(texts), "row")
    said = [
        # Values that differ between rows are in the table.
        f"{whats[0] if len(set(whats)) == 1 else name} ({source}) in {len(whats)} of {total}"
        for (name, source), whats in kinds.items()
    ]
    return (f"Left out and assumed: {'; '.join(said)}",) if said else ()


def assumed_lineages(
    stated: pd.DataFrame, used: pd.DataFrame, known: Mapping[str, str]
) -> list[str]:
    """Return a text for each row that leaves out its lineage: the one used, and its origin.

    Parameters
    ----------
    stated, used
        The rows as stated (an empty string where not), and as used: family and lineage.
    known
        Lineage of each fitted family.
    """
    named = set(stated.loc[stated[LINEAGE] != "", FAMILY])
    texts = []
    rows = zip(stated[LINEAGE], used[FAMILY], used[LINEAGE], strict=True)
    for was, family, lineage in rows:
        if was != "":
            texts.append("")
        elif family in known:
            texts.append(f"{LINEAGE}={lineage} (family)")
        elif family in named:
            texts.append(f"{LINEAGE}={lineage} (other rows of the family)")
        else:
            texts.append(f"{LINEAGE}={lineage} (the family's own)")
    return texts
