"""MarginalML as a method: estimates, standard errors, its fit, and refusals."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import FitError, SpecError
from latentscale.inference.marginal.information import Information
from latentscale.inference.marginal.likelihood import marginal_likelihood
from latentscale.inference.marginal.maximise import newton
from latentscale.inference.marginal.method import _status
from latentscale.inference.marginal.quadrature import gauss_hermite
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.posterior.fit import Fit

METHOD = ls.MarginalML(starts=2, draws=300, cores=1)


@pytest.fixture(scope="module")
def marginal_fit(known, plain_spec: ModelSpec) -> Fit:
    return ls.fit(plain_spec, known.scores, method=METHOD, seed=4, progress=False)


def test_the_truth_lies_within_the_standard_errors(marginal_fit: Fit, known) -> None:
    table = marginal_fit.tree["estimate"].to_dataset()
    names = [str(name) for name in table["parameter"].values]
    se = dict(zip(names, table["se_observed"].values, strict=True))
    estimate = dict(zip(names, table["estimate"].values, strict=True))
    truth = known.truth
    wanted = {
        f"loading[{b}, {k}]": float(truth["loading"].sel(benchmark=b, skill=k))
        for b in ("beta", "gamma", "epsilon", "zeta")
        for k in ("alpha", "delta")
    }
    wanted |= {
        f"slope[log_flops, {k}]": float(truth["slope"].sel(skill=k)[0]) for k in ("alpha", "delta")
    }
    wanted |= {f"family_scale[{k}]": float(truth["family_scale"].sel(skill=k)) for k in ("alpha",)}
    wanted |= {f"precision[{b}]": float(truth["precision"].sel(benchmark=b)) for b in ("beta",)}
    wanted |= {"skill_correlation[delta, alpha]": 0.4}
    z = np.array([(estimate[name] - value) / se[name] for name, value in wanted.items()])
    assert np.abs(z).max() < 3.5 and np.sqrt(np.mean(z**2)) < 1.6
    assert (table["se_observed"] > 0).all() and (table["se_sandwich"] > 0).all()


def test_the_gradient_vanishes_at_the_estimate(known, plain_spec: ModelSpec) -> None:
    estimate = ls.methods.marginal_estimate(
        plain_spec, known.scores, method=METHOD, seed=4, progress=False
    )
    likelihood = marginal_likelihood(plain_spec, design(plain_spec, known.scores))
    nodes = gauss_hermite(2, 7)
    placement = likelihood.place(estimate.vector)
    values, scores = likelihood.with_scores(estimate.vector, placement, nodes)
    assert values.sum() == pytest.approx(estimate.log_likelihood, abs=0.01)
    spread = np.sqrt(np.diag(estimate.information.covariance("observed")))
    assert np.abs(scores.sum(axis=0) * spread).max() < 0.05
    for direction in np.random.default_rng(0).standard_normal((5, estimate.vector.size)):
        moved = estimate.vector + 0.3 * spread * direction
        there = likelihood.place(moved, placement.modes)
        assert likelihood.by_family(moved, there, nodes).sum() < estimate.log_likelihood
    assert estimate.converged and estimate.aic == pytest.approx(
        2 * len(estimate.labels) - 2 * estimate.log_likelihood
    )
    assert estimate.bic == pytest.approx(
        len(estimate.labels) * np.log(26) - 2 * estimate.log_likelihood
    )
    assert len(estimate.starts) == 2 and max(estimate.starts) == pytest.approx(
        estimate.log_likelihood, abs=1
    )


def test_newton_reaches_the_maximum_from_a_search_that_stopped_short(known, plain_spec) -> None:
    estimate = ls.methods.marginal_estimate(
        plain_spec, known.scores, method=METHOD, seed=4, progress=False
    )
    likelihood = marginal_likelihood(plain_spec, design(plain_spec, known.scores))
    nodes = gauss_hermite(2, 5)
    spread = np.sqrt(np.diag(estimate.information.covariance("observed")))
    noise = np.random.default_rng(1).standard_normal(spread.size)
    short = estimate.vector + 2 * spread * noise
    vector, there, _ = newton(likelihood, short, nodes, gauss_hermite(2, 3), 1)
    np.testing.assert_allclose(vector, estimate.vector, atol=0.01 * spread.max())
    again = np.diag(there.covariance("observed"))
    np.testing.assert_allclose(np.sqrt(again), spread, rtol=0.03)


def test_it_gives_a_fit_like_the_samplers(marginal_fit: Fit, known, plain_spec) -> None:
    model = build_design(plain_spec, design(plain_spec, known.scores))
    variables = [*model.free_RVs, *model.deterministics]
    wanted = {v.name: set(v.dims) for v in variables if not v.name.endswith("_raw")}
    posterior = marginal_fit.posterior
    assert set(posterior.data_vars) == {*wanted, "model_skill"}
    for name, dims in wanted.items():
        assert set(posterior[name].dims) == {"chain", "draw", *dims}
        assert np.isfinite(posterior[name].values).all()
    for dim in ("benchmark", "family", "skill", "covariate", "model"):
        assert list(posterior[dim].values) == list(model.coords[dim])
    np.testing.assert_allclose(posterior["family_skill"].mean("family"), 0, atol=1e-12)
    assert marginal_fit.is_posterior and marginal_fit.status.converged
    assert "normal" in marginal_fit.status.message and "priors not used" in str(marginal_fit)
    assert marginal_fit.provenance.settings["starts"] == 2


def test_draws_have_the_standard_errors(marginal_fit: Fit) -> None:
    table = marginal_fit.tree["estimate"].to_dataset()
    se = table["se_observed"].sel(parameter="slope[log_flops, alpha]")
    drawn = marginal_fit.posterior["slope"].sel(skill="alpha").std()
    assert float(drawn) == pytest.approx(float(se), rel=0.15)


def test_forecasts_cover_and_new_families_are_wider(marginal_fit: Fit, known) -> None:
    rows = known.frame.drop(columns=list(known.scores.benchmarks))
    inside = ls.predict(marginal_fit, rows, seed=1).table(0.9)
    truth = known.frame.melt("model", list(known.scores.benchmarks), "benchmark", "score")
    both = inside.merge(truth.dropna(), on=["model", "benchmark"])
    covered = both["score"].between(both["lower"], both["upper"]).mean()
    assert 0.87 < covered < 0.97
    new = rows.assign(model=rows["model"] + "-x", family=rows["family"] + "-x", lineage="new")
    outside = ls.predict(marginal_fit, new, seed=1).table(0.9)
    assert outside["sd"].mean() > 1.5 * inside["sd"].mean()


def test_it_agrees_with_the_sampler(marginal_fit: Fit, known_fit: Fit) -> None:
    """Weak priors and many data: means within the posterior's spread, and similar spreads."""
    for name in ("precision", "loading"):
        ours, theirs = (
            f.posterior[name].transpose("chain", "draw", "benchmark", ...)
            for f in (marginal_fit, known_fit)
        )
        spread = theirs.std(("chain", "draw"))
        varies = spread > 1e-9
        gap = abs(ours.mean(("chain", "draw")) - theirs.mean(("chain", "draw"))) / spread
        assert float(gap.where(varies).max()) < 1.5
        ratio = (ours.std(("chain", "draw")) / spread).where(varies)
        assert float(ratio.min()) > 0.6 and float(ratio.max()) < 1.6


def test_the_same_seed_gives_the_same_draws_on_any_cores(small_scores, plain_spec) -> None:
    def fit(cores: int, seed: int) -> Fit:
        method = dataclasses.replace(METHOD, draws=20, cores=cores)
        return ls.fit(plain_spec, small_scores, method=method, seed=seed, progress=False)

    one, two, other = fit(1, 1), fit(2, 1), fit(1, 2)
    xr.testing.assert_identical(one.posterior, two.posterior)
    assert not np.array_equal(one.posterior["slope"], other.posterior["slope"])


def test_it_is_saved_and_read_back(marginal_fit: Fit, tmp_path) -> None:
    back = ls.load(marginal_fit.save(tmp_path / "fit.nc"))
    xr.testing.assert_identical(
        back.tree["estimate"].to_dataset(), marginal_fit.tree["estimate"].to_dataset()
    )


def test_covariances_of_a_known_likelihood() -> None:
    """Scores of a normal mean: J = n, S = sum of squares; the sandwich is S / n^2."""
    residual = np.random.default_rng(0).standard_normal((50, 1)) * 2
    information = Information(np.array([[50.0]]), residual)
    square = float(np.square(residual).sum())
    assert information.covariance("observed")[0, 0] == pytest.approx(1 / 50)
    assert information.covariance("outer-product")[0, 0] == pytest.approx(1 / square)
    assert information.covariance("sandwich")[0, 0] == pytest.approx(square / 2500)


def test_flat_directions_are_said_and_not_inverted() -> None:
    information = Information(np.diag([4.0, 1e-5]), np.ones((9, 2)))
    assert information.flat.shape == (2, 1) and abs(information.flat[1, 0]) == pytest.approx(1)
    np.testing.assert_allclose(information.covariance("observed"), np.diag([0.25, 0.0]))


REFUSED = {
    "family.lineage": {"family": {"level": "partial", "lineage": True}},
    "family.slopes": {"family": {"level": "partial", "slopes": ["log_flops"]}},
    "skills.residual": {"skills": {"count": 2, "residual": True}},
    "benchmarks.family_effect": {"benchmarks": {"family_effect": True}},
    "benchmarks.family_slopes": {"benchmarks": {"family_slopes": ["log_flops"]}},
    "skills.identify": {"skills": {"count": 2, "identify": {"kind": "free"}}},
    "family.level": {"family": {"level": "fixed"}},
    "skills.count": {"skills": {"count": 0}, "benchmarks": {"slopes": ["log_flops"]}},
}


@pytest.mark.parametrize("field", REFUSED)
def test_specs_that_quadrature_cannot_fit_are_refused(field: str, small_scores) -> None:
    spec = spec_from_dict({"name": "other", **REFUSED[field]})
    with pytest.raises(SpecError, match=field) as caught:
        ls.fit(spec, small_scores, method=METHOD, progress=False)
    assert "NUTS" in str(caught.value)


def test_too_few_families_have_no_outer_product(small_scores, plain_spec) -> None:
    method = dataclasses.replace(METHOD, covariance="outer-product", draws=10)
    with pytest.raises(FitError, match="6 families"):
        ls.fit(plain_spec, small_scores, method=method, progress=False)


@pytest.mark.parametrize(("error", "said"), [(0.3, "raise nodes"), (0.01, "raise iterations")])
def test_a_maximum_not_reached_names_what_to_raise(error: float, said: str) -> None:
    estimate = SimpleNamespace(
        flat_parameters=(),
        converged=False,
        decrement=0.005,
        starts=(1.0, 1.0),
        quadrature_error=error,
        families=80,
        n_parameters=10,
        log_likelihood=1.0,
    )
    advice = _status(estimate, SimpleNamespace(effective=np.ones(3)), "observed").advice
    assert said in advice[0]


def test_a_fit_says_what_its_draws_are_good_for(marginal_fit: Fit) -> None:
    assert "AIC and BIC" in marginal_fit.status.good_for


def test_draws_around_a_maximum_that_was_found_pass_their_diagnostics(marginal_fit: Fit) -> None:
    diagnosis = ls.diagnose(marginal_fit)
    assert diagnosis.passed and diagnosis.of_estimator
    assert "R-hat" not in diagnosis.headline and not any("R-hat" in a for a in diagnosis.advice)
    missed = dataclasses.replace(marginal_fit.status, converged=False, advice=("raise starts",))
    diagnosis = ls.diagnose(dataclasses.replace(marginal_fit, status=missed))
    assert not diagnosis.passed and diagnosis.advice == ("raise starts",)
