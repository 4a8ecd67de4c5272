"""Result files of lm-evaluation-harness, in the layouts of its versions."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data.readers import HARNESS_TASKS, HarnessTask, harness_table, read_harness
from latentscale.errors import DataError, DataWarning

RECORDED = Path(__file__).parent / "recorded"
V1 = ["arc", "hellaswag", "mmlu", "truthfulqa", "winogrande", "gsm8k"]
V2 = ["ifeval", "bbh", "math_lvl5", "gpqa", "musr", "mmlu_pro"]


def results(folder: str) -> dict:
    (path,) = sorted((RECORDED / folder).rglob("results*.json"))
    return json.loads(path.read_text())["results"]


def scores_of(table: pd.DataFrame, model: str) -> pd.Series:
    return table[table["model"] == model].set_index("benchmark")["score"]


def write(folder: Path, document: object, name: str = "results_2025-01-01T00-00-00.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(model: str = "org/m-1b", **tasks: object) -> dict:
    return {"results": tasks, "model_name": model, "config": {"limit": None}}


ARC = {"acc,none": 0.3, "acc_norm,none": 0.35, "acc_norm_stderr,none": 0.01, "alias": "arc"}


def about(*models: str) -> pd.DataFrame:
    """Return minimal metadata for some models."""
    return pd.DataFrame({"model": models, "family": "m", "params_b": 1.0, "tokens_t": 1.0})


@pytest.fixture
def metadata() -> pd.DataFrame:
    names = ["pythia-160m", "EleutherAI/pythia-1b", "pythia-410m", "Pythia-1.4B"]
    sizes = [0.16, 1.0, 0.41, 1.4]
    return pd.DataFrame(
        {"model": names, "family": "pythia", "params_b": sizes, "tokens_t": 0.3, "notes": "x"}
    )


def test_the_parts_are_those_of_the_benchmarks() -> None:
    assert [len(parts) for parts in HARNESS_TASKS["mmlu"].parts] == [57, 57]
    assert len(HARNESS_TASKS["bbh"].parts[0]) == 24
    assert len(HARNESS_TASKS["math_lvl5"].parts[0]) == 7


def test_version_0_4_with_figures_of_groups() -> None:
    table = harness_table(RECORDED / "harness_0_4" / "EleutherAI__pythia-160m")
    raw = results("harness_0_4/EleutherAI__pythia-160m")
    scores = scores_of(table, "EleutherAI/pythia-160m")
    assert scores.index.tolist() == V2
    assert scores["bbh"] == raw["leaderboard_bbh"]["acc_norm,none"]
    assert scores["math_lvl5"] == raw["leaderboard_math_hard"]["exact_match,none"]
    assert scores["mmlu_pro"] == raw["leaderboard_mmlu_pro"]["acc,none"]
    strict = [raw["leaderboard_ifeval"][f"{k}_level_strict_acc,none"] for k in ("prompt", "inst")]
    assert scores["ifeval"] == pytest.approx(sum(strict) / 2)
    counted = table.set_index("benchmark")[["n_items", "n_shot"]]
    assert counted.loc["bbh"].tolist() == [5761, 3]
    assert counted.loc["ifeval"].tolist() == [541, 0]


def test_groups_without_a_figure_are_averaged_over_items() -> None:
    table = harness_table(RECORDED / "harness_0_4" / "EleutherAI__pythia-1b")
    raw = results("harness_0_4/EleutherAI__pythia-1b")
    assert "acc_norm,none" not in raw["leaderboard_gpqa"]
    items = {"diamond": 198, "extended": 546, "main": 448}
    right = sum(raw[f"leaderboard_gpqa_{k}"]["acc_norm,none"] * n for k, n in items.items())
    gpqa = table.set_index("benchmark").loc["gpqa"]
    # A whole number of correct answers, which no other weighting would give.
    assert gpqa["score"] * 1192 == pytest.approx(round(right), abs=1e-2)
    assert gpqa["n_items"] == 1192
    assert gpqa["task"] == "mean of 3 subtasks"


def test_version_0_3_and_the_archive_of_the_leaderboard() -> None:
    old = scores_of(harness_table(RECORDED / "harness_0_3"), "EleutherAI/pythia-410m")
    raw = results("harness_0_3")
    assert old.index.tolist() == [*V1, "boolq"]
    assert old["arc"] == raw["arc_challenge"]["acc_norm"]
    assert old["truthfulqa"] == raw["truthfulqa_mc"]["mc2"]
    subjects = [v["acc"] for k, v in raw.items() if k.startswith("hendrycksTest-")]
    assert old["mmlu"] == pytest.approx(np.mean(subjects))
    table = harness_table(RECORDED / "leaderboard_v1")
    archived, raw = scores_of(table, "EleutherAI/pythia-1.4b"), results("leaderboard_v1")
    assert archived.index.tolist() == V1
    assert archived["hellaswag"] == raw["harness|hellaswag|10"]["acc_norm"]
    assert archived["gsm8k"] == raw["harness|gsm8k|5"]["acc"]
    assert table.set_index("benchmark")["n_shot"].loc[["arc", "gsm8k"]].tolist() == [25, 5]


def test_scores_with_metadata(metadata: pd.DataFrame) -> None:
    before = metadata.copy()
    with pytest.warns(DataWarning, match="different numbers of examples"):
        scores = read_harness(RECORDED, metadata)
    pd.testing.assert_frame_equal(metadata, before)
    assert scores.models == tuple(
        f"EleutherAI/pythia-{size}" for size in ("1.4b", "160m", "1b", "410m")
    )
    assert set(scores.benchmarks) == {*V1, *V2, "boolq"}
    assert scores.n_observed == 25
    params = scores.dataset["params"].sel(model="EleutherAI/pythia-1.4b")
    assert float(params) == 1.4
    assert scores.benchmark_info["arc"].floor == 0.25
    assert scores.benchmark_info["boolq"].floor == 0.5
    codes = scores.audit.codes
    assert {"names-matched", "unknown-tasks", "mixed-shots", "floor-by-choices"} <= set(codes)
    assert '"boolq (acc)"' in scores.audit.filter("unknown-tasks").table()["message"][0]
    assert "leaderboard" not in scores.audit.filter("unknown-tasks").table()["message"][0]


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_metadata_give_any_feature_that_is_known(metadata: pd.DataFrame) -> None:
    scores = read_harness(RECORDED, metadata.assign(reasoning=[0, 1, 0, 1], provider="EleutherAI"))
    assert {"reasoning", "provider"} <= {feature.name for feature in scores.features}
    assert scores.dataset["reasoning"].sel(model="EleutherAI/pythia-1b") == 1
    assert '"notes" are not used' in scores.audit.filter("metadata-columns").table()["message"][0]


def test_models_without_metadata_are_named_or_left_out(metadata: pd.DataFrame) -> None:
    folder = RECORDED / "harness_0_4"
    part = metadata[metadata["model"] != "pythia-160m"]
    with pytest.raises(DataError, match=r'1 of 2 models.*"EleutherAI/pythia-160m".*drop_unmatched'):
        read_harness(folder, part)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = read_harness(folder, part, drop_unmatched=True)
    assert scores.models == ("EleutherAI/pythia-1b",)
    assert "metadata-missing" in scores.audit.codes
    with pytest.raises(DataError, match="no row is left"):
        read_harness(folder, metadata.assign(model=list("abcd")), drop_unmatched=True)
    with pytest.raises(DataError, match=r'does not say "family"'):
        read_harness(folder, metadata.drop(columns="family"))
    doubled = pd.concat([metadata, metadata.iloc[:1]])
    with pytest.raises(DataError, match='several rows: "pythia-160m"'):
        read_harness(folder, doubled)


def test_a_short_name_that_fits_two_models_fits_none(
    tmp_path: Path, metadata: pd.DataFrame
) -> None:
    write(tmp_path / "a", run("one/pythia-160m", arc_challenge=ARC))
    write(tmp_path / "b", run("two/pythia-160m", arc_challenge=ARC))
    with pytest.raises(DataError, match="2 of 2 models"):
        read_harness(tmp_path, metadata)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"model_name": "org/m"}, "org/m"),
        ({"config": {"model_args": "pretrained=org/m,dtype=auto"}}, "org/m"),
        ({"config": {"model_args": {"pretrained": "org/m", "dtype": "auto"}}}, "org/m"),
        ({"config": {"model_args": "pretrained=org/base,peft=org/lora"}}, "org/lora"),
        ({"config": {"model_args": "pretrained=org/m,revision=step3000"}}, "org/m@step3000"),
        ({"config": {"model_args": f"pretrained=org/m,revision={'0a' * 20}"}}, "org/m"),
        ({"config": {"model_args": "model=gpt-x,base_url=http://h/v1"}}, "gpt-x"),
        ({"config_general": {"model_name": "org/m"}}, "org/m"),
    ],
)
def test_where_the_model_is_named(tmp_path: Path, changed: dict, name: str) -> None:
    document = {"results": {"arc_challenge": ARC}, **changed}
    assert harness_table(write(tmp_path, document))["model"].tolist() == [name]


def test_files_of_another_name_are_read_beside_those_called_results(tmp_path: Path) -> None:
    write(tmp_path, run(arc_challenge=ARC), "mine_2025-01-01T00-00-00.json")
    assert harness_table(tmp_path)["model"].tolist() == ["org/m-1b"]
    other = {**ARC, "acc_norm,none": 0.4}
    write(tmp_path / "deep", run("org/other", arc_challenge=other))
    write(tmp_path, {"tokenizer": 1}, "config.json")
    write(tmp_path / ".ipynb_checkpoints", run("org/copy", arc_challenge=ARC))
    assert harness_table(tmp_path)["model"].tolist() == ["org/m-1b", "org/other"]
    assert "config.json" in str(read_harness(tmp_path, about("m-1b", "other")).audit)


def test_the_latest_run_counts(tmp_path: Path) -> None:
    for hour, value in ((9, 0.4), (11, 0.5), (10, 0.6)):
        entry = {**ARC, "acc_norm,none": value}
        write(tmp_path, run(arc_challenge=entry), f"results_2025-01-01T{hour:02d}-00-00.1.json")
    write(tmp_path / "more", {**run(winogrande={"acc,none": 0.7}), "date": 1.0}, "results.json")
    table = harness_table(tmp_path)
    assert table["score"].tolist() == [0.5, 0.7]
    only = pd.DataFrame(
        {"model": ["org/m-1b"], "family": ["m"], "params_b": [1.0], "tokens_t": [1.0]}
    )
    audit = read_harness(tmp_path, only).audit
    assert "2 scores of earlier runs" in audit.filter("superseded-run").table["message"][0]


def test_other_figures_are_read_when_asked_for(tmp_path: Path) -> None:
    gsm8k = {"exact_match,strict-match": 0.5, "exact_match,flexible-extract": 0.6}
    human = {"pass@1,create_test": 0.3, "pass@1_stderr,create_test": 0.03}
    write(tmp_path, run(gsm8k=gsm8k, humaneval=human))
    with pytest.warns(DataWarning, match="humaneval"):
        assert harness_table(tmp_path)["score"].tolist() == [0.5, 0.3]
    tasks = {
        "gsm8k": HarnessTask(("gsm8k",), ("exact_match,flexible-extract",)),
        "humaneval": HarnessTask(("humaneval",), ("pass@1,create_test",)),
    }
    table = harness_table(tmp_path, tasks=tasks)
    assert table["score"].tolist() == [0.6, 0.3]
    assert table["metric"].tolist() == ["exact_match,flexible-extract", "pass@1,create_test"]


def test_item_counts_of_unknown_benchmarks_come_from_the_files(tmp_path: Path) -> None:
    for size in (1, 7):
        document = run(f"org/m-{size}b", boolq={"acc,none": 0.5 + size / 100})
        document["n-samples"] = {"boolq": {"original": 3270, "effective": 3270}}
        write(tmp_path / str(size), document)
    metadata = pd.DataFrame(
        {"model": ["m-1b", "m-7b"], "family": "m", "params_b": [1.0, 7.0], "tokens_t": 1.0}
    )
    tasks = {"boolq": HarnessTask(("boolq",), ("acc",))}
    scores = read_harness(tmp_path, metadata, tasks=tasks)
    assert scores.benchmark_info["boolq"].n_items == 3270


def test_cut_and_partial_runs_are_warned_of(tmp_path: Path) -> None:
    document = run(arc_challenge=ARC)
    document["n-samples"] = {"arc_challenge": {"original": 1172, "effective": 100}}
    write(tmp_path, document)
    with pytest.warns(DataWarning, match=r"cut short by --limit \(100 of 1172 items\)"):
        assert harness_table(tmp_path)["n_items"].tolist() == [100]
    subject = {"mmlu_anatomy": {"acc,none": 0.4}, "arc_challenge": ARC}
    write(tmp_path, run(**subject))
    with pytest.warns(DataWarning, match=r"1 of 57 subtasks.*abstract_algebra"):
        assert harness_table(tmp_path)["benchmark"].tolist() == ["arc"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"results": {"arc', "not JSON"),
        ([1], 'no "results"'),
        ({"results": {"arc_challenge": ARC}}, "names no model"),
        (run(arc_challenge={"acc,none": 0.3}), r'no figure "acc_norm"; it has "acc,none"'),
        (run(ifeval={"prompt_level_strict_acc,none": 0.3}), "no complete figure"),
        (run(wikitext={"word_perplexity,none": 20.1}), r"wikitext \(word_perplexity\)"),
        (run(**{"a\ud800b": ARC}), "half a surrogate pair"),
        (run("org/m\x00", arc_challenge=ARC), "control character"),
        ('{"results":' + "[" * 200_000, "nested too deeply"),
        ('{"results": {"arc_challenge": {"acc": ' + "9" * 400, "not JSON"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, document: object, said: str) -> None:
    write(tmp_path, document)
    with pytest.raises(DataError, match=said) as error:
        harness_table(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_folders_without_result_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no result file"):
        harness_table(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        harness_table(tmp_path / "absent")
    with pytest.raises(DataError, match="must be a HarnessTask"):
        harness_table(RECORDED, tasks={"x": "acc"})  # type: ignore[dict-item]
    with pytest.raises(DataError, match="tuple of names"):
        HarnessTask("arc", ("acc",))  # type: ignore[arg-type]


def test_known_features_of_the_metadata_are_no_scores_when_rows_are_set_aside(tmp_path) -> None:
    for name in ("a", "b"):
        write(tmp_path, run(name, arc_challenge=ARC), f"results_{name}.json")
    rows = about("a", "b").assign(params_b=10.0, active_params_b=[3.0, None], provider=["x", None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        scores = read_harness(tmp_path, rows, set_aside=True)
    assert scores.models == ("a", "b")
    assert not scores.audit.filter("set-aside")
