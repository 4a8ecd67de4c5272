"""What names of benchmarks say in tables that declare none: their group."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

_GROUPS: Final[Sequence[tuple[str, str]]] = (
    (r"aime|hmmt|math|usamo|brumo|cmimc|smt_|imo_|cnmo|apex_2025|gsm|frontiermath", "mathematics"),
    (r"swe|codeforces|livecodebench|humaneval|aider|bigcode|ojbench|scicode|mbpp|multipl", "code"),
    (r"nl2repo|artifactsbench|bird_sql|cybergym|repoqa", "code"),
    (r"terminal|tau\d?_|mcp|toolathlon|bfcl|complexfunc|osworld|vending|finance_agent", "agents"),
    (r"browsecomp|xbench|gaia|widesearch|deepsearch|finsearch|frames", "search"),
    (r"mrcr|graphwalks|longbench|lcr", "long context"),
    (r"mmmu|charxiv|erqa|screenspot|omnidoc|babyvision|vibe_eval|video_mm", "vision"),
    (r"ifeval|ifbench|multi_if|if_hard|collie|multichallenge|infobench", "instructions"),
    (r"simpleqa|factscore|longfact|facts_|popqa|truthful|bullshit", "factuality"),
    (r"arena|alpaca|gdpval|index|livebench|safety|healthbench", "mixed"),
    (r"arc_agi", "puzzles"),
    (r"mgsm|mmmlu|global_piqa|c_eval|cluewsc", "languages"),
    (r"gpqa|hle|critpt|supergpqa", "science"),
    (r"mmlu|drop|bigbench", "knowledge"),
)
"""Groups of benchmarks by parts of their ids, the first that fits."""
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
"""Benchmarks whose ids hold parts of another group's."""


def plain_name(name: str) -> str:
    """Return a benchmark's name as an id: small letters and digits with underscores.

    Examples
    --------
    >>> plain_name("τ²-Bench Telecom"), plain_name("MMLU-Pro - COT correct")
    ('tau2_bench_telecom', 'mmlu_pro')
    """
    first = name.split(" - ", maxsplit=1)[0]  # what follows is the metric
    text = unicodedata.normalize("NFKC", first).casefold().replace("τ", "tau")
    return re.sub(r"[\W_]+", "_", text).strip("_")


def group_of(name: str) -> str:
    """Return the group of a benchmark by its id, an empty text for none."""
    return _FIXED_GROUPS.get(name) or next(
        (group for pattern, group in _GROUPS if re.search(pattern, name)), ""
    )
