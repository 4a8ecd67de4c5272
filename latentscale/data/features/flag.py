"""Flags: yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from latentscale.data.columns import cells_of, distinct_cells, number_of_cell, of_kind, read_switch
from latentscale.data.features.base import FEATURES, FeatureKind, Floats
from latentscale.data.problems import Problem

_WORDS: Final = {"yes": 1, "no": 0, "true": 1, "false": 0, "0": 0, "1": 1}


@FEATURES.add
@dataclass(frozen=True)
class Flag(FeatureKind):
    """0 or 1; its covariate is the flag itself, neither centred nor scaled."""

    kind: ClassVar[str] = "flag"
    centred: ClassVar[bool] = False
    place: ClassVar[int] = 10

    @classmethod
    def occurs_in(cls, column: pd.Series) -> bool:
        """Return whether every cell that is filled is 0, 1, or a word for one of them."""
        cells = [_in_numbers(cell) for cell in distinct_cells(column)]
        return bool(cells) and all(not isinstance(c, str) and c in (0, 1) for c in cells)

    def read(self, column: pd.Series, labels: Sequence[str]) -> tuple[Floats, list[Problem]]:
        """Read 0 and 1, True and False, or yes and no."""
        if not (is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype)):
            cells = cells_of(column).copy()
            words = of_kind(cells, str)
            number = {word: _in_numbers(word) for word in dict.fromkeys(cells[words].tolist())}
            cells[words] = list(map(number.__getitem__, cells[words].tolist()))
            column = pd.Series(cells, index=column.index, dtype=object)
        rule = "Allowed: 0 or 1, true or false, yes or no; or an empty cell."
        if self.name == "instruct":
            rule = "Allowed: 1 for an instruction-tuned model, 0 for a base model."
        return read_switch(column, labels, self.name, rule)

    def stepped(self, raw: Floats) -> npt.NDArray[Any]:
        """Return 0 or 1, whichever is commoner, for a mean."""
        return (np.asarray(raw) > 0.5).astype(float)

    def shown(self, raw: float) -> str:
        """Return yes or no."""
        return "yes" if raw == 1 else "no" if raw == 0 else f"{raw:.4g}"


def _in_numbers(cell: Any) -> Any:
    """Return the number that a word stands for; other cells, empty strings included, unchanged."""
    if isinstance(cell, str):
        return np.nan if not cell.strip() else _WORDS.get(cell.strip().casefold(), cell)
    return cell if isinstance(cell, str) or number_of_cell(cell) is not None else _truth(cell)


def _truth(cell: Any) -> Any:
    """Return a truth value unchanged, and anything else as text, which is not a flag."""
    return cell if isinstance(cell, bool | np.bool_) else str(cell)
