"""v_ig: effects of individual models on groups of benchmarks beyond the skills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import SpecError
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.pooling import GROUP, benchmark_groups, group_of_benchmark
from latentscale.model.priors import coordinate, declare_parameters, deterministic, standard_normal
from latentscale.model.terms.base import Rows, Term

_INDEX = "benchmark_group_index"
_MEMBER = "benchmark_group_member"


@TERMS.add
class ModelGroup(Term):
    """A model x group effect: a model is better or worse at all benchmarks of a group.

    Groups come from `latentscale.Benchmark(group=...)`, and each has its own variance. A group of
    one benchmark has no effect, because it would not be identified separately from noise.
    """

    kind: Literal["model-group"] = "model-group"
    equation: ClassVar[str] = (
        r"\eta_{ij} \mathrel{+}= v_{i,g(j)}, "
        r"\quad v_{ig} \sim \mathrm{Normal}(0, \psi_g^2) \text{ for benchmark group } g"
    )
    order: ClassVar[int] = 94
    component: ClassVar[str | None] = "model x benchmark group"
    component_place: ClassVar[int] = 60
    model_effect: ClassVar[str | None] = "model_group"
    latents: ClassVar[Mapping[str, str]] = {"model_group_raw": "terms, model-group"}
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "model_group_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "standard deviation of model x group effects v_ig, by group",
            reading="shift",
        )
    }

    def idle(self, scores: Scores) -> str | None:
        """Return the reason if no benchmarks share a group; else None."""
        if benchmark_groups(scores.dataset):
            return None
        return (
            "no group has two benchmarks or more (groups are named when the table is read, as in "
            'benchmarks={"gpqa": Benchmark(group="science"), ...})'
        )

    def known(self, table: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return the index of each benchmark's group, and whether it has one; (benchmark,)."""
        names = group_of_benchmark(table)
        places = {name: place for place, name in enumerate(benchmark_groups(table))}
        index = np.array([places.get(name, 0) for name in names], dtype="int64")
        member = np.array([float(name in places) for name in names])
        return {
            _INDEX: xr.DataArray(index, dims=(BENCHMARK,)),
            _MEMBER: xr.DataArray(member, dims=(BENCHMARK,)),
        }

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of each group's effects."""
        return {"model_group_scale": Parameter("model_group_scale", (GROUP,))}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the effects, dims (model, benchmark_group)."""
        groups = benchmark_groups(design.scores.dataset)
        if not groups:
            raise SpecError(
                "terms, model-group: no group has two benchmarks or more. Name groups when the "
                'table is read, as in benchmarks={"gpqa": Benchmark(group="science"), ...}, or '
                "leave the term out."
            )
        coordinate(GROUP, groups)
        values = declare_parameters(spec, self.parameters(spec, design))
        raw = standard_normal("model_group", (MODEL, GROUP))
        effect = deterministic("model_group", raw * values["model_group_scale"])
        return values | {"model_group": effect}

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...]:
        """Return the effects."""
        groups = benchmark_groups(design.scores.dataset)
        of_benchmark = np.array(group_of_benchmark(design.scores.dataset))
        of_cell = of_benchmark[design.benchmark_of_cell]
        counts = np.zeros((len(design.scores.models), len(groups)), dtype=np.int64)
        for place, group in enumerate(groups):
            np.add.at(counts[:, place], design.model_of_cell[of_cell == group], 1)
        effect = NormalEffect(
            "model_group",
            (MODEL, GROUP),
            scale=EffectScale("model_group_scale", (GROUP,)),
            scores=counts,
            labels={GROUP: groups},
        )
        return (effect,)

    def predictor(
        self, values: Mapping[str, Named], rows: Rows, skill: Named | None
    ) -> Named | None:
        """Return v_i,g(j); None where rows are on their family's curve."""
        if "model_group" not in values:
            return None
        effect = values["model_group"].isel({GROUP: values[_INDEX]})
        if isinstance(effect, xr.DataArray):
            effect = effect.drop_vars(GROUP, errors="ignore")
        return effect * values[_MEMBER]
