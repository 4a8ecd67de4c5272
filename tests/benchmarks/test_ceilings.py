"""The study of ceilings: which models its splits hide, and the figures of its report."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.ceilings.report import row
from benchmarks.ceilings.run import MIXTURES, spec_of
from benchmarks.ceilings.splits import fine_tunes, split
from benchmarks.leaderboard.split import SHARED

CELLS = pd.DataFrame(
    {
        "family": ["a", "a", "b", "c"],
        "model": ["a1", "a1", "b1", "c1"],
        "benchmark": ["mmlu", "arc", "mmlu", "gsm8k"],
        "score": [0.8, 0.5, 0.6, 0.4],
        "median": [0.7, 0.5, 0.6, 0.5],
        "lower": [0.6, 0.4, 0.5, 0.3],
        "upper": [0.75, 0.6, 0.7, 0.7],
        "crps": [0.06, 0.01, 0.01, 0.05],
        "pit": [0.99, 0.5, 0.5, 0.2],
    }
)


def test_the_split_of_two_or_three_hides_the_largest_base_models_of_such_families() -> None:
    scores, fold = split("two or three")
    table = scores.to_frame().set_index("model")
    base = table[table["instruct"] == 0]
    for model in fold.test:
        members = base[base["family"] == table.loc[model, "family"]]
        assert len(members) in (2, 3) and base.loc[model, "params_b"] == members["params_b"].max()
    assert not set(fold.train) & set(fold.test)


@pytest.mark.skipif(not SHARED.is_file(), reason=f"the published table is not at {SHARED}")
@pytest.mark.filterwarnings("ignore")  # the published table gives many warnings
def test_fine_tunes_are_families_of_one_with_the_size_of_their_base_model() -> None:
    scores, fold = fine_tunes()
    table = scores.to_frame()
    more = table[table["mmlu"].isna() & (table["family"] == table["model"])]
    assert len(more) > 60 and more["tokens_t"].notna().all()
    known = table.groupby("lineage")["params_b"].max()
    assert not set(fold.train) & set(fold.test)
    largest = table[table["model"].isin(fold.test)]
    assert (largest["params_b"] * 1.3 >= largest["lineage"].map(known)).all()


def test_open_ceilings_change_nothing_else_of_the_recommended_spec() -> None:
    fixed, estimated = spec_of("ceilings at 1"), spec_of("recommended")
    again = fixed.with_({"name": estimated.name, "benchmarks.ceiling": "estimated"})
    assert again.with_priors({"ceiling": estimated.prior("ceiling")}) == estimated
    assert all(0 < share < 1 for share in MIXTURES.values())


def test_a_report_counts_misses_and_pairs_errors_by_cell() -> None:
    better = CELLS.assign(median=[0.75, 0.5, 0.6, 0.5], pit=[0.9, 0.5, 0.5, 0.2])
    before, after = row(CELLS, CELLS, 1), row(better.iloc[::-1], CELLS, 1)
    assert before["cells"] == "4, 3" and before["above, below near"] == "1, 0"
    assert before["cover 90%"] == "75%" and after["cover 90%"] == "100%"
    assert before["error, difference"] == "+0.00 ± 0.00"
    assert after["error, difference"].startswith("-1.25") and after["error"] == "3.75"
