"""Groups of models forecast one by one, in this process or in worker processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.tools.refits import whole
from latentscale.errors import FitError, FitWarning
from latentscale.inference.progress import WorkProgress
from latentscale.inference.tools.workers import in_workers
from latentscale.posterior.draws import NothingKept

_TOGETHER = 4
"""Groups in one task of a worker process: they share computations on the fitted scores, about a
third of a group's time, and a stop loses the groups of unfinished tasks."""


@dataclass(frozen=True)
class _Outcome:
    """The outcome for one group: its forecast, or why it has none, and its warnings."""

    place: int
    part: Forecast | None
    said: str
    others: tuple[warnings.WarningMessage, ...] = ()


def one_by_one(
    groups: Sequence[list[str]],
    forecast: Callable[[list[str]], Forecast],
    progress: bool,
    workers: int = 1,
) -> Iterator[tuple[list[str], Forecast | None, str]]:
    """Yield each group with its forecast and its warnings, or with None and why it has none.

    Parameters
    ----------
    groups
        Names of the models of each group.
    forecast
        Forecasts the models of these names.
    progress
        Whether to show how many groups are done.
    workers
        Processes that forecast at once. With several, groups are yielded as they finish.

    Raises
    ------
    KeyboardInterrupt
        If a refit was stopped: stopping one refit stops all.
    """
    together = 1 if workers == 1 else min(_TOGETHER, -(-len(groups) // workers))
    tasks = [
        list(enumerate(groups[first : first + together], start=first))
        for first in range(0, len(groups), max(together, 1))
    ]
    work = partial(_outcomes, forecast=forecast)
    done = 0
    with WorkProgress(len(groups), "forecasts", "groups", enabled=progress) as bar:
        for number, made in in_workers(work, tasks, workers):
            if isinstance(made, BaseException):
                made = [_Outcome(place, None, str(made)) for place, _ in tasks[number]]
            for one in made:
                for other in one.others:
                    warnings.warn(other.message, other.category, stacklevel=3)
                yield groups[one.place], one.part, one.said
            done += len(made)
            bar.update(done)


def _outcomes(
    task: list[tuple[int, list[str]]], forecast: Callable[[list[str]], Forecast]
) -> list[_Outcome]:
    """Forecast groups, each given with its position, one after the other."""
    return [_outcome(place, names, forecast) for place, names in task]


def _outcome(place: int, names: list[str], forecast: Callable[[list[str]], Forecast]) -> _Outcome:
    """Forecast one group; a failure is returned, so that the others continue."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FitWarning)
            part = forecast(names)
        if part.conditioning is not None and part.conditioning.fit is not None:
            whole(part.conditioning.fit)
    except NothingKept:  # a refit that was stopped before its first draw
        raise KeyboardInterrupt from None
    except FitError as failure:
        return _Outcome(place, None, str(failure))
    own = [str(one.message) for one in caught if issubclass(one.category, FitWarning)]
    others = [one for one in caught if not issubclass(one.category, FitWarning)]
    return _Outcome(place, part, "; ".join(own), tuple(others))
