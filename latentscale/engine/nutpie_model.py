"""Models for nutpie's sampler, with densities called as C functions.

nutpie has no public function that accepts C functions, so its record is filled in field by field.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latentscale.engine.density import Begin, Density
from latentscale.engine.native import NativeCalls
from latentscale.engine.sampler import nutpie_module


def native_model(calls: NativeCalls, density: Density, begin: Begin) -> Any:
    """Return a model for nutpie whose chains run without calling Python.

    Parameters
    ----------
    calls
        The density, and the expansion of a point to named variables, as C functions.
    density
        The same density for Python, with the shapes, dims and coordinates of the variables in
        draws, in the order in which ``calls.expand`` writes them.
    begin
        From a seed to a point where a chain begins, shape (size,).
    """
    nutpie_module()  # before any part of it
    from nutpie.compile_pymc import CompiledPyMCModel

    lengths = [int(np.prod(shape)) for shape in density.shapes.values()]
    ends = np.cumsum(lengths)
    slices = [slice(int(b) - n, int(b)) for n, b in zip(lengths, ends, strict=True)]
    return CompiledPyMCModel(
        dims=dict(density.dims),
        reparameterized_names=frozenset(),
        compiled_logp_func=calls.log_density,
        compiled_expand_func=calls.expand,
        initial_point_func=begin,
        shared_data={"kept": calls.kept},
        shared_var_keys={},
        user_data=calls.memory,
        n_expanded=sum(lengths),
        shape_info=(list(density.shapes), slices, list(density.shapes.values())),
        logp_func=density.log_density,
        expand_func=None,
        _n_dim=density.size,
        _shapes=dict(density.shapes),
        _coords=dict(density.coords),
    )
