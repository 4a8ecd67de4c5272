"""Densities as C functions: the same numbers as through Python, from any thread."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import nutpie
import pytest
from nutpie.compiled_pyfunc import from_pyfunc

from latentscale.engine.density import Affine, Density
from latentscale.engine.fast import compile_density
from latentscale.engine.native import NativeCalls, native_calls
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.model.build import build


@pytest.fixture(scope="module")
def density(known, known_spec) -> Density:
    model = build(known_spec, known.scores)
    return compile_density(model, kept_names(model))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def value_and_gradient(calls: NativeCalls, point: np.ndarray) -> tuple[int, float, np.ndarray]:
    kinds = [ctypes.c_uint64, *[ctypes.c_void_p] * 4]
    function = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(calls.log_density.address)
    gradient, value = np.full_like(point, 9.0), np.zeros(1)
    arrays = (point, gradient, value, calls.memory)
    code = function(point.size, *(pointer(array) for array in arrays))
    return code, float(value[0]), gradient


def expanded(calls: NativeCalls, point: np.ndarray, length: int) -> np.ndarray:
    kinds = [ctypes.c_uint64] * 2 + [ctypes.c_void_p] * 3
    function = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(calls.expand.address)
    values = np.full(length, np.nan)
    arrays = (point, values, calls.memory)
    assert function(point.size, length, *(pointer(array) for array in arrays)) == 0
    return values


def maps(size: int) -> list[Affine | None]:
    rng = np.random.default_rng(2)
    places = rng.permutation(size)[:7]
    spread = np.eye(7) + 0.2 * rng.standard_normal((7, 7))
    return [None, Affine(places, 0.1 * rng.standard_normal(7), spread)]


@pytest.mark.parametrize("mapped", [False, True])
def test_c_and_python_agree(density: Density, mapped: bool) -> None:
    affine = maps(density.size)[mapped]
    moved = density if affine is None else density.mapped(affine)
    calls = moved.native(moved.affine)
    rng = np.random.default_rng(3)
    for _ in range(3):
        point = density.start + 0.2 * rng.standard_normal(density.size)
        value, gradient = moved.log_density(point)
        code, by_c, slope = value_and_gradient(calls, point)
        assert code == 0
        assert by_c == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(slope, gradient, rtol=1e-9, atol=1e-9)
        flat = np.concatenate([np.ravel(part) for part in moved.expand(point).values()])
        np.testing.assert_allclose(expanded(calls, point, flat.size), flat, rtol=1e-12, atol=1e-14)


def test_a_gradient_through_the_map_is_the_slope(density: Density) -> None:
    affine = maps(density.size)[1]
    assert affine is not None
    calls = density.native(affine)
    rng = np.random.default_rng(4)
    point = density.start + 0.1 * rng.standard_normal(density.size)
    direction = rng.standard_normal(density.size)
    ahead, behind = (value_and_gradient(calls, point + s * direction)[1] for s in (1e-5, -1e-5))
    slope = float(value_and_gradient(calls, point)[2] @ direction)
    assert slope == pytest.approx((ahead - behind) / 2e-5, rel=1e-4)


def test_what_is_not_finite_is_told_by_the_code(density: Density) -> None:
    code, _, _ = value_and_gradient(density.native(None), np.full(density.size, np.nan))
    assert code in (3, 4)


def test_what_a_program_raises_is_told_by_the_code() -> None:
    @numba.njit
    def law(point, data):  # type: ignore[no-untyped-def]
        return np.asarray(data[0] / point[0]), point.copy()

    @numba.njit
    def values(point, data):  # type: ignore[no-untyped-def]
        return (data / point[0] if point[0] > 0 else np.zeros(1 // int(point[0])),)

    data, point = [np.ones(2)], np.ones(3)
    law(point, *data), values(point, *data)
    calls = native_calls(law, values, data, data, point)
    code, value, gradient = value_and_gradient(calls, np.array([4.0, 1.0, 2.0]))
    assert (code, value, gradient.tolist()) == (0, 0.25, [4.0, 1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        law(np.zeros(3), *data)
    assert value_and_gradient(calls, np.zeros(3))[0] == 1
    assert expanded(calls, np.full(3, 2.0), 2).tolist() == [0.5, 0.5]


def test_chains_draw_what_they_draw_through_python(density: Density) -> None:
    compiled = density.for_nutpie()
    names = list(density.shapes)
    by_python = from_pyfunc(
        *(density.size, lambda: density.log_density, lambda *seeds: density.expand),
        *([np.dtype("float64")] * len(names), list(density.shapes.values()), names),
        **{"coords": density.coords, "dims": density.dims},
        make_initial_point_fn=compiled.begin,
    )
    settings = {"draws": 20, "tune": 60, "chains": 2, "cores": 2, "seed": 3, "progress_bar": False}
    ours, theirs = (
        nutpie.sample(model, **settings)["posterior"].to_dataset()
        for model in (compiled.compiled(), by_python)
    )
    assert set(ours.data_vars) == set(theirs.data_vars) == set(names)
    for name in names:
        assert ours[name].dims == theirs[name].dims
        np.testing.assert_allclose(ours[name].values, theirs[name].values, rtol=1e-9)
    assert float(ours["intercept"].std("draw").min()) > 0


def test_threads_side_by_side_find_the_same(density: Density) -> None:
    calls = density.native(None)
    points = density.start + 0.1 * np.random.default_rng(5).standard_normal((40, density.size))
    alone = [value_and_gradient(calls, point)[1] for point in points]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda point: value_and_gradient(calls, point)[1], points))
    assert together == alone
