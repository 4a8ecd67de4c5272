"""The plots of the capability index and of probe sets show what their tables hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.image import imread

import latentscale as ls
from latentscale.analysis.choices.probe_set import ProbeSet
from latentscale.analysis.skills.capability_index import CapabilityIndex
from latentscale.errors import DataError, FitError
from latentscale.plots import plot_capability_index, plot_probe_set
from tests.plots.legend import labelled


@pytest.fixture
def index() -> CapabilityIndex:
    rng = np.random.default_rng(4)
    models = [f"m{k}" for k in range(50)]
    draws = xr.DataArray(
        np.linspace(150, 90, 50) + rng.normal(0, 2, (300, 50)),
        dims=("sample", "model"),
        coords={"model": models},
    )
    weights = xr.DataArray([1.0], {"benchmark": ["arc"]}, ("benchmark",))
    return CapabilityIndex(draws, {"m3": 145.0, "m49": 90.0}, weights)


@pytest.fixture
def probes() -> ProbeSet:
    steps = pd.DataFrame(
        {
            "benchmark": ["mmlu", "a $ and an _"],
            "cost": [1.0, 1.0],
            "total_cost": [1.0, 2.0],
            "share_left": [0.5, 0.25],
            "rmse_left": [0.1, 0.08],
        }
    )
    left = pd.DataFrame(
        {
            "benchmark": ["bbh", "gsm8k", "ifeval"],
            "sd_before": [0.2, 0.15, 0.1],
            "sd_after": [0.05, 0.1, 0.09],
            "share_explained": [0.94, 0.56, 0.19],
        }
    )
    return ProbeSet(steps, left, "exact")


def test_the_index_has_its_intervals_and_the_best_models_first(
    index: CapabilityIndex, tmp_path: Path
) -> None:
    figure = index.plot()
    (panel,) = figure.axes
    names = [text.get_text() for text in panel.get_yticklabels()]
    assert names == index.table()["model"].tolist()[:40]
    for prob in (0.9, 0.5):
        mine = index.table(prob).head(40)
        lines = np.array(labelled(panel, f"{prob:.0%} interval").get_segments())
        np.testing.assert_allclose(lines[:, :, 0], mine[["lower", "upper"]])
    np.testing.assert_allclose(labelled(panel, "median").get_offsets()[:, 0], mine["median"])
    row = names.index("m3")  # the other anchor has no row
    np.testing.assert_allclose(labelled(panel, "anchor's value").get_offsets(), [[145.0, row]])
    assert "40 of 50 models shown" in figure.get_suptitle()
    assert "m3 = 145, m49 = 90" in figure.get_suptitle()
    figure.savefig(tmp_path / "figure.png")
    assert imread(tmp_path / "figure.png").std() > 0.02


def test_models_of_the_index_are_chosen_and_checked(index: CapabilityIndex) -> None:
    (panel,) = index.plot(models=["m40", "m2"]).axes
    assert [text.get_text() for text in panel.get_yticklabels()] == ["m40", "m2"]
    with pytest.raises(DataError, match='"nobody"'):
        index.plot(models=["nobody"])
    with pytest.raises(FitError):
        plot_capability_index("index")  # type: ignore[arg-type]


def test_the_index_of_a_point_estimate_has_no_intervals(index: CapabilityIndex) -> None:
    (panel,) = replace(index, is_posterior=False).plot().axes
    labels = panel.get_legend_handles_labels()[1]
    assert labels == ["estimate", "anchor's value"]


def test_steps_and_spreads_of_a_probe_set(probes: ProbeSet, tmp_path: Path) -> None:
    figure = probes.plot()
    steps, others = figure.axes
    assert [bar.get_width() for bar in steps.patches] == [0.5, 0.25]
    names = [text.get_text() for text in steps.get_yticklabels()]
    assert names == ["mmlu", "+ a $ and an _"]
    rows = np.arange(3)
    for label, column in (("before", "sd_before"), ("when the set is run", "sd_after")):
        points = labelled(others, label).get_offsets()
        np.testing.assert_allclose(points, np.c_[probes.left[column], rows])
    assert "(points)" in others.get_xlabel()
    figure.savefig(tmp_path / "figure.png")
    assert imread(tmp_path / "figure.png").std() > 0.02


def test_costs_and_units_of_a_probe_set_are_said(probes: ProbeSet) -> None:
    dear = replace(probes, steps=probes.steps.assign(cost=[3.0, 1.0]), unit="Elo")
    steps, others = dear.plot().axes
    assert steps.get_yticklabels()[0].get_text() == "mmlu (cost 3)"
    assert "(Elo)" in others.get_xlabel()


def test_a_probe_set_of_every_target_has_one_panel(probes: ProbeSet) -> None:
    figure = replace(probes, left=probes.left.iloc[:0]).plot()
    assert len(figure.axes) == 1 and "Right" not in figure.get_suptitle()
    with pytest.raises(ls.LatentscaleError):
        plot_probe_set("probes")  # type: ignore[arg-type]
