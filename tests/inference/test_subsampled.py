"""NUTS on a subsample, and every lineage's latents given its draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import expit

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.inference.partitioned import tasks
from latentscale.inference.partitioned.lineages import lineage_of_models, needed, subsample
from latentscale.inference.partitioned.shard import Floats, Shard, units_of_latents
from latentscale.inference.partitioned.subsampled import (
    LatentTask,
    _judged,
    _names_of_units,
    _SharedDraws,
)
from latentscale.inference.partitioned.trajectories import (
    Latents,
    _drift,
    _memory,
    _Orbit,
    draw_latents,
)
from latentscale.inference.tools.posterior_density import PosteriorDensity, kept_names
from latentscale.model.batches import VariableSlices, deal
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.posterior.status import Status
from tests.inference.family_specs import family_spec

COUNTS = np.array([[3.0, 5.0], [9.0, 11.0], [0.0, 1.0]])
"""Successes of three lineages at two benchmarks, of 12 trials each."""
TRIALS = 12.0
GRID = np.linspace(-8, 8, 4001)


def binomial_shard(wrong: float = 0.0) -> Shard:
    """Return three lineages, a latent each: logit of success at benchmark j is b_j + 0.8 z.

    With `wrong`, the log density has an extra term, that much times z, like a missing Jacobian.
    """

    def evaluate(point: Floats) -> tuple[float, Floats]:
        b, z = point[:2], point[2:]
        eta = b + 0.8 * z[:, None]
        value = float((COUNTS * eta - TRIALS * np.logaddexp(0, eta)).sum() - 0.5 * (z @ z))
        away = COUNTS - TRIALS * expit(eta)
        slope = np.concatenate([away.sum(axis=0), 0.8 * away.sum(axis=1) - z + wrong])
        return value + wrong * float(z.sum()), slope

    density = PosteriorDensity(np.zeros(5), evaluate, lambda point: {}, {}, {})
    flat = lambda b: (0.0, np.zeros_like(b))  # noqa: E731
    return Shard(density, flat, np.arange(2), np.arange(2, 5)[:, None], np.arange(3))


def below(drawn: Floats, points: Floats) -> Floats:
    """Return the exact distribution function of each lineage's latents, (draw, lineage)."""
    shares = np.empty(drawn.shape[:2])
    for place, (b, latents) in enumerate(zip(points, drawn[..., 0], strict=True)):
        eta = b[:, None] + 0.8 * GRID
        log_p = COUNTS @ eta - TRIALS * np.logaddexp(0, eta).sum(axis=0) - GRID**2 / 2
        mass = np.cumsum(np.exp(log_p - log_p.max(axis=1, keepdims=True)), axis=1)
        shares[place] = [
            np.interp(z, GRID, row / row[-1]) for z, row in zip(latents, mass, strict=True)
        ]
    return shares


def drawn(shard: Shard, seed_shift: int) -> tuple[Latents, Floats]:
    """Return latents at 1,500 values of the shared parameters.

    With this many, a Kolmogorov distance of 0.1 has probability 2e-13 by chance, 2 exp(-2 n d^2).
    """
    rng = np.random.default_rng([8, seed_shift])
    points = np.array([0.1, -0.2]) + 0.3 * rng.standard_normal((1500, 2))
    return draw_latents(shard, points, 4, rng), points


def test_latents_have_their_exact_distribution_and_a_wrong_jacobian_is_seen(
    seed_shift: int,
) -> None:
    latents, points = drawn(binomial_shard(), seed_shift)
    for share in below(latents.drawn, points).T:
        assert stats.kstest(share, "uniform").pvalue > 1e-6
    assert latents.acceptance.min() > 0.8 and latents.drift.max() < 5.5
    assert latents.rounding < 1e-2
    latents, points = drawn(binomial_shard(wrong=0.6), seed_shift)
    pvalues = [stats.kstest(share, "uniform").pvalue for share in below(latents.drawn, points).T]
    assert max(pvalues) < 1e-6


def test_a_density_that_its_gradient_contradicts_is_seen(seed_shift: int) -> None:
    """The sum of changes over lineages equals the change in the shard's value."""
    shard = binomial_shard()
    evaluate = shard.density.evaluate
    other = replace(shard.density, evaluate=lambda x: (2 * evaluate(x)[0], evaluate(x)[1]))
    latents, _ = drawn(replace(shard, density=other), seed_shift)
    assert latents.rounding > 0.1


def walled_shard() -> Shard:
    """Return two lineages, a standard normal latent each; the second has a wall at 2."""

    def evaluate(point: Floats) -> tuple[float, Floats]:
        z = point[1:]
        wall = float(np.exp(20 * (z[1] - 2)))
        return -0.5 * float(z @ z) - wall, np.array([0.0, -z[0], -z[1] - 20 * wall])

    density = PosteriorDensity(np.zeros(3), evaluate, lambda point: {}, {}, {})
    flat = lambda b: (0.0, np.zeros_like(b))  # noqa: E731
    return Shard(density, flat, np.arange(1), np.arange(1, 3)[:, None], np.arange(2))


def test_the_error_of_a_trajectory_that_runs_far_off_and_is_rejected_does_not_count() -> None:
    """Its log density by quadrature is off by hundreds, and the chain does not move."""
    orbit = _Orbit(walled_shard(), np.zeros(1), np.zeros((2, 1)), np.ones((2, 1, 1)))
    begin = orbit.at(np.array([[0.3], [2.3]]))
    for seed in range(20):
        end, taken = orbit.moved(begin, np.random.default_rng(seed))
        assert not taken[1] and end.standard[1, 0] == 2.3
        assert end.value == pytest.approx(orbit.at(end.standard).value, abs=1e-9)
    latents = draw_latents(walled_shard(), np.zeros((400, 1)), 2, np.random.default_rng(5))
    # Some 8 of 400 draws begin beyond the wall; few accepted trajectories end near it.
    assert latents.rounding < 10


def test_memory_is_the_correlation_of_where_chains_begin_and_end() -> None:
    begin = np.random.default_rng(1).standard_normal((50, 4, 3))
    across = (
        begin[::-1]
        - (begin[::-1] * begin).sum(axis=(0, 2), keepdims=True)
        / (begin**2).sum(axis=(0, 2), keepdims=True)
        * begin
    )
    end = begin.copy()
    end[:, 1], end[:, 2], end[:, 3] = -3 * begin[:, 1], across[:, 2], begin[:, 3] + across[:, 3]
    length, other = (np.sqrt((x[:, 3] ** 2).sum()) for x in (begin, across))
    wanted = [1.0, -1.0, 0.0, length / np.hypot(length, other)]
    np.testing.assert_allclose(_memory(begin, end), wanted, atol=1e-12)


def test_drift_is_the_largest_change_in_standard_errors() -> None:
    """For means and squared distances; places beyond a smaller lineage are left out."""
    rng = np.random.default_rng(2)
    present = np.array([[True, True], [True, False]])
    middle, end = (rng.standard_normal((60, 2, 2)) * present for _ in range(2))
    end[:, 0, 1] += 1.5
    end[:, 1, 0] *= 3
    change = [end[:, 0, 0] - middle[:, 0, 0], end[:, 0, 1] - middle[:, 0, 1]]
    squares = (end**2 - middle**2).sum(axis=2)
    units = [[*change, squares[:, 0]], [end[:, 1, 0] - middle[:, 1, 0], squares[:, 1]]]
    wanted = [max(abs(stats.ttest_1samp(own, 0).statistic) for own in unit) for unit in units]
    assert min(wanted) > 4  # both faults were planted
    np.testing.assert_allclose(_drift(middle, end, present), wanted, rtol=1e-10)


def test_a_subsample_has_whole_lineages_and_what_shared_parameters_need(known: Any) -> None:
    frame = known.scores.to_frame()
    few = frame["family"].isin(frame["family"].unique()[:2])
    frame["gamma"] = frame["gamma"].where(few)
    whole = design(family_spec(), ls.Scores.from_frame(frame))
    lineage, things = lineage_of_models(whole), needed(whole)
    for seed in range(5):
        places = subsample(whole, 20, np.random.default_rng(seed))
        assert set(places) == set(np.nonzero(np.isin(lineage, lineage[places]))[0])
        least = np.minimum(things.sum(axis=1), 20)
        assert (things[:, places].sum(axis=1) >= least).all()
    x = whole.x.values[:, 0]
    for end in (x <= np.quantile(x, 0.1), x >= np.quantile(x, 0.9)):
        assert any(np.array_equal(row, end) for row in things)
    everything = subsample(whole, 10_000, np.random.default_rng(1))
    np.testing.assert_array_equal(everything, np.arange(len(whole.scores.models)))


def test_lineages_that_failed_are_named_where_others_have_no_latents(known: Any) -> None:
    """Only models with undisclosed tokens have a latent here."""
    frame = known.frame.copy()
    families = list(dict.fromkeys(frame["family"]))
    frame.loc[frame["family"].isin(families[5:8]), "tokens_t"] = np.nan
    document = {
        "name": "tokens",
        "covariates": ["log_flops"],
        "skills": {"count": 0},
        "family": {"level": "fixed"},
        "benchmarks": {"slopes": ["log_flops"]},
        "undisclosed": {"kind": "estimated"},
    }
    spec = spec_from_dict(document)
    prepared = replace(design(spec, ls.Scores.from_frame(frame)), centred=False)
    shard = Shard.of(spec, prepared)
    assert _names_of_units(prepared, shard.units) == families[5:8]
    assert shard.places.shape == (3, 4)


def judged(draws: int, drift: float) -> Status:
    """Return the status of a fit of two lineages whose chains of shared parameters converged."""
    shared = _SharedDraws(
        np.zeros((2, draws // 2, 1)), xr.Dataset(), Status(True, True, False, "converged")
    )
    result = {
        "acceptance": np.array([0.9, 0.9]),
        "memory": np.array([0.0, 0.0]),
        "drift": np.array([0.0, drift]),
        "sizes": np.array([3, 3]),
        "units": np.array([0, 1]),
        "rounding": np.array(0.0),
    }
    task = SimpleNamespace(design=SimpleNamespace(use_lineage=False, families=("one", "other")))
    return _judged(shared, [result], (6, 6), [task])  # type: ignore[list-item]


def test_latents_at_a_few_draws_are_not_confirmed() -> None:
    """At 4 draws a lineage passes that fails at 400: standard errors are ten times as large."""
    few = judged(4, drift=1.0)
    assert few.converged is False and "latents of 0 of 2 lineages confirmed at 4" in few.message
    assert [line for line in few.advice if "raise kept to 100" in line] == list(few.advice)
    assert "too few to confirm latents" in judged(98, drift=1.0).advice[0]
    enough = judged(100, drift=1.0)
    assert enough.converged is True and enough.advice == ()
    assert "latents of 2 of 2 lineages confirmed at 100 draws" in enough.message
    (failed,) = judged(100, drift=9.0).advice
    assert '"other"' in failed and "raise trajectories" in failed


def small_method(folder: Path) -> ls.methods.Subsampled:
    return ls.methods.Subsampled(
        models=60, draws=800, tune=300, kept=200, shard=40, folder=str(folder)
    )


@pytest.fixture(scope="module")
def fitted(known: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[ls.Fit, Path]:
    """Return a fit of a subsample, and its folder."""
    folder = tmp_path_factory.mktemp("shards")
    scores = known.scores.select(benchmarks=["alpha", "beta", "gamma"])
    spec = family_spec()
    return ls.fit(spec, scores, method=small_method(folder), seed=1, progress=False), folder


def test_a_fit_says_what_its_shared_parameters_rest_on(fitted: tuple[ls.Fit, Path]) -> None:
    fit, _ = fitted
    assert "shared parameters are informed by" in fit.status.message
    assert fit.status.is_posterior and not fit.status.interrupted
    assert dict(fit.posterior.sizes)["chain"] == 2 and fit.posterior.sizes["draw"] == 100
    assert set(fit.posterior["family_skill"].dims) == {"chain", "draw", "family", "skill"}
    assert fit.tree["sample_stats"]["diverging"].shape == (2, 100)


def test_its_chains_are_diagnosed_by_the_status_and_not_by_the_kept_draws(
    fitted: tuple[ls.Fit, Path],
) -> None:
    """200 kept draws cannot have an ESS of 400, which `diagnose` requires of whole chains."""
    fit, _ = fitted
    passed, failed = (
        ls.diagnose(replace(fit, status=replace(fit.status, converged=converged, advice=advice)))
        for converged, advice in ((True, ()), (False, ("Raise trajectories.",)))
    )
    assert passed.thinned and passed.passed and passed.advice == ()
    assert not failed.passed and failed.advice == ("Raise trajectories.",)
    assert "judge" in passed.headline and "R-hat" not in passed.headline
    assert passed.min_ess <= 400 and len(passed.rows) > 3  # figures for the kept draws are present


def test_new_families_of_a_saved_fit_are_of_its_population(
    fitted: tuple[ls.Fit, Path], tmp_path: Path
) -> None:
    """Effects of families are not deviations from their mean, as the fit and its file record."""
    fit, _ = fitted
    fit.save(tmp_path / "fit.nc")
    assert not fit.design.centred and not ls.load(tmp_path / "fit.nc").design.centred


def test_a_run_goes_on_from_what_its_folder_holds(
    fitted: tuple[ls.Fit, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, folder = fitted
    worked = []
    computed = LatentTask.computed
    monkeypatch.setattr(
        LatentTask, "computed", lambda task: worked.append(task.place) or computed(task)
    )
    lost = sorted(folder.glob("*/*.npz"))[0]
    lost.write_bytes(lost.read_bytes()[:100])
    again = ls.fit(fit.spec, fit.scores, method=small_method(folder), seed=1, progress=False)
    assert len(worked) == 1
    for name in ("slope", "family_skill"):
        np.testing.assert_array_equal(again.posterior[name], fit.posterior[name])
    assert again.status == fit.status


def test_latents_given_shared_draws_are_those_of_nuts(known: Any, seed_shift: int) -> None:
    """Redrawing latents given each draw of NUTS does not change their posterior."""
    scores, spec = known.scores.select(benchmarks=["alpha", "beta", "gamma"]), family_spec()
    whole = replace(design(spec, scores), centred=False)
    model = build_design(spec, whole)
    slices, shared = VariableSlices.of(model), units_of_latents(VariableSlices.of(model), whole) < 0
    names = [name for name in kept_names(model) if name in slices.shared]
    nuts = ls.NUTS(draws=2000, tune=300, chains=2, cores=1, coordinates="model")
    run = nuts.positions(spec, whole, names, seed=2 + seed_shift, progress=False)
    assert run.positions is not None
    theirs = run.positions[:, ::10].reshape(-1, len(shared))
    ours = theirs.copy()
    for place, batch in enumerate(deal(whole, 40, np.random.default_rng(3))):
        task = LatentTask(spec, batch.design, place, seed_shift, theirs[:, shared], 4, None)
        where, common = slices.places(batch)
        ours[:, where[~common]] = tasks.run_task(task)["latents"]
    latents = ~shared
    # 400 draws, thinned by 10: batches of 20 are independent
    change = (ours - theirs)[:, latents].reshape(20, 20, -1).mean(axis=1)
    z = change.mean(axis=0) / (change.std(axis=0, ddof=1) / np.sqrt(20))
    assert stats.t.sf(np.abs(z).max(), 19) * 2 * z.size > 1e-5
    spread = ours[:, latents].std(axis=0) / theirs[:, latents].std(axis=0)
    assert 0.9 < np.median(spread) < 1.1
