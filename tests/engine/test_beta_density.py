"""The fused Beta density compared with SciPy, in both of its forms."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import digamma

from latentscale.engine.ops.beta_density import beta_log_density

RNG = np.random.default_rng(4)
COUNT = 400
SCORE = RNG.uniform(1e-4, 1 - 1e-4, COUNT)
MEAN = np.concatenate([RNG.uniform(0.01, 0.99, COUNT - 4), [1e-6, 1e-3, 0.999, 1 - 1e-6]])
PHI = np.exp(RNG.uniform(np.log(0.05), np.log(5e4), COUNT))


def inputs() -> list:
    return [pt.dvector(name) for name in ("score", "mean", "phi")]


@pytest.mark.parametrize("alike", [1, 4, 20])  # neighbours of one precision: few, or many
@pytest.mark.parametrize("mode", ["NUMBA", "FAST_COMPILE"])
def test_density_and_derivatives_are_scipys(mode: str, alike: int) -> None:
    given, phi = inputs(), np.repeat(PHI[::alike], alike)
    density, by_mean, by_phi = pytensor.function(given, beta_log_density(*given), mode=mode)(
        SCORE, MEAN, phi
    )
    alpha, beta = MEAN * phi, (1 - MEAN) * phi
    np.testing.assert_allclose(density, stats.beta(alpha, beta).logpdf(SCORE), rtol=1e-9, atol=1e-9)
    up, down = np.log(SCORE) - digamma(alpha), np.log1p(-SCORE) - digamma(beta)
    np.testing.assert_allclose(by_mean, phi * (up - down), rtol=1e-9, atol=1e-7)
    wanted = digamma(phi) + MEAN * up + (1 - MEAN) * down
    np.testing.assert_allclose(by_phi, wanted, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("mode", ["NUMBA", "FAST_COMPILE"])
def test_gradient_is_the_density_s_own(mode: str) -> None:
    given = inputs()
    density = beta_log_density(*given)[0]
    weights = np.linspace(-1, 2, COUNT)
    gradient = pt.grad((density * weights).sum(), given)
    slopes = pytensor.function(given, gradient, mode=mode)(SCORE, MEAN, PHI)
    values = (SCORE, MEAN, PHI)
    for place, (part, value) in enumerate(zip(slopes, values, strict=True)):
        step = 1e-5 * np.minimum(value, np.abs(1 - value)) if place < 2 else 1e-5 * value
        ends = []
        for sign in (1, -1):
            moved = [v + sign * step * (k == place) for k, v in enumerate(values)]
            ends.append(stats.beta(moved[1] * moved[2], (1 - moved[1]) * moved[2]).logpdf(moved[0]))
        numeric = weights * (ends[0] - ends[1]) / (2 * step)
        size = np.abs(numeric) + 1e-5 * np.abs(ends[0]) / step  # accuracy of finite differences
        assert np.all(np.abs(part - numeric) <= 1e-4 * size)


def test_jax_gives_the_same() -> None:
    pytest.importorskip("jax")
    from latentscale.engine.ops.beta_density import register_for_jax

    register_for_jax()
    given = inputs()
    outputs = beta_log_density(*given)
    in_jax = pytensor.function(given, outputs, mode="JAX")(SCORE, MEAN, PHI)
    in_numba = pytensor.function(given, outputs, mode="NUMBA")(SCORE, MEAN, PHI)
    for ours, theirs in zip(in_jax, in_numba, strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-7, atol=1e-7)


def test_second_derivatives_are_those_of_the_first() -> None:
    given = inputs()
    outputs = beta_log_density(*given)
    weights = np.linspace(-1, 2, COUNT)
    values = (SCORE, MEAN, PHI)
    first = pytensor.function(given, outputs, mode="FAST_COMPILE")
    for which in (1, 2):
        second = pt.grad((outputs[which] * weights).sum(), given)
        curvatures = pytensor.function(given, second, mode="FAST_COMPILE")(*values)
        for place, part in enumerate(curvatures):
            step = 1e-5 * np.minimum(values[place], np.abs(1 - values[place]))
            step = np.where(place == 2, 1e-5 * PHI, step)
            ends = [
                first(*[v + sign * step * (k == place) for k, v in enumerate(values)])[which]
                for sign in (1, -1)
            ]
            numeric = weights * (ends[0] - ends[1]) / (2 * step)
            size = np.abs(numeric) + 1e-9 * np.abs(ends[0]) / step  # accuracy of finite differences
            assert np.all(np.abs(part - numeric) <= 1e-4 * size)


def test_other_inputs_are_refused() -> None:
    with pytest.raises(TypeError, match="three vectors"):
        beta_log_density(pt.dmatrix(), pt.dvector(), pt.dvector())
