"""Several runs of one model in a folder: which one counts, how runs combine, what is reported."""

from __future__ import annotations

import json
import math
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytest

from latentscale.data import Benchmark, Scores
from latentscale.data.readers import HarnessTask, harness_table, join_metadata, read_harness
from latentscale.data.readers.harness.settings import settings_of, settings_text
from latentscale.declare import ModelSpec, load_spec, spec_from_dict
from latentscale.errors import DataError, DataWarning, SpecError
from latentscale.model.build import build
from latentscale.model.design import design

MUSR = [
    f"leaderboard_musr_{p}" for p in ("murder_mysteries", "object_placements", "team_allocation")
]


def put(folder: Path, day: int, model: str = "acme/a-1b", **more: object) -> Path:
    """Write a result file of version 0.4: `tasks` are its results, the rest is added to it."""
    empty = {"model_args": "", "limit": None, "gen_kwargs": None}
    config = {key: more.pop(key, value) for key, value in empty.items()}
    document = {"results": more.pop("tasks"), "model_name": model, "config": config, **more}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"results_2024-01-{day:02d}T00-00-00.1.json"
    path.write_text(json.dumps(document))
    return path


def counts(**done_of: tuple[int, int]) -> dict:
    return {task: {"effective": d, "original": n} for task, (d, n) in done_of.items()}


def arc(value: object) -> dict:
    return {"arc_challenge": {"acc_norm,none": value}}


def about(*models: str) -> pd.DataFrame:
    families = [chr(ord("f") + i) for i in range(len(models))]
    return pd.DataFrame({"model": models, "family": families, "params_b": 1.0, "tokens_t": 1.0})


def quiet(folder: Path, **more: object) -> pd.DataFrame:
    """Read a folder that gives no warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return harness_table(folder, **more)  # type: ignore[arg-type]


def test_most_scores_of_a_model_decide_on_the_chat_template(tmp_path: Path) -> None:
    gsm8k = "exact_match,strict-match"
    put(tmp_path / "a", 1, tasks={**arc(0.35), "gsm8k": {gsm8k: 0.5}})
    put(tmp_path / "b", 2, tasks={"gsm8k": {gsm8k: 0.02}}, chat_template="{{ m }}")
    with pytest.warns(DataWarning, match="1 with chat template for no chat template"):
        table = harness_table(tmp_path)
    assert table["score"].tolist() == [0.35, 0.5]
    assert set(table["settings"]) == {"no chat template"}


def test_scores_of_both_kinds_are_named_where_nothing_else_is_there(tmp_path: Path) -> None:
    put(tmp_path / "a", 1, tasks=arc(0.35))
    put(tmp_path / "b", 2, tasks={"winogrande": {"acc,none": 0.6}}, chat_template="{{ m }}")
    with pytest.warns(DataWarning, match='Both are in the scores of "acme/a-1b"'):
        table = harness_table(tmp_path)
    assert table["settings"].tolist() == ["no chat template", "chat template"]


@pytest.mark.parametrize(
    "arguments",
    [
        "pretrained=acme/a-1b,load_in_4bit=True",
        {"pretrained": "acme/a-1b", "load_in_8bit": True},
        "pretrained=acme/a-1b,autogptq=True",
        "pretrained=acme/a-1b,quantization=awq",
    ],
)
def test_a_quantised_run_gives_way_even_if_it_is_later(tmp_path: Path, arguments: object) -> None:
    put(tmp_path, 1, tasks=arc(0.5))
    put(tmp_path, 2, tasks={**arc(0.4), "winogrande": {"acc,none": 0.6}}, model_args=arguments)
    with pytest.warns(DataWarning, match="quantised"):
        assert harness_table(tmp_path)["score"].tolist() == [0.5, 0.6]


def test_models_with_and_without_a_template_are_warned_of(tmp_path: Path) -> None:
    put(tmp_path / "a", 1, tasks=arc(0.35))
    put(tmp_path / "b", 1, "acme/b-1b", tasks=arc(0.45), chat_template_sha="1f")
    with pytest.warns(DataWarning, match="chat template: 1 scores of 1 models"):
        harness_table(tmp_path)


def test_the_whole_run_counts_and_nothing_is_said_of_the_smoke_test(tmp_path: Path) -> None:
    cut = {"n-samples": counts(arc_challenge=(10, 1172)), "limit": 10}
    whole = {"n-samples": counts(arc_challenge=(1172, 1172))}
    put(tmp_path, 1, tasks=arc(0.5), **cut)
    put(tmp_path, 2, tasks=arc(0.35), **whole)
    put(tmp_path, 3, tasks=arc(0.6), **cut)
    put(tmp_path, 4, tasks={MUSR[0]: {"acc_norm,none": 0.4}})
    put(tmp_path, 5, tasks={part: {"acc_norm,none": 0.5} for part in MUSR})
    assert quiet(tmp_path)["score"].tolist() == [0.35, 0.5]


@pytest.mark.parametrize(
    ("limit", "items"), [(5000.0, 1319), ("5000", 1319), (100, 100), (0.1, 132), (None, None)]
)
def test_a_limit_without_counts_gives_the_items_of_the_benchmark(
    tmp_path: Path, limit: object, items: float | None
) -> None:
    put(tmp_path, 1, tasks={"gsm8k": {"exact_match,strict-match": 0.3}}, limit=limit)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        (benchmark,) = harness_table(tmp_path)["n_items"]
    assert math.isnan(benchmark) if items is None else benchmark == items
    assert ("cut short" in str([w.message for w in seen])) == (items in (100, 132))


def test_item_counts_are_kept_by_score(tmp_path: Path) -> None:
    boolq = {"boolq": {"acc,none": 0.7}}
    cut = counts(arc_challenge=(100, 1172), boolq=(100, 3270))
    whole = counts(arc_challenge=(1172, 1172), boolq=(3270, 3270))
    put(tmp_path / "a", 1, "acme/a", tasks={**arc(0.4), **boolq}, **{"n-samples": cut})
    put(tmp_path / "b", 1, "acme/b", tasks={**arc(0.5), **boolq}, **{"n-samples": whole})
    with pytest.warns(DataWarning, match=r"2 scores are noisier.*\(100 of 1172 items\)"):
        scores = read_harness(tmp_path, about("a", "b"))
    assert scores.benchmark_info["boolq"].n_items == 3270
    assert scores.item_counts.values.tolist() == [[100, 100], [1172, 3270]]
    assert scores.select(models=["acme/a"]).item_counts.values.tolist() == [[100, 100]]


def test_subtasks_that_were_run_one_by_one_are_one_benchmark(tmp_path: Path) -> None:
    sizes = dict(zip(MUSR, (250, 256, 250), strict=True))
    for day, (part, size) in enumerate(sizes.items(), 1):
        tasks = {part: {"acc_norm,none": day / 10}}
        put(tmp_path, day, tasks=tasks, **{"n-samples": counts(**{part: (size, size)})})
    (row,) = quiet(tmp_path).to_dict("records")
    assert row["score"] == pytest.approx((25 + 51.2 + 75) / 756)
    assert row["n_items"] == 756
    assert row["file"].count("results_") == 3


def test_entries_of_bookkeeping_are_no_figures(tmp_path: Path) -> None:
    flan = {
        "flan": {"alias": "flan", "sample_len": 200},
        "flan_a": {"name": "flan_a", "sample_len": 150, "exact_match,strict-match": 0.5},
        "flan_b": {"name": "flan_b", "sample_len": 50, "exact_match,strict-match": 0.9},
    }
    items = {"n-samples": counts(flan_a=(150, 150), flan_b=(50, 50))}
    put(tmp_path, 1, tasks=flan, **items)
    task = HarnessTask(("flan",), ("exact_match,strict-match",), parts=(("flan_a", "flan_b"),))
    assert quiet(tmp_path, tasks={"flan": task})["score"].tolist() == pytest.approx([0.6])


def test_unknown_tasks_are_benchmarks_and_unbounded_metrics_are_named(tmp_path: Path) -> None:
    tasks = {
        "boolq": {"acc,none": 0.7, "acc_stderr,none": 0.01},
        "piqa": {"acc,none": 0.7, "acc_norm,none": 0.75},
        "humaneval": {"pass@1,create_test": 0.2},
        "mmlu_pro": {"exact_match,custom-extract": 0.3},
        "wikitext": {"word_perplexity,none": 20.0, "bits_per_byte,none": 0.8},
        "squad": {"f1,none": 55.0},
        "wer": {"acc,none": 0.2},
    }
    put(tmp_path, 1, tasks=tasks, higher_is_better={"wer": {"acc": False}})
    with pytest.warns(DataWarning) as seen:
        scores = read_harness(tmp_path, about("a-1b"), benchmarks={"boolq": Benchmark(0.5)})
    row = scores.to_frame().iloc[0]
    read = {"boolq": 0.7, "piqa": 0.75, "humaneval": 0.2, "mmlu_pro (harness task)": 0.3}
    assert row[list(read)].to_dict() == read
    assert set(scores.benchmarks) == set(read)
    floors = {"boolq": 0.5, "piqa": 0.5, "humaneval": 0.0, "mmlu_pro (harness task)": 0.0}
    assert {name: scores.benchmark_info[name].floor for name in read} == floors
    (guessed,) = (f for f in scores.audit.findings if f.code == "floor-by-choices")
    assert guessed.level == "info"
    assert '"piqa (0.5)"' in guessed.message
    text = str(seen[0].message)
    for said in ("3 tasks were left out", "wikitext (word_perplexity, bits_per_byte)", "squad"):
        assert said in text
    assert 'taken with floor 0: "humaneval", "mmlu_pro (harness task)"' in text


def test_groups_of_one_kind_are_one_benchmark_and_suites_are_none(tmp_path: Path) -> None:
    names = ["xnli_de", "xnli_fr", "piqa", "sciq"]
    tasks = {name: {"acc,none": 0.4} for name in names}
    tasks |= {"xnli": {"acc,none": 0.45}, "suite": {"acc,none": 0.43}}
    put(tmp_path, 1, tasks=tasks, group_subtasks={"suite": names[2:], "xnli": names[:2]})
    # One score of piqa is below the guessing floor, so that floor is not used.
    with pytest.warns(DataWarning, match='taken with floor 0: "piqa"'):
        table = harness_table(tmp_path)
    assert table.set_index("benchmark")["score"].to_dict() == {
        "piqa": 0.4,
        "sciq": 0.4,
        "xnli": 0.45,
    }


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None, "nan", "0.5", True, 10**400])
def test_figures_that_are_not_finite_are_named_and_another_run_counts(
    tmp_path: Path, bad: object
) -> None:
    put(tmp_path, 1, tasks=arc(0.35))
    path = put(tmp_path, 2, tasks={**arc("BAD"), "winogrande": {"acc,none": "BAD"}})
    written = str(bad) if bad == 10**400 else json.dumps(bad)
    path.write_text(path.read_text().replace('"BAD"', written))
    with pytest.warns(DataWarning, match="1 scores are left out.*winogrande.*from another run"):
        table = harness_table(tmp_path)
    assert table[["benchmark", "score"]].values.tolist() == [["arc", 0.35]]


def test_runs_without_a_date_are_named_where_they_differ(tmp_path: Path) -> None:
    for name, value in (("new", 0.9), ("old", 0.1)):
        (tmp_path / name).mkdir()
        results = {"arc_challenge": {"acc_norm": value}, "hellaswag": {"acc_norm": 0.5}}
        document = {"results": results, "config": {"model_args": "pretrained=acme/a-1b"}}
        (tmp_path / name / "results.json").write_text(json.dumps(document))
    with pytest.warns(DataWarning, match=r"1 scores were passed over without a date.*0.1 of .*old"):
        table = harness_table(tmp_path)
    assert table["score"].tolist() == [0.1, 0.5]


def test_a_model_s_folder_may_end_in_a_slash(tmp_path: Path) -> None:
    put(tmp_path, 1, "/ckpt/zeta-1b/", tasks=arc(0.35))
    with pytest.raises(DataError, match="1 of 1 models have no row"):
        read_harness(tmp_path, about("/ckpt/omega-70b/"))
    assert read_harness(tmp_path, about("zeta-1b", "/x/omega/")).families == ("f",)


@pytest.mark.parametrize(
    ("model", "known", "same"),
    [
        ("/ckpt/zeta/final", "/ckpt/omega/final", False),
        ("/ckpt/zeta/checkpoint-1000", "omega/checkpoint-1000", False),
        ("/ckpt/zeta/final/", "zeta/final", True),
        ("/", "/ckpt/omega/", False),
        ("EleutherAI/pythia-1b", "Pythia-1B", True),
        ("C:\\ckpt\\zeta-1b\\", "zeta-1b", True),
    ],
)
def test_names_of_folders_do_not_join_other_models(model: str, known: str, same: bool) -> None:
    wide = pd.DataFrame({"model": [model], "arc": [0.4]})
    metadata = about(known, "other")
    if same:
        joined, _ = join_metadata(wide, metadata)
        assert joined["family"].tolist() == ["f"]
    else:
        with pytest.raises(DataError, match="1 of 1 models have no row"):
            join_metadata(wide, metadata)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, encoding: str) -> None:
    path = put(tmp_path, 1, tasks=arc(0.35))
    path.write_text(path.read_text(), encoding=encoding)
    assert quiet(tmp_path)["score"].tolist() == [0.35]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.json")
    for asked in (tmp_path, tmp_path / "results.json"):
        with pytest.raises(DataError, match="not a regular file"):
            harness_table(asked)


@pytest.fixture
def cut_scores(tmp_path: Path) -> Scores:
    """Two models on ARC, the first on only 10 items."""
    cut = {"n-samples": counts(arc_challenge=(10, 1172))}
    put(tmp_path / "a", 1, "acme/a", tasks=arc(0.0), **cut)
    put(tmp_path / "b", 1, "acme/b", tasks=arc(1.0))
    with pytest.warns(DataWarning, match="noisier"):
        return read_harness(tmp_path, about("a", "b"))


def test_exact_scores_are_pulled_inside_by_half_an_item_of_their_own(cut_scores: Scores) -> None:
    cells = design(load_spec("pooled_flops"), cut_scores)
    assert cells.score_of_cell.tolist() == [0.05, 1 - 0.5 / 1172]


def counting() -> ModelSpec:
    slopes = {"slopes": ["log_flops"], "likelihood": {"kind": "beta-binomial"}}
    pieces = {"skills": {"count": 0}, "family": {"level": "none"}, "benchmarks": slopes}
    return spec_from_dict({"name": "counting", **pieces})


def test_counts_of_a_cut_run_reach_the_likelihood(cut_scores: Scores) -> None:
    drawn = pm.draw(build(counting(), cut_scores)["score"], 50, random_seed=1, mode="FAST_COMPILE")
    right = drawn * [10, 1172]
    assert np.allclose(right, np.round(right))
    assert not np.allclose(drawn[:, 1] * 10, np.round(drawn[:, 1] * 10))


def test_a_score_of_one_item_counts_nothing(cut_scores: Scores) -> None:
    one = cut_scores.dataset.assign(cell_items=cut_scores.dataset["cell_items"] / 10)
    with pytest.raises(SpecError, match='unknown or 1 for "arc"'):
        build(counting(), Scores(one))


def test_standard_errors_are_kept_by_score(tmp_path: Path) -> None:
    figures = {"acc_norm,none": 0.35, "acc_norm_stderr,none": 0.014, "acc_stderr,none": 0.02}
    put(tmp_path, 1, tasks={"arc_challenge": figures, "winogrande": {"acc,none": 0.6}})
    table = quiet(tmp_path).set_index("benchmark")
    assert table.loc["arc", "stderr"] == 0.014
    assert math.isnan(table.loc["winogrande", "stderr"])


def test_the_standard_error_of_a_mean_of_subtasks_follows_from_theirs(tmp_path: Path) -> None:
    one = {"acc_norm,none": 0.4, "acc_norm_stderr,none": 0.03}
    samples = counts(**dict(zip(MUSR, [(100, 100), (100, 100), (200, 200)], strict=True)))
    put(tmp_path, 1, tasks=dict.fromkeys(MUSR, one), **{"n-samples": samples})
    (row,) = quiet(tmp_path).itertuples()
    assert row.stderr == pytest.approx(0.03 * math.sqrt(0.25**2 + 0.25**2 + 0.5**2))


def test_a_standard_error_of_zero_or_none_is_missing(tmp_path: Path) -> None:
    for day, error in enumerate((0, "N/A"), start=1):
        entry = {"acc_norm,none": 0.0, "acc_norm_stderr,none": error}
        put(tmp_path, day, f"acme/m{day}", tasks={"arc_challenge": entry})
    assert quiet(tmp_path)["stderr"].isna().all()


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_each_number_of_attempts_is_a_benchmark(tmp_path: Path) -> None:
    attempts = {"pass@1,create_test": 0.3, "pass@10,create_test": 0.6, "pass@100,create_test": 0.8}
    put(tmp_path, 1, tasks={"humaneval": attempts, "mbpp": {"pass_at_1,none": 0.2}})
    scores = harness_table(tmp_path).set_index("benchmark")["score"].to_dict()
    assert scores == {
        "humaneval": 0.3,
        "humaneval pass@10": 0.6,
        "humaneval pass@100": 0.8,
        "mbpp": 0.2,
    }
    info = read_harness(tmp_path, about("acme/a-1b")).benchmark_info
    groups = {name: one.group for name, one in info.items()}
    assert groups == {n: "humaneval" if "humaneval" in n else "" for n in scores}
    assert {name: one.task for name, one in info.items()} == groups
    assert [one.attempts for one in info.values()] == [1, 10, 100, 1]


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_checkpoints_have_the_tokens_of_their_step(tmp_path: Path) -> None:
    for day, step in enumerate((1000, 143000), start=1):
        args = f"pretrained=EleutherAI/pythia-1b,revision=step{step}"
        put(tmp_path, day, "EleutherAI/pythia-1b", tasks=arc(0.25 + day / 100), model_args=args)
    metadata = about("pythia-1b")
    scores = read_harness(tmp_path, metadata, tokens_per_step=2_097_152)
    tokens = scores.dataset["tokens"].to_series()
    assert tokens["EleutherAI/pythia-1b@step143000"] == pytest.approx(0.299892736)
    assert set(scores.families) == {"f"}
    with pytest.raises(DataError, match="2 of 2 models have no row in the metadata"):
        read_harness(tmp_path, metadata)


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_standard_errors_reach_the_scores(tmp_path: Path) -> None:
    for day, name in enumerate(("acme/a-1b", "acme/b-1b", "acme/c-1b"), start=1):
        figures = {"acc_norm,none": 0.3 + day / 10, "acc_norm_stderr,none": 0.01 * day}
        put(tmp_path, day, name, tasks={"arc_challenge": figures, "winogrande": {"acc,none": 0.6}})
    some = about("acme/a-1b", "acme/b-1b")
    scores = read_harness(tmp_path, some, drop_unmatched=True)
    errors = scores.dataset["stderr"].sel(benchmark="arc").to_series()
    assert errors.to_dict() == {"acme/a-1b": 0.01, "acme/b-1b": 0.02}
    assert scores.dataset["stderr"].sel(benchmark="winogrande").isnull().all()


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_without_metadata_a_run_of_checkpoints_is_a_family(tmp_path: Path) -> None:
    for day, step in enumerate((1000, 2000), start=1):
        args = f"pretrained=EleutherAI/pythia-1b,revision=step{step}"
        put(tmp_path, day, "EleutherAI/pythia-1b", tasks=arc(0.25 + day / 100), model_args=args)
    put(tmp_path, 3, "EleutherAI/pythia-410m", tasks=arc(0.24))
    scores = read_harness(tmp_path, tokens_per_step=1e6)
    assert set(scores.families) == {"EleutherAI/pythia-1b", "pythia-0.41b"}
    assert set(scores.dataset["lineage"].to_series()) == {"pythia"}
    tokens = scores.dataset["tokens"].to_series()
    assert tokens["EleutherAI/pythia-1b@step2000"] == pytest.approx(0.002)
    assert math.isnan(tokens["EleutherAI/pythia-410m"])


def test_two_system_instructions_are_two_settings(tmp_path: Path) -> None:
    put(tmp_path, 1, tasks=arc(0.5), system_instruction="Be brief.")
    put(tmp_path, 2, tasks=arc(0.9), system_instruction="Think hard.")
    with pytest.warns(DataWarning, match="under other settings were passed over"):
        harness_table(tmp_path)


@pytest.mark.parametrize(
    ("given", "sampled"),
    [
        ({"temperature": 0.7, "do_sample": True}, "sampled answers at temperature 0.7"),
        ("temperature=0.7,do_sample=True", "sampled answers at temperature 0.7"),
        ("do_sample=true", "sampled answers"),
        ({"temperature": 1}, "sampled answers at temperature 1"),
        ({"temperature": 1, "do_sample": False}, "no chat template"),
        ("temperature=0", "no chat template"),
        ("max_gen_toks=2048", "no chat template"),
        ({"temperature": "warm"}, "no chat template"),
        (None, "no chat template"),
    ],
)
def test_sampled_answers_are_a_setting(given, sampled) -> None:
    assert settings_text(settings_of({"config": {"gen_kwargs": given}}, {})) == sampled


def test_a_run_with_sampled_answers_replaces_no_greedy_one_in_silence(tmp_path: Path) -> None:
    put(tmp_path, 1, tasks=arc(0.5))
    put(tmp_path, 2, tasks=arc(0.9), gen_kwargs="temperature=1,do_sample=True")
    with pytest.warns(DataWarning, match="sampled answers at temperature 1"):
        harness_table(tmp_path)


def test_checkpoints_in_subfolders_are_models_of_their_own(tmp_path: Path) -> None:
    for day, folder in ((1, "step100"), (2, "step200")):
        put(
            tmp_path,
            day,
            tasks=arc(day / 10),
            model_args=f"pretrained=acme/a-1b,subfolder={folder}",
        )
    table = quiet(tmp_path).set_index("model")["score"]
    assert table.to_dict() == {"acme/a-1b@step100": 0.1, "acme/a-1b@step200": 0.2}


def test_an_adapter_is_not_the_model_that_it_adapts(tmp_path: Path) -> None:
    put(tmp_path, 1, tasks=arc(0.3), model_args="pretrained=acme/a-1b")
    put(tmp_path, 2, tasks=arc(0.7), model_args="pretrained=acme/a-1b,lora_local_path=me/lora/")
    assert quiet(tmp_path).set_index("model")["score"].to_dict() == {
        "acme/a-1b": 0.3,
        "me/lora": 0.7,
    }


def test_another_number_of_examples_is_said(tmp_path: Path) -> None:
    put(tmp_path, 1, tasks=arc(0.5), **{"n-shot": {"arc_challenge": 25}})
    put(tmp_path, 2, tasks=arc(0.3), **{"n-shot": {"arc_challenge": 0}})
    with pytest.warns(DataWarning, match="0 examples, not 25"):
        assert harness_table(tmp_path)["score"].tolist() == [0.3]


@pytest.mark.parametrize("late", [1.75e9, 1.75e12, "2025-06-15T15:06:40", "2025-06-15T15:06:40Z"])
def test_dates_are_seconds_milliseconds_or_iso_text(tmp_path: Path, late: object) -> None:
    put(tmp_path, 1, tasks=arc(0.9), date=late).rename(tmp_path / "results_a.json")
    put(tmp_path, 1, tasks=arc(0.1), date=1.7e12).rename(tmp_path / "results_b.json")
    assert quiet(tmp_path)["score"].tolist() == [0.9]


def test_endings_in_capitals_are_read_and_compressed_files_named(tmp_path: Path) -> None:
    put(tmp_path, 1, tasks=arc(0.5)).rename(tmp_path / "RESULTS.JSON")
    put(tmp_path, 2, tasks={"hellaswag": {"acc_norm,none": 0.7}}).rename(
        tmp_path / "results_2.json.gz"
    )
    with pytest.warns(DataWarning, match="compressed, and was not read"):
        assert harness_table(tmp_path)["score"].tolist() == [0.5]


@pytest.mark.parametrize(
    "arguments",
    [
        "pretrained=a/x,enable_thinking=True",
        {"enable_thinking": True},
        {"chat_template_args": {"enable_thinking": True}},
        'chat_template_args={"enable_thinking": true}',
    ],
)
def test_a_later_run_that_reasons_does_not_mix_with_the_others(tmp_path: Path, arguments) -> None:
    gsm8k = "exact_match,strict-match"
    put(tmp_path / "a", 1, tasks={**arc(0.35), "gsm8k": {gsm8k: 0.5}}, chat_template="{{ m }}")
    put(
        tmp_path / "b",
        2,
        tasks={"gsm8k": {gsm8k: 0.9}},
        chat_template="{{ m }}",
        model_args=arguments,
    )
    with pytest.warns(DataWarning, match=r"chat template \+ thinking for chat template"):
        table = harness_table(tmp_path).set_index("benchmark")
    assert table["score"].to_dict() == {"arc": 0.35, "gsm8k": 0.5}


def test_percentages_in_a_result_file_are_named(tmp_path: Path) -> None:
    put(tmp_path, 1, tasks=arc(35.0))
    with pytest.warns(DataWarning, match='not fractions from 0 to 1: "acme/a-1b on arc: 35"'):
        harness_table(tmp_path)


def test_scores_of_several_versions_of_a_task_are_named(tmp_path: Path) -> None:
    put(tmp_path / "a", 1, tasks=arc(0.35), versions={"arc_challenge": 1})
    put(tmp_path / "b", 2, "acme/b-1b", tasks=arc(0.4), versions={"arc_challenge": "1.0"})
    quiet(tmp_path)
    put(tmp_path / "c", 3, "acme/c-1b", tasks=arc(0.4), versions={"arc_challenge": 2})
    said = r'version 1 \("acme/a-1b", "acme/b-1b"\); version 2 \("acme/c-1b"\)'
    with pytest.warns(DataWarning, match=said):
        harness_table(tmp_path)
