"""Verbs on a fit whose benchmarks have several scales: answers are in their units."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.backtest import score_forecast
from latentscale.analysis.checks import check as checks
from latentscale.analysis.choices.target import checked_targets
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.sensitivity import sensitivity_grid as grids
from latentscale.analysis.tools.units import (
    STANDARD,
    common_unit,
    other_units,
    spreads,
    with_scales,
)
from latentscale.cli import main
from latentscale.data.scaling import is_bounded
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.explore.answers import Planned, Planner
from latentscale.inference.tools.regressions import _logit_table
from latentscale.model.coordinates import response_of_scores
from latentscale.model.design import design
from latentscale.plots.check import plot_residuals
from latentscale.plots.style import with_unit
from latentscale.posterior.fit import Fit
from latentscale.reporting.request import request
from latentscale.reporting.summary import summary

ROW = {"model": "new", "family": "new", "params_b": 8.0, "tokens_t": 4.0}


def mixed_frame(seed: int = 5) -> tuple[pd.DataFrame, dict[str, ls.Benchmark]]:
    """Return 40 models on five benchmarks, driven by one skill that grows with compute."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(10), 4)
    params, tokens = np.exp(rng.uniform(0, 4.5, 40)), rng.uniform(1, 15, 40)
    x = np.log(params * tokens)
    skill = (x - x.mean()) / x.std() + 0.4 * rng.standard_normal(10)[family]
    noise = 0.2 * rng.standard_normal((4, 40))
    frame = pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(40)],
            "family": [f"f{k}" for k in family],
            "params_b": params,
            "tokens_t": tokens,
            "acc": 0.25 + 0.75 / (1 + np.exp(-skill - noise[0])),
            "elo": 1200 + 90 * (skill + noise[1]),
            "minutes": np.exp(1 + 0.8 * (skill + noise[2])),
            "cost": np.exp(2 - 0.5 * (skill + noise[3])),
            "error": 1 / (1 + np.exp(0.8 * skill)),
        }
    )
    benchmarks = {
        "acc": ls.Benchmark(floor=0.25, ceiling=0.99),
        "elo": ls.Benchmark(scale="real", unit="Elo"),
        "minutes": ls.Benchmark(scale="positive", unit="minutes"),
        "cost": ls.Benchmark(scale="positive", lower_is_better=True, unit="dollars"),
        "error": ls.Benchmark(lower_is_better=True),
    }
    return frame, benchmarks


def mixed_spec() -> ModelSpec:
    return spec_from_dict(
        {
            "name": "mixed",
            "covariates": ["log_flops"],
            "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["elo"]}},
            "family": {"level": "partial"},
        }
    )


@pytest.fixture(scope="module")
def mixed() -> ls.Scores:
    frame, benchmarks = mixed_frame()
    return ls.Scores.from_frame(frame, benchmarks=benchmarks)


@pytest.fixture(scope="module")
def mixed_fit(prior_fit: Callable[..., Fit], mixed: ls.Scores) -> Fit:
    """Prior draws: the equations and the units, without a sampler."""
    return prior_fit(mixed_spec(), mixed)


@pytest.fixture(scope="module")
def forecast(mixed_fit: Fit) -> ls.Forecast:
    return ls.predict(mixed_fit, pd.DataFrame([ROW]), seed=2)


def test_forecasts_are_in_the_units_of_the_scores(forecast: ls.Forecast) -> None:
    table = forecast.table().set_index("benchmark")
    assert 0 < table.loc["acc", "lower"] < table.loc["acc", "upper"] <= 1
    assert 500 < table.loc["elo", "median"] < 2000
    assert (table.loc[["minutes", "cost"], "lower"] > 0).all()
    assert forecast.units == {"elo": "Elo", "minutes": "minutes", "cost": "dollars"}


UNITS = {"acc": "fraction", "elo": "Elo", "minutes": "minutes", "cost": "dollars"}


def test_tables_of_several_units_say_them_in_the_last_column(mixed_fit: Fit, tmp_path) -> None:
    """Rows of Elo, minutes and fractions were in one file that did not state their units."""
    own = ls.predict(mixed_fit, pd.DataFrame([ROW])).units
    family = mixed_fit.scores.families[0]
    passing = ls.probability_above(mixed_fit, pd.DataFrame([ROW]), {"elo": 1200.0, "acc": 0.5})
    curve = ls.scaling_curve(mixed_fit, family=family, points=3)
    for table in (passing.table(), curve.table()):
        assert table.columns[-1] == "unit"
        assert all(row.unit == own.get(row.benchmark, "fraction") for row in table.itertuples())
    assert "unit" in curve.brief() and "unit" in passing.brief()
    fractions = ls.scaling_curve(mixed_fit, family=family, points=3, benchmarks=["acc"])
    assert "unit" in fractions.table() and "unit" not in fractions.brief()
    mixed_fit.save(tmp_path / "mixed.nc")
    pd.DataFrame([ROW]).to_csv(tmp_path / "rows.csv", index=False)
    out = tmp_path / "forecast.csv"
    for more in ((), ("--trust", "5")):
        words = ["predict", tmp_path / "mixed.nc", tmp_path / "rows.csv", "--out", out, *more]
        assert main([str(word) for word in words]) == 0
        written = pd.read_csv(out)
        assert written.columns[-1] == "unit"
        units = written.set_index("benchmark")["unit"]
        assert UNITS.items() <= units.to_dict().items()


def test_exponentials_of_heavy_tails_have_neither_mean_nor_sd(
    prior_fit: Callable[..., Fit], mixed: ls.Scores, tmp_path, capsys
) -> None:
    """By seed, the mean of one forecast was 338 to 3,157 minutes, its median 298 to 340."""
    spec = mixed_spec().with_({"benchmarks.likelihood": {"kind": "heavy-tailed-beta"}})
    fit = prior_fit(spec, mixed)
    forecast = ls.predict(fit, pd.DataFrame([ROW]))
    each = ls.studies.predict_each(fit, pd.DataFrame([ROW]), progress=False)
    mixture = ls.stack({"a": fit, "b": fit}, pd.DataFrame([ROW]), {"a": 1, "b": 1})
    for result in (forecast, each, mixture):
        table = result.table().set_index("benchmark")
        assert set(table.index[table["sd"].isna()]) == {"minutes", "cost"}
        assert sorted(result.without_mean) == ["cost", "minutes"]
        assert table["mean"].isna().equals(table["sd"].isna())
        assert table[["median", "lower", "upper"]].notna().all(axis=None)
        assert "mean and sd of minutes, cost are left out" in result.headline
    loo = ls.leave_one_out(fit).table()
    assert set(loo.loc[loo["mean"].isna(), "benchmark"]) == {"minutes", "cost"}
    fit.save(tmp_path / "heavy.nc")
    pd.DataFrame([ROW]).to_csv(tmp_path / "rows.csv", index=False)
    assert main(["predict", str(tmp_path / "heavy.nc"), str(tmp_path / "rows.csv")]) == 0
    assert "mean and sd of minutes, cost are left out" in capsys.readouterr().out


def test_expected_scores_fall_with_skill_where_lower_is_better(mixed_fit: Fit) -> None:
    rows = mixed_fit.scores.dataset
    at = mixed_fit.evaluator.at(mixed_fit.samples, rows, residuals="none")
    for name, sign in {"acc": 1, "elo": 1, "minutes": 1, "cost": -1, "error": -1}.items():
        eta = at.eta.sel(benchmark=name).isel(sample=0).values
        mean = at.mean.sel(benchmark=name).isel(sample=0).values
        assert np.all(np.diff(sign * mean[np.argsort(eta)]) >= 0)


def test_a_stated_ceiling_bounds_expected_scores(forecast: ls.Forecast) -> None:
    assert float(forecast.mean_draws.sel(benchmark="acc").max()) <= 0.99


def test_a_saved_fit_forecasts_the_same_numbers(mixed_fit: Fit, forecast, tmp_path) -> None:
    again = ls.load(mixed_fit.save(tmp_path / "mixed.nc"))
    assert again.scores.benchmark_info == mixed_fit.scores.benchmark_info
    table = ls.predict(again, pd.DataFrame([ROW]), seed=2).table()
    pd.testing.assert_frame_equal(table, forecast.table())


def test_centre_and_step_stay_those_of_the_fit(mixed_fit: Fit, tmp_path) -> None:
    again = ls.load(mixed_fit.save(tmp_path / "mixed.nc"))
    elo = mixed_fit.scores.dataset["score"].sel(benchmark="elo")
    assert float(again.design.known_curve["centre"].sel(benchmark="elo")) == float(elo.mean())
    assert float(again.design.known_curve["step"].sel(benchmark="cost")) < 0


def test_a_refit_without_suspects_knows_nothing_of_how_far_off_they_were(
    mixed_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Centre and step of its priors come from the scores that it sees."""
    asked: list[ls.Scores] = []

    def run_fit(spec, scores, *, method, seed, progress):  # type: ignore[no-untyped-def]
        asked.append(scores)
        return mixed_fit

    real = checks.with_replicated

    def doubtful(fit: Fit, prob: float, seed: int) -> tuple[ls.results.LeaveOneOut, xr.DataArray]:
        values, replicated = real(fit, prob, seed)
        rows = values.rows.assign(reliable=True, z=0.0)
        rows.loc[rows["benchmark"].eq("elo") & rows["model"].eq("m3"), "z"] = 9.0
        return replace(values, rows=rows), replicated

    monkeypatch.setattr(checks, "run_fit", run_fit)
    monkeypatch.setattr(checks, "with_replicated", doubtful)
    ls.check(mixed_fit, refit=ls.Laplace(draws=30))
    seen = asked[0].dataset["score"].sel(benchmark="elo")
    assert int(seen.isnull().sum()) == 1 and bool(seen.sel(model="m3").isnull())
    centre = design(mixed_spec(), asked[0]).scores.dataset["centre"].sel(benchmark="elo")
    assert float(centre) == pytest.approx(float(seen.mean()))


def test_a_refit_without_a_family_knows_nothing_of_its_scores(
    mixed_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ls.Scores] = []

    def run_refits(refits, *arguments, **settings):  # type: ignore[no-untyped-def]
        asked.extend(refit.scores for refit in refits)
        return {}, {grids.BASE: "seen enough"}

    monkeypatch.setattr(grids, "run_refits", run_refits)
    with pytest.raises(ls.FitError, match="seen enough"):
        ls.studies.leave_families_out(mixed_spec(), mixed_fit.scores, ["f0"], progress=False)
    base, rest = (design(mixed_spec(), scores).scores.dataset for scores in asked)
    assert base["centre"].equals(mixed_fit.scores.dataset["centre"])
    elo = rest["score"].sel(benchmark="elo")
    assert elo.sizes["model"] == 36
    assert float(rest["centre"].sel(benchmark="elo")) == pytest.approx(float(elo.mean()))


def test_refits_name_the_unit_of_each_expected_score(
    mixed_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("intercept", "elo"), ("expected score", "a, b, elo"), ("expected score", "a, plain")]
    summary = pd.DataFrame(rows, columns=["variable", "where"])
    summary = summary.assign(median=1.0, sd=1.0, lower=0.0, upper=2.0, max_rhat=1.0)
    monkeypatch.setattr(
        grids, "run_refits", lambda refits, *rest, **more: ({r.name: summary for r in refits}, {})
    )
    variant = {"wide": {"intercept": {"dist": "Normal", "mu": 0, "sigma": 4}}}
    scores = mixed_fit.scores
    names = {"plain": next(b for b in scores.benchmarks if b not in other_units(scores))}
    summary["where"] = summary["where"].replace({"a, plain": f"a, {names['plain']}"})
    grid = ls.studies.sensitivity_grid(mixed_spec(), scores, variant, progress=False)
    assert grid.table().columns[-1] == "unit"
    assert grid.table()["unit"].tolist() == ["", "Elo", "fraction"] * 2
    assert sorted(grid.largest["unit"]) == ["", "Elo", "fraction"]


def test_a_simulated_table_keeps_the_standards_of_its_template(mixed: ls.Scores) -> None:
    made = ls.simulate(mixed_spec(), mixed, seed=3).scores.dataset
    elo = mixed.dataset["score"].sel(benchmark="elo")
    assert float(made["centre"].sel(benchmark="elo")) == pytest.approx(float(elo.mean()))
    assert (made["score"].sel(benchmark=["minutes", "cost"]) > 0).all()


def test_a_given_elo_conditions_the_forecast(mixed_fit: Fit) -> None:
    few_shot = ls.FewShot(degenerate="warn")  # prior draws are few, and far from any score
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)
        low, high = (
            ls.predict(mixed_fit, pd.DataFrame([{**ROW, "elo": elo}]), seed=1, few_shot=few_shot)
            for elo in (1000.0, 1400.0)
        )
    elo = [float(one.draws.sel(benchmark="elo").median()) for one in (low, high)]
    assert abs(elo[0] - 1000) < 200 and abs(elo[1] - 1400) < 200


def test_a_score_of_a_forbidden_value_is_named_in_rows_to_forecast(mixed_fit: Fit) -> None:
    with pytest.raises(ls.DataError, match="above 0"):
        ls.predict(mixed_fit, pd.DataFrame([{**ROW, "minutes": -1.0}]))


def test_thresholds_are_in_the_units_of_their_benchmarks(mixed_fit: Fit) -> None:
    frame = pd.DataFrame([ROW])
    with pytest.raises(ls.DataError, match=r"elo \(Elo\)"):
        ls.probability_above(mixed_fit, frame, 0.5)
    passing = ls.probability_above(mixed_fit, frame, {"elo": 1250.0, "cost": 5.0}, seed=2)
    draws = ls.predict(mixed_fit, frame, seed=2).draws.isel(model=0)
    probability = passing.rows.set_index("benchmark")["probability"]
    assert probability["elo"] == pytest.approx(float((draws.sel(benchmark="elo") >= 1250).mean()))
    assert probability["cost"] == pytest.approx(float((draws.sel(benchmark="cost") <= 5).mean()))
    with pytest.raises(ls.DataError, match=r"scale \"positive\" \(minutes\)"):
        ls.probability_above(mixed_fit, frame, {"minutes": 0.0})


def test_compute_for_a_target_where_lower_is_better(mixed_fit: Fit) -> None:
    needed = ls.flops_for_target(mixed_fit, "cost", 6.0, family="f0", points=31)
    assert needed.unit == "dollars" and "6 dollars" in needed.headline
    reached = needed.reached.values
    harder = ls.flops_for_target(mixed_fit, "cost", 3.0, family="f0", points=31).reached.values
    assert (harder <= reached).all()
    with pytest.raises(ls.DataError, match="ceiling"):
        ls.flops_for_target(mixed_fit, "acc", 0.995, family="f0", points=31)


def test_what_cannot_be_maximised_is_refused_by_name(mixed_fit: Fit) -> None:
    with pytest.raises(ls.DataError, match='on "cost" lower is better'):
        checked_targets(mixed_fit, "cost")
    both = ls.Target.benchmarks({"elo": 1.0, "acc": 1.0})
    with pytest.raises(ls.DataError, match="several units"):
        checked_targets(mixed_fit, both)
    assert [one.label for one in checked_targets(mixed_fit, None)][-3:] == ["acc", "elo", "minutes"]


def test_the_next_benchmark_weighs_units_by_their_spread(mixed_fit: Fit) -> None:
    choice = ls.next_benchmark(mixed_fit, pd.DataFrame([ROW]), targets=["elo", "acc"])
    assert choice.unit == STANDARD
    assert (choice.rows["sd_after"] <= choice.rows["sd_before"]).all()
    alone = ls.next_benchmark(mixed_fit, pd.DataFrame([ROW]), targets=["elo"])
    assert alone.unit == "Elo" and alone.rows["sd_before"].iloc[0] > 5


def test_a_common_unit_is_found_or_made(mixed: ls.Scores) -> None:
    divisor, unit = common_unit(mixed, ["acc", "error"])
    assert unit == "fraction" and (divisor == 1).all()
    divisor, unit = common_unit(mixed, ["acc", "elo"])
    assert unit == STANDARD and float(divisor.sel(benchmark="elo")) > 50


def test_scores_that_do_not_vary_have_the_spread_1(mixed: ls.Scores) -> None:
    """Errors are divided by it."""
    data = mixed.dataset
    same = ls.Scores(data.assign(score=data["score"].where(data["benchmark"] != "elo", 1200.0)))
    spread, before = spreads(same), spreads(mixed)
    assert float(spread.sel(benchmark="elo")) == 1.0
    rest = [name for name in mixed.benchmarks if name != "elo"]
    np.testing.assert_array_equal(spread.sel(benchmark=rest), before.sel(benchmark=rest))


def test_errors_of_several_units_are_summarised_in_standard_deviations(
    mixed_fit: Fit, mixed: ls.Scores
) -> None:
    rows = mixed.dataset.isel(model=slice(12))
    forecast = forecast_rows(mixed_fit, rows, seed=1)
    scored = score_forecast(
        forecast, rows["score"], mixed.item_counts, bounded=is_bounded(mixed.dataset)
    )
    families = dict(zip(rows["model"].values, rows["family"].values, strict=True))
    table = with_scales(scored.assign(family=scored["model"].map(families), prob=0.9), mixed)
    whole = ls.summarise(table, resamples=20)
    assert whole["unit"].item() == STANDARD
    apart = ls.summarise(table, ["benchmark"], resamples=20).set_index("benchmark")
    assert apart.loc["elo", "unit"] == "Elo"
    sd = float(mixed.dataset["score"].sel(benchmark="elo").std())
    elo = table[table["benchmark"] == "elo"]
    assert apart.loc["elo", "mae"] == pytest.approx((elo["score"] - elo["median"]).abs().mean())
    alone = ls.summarise(table[table["benchmark"].isin(["elo", "acc"])], resamples=20)
    part = apart.loc[["elo", "acc"], "mae"] / [
        sd,
        float(mixed.dataset["score"].sel(benchmark="acc").std()),
    ]
    assert alone["mae"].item() == pytest.approx(part.mean())


def test_curves_and_pictures_say_the_unit(mixed_fit: Fit, forecast: ls.Forecast) -> None:
    curve = ls.scaling_curve(mixed_fit, family="f0", points=5)
    assert curve.units["minutes"] == "minutes"
    for sheet in (ls.plots.plot_curve(curve), ls.plots.plot_forecast(forecast)):
        titles = [panel.get_title(loc="left") for panel in sheet.axes]
        assert "elo (Elo)" in titles and "acc" in titles


@pytest.fixture(scope="module")
def narrow_fit(prior_fit: Callable[..., Fit], mixed: ls.Scores) -> Fit:
    """Draws so similar that every score's leave-one-out weights are equal."""
    spec = mixed_spec()
    priors = {name: spec.prior(name) for name in spec.used_priors()}
    narrow = {name: replace(p, sigma=0.001) for name, p in priors.items() if p.sigma is not None}
    return prior_fit(spec.with_priors(narrow), mixed)


def test_a_check_judges_scores_on_their_scale(narrow_fit: Fit) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = ls.check(narrow_fit)
    # Leave-one-out residuals are in predictive standard deviations whatever the unit.
    measured = narrow_fit.scores.dataset["score"].notnull()
    assert (checks.residuals.notnull() == measured).all()
    rows = checks.predictive.rows
    assert set(rows.loc[rows["by"] == "benchmark", "group"]) >= {"elo", "acc"}
    everything = rows[(rows["by"] == "all") & (rows["statistic"] == "largest")]
    assert everything["observed"].item() <= 1


def test_residuals_are_above_0_where_scores_are_better_and_figure_and_advice_say_so(
    narrow_fit: Fit,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check = ls.check(narrow_fit)
    table = check.loo.table()
    down = table["benchmark"].isin(["cost", "error"])
    clear = (table["score"] - table["median"]).abs() > 0.25 * (table["upper"] - table["lower"])
    better = (table["score"] > table["median"]) ^ down
    assert (clear & down).any() and ((table["z"] > 0) == better)[clear].all()
    assert "Orange: better than" in " ".join(plot_residuals(check).get_suptitle().split())
    said = check.outliers["advice"]
    assert not said[check.outliers["benchmark"].isin(["cost", "error"])].str.contains("igher").any()


def test_a_reports_summary_says_which_forecasts_its_points_are_of(mixed_fit: Fit) -> None:
    asked = request(mixed_fit, families=None, planned=None, prob=0.9, seed=1)
    said = summary(asked)
    assert "Half of the forecasts of fractions have 90% intervals of ±" in said


def test_a_unit_that_a_name_states_is_not_said_twice() -> None:
    units = {"horizon (minutes)": "minutes", "arena": "Elo"}
    named = [with_unit(name, units) for name in ("horizon (minutes)", "arena", "quiz")]
    assert named == ["horizon (minutes)", "arena (Elo)", "quiz"]


def test_marginal_likelihood_refuses_other_scales_by_name(mixed: ls.Scores) -> None:
    spec = mixed_spec()
    with pytest.raises(ls.SpecError, match=re.escape('not fractions: "elo", "minutes", "cost"')):
        ls.fit(spec, mixed, method=ls.MarginalML(), progress=False)


def test_marginal_likelihood_says_how_to_leave_standard_errors_out() -> None:
    frame, _ = mixed_frame()
    plain = frame[["model", "family", "params_b", "tokens_t", "acc"]].assign(b=frame["acc"])
    errors = plain[["model"]].assign(b=0.02)
    scores = ls.Scores.from_frame(plain, stderr=errors)
    spec = mixed_spec().with_({"skills": {"identify": {"kind": "anchored", "anchors": ["acc"]}}})
    with pytest.raises(ls.SpecError, match=r"scores\.without_errors\(\)"):
        ls.fit(spec, scores, method=ls.MarginalML(), progress=False)


def test_the_table_of_benchmarks_says_scale_and_unit(mixed: ls.Scores) -> None:
    table = mixed.benchmark_table().set_index("benchmark")
    assert table.loc["cost", ["scale", "better", "unit"]].tolist() == [
        "positive",
        "lower",
        "dollars",
    ]
    assert table.loc["acc", "ceiling"] == 0.99


def test_a_probe_set_weighs_units_by_their_spread(mixed_fit: Fit) -> None:
    probes = ls.probe_set(mixed_fit, n=1, draws=60)
    assert probes.unit == STANDARD
    left = probes.left[probes.left["benchmark"].isin(["elo", "acc"])]
    assert left["sd_before"].max() < 20  # in standard deviations, not in Elo


def test_headlines_say_the_units_of_their_figures(mixed_fit: Fit, forecast: ls.Forecast) -> None:
    row = pd.DataFrame([ROW])
    assert "elo in Elo, minutes in minutes, cost in dollars, others" in forecast.headline
    spread = "in standard deviations of each benchmark's scores"
    assert f"sd_after {spread}" in ls.next_benchmark(mixed_fit, row).headline
    assert f"rmse_left {spread}" in ls.probe_set(mixed_fit, 1).headline
    assert "in Elo" in ls.next_benchmark(mixed_fit, row, targets=["elo"]).headline
    passing = ls.probability_above(mixed_fit, row, {"elo": 1200, "cost": 5})
    assert 'at most the threshold on "cost"' in passing.headline
    assert "cost in dollars" in passing.headline


def test_the_planner_counts_lower_for_better_where_it_is(mixed_fit: Fit) -> None:
    row = {name: ROW[name] for name in ("params_b", "tokens_t")}
    answer = Planner(mixed_fit).answer(Planned("new", "new", row, {}))
    fitted = mixed_fit.evaluator.at(
        mixed_fit.samples, mixed_fit.scores.dataset, residuals="fitted"
    ).mean.transpose("sample", "model", "benchmark")
    spread = fitted.mean("sample").std("model") * np.array([1, 1, 1, -1, -1])
    own = answer.forecast.mean_draws.isel(model=0).values
    by_hand = ((own - fitted.mean(["sample", "model"]).values) / spread.values).mean(axis=1)
    assert np.allclose(answer.index.values, by_hand)
    table = answer.passing({"cost": 5.0}, 0.9).set_index("benchmark")
    draws = answer.forecast.draws.sel(benchmark="cost")
    assert table.loc["cost", "probability"] == pytest.approx(float((draws <= 5).mean()))
    assert table.loc["cost", "unit"] == "dollars"


def test_working_responses_of_mixed_scales_divide_by_nothing_that_is_zero(mixed) -> None:
    prepared = design(mixed_spec(), mixed)
    with np.errstate(all="raise"):
        response = response_of_scores(prepared)
        table = _logit_table(prepared)
    assert np.isfinite(response.eta).all() and np.isfinite(response.weight).all()
    assert np.isfinite(table.logits).all()
