"""Tables of the study of published splits, in which the splits of a family share hidden scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.accuracy.tables import by_group


def test_coverage_counts_the_splits_of_one_family_together() -> None:
    """Six splits of a family hide nearly the same scores, and add no information on coverage."""
    rng = np.random.default_rng(3)
    once = pd.DataFrame({"family": [f"f{i}" for i in range(12) for _ in range(8)]})
    inside = np.repeat(rng.uniform(0.3, 1.0, 12), 8) > rng.uniform(size=len(once))
    once = once.assign(
        benchmark="mmlu",
        score=0.5,
        median=0.5,
        lower=0.4,
        upper=0.6,
        pit=np.where(inside, 0.5, 0.999),
        crps=0.01,
        log_score=1.0,
        max_rhat=1.0,
    )
    splits = [once.assign(fold=once["family"] + f" {number}") for number in range(6)]
    shown = [
        by_group(table, "benchmark")["90%"].iloc[0] for table in (splits[0], pd.concat(splits))
    ]
    assert shown[0] == shown[1]
