"""One call reads any published source, recognised by its files."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from latentscale.data import Scores
from latentscale.data.readers import read_scores
from latentscale.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
CONTENTS = Path(__file__).parent / "recorded" / "leaderboard_contents.csv"


def test_the_leaderboard_s_table_is_known_by_its_columns():
    assert "Qwen/Qwen2-7B" in read_scores(CONTENTS).models


def test_a_folder_of_the_hub_is_known(tmp_path):
    about = "Release date,Organization,Training compute (FLOP)"
    for name, score in (("mmlu_external", "EM"), ("gpqa_diamond", "mean_score")):
        rows = f"Model version,{score},{about}\nclaude-2,0.7,2023-07-11,Anthropic,\n"
        (tmp_path / f"{name}.csv").write_text(f"{rows}gpt-4-0314,0.8,2023-03-14,OpenAI,2e25\n")
    assert read_scores(tmp_path).benchmarks == ("gpqa_diamond", "mmlu")


def test_a_folder_of_benchpress_is_known(tmp_path):
    (tmp_path / "models.csv").write_text("model_id,provider\na-1,x\na-2,x\n")
    rows = "model_id,benchmark_id,score\na-1,gpqa_main,30\na-2,gpqa_main,40\n"
    (tmp_path / "scores.csv").write_text(rows)
    assert read_scores(tmp_path).models == ("a-1", "a-2")


def test_livebench_is_known_by_the_names_of_its_files(tmp_path):
    path = tmp_path / "table_2025_05_30.csv"
    path.write_text("model,connections,typos\na-1,30,20\na-2,40,31.5\n")
    assert read_scores(path).n_observed == read_scores(tmp_path).n_observed == 4


def test_a_table_of_scores_is_read_as_before(tmp_path, table):
    table.to_csv(tmp_path / "scores.csv", index=False)
    assert read_scores(tmp_path / "scores.csv").benchmarks == ("mmlu", "gsm8k")


def test_a_folder_of_the_harness_is_known_and_models_are_read_from_names(tmp_path):
    for place, name in enumerate(("EleutherAI/pythia-1b", "EleutherAI/pythia-410m")):
        document = {"results": {"arc_challenge": {"acc_norm,none": 0.3}}, "model_name": name}
        path = tmp_path / f"results_2025-01-0{place + 1}T00-00-00.json"
        path.write_text(json.dumps(document))
    scores = read_scores(tmp_path)
    assert scores.families == ("pythia-0.41b", "pythia-1b")
    assert scores.dataset["params"].to_series().tolist() == [1.0, 0.41]
    assert "families-guessed" in scores.audit.codes


def test_a_folder_that_no_reader_knows_says_which_are(tmp_path):
    with pytest.raises(DataError, match=r"no reader knows this folder. Known are a table"):
        read_scores(tmp_path)


@pytest.mark.parametrize("source", ["benchpress", "epoch", "livebench"])
def test_parquet_is_read_wherever_a_source_has_csv(source: str, tmp_path: Path) -> None:
    texts = {
        "benchpress": {
            "models": "model_id,provider\ngpt-5,OpenAI\nllama-3.2-1b,Meta\n",
            "scores": "model_id,benchmark_id,score\ngpt-5,hle,20.5\nllama-3.2-1b,hle,3\n",
        },
        "epoch": {
            "gpqa_diamond": "Model version,mean_score,Release date\ngpt-5,0.8,2025-08-07\n"
            "claude-3-opus,0.5,2024-03-04\n",
        },
        "livebench": {"table_2025_05_30": "model,typos,zebra_puzzle\ngpt-5,70,80\no3,60,\n"},
    }[source]
    read = []
    for ending in (".csv", ".parquet"):
        folder = tmp_path / ending[1:]
        folder.mkdir()
        for stem, text in texts.items():
            if ending == ".csv":
                (folder / f"{stem}.csv").write_text(text, encoding="utf-8")
            else:
                pd.read_csv(StringIO(text)).to_parquet(folder / f"{stem}.parquet")
        read.append(read_scores(folder))
    assert read[0].dataset.equals(read[1].dataset)
    assert read[0].n_observed >= 2


def test_sources_apart_says_which_benchmarks_nobody_described():
    long = pd.DataFrame({"model": ["a", "b", "c"] * 2, "family": "f", "source": "x"})
    long = long.assign(benchmark=["MMLUU"] * 3 + ["quiz"] * 3, score=[0.5, 0.6, 0.7, 0.4, 0.3, 0.5])
    for sources in ("merged", "apart"):
        audit = Scores.from_long(long, sources=sources).audit
        assert [f.where for f in audit.filter("near-known-benchmark")] == ["MMLUU"]
        assert [f.where for f in audit.filter("unknown-benchmark")] == ["quiz"]


def apart_of(*rows: tuple[str, float, str]) -> Scores:
    frame = pd.DataFrame(rows, columns=["model", "score", "source"])
    return Scores.from_long(frame.assign(family="f", benchmark="quiz"), sources="apart")


def test_sources_apart_leave_out_copies_of_another_source():
    scores = apart_of(
        ("a", 0.5, "hub"),
        ("a", 0.5, "lab"),
        ("b", 0.6, "lab"),
        ("c", 0.7, "lab"),
        ("b", 0.4, "hub"),
    )
    wide = scores.to_frame().set_index("model")
    assert wide["quiz"].tolist() == [0.5, 0.6, 0.7]
    assert wide["quiz (hub)"].dropna().to_dict() == {"b": 0.4}
    (said,) = scores.audit.filter("sources-copied")
    assert said.level == "info" and "1 score repeats" in said.message
    assert '"a" on "quiz" by "hub"' in said.message


def test_a_score_that_stays_takes_the_error_that_only_its_copy_states():
    rows = [("a", 0.5, "lab", None), ("a", 0.5, "hub", 0.04), ("b", 0.6, "lab", 0.03)]
    rows += [("c", 0.7, "lab", None), ("b", 0.4, "hub", None)]
    frame = pd.DataFrame(rows, columns=["model", "score", "source", "stderr"])
    frame = frame.assign(family="f", benchmark="quiz").set_index(pd.Index([7, 7, 8, 9, 9]))
    error = Scores.from_long(frame, sources="apart").dataset["stderr"]
    assert error.sel(benchmark="quiz").dropna("model").to_series().to_dict() == {
        "a": 0.04,
        "b": 0.03,
    }
    assert error.sel(benchmark="quiz (hub)").isnull().all()


def test_copies_are_left_out_of_tables_that_were_joined():
    columns = ["model", "score"]
    lab = pd.DataFrame([("a", 0.5), ("b", 0.6), ("c", 0.7)], columns=columns)
    hub = pd.DataFrame([("b", 0.4), ("a", 0.5)], columns=columns)
    both = pd.concat([lab.assign(source="lab"), hub.assign(source="hub")])  # rows 0, 1 twice
    scores = Scores.from_long(both.assign(family="f", benchmark="quiz"), sources="apart")
    wide = scores.to_frame().set_index("model")
    assert wide["quiz"].to_dict() == {"a": 0.5, "b": 0.6, "c": 0.7}
    assert wide["quiz (hub)"].dropna().to_dict() == {"b": 0.4}


def test_a_source_that_only_repeats_another_stays_and_is_warned_of():
    scores = apart_of(("a", 0.5, "lab"), ("a", 0.5, "hub"), ("b", 0.6, "lab"))
    assert scores.n_observed == 3
    (said,) = scores.audit.filter("sources-copied")
    assert said.level == "warning" and '"quiz (hub)"' in said.message


def test_two_rows_of_one_source_are_refused_where_sources_are_apart():
    with pytest.raises(DataError, match="has 2 rows"):
        apart_of(("a", 0.5, "lab"), ("a", 0.5, "lab"), ("a", 0.6, "hub"))
