"""Gibbs sampling: conditionals preserve the joint distribution; fits are like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import ks_2samp

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import spec_from_dict
from latentscale.errors import FitError
from latentscale.inference.gibbs import method as gibbs
from latentscale.inference.gibbs.chain import Chain
from latentscale.inference.gibbs.draws import LIKELIHOOD, draw_of
from latentscale.inference.gibbs.problem import GibbsProblem, problem_of
from latentscale.inference.progress import WorkProgress
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.model.evaluate import FITTED_RESIDUALS, Evaluator
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.terms.base import Term
from latentscale.model.terms.model_group import ModelGroup
from latentscale.model.terms.residual import Residual
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.fit import Fit
from tests.inference.gibbs_prior import chain_from_prior, draw_scores
from tests.inference.gibbs_specs import NAMES, gibbs_spec, without_floors

SURE = 1e-5
"""Smallest p-value times number of tests that is put down to chance."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Run linear algebra on matrices this small in one thread, as `Gibbs` does."""
    with one_blas_thread():
        yield


@pytest.fixture(scope="module")
def table(small_scores: Scores) -> Scores:
    return without_floors(small_scores)


@pytest.fixture(scope="module")
def short_fit(table: Scores) -> Callable[..., Fit]:
    """Return a fitter of one of the specs, with short chains."""

    def fit(name: str = "pooled", seed: int = 1, cores: int | None = 1) -> Fit:
        method = ls.methods.Gibbs(draws=60, tune=40, chains=2, cores=cores)
        return ls.fit(gibbs_spec(name), table, method=method, seed=seed, progress=False)

    return fit


def flat(chain: Chain) -> dict[str, float]:
    """Return every number of a chain's current draw by name and place, and its log likelihood."""
    return {
        f"{name} {place}": float(value)
        for name, (_, _, values) in draw_of(chain).items()
        for place, value in enumerate(np.ravel(values))
    }


def smallest_p(problem: GibbsProblem, seed: int, repeats: int, sweeps: int) -> float:
    """Return the p-value of the change that sweeps make to draws from the joint distribution.

    Parameters are drawn from the prior and scores given them; sweeps given those scores must not
    change the parameters' distribution (Geweke 2004, "Getting it right"). The smallest p-value of
    all parameters, times their number.
    """
    rng = np.random.default_rng(seed)
    before, after = [], []
    for _ in range(repeats):
        chain = chain_from_prior(problem, rng)
        draw_scores(chain, rng)
        before.append(flat(chain))
        for _ in range(sweeps):
            chain.sweep()
        after.append(flat(chain))
    moving = [name for name in before[0] if len({draw[name] for draw in before}) > 1]
    first, last = (np.array([[d[n] for n in moving] for d in x]) for x in (before, after))
    return len(moving) * min(ks_2samp(first.T[e], last.T[e]).pvalue for e in range(len(moving)))


@pytest.mark.parametrize("name", NAMES)
def test_sweeps_leave_the_joint_distribution_as_it_is(name: str, table: Scores) -> None:
    spec = gibbs_spec(name)
    assert smallest_p(problem_of(spec, design(spec, table)), 1, repeats=150, sweeps=5) > SURE


def test_the_joint_distribution_shows_a_conditional_that_is_wrong(
    table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Chain._draw_noise

    def wrong(chain: Chain) -> None:
        right(chain)
        chain.phi *= 4  # as if the noise were 1 / sqrt(phi) instead of 2 / sqrt(phi)

    monkeypatch.setattr(Chain, "_draw_noise", wrong)
    spec = gibbs_spec("no skills")
    assert smallest_p(problem_of(spec, design(spec, table)), 1, repeats=150, sweeps=5) < SURE


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_has_the_variables_of_the_pymc_model(name: str, table: Scores) -> None:
    spec, prepared = gibbs_spec(name), design(gibbs_spec(name), table)
    problem = problem_of(spec, prepared)
    drawn = draw_of(Chain(problem, np.random.default_rng(1)))
    model = build_design(spec, prepared)
    wanted = {v.name: set(v.dims) for v in [*model.free_RVs, *model.deterministics]}
    wanted = {n: dims for n, dims in wanted.items() if not n.endswith("_raw")}
    assert {n: set(dims) for n, (_, dims, _) in drawn.items() if n != LIKELIHOOD} == wanted
    assert all(
        list(problem.labels[dim]) == list(model.coords[dim])
        for dims in wanted.values()
        for dim in dims
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_chain_and_the_evaluator_agree_on_the_linear_predictor(
    name: str, table: Scores, short_fit
) -> None:
    spec, prepared = gibbs_spec(name), design(gibbs_spec(name), table)
    problem = problem_of(spec, prepared)
    chain = chain_from_prior(problem, np.random.default_rng(3))
    draws = xr.Dataset(
        {
            n: (("chain", "draw", *dims), np.asarray(v)[None, None])
            for n, dims, v in draw_of(chain).values()
        },
        coords={d: problem.labels[d] for _, dims, _ in draw_of(chain).values() for d in dims},
    )
    evaluator = Evaluator.of(spec, prepared.transform, prepared.scores.dataset)
    eta = evaluator.at(draws, prepared.scores.dataset, residuals=FITTED_RESIDUALS).eta
    eta = eta.isel(chain=0, draw=0).transpose("model", "benchmark").values
    cells = problem.cells
    np.testing.assert_allclose(cells.y - chain._left(), eta[cells.model, cells.bench], atol=1e-8)


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores(short_fit) -> None:
    first, again, other = short_fit(cores=1), short_fit(cores=2), short_fit(seed=2)
    xr.testing.assert_identical(first.posterior, again.posterior)
    assert not first.posterior["intercept"].equals(other.posterior["intercept"])
    ours = first.posterior["intercept"]
    assert float(abs(ours.isel(chain=0) - ours.isel(chain=1)).max()) > 0


class Impatient(WorkProgress):
    """Progress that is interrupted as Ctrl-C does, after some kept draws of both chains."""

    after = 2 * (40 + 30)

    def update(self, done: int, note: str = "") -> None:
        super().update(done, note)
        if done > self.after:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_the_draws_so_far(table: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gibbs, "WorkProgress", Impatient)
    method = ls.methods.Gibbs(draws=100_000, tune=40, chains=2, cores=2)
    fit = ls.fit(gibbs_spec("no skills"), table, method=method, seed=1, progress=False)
    assert fit.status.interrupted and "interrupted" in fit.status.message
    assert 0 < fit.posterior.sizes["draw"] < 100_000
    assert np.isfinite(fit.posterior["intercept"].values).all()


def test_ctrl_c_before_the_first_draw_says_so(table: Scores, monkeypatch) -> None:
    monkeypatch.setattr(gibbs, "WorkProgress", Impatient)
    method = ls.methods.Gibbs(draws=10, tune=100_000, chains=2, cores=2)
    with pytest.raises(FitError, match="before the first kept draw"):
        ls.fit(gibbs_spec("no skills"), table, method=method, seed=1, progress=False)


def test_thinned_draws_are_every_so_many_of_all(table: Scores) -> None:
    def intercepts(draws: int, thin: int) -> np.ndarray:
        method = ls.methods.Gibbs(draws=draws, tune=10, thin=thin, chains=2, cores=1)
        fit = ls.fit(gibbs_spec("no skills"), table, method=method, seed=1, progress=False)
        return fit.posterior["intercept"].values

    np.testing.assert_array_equal(intercepts(6, 3), intercepts(18, 1)[:, 2::3])


def test_a_fit_is_saved_used_and_diagnosed(short_fit, table: Scores, tmp_path) -> None:
    fit = short_fit("everything")
    back = ls.load(fit.save(tmp_path / "fit.nc"))
    xr.testing.assert_equal(back.posterior, fit.posterior)
    assert back.provenance.method == "Gibbs" and back.status == fit.status
    rows = table.to_frame().drop(columns=list(table.benchmarks))
    ahead = ls.predict(back, rows, seed=2).table()
    assert np.isfinite(ahead[["mean", "lower", "upper"]]).all().all()
    assert ls.diagnose(back).passed is bool(fit.status.converged)
    assert set(fit.tree["log_prior"].data_vars) >= {"precision_mean", "lineage_share", "tail"}


def test_scores_that_are_not_fractions_need_no_likelihood_of_logits(table: Scores) -> None:
    frame = table.to_frame()
    for name in table.benchmarks:
        frame[name] = 1200 + 80 * np.log(frame[name] / (1 - frame[name]))
    info = {name: ls.Benchmark(scale="real") for name in table.benchmarks}
    real = Scores.from_frame(frame, benchmarks=info)
    document = {"name": "elo", "covariates": ["log_flops"], "skills": {"count": 1}}
    method = ls.methods.Gibbs(draws=200, tune=200, chains=2, cores=1)
    fit = ls.fit(spec_from_dict(document), real, method=method, seed=1, progress=False)
    rows = frame.drop(columns=list(table.benchmarks))
    middle = ls.predict(fit, rows, seed=1).draws.median("sample")
    measured = real.dataset["score"].transpose(*middle.dims)
    assert float(abs(middle - measured).median()) < 80


def test_each_covariates_slopes_by_family_have_the_spread_behind_the_scores() -> None:
    rng, spread = np.random.default_rng(5), np.array([[1.0, 0.1], [0.1, 1.0]])
    family = np.repeat(np.arange(40), 4)
    x = rng.standard_normal((160, 2))
    own = rng.standard_normal((40, 2, 2)) * spread
    eta = np.einsum("mc,mjc->mj", x, 0.5 + own[family]) + 0.1 * rng.standard_normal((160, 2))
    frame = pd.DataFrame(1 / (1 + np.exp(-eta)), columns=["first", "second"])
    frame = frame.assign(model=[f"m{i}" for i in range(160)], family=[f"f{i}" for i in family])
    frame[["params_b", "tokens_t"]] = np.exp(x)
    names = ["log_params", "log_tokens"]
    benchmarks = {
        "likelihood": {"kind": "logit-normal"},
        "slopes": names,
        "family_slopes": names,
        "family_slope_spreads": "by-covariate",
    }
    spec = spec_from_dict(
        {"name": "x", "covariates": names, "skills": {"count": 0}, "benchmarks": benchmarks}
    )
    method = ls.methods.Gibbs(draws=200, tune=200, chains=2, cores=1)
    fit = ls.fit(spec, Scores.from_frame(frame), method=method, seed=1, progress=False)
    drawn = fit.samples["family_benchmark_slope_scale"].transpose("sample", "benchmark", ...)
    np.testing.assert_allclose(drawn.mean("sample"), spread, atol=0.25)


REFUSED = {
    "the likelihood": {"benchmarks": {"likelihood": {"kind": "beta"}}},
    "the link": {"benchmarks": {"link": {"kind": "cloglog"}, "likelihood": {"kind": "student-t"}}},
    "ceiling": {
        "benchmarks": {"ceiling": "estimated", "likelihood": {"kind": "student-t"}},
    },
    "precision_covariates": {
        "benchmarks": {
            "precision_covariates": ["log_flops"],
            "likelihood": {"kind": "student-t"},
        },
    },
    'the prior of "slope"': {
        "benchmarks": {"likelihood": {"kind": "student-t"}},
        "priors": {"slope": {"dist": "StudentT", "nu": 3, "mu": 0, "sigma": 1}},
    },
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_it_cannot_draw_is_refused_by_name(what: str, table: Scores) -> None:
    spec = spec_from_dict({"name": "other", "skills": {"count": 1}, **REFUSED[what]})
    with pytest.raises(FitError, match=what) as error:
        ls.fit(spec, table, method=ls.methods.Gibbs(), progress=False)
    assert "Use NUTS()" in str(error.value)


def test_a_term_that_lists_no_normal_effects_is_refused_by_name(
    table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelGroup, "normal_effects", Term.normal_effects)
    with pytest.raises(FitError, match='term "model-group"'):
        ls.fit(gibbs_spec("pooled"), table, method=ls.methods.Gibbs(), progress=False)


def test_a_term_that_is_not_linear_as_it_says_is_refused(
    table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = ModelGroup.predictor

    def bent(*arguments: Any) -> Any:
        posterior = right(*arguments)
        return posterior + posterior**2

    monkeypatch.setattr(ModelGroup, "predictor", bent)
    with pytest.raises(FitError, match='"model-group": its contribution is not linear'):
        ls.fit(gibbs_spec("pooled"), table, method=ls.methods.Gibbs(), progress=False)


def test_two_effects_of_single_models_on_skills_are_refused(
    table: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Residual.normal_effects

    def twice(*arguments: Any) -> tuple[NormalEffect, ...]:
        (effect,) = right(*arguments)
        return effect, replace(effect, variable="other")

    def both(self: Residual, values: Any, rows: Any) -> Any:
        return values["residual"] + values["other"]

    monkeypatch.setattr(Residual, "normal_effects", twice)
    monkeypatch.setattr(Residual, "skill", both)
    with pytest.raises(
        FitError, match=r'one effect of individual .* has 2: "residual" and "other"'
    ):
        spec = gibbs_spec("pooled")
        problem_of(spec, design(spec, table))


def test_floors_of_guessing_are_refused_with_the_benchmarks(small_scores: Scores) -> None:
    with pytest.raises(FitError, match='"beta", "delta" have guessing floors'):
        ls.fit(gibbs_spec("pooled"), small_scores, method=ls.methods.Gibbs(), progress=False)
