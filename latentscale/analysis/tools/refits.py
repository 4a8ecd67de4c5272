"""Many refits for one analysis: run in parallel, saved in a folder as they finish, and resumed.

Each refit returns one table. What is fitted and tabulated is defined by
`latentscale.analysis.backtest` and `latentscale.analysis.sensitivity.sensitivity_grid`.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import pandas as pd

from latentscale.analysis.tools.refit_files import (
    claimed,
    read_fold,
    refuse_unwritable,
    write_fold,
)
from latentscale.dims import VERSION
from latentscale.errors import FitError, FitWarning, listed
from latentscale.inference.method import Method
from latentscale.inference.progress import WorkProgress
from latentscale.inference.tools.workers import in_workers
from latentscale.posterior.draws import NothingKept
from latentscale.posterior.fit import Fit


class Refit(ABC):
    """One refit with all that a worker process needs."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in messages, unique within an analysis."""

    @property
    @abstractmethod
    def file(self) -> Path | None:
        """File of its table; None if it is not saved."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns of its table."""

    @abstractmethod
    def table(self) -> pd.DataFrame:
        """Fit, and return the table."""

    def read(self) -> pd.DataFrame | None:
        """Return the table from disk; None if its file is missing or damaged."""
        if self.file is None or not self.file.is_file():
            return None
        return read_fold(self.file, self.columns)


@dataclass(frozen=True)
class _Outcome:
    """The outcome of one refit: its table, why it failed, or that another process fits it.

    `unkept` says why its table could not be written to the folder.
    """

    name: str
    table: pd.DataFrame | None = None
    failed: str = ""
    busy: bool = False
    unkept: str = ""


def whole(fit: Fit) -> Fit:
    """Return a refit if it is complete; if the user stopped it, stop all refits.

    Methods return the draws so far when they are stopped. The table of such a refit must not be
    saved as that of a finished one, and Ctrl-C is meant for all refits.

    Raises
    ------
    KeyboardInterrupt
        If the fit was stopped before its end.
    """
    if fit.status.interrupted:
        raise KeyboardInterrupt
    return fit


def in_one_process(method: Method, workers: int, cluster: str | None = None) -> Method:
    """Let each process use one core if several refits run at once."""
    return method.on_one_core() if workers > 1 or cluster is not None else method


def refuse_store(method: Method, each: str) -> None:
    """Refuse a method that writes its draws to one folder, since there are many fits.

    Raises
    ------
    FitError
        Saying what every `each` is, and what to give instead.
    """
    if getattr(method, "store", None) is not None:
        raise FitError(
            f"method.store is one folder for one fit, but every {each} is a fit of its own; leave "
            f"it out, and give `folder` to keep finished {each}s."
        )


def run_refits(
    refits: Sequence[Refit],
    workers: int,
    cluster: str | None = None,
    *,
    title: str,
    unit: str,
    progress: bool,
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Return the tables of refits by name, in their order, and the reasons of failures.

    Parameters
    ----------
    refits
        What to fit; refits with intact files are read instead.
    workers
        Refits that run at once, each in its own process.
    cluster
        Address of a dask.distributed scheduler whose workers run them instead.
    title, unit
        Title of the progress display, and its word for several refits.
    progress
        Whether to show how many are done.

    Raises
    ------
    FitError
        If the folder cannot be used, or the cluster cannot be reached.

    Warns
    -----
    FitWarning
        About files that were truncated or changed, and tables that could not be saved.
    """
    tables: dict[str, pd.DataFrame] = {}
    failed: dict[str, str] = {}
    unkept = []
    kept, todo = _kept(refits, unit)
    for folder in {refit.file.parent for refit in todo if refit.file is not None}:
        refuse_unwritable(folder)
    with WorkProgress(len(refits), title, unit, enabled=progress) as shown:
        for done, outcome in enumerate(chain(kept, _run_all(todo, workers, cluster)), start=1):
            if outcome.table is None:
                failed[outcome.name] = outcome.failed
            else:
                tables[outcome.name] = outcome.table
            if outcome.unkept:
                unkept.append(outcome.unkept)
            shown.update(done, f"{len(failed)} failed" if failed else "")
    if unkept:
        warnings.warn(
            f"{len(unkept)} finished {unit} were not kept. {unkept[0]}", FitWarning, stacklevel=3
        )
    return {refit.name: tables[refit.name] for refit in refits if refit.name in tables}, failed


def _kept(refits: Sequence[Refit], unit: str) -> tuple[list[_Outcome], list[Refit]]:
    """Return the outcomes saved in the folder, and the refits still to run."""
    kept, todo, spoiled = [], [], []
    written: dict[str, int] = {}
    for refit in refits:
        table = refit.read()
        if table is not None:
            version = str(table.attrs.pop("version", "")) or VERSION
            written[version] = written.get(version, 0) + 1
            kept.append(_Outcome(refit.name, table))
            continue
        todo.append(refit)
        if refit.file is not None and refit.file.is_file():
            spoiled.append(refit.file)
    if spoiled:
        warnings.warn(
            f"{len(spoiled)} files of finished {unit} were truncated or changed since they were "
            f"written, and their {unit} are fitted again: {listed(spoiled)}.",
            FitWarning,
            stacklevel=4,
        )
    written.pop(VERSION, None)
    if written:
        by = ", ".join(f"{count} by {version}" for version, count in written.items())
        warnings.warn(
            f"Finished {unit} in the folder were fitted by another version of latentscale ({by}; "
            f"this is {VERSION}), and are used unchanged: their numbers may differ from what this "
            "version gives. Give another folder to fit them again.",
            FitWarning,
            stacklevel=4,
        )
    return kept, todo


def _run_all(refits: list[Refit], workers: int, cluster: str | None) -> Iterator[_Outcome]:
    """Run refits; those that another process is fitting come last, to be read when it is done."""
    busy = set()
    for outcome in _run_some(refits, workers, cluster, wait=False):
        if outcome.busy:
            busy.add(outcome.name)
        else:
            yield outcome
    if busy:
        rest = [refit for refit in refits if refit.name in busy]
        yield from _run_some(rest, workers, cluster, wait=True)


def _run_some(
    refits: list[Refit], workers: int, cluster: str | None, *, wait: bool
) -> Iterator[_Outcome]:
    """Run refits in parallel; if a worker is lost, only its refit fails."""
    for place, outcome in in_workers(partial(_run, wait=wait), refits, workers, cluster):
        if isinstance(outcome, BaseException):
            reason = f"{type(outcome).__name__}: {outcome}"
            yield _Outcome(refits[place].name, failed=reason)
        else:
            yield outcome


def _run(refit: Refit, wait: bool) -> _Outcome:
    """Run one refit; a failure is returned, so that the others continue."""
    if refit.file is None:
        return _fitted(refit)
    try:
        with claimed(refit.file, wait=wait) as mine:
            if not mine:
                return _Outcome(refit.name, busy=True)
            table = refit.read()
            return _fitted(refit) if table is None else _Outcome(refit.name, table)
    except OSError as error:
        return _Outcome(refit.name, failed=f"The folder cannot be used: {error}")


def _fitted(refit: Refit) -> _Outcome:
    try:
        table = refit.table()
    except NothingKept:
        raise KeyboardInterrupt from None
    except Exception as error:  # a failure of one refit must not stop the others
        return _Outcome(refit.name, failed=f"{type(error).__name__}: {error}")
    if refit.file is not None:
        try:
            write_fold(table, refit.file)
        except FitError as error:
            return _Outcome(refit.name, table, unkept=str(error))
    return _Outcome(refit.name, table)
