"""Checkpoints of training runs: long tables, tables of one run, and revisions of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data.readers import checkpoint_measurements, read_checkpoints, read_scores
from latentscale.data.readers.revisions import checkpoint_metadata, checkpoint_of
from latentscale.errors import DataError

TABLES = Path(__file__).resolve().parents[3] / "shared" / "tables"
MTOK = 2_097_152


def long_table() -> pd.DataFrame:
    rows = [
        ("pythia-1b", "zero-shot", step, 0, "arc_challenge", metric, value, 0.012)
        for step in (0, 1000, 143000)
        for metric, value in (("acc", 0.2), ("acc_norm", 0.25 + step / 1e6))
    ]
    rows.append(("pythia-1b", "five-shot", 1000, 5, "piqa", "acc", 0.6, 0.011))
    rows.append(("pythia-1b", "intervention", 1000, 0, "piqa", "acc", 0.5, 0.011))
    columns = ["run", "setting", "step", "num_fewshot", "task", "metric", "value", "stderr"]
    return pd.DataFrame(rows, columns=columns)


def test_checkpoints_of_a_run_share_its_family_and_have_their_tokens():
    read = checkpoint_measurements(long_table(), tokens_per_step=MTOK)
    models = read.models.set_index("model")
    assert models.loc["pythia-1b@step1000", "tokens_t"] == pytest.approx(1000 * MTOK / 1e12)
    assert models.loc["pythia-1b@step1000", ["family", "lineage", "params_b"]].tolist() == [
        "pythia-1b",
        "pythia",
        1.0,
    ]
    assert "pythia-1b@step0" not in models.index
    assert read.audit.filter("untrained")


def test_the_main_metric_of_a_task_is_read_with_its_standard_error():
    cells = checkpoint_measurements(long_table(), tokens_per_step=MTOK).cells
    last = cells[(cells["model"] == "pythia-1b@step143000")]
    assert last[["benchmark", "score", "stderr"]].values.tolist() == [["arc", 0.393, 0.012]]


def test_numbers_of_examples_are_benchmarks_and_other_settings_are_runs():
    read = checkpoint_measurements(long_table(), tokens_per_step=MTOK)
    piqa = read.cells[read.cells["benchmark"].str.startswith("piqa")]
    assert piqa[["model", "benchmark"]].values.tolist() == [
        ["pythia-1b@step1000", "piqa 5-shot"],
        ["pythia-1b (intervention)@step1000", "piqa 0-shot"],
    ]
    assert read.benchmarks["piqa 5-shot"].floor == 0.5


def test_subjects_are_joined_where_all_are_there():
    from latentscale.data.readers.harness.tasks import HARNESS_TASKS

    (_, old) = HARNESS_TASKS["mmlu"].parts
    rows = [("a-1b", 10, task, "acc", 0.3, 0.05) for task in old]
    rows += [("a-1b", 20, task, "acc", 0.4, 0.05) for task in old[:-1]]
    columns = ["run", "step", "task", "metric", "value", "stderr"]
    read = checkpoint_measurements(pd.DataFrame(rows, columns=columns), tokens_per_step=1e6)
    (row,) = read.cells.itertuples()
    assert (row.model, row.benchmark, row.score) == ("a-1b@step10", "mmlu", pytest.approx(0.3))
    assert row.stderr == pytest.approx(0.05 / np.sqrt(57))


def test_a_batch_in_the_run_s_name_wins_over_one_number_for_all():
    table = long_table().assign(run="pythia-1b-0.5MtokBS")
    models = checkpoint_measurements(table, tokens_per_step=MTOK).models.set_index("model")
    seen = models.loc["pythia-1b-0.5MtokBS@step1000", "tokens_t"]
    assert seen == pytest.approx(1000 * 2**19 / 1e12)


def test_tokens_that_are_not_known_are_asked_for():
    with pytest.raises(DataError, match=r'"pythia-1b".* give\s+tokens_per_step='):
        checkpoint_measurements(long_table())
    with pytest.raises(DataError, match="without rows"):
        checkpoint_measurements(long_table().iloc[:0], tokens_per_step=MTOK)


@pytest.fixture
def ladder(tmp_path: Path) -> Path:
    head = "_step,eval/pile/CrossEntropyLoss,eval/downstream/piqa_val_acc,"
    (tmp_path / "190M-1xC.csv").write_text(
        f"{head}throughput/total_tokens,batch_size_in_tokens\n100,5.1,0.55,5.2e7,524288\n"
        "200,4.1,0.6,1.04e8,524288\n"
    )
    (tmp_path / "peteish7.csv").write_text(f"{head}batch_size_in_tokens\n1000,2.4,0.75,4194304\n")
    return tmp_path


def test_a_file_a_run_says_its_tokens(ladder):
    read = checkpoint_measurements(ladder, params_b={"peteish7": 7.3}, lineage="olmo")
    models = read.models.set_index("model")
    assert models["tokens_t"].tolist() == pytest.approx([5.2e-5, 1.04e-4, 4.194304e-3])
    assert models["params_b"].tolist() == pytest.approx([0.19, 0.19, 7.3])
    assert set(models["lineage"]) == {"olmo"}
    assert list(read.benchmarks) == ["piqa_val_acc"]


def test_losses_are_positive_and_lower_is_better(ladder):
    read = checkpoint_measurements(ladder / "190M-1xC.csv", figures="eval/pile/")
    (loss,) = read.benchmarks.values()
    assert (loss.scale, loss.lower_is_better) == ("positive", True)


def test_runs_without_a_size_are_named(ladder):
    (finding,) = checkpoint_measurements(ladder).audit.filter("size-missing")
    assert '"peteish7"' in finding.message


def test_tables_of_another_kind_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="x: neither a long table of checkpoints"):
        checkpoint_measurements(tmp_path / "x.csv")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no CSV file in it"):
        checkpoint_measurements(tmp_path / "none")
    with pytest.raises(DataError, match='row 1, column "value"'):
        bad = long_table().astype(object)
        bad.loc[1, "value"] = "many"
        checkpoint_measurements(bad, tokens_per_step=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokens_per_step": "2M"}, "tokens_per_step must be a finite number above 0; got '2M'"),
        ({"tokens_per_step": {"pythia-1b": -1}}, "tokens_per_step of pythia-1b must be .* got -1"),
        ({"tokens_per_step": 1, "params_b": 1.3}, "params_b= has billions of parameters by run"),
    ],
)
def test_settings_of_another_kind_are_refused(settings, message):
    with pytest.raises(DataError, match=message):
        checkpoint_measurements(long_table(), **settings)


def test_rows_without_a_run_are_refused():
    table = long_table()
    table.loc[2, "run"] = None
    with pytest.raises(DataError, match='column "run" is empty in 1 row, first in row 2'):
        checkpoint_measurements(table, tokens_per_step=1)


def test_names_of_checkpoints():
    assert checkpoint_of("a/b@step512")[:2] == ("a/b", 512.0)
    assert checkpoint_of("allenai/OLMo-7B@step1000-tokens4B")[2] == 4e9
    assert checkpoint_of("a/b@main")[0] == "a/b@main"


def test_checkpoints_take_the_metadata_of_their_run():
    metadata = pd.DataFrame({"model": ["Pythia-1B", "x@step5"], "family": ["p", "x"]})
    models = ["EleutherAI/pythia-1b@step1000", "x@step5", "other@step3"]
    whole = checkpoint_metadata(models, metadata, MTOK).set_index("model")
    assert whole.index.tolist() == ["Pythia-1B", "x@step5", "EleutherAI/pythia-1b@step1000"]
    assert whole.loc[models[0], "tokens_t"] == pytest.approx(1000 * MTOK / 1e12)
    assert whole.loc[models[0], "family"] == "p"


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_checkpoints_become_scores():
    scores = read_checkpoints(long_table(), tokens_per_step=MTOK)
    assert set(scores.families) == {"pythia-1b", "pythia-1b (intervention)"}
    assert scores.n_observed == 4


@pytest.mark.skipif(not (TABLES / "pythia").exists(), reason="needs ../shared/tables/pythia")
@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_whole_tables_are_read():
    scores = read_checkpoints(
        TABLES / "pythia" / "checkpoint_scores_long.csv", tokens_per_step=MTOK
    )
    assert (len(scores.models), scores.n_observed) == (600, 7232)
    files = [p for p in sorted((TABLES / "olmo_ladder").glob("*.csv")) if "xC" in p.stem]
    ladder = checkpoint_measurements(files, lineage="olmo")
    assert ladder.models["family"].nunique() == 30


@pytest.mark.parametrize(
    ("models", "known"),
    [
        (["/ckpt/zeta/final@step1000"], ["/ckpt/omega/final"]),
        (["a/x-1b@step1000"], ["b/x-1b", "c/x-1b"]),
        (["a/x-1b@step1000", "b/x-1b@step1000"], ["x-1b"]),
    ],
)
def test_checkpoints_take_no_metadata_of_another_run(models: list[str], known: list[str]):
    metadata = pd.DataFrame({"model": known, "family": known})
    assert checkpoint_metadata(models, metadata, MTOK)["model"].tolist() == known


def test_a_run_is_the_same_with_a_slash_at_its_end():
    metadata = pd.DataFrame({"model": ["/ckpt/a-1b/", "b-1b"], "family": ["a", "b"]})
    whole = checkpoint_metadata(["/ckpt/a-1b@step1000"], metadata, MTOK)
    assert whole.set_index("model").loc["/ckpt/a-1b@step1000", "family"] == "a"


def runs_in_one_table() -> pd.DataFrame:
    rows = {"run": ["a", "a", "b"], "step": [10, 20, 10], "tokens_b": [1.0, 2.0, 1.0]}
    rows |= {"params": [190e6, 190e6, 1.3e9], "lr": 1e-4, "val_loss": [3.2, 3.0, 2.8]}
    return pd.DataFrame(rows | {"hellaswag/acc": [0.26, 0.3, 0.4], "quiz": [20.0, 25.0, 40.0]})


def test_one_wide_table_of_several_runs_is_read():
    scores = read_checkpoints(runs_in_one_table())
    assert scores.models == ("a@step10", "a@step20", "b@step10")
    assert scores.dataset["params"].values == pytest.approx([0.19, 0.19, 1.3])
    assert scores.dataset["tokens"].values == pytest.approx([0.001, 0.002, 0.001])
    assert scores.benchmarks == ("val_loss", "hellaswag/acc", "quiz")
    assert '"lr"' in str(scores.audit.filter("ignored-column"))
    loss = scores.benchmark_info["val_loss"]
    assert (loss.scale, loss.lower_is_better) == ("positive", True)
    assert scores.dataset["score"].sel(benchmark="quiz").values == pytest.approx([0.2, 0.25, 0.4])


def test_columns_of_standard_errors_are_no_figures():
    """Scores of several seeds of one run are averaged, and so are their errors."""
    table = pd.concat([runs_in_one_table().assign(seed=seed) for seed in (0, 1)])
    errors = {"hellaswag/acc_stderr": 0.004, "quiz_stderr": 2.0, "other_stderr": 0.1}
    scores = read_checkpoints(table.assign(**errors).reset_index(drop=True))
    assert scores.benchmarks == ("val_loss", "hellaswag/acc", "quiz")
    assert '"other_stderr"' in str(scores.audit.filter("ignored-column"))
    stderr = scores.dataset["stderr"].isel(model=0)
    wanted = [np.nan, 0.004 / np.sqrt(2), 0.02 / np.sqrt(2)]
    np.testing.assert_allclose(stderr.values, wanted)


def test_a_file_of_runs_is_known_by_its_steps(tmp_path: Path):
    runs_in_one_table().rename(columns={"run": "model"}).to_csv(tmp_path / "runs.csv", index=False)
    assert read_scores(tmp_path / "runs.csv").families == ("a", "b")


def test_tokens_in_another_unit_are_refused():
    table = runs_in_one_table().rename(columns={"tokens_b": "tokens"})
    with pytest.raises(DataError, match=r'more than 2 tokens by the column "tokens".*tokens_b'):
        read_checkpoints(table)


def sizes_under_one_name() -> pd.DataFrame:
    rows = [(step, 2e6 * step, size) for size in (0.07, 1.0) for step in (1000, 2000, 4000)]
    table = pd.DataFrame(rows, columns=["step", "tokens", "params"])
    return table.assign(run="pythia", quiz=np.linspace(0.3, 0.5, len(table)))


def test_models_of_several_sizes_under_one_name_are_not_averaged():
    table = sizes_under_one_name()
    with pytest.raises(DataError, match=r'run "pythia" has different sizes: 0.07, 1 \(billions'):
        read_checkpoints(table)
    assert set(checkpoint_measurements(table, params_b={"pythia": 1.0}).models["params_b"]) == {1.0}
    same = checkpoint_measurements(table.assign(params=["1B", 1.0, 1e9] * 2))
    assert same.audit.filter("repeats-merged")


def test_several_counts_of_tokens_at_one_step_are_not_averaged():
    table = pd.DataFrame({"run": "a-1b", "step": 1000, "tokens": [1e9, 5e9], "quiz": [0.3, 0.5]})
    with pytest.raises(DataError, match=r'"a-1b".*1e\+09, 5e\+09 at step 1000'):
        read_checkpoints(table)
    rounded = table.assign(tokens=[2.1e9, 2.097e9])
    assert len(checkpoint_measurements(rounded).models) == 1


@pytest.mark.parametrize("name", ["{}-step{}", "{}@step{}", "{}/checkpoint-{:07d}"])
def test_a_step_in_the_name_of_a_run_is_not_part_of_it(name: str):
    table = sizes_under_one_name()
    runs = [f"pythia-{size:g}b" for size in table["params"]]
    named = [name.format(run, step) for run, step in zip(runs, table["step"], strict=True)]
    read = checkpoint_measurements(table.assign(run=named))
    assert read.models["family"].tolist() == runs
    assert read.models["model"][0] == "pythia-0.07b@step1000"
    assert len(read.audit.filter("steps-in-names")) == 1
    without = checkpoint_measurements(table.assign(run=named).drop(columns="step"))
    assert without.models["model"].tolist() == read.models["model"].tolist()


def test_names_that_differ_in_a_step_that_is_not_their_row_s_are_named():
    table = sizes_under_one_name().drop_duplicates("step")
    named = table.assign(run=[f"pythia-70m-step{step // 1000}" for step in table["step"]])
    (finding,) = checkpoint_measurements(named).audit.filter("steps-in-names")
    assert finding.level == "warning"
    assert '3 names of runs differ in a step alone: "pythia-70m-step1"' in finding.message
    of_one_start = table.assign(run="pythia-70m-step9")
    assert not checkpoint_measurements(of_one_start).audit.filter("steps-in-names")


def test_a_perplexity_has_no_unit_and_amounts_have_their_own():
    figures = {
        "lambada_ppl": [40.0, 30.0],
        "val_loss": [3.0, 2.5],
        "repair (minutes) ↓": [9.0, 8.0],
    }
    table = pd.DataFrame({"run": "a-1b", "step": [10, 20], "tokens_b": [1.0, 2.0], **figures})
    benchmarks = checkpoint_measurements(table).benchmarks
    assert {name: about.unit for name, about in benchmarks.items()} == {
        "lambada_ppl": "",
        "val_loss": "nats or bits",
        "repair (minutes) ↓": "minutes",
    }
