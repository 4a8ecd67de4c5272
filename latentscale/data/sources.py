"""Scores of one cell from several sources: merged, or a benchmark a source of one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark, resolve
from latentscale.data.scales.base import scale_of
from latentscale.errors import DataError, listed

MERGED: Final = "merged"
APART: Final = "apart"
SOURCES: Final = (MERGED, APART)


def apart(
    frame: pd.DataFrame, given: Mapping[str, Benchmark] | None
) -> tuple[pd.DataFrame, dict[str, Benchmark], list[Finding]]:
    """Make the scores of further sources of a benchmark a benchmark of their own, of one task.

    Parameters
    ----------
    frame
        A long table with columns benchmark and, where sources are stated, source.
    given
        Declarations of benchmarks. Those whose scores are not shares are left as they are.

    Returns
    -------
    tuple
        The table, in which the source with most scores (of several the first in the alphabet)
        keeps the benchmark's name and others are named "gpqa (vendor)"; declarations with task and
        source; and what was done.

    Raises
    ------
    DataError
        If such a name is that of another benchmark of the table.
    """
    stated = dict(given or {})
    if "source" not in frame:
        return frame, stated, []
    frame = frame.copy()
    names, sources = (frame[c].astype(str).str.strip() for c in ("benchmark", "source"))
    usable = frame["source"].notna() & (sources != "") & frame["benchmark"].notna()
    new = names.copy()
    made: list[str] = []
    kept: list[str] = []
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
            kept.append(f"{name}: {main}")
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
    # Named here, they no longer count as benchmarks that nobody described.
    bare_names = [name for name in stated if name not in (given or {}) and name not in made]
    _, unknown = resolve(bare_names, None)
    if not made:
        return frame, stated, unknown
    message = (
        f"{len(made)} benchmarks are further sources of another: {listed(made, 3)}. The source "
        f"with most scores keeps the name ({listed(kept, 3)}). The term "
        '"sources" takes those of one task for one skill; other specs keep them apart.'
    )
    findings = [*unknown, Finding("info", "sources-apart", "source", message)]
    if bare:
        message = (
            f"scores without a source stay under the benchmark's name, beside those of the source "
            f"that keeps it: {listed(bare, 3)}. Say their source if it is another one."
        )
        findings.append(Finding("warning", "source-missing", "source", message))
    return frame, stated, findings
