"""Quantities that ArviZ also computes: our own code gives the same numbers."""

from __future__ import annotations

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from latentscale.analysis.checks.ranking import stacking_weights
from latentscale.posterior.convergence import convergence


def test_e_bfmi_is_the_smallest_over_chains() -> None:
    steps = np.random.default_rng(1).normal(size=(3, 200))
    steps[2] = 0.1 * np.cumsum(steps[2])
    energy = xr.DataArray(steps, dims=("chain", "draw"))
    stats = xr.Dataset({"energy": energy, "diverging": energy > 100})
    posterior = xr.Dataset({"x": energy})
    wanted = np.square(np.diff(steps[2])).mean() / steps[2].var(ddof=1)
    assert convergence(posterior, stats).ebfmi == pytest.approx(wanted)


def arviz_weights(elpd: pd.DataFrame) -> np.ndarray:
    """ArviZ's stacking weights of pointwise log predictive densities."""
    utils = pytest.importorskip("arviz_stats.utils")
    if not hasattr(utils, "ELPDDataLOO"):
        pytest.skip("this version of ArviZ holds such densities in another way")
    held = {
        name: utils.ELPDDataLOO(
            elpd=float(values.sum()),
            se=1.0,
            p=0.0,
            n_samples=1000,
            n_data_points=len(values),
            scale="log",
            warning=False,
            good_k=0.7,
            elpd_i=xr.DataArray(values.to_numpy(), dims="cell"),
            pareto_k=xr.DataArray(np.zeros(len(values)), dims="cell"),
        )
        for name, values in elpd.items()
    }
    return azs.compare(held, round_to="none")["weight"].loc[list(elpd)].to_numpy()


@pytest.mark.filterwarnings("ignore")
def test_stacking_weights_are_those_of_arviz_where_it_has_any() -> None:
    rng = np.random.default_rng(2)
    elpd = pd.DataFrame(rng.normal(0, 0.5, (400, 4)), columns=list("abcd"))
    elpd["a"] += 0.1
    np.testing.assert_allclose(stacking_weights(elpd), arviz_weights(elpd), atol=1e-3)


def test_stacking_weights_do_not_change_with_the_unit_of_density() -> None:
    """ArviZ exponentiates without shifting: at -900 all become 0, and its weights equal."""
    elpd = pd.DataFrame(np.random.default_rng(3).normal(0, 1, (400, 3)))
    np.testing.assert_allclose(stacking_weights(elpd - 900), stacking_weights(elpd), atol=1e-6)
