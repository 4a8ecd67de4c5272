from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

import latentscale as ls
from latentscale.demo import (
    BASELINE,
    SPEC,
    DemoResult,
    built_on,
    hidden_models,
    paired_difference,
    run_demo,
    summary_by_spec,
)
from latentscale.errors import DataError

SMALL = ls.NUTS(draws=30, tune=50, chains=2)


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> DemoResult:
    folder = tmp_path_factory.mktemp("demo") / "made" / "here"
    return run_demo(folder, method=SMALL, seed=2, progress=False, echo=said.append)


def test_the_hidden_models_follow_the_rule() -> None:
    scores = ls.datasets.open_llm_leaderboard()
    base = scores.to_frame().query("instruct == 0")
    hidden = hidden_models(scores)
    large = base.groupby("family").filter(lambda rows: len(rows) >= 4)
    assert len(hidden) == large["family"].nunique() >= 6
    for model in hidden:
        row = base[base["model"] == model].iloc[0]
        assert row["params_b"] == base.loc[base["family"] == row["family"], "params_b"].max()


def test_models_built_on_a_hidden_one_are_found() -> None:
    scores = ls.datasets.open_llm_leaderboard()
    aside = built_on(scores, ("qwen2-72b",))
    assert "qwen2-72b-instruct" in aside
    assert "qwen2-7b-instruct" not in aside
    assert "qwen2-72b" not in aside


def test_a_table_without_large_families_is_refused() -> None:
    scores = ls.datasets.open_llm_leaderboard()
    with pytest.raises(DataError, match="No family has 40 base models"):
        hidden_models(scores, min_members=40)


def test_the_fits_saw_neither_hidden_models_nor_those_built_on_them(result: DemoResult) -> None:
    for name in (SPEC, BASELINE):
        fit = ls.load(result.folder / f"{name}.nc")
        assert fit.spec.name == name
        assert not set(fit.scores.models) & {*result.hidden, *result.set_aside}


def test_both_specs_forecast_every_hidden_score(result: DemoResult) -> None:
    truth = ls.datasets.open_llm_leaderboard().to_frame().set_index("model")
    table = result.forecasts
    for name in (SPEC, BASELINE):
        mine = table[table["spec"] == name]
        assert set(mine["model"]) == set(result.hidden)
        known = truth.loc[list(result.hidden), sorted(set(mine["benchmark"]))]
        assert len(mine) == int(known.notna().sum().sum())
        for row in mine.itertuples():
            assert row.score == truth.loc[row.model, row.benchmark]
            assert row.lower <= row.lower_50 <= row.median <= row.upper_50 <= row.upper


def test_the_saved_fit_gives_the_reported_forecasts(result: DemoResult) -> None:
    fit = ls.load(result.folder / f"{SPEC}.nc")
    frame = ls.datasets.open_llm_leaderboard().select(models=result.hidden).to_frame()
    again = ls.predict(fit, frame.drop(columns=list(fit.scores.benchmarks)), seed=2).table()
    mine = result.forecasts[result.forecasts["spec"] == SPEC]
    both = mine.merge(again, on=["model", "benchmark"], suffixes=("", "_again"))
    assert len(both) == len(mine)
    for column in ("median", "lower", "upper"):
        np.testing.assert_allclose(both[column], both[f"{column}_again"])


def test_summary_and_difference_are_those_of_the_forecasts(result: DemoResult) -> None:
    table = result.forecasts.assign(
        error=100 * (result.forecasts["score"] - result.forecasts["median"]).abs()
    )
    by_spec = result.summary.set_index("spec")
    for name in (SPEC, BASELINE):
        mine = table[table["spec"] == name]
        inside = mine["score"].between(mine["lower"], mine["upper"])
        assert by_spec.loc[name, "mean_absolute_error"] == pytest.approx(mine["error"].mean())
        assert by_spec.loc[name, "coverage_90"] == pytest.approx(inside.mean())
    errors = by_spec["mean_absolute_error"]
    assert result.difference.points == pytest.approx(errors[SPEC] - errors[BASELINE])
    assert result.difference.families == len(result.hidden)
    assert result.difference.standard_error > 0


def test_the_files_named_are_there_and_hold_the_results(result: DemoResult) -> None:
    names = [path.name for path in result.files]
    assert sorted(names) == sorted(path.name for path in result.folder.iterdir())
    read = pd.read_csv(result.folder / "forecasts.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(read, result.forecasts, check_dtype=False)
    read = pd.read_csv(result.folder / "summary.csv")
    pd.testing.assert_frame_equal(read, result.summary, check_dtype=False)
    for name in ("curve.png", "forecasts.png"):
        assert imread(result.folder / name).std() > 0.02


def test_the_output_says_what_was_computed(result: DemoResult, said: list[str]) -> None:
    text = "\n".join(said)
    for model in (*result.hidden, *result.set_aside):
        assert model in text
    for diagnosis in result.diagnoses.values():
        assert str(diagnosis) in text
    assert f"{result.difference.points:+.2f} points" in text
    assert "seed 2" in text
    assert str(result.folder) in text
    for path in result.files:
        assert f"  {path.name}" in text
    score_lines = [line for line in text.splitlines() if " to " in line and "(" in line]
    assert len(score_lines) == len(result.forecasts) / 2


def _two_specs() -> pd.DataFrame:
    cells = pd.DataFrame(
        {
            "family": ["a", "a", "b", "c"],
            "model": ["a1", "a1", "b1", "c1"],
            "benchmark": ["x", "y", "x", "x"],
            "score": [0.5, 0.6, 0.4, 0.3],
        }
    )
    first = cells.assign(spec="first", median=[0.51, 0.58, 0.43, 0.30])
    second = cells.assign(spec="second", median=[0.56, 0.55, 0.48, 0.31])
    return pd.concat([first, second], ignore_index=True)


def test_paired_difference_by_hand() -> None:
    difference = paired_difference(_two_specs(), "first", "second", seed=0, resamples=20_000)
    # |errors| in points: first 1 2 3 0, second 6 5 8 1; gaps -5 -3 -5 -1.
    assert difference.points == pytest.approx(-14 / 4)
    # All 27 resamples of three families, as ratios of summed gaps to summed counts.
    total, size = np.array([-8.0, -5.0, -1.0]), np.array([2.0, 1.0, 1.0])
    drawn = np.array(np.meshgrid([0, 1, 2], [0, 1, 2], [0, 1, 2])).reshape(3, -1)
    exact = (total[drawn].sum(axis=0) / size[drawn].sum(axis=0)).std()
    assert difference.standard_error == pytest.approx(exact, rel=0.03)


def test_summary_by_hand() -> None:
    table = _two_specs().assign(
        lower=lambda t: t["median"] - 0.025,
        upper=lambda t: t["median"] + 0.025,
        lower_50=lambda t: t["median"] - 0.012,
        upper_50=lambda t: t["median"] + 0.012,
    )
    first, second = summary_by_spec(table).itertuples(index=False)
    assert (first.spec, second.spec) == ("first", "second")
    assert first.mean_absolute_error == pytest.approx(1.5)
    assert first.width_90 == pytest.approx(5.0)
    assert first.coverage_90 == 0.75
    assert first.coverage_50 == 0.5
    assert second.coverage_90 == 0.25


def test_the_readme_s_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    quick = code.replace('"latentscale"', '"pooled_flops"')
    quick, shortened = re.subn(r"(draws|tune)=\d+", r"\1=30", quick)
    assert shortened == 2
    monkeypatch.chdir(tmp_path)
    exec(compile(quick, "README.md", "exec"), {})
    assert ls.load(tmp_path / "fit.nc").spec.name == "pooled_flops"
