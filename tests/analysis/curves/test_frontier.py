"""The frontier: the best model fitted by a date, then the best including future models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.curves.releases import (
    drawn_to_come,
    releases_to_come,
    spread_order,
    with_drawn_releases,
)
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.data.releases import release_of_rows
from latentscale.data.scores import Scores
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError, SpecError
from latentscale.model.other_settings import raw_of_settings
from latentscale.posterior.fit import Fit

SPEC = spec_from_dict(
    {
        "name": "dated",
        "covariates": ["released"],
        "skills": {"count": 1, "residual": True},
        "priors": {"slope": {"dist": "Normal", "mu": 1.0, "sigma": 0.1}},
    }
)


@pytest.fixture(scope="module")
def dated(small_scores: Scores) -> Scores:
    frame = small_scores.to_frame().drop(columns=["params_b", "tokens_t"])
    days = pd.to_timedelta(40 * np.arange(len(frame)), unit="D")
    frame["released"] = pd.Timestamp("2024-05-01") + days
    return Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)


@pytest.fixture(scope="module")
def fit(dated: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(SPEC, dated, draws=200)


def test_up_to_the_last_release_it_is_the_best_fitted_model(fit: Fit) -> None:
    dates = ["2024-05-01", "2024-08-01", "2025-07-15"]
    frontier = ls.frontier(fit, benchmark="alpha", dates=dates)
    mean = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").mean
    mean = mean.sel(benchmark="alpha").transpose("sample", "model")
    for place, count in enumerate((1, 3, 12)):
        np.testing.assert_allclose(
            frontier.draws.isel(date=place), mean.isel(model=slice(count)).max("model")
        )
    assert (frontier.table()["probability_new"] == 0).all()
    assert frontier.table()["leader"].iloc[0] == fit.scores.models[0]


def test_the_headline_has_a_unit_where_one_is_stated(fit: Fit) -> None:
    frontier = ls.frontier(fit, benchmark="alpha", dates=["2025-07-15"])
    assert "(" in str(frontier)
    assert ") Elo" in str(replace(frontier, unit="Elo"))
    assert "positive" not in str(replace(frontier, unit="positive"))  # the name of a scale


def test_after_it_the_frontier_rises_with_releases_to_come(fit: Fit) -> None:
    dates = ["2025-07-15", "2026-01-01", "2027-01-01"]
    frontier = ls.frontier(fit, benchmark="alpha", dates=dates, seed=1)
    steps = frontier.draws.diff("date")
    assert bool((steps >= 0).all()) and float(steps.mean()) > 0
    assert frontier.per_year == 10  # the last ten of the twelve models came within a year
    none = ls.frontier(fit, benchmark="alpha", dates=dates, per_year=0)
    assert bool((none.draws.diff("date") == 0).all())
    assert frontier.scale == "fraction"
    passing = frontier.passing(0.5)
    assert passing["probability"].is_monotonic_increasing
    assert "2027-01-01" in repr(frontier)


def test_the_index_has_a_frontier_on_its_own_scale(fit: Fit) -> None:
    eta = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").eta
    order = eta.mean(["sample", "benchmark"]).values.argsort()
    anchors = {fit.scores.models[order[0]]: 130, fit.scores.models[order[-1]]: 150}
    frontier = ls.frontier(fit, anchors=anchors, dates=["2025-07-15"])
    index = ls.capability_index(fit, anchors=anchors)
    np.testing.assert_allclose(frontier.draws.isel(date=0), index.draws.max("model"), rtol=1e-9)
    assert frontier.scale == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"benchmark": "alfa", "dates": ["2025-01-01"]}, '"alfa" is not a fitted benchmark'),
        ({"dates": ["2025-01-01"]}, "Name a benchmark"),
        ({"benchmark": "alpha", "dates": ["2025-01-01"], "anchors": {"x": 1}}, "not both"),
        ({"benchmark": "alpha", "dates": ["soon"]}, "dates must be dates"),
        ({"benchmark": "alpha", "dates": ["2026Q1"]}, "2026Q1 has no day: .*middle, 2026-02-15,"),
        ({"benchmark": "alpha", "dates": ["2026"]}, "2026 has no day: .*middle, 2026-07-01,"),
        ({"benchmark": "alpha", "dates": ["2999-01-01"]}, "Dates lie in the years 1678 to 2261"),
        ({"benchmark": "alpha", "dates": []}, "at least one date"),
        ({"benchmark": "alpha", "dates": ["2020-01-01"]}, "none before the first release"),
        ({"benchmark": "alpha", "dates": ["2026-01-01"], "per_year": -1}, "per_year"),
    ],
)
def test_what_cannot_be_asked_is_refused(fit: Fit, arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ls.frontier(fit, **arguments)


def test_a_spec_without_dates_says_nothing_of_the_future(
    dated: Scores, prior_fit: Callable[..., Fit], small_scores: Scores
) -> None:
    plain = spec_from_dict({"name": "plain", "covariates": [], "skills": {"count": 1}})
    fit = prior_fit(plain, dated, draws=20)
    assert ls.frontier(fit, benchmark="alpha", dates=["2025-01-01"]).draws.sizes["date"] == 1
    with pytest.raises(SpecError, match='no covariate "released"'):
        ls.frontier(fit, benchmark="alpha", dates=["2027-01-01"])
    with pytest.raises(DataError, match="release date"):
        ls.frontier(
            prior_fit(plain, small_scores, draws=5), benchmark="alpha", dates=["2027-01-01"]
        )


def test_undisclosed_tokens_of_releases_to_come_are_drawn_from_their_prior(
    small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    frame = small_scores.to_frame()
    days = pd.to_timedelta(40 * np.arange(len(frame)), unit="D")
    frame["released"] = pd.Timestamp("2024-05-01") + days
    frame.loc[frame.index[-4:], "tokens_t"] = np.nan
    scores = Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    document = {"name": "estimated", "covariates": ["released", "log_tokens"]}
    spec = spec_from_dict(document | {"undisclosed": {"kind": "estimated"}})
    # Tokens far above the others' lift models that hide them, fitted or future, above all others.
    priors = {
        "slope": ls.Prior("Normal", mu=1, sigma=0.01),
        "log_tokens": ls.Prior("Normal", mu=6, sigma=0.01),
    }
    fit = prior_fit(spec.with_priors(priors), scores, draws=100)
    frontier = ls.frontier(fit, benchmark="alpha", dates=["2025-12-01"], seed=1)
    # Exchangeable with the fitted ones except for dates, so near a half; the standard error is
    # 0.05.
    assert frontier.table()["probability_new"].item() > 0.1


def hidden_tokens(small_scores: Scores, efforts: bool) -> Scores:
    """Return a table whose last models hide their tokens, at two efforts each if asked for."""
    frame = small_scores.to_frame()
    days = pd.to_timedelta(40 * np.arange(len(frame)), unit="D")
    frame["released"] = pd.Timestamp("2024-05-01") + days
    frame.loc[frame.index[-4:], "tokens_t"] = np.nan
    if efforts:
        again = frame.assign(model=frame["model"] + " high", effort="high")
        frame = pd.concat([frame.assign(effort="low"), again], ignore_index=True)
    return Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)


ESTIMATED = {"covariates": ["released", "log_tokens"], "undisclosed": {"kind": "estimated"}}


def test_undisclosed_tokens_of_releases_do_not_hang_on_how_many_follow(
    small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    spec = spec_from_dict({"name": "open", **ESTIMATED})
    fit = prior_fit(spec, hidden_tokens(small_scores, efforts=False), draws=40)
    near, far = "2026-01-01", "2027-01-01"
    short = ls.frontier(fit, benchmark="alpha", dates=[near], seed=1)
    long = ls.frontier(fit, benchmark="alpha", dates=[near, far], seed=1)
    np.testing.assert_array_equal(short.draws.sel(date=near), long.draws.sel(date=near))


def test_settings_of_a_release_share_the_tokens_that_it_does_not_disclose(
    small_scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    """The maximum over several draws for one model would be above what it can reach."""
    spec = spec_from_dict({"name": "open", **ESTIMATED})
    fit = prior_fit(spec, hidden_tokens(small_scores, efforts=True), draws=20)
    released = fit.scores.dataset["released"].values.astype("datetime64[ns]")
    coming = releases_to_come(fit, released, np.datetime64("2026-07-01", "ns"), 12.0)
    assert coming is not None and len(coming.names) < len(coming.rows)
    rows = planned_rows(fit, coming.rows)
    rng = np.random.default_rng(1)
    drawn = with_drawn_releases(fit, fit.samples, coming, rows, rng)["log_tokens"]
    names = set(drawn["undisclosed_model"].values.tolist())
    hidden = [(row, one) for row, one in zip(rows["model"].values, coming.release, strict=True)]
    hidden = [(row, one) for row, one in hidden if bool(rows["tokens"].sel(model=row).isnull())]
    assert len(hidden) > len({one for _, one in hidden}) > 1
    assert {row for row, _ in hidden} <= names
    for row, one in hidden:
        assert drawn.sel(undisclosed_model=row, drop=True).equals(
            drawn.sel(undisclosed_model=one, drop=True)
        )
    first, second = list(dict.fromkeys(one for _, one in hidden))[:2]
    assert not np.allclose(drawn.sel(undisclosed_model=first), drawn.sel(undisclosed_model=second))


def test_each_level_has_a_frontier_of_its_own(fit: Fit) -> None:
    dates = ["2024-05-01", "2025-07-15", "2027-01-01"]
    each = ls.frontier(fit, benchmark="alpha", dates=dates, by="family", seed=1)
    assert each.draws.dims == ("sample", "family", "date")
    table = each.table()
    assert table.columns.tolist()[:3] == ["family", "date", "median"]
    mean = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").mean
    mean = mean.sel(benchmark="alpha").transpose("sample", "model")
    families = fit.scores.dataset["family"].values
    for family in fit.scores.families:
        own = each.draws.sel(family=family, date="2025-07-15").squeeze()
        mine = mean.isel(model=np.flatnonzero(families == family))
        np.testing.assert_allclose(own, mine.max("model"))
    first = families[0]
    assert table.loc[table["date"] == "2024-05-01", "family"].tolist() == [first]
    last = table[table["date"] == "2027-01-01"]
    assert last["median"].is_monotonic_decreasing and set(last["family"]) == set(families)
    columns = ["family", "date", "probability", "beyond_fitted"]
    assert each.passing(0.5).columns.tolist() == columns
    assert len(each.passing(0.5)) == len(table)


def test_the_best_of_all_levels_is_the_frontier_of_all(fit: Fit) -> None:
    dates = ["2025-07-15", "2027-01-01"]
    whole = ls.frontier(fit, benchmark="alpha", dates=dates, seed=1)
    each = ls.frontier(fit, benchmark="alpha", dates=dates, by="family", seed=1)
    np.testing.assert_allclose(each.draws.max("family"), whole.draws)


def test_levels_of_a_category_are_taken_and_other_columns_refused(
    dated: Scores, prior_fit: Callable[..., Fit]
) -> None:
    frame = dated.to_frame()
    frame["provider"] = ["one", "two", None, *["one"] * (len(frame) - 3)]
    own = Scores.from_frame(frame, benchmarks=dated.benchmark_info)
    some = prior_fit(SPEC, own, draws=40)
    each = ls.frontier(some, benchmark="alpha", dates=["2027-01-01"], by="provider")
    assert set(each.table()["provider"]) == {"one", "two"}
    assert "of each provider" in each.headline
    two = each.table().set_index("provider").loc["two"]
    assert two["probability_new"] == 0  # no release in the last year, so none expected
    with pytest.raises(DataError, match=r'"released" has no levels.* Allowed: .*"provider"'):
        ls.frontier(some, benchmark="alpha", dates=["2027-01-01"], by="released")


@pytest.mark.filterwarnings("error")
def test_levels_that_begin_later_give_no_warning_of_numpy(fit: Fit) -> None:
    dates = ["2024-05-01", "2025-07-15"]
    each = ls.frontier(fit, benchmark="alpha", dates=dates, by="family")
    table = each.table()
    assert len(table) < 2 * table["family"].nunique() and table["median"].notna().all()
    late = each.draws.isnull().any("sample").to_series()
    assert set(table.set_index(["family", "date"]).index) == set(late.index[~late])


def test_the_plot_has_a_line_a_level(fit: Fit) -> None:
    dates = ["2025-07-15", "2026-01-01", "2027-01-01"]
    one = ls.frontier(fit, benchmark="alpha", dates=dates[:1]).plot()
    assert len(one.axes[0].lines) == 1
    each = ls.frontier(fit, benchmark="alpha", dates=dates, by="family").plot(prob=0.5)
    named = [line for line in each.axes[0].lines if not str(line.get_label()).startswith("_")]
    assert len(named) == min(6, len(fit.scores.families))
    assert "of each family" in each.get_suptitle()
    looks = {(line.get_color(), line.get_marker()) for line in named}
    assert len({marker for _, marker in looks}) == len(looks) == len(named)


def test_a_point_estimate_has_no_interval(fit: Fit) -> None:
    """Its interval ran from the estimate to itself."""
    point = replace(fit, status=replace(fit.status, is_posterior=False))
    best = ls.frontier(point, benchmark="alpha", dates=["2025-07-15"], draws=1)
    table = best.table()
    assert table[["lower", "upper", "leader_lower", "leader_upper"]].isna().all(axis=None)
    assert table["median"].notna().all() and "(a point estimate, without an" in best.headline
    figure = best.plot()
    assert "point estimate" in figure.get_suptitle() and "Bands" not in figure.get_suptitle()
    assert figure.axes[0].get_legend_handles_labels()[1] == ["estimate"]


def test_names_of_levels_are_not_read_as_mathematics(fit: Fit) -> None:
    each = ls.frontier(fit, benchmark="alpha", dates=["2027-01-01"], by="family")
    odd = [f"a$_{{$ {name}" for name in each.draws["family"].values]
    draws, leader = (one.assign_coords(family=odd) for one in (each.draws, each.leader_draws))
    replace(each, draws=draws, leader_draws=leader).plot().to_svg()


def test_dates_beyond_the_last_fitted_release_are_marked(fit: Fit) -> None:
    dates = ["2025-05-01", "2025-07-15", "2025-07-16", "2027-01-01"]
    frontier = ls.frontier(fit, benchmark="alpha", dates=dates)
    marks = [False, False, True, True]
    assert frontier.table()["beyond_fitted"].tolist() == marks
    assert frontier.passing(0.5)["beyond_fitted"].tolist() == marks
    assert "after 2025-07-15, the last fitted" in frontier.headline
    solid, dashed = frontier.plot().axes[0].lines
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert len(solid.get_xdata()) == 2 and len(dashed.get_xdata()) == 3  # they meet
    known = ls.frontier(fit, benchmark="alpha", dates=dates[:2])
    assert not known.table()["beyond_fitted"].any() and "models a year" not in known.headline
    assert [line.get_linestyle() for line in known.plot().axes[0].lines] == ["-"]


def test_a_date_has_one_answer_whatever_later_dates_are_asked_for(fit: Fit) -> None:
    """Releases were spread up to the last requested date, and at least one fell on it."""
    soon = "2025-07-16"
    alone = ls.frontier(fit, benchmark="alpha", dates=[soon], per_year=1, seed=1)
    assert alone.table()["probability_new"].item() == 0  # the next is due in a year
    near, far = ("2026-02-01", "2027-01-01")
    short = ls.frontier(fit, benchmark="alpha", dates=[near], seed=1)
    long = ls.frontier(fit, benchmark="alpha", dates=[near, far], seed=1)
    np.testing.assert_array_equal(short.draws.sel(date=near), long.draws.sel(date=near))


def test_where_lower_is_better_the_frontier_falls_and_says_so(
    dated: Scores, prior_fit: Callable[..., Fit]
) -> None:
    frame = dated.to_frame().rename(columns={"alpha": "WER (%)"}).assign(provider="one")
    frame.loc[::2, "provider"] = "two"
    info = dict(dated.benchmark_info)
    down = ls.Benchmark(lower_is_better=True)
    others = {name: info[name] for name in info if name != "alpha"}
    scores = Scores.from_frame(frame, benchmarks={"WER (%)": down, **others})
    fit = prior_fit(SPEC, scores, draws=200)
    ask = {"benchmark": "WER (%)", "dates": ["2024-08-01", "2025-07-15", "2027-01-01"], "seed": 1}
    best = ls.frontier(fit, **ask)
    mean = fit.evaluator.at(fit.samples, scores.dataset, residuals="fitted").mean
    of_models = mean.sel(benchmark="WER (%)").transpose("sample", "model")
    np.testing.assert_allclose(best.draws.isel(date=1), of_models.min("model"))
    assert best.table()["leader"].iloc[1] == scores.models[int(of_models.mean("sample").argmin())]
    assert bool((best.leader_draws >= best.draws).all())
    assert bool((best.draws.diff("date") <= 0).all())
    assert best.table()["probability_new"].iloc[-1] > 0
    chance = best.passing(float(best.draws.isel(date=1).median()))["probability"]
    assert chance.is_monotonic_increasing and chance.iloc[1] == pytest.approx(0.5, abs=0.02)
    each = ls.frontier(fit, **ask, by="provider")
    last = each.table().groupby("provider", sort=False)["median"].last()
    assert last.is_monotonic_increasing  # the lowest is the best, and first
    assert best.headline.startswith("Best (lowest) score on WER (%) by 2027-01-01: ")
    assert f"{float(best.table()['median'].iloc[-1]):.1%}" in best.headline
    assert best.plot().axes[0].get_ylabel() == "WER (%), lower is better"
    other = ls.frontier(fit, **{**ask, "benchmark": "beta"})
    assert other.headline.startswith("Best score") and "lower" not in other.headline
    assert other.plot().axes[0].get_ylabel() == "beta (%)"


def test_the_leader_has_its_own_score_which_the_best_of_all_is_never_below(fit: Fit) -> None:
    ask = {"benchmark": "alpha", "dates": ["2024-05-01", "2025-07-15", "2027-01-01"], "seed": 1}
    mean = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals="fitted").mean
    mean = mean.sel(benchmark="alpha").transpose("sample", "model")
    best = ls.frontier(fit, **ask)
    table = best.table(prob=0.5)
    for place, leader in enumerate(table["leader"]):
        own = mean.sel(model=leader)
        np.testing.assert_allclose(best.leader_draws.isel(date=place), own)
        found = table.loc[place, ["leader_median", "leader_lower", "leader_upper"]].tolist()
        np.testing.assert_allclose(found, np.quantile(own, [0.5, 0.25, 0.75]))
    assert bool((best.draws >= best.leader_draws - 1e-12).all())
    each = ls.frontier(fit, **ask, by="family")
    rows = each.table()
    wanted = ["leader_median", "leader_lower", "leader_upper", "unit"]
    assert rows.columns[-4:].tolist() == wanted and (rows["unit"] == "fraction").all()
    for row in rows.itertuples():
        assert row.leader_median == pytest.approx(float(mean.sel(model=row.leader).median()))


@pytest.mark.parametrize("count", [1, 2, 7, 12, 100])
def test_any_few_turns_of_releases_are_spread_over_the_year(count: int) -> None:
    order = spread_order(count)
    assert sorted(order) == list(range(count)) and order[0] == 0
    for few in range(1, count):
        stops = np.sort([*order[:few], count])
        assert np.diff(stops).max() <= 4 * count / few  # in order from one end: count - few


def rows_of(efforts: list[str | None], names: list[str]) -> pd.DataFrame:
    """Return models of one family and date."""
    about = {"family": "a", "lineage": "a", "released": pd.Timestamp("2026-01-05")}
    return pd.DataFrame({"model": names, **about, "effort": efforts})


def test_efforts_of_a_model_are_one_release_and_models_alike_are_several() -> None:
    rows = rows_of(["high", "low", "high", "low", None], ["m", "m low", "n", "n low", "o"])
    assert release_of_rows(rows).tolist() == [0, 0, 1, 1, 2]
    by_name = rows.drop(columns="effort")
    assert release_of_rows(by_name).tolist() == [0, 0, 1, 1, 2]
    unsaid = rows.assign(model=["m", "m two", "n", "n two", "o"])
    assert release_of_rows(unsaid).tolist() == [0, 0, 1, 1, 0]
    assert release_of_rows(unsaid.drop(columns="effort")).tolist() == [0, 1, 2, 3, 4]
    later = rows.assign(released=pd.date_range("2026-01-05", periods=5))
    assert release_of_rows(later).tolist() == [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def with_efforts(dated: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    """A fit of a table with each model at two efforts."""
    frame = dated.to_frame()
    low = frame.assign(model=frame["model"] + " low", effort="low")
    both = pd.concat([frame.assign(effort="high"), low], ignore_index=True)
    scores = Scores.from_frame(both, benchmarks=dated.benchmark_info)
    return prior_fit(SPEC, scores, draws=200)


def test_a_second_effort_of_every_model_adds_no_releases(with_efforts: Fit) -> None:
    dates = ["2025-07-15", "2027-01-01"]
    frontier = ls.frontier(with_efforts, benchmark="alpha", dates=dates, seed=1)
    assert frontier.per_year == 10
    released = with_efforts.scores.dataset["released"].values
    until = np.datetime64("2027-01-01", "ns")
    coming = releases_to_come(with_efforts, released, until, 10.0)
    assert len(coming.rows) == 2 * len(coming.names) and coming.rows["model"].is_unique
    pairs = coming.rows.groupby(coming.release)
    assert (pairs["released"].nunique() == 1).all() and (pairs["effort"].nunique() == 2).all()
    last, apart = released.max(), pd.Timedelta(days=365.25) / 10
    due = last + apart * np.arange(1, len(coming.names) + 1)
    days = coming.rows.groupby(coming.release, sort=False)["released"].first()
    assert (abs(days.to_numpy() - due) <= np.timedelta64(1, "s")).all()
    assert due[-1] <= until < due[-1] + apart


def test_the_schedule_of_releases_is_drawn(with_efforts: Fit) -> None:
    """Settings are released together, one candidate in three, and the first whatever follows."""
    released = with_efforts.scores.dataset["released"].values
    spans = [np.timedelta64(200, "D"), np.timedelta64(400, "D")]
    few, many = (
        releases_to_come(with_efforts, released, released.max() + span, 30.0) for span in spans
    )
    short, long = (
        drawn_to_come(coming, 10.0, span, 500, np.random.default_rng(1)).values
        for coming, span in zip((few, many), spans, strict=True)
    )
    assert long.shape == (len(many.rows), 500)
    np.testing.assert_array_equal(short, long[: len(short)])
    by_release = pd.DataFrame(long).groupby(many.release, sort=False)
    assert (by_release.nunique() == 1).all(axis=None)
    drawn = by_release.first()
    assert abs(drawn.to_numpy().mean() - 1 / 3) < 4 * np.sqrt(2 / 9 / drawn.size)
    assert drawn.sum().std() > 0.8 * np.sqrt(len(drawn) * 2 / 9)
    all_due = drawn_to_come(few, 1000.0, spans[0], 5, np.random.default_rng(1))
    assert bool(all_due.all())  # no more candidates than expected releases: all are released


def test_a_release_may_come_before_it_is_due_on_average(fit: Fit) -> None:
    day = str(fit.scores.dataset["released"].values.max() + np.timedelta64(130, "D"))[:10]
    frontier = ls.frontier(fit, benchmark="alpha", dates=[day], per_year=1, seed=1)
    assert 0 < frontier.table()["probability_new"].item() < 0.5  # one candidate, in a third


def test_settings_of_a_release_share_its_deviations(with_efforts: Fit) -> None:
    released = with_efforts.scores.dataset["released"].values
    until = np.datetime64("2026-07-01", "ns")
    coming = releases_to_come(with_efforts, released, until, 10.0)
    own = xr.Dataset({"z": ("model", np.arange(len(coming.names)) + 0.5)})
    spread = coming.of_rows(own.assign_coords(model=coming.names))["z"]
    assert spread["model"].values.tolist() == coming.rows["model"].tolist()
    pairs = spread.values.reshape(-1, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all() and len(set(pairs[:, 0])) == len(coming.names)


def test_residuals_of_settings_to_come_have_in_common_what_fitted_ones_have(
    with_efforts: Fit, prior_fit: Callable[..., Fit]
) -> None:
    """The less two settings have in common, the higher is the better of the two."""
    best = {}
    for share in (0.05, 0.95):
        spec = SPEC.to_dict()
        spec["skills"] |= {"release": True}
        spec["priors"] |= {
            "release_share": {"dist": "Beta", "alpha": 1e6 * share, "beta": 1e6 * (1 - share)},
            "residual_scale": {"dist": "LogNormal", "mu": 0.0, "sigma": 0.01},
        }
        fit = prior_fit(spec_from_dict(spec), with_efforts.scores, draws=2_000)
        rng = np.random.default_rng(1)
        dims, shape = ("model", "sample", "skill"), (50, fit.samples.sizes["sample"], 1)
        of_release, own = (
            xr.Dataset({"residual": (dims, rng.standard_normal(shape))}) for _ in range(2)
        )
        raw = raw_of_settings(fit.samples.drop_vars("skill"), of_release, own)["residual"]
        assert abs(float(raw.var()) - 1) < 4 * np.sqrt(2 / raw.size)
        in_common = float((raw * of_release["residual"]).mean()) / np.sqrt(share)
        assert abs(in_common - 1) < 4 * np.sqrt(2 / share / raw.size)
        dates = [str(fit.scores.dataset["released"].values.max() + np.timedelta64(370, "D"))[:10]]
        found = ls.frontier(fit, benchmark="alpha", dates=dates, seed=1)
        best[share] = found.draws.isel(date=0)
    higher = (best[0.05].values - best[0.95].values) / best[0.05].values.std()
    assert higher.mean() > 3 * higher.std() / np.sqrt(higher.size)
