"""Parts shared by all figures."""

from __future__ import annotations

import os
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from latentscale.errors import DataError, LatentscaleError
from latentscale.plots.labels import distinct, drawn
from latentscale.plots.style import (
    Sheet,
    heading,
    headings,
    legend,
    log_axis,
    name_rows,
    panels,
    percent_axis,
    score_axis,
    title,
    within,
)


@pytest.mark.parametrize("high", [0.01, 0.025, 0.03, 0.1, 0.25, 0.5, 1.0, 1.2])
def test_percent_ticks_say_where_they_are(high: float) -> None:
    figure, (panel,) = panels(1, columns=1, width=3, height=2)
    panel.set_ylim(-high / 3, high)
    percent_axis(panel.yaxis)
    figure.canvas.draw()
    texts = [text.get_text().replace("\u2212", "-") for text in panel.get_yticklabels()]
    np.testing.assert_allclose([float(text) / 100 for text in texts], panel.get_yticks(), atol=1e-9)
    assert max(len(text) for text in texts) <= 5
    assert not any(text.endswith((".0", ".00")) for text in texts)


BEGINS = {
    "a.png": b"\x89PNG",
    "a.PNG": b"\x89PNG",
    "a.pdf": b"%PDF",
    "a.svg": b"<?xml",
    "a.eps": b"%!PS",
    "a.jpg": b"\xff\xd8",
    "a.gif": b"GIF8",
}


@pytest.fixture
def sheet() -> Sheet:
    return panels(1, columns=1, width=3, height=2)[0]


@pytest.mark.parametrize("name", BEGINS)
def test_a_figure_is_written_as_its_ending_says(sheet: Sheet, tmp_path: Path, name: str) -> None:
    if Path(name).suffix.lower()[1:] not in sheet.canvas.get_supported_filetypes():
        with pytest.raises(LatentscaleError, match="is unknown"):
            sheet.savefig(tmp_path / name)
        return
    sheet.savefig(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(BEGINS[name])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_figure_without_ending_becomes_png_and_home_is_expanded(
    sheet: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    sheet.savefig("~/qwen2")
    sheet.savefig(str(tmp_path / "named"), format="svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["named", "qwen2.png"]
    assert (tmp_path / "named").read_bytes().startswith(b"<?xml")


def test_a_figure_is_refused_with_what_is_allowed(sheet: Sheet, tmp_path: Path) -> None:
    with pytest.raises(LatentscaleError, match=r'"\.xyz" is unknown.*allowed: \.png, \.svg'):
        sheet.savefig(tmp_path / "a.xyz")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(LatentscaleError, match="it is a folder"):
        sheet.savefig(tmp_path / "folder.png")
    with pytest.raises(LatentscaleError, match="does not exist"):
        sheet.savefig(tmp_path / "none" / "a.png")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder.png"]


def test_a_figure_that_cannot_be_drawn_leaves_the_old_one(
    sheet: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_text("old")

    def stop(self: Path, data: bytes) -> int:
        os.open(self, os.O_CREAT)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        sheet.savefig(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_open_file_takes_a_figure_as_from_matplotlib(sheet: Sheet) -> None:
    stream = BytesIO()
    sheet.savefig(stream, format="pdf")
    assert stream.getvalue().startswith(b"%PDF")


def test_names_that_begin_alike_stay_distinct_when_they_are_cut() -> None:
    names = [f"a-very-long-name-of-a-family-of-models-{size}b" for size in (7, 70)]
    same_ends = [f"{'x' * 30}{middle}{'y' * 30}" for middle in "ab"]
    cut = distinct([*names, "short", *same_ends, names[0]], 20)
    assert len(set(cut)) == 5 and cut[0] == cut[-1] and cut[2] == "short"
    assert all(len(name) <= 20 for name in cut)
    assert cut[0].endswith("7b") and cut[1].endswith("70b")


def test_axes_of_fractions_end_at_0_and_100_percent() -> None:
    _, (panel,) = panels(1, columns=1, width=2, height=2)
    panel.set_xlim(-0.1, 1.1)
    within(panel, "mmlu", {"elo": "points"})
    assert panel.get_xlim() == (0, 1)
    panel.set_xlim(-0.1, 1.1)
    within(panel, "elo", {"elo": "points"})
    assert panel.get_xlim() == (-0.1, 1.1)


LONG = (
    "Humanity's Last Exam (text only subset), pass@1 with tools",
    "Humanity's Last Exam (text only subset), pass@1 without tools",
    "Эксперимент длинный, очень длинный, вторая часть",
    "terminal-bench-hard-2025-11-24-preview (minutes)",
)


def test_names_over_panels_do_not_cover_each_other_nor_leave_the_figure() -> None:
    figure, axes = panels(4, columns=4, width=2.4, height=1.0)
    for name, panel in zip(LONG, axes, strict=True):
        heading(panel, name)
    figure.draw_without_rendering()
    boxes = [panel._left_title.get_window_extent() for panel in axes]  # type: ignore[attr-defined]
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0
    assert boxes[-1].x1 <= figure.bbox.x1
    shown = [panel.get_title(loc="left") for panel in axes]
    assert len(set(shown)) == 4 and shown[-1].endswith("(minutes)")


def test_a_caption_stays_inside_its_figure() -> None:
    figure, _ = panels(1, columns=1, width=3, height=2)
    title(figure, "Headline", f"To learn about {', '.join(LONG)}.\nSecond line.")
    figure.draw_without_rendering()
    (caption,) = figure.texts
    assert caption.get_window_extent().x1 <= figure.bbox.x1
    assert caption.get_text().endswith("\nSecond line.")


@pytest.mark.parametrize("ends", [(1.2, 9.0), (2e22, 2e23), (0.5, 700.0), (1e20, 1e27)])
def test_a_logarithmic_axis_has_two_labels_or_more(ends: tuple[float, float]) -> None:
    figure, (panel,) = panels(1, columns=1, width=3, height=2)
    panel.set_yscale("log")
    panel.set_ylim(*ends)
    log_axis(panel.yaxis, *ends)
    figure.draw_without_rendering()
    texts = [text.get_text() for text in panel.get_yticklabels()]
    inside = [at for at in panel.get_yticks() if ends[0] <= at <= ends[1]]
    assert len(inside) >= 2 and len(set(texts)) == len(texts)


def test_names_beside_rows_leave_room_for_the_panel() -> None:
    _, (panel,) = panels(1, columns=1, width=3, height=2)
    name_rows(panel, LONG)
    shown = [text.get_text() for text in panel.get_yticklabels()]
    assert max(map(len, shown)) <= 30 and len(set(shown)) == len(LONG)


SUBSETS = [f"lm-evaluation-harness mmlu, subject {k:02d}, five shots, acc_norm" for k in range(12)]


def test_names_that_differ_in_their_middle_keep_what_differs() -> None:
    cut = distinct(SUBSETS, 30)
    assert len(set(cut)) == 12 and max(map(len, cut)) <= 30
    assert all(f"{k:02d}" in name for k, name in enumerate(cut))
    assert distinct(SUBSETS[:1], 30) == [f"{SUBSETS[0][:29]}…"]


def test_names_over_panels_stay_different_and_keep_their_ending() -> None:
    _, axes = panels(12, columns=4, width=2.4, height=1.0)
    headings(axes, SUBSETS, [" (minutes)"] * 12)
    shown = [" ".join(panel.get_title(loc="left").split()) for panel in axes]
    assert all(f"{k:02d}" in name for k, name in enumerate(shown))
    assert all(name.endswith("(minutes)") for name in shown)


def test_names_of_a_legend_stay_inside_its_figure() -> None:
    figure, (panel,) = panels(1, columns=1, width=6.6, height=2)
    for name in (*LONG, "organisation-with-a-long-name/family-of-models-" * 3):
        panel.plot([0, 1], [0, 1], label=name)
    legend(figure, [panel])
    figure.draw_without_rendering()
    (box,) = [one.get_window_extent() for one in figure.legends]
    assert box.x1 <= figure.bbox.x1 and box.y1 < panel.get_window_extent().y0


@pytest.mark.parametrize(
    ("values", "name", "scale"),
    [
        ([0.5, 60.0], "minutes", "log"),
        ([0.0, 60.0], "minutes", "linear"),  # 0 has no place on a logarithmic axis
        ([1000.0, 1500.0], "elo", "linear"),
        ([0.001, 0.9], "mmlu", "linear"),  # a percentage
    ],
)
def test_scores_that_span_two_decades_have_a_logarithmic_axis(
    values: list[float], name: str, scale: str
) -> None:
    _, (panel,) = panels(1, columns=1, width=3, height=2)
    panel.scatter(values, [0, 1])
    score_axis(panel.xaxis, name, {"minutes": "minutes", "elo": "Elo"})
    assert panel.get_xscale() == scale and panel.get_yscale() == "linear"
    low, high = panel.get_xlim()
    assert low <= values[0] and values[1] <= high


def test_what_is_drawn_is_what_is_asked_for() -> None:
    names = [f"b{k}" for k in range(30)]
    assert drawn(names, None, 24, "benchmarks") == names[:24]
    assert drawn(names, ["b29", "b0", "b29"], 24, "benchmarks") == ["b29", "b0"]
    with pytest.raises(DataError, match='benchmarks: "b30" is not in this result'):
        drawn(names, ["b30"], 24, "benchmarks")
    with pytest.raises(DataError, match="benchmarks is empty"):
        drawn(names, [], 24, "benchmarks")
    with pytest.raises(DataError, match="must be a list of names"):
        drawn(names, "b1", 24, "benchmarks")
