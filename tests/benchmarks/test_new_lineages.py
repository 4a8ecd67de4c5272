"""The splits of the study of lineages held out by date. Its fits are not made here."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.new_lineages import run as study


@pytest.mark.parametrize("name", [*study.CUTS, "five newest"])
def test_hidden_lineages_are_later_than_all_that_are_fitted(name: str) -> None:
    scores, fold = study.split(name)
    frame = scores.to_frame().set_index("model")
    fitted, hidden = frame.loc[list(fold.train)], frame.loc[list(fold.test)]
    assert fitted["released"].max() <= hidden["released"].min()
    assert not set(fitted["lineage"]) & set(hidden["lineage"])


def test_the_measuring_split_is_hidden_from_the_choosing_ones() -> None:
    measured = set(study.split("five newest")[1].test)
    assert len(measured) == 52
    for name in study.CHOOSING:
        fold = study.split(name)[1]
        assert not measured & {*fold.train, *fold.test}


def test_bias_is_forecast_less_score() -> None:
    about = {"fold": "f", "family": "f", "prob": 0.9, "lower": 0.3, "upper": 0.8, "pit": 0.5}
    about |= {"mean": 0.6, "crps": 0.1, "log_score": 1.0, "benchmark": "quiz"}
    cells = pd.DataFrame({"model": ["a", "b"], "median": [0.5, 0.7], "score": [0.4, 0.5]})
    cells = cells.assign(**about)
    lineages = pd.Series({"a": "x", "b": "y"})
    assert study.row(cells, lineages)["bias"].startswith("15.0 ± ")
