"""Designs with replaced scores, draws wrapped as fits, and thinned draws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from benchmarks.common.refit import as_fit, leading_chains, thin, with_scores
from latentscale.model.design import design


def test_with_scores_puts_every_score_in_its_cell(known_spec, small_scores) -> None:
    made = design(known_spec, small_scores)
    before = made.score_of_cell.copy()
    new = with_scores(made, before / 2)
    cells = new.scores.dataset["score"].values[made.model_of_cell, made.benchmark_of_cell]
    assert np.array_equal(cells, before / 2) and np.array_equal(made.score_of_cell, before)
    assert new.scores.n_observed == made.scores.n_observed
    assert np.array_equal(design(known_spec, new.scores).score_of_cell, before / 2)


def test_as_fit_predicts(known_spec, small_scores, prior_fit) -> None:
    ready = prior_fit(known_spec, small_scores)
    fit = as_fit(known_spec, ready.design, ready.posterior, seed=1)
    rows = small_scores.to_frame().drop(columns=list(small_scores.benchmarks))
    xr.testing.assert_allclose(
        ls.predict(fit, rows, seed=4).mean_draws, ls.predict(ready, rows, seed=4).mean_draws
    )


def test_thinning_spreads_over_chains() -> None:
    values = np.arange(20.0).reshape(2, 10)
    table = xr.Dataset({"a": (("chain", "draw"), values)})
    kept = thin(table, 4)
    assert kept.sizes == {"chain": 1, "draw": 4}
    assert kept["a"].values[0].tolist() == [2.0, 7.0, 12.0, 17.0]
    with pytest.raises(ValueError, match="21 draws asked for"):
        thin(table, 21)


def test_a_chain_in_a_negligible_mode_is_dropped() -> None:
    rng = np.random.default_rng(1)
    level = np.array([[300.0], [305.0], [340.0]])
    energy = xr.DataArray(level + rng.normal(0, 8, (3, 400)), dims=("chain", "draw"))
    assert leading_chains(energy).tolist() == [0, 1]
