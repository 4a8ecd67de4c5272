"""Mixtures of raw and rescaled scores, and how often they are detected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from benchmarks.mixed_units import run as mixed_units
from benchmarks.mixed_units.report import detection, errors


@pytest.fixture(scope="module")
def bundled() -> xr.Dataset:
    """The bundled figures."""
    return ls.datasets.open_llm_leaderboard().dataset


def test_rescaling_is_undone_by_its_inverse(bundled) -> None:
    models = list(bundled["model"].values[:30])
    mixed = mixed_units.rescale(bundled, models)
    untouched = bundled["model"].values[30:]
    xr.testing.assert_equal(
        mixed["score"].sel(model=untouched), bundled["score"].sel(model=untouched)
    )
    part, floor = mixed["score"].sel(model=models), bundled["floor"]
    back = floor + (1 - floor) * part
    raw = bundled["score"].sel(model=models)
    lifted = raw.where(raw.isnull() | (raw > floor), floor)
    xr.testing.assert_allclose(back.transpose(*raw.dims), lifted)
    assert float(part.min()) >= 0 and mixed["score"].notnull().equals(bundled["score"].notnull())


def test_benchmarks_without_a_floor_keep_their_scores(bundled) -> None:
    mixed = mixed_units.rescale(bundled, list(bundled["model"].values))
    for name in ("gsm8k", "ifeval", "math_lvl5"):
        xr.testing.assert_equal(
            mixed["score"].sel(benchmark=name), bundled["score"].sel(benchmark=name)
        )


@pytest.mark.parametrize("kind", mixed_units.KINDS)
def test_the_share_is_kept(bundled, kind: str) -> None:
    models = mixed_units.chosen_models(bundled, kind, 0.25, np.random.default_rng(1))
    assert len(models) == len(set(models)) == 48
    family = bundled["family"].sel(model=models).values
    if kind == "families":  # all whole but the last one that is begun
        whole = [np.sum(bundled["family"].values == f) == np.sum(family == f) for f in set(family)]
        assert whole.count(False) <= 1


def test_the_strongest_are_strong(bundled) -> None:
    models = mixed_units.chosen_models(bundled, "strongest", 0.1, np.random.default_rng(1))
    deviation = (bundled["score"] - bundled["score"].mean("model")).mean("benchmark")
    assert float(deviation.sel(model=models).min()) > float(deviation.median()) - 1e-9


def test_raw_figures_are_not_flagged_and_mixtures_are(bundled) -> None:
    assert mixed_units.flagged(bundled) == []
    rng = np.random.default_rng(2)
    mixed = mixed_units.rescale(bundled, mixed_units.chosen_models(bundled, "models", 0.25, rng))
    assert len(mixed_units.flagged(mixed)) >= 6
    frame = ls.Scores(mixed).to_frame()
    with pytest.warns(ls.DataWarning, match="rescaled by"):
        ls.Scores.from_frame(frame)


def test_held_out_models_leave_two_of_their_family(bundled) -> None:
    scores = ls.datasets.open_llm_leaderboard()
    asked = mixed_units.held_out(scores)
    family = bundled["family"].sel(model=asked).values
    assert len(set(family)) == len(asked) == 27
    rest = scores.without(asked)
    counts = pd.Series(rest.dataset["family"].values).value_counts()
    assert counts.loc[family].min() >= 2


def test_tables_of_the_report_by_hand() -> None:
    rows = {
        "model": ["a", "b"] * 2,
        "benchmark": ["x"] * 4,
        "family": ["f", "g"] * 2,
        "score": [0.5, 0.6] * 2,
        "median": [0.49, 0.62, 0.46, 0.62],
        "lower": [0.4] * 4,
        "upper": [0.55] * 4,
        "log_score": [1.0] * 4,
        "kind": ["none", "none", "models", "models"],
        "share": [0.0, 0.0, 0.1, 0.1],
        "rescaled": [0, 0, 3, 3],
        "warned": [0, 0, 4, 4],
        "max_rhat": [1.0] * 4,
    }
    table = errors(pd.DataFrame(rows))
    assert list(table["mean absolute error"]) == ["1.50", "3.00"]
    assert table["more than raw"][1] == "+1.50 ± 1.50"
    assert list(table["90% intervals cover"]) == ["50%", "50%"]
    row = {"kind": "models", "share": 0.1, "size": 20, "detected": 0.75, "detected_se": 0.04}
    shown = detection(pd.DataFrame([{**row, "named": 2.5}]))
    assert shown["20 models"][0] == "75 ± 4% (named 2.5)"
