"""From a spec's priors to PyMC variables with named dims.

PyMC is imported where it is used, since reading a spec needs the terms but not PyMC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from latentscale.declare.prior import Parameter, Prior
from latentscale.declare.spec import ModelSpec
from latentscale.maths import Named, as_number, maths_of


def declare(
    name: str, prior: Prior, dims: tuple[str, ...], start: np.ndarray | None = None
) -> Named:
    """Add a free variable to the open PyMC model.

    The hyperparameters enter as data, so that models with different ones share compiled functions.

    Parameters
    ----------
    name
        Name of the variable.
    prior
        Its prior.
    dims
        Its dims, which must be coordinates of the open model.
    start
        Initial value for optimisers and samplers, shaped by `dims`, for a prior on the real line;
        PyMC's choice by default.
    """
    import pymc.dims as pmd

    numbers = {number: as_number(v, f"{name}_{number}") for number, v in prior.numbers.items()}
    return getattr(pmd, prior.dist)(name, dims=dims, initval=start, **numbers)


def declare_parameters(spec: ModelSpec, parameters: Mapping[str, Parameter]) -> dict[str, Named]:
    """Add free variables to the open PyMC model, each with the prior of its slot.

    Parameters
    ----------
    spec
        The spec with the priors.
    parameters
        `Parameter` by the variable's name.

    Returns
    -------
    dict
        The variables, by name.

    Examples
    --------
    >>> import pymc as pm
    >>> level = {"level": Parameter("intercept", ("benchmark",))}
    >>> with pm.Model(coords={"benchmark": ["mmlu"]}):
    ...     made = declare_parameters(pooled.spec, level)
    >>> made["level"].dims
    ('benchmark',)
    """
    return {
        name: declare(name, spec.prior(parameter.slot), parameter.dims)
        for name, parameter in parameters.items()
    }


def standard_normal(name: str, dims: tuple[str, ...], start: np.ndarray | None = None) -> Named:
    """Add a standard normal variable, the raw part of a non-centred effect (see `declare`).

    Parameters
    ----------
    name
        Name of the effect; the variable is called so with ``_raw``.
    dims
        Its dims, which must be coordinates of the open model.
    start
        Initial value for optimisers and samplers, shaped by `dims`; PyMC's choice by default.

    Returns
    -------
    Named
        The variable.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model(coords={"family": ["a", "b"]}):
    ...     standard_normal("shift", ("family",)).name
    'shift_raw'
    """
    import pymc.dims as pmd

    return pmd.Normal(f"{name}_raw", mu=0.0, sigma=1.0, dims=dims, initval=start)


def coordinate(dim: str, labels: Sequence[object]) -> None:
    """Add a dim to the open PyMC model, with labels that the table determines."""
    import pymc as pm

    pm.modelcontext(None).add_coord(dim, list(labels))


def deterministic(name: str, value: Named) -> Named:
    """Name a value in the open PyMC model, so that draws hold it.

    Parameters
    ----------
    name
        Its name in draws.
    value
        A value of the graph.

    Returns
    -------
    Named
        The named value.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model(coords={"family": ["a", "b"]}):
    ...     deterministic("twice", 2 * standard_normal("shift", ("family",))).name
    'twice'
    """
    import pymc.dims as pmd

    return pmd.Deterministic(name, value)


def of_releases(
    variable: str, value: Named, dims: tuple[str, str], first: Mapping[str, str]
) -> Named:
    """Add a variable that has one value for all settings of a release.

    Parameters
    ----------
    variable
        Its name.
    value
        A value for each release.
    dims
        The dim of `value`, and the dim of the variable.
    first
        The label in `value` for each label of the variable.

    Returns
    -------
    Named
        The variable.
    """
    labels = list(dict.fromkeys(first.values()))
    places = np.array([labels.index(one) for one in first.values()], dtype="int64")
    of_release, dim = dims
    gathered = value.isel({of_release: maths_of(value).named(places, (dim,))})
    return deterministic(variable, gathered)


def deviations(name: str, dims: tuple[str, ...], *, centred: bool) -> Named:
    """Add standard normal effects, minus their mean over the first dim if `centred`.

    Parameters
    ----------
    name
        Name of the effect; the variable is called so with ``_raw``.
    dims
        Its dims; the mean is over the first.
    centred
        Whether the mean is subtracted.

    Returns
    -------
    Named
        Effects with these dims.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model(coords={"family": ["a", "b"]}):
    ...     deviations("shift", ("family",), centred=True).dims
    ('family',)
    """
    raw = standard_normal(name, dims)
    return raw - raw.mean(dims[0]) if centred else raw
