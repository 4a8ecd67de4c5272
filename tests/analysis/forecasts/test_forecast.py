"""Forecasts: known and new families by hand, shared draws, extrapolation, tables, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

import latentscale as ls
from latentscale.analysis.forecasts import forecast as forecast_module
from latentscale.analysis.forecasts.predict import FITTED, KNOWN_FAMILY, KNOWN_LINEAGE, NEW_FAMILY
from latentscale.analysis.forecasts.rows import stated_rows
from latentscale.declare import shipped_specs
from latentscale.errors import DataError, DataWarning
from latentscale.posterior.fit import Fit

WITHOUT_DATES = [n for n in shipped_specs() if "released" not in ls.load_spec(n).covariates]
"""Shipped specs that the small table has the features for."""


def rows(*cells: tuple, columns: str = "model family lineage instruct params_b tokens_t"):
    return pd.DataFrame(list(cells), columns=columns.split())


MIXED = rows(
    ("fam00-m0", "fam00", "lin00", 0, np.nan, np.nan),
    ("fam00-big", "fam00", "lin00", 1, 40.0, 3.0),
    ("cousin-a", "cousin", "lin01", 0, 7.0, 2.0),
    ("cousin-b", "cousin", "lin01", 0, 30.0, 2.0),
    ("strange-a", "strange", "nowhere", 1, 7.0, 2.0),
    ("strange-b", "strange", "nowhere", 1, 7.0, 2.0),
    ("other-a", "other", "elsewhere", 1, 7.0, 2.0),
)


@pytest.fixture(scope="module")
def mixed(known) -> pd.DataFrame:
    """Every kind of row at once; the first is a fitted model with its fitted values."""
    table = MIXED.copy()
    fitted = known.frame.set_index("model").loc["fam00-m0"]
    table.loc[0, ["params_b", "tokens_t"]] = fitted[["params_b", "tokens_t"]].astype(float)
    return table


@pytest.fixture(scope="module")
def forecast(known_fit: Fit, mixed: pd.DataFrame):
    """The forecast of the mixed table from the NUTS fit."""
    return ls.predict(known_fit, mixed, seed=2)


def test_dims_and_ranges(forecast, known_fit: Fit, mixed) -> None:
    for draws in (forecast.draws, forecast.mean_draws):
        assert draws.dims == ("sample", "model", "benchmark")
        assert draws.sizes["sample"] == known_fit.samples.sizes["sample"]
        assert list(draws["model"].values) == list(mixed["model"])
        assert tuple(draws["benchmark"].values) == known_fit.scores.benchmarks
        assert float(draws.min()) >= 0 and float(draws.max()) <= 1
    floor = known_fit.scores.dataset["floor"]
    assert bool((forecast.mean_draws >= floor).all())
    assert forecast.is_posterior


def test_the_basis_of_each_row(forecast) -> None:
    wanted = [FITTED, KNOWN_FAMILY, *[KNOWN_LINEAGE] * 2, *[NEW_FAMILY] * 3]
    assert list(forecast.models["basis"].values) == wanted


def test_a_known_family_by_hand(forecast, known_fit: Fit, mixed, known) -> None:
    s = known_fit.samples
    flops = np.log(6e21 * known.frame["params_b"] * known.frame["tokens_t"])
    loading = s["loading"].transpose("sample", "benchmark", "skill").values
    alpha = s["family_skill"].sel(family="fam00").transpose("sample", "skill").values
    slope = s["slope"].sel(covariate="log_flops").transpose("sample", "skill").values
    floor = known_fit.scores.dataset["floor"].values
    for row in (0, 1):
        cell = mixed.iloc[row]
        own = np.log(6e21 * cell["params_b"] * cell["tokens_t"])
        x = (own - flops.mean()) / flops.std(ddof=0)
        eta = np.einsum("sbk,sk->sb", loading, alpha + x * slope)
        eta += s["intercept"].values + cell["instruct"] * s["instruct_shift"].values
        wanted = floor + (1 - floor) * expit(eta)
        np.testing.assert_allclose(forecast.mean_draws.isel(model=row).values, wanted, rtol=1e-6)


def test_rows_of_a_new_family_share_its_draw(forecast) -> None:
    mean = forecast.mean_draws
    twin, sister = mean.sel(model="strange-a"), mean.sel(model="strange-b")
    np.testing.assert_array_equal(twin.values, sister.values)
    other = mean.sel(model="other-a")
    for benchmark in mean["benchmark"].values:
        apart = np.corrcoef(twin.sel(benchmark=benchmark), other.sel(benchmark=benchmark))[0, 1]
        assert apart < 0.6
    small, large = mean.sel(model="cousin-a"), mean.sel(model="cousin-b")
    ranks = [pd.Series(d.sel(benchmark="alpha").values).rank() for d in (small, large)]
    assert ranks[0].corr(ranks[1]) > 0.95
    noisy = forecast.draws
    assert not np.array_equal(
        noisy.sel(model="strange-a").values, noisy.sel(model="strange-b").values
    )


def test_new_families_of_one_new_lineage_are_kin(known_fit: Fit) -> None:
    table = rows(
        ("a", "fa", "kin", 0, 7.0, 2.0),
        ("b", "fb", "kin", 0, 7.0, 2.0),
        ("c", "fc", "apart", 0, 7.0, 2.0),
    )
    mean = ls.predict(known_fit, table, seed=1).mean_draws.sel(benchmark="alpha")
    kin = np.corrcoef(mean.sel(model="a"), mean.sel(model="b"))[0, 1]
    apart = np.corrcoef(mean.sel(model="a"), mean.sel(model="c"))[0, 1]
    assert kin < 0.999 and kin > apart + 0.15


def test_the_less_is_known_the_wider(known_fit: Fit) -> None:
    table = rows(
        ("known", "fam00", "lin00", 0, 10.0, 2.0),
        ("kin", "new1", "lin00", 0, 10.0, 2.0),
        ("new", "new2", "unheard", 0, 10.0, 2.0),
    )
    mean = ls.predict(known_fit, table).mean_draws
    eta = np.log(mean / (1 - mean)).sel(benchmark=["alpha", "gamma"]).std("sample")
    known, kin, new = (eta.sel(model=m) for m in ("known", "kin", "new"))
    assert bool((kin > 1.5 * known).all()) and bool((new > 1.1 * kin).all())


def test_a_new_member_of_a_known_lineage_is_drawn_round_it(known_fit: Fit) -> None:
    skill = known_fit.samples["lineage_skill"].mean("sample").sum("skill")
    low, high = (str(skill["lineage"].values[int(i)]) for i in (skill.argmin(), skill.argmax()))
    table = rows(("l", "nl", low, 0, 10.0, 2.0), ("h", "nh", high, 0, 10.0, 2.0))
    mean = ls.predict(known_fit, table).mean_draws.mean("sample")
    assert bool((mean.sel(model="h") > mean.sel(model="l") + 0.01).all())


def test_draws_add_the_noise_of_one_measurement(forecast, known_fit: Fit) -> None:
    noise = (forecast.draws - forecast.mean_draws).isel(model=1)
    mean, phi = forecast.mean_draws.isel(model=1), known_fit.samples["precision"]
    wanted = np.sqrt((mean * (1 - mean) / (1 + phi)).mean("sample"))
    spread = np.sqrt((noise**2).mean("sample"))
    np.testing.assert_allclose(spread.values, wanted.values, rtol=0.15)
    assert bool((forecast.draws.std("sample") > forecast.mean_draws.std("sample")).all())


def test_residuals_widen_a_new_model_but_not_a_fitted_one(
    small_scores, prior_fit, everything_spec
) -> None:
    fit = prior_fit(everything_spec, small_scores, draws=400)
    fitted = small_scores.to_frame().iloc[[0]][MIXED.columns]
    table = pd.concat([fitted, fitted.assign(model="twin")])
    mean = ls.predict(fit, table, seed=1).mean_draws
    again = ls.predict(fit, table, seed=2).mean_draws
    np.testing.assert_array_equal(mean.isel(model=0), again.isel(model=0))
    assert not np.allclose(mean.isel(model=1), again.isel(model=1))
    assert not np.allclose(mean.isel(model=0), mean.isel(model=1))


def test_extrapolation_is_flagged(known_fit: Fit, known) -> None:
    table = rows(
        ("in", "fam00", None, 0, 10.0, 2.0),
        ("above", "fam00", None, 0, 4000.0, 30.0),
        ("below", "newish", None, 0, 0.05, 0.2),
    )
    by_model = ls.predict(known_fit, table).table().drop_duplicates("model")
    extrapolates = dict(zip(by_model["model"], by_model["extrapolates"], strict=True))
    assert extrapolates["in"] == ""
    assert "log_flops above" in extrapolates["above"] and "log_flops below" in extrapolates["below"]
    fitted = known.frame.drop(columns=list(known.scores.benchmarks))
    assert (ls.predict(known_fit, fitted).table()["extrapolates"] == "").all()


def test_the_table_holds_numpys_quantiles(forecast, mixed) -> None:
    table = forecast.table(prob=0.8)
    wanted = ["model", "benchmark", "mean", "median", "sd", "lower", "upper"]
    assert list(table.columns[:7]) == wanted
    assert list(table.columns[7:]) == ["basis", "extrapolates", "assumed", "unit"]
    assert (table["unit"] == "fraction").all() and "unit" not in forecast.brief()
    assert (table["assumed"] == "").all()  # every row states everything
    assert len(table) == len(mixed) * 6
    assert list(table["model"].unique()) == list(mixed["model"])
    for row in table.iloc[::7].itertuples():
        draws = forecast.draws.sel(model=row.model, benchmark=row.benchmark).values
        shown = [row.mean, row.median, row.sd, row.lower, row.upper]
        low, high = np.quantile(draws, [0.1, 0.9])
        numpys = [draws.mean(), np.median(draws), draws.std(ddof=1), low, high]
        np.testing.assert_allclose(shown, numpys, rtol=1e-9)
    wide = forecast.table(prob=0.99)
    assert (wide["upper"] - wide["lower"] > table["upper"] - table["lower"]).all()
    assert forecast.table().equals(forecast.table(prob=0.9))


@pytest.mark.parametrize("prob", [0, 1, -0.1, 90, float("nan")])
def test_a_wrong_probability_is_refused(forecast, prob: float) -> None:
    with pytest.raises(ValueError, match="prob"):
        forecast.table(prob=prob)


def test_the_seed_decides(known_fit: Fit, mixed) -> None:
    one, same, other = (ls.predict(known_fit, mixed, seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(one.draws.values, same.draws.values)
    assert not np.array_equal(one.draws.values, other.draws.values)


def test_row_order_and_company_do_not_move_a_known_family(known_fit: Fit, mixed) -> None:
    forward = ls.predict(known_fit, mixed)
    back = ls.predict(known_fit, mixed.iloc[::-1])
    alone = ls.predict(known_fit, mixed.iloc[[1]])
    wanted = forward.mean_draws.sel(model="fam00-big").values
    np.testing.assert_allclose(back.mean_draws.sel(model="fam00-big").values, wanted, rtol=1e-12)
    np.testing.assert_allclose(alone.mean_draws.values[:, 0], wanted, rtol=1e-12)
    assert list(back.draws["model"].values) == list(mixed["model"])[::-1]


def test_any_index_and_column_order(known_fit: Fit, mixed) -> None:
    odd = mixed.set_index(pd.Index(list("gfedcba")))[list(mixed.columns)[::-1]]
    np.testing.assert_array_equal(
        ls.predict(known_fit, odd).draws.values, ls.predict(known_fit, mixed).draws.values
    )


def test_lineage_may_be_left_out(known_fit: Fit) -> None:
    short = rows(("x", "fam04", 0, 7.0, 2.0), columns="model family instruct params_b tokens_t")
    full = rows(("x", "fam04", "lin02", 0, 7.0, 2.0))
    one, two = (ls.predict(known_fit, table) for table in (short, full))
    np.testing.assert_array_equal(one.mean_draws.values, two.mean_draws.values)
    assert str(one.models["lineage"].values[0]) == "lin02"
    assert set(one.table()["assumed"]) == {"lineage=lin02 (family)"}
    assert set(two.table()["assumed"]) == {""}
    own = ls.predict(known_fit, short.assign(family="stranger")).models["assumed"]
    assert str(own.item()) == "lineage=stranger (the family's own)"


SHORT = rows(("x", "fam00", 7.0, 2.0), columns="model family params_b tokens_t")


@pytest.fixture(scope="module")
def by_kind(known, known_spec, prior_fit) -> Fit:
    """A fit where all models of fam00 are tuned, all of fam01 base, and fam02 has both kinds."""
    frame = known.frame[known.frame["family"].isin(["fam00", "fam01", "fam02"])]
    tuned = np.where(frame["family"] == "fam00", 1, frame["instruct"])
    kinds = np.where(frame["family"] == "fam01", 0, tuned)
    info = known.scores.benchmark_info
    scores = ls.Scores.from_frame(frame.assign(instruct=kinds), benchmarks=info)
    return prior_fit(known_spec, scores, draws=40)


@pytest.mark.parametrize("empty", ["no column", "an empty cell"])
@pytest.mark.parametrize(
    ("model", "family", "value", "source"),
    [
        ("x", "fam00", 1, "family"),
        ("x", "fam01", 0, "family"),
        ("fam02-m1", "fam02", 1, "fitted model"),
    ],
)
def test_an_omitted_instruct_is_what_the_fit_knows(
    by_kind, known, empty, model, family, value, source
) -> None:
    row = SHORT.assign(model=model, family=family)
    if source == "fitted model":
        mine = known.frame.set_index("model").loc[model]
        row = row.assign(params_b=mine["params_b"], tokens_t=mine["tokens_t"])
    left = row if empty == "no column" else row.assign(instruct=np.nan)
    omitted = ls.predict(by_kind, left)
    stated = ls.predict(by_kind, row.assign(instruct=value))
    np.testing.assert_array_equal(omitted.draws.values, stated.draws.values)
    assert (
        omitted.table()["assumed"].str.contains(f"instruct={value} ({source})", regex=False).all()
    )
    assert float(omitted.models["instruct"].item()) == value


@pytest.mark.parametrize(("family", "why"), [("fam02", "of both kinds"), ("new", "is new")])
def test_an_omitted_instruct_that_nothing_settles_is_refused(by_kind, family, why) -> None:
    table = pd.concat([SHORT.assign(instruct=1), SHORT.assign(model="y", family=family)])
    with pytest.raises(DataError) as caught:
        ls.predict(by_kind, table)
    for part in ("row 1", '"y"', '"instruct"', family, why, "Write 1"):
        assert part in str(caught.value)
    with pytest.raises(DataError, match='"y"'):
        ls.probability_above(by_kind, table, 0.5)


def test_a_new_family_takes_the_kind_that_all_fitted_models_have(
    known, known_spec, prior_fit
) -> None:
    base = known.frame[known.frame["instruct"] == 0].head(8)
    scores = ls.Scores.from_frame(base, benchmarks=known.scores.benchmark_info)
    table = ls.predict(prior_fit(known_spec, scores, draws=20), SHORT.assign(family="new")).table()
    assert table["assumed"].str.startswith("instruct=0 (all fitted models)").all()


def test_an_omitted_instruct_is_of_no_matter_to_a_spec_without_it(by_kind, prior_fit) -> None:
    fit = prior_fit(ls.load_spec("pooled_flops"), by_kind.scores, draws=20)
    assert (ls.predict(fit, SHORT.assign(family="fam02")).table()["assumed"] == "").all()


def test_targets_and_allocations_take_the_kind_of_the_family(by_kind) -> None:
    options = {"limits": (1e20, 1e26), "points": 5}
    compute = ls.flops_for_target(by_kind, "alpha", 0.6, family="fam00", **options)
    stated = ls.flops_for_target(by_kind, "alpha", 0.6, family="fam00", instruct=True, **options)
    np.testing.assert_array_equal(compute.draws.values, stated.draws.values)
    assert compute.instruct and not np.array_equal(
        compute.draws.values,
        ls.flops_for_target(
            by_kind, "alpha", 0.6, family="fam00", instruct=False, **options
        ).draws.values,
    )


@pytest.mark.parametrize("family", ["Fam00", "fam 00", "fam-00", "FAM_00", "fam.00", "\uff46am00"])
def test_a_family_spelt_in_another_way_is_warned_of(by_kind, family) -> None:
    row = SHORT.assign(family=family, instruct=1)
    with pytest.warns(DataWarning, match='"fam00"') as caught:
        ls.predict(by_kind, pd.concat([row, row.assign(model="y")]))
    (said,) = (str(w.message) for w in caught if w.category is DataWarning)
    assert said.count(f'"{family}" differs') == 1  # once per name
    with pytest.warns(DataWarning, match='"fam00"') as caught:
        ls.flops_for_target(by_kind, "alpha", 0.6, family=family, limits=(1e22, 1e24), points=3)
    assert caught[0].filename == __file__
    with pytest.raises(DataError, match='Did you mean "fam00"'):
        ls.scaling_curve(by_kind, family=family)


def test_the_callers_frame_is_kept(known_fit: Fit, mixed) -> None:
    before = mixed.copy(deep=True)
    ls.predict(known_fit, mixed)
    pd.testing.assert_frame_equal(mixed, before)


def test_scores_of_fitted_models_change_nothing_and_of_new_ones_are_not_ignored(
    known_fit: Fit, known, mixed, forecast
) -> None:
    fitted = ls.predict(known_fit, known.frame.iloc[:3].dropna())
    assert fitted.conditioning is None
    likely = float(forecast.mean_draws.sel(model="fam00-big", benchmark="alpha").mean())
    given = ls.predict(known_fit, mixed.assign(alpha=[np.nan, likely, *[np.nan] * 5]))
    assert given.conditioning is not None and given.conditioning.n_scores == 1


GOOD = {"model": "x", "family": "fam00", "instruct": 0, "params_b": 7.0, "tokens_t": 2.0}
MALFORMED = [
    ({"drop": "family"}, ["family"]),
    ({"drop": "tokens_t"}, ["tokens_t"]),
    ({"rename": {"params_b": "params"}}, ["params_b"]),
    ({"model": ""}, ["model"]),
    ({"params_b": 0.0}, ["params_b", "x"]),
    ({"params_b": -7.0}, ["params_b", "-7"]),
    ({"params_b": np.nan}, ["params_b"]),
    ({"params_b": 7e9}, ["params_b", "billions"]),
    ({"params_b": "seven"}, ["params_b", "seven"]),
    ({"tokens_t": 2000.0}, ["tokens_t", "trillions"]),
    ({"tokens_t": np.inf}, ["tokens_t"]),
    ({"tokens_t": np.nan}, ["tokens", "x"]),
    ({"instruct": 3}, ["instruct", "3"]),
    ({"colour": "red"}, ["colour"]),
    ({"lineage": "lin09"}, None),
    ({"model": "fam01-m0"}, ["fam01-m0"]),
    ({"model": "fam00-m0", "params_b": 9.0}, ["fam00-m0"]),
]


@pytest.mark.parametrize(("change", "said"), MALFORMED)
def test_a_malformed_table_is_refused(known_fit: Fit, change: dict, said: list[str]) -> None:
    cells = {**GOOD, **{k: v for k, v in change.items() if k not in ("drop", "rename")}}
    frame = pd.DataFrame([cells]).rename(columns=change.get("rename", {}))
    frame = frame.drop(columns=change.get("drop", []))
    if said is None:  # a lineage other than the fitted one is corrected with a warning
        with pytest.warns(DataWarning, match="lin09"):
            assert str(ls.predict(known_fit, frame).models["lineage"].values[0]) == "lin00"
        return
    with warnings.catch_warnings(), pytest.raises(DataError) as caught:
        warnings.simplefilter("ignore")
        ls.predict(known_fit, frame)
    for part in said:
        assert part in str(caught.value)


def test_tables_that_are_no_tables_are_refused(known_fit: Fit) -> None:
    for wrong in (pd.DataFrame([GOOD]).iloc[:0], [GOOD], {"model": ["x"]}, "x.csv", None):
        with pytest.raises(DataError):
            ls.predict(known_fit, wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match='"x"'):
        ls.predict(known_fit, pd.DataFrame([GOOD, GOOD]))


def test_a_spec_on_size_alone_forecasts_without_tokens(small_scores, prior_fit) -> None:
    spec = ls.ModelSpec(name="size", covariates=("log_params",))
    fit = prior_fit(spec, small_scores)
    forecast = ls.predict(fit, pd.DataFrame([{**GOOD, "tokens_t": np.nan}]))
    assert np.isfinite(forecast.draws.values).all()


@pytest.mark.parametrize("name", WITHOUT_DATES)
def test_every_shipped_spec_forecasts_every_kind_of_row(name, small_scores, prior_fit) -> None:
    spec = ls.load_spec(name)
    count = min(spec.skills.count, 3)
    spec = spec.model_copy(update={"skills": spec.skills.model_copy(update={"count": count})})
    fit = prior_fit(spec, small_scores, draws=300)
    ahead = ls.predict(fit, MIXED.iloc[1:])
    assert np.isfinite(ahead.draws.values).all() and np.isfinite(ahead.mean_draws.values).all()
    mean = ahead.mean_draws
    names = ("strange-a", "strange-b", "other-a")
    one, two, other = (mean.sel(model=name).values for name in names)
    if not spec.skills.residual:
        np.testing.assert_array_equal(one, two)
    if spec.family.level == "none":
        np.testing.assert_array_equal(one, other)
        return
    # With residuals, twins differ, but less than two families do.
    apart = np.abs(one - other).mean()
    assert apart > 0.01 and np.abs(one - two).mean() < 0.7 * apart


def test_a_forecast_prints(forecast) -> None:
    assert "7 models" in repr(forecast) and "6 benchmarks" in repr(forecast)
    assert "<table" in forecast._repr_html_()


def test_what_a_whole_table_settles_is_stated_for_fits_of_a_part_of_it(by_kind) -> None:
    spec = by_kind.spec
    assert spec.needs_instruct
    stated = stated_rows(SHORT, by_kind.scores, spec)
    assert stated["instruct"].tolist() == [1] and stated["lineage"].tolist() == ["lin00"]
    assert "instruct" not in SHORT
    with pytest.raises(DataError, match="fam02"):
        stated_rows(SHORT.assign(family="fam02"), by_kind.scores, spec)
    plain = ls.load_spec("pooled_flops")
    stated_rows(SHORT.assign(family="fam02"), by_kind.scores, plain)


def test_features_that_a_whole_table_settles_are_stated_as_well(by_kind) -> None:
    frame = by_kind.scores.to_frame().assign(reasoning=1, context_k=8.0)
    scores = ls.Scores.from_frame(frame, features=["reasoning", "context_k"])
    spec = ls.load_spec("pooled_flops").with_(
        {"covariates": ["log_flops", "reasoning", "context_k"]}
    )
    stated = stated_rows(SHORT, scores, spec)
    assert stated["reasoning"].tolist() == [1] and stated["context_k"].tolist() == [8.0]


def test_scores_that_cannot_be_judged_are_refused_by_name(held_fit: Fit) -> None:
    frame = rows(("a", "x", "y", 0, 7.0, 2.0))
    held_out = ls.predict(held_fit, frame)
    truth = held_out.draws.isel(sample=0, drop=True).clip(0.01, 0.99)
    assert np.isfinite(held_out.log_score(truth)).all()
    assert np.isnan(held_out.log_score(truth * np.nan)).all()
    for score, said in (
        (truth.assign_coords(model=["b"]), 'model "b" is not in the forecast'),
        (truth.assign_coords(benchmark=[f"{n}a" for n in held_fit.scores.benchmarks]), "alpha"),
        (truth * 0 + 1.5, r'model "a".*1\.5 is not a score'),
        (truth * 0, "strictly between 0 and 1"),
        (frame, "score must be"),
    ):
        with warnings.catch_warnings(), pytest.raises(ls.LatentscaleError, match=said):
            warnings.simplefilter("error")
            held_out.log_score(score)


def test_scores_are_judged_in_blocks_as_at_once(
    held_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = rows(*[(f"m{i}", f"x{i}", "y", 0, 1.0 + i, 2.0) for i in range(7)])
    at_once = ls.predict(held_fit, frame, draws=50)
    truth = at_once.draws.isel(sample=0, drop=True).clip(0.01, 0.99)
    whole = at_once.log_score(truth)
    monkeypatch.setattr(forecast_module, "block_size", lambda total: 2 * 50 * 4)
    # Blocks of other shapes are summed in another order: equal up to rounding.
    xr.testing.assert_allclose(at_once.log_score(truth), whole, rtol=1e-12, atol=0)
    some = truth.isel(model=[5, 2], benchmark=[3, 0])
    xr.testing.assert_allclose(
        at_once.log_score(some).reindex_like(some), whole.reindex_like(some), rtol=1e-12, atol=0
    )
