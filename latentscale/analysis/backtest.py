"""Backtest: refit without some scores, forecast them, and compare with what was measured."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import pandas as pd
import scoringrules
import xarray as xr

from latentscale.analysis.folds import Fold, as_folds
from latentscale.analysis.forecast import Forecast, forecast_rows
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL, SAMPLE, checked_seed
from latentscale.errors import FitError, FitWarning
from latentscale.inference.method import Method
from latentscale.inference.nuts import NUTS
from latentscale.inference.progress import WorkProgress
from latentscale.inference.run import fit
from latentscale.model.design import pull_inside
from latentscale.spec.spec import ModelSpec

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
_CONNECT_SECONDS = 15


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


def backtest(
    spec: ModelSpec,
    scores: Scores,
    folds: Iterable[Fold | tuple[Sequence[str], Sequence[str]]],
    *,
    method: Method = _DEFAULT_METHOD,
    seed: int = 0,
    prob: float = DEFAULT_PROB,
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
    workers
        Folds that run at once, each in its own process.
    folder
        Where finished folds are kept; a run that was stopped goes on from there. It holds
        runs of any spec, method, seed and table side by side.
    cluster
        Address of a dask.distributed scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers
        run the folds instead (needs the extra ``cluster``, and latentscale on every worker).
        `workers` is then not used, and `folder` must be one that the workers see.
    progress
        Whether to show how many folds are done.

    Returns
    -------
    One row a hidden score: fold, model, family, benchmark, score, mean, median, lower, upper
    (fractions), prob (of the interval lower to upper), log_score (log predictive density),
    crps, pit (share of draws below the score) and max_rhat of its fit. Folds that failed are
    named in a `FitWarning`, with the reason, and in ``attrs["failed"]``.

    Raises
    ------
    DataError
        If a fold names an unknown model or is malformed.
    FitError
        If every fold failed, or the cluster cannot be reached.
    """
    made = as_folds(folds)
    for fold in made:
        scores.select(models=[*fold.train, *fold.test])
    many = workers > 1 or cluster is not None
    if many and isinstance(method, NUTS) and method.cores is None:
        method = replace(method, cores=1)
    key = _run_key(spec, scores, method, checked_seed(seed), prob)
    jobs = [_Job(spec, scores, fold, method, seed, prob, _file(folder, key, fold)) for fold in made]
    tables, failed = [], {}
    with WorkProgress(len(jobs), "backtest", "folds", enabled=progress) as shown:
        for done, (name, table, reason) in enumerate(_run_all(jobs, workers, cluster), start=1):
            if table is None:
                failed[name] = str(reason)
            else:
                tables.append(table)
            shown.update(done, f"{len(failed)} failed" if failed else "")
    if not tables:
        raise FitError(f"Every fold failed; the first: {next(iter(failed.values()))}")
    if failed:
        reasons = "; ".join(f'"{name}": {reason}' for name, reason in failed.items())
        warnings.warn(f"{len(failed)} folds failed. {reasons}", FitWarning, stacklevel=2)
    order = {fold.name: place for place, fold in enumerate(made)}
    result = pd.concat(tables, ignore_index=True)
    result = result.sort_values("fold", key=lambda names: names.map(order), kind="stable")
    result.attrs["failed"] = failed
    return result.reset_index(drop=True)


def score_forecast(
    forecast: Forecast, truth: xr.DataArray, n_items: xr.DataArray, prob: float = DEFAULT_PROB
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

    Returns
    -------
    Columns model, benchmark, score, mean, median, lower, upper, log_score (log of the
    predictive density, Gneiting and Raftery 2007), crps (the same, eq. 21) and pit.
    """
    truth = truth.sel({MODEL: forecast.draws[MODEL], BENCHMARK: forecast.draws[BENCHMARK]})
    n_items = n_items.sel({dim: truth[dim] for dim in n_items.dims})
    table = forecast.table(prob)[["model", "benchmark", "mean", "median", "lower", "upper"]]
    below = (forecast.draws < truth) + 0.5 * (forecast.draws == truth)
    draws = forecast.draws.transpose(MODEL, BENCHMARK, SAMPLE)
    crps = scoringrules.crps_ensemble(truth.transpose(MODEL, BENCHMARK).values, draws.values)
    cells = xr.Dataset(
        {
            "score": truth,
            "log_score": forecast.log_score(pull_inside(truth, n_items)[0]),
            "crps": truth.transpose(MODEL, BENCHMARK).copy(data=crps),
            "pit": below.mean(SAMPLE),
        }
    )
    wide = cells.to_dataframe(dim_order=[MODEL, BENCHMARK])[list(cells.data_vars)].reset_index()
    merged = table.merge(wide, on=["model", "benchmark"], validate="one_to_one")
    return merged.dropna(subset="score").reset_index(drop=True)


def _run_all(
    jobs: list[_Job], workers: int, cluster: str | None
) -> Iterator[tuple[str, pd.DataFrame | None, str | None]]:
    if cluster is not None:
        yield from _run_on_cluster(jobs, cluster)
        return
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    yield from parallel(joblib.delayed(_run_fold)(job) for job in jobs)


def _run_on_cluster(
    jobs: list[_Job], address: str
) -> Iterator[tuple[str, pd.DataFrame | None, str | None]]:
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
        names = {client.submit(_run_fold, job, pure=False): job.fold.name for job in jobs}
        for future in as_completed(list(names), loop=client.loop):
            lost = future.exception()
            if lost is None:
                yield future.result()
            else:
                yield names[future], None, f"{type(lost).__name__}: {lost}"


def _run_fold(job: _Job) -> tuple[str, pd.DataFrame | None, str | None]:
    """Run one fold, or read it back; a failure is returned, so that other folds go on."""
    if job.file is not None and job.file.is_file():
        return job.fold.name, _read_fold(job, job.file), None
    try:
        table = _fold_table(job)
    except Exception as error:  # whatever goes wrong in one fold must not stop the others
        return job.fold.name, None, f"{type(error).__name__}: {error}"
    if job.file is not None:
        partial = job.file.with_suffix(".part")
        table.to_csv(partial, index=False, float_format="%.17g")
        partial.replace(job.file)
    return job.fold.name, table, None


def _read_fold(job: _Job, file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, keep_default_na=False, na_values=[""])
    # Folds of earlier versions have no column prob; the probability is part of the run's key.
    return table.assign(prob=job.prob)[[*COLUMNS]]


def _fold_table(job: _Job) -> pd.DataFrame:
    hidden = job.scores.dataset["score"].copy()
    shown = job.scores.select(models=list(job.fold.train)).dataset
    keep = xr.ones_like(hidden, dtype=bool)
    keep.loc[{MODEL: list(job.fold.test)}] = False
    for model, benchmark in job.fold.cells:
        keep.loc[{MODEL: model, BENCHMARK: benchmark}] = False
    train = Scores(shown.assign(score=shown["score"].where(keep.sel({MODEL: shown[MODEL]}))))
    result = fit(job.spec, train, method=job.method, seed=job.seed, progress=False)
    asked = [*job.fold.test, *dict.fromkeys(model for model, _ in job.fold.cells)]
    rows = job.scores.dataset.sel({MODEL: asked})
    forecast = forecast_rows(result, rows, seed=job.seed)
    truth = hidden.where(~keep).sel({MODEL: asked})
    table = score_forecast(forecast, truth, job.scores.item_counts, job.prob)
    families = dict(zip(asked, rows["family"].values, strict=True))
    table = table.assign(
        fold=job.fold.name,
        family=table["model"].map(families),
        prob=job.prob,
        max_rhat=result.convergence().max_rhat,
    )
    return table[list(COLUMNS)]


def _run_key(spec: ModelSpec, scores: Scores, method: Method, seed: int, prob: float) -> str:
    digest = hashlib.sha256()
    about = [spec.digest, type(method).__name__, method.settings, seed, prob]
    digest.update(json.dumps(about, sort_keys=True).encode())
    digest.update(scores.to_frame().to_csv(index=False).encode())
    return digest.hexdigest()[:16]


def _file(folder: str | Path | None, key: str, fold: Fold) -> Path | None:
    if folder is None:
        return None
    place = Path(folder) / key
    place.mkdir(parents=True, exist_ok=True)
    about = json.dumps([fold.name, fold.train, fold.test, fold.cells])
    return place / f"{hashlib.sha256(about.encode()).hexdigest()[:16]}.csv"
