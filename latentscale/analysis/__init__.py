"""Analysis: the questions users ask a fit. The public names are those of `latentscale`."""

from latentscale.analysis import folds

__all__ = ["folds"]
