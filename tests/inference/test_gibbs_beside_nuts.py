"""Gibbs sampling compared with NUTS on the same posterior, and its calibration over the prior."""

from __future__ import annotations

import arviz_stats as azs
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from benchmarks.gibbs import run as study
from benchmarks.sbc.uniformity import uniformity
from latentscale.data.scores import Scores
from latentscale.posterior.fit import Fit
from tests.inference.gibbs_specs import gibbs_spec, without_floors

ERRORS = 5.0
"""Most standard errors between two right answers: 1 in 2 million exceeds it, of some hundreds."""


def differences(ours: Fit, theirs: Fit) -> xr.Dataset:
    """Return differences of means and of standard deviations in Monte Carlo standard errors."""
    left, right = study.compared(ours), study.compared(theirs)
    over = ("chain", "draw")
    gaps = {}
    for what, one in (("mean", xr.Dataset.mean), ("sd", xr.Dataset.std)):
        error = (azs.mcse(left, method=what) ** 2 + azs.mcse(right, method=what) ** 2) ** 0.5
        gap = (one(left, over) - one(right, over)) / error.where(error > 0)
        gaps |= {f"{what} of {name}": gap[name] for name in gap.data_vars}
    return xr.Dataset(gaps)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lineages", "pooled", "noise by model"])
def test_posteriors_agree_within_monte_carlo_error(name: str, known) -> None:
    table = without_floors(known.scores.select(models=known.scores.models[:40]))
    spec = gibbs_spec(name)
    gibbs = ls.methods.Gibbs(draws=4000, tune=1000, chains=2)
    ours = ls.fit(spec, table, method=gibbs, seed=1, progress=False)
    nuts = ls.NUTS(draws=1000, tune=600, chains=2, target_accept=0.95)
    theirs = ls.fit(spec, table, method=nuts, seed=1, progress=False)
    gap = differences(ours, theirs)
    assert max(float(abs(gap[n]).max()) for n in gap.data_vars) < ERRORS


@pytest.mark.slow
def test_ranks_of_true_values_are_uniform(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    study.run_sbc(60)
    ranks = pd.read_csv(tmp_path / "sbc.csv")
    assert len(ranks) == 60
    test_of_ranks = uniformity(ranks, study.RANKED, 1)
    assert test_of_ranks["p_holm"].min() > 0.001


def test_a_table_without_floors_keeps_everything_else(known) -> None:
    scores: Scores = known.scores
    table = study.without_floors(scores)
    assert float(abs(table.dataset["floor"]).max()) == 0
    xr.testing.assert_equal(table.dataset["score"], scores.dataset["score"])
