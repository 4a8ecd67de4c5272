"""Chains: a fit with only some of its chains, for separate modes; its convergence is judged again.

`latentscale.inference.nuts` chooses where chains start.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import xarray as xr

from latentscale.dims import CHAIN
from latentscale.errors import FitError
from latentscale.expect import shown
from latentscale.posterior.status import Status, status_of_chains, status_with_start
from latentscale.validate import plain, whole_number

if TYPE_CHECKING:
    from latentscale.posterior.fit import Fit

KEPT = "chains_kept"
"""Setting in the provenance that records which chains were kept."""
_REPORT: Final = (
    "No interval covers what the other chains drew: report which chains were left out, and why."
)


def fit_of_chains(fit: Fit, chains: Iterable[int]) -> Fit:
    """Return a fit with only some of its chains (see `Fit.with_chains`).

    Raises
    ------
    FitError
        If a chain is not in the fit or is named twice, or the fit has only one chain.
    """
    every = [int(chain) for chain in fit.posterior[CHAIN].values]
    if len(every) < 2:
        raise FitError(
            f"The fit ({fit.provenance.method}) has only one chain, so none can be left out: "
            "fit with chains=4 to compare chains."
        )
    kept = _checked(chains, every)
    groups = {}
    for node in fit.tree.subtree:
        held = node.to_dataset(inherit=False)
        groups[node.path] = held.sel({CHAIN: kept}) if CHAIN in held.coords else held
    chosen = replace(
        fit,
        tree=xr.DataTree.from_dict(groups),
        provenance=replace(fit.provenance, settings={**fit.provenance.settings, KEPT: kept}),
    )
    return replace(chosen, status=_status(fit, chosen, kept, every))


def _judged(fit: Fit) -> Status:
    """Return the status that follows from a fit's draws alone."""
    return status_of_chains(
        fit.convergence(), interrupted=fit.status.interrupted, good_for=fit.status.good_for
    )


def _status(fit: Fit, chosen: Fit, kept: list[int], every: list[int]) -> Status:
    """Return the status of the kept chains, with the parts of the fit's status beyond diagnostics.

    These say where the chains started, which modes they leave out, and which chains were left out
    before.
    """
    own = _judged(fit)
    before = fit.status.message.partition(f"{own.message}; ")[2]
    said = tuple(line for line in fit.status.advice if line not in own.advice)
    # Advice that differs from `own` may also be an earlier version's wording of a diagnostic.
    judged = status_with_start(_judged(chosen), before, said)
    if sorted(kept) == sorted(every):
        return judged
    advice = () if _REPORT in judged.advice else (_REPORT,)
    out = [chain for chain in every if chain not in kept]
    return status_with_start(judged, f"{_named(kept)} kept, {_named(out)} left out", advice)


def _checked(chains: Iterable[int], every: list[int]) -> list[int]:
    bare = plain(chains)
    if isinstance(bare, str | bytes) or not isinstance(bare, Iterable):
        raise FitError(f"chains must be a list of chains, such as [0, 2]; got {shown(chains)}.")
    kept = [whole_number(chain, "Each of chains", error=FitError) for chain in bare]
    absent = [chain for chain in kept if chain not in every]
    if absent or not kept:
        got = f"chain {_shown(absent)}" if absent else "an empty list"
        raise FitError(f"chains must name chains of the fit ({_shown(every)}); got {got}.")
    twice = sorted({chain for chain in kept if kept.count(chain) > 1})
    if twice:
        raise FitError(f"chains names chain {_shown(twice)} more than once; name each one once.")
    return kept


def _named(chains: list[int]) -> str:
    return f"chain{'' if len(chains) == 1 else 's'} {_shown(chains)}"


def _shown(chains: list[int]) -> str:
    return ", ".join(map(str, chains))
