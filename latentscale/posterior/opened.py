"""Opened ceilings left out of a fit, for what judges the posterior as it was sampled.

How they are opened is `latentscale.model.open_ceilings`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from latentscale.dims import OPENED

if TYPE_CHECKING:
    from latentscale.posterior.fit import Fit


def as_sampled(fit: Fit) -> Fit:
    """Return a fit whose draws all have the ceilings that were sampled, as its log likelihood has.

    Parameters
    ----------
    fit
        A fit, which stays as it is; returned where none of its ceilings is open.
    """
    if OPENED not in fit.tree:
        return fit
    return replace(fit, tree=fit.tree.drop_nodes(OPENED))
