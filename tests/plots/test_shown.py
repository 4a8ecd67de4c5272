"""Figures are shown once by pyplot and by notebooks, and can be drawn on a caller's axes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.axes import Axes

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.errors import LatentscaleError
from latentscale.plots import style
from latentscale.plots.style import apart_from_pyplot
from latentscale.posterior.fit import Fit
from latentscale.results import Curve, Forecast


@pytest.fixture(scope="module")
def fit(quick_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(quick_spec, small_scores)


@pytest.fixture(scope="module")
def curve(fit: Fit) -> Curve:
    return ls.scaling_curve(fit, family=fit.scores.families[0], points=4, seed=1)


@pytest.fixture(scope="module")
def forecast(fit: Fit) -> Forecast:
    rows = fit.scores.to_frame()[["model", "family", "params_b", "tokens_t"]].head(2)
    return ls.predict(fit, rows, seed=1)


@pytest.fixture
def plt() -> Iterator[object]:
    mpl.use("agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")


def test_pyplot_has_a_figure_until_a_notebook_has_shown_it(plt, curve: Curve) -> None:
    figure = curve.plot()
    assert [plt.figure(number) for number in plt.get_fignums()] == [figure]
    shell = InteractiveShell.instance()
    with capture_output() as shown:
        shell.display_formatter.format(figure)
    assert [list(output.data) for output in shown.outputs] == [["image/png", "text/plain"]]
    assert plt.get_fignums() == []


def test_settings_that_come_with_the_first_figure_stay(
    plt, curve: Curve, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = plt.figure

    def as_a_notebook_does(**settings: object) -> object:
        mpl.rcParams["interactive"] = True
        return make(**settings)

    monkeypatch.setitem(mpl.rcParams, "interactive", False)
    monkeypatch.setattr(plt, "figure", as_a_notebook_does)
    curve.plot()
    assert mpl.rcParams["interactive"]


def test_without_pyplot_a_figure_is_the_caller_s_alone(
    curve: Curve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    assert curve.plot().canvas.manager is None


def test_a_report_leaves_nothing_to_show(plt, fit: Fit, tmp_path) -> None:
    ls.report(fit, tmp_path / "report.html", progress=False)
    with apart_from_pyplot():
        ls.studies.prior_predictive(fit.spec, fit.scores, draws=30, seed=1).plot()
    assert plt.get_fignums() == []


def test_pyplot_keeps_the_last_figures(plt, curve: Curve) -> None:
    figures = [curve.plot() for _ in range(style._MOST_OPEN + 2)]
    assert [plt.figure(number) for number in plt.get_fignums()] == figures[2:]


def test_a_plot_is_drawn_on_the_axes_given(plt, curve: Curve, fit: Fit) -> None:
    figure, axes = plt.subplots(2, 2)
    assert curve.plot(ax=axes) is figure
    assert [panel.get_title(loc="left") for panel in axes.ravel()] == list(fit.scores.benchmarks)
    assert all(panel.lines for panel in axes.ravel()) and axes[1, 1].get_legend() is not None
    assert figure.get_suptitle() == ""


def test_a_plot_of_one_panel_writes_its_headline_over_the_axes(plt, fit: Fit) -> None:
    figure, axes = plt.subplots(1, 2)
    assert ls.plots.plot_leave_one_out(ls.leave_one_out(fit, seed=1), ax=axes[1]) is figure
    assert "Calibration" in axes[1].get_title(loc="left") and not axes[0].patches


def test_axes_that_do_not_fit_are_refused(plt, forecast: Forecast) -> None:
    one, other = plt.subplots()[1], plt.subplots()[1]
    with pytest.raises(LatentscaleError, match="4 panels, but ax has 1"):
        forecast.plot(ax=one)
    with pytest.raises(LatentscaleError, match="several figures"):
        forecast.plot(ax=[one, other, one, other])
    with pytest.raises(LatentscaleError, match="matplotlib Axes"):
        forecast.plot(ax="left")


@pytest.mark.parametrize("name", ls.plots.__all__)
def test_every_plot_takes_axes(name: str) -> None:
    function = getattr(ls.plots, name)
    assert inspect.signature(function).parameters["ax"].default is None
    assert "\nax\n" in (inspect.getdoc(function) or "")


def _rows(panel: Axes) -> tuple[bool, list[str]]:
    """Return whether rows run downwards, and their names."""
    bottom, top = panel.get_ylim()
    return bottom > top, [text.get_text() for text in panel.get_yticklabels()]


def test_rows_are_the_same_on_every_axes_given(plt, fit: Fit) -> None:
    replicated = ls.studies.posterior_predictive(fit, seed=1)
    axes = plt.subplots(1, 4)[1]
    replicated.plot(ax=axes)
    names = list(fit.scores.benchmarks)
    assert [_rows(panel) for panel in axes] == [(True, names)] * 4
    comparison = ls.compare({"one": fit, "other": fit})
    axes = plt.subplots(1, 2)[1]
    comparison.plot(ax=axes)
    assert [_rows(panel) for panel in axes] == [(True, list(comparison.rows["name"]))] * 2
    influence = ls.studies.family_influence(fit, variables=["intercept"], progress=False)
    axes = plt.subplots(1, 2)[1]
    influence.plot(ax=axes)
    assert [_rows(panel) for panel in axes] == [(True, list(influence.families["family"]))] * 2


def test_coverage_names_the_rows_of_every_axes_given(plt) -> None:
    rng = np.random.default_rng(1)
    rows = [(f"f{k % 4}", name) for k in range(20) for name in ("quiz", "code")]
    table = pd.DataFrame(rows, columns=["family", "benchmark"]).assign(pit=rng.random(len(rows)))
    axes = plt.subplots(1, 2)[1]
    ls.plots.plot_coverage(table, resamples=50, ax=axes)
    assert [_rows(panel) for panel in axes] == [(True, ["quiz (20)", "code (20)"])] * 2
