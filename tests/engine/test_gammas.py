"""Gamma functions against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from latentscale.engine.ops import gammas


@pytest.mark.parametrize("x", [1e-5, 0.03, 0.9, 2.5, 7.99, 8.0, 40.0, 3e4])
def test_gamma_functions_are_scipys(x: float) -> None:
    value, slope = gammas.log_gamma_and_digamma(x)
    np.testing.assert_allclose(value, special.gammaln(x), rtol=1e-11, atol=1e-11)
    assert gammas.log_gamma(x) == value
    np.testing.assert_allclose(slope, special.digamma(x), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(gammas.trigamma(x), special.polygamma(1, x), rtol=1e-9)


def test_many_arguments_agree_with_scipy() -> None:
    x = np.concatenate([np.geomspace(1e-4, 1e5, 300), [1.0, 2.0, 7.0, 8.0]])
    ours = np.array([gammas.log_gamma_and_digamma(value) for value in x])
    np.testing.assert_allclose(ours[:, 0], special.gammaln(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours[:, 1], special.digamma(x), rtol=1e-12, atol=1e-11)
