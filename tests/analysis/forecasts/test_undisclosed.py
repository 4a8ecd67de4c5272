"""Forecasts of models with undisclosed tokens: from the prior, and compared with quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.posterior.fit import Fit

NONE = np.nan
UNDISCLOSED = "fam02-m1"
LEVEL, LOG_TOKENS = np.linspace(-5, 5, 401), np.linspace(-4, 6, 501)
FEW_SHOT = [ls.FewShot(min_ess=1.0, draws=6000), ls.FewShot(sampler_only=True, draws=6000)]
DRAWS = 6000


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    anchored = {"kind": "anchored", "anchors": ["alpha"]}
    return spec_from_dict(
        {
            "name": "estimated",
            "covariates": ["log_flops"],
            "skills": {"count": 1, "identify": anchored},
            "family": {"level": "partial"},
            "undisclosed": {"kind": "estimated"},
        }
    )


@pytest.fixture(scope="module")
def held(prior_fit, with_posterior, repeated, spec: ModelSpec) -> Callable[[ls.Scores], Fit]:
    """Return a maker of fits with parameters at typical values and all families equal."""

    def make(scores: ls.Scores) -> Fit:
        fit = prior_fit(spec, scores, draws=2)
        calm = fit.posterior.copy(deep=True)
        values = {"precision": 40.0, "loading": 1.1, "slope": 0.6, "family_skill": 0.0}
        for name, value in values.items():
            calm[name] = xr.full_like(calm[name], value)
        levels = xr.DataArray([0.2, -0.3, 0.1, -0.6], dims="benchmark")
        calm["intercept"] = (calm["intercept"] * 0 + levels).transpose(*calm["intercept"].dims)
        return repeated(with_posterior(fit, calm), DRAWS)

    return make


@pytest.fixture(scope="module")
def disclosed(held, small_scores: ls.Scores) -> Fit:
    return held(small_scores)


@pytest.fixture(scope="module")
def partly_told(held, small_scores: ls.Scores) -> Fit:
    frame = small_scores.to_frame()
    frame.loc[frame["model"] == UNDISCLOSED, "tokens_t"] = NONE
    with pytest.warns(ls.DataWarning, match="1 row has no token count"):
        return held(ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info))


def rows_of(family: str, *cells: tuple) -> pd.DataFrame:
    columns = ["model", "params_b", "tokens_t", "alpha", "beta", "gamma", "delta"]
    return pd.DataFrame(list(cells), columns=columns).assign(family=family)


SHOT = (
    ("disclosed", 3.0, 1.0, 0.72, NONE, 0.66, NONE),
    ("hidden", 9.0, NONE, 0.9, 0.85, NONE, NONE),
)


def log_density(fit: Fit, rows: pd.DataFrame) -> np.ndarray:
    """Return the log density of rows' scores on the grid of level and log tokens, by hand.

    The grid's log tokens replace those that a row does not state. Shape (level, log tokens).
    """
    data = fit.scores.dataset
    flops = np.log(data["params"].values * data["tokens"].values)
    flops = flops[np.isfinite(flops)]
    total = np.zeros((len(LEVEL), len(LOG_TOKENS)))
    for row in rows.itertuples():
        t = LOG_TOKENS[None] if np.isnan(row.tokens_t) else np.log(row.tokens_t)
        x = (np.log(row.params_b) + t - flops.mean()) / flops.std()
        for j, name in enumerate(fit.scores.benchmarks):
            score = getattr(row, name)
            if np.isnan(score):
                continue
            eta = [0.2, -0.3, 0.1, -0.6][j] + 1.1 * (LEVEL[:, None] + 0.6 * x)
            floor = data["floor"].values[j]
            mean = floor + (1 - floor) * expit(eta)
            total = total + stats.beta.logpdf(score, 40 * mean, 40 * (1 - mean))
    return total


def moments(log_weight: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    weight = np.exp(log_weight - log_weight.max())
    values = np.broadcast_to(values, weight.shape)
    mean = np.average(values, weights=weight)
    return float(mean), float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))


def agree(draws: np.ndarray, wanted: tuple[float, float], ess: float) -> None:
    mean, sd = wanted
    assert abs(draws.mean() - mean) < 4 * sd / np.sqrt(ess)
    assert abs(draws.std() / sd - 1) < 4 / np.sqrt(ess)


def test_without_scores_tokens_are_drawn_from_the_prior(disclosed: Fit) -> None:
    columns = ["model", "family", "params_b", "tokens_t"]
    rows = pd.concat([rows_of("fam00", *SHOT)[columns], rows_of("fam01", SHOT[1])[columns]])
    rows["model"] = ["disclosed", "a", "b"]
    kept = rows.copy(deep=True)
    forecast = ls.predict(disclosed, rows, seed=1)
    pd.testing.assert_frame_equal(rows, kept)
    assert np.isfinite(forecast.draws.values).all()
    assert "tokens of 2 drawn" in repr(forecast)
    tokens = forecast.token_draws
    assert list(tokens["model"].values) == ["a", "b"]
    logs = np.log(tokens.values)
    for column in logs.T:
        agree(column, (0.7, 1.0), DRAWS)
    assert abs(np.corrcoef(logs.T)[0, 1]) < 4 / np.sqrt(DRAWS)
    again = ls.predict(disclosed, rows, seed=1)
    np.testing.assert_array_equal(again.draws.values, forecast.draws.values)
    for sample in (0, 700):
        twin = rows[rows["model"] == "a"].assign(tokens_t=float(tokens[sample, 0]))
        same = ls.predict(disclosed, twin, seed=1).mean_draws.isel(sample=sample, model=0)
        mine = forecast.mean_draws.sel(model="a").isel(sample=sample)
        np.testing.assert_allclose(same.values, mine.values, rtol=1e-10)
    wide = forecast.table().groupby("model")["sd"].mean()
    assert wide["a"] > wide["disclosed"]
    assert ls.predict(disclosed, rows.assign(tokens_t=1.0), seed=1).token_draws is None


@pytest.mark.parametrize("few_shot", FEW_SHOT, ids=["importance", "sampler"])
def test_scores_of_a_new_family_tell_of_tokens_as_quadrature_does(
    disclosed: Fit, few_shot: ls.FewShot
) -> None:
    rows = rows_of("fresh", *SHOT)
    forecast = ls.predict(disclosed, rows, seed=2, few_shot=few_shot)
    given = forecast.conditioning
    assert given is not None and given.ess > 300 and given.pareto_k < 0.7
    families = disclosed.samples.sizes["family"]
    prior = stats.norm.logpdf(LEVEL, scale=np.sqrt(1 + 1 / families))[:, None]
    prior = prior + stats.norm.logpdf(LOG_TOKENS, 0.7, 1)[None]
    both = prior + log_density(disclosed, rows)
    wanted = moments(both, LOG_TOKENS[None])
    assert abs(wanted[0] - 0.7) > 0.3 and wanted[1] < 0.9  # the scores are informative about them
    agree(np.log(forecast.token_draws.sel(model="hidden").values), wanted, given.ess)
    data = disclosed.scores.dataset
    flops = np.log(data["params"].values * data["tokens"].values)
    x = (np.log(3.0) - flops.mean()) / flops.std()
    level = forecast.skill_draws.sel(model="disclosed").isel(skill=0).values - 0.6 * x
    agree(level, moments(both, LEVEL[:, None]), given.ess)


@pytest.mark.parametrize("few_shot", FEW_SHOT, ids=["importance", "sampler"])
def test_scores_of_a_relative_move_the_tokens_of_a_fitted_model(
    partly_told: Fit, few_shot: ls.FewShot, with_posterior
) -> None:
    """A fit whose draws are exact given the old scores, then a new member with scores."""
    frame = partly_told.scores.to_frame()
    own = frame[frame["family"] == "fam02"]
    count = partly_told.samples.sizes["family"]
    prior = stats.norm.logpdf(LEVEL, scale=np.sqrt(count / (count - 1)))[:, None]
    old = prior + stats.norm.logpdf(LOG_TOKENS, 0.7, 1)[None] + log_density(partly_told, own)
    weight = np.exp(old - old.max())
    place = np.random.default_rng(3).choice(old.size, DRAWS, p=(weight / weight.sum()).ravel())
    level, tokens = LEVEL[place // len(LOG_TOKENS)], LOG_TOKENS[place % len(LOG_TOKENS)]
    posterior = partly_told.posterior.copy(deep=True)
    # Moving one family moves the mean of all, and with it the intercepts.
    posterior["family_skill"].loc[{"family": "fam02"}] = (level * (count - 1) / count)[
        None, :, None
    ]
    shift = 1.1 * xr.DataArray(level / count, dims="draw")
    posterior["intercept"] = (posterior["intercept"] + shift).transpose(
        *posterior["intercept"].dims
    )
    posterior["log_tokens"] = xr.full_like(posterior["log_tokens"], 0) + xr.DataArray(
        tokens, dims="draw"
    )
    posterior["log_tokens"] = posterior["log_tokens"].transpose("chain", "draw", ...)
    fit = with_posterior(partly_told, posterior)
    new = rows_of("fam02", ("new", 20.0, 2.0, 0.6, 0.55, 0.5, 0.6))
    asked = pd.concat(
        [
            new.assign(instruct=0),
            frame[frame["model"] == UNDISCLOSED][["model", "family", "params_b", "instruct"]],
        ]
    )
    forecast = ls.predict(fit, asked, seed=5, few_shot=few_shot)
    given = forecast.conditioning
    assert given is not None and given.ess > 300
    both = old + log_density(partly_told, new)
    wanted, before = moments(both, LOG_TOKENS[None]), moments(old, LOG_TOKENS[None])
    assert abs(wanted[0] - before[0]) > 0.1  # with a weaker relative, the scores imply more tokens
    agree(np.log(forecast.token_draws.sel(model=UNDISCLOSED).values), wanted, given.ess)


def test_a_spec_that_leaves_out_still_refuses(prior_fit, one_skill, small_scores) -> None:
    fit = prior_fit(one_skill, small_scores, draws=30)
    with pytest.raises(ls.DataError, match=r'tokens_t is empty for "hidden".*estimated'):
        ls.predict(fit, rows_of("fam00", SHOT[1]))
