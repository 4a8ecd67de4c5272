"""Refit: one design, many tables that differ in their scores alone.

The package's own sampler is used; it compiles a model once in a process and passes it the table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL
from latentscale.model.design import Design
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit, Provenance
from latentscale.posterior.status import Status
from latentscale.spec import ModelSpec


def with_scores(design: Design, score_of_cell: np.ndarray) -> Design:
    """Return the design with other scores in its cells."""
    table = np.full((len(design.scores.models), len(design.scores.benchmarks)), np.nan)
    table[design.model_of_cell, design.benchmark_of_cell] = score_of_cell
    dataset = design.scores.dataset.assign(score=((MODEL, BENCHMARK), table))
    return replace(design, scores=Scores(dataset), score_of_cell=score_of_cell)


def as_fit(spec: ModelSpec, design: Design, posterior: xr.Dataset, seed: int) -> Fit:
    """Wrap draws, dims (chain, draw, ...), as the package's own kind of fit."""
    status = Status(True, None, False, "made by benchmarks/refit.py")
    return Fit(
        spec=spec,
        scores=design.scores,
        tree=to_tree(spec, design, Draws(posterior, None, status, {})),
        status=status,
        transform=design.transform,
        provenance=Provenance("NUTS", {}, seed, {}, {}),
    )


def thin(posterior: xr.Dataset, count: int) -> xr.Dataset:
    """Return `count` draws spread evenly over all chains, as one chain."""
    stacked = posterior.stack({"place": (CHAIN, DRAW)}, create_index=False)
    total = stacked.sizes["place"]
    if count > total:
        raise ValueError(f"{count} draws asked for, but there are {total}.")
    chosen = np.floor((np.arange(count) + 0.5) * total / count).astype(int)
    kept = stacked.isel(place=chosen).drop_vars([CHAIN, DRAW], errors="ignore")
    return kept.rename(place=DRAW).expand_dims(CHAIN).transpose(CHAIN, DRAW, ...)
