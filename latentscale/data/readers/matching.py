"""Matching rows of a table to models whose names are written as paths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

_GENERIC: Final = re.compile(
    r"\.*|((checkpoint|ckpt|step|epoch|iter|global_step|run|v)[-_.]?)?[0-9]+(k|b|m|-hf|_hf)?"
    r"|checkpoints?|ckpts?|final|last|latest|best|main|model|models|hf|huggingface|outputs?"
    r"|merged|weights|export|snapshot|[0-9a-f]{40}"
)
"""Folder names that do not identify the model in them, as in "/ckpt/zeta/final"."""


def _path(name: object) -> tuple[str, ...]:
    """Return the parts of a name or path, ignoring case and slashes at its end."""
    steps = re.split(r"[\\/]+", str(name).strip().casefold())
    return tuple(step for step in steps if step)


def _alike(model: object, known: object) -> bool:
    """Return whether two names with the same ending may be the same model."""
    first, second = _path(model), _path(known)
    if not _GENERIC.fullmatch(first[-1]):
        return True
    # One of them is literally the end of the other: "omega/final" of "/ckpt/omega/final".
    size = min(len(first), len(second))
    return first[-size:] == second[-size:]


def matching_rows(
    models: Sequence[str], known: Sequence[str]
) -> tuple[dict[str, int], dict[str, str]]:
    """Return the row of each model, and the models that were matched by their short names.

    Parameters
    ----------
    models
        Names of models as a source has them.
    known
        Names of the rows of a table of metadata.

    Returns
    -------
    tuple
        Places in `known` by model, and names in `known` by model if only the last parts of two
        paths agree. A last part matches nothing if two models or two rows have it, or if it does
        not identify a model ("final") and the folders above it differ.
    """
    exact = {name: row for row, name in enumerate(known)}
    row_of = {name: exact[name] for name in models if name in exact}
    open_models = Counter(_path(name)[-1:] for name in models if name not in row_of)
    open_rows: dict[tuple[str, ...], list[int]] = {}
    for row, name in enumerate(known):
        if name not in row_of:
            open_rows.setdefault(_path(name)[-1:], []).append(row)
    by_short = {}
    for name in (name for name in models if name not in row_of):
        short = _path(name)[-1:]
        rows = open_rows.get(short, [])
        if short and len(rows) == 1 and open_models[short] == 1 and _alike(name, known[rows[0]]):
            by_short[name] = str(known[rows[0]])
            row_of[name] = rows[0]
    return row_of, by_short
