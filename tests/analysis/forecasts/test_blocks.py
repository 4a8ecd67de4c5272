"""Forecasts in blocks: the same numbers, little memory, thinned draws, size limits."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts import groups_in_blocks
from latentscale.analysis.forecasts import predict as predict_module
from latentscale.analysis.forecasts.condition import LatentsGivenScores, condition
from latentscale.analysis.forecasts.few_shot import Conditioning
from latentscale.analysis.forecasts.groups import family_groups
from latentscale.analysis.forecasts.in_blocks import evaluate_in_blocks
from latentscale.analysis.forecasts.latents import local_problem
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.tools import blocks, memory
from latentscale.analysis.tools.blocks import Stream, parts
from latentscale.declare import spec_from_dict
from latentscale.errors import FitError
from latentscale.model.unseen import draw_new_families
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN
from tests.conftest import known_document

FAMILIES = ["fam00", "fam00", "cousin", "strange", "strange", "other"]


def rows_of(count: int) -> pd.DataFrame:
    """Rows of fitted families and of new ones, whose tokens and sizes vary."""
    place = np.arange(count)
    return pd.DataFrame(
        {
            "model": [f"x{i}" for i in place],
            "family": [FAMILIES[i % len(FAMILIES)] for i in place],
            "lineage": [{"cousin": "lin01"}.get(FAMILIES[i % len(FAMILIES)]) for i in place],
            "instruct": place % 2,
            "params_b": 1.0 + place % 70,
            "tokens_t": 1.0 + place % 9,
        }
    )


def spec_with(**changes: object) -> ls.ModelSpec:
    return spec_from_dict({**known_document(), "name": "x", **changes})


SPECS = {
    "residuals, Student-t": spec_with(
        skills={"count": 2, "residual": True},
        benchmarks={"likelihood": {"kind": "student-t"}, "family_effect": True},
    ),
    "beta-binomial, precision by size": spec_with(
        benchmarks={"likelihood": {"kind": "beta-binomial"}, "precision_covariates": ["log_flops"]}
    ),
    "undisclosed tokens": spec_with(undisclosed={"kind": "estimated"}),
    "unpooled families": spec_with(
        family={"level": "fixed"}, benchmarks={"likelihood": {"kind": "logit-normal"}}
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_numbers_are_the_same_whatever_the_blocks(name, small_scores, prior_fit, monkeypatch):
    fit = prior_fit(SPECS[name], small_scores, draws=8)
    table = rows_of(6)
    fitted = small_scores.to_frame().iloc[[0]][[*table.columns]]
    table = pd.concat([fitted, table], ignore_index=True)
    if name == "undisclosed tokens":
        table.loc[[2, 4], "tokens_t"] = np.nan
    wanted = ls.predict(fit, table)
    monkeypatch.setattr(blocks, "SHARE", 10**9)
    for size in (9, 60):  # less than the 28 numbers of one sample, and the numbers of two samples
        monkeypatch.setattr(blocks, "BLOCK", size)
        forecast = ls.predict(fit, table)
        for part in ("draws", "mean_draws", "precision_draws", "skill_draws", "token_draws"):
            one, other = getattr(forecast, part), getattr(wanted, part)
            assert one is other if other is None else one.identical(other), part
        pd.testing.assert_frame_equal(forecast.table(), wanted.table(), rtol=1e-12)


def test_latents_given_scores_are_the_same_whatever_the_blocks(
    small_scores, prior_fit, monkeypatch
) -> None:
    fit = prior_fit(SPECS["residuals, Student-t"], small_scores, draws=8)
    planned = planned_rows(fit, rows_of(6))
    draws = fit.samples
    rng = np.random.default_rng(1)
    families = ["fam00", "strange"]
    terms = draw_new_families(
        fit.spec,
        draws,
        families,
        ["lin00", "strange"],
        lambda _, shape: rng.normal(size=shape),
        centred=True,
    )
    skills = draws["skill"].values
    residual = xr.DataArray(
        rng.normal(size=(8, 1, 2)), {"model": ["x3"], "skill": skills}, ("sample", "model", "skill")
    )
    report = Conditioning("by hand", 1, 8.0, float("nan"), np.arange(8))
    given = LatentsGivenScores(report, (terms,), (xr.Dataset({"residual": residual}),))

    def mean() -> xr.DataArray:
        return evaluate_in_blocks(fit, draws, planned, np.random.default_rng(2), given=given).mean

    wanted = mean()
    plain = evaluate_in_blocks(fit, draws, planned, np.random.default_rng(2)).mean
    moved = (wanted != plain).any(["sample", "benchmark"])
    assert bool(moved.sel(model=["x0", "x3"]).all())  # of fam00 and of strange
    monkeypatch.setattr(blocks, "SHARE", 10**9)
    for size in (9, 60):
        monkeypatch.setattr(blocks, "BLOCK", size)
        assert mean().identical(wanted)


def test_a_stream_gives_the_numbers_of_one_draw_and_leaves_the_generator_there() -> None:
    def normal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal(shape)

    one, other = np.random.default_rng(1), np.random.default_rng(1)
    wanted = normal((10, 3), one)
    stream = Stream(normal, (10, 3), other, 7)
    assert one.random() == other.random()
    taken = [stream.take(count) for count in (4, 1, 5)]
    np.testing.assert_array_equal(np.concatenate(taken), wanted)


def test_parts_cover_everything_once() -> None:
    assert list(parts(5, 2, 4)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(parts(3, 10, 4)) == [slice(0, 1), slice(1, 2), slice(2, 3)]


@pytest.mark.parametrize("families", ["few", "as many as rows"])
def test_the_peak_is_at_most_three_times_the_result(families, small_scores, prior_fit) -> None:
    scores = small_scores.select(benchmarks=["alpha", "beta", "delta"])
    fit = prior_fit(SPECS["residuals, Student-t"], scores, draws=1500)
    table = rows_of(150)
    if families != "few":
        table["family"] = table["lineage"] = [f"new{i}" for i in range(len(table))]
    ls.predict(fit, table.head(3))  # without what is imported or created once
    tracemalloc.start()
    forecast = ls.predict(fit, table)
    table = forecast.table()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    result = sum(a.nbytes for a in (forecast.draws, forecast.mean_draws, forecast.skill_draws))
    assert forecast.draws.shape == (1500, 150, 3) and len(table) == 450
    assert peak <= 3 * result


def test_thinned_draws_are_evenly_spread_and_say_which_they_are(small_scores, prior_fit) -> None:
    fit = prior_fit(spec_with(), small_scores, draws=61)
    table = rows_of(2)
    whole, some = ls.predict(fit, table), ls.predict(fit, table, draws=4)
    assert list(some.draws["sample"].values) == [0, 20, 40, 60]
    wanted = whole.mean_draws.values[[0, 20, 40, 60]]
    np.testing.assert_allclose(some.mean_draws.values, wanted, rtol=1e-12)
    for enough in (61, 100, np.int64(61)):
        assert ls.predict(fit, table, draws=enough).draws.identical(whole.draws)


def test_thinned_draws_keep_their_places_when_scores_are_given(small_scores, prior_fit) -> None:
    fit = prior_fit(spec_with(), small_scores, draws=61)
    given = rows_of(2).assign(alpha=[0.5, np.nan])
    forecast = ls.predict(fit, given, draws=4, few_shot=ls.FewShot(latents=2, steps=1))
    assert forecast.conditioning is not None
    assert set(forecast.conditioning.index) <= {0, 20, 40, 60}


@pytest.mark.parametrize("draws", [0, -3, 2.5, True, "all"])
def test_a_wrong_number_of_draws_is_refused(draws, small_scores, prior_fit) -> None:
    fit = prior_fit(ls.load_spec("pooled_flops"), small_scores, draws=10)
    with pytest.raises(FitError, match="draws must be a whole number"):
        ls.predict(fit, rows_of(1), draws=draws)


@pytest.fixture
def large(small_scores, prior_fit) -> Fit:
    """A fit of 1,000 draws on 4 benchmarks with one skill: 72 kB a row."""
    return prior_fit(ls.load_spec("pooled_flops"), small_scores, draws=1000)


def test_a_result_beyond_memory_is_refused_with_its_size_and_a_remedy(large, monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 0.1e9)
    each = memory.forecast_bytes(large, 1, 1)
    count = 2_000_000_000 // (1000 * each)
    table = pd.DataFrame({"model": range(count)})  # refused before it is read or checked
    with pytest.raises(FitError) as caught:
        ls.predict(large, table)
    for part in (f"{count:,} rows x 1,000 draws x 4 benchmarks", "2.0 GB", "0.1 GB", "rows at"):
        assert part in str(caught.value)
    assert "draws=" not in str(caught.value)  # 40 draws would be too few
    monkeypatch.setattr(memory, "available_bytes", lambda: 1e9)
    with pytest.raises(FitError, match="draws=400"):
        ls.predict(large, table)


def scored_rows(count: int, families: int = 1) -> pd.DataFrame:
    """Rows of new families, each with a score on alpha near its expected value."""
    place = np.arange(count)
    return pd.DataFrame(
        {
            "model": [f"new-{i}" for i in place],
            "family": [f"new{i % families}" for i in place],
            "instruct": 0,
            "params_b": np.linspace(1, 9, count),
            "tokens_t": 2.0,
            "alpha": 0.5,
        }
    )


@pytest.fixture(scope="module")
def residual_fit(small_scores, prior_fit) -> Fit:
    """A fit of 30 draws with residuals by model and a Student-t tail."""
    return prior_fit(SPECS["residuals, Student-t"], small_scores, draws=30)


ROUGH = {"latents": 2, "steps": 1, "degenerate": "warn"}


@pytest.mark.filterwarnings("ignore:The scores given:latentscale.FitWarning")
@pytest.mark.parametrize("sampler_only", [True, False])
def test_latents_given_scores_do_not_depend_on_what_is_held(
    sampler_only, residual_fit, monkeypatch
) -> None:
    table = rows_of(6).assign(alpha=[0.5, 0.4, np.nan, 0.6, 0.3, 0.5])
    few_shot = ls.FewShot(**ROUGH, sampler_only=sampler_only)
    held = ls.predict(residual_fit, table, few_shot=few_shot)
    monkeypatch.setattr(groups_in_blocks, "_HELD", 0)
    assert ls.predict(residual_fit, table, few_shot=few_shot).draws.identical(held.draws)


@pytest.mark.filterwarnings("ignore:The scores given:latentscale.FitWarning")
def test_latents_given_scores_are_of_one_posterior_whatever_the_blocks_of_draws(
    small_scores, prior_fit, monkeypatch
) -> None:
    fit = prior_fit(SPECS["residuals, Student-t"], small_scores, draws=300)
    table = scored_rows(4, families=2)
    few_shot = ls.FewShot(degenerate="warn", sampler_only=True)
    whole = ls.predict(fit, table, few_shot=few_shot)
    monkeypatch.setattr(groups_in_blocks, "_BLOCK", 50_000)  # several blocks
    monkeypatch.setattr(groups_in_blocks, "_HELD", 0)
    parted = ls.predict(fit, table, few_shot=few_shot)
    assert whole.conditioning is not None and parted.conditioning is not None
    error = 4 * np.sqrt(1 / whole.conditioning.ess + 1 / parted.conditioning.ess)
    one, other = whole.skill_draws, parted.skill_draws
    apart = abs(one.mean("sample") - other.mean("sample")) / one.std("sample")
    assert float(apart.max()) < error
    # A latent stays with its draw: skill and expected score belong together, as without blocks.
    np.testing.assert_array_equal(np.sort(parted.conditioning.index), parted.draws["sample"])


def test_a_chosen_draw_of_latents_keeps_every_parameter_of_its_own_draw(residual_fit) -> None:
    fit = residual_fit
    planned = planned_rows(fit, scored_rows(3))
    (group,) = family_groups(fit, planned, planned["score"].notnull())
    draws = fit.samples.drop_vars(list(ORIGIN))
    problem = local_problem(fit, draws, group, xr.Dataset())
    chosen = np.array([29, 3, 3, 0])
    z = np.random.default_rng(1).normal(size=problem.start.shape)
    wanted = problem.log_likelihood(problem.eta(z))[chosen]
    some = problem.at(chosen)
    np.testing.assert_allclose(some.log_likelihood(some.eta(z[chosen])), wanted, rtol=1e-12)
    wrong = replace(some, noise=problem.noise.at({"sample": slice(4)}))  # tails of other draws
    assert abs(wrong.log_likelihood(some.eta(z[chosen])) - wanted).max() > 1e-3


@pytest.mark.filterwarnings("ignore:The scores given:latentscale.FitWarning")
def test_blocks_of_draws_keep_the_memory_of_conditioning_small(
    small_scores, known_spec, prior_fit, monkeypatch
) -> None:
    fit = prior_fit(known_spec, small_scores)
    planned = planned_rows(fit, scored_rows(400))

    def peak() -> int:
        rng = np.random.default_rng(1)
        tracemalloc.start()
        given = condition(fit, fit.samples, planned, ls.FewShot(**ROUGH), rng)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert given is not None and given.report.n_scores == 400
        assert given.terms[0].sizes["sample"] == 60
        return most

    whole = peak()
    monkeypatch.setattr(groups_in_blocks, "_BLOCK", 100_000)  # some five draws
    monkeypatch.setattr(groups_in_blocks, "_HELD", 0)
    assert peak() < whole / 3


def test_scores_of_one_family_beyond_memory_on_a_single_draw_are_refused_with_their_size(
    residual_fit, monkeypatch
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 0.1e9)
    monkeypatch.setattr(predict_module, "refuse_too_large", lambda *given: None)
    said = r"on 1,500 scores of one family or lineage, even on a single draw, takes 0\.\d GB"
    with pytest.raises(FitError, match=said):
        ls.predict(residual_fit, scored_rows(1500))


def test_the_draws_that_a_refusal_names_do_fit(large, monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 1e9)
    monkeypatch.setattr(memory, "_SMALL", 0.0)
    memory.refuse_too_large(
        large, 2_000_000_000 // (1000 * memory.forecast_bytes(large, 1, 1)), 400
    )


def test_memory_is_that_of_the_tightest_limit(monkeypatch) -> None:
    assert 0 < memory.available_bytes() < 1e15
    for name in ("_of_the_machine", "_of_the_group", "_of_the_process"):
        monkeypatch.setattr(memory, name, lambda: 5.0)
    monkeypatch.setattr(memory, "_of_the_group", lambda: 3.0)
    assert memory.available_bytes() == 3.0
    for name in ("_of_the_machine", "_of_the_group", "_of_the_process"):
        monkeypatch.setattr(memory, name, lambda: None)
    assert memory.available_bytes() == 8e9


def test_a_containers_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 500\n")
    assert memory._left_in(tmp_path, "memory.max", "memory.current") == 2500
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._left_in(tmp_path, "memory.max", "memory.current") is None
    assert memory._left_in(tmp_path / "none", "memory.max", "memory.current") is None
