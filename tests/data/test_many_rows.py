"""Tables of many rows: no check loops over cells, and messages are those of a small table.

Not timed: calls of the package's own functions are counted and may not grow with the rows.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale
from latentscale.data import Scores
from latentscale.data.audit import Finding, emit
from latentscale.data.planned import planned_models
from latentscale.data.readers import read_csv
from latentscale.errors import DataError, DataWarning

SOURCE = str(Path(latentscale.__file__).parent)


def wide(rows: int) -> pd.DataFrame:
    """Return a table with a few families, dates, empty tokens and empty scores."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(rows)],
            "family": [f"f{i % 20}" for i in range(rows)],
            "lineage": [f"g{i % 5}" for i in range(rows)],
            "params_b": rng.uniform(0.5, 70, rows),
            "tokens_t": np.where(rng.random(rows) < 0.2, np.nan, 2.0),
            "instruct": rng.random(rows) < 0.5,
            "released": [f"2024-0{1 + i % 9}-01" for i in range(rows)],
            "arc": np.where(rng.random(rows) < 0.1, np.nan, rng.uniform(0.3, 0.9, rows)),
            "mmlu": pd.Series(rng.uniform(0.3, 0.9, rows), dtype=object),
        }
    )


def long(rows: int) -> pd.DataFrame:
    """Return a long table in which every model has three scores."""
    own = wide(rows // 3).drop(columns=["arc", "mmlu"])
    names = np.tile(["arc", "mmlu", "gsm8k"], len(own))
    repeated = own.loc[own.index.repeat(3)].reset_index(drop=True)
    return repeated.assign(benchmark=names, score=0.3 + 0.0001 * (np.arange(len(names)) % 5000))


def planned(rows: int) -> pd.DataFrame:
    """Return rows to forecast."""
    return wide(rows).drop(columns="mmlu")


def calls_of(work) -> int:
    """Count calls of the package's own Python functions."""
    count = 0

    def see(frame, event, _):
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(SOURCE)

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            work()
    finally:
        sys.setprofile(before)
    return count


READ = {
    "wide": (wide, Scores.from_frame),
    "long": (long, Scores.from_long),
    "planned": (planned, lambda frame: planned_models(frame, ["arc"], {"f1": "g1"})),
}


@pytest.mark.parametrize("kind", READ)
def test_the_work_of_python_does_not_grow_with_the_rows(kind):
    make, read = READ[kind]
    few, many = make(300), make(30_000)
    assert calls_of(lambda: read(many)) < calls_of(lambda: read(few)) + 300


def test_bad_cells_among_many_rows_are_named_as_among_few():
    frame = wide(30_000).astype({"arc": object})
    frame.at[29_998, "arc"] = "45.2%"
    frame.at[29_997, "params_b"] = -1.0
    frame.at[29_996, "model"] = "m0"
    with pytest.raises(DataError) as caught:
        Scores.from_frame(frame)
    assert 'row 29998 (model "m29998"), column "arc": \'45.2%\'' in str(caught.value)
    assert 'row 29997 (model "m29997"), column "params_b": -1' in str(caught.value)
    assert '"m0" has 2 rows (0, 29996)' in str(caught.value)


def test_rows_that_one_problem_lists_are_cut():
    with pytest.raises(DataError, match=r"has 300 rows \(0, 1, .*, 19 and 280 more\)"):
        Scores.from_frame(wide(300).assign(model="a"))


def test_names_that_look_alike_are_one_finding_with_a_count():
    names = [f"{'Mm'[i % 2]}{i // 2}" for i in range(300)]
    with pytest.warns(DataWarning, match="150 groups of names differ .* and 147 more") as caught:
        scores = Scores.from_frame(wide(300).assign(model=names))
    assert len(scores.audit.filter("similar-names")) == 1
    assert "\n" in str(caught[0].message) and str(caught[0].message).count("\n") <= 3


def test_a_warning_of_many_kinds_is_cut():
    findings = [Finding("warning", f"kind{i}", "here", "look") for i in range(60)]
    with pytest.warns(DataWarning) as caught:
        emit(findings, about="A table was read")
    assert str(caught[0].message).count("\n") == 41
    assert str(caught[0].message).endswith("and 20 more lines")


def test_rows_of_many_models_that_disagree_are_all_named():
    frame = long(3000)
    frame["params_b"] = np.arange(len(frame)) + 1.0
    with pytest.raises(DataError) as caught:
        Scores.from_long(frame)
    assert "1000 problems" in str(caught.value)
    assert '"m1" has different values: 4 (row 3), 5 (row 4), 6 (row 5)' in str(caught.value)


def test_a_slip_far_down_a_csv_names_its_row_alone(tmp_path):
    frame = wide(200_000)[["model", "family", "params_b", "tokens_t", "arc"]]
    frame = frame.astype({"arc": object})
    frame.at[199_999, "arc"] = "0.5x"
    frame.to_csv(tmp_path / "t.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = read_csv(tmp_path / "t.csv")
    with pytest.raises(DataError) as caught:
        Scores.from_frame(read)
    assert "1 problem." in str(caught.value)
    assert 'row 199999 (model "m199999"), column "arc": \'0.5x\'' in str(caught.value)


def test_the_commonest_lineage_of_a_family_is_its_own_and_the_first_breaks_ties():
    frame = wide(6).assign(
        family=["a", "a", "a", "b", "b", "b"], lineage=["x", "y", "y", "v", "u", "w"]
    )
    with pytest.warns(DataWarning, match="lineages"):
        assert Scores.from_frame(frame).family_lineage().to_dict() == {"a": "y", "b": "v"}
