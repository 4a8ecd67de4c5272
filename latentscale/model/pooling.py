"""Partial pooling of benchmarks' own parameters: a learned mean and spread instead of a prior.

A benchmark with three scores then has about the intercept, loadings, precision and ceiling of a
typical benchmark (of its group), and one with a hundred scores has its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from latentscale.declare.prior import POSITIVE, REAL, Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, maths_of
from latentscale.model.design import Design
from latentscale.model.priors import coordinate, declare_parameters, deterministic, standard_normal

GROUP: str = "benchmark_group"

WHERE = "benchmarks.pooled"
"""The spec's field that switches pooling on."""

_GROUP_SPREAD = Prior("HalfNormal", sigma=0.5)
"""Groups differ less than single benchmarks, whose spread is near 1 on these scales."""


@dataclass(frozen=True)
class Pooling:
    """A parameter of benchmarks, pooled on the real line: x_j = mean + group_g(j) + spread z_j.

    Attributes
    ----------
    name
        Name of the parameter.
    support
        Its support: positive parameters are exp(x_j), shares sigmoid(x_j).
    mean, spread
        Default priors of the mean and of the standard deviation, on the real line.
    rest
        Dims other than the benchmark; mean and spread have them too.
    alike
        Whether the spreads are without these dims, and so the same along them.
    """

    name: str
    support: str
    mean: Prior
    spread: Prior
    rest: tuple[str, ...] = field(default=())
    alike: bool = False

    @property
    def slots(self) -> dict[str, PriorSlot]:
        """Priors of the mean, the spread and the groups' spread if benchmarks are pooled."""
        scale = {REAL: "", POSITIVE: " (log scale)"}.get(self.support, " (logit scale)")
        what = f"{self.name.replace('_', ' ')} over benchmarks{scale}, with {WHERE}"
        return {
            f"{self.name}_mean": PriorSlot(self.mean, f"mean of the {what}"),
            f"{self.name}_spread": PriorSlot(self.spread, f"standard deviation of the {what}"),
            f"{self.name}_group_spread": PriorSlot(
                _GROUP_SPREAD, f"standard deviation of the groups' means of the {what}"
            ),
        }

    @property
    def latents(self) -> dict[str, str]:
        """The standard normal variables, with the spec's field for them."""
        return {f"{self.name}_raw": WHERE, f"{self.name}_group_raw": WHERE}

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the `latents` that a model of this table has."""
        return (
            tuple(self.latents)
            if benchmark_groups(design.scores.dataset)
            else (f"{self.name}_raw",)
        )

    def parameters(self, design: Design) -> dict[str, Parameter]:
        """Return mean and spread, and the groups' spread if benchmarks are in groups."""
        mean = f"{self.name}_mean"
        spreads = [f"{self.name}_spread"]
        if benchmark_groups(design.scores.dataset):
            spreads.append(f"{self.name}_group_spread")
        dims = () if self.alike else self.rest
        return {mean: Parameter(mean, self.rest)} | {n: Parameter(n, dims) for n in spreads}

    def declare(
        self, spec: ModelSpec, design: Design, start: np.ndarray | None = None
    ) -> tuple[dict[str, Named], Named]:
        """Add the hierarchy to the open PyMC model; return its values and the parameter.

        Parameters
        ----------
        spec, design
            The model and its table.
        start
            Initial value of z for optimisers and samplers, dims (benchmark, ...); 0 by default.
        """
        values = declare_parameters(spec, self.parameters(design))
        raw = standard_normal(self.name, (BENCHMARK, *self.rest), start)
        x = values[f"{self.name}_mean"] + values[f"{self.name}_spread"] * raw
        groups = benchmark_groups(design.scores.dataset)
        if groups:
            coordinate(GROUP, groups)
            own = standard_normal(f"{self.name}_group", (GROUP, *self.rest))
            x = x + self._of_groups(values | {f"{self.name}_group_raw": own}, design)
        maths = maths_of(x)
        if self.support == POSITIVE:
            return values, maths.exp(x)
        return values, x if self.support == REAL else maths.sigmoid(x)

    def middle(self, values: Mapping[str, Named], design: Design) -> Named:
        """Return the values around which benchmarks vary: the mean plus their groups' effects."""
        mean = values[f"{self.name}_mean"]
        if not benchmark_groups(design.scores.dataset):
            return mean
        return mean + self._of_groups(values, design)

    def _of_groups(self, values: Mapping[str, Named], design: Design) -> Named:
        """Return the groups' effects on their benchmarks, dims (benchmark, ...)."""
        own = values[f"{self.name}_group_raw"]
        member = maths_of(own).named(_membership(design.scores.dataset), (BENCHMARK, GROUP))
        return (member * (own * values[f"{self.name}_group_spread"])).sum(GROUP)


def benchmark_groups(table: xr.Dataset) -> list[str]:
    """Return the groups with two or more benchmarks, sorted."""
    count = Counter(group_of_benchmark(table))
    return sorted(name for name, times in count.items() if name and times > 1)


def group_of_benchmark(table: xr.Dataset) -> list[str]:
    """Return the name of each benchmark's group, empty for none."""
    if "group" not in table:
        return [""] * table.sizes[BENCHMARK]
    return [str(name) for name in table["group"].values]


def declared_or_pooled(
    pooling: Pooling | None, name: str, plain: Mapping[str, Named], spec: ModelSpec, design: Design
) -> dict[str, Named]:
    """Return values with a parameter that is either already among them or pooled.

    Parameters
    ----------
    pooling
        How it is pooled; None if it has its own prior and is in `plain`.
    name
        Name of the variable.
    plain
        Values that are already declared.
    spec, design
        The model and its table.
    """
    if pooling is None:
        return dict(plain)
    values, parameter = pooling.declare(spec, design)
    return {**plain, **values, name: deterministic(name, parameter)}


def _membership(table: xr.Dataset) -> np.ndarray:
    """Return whether a benchmark is in a group, shape (benchmark, group)."""
    groups = benchmark_groups(table)
    return np.array([[float(own == g) for g in groups] for own in group_of_benchmark(table)])
