"""Explain: where a forecast's level and uncertainty come from, and how given scores move it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.curves.thresholds import check_benchmark, need_posterior
from latentscale.analysis.forecasts.explanation import Explanation
from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.fitted_scores import SharedFittedScores
from latentscale.analysis.forecasts.parts import LEVELS, PART, PARTS, Parts, without_idle
from latentscale.analysis.forecasts.predict import forecast_with, sized_rows
from latentscale.analysis.forecasts.pulls import GIVEN, given_cells, pulls_of_given
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.forecasts.sources import curves_of, sources_of_variance
from latentscale.analysis.forecasts.unused import new_models, warn_of_unused_features
from latentscale.analysis.tools.blocks import spread_draws
from latentscale.analysis.tools.memory import refuse_too_large
from latentscale.dims import BENCHMARK, MODEL, SAMPLE
from latentscale.errors import FitError, listed
from latentscale.expect import expect, expect_names
from latentscale.markup import counted
from latentscale.maths import on_draws
from latentscale.model.equations import expected_score
from latentscale.model.terms.base import components, terms_of
from latentscale.posterior.fit import Fit
from latentscale.validate import truth

_FEW_SHOT = FewShot()
_MOST_GIVEN = 12
"""Most given scores that are left out one by one by default: each takes one conditional forecast,
some seconds for a single model, so a call takes about a minute at most."""
_FEWEST_DRAWS = 50
"""Expected scores are regressed on about ten parts, and each part needs a few draws."""


def explain(
    fit: Fit,
    frame: pd.DataFrame,
    benchmarks: str | Sequence[str] | None = None,
    *,
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
    draws: int | None = None,
    given_scores: bool | None = None,
    progress: bool = True,
) -> Explanation:
    """Explain a forecast: the parts of its level, the sources of its variance, its given scores.

    Where the level comes from. The linear predictor of a row on a benchmark is a sum of
    contributions: of each covariate (its slopes, trends and curvature, which are interpretable only
    together), of lineages and families, of the model itself, of instruction tuning, and of other
    terms, named as in `latentscale.studies.variance_shares`. A part is a contribution minus its
    mean over the fitted models, draw by draw, so that the level of the average fitted model and the
    parts add up to the linear predictor in every draw. Contributions through skills are products of
    loadings and skills: skills that are free to rotate have no meaning by themselves, but the parts
    are the same under any rotation. Parts describe the fitted model; they are not effects of an
    intervention.

    In points, the change is how much the expected score would drop if only that part had the value
    of the average fitted model. Changes do not add up, since the link is not linear: near a
    ceiling, each of two parts may change little while both together change much.

    Where the uncertainty comes from. By the law of total variance, the variance of a new score is
    the variance of expected scores plus the mean variance of noise. The first is divided between
    the parameters that all models share (levels, slopes and curves of benchmarks), features that a
    row does not state, its family and lineage, and the model itself. Expected scores are regressed
    linearly on the parts that belong to each source, and the explained variance is divided by
    Shapley values: the mean increment of a source over all orders in which sources can become
    known. The shares therefore do not depend on an order, are close to the terms of the law of
    total variance if sources are independent (a new family given the parameters), and divide evenly
    what two sources have in common (the posterior identifies a family with one member only together
    with the slopes). Nonlinear variance is allocated in proportion.

    Scores given for the rows condition the explanation as they do a forecast. The pull of a score
    is the median of the expected score minus the median without that score. Of two redundant
    scores, each pulls little, even if both together pull much. The table has the Monte Carlo
    standard errors of pulls; a pull within two standard errors of 0 is not distinguishable from 0.

    Parameters
    ----------
    fit
        A fit; not an aligned one where scores are given.
    frame
        Rows to forecast, with scores or without, as for `latentscale.predict`.
    benchmarks
        One or more benchmarks; all by default.
    seed
        Seed of the random numbers; with the same seed `latentscale.predict` gives the same draws.
    few_shot
        How given scores condition the forecast.
    draws
        At most this many posterior draws are used, evenly spread; by default all. All fitted models
        are evaluated on each, which takes seconds for a few hundred models on a thousand draws.
    given_scores
        Whether to compute the pull of each given score. Each needs a forecast of all rows without
        that score, which takes about as long as `latentscale.predict` (or a refit, where weights
        are degenerate and ``few_shot.refit`` is set). By default for up to 12 given scores.
    progress
        Whether to show how many of these forecasts are done.

    Returns
    -------
    Explanation
        Parts and changes in draws, dims (sample, model, benchmark, part); shares of variance
        (model, benchmark, source); pulls (given, model, benchmark).

    Raises
    ------
    FitError
        If the fit is a point estimate or has fewer than 50 draws, scores are given with an aligned
        fit, the weights given all scores are degenerate, or the result would not fit in memory.
    DataError
        If a benchmark is not in the fit, or the rows cannot be forecast (`latentscale.predict`).

    Warns
    -----
    DataWarning, FitWarning
        As for `latentscale.predict`, also for each forecast without a given score.

    References
    ----------
    Owen and Prieur 2017, On Shapley value for measuring importance of dependent inputs; Lindeman,
    Merenda and Gold 1980, on averaging the contributions of regressors over orders.

    Examples
    --------
    >>> explanation = ls.studies.explain(fit, planned, "mmlu", seed=1)
    >>> eta = explanation.level_draws + explanation.part_draws.sum("part")
    >>> eta.dims
    ('sample', 'benchmark', 'model')
    """
    _expect_one_fit(fit)
    need_posterior(fit)
    truth(progress, "progress", error=FitError)
    if given_scores is not None:
        truth(given_scores, "given_scores", error=FitError)
    names = _checked_benchmarks(fit, benchmarks)
    frame = sized_rows(fit, frame, few_shot, draws)
    planned = planned_rows(fit, frame)
    new = new_models(fit.scores.dataset, planned)
    warn_of_unused_features(fit.spec, fit.scores.dataset, new, "new rows", stacklevel=2)
    _refuse_sizes(fit, planned, names, draws)
    fitted = SharedFittedScores(fit)
    forecast, found = forecast_with(
        fit, planned, Parts(names), seed=seed, few_shot=few_shot, draws=draws, fitted=fitted
    )
    report = forecast.conditioning
    source = fit if report is None or report.fit is None else report.fit
    level = found[LEVELS]
    parts = without_idle(found[PARTS], level + found[PARTS].sum(PART))
    curves = curves_of(source, forecast, names)
    level_score = on_draws(expected_score(source.spec, curves, level))
    pulls, advice = None, _advice(given_cells(fit, planned), given_scores)
    if report is not None and not advice and given_scores is not False:
        pulls = pulls_of_given(
            fit,
            planned,
            forecast,
            seed=seed,
            few_shot=few_shot,
            draws=draws,
            fitted=fitted,
            progress=progress,
        ).sel({BENCHMARK: names})
        advice = _of_degenerate(pulls)
    return Explanation(
        part_draws=parts.rename("part"),
        level_draws=level.rename("level"),
        change_draws=_changes(source, curves, level, parts),
        level_score_draws=level_score.transpose(SAMPLE, BENCHMARK).rename("level_score"),
        shares=sources_of_variance(source, forecast, planned, parts, level, curves, seed),
        pulls=pulls,
        forecast=forecast,
        advice=advice,
        fit_status=forecast.fit_status,
    )


def _expect_one_fit(fit: object) -> None:
    """Refuse anything but a single fit, such as a mixture's mapping of fits."""
    if isinstance(fit, Mapping):
        raise FitError(
            f"fit must be one Fit (from latentscale.fit, or from latentscale.load); got a mapping "
            f"of {counted(len(fit), 'fit')}. A mixture of fits "
            "has no parts of its own: skills and terms differ between fits. Explain the forecast "
            "of each, as in {name: latentscale.studies.explain(fit, rows) for name, fit in "
            "fits.items()}."
        )
    expect(fit, Fit, "fit")


def _checked_benchmarks(fit: Fit, benchmarks: object) -> list[str]:
    """Return the requested benchmarks, in the order of the fit's table."""
    known = [str(name) for name in fit.scores.benchmarks]
    if benchmarks is None:
        return known
    asked = [benchmarks] if isinstance(benchmarks, str) else benchmarks
    wanted = expect_names(asked, "benchmarks", f'"{known[0]}" or ["{known[0]}"]')
    for name in wanted:
        check_benchmark(fit, name)
    if not wanted:
        raise FitError(f"benchmarks is empty; name at least one of {listed(known)}.")
    return [name for name in known if name in wanted]


def _refuse_sizes(fit: Fit, planned: xr.Dataset, names: Sequence[str], draws: int | None) -> None:
    """Refuse too few draws, and parts that would not fit in memory."""
    count = len(spread_draws(fit, draws))
    if count < _FEWEST_DRAWS:
        raise FitError(
            f"explain needs at least {_FEWEST_DRAWS} draws to divide a variance; there are "
            f"{count}. Raise draws=, or fit with more draws."
        )
    every = len(components(terms_of(fit.spec))) + len(fit.spec.covariates)
    refuse_too_large(fit, planned.sizes[MODEL], count, beside=2 * len(names) * every)


def _changes(
    fit: Fit, curves: Mapping[str, xr.DataArray], level: xr.DataArray, parts: xr.DataArray
) -> xr.DataArray:
    """Return the drop of expected scores with each part set to 0, with the dims of `parts`."""
    eta = level + parts.sum(PART)
    whole = on_draws(expected_score(fit.spec, curves, eta))
    changes = parts.copy(data=np.empty(parts.shape))
    for place in range(parts.sizes[PART]):
        without = on_draws(expected_score(fit.spec, curves, eta - parts.isel({PART: place})))
        change = (whole - without).transpose(*(dim for dim in parts.dims if dim != PART))
        changes.values[..., place] = change.values
    return changes.rename("change")


def _advice(cells: Sequence[tuple[str, str]], asked: bool | None) -> tuple[str, ...]:
    """Return advice on computing pulls, if they were left out because there are too many."""
    if asked is not None or len(cells) <= _MOST_GIVEN:
        return ()
    return (
        f"The pulls of {len(cells)} given scores are left out: each takes a forecast of its own. "
        "Give given_scores=True to compute them.",
    )


def _of_degenerate(pulls: xr.Dataset) -> tuple[str, ...]:
    """Return advice that names the given scores whose pull is missing."""
    missing = pulls["pull"].isnull().all([MODEL, BENCHMARK])
    names = [str(name) for name in pulls[GIVEN].values[missing.values]]
    if not names:
        return ()
    return (
        f"Without {listed(names)} the weights of the other scores are degenerate, so the pull is "
        "missing; few_shot=latentscale.FewShot(refit=latentscale.NUTS()) fits them.",
    )
