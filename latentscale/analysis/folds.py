"""Folds: which models or cells a backtest hides."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentscale.analysis.dated_folds import after, chronological, with_given
from latentscale.analysis.tools.fold import (
    MOST_FOLDS,
    Fold,
    as_folds,
    at_least_one,
    by_size,
    check_count,
    check_share,
    dealt,
    folds_of,
    hiding,
    measured_cells,
    spared,
)
from latentscale.data.scores import Scores
from latentscale.dims import checked_seed
from latentscale.errors import DataError, DataWarning, listed
from latentscale.expect import expect, expect_names

__all__ = [
    "Fold",
    "after",
    "as_folds",
    "benchmark_block_out",
    "chronological",
    "folds_of",
    "k_fold_by_cell",
    "k_fold_by_family",
    "largest_member_out",
    "leave_one_family_out",
    "random_cells_out",
    "with_given",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def leave_one_family_out(scores: Scores, n_seen: int = 1) -> tuple[Fold, ...]:
    """Hide all members of a family but its `n_seen` smallest, one family per fold.

    The scheme of Maia Polo et al. 2024 (arXiv:2412.06540), section 4. Only families with more
    than `n_seen` members make a fold; with 0, whole families are hidden. Members of undisclosed
    size count as the largest. If too few members of a family state their size, the first in the
    table stay in the fit, with a warning.

    Parameters
    ----------
    scores
        A table.
    n_seen
        Smallest members of the hidden family that stay in the fit.

    Returns
    -------
    tuple of Fold
        One fold per family, which hides whole models.

    Raises
    ------
    DataError
        If no family is large enough.

    Warns
    -----
    DataWarning
        If fewer than `n_seen` members of a hidden family state their size.

    Examples
    --------
    >>> table = ls.datasets.open_llm_leaderboard()
    >>> folds = ls.folds.leave_one_family_out(table, n_seen=1)
    >>> folds[0].name
    'bloom/seen 1'
    """
    expect(scores, Scores, "scores")
    check_count(n_seen, "n_seen", 0)
    table = by_size(scores)
    folds, unsized = [], []
    for family, members in table.groupby("family", sort=True):
        names = tuple(members["model"])
        if len(names) > n_seen:
            folds.append(hiding(scores, f"{family}/seen {n_seen}", names[n_seen:]))
            if members["params_b"].notna().sum() < n_seen:
                unsized.append(str(family))
    if unsized:
        warnings.warn(
            f"{len(unsized)} families have fewer than {n_seen} members of known size "
            f"({listed(unsized)}), so the first in the table stay in the fit, even if they are "
            "not the smallest. Fill in params_b, or hide whole families (n_seen=0).",
            DataWarning,
            stacklevel=2,
        )
    return at_least_one(folds, f"has more than {n_seen} members")


def largest_member_out(
    scores: Scores, n_folds: int = 5, min_members: int = 3, seed: int = 0
) -> tuple[Fold, ...]:
    """Hide the largest member of families with at least `min_members`, a group of families a fold.

    Families are assigned at random to `n_folds` groups. Members of undisclosed size are neither
    counted nor hidden, since they may or may not be the largest.

    Parameters
    ----------
    scores
        A table.
    n_folds
        Number of folds.
    min_members
        Fewest members of known size for a family's largest to be hidden.
    seed
        Seed of the random numbers.

    Returns
    -------
    tuple of Fold
        At most `n_folds` folds, which hide whole models.

    Raises
    ------
    DataError
        If no family is large enough.

    Examples
    --------
    >>> folds = ls.folds.largest_member_out(fit.scores, n_folds=2, seed=1)
    >>> sum(len(fold.test) for fold in folds)
    8
    """
    expect(scores, Scores, "scores")
    check_count(min_members, "min_members", 1)
    table = by_size(scores).dropna(subset="params_b")
    largest = [
        str(members["model"].iloc[-1])
        for _, members in table.groupby("family", sort=True)
        if len(members) >= min_members
    ]
    folds = [
        hiding(scores, f"largest/{number}", group)
        for number, group in enumerate(dealt(largest, n_folds, seed))
    ]
    return at_least_one(folds, f"has {min_members} members of known size (params_b)")


def k_fold_by_family(scores: Scores, n_folds: int = 5, seed: int = 0) -> tuple[Fold, ...]:
    """Hide whole families, assigned at random to `n_folds` groups.

    Parameters
    ----------
    scores
        A table.
    n_folds
        Number of folds.
    seed
        Seed of the random numbers.

    Returns
    -------
    tuple of Fold
        `n_folds` folds, which hide whole models.

    Raises
    ------
    DataError
        If `n_folds` is below 1.

    Examples
    --------
    >>> len(ls.folds.k_fold_by_family(ls.datasets.open_llm_leaderboard(), 5, seed=1))
    5
    """
    expect(scores, Scores, "scores")
    table = scores.to_frame()
    return tuple(
        hiding(scores, f"families/{number}", tuple(table.loc[table["family"].isin(group), "model"]))
        for number, group in enumerate(dealt(list(scores.families), n_folds, seed))
    )


def random_cells_out(
    scores: Scores, share: float = 0.1, n_folds: int = 5, seed: int = 0
) -> tuple[Fold, ...]:
    """Hide a random share of the measured cells, drawn independently for each fold.

    Each model and each benchmark keeps at least one score.

    Parameters
    ----------
    scores
        A table.
    share
        Share of the measured cells to hide, in (0, 1).
    n_folds
        Number of folds.
    seed
        Seed of the random numbers.

    Returns
    -------
    tuple of Fold
        `n_folds` folds, which hide cells.

    Raises
    ------
    DataError
        If `share` or `n_folds` is out of range.

    Examples
    --------
    >>> folds = ls.folds.random_cells_out(fit.scores, share=0.1, n_folds=3, seed=1)
    >>> [len(fold.cells) for fold in folds]
    [29, 29, 29]
    """
    expect(scores, Scores, "scores")
    check_count(n_folds, "n_folds", 1, MOST_FOLDS)
    check_share(share)
    rng = np.random.default_rng(checked_seed(seed))
    cells = measured_cells(scores)
    return tuple(
        Fold(
            f"cells/{number}", scores.models, (), spared(cells, rng.permutation(len(cells)), share)
        )
        for number in range(n_folds)
    )


def k_fold_by_cell(scores: Scores, n_folds: int = 3, seed: int = 0) -> tuple[Fold, ...]:
    """Hide each model's scores in turn, assigned at random to `n_folds` folds.

    With 3 folds, each hides a third of every model's scores, and every score is hidden once, as in
    BenchPress (arXiv:2606.24020). A score is never hidden if its fold would then keep no score of
    its model or of its benchmark.

    Parameters
    ----------
    scores
        A table.
    n_folds
        Number of folds.
    seed
        Seed of the random numbers.

    Returns
    -------
    tuple of Fold
        At most `n_folds` folds, which hide cells.

    Raises
    ------
    DataError
        If `n_folds` is below 2, or no model has two scores.

    Examples
    --------
    >>> table = ls.datasets.open_llm_leaderboard()
    >>> [fold.name for fold in ls.folds.k_fold_by_cell(table, 3, seed=1)]
    ['cells 1 of 3', 'cells 2 of 3', 'cells 3 of 3']
    """
    expect(scores, Scores, "scores")
    check_count(n_folds, "n_folds", 2, MOST_FOLDS)
    rng = np.random.default_rng(checked_seed(seed))
    cells = measured_cells(scores)
    by_model: dict[str, list[int]] = {}
    for place, (model, _) in enumerate(cells):
        by_model.setdefault(model, []).append(place)
    fold_of_cell = np.empty(len(cells), dtype=int)
    for places in by_model.values():
        # Start at a random fold, so that models with few scores are not all in the first folds.
        start = rng.integers(n_folds)
        fold_of_cell[rng.permutation(places)] = (start + np.arange(len(places))) % n_folds
    dealt = [
        spared(cells, np.flatnonzero(fold_of_cell == number), 1.0) for number in range(n_folds)
    ]
    folds = [
        Fold(f"cells {number} of {n_folds}", scores.models, (), hidden)
        for number, hidden in enumerate(dealt, start=1)
        if hidden
    ]
    if not folds:
        raise DataError(
            "No fold can be made: every score is the only one of its model or of its benchmark."
        )
    return tuple(folds)


def benchmark_block_out(
    scores: Scores, benchmarks: Sequence[str], share: float = 0.3, n_folds: int = 3, seed: int = 0
) -> tuple[Fold, ...]:
    """Hide a block of benchmarks for a random share of the models that also have scores on others.

    Parameters
    ----------
    scores
        A table.
    benchmarks
        The block: names of benchmarks.
    share
        Share of these models whose scores on the block are hidden, in (0, 1).
    n_folds
        Number of folds.
    seed
        Seed of the random numbers.

    Returns
    -------
    tuple of Fold
        `n_folds` folds, which hide cells.

    Raises
    ------
    DataError
        If a benchmark is unknown, or no model has scores on both sides.

    Examples
    --------
    >>> folds = ls.folds.benchmark_block_out(fit.scores, ["gsm8k"], share=0.5, n_folds=1)
    >>> {benchmark for _, benchmark in folds[0].cells}
    {'gsm8k'}
    """
    expect(scores, Scores, "scores")
    check_count(n_folds, "n_folds", 1, MOST_FOLDS)
    check_share(share)
    benchmarks = expect_names(benchmarks, "benchmarks", '["mmlu"]')
    scores.select(benchmarks=benchmarks)
    rng = np.random.default_rng(checked_seed(seed))
    cells = pd.DataFrame(measured_cells(scores), columns=["model", "benchmark"])
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
