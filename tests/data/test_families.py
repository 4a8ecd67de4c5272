"""Families of open models, guessed from base models, names and architectures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import latentscale as ls
from latentscale.data.readers import leaderboard_table, read_leaderboard
from latentscale.data.readers.families import base_families
from latentscale.errors import DataWarning

CONTENTS = Path(__file__).parent / "recorded" / "leaderboard_contents.csv"
TABLES = Path(__file__).resolve().parents[3] / "shared" / "tables"
SHARED = TABLES / "open_llm_leaderboard_v2" / "contents.csv"


def family_of(name: str, size: float = np.nan, **about: str) -> tuple[str, str, str]:
    table, _ = base_families(
        [name],
        base_models=[about.get("base", name)],
        params_b=[size],
        architectures=[about.get("architecture", "")],
    )
    return tuple(table.iloc[0, 1:])


@pytest.mark.parametrize(
    ("name", "size", "family", "lineage"),
    [
        ("meta-llama/Meta-Llama-3.1-8B", 8.03, "llama3.1-8b", "llama3.1"),
        ("someone/L3.1-Niitorm-8B-DPO", 8.03, "llama3.1-8b", "llama3.1"),
        ("NAPS-ai/naps-llama-3_1-8b-instruct", 8.03, "llama3.1-8b", "llama3.1"),
        ("meta-llama/Llama-2-13b-hf", 13.0, "llama2-13b", "llama2"),
        ("huggyllama/llama-65b", 65.3, "llama-65b", "llama"),
        ("mistralai/Mixtral-8x7B-v0.1", 46.7, "mixtral-56b", "mixtral"),
        ("mistralai/Mistral-Nemo-Base-2407", 12.25, "mistral-nemo-12b", "mistral-nemo"),
        ("google/gemma-2-2b", 2.61, "gemma2-2b", "gemma2"),
        ("microsoft/phi-2", 2.78, "phi2-2.8b", "phi2"),
        ("Qwen/Qwen1.5-0.5B", 0.62, "qwen1.5-0.5b", "qwen1.5"),
        ("facebook/opt-1.3b", 1.3, "opt-1.3b", "opt"),
    ],
)
def test_a_family_is_series_version_and_size(name, size, family, lineage):
    assert family_of(name, size) == (family, lineage, "name")


def test_words_that_hold_a_series_are_none():
    assert family_of("x/Philos-Optimist-Yiddish-7B", 7.0)[2] == "none"


def test_a_chain_of_base_models_is_followed_to_its_first():
    models = ["meta-llama/Meta-Llama-3-8B", "a/Storm", "b/Storm-Qwen-like"]
    bases = ["meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B", "a/Storm (Merge)"]
    table, (finding,) = base_families(models, base_models=bases, params_b=[8.03] * 3)
    assert table["family"].tolist() == ["llama3-8b"] * 3
    assert table["family_basis"].tolist() == ["name", "base model", "base model"]
    assert "2 from the chain of base models, 1 from their own names" in finding.message


def test_a_chain_that_runs_in_a_circle_ends():
    table, _ = base_families(["a/x", "a/y"], base_models=["a/y", "a/x"])
    assert table["family"].tolist() == ["a/x", "a/y"]


def test_a_removed_base_model_leaves_the_own_name():
    assert family_of("x/Llama3-8B-dpo", 8.03, base="Removed") == ("llama3-8b", "llama3", "name")


def test_an_architecture_and_size_of_mostly_one_family_are_that_family():
    models = [*(f"x/Mistral-7B-{i}" for i in range(5)), "x/Silicon-Maid", "x/Chewy"]
    kinds = ["MistralForCausalLM"] * 7
    table, _ = base_families(
        models, params_b=[7.242] * 6 + [10.7], architectures=kinds, base_models=models
    )
    assert table["family"].tolist()[5:] == ["mistral-7b", "mistral architecture, 11b"]
    assert table["family_basis"].tolist()[5:] == ["architecture"] * 2


def test_the_leaderboard_is_read_without_metadata():
    with pytest.warns(DataWarning, match="families of 6 models were guessed"):
        scores = read_leaderboard(CONTENTS)
    model = scores.dataset.sel(model="Qwen/Qwen2-7B-Instruct")
    assert (str(model["family"].item()), float(model["instruct"])) == ("qwen2-7b", 1.0)
    assert np.isnan(scores.dataset["tokens"]).all()
    assert scores.dataset.sel(model="EleutherAI/pythia-1b")["lineage"].item() == "pythia"
    assert np.isnan(scores.dataset["params"].sel(model="someone/Qwen2-7B-Merge-<b>"))


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_leaderboard_s_table_says_what_families_were_read_from():
    table = leaderboard_table(CONTENTS).set_index("model")
    assert table.loc["EleutherAI/pythia-1b", "family_basis"] == "name"
    assert list(table.columns[:3]) == ["family", "lineage", "family_basis"]


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/tables/open_llm_leaderboard_v2")
@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_the_whole_leaderboard_is_read():
    scores = ls.readers.read_leaderboard(SHARED)
    assert len(scores.models) == 1701 and scores.n_observed == 6 * 1701
    assert len(scores.audit.warnings) < 8
    families = scores.dataset["family"].to_series().value_counts()
    assert families.index[0] == "llama3-8b" and (families == 1).sum() < 0.55 * len(families)
