"""Memory: how much a forecast takes, how much is available, and what to do if it is too little."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from latentscale.errors import FitError
from latentscale.posterior.fit import Fit

_NUMBER: Final = 8
"""Bytes of a 64-bit floating-point number."""
_OVERHEAD: Final = 1.25
"""Factor for arrays held in addition to the result: at most those of one block (see
`latentscale.analysis.tools.blocks.SHARE`)."""
_WHILE_CONDITIONED: Final = 3
"""Arrays held while a group is conditioned: its matrix, matrix times curvatures, a transpose."""
_SMALL: Final = 64e6
"""Bytes of a forecast that is never refused: less than the package takes when imported."""
_UNKNOWN: Final = 8e9
"""Bytes assumed if the system does not report its memory: those of a small laptop."""
_NO_LIMIT: Final = 2**60
"""Control groups write a number about this large, or larger, for "no limit"."""
_FEWEST_DRAWS: Final = 100
"""Below this many draws the ends of an interval are too noisy to advise thinning."""


def refuse_too_large(fit: Fit, rows: int, draws: int, *, beside: int = 0) -> None:
    """Refuse a forecast whose result does not fit in memory.

    Parameters
    ----------
    fit
        A fit.
    rows, draws
        Number of rows and of posterior draws of the forecast.
    beside
        Array elements kept for each row and draw in addition to the forecast.

    Raises
    ------
    FitError
        Naming the size, what is available, and how many draws or rows would fit.
    """
    size = forecast_bytes(fit, rows, draws) + _NUMBER * rows * draws * beside
    needed = _OVERHEAD * size
    if size <= _SMALL or needed <= (free := available_bytes()):
        return
    share = free / needed
    remedies = [f"forecast at most {_rounded(rows * share):,} rows at a time"]
    if draws * share >= _FEWEST_DRAWS:
        few = _rounded(draws * share)
        remedies.insert(0, f"thin the draws with draws={few}, where the function takes that")
    what = (
        f"The forecast of {rows:,} rows x {draws:,} draws x {len(fit.scores.benchmarks):,} "
        "benchmarks"
    )
    raise _too_large(what, size, free, remedies)


def refuse_too_many_given(numbers: float, scores: int) -> None:
    """Refuse to condition on scores of one group of families whose latents do not fit in memory.

    Groups are conditioned one after the other, and each on blocks of posterior draws.

    Parameters
    ----------
    numbers
        Array elements held for the group on a single posterior draw.
    scores
        Number of its cells, which the latents enter.

    Raises
    ------
    FitError
        Naming the size, what is available, and what would fit.
    """
    size = _NUMBER * numbers
    needed = _WHILE_CONDITIONED * size
    if size <= _SMALL or needed <= (free := available_bytes()):
        return
    most = _rounded(scores * (free / needed) ** 0.5)  # latents grow with the cells
    remedies = [
        f"give the scores of at most {most:,} cells at a time",
        "add the rows to the table and fit again",
    ]
    what = f"Conditioning on {scores:,} scores of one family or lineage, even on a single draw,"
    raise _too_large(what, size, free, remedies)


def _too_large(what: str, size: float, free: float, remedies: Sequence[str]) -> FitError:
    """Return the error for a result of `size` bytes where `free` bytes are available."""
    return FitError(
        f"{what} takes {size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of memory are available. "
        f"Either {', or '.join(remedies)}."
    )


def forecast_bytes(fit: Fit, rows: int, draws: int) -> int:
    """Return the size of a forecast's arrays in bytes: scores, expected scores, skills, ..."""
    benchmarks = len(fit.scores.benchmarks)
    each = 2 * benchmarks + fit.spec.skills.count
    each += benchmarks if fit.spec.benchmarks.precision_covariates else 0
    return _NUMBER * rows * draws * each


def available_bytes() -> float:
    """Return how many bytes this process can still allocate without swapping, as far as known."""
    limits = [_of_the_machine(), _of_the_group(), _of_the_process()]
    known = [value for value in limits if value is not None]
    return max(min(known), 0.0) if known else _UNKNOWN


def _of_the_machine() -> float | None:
    """Return the available memory on Linux; elsewhere all memory, if known."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    with suppress(AttributeError, ValueError, OSError):
        return float(os.sysconf("SC_PHYS_PAGES")) * float(os.sysconf("SC_PAGE_SIZE"))
    return None


def _of_the_group() -> float | None:
    """Return the remaining part of a container's limit (control groups, version 2 or 1)."""
    limits = []
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, own = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            top = Path("/sys/fs/cgroup", controllers)
            names = ("memory.max", "memory.current")
            if controllers:
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            here = top / own.lstrip("/")
            for folder in (here, *here.parents):
                if folder.is_relative_to(top):
                    limits.append(_left_in(folder, *names))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _left_in(folder: Path, limit: str, used: str) -> float | None:
    with suppress(OSError, ValueError):
        most = float((folder / limit).read_text())  # "max" (unlimited) is not a number
        if most >= _NO_LIMIT:
            return None
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # The kernel reclaims file pages that were not used recently.
        return most - float((folder / used).read_text()) + float(counts.get("inactive_file", 0))
    return None


def _of_the_process() -> float | None:
    """Return the remaining part of a limit on the process's address space (``ulimit -v``)."""
    if sys.platform == "win32":
        return None
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return None
    used = 0.0
    with suppress(OSError, ValueError):
        pages = float(Path("/proc/self/statm").read_text().split()[0])
        used = pages * resource.getpagesize()
    return float(most) - used


def _rounded(value: float) -> int:
    """Return a whole number of at most `value`, to two digits, and at least 1."""
    whole = max(int(value), 1)
    unit = int(10 ** max(len(str(whole)) - 2, 0))
    return whole // unit * unit
