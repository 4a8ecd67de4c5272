"""How a model was tuned, by the words and signs of a leaderboard's column Type."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.columns import is_missing
from latentscale.data.empty import is_empty
from latentscale.data.known_features import INSTRUCT
from latentscale.data.readers.published.columns import Roles

TUNING: Final[Mapping[str, str]] = {
    "continuously": "continued",
    "🟩": "continued",
    "pretrained": "pretrained",
    "pre-trained": "pretrained",
    "🟢": "pretrained",
    "domain": "fine-tuned",
    "chat": "chat",
    "💬": "chat",
    "merge": "merge",
    "🤝": "merge",
    "multimodal": "multimodal",
    "🌸": "multimodal",
    "instruction-tuned": "chat",  # these three in exports of the leaderboard's first year
    "rl-tuned": "chat",
    "fine-tuned": "fine-tuned",
    "🔶": "fine-tuned",
}
"""Words and signs of the column Type, and the level of ``tuning`` that each means; the first match
applies."""
_ALONE: Final[Mapping[str, float]] = {
    **dict.fromkeys(("base", "base model", "foundation", "pretraining"), 0.0),
    **dict.fromkeys(("instruct", "instruction", "instruction tuned", "it", "sft", "rlhf"), 1.0),
}
"""Complete cells of such columns that state whether a model is instruction-tuned."""
_HEADING: Final = re.compile(
    r"t|(model[ _-]?)?(type|kind)|tuning|training[ _-]?type", re.IGNORECASE
)
_MOST: Final = 0.5
"""Share of a column's cells that must be understood; a column Type about other things has fewer."""


def tuning_of(kind: object) -> str | None:
    """Return the level of ``tuning`` that a cell means, None where it means none."""
    text = "" if is_missing(kind) else str(kind).casefold()
    return next((level for word, level in TUNING.items() if word in text), None)


def instruct_of(kind: object) -> float:
    """Return 1 for an instruction-tuned model, 0 for a base one, NaN if a cell states neither."""
    text = "" if is_missing(kind) else str(kind).strip().casefold().replace("-", " ")
    levels = {"chat": 1.0, "pretrained": 0.0, "continued": 0.0}
    return _ALONE.get(text, levels.get(tuning_of(kind) or "", np.nan))


def with_types(table: pd.DataFrame, roles: Roles, own: Collection[str] = ()) -> Roles:
    """Return roles in which a column of types states whether models are tuned, if no other does.

    Parameters
    ----------
    table, roles
        A published table, and what its columns are.
    own
        Columns that the caller declares.
    """
    free = [name for name in roles.others if name not in own]
    column = None if INSTRUCT in roles.columns else _column_of_types(table, free)
    if column is None:
        return roles
    others = tuple(name for name in roles.others if name != column)
    return replace(roles, columns={**roles.columns, INSTRUCT: column}, others=others)


def _column_of_types(table: pd.DataFrame, names: list[str]) -> str | None:
    """Return the column among `names` that states how models were tuned, None if none does."""
    for name in sorted((n for n in names if _HEADING.fullmatch(n.strip())), key=len, reverse=True):
        filled = [cell for cell in table[name].tolist() if not is_empty(cell)]
        known = sum(not np.isnan(instruct_of(cell)) for cell in filled)
        if filled and known >= _MOST * len(filled):
            return name
    return None
