"""The search for scores beyond ceilings, beyond floors where lower is better, or in other units."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from latentscale.data import Audit, Benchmark, Scores
from latentscale.errors import DataWarning

CODES = ("beyond-ceiling", "above-floor", "fractions-as-percent")


def audited(scores: list[float] | np.ndarray, **about: Any) -> Audit:
    """Return the audit of a table with one benchmark of these scores."""
    names = [f"a-{row}b" for row in range(len(scores))]
    frame = pd.DataFrame({"model": names, "family": "a", "quiz": scores})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return Scores.from_frame(frame, benchmarks={"quiz": Benchmark(**about)}).audit


def said(audit: Audit) -> list[str]:
    return [finding.code for finding in audit.warnings if finding.code in CODES]


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize(
    ("about", "code", "text"),
    [
        (
            {"ceiling": 0.6},
            "beyond-ceiling",
            "above the ceiling 0.6, 2 of them by more than chance (the farthest at 0.95)",
        ),
        (
            {"ceiling": 0.3, "lower_is_better": True},
            "beyond-ceiling",
            "below the ceiling 0.3, 2 of them by more than chance (the farthest at 0.1)",
        ),
        (
            {"floor": 0.5, "lower_is_better": True},
            "above-floor",
            "above the floor 0.5, 2 of them by more than chance (the farthest at 0.95)",
        ),
    ],
)
def test_scores_beyond_an_end_of_the_curve_are_named(
    about: dict[str, float], code: str, text: str, scale: float
) -> None:
    scores = [0.1, 0.11, 0.45, 0.55, 0.93, 0.95]
    stated: dict[str, Any] = {
        name: value * (scale if name in ("ceiling", "floor") else 1)
        for name, value in about.items()
    }
    stated |= {"scale": "percent"} if scale > 1 else {}
    stated["lower_is_better"] = bool(about.get("lower_is_better", False))
    audit = audited([scale * score for score in scores], **stated)
    assert said(audit) == [code]
    (finding,) = audit.filter(code)
    assert finding.where == "quiz" and ", 2 of them by more than chance" in finding.message
    assert text in finding.message


def test_a_median_beyond_the_ceiling_is_named_where_single_scores_may_be_chance() -> None:
    scores = np.linspace(0.56, 0.64, 12)
    (finding,) = audited(scores, ceiling=0.5).filter("beyond-ceiling")
    assert "12 of 12 scores lie above the ceiling 0.5, and so does their median" in finding.message
    (known,) = audited(scores[:9], ceiling=0.5).filter("beyond-ceiling")
    assert known.level == "info" and "which chance can explain" in known.message
    assert not audited(scores, ceiling=0.65).filter("beyond-ceiling")


@pytest.mark.parametrize("items", [198, 5000])
def test_scores_that_scatter_around_an_end_by_chance_are_not_named(items: int) -> None:
    rng = np.random.default_rng(0)
    at_ceiling = rng.binomial(items, 0.92, size=200) / items
    assert not said(audited(at_ceiling, ceiling=0.92, n_items=items))
    at_floor = rng.binomial(items, 0.75, size=200) / items
    assert not said(audited(at_floor, floor=0.75, lower_is_better=True, n_items=items))
    assert not said(audited(at_floor, lower_is_better=True))


def test_fractions_in_a_column_of_percentages_are_named() -> None:
    fractions = [0.3, 0.5, 0.8, 0.0]
    (finding,) = audited(fractions, scale="percent").filter("fractions-as-percent")
    assert "none of 3 scores above 0 is above 1 (0.3 to 0.8)" in finding.message
    assert not said(audited([*fractions, 1.5], scale="percent"))
    assert not said(audited([0.3, 0.5, 0.0], scale="percent"))
    assert not said(audited(fractions))
