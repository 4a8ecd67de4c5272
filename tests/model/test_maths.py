"""The elementwise functions agree between xarray and PyTensor, and with numpy."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pytensor.xtensor import as_xtensor
from scipy import special
from scipy.special import expit

from latentscale.maths import maths_of

POINTS = np.array([-700.0, -40.0, -3.0, -1e-9, 0.0, 1e-9, 0.5, 3.0, 40.0, 700.0])
POSITIVE = np.array([1e-9, 0.2, 1.0, 1.5, 2.0, 40.0, 700.0])
CASES = {
    "exp": (np.clip(POINTS, -700, 300), np.exp),
    "sqrt": (np.abs(POINTS), np.sqrt),
    "sigmoid": (POINTS, expit),
    "softplus": (POINTS, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
    "expm1": (np.clip(POINTS, -700, 300), np.expm1),
    "clip": (POINTS, lambda x: np.clip(x, -1, 2)),
    "log": (POSITIVE, np.log),
    "log1p": (POSITIVE - 1 + 1e-9, np.log1p),
    "abs": (POINTS, np.abs),
    "logit": (expit(np.clip(POINTS, -30, 30)), special.logit),
    "tanh": (POINTS, np.tanh),
    "arctan": (POINTS, np.arctan),
    "erf": (POINTS, special.erf),
    "erfc": (POINTS, special.erfc),
    "gammaln": (POSITIVE, special.gammaln),
    "betaln": (POSITIVE, lambda x: special.betaln(x, 2.5)),
    "maximum": (POINTS, lambda x: np.maximum(x, 0.3)),
    "minimum": (POINTS, lambda x: np.minimum(x, 0.3)),
}
SECOND = {"clip": (-1.0, 2.0), "betaln": (2.5,), "maximum": (0.3,), "minimum": (0.3,)}
"""Further arguments."""


@pytest.mark.parametrize("name", CASES)
def test_both_kinds_of_array_give_numpys_values(name: str) -> None:
    points, wanted = CASES[name]
    extra = SECOND.get(name, ())
    array = xr.DataArray(points, dims="at")
    variable = as_xtensor(points, dims=("at",))
    ours = getattr(maths_of(array), name)(array, *extra)
    theirs = getattr(maths_of(variable), name)(variable, *extra)
    assert ours.dims == ("at",) and theirs.dims == ("at",)
    np.testing.assert_allclose(ours.values, wanted(points), rtol=1e-12, atol=0)
    computed = theirs.values.eval(mode="FAST_COMPILE")
    np.testing.assert_allclose(computed, wanted(points), rtol=1e-12, atol=1e-300)


def test_a_choice_is_made_element_by_element() -> None:
    array = xr.DataArray(POINTS, dims="at")
    variable = as_xtensor(POINTS, dims=("at",))
    ours = maths_of(array).where(array > 0, array, -1.0)
    theirs = maths_of(variable).where(variable > 0, variable, -1.0)
    wanted = np.where(POINTS > 0, POINTS, -1.0)
    np.testing.assert_array_equal(ours.values, wanted)
    np.testing.assert_array_equal(theirs.values.eval(mode="FAST_COMPILE"), wanted)


def test_constants_keep_their_dims() -> None:
    values = np.arange(6.0).reshape(2, 3)
    array = maths_of(xr.DataArray(0.0)).named(values, ("a", "b"))
    variable = maths_of(as_xtensor(0.0)).named(values, ("a", "b"))
    assert array.dims == ("a", "b") and variable.dims == ("a", "b")
    np.testing.assert_array_equal(variable.values.eval(mode="FAST_COMPILE"), values)
