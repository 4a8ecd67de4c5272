"""Numbers on the pages are read from the studies' reports, and wrong references are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the docs extra is not installed (make docs)")

import measured
from measured import STUDIES, Table, chosen, read

TABLE = Table(("spec", "set", "error"), (("a (0123456789abcdef)", "v1", "3.1"), ("b", "v2", "4.2")))


def test_a_table_is_read_below_its_heading() -> None:
    table = read("accuracy/RESULTS.md", "Error")
    assert table.header[0] == "spec"
    assert re.match(r"\d\.\d\d ± \d\.\d\d", table.row("pooled_flops")[1])


def test_a_later_table_of_a_section_is_read_by_a_column_that_the_first_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = "| a | b |\n| --- | --- |\n| x | 1 |", "| a | c |\n| --- | --- |\n| x | 2 |"
    report = f"# Top\n\n{first}\n\nThen\n\n{second}\n\n## Next\n\n{second.replace('c', 'd')}\n"
    (tmp_path / "R.md").write_text(report, encoding="utf-8")
    monkeypatch.setattr(measured, "STUDIES", tmp_path)
    assert read("R.md", "Top") == read("R.md", "Top", "a") == read("R.md", "Top", "b")
    assert read("R.md", "Top", "c").row("x") == ("x", "2")
    with pytest.raises(LookupError, match='no column "d"'):
        read("R.md", "Top", "d").column("d")
    assert read("R.md", "Next").header == ("a", "d")


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


def test_the_readme_has_the_differences_and_coverage_of_the_reports() -> None:
    readme = " ".join((STUDIES.parent / "README.md").read_text(encoding="utf-8").split())
    heading = next(
        line.lstrip("# ")
        for line in (STUDIES / "accuracy/RESULTS.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("## Paired differences of latentscale ")
    )
    differences = read("accuracy/RESULTS.md", heading).row("best published")[1:]
    pairs = sorted(tuple(map(float, cell.removeprefix("-").split(" ± "))) for cell in differences)
    (least, its_error), (most, error) = pairs[0], pairs[-1]
    assert f"by {least:.2f} ± {its_error:.2f} to {most:.2f} ± {error:.2f} points" in readme
    assert "Only two of the six differences" in readme
    assert sum(difference > 2 * error for difference, error in pairs) == 2
    intervals = read("accuracy/RESULTS.md", "Intervals")
    covered, error = intervals.row("latentscale / all")[intervals.column("90%")].split(" ± ")
    assert f"90% intervals cover {covered}% (standard error {error})" in readme
    lineages = read("new_lineages/NEW_LINEAGES.md", "")
    row = lineages.row("largest members / latentscale")
    covered, error = row[lineages.column("90%")].split(" ± ")
    assert f"90% intervals cover {covered}% (standard error {error};" in readme
