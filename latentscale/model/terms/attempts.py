"""s_j: how success rates differ between items, which makes pass@k and pass@1 one benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.errors import SpecError
from latentscale.maths import Named
from latentscale.model.attempts import ATTEMPTS, FIRST, SPREAD, first_of_each
from latentscale.model.design import Design
from latentscale.model.priors import coordinate, declare_parameters, deterministic
from latentscale.model.scaled import CEILING
from latentscale.model.terms.base import Term

TASK = "attempted_task"
_PLACE = "attempted_task_index"
_RATE = "task_item_spread"


@TERMS.add
class Attempts(Term):
    """Benchmarks with several attempts per item: pass@k from the success rates of pass@1.

    Items' success rates are Beta with the expected score of one attempt as mean. Benchmarks of one
    task (``latentscale.Benchmark(attempts=10, task="humaneval")``) share everything except their
    precision: each uses the task's linear predictor and curve (floor, ceiling, the link's
    parameters), so more attempts never score lower. Their own intercepts, loadings and curves are
    not used, and keep their priors.

    Scores of exactly 1, frequent at many attempts, are fitted half an item lower. This makes items
    look slightly more different than they are: `s_j` comes out too small.
    """

    kind: Literal["attempts"] = "attempts"
    equation: ClassVar[str] = (
        r"\mu^{(k)}_{ij} = 1 - \frac{B(\mu_{ij} s_j,\, (1 - \mu_{ij}) s_j + k)}"
        r"{B(\mu_{ij} s_j,\, (1 - \mu_{ij}) s_j)}"
    )
    order: ClassVar[int] = 96
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        # At a mean of 1/2 rates are uniform at 2, nearly all or nothing at 0.1, and alike at 10.
        "item_spread": PriorSlot(
            Prior("LogNormal", mu=0, sigma=1),
            "s_j, concentration of items' success rates around their mean: small if items are "
            "always or never solved",
        )
    }

    def known(self, table: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return attempts, and the place of each benchmark's task among benchmarks and tasks."""
        first = first_of_each(table)
        tasks = _tasks(table)
        names = table[BENCHMARK].values.tolist()
        place = [tasks.index(names[i]) if names[i] in tasks else 0 for i in first]
        attempts = table[ATTEMPTS].values if ATTEMPTS in table else np.ones(len(first))
        return {
            ATTEMPTS: xr.DataArray(attempts.astype(float), dims=(BENCHMARK,)),
            FIRST: xr.DataArray(first, dims=(BENCHMARK,)),
            _PLACE: xr.DataArray(np.array(place, dtype="int64"), dims=(BENCHMARK,)),
        }

    def curve_places(self, design: Design) -> npt.NDArray[np.int64]:
        """Return the place of the first benchmark of each benchmark's task."""
        return first_of_each(design.scores.dataset)

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of each task's items."""
        return {_RATE: Parameter("item_spread", (TASK,))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the spreads, dims (attempted_task,), and those of benchmarks."""
        table = design.scores.dataset
        tasks = _tasks(table)
        if not tasks:
            raise SpecError(
                "terms, attempts: no benchmark of this table has several attempts. Declare them "
                'when the table is read, as in benchmarks={"humaneval pass@10": '
                'Benchmark(attempts=10, task="humaneval")}, or leave the term out.'
            )
        _refuse_other_bounds(design)
        coordinate(TASK, tasks)
        values = declare_parameters(spec, self.parameters(spec, design))
        place: Any = self.known(table)[_PLACE].values
        spread = values[_RATE].isel({TASK: _index(place)})
        return values | {SPREAD: deterministic(SPREAD, spread)}


def _index(places: np.ndarray) -> Named:
    from latentscale.maths import as_data

    return as_data(places, (BENCHMARK,))


def _refuse_other_bounds(design: Design) -> None:
    """Refuse benchmarks of a task whose floor or ceiling differs from that of its first."""
    names = list(design.scores.benchmarks)
    for bound, known in design.known_curve.items():
        if bound not in ("floor", CEILING):
            continue
        first = first_of_each(design.scores.dataset)
        for place in np.flatnonzero(known.values != known.values[first]):
            own, other = float(known.values[place]), float(known.values[first[place]])
            raise SpecError(
                f'terms, attempts: "{names[place]}" states the {bound} {own:g}, but '
                f'"{names[first[place]]}", of the same task, {other:g}. The {bound} refers to one '
                f"attempt: give all benchmarks of a task the same one, as in benchmarks="
                f'{{"{names[place]}": Benchmark({bound}={other:g}, attempts=..., task=...)}}.'
            )


def _tasks(table: xr.Dataset) -> list[str]:
    """Return the first benchmark of each task that some benchmark has several attempts at."""
    if ATTEMPTS not in table:
        return []
    names = table[BENCHMARK].values.tolist()
    several = table[ATTEMPTS].values > 1
    firsts = first_of_each(table)
    return list(dict.fromkeys(names[i] for i, many in zip(firsts, several, strict=True) if many))
