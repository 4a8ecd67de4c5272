"""Folds hide what they state and nothing else."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.analysis.folds import Fold, as_folds, folds_of
from latentscale.analysis.tools.fold import spared


@pytest.fixture(scope="module")
def scores() -> ls.Scores:
    return ls.datasets.open_llm_leaderboard()


def test_leave_one_family_out_keeps_the_smallest_members(scores: ls.Scores) -> None:
    folds = {fold.name: fold for fold in ls.folds.leave_one_family_out(scores, n_seen=2)}
    fold = folds["qwen2/seen 2"]
    assert fold.test == ("qwen2-7b", "qwen2-72b")
    assert {"qwen2-0.5b", "qwen2-1.5b"} <= set(fold.train)
    assert len(fold.train) + len(fold.test) == len(scores.models)
    sizes = scores.to_frame().groupby("family").size()
    assert len(folds) == (sizes > 2).sum()


def test_largest_member_out_hides_one_model_a_family(scores: ls.Scores) -> None:
    folds = ls.folds.largest_member_out(scores, n_folds=4, min_members=3, seed=5)
    table = scores.to_frame().set_index("model")
    hidden = [name for fold in folds for name in fold.test]
    assert len(hidden) == len(set(hidden)) == (table.groupby("family").size() >= 3).sum()
    for name in hidden:
        family = table[table["family"] == table.loc[name, "family"]]
        assert table.loc[name, "params_b"] == family["params_b"].max()


def test_a_member_of_unknown_size_is_not_taken_for_the_largest(scores: ls.Scores) -> None:
    frame = scores.to_frame()
    frame.loc[frame["model"] == "qwen2-1.5b", "params_b"] = None
    partly = ls.Scores.from_frame(frame, benchmarks=scores.benchmark_info)
    hidden = [name for fold in ls.folds.largest_member_out(partly, seed=5) for name in fold.test]
    assert "qwen2-72b" in hidden and "qwen2-1.5b" not in hidden
    bare = ls.Scores.from_frame(
        frame.assign(params_b=None, tokens_t=None), benchmarks=scores.benchmark_info
    )
    with pytest.raises(ls.DataError, match=r"3 members of known size \(params_b\)"):
        ls.folds.largest_member_out(bare)
    with pytest.warns(ls.DataWarning, match="fewer than 1 members of known size"):
        ls.folds.leave_one_family_out(bare, n_seen=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ls.folds.leave_one_family_out(bare, n_seen=0)
        ls.folds.leave_one_family_out(partly, n_seen=1)


def test_k_fold_by_family_hides_each_family_whole_and_once(scores: ls.Scores) -> None:
    folds = ls.folds.k_fold_by_family(scores, n_folds=4, seed=1)
    assert sorted(name for fold in folds for name in fold.test) == sorted(scores.models)
    family = scores.to_frame().set_index("model")["family"]
    for fold in folds:
        assert not set(family[list(fold.train)]) & set(family[list(fold.test)])


def test_random_cells_out_leaves_every_model_and_benchmark_a_score(scores: ls.Scores) -> None:
    fold = ls.folds.random_cells_out(scores, share=0.9, n_folds=1, seed=2)[0]
    table = scores.to_frame().set_index("model")[list(scores.benchmarks)]
    assert all(table.notna().loc[model, benchmark] for model, benchmark in fold.cells)
    for model, benchmark in fold.cells:
        table.loc[model, benchmark] = float("nan")
    assert table.notna().any(axis=1).all() and table.notna().any(axis=0).all()


def test_random_cells_out_hides_the_share(scores: ls.Scores) -> None:
    fold = ls.folds.random_cells_out(scores, share=0.1, n_folds=2, seed=2)[1]
    assert len(set(fold.cells)) == len(fold.cells) == 164


def test_k_fold_by_cell_hides_every_score_of_a_model_once(scores: ls.Scores) -> None:
    folds = ls.folds.k_fold_by_cell(scores, 3, seed=4)
    hidden = [cell for fold in folds for cell in fold.cells]
    measured = scores.dataset["score"].notnull()
    assert len(set(hidden)) == len(hidden) == int(measured.sum())
    own = measured.sum("benchmark").to_series()
    for fold in folds:
        count = pd.Series([model for model, _ in fold.cells]).value_counts().reindex(own.index)
        assert (abs(count.fillna(0) - own / 3) < 1).all()


def test_random_cells_out_draws_other_cells_for_each_fold(scores: ls.Scores) -> None:
    one, two = ls.folds.random_cells_out(scores, share=0.1, n_folds=2, seed=2)
    # Of 164 cells in each, some 16 are expected in both.
    assert len(set(one.cells) & set(two.cells)) < 80


def test_models_of_few_scores_are_dealt_to_all_folds(scores: ls.Scores) -> None:
    """Two scores of each of forty models: twenty of them in each of four folds, give or take."""
    frame = scores.to_frame()[["model", "family", "mmlu", "gsm8k"]].dropna().head(40)
    assert len(frame) == 40
    folds = ls.folds.k_fold_by_cell(ls.Scores.from_frame(frame), 4, seed=4)
    assert [len(fold.cells) >= 5 for fold in folds] == [True] * 4


def test_groups_of_families_are_as_large_as_each_other(scores: ls.Scores) -> None:
    folds = ls.folds.k_fold_by_family(scores, n_folds=7, seed=1)
    family = scores.to_frame().set_index("model")["family"]
    counts = [len(set(family[list(fold.test)])) for fold in folds]
    assert len(folds) == 7 and max(counts) - min(counts) <= 1


def test_members_of_one_size_are_ordered_by_their_tokens() -> None:
    frame = pd.DataFrame(
        {
            "model": ["more", "less", "small"],
            "family": "f",
            "params_b": [7.0, 7.0, 1.0],
            "tokens_t": [2.0, 1.0, 9.0],
            "mmlu": [0.5, 0.4, 0.3],
        }
    )
    table = ls.Scores.from_frame(frame)
    assert ls.folds.leave_one_family_out(table, n_seen=2)[0].test == ("more",)
    assert ls.folds.largest_member_out(table)[0].test == ("more",)


def test_k_fold_by_cell_keeps_the_only_score_of_a_model(small_scores: ls.Scores) -> None:
    frame = small_scores.to_frame()
    frame.loc[0, ["beta", "gamma", "delta"]] = np.nan
    frame.loc[0, "alpha"] = 0.5
    table = ls.Scores.from_frame(frame)
    folds = ls.folds.k_fold_by_cell(table, 2, seed=4)
    assert table.models[0] not in {model for fold in folds for model, _ in fold.cells}
    with pytest.raises(ls.DataError, match="n_folds"):
        ls.folds.k_fold_by_cell(table, 1)


def test_after_hides_later_models_and_gives_some_of_their_scores(scores: ls.Scores) -> None:
    table = dated(scores, ["2023-01-01"] * 3 + ["2024-06-01"] * 3)
    (fold,) = ls.folds.after(table, "2024-01-01", given=2, seed=1)
    assert fold.name == "before 2024-01-01, 2 given"
    assert fold.train == table.models[:3] and fold.test == table.models[3:]
    assert sorted(model for model, _ in fold.given) == sorted(2 * list(fold.test))
    measured = table.dataset["score"].notnull()
    assert len(set(fold.given)) == 6
    assert all(measured.sel(model=m, benchmark=b) for m, b in fold.given)
    whole = ls.folds.chronological(table, ["2024-01-01"])
    assert ls.folds.after(table, "2024-01-01") == whole
    assert (fold,) == ls.folds.with_given(whole, table, 2, seed=1)
    assert (fold,) != ls.folds.with_given(whole, table, 2, seed=2)


def test_a_model_without_a_score_beside_the_given_ones_is_left_out(
    small_scores: ls.Scores,
) -> None:
    frame = small_scores.to_frame()
    frame.loc[0, ["alpha", "beta", "gamma", "delta"]] = [0.5, 0.5, np.nan, np.nan]
    table = ls.Scores.from_frame(frame)
    hidden = ([*table.models[4:]], [*table.models[:4]])
    (fold,) = ls.folds.with_given([hidden], table, 2)
    assert fold.test == tuple(table.models[1:4])
    with pytest.raises(ls.DataError, match='"fold 0" hides no model with more than 4 scores'):
        ls.folds.with_given([hidden], table, 4)
    with pytest.raises(ls.DataError, match="count must be"):
        ls.folds.with_given([hidden], table, 0)


def test_benchmark_block_out(scores: ls.Scores) -> None:
    fold = ls.folds.benchmark_block_out(scores, ["ifeval", "bbh"], share=0.5, n_folds=1)[0]
    assert {benchmark for _, benchmark in fold.cells} == {"ifeval", "bbh"}
    other = scores.to_frame().set_index("model").drop(columns=["ifeval", "bbh"])
    kept = other[[name for name in scores.benchmarks if name not in ("ifeval", "bbh")]]
    assert kept.loc[[model for model, _ in fold.cells]].notna().any(axis=1).all()


def test_benchmark_block_out_hides_the_share_of_models_with_scores_on_both_sides(
    scores: ls.Scores,
) -> None:
    """A model with scores only in the block would have none left."""
    frame = scores.to_frame()[["model", "family", "mmlu", "gsm8k"]].dropna().head(40)
    frame.loc[frame.index[:10], "gsm8k"] = np.nan
    table = ls.Scores.from_frame(frame)
    only = set(table.models[:10])
    for fold in ls.folds.benchmark_block_out(table, ["mmlu"], share=0.25, n_folds=4, seed=3):
        hidden = {model for model, _ in fold.cells}
        assert len(hidden) == len(fold.cells) == 7  # of 30
        assert not hidden & only


def test_chronological(scores: ls.Scores) -> None:
    with pytest.raises(ls.DataError, match="released"):
        ls.folds.chronological(scores, ["2024-01-01"])
    frame = scores.to_frame().iloc[:4].assign(released=["2023-01-01"] * 2 + ["2024-06-01"] * 2)
    dated = ls.Scores.from_frame(frame[frame.columns[frame.notna().any()]])
    (fold,) = ls.folds.chronological(dated, ["2024-01-01"])
    assert fold.train == dated.models[:2] and fold.test == dated.models[2:]
    with pytest.raises(ls.DataError, match="one side"):
        ls.folds.chronological(dated, ["2020-01-01"])


def test_a_model_released_on_the_cutoff_is_forecast(scores: ls.Scores) -> None:
    table = dated(scores, ["2023-12-31", "2024-01-01", "2024-01-02"])
    (fold,) = ls.folds.chronological(table, ["2024-01-01"])
    assert fold.train == table.models[:1] and fold.test == table.models[1:]


def test_scores_given_are_on_benchmarks_that_the_fold_fits(small_scores: ls.Scores) -> None:
    frame = small_scores.to_frame().iloc[:6]
    names = list(small_scores.benchmarks)
    frame.loc[:, names] = 0.5
    frame.loc[frame.index[:3], ["gamma", "delta"]] = np.nan
    table = ls.Scores.from_frame(frame)
    hidden = (list(table.models[:3]), list(table.models[3:]))
    (fold,) = ls.folds.with_given([hidden], table, 1, seed=5)
    assert len(fold.given) == 3
    assert {benchmark for _, benchmark in fold.given} <= {"alpha", "beta"}
    with pytest.raises(ls.DataError, match="more than 2 scores on its fitted benchmarks"):
        ls.folds.with_given([hidden], table, 2)


def dated(scores: ls.Scores, released: list[str | None]) -> ls.Scores:
    frame = scores.to_frame().iloc[: len(released)].assign(released=released)
    return ls.Scores.from_frame(frame[frame.columns[frame.notna().any()]])


def test_undated_models_are_left_out_with_a_warning_or_put_on_a_side(scores: ls.Scores) -> None:
    table = dated(scores, ["2023-01-01", None, "2024-06-01", "2024-06-02", None])
    first, unknown, second, third, also = table.models
    with pytest.warns(ls.DataWarning, match=f'2 of 5 models.*"{unknown}", "{also}"'):
        (fold,) = ls.folds.chronological(table, ["2024-01-01"])
    assert fold.train == (first,) and fold.test == (second, third)
    (fold,) = ls.folds.chronological(table, ["2024-01-01"], undated="train")
    assert fold.train == (first, unknown, also) and fold.test == (second, third)
    (fold,) = ls.folds.chronological(table, ["2024-01-01"], undated="test")
    assert fold.train == (first,) and fold.test == (second, third, unknown, also)


@pytest.mark.parametrize(
    ("cutoffs", "said"),
    [
        ("2024-01-01", "list of dates"),
        (20240101, "list of dates"),
        ([20241301], "is not a date"),
        ([2024], "2024 is not a date"),
        (["soon"], "'soon' is not a date"),
        ([None], "not a date"),
        ([], "got none"),
        (["2024-01-01", "2024-01-01T00:00"], "given twice"),
    ],
)
def test_cutoffs_that_are_no_dates(scores: ls.Scores, cutoffs: object, said: str) -> None:
    table = dated(scores, ["2023-01-01", "2024-06-01"])
    with pytest.raises(ls.DataError, match=said):
        ls.folds.chronological(table, cutoffs)  # type: ignore[arg-type]
    with pytest.raises(ls.DataError, match='undated must be one of "leave-out", "train", "test"'):
        ls.folds.chronological(table, ["2024-01-01"], undated="drop")  # type: ignore[arg-type]


def test_cutoffs_with_a_time_or_a_zone(scores: ls.Scores) -> None:
    table = dated(scores, ["2023-01-01", "2024-06-01"])
    early, late = ls.folds.chronological(table, ["2024-01-01", "2024-01-01T13:00+01:00"])
    assert (early.name, late.name) == ("before 2024-01-01", "before 2024-01-01T12:00:00")
    (written_as_number,) = ls.folds.chronological(table, [20240101])  # type: ignore[list-item]
    assert written_as_number == early


def test_benchmarks_and_models_of_any_name_can_be_hidden(small_scores: ls.Scores) -> None:
    names = dict(zip(small_scores.benchmarks, ["value", "variable", "score", "index"], strict=True))
    frame = small_scores.to_frame().rename(columns=names)
    frame["model"] = frame["model"].where(frame.index > 0, "value")  # also the name of a model
    table = ls.Scores.from_frame(frame)
    (fold,) = ls.folds.random_cells_out(table, share=0.3, n_folds=1)
    measured = set(frame.set_index("model")[list(names.values())].stack().dropna().index)
    assert set(fold.cells) <= measured and len(fold.cells) == -(-3 * len(measured) // 10)
    (block,) = ls.folds.benchmark_block_out(table, ["value"], n_folds=1)
    assert {benchmark for _, benchmark in block.cells} == {"value"}


def test_a_name_that_a_model_and_a_benchmark_share_counts_for_each_alone() -> None:
    cells = [("x", "x"), ("y", "x"), ("x", "z"), ("y", "z")]
    taken = spared(cells, np.arange(4), 0.9)
    left = set(cells) - set(taken)
    assert {model for model, _ in left} == {"x", "y"} and {b for _, b in left} == {"x", "z"}


def test_a_share_that_is_a_whole_number_of_cells_is_hidden_exactly() -> None:
    cells = [(model, benchmark) for model in "abcd" for benchmark in "xyz"]
    assert len(spared(cells, np.arange(12), 0.25)) == 3
    assert len(spared(cells, np.arange(12), 0.26)) == 4  # 3.12, rounded up


@pytest.mark.parametrize(
    ("folds", "said"),
    [
        (3, "list of folds"),
        (Fold("x", ("alpha",), ("beta",)), "list of folds"),
        ({"x": 1}, "list of folds"),
        (["ab"], "entry 0 is 'ab'"),
        ([("a", "b", "c")], "entry 0"),
        ([("ab", ["c"])], 'train of the fold "fold 0"'),
        ([(["a"], "bc")], 'test of the fold "fold 0"'),
        ([([1], ["b"])], "list of names"),
        ([Fold(3, ("a",), ("b",))], "name of a fold must be text"),  # type: ignore[arg-type]
        ([Fold("x", ("a",), (), ("ab",))], "pairs"),  # type: ignore[arg-type]
        ([Fold("x", ("a",), ("b",), (), "bc")], "given of the fold"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_list_of_folds(folds: object, said: str) -> None:
    with pytest.raises(ls.DataError, match=said):
        as_folds(folds)  # type: ignore[arg-type]


def test_folds_that_do_not_fit_the_table(small_scores: ls.Scores) -> None:
    one, two, *_ = small_scores.models

    def refused(fold: Fold, said: str) -> None:
        with pytest.raises(ls.DataError, match=said):
            folds_of([fold], small_scores)

    refused(Fold("x", (one,)), 'The fold "x" hides nothing')
    refused(Fold("x", (), (one,)), "fits no model")
    refused(Fold("x", (one, one), (two,)), "repeated")
    refused(Fold("x", (one,), ("fam00-m9",)), "Unknown model")
    refused(Fold("x", (one,), (), ((two, "alpha"),)), "does not fit that model")
    refused(Fold("x", (one,), (), ((one, "alpa"),)), 'Did you mean "alpha"')
    refused(Fold("x", (one,), (two,), (), ((one, "alpha"),)), "does not hide that model")
    refused(Fold("x", (one,), (two,), (), ((two, "alpa"),)), 'Did you mean "alpha"')
    table = small_scores.dataset["score"]
    bare = table.where(table["model"] != two)
    empty = ls.Scores(small_scores.dataset.assign(score=bare))
    with pytest.raises(ls.DataError, match="has no score there"):
        folds_of([Fold("x", (one,), (two,), (), ((two, "alpha"),))], empty)


def test_malformed_folds() -> None:
    with pytest.raises(ls.DataError, match="no fold"):
        as_folds([])
    with pytest.raises(ls.DataError, match=r'"b".*both train and test'):
        as_folds([(["a", "b"], ["b"])])
    with pytest.raises(ls.DataError, match="same name"):
        as_folds([Fold("x", ("a",), ("b",)), Fold("x", ("a",), ("c",))])


@pytest.mark.parametrize(
    "make", [ls.folds.k_fold_by_family, ls.folds.k_fold_by_cell, ls.folds.largest_member_out]
)
def test_a_number_of_folds_that_no_machine_could_fit_is_refused(make, scores: ls.Scores) -> None:
    with pytest.raises(ls.DataError, match="n_folds must be a whole number from"):
        make(scores, n_folds=10**30)
