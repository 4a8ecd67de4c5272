"""The plot of an allocation shows what its table holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from latentscale.analysis.choices.allocate import Allocation
from latentscale.analysis.choices.budget_line import segment
from latentscale.analysis.choices.target import Target
from latentscale.plots import plot_allocation
from tests.plots.legend import labelled

BUDGETS = (1e21, 1e23)


@pytest.fixture
def allocation() -> Allocation:
    rng = np.random.default_rng(2)
    limits = {"params": (0.07, 180.0), "tokens": (0.15, 15.0)}
    parts = tuple(segment(budget, **limits) for budget in BUDGETS)
    names = ["hellaswag", "a $ and an _"]
    place = xr.DataArray(
        np.clip(rng.normal(0.4, 0.6, (300, 2, 2)), -1, 1),
        dims=("sample", "target", "flops"),
        coords={"target": names, "flops": list(BUDGETS)},
    )
    params = xr.concat([part.params(place.isel(flops=k)) for k, part in enumerate(parts)], "flops")
    tokens = place["flops"] / 6e21 / params
    draws = xr.Dataset({"params": params, "tokens": tokens, "value": 0 * params + 0.5})
    draws = draws.transpose("sample", "target", "flops")
    bound = xr.where(place <= -1, -1, xr.where(place >= 1, 1, 0))
    return Allocation(
        draws=draws.assign(bound=bound),
        choice=draws.mean("sample"),
        segments=parts,
        targets=tuple(Target.benchmark(name) for name in names),
        basis="base model of the average family",
        fitted_params=limits["params"],
        fitted_tokens=limits["tokens"],
    )


def test_points_and_bars_are_the_numbers_of_the_table(allocation: Allocation) -> None:
    figure = plot_allocation(allocation)
    table = allocation.table(0.9)
    for panel in figure.axes:
        mine = table[table["target"] == panel.get_title(loc="left")]
        points = labelled(panel, "median optimum").get_offsets()
        np.testing.assert_allclose(points, mine[["flops", "params"]])
        bars = np.array(labelled(panel, "90% interval").get_segments())
        np.testing.assert_allclose(bars[:, :, 1], mine[["params_lower", "params_upper"]])
        shares = [f"{share:.0%}" for share in mine["on_bound"]]
        assert [text.get_text() for text in panel.texts] == shares


def test_a_short_interval_is_seen_beside_the_dot(allocation: Allocation) -> None:
    same = allocation.draws.assign(params=0 * allocation.draws["params"] + 3.0)
    figure = plot_allocation(replace(allocation, draws=same), published=False)
    panel = figure.axes[0]
    dot = labelled(panel, "median optimum")
    caps = [c for c in panel.collections if c.get_zorder() > dot.get_zorder()]
    assert len(caps) == 2  # of both ends, over the dot and wider than it
    for cap in caps:
        np.testing.assert_allclose(cap.get_offsets(), dot.get_offsets())
        assert cap.get_sizes()[0] > 2 * dot.get_sizes()[0]


def test_the_published_optimum_stands_on_its_own_panel(allocation: Allocation) -> None:
    first, second = plot_allocation(allocation).axes
    marker = labelled(first, "Cai et al. 2025, Table 2")
    assert [1.0037e21, 1.12] in marker.get_offsets().tolist()
    low, high = first.get_xlim()
    assert all(low < flops < high for flops, _ in marker.get_offsets())
    for panel in (second, plot_allocation(allocation, published=False).axes[0]):
        assert "Cai et al. 2025, Table 2" not in panel.get_legend_handles_labels()[1]


def test_a_point_estimate_has_no_bars(allocation: Allocation) -> None:
    panel = plot_allocation(replace(allocation, is_posterior=False)).axes[0]
    assert "90% interval" not in panel.get_legend_handles_labels()[1]
    assert not panel.texts


def test_the_grey_range_is_what_the_budget_leaves(allocation: Allocation) -> None:
    panel = plot_allocation(allocation).axes[0]
    grey = [line for line in panel.lines if line.get_label() == "allowed sizes"]
    for budget, line in zip(BUDGETS, grey, strict=True):
        low = max(0.07, budget / 6e21 / 15.0)
        high = min(180.0, budget / 6e21 / 0.15)
        np.testing.assert_allclose(line.get_ydata(), [low, high])
        np.testing.assert_allclose(line.get_xdata(), [budget, budget])
