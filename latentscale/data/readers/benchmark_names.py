"""Names of benchmarks: other spellings of known ones, and the groups of all."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, squeezed
from latentscale.data.columns import cells_of
from latentscale.data.frames import AnyFrame, as_pandas
from latentscale.data.layout import METADATA
from latentscale.expect import expect, expect_names

# Spellings that mean one thing only. "MATH" is not here: it may be the whole set or its level 5.
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "arc": ("arcc", "arcchallenge", "ai2arcchallenge", "arc25shot", "arcchallenge25shot"),
    "hellaswag": ("hellaswag10shot",),
    "mmlu": ("mmlu5shot", "hendryckstest"),
    "truthfulqa": ("truthfulqamc2", "truthfulqa0shot"),
    "winogrande": ("winogrande5shot",),
    "gsm8k": ("gsm8k5shot",),
    "ifeval": ("leaderboardifeval", "ifevalraw"),
    "bbh": ("bigbenchhard", "leaderboardbbh", "bbhraw"),
    "math_lvl5": ("mathlevel5", "mathhard", "leaderboardmathhard", "mathlvl5raw"),
    "gpqa": ("leaderboardgpqa", "gpqaraw"),
    "musr": ("leaderboardmusr", "musrraw"),
    "mmlu_pro": ("leaderboardmmlupro", "mmluproraw"),
}
_GROUPS: Final[Sequence[tuple[str, str]]] = (
    (
        r"(?<!cl)aime|hmmt|math|usamo|brumo|cmimc|smt_|imo_|cnmo|apex_2025|gsm|frontiermath",
        "mathematics",
    ),
    (
        r"swe(?![re])|codeforces|livecodebench|humaneval|aider|bigcode|ojbench|scicode|mbpp|multipl",
        "code",
    ),
    (r"nl2repo|artifactsbench|bird_sql|cybergym|repoqa", "code"),
    (
        r"(?<![a-z])(web|visualweb|work|crm)arena|android_?world|terminal|tau\d?_|mcp|toolathlon|bfcl|complexfunc|osworld|vending|finance_agent",
        "agents",
    ),
    (r"browsecomp|(?<![a-z])xbench|gaia|widesearch|deepsearch|finsearch|frames", "search"),
    (r"mrcr|graphwalks|longbench|lcr", "long context"),
    (r"mmmu|charxiv|erqa|screenspot|omnidoc|babyvision|vibe_eval|video_mm", "vision"),
    (r"ifeval|ifbench|multi_if|if_hard|collie|multichallenge|infobench", "instructions"),
    (r"simpleqa|factscore|longfact|facts_|popqa|truthful|bullshit", "factuality"),
    (r"arena|alpaca|gdpval|index|livebench|safety|healthbench", "mixed"),
    (r"arc_agi", "puzzles"),
    (r"mgsm|mmmlu|global_piqa|c_eval|cluewsc", "languages"),
    (r"gpqa|(?<![a-z])hle|humanity_?s_last_exam|critpt|supergpqa", "science"),
    (r"mmlu|(?<![a-z])drop(?!out)|bigbench", "knowledge"),
)
"""Groups of benchmarks by parts of their ids; the first match applies."""
_FIXED_GROUPS: Final[Mapping[str, str]] = {
    "mathvista": "vision",
    "mathvision": "vision",
    "mgsm": "languages",
    "mmmlu": "languages",
    "aa_lcr": "long context",
    "browsecomp_long_context_128k": "long context",
    "hle_tools": "search",
    "chinese_simpleqa": "factuality",
}
"""Benchmarks whose ids contain parts of another group's."""


def same_benchmark(name: str) -> str | None:
    """Return the known benchmark that a name spells differently, or None.

    Case, spaces and punctuation are ignored. Misspellings are not matched: the audit of the scores
    names the nearest known benchmark.

    Parameters
    ----------
    name
        A benchmark's name as a source spells it.

    Returns
    -------
    str or None
        The known name.

    Raises
    ------
    DataError
        If `name` is not text.

    Examples
    --------
    >>> same_benchmark("ARC-Challenge"), same_benchmark("MMLU-PRO"), same_benchmark("hellaswga")
    ('arc', 'mmlu_pro', None)
    """
    expect(name, str, "name", 'such as "ARC-Challenge"')
    letters = squeezed(name)
    for known in KNOWN_BENCHMARKS:
        if letters == squeezed(known) or letters in _SPELLINGS.get(known, ()):
            return known
    return None


def match_benchmarks(
    frame: AnyFrame, *, keep: Collection[str] = ()
) -> tuple[pd.DataFrame, list[Finding]]:
    """Rename the benchmarks of a wide or long table to their known names.

    A name is kept if it is already a known name, if it does not mean a known benchmark, or if two
    names of the table mean the same benchmark.

    Parameters
    ----------
    frame
        As for `Scores.from_frame` or `Scores.from_long`. It is not modified.
    keep
        Names to leave unchanged.

    Returns
    -------
    tuple
        The table with its new names, and one finding per changed name.

    Raises
    ------
    DataError
        If `frame` is not a table, or `keep` is not a list of names.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["a-1b"], "MMLU-PRO": [0.3]})
    >>> renamed, findings = ls.readers.match_benchmarks(table)
    >>> renamed.columns.tolist(), findings[0].code
    (['model', 'mmlu_pro'], 'benchmark-renamed')
    """
    frame = as_pandas(frame, "These names cannot be matched")
    keep = expect_names(keep, "keep", '["mmlu"]')
    if {"benchmark", "score"} <= set(frame.columns):
        cells = cells_of(frame["benchmark"])
        known_name = _matched(dict.fromkeys(cell for cell in cells if isinstance(cell, str)), keep)
        renamed = [known_name.get(cell, cell) if isinstance(cell, str) else cell for cell in cells]
        column = pd.Series(renamed, index=frame.index, dtype=object)
        return frame.assign(benchmark=column), _renamed(known_name)
    known_name = _matched([name for name in frame.columns if isinstance(name, str)], keep)
    return frame.rename(columns=known_name), _renamed(known_name)


def _matched(names: Iterable[str], keep: Collection[str]) -> dict[str, str]:
    """Return new names by old, for names that are the only ones to mean a known benchmark."""
    meaning: dict[str, list[str]] = defaultdict(list)
    for name in names:
        known = None if name.strip() in METADATA or name in keep else same_benchmark(name)
        if known is not None:
            meaning[known].append(name)
    return {
        spelt[0]: known
        for known, spelt in meaning.items()
        if len(spelt) == 1 and spelt[0].strip() != known
    }


def _renamed(known_name: Mapping[str, str]) -> list[Finding]:
    return [
        Finding("info", "benchmark-renamed", known, f'read from "{name}".')
        for name, known in known_name.items()
    ]


def plain_name(name: str) -> str:
    """Return a benchmark's name as an id: lower-case letters and digits with underscores.

    Examples
    --------
    >>> plain_name("τ²-Bench Telecom"), plain_name("MMLU-Pro - COT correct")
    ('tau2_bench_telecom', 'mmlu_pro')
    """
    first = name.split(" - ", maxsplit=1)[0]  # what follows is the metric
    text = unicodedata.normalize("NFKC", first).casefold().replace("τ", "tau")
    return re.sub(r"[\W_]+", "_", text).strip("_")


def group_of(name: str) -> str:
    """Return the group of a benchmark by its id, an empty string for none."""
    return _FIXED_GROUPS.get(name) or next(
        (group for pattern, group in _GROUPS if re.search(pattern, name)), ""
    )
