"""Tables as hubs publish them: any column names, percent signs, intervals, several sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.readers import read_published, read_scores
from latentscale.data.readers.published.cells import amounts, dates, score_cells
from latentscale.errors import DataError, DataWarning
from tests.data.published_tables import of_first as named

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


def ratings() -> pd.DataFrame:
    """Return an arena's table: ratings with intervals, votes, organisation, licence."""
    return pd.DataFrame(
        {
            "Rank* (UB)": [1, 2, 3],
            "Model": ["gpt-5 (high)", "claude-opus-4-1", "qwen3-32b"],
            "Arena Score": [1465, 1440, 1322],
            "95% CI": ["+7/-8", "+5/-5", "±9"],
            "Coding": [1470, 1450, np.nan],
            "Votes": ["26,407", "9,114", "8,002"],
            "Organization": ["OpenAI", "Anthropic", "Alibaba"],
            "License": ["Proprietary", "Proprietary", "Apache 2.0"],
            "Release Date": ["2025-08-07", "Aug 2025", "2025-04"],
        }
    )


def percentages() -> pd.DataFrame:
    """Return a hub's table of percentages and prices."""
    return pd.DataFrame(
        {
            "Model": ["gpt-5", "o3", "claude-opus-4"],
            "Creator": ["OpenAI", "OpenAI", "Anthropic"],
            "Intelligence Index": [69, 65, 59],
            "GPQA Diamond": ["85.7%", "83.3% ± 2.0", "–"],
            "AIME 2025": ["94.3%", "88.4%", "73.3%"],
            "τ²-Bench Telecom": ["85%", "81%", "57%"],
            "Blended USD/1M Tokens": ["$3.44", "$3.50", "$30.00"],
            "Context Window": ["400k", "200k", "200k"],
        }
    )


def test_ratings_are_real_and_their_intervals_give_standard_errors() -> None:
    scores = read_published(ratings())
    assert scores.benchmarks == ("Arena Score", "Coding")
    assert scores.benchmark_info["Arena Score"].scale == "real"
    assert scores.dataset["stderr"].sel(benchmark="Arena Score").values == pytest.approx(
        [7.5 / 1.96, 5 / 1.96, 9 / 1.96]
    )
    assert scores.dataset["stderr"].sel(benchmark="Coding").isnull().all()


def test_what_an_arena_says_of_models_becomes_their_features() -> None:
    models = read_published(ratings()).to_frame().set_index("model")
    assert models["provider"].tolist() == ["OpenAI", "Anthropic", "Alibaba"]
    assert models["open_weights"].tolist() == [0, 0, 1]
    assert [str(day)[:10] for day in models["released"]] == [
        "2025-08-07",
        "2025-08-15",
        "2025-04-15",
    ]
    assert models.loc["gpt-5 (high)", "effort"] == "high"


def test_percent_signs_are_percentages_and_guessing_has_its_floor() -> None:
    scores = read_published(percentages())
    assert scores.benchmarks == ("GPQA Diamond", "AIME 2025", "τ²-Bench Telecom")
    gpqa = scores.dataset.sel(benchmark="GPQA Diamond")
    assert gpqa["score"].values == pytest.approx([0.857, 0.833, np.nan], nan_ok=True)
    assert gpqa["stderr"].values[1] == pytest.approx(0.02 / 1.96)
    assert scores.benchmark_info["GPQA Diamond"].floor == 0.25
    assert scores.benchmark_info["AIME 2025"].floor == 0
    assert scores.benchmark_info["τ²-Bench Telecom"].group == "agents"


def test_columns_that_are_no_benchmarks_are_named_once_with_the_reason() -> None:
    ignored = read_published(percentages()).audit.filter("ignored-column")
    assert len(ignored) == 1
    message = next(iter(ignored)).message
    assert '"Intelligence Index": a mean, sum or index of the others.' in message
    assert '"Blended USD/1M Tokens", "Context Window": by its name a rank, price' in message


def test_the_amount_of_training_data_is_no_benchmark() -> None:
    table = percentages().assign(**{"Pretraining Data Size (T)": [0.5, 2.0, 15.0]})
    scores = read_published(table)
    assert "Pretraining Data Size (T)" not in scores.benchmarks
    assert scores.dataset["tokens"].values.tolist() == [0.5, 2.0, 15.0]


def test_a_declaration_makes_any_column_a_benchmark() -> None:
    about = {"Intelligence Index": ls.Benchmark(scale="percent")}
    scores = read_published(percentages(), benchmarks=about)
    assert scores.dataset["score"].sel(benchmark="Intelligence Index").values[0] == 0.69


def test_a_further_column_is_a_feature_where_it_is_declared() -> None:
    table = percentages().assign(tools=[1, 0, 1])
    scores = read_published(table, features=["tools"])
    assert "tools" not in scores.benchmarks
    assert scores.dataset["tools"].values.tolist() == [1, 0, 1]


def test_read_scores_and_its_files_take_a_published_table(tmp_path: Path) -> None:
    percentages().to_csv(tmp_path / "hub.csv", index=False)
    assert read_scores(tmp_path / "hub.csv").n_observed == 8


def test_minutes_are_positive_and_their_bounds_count_in_logarithms() -> None:
    table = pd.DataFrame({"model": ["gpt-5", "o3"], "p50_horizon_minutes": [120.0, 60.0]})
    table = table.assign(p50_low=[60.0, 30.0], p50_high=[240.0, 120.0], usd_cost=[3.0, 4.0])
    scores = read_published(table)
    assert scores.benchmarks == ("p50_horizon_minutes",)
    assert scores.benchmark_info["p50_horizon_minutes"].scale == "positive"
    expected = np.log(2) / 1.96 * np.array([120, 60])
    assert scores.dataset["stderr"].values.ravel() == pytest.approx(expected)


def test_agents_of_one_model_are_averaged_or_the_best_is_taken() -> None:
    table = pd.DataFrame(
        {
            "Model": ["gpt-5", "gpt-5", "o3"],
            "Agent": ["OpenHands", "SWE-agent", "SWE-agent"],
            "Date": ["2025-09-01", "2025-08-15", "2025-05-01"],
            "% Resolved": ["70%", "60%", "50%"],
        }
    )
    mean, best = read_published(table), read_published(table, repeats="best")
    assert mean.dataset["score"].values.ravel() == pytest.approx([0.65, 0.5])
    assert best.dataset["score"].sel(model="gpt-5").values == pytest.approx([0.7])
    assert str(mean.dataset["released"].values[0])[:10] == "2025-08-15"


def test_sources_apart_are_benchmarks_of_one_task() -> None:
    table = pd.DataFrame(
        {"Model": ["gpt-5", "gpt-5", "o3"], "Benchmark": "gpqa", "Score": [0.9] * 3}
    )
    table = table.assign(Score=[0.9, 0.8, 0.7], Source=["vendor", "Epoch", "Epoch"])
    scores = read_published(table, sources="apart")
    assert scores.benchmarks == ("gpqa (vendor)", "gpqa")
    assert scores.benchmark_info["gpqa (vendor)"].task == "gpqa"
    elo = pd.concat([table, table.assign(Benchmark="Arena Elo", Score=[1200, 1210, 1300])])
    (said,) = read_published(elo, sources="apart").audit.filter("merged-sources")
    assert said.message.endswith("only shares can have a benchmark for each source.")
    (said,) = read_published(elo).audit.filter("merged-sources")
    assert said.message.endswith('or make each a benchmark: sources="apart".')
    assert read_published(table).dataset["score"].values.ravel() == pytest.approx([0.85, 0.7])


def test_a_long_table_keeps_its_errors_and_items() -> None:
    table = pd.DataFrame({"model": ["gpt-5", "o3"], "benchmark": "hle", "score": [0.25, 0.2]})
    table = pd.concat([table, table.assign(benchmark="aime", score=[0.9, 0.8])])
    scores = read_scores(table.assign(stderr=0.02, n_items=2500, organization="OpenAI"))
    assert (scores.dataset["stderr"] == 0.02).all()
    assert (scores.dataset["cell_items"] == 2500).all()


def test_efforts_in_a_column_of_their_own_make_models_apart() -> None:
    table = pd.DataFrame({"Model": ["gpt-5", "gpt-5"], "Reasoning effort": ["low", "high"]})
    scores = read_published(table.assign(HLE=[10.0, 25.0]))
    assert scores.models == ("gpt-5 (low)", "gpt-5 (high)")
    assert scores.dataset["effort"].values.tolist() == ["low", "high"]


def test_chinese_tables_are_read() -> None:
    table = pd.DataFrame({"模型": ["qwen3-32b", "glm-4.6"], "机构": ["阿里", "智谱"]})
    table = table.assign(
        发布时间=["2025/04/28", "2025年9月"], 参数量=["32B", "N/A"], 数学=[70.1, 80.2]
    )
    scores = read_published(table)
    assert scores.benchmarks == ("数学",)
    assert scores.dataset["params"].values.tolist()[0] == 32
    assert [str(day)[:10] for day in scores.dataset["released"].values] == [
        "2025-04-28",
        "2025-09-15",
    ]


def test_numbers_of_no_known_scale_are_left_out_and_named() -> None:
    table = percentages().assign(Points=[120.0, 3000.0, 44.0])
    scores = read_published(table)
    assert "Points" not in scores.benchmarks
    assert '"Points": numbers of 44 to 3000' in str(scores.audit)


def test_a_fraction_among_percentages_is_named() -> None:
    scores = read_published(percentages().assign(a=[50.0, 0.6, 70.0]).assign(d=[0.1, 0.2, 0.3]))
    found = list(scores.audit.filter("scores-tiny"))
    assert [one.where for one in found] == ["a"]
    assert found[0].message.startswith('1 score below 1 among percentages without a sign: "a of ')
    assert '"d"' in next(iter(scores.audit.filter("mixed-units"))).message


def test_one_fraction_beside_one_percentage_is_named() -> None:
    table = pd.DataFrame({"Model": ["a1", "b1"], "GPQA": [40.0, 50.0], "Hard": [0.1, 0.4]})
    assert '"Hard"' in next(iter(read_published(table).audit.filter("mixed-units"))).message
    said = read_published(table, benchmarks={"Hard": ls.Benchmark()})
    assert not list(said.audit.filter("mixed-units"))


def test_ages_and_years_are_no_benchmarks() -> None:
    table = percentages().assign(Year=[2023, 2024, 2025], age=[3, 2, 1])
    assert not {"Year", "age"} & set(read_published(table).benchmarks)


def test_sizes_that_are_not_totals_are_left_empty_and_named() -> None:
    table = percentages().assign(Params=["8x7B", "A22B", "unknown"])
    found = [f.message for f in read_published(table).audit if "not understood" in f.message]
    assert len(found) == 1 and '"8x7B"' in found[0] and '"unknown"' not in found[0]
    assert np.isnan(amounts(pd.Series(["8x7B", "12 layers"]), unit=1e9)).all()
    assert amounts(pd.Series(["7 params", "7 Billion"]), unit=1e9).tolist() == [7, 7]


@pytest.mark.parametrize("name", ["benchmark", "Benchmark_ID", "task"])
def test_a_long_table_whose_scores_have_an_unknown_name_is_not_averaged(name: str) -> None:
    table = pd.DataFrame({"model": ["a1", "a1"], name: ["mmlu", "gpqa"], "acc": [0.7, 0.3]})
    with pytest.raises(DataError, match='Rename the column of scores to "score"'):
        read_scores(table)


def test_a_misspelt_family_is_left_to_its_owner() -> None:
    table = pd.DataFrame({"model": ["a-1b"], "famliy": ["a"], "mmlu": [0.3]})
    with pytest.raises(DataError, match="famliy"):
        read_scores(table)


def test_a_table_without_models_or_benchmarks_is_refused() -> None:
    with pytest.raises(DataError, match="no column names the models"):
        read_published(pd.DataFrame({"x": [1.0]}))
    with pytest.raises(DataError, match="no column is a benchmark"):
        read_published(pd.DataFrame({"Model": ["a"], "Price": [3.0]}))


@pytest.mark.parametrize("first", ["Model", "model"])
def test_repeated_columns_are_refused(first: str) -> None:
    table = pd.DataFrame([["gpt-5", 0.1, 0.2]], columns=[first, "a", "a"])
    for reader in (read_published, read_scores):
        with pytest.raises(DataError, match=r"named more than once|occurs 2 times"):
            reader(table)


def test_unread_cells_are_counted_with_their_column() -> None:
    table = percentages()
    table.loc[0, "AIME 2025"] = "see notes"
    with pytest.warns(DataWarning, match=r"AIME 2025: 1 cell is not a number.*gpt-5: see notes"):
        read_published(table)


def test_sizes_are_read_in_their_units() -> None:
    cells = pd.Series(["72B", "671B (37B active)", "1.5T", "350M", 7e9, 7.2, "N/A"], dtype=object)
    expected = [72, 671, 1500, 0.35, 7, 7.2, np.nan]
    assert amounts(cells, unit=1e9) == pytest.approx(expected, nan_ok=True)


def test_printed_scores_are_read() -> None:
    texts = ["45.3%", "$5,478.20", "1,465*", "78.2 (±1.1)", "-", "soon", 3, "-$20", "45,3"]
    read = score_cells(pd.Series(texts, dtype=object))
    expected = [45.3, 5478.2, 1465, 78.2, np.nan, np.nan, 3, -20, np.nan]
    assert read.values == pytest.approx(expected, nan_ok=True)
    assert (read.unread, read.half[3]) == ([5, 8], 1.1)


def test_names_are_read_without_links_and_medals() -> None:
    models = ['<a href="https://x.y">gpt-5</a>', "[o3](https://x.y)", "🥇 Claude Opus 4"]
    scores = read_published(pd.DataFrame({"Model": models, "HLE": [20.0, 25.0, 11.0]}))
    assert scores.models == ("gpt-5", "o3", "Claude Opus 4")
    assert "3 names are read without" in str(scores.audit.filter("names-cleaned"))


def test_dates_without_a_day_are_in_their_middle() -> None:
    cells = ["2024", "2024-09", "Sept. 2024", "summer 2024", None]
    read, odd, _ = dates(pd.Series(cells, dtype=object))
    assert [day and str(day.date()) for day in read] == [
        "2024-07-01",
        "2024-09-15",
        "2024-09-15",
        None,
        None,
    ]
    assert odd == ["summer 2024"]


def test_the_audit_says_how_many_scores_have_standard_errors() -> None:
    table = named(GPQA=["40 ± 1.0", "50 ± 2.0", "60"])
    (said,) = read_published(table).audit.filter("errors-read")
    assert said.message.startswith("2 of 3 scores have a standard error")
    assert not list(read_published(named(GPQA=[40.0, 50.0, 60.0])).audit.filter("errors-read"))
    assert '"GPQA" a number after ±, or half an interval, is taken for half a 95%' in said.message
    assert "over 1.96. If it is a standard error, write it without ± in a column" in said.message
    stated = named(GPQA=["40", "50", "60"], **{"GPQA stderr": [1.0, 2.0, None]})
    scores = read_published(stated)
    assert scores.dataset["stderr"].values.ravel()[:2] == pytest.approx([0.01, 0.02])
    assert "1.96" not in str(scores.audit.filter("errors-read"))


def test_the_audit_says_which_errors_of_single_rows_are_halved() -> None:
    table = pd.DataFrame({"model": ["a", "b"], "task": "WER", "value": ["10% ± 1%", "13%"]})
    other = table.assign(task="MMLU", value=["80", "81"], stderr=["1", "1 "])
    scores = read_published(pd.concat([table.assign(stderr=[None, "0.3%"]), other]))
    (said,) = scores.audit.filter("errors-read")
    assert 'On "WER" a number after ±' in said.message
    wer = scores.dataset["stderr"].sel(benchmark="WER").values
    assert wer == pytest.approx([0.01 / 1.96, 0.003])


def test_quarters_are_read_as_their_middle_and_that_is_said() -> None:
    cells = ["2026Q1", "2025-Q2", "Q3 2025", "q4, 2025", "1Q2025"]
    scores = read_published(named(Released=cells, GPQA=[40.0, 50.0, 60.0, 70.0, 80.0]))
    days = scores.dataset["released"].values.astype("datetime64[D]").astype(str).tolist()
    assert days == ["2026-02-15", "2025-05-15", "2025-08-15", "2025-11-15", "2025-02-15"]
    (said,) = scores.audit.filter("dates-by-middle")
    assert "2026Q1 as 2026-02-15" in said.message
    assert not list(scores.audit.filter("cell-unread"))


@pytest.mark.parametrize("cell", ["Q5 2025", "2025Q0", "Q1 25", "Q1", "FQ1 2025", "Q1-Q2 2025"])
def test_what_is_not_surely_a_quarter_is_named(cell: str) -> None:
    _, odd, notes = dates(pd.Series([cell], dtype=object))
    assert (odd, notes) == ([cell], {})


def test_the_best_row_is_the_lowest_where_lower_is_better() -> None:
    table = pd.DataFrame({"Model": ["gpt-5", "gpt-5", "o3"], "Error rate": [0.3, 0.1, 0.5]})
    lower = {"Error rate": ls.Benchmark(lower_is_better=True)}
    best = read_published(table, repeats="best", benchmarks=lower)
    assert best.dataset["score"].sel(model="gpt-5").values == pytest.approx([0.1])


def test_fractions_beside_percentages_are_named_in_a_table_with_one_row_a_score_too() -> None:
    wide = pd.DataFrame({"model": ["a1", "b1"], "GPQA": [40.0, 0.5], "Hard": [0.1, 0.4]})
    long = wide.melt("model", var_name="benchmark", value_name="score")
    audit = read_published(long).audit
    assert '"Hard"' in next(iter(audit.filter("mixed-units"))).message
    (tiny,) = audit.filter("scores-tiny")
    assert (tiny.where, '"GPQA of b1: 0.5"' in tiny.message) == ("GPQA", True)


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["01/06/2025", "06/06/2025", "13/06/2025"], ["2025-06-01", "2025-06-06", "2025-06-13"]),
        (["01/06/2025", "06/06/2025", "06/13/2025"], ["2025-01-06", "2025-06-06", "2025-06-13"]),
        (["01/06/2025", "06/06/2025", "02/06/2025"], ["NaT", "2025-06-06", "NaT"]),
        (["01/02/2025", "13/06/2025", "06/13/2025"], ["NaT", "2025-06-13", "2025-06-13"]),
    ],
)
def test_dates_in_figures_are_read_by_one_rule_or_named(cells: list, read: list) -> None:
    scores = read_published(named(Date=cells, GPQA=[40.0, 50.0, 60.0]))
    days = scores.dataset["released"].values.astype("datetime64[D]").astype(str).tolist()
    assert days == read
    unread = [cell for cell, day in zip(cells, read, strict=True) if day == "NaT"]
    said = " ".join(finding.message for finding in scores.audit.filter("cell-unread"))
    assert all(f'"{cell}"' in said for cell in unread) and bool(said) == bool(unread)
    assert ("first" in str(scores.audit.filter("dates-ordered"))) == (not unread)


@pytest.mark.parametrize(
    ("cells", "half"),
    [
        (["40 ± 1.0", "50 ± 2.0"], [1.0, 2.0]),
        (["40 [38, 42]", "50% [47%, 53%]"], [2.0, 3.0]),
        (["40 (38–42)", "50 +2/-4"], [2.0, 3.0]),
        (["40 $\\pm$ 1", "50 (55-60)"], [1.0, None]),
        (["0,812", "45,3"], [None, None]),
    ],
)
def test_intervals_beside_scores_are_half_widths_or_the_cell_is_not_read(
    cells: list, half: list
) -> None:
    read = score_cells(pd.Series(cells, dtype=object))
    assert [None if np.isnan(width) else width for width in read.half.tolist()] == half
    assert read.unread == [row for row, width in enumerate(half) if width is None]


def test_scores_under_the_name_of_an_interval_are_scores() -> None:
    name = "GPQA (95% CI)"
    scores = read_published(named(**{name: ["40 ± 1.96", "50 ± 3.92"]})).dataset
    assert scores["score"].values.ravel().tolist() == [0.4, 0.5]
    assert scores["stderr"].values.ravel() == pytest.approx([0.01, 0.02])


@pytest.mark.parametrize("apart", [True, False])
def test_unequal_errors_of_amounts_are_symmetric_in_logarithms(apart: bool) -> None:
    """For 60 +120/-40 the interval is 20 to 180, a factor of 3 either way."""
    errors = ["+120/-40", "+10/-40"]
    name, table = "Task horizon (minutes)", {"GPQA": [40.0, 50.0]}
    if apart:
        table |= {name: [60.0, 30.0], f"{name} 95% CI": errors}
    else:
        table |= {name: [f"{score} {width}" for score, width in zip([60, 30], errors, strict=True)]}
    scores = read_published(named(**table))
    read = scores.dataset["stderr"].sel(benchmark=name).values
    # The second interval ends below 0, where logarithms are undefined: half its width.
    assert read == pytest.approx([60 * np.log(3) / 1.96, 25 / 1.96])
    assert f'On "{name}" (positive) an interval' in str(scores.audit.filter("errors-read"))
    percent = read_published(named(GPQA=["60 +12/-4", "50 +1/-1"])).dataset["stderr"]
    assert percent.values.ravel() == pytest.approx([0.08 / 1.96, 0.01 / 1.96])


def test_unequal_errors_beside_durations_have_no_unit() -> None:
    table = named(**{"Horizon": ["2 hr 17 min", "35 min"], "Horizon 95% CI": ["+120/-40", "+2/-1"]})
    assert "stderr" not in read_published(table).dataset


def test_columns_of_intervals_are_read_as_ends_or_named() -> None:
    ends = named(GPQA=[40.0, 50.0], **{"GPQA 95% CI": ["[38.04, 41.96]", "48.04-51.96"]})
    assert read_published(ends).dataset["stderr"].values.ravel() == pytest.approx([0.01, 0.01])
    for name in ("GPQA 95% CI", "BBH stderr"):
        scores = read_published(named(GPQA=[40.0, 50.0], **{name: ["wide", "narrow"]}))
        assert f'"{name}": by its name errors' in str(scores.audit.filter("ignored-column"))


@pytest.mark.parametrize(
    "name", ["fold", "seed", "index", "rank", "Unnamed: 0", "No.", "place", "run", "n", "序号"]
)
def test_columns_that_number_or_count_are_no_benchmarks(name: str) -> None:
    table = named(GPQA=[40.0, 50.0, 45.0], **{name: [3.0, 1.0, 2.0]})
    assert read_published(table).benchmarks == ("GPQA",)


def test_a_column_that_numbers_the_rows_is_no_benchmark_whatever_its_name() -> None:
    table = named(GPQA=[40.0, 50.0, 45.0, 30.0], Nº_de_modelo=[1, 2, 3, 4])
    assert read_published(table).benchmarks == ("GPQA",)


@pytest.mark.parametrize(
    "name", ["total", "Average", "Overall", "Score (avg)", "Average ⬆️", "均分", "平均值"]
)
def test_a_mean_of_two_benchmarks_is_left_out_in_both_shapes(name: str) -> None:
    table = named(GPQA=[40.0, 50.0, 45.0], MMLU=[60.0, 71.0, 80.0])
    count = 1 if name == "total" else 2
    table[name] = (table["GPQA"] + table["MMLU"]).round(1) / count / 1.5  # of others
    with pytest.warns(DataWarning, match="a score may count once only"):
        assert read_published(table).benchmarks == ("GPQA", "MMLU", name)
    table[name] = ((table["GPQA"] + table["MMLU"]) / 2).round(1)
    assert read_published(table).benchmarks == ("GPQA", "MMLU")
    long = table.melt("Model", var_name="benchmark", value_name="score")
    assert read_published(long).benchmarks == ("GPQA", "MMLU")


def test_nothing_is_listed_of_which_there_is_nothing() -> None:
    models = pd.DataFrame({"Model": ["fam-1b", "fam-2b"], "GPQA": [40.0, 50.0]})
    for finding in read_published(models).audit.findings:
        assert ": ." not in finding.message and "()" not in finding.message


def test_errors_in_fractions_beside_percentages_are_named() -> None:
    table = named(GPQA=[40.0, 50.0], **{"GPQA stderr": [0.01, 0.02]})
    assert '"GPQA"' in str(read_published(table).audit.filter("errors-tiny"))
    whole = table.assign(**{"GPQA stderr": [1.0, 2.0]})
    assert not read_published(whole).audit.filter("errors-tiny").findings
