"""Centred coordinates: the same posterior in other variables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.dims import MODEL
from latentscale.engine.graphs import flat_graph, moved_by
from latentscale.maths import as_data
from latentscale.model.build import build_design
from latentscale.model.centring import (
    _NOISE_VARIANCE,
    can_be_moved,
    centred_coordinates,
    level_coordinates,
)
from latentscale.model.design import design
from latentscale.model.equations import latent_skill, linear_predictor
from latentscale.model.rows import known_in_graph
from latentscale.model.terms.base import Term, terms_of
from latentscale.model.undisclosed import rows_in_graph

NAMES = [
    *("intercept_raw", "signed_loading_raw", "precision_raw", "residual_raw", "model_group_raw"),
]
UNITS = [
    *("slope", "trend_scale", "residual_scale", "family_skill_raw", "lineage_skill_raw"),
    *("category_scale", "category_effect_raw"),
    *("signed_loading_mean", "signed_loading_spread", "signed_loading_group_spread"),
]
SPREAD = "signed_loading_spread"


@pytest.fixture(scope="module")
def small(small_scores: Scores) -> Scores:
    """Return dated models on benchmarks of two groups."""
    frame = small_scores.to_frame().drop(columns=["params_b", "tokens_t", "instruct"])
    frame["released"] = pd.Timestamp("2024-05-01") + pd.to_timedelta(
        40 * np.arange(len(frame)), unit="D"
    )
    frame["reasoning"] = np.arange(len(frame)) % 2
    frame["size_class"] = np.where(np.arange(len(frame)) % 3, "mini", "large")
    groups = {"alpha": "maths", "beta": "code", "gamma": "maths", "delta": "code"}
    info = {name: ls.Benchmark(group=group) for name, group in groups.items()}
    return Scores.from_frame(frame, benchmarks=info)


def of_skills(term: Term) -> bool:
    """Return whether a term adds intercepts or contributions of skills."""
    return term.kind in ("intercept", "loading")


@pytest.fixture(scope="module")
def moved(small: Scores) -> dict[str, Any]:
    """Return coordinates of skills that have separate spreads."""
    return movement(small, "by-skill")


@pytest.fixture(scope="module")
def shared(small: Scores) -> dict[str, Any]:
    """Return coordinates of skills that share their spreads."""
    return movement(small, "shared")


def movement(small: Scores, scales: str) -> dict[str, Any]:
    """Return each variable's value and log Jacobian as functions of the moved one, and a place."""
    import pytensor
    from pytensor.graph import clone_replace

    changes = {"name": "small", "skills.count": 2, "skills.identify.scales": scales}
    spec = ls.load_spec("capabilities").with_(changes)
    table = design(spec, small)
    model = build_design(spec, table)
    coordinates = centred_coordinates(spec, table, model)
    values, volume = moved_by(model, coordinates)
    points = [c.point for c in coordinates]
    others = [v for v in model.value_vars if v not in values]
    start = model.initial_point(random_seed=0)
    inputs = [*points, *others]
    named: Any = dict(model.named_vars) | {
        n: v for t in terms_of(spec) for n, v in t.fixed(table).items()
    }
    rows = replace(
        rows_in_graph(spec, table, named), family=as_data(table.family_of_model, (MODEL,))
    )
    skill: Any = latent_skill(spec, named, rows)
    predictor: Any = linear_predictor(spec, named, rows, skill, of_skills)
    own = [
        model["loading"].transpose("benchmark", "skill"),
        skill.transpose("model", "skill"),
        predictor,
    ]
    seen = clone_replace(model.replace_rvs_by_values(own), values, rebuild_strict=False)
    outputs = [flat_graph(list(values.values())), volume, *(flat_graph([v]) for v in seen)]
    function = pytensor.function(inputs, outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    rng = np.random.default_rng(1)
    shapes = [
        np.shape(start[str(model.rvs_to_values[model[c.variable]].name)]) for c in coordinates
    ]
    place = [0.5 * rng.standard_normal(shape) for shape in shapes]
    place += [
        start[str(v.name)] + 0.3 * rng.standard_normal(np.shape(start[str(v.name)])) for v in others
    ]
    dims = [model.named_vars_to_dims.get(c.variable, ()) for c in coordinates]
    dims += [model.named_vars_to_dims.get(str(model.values_to_rvs[v].name), ()) for v in others]
    return {
        "dims": dims,
        "values": [str(v.name) for v in values],
        "names": [c.variable for c in coordinates],
        "others": [str(v.name) for v in others],
        "function": function,
        "place": place,
    }


def test_skills_and_pooled_parameters_are_moved(moved: dict[str, Any]) -> None:
    assert sorted(moved["names"]) == sorted(NAMES + UNITS)


def test_what_has_a_skills_unit_moves_in_units_of_loadings(moved: dict[str, Any]) -> None:
    """u^2 = m^2 + s^2 + g^2 of mean, spread and groups' spread; r = p / u, effects x = p / u."""
    place = dict(zip(moved["names"], moved["place"], strict=False))
    flat = moved["function"](*moved["place"])[0]
    ends = np.cumsum([place[name.removesuffix("_log__")].size for name in moved["values"]])
    parts = np.split(flat, ends[:-1])
    value = {
        name.removesuffix("_log__"): part.reshape(place[name.removesuffix("_log__")].shape)
        for name, part in zip(moved["values"], parts, strict=True)
    }
    log_unit = place[SPREAD]
    mean, spread, of_groups = (
        value["signed_loading_mean"],
        np.exp(value[SPREAD]),
        np.exp(value["signed_loading_group_spread"]),
    )
    np.testing.assert_allclose(mean**2 + spread**2 + of_groups**2, np.exp(2 * log_unit), rtol=1e-9)
    np.testing.assert_allclose(mean / spread, np.sinh(place["signed_loading_mean"]), rtol=1e-9)
    ratio = of_groups / np.sqrt(mean**2 + spread**2)
    np.testing.assert_allclose(ratio, np.exp(place["signed_loading_group_spread"]), rtol=1e-9)
    for name in ("trend_scale", "residual_scale", "category_scale"):
        np.testing.assert_allclose(value[name], place[name] - log_unit, rtol=1e-9, err_msg=name)
    for name in ("slope", "family_skill_raw", "lineage_skill_raw"):
        wanted = place[name] * np.exp(-log_unit)
        np.testing.assert_allclose(value[name], wanted, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("scales", ["moved", "shared"])
def test_the_jacobian_is_that_of_the_change_of_variables(
    scales: str, request: pytest.FixtureRequest
) -> None:
    moved = request.getfixturevalue(scales)
    function, place, count = moved["function"], moved["place"], len(moved["names"])
    sizes = [part.size for part in place[:count]]
    middle = np.concatenate([part.ravel() for part in place[:count]])

    def value(flat: np.ndarray) -> np.ndarray:
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        shaped = [p.reshape(q.shape) for p, q in zip(parts, place, strict=False)]
        return np.asarray(function(*shaped, *place[count:])[0])

    columns = [(value(middle + s) - value(middle - s)) / 2e-5 for s in 1e-5 * np.eye(middle.size)]
    volume = np.linalg.slogdet(np.array(columns))[1]
    assert float(function(*place)[1]) == pytest.approx(volume, abs=1e-5)


@pytest.mark.parametrize("name", ["residual_raw", "signed_loading_raw"])
def test_intercepts_move_with_what_skills_add_at_the_mean_of_their_models(
    moved: dict[str, Any], name: str
) -> None:
    function, names = moved["function"], moved["names"]
    assert names[-1] == "intercept_raw"
    count = moved["place"][len(names) - 1].size

    def intercepts(shifted: str) -> np.ndarray:
        place = [p + (n == shifted) for p, n in zip(moved["place"], names, strict=False)]
        return np.asarray(function(*place, *moved["place"][len(names) :])[0])[-count:]

    assert (intercepts(name) != intercepts("none")).all()
    np.testing.assert_array_equal(intercepts("precision_raw"), intercepts("none"))


def test_a_skills_unit_can_change_by_itself(moved: dict[str, Any]) -> None:
    function, place = moved["function"], moved["place"]
    spread = moved["names"].index(SPREAD)
    changed = list(place)
    changed[spread] = place[spread] + np.log([2.0, 1.0])
    loading, skill, predictor = (np.asarray(v) for v in function(*place)[2:])
    other_loading, other_skill, same_predictor = (np.asarray(v) for v in function(*changed)[2:])
    factor = np.array([2.0, 1.0])
    np.testing.assert_allclose(other_loading.reshape(-1, 2), factor * loading.reshape(-1, 2))
    np.testing.assert_allclose(other_skill.reshape(-1, 2), skill.reshape(-1, 2) / factor)
    np.testing.assert_allclose(same_predictor, predictor, rtol=1e-9)


def test_a_unit_that_skills_share_can_change_by_itself(shared: dict[str, Any]) -> None:
    function, place = shared["function"], shared["place"]
    spread = shared["names"].index(SPREAD)
    changed = [p + np.log(2.0) if i == spread else p for i, p in enumerate(place)]
    loading, skill, predictor = (np.asarray(v) for v in function(*place)[2:])
    other_loading, other_skill, same_predictor = (np.asarray(v) for v in function(*changed)[2:])
    np.testing.assert_allclose(other_loading, 2 * loading)
    np.testing.assert_allclose(other_skill, skill / 2)
    np.testing.assert_allclose(same_predictor, predictor, rtol=1e-9)


def test_skills_that_share_their_spreads_turn_with_what_is_moved(shared: dict[str, Any]) -> None:
    """Rotating everything with a skill dim rotates skills and loadings and changes no score."""
    function, place = shared["function"], shared["place"]
    turn = np.array([[np.cos(0.7), np.sin(0.7)], [-np.sin(0.7), np.cos(0.7)]])
    turned = [
        np.moveaxis(np.moveaxis(p, d.index("skill"), -1) @ turn, -1, d.index("skill"))
        if "skill" in d
        else p
        for p, d in zip(place, shared["dims"], strict=True)
    ]
    assert sum("skill" in d for d in shared["dims"]) > 6
    _, volume, loading, skill, predictor = (np.asarray(v) for v in function(*place))
    _, same_volume, other_loading, other_skill, same = (np.asarray(v) for v in function(*turned))
    np.testing.assert_allclose(other_loading.reshape(-1, 2), loading.reshape(-1, 2) @ turn)
    np.testing.assert_allclose(other_skill.reshape(-1, 2), skill.reshape(-1, 2) @ turn)
    np.testing.assert_allclose(same, predictor, rtol=1e-9)
    assert same_volume == pytest.approx(volume)


def test_the_mean_of_all_models_moves_as_far_as_their_prior_leaves_it(
    moved: dict[str, Any], small: Scores
) -> None:
    """Scores determine differences between models, not their mean, which intercepts absorb."""
    counts = small.dataset["score"].notnull().sum("benchmark").values
    unit = np.sqrt(1 + counts / _NOISE_VARIANCE)[:, None]
    function, place, names = moved["function"], moved["place"], moved["names"]
    residuals, scale = names.index("residual_raw"), names.index("residual_scale")

    def skills(shift: np.ndarray) -> np.ndarray:
        there = [p + shift if i == residuals else p for i, p in enumerate(place)]
        return np.asarray(function(*there)[3]).reshape(-1, 2)

    here, shape = skills(np.zeros(())), place[residuals].shape
    of_all = skills(np.ones(shape)) - here
    first = sum(p.size for p in place[:scale])
    spread = np.exp(np.asarray(function(*place)[0])[first : first + 2])
    np.testing.assert_allclose(np.exp(np.log(of_all / unit).mean(axis=0)), spread)
    alone = np.zeros(shape)
    alone[0], alone[1] = 1, -1  # the mean does not change
    of_two = np.abs(skills(alone) - here)[:2].mean(axis=0)
    assert (of_two < of_all.mean(axis=0) / 2).all()


def test_a_common_level_of_all_models_moves_by_itself(moved: dict[str, Any]) -> None:
    """Intercepts absorb it; otherwise all its parts would have to move with residuals."""
    function, place = moved["function"], moved["place"]
    levels = moved["names"].index("category_effect_raw")
    common = np.zeros_like(place[levels])
    common[0] = 1.5  # the mean of the levels, in place of the first
    changed = [p + common if i == levels else p for i, p in enumerate(place)]
    _, skill, predictor = (np.asarray(v) for v in function(*place)[2:])
    _, higher, same = (np.asarray(v) for v in function(*changed)[2:])
    shift = (higher - skill).reshape(-1, 2)
    assert (abs(shift[0]) > 0.01).all()
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), rtol=1e-9)
    # All except what the intercepts' prior contributes: a share of 1 in 1 + 10 n for n scores.
    np.testing.assert_allclose(same, predictor, atol=0.01 * abs(shift).max())


def test_levels_move_by_their_mean_and_what_differs_between_them(moved: dict[str, Any]) -> None:
    """An orthogonal change of standard normals, which have the same prior afterwards."""
    count, levels = len(moved["names"]), moved["names"].index("category_effect_raw")
    ends = np.cumsum([part.size for part in moved["place"][:count]])
    point = moved["place"][levels]
    flat = np.split(moved["function"](*moved["place"])[0], ends[:-1])[levels]
    normals = flat.reshape(point.shape)
    np.testing.assert_allclose(np.sqrt(len(point)) * normals.mean(axis=0), point[0])
    np.testing.assert_allclose((normals**2).sum(axis=0), (point**2).sum(axis=0))


@pytest.mark.parametrize("spread", [0.02, 1.0])
def test_log_precisions_move_as_far_as_their_scores_say(
    moved: dict[str, Any], small: Scores, spread: float
) -> None:
    """n scores have information n / 2 on a log precision: centred, near spread 0 it is a funnel."""
    names, count = moved["names"], len(moved["names"])
    raw, log_spread = names.index("precision_raw"), moved["others"].index("precision_spread_log__")
    held = 0.5 * small.dataset["score"].notnull().sum("model").values
    place = list(moved["place"])
    place[count + log_spread] = np.log(spread)
    ends = np.cumsum([part.size for part in place[:count]])

    def normals(shift: float) -> np.ndarray:
        there = [part + shift * (i == raw) for i, part in enumerate(place)]
        return np.asarray(np.split(moved["function"](*there)[0], ends[:-1])[raw])

    wanted = np.sqrt((1 + held) / (1 + held * spread**2))
    np.testing.assert_allclose(normals(1.0) - normals(0.0), wanted, rtol=1e-9)


def test_what_many_scores_pin_down_moves_by_itself_and_the_rest_by_its_prior() -> None:
    from latentscale.model.centring import _share

    share = _share(np.array([200, 1, 0]), "model").eval()
    assert share[0] > 0.95 and share[1] < 0.5 and share[2] == 0


@pytest.mark.parametrize("spread", [0.01, 0.2, 3.0])
@pytest.mark.parametrize("precision", [0.0, 5.0, 400.0])
def test_a_standardised_effect_has_one_variance_given_scores_whatever_the_spread(
    spread: float, precision: float
) -> None:
    """Conjugate: given scores y of m + s z with precision q, z is normal."""
    import pytensor.xtensor as px

    from latentscale.model.centring import _standardised

    raw = px.xtensor("raw", dims=("model",), shape=(1,))
    means = []
    for middle in (-1.0, 2.0):
        known = (as_data(np.full(1, value), ("model",)) for value in (middle, spread, precision))
        coordinate = _standardised(raw, *known)
        at = [float(coordinate.value.eval({coordinate.point: np.full(1, p)})[0]) for p in (0, 1)]
        slope, z_at_0 = at[1] - at[0], at[0]
        assert float(coordinate.log_jacobian.eval()) == pytest.approx(np.log(slope))
        variance = 1 / (1 + precision * spread**2)
        mean = spread * precision * (0.7 - middle) * variance
        assert variance / slope**2 == pytest.approx(1 / (1 + precision))
        means.append((mean - z_at_0) / slope)
    assert means[0] == pytest.approx(means[1])


def test_a_levelled_intercept_leaves_the_mean_predictor_of_its_models_where_it_is_moved(
    small: Scores,
) -> None:
    """Also if terms take properties of benchmarks from the table, such as the group."""
    import pytensor
    from pytensor.graph import clone_replace

    changes = {"name": "levels", "benchmarks.pooled": False, "skills.count": 2}
    spec = ls.load_spec("capabilities").with_(changes)
    table = design(spec, small)
    model = build_design(spec, table)
    (moved,) = level_coordinates(spec, table, model)
    values, _ = moved_by(model, (moved,))
    known: Any = known_in_graph(spec, table) | model.named_vars
    known |= {name: v for term in terms_of(spec) for name, v in term.fixed(table).items()}
    rows = replace(
        rows_in_graph(spec, table, known), family=as_data(table.family_of_model, (MODEL,))
    )
    eta: Any = linear_predictor(spec, known, rows, latent_skill(spec, known, rows))
    flat = flat_graph([eta.transpose("benchmark", "model")])
    (seen,) = clone_replace(model.replace_rvs_by_values([flat]), values, rebuild_strict=False)
    inputs = [moved.point, *(v for v in model.value_vars if v not in values)]
    function = pytensor.function(inputs, seen, mode="FAST_COMPILE", on_unused_input="ignore")
    start, rng = model.initial_point(random_seed=0), np.random.default_rng(2)
    place = [rng.standard_normal(len(small.benchmarks))]
    place += [np.asarray(start[str(v.name)]) + 0.5 for v in inputs[1:]]
    measured = small.dataset["score"].transpose("benchmark", "model").notnull().values
    found = np.asarray(function(*place)).reshape(measured.shape)
    assert found.std(axis=1).min() > 0.01
    mean = (found * measured).sum(axis=1) / measured.sum(axis=1)
    np.testing.assert_allclose(mean, place[0], atol=1e-9)


def test_benchmarks_with_priors_of_their_own_are_left_as_they_are() -> None:
    assert can_be_moved(ls.load_spec("capabilities"))
    assert not can_be_moved(ls.load_spec("latentscale"))


@pytest.mark.parametrize(("mean", "spread"), [((2.0, 0.0), 0.1), ((0.3, -0.4), 1.0)])
def test_residuals_across_the_mean_of_loadings_are_centred_by_what_scores_say_there(
    mean: tuple[float, float], spread: float
) -> None:
    """Loadings of mean m and spread s have second moments m m' + s^2 I, over their average."""
    from latentscale.model.centring import _directions
    from latentscale.model.pooling import Pooling

    of_skills = Pooling(
        "loading", "real", *[ls.Prior("Normal", mu=0, sigma=1)] * 2, ("skill",), True
    )
    known = {
        "loading_mean": as_data(np.array(mean), ("skill",)),
        "loading_spread": as_data(np.array(spread), ()),
    }
    unit = np.sqrt((mean[0] ** 2 + mean[1] ** 2) / 2 + spread**2)
    along, across = _directions(known, of_skills, unit, 2)
    assert (along.count, across.count) == (1, 1)
    weights = [float(one.weight.eval()) for one in (along, across)]
    moments = (np.outer(mean, mean) + spread**2 * np.eye(2)) / unit**2
    np.testing.assert_allclose(sorted(weights), np.linalg.eigvalsh(moments), rtol=1e-6)
    vector = as_data(np.array([0.7, 0.2]), ("skill",))
    parts = [one.part(vector).eval() for one in (along, across)]
    np.testing.assert_allclose(sum(parts), [0.7, 0.2])
    assert parts[0] @ parts[1] == pytest.approx(0, abs=1e-9)
    assert parts[1] @ np.array(mean) == pytest.approx(0, abs=1e-9)
    assert len(_directions(known, of_skills, unit, 1)) == 1
