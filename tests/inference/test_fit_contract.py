"""What every fit guarantees: groups, named dims, status, provenance, unchanged inputs."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.posterior.fit import Fit

GROUPS = {
    "posterior",
    "sample_stats",
    "log_likelihood",
    "log_prior",
    "observed_data",
    "constant_data",
}
DIMS: dict[str, tuple[str, ...]] = {
    "intercept": ("benchmark",),
    "precision": ("benchmark",),
    "instruct_shift": ("benchmark",),
    "loading": ("benchmark", "skill"),
    "slope": ("covariate", "skill"),
    "family_skill": ("family", "skill"),
    "family_scale": ("skill",),
    "lineage_skill": ("lineage", "skill"),
    "lineage_share": (),
    "model_skill": ("model", "skill"),
}
"""Dims after chain and draw, in this order for every method."""


def test_the_tree_has_arvizs_groups(known_fit: Fit) -> None:
    assert set(known_fit.tree.children) == GROUPS


@pytest.mark.parametrize("name", DIMS)
def test_a_parameter_has_named_dims(known_fit: Fit, name: str) -> None:
    variable = known_fit.posterior[name]
    assert variable.dims == ("chain", "draw", *DIMS[name])
    assert variable.sizes["chain"] == 2 and np.isfinite(variable.values).all()


def test_the_coordinates_are_names(known_fit: Fit, known) -> None:
    posterior = known_fit.posterior
    assert tuple(posterior["benchmark"].values) == known.scores.benchmarks
    assert tuple(posterior["family"].values) == known.scores.families
    assert tuple(posterior["model"].values) == known.scores.models
    assert tuple(posterior["skill"].values) == ("alpha", "delta")
    assert tuple(posterior["covariate"].values) == ("log_flops",)


def test_nothing_raw_is_left_in_the_posterior(known_fit: Fit) -> None:
    assert not [n for n in known_fit.posterior.data_vars if str(n).endswith("_raw")]


def test_the_statistics_have_arvizs_names(known_fit: Fit) -> None:
    stats = known_fit.tree["sample_stats"].to_dataset()
    for name in ("diverging", "energy", "tree_depth", "step_size", "acceptance_rate", "n_steps"):
        assert stats[name].dims == ("chain", "draw")
    assert stats["energy"].dtype.kind == "f" and float(stats["energy"].std()) > 0
    assert 0.5 < float(stats["acceptance_rate"].mean()) <= 1


def test_the_likelihood_names_its_cells(known_fit: Fit, known) -> None:
    by_cell = known_fit.tree["log_likelihood"]["score"]
    assert by_cell.dims == ("chain", "draw", "cell")
    assert by_cell.sizes["cell"] == known.scores.n_observed
    observed = known_fit.tree["observed_data"]["score"]
    models, benchmarks = by_cell["cell_model"].values, by_cell["cell_benchmark"].values
    assert not np.isnan(observed.sel(model="fam00-m0")).all()
    for model, benchmark in list(zip(models, benchmarks, strict=True))[::37]:
        assert np.isfinite(float(observed.sel(model=model, benchmark=benchmark)))
    assert len(set(zip(models, benchmarks, strict=True))) == len(models)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_arviz_reads_the_tree(known_fit: Fit) -> None:
    import arviz as az

    table = az.summary(known_fit.tree, var_names=["slope"], round_to="none")
    assert float(table["mean"].iloc[0]) == pytest.approx(
        float(known_fit.posterior["slope"].isel(skill=0).mean()), rel=1e-3
    )
    assert np.isfinite(az.loo(known_fit.tree, var_name="score").elpd)


def test_the_log_prior_is_the_specs(known_fit: Fit) -> None:
    prior = known_fit.tree["log_prior"].to_dataset()
    for name in ("slope", "intercept", "precision", "family_scale", "lineage_share"):
        values = known_fit.posterior[name]
        wanted = known_fit.spec.prior(name).log_density(values.values)
        np.testing.assert_allclose(prior[name].transpose(*values.dims).values, wanted)


def test_constant_data_say_what_the_model_saw(known_fit: Fit, known) -> None:
    constants = known_fit.tree["constant_data"].to_dataset()
    np.testing.assert_allclose(constants["params"], known.frame["params_b"])
    flops = np.log(6e21 * known.frame["params_b"] * known.frame["tokens_t"])
    wanted = (flops - flops.mean()) / flops.std(ddof=0)
    np.testing.assert_allclose(constants["x"].sel(covariate="log_flops"), wanted, rtol=1e-9)
    assert list(constants["model_family"].values) == list(known.frame["family"])
    lineage = dict(zip(known.frame["family"], known.frame["lineage"], strict=True))
    assert [lineage[f] for f in constants["family"].values] == list(
        constants["family_lineage"].values
    )


def test_status_and_provenance_record_the_run(known_fit: Fit) -> None:
    assert known_fit.is_posterior and not known_fit.status.interrupted
    assert known_fit.status.converged in (True, False)
    assert bool(known_fit.status.advice) is not known_fit.status.converged
    record = known_fit.provenance
    assert record.method == "NUTS" and record.seed == 3
    assert record.settings["chains"] == 2 and record.settings["backend"] == "nutpie"
    assert record.settings["target_accept"] == 0.8
    assert all(seconds > 0 for seconds in record.seconds.values()) and record.seconds
    for library in ("latentscale", "python", "pymc", "nutpie", "numpy", "xarray"):
        assert record.versions[library][0].isdigit()


def test_a_fit_is_frozen_and_prints(known_fit: Fit) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        known_fit.spec = None  # type: ignore[misc, assignment]
    shown = repr(known_fit)
    for part in ("known", known_fit.spec.digest, "104 models", "NUTS", "2 chains", "R-hat"):
        assert part in shown


def test_samples_join_the_chains_in_order(known_fit: Fit) -> None:
    samples, posterior = known_fit.samples, known_fit.posterior
    draws = posterior.sizes["draw"]
    assert samples.sizes["sample"] == 2 * draws
    joined = samples["precision"].sel(benchmark="beta").values
    apart = posterior["precision"].sel(benchmark="beta").transpose("chain", "draw").values
    np.testing.assert_array_equal(joined, apart.ravel())


def test_the_same_seed_gives_the_same_draws(quick_fits) -> None:
    one, same, other = quick_fits(seed=1), quick_fits(seed=1, again=1), quick_fits(seed=2)
    assert one is not same
    xr.testing.assert_identical(one.posterior, same.posterior)
    xr.testing.assert_identical(
        one.tree["sample_stats"].to_dataset(), same.tree["sample_stats"].to_dataset()
    )
    assert not np.array_equal(one.posterior["intercept"], other.posterior["intercept"])


def test_chains_differ_from_each_other(quick_fits) -> None:
    draws = quick_fits(seed=1).posterior["intercept"]
    assert not np.array_equal(draws.isel(chain=0), draws.isel(chain=1))


def test_pymcs_sampler_gives_the_same_kind_of_fit(quick_fits) -> None:
    theirs, ours = quick_fits(backend="pymc"), quick_fits()
    assert theirs.provenance.settings["backend"] == "pymc"
    assert set(theirs.tree.children) == set(ours.tree.children)
    assert set(theirs.posterior.data_vars) == set(ours.posterior.data_vars)
    for name in ours.posterior.data_vars:
        assert set(theirs.posterior[name].dims) == set(ours.posterior[name].dims)
    assert set(theirs.tree["sample_stats"].data_vars) == set(ours.tree["sample_stats"].data_vars)
    assert not theirs.status.interrupted
    gap = abs(theirs.posterior["intercept"].mean() - ours.posterior["intercept"].mean())
    assert float(gap) < 3 * float(ours.posterior["intercept"].std())


METHODS = ["Laplace", "Pathfinder", "ADVI", "ADVI full-rank"]


def same_kind(fit: Fit, ours: Fit) -> None:
    """Every method gives the same groups, parameters, dims, names and cells."""
    assert set(fit.tree.children) == GROUPS
    assert set(fit.posterior.data_vars) == set(ours.posterior.data_vars)
    for name in ours.posterior.data_vars:
        assert fit.posterior[name].dims == ours.posterior[name].dims
        assert np.isfinite(fit.posterior[name].values).all()
    for name in ("benchmark", "benchmark_slope_covariate"):
        assert list(fit.posterior[name].values) == list(ours.posterior[name].values)
    theirs = fit.tree["log_likelihood"]["score"]
    assert theirs.sizes["cell"] == ours.scores.n_observed and np.isfinite(theirs).all()
    assert set(fit.tree["log_prior"].data_vars) == set(ours.tree["log_prior"].data_vars)


@pytest.mark.parametrize("name", METHODS)
def test_an_approximation_gives_the_same_kind_of_fit(name, approximate, quick_fits) -> None:
    fit = approximate(name)
    same_kind(fit, quick_fits())
    assert fit.posterior.sizes["chain"] == 1 and fit.posterior.sizes["draw"] == 100
    stats = fit.tree["sample_stats"].to_dataset()
    assert set(stats.data_vars) == {"lp", "log_q", "log_weight"}
    assert float(np.exp(stats["log_weight"]).sum()) == pytest.approx(1.0)
    wanted = fit.tree["log_likelihood"]["score"].sum("cell")
    wanted = wanted + sum(
        v.sum([d for d in v.dims if d not in ("chain", "draw")])
        for v in fit.tree["log_prior"].to_dataset().values()
    )
    jacobian = np.log(fit.posterior["precision"]).sum("benchmark")
    np.testing.assert_allclose(stats["lp"], wanted + jacobian, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_an_approximation_says_what_it_is_worth(name, approximate) -> None:
    status = approximate(name).status
    assert status.is_posterior and not status.interrupted and status.good_for
    assert status.pareto_k is not None and np.isfinite(status.pareto_k)
    assert f"Pareto k {status.pareto_k:.2f}" in status.message
    assert bool(status.advice) is not status.converged
    assert (status.pareto_k <= 0.7) or not status.converged
    assert "good for" in repr(approximate(name))
    if name.startswith("ADVI"):
        assert "ELBO" in status.message and "learning rate" in status.message


@pytest.mark.parametrize("name", METHODS)
def test_an_approximation_is_near_the_posterior(name, approximate, quick_fits) -> None:
    ours, theirs = quick_fits().posterior, approximate(name).posterior
    for variable in ("intercept", "benchmark_slope"):
        spread = ours[variable].std(("chain", "draw"))
        gap = theirs[variable].mean(("chain", "draw")) - ours[variable].mean(("chain", "draw"))
        assert float(abs(gap / spread).max()) < 1.5


@pytest.mark.parametrize("name", METHODS)
def test_an_approximation_is_saved_used_and_diagnosed(name, approximate, tmp_path) -> None:
    fit = approximate(name)
    back = ls.load(fit.save(tmp_path / "fit.nc"))
    assert back.status == fit.status and back.provenance == fit.provenance
    xr.testing.assert_equal(back.posterior, fit.posterior)
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    table = ls.predict(back, rows, seed=2).table()
    assert np.isfinite(table[["mean", "lower", "upper"]]).all().all()
    diagnosis = ls.diagnose(back)
    assert diagnosis.passed is bool(fit.status.converged)
    assert not any("chains" in line for line in diagnosis.advice)


@pytest.mark.parametrize("name", ["Pathfinder", "ADVI"])
def test_the_same_seed_gives_the_same_approximation(name, approximate) -> None:
    xr.testing.assert_identical(approximate(name).posterior, approximate(name, again=1).posterior)
    other = approximate(name, seed=2).posterior
    assert not np.array_equal(approximate(name).posterior["intercept"], other["intercept"])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["nutpie-jax", "numpyro"])
def test_nuts_on_jax_gives_the_same_kind_of_fit(backend, quick_fits) -> None:
    for needed in ("jax", "numpyro"):
        pytest.importorskip(needed)
    fit, ours = quick_fits(backend=backend), quick_fits()
    same_kind(fit, ours)
    assert set(fit.tree["sample_stats"].data_vars) == set(ours.tree["sample_stats"].data_vars)
    gap = abs(fit.posterior["intercept"].mean() - ours.posterior["intercept"].mean())
    assert float(gap) < 3 * float(ours.posterior["intercept"].std())


@pytest.mark.parametrize(("backend", "said"), [("nutpie-jax", "jax"), ("numpyro", "numpyro")])
def test_a_missing_engine_comes_with_its_install(
    backend, said, quick_spec, small_scores, monkeypatch
) -> None:
    from latentscale.inference.nuts import backends

    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ls.FitError, match=rf"{said}.*not installed.*latentscale\[jax\]"):
        ls.fit(quick_spec, small_scores, method=ls.NUTS(backend=backend), progress=False)


def test_one_chain_is_not_said_to_disagree_with_itself(quick_fits) -> None:
    from latentscale.posterior.convergence import convergence
    from latentscale.posterior.status import status_of_chains

    fit = quick_fits()
    statistics = convergence(fit.posterior.isel(chain=[0]), None)
    status = status_of_chains(statistics, interrupted=False)
    assert not any("disagree" in line for line in status.advice)
    assert any("at least 2 chains" in line for line in status.advice)
    assert status.converged is not True
    assert "max R-hat not computed" in status.message and "nan" not in status.message


def test_what_cannot_be_computed_of_few_draws_is_said_once(quick_fits) -> None:
    from latentscale.posterior.convergence import convergence
    from latentscale.posterior.status import status_of_chains

    statistics = convergence(quick_fits().posterior.isel(draw=[0, 1]), None)
    status = status_of_chains(statistics, interrupted=False)
    assert len(status.advice) == 1 and "at least 4 draws" in status.advice[0]
    assert "nan" not in f"{status.message} {status.advice} {statistics!r}"


def fingerprint(fit_or_scores: object) -> str:
    text = hashlib.sha256()
    dataset = fit_or_scores.dataset  # type: ignore[attr-defined]
    for name in sorted(map(str, dataset.variables)):
        text.update(f"{name}{dataset[name].dims}{dataset[name].values.tolist()}".encode())
    return text.hexdigest()


def test_public_calls_change_nothing_of_the_callers(
    quick_spec, small_scores, prior_fit, known_spec, light_compilation
) -> None:
    frame = small_scores.to_frame()
    kept, dtypes = frame.copy(deep=True), frame.dtypes
    scores = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    before, spec_before = fingerprint(scores), known_spec.to_json()
    fit = prior_fit(known_spec, scores)
    tree = {n: fit.tree[n].to_dataset().copy(deep=True) for n in fit.tree.children}
    ls.build(known_spec, scores)
    ls.simulate(known_spec, scores)
    rows = frame.drop(columns=list(scores.benchmarks))
    rows_before = rows.copy(deep=True)
    ls.predict(fit, rows).table()
    ls.scaling_curve(fit, family="fam00").table()
    ls.diagnose(fit)
    _ = fit.samples, fit.design, repr(fit)
    assert fingerprint(scores) == before and known_spec.to_json() == spec_before
    assert frame.equals(kept) and (frame.dtypes == dtypes).all() and rows.equals(rows_before)
    for name, dataset in tree.items():
        xr.testing.assert_identical(fit.tree[name].to_dataset(), dataset)


def test_fit_changes_nothing_of_the_callers(quick_fits, small_scores, quick_spec) -> None:
    before, spec_before = fingerprint(small_scores), quick_spec.to_json()
    quick_fits(seed=1)
    assert fingerprint(small_scores) == before and quick_spec.to_json() == spec_before


@pytest.mark.filterwarnings("ignore:Scores were read")
def test_rows_that_the_spec_cannot_use_are_not_in_the_fit(small_scores, prior_fit, known_spec):
    frame = small_scores.to_frame()
    frame.loc[3, "tokens_t"] = np.nan
    scores = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    with pytest.warns(ls.DataWarning, match="fam01-m1"):
        fit = prior_fit(known_spec, scores)
    assert "fam01-m1" not in fit.scores.models and len(fit.scores.models) == 11
    assert "fam01-m1" not in fit.posterior["model"].values
