"""Optimal allocation, compared with the closed form of the translog case and with forecasts."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.optimize import minimize_scalar

import latentscale as ls
from latentscale.analysis.choices.allocate import Allocation
from latentscale.analysis.choices.maximise import highest_by_search, highest_of_quadratic, quadratic
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError, LatentscaleError, SpecError
from latentscale.posterior.fit import Fit

TRANSLOG = ("log_params", "log_tokens", "log_params:log_tokens")
BUDGETS = (1e22, 1e23)


@pytest.fixture(scope="module")
def translog(small_scores, prior_fit) -> Fit:
    spec = ls.ModelSpec(
        name="translog",
        covariates=TRANSLOG,
        skills={"count": 2, "identify": {"kind": "anchored", "anchors": ["alpha", "delta"]}},
    )
    return prior_fit(spec, small_scores, draws=80)


@pytest.fixture(scope="module")
def everything(everything_spec, small_scores, prior_fit) -> Fit:
    return prior_fit(everything_spec, small_scores, draws=40)


def ends(fit: Fit, budget: float) -> tuple[float, float]:
    """Return the range of log N that the budget leaves, by hand."""
    data = fit.scores.dataset
    volume = budget / 6e21
    low = max(data["params"].min(), volume / data["tokens"].max())
    high = min(data["params"].max(), volume / data["tokens"].min())
    return float(np.log(low)), float(np.log(high))


def closed_form(fit: Fit, slopes: np.ndarray, budget: float) -> np.ndarray:
    """Return log N that maximises the translog, from its slopes (sample, covariate).

    With n = (log N - m1) / s1, d = (log D - m2) / s2 and log D = k - log N, the objective
    b1 n + b2 d + b3 n d is quadratic in log N.
    """
    mean, scale = fit.transform.mean, fit.transform.scale
    m1, m2 = mean["log_params"], mean["log_tokens"]
    s1, s2 = scale["log_params"], scale["log_tokens"]
    k = np.log(budget / 6e21)
    b1, b2, b3 = slopes.T
    bend = -b3 / (s1 * s2)
    tilt = b1 / s1 - b2 / s2 + b3 * (k - m2 + m1) / (s1 * s2)
    low, high = ends(fit, budget)
    vertex = np.clip(-tilt / (2 * bend), low, high)

    def height(t: np.ndarray | float) -> np.ndarray:
        return tilt * t + bend * t**2

    end = np.where(height(high) >= height(low), high, low)
    return np.where(bend < 0, vertex, end)


def test_the_optimum_of_a_skill_is_the_translogs_closed_form(translog: Fit) -> None:
    allocation = ls.optimal_allocation(
        translog, flops=BUDGETS, target=ls.studies.Target.skill("delta")
    )
    slopes = translog.samples["slope"].sel(skill="delta", covariate=list(TRANSLOG)).values
    for budget in BUDGETS:
        draws = allocation.draws.sel(flops=budget, target="skill delta")
        wanted = closed_form(translog, slopes, budget)
        np.testing.assert_allclose(np.log(draws["params"]), wanted, rtol=0, atol=1e-8)
        np.testing.assert_allclose(6e21 * draws["params"] * draws["tokens"], budget)
        inside = (wanted > ends(translog, budget)[0]) & (wanted < ends(translog, budget)[1])
        assert inside.any() and not inside.all()
        np.testing.assert_array_equal(draws["bound"] == 0, inside)


def test_the_optimum_of_a_score_is_that_of_its_linear_predictor(translog: Fit) -> None:
    allocation = ls.optimal_allocation(translog, flops=1e23, target="beta")
    loading = translog.samples["loading"].sel(benchmark="beta")
    slopes = (translog.samples["slope"] * loading).sum("skill").sel(covariate=list(TRANSLOG))
    wanted = closed_form(translog, slopes.transpose("sample", ...).values, 1e23)
    got = np.log(allocation.draws["params"].isel(flops=0, target=0))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-8)


def test_no_split_of_the_budget_forecasts_more(everything: Fit) -> None:
    """With every term at once: family slopes, instruct slopes, link power, ceilings."""
    allocation = ls.optimal_allocation(everything, flops=1e23, family="fam03", instruct=True)
    low, high = ends(everything, 1e23)
    size = np.exp(np.linspace(low, high, 41))
    rows = pd.DataFrame(
        {
            "model": [f"p{i}" for i in range(41)],
            "family": "fam03",
            "params_b": size,
            "tokens_t": 1e23 / 6e21 / size,
            "instruct": 1,
        }
    )
    still = everything.tree.copy()
    posterior = still["posterior"].to_dataset()
    posterior["residual_scale"] = 0 * posterior["residual_scale"]
    still["posterior"] = xr.DataTree(posterior)
    flat = replace(everything, tree=still)
    reached = ls.predict(flat, rows).mean_draws.max("model")
    for benchmark in everything.scores.benchmarks:
        best = allocation.draws["value"].sel(target=benchmark, flops=1e23)
        assert (best >= reached.sel(benchmark=benchmark) - 1e-9).all()
        assert (best <= reached.sel(benchmark=benchmark) + 0.01).all()


def test_a_weighted_set_is_maximised_draw_by_draw(translog: Fit) -> None:
    weights = {"alpha": 1.0, "beta": 2.0, "gamma": 0.5}
    target = ls.studies.Target.benchmarks(weights, label="mix")
    allocation = ls.optimal_allocation(translog, flops=1e23, target=target)
    low, high = ends(translog, 1e23)
    draws, samples = allocation.draws.sel(target="mix", flops=1e23), translog.samples
    transform = translog.transform
    floor = translog.scores.dataset["floor"]

    def value(log_params: float, sample: int) -> float:
        one = samples.isel(sample=sample)
        n = (log_params - transform.mean["log_params"]) / transform.scale["log_params"]
        log_tokens = np.log(1e23 / 6e21) - log_params
        d = (log_tokens - transform.mean["log_tokens"]) / transform.scale["log_tokens"]
        x = xr.DataArray([n, d, n * d], dims="covariate", coords={"covariate": list(TRANSLOG)})
        theta = (one["slope"] * x).sum("covariate") + one["family_skill"].mean("family")
        eta = one["intercept"] + (one["loading"] * theta).sum("skill")
        score = (floor + (1 - floor) / (1 + np.exp(-eta))).clip(1e-6, 1 - 1e-6)  # as the model
        return sum(w * float(score.sel(benchmark=b)) for b, w in weights.items()) / 3.5

    for sample in range(12):
        got = value(float(np.log(draws["params"][sample])), sample)
        assert got == pytest.approx(float(draws["value"][sample]), abs=1e-9)
        grid = [value(t, sample) for t in np.linspace(low, high, 33)]
        near = np.linspace(low, high, 33)[int(np.argmax(grid))]
        step = (high - low) / 32
        hill = minimize_scalar(
            lambda t, s=sample: -value(t, s),
            bounds=(max(low, near - step), min(high, near + step)),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert got >= max(-hill.fun, *grid) - 1e-9


def test_the_choice_maximises_the_posterior_mean(translog: Fit) -> None:
    allocation = ls.optimal_allocation(
        translog, flops=1e23, target=["beta", ls.studies.Target.skill("alpha")]
    )
    slopes = translog.samples["slope"].sel(skill="alpha", covariate=list(TRANSLOG))
    wanted = closed_form(translog, slopes.mean("sample").values[None], 1e23)
    choice = allocation.choice.sel(flops=1e23)
    assert np.log(choice["params"].sel(target="skill alpha")) == pytest.approx(wanted[0], abs=1e-8)
    assert 6e21 * float(choice["params"][0] * choice["tokens"][0]) == pytest.approx(1e23)
    low, high = ends(translog, 1e23)
    sizes = np.exp(np.linspace(low, high, 9))
    means = []
    for size in sizes:
        fixed = ls.optimal_allocation(
            translog, flops=1e23, target="beta", params=(size * 0.999999, size * 1.000001)
        )
        means.append(float(fixed.choice["value"][0, 0]))
    assert float(choice["value"].sel(target="beta")) >= max(means) - 1e-6
    assert float(choice["value"].sel(target="beta")) <= max(means) + 0.02


def test_size_alone_and_tokens_alone_put_every_optimum_on_a_bound(small_scores, prior_fit) -> None:
    spec = ls.ModelSpec(name="linear", covariates=("log_params", "log_tokens"))
    fit = prior_fit(spec, small_scores)
    allocation = ls.optimal_allocation(fit, flops=1e23, target="beta")
    loading = fit.samples["loading"].sel(benchmark="beta")
    slope = (fit.samples["slope"] * loading).sum("skill")
    scale = fit.transform.scale
    grows = (
        slope.sel(covariate="log_params") / scale["log_params"]
        > slope.sel(covariate="log_tokens") / scale["log_tokens"]
    )
    low, high = ends(fit, 1e23)
    got = np.log(allocation.draws["params"].isel(target=0, flops=0))
    np.testing.assert_allclose(got, np.where(grows, high, low), atol=1e-9)
    row = allocation.table().iloc[0]
    assert row["on_bound"] == 1.0
    often = float(grows.mean())
    part = allocation.segments[0]
    assert row["bound"] == (part.high_bound if often > 0.5 else part.low_bound)


def test_the_table_holds_quantiles_and_probabilities(translog: Fit) -> None:
    allocation = ls.optimal_allocation(translog, flops=BUDGETS)
    table = allocation.table(0.8)
    labels = ["skill alpha", "skill delta", "alpha", "beta", "gamma", "delta"]
    assert list(table["target"].unique()) == labels and len(table) == 12
    assert set(table["kind"]) == {"skill", "score"}
    row = table[(table["target"] == "gamma") & (table["flops"] == 1e22)].iloc[0]
    draws = allocation.draws.sel(target="gamma", flops=1e22)
    for name in ("params", "tokens", "value"):
        low, mid, high = np.quantile(draws[name], [0.1, 0.5, 0.9])
        np.testing.assert_allclose(
            row[[f"{name}_lower", name, f"{name}_upper"]].tolist(), [low, mid, high]
        )
    assert row["on_bound"] == pytest.approx(float((draws["bound"] != 0).mean()))
    assert not table["beyond_fitted"].any()
    wide = ls.optimal_allocation(translog, flops=1e26, params=(1, 1e4), tokens=(0.1, 1e3))
    assert wide.table()["beyond_fitted"].all()


def test_a_point_estimate_gets_no_interval(translog: Fit) -> None:
    point = replace(translog, status=replace(translog.status, is_posterior=False))
    table = ls.optimal_allocation(point, flops=1e23, target="beta").table()
    assert table[["params_lower", "tokens_upper", "value_lower"]].isna().all(axis=None)
    assert table[["params", "tokens", "value"]].notna().all(axis=None)


@pytest.mark.parametrize("covariates", [("log_flops",), ("log_params",), ("log_tokens",)])
def test_specs_without_separate_size_and_tokens_are_refused(
    small_scores, prior_fit, covariates
) -> None:
    fit = prior_fit(ls.ModelSpec(name="one", covariates=covariates), small_scores, draws=4)
    refusal = r'no separate terms for size and tokens.*such as the recommended load_spec\((".*")\)'
    with pytest.raises(SpecError, match=refusal) as refused:
        ls.optimal_allocation(fit, flops=1e23)
    named = re.search(refusal, str(refused.value))
    assert named and named[1] == '"latentscale"'
    assert {"log_params", "log_tokens"} <= set(ls.load_spec("latentscale").covariates)


def test_free_skills_are_no_target_but_scores_are(small_scores, prior_fit) -> None:
    document = {
        "name": "free",
        "covariates": list(TRANSLOG),
        "skills": {"count": 2, "identify": {"kind": "free"}},
    }
    fit = prior_fit(spec_from_dict(document), small_scores, draws=8)
    with pytest.raises(SpecError, match="align"):
        ls.optimal_allocation(fit, flops=1e23, target=ls.studies.Target.skill("skill 1"))
    allocation = ls.optimal_allocation(fit, flops=1e23)
    assert list(allocation.draws["target"].values) == ["alpha", "beta", "gamma", "delta"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"flops": 1e15}, "they span"),
        ({"flops": "1e22"}, "number of FLOPs"),
        ({"flops": []}, "at least one budget"),
        ({"flops": [1e22, 1e22]}, "each once"),
        ({"flops": [-1.0]}, "above 0"),
        ({"flops": np.nan}, "above 0"),
        ({"flops": 1e23, "target": "betta"}, 'Did you mean "beta"'),
        ({"flops": 1e23, "target": []}, "target must be"),
        ({"flops": 1e23, "target": {"beta": 1}}, "target must be"),
        ({"flops": 1e23, "target": ["beta", "beta"]}, "repeated"),
        ({"flops": 1e23, "target": [3]}, "neither a name nor a Target"),
        ({"flops": 1e23, "family": "fam99"}, "not in the fit"),
        ({"flops": 1e23, "params": (3, 1)}, "increasing"),
        ({"flops": 1e23, "tokens": 3}, "increasing"),
    ],
)
def test_misuse_is_told(translog: Fit, arguments, said) -> None:
    with pytest.raises(DataError, match=said):
        ls.optimal_allocation(translog, **arguments)


def test_a_targets_weights_are_checked() -> None:
    for wrong in ({"a": 0}, {"a": -1}, {"a": np.inf}, {"a": True}, {}):
        with pytest.raises(DataError):
            ls.studies.Target.benchmarks(wrong)
    with pytest.raises(LatentscaleError):
        ls.studies.Target("score", (("a", 1.0),), "a").__class__("both", (("a", 1.0),), "a")


def test_published_optima_stand_beside_ours(translog: Fit) -> None:
    renamed = {"beta": "hellaswag", "gamma": "math_lvl5"}
    allocation = ls.optimal_allocation(
        translog, flops=[1e21, 1e22], params=(0.01, 100), tokens=(0.01, 20)
    )
    labels = [renamed.get(str(name), str(name)) for name in allocation.draws["target"].values]
    named = replace(
        allocation,
        draws=allocation.draws.assign_coords(target=labels),
        choice=allocation.choice.assign_coords(target=labels),
        targets=tuple(
            replace(one, label=label) for one, label in zip(allocation.targets, labels, strict=True)
        ),
    )
    beside = named.beside_published()
    assert set(beside["target"]) == {"hellaswag", "math_lvl5"} and set(beside["flops"]) == {1e21}
    row = beside.set_index("target").loc["hellaswag"]
    assert (row["published_params"], row["published_tokens"]) == (1.12, 0.15)
    ours = named.table().query("target == 'hellaswag' and flops == 1e21").iloc[0]
    assert row["params"] == ours["params"]
    assert row["params_agrees"] == (ours["params_lower"] <= 1.12 <= ours["params_upper"])
    point = replace(named, is_posterior=False).beside_published()
    assert point["params_agrees"].isna().all()  # without an interval there is no such note
    # The published values use up the budget, up to rounding.
    np.testing.assert_allclose(
        6e21 * beside["published_params"] * beside["published_tokens"], 1e21, rtol=0.02
    )
    with pytest.raises(DataError, match=r"2\.515e\+20"):
        ls.optimal_allocation(translog, flops=1e23).beside_published()


def test_the_search_finds_the_top_inside_and_on_both_ends() -> None:
    top = xr.DataArray([-1.7, -1.0, -0.999, -0.31, 0.0, 0.77, 0.99, 1.0, 4.0], dims="sample")
    highest = highest_by_search(lambda u: -(abs(u - top) ** 1.5))
    np.testing.assert_allclose(highest, top.clip(-1, 1), atol=1e-6)
    assert float(highest[0]) == -1.0 and float(highest[-1]) == 1.0


def test_the_search_takes_the_higher_of_two_hills() -> None:
    def hills(u: xr.DataArray) -> xr.DataArray:
        return np.exp(-80 * (u + 0.6) ** 2) + 1.2 * np.exp(-80 * (u - 0.5) ** 2)

    assert float(highest_by_search(hills)) == pytest.approx(0.5, abs=1e-6)


def test_a_parabola_is_highest_at_its_vertex_or_an_end() -> None:
    u = np.array([-1.0, 0.0, 1.0])
    rows = [-((u - 0.3) ** 2), -((u - 3) ** 2), (u - 0.1) ** 2, (u + 0.1) ** 2, 2 * u, -2 * u]
    curve = quadratic(xr.DataArray(np.array(rows), dims=("sample", "place")))
    np.testing.assert_allclose(highest_of_quadratic(curve), [0.3, 1, -1, 1, 1, -1])


def test_it_says_what_it_is(translog: Fit) -> None:
    allocation: Allocation = ls.optimal_allocation(translog, flops=1e23, family="fam03")
    assert "fam03" in allocation.basis and "base model" in allocation.basis
    assert "<table" in allocation._repr_html_() and "1 budget " in repr(allocation)
