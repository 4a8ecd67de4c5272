"""Refit: compile a model once, then sample it for many tables that differ in their scores alone.

`latentscale.fit` bakes the scores into the compiled density, so each table costs a compilation
(about 40 s) where sampling a small one takes 10 s. Here the scores are the one shared input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import pytensor
import xarray as xr
from pytensor.xtensor import as_xtensor

from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, CELL, CHAIN, DRAW, MODEL
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit, Provenance
from latentscale.posterior.status import Status
from latentscale.spec import ModelSpec

OBSERVED = "observed_score"


@dataclass(frozen=True)
class Sampler:
    """Settings of one NUTS run, chains one after the other."""

    draws: int = 400
    tune: int = 400
    chains: int = 2
    target_accept: float = 0.8


@dataclass(frozen=True)
class Refit:
    """A compiled model that takes new scores."""

    spec: ModelSpec
    design: Design
    compiled: Any

    def draw(
        self, score_of_cell: np.ndarray, sampler: Sampler, seed: int
    ) -> tuple[xr.Dataset, xr.Dataset]:
        """Return draws of the parameters and the sampler's statistics for these scores."""
        trace = nutpie.sample(
            self.compiled.with_data(**{OBSERVED: score_of_cell}),
            draws=sampler.draws,
            tune=sampler.tune,
            chains=sampler.chains,
            target_accept=sampler.target_accept,
            cores=1,
            seed=seed,
            save_warmup=False,
            progress_bar=False,
        )
        stats = trace["sample_stats"].to_dataset()[["diverging", "energy", "logp", "n_steps"]]
        return trace["posterior"].to_dataset().drop_attrs(), stats.drop_attrs()


def share_scores(model: pm.Model) -> pm.Model:
    """Replace the model's constant scores by a shared array, in place; return the model."""
    observed = model.observed_RVs[0]
    constant = model.rvs_to_values.pop(observed)
    values = np.array(constant.data, dtype="float64")
    shared = as_xtensor(pytensor.shared(values, name=OBSERVED), dims=(CELL,))
    shared.name = constant.name
    del model.values_to_rvs[constant]
    model.rvs_to_values[observed] = shared
    model.values_to_rvs[shared] = observed
    return model


def compile_once(spec: ModelSpec, design: Design) -> Refit:
    """Build and compile a model whose scores can be changed."""
    model = share_scores(build_design(spec, design))
    kept = [
        variable.name
        for variable in [*model.free_RVs, *model.deterministics]
        if not variable.name.endswith("_raw")
    ]
    return Refit(spec, design, nutpie.compile_pymc_model(model, backend="numba", var_names=kept))


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
