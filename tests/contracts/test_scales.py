"""Every registered likelihood on every registered scale: one density, and draws from it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytest
import xarray as xr
from scipy import stats

from latentscale.declare.kinds import LIKELIHOODS
from latentscale.declare.likelihood import Likelihood
from latentscale.dims import CELL
from latentscale.maths import as_data, maths_of
from latentscale.model.distributions import observe_scores
from latentscale.model.noise import noise_of
from latentscale.model.scaled import on_own_scale, unbounded_scales

sys.path.insert(0, str(Path(__file__).parent))
from kind_checks import FAR, ITEMS, values_of

EVERY = [kind() for kind in LIKELIHOODS.values()]  # type: ignore[call-arg]
CODES = np.arange(1.0 + len(list(unbounded_scales())))
CENTRE, STEP = np.linspace(0, 0.8, len(CODES)), np.linspace(1, -0.6, len(CODES))
SCORE = np.where(CODES == 0, 0.3, 2.0)
SAMPLING = np.full(len(CODES), 0.02)
ETA, PHI = np.linspace(-0.4, 0.9, len(CODES)), np.linspace(15, 40, len(CODES))


def over_cells(values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, dims=(CELL,))


def known() -> dict[str, xr.DataArray]:
    return {
        name: over_cells(values)
        for name, values in (("scale_code", CODES), ("centre", CENTRE), ("step", STEP))
    }


def at_arrays(likelihood: Likelihood, sampling: bool = True):
    """Return the noise of one cell per scale, on arrays."""
    parameters = {n: v.isel({d: 0 for d in v.dims}) for n, v in _parameters(likelihood).items()}
    items = over_cells(np.full(len(CODES), ITEMS))
    stated = over_cells(SAMPLING) if sampling else None
    return noise_of(likelihood, {**parameters, **known()}, items, stated), parameters


def _parameters(likelihood: Likelihood) -> dict[str, xr.DataArray]:
    return values_of(likelihood.parameters(), {"benchmark": 1})


def mean_at(eta: np.ndarray) -> xr.DataArray:
    named = over_cells(eta)
    return on_own_scale(known(), 1 / (1 + np.exp(-named)), named)


@pytest.mark.parametrize("likelihood", EVERY, ids=str)
def test_the_model_has_the_density_of_arrays_and_its_gradient(likelihood: Likelihood) -> None:
    arrays, parameters = at_arrays(likelihood)
    graph = {n: as_data(v.values, tuple(map(str, v.dims))) for n, v in known().items()}
    fixed = {n: as_data(np.asarray(v.values), ()) for n, v in parameters.items()}
    items, sampling = over_cells(np.full(len(CODES), ITEMS)), over_cells(SAMPLING)
    with pm.Model(coords={CELL: np.arange(len(CODES))}) as model:
        eta = pmd.Normal("eta", 0.0, 1.0, dims=CELL)
        mean = on_own_scale(graph, maths_of(eta).sigmoid(eta), eta)
        noise = noise_of(likelihood, {**fixed, **graph}, items, sampling)
        observe_scores(noise, SCORE, mean, as_data(PHI, (CELL,)))
    outputs = [model.logp(vars=[model["score"]], sum=False)[0], model.dlogp()]
    value, slopes = model.compile_fn(outputs, mode="FAST_COMPILE")({"eta": ETA})

    def by_arrays(eta: np.ndarray) -> np.ndarray:
        density = arrays.log_density(over_cells(SCORE), mean_at(eta), over_cells(PHI))
        return np.asarray(density.values)

    np.testing.assert_allclose(value, by_arrays(ETA), rtol=1e-8)
    step = 1e-5
    wanted = (by_arrays(ETA + step) - by_arrays(ETA - step)) / (2 * step) - ETA
    np.testing.assert_allclose(slopes, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("likelihood", EVERY, ids=str)
def test_draws_of_unbounded_scores_follow_the_density(likelihood: Likelihood) -> None:
    noise, _ = at_arrays(likelihood)
    draws = 4000
    mean = mean_at(ETA).expand_dims(sample=draws).copy()
    drawn = noise.draw(mean, over_cells(PHI), np.random.default_rng(4)).transpose("sample", CELL)
    for cell in np.flatnonzero(CODES > 0).tolist():
        points = np.sort(drawn.values[:, cell])
        at = {CELL: cell}
        grid = np.linspace(points[0] - np.ptp(points), points[-1] + np.ptp(points), 20_001)
        grid = grid[grid > 0] if drawn.values[:, cell].min() > 0 else grid
        density = noise.at(at).log_density(
            xr.DataArray(grid, dims="point"), mean_at(ETA).isel(at), over_cells(PHI).isel(at)
        )
        below = np.cumsum(np.exp(density.values)) * (grid[1] - grid[0])
        share = np.searchsorted(points, grid, side="right") / draws
        assert np.abs(share - below).max() * np.sqrt(draws) < FAR + 0.3


@pytest.mark.parametrize("likelihood", EVERY, ids=str)
def test_tails_are_heavy_where_the_noise_says_so(likelihood: Likelihood) -> None:
    """Judged by kurtosis: 3 for a normal, with a standard error of 0.008 at 400,000 draws."""
    noise = likelihood.unbounded({n: v.squeeze() for n, v in _parameters(likelihood).items()})
    mean = xr.DataArray(np.zeros(400_000), dims="sample")
    drawn = noise.draw(mean, xr.DataArray(20.0), np.random.default_rng(4))
    assert (stats.kurtosis(drawn.values, fisher=False) > 3.05) == noise.heavy_tailed


@pytest.mark.parametrize("likelihood", EVERY, ids=str)
def test_steps_over_parts_give_the_numbers_of_draw(likelihood: Likelihood) -> None:
    noise, _ = at_arrays(likelihood)
    mean = mean_at(ETA).expand_dims(sample=6).copy()
    phi = over_cells(PHI)
    whole = noise.draw(mean, phi, np.random.default_rng(1))
    rng, drawn = np.random.default_rng(1), mean
    for step in noise.steps():
        parts = [{"sample": slice(start, start + 2)} for start in range(0, 6, 2)]
        drawn = xr.concat(
            [step(drawn.isel(part), mean.isel(part), phi, rng) for part in parts], "sample"
        )
    np.testing.assert_array_equal(whole.values, drawn.transpose(*whole.dims).values)


@pytest.mark.parametrize("likelihood", EVERY, ids=str)
def test_a_fraction_of_zero_leaves_other_scores_finite(likelihood: Likelihood) -> None:
    noise, _ = at_arrays(likelihood)
    mean = mean_at(ETA).where(over_cells(CODES) > 0, 1e-300)  # so that fractions are drawn as 0
    drawn = noise.draw(mean, over_cells(PHI), np.random.default_rng(1))
    assert np.isfinite(drawn.values).all()


def test_real_scores_are_normal_around_the_linear_predictor() -> None:
    noise, _ = at_arrays(LIKELIHOODS["beta"](), sampling=False)  # type: ignore[call-arg]
    names = [name for name, _ in unbounded_scales()]
    density = noise.log_density(over_cells(SCORE), mean_at(ETA), over_cells(PHI)).values
    real, positive = 1 + names.index("real"), 1 + names.index("positive")
    middle = CENTRE + STEP * ETA
    sd = 2 * np.abs(STEP) / np.sqrt(PHI)
    assert density[real] == pytest.approx(stats.norm.logpdf(2.0, middle[real], sd[real]))
    lognormal = stats.lognorm.logpdf(2.0, sd[positive], scale=np.exp(middle[positive]))
    assert density[positive] == pytest.approx(lognormal)


@pytest.mark.parametrize("kind", ["beta", "logit-normal", "student-t"])
def test_sampling_adds_to_the_variance_of_fractions(kind: str) -> None:
    """Scores over n items drawn around noisy rates have the variance of the combined precision."""
    likelihood = LIKELIHOODS[kind]()  # type: ignore[call-arg]
    parameters = {"tail": xr.DataArray(200.0)}
    noise, items = likelihood.noise(parameters, xr.DataArray(np.nan)), 60
    mean, phi = xr.DataArray(np.full(200_000, 0.4), dims=("sample",)), xr.DataArray(50.0)
    rng = np.random.default_rng(3)
    rates = noise.draw(mean, phi, rng).values
    counted = rng.binomial(items, rates) / items
    together = noise.draw(mean, noise.sampled(phi, mean, 1 / items), rng).values
    # The delta method on the logit scale is accurate to a few percent at these spreads.
    assert together.var() == pytest.approx(counted.var(), rel=0.05)


def test_no_sampling_leaves_the_precision() -> None:
    noise = LIKELIHOODS["beta"]().noise({}, xr.DataArray(np.nan))  # type: ignore[call-arg]
    assert noise.sampled(37.0, 0.3, 0.0) == 37.0
