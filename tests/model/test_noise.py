"""Likelihoods compared with scipy: densities, draws, and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit, logit

import latentscale as ls
from latentscale.data.scaling import CENTRE, STEP
from latentscale.declare import ModelSpec, spec_from_dict, spec_from_json
from latentscale.declare.likelihood import Noise, NormalNoise
from latentscale.errors import SpecError
from latentscale.model.likelihoods.beta import BetaNoise
from latentscale.model.likelihoods.beta_binomial import BetaBinomialNoise
from latentscale.model.likelihoods.logit_normal import LogitNormalNoise
from latentscale.model.likelihoods.student_t import RealStudentTNoise, StudentTNoise
from latentscale.model.noise import MixedNoise, SampledNoise, without_mean
from latentscale.model.scaled import CODE, on_own_scale, unbounded_scales

KINDS = ("beta", "beta-binomial", "logit-normal", "student-t")
ITEMS = xr.DataArray([40.0, 200.0, 1000.0], dims="benchmark")
NOISE: dict[str, Noise] = {
    "beta": BetaNoise(),
    "beta-binomial": BetaBinomialNoise(ITEMS),
    "logit-normal": LogitNormalNoise(),
    "student-t": StudentTNoise(xr.DataArray([2.5, 6.0, 40.0], dims="benchmark")),
}


def frozen(kind: str, mean: float, phi: float, place: int):
    """Return scipy's distribution of the score (of the logit; of the count)."""
    if kind == "beta":
        return stats.beta(mean * phi, (1 - mean) * phi)
    if kind == "beta-binomial":
        return stats.betabinom(int(ITEMS[place]), mean * phi, (1 - mean) * phi)
    scale = 2 / np.sqrt(phi)
    if kind == "logit-normal":
        return stats.norm(logit(mean), scale)
    return stats.t(float(NOISE[kind].tail[place]), logit(mean), scale)  # type: ignore[attr-defined]


def by_scipy(kind: str, score: float, mean: float, phi: float, place: int) -> float:
    """Return the log density per unit of score."""
    noise = frozen(kind, mean, phi, place)
    if kind == "beta":
        return float(noise.logpdf(score))
    if kind == "beta-binomial":
        items = int(ITEMS[place])
        return float(noise.logpmf(round(score * items)) + np.log(items))
    return float(noise.logpdf(logit(score)) - np.log(score * (1 - score)))


@pytest.mark.parametrize("kind", KINDS)
def test_log_density_is_scipys(kind: str) -> None:
    rng = np.random.default_rng(0)
    items = ITEMS.values.astype(int)
    score = xr.DataArray(rng.integers(1, items, (4, 3)) / items, dims=("model", "benchmark"))
    mean = xr.DataArray(rng.uniform(0.01, 0.99, (2, 4, 3)), dims=("sample", "model", "benchmark"))
    phi = xr.DataArray(rng.lognormal(4, 1, (2, 3)), dims=("sample", "benchmark"))
    density = NOISE[kind].log_density(score, mean, phi).transpose(*mean.dims)
    for s, i, j in np.ndindex(2, 4, 3):
        at = (float(score[i, j]), float(mean[s, i, j]), float(phi[s, j]), j)
        assert float(density[s, i, j]) == pytest.approx(by_scipy(kind, *at), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("kind", ["beta", "logit-normal", "student-t"])
def test_a_density_integrates_to_one(kind: str) -> None:
    mean, phi = xr.DataArray([0.3], dims="benchmark"), xr.DataArray([20.0], dims="benchmark")
    noise = NOISE[kind]
    noise = noise.at({"benchmark": slice(0, 1)})

    def density(z: float) -> float:  # of the logit z, where no end is steep
        score = xr.DataArray([expit(z)], dims="benchmark")
        flat = expit(z) * expit(-z)
        return float(np.exp(noise.log_density(score, mean, phi)).item() * flat)

    area = quad(density, -30, 30, points=[-3, -1, 0, 2], limit=200)[0]
    assert area == pytest.approx(1, abs=1e-3 if kind == "student-t" else 1e-7)


def test_the_mass_of_counts_is_a_density_of_scores() -> None:
    score = xr.DataArray(np.arange(41) / 40, dims="model")
    mean, phi = xr.DataArray(0.3), xr.DataArray(9.0)
    noise = BetaBinomialNoise(xr.DataArray(40.0))
    density = np.exp(noise.log_density(score, mean, phi))
    assert float(density.sum()) / 40 == pytest.approx(1, rel=1e-10)
    # With many items it equals the Beta's density, so log scores of the two are comparable.
    many = BetaBinomialNoise(xr.DataArray(1e6)).log_density(xr.DataArray(0.4), mean, phi)
    assert float(many) == pytest.approx(stats.beta(2.7, 6.3).logpdf(0.4), abs=1e-3)


def test_scores_pulled_inside_count_as_none_and_all() -> None:
    for items in (2.0, 3.0, 7.0, 500.0, 14042.0):
        half = 0.5 / items
        score = xr.DataArray([0.0, half, 1 - half, 1.0], dims="model")
        noise = BetaBinomialNoise(xr.DataArray(items))
        density = noise.log_density(score, xr.DataArray(0.2), xr.DataArray(5.0)).values
        assert density[0] == pytest.approx(density[1]) and density[2] == pytest.approx(density[3])
        assert density[0] != pytest.approx(density[3])
    nearest = BetaBinomialNoise(xr.DataArray(10.0))
    near = xr.DataArray([0.32, 0.3, 0.28], dims="model")
    density = nearest.log_density(near, xr.DataArray(0.2), xr.DataArray(5.0)).values
    assert np.ptp(density) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_unmeasured_score_has_no_density(kind: str) -> None:
    score = xr.DataArray([np.nan, 0.5, 0.5], dims="benchmark")
    density = NOISE[kind].log_density(score, xr.DataArray(0.4), xr.DataArray(9.0))
    assert np.isnan(density[0]) and np.isfinite(density[1:]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_scores_follow_scipys_distribution(kind: str) -> None:
    size = 20_000
    mean = xr.DataArray([0.05, 0.5, 0.9], dims="benchmark").expand_dims(sample=size)
    phi = xr.DataArray([20.0, 5.0, 200.0], dims="benchmark")
    drawn = NOISE[kind].draw(mean, phi, np.random.default_rng(1))
    assert drawn.dims == mean.dims and drawn.shape == mean.shape
    assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1
    for j in range(3):
        noise = frozen(kind, float(mean[0, j]), float(phi[j]), j)
        values = drawn[:, j].values
        if kind == "beta-binomial":
            counts = np.rint(values * float(ITEMS[j]))
            np.testing.assert_allclose(counts, values * float(ITEMS[j]), atol=1e-9)
            error = (counts.mean() - noise.mean()) / (noise.std() / np.sqrt(size))
            assert abs(error) < 4
            assert counts.std() == pytest.approx(noise.std(), rel=0.03)
        else:
            at = values if kind == "beta" else logit(np.clip(values, 1e-300, 1 - 1e-16))
            assert stats.kstest(at, noise.cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", ["logit-normal", "student-t"])
def test_mu_is_the_median_on_the_logit_scale(kind: str) -> None:
    mean = xr.DataArray([0.1], dims="benchmark").expand_dims(sample=40_000)
    noise = NOISE[kind].at({"benchmark": slice(0, 1)})
    drawn = noise.draw(mean, xr.DataArray([4.0], dims="benchmark"), np.random.default_rng(2))
    assert float((drawn < 0.1).mean()) == pytest.approx(0.5, abs=0.01)
    assert float(drawn.mean()) > 0.12  # so it is not the mean


def test_one_phi_is_one_spread_at_the_middle() -> None:
    phi, mean = xr.DataArray(400.0), xr.DataArray(np.full(100_000, 0.5), dims="sample")
    noises = [BetaNoise(), LogitNormalNoise(), StudentTNoise(xr.DataArray(500.0))]
    noises.append(BetaBinomialNoise(xr.DataArray(1e7)))
    spread = [float(n.draw(mean, phi, np.random.default_rng(4)).std()) for n in noises]
    np.testing.assert_allclose(spread, 0.5 / np.sqrt(401), rtol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_scores_follow_dims_by_name_not_by_place(kind: str) -> None:
    mean = xr.DataArray(np.full((2, 3), 0.5), dims=("model", "benchmark")).expand_dims(sample=4000)
    phi = xr.DataArray([[2.0] * 3, [2000.0] * 3], dims=("model", "benchmark")).transpose()
    spread = NOISE[kind].draw(mean, phi, np.random.default_rng(2)).std("sample")
    wide, narrow = spread.isel(model=0), spread.isel(model=1)
    assert (wide > (2 if kind == "beta-binomial" else 5) * narrow).all()


def spec_of(kind: str, **more: object) -> ModelSpec:
    likelihood = {"kind": kind, **more}
    return spec_from_dict(
        {
            "name": kind,
            "skills": {"count": 0},
            "family": {"level": "none"},
            "benchmarks": {"slopes": ["log_flops"], "likelihood": likelihood},
        }
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_likelihood_survives_json(kind: str) -> None:
    spec = spec_of(kind)
    again = spec_from_json(spec.to_json())
    assert again == spec and again.benchmarks.likelihood.kind == kind and kind in str(spec)
    others = {spec_of(other).digest for other in KINDS if other != kind}
    assert spec.digest not in others and len(others) == 3
    if kind == "student-t":
        assert spec_of(kind, shared=False).digest != spec.digest


def test_a_misspelt_likelihood_is_refused() -> None:
    with pytest.raises(SpecError, match=r'likelihood.kind.*Did you mean "beta-binomial"'):
        spec_of("betabinomial")
    with pytest.raises(SpecError, match='likelihood: unknown key "tail"'):
        spec_of("student-t", tail=4)
    with pytest.raises(SpecError, match="likelihood must be a table"):
        spec_from_dict({"name": "x", "benchmarks": {"likelihood": "beta"}})


def test_counts_need_item_counts(known) -> None:
    frame: pd.DataFrame = known.frame
    info = {"alpha": ls.Benchmark(n_items=100), "zeta": ls.Benchmark(n_items=50)}
    scores = ls.Scores.from_frame(frame, benchmarks=info)
    with pytest.raises(SpecError) as caught:
        ls.build(spec_of("beta-binomial"), scores)
    for said in ('"beta-binomial"', "n_items", "beta", "gamma", "epsilon", "Benchmark("):
        assert said in str(caught.value)
    assert "alpha" not in str(caught.value) and "zeta" not in str(caught.value)
    ls.build(spec_of("beta-binomial"), scores.select(benchmarks=["alpha", "zeta"]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_simulated_table_has_the_likelihoods_noise(kind: str, known) -> None:
    """Probability integral transforms of simulated scores under the truth are uniform."""
    spec = spec_of(kind).with_priors({"precision": {"dist": "LogNormal", "mu": 4, "sigma": 0.3}})
    simulation = ls.simulate(spec, known.scores, seed=2)
    data, truth = simulation.scores.dataset, simulation.truth
    flops = np.log(6e21 * data["params"].values * data["tokens"].values)
    x = (flops - flops.mean()) / flops.std()
    eta = truth["intercept"].values + x[:, None] * truth["benchmark_slope"].values[:, 0]
    floor = data["floor"].values
    mu = floor + (1 - floor) * expit(eta)
    phi = truth["precision"].values
    score = data["score"].transpose("model", "benchmark").values
    inner = ~np.isnan(score) & (mu > 0.02) & (mu < 0.98)
    rng = np.random.default_rng(3)
    if kind == "beta":
        u = stats.beta(mu * phi, (1 - mu) * phi).cdf(score)
    elif kind == "beta-binomial":
        counts = np.rint(np.nan_to_num(score) * 500)
        noise = stats.betabinom(500, mu * phi, (1 - mu) * phi)
        u = noise.cdf(counts) - rng.random(score.shape) * noise.pmf(counts)
    else:
        z = (logit(score) - logit(mu)) * np.sqrt(phi) / 2
        u = stats.norm.cdf(z) if kind == "logit-normal" else stats.t(float(truth["tail"])).cdf(z)
    assert inner.sum() > 300
    assert stats.kstest(u[inner], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_and_log_scores_use_the_likelihood(kind: str, known, prior_fit) -> None:
    fit = prior_fit(spec_of(kind), known.scores, draws=40)
    rows = known.frame[["model", "family", "lineage", "instruct", "params_b", "tokens_t"]].head(4)
    forecast = ls.predict(fit, rows, seed=3)
    truth = known.scores.dataset["score"].isel(model=slice(4))
    log_score = forecast.log_score(truth)
    samples = fit.samples
    phi = samples["precision"].transpose("sample", "benchmark").values
    mean = forecast.mean_draws.transpose("sample", "model", "benchmark").values
    i, j = 1, 4
    y = float(truth.transpose("model", "benchmark")[i, j])
    items = {"beta-binomial": 500}
    densities = []
    for s in range(len(phi)):
        m, p = mean[s, i, j], phi[s, j]
        if kind in ("beta", "beta-binomial"):
            a, b = m * p, (1 - m) * p
            counts = kind in items
            density = (
                stats.betabinom(500, a, b).pmf(round(y * 500)) * 500
                if counts
                else stats.beta(a, b).pdf(y)
            )
        else:
            z = (logit(y) - logit(m)) * np.sqrt(p) / 2
            flat = np.sqrt(p) / 2 / (y * (1 - y))
            noise = stats.norm if kind == "logit-normal" else stats.t(float(samples["tail"][s]))
            density = noise.pdf(z) * flat
        densities.append(density)
    wanted = np.log(np.mean(densities))
    assert float(log_score.transpose("model", "benchmark")[i, j]) == pytest.approx(wanted, rel=1e-7)
    if kind == "beta-binomial":
        scaled = forecast.draws.values * 500
        np.testing.assert_allclose(scaled, np.rint(scaled), atol=1e-9)


@pytest.mark.parametrize("noise", [NormalNoise(), RealStudentTNoise(xr.DataArray(4.0))], ids=str)
def test_sampling_adds_to_the_squared_scale_of_scores_without_bounds(noise: Noise) -> None:
    """A scale 2 / sqrt(phi) whose square is 4 / phi + s: variances of two errors add."""
    middle = xr.DataArray(0.7)
    together = noise.sampled(xr.DataArray(50.0), middle, xr.DataArray(0.03))
    assert 4 / float(together) == pytest.approx(4 / 50 + 0.03)
    known = SampledNoise(noise, xr.DataArray(0.02))
    again = known.sampled(xr.DataArray(50.0), middle, xr.DataArray(0.03))
    assert 4 / float(again) == pytest.approx(4 / 50 + 0.02 + 0.03)


def test_sampling_is_added_to_the_noise_of_each_scale() -> None:
    """Variances add: for fractions m (1 - m) / (1 + phi) and m (1 - m) / n; for others, 4 / phi."""
    scale = xr.DataArray([0.0, 1.0], dims="benchmark")
    noise = MixedNoise(
        BetaNoise(), NormalNoise(), scale, xr.DataArray([1.0, 80.0], dims="benchmark")
    )
    mean, phi = (xr.DataArray(values, dims="benchmark") for values in ([0.3, 1250.0], [30.0, 50.0]))
    both = noise.sampled(phi, mean, xr.DataArray([1 / 40, 0.02], dims="benchmark")).values
    # Binomial given a rate: E m (1 - m) / n is the variance at the mean minus the rate's share.
    share = 1 / 31 + (1 - 1 / 31) / 40
    assert 1 / (1 + both[0]) == pytest.approx(share)
    assert 4 / both[1] == pytest.approx(4 / 50 + 0.02)


def test_scores_without_a_mean_are_exponentials_of_heavy_tails() -> None:
    kinds = [kind for kind, _ in unbounded_scales()]
    names = ["accuracy", "minutes", "elo"]
    code = xr.DataArray(
        [0.0, kinds.index("positive") + 1.0, kinds.index("real") + 1.0],
        {"benchmark": names},
        ("benchmark",),
    )
    heavy = RealStudentTNoise(xr.DataArray(4.0))
    wanted: list[tuple[Noise, tuple[str, ...]]] = [(NormalNoise(), ()), (heavy, ("minutes",))]
    for other, missing in wanted:
        noise = MixedNoise(BetaNoise(), other, code, xr.ones_like(code))
        assert without_mean(noise) == missing
        assert without_mean(SampledNoise(noise, xr.DataArray(0.02))) == missing
        by_sample = code.expand_dims(sample=3)  # as in a mixture of fits
        assert without_mean(MixedNoise(BetaNoise(), other, by_sample, by_sample)) == missing
    assert without_mean(BetaNoise()) == ()


@pytest.mark.parametrize("kind", ["logit-normal", "student-t"])
def test_sampling_of_items_near_an_end_is_that_at_half_an_item(kind: str) -> None:
    """On the logit scale 1 / (n m (1 - m)) is added, m no nearer to 0 and 1 than 1 / (2 n)."""
    items, half = 50, 0.01
    for mean, at in ((1e-6, half), (0.004, half), (0.3, 0.3), (1 - 1e-6, half)):
        both = NOISE[kind].sampled(xr.DataArray(40.0), xr.DataArray(mean), xr.DataArray(1 / items))
        assert 4 / float(both) == pytest.approx(4 / 40 + 1 / (items * at * (1 - at)))


def test_counts_have_the_sampling_of_items_already() -> None:
    phi, mean = xr.DataArray(37.0), xr.DataArray(0.3)
    assert NOISE["beta-binomial"].sampled(phi, mean, xr.DataArray(0.02)) is phi


def test_a_score_of_a_single_item_is_no_count(known) -> None:
    long = known.frame.head(6)[["model", "family", "params_b", "tokens_t", "alpha"]]
    long = long.rename(columns={"alpha": "score"}).assign(benchmark="alpha", n_items=[1] + [40] * 5)
    scores = ls.Scores.from_long(long, benchmarks={"alpha": ls.Benchmark(n_items=40)})
    with pytest.raises(SpecError, match="number of items"):
        ls.build(spec_of("beta-binomial"), scores)


def test_expected_scores_without_bounds_go_as_far_as_the_predictor() -> None:
    """Twenty standard deviations from the centre, as in a forecast far ahead."""
    kinds = [kind for kind, _ in unbounded_scales()]
    names = ("fraction", "real", "positive")
    code = [0.0, kinds.index("real") + 1.0, kinds.index("positive") + 1.0]
    numbers = {CODE: code, CENTRE: [0.0, 1200.0, 2.0], STEP: [1.0, 80.0, -0.5]}
    values = {name: xr.DataArray(row, dims="benchmark") for name, row in numbers.items()}
    eta = xr.DataArray([-20.0, 0.5, 20.0], dims="model")
    score = on_own_scale(values, expit(eta), eta).transpose("benchmark", "model")
    wanted = [expit(eta), 1200 + 80 * eta, np.exp(2 - 0.5 * eta)]
    for row, own, name in zip(score.values, wanted, names, strict=True):
        np.testing.assert_allclose(row, own, rtol=1e-12, err_msg=name)
