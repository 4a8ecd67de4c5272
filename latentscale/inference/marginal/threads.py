"""Threads: the same work over several cores; the compiled loops release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor


def in_threads[Task, Result](
    work: Callable[[Task], Result], tasks: Iterable[Task], cores: int | None
) -> list[Result]:
    """Return the results of `work` on each task, in order; None for as many cores as there are."""
    count = cores or os.cpu_count() or 1
    if count == 1:
        return [work(task) for task in tasks]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, tasks))
