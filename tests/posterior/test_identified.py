"""Convergence of free skills: a rotated chain does not matter, different scores do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.dims import ALIGNMENT
from latentscale.posterior.convergence import PREDICTOR, convergence
from latentscale.posterior.fit import Fit
from latentscale.posterior.identified import MEAN_PREDICTOR, predictors

DRAWS = 1500  # two chains of them have an effective sample size well above the limit of 400
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
VECTORS = ("slope", "family_skill", "residual", "model_skill")


@pytest.fixture(scope="module")
def free_spec() -> ModelSpec:
    return spec_from_dict(
        {
            "name": "free",
            "covariates": ["log_params"],
            "skills": {"count": 2, "identify": {"kind": "free"}, "residual": True},
            "family": {"level": "partial"},
            "priors": {"loading": {"dist": "Normal", "mu": 0, "sigma": 1}},
        }
    )


@pytest.fixture(scope="module")
def settled(free_spec: ModelSpec, small_scores: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    """Two chains of independent draws around one value of every parameter."""
    fit = prior_fit(free_spec, small_scores, draws=2)
    rng = np.random.default_rng(8)

    def around(value: xr.DataArray) -> xr.DataArray:
        first = value.isel(chain=0, draw=0, drop=True)
        noise = 0.05 * rng.standard_normal((2, DRAWS, *first.shape))
        draws = first.expand_dims(chain=[0, 1], draw=np.arange(DRAWS))
        return draws * np.exp(noise)

    posterior = fit.posterior.drop_vars("model_skill").map(around)
    energy = rng.normal(0, 3, (2, DRAWS))
    dims = ("chain", "draw")
    stats = xr.Dataset(
        {"diverging": (dims, np.zeros((2, DRAWS), dtype=bool)), "energy": (dims, energy)}
    )
    log_likelihood = xr.Dataset({"score": (("chain", "draw", "cell"), np.zeros((2, DRAWS, 3)))})
    groups = {"posterior": posterior, "sample_stats": stats, "log_likelihood": log_likelihood}
    return replace(fit, tree=xr.DataTree.from_dict(groups))


def turned(fit: Fit, names: tuple[str, ...]) -> Fit:
    """Rotate some variables of the second chain by a right angle."""
    turn = xr.DataArray(TURN, dims=("skill", "skill_factor"))
    posterior = fit.posterior

    def by(value: xr.DataArray) -> xr.DataArray:
        rotated = (value * turn.assign_coords(skill=value["skill"])).sum("skill")
        rotated = rotated.rename(skill_factor="skill").assign_coords(skill=value["skill"].values)
        return xr.where(value["chain"] == 1, rotated, value).transpose(*value.dims)

    changed = {name: by(posterior[name]) for name in names if name in posterior}
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    return replace(
        fit, tree=xr.DataTree.from_dict({**groups, "posterior": posterior.assign(changed)})
    )


def test_chains_that_differ_by_a_rotation_of_free_skills_agree(settled: Fit) -> None:
    fit = turned(settled, ("loading", *VECTORS))
    assert convergence(fit.posterior[["loading"]], None).max_rhat > 1.5
    diagnosis = ls.diagnose(fit)
    assert diagnosis.passed and diagnosis.max_rhat < 1.01 and diagnosis.min_ess > 400
    assert "loading" in diagnosis.left_out and "linear predictors" in diagnosis.headline
    assert set(diagnosis.table()["variable"]) >= {PREDICTOR, MEAN_PREDICTOR, "precision"}


def shifted(fit: Fit, names: tuple[str, ...], by: float = 1.0) -> Fit:
    """In the second chain, shift family skills (so all models' skills), and intercepts back."""
    second = (fit.posterior["chain"] == 1).astype(float)
    back = by * fit.posterior["loading"].sum("skill")
    moved = {
        "family_skill": fit.posterior["family_skill"] + by * second,
        "intercept": fit.posterior["intercept"] - second * back,
    }
    posterior = fit.posterior.assign({name: moved[name] for name in names})
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    return replace(fit, tree=xr.DataTree.from_dict({**groups, "posterior": posterior}))


def test_chains_that_differ_by_the_level_of_free_skills_agree(settled: Fit) -> None:
    fit = shifted(settled, ("family_skill", "intercept"))
    assert convergence(fit.posterior[["intercept"]], None).max_rhat > 1.5
    figures = fit.convergence()
    assert figures.max_rhat < 1.01 and "intercept" in figures.left_out


def test_chains_whose_intercepts_alone_differ_fail(settled: Fit) -> None:
    figures = shifted(settled, ("intercept",)).convergence()
    assert figures.max_rhat > 1.5
    assert figures.slowest.split(", ")[0] in (PREDICTOR, MEAN_PREDICTOR)


def test_chains_whose_expected_scores_differ_fail(settled: Fit) -> None:
    diagnosis = ls.diagnose(turned(settled, ("loading",)))
    assert not diagnosis.passed and diagnosis.max_rhat > 1.5
    assert diagnosis.table().set_index("variable")["rhat"].idxmax() == PREDICTOR
    assert any("fewer skills" in line for line in diagnosis.advice)


def test_aligned_draws_are_judged_skill_by_skill(settled: Fit) -> None:
    fit = turned(settled, ("loading", *VECTORS))
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    aligned = replace(fit, tree=xr.DataTree.from_dict({**groups, ALIGNMENT: xr.Dataset()}))
    assert fit.convergence().max_rhat < 1.01 < 1.5 < aligned.convergence().max_rhat


def test_the_predictors_are_those_of_the_cells_that_they_name(
    settled: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = settled.evaluator.at(
        settled.posterior, settled.scores.dataset, residuals="fitted"
    ).eta.isel(draw=7)
    monkeypatch.setattr("latentscale.posterior.identified._MOST_CELLS", 17)
    monkeypatch.setattr("latentscale.posterior.identified._BLOCK", 1)  # one model per block
    judged = predictors(settled.spec, settled.design, settled.posterior).isel(draw=7)
    xr.testing.assert_allclose(judged[MEAN_PREDICTOR], whole.mean("model").transpose("chain", ...))
    eta = judged[PREDICTOR]
    assert eta.sizes["model_benchmark"] == 17
    for place in eta["model_benchmark"].values:
        model, benchmark = str(place).split(", ")
        expected = whole.sel(model=model, benchmark=benchmark)
        assert eta.sel(model_benchmark=place).values == pytest.approx(expected.values)
