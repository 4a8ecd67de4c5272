"""Whitened coordinates: different from the model's, with the same posterior."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.engine.density import ChainModel
from latentscale.engine.fast import compile_density
from latentscale.inference.nuts.masses import heaviest_mode, start_whitened
from latentscale.inference.nuts.start import StartingPoints
from latentscale.inference.nuts.whitening import WhitenedModel, Whitening
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.model.build import build_design
from latentscale.model.coordinates import LATENT, WorkingResponse, can_be_centred
from latentscale.model.design import design
from latentscale.numerics.climb import Trajectory


def spec_with(**changes: Any) -> ModelSpec:
    """Return cai2025 with two skills and some fields replaced."""
    document = ls.load_spec("cai2025").to_dict()
    document["skills"]["count"] = 2
    document["skills"]["identify"]["anchors"] = ["alpha", "delta"]
    for path, value in changes.items():
        part, field = path.split("__")
        document[part][field] = value
    return spec_from_dict(document)


@pytest.fixture(scope="module")
def whitened(known) -> WhitenedModel:
    """A model of 26 families, with latents among its draws."""
    spec = spec_with(benchmarks__link={"kind": "power-logistic"})
    table = design(spec, known.scores)
    model = build_design(spec, table)
    return WhitenedModel(spec, table, model, [*kept_names(model), LATENT])


@pytest.fixture(scope="module")
def settled(whitened) -> tuple[Any, Whitening]:
    start = ls.methods.ModeStart(climbs=6)
    quiet = {"seed": 1, "cores": 1, "progress": False}
    return start_whitened(whitened, whitened.first(), start, **quiet)


def test_the_density_changes_by_the_jacobian_alone(whitened, settled) -> None:
    density = whitened.density(settled[1])
    reference = whitened.model.compile_logp()
    names = [str(v.name) for v in whitened.model.free_RVs]
    latents = np.concatenate(
        [np.full(np.size(v), n == LATENT) for n, v in zip(names, whitened._initial, strict=True)]
    )
    rng = np.random.default_rng(3)
    left = []
    for _ in range(3):
        point = 0.3 * rng.standard_normal(density.size)

        def latent_at(moved: np.ndarray, point: np.ndarray = point) -> np.ndarray:
            return density.expand(np.where(latents, moved, point))[LATENT].ravel()

        steps = 1e-5 * np.eye(density.size)[latents]
        columns = [(latent_at(point + s) - latent_at(point - s)) / 2e-5 for s in steps]
        volume = np.linalg.slogdet(np.array(columns))[1]
        natural = settled[1].origin + settled[1].spread @ point[~latents]
        values, begin = {}, 0
        for name, initial in zip(names, whitened._initial, strict=True):
            value = str(whitened.model.rvs_to_values[whitened.model[name]].name)
            if name == LATENT:
                values[value] = density.expand(point)[LATENT]
                continue
            values[value] = natural[begin : begin + np.size(initial)].reshape(np.shape(initial))
            begin += np.size(initial)
        left.append(density.log_density(point)[0] - float(reference(values)) - volume)
    np.testing.assert_allclose(left, left[0], atol=1e-5)


def test_the_gradient_is_the_density_s_own(whitened, settled) -> None:
    density = whitened.density(settled[1])
    rng = np.random.default_rng(4)
    point, direction = (0.3 * rng.standard_normal(density.size) for _ in range(2))
    ends = [density.log_density(point + s * direction)[0] for s in (1e-5, -1e-5)]
    slope = density.log_density(point)[1] @ direction
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


def test_the_posterior_is_nearly_standard_normal_at_the_mode(whitened, settled) -> None:
    density = whitened.density(settled[1])
    point = np.zeros(density.size)
    step = 1e-4 * np.eye(density.size)
    hessian = np.array(
        [
            (density.log_density(point - s)[1] - density.log_density(point + s)[1]) / 2e-4
            for s in step
        ]
    )
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    assert values.min() > 0.2 and values.max() < 5
    plain = compile_density(whitened.model, whitened.names)
    assert density.size == plain.size


def test_a_whitening_comes_back_from_json(settled) -> None:
    whitening = settled[1]
    again = Whitening.from_dict(json.loads(json.dumps(whitening.to_dict())))
    for one, other in (
        (whitening.response.eta, again.response.eta),
        (whitening.spread, again.spread),
    ):
        np.testing.assert_array_equal(one, other)


def test_the_message_tells_what_the_modes_hold(settled) -> None:
    assert "of the posterior by Laplace's approximation" in settled[0].message


class _TwoHills(WhitenedModel):
    """A substitute whose two modes have given masses, 30 standard deviations apart."""

    def __init__(self, log_masses: list[tuple[float, float]]) -> None:
        response = WorkingResponse(np.zeros(1), np.ones(1))
        self.__dict__["weighed"] = [
            (Whitening(response, np.array([at, 0.0]), np.eye(2)), mass) for at, mass in log_masses
        ]

    def at_mode(self, first: Whitening, mode: np.ndarray) -> tuple[Whitening, float]:
        return self.weighed[int(mode[0])]

    def place_of(self, whitening: Whitening, other: Whitening) -> np.ndarray:
        return other.origin - whitening.origin

    def density(self, whitening: Whitening) -> Any:
        def log_density(point: np.ndarray) -> tuple[float, np.ndarray]:
            away = point - 30 * np.round(point / 30)
            return -float(away @ away) / 2, -away

        return SimpleNamespace(
            log_density=log_density,
            for_nutpie=lambda: ChainModel(
                log_density, lambda seed: np.zeros(1), lambda begin: None
            ),
        )


def begun(
    log_masses: list[tuple[float, float]], falls: float = 0.0, **settings: float
) -> tuple[StartingPoints, set[int]]:
    """Return what a status says about modes at (place, log mass), and where chains begin."""
    climbed = tuple(
        Trajectory(np.array([[float(k)]]), np.zeros((1, 1)), -falls * k, True)
        for k in range(len(log_masses))
    )
    whitened = _TwoHills(log_masses)
    placed, whitening = heaviest_mode(whitened, None, climbed, ls.methods.ModeStart(**settings))
    points = [placed.compiled.begin(seed) + whitening.origin for seed in range(200)]
    return placed, {int(30 * np.round(point[0] / 30)) for point in points}


def test_climbs_that_end_at_one_place_count_once() -> None:
    placed, places = begun([(0.0, 5.0), (0.1, 4.6), (30.0, 4.0), (-0.2, 5.1)])
    assert "the heaviest of 2 modes" in placed.message
    assert "73% and 27%" in placed.message
    assert places == {0, 30}
    assert not placed.advice


def test_what_climbs_reach_far_below_is_told_and_not_weighed() -> None:
    masses = [(0.0, 5.0), (30.0, 5.0)]
    placed, places = begun(masses, falls=45.0)
    assert places == {0}
    assert "holding the whole" in placed.message
    assert "45 or more lower in log density" in placed.message
    assert begun(masses, falls=35.0)[1] == {0, 30}


def test_the_margin_says_how_far_below_a_mode_is_weighed() -> None:
    masses = [(0.0, 5.0), (30.0, 5.0)]
    assert begun(masses, falls=45.0, margin=46.0)[1] == {0, 30}
    points, places = begun(masses, falls=35.0, margin=34.0)
    assert places == {0} and "35 or more lower" in points.message


def test_no_chain_begins_in_a_light_mode_and_the_status_tells_of_it() -> None:
    masses = [(0.0, np.log(0.92)), (30.0, np.log(0.08))]
    placed, places = begun(masses)
    assert places == {0}
    assert "holding 92%" in placed.message
    (advice,) = placed.advice
    assert "a mode holding 8% of the posterior" in advice and "least_share=0.07" in advice
    placed, places = begun(masses, least_share=0.07)
    assert places == {0, 30} and "92% and 8%" in placed.message and not placed.advice


def test_regressions_outside_a_prior_s_support_do_no_harm(known) -> None:
    spec = spec_with().with_priors({"loading": {"dist": "HalfNormal", "sigma": 1.0}})
    table = design(spec, known.scores)
    model = build_design(spec, table)
    whitened = WhitenedModel(spec, table, model, kept_names(model))
    whitening = whitened.first()
    assert np.isfinite(whitening.origin).all() and not np.allclose(whitening.origin, 0)
    compiled = whitened.compiled_for_climbs(whitening)
    assert all(np.isfinite(compiled.begin(seed)).all() for seed in range(9))


@pytest.mark.parametrize(
    "changes",
    [
        {"skills__residual": True},
        {"benchmarks__family_effect": True},
        {"family__slopes": ["log_params"]},
        {"family__lineage": True},
        {"benchmarks__likelihood": {"kind": "student-t"}},
        {"skills__identify": {"kind": "free"}},
    ],
)
def test_specs_with_other_latents_keep_their_own_variables(known, changes) -> None:
    spec = spec_with(**changes)
    assert not can_be_centred(spec, design(spec, known.scores))
    assert can_be_centred(spec_with(), design(spec_with(), known.scores))


def test_both_coordinates_give_one_posterior(known) -> None:
    spec = spec_with()
    start = ls.methods.ModeStart(climbs=4)
    # With 1,000 draws, the smallest of 300 effective sample sizes depends too much on the seed.
    method = ls.NUTS(draws=3000, tune=1000, chains=2, cores=1, start=start)
    fits = [ls.fit(spec, known.scores, method=method, seed=5, progress=False)]
    by_the_model = replace(method, coordinates="model")
    fits.append(ls.fit(spec, known.scores, method=by_the_model, seed=6, progress=False))
    assert [fit.provenance.settings["coordinates"] for fit in fits] == ["whitened", "model"]
    ess = [fit.convergence().min_ess for fit in fits]
    assert min(ess) > 200 and ess[0] > 1.5 * ess[1]
    for name in ("loading", "slope", "intercept", "family_skill", "precision"):
        one, other = (fit.posterior[name] for fit in fits)
        dims = ("chain", "draw")
        spread = one.std(dims)
        apart = np.abs(one.mean(dims) - other.mean(dims)) / spread.where(spread > 1e-9)
        assert float(apart.max()) < 0.25
        ratio = spread / other.std(dims).where(spread > 1e-9)
        assert float(ratio.min()) > 0.8 and float(ratio.max()) < 1.25


def test_resume_goes_on_in_the_same_whitening(tmp_path, known) -> None:
    method = ls.NUTS(
        draws=40,
        tune=150,
        chains=2,
        cores=1,
        store=tmp_path / "run",
        start=ls.methods.ModeStart(climbs=4),
    )
    first = ls.fit(spec_with(), known.scores, method=method, seed=2, progress=False)
    more = ls.resume(tmp_path / "run", draws=80, progress=False)
    assert more.posterior.sizes["draw"] == 80

    def level(fit: ls.Fit, part: slice) -> xr.DataArray:
        return fit.tree["log_likelihood"]["score"].sum("cell").isel(draw=part)

    early, late = level(first, slice(20, 40)), level(more, slice(40, 80))
    assert np.abs(late - early.mean()).max() < 8 * float(early.std())
