"""The audit: its findings, and the search for rescaled scores among raw ones."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from latentscale.data import KNOWN_BENCHMARKS, Audit, Benchmark, Finding, Scores
from latentscale.data.audit import emit
from latentscale.data.datasets import open_llm_leaderboard
from latentscale.data.floors import implausibly_low
from latentscale.errors import DataWarning, LatentscaleError

MIXED = ("gpqa", "musr", "bbh", "mmlu_pro")


def rescale(frame, rows, benchmarks):
    """Return the table with some rows transformed to (score - floor) / (1 - floor), at least 0."""
    changed = frame.copy()
    for name in benchmarks:
        floor = KNOWN_BENCHMARKS[name].floor
        scaled = (changed.loc[rows, name] - floor) / (1 - floor)
        changed.loc[rows, name] = scaled.clip(lower=0)
    return changed


@pytest.fixture(scope="module")
def raw():
    """Return the bundled table."""
    return open_llm_leaderboard().to_frame()


def audited(frame) -> Audit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return Scores.from_frame(frame).audit


def test_the_bundled_figures_are_raw(raw):
    audit = audited(raw)
    assert not audit.filter("floor-rescaled").findings
    assert not audit.filter("below-floor").findings


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_mixture_is_found_in_each_benchmark(raw, seed):
    scored = raw.index[raw["gpqa"].notna()]
    rows = np.random.default_rng(seed).choice(scored, size=19, replace=False)
    messages = {
        f.where: f.message for f in audited(rescale(raw, rows, MIXED)).filter("floor-rescaled")
    }
    assert set(messages) == set(MIXED)
    assert "19 of 105" in messages["gpqa"]
    assert "floor + (1 - floor) * score" in messages["musr"]
    assert "while others are raw" in messages["bbh"]


def test_a_mixture_names_the_models_and_is_warned_of(raw):
    rows = raw.index[raw["model"].isin(["bloom-560m", "bloom-1b1", "bloom-3b"])]
    with pytest.warns(DataWarning, match="bloom-1b1"):
        Scores.from_frame(rescale(raw, rows, ["gpqa"]))


@pytest.mark.parametrize("name", [*MIXED, "mmlu", "arc", "winogrande"])
def test_a_wholly_rescaled_column_is_found(raw, name):
    audit = audited(rescale(raw, raw.index, [name]))
    assert [f.where for f in audit.filter("floor-rescaled")] == [name]


def test_one_low_score_is_pointed_out_but_not_called_rescaled(raw):
    raw = raw.copy()
    raw.loc[raw["model"] == "bloom-3b", "gpqa"] = 0.01
    audit = audited(raw)
    assert not audit.filter("floor-rescaled").findings
    (finding,) = audit.filter("below-floor")
    assert '"bloom-3b"' in finding.message


def test_honest_guessing_is_not_flagged():
    """Scores of pure guessing on few items scatter below the floor and stay unflagged."""
    rng = np.random.default_rng(0)
    for floor, items in ((0.25, 198), (0.25, 1192), (0.1, 12032), (0.5, 1267)):
        guesses = rng.binomial(items, floor, size=20_000) / items
        assert np.mean(guesses < implausibly_low(floor, items)) < 1e-3


@pytest.mark.parametrize("floor", [0.05, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("items", [10, 1000, float("nan")])
def test_the_limit_lies_between_half_the_floor_and_the_floor(floor, items):
    assert floor / 2 <= implausibly_low(floor, items) < floor


def test_record():
    findings = (
        Finding("info", "a", "here", "1 < 2"),
        Finding("warning", "b", "<i>", "look"),
        Finding("info", "a", "there", "x"),
    )
    audit = Audit(findings)
    assert len(audit) == 3
    assert list(audit) == list(findings)
    assert audit.warnings == findings[1:2]
    assert audit.codes == ("a", "b")
    assert audit.filter("a").findings == (findings[0], findings[2])
    assert list(audit.table().columns) == ["level", "code", "where", "message"]
    assert len(audit.table()) == 3
    assert str(audit).splitlines()[1] == "warning [b] <i>: look"
    assert "&lt;i&gt;" in audit._repr_html_()
    assert "<i>" not in audit._repr_html_()


def test_findings_of_one_kind_are_printed_once_with_a_count():
    many = [Finding("warning", "rare", f"bench{i}", "few models have it.") for i in range(29)]
    audit = Audit((*many, Finding("info", "other", "here", "fine")))
    first, last = str(audit).splitlines()
    assert first.startswith("warning [rare] 29 findings: bench0: few models have it. The same")
    assert '"bench3"' in first and first.endswith("and 20 more.") and "[other]" in last
    assert len(audit.table()) == 30
    with pytest.warns(DataWarning, match="29 findings to check") as caught:
        emit(audit.findings, about="A table was read")
    assert str(caught[0].message).count("\n") == 1
    assert "29 to check" in repr(audit)  # the same count


def test_three_findings_of_one_kind_are_all_printed():
    audit = Audit(tuple(Finding("warning", "rare", f"bench{i}", "few.") for i in range(3)))
    assert len(str(audit).splitlines()) == 3


def test_empty_record():
    assert str(Audit()) == "Nothing to report."
    assert list(Audit().table().columns) == ["level", "code", "where", "message"]
    assert "Nothing" in Audit()._repr_html_()


def test_a_benchmark_that_few_models_have_is_warned_of(raw):
    rare = raw.assign(humaneval=np.nan)
    rare.loc[rare.index[:5], "humaneval"] = [0.2, 0.3, 0.25, 0.4, 0.1]
    (finding,) = audited(rare).filter("rarely-measured").findings
    assert finding.where == "humaneval" and "only 5 of 194" in finding.message
    rare.loc[rare.index[:8], "humaneval"] = 0.1 + rare.index[:8] / 50
    assert not audited(rare).filter("rarely-measured").findings
    assert (
        not audited(rare.iloc[:12].assign(humaneval=raw["arc"])).filter("rarely-measured").findings
    )


def test_the_table_is_a_method_and_still_the_attribute_that_it_was():
    audit = Audit((Finding("info", "a", "here", "fine"),))
    with pytest.warns(DeprecationWarning, match=r"Audit.table is a method now: write .table\(\)"):
        assert list(audit.table["code"]) == ["a"]
    with pytest.raises(LatentscaleError, match="prob must lie strictly between 0 and 1"):
        audit.table(prob=90)


def test_fractions_among_percentages_are_found() -> None:
    frame = pd.DataFrame({"model": list("abcd"), "family": "f", "quiz": [88, 0.81, 60, 70]})
    percent = {"quiz": Benchmark(scale="percent")}
    with pytest.warns(DataWarning, match='far below all 3 others.*"b: 0.0081"'):
        Scores.from_frame(frame, benchmarks=percent)
    hard = frame.assign(quiz=[88, 0.4, 60, 70])  # 40 is below all others: a weak model
    assert not Scores.from_frame(hard, benchmarks=percent).audit.filter("mixed-units").findings


@pytest.mark.parametrize("name", ["rank", "seed", "fold", "Average", "total"])
def test_a_column_that_by_its_name_is_no_benchmark_is_warned_of(raw, name):
    table = raw.assign(**{name: raw["mmlu"]})
    found = audited(table).filter("unlikely-benchmark").findings
    assert [finding.where for finding in found] == [name]
    assert not audited(raw).filter("unlikely-benchmark").findings
    declared = Scores.from_frame(table, benchmarks={name: Benchmark()}).audit
    assert not declared.filter("unlikely-benchmark").findings


def test_a_floor_above_most_scores_is_named_whatever_the_number_of_items() -> None:
    """As on wsc, where a model that always gives the rarer answer scores 0.365."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"model": [f"m{i}" for i in range(40)], "family": "f"})
    frame["one_answer"] = rng.choice([38, 38, 39, 42, 66], 40, p=[0.3, 0.3, 0.2, 0.1, 0.1]) / 104
    frame["guessed"] = rng.binomial(104, 0.5, 40) / 104
    info = {name: Benchmark(floor=0.5) for name in ("one_answer", "guessed")}
    with pytest.warns(DataWarning, match="one_answer"):
        audit = Scores.from_frame(frame, benchmarks=info).audit
    (finding,) = audit.filter("floor-too-high")
    assert finding.where == "one_answer" and "declare a lower floor" in finding.message
