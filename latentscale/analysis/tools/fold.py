"""A fold: training and test scores of one refit of a backtest, with checks and random assignment.

`latentscale.analysis.folds` has the schemes of folds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL, checked_seed
from latentscale.errors import DataError, listed
from latentscale.expect import expect_names, shown
from latentscale.validate import is_number, whole_number

Cell = tuple[str, str]

MOST_FOLDS = 10_000
"""Each fold is a refit: this many would take days."""
_WANTED = "folds must be a list of folds, or of pairs (train models, test models)"


@dataclass(frozen=True)
class Fold:
    """The models that one refit fits, and the scores that it must forecast.

    Attributes
    ----------
    name
        Unique name of the fold.
    train
        Models that are fitted.
    test
        Models that are forecast; none of their scores is fitted.
    cells
        Single cells (model, benchmark) of training models that are hidden and forecast.
    given
        Cells of test models whose scores are hidden from the fit but condition the forecast
        (few-shot). They are not forecast.

    Examples
    --------
    >>> fold = ls.folds.Fold("big", train=("a-7b", "a-13b"), test=("a-70b",))
    >>> fold.test
    ('a-70b',)
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    given: tuple[Cell, ...] = ()


def as_folds(folds: Iterable[Fold | tuple[Sequence[str], Sequence[str]]]) -> tuple[Fold, ...]:
    """Return folds from `Fold` records or from pairs (train models, test models).

    Parameters
    ----------
    folds
        Folds, or pairs of names of models that are fitted and that are forecast.

    Returns
    -------
    tuple of Fold
        In the order given.

    Raises
    ------
    DataError
        If they have another form, there are none, a name occurs twice, or a model is in both parts
        of a fold.

    Examples
    --------
    >>> ls.folds.as_folds([(["a-7b", "a-13b"], ["a-70b"])])[0].test
    ('a-70b',)
    """
    single = isinstance(folds, Fold | str | bytes | Mapping) or getattr(folds, "ndim", 1) == 0
    if single or not isinstance(folds, Iterable):
        raise DataError(f"{_WANTED}; got {shown(folds)}.")
    made = tuple(_as_fold(fold, number) for number, fold in enumerate(folds))
    if not made:
        raise DataError("There are no folds; give at least one (train models, test models).")
    names = [fold.name for fold in made]
    if len(set(names)) < len(names):
        raise DataError("Two folds have the same name; each needs its own.")
    for fold in made:
        both = sorted(set(fold.train) & set(fold.test))
        if both:
            raise DataError(f'{listed(both)}: in both train and test of the fold "{fold.name}".')
    return made


def folds_of(
    folds: Iterable[Fold | tuple[Sequence[str], Sequence[str]]], scores: Scores
) -> tuple[Fold, ...]:
    """Return folds as `as_folds` does, after a check that their models and cells are in the table.

    Parameters
    ----------
    folds
        Folds, or pairs of names of models that are fitted and that are forecast.
    scores
        The table.

    Returns
    -------
    tuple of Fold
        In the order given.

    Raises
    ------
    DataError
        As `as_folds`; also if a fold names an unknown model or benchmark, hides a cell of a model
        that it does not fit, gives a cell of a model that it does not hide or one without a
        score, fits no model, or hides nothing.

    Examples
    --------
    >>> folds = ls.folds.largest_member_out(fit.scores, n_folds=2)
    >>> len(ls.folds.folds_of(folds, fit.scores))
    2
    """
    made = as_folds(folds)
    known = set(scores.benchmarks)
    for fold in made:
        if not fold.train or not (fold.test or fold.cells):
            lost = "hides nothing" if fold.train else "fits no model"
            raise DataError(f'The fold "{fold.name}" {lost}.')
        scores.select(models=[*fold.train, *fold.test])
        _check_cells(fold, scores, known)
    return made


def _check_cells(fold: Fold, scores: Scores, benchmarks: set[str]) -> None:
    """Refuse hidden cells of models that are not fitted, and given cells of models that are."""
    train, test = set(fold.train), set(fold.test)
    named = {benchmark for _, benchmark in (*fold.cells, *fold.given)}
    if named - benchmarks:
        scores.select(benchmarks=sorted(named))
    for model, benchmark in fold.cells:
        if model not in train:
            raise DataError(
                f'The fold "{fold.name}" hides {model} on {benchmark}, but does not fit that '
                "model; cells must belong to train models."
            )
    for model, benchmark in fold.given:
        if model not in test:
            raise DataError(
                f'The fold "{fold.name}" gives {model} on {benchmark}, but does not hide that '
                "model; given scores must belong to test models."
            )
        if bool(scores.dataset["score"].sel({MODEL: model, BENCHMARK: benchmark}).isnull()):
            raise DataError(
                f'The fold "{fold.name}" gives {model} on {benchmark}, but the table has no score '
                "there. Give cells that were measured."
            )


def _as_fold(fold: object, number: int) -> Fold:
    if isinstance(fold, Fold):
        if not isinstance(fold.name, str):
            raise DataError(f"The name of a fold must be text; got {fold.name!r}.")
        made = fold
    else:
        if isinstance(fold, str) or not isinstance(fold, Sequence) or len(fold) != 2:
            raise DataError(f"{_WANTED}; entry {number} is {shown(fold)}.")
        made = Fold(f"fold {number}", fold[0], fold[1])
    where, example = f'of the fold "{made.name}"', '("pythia-1b", "pythia-2.8b")'
    train = expect_names(made.train, f"train {where}", example)
    test = expect_names(made.test, f"test {where}", example)
    cells = _as_cells(made.cells, f"cells {where}")
    return Fold(made.name, train, test, cells, _as_cells(made.given, f"given {where}"))


def _as_cells(cells: object, what: str) -> tuple[Cell, ...]:
    pairs = isinstance(cells, Sequence) and not isinstance(cells, str)
    if not pairs or not all(
        isinstance(cell, tuple | list) and len(cell) == 2 and all(isinstance(x, str) for x in cell)
        for cell in cells  # type: ignore[attr-defined]
    ):
        raise DataError(f"{what} must be pairs (model, benchmark); got {cells!r:.200}.")
    return tuple((str(model), str(benchmark)) for model, benchmark in cells)  # type: ignore[attr-defined]


def by_size(scores: Scores) -> pd.DataFrame:
    """Return the models by family, smallest first, unknown sizes last."""
    return scores.to_frame().sort_values(["family", "params_b", "tokens_t"], kind="stable")


def hiding(scores: Scores, name: str, test: Sequence[str]) -> Fold:
    """Return a fold that hides these models and fits all others."""
    hidden = set(test)
    return Fold(name, tuple(m for m in scores.models if m not in hidden), tuple(test))


def at_least_one(folds: list[Fold], wanted: str) -> tuple[Fold, ...]:
    """Return the folds; refuse an empty list, in which no family is as wanted."""
    if not folds:
        raise DataError(f"No fold can be made: none of the families {wanted}.")
    return tuple(folds)


def dealt(names: Sequence[str], n_folds: int, seed: int) -> list[tuple[str, ...]]:
    """Assign names to groups at random; empty groups are left out."""
    check_count(n_folds, "n_folds", 1, MOST_FOLDS)
    order = np.random.default_rng(checked_seed(seed)).permutation(len(names))
    groups = [tuple(names[i] for i in order[start::n_folds]) for start in range(n_folds)]
    return [group for group in groups if group]


def measured_cells(scores: Scores) -> list[Cell]:
    """Return the measured cells, benchmark by benchmark."""
    score = scores.dataset["score"].transpose(BENCHMARK, MODEL).values
    rows, columns = np.nonzero(~np.isnan(score))
    models, benchmarks = scores.models, scores.benchmarks
    return [(models[i], benchmarks[j]) for j, i in zip(rows, columns, strict=True)]


def check_share(share: float) -> None:
    """Refuse a share that is not strictly between 0 and 1."""
    if not is_number(share) or not 0 < share < 1:
        raise DataError(f"share must lie strictly between 0 and 1; got {share!r}.")


def check_count(count: object, name: str, least: int, most: int | None = None) -> None:
    """Refuse anything but a whole number in the range."""
    whole_number(count, name, least=least, most=most, error=DataError)


def spared(cells: list[Cell], order: np.ndarray, share: float) -> tuple[Cell, ...]:
    """Take cells in this order, but never the last remaining one of a model or benchmark."""
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
