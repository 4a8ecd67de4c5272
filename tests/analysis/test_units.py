"""Units in text and figures: stated ones are named, a scale's name is not one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis.tools.units import in_words, shown_score, spread_note, units_note
from latentscale.declare import spec_from_dict
from latentscale.plots.style import with_unit
from latentscale.posterior.fit import Fit

ROW = pd.DataFrame({"model": ["new"], "family": ["new"], "params_b": [8.0], "tokens_t": [4.0]})
UNITS = {"elo": "Elo", "rating": "real", "minutes": "positive"}


@pytest.fixture(scope="module")
def fit(prior_fit: Callable[..., Fit]) -> Fit:
    """Fractions, a rating and an amount without stated units; heavy tails."""
    rng = np.random.default_rng(5)
    skill = rng.standard_normal(12)
    frame = pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(12)],
            "family": [f"f{i % 3}" for i in range(12)],
            "params_b": np.exp(skill + 2),
            "tokens_t": 4.0,
            "share": 1 / (1 + np.exp(-skill)),
            "rating": 1200 + 90 * skill,
            "minutes": np.exp(1 + 0.8 * skill),
        }
    )
    scales = {
        "rating": ls.Benchmark(scale="real"),
        "minutes": ls.Benchmark(scale="positive"),
    }
    spec = spec_from_dict(
        {
            "name": "heavy",
            "covariates": ["log_flops"],
            "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["share"]}},
            "family": {"level": "partial"},
            "benchmarks": {"likelihood": {"kind": "heavy-tailed-beta"}},
        }
    )
    return prior_fit(spec, ls.Scores.from_frame(frame, benchmarks=scales))


def test_a_unit_that_is_not_stated_is_not_named_after_the_scale() -> None:
    """A report said "1457 real on arena", an explanation "forecast 718.5 positive"."""
    assert shown_score(1456.7, "real") == "1457" and shown_score(3.0, "positive") == "3"
    assert shown_score(1456.7, "Elo") == "1457 Elo" and shown_score(0.5, None) == "50%"
    names = ["share", *UNITS]
    said = "elo in Elo, rating in its own unit, minutes in its own unit, others in fractions"
    assert units_note(UNITS, names) == f"; {said}"
    assert in_words(UNITS, ["rating"]) == "its own unit" and in_words(UNITS, ["elo"]) == "Elo"
    assert spread_note("mae", "real") == "" and spread_note("mae", "Elo") == "; mae in Elo"
    assert with_unit("rating", UNITS) == "rating" and with_unit("elo", UNITS) == "elo (Elo)"


def test_texts_and_figures_name_no_scale_as_a_unit(fit: Fit) -> None:
    forecast = ls.predict(fit, ROW, seed=1)
    assert "rating in its own unit" in forecast.headline
    explanation = ls.studies.explain(fit, ROW, "rating", seed=1)
    assert "real" not in explanation.headline.partition("draws")[2]
    passing = ls.probability_above(fit, ROW, {"rating": 1250.0}, seed=1)
    titles = [panel.get_title(loc="left") for panel in passing.plot().figure.axes]
    assert any("1250" in title for title in titles) and not any("real" in t for t in titles)


def test_an_explanation_has_medians_of_changes_and_no_sd_that_rests_on_a_few_draws(
    fit: Fit,
) -> None:
    """A part of mean -0.05 changed a forecast of 718 by +276 on average; sd 1705 to 2858."""
    explanation = ls.studies.explain(fit, ROW, seed=1)
    table = explanation.table().set_index(["benchmark", "part"])
    change = explanation.change_draws.sel(model="new").median("sample")
    for benchmark in fit.scores.benchmarks:
        for part in change["part"].values:
            by_hand = float(change.sel(benchmark=benchmark, part=part))
            assert table.loc[(benchmark, part), "change"] == pytest.approx(by_hand)
    shares = explanation.shares_table().set_index("benchmark")
    assert shares.loc["minutes", "sd"].isna().all() and shares.loc["rating", "sd"].notna().all()
    assert shares["share"].notna().all()
