"""Small pieces of HTML, every text in them escaped, and texts that fit a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from html import escape
from math import isnan
from numbers import Integral, Real
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FRACTION = "fraction"
"""Unit of scores that are fractions, in tables that hold other units as well."""
_ABSENT = "–"
_SENTENCE = 60  # letters from which a cell counts as a sentence
_SENTENCE_WIDTH = "16rem"
_COLUMNS = 100
"""Columns of a text: a terminal on half a screen."""
_LINES = 40
"""Lines of a text: a terminal without scrolling."""


def facts_table(title: str, facts: Mapping[str, str]) -> str:
    """Return a table of two columns, one row per fact.

    Parameters
    ----------
    title
        Caption of the table; none if empty.
    facts
        Values by name.
    """
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f"<table>{_caption(title)}<tbody>{rows}</tbody></table>"


def fitted_text(lines: Sequence[str]) -> str:
    """Return lines as a text of at most 100 columns and 40 lines; longer ones go on indented."""
    wrapped: list[str] = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        parts = wrap(line, _COLUMNS, subsequent_indent=f"{indent}    ", drop_whitespace=True)
        wrapped += parts or [line]
    if len(wrapped) > _LINES:
        left = len(wrapped) - _LINES + 1
        wrapped = [*wrapped[: _LINES - 1], f"… and {left} more lines"]
    return "\n".join(wrapped)


def call_text(record: Any) -> str:
    """Return a frozen record as the call that makes it, on lines that fit a terminal.

    For ``__repr__`` of dataclasses with more fields than a line holds.
    """
    parts = [f"{f.name}={getattr(record, f.name)!r}" for f in fields(record) if f.repr]
    return fitted_text([f"{type(record).__name__}({', '.join(parts)})"])


def counted(count: int, singular: str, plural: str = "") -> str:
    """Return a number with what it counts, "1 score" or "3 scores"; `plural` if irregular."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def known_number(value: float, form: str) -> str:
    """Return a number in a format such as ".2f"; "not computed" where it is not one."""
    return "not computed" if value != value else format(value, form)


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` letters, the last an ellipsis where it was longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def data_table(
    frame: pd.DataFrame, *, caption: str = "", decimals: int = 3, limit: int | None = None
) -> str:
    """Return a table whose first column names its rows.

    Parameters
    ----------
    frame
        The table to show, without its index.
    caption
        Caption of the table; none if empty.
    decimals
        Decimals of numbers that are not whole.
    limit
        Most rows to show; a last row says how many were left out.
    """
    shown = frame if limit is None else frame.iloc[:limit]
    numeric = [_is_numeric(frame[name].tolist()) for name in frame.columns]
    align = ["right" if number else "left" for number in numeric]
    head = "".join(
        f'<th scope="col" style="text-align:{side}">{escape(str(name))}</th>'
        for name, side in zip(frame.columns, align, strict=True)
    )
    body = "".join(_row(row, align, decimals) for row in shown.itertuples(index=False, name=None))
    left = len(frame) - len(shown)
    if left:
        body += f'<tr><td colspan="{len(frame.columns)}">and {counted(left, "more row")}</td></tr>'
    return f"<table>{_caption(caption)}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def bullets(lines: Sequence[str]) -> str:
    """Return a list, or nothing if there are no lines."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def cell_text(value: object, decimals: int = 3) -> str:
    """Return a cell as text: integers without decimals, booleans as yes or no, blanks a dash."""
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
        return "yes" if value else "no"
    if value is None:
        return _ABSENT
    if isinstance(value, Integral):
        return f"{int(value)}"
    if isinstance(value, Real):
        number = float(value)
        if isnan(number):
            return _ABSENT
        plain = number == 0 or 10.0**-decimals <= abs(number) < 1e5
        return f"{number:.{decimals}f}" if plain else f"{number:.3g}"
    text = plain_text(value)
    return _ABSENT if text in ("<NA>", "NaT") else text


def plain_text(value: object) -> str:
    """Return a value as text; for a date without a time of day, the day alone."""
    text = str(value)
    return text.removesuffix(" 00:00:00") if isinstance(value, datetime) else text


def _row(row: Sequence[object], align: Sequence[str], decimals: int) -> str:
    cells = []
    for place, (value, side) in enumerate(zip(row, align, strict=True)):
        tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
        text = cell_text(value, decimals)
        # On a narrow screen a sentence would be squeezed to one word a line.
        room = f";min-width:{_SENTENCE_WIDTH}" if len(text) > _SENTENCE else ""
        cells.append(f'<{tag}{scope} style="text-align:{side}{room}">{escape(text)}</{tag}>')
    return f"<tr>{''.join(cells)}</tr>"


def _is_numeric(values: Sequence[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, Real) and not isinstance(value, bool) for value in known
    )


def _caption(text: str) -> str:
    return f'<caption style="text-align:left">{escape(text)}</caption>' if text else ""


def on_screen(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without its column unit if all rows are fractions."""
    plain = "unit" in table and table["unit"].isin([FRACTION, ""]).all()
    return table.drop(columns="unit") if plain else table
