"""Forecast: scores of models that were not measured, with their uncertainty."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from latentscale.analysis.forecasts.condition import (
    REFIT,
    Conditioning,
    Degenerate,
    FewShot,
    condition,
    with_rows,
)
from latentscale.analysis.forecasts.in_blocks import evaluate_in_blocks
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.tools.blocks import block_size, draw_scores, parts, spread_draws
from latentscale.analysis.tools.memory import refuse_too_large
from latentscale.analysis.tools.summaries import quantiles
from latentscale.analysis.tools.units import other_units
from latentscale.data.features.base import FeatureKind
from latentscale.data.features.category import Category
from latentscale.data.frames import as_pandas
from latentscale.data.planned import ASSUMED, NOT_FORECAST
from latentscale.data.recorded import recording_of
from latentscale.data.scaling import usual_sampling
from latentscale.declare.likelihood import Noise
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FAMILY,
    LINEAGE,
    MODEL,
    SAMPLE,
    UNDISCLOSED,
    checked_seed,
)
from latentscale.errors import DataError, FitError, FitWarning, listed, nearest
from latentscale.expect import expect
from latentscale.inference.method import Method
from latentscale.inference.run import fit as run_fit
from latentscale.maths import on_draws
from latentscale.model.likelihoods.beta import BetaNoise
from latentscale.model.noise import noise_of
from latentscale.model.terms.categories import with_drawn_levels
from latentscale.model.terms.undisclosed_tokens import LOG_TOKENS
from latentscale.model.undisclosed import with_drawn_tokens
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN, with_origin
from latentscale.result import Picture, Result

FITTED = "fitted model"
KNOWN_FAMILY = "known family"
KNOWN_LINEAGE = "new family, known lineage"
NEW_FAMILY = "new family"
_BETA = BetaNoise()
_FEW_SHOT = FewShot()
_BRIEF_MODELS = 12
"""Models whose rows text and notebooks show: no more rows fit there."""
_IDENTITY = {FAMILY: "family", "params": "params_b", "tokens": "tokens_t", "instruct": "instruct"}


@dataclass(frozen=True, repr=False)
class Forecast(Result):
    """Forecast scores of some models.

    Every array of draws has the coordinates sample, chain and draw: which posterior draw of
    ``fit.samples`` a row comes from. Where scores condition the forecast, posterior draws repeat
    and their order is another; so pair a forecast with anything else by ``sample``, not by
    position (xarray's arithmetic does, and refuses where it cannot).

    Attributes
    ----------
    draws
        New scores, noise included, fractions or in `units`; dims (sample, model, benchmark). As
        the fitted table records a benchmark's scores: rounded where it rounds to two to four
        decimals, exactly 0 or 1 within half an item of them.
    mean_draws
        Expected scores mu, without the noise of a single measurement; same dims. Under a
        likelihood on the logit scale (logit-normal, Student-t) mu is the median score.
    precision_draws
        Precision phi of the noise of a score; dims (sample, benchmark), and model where it
        depends on covariates.
    models
        The rows asked for: params (billions), tokens (trillions), instruct, family, lineage,
        and ``basis`` (what the forecast rests on), ``extrapolates`` (which covariates lie
        outside the fitted range; empty if none) and ``assumed`` (what the row left out and was
        taken from the fitted models; empty if nothing), dims (model,).
    is_posterior
        False if the fit is a point estimate: the draws then leave out the parameters'
        uncertainty.
    noise
        The likelihood, with what it needs beside mu and phi.
    skill_draws
        Latent skills of the models, dims (sample, model, skill); None for a spec without
        skills.
    conditioning
        How scores given for the rows were used, and the effective sample size that left; None
        where none was given that the fit has not seen.
    token_draws
        Trillions of training tokens of the rows that do not tell them, as drawn from the prior
        or the posterior, dims (sample, model); None where all tell them.
    no_skills
        Why a mixture of fits has no `skill_draws`; empty otherwise.
    units
        Units of the benchmarks whose scores are not fractions, by name.

    Raises
    ------
    FitError
        If the arrays have different samples.
    """

    draws: xr.DataArray
    mean_draws: xr.DataArray
    precision_draws: xr.DataArray
    models: xr.Dataset
    is_posterior: bool = True
    noise: Noise = _BETA
    skill_draws: xr.DataArray | None = None
    conditioning: Conditioning | None = None
    token_draws: xr.DataArray | None = None
    no_skills: str = ""
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays = (self.mean_draws, self.precision_draws, self.skill_draws, self.token_draws)
        wanted = self.draws[SAMPLE].values
        for array in (*arrays, *self.noise.arrays()):
            if array is None or SAMPLE not in array.dims:
                continue
            named = on_draws(array)
            if not np.array_equal(named[SAMPLE].values, wanted):
                raise FitError(
                    f'The samples of "{named.name}" are not those of the scores: all arrays of a '
                    "forecast need the same samples in the same order."
                )

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row a model and benchmark.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval of a new score.

        Returns
        -------
        Columns model, benchmark, mean, median, sd, lower, upper (of new scores, fractions or in
        `units`),
        basis, extrapolates and assumed (text, such as ``"instruct=1 (family)"``).

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.
        """
        width = self.draws.sizes[SAMPLE] * self.draws.sizes[BENCHMARK]
        rows = parts(self.draws.sizes[MODEL], width, block_size(self.draws.size))
        wide = pd.concat([_summaries(self.draws.isel({MODEL: some}), prob) for some in rows])
        table = wide.reset_index()
        names = ["basis", "extrapolates", ASSUMED]
        return table.join(_with_assumed(self.models)[names].to_dataframe()[names], on=MODEL)

    def log_score(self, score: xr.DataArray) -> xr.DataArray:
        """Return the log predictive density of measured scores.

        Parameters
        ----------
        score
            Fractions strictly inside (0, 1), others in their own units, dims (model, benchmark),
            of models and benchmarks of the forecast; NaN gives NaN.

        Raises
        ------
        DataError
            If it is no such array, names another model or benchmark, or holds a score that the
            likelihood does not allow.
        """
        expect(score, xr.DataArray, "score", "dims (model, benchmark)")
        for dim in (MODEL, BENCHMARK):
            known = [str(name) for name in self.draws[dim].values]
            for name in np.atleast_1d(score[dim].values) if dim in score.coords else ():
                if str(name) not in known:
                    raise DataError(
                        f'score: {dim} "{name}" is not in the forecast.{nearest(str(name), known)}'
                    )
        found = self._log_mean_density(score)
        undefined = ~xr.apply_ufunc(np.isfinite, found) & score.notnull()
        odd = np.argwhere(undefined.transpose(*found.dims).values)
        if len(odd):
            first = found.isel(dict(zip(found.dims, map(int, odd[0]), strict=True)))
            names = {dim: first[dim].item() for dim in found.dims}
            raise DataError(
                "score: "
                + ", ".join(f'{dim} "{name}"' for dim, name in names.items())
                + f": {float(score.broadcast_like(found).sel(names)):g} is not a score that the "
                "likelihood allows; fractions lie strictly between 0 and 1."
            )
        return found

    def _log_mean_density(self, score: xr.DataArray) -> xr.DataArray:
        """Return the log of the draws' mean density, models block by block; NaN where undefined."""
        mean, rows = self.mean_draws, [slice(None)]
        if MODEL in score.dims:
            mean = mean.sel({MODEL: score[MODEL].values})
            width = mean.sizes[SAMPLE] * mean.sizes[BENCHMARK]
            rows = list(parts(mean.sizes[MODEL], width, block_size(mean.size)))
        found = []
        for some in rows:
            with np.errstate(invalid="ignore", divide="ignore"):
                density = self.noise.log_density(
                    score.isel({MODEL: some}, missing_dims="ignore"),
                    mean.isel({MODEL: some}),
                    self.precision_draws,
                )
                found.append(on_draws(density).reduce(logsumexp, SAMPLE))
        joined = xr.concat(found, MODEL) if len(found) > 1 else found[0]
        return joined.transpose(*found[0].dims) - np.log(mean.sizes[SAMPLE])

    plot = Picture("plot_forecast")

    @property
    def headline(self) -> str:
        """How many models and benchmarks, and what the draws rest on."""
        sizes = self.draws.sizes
        given = self.conditioning
        scores = (
            ""
            if given is None
            else f" given {given.n_scores} scores ({given.method}, ESS {given.ess:.0f})"
        )
        drawn = self.token_draws
        tokens = "" if drawn is None else f", tokens of {drawn.sizes[MODEL]} drawn,"
        without = f"; no skills: {self.no_skills}" if self.no_skills else ""
        return (
            f"Forecast of {sizes[MODEL]} models on {sizes[BENCHMARK]} benchmarks{scores},{tokens} "
            f"{sizes[SAMPLE]} draws{without}"
        )

    def brief(self) -> pd.DataFrame:
        """Return the table of the first models, with what is not empty in it."""
        wide = _summaries(self.draws.isel({MODEL: slice(_BRIEF_MODELS)}), DEFAULT_PROB)
        names = ["basis", "extrapolates", ASSUMED]
        words = _with_assumed(self.models)[names].to_dataframe()[names]
        table = wide.reset_index().join(words, on=MODEL)
        return table.drop(columns=[name for name in names[1:] if not table[name].any()])


def _summaries(draws: xr.DataArray, prob: float) -> pd.DataFrame:
    """Return the numbers of `Forecast.table`, indexed by model and benchmark."""
    ends = quantiles(draws, prob)
    columns = {
        "mean": draws.mean(SAMPLE),
        "median": ends["median"],
        "sd": draws.std(SAMPLE, ddof=1),
        "lower": ends["lower"],
        "upper": ends["upper"],
    }
    return xr.Dataset(columns).to_dataframe(dim_order=[MODEL, BENCHMARK])[list(columns)]


def predict(
    fit: Fit,
    frame: pd.DataFrame,
    *,
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
    draws: int | None = None,
) -> Forecast:
    """Forecast the scores of models, given scores that they have already, if any.

    A row of a fitted model uses that model's own latents. Another member of a fitted family
    uses the family's. A new family is drawn round its lineage if that was fitted, else from
    the population; rows of one new family share the draw, and new families of one new
    lineage share the lineage's. Where the spec estimates undisclosed tokens, a row may leave
    tokens_t empty: its tokens are then drawn from the prior ``log_tokens``.

    A row may leave out ``instruct`` where the fitted models settle it: a fitted model has its
    own value; a member of a fitted family the value that all fitted models of the family share;
    a new family the value that all fitted models share. Where they differ and the spec uses
    ``instruct``, the row is refused. A fitted family keeps its fitted lineage, and a new one
    that states none is a lineage of its own. The column ``assumed`` of the table says what was
    taken so.

    Scores in the table that the fit has not seen condition the forecast without a refit
    (few-shot): scores of new models, and further benchmarks of fitted ones. They move the
    latents of their families and models, and weigh the posterior draws (with the tokens of
    models that do not tell them, so that scores speak of those as well); they do not move
    other fitted families except through those weights. Where that leaves the weight on too few
    posterior draws the answer would be wrong, and it is refused unless ``few_shot.refit`` has
    the scores fitted instead. The forecast of a benchmark whose
    score is given is that of a second measurement. Exact 0 and 1 are pulled inside by half an
    item, as in a fit.

    Parameters
    ----------
    fit
        A fit.
    frame
        Columns model, family, params_b (billions), tokens_t (trillions); optionally lineage
        and instruct, and fitted benchmarks with scores (fractions, empty where there is none).
        It is not changed.
    seed
        Seed of the random numbers; the same seed gives the same forecast.
    few_shot
        How scores condition the forecast.
    draws
        At most so many posterior draws are used, evenly spread; by default all. The forecast's
        coordinate ``sample`` then holds their places among the fit's, unless scores in the table
        condition it (see ``conditioning.index``). Where ``few_shot.refit`` fits the scores, at
        most so many of the refit's draws are used.

    Raises
    ------
    FitError
        If the forecast would not fit in memory (it takes 8 bytes x rows x draws x (2 x benchmarks
        + skills), and about a quarter more while it is made), or `draws` is not a whole number
        above 0.
    DataError
        If the table is malformed, has a column that is no fitted benchmark, a row has no tokens
        that the spec needs or an ``instruct`` that the fitted models do not settle, or the
        score of a fitted model is not the one that was fitted.

    Warns
    -----
    DataWarning
        If rows look wrong, or a family, lineage or model differs from a fitted one only in
        case, spaces, dots, dashes or underscores (and so is a new one).
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
    expect(few_shot, FewShot, "few_shot")
    count = len(spread_draws(fit, draws))
    frame = as_pandas(frame, NOT_FORECAST)
    # Refused before the rows are read: a large table takes long to read.
    scored = any(name in fit.scores.benchmarks for name in frame.columns)
    refuse_too_large(fit, len(frame), min(count, few_shot.draws) if scored else count)
    planned = planned_rows(fit, frame)
    return forecast_rows(fit, planned, seed=seed, few_shot=few_shot, draws=draws)


def forecast_rows(
    fit: Fit,
    planned: xr.Dataset,
    *,
    seed: int,
    few_shot: FewShot | None = None,
    one_model: Sequence[str] = (),
    draws: int | None = None,
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
        How the rows' scores condition the forecast; by default they are not looked at.
    one_model
        Rows that stand for one model at several sizes, and so share one residual.
    draws
        At most so many posterior draws are used; by default all.

    Raises
    ------
    DataError
        If a row has no tokens that the spec needs.
    FitError
        If the forecast would not fit in memory, or `draws` is not a whole number above 0.
    """
    rng = np.random.default_rng(checked_seed(seed))
    _refuse_unknown(fit, planned)
    _refuse_altered(fit, planned)
    kept = spread_draws(fit, draws)
    sampled = with_drawn_tokens(fit.spec, fit.samples.isel({SAMPLE: kept}), planned, rng)
    sampled = with_drawn_levels(fit.transform, sampled, planned, rng)
    try:
        given = None if few_shot is None else condition(fit, sampled, planned, few_shot, rng)
    except Degenerate as failure:
        if few_shot is None or few_shot.refit is None:
            raise
        return _refitted(fit, planned, failure, few_shot.refit, (seed, draws), one_model)
    report = None
    if given is not None:
        sampled = sampled.isel({SAMPLE: given.report.index})
        report = replace(given.report, index=kept[given.report.index])
    refuse_too_large(fit, planned.sizes[MODEL], sampled.sizes[SAMPLE])
    # All below is row by row of these draws, and each result takes their labels at the end.
    labels, sampled = sampled, sampled.drop_vars(list(ORIGIN), errors="ignore")
    found = evaluate_in_blocks(fit, sampled, planned, rng, given=given, one_model=one_model)
    values = fit.evaluator.values(sampled)
    data = fit.scores.dataset
    noise = noise_of(fit.spec.benchmarks.likelihood, values, data["n_items"], usual_sampling(data))
    tokens = _drawn_tokens(sampled, planned)
    scores = draw_scores(noise, found.mean, found.phi, recording_of(fit.scores.dataset), rng)

    def origin(array: xr.DataArray) -> xr.DataArray:
        return with_origin(array, labels)

    return Forecast(
        draws=origin(scores).rename("score"),
        mean_draws=origin(found.mean).rename("expected_score"),
        precision_draws=origin(found.phi).rename("precision"),
        models=_about(fit, planned),
        is_posterior=fit.is_posterior,
        noise=noise.mapped(origin),
        skill_draws=None if found.skill is None else origin(found.skill).rename("model_skill"),
        conditioning=report,
        token_draws=None if tokens is None else origin(tokens),
        units=other_units(fit.scores),
    )


def _refitted(
    fit: Fit,
    planned: xr.Dataset,
    found: Degenerate,
    method: Method,
    settings: tuple[int, int | None],
    one_model: Sequence[str],
) -> Forecast:
    """Forecast from a fit of the table with the planned rows' scores added: exact.

    `settings` are the seed, and at most how many of the refit's draws are used.
    """
    seed, draws = settings
    again = run_fit(
        fit.spec, with_rows(fit, planned), method=method, seed=checked_seed(seed), progress=False
    )
    if again.status.converged is False:
        warnings.warn(
            f"The refit with the given scores: {again.status.message}", FitWarning, stacklevel=4
        )
    forecast = forecast_rows(again, planned, seed=seed, one_model=one_model, draws=draws)
    return replace(
        forecast,
        models=_about(fit, planned),
        conditioning=Conditioning(
            method=REFIT,
            n_scores=found.n_scores,
            ess=again.convergence().min_ess,
            pareto_k=found.pareto_k,
            index=np.asarray(forecast.draws[SAMPLE].values, dtype=np.int64),
            fit=again,
        ),
    )


def _with_assumed(models: xr.Dataset) -> xr.Dataset:
    """Return models with the variable ``assumed``, empty for rows not read from a table."""
    if ASSUMED in models:
        return models
    return models.assign({ASSUMED: (MODEL, np.full(models.sizes[MODEL], ""))})


def _about(fit: Fit, planned: xr.Dataset) -> xr.Dataset:
    return _with_assumed(planned).assign(
        basis=(MODEL, _basis(fit, planned)),
        extrapolates=(MODEL, fit.transform.extrapolates(planned).to_numpy(dtype=str)),
    )


def _basis(fit: Fit, planned: xr.Dataset) -> list[str]:
    models, families = set(fit.scores.models), set(fit.scores.families)
    lineages = set(fit.samples[LINEAGE].values) if "lineage_skill" in fit.posterior else set()

    def basis(model: str, family: str, lineage: str) -> str:
        if model in models:
            return FITTED
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


def _refuse_unknown(fit: Fit, planned: xr.Dataset) -> None:
    """Refuse rows that leave out a feature of the covariates, unless it is drawn."""
    missing = fit.transform.missing(planned)
    if fit.spec.undisclosed.kind == "estimated":
        missing.pop("tokens_t", None)
    for column, rows in missing.items():
        names = planned[MODEL].values[rows]
        if column == "tokens_t":
            raise DataError(
                f'The spec "{fit.spec.name}" needs training tokens, but tokens_t is empty for '
                f"{listed(names)}. Give tokens in trillions, fit a spec on log_params alone, or "
                'one with undisclosed = {kind = "estimated"}, which draws them from a prior.'
            )
        raise DataError(
            f'The spec "{fit.spec.name}" needs {column} (its covariates are '
            f"{listed(fit.spec.covariates)}), but {column} is empty for {listed(names)}, and the "
            "fitted models do not settle it. Fill it, or fit a spec with other covariates."
        )
    for kind in fit.transform.kinds:
        _refuse_level(kind, planned)


def _refuse_level(kind: FeatureKind, planned: xr.Dataset) -> None:
    """Refuse rows with a level of a reference-coded category that no fitted model has."""
    unknown = np.zeros(planned.sizes[MODEL], dtype=bool)
    for base in kind.bases() if isinstance(kind, Category) else ():
        unknown |= np.isnan(kind.raw(planned, base))
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise DataError(
            f'row {row} (model "{planned[MODEL].values[row]}"), column "{kind.name}": no fitted '
            f"model has this level; they have {listed(kind.feature.levels, 20)}. With "
            'coding="reference" the effect of another is not known; with coding="pooled" it is '
            "drawn from the population of levels."
        )


def _refuse_altered(fit: Fit, planned: xr.Dataset) -> None:
    """Refuse a row that carries a fitted model's name but not what was fitted of it."""
    scores = fit.scores
    known = set(scores.models)
    shared = [str(name) for name in planned[MODEL].values if str(name) in known]
    if not shared:
        return
    fitted, asked = scores.dataset.sel({MODEL: shared}), planned.sel({MODEL: shared})
    used = {kind.variable: kind.name for kind in fit.transform.kinds if kind.variable in planned}
    for variable, column in (_IDENTITY | used).items():
        if variable not in fitted:
            continue
        for model in shared:
            was, now = fitted[variable].sel({MODEL: model}), asked[variable].sel({MODEL: model})
            same = str(was.item()) == str(now.item())
            if not same and was.dtype.kind == "f":
                same = bool(np.isclose(float(was), float(now), rtol=1e-6, equal_nan=True))
            if not same:
                raise DataError(
                    f'Model "{model}", column "{column}": the fit has {was.item()}, this row '
                    f"{now.item()}. Give the fitted value, or another name to the model."
                )
