"""The PyMC model and the equations that forecasts use are the same.

PyMC evaluates a model at some points; the package's own equations, on xarray, must give the same
likelihood, the same expected scores and the same forecasts at those points.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, shipped_specs, spec_from_dict

FOR_SIZES = [name for name in shipped_specs() if "released" not in ls.load_spec(name).covariates]
"""Specs for tables with sizes and tokens, such as the bundled one; the others need dates."""

VARIANTS: dict[str, dict] = {
    "free": {"skills": {"count": 3, "identify": {"kind": "free"}}},
    "cloglog": {"benchmarks": {"link": {"kind": "cloglog"}, "ceiling": "estimated"}},
    "family unit": {
        "skills": {"count": 3, "identify": {"kind": "anchored", "unit": "family"}},
        "family": {"level": "partial", "correlated": True, "lineage": True},
    },
    "fixed families with skills": {
        "family": {"level": "fixed"},
        "benchmarks": {"family_effect": True},
    },
    "residual": {"skills": {"count": 2, "residual": True}, "family": {"level": "none"}},
    "no covariates": {"covariates": [], "skills": {"count": 1}},
    "instruct as covariate": {"covariates": ["log_params", "instruct", "log_params:instruct"]},
    "heteroscedastic": {
        "covariates": ["log_flops", "instruct"],
        "benchmarks": {"precision_covariates": ["log_flops", "instruct"]},
    },
    "beta-binomial": {
        "covariates": ["log_flops"],
        "benchmarks": {
            "likelihood": {"kind": "beta-binomial"},
            "precision_covariates": ["log_flops"],
        },
    },
    "logit-normal": {
        "benchmarks": {
            "likelihood": {"kind": "logit-normal"},
            "precision_covariates": ["log_flops"],
        },
    },
    "contaminated Beta": {"benchmarks": {"likelihood": {"kind": "contaminated-beta"}}},
    "heavy-tailed Beta": {
        "benchmarks": {"likelihood": {"kind": "heavy-tailed-beta", "largest_weight": 0.5}}
    },
    "pooled benchmarks": {"benchmarks": {"pooled": True, "ceiling": "estimated"}},
    "student-t, one tail": {
        "benchmarks": {"likelihood": {"kind": "student-t"}, "precision_covariates": ["log_flops"]},
    },
    "student-t, a tail a benchmark": {
        "benchmarks": {"likelihood": {"kind": "student-t", "shared": False}},
    },
    "monotone": {
        "benchmarks": {
            "link": {"kind": "monotone"},
            "floor": "estimated",
            "ceiling": "estimated",
        },
    },
    "shared monotone": {"benchmarks": {"link": {"kind": "monotone", "knots": [0], "shared": True}}},
    "curvature": {
        "covariates": ["log_params", "log_tokens"],
        "terms": [{"kind": "curvature", "squares": ["log_params", "log_tokens"]}],
    },
    "levelling": {
        "covariates": ["log_params", "log_tokens", "log_params:log_tokens"],
        "terms": [{"kind": "levelling", "names": ["log_tokens", "log_params"]}],
    },
    "trend": {
        "covariates": ["log_params", "log_tokens"],
        "terms": [{"kind": "trend", "covariate": "log_params", "knots": 4}],
    },
    "trend as a random walk": {
        "covariates": ["log_flops"],
        "skills": {"count": 1, "identify": {"kind": "free"}},
        "terms": [
            {"kind": "trend", "covariate": "log_flops", "shape": "random-walk", "beyond": 0.5}
        ],
    },
    "slopes of families, spreads by covariate": {
        "covariates": ["log_params", "log_tokens"],
        "benchmarks": {
            "family_slopes": ["log_tokens", "log_params"],
            "family_slope_spreads": "by-covariate",
        },
    },
    "only benchmark curves, pooled families": {
        "skills": {"count": 0},
        "benchmarks": {"slopes": ["log_flops"], "family_effect": True},
    },
}


def by_scipy(spec: ModelSpec, values, score: np.ndarray) -> np.ndarray:
    """Return log densities of the cells' scores as scipy gives them, per unit of score."""
    mean, phi = values.mean, values.phi
    kind = spec.benchmarks.likelihood.kind
    if kind == "beta":
        return stats.beta(mean * phi, (1 - mean) * phi).logpdf(score)
    if kind == "beta-binomial":
        items = values.design.scores.dataset["n_items"].values[values.design.benchmark_of_cell]
        raw = values.design.scores.dataset["score"].values
        at = raw[values.design.model_of_cell, values.design.benchmark_of_cell]
        count = np.rint(at * items)
        counts = stats.betabinom(items.astype(int), mean * phi, (1 - mean) * phi)
        return counts.logpmf(count) + np.log(items)
    z = (logit(score) - logit(mean)) * np.sqrt(phi) / 2
    scale = np.log(np.sqrt(phi) / 2) - np.log(score * (1 - score))
    if kind == "logit-normal":
        return stats.norm.logpdf(z) + scale
    if kind == "contaminated-beta":
        share, ratio = (
            values.natural[name].values[:, None]
            for name in ("outlier_share", "outlier_precision_ratio")
        )
        usual, wide = (stats.beta(mean * p, (1 - mean) * p).pdf(score) for p in (phi, ratio * phi))
        return np.log((1 - share) * usual + share * wide)
    if kind == "heavy-tailed-beta":
        largest = spec.benchmarks.likelihood.largest_weight
        weight = largest * values.natural["tail_weight"].values[:, None]
        shares = (1 - weight, weight * (1 - weight), weight**2)
        parts = (stats.beta(mean * p, (1 - mean) * p).pdf(score) for p in (phi, phi / 9, phi / 81))
        return np.log(sum(share * part for share, part in zip(shares, parts, strict=True)))
    tail = values.natural["tail"].values
    tail = tail[:, None] if tail.ndim == 1 else tail[:, values.design.benchmark_of_cell]
    return stats.t.logpdf(z, tail) + scale


def check(spec: ModelSpec, values) -> None:
    """Compare PyMC's likelihood and means with the package's, and with scipy."""
    fit = values.as_fit(spec)
    theirs = values.score_logp
    ours = fit.tree["log_likelihood"]["score"].values[0]
    assert ours.shape == theirs.shape == (len(theirs), fit.scores.n_observed)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    score = values.design.score_of_cell
    np.testing.assert_allclose(theirs, by_scipy(spec, values, score), rtol=1e-5, atol=1e-4)
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    forecast = ls.predict(fit, rows)
    at = forecast.mean_draws.transpose("sample", "model", "benchmark").values
    cells = at[:, values.design.model_of_cell, values.design.benchmark_of_cell]
    np.testing.assert_allclose(cells, values.mean, rtol=1e-7, atol=1e-9)
    assert np.ptp(cells, axis=0).max() > 1e-3  # the points differ, so the test has power


@pytest.mark.filterwarnings("ignore:Rows to forecast were read")  # one family in two lineages
@pytest.mark.parametrize("name", FOR_SIZES)
def test_a_shipped_spec_has_one_likelihood(name: str, evaluated) -> None:
    # Draws with open ceilings use other curves in forecasts than in the density.
    spec = ls.load_spec(name).with_({"benchmarks.ceiling_open": 0.0})
    check(spec, evaluated(spec))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_has_one_likelihood(name: str, evaluated, small_scores: Scores) -> None:
    spec = spec_from_dict({"name": name, **VARIANTS[name]})
    check(spec, evaluated(spec, small_scores))


def test_every_term_at_once_has_one_likelihood(
    everything_spec: ModelSpec, evaluated, small_scores: Scores
) -> None:
    values = evaluated(everything_spec, small_scores)
    assert len(values.natural.data_vars) > 20
    check(everything_spec, values)


def test_the_comparison_would_notice_another_parameter(
    everything_spec: ModelSpec, evaluated, small_scores: Scores
) -> None:
    values = evaluated(everything_spec, small_scores)
    names = ("instruct_slope", "precision_slope", "family_slope", "family_benchmark_slope")
    for name in (*names, "ceiling", "link_power", "residual", "benchmark_slope"):
        moved = values.natural.assign({name: values.natural[name] * 0.9})
        wrong = type(values)(**{**vars(values), "natural": moved})
        with pytest.raises(AssertionError):
            check(everything_spec, wrong)


def test_the_equations_of_the_paper_give_the_means_of_cai2025(evaluated) -> None:
    values = evaluated(ls.load_spec("cai2025"))
    n, d = values.natural, values.design
    alpha = n["family_skill"].transpose("draw", "family", "skill").values[:, d.family_of_model]
    beta = n["slope"].transpose("draw", "covariate", "skill").values
    loading = n["loading"].transpose("draw", "benchmark", "skill").values
    params = np.log(d.scores.dataset["params"].values)
    tokens = np.log(d.scores.dataset["tokens"].values)
    size, data = ((v - v.mean()) / v.std() for v in (params, tokens))
    x = np.stack([size, data, size * data], axis=1)
    theta = alpha + x @ beta
    eta = n["intercept"].values[:, None] + theta @ loading.transpose(0, 2, 1)
    floor = d.scores.dataset["floor"].values
    mean = floor + (1 - floor) / (1 + np.exp(-eta))
    cells = mean[:, d.model_of_cell, d.benchmark_of_cell]
    np.testing.assert_allclose(np.clip(cells, 1e-6, 1 - 1e-6), values.mean, rtol=1e-7)
    names = list(d.scores.benchmarks)
    for k, anchor in enumerate(("math_lvl5", "ifeval", "hellaswag", "bbh")):
        row = loading[:, names.index(anchor)]
        assert (row[:, k] > 0).all() and (np.delete(row, k, axis=1) == 0).all()
    factor = n["skill_cholesky"].transpose("draw", "skill", "skill_factor").values
    sigma = factor @ factor.transpose(0, 2, 1)
    np.testing.assert_allclose(np.einsum("nkk->nk", sigma), 1, atol=1e-9)
