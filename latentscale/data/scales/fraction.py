"""Fractions from 0 to 1: accuracies, pass rates, error rates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from latentscale.data.problems import Problem, at_cells, at_column
from latentscale.data.scales.base import SCALES, Floats, Scale

_PERCENT_TOP: Final = 100.0
_OTHER_UNIT: Final = re.compile(
    r"elo|rating|arena|minute|second|hour|dollar|usd|cost|price|revenue|profit|balance|latency"
)
"""Words in a column's name that mean a unit other than percent."""
_SLIPS: Final = 0.1
"""Largest share of scores above 100 that count as slips among percentages, if there are several:
a tenth of a column is seldom mistyped, but minutes and points lie on both sides of 100."""


@SCALES.add
class FractionScale(Scale):
    """Scores are fractions from 0 to 1."""

    kind: ClassVar[str] = "fraction"
    bounded: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    kept_as: ClassVar[str] = "fraction"

    def problems(
        self, values: Floats, rows: Sequence[int], labels: Sequence[str], name: str
    ) -> list[Problem]:
        """Return the problems of scores that are not fractions; percentages are recognised."""
        known = int(np.count_nonzero(~np.isnan(values)))
        above = values > 1
        count = int(np.count_nonzero(above))
        if _mixed(values):
            return [
                *_mixed_problem(values, name),
                *_cell_problems(values < 0, values, rows, labels, name),
            ]
        if count > 1 and values[values < 0].size > 1:
            return [at_column(name, _signed(values, known, name))]
        problems = []
        if count > 1 and 2 * count >= known:
            typical = _middle(values[above])
            percent = _are_percentages(values, known) and not _OTHER_UNIT.search(name.casefold())
            text = f"{count} of {known} scores lie above 1 (such as {typical:g}): "
            problems.append(at_column(name, text + _conversion(name, percent)))
            above = values > (_PERCENT_TOP if percent else np.inf)
        hint = " If it is a percentage, divide it by 100."
        return [
            *problems,
            *_cell_problems(above & (values <= _PERCENT_TOP), values, rows, labels, name, hint),
            *_cell_problems(above & (values > _PERCENT_TOP), values, rows, labels, name),
            *_cell_problems(values < 0, values, rows, labels, name),
        ]


FRACTION: Final = FractionScale()
"""The scale of a benchmark that states none."""


def _signed(values: Floats, known: int, name: str) -> str:
    """Return what to do with numbers both below 0 and above 1, such as an index."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (
        f"{int((values < 0).sum())} of {known} scores lie below 0 and {int((values > 1).sum())} "
        f"above 1 ({low:g} to {high:g}), so these are neither fractions from 0 to 1 nor "
        f"percentages. If it is an index or a rating, pass {_call(name, 'real')}; if it is not a "
        f'benchmark, declare it as a feature, features=["{name}"], or drop it.'
    )


def _conversion(name: str, percent: bool) -> str:
    """Return what to do with a column that does not hold fractions."""
    if percent:
        return (
            "these look like percentages. Scores are fractions from 0 to 1: divide the column by "
            f"100, or pass {_call(name, 'percent')}. If they have another unit (a rating, "
            'minutes, dollars), the scale is "real" or "positive".'
        )
    return (
        "these are not fractions from 0 to 1. If they have a unit of their own, pass "
        f"{_call(name, 'real')} (a rating such as Elo) or "
        f"{_call(name, 'positive')} (minutes, dollars); otherwise rescale the column. If it is not "
        f'a benchmark, declare it as a feature, features=["{name}"], or drop it.'
    )


def _call(name: str, scale: str) -> str:
    """Return the argument that sets a column's scale; messages on long tables bracket the name."""
    inside = re.fullmatch(r"score \[(.*)\]", name)
    return f'benchmarks={{"{inside[1] if inside else name}": Benchmark(scale="{scale}")}}'


def _mixed(values: Floats) -> bool:
    """Return whether a column holds several fractions and several percentages.

    A single one of either is taken as a slip and reported with its row.
    """
    inside = (values > 0) & (values < 1)
    above = (values > 1) & (values <= _PERCENT_TOP)
    return bool(inside.sum() > 1 and above.sum() > 1 and not (values > _PERCENT_TOP).any())


def _are_percentages(values: Floats, known: int) -> bool:
    """Return whether scores above 1 are percentages: nearly all are up to 100."""
    over = int(np.count_nonzero(values > _PERCENT_TOP))
    return over <= max(1, _SLIPS * known)


def _middle(values: Floats) -> float:
    """Return the middle one of these scores; the lower of two for an even number."""
    return float(np.quantile(values, 0.5, method="lower"))


def _mixed_problem(values: Floats, name: str) -> list[Problem]:
    inside, above = values[(values > 0) & (values < 1)], values[values > 1]
    text = (
        f"{len(above)} scores lie above 1 (such as {_middle(above):g}) and {len(inside)} between "
        f"0 and 1 (such as {_middle(inside):g}): fractions and percentages seem to be mixed. "
        "Divide the percentages by 100, row by row. If all of them are percentages, pass "
        f"{_call(name, 'percent')}; if they have another unit, "
        f"{_call(name, 'positive')}."
    )
    return [at_column(name, text)]


def _cell_problems(
    mask: np.ndarray,
    values: Floats,
    rows: Sequence[int],
    labels: Sequence[str],
    name: str,
    hint: str = "",
) -> list[Problem]:
    rule = "Scores are fractions from 0 to 1; correct it, or leave the cell empty." + hint
    index = np.flatnonzero(mask).tolist()
    chosen = values[index].tolist()
    return at_cells(name, [rows[i] for i in index], [labels[i] for i in index], chosen, rule)
