"""Draws are paired by the number of their posterior draw, whatever their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import at_samples, by_sample, in_chains, paired

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def fit(prior_fit, quick_spec: ls.ModelSpec, small_scores: ls.Scores) -> Fit:
    made = prior_fit(quick_spec, small_scores, draws=60)
    groups = {name: made.tree[name].to_dataset() for name in made.tree.children}

    def in_three_chains(group: xr.Dataset) -> xr.Dataset:
        if "draw" not in group.dims:
            return group
        parts = [group.isel(draw=slice(20 * c, 20 * c + 20)) for c in range(3)]
        parts = [part.assign_coords(draw=np.arange(100, 120)) for part in parts]
        return xr.concat(parts, dim="chain").assign_coords(chain=[0, 1, 5])

    tree = {name: in_three_chains(group) for name, group in groups.items()}
    return replace(made, tree=xr.DataTree.from_dict(tree))


def test_samples_say_which_draw_they_are(fit: Fit) -> None:
    samples = fit.samples
    np.testing.assert_array_equal(samples["sample"], np.arange(60))
    row = samples["intercept"].isel(sample=[47]).isel(sample=0)
    assert (int(row["chain"]), int(row["draw"])) == (5, 107)
    own = fit.posterior["intercept"].sel(chain=5, draw=107)
    np.testing.assert_array_equal(row, own)


def test_a_group_in_another_order_is_paired_by_its_labels(fit: Fit) -> None:
    logs = fit.tree["log_likelihood"]["score"]
    mixed = logs.isel(draw=RNG.permutation(20), chain=[2, 0, 1])
    np.testing.assert_array_equal(by_sample(fit, mixed), by_sample(fit, logs))
    np.testing.assert_array_equal(paired(mixed, fit.posterior), logs)
    with pytest.raises(ls.FitError, match="draw 103 is in only one of them"):
        by_sample(fit, logs.sel(draw=[d for d in range(100, 120) if d != 103]))
    with pytest.raises(ls.FitError, match="do not belong together: 20 and 12 of the dim draw"):
        by_sample(fit, logs.isel(draw=slice(12)).drop_vars("draw"))


def test_values_follow_rows_that_were_resampled(fit: Fit) -> None:
    values = by_sample(fit, fit.tree["log_likelihood"]["score"]).sum("cell")
    wanted = RNG.integers(60, size=200)
    rows = fit.samples["intercept"].isel(sample=wanted)
    paired = at_samples(values.isel(sample=RNG.permutation(60)), rows)
    np.testing.assert_array_equal(paired, values.values[wanted])
    np.testing.assert_array_equal(paired["sample"], wanted)
    with pytest.raises(ls.FitError, match="has no value"):
        at_samples(values.isel(sample=slice(10)), rows)
    with pytest.raises(ls.FitError, match="a unique sample label for each draw"):
        at_samples(values.isel(sample=[0, 0, 1]), rows)


def test_chains_come_back_from_any_order(fit: Fit) -> None:
    samples = fit.samples["slope" if "slope" in fit.samples else "intercept"]
    whole = in_chains(fit, samples.isel(sample=RNG.permutation(60)))
    name = str(samples.name)
    wanted = fit.posterior[name].transpose(*whole.dims).values
    np.testing.assert_array_equal(whole.values, wanted)
    some = samples.isel(sample=[7, 3, 3, 50])
    np.testing.assert_array_equal(
        in_chains(fit, some).isel(chain=0), samples.isel(sample=[3, 3, 7, 50])
    )
