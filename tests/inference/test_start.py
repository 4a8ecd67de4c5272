"""Where chains begin: climbs find modes, chains get the high ones, the status names others."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.engine.density import ChainModel, LogDensity
from latentscale.errors import FitError
from latentscale.inference.nuts.start import (
    StartingPoints,
    ascent,
    distinct_modes,
    usual_start,
)

HIGH, LOW = np.array([3.0, 0.0, 0.0]), np.array([-3.0, 1.0, 0.0])
SPREAD = np.array([0.5, 0.2, 1.0])


def two_modes(gap: float) -> LogDensity:
    """Return the log density of a mixture of two normals; the second is `gap` lower at its mode."""

    def density(point: np.ndarray) -> tuple[float, np.ndarray]:
        apart = [(point - centre) / SPREAD for centre in (HIGH, LOW)]
        values = np.array([-0.5 * apart[0] @ apart[0], -gap - 0.5 * apart[1] @ apart[1]])
        total = float(np.logaddexp(*values))
        slopes = np.array([-z / SPREAD for z in apart])
        return total, np.exp(values - total) @ slopes

    return density


def compiled(gap: float) -> ChainModel:
    """Return the parts of a compiled model that the start needs."""
    return ChainModel(
        log_density=two_modes(gap),
        begin=lambda seed: np.random.default_rng(seed).uniform(-4, 4, 3),
        make=lambda begin: None,
    )


def placed(gap: float, seed: int = 1, **settings: Any) -> StartingPoints:
    start = ls.methods.ModeStart(**settings)
    return start.place(compiled(gap), seed=seed, cores=1, progress=False)


def points(starting: StartingPoints, count: int = 400) -> np.ndarray:
    return np.array([starting.compiled.begin(seed) for seed in range(count)])


@pytest.mark.parametrize("mode", [HIGH, LOW])
def test_a_climb_ends_at_the_mode_of_its_hill(mode: np.ndarray) -> None:
    ends = ascent(two_modes(5.0), mode + np.array([0.4, -0.3, 0.5]), 200)
    np.testing.assert_allclose(ends.mode, mode, atol=1e-3)
    assert ends.value == pytest.approx(0.0 if mode is HIGH else -5.0, abs=1e-3)
    assert ends.converged


def test_climbs_of_one_height_are_one_mode() -> None:
    ends = [ascent(two_modes(5.0), at + 0.1, 200) for at in (LOW, HIGH, HIGH, LOW)]
    assert [round(one.value) for one in distinct_modes(ends)] == [0, -5]


def test_chains_begin_round_the_highest_mode_alone() -> None:
    starting = placed(gap=50.0)
    where = points(starting)
    assert (where[:, 0] > 0).all()
    np.testing.assert_allclose(where.mean(axis=0), HIGH, atol=0.1)
    ratio = where.std(axis=0) / SPREAD
    assert (ratio > 0.2).all() and (ratio < 1.0).all()
    assert "50 or more below" in starting.message and not starting.advice


def test_modes_within_the_margin_share_the_chains() -> None:
    starting = placed(gap=8.0)
    share = (points(starting)[:, 0] > 0).mean()
    assert 0.4 < share < 0.6
    assert "32 of 32 climbs ended" in starting.message


def test_a_mode_left_out_that_may_matter_is_told_with_what_to_do() -> None:
    starting = placed(gap=17.6)
    assert (points(starting)[:, 0] > 0).all()
    assert any("17.6 below" in line and "ModeStart(margin=18)" in line for line in starting.advice)
    wider = placed(gap=17.6, margin=18.5)
    assert (points(wider)[:, 0] < 0).any() and not wider.advice


def test_a_single_climb_to_the_highest_mode_is_told() -> None:
    begin = iter([HIGH, LOW, LOW, LOW])
    model = compiled(50.0).beginning(lambda seed: next(begin) + 0.1)
    starting = ls.methods.ModeStart(climbs=4).place(model, seed=1, cores=1, progress=False)
    assert any("Only 1 of 4" in line for line in starting.advice)


def test_the_same_seed_gives_the_same_starts() -> None:
    np.testing.assert_array_equal(points(placed(8.0, seed=3), 9), points(placed(8.0, seed=3), 9))


def test_a_density_that_is_nowhere_finite_is_refused() -> None:
    nowhere = replace(compiled(1.0), log_density=lambda point: (np.nan, np.zeros(3)))
    with pytest.raises(FitError, match="not finite at any start"):
        ls.methods.ModeStart().place(nowhere, seed=1, cores=1, progress=False)


def test_the_priors_own_starts_are_left_alone() -> None:
    model = compiled(1.0)
    starting = ls.methods.PriorStart().place(model, seed=1, cores=1, progress=False)
    assert starting.compiled is model and not starting.message


@pytest.mark.parametrize(
    "start", [ls.methods.ModeStart(climbs=3, margin=2.5), ls.methods.PriorStart(), None]
)
def test_a_start_comes_back_from_json(start: Any) -> None:
    method = ls.NUTS(start=start)
    again = ls.NUTS(**json.loads(json.dumps(method.settings)))
    assert again == method and again.start == start


@pytest.mark.parametrize("start", ["modes", 3, {"climbs": 2}, ls.methods.ModeStart])
def test_what_is_no_start_is_refused(start: Any) -> None:
    with pytest.raises(FitError, match=r"NUTS.start.*ModeStart"):
        ls.NUTS(start=start)


def test_the_share_of_modes_that_are_not_weighed_is_refused() -> None:
    with pytest.raises(FitError, match=r"least_share.*whitened.*margin"):
        placed(gap=8.0, least_share=0.2)


def test_other_backends_take_no_start() -> None:
    with pytest.raises(FitError, match=r"NUTS.start.*pymc"):
        ls.NUTS(backend="pymc", start=ls.methods.PriorStart())


def test_the_status_tells_where_chains_began(quick_spec: ModelSpec, small_scores: Scores) -> None:
    start = ls.methods.ModeStart(climbs=3)
    method = ls.NUTS(draws=20, tune=50, chains=2, cores=1, start=start)
    fit = ls.fit(quick_spec, small_scores, method=method, seed=2, progress=False)
    assert "chains begin within 10" in fit.status.message
    assert fit.provenance.seconds["start"] > 0


def test_climbs_are_for_skills_whose_signs_can_flip() -> None:
    spec = ls.load_spec("latentscale")
    document = spec.to_dict()
    document["skills"]["residual"] = False
    for climbing in (ls.load_spec("cai2025"), spec_from_dict(document)):
        assert usual_start(climbing) == ls.methods.ModeStart()
    for name in ("latentscale", "sloth", "pooled_flops"):
        assert usual_start(ls.load_spec(name)) == ls.methods.PriorStart()
