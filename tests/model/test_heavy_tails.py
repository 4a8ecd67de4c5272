"""The heavy-tailed Beta: its density and draws compared with mixtures of scipy's Betas."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.integrate import quad

from latentscale.declare.io import load_spec
from latentscale.declare.likelihood import NormalNoise
from latentscale.errors import SpecError
from latentscale.extend import LIKELIHOODS
from latentscale.model.likelihoods.beta import BetaNoise
from latentscale.model.likelihoods.heavy_tailed_beta import HeavyTailedNoise

WEIGHT, MEAN, PHI = 0.3, 0.3, 60.0
NOISE = HeavyTailedNoise(BetaNoise(), xr.DataArray(WEIGHT))


def mixed(of: str, value: np.ndarray) -> np.ndarray:
    """Return the density or distribution function of the mixture by scipy."""
    shares = (1 - WEIGHT, WEIGHT * (1 - WEIGHT), WEIGHT**2)
    parts = [
        getattr(stats.beta(MEAN * PHI / wide, (1 - MEAN) * PHI / wide), of)(value)
        for wide in (1, 9, 81)
    ]
    return sum(share * part for share, part in zip(shares, parts, strict=True))


def test_the_density_is_that_of_the_mixture() -> None:
    score = np.linspace(0.01, 0.99, 25)
    density = NOISE.log_density(
        xr.DataArray(score, dims="model"), xr.DataArray(MEAN), xr.DataArray(PHI)
    )
    np.testing.assert_allclose(np.exp(density), mixed("pdf", score), rtol=1e-10)


def test_draws_follow_the_mixture() -> None:
    mean = xr.DataArray(np.full(20_000, MEAN), dims="sample")
    drawn = NOISE.draw(mean, xr.DataArray(PHI), np.random.default_rng(3))
    # Half a hundredth from the ends: closer, doubles round the widest component's scores to 0 and
    # 1.
    inside = drawn.values[(drawn > 0.005) & (drawn < 0.995)]
    low, high = mixed("cdf", np.array([0.005, 0.995]))
    assert inside.size / 20_000 == pytest.approx(high - low, abs=0.01)
    assert stats.kstest(inside, lambda x: (mixed("cdf", x) - low) / (high - low)).pvalue > 1e-3


def test_scores_without_bounds_have_tails_of_the_same_weight() -> None:
    noise = LIKELIHOODS["heavy-tailed-beta"]().unbounded({"tail_weight": xr.DataArray(WEIGHT)})
    assert isinstance(noise, HeavyTailedNoise) and isinstance(noise.usual, NormalNoise)

    def density(score: float) -> float:
        logs = noise.log_density(xr.DataArray(score), xr.DataArray(0.0), xr.DataArray(4.0))
        return float(np.exp(logs))

    assert quad(density, -60, 60, points=[-3, 0, 3], limit=200)[0] == pytest.approx(1, abs=1e-6)


def test_the_weight_stays_below_the_largest() -> None:
    kind = LIKELIHOODS["heavy-tailed-beta"](largest_weight=0.5)
    share = {"tail_weight": xr.DataArray(2 * WEIGHT)}
    for noise in (kind.noise(share, xr.DataArray(100.0)), kind.unbounded(share)):
        assert isinstance(noise, HeavyTailedNoise)
        assert float(noise.weight) == WEIGHT
    assert load_spec("capabilities").benchmarks.likelihood == kind
    with pytest.raises(SpecError, match="largest_weight: Input should be greater than 0; got 0"):
        LIKELIHOODS["heavy-tailed-beta"](largest_weight=0)


def test_one_weight_a_benchmark() -> None:
    kind = LIKELIHOODS["heavy-tailed-beta"](shared=False)
    assert kind.parameters()["tail_weight"].dims == ("benchmark",)
