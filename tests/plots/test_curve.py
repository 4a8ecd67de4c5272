from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from latentscale.analysis.curves.curves import Curve
from latentscale.errors import DataError
from latentscale.plots import plot_curve
from tests.plots.legend import labelled


def _edges(band: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper edge of a filled band, in the order of its points."""
    corners = pd.DataFrame(band.get_paths()[0].vertices, columns=["x", "y"])
    by_x = corners.groupby("x")["y"]
    return by_x.min().to_numpy(), by_x.max().to_numpy()


def test_there_is_one_panel_a_benchmark_named_as_it_is(curve: Curve) -> None:
    figure = plot_curve(curve)
    names = [panel.get_title(loc="left") for panel in figure.axes]
    assert names == ["arc", "a $ and an _", "mmlu", "gsm8k", "prüfung <b>"]


@pytest.mark.parametrize(
    ("noise", "low", "high", "said"),
    [
        (True, "score_lower", "score_upper", "new scores"),
        (False, "lower", "upper", "expected scores"),
    ],
)
def test_bands_and_line_are_the_numbers_of_the_table(
    curve: Curve, noise: bool, low: str, high: str, said: str
) -> None:
    figure = plot_curve(curve, noise=noise)
    for prob in (0.9, 0.5):
        table = curve.table(prob)
        for panel in figure.axes:
            mine = table[table["benchmark"] == panel.get_title(loc="left")]
            lower, upper = _edges(labelled(panel, f"{prob:.0%} interval"))
            np.testing.assert_allclose(lower, mine[low])
            np.testing.assert_allclose(upper, mine[high])
            x, y = labelled(panel, "median expected score").get_data()
            np.testing.assert_allclose(x, mine["at"])
            np.testing.assert_allclose(y, mine["median"])
    assert said in figure.get_suptitle()


def test_a_panel_of_error_rates_ends_above_the_largest(curve: Curve) -> None:
    """Word error rates of 2 to 6% were a line at the bottom of 0 to 100%, below guessing."""
    rates = curve.draws.copy()
    rates.loc[{"benchmark": "arc"}] *= 0.1
    observed = curve.observed[curve.observed["benchmark"] != "arc"]
    made = replace(curve, draws=rates, mean_draws=rates, observed=observed, falling=("arc",))
    figure = plot_curve(made, floors={"arc": 1.0, "mmlu": 0.25})
    by_name = {panel.get_title(loc="left"): panel for panel in figure.axes}
    largest = made.table(0.9).set_index("benchmark").loc["arc", "score_upper"].max()
    low, high = by_name["arc"].get_ylim()
    assert low == 0 and largest < high < 1.2 * largest
    assert "guessing" not in by_name["arc"].get_legend_handles_labels()[1]
    assert by_name["mmlu"].get_ylim() == (0, 1)
    assert "guessing" in by_name["mmlu"].get_legend_handles_labels()[1]


def test_points_are_the_measured_scores_and_hidden_ones_stand_apart(curve: Curve) -> None:
    hidden = pd.DataFrame({"model": ["f-70b"], "benchmark": ["arc"], "at": [4e23], "score": [0.71]})
    panel = plot_curve(curve, hidden=hidden).axes[0]
    seen = labelled(panel, "measured, fitted")
    unseen = labelled(panel, "measured, hidden from the fit")
    np.testing.assert_allclose(seen.get_offsets(), [[3e21, 0.25], [5e22, 0.44]])
    np.testing.assert_allclose(unseen.get_offsets(), [[4e23, 0.71]])
    assert not np.array_equal(seen.get_facecolor(), unseen.get_facecolor())
    assert [text.get_text() for text in panel.texts] == ["1b", "7b", "70b"]


@pytest.mark.parametrize("first", [1e21, None])
def test_names_of_points_one_above_the_other_are_not_swapped(
    curve: Curve, first: float | None
) -> None:
    """Names of two settings of one release were each next to the other's point."""
    points = [("f-low", 5e21, 0.25), ("f-high", 5e21, 0.3), ("f-9b", 5e22, 0.44)]
    points += [] if first is None else [("f-1b", first, 0.2)]
    observed = pd.DataFrame(points, columns=["model", "at", "score"]).assign(benchmark="arc")
    panel = plot_curve(replace(curve, observed=observed)).axes[0]
    side = {text.get_text(): text.get_va() for text in panel.texts}
    assert (side["high"], side["low"]) == ("bottom", "top")


def test_points_of_many_models_carry_no_names(curve: Curve) -> None:
    many = pd.DataFrame(
        {
            "model": [f"f-{size}b" for size in range(6)],
            "benchmark": "arc",
            "at": np.geomspace(1e21, 1e23, 6),
            "score": 0.3,
        }
    )
    panel = plot_curve(replace(curve, observed=many)).axes[0]
    assert len(labelled(panel, "measured, fitted").get_offsets()) == 6
    assert not panel.texts


def test_the_fitted_ranges_are_marked(curve: Curve) -> None:
    panel = plot_curve(curve).axes[0]
    own = labelled(panel, "range of the family's fitted models")
    assert (own.get_x(), own.get_x() + own.get_width()) == pytest.approx((3e21, 5e22))
    # The lower end of all fitted models, 1e20, is left of the curve and is not drawn.
    ends = [line for line in panel.lines if line.get_label() == "end of all fitted models"]
    assert [line.get_xdata()[0] for line in ends] == [4e23]


def test_a_family_without_known_tokens_has_no_range(curve: Curve) -> None:
    panel = plot_curve(replace(curve, family_range=(np.nan, np.nan))).axes[0]
    assert "range of the family's fitted models" not in panel.get_legend_handles_labels()[1]


def test_floors_are_dotted_lines_where_given(curve: Curve) -> None:
    figure = plot_curve(curve, floors={"arc": 0.25, "gsm8k": 0.0})
    assert labelled(figure.axes[0], "guessing").get_ydata()[0] == 0.25
    for panel in figure.axes[1:]:
        assert "guessing" not in panel.get_legend_handles_labels()[1]


def test_axes_say_what_they_show_and_the_legend_stands_once(curve: Curve) -> None:
    figure = plot_curve(curve)
    first = figure.axes[0]
    assert first.get_xscale() == "log"
    assert first.get_ylim() == (0, 1)
    assert first.get_ylabel() == "score (%)"
    assert first.yaxis.get_major_formatter()(0.4, 0) == "40"
    assert first.xaxis.get_major_formatter()(1e22, 0) == "$10^{22}$"
    # Five panels in rows of four: the lowest of each column is labelled.
    assert [bool(panel.get_xlabel()) for panel in figure.axes] == [False, True, True, True, True]
    assert "training compute (FLOPs)" in {panel.get_xlabel() for panel in figure.axes}
    assert "tokens per parameter held at 20" in figure.get_suptitle()
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert len(labels) == len(set(labels))
    assert {"50% interval", "90% interval", "measured, fitted"} <= set(labels)


def test_a_short_axis_of_sizes_has_plain_numbers(curve: Curve) -> None:
    at = np.geomspace(2, 20, 9)
    short = replace(
        curve,
        over="log_params",
        draws=curve.draws.assign_coords(at=("point", at)),
        mean_draws=curve.mean_draws.assign_coords(at=("point", at)),
    )
    axis = plot_curve(short).axes[0].xaxis
    shown = {axis.get_major_formatter()(v, 0) for v in axis.get_majorticklocs() if 2 <= v <= 20}
    assert shown == {"2", "5", "10", "20"}


def test_hidden_points_without_a_column_are_refused(curve: Curve) -> None:
    with pytest.raises(DataError, match=r'has no columns "at"'):
        plot_curve(curve, hidden=pd.DataFrame({"model": [], "benchmark": [], "score": []}))


def test_a_figure_is_saved_and_shown_without_pyplot(curve: Curve, tmp_path: Path) -> None:
    figure = plot_curve(
        replace(curve, draws=curve.draws[:, :, :1], mean_draws=curve.mean_draws[:, :, :1])
    )
    figure.savefig(tmp_path / "curve.png")
    assert imread(tmp_path / "curve.png").std() > 0.02
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_what_is_passed_in_stays_as_it_was(curve: Curve) -> None:
    before = curve.observed.copy()
    plot_curve(curve)
    pd.testing.assert_frame_equal(curve.observed, before)


def test_benchmarks_of_other_units_have_axes_of_their_own(curve: Curve) -> None:
    """A panel of Elo is not cut at 100%, and its points are inside."""
    first, *_ = list(dict.fromkeys(curve.table(0.9)["benchmark"]))
    panels = plot_curve(replace(curve, units={first: "Elo"})).axes
    assert panels[1].get_ylim() == (0, 1)
    assert panels[0].get_ylim() != (0, 1)


def test_long_names_of_models_leave_the_panels_their_room(curve: Curve) -> None:
    names = ["f-instruct-thinking-preview-2025-001", "f-instruct-thinking-preview-2025-002"]
    at = [float(curve.draws["at"][0]), float(curve.draws["at"][-1])]
    observed = pd.DataFrame({"model": names, "benchmark": "arc", "at": at, "score": [0.2, 0.8]})
    figure = plot_curve(replace(curve, observed=observed))
    figure.draw_without_rendering()
    panel = figure.axes[0]
    box = panel.get_window_extent()
    assert box.width > 0.15 * figure.bbox.width  # four panels side by side
    (first, last) = [text.get_window_extent() for text in panel.texts]
    assert [text.get_text()[-3:] for text in panel.texts] == ["001", "002"]
    assert box.x0 <= first.x0 and last.x1 <= box.x1


def test_a_curve_of_many_benchmarks_says_how_many_it_shows(curve: Curve) -> None:
    names = [f"b{k}" for k in range(26)]

    def spread(draws: Any) -> Any:
        return draws.isel(benchmark=[0] * 26).assign_coords(benchmark=names)

    draws, mean = spread(curve.draws), spread(curve.mean_draws)
    figure = plot_curve(replace(curve, draws=draws, mean_draws=mean))
    assert [panel.get_title(loc="left") for panel in figure.axes] == names[:24]
    assert "24 of 26 benchmarks shown" in figure.get_suptitle()
