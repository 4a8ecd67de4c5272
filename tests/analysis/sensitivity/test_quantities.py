"""Names of the quantities that sensitivity is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import xarray as xr

import latentscale as ls
from latentscale.analysis.sensitivity import sensitivity as sensitivity_module
from latentscale.posterior.fit import Fit


def test_quantities_have_one_name_whatever_the_order_of_dims(
    prior_fit: Callable[..., Fit],
    known_spec: ls.ModelSpec,
    small_scores: ls.Scores,
    tmp_path: Path,
) -> None:
    """By it a refit is joined with a fit of an earlier version, which may have skills first."""
    fit = prior_fit(known_spec, small_scores, draws=20)
    first = fit.posterior["loading"].transpose("chain", "draw", "skill", "benchmark")
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(fit.posterior.assign(loading=first))
    replace(fit, tree=tree).save(tmp_path / "earlier.nc")
    loaded = ls.load(tmp_path / "earlier.nc")
    assert loaded.posterior["loading"].dims == ("chain", "draw", "benchmark", "skill")
    usual, other = (
        sensitivity_module.flat(sensitivity_module.quantities_of(of, ["loading"], None, 1)[0])
        for of in (fit, loaded)
    )
    xr.testing.assert_identical(other, usual)
    where = {place.rsplit(", ", 1)[0] for place in usual["where"].values}
    assert len(where) > 1 and where <= set(fit.scores.benchmarks)  # but anchors, which are fixed
