from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.image import imread

from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.errors import DataError
from latentscale.plots import plot_forecast
from latentscale.plots.labels import broken
from tests.plots.legend import labelled

WIDE = pd.DataFrame(
    {
        "model": ["f-70b", "h", "not asked for"],
        "params_b": [70.0, 1.0, 2.0],
        "arc": [0.5, np.nan, 0.1],
        "mmlu": [0.6, 0.3, 0.2],
    }
)


def _lines(panel: Axes, label: str) -> dict[int, tuple[float, float]]:
    """Return the interval drawn in each row."""
    segments = labelled(panel, label).get_segments()
    return {int(s[0][1]): (s[0][0], s[1][0]) for s in segments}


@pytest.mark.parametrize("prob", [0.9, 0.5])
def test_intervals_and_medians_are_the_numbers_of_the_table(
    forecast: Forecast, prob: float
) -> None:
    figure = plot_forecast(forecast, prob=prob)
    table = forecast.table(prob)
    assert len(figure.axes) == 5
    for panel in figure.axes:
        mine = table[table["benchmark"] == panel.get_title(loc="left")].reset_index(drop=True)
        lines = _lines(panel, f"{prob:.0%} interval")
        for row, one in mine.iterrows():
            assert lines[row] == pytest.approx((one["lower"], one["upper"]))
        dots = labelled(panel, "forecast median").get_offsets()
        np.testing.assert_allclose(dots[:, 0], mine["median"])
    assert f"{prob:.0%} interval" in figure.get_suptitle()


def test_rows_are_models_from_the_top_down(forecast: Forecast) -> None:
    panel = plot_forecast(forecast).axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["f-70b", "g $ 7b", "h"]
    bottom, top = panel.get_ylim()
    assert bottom > top


@pytest.mark.parametrize("long", [False, True])
def test_measured_scores_stand_where_they_are_known(forecast: Forecast, long: bool) -> None:
    observed = WIDE
    if long:
        observed = WIDE.melt("model", ["arc", "mmlu"], "benchmark", "score")
    arc, other, mmlu = plot_forecast(forecast, observed).axes[:3]
    np.testing.assert_allclose(labelled(arc, "measured score").get_offsets(), [[0.5, 0]])
    np.testing.assert_allclose(labelled(mmlu, "measured score").get_offsets(), [[0.6, 0], [0.3, 2]])
    assert "measured score" not in other.get_legend_handles_labels()[1]


def test_forecasts_without_a_measured_score_are_pale(forecast: Forecast) -> None:
    figure = plot_forecast(forecast, WIDE)
    arc, pale = figure.axes[0], "90% interval, no measured score"
    assert set(_lines(arc, "90% interval")) == {0}
    assert set(_lines(arc, pale)) == {1, 2}
    assert labelled(arc, pale).get_alpha() < 1
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["90% interval", "forecast median", pale, "measured score"]


def test_the_caller_s_table_is_not_changed(forecast: Forecast) -> None:
    before = WIDE.copy()
    plot_forecast(forecast, WIDE)
    pd.testing.assert_frame_equal(WIDE, before)


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        (WIDE.rename(columns={"model": "name"}), 'needs a column "model"'),
        (WIDE[["model", "params_b"]], "holds no score"),
        (WIDE.assign(model="someone else"), "holds no score"),
    ],
)
def test_a_table_with_nothing_to_show_is_refused(
    forecast: Forecast, observed: pd.DataFrame, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        plot_forecast(forecast, observed)


def test_axes_are_percentages_and_the_figure_can_be_saved(
    forecast: Forecast, tmp_path: Path
) -> None:
    figure = plot_forecast(forecast)
    assert figure.axes[-1].get_xlabel() == "score (%)"
    assert figure.axes[-1].xaxis.get_major_formatter()(0.4, 0) == "40"
    figure.savefig(tmp_path / "forecast.png")
    assert imread(tmp_path / "forecast.png").std() > 0.02


def test_measured_scores_of_another_library_are_drawn(forecast: Forecast) -> None:
    polars = pytest.importorskip("polars")
    assert plot_forecast(forecast, polars.from_pandas(WIDE)) is not None


def _many(forecast: Forecast, models: int, benchmarks: int) -> Forecast:
    """Return the forecast with its first model and benchmark under many names."""

    def spread(draws: Any) -> Any:
        names = {"benchmark": [f"b{k}" for k in range(benchmarks)]}
        draws = draws.isel(benchmark=[0] * benchmarks)
        if "model" in draws.dims:
            names["model"] = [f"m{k}" for k in range(models)]
            draws = draws.isel(model=[0] * models)
        return draws.assign_coords(names)

    about = forecast.models.isel(model=[0] * models)
    return replace(
        forecast,
        draws=spread(forecast.draws),
        mean_draws=spread(forecast.mean_draws),
        precision_draws=spread(forecast.precision_draws),
        models=about.assign_coords(model=[f"m{k}" for k in range(models)]),
    )


def test_a_forecast_of_many_says_how_much_it_shows_and_draws_what_is_asked(
    forecast: Forecast,
) -> None:
    many = _many(forecast, 50, 30)
    figure = plot_forecast(many)
    assert len(figure.axes) == 24
    headline = " ".join(figure.get_suptitle().split())
    assert "40 of 50 models shown, 24 of 30 benchmarks shown" in headline
    assert len(_lines(figure.axes[0], "90% interval")) == 40
    chosen = plot_forecast(many, models=["m49", "m3"], benchmarks=["b29"])
    (panel,) = chosen.axes
    assert panel.get_title(loc="left") == "b29"
    assert [text.get_text() for text in panel.get_yticklabels()] == ["m49", "m3"]
    lower = many.table(0.9).set_index(["model", "benchmark"])["lower"]
    assert _lines(panel, "90% interval")[0][0] == lower["m49", "b29"]
    with pytest.raises(DataError, match='models: "m50" is not in this result'):
        plot_forecast(many, models=["m50"])


def _given(forecast: Forecast) -> Forecast:
    """Return the forecast as if the score of "h" on arc had been given."""
    score = xr.full_like(forecast.draws.isel(sample=0, benchmark=[0], drop=True), np.nan)
    score.loc[{"model": "h"}] = 0.41
    return replace(forecast, models=forecast.models.assign(score=score))


def test_given_scores_have_a_mark_of_their_own(forecast: Forecast) -> None:
    arc, other = plot_forecast(_given(forecast)).axes[:2]
    np.testing.assert_allclose(labelled(arc, "given score").get_offsets(), [[0.41, 2]])
    assert "given score" not in other.get_legend_handles_labels()[1]
    plain = plot_forecast(forecast).axes[0]
    assert "given score" not in plain.get_legend_handles_labels()[1]


def test_a_given_score_is_not_drawn_as_measured_and_makes_no_forecast_pale(
    forecast: Forecast,
) -> None:
    given = _given(forecast)
    asked = pd.DataFrame({"model": ["h"], "arc": [0.41]})
    alone = plot_forecast(given, asked)
    for panel in alone.axes:
        assert len(_lines(panel, "90% interval")) == 3
        assert "measured score" not in panel.get_legend_handles_labels()[1]
    assert "with the measured scores" not in alone.get_suptitle()
    arc = plot_forecast(given, pd.concat([WIDE, asked])).axes[0]
    np.testing.assert_allclose(labelled(arc, "measured score").get_offsets(), [[0.5, 0]])
    assert set(_lines(arc, "90% interval")) == {0, 2}
    remeasured = plot_forecast(given, asked.assign(arc=0.6)).axes[0]
    np.testing.assert_allclose(labelled(remeasured, "measured score").get_offsets(), [[0.6, 2]])


def test_the_figure_says_what_was_assumed_and_that_the_fit_has_not_converged(
    forecast: Forecast,
) -> None:
    texts = ["reasoning=0 (name)", "", "reasoning=0 (name)"]
    about = forecast.models.assign(assumed=("model", texts))
    unsure = replace(forecast, models=about, fit_status="not converged (max R-hat 1.05)")
    said = plot_forecast(unsure).get_suptitle().splitlines()
    assert said[-2:] == [
        "Fit: not converged (max R-hat 1.05)",
        "Left out and assumed: reasoning=0 (name) in 2 of 3 rows",
    ]


def test_long_names_of_panels_break_where_words_end(forecast: Forecast) -> None:
    many = _many(forecast, 2, 4)
    long = "otis_mock_aime_2024_2025_private"
    names = [long, "b1", "b2", "b3"]
    arrays = {
        name: getattr(many, name).assign_coords(benchmark=names)
        for name in ("draws", "mean_draws", "precision_draws")
    }
    heading = plot_forecast(replace(many, **arrays)).axes[0].get_title(loc="left")
    assert "\n" in heading and heading.replace("\n", "") == long
    assert all(line.endswith("_") for line in heading.splitlines()[:-1])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("otis_mock_aime_2024_2025", "otis_mock_aime_2024_\n2025"),
        ("frontiermath-2025-02-28-private", "frontiermath-2025-\n02-28-private"),
        ("two words of it here at last", "two words of it here\nat last"),
        ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrst\nuvwxyz"),
        ("short", "short"),
    ],
)
def test_a_name_is_broken_within_a_word_only_where_it_must(name: str, shown: str) -> None:
    assert broken(name, 20) == shown
