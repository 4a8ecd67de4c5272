"""Features read from models' names: series, version, size class, effort, reasoning."""

from __future__ import annotations

import pandas as pd
import pytest

from latentscale.data.readers import SIZE_CLASSES, effort, reasoning, size_class
from latentscale.data.readers.efforts import effort_of
from latentscale.data.readers.model_names import parse_name
from latentscale.errors import DataError


@pytest.mark.parametrize(
    ("name", "series", "number", "size_b", "setting"),
    [
        ("claude-opus-4-1-20250805_16K", "claude-opus", "4.1", None, "16k"),
        ("claude-3-5-sonnet-20241022", "claude-sonnet", "3.5", None, ""),
        ("Claude 3.5 Sonnet (new)", "claude-sonnet", "3.5", None, ""),
        ("Ling-1T", "ling", "", 1000, ""),
        ("tinyllama-3T-tokens", "tinyllama-tokens", "", None, ""),
        ("Hunyuan-T1", "hunyuan-t", "1", None, ""),
        ("T5-11B", "t5", "", 11, ""),
        ("Marco-o1", "marco-o", "1", None, ""),
        ("o1", "openai-o", "1", None, ""),
        ("claude-opus-4-5-20251101-thinking-64k-high-effort", "claude-opus", "4.5", None, "high"),
        ("openai/gpt-oss-120b_high", "gpt-oss", "", 120, "high"),
        ("chatgpt-4o-03-27-2025", "gpt", "4o", None, ""),
        ("gpt-5.6-sol-max", "gpt-sol", "5.6", None, "max"),
        ("qwen3.7-max", "qwen-max", "3.7", None, ""),
        ("qwen-plus-2025-04-28", "qwen-plus", "", None, ""),
        ("mistral-medium-2505", "mistral-medium", "", None, ""),
        ("mistral-medium", "mistral-medium", "", None, ""),
        ("gemini-2.5-flash-preview-04-17 (24k thinking)", "gemini-flash", "2.5", None, "24k"),
        ("deepseek-r1-distill-llama-70b", "deepseek-r-distill-llama", "1", 70, ""),
        ("mixtral-8x7B-v0.1", "mixtral", "0.1", 56, ""),
        ("internlm2_5-1_8b-chat", "internlm", "2.5", 1.8, ""),
        ("Llama-4-Scout-17B-16E-Instruct", "llama-scout", "4", None, ""),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507", "qwen", "3", 235, ""),
        ("o3-mini-high", "openai-o-mini", "3", None, "high"),
        ("smollm-360M", "smollm", "", 0.36, ""),
        ("mini-SWE-agent + Claude 4 Opus (20250514)", "claude-opus", "4", None, ""),
        ("OpenHands + GPT-5 mini (medium reasoning)", "gpt-mini", "5", None, "medium"),
        ("GPT-4.1 + web search", "gpt", "4.1", None, ""),
        ("mini-SWE-agent + Qwen3-Coder 480B/A35B Instruct", "qwen-coder", "3", 480, ""),
        ("Qwen3 235B A22B Instruct 2507 FP8", "qwen", "3", 235, ""),
        ("openai-community/gpt2-medium", "gpt-medium", "2", None, ""),
        ("bigscience/bloom-7b1", "bloom", "", 7.1, ""),
        ("RWKV/rwkv-4-1b5-pile", "rwkv-pile", "4", 1.5, ""),
        ("DeepSeek R1 + Claude 3.5 Sonnet", "deepseek-r-claude-sonnet", "1", None, ""),
        ("Claude Opus 4.5 (Thinking 64K)", "claude-opus", "4.5", None, "64k"),
        ("GPT-5 (Thinking High)", "gpt", "5", None, "high"),
        ("Claude Opus 4.6 (Non-reasoning, High Effort)", "claude-opus", "4.6", None, "none"),
        ("Claude Opus 4.5 (Thinking None)", "claude-opus", "4.5", None, "none"),
        ("GPT-5.2 (X-High)", "gpt", "5.2", None, "xhigh"),
        (
            "mini-SWE-agent + Claude 4.5 Opus medium (20251101)",
            "claude-opus",
            "4.5",
            None,
            "medium",
        ),
        ("Gemini 3 Flash (12/25)", "gemini-flash", "3", None, ""),
        ("o3 (high) (April 2025)", "openai-o", "3", None, "high"),
        ("Gemini 2.5 Pro (Jun '25)", "gemini-pro", "2.5", None, ""),
        ("DeepSeek R1 (05/28)", "deepseek-r", "1", None, ""),
        ("Claude Opus 4.5 w/ Thinking", "claude-opus", "4.5", None, "thinking"),
        ("GLM-4.6 (T=1)", "glm", "4.6", None, ""),
        ("Claude 4.5 Sonnet (Non-reasoning)", "claude-sonnet", "4.5", None, "none"),
        ("Claude Sonnet 4.5 (no thinking)", "claude-sonnet", "4.5", None, "none"),
        ("claude-sonnet-4-nonthinking", "claude-sonnet", "4", None, "none"),
        ("grok-4-1-fast-non-reasoning", "grok", "4.1", None, "none"),
        ("grok-4-1-fast-reasoning", "grok", "4.1", None, "thinking"),
        ("Claude Opus 4.5, Extended Thinking", "claude-opus", "4.5", None, "thinking"),
        ("Claude Opus 4.6 (Adaptive Reasoning, Max Effort)", "claude-opus", "4.6", None, "max"),
        ("gpt-5 medium reasoning effort", "gpt", "5", None, "medium"),
        ("GPT-5 (ChatGPT)", "gpt", "5", None, ""),
        ("o3 (extra high)", "openai-o", "3", None, "xhigh"),
        ("Mixtral (8x7B 32K seqlen)", "mixtral-seqlen", "", 56, ""),
        ("Phi-4-reasoning", "phi", "4", None, ""),
        (
            "Gemini 2.5 Flash Preview (Sep '25) (Reasoning)",
            "gemini-flash",
            "2.5",
            None,
            "thinking",
        ),
        ("Gemini 2.5 Pro Preview (Mar' 25)", "gemini-pro", "2.5", None, ""),
        ("Claude 3.5 Sonnet (Oct)", "claude-sonnet", "3.5", None, ""),
        ("Kimi K2 0905 (Novita)", "kimi-k-novita", "2", None, ""),
    ],
)
def test_the_parts_of_a_name(name, series, number, size_b, setting):
    parsed = parse_name(name)
    assert (parsed.series, parsed.number, parsed.setting) == (series, number, setting)
    assert parsed.size_b == pytest.approx(size_b) if size_b else parsed.size_b != parsed.size_b


@pytest.mark.parametrize(
    "names",
    [
        ["claude-3-haiku-20240307", "claude-3-sonnet-20240229", "claude-3-opus-20240229"],
        ["gpt-4.1-nano", "gpt-4.1-mini"],
        ["gemini-2.5-flash-lite", "gemini-2.5-flash", "gemini-2.5-pro"],
        ["amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"],
        ["ministral-8b-2410", "mistral-small-2409", "mistral-medium-2505", "mistral-large-2411"],
        ["qwen-turbo-2024-11-01", "qwen-plus-2025-01-25", "qwen-max-2025-01-25"],
        ["llama-4-scout-17b-16e", "llama-4-maverick-17b-128e"],
        ["Qwen2.5-1.5B", "Qwen2.5-7B", "Qwen2.5-32B", "Qwen2.5-72B", "Qwen3-235B-A22B"],
        ["Phi-3-mini-4k-instruct", "Phi-3-small-8k-instruct", "command-r-plus", "grok-4-heavy"],
    ],
)
def test_size_classes_are_in_the_order_of_each_series(names):
    places = [SIZE_CLASSES.index(level) for level in size_class(names).values]
    assert places == sorted(set(places))


def test_an_effort_is_no_size():
    read = size_class(["o3-2025-04-16_medium", "gpt-5_high", "claude-opus-5-max-effort", "minimax"])
    assert read.values.tolist() == ["unknown", "unknown", "large", "unknown"]


def test_a_reading_keeps_the_table_s_index_and_counts_what_it_was_read_from():
    names = pd.Series(["a-mini", "b-mini", "c", "d-7b"], index=[4, 2, 0, 9])
    read = size_class(names)
    assert read.values.to_dict() == {4: "mini", 2: "mini", 0: "unknown", 9: "mini"}
    assert read.basis.to_dict() == {4: "mini", 2: "mini", 0: "", 9: "4.5 to 16 billion"}
    (finding,) = read.audit
    assert '3 of 4 names state the size: mini 3 ("mini" 2, "4.5 to 16 billion" 1)' in (
        finding.message
    )
    assert '1 does not: "c"' in finding.message


def test_a_name_that_is_no_text_is_refused_with_its_row():
    with pytest.raises(DataError, match="size_class: names must be text; row 1 holds 3"):
        size_class(["a", 3])  # type: ignore[list-item]
    with pytest.raises(DataError, match="several names"):
        size_class("gpt-5-mini")


def test_efforts_are_levels_and_budgets_count_as_levels():
    names = [
        "o3_low",
        "claude-opus-4_1K",
        "claude-opus-4_8K",
        "claude-opus-4_32K",
        "gpt-4",
        "x_max",
    ]
    assert effort(names).values.tolist() == ["low", "low", "medium", "high", "unstated", "max"]


def test_models_that_reason():
    yes = ["o1-2024-12-17", "deepseek-r1", "QwQ-32B", "gpt-5", "gpt-oss-20b", "glm-4.5_thinking"]
    yes += ["claude-opus-4_16K", "grok-4-fast-reasoning", "gemini-2.5-pro", "o3-pro"]
    no = ["gpt-4o", "gpt-5-chat", "gpt-5_minimal", "grok-4-fast-non-reasoning", "claude-opus-4"]
    yes += ["GPT-5 Pro", "Gemini 3 Flash", "gpt-5.1-codex-max", "Phi-4-reasoning"]
    yes += [
        "Marco-o1",
        "Hunyuan-T1",
        "QVQ-72B",
        "Apriel-v1.5-15B-Thinker",
        "DeepSeek-V3.2-Speciale",
    ]
    no += ["gpt2-medium", "opt-13b", "olmo-2-7b", "gemini-2.0-pro", "GPT-5 (ChatGPT)"]
    no += [
        "MiniCPM-o-2_6",
        "Hunyuan-Turbo",
        "GPT-5.1 (Non-reasoning)",
        "Gemini 2.5 Flash (Non-reasoning)",
    ]
    assert reasoning([*yes, *no]).values.tolist() == [1.0] * len(yes) + [0.0] * len(no)


def test_a_name_that_says_that_the_model_does_not_think_is_not_of_one_that_reasons():
    read = reasoning(["Qwen3 235B A22B no think", "Qwen3-32B (thinking)", "gpt-5 no thinking"])
    assert read.values.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("x-high", "xhigh"),
        ("Extra High", "xhigh"),
        ("high", "high"),
        ("8,192", "medium"),
        ("32,000 tokens", "high"),
        ("off", "none"),
        ("no thinking", "none"),
    ],
)
def test_a_text_states_an_effort(text: str, level: str) -> None:
    assert effort_of(text) == level


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("Grok 4 Fast (Reasoning)", "Grok 4 Fast"),
        ("Grok 4 Fast (Non-reasoning)", "Grok 4 Fast"),
        ("Grok 4 (Fast Reasoning)", "Grok 4 (Fast)"),
        ("Gemini 2.5 Pro (Preview, Thinking 1K)", "Gemini 2.5 Pro (Preview)"),
        ("Claude Opus 4.5 w/ Thinking", "Claude Opus 4.5"),
        ("GPT-5 (X-High)", "GPT-5"),
    ],
)
def test_a_version_is_without_the_setting_and_with_all_else(name: str, version: str) -> None:
    assert parse_name(name).version == version


def test_x_high_is_a_setting_however_it_is_written() -> None:
    names = ["gpt-5 x-high", "gpt-5-x-high", "gpt-5_x-high", "gpt-5 (x-high)", "gpt-5-xhigh"]
    parsed = [parse_name(name) for name in names]
    assert {(name.version, name.setting, name.series) for name in parsed} == {
        ("gpt-5", "xhigh", "gpt")
    }
