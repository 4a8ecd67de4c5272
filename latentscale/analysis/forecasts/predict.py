"""Predict: forecast the scores of models that were not measured."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.condition import condition
from latentscale.analysis.forecasts.few_shot import REFIT, Conditioning, FewShot
from latentscale.analysis.forecasts.fitted_scores import SharedFittedScores
from latentscale.analysis.forecasts.forecast import Forecast, with_assumed
from latentscale.analysis.forecasts.in_blocks import Further, evaluate_in_blocks
from latentscale.analysis.forecasts.new_scores import with_rows
from latentscale.analysis.forecasts.refusals import refuse_altered_models, refuse_missing_features
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.forecasts.unused import new_models, warn_of_unused_features
from latentscale.analysis.forecasts.weights import Degenerate
from latentscale.analysis.tools.blocks import draw_scores, spread_draws
from latentscale.analysis.tools.memory import refuse_too_large
from latentscale.analysis.tools.units import other_units
from latentscale.data.frames import as_pandas
from latentscale.data.planned import ASSUMED, NOT_FORECAST
from latentscale.data.readers.efforts import SETTINGS
from latentscale.data.recording import recording_of
from latentscale.data.scaling import CENTRE, STEP, sampling_of, usual_sampling
from latentscale.declare.likelihood import Noise
from latentscale.dims import (
    BENCHMARK,
    LINEAGE,
    MODEL,
    SAMPLE,
    UNDISCLOSED,
    checked_seed,
)
from latentscale.errors import FitWarning
from latentscale.expect import expect
from latentscale.inference.method import Method
from latentscale.inference.run import fit as run_fit
from latentscale.maths import Named
from latentscale.model.left_open import with_drawn_features, with_drawn_levels
from latentscale.model.noise import noise_of
from latentscale.model.other_settings import (
    first_rows,
    rows_of_fitted_releases,
    with_other_settings,
)
from latentscale.model.terms.undisclosed_tokens import LOG_TOKENS
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN, with_origin

FITTED = "fitted model"
KNOWN_RELEASE = "known release"
KNOWN_FAMILY = "known family"
KNOWN_LINEAGE = "new family, known lineage"
NEW_FAMILY = "new family"
_FEW_SHOT = FewShot()


def predict(
    fit: Fit,
    frame: pd.DataFrame,
    *,
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
    draws: int | None = None,
) -> Forecast:
    """Forecast the scores of models, given any scores that they already have.

    A row of a fitted model uses that model's own latents. Settings of one release (``"o3_low"`` and
    ``"o3_high"``), fitted or not, have correlated residuals where the spec has ``skills.release``,
    so that scores of one setting inform the others. A new member of a fitted family uses the
    family's latents. A new family is drawn around its lineage if that was fitted, and otherwise
    from the population; rows of one new family share the draw, and new families of one new lineage
    share the lineage's draw. Where the spec estimates undisclosed tokens, a row may leave tokens_t
    empty: its tokens are then drawn from the prior ``log_tokens``, one draw for all settings of one
    release. Other features whose missing values are estimated work the same way.

    A row may leave out ``instruct`` where the fitted models determine it: a fitted model has its
    own value; a new setting of a fitted release takes the value of the release, as with its size
    and tokens; a member of a fitted family takes the value that all fitted models of the family
    share; a new family takes the value that all fitted models share. Where these values differ and
    the spec uses ``instruct``, the row is refused. The same holds for other features that the spec
    uses, with two exceptions: a category whose missing cells form a level takes that level, and
    missing values that are estimated are drawn from their prior. A fitted family keeps its fitted
    lineage. A new family that states no lineage forms its own, or, where the fitted lineages are
    providers, belongs to that of its provider, which the row states or the model's name implies.
    Where the fitted families are read from names, as in tables of hubs, a row may leave out its
    family, reasoning, effort and size class. The column ``assumed`` of the table lists the values
    taken in these ways.

    Scores in the table that the fit has not seen condition the forecast without a refit (few-shot):
    scores of new models, and of fitted models on further benchmarks. The scores of all rows are
    used together; `latentscale.studies.predict_each` conditions each model's forecast only on its
    own. The scores update the latents of their families and models, and weight the posterior draws
    (with the tokens of models that do not disclose them, so that scores inform those as well).
    Where that leaves the weight on few posterior draws (dates after the last fitted one, benchmarks
    with few scores), they also shift the effects that all models share along a few directions:
    intercepts, slopes, trends and levels of families. If the weights are still degenerate, the
    answer would be wrong, and it is refused unless ``few_shot.refit`` names a method to fit the
    scores instead. For a benchmark whose score is given, the forecast is for a second measurement.
    Exact 0 and 1 are clamped to the open interval by half an item, as in a fit.

    Parameters
    ----------
    fit
        A fit.
    frame
        Columns model, family, and params_b (billions) and tokens_t (trillions) if the spec uses
        them; optionally lineage, instruct and other features, and fitted benchmarks with scores
        (fractions, or in the benchmark's unit; empty where there is none). It is not changed.
    seed
        Seed of the random numbers; the same seed gives the same forecast.
    few_shot
        How scores condition the forecast.
    draws
        At most this many posterior draws are used, evenly spread; by default all. The forecast's
        coordinate ``sample`` then holds their positions among the fit's draws, unless scores in the
        table condition it (see ``conditioning.index``). Where ``few_shot.refit`` fits the scores,
        at most this many of the refit's draws are used.

    Returns
    -------
    Forecast
        Joint draws of the scores of all rows on all fitted benchmarks.

    Raises
    ------
    FitError
        If the forecast would not fit in memory (it takes 8 bytes x rows x draws x (2 x benchmarks
        + skills), and about a quarter more while it is made), or `draws` is not a whole number
        above 0.
    DataError
        If the table is malformed or has a column that is not a fitted benchmark, a row lacks tokens
        that the spec needs or an ``instruct`` that the fitted models do not determine, or the score
        of a fitted model differs from the fitted one.

    Warns
    -----
    DataWarning
        If rows look wrong; if a family, lineage or model differs from a fitted one only in case,
        accents, spaces, dots, dashes or underscores (and so counts as new); or if new rows state
        features, other than size, tokens and ``instruct``, that the fit does not use.
    FitWarning
        If the scores given leave the weight on few posterior draws.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), section 4, prediction for unevaluated models.

    Examples
    --------
    >>> planned = pd.DataFrame(
    ...     {"model": ["qwen2-30b"], "family": ["qwen2"], "params_b": [30.0], "tokens_t": [7.0]}
    ... )
    >>> table = ls.predict(fit, planned, seed=1).table(prob=0.9).set_index("benchmark")
    >>> table.loc["mmlu", ["lower", "median", "upper"]].astype(float).round(1).tolist()
    [0.8, 0.8, 0.9]
    """
    expect(fit, Fit, "fit")
    frame = sized_rows(fit, frame, few_shot, draws)
    planned = planned_rows(fit, frame)
    fitted = fit.scores.dataset
    new = new_models(fitted, planned)  # fitted models are forecast with their own latents
    warn_of_unused_features(fit.spec, fitted, new, "new rows", stacklevel=2)
    return forecast_rows(fit, planned, seed=seed, few_shot=few_shot, draws=draws)


def sized_rows(fit: Fit, frame: pd.DataFrame, few_shot: FewShot, draws: int | None) -> pd.DataFrame:
    """Return rows to forecast as a pandas frame; refuse a table that is too large for memory.

    Parameters
    ----------
    fit, frame, few_shot, draws
        As for `predict`.

    Raises
    ------
    FitError
        If the forecast would not fit in memory, or `draws` is not a whole number above 0.
    """
    expect(few_shot, FewShot, "few_shot")
    count = len(spread_draws(fit, draws))
    frame = as_pandas(frame, NOT_FORECAST)
    # Checked before the rows are read: a large table takes long to read.
    scored = any(name in fit.scores.benchmarks for name in frame.columns)
    refuse_too_large(fit, len(frame), min(count, few_shot.draws) if scored else count)
    return frame


def forecast_rows(
    fit: Fit,
    planned: xr.Dataset,
    *,
    seed: int,
    few_shot: FewShot | None = None,
    one_model: Sequence[str] = (),
    draws: int | None = None,
    replicate: bool = False,
    fitted: SharedFittedScores | None = None,
) -> Forecast:
    """Forecast checked rows (see `predict`).

    Parameters
    ----------
    fit
        A fit.
    planned
        Variables params, tokens, instruct, family and lineage, dims (model,); with `few_shot`
        also score (model, benchmark).
    seed
        Seed of the random numbers.
    few_shot
        How the rows' scores condition the forecast; by default they are ignored.
    one_model
        Rows that are one model at several sizes, and so share one residual.
    draws
        At most this many posterior draws are used; by default all.
    replicate
        Whether the scores replicate measured ones, with the sampling errors and numbers of items
        that `planned` states. By default they are new scores, with the benchmarks' usual ones.
    fitted
        The fitted scores, shared by calls that forecast several groups of rows in turn.

    Raises
    ------
    DataError
        If a row has no tokens that the spec needs.
    FitError
        If the forecast would not fit in memory, or `draws` is not a whole number above 0.
    """
    settings = _Settings(seed, few_shot, one_model, draws, replicate, fitted)
    return _forecast(fit, planned, settings)[0]


def forecast_with(
    fit: Fit,
    planned: xr.Dataset,
    further: Further,
    *,
    seed: int,
    few_shot: FewShot,
    draws: int | None = None,
    fitted: SharedFittedScores | None = None,
) -> tuple[Forecast, Mapping[str, xr.DataArray]]:
    """Forecast checked rows, and return further quantities computed from the same draws.

    Parameters
    ----------
    fit, planned, seed, few_shot, draws, fitted
        As for `forecast_rows`.
    further
        Computes further quantities, one block of draws and rows at a time.

    Raises
    ------
    DataError, FitError
        As `forecast_rows`.
    """
    settings = _Settings(seed, few_shot, draws=draws, fitted=fitted)
    return _forecast(fit, planned, settings, further)


@dataclass(frozen=True)
class _Settings:
    """The settings of `forecast_rows`."""

    seed: int
    few_shot: FewShot | None = None
    one_model: Sequence[str] = ()
    draws: int | None = None
    replicate: bool = False
    fitted: SharedFittedScores | None = None


def _forecast(
    fit: Fit, planned: xr.Dataset, settings: _Settings, further: Further | None = None
) -> tuple[Forecast, Mapping[str, xr.DataArray]]:
    """Return the forecast of checked rows, and the further quantities."""
    rng = np.random.default_rng(checked_seed(settings.seed))
    few_shot = settings.few_shot
    refuse_missing_features(fit, planned)
    refuse_altered_models(fit, planned)
    kept = spread_draws(fit, settings.draws)
    sampled = with_other_settings(fit.spec, fit.samples.isel({SAMPLE: kept}), fit.design, planned)
    first = first_rows(sampled)
    sampled = with_drawn_features(fit.spec, fit.transform, sampled, planned, first, rng)
    sampled = with_drawn_levels(fit.spec, fit.transform, sampled, planned, rng)
    given = None
    if few_shot is not None:
        try:
            given = condition(fit, sampled, planned, few_shot, rng, settings.fitted)
        except Degenerate as failure:
            if few_shot.refit is None:
                raise
            return _refitted(fit, planned, failure, few_shot.refit, settings, further)
    report = None
    if given is not None:
        sampled = sampled.isel({SAMPLE: given.report.index}).assign(given.shared.data_vars)
        report = replace(given.report, index=kept[given.report.index])
    refuse_too_large(fit, planned.sizes[MODEL], sampled.sizes[SAMPLE])
    # Everything below keeps the order of these draws; results get their labels at the end.
    labels, sampled = sampled, sampled.drop_vars(list(ORIGIN), errors="ignore")
    expected = evaluate_in_blocks(
        fit, sampled, planned, rng, given=given, one_model=settings.one_model, further=further
    )
    values = fit.evaluator.values(sampled)
    noise = _noise(fit, values, planned if settings.replicate else None)
    tokens = _drawn_tokens(sampled, planned)
    scores = draw_scores(noise, expected.mean, expected.phi, recording_of(fit.scores.dataset), rng)

    def origin(array: xr.DataArray) -> xr.DataArray:
        return with_origin(array, labels)

    forecast = Forecast(
        draws=origin(scores).rename("score"),
        mean_draws=origin(expected.mean).rename("expected_score"),
        precision_draws=origin(expected.phi).rename("precision"),
        models=_with_drawn_said(fit, sampled, _about(fit, planned)),
        is_posterior=fit.is_posterior,
        noise=noise.mapped(origin),
        skill_draws=None
        if expected.skill is None
        else origin(expected.skill).rename("model_skill"),
        conditioning=report,
        token_draws=None if tokens is None else origin(tokens),
        units=other_units(fit.scores),
        fit_status=fit.status.caveat,
    )
    return forecast, {name: origin(array) for name, array in expected.further.items()}


def _noise(fit: Fit, values: Mapping[str, Named], measured: xr.Dataset | None) -> Noise:
    """Return the noise of new scores, or of measured ones with the table's errors and items."""
    data, likelihood = fit.scores.dataset, fit.spec.benchmarks.likelihood
    if measured is None:
        return noise_of(likelihood, values, data["n_items"], usual_sampling(data))
    scaled = measured.assign({name: data[name] for name in (CENTRE, STEP) if name in data})
    items = data["n_items"]
    if "cell_items" in scaled:
        items = scaled["cell_items"].fillna(items).transpose(MODEL, BENCHMARK)
    return noise_of(likelihood, values, items, sampling_of(scaled))


def _refitted(
    fit: Fit,
    planned: xr.Dataset,
    failure: Degenerate,
    method: Method,
    settings: _Settings,
    further: Further | None,
) -> tuple[Forecast, Mapping[str, xr.DataArray]]:
    """Forecast from an exact refit to the table with the planned rows' scores added."""
    again = run_fit(
        fit.spec,
        with_rows(fit, planned),
        method=method,
        seed=checked_seed(settings.seed),
        progress=False,
    )
    if again.status.converged is False:
        warnings.warn(
            f"The refit with the given scores: {again.status.message}", FitWarning, stacklevel=5
        )
    scoreless = _Settings(settings.seed, one_model=settings.one_model, draws=settings.draws)
    forecast, more = _forecast(again, planned, scoreless, further)
    conditioning = Conditioning(
        method=REFIT,
        n_scores=failure.n_scores,
        ess=again.convergence().min_ess,
        pareto_k=failure.pareto_k,
        index=np.asarray(forecast.draws[SAMPLE].values, dtype=np.int64),
        fit=again,
    )
    return replace(forecast, models=_about(fit, planned), conditioning=conditioning), more


def _about(fit: Fit, planned: xr.Dataset) -> xr.Dataset:
    return with_assumed(planned).assign(
        basis=(MODEL, _basis(fit, planned)),
        extrapolates=(MODEL, np.array(_extrapolates(fit, planned), dtype=np.str_)),
    )


def _extrapolates(fit: Fit, planned: xr.Dataset) -> list[str]:
    """Return the features of each row that are outside the fitted range, one text per model.

    Where benchmarks have slopes in instruct and all fitted models share its value, scores do not
    inform those slopes, so a row of the other value extrapolates.
    """
    texts = [str(text) for text in fit.transform.extrapolates(planned)]
    fitted = {float(value) for value in fit.scores.dataset["instruct"].values}
    if not fit.spec.needs_instruct or fit.transform.needs("instruct") or len(fitted) > 1:
        return texts
    (only,) = fitted
    side = "above the fitted range (yes > no)" if only == 0 else "below the fitted range (no < yes)"
    values = planned["instruct"].values
    return [
        text if value == only else "; ".join(filter(None, [text, f"instruct {side}"]))
        for text, value in zip(texts, values, strict=True)
    ]


def _with_drawn_said(fit: Fit, draws: xr.Dataset, about: xr.Dataset) -> xr.Dataset:
    """Note which rows' tokens are drawn, and what was estimated for new settings."""
    drawn = set(draws[UNDISCLOSED].values.tolist()) if LOG_TOKENS in draws else set()
    sources = {FITTED: "estimated (fitted model)", KNOWN_RELEASE: "estimated (release)"}
    shared = [k.name for k in fit.transform.kinds if k.estimated and k.name not in SETTINGS]
    texts = []
    columns = (about[name].values.tolist() for name in (MODEL, "tokens", "basis", ASSUMED))
    for model, tokens, basis, said in zip(*columns, strict=True):
        text = str(said)
        for name in shared if basis == KNOWN_RELEASE else ():
            text = text.replace(f"{name} drawn (prior)", f"{name} {sources[basis]}")
        how = f"tokens_t {sources.get(basis, 'drawn (prior)')}"
        is_drawn = model in drawn and np.isnan(tokens)
        texts.append("; ".join(filter(None, [text, how if is_drawn else ""])))
    return about.assign({ASSUMED: (MODEL, np.array(texts, dtype=np.str_))})


def _basis(fit: Fit, planned: xr.Dataset) -> list[str]:
    models, families = set(fit.scores.models), set(fit.scores.families)
    settings = rows_of_fitted_releases(fit.spec, fit.posterior, fit.design, planned)
    lineages = set(fit.samples[LINEAGE].values) if "lineage_skill" in fit.posterior else set()

    def basis(model: str, family: str, lineage: str) -> str:
        if model in models:
            return FITTED
        if model in settings:
            return KNOWN_RELEASE
        if family in families:
            return KNOWN_FAMILY
        return KNOWN_LINEAGE if lineage in lineages else NEW_FAMILY

    rows = zip(
        planned[MODEL].values, planned["family"].values, planned["lineage"].values, strict=True
    )
    return [basis(str(m), str(f), str(g)) for m, f, g in rows]


def _drawn_tokens(draws: xr.Dataset, planned: xr.Dataset) -> xr.DataArray | None:
    undisclosed_models = [
        str(name) for name in planned[MODEL].values[planned["tokens"].isnull().values]
    ]
    if LOG_TOKENS not in draws or not undisclosed_models:
        return None
    logs = draws[LOG_TOKENS].sel({UNDISCLOSED: undisclosed_models}).rename({UNDISCLOSED: MODEL})
    tokens = xr.apply_ufunc(np.exp, logs).transpose(SAMPLE, MODEL)
    return tokens.reset_coords(drop=True).rename("tokens")
