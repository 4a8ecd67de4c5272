"""Published tables: evaluation runs that did not finish are left out and named."""

from __future__ import annotations

import pandas as pd
import pytest

from latentscale.data.readers import read_published, read_scores
from latentscale.errors import DataError, DataWarning


def _evals(*statuses: str) -> pd.DataFrame:
    """Return a table as Inspect's `evals_df` makes it: two models, two tasks."""
    return pd.DataFrame(
        {
            "log": [f"logs/2026_{place}.eval" for place in range(4)],
            "task_name": ["mmlu", "gpqa_diamond"] * 2,
            "model": ["openai/gpt-4o"] * 2 + ["x/b-7b"] * 2,
            "status": statuses,
            "completed_samples": [14042, 198] * 2,
            "score_headline_value": [0.87, 0.51, 0.6, 0.3],
        }
    )


@pytest.mark.parametrize("status", ["error", "cancelled", "started"])
def test_a_run_that_did_not_finish_is_left_out_and_its_log_named(status: str) -> None:
    with pytest.warns(DataWarning, match=rf"1 run of 4 .*2026_1\.eval \({status}\).*eval-retry"):
        scores = read_scores(_evals("success", status, "success", "success"))
    found = scores.dataset["score"].to_series().dropna().to_dict()
    assert len(found) == 3
    assert ("openai/gpt-4o", "gpqa_diamond") not in found


def test_the_model_and_benchmark_are_named_where_no_column_names_the_log() -> None:
    table = _evals("success", "error", "success", "success").drop(columns="log")
    with pytest.warns(DataWarning, match=r"openai/gpt-4o on gpqa_diamond \(error\)"):
        read_published(table)


def test_a_table_without_a_finished_run_is_refused() -> None:
    with pytest.raises(DataError, match=r"no run finished.*2026_0\.eval \(error\).*eval-retry"):
        read_published(_evals(*["error"] * 4))


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
@pytest.mark.parametrize("last", ["success", "verified"])
def test_finished_runs_and_other_statuses_are_read_as_they_are(last: str) -> None:
    scores = read_published(_evals("success", "success", "success", last))
    assert scores.dataset["score"].notnull().all()
    assert not scores.audit.filter("unfinished-runs")
    first = "error" if last == "verified" else "success"
    assert read_published(_evals(first, "success", "success", last)).dataset["score"].size == 4
