"""Whether draws on disk are from the model that this version builds from their spec.

A version may change the meaning of a spec: a prior, a parameterisation, a likelihood. A resumed
chain would then add draws from a different posterior.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from latentscale.dims import DRAW
from latentscale.engine.density import ChainModel
from latentscale.errors import FitError, listed
from latentscale.posterior.zarr_store import ChainDraws

_RELATIVE: Final = 1e-5
"""Tolerance for values of parameters at one position: compilers and libraries change the last few
of sixteen digits, transforms in the tails some more; a changed parameterisation changes the
first."""
_SMALL: Final = 1e-8
"""Below this, a parameter is 0 up to rounding: shares and spreads at the edge of their support."""
_NATS: Final = 1e-3
"""Tolerance for log densities at one position: the rounding error of a sum of thousands of terms is
smaller, and a density ratio of 1.001 is invisible in draws."""


def refuse_another_model(
    path: Path, model: ChainModel, chains: Mapping[int, ChainDraws], begun_with: str
) -> None:
    """Refuse to continue draws from a model other than the compiled one.

    At the position of each chain's last kept draw, the model's parameters must equal that draw, and
    its log density the recorded one, up to a constant. For folders of versions that did not record
    the log density, only the parameters are compared.

    Parameters
    ----------
    path
        The folder of draws, for messages.
    model
        The model that this version compiles, in the coordinates of the positions.
    chains
        The chains in the folder.
    begun_with
        The version of latentscale that began it.

    Raises
    ------
    FitError
        Naming the parameters that differ, or the difference in log density.
    """
    kept = [
        chain
        for chain in chains.values()
        if chain.length and chain.position is not None and not chain.has_moved_on
    ]
    changed = dict.fromkeys(name for chain in kept for name in _changed(model, chain))
    if changed:
        what = f"the same positions now give different {listed(changed, 4)}"
        raise _refusal(path, begun_with, what)
    gap = _gap(model, kept)
    if gap > _NATS:
        what = f"log densities at the same positions now differ by {gap:.3g} from those recorded"
        raise _refusal(path, begun_with, what)


def _changed(model: ChainModel, chain: ChainDraws) -> list[str]:
    """Return the parameters whose values at a chain's position differ from its last draw."""
    if model.expand is None or chain.position is None:
        return []
    now = model.expand(np.asarray(chain.position, dtype=float))
    last = chain.posterior.isel({DRAW: -1})
    return [
        str(name)
        for name, held in last.data_vars.items()
        if name in now and not _same(np.asarray(now[name]), held.values)
    ]


def _same(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> bool:
    if first.shape != second.shape:
        return False
    return bool(np.allclose(first, second, rtol=_RELATIVE, atol=_SMALL, equal_nan=True))


def _gap(model: ChainModel, chains: list[ChainDraws]) -> float:
    """Return the difference from recorded log densities; for several chains, up to a constant.

    A constant does not change any draw.
    """
    gaps = np.array(
        [
            model.log_density(np.asarray(chain.position, dtype=float))[0] - chain.log_density
            for chain in chains
            if chain.log_density is not None
        ]
    )
    if gaps.size > 1:
        gaps = gaps - gaps.mean()
    return float(np.abs(gaps).max(initial=0.0))


def _refusal(path: Path, begun_with: str, what: str) -> FitError:
    return FitError(
        f"{path} cannot be resumed: this version builds a different model from its spec than the "
        f"version that began it (latentscale {begun_with}): {what}. latentscale.load opens its "
        "draws; begin another folder for more."
    )
