"""The planner's answers about a planned model, without its page."""

from __future__ import annotations

import numpy as np
import pytest

import latentscale as ls
from latentscale.analysis.forecasts.latents import LocalProblem
from latentscale.errors import LatentscaleError
from latentscale.explore.answers import Planned, Planner
from latentscale.explore.controls import controls_of, usual_values

FEATURES = {"params_b": 7.0, "tokens_t": 7.0}


def planned(**scores: float) -> Planned:
    return Planned("qwen2-7b-next", "qwen2", FEATURES, scores)


@pytest.fixture(scope="module")
def planner(fit: ls.Fit) -> Planner:
    return Planner(fit, seed=1)


def test_forecasts_are_those_of_predict(planner: Planner, fit: ls.Fit) -> None:
    ours = planner.answer(planned()).forecast.table(0.8)
    theirs = ls.predict(fit, planned().row, seed=1, draws=500).table(0.8)
    assert ours.equals(theirs)


def test_scores_condition_the_forecast(planner: Planner) -> None:
    before = planner.answer(planned())
    after = planner.answer(planned(hellaswag=0.83))
    assert after.forecast.conditioning is not None
    assert after.index.sizes == {"sample": after.forecast.draws.sizes["sample"]}
    assert float(after.index.median()) > float(before.index.median())
    assert "hellaswag" not in after.following.table()["benchmarks"].tolist()


def test_the_index_of_the_average_fitted_model_is_zero(planner: Planner) -> None:
    fitted = planner._expected()
    spread = fitted.mean("sample").std("model")
    own = ((fitted - fitted.mean(["sample", "model"])) / spread).mean()
    assert float(own) == pytest.approx(0, abs=1e-12)


def test_a_larger_model_ranks_higher(planner: Planner) -> None:
    small = Planned("s", "qwen2", {**FEATURES, "params_b": 0.5}, {})
    assert float(planner.answer(small).rank.median()) > float(
        planner.answer(planned()).rank.median()
    )


def test_intervals_of_the_standing_say_their_probability(planner: Planner) -> None:
    answer = planner.answer(planned())
    for prob in (0.5, 0.9):
        assert answer.standing(prob).count(f"({prob:.0%} interval ") == 2


def test_thresholds_give_probabilities_of_a_new_score(planner: Planner) -> None:
    answer = planner.answer(planned())
    table = answer.passing({"mmlu": 0.7}, 0.9).set_index("benchmark")
    draws = answer.forecast.draws.sel(benchmark="mmlu")
    assert table.loc["mmlu", "probability"] == pytest.approx(float((draws >= 0.7).mean()))
    assert np.isnan(table.loc["bbh", "probability"])


def test_an_answer_is_kept(planner: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    first = planner.answer(planned())
    monkeypatch.setattr(Planner, "_new", lambda *_: pytest.fail("asked twice"))
    assert planner.answer(planned()) is first


def test_scores_that_the_fit_cannot_take_are_refused_each_time(planner: Planner) -> None:
    odd = Planned("m", "bloom", {"params_b": 1.0, "tokens_t": 0.3}, {"mmlu": 0.95, "bbh": 0.9})
    for _ in range(2):
        with pytest.raises(LatentscaleError, match="too few posterior draws"):
            planner.answer(odd)


def test_controls_are_the_features_that_the_fit_uses(fit: ls.Fit) -> None:
    controls = {one.name: one for one in controls_of(fit)}
    assert set(controls) == {"params_b", "tokens_t", "instruct"}
    low, high = controls["params_b"].ends
    sizes = fit.scores.dataset["params"]
    assert controls["params_b"].log and low < float(sizes.min()) and high > float(sizes.max())
    usual = usual_values(fit, "qwen2")["params_b"]
    members = sizes[fit.scores.dataset["family"].values == "qwen2"]
    assert float(members.min()) <= usual <= float(members.max())


def test_a_score_typed_in_asks_for_few_passes_over_the_likelihood(
    planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    whole = LocalProblem.log_likelihood
    monkeypatch.setattr(
        LocalProblem, "log_likelihood", lambda self, eta: passes.append(1) or whole(self, eta)
    )
    planner.answer(planned(hellaswag=0.815))
    # All candidates, with three or four Newton steps for two modes: a pass takes some 5 ms.
    assert 0 < len(passes) <= 80
