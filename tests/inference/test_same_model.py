"""Chains of a folder continue only if this version builds the model from which they were drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from latentscale.engine.density import ChainModel
from latentscale.errors import FitError
from latentscale.inference.nuts.same_model import refuse_another_model
from latentscale.posterior.stream import _joined
from latentscale.posterior.zarr_store import ChainDraws


def model(*, slope: float = 0.0, constant: float = 0.0, factor: float = 1.0) -> ChainModel:
    """Return a standard normal in two dims, tilted and shifted, whose parameters are doubled."""

    def log_density(point: np.ndarray) -> tuple[float, np.ndarray]:
        value = -0.5 * float(point @ point) + slope * float(point[0]) + constant
        return value, -point

    def expand(point: np.ndarray) -> dict[str, np.ndarray]:
        return {"floor": 2 * factor * point, "unused": point}

    return ChainModel(log_density, lambda seed: np.zeros(2), lambda begin: None, expand)


def chain(*position: float, recorded: bool = True, draws: int = 3) -> ChainDraws:
    """Return a chain from the model without tilt whose last draw is at a position."""
    at = np.array(position)
    values = np.vstack([np.zeros((draws - 1, 2)), 2 * at]) if draws else np.zeros((0, 2))
    density = model().log_density(at)[0] if recorded and draws else None
    posterior = xr.Dataset({"floor": (("draw", "benchmark"), values)})
    stats = xr.Dataset({"energy": ("draw", np.zeros(draws))})
    return ChainDraws(posterior, stats, at, density)


def check(now: ChainModel, *chains: ChainDraws) -> None:
    refuse_another_model(Path("run"), now, dict(enumerate(chains)), "0.1.0")


def test_chains_of_the_same_model_go_on() -> None:
    check(model(), chain(0.3, -1.0), chain(2.0, 0.1))
    check(model(), chain(0.3, -1.0))
    check(model(constant=40.0), chain(0.3, -1.0), chain(2.0, 0.1))  # the same posterior


def test_another_prior_is_found_by_the_log_density() -> None:
    with pytest.raises(FitError, match=r"latentscale 0\.1\.0\): log densities .* differ by 0\.17"):
        check(model(slope=0.2), chain(0.3, -1.0), chain(2.0, 0.1))
    with pytest.raises(FitError, match=r"differ by 0\.06 from those recorded"):
        check(model(slope=0.2), chain(0.3, -1.0))


@pytest.mark.parametrize("recorded", [True, False])
def test_another_parameterisation_is_found_by_the_parameters(recorded: bool) -> None:
    with pytest.raises(FitError, match='the same positions now give different "floor"'):
        check(model(factor=1.01), chain(0.3, -1.0, recorded=recorded))


def test_folders_that_recorded_no_log_density_are_judged_by_their_parameters() -> None:
    check(model(slope=0.2), chain(0.3, -1.0, recorded=False))


def test_a_position_after_the_last_kept_draw_says_nothing() -> None:
    warming = chain(5.0, 5.0, draws=0)
    joined = _joined(chain(0.3, -1.0), warming)
    assert joined.has_moved_on and joined.log_density is None
    check(model(), joined)
    again = _joined(joined, chain(1.0, 1.0))
    assert not again.has_moved_on and again.log_density == pytest.approx(-1.0)
    assert _joined(chain(0.3, -1.0), chain(0.5, 0.5)).log_density == pytest.approx(-0.25)
