"""Alignment of free skills: what it must recover, and what it must not change."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.checks.modes import find_modes
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import FitWarning, SpecError
from latentscale.posterior.fit import Fit

VECTORS = ("slope", "family_skill", "lineage_skill", "model_skill")


def free_document(**changes: object) -> dict[str, object]:
    return {
        "name": "free",
        "covariates": ["log_params", "log_tokens"],
        "skills": {"count": 2, "identify": {"kind": "free"}},
        "family": {"level": "partial"},
        "priors": {"loading": {"dist": "Normal", "mu": 0, "sigma": 1}},
        **changes,
    }


@pytest.fixture(scope="module")
def rich_spec() -> ModelSpec:
    """Free skills with every other variable that has a skill dim."""
    return spec_from_dict(
        free_document(
            skills={"count": 2, "identify": {"kind": "free"}, "residual": True},
            family={
                "level": "partial",
                "lineage": True,
                "correlated": True,
                "slopes": ["log_params"],
            },
        )
    )


@pytest.fixture(scope="module")
def rich(rich_spec, small_scores, prior_fit) -> Fit:
    return prior_fit(rich_spec, small_scores, draws=60)


@pytest.fixture(scope="module")
def one_truth(known, prior_fit) -> Fit:
    """One draw from the prior, on six benchmarks."""
    scores = known.scores.select(models=[f"fam{f:02d}-m{i}" for f in range(8) for i in (0, 1)])
    spec = spec_from_dict(free_document(skills={"count": 3, "identify": {"kind": "free"}}))
    return prior_fit(spec, scores, draws=2)


def scrambled(fit: Fit, kind: str, *, noise: float = 0.02, draws: int = 80, seed: int = 1) -> Fit:
    """Return two chains of the same truth, each draw with its own rotation."""
    rng = np.random.default_rng(seed)
    posterior = fit.posterior.isel(chain=0, draw=0, drop=True)
    count = posterior.sizes["skill"]
    turn = np.zeros((2, draws, count, count))
    for index in np.ndindex(2, draws):
        if kind == "rotation":
            turn[index] = np.linalg.qr(rng.standard_normal((count, count)))[0]
        else:
            turn[index][np.arange(count), rng.permutation(count)] = rng.choice([-1, 1], count)
    changed = {}
    for name, values in posterior.data_vars.items():
        wide = values.expand_dims(chain=2, draw=draws)
        shaken = wide + noise * rng.standard_normal(wide.shape)
        if "skill" in values.dims:
            turned = np.einsum(
                "cd...k,cdkl->cd...l", shaken.transpose("chain", "draw", ..., "skill"), turn
            )
            rest = [dim for dim in values.dims if dim != "skill"]
            shaken = xr.DataArray(turned, dims=("chain", "draw", *rest, "skill"))
        changed[name] = shaken
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(xr.Dataset(changed, coords=posterior.coords))
    return replace(fit, tree=tree)


def means(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    loading = fit.posterior["loading"].transpose("chain", "draw", "benchmark", "skill")
    return loading.mean(("chain", "draw")).values, loading.std(("chain", "draw")).values


@pytest.mark.parametrize("kind", ["rotation", "permutation"])
def test_scrambled_draws_are_brought_together(one_truth: Fit, kind: str) -> None:
    mixed = scrambled(one_truth, kind)
    alignment = ls.align(mixed, match=kind)
    before, after = means(mixed)[1], means(alignment.fit)[1]
    assert before.max() > 0.3
    assert after.max() < 0.035  # the noise that was put in is 0.02
    mean, truth = means(alignment.fit)[0], one_truth.posterior["loading"].values[0, 0]
    # One orthogonal matrix for all draws maps the truth to the estimate.
    left, _, right = np.linalg.svd(truth.T @ mean)
    common = left @ right
    np.testing.assert_allclose(mean, truth @ common, atol=0.02)
    for name in ("slope", "family_skill", "model_skill"):
        wanted = one_truth.posterior[name].isel(chain=0, draw=0).transpose(..., "skill").values
        got = alignment.fit.posterior[name].mean(("chain", "draw")).transpose(..., "skill").values
        np.testing.assert_allclose(got, wanted @ common, atol=0.02)
    if kind == "permutation":
        np.testing.assert_allclose(np.abs(common).max(axis=0), 1, atol=1e-3)
    assert alignment.unimodal and len(alignment.modes) == 1


def test_rhat_means_something_after_but_not_before(one_truth: Fit) -> None:
    # R-hat of four half chains of 200 is near sqrt(0.995 + F(3, 796) / 200): 1.02 once in 1e5.
    mixed = scrambled(one_truth, "rotation", draws=400)
    posterior = mixed.posterior
    # Chains in different rotations: one for the first, another for the second.
    stuck = posterior["loading"].copy()
    for chain in (0, 1):
        own = scrambled(one_truth, "rotation", noise=0, draws=1, seed=chain).posterior["loading"]
        noise = 0.02 * np.random.default_rng(chain).standard_normal(stuck[chain].shape)
        stuck[chain] = own.isel(chain=0, draw=0).values + noise
    tree = mixed.tree.copy()
    tree["posterior"] = xr.DataTree(posterior.assign(loading=stuck))
    alignment = ls.align(replace(mixed, tree=tree))
    assert alignment.convergence["rhat_before"].max() > 1.5
    assert alignment.convergence["rhat"].max() < 1.05
    assert len(alignment.convergence) == 18
    assert set(alignment.table().columns) >= {
        "benchmark",
        "skill",
        "median",
        "lower",
        "upper",
        "rhat",
    }


@pytest.mark.parametrize(
    "rotation", [None, ls.rotations.Varimax(), ls.rotations.Oblimin(), ls.rotations.Geomin()]
)
def test_every_forecast_stays_as_it_was(rich: Fit, known, rotation) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # prior draws do not agree on a pattern
        alignment = ls.align(rich, rotation=rotation)
    fitted = [str(name) for name in rich.scores.models]
    rows = known.frame[known.frame["model"].isin(fitted)]
    rows = rows[["model", "family", "lineage", "instruct", "params_b", "tokens_t"]]
    before, after = ls.predict(rich, rows), ls.predict(alignment.fit, rows)
    np.testing.assert_allclose(after.mean_draws, before.mean_draws, rtol=1e-7)
    old, new = rich.posterior, alignment.fit.posterior
    loading, turned = (
        p["loading"].transpose("chain", "draw", "benchmark", "skill").values for p in (old, new)
    )
    order = ("chain", "draw", "skill", "skill_factor")
    # The contributions of a new family, model and family slope to eta have the same covariance.
    scale = old["residual_scale"].values[..., None] * np.eye(2)
    slope = old["family_slope_scale"].values[:, :, 0, :, None] * np.eye(2)
    pairs = [
        (old["skill_cholesky"].transpose(*order).values, new["skill_cholesky"]),
        (scale, new["residual_factor"]),
        (slope, new["family_slope_factor"].isel(family_slope_covariate=0)),
    ]
    for was, now in pairs:
        first, second = loading @ was, turned @ now.transpose(*order).values
        np.testing.assert_allclose(
            second @ np.swapaxes(second, -1, -2), first @ np.swapaxes(first, -1, -2), atol=1e-9
        )
    spread = np.sqrt((new["residual_factor"] ** 2).sum("skill_factor"))
    np.testing.assert_allclose(new["residual_scale"], spread)


def test_new_families_are_drawn_from_the_rotated_population(rich: Fit) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        alignment = ls.align(rich, rotation=ls.rotations.Oblimin())
    rows = pd.DataFrame(
        {"model": [f"n{i}" for i in range(150)], "params_b": 7.0, "tokens_t": 2.0}
    ).assign(family=lambda t: "new-" + t["model"])
    before, after = ls.predict(rich, rows).mean_draws, ls.predict(alignment.fit, rows).mean_draws
    logit = [np.log(p / (1 - p)).clip(-10, 10) for p in (before, after)]
    # 60 draws x 150 families: means and spreads agree to Monte Carlo error.
    for benchmark in rich.scores.benchmarks:
        a, b = (x.sel(benchmark=benchmark) for x in logit)
        np.testing.assert_allclose(a.mean(), b.mean(), atol=0.15)
        np.testing.assert_allclose(a.std(), b.std(), rtol=0.08)


def test_the_rotation_is_kept_and_explains_the_loadings(one_truth: Fit, tmp_path: Path) -> None:
    mixed = scrambled(one_truth, "rotation", draws=60)
    alignment = ls.align(mixed, rotation=ls.rotations.Varimax())
    order = ("chain", "draw", "benchmark", "skill")
    turned = mixed.posterior["loading"].transpose(*order).values @ alignment.rotation.values
    np.testing.assert_allclose(alignment.fit.posterior["loading"].transpose(*order), turned)
    read = ls.load(alignment.fit.save(tmp_path / "aligned.nc"))
    np.testing.assert_allclose(read.tree["alignment"]["rotation"], alignment.rotation)
    assert read.tree["alignment"].attrs["rotation"] == "Varimax"
    assert "Varimax" in alignment.message


def test_figures_are_of_their_benchmark_and_skill_whatever_the_order_of_dims(
    one_truth: Fit, tmp_path: Path
) -> None:
    """Fits of earlier versions with pooled benchmarks have skills first; R-hat was missing."""
    fit = scrambled(one_truth, "rotation")
    turned = fit.posterior.assign(loading=fit.posterior["loading"].transpose(..., "benchmark"))
    assert turned["loading"].dims[2:] == ("skill", "benchmark")
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(turned)
    replace(fit, tree=tree).save(tmp_path / "earlier.nc")
    usual, other = ls.align(fit), ls.align(ls.load(tmp_path / "earlier.nc"))
    assert set(usual.convergence["benchmark"]) == set(fit.scores.benchmarks)
    pd.testing.assert_frame_equal(other.convergence, usual.convergence)
    pd.testing.assert_frame_equal(other.table(), usual.table())
    assert np.isfinite(other.table()["rhat"]).all()


def test_skills_are_ordered_and_point_upwards(one_truth: Fit) -> None:
    mean = means(ls.align(scrambled(one_truth, "rotation"), rotation=ls.rotations.Varimax()).fit)[0]
    squares = (mean**2).sum(axis=0)
    assert (np.diff(squares) <= 0).all() and (mean.sum(axis=0) >= 0).all()


def test_two_patterns_are_kept_apart_and_not_averaged(one_truth: Fit) -> None:
    """Half of a chain is around other loadings, as tightly; every draw has its own rotation."""
    rng = np.random.default_rng(3)
    changed = one_truth.posterior
    shape = changed["loading"].isel(chain=0, draw=0).shape
    changed = changed.assign(loading=changed["loading"] + 1.5 * rng.standard_normal(shape))
    tree = one_truth.tree.copy()
    tree["posterior"] = xr.DataTree(changed)
    first = scrambled(one_truth, "rotation")
    second = scrambled(replace(one_truth, tree=tree), "rotation", seed=2)
    place = xr.DataArray(np.zeros((2, 80), bool), dims=("chain", "draw"))
    place[1, 40:] = True
    tree = first.tree.copy()
    tree["posterior"] = xr.DataTree(xr.where(place, second.posterior, first.posterior))
    with pytest.warns(FitWarning, match="separate groups"):
        alignment = ls.align(replace(first, tree=tree))
    assert not alignment.unimodal
    np.testing.assert_allclose(alignment.modes["share"], [0.75, 0.25])
    np.testing.assert_allclose(alignment.modes["chain 1"], [0.5, 0.5])


def test_one_group_of_any_shape_is_one_mode() -> None:
    rng = np.random.default_rng(0)
    dims = ("chain", "draw", "x")
    for values in (
        rng.standard_normal((2, 200, 6)),
        rng.uniform(size=(2, 200, 1)),
        rng.gamma(1.5, size=(2, 200, 3)),
        rng.standard_normal((4, 25, 40)) * np.linspace(0.01, 100, 40),
        np.ones((2, 50, 3)),
    ):
        assert len(find_modes(xr.DataArray(values, dims=dims))) == 1


def test_three_groups_are_three_modes() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 120, 2))
    values[:, 40:80] += 12
    values[:, 80:, 0] -= 12
    modes = find_modes(xr.DataArray(values, dims=("chain", "draw", "x")))
    np.testing.assert_allclose(modes["share"], 1 / 3)


def test_a_wide_prior_of_fixed_families_is_rotated_too(small_scores, prior_fit) -> None:
    spec = spec_from_dict(free_document(family={"level": "fixed"}))
    fit = prior_fit(spec, small_scores, draws=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        alignment = ls.align(fit)
    skill = (
        alignment.fit.posterior["model_skill"].transpose("chain", "draw", "model", "skill").values
    )
    centred = skill - skill.mean(axis=2, keepdims=True)
    covariance = np.swapaxes(centred, -1, -2) @ centred / skill.shape[2]
    np.testing.assert_allclose(covariance, np.broadcast_to(np.eye(2), covariance.shape), atol=1e-8)
    order = ("chain", "draw", "benchmark", "skill")
    first = fit.posterior["loading"].transpose(*order).values
    factor = alignment.fit.posterior["family_skill_factor"].transpose(..., "skill", "skill_factor")
    second = alignment.fit.posterior["loading"].transpose(*order).values @ factor.values
    np.testing.assert_allclose(
        second @ np.swapaxes(second, -1, -2), first @ np.swapaxes(first, -1, -2), atol=1e-8
    )


def test_skills_along_one_direction_are_refused(small_scores, prior_fit) -> None:
    document = free_document(covariates=["log_flops"], family={"level": "none"})
    fit = prior_fit(spec_from_dict(document), small_scores, draws=5)
    with pytest.raises(SpecError, match="fewer than 2 directions"):
        ls.align(fit)


def test_misuse_is_told(rich: Fit, small_scores, prior_fit, quick_spec, known_spec) -> None:
    with pytest.raises(SpecError, match="anchored"):
        ls.align(prior_fit(known_spec, small_scores, draws=3))
    with pytest.raises(SpecError, match="no skills"):
        ls.align(prior_fit(quick_spec, small_scores, draws=3))
    with pytest.raises(SpecError, match="match must be"):
        ls.align(rich, match="sign")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="Varimax"):
        ls.align(rich, rotation="varimax")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="takes no rotation"):
        ls.align(rich, match="permutation", rotation=ls.rotations.Varimax())


@pytest.mark.slow
def test_a_free_fit_converges_once_aligned(known) -> None:
    """Two chains of NUTS on free loadings: R-hat of loadings before and after."""
    document = free_document(covariates=["log_flops"], benchmarks={"instruct": {"shift": True}})
    method = ls.NUTS(draws=300, tune=400, chains=2, cores=2)
    fit = ls.fit(spec_from_dict(document), known.scores, method=method, seed=4, progress=False)
    alignment = ls.align(fit, rotation=ls.rotations.Varimax())
    table = alignment.convergence
    # Unaligned chains wander over all rotations, so they mix badly and are not informative.
    assert table["rhat_before"].max() > 1.05 > table["rhat"].max()
    assert table["ess"].min() > 3 * table["ess_before"].min()
    assert alignment.unimodal
