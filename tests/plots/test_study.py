"""Plots of comparison, checks and sensitivity show the numbers of their results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.image import imread

from latentscale.analysis.checks.check import FitCheck
from latentscale.analysis.checks.compare import Comparison
from latentscale.analysis.checks.leave_one_out import LeaveOneOut
from latentscale.analysis.checks.predictive import PredictiveCheck
from latentscale.analysis.sensitivity.influence import FamilyInfluence
from latentscale.analysis.sensitivity.sensitivity import CONFLICT, Sensitivity
from latentscale.analysis.sensitivity.sensitivity_grid import SensitivityGrid
from latentscale.errors import DataError
from latentscale.plots import (
    plot_compare,
    plot_influence,
    plot_outliers,
    plot_predictive,
    plot_residuals,
    plot_sensitivity,
    plot_tornado,
)
from latentscale.plots.style import Sheet
from tests.plots.legend import labelled

MODELS = ["f-1b", "f $ 7b", "g-2b"]
BENCHMARKS = ["arc", "a_b"]


def _saved(figure: Sheet, folder: Path) -> None:
    figure.savefig(folder / "figure.png")
    assert imread(folder / "figure.png").std() > 0.02


@pytest.fixture
def predictive() -> PredictiveCheck:
    rng = np.random.default_rng(0)
    draws = xr.DataArray(
        rng.uniform(size=(50, 3, 2)),
        dims=("sample", "model", "benchmark"),
        coords={"model": MODELS, "benchmark": BENCHMARKS},
    )
    table = pd.DataFrame(
        {
            "by": "benchmark",
            "group": ["arc", "a_b"] * 2,
            "statistic": ["mean", "mean", "sd", "sd"],
            "observed": [0.5, 0.9, 0.2, 0.1],
            "median": [0.5, 0.5, 0.2, 0.2],
            "lower": [0.4, 0.4, 0.1, 0.15],
            "upper": [0.6, 0.6, 0.3, 0.3],
            "p_value": [0.9, 0.01, 0.8, 0.02],
        }
    )
    return PredictiveCheck("posterior", draws, draws[0], table, 0.9)


@pytest.fixture
def check(predictive: PredictiveCheck) -> FitCheck:
    residuals = xr.DataArray(
        [[0.5, -4.2], [np.nan, 1.0], [2.5, 0.1]],
        dims=("model", "benchmark"),
        coords={
            "model": MODELS,
            "benchmark": BENCHMARKS,
            "family": ("model", ["f", "f", "g"]),
            "reliable": (("model", "benchmark"), [[True, True], [False, True], [False, True]]),
        },
    )
    row = {
        "model": "f-1b",
        "family": "f",
        "benchmark": "a_b",
        "score": 0.1,
        "median": 0.5,
        "lower": 0.4,
        "upper": 0.6,
        "z": -4.2,
        "pareto_k": 0.2,
        "basis": "importance weights",
        "advice": "look",
    }
    odd = {**row, "model": "g-2b", "benchmark": "arc", "score": 0.7, "z": 2.5, "pareto_k": 0.9}
    loo = LeaveOneOut(pd.DataFrame(), 0.0, 0.0, 0.0, 0.7, 0.9)
    none = pd.DataFrame()
    tables = (pd.DataFrame([row]), pd.DataFrame([odd]))
    return FitCheck(loo, predictive, 0.4, residuals, none, none, *tables, 3.0, ())


def test_the_residual_map(check: FitCheck, tmp_path: Path) -> None:
    figure = plot_residuals(check)
    panel = figure.axes[0]
    drawn = panel.collections[0].get_array()
    np.testing.assert_allclose(
        drawn.filled(np.nan), check.residuals.sel(model=["f $ 7b", "f-1b", "g-2b"])
    )
    np.testing.assert_allclose(labelled(panel, "outlier").get_offsets(), [[1.5, 1.5]])
    doubtful = labelled(panel, "Pareto k too high: residual too small")
    np.testing.assert_allclose(doubtful.get_offsets(), [[0.5, 2.5]])  # not the unmeasured cell
    assert len(plot_residuals(check, rows=1).axes[0].get_yticks()) == 1
    with pytest.raises(DataError, match="rows"):
        plot_residuals(check, rows=0)
    _saved(figure, tmp_path)


def test_a_residual_map_of_many_benchmarks_shows_those_with_the_largest(check: FitCheck) -> None:
    wide = xr.concat([check.residuals.isel(benchmark=[0] * 50), check.residuals], "benchmark")
    names = [*(f"a benchmark with a long name, number {place}" for place in range(50)), *BENCHMARKS]
    figure = plot_residuals(replace(check, residuals=wide.assign_coords(benchmark=names)))
    shown = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert len(shown) == 40 and len(set(shown)) == 40
    assert BENCHMARKS[1] in shown  # it holds the largest
    assert max(map(len, shown)) <= 30 and "40 of 52 benchmarks" in figure.get_suptitle()


def test_outliers_and_what_is_unsettled(check: FitCheck, tmp_path: Path) -> None:
    figure = plot_outliers(check)
    panel = figure.axes[0]
    at = labelled(panel, "measured score, outlier").get_offsets()
    np.testing.assert_allclose(at, [[0.1, 0]])
    at = labelled(panel, "measured score, unsettled").get_offsets()
    np.testing.assert_allclose(at, [[0.7, 1]])
    _saved(figure, tmp_path)
    assert "shown" not in figure.get_suptitle()
    assert "1 of 2 shown" in plot_outliers(check, rows=1).get_suptitle()
    empty = check.outliers.iloc[:0]
    clean = FitCheck(**{**vars(check), "outliers": empty, "unsettled": empty})
    with pytest.raises(DataError, match="nothing to draw"):
        plot_outliers(clean)
    for rows in (-1, "x"):
        with pytest.raises(DataError, match="rows must be a whole number"):
            plot_outliers(check, rows=rows)  # type: ignore[arg-type]


def test_predictive_statistics(predictive: PredictiveCheck, tmp_path: Path) -> None:
    figure = plot_predictive(predictive, statistics=("mean", "sd"))
    mean = figure.axes[0]
    np.testing.assert_allclose(labelled(mean, "measured").get_offsets(), [[0.5, 0]])
    outside = labelled(mean, "measured, outside the interval").get_offsets()
    np.testing.assert_allclose(outside, [[0.9, 1]])
    _saved(figure, tmp_path)
    with pytest.raises(DataError, match='by is "family"'):
        plot_predictive(predictive, by="family")
    with pytest.raises(DataError, match=r'no statistic "meen".*"mean"'):
        plot_predictive(predictive, statistics=("meen",))
    with pytest.raises(DataError, match="rows must be a whole number"):
        plot_predictive(predictive, rows="x")  # type: ignore[arg-type]
    assert (
        "1 of 2 shown" in plot_predictive(predictive, statistics=("mean",), rows=1).get_suptitle()
    )


def test_a_comparison(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "name": ["K $ 2", "K = 1"],
            "elpd": [10.0, 4.0],
            "difference": [0.0, -6.0],
            "difference_se": [0.0, 2.0],
            "weight": [0.8, 0.2],
            "cells": 40,
            "p_loo": 3.0,
            "high_k": [2, 0],
        }
    )
    figure = plot_compare(Comparison(table, pd.DataFrame(), False, ()))
    gap, weight = figure.axes
    np.testing.assert_allclose(labelled(gap, "difference").get_offsets()[:, 0], [0, -6])
    line = labelled(gap, "two standard errors (bootstrap over families)").get_segments()[1]
    np.testing.assert_allclose(line[:, 0], [-10, -2])
    np.testing.assert_allclose([bar.get_width() for bar in weight.patches], [0.8, 0.2])
    assert "high Pareto k: 2, 0" in figure.get_suptitle()
    _saved(figure, tmp_path)


def test_sensitivity(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "variable": ["slope", "precision", "intercept"],
            "where": ["log_flops, arc", "a $ b", ""],
            "prior": [0.01, 0.2, 0.08],
            "prior_noise": [0.01, 0.05, 0.06],
            "likelihood": [0.2, 0.1, 0.3],
            "likelihood_noise": [0.01, 0.01, 0.02],
            "diagnosis": ["", CONFLICT, ""],
        }
    )
    sensitivity = Sensitivity(table, pd.DataFrame(), 0.05, ())
    figure = plot_sensitivity(sensitivity, rows=2)
    panel = figure.axes[0]
    np.testing.assert_allclose(labelled(panel, "prior").get_offsets()[:, 0], [0.2])
    unsure = labelled(panel, "prior, below the limit or within noise of it")
    np.testing.assert_allclose(unsure.get_offsets()[:, 0], [0.08])
    ends = [line[:, 0] for line in panel.collections[0].get_segments()]
    np.testing.assert_allclose(ends, [[0.15, 0.2], [0.02, 0.08]])
    names = [text.get_text() for text in panel.get_yticklabels()]
    assert names == ["precision [a $ b]", "intercept"]
    assert "2 of 3 shown" in figure.get_suptitle()
    _saved(figure, tmp_path)


def test_a_tornado(tmp_path: Path) -> None:
    rows = [
        ("base", "slope", "x", 0.0, 0.0),
        ("base", "score", "m, arc", 0.0, 0.0),
        ("wide", "slope", "x", -0.2, -1.0),
        ("wide", "score", "m, arc", 0.01, 0.1),
        ("tight", "slope", "x", 0.3, 1.5),
        ("tight", "score", "m, arc", 0.02, 0.2),
    ]
    table = pd.DataFrame(rows, columns=["variant", "variable", "where", "change", "change_in_sd"])
    table["unit"] = ["", "fraction"] * 3
    grid = SensitivityGrid(table, {"wide": "w", "tight": "t"}, {}, 0.9)
    figure = plot_tornado(grid)
    panel = figure.axes[0]
    bars = [(round(b.get_x(), 9), round(b.get_width(), 9)) for b in panel.patches]
    assert bars == [(-1.0, 1.0), (0.0, 1.5), (0.0, 0.0), (0.0, 0.2)]
    assert [t.get_text() for t in panel.get_yticklabels()] == ["slope [x]", "score [m, arc]"]
    scores = plot_tornado(grid, variable="score").axes[0]
    assert scores.patches[1].get_width() == 0.02
    with pytest.raises(DataError, match=r'no variable "slop".*Did you mean "slope"'):
        plot_tornado(grid, variable="slop")
    _saved(figure, tmp_path)


def test_a_tornado_of_scores_has_a_panel_for_each_unit(tmp_path: Path) -> None:
    """A change of 40 Elo next to 0.02 hid every benchmark in fractions."""
    rows = [
        (variant, "expected score", f"m, {name}", size * change, change, unit)
        for variant, change in (("base", 0.0), ("wide", 1.0), ("tight", -0.5))
        for name, size, unit in (("arc", 0.02, "fraction"), ("elo", 40.0, "Elo"))
    ]
    names = ["variant", "variable", "where", "change", "change_in_sd", "unit"]
    grid = SensitivityGrid(pd.DataFrame(rows, columns=names), {"wide": "w", "tight": "t"}, {}, 0.9)
    figure = plot_tornado(grid, variable="expected score")
    fractions, elo = figure.axes
    assert fractions.get_xlabel() == "change of the median of expected score (fraction)"
    assert elo.get_xlabel() == "change of the median of expected score (Elo)"
    assert [t.get_text() for t in elo.get_yticklabels()] == ["m, elo"]
    assert max(abs(end) for end in fractions.get_xlim()) < 0.1
    assert elo.get_xlim()[0] < -20.0  # with room next to the longest bar
    assert elo.patches[1].get_width() == 40.0
    assert len(plot_tornado(grid).axes) == 1  # in standard deviations all share one
    _saved(figure, tmp_path)


def test_influence(tmp_path: Path) -> None:
    families = pd.DataFrame(
        {
            "family": ["opt", "g $"],
            "scores": [9, 4],
            "pareto_k": [1.2, 0.3],
            "reliable": [False, True],
            "largest_in_sd": [2.0, 0.4],
        }
    )
    figure = plot_influence(FamilyInfluence(families, pd.DataFrame(), 0.7))
    change, weight = figure.axes
    assert [bar.get_width() for bar in change.patches] == [0.4, 2.0]
    np.testing.assert_allclose(weight.collections[0].get_offsets()[:, 0], [1.2, 0.3])
    _saved(figure, tmp_path)
    sound = plot_influence(FamilyInfluence(families.iloc[1:], pd.DataFrame(), 0.7))
    labels = [text.get_text() for text in sound.legends[0].get_texts()]
    assert "reliable" in labels and not any("rough" in label for label in labels)
    without_draws = families.assign(pareto_k=[np.inf, 0.3])
    change, weight = plot_influence(FamilyInfluence(without_draws, pd.DataFrame(), 0.7)).axes
    (said,) = [text for text in weight.texts if text.get_text() == "infinite"]
    names = [text.get_text() for text in change.get_yticklabels()]
    assert names[int(said.get_position()[1])] == "opt"
