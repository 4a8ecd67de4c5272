"""The BenchPress matrix, read from small files of its format."""

from __future__ import annotations

from pathlib import Path

import pytest

from latentscale.data.readers import benchpress_folds, benchpress_measurements, read_benchpress
from latentscale.errors import DataError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "tables" / "benchpress"
MODELS = """model_id,model,provider,reasoning,open_weights,release_date,effort
gpt-5,GPT-5,OpenAI,1,0,2025-08-01,high
claude-haiku-4.5,Claude Haiku 4.5,Anthropic,1,0,2025-10-15,128K thinking budget
gemma-3-1b-it,Gemma 3 1B,Google,0,1,2025,n/a
llama-3.2-1b,Llama 3.2 1B,Meta,0,1,2024-09,
"""
SCORES = """model_id,benchmark_id,benchmark,score
gpt-5,gpqa_diamond,GPQA Diamond,87.3
claude-haiku-4.5,gpqa_diamond,GPQA Diamond,73
gemma-3-1b-it,gpqa_diamond,GPQA Diamond,19.2
llama-3.2-1b,gpqa_diamond,GPQA Diamond,25.6
gpt-5,chatbot_arena_elo,Elo,1442
claude-haiku-4.5,chatbot_arena_elo,Elo,1402
gpt-5,vending_bench_2,Vending-Bench 2,3578.9
claude-haiku-4.5,vending_bench_2,Vending-Bench 2,549
gpt-5,omnidocbench,edit distance,0.12
claude-haiku-4.5,omnidocbench,edit distance,0.15
gpt-5,factscore,hallucination rate,2.8
gemma-3-1b-it,factscore,hallucination rate,38
claude-haiku-4.5,factscore,right claims,91
gpt-5,omnidocbench_1.5,OmniDocBench,0.143
claude-haiku-4.5,omnidocbench_1.5,OmniDocBench,89.1
gpt-5,a_new_rating,New,2100
claude-haiku-4.5,a_new_rating,New,-3
"""
FOLDS = "seed,fold,model_id,benchmark_id\n42,0,gpt-5,gpqa_diamond\n"


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    for name, text in (("models", MODELS), ("scores", SCORES), ("folds", FOLDS)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_scores_keep_their_units_and_benchmarks_their_scale(matrix):
    read = benchpress_measurements(matrix)
    cells = read.cells.set_index(["model", "benchmark"])["score"]
    assert cells["gpt-5", "gpqa_diamond"] == 87.3 and cells["gpt-5", "vending_bench_2"] == 3578.9
    info = {name: (b.scale, b.lower_is_better, b.unit) for name, b in read.benchmarks.items()}
    assert info == {
        "gpqa_diamond": ("percent", False, ""),
        "chatbot_arena_elo": ("real", False, "Elo"),
        "vending_bench_2": ("positive", False, "dollars"),
        "omnidocbench": ("fraction", True, "edit distance"),
        "factscore": ("percent", True, ""),
        "omnidocbench_1.5": ("positive", False, ""),
        "a_new_rating": ("real", False, ""),
    }
    assert read.benchmarks["gpqa_diamond"].floor == 25.0


def test_mixed_units_and_unknown_scales_are_named(matrix):
    audit = benchpress_measurements(matrix).audit
    assert (
        "1 scores of at most 1 are edit distances" in audit.filter("mixed-units").table.message[0]
    )
    assert '"a_new_rating (-3 to 2100)"' in audit.filter("scale-assumed").table.message[0]


def test_shares_of_right_claims_are_read_as_rates_of_wrong_ones_and_named(matrix):
    read = benchpress_measurements(matrix)
    rates = read.cells.set_index("benchmark").loc["factscore"].set_index("model")["score"]
    assert rates.to_dict() == {"gpt-5": 2.8, "gemma-3-1b-it": 38.0, "claude-haiku-4.5": 9.0}
    found = read.audit.filter("mixed-directions").table
    assert (
        found["message"].str.contains('1 scores above 50 ("claude-haiku-4.5")', regex=False).all()
    )
    assert len(found) == 1


def test_fractions_where_percentages_are_expected_are_named(matrix):
    (matrix / "scores.csv").write_text(
        "model_id,benchmark_id,score\ngpt-5,gpqa_diamond,0.87\nclaude-haiku-4.5,gpqa_diamond,0.7\n"
    )
    found = benchpress_measurements(matrix).audit.filter("scores-tiny").table.message[0]
    assert '"gpqa_diamond"' in found and "multiply them by 100" in found


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_a_known_percentage_out_of_range_is_refused_and_stays_a_percentage(matrix):
    (matrix / "scores.csv").write_text(SCORES.replace(",73\n", ",730\n"))
    with pytest.raises(DataError, match=r"gpqa_diamond.*730. Scores of this benchmark are perc"):
        read_benchpress(matrix)


def test_ids_that_are_numbers_are_found(matrix):
    (matrix / "scores.csv").write_text("model_id,benchmark_id,score\n7,gpqa_diamond,87\n")
    (matrix / "models.csv").write_text("model_id\n7\n")
    assert benchpress_measurements(matrix).cells["model"].tolist() == ["7"]


def test_efforts_and_dates_are_completed(matrix):
    models = benchpress_measurements(matrix).models.set_index("model")
    assert models["effort"].fillna("").tolist() == ["high", "high", "", ""]
    assert models["released"].tolist()[2:] == ["2025-07-01", "2024-09-15"]
    assert models["lineage"].tolist() == ["OpenAI", "Anthropic", "Google", "Meta"]
    assert models["size_class"].tolist() == ["unknown", "mini", "nano", "nano"]


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_a_flag_in_words_is_read_and_an_empty_one_follows_from_the_name(matrix):
    text = MODELS.replace("OpenAI,1", "OpenAI,").replace("Anthropic,1", "Anthropic,yes")
    (matrix / "models.csv").write_text(text.replace(",0,1,", ",no,1,"))
    reasoning = read_benchpress(matrix).dataset["reasoning"].to_series()
    assert reasoning.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_folds(matrix):
    assert benchpress_folds(matrix).values.tolist() == [[42, 0, "gpt-5", "gpqa_diamond"]]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("scores", "gpt-5,factscore", "gpt-6,factscore", r"1 models .* does not have: \"gpt-6\""),
        ("scores", ",87.3", ",many", r"row 0, column score: 'many' is not a number"),
        ("scores", "benchmark_id", "bench", r'the columns "benchmark_id" are missing'),
        ("models", "gemma-3-1b-it", "gpt-5", r'several rows of "gpt-5"'),
        ("scores", "gpt-5,gpqa_diamond", ",gpqa_diamond", r"row 0, column model_id: empty"),
    ],
)
def test_files_that_do_not_fit_are_refused(matrix, name, old, new, message):
    text = {"scores": SCORES, "models": MODELS}[name]
    (matrix / f"{name}.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        benchpress_measurements(matrix)


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        benchpress_measurements(tmp_path / "absent")
    with pytest.raises(DataError, match=r"no scores\.csv in it"):
        benchpress_measurements(tmp_path)


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_matrix_becomes_scores(matrix):
    scores = read_benchpress(matrix)
    assert (len(scores.models), len(scores.benchmarks), scores.n_observed) == (4, 7, 17)
    assert scores.benchmark_info["factscore"].lower_is_better


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/tables/benchpress")
@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_whole_matrix_is_read():
    scores = read_benchpress(SHARED)
    assert (len(scores.models), len(scores.benchmarks), scores.n_observed) == (84, 133, 2604)
    assert len(benchpress_folds(SHARED)) == 26040
