"""Settings of one release have equally correlated deviations."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.data.releases import release_of_rows
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.engine.graphs import moved_by
from latentscale.errors import FitError, SpecError
from latentscale.inference.partitioned.shard import units_of_latents
from latentscale.maths import as_data
from latentscale.model.batches import VariableSlices, batch_of
from latentscale.model.build import build_design
from latentscale.model.centring import _EVERY, _by_release, _standardising, centred_coordinates
from latentscale.model.design import Design, design
from latentscale.model.left_open import with_drawn_features
from latentscale.model.other_settings import first_rows, with_other_settings
from latentscale.model.release_share import correlated, log_volume, scaled, variances
from latentscale.model.terms.base import terms_of
from latentscale.model.terms.residual import OTHER_SETTINGS, ROW_RELEASE, Residual
from latentscale.model.unseen import linked_rows
from latentscale.posterior.fit import Fit

SIZES = [3, 1, 2]
"""Settings of each release of a family."""


def table_of(efforts: bool) -> Scores:
    """Return dated models of two families, some run at several efforts, on four benchmarks."""
    rng = np.random.default_rng(4)
    rows = []
    for place, family in enumerate(("a", "b")):
        for release, count in enumerate(SIZES):
            day = pd.Timestamp("2025-01-01") + pd.Timedelta(40 * release + 7 * place, unit="D")
            for effort in ("low", "high", "medium")[:count]:
                name = f"{family}-{release + 1}" + (f"_{effort}" if count > 1 else "")
                about = {"model": name, "family": family, "released": day}
                rows.append(about | ({"effort": effort} if efforts and count > 1 else {}))
    table = pd.DataFrame(rows)
    for name in ("alpha", "beta", "gamma", "maths"):
        table[name] = rng.uniform(0.3, 0.8, len(table)).round(3)
    return Scores.from_frame(table)


def spec_of(**fields: Any) -> ModelSpec:
    document = {
        "name": "settings",
        "covariates": ["released"],
        "skills": {"count": 2, "identify": {"kind": "free"}, "residual": True, "release": True},
        "family": {"level": "partial"},
        "benchmarks": {"pooled": True},
    }
    return ls.ModelSpec.model_validate(document).with_(fields)


@pytest.fixture(scope="module")
def table() -> Design:
    return design(spec_of(), table_of(efforts=True))


def covariance(table: Design, share: float) -> np.ndarray:
    """Return the correlation matrix of models' deviations, (model, model), from its definition."""
    same = np.equal.outer(table.release_of_model, table.release_of_model)
    return np.where(same, share, 0.0) + (1 - share) * np.eye(len(same))


def matrix_of(function: Any, table: Design, share: float) -> np.ndarray:
    """Return the matrix of a linear map of models' values, (model, model)."""
    from pytensor.xtensor import as_xtensor

    unit = as_xtensor(np.eye(len(table.release_of_model)), dims=("model", "skill"))
    rho = as_xtensor(np.float64(share), dims=())
    return np.asarray(function(unit, rho, table).transpose("model", "skill").eval())


@pytest.mark.parametrize("share", [0.0, 0.4, 0.95])
def test_deviations_have_the_correlation_of_their_release(table: Design, share: float) -> None:
    root = matrix_of(correlated, table, share)
    np.testing.assert_allclose(root @ root.T, covariance(table, share), atol=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_means_and_what_differs_are_scaled_apart(table: Design, share: float) -> None:
    """A root times its inverse is the identity, and log determinants are those of the matrices."""

    def back(values: Any, rho: Any, design: Design) -> Any:
        along, across = variances(rho, design)
        return scaled(values, along**-0.5, across**-0.5, design)

    root = matrix_of(correlated, table, share)
    np.testing.assert_allclose(matrix_of(back, table, share) @ root, np.eye(len(root)), atol=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_the_volume_is_that_of_the_matrix(table: Design, share: float) -> None:
    from pytensor.xtensor import as_xtensor

    along, across = variances(as_xtensor(np.float64(share), dims=()), table)
    skills = as_xtensor(np.array([1.0, 2.0]), dims=("skill",))
    volume = log_volume(skills * along**0.5, skills * across**0.5, table)
    models = len(table.release_of_model)
    expected = np.linalg.slogdet(covariance(table, share))[1] + models * np.log(2.0)
    assert float(volume.values.eval()) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("share", "spread"), [(0.05, 0.3), (0.6, 3.0), (0.999, 0.01), (0.999, 1.0)]
)
def test_moved_residuals_of_a_release_have_one_variance_given_scores(
    table: Design, share: float, spread: float
) -> None:
    """Conjugate: z given scores' y of m + s L z, with precision q, is normal, L as `correlated`.

    Also if settings share almost everything, so that hardly anything differs.
    """
    import pytensor.xtensor as px

    count, precision = len(table.release_of_model), 40.0
    raw = px.xtensor("raw", dims=("model", "skill"), shape=(count, 1))
    given: Any = {"residual_raw": raw, "release_share": as_data(np.array(share), ())}
    change = partial(_standardising, precision=as_data(np.full(count, precision), ("model",)))
    root = spread * matrix_of(correlated, table, share)
    posterior = np.linalg.inv(np.eye(count) + precision * root @ root)
    y, means = np.linspace(-1, 1, count), []
    for middle in (np.zeros(count), np.linspace(2, -1, count)):
        held: Any = as_data(middle[:, None], ("model", "skill"))
        width: Any = as_data(np.array([spread]), ("skill",))
        moved: Any = _by_release(given, held, width, [(_EVERY, change, None)], table)

        def value(p: np.ndarray, moved: Any = moved) -> np.ndarray:
            given = {moved.point: p[:, None]}
            return np.asarray(moved.value.eval(given, mode="FAST_COMPILE"))[:, 0]

        start = value(np.zeros(count))
        back = np.linalg.inv(np.stack([value(p) - start for p in np.eye(count)], axis=1))
        wanted = -np.linalg.slogdet(back)[1]
        assert float(moved.log_jacobian.eval()) == pytest.approx(wanted, abs=1e-8)
        spread_of_p = back @ posterior @ back.T
        np.testing.assert_allclose(spread_of_p, np.eye(count) / (1 + precision), atol=1e-8)
        means.append(back @ (posterior @ root @ (precision * (y - middle)) - start))
    np.testing.assert_allclose(means[0], means[1], atol=1e-8)


def test_moved_residuals_have_the_jacobian_of_their_change() -> None:
    import pytensor

    spec = spec_of()
    prepared = design(spec, table_of(efforts=True))
    model = build_design(spec, prepared)
    assert "release_share" in [v.name for v in model.free_RVs]
    coordinates = centred_coordinates(spec, prepared, model)
    values, volume = moved_by(model, coordinates)
    start = model.initial_point(random_seed=0)
    points = [c.point for c in coordinates]
    others = [v for v in model.value_vars if v not in values]
    flat = [v.values.ravel() if hasattr(v, "dims") else v.ravel() for v in values.values()]
    function = pytensor.function(
        [*points, *others],
        [pytensor.tensor.concatenate(flat), volume],
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )
    rng = np.random.default_rng(2)
    shapes = [
        np.shape(start[str(model.rvs_to_values[model[c.variable]].name)]) for c in coordinates
    ]
    moved = [0.5 * rng.standard_normal(shape) for shape in shapes]
    rest = [np.asarray(start[str(v.name)]) + 0.2 for v in others]

    def value(at: np.ndarray) -> np.ndarray:
        parts = np.split(at, np.cumsum([p.size for p in moved])[:-1])
        shaped = [p.reshape(q.shape) for p, q in zip(parts, moved, strict=True)]
        return np.asarray(function(*shaped, *rest)[0])

    middle = np.concatenate([part.ravel() for part in moved])
    columns = [(value(middle + s) - value(middle - s)) / 2e-5 for s in 1e-5 * np.eye(middle.size)]
    expected = np.linalg.slogdet(np.array(columns))[1]
    assert float(function(*moved, *rest)[1]) == pytest.approx(expected, abs=1e-5)


def test_prior_draws_of_settings_are_correlated_by_their_share() -> None:
    spec = spec_of(**{"priors.release_share": {"dist": "Beta", "alpha": 7e5, "beta": 3e5}})
    prepared = design(spec, table_of(efforts=True))
    with build_design(spec, prepared):
        draws = pm.sample_prior_predictive(
            draws=4000, var_names=["residual", "residual_scale"], random_seed=3
        )
    prior = draws["prior"]
    unit = (prior["residual"] / prior["residual_scale"]).stack(one=("chain", "draw", "skill"))
    found = np.corrcoef(unit.transpose("model", "one").values)
    # 8,000 values: a correlation has a standard error of at most 0.011.
    np.testing.assert_allclose(found, covariance(prepared, 0.7), atol=0.06)


def test_a_table_without_settings_has_the_model_of_before() -> None:
    single = table_of(efforts=True).select(models=["a-2", "b-2", "a-1_low", "b-1_low", "a-3_high"])
    spec = spec_of()
    names = {v.name for v in build_design(spec, design(spec, single)).free_RVs}
    before = spec_of(**{"skills.release": False})
    assert names == {v.name for v in build_design(before, design(before, single)).free_RVs}


def test_settings_are_read_from_names_where_no_column_states_them() -> None:
    by_name = design(spec_of(), table_of(efforts=False)).release_of_model
    assert by_name.tolist() == design(spec_of(), table_of(efforts=True)).release_of_model.tolist()
    assert by_name.tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5]


def test_models_of_other_dates_or_features_are_other_releases() -> None:
    names = ["m_low", "m_high", "m_high"]
    rows = pd.DataFrame({"model": names, "family": "m", "size_class": ["mini", "mini", "large"]})
    assert release_of_rows(rows).tolist() == [0, 0, 1]


def test_a_share_of_no_deviation_is_refused() -> None:
    with pytest.raises(SpecError, match=r"skills\.residual to true"):
        spec_of(**{"skills.residual": False})


@pytest.fixture(scope="module")
def known_share(prior_fit: Any) -> Fit:
    """A fit of draws from the prior, with residuals of correlation 0.8 within releases."""
    fixed = {"priors.release_share": {"dist": "Beta", "alpha": 8e5, "beta": 2e5}}
    return prior_fit(spec_of(**fixed), table_of(efforts=True), draws=2000)


@pytest.mark.parametrize(
    ("name", "day", "others"),
    [
        ("a-1_minimal", "2025-01-01", ["a-1_low", "a-1_high", "a-1_medium"]),
        ("a-2_high", "2025-02-10", ["a-2"]),
        ("a-1_minimal", "2025-01-02", []),  # another date, another release
        ("a-9_low", "2025-01-01", []),
    ],
)
def test_a_new_setting_of_a_fitted_release_is_like_the_others(
    known_share: Fit, name: str, day: str, others: list[str]
) -> None:
    row = pd.DataFrame({"model": [name], "family": "a", "released": pd.Timestamp(day)})
    forecast = ls.predict(known_share, row, seed=2)
    draws = known_share.samples
    rest = ls.predict(known_share, row.assign(model="a-8", released=pd.Timestamp(day)), seed=2)
    assert forecast.skill_draws is not None and rest.skill_draws is not None
    assert set(forecast.table()["basis"]) == {"known release" if others else "known family"}
    # The random numbers are the same in both, so they differ only through the other settings.
    said = (forecast.skill_draws.values - rest.skill_draws.values)[:, 0]
    if not others:
        np.testing.assert_allclose(said, 0.0, atol=1e-9)
        return
    mean = draws["residual"].sel(model=others).mean("model").transpose("sample", "skill")
    scale = draws["residual_scale"].transpose("sample", "skill").values
    for skill in (0, 1):
        pairs = np.corrcoef((said / scale)[:, skill], (mean.values / scale)[:, skill])
        assert pairs[0, 1] > 0.8


def test_a_new_setting_and_its_release_have_the_models_joint_distribution(known_share: Fit) -> None:
    row = pd.DataFrame(
        {"model": ["a-1_minimal"], "family": "a", "released": pd.Timestamp("2025-01-01")}
    )
    forecast = ls.predict(known_share, row, seed=2)
    assert forecast.skill_draws is not None
    known = ls.predict(known_share, row.assign(model="a-1_low"), seed=2)
    assert known.skill_draws is not None
    apart = forecast.skill_draws.values[:, 0] - known.skill_draws.values[:, 0]
    unit = apart / known_share.samples["residual_scale"].transpose("sample", "skill").values
    # Variance 2 (1 - 0.8); the variance of 4,000 values has a relative standard error of 0.022.
    assert unit.var() == pytest.approx(0.4, rel=0.1)


def test_gibbs_says_that_settings_share_residuals() -> None:
    spec = spec_of(**{"benchmarks.pooled": False, "benchmarks.likelihood.kind": "logit-normal"})
    with pytest.raises(FitError, match=r"skills\.release"):
        ls.fit(spec, table_of(efforts=True), method=ls.methods.Gibbs(draws=5, tune=5), seed=1)


def test_models_with_other_names_are_not_one_release_for_want_of_dates() -> None:
    names = ["Claude 2", "Claude 4 Opus", "Claude 3 Haiku", "Claude 4 Opus (high)"]
    rows = pd.DataFrame({"model": names, "family": "claude", "reasoning": [0, 1, 0, 0]})
    rows[["instruct", "alpha", "beta"]] = [1, 0.4, 0.5]
    spec = spec_of(**{"covariates": ["instruct"]})
    assert design(spec, Scores.from_frame(rows)).release_of_model.tolist() == [0, 1, 2, 1]


def test_settings_of_a_release_are_tied_to_each_other(known_share: Fit) -> None:
    """Those of releases with several settings, and a single one if another setting is forecast."""
    fit = known_share
    alone = {"a-2", "b-2"}
    (residual,) = (term for term in terms_of(fit.spec) if isinstance(term, Residual))
    assert set(residual.tied_models(fit.samples, fit.design)) == set(fit.scores.models) - alone
    day = pd.Timestamp("2025-02-10")
    row = pd.DataFrame({"model": ["a-2_high"], "family": "a", "released": day})
    draws = with_other_settings(fit.spec, fit.samples, fit.design, planned_rows(fit, row))
    assert set(residual.tied_models(draws, fit.design)) == set(fit.scores.models) - {"b-2"}


LEFT_OPEN: dict[str, tuple[dict[str, Any], list[ls.Feature], str, str]] = {
    "tokens_t": (
        {"covariates": ["released", "log_tokens"], "undisclosed.kind": "estimated"},
        [],
        "log_tokens",
        "",
    ),
    "context_k": (
        {"covariates": ["released", "context_k"]},
        [ls.Feature("context_k", missing="estimated")],
        "missing_standard",
        "context_k of ",
    ),
}


@pytest.fixture(scope="module", params=LEFT_OPEN)
def left_open(request: Any, prior_fit: Any) -> tuple[Fit, str, str, str]:
    """Return a fit, the feature that models leave open, its variable and the prefix of labels."""
    changes, features, variable, begin = LEFT_OPEN[request.param]
    table = table_of(efforts=True).to_frame()
    hidden = table["model"].str.match("a-1|a-2|b-3")
    values = np.where(hidden, np.nan, np.linspace(1, 5, len(table)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.DataWarning)
        scores = Scores.from_frame(
            table.assign(params_b=7.0, **{request.param: values}), features=features
        )
        fit = prior_fit(spec_of(**changes), scores, draws=40)
    return fit, request.param, variable, begin


def test_settings_of_a_release_leave_one_value_open(left_open: tuple[Fit, str, str, str]) -> None:
    """Each had its own parameter, so scores of one did not inform the tokens of the other."""
    fit, _, variable, begin = left_open
    draws = fit.samples[variable]
    dim = next(str(d) for d in draws.dims if d != "sample")
    labels = draws[dim].values.tolist()
    of = {label.removeprefix(begin): draws.sel({dim: label}).values for label in labels}
    assert set(of) == {"a-1_low", "a-1_high", "a-1_medium", "a-2", "b-3_low", "b-3_high"}
    for one, others in (("a-1_low", ("a-1_high", "a-1_medium")), ("b-3_low", ("b-3_high",))):
        for other in others:
            np.testing.assert_array_equal(of[one], of[other])
    assert (of["a-1_low"] != of["b-3_low"]).all() and (of["a-1_low"] != of["a-2"]).all()
    prior = fit.tree["log_prior"].to_dataset()
    assert variable not in prior
    slot = fit.spec.prior({"log_tokens": "log_tokens"}.get(variable, "missing_feature"))
    wanted = sum(slot.log_density(of[name]) for name in ("a-1_low", "a-2", "b-3_low"))
    own = prior[f"{variable}_of_release"].isel(chain=0)
    np.testing.assert_allclose(own.sum([d for d in own.dims if d != "draw"]), wanted, rtol=1e-9)


def test_a_new_setting_has_what_its_fitted_release_leaves_open(
    left_open: tuple[Fit, str, str, str],
) -> None:
    fit, feature, variable, begin = left_open
    day = fit.scores.to_frame().set_index("model").at["b-3_low", "released"]
    rows = pd.DataFrame({"model": ["b-3_medium", "b-3_max", "b-4"], "family": "b"})
    rows = rows.assign(released=day, params_b=7.0, effort=["medium", "max", None])
    planned = planned_rows(fit, rows.assign(**{feature: np.nan}))
    draws = with_other_settings(fit.spec, fit.samples, fit.design, planned)
    first = first_rows(draws)
    assert first == {"b-3_medium": "b-3_low", "b-3_max": "b-3_low"}
    rng = np.random.default_rng(1)
    drawn = with_drawn_features(fit.spec, fit.transform, draws, planned, first, rng)[variable]
    dim = next(str(d) for d in drawn.dims if d != "sample")
    of = {name: drawn.sel({dim: begin + name}).values for name in ("b-3_low", *rows["model"])}
    for name in ("b-3_medium", "b-3_max"):
        np.testing.assert_array_equal(of[name], of["b-3_low"])
    assert (of["b-4"] != of["b-3_low"]).all()


def test_batches_know_the_values_that_releases_leave_open(
    left_open: tuple[Fit, str, str, str],
) -> None:
    """The second of two families; its release is the third that leaves a value open."""
    fit, _, variable, _ = left_open
    models = np.flatnonzero(fit.design.family_of_model == 1)
    batch = batch_of(fit.design, models)
    (dim,) = build_design(fit.spec, fit.design).named_vars_to_dims[f"{variable}_of_release"]
    assert batch.positions[dim].tolist() == [2]
    assert batch.design.use_release
    model = build_design(fit.spec, batch.design)
    assert model.named_vars_to_dims[f"{variable}_of_release"] == (dim,)
    slices = VariableSlices.of(build_design(fit.spec, fit.design))
    assert f"{variable}_of_release" not in slices.shared
    unit = units_of_latents(slices, fit.design)
    names = list(slices.shapes)
    before = names[: names.index(f"{variable}_of_release")]
    first = sum(int(np.prod(slices.shapes[name])) for name in before)
    assert unit[first : first + 3].tolist() == [0, 0, 1]


def test_rows_of_one_release_have_one_number_and_others_their_own() -> None:
    """Numbers of releases start after those of rows, so that they do not coincide."""
    (term,) = (t for t in terms_of(spec_of()) if isinstance(t, Residual))
    rows = ["x", "r1", "y", "r2", "r3", "r4"]
    alone = xr.Dataset({"residual": (("model", "skill"), np.zeros((1, 2)))}, {"model": ["x"]})
    assert term.linked_rows(alone, rows).tolist() == [0, 1, 2, 3, 4, 5]
    draws = alone.assign({ROW_RELEASE: (OTHER_SETTINGS, [1, 0, 0, 1])})
    draws = draws.assign_coords({OTHER_SETTINGS: ["r3", "r1", "r2", "r4"]})
    wanted = [0, 6, 2, 6, 7, 7]
    assert term.linked_rows(draws, rows).tolist() == wanted
    template = xr.Dataset({"residual": (("model", "skill"), np.zeros((6, 2)))}, {"model": rows})
    found = linked_rows(spec_of(), draws, template)
    assert {name: own.tolist() for name, own in found.items()} == {"residual": wanted}
