"""Centres of families' latents compared with plain linear algebra, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from latentscale.engine.ops.centring import centring

FAMILIES, SKILLS, BENCHMARKS, CELLS = 5, 3, 6, 40
RNG = np.random.default_rng(8)
GIVEN = [
    RNG.uniform(0.5, 3, CELLS),
    RNG.normal(size=CELLS),
    RNG.normal(size=(BENCHMARKS, SKILLS)),
    RNG.normal(size=(FAMILIES, SKILLS)),
    RNG.integers(FAMILIES - 1, size=CELLS),  # the last family has no scores
    RNG.integers(BENCHMARKS, size=CELLS),
]


def symbols() -> list:
    kinds = [pt.dvector, pt.dvector, pt.dmatrix, pt.dmatrix, pt.lvector, pt.lvector]
    return [kind() for kind in kinds]


@pytest.mark.parametrize("mode", ["NUMBA", "FAST_COMPILE"])
def test_centres_are_weighted_least_squares(mode: str) -> None:
    given = symbols()
    centres = pytensor.function(given, centring(*given), mode=mode)(*GIVEN)
    weight, target, mix, z, family, benchmark = GIVEN
    for f in range(FAMILIES):
        rows = mix[benchmark[family == f]]
        w = weight[family == f]
        precision = np.eye(SKILLS) + (rows.T * w) @ rows
        centre = np.linalg.solve(precision, (rows.T * w) @ target[family == f])
        lower = np.linalg.cholesky(precision)
        np.testing.assert_allclose(centres[0][f], centre, atol=1e-12)
        np.testing.assert_allclose(centres[1][f], np.linalg.solve(lower.T, z[f]), atol=1e-12)
        assert centres[2][f] == pytest.approx(-0.5 * np.linalg.slogdet(precision)[1])


@pytest.mark.parametrize("mode", ["NUMBA", "FAST_COMPILE"])
def test_derivatives_are_those_that_differences_give(mode: str) -> None:
    given = symbols()
    outputs = centring(*given)[:3]
    shares = [RNG.normal(size=shape) for shape in ((FAMILIES, SKILLS),) * 2 + ((FAMILIES,),)]
    total = sum((output * share).sum() for output, share in zip(outputs, shares, strict=True))
    value = pytensor.function(given, total, mode="FAST_COMPILE")
    slopes = pytensor.function(given, pt.grad(total, given[:4]), mode=mode)(*GIVEN)
    for place, slope in enumerate(slopes):
        direction = RNG.normal(size=slope.shape)
        ends = [
            value(*[g + s * direction if k == place else g for k, g in enumerate(GIVEN)])
            for s in (1e-6, -1e-6)
        ]
        assert np.sum(slope * direction) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_other_inputs_are_refused() -> None:
    given = symbols()
    with pytest.raises(TypeError, match="int64"):
        centring(*given[:4], given[0], given[5])
