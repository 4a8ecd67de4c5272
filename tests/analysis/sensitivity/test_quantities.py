"""Names of the quantities in a sensitivity analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.sensitivity import sensitivity as sensitivity_module
from latentscale.errors import SpecError
from latentscale.posterior.fit import Fit


def test_quantities_have_one_name_whatever_the_order_of_dims(
    prior_fit: Callable[..., Fit],
    known_spec: ls.ModelSpec,
    small_scores: ls.Scores,
    tmp_path: Path,
) -> None:
    """A refit is matched by it with a fit of an earlier version, which may have skills first."""
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
    assert len(where) > 1 and where <= set(fit.scores.benchmarks)  # except anchors, which are fixed


def test_parameters_that_rotate_with_free_skills_are_not_looked_at_by_default(
    prior_fit: Callable[..., Fit], small_scores: ls.Scores
) -> None:
    """A family was reported to move a slope of skill 3, which is a different skill in each draw."""
    spec = ls.load_spec("latentscale").with_(
        {"skills.identify": {"kind": "free"}, "skills.count": 2}
    )
    fit = prior_fit(spec, small_scores, draws=120)
    shown = set(ls.sensitivity(fit).table()["variable"])
    influence = ls.studies.family_influence(fit, progress=False)
    assert shown and not shown & {"slope", "loading", "intercept"}
    assert set(influence.table()["variable"]) <= shown
    assert set(ls.sensitivity(fit, variables=["slope"]).table()["variable"]) == {"slope"}
    one = ls.studies.family_influence(fit, families=fit.scores.families[:1], progress=False)
    assert "of 1 family:" in one.headline and "For 1 family (" in one.headline


def test_an_aligned_fit_has_no_means_of_loadings_to_look_at(
    prior_fit: Callable[..., Fit], small_scores: ls.Scores
) -> None:
    """Its log priors cover everything that was sampled; `ls.sensitivity` raised a KeyError."""
    spec = ls.load_spec("capabilities").with_({"skills.count": 2, "terms": []})
    fit = ls.align(prior_fit(spec.with_({"covariates": ["log_flops"]}), small_scores)).fit
    assert "signed_loading_mean" not in fit.posterior
    shown = set(ls.sensitivity(fit).table()["variable"])
    assert "slope" in shown and shown <= set(fit.posterior.data_vars)
    with pytest.raises(SpecError, match='"signed_loading_mean" is not a top-level parameter'):
        ls.sensitivity(fit, variables=["signed_loading_mean"])
