"""Degenerate weights: the advice in the refusal, and tempering."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import latentscale as ls
from latentscale.analysis.forecasts import condition
from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.weights import (
    Degenerate,
    DrawWeights,
    is_degenerate,
    is_rough,
    refuse_degenerate,
    tempered,
    weigh,
)
from latentscale.data.scores import Scores
from latentscale.declare import load_spec
from latentscale.posterior.fit import Fit


@pytest.mark.parametrize("groups", [1, 26])
def test_scores_of_several_families_may_be_given_one_model_at_a_time(groups: int) -> None:
    several: Any = [None] * groups
    weights = DrawWeights(several, "importance", np.full(300, 1 / 300), ess=5.0, pareto_k=1.1)
    with pytest.raises(Degenerate) as refused:
        refuse_degenerate(weights, 78, 300, FewShot())
    assert "FewShot(refit=" in str(refused.value)
    assert ("latentscale.studies.predict_each" in str(refused.value)) == (groups > 1)


def _of_levels(level: np.ndarray) -> DrawWeights:
    """Weights of one group whose new scores have these log likelihoods."""
    candidates: Any = SimpleNamespace(level=level)
    return weigh([candidates], "importance")


def test_tempered_weights_are_those_of_the_largest_power_that_is_not_rough() -> None:
    """Precise scores far from a normal posterior move its mean by the share of their power."""
    count, far, precision = 4000, 3.0, 60.0
    theta = norm.ppf((np.arange(count) + 0.5) / count)
    level = -0.5 * precision * (theta - far) ** 2
    plain = _of_levels(level)
    assert is_degenerate(plain, count)
    weights = tempered(plain, count)
    assert 0 < weights.power < 1 and not is_rough(weights, count)
    assert is_rough(_of_levels(weights.power * level + 0.005 * level), count)
    informed = weights.power * precision  # conjugate: prior precision 1, mean 0
    assert weights.weight @ theta == pytest.approx(far * informed / (1 + informed), rel=0.02)
    np.testing.assert_allclose(weights.weight.sum(), 1)


def test_draws_that_cannot_explain_the_scores_keep_weight_zero() -> None:
    level = np.random.default_rng(1).normal(size=2000) * 40
    level[::2] = -np.inf
    weights = tempered(_of_levels(level), 2000)
    assert weights.power < 1 and weights.weight[::2].max() < 1e-300
    assert not is_degenerate(weights, 2000)


@pytest.fixture(scope="module")
def wide(small_scores: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    """With draws from a wide prior of a law with families, hardly any explains precise scores."""
    spec = load_spec("cai2025").with_({"skills.count": 1, "skills.identify.anchors": ["alpha"]})
    return prior_fit(spec, small_scores, draws=400)


NEW = pd.DataFrame(
    {"model": ["fresh-1"], "family": "fresh", "params_b": 3.0, "tokens_t": 1.0}
).assign(alpha=0.72, beta=0.4, gamma=0.55)


def test_tempered_forecasts_say_so(wide: Fit) -> None:
    with pytest.raises(Degenerate, match='degenerate="temper"'):
        ls.predict(wide, NEW, seed=1)
    temper = ls.FewShot(degenerate="temper")
    with pytest.warns(ls.FitWarning, match="raised to the power 0"):
        ahead = ls.predict(wide, NEW, seed=1, few_shot=temper)
    how = ahead.conditioning
    assert how is not None and 0 <= how.power < 1 and "weights to the power 0" in how.headline
    assert how.table()["power"].tolist() == [how.power] and how.ess >= 100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)
        rough = ls.predict(wide, NEW, seed=1, few_shot=ls.FewShot(degenerate="warn"))
    assert rough.conditioning is not None and rough.conditioning.power == 1
    assert len(np.unique(how.index)) > 2 * len(np.unique(rough.conditioning.index))


def test_tempered_latents_are_given_all_scores(wide: Fit) -> None:
    """A new family's level rises with its scores even if the weights are hardly informative."""
    temper = ls.FewShot(degenerate="temper")
    low, high = NEW.assign(alpha=0.02, beta=0.02), NEW.assign(alpha=0.97, beta=0.97)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.FitWarning)
        ahead = [ls.predict(wide, rows, seed=1, few_shot=temper) for rows in (low, high)]
    gap = ahead[1].mean_draws.mean("sample") - ahead[0].mean_draws.mean("sample")
    assert all(one.conditioning is not None and one.conditioning.power < 1 for one in ahead)
    assert float(gap.sel(benchmark="alpha").squeeze()) > 0.3


def test_a_refit_goes_before_tempered_weights() -> None:
    assert not ls.FewShot(degenerate="temper", refit=ls.NUTS()).tempers
    assert ls.FewShot(degenerate="temper").tempers and not ls.FewShot().tempers


@pytest.mark.parametrize(("most", "tried"), [(0, {8}), (1e12, {8, 64})])
def test_scores_of_many_families_are_given_up_before_much_work(
    wide: Fit, monkeypatch: pytest.MonkeyPatch, most: float, tried: set[int]
) -> None:
    """Two families with scores far apart, which no draw of the shared parameters explains."""
    latents = set()
    from_fit = condition.from_fit

    def counted(problem: Any, few_shot: FewShot, rng: np.random.Generator) -> Any:
        latents.add(few_shot.latents)
        return from_fit(problem, few_shot, rng)

    monkeypatch.setattr(condition, "from_fit", counted)
    monkeypatch.setattr(condition, "_MOST_OF_HOPELESS", most)
    monkeypatch.setattr(condition, "_HOPELESS_ESS", 401)
    monkeypatch.setattr(condition, "_shifted", lambda *_: None)
    odd = NEW.assign(alpha=0.02, beta=0.97)
    both = pd.concat([odd, odd.assign(model="other-1", family="other", alpha=0.97, beta=0.02)])
    with pytest.raises(Degenerate, match="predict_each"):
        ls.predict(wide, both.reset_index(drop=True), seed=1)
    assert latents == tried
