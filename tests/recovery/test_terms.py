"""NUTS recovers the truth of each optional term behind a table simulated by numpy alone.

One curve per benchmark, eta = b + delta x, so that a fit takes seconds. Controls: the same check
fails for a shifted truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import expit, logit

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit

pytestmark = [
    pytest.mark.slow,
    # Noise puts a few scores far below a guessing floor, as it may.
    pytest.mark.filterwarnings("ignore:Scores were read"),
]

MODELS = 240
ITEMS = np.array([300, 500, 200])
NAMES = ("low", "middle", "high")
FLOOR = np.array([0.25, 0.0, 0.1])
INTERCEPT = np.array([-0.5, 0.3, 0.8])
SLOPE = np.array([1.8, 1.4, 2.2])
PHI = np.array([60.0, 120.0, 30.0])


@dataclass(frozen=True)
class Table:
    """Models along compute, without scores yet."""

    frame: pd.DataFrame
    x: np.ndarray
    eta: np.ndarray
    rng: np.random.Generator

    def scored(self, score: np.ndarray) -> Scores:
        frame = self.frame.assign(**{name: score[:, j] for j, name in enumerate(NAMES)})
        info = {
            name: ls.Benchmark(floor=float(c), n_items=int(n))
            for name, c, n in zip(NAMES, FLOOR, ITEMS, strict=True)
        }
        return Scores.from_frame(frame, benchmarks=info)


@pytest.fixture
def table() -> Table:
    rng = np.random.default_rng(21)
    params = np.exp(rng.uniform(np.log(0.2), np.log(90), MODELS))
    tokens = np.exp(rng.uniform(np.log(0.2), np.log(15), MODELS))
    frame = pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(MODELS)],
            "family": [f"f{i % 20}" for i in range(MODELS)],
            "params_b": params,
            "tokens_t": tokens,
        }
    )
    flops = np.log(params * tokens)
    x = (flops - flops.mean()) / flops.std()
    return Table(frame, x, INTERCEPT + x[:, None] * SLOPE, rng)


def fitted(scores: Scores, **benchmarks: object) -> Fit:
    spec = spec_from_dict(
        {
            "name": "one curve a benchmark",
            "skills": {"count": 0},
            "family": {"level": "none"},
            "benchmarks": {"slopes": ["log_flops"], **benchmarks},
            "priors": {
                "benchmark_slope": {"dist": "Normal", "mu": 0, "sigma": 2},
                "floor_shift": {"dist": "Normal", "mu": 0, "sigma": 0.5},
            },
        }
    )
    method = ls.NUTS(draws=300, tune=300, chains=2, cores=1)
    fit = ls.fit(spec, scores, method=method, seed=4, progress=False)
    assert fit.convergence().max_rhat < 1.05
    return fit


def missed(fit: Fit, truth: Mapping[str, np.ndarray]) -> list[str]:
    """Report which parameters are more than 3.5 posterior standard deviations off."""
    names = []
    for name, true in truth.items():
        draws = fit.samples[name].transpose("sample", ...).values
        z = (draws.mean(axis=0) - np.reshape(true, draws.shape[1:])) / draws.std(axis=0)
        if np.abs(z).max() > 3.5:
            names.append(f"{name}: {np.round(z, 1)}")
    return names


def check(fit: Fit, truth: Mapping[str, np.ndarray], moved: Mapping[str, np.ndarray]) -> None:
    assert missed(fit, truth) == []
    for name, wrong in moved.items():
        assert missed(fit, {name: wrong}), f"{name} would be found anywhere"


CURVE = {"intercept": INTERCEPT, "benchmark_slope": SLOPE}
CURVE_MOVED = {"intercept": INTERCEPT + 0.4, "benchmark_slope": SLOPE - 0.4}


def test_beta_binomial_with_precision_that_changes(table: Table) -> None:
    change = np.array([0.6, -0.4, 0.5])
    phi = PHI * np.exp(table.x[:, None] * change)
    mean = FLOOR + (1 - FLOOR) * expit(table.eta)
    rate = table.rng.beta(mean * phi, (1 - mean) * phi)
    scores = table.scored(table.rng.binomial(ITEMS, rate) / ITEMS)
    fit = fitted(scores, likelihood={"kind": "beta-binomial"}, precision_covariates=["log_flops"])
    truth = {**CURVE, "precision": PHI, "precision_slope": change}
    check(fit, truth, {**CURVE_MOVED, "precision": PHI * 2, "precision_slope": change + 0.8})


def test_logit_normal_with_floors_other_than_known(table: Table) -> None:
    floor = np.array([0.33, 0.0, 0.06])
    mu = floor + (1 - floor) * expit(table.eta)
    noise = table.rng.standard_normal(mu.shape) * 2 / np.sqrt(PHI)
    fit = fitted(
        table.scored(expit(logit(mu) + noise)),
        likelihood={"kind": "logit-normal"},
        floor="estimated",
    )
    shift = np.array([logit(0.33) - logit(0.25), 0.0, logit(0.06) - logit(0.1)])
    check(fit, {**CURVE, "precision": PHI, "floor_shift": shift}, {"floor_shift": -shift})
    drawn = fit.samples["floor"].transpose("sample", "benchmark").values
    assert np.abs(drawn.mean(axis=0) - floor).max() < 0.02
    assert (drawn[:, 1] == 0).all()


def test_student_t_on_the_logit(table: Table) -> None:
    mu = FLOOR + (1 - FLOOR) * expit(table.eta)
    noise = table.rng.standard_t(3.0, mu.shape) * 2 / np.sqrt(PHI)
    scores = table.scored(np.clip(expit(logit(mu) + noise), 1e-4, 1 - 1e-4))
    fit = fitted(scores, likelihood={"kind": "student-t"})
    truth = {**CURVE, "precision": PHI, "tail": np.array(3.0)}
    check(fit, truth, {**CURVE_MOVED, "precision": PHI / 2, "tail": np.array(12.0)})


def test_a_monotone_link(table: Table) -> None:
    knots = np.array([-3.0, -1.0, 1.0, 3.0])
    pieces = np.array([0.4, 1.0, 1.0, 0.25, 0.25])

    def slope(eta: float) -> float:
        steps = expit((eta - knots) / 0.5)
        return float(pieces @ (np.append(1.0, steps) - np.append(steps, 0.0)))

    def curve(eta: float) -> float:
        return quad(slope, 0, eta)[0] / slope(0.0)

    mean = FLOOR + (1 - FLOOR) * expit(np.vectorize(curve)(table.eta))
    scores = table.scored(table.rng.beta(mean * PHI, (1 - mean) * PHI))
    fit = fitted(scores, link={"kind": "monotone", "shared": True})
    free = np.delete(pieces, 2)
    check(fit, {**CURVE, "link_slope": free, "precision": PHI}, {"link_slope": np.ones(4)})
    rows = fit.scores.to_frame().drop(columns=list(NAMES))
    fitted_scores = (
        ls.predict(fit, rows).mean_draws.transpose("sample", "model", "benchmark").values
    )
    assert np.abs(fitted_scores.mean(axis=0) - mean).mean() < 0.01
    low, high = np.quantile(fitted_scores, [0.05, 0.95], axis=0)
    assert 0.75 < ((mean >= low) & (mean <= high)).mean() <= 1


def test_free_loadings_of_fixed_families_forecast(known) -> None:
    """Loadings rotate between chains; expected scores do not change."""
    shipped = ls.load_spec("sloth").to_dict()
    document = {
        **shipped,
        "covariates": ["log_flops"],
        "skills": {**shipped["skills"], "count": 2},
        "benchmarks": {**shipped["benchmarks"], "instruct": {"shift": True}},
    }
    method = ls.NUTS(draws=300, tune=400, chains=2, cores=2)
    fit = ls.fit(spec_from_dict(document), known.scores, method=method, seed=4, progress=False)
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    mean = ls.predict(fit, rows).mean_draws
    true = known.truth["expected_score"]
    assert float(abs(mean.mean("sample") - true).mean()) < 0.02
    low, high = mean.quantile([0.05, 0.95], "sample")
    assert 0.8 < float(((true >= low) & (true <= high)).mean()) < 0.97
    halves = [mean.isel(sample=part).mean("sample") for part in (slice(300), slice(300, None))]
    assert float(abs(halves[0] - halves[1]).max()) < 0.03


def test_spreads_of_families_slopes_differ_by_covariate(table: Table) -> None:
    spread = np.array([[0.9, 0.15], [0.15, 0.9], [0.5, 0.5]])
    x = np.log(table.frame[["params_b", "tokens_t"]].to_numpy())
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    family = np.arange(MODELS) % 60  # four models each, to keep chains fast
    own = table.rng.standard_normal((60, *spread.shape)) * spread
    own -= own.mean(axis=0)
    slope = np.stack([SLOPE / 2, SLOPE / 3], axis=1)
    eta = INTERCEPT + np.einsum("mc,mjc->mj", x, slope + own[family])
    mean = FLOOR + (1 - FLOOR) * expit(eta)
    table.frame["family"] = [f"f{number}" for number in family]
    scores = table.scored(table.rng.beta(mean * PHI, (1 - mean) * PHI))
    names = ["log_params", "log_tokens"]
    spec = spec_from_dict(
        {
            "name": "spreads by covariate",
            "covariates": names,
            "skills": {"count": 0},
            "family": {"level": "partial"},
            "benchmarks": {
                "slopes": names,
                "family_slopes": names,
                "family_slope_spreads": "by-covariate",
            },
            "priors": {"family_benchmark_slope_scale": {"dist": "HalfNormal", "sigma": 1.0}},
        }
    )
    method = ls.NUTS(draws=400, tune=500, chains=2, cores=1)
    fit = ls.fit(spec, scores, method=method, seed=4, progress=False)
    assert fit.convergence().max_rhat < 1.1
    truth = {"family_benchmark_slope_scale": spread, "benchmark_slope": slope}
    moved = {"family_benchmark_slope_scale": spread[:, ::-1], "benchmark_slope": slope[:, ::-1]}
    check(fit, truth, moved)
