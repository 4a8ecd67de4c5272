"""Few-shot forecasts compared with quadrature, with one another and with a refit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit, logsumexp

import latentscale as ls
from latentscale.analysis.forecasts import predict as predict_module
from latentscale.analysis.forecasts.few_shot import IMPORTANCE, SAMPLER
from latentscale.declare import shipped_specs
from latentscale.errors import DataError, FitError, FitWarning
from latentscale.posterior.fit import Fit

Put = Callable[[Fit, xr.Dataset], Fit]
GRID = np.linspace(-7, 7, 4001)
BOTH = [ls.FewShot(min_ess=1.0), ls.FewShot(sampler_only=True)]
NAMES = ["importance", "sampler"]

WITHOUT_DATES = [n for n in shipped_specs() if "released" not in ls.load_spec(n).covariates]
"""Shipped specs that the small table has the features for."""


@dataclass(frozen=True)
class Case:
    """A fit with constant parameters, and its likelihood computed by numpy."""

    fit: Fit

    def value(self, name: str) -> np.ndarray:
        return self.fit.samples[name].isel(sample=0).values

    def log_density(
        self, skill: np.ndarray, rows: pd.DataFrame, benchmarks: list[str], shift: float = 0.0
    ) -> np.ndarray:
        """Return the log density of rows' scores at family levels `skill`, by hand."""
        total = np.zeros_like(skill)
        data = self.fit.scores.dataset
        flops = np.log(6e21 * data["params"].values * data["tokens"].values)
        names = list(self.fit.scores.benchmarks)
        for row in rows.itertuples():
            x = (np.log(6e21 * row.params_b * row.tokens_t) - flops.mean()) / flops.std()
            for name in benchmarks:
                score, j = getattr(row, name), names.index(name)
                if np.isnan(score):
                    continue
                theta = skill + x * self.value("slope")[0, 0]
                eta = self.value("intercept")[j] + shift + self.value("loading")[j, 0] * theta
                floor = data["floor"].values[j]
                mean = floor + (1 - floor) * expit(eta)
                phi = self.value("precision")[j]
                total += stats.beta.logpdf(score, mean * phi, (1 - mean) * phi)
        return total


@pytest.fixture(scope="module")
def case(held_fit) -> Case:
    return Case(held_fit)


def count_of(case: Case) -> int:
    return int(case.fit.posterior.sizes["draw"])


def rows_of(*cells: tuple, family: str = "fresh") -> pd.DataFrame:
    columns = ["model", "params_b", "tokens_t", "alpha", "beta", "gamma", "delta"]
    return pd.DataFrame(list(cells), columns=columns).assign(family=family, instruct=0)


NONE = np.nan
SHOT = rows_of(
    ("fresh-1", 3.0, 1.0, 0.72, NONE, 0.66, NONE),
    ("fresh-2", 9.0, 1.0, NONE, 0.80, NONE, NONE),
    ("fresh-3", 40.0, 1.0, NONE, NONE, NONE, NONE),
)
BENCHMARKS = ["alpha", "beta", "gamma", "delta"]


def moments(log_weight: np.ndarray, at: np.ndarray) -> tuple[float, float]:
    weight = np.exp(log_weight - log_weight.max())
    mean = np.average(at, weights=weight)
    return float(mean), float(np.sqrt(np.average((at - mean) ** 2, weights=weight)))


@pytest.mark.parametrize("few_shot", BOTH, ids=NAMES)
def test_a_new_familys_level_is_that_of_quadrature(case: Case, few_shot: ls.FewShot) -> None:
    ahead = ls.predict(case.fit, SHOT, seed=1, few_shot=few_shot)
    assert ahead.conditioning is not None
    assert ahead.conditioning.method == (SAMPLER if few_shot.sampler_only else IMPORTANCE)
    assert ahead.conditioning.n_scores == 3
    families = case.fit.samples.sizes["family"]
    prior = stats.norm.logpdf(GRID, scale=np.sqrt(1 + 1 / families))
    mean, sd = moments(prior + case.log_density(GRID, SHOT, BENCHMARKS), GRID)
    level = ahead.skill_draws.isel(model=0, skill=0) - ahead.skill_draws.isel(model=2, skill=0)
    assert float(level.std()) < 1e-9  # rows of one family share its level
    flops = np.log(6e21 * 3.0 * 1.0)
    data = case.fit.scores.dataset
    fitted = np.log(6e21 * data["params"].values * data["tokens"].values)
    alpha = ahead.skill_draws.isel(model=0, skill=0) - 0.6 * (flops - fitted.mean()) / fitted.std()
    error = 4 * sd / np.sqrt(ahead.conditioning.ess)
    assert abs(float(alpha.mean()) - mean) < error
    assert abs(float(alpha.std()) / sd - 1) < 4 / np.sqrt(ahead.conditioning.ess)


def settled(case: Case, family: str, with_posterior: Put, seed: int = 3) -> tuple[Case, np.ndarray]:
    """Return the case with exact draws of one fitted family's level given its own scores.

    The other families' level is held fixed; moving one family moves the mean of all, and with
    it the intercepts.
    """
    frame = case.fit.scores.to_frame()
    own = frame[frame["family"] == family]
    count = case.fit.samples.sizes["family"]
    prior = stats.norm.logpdf(GRID, scale=np.sqrt(count / (count - 1)))
    log_weight = prior + case.log_density(GRID, own, BENCHMARKS)
    weight = np.exp(log_weight - log_weight.max())
    away = np.random.default_rng(seed).choice(GRID, count_of(case), p=weight / weight.sum())
    posterior = case.fit.posterior.copy(deep=True)
    posterior["family_skill"] = xr.zeros_like(posterior["family_skill"])
    posterior["family_skill"].loc[{"family": family}] = (away * (count - 1) / count)[None, :, None]
    shift = xr.DataArray(away / count, dims="draw") * posterior["loading"].isel(skill=0, drop=True)
    posterior["intercept"] = posterior["intercept"] + shift.transpose("chain", "draw", "benchmark")
    return Case(with_posterior(case.fit, posterior)), log_weight


@pytest.mark.parametrize("few_shot", BOTH, ids=NAMES)
def test_a_fitted_familys_level_moves_to_that_of_quadrature(
    case: Case, few_shot: ls.FewShot, with_posterior: Put
) -> None:
    now, old = settled(case, "fam02", with_posterior)
    shot = SHOT.assign(family="fam02", model=["a", "b", "c"])
    ahead = ls.predict(now.fit, shot, seed=1, few_shot=few_shot)
    mean, sd = moments(old + case.log_density(GRID, shot, BENCHMARKS), GRID)
    given = ahead.conditioning
    assert given is not None and given.ess > 200
    logit = np.log(ahead.mean_draws / (1 - ahead.mean_draws))
    data = case.fit.scores.dataset
    fitted = np.log(6e21 * data["params"].values * data["tokens"].values)
    x = (np.log(6e21 * 40.0) - fitted.mean()) / fitted.std()
    eta = logit.sel(model="c", benchmark="alpha").values  # its floor is 0
    level = (eta - case.value("intercept")[0]) / 1.1 - 0.6 * x
    assert abs(level.mean() - mean) < 4 * sd / np.sqrt(given.ess)
    assert abs(level.std() / sd - 1) < 4 / np.sqrt(given.ess)
    before, _ = moments(old, GRID)
    assert abs(before - mean) > 0.1  # the scores were informative


@pytest.mark.parametrize("few_shot", BOTH, ids=NAMES)
@pytest.mark.parametrize("fitted", [False, True])
def test_posterior_draws_are_weighted_by_the_marginal_likelihood(
    case: Case, few_shot: ls.FewShot, fitted: bool, with_posterior: Put
) -> None:
    """Half of the draws have an intercept that is 1.5 higher; they keep their proper weight."""
    now = settled(case, "fam02", with_posterior)[0] if fitted else case
    posterior = now.fit.posterior.copy(deep=True)
    high = np.arange(count_of(case)) % 2 == 1
    shift = xr.DataArray(1.5 * high, dims="draw")
    posterior["intercept"] = posterior["intercept"] + shift
    frame = case.fit.scores.to_frame()
    own = frame[frame["family"] == "fam02"]
    count = case.fit.samples.sizes["family"]
    scale = np.sqrt(count / (count - 1) if fitted else 1 + 1 / count)
    prior = stats.norm.logpdf(GRID, scale=scale)
    shot = SHOT.assign(family="fam02", model=["a", "b", "c"]) if fitted else SHOT

    def level(part: float) -> float:
        """Return the log likelihood of the new scores given the old, at a shift."""
        before = prior + (case.log_density(GRID, own, BENCHMARKS, part) if fitted else 0.0)
        return float(
            logsumexp(before + case.log_density(GRID, shot, BENCHMARKS, part)) - logsumexp(before)
        )

    if fitted:  # the high draws need their own exact levels
        before = prior + case.log_density(GRID, own, BENCHMARKS, 1.5)
        weight = np.exp(before - before.max())
        away = np.random.default_rng(8).choice(GRID, count_of(case), p=weight / weight.sum())
        old_away = (
            posterior["family_skill"].sel(family="fam02").values[0, :, 0] * count / (count - 1)
        )
        mixed = np.where(high, away, old_away)
        posterior["family_skill"].loc[{"family": "fam02"}] = (mixed * (count - 1) / count)[
            None, :, None
        ]
        base = xr.DataArray(case.value("intercept"), dims="benchmark")
        loading = posterior["loading"].isel(skill=0, drop=True)
        moved = base + shift + xr.DataArray(mixed / count, dims="draw") * loading
        posterior["intercept"] = moved.transpose("chain", "draw", "benchmark")
    ahead = ls.predict(with_posterior(now.fit, posterior), shot, seed=4, few_shot=few_shot)
    assert ahead.conditioning is not None
    share = float((ahead.conditioning.index % 2 == 1).mean())
    wanted = float(expit(level(1.5) - level(0.0)))
    assert abs(share - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / ahead.conditioning.ess)
    assert abs(wanted - 0.5) > 0.1


@pytest.mark.filterwarnings("ignore::latentscale.errors.FitWarning")
def test_both_methods_agree_where_every_term_is_there(
    small_scores, prior_fit, everything_spec, repeated
) -> None:
    """All terms of a new family at once: many prior candidates compared with the sampler."""
    fit = repeated(prior_fit(everything_spec, small_scores, draws=2), 1000)
    before = ls.predict(fit, SHOT.drop(columns=BENCHMARKS), seed=1)
    # Scores simulated from one prior draw, so that prior candidates have a chance.
    likely = before.draws.isel(sample=7).clip(0.01, 0.99).to_pandas().reset_index(drop=True)
    shot = SHOT.assign(**{name: likely[name].where(SHOT[name].notna()) for name in BENCHMARKS})
    plain = ls.predict(fit, shot, seed=1, few_shot=ls.FewShot(latents=40, min_ess=1.0))
    sampler = ls.predict(fit, shot, seed=2, few_shot=ls.FewShot(sampler_only=True))
    assert plain.conditioning is not None and plain.conditioning.method == IMPORTANCE
    assert sampler.conditioning is not None and sampler.conditioning.method == SAMPLER
    one, two = (np.log(f.mean_draws / (1 - f.mean_draws)) for f in (plain, sampler))
    sd = two.std("sample")
    error = 4 * sd * np.sqrt(1 / plain.conditioning.ess + 1 / sampler.conditioning.ess)
    assert bool((abs(one.mean("sample") - two.mean("sample")) < error).all())
    assert bool((abs(one.std("sample") / sd - 1) < 0.25).all())
    was = np.log(before.mean_draws / (1 - before.mean_draws)).std("sample")
    assert float((sd / was).min()) < 0.7


@pytest.mark.filterwarnings("ignore::latentscale.errors.FitWarning")
@pytest.mark.parametrize("name", WITHOUT_DATES)
def test_every_shipped_spec_takes_scores(name: str, small_scores, prior_fit) -> None:
    spec = ls.load_spec(name)
    count = min(spec.skills.count, 3)
    spec = spec.model_copy(update={"skills": spec.skills.model_copy(update={"count": count})})
    fit = prior_fit(spec, small_scores, draws=60)
    table = pd.concat(
        [SHOT, SHOT.assign(family="fam01", model=["x", "y", "z"], lineage="lin00")]
    ).fillna({"lineage": "lin00"})
    for few_shot in (replace(one, degenerate="warn") for one in BOTH):
        ahead = ls.predict(fit, table, few_shot=few_shot)
        assert np.isfinite(ahead.mean_draws.values).all() and ahead.conditioning is not None
        assert ahead.conditioning.n_scores == 6 and 1 <= ahead.conditioning.ess <= 60 * 8
        # For a new measurement, only a pooled curve can stay far from the score itself.
        if spec.family.level == "partial" and few_shot.sampler_only:
            conditioned = ahead.mean_draws.sel(model="fresh-1", benchmark="alpha")
            before = ls.predict(fit, table.drop(columns=BENCHMARKS)).mean_draws
            was = before.sel(model="fresh-1", benchmark="alpha")
            assert float(abs(conditioned - 0.72).mean()) < float(abs(was - 0.72).mean())


def test_intervals_shrink_as_scores_arrive(case: Case) -> None:
    widths = []
    for count in range(3):
        table = rows_of(
            ("f-1", 3.0, 1.0, *[0.72 if j < count else NONE for j in range(4)]),
            ("f-2", 9.0, 1.0, *[NONE] * 4),
        )
        mean = ls.predict(case.fit, table, seed=1).mean_draws.sel(model="f-2", benchmark="gamma")
        widths.append(float(mean.quantile(0.95) - mean.quantile(0.05)))
    assert widths[1] < 0.7 * widths[0] and widths[2] < 0.9 * widths[1]


def test_another_family_is_left_alone(case: Case) -> None:
    other = rows_of(("fam03-x", 3.0, 1.0, *[NONE] * 4), family="fam03")
    alone = ls.predict(case.fit, other, seed=1)
    assert alone.conditioning is None
    beside = ls.predict(case.fit, pd.concat([SHOT, other]), seed=1)
    wanted = alone.mean_draws.sel(model="fam03-x").values
    np.testing.assert_allclose(beside.mean_draws.sel(model="fam03-x").values, wanted, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::latentscale.errors.FitWarning")
def test_a_further_benchmark_of_a_fitted_model_counts(
    small_scores, prior_fit, one_skill, with_posterior: Put
) -> None:
    """The cell is empty in the fit, so its score is new; scores of fitted cells are not.

    Only the families' levels differ between the draws, and all scores rise with them.
    """
    data = small_scores.dataset.copy(deep=True)
    model = str(data["model"].values[3])
    data["score"].loc[{"model": model, "benchmark": "gamma"}] = np.nan
    fit = prior_fit(one_skill, ls.Scores(data), draws=150)
    posterior = fit.posterior.copy(deep=True)
    for name, value in {"precision": 40.0, "loading": 1.1, "slope": 0.6, "intercept": 0.0}.items():
        posterior[name] = xr.full_like(posterior[name], value)
    fit = with_posterior(fit, posterior)
    row = ls.Scores(data).select(models=[model]).to_frame()
    same = ls.predict(fit, row, seed=1)
    assert same.conditioning is None
    rough = ls.FewShot(degenerate="warn")  # prior draws hardly cover such a score
    ahead = ls.predict(fit, row.assign(gamma=0.97), seed=1, few_shot=rough)
    assert ahead.conditioning is not None and ahead.conditioning.n_scores == 1
    assert str(ahead.models["basis"].values[0]) == "fitted model"
    low = ls.predict(fit, row.assign(gamma=0.03), seed=1, few_shot=rough)
    gap = ahead.mean_draws.mean("sample") - low.mean_draws.mean("sample")
    assert bool((gap > 0.005).all())


def test_exact_zero_and_one_are_pulled_inside(case: Case) -> None:
    items = float(case.fit.scores.dataset["n_items"].sel(benchmark="beta"))
    edge = ls.predict(case.fit, SHOT.assign(beta=[NONE, 1.0, NONE]), seed=1)
    inside = ls.predict(case.fit, SHOT.assign(beta=[NONE, 1 - 0.5 / items, NONE]), seed=1)
    np.testing.assert_array_equal(edge.mean_draws.values, inside.mean_draws.values)


def test_the_seed_decides_and_the_frame_is_kept(case: Case) -> None:
    before = SHOT.copy(deep=True)
    one, same, other = (ls.predict(case.fit, SHOT, seed=s).draws.values for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    pd.testing.assert_frame_equal(SHOT, before)
    assert "given 3 scores" in repr(ls.predict(case.fit, SHOT))


def test_misuse_is_refused(case: Case) -> None:
    with pytest.raises(DataError, match="humaneval"):
        ls.predict(case.fit, SHOT.assign(humaneval=0.4))
    with pytest.raises(DataError, match=r"fresh-2.*beta"):
        ls.predict(case.fit, SHOT.assign(beta=[NONE, 1.4, NONE]))
    row = case.fit.scores.to_frame().iloc[[0]]
    with pytest.raises(DataError, match=r"alpha.*the fit has"):
        ls.predict(case.fit, row.assign(alpha=0.123))
    for wrong in ({"draws": 0}, {"latents": 2.5}, {"steps": True}, {"min_ess": 0}):
        with pytest.raises(FitError, match=next(iter(wrong))):
            ls.FewShot(**wrong)  # type: ignore[arg-type]


def test_scores_that_no_draw_expects_are_refused(small_scores, prior_fit) -> None:
    """With draws from a wide prior of a pooled law, hardly any draw explains precise scores."""
    fit = prior_fit(ls.load_spec("pooled_flops"), small_scores, draws=400)
    with pytest.raises(FitError, match=r"effective sample size \d of 400 .*FewShot\(refit="):
        ls.predict(fit, SHOT)
    with pytest.warns(FitWarning, match="effective sample size .* not reliable"):
        ls.predict(fit, SHOT, few_shot=ls.FewShot(degenerate="warn"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ls.predict(fit, SHOT.drop(columns=BENCHMARKS))


def test_a_refit_takes_over_where_weights_are_degenerate(
    small_scores, prior_fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The requested refit sees the new scores, and the forecast uses its draws."""
    fit = prior_fit(ls.load_spec("pooled_flops"), small_scores, draws=400)
    asked = []

    def run_fit(spec, scores, *, method, seed, progress):  # type: ignore[no-untyped-def]
        asked.append((scores, method))
        return prior_fit(spec, scores, draws=90, seed=seed)

    monkeypatch.setattr(predict_module, "run_fit", run_fit)
    method = ls.NUTS(draws=77)
    ahead = ls.predict(fit, SHOT, seed=3, few_shot=ls.FewShot(refit=method))
    ((scores, used),) = asked
    assert used is method and scores.models[-2:] == ("fresh-1", "fresh-2")
    assert scores.n_observed == fit.scores.n_observed + 3
    added = scores.dataset["score"].sel(model="fresh-2")
    assert float(added.sel(benchmark="beta")) == 0.80 and int(added.notnull().sum()) == 1
    assert list(scores.dataset["family"].values[-2:]) == ["fresh", "fresh"]
    assert scores.families == (*fit.scores.families, "fresh")
    given = ahead.conditioning
    assert given is not None and given.method == "refit" and given.fit is not None
    assert (
        ahead.draws.sizes["sample"] == 90
        and list(ahead.models["basis"].values) == ["new family"] * 3
    )
    np.testing.assert_array_equal(
        ahead.precision_draws.transpose("sample", ...).values,
        given.fit.samples["precision"].transpose("sample", ...).values,
    )
    fewer = ls.predict(fit, SHOT, seed=3, few_shot=ls.FewShot(refit=method), draws=30)
    assert fewer.conditioning is not None and fewer.draws.sizes["sample"] == 30
    np.testing.assert_array_equal(fewer.conditioning.index, fewer.draws["sample"])
    assert fewer.conditioning.index.max() == 89  # spread over the whole refit
    with pytest.raises(FitError, match="refit must be a method"):
        ls.FewShot(refit=3)  # type: ignore[arg-type]
    with pytest.raises(FitError, match="degenerate must be one of"):
        ls.FewShot(degenerate="refit")  # type: ignore[arg-type]


@pytest.mark.parametrize("few_shot", BOTH, ids=NAMES)
def test_every_row_of_a_conditioned_forecast_names_its_posterior_draw(
    small_scores, prior_fit, one_skill, few_shot: ls.FewShot
) -> None:
    fit = prior_fit(one_skill, small_scores, draws=300)
    ahead = ls.predict(fit, SHOT, few_shot=replace(few_shot, degenerate="warn", draws=200))
    assert ahead.conditioning is not None
    np.testing.assert_array_equal(ahead.draws["sample"], ahead.conditioning.index)
    assert ahead.conditioning.index.max() > 200  # the draws are spread over the whole fit
    own = fit.samples["precision"].sel(sample=ahead.draws["sample"].values)
    np.testing.assert_array_equal(
        ahead.precision_draws.transpose("sample", "benchmark").values,
        own.transpose("sample", "benchmark").values,
    )
    for array in (ahead.draws, ahead.mean_draws, ahead.skill_draws, ahead.precision_draws):
        np.testing.assert_array_equal(array["sample"], ahead.conditioning.index)
        np.testing.assert_array_equal(
            array["draw"], fit.samples["draw"].sel(sample=array["sample"])
        )
    plain = ls.predict(fit, SHOT.drop(columns=BENCHMARKS))
    np.testing.assert_array_equal(plain.draws["sample"], np.arange(300))


def test_a_forecast_with_arrays_of_other_samples_is_refused(case: Case) -> None:
    ahead = ls.predict(case.fit, SHOT.drop(columns=BENCHMARKS))
    turned = ahead.mean_draws.isel(sample=slice(None, None, -1))
    with pytest.raises(FitError, match="same samples in the same order"):
        replace(ahead, mean_draws=turned)


@pytest.mark.slow
@pytest.mark.parametrize("fitted", [False, True])
def test_a_refit_gives_the_same_forecast(known, known_spec, fitted: bool) -> None:
    """The conditioned forecast of one fit compared with a second fit that saw the new scores."""
    skills = known_spec.skills.model_copy(update={"residual": True})
    part = known_spec.benchmarks.model_copy(update={"family_effect": True})
    spec = known_spec.model_copy(update={"skills": skills, "benchmarks": part})
    frame = known.frame[known.frame["family"] < "fam16"]
    first = 1 if fitted else 0
    gone = [f"fam15-m{i}" for i in range(first, 4)]
    shot = frame[frame["model"].isin(gone)].copy()
    names = list(known.scores.benchmarks)
    shot.loc[shot["model"] == gone[0], names[3:]] = np.nan
    shot.loc[shot["model"] == gone[1], names[:4]] = np.nan
    shot.loc[shot["model"].isin(gone[2:]), names] = np.nan
    info = known.scores.benchmark_info
    method = ls.NUTS(draws=700, tune=500, chains=2, cores=2)
    fits = []
    for table in (
        frame[~frame["model"].isin(gone)],
        pd.concat([frame[~frame["model"].isin(gone)], shot[shot["model"].isin(gone[:2])]]),
    ):
        scores = ls.Scores.from_frame(table, benchmarks=info)
        fits.append(ls.fit(spec, scores, method=method, seed=2, progress=False))
    conditioned = ls.predict(fits[0], shot, seed=1)
    refitted = ls.predict(fits[1], shot.drop(columns=names), seed=1)
    assert conditioned.conditioning is not None
    one, two = (np.log(f.mean_draws / (1 - f.mean_draws)) for f in (conditioned, refitted))
    # Chains have fewer effective draws than draws: these runs give 200 each.
    error = 4 * two.std("sample") * np.sqrt(1 / min(conditioned.conditioning.ess, 200) + 1 / 200)
    assert bool((abs(one.mean("sample") - two.mean("sample")) < error).all())
    np.testing.assert_allclose(one.std("sample"), two.std("sample"), rtol=0.3)


@pytest.mark.slow
def test_scores_that_the_fit_did_not_expect_are_refused_or_fitted(known, known_spec) -> None:
    """Scores on half of a new family's benchmarks are far from what the others predict."""
    names = list(known.scores.benchmarks)
    shot = known.frame[known.frame["family"] == "fam10"].copy()
    values = shot[names].to_numpy()
    odd = np.where(np.arange(len(names)) % 2, 0.4 * values, 1 - 0.5 * (1 - values))
    shot[names] = np.clip(odd, 0.01, 0.99)
    rest = known.frame[known.frame["family"] != "fam10"]
    info = known.scores.benchmark_info
    method = ls.NUTS(draws=500, tune=400, chains=2, cores=2)
    fits = [
        ls.fit(
            known_spec,
            ls.Scores.from_frame(table, benchmarks=info),
            method=method,
            seed=2,
            progress=False,
        )
        for table in (rest, pd.concat([rest, shot]))
    ]
    with pytest.raises(FitError, match="too few posterior draws"):
        ls.predict(fits[0], shot)
    ahead = ls.predict(fits[0], shot, few_shot=ls.FewShot(refit=method), seed=1)
    exact = ls.predict(fits[1], shot.drop(columns=names), seed=1)
    one, two = (np.log(f.mean_draws / (1 - f.mean_draws)) for f in (ahead, exact))
    error = 4 * two.std("sample") * np.sqrt(2 / 200)  # chains have fewer effective draws than draws
    assert bool((abs(one.mean("sample") - two.mean("sample")) < error).all())
