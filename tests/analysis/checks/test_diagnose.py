"""Diagnostics: a good fit passes; a bad one fails, with reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.checks.modes import find_modes
from latentscale.posterior.fit import Fit


def test_worst_figures_agree_with_arviz(known_fit: Fit) -> None:
    import arviz as az

    diagnosis = ls.diagnose(known_fit)
    names = [n for n in known_fit.posterior.data_vars if n not in ("skill_cholesky", "loading")]
    rhat = az.rhat(known_fit.posterior[names])
    ess = az.ess(known_fit.posterior[names], method="bulk")
    table = diagnosis.table().set_index("variable")
    for name in names:
        assert table.loc[name, "rhat"] == pytest.approx(float(rhat[name].max()), rel=1e-6)
        assert table.loc[name, "ess_bulk"] == pytest.approx(float(ess[name].min()), rel=1e-6)
    assert diagnosis.max_rhat == pytest.approx(table["rhat"].max())
    loading = table.loc["loading"]
    assert loading["elements"] == 12 - 4  # the anchors' loadings are fixed


def test_a_good_fit_passes(good_fit: Fit) -> None:
    diagnosis = ls.diagnose(good_fit)
    assert diagnosis.passed and good_fit.status.converged
    assert diagnosis.advice == () and diagnosis.divergences == 0
    assert diagnosis.max_rhat <= 1.01 and diagnosis.min_ess >= 400 and diagnosis.ebfmi > 0.3
    assert "passed" in str(diagnosis) and "NOT" not in str(diagnosis)


def test_too_few_draws_do_not_pass(good_fit: Fit, thinned) -> None:
    diagnosis = ls.diagnose(thinned(good_fit, 15))
    assert not diagnosis.passed and diagnosis.min_ess < 400
    assert any("effective sample size" in line for line in diagnosis.advice)
    assert "NOT passed" in str(diagnosis)


def test_chains_that_disagree_do_not_pass(good_fit: Fit) -> None:
    tree = good_fit.tree.copy(deep=True)
    moved = tree["posterior"]["intercept"].copy(deep=True)
    moved[0] += 10.0  # five standard deviations of the prior from which the draws come
    tree["posterior"] = tree["posterior"].to_dataset().assign(intercept=moved)
    diagnosis = ls.diagnose(replace(good_fit, tree=tree))
    assert not diagnosis.passed and diagnosis.max_rhat > 1.1
    worst = diagnosis.table().set_index("variable")["rhat"].idxmax()
    assert worst == "intercept"
    assert any("R-hat" in line for line in diagnosis.advice)


@pytest.fixture(scope="module")
def quiet(known_fit: Fit) -> Fit:
    """The fit with log densities that hardly vary: no cell has a high Pareto k."""
    shape = known_fit.tree["log_likelihood"]["score"].shape
    place = np.random.default_rng(5).permuted(
        np.broadcast_to(np.arange(shape[1])[:, None], shape), axis=1
    )
    values = (place / shape[1] - 0.5) * 0.2  # bounded weights, so the tail's shape is negative
    tree = known_fit.tree.copy(deep=True)
    density = tree["log_likelihood"]["score"].copy(data=values)
    tree["log_likelihood"] = density.to_dataset(name="score")
    return replace(known_fit, tree=tree)


def high_pareto_k(fit: Fit, cells: dict[int, np.ndarray]) -> int:
    """Return the count of a diagnosis with other log densities at some cells."""
    tree = fit.tree.copy(deep=True)
    density = tree["log_likelihood"]["score"].copy(deep=True)
    for cell, values in cells.items():
        density[..., cell] = values
    tree["log_likelihood"] = density.to_dataset(name="score")
    return ls.diagnose(replace(fit, tree=tree)).high_pareto_k


def test_an_outlier_is_counted_by_pareto_k(quiet: Fit) -> None:
    assert ls.diagnose(quiet).high_pareto_k == 0
    chains, draws, _ = quiet.tree["log_likelihood"]["score"].shape
    tail = (1 - (np.arange(chains * draws) + 0.5) / (chains * draws)) ** -1.25  # k = 1.25
    heavy = -np.log(np.random.default_rng(0).permutation(tail)).reshape(chains, draws)
    assert high_pareto_k(quiet, {0: heavy}) == 1


def test_odd_densities_are_counted_and_do_not_stop_a_diagnosis(quiet: Fit) -> None:
    """A density of 0, NaN, a tail with a single value; and a constant density."""
    shape = quiet.tree["log_likelihood"]["score"].shape[:2]
    some = np.zeros(shape)
    for odd in (-np.inf, np.nan):
        some[0, 3] = odd
        assert high_pareto_k(quiet, {0: some}) == 1
    two = (np.arange(np.prod(shape)).reshape(shape) % 2).astype(float)
    constant = np.zeros(shape)
    assert high_pareto_k(quiet, {0: two}) == 1
    assert high_pareto_k(quiet, {0: two, 1: two, 2: constant}) == 2
    all_but_one = {k: constant for k in range(quiet.scores.n_observed) if k != 0}
    assert high_pareto_k(quiet, all_but_one | {0: two}) == 1


def test_a_diagnosis_prints(known_fit: Fit) -> None:
    diagnosis = ls.diagnose(known_fit)
    assert "R-hat" in str(diagnosis) and "<table" in diagnosis._repr_html_()
    assert (diagnosis.table()["elements"] > 0).all()


def test_separate_modes_of_anchored_loadings_are_told(known_fit: Fit) -> None:
    tree = known_fit.tree.copy(deep=True)
    turned = tree["posterior"]["loading"].copy(deep=True)
    turned[0] = -turned[0]
    tree["posterior"] = tree["posterior"].to_dataset().assign(loading=turned)
    diagnosis = ls.diagnose(replace(known_fit, tree=tree))
    lines = [line for line in diagnosis.advice if "separate groups" in line]
    assert len(lines) == 1 and "2 separate groups" in lines[0] and "chain 1" in lines[0]
    assert not any("separate groups" in line for line in ls.diagnose(known_fit).advice)


def test_separate_modes_name_chains_as_with_chains_takes_them() -> None:
    """Keeping the chains of one mode keeps the chains that were named, also in a subset."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((3, 60, 2))
    values[2] += 12
    plain = xr.DataArray(values, dims=("chain", "draw", "x"))
    assert find_modes(plain)["chain 2"].tolist() == [0, 1]
    kept = plain.assign_coords(chain=[0, 1, 5])
    assert find_modes(kept)["chain 5"].tolist() == [0, 1]
