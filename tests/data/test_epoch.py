"""Epoch AI's benchmarking hub, read from small files of its format."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from latentscale.data import Benchmark
from latentscale.data.readers import epoch_index, epoch_measurements, read_epoch
from latentscale.errors import DataError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "tables" / "epoch"
ABOUT = "Release date,Organization,Country,Training compute (FLOP),Training compute notes"
GPQA = f"""Model version,mean_score,Best score (across scorers),{ABOUT},stderr,id
openai/gpt-5_high,0.87,0.9,2025-08-07,OpenAI,USA,6.6e25,"a note, with a comma",0.02,a
claude-3-5-sonnet-20241022,0.55,0.6,2024-10-22,Anthropic,USA,,,0.03,b
Qwen2.5-72B,0.0,0.0,2024-09-19,Alibaba,China,7.8e24,,0,c
,0.5,0.5,,,,,,,d
"""
AIDER = f"""Model version,Percent correct,{ABOUT},Source,id
gpt-5_high,88.0%,2025-08-07,OpenAI,USA,6.6e25,,x,a
claude-3-5-sonnet-20241022,51.6,2024-10-22,Anthropic,USA,,,x,b
"""
MMLU = f"""Model version,EM,{ABOUT},Name,Shots,Source,id
GPT-5_high,0.90,2025-08-06,"OpenAI,Microsoft",USA,,,GPT-5,0,paper,a
gpt-5_high,0.94,2025-08-07,OpenAI,USA,,,GPT-5,5,card,b
claude-3-5-sonnet-20241022,0.88,2024-10-22,Anthropic,USA,,,Claude,5,card,c
"""
METR = f"""Model version,Time horizon,{ABOUT},CI_high,CI_low,id
gpt-5_high,203.0,2025-08-07,OpenAI,USA,,,406.0,101.5,a
"""
ARENA = f"""Model version,Arena Score,{ABOUT},Score 95% CI,id
gpt-5_high,1395,2025-08-07,OpenAI,USA,,,=+12/-8,a
"""
NEW = f"""Model version,Agent,Solved,{ABOUT},Solved SE,Cost,id
gpt-5_high,x,31.5,2025-08-07,OpenAI,USA,,,1.5,3,a
claude-3-5-sonnet-20241022,y,12.5,2024-10-22,Anthropic,USA,,,1.1,9,b
"""
ECI = """Model version,ECI Score,Release date,Organization
gpt-5_high,150,2025-08-07,OpenAI
Qwen2.5-72B,,2024-09-19,Alibaba
"""
FILES = {
    "gpqa_diamond": GPQA,
    "aider_polyglot_external": AIDER,
    "mmlu_external": MMLU,
    "metr_time_horizons_external": METR,
    "webdev_arena_external": ARENA,
    "new_bench_external": NEW,
    "epoch_capabilities_index": ECI,
}


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    for stem, text in FILES.items():
        (tmp_path / f"{stem}.csv").write_text(text)
    return tmp_path


def cell(measured, model: str, benchmark: str):
    cells = measured.cells
    (row,) = cells[(cells["model"] == model) & (cells["benchmark"] == benchmark)].itertuples()
    return row


def test_each_file_is_a_benchmark_by_its_main_score(hub):
    read = epoch_measurements(hub)
    assert set(read.benchmarks) == {s.removesuffix("_external") for s in FILES} - {
        "epoch_capabilities_index"
    }
    assert cell(read, "gpt-5_high", "gpqa_diamond").score == 0.87
    assert cell(read, "gpt-5_high", "aider_polyglot").score == 88.0
    assert read.benchmarks["aider_polyglot"].scale == "percent"
    assert (read.benchmarks["gpqa_diamond"].floor, read.benchmarks["gpqa_diamond"].group) == (
        0.25,
        "science",
    )


def test_a_host_and_the_case_of_a_name_do_not_part_a_model(hub):
    read = epoch_measurements(hub)
    assert sorted(read.models["model"]) == [
        "Qwen2.5-72B",
        "claude-3-5-sonnet-20241022",
        "gpt-5_high",
    ]
    assert "openai/gpt-5_high" in read.audit.filter("names-joined").findings[0].message


def test_several_rows_of_a_model_are_averaged_or_the_best_is_taken(hub):
    read = epoch_measurements(hub)
    assert cell(read, "gpt-5_high", "mmlu").score == pytest.approx(0.92)
    assert cell(read, "gpt-5_high", "mmlu").source == "paper; card"
    assert cell(epoch_measurements(hub, repeats="best"), "gpt-5_high", "mmlu").score == 0.94
    assert "2 rows of 1 score;" in read.audit.filter("repeats-merged").findings[0].message
    with pytest.raises(DataError, match='repeats="last" is not known'):
        epoch_measurements(hub, repeats="last")


def test_standard_errors_are_in_the_units_of_the_score(hub):
    read = epoch_measurements(hub)
    assert cell(read, "gpt-5_high", "gpqa_diamond").stderr == 0.02
    assert np.isnan(cell(read, "Qwen2.5-72B", "gpqa_diamond").stderr)  # 0 is none
    assert cell(read, "gpt-5_high", "webdev_arena").stderr == pytest.approx(20 / 3.92)
    # An interval from half to twice the score has width log(4) on the log scale.
    assert cell(read, "gpt-5_high", "metr_time_horizons").stderr == pytest.approx(
        203.0 * np.log(4) / 3.92
    )


def test_minutes_are_positive_and_ratings_real(hub):
    info = epoch_measurements(hub).benchmarks
    assert (info["metr_time_horizons"].scale, info["metr_time_horizons"].unit) == (
        "positive",
        "minutes",
    )
    assert (info["webdev_arena"].scale, info["webdev_arena"].unit) == ("real", "Elo")


def test_a_new_file_is_read_by_the_rule_and_named(hub):
    read = epoch_measurements(hub)
    row = cell(read, "gpt-5_high", "new_bench")
    assert (row.score, row.stderr, read.benchmarks["new_bench"].scale) == (31.5, 1.5, "percent")
    (finding,) = read.audit.filter("unknown-hub-file")
    assert finding.where == "new_bench" and 'column "Solved" as percent' in finding.message


def test_a_known_file_in_percent_becomes_fractions(hub):
    text = GPQA.replace("0.87,", "87,").replace("0.55,", "55,")
    (hub / "gpqa_diamond.csv").write_text(text)
    assert cell(epoch_measurements(hub), "gpt-5_high", "gpqa_diamond").score == 0.87


@pytest.mark.parametrize(
    ("stem", "old", "new", "scores"),
    [
        ("gpqa_diamond", ("0.87,", "0.55,"), ("87%,", "0.55,"), [0.87, 0.55, 0.0]),
        ("gpqa_diamond", ("0.87,", "0.55,"), ("0.87,", "55,"), [0.87, 0.0]),
        ("gpqa_diamond", ("0.87,", "0.55,"), ("0.87,", "inf,"), [0.87, 0.0]),
        ("aider_polyglot_external", ("88.0%", "51.6"), ("0.88", "0.516"), [88.0, 51.6]),
        ("aider_polyglot_external", ("51.6",), ("0.516",), [88.0, 51.6]),
    ],
)
def test_cells_in_other_units_do_not_move_the_rest_of_their_file(hub, stem, old, new, scores):
    text = FILES[stem]
    for before, after in zip(old, new, strict=True):
        text = text.replace(before, after, 1)
    (hub / f"{stem}.csv").write_text(text)
    cells = epoch_measurements(hub).cells
    mine = cells[cells["benchmark"] == stem.removesuffix("_external")]
    assert mine["score"].tolist() == pytest.approx(scores)


def test_a_score_beyond_its_range_is_named_and_other_units_are_said(hub):
    (hub / "gpqa_diamond.csv").write_text(GPQA.replace("0.55,", "55,"))
    (hub / "aider_polyglot_external.csv").write_text(
        AIDER.replace("88.0%", "0.88").replace("51.6", "0.516")
    )
    audit = epoch_measurements(hub).audit
    assert "claude-3-5-sonnet-20241022: 55" in audit.filter("cell-out-of-range").table.message[0]
    assert "multiplied by 100" in audit.filter("other-units").table.message[0]


def test_two_exports_in_one_folder_are_refused(hub):
    (hub / "old").mkdir()
    (hub / "old" / "gpqa_diamond.csv").write_text(GPQA.replace("0.87,", "0.7,"))
    with pytest.raises(DataError, match=r'"gpqa_diamond.csv", "old/gpqa_diamond.csv"'):
        epoch_measurements(hub)


def test_models_have_what_most_of_their_rows_say(hub):
    models = epoch_measurements(hub).models.set_index("model")
    row = models.loc["gpt-5_high"]
    assert (row["released"], row["provider"], row["flops"]) == ("2025-08-07", "OpenAI", 6.6e25)
    assert (row["family"], row["lineage"], row["effort"], row["reasoning"]) == (
        "gpt",
        "OpenAI",
        "high",
        1.0,
    )
    assert models.loc["claude-3-5-sonnet-20241022", "size_class"] == "medium"


def test_rows_without_a_version_are_counted(hub):
    (finding,) = epoch_measurements(hub).audit.filter("unnamed-rows")
    assert finding.message.startswith("1 rows without a version")


def test_a_zip_is_read_like_its_folder(hub, tmp_path):
    path = tmp_path / "hub.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for stem in FILES:
            archive.write(hub / f"{stem}.csv", f"benchmark_data/{stem}.csv")
    read = epoch_measurements(path)
    assert len(read.cells) == len(epoch_measurements(hub).cells)


def test_the_index_is_read_apart(hub):
    index = epoch_index(hub)
    assert index[["model", "index"]].values.tolist() == [["gpt-5_high", 150.0]]
    (hub / "epoch_capabilities_index.csv").unlink()
    with pytest.raises(DataError, match=r"no epoch_capabilities_index\.csv"):
        epoch_index(hub)


def test_wrong_paths_are_refused_with_what_to_give(hub, tmp_path):
    with pytest.raises(DataError, match="no such folder or zip"):
        epoch_measurements(tmp_path / "absent")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        epoch_measurements(hub / "gpqa_diamond.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no CSV or Parquet file in it"):
        epoch_measurements(tmp_path / "empty")
    (tmp_path / "empty" / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r'no file of Epoch.s hub in it.*"x\.csv"'):
        epoch_measurements(tmp_path / "empty")


def test_cells_that_are_no_numbers_are_named(hub):
    (hub / "mmlu_external.csv").write_text(MMLU.replace("0.88,", "high,"))
    (finding,) = epoch_measurements(hub).audit.filter("cell-unread")
    assert "claude-3-5-sonnet-20241022: high" in finding.message


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_hub_becomes_scores_with_features(hub):
    scores = read_epoch(hub)
    assert scores.n_observed == len(epoch_measurements(hub).cells)
    gpt = scores.dataset.sel(model="gpt-5_high")
    assert float(gpt["score"].sel(benchmark="aider_polyglot")) == pytest.approx(0.88)
    assert float(gpt["stderr"].sel(benchmark="gpqa_diamond")) == 0.02
    assert scores.benchmark_info["metr_time_horizons"].scale == "positive"


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/tables/epoch")
@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_whole_hub_is_read():
    read = epoch_measurements(SHARED)
    assert len(read.benchmarks) == 49 and not read.audit.filter("unknown-hub-file")
    assert (len(read.models), len(read.cells)) == (477, 2115)
    index = epoch_index(SHARED)
    assert len(index) == 263 and index["model"].is_unique  # 15 models have two rows
    assert index["model"].isin(read.models["model"]).mean() > 0.95
    assert len(read_epoch(SHARED).models) == 477


@pytest.mark.parametrize("beside", ["stderr", "Shots", "Samples", "Cost per task", "CI_low"])
def test_what_stands_beside_the_score_is_not_taken_for_it(tmp_path: Path, beside: str) -> None:
    text = f"Model version,{beside},EM,{ABOUT}\ngpt-5_high,0.05,0.9,2025-08-07,OpenAI,USA,,\n"
    (tmp_path / "mmlu_external.csv").write_text(text)
    assert cell(epoch_measurements(tmp_path), "gpt-5_high", "mmlu").score == 0.9


def test_standard_errors_with_and_without_a_percent_sign_are_of_one_unit(tmp_path: Path) -> None:
    text = "Model version,mean_score,stderr\ngpt-5_high,87%,2%\no3,0.6,0.03\n"
    (tmp_path / "gpqa_diamond.csv").write_text(text)
    read = epoch_measurements(tmp_path)
    assert cell(read, "gpt-5_high", "gpqa_diamond").stderr == pytest.approx(0.02)
    assert cell(read, "o3", "gpqa_diamond").stderr == pytest.approx(0.03)


def test_the_best_of_several_rows_is_the_lowest_where_lower_is_better(tmp_path: Path) -> None:
    text = "Model version,Error rate\ngpt-5_high,0.3\ngpt-5_high,0.1\no3,0.5\n"
    (tmp_path / "errors.csv").write_text(text)
    lower = {"errors": Benchmark(lower_is_better=True)}
    scores = read_epoch(tmp_path, repeats="best", benchmarks=lower)
    assert scores.to_frame().set_index("model").loc["gpt-5_high", "errors"] == 0.1
