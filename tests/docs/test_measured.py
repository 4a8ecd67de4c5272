"""Numbers of the pages are read from the studies' reports, and a wrong reference is refused."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("sphinx", reason="the docs extra is not installed (make docs)")

from measured import STUDIES, Table, chosen, read

TABLE = Table(("spec", "set", "error"), (("a (0123456789abcdef)", "v1", "3.1"), ("b", "v2", "4.2")))


def test_a_table_is_read_below_its_heading() -> None:
    table = read("accuracy/RESULTS.md", "Error")
    assert table.header[0] == "spec"
    assert re.match(r"\d\.\d\d ± \d\.\d\d", table.row("pooled_flops")[1])


def test_rows_are_found_by_their_first_cells_without_a_digest() -> None:
    assert chosen(TABLE, ["error"], ["a / v1"]).rows == (("3.1",),)
    assert TABLE.row("b")[2] == "4.2"


@pytest.mark.parametrize("wrong", ["c", "a / v2", "err"])
def test_a_row_that_is_not_there_is_refused(wrong: str) -> None:
    with pytest.raises(LookupError, match=wrong):
        TABLE.row(wrong)


def test_a_column_or_heading_that_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError, match="coverage"):
        TABLE.column("coverage")
    with pytest.raises(LookupError, match="Weather"):
        read("accuracy/RESULTS.md", "Weather")


def test_every_reference_of_the_pages_is_to_a_report_that_exists() -> None:
    pages = list((STUDIES.parent / "docs").glob("*.md"))
    named = [m for p in pages for m in re.findall(r"\{measured\}[ `]*(\S+\.md)", p.read_text())]
    assert len(named) > 10
    assert [name for name in named if not (STUDIES / name).exists()] == []


def test_the_readme_has_the_numbers_of_the_accuracy_report() -> None:
    readme = (STUDIES.parent / "README.md").read_text(encoding="utf-8")
    table = read("accuracy/RESULTS.md", "Error")
    ours = " | ".join(table.row("latentscale")[1:])
    others = [
        " | ".join(c.split()[0] for c in table.row(n)[1:]) for n in ("pooled_flops", "family_flops")
    ]
    best = " | ".join(cell.split()[0] for cell in table.row("best published")[1:])
    assert [text for text in (ours, *others, best) if f"| {text} |" not in readme] == []
