"""Families: the correlation prior, and draws of families that were not fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, Prior, load_spec, spec_from_dict
from latentscale.model.build import build
from latentscale.model.design import design
from latentscale.model.terms.base import Rows
from latentscale.model.terms.family_level import lkj_log_density
from latentscale.model.unseen import draw_new_families, draw_raw, family_effects, raw_of_terms

N = 20_000


def spec_of(benchmarks: dict[str, object] | None = None, **family: object) -> ModelSpec:
    return spec_from_dict(
        {
            "name": "x",
            "family": {"level": "partial", **family},
            "benchmarks": benchmarks or {"family_effect": True},
        }
    )


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_correlation_prior_is_lkj_two(count: int, small_scores: Scores) -> None:
    spec = spec_from_dict(
        {
            "name": "x",
            "skills": {"count": count},
            "family": {"level": "partial", "correlated": True},
        }
    )
    model = build(spec, small_scores)
    factor = model["skill_cholesky"]
    draws = pm.draw(factor, 3000, random_seed=7, mode="FAST_COMPILE")
    assert factor.dims == ("skill", "skill_factor")
    correlation = draws @ draws.transpose(0, 2, 1)
    np.testing.assert_allclose(np.einsum("nii->ni", correlation), 1, atol=1e-12)
    assert (np.einsum("nii->ni", draws) > 0).all()
    assert (draws[:, *np.triu_indices(count, 1)] == 0).all()
    shape = 2 - 1 + count / 2
    for i, j in zip(*np.tril_indices(count, -1), strict=True):
        marginal = stats.kstest((correlation[:, i, j] + 1) / 2, stats.beta(shape, shape).cdf)
        assert marginal.pvalue > 1e-3, (i, j)
        wrong = stats.kstest((correlation[:, i, j] + 1) / 2, stats.beta(shape - 0.75, shape).cdf)
        assert wrong.pvalue < 1e-6


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_log_density_of_the_correlation_is_that_of_its_partial_correlations(count: int) -> None:
    """The model has their Beta densities; the density of the matrix is these over the Jacobian."""
    rows, columns = np.tril_indices(count, -1)
    unit = np.random.default_rng(3).uniform(0.05, 0.95, (5, len(rows)))
    factor, density = np.zeros((5, count, count)), np.zeros(5)
    left = np.ones((5, count))
    for column in range(count):
        factor[:, column, column] = left[:, column]
        for pair in np.flatnonzero(columns == column):
            row, partial = rows[pair], 2 * unit[:, pair] - 1
            concentration = 2 + (count - 2 - column) / 2
            density += stats.beta(concentration, concentration).logpdf(unit[:, pair])
            # d r / d u = 2 left_row left_column, for the entry r of the correlation matrix.
            density -= np.log(2 * left[:, row] * left[:, column])
            factor[:, row, column] = partial * left[:, row]
            left[:, row] = left[:, row] * np.sqrt(1 - partial**2)
    own = lkj_log_density(xr.DataArray(factor, dims=("draw", "skill", "skill_factor")))
    np.testing.assert_allclose(own.values, density, rtol=1e-10)
    if count == 2:
        wanted = np.log(0.75 * (1 - factor[:, 1, 0] ** 2))
        np.testing.assert_allclose(own.values, wanted, rtol=1e-10)


def constant(values: object, dims: tuple[str, ...], coords: dict | None = None) -> xr.DataArray:
    array = np.asarray(values, dtype=float)
    return xr.DataArray(
        np.broadcast_to(array, (N, *array.shape)), dims=("sample", *dims), coords=coords or {}
    )


SKILLS = ["s1", "s2"]
FACTOR = np.array([[1.0, 0.0], [0.6, 0.8]])
SCALE = np.array([0.5, 2.0])
SIGMA = np.diag(SCALE) @ FACTOR @ FACTOR.T @ np.diag(SCALE)
SHARE = 0.3
WIDER = 1 + 1 / 2  # two fitted families in two lineages, each taken from the mean of two


@pytest.fixture
def draws() -> xr.Dataset:
    """Constant posterior draws of two families in two lineages: new draws are from the prior."""
    names = {"family": ["old1", "old2"], "skill": SKILLS}
    return xr.Dataset(
        {
            "family_skill": constant(np.zeros((2, 2)), ("family", "skill"), names),
            "skill_cholesky": constant(
                FACTOR, ("skill", "skill_factor"), {"skill": SKILLS, "skill_factor": [0, 1]}
            ),
            "family_scale": constant(SCALE, ("skill",), {"skill": SKILLS}),
            "lineage_share": constant(SHARE, ()),
            "lineage_skill": constant(
                [[5.0, -5.0], [0.0, 1.0]],
                ("lineage", "skill"),
                {"lineage": ["L1", "L2"], "skill": SKILLS},
            ),
            "family_benchmark": constant(
                np.zeros((2, 2)), ("family", "benchmark"), {"benchmark": ["p", "q"]}
            ),
            "family_benchmark_scale": constant(
                [0.1, 3.0], ("benchmark",), {"benchmark": ["p", "q"]}
            ),
        }
    )


def new_families(
    spec: ModelSpec,
    draws: xr.Dataset,
    families: list[str],
    lineages: list[str],
    seed: int,
) -> xr.Dataset:
    rng = np.random.default_rng(seed)

    def raw(_: str, shape: tuple[int, ...]) -> np.ndarray:
        return draw_raw(spec, shape, rng)

    return draw_new_families(spec, draws, families, lineages, raw, centred=True)


def drawn(draws: xr.Dataset, families: list[str], lineages: list[str]) -> xr.Dataset:
    return new_families(spec_of(lineage=True, correlated=True), draws, families, lineages, 1)


def skills_of(drawn_effects: xr.Dataset, family: str) -> np.ndarray:
    return drawn_effects["family_skill"].sel(family=family).transpose("sample", "skill").values


def test_a_new_family_of_a_fitted_lineage_is_drawn_round_it(draws: xr.Dataset) -> None:
    values = skills_of(drawn(draws, ["new"], ["L1"]), "new")
    np.testing.assert_allclose(values.mean(axis=0), [5, -5], atol=4 * 2 / np.sqrt(N))
    np.testing.assert_allclose(np.cov(values.T), (1 - SHARE) * SIGMA, rtol=0.05, atol=0.02)


def test_a_wholly_new_family_has_the_lineages_spread_too(draws: xr.Dataset) -> None:
    values = skills_of(drawn(draws, ["new"], ["new"]), "new")
    wanted = (1 - SHARE + SHARE * WIDER) * SIGMA
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=0.08)
    np.testing.assert_allclose(np.cov(values.T), wanted, rtol=0.05, atol=0.02)


def test_new_families_of_one_new_lineage_share_its_draw(draws: xr.Dataset) -> None:
    effects = drawn(draws, ["n1", "n2", "n3"], ["fresh", "fresh", "other"])
    one, two, three = (skills_of(effects, name) for name in ("n1", "n2", "n3"))
    between = one.T @ two / N
    np.testing.assert_allclose(between, SHARE * WIDER * SIGMA, rtol=0.1, atol=0.05)
    np.testing.assert_allclose(one.T @ three / N, 0, atol=0.12)
    assert not np.allclose(one, two)


def test_new_benchmark_effects_have_their_own_spread(draws: xr.Dataset) -> None:
    effects = drawn(draws, ["n1", "n2"], ["L1", "L2"])["family_benchmark"]
    assert set(effects.dims) == {"sample", "family", "benchmark"}
    spread = effects.std("sample").transpose("family", "benchmark").values
    np.testing.assert_allclose(spread, np.sqrt(WIDER) * np.array([[0.1, 3.0]] * 2), rtol=0.04)


def test_new_slopes_have_their_own_spread(draws: xr.Dataset) -> None:
    skill = ("family", "family_slope_covariate", "skill")
    benchmark = ("family", "benchmark", "family_benchmark_slope_covariate")
    names = {
        "family_slope_covariate": ["log_flops"],
        "family_benchmark_slope_covariate": ["log_flops"],
    }
    more = draws.assign(
        family_slope=constant(np.zeros((2, 1, 2)), skill),
        family_slope_scale=constant([[0.2, 0.5]], skill[1:], {"skill": SKILLS}),
        family_benchmark_slope=constant(np.zeros((2, 2, 1)), benchmark),
        family_benchmark_slope_scale=constant([1.5, 0.4], ("benchmark",)),
    ).assign_coords(names)
    own = ["log_flops"]
    spec = spec_of({"family_slopes": own}, lineage=True, correlated=True, slopes=own)
    families = new_families(spec, more, ["new"], ["L1"], 1)
    spread = families["family_slope"].std("sample").squeeze(drop=True)
    np.testing.assert_allclose(spread.values, np.sqrt(WIDER) * np.array([0.2, 0.5]), rtol=0.04)
    spread = families["family_benchmark_slope"].std("sample").squeeze(drop=True)
    np.testing.assert_allclose(spread.values, np.sqrt(WIDER) * np.array([1.5, 0.4]), rtol=0.04)


def test_without_lineage_or_correlation_only_the_scale_counts(draws: xr.Dataset) -> None:
    part = draws.drop_vars(["lineage_skill", "lineage_share", "skill_cholesky"])
    families = new_families(spec_of(), part, ["n"], ["L1"], 2)
    wanted = WIDER * np.diag(SCALE**2)
    np.testing.assert_allclose(np.cov(skills_of(families, "n").T), wanted, rtol=0.05, atol=0.1)


@pytest.mark.parametrize(
    ("prior", "theirs"),
    [
        (Prior("Normal", mu=1, sigma=2), stats.norm(1, 2)),
        (Prior("StudentT", nu=2.5, mu=1, sigma=2), stats.t(2.5, 1, 2)),
        (Prior("Laplace", mu=1, b=2), stats.laplace(1, 2)),
    ],
)
def test_a_new_family_of_unpooled_families_follows_their_prior(
    prior: Prior, theirs: stats.rv_continuous, draws: xr.Dataset
) -> None:
    spec = load_spec("family_flops").with_priors({"fixed_family": prior})
    part = draws[["family_benchmark"]]
    families = new_families(spec, part, ["n"], ["n"], 3)
    values = families["family_benchmark"].values.ravel()
    assert stats.kstest(values, theirs.cdf).pvalue > 1e-3


def test_the_models_prior_and_new_families_have_one_distribution(
    small_scores: Scores, prior_fit, known_spec
) -> None:
    """Apart from centring: fitted effects are deviations from their own mean, new ones are not."""
    family = known_spec.family.model_copy(update={"lineage": False})
    fit = prior_fit(known_spec.model_copy(update={"family": family}), small_scores, draws=8000)
    effects = new_families(fit.spec, fit.samples, ["n"], ["n"], 4)
    fitted_skill = fit.samples["family_skill"]
    assert float(abs(fitted_skill.mean("family")).max()) < 1e-9
    families = fitted_skill.sizes["family"]
    narrower = np.sqrt((1 - 1 / families) / (1 + 1 / families))
    for skill in fit.samples["skill"].values:
        fitted = fitted_skill.sel(family="fam03", skill=skill).values
        new = narrower * effects["family_skill"].sel(family="n", skill=skill).values
        assert stats.ks_2samp(fitted, new).pvalue > 1e-3
        assert stats.ks_2samp(fitted, 1.3 * new).pvalue < 1e-2


@pytest.mark.parametrize("lineage", [False, True])
def test_where_effects_are_not_centred_a_new_family_is_one_of_the_population(
    lineage: bool, small_scores: Scores, prior_fit, everything_spec: ModelSpec
) -> None:
    """With six families it was 8% too wide: no mean is subtracted, so none is uncertain."""
    spec = everything_spec.with_({"family.lineage": lineage})
    draws = prior_fit(spec, small_scores, draws=20).samples

    def raw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        """In a new lineage the family is at its lineage's level."""
        return np.full(shape, 0.0 if lineage and name == "family_skill" else 1.0)

    wide, own = (
        draw_new_families(spec, draws, ["n"], ["new"], raw, centred=centred)
        for centred in (True, False)
    )
    assert {"family_skill", "family_benchmark", "family_slope"} <= set(own.data_vars)
    for name in own.data_vars:
        of = "lineage" if lineage and name == "family_skill" else "family"
        ratio = np.sqrt(1 + 1 / {"family": 6, "lineage": 3}[of])
        np.testing.assert_allclose(wide[name], ratio * own[name], rtol=1e-9, err_msg=str(name))
    spread = draws["family_benchmark_scale"].transpose("sample", "benchmark")
    found = own["family_benchmark"].isel(family=0).transpose("sample", "benchmark")
    np.testing.assert_allclose(found, spread, rtol=1e-9)
    moved = raw_of_terms(spec, draws, ["fam02"], ["lin01"], centred=False)
    scale = draws["family_benchmark_scale"]
    effect = draws["family_benchmark"].sel(family="fam02")
    wanted = (effect / scale.where(scale > 0, 1.0)).transpose("sample", "benchmark")
    found = moved["family_benchmark"].isel(family=0).transpose("sample", "benchmark")
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


SIZES = (1, 2, 5)
COPIES = 4


@pytest.fixture(scope="module")
def levels() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws of lineage and family levels of unit variance, and each family's lineage.

    Twelve lineages, of 1, 2 and 5 families; six independent skills count as more draws.
    """
    count = np.array(SIZES * COPIES)
    lineage = np.repeat(np.arange(len(count)), count)
    frame = pd.DataFrame(
        {
            "model": [f"m{i:02d}" for i in range(len(lineage))],
            "family": [f"f{i:02d}" for i in range(len(lineage))],
            "lineage": [f"l{g:02d}" for g in lineage],
            "params_b": np.linspace(1, 50, len(lineage)),
            "tokens_t": 2.0,
            **{f"b{j}": np.linspace(0.2, 0.7 + j / 50, len(lineage)) for j in range(6)},
        }
    )
    spec = spec_from_dict(
        {
            "name": "levels",
            "skills": {"count": 6, "identify": {"kind": "free"}},
            "family": {"level": "partial", "lineage": True},
            "priors": {"lineage_share": {"dist": "Beta", "alpha": 3e5, "beta": 7e5}},
        }
    )
    model = build(spec, Scores.from_frame(frame))
    names = {"lineage_skill": ("lineage", "skill"), "family_skill": ("family", "skill")}
    drawn = pm.draw([model[n] for n in names], 3000, random_seed=2, mode="FAST_COMPILE")
    stacked = []
    for (name, wanted), values in zip(names.items(), drawn, strict=True):
        named = xr.DataArray(values, dims=("draw", *model[name].dims))
        stacked.append(
            named.transpose("draw", wanted[1], wanted[0]).values.reshape(
                -1, len(model.coords[wanted[0]])
            )
        )
    return stacked[0], stacked[1], lineage


def test_lineage_and_family_levels_have_the_moments_of_the_hierarchy(levels) -> None:
    """Var(y) = 1, Cov(y, y') = Cov(z, y) = Var(z) = r within a lineage; centring reduces these."""
    between, family, lineage = levels
    r, groups = 0.3, len(SIZES) * COPIES
    count = np.bincount(lineage).astype(float)
    spread = np.sqrt(r + (1 - r) / count)  # of the mean of a lineage's families
    same = np.equal.outer(lineage, lineage)
    taken = np.outer(spread[lineage], spread[lineage]) / groups
    wanted = np.where(same, r, 0.0) + (1 - r) * np.eye(len(lineage)) - taken
    covariance = family.T @ family / len(family)
    np.testing.assert_allclose(covariance, wanted, atol=0.045)
    for size in SIZES:
        mine = count[lineage] == size
        own = np.diag(covariance)[mine].mean()
        assert own == pytest.approx(1 - (r + (1 - r) / size) / groups, abs=0.015), size
        if size > 1:
            pairs = covariance[np.ix_(mine, mine)][
                same[np.ix_(mine, mine)] & ~np.eye(mine.sum(), dtype=bool)
            ]
            assert pairs.mean() == pytest.approx(r - (r + (1 - r) / size) / groups, abs=0.015), size
    both = between.T @ family / len(family)
    cross = both[lineage, np.arange(len(lineage))]
    np.testing.assert_allclose(cross, r * (1 - 1 / groups), atol=0.03)
    own = np.diag(between.T @ between) / len(between)
    np.testing.assert_allclose(own, r - r**2 / (groups * spread**2), atol=0.025)
    assert abs(family.mean(axis=0)).max() < 0.04


def test_a_family_given_its_lineage_has_the_rest_of_the_variance(levels) -> None:
    """A new family of a fitted lineage is drawn with variance 1 - r of y - z."""
    between, family, lineage = levels
    rest = family - between[:, lineage]
    np.testing.assert_allclose(rest.var(axis=0), 0.7, atol=0.06)


def test_models_gather_the_terms_of_their_own_family() -> None:
    names = {"family": ["a", "b", "c"]}
    skill = xr.DataArray(np.arange(6.0).reshape(3, 2), dims=("family", "skill"), coords=names)
    index = xr.DataArray([2, 0, 0, 1], dims="model")
    rows = Rows({}, xr.zeros_like(index), {}, index)
    gathered = rows.of_family(skill)
    assert gathered.dims == ("model", "skill") and "family" not in gathered.coords
    np.testing.assert_array_equal(gathered.values, skill.values[[2, 0, 0, 1]])


def test_effects_by_family_are_those_that_the_spec_has(draws: xr.Dataset) -> None:
    assert set(family_effects(spec_of(), draws)) == {"family_skill", "family_benchmark"}
    assert set(family_effects(spec_of({"ceiling": "fixed"}), draws)) == {"family_skill"}


def test_a_pooled_spec_draws_nothing() -> None:
    families = new_families(load_spec("pooled_flops"), xr.Dataset(), ["n"], ["n"], 0)
    assert not families.data_vars


def test_an_anchor_has_no_family_effect_beside_its_skill(small_scores: Scores) -> None:
    spec = spec_from_dict(
        {
            "name": "x",
            "skills": {"count": 1},
            "family": {"level": "partial"},
            "benchmarks": {"family_effect": True},
        }
    )
    prepared = design(spec, small_scores)
    model = build(spec, small_scores)
    effect = pm.draw(model["family_benchmark"], random_seed=1, mode="FAST_COMPILE")
    at_anchor = np.isin(prepared.scores.benchmarks, prepared.anchors)
    assert at_anchor.sum() == 1
    assert (effect[:, at_anchor] == 0).all() and (effect[:, ~at_anchor] != 0).all()


def with_slopes_of_families(spreads: str) -> ModelSpec:
    return spec_from_dict(
        {
            "name": "two slopes",
            "covariates": ["log_flops", "instruct"],
            "benchmarks": {
                "family_slopes": ["log_flops", "instruct"],
                "family_slope_spreads": spreads,
            },
        }
    )


@pytest.mark.parametrize(
    ("spreads", "more"), [("shared", set()), ("by-covariate", {"family_benchmark_slope_covariate"})]
)
def test_spreads_of_families_slopes_on_a_benchmark_are_shared_or_by_covariate(
    known, prior_fit, spreads: str, more: set[str]
) -> None:
    draws = prior_fit(with_slopes_of_families(spreads), known.scores, draws=200).samples
    scale = draws["family_benchmark_slope_scale"]
    assert set(scale.dims) == {"sample", "benchmark"} | more
    standard = draws["family_benchmark_slope"] / scale
    across = ["sample", "family", "benchmark"]
    np.testing.assert_allclose(standard.std(across), 1.0, atol=0.1)


def test_a_new_familys_slopes_have_the_spread_of_their_covariate(draws: xr.Dataset) -> None:
    covariate = "family_benchmark_slope_covariate"
    scale = np.array([[1.5, 0.4], [0.2, 2.0]])
    more = draws.assign(
        family_benchmark_slope=constant(np.zeros((2, 2, 2)), ("family", "benchmark", covariate)),
        family_benchmark_slope_scale=constant(scale, ("benchmark", covariate)),
    ).assign_coords({covariate: ["log_flops", "instruct"]})
    spec = with_slopes_of_families("by-covariate")
    families = new_families(spec, more, ["new"], ["L1"], 1)
    spread = families["family_benchmark_slope"].std("sample").squeeze("family")
    wanted = np.sqrt(WIDER) * scale
    np.testing.assert_allclose(spread.transpose("benchmark", covariate), wanted, rtol=0.04)


@pytest.mark.parametrize("lineage", [False, True])
def test_raw_effects_of_fitted_families_are_standard_normal(
    lineage: bool, known, prior_fit, everything_spec: ModelSpec
) -> None:
    """With prior draws: what new scores move starts from its own prior distribution."""
    spec = everything_spec.with_({"family.lineage": lineage})
    models = [f"fam{f:02d}-m{i}" for f in range(6) for i in (0, 1)]
    names = ["alpha", "beta", "gamma", "delta"]
    fit = prior_fit(spec, known.scores.select(models=models, benchmarks=names), draws=800)
    lineages = [str(g) for g in fit.scores.family_lineage().loc[list(fit.scores.families)]]
    families = list(fit.scores.families)
    raw = raw_of_terms(spec, fit.samples, families, lineages, centred=True)
    assert set(raw) == {
        "family_skill",
        "family_slope",
        "family_benchmark",
        "family_benchmark_slope",
    }
    apart = raw["family_benchmark"].isel(benchmark=~np.isin(names, fit.design.anchors))
    for effect in raw.assign(family_benchmark=apart).data_vars.values():
        # Around a lineage's level that is itself centred: by (1 - 1 / 3) of a sixth at most.
        low = 0.8 if lineage and effect.name == "family_skill" else 0.9
        assert low < float(effect.var()) < 1.1  # 800 draws x 12: a standard error of some 0.02
    if not lineage:
        at_anchor = raw["family_benchmark"].isel(benchmark=np.isin(names, fit.design.anchors))
        assert (at_anchor == 0).all()
