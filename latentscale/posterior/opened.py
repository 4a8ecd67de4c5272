"""A fit without opened ceilings, for checks of the posterior as sampled.

`latentscale.model.open_ceilings` opens ceilings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from latentscale.dims import OPENED

if TYPE_CHECKING:
    from latentscale.posterior.fit import Fit


def as_sampled(fit: Fit) -> Fit:
    """Return a fit whose draws all have the sampled ceilings, as its log likelihood does.

    Parameters
    ----------
    fit
        A fit, which is not changed. It is returned itself if none of its ceilings is open.
    """
    if OPENED not in fit.tree:
        return fit
    return replace(fit, tree=fit.tree.drop_nodes(OPENED))
