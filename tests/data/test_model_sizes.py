"""Total and active parameters that names and cells state or leave open."""

from __future__ import annotations

from math import isnan, nan

import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.features.compute import counted_in_full
from latentscale.data.readers.model_names import parse_name
from latentscale.data.readers.model_sizes import sizes_in

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")


@pytest.mark.parametrize(
    ("name", "series", "number", "total", "active"),
    [
        ("Qwen3-30B-A3B", "qwen", "3", 30, 3),
        ("Qwen3_30B_A3B", "qwen", "3", 30, 3),
        ("Qwen3-30BA3B", "qwen", "3", 30, 3),
        ("GLM-4.5-Air-106B-A12B", "glm-air", "4.5", 106, 12),
        ("gpt-oss-120b (A5B)", "gpt-oss", "", 120, 5),
        ("gpt-oss-120b", "gpt-oss", "", 120, nan),
        ("Llama-4-Maverick-17B-128E-Instruct", "llama-maverick", "4", nan, 17),
        ("Llama-4-Maverick-400B-A17B-128E", "llama-maverick", "4", 400, 17),
        ("Mixtral-8x7B", "mixtral", "", 56, nan),
        ("granite-3.0-3b-a800m", "granite", "3.0", 3, 0.8),
        ("Hunyuan-A13B", "hunyuan", "", nan, 13),
        ("Ring-1T-A50B", "ring", "", 1000, 50),
        ("OLMo-7B-1T", "olmo", "1t", 7, nan),
        ("gemma-3n-E4B-it", "gemma", "3n", nan, nan),
        ("DeepSeek-V3 (671B, 37B active)", "deepseek", "3", 671, 37),
        ("DeepSeek-V3 37B active, 671B total", "deepseek", "3", 671, 37),
        ("DeepSeek-V3 (671B total, 37B activated parameters)", "deepseek", "3", 671, 37),
        ("DeepSeek-V3 (active: 37B) 671B", "deepseek", "3", 671, 37),
        ("Foo-37B-active-671B", "foo", "", nan, nan),  # which of the two is active?
        ("Foo-7B-A13B", "foo", "", nan, nan),
        ("Foo-70B-A3B-A5B", "foo", "", 70, nan),
        ("active-learning-7b", "active-learning", "", 7, nan),
        ("nucleus-22B-token-500B", "nucleus-token", "", 22, nan),
        ("foo-7b-300b-tokens", "foo-tokens", "", 7, nan),
        ("orca_mini_v3_70b", "orca-mini", "3", 70, nan),
        ("internlm2_5-1_8b-chat", "internlm", "2.5", 1.8, nan),
        ("llama_2_7b_chat", "llama", "", nan, nan),  # 7 billion, or 2.7
        ("mosaicml/mpt-1b-redpajama-200b", "mpt-redpajama", "", nan, nan),  # of tokens
        ("openmoe-8b-890B", "openmoe", "", nan, nan),
        ("gpt2-124M-10B", "gpt", "2", nan, nan),
        ("OLMoE-1B-7B-0924", "olmoe", "", 7, nan),
        ("DeepSeek-V3 671B/37B", "deepseek", "3", 671, nan),
        ("DeepSeek-V3 (671B/37B)", "deepseek", "3", 671, nan),
        ("Kimi-K2 (1T total, 32B active)", "kimi-k", "2", 1000, 32),
        ("gemini-1.5-pro-2M", "gemini-pro", "1.5", nan, nan),  # a window of 2 million tokens
        ("Claude Sonnet 4 (1M)", "claude-sonnet", "4", nan, nan),
        ("Qwen2.5-14B-Instruct-1M", "qwen", "2.5", 14, nan),
        ("pythia-14m", "pythia", "", 0.014, nan),
    ],
)
def test_sizes_are_read_from_names_that_leave_no_doubt(
    name: str, series: str, number: str, total: float, active: float
) -> None:
    parsed = parse_name(name)
    assert (parsed.series, parsed.number) == (series, number)
    assert [parsed.size_b, parsed.active_b] == pytest.approx([total, active], nan_ok=True)


@pytest.mark.parametrize(
    ("cell", "total", "active"),
    [
        ("30B-A3B", 30, 3),
        ("671B (37B active)", 671, 37),
        ("37B active / 671B total", 671, 37),
        ("400B (active 17B)", 400, 17),
        ("17B (active) / 400B", 400, 17),
        ("17B active", nan, 17),
        ("8x7B", nan, nan),
        ("72B", nan, nan),
    ],
)
def test_cells_that_mark_active_parameters(cell: str, total: float, active: float) -> None:
    read = sizes_in(cell)
    assert [read.total_b, read.active_b] == pytest.approx([total, active], nan_ok=True)


NAMES = ["Qwen3-30B-A3B", "Qwen3-32B", "GLM-4.5-Air-106B-A12B", "gpt-oss-120b"]
TABLE = pd.DataFrame({"Model": NAMES, "Reading": [50.0, 55.0, 70.0, 75.0]})


def test_active_parameters_of_names_are_a_feature_and_said_once_with_a_count() -> None:
    read = ls.readers.read_published(TABLE)
    assert read.dataset["params"].to_series()[NAMES].tolist() == [30, 32, 106, 120]
    active = read.dataset["active_params_b"].to_series()[NAMES].tolist()
    assert active == pytest.approx([3, nan, 12, nan], nan_ok=True)
    (said,) = (finding.message for finding in read.audit.filter("active-sizes-from-names"))
    assert "active parameters of 2 of 4 models" in said
    assert "Qwen3-30B-A3B 3" in said and "GLM-4.5-Air-106B-A12B 12" in said


def test_compute_by_all_parameters_of_a_mixture_is_found_by_its_name() -> None:
    read = ls.readers.read_published(TABLE.assign(tokens_t=[36.0, 36.0, 23.0, 10.0]))
    assert counted_in_full(read.dataset) == ["Qwen3-30B-A3B", "GLM-4.5-Air-106B-A12B"]


def test_a_column_of_active_parameters_wins_over_names() -> None:
    stated = TABLE.assign(active_params_b=[3.3, 32.0, 12.0, 5.1])
    read = ls.readers.read_published(stated)
    assert read.dataset["active_params_b"].to_series()[NAMES].tolist() == [3.3, 32.0, 12.0, 5.1]
    assert not read.audit.filter("active-sizes-from-names")


def test_a_name_whose_active_parameters_exceed_the_stated_size_is_not_believed() -> None:
    read = ls.readers.read_published(TABLE.assign(Params=["2B", "32B", "106B", "120B"]))
    active = read.dataset["active_params_b"].to_series()
    assert isnan(active["Qwen3-30B-A3B"]) and active["GLM-4.5-Air-106B-A12B"] == 12


def test_cells_of_sizes_give_both_counts_in_any_order() -> None:
    sizes = ["3.3B active / 30.5B total", "32B", "106B-A12B", "117B (5.1B active)"]
    read = ls.readers.read_published(TABLE.assign(Params=sizes))
    assert read.dataset["params"].to_series()[NAMES].tolist() == [30.5, 32, 106, 117]
    active = read.dataset["active_params_b"].to_series()[NAMES].tolist()
    assert active == pytest.approx([3.3, nan, 12, 5.1], nan_ok=True)
    (said,) = (finding.message for finding in read.audit.filter("active-sizes-read"))
    assert "3 cells state active parameters" in said
