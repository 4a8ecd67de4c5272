"""Markup in a published table: HTML tags and entities, LaTeX, bold type, repeated headings.

Names of models are cleaned by `cells.plain_name`, which also removes medals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from html import unescape
from typing import Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.readers.published.columns import Roles
from latentscale.data.readers.published.latex import without_latex
from latentscale.errors import listed
from latentscale.markup import counted

_RAISED: Final = re.compile(r"<sup\b[^<>]*>(.*?)</sup>", re.IGNORECASE | re.DOTALL)
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
"""A tag begins with a letter: "<5" and "a < b" are not tags."""
_BOLD: Final = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
"""Bold type of Markdown around a whole cell; "85.3**" has the marks of a footnote."""
_AGAIN: Final = re.compile(r"(.*[^\d.])\.[1-9]\d?")
"""What pandas makes of a heading that occurs again: "GPQA.1"."""
_LINK: Final = re.compile(r"\[([^\[\]]+)\]\([^()]*\)")
_MEDAL: Final = re.compile("[\u2600-\u27bf\u2b50\U0001f300-\U0001faff\ufe0f]")
"""Medals, stars and ticks beside a number."""
_POINT: Final = re.compile(r"(?<=\d)[\uff0e\u066b](?=\d)")
"""The full-width decimal point, and the Arabic one."""
_PER_CENT: Final = re.compile(r"(?<=\d)\s*(?:per ?cent|pct\.?)$", re.IGNORECASE)
_UNSEEN: Final = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
"""Characters of no width, which web pages put between digits and around them."""


def plain_headings(
    table: pd.DataFrame, kept: Collection[str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table whose headings are plain text, and a finding on those that were not.

    Parameters
    ----------
    table
        The table, its columns named by text.
    kept
        Columns that the caller declares, whose names stay.
    """
    plain = {n: _heading(n) for n in table.columns if n not in kept}
    counts = Counter(plain.get(n, n) for n in table.columns)
    new = {n: text for n, text in plain.items() if text != n and text and counts[text] == 1}
    again = [n for n in plain if (found := _AGAIN.fullmatch(n)) and found[1] in table.columns]
    findings = []
    if new:
        message = f"headings are read without markup: {listed(new.values())}."
        findings.append(Finding("info", "headings-cleaned", "columns", message))
    if again:
        message = (
            f"pandas names a further column of one heading so: {listed(again)}. Give each column "
        )
        message += "a heading of its own, such as with its number of shots, or keep one."
        findings.append(Finding("warning", "headings-twice", "columns", message))
    return table.rename(columns=new), findings


def _heading(name: str) -> str:
    """Return a heading on one line, without markup and the address of a link."""
    text = _LINK.sub(r"\1", _plain(name, ""))
    return " ".join(text.split()) if "\n" in text else text


def without_markup(table: pd.DataFrame, roles: Roles) -> tuple[pd.DataFrame, list[Finding]]:
    """Return a table whose cells are plain text and whose headings are not repeated in rows.

    Parameters
    ----------
    table
        The table, its columns named by text.
    roles
        What the columns are. Raised text ("85.3<sup>1</sup>") is a footnote in a column of
        scores, and an exponent in others ("10<sup>24</sup>" is 10^24).
    """
    findings = []
    changed: dict[str, pd.Series] = {}
    for name, column in table.items():
        if name == roles.columns.get("model") or column.dtype.kind in "fiubM":
            continue
        named = [roles.columns.get(role) for role in ("score", "benchmark")]
        scored = name in roles.others or name in named
        raised = "" if scored else r"^\1"
        plain = {c: _plain(c, raised) for c in column if isinstance(c, str)}
        if any(new != old for old, new in plain.items()):
            cells = [plain[cell] if isinstance(cell, str) else cell for cell in column]
            changed[str(name)] = pd.Series(cells, index=table.index, dtype=object)
    if changed:
        message = "HTML, LaTeX, bold type, medals and characters of no width were removed from the "
        message += f"cells of {listed(changed)}."
        findings.append(Finding("info", "markup-removed", "columns", message))
    heading = pd.Series([True] * len(table), index=table.index)
    for name, column in table.items():
        heading &= column.map(lambda cell, name=name: str(cell).strip() == name).astype(bool)
    if heading.any():
        were = "was" if heading.sum() == 1 else "were"
        message = f"{counted(int(heading.sum()), 'row')} with the headings again {were} left out."
        findings.append(Finding("info", "headings-repeated", "rows", message))
    return table.assign(**changed)[~heading].reset_index(drop=True), findings


def _plain(cell: str, raised: str) -> str:
    """Return a cell or heading without markup, as it was where it has none."""
    text = _RAISED.sub(raised, _UNSEEN.sub("", cell))
    text = _TAG.sub("", _BREAK.sub(" ", text))
    text = unescape(text) if "&" in text else text
    link = _LINK.fullmatch(text.strip())
    text = link[1] if link else text
    bold = _BOLD.fullmatch(text.strip())
    text = without_latex(bold[2] if bold else text, raised)
    if any(letter.isdigit() for letter in text):
        text = _POINT.sub(".", _PER_CENT.sub("%", _MEDAL.sub("", text)))
    return cell if text == cell else text.strip()
