"""Benchmarks that are not plain fractions: allowed values, and what a table keeps."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from latentscale import Benchmark, DataError, DataWarning, Scores
from latentscale.data.planned import planned_models
from latentscale.data.recording import pull_inside, recording_of
from latentscale.data.scales.base import SCALES, scale_of
from latentscale.data.scaling import is_bounded, on_one_scale, with_standards

ELO = [1010.0, 1100.0, 1180.0, 1260.0, 1350.0, 1275.0]


def refused(frame: pd.DataFrame, **benchmarks: Benchmark) -> str:
    with pytest.raises(DataError) as caught:
        Scores.from_frame(frame, benchmarks=benchmarks)
    return str(caught.value)


def read(frame: pd.DataFrame, **benchmarks: Benchmark) -> Scores:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return Scores.from_frame(frame, benchmarks=benchmarks)


def test_real_scores_are_kept_in_their_unit(table):
    table["arena"] = ELO
    scores = read(table, arena=Benchmark(scale="real", unit="Elo"))
    assert scores.dataset["score"].sel(benchmark="arena").values.tolist() == ELO
    assert scores.benchmark_info["arena"] == Benchmark(scale="real", unit="Elo")
    assert not is_bounded(scores.dataset).sel(benchmark="arena")


def test_a_table_of_plain_fractions_has_no_trace_of_scales(table):
    assert not {"scale", "unit", "ceiling", "stderr"} & set(read(table).dataset.data_vars)


def test_elo_is_never_told_to_be_divided(table):
    table["arena"] = ELO
    message = refused(table)
    assert 'Benchmark(scale="real")' in message
    assert "divide" not in message


def test_dollars_below_a_hundred_are_not_taken_for_percentages(table):
    table["cost_usd"] = [3.0, 8.0, 12.0, 40.0, 77.0, 5.0]
    message = refused(table)
    assert 'Benchmark(scale="positive")' in message
    assert "divide" not in message


def test_minutes_on_both_sides_of_a_hundred_are_not_taken_for_percentages(table):
    table["horizon"] = [0.6, 31.2, 119.7, 9.3, 203.0, 54.1]
    message = refused(table)
    assert 'benchmarks={"horizon": Benchmark(scale="positive")}' in message
    assert "percentages" not in message
    assert "correct it" not in message  # no cell is invalid


def test_a_single_score_above_100_is_a_slip_among_percentages(table):
    table["mmlu"] = [26, 45, 713, 60, 62, 30]
    message = refused(table)
    assert 'benchmarks={"mmlu": Benchmark(scale="percent")}' in message
    assert "row 2" in message and "713" in message


def test_percentages_are_offered_the_exact_call(table):
    table["mmlu"] *= 100
    assert 'benchmarks={"mmlu": Benchmark(scale="percent")}' in refused(table)


def test_the_call_names_a_benchmark_of_a_long_table(long_table):
    long_table.loc[long_table["benchmark"] == "mmlu", "score"] *= 100
    with pytest.raises(DataError, match=r'benchmarks=\{"mmlu": Benchmark\(scale="percent"\)\}'):
        Scores.from_long(long_table)


def test_percent_becomes_the_fraction_with_its_floor(table):
    wanted = read(table.copy(), mmlu=Benchmark(floor=0.25, ceiling=0.9))
    table["mmlu"] *= 100
    scores = read(table, mmlu=Benchmark(scale="percent", floor=25, ceiling=90))
    xr.testing.assert_allclose(scores.dataset["score"], wanted.dataset["score"])
    assert scores.benchmark_info["mmlu"] == wanted.benchmark_info["mmlu"]


def test_a_percentage_above_100_is_named_with_its_row(table):
    table["mmlu"] = [26, 45, 101, 60, 62, 30]
    message = refused(table, mmlu=Benchmark(scale="percent"))
    assert "row 2" in message and "101" in message


def test_fractions_among_percentages_are_named(table):
    table["mmlu"] = [0.41, 0.52, 61.0, 70.0, 44.0, 30.0]
    message = refused(table)
    assert 'column "mmlu"' in message
    assert "mixed" in message and "row by row" in message


def test_a_positive_score_of_zero_is_named(table):
    table["minutes"] = [1.0, 2.5, 0.0, 30.0, 4.0, 8.0]
    message = refused(table, minutes=Benchmark(scale="positive"))
    assert "row 2" in message and '"minutes"' in message and "above 0" in message


def test_an_edit_distance_is_named(table):
    table["edit_distance"] = [0.1, 0.3, 0.2, 0.5, 0.4, 0.3]
    with pytest.warns(DataWarning, match="lower_is_better=True"):
        scores = Scores.from_frame(table)
    assert scores.audit.filter("lower-is-better").findings[0].where == "edit_distance"
    stated = read(table, edit_distance=Benchmark(lower_is_better=True))
    assert not len(stated.audit.filter("lower-is-better"))


def test_a_benchmark_that_falls_where_others_rise_is_named():
    rng = np.random.default_rng(2)
    skill = rng.uniform(0.2, 0.8, 20)
    frame = pd.DataFrame({"model": [f"m{i}" for i in range(20)], "family": "f"})
    frame = frame.assign(
        params_b=7.0, tokens_t=2.0, a=skill, b=skill**2, c=0.9 * skill, d=1 - skill
    )
    findings = read(frame).audit.filter("lower-is-better").findings
    assert [finding.where for finding in findings] == ["d"]


def _of_skill(**columns):
    """A table of 20 models, in which each column rises or falls with skill."""
    rng = np.random.default_rng(2)
    skill = rng.uniform(0.2, 0.8, 20)
    frame = pd.DataFrame({"model": [f"m{i}" for i in range(20)], "family": "f"})
    frame = frame.assign(params_b=7.0, tokens_t=2.0)
    noisy = {name: skill if sign > 0 else 1 - skill for name, sign in columns.items()}
    return frame.assign(**{k: v + rng.normal(0, 0.02, 20) for k, v in noisy.items()})


def test_several_benchmarks_that_fall_do_not_hide_each_other():
    frame = _of_skill(a=1, b=1, c=1, d=1, e=-1, f=-1, g=-1)
    findings = read(frame).audit.filter("lower-is-better").findings
    assert [finding.where for finding in findings] == ["e", "f", "g"]


@pytest.mark.parametrize("signs", [{"a": 1, "b": -1}, {"a": 1, "b": 1, "c": -1, "d": -1}])
def test_a_table_of_two_halves_that_oppose_each_other_is_named(signs):
    (finding,) = read(_of_skill(**signs)).audit.filter("opposed-benchmarks").findings
    assert "lower_is_better" in finding.message and "-0.9" in finding.message


def test_a_benchmark_declared_the_wrong_way_round_is_named():
    frame = _of_skill(a=1, b=1, c=1, d=1)
    audit = read(frame, d=Benchmark(lower_is_better=True)).audit
    (finding,) = audit.filter("higher-is-better").findings
    assert finding.where == "d" and "lower_is_better=False" in finding.message


def test_unrelated_benchmarks_are_not_taken_for_opposed():
    rng = np.random.default_rng(5)
    frame = _of_skill()
    for columns in (["a", "b"], ["a", "b", "c"], list("abcdef")):
        for _ in range(20):
            table = frame.assign(**{name: rng.uniform(0.2, 0.8, 20) for name in columns})
            codes = {finding.code for finding in read(table).audit}
            assert not codes & {"higher-is-better", "opposed-benchmarks"}


def test_an_index_of_both_signs_is_refused_with_its_scale(table):
    table["index"] = [-22.5, -8.0, 3.0, 7.0, 13.0, 20.0]
    message = refused(table)
    assert 'benchmarks={"index": Benchmark(scale="real")}' in message
    assert 'percent")' not in message and message.count("\n") <= 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scale": "elo"}, "real"),
        ({"scale": "real", "floor": 0.25}, "neither floor nor ceiling"),
        ({"floor": 0.25, "ceiling": 0.2}, "above the floor"),
        ({"lower_is_better": True, "ceiling": 1.5}, "below the floor 1, down to 0"),
        ({"lower_is_better": 1}, "True or False"),
        ({"scale": "percent", "floor": 100}, "percentage"),
        ({"unit": 3}, "unit"),
    ],
)
def test_what_a_benchmark_refuses(settings, said):
    with pytest.raises(DataError, match=said):
        Benchmark(**settings)


def test_guessing_is_worst_where_lower_is_better():
    assert Benchmark(lower_is_better=True).floor == 1
    assert Benchmark(lower_is_better=True).best == 0
    assert Benchmark(ceiling=0.95).best == 0.95


def test_centre_and_step_are_those_of_the_scores_seen_by_the_model(table):
    table["minutes"] = [1.0, 2.0, 4.0, 8.0, 16.0, np.nan]
    info = {"minutes": Benchmark(scale="positive", lower_is_better=True)}
    data = with_standards(read(table, **info).dataset)
    logs = np.log([1, 2, 4, 8, 16])
    assert float(data["centre"].sel(benchmark="minutes")) == pytest.approx(logs.mean())
    assert float(data["step"].sel(benchmark="minutes")) == pytest.approx(-logs.std())
    again = with_standards(data.assign(score=data["score"] * 0.5))
    xr.testing.assert_equal(again["centre"], data["centre"])


def test_on_one_scale_higher_is_better_for_all(table):
    table["minutes"] = [32.0, 16.0, 8.0, 4.0, 2.0, 1.0]
    table["error"] = 1 - table["mmlu"].fillna(0.5)
    info = {
        "minutes": Benchmark(scale="positive", lower_is_better=True),
        "error": Benchmark(lower_is_better=True),
    }
    value = on_one_scale(with_standards(read(table, **info).dataset))
    assert (np.diff(value.sel(benchmark="minutes").values) > 0).all()
    logit = np.log(table["error"] / (1 - table["error"]))
    np.testing.assert_allclose(value.sel(benchmark="error").values, -logit)


def test_scores_of_other_scales_are_neither_rounded_nor_clamped(table):
    table["arena"] = ELO
    data = read(table, arena=Benchmark(scale="real")).dataset
    drawn = data["score"].expand_dims(sample=2)
    kept = recording_of(data).record(drawn).sel(benchmark="arena", sample=0)
    assert kept.values.tolist() == ELO
    inside, touched = pull_inside(data["score"], data["n_items"], is_bounded(data))
    assert inside.sel(benchmark="arena").values.tolist() == ELO
    assert "arena" not in {benchmark for _, benchmark in touched}


def test_rows_to_forecast_give_scores_in_the_benchmarks_unit(table):
    table["arena"] = ELO
    data = read(table, arena=Benchmark(scale="real")).dataset
    row = table.iloc[[0]].assign(model="new")[["model", "family", "params_b", "tokens_t", "arena"]]
    planned = planned_models(row, list(data["benchmark"].values), fitted=data)
    assert float(planned["score"].sel(benchmark="arena").item()) == ELO[0]


@pytest.mark.parametrize("kind", sorted(SCALES))
def test_a_scale_goes_there_and_back(kind):
    scale = scale_of(kind)
    score = xr.DataArray([0.2, 0.5, 0.9], dims="model")
    np.testing.assert_allclose(scale.backward(scale.forward(score)), score)
    step = 1e-6
    slope = (scale.forward(score + step) - scale.forward(score - step)) / (2 * step)
    np.testing.assert_allclose(slope, scale.step_at(score.values), rtol=1e-6)
    log_slope = scale.log_slope(score) + xr.zeros_like(score)
    np.testing.assert_allclose(np.exp(log_slope), scale.step_at(score.values))
