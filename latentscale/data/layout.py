"""The columns of a table: required ones, allowed ones, and what a wrong name probably means."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, squeezed
from latentscale.data.column_names import is_aggregate, is_neither
from latentscale.data.columns import has_figures
from latentscale.data.dates import shown_dates
from latentscale.data.features.base import Feature
from latentscale.data.frames import AnyFrame, as_pandas
from latentscale.data.known_features import known_features
from latentscale.data.problems import Problem, at_column, fail
from latentscale.errors import DataError, listed
from latentscale.validate import UNSTORABLE_RULE, unstorable

REQUIRED: Final = ("model", "family")
OPTIONAL: Final = ("params_b", "tokens_t", "lineage", "instruct", "released")
METADATA: Final = REQUIRED + OPTIONAL

_MEANING: Final = {
    "model": "the model's name",
    "family": "the family's name",
    "params_b": "parameters in billions",
    "tokens_t": "training tokens in trillions, empty where undisclosed",
    "benchmark": "the benchmark's name",
    "score": "the score, a fraction from 0 to 1",
}
_LAUNCHED: Final = (
    *("launch", "launched", "launch_date", "available_since", "available_from"),
    *("announced", "published", "publication_date"),
)
_ALIASES: Final = {
    "model": ("name", "model_name", "models", "model_id", "llm"),
    "family": ("families", "model_family", "series"),
    "params_b": ("params", "parameters", "n_params", "num_params", "size", "size_b", "model_size"),
    "tokens_t": ("tokens", "n_tokens", "training_tokens", "train_tokens", "tokens_b", "data_t"),
    "lineage": ("base_family", "base_model", "parent"),
    "instruct": ("instruction", "instruct_tuned", "is_instruct", "chat"),
    "released": ("release", "release_date", "date", *_LAUNCHED),
    "benchmark": ("bench", "task", "dataset", "metric"),
    "score": ("value", "accuracy", "acc", "result"),
}


_STDERR: Final = r"(?:std\.?[ _-]?err(?:or)?|standard[ _-]error)s?"
_ERRORS: Final = re.compile(rf"(.+?)[ _\-(\[]+{_STDERR}[)\]]?|{_STDERR}[ _\-(\[]+(.+?)[)\]]?")
"""Names of columns of standard errors, such as "gpqa_stderr"; "mmlu_se" may be Swedish."""


def checked_frame(
    frame: AnyFrame, required: Sequence[str], what: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Check a table's shape and column names, before any cell is read.

    Parameters
    ----------
    frame
        What the caller passed, a pandas DataFrame or one of another library; never modified.
    required
        Columns that it must have.
    what
        What the table is, for the message.

    Returns
    -------
    tuple
        A shallow copy with column names stripped of spaces at their ends, and findings.

    Raises
    ------
    DataError
        If it is not a table, is empty, is missing a required column, or has bad column names.
    """
    frame = as_pandas(frame, what)
    unnamed = [name for name in frame.columns if not isinstance(name, str) or not name.strip()]
    if unnamed:
        raise DataError(f"{what}: column names must be text; got {unnamed[:8]!r}. Name each one.")
    cut = [name for name in frame.columns if name != name.strip()]
    stripped = pd.Index([name.strip() for name in frame.columns], dtype=object)
    clean = frame.set_axis(stripped, axis="columns")
    fail(_name_problems(clean, required), what)
    if not len(clean):
        raise DataError(f"{what}: the table has no rows; give at least one row, one model each.")
    if not cut:
        return clean, []
    message = f"spaces at the ends of these column names were cut: {listed(cut)}."
    return clean, [Finding("warning", "names-stripped", "columns", message)]


_BENCHMARK_HEADINGS = ("benchmark", "benchmarks", "task", "dataset", "metric", "evaluation")
"""Names of the first column of a table whose columns are models."""
_ABOUT: Final = (
    *("version", "metric", "metrics", "mode", "category", "subset", "split", "setting", "settings"),
    *("shots", "# shots", "n-shot", "n_shot", "unit", "notes", "domain", "capability", "type"),
)
"""Names of further columns there, which describe benchmarks."""


def _name_problems(frame: pd.DataFrame, required: Sequence[str]) -> list[Problem]:
    names = list(frame.columns)
    problems = []
    for name in dict.fromkeys(names):
        places = [str(place) for place, other in enumerate(names) if other == name]
        if len(places) > 1:
            text = f"this name occurs {len(places)} times (columns {', '.join(places)}). Keep one."
            problems.append(at_column(name, text))
        if unstorable(name):
            problems.append(at_column(repr(name)[1:-1], f"this name is damaged. {UNSTORABLE_RULE}"))
    spare = [n for n in names if n not in METADATA and n not in KNOWN_BENCHMARKS]
    spare = [name for name in spare if name not in required]
    for name in required:
        if name not in names:
            problems.append(at_column(name, _missing(name, spare, frame)))
    return problems


def _missing(name: str, spare: Sequence[str], frame: pd.DataFrame) -> str:
    start = f"this required column ({_MEANING[name]}) is missing."
    levels = [level for level in frame.index.names if isinstance(level, str)]
    if closest(levels, name):
        return f"{start} It is the table's index: call frame.reset_index() first."
    if name in ("benchmark", "score") and any(n in KNOWN_BENCHMARKS for n in frame.columns):
        return f"{start} This looks like a wide table: use Scores.from_frame."
    turned = if_turned(frame) if name == "model" else ""
    meant = None if turned else closest(spare, name)
    if meant:
        return f'{start} Did you mean "{meant}"? Rename that column, and mind its unit.'
    hint = ""
    if name == "model":
        hint = turned or _indexed(frame)
        hint = hint or ' Call the column that names the models "model".'
    if name == "family" and "model" not in frame:
        hint = " A table that names models, but no families, is read by their names."
    elif name == "family":
        hint = " Of rows to forecast, latentscale.readers.read_planned reads it from models' names."
    return f"{start} The table has {listed(frame.columns) or 'no columns'}.{hint}"


def _indexed(frame: pd.DataFrame) -> str:
    """Return what to do with a table whose unnamed index seems to hold the models."""
    named = frame.index.name is None and frame.index.map(lambda name: isinstance(name, str)).all()
    call = 'frame.reset_index(names="model")'
    return f" If the models are its index, call {call} first." if named and len(frame) else ""


@dataclass(frozen=True)
class TurnedColumns:
    """The columns of a table whose rows seem to be benchmarks.

    Attributes
    ----------
    first
        The column with the names of benchmarks.
    models
        The columns named after models.
    about
        The other columns, which describe benchmarks.
    unnamed
        Whether the first column has no heading, so that it may hold models instead.
    """

    first: str
    models: tuple[str, ...]
    about: tuple[str, ...]
    unnamed: bool


def turned_columns(frame: pd.DataFrame) -> TurnedColumns | None:
    """Return the columns of a table whose rows seem to be benchmarks and whose columns models."""
    if not frame.columns.is_unique:
        return None
    names = [name for name in frame.columns if isinstance(name, str)]
    headings = [name for name in names if _bare(name) in _BENCHMARK_HEADINGS]
    first = headings[0] if headings else next(iter(names), "")
    unnamed = not first.strip() or first.startswith("Unnamed:")
    place = names.index(first) if names else 0
    about = [name for name in names[place + 1 :] if _bare(name) in _ABOUT or is_neither(name)]
    after = [name for name in names[place + 1 :] if name not in about]
    known = set(METADATA) & set(names)
    if len(after) < 2 or known or not (headings or unnamed) or has_figures(frame[first]):
        return None
    if any(map(has_figures, (frame[name] for name in names[:place]))) or not all(
        has_figures(frame[name]) for name in after
    ):
        return None
    return TurnedColumns(first, tuple(after), (*names[:place], *about), unnamed)


def if_turned(frame: pd.DataFrame) -> str:
    """Return what to do with a table whose rows seem to be benchmarks and whose columns models."""
    turned = turned_columns(frame)
    if turned is None:
        return ""
    drop = f".drop(columns={list(turned.about)!r})" if turned.about else ""
    call = f'frame{drop}.set_index("{turned.first}").T.reset_index(names="model")'
    hint = f" If the models are the columns, transpose it: {call}."
    named = f' If the column "{turned.first}" names the models, call it "model".'
    return named + hint if turned.unnamed else hint


def _bare(heading: str) -> str:
    """Return a heading in small letters without what follows in brackets."""
    return re.sub(r"\s*[(\[].*", "", heading.strip().casefold())


def closest(candidates: Iterable[str], name: str, cutoff: float = 0.6) -> str | None:
    """Return the candidate that most likely stands for the column `name`, or None."""
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    for alias in (name, *_ALIASES.get(name, ())):
        if alias in by_fold:
            return by_fold[alias]
    close = get_close_matches(name, by_fold, n=1, cutoff=cutoff)
    return by_fold[close[0]] if close else None


def own_columns(frame: pd.DataFrame, features: Sequence[Feature]) -> list[str]:
    """Return the columns that describe models: names, declared features and known ones.

    A column with the name of a known feature that holds fractions, such as a benchmark called
    ``reasoning``, is not one of them unless it is declared, is in `METADATA` or has a unit: small
    models have less than a billion active parameters.
    """
    named = {*METADATA, *(feature.name for feature in features)}
    known = [
        name
        for name, own in known_features().items()
        if name in frame and (own.feature.unit or not _fractions(frame[name]))
    ]
    return [name for name in frame.columns if name in named or name in known]


def _fractions(column: pd.Series) -> bool:
    """Return whether a column holds numbers in [0, 1], not all of them 0 or 1."""
    return _between_bounds(column) and not column.dropna().isin([0, 1]).all()


def _between_bounds(column: pd.Series) -> bool:
    """Return whether a column holds numbers, all of them in [0, 1]."""
    if not is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype):
        return False
    given = column.dropna()
    return bool(len(given)) and bool(given.between(0, 1).all())


def benchmark_columns(
    frame: pd.DataFrame, own: Collection[str], measured: Collection[str] = ()
) -> tuple[list[str], list[Problem], list[Finding]]:
    """Return the benchmark columns of a wide table: every column that does not describe the model.

    Columns that cannot be benchmarks are problems; a column of fractions that only looks like a
    misspelt column of the model is a finding. `own` names the columns that describe the model,
    `measured` those that the caller declares as benchmarks.
    """
    names = [name for name in frame.columns if name not in own]
    if not names:
        known = listed(KNOWN_BENCHMARKS, limit=20)
        text = (
            "the table has no benchmark column. Every column except "
            f"{listed(own, 20)} is read as a benchmark; known ones are {known}."
        )
        return [], [Problem(text)], []
    if {"benchmark", "score"} <= set(names):
        text = 'with a "score" column this looks like a long table: use Scores.from_long.'
        return [], [at_column("benchmark", text)], []
    problems, findings = [], []
    for name in names:
        if name.startswith("Unnamed:"):
            text = "this looks like a saved row index, not a benchmark. Drop it."
            problems.append(at_column(name, text))
            continue
        scored = None if name in measured else _error_of(name, names)
        if scored is not None:
            text = (
                f'this looks like standard errors of "{scored}", not a benchmark. Pass them as '
                f'stderr=frame[["model", "{name}"]].rename(columns={{"{name}": "{scored}"}}), or '
                "in a long table with the columns benchmark, score and stderr; or drop the column."
            )
            problems.append(at_column(name, text))
            continue
        shown = None if name in measured else shown_dates(frame[name])
        if shown is not None:
            problems.append(at_column(name, _dates_text(name, shown)))
            continue
        meant = None if name in measured else _misspelt_column(name, frame.columns)
        if meant and (name.casefold() == meant or not _between_bounds(frame[name])):
            text = (
                f'not a known column. Did you mean "{meant}"? Rename it and check its unit, '
                f'or drop it. If it is a feature of its own, declare it: features=["{name}"].'
            )
            problems.append(at_column(name, text))
        elif meant:
            findings.append(_lookalike(name, meant))
        elif name not in measured and name not in KNOWN_BENCHMARKS:
            findings += _unlikely(name)
    skipped = {problem.column for problem in problems}
    return [name for name in names if name not in skipped], problems, findings


def _dates_text(name: str, shown: str) -> str:
    return (
        f"holds dates (first: {shown}), not scores. If they are the days of models' releases, "
        f'rename it to "released"; else declare it as a feature, features=["{name}"], or drop it.'
    )


def _error_of(name: str, names: Iterable[str]) -> str | None:
    """Return the other column whose standard errors a column seems to hold, by its name."""
    match = _ERRORS.fullmatch(name.casefold())
    if match is None:
        return None
    of = squeezed(match[1] or match[2] or "")
    others = (other for other in names if other != name and squeezed(other) == of)
    return next(others, None) if of else None


def _misspelt_column(name: str, present: Iterable[str]) -> str | None:
    if name in KNOWN_BENCHMARKS:
        return None
    there = set(present)
    absent = [column for column in (*METADATA, *known_features()) if column not in there]
    return next((column for column in absent if closest([name], column, cutoff=0.8)), None)


def _unlikely(name: str) -> list[Finding]:
    """Find a column that is read as a benchmark but whose name means something else."""
    if is_aggregate(name):
        by_name = "a mean, total or index of others"
    elif is_neither(name):
        by_name = "a rank, price, speed, count or setting"
    else:
        return []
    message = (
        f"by its name {by_name}, but this column is read as a benchmark. If it is not one, drop "
        f'it, or declare it as a feature, features=["{name}"].'
    )
    return [Finding("warning", "unlikely-benchmark", name, message)]


def _lookalike(name: str, meant: str) -> Finding:
    message = (
        f'this column is read as a benchmark. If it is "{meant}", rename it; '
        "if it is not a benchmark, drop it, or declare it as a feature."
    )
    return Finding("warning", "near-metadata-column", name, message)
