"""Commands derived from verbs: they print and write the library's results."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts import each as each_module
from latentscale.analysis.forecasts.weights import Degenerate
from latentscale.cli import main
from latentscale.cli.console import with_options
from latentscale.cli.output import finish
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.posterior.fit import Fit
from latentscale.posterior.folder import HEADER

ROWS = pd.DataFrame(
    {
        "model": ["fam00-big", "new-1"],
        "family": ["fam00", "new"],
        "params_b": [70.0, 8.0],
        "tokens_t": [15.0, 4.0],
        "instruct": [0, 0],
    }
)
# Command, the words after the fit, and the same call in the library.
ANSWERS: dict[str, tuple[list[str], Callable[[Fit], pd.DataFrame]]] = {
    "check": ([], lambda fit: ls.check(fit).table()),
    "loo": (
        ["--seed", "2", "--prob", "0.5"],
        lambda f: ls.leave_one_out(f, prob=0.5, seed=2).table(),
    ),
    "predictive": (
        ["--prob", "0.5"],
        lambda f: ls.studies.posterior_predictive(f, prob=0.5).table(),
    ),
    "sensitivity": (
        ["--variable", "intercept", "--prior", "intercept"],
        lambda f: ls.sensitivity(f, variables=["intercept"], priors=["intercept"]).table(),
    ),
    "influence": (
        ["--family", "fam00", "--family", "fam01", "--variable", "intercept"],
        lambda f: ls.studies.family_influence(
            f, families=["fam00", "fam01"], variables=["intercept"]
        ).table(),
    ),
    "passing": (
        ["rows.csv", "--threshold", "0.5"],
        lambda f: ls.probability_above(f, ROWS, 0.5).table(),
    ),
    "next-benchmark": (
        [
            "rows.csv",
            "--model",
            "new-1",
            "--target",
            "alpha",
            "--cost",
            "beta=2",
            "--cost",
            "gamma=1",
            "--cost",
            "delta=1",
        ],
        lambda f: ls.next_benchmark(
            f, ROWS, model="new-1", targets=["alpha"], costs={"beta": 2, "gamma": 1, "delta": 1}
        ).table(),
    ),
    "compute": (
        ["--benchmark", "alpha", "--target", "0.4", "--family", "fam00", "--prob", "0.5"],
        lambda f: ls.flops_for_target(f, "alpha", 0.4, family="fam00").table(0.5).reset_index(),
    ),
    "variance": (["--draws", "20"], lambda f: ls.studies.variance_shares(f, draws=20).table()),
}


@pytest.fixture(scope="module")
def fits(
    small_scores: ls.Scores, known_spec: ModelSpec, prior_fit: Callable[..., Fit]
) -> dict[str, Fit]:
    small = {"skills": {"count": 0}, "benchmarks": {"slopes": ["log_flops"]}}
    spec = spec_from_dict({"name": "small", **small})
    return {
        "fit": prior_fit(spec, small_scores, draws=100, seed=1),
        "other": prior_fit(spec, small_scores, draws=100, seed=2),
        "skilled": prior_fit(known_spec, small_scores, draws=40),
    }


@pytest.fixture
def folder(fits: dict[str, Fit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with fits, their scores, rows to forecast, and an outcome."""
    for name, fit in fits.items():
        fit.save(tmp_path / f"{name}.nc")
    scores = fits["fit"].scores
    scores.to_frame().to_csv(tmp_path / "scores.csv", index=False)
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    ranks = pd.DataFrame({"model": scores.models, "elo": np.arange(len(scores.models)) * 10.0})
    ranks.to_csv(tmp_path / "elo.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 2, words
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].startswith("error: ") and "Traceback" not in said.err
    return said.err


def same(path: Path, table: pd.DataFrame) -> None:
    read = pd.read_csv(path, keep_default_na=False, na_values=[""])
    texts = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    pd.testing.assert_frame_equal(
        read.drop(columns=texts), table.drop(columns=texts), check_dtype=False
    )
    for name in texts:
        assert read[name].fillna("").astype(str).tolist() == table[name].astype(str).tolist()


@pytest.mark.filterwarnings("ignore")  # prior draws fit badly, which is reported
@pytest.mark.parametrize("command", ANSWERS)
def test_a_command_writes_the_library_s_table_and_draws_its_picture(
    command: str, folder: Path, fits: dict[str, Fit], capsys: pytest.CaptureFixture[str]
) -> None:
    words, answer = ANSWERS[command]
    assert main([command, "fit.nc", *words, "--csv", "out.csv", "--out", "out.svg"]) == 0
    said = capsys.readouterr()
    assert "wrote out.csv" in said.out and "wrote out.svg" in said.out
    same(folder / "out.csv", answer(fits["fit"]))
    assert "<svg" in (folder / "out.svg").read_text(encoding="utf-8")
    assert main([command, "fit.nc", *words]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) >= 1 and "wrote" not in printed


@pytest.mark.filterwarnings("ignore")
def test_a_table_is_written_as_parquet_by_its_ending(folder: Path, fits: dict[str, Fit]) -> None:
    assert main(["loo", "fit.nc", "--csv", "loo.parquet"]) == 0
    table = ls.leave_one_out(fits["fit"]).table()
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "loo.parquet"), table)


@pytest.mark.filterwarnings("ignore")
def test_fits_are_compared_and_stacked_by_name(
    folder: Path, fits: dict[str, Fit], capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"a": fits["fit"], "other": fits["other"]}
    words = ["a=fit.nc", "other.nc"]
    assert main(["compare", *words, "--csv", "c.csv", "--out", "c.png"]) == 0
    comparison = ls.compare(named)
    same(folder / "c.csv", comparison.table())
    assert main(["stack", *words, "--rows", "rows.csv", "--out", "s.csv", "--seed", "3"]) == 0
    same(folder / "s.csv", ls.stack(named, ROWS, comparison, seed=3).table())
    weights = comparison.table()[["name", "weight"]].itertuples(index=False)
    said = ", ".join(f"{name} {weight:.3g}" for name, weight in weights)
    assert f"weights: {said}\n" in capsys.readouterr().out
    shares = ["--weight", "a=1", "--weight", "other=3"]
    assert main(["stack", *words, "--rows", "rows.csv", *shares]) == 0
    assert "weights: a 1, other 3" in capsys.readouterr().out
    assert 'Two fits are called "fit"' in refused(capsys, "compare", "fit.nc", "x/fit.nc")
    assert "none.nc" in refused(capsys, "compare", "fit.nc", "none.nc")
    said = refused(capsys, "stack", *words, "--rows", "rows.csv", "--weight", "a")
    assert "NAME=NUMBER" in said


@pytest.mark.filterwarnings("ignore")
def test_skills_of_fits_are_compared_and_regressed_on(
    folder: Path, fits: dict[str, Fit], capsys: pytest.CaptureFixture[str]
) -> None:
    skilled = fits["skilled"]
    assert main(["agreement", "skilled.nc", "skilled.nc", "--pairs", "9", "--out", "a.csv"]) == 0
    same(folder / "a.csv", ls.studies.skill_agreement(skilled, skilled, pairs=9).table())
    words = ["regress", "skilled.nc", "--outcome", "elo.csv"]
    assert main([*words, "--csv", "r.csv", "--prob", "0.5"]) == 0
    elo = {model: 10.0 * i for i, model in enumerate(skilled.scores.models)}
    same(folder / "r.csv", ls.studies.regress_on_skills(skilled, elo).table(0.5))
    (folder / "bad.csv").write_text("model,elo\na,1\na,2\n")
    assert 'the model "a" has two outcomes' in refused(capsys, *words[:3], "bad.csv")
    (folder / "bad.csv").write_text("model,elo\na,high\n")
    assert "must be a number; got 'high'" in refused(capsys, *words[:3], "bad.csv")
    (folder / "bad.csv").write_text("model,elo,more\na,1,2\n")
    assert "one column of numbers" in refused(capsys, *words[:3], "bad.csv")


@pytest.mark.filterwarnings("ignore")
def test_a_free_fit_is_aligned_and_saved(
    folder: Path, fits: dict[str, Fit], prior_fit: Callable[..., Fit], known_spec: ModelSpec
) -> None:
    free = known_spec.with_({"skills.identify": {"kind": "free"}})
    fit = prior_fit(free, fits["skilled"].scores, draws=40)
    fit.save(folder / "free.nc")
    words = ["align", "free.nc", "--rotation", "varimax", "--out", "aligned.nc", "--csv", "l.csv"]
    assert main(words) == 0
    result = ls.align(fit, rotation=ls.rotations.Varimax())
    same(folder / "l.csv", result.table())
    assert ls.load(folder / "aligned.nc").posterior.identical(result.fit.posterior)


def test_a_table_is_simulated(folder: Path) -> None:
    words = ["simulate", "--spec", "pooled_flops", "--scores", "scores.csv", "--seed", "4"]
    assert main([*words, "--out", "simulated.csv"]) == 0
    template = ls.readers.read_scores(folder / "scores.csv")
    simulated = ls.simulate(ls.load_spec("pooled_flops"), template, seed=4).scores
    read = pd.read_csv(folder / "simulated.csv")
    np.testing.assert_allclose(
        read[list(simulated.benchmarks)], simulated.to_frame()[list(simulated.benchmarks)]
    )


@pytest.mark.filterwarnings("ignore")
def test_forecasts_say_how_sure_they_are_when_asked(
    folder: Path, fits: dict[str, Fit], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "fit.nc", "rows.csv", "--trust", "5", "--out", "forecast.csv"]) == 0
    table = pd.read_csv(folder / "forecast.csv").set_index(["model", "benchmark"])
    sure = ls.predict(fits["fit"], ROWS).trust(5).set_index(["model", "benchmark"])
    pd.testing.assert_series_equal(table["trust"].sort_index(), sure["trust"].sort_index())
    assert main(["predict", "fit.nc", "rows.csv", "--trust", "5"]) == 0
    said = capsys.readouterr().out
    assert "trust: probability that the error is below 5 percentage points\n" in said


@pytest.mark.filterwarnings("ignore")
def test_each_model_is_forecast_by_its_own_scores(
    folder: Path, fits: dict[str, Fit], capsys: pytest.CaptureFixture[str], seed_shift: int
) -> None:
    rows = ROWS.assign(alpha=[np.nan, 0.6])
    rows.to_csv(folder / "scored.csv", index=False)
    words = ["predict-each", "fit.nc", "scored.csv", "--by", "model", "--seed", "2"]
    assert main([*words, "--prob", "0.5", "--out", "each.csv", "--trust", "5"]) == 0
    each = ls.studies.predict_each(fits["fit"], rows, by="model", seed=2, progress=False)
    written = pd.read_csv(folder / "each.csv", keep_default_na=False)
    wanted = each.table(0.5)
    np.testing.assert_allclose(written["lower"], wanted["lower"])
    sure = each.trust(5).set_index(["model", "benchmark"])["trust"]
    cells = pd.MultiIndex.from_frame(written[["model", "benchmark"]])
    np.testing.assert_allclose(written["trust"], sure[cells])
    assert each.headline in capsys.readouterr().out
    several = [*words[:-1], str(2 + seed_shift), "--workers", "2"]
    assert main([*several, "--prob", "0.5", "--out", "two.csv"]) == 0
    two = pd.read_csv(folder / "two.csv", keep_default_na=False)
    given = written["model"] == "new-1"  # forecast in a separate process
    pd.testing.assert_frame_equal(two[given], written[given].drop(columns="trust"))
    capsys.readouterr()
    assert main([*words, "--prob", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "lower, upper: 0.5 interval" in said and f"{wanted['lower'].iloc[-1]:.3f}" in said
    assert main([*words[:3], "--by", "lineage"]) == 2


@pytest.mark.filterwarnings("ignore")
def test_models_that_cannot_be_forecast_are_named_with_the_reason(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = each_module.forecast_rows

    def forecast(fit: Fit, planned: xr.Dataset, **how: Any) -> ls.results.Forecast:
        if "new-1" in planned["model"].values:
            raise Degenerate(1, 3.0, 0.9, 400)
        return whole(fit, planned, **how)

    monkeypatch.setattr(each_module, "forecast_rows", forecast)
    ROWS.assign(alpha=[np.nan, 0.6]).to_csv(folder / "scored.csv", index=False)
    assert main(["predict-each", "fit.nc", "scored.csv", "--out", "each.csv"]) == 0
    wanted = "not forecast: new-1: The 1 score given leaves the weight on too few posterior draws: "
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("not f")]
    assert line.startswith(wanted) and line.endswith("Pareto k 0.90 (at most 0.62)")
    assert set(pd.read_csv(folder / "each.csv")["model"]) == {"fam00-big"}


def test_intervals_that_are_printed_have_the_probability_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], fits: dict[str, Fit]
) -> None:
    forecast = ls.predict(fits["fit"], ROWS, seed=1)
    finish(forecast, prob=0.5)
    said = capsys.readouterr().out
    assert all(f"{lower:.4g}" in said for lower in forecast.table(0.5)["lower"])


def test_forecasts_given_scores_say_so(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Prior draws: the quality of their weights is not tested here.
    monkeypatch.setattr(
        "latentscale.analysis.forecasts.condition.refuse_degenerate", lambda *_: None
    )
    assert main(["predict", "skilled.nc", "rows.csv"]) == 0
    assert "Given" not in capsys.readouterr().out
    ROWS.assign(alpha=[0.5, None]).to_csv("scored.csv", index=False)
    assert main(["predict", "skilled.nc", "scored.csv"]) == 0
    assert "Given 1 score (" in capsys.readouterr().out
    assert main(["predict", "skilled.nc", "scored.csv", "--out", "given.csv"]) == 0
    assert "Given 1 score (" in capsys.readouterr().out
    assert main(["predict", "skilled.nc", "scored.csv", "--out", "/dev/stdout"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("model,benchmark") and "Given 1 score (" in said.err


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("words", [("predict",), ("passing", "--threshold", "0.5")])
def test_degenerate_weights_name_the_option_that_refits(
    folder: Path,
    fits: dict[str, Fit],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    command, *settings = words
    ROWS.assign(alpha=[0.999, 0.001], beta=[0.001, 0.999]).to_csv("odd.csv", index=False)
    assert main([command, "skilled.nc", "odd.csv", *settings]) == 2
    assert "On the command line: --refit" in capsys.readouterr().err
    asked: list[object] = []

    def refitted(*_: object, method: object, **__: object) -> Fit:
        asked.append(method)
        return fits["skilled"]

    monkeypatch.setattr("latentscale.analysis.forecasts.predict.run_fit", refitted)
    csv = "--out" if command == "predict" else "--csv"
    assert main([command, "skilled.nc", "odd.csv", *settings, "--refit", csv, "o.csv"]) == 0
    assert asked == [ls.NUTS()] and len(pd.read_csv("o.csv"))


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (("frontier", "skilled.nc", "--date", "2026-01-01"), ("--benchmark NAME", "--anchor NAME")),
        (("next-benchmark", "skilled.nc", "planned.csv"), ("--model NAME",)),
    ],
)
def test_arguments_that_a_refusal_names_are_options_of_the_command(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    options: tuple,
) -> None:
    monkeypatch.setattr("latentscale.analysis.choices.next_benchmark.FEWEST_DRAWS", 1)
    ROWS.to_csv("planned.csv", index=False)
    assert main(list(words)) == 2
    said = capsys.readouterr().err
    assert all(f"On the command line: {option}" in said for option in options)
    assert main([words[0], "--help"]) == 0
    listed = capsys.readouterr().out
    assert all(option.split()[0] in listed for option in options)


def test_what_the_audit_names_has_an_option(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = pd.DataFrame({"Model": ["gpt-5", "o3"], "GPQA": [80.0, 85.0], "Price": [1.0, 2.0]})
    hub.to_csv("hub.csv", index=False)
    assert main(["data", "hub.csv"]) == 0
    said = capsys.readouterr().out
    assert "On the command line: --benchmarks FILE.toml" in said and "--feature COLUMN" in said


def test_columns_to_estimate_are_named_as_a_file_of_features_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("latentscale.cli.console._explained", set())
    said = with_options(
        'scores.with_estimated(["params_b", "tokens_t"]) keeps them; '
        'scores.with_estimated(["released"]) keeps those'
    )
    assert said.count("On the command line") == 1
    declared = tomllib.loads(said.splitlines()[-1])["features"]
    assert [one["name"] for one in declared] == ["params_b", "tokens_t", "released"]
    assert {one["missing"] for one in declared} == {"estimated"}


def test_free_skills_are_aligned_by_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentscale.cli.console._explained", set())
    said = with_options("Align the draws first, latentscale.align(fit).fit, or use others.")
    assert said.splitlines()[1:] == [
        "On the command line: latentscale align FIT.nc --out ALIGNED.nc."
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_backtest_is_run_by_scheme(
    folder: Path,
    prior_fit: Callable[..., Fit],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from latentscale.analysis import backtest as module

    def fit(spec: ModelSpec, scores: ls.Scores, *, seed: int, **settings: object) -> Fit:
        return prior_fit(spec, scores, draws=40, seed=seed)

    monkeypatch.setattr(module, "fit", fit)
    words = ["backtest", "--spec", "pooled_flops", "--scores", "scores.csv"]
    assert main([*words, "--scheme", "families", "--folds", "2", "--out", "rows.parquet"]) == 0
    rows = pd.read_parquet(folder / "rows.parquet")
    assert rows["fold"].nunique() == 2 and rows["family"].nunique() > 2
    printed = capsys.readouterr().out
    assert "cover" in printed and "alpha" in printed
    assert "largest-member" in refused(capsys, *words, "--scheme", "largest")
    assert "needs --cutoff" in refused(capsys, *words, "--scheme", "chronological")
    assert "--cutoff is for" in refused(capsys, *words, "--cutoff", "2024-01-01")
    said = refused(capsys, *words, "--folds", "3")  # of the default scheme
    assert "largest-member or families or cells or model-cells; leave it out with leave-" in said
    seen = refused(capsys, *words, "--scheme", "cells", "--seen", "0")
    assert "--seen is for --scheme leave-one-family; leave it out with cells" in seen
    by_cell = ["--scheme", "model-cells", "--folds", "3", "--out", "cells.csv"]
    assert main([*words, *by_cell]) == 0
    cells = pd.read_csv(folder / "cells.csv")
    assert not cells.duplicated(["model", "benchmark"]).any() and cells["fold"].nunique() == 3
    few = ["--scheme", "families", "--folds", "2", "--given", "1", "--out", "few.csv"]
    assert main([*words, *few]) == 0
    assert 0 < len(pd.read_csv(folder / "few.csv")) < len(rows)
    assert "hide whole models" in refused(capsys, *words, "--scheme", "cells", "--given", "1")
    chosen = ["backtest", "--spec", "auto", "--scores", "scores.csv", "--scheme", "cells"]
    assert main([*chosen, "--folds", "1"]) == 0
    assert "the spec is latentscale" in capsys.readouterr().out


def test_a_run_that_was_stopped_goes_on_to_a_saved_fit(
    folder: Path, fits: dict[str, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def resume(path: Path, *, draws: int | None = None) -> Fit:
        asked.append((path, draws))
        return fits["fit"]

    (folder / "run").mkdir()
    (folder / "run" / HEADER).write_text('{"schema": 1}')
    monkeypatch.setattr(ls, "resume", resume)
    assert main(["resume", "run", "--draws", "50", "--out", "whole.nc"]) == 0
    assert asked == [(Path("run"), 50)]
    assert ls.load(folder / "whole.nc").posterior.identical(fits["fit"].posterior)


@pytest.mark.filterwarnings("ignore")
def test_mistakes_in_derived_commands_give_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "prob must lie strictly" in refused(capsys, "loo", "fit.nc", "--prob", "90")
    assert "it is read by this command" in refused(
        capsys, "passing", "fit.nc", "rows.csv", "--threshold", "0.5", "--csv", "rows.csv"
    )
    assert "takes a number" in refused(capsys, "passing", "fit.nc", "rows.csv", "--threshold", "x")
    twice = ["--threshold", "alpha=0.5", "--threshold", "alpha=0.6"]
    assert '"alpha" is given twice' in refused(capsys, "passing", "fit.nc", "rows.csv", *twice)
    assert "--threshold" in refused(capsys, "passing", "fit.nc", "rows.csv")
    assert "slop" in refused(capsys, "sensitivity", "fit.nc", "--variable", "slop")


def test_what_the_spec_leaves_out_is_said_by_undisclosed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "undisclosed" in refused(capsys, "undisclosed", "fit.nc")


def test_a_prior_from_bounds_is_printed_as_a_spec_holds_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("preliz", reason="the extra elicit is not installed")
    assert main(["elicit", "pooled_flops", "benchmark_slope", "0.02", "0.20"]) == 0
    printed = capsys.readouterr().out.partition("[priors]")[2]
    wanted = ls.elicit(ls.load_spec("pooled_flops"), "benchmark_slope", 0.02, 0.20).prior
    spec = Path(ls.__file__).parents[1] / "model_specs" / "pooled_flops.toml"
    head = spec.read_text(encoding="utf-8").partition("[priors]")[0]
    file = tmp_path / "own.toml"
    file.write_text(f"{head}\n[priors]{printed}", encoding="utf-8")
    assert ls.load_spec(file).prior("benchmark_slope").numbers == pytest.approx(
        wanted.numbers, rel=1e-5
    )


def test_bounds_that_no_prior_can_have_are_refused_by_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["elicit", "pooled_flops", "nothing", "0.02", "0.20"]) == 2
    assert "is not a prior of pooled_flops" in capsys.readouterr().err


def test_negative_numbers_are_arguments_and_misspelt_options_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("preliz", reason="the extra elicit is not installed")
    assert main(["elicit", "latentscale", "slope", "-0.1", "2e-1"]) == 0
    assert main(["elicit", "latentscale", "slope", "-0.1", "0.2", "--probb", "0.9"]) == 2
    assert "No such option: --probb" in (said := capsys.readouterr().err)
    assert "See `latentscale elicit --help`" in said
