"""Every public verb, given an object of another kind, says what it expects and how to get it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale import plots
from latentscale.expect import expect, expect_each, expect_names

WRONG: list[Any] = [None, 3, "x", ["x"], {"x": 1}, object(), ls.Benchmark, pd.DataFrame({"x": [1]})]
SOURCES = {
    "Fit": "from latentscale.fit, or from latentscale.load",
    "Scores": "from latentscale.Scores.from_frame",
    "ModelSpec": "from latentscale.load_spec",
    "pd.DataFrame": "a table from latentscale.backtest",
}


def verbs() -> list[Any]:
    """Public functions whose first argument is a fit, a table, a spec or a result."""
    rooms = (ls, ls.methods, ls.studies, plots)
    public = {name: getattr(room, name) for room in rooms for name in room.__all__}
    return [
        verb
        for verb in public.values()
        if inspect.isfunction(verb) and verb not in (ls.load, ls.load_spec, ls.resume)
        if inspect.signature(verb).parameters
    ]


def test_every_verb_is_swept() -> None:
    assert len(verbs()) > 50


@pytest.mark.parametrize("verb", verbs(), ids=lambda verb: verb.__name__)
def test_a_first_argument_of_another_kind_is_named(verb: Callable) -> None:
    parameters = list(inspect.signature(verb).parameters.values())
    required = [p for p in parameters[1:] if p.default is inspect.Parameter.empty]
    first = parameters[0]
    for wrong in WRONG:
        if isinstance(wrong, pd.DataFrame) and first.annotation == "pd.DataFrame":
            continue
        with pytest.raises(ls.LatentscaleError) as caught:
            verb(wrong, **{p.name: None for p in required})
        said = str(caught.value)
        assert said.startswith(f"{first.name} must be") or f"{first.name}[" in said
        assert "latentscale." in said or "such as" in said
        assert SOURCES.get(first.annotation, "") in said


@pytest.fixture(scope="module")
def given(
    small_scores: ls.Scores,
    quick_spec: ls.ModelSpec,
    known_spec: ls.ModelSpec,
    prior_fit: Callable[..., ls.Fit],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    """Valid arguments of each verb; one of them is then replaced by a wrong one."""
    fit = prior_fit(quick_spec, small_scores, draws=100)
    skilled = prior_fit(known_spec, small_scores, draws=100)
    frame = pd.DataFrame(
        {
            "model": ["new"],
            "family": ["fam00"],
            "params_b": [3.0],
            "tokens_t": [1.0],
            "instruct": [0],
        }
    )
    both = {"spec": quick_spec, "scores": small_scores}
    outcome = {model: float(i) for i, model in enumerate(small_scores.models)}
    page = tmp_path_factory.mktemp("page") / "report.html"
    return {
        "align": {"fit": skilled},
        "anchor_variants": {"spec": known_spec},
        "backtest": both,
        "check": {"fit": fit},
        "family_influence": {"fit": fit},
        "fit": both,
        "flops_for_target": {"fit": fit, "benchmark": "alpha", "target": 0.5, "family": "fam00"},
        "information_criteria": {"spec": known_spec, "scores": small_scores},
        "leave_families_out": {**both, "families": ["fam00"]},
        "marginal_estimate": both,
        "next_benchmark": {"fit": skilled, "frame": frame},
        "predict": {"fit": fit, "frame": frame},
        "probability_above": {"fit": fit, "frame": frame, "threshold": 0.5},
        "regress_on_skills": {"fit": skilled, "outcome": outcome},
        "report": {"fit": fit, "path": page},
        "scaling_curve": {"fit": fit, "family": "fam00"},
        "sensitivity": {"fit": fit},
        "sensitivity_grid": {**both, "variants": {"same": {}}},
        "skill_agreement": {"first": skilled},
        "stack": {"fits": {"a": fit, "b": fit}, "frame": frame, "weights": {"a": 1.0, "b": 1.0}},
    }


SPOILED = [
    ("align", "match", [WRONG[-1], 3]),
    ("anchor_variants", "anchors", [3, None, "x", [3], object()]),
    ("backtest", "scores", WRONG),
    ("check", "refit", ["NUTS", ls.NUTS, 3]),
    ("check", "false_alarms", [None, "x", True, ["x"], object()]),
    ("family_influence", "families", [3, "fam00", object(), True, {"fam00": 1}]),
    ("family_influence", "variables", [3, "slope", object(), ["slop"]]),
    ("family_influence", "refit", ["NUTS", ls.NUTS]),
    ("family_influence", "workers", [0, "2", 1.5]),
    ("fit", "scores", WRONG),
    ("fit", "method", [None, "NUTS", ls.NUTS, 3]),
    ("flops_for_target", "benchmark", [3, None, WRONG[-1]]),
    ("flops_for_target", "family", [3, None, WRONG[-1], "\ud800", "a\0b"]),
    (
        "flops_for_target",
        "instruct",
        [3, "x", ["x"], object(), float("nan"), np.array([0, 1]), pd.NA, WRONG[-1]],
    ),
    ("flops_for_target", "points", [1, 2**64, 2.5]),
    ("flops_for_target", "few_shot", [None, 3, ls.FewShot]),
    ("information_criteria", "counts", [3, None, object(), "12"]),
    ("information_criteria", "method", [None, ls.NUTS(), ls.MarginalML]),
    ("leave_families_out", "families", [3, None, "fam00", object(), {"fam00": 1}]),
    ("leave_families_out", "frame", [3, "x", ["x"], {"x": 1}, object()]),
    ("leave_families_out", "method", [None, "NUTS", ls.NUTS(store="folder")]),
    ("leave_families_out", "workers", [0, "2"]),
    ("marginal_estimate", "method", ["x", ls.NUTS()]),
    ("next_benchmark", "model", [3, WRONG[-1]]),
    ("next_benchmark", "targets", [3, "alpha", object(), True, iter(["x"]), []]),
    ("next_benchmark", "candidates", [3, "alpha", object(), True, iter(["x"]), []]),
    ("next_benchmark", "costs", [3, "alpha", object(), True, b"x"]),
    ("next_benchmark", "rank_by", [3, None, WRONG[-1]]),
    ("predict", "frame", [None, 3, "x", {"x": 1}, object()]),
    ("predict", "few_shot", [None, 3, ls.FewShot]),
    ("probability_above", "few_shot", [None, 3]),
    ("regress_on_skills", "name", [3, object(), WRONG[-1]]),
    ("regress_on_skills", "prior", [3, ls.studies.RegressionPrior]),
    ("report", "families", [3, "fam00", object()]),
    ("report", "path", [3, None, object(), ""]),
    ("scaling_curve", "family", [3, None, WRONG[-1]]),
    ("scaling_curve", "over", [3, WRONG[-1]]),
    ("scaling_curve", "benchmarks", [3, "alpha", object(), WRONG[-1]]),
    ("sensitivity", "variables", [3, "slope", object()]),
    ("sensitivity", "priors", [3, "slope", object()]),
    ("sensitivity", "limit", [0, None, "x", float("nan"), float("inf")]),
    ("sensitivity_grid", "variants", [3, None, "x", {"x": 3}]),
    ("sensitivity_grid", "frame", [3, "x", ["x"], object()]),
    ("sensitivity_grid", "method", [None, ls.NUTS]),
    ("sensitivity_grid", "workers", [0, "2"]),
    ("skill_agreement", "second", WRONG),
    ("stack", "weights", [None, 3, "x", {"a": "x", "b": 1}, object()]),
]

# The name of an argument in the error, if it is different.
WORDS = {"frame": "pandas DataFrame", "weights": "weight", "variants": "variant"}


@pytest.mark.parametrize(("verb", "name", "wrong"), SPOILED)
def test_other_arguments_of_another_kind_are_named(
    given: dict[str, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    name: str,
    wrong: list[Any],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("fitted before everything was checked")

    monkeypatch.setattr(ls.NUTS, "draw", refuse)
    called = getattr(ls, verb)
    asked = dict(given[verb])
    for parameter in inspect.signature(called).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            asked.setdefault(parameter.name, [])
    for value in wrong:
        with pytest.raises(ls.LatentscaleError) as caught:
            called(**{**asked, name: value})
        assert WORDS.get(name, name) in str(caught.value)
        assert "Error:" not in str(caught.value)


@pytest.mark.parametrize("verb", [ls.load, ls.resume])
def test_a_path_of_another_kind(verb: Callable) -> None:
    for wrong in (None, 3, object(), b"x", ["x"]):
        with pytest.raises(ls.FitError, match="path must be a path"):
            verb(wrong)
    with pytest.raises(ls.LatentscaleError):
        verb(Path("nowhere"))


def test_a_planned_table_is_checked_before_the_first_refit(
    given: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ls.NUTS, "draw", lambda *_, **__: pytest.fail("fitted"))
    for verb in (ls.studies.sensitivity_grid, ls.studies.leave_families_out):
        with pytest.raises(ls.DataError, match="cannot be forecast"):
            verb(**given[verb.__name__], frame=WRONG[-1], progress=False)


def test_names_are_taken_from_any_flat_collection_of_text() -> None:
    for names in (["a", "b"], ("a", "b"), pd.Series(["a", "b"]), pd.Index(["a", "b"])):
        assert expect_names(names, "names", "[]") == ("a", "b")
    with pytest.raises(ls.DataError, match=r'names must be a list of names, such as \["a"\]'):
        expect_names("ab", "names", '["a"]')


def test_the_error_is_of_the_type_that_the_argument_belongs_to() -> None:
    with pytest.raises(ls.SpecError, match=r"^spec must be a ModelSpec, .*; got a pandas DataF"):
        expect(WRONG[-1], ls.ModelSpec, "spec")
    with pytest.raises(ls.DataError, match="got the class Benchmark itself"):
        expect(ls.Benchmark, ls.Scores, "scores")
    with pytest.raises(ls.FitError, match=r'fits\["a"\] must be a Fit'):
        expect_each({"a": 1}, ls.Fit, "fits", '{"K = 1": fit1}')
    expect(ls.Laplace(), ls.Laplace, "method")


ODD = [3, 1.5, True, None, object, np.array(0.5), pd.NA, lambda: 1]


@pytest.mark.parametrize("wrong", ODD)
def test_tables_readers_and_folds_name_what_is_not_a_list_or_a_name(
    wrong: Any, small_scores: ls.Scores
) -> None:
    uses: list[Callable[[], object]] = [
        lambda: small_scores.without(wrong),
        lambda: small_scores.select(benchmarks=[wrong]),
        lambda: ls.readers.same_benchmark(wrong),
        lambda: ls.readers.match_benchmarks(pd.DataFrame({"model": ["a"]}), keep=wrong),
        lambda: ls.readers.effort(wrong),
        lambda: ls.folds.as_folds(wrong),
    ]
    if wrong is not None:  # None means all
        uses += [
            lambda: small_scores.select(models=wrong),
            lambda: ls.datasets.catalogue(wrong),
        ]
    for use in uses:
        with pytest.raises(ls.LatentscaleError):
            use()


def test_names_may_come_from_any_iterator(small_scores: ls.Scores) -> None:
    assert small_scores.select(benchmarks=iter(["beta"])).benchmarks == ("beta",)
    left = small_scores.without(name for name in small_scores.models[1:])
    assert left.models == small_scores.models[:1]


def test_a_path_that_no_file_can_have_is_refused(small_scores: ls.Scores) -> None:
    for path in ("\ud800.csv", "a\0b.csv", ""):
        with pytest.raises(ls.DataError, match="A path must be text"):
            small_scores.save(path)


@pytest.mark.parametrize("wrong", [3, None, "", "a\0b", "\ud800", b"x", object()])
def test_readers_name_what_is_not_a_path(wrong: Any) -> None:
    readers = ls.readers
    for reader in (
        readers.read_csv,
        readers.read_scores,
        readers.read_harness,
        readers.harness_table,
        readers.metadata_template,
        readers.read_epoch,
        readers.read_livebench,
        readers.read_published,
        readers.read_benchpress,
        readers.read_leaderboard,
        readers.read_checkpoints,
        readers.read_benchmarks,
    ):
        with pytest.raises(ls.DataError):
            reader(wrong)
