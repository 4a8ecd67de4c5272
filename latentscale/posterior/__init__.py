"""Posteriors: draws as one DataTree, fits, and how they are stored."""

from latentscale.posterior.fit import Fit
from latentscale.posterior.provenance import Provenance
from latentscale.posterior.status import Status
from latentscale.posterior.storage import load

__all__ = ["Fit", "Provenance", "Status", "load"]
