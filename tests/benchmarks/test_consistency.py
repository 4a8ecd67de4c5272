"""The simulated truth, the comparison and the rate of the consistency study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

import latentscale as ls
from benchmarks.common.refit import as_fit, with_scores
from benchmarks.consistency import run as consistency
from benchmarks.consistency.report import SHRINKING, coverage, normality, rate
from latentscale.model.design import Design, design

FAMILIES = 20


@pytest.fixture(scope="module")
def made() -> tuple[Design, pd.DataFrame]:
    """The smallest design, and its rows to forecast."""
    spec = consistency.consistency_spec()
    fitted, planned = consistency.rows(FAMILIES)
    return design(spec, consistency.template(fitted)), planned


def truth_as_posterior(table: Design, draws: int = 4) -> xr.Dataset:
    """Return a posterior in which every draw is the truth, with families at level 0."""
    coords = {
        "benchmark": list(consistency.BENCHMARKS),
        "skill": list(consistency.ANCHORS),
        "covariate": list(consistency.COVARIATES),
        "family": list(table.families),
    }
    other = consistency.CORRELATION
    values = {
        "loading": (("benchmark", "skill"), consistency.LOADING),
        "intercept": (("benchmark",), consistency.INTERCEPT),
        "slope": (("covariate", "skill"), consistency.SLOPE),
        "family_scale": (("skill",), consistency.SCALE),
        "precision": (("benchmark",), consistency.PRECISION),
        "family_skill": (("family", "skill"), np.zeros((FAMILIES, 2))),
        "skill_cholesky": (
            ("skill", "skill_factor"),
            np.array([[1.0, 0.0], [other, np.sqrt(1 - other**2)]]),
        ),
    }
    return xr.Dataset(values, coords=coords).expand_dims(chain=1, draw=draws)


def test_the_package_finds_the_truth_in_the_truth(made) -> None:
    """From draws equal to the truth, `found` returns the truth, curve included."""
    table, _ = made
    half = np.full(len(table.score_of_cell), 0.5)
    posterior = truth_as_posterior(table)
    fit = as_fit(consistency.consistency_spec(), with_scores(table, half), posterior, seed=1)
    estimates = consistency.found(consistency.consistency_spec(), fit)
    eta = (
        consistency.INTERCEPT
        + (consistency.GRID[:, None] * consistency.SLOPE.sum(axis=0)) @ consistency.LOADING.T
    )
    floor = np.array([0.25, 0.0, 0.25, 0.0, 0.25, 0.1])
    expected = {
        "loadings": consistency.LOADING[2:],
        "slopes": consistency.SLOPE,
        "family scales": consistency.SCALE,
        "skill correlation": [consistency.CORRELATION],
        "log precisions": np.log(consistency.PRECISION),
        "curve of the average family": floor + (1 - floor) * expit(eta),
    }
    assert set(estimates) == set(expected) == set(SHRINKING)
    for name, value in expected.items():
        assert estimates[name][2] == pytest.approx(np.asarray(value)), name


def test_simulated_scores_have_the_moments_of_the_truth(made) -> None:
    table, planned = made
    tables = [consistency.simulate(table, planned, seed) for seed in range(150)]
    new = np.array([t.new_scores - t.new_means for t in tables])
    spread = np.array([t.new_means * (1 - t.new_means) for t in tables]) / (
        1 + consistency.PRECISION
    )
    assert new.mean(axis=(0, 1)) == pytest.approx(0, abs=0.003)
    assert new.var(axis=(0, 1)) == pytest.approx(spread.mean(axis=(0, 1)), rel=0.08)
    assert not np.array_equal(tables[0].score_of_cell, tables[1].score_of_cell)
    again = consistency.simulate(table, planned, 0)
    assert np.array_equal(tables[0].score_of_cell, again.score_of_cell)


def test_the_forecast_of_the_truth_covers_new_members(made) -> None:
    """The package, given the truth's parameters, forecasts new families at their true spread."""
    table, planned = made
    half = np.full(len(table.score_of_cell), 0.5)
    posterior = truth_as_posterior(table, draws=300)
    fit = as_fit(consistency.consistency_spec(), with_scores(table, half), posterior, seed=1)
    fresh = planned.iloc[consistency.NEW :]
    draws = ls.predict(fit, fresh, seed=2).draws.sel(model=list(fresh["model"]))
    draws = draws.transpose("sample", "model", "benchmark").values
    inside = []
    for seed in range(20):
        truth = consistency.simulate(table, planned, seed).new_scores[consistency.NEW :]
        inside.append(consistency.compare("new", truth, draws)["covered_90"] / truth.size)
    assert np.mean(inside) == pytest.approx(0.9, abs=0.035)


def test_compare_by_hand() -> None:
    draws = np.array([[0.0, 10.0], [1.0, 11.0], [2.0, 12.0], [3.0, 13.0], [4.0, 14.0]])
    row = consistency.compare("q", np.array([2.0, 9.0]), draws)
    assert row["elements"] == 2 and row["covered_50"] == row["covered_90"] == 1
    assert row["squared_error"] == pytest.approx(9.0)
    assert row["z"] == pytest.approx(3 / np.sqrt(2.5))
    assert row["z_squared"] == pytest.approx(9 / 2.5)


def test_the_rate_of_known_errors() -> None:
    families = np.repeat([20, 40, 80, 160, 320], 10)
    noise = np.exp(np.random.default_rng(4).normal(0, 0.2, 50))
    slope, error = rate(families, 3 / np.sqrt(families) * noise)
    assert abs(slope + 0.5) < 3 * error and 0.01 < error < 0.06
    slope, error = rate(families, noise)
    assert abs(slope) < 3 * error


def test_tables_of_the_report() -> None:
    rng = np.random.default_rng(6)
    rows = []
    for families in (20, 40):
        for number in range(30):
            z = rng.standard_normal(8)
            row = consistency.compare("slopes", z, rng.standard_normal((400, 8)))
            rows.append({"families": families, "replication": number, **row})
    table = pd.DataFrame(rows)
    held = coverage(table, 90)["20"][0].split(" ± ")
    assert abs(float(held[0]) - 90) < 6 and held[1].startswith("2 /")
    sd = normality(table)["40"][0].split(" ± ")
    assert abs(float(sd[0]) - 1) < 4 * float(sd[1]) + 0.01
