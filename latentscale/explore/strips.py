"""Forecasts as strips: a line per benchmark with its interval, quick enough to follow a slider."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import isfinite
from typing import Final

import pandas as pd

_WIDTH: Final = 360
"""Pixels of a strip."""
_HEIGHT: Final = 18
"""Pixels of a strip: a line of text."""
_MARGIN: Final = 0.05
"""Share of the range by which the strip of an unbounded benchmark extends beyond the scores."""


def strips(table: pd.DataFrame, ranges: Mapping[str, tuple[float, float]], caption: str) -> str:
    """Return forecasts as a table with one strip per benchmark.

    Parameters
    ----------
    table
        Columns benchmark, median, lower, upper, measured, threshold and probability, NaN if
        missing.
    ranges
        Ends of the strips, by benchmark.
    caption
        Description of the interval.
    """
    empty = [name for name in ("measured", "threshold", "probability") if table[name].isna().all()]
    columns = [name for name in table if name not in empty]
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in (*columns, ""))
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{_cell(row[name])}</td>" for name in columns)
        + f"<td>{_strip(row, ranges[row['benchmark']])}</td></tr>"
        for row in table.to_dict("records")
    )
    legend = "dot: median; line: interval; diamond: measured; bar: threshold"
    return (
        f"<table><caption>{escape(caption)} ({legend})</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def strip_range(scores: pd.Series, bounds: tuple[float, float] | None) -> tuple[float, float]:
    """Return the ends of a benchmark's strip: those of its scale, or beyond the fitted scores."""
    if bounds is not None:
        return bounds
    low, high = float(scores.min()), float(scores.max())
    more = _MARGIN * ((high - low) or 1.0)
    return low - more, high + more


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if isfinite(value) else ""
    return escape(str(value))


def _strip(row: Mapping[str, float], ends: tuple[float, float]) -> str:
    def place(value: float) -> float:
        share = (value - ends[0]) / (ends[1] - ends[0])
        return round(min(max(share, 0.0), 1.0) * _WIDTH, 1)

    middle = _HEIGHT / 2
    low, high = place(row["lower"]), place(row["upper"])
    marks = [
        f'<line x1="0" x2="{_WIDTH}" y1="{middle}" y2="{middle}" stroke="#ddd"/>',
        f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" stroke="#0072b2" '
        'stroke-width="4"/>',
        f'<circle cx="{place(row["median"])}" cy="{middle}" r="5" fill="#0072b2"/>',
    ]
    if isfinite(row["measured"]):
        x = place(row["measured"])
        marks.append(
            f'<path d="M{x} 3 l6 6 l-6 6 l-6 -6 z" fill="none" stroke="#d55e00" stroke-width="2"/>'
        )
    if isfinite(row["threshold"]):
        x = place(row["threshold"])
        marks.append(
            f'<line x1="{x}" x2="{x}" y1="0" y2="{_HEIGHT}" stroke="#1a1a1a" stroke-width="2"/>'
        )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" overflow="visible" '
        f'aria-label="{row["lower"]:.3g} to {row["upper"]:.3g}">{"".join(marks)}</svg>'
    )
