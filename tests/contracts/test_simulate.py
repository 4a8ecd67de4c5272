"""Simulated tables: the scores follow the truth, and everything else is unchanged."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.data.scaling import sampling_of, with_standards
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, shipped_specs

FOR_SIZES = [name for name in shipped_specs() if "released" not in ls.load_spec(name).covariates]
"""Specs for tables with sizes and tokens, such as the bundled one; the others need dates."""

AS_TEMPLATE = ("family", "lineage", "instruct", "params", "tokens", "floor", "n_items")


@pytest.mark.parametrize("name", FOR_SIZES)
def test_any_spec_gives_a_table(name: str, bundled: Scores) -> None:
    before = bundled.dataset.copy(deep=True)
    simulation = ls.simulate(ls.load_spec(name), bundled, seed=4)
    xr.testing.assert_identical(bundled.dataset, before)
    assert (
        simulation.scores.models == bundled.models
        and simulation.scores.benchmarks == bundled.benchmarks
    )
    for variable in AS_TEMPLATE:
        xr.testing.assert_identical(simulation.scores.dataset[variable], bundled.dataset[variable])
    np.testing.assert_array_equal(
        np.isnan(simulation.scores.dataset["score"].values),
        np.isnan(bundled.dataset["score"].values),
    )
    assert simulation.scores.n_observed == bundled.n_observed
    values = simulation.scores.dataset["score"].values
    assert np.nanmin(values) >= 0 and np.nanmax(values) <= 1 and np.nanstd(values) > 0.05
    assert not any(str(n).endswith("_raw") for n in simulation.truth.data_vars)
    assert {"chain", "draw"}.isdisjoint(simulation.truth.dims)


def test_the_seed_decides(everything_spec: ModelSpec, small_scores: Scores) -> None:
    one, same, other = (ls.simulate(everything_spec, small_scores, seed=s) for s in (1, 1, 2))
    xr.testing.assert_identical(one.truth, same.truth)
    xr.testing.assert_identical(one.scores.dataset, same.scores.dataset)
    assert not np.allclose(one.truth["slope"], other.truth["slope"])


def test_scores_are_beta_round_what_the_truth_implies(known_spec: ModelSpec, known) -> None:
    """Probability integral transforms of scores under the truth, by hand, are uniform."""
    spec = known_spec.with_priors({"precision": {"dist": "LogNormal", "mu": 4, "sigma": 0.3}})
    simulation = ls.simulate(spec, known.scores, seed=12)
    t, data = simulation.truth, simulation.scores.dataset
    flops = np.log(6e21 * data["params"].values * data["tokens"].values)
    x = (flops - flops.mean()) / flops.std()
    family = [str(f) for f in data["family"].values]
    alpha = t["family_skill"].sel(family=family).transpose("family", "skill").values
    theta = alpha + x[:, None] * t["slope"].sel(covariate="log_flops").values
    loading = t["loading"].transpose("benchmark", "skill").values
    shift = data["instruct"].values[:, None] * t["instruct_shift"].values
    eta = t["intercept"].values + theta @ loading.T + shift
    floor = data["floor"].values
    mean = np.clip(floor + (1 - floor) / (1 + np.exp(-eta)), 1e-6, 1 - 1e-6)
    phi = t["precision"].values
    score = data["score"].transpose("model", "benchmark").values
    uniform = stats.beta(mean * phi, (1 - mean) * phi).cdf(score)
    inner = uniform[~np.isnan(uniform) & (mean > 1e-3) & (mean < 0.999)]
    assert len(inner) > 400
    assert stats.kstest(inner, "uniform").pvalue > 1e-3
    wrong = stats.beta(mean * phi / 3, (1 - mean) * phi / 3).cdf(score)
    assert stats.kstest(wrong[~np.isnan(wrong)], "uniform").pvalue < 1e-3


def test_a_built_model_can_be_calibrated_by_simuk(
    quick_spec, small_scores, light_compilation
) -> None:
    """Simulation-based calibration by another package, which only knows PyMC models."""
    simuk = pytest.importorskip("simuk", reason="simuk is in the dev extra")
    model = ls.build(quick_spec, small_scores.select(benchmarks=["alpha", "beta"]))
    kept = {"draws": 10, "tune": 10, "chains": 1, "cores": 1}
    calibration = simuk.SBC(
        model, num_simulations=2, sample_kwargs=kept, seed=1, progress_bar=False
    )
    calibration.run_simulations()
    ranks = calibration.simulations["prior_sbc"].to_dataset()
    assert set(ranks.data_vars) == {"intercept", "benchmark_slope", "precision"}
    for rank in ranks.data_vars.values():
        assert rank.sizes["draw"] == 2 and bool(((rank >= 0) & (rank <= 10)).all())


def test_standard_errors_amount_to_the_same_sampling_error_at_the_new_scores(
    quick_spec: ModelSpec, small_scores: Scores
) -> None:
    """For a fraction that is s^2 / (m (1 - m)), so s must change with the score m."""
    frame = small_scores.to_frame()
    rng = np.random.default_rng(5)
    frame["minutes"] = np.exp(rng.normal(2, 1.5, len(frame)))
    first = small_scores.benchmarks[0]
    errors = frame[["model"]].assign(minutes=0.2 * frame["minutes"])
    errors[first] = np.where(np.arange(len(frame)) % 2, 0.03, np.nan)
    info = {"minutes": ls.Benchmark(scale="positive")}
    template = Scores.from_frame(frame, benchmarks=info, stderr=errors)
    spec = quick_spec.with_({"benchmarks.likelihood": {"kind": "contaminated-beta"}})
    made = ls.simulate(spec, template, seed=3).scores.dataset
    wanted = sampling_of(with_standards(template.dataset))
    found = sampling_of(made)
    assert wanted is not None and found is not None and float(wanted.max()) > 0
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-9, atol=1e-12)
    xr.testing.assert_equal(made["stderr"].isnull(), template.dataset["stderr"].isnull())
