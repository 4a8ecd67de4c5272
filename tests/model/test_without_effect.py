"""Settings without effect on a model give warnings; shipped specs have none."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, shipped_specs
from latentscale.errors import FitWarning
from latentscale.model.without_effect import warn_of_no_effect

BY_BENCHMARK = {"skills.count": 0, "skills.residual": False, "benchmarks.slopes": ["log_flops"]}
FIXED = {"family.level": "fixed", "family.lineage": False, "family.slopes": []}


def free_variables(spec: ModelSpec, scores: Scores) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return [str(variable.name) for variable in ls.build(spec, scores).free_RVs]


@pytest.mark.parametrize(
    ("base", "setting", "other", "message"),
    [
        (FIXED, "family.correlated", False, 'correlates .* family.level is "fixed"'),
        (
            {**BY_BENCHMARK, "benchmarks.family_effect": True, "family.lineage": False},
            "family.correlated",
            False,
            "correlates .* skills.count is 0",
        ),
        (
            {**BY_BENCHMARK, "benchmarks.family_effect": True, "family.correlated": False},
            "family.lineage",
            False,
            "lineages have levels of skills, and skills.count is 0",
        ),
        (
            {"benchmarks.largest_precision": 2500.0},
            "benchmarks.largest_precision",
            None,
            "benchmarks.pooled is false",
        ),
        (
            {**BY_BENCHMARK, "family.lineage": False, "family.correlated": False},
            "family.level",
            "none",
            "all share one curve",
        ),
    ],
)
def test_a_setting_without_effect_is_warned_of(
    base: dict[str, Any],
    setting: str,
    other: object,
    message: str,
    known_spec: ModelSpec,
    small_scores: Scores,
) -> None:
    spec = known_spec.with_({"name": "idle", "priors": {}, **base})
    with pytest.warns(FitWarning, match=f"{setting} = .*changes nothing.*{message}"):
        ls.build(spec, small_scores)
    without = spec.with_({setting: other})
    assert free_variables(spec, small_scores) == free_variables(without, small_scores)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)
        warn_of_no_effect(without, stacklevel=1)


@pytest.mark.parametrize("name", shipped_specs())
def test_every_setting_of_a_shipped_spec_has_an_effect(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)
        warn_of_no_effect(ls.load_spec(name), stacklevel=1)
