"""Scores of one cell from several sources: finding copies, and one benchmark for each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark, resolve
from latentscale.data.scales.base import scale_of
from latentscale.errors import DataError, listed
from latentscale.markup import counted

MERGED: Final = "merged"
APART: Final = "apart"
SOURCES: Final = (MERGED, APART)
_DIGITS: Final = 9
"""Significant digits to which equal scores agree: a percentage divided by 100 does not always
equal the fraction to the last bit."""
_STATED: Final = ("stderr", "n_items")


def apart(
    frame: pd.DataFrame, given: Mapping[str, Benchmark] | None
) -> tuple[pd.DataFrame, dict[str, Benchmark], list[Finding]]:
    """Turn each further source of a benchmark into a benchmark of its own, of the same task.

    Parameters
    ----------
    frame
        A long table with columns benchmark and, where sources are stated, source.
    given
        Declarations of benchmarks. Benchmarks whose scores are not shares are not changed.

    Returns
    -------
    tuple
        The table, in which the source with most scores (the first in the alphabet if tied) keeps
        the benchmark's name and others are named "gpqa (vendor)"; declarations with task and
        source; and findings on what was done. A score that repeats the value of another source is
        left out, unless all scores of its source on the benchmark do.

    Raises
    ------
    DataError
        If another benchmark of the table has such a name.
    """
    stated = dict(given or {})
    if "source" not in frame:
        return frame, stated, []
    frame = frame.copy()
    names, sources = (frame[c].astype(str).str.strip() for c in ("benchmark", "source"))
    usable = frame["source"].notna() & (sources != "") & frame["benchmark"].notna()
    new = names.copy()
    made: list[str] = []
    kept: dict[str, str] = {}
    bare: list[str] = []
    for name in dict.fromkeys(names[usable]):
        known = stated.get(name, KNOWN_BENCHMARKS.get(name, Benchmark()))
        if not isinstance(known, Benchmark) or scale_of(known.scale).bounded is None:
            continue
        rows = usable & (names == name)
        counts = sources[rows].value_counts(sort=False)
        main = min(counts.index, key=lambda source: (-counts[source], str(source)))
        stated[name] = replace(known, task=known.task or name, source=main)
        without = int(((names == name) & ~usable).sum())
        if without and len(counts) > 1:
            bare.append(f"{name} ({without} scores, beside those of {main})")
        if len(counts) > 1:
            kept[name] = main
        for source in (str(s) for s in counts.index if str(s) != main):
            other = f"{name} ({source})"
            if (names == other).any():
                raise DataError(
                    f'column "benchmark": the table has a benchmark "{other}", and scores of '
                    f'"{name}" from the source "{source}" would take that name. Rename one of them.'
                )
            new[rows & (sources == source)] = other
            stated[other] = replace(stated[name], source=source)
            made.append(other)
    frame["benchmark"] = frame["benchmark"].where(~usable, new)
    # Declared here, they no longer count as undeclared benchmarks.
    bare_names = [name for name in stated if name not in (given or {}) and name not in made]
    _, unknown = resolve(bare_names, None)
    if not made:
        return frame, stated, unknown
    findings = [*unknown, _made(made, kept)]
    several = usable & names.isin(list(kept))
    shown = frame.assign(task=names, source=sources)[several]
    # By place: row labels may repeat, for example if two tables were joined.
    by_place = frame.reset_index(drop=True)
    places = np.flatnonzero(several)
    left, of_copies = _copies_emptied(by_place, shown.set_axis(places), kept)
    frame = left.set_axis(frame.index)
    findings += of_copies
    if bare:
        message = (
            f"scores without a source stay under the benchmark's name, beside those of the source "
            f"that keeps it: {listed(bare, 3)}. Say their source if it is another one."
        )
        findings.append(Finding("warning", "source-missing", "source", message))
    return frame, stated, findings


def _made(made: Sequence[str], kept: Mapping[str, str]) -> Finding:
    mains = [f"{name}: {main}" for name, main in kept.items()]
    further = counted(len(made), "benchmark is a further source", "benchmarks are further sources")
    message = (
        f"{further} of another: {listed(made, 3)}. The source "
        f"with most scores keeps the name ({listed(mains, 3)}). The term "
        '"sources" takes those of one task for one skill; other specs keep them apart.'
    )
    return Finding("info", "sources-apart", "source", message)


def _copies_emptied(
    frame: pd.DataFrame, rows: pd.DataFrame, main: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Empty scores that repeat another source's value, except for sources that only repeat.

    The score that is kept takes a standard error and an item count that only a copy states.

    Parameters
    ----------
    frame
        The whole table, its rows numbered.
    rows
        The rows of benchmarks with several sources; also model, benchmark, source and task.
    main
        By task, the source whose scores are kept.
    """
    stated = [name for name in ("score", "stderr", "n_items") if name in rows]
    numbers = {name: pd.to_numeric(rows[name], errors="coerce") for name in stated}
    own = pd.DataFrame({"model": rows["model"].astype(str).str.strip(), "benchmark": rows["task"]})
    cells = own.assign(source=rows["source"], made=rows["benchmark"], **numbers)
    # The reader of the table refuses two rows of one source.
    twice = cells.duplicated(["model", "made"], keep=False)
    cells = cells[cells["score"].notna() & ~twice]
    further = cells["source"] != cells["benchmark"].map(main)
    ordered = cells.assign(further=further).sort_values(["further", "source"], kind="stable")
    copies = cells.drop(index=without_copies(ordered).index)
    counts = copies.groupby("made").size()
    whole = counts.index[counts == cells.groupby("made").size().reindex(counts.index)]
    left = copies[~copies["made"].isin(whole)]
    findings = []
    if len(left):
        message = (
            f"{counted(len(left), 'score repeats', 'scores repeat')} the value of another source "
            f"for the same model and benchmark, such as that of {copies_text(left)}: one "
            "measurement, which was published more than once. The copies were left out."
        )
        findings.append(Finding("info", "sources-copied", "source", message))
    if len(whole):
        message = (
            f"all scores of {listed(whole, 3)} repeat those of another source. If they are copies, "
            "a fit counts these measurements twice: drop the rows of one."
        )
        findings.append(Finding("warning", "sources-copied", "source", message))
    full = without_copies(ordered[~ordered["made"].isin(whole)])
    known = {name: _filled(frame[name], full[name]) for name in stated}
    emptied = {name: of.mask(of.index.isin(left.index)) for name, of in known.items()}
    return frame.assign(**emptied), findings


def _filled(column: pd.Series, full: pd.Series) -> pd.Series:
    """Return a column with its missing numbers filled in; a text column is left to its reader."""
    missing = column.isna() & full.reindex(column.index).notna()
    if not missing.any() or not pd.api.types.is_numeric_dtype(column):
        return column
    return column.mask(missing, full)


def without_copies(cells: pd.DataFrame) -> pd.DataFrame:
    """Return scores with one row for each value that a model has on a benchmark.

    Equal scores from several sources are one measurement, published more than once. Rows with
    equal scores but different standard errors or item counts are separate measurements. The row
    that is kept takes errors and counts that it does not state from its copies.

    Parameters
    ----------
    cells
        Columns model, benchmark and score, none of them empty; optionally stderr and n_items. The
        first row of a set of copies is kept.
    """
    value = cells["score"].map(lambda score: f"{score:.{_DIGITS}g}")
    keys = [cells["model"], cells["benchmark"], value]
    filled = cells.copy()
    stated = [name for name in _STATED if name in cells]
    for name in stated:
        first = cells[name].groupby(keys, sort=False).transform("first")
        filled[name] = cells[name].fillna(first)
    same = filled[["model", "benchmark", *stated]].assign(value=value)
    return filled[~same.duplicated()]


def copies_text(copies: pd.DataFrame) -> str:
    """Return the first copy in words: model on benchmark, and which source repeats the value.

    Parameters
    ----------
    copies
        Columns model, benchmark and source.
    """
    row = copies.iloc[0]
    by = f' by "{row["source"]}"' if row["source"] else ""
    return f'"{row["model"]}" on "{row["benchmark"]}"{by}'
