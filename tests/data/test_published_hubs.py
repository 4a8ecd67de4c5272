"""Tables as hubs would publish them in late 2026: how columns and rows are read."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from latentscale.data.benchmarks import Benchmark
from latentscale.data.column_names import is_neither
from latentscale.data.readers import read_planned, read_published
from latentscale.data.readers.measurements import same_names
from latentscale.data.readers.tuning import instruct_of, tuning_of
from latentscale.errors import DataWarning
from tests.data.published_tables import FOUR as MODELS
from tests.data.published_tables import of_four as table
from tests.data.published_tables import said

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


def instruct(types: list[object], heading: str = "Type") -> list[float] | None:
    scores = read_published(table(**{heading: types}))
    stated = scores.audit.filter("instruct-unstated")
    return None if stated else scores.dataset["instruct"].values.tolist()


@pytest.mark.parametrize(
    "types",
    [
        ["🟢 pretrained", "💬 chat models (RLHF, DPO, IFT, ...)", "🟢 pretrained", "💬 chat"],
        ["🟢", "💬", "🟢", "💬"],
        ["base", "Instruct", "Base", "instruction-tuned"],
        ["pre-trained", "SFT", "base model", "RL-tuned"],
    ],
)
@pytest.mark.parametrize("heading", ["Type", "Model type"])
def test_a_column_of_types_says_which_models_are_tuned(types: list[object], heading: str) -> None:
    assert instruct(types, heading) == [0.0, 1.0, 0.0, 1.0]


def test_the_words_of_types_go_before_their_signs_and_other_types_are_not_of_tuning() -> None:
    both = table(T=["🟢", "💬", "🟢", "💬"], Type=["base", "instruct"] * 2)
    assert "instruct from Type" in said(read_published(both), "columns-recognised")
    assert instruct(["dense", "MoE", "dense", "MoE"]) is None
    assert instruct(["proprietary", "open", "open", "chat"]) is None
    own = read_published(table(Type=["base", "instruct"] * 2), features=["Type"])
    assert [one.kind for one in own.features if one.name == "Type"] == ["category"]


def test_types_of_models_to_forecast_are_read_as_those_of_fitted_ones() -> None:
    rows = pd.DataFrame({"Model": MODELS, "Type": ["🟢 pretrained", "💬 chat", "base", "instruct"]})
    planned = read_planned(rows)
    assert planned["instruct"].tolist() == [0.0, 1.0, 0.0, 1.0] and "Type" not in planned


@pytest.mark.filterwarnings("error::latentscale.errors.DataWarning")
def test_cells_of_models_to_forecast_that_are_not_understood_are_named() -> None:
    rows = pd.DataFrame({"Model": MODELS[:2], "Params": ["70B", "30B-A3B"]})
    assert read_planned(rows)["params_b"].tolist() == [70.0, 30.0]
    odd = pd.DataFrame({"Model": MODELS[:2], "Params": ["70B", "8x7B"], "Launch": "mid-2026"})
    with pytest.warns(DataWarning, match='"8x7B". Write all parameters') as caught:
        read_planned(odd)
    assert len(caught) == 1 and "Launch: 2 cells were not understood" in str(caught[0].message)


def test_a_merge_or_domain_model_says_neither_and_is_not_called_unread() -> None:
    scores = read_published(
        table(Type=["base", "instruct", "🔶 fine-tuned on domain data", "chat"])
    )
    assert scores.dataset["instruct"].values.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert "Claude Opus 4.1" in said(scores, "instruct-missing")
    assert not scores.audit.filter("cell-unread")
    assert (tuning_of("🤝 merges"), math.isnan(instruct_of("🤝 merges"))) == ("merge", True)


def test_experts_times_size_is_left_empty_with_what_to_write() -> None:
    scores = read_published(table(**{"#Params (B)": ["70B", "8x7B", "1.5B-A0.3B", "30B-A3B"]}))
    assert scores.dataset["params"].values == pytest.approx([70, math.nan, 1.5, 30], nan_ok=True)
    assert 'empty: "8x7B". Write all parameters in billions' in said(scores, "cell-unread")


def test_a_cleaned_name_is_said_with_the_beginning_of_its_link() -> None:
    names = [f'<a href="https://example.org/{"x" * 90}/{name}">{name}</a>' for name in MODELS]
    scores = read_published(table(Model=names))
    assert scores.models == MODELS
    assert len(said(scores, "names-cleaned")) < 300


@pytest.mark.parametrize(
    "name",
    ["Avg time (min)", "Average time [s]", "Mean minutes", "Minutes per task", "Total time (h)"],
)
def test_times_that_tasks_took_measure_no_skill(name: str) -> None:
    assert is_neither(name)
    assert read_published(table(**{name: [20.0, 33.0, 14.0, 27.0]})).benchmarks == ("GPQA",)


def test_minutes_of_nothing_are_left_out_unless_declared() -> None:
    minutes = table(Minutes=[20.0, 33.0, 14.0, 27.0])
    scores = read_published(minutes)
    assert scores.benchmarks == ("GPQA",)
    assert "times; of a task that a model can do, or that it took?" in said(
        scores, "ignored-column"
    )
    declared = read_published(minutes, benchmarks={"Minutes": Benchmark(scale="positive")})
    assert declared.benchmarks == ("GPQA", "Minutes")
    horizon = read_published(table(**{"Time horizon (minutes)": [20.0, 33.0, 14.0, 27.0]}))
    assert horizon.benchmark_info["Time horizon (minutes)"].unit == "minutes"


def log() -> pd.DataFrame:
    """Return an evaluation log of three sources, which spell models in their own ways."""
    rows = [
        ("GPT-5", "vendor", "2025-09-01", 0, 0.80),
        ("gpt-5", "epoch", "2026-02-01", 5, 0.70),
        ("GPT-5", "aa", "2025-10-01", 0, 0.75),
        ("o3", "vendor", "2025-05-01", 0, 0.60),
        ("O3", "epoch", "2025-06-01", 0, 0.62),
        ("org/o3", "aa", "2025-06-01", 0, 0.50),
    ]
    frame = pd.DataFrame(rows, columns=["model", "source", "date", "n_shots", "value"])
    return frame.assign(benchmark="MMLU-Pro", metric="accuracy", stderr=0.02)


def test_sources_of_one_log_spell_a_model_in_several_ways() -> None:
    scores = read_published(log())
    assert scores.models == ("GPT-5", "o3", "org/o3")  # another owner may have tuned it
    merged = scores.dataset["score"].sel(benchmark="MMLU-Pro").values
    assert merged == pytest.approx([0.75, 0.61, 0.50])
    stderr = scores.dataset["stderr"].sel(benchmark="MMLU-Pro").values
    assert stderr == pytest.approx([0.02 / np.sqrt(3), 0.02 / np.sqrt(2), 0.02])
    assert '"gpt-5 as GPT-5", "O3 as o3"' in said(scores, "names-joined")
    assert "host" not in said(scores, "names-joined")
    assert not scores.audit.filter("similar-names")
    plain = "2 weighted by inverse variance (all sources state stderr). If"
    assert f"2 scores are means over several sources: {plain}" in said(scores, "merged-sources")


def test_rows_of_one_model_a_row_are_not_joined_by_their_spelling() -> None:
    scores = read_published(pd.DataFrame({"Model": ["GPT-5", "gpt-5"], "GPQA": [80.0, 70.0]}))
    assert scores.models == ("GPT-5", "gpt-5") and scores.audit.filter("similar-names")


def test_a_host_is_a_part_of_the_name_where_it_is_the_owner() -> None:
    assert same_names(["a/x-1", "b/x-1"], hosts=False)[0] == {"a/x-1": "a/x-1", "b/x-1": "b/x-1"}
    assert set(same_names(["a/x-1", "b/x-1"])[0].values()) == {"x-1"}


def test_dates_of_rows_may_be_those_of_evaluations() -> None:
    scores = read_published(log())
    assert scores.audit.filter("values-differ").warnings
    assert 'Are dates of "date" those of evaluations?' in said(scores, "values-differ")
    released = read_published(log().rename(columns={"date": "release date"}))
    assert not released.audit.filter("values-differ").warnings


def test_settings_that_differ_between_merged_sources_are_named() -> None:
    assert '("0", "5"), 1 time, and were merged' in said(read_published(log()), "settings-merged")
    apart = read_published(log(), sources="apart")
    assert not apart.audit.filter("settings-merged")


def test_the_table_of_benchmarks_has_no_floor_and_no_items_of_ratings_and_amounts() -> None:
    scores = read_published(
        table(
            Elo=[1400, 1380, 1420, 1390],
            **{"Time horizon": ["20 min", "33 min", "14 min", "2 hr 5 min"]},
            AIME=["28/30", "27/30", "20/30", "25/30"],
            Agentic=["8/10", "40/50", "9/20", ""],
            WER=[0.1, 0.2, 0.15, 0.12],
        ),
        benchmarks={"GPQA": Benchmark(scale="percent", floor=25.0, n_items=198)},
    )
    about = scores.benchmark_table().set_index("benchmark")
    assert about["floor"].isna().to_dict() == {
        "GPQA": False, "Elo": True, "Time horizon": True, "AIME": False, "Agentic": False,
        "WER": False,
    }  # fmt: skip
    assert about["items"].to_dict() == {
        "GPQA": 198, "Elo": "", "Time horizon": "", "AIME": "30", "Agentic": "10 to 50",
        "WER": "unknown",
    }  # fmt: skip
    assert about["unit"].to_dict() == {
        "GPQA": "", "Elo": "Elo", "Time horizon": "minutes", "AIME": "", "Agentic": "", "WER": "",
    }  # fmt: skip
    assert about.loc["Time horizon", "highest"] == 125.0
    assert about["better"].to_dict()["WER"] == "lower"


@pytest.mark.parametrize(
    ("cell", "half"),
    [
        ("1450 +5/-6", 5.5),
        ("1450 -6/+5", 5.5),
        ("1450 (-6/+5)", 5.5),
        ("1450 (-6, +5)", 5.5),
        ("1450 (-6, 5)", 5.5),
        ("1450 [1444, 1455]", 5.5),
        ("1450", math.nan),
    ],
)
def test_intervals_are_read_with_either_end_first(cell: str, half: float) -> None:
    cells = [cell, "1440 ± 5", "1430", "1420"]
    stderr = read_published(table(Elo=cells)).dataset["stderr"].sel(benchmark="Elo")
    expected = [half / 1.96, 5 / 1.96, math.nan, math.nan]
    assert stderr.values == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("interval", ["-6/+5", "(-6, +5)", "(-6.0, 5.0)", "+5/-6"])
def test_a_column_of_intervals_may_say_how_far_their_ends_lie(interval: str) -> None:
    arena = table(Elo=[1450, 1440, 1430, 1420], **{"95% CI": interval})
    scores = read_published(arena)
    assert scores.dataset["stderr"].sel(benchmark="Elo").values == pytest.approx([5.5 / 1.96] * 4)


def test_how_far_ends_lie_of_an_amount_counts_in_logarithms() -> None:
    times = table(**{"Time horizon (min)": ["60 (-40, +120)", "60 -40/+120", "60 [20, 180]", "60"]})
    stderr = read_published(times).dataset["stderr"].sel(benchmark="Time horizon (min)")
    expected = 60 * math.log(180 / 20) / 2 / 1.96
    assert stderr.values == pytest.approx([expected] * 3 + [math.nan], nan_ok=True)


def test_a_difference_of_two_numbers_is_not_an_interval() -> None:
    scores = read_published(table(Elo=["1450 - 1440", "1440", "1430", "1420"]))
    assert '"GPT-5: 1450 - 1440"' in said(scores, "cell-unread")


def test_plain_numbers_beside_durations_are_in_the_minutes_of_their_heading() -> None:
    cells = ["2h 17m", "135", "45 min", "30"]
    scores = read_published(table(**{"Time horizon (min)": cells}))
    read = scores.dataset["score"].sel(benchmark="Time horizon (min)").values
    assert read == pytest.approx([137.0, 135.0, 45.0, 30.0])
    unsure = read_published(table(**{"Time horizon": cells}))
    assert unsure.benchmarks == ("GPQA",)
    assert "or minutes in the heading" in said(unsure, "ignored-column")
    hours = read_published(table(**{"Time horizon (hours)": cells}))
    assert hours.benchmarks == ("GPQA",)
