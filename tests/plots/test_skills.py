"""Plots of skills show what their tables hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from latentscale.analysis.skills.skills import Skills
from latentscale.analysis.skills.variance import VarianceShares
from latentscale.declare.kinds import TERMS
from latentscale.errors import DataError, FitError
from latentscale.model.terms.base import components
from latentscale.plots import (
    plot_family_skills,
    plot_joint_skills,
    plot_loadings,
    plot_variance_shares,
)
from tests.plots.legend import labelled

BENCHMARKS = ["arc", "a $ and an _", "mmlu"]
FAMILIES = ["yi", "b $ x_1", "qwen", "opt"]


@pytest.fixture
def skills() -> Skills:
    rng = np.random.default_rng(1)
    own = {"skill": ["mmlu", "skill 2"]}
    loading = xr.DataArray(
        rng.normal(0.5, 0.4, (200, 3, 2)),
        dims=("sample", "benchmark", "skill"),
        coords={"benchmark": BENCHMARKS, **own},
    )
    loading[:, 2, 1] = 0.0
    family = xr.DataArray(
        rng.normal(0, 1, (200, 4, 2)) + np.arange(4)[:, None],
        dims=("sample", "family", "skill"),
        coords={"family": FAMILIES, **own},
    )
    model = family.rename(family="model")
    names = xr.DataArray(FAMILIES, dims=("model",), coords={"model": FAMILIES})
    return Skills(loading, loading, model, family, None, names)


@pytest.fixture
def shares() -> VarianceShares:
    names = ["skills: covariates", "skills: families", "family x benchmark", "noise"]
    mean = np.array([[0.5, 0.3, 0.1, 0.1], [0.7, -0.1, 0.2, 0.2], [0.2, 0.2, 0.2, 0.4]])
    draws = np.stack([mean - 0.01, mean + 0.01])
    coords = {"benchmark": BENCHMARKS, "component": names}
    return VarianceShares(xr.DataArray(draws, dims=("sample", *coords), coords=coords))


def test_bars_and_points_are_the_loadings(skills: Skills) -> None:
    figure = plot_loadings(skills)
    table = skills.loadings(0.9)
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert titles == ["skill mmlu", "skill 2"]
    for name, panel in zip(("mmlu", "skill 2"), figure.axes, strict=True):
        mine = table[table["skill"] == name]
        bars = np.array(labelled(panel, "90% interval").get_segments())
        np.testing.assert_allclose(bars[:, :, 0], mine[["lower", "upper"]])
        assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == BENCHMARKS
    cross = labelled(figure.axes[1], "fixed at 0")
    np.testing.assert_allclose(cross.get_offsets(), [[0, 2]])


def test_a_median_is_full_where_its_interval_leaves_zero(skills: Skills) -> None:
    panel = plot_loadings(skills).axes[0]
    mine = skills.loadings(0.9).query("skill == 'mmlu'").reset_index()
    covers = (mine["lower"] <= 0) & (mine["upper"] >= 0)
    medians = labelled(panel, "median; 90% interval includes 0").get_offsets()
    np.testing.assert_allclose(medians[:, 0], mine["median"][covers])


def test_families_stand_in_the_order_asked(skills: Skills) -> None:
    figure = plot_family_skills(skills, ["opt", "yi"])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["opt", "yi"]
    table = skills.families(0.5).set_index(["family", "skill"])
    bars = np.array(labelled(figure.axes[1], "50% interval").get_segments())
    np.testing.assert_allclose(bars[0, :, 0], table.loc[("opt", "skill 2")][["lower", "upper"]])
    for wrong in (["yo"], [], "yi", ["yi"] * 13):
        with pytest.raises(DataError):
            plot_family_skills(skills, wrong)


def test_a_point_estimate_has_no_bars(skills: Skills) -> None:
    panel = plot_loadings(replace(skills, is_posterior=False)).axes[0]
    labels = panel.get_legend_handles_labels()[1]
    assert "estimate" in labels and not any("interval" in label for label in labels)


def test_shares_are_stacked_and_negative_ones_lie_left_of_zero(shares: VarianceShares) -> None:
    panel = plot_variance_shares(shares).axes[0]
    mean = shares.draws.mean("sample")
    for component in shares.draws["component"].values:
        bars = labelled(panel, component)
        widths = [bar.get_width() for bar in bars]
        np.testing.assert_allclose(widths, mean.sel(component=component))
    families = labelled(panel, "skills: families")
    assert families[1].get_x() == 0 and families[0].get_x() == pytest.approx(0.5)
    assert panel.get_xlim()[0] < -0.1
    assert panel.get_xlim()[1] == pytest.approx(1.1)


def test_shares_below_zero_are_explained(shares: VarianceShares) -> None:
    said = "share below zero offsets the others"
    assert said in " ".join(plot_variance_shares(shares).get_suptitle().split())
    positive = replace(shares, draws=abs(shares.draws))
    assert said not in " ".join(plot_variance_shares(positive).get_suptitle().split())


def _colours(names: list[str]) -> list[str]:
    coords = {"benchmark": BENCHMARKS, "component": names}
    draws = np.full((2, len(BENCHMARKS), len(names)), 1 / len(names))
    shares = VarianceShares(xr.DataArray(draws, dims=("sample", *coords), coords=coords))
    panel = plot_variance_shares(shares).axes[0]
    return [to_hex(labelled(panel, name)[0].get_facecolor()) for name in names]


def test_a_component_has_one_colour_whatever_else_is_drawn() -> None:
    names = ["skills: families", "instruction tuning", "noise"]
    assert _colours(names) == ["#56b4e9", "#f0e442", "#bdbdbd"]
    assert _colours(names[1:]) == _colours(names)[1:]


def test_a_component_that_no_term_of_the_package_has_gets_a_colour_of_its_own() -> None:
    every = [*components(TERMS.values()), "something new", "other terms", "noise"]
    assert len(set(_colours(every))) == len(every)


def test_contours_of_a_family_hold_half_and_nine_tenths_of_its_draws(skills: Skills) -> None:
    panel = plot_joint_skills(skills, ["opt", "yi"]).axes[0]
    draws = skills.family.sel(family="opt").values
    outer, inner = _contour_paths(panel)
    for path, share in ((outer, 0.9), (inner, 0.5)):
        assert abs(path.contains_points(draws).mean() - share) < 0.03
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("skill mmlu", "skill 2")


def _contour_paths(panel: Axes) -> list[Any]:
    lines = [one for one in panel.collections if len(one.get_paths()) == 2 and not one.get_fill()]
    return list(lines[0].get_paths())


@pytest.mark.parametrize(
    ("families", "pair"),
    [([], None), (["nobody"], None), (["yi", "yi"], None), (["yi"], ("mmlu", "arc")), ("yi", None)],
)
def test_a_joint_density_of_what_is_not_there_is_refused(skills: Skills, families, pair) -> None:
    with pytest.raises(DataError):
        plot_joint_skills(skills, families, pair)


def test_a_joint_density_of_few_draws_or_of_constant_ones_is_refused(skills: Skills) -> None:
    few = replace(skills, family=skills.family.isel(sample=[0]))
    with pytest.raises(FitError, match="at least 50 draws; this fit has 1"):
        plot_joint_skills(few, ["opt"])
    flat = skills.family.copy()
    flat.loc[{"family": "opt", "skill": "mmlu"}] = 0.5
    with pytest.raises(FitError, match='"mmlu" of family "opt" is the same in all draws'):
        plot_joint_skills(replace(skills, family=flat), ["yi", "opt"])
    line = skills.family.copy()
    line.loc[{"skill": "skill 2"}] = 2 * line.sel(skill="mmlu", drop=True)
    with pytest.raises(FitError, match="lie on one line"):
        plot_joint_skills(replace(skills, family=line), ["yi"])


def test_a_family_s_skill_of_zero_is_called_what_it_is(skills: Skills) -> None:
    """Levels are centred on lineages if there are any, and otherwise not always on families."""
    centred = replace(skills, family=skills.family - skills.family.mean("family"))
    covariance = xr.DataArray(np.eye(2), dims=("skill", "other_skill"))
    pooled = replace(skills, population=covariance)
    for given, words in (
        (centred, "average of families = 0"),
        (pooled, "population mean = 0"),
        (skills, "level of the intercepts = 0"),
    ):
        assert plot_family_skills(given, ["yi"]).axes[0].get_xlabel() == f"family's skill, {words}"
        assert words in " ".join(plot_joint_skills(given, ["yi"]).get_suptitle().split())


def test_families_differ_in_colour_and_in_marker(skills: Skills) -> None:
    figure = plot_joint_skills(skills, FAMILIES)
    markers = [line.get_marker() for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert len(set(markers)) == len(FAMILIES)
    handles = figure.legends[0].legend_handles[: len(FAMILIES)]
    assert [handle.get_marker() for handle in handles] == markers


def test_benchmarks_without_a_variance_are_named(shares: VarianceShares) -> None:
    assert "Not drawn" not in plot_variance_shares(shares).get_suptitle()
    some = plot_variance_shares(replace(shares, left_out=("quiz", "code"))).get_suptitle()
    assert 'fewer than two models have scores: "quiz", "code"' in " ".join(some.split())


def test_long_names_of_skills_and_families_stay_inside_the_figure(skills: Skills) -> None:
    assert skills.family is not None
    own = [f"lm-evaluation-harness mmlu, subject {k:02d}, five shots, acc_norm" for k in range(2)]
    names = [f"organisation-with-a-long-name/family-of-models-series-{k}" for k in range(4)]
    family = skills.family.assign_coords(skill=own, family=names)
    figure = plot_joint_skills(replace(skills, family=family), names)
    figure.draw_without_rendering()
    (panel,) = figure.axes
    label = panel.yaxis.label.get_window_extent()
    caption = figure.texts[0].get_window_extent()
    assert figure.bbox.y0 <= label.y0 and label.y1 <= caption.y0
    assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1
    assert "00" in panel.get_xlabel() and "01" in panel.get_ylabel()
    own = [f"evaluation_harness_commonsense_mathematics_{k}_acc_norm" for k in range(2)]
    family = family.assign_coords(skill=own)
    side = plot_loadings(replace(skills, family=family, loading=_renamed(skills.loading, own)))
    side.draw_without_rendering()
    first, second = [one._left_title.get_window_extent() for one in side.axes]  # type: ignore[attr-defined]
    assert first.x1 < second.x0 and second.x1 <= side.bbox.x1


def _renamed(loading: xr.DataArray, skills: list[str]) -> xr.DataArray:
    """Return loadings of skills and benchmarks with long names."""
    rows = [f"{name}, as reported by its developers in 2025" for name in BENCHMARKS]
    return loading.assign_coords(skill=skills, benchmark=rows)


def test_a_component_that_is_nothing_everywhere_is_not_in_the_legend(
    shares: VarianceShares,
) -> None:
    component = str(shares.draws["component"].values[0])
    nothing = shares.draws.where(shares.draws["component"] != component, 0.0)
    for given, here in ((shares, True), (replace(shares, draws=nothing), False)):
        texts = [one.get_text() for one in plot_variance_shares(given).legends[0].get_texts()]
        assert (component in texts) is here
