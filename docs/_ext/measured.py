"""Tables and single numbers of the studies' reports, read at build time so that none is copied.

A page writes::

    ```{measured} accuracy/RESULTS.md
    :section: Error
    :columns: spec, v1, 1 seen; v2, 1 seen
    :rows: latentscale; pooled_flops
    ```

and, within a line, ``{measured}`accuracy/RESULTS.md | Error | latentscale | v1, 1 seen` ``, of the
first table between that heading and the next that has the column. Reports lie under
``benchmarks``. A section, column or row that a report does not have stops the build.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

STUDIES = Path(__file__).parents[2] / "benchmarks"


@dataclass(frozen=True)
class Table:
    """The first table below a heading of a report: its header and its rows."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> int:
        """Return the place of a column."""
        if name not in self.header:
            raise LookupError(f'no column "{name}"; there are {"; ".join(self.header)}')
        return self.header.index(name)

    def row(self, start: str) -> tuple[str, ...]:
        """Return the first row whose cells, joined by " / ", begin with a text.

        A digest in brackets behind a spec's name may be left out.
        """
        for row in self.rows:
            name = re.sub(r" \([0-9a-f]{16}\)", "", " / ".join(row))
            if name == start or name.startswith(f"{start} /"):
                return row
        raise LookupError(f'no row begins with "{start}"')


def read(report: str, section: str, column: str = "") -> Table:
    """Return the first table below a heading.

    Parameters
    ----------
    report
        Path below ``benchmarks``.
    section
        Text of the heading, without its signs; empty for the first table of all.
    column
        A column that the table must have, if it is not the first one of the section.
    """
    tables = _tables(report, section)
    having = [table for table in tables if column in table.header]
    return having[0] if having else tables[0]


def _tables(report: str, section: str) -> list[Table]:
    """Return the first table below a heading, and the others above the next heading."""
    lines = (STUDIES / report).read_text(encoding="utf-8").splitlines()
    start = 0
    if section:
        headings = [i for i, line in enumerate(lines) if line.startswith("#")]
        found = [i for i in headings if lines[i].lstrip("# ").strip() == section]
        if not found:
            raise LookupError(f'{report} has no heading "{section}"')
        start = found[0] + 1
    blocks: list[list[tuple[str, ...]]] = []
    for before, line in pairwise(["", *lines[start:]]):
        if line.startswith("#") and blocks:
            break
        if line.startswith("|"):
            if not before.startswith("|"):
                blocks.append([])
            blocks[-1].append(tuple(cell.strip() for cell in line.strip().strip("|").split("|")))
    if not blocks:
        raise LookupError(f"{report} has no table below {section!r}")
    return [Table(block[0], tuple(block[2:])) for block in blocks]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(";") if name.strip()]


def chosen(table: Table, columns: list[str], rows: list[str]) -> Table:
    """Return some columns and rows of a table; all where none is named."""
    places = [table.column(name) for name in columns] or list(range(len(table.header)))
    picked = [table.row(name) for name in rows] or list(table.rows)
    return Table(
        tuple(table.header[p] for p in places),
        tuple(tuple(row[p] for p in places) for row in picked),
    )


class MeasuredTable(SphinxDirective):
    """A table of a report, whole or in part, with the report's name below it."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "section": directives.unchanged,
        "columns": directives.unchanged,
        "rows": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        report = self.arguments[0]
        self.env.note_dependency(str(STUDIES / report))
        try:
            table = chosen(
                read(report, self.options.get("section", "")),
                _names(self.options.get("columns", "")),
                _names(self.options.get("rows", "")),
            )
        except (LookupError, OSError) as problem:
            raise self.error(f"{report}: {problem}") from None
        lines = ["| " + " | ".join(table.header) + " |", "|" + " --- |" * len(table.header)]
        lines += ["| " + " | ".join(_plain(cell) for cell in row) + " |" for row in table.rows]
        lines += ["", f"From `benchmarks/{report}`.", ""]
        holder = nodes.container(classes=["measured"])
        self.state.nested_parse(StringList(lines, source=report), self.content_offset, holder)
        return [holder]


def _plain(cell: str) -> str:
    """Return a cell's text without digests; names in brackets may break at their underscores."""
    text = re.sub(r" \([0-9a-f]{16}\)", "", cell).replace(" ± ", "\u00a0±\u00a0")
    text = re.sub(r"\([^)]*\)", lambda found: found[0].replace("_", "_\u200b"), text)
    return text.replace("_", r"\_").replace("*", r"\*")


class MeasuredNumber(SphinxRole):
    """One cell of a report: path, heading, row and column, with bars between them."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the cell's text."""
        try:
            report, section, row, column = (part.strip() for part in self.text.split("|"))
            self.env.note_dependency(str(STUDIES / report))
            table = read(report, section, column)
            text = table.row(row)[table.column(column)]
        except (ValueError, LookupError, OSError) as problem:
            message = self.inliner.reporter.error(f"{self.text}: {problem}", line=self.lineno)
            return [], [message]
        return [nodes.Text(text)], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the role."""
    app.add_directive("measured", MeasuredTable)
    app.add_role("measured", MeasuredNumber())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
