"""The study of other tables: its splits and baselines, on a small simulated table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from benchmarks.elsewhere import report, tables
from benchmarks.elsewhere.baselines import baseline_table


@pytest.fixture(scope="module")
def scores() -> ls.Scores:
    """Forty models whose logits are a bias of the model and one of the benchmark."""
    rng = np.random.default_rng(2)
    size = np.exp(rng.uniform(0, 4, 40))
    logit = 0.8 * np.log(size)[:, None] - 1.5 + np.array([-1.0, 0.0, 0.5, 1.0])
    shares = 1 / (1 + np.exp(-logit - rng.normal(0, 0.02, logit.shape)))
    frame = pd.DataFrame(shares, columns=list("abcd")).assign(
        model=[f"m{place}" for place in range(40)],
        family=[f"f{place % 8}" for place in range(40)],
        params_b=size,
        tokens_t=np.linspace(0.1, 0.2, 40),
        released=pd.date_range("2024-01-01", periods=40),
    )
    return ls.Scores.from_frame(frame, features=["released"])


def test_folds_hide_what_they_are_named_for(scores: ls.Scores) -> None:
    frame = scores.to_frame().set_index("model")
    for split, column in ((tables.largest, "params_b"), (tables.latest, "released")):
        fold = split(scores)
        assert len(fold.test) == 8 and len(fold.train) == 32
        assert frame.loc[list(fold.test), column].min() > frame.loc[list(fold.train), column].max()
    assert len(tables.cells(scores).cells) == 32


def test_baselines_see_nothing_that_is_hidden_and_find_the_pattern(scores: ls.Scores) -> None:
    for split, good in ((tables.cells, "two-way"), (tables.largest, "regression")):
        fold = split(scores)
        table = baseline_table(scores, fold)
        error = (table["median"] - table["score"]).abs().groupby(table["baseline"]).mean()
        assert error[good] < 0.5 * error["mean"]
        hidden = set(zip(table["model"], table["benchmark"], strict=True))
        assert hidden == set(fold.cells) or {m for m, _ in hidden} == set(fold.test)
        data = scores.dataset.copy(deep=True)
        for model, benchmark in hidden:
            data["score"].loc[{"model": model, "benchmark": benchmark}] = 0.5
        other = baseline_table(ls.Scores(data), fold)
        assert np.allclose(other["median"], table["median"])


def test_differences_are_paired_and_coverage_that_is_off_is_marked() -> None:
    cells = pd.DataFrame({"family": list("aabb"), "score": 0.5, "error": [1.0, -3.0, 2.0, 2.0]})
    cells = cells.assign(inside=0.0, **{"by mean": [0.52, 0.46, 0.53, 0.53]})
    assert report.beside(cells)["mean"].startswith("-1.00 ± 0.00")
    assert report.beside(cells)["rank 2"] == ""
    assert report._mark(cells) and not report._mark(cells.assign(inside=[1.0, 1, 1, 0.5]))
