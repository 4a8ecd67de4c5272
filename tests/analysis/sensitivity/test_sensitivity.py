"""Sensitivity compared with a conjugate normal in closed form; refits and weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import latentscale as ls
from latentscale.analysis.checks import leave_one_out as leave_one_out_module
from latentscale.analysis.curves import compute_needed as compute_needed_module
from latentscale.analysis.sensitivity import sensitivity as sensitivity_module
from latentscale.analysis.sensitivity import sensitivity_grid as grids
from latentscale.analysis.sensitivity.sensitivity import CONFLICT, FORECAST, STRONG_PRIOR
from latentscale.analysis.skills import regression as regression_module
from latentscale.engine import fast
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit

FRAME = pd.DataFrame(
    {
        "model": ["new"],
        "family": ["fam00"],
        "instruct": [0],
        "params_b": [30.0],
        "tokens_t": [5.0],
    }
)


def conjugate(fit: Fit, prior_mean: float, prior_sd: float, data_sd: float) -> Fit:
    """Return the fit with posterior draws of theta ~ N(prior), one y = 0 ~ N(theta, data_sd)."""
    rng = np.random.default_rng(1)
    precision = prior_sd**-2 + data_sd**-2
    mean = prior_mean * prior_sd**-2 / precision
    theta = rng.normal(mean, precision**-0.5, (4, 2500))
    dims = ("chain", "draw")

    def dataset(**values: np.ndarray) -> xr.Dataset:
        return xr.Dataset({name: (dims, value) for name, value in values.items()})

    likelihood = stats.norm(theta, data_sd).logpdf(0.0)[..., None]
    groups = {
        "posterior": dataset(theta=theta, other=rng.normal(size=theta.shape)),
        "log_prior": dataset(
            theta=stats.norm(prior_mean, prior_sd).logpdf(theta), other=np.zeros(theta.shape)
        ),
        "log_likelihood": xr.Dataset({"score": ((*dims, "cell"), likelihood)}),
    }
    return replace(fit, tree=xr.DataTree.from_dict(groups))


@pytest.fixture(scope="module")
def small(prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec, small_scores: ls.Scores) -> Fit:
    return prior_fit(quick_spec, small_scores, draws=200)


def shift(prior_mean: float, prior_sd: float, data_sd: float) -> float:
    """Return d mean / d log2 power of the prior over the sd, by the conjugate formulas."""

    def mean(power: float) -> float:
        return power * prior_mean * prior_sd**-2 / (power * prior_sd**-2 + data_sd**-2)

    step = 1e-4
    slope = (mean(2**step) - mean(2**-step)) / (2 * step)
    return slope * np.sqrt(prior_sd**-2 + data_sd**-2)


@pytest.mark.parametrize(
    ("prior", "data_sd", "diagnosis"),
    [((0.0, 20.0), 1.0, ""), ((4.0, 1.0), 1.0, CONFLICT), ((0.5, 1.0), 40.0, STRONG_PRIOR)],
)
def test_a_conjugate_normal(
    small: Fit, prior: tuple[float, float], data_sd: float, diagnosis: str
) -> None:
    sensitivity = ls.sensitivity(conjugate(small, *prior, data_sd))
    rows = sensitivity.table().set_index("variable")
    assert rows.loc["theta", "diagnosis"] == diagnosis
    assert rows.loc["theta", "prior_shift"] == pytest.approx(shift(*prior, data_sd), abs=0.03)
    assert rows.loc["other", "prior"] < 0.05
    if diagnosis:
        assert rows.loc["theta", "driver"] == "theta"
        assert sensitivity.flagged["variable"].tolist() == ["theta"]
        assert diagnosis in str(sensitivity) and sensitivity.by_prior["moved"].iloc[0] == 1
    else:
        assert sensitivity.flagged.empty and sensitivity.advice == ()


def test_prior_and_likelihood_pull_against_each_other(small: Fit) -> None:
    row = ls.sensitivity(conjugate(small, 4.0, 1.0, 1.0), variables=["theta"]).table().iloc[0]
    # They pull the mean in opposite directions, by the same amount.
    assert row["prior_shift"] == pytest.approx(-row["likelihood_shift"], abs=0.1)


def test_a_real_fit_with_forecasts(pooled_fit: Fit) -> None:
    frame = FRAME.copy()
    sensitivity = ls.sensitivity(pooled_fit, frame, seed=1)
    pd.testing.assert_frame_equal(frame, FRAME)
    forecasts = sensitivity.table()[sensitivity.table()["variable"] == FORECAST]
    assert list(forecasts["where"]) == [f"new, {b}" for b in pooled_fit.scores.benchmarks]
    assert (forecasts["diagnosis"] == "").all()  # 104 models determine a pooled curve well
    assert (sensitivity.table()["prior_noise"] > 0).all()
    assert (sensitivity.table()["likelihood_noise"] > 0).all()
    assert (sensitivity.table()["likelihood"] > 0).all() and sensitivity.table()[
        "prior"
    ].notna().all()
    only = ls.sensitivity(pooled_fit, FRAME, variables=[], priors=["intercept"], seed=1)
    assert set(only.table()["variable"]) == {FORECAST}
    assert list(only.by_prior["prior"]) == ["intercept"]
    assert "forecasts move with the priors" in str(only)


def test_sensitivity_misused(small: Fit) -> None:
    with pytest.raises(ls.SpecError, match=r'"intercpt".*Did you mean "intercept"'):
        ls.sensitivity(small, variables=["intercpt"])
    with pytest.raises(ls.SpecError, match="no quantities to compare"):
        ls.sensitivity(small, variables=[])
    with pytest.raises(ls.SpecError, match="priors is empty"):
        ls.sensitivity(small, priors=[])
    with pytest.raises(ls.SpecError, match="one string"):
        ls.sensitivity(small, priors="intercept")
    with pytest.raises(ls.LatentscaleError, match="limit"):
        ls.sensitivity(small, limit=0)
    point = replace(small, status=replace(small.status, is_posterior=False))
    with pytest.raises(ls.FitError, match="point estimate"):
        ls.sensitivity(point)


@pytest.fixture
def by_prior_draws(prior_fit: Callable[..., Fit], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Fits inside the grid are prior draws: this tests what the grid does with fits."""
    asked: list[object] = []

    def fit(spec, scores, *, method, seed, progress):  # type: ignore[no-untyped-def]
        asked.append((spec, scores))
        if spec.name == "broken":
            raise ls.FitError("the sampler broke")
        return prior_fit(spec, scores, draws=200, seed=seed)

    monkeypatch.setattr(grids, "fit", fit)
    return asked


def test_a_grid_of_priors(
    by_prior_draws: list[object], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    higher = {"intercept": {"dist": "Normal", "mu": 3, "sigma": 1}}
    broken = quick_spec.model_copy(update={"name": "broken"})
    with pytest.warns(ls.FitWarning, match="the sampler broke"):
        grid = ls.studies.sensitivity_grid(
            quick_spec, small_scores, {"higher": higher, "odd": broken}, frame=FRAME, progress=False
        )
    assert len(by_prior_draws) == 3 and set(grid.failed) == {"odd"}
    rows = grid.table().set_index(["variant", "variable", "where"])
    base = rows.loc[("base", "intercept", "alpha")]
    moved = rows.loc[("higher", "intercept", "alpha")]
    assert base["change"] == 0 and base["width_ratio"] == 1
    assert moved["median"] == pytest.approx(3, abs=0.3)
    assert moved["change"] == pytest.approx(moved["median"] - base["median"])
    assert moved["width_ratio"] == pytest.approx(0.5, abs=0.15)  # from sd 2 to sd 1
    sd = 2.0
    assert moved["change_in_sd"] == pytest.approx(moved["change"] / sd, rel=0.15)
    assert rows.loc[("higher", FORECAST, "new, alpha"), "change"] > 0.1
    assert grid.largest["highest_variant"].iloc[0] == "higher"
    assert grid.variants["higher"] == "intercept ~ Normal(mu=3, sigma=1) for Normal(mu=0, sigma=2)"
    assert "higher" not in grid.headline and "standard deviations" in grid.headline


def test_a_grid_of_priors_compiles_once(
    quick_spec: ls.ModelSpec, small_scores: ls.Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, compile_program = [], fast._compile
    monkeypatch.setattr(
        fast, "_compile", lambda *given: compiled.append(given) or compile_program(*given)
    )
    variants = {
        name: {"intercept": {"dist": "Normal", "mu": mean, "sigma": 1}}
        for name, mean in (("lower", -1), ("higher", 1))
    }
    method = ls.NUTS(draws=20, tune=20, chains=1, cores=1)
    grid = ls.studies.sensitivity_grid(
        quick_spec, small_scores, variants, method=method, frame=FRAME, progress=False
    )
    assert len(compiled) <= 1 and set(grid.table()["variant"]) == {"base", *variants}


def test_a_grid_goes_on_from_its_folder(
    by_prior_draws: list[object], quick_spec: ls.ModelSpec, small_scores: ls.Scores, tmp_path: Path
) -> None:
    higher = {"intercept": {"dist": "Normal", "mu": 3, "sigma": 1}}
    lower = {"intercept": {"dist": "Normal", "mu": -3, "sigma": 1}}
    broken = quick_spec.with_({"name": "broken"}).with_priors(lower)

    def grid(variants: dict, frame: pd.DataFrame = FRAME, **more: object) -> pd.DataFrame:
        return ls.studies.sensitivity_grid(
            quick_spec,
            small_scores,
            variants,
            frame=frame,
            folder=tmp_path,
            progress=False,
            **more,  # type: ignore[arg-type]
        ).table()

    with pytest.warns(ls.FitWarning, match="the sampler broke"):
        first = grid({"higher": higher, "odd": broken})
    assert len(by_prior_draws) == 3 and len(list(tmp_path.glob("*/*.csv"))) == 2
    again = grid({"higher": higher, "lower": lower})
    assert len(by_prior_draws) == 4  # only variants not yet fitted
    kept = again[again["variant"] != "lower"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first, check_exact=True)
    grid({"higher": higher}, FRAME.assign(params_b=31.0))
    grid({"higher": higher}, variables=["intercept"])
    grid({"higher": higher}, prob=0.5)
    assert len(by_prior_draws) == 10  # each of these changes the numbers
    file = sorted(tmp_path.glob("*/*.csv"))[0]
    file.write_bytes(file.read_bytes()[:-90])
    with pytest.warns(ls.FitWarning, match=f"1 files .* truncated or changed .*{file.name}"):
        grid({"higher": higher, "lower": lower})
        grid({"higher": higher}, FRAME.assign(params_b=31.0))
        grid({"higher": higher}, variables=["intercept"])
        grid({"higher": higher}, prob=0.5)
    assert len(by_prior_draws) == 11


def test_families_left_out_are_kept_in_a_folder(
    by_prior_draws: list[object], quick_spec: ls.ModelSpec, small_scores: ls.Scores, tmp_path: Path
) -> None:
    def left_out(*families: str) -> pd.DataFrame:
        return ls.studies.leave_families_out(
            quick_spec, small_scores, families, folder=tmp_path, progress=False
        ).table()

    one = left_out("fam00")
    both = left_out("fam00", "fam01")
    assert len(by_prior_draws) == 3
    same = both[both["variant"] != "without fam01"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, one, check_exact=True)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ls.FitError, match="is a file"):
        ls.studies.leave_families_out(quick_spec, small_scores, ["fam00"], folder=file)


def test_a_grid_misused(
    by_prior_draws: list[object], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    def grid(variants: object) -> ls.results.SensitivityGrid:
        return ls.studies.sensitivity_grid(quick_spec, small_scores, variants, progress=False)  # type: ignore[arg-type]

    with pytest.raises(ls.SpecError, match="at least one variant"):
        grid({})
    with pytest.raises(ls.SpecError, match='"base" is the name'):
        grid({"base": {}})
    with pytest.raises(ls.SpecError, match=r'variant "x": .*"slop"'):
        grid({"x": {"slop": {"dist": "Normal", "mu": 0, "sigma": 1}}})
    with pytest.raises(ls.SpecError, match='variant "x"'):
        grid({"x": 3})
    with pytest.raises(ls.FitError, match="Every refit failed"):
        grid({"x": quick_spec.model_copy(update={"name": "broken"})})
    broken = quick_spec.model_copy(update={"name": "broken"})
    with pytest.raises(ls.FitError, match="The base spec failed"):
        ls.studies.sensitivity_grid(broken, small_scores, {"x": quick_spec}, progress=False)


def test_two_variants_of_one_name_as_text_are_refused(
    quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    """The second replaced the first."""
    with pytest.raises(ls.SpecError, match='Two variants have the name "1"'):
        ls.studies.sensitivity_grid(quick_spec, small_scores, {1: {}, "1": {}}, progress=False)


def test_a_variable_that_no_variant_has_is_refused_before_the_first_fit(
    by_prior_draws: list[object], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    with pytest.raises(ls.SpecError, match=r'no variant has "intercpt".*"intercept"'):
        ls.studies.sensitivity_grid(
            quick_spec, small_scores, {"x": {}}, variables=["precision", "intercpt"], progress=False
        )
    assert not by_prior_draws
    grid = ls.studies.sensitivity_grid(
        quick_spec, small_scores, {"x": {}}, variables=["intercept"], progress=False
    )
    assert set(grid.table()["variable"]) == {"intercept"}


def test_other_anchors_compare_forecasts_alone(
    by_prior_draws: list[object], known_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    variants = ls.studies.anchor_variants(known_spec, [["beta", "gamma"]])
    (spec,) = variants.values()
    assert spec.skills.identify.anchors == ("beta", "gamma")
    assert spec.skills.identify.unit == known_spec.skills.identify.unit
    grid = ls.studies.sensitivity_grid(
        known_spec, small_scores, variants, frame=FRAME, progress=False
    )
    other = grid.table()[grid.table()["variant"] == "beta + gamma"]
    assert not (other["variable"] == "slope").any()
    assert (other["variable"] == FORECAST).sum() == 4
    assert grid.variants["beta + gamma"] == 'anchors "beta", "gamma"'
    with pytest.raises(ls.SpecError, match="needs 2 benchmarks"):
        ls.studies.anchor_variants(known_spec, [["beta"]])
    with pytest.raises(ls.SpecError, match="no anchors"):
        ls.studies.anchor_variants(ls.load_spec("pooled_flops"), [["beta"]])


def test_influence_of_a_family_by_weights(
    prior_fit: Callable[..., Fit], quick_spec: ls.ModelSpec, small_scores: ls.Scores
) -> None:
    """Two families of one score each, N(theta, 1), under a wide prior: closed form."""
    base = prior_fit(quick_spec, small_scores, draws=20_000)
    logs = base.tree["log_likelihood"]["score"]
    owner = base.scores.dataset["family"].to_series()
    first = owner.loc[logs["cell_model"].values].to_numpy() == "fam00"
    rng = np.random.default_rng(0)
    # y = 2 of fam00 with sd 1 and y = 0 of all others with sd 0.5: posterior N(0.4, 0.2).
    theta = rng.normal(0.4, np.sqrt(0.2), (1, 20_000))
    values = np.zeros(logs.shape)
    values[..., np.nonzero(first)[0][0]] = stats.norm(theta, 1).logpdf(2)
    values[..., np.nonzero(~first)[0][0]] = stats.norm(theta, 0.5).logpdf(0)
    groups = {name: base.tree[name].to_dataset() for name in base.tree.children}
    groups["posterior"] = groups["posterior"].assign(theta=(("chain", "draw"), theta))
    groups["log_likelihood"] = xr.Dataset({"score": logs.copy(data=values)})
    fit = replace(base, tree=xr.DataTree.from_dict(groups))
    influence = ls.studies.family_influence(fit, families=["fam00"], variables=["theta"])
    row = influence.table().iloc[0]
    assert row["median"] == pytest.approx(0.0, abs=0.02)
    assert row["change_in_sd"] == pytest.approx(-0.4 / np.sqrt(0.2), abs=0.05)
    family = influence.families.iloc[0]
    assert family["reliable"] and family["pareto_k"] < 0.7 and family["variable"] == "theta"


def test_families_that_weights_cannot_drop_are_refitted(
    by_prior_draws: list[object], small: Fit
) -> None:
    rough = ls.studies.family_influence(small, FRAME, progress=False)
    assert len(rough.families) == 6 and not rough.families["reliable"].all()
    assert "give refit" in str(rough)
    exact = ls.studies.family_influence(small, FRAME, refit=ls.NUTS(draws=10), progress=False)
    assert exact.families["reliable"].all() and "give refit" not in str(exact)
    heavy = set(rough.families.loc[~rough.families["reliable"], "family"])
    assert set(exact.table().query("basis == 'refit'")["family"]) == heavy
    for _, scores in by_prior_draws[1:]:  # type: ignore[misc]
        assert len(scores.families) == 5
    assert set(rough.table()["family"]) == set(small.scores.families)
    # The forecast is for a model of fam00, so it does not count when fam00 is left out.
    for influence in (rough, exact):
        of_forecast = influence.table()[influence.table()["variable"] == FORECAST]
        assert set(of_forecast["family"]) == set(small.scores.families) - {"fam00"}
    with pytest.raises(ls.DataError, match="all quantities belong to it"):
        ls.studies.family_influence(small, FRAME, variables=[], families=["fam00"])


def test_influence_on_a_lazy_frame_of_another_library(small: Fit) -> None:
    pl = pytest.importorskip("polars")
    influence, expected = (
        ls.studies.family_influence(small, frame, families=["fam00", "fam01"], progress=False)
        for frame in (pl.from_pandas(FRAME).lazy(), FRAME)
    )
    pd.testing.assert_frame_equal(influence.table(), expected.table())


def test_influence_misused(small: Fit, small_scores: ls.Scores, quick_spec: ls.ModelSpec) -> None:
    with pytest.raises(ls.DataError, match='"fam0" is not a family'):
        ls.studies.family_influence(small, families=["fam0"])
    with pytest.raises(ls.DataError, match="must be a list"):
        ls.studies.family_influence(small, families="fam00")
    with pytest.raises(ls.FitError, match="refit must be a method"):
        ls.studies.family_influence(small, refit=3)  # type: ignore[arg-type]
    with pytest.raises(ls.DataError, match='unknown: "x"'):
        ls.studies.leave_families_out(quick_spec, small_scores, ["x"])


def shuffled(forecast: ls.results.Forecast, seed: int = 4) -> ls.results.Forecast:
    """Return a forecast with its rows in another order: the same forecast."""
    order = np.random.default_rng(seed).permutation(forecast.draws.sizes["sample"])

    def turned(array: xr.DataArray | None) -> xr.DataArray | None:
        return array if array is None or "sample" not in array.dims else array.isel(sample=order)

    names = ("draws", "mean_draws", "precision_draws", "skill_draws", "token_draws")
    arrays = {name: turned(getattr(forecast, name)) for name in names}
    return replace(forecast, **arrays, noise=forecast.noise.mapped(turned))


@pytest.fixture
def in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every forecast comes with its rows in another order."""
    for module, name in (
        (sensitivity_module, "predict"),
        (leave_one_out_module, "forecast_rows"),
        (regression_module, "predict"),
        (compute_needed_module, "forecast_rows"),
    ):
        own = getattr(module, name)

        def turned(*args, own=own, **kwargs):  # type: ignore[no-untyped-def]
            return shuffled(own(*args, **kwargs))

        monkeypatch.setattr(module, name, turned)


SCORED = FRAME.assign(alpha=[0.6])


@pytest.fixture(scope="module")
def mild(held_fit: Fit, with_posterior: Callable[..., Fit], small_scores) -> Fit:  # type: ignore[no-untyped-def]
    """2,400 draws in which only intercepts differ, mildly, and with them the densities."""
    rng = np.random.default_rng(7)
    posterior = held_fit.posterior.isel(draw=np.zeros(2400, int))
    posterior = posterior.assign_coords(draw=np.arange(2400))
    moved = rng.normal(0, 0.3, (1, 2400, 4))
    posterior["intercept"] = posterior["intercept"].transpose("chain", "draw", "benchmark") + moved
    drawn = Draws(posterior, None, held_fit.status, {})
    return replace(held_fit, tree=to_tree(held_fit.spec, held_fit.design, drawn))


def test_a_conditioned_forecast_is_paired_with_its_own_draws(mild: Fit) -> None:
    """More draws than the forecast keeps, each kept one paired with its own densities."""
    table = ls.sensitivity(mild, SCORED, priors=["intercept"], seed=1).table()
    forecasts = table[table["variable"] == FORECAST].set_index("where")
    forecast = ls.predict(mild, SCORED, seed=1)
    index = forecast.draws["sample"].values
    assert len(index) == 2000 and len(set(index)) < 2000 and index.max() > 2300
    groups = {
        "prior": mild.tree["log_prior"]["intercept"].sum("benchmark"),
        "likelihood": mild.tree["log_likelihood"]["score"].sum("cell"),
    }
    shifts = []
    for name, logs in groups.items():
        own = logs.values.ravel()[index]
        for benchmark in ("alpha", "gamma"):
            draws = forecast.mean_draws.sel(model="new", benchmark=benchmark).values
            shift = np.log(2) * np.cov(draws, own)[0, 1] / draws.std(ddof=0)
            shown = forecasts.loc[f"new, {benchmark}", f"{name}_shift"]
            assert shown == pytest.approx(shift, rel=2e-3)
            shifts.append(abs(shift))
    assert max(shifts) > 0.1  # pairs of other draws give 0.02
    parameters = table[table["variable"] == "intercept"]
    plain = ls.sensitivity(mild, priors=["intercept"], seed=1).table()
    plain = plain[plain["variable"] == "intercept"]
    np.testing.assert_allclose(parameters["prior"], plain["prior"])


def answers(fit: Fit, frame: pd.DataFrame) -> list[np.ndarray]:
    """Return the output of the verbs that pair forecasts with draws."""
    columns = ["prior", "likelihood", "prior_shift", "likelihood_shift"]
    outcome = dict(zip(fit.scores.models, np.arange(12.0) + 1, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regression = ls.studies.regress_on_skills(fit, outcome, seed=1)
    mean = regression.predict(frame, seed=1).mean_draws
    left_out = ls.leave_one_out(fit, seed=1).table()
    return [
        ls.sensitivity(fit, frame, priors=["intercept"], seed=1).table()[columns].to_numpy(),
        ls.studies.family_influence(fit, frame, families=["fam01"], variables=[], seed=1)
        .table()["median"]
        .to_numpy(),
        left_out[["elpd", "pareto_k", "mean", "median", "lower", "upper", "pit", "z"]].to_numpy(),
        np.sort(mean.values, axis=0),
    ]


@pytest.mark.parametrize("frame", [FRAME, SCORED], ids=["plain", "conditioned"])
def test_the_order_of_a_forecasts_rows_does_not_matter(
    mild: Fit, frame: pd.DataFrame, request: pytest.FixtureRequest
) -> None:
    wanted = answers(mild, frame)
    request.getfixturevalue("in_any_order")
    for one, other in zip(answers(mild, frame), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_densities_in_another_order_are_paired_by_their_labels(mild: Fit) -> None:
    order = np.random.default_rng(5).permutation(2400)
    groups = {name: mild.tree[name].to_dataset() for name in mild.tree.children}
    groups = {
        name: group.assign_coords(draw=np.arange(2400)) if "draw" in group.dims else group
        for name, group in groups.items()
    }
    for name in ("log_likelihood", "log_prior"):
        groups[name] = groups[name].isel(draw=order)
    mixed = replace(mild, tree=xr.DataTree.from_dict({"posterior": groups["posterior"]}))
    for name, group in groups.items():  # each group in its own tree, so that none is aligned
        mixed.tree[name] = xr.DataTree(group)
    for one, other in zip(answers(mixed, SCORED), answers(mild, SCORED), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
