"""Anchors and loading masks."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from latentscale.declare.skills import Anchored, Free, SkillSpec
from latentscale.errors import SpecError
from latentscale.model.identify import _correlation, choose_anchors, loading_masks


def table(values: np.ndarray, names: list[str]) -> xr.DataArray:
    return xr.DataArray(
        values,
        dims=("model", "benchmark"),
        coords={"model": [f"m{i}" for i in range(len(values))], "benchmark": names},
    )


@pytest.fixture
def two_groups() -> xr.DataArray:
    """Scores of 80 models: a, b, c follow one skill, p, q another, noise follows none."""
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 80))
    columns = [first, first, first, second, second, rng.standard_normal(80)]
    noise = np.array([0.1, 0.3, 0.3, 0.3, 0.3, 0.0])
    eta = np.stack(columns, axis=1) + noise * rng.standard_normal((80, 6))
    return table(1 / (1 + np.exp(-eta)), ["a", "b", "c", "p", "q", "noise"])


def test_preferred_anchors_come_first_in_the_specs_order(two_groups: xr.DataArray) -> None:
    skills = SkillSpec(count=2, identify=Anchored(anchors=("q", "b", "a")))
    assert choose_anchors(skills, two_groups) == ("q", "b")


def test_preferred_anchors_that_the_table_lacks_are_passed_over(two_groups: xr.DataArray) -> None:
    skills = SkillSpec(count=2, identify=Anchored(anchors=("mmlu", "c", "ifeval", "p")))
    assert choose_anchors(skills, two_groups) == ("c", "p")


def test_preferred_anchors_are_known_in_the_table_s_spelling(two_groups: xr.DataArray) -> None:
    """Shipped specs name mmlu and hellaswag; hubs write MMLU and leaderboard_mmlu_pro."""
    skills = SkillSpec(count=2, identify=Anchored(anchors=("mmlu", "hellaswag", "mmlu_pro")))
    names = ["MMLU", "b", "leaderboard_mmlu_pro", "p", "HellaSwag", "noise"]
    assert choose_anchors(skills, two_groups.assign_coords(benchmark=names)) == (
        "MMLU",
        "HellaSwag",
    )
    both = ["hellaswag", "b", "leaderboard_mmlu_pro", "MMLU-Pro", "HellaSwag", "noise"]
    twice = two_groups.assign_coords(benchmark=both).copy(deep=True)
    twice.loc[{"model": twice["model"][:40], "benchmark": "MMLU-Pro"}] = np.nan  # has fewer scores
    assert choose_anchors(skills, twice) == ("hellaswag", "leaderboard_mmlu_pro")
    other = two_groups.assign_coords(benchmark=both).copy(deep=True)
    other.loc[{"model": other["model"][:40], "benchmark": "leaderboard_mmlu_pro"}] = np.nan
    assert choose_anchors(skills, other) == ("hellaswag", "MMLU-Pro")


def test_a_correlation_of_four_models_counts_for_nothing() -> None:
    """With four models in common any correlation is chance; with five it counts."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((40, 3))
    values[:, 2] = 0.8 * values[:, 1] + 0.6 * rng.standard_normal(40)
    for shared in (4, 5):
        score = table(values.copy(), ["a", "b", "c"])
        score.values[:shared, 1] = score.values[:shared, 0]  # equal on these
        score.values[shared:, 0] = np.nan
        found = _correlation(score)
        assert found[0, 1] == (0.0 if shared == 4 else pytest.approx(0.9))
        np.testing.assert_array_equal(found, found.T)
        np.testing.assert_array_equal(np.diag(found), 1.0)


def test_the_rest_are_chosen_from_what_the_first_does_not_explain(
    two_groups: xr.DataArray,
) -> None:
    skills = SkillSpec(count=2, identify=Anchored(anchors=("b",)))
    first, second = choose_anchors(skills, two_groups)
    assert first == "b" and second in ("p", "q")


def test_with_no_preference_each_group_gets_an_anchor(two_groups: xr.DataArray) -> None:
    anchors = choose_anchors(SkillSpec(count=2, identify=Anchored()), two_groups)
    assert len({name in ("a", "b", "c") for name in anchors}) == 2
    assert "noise" not in anchors
    assert anchors == choose_anchors(SkillSpec(count=2, identify=Anchored()), two_groups)


def test_every_benchmark_can_be_an_anchor_once(two_groups: xr.DataArray) -> None:
    anchors = choose_anchors(SkillSpec(count=6, identify=Anchored(anchors=("q",))), two_groups)
    assert anchors[0] == "q" and sorted(anchors) == ["a", "b", "c", "noise", "p", "q"]


def test_benchmarks_that_no_model_shares_still_get_anchors() -> None:
    scores = np.full((20, 2), np.nan)
    scores[:10, 0] = np.linspace(0.1, 0.9, 10)
    scores[10:, 1] = np.linspace(0.2, 0.8, 10)
    anchors = choose_anchors(SkillSpec(count=2, identify=Anchored()), table(scores, ["a", "b"]))
    assert sorted(anchors) == ["a", "b"]


def test_constant_and_nearly_empty_benchmarks_do_not_break_the_choice() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.2, 0.8, (12, 4))
    scores[:, 1] = 0.5
    scores[2:, 3] = np.nan
    names = ["a", "flat", "b", "rare"]
    anchors = choose_anchors(SkillSpec(count=4, identify=Anchored()), table(scores, names))
    assert sorted(anchors) == sorted(names)


def test_more_skills_than_benchmarks_is_refused(two_groups: xr.DataArray) -> None:
    for identify in (Anchored(), Free()):
        with pytest.raises(SpecError, match=r"7.*6 benchmarks"):
            choose_anchors(SkillSpec(count=7, identify=identify), two_groups)


def test_free_skills_and_no_skills_have_no_anchor(two_groups: xr.DataArray) -> None:
    assert choose_anchors(SkillSpec(count=2, identify=Free()), two_groups) == ()
    assert choose_anchors(SkillSpec(count=0), two_groups) == ()


def test_the_mask_lets_an_anchor_load_on_its_own_skill_alone() -> None:
    mask = loading_masks(("c", "a"), ["a", "b", "c"], 2)
    np.testing.assert_array_equal(mask, [[0, 2], [1, 1], [2, 0]])
    np.testing.assert_array_equal(loading_masks((), ["a", "b"], 3), np.ones((2, 3)))


def test_benchmarks_with_few_scores_are_not_chosen_as_anchors(two_groups) -> None:
    """On the few models that have them they resemble each other and no other benchmark."""
    few = 10
    first = two_groups.sel(benchmark="a").values[:few]
    alone = np.random.default_rng(1).standard_normal(few)
    alone -= np.polyval(np.polyfit(first, alone, 1), first)
    column = np.r_[alone, np.full(len(two_groups) - few, np.nan)]
    sparse = table(np.stack([column, column], axis=1), ["once", "twice"])
    scores = xr.concat([sparse, two_groups], "benchmark")
    assert choose_anchors(SkillSpec(count=2, identify=Anchored()), scores)[1] in ("p", "q")
    every = choose_anchors(SkillSpec(count=8, identify=Anchored()), scores)
    assert set(every[-2:]) == {"once", "twice"}
