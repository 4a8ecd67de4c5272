"""Diagnostics: a good fit passes, a bad one does not and says why."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import latentscale as ls
from latentscale.posterior.fit import Fit


def test_worst_figures_agree_with_arviz(known_fit: Fit) -> None:
    import arviz as az

    found = ls.diagnose(known_fit)
    names = [n for n in known_fit.posterior.data_vars if n not in ("skill_cholesky", "loading")]
    rhat = az.rhat(known_fit.posterior[names])
    ess = az.ess(known_fit.posterior[names], method="bulk")
    table = found.table.set_index("variable")
    for name in names:
        assert table.loc[name, "rhat"] == pytest.approx(float(rhat[name].max()), rel=1e-6)
        assert table.loc[name, "ess_bulk"] == pytest.approx(float(ess[name].min()), rel=1e-6)
    assert found.max_rhat == pytest.approx(table["rhat"].max())
    assert found.max_rhat < 1.05
    loading = table.loc["loading"]
    assert loading["elements"] == 12 - 4  # the anchors' loadings are fixed


def test_a_good_fit_passes(good_fit: Fit) -> None:
    found = ls.diagnose(good_fit)
    assert found.passed and good_fit.status.converged
    assert found.advice == () and found.divergences == 0
    assert found.max_rhat <= 1.01 and found.min_ess >= 400 and found.ebfmi > 0.3
    assert "passed" in str(found) and "NOT" not in str(found)


def test_too_few_draws_do_not_pass(good_fit: Fit, thinned) -> None:
    found = ls.diagnose(thinned(good_fit, 15))
    assert not found.passed and found.min_ess < 400
    assert any("effective sample size" in line for line in found.advice)
    assert "NOT passed" in str(found)


def test_chains_that_disagree_do_not_pass(good_fit: Fit) -> None:
    from dataclasses import replace

    tree = good_fit.tree.copy(deep=True)
    moved = tree["posterior"]["intercept"].copy(deep=True)
    moved[0] += 1.0
    tree["posterior"] = tree["posterior"].to_dataset().assign(intercept=moved)
    found = ls.diagnose(replace(good_fit, tree=tree))
    assert not found.passed and found.max_rhat > 1.1
    worst = found.table.set_index("variable")["rhat"].idxmax()
    assert worst == "intercept"
    assert any("R-hat" in line for line in found.advice)


def high_pareto_k(fit: Fit, cells: dict[int, np.ndarray]) -> int:
    """Return the count of a diagnosis with other log densities at some cells."""
    from dataclasses import replace

    tree = fit.tree.copy(deep=True)
    density = tree["log_likelihood"]["score"].copy(deep=True)
    for cell, values in cells.items():
        density[..., cell] = values
    tree["log_likelihood"] = density.to_dataset(name="score")
    return ls.diagnose(replace(fit, tree=tree)).high_pareto_k


@pytest.fixture(scope="module")
def calm(known_fit: Fit) -> list[int]:
    """Three cells that are not counted: one with a constant density never is."""
    density = known_fit.tree["log_likelihood"]["score"]
    constant = np.zeros(density.shape[:2])
    before = ls.diagnose(known_fit).high_pareto_k
    places = range(density.shape[2])
    found = (k for k in places if high_pareto_k(known_fit, {k: constant}) == before)
    return list(itertools.islice(found, 3))


def test_an_outlier_is_counted_by_pareto_k(known_fit: Fit, calm: list[int]) -> None:
    before = ls.diagnose(known_fit).high_pareto_k
    assert 0 <= before < 0.1 * known_fit.scores.n_observed
    shape = known_fit.tree["log_likelihood"]["score"].shape[:2]
    heavy = -np.log1p(np.random.default_rng(0).pareto(0.8, shape))
    assert high_pareto_k(known_fit, {calm[0]: heavy}) == before + 1


def test_odd_densities_are_counted_and_do_not_stop_a_diagnosis(
    known_fit: Fit, calm: list[int]
) -> None:
    """A density of 0, one that is no number, a tail of one value; and one that is constant."""
    before = ls.diagnose(known_fit).high_pareto_k
    first, second, third = calm
    shape = known_fit.tree["log_likelihood"]["score"].shape[:2]
    some = np.zeros(shape)
    for odd in (-np.inf, np.nan):
        some[0, 3] = odd
        assert high_pareto_k(known_fit, {first: some}) == before + 1
    two = (np.arange(np.prod(shape)).reshape(shape) % 2).astype(float)
    constant = np.zeros(shape)
    assert high_pareto_k(known_fit, {first: two}) == before + 1
    assert high_pareto_k(known_fit, {first: two, second: two, third: constant}) == before + 2
    all_but_one = {k: constant for k in range(known_fit.scores.n_observed) if k != first}
    assert high_pareto_k(known_fit, all_but_one | {first: two}) == 1


def test_a_diagnosis_prints(known_fit: Fit) -> None:
    found = ls.diagnose(known_fit)
    assert "R-hat" in str(found) and "<table" in found._repr_html_()
    assert (found.table["elements"] > 0).all()


def test_separate_modes_of_anchored_loadings_are_told(known_fit: Fit) -> None:
    from dataclasses import replace

    tree = known_fit.tree.copy(deep=True)
    turned = tree["posterior"]["loading"].copy(deep=True)
    turned[0] = -turned[0]
    tree["posterior"] = tree["posterior"].to_dataset().assign(loading=turned)
    found = ls.diagnose(replace(known_fit, tree=tree))
    told = [line for line in found.advice if "separate groups" in line]
    assert len(told) == 1 and "2 separate groups" in told[0] and "chain 1" in told[0]
    assert not any("separate groups" in line for line in ls.diagnose(known_fit).advice)
