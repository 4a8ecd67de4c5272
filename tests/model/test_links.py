"""Links compared with their formulas: increasing, inside (0, 1), finite gradients far out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pytensor import function, grad
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.xtensor import as_xtensor, xtensor
from scipy.integrate import quad
from scipy.special import expit

from latentscale.declare import ModelSpec, spec_from_dict, spec_from_json
from latentscale.errors import SpecError
from latentscale.model.equations import expected_score

ETA = xr.DataArray(np.linspace(-8, 8, 81), dims="model")
POWER = 0.4


def centred_power(eta: np.ndarray, power: float) -> np.ndarray:
    """Logistic curve to a power, shifted and stretched to value 1/2 and slope 1/4 in the middle."""
    half = 0.5 ** (1 / power)
    middle = np.log(half / (1 - half))
    stretch = 0.25 / (power * 0.5 * (1 - half))
    return (1 / (1 + np.exp(-(middle + stretch * eta)))) ** power


BY_FORMULA = {
    "logistic": lambda eta: 1 / (1 + np.exp(-eta)),
    "power-logistic": lambda eta: centred_power(eta, POWER),
    "cloglog": lambda eta: 1 - np.exp(-np.exp(eta)),
}


def spec_with(link: str = "logistic", **options: object) -> ModelSpec:
    return spec_from_dict({"name": "x", "benchmarks": {"link": {"kind": link, **options}}})


def link_share(
    spec: ModelSpec, parameters: dict[str, xr.DataArray], eta: xr.DataArray
) -> xr.DataArray:
    return spec.benchmarks.link.share(parameters, eta)


def link_coords(spec: ModelSpec) -> dict[str, list[str]]:
    return spec.benchmarks.link.coords()


def one(value: float) -> xr.DataArray:
    return xr.DataArray(value)


@pytest.mark.parametrize("link", BY_FORMULA)
def test_a_link_follows_its_formula_and_rises(link: str) -> None:
    parameters = {"floor": one(0.0), "link_power": one(POWER)}
    mean = expected_score(spec_with(link), parameters, ETA)
    wanted = np.clip(BY_FORMULA[link](ETA.values), 1e-6, 1 - 1e-6)
    np.testing.assert_allclose(mean.values, wanted, rtol=1e-9)
    inner = mean.where((mean > 2e-6) & (mean < 1 - 2e-6)).dropna("model")
    assert len(inner) > 40
    assert (np.diff(inner.values) > 0).all()


def test_links_differ_from_each_other() -> None:
    parameters = {"floor": one(0.0), "link_power": one(POWER)}
    curves = [expected_score(spec_with(link), parameters, ETA).values for link in BY_FORMULA]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(curves[first] - curves[second]).max() > 0.02


@pytest.mark.parametrize("power", [0.2, 0.7, 1.0, 3.0, 20.0])
def test_the_power_changes_the_asymmetry_alone(power: float) -> None:
    parameters = {"floor": one(0.0), "link_power": one(power)}
    near = xr.DataArray([-1e-4, 0.0, 1e-4], dims="model")
    curve = expected_score(spec_with("power-logistic"), parameters, near).values
    assert curve[1] == pytest.approx(0.5, abs=1e-9)
    assert (curve[2] - curve[0]) / 2e-4 == pytest.approx(0.25, rel=1e-4)
    far = xr.DataArray([-4.0, 4.0], dims="model")
    below, above = expected_score(spec_with("power-logistic"), parameters, far).values
    tilt = below - (1 - above)
    assert abs(tilt) < 1e-9 if power == 1 else np.sign(tilt) == np.sign(power_tilt(power))


def power_tilt(power: float) -> float:
    low, high = centred_power(np.array([-4.0, 4.0]), power)
    return float(low - (1 - high))


def test_power_one_is_the_logistic() -> None:
    plain = expected_score(spec_with("logistic"), {"floor": one(0.1)}, ETA)
    powered = expected_score(
        spec_with("power-logistic"), {"floor": one(0.1), "link_power": one(1.0)}, ETA
    )
    np.testing.assert_allclose(powered.values, plain.values, rtol=1e-12)


KNOTS = (-3.0, -1.0, 1.0, 3.0)
SLOPES = np.array([0.4, 2.5, 1.7, 0.2])  # of the free pieces; the middle one has slope 1


def slope_at(eta: float, slopes: np.ndarray) -> float:
    """Derivative of the curve on the logit scale, before it is divided by its value at 0."""
    whole = np.insert(slopes, 2, 1.0)
    steps = expit((eta - np.array(KNOTS)) / 0.5)
    share = np.append(1.0, steps) - np.append(steps, 0.0)
    return float(whole @ share)


def free(slopes: np.ndarray) -> dict[str, xr.DataArray]:
    return {"link_slope": xr.DataArray(slopes, dims="link_piece")}


@pytest.mark.parametrize("slopes", [SLOPES, SLOPES[::-1], np.ones(4), np.full(4, 1e-3)])
def test_the_monotone_link_is_the_integral_of_its_slopes(slopes: np.ndarray) -> None:
    shares = link_share(spec_with("monotone"), free(slopes), ETA)
    for eta, share in zip(ETA.values[::8], shares.values[::8], strict=True):
        area = quad(slope_at, 0, eta, args=(slopes,), points=KNOTS, epsabs=1e-12)[0]
        assert share == pytest.approx(expit(area / slope_at(0.0, slopes)), rel=1e-8)
    assert (np.diff(shares.values) > 0).all() and 0 < shares.min() < shares.max() < 1


def test_the_monotone_link_keeps_value_and_slope_at_zero() -> None:
    near = xr.DataArray([-1e-4, 0.0, 1e-4], dims="model")
    curve = link_share(spec_with("monotone"), free(SLOPES), near).values
    assert curve[1] == pytest.approx(0.5, abs=1e-12)
    assert (curve[2] - curve[0]) / 2e-4 == pytest.approx(0.25, rel=1e-6)
    level = link_share(spec_with("monotone"), free(np.ones(4)), ETA)
    np.testing.assert_allclose(level.values, expit(ETA.values), rtol=1e-9)
    saturating = link_share(spec_with("monotone"), free(np.array([1, 1, 0.1, 0.05])), ETA)
    assert np.abs(saturating - level).max() > 0.1


def test_the_monotone_link_can_be_by_benchmark() -> None:
    slopes = xr.DataArray(np.stack([SLOPES, np.ones(4)]), dims=("benchmark", "link_piece"))
    both = link_share(spec_with("monotone"), {"link_slope": slopes}, ETA)
    assert set(both.dims) == {"model", "benchmark"}
    for j, alone in enumerate((SLOPES, np.ones(4))):
        wanted = link_share(spec_with("monotone"), free(alone), ETA)
        np.testing.assert_allclose(both.isel(benchmark=j).values, wanted.values, rtol=1e-12)


def test_the_free_pieces_are_named_by_their_knots() -> None:
    pieces = link_coords(spec_with("monotone"))["link_piece"]
    assert pieces == ["below -3", "-3 to -1", "1 to 3", "above 3"]
    at_zero = spec_with("monotone", knots=[-2, 0, 4])
    assert link_coords(at_zero)["link_piece"] == ["below -2", "-2 to 0", "above 4"]
    assert link_coords(spec_with("logistic")) == {}


@pytest.mark.parametrize("link", [*BY_FORMULA, "monotone"])
def test_gradients_are_finite_far_out(link: str) -> None:
    eta = xtensor("eta", dims=("model",), shape=(None,))
    parameters = {
        "floor": as_xtensor(np.array(0.1), dims=()),
        "link_power": as_xtensor(np.array(POWER), dims=()),
        "link_slope": as_xtensor(SLOPES, dims=("link_piece",)),
    }
    mean = expected_score(spec_with(link), parameters, eta).values
    mean = rewrite_graph(mean, include=("lower_xtensor", "canonicalize"))
    both = function([eta], [mean, grad(mean.sum(), eta).values], mode="FAST_COMPILE")
    far = np.array([-800.0, -60.0, -9.0, 0.3, 9.0, 60.0, 800.0])
    value, slope = both(far)
    assert np.isfinite(value).all() and (value > 0).all() and (value < 1).all()
    assert np.isfinite(slope).all() and (slope >= 0).all() and slope[3] > 0.1
    there = {name: xr.DataArray(p.eval(), dims=p.dims) for name, p in parameters.items()}
    xarrays = expected_score(spec_with(link), there, xr.DataArray(far, dims="model"))
    np.testing.assert_allclose(value, xarrays.values, rtol=1e-9)


@pytest.mark.parametrize("knots", [[], [1, -1], [0, 0], [-11], [float("nan")], list(range(13))])
def test_knots_that_make_no_sense_are_refused(knots: list[float]) -> None:
    with pytest.raises(SpecError, match=r"link.*knots must be 1 to 12 increasing"):
        spec_with("monotone", knots=knots)


def test_a_monotone_link_survives_json_and_a_misspelt_one_is_named() -> None:
    spec = spec_with("monotone", knots=[-2, 0.5], shared=True)
    again = spec_from_json(spec.to_json())
    assert again == spec and again.benchmarks.link.knots == (-2.0, 0.5)  # type: ignore[union-attr]
    assert spec.digest != spec_with("monotone", knots=[-2, 0.5]).digest
    with pytest.raises(SpecError, match='Did you mean "monotone"'):
        spec_with("monoton")
    with pytest.raises(SpecError, match='link: unknown key "knot"'):
        spec_with("monotone", knot=[0])
