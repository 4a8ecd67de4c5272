"""Replicated scores enter a fit's tree by cell, in the order of the log likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.errors import FitError
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import Status


@pytest.fixture(scope="module")
def fit(quick_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(quick_spec, small_scores)


def test_cells_of_replicates_and_of_the_table_are_those_of_the_log_likelihood(fit: Fit) -> None:
    tree = ls.studies.with_posterior_predictive(fit, seed=1).tree
    made, seen = tree["posterior_predictive"]["score"], tree["observed_data"]["score"]
    assert made.dims == tree["log_likelihood"]["score"].dims == ("chain", "draw", "cell")
    assert seen.dims == ("cell",) and bool(made.notnull().all())
    table = fit.scores.dataset["score"]
    for place in range(seen.sizes["cell"]):
        labels = {n: str(seen[f"cell_{n}"].values[place]) for n in ("model", "benchmark")}
        assert float(seen[place]) == float(table.sel(labels))
    assert fit.tree["observed_data"]["score"].dims == ("model", "benchmark")


def test_replicates_scatter_around_the_expected_score_of_their_draw(fit: Fit) -> None:
    tree = ls.studies.with_posterior_predictive(fit, seed=1).tree
    made = tree["posterior_predictive"]["score"].values[0]
    rows = fit.scores.to_frame()[["model", "family", "params_b", "tokens_t"]]
    mean = ls.predict(fit, rows).mean_draws
    cells = [(fit.design.model_of_cell[k], fit.design.benchmark_of_cell[k]) for k in range(5)]
    for place, (model, benchmark) in enumerate(cells):
        expected = mean.values[:, model, benchmark]
        assert np.corrcoef(expected, made[:, place])[0, 1] > 0.8


def test_a_saved_fit_keeps_them(fit: Fit, tmp_path) -> None:
    made = ls.studies.with_posterior_predictive(fit, seed=1)
    again = ls.load(made.save(tmp_path / "fit.nc"))
    ours = made.tree["posterior_predictive"]["score"]
    np.testing.assert_array_equal(again.tree["posterior_predictive"]["score"].values, ours.values)


def test_a_point_estimate_is_refused(fit: Fit) -> None:
    point = replace(fit, status=Status(False, None, False, "a point"))
    with pytest.raises(FitError, match="point estimate"):
        ls.studies.with_posterior_predictive(point)
