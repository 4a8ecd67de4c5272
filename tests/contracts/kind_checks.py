"""Checks that every registered likelihood, link and term must pass, whoever wrote it.

Each check takes one kind; the tests run them over the registries, and over kinds from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import xarray as xr
from scipy import stats

from latentscale.declare import ModelSpec
from latentscale.declare.likelihood import Likelihood
from latentscale.declare.link import Link
from latentscale.declare.prior import PRIOR_SLOTS, Parameter
from latentscale.dims import BENCHMARK, CELL
from latentscale.maths import as_data, maths_of
from latentscale.model.distributions import observe_scores
from latentscale.model.terms.base import terms_of

CELLS = 24
DRAWS = 4000
ITEMS = 40.0
# Limit of the largest distance between two distribution functions times the root of the number of
# draws: a correct one exceeds it once in 1,000 times (Kolmogorov).
FAR = 1.95
SINGLE = 1e-5
"""PyTensor computes the gamma function of a prior's whole numbers in single precision."""

WITHOUT_SLOT = {"skill_partial_correlation_raw"}
"""Free variables that are neither parameters with a slot nor standard normal: the LKJ's."""


def values_of(
    parameters: Mapping[str, Parameter], sizes: Mapping[str, int], seed: int = 3
) -> dict[str, Any]:
    """Return arrays drawn from the default priors, with the parameters' dims."""
    rng = np.random.default_rng(seed)
    return {
        name: xr.DataArray(
            PRIOR_SLOTS[p.slot].default.draw(tuple(sizes[dim] for dim in p.dims), rng), dims=p.dims
        )
        for name, p in parameters.items()
    }


def in_graph(array: xr.DataArray) -> Any:
    return as_data(array.values, tuple(map(str, array.dims)))


def _at_cells(array: xr.DataArray) -> xr.DataArray:
    return array.rename({BENCHMARK: CELL}) if BENCHMARK in array.dims else array


def _noises(likelihood: Likelihood, sizes: Mapping[str, int]) -> tuple[Any, Any]:
    """Return the noise of this many cells, each with its own parameters: on arrays, in a graph."""
    drawn = values_of(likelihood.parameters(), {**sizes, BENCHMARK: sizes[CELL]})
    values = {name: _at_cells(value) for name, value in drawn.items()}
    items = xr.DataArray(np.full(sizes[CELL], ITEMS), dims=(CELL,))
    graph = {name: in_graph(value) for name, value in values.items()}
    return likelihood.noise(values, items), likelihood.noise(graph, items)


def check_density(likelihood: Likelihood) -> None:
    """The density in the PyMC model equals that on arrays, and its gradient is right."""
    rng = np.random.default_rng(1)
    arrays, graph = _noises(likelihood, {CELL: CELLS})
    score = rng.integers(1, int(ITEMS), CELLS) / ITEMS
    place, level = rng.normal(0, 1.5, CELLS), rng.normal(3, 1, CELLS)
    with pm.Model(coords={CELL: np.arange(CELLS)}) as model:
        eta, log_phi = (pmd.Normal(name, 0.0, 1.0, dims=CELL) for name in ("eta", "log_phi"))
        maths = maths_of(eta)
        observe_scores(graph, score, maths.sigmoid(eta), maths.exp(log_phi))
    outputs = [model.logp(vars=[model["score"]], sum=False)[0], model.dlogp()]
    density, slopes = model.compile_fn(outputs, mode="FAST_COMPILE")(
        {"eta": place, "log_phi": level}
    )

    def by_arrays(eta: np.ndarray, log_phi: np.ndarray) -> np.ndarray:
        mean, phi = 1 / (1 + np.exp(-eta)), np.exp(log_phi)
        named = (xr.DataArray(part, dims=(CELL,)) for part in (score, mean, phi))
        return np.asarray(arrays.log_density(*named).values)

    np.testing.assert_allclose(density, by_arrays(place, level), rtol=1e-8, atol=1e-8)
    step = 1e-5
    wanted = [
        (by_arrays(place + step, level) - by_arrays(place - step, level)) / (2 * step) - place,
        (by_arrays(place, level + step) - by_arrays(place, level - step)) / (2 * step) - level,
    ]
    np.testing.assert_allclose(slopes, np.concatenate(wanted), rtol=1e-5, atol=1e-4)


def check_draws(likelihood: Likelihood, precision: float = 12.0) -> None:
    """Draws on arrays and in the PyMC model follow the density."""
    arrays, graph = _noises(likelihood, {CELL: 1})
    mean, phi = np.array([0.3]), np.array([precision])
    points = _points(likelihood)
    at = [xr.DataArray(part, dims=(CELL,)) for part in (mean, phi)]
    one = arrays.at({CELL: 0})
    density = one.log_density(
        xr.DataArray(points, dims="point"), at[0].isel({CELL: 0}), at[1].isel({CELL: 0})
    )
    mass = np.exp(density.values) * _widths(likelihood, points)
    assert abs(mass.sum() - 1) < 2e-3
    below = np.cumsum(mass)
    many = xr.DataArray(np.broadcast_to(mean, (DRAWS, 1)).copy(), dims=("sample", CELL))
    drawn = arrays.draw(many, at[1], np.random.default_rng(2)).transpose("sample", CELL)
    with pm.Model(coords={CELL: [0]}) as model:
        observe_scores(graph, np.array([0.5]), as_data(mean, (CELL,)), as_data(phi, (CELL,)))
    by_model = pm.draw(model["score"], DRAWS, random_seed=1, mode="FAST_COMPILE")
    for values in (drawn.values[:, 0], by_model[:, 0]):
        assert len(values) == DRAWS and values.min() >= 0 and values.max() <= 1
        share = np.searchsorted(np.sort(values), points + 1e-9, side="right") / DRAWS
        assert np.abs(share - below).max() * np.sqrt(DRAWS) < FAR + 0.1


def _points(likelihood: Likelihood) -> np.ndarray:
    if likelihood.needs_items:
        return np.arange(ITEMS + 1) / ITEMS
    logit = np.linspace(-35, 35, 70_001)
    return 1 / (1 + np.exp(-logit))


def _widths(likelihood: Likelihood, points: np.ndarray) -> np.ndarray:
    if likelihood.needs_items:
        return np.full(len(points), 1 / ITEMS)
    return 1e-3 * points * (1 - points)  # of steps of 0.001 on the logit scale


def check_link(link: Link) -> None:
    """A link increases inside (0, 1), equally on arrays and in a graph, with constants or not."""
    # Beyond 3 the complementary log-log is within rounding of 1.
    eta = xr.DataArray(np.linspace(-3, 3, 61), dims="model")
    sizes = {BENCHMARK: 3, **{dim: len(labels) for dim, labels in link.coords().items()}}
    for seed in range(3):
        values = values_of(link.parameters(), sizes, seed)
        share = link.share(values, eta)
        ready = link.share(values | link.constants(values), eta)
        np.testing.assert_allclose(ready.values, share.values, rtol=1e-12)
        ordered = share.transpose("model", ...).values
        assert (np.diff(ordered, axis=0) > 0).all()
        assert ordered.min() > 0 and ordered.max() < 1
        graph = {name: in_graph(value) for name, value in values.items()}
        variable = link.share(graph | link.constants(graph), in_graph(eta))
        assert set(variable.type.dims) == set(share.dims)
        computed = pytensor.function([], variable.values, mode="FAST_COMPILE")()
        wanted = share.transpose(*variable.type.dims).values
        np.testing.assert_allclose(computed, wanted, rtol=1e-10)
    far = link.share(values, xr.DataArray([-800.0, 800.0], dims="model"))
    assert np.isfinite(far.values).all()


def check_log_prior(spec: ModelSpec, log_prior: Any) -> None:
    """Log priors cover the free top-level parameters, and the rest of the density is known.

    Parameters
    ----------
    spec
        A spec.
    found
        The spec's model at some points, by `tests/contracts/conftest.py`.
    """
    fit = log_prior.as_fit(spec)
    prior = fit.tree["log_prior"].to_dataset().isel(chain=0)
    latents = {name for t in terms_of(spec) for name in t.latent_variables(log_prior.design)}
    seen: set[str] = set()
    for name, density in log_prior.prior_logp.items():
        natural = log_prior.natural[name].values
        if name in latents:
            np.testing.assert_allclose(density, stats.norm.logpdf(natural), atol=1e-9)
        elif name not in WITHOUT_SLOT:
            top = name if name in prior else name.removesuffix("_raw")
            dims = ("draw", *log_prior.natural[name].dims[1:])
            own = prior[top].transpose(*dims).values
            # A masked parameter is its raw variable where it is free, and has no density elsewhere.
            free = (log_prior.natural[top].transpose(*dims).values == natural).all(axis=0)
            assert free.any()
            np.testing.assert_allclose(own[:, free], density[:, free], rtol=1e-6, atol=SINGLE)
            seen.add(top)
    seen |= {"skill_cholesky"} & set(prior.data_vars)  # test_family.py: its density is LKJ's
    assert seen == set(map(str, prior.data_vars))
    by_variable = sum(v.reshape(len(v), -1).sum(axis=1) for v in log_prior.prior_logp.values())
    likelihood = fit.tree["log_likelihood"]["score"].isel(chain=0).sum("cell").values
    np.testing.assert_allclose(log_prior.log_joint, by_variable + likelihood, rtol=1e-7, atol=1e-4)
