"""Unusual but valid files: the same content in another form gives the same scores."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from latentscale.data import Scores
from latentscale.data.readers import (
    epoch_index,
    read_benchpress,
    read_checkpoints,
    read_epoch,
    read_leaderboard,
    read_livebench,
    read_published,
    read_scores,
)
from latentscale.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
MODELS = ("GPT-5", "o3", "GPT-4")


def hub_file(path: Path, *scores: float, models: tuple[str, ...] = MODELS) -> None:
    rows = pd.DataFrame({"Model version": models[: len(scores)], "score": scores})
    rows.assign(**{"Release date": "2025-01-01", "Organization": "x"}).to_csv(path, index=False)


def score(scores: Scores, model: str, benchmark: str) -> float:
    return float(scores.dataset["score"].sel(model=model, benchmark=benchmark))


@pytest.mark.parametrize(
    ("heading", "feature", "cells", "expected"),
    [
        ("Params", "params_b", ["7,5B", "0,5B", "70.5B"], [np.nan, np.nan, 70.5]),
        ("Training tokens", "tokens_t", ["1,5T", "15T", "1,500B"], [np.nan, 15.0, 1.5]),
    ],
)
def test_an_amount_with_a_decimal_comma_is_not_cut_at_the_comma(
    heading: str, feature: str, cells: list[str], expected: list[float]
) -> None:
    scores = read_published(
        pd.DataFrame({"Model": MODELS, "Quiz": [0.1, 0.2, 0.3], heading: cells})
    )
    assert scores.to_frame()[feature].tolist() == pytest.approx(expected, nan_ok=True)
    (finding,) = scores.audit.filter("cell-unread")
    assert cells[0] in finding.message


def test_rows_without_a_benchmark_are_left_out_and_counted() -> None:
    rows = pd.DataFrame({"Model": MODELS * 2, "Task": [*["quiz"] * 3, None, "-", "test"]})
    scores = read_published(rows.assign(Score=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    assert scores.benchmarks == ("quiz", "test")
    (finding,) = scores.audit.filter("unnamed-rows")
    assert finding.message.startswith("2 rows without")


def test_ends_of_intervals_of_amounts_give_one_error_however_they_are_written() -> None:
    minutes, low, high = [60.0, 30.0, 10.0], [20.0, 10.0, 5.0], [180.0, 90.0, 20.0]
    name = "Horizon minutes"
    ends = [f"[{a:g}, {b:g}]" for a, b in zip(low, high, strict=True)]
    models = {"Model": MODELS}
    long = pd.DataFrame({"Model": (*MODELS, "o3"), "Benchmark": [*[name] * 3, "quiz"]})
    tables = (
        pd.DataFrame({**models, name: minutes, "low": low, "high": high}),
        pd.DataFrame({**models, name: minutes, "95% CI": ends}),
        pd.DataFrame({**models, name: [f"{m:g} {e}" for m, e in zip(minutes, ends, strict=True)]}),
        pd.DataFrame(
            {
                **models,
                name: ["1 hr", "30 min", "10 min"],
                "95% CI": ["20 min - 3 hr", "10 min - 90 min", "5 min - 20 min"],
            }
        ),
        long.assign(Score=[*minutes, 0.5], low=[*low, 0.4], high=[*high, 0.6]),
        long.assign(Score=[*(f"{m:g} {e}" for m, e in zip(minutes, ends, strict=True)), "0.5"]),
    )
    for table in tables:
        scores = read_published(table)
        assert scores.benchmark_info[name].scale == "positive"
        errors = scores.dataset["stderr"].sel(benchmark=name).values
        expected = np.log(np.divide(high, low)) / 2 / 1.96 * minutes  # symmetric in logarithms
        assert errors == pytest.approx(expected)


def test_errors_that_are_fractions_among_percentages_are_named_in_a_long_table_too() -> None:
    long = pd.DataFrame({"Model": (*MODELS, "o3"), "Benchmark": [*["quiz"] * 3, "test"]})
    long = long.assign(Score=[50.0, 60, 70, 20], stderr=[0.01, 0.012, 0.011, 2.0])
    (finding,) = read_published(long).audit.filter("errors-tiny")
    assert '"quiz"' in finding.message
    assert '"test"' not in finding.message


def test_tables_of_checkpoints_of_one_name_are_not_read_one_for_the_other(tmp_path: Path) -> None:
    paths = []
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        paths.append(tmp_path / run / "table.csv")
        rows = pd.DataFrame({"run": f"{run}-1b", "step": [1, 2], "task": "piqa", "metric": "acc"})
        rows.assign(value=[0.5, 0.6]).to_csv(paths[-1], index=False)
    with pytest.raises(DataError, match='2 files are named "table"'):
        read_checkpoints(paths, tokens_per_step=2**21)
    paths[1] = paths[1].rename(paths[1].with_name("other.csv"))
    assert len(read_checkpoints(paths, tokens_per_step=2**21).models) == 4


def test_cells_of_wide_checkpoints_that_are_no_numbers_are_named() -> None:
    runs = pd.DataFrame({"run": "p-1b", "step": [1, 2, 3], "tokens": [1e9, 2e9, 3e9]})
    scores = read_checkpoints(runs.assign(arc=[0.3, "35%", 0.4]))
    (finding,) = scores.audit.filter("cell-unread")
    assert (finding.where, finding.message) == ("arc", '1 cell without a number, left out: "35%".')


WIDE = pd.DataFrame({"model": MODELS, "zebra_puzzle": [91.0, 93, 50], "typos": [2.0, 20, 30]})
LONG = WIDE.melt(id_vars="model", var_name="benchmark", value_name="score")
STEPS = pd.DataFrame({"run": ["p-1b", "p-1b", "q-2b"], "step": [1, 2, 3], "value": [0.3, 0.4, 0.5]})


@pytest.mark.parametrize(
    ("read", "frame"),
    [
        (read_livebench, WIDE),
        (lambda frame: read_livebench(frame, level="category"), WIDE),
        (read_published, WIDE.rename(columns={"model": "Model"})),
        (read_published, LONG.rename(columns={"model": "Model"})),
        (Scores.from_long, LONG.assign(family="f", score=LONG["score"] / 100)),
        (read_scores, WIDE.assign(family="f", typos=0.5, zebra_puzzle=[0.1, 0.2, 0.3])),
        (
            lambda frame: read_checkpoints(frame, tokens_per_step=2**21),
            STEPS.assign(task="arc_easy", metric="acc"),
        ),
        (
            read_leaderboard,
            pd.DataFrame({"fullname": ["q/a-1b", "q/b-2b", "q/c-3b"], "BBH Raw": [0.3, 0.4, 0.5]}),
        ),
    ],
)
def test_the_index_of_a_frame_says_nothing(
    read: Callable[[pd.DataFrame], Scores], frame: pd.DataFrame
) -> None:
    """A frame that was sorted, filtered or joined has another index, which does not matter."""
    expected = read(frame.reset_index(drop=True)).dataset
    places = np.arange(len(frame))
    for index in (places + 2, places[::-1], 0 * places, [f"r{place}" for place in places]):
        assert read(frame.set_axis(index, axis="index")).dataset.equals(expected)


def test_copies_of_macos_are_passed_over_and_an_empty_file_is_named(tmp_path: Path) -> None:
    hub_file(tmp_path / "foo.csv", 0.3, 0.4)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._foo.csv").write_bytes(b"\x00\x05\x16\x07\xff\xfe")
    scores = read_epoch(tmp_path)
    assert scores.benchmarks == ("foo",)
    (finding,) = scores.audit.filter("files-passed-over")
    assert "empty.csv (empty)" in finding.message


def test_endings_in_capitals_are_endings_in_a_folder_and_a_zip(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    hub_file(tmp_path / "hub" / "FOO.CSV", 0.3, 0.4)
    with zipfile.ZipFile(tmp_path / "hub.zip", "w") as archive:
        archive.write(tmp_path / "hub" / "FOO.CSV", "data/FOO.CSV")
    for path in (tmp_path / "hub", tmp_path / "hub.zip"):
        assert read_epoch(path).benchmarks == ("FOO",)


def test_two_unknown_files_of_one_benchmark_keep_their_own_scales(tmp_path: Path) -> None:
    hub_file(tmp_path / "foo.csv", 0.3, 0.4)
    hub_file(tmp_path / "foo_external.csv", 50.0, 60.0, 70.0)
    scores = read_epoch(tmp_path)
    assert score(scores, "GPT-5", "foo") == pytest.approx(0.3)
    assert score(scores, "GPT-5", "foo_external") == pytest.approx(0.5)


def test_errors_in_points_beside_scores_in_points_are_divided_with_them(tmp_path: Path) -> None:
    """With ten thousand items all errors are below 0.5 points."""
    for errors, expected in (([0.217, 0.3, 0.4], 0.003), ([0.02, 0.03, 0.04], 0.03)):
        file = tmp_path / "hella_swag_external.csv"
        hub_file(file, 95.0, 90.0, 80.0)
        pd.read_csv(file).assign(stderr=errors).to_csv(file, index=False)
        found = read_epoch(tmp_path).dataset["stderr"].sel(model="o3").values
        assert found == pytest.approx([expected])


def test_the_index_has_one_row_a_model(tmp_path: Path) -> None:
    index = pd.DataFrame({"Model version": ["GPT-5", "o3", "GPT-5"], "ECI Score": [150, 145, 151]})
    index.to_csv(tmp_path / "epoch_capabilities_index.csv", index=False)
    assert epoch_index(tmp_path)[["model", "index"]].values.tolist() == [
        ["GPT-5", 150.5],
        ["o3", 145.0],
    ]


def test_a_long_table_is_known_with_spaces_about_its_headings(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("model, family, benchmark, score\na,f,x,0.5\nb,f,x,0.6\n")
    assert score(read_scores(tmp_path / "long.csv"), "b", "x") == 0.6


def test_several_scores_of_a_cell_of_benchpress_are_named_with_their_rows(tmp_path: Path) -> None:
    (tmp_path / "models.csv").write_text("model_id,provider\no3,x\ngpt-5,x\n")
    rows = "o3,gpqa,80\ngpt-5,gpqa,\ngpt-5,gpqa,85\no3,gpqa,81\n"
    (tmp_path / "scores.csv").write_text(f"model_id,benchmark_id,score\n{rows}")
    with pytest.raises(DataError, match=r"o3 on gpqa \(rows 0, 3\).*Keep one each"):
        read_benchpress(tmp_path)


@pytest.mark.parametrize(
    ("read", "columns"),
    [
        (read_livebench, ["model", "typos", "typos "]),
        (read_published, ["Model", "typos", "typos "]),
        (read_checkpoints, ["run", "step", "step "]),
    ],
)
def test_columns_of_one_name_are_named(
    read: Callable[[pd.DataFrame], Scores], columns: list[str]
) -> None:
    with pytest.raises(DataError, match=f'named more than once: "{columns[1]}"'):
        read(pd.DataFrame([["o3", 1.0, 2.0], ["gpt-5", 50.0, 60.0]], columns=columns))


def test_columns_named_by_numbers_are_benchmarks_of_that_name() -> None:
    frame = pd.DataFrame([["o3", 10.0], ["gpt-5", 20.0]], columns=["model", 7])
    assert read_livebench(frame).benchmarks == ("7",)
    runs = pd.DataFrame([["p-1b", 1, 1e9, 0.2]], columns=["run", "step", "tokens", 7])
    assert read_checkpoints(runs).benchmarks == ("7",)


def test_livebench_says_what_it_cannot_average_or_find() -> None:
    frame = pd.DataFrame({"model": ["o3", "gpt-5"], "of its own": [10.0, 20.0]})
    with pytest.raises(DataError, match=r'no task has a category.*level="task"'):
        read_livebench(frame, level="category")
    with pytest.raises(DataError, match=r"release= is the day of a release.*got 2025"):
        read_livebench(frame, release=2025)  # type: ignore[arg-type]


def test_a_year_alone_among_dates_of_the_hub_is_read(tmp_path: Path) -> None:
    hub_file(tmp_path / "foo.csv", 0.3, 0.4)
    rows = pd.read_csv(tmp_path / "foo.csv").assign(**{"Release date": ["2025-04-16", "2023"]})
    rows.to_csv(tmp_path / "foo.csv", index=False)
    days = read_epoch(tmp_path).dataset["released"].values.astype("datetime64[D]").astype(str)
    assert days.tolist() == ["2025-04-16", "2023-07-01"]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_years_alone_of_a_file_are_dates(tmp_path: Path, ending: str) -> None:
    mark = "\t" if ending == "tsv" else ","
    rows = (["model", "family", "released", "quiz"], ["a", "f", "2024", "0.1"])
    rows += (["b", "f", "2025", "0.2"], ["c", "f", "", "0.3"])
    file = tmp_path / f"scores.{ending}"
    file.write_text("\n".join(mark.join(row) for row in rows))
    days = read_scores(file).dataset["released"].values.astype("datetime64[D]").astype(str)
    assert days.tolist() == ["2024-07-01", "2025-07-01", "NaT"]
