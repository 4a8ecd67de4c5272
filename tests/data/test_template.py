"""Templates of metadata, models and files set aside, and the catalogue of families."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from latentscale import datasets, readers
from latentscale.cli import main
from latentscale.data.datasets.catalogue import catalogue_key, catalogue_row
from latentscale.errors import DataError, DataWarning

RECORDED = Path(__file__).parent / "recorded"
ARC = {"acc,none": 0.3, "acc_norm,none": 0.35}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of three models, and three files of other kinds."""
    where = tmp_path / "results"
    where.mkdir()
    for model in ("EleutherAI/pythia-1b", "me/Llama-3-8B-tuned", "nobody/xyzzy"):
        document = {"results": {"arc_challenge": ARC}, "model_name": model}
        name = f"results_{model.replace('/', '_')}.json"
        (where / name).write_text(json.dumps(document), encoding="utf-8")
    (where / "results_foreign.json").write_text('{"a": 1}', encoding="utf-8")
    (where / "results_cut.json").write_text('{"results": {', encoding="utf-8")
    (where / "package.json").write_text('{"a": 1}', encoding="utf-8")
    return where


def test_a_foreign_file_does_not_stop_a_folder(folder: Path) -> None:
    with pytest.warns(DataWarning, match=r"results_foreign\.json: the file was set aside"):
        table = readers.harness_table(folder)
    assert len(table) == 3


def test_a_run_without_the_wanted_metric_does_not_stop_the_others(folder: Path) -> None:
    document = {"results": {"arc_challenge": {"acc,none": 0.3}}, "model_name": "org/odd"}
    (folder / "results_odd.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.warns(DataWarning, match=r'org/odd on arc: the score was set aside.*"acc_norm"'):
        assert "org/odd" not in set(readers.harness_table(folder)["model"])


def test_a_template_has_what_names_and_the_catalogue_say(folder: Path) -> None:
    with pytest.warns(DataWarning):
        table = readers.metadata_template(folder).set_index("model")
    known = table.loc["EleutherAI/pythia-1b"]
    assert (known["tokens_t"], known["catalogue_family"]) == (0.3, "pythia")
    assert "tokens_t" in known["filled_from"] and "bundled" in known["filled_from"]
    assert table.loc["me/Llama-3-8B-tuned", "family"] == "llama3-8b"
    assert table["family_confidence"].to_dict() == {
        "EleutherAI/pythia-1b": "medium",
        "me/Llama-3-8B-tuned": "medium",
        "nobody/xyzzy": "none",
    }


def test_a_fine_tune_has_the_tokens_of_its_base_model() -> None:
    contents = pd.read_csv(RECORDED / "leaderboard_contents.csv")
    contents = contents[~contents["Flagged"].astype(bool)]
    tuned = contents["fullname"] == "someone/Qwen2-7B-Merge-<b>"
    contents.loc[tuned, "Base Model"] = "meta-llama/Llama-2-7b-hf"
    contents = contents.assign(Generation=0)
    table = readers.metadata_template(contents, flagged="keep").set_index("model")
    row = table.loc["someone/Qwen2-7B-Merge-<b>"]
    assert (row["family_confidence"], row["tokens_t"]) == ("high", 2.0)
    assert "base model llama-2-7b" in row["filled_from"]


def test_a_template_is_metadata_and_rows_left_empty_are_set_aside(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template, out = tmp_path / "models.csv", tmp_path / "scores.csv"
    assert main(["gather", str(folder), "--template", str(template)]) == 0
    assert "families are guessed; confidence: medium 2, none 1" in capsys.readouterr().out
    rows = pd.read_csv(template)
    rows.loc[rows["model"] == "nobody/xyzzy", "family"] = None
    rows["params_b"] = rows["params_b"].astype(object)
    rows.loc[rows["model"] == "me/Llama-3-8B-tuned", "params_b"] = "eight"
    rows.to_csv(template, index=False)
    words = ["gather", folder, "--metadata", template, "--out", out]
    assert main([str(word) for word in words]) == 0
    assert pd.read_csv(out)["model"].tolist() == ["EleutherAI/pythia-1b"]
    reasons = pd.read_csv(tmp_path / "scores.aside.csv").set_index("what")["reason"]
    assert "family name is missing" in reasons["nobody/xyzzy"]
    assert "eight" in reasons["me/Llama-3-8B-tuned"]
    assert sum("results_" in name for name in reasons.index) == 2


def test_a_template_where_no_row_can_be_used_is_refused(folder: Path) -> None:
    rows = pd.DataFrame({"model": ["EleutherAI/pythia-1b"], "family": [None]})
    with pytest.raises(DataError, match="None of the 3 models can be used"):
        readers.read_harness(folder, rows, set_aside=True)


def test_the_catalogue_names_a_source_for_every_row() -> None:
    table = datasets.catalogue()
    assert len(table) == 194 and table["model"].is_unique
    assert set(table["source"]) == {"bundled"}
    assert table["params_b"].dropna().between(0.01, 2000).all()
    assert table["tokens_t"].dropna().between(0.001, 50).all()
    assert len({catalogue_key(name) for name in table["model"]}) == len(table)


def test_families_of_the_catalogue_sum_up_its_models() -> None:
    families = datasets.families()
    assert families["models"].sum() == len(datasets.catalogue())
    assert families.set_index("family").loc["pythia", "tokens_t"] == "0.3"
    assert datasets.catalogue("llama-2")["params_b"].tolist() == [7, 13, 70]
    with pytest.raises(DataError, match=r'no family "lama-2".*llama-2'):
        datasets.catalogue("lama-2")


def test_a_model_is_found_however_it_is_spelt() -> None:
    for name in ("meta-llama/Llama-2-7b-hf", "llama-2-7b", "NousResearch/Llama_2-7B"):
        assert catalogue_row(name)["tokens_t"] == 2.0
    assert catalogue_row("meta-llama/Llama-9-7b") is None
