"""Plots for choosing: they show exactly what the results hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from latentscale.analysis.choices.next_benchmark import NextBenchmark
from latentscale.analysis.curves.compute_needed import ComputeNeeded
from latentscale.analysis.curves.passing import Passing
from latentscale.analysis.forecasts.few_shot import Conditioning
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.errors import DataError
from latentscale.plots import (
    plot_compute_needed,
    plot_few_shot,
    plot_next_benchmark,
    plot_passing,
)

CHOICE = NextBenchmark(
    model="qwen $ 7b",
    rows=pd.DataFrame(
        {
            "benchmarks": ["mmlu", "gsm8k", "prüfung <b>", "arc"],
            "cost": [1.0, 2.0, 1.0, 1.0],
            "sd_before": 0.09,
            "sd_after": [0.04, 0.03, 0.06, 0.08],
            "variance_removed": [0.8, 0.9, 0.55, 0.2],
            "information": [0.8, 1.15, 0.4, 0.1],
            "gain": [0.8, 0.45, 0.55, 0.2],
        }
    ),
    sets=(("mmlu",), ("gsm8k",), ("prüfung <b>",), ("arc",)),
    targets=("bbh", "gpqa"),
    measured=("hellaswag",),
    ranked_by="variance",
    search="exact",
)


def needed(top: float = 0.85) -> ComputeNeeded:
    rng = np.random.default_rng(3)
    at = np.geomspace(1e20, 1e27, 161)
    flops = np.exp(rng.normal(np.log(4e23), 1.6, 800))
    flops[rng.random(800) > top] = np.inf
    reached = (flops[:, None] <= at).mean(axis=0)
    return ComputeNeeded(
        benchmark="mmlu_pro",
        target=0.6,
        family="qwen2",
        draws=xr.DataArray(flops, dims="sample"),
        limits=(1e20, 1e27),
        fitted_range=(1e21, 8e24),
        tokens_per_parameter=900.0,
        probability_unreachable=float(np.isinf(flops).mean()),
        probability_above_ceiling=0.12,
        probability_already=0.0,
        reached=xr.DataArray(reached, {"at": ("point", at)}, ("point",)),
    )


def test_bars_are_the_shares_of_the_table() -> None:
    figure = plot_next_benchmark(CHOICE)
    (panel,) = figure.axes
    assert [bar.get_width() for bar in panel.patches] == [0.8, 0.9, 0.55, 0.2]
    labels = [text.get_text() for text in panel.get_yticklabels()]
    assert labels[0] == "mmlu (cost 1)" and "qwen $ 7b" in figure.get_suptitle()
    by_information = plot_next_benchmark(replace(CHOICE, ranked_by="information"))
    assert [bar.get_width() for bar in by_information.axes[0].patches] == [0.8, 1.15, 0.4, 0.1]


def test_where_costs_differ_the_bars_have_the_gain_by_which_they_are_sorted() -> None:
    figure = plot_next_benchmark(CHOICE)
    assert [text.get_text() for text in figure.axes[0].texts] == ["80%", "45%", "55%", "20%"]
    assert "gain (share of the variance) per unit of cost" in figure.get_suptitle()
    nats = plot_next_benchmark(replace(CHOICE, ranked_by="information"))
    assert [text.get_text() for text in nats.axes[0].texts] == ["0.8", "0.45", "0.55", "0.2"]
    alike = plot_next_benchmark(replace(CHOICE, rows=CHOICE.rows.assign(cost=1.0)))
    assert not alike.axes[0].texts and "In order of gain." in alike.get_suptitle()


def test_benchmarks_for_which_there_is_no_room_are_counted() -> None:
    rows = pd.concat([CHOICE.rows] * 5, ignore_index=True)
    many = replace(CHOICE, rows=rows.assign(benchmarks=[f"b{k}" for k in range(len(rows))]))
    assert "15 of 20 shown" in plot_next_benchmark(many).get_suptitle()
    assert "shown" not in plot_next_benchmark(CHOICE).get_suptitle()


def test_the_chance_curve_and_its_interval() -> None:
    result = needed()
    figure = plot_compute_needed(result, prob=0.5)
    (panel,) = figure.axes
    line = panel.get_lines()[0]
    np.testing.assert_array_equal(line.get_ydata(), result.reached.values)
    labels = panel.get_legend_handles_labels()[1]
    assert "50% interval" in labels and "median" in labels
    assert (
        "50% interval, open above"
        in (plot_compute_needed(needed(0.6), prob=0.5).axes[0].get_legend_handles_labels()[1])
    )


def test_passing_shows_both_probabilities() -> None:
    table = pd.DataFrame(
        {
            "model": ["a", "a", "b", "b"],
            "benchmark": ["arc", "mmlu"] * 2,
            "threshold": [0.5, 0.7] * 2,
            "probability": [0.2, 0.4, 0.6, 0.9],
            "probability_expected": [0.1, 0.4, 0.7, 1.0],
            "basis": "known family",
            "assumed": ["instruct=0 (family)"] * 2 + [""] * 2,
        }
    )
    figure = plot_passing(Passing(table, pd.Series({"a": 0.1, "b": 0.5})))
    first = figure.axes[0]
    assert first.get_title(loc="left") == "arc ≥ 50"
    handles, labels = first.get_legend_handles_labels()
    np.testing.assert_allclose(
        handles[labels.index("a new score")].get_offsets(), [[0.2, 0], [0.6, 1]]
    )


def test_few_shot_shows_both_forecasts_and_the_scores(forecast: Forecast) -> None:
    with pytest.raises(DataError, match="without new scores"):
        plot_few_shot(forecast, forecast)
    names = forecast.draws["benchmark"].values
    score = xr.DataArray(
        np.full((3, 5), np.nan),
        {"model": forecast.draws["model"].values, "benchmark": names},
        ("model", "benchmark"),
    )
    score[1, 0] = 0.4
    given = Conditioning("importance resampling", 1, 321.0, 0.2, np.arange(150))
    after = replace(
        forecast, models=forecast.models.assign(score=score), conditioning=given,
        draws=0.5 * forecast.draws,
    )  # fmt: skip
    figure = plot_few_shot(forecast, after)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    np.testing.assert_allclose(handles[labels.index("given score")].get_offsets(), [[0.4, 1]])
    wanted = after.draws.isel(model=2, benchmark=0).quantile([0.05, 0.95]).values
    line = handles[labels.index("given the scores")].get_segments()[2]
    np.testing.assert_allclose(line[:, 0], wanted)
    assert "given score" not in figure.axes[1].get_legend_handles_labels()[1]
    with pytest.raises(DataError, match="has no forecast of"):
        plot_few_shot(forecast, after.__class__(**{**vars(after), "draws": after.draws[:, :2]}))
