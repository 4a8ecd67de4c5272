"""Backtest: refit without some scores, forecast them, and compare with what was measured."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import joblib
import pandas as pd
import scoringrules
import xarray as xr

from latentscale.analysis.forecasts.condition import FewShot
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.forecasts.weights import Degenerate
from latentscale.analysis.tools.fold import Fold, folds_of
from latentscale.analysis.tools.fold_files import (
    checked_folder,
    claimed,
    fold_file,
    read_fold,
    refuse_unwritable,
    run_key,
    write_fold,
)
from latentscale.analysis.tools.units import with_scales
from latentscale.data.recorded import pull_inside
from latentscale.data.scaling import is_bounded, without_standards
from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    MODEL,
    SAMPLE,
    checked_seed,
    interval_quantiles,
)
from latentscale.errors import FitError, FitWarning, listed
from latentscale.expect import checked_workers, expect
from latentscale.inference.method import Method
from latentscale.inference.nuts.method import NUTS
from latentscale.inference.progress import WorkProgress
from latentscale.inference.run import fit
from latentscale.posterior.fit import Fit

COLUMNS = (
    "fold",
    "model",
    "family",
    "benchmark",
    "score",
    "mean",
    "median",
    "lower",
    "upper",
    "prob",
    "log_score",
    "crps",
    "pit",
    "max_rhat",
)
_DEFAULT_METHOD = NUTS(draws=500, tune=500)
_FEW_SHOT = FewShot()
_CONNECT_SECONDS = 15
"""A scheduler on the same network answers within seconds."""


@dataclass(frozen=True)
class _Job:
    """One fold with all that a worker process needs."""

    spec: ModelSpec
    scores: Scores
    fold: Fold
    method: Method
    seed: int
    prob: float
    file: Path | None
    few_shot: FewShot


@dataclass(frozen=True)
class _Outcome:
    """What became of one fold: its table, or why it failed, or that another process fits it.

    `unkept` is why its table could not be written to the folder.
    """

    name: str
    table: pd.DataFrame | None = None
    failed: str = ""
    busy: bool = False
    unkept: str = ""


def backtest(
    spec: ModelSpec,
    scores: Scores,
    folds: Iterable[Fold | tuple[Sequence[str], Sequence[str]]],
    *,
    method: Method = _DEFAULT_METHOD,
    seed: int = 0,
    prob: float = DEFAULT_PROB,
    few_shot: FewShot = _FEW_SHOT,
    workers: int = 1,
    folder: str | Path | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Refit a model without each fold's test scores and forecast them.

    Parameters
    ----------
    spec, scores
        The model and the whole table.
    folds
        Pairs (train models, test models), or folds from `latentscale.analysis.folds`.
    method
        How each fold is fitted. With several workers NUTS runs its chains one after the
        other unless ``cores`` says otherwise.
    seed
        Seed of every fit and forecast.
    prob
        Probability of the interval ``lower`` to ``upper``.
    few_shot
        How the scores that a fold gives of its test models condition their forecasts (see
        `latentscale.analysis.folds.with_given`). Each such model is forecast by itself.
    workers
        Folds that run at once, each in its own process.
    folder
        Where finished folds are kept; a run that was stopped goes on from there, with any number
        of workers or cores. It holds runs of any spec, method, seed, interval and table side by
        side, and several processes may share it: each fold is fitted by one of them. A file that
        was cut or changed is recognised, and its fold fitted again with a warning. Files from
        before they held a hash are not read.
    cluster
        Address of a dask.distributed scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers
        run the folds instead (needs the extra ``cluster``, and latentscale on every worker).
        `workers` is then not used, and `folder` must be one that the workers see.
    progress
        Whether to show how many folds are done.

    Returns
    -------
    One row a hidden score: fold, model, family, benchmark, score, mean, median, lower, upper
    (in the units of the scores), prob (of the interval lower to upper), log_score (log predictive
    density per unit of score),
    crps, pit (share of draws below the score) and max_rhat of its fit; where some scores are
    not fractions also scale, unit and spread (standard deviation of the benchmark's scores).
    Folds that failed are named in a `FitWarning`, with the reason, and in ``attrs["failed"]``.

    Raises
    ------
    DataError
        If a fold names an unknown model or is malformed.
    LatentscaleError
        If another argument is of the wrong type or out of range; before any fit.
    FitError
        If the folder cannot be used, every fold failed, or the cluster cannot be reached.
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    expect(method, Method, "method")
    expect(few_shot, FewShot, "few_shot")
    made = folds_of(folds, scores)
    seed, workers = checked_seed(seed), checked_workers(workers)
    interval_quantiles(prob)
    _check_place(method, cluster)
    place = None if folder is None else checked_folder(folder)
    key = run_key(spec, scores, method, seed, prob)
    if (workers > 1 or cluster is not None) and isinstance(method, NUTS) and method.cores is None:
        method = replace(method, cores=1)
    files = [place and fold_file(place, key, fold, few_shot) for fold in made]
    jobs = [
        _Job(spec, scores, fold, method, seed, prob, file, few_shot)
        for fold, file in zip(made, files, strict=True)
    ]
    tables, failed, unkept = {}, {}, []
    kept, todo = _kept(jobs)
    if place is not None and todo:
        refuse_unwritable(place / key)
    with WorkProgress(len(jobs), "backtest", "folds", enabled=progress) as shown:
        outcomes = chain(kept, _run_all(todo, workers, cluster))
        for done, outcome in enumerate(outcomes, start=1):
            if outcome.table is None:
                failed[outcome.name] = outcome.failed
            else:
                tables[outcome.name] = outcome.table
            if outcome.unkept:
                unkept.append(outcome.unkept)
            shown.update(done, f"{len(failed)} failed" if failed else "")
    if not tables:
        raise FitError(f"Every fold failed; the first: {next(iter(failed.values()))}")
    if failed:
        reasons = "; ".join(f'"{name}": {reason}' for name, reason in failed.items())
        warnings.warn(f"{len(failed)} folds failed. {reasons}", FitWarning, stacklevel=2)
    if unkept:
        warnings.warn(
            f"{len(unkept)} finished folds were not kept. {unkept[0]}", FitWarning, stacklevel=2
        )
    parts = [tables[fold.name] for fold in made if fold.name in tables]
    result = with_scales(pd.concat(parts, ignore_index=True), scores)
    result.attrs["failed"] = failed
    return result


def score_forecast(
    forecast: Forecast,
    truth: xr.DataArray,
    n_items: xr.DataArray,
    prob: float = DEFAULT_PROB,
    bounded: xr.DataArray | None = None,
) -> pd.DataFrame:
    """Compare forecast scores with measured ones, cell by cell.

    Parameters
    ----------
    forecast
        The forecast.
    truth
        Measured scores, dims (model, benchmark), NaN where there is none to compare.
    n_items
        Items of each benchmark or score, dims (benchmark,) or (model, benchmark), for scores of
        exactly 0 or 1.
    prob
        Probability of the interval.
    bounded
        Which benchmarks' scores are fractions, dims (benchmark,); all by default.

    Returns
    -------
    Columns model, benchmark, score, mean, median, lower, upper, log_score (log of the
    predictive density, Gneiting and Raftery 2007), crps (the same, eq. 21) and pit.
    """
    truth = truth.sel({MODEL: forecast.draws[MODEL], BENCHMARK: forecast.draws[BENCHMARK]})
    n_items = n_items.sel({dim: truth[dim] for dim in n_items.dims})
    fractions = None if bounded is None else bounded.sel({BENCHMARK: truth[BENCHMARK]})
    table = forecast.table(prob)[["model", "benchmark", "mean", "median", "lower", "upper"]]
    below = (forecast.draws < truth) + 0.5 * (forecast.draws == truth)
    draws = forecast.draws.transpose(MODEL, BENCHMARK, SAMPLE)
    crps = scoringrules.crps_ensemble(truth.transpose(MODEL, BENCHMARK).values, draws.values)
    cells = xr.Dataset(
        {
            "score": truth,
            "log_score": forecast.log_score(pull_inside(truth, n_items, fractions)[0]),
            "crps": truth.transpose(MODEL, BENCHMARK).copy(data=crps),
            "pit": below.mean(SAMPLE),
        }
    )
    wide = cells.to_dataframe(dim_order=[MODEL, BENCHMARK])[list(cells.data_vars)].reset_index()
    merged = table.merge(wide, on=["model", "benchmark"], validate="one_to_one")
    return merged.dropna(subset="score").reset_index(drop=True)


def _check_place(method: Method, cluster: str | None) -> None:
    if getattr(method, "store", None) is not None:
        raise FitError(
            "method.store is one folder for one fit, but every fold is a fit of its own; leave it "
            "out, and give `folder` to keep finished folds."
        )
    if cluster is not None and not isinstance(cluster, str):
        raise FitError(
            f'cluster must be an address, such as "tcp://10.0.0.1:8786"; got {cluster!r}.'
        )


def _kept(jobs: list[_Job]) -> tuple[list[_Outcome], list[_Job]]:
    """Return the folds that the folder holds, and those that are to be fitted."""
    kept, todo, spoiled = [], [], []
    for job in jobs:
        if job.file is None or not job.file.is_file():
            todo.append(job)
            continue
        table = _read(job, job.file)
        if table is None:
            spoiled.append(job.file)
            todo.append(job)
        else:
            kept.append(_Outcome(job.fold.name, table))
    if spoiled:
        warnings.warn(
            f"{len(spoiled)} files of finished folds were cut or changed since they were written, "
            f"and their folds are fitted again: {listed(spoiled)}.",
            FitWarning,
            stacklevel=3,
        )
    return kept, todo


def _read(job: _Job, file: Path) -> pd.DataFrame | None:
    table = read_fold(file, COLUMNS)
    return None if table is None else table.assign(fold=job.fold.name)


def _run_all(jobs: list[_Job], workers: int, cluster: str | None) -> Iterator[_Outcome]:
    """Run folds; those that another process fits come last, when they are to be read."""
    busy = set()
    for outcome in _run_some(jobs, workers, cluster, wait=False):
        if outcome.busy:
            busy.add(outcome.name)
        else:
            yield outcome
    if busy:
        rest = [job for job in jobs if job.fold.name in busy]
        yield from _run_some(rest, workers, cluster, wait=True)


def _run_some(
    jobs: list[_Job], workers: int, cluster: str | None, *, wait: bool
) -> Iterator[_Outcome]:
    if cluster is not None and jobs:
        yield from _run_on_cluster(jobs, cluster, wait)
        return
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    yield from parallel(joblib.delayed(_run_fold)(job, wait) for job in jobs)


def _run_on_cluster(jobs: list[_Job], address: str, wait: bool) -> Iterator[_Outcome]:
    """Run folds on the workers of a dask scheduler; a lost worker fails its fold alone."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise FitError(
            "cluster needs dask.distributed: pip install 'latentscale[cluster]'."
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TypeError, ValueError) as error:
        raise FitError(
            f"No dask scheduler answers at {address!r}: {error}. Start one with `dask scheduler`, "
            "and give the address that it prints."
        ) from None
    with client:
        asked = {client.submit(_run_fold, job, wait, pure=False): job for job in jobs}
        for future in as_completed(list(asked), loop=client.loop):
            lost = future.exception()
            if lost is None:
                yield future.result()
            else:
                yield _Outcome(asked[future].fold.name, failed=f"{type(lost).__name__}: {lost}")


def _run_fold(job: _Job, wait: bool) -> _Outcome:
    """Run one fold; a failure is returned, so that other folds go on."""
    if job.file is None:
        return _fitted(job)
    try:
        with claimed(job.file, wait=wait) as mine:
            if not mine:
                return _Outcome(job.fold.name, busy=True)
            table = _read(job, job.file) if job.file.is_file() else None
            return _fitted(job) if table is None else _Outcome(job.fold.name, table)
    except OSError as error:
        return _Outcome(job.fold.name, failed=f"The folder cannot be used: {error}")


def _fitted(job: _Job) -> _Outcome:
    try:
        table = _fold_table(job)
    except Exception as error:  # whatever goes wrong in one fold must not stop the others
        return _Outcome(job.fold.name, failed=f"{type(error).__name__}: {error}")
    if job.file is not None:
        try:
            write_fold(table, job.file)
        except FitError as error:
            return _Outcome(job.fold.name, table, unkept=str(error))
    return _Outcome(job.fold.name, table)


def _fold_table(job: _Job) -> pd.DataFrame:
    train = training_scores(job.scores, job.fold)
    result = fit(job.spec, train, method=job.method, seed=job.seed, progress=False)
    return forecast_fold(
        result, job.scores, job.fold, seed=job.seed, prob=job.prob, few_shot=job.few_shot
    )


def training_scores(scores: Scores, fold: Fold) -> Scores:
    """Return what a fold's fit sees: its train models, without the hidden cells."""
    # Centre and step of a fit must not know of hidden scores.
    shown = without_standards(scores.select(models=list(fold.train)).dataset)
    keep = xr.ones_like(shown["score"], dtype=bool)
    for model, benchmark in fold.cells:
        keep.loc[{MODEL: model, BENCHMARK: benchmark}] = False
    return Scores(shown.assign(score=shown["score"].where(keep)))


def forecast_fold(
    fit: Fit,
    scores: Scores,
    fold: Fold,
    *,
    seed: int = 0,
    prob: float = DEFAULT_PROB,
    few_shot: FewShot = _FEW_SHOT,
) -> pd.DataFrame:
    """Forecast a fold's hidden scores from a fit of its training scores, and compare.

    Where the fold gives some of a model's scores, each model is forecast by itself, conditional
    on its own given scores; one model's scores say nothing of another's.

    Parameters
    ----------
    fit
        A fit of `training_scores` of the same fold.
    scores
        The whole table.
    fold
        What is hidden, and what of it is given to the forecast.
    seed, prob
        Seed of the forecast, and probability of its intervals.
    few_shot
        How given scores condition the forecast.

    Returns
    -------
    The table of `backtest`, of this fold.
    """
    given, hidden = _given_and_hidden(scores, fold)
    with_scores = {model for model, _ in fold.given}
    names = [*fold.test, *dict.fromkeys(model for model, _ in fold.cells)]
    alone = [[model] for model in names if model in with_scores]
    together = [model for model in names if model not in with_scores]
    rows = scores.dataset.assign(score=scores.dataset["score"].where(given))
    rows = rows.sel({BENCHMARK: list(fit.scores.benchmarks)})
    truth = scores.dataset["score"].where(hidden & ~given)
    bounded = is_bounded(scores.dataset)
    parts = []
    for group in ([together] if together else []) + alone:
        conditional = few_shot if group in alone else None
        try:
            forecast = forecast_rows(fit, rows.sel({MODEL: group}), seed=seed, few_shot=conditional)
        except Degenerate as failure:
            raise FitError(f"Model {listed(group)}: {failure}") from failure
        measured = truth.sel({MODEL: group})
        parts.append(score_forecast(forecast, measured, scores.item_counts, prob, bounded))
    table = pd.concat(parts, ignore_index=True)
    families = dict(zip(scores.models, scores.dataset["family"].values, strict=True))
    table = table.assign(
        fold=fold.name,
        family=table["model"].map(families),
        prob=prob,
        max_rhat=fit.convergence().max_rhat,
    )
    return table[list(COLUMNS)]


def _given_and_hidden(scores: Scores, fold: Fold) -> tuple[xr.DataArray, xr.DataArray]:
    """Return which cells a fold gives to the forecast, and which its fit did not see."""
    score = scores.dataset["score"]
    given, hidden = xr.zeros_like(score, dtype=bool), xr.zeros_like(score, dtype=bool)
    hidden.loc[{MODEL: list(fold.test)}] = True
    for array, cells in ((hidden, fold.cells), (given, fold.given)):
        for model, benchmark in cells:
            array.loc[{MODEL: model, BENCHMARK: benchmark}] = True
    return given, hidden
