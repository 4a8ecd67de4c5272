"""Reasoning effort and reasoning mode of models, from the setting that their names state."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Audit, Finding
from latentscale.data.readers.model_names import ModelName, parse_name
from latentscale.data.readers.size_classes import (
    NameReading,
    counted,
    name_findings,
    names_column,
)
from latentscale.errors import listed

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Efforts, in order."""
UNSTATED: Final = "unstated"
"""Level of a name or text that does not state an effort: the model's default, or no reasoning."""
LARGEST_BUDGET_K: Final = (3.0, 14.0)
"""Largest thinking budgets, in thousands of tokens, that count as low and as medium effort.

Google's OpenAI-compatible interface maps low, medium and high to 1,024, 8,192 and 24,576 tokens;
these are the geometric means between them.
"""

_BUDGET: Final = re.compile(r"(\d+(?:\.\d+)?)\s*k\b|\b(\d{1,3},\d{3}|\d{4,6})\b", re.IGNORECASE)
_WORD: Final = re.compile(
    r"\b(none|minimal|low|medium|(?P<xhigh>x-?high|(?:extra|very)[- ]high)|high|max)\b",
    re.IGNORECASE,
)
_OFF: Final = (
    "nothinking",
    "non-thinking",
    "non-reasoning",
    "no thinking",
    "no",
    "off",
    "disabled",
)
SETTINGS: Final = ("reasoning", "effort")
"""Features that describe how a model was run: rows that differ only in these are one release."""
_SILENT: Final = ("none", "minimal")
"""Efforts at which a model does not reason before it answers."""
_REASONING_WORDS: Final = frozenset(("thinking", "reasoning", "reasoner", "think", "thinker"))
_REASONING_SERIES: Final = re.compile(
    r"openai-o(-.*)?|deepseek-(r|speciale)(-.*)?|qwq.*|qvq.*|gpt-oss.*|magistral.*|minimax-m.*"
    r"|codex-.*|hunyuan-t|ernie-x"
)
"""Series that reason whenever they are run: OpenAI's o1 to o4, DeepSeek-R1, QwQ, gpt-oss."""
_NAMED_AFTER_O1: Final = re.compile(r"o[1-9]")
"""A part of names of other series that reason: Marco-o1, Skywork-o1."""
_REASONING_SINCE: Final = {
    "gpt": 5.0,
    "gpt-mini": 5.0,
    "gpt-nano": 5.0,
    "gpt-pro": 5.0,
    "gpt-codex": 5.0,
    "gpt-codex-mini": 5.0,
    "gpt-codex-max": 5.0,
    "gemini-pro": 2.5,
    "gemini-flash": 3.0,
    "grok": 4.0,
    "grok-heavy": 4.0,
    "grok-multi-agent": 4.0,
}
"""Version from which a series reasons by default."""
_GPT_VARIANT: Final = re.compile(r"gpt-(?!(image|audio|realtime|live|search|oss|instant)\b).+")
"""Variants of GPT that are not listed, which reason as GPT does: "gpt-6-sol"."""
_WITHOUT: Final = re.compile(r"chat|chatgpt|instruct|non|no")
"""Words of models that do not reason although their series does (gpt-5-chat, "GPT-5 (ChatGPT)")."""


def effort_of(text: str) -> str:
    """Return the effort that a text states: a level of `EFFORTS`, or ``"unstated"``.

    Levels are returned unchanged, budgets are classified by `LARGEST_BUDGET_K`.

    Examples
    --------
    >>> [effort_of(text) for text in ("high (default)", "16k", "128K thinking budget", "default")]
    ['high', 'high', 'high', 'unstated']
    """
    word = _WORD.search(text)
    if word:
        return "xhigh" if word["xhigh"] else word[1].casefold()
    if text.strip().casefold() in _OFF:
        return "none"
    budget = _BUDGET.search(text)
    if budget is None:
        return UNSTATED
    thousands = float(budget[1]) if budget[1] else float(budget[2].replace(",", "")) / 1000
    return ("low", "medium", "high")[int(np.searchsorted(LARGEST_BUDGET_K, thousands))]


def reasons_by(text: str) -> float | None:
    """Return 1 or 0 if a text states, by a mode or an effort, whether a model reasons; else None.

    Examples
    --------
    >>> [reasons_by(text) for text in ("high", "none", "Thinking", "non-reasoning", "hybrid")]
    [1.0, 0.0, 1.0, 0.0, None]
    """
    words = re.findall(r"[a-z]+", text.casefold())
    if text.strip().casefold() in _OFF or ({"non", "no", "not", "without"} & set(words)):
        return 0.0
    level = effort_of(text)
    if level != UNSTATED:
        return float(level not in _SILENT)
    return 1.0 if _REASONING_WORDS & set(words) or words == ["on"] else None


def effort(names: Iterable[str]) -> NameReading:
    """Read the reasoning effort that each model's name states.

    Parameters
    ----------
    names
        Names of models, such as ``"o3-2025-04-16_high"`` and ``"claude-opus-4-20250514_16K"``.

    Returns
    -------
    NameReading
        Values of `EFFORTS` and ``"unstated"``; a thinking budget counts as low, medium or high.

    Raises
    ------
    DataError
        If a name is not text.

    Examples
    --------
    >>> ls.readers.effort(["o3_high", "gpt-5 (medium)", "claude-3-opus"]).values.tolist()
    ['high', 'medium', 'unstated']
    """
    column = names_column(names, "effort")
    settings = {name: parse_name(name).setting for name in dict.fromkeys(column)}
    read = [effort_of(settings[name]) for name in column]
    values = pd.Series(read, index=column.index, dtype=object)
    basis = pd.Series([settings[name] for name in column], index=column.index, dtype=object)
    basis = basis.where(values != UNSTATED, "")
    levels = (*EFFORTS, UNSTATED)
    return NameReading(values, basis, levels, Audit(name_findings(column, values, basis, "effort")))


def reasoning(names: Iterable[str]) -> NameReading:
    """Read from each model's name whether it reasons before it answers.

    It does if the name says so ("thinking", "reasoning", an effort, a thinking budget), or if its
    series does (OpenAI's o1 to o4 and GPT-5, DeepSeek-R1, QwQ, gpt-oss, Magistral); it does not if
    the effort is "none" or "minimal". Other models count as not reasoning: a model that can do
    both, named without a setting, is usually listed without reasoning. If a series reasons but the
    same name is also listed with "reasoning" or "thinking", the plain name counts as not reasoning.

    Parameters
    ----------
    names
        Names of models.

    Returns
    -------
    NameReading
        Values 0.0 and 1.0.

    Raises
    ------
    DataError
        If a name is not text.

    Examples
    --------
    >>> ls.readers.reasoning(["o3_high", "claude-3-opus"]).values.tolist()
    [1.0, 0.0]
    """
    column = names_column(names, "reasoning")
    read = {name: _reasons(parse_name(name)) for name in dict.fromkeys(column)}
    contrasted = _contrasted(read)
    read |= dict.fromkeys(contrasted, "")
    values = pd.Series([float(bool(read[name])) for name in column], index=column.index)
    basis = pd.Series([read[name] for name in column], index=column.index, dtype=object)
    yes = {name: reason for name, reason in read.items() if reason}
    reasons = counted(pd.Series(list(yes.values()), dtype=object))
    message = f"{len(yes)} of {len(read)} names are of models that reason"
    message += f" ({reasons})." if yes else "."
    silent = [name for name in read if name not in yes]
    if silent:
        are = "is" if len(silent) == 1 else "are"
        message += f" {len(silent)} {are} taken not to: {listed(silent, 5)}."
    if contrasted:
        message += f" Of {listed(contrasted, 4)} the name is listed with reasoning as well."
    finding = Finding("info", "reasoning-from-names", "model", message)
    return NameReading(values, basis, ("0", "1"), Audit((finding,)))


def _contrasted(read: dict[str, str]) -> list[str]:
    """Return names that reason only by their series and are also listed with a word for it."""
    said = {_without_reasoning(name) for name, why in read.items() if why in _REASONING_WORDS}
    return [
        name
        for name, why in read.items()
        if why and why not in _REASONING_WORDS and not parse_name(name).setting
        if _without_reasoning(name) in said
    ]


def _without_reasoning(name: str) -> str:
    """Return a name in lower case without the words for reasoning."""
    words = re.findall(r"[^\W_]+(?:\.\d+)*", name.casefold())
    return " ".join(word for word in words if word not in _REASONING_WORDS)


def _reasons(name: ModelName) -> str:
    """Return the part of a name that shows that it reasons, empty if there is none."""
    level = effort_of(name.setting)
    if level in _SILENT:
        return ""
    if level != UNSTATED or name.setting in _REASONING_WORDS:
        return name.setting
    word = next((word for word in name.words if word in _REASONING_WORDS), "")
    if word and not {"non", "no"} & set(name.words):
        return word
    if any(_WITHOUT.fullmatch(word) for word in name.words):
        return ""
    if _REASONING_SERIES.fullmatch(name.series):
        return name.series
    after = next((word for word in name.words if _NAMED_AFTER_O1.fullmatch(word)), "")
    if after:
        return after
    since = _REASONING_SINCE.get(name.series)
    if since is None and _GPT_VARIANT.fullmatch(name.series):
        since = _REASONING_SINCE["gpt"]
    try:
        return name.series if since is not None and float(name.number) >= since else ""
    except ValueError:  # "4o"
        return ""
