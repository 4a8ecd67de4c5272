"""Tables as hubs and leaderboards publish them: columns named anyhow, figures as they are printed.

For tables that no other reader knows by their files. What each column is, is decided by rules and
said; what no rule decides is left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Audit, Finding
from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import is_neither
from latentscale.data.columns import number_of_cell
from latentscale.data.empty import is_empty
from latentscale.data.features import Feature
from latentscale.data.frames import AnyFrame, as_pandas, is_frame
from latentscale.data.layout import closest, if_turned
from latentscale.data.readers.cells import with_text_names
from latentscale.data.readers.measurements import (
    CELLS,
    Measurements,
    one_score_a_cell,
    read_measurements,
    with_names,
)
from latentscale.data.readers.parquet import read_table
from latentscale.data.readers.published.cells import score_cells
from latentscale.data.readers.published.columns import (
    Roles,
    bounds_among,
    is_error,
    is_interval,
    roles_of,
)
from latentscale.data.readers.published.findings import TINY
from latentscale.data.readers.published.markup import plain_headings, without_markup
from latentscale.data.readers.published.models import (
    described,
    named_alike,
    published_features,
    torn_releases,
    with_figures,
)
from latentscale.data.readers.published.repeats import (
    finer_benchmarks,
    mixed_settings,
    names_benchmarks,
    refuse_several_metrics,
    refuse_unnamed_scores,
)
from latentscale.data.readers.published.runs import finished_runs
from latentscale.data.readers.published.scores import OF_INTERVAL, long_cells, wide_cells
from latentscale.data.readers.published.sizes import with_sizes_of_names
from latentscale.data.readers.published.turned import models_in_rows
from latentscale.data.readers.tuning import with_types
from latentscale.data.scores import Scores
from latentscale.errors import DataError, listed
from latentscale.files import expanded
from latentscale.markup import counted

_FRAME: Final = "This table"
_MODELS: Final = 8
"""Models from which two benchmarks' rank correlation counts; of eight models in random order it is
below -0.5 once in nine times."""
_AGAINST: Final = -0.5
"""Mean rank correlation with the other benchmarks below which a benchmark is reported. Of the
173 benchmarks of Epoch's hub and BenchPress, all the right way round, the lowest is -0.1."""
_NO_MODEL: Final = re.compile(
    r"((overall|macro|column) )?(average|avg\.?|mean|median|total|count|best|worst"
    r"|max(imum)?|min(imum)?|std\.?( ?dev(iation)?\.?)?|stdev|standard deviation|variance)"
    r"( (score|human|mturker))?( \([^()]*\))?"
    r"|(random|majority|naive)( (guess(ing)?|baseline|class|chance))?( \([^()]*\))?"
    r"|(chance|guessing)( level)?( \([^()]*\))?|((average|non-?expert|expert) )?humans?"
    r"([ -](experts?|baseline|performance|average|avg|level|median|score|panel|raters?))*"
    r"( \([^()]*\))?",
    re.IGNORECASE,
)
"""Rows that hubs print among models: means, human baselines, what guessing reaches."""


def read_published(
    path: str | Path | AnyFrame,
    *,
    repeats: str = "mean",
    sources: str = "merged",
    features: Sequence[str | Feature] | None = None,
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Scores:
    """Read scores from a table as a hub or leaderboard publishes it.

    Parameters
    ----------
    path
        A CSV, TSV, Markdown or Parquet file, or a frame, with one row a model and a column a
        benchmark, or one row a score. A table with benchmarks in rows, below a heading such as
        Benchmark, and models in columns is transposed. The column of models is named Model, Name,
        LLM or the like (also in Chinese); provider, release date, sizes, effort and licence
        likewise.
    repeats
        What becomes of several rows of one model on one benchmark: ``"mean"`` of those of each
        source, or ``"best"``, the best of all. A source is what a column Source, Agent,
        Scaffold or Harness says.
    sources
        What becomes of several sources then: ``"merged"`` or ``"apart"``, as for
        `Scores.from_long`.
    features
        Columns that describe models and are not among those known by name. Figures as hubs print
        them ("$2.00", "400k") are read as numbers.
    benchmarks
        Declarations that win, by column or by benchmark of a long table. A column described here
        is a benchmark whatever its name.

    Returns
    -------
    Scores
        Families, and where the table does not state them providers, efforts and size classes, are
        read from names; a column Reasoning may hold yes and no or efforts, and a column Type
        whether models are instruction-tuned. In a table with one row a score, names that differ
        in case, dots or dashes alone are one model. Sizes are read from
        names where the table states none and at least half of the names do. A column of numbers is
        a benchmark: of percentages where cells have a percent sign or exceed 1, of fractions where
        none does; a rating (real) or an amount (positive, such as minutes) by its name, and a
        rating too where all scores lie between 500 and 5000; cells such as "2 hr 17 min" are
        minutes. Columns whose names speak of ranks, prices, speeds, votes or settings, means and
        indices of the others (also with weights, of columns that a name is part of), and numbers
        beyond 100 that no rule knows are left out. A percentage below 0 or above 100 is left out
        and named where it is one cell of ten or more with percent signs, or of fifty without; else
        the column is left out. Lower is better where a heading says so ("WER", "perplexity", "↓").
        Floors are those of guessing among a known task's choices, unless a score is below.
        Errors follow from columns of standard errors and of 95% intervals; half widths printed
        beside a score ("78.2 ± 1.1") count as those of 95%, since spread beyond the stated error
        is estimated; standard errors are read from a column such as "GPQA stderr". Intervals of
        amounts, by their ends or as "60 +120/-40", are taken for symmetric in logarithms: half
        their width in logarithms times the score (half their width where an end is not above 0).
        Whole numbers in a column such as "GPQA n" are the items of the benchmark's scores. Counts
        such as "28/30" are shares of as many items, where all cells of a column are such or have a
        percent sign. Runs that a column Status, as in tables of Inspect's logs, says did not
        finish are left out. Each decision is in the audit.

    Raises
    ------
    DataError
        If no column names models or none is a benchmark; and as `Scores.from_long`.

    Warns
    -----
    DataWarning
        Once, about what looks wrong but can be used.

    Examples
    --------
    >>> table = pd.DataFrame({"Model": ["GPT-5", "o3"], "Organization": "OpenAI"})
    >>> table = table.assign(**{"GPQA Diamond": ["85.7%", "83.3%"], "Price": ["$1.25", "$2"]})
    >>> scores = ls.readers.read_published(table)
    >>> scores.benchmarks, scores.dataset["score"].values.ravel().tolist()
    (('GPQA Diamond',), [0.857, 0.833])
    """
    read = published_measurements(
        path, repeats=repeats, sources=sources, features=features, benchmarks=benchmarks
    )
    return read_measurements(read, None)


def published_measurements(
    path: str | Path | AnyFrame,
    *,
    repeats: str = "mean",
    sources: str = "merged",
    features: Sequence[str | Feature] | None = None,
    benchmarks: Mapping[str, Benchmark] | None = None,
) -> Measurements:
    """Read a published table, and return it before it becomes `Scores`.

    Parameters
    ----------
    path, repeats, sources, features, benchmarks
        As for `read_published`.

    Returns
    -------
    Measurements
        Scores, models and declarations of benchmarks.

    Raises
    ------
    DataError
        As `read_published`.

    Examples
    --------
    >>> table = pd.DataFrame({"Model": ["GPT-5", "o3"], "GPQA Diamond": ["85.7%", "83.3%"]})
    >>> ls.readers.published_measurements(table).models["provider"].tolist()
    ['OpenAI', 'OpenAI']
    """
    if is_frame(path):
        what, table = _FRAME, as_pandas(path, _FRAME)
    else:
        what, table = str(path), read_table(expanded(path, DataError))
    declared = dict(benchmarks or {})
    own = [feature if isinstance(feature, str) else feature.name for feature in features or ()]
    table, headings = _plain_rows(with_text_names(table, what), [*declared, *own])
    roles = _checked_roles(table, declared, own, what)
    table, unnamed = rows_of_models(table, roles)
    table, stopped = finished_runs(table, roles, [*declared, *own], what)
    if not roles.long:
        free = [name for name in roles.others if name not in own]
        refuse_unnamed_scores(table[[roles.columns["model"]]], table, free, what)
    roles = with_types(table, _shape(table, roles), own)
    table, bare = _of_benchmarks(table, roles)
    refuse_several_metrics(table, roles, own, what)
    table, figures = with_figures(table, features or (), what)
    named, models, described_here = described(table, roles, own)
    read = long_cells if roles.long else wide_cells
    cells, info, found = read(table, roles, named, declared, own, what)
    cells = cells.dropna(subset="score").reset_index(drop=True)
    halved = cells.loc[cells["stderr"].notna() & cells[OF_INTERVAL], "benchmark"].unique().tolist()
    cells = cells[list(CELLS)]
    falling = [name for name, benchmark in info.items() if benchmark.lower_is_better]
    apart = repeats != "best" and sources == "apart"
    mixed = mixed_settings(table, named, roles, own, by_source=apart)
    cells, merged = one_score_a_cell(cells, repeats, by_source=repeats != "best", falling=falling)
    scored = models["model"].isin(cells["model"])
    without = _without_scores(models.loc[~scored, "model"])
    turned = _turned([name for name in info if name not in declared], cells, falling)
    models, of_sizes = with_sizes_of_names(models[scored].reset_index(drop=True))
    models, from_names = completed_by_names(models)
    return Measurements(
        cells=cells,
        models=models,
        benchmarks={name: info[name] for name in dict.fromkeys(cells["benchmark"])},
        features=(*published_features(own), *(features or ())),
        audit=Audit(
            (
                *(
                    *headings,
                    *unnamed,
                    *stopped,
                    *bare,
                    *figures,
                    *described_here,
                    *found,
                    *mixed,
                    *merged,
                    *without,
                ),
                *(*_errors(cells, info, halved), *of_sizes, *from_names, *turned),
                *(*torn_releases(models), *named_alike(models)),
            )
        ),
        sources=sources,
        said=tuple(("mixed-units", one.where) for one in found if one.code == TINY),
    )


def _plain_rows(table: pd.DataFrame, kept: Collection[str]) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table with plain headings and models in rows, and findings on what was not so."""
    plain, findings = plain_headings(table, kept)
    rows, transposed = models_in_rows(plain)
    if not transposed:
        return plain, findings
    rows, of_rows = plain_headings(rows, kept)
    return rows, [*findings, *transposed, *of_rows]


def _checked_roles(
    table: pd.DataFrame, declared: Collection[str], own: Collection[str], what: str
) -> Roles:
    """Return the role of each column, once a column names the models and features are columns."""
    roles = roles_of(table, kept=[*declared, *own])
    if "model" not in roles.columns:
        raise DataError(
            f"{what}: no column names the models; it is called Model, Name or LLM in such tables. "
            f"Rename it. The table has {listed(table.columns, 12)}.{if_turned(table)}"
        )
    absent = [name for name in own if name not in table]
    if absent:
        raise DataError(
            f"{what}: features: no column {listed(absent)}. It has {listed(table.columns, 12)}."
        )
    return roles


def is_published(frame: pd.DataFrame) -> bool:
    """Return whether a table names models, but not as a table of scores does, with families.

    A column that seems to be a misspelt ``family`` is for its owner to correct.
    """
    names = [name for name in frame.columns if isinstance(name, str)]
    if {"model", "family"} <= {name.strip() for name in names} or not frame.columns.is_unique:
        return False
    read = frame[names] if len(names) == len(frame.columns) else frame.iloc[:, :0]
    roles = roles_of(_plain_rows(read, ())[0])
    free = [name for name in roles.others if closest([name], "family", cutoff=0.8)]
    return "model" in roles.columns and not free


def rows_of_models(table: pd.DataFrame, roles: Roles) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the rows that name a model, in plain text, and findings on the others."""
    table, findings = without_markup(table, roles)
    column = roles.columns["model"]
    names = table[column].tolist()
    empty = np.array([is_empty(cell) for cell in names], dtype=bool)
    other = np.array([bool(_NO_MODEL.fullmatch(str(cell).strip())) for cell in names], dtype=bool)
    if empty.any():
        rows = counted(int(empty.sum()), "row without a name", "rows without a name")
        were = "was" if empty.sum() == 1 else "were"
        message = f'{rows} in "{column}" {were} left out.'
        held = [] if roles.long else _texts_of(table[empty])
        if held:
            message += (
                f" Cells there: {listed(held, 4)}. Write units, and a second line of headings, "
            )
            message += "into the headings."
        if roles.long:
            message += " If cells of a spreadsheet were merged, fill them down."
        findings.append(Finding("warning", "unnamed-rows", column, message))
    if other.any():
        shown = listed(dict.fromkeys(str(cell).strip() for cell in table[column][other]))
        message = (
            f"{counted(int(other.sum()), 'row')} with names of people, of guessing or of "
            f"statistics, and not of models, {'was' if other.sum() == 1 else 'were'} left out: "
            f"{shown}. Rename a row to keep it."
        )
        findings.append(Finding("warning", "rows-of-no-model", column, message))
    return table[~empty & ~other].reset_index(drop=True), findings


def _texts_of(rows: pd.DataFrame) -> list[str]:
    """Return the cells of rows that are neither empty nor numbers."""
    cells = [cell for cell in rows.to_numpy(dtype=object).ravel() if isinstance(cell, str)]
    return [cell.strip() for cell in cells if not is_empty(cell) and number_of_cell(cell) is None]


def _of_benchmarks(table: pd.DataFrame, roles: Roles) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the rows that name a benchmark, of a table with one row a score."""
    column = roles.columns.get("benchmark")
    if column is None:
        return table, []
    empty = table[column].map(is_empty).to_numpy(dtype=bool)
    if not empty.any():
        return table, []
    message = f'{counted(int(empty.sum()), "row")} without a name in "{column}" were left out.'
    finding = Finding("warning", "unnamed-rows", column, message)
    return table[~empty].reset_index(drop=True), [finding]


def _without_scores(models: pd.Series) -> list[Finding]:
    if models.empty:
        return []
    were = "was" if len(models) == 1 else "were"
    message = f"{counted(len(models), 'model')} without a score {were} left out: "
    message += f"{listed(models, 5)}."
    return [Finding("info", "models-without-scores", "model", message)]


def _errors(
    cells: pd.DataFrame, info: Mapping[str, Benchmark], halved: Sequence[str]
) -> list[Finding]:
    """Say how many scores have a standard error, and by which rule; it counts in their noise.

    `halved` has the benchmarks with errors that follow from intervals.
    """
    known = cells["stderr"].notna()
    if not known.any():
        return []
    measured = list(dict.fromkeys(cells["benchmark"][known]))
    message = f"{int(known.sum())} of {counted(len(cells), 'score')} have a standard error, which "
    message += f"counts in their noise: those of {listed(measured, 4)}."
    if len(halved):
        message += f" On {listed(halved, 4)} a number after ±, or half an interval, is taken for "
        message += "half a 95% interval: the standard error is that over 1.96. If it is a standard "
        message += f'error, write it without ± in a column of its own, "{halved[0]} stderr" (with '
        message += 'one row a score "stderr").'
    amounts = [name for name in measured if info[name].scale == "positive"]
    if amounts:
        message += f" On {listed(amounts)} (positive) an interval, or +a/-b, gives half its width "
        message += "in logarithms times the score, over 1.96."
    return [Finding("info", "errors-read", "scores", message)]


def _turned(guessed: Sequence[str], cells: pd.DataFrame, falling: Collection[str]) -> list[Finding]:
    """Find benchmarks on which models that are good on the others are bad, by rank correlation."""
    wide = cells.pivot_table(index="model", columns="benchmark", values="score")
    oriented = wide.mul([-1.0 if name in falling else 1.0 for name in wide], axis="columns")
    alike = oriented.corr(method="spearman", min_periods=_MODELS)
    mean = alike.where(~np.eye(len(alike), dtype=bool)).mean()
    odd = [name for name in guessed if name in mean and mean[name] < _AGAINST]
    if not odd:
        return []
    shown = listed([f"{name} ({mean[name]:.2f})" for name in odd])
    better = ", ".join(dict.fromkeys("lower" if n in falling else "higher" for n in odd))
    message = (
        f"{shown}: models that are good on the other benchmarks are bad here (mean rank "
        f"correlation), where {better} is taken for better. Is it the other way round, here or on "
        'the others? benchmarks={"name": Benchmark(lower_is_better=...)} says so.'
    )
    return [Finding("warning", "against-others", "benchmarks", message)]


def _shape(table: pd.DataFrame, roles: Roles) -> Roles:
    """Return the roles for the table's shape: one row a score only where models repeat.

    Or where models have one row each, of a benchmark by name, and scores are the only figures.
    """
    if not roles.long:
        return roles
    if table[roles.columns["model"]].duplicated().any():
        return finer_benchmarks(table, roles)
    if _scores_alone(table, roles):
        return roles
    kept = {
        role: name
        for role, name in roles.columns.items()
        if role not in ("benchmark", "score", "n_items")
    }
    others = [name for name in table.columns if name not in kept.values()]
    return replace(roles, columns=kept, others=tuple(others))


def _scores_alone(table: pd.DataFrame, roles: Roles) -> bool:
    """Return whether a table of scores, with their benchmarks, has no other column of figures."""
    bounds = {name for _, *ends in bounds_among(roles.others) for name in ends}
    figures = (
        name
        for name in roles.others
        if not (is_neither(name) or is_error(name) or is_interval(name) or name in bounds)
    )
    return names_benchmarks(roles.columns["benchmark"]) and all(
        np.isnan(score_cells(table[name]).values).all() for name in figures
    )


def completed_by_names(models: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Complete models from their names; what the table states of families stays."""
    own = {name: models[name] for name in ("family", "lineage") if name in models}
    completed, findings = with_names(models.drop(columns=list(own)))
    for name, column in own.items():
        completed[name] = column.where(column.notna(), completed[name])
    if "family" in own and own["family"].notna().all():
        findings = [finding for finding in findings if finding.code != "families-from-names"]
    elif "family" in own:
        without = models.loc[own["family"].isna(), "model"].tolist()
        message = (
            f"{len(without)} of {counted(len(models), 'model')} state none and have the series in "
            f"their names as family: {listed(without, 4)}. If cells of a spreadsheet were merged, "
            "fill them down; else state the family of all models, or drop the column."
        )
        findings = [*findings, Finding("warning", "families-partly-stated", "family", message)]
    return completed, findings
