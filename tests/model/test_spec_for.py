"""The spec that suits a table's data, and the reasons."""

from __future__ import annotations

import pandas as pd
import pytest

import latentscale as ls
from latentscale.model.feasible import feasible

ROWS = pd.DataFrame(
    {
        "model": ["a1", "a2", "b1", "c1"],
        "family": ["a", "a", "b", "c"],
        "quiz": [0.2, 0.3, 0.5, 0.6],
        "sums": [0.3, 0.4, 0.5, 0.7],
        "code": [0.3, 0.2, 0.5, 0.7],
    }
)
SIZES = {"params_b": [1, 3, 7, None], "tokens_t": [2, 2, None, None]}
DATES = {"released": ["2024-01-01", "2024-06-01", "2025-01-01", None]}


def chosen(spec: str = "auto", **columns: list) -> ls.results.SpecChoice:
    return ls.spec_for(ls.Scores.from_frame(ROWS.assign(**columns)), spec)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (SIZES, "latentscale"),
        (SIZES | DATES, "latentscale_dated"),
        (SIZES | {"released": ["2024-01-01"] * 4}, "latentscale"),
        (SIZES | {"released": ["2024-01-01", None, None, None]}, "latentscale"),
        ({"params_b": [1, None, None, None]}, "capabilities"),
        (DATES, "capabilities"),
        ({}, "capabilities"),
    ],
)
def test_the_spec_follows_from_what_most_models_state(columns: dict, name: str) -> None:
    choice = chosen(**columns)
    assert choice.spec.name == name and f"the spec is {name}" in choice.reasons[0]


@pytest.mark.parametrize(
    ("tokens", "sizes", "name"),
    [
        ([0.1, 0.2, 0.3, 0.4], [1, 1, 1, 1], "checkpoints"),
        ([0.1, 0.2, 0.3, 0.3], [1, 1, 1, 7], "checkpoints"),
        ([0.1, 0.2, 0.3, 0.3], [1, 3, 7, 13], "latentscale"),
        ([0.1, 0.2, 0.2, 0.1], [1, 1, 1, 1], "latentscale"),
    ],
)
def test_models_of_one_family_and_size_at_several_tokens_are_checkpoints(
    tokens: list[float], sizes: list[float], name: str
) -> None:
    choice = chosen(family=["run"] * 4, tokens_t=tokens, params_b=sizes)
    assert choice.spec.name == name and f"the spec is {name}" in choice.reasons[0]


def test_the_choice_can_be_fitted_and_names_what_it_leaves_out() -> None:
    choice = chosen(**SIZES)
    assert choice.spec.undisclosed.kind == "estimated"
    assert any("1 of 4 models state no size" in reason for reason in choice.reasons)
    kept = ls.Scores.from_frame(ROWS.iloc[:3].assign(params_b=[1, 3, 7], tokens_t=[2, 2, None]))
    assert ls.build(choice.spec, kept).free_RVs


def test_a_table_of_which_more_than_a_quarter_has_no_size_keeps_all_its_models() -> None:
    choice = chosen(params_b=[1.0, 3.0, None, None], tokens_t=2.0)
    assert choice.spec.name == "capabilities"
    assert choice.reasons[0] == (
        "50% of the models state no size: the spec is capabilities, which keeps them; latentscale "
        "would leave them out"
    )
    assert "left out" not in " ".join(choice.reasons)
    assert chosen(params_b=[1.0, None, None, None]).reasons[0].startswith("most models state no")
    dates = pd.to_datetime(["2024-01-01", "2024-02-01", None, None])
    assert chosen(params_b=1.0, tokens_t=2.0, released=dates).spec.name == "latentscale"


def test_models_without_a_score_do_not_count() -> None:
    rows = pd.concat([ROWS, pd.DataFrame({"model": list("uvwxyz"), "family": list("uvwxyz")})])
    sized = rows.assign(params_b=[1.0, 3.0, 7.0] + [None] * 7, tokens_t=2.0)
    choice = ls.spec_for(ls.Scores.from_frame(sized))
    assert choice.spec.name == "latentscale"
    assert "1 of 4 models state no size" in " ".join(choice.reasons)


def test_tokens_of_models_without_a_score_are_not_estimated() -> None:
    rows = pd.concat([ROWS, pd.DataFrame({"model": ["v"], "family": ["v"]})])
    choice = ls.spec_for(
        ls.Scores.from_frame(rows.assign(params_b=1.0, tokens_t=[2.0, 2.0, 3.0, 3.0, None]))
    )
    assert choice.spec.undisclosed.kind == "leave-out"
    assert choice.reasons == ("most models state their size: the spec is latentscale",)


def test_tokens_are_estimated_only_where_a_covariate_left_over_uses_them() -> None:
    optional = ["log_tokens", "log_params:log_tokens"]
    drawn = {"optional": optional, "undisclosed.kind": "estimated"}
    spec = ls.load_spec("latentscale").with_(drawn)
    few = ls.Scores.from_frame(ROWS.assign(params_b=[1, 3, 7, 9], tokens_t=[2, None, None, None]))
    with pytest.warns(ls.FitWarning, match="without the covariate log_tokens and"):
        left = feasible(spec, few)
    assert left.covariates == ("log_params",) and left.undisclosed.kind == "leave-out"
    with_flops = {"optional": optional[1:], "covariates": ["log_params", "log_flops", optional[1]]}
    with pytest.warns(ls.FitWarning, match="without the covariate log_params:log_tokens"):
        left = feasible(spec.with_(with_flops), few)
    assert left.covariates == ("log_params", "log_flops")
    assert left.undisclosed.kind == "estimated"


def test_a_named_spec_loses_what_no_model_states_and_one_of_ones_own_nothing(tmp_path) -> None:
    choice = chosen("latentscale", params_b=SIZES["params_b"])
    assert choice.spec.covariates == ("log_params",)
    assert choice.reasons == (
        "no model states its training tokens: latentscale is fitted on log_params alone",
        "1 of 4 models state no size and are left out: the spec capabilities keeps them, or "
        'scores.with_estimated(["params_b"]) keeps them and draws it',
    )
    own = tmp_path / "mine.toml"
    own.write_text('name = "mine"\ncovariates = ["log_flops"]\n', encoding="utf-8")
    choice = ls.spec_for(ls.Scores.from_frame(ROWS), own)
    assert choice.spec == ls.load_spec(own) and choice.reasons == ()
    with pytest.raises(ls.SpecError, match="neither a shipped spec nor a file"):
        chosen("latentscal")
    with pytest.raises(ls.DataError, match="from_frame"):
        ls.spec_for(ROWS)  # type: ignore[arg-type]


def test_terms_that_go_with_a_covariate_are_named() -> None:
    sized = {"params_b": [1, 3, 7, 13]}
    assert chosen("checkpoints", **sized).reasons == (
        "no model states its training tokens: checkpoints is fitted on log_params alone, "
        "without the terms levelling, trend",
    )
    assert chosen("latentscale", tokens_t=[1, 2, 3, 4]).reasons == (
        "no model has log_params, log_params:log_tokens: latentscale is fitted on log_tokens "
        "alone, without the term curvature",
    )


@pytest.mark.parametrize(
    ("columns", "why", "give"),
    [
        ({"tokens_t": [1, 2, 3, 4]}, "no model has log_flops", '"params_b"'),
        ({"params_b": [1, 2, 3, 4]}, "no model states its training tokens", '"tokens_t"'),
        ({}, "no model has log_flops", '"params_b", "tokens_t"'),
    ],
)
def test_a_named_spec_of_which_nothing_is_left_says_what_it_needs(
    columns: dict, why: str, give: str
) -> None:
    said = f'"pooled_flops" cannot be fitted: {why}, .* Give {give} when the table is read'
    with pytest.raises(ls.SpecError, match=said):
        chosen("pooled_flops", **columns)


@pytest.mark.parametrize(
    ("benchmarks", "most"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2), (7, 3), (9, 3)]
)
def test_free_skills_are_as_many_as_leave_the_noise_identified(benchmarks: int, most: int) -> None:
    """Anderson and Rubin 1956: 2 K + 1 benchmarks for K factors; with fewer, chains disagree."""
    scores = {f"b{place}": [0.2, 0.4, 0.5, 0.7] for place in range(benchmarks)}
    table = ls.Scores.from_frame(ROWS[["model", "family"]].assign(**scores))
    choice = ls.spec_for(table, "capabilities")
    assert choice.spec.skills.count == most
    said = f"with {most} skill{'s' * (most > 1)} instead of 3"
    assert any(said in reason for reason in choice.reasons) is (most < 3)
    sized = ls.Scores.from_frame(ROWS[["model", "family", "quiz", "sums"]].assign(**SIZES))
    assert ls.spec_for(sized).spec.skills.count == 2  # anchored


def test_a_choice_is_shown_with_its_reasons() -> None:
    choice = chosen(**DATES)
    assert repr(choice).startswith("SpecChoice: capabilities, on released\n  - most models state")
    page = choice._repr_html_()
    assert page.count("<li>") == len(choice.reasons) and "benchmarks={&quot;" in page


def test_models_that_are_left_out_are_kept_by_what_the_reason_names() -> None:
    scores = ls.Scores.from_frame(ROWS.assign(**SIZES))
    said = ls.spec_for(scores).reasons[-1]
    assert 'scores.with_estimated(["params_b", "tokens_t"]) keeps them' in said
    kept = scores.with_estimated(["params_b", "tokens_t"])
    choice = ls.spec_for(kept)
    assert choice.spec.undisclosed.kind == "leave-out"
    assert not any("left out" in reason for reason in choice.reasons)
    assert len(ls.build(choice.spec, kept).coords["missing_value"]) == 3  # a size, two of tokens


def test_undated_models_are_named_and_kept_where_dates_are_drawn() -> None:
    scores = ls.Scores.from_frame(ROWS.assign(**DATES))
    choice = ls.spec_for(scores)
    assert choice.reasons[-1] == (
        "1 of 4 models state no released and are left out: "
        'scores.with_estimated(["released"]) keeps them and draws it'
    )
    with pytest.warns(ls.DataWarning, match=r'scores.with_estimated\(\["released"\]\)'):
        left = ls.build(choice.spec, scores)
    assert len(left.coords["model"]) == 3
    kept = ls.build(choice.spec, scores.with_estimated(["released"]))
    assert list(kept.coords["missing_value"]) == ["released of c1"]


@pytest.mark.parametrize("name", ["instruct", "colour", "flops"])
def test_only_numbers_and_dates_of_the_table_can_be_estimated(name: str) -> None:
    scores = ls.Scores.from_frame(ROWS.assign(instruct=[1, 0, 1, 0], **DATES))
    with pytest.raises(ls.DataError, match=r"Unknown feature.*Known are"):
        scores.with_estimated([name])
