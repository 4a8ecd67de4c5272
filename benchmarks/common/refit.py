"""Refit: one design, many tables that differ only in their scores.

The package's own sampler is used; it compiles a model once in a process and passes it the table.
Real-valued loadings leave a second mode of negligible mass, in which an anchor is fitted as noise
and its skill's sign is flipped; a chain that starts there stays. `sample` recognises such chains
by their energy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL
from latentscale.model.design import Design
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit, Provenance
from latentscale.posterior.identified import convergence_of
from latentscale.posterior.status import Status

DISAGREE = 1.1  # R-hat above which more chains are run
STUCK = 20.0  # mean energy that far above the lowest chain: another, negligible mode


@dataclass(frozen=True)
class ChainDraws:
    """Draws, and how they were obtained.

    Attributes
    ----------
    draws
        The draws that are kept.
    first_rhat
        Largest R-hat of the first run.
    dropped_chains
        Chains of the second run that were left out.
    """

    draws: Draws
    first_rhat: float
    dropped_chains: int

    @property
    def divergences(self) -> int:
        """Divergent transitions among the kept draws."""
        return int(self.draws.sample_stats["diverging"].sum())


def sample(spec: ModelSpec, design: Design, method: ls.NUTS, seed: int) -> ChainDraws:
    """Sample; if chains disagree, run four longer ones and drop those in a negligible mode."""
    drawn = method.draw(spec, design, seed=seed, progress=False)
    first = convergence_of(spec, design, drawn.posterior, None).max_rhat
    if first < DISAGREE:
        return ChainDraws(drawn, first, 0)
    longer = replace(method, draws=2 * method.draws, tune=2 * method.tune, chains=4)
    drawn = longer.draw(spec, design, seed=seed + 1, progress=False)
    keep = {CHAIN: leading_chains(drawn.sample_stats["energy"])}
    kept = replace(
        drawn, posterior=drawn.posterior.isel(keep), sample_stats=drawn.sample_stats.isel(keep)
    )
    return ChainDraws(kept, first, longer.chains - len(keep[CHAIN]))


def leading_chains(energy: xr.DataArray) -> np.ndarray:
    """Return the chains whose mean energy is at most `STUCK` above the lowest.

    Energy is minus the log density plus a kinetic part that is the same on average in every
    chain, so chains differ in it as they differ in log density.
    """
    level = energy.mean(DRAW)
    return np.flatnonzero((level < level.min() + STUCK).values)


def with_scores(design: Design, score_of_cell: np.ndarray) -> Design:
    """Return the design with other scores in its cells."""
    table = np.full((len(design.scores.models), len(design.scores.benchmarks)), np.nan)
    table[design.model_of_cell, design.benchmark_of_cell] = score_of_cell
    dataset = design.scores.dataset.assign(score=((MODEL, BENCHMARK), table))
    return replace(design, scores=Scores(dataset), score_of_cell=score_of_cell)


def as_fit(spec: ModelSpec, design: Design, posterior: xr.Dataset, seed: int) -> Fit:
    """Wrap draws, dims (chain, draw, ...), as the package's own kind of fit."""
    status = Status(True, None, False, "made by benchmarks.common.refit")
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
