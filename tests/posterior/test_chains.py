"""A fit with only some chains: status recomputed and recorded, refused if there is no choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.errors import FitError
from latentscale.posterior.draws import kept_chains
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import status_with_start


@pytest.fixture(scope="module")
def apart(prior_fit: Callable[..., Fit], quick_spec, small_scores) -> Fit:
    """Four chains of prior draws, the last far from the others."""
    fit = prior_fit(quick_spec, small_scores, draws=1600)
    folded = {
        node.path: _folded(node.to_dataset(inherit=False), chains=4) for node in fit.tree.subtree
    }
    intercept = folded["/posterior"]["intercept"]
    folded["/posterior"]["intercept"] = intercept + 100.0 * (intercept["chain"] == 3)
    return replace(fit, tree=xr.DataTree.from_dict(folded))


def _folded(held: xr.Dataset, chains: int) -> xr.Dataset:
    if "draw" not in held.dims:
        return held
    draws = held.sizes["draw"] // chains
    parts = [
        held.isel(chain=0, draw=slice(k * draws, (k + 1) * draws)).assign_coords(
            draw=np.arange(draws), chain=k
        )
        for k in range(chains)
    ]
    return xr.concat(parts, dim="chain", data_vars="minimal")


def test_chains_that_agree_converge_without_the_one_that_does_not(apart: Fit) -> None:
    assert apart.with_chains([0, 1, 2, 3]).status.converged is False
    kept = apart.with_chains([0, 1, 2])
    assert kept.status.converged is True
    assert "chains 0, 1, 2 kept, chain 3 left out" in kept.status.message
    assert any("which chains were left out" in line for line in kept.status.advice)


def test_what_a_status_says_beside_the_draws_stays(apart: Fit) -> None:
    """Modes that chains miss, and chains left out before, were dropped from the status."""
    own = apart.with_chains([0, 1, 2, 3])
    start = status_with_start(own.status, "chains begin at 1 of 2 modes", ("Report the other.",))
    once = replace(own, status=start).with_chains([0, 1, 2])
    twice, again = once.with_chains([0, 1]), once.with_chains([2, 1, 0])
    assert once.status.message.endswith(
        "; chains begin at 1 of 2 modes; chains 0, 1, 2 kept, chain 3 left out"
    )
    assert twice.status.message.endswith("chain 3 left out; chains 0, 1 kept, chain 2 left out")
    assert again.status.message == once.status.message
    for fit in (once, twice, again):
        assert fit.status.advice.count("Report the other.") == 1
        assert sum("which chains were left out" in line for line in fit.status.advice) == 1
    assert "R-hat" not in "".join(once.status.advice)


def test_draws_are_those_of_the_chains_kept_in_every_group(apart: Fit) -> None:
    kept = apart.with_chains(np.array([3, 1]))
    for name in ("posterior", "log_likelihood", "log_prior"):
        assert kept.tree[name]["chain"].values.tolist() == [3, 1]
    np.testing.assert_array_equal(
        kept.posterior["intercept"].sel(chain=3), apart.posterior["intercept"].sel(chain=3)
    )
    assert set(kept.samples["chain"].values) == {1, 3}
    assert apart.posterior.sizes["chain"] == 4


def test_the_choice_is_saved_with_the_fit(apart: Fit, tmp_path: Path) -> None:
    again = ls.load(apart.with_chains([0, 2]).save(tmp_path / "kept.nc"))
    assert again.provenance.settings["chains_kept"] == [0, 2]
    assert again.posterior["chain"].values.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("chains", "words"),
    [
        ([0, 7], r"chains of the fit \(0, 1, 2, 3\); got chain 7"),
        ([], "got an empty list"),
        ([1, 1], "chain 1 more than once"),
        ([0.5], "whole number"),
        ("01", "must be a list"),
        (2, "must be a list"),
    ],
)
def test_chains_that_are_not_there_are_refused(apart: Fit, chains: object, words: str) -> None:
    with pytest.raises(FitError, match=words):
        apart.with_chains(chains)


def test_one_chain_alone_is_no_choice(prior_fit, quick_spec, small_scores) -> None:
    with pytest.raises(FitError, match="has only one chain"):
        prior_fit(quick_spec, small_scores).with_chains([0])


def test_chains_that_got_half_as_far_as_the_longest_are_kept() -> None:
    assert kept_chains([100, 50, 49, 80]) == ([0, 1, 3], 50)
    assert kept_chains([0, 1]) == ([1], 1)
    with pytest.raises(FitError, match="before the first kept draw"):
        kept_chains([0, 0])
