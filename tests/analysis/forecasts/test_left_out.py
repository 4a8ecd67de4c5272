"""Values that rows leave out: which value the forecast uses, and the column that says so."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError
from latentscale.posterior.fit import Fit

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")

FEATURES = [
    ls.Feature("ctx", transform="log", missing="estimated"),
    ls.Feature("eff", kind="category", missing="level"),
    ls.Feature("day", kind="date", missing="estimated"),
]
MODELS = {
    "model": ["a-1", "a-2", "b-1", "b-2", "c-1", "c-2"],
    "family": ["alpha", "alpha", "beta", "beta", "gamma", "gamma"],
    "ctx": [8.0, np.nan, 16.0, 64.0, 8.0, 32.0],
    "eff": ["low", None, "high", "high", "low", None],
    "day": ["2024-01-01", "2024-03-01", None, "2024-09-01", "2024-11-01", "2025-01-01"],
    "mmlu": [0.4, 0.5, 0.6, 0.65, 0.7, 0.75],
    "arc": [0.5, 0.45, 0.6, 0.7, 0.8, 0.7],
}
ROW = {"model": "new", "family": "beta", "ctx": 16.0, "eff": "low", "day": "2024-05-01"}


@pytest.fixture(scope="module")
def fit(prior_fit: Callable[..., Fit]) -> Fit:
    document = {
        "name": "left out",
        "covariates": ["ctx", "eff", "day"],
        "family": {"level": "partial"},
    }
    scores = ls.Scores.from_frame(pd.DataFrame(MODELS), features=FEATURES)
    return prior_fit(spec_from_dict(document), scores)


def forecast(fit: Fit, **changed: object) -> tuple[np.ndarray, str]:
    """Return means and what was assumed; a value None leaves the column out."""
    row = {name: cell for name, cell in {**ROW, **changed}.items() if cell is not None}
    made = ls.predict(fit, pd.DataFrame([row]), seed=1)
    return made.mean_draws.values, made.table()["assumed"].iloc[0]


@pytest.mark.parametrize(
    ("family", "stated", "said"),
    [
        ("beta", "high", "eff=high (family)"),
        ("gamma", "(missing)", "eff=(missing) (left out)"),
        ("new", "(missing)", "eff=(missing) (left out)"),
    ],
)
def test_a_missing_level_counts_as_a_value_of_the_models_that_have_it(
    fit: Fit, family: str, stated: str, said: str
) -> None:
    means, assumed = forecast(fit, family=family, eff=None)
    assert assumed == said
    assert np.array_equal(means, forecast(fit, family=family, eff=stated)[0])


def test_values_that_are_drawn_are_said_to_be(fit: Fit) -> None:
    means, assumed = forecast(fit, ctx=None)
    assert assumed == "ctx drawn (prior)"
    assert np.ptp(means - forecast(fit)[0]) > 0


def test_a_fitted_model_has_what_was_fitted_of_it(fit: Fit) -> None:
    row = {"model": "a-2", "family": "alpha", "eff": None, "ctx": None, "day": None}
    means, assumed = forecast(fit, **row)
    assert sorted(assumed.split("; ")) == [
        "ctx estimated (fitted model)",
        "day=2024-03-01 (fitted model)",
        "eff=(missing) (left out)",
    ]
    assert np.array_equal(means, forecast(fit, **{**row, "day": "2024-03-01"})[0])
    with pytest.raises(DataError, match="has 2024-03-01, this row 2024-04-01"):
        forecast(fit, **{**row, "day": "2024-04-01"})


def test_a_number_beyond_the_fitted_ones_is_shown_as_the_column_has_it(fit: Fit) -> None:
    made = ls.predict(fit, pd.DataFrame([{**ROW, "ctx": 512.0}]), seed=1).table()
    assert made["extrapolates"].iloc[0] == "ctx above the fitted range (512 > 64)"


def test_tokens_that_are_drawn_are_said_to_be(prior_fit: Callable[..., Fit]) -> None:
    table = pd.DataFrame(MODELS).drop(columns=["ctx", "eff", "day"])
    table = table.assign(params_b=[1.0, 2, 4, 8, 16, 32], tokens_t=[1.0, np.nan, 2, 2, 3, 3])
    document = {
        "name": "tokens",
        "covariates": ["log_tokens"],
        "family": {"level": "partial"},
        "undisclosed": {"kind": "estimated"},
    }
    of_tokens = prior_fit(spec_from_dict(document), ls.Scores.from_frame(table))
    rows = table.assign(model=["a-3", "a-2", "b-3", "b-2", "c-1", "c-2"])
    rows["tokens_t"] = [np.nan, np.nan, np.nan, 2, 3, 3]
    rows = rows.drop(columns=["mmlu", "arc"]).iloc[:4]
    said = ls.predict(of_tokens, rows, seed=1).table().drop_duplicates("model")["assumed"]
    assert said.tolist() == [
        "tokens_t drawn (prior)",
        "tokens_t estimated (fitted model)",
        "tokens_t drawn (prior)",
        "",
    ]


@pytest.fixture(scope="module")
def of_names(prior_fit: Callable[..., Fit]) -> Fit:
    names = ["GPT-4o", "GPT-5", "Claude Opus 4", "Claude Opus 4.1", "Gemini 2.5 Pro", "o3"]
    scores = [40.0, 85.0, 76.0, 80.0, 84.0, 83.0]
    table = pd.DataFrame({"Model": names, "GPQA": scores, "HLE": [3.0, 25, 10, 11, 20, 20]})
    document = {
        "name": "names",
        "covariates": ["reasoning"],
        "family": {"level": "partial", "lineage": True},
    }
    return prior_fit(spec_from_dict(document), ls.readers.read_scores(table))


def test_rows_need_no_family_where_the_table_needs_none(of_names: Fit) -> None:
    rows = pd.DataFrame({"model": ["GPT-6", "GPT-5", "Nova Pro", "Grok 5"]})
    made = ls.predict(of_names, rows, seed=1)
    table = made.table().drop_duplicates("model").set_index("model")
    assert table["basis"].tolist() == ["known family", "fitted model", "new family", "new family"]
    said = table["assumed"]
    assert "family=gpt (name); reasoning=1 (name)" in said["GPT-6"]
    assert "family=gpt (fitted model)" in said["GPT-5"] and "reasoning=1" in said["GPT-5"]
    stated = rows.assign(family=["gpt", "gpt", "nova-pro", "grok"], reasoning=[1, 1, 0, 1])
    stated["lineage"] = ["", "", "Amazon", "xAI"]
    again = ls.predict(of_names, stated, seed=1)
    assert np.array_equal(made.mean_draws.values, again.mean_draws.values)


@pytest.mark.parametrize(
    ("row", "lineage", "said"),
    [
        ({"model": "GPT-6 Sora", "family": "sora"}, "OpenAI", "lineage=OpenAI (name)"),
        (
            {"model": "Omni 1", "family": "omni", "provider": "OpenAI"},
            "OpenAI",
            "lineage=OpenAI (provider)",
        ),
        (
            {"model": "Omni 1", "provider": "OpenAI"},
            "OpenAI",
            "family=omni (name); lineage=OpenAI (provider)",
        ),
        ({"model": "Omni 1", "family": "omni"}, "omni", "lineage=omni (the family's own)"),
        ({"model": "Gemma 4"}, "Google", "family=gemma (name); lineage=Google (name)"),
    ],
)
def test_a_new_family_has_the_lineage_of_its_provider(
    of_names: Fit, row: dict[str, str], lineage: str, said: str
) -> None:
    made = ls.predict(of_names, pd.DataFrame([row]), seed=1)
    assert made.models["lineage"].values.tolist() == [lineage]
    assert said in made.table()["assumed"].iloc[0]
    family = made.models["family"].values[0]
    stated = pd.DataFrame([row]).assign(family=family, lineage=lineage)
    assert np.array_equal(made.draws.values, ls.predict(of_names, stated, seed=1).draws.values)


@pytest.mark.parametrize(
    ("provider", "lineage"), [("Google DeepMind", "Google DeepMind"), ("", "")]
)
def test_a_provider_by_name_is_spelt_as_the_table_has_it(
    prior_fit: Callable[..., Fit], provider: str, lineage: str
) -> None:
    names = ["Gemini 2.5 Pro", "Gemini 2.0 Flash", "GPT-5"]
    table = pd.DataFrame({"Model": names, "GPQA": [84.0, 60.0, 85.0], "HLE": [20.0, 6, 25]})
    if provider:
        table["Organization"] = [provider, provider, "OpenAI"]
    else:  # lineages that are not providers cannot take one
        table = table.assign(family=["gemini", "gemini", "gpt"], lineage=["x", "x", "y"])
    document = {"name": "x", "covariates": [], "family": {"level": "partial", "lineage": True}}
    made = prior_fit(spec_from_dict(document), ls.readers.read_published(table), draws=4)
    rows = pd.DataFrame({"model": ["Gemma 4"], "family": ["gemma"]})
    used = ls.predict(made, rows).models["lineage"].values.tolist()
    assert used == [lineage or "gemma"]


def test_rows_need_a_family_where_the_table_states_other_ones(fit: Fit) -> None:
    with pytest.raises(DataError, match='column "family": this required column'):
        ls.predict(fit, pd.DataFrame([{k: v for k, v in ROW.items() if k != "family"}]))
    fitted = pd.DataFrame([{"model": "b-1", "ctx": 16.0, "eff": "high"}])
    assert ls.predict(fit, fitted).table()["basis"].unique().tolist() == ["fitted model"]


@pytest.fixture(scope="module")
def sized(prior_fit: Callable[..., Fit]) -> Fit:
    table = pd.DataFrame(MODELS)[["model", "family", "mmlu", "arc"]].assign(
        params_b=[1.0, 2, 4, 8, 16, 32],
        tokens_t=[1.0, 1, 2, 2, 3, 3],
        released=[
            "2024-01-01",
            "2024-01-03",
            "2024-03-01",
            "2024-03-03",
            "2024-05-01",
            "2024-05-03",
        ],
    )
    document = {
        "name": "sized",
        "covariates": ["log_params", "log_tokens", "released"],
        "family": {"level": "partial"},
    }
    return prior_fit(spec_from_dict(document), ls.Scores.from_frame(table, features=["released"]))


def test_curves_and_budgets_say_at_what_features_are_held(sized: Fit) -> None:
    plan = ls.optimal_allocation(sized, flops=3e22, family="beta", target="arc")
    assert plan.held == "released held at 2024-03-02" and plan.held in plan.headline
    needed = ls.flops_for_target(sized, "mmlu", 0.6, family="beta", points=5)
    assert needed.held == plan.held and needed.held in needed.headline
    assert plan.held in ls.scaling_curve(sized, family="beta", points=2).held


def test_a_new_family_is_followed_with_the_features_that_its_rows_state(sized: Fit) -> None:
    row = {"model": "d-1", "family": "delta", "params_b": 8.0, "tokens_t": 2.0}
    needed = {
        day: ls.flops_for_target(
            sized,
            "mmlu",
            0.6,
            family="delta",
            given=pd.DataFrame([{**row, "released": day}]),
            points=9,
            seed=1,
        )
        for day in ("2024-04-01", "2026-04-01")
    }
    assert [one.held for one in needed.values()] == [f"released held at {day}" for day in needed]
    slopes = sized.samples["slope"].sel(covariate="released")
    early, late = (one.reached.values for one in needed.values())
    assert slopes.size and not np.array_equal(early, late)


@pytest.mark.parametrize(("fitted", "said"), [(0, "above .*yes > no"), (1, "below .*no < yes")])
def test_a_tuned_model_beside_base_models_alone_extrapolates(
    prior_fit: Callable[..., Fit], fitted: int, said: str
) -> None:
    """As where instruct is a covariate: scores do not determine what tuning adds to a benchmark."""
    table = pd.DataFrame(MODELS).drop(columns=["ctx", "eff", "day"]).assign(instruct=fitted)
    document = {"name": "x", "covariates": [], "benchmarks": {"instruct": {"shift": True}}}
    made = prior_fit(spec_from_dict(document), ls.Scores.from_frame(table), draws=4)
    rows = pd.DataFrame({"model": ["x", "y"], "family": "alpha", "instruct": [0, 1]})
    texts = ls.predict(made, rows).table().groupby("model")["extrapolates"].first()
    assert texts.iloc[fitted] == ""
    assert re.fullmatch(f"instruct {said}.*", texts.iloc[1 - fitted])


@pytest.fixture(scope="module")
def of_statements(prior_fit: Callable[..., Fit]) -> Fit:
    """A fit of a table whose reasoning and size class do not follow from the models' names."""
    names = ["nova-1", "nova-2", "nova-mini-1", "nova-mini-2", "vega-1", "vega-2"]
    features = {
        "reasoning": [0, 1, 0, 1, 0, 1],
        "size_class": ["large", "large", "small", "small", "large", "large"],
        "released": ["2024-01-01", "2025-01-01"] * 3,
    }
    scores = {"quiz": [0.3, 0.6, 0.2, 0.5, 0.35, 0.65], "exam": [0.2, 0.5, 0.1, 0.4, 0.3, 0.6]}
    table = pd.DataFrame({"model": names} | scores | features)
    table["family"] = ["nova", "nova", "nova-mini", "nova-mini", "vega", "vega"]
    table["lineage"] = ["Nova", "Nova", "Nova", "Nova", "Vega", "Vega"]
    document = {
        "name": "stated",
        "covariates": list(features),
        "family": {"level": "partial", "lineage": True},
    }
    return prior_fit(spec_from_dict(document), ls.Scores.from_frame(table))


def test_names_give_no_feature_of_a_hubs_row_unless_they_gave_those_of_fitted_models(
    of_statements: Fit,
) -> None:
    hub = pd.DataFrame({"Model": ["nova-mini-3"], "Release date": ["2026-01-01"]})
    with pytest.raises(DataError, match=r"needs reasoning .* reasoning is empty for"):
        ls.predict(of_statements, ls.readers.read_planned(hub))
    rows = ls.readers.read_planned(hub.assign(Reasoning="yes"))
    made = ls.predict(of_statements, rows, seed=1)
    assumed = "size_class=small (family); lineage=Nova (family)"
    assert set(made.table()["assumed"]) == {assumed}
    stated = {"model": "nova-mini-3", "family": "nova-mini", "released": "2026-01-01"}
    stated |= {"reasoning": 1, "size_class": "small", "lineage": "Nova"}
    again = ls.predict(of_statements, pd.DataFrame([stated]), seed=1)
    assert np.array_equal(made.draws.values, again.draws.values)


@pytest.mark.filterwarnings("error::latentscale.errors.DataWarning")
@pytest.mark.parametrize(
    ("model", "provider", "lineage"),
    [("nova-mini-3", None, "Nova"), ("ultra-1", "Nova", "Nova"), ("ultra-1", None, "ultra")],
)
def test_a_lineage_that_a_hubs_row_does_not_state_is_not_said_to_be_stated(
    of_statements: Fit, model: str, provider: str | None, lineage: str
) -> None:
    hub = pd.DataFrame({"Model": [model], "Release date": "2026-01-01", "Reasoning": "yes"})
    hub = hub if provider is None else hub.assign(Organization=provider)
    made = ls.predict(of_statements, ls.readers.read_planned(hub), seed=1)
    assert made.models["lineage"].values.tolist() == [lineage]


def test_all_features_that_rows_leave_out_are_named_at_once(of_statements: Fit) -> None:
    rows = pd.DataFrame({"model": ["nova-3", "vega-3"], "family": ["nova", "vega"]})
    rows["reasoning"] = [1, None]
    with pytest.raises(DataError) as caught:
        ls.predict(of_statements, rows)
    said = str(caught.value)
    assert 'reasoning is empty for "vega-3"; released is empty for "nova-3", "vega-3"' in said
