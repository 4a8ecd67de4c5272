"""Trends of a category's levels: curves, populations, levels not fitted, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis.forecasts.groups import family_groups, joined_group
from latentscale.analysis.forecasts.moves import moved_by
from latentscale.analysis.forecasts.new_scores import new_scores
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.forecasts.shifts import shifts_for
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.dims import SAMPLE
from latentscale.errors import FitWarning, SpecError
from latentscale.model.feasible import feasible
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN

PROVIDERS = ("a", "b", "c")


def spec_of(term: dict[str, Any] | None = None, **fields: Any) -> ModelSpec:
    own = {"kind": "category-trend", "covariate": "log_params", "category": "provider", "knots": 3}
    document = {
        "name": "trends",
        "covariates": ["log_params", "provider"],
        "skills": {"count": 2, "identify": {"kind": "free"}, "residual": True},
        "terms": [own | (term or {})],
    }
    return spec_from_dict(document | fields)


@pytest.fixture(scope="module")
def scores(small_scores: Scores) -> Scores:
    frame = small_scores.to_frame()
    provider = np.array(PROVIDERS)[np.arange(len(frame)) % 3]
    return Scores.from_frame(
        frame.assign(provider=provider), benchmarks=small_scores.benchmark_info
    )


def by_hand(fit: Fit, x: np.ndarray, level: list[str], shape: str) -> np.ndarray:
    """Return each row's own line and changes at the knots, (sample, row, skill)."""
    draws = fit.samples
    slope = draws["category_slope"].transpose("sample", "category_trend_level", "skill")
    own = slope.sel(category_trend_level=[f"provider={name}" for name in level]).values
    curve = own * x[:, None]
    if "category_change" not in draws:
        return curve
    knots = draws["category_trend_knot"].values.astype(float)
    step = np.diff(knots).mean()
    for row, name in enumerate(level):
        change = draws["category_change"].sel(category_trend_level=f"provider={name}")
        values = change.transpose("sample", "category_trend_knot", "skill").values
        for j, knot in enumerate(knots):
            past = x[row] - knot if knot >= 0 else knot - x[row]
            if shape == "local-linear":
                height = max(past, 0.0)
            else:
                height = np.clip((past + (0 if knot >= 0 else step)) / step, 0, 1)
            curve[:, row] += height * values[:, j]
    return curve


@pytest.mark.parametrize(
    "term", [{}, {"shape": "random-walk"}, {"knots": 0}], ids=["local", "walk", "line"]
)
def test_skills_follow_the_line_and_the_changes_of_their_level(
    term: dict[str, Any], scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    fit = prior_fit(spec_of(term), scores, draws=5)
    draws, table = fit.samples, fit.scores.dataset
    t = fit.transform
    x = (np.log(table["params"].values) - t.mean["log_params"]) / t.scale["log_params"]
    level = [str(name) for name in table["provider"].values]
    family = draws["family_skill"].sel(family=table["family"].values).rename(family="model")
    effect = draws["category_effect"].sel(category_level=[f"provider={n}" for n in level])
    rest = sum(
        part.transpose("sample", ..., "skill").values
        for part in (family, effect, draws["residual"])
    )
    line = draws["slope"].sel(covariate="log_params").transpose("sample", "skill").values
    own = by_hand(fit, x, level, term.get("shape", "local-linear"))
    wanted = rest + x[:, None] * line[:, None] + own
    skills = draws["model_skill"].transpose("sample", "model", "skill").values
    np.testing.assert_allclose(skills, wanted, rtol=1e-9, atol=1e-9)


def test_levels_are_deviations_from_what_all_share(
    scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    draws = prior_fit(spec_of(), scores, draws=800).samples
    step = np.diff(draws["category_trend_knot"].values.astype(float)).mean()
    for name, times in (("category_slope", 1.0), ("category_change", step)):
        effect = draws[name]
        np.testing.assert_allclose(effect.sum("category_trend_level").values, 0, atol=1e-9)
        unit = effect / (draws[f"{name}_scale"] * np.sqrt(times * (1 - 1 / len(PROVIDERS))))
        # 4,800 values, 3,200 of them free: a standard error of at most 0.0125.
        assert float(unit.std()) == pytest.approx(1.0, abs=0.06)


def rows(**provider: str) -> pd.DataFrame:
    """Return large planned models by name, of the providers given."""
    fixed = {"params_b": 400.0, "tokens_t": 5.0, "instruct": 0}
    return pd.DataFrame(
        [{"model": m, "family": f"f{m}", "provider": p} | fixed for m, p in provider.items()]
    )


def test_a_level_that_was_not_fitted_is_drawn_from_the_population(
    scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    fit = prior_fit(spec_of(), scores, draws=800)
    term = fit.spec.terms[0]
    both = term.with_levels(fit.samples, ("licence=x", "provider=z"), np.random.default_rng(1))
    assert both["category_trend_level"].values.tolist()[-1] == "provider=z"
    assert both.sizes["category_trend_level"] == len(PROVIDERS) + 1
    step = np.diff(both["category_trend_knot"].values.astype(float)).mean()
    for name, times in (("category_slope", 1.0), ("category_change", step)):
        old = both[name].isel(category_trend_level=slice(len(PROVIDERS)))
        np.testing.assert_array_equal(old.transpose(*fit.samples[name].dims), fit.samples[name])
        wider = np.sqrt(times * (1 + 1 / len(PROVIDERS)))
        unit = both[name].sel(category_trend_level="provider=z") / (
            wider * fit.samples[f"{name}_scale"]
        )
        # 1,600 values or more: a standard error of at most 0.018.
        assert float(unit.std()) == pytest.approx(1.0, abs=0.08)
    # Two rows of one new provider share its line; rows of two providers have separate lines.
    skill = ls.predict(fit, rows(one="z", two="z", three="y"), seed=1).skill_draws
    assert skill is not None
    one, two, three = (skill.sel(model=name) for name in ("one", "two", "three"))
    assert float((one - two).var()) < 0.7 * float((one - three).var())


def test_new_scores_move_the_levels_and_keep_their_sums(
    scores: Scores, prior_fit: Callable[..., Fit]
) -> None:
    """Shifts move fitted levels' effects and slopes, whose means are 0 by definition."""
    fit = prior_fit(spec_of(benchmarks={"pooled": True}), scores, draws=6)
    planned = planned_rows(fit, rows(new="a").assign(alpha=0.9, gamma=0.8))
    groups = family_groups(fit, planned, new_scores(fit, planned))
    draws = fit.samples.drop_vars(list(ORIGIN))
    made = shifts_for(fit, draws, joined_group([group.of_new_scores() for group in groups]))
    assert made is not None
    unit = np.eye(2)[[0] * draws.sizes[SAMPLE]]
    there = moved_by(draws, made.directions.moves, unit)
    for name, dim in (
        ("category_slope", "category_trend_level"),
        ("family_skill", "family"),
    ):
        assert float(abs(there[name] - draws[name]).max()) > 1e-6
        np.testing.assert_allclose(there[name].sum(dim).values, 0, atol=1e-8)


def test_gibbs_recovers_the_slopes_of_providers() -> None:
    """Six providers whose lines differ by known slopes, with a common line and levels."""
    rng = np.random.default_rng(7)
    count, names = 90, [f"p{k}" for k in range(6)]
    which = np.arange(count) % 6
    slope = np.array([-0.9, -0.5, -0.1, 0.1, 0.5, 0.9])
    year = rng.uniform(-1.5, 1.5, count)
    skill = (0.8 + slope[which]) * year + 0.2 * rng.standard_normal(count)
    loading, level = rng.uniform(0.8, 1.2, 8), 0.5 * rng.standard_normal(8)
    logit = level + skill[:, None] * loading + 0.2 * rng.standard_normal((count, 8))
    frame = pd.DataFrame(1 / (1 + np.exp(-logit)), columns=[f"test {j}" for j in range(8)])
    models = [f"m{i}" for i in range(count)]
    released = pd.Timestamp("2024-06-01") + pd.to_timedelta(np.round(365.25 * year), unit="D")
    frame = frame.assign(
        model=models, family=models, provider=np.array(names)[which], released=released
    )
    scores = Scores.from_frame(frame)
    spec = spec_of(
        {"covariate": "released", "knots": 0},
        covariates=["released", "provider"],
        skills={"count": 1, "identify": {"kind": "free"}, "residual": True},
        family={"level": "none"},
        benchmarks={"likelihood": {"kind": "student-t"}, "pooled": True},
    )
    method = ls.methods.Gibbs(draws=400, tune=300, chains=2)
    draws = ls.fit(spec, scores, method=method, seed=3, progress=False).samples
    own = (draws["category_slope"] * draws["loading"].mean("benchmark")).sum("skill")
    labels = [f"provider={name}" for name in names]
    own = own.sel(category_trend_level=labels).transpose("sample", ...)
    unit = year.std() * loading.mean()  # of a slope over one standard deviation of dates
    error = own.mean("sample").values / unit - slope
    spread = own.std("sample").values / unit
    assert np.corrcoef(own.mean("sample").values, slope)[0, 1] > 0.97
    assert np.all(np.abs(error) < 4 * spread) and np.all(spread < 0.25)


@pytest.mark.parametrize(
    ("term", "fields", "message"),
    [
        ({"category": "licence"}, {}, '"licence" must also be among covariates'),
        ({"category": "log_params"}, {}, '"log_params" is a number or a flag'),
        ({"covariate": "log_tokens"}, {}, '"log_tokens" must also be among covariates'),
        ({"knots": -1}, {}, "knots"),
        (
            {"covariate": "log_params:log_params"},
            {"covariates": ["log_params:log_params", "provider"]},
            "is a product",
        ),
        (
            {},
            {"skills": {"count": 0}, "benchmarks": {"slopes": ["log_params"]}},
            "no skills that could follow a trend",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_trend_that_a_spec_cannot_have_is_refused(
    term: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        spec_of(term, **fields)


def test_a_table_of_one_provider_is_fitted_without_its_trend(scores: Scores) -> None:
    same = Scores.from_frame(scores.to_frame().assign(provider="a"))
    spec = spec_of(optional=["provider"])
    with pytest.warns(FitWarning, match="without the covariate provider and the term category-t"):
        left = feasible(spec, same)
    assert left.terms == () and left.covariates == ("log_params",)
