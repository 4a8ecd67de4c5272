"""Backtest: refit without some scores, forecast them, and compare with what was measured."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scoringrules
import xarray as xr

from latentscale.analysis.forecasts.each import warned_text
from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.fitted_scores import SharedFittedScores
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.one_by_one import one_by_one
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.forecasts.refusals import of_unknown_level, without_features
from latentscale.analysis.forecasts.unused import warn_of_unused_features
from latentscale.analysis.tools.fold import Fold, folds_of
from latentscale.analysis.tools.refit_files import checked_folder, fold_file, run_key
from latentscale.analysis.tools.refits import (
    Refit,
    in_one_process,
    refuse_store,
    run_refits,
    whole,
)
from latentscale.analysis.tools.units import with_scales
from latentscale.data.covariates import missing_features
from latentscale.data.recording import pull_inside
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
from latentscale.expect import checked_cluster, checked_workers, expect
from latentscale.inference.method import Method
from latentscale.inference.nuts.method import NUTS
from latentscale.inference.run import fit
from latentscale.markup import counted
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
"""Half the usual draws: forecasts need no more, and every fold is refitted."""
_FEW_SHOT = FewShot(degenerate="temper")
"""Models with degenerate weights are forecast too: leaving them out would flatter the results."""
_TOKENS = "tokens_t"
_OF_TOKENS = ', such as one with undisclosed = {kind = "estimated"}'
_WARNED = "warned"
_OF_CELLS = ("score", "stderr", "cell_items")
"""Variables of single scores: the error and count of a hidden score are hidden with it."""


@dataclass(frozen=True)
class _FoldRefit(Refit):
    spec: ModelSpec
    scores: Scores
    fold: Fold
    method: Method
    seed: int
    prob: float
    few_shot: FewShot
    file: Path | None = None
    columns = COLUMNS

    @property
    def name(self) -> str:
        return self.fold.name

    def table(self) -> pd.DataFrame:
        return _fold_table(self)

    def read(self) -> pd.DataFrame | None:
        table = super().read()  # a file is named by what its fold hides, not by the fold's name
        return None if table is None else table.assign(fold=self.fold.name)


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
        How the scores that a fold gives for its test models condition their forecasts (see
        `latentscale.analysis.folds.with_given`). Each of these models is forecast by itself. By
        default degenerate weights are tempered, and a warning names the models (for folds that this
        call fits, but not for those already in `folder`).
    workers
        Folds that run at once, each in its own process.
    folder
        Where finished folds are kept; a stopped run continues from there, with any number of
        workers or cores. One folder can hold runs of any spec, method, seed, interval and table,
        and several processes may share it: each fold is fitted by one of them. A truncated or
        changed file is recognised, and its fold is fitted again with a warning. Files written
        before hashes were added are not read.
    cluster
        Address of a dask.distributed scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers
        run the folds instead (needs the extra ``cluster``, and latentscale on every worker).
        `workers` is then not used, and `folder` must be one that the workers see.
    progress
        Whether to show how many folds are done.

    Returns
    -------
    pandas.DataFrame
        One row per hidden score: fold, model, family, benchmark, score, mean, median, lower, upper
        (in the units of the scores; mean is NaN where `Forecast.without_mean` has the benchmark),
        prob (of the interval lower to upper), log_score (log predictive density per unit of score),
        crps, pit (share of draws below the score), max_rhat of its fit, and unit (of the scores);
        if some are not fractions also scale and spread (standard deviation of the benchmark's
        scores). Failed folds are named in a `FitWarning`, with the reason, and in
        ``attrs["failed"]``; so are hidden scores on benchmarks without scores in a fold's fit, in
        ``attrs["not_forecast"]`` (by fold, pairs of model and benchmark).

    Raises
    ------
    DataError
        If a fold names an unknown model or is malformed.
    LatentscaleError
        If another argument is of the wrong type or out of range; raised before any fit.
    FitError
        If the folder cannot be used, every fold failed, no hidden score can be forecast, or the
        cluster cannot be reached.

    Warns
    -----
    DataWarning
        If models whose scores are all hidden state features, other than size, tokens and
        ``instruct``, that the spec does not use.
    FitWarning
        If a fold failed, hidden scores could not be forecast, or forecasts of models given scores
        had a warning.

    Examples
    --------
    >>> folds = ls.folds.k_fold_by_family(pooled.scores, n_folds=2, seed=1)
    >>> method = ls.Laplace(draws=200)
    >>> table = ls.backtest(pooled.spec, pooled.scores, folds, method=method, progress=False)
    >>> table[["fold", "model", "benchmark", "score", "median"]].shape
    (282, 5)
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    expect(method, Method, "method")
    expect(few_shot, FewShot, "few_shot")
    made = folds_of(folds, scores)
    seed, workers = checked_seed(seed), checked_workers(workers)
    interval_quantiles(prob)
    refuse_store(method, "fold")
    cluster = checked_cluster(cluster)
    place = None if folder is None else checked_folder(folder)
    hidden = scores.dataset.sel({MODEL: list(dict.fromkeys(m for f in made for m in f.test))})
    warn_of_unused_features(spec, scores.dataset, hidden, "hidden models", stacklevel=2)
    key = run_key(spec, scores, method, seed, prob)
    alone = in_one_process(method, workers, cluster)
    files = [place and fold_file(place, key, fold, few_shot) for fold in made]
    refits = [
        _FoldRefit(spec, scores, fold, alone, seed, prob, few_shot, file)
        for fold, file in zip(made, files, strict=True)
    ]
    tables, failed = run_refits(
        refits, workers, cluster, title="backtest", unit="folds", progress=progress
    )
    if not tables:
        raise FitError(f"Every fold failed; the first: {next(iter(failed.values()))}")
    if failed:
        reasons = "; ".join(f'"{name}": {reason}' for name, reason in failed.items())
        warnings.warn(f"{counted(len(failed), 'fold')} failed. {reasons}", FitWarning, stacklevel=2)
    warned = {model: text for table in tables.values() for model, text in _warned(table).items()}
    if warned:
        warnings.warn(warned_text(warned), FitWarning, stacklevel=2)
    filled = [table for table in tables.values() if len(table)] or list(tables.values())
    result = with_scales(pd.concat(filled, ignore_index=True), scores)
    result.attrs["failed"] = failed
    result.attrs["not_forecast"] = _not_forecast(made, tables, scores)
    _warn_of_missing(result, spec, scores, made)
    return result


def _warned(table: pd.DataFrame) -> dict[str, str]:
    """Remove and return the warnings about forecasts from a fold's table."""
    warned: dict[str, str] = table.attrs.pop(_WARNED, {})
    return warned


def _not_forecast(
    folds: Sequence[Fold], tables: Mapping[str, pd.DataFrame], scores: Scores
) -> dict[str, list[tuple[str, str]]]:
    """Return the hidden scores (model, benchmark) that a fold's fit could not forecast."""
    missing = {}
    for fold in folds:
        if fold.name in tables:
            given, hidden = _given_and_hidden(scores, fold)
            wanted = scores.dataset["score"].where(hidden & ~given).transpose(MODEL, BENCHMARK)
            rows, columns = np.nonzero(wanted.notnull().values)
            own = tables[fold.name]
            done = set(zip(own["model"], own["benchmark"], strict=True))
            names, benchmarks = wanted[MODEL].values[rows], wanted[BENCHMARK].values[columns]
            cells = [(str(m), str(b)) for m, b in zip(names, benchmarks, strict=True)]
            if set(cells) - done:
                missing[fold.name] = [cell for cell in cells if cell not in done]
    return missing


def _warn_of_missing(
    result: pd.DataFrame, spec: ModelSpec, scores: Scores, folds: Sequence[Fold]
) -> None:
    """Warn about hidden scores missing from the result, or refuse an empty result.

    Raises
    ------
    FitError
        If no hidden score could be forecast.
    """
    missing: dict[str, list[tuple[str, str]]] = result.attrs["not_forecast"]
    if not missing:
        return
    empty_columns = _without_features(spec, scores)
    reasons = []
    cells = [(fold, *cell) for fold, cells in missing.items() for cell in cells]
    unstated = [cell for cell in cells if cell[1] in empty_columns]
    if unstated:
        models = list(dict.fromkeys(model for _, model, _ in unstated))
        columns = list(dict.fromkeys(column for model in models for column in empty_columns[model]))
        reasons.append(
            f'the spec "{spec.name}" needs {listed(columns)}, which {listed(models)} leave empty. '
            "Fill it in, or use a spec that does not need "
            f"it{_OF_TOKENS if _TOKENS in columns else ''}."
        )
    fitted = {fold.name: _measured(training_scores(scores, fold)) for fold in folds}
    others = [cell for cell in cells if cell[1] not in empty_columns]
    unfitted = [cell for cell in others if cell[2] not in fitted[cell[0]]]
    levels = [cell for cell in others if cell[2] in fitted[cell[0]]]
    if levels:
        reasons.append(
            f"{listed(dict.fromkeys(model for _, model, _ in levels))} has a level of a category "
            'that no model fitted in the fold has, under reference coding; coding="pooled" draws '
            "its effect."
        )
    if unfitted:
        fold = unfitted[0][0]
        benchmarks = listed(sorted({name for where, _, name in unfitted if where == fold}))
        reasons.append(
            f"no fitted model of the fold has a score on {benchmarks}. Choose folds that leave "
            "some scores on every benchmark."
        )
    fold, model, benchmark = (unstated or levels or unfitted)[0]
    said = (
        f"{counted(len(cells), 'hidden score')} could not be forecast, such as {model} on "
        f'{benchmark} in the fold "{fold}": {" And ".join(reasons)}'
    )
    if result.empty:
        raise FitError(said)
    warnings.warn(said, FitWarning, stacklevel=3)


def _measured(scores: Scores) -> set[str]:
    """Return the benchmarks with at least one score in a table."""
    measured = scores.dataset["score"].notnull().any(MODEL).values
    return {str(name) for name in scores.dataset[BENCHMARK].values[measured]}


def _without_features(spec: ModelSpec, scores: Scores) -> dict[str, list[str]]:
    """Return the empty columns that a spec needs and does not draw, by model."""
    missing = missing_features(scores.dataset, spec.covariates)
    if spec.undisclosed.kind == "estimated":
        missing.pop(_TOKENS, None)
    empty_columns: dict[str, list[str]] = {}
    for column, rows in missing.items():
        for place in np.flatnonzero(rows):
            empty_columns.setdefault(scores.models[place], []).append(column)
    return empty_columns


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
        Measured scores, dims (model, benchmark), NaN where there is nothing to compare.
    n_items
        Number of items of each benchmark or score, dims (benchmark,) or (model, benchmark), used
        for scores of exactly 0 or 1.
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


def _fold_table(job: _FoldRefit) -> pd.DataFrame:
    train = training_scores(job.scores, job.fold)
    result = whole(fit(job.spec, train, method=job.method, seed=job.seed, progress=False))
    return forecast_fold(
        result, job.scores, job.fold, seed=job.seed, prob=job.prob, few_shot=job.few_shot
    )


def training_scores(scores: Scores, fold: Fold) -> Scores:
    """Return the scores that a fold's fit uses: those of its train models, without hidden cells."""
    # The centre and step of a fit must not depend on hidden scores.
    shown = without_standards(scores.select(models=list(fold.train)).dataset)
    keep = xr.ones_like(shown["score"], dtype=bool)
    for model, benchmark in fold.cells:
        keep.loc[{MODEL: model, BENCHMARK: benchmark}] = False
    known = [name for name in _OF_CELLS if name in shown]
    return Scores(shown.assign({name: shown[name].where(keep) for name in known}))


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

    If the fold gives some scores of its models, each model is forecast by itself, conditional on
    its own given scores; one model's scores do not inform another's forecast.

    Parameters
    ----------
    fit
        A fit of `training_scores` of the same fold.
    scores
        The whole table.
    fold
        The hidden scores, and those that are given to the forecast.
    seed, prob
        Seed of the forecast, and probability of its intervals.
    few_shot
        How given scores condition the forecast.

    Returns
    -------
    The table of `backtest` for this fold; ``attrs["warned"]`` has the warnings about forecasts of
    single models, by name.
    """
    given, hidden = _given_and_hidden(scores, fold)
    with_scores = {model for model, _ in fold.given}
    names = _forecastable(fit, scores, [*fold.test, *dict.fromkeys(m for m, _ in fold.cells)])
    alone = [[model] for model in names if model in with_scores]
    together = [model for model in names if model not in with_scores]
    rows = scores.dataset.assign(score=scores.dataset["score"].where(given))
    rows = rows.sel({BENCHMARK: list(fit.scores.benchmarks)})
    truth = scores.dataset["score"].where(hidden & ~given)
    bounded = is_bounded(scores.dataset)

    fitted = SharedFittedScores(fit)

    def forecast(group: Sequence[str], how: FewShot | None = few_shot) -> Forecast:
        some = rows.sel({MODEL: group})
        return forecast_rows(fit, some, seed=seed, few_shot=how, fitted=fitted)

    def scored(forecast: Forecast) -> pd.DataFrame:
        measured = truth.sel({MODEL: forecast.draws[MODEL].values})
        return score_forecast(forecast, measured, scores.item_counts, prob, bounded)

    parts = [scored(forecast(together, None))] if together else []
    warned: dict[str, str] = {}
    for group, made, said in one_by_one(alone, forecast, progress=False):
        if made is None:
            raise FitError(f"Model {listed(group)}: {said}")
        parts.append(scored(made))
        warned |= dict.fromkeys(group, said) if said else {}
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(parts, ignore_index=True)
    families = dict(zip(scores.models, scores.dataset["family"].values, strict=True))
    table = table.assign(
        fold=fold.name,
        family=table["model"].map(families),
        prob=prob,
        max_rhat=fit.convergence().max_rhat,
    )[list(COLUMNS)]
    table.attrs[_WARNED] = warned
    return table


def _forecastable(fit: Fit, scores: Scores, names: Sequence[str]) -> list[str]:
    """Return the models that state every feature that a fit needs, with levels known to the fit."""
    table = scores.dataset.sel({MODEL: list(names)})
    levels = [of_unknown_level(kind, table) for kind in fit.transform.kinds]
    rows = without_features(fit, table).values()
    left_out = np.any([np.zeros(len(names), dtype=bool), *rows, *levels], axis=0)
    return [name for name, out in zip(names, left_out, strict=True) if not out]


def _given_and_hidden(scores: Scores, fold: Fold) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the cells that a fold gives to the forecast, and those that its fit did not use."""
    score = scores.dataset["score"]
    given, hidden = xr.zeros_like(score, dtype=bool), xr.zeros_like(score, dtype=bool)
    hidden.loc[{MODEL: list(fold.test)}] = True
    for array, cells in ((hidden, fold.cells), (given, fold.given)):
        for model, benchmark in cells:
            array.loc[{MODEL: model, BENCHMARK: benchmark}] = True
    return given, hidden
