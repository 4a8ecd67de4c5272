"""Resume: continue sampling from draws that were streamed to disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pymc as pm

from latentscale.engine.density import ChainModel
from latentscale.errors import FitError
from latentscale.expect import expect_path
from latentscale.files import expanded
from latentscale.inference.nuts import chains as nutpie_chains
from latentscale.inference.nuts.backends import BACKENDS
from latentscale.inference.nuts.method import MOST_DRAWS, NUTS
from latentscale.inference.nuts.same_model import refuse_another_model
from latentscale.inference.nuts.start import ModeStart, usual_start
from latentscale.inference.nuts.whitening import WhitenedModel, Whitening
from latentscale.inference.progress import COMPILING, Waiting
from latentscale.model.build import build_design
from latentscale.model.centring import CENTRING, centred_coordinates
from latentscale.model.double import double_precision
from latentscale.posterior.fit import Fit
from latentscale.posterior.folder import unverified_header
from latentscale.posterior.lock import locked
from latentscale.posterior.storage import StoredRun, read_folder
from latentscale.posterior.stream import runs, wanted_draws
from latentscale.validate import whole_number

# A continued chain must adapt step size and mass matrix again, but is already in the bulk.
_RETUNE_SHARE = 4
_LEAST_RETUNE = 50  # nutpie's adaptation cannot use fewer


@double_precision()
def resume(path: str | Path, *, draws: int | None = None, progress: bool = True) -> Fit:
    """Continue sampling in a folder that ``NUTS(store=...)`` made.

    Every chain continues from its own last position. nutpie cannot restore an adapted step size
    and mass matrix, so each chain first adapts them again for a quarter of the method's warm-up
    (at least 50 draws), and those draws are not kept. A chain that was stopped before its first
    kept draw repeats its whole warm-up from its last position. Draws already in the folder do not
    change; the new ones follow them in the same chain.

    Parameters
    ----------
    path
        The folder; ``~`` is expanded.
    draws
        Total number of kept draws that each chain should have, including those in the folder; by
        default the number requested last. Chains that already have it are left alone.
    progress
        Whether to show a progress bar on standard error.

    Returns
    -------
    Fit
        The fit, with all the draws in the folder.

    Raises
    ------
    FitError
        If `path` is not a folder of draws, was damaged or changed, or another sampler writes to it;
        or if an earlier version began it and this version builds a different model from its spec.

    Examples
    --------
    >>> method = ls.NUTS(draws=100, tune=100, chains=2, cores=1, store="run")
    >>> begun = ls.fit(pooled.spec, pooled.scores, method=method, seed=1, progress=False)
    >>> ls.resume("run", progress=False).samples.sizes["sample"]
    200
    """
    expect_path(path, "path")
    path = expanded(path, FitError)
    unverified_header(path)  # first, so that no lock is left in other folders
    with locked(path):
        stored = read_folder(path)
        method = _method(stored)
        BACKENDS[method.backend].require()
        wanted = wanted_draws(path) or method.draws if draws is None else draws
        wanted = whole_number(wanted, "draws", least=1, most=MOST_DRAWS, error=FitError)
        work = _continuations(stored, method, wanted)
        # Runs that were killed become files with a hash, like those that ended.
        nutpie_chains.finish_runs(runs(path), stored.header.variables)
        if work:
            compiled = _compiled(stored, method, work, progress)
            names = stored.header.variables
            nutpie_chains.continue_chains(
                compiled, method, path, names, work, wanted=wanted, progress=progress
            )
    return stored.fit()


def _method(stored: StoredRun) -> NUTS:
    """Return the method that began a folder."""
    try:
        return NUTS(**stored.header.provenance.settings)
    except TypeError as error:
        raise FitError(
            f"{stored.path} cannot be resumed: this version of NUTS does not take its settings "
            f"({error})."
        ) from None


def _continuations(
    stored: StoredRun, method: NUTS, wanted: int
) -> list[nutpie_chains.Continuation]:
    """Return the chains that have too few draws, each with its current position."""
    held = stored.chains()
    seeds = np.random.SeedSequence([stored.header.provenance.seed, len(runs(stored.path))])
    states = seeds.generate_state(method.chains)
    work = []
    for chain in range(method.chains):
        have = held[chain].length if chain in held else 0
        if have >= wanted:
            continue
        tune = max(method.tune // _RETUNE_SHARE, _LEAST_RETUNE) if have else method.tune
        position = held[chain].position if chain in held else None
        work.append(
            nutpie_chains.Continuation(
                chain, position, have, wanted - have, tune, int(states[chain])
            )
        )
    return work


def _refuse_other_parameters(
    path: Path, model: pm.Model, work: Sequence[nutpie_chains.Continuation]
) -> None:
    """Refuse chains' positions if an earlier version's model had a different size."""
    size = sum(np.size(value) for value in model.initial_point(random_seed=0).values())
    for chain in work:
        if chain.position is not None and chain.position.size != size:
            raise FitError(
                f"{path} cannot be resumed: its chains have {chain.position.size} parameters, and "
                f"the model has {size} in this version. latentscale.load opens its draws; begin "
                "another folder for more."
            )


def _compiled(
    stored: StoredRun,
    method: NUTS,
    work: Sequence[nutpie_chains.Continuation],
    progress: bool,
) -> ChainModel:
    """Return the model compiled for nutpie, in the coordinates of the chains' positions."""
    header, prepared = stored.header, stored.design
    model = build_design(header.spec, prepared)
    _refuse_other_parameters(stored.path, model, work)
    with Waiting(f"NUTS: {COMPILING}", enabled=progress):
        if header.chart is None:
            centred = method.coordinates == "centred"
            if centred and not CENTRING.items() <= header.provenance.versions.items():
                raise FitError(
                    f"{stored.path} cannot be resumed: its chains moved in centred coordinates of "
                    "an earlier version. latentscale.load opens its draws; begin another folder "
                    "for more."
                )
            moved = centred_coordinates(header.spec, prepared, model) if centred else ()
            compiled = nutpie_chains.compiled(model, header.variables, method.backend, moved)
        else:
            whitened = WhitenedModel(header.spec, prepared, model, header.variables)
            compiled = whitened.density(Whitening.from_dict(header.chart)).for_nutpie()
    begun_with = header.provenance.versions.get("latentscale", "of unknown version")
    refuse_another_model(stored.path, compiled, stored.chains(), begun_with)
    if any(chain.position is None for chain in work):
        start, seed = method.start or usual_start(header.spec), header.provenance.seed
        if isinstance(start, ModeStart):  # modes were weighed when the folder was made
            start = replace(start, least_share=None)
        points = start.place(compiled, seed=seed, cores=method.cores, progress=progress)
        compiled = points.compiled or compiled
    return compiled
