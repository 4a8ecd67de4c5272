"""Analysis: the questions that users ask a fit. `latentscale` has the public names."""

from latentscale.analysis import folds

__all__ = ["folds"]
