"""Chains of nutpie: coordinates chosen, model compiled, starting points taken, chains run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.engine.coordinate import Coordinate
from latentscale.errors import FitError
from latentscale.inference.nuts import chains
from latentscale.inference.nuts.backends import Coordinates, usual_acceptance
from latentscale.inference.nuts.masses import start_whitened
from latentscale.inference.nuts.runs import ChainRun, kept_of, positions_of
from latentscale.inference.nuts.start import ModeStart, Start, StartingPoints, usual_start
from latentscale.inference.nuts.whitening import WhitenedModel, Whitening
from latentscale.inference.progress import COMPILING, Waiting
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.inference.tools.versions import library_versions
from latentscale.model.batches import VariableSlices
from latentscale.model.centring import (
    CENTRING,
    can_be_levelled,
    can_be_moved,
    centred_coordinates,
    level_coordinates,
)
from latentscale.model.coordinates import can_be_centred
from latentscale.model.design import Design
from latentscale.model.terms.intercept import INTERCEPT
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.folder import start_folder
from latentscale.posterior.provenance import Provenance

if TYPE_CHECKING:
    from latentscale.inference.nuts.method import NUTS

Begun = tuple[float, StartingPoints, Whitening | None]
"""When the model was compiled, where chains begin, and the coordinates if not the model's own."""

_EXTRA_DOUBLINGS = 1
"""Extra doublings in centred coordinates (benchmarks/capabilities_selection/MIXING.md)."""


@one_blas_thread()
def run_on_nutpie(
    model: pm.Model,
    spec: ModelSpec,
    design: Design,
    method: NUTS,
    seed: int,
    progress: bool,
    *,
    only: Sequence[str] = (),
    min_depth: int = 0,
) -> ChainRun:
    """Sample all chains, to memory or to the folder that `NUTS.store` names.

    Parameters
    ----------
    model
        The model that `build_design` made from `spec` and `design`.
    spec, design, method, seed, progress
        As for `Method.draw`.
    only
        The variables that draws in memory should hold, with positions on the unconstrained scale;
        empty for all variables, without positions.
    min_depth
        Smallest tree depth of draws in memory.
    """
    names = list(only) or kept_names(model)
    began = time.perf_counter()
    start = method.start or usual_start(spec)
    waiting = Waiting(f"NUTS: {COMPILING}", enabled=progress)

    def in_whitened_coordinates() -> Begun:
        with waiting:
            whitened = WhitenedModel(spec, design, model, names)
            first = whitened.first()
        ready = time.perf_counter()
        points, whitening = start_whitened(
            whitened, first, start, seed=seed, cores=method.cores, progress=progress
        )
        return ready, points, whitening

    def by_the_model() -> Begun:
        with waiting:
            moved = coordinates_moved()
            compiled = chains.compiled(model, names, method.backend, moved)
        ready = time.perf_counter()
        points = start.place(compiled, seed=seed, cores=method.cores, progress=progress)
        return ready, points, None

    def coordinates_moved() -> tuple[Coordinate, ...]:
        if only and can_be_levelled(model):
            return level_coordinates(spec, design, model)
        return centred_coordinates(spec, design, model) if kind == "centred" else ()

    kind = _coordinates(method, start, spec, design)
    method = _settled(method, kind)
    way = in_whitened_coordinates if kind == "whitened" else by_the_model
    ready, points, whitening = way()
    assert points.compiled is not None  # all branches compile the model
    seconds = {"compile": ready - began, "start": time.perf_counter() - ready}
    chosen = _chosen(start, kind, method)
    began = time.perf_counter()
    if method.store is None:
        trace = chains.sample(
            points.compiled, method, seed, progress, positions=bool(only), min_depth=min_depth
        )
        kept = kept_of(trace, method.draws, method.chains)
    else:
        path = Path(method.store)
        versions = library_versions() | (CENTRING if kind == "centred" else {})
        made = Provenance("NUTS", method.settings | chosen, seed, seconds, versions)
        start_folder(
            path,
            spec,
            design,
            made,
            names,
            message=points.message,
            advice=points.advice,
            chart=whitening.to_dict() if whitening else None,
        )
        kept = chains.sample_to_folder(points.compiled, method, path, names, seed, progress)
    seconds = seconds | {"sample": time.perf_counter() - began}
    positions = _positions(trace, kept[0], model) if only and method.store is None else None
    return ChainRun(*kept, seconds, points, chosen, positions)


def _positions(trace: xr.DataTree, posterior: xr.Dataset, model: pm.Model) -> np.ndarray:
    """Return the positions of kept draws on the model's unconstrained scale, (chain, draw, n)."""
    levels = (INTERCEPT,) if can_be_levelled(model) else ()
    return positions_of(trace, posterior, VariableSlices.of(model), levels)


def _settled(method: NUTS, kind: Coordinates) -> NUTS:
    """Return the method with the defaults of the coordinates for settings that it leaves open."""
    doublings, acceptance = method.extra_doublings, method.target_accept
    if doublings is None:
        doublings = _EXTRA_DOUBLINGS if kind == "centred" else 0
    if acceptance is None:
        acceptance = usual_acceptance(kind)
    return replace(method, extra_doublings=doublings, target_accept=acceptance)


def _chosen(start: Start, kind: Coordinates, method: NUTS) -> dict[str, Any]:
    """Return the settings that the run chose by itself."""
    return {
        "start": asdict(start),
        "coordinates": kind,
        "extra_doublings": method.extra_doublings,
        "target_accept": method.target_accept,
    }


def _coordinates(method: NUTS, start: Start, spec: ModelSpec, design: Design) -> Coordinates:
    """Return the coordinates in which chains move.

    Raises
    ------
    FitError
        If coordinates are requested by name that the model does not have.
    """
    own = method.backend == "nutpie"
    able: dict[Coordinates, bool] = {
        "whitened": own and can_be_centred(spec, design),
        # A climb would end where a population's spread is 0, where the density is unbounded.
        "centred": own and can_be_moved(spec) and not isinstance(start, ModeStart),
        "model": True,
    }
    if method.coordinates == "auto":
        return next(kind for kind, can in able.items() if can)
    if not able[method.coordinates]:
        raise FitError(_REFUSED[method.coordinates])
    return method.coordinates


_REFUSED: Mapping[Coordinates, str] = {
    "whitened": (
        'NUTS.coordinates = "whitened" needs a spec whose only latents are families\' anchored '
        "skills (no residuals, lineages, family slopes or effects by benchmark), a fixed floor "
        'and a likelihood that can be linearised; leave it out, or use "model".'
    ),
    "centred": (
        'NUTS.coordinates = "centred" needs a spec with benchmarks.pooled = true, and chains that '
        'begin from the prior (NUTS.start = PriorStart()); leave it out, or use "model".'
    ),
}
