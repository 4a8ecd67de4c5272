"""Batches of a table that together are the whole, and ADVI that uses one at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.inference.approximations.batches import BatchedDensity
from latentscale.model.batches import VariableSlices, deal
from latentscale.model.build import build_design
from latentscale.model.design import Design, design


@pytest.fixture(scope="module")
def whole(known, known_spec) -> Design:
    """The simulated table without centring."""
    return replace(design(known_spec, known.scores), centred=False)


@pytest.fixture(scope="module")
def batched(known_spec, whole) -> BatchedDensity:
    """Its density in batches of about 30 of the 104 models."""
    return BatchedDensity.of(known_spec, whole, 30, np.random.default_rng(4))


def test_parts_share_no_lineage_and_hold_every_model_once(whole) -> None:
    batches = deal(whole, 30, np.random.default_rng(0))
    assert len(batches) == 3
    models = [name for batch in batches for name in batch.design.scores.models]
    assert sorted(models) == sorted(whole.scores.models)
    lineages = [name for batch in batches for name in batch.design.lineages]
    assert sorted(lineages) == sorted(whole.lineages)
    assert sum(len(batch.design.score_of_cell) for batch in batches) == len(whole.score_of_cell)


def test_a_part_has_the_tables_own_cells_families_and_covariates(whole) -> None:
    for batch in deal(whole, 30, np.random.default_rng(1)):
        own = batch.design
        table = own.scores.dataset
        value = table["score"].values[own.model_of_cell, own.benchmark_of_cell]
        np.testing.assert_allclose(own.score_of_cell, value)
        families = np.array(own.families)[own.family_of_model]
        assert (families == table["family"].values).all()
        lineages = np.array(own.lineages)[own.lineage_of_family]
        of_family = own.scores.family_lineage()
        assert list(lineages) == [of_family[name] for name in own.families]
        np.testing.assert_array_equal(own.x.values, whole.x.sel(model=own.x["model"]).values)


def test_every_parameter_belongs_to_one_batch_or_to_all(known_spec, whole) -> None:
    slices = VariableSlices.of(build_design(known_spec, whole))
    seen = np.zeros(sum(int(np.prod(shape)) for shape in slices.shapes.values()), int)
    batches = deal(whole, 30, np.random.default_rng(2))
    for batch in batches:
        places, shared = slices.places(batch)
        own = VariableSlices.of(build_design(known_spec, batch.design))
        assert len(places) == sum(int(np.prod(shape)) for shape in own.shapes.values())
        assert len(np.unique(places)) == len(places)
        seen[places] += np.where(shared, len(batches) + 1, 1)
    assert set(seen) == {1, len(batches) * (len(batches) + 1)}


def test_batches_add_up_to_the_whole_density_and_gradient(batched) -> None:
    rng = np.random.default_rng(3)
    point = batched.whole.start + 0.3 * rng.standard_normal(batched.whole.size)
    whole, gradient = batched.whole.value_and_gradient(point)
    total, values = np.zeros_like(gradient), []
    for batch in batched.batches:
        value, slope = batched.from_batch(batch, point[batch.places])
        values.append(value)
        total[batch.places] += np.where(batch.shared, slope / len(batched.batches), slope)
    assert len(batched.batches) == 3
    assert np.mean(values) == pytest.approx(whole, rel=1e-12)
    np.testing.assert_allclose(total, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())
    assert np.ptp(values) > 1  # a single batch does not give the answer


def test_batches_reach_what_all_models_at_once_reach(known, known_spec) -> None:
    def fitted(batch: int | None):
        method = ls.ADVI(draws=300, batch=batch)
        return ls.fit(known_spec, known.scores, method=method, seed=5, progress=False)

    batches, whole = fitted(30), fitted(None)
    assert whole.design.centred and not batches.design.centred
    for fit in (batches, whole):
        assert "still rising" not in " ".join(fit.status.advice)
    rows = known.frame[["model", "family", "lineage", "instruct", "params_b", "tokens_t"]]
    _has_new_families_of_the_population(batches, rows)
    rows = rows.assign(model="new-" + rows["model"], params_b=rows["params_b"] * 1.1)
    one, other = (ls.predict(fit, rows, seed=1).table() for fit in (batches, whole))
    assert np.abs(one["median"] - other["median"]).mean() < 0.01
    ratio = (one["upper"] - one["lower"]).mean() / (other["upper"] - other["lower"]).mean()
    assert 0.9 < ratio < 1.1
    for name in ("loading", "precision", "slope"):
        a, b = (fit.posterior[name].mean(("chain", "draw")) for fit in (batches, whole))
        assert float(np.abs(a - b).max()) < 0.15 * float(np.abs(b).max())


def _has_new_families_of_the_population(fit: ls.Fit, rows: pd.DataFrame) -> None:
    """The forecast is not widened, as it would be for centred effects."""
    new = rows.head(1).assign(model="n", family="n", lineage="n")
    settings = dict(fit.provenance.settings)
    settings.pop("families_centred")
    widened = replace(fit, provenance=replace(fit.provenance, settings=settings))
    x, slope = planned_rows(fit, new), fit.samples["slope"].sel(covariate="log_flops")
    curve = fit.transform.apply(x).item() * slope.transpose("sample", "skill").values
    own, wide = (
        ls.predict(f, new, seed=1).skill_draws.isel(model=0).transpose("sample", "skill") - curve
        for f in (fit, widened)
    )
    lineages = fit.samples.sizes["lineage"]
    share = fit.samples["lineage_share"].values
    wanted = np.sqrt(1 + (share / lineages).mean())
    # Same random numbers: only the lineage's part is wider.
    assert float(wide.std() / own.std()) == pytest.approx(wanted, rel=0.02)
    assert float(wide.std() / own.std()) > 1


def test_a_batch_of_all_models_is_the_whole_table(known_spec, small_scores) -> None:
    one, other = (
        ls.fit(
            known_spec.model_copy(),
            small_scores,
            method=ls.ADVI(draws=20, steps=400, batch=batch),
            seed=1,
            progress=False,
        ).posterior["intercept"]
        for batch in (None, 12)
    )
    np.testing.assert_array_equal(one, other)
