"""The demo: hide models of the bundled table, forecast them, and compare with what was measured."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from latentscale import __version__
from latentscale.analysis.checks.calibrate import bootstrap_errors, cell_figures
from latentscale.analysis.checks.diagnose import Diagnosis, diagnose
from latentscale.analysis.curves.along import checked_over
from latentscale.analysis.curves.curves import scaling_curve
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.predict import predict
from latentscale.data.datasets import open_llm_leaderboard
from latentscale.data.scores import Scores
from latentscale.data.table_files import write_table
from latentscale.declare.io import load_spec
from latentscale.dims import (
    BENCHMARK,
    CHAIN,
    DEFAULT_PROB,
    DRAW,
    FLOPS_PER_BILLION_TRILLION,
    MODEL,
    SAMPLE,
)
from latentscale.errors import DataError
from latentscale.files import expanded, reason, writable_path
from latentscale.inference.nuts.method import NUTS
from latentscale.inference.run import fit
from latentscale.plots import plot_curve, plot_forecast
from latentscale.plots.style import Sheet
from latentscale.posterior.convergence import Convergence, convergence
from latentscale.posterior.fit import Fit

METHOD = NUTS(draws=250, tune=300, chains=4)
"""Short chains, to end within minutes; the output says how well they mixed."""

SPEC, BASELINE = "latentscale", "pooled_flops"
MIN_MEMBERS = 4
RESAMPLES = 4000

_TABLES = ("forecasts.csv", "summary.csv", "diagnostics.csv")
_FIGURES = ("curve.png", "forecasts.png")
FILES = (f"{SPEC}.nc", f"{BASELINE}.nc", *_TABLES, *_FIGURES)
"""What the demo writes to its folder."""

_POINTS = 100
"""Percentage points in a fraction."""
_NARROW = 0.5
"""Probability of the inner interval: half of the scores fall into it."""
_METADATA = ["model", "family", "lineage", "instruct", "params_b", "tokens_t"]


@dataclass(frozen=True)
class Difference:
    """Difference between the mean absolute errors of two specs on the same scores.

    Attributes
    ----------
    points
        The difference, in points (hundredths of the score range); negative if the first is
        better.
    standard_error
        Its standard error, points: bootstrap over families, whose scores stay together.
    families, resamples
        Number of families, and of resamples.
    """

    points: float
    standard_error: float
    families: int
    resamples: int


@dataclass(frozen=True)
class DemoResult:
    """What the demo found and wrote.

    Attributes
    ----------
    folder, files
        Where the results are.
    hidden, set_aside
        Models that were forecast, and tuned models built on them, also hidden from the fits.
    forecasts
        One row per spec, model and benchmark: score, median, intervals (fractions).
    summary
        One row per spec: scores, mean absolute error of the median and mean width of the 90%
        interval (points), coverage of the 90% and 50% intervals (fractions), seconds.
    difference
        Mean absolute error of the recommended spec minus the baseline's.
    diagnoses
        By spec.
    max_rhat_reported
        Largest R-hat of the expected scores behind the reported forecasts, over both specs.
    """

    folder: Path
    files: tuple[Path, ...]
    hidden: tuple[str, ...]
    set_aside: tuple[str, ...]
    forecasts: pd.DataFrame
    summary: pd.DataFrame
    difference: Difference
    diagnoses: Mapping[str, Diagnosis]
    max_rhat_reported: float


@dataclass(frozen=True)
class _Run:
    fit: Fit
    diagnosis: Diagnosis
    forecast: Forecast
    table: pd.DataFrame
    reported: Convergence
    seconds: float


def run_demo(
    folder: Path,
    *,
    method: NUTS = METHOD,
    seed: int = 1,
    progress: bool = True,
    echo: Callable[[str], object] = print,
) -> DemoResult:
    """Forecast hidden models of the bundled table with the recommended spec and a baseline.

    The largest base model of every family with at least four base models is hidden. Tuned
    models built on a hidden one are left out of the fits too, since they would give it away.

    Parameters
    ----------
    folder
        Where the results are written; created if it does not exist. ``~`` is expanded, and
        files of an earlier demo are replaced.
    method
        How both specs are fitted.
    seed
        Seed of the fits, the forecasts and the bootstrap.
    progress
        Whether to show the samplers' progress on standard error.
    echo
        Called with each piece of the output.

    Raises
    ------
    DataError
        If the folder cannot be created or written to.
    """
    start = time.perf_counter()
    folder = results_folder(folder)
    scores = open_llm_leaderboard()
    hidden = hidden_models(scores)
    aside = built_on(scores, hidden)
    measured = scores.select(models=hidden)
    train = scores.without([*hidden, *aside])
    echo(_opening(scores, hidden, aside))
    runs = {}
    for name in (SPEC, BASELINE):
        echo(f"\nFitting {name} to {len(train.models)} models, {train.n_observed} scores")
        runs[name] = _run(name, train, measured, method, seed, progress)
        echo(_mixing(runs[name]))
    forecasts = pd.concat([run.table.assign(spec=name) for name, run in runs.items()])
    forecasts = forecasts[["spec", *forecasts.columns.drop("spec")]].reset_index(drop=True)
    summary = summary_by_spec(forecasts).assign(
        seconds=[round(run.seconds, 1) for run in runs.values()]
    )
    difference = paired_difference(forecasts, SPEC, BASELINE, seed=seed)
    echo("\n" + _score_lines(forecasts))
    echo("\n" + _summary_lines(summary, difference, seed))
    files = _write(folder, runs, forecasts, summary, measured)
    echo(f"\nWritten to {folder}/")
    echo("\n".join(f"  {path.name}" for path in files))
    echo(f"\n{_machine(runs[SPEC])}, seed {seed}, {time.perf_counter() - start:.0f} s in all")
    return DemoResult(
        folder=folder,
        files=files,
        hidden=hidden,
        set_aside=aside,
        forecasts=forecasts,
        summary=summary,
        difference=difference,
        diagnoses={name: run.diagnosis for name, run in runs.items()},
        max_rhat_reported=max(run.reported.max_rhat for run in runs.values()),
    )


def results_folder(folder: str | Path) -> Path:
    """Create the folder for the results if it does not exist, and check that it can be written to.

    Raises
    ------
    DataError
        If it cannot be created or written to.
    """
    folder = expanded(folder, DataError)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise DataError(f"{folder} is a file, not a folder. Give another folder.") from None
    except OSError as failure:
        raise DataError(f"The folder {folder} cannot be made: {reason(failure)}.") from failure
    for name in FILES:
        writable_path(folder / name, DataError)
    return folder


def hidden_models(scores: Scores, min_members: int = MIN_MEMBERS) -> tuple[str, ...]:
    """Return the largest base model of every family with at least `min_members` base models.

    The largest has the most parameters, then the most tokens. Families are in order of name.

    Raises
    ------
    DataError
        If no family has that many.
    """
    table = scores.to_frame()
    base = table[table["instruct"] == 0]
    sizes = base.groupby("family")["model"].transform("size")
    ordered = base[sizes >= min_members].sort_values(["family", "params_b", "tokens_t"])
    if ordered.empty:
        raise DataError(f"No family has {min_members} base models, so there is none to hide.")
    return tuple(ordered.groupby("family")["model"].last())


def built_on(scores: Scores, models: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tuned models that share lineage, size and tokens with one of these models."""
    table = scores.to_frame()
    key = ["lineage", "params_b", "tokens_t"]
    hidden = set(table.loc[table["model"].isin(models), key].itertuples(index=False, name=None))
    tuned = table[(table["instruct"] == 1) & ~table["model"].isin(models)]
    same = [row in hidden for row in tuned[key].itertuples(index=False, name=None)]
    return tuple(tuned.loc[same, "model"])


def summary_by_spec(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return error and coverage by spec (see `DemoResult.summary`), without the seconds."""
    wide = cell_figures(forecasts.assign(prob=DEFAULT_PROB))
    inner = forecasts[["score", "median"]].assign(
        lower=forecasts["lower_50"], upper=forecasts["upper_50"], prob=_NARROW
    )
    parts = pd.DataFrame(
        {
            "spec": forecasts["spec"],
            "error": _POINTS * wide["mae"],
            "width": _POINTS * wide["width"],
            "inside_90": wide["cover"],
            "inside_50": cell_figures(inner)["cover"],
        }
    )
    by_spec = parts.groupby("spec", sort=False)
    return by_spec.agg(
        scores=("error", "size"),
        mean_absolute_error=("error", "mean"),
        coverage_90=("inside_90", "mean"),
        coverage_50=("inside_50", "mean"),
        width_90=("width", "mean"),
    ).reset_index()


def paired_difference(
    forecasts: pd.DataFrame, first: str, second: str, *, seed: int, resamples: int = RESAMPLES
) -> Difference:
    """Compare the mean absolute errors of two specs on the same scores.

    Parameters
    ----------
    forecasts
        Columns spec, family, model, benchmark, score, median.
    first, second
        The specs.
    seed, resamples
        Seed and size of the bootstrap, which draws families with replacement and keeps each one's
        scores together: errors within a family are not independent.
    """
    error = (forecasts["score"] - forecasts["median"]).abs()
    cell = ["family", "model", "benchmark"]
    wide = forecasts.assign(error=_POINTS * error).pivot(index=cell, columns="spec", values="error")
    gap = (wide[first] - wide[second]).rename("gap").reset_index()
    rng = np.random.default_rng(seed)
    errors = bootstrap_errors(gap[["gap"]], gap["family"], resamples, rng)
    return Difference(
        points=float(gap["gap"].mean()),
        standard_error=float(errors[0]),
        families=gap["family"].nunique(),
        resamples=resamples,
    )


def _run(
    name: str, train: Scores, measured: Scores, method: NUTS, seed: int, progress: bool
) -> _Run:
    start = time.perf_counter()
    result = fit(load_spec(name), train, method=method, seed=seed, progress=progress)
    if result.status.interrupted:
        raise KeyboardInterrupt
    truth = measured.to_frame()
    forecast = predict(result, truth[_METADATA], seed=seed)
    long = truth.melt(["model", "family"], list(measured.benchmarks), "benchmark", "score")
    wide = forecast.table(DEFAULT_PROB)
    inner = forecast.table(_NARROW)[["model", "benchmark", "lower", "upper"]]
    inner = inner.rename(columns={"lower": "lower_50", "upper": "upper_50"})
    table = long.dropna().merge(wide).merge(inner)
    order = {model: place for place, model in enumerate(measured.models)}
    table = table.sort_values("model", key=lambda names: names.map(order), kind="stable")
    return _Run(
        fit=result,
        diagnosis=diagnose(result),
        forecast=forecast,
        table=table,
        reported=_reported(forecast, table, result.posterior.sizes[CHAIN]),
        seconds=time.perf_counter() - start,
    )


def _reported(forecast: Forecast, table: pd.DataFrame, chains: int) -> Convergence:
    """Return how well the expected scores behind the reported forecasts mixed."""
    cells = forecast.mean_draws.sel(
        {
            MODEL: xr.DataArray(table["model"].to_numpy(), dims="cell"),
            BENCHMARK: xr.DataArray(table["benchmark"].to_numpy(), dims="cell"),
        }
    ).transpose(SAMPLE, "cell")
    values = cells.values.reshape(chains, -1, len(table))
    expected = xr.DataArray(
        values, dims=(CHAIN, DRAW, "place"), coords={"place": np.arange(len(table))}
    )
    return convergence(xr.Dataset({"expected_score": expected}), None)


def _write(
    folder: Path,
    runs: Mapping[str, _Run],
    forecasts: pd.DataFrame,
    summary: pd.DataFrame,
    measured: Scores,
) -> tuple[Path, ...]:
    paths = [run.fit.save(folder / f"{name}.nc") for name, run in runs.items()]
    checks = pd.concat([run.diagnosis.rows.assign(spec=name) for name, run in runs.items()])
    tables = (forecasts, summary, checks[["spec", *checks.columns.drop("spec")]])
    for name, table in zip(_TABLES, tables, strict=True):
        paths.append(write_table(table, folder / name))
    run = runs[SPEC]
    figures = (_curve_figure(run.fit, measured), plot_forecast(run.forecast, run.table))
    for name, figure in zip(_FIGURES, figures, strict=True):
        paths.append(folder / name)
        figure.savefig(paths[-1])
    return tuple(paths)


def _curve_figure(result: Fit, measured: Scores) -> Sheet:
    """Draw the family whose hidden model has the most scores, then the most compute."""
    truth = measured.to_frame()
    known = truth[list(measured.benchmarks)].notna().sum(axis=1)
    flops = FLOPS_PER_BILLION_TRILLION * truth["params_b"] * truth["tokens_t"]
    over = checked_over(result, None)
    place = {"log_flops": flops, "log_params": truth["params_b"], "log_tokens": truth["tokens_t"]}
    truth = truth.assign(flops=flops, known=known, at=place[over])
    shown = truth.sort_values(["known", "flops"]).iloc[[-1]]
    family, at = str(shown["family"].iloc[0]), float(shown["at"].iloc[0])
    start = scaling_curve(result, family=family, points=2).family_range
    low = min(start[0], at) if start is not None else at / 10
    curve = scaling_curve(result, family=family, limits=(low / 3, at * 3))
    hidden = shown.melt(["model", "at"], list(measured.benchmarks), "benchmark", "score").dropna()
    floors = {name: info.floor for name, info in result.scores.benchmark_info.items()}
    return plot_curve(curve, hidden=hidden, floors=floors)


def _opening(scores: Scores, hidden: tuple[str, ...], aside: tuple[str, ...]) -> str:
    return "\n".join(
        [
            f"Data: Open LLM Leaderboard, {len(scores.models)} models, "
            f"{len(scores.benchmarks)} benchmarks, {scores.n_observed} scores",
            f"Hidden: the largest base model of each of the {len(hidden)} families with at least "
            f"{MIN_MEMBERS} base models",
            *_wrapped(hidden),
            f"Left out too: {len(aside)} tuned models of the same lineage, size and tokens as a "
            "hidden one",
            *_wrapped(aside),
        ]
    )


def _wrapped(names: tuple[str, ...], width: int = 88) -> list[str]:
    lines = [""]
    for name in names:
        piece = f"{name}, " if name != names[-1] else name
        if len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return [f"  {line.rstrip()}" for line in lines if line]


def _mixing(run: _Run) -> str:
    seconds = ", ".join(f"{stage} {s:.0f} s" for stage, s in run.fit.provenance.seconds.items())
    return (
        f"{seconds}\n{run.diagnosis}\n"
        f"Expected scores behind the {len(run.table)} forecasts below: "
        f"max R-hat {run.reported.max_rhat:.3f}, min ESS {run.reported.min_ess:.0f}"
    )


def _score_lines(forecasts: pd.DataFrame) -> str:
    """Return hidden scores next to both specs' forecasts, one line per score, in points."""
    by_cell = forecasts.set_index(["spec", "model", "benchmark"])
    cells = _POINTS * by_cell[["score", "median", "lower", "upper"]]
    ours, base = cells.loc[SPEC], cells.loc[BASELINE]
    lines = [
        "Hidden scores and forecasts, in points: median and 90% interval of a new score",
        "(* the hidden score lies outside the interval)",
        "",
        f"{'':<14}{'hidden':>8}   {SPEC:<24}{BASELINE}",
    ]
    for model in ours.index.unique("model"):
        lines.append(str(model))
        for benchmark in ours.loc[model].index:
            row, other = ours.loc[(model, benchmark)], base.loc[(model, benchmark)]
            lines.append(
                f"  {benchmark:<12}{row['score']:>8.1f}   {_interval(row):<24}{_interval(other)}"
            )
    return "\n".join(lines)


def _interval(row: pd.Series) -> str:
    star = "" if row["lower"] <= row["score"] <= row["upper"] else "*"
    return f"{row['median']:5.1f}  ({row['lower']:.1f} to {row['upper']:.1f}){star}"


def _summary_lines(summary: pd.DataFrame, difference: Difference, seed: int) -> str:
    by_spec = summary.set_index("spec")
    rows = (
        ("mean absolute error of the median, points", "mean_absolute_error", "{:.2f}"),
        ("hidden scores inside the 90% interval", "coverage_90", "{:.0%}"),
        ("hidden scores inside the 50% interval", "coverage_50", "{:.0%}"),
        ("mean width of the 90% interval, points", "width_90", "{:.1f}"),
    )
    head = f"{f'{by_spec.scores.iloc[0]} hidden scores':<44}" + "".join(
        f"{name:>14}" for name in by_spec.index
    )
    lines = [head]
    for label, column, form in rows:
        cells = "".join(f"{form.format(value):>14}" for value in by_spec[column])
        lines.append(f"{label:<44}{cells}")
    lines.append(
        f"Error of {SPEC} less that of {BASELINE}: {difference.points:+.2f} points, standard error "
        f"{difference.standard_error:.2f}\n(bootstrap over {difference.families} families, "
        f"{difference.resamples} resamples, seed {seed})"
    )
    return "\n".join(lines)


def _machine(run: _Run) -> str:
    versions = run.fit.provenance.versions
    named = ", ".join(f"{name} {versions[name]}" for name in ("python", "pymc", "nutpie"))
    here = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"latentscale {__version__}, {named}; {here}"
