"""The picture of an explanation shows the numbers in its tables."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.errors import DataError, FitError
from latentscale.plots import plot_explanation
from tests.plots.legend import labelled

ROWS = pd.DataFrame(
    {
        "model": ["fam00-big", "new $ 1"],
        "family": ["fam00", "new"],
        "params_b": [70.0, 8.0],
        "tokens_t": [15.0, 4.0],
        "instruct": [0, 0],
        "alpha": [np.nan, 0.4],
    }
)


@pytest.fixture(scope="module")
def explanation(known_spec, small_scores, prior_fit) -> ls.results.Explanation:
    fit = prior_fit(known_spec, small_scores, draws=80)
    few_shot = ls.FewShot(degenerate="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights of draws from the prior
        return ls.studies.explain(fit, ROWS, few_shot=few_shot, seed=1, progress=False)


def test_a_line_of_panels_for_each_forecast(explanation: ls.results.Explanation) -> None:
    figure = plot_explanation(explanation, models=["new $ 1"], benchmarks=["gamma", "beta"])
    assert len(figure.axes) == 6
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    line = ["variance", "given scores"]
    assert titles == ["new $ 1: gamma", *line, "new $ 1: beta", *line]
    parts, shares, pulls = figure.axes[3:]
    case = {"model": "new $ 1", "benchmark": "beta"}
    names = [text.get_text() for text in parts.get_yticklabels()]
    assert names == explanation.part_draws["part"].values.tolist()
    drawn = explanation.part_draws.sel(case)
    ends = np.array([s[:, 0] for s in labelled(parts, "90% interval").get_segments()])
    np.testing.assert_allclose(ends, drawn.quantile([0.05, 0.95], "sample").T)
    widths = [bar.get_width() for bar in shares.patches]
    np.testing.assert_allclose(widths, explanation.shares.sel(case))
    assert explanation.pulls is not None
    mine = explanation.pulls.sel(case)
    np.testing.assert_allclose([bar.get_width() for bar in pulls.patches], mine["pull"])
    errors = labelled(pulls, "two Monte Carlo standard errors").get_segments()
    half = [(s[1, 0] - s[0, 0]) / 2 for s in errors]
    np.testing.assert_allclose(half, 2 * mine["se"])
    assert "points" in pulls.get_xlabel()


def test_the_first_six_are_drawn_and_the_headline_says_so(
    explanation: ls.results.Explanation,
) -> None:
    figure = plot_explanation(replace(explanation, pulls=None))
    assert len(figure.axes) == 12
    assert "6 of 8 shown" in figure.get_suptitle()
    every = plot_explanation(
        explanation, models=ROWS["model"].tolist(), benchmarks=["alpha", "beta", "gamma", "delta"]
    )
    assert len(every.axes) == 24 and "shown" not in every.get_suptitle()


def test_wrong_objects_and_names_are_refused(explanation: ls.results.Explanation) -> None:
    with pytest.raises(FitError, match=r"latentscale\.studies\.explain"):
        plot_explanation(explanation.forecast)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="alfa"):
        plot_explanation(explanation, benchmarks=["alfa"])
