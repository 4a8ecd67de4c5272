"""The parts of a model: coordinates do not hold a second copy of it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.traversal import graph_inputs

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.dims import MODEL
from latentscale.model.build import build_design
from latentscale.model.centring import centred_coordinates, level_coordinates
from latentscale.model.design import Design, design
from latentscale.model.feasible import feasible
from latentscale.model.parts import parts_of


def data_of(graphs: list[Any]) -> list[Any]:
    """Return a graph's data on models."""
    shared = [v for v in graph_inputs(graphs) if isinstance(v, SharedVariable)]
    return [v for v in shared if MODEL in getattr(v.type, "dims", ())]


def made(name: str, scores: Scores) -> tuple[ls.ModelSpec, Design, pm.Model]:
    """Return a spec, its design and its model."""
    spec = feasible(ls.load_spec(name), scores)
    prepared = design(spec, scores)
    return spec, prepared, build_design(spec, prepared)


@pytest.fixture(scope="module")
def dated(small_scores: Scores) -> Scores:
    """Return models with dates, as `capabilities` needs."""
    frame = small_scores.to_frame().drop(columns=["params_b", "tokens_t", "instruct", "delta"])
    days = pd.to_timedelta(40 * np.arange(len(frame)), unit="D")
    frame = frame.assign(released=pd.Timestamp("2024-05-01") + days, reasoning=frame.index % 2)
    frame["size_class"] = np.where(frame.index % 3, "mini", "large")
    info = {
        name: ls.Benchmark(group="maths") for name in small_scores.benchmarks if name != "delta"
    }
    return Scores.from_frame(frame, benchmarks=info)


@pytest.mark.parametrize(
    ("name", "coordinates"),
    [("capabilities", centred_coordinates), ("latentscale", level_coordinates)],
)
def test_coordinates_take_the_covariates_that_the_model_has(
    name: str, coordinates: Any, dated: Scores, small_scores: Scores
) -> None:
    made_of = made(name, dated if name == "capabilities" else small_scores)
    model = made_of[2]
    own = data_of([*model.free_RVs, *model.observed_RVs])
    graphs = [graph for c in coordinates(*made_of) for graph in (c.value, c.log_jacobian)]
    copies = [
        v
        for v in data_of(graphs)
        if not any(v is one for one in own)
        and any(
            v.type.dims == one.type.dims and np.array_equal(v.get_value(), one.get_value())
            for one in own
        )
    ]
    assert parts_of(model).rows.covariates
    assert copies == []


def test_a_model_is_not_kept_by_its_parts(small_scores: Scores) -> None:
    model = weakref.ref(made("pooled_flops", small_scores)[2])
    gc.collect()
    assert model() is None
