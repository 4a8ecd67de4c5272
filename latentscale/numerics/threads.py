"""Threads: tasks spread over several cores; compiled loops release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Restrict linear algebra inside to one thread; also a decorator.

    L-BFGS and whitened coordinates multiply tens of thousands of small matrices. The library's
    threads then mostly wait for each other, above all next to other work (32 climbs took 90 s
    instead of 20 s).
    """
    with threadpool_limits(1, user_api="blas"):
        yield


def in_threads[Task, Result](
    work: Callable[[Task], Result], tasks: Iterable[Task], cores: int | None
) -> list[Result]:
    """Return the results of `work` on each task, in order; None for as many cores as there are."""
    count = cores or os.cpu_count() or 1
    if count == 1:
        return [work(task) for task in tasks]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, tasks))
