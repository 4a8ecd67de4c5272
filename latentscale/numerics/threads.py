"""Threads: the same work over several cores; the compiled loops release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep the linear algebra inside to one thread; also a decorator.

    L-BFGS and whitened coordinates multiply small matrices by the ten thousand. There the
    library's threads only wait for each other, most of all beside other work (32 climbs took 90 s
    for 20 s).
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
