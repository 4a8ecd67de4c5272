"""Skills, variance shares and agreement, compared with numpy by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError, LatentscaleError, SpecError
from latentscale.posterior.fit import Fit
from tests.model.test_sources import rows as source_rows
from tests.model.test_sources import spec as source_spec

FREE = {
    "name": "free",
    "skills": {"count": 2, "identify": {"kind": "free"}},
    "priors": {"loading": {"dist": "Normal", "mu": 0, "sigma": 1}},
}


@pytest.fixture(scope="module")
def fit(known_spec, small_scores, prior_fit) -> Fit:
    return prior_fit(known_spec, small_scores, draws=50)


@pytest.fixture(scope="module")
def summary(fit: Fit) -> ls.results.Skills:
    return ls.skills(fit)


@pytest.fixture(scope="module")
def everything(everything_spec, small_scores, prior_fit) -> Fit:
    return prior_fit(everything_spec, small_scores, draws=12)


@pytest.fixture(scope="module")
def free(small_scores, prior_fit) -> Fit:
    return prior_fit(spec_from_dict(FREE), small_scores, draws=20)


def by_hand(fit: Fit) -> tuple[np.ndarray, ...]:
    """Return B'x, alpha of the model, iota and their loadings, shapes (sample, model, ...)."""
    draws, data = fit.samples, fit.scores.dataset
    flops = np.log(6e21 * data["params"].values * data["tokens"].values)
    x = (flops - flops.mean()) / flops.std()
    order = ("sample", "benchmark", "skill")
    loading = draws["loading"].transpose(*order).values
    slope = draws["slope"].isel(covariate=0).transpose("sample", "skill").values
    alpha = draws["family_skill"].sel(family=data["family"].values)
    alpha = alpha.transpose("sample", "family", "skill").values
    covariate = x[None, :, None] * slope[:, None, :]
    shift = draws["instruct_shift"].transpose("sample", "benchmark").values
    instruct = data["instruct"].values[None, :, None] * shift[:, None, :]
    return covariate, alpha, loading, instruct


def test_loadings_are_quantiles_of_their_draws(fit: Fit, summary: ls.results.Skills) -> None:
    table = summary.loadings(0.8).set_index(["benchmark", "skill"])
    draws = fit.samples["loading"].sel(benchmark="beta", skill="delta").values
    row = table.loc[("beta", "delta")]
    np.testing.assert_allclose(
        row[["lower", "median", "upper"]].tolist(), np.quantile(draws, [0.1, 0.5, 0.9])
    )
    assert row["prob_positive"] == (draws > 0).mean()
    assert table.loc[("alpha", "alpha")][["median", "lower", "upper"]].tolist() == [1, 1, 1]


def test_standardised_loadings_are_in_units_of_the_predictor(
    fit: Fit, summary: ls.results.Skills
) -> None:
    covariate, alpha, loading, instruct = by_hand(fit)
    theta = covariate + alpha
    eta = np.einsum("smk,sjk->smj", theta, loading) + instruct
    wanted = loading * theta.std(axis=1)[:, None, :] / eta.std(axis=1)[:, :, None]
    np.testing.assert_allclose(summary.share.values, wanted, rtol=1e-8)


def test_profiles_of_models_and_families(fit: Fit, summary: ls.results.Skills) -> None:
    covariate, alpha, _, _ = by_hand(fit)
    models = summary.models().set_index(["model", "skill"])
    wanted = np.median((covariate + alpha)[:, 3, 1])
    name = fit.scores.models[3]
    assert models.loc[(name, "delta"), "median"] == pytest.approx(wanted)
    assert models.loc[(name, "delta"), "family"] == name.split("-")[0]
    families = summary.families().set_index(["family", "skill"])
    draws = fit.samples["family_skill"].sel(family="fam02", skill="alpha")
    assert families.loc[("fam02", "alpha"), "upper"] == pytest.approx(np.quantile(draws, 0.95))
    assert len(models) == 24 and len(families) == 12


def test_families_are_compared_skill_by_skill(fit: Fit, summary: ls.results.Skills) -> None:
    table = summary.compare_families("fam01", "fam04").set_index("skill")
    alpha = fit.samples["family_skill"]
    for skill in ("alpha", "delta"):
        a, b = (alpha.sel(family=f, skill=skill).values for f in ("fam01", "fam04"))
        assert table.loc[skill, "prob_higher"] == (a > b).mean()
        assert table.loc[skill, "median"] == pytest.approx(np.median(a - b))
    back = summary.compare_families("fam04", "fam01").set_index("skill")
    np.testing.assert_allclose(back["prob_higher"] + table["prob_higher"], 1)
    first, second = fit.scores.models[:2]
    models = summary.compare_models(first, second).set_index("skill")
    theta = fit.samples["model_skill"].sel(skill="delta")
    higher = (theta.sel(model=first) > theta.sel(model=second)).mean()
    assert models.loc["delta", "prob_higher"] == higher


def test_a_true_difference_between_families_is_found(known_fit: Fit, known) -> None:
    truth = known.truth["family_skill"].sel(skill="alpha")
    order = truth.sortby(truth)["family"].values
    table = ls.skills(known_fit).compare_families(order[-1], order[0]).set_index("skill")
    assert table.loc["alpha", "prob_higher"] > 0.95
    wanted = float(truth.max() - truth.min())
    assert table.loc["alpha", "lower"] < wanted < table.loc["alpha", "upper"]


def test_correlations_in_the_population_and_over_models(
    fit: Fit, summary: ls.results.Skills
) -> None:
    table = summary.correlations().set_index("between")
    assert list(table.index) == ["families", "models"]
    factor = fit.samples["skill_cholesky"].transpose("sample", "skill", "skill_factor").values
    np.testing.assert_allclose(
        table.loc["families", "median"],
        np.median(np.einsum("sk,sk->s", factor[:, 0], factor[:, 1])),
    )
    theta = fit.samples["model_skill"].transpose("sample", "skill", "model").values
    wanted = np.median([np.corrcoef(draw)[0, 1] for draw in theta])
    assert table.loc["models", "median"] == pytest.approx(wanted)


def test_top_benchmarks_are_those_a_skill_moves_most(summary: ls.results.Skills) -> None:
    table = summary.top_benchmarks(2)
    middle = abs(summary.share.median("sample")).sel(skill="delta").to_series()
    wanted = list(middle.sort_values(ascending=False).index[:2])
    mine = table[table["skill"] == "delta"]
    assert list(mine["benchmark"]) == wanted and list(mine["rank"]) == [1, 2]
    size = abs(summary.share.sel(skill="delta").values)
    ahead = (size[:, None, :] > size[:, :, None]).sum(axis=2)  # how many come before each
    index = list(summary.share["benchmark"].values).index(wanted[0])
    assert mine.iloc[0]["prob_top"] == pytest.approx((ahead[:, index] < 2).mean())


def test_point_estimates_have_no_intervals(fit: Fit) -> None:
    point = replace(fit, status=replace(fit.status, is_posterior=False))
    skills = ls.skills(point)
    for table in (skills.loadings(), skills.models(), skills.families(), skills.correlations()):
        assert table[["lower", "upper"]].isna().all(axis=None) and table["median"].notna().all()


def test_free_skills_are_refused_until_aligned(free: Fit) -> None:
    with pytest.raises(SpecError, match=r"latentscale\.align"):
        ls.skills(free)
    aligned = ls.align(free)
    skills = ls.skills(aligned.fit)
    np.testing.assert_allclose(skills.loading, aligned.fit.samples["loading"])
    np.testing.assert_allclose(
        skills.correlations().set_index("between").loc["families", "median"], 0, atol=1e-12
    )


def test_misuse_is_told(summary: ls.results.Skills, quick_spec, small_scores, prior_fit) -> None:
    with pytest.raises(SpecError, match="no skills"):
        ls.skills(prior_fit(quick_spec, small_scores, draws=3))
    with pytest.raises(DataError, match='Family "fam99"'):
        summary.compare_families("fam99", "fam01")
    with pytest.raises(DataError, match='Model "x"'):
        summary.compare_models("x", "fam01-m0")
    with pytest.raises(DataError, match="n must"):
        summary.top_benchmarks(0)
    with pytest.raises(LatentscaleError, match="prob"):
        summary.loadings(1.5)
    with pytest.raises(SpecError, match="no level"):
        replace(summary, family=None).families()


def test_shares_divide_the_covariance_with_the_predictor(fit: Fit) -> None:
    covariate, alpha, loading, instruct = by_hand(fit)
    parts = {
        "skills: covariates": np.einsum("smk,sjk->smj", covariate, loading),
        "skills: families": np.einsum("smk,sjk->smj", alpha, loading),
        "instruction tuning": instruct,
    }
    eta = sum(parts.values())
    shares = ls.studies.variance_shares(fit, draws=50)
    assert list(shares.draws["component"].values) == [*parts, "noise"]
    np.testing.assert_allclose(shares.draws.sum("component"), 1)
    measured = fit.scores.dataset["score"].notnull().transpose("model", "benchmark").values
    reliable = 1 - shares.draws.sel(component="noise")
    for j, benchmark in enumerate(fit.scores.benchmarks):
        rows = measured[:, j]
        for name, part in parts.items():
            for sample in (0, 7, 21):
                a, b = part[sample, rows, j], eta[sample, rows, j]
                wanted = np.cov(a, b, ddof=0)[0, 1] / b.var()
                got = shares.draws.sel(component=name, benchmark=benchmark)[sample]
                scale = float(reliable.sel(benchmark=benchmark)[sample])
                assert float(got) == pytest.approx(wanted * scale, abs=1e-9)


def test_a_benchmark_with_one_score_has_no_shares(prior_fit, small_scores: ls.Scores) -> None:
    frame = small_scores.to_frame()
    frame.loc[1:, "beta"] = np.nan
    sparse = ls.Scores.from_frame(frame)
    spec = ls.load_spec("family_flops")
    shares = ls.studies.variance_shares(prior_fit(spec, sparse, draws=30), seed=1)
    assert shares.left_out == ("beta",)
    assert "beta" not in shares.draws["benchmark"].values
    assert not shares.table().isna().to_numpy().any()
    assert "too few scores on" in shares.headline
    shares.plot()
    lone = ls.Scores.from_frame(frame.iloc[:1])
    with pytest.raises(ls.DataError, match="scores of two models"):
        ls.studies.variance_shares(prior_fit(spec, lone, draws=30))


def test_the_noise_is_that_of_the_beta(fit: Fit) -> None:
    shares = ls.studies.variance_shares(fit)
    draws, data = fit.samples, fit.scores.dataset
    covariate, alpha, loading, instruct = by_hand(fit)
    eta = np.einsum("smk,sjk->smj", covariate + alpha, loading) + instruct
    eta = eta + draws["intercept"].transpose("sample", "benchmark").values[:, None, :]
    floor = data["floor"].values
    mean = floor + (1 - floor) * expit(eta)
    phi = draws["precision"].transpose("sample", "benchmark").values[:, None, :]
    measured = data["score"].notnull().transpose("model", "benchmark").values
    mean = np.where(measured, mean, np.nan)
    noise = np.nanmean(mean * (1 - mean) / (1 + phi), axis=1)
    share = noise / (noise + np.nanvar(mean, axis=1))
    got = shares.draws.sel(component="noise").mean("sample")
    np.testing.assert_allclose(got, share.mean(axis=0), rtol=0.08)


def test_every_term_has_its_component(everything: Fit) -> None:
    shares = ls.studies.variance_shares(everything)
    assert list(shares.draws["component"].values) == [
        "skills: covariates",
        "skills: families",
        "skills: single models",
        "family x benchmark",
        "benchmark's own slopes",
        "instruction tuning",
        "noise",
    ]
    np.testing.assert_allclose(shares.draws.sum("component"), 1)
    table = shares.table()
    np.testing.assert_allclose(table.groupby("benchmark")["mean"].sum(), 1)
    assert "noise" in shares._repr_html_() and "noise" in shares.headline


def test_shares_do_not_depend_on_the_rotation(free: Fit) -> None:
    aligned = ls.align(free, rotation=ls.rotations.Oblimin()).fit
    before, after = ls.studies.variance_shares(free), ls.studies.variance_shares(aligned)
    np.testing.assert_allclose(before.draws, after.draws, atol=1e-6)


def test_pooled_curves_have_covariates_and_noise_alone(quick_spec, small_scores, prior_fit) -> None:
    shares = ls.studies.variance_shares(prior_fit(quick_spec, small_scores, draws=30))
    assert list(shares.draws["component"].values) == ["benchmark's own slopes", "noise"]
    assert (shares.draws.sel(component="noise") > 0).all()
    with pytest.raises(DataError, match="draws must"):
        ls.studies.variance_shares(prior_fit(quick_spec, small_scores, draws=3), draws=0)


def with_skills(fit: Fit, skill: np.ndarray) -> Fit:
    """Return the fit with other model skills, shape (sample, model, skill)."""
    names = [f"skill {k + 1}" for k in range(skill.shape[2])]
    own = xr.DataArray(
        skill[None],
        dims=("chain", "draw", "model", "skill"),
        coords={"model": list(fit.scores.models), "skill": names},
    )
    tree = fit.tree.copy()
    tree["posterior"] = xr.DataTree(xr.Dataset({"model_skill": own}))
    return replace(fit, tree=tree)


def test_a_rotated_skill_space_agrees_fully(free: Fit) -> None:
    rng = np.random.default_rng(3)
    skill = rng.standard_normal((1, 12, 2)).repeat(5, axis=0)
    turned = skill @ rng.standard_normal((5, 2, 2)) + 3.0
    agreement = ls.studies.skill_agreement(
        with_skills(free, skill), with_skills(free, turned), pairs=30
    )
    np.testing.assert_allclose(agreement.canonical, 1, atol=1e-9)
    np.testing.assert_allclose(agreement.explained, 1, atol=1e-9)
    assert len(agreement.models) == 12 and "1.00" in repr(agreement)


def test_one_skill_each_agrees_as_it_correlates(free: Fit) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 1, 12, 1))
    agreement = ls.studies.skill_agreement(with_skills(free, a), with_skills(free, b), pairs=4)
    r = np.corrcoef(a[0, :, 0], b[0, :, 0])[0, 1]
    np.testing.assert_allclose(agreement.canonical, abs(r))
    assert agreement.table()["median"].item() == pytest.approx(abs(r))
    np.testing.assert_allclose(agreement.explained_table()["median"], r**2)


def test_a_skill_that_only_one_fit_has_is_seen(free: Fit) -> None:
    rng = np.random.default_rng(5)
    three = rng.standard_normal((1, 12, 3))
    flat = np.concatenate([three[..., :1], 2 * three[..., :1]], axis=2)  # one direction, not two
    agreement = ls.studies.skill_agreement(
        with_skills(free, flat), with_skills(free, three), pairs=3
    )
    np.testing.assert_allclose(agreement.canonical.isel(sample=0), [1, 0], atol=1e-6)
    centred = three[0] - three[0].mean(axis=0)
    r2 = np.corrcoef(centred.T)[0] ** 2
    np.testing.assert_allclose(agreement.explained.isel(sample=0), r2, atol=1e-9)


def test_agreement_needs_shared_models_and_skills(free: Fit, quick_spec, small_scores, prior_fit):
    with pytest.raises(SpecError, match="no skills"):
        ls.studies.skill_agreement(free, prior_fit(quick_spec, small_scores, draws=3))
    few = prior_fit(free.spec, small_scores.select(models=list(free.scores.models[:3])), draws=3)
    with pytest.raises(DataError, match="share 3 models"):
        ls.studies.skill_agreement(free, few)
    with pytest.raises(DataError, match="pairs"):
        ls.studies.skill_agreement(free, free, pairs=0)


def test_curvature_of_benchmarks_is_a_share_of_theirs(quick_spec, small_scores, prior_fit) -> None:
    bent = {"kind": "curvature", "squares": ["log_flops"], "of_each": "benchmark"}
    spec = quick_spec.with_({"name": "bent", "terms": [bent]})
    assert not spec.skills.count
    shares = ls.studies.variance_shares(prior_fit(spec, small_scores, draws=20))
    assert list(shares.draws["component"].values) == ["benchmark's own slopes", "noise"]
    np.testing.assert_allclose(shares.draws.sum("component"), 1)


def test_offsets_of_sources_are_no_share(prior_fit) -> None:
    """They are the same for all models of a benchmark."""
    scores = ls.Scores.from_long(source_rows(6), sources="apart")
    shares = ls.studies.variance_shares(prior_fit(source_spec(), scores, draws=10))
    assert list(shares.draws["component"].values) == ["benchmark's own slopes", "noise"]


def test_noise_is_averaged_over_the_models_that_were_measured(held_fit: Fit) -> None:
    """On one benchmark only four models, whose scores scatter least or most."""
    table = held_fit.scores.dataset
    at = held_fit.evaluator.at(held_fit.samples, table, residuals="fitted")
    mean = at.mean.sel(benchmark="alpha").isel(sample=0).values  # all draws are the same
    variance = mean * (1 - mean) / (1 + 40)
    order = np.argsort(variance)
    assert variance[order[-4:]].mean() > 1.5 * variance[order[:4]].mean()
    for some in (order[:4], order[-4:]):
        score = table["score"].copy()
        score.loc[{"benchmark": "alpha"}] = np.where(np.isin(np.arange(12), some), 0.5, np.nan)
        fewer = replace(held_fit, scores=ls.Scores(table.assign(score=score)))
        shares = ls.studies.variance_shares(fewer, draws=1500).draws
        noise = variance[some].mean()
        # 24,000 simulated scores: a variance has a relative standard error of some 0.01.
        found = float(shares.sel(component="noise", benchmark="alpha").mean())
        assert found == pytest.approx(noise / (noise + mean[some].var()), rel=0.06)


def test_the_population_has_the_scales_of_families(fit: Fit, summary: ls.results.Skills) -> None:
    """D R D, with the correlation R = L L'."""
    factor = fit.samples["skill_cholesky"].transpose("sample", "skill", "skill_factor").values
    scaled = fit.samples["family_scale"].transpose("sample", "skill").values[..., None] * factor
    assert summary.population is not None
    np.testing.assert_allclose(summary.population.values, scaled @ scaled.transpose(0, 2, 1))
