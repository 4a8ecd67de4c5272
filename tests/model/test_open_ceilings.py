"""Ceilings opened after the fit: in a share of the draws, curves rise to 1 in all verbs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit

import latentscale as ls
from latentscale.analysis.choices.budget_line import line, segment
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import FitWarning, SpecError
from latentscale.inference.method import Method
from latentscale.model.design import Design, design
from latentscale.model.likelihoods.beta import BetaNoise
from latentscale.model.open_ceilings import _Curve, open_curves, opened_draws, representative
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import Status

HERE = xr.DataArray(0.25)
"""A position along compute, from -1 to 1."""
INTERCEPT, SLOPE, PHI = -0.6, 0.7, 800.0
"""The true curve; scores of this precision have a standard deviation below 0.02."""


def lines_spec(**changes: object) -> ModelSpec:
    """Return a spec without skills: each benchmark a line in compute, under the logistic link."""
    benchmarks = {"ceiling": "estimated", "ceiling_open": 0.25, "slopes": ["log_flops"], **changes}
    document = {"name": "lines", "covariates": ["log_flops"], "benchmarks": benchmarks}
    return spec_from_dict({**document, "skills": {"count": 0}})


@pytest.fixture(scope="module")
def closed(prior_fit, everything_spec: ModelSpec, known) -> Fit:
    """Prior draws under a spec with every term, none of them open."""
    return prior_fit(everything_spec, known.scores, draws=40)


@pytest.fixture(scope="module")
def opened(closed: Fit) -> Fit:
    """The same draws, a quarter of them open, with scores simulated from one of them."""
    spec = closed.spec.with_({"benchmarks.ceiling_open": 0.25})
    drawn = Draws(closed.posterior.drop_vars("model_skill"), None, closed.status, {})
    return replace(closed, spec=spec, tree=to_tree(spec, closed.design, drawn))


@pytest.fixture(scope="module")
def rows(closed: Fit) -> pd.DataFrame:
    known = closed.scores.to_frame().drop(columns=list(closed.scores.benchmarks)).iloc[[0, 9]]
    new = known.assign(model=["new-a", "new-b"], params_b=[300.0, 900.0])
    return pd.concat([known, new, new.assign(model=["x", "y"], family="unseen", lineage="unseen")])


def test_the_share_of_open_draws_is_spread_over_all(everything_spec: ModelSpec) -> None:
    for share, count in ((0.25, 4000), (0.3, 101), (1.0, 7)):
        which = opened_draws(count, everything_spec.with_({"benchmarks.ceiling_open": share}))
        assert len(which) == len(set(which)) == round(share * count)
        assert np.diff(np.searchsorted(which, np.linspace(0, count, 5))).std() <= 1
    some = everything_spec.with_({"benchmarks.ceiling_open": 0.25})
    for stride in (2, 4, 8):  # a forecast from fewer draws has the same share
        assert 0.15 < np.isin(np.arange(0, 4000, stride), opened_draws(4000, some)).mean() < 0.35
    bounded = everything_spec.with_(
        {"benchmarks.ceiling_open": 0.25, "benchmarks.ceiling": "fixed"}
    )
    assert not opened_draws(4000, bounded).size and not opened_draws(4000, everything_spec).size


def test_a_share_is_from_0_to_1_and_the_spec_shows_it(everything_spec: ModelSpec) -> None:
    with pytest.raises(SpecError, match="ceiling_open"):
        everything_spec.with_({"benchmarks.ceiling_open": 1.5})
    half = everything_spec.with_({"benchmarks.ceiling_open": 0.5})
    assert "open in 50% of draws" in str(half) and "open in" not in str(everything_spec)
    assert half.digest != everything_spec.digest and half.used_priors() == (
        everything_spec.used_priors()
    )


def test_a_planted_curve_with_ceiling_1_is_recovered(prior_fit, known) -> None:
    fit: Fit = prior_fit(lines_spec(), known.scores, draws=12)
    steep = fit.posterior.assign(benchmark_slope=xr.ones_like(fit.posterior["benchmark_slope"]))
    same = steep.isel(draw=[0] * 12).assign_coords(draw=np.arange(12))
    at = fit.evaluator.at(same, fit.scores.dataset, residuals="none")
    eta = at.eta.isel(chain=0, draw=0).transpose("model", "benchmark").values
    floor = fit.scores.dataset["floor"].values
    mean = floor + (1 - floor) * expit(INTERCEPT + SLOPE * eta)
    score = np.random.default_rng(3).beta(mean * PHI, (1 - mean) * PHI)
    frame = known.scores.to_frame().assign(
        **{name: score[:, j] for j, name in enumerate(fit.scores.benchmarks)}
    )
    scores = ls.Scores.from_frame(frame, benchmarks=known.scores.benchmark_info)
    curves = open_curves(fit.spec, design(fit.spec, scores), same)
    assert curves is not None and int(curves["open_ceiling"].sum()) == 3 * len(floor)
    drawn = curves.isel(chain=0).where(curves["open_ceiling"].isel(chain=0) == 1).mean("draw")
    there = drawn["open_intercept"].values + drawn["open_slope"].values * eta
    assert np.abs(floor + (1 - floor) * expit(there) - mean).max() < 0.03
    assert (drawn["ceiling"] == 1).all()
    # The log of a precision of 100 scores has a standard error of some 0.15.
    assert np.abs(np.log(drawn["precision"] / PHI)).max() < 0.75


def test_of_many_scores_a_curve_is_fitted_to_some_that_have_their_distribution(
    seed_shift: int,
) -> None:
    scores = np.random.default_rng(4 + seed_shift).beta(2, 5, 30_000)
    cells = np.arange(5, 25_005)
    some = representative(cells, scores)
    assert len(np.unique(some)) == 1000 and np.isin(some, cells).all() and (np.diff(some) > 0).all()
    assert scores[some].max() == scores[cells].max() and scores[some].min() == scores[cells].min()
    shares = np.linspace(0.05, 0.95, 19)
    wanted, had = (np.quantile(scores[these], shares) for these in (cells, some))
    np.testing.assert_allclose(had, wanted, atol=3e-3)
    few = cells[:1000]
    assert representative(few, scores) is few


def test_open_curves_rise_and_other_draws_stay_as_they_were(
    closed: Fit, opened: Fit, rows: pd.DataFrame
) -> None:
    before, after = closed.samples, opened.samples
    is_open = after["open_ceiling"] == 1
    assert is_open.any("benchmark").sum() == 10 and (after["open_slope"] > 0).all()
    assert (after["ceiling"].where(is_open, 1) == 1).all()
    for name in ("ceiling", "precision", "link_power"):
        assert (after[name] == before[name]).where(~is_open, True).all()
        assert opened.posterior[name].identical(closed.posterior[name])
    for group in ("log_likelihood", "log_prior"):
        assert opened.tree[group].to_dataset().identical(closed.tree[group].to_dataset())
    then, now = (ls.predict(fit, rows, seed=4).mean_draws for fit in (closed, opened))
    own = ~is_open.any("benchmark").values
    np.testing.assert_array_equal(now.values[own], then.values[own])
    assert np.abs(now.values[~own] - then.values[~own]).max() > 0.05


def test_forecasts_and_allocations_are_of_the_open_curves(opened: Fit, rows: pd.DataFrame) -> None:
    known = rows.iloc[:2]
    mean = ls.predict(opened, known, seed=4).mean_draws
    table = opened.scores.dataset.sel(model=list(known["model"]))
    s, eta = opened.samples, opened.evaluator.at(opened.samples, table, residuals="fitted").eta
    power = s["link_power"]
    shift = -np.log(np.expm1(np.log(2) / power))
    stretch = -0.5 / (power * np.expm1(-np.log(2) / power))
    curved = shift + stretch * (s["open_intercept"] + s["open_slope"] * eta)
    floor = opened.scores.dataset["floor"]
    wanted = floor + (s["ceiling"] - floor) * expit(curved) ** power
    gap = (mean - wanted.clip(1e-6, 1 - 1e-6)).transpose("sample", "model", "benchmark")
    assert float(np.abs(gap).max()) < 1e-9
    budget = segment(1e23, (1.0, 100.0), (0.1, 50.0))
    along = line(opened, budget, family=str(known["family"].iloc[0]), instruct=False)
    planned = known.iloc[[0]].assign(
        model="new",
        instruct=0,
        params_b=float(budget.params(HERE)),
        tokens_t=float(budget.tokens(HERE)),
    )
    curve = opened.evaluator.at(s, planned_rows(opened, planned), residuals="none").mean
    there = along.score(HERE, list(opened.scores.benchmarks))
    gap = (curve.isel(model=0) - there).transpose("sample", "benchmark")
    assert float(np.abs(gap).max()) < 1e-9


def test_a_target_above_an_estimated_ceiling_can_be_reached_in_open_draws(
    closed: Fit, opened: Fit
) -> None:
    def above(fit: Fit) -> float:
        return ls.flops_for_target(
            fit, "beta", 0.97, family="fam01", points=11, seed=2
        ).probability_above_ceiling

    lower = (closed.samples["ceiling"].sel(benchmark="beta") <= 0.97).mean()
    assert above(closed) == pytest.approx(float(lower))
    assert above(opened) < above(closed) - 0.1


@pytest.mark.filterwarnings("ignore")  # prior draws are not a posterior given these scores
def test_leave_one_out_is_of_the_posterior_as_sampled(closed: Fit, opened: Fit) -> None:
    of_closed, of_opened = (ls.leave_one_out(fit, seed=3).table() for fit in (closed, opened))
    pd.testing.assert_frame_equal(of_closed, of_opened)
    headline = ls.compare({"a": closed, "b": opened}).headline
    assert headline == '2 models by leave-one-out log density: "a", "b" are equally high'


@pytest.mark.filterwarnings("ignore")
def test_predictive_checks_follow_the_curves_of_the_log_likelihood(
    closed: Fit, opened: Fit
) -> None:
    of_closed, of_opened = (
        ls.studies.posterior_predictive(fit, seed=3) for fit in (closed, opened)
    )
    xr.testing.assert_identical(of_closed.draws, of_opened.draws)
    own, mixture = (ls.studies.with_posterior_predictive(fit, seed=3) for fit in (closed, opened))
    assert mixture.tree["posterior_predictive"].identical(own.tree["posterior_predictive"])
    assert mixture.samples.identical(opened.samples)  # forecasts are still from the mixture


def test_a_draw_without_a_finite_density_keeps_its_ceilings(prior_fit, known) -> None:
    fit: Fit = prior_fit(lines_spec(), known.scores, draws=12)
    where = int(opened_draws(12, fit.spec)[1])
    draws, phi = fit.posterior, fit.posterior["precision"].copy()
    phi[{"draw": where, "benchmark": 2}] = np.inf
    curves = open_curves(fit.spec, fit.design, draws.assign(precision=phi))
    assert curves is not None
    lost = fit.samples["open_ceiling"] - curves["open_ceiling"].isel(chain=0).values
    assert int(lost.sum()) == 1 == int(lost[where].isel(benchmark=2))
    tree = fit.tree.copy()
    tree["opened"] = xr.DataTree(curves)
    assert "1 curves did not converge" in repr(replace(fit, tree=tree))
    curves["open_ceiling"][{"benchmark": 2}] = 0  # in no draw: also counted
    tree["opened"] = xr.DataTree(curves)
    assert "3 curves did not converge" in repr(replace(fit, tree=tree))


def test_a_share_that_opens_nothing_is_marked_and_warned_of(everything_spec, known) -> None:
    spec = everything_spec.with_({"benchmarks.ceiling": "fixed", "benchmarks.ceiling_open": 0.25})
    assert "fixed ceiling (ceiling_open 0.25 not used)" in str(spec)
    with pytest.warns(FitWarning, match="ceiling_open = 0.25, which changes nothing"):
        design(spec, known.scores)


def test_open_curves_are_saved_and_a_point_estimate_has_none(
    opened: Fit, tmp_path: Path, thinned
) -> None:
    again = ls.load(opened.save(tmp_path / "fit.nc"))
    assert again.samples.identical(opened.samples)
    assert thinned(opened, 20).samples.sizes["sample"] == 20
    point = Draws(opened.posterior, None, Status(False, True, False, "a maximum"), {})
    assert "opened" not in to_tree(opened.spec, opened.design, point)


def test_stated_ceilings_stay_and_lower_is_better_opens_to_0(prior_fit, known) -> None:
    info = dict(known.scores.benchmark_info)
    frame = known.scores.to_frame()
    first, second = list(info)[:2]
    info[first] = replace(info[first], ceiling=1.0)
    info[second] = ls.Benchmark(lower_is_better=True, floor=1.0)
    frame[second] = 1 - frame[second]
    scores = ls.Scores.from_frame(frame, benchmarks=info)
    fit: Fit = prior_fit(lines_spec(), scores, draws=12)
    is_open = fit.samples["open_ceiling"] == 1
    assert not is_open.sel(benchmark=first).any() and is_open.sel(benchmark=second).sum() == 3
    ends = fit.samples["ceiling"].where(is_open)
    assert float(ends.sel(benchmark=second).max()) == 0
    assert float(ends.drop_sel(benchmark=[first, second]).min()) == 1
    mean = xr.DataArray(ls.predict(fit, frame.drop(columns=list(info)).iloc[:3]).mean_draws)
    assert ((mean > 0) & (mean < 1)).all()


@dataclass(frozen=True)
class Given(Method):
    """A method from another package, which does not handle ceilings and has its draws already."""

    held: xr.Dataset = field(default_factory=xr.Dataset)

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        return Draws(self.held, None, Status(True, None, False, "given"), {})

    @property
    def settings(self) -> dict[str, object]:
        return {}


def test_draws_of_every_method_are_opened(closed: Fit, opened: Fit) -> None:
    held = closed.posterior.drop_vars("model_skill").isel(draw=slice(8))
    fit = ls.fit(opened.spec, closed.scores, method=Given(held), seed=1, progress=False)
    is_open = fit.samples["open_ceiling"]
    assert is_open.any("benchmark").sum() == 2
    assert "open ceilings: 2 of 8 draws" in repr(fit)


def test_priors_of_an_open_curve_are_densities_of_what_moves() -> None:
    """Normal for intercept, log slope and log precision, and for the log of a LogNormal power."""
    powers = {"link_power": ls.Prior("LogNormal", mu=0.2, sigma=0.4)}
    nothing = xr.DataArray(0.0)
    curve = _Curve(lines_spec(), 1.0, {}, BetaNoise(), nothing, nothing, np.zeros((1, 1)), powers)
    at = np.array([[1.0, -0.5, 0.3, 0.6], [-2.0, 0.1, 0.0, -0.7]])
    found, sds = curve.prior(at), np.array([3.0, 1.0, 1.0])
    wanted = stats.norm(0, sds).logpdf(at[:, :3]) - stats.norm(0, sds).logpdf(0)
    np.testing.assert_allclose(found[:, :3], wanted)
    np.testing.assert_allclose(found[:, 3], stats.norm(0.2, 0.4).logpdf(at[:, 3]))
