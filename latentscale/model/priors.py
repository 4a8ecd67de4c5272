"""From a spec's prior to a PyMC variable with named dims."""

from __future__ import annotations

import numpy as np
import pymc.dims as pmd

from latentscale.model.maths import Named
from latentscale.spec.prior import Prior


def declare(
    name: str, prior: Prior, dims: tuple[str, ...], start: np.ndarray | None = None
) -> Named:
    """Add a free variable to the open PyMC model.

    Parameters
    ----------
    name
        Name of the variable.
    prior
        Its prior.
    dims
        Its dims, which must be coordinates of the open model.
    start
        Where optimisers and samplers begin, shaped by `dims`, for a prior on the real line;
        PyMC's choice by default.
    """
    return getattr(pmd, prior.dist)(name, dims=dims, initval=start, **prior.numbers)


def standard_normal(name: str, dims: tuple[str, ...]) -> Named:
    """Add a standard normal variable, the raw part of a non-centred effect."""
    return pmd.Normal(f"{name}_raw", mu=0.0, sigma=1.0, dims=dims)
