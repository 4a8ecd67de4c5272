"""Gibbs sampling's problem, from a table and a spec: scores on the link's scale, and priors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import Prior, spec_from_dict
from latentscale.inference.gibbs.problem import cells_of, problem_of
from latentscale.inference.gibbs.slices import prior_code
from latentscale.model.design import design
from tests.inference.gibbs_specs import gibbs_spec, without_floors


def test_scores_of_every_scale_are_standardised_and_higher_is_more_able() -> None:
    columns = {
        "share": [0.2, 0.6, 0.9],
        "error": [0.7, 0.4, 0.1],  # lower is better
        "elo": [1000.0, 1100.0, 1350.0],
        "minutes": [3.0, 40.0, 9.0],
        "dollars": [5.0, 0.5, 2.0],  # lower is better
    }
    frame = pd.DataFrame({"model": list("abc"), "family": "f", "params_b": [1.0, 2.0, 3.0]})
    info = {
        "error": ls.Benchmark(lower_is_better=True),
        "elo": ls.Benchmark(scale="real"),
        "minutes": ls.Benchmark(scale="positive"),
        "dollars": ls.Benchmark(scale="positive", lower_is_better=True),
    }
    scores = Scores.from_frame(frame.assign(**columns), benchmarks=info)
    spec = spec_from_dict({"name": "x", "covariates": ["log_params"], "skills": {"count": 1}})
    cells = cells_of(design(spec, scores))

    def standard(values: np.ndarray) -> np.ndarray:
        return np.asarray((values - values.mean()) / values.std())

    own = {name: np.array(values) for name, values in columns.items()}
    wanted = {
        "share": logit(own["share"]),
        "error": -logit(own["error"]),
        "elo": standard(own["elo"]),
        "minutes": standard(np.log(own["minutes"])),
        "dollars": -standard(np.log(own["dollars"])),
    }
    for place, name in enumerate(scores.benchmarks):
        mine = slice(cells.start[place], cells.start[place + 1])
        np.testing.assert_array_equal(cells.bench[mine], place)
        np.testing.assert_allclose(cells.y[mine], wanted[name][cells.model[mine]], err_msg=name)
    assert cells.start[-1] == len(cells.y) == 15


@pytest.fixture(scope="module")
def table(small_scores: Scores) -> Scores:
    return without_floors(small_scores)


def test_loadings_of_anchors_and_of_others_have_priors_of_their_own(table: Scores) -> None:
    """With families of unit variance an anchor's loading is positive, and no longer 1."""
    own, other = Prior("Gamma", alpha=3, beta=2), Prior("HalfNormal", sigma=0.4)
    spec = gibbs_spec("unit families").with_priors({"anchor_loading": own, "loading": other})
    plan = problem_of(spec, design(spec, table)).loading
    names = list(table.benchmarks)
    at = [names.index("alpha"), names.index("delta")]
    assert plan.anchors.tolist() == at and not plan.normal.any() and plan.prior is None
    for k, j in enumerate(at):
        np.testing.assert_array_equal(plan.codes[j, k], prior_code(own))
        assert plan.positive[j, k] and not plan.positive[j, 1 - k]
    free = [j for j in range(len(names)) if j not in at]
    assert plan.positive[free].all()
    np.testing.assert_array_equal(plan.codes[free], np.tile(prior_code(other), (2, 2, 1)))


def test_effects_are_taken_from_the_mean_over_families_covariate_by_covariate(
    table: Scores,
) -> None:
    spec = gibbs_spec("everything")
    problem = problem_of(spec, design(spec, table))
    families = len(problem.labels["family"])
    (block,) = (b for b in problem.column_blocks if b.effect.variable == "family_benchmark_slope")
    grid = np.arange(families * 2).reshape(families, 2) % 2
    assert list(block.levels) == ["family", "family_benchmark_slope_covariate"]
    np.testing.assert_array_equal(block.mean_of, grid.ravel())
    groups = problem.mean_of[block.first : block.last]
    others = np.delete(problem.mean_of, np.arange(block.first, block.last))
    assert set(groups) >= {*range(groups.min(), groups.min() + 2)} and len(set(groups)) == 2
    assert not set(groups) & set(others[others >= 0])  # numbered separately from the others
