"""What a long table states about single scores besides their value: error, items, source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.columns import as_objects, read_names, read_numbers
from latentscale.data.frames import AnyFrame, as_pandas
from latentscale.data.problems import Problem, at_cells, at_column, numbered
from latentscale.data.scales.base import Scale
from latentscale.data.scales.fraction import FRACTION
from latentscale.data.sources import APART, MERGED, copies_text, without_copies
from latentscale.data.table import Table
from latentscale.errors import listed, nearest
from latentscale.markup import counted

MEASURED: Final = ("stderr", "n_items", "source")
"""Optional columns of a long table."""
_CELL: Final = ["model", "benchmark"]
_RULES: Final = {
    "inverse variance": "weighted by inverse variance (all sources state stderr)",
    "items": "weighted by items",
    "plain": "plain means",
}
"""How scores of several sources are merged, in words."""
_ONE_VALUE: Final = "one value"
_LARGEST_STDERR: Final = 0.5  # of any fraction: at 1/2 with a single item


def read_measured(frame: pd.DataFrame, labels: Sequence[str]) -> tuple[pd.DataFrame, list[Problem]]:
    """Read the columns stderr, n_items and source of a long table, if it has them."""
    columns: dict[str, object] = {}
    problems: list[Problem] = []
    for name in ("stderr", "n_items"):
        if name in frame.columns:
            columns[name], new_problems = read_numbers(frame[name], labels, name)
            problems += new_problems
    if "source" in frame.columns:
        sources, new_problems, _ = read_names(frame["source"], labels, "source")
        columns["source"] = as_objects(sources)
        problems += new_problems
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame))), problems


def read_stderr_frame(
    frame: AnyFrame | None, read: Table, scales: Mapping[str, Scale]
) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Read a wide table of standard errors, one row per model, that accompanies one of scores.

    Parameters
    ----------
    frame
        Columns model and some benchmarks; None for none.
    read
        The table of scores.
    scales
        Scales of benchmarks by name; fractions where none is stated.

    Returns
    -------
    Standard errors with the rows and columns of the scores, and problems.
    """
    if frame is None:
        return None, []
    given = as_pandas(frame, "stderr= is not a table")
    badly_named = _badly_named(given)
    if badly_named:
        return None, badly_named
    given = given.rename(columns=str.strip)
    labels = [str(name).strip() for name in given["model"]]
    problems = [
        at_column(
            name, f"in stderr=, is not a benchmark of this table.{nearest(name, read.scores)}"
        )
        for name in given.columns
        if name != "model" and name not in read.scores.columns
    ]
    models = read.models["model"].tolist()
    strange = [name for name in labels if name not in models]
    if strange or len(set(labels)) < len(labels):
        text = f"in stderr=, names models without scores, or one twice: {listed(strange)}."
        return None, [*problems, at_column("model", text)]
    wide = read.scores * np.nan
    for name in [name for name in given.columns if name in read.scores.columns]:
        values, new_problems = read_numbers(given[name], labels, f"stderr [{name}]")
        cells = pd.DataFrame({"model": labels, "benchmark": name, "stderr": values})
        problems += [*new_problems, *measured_problems(cells, scales)]
        kept = as_kept(cells, scales)
        wide[name] = kept.set_index("model")["stderr"].reindex(models).to_numpy()
    return wide, problems


def _badly_named(frame: pd.DataFrame) -> list[Problem]:
    """Return the problems of the column names of a table of standard errors."""
    names = list(frame.columns)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        return [Problem(f"stderr=: column names must be text; got {odd[:8]!r}. Name each one.")]
    short = [name.strip() for name in names]
    twice = [name for name in dict.fromkeys(short) if short.count(name) > 1]
    if twice:
        text = f"stderr=: columns named more than once: {listed(twice)}. Keep one each."
        return [Problem(text)]
    if "model" not in short:
        return [Problem('stderr= needs the column "model", as the table of scores has it.')]
    return []


def measured_problems(cells: pd.DataFrame, scales: Mapping[str, Scale]) -> list[Problem]:
    """Return the problems of standard errors and item counts.

    Parameters
    ----------
    cells
        One row per score as the table has it: model, benchmark and what `read_measured` read.
    scales
        Scales of the benchmarks by name; fractions where none is stated.
    """
    problems = []
    if "stderr" in cells:
        stderr = cells["stderr"]
        rule = "A standard error is 0 or more, in the units of the score."
        problems += _broken(cells, "stderr", stderr < 0, rule)
        ends = cells["benchmark"].map(lambda b: scales.get(b, FRACTION).bounded)
        for low, high in dict.fromkeys(ends.dropna()):
            most = _LARGEST_STDERR * (high - low)
            here = ends.map(lambda pair, own=(low, high): pair == own)
            problems += _broken(cells, "stderr", here & (stderr > most), _too_large(low, high))
    if "n_items" in cells:
        items = cells["n_items"]
        rule = "The number of items is a whole number of at least 1."
        problems += _broken(cells, "n_items", (items < 1) | (items != np.floor(items)), rule)
    return problems


def _too_large(low: float, high: float) -> str:
    """Return the rule that a standard error of bounded scores breaks."""
    if (low, high) != FRACTION.bounded:
        most = _LARGEST_STDERR * (high - low)
        return f"The standard error of a score from {low:g} to {high:g} is at most {most:g}."
    return (
        "The standard error of a fraction is at most 0.5. If scores and errors are "
        'percentages, pass benchmarks={name: Benchmark(scale="percent")}.'
    )


def as_kept(cells: pd.DataFrame, scales: Mapping[str, Scale]) -> pd.DataFrame:
    """Return cells with scores and standard errors as `Scores` keeps them."""
    kept = cells.copy()
    for name, rows in cells.groupby("benchmark", sort=False).groups.items():
        scale = scales.get(str(name), FRACTION)
        if scale.kept_as != scale.kind:
            for column in {"score", "stderr"} & set(cells.columns):
                kept.loc[rows, column] = scale.read(cells.loc[rows, column].to_numpy())
    return kept


def repeated_cells(cells: pd.DataFrame) -> list[Problem]:
    """Return a problem for each cell with several rows of one source."""
    given = [column for column in (*_CELL, "source") if column in cells.columns]
    named = cells[(cells["model"] != "") & (cells["benchmark"] != "")]
    named = named[named.duplicated(given, keep=False)]
    problems = []
    for key, rows in named.groupby(given, sort=False).groups.items():
        model, name, *source = key
        stated = bool(source and source[0])
        of = f', source "{source[0]}"' if stated else ""
        remedy = (
            "Keep one per source."
            if stated
            else 'Keep one, or state the origin of each in a column "source": they are then merged.'
        )
        text = (
            f'model "{model}", benchmark "{name}"{of} has {len(rows)} rows ({numbered(rows)}). '
            f"{remedy}"
        )
        problems.append(at_column("score", text))
    return problems


def merged_sources(
    cells: pd.DataFrame, scales: Mapping[str, Scale], sources: str = MERGED
) -> tuple[pd.DataFrame, list[Finding]]:
    """Merge the scores of one cell from several sources, and report how.

    Equal scores are copies of one measurement (`without_copies`). The others are merged into the
    mean weighted by inverse variance if all state a standard error above 0, else weighted by items
    if all state these, else into the plain mean, without an error of its own. The item count is the
    sum over measurements, if all state it. Their errors count as independent.

    Parameters
    ----------
    cells
        One row per score of a source.
    scales
        Scales of the benchmarks by name; fractions where none is stated.
    sources
        ``"apart"`` if shares already have a benchmark for each source, so that the finding does
        not advise it.
    """
    known = cells[cells["score"].notna()]
    several = known.duplicated(_CELL, keep=False)
    if "source" not in cells or not several.any():
        return _first_scored(cells), []
    counts = dict.fromkeys([*_RULES, _ONE_VALUE], 0)
    rows = []
    own = without_copies(known[several])
    for _, group in own.groupby(_CELL, sort=False):
        row, rule = _merged(group)
        counts[rule] += 1
        rows.append(row)
    merged = pd.DataFrame(rows, index=[row.name for row in rows])
    rest = cells.drop(index=known.index[several])
    kept = _first_scored(pd.concat([rest, merged]).sort_index(kind="stable"))
    how = ", ".join(f"{counts[rule]} {text}" for rule, text in _RULES.items() if counts[rule])
    means = len(rows) - counts[_ONE_VALUE]
    message = f"{means} scores are means over several sources: {how}. " if means else ""
    copies = known[several].drop(index=own.index)
    if len(copies):
        message += (
            f"{counted(len(copies), 'score repeats', 'scores repeat')} the value of another source "
            f"and {'counts' if len(copies) == 1 else 'count'} as one measurement with it, such as "
            f"that of {copies_text(copies)}. "
        )
    names = known.loc[several, "benchmark"].unique()
    shares = [name for name in names if scales.get(str(name), FRACTION).bounded is not None]
    remedy = (
        'keep the rows of one, or make each a benchmark: sources="apart".'
        if shares and sources != APART
        else "keep the rows of one: only shares can have a benchmark for each source."
    )
    message += f"If sources such as agents differ in what they measure, {remedy}"
    return kept, [Finding("warning", "merged-sources", "source", message)]


def _first_scored(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell: a score takes precedence over an empty row, then the first row."""
    ordered = cells.iloc[np.argsort(cells["score"].isna().to_numpy(), kind="stable")]
    return ordered.drop_duplicates(_CELL).sort_index(kind="stable")


def _merged(group: pd.DataFrame) -> tuple[pd.Series, str]:
    """Return one row for the rows of a cell, and the rule by which they were merged."""
    row = group.iloc[0].copy()
    if len(group) == 1:
        return row, _ONE_VALUE
    score = group["score"].to_numpy(dtype=float)
    counted = "n_items" in group and bool(group["n_items"].notna().all())
    if "n_items" in group:
        row["n_items"] = group["n_items"].sum() if counted else np.nan
    if "stderr" in group and (group["stderr"] > 0).all():
        precision = group["stderr"].to_numpy(dtype=float) ** -2.0
        row["score"] = np.average(score, weights=precision)
        row["stderr"] = precision.sum() ** -0.5
        return row, "inverse variance"
    if "stderr" in group:
        row["stderr"] = np.nan
    if counted:
        row["score"] = np.average(score, weights=group["n_items"])
        return row, "items"
    row["score"] = score.mean()
    return row, "plain"


def _broken(cells: pd.DataFrame, column: str, mask: pd.Series, rule: str) -> list[Problem]:
    rows = [int(row) for row in cells.index[mask & cells[column].notna()]]
    labels = cells["model"].loc[rows].tolist()
    return at_cells(column, rows, labels, cells[column].loc[rows].tolist(), rule)
