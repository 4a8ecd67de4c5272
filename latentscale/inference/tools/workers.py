"""Workers: one function on many tasks, in local processes or on a scheduler's workers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import joblib

from latentscale.errors import FitError, FitWarning
from latentscale.markup import counted

_CONNECT_SECONDS = 15
"""A scheduler on the same network answers within seconds."""


def in_workers[Task, Result](
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    cluster: str | None = None,
) -> Iterator[tuple[int, Result | BaseException]]:
    """Yield the index of each task with its result, as they finish.

    Parameters
    ----------
    work
        A function in a module, so that other processes can import it.
    tasks
        Its arguments, one per call.
    workers
        Tasks to run at once, each in its own process; 1 to use only this process.
    cluster
        Address of a dask.distributed scheduler whose workers run the tasks instead.

    Yields
    ------
    Index and result; an error instead of the result if the worker was lost (for instance, killed
    for lack of memory), or if the work raised on a cluster.

    Raises
    ------
    FitError
        If the cluster cannot be reached.

    Warns
    -----
    FitWarning
        If a process was killed, so that the remaining tasks run one at a time.
    """
    if cluster is not None and tasks:
        yield from _on_cluster(work, tasks, cluster)
        return
    left = dict(enumerate(tasks))
    try:
        for place, result in _here(work, left, workers):
            del left[place]
            yield place, result
    except BrokenProcessPool:  # a process was killed, which ends all that were running
        warnings.warn(
            "A worker process was killed, most often because memory ran out. What is left "
            f"({counted(len(left), 'task')}) runs one at a time. Fewer workers need less memory.",
            FitWarning,
            stacklevel=2,
        )
        yield from _apart(work, left)


def _here(work: Callable[[Any], Any], tasks: dict[int, Any], workers: int) -> Iterator[Any]:
    """Yield index and result of tasks in processes on this machine, as they finish.

    Raises
    ------
    BrokenProcessPool
        If one of the processes was killed; it is not known which.
    """
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    yield from parallel(joblib.delayed(_placed)(work, *one) for one in list(tasks.items()))


def _apart(work: Callable[[Any], Any], tasks: dict[int, Any]) -> Iterator[Any]:
    """Run each task alone in a separate process, so that a killed one does not affect others."""
    for place, task in tasks.items():
        try:
            # One of the two workers is idle; with only one, joblib would use this process.
            yield from _here(work, {place: task}, 2)
        except BrokenProcessPool:
            yield (
                place,
                FitError(
                    "its worker process was killed, most often because memory ran out. Free "
                    "memory, or give the fit fewer draws or chains, and run it again."
                ),
            )


def _placed(work: Callable[[Any], Any], place: int, task: Any) -> tuple[int, Any]:
    return place, work(task)


def _on_cluster(
    work: Callable[[Any], Any], tasks: Sequence[Any], address: str
) -> Iterator[tuple[int, Any]]:
    with _connected(address) as (client, as_completed):
        asked = {client.submit(work, task, pure=False): place for place, task in enumerate(tasks)}
        for future in as_completed(list(asked), loop=client.loop):
            lost = future.exception()
            yield asked[future], future.result() if lost is None else lost


@contextmanager
def _connected(address: str) -> Iterator[tuple[Any, Any]]:
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise FitError(
            "cluster needs dask.distributed: pip install 'latentscale[cluster]'."
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TypeError, ValueError) as error:
        raise FitError(
            f"No dask scheduler answers at {address!r}: {error}. Start one with `dask scheduler`, "
            "and give the address that it prints."
        ) from None
    with client:
        yield client, as_completed
