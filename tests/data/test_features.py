"""Features: how columns are read, the covariates that they produce, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data import CovariateTransform, planned_models
from latentscale.data.features import FEATURES, Feature
from latentscale.data.features.category import SIZE_LEVELS
from latentscale.data.known_features import features_of, kinds_among
from latentscale.declare.undisclosed import DEPEND_ON_TOKENS
from latentscale.errors import DataError, DataWarning, SpecError

CONTEXT = Feature("context_k", transform="log", unit="thousand tokens")
COLUMNS = {
    "released": [
        "2024-01-01",
        "2024-07-01",
        "2025-01-01",
        "2025-07-01",
        "2025-07-01",
        "2026-01-01",
    ],
    "reasoning": ["no", "no", "yes", "no", "yes", "yes"],
    "context_k": [8.0, 32, 128, 128, 128, 1000],
    "provider": ["A", "A", "B", "B", "B", None],
    "tier": ["mini", "pro", "mini", "flash", "flash", "pro"],
}
TIER = Feature("tier", kind="ordered", levels=("mini", "flash", "pro"))


@pytest.fixture
def rich(table: pd.DataFrame) -> pd.DataFrame:
    """The small table without sizes, with features of every kind."""
    return table.drop(columns=["params_b", "tokens_t"]).assign(**COLUMNS)


def read(frame: pd.DataFrame, *features: object) -> ls.Scores:
    return ls.Scores.from_frame(frame, features=features)


def raw(scores: ls.Scores, *names: str) -> CovariateTransform:
    return CovariateTransform.fit(scores, names)


def standard(values: object) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return (array - array.mean()) / array.std()


def test_a_table_needs_names_of_models_and_families_alone(table):
    scores = ls.Scores.from_frame(table[["model", "family", "mmlu"]])
    assert scores.dataset["params"].isnull().all() and scores.dataset["tokens"].isnull().all()
    assert scores.features == ()


def test_kinds_are_read_off_columns_that_are_only_named(rich):
    scores = read(rich, "released", "reasoning", CONTEXT, "provider", TIER)
    kinds = {feature.name: feature.kind for feature in scores.features}
    assert kinds == {
        "instruct": "flag",
        "released": "date",
        "reasoning": "flag",
        "context_k": "numeric",
        "provider": "category",
        "tier": "ordered",
    }
    other = read(
        rich.rename(columns={"reasoning": "thinks", "released": "day"}),
        "thinks",
        "day",
        "context_k",
        "provider",
        "tier",
    )
    assert [f.kind for f in features_of(other.dataset)] == [
        "flag",
        "date",
        "numeric",
        "category",
        "category",
    ]


def test_covariates_of_every_kind_against_numpy(rich):
    scores = read(rich, CONTEXT, TIER)
    transform = raw(scores, "released", "reasoning", "context_k", "tier", "released:released")
    x = transform.apply(scores.dataset)
    days = (pd.to_datetime(pd.Series(COLUMNS["released"])) - pd.Timestamp("2020-01-01")).dt.days
    years = standard(days / 365.25)
    wanted = {
        "released": years,
        "reasoning": [0, 0, 1, 0, 1, 1],
        "context_k": standard(np.log(COLUMNS["context_k"])),
        "tier": standard([0, 2, 0, 1, 1, 2]),
        "released:released": years**2,
    }
    for name, values in wanted.items():
        np.testing.assert_allclose(x.sel(covariate=name), values, atol=1e-12)


def test_a_category_is_pooled_or_coded_by_a_reference(rich):
    rich = rich.assign(provider=["A", "A", "B", "B", "C", "C"])
    pooled = raw(read(rich, CONTEXT, TIER), "provider", "released")
    assert pooled.columns == ("released",)
    assert pooled.levels == ("provider=A", "provider=B", "provider=C")
    coded = read(rich, CONTEXT, TIER, Feature("provider", kind="category", coding="reference"))
    transform = raw(coded, "provider", "provider=C:released")
    assert transform.columns == ("provider=B", "provider=C", "provider=C:released")
    x = transform.apply(coded.dataset)
    assert x.sel(covariate="provider=B").values.tolist() == [0, 0, 1, 1, 0, 0]


def test_an_empty_category_leaves_a_row_out_or_is_a_level(rich):
    scores = read(rich, CONTEXT, TIER)
    assert raw(scores, "provider").missing(scores.dataset)["provider"].tolist() == [False] * 5 + [
        True
    ]
    level = read(rich, CONTEXT, TIER, Feature("provider", kind="category", missing="level"))
    assert raw(level, "provider").levels == ("provider=(missing)", "provider=A", "provider=B")


def test_compute_is_the_column_where_it_is_filled(table):
    table = table.assign(flops=[1e24, *[np.nan] * 5])
    scores = ls.Scores.from_frame(table)
    table.loc[0, ["params_b", "tokens_t"]] = np.nan
    with pytest.warns(ls.DataWarning, match="no size"):
        hidden = ls.Scores.from_frame(table)
    for each in (scores, hidden):
        transform = raw(each, "log_flops")
        assert not transform.missing(each.dataset)
        flops = np.log([1e24, 4.2e22, 2.4e22, 9.6e22, 9.6e22, 9e21])
        x = transform.apply(each.dataset).sel(covariate="log_flops")
        np.testing.assert_allclose(x, standard(flops), rtol=1e-9)


def test_features_stay_with_the_table(rich):
    scores = read(rich, CONTEXT, TIER)
    part = scores.select(models=["bee-2b", "cat-3b"])
    assert part.features == scores.features
    again = ls.Scores.from_frame(scores.to_frame(), features=features_of(scores.dataset))
    for name in ("released", "reasoning", "context_k", "provider", "tier"):
        assert again.dataset[name].equals(scores.dataset[name])


def test_a_long_table_repeats_features_and_names_disagreement(rich):
    own = ["model", "family", "lineage", "instruct", *COLUMNS]
    long = rich.melt(id_vars=own, var_name="benchmark", value_name="score").dropna(subset="score")
    scores = ls.Scores.from_long(long, features=[CONTEXT, TIER])
    wide = read(rich, CONTEXT, TIER)
    for name in COLUMNS:
        assert scores.dataset[name].equals(wide.dataset[name])
    long = long.reset_index(drop=True)
    long.loc[0, "tier"] = "pro"
    with pytest.raises(DataError, match='column "tier": model "ant-1b" has different values'):
        ls.Scores.from_long(long, features=[CONTEXT, TIER])


def test_a_transform_with_features_survives_json(rich):
    scores = read(rich, CONTEXT, TIER, Feature("provider", kind="category", missing="level"))
    transform = raw(scores, "provider", "released", "context_k", "tier:reasoning")
    back = CovariateTransform.from_dict(json.loads(json.dumps(transform.to_dict())))
    assert back == transform
    assert back.apply(scores.dataset).equals(transform.apply(scores.dataset))


def test_what_lies_outside_the_fitted_range_is_said_in_the_features_own_terms(rich):
    scores = read(rich.assign(provider=list("AABBCC")), CONTEXT, TIER)
    transform = raw(scores, "released", "provider", "context_k")
    rows = pd.DataFrame(
        {"model": ["m"], "family": ["f"], "released": ["2027-03-01"], "provider": ["D"]}
    ).assign(context_k=128)
    planned = planned_models(rows, (), fitted=scores.dataset, uses=["released", "provider"])
    assert transform.extrapolates(planned)["m"] == (
        "released above the fitted range (2027-03-01 > 2026-01-01); provider=D not fitted"
    )


def test_a_row_takes_what_its_family_shares(rich):
    scores = read(rich.assign(provider=list("AABBCC")), CONTEXT, TIER)
    rows = pd.DataFrame({"model": ["new", "other"], "family": ["ant", "bee"]})
    uses = ["provider", "released", "tier"]
    planned = planned_models(rows, (), fitted=scores.dataset, uses=uses)
    assert planned["provider"].values.tolist() == ["A", "B"]
    assert planned["released"].isnull().all()  # differs within the family
    assert planned["assumed"].values[0] == "provider=A (family)"


@pytest.mark.parametrize(
    ("column", "value", "feature", "said"),
    [
        ("context_k", 0, CONTEXT, 'row 1 (model "ant-7b"), column "context_k": 0. Its logarithm'),
        ("context_k", "many", CONTEXT, "This is text"),
        ("tier", "prp", TIER, 'column "tier": \'prp\'. Allowed levels: "mini", "flash", "pro"'),
        ("released", "soon", "released", "Expected a date"),
        ("reasoning", "perhaps", "reasoning", "yes or no"),
    ],
)
def test_a_bad_cell_is_named(rich, column, value, feature, said):
    rich[column] = rich[column].astype(object)
    rich.loc[1, column] = value
    others = [f for f in (CONTEXT, TIER) if f != feature]
    with pytest.raises(DataError) as caught:
        read(rich, feature, *others)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "date", "transform": "log"}, "transform does nothing"),
        ({"kind": "flag", "unit": "s"}, "unit does nothing"),
        ({"kind": "numeric", "levels": ("a", "b")}, "levels does nothing"),
        ({"kind": "numeric", "missing": "level"}, "missing"),
        ({"kind": "ordered"}, "give its levels"),
        ({"levels": ("a", "b")}, "say whether they are in order"),
        ({"kind": "numric"}, 'Did you mean "numeric"'),
        ({"transform": "lg"}, 'Did you mean "log"'),
        ({"coding": "dummy"}, "coding"),
        ({"kind": "category", "levels": ("a", "a")}, "repeated"),
        ({"kind": "category", "levels": "ab"}, "list of names"),
    ],
)
def test_a_setting_that_does_nothing_is_refused(settings, said):
    with pytest.raises(SpecError, match=said):
        Feature("x", **settings)


@pytest.mark.parametrize("name", ["", " x", "a:b", "a=b", "score", "family", 3])
def test_names_that_mean_something_else_are_refused(name):
    with pytest.raises(SpecError):
        Feature(name)


def test_declarations_are_checked_against_the_table(rich):
    with pytest.raises(SpecError, match=r'no column "releasd".* Did you mean "released"'):
        read(rich, "releasd")
    with pytest.raises(SpecError, match="declared twice"):
        read(rich, "tier", TIER)
    with pytest.raises(SpecError, match="cannot be changed"):
        read(rich, Feature("released", kind="category"))
    with pytest.raises(SpecError, match="list of names"):
        ls.Scores.from_frame(rich, features="released")


def test_a_column_of_text_or_other_numbers_is_named_and_never_a_benchmark(rich):
    with pytest.raises(DataError) as caught:
        ls.Scores.from_frame(rich)
    message = str(caught.value)
    assert 'features=["context_k"]' in message and 'features=["tier"]' in message


@pytest.mark.parametrize("features", [None, ["size_class"]])
def test_a_size_class_is_known_and_empty_cells_of_it_are_a_level(table, features):
    sizes = ["mini", "mini", "large", None, "large", "large"]
    scores = ls.Scores.from_frame(table.assign(size_class=sizes), features=features)
    (kind,) = raw(scores, "size_class").kinds
    assert kind.feature.levels == ("(missing)", "large", "mini")


def test_a_benchmark_with_the_name_of_a_known_feature_stays_one(table):
    scores = ls.Scores.from_frame(table.assign(reasoning=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert "reasoning" in scores.benchmarks
    percent = table.assign(reasoning=[10.0, 20, 30, 40, 50, 60])
    stated = ls.Scores.from_frame(percent, benchmarks={"reasoning": ls.Benchmark(scale="percent")})
    assert "reasoning" in stated.benchmarks


@pytest.mark.parametrize(
    ("covariate", "said"),
    [
        ("relased", 'Did you mean "released"'),
        ("params_b", '"log_params"'),
        ("provider:released", "not one number"),
        ("lineage", "family.lineage"),
        ("colour", 'features=["colour"]'),
    ],
)
def test_a_covariate_that_no_feature_gives_is_named(rich, covariate, said):
    scores = read(rich, CONTEXT, TIER)
    with pytest.raises(SpecError, match=said.replace("[", r"\[").replace("]", r"\]")):
        raw(scores, covariate)


def test_every_registered_kind_reads_and_returns_its_own_values():
    cells = {
        "numeric": [1.5, 2.0],
        "date": ["2024-01-01", "2025-01-01"],
        "flag": [0, 1],
        "category": ["a", "b"],
        "ordered": ["a", "b"],
        "compute": [1e22, 1e23],
    }
    assert set(FEATURES) == set(cells)
    for name, values in cells.items():
        levels = ("a", "b") if name == "ordered" else ()
        kind = FEATURES[name](Feature("flops" if name == "compute" else "x", name, levels=levels))
        read_values, problems = kind.read(pd.Series(values), ["m", "n"])
        assert not problems
        kept = kind.kept(pd.Series(read_values), 2)
        again, _ = kind.read(pd.Series(kind.cells(kept)), ["m", "n"])
        np.testing.assert_array_equal(kind.kept(pd.Series(again), 2), kept)


def test_the_covariates_that_depend_on_tokens_are_those_that_declare_names(rich) -> None:
    table = ls.Scores.from_frame(rich[["model", "family", "mmlu"]]).dataset
    kinds = kinds_among(()).values()
    depend = {k.covariate for k in kinds if "tokens_t" in k.missing(table)}
    assert depend == set(DEPEND_ON_TOKENS)


def test_a_column_is_a_feature_or_a_benchmark(table: pd.DataFrame) -> None:
    wide = table.assign(reasoning=[0, 1, 0, 1, 1, 0])
    benchmarks = {"reasoning": ls.Benchmark()}
    with pytest.raises(DataError, match='"reasoning" is declared as a feature and as a benchmark'):
        ls.Scores.from_frame(wide, features=["reasoning"], benchmarks=benchmarks)


def test_levels_that_differ_in_spelling_alone_are_named(table):
    """Levels of known and declared categories, within a table and compared with fitted levels."""
    own = table.assign(provider=["Lab", "lab", "Other"] * 2, region=["EU", "E.U.", None] * 2)
    features = ["provider", Feature("region", missing="level")]
    with pytest.warns(DataWarning, match='"Lab", "lab" differ only'):
        scores = ls.Scores.from_frame(own, features=features)
    assert [one.where for one in scores.audit.filter("similar-names")] == ["provider", "region"]
    row = pd.DataFrame({"model": ["n"], "family": ["f"], "region": "eu", "provider": "Lab"})
    with pytest.warns(DataWarning, match='"eu" differs from the fitted region "EU".*not fitted'):
        planned_models(row, scores.benchmarks, fitted=scores.dataset)


@pytest.mark.parametrize("features", [None, ["size_class"]])
def test_a_size_class_that_is_not_known_is_refused_unless_levels_are_declared(table, features):
    named = table.assign(size_class=["Small", "small", "unknown", None, "tiny", "mini"])
    with pytest.raises(DataError, match=r"2 problems\.\n.*Did you mean .small.") as caught:
        ls.Scores.from_frame(named, features=features)
    assert 'row 4 (model "' in str(caught.value) and "levels=[...]" in str(caught.value)
    named["size_class"] = named["size_class"].replace("Small", "XL")
    declared = Feature("size_class", "category", levels=("XL", "small", "tiny", "mini", "unknown"))
    kept = ls.Scores.from_frame(named, features=[declared])
    again = ls.Scores.from_frame(kept.to_frame(), features=kept.features)
    assert again.to_frame()["size_class"].tolist() == named["size_class"].tolist()
    row = pd.DataFrame({"model": ["n"], "family": ["f"], "size_class": "tiny"})
    assert planned_models(row, kept.benchmarks, fitted=kept.dataset)["size_class"].item() == "tiny"


def test_the_size_classes_read_from_names_are_the_levels_that_tables_allow(table):
    levels = ls.readers.size_class(["a-1b"]).levels
    assert levels == SIZE_LEVELS
    read = ls.Scores.from_frame(table.assign(size_class=list(levels)))
    assert read.to_frame()["size_class"].tolist() == list(levels)
    named = table.assign(size_class=[*levels[1:], "other"])
    with pytest.raises(DataError, match=r"1 problem\.\n.*Allowed levels: ") as caught:
        ls.Scores.from_frame(named)
    assert ", ".join(f'"{level}"' for level in levels) in str(caught.value)
