"""A model with shared scores is the model that `build` makes of those scores."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from refit import OBSERVED, as_fit, share_scores, thin, with_scores

import latentscale as ls
from latentscale.model.build import build_design
from latentscale.model.design import design


def shared(model):
    """Return the model's one shared array."""
    value = model.rvs_to_values[model.observed_RVs[0]]
    return next(v for v in value.owner.inputs if v.name == OBSERVED)


def test_new_scores_give_the_density_of_a_model_built_on_them(
    known_spec, small_scores, light_compilation
) -> None:
    made = design(known_spec, small_scores)
    other = np.random.default_rng(2).uniform(0.3, 0.7, len(made.score_of_cell))
    model = share_scores(build_design(known_spec, made))
    density = model.compile_logp()
    point = model.initial_point()
    before = float(density(point))
    shared(model).set_value(other)
    built = build_design(known_spec, with_scores(made, other))
    assert float(density(point)) == pytest.approx(float(built.compile_logp()(point)), rel=1e-10)
    assert abs(float(density(point)) - before) > 1


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
