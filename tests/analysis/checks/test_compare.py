"""Comparison and stacking: against ArviZ, a known optimum and mixtures computed by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis.checks.ranking import joint_families, stacking_weights
from latentscale.analysis.forecasts.stack import _counts
from latentscale.declare import spec_from_dict
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit


@pytest.fixture(scope="session")
def rival(pooled_fit: Fit) -> Fit:
    """The same draws with far too much noise: a worse model of the scores."""
    posterior = pooled_fit.posterior
    posterior = posterior.assign(precision=posterior["precision"] / 8)
    drawn = Draws(posterior, None, pooled_fit.status, {})
    return replace(pooled_fit, tree=to_tree(pooled_fit.spec, pooled_fit.design, drawn))


def loo_of(fit: Fit) -> azs.utils.ELPDDataLOO:
    """Return ArviZ's own leave-one-out, with the tail's length from the fit's efficiency."""
    share = fit.convergence().table["ess_bulk"].mean() / fit.samples.sizes["sample"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return azs.loo(fit.tree, pointwise=True, var_name="score", reff=min(share, 1.0))


def test_stacking_weights_of_a_mixture() -> None:
    rng = np.random.default_rng(3)
    first = rng.random(20_000) < 0.7
    y = np.where(first, rng.normal(-2, 1, 20_000), rng.normal(2, 1, 20_000))
    elpd = pd.DataFrame({m: stats.norm(m, 1).logpdf(y) for m in (-2, 2)})
    assert stacking_weights(elpd)[0] == pytest.approx(0.7, abs=0.02)
    assert stacking_weights(elpd - 900)[0] == pytest.approx(0.7, abs=0.02)
    ruled_out = pd.concat([elpd, elpd.iloc[:2] * 0 - np.inf])  # ruled out by both
    assert stacking_weights(ruled_out)[0] == pytest.approx(0.7, abs=0.02)


def test_a_comparison_says_which_fits_have_not_converged(pooled_fit: Fit, rival: Fit) -> None:
    well = replace(pooled_fit, status=replace(pooled_fit.status, converged=True))
    stuck = replace(
        rival,
        status=replace(
            rival.status, converged=False, message="not converged (max R-hat 1.8); other modes"
        ),
    )
    comparison = ls.compare({"well": well, "stuck": stuck})
    assert [line for line in comparison.advice if "its status" in line] == [comparison.advice[0]]
    assert comparison.advice[0].startswith('The densities of "stuck" come from draws that may not')
    assert comparison.notes == ('Fit: "stuck": not converged (max R-hat 1.8)',)
    assert comparison.notes[0] in str(comparison)


def test_a_comparison_agrees_with_arviz(pooled_fit: Fit, rival: Fit) -> None:
    comparison = ls.compare({"bad": rival, "good": pooled_fit})
    loo = {"bad": loo_of(rival), "good": loo_of(pooled_fit)}
    theirs = azs.compare(loo, method="stacking", round_to="none")
    assert list(comparison.table()["name"]) == ["good", "bad"]
    by_name = comparison.table().set_index("name")
    for name in ("good", "bad"):
        assert by_name.loc[name, "elpd"] == pytest.approx(theirs.loc[name, "elpd"])
        assert by_name.loc[name, "p_loo"] == pytest.approx(theirs.loc[name, "p"])
        assert comparison.weights[name] == pytest.approx(theirs.loc[name, "weight"], abs=0.02)
    wide = comparison.cells.pivot(index=["model", "benchmark"], columns="name", values="elpd")

    def merit(weights: pd.Series) -> float:
        return float(np.log(np.exp(wide) @ weights.loc[list(wide)].astype(float)).sum())

    assert merit(pd.Series(comparison.weights)) >= merit(theirs["weight"]) - 1e-9
    assert by_name.loc["bad", "difference"] == pytest.approx(theirs.loc["bad", "elpd_diff"])
    assert by_name.loc["good", "difference"] == 0 and by_name.loc["bad", "difference_se"] > 0
    assert by_name.loc["bad", "high_k"] == (loo["bad"].pareto_k > loo["bad"].good_k).sum()
    assert len(comparison.cells) == 2 * pooled_fit.scores.n_observed
    assert "<table" in comparison._repr_html_() and "good" in str(comparison)


def test_any_text_is_a_name(pooled_fit: Fit, rival: Fit) -> None:
    """Names of the table's own columns are allowed; names that are not text are refused."""
    wanted = ls.compare({"good": pooled_fit, "bad": rival}).table()["elpd"]
    for good, bad in (("family", "name"), ("model", "benchmark"), ("elpd", "0"), ("index", "fold")):
        comparison = ls.compare({good: pooled_fit, bad: rival})
        assert list(comparison.table()["name"]) == [good, bad]
        np.testing.assert_array_equal(comparison.table()["elpd"], wanted)
        assert comparison.weights.keys() == {good, bad}
        tables = {good: backtested(1, 0.03), bad: backtested(2, 0.15)}
        held_out = ls.studies.compare_backtests(tables)
        assert (
            list(held_out.table()["name"]) == [good, bad] and held_out.table()["mae"].notna().all()
        )
    for odd in (3, None, "", ("a", "b")):
        with pytest.raises(ls.FitError, match="Names must be text"):
            ls.compare({odd: pooled_fit, "b": rival})  # type: ignore[dict-item]
        with pytest.raises(ls.DataError, match="Names must be text"):
            ls.studies.compare_backtests({odd: backtested(1, 0.1), "b": backtested(1, 0.1)})  # type: ignore[dict-item]


def test_different_scores_are_refused(
    pooled_fit: Fit, quick_spec: ls.ModelSpec, prior_fit: Callable[..., Fit]
) -> None:
    scores = pooled_fit.scores
    fewer = prior_fit(quick_spec, scores.without([scores.models[3]]))
    with pytest.raises(ls.FitError, match=f"such as .{scores.models[3]} on alpha"):
        ls.compare({"a": pooled_fit, "b": fewer})
    other = scores.dataset.assign(score=scores.dataset["score"] * 0.9)
    with pytest.raises(ls.FitError, match="different scores of the same cells"):
        ls.compare({"a": pooled_fit, "b": prior_fit(quick_spec, ls.Scores(other))})
    with pytest.raises(ls.FitError, match="at least two fits"):
        ls.compare({"a": pooled_fit})
    with pytest.raises(ls.FitError, match=r"fits\[.b.\] must be a Fit"):
        ls.compare({"a": pooled_fit, "b": scores})  # type: ignore[dict-item]


def backtested(seed: int, error: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    family = np.repeat([f"f{k}" for k in range(8)], 5)
    score = rng.uniform(0.2, 0.8, 40)
    median = score + np.random.default_rng(seed).normal(0, error, 40)
    return pd.DataFrame(
        {
            "fold": family,
            "model": [f"m{k}" for k in range(40)],
            "family": family,
            "benchmark": "b",
            "score": score,
            "median": median,
            "lower": median - 0.1,
            "upper": median + 0.1,
            "crps": (score - median).__abs__(),
            "log_score": stats.norm(median, 0.05).logpdf(score),
        }
    )


def test_backtests_by_hand() -> None:
    good, bad = backtested(1, 0.03), backtested(2, 0.15)
    comparison = ls.studies.compare_backtests(
        {"bad": bad.sample(frac=1, random_state=1), "good": good}
    )
    row = comparison.table().set_index("name").loc["bad"]
    assert row["elpd"] == pytest.approx(bad["log_score"].sum())
    assert row["difference"] == pytest.approx((bad["log_score"] - good["log_score"]).sum())
    errors = (bad["score"] - bad["median"]).abs() - (good["score"] - good["median"]).abs()
    assert row["mae_difference"] == pytest.approx(errors.mean())
    # Families are of one size: the standard error of a mean of 8 family means.
    by_family = errors.groupby(bad["family"]).mean()
    assert row["mae_difference_se"] == pytest.approx(by_family.std(ddof=0) / np.sqrt(8), rel=0.1)
    assert comparison.held_out and comparison.weights["good"] > 0.9
    assert sum(comparison.weights.values()) == pytest.approx(1)


def test_differences_within_one_family_are_said_to_have_no_standard_error() -> None:
    good, bad = (backtested(k, 0.05).assign(family="f0") for k in (1, 2))
    alone = ls.studies.compare_backtests({"good": good, "bad": bad})
    assert alone.table()["difference_se"].isna().all()
    assert any("belong to one family" in line for line in alone.advice)
    several = ls.studies.compare_backtests({"a": backtested(1, 0.05), "b": backtested(2, 0.05)})
    assert not any("belong to one family" in line for line in several.advice)


def test_backtests_of_different_folds_are_refused() -> None:
    table = backtested(1, 0.03)
    with pytest.raises(ls.DataError, match='such as m0 on b in the fold "f0"'):
        ls.studies.compare_backtests({"a": table, "b": table.iloc[1:]})
    with pytest.raises(ls.DataError, match='"log_score"'):
        ls.studies.compare_backtests({"a": table, "b": table.drop(columns="log_score")})
    with pytest.raises(ls.DataError, match="at least two"):
        ls.studies.compare_backtests({"a": table})
    with pytest.raises(ls.DataError, match="different scores"):
        ls.studies.compare_backtests({"a": table, "b": table.assign(score=0.5)})


def test_families_that_differ_between_tables_lose_no_score(pooled_fit: Fit, rival: Fit) -> None:
    """A spec without families accepts any: log densities are matched by label."""
    families = pooled_fit.scores.dataset["family"].values.copy()
    families[:3] = ["zz", "zz", "yy"]
    dataset = rival.scores.dataset.assign(family=("model", families))
    apart = replace(rival, scores=replace(rival.scores, dataset=dataset))
    wanted = ls.compare({"good": pooled_fit, "bad": rival}).table()
    got = ls.compare({"good": pooled_fit, "bad": apart}).table()
    same = [name for name in wanted if name != "difference_se"]
    pd.testing.assert_frame_equal(got[same], wanted[same], check_exact=True)
    assert got["difference_se"].iloc[1] > 0
    table = backtested(1, 0.03)
    worse = backtested(2, 0.15).assign(family=[f"g{k % 8}" for k in range(40)])
    row = ls.studies.compare_backtests({"good": table, "bad": worse}).table().iloc[1]
    assert row["cells"] == 40
    assert row["difference"] == pytest.approx((worse["log_score"] - table["log_score"]).sum())


def test_scores_of_one_family_in_any_table_are_resampled_together() -> None:
    own = pd.DataFrame({"a": ["x", "x", "y", "z"], "b": ["p", "q", "q", "r"]})
    assert list(joint_families(own)) == ["x", "x", "x", "z"]
    assert list(joint_families(own[["a"]])) == ["x", "x", "y", "z"]


def test_backtests_of_mixed_units_are_compared_in_one_unit() -> None:
    """The spread of a benchmark's scores is from the whole table, which may hold more models."""
    table = backtested(1, 0.03).assign(scale="real", unit="Elo", spread=0.2)
    table.loc[:9, ["benchmark", "unit", "spread"]] = ["c", "minutes", 3.0]
    wider = table.assign(spread=table["spread"] * 2)
    rows = ls.studies.compare_backtests({"a": table, "b": wider}).table()
    assert rows["difference"].abs().max() == 0 and rows["mae_difference"].abs().max() == 0
    wanted = table["log_score"].sum() + 30 * np.log(0.2) + 10 * np.log(3.0)
    assert rows["elpd"].tolist() == pytest.approx([wanted] * 2)


def test_backtests_with_missing_numbers_are_refused() -> None:
    table = backtested(1, 0.03)
    holed = table.assign(log_score=table["log_score"].where(table.index != 4))
    with pytest.raises(
        ls.DataError, match=r'"log_score" of "b" must hold a number .* row 4 has nan'
    ):
        ls.studies.compare_backtests({"a": table, "b": holed})
    with pytest.raises(ls.DataError, match=r'"log_score" of "b" must hold .* row 0 has inf'):
        ls.studies.compare_backtests({"a": table, "b": table.assign(log_score=np.inf)})
    unscaled = table.assign(scale="real", unit="Elo", spread=0.0)
    with pytest.raises(ls.DataError, match='"spread" of "a" must hold a number above 0'):
        ls.studies.compare_backtests({"a": unscaled, "b": table})


def ruled_out(table: pd.DataFrame, rows: list[int]) -> pd.DataFrame:
    return table.assign(log_score=table["log_score"].where(~table.index.isin(rows), -np.inf))


def test_scores_that_all_rule_out_are_left_out_and_counted() -> None:
    good, bad = backtested(1, 0.03), backtested(2, 0.15)
    tables = {"bad": ruled_out(bad, [0, 7]), "good": ruled_out(good, [0, 7])}
    result = ls.studies.compare_backtests(tables)
    kept = ~good.index.isin([0, 7])
    rows = result.table().set_index("name")
    assert rows.loc["good", "elpd"] == pytest.approx(good["log_score"][kept].sum())
    wanted = bad["log_score"][kept].sum() - good["log_score"][kept].sum()
    assert rows.loc["bad", "difference"] == pytest.approx(wanted)
    assert rows["cells"].tolist() == [38, 38] and rows["ruled_out"].tolist() == [2, 2]
    assert rows.loc["good", "mae"] == pytest.approx((good["score"] - good["median"]).abs().mean())
    assert result.headline == (
        '2 models by held-out log density of 38 of 40 scores: "good" is highest; 2 ruled out by all'
    )
    assert (
        '2 scores ruled out by all (log score -inf), such as m0 on b in the fold "f0"'
        in (result.advice[0])
    )
    nothing = {name: table.assign(log_score=-np.inf) for name, table in tables.items()}
    with pytest.raises(ls.DataError, match='Every score has the log score -inf in "bad", "good"'):
        ls.studies.compare_backtests(nothing)


def test_a_score_that_one_rules_out_makes_its_sum_infinite() -> None:
    good, bad = backtested(1, 0.03), backtested(2, 0.15)
    one = ls.studies.compare_backtests({"good": good, "bad": ruled_out(bad, [3])})
    rows = one.table().set_index("name")
    assert rows["elpd"].tolist() == [pytest.approx(good["log_score"].sum()), -np.inf]
    assert rows.loc["bad", "difference"] == -np.inf and np.isnan(rows.loc["bad", "difference_se"])
    assert any('another model allows: "bad" 1.' in line for line in one.advice)
    each = ls.studies.compare_backtests({"good": ruled_out(good, [0]), "bad": ruled_out(bad, [5])})
    assert each.headline.endswith("none is highest, as each rules out a score that another allows")
    assert (
        each.table()["difference"].isna().all() and 0 < each.weights["bad"] < each.weights["good"]
    )
    assert not any("belong to one family" in line for line in each.advice)
    names = [label.get_text() for label in each.plot().axes[0].get_yticklabels()]
    assert names == ["good (-inf)", "bad (-inf)"]


def test_exact_scores_moved_inside_by_other_items_are_refused(
    quick_spec: ls.ModelSpec, small_scores: ls.Scores, prior_fit: Callable[..., Fit]
) -> None:
    exact = small_scores.dataset.copy(deep=True)
    exact["score"].loc[{"model": small_scores.models[0], "benchmark": "alpha"}] = 1.0
    few, many = (
        prior_fit(quick_spec, ls.Scores(exact.assign(n_items=0 * exact["n_items"] + n)))
        for n in (100, 1000)
    )
    with pytest.raises(ls.FitError, match=r"at 0.995 and 0.9995.*same n_items"):
        ls.compare({"few": few, "many": many})


def test_single_precision_is_the_same_score_and_a_small_time_is_another(
    small_scores: ls.Scores, quick_spec: ls.ModelSpec, prior_fit: Callable[..., Fit]
) -> None:
    frame = small_scores.to_frame().drop(columns=["beta"])
    frame["alpha"] = (1200 + 100 * frame["alpha"]).round(1)
    frame["gamma"] = 1e-7 * (1 + frame["gamma"].round(3))
    names = {"alpha": ls.Benchmark(scale="real"), "gamma": ls.Benchmark(scale="positive")}
    single = frame.astype({"alpha": "float32", "delta": "float32"})
    one, two = (
        prior_fit(quick_spec, ls.Scores.from_frame(f, benchmarks=names)) for f in (frame, single)
    )
    assert len(ls.compare({"double": one, "single": two}).table()) == 2
    rows = frame_of(one)
    assert ls.stack({"a": one, "b": two}, rows, {"a": 1.0, "b": 1.0}).draws.sizes["model"] == 2
    row = single.dropna().iloc[:1]
    plain = ls.predict(one, row)
    assert plain.conditioning is None  # nothing there is new
    with pytest.raises(ls.DataError, match=r'"gamma": the fit has .*e-07, this row 3e-07'):
        ls.predict(one, row.assign(gamma=3e-7))


def frame_of(fit: Fit) -> pd.DataFrame:
    return pd.DataFrame(
        {"model": ["new", "other"], "family": ["n", "o"], "params_b": [7, 70], "tokens_t": [2, 9]}
    ).assign(instruct=0)


def test_a_stacked_forecast_is_the_mixture(pooled_fit: Fit, rival: Fit) -> None:
    frame = frame_of(pooled_fit)
    fits = {"a": pooled_fit, "b": rival}
    mixture = ls.stack(fits, frame, {"a": 3.0, "b": 1.0}, seed=2)
    parts = {name: ls.predict(fit, frame, seed=2) for name, fit in fits.items()}
    assert mixture.draws.sizes["sample"] == 800
    mean = 0.75 * parts["a"].mean_draws.mean("sample") + 0.25 * parts["b"].mean_draws.mean("sample")
    np.testing.assert_allclose(mixture.mean_draws.mean("sample"), mean, atol=0.04)
    # Each draw, with its expectation and precision, comes from one of the fits.
    a = parts["a"]
    pairs = {
        (float(m), float(d)) for m, d in zip(a.mean_draws[:, 0, 0], a.draws[:, 0, 0], strict=True)
    }
    mine = zip(mixture.mean_draws[:, 0, 0].values, mixture.draws[:, 0, 0].values, strict=True)
    assert sum((float(m), float(d)) in pairs for m, d in mine) == 600
    truth = parts["a"].draws.isel(sample=0, drop=True).clip(0.01, 0.99)
    mixed = np.log(0.75 * np.exp(a.log_score(truth)) + 0.25 * np.exp(parts["b"].log_score(truth)))
    np.testing.assert_allclose(mixture.log_score(truth), mixed, atol=0.1)
    assert len(mixture.table()) == 2 * len(pooled_fit.scores.benchmarks)


def test_a_weight_of_zero_leaves_one_fit(pooled_fit: Fit, rival: Fit) -> None:
    frame = frame_of(pooled_fit)
    mixture = ls.stack({"a": pooled_fit, "b": rival}, frame, {"a": 1.0, "b": 0.0}, seed=2)
    alone = ls.predict(pooled_fit, frame, seed=2)
    np.testing.assert_allclose(
        np.sort(mixture.draws.isel(model=0, benchmark=0)),
        np.sort(alone.draws.isel(model=0, benchmark=0)),
    )


def test_weights_of_any_size_are_taken_as_shares(pooled_fit: Fit, rival: Fit) -> None:
    frame, fits = frame_of(pooled_fit), {"a": pooled_fit, "b": rival}
    huge = ls.stack(fits, frame, {"a": 1e308, "b": 1e308}, seed=1)
    plain = ls.stack(fits, frame, {"a": 1.0, "b": 1.0}, seed=1)
    xr.testing.assert_equal(huge.draws, plain.draws)


def test_stacking_misused(pooled_fit: Fit, rival: Fit) -> None:
    frame, fits = frame_of(pooled_fit), {"a": pooled_fit, "b": rival}
    for weights, said in (
        ({"a": 1.0}, 'missing "b"'),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, 'unknown "c"'),
        ({"a": -1.0, "b": 1.0}, 'weight of "a"'),
        ({"a": 0.0, "b": 0.0}, "All weights are 0"),
    ):
        with pytest.raises(ls.DataError, match=said):
            ls.stack(fits, frame, weights)


@pytest.fixture(scope="session")
def with_skills(
    prior_fit: Callable[..., Fit], known_spec: ls.ModelSpec, small_scores, with_posterior
) -> Fit:
    """A fit of two anchored skills, each of which alone determines its anchor's expected score."""
    fit = prior_fit(known_spec, small_scores, draws=400)
    return with_posterior(fit, fit.posterior.assign(intercept=0 * fit.posterior["intercept"]))


def reordered(fit: Fit, seed: int) -> Fit:
    """Return the fit with its draws in another order: the same posterior."""
    order = np.random.default_rng(seed).permutation(fit.posterior.sizes["draw"])
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    groups = {n: g.isel(draw=order) if "draw" in g.dims else g for n, g in groups.items()}
    groups = {n: g.drop_vars("draw", errors="ignore") for n, g in groups.items()}
    return replace(fit, tree=xr.DataTree.from_dict(groups))


def test_every_row_of_a_mixture_is_one_draw_of_one_fit(with_skills: Fit) -> None:
    """A skill and the scores that it drives are as correlated in a mixture as in one fit."""
    frame = frame_of(with_skills)
    fits = {"a": with_skills, "b": reordered(with_skills, 1)}
    mixture = ls.stack(fits, frame, {"a": 1.0, "b": 1.0}, seed=2)
    alone = ls.predict(with_skills, frame, seed=2)

    def correlation(forecast: ls.results.Forecast) -> float:
        skill = forecast.skill_draws.isel(model=0, skill=0)
        score = forecast.mean_draws.isel(model=0).sel(benchmark="alpha")
        return stats.spearmanr(skill, score).statistic

    assert correlation(alone) > 0.999
    assert correlation(mixture) > 0.999
    parts = {name: ls.predict(fit, frame, seed=2) for name, fit in fits.items()}
    for row in range(0, 400, 29):
        mixed = mixture.draws.isel(sample=row)
        own = {"sample": int(mixed["fit_sample"])}
        part = parts[str(mixed["fit"].item())]
        for name in ("draws", "mean_draws", "skill_draws"):
            mine = getattr(mixture, name).isel(sample=row)
            np.testing.assert_array_equal(mine, getattr(part, name).sel(own))
        np.testing.assert_array_equal(
            mixture.precision_draws.isel(sample=row, model=0, missing_dims="ignore"),
            part.precision_draws.sel(own),
        )


def test_the_tail_of_the_noise_stays_with_its_draw(
    prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    likelihoods = ({"kind": "student-t"}, {"kind": "student-t"})
    fits = {}
    for place, likelihood in enumerate(likelihoods):
        document = {"name": f"t{place}", "covariates": ["log_flops"]}
        document["benchmarks"] = {"likelihood": likelihood, "slopes": ["log_flops"]}
        fits[f"t{place}"] = prior_fit(spec_from_dict(document), small_scores, seed=place)
    frame = frame_of(fits["t0"])
    mixture = ls.stack(fits, frame, {"t0": 0.5, "t1": 0.5}, seed=1)
    parts = {name: ls.predict(fit, frame, seed=1) for name, fit in fits.items()}
    tail, phi = mixture.noise.tail, mixture.precision_draws
    for row in range(0, 60, 7):
        at = mixture.draws.isel(sample=row)
        part, own = parts[str(at["fit"].item())], {"sample": int(at["fit_sample"])}
        np.testing.assert_array_equal(tail.isel(sample=row), part.noise.tail.sel(own))
        np.testing.assert_array_equal(phi.isel(sample=row), part.precision_draws.sel(own))
    truth = parts["t0"].draws.isel(sample=0, drop=True).clip(0.01, 0.99)
    assert np.isfinite(mixture.log_score(truth)).all()


def test_skills_that_mean_different_things_are_left_out_with_a_reason(
    with_skills: Fit, prior_fit: Callable[..., Fit], known_spec: ls.ModelSpec, small_scores
) -> None:
    frame = frame_of(with_skills)
    other = ls.studies.anchor_variants(known_spec, [["beta", "gamma"]])["beta + gamma"]
    free = ls.load_spec("pooled_flops")
    for spec, said in ((other, "anchors"), (free, "number")):
        fits = {"a": with_skills, "b": prior_fit(spec, small_scores, draws=100)}
        mixture = ls.stack(fits, frame, {"a": 1.0, "b": 1.0})
        assert mixture.skill_draws is None and said in mixture.no_skills and said in repr(mixture)
    fewer = small_scores.without([small_scores.models[0]])
    fits = {"a": with_skills, "b": prior_fit(known_spec, fewer, draws=100)}
    assert "fitted models" in ls.stack(fits, frame, {"a": 1.0, "b": 1.0}).no_skills


def test_a_mixture_tells_how_its_parts_were_conditioned(with_skills: Fit) -> None:
    frame = frame_of(with_skills).assign(alpha=[0.5, np.nan])
    fits = {"a": with_skills, "b": reordered(with_skills, 1)}
    mixture = ls.stack(fits, frame, {"a": 1.0, "b": 1.0}, seed=2)
    given = mixture.conditioning
    parts = [ls.predict(fit, frame, seed=2).conditioning for fit in fits.values()]
    assert given is not None and given.n_scores == 1
    assert given.ess == pytest.approx(1 / sum(0.25 / min(part.ess, 200) for part in parts))
    np.testing.assert_array_equal(given.index, mixture.draws["fit_sample"])


def in_other_units(fit: Fit, factor: float, unit: str) -> Fit:
    """Return a fit whose first benchmark is in other units: scores times `factor`."""
    dataset = fit.scores.dataset.copy(deep=True)
    dataset["score"][:, 0] *= factor
    dataset["unit"] = ("benchmark", [unit, *[""] * (dataset.sizes["benchmark"] - 1)])
    return replace(fit, scores=replace(fit.scores, dataset=dataset))


def test_fits_of_other_units_are_not_stacked(pooled_fit: Fit) -> None:
    weights, frame = {"a": 0.5, "b": 0.5}, frame_of(pooled_fit)
    minutes, seconds = (in_other_units(pooled_fit, 1, unit) for unit in ("minutes", "s"))
    with pytest.raises(ls.FitError, match=r"different units \(minutes and s\)"):
        ls.stack({"a": minutes, "b": seconds}, frame, weights)
    points = in_other_units(pooled_fit, 100, "")
    with pytest.raises(ls.FitError, match="different scores of the same cells"):
        ls.stack({"a": pooled_fit, "b": points}, frame, weights)


def test_draws_are_split_by_largest_remainder() -> None:
    assert _counts({"a": 0.74, "b": 0.26}, 10) == {"a": 7, "b": 3}
    assert _counts({"a": 0.58, "b": 0.21, "c": 0.21}, 10) == {"a": 6, "b": 2, "c": 2}
