"""Folds: which models or cells a backtest hides."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

import numpy as np
import pandas as pd

from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL, checked_seed
from latentscale.errors import DataError, DataWarning, listed
from latentscale.expect import expect, expect_names, shown
from latentscale.validate import is_number, whole_number

Cell = tuple[str, str]

Undated = Literal["leave-out", "train", "test"]

_WANTED = "folds must be a list of folds, or of pairs (train models, test models)"


@dataclass(frozen=True)
class Fold:
    """What one refit sees and what it must forecast.

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
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()


def as_folds(folds: Iterable[Fold | tuple[Sequence[str], Sequence[str]]]) -> tuple[Fold, ...]:
    """Return folds from `Fold` records or from pairs (train models, test models).

    Raises
    ------
    DataError
        If they are of another form, there is none, a name occurs twice, or a model is in both
        parts of a fold.
    """
    if isinstance(folds, Fold | str | bytes | Mapping) or not isinstance(folds, Iterable):
        raise DataError(f"{_WANTED}; got {shown(folds)}.")
    made = tuple(_as_fold(fold, number) for number, fold in enumerate(folds))
    if not made:
        raise DataError("There is no fold; give at least one (train models, test models).")
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
    """Return folds as `as_folds` does, once their models and cells are in the table.

    Raises
    ------
    DataError
        As `as_folds`; also if a fold names an unknown model or benchmark, hides a cell of a model
        that it does not fit, fits no model, or hides nothing.
    """
    made = as_folds(folds)
    known = set(scores.benchmarks)
    for fold in made:
        if not fold.train or not (fold.test or fold.cells):
            lost = "hides nothing" if fold.train else "fits no model"
            raise DataError(f'The fold "{fold.name}" {lost}.')
        scores.select(models=[*fold.train, *fold.test])
        train = set(fold.train)
        for model, benchmark in fold.cells:
            if model not in train:
                raise DataError(
                    f'The fold "{fold.name}" hides {model} on {benchmark}, but does not fit that '
                    "model; cells belong to models of train."
                )
            if benchmark not in known:
                scores.select(benchmarks=[benchmark])
    return made


def leave_one_family_out(scores: Scores, n_seen: int = 1) -> tuple[Fold, ...]:
    """Hide all members of a family but its `n_seen` smallest, one family a fold.

    The scheme of Maia Polo et al. 2024 (arXiv:2412.06540), section 4. Only families with more
    than `n_seen` members make a fold; with 0 whole families are hidden.

    Raises
    ------
    DataError
        If no family is large enough.

    Examples
    --------
    >>> table = ls.datasets.open_llm_leaderboard()
    >>> folds = ls.folds.leave_one_family_out(table, n_seen=1)
    >>> folds[0].name
    'bloom/seen 1'
    """
    expect(scores, Scores, "scores")
    _check_count(n_seen, "n_seen", 0)
    table = _ordered(scores)
    folds = []
    for family, members in table.groupby("family", sort=True):
        names = tuple(members["model"])
        if len(names) > n_seen:
            folds.append(_hide(scores, f"{family}/seen {n_seen}", names[n_seen:]))
    return _some(folds, f"has more than {n_seen} members")


def largest_member_out(
    scores: Scores, n_folds: int = 5, min_members: int = 3, seed: int = 0
) -> tuple[Fold, ...]:
    """Hide the largest member of every family with `min_members` or more, a group a fold.

    Families are dealt at random to `n_folds` groups.

    Raises
    ------
    DataError
        If no family is large enough.
    """
    expect(scores, Scores, "scores")
    _check_count(min_members, "min_members", 1)
    table = _ordered(scores)
    largest = [
        str(members["model"].iloc[-1])
        for _, members in table.groupby("family", sort=True)
        if len(members) >= min_members
    ]
    folds = [
        _hide(scores, f"largest/{number}", group)
        for number, group in enumerate(_deal(largest, n_folds, seed))
    ]
    return _some(folds, f"has {min_members} members")


def k_fold_by_family(scores: Scores, n_folds: int = 5, seed: int = 0) -> tuple[Fold, ...]:
    """Hide whole families, dealt at random to `n_folds` groups: nothing of them is seen.

    Examples
    --------
    >>> len(ls.folds.k_fold_by_family(ls.datasets.open_llm_leaderboard(), 5, seed=1))
    5
    """
    expect(scores, Scores, "scores")
    table = scores.to_frame()
    return tuple(
        _hide(scores, f"families/{number}", tuple(table.loc[table["family"].isin(group), "model"]))
        for number, group in enumerate(_deal(list(scores.families), n_folds, seed))
    )


def random_cells_out(
    scores: Scores, share: float = 0.1, n_folds: int = 5, seed: int = 0
) -> tuple[Fold, ...]:
    """Hide a random share of the measured cells, drawn anew for each fold.

    A model keeps at least one score, and a benchmark too.
    """
    expect(scores, Scores, "scores")
    _check_count(n_folds, "n_folds", 1)
    _check_share(share)
    rng = np.random.default_rng(checked_seed(seed))
    cells = _cells(scores)
    return tuple(
        Fold(
            f"cells/{number}", scores.models, (), _spare(cells, rng.permutation(len(cells)), share)
        )
        for number in range(n_folds)
    )


def benchmark_block_out(
    scores: Scores, benchmarks: Sequence[str], share: float = 0.3, n_folds: int = 3, seed: int = 0
) -> tuple[Fold, ...]:
    """Hide a block of benchmarks for a random share of the models that have others too.

    Raises
    ------
    DataError
        If a benchmark is unknown, or no model has scores on both sides.
    """
    expect(scores, Scores, "scores")
    _check_count(n_folds, "n_folds", 1)
    _check_share(share)
    benchmarks = expect_names(benchmarks, "benchmarks", '["mmlu"]')
    scores.select(benchmarks=benchmarks)
    rng = np.random.default_rng(checked_seed(seed))
    cells = pd.DataFrame(_cells(scores), columns=["model", "benchmark"])
    inside = cells["benchmark"].isin(benchmarks)
    both = sorted(set(cells.loc[inside, "model"]) & set(cells.loc[~inside, "model"]))
    count = int(share * len(both))
    if not count:
        raise DataError(
            f"Too few models have scores both on {listed(benchmarks)} and on other benchmarks."
        )
    folds = []
    for number in range(n_folds):
        drawn = set(rng.choice(both, count, replace=False))
        hidden = cells[inside & cells["model"].isin(drawn)]
        folds.append(
            Fold(f"block/{number}", scores.models, (), tuple(hidden.itertuples(False, None)))
        )
    return tuple(folds)


def chronological(
    scores: Scores, cutoffs: Sequence[str], *, undated: Undated = "leave-out"
) -> tuple[Fold, ...]:
    """Fit what was released before each cutoff date, and forecast what came from then on.

    Parameters
    ----------
    scores
        A table with release dates.
    cutoffs
        Dates, such as ``["2024-01-01"]``, one fold each.
    undated
        What becomes of models without a release date: ``"leave-out"`` (neither fitted nor
        forecast, with a warning that names them), ``"train"`` (fitted in every fold, though they
        may be newer than its cutoff), or ``"test"`` (forecast in every fold).

    Raises
    ------
    DataError
        If the table has no release dates, a cutoff is not a date or is given twice, or it leaves
        nothing on one side.

    Warns
    -----
    DataWarning
        If models are left out for want of a date.
    """
    expect(scores, Scores, "scores")
    if "released" not in scores.dataset:
        raise DataError('The table has no release dates; add a column "released".')
    if undated not in get_args(Undated):
        raise DataError(f"undated must be one of {listed(get_args(Undated))}; got {undated!r}.")
    released = scores.dataset["released"].values
    names = np.array(scores.models, dtype=object)
    unknown = tuple(names[np.isnat(released)])
    if unknown and undated == "leave-out":
        warnings.warn(
            f"{len(unknown)} of {len(names)} models have no release date and are in no fold: "
            f'{listed(unknown)}. Fill in "released", or give undated="train" or "test".',
            DataWarning,
            stacklevel=2,
        )
    more = {side: unknown if side == undated else () for side in ("train", "test")}
    folds = []
    for date in _dates(cutoffs):
        before, after = (tuple(names[known]) for known in (released < date, released >= date))
        if not before or not after:
            raise DataError(f"The cutoff {_day(date)} leaves no dated model on one side of it.")
        folds.append(Fold(f"before {_day(date)}", before + more["train"], after + more["test"]))
    return tuple(folds)


def _dates(cutoffs: object) -> list[np.datetime64]:
    wanted = 'cutoffs must be a list of dates, such as ["2024-01-01"]'
    if isinstance(cutoffs, str) or not isinstance(cutoffs, Iterable):
        raise DataError(f"{wanted}; got {cutoffs!r}.")
    dates = []
    for cutoff in cutoffs:
        date = None
        if not isinstance(cutoff, Real):  # a bare number would be read as nanoseconds
            with suppress(ValueError, TypeError):
                date = pd.Timestamp(cutoff)  # type: ignore[arg-type]
        if date is None or pd.isna(date):
            raise DataError(f"{wanted}; {cutoff!r} is not a date.")
        if date.tzinfo is not None:
            date = date.tz_convert("UTC").tz_localize(None)
        dates.append(date.to_datetime64())
    if not dates:
        raise DataError(f"{wanted}; got none.")
    if len(set(dates)) < len(dates):
        raise DataError("A cutoff is given twice; name each date once.")
    return dates


def _day(date: np.datetime64) -> str:
    stamp = pd.Timestamp(date)
    return str(stamp.date()) if stamp == stamp.normalize() else stamp.isoformat()


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
    pairs = isinstance(made.cells, Sequence) and all(
        isinstance(cell, tuple | list) and len(cell) == 2 and all(isinstance(x, str) for x in cell)
        for cell in made.cells
    )
    if not pairs or isinstance(made.cells, str):
        raise DataError(f"cells {where} must be pairs (model, benchmark); got {made.cells!r:.200}.")
    return Fold(made.name, train, test, tuple((str(m), str(b)) for m, b in made.cells))


def _ordered(scores: Scores) -> pd.DataFrame:
    return scores.to_frame().sort_values(["family", "params_b", "tokens_t"], kind="stable")


def _hide(scores: Scores, name: str, test: Sequence[str]) -> Fold:
    hidden = set(test)
    return Fold(name, tuple(m for m in scores.models if m not in hidden), tuple(test))


def _some(folds: list[Fold], wanted: str) -> tuple[Fold, ...]:
    if not folds:
        raise DataError(f"There is no fold: no family {wanted}.")
    return tuple(folds)


def _deal(names: Sequence[str], n_folds: int, seed: int) -> list[tuple[str, ...]]:
    _check_count(n_folds, "n_folds", 1)
    order = np.random.default_rng(checked_seed(seed)).permutation(len(names))
    groups = [tuple(names[i] for i in order[start::n_folds]) for start in range(n_folds)]
    return [group for group in groups if group]


def _cells(scores: Scores) -> list[Cell]:
    """Return the measured cells, benchmark by benchmark; names are free, so no table is melted."""
    score = scores.dataset["score"].transpose(BENCHMARK, MODEL).values
    rows, columns = np.nonzero(~np.isnan(score))
    models, benchmarks = scores.models, scores.benchmarks
    return [(models[i], benchmarks[j]) for j, i in zip(rows, columns, strict=True)]


def _check_share(share: float) -> None:
    if not is_number(share) or not 0 < share < 1:
        raise DataError(f"share must lie strictly between 0 and 1; got {share!r}.")


def _check_count(count: object, name: str, least: int) -> None:
    whole_number(count, name, least=least, error=DataError)


def _spare(cells: list[Cell], order: np.ndarray, share: float) -> tuple[Cell, ...]:
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
