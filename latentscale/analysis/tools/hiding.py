"""What folds share: how models and cells are dealt, hidden and spared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentscale.analysis.tools.fold import Cell, Fold
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL, checked_seed
from latentscale.errors import DataError
from latentscale.validate import is_number, whole_number

MOST_FOLDS = 10_000
"""Each fold is a fit: so many take days."""


def by_size(scores: Scores) -> pd.DataFrame:
    """Return the models family by family, the smallest first, those of unknown size last."""
    return scores.to_frame().sort_values(["family", "params_b", "tokens_t"], kind="stable")


def hiding(scores: Scores, name: str, test: Sequence[str]) -> Fold:
    """Return a fold that hides these models and fits all others."""
    hidden = set(test)
    return Fold(name, tuple(m for m in scores.models if m not in hidden), tuple(test))


def at_least_one(folds: list[Fold], wanted: str) -> tuple[Fold, ...]:
    """Return folds; refuse where no family is as wanted."""
    if not folds:
        raise DataError(f"No fold can be made: none of the families {wanted}.")
    return tuple(folds)


def dealt(names: Sequence[str], n_folds: int, seed: int) -> list[tuple[str, ...]]:
    """Deal names at random to groups; groups that would be empty are left out."""
    check_count(n_folds, "n_folds", 1, MOST_FOLDS)
    order = np.random.default_rng(checked_seed(seed)).permutation(len(names))
    groups = [tuple(names[i] for i in order[start::n_folds]) for start in range(n_folds)]
    return [group for group in groups if group]


def measured_cells(scores: Scores) -> list[Cell]:
    """Return the measured cells, benchmark by benchmark; names are free, so no table is melted."""
    score = scores.dataset["score"].transpose(BENCHMARK, MODEL).values
    rows, columns = np.nonzero(~np.isnan(score))
    models, benchmarks = scores.models, scores.benchmarks
    return [(models[i], benchmarks[j]) for j, i in zip(rows, columns, strict=True)]


def check_share(share: float) -> None:
    """Refuse a share that does not lie in (0, 1)."""
    if not is_number(share) or not 0 < share < 1:
        raise DataError(f"share must lie strictly between 0 and 1; got {share!r}.")


def check_count(count: object, name: str, least: int, most: int | None = None) -> None:
    """Refuse what is not a whole number in the range."""
    whole_number(count, name, least=least, most=most, error=DataError)


def spared(cells: list[Cell], order: np.ndarray, share: float) -> tuple[Cell, ...]:
    """Take cells in this order, but never the last one of a model or of a benchmark."""
    models = Counter(model for model, _ in cells)
    benchmarks = Counter(benchmark for _, benchmark in cells)
    taken: list[Cell] = []
    for index in order:
        model, benchmark = cells[index]
        if len(taken) >= share * len(cells):
            break
        if models[model] > 1 and benchmarks[benchmark] > 1:
            models[model] -= 1
            benchmarks[benchmark] -= 1
            taken.append((model, benchmark))
    return tuple(taken)
