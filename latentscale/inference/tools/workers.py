"""Workers: the same function on many tasks, in processes here or on the workers of a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib

from latentscale.errors import FitError

_CONNECT_SECONDS = 15
"""A scheduler on the same network answers within seconds."""


def in_workers[Task, Result](
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    cluster: str | None = None,
) -> Iterator[tuple[int, Result | BaseException]]:
    """Yield the place of each task with its result, as they finish.

    Parameters
    ----------
    work
        A function of a module, which other processes can import.
    tasks
        What it is given, one each.
    workers
        Tasks that run at once, each in its own process; 1 for this process alone.
    cluster
        Address of a dask.distributed scheduler whose workers run them instead.

    Yields
    ------
    Place and result; where a worker of the cluster was lost, or the work raised there, the error
    in place of the result.

    Raises
    ------
    FitError
        If the cluster cannot be reached.
    """
    if cluster is not None and tasks:
        yield from _on_cluster(work, tasks, cluster)
        return
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    calls = (joblib.delayed(_placed)(work, place, task) for place, task in enumerate(tasks))
    yield from parallel(calls)


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
