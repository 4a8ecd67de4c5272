"""Resume: go on with draws that were written to disk as they came."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentscale.errors import FitError
from latentscale.inference import nutpie_chains
from latentscale.inference.chart import Chart, Charted
from latentscale.inference.nuts import NUTS, require_engine
from latentscale.inference.start import usual_start
from latentscale.model.build import build_design
from latentscale.model.double import double_precision
from latentscale.posterior.fit import Fit
from latentscale.posterior.storage import read_folder
from latentscale.posterior.stream import read_chains, runs, wanted_draws
from latentscale.validate import whole_number

_RETUNE_SHARE = 4
_LEAST_RETUNE = 50


@double_precision()
def resume(path: str | Path, *, draws: int | None = None, progress: bool = True) -> Fit:
    """Go on sampling in a folder that ``NUTS(store=...)`` made.

    Every chain goes on from its own last position. nutpie cannot take up an adapted step size
    and mass matrix, so each chain adapts them again first, for a quarter of the method's warm-up
    (at least 50 draws), and those draws are not kept. A chain that was stopped before its first
    kept draw has its whole warm-up again, from where it stood. Draws already in the folder stay
    as they are; the new ones follow them in the same chain.

    Parameters
    ----------
    path
        The folder.
    draws
        Kept draws that each chain should have in the end, those in the folder included; by
        default as many as were asked for last. Chains that have so many are left alone.
    progress
        Whether to show a progress bar on standard error.

    Returns
    -------
    The fit, with all the draws in the folder.

    Raises
    ------
    FitError
        If `path` is not such a folder, or was changed.
    """
    path = Path(path)
    stored = read_folder(path)
    method = NUTS(**stored.provenance.settings)
    require_engine(method.backend)
    wanted = wanted_draws(path) or method.draws if draws is None else draws
    wanted = whole_number(wanted, "draws", least=1, error=FitError)
    found = read_chains(path, stored.variables)
    seeds = np.random.SeedSequence([stored.provenance.seed, len(runs(path))])
    states = seeds.generate_state(method.chains)
    work = []
    for chain in range(method.chains):
        have = found[chain].length if chain in found else 0
        if have >= wanted:
            continue
        tune = max(method.tune // _RETUNE_SHARE, _LEAST_RETUNE) if have else method.tune
        position = found[chain].position if chain in found else None
        part = nutpie_chains.Continuation(chain, position, wanted - have, tune, int(states[chain]))
        work.append(part)
    if work:
        model = build_design(stored.spec, stored.design)
        if stored.chart is None:
            compiled = nutpie_chains.compiled(model, stored.variables, method.backend)
        else:
            charted = Charted(stored.spec, stored.design, model, stored.variables)
            compiled = charted.density(Chart.from_dict(stored.chart)).for_nutpie()
        if any(part.position is None for part in work):
            start, seed = method.start or usual_start(stored.spec), stored.provenance.seed
            placed = start.place(compiled, seed=seed, cores=method.cores, progress=progress)
            compiled = placed.compiled
        nutpie_chains.continue_chains(
            compiled, method, path, stored.variables, work, wanted=wanted, progress=progress
        )
    return stored.fit()
