from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from latentscale.analysis.checks.calibrate import pit_histogram, reliability
from latentscale.errors import DataError
from latentscale.plots import plot_coverage, plot_pit, plot_reliability


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "family": rng.integers(15, size=400).astype(str),
            "benchmark": rng.choice(["arc", "a $ and an _", "mmlu", "gsm8k"], 400),
            "pit": rng.beta(0.7, 0.7, 400),
        }
    )


def test_the_histogram_shows_the_counts(table: pd.DataFrame) -> None:
    panel = plot_pit(table, bins=8).axes[0]
    handles, labels = panel.get_legend_handles_labels()
    drawn = handles[labels.index("held-out scores")].get_data().values
    np.testing.assert_array_equal(drawn, pit_histogram(table, 8)["count"])


def test_the_curve_is_that_of_the_table(table: pd.DataFrame, tmp_path: Path) -> None:
    figure = plot_reliability(table, resamples=200)
    panel = figure.axes[0]
    handles, labels = panel.get_legend_handles_labels()
    x, y = handles[labels.index("actual coverage")].get_data()
    np.testing.assert_allclose(y, reliability(table, list(x), resamples=10)["actual"])
    figure.savefig(tmp_path / "reliability.png")
    assert imread(tmp_path / "reliability.png").std() > 0.02


def test_each_benchmark_has_its_coverage(table: pd.DataFrame) -> None:
    figure = plot_coverage(table, levels=(0.5, 0.9), resamples=200)
    curve = reliability(table, [0.5, 0.9], by=["benchmark"], resamples=10)
    for level, panel in zip((0.5, 0.9), figure.axes, strict=True):
        handles, labels = panel.get_legend_handles_labels()
        dots = handles[labels.index("actual coverage")].get_offsets()
        np.testing.assert_allclose(dots[:, 0], curve[curve["nominal"] == level]["actual"])
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert [name.rpartition(" (")[0] for name in names] == list(dict.fromkeys(curve["benchmark"]))


def test_too_many_levels_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="at most 4"):
        plot_coverage(table, levels=(0.1, 0.2, 0.3, 0.4, 0.5))


def test_scores_are_called_what_they_are(table: pd.DataFrame) -> None:
    """Leave-one-out scores were labelled as held-out."""
    for plot in (plot_pit, plot_reliability, plot_coverage):
        for source in ("held-out", "leave-one-out"):
            figure = plot(table, source=source)  # type: ignore[operator]
            assert f"{source} scores" in figure.get_suptitle()
