"""Forecast: scores of models that were not measured, with their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import logsumexp

from latentscale.analysis.forecasts.few_shot import Conditioning
from latentscale.analysis.tools.blocks import block_size, parts
from latentscale.analysis.tools.summaries import quantiles
from latentscale.analysis.tools.units import means_note, units_note, with_units
from latentscale.data.assumed_values import assumed_note
from latentscale.data.planned import ASSUMED
from latentscale.declare.likelihood import Noise
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    MODEL,
    SAMPLE,
)
from latentscale.errors import DataError, FitError, nearest
from latentscale.expect import expect
from latentscale.markup import counted, on_screen
from latentscale.maths import on_draws
from latentscale.model.likelihoods.beta import BetaNoise
from latentscale.model.noise import without_mean
from latentscale.result import Picture, Result
from latentscale.validate import real_number

_BETA = BetaNoise()
_SAME_ERROR = 1e-9
"""Relative difference within which two errors are equal: far above rounding error, far below the
precision of recorded scores."""
BRIEF_MODELS = 12
"""Models whose rows are shown in text and notebooks: as many as fit on a screen."""


@dataclass(frozen=True, repr=False)
class Forecast(Result):
    """Forecast scores of some models.

    Every array of draws has the coordinates sample, chain and draw, which identify the posterior
    draw of ``fit.samples`` that a row comes from. If scores condition the forecast, posterior draws
    repeat and their order changes, so match a forecast with other draws by ``sample``, not by
    position (xarray's arithmetic does this, and raises an error if it cannot).

    Attributes
    ----------
    draws
        New scores, noise included, fractions or in `units`; dims (sample, model, benchmark).
        Recorded as in the fitted table: rounded where the table rounds to two to four decimals, and
        exactly 0 or 1 within half an item of them.
    mean_draws
        Expected scores mu, without the noise of a single measurement; same dims. Under a
        likelihood on the logit scale (logit-normal, Student-t), and on scale ``"positive"``, mu is
        the median score.
    precision_draws
        Precision phi of the noise of a score; dims (sample, benchmark), and model where it
        depends on covariates.
    models
        The forecast rows: params (billions), tokens (trillions), instruct, family, lineage,
        ``basis`` (what the forecast is based on), ``extrapolates`` (covariates outside the fitted
        range; empty if none) and ``assumed`` (values that the row left out, taken from the fitted
        models; empty if none), dims (model,).
    is_posterior
        False if the fit is a point estimate: the draws then leave out the parameters'
        uncertainty.
    noise
        The likelihood, with what it needs in addition to mu and phi.
    skill_draws
        Latent skills of the models, dims (sample, model, skill); None for a spec without
        skills.
    conditioning
        How scores given for the rows were used, and the resulting effective sample size; None where
        no scores new to the fit were given.
    token_draws
        Training tokens (trillions) of rows that leave them empty, drawn from the prior or the
        posterior, dims (sample, model); None where all rows state them.
    no_skills
        Why a mixture of fits does not have `skill_draws`; empty otherwise.
    units
        Units of the benchmarks whose scores are not fractions, by name.

    Raises
    ------
    FitError
        If the arrays have different samples.

    Examples
    --------
    >>> forecast = ls.predict(fit, planned, seed=1)
    >>> forecast.draws.dims
    ('sample', 'model', 'benchmark')
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
                    f'The samples of "{named.name}" differ from the samples of the scores: all '
                    "arrays of a forecast need the same samples in the same order."
                )

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per model and benchmark.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval of a new score.

        Returns
        -------
        pandas.DataFrame
            Columns model, benchmark, mean, median, sd, lower, upper (of new scores, fractions or in
            `units`), basis, extrapolates and assumed (text, such as ``"instruct=1 (family)"``),
            and unit (of the scores; ``"fraction"`` or as in `units`). mean and sd are NaN for
            benchmarks in `without_mean`.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> table = forecast.table(prob=0.5)
        >>> table["benchmark"].tolist() == list(fit.scores.benchmarks)
        True
        """
        width = self.draws.sizes[SAMPLE] * self.draws.sizes[BENCHMARK]
        rows = parts(self.draws.sizes[MODEL], width, block_size(self.draws.size))
        wide = pd.concat([self._summaries(some, prob) for some in rows])
        table = wide.reset_index()
        names = ["basis", "extrapolates", ASSUMED]
        words = with_assumed(self.models)[names].to_dataframe()[names]
        return with_units(table.join(words, on=MODEL), self.units)

    def trust(self, points: float = 5.0) -> pd.DataFrame:
        """Return how certain each forecast is: the probability that its error is below `points`.

        The error is the distance of a new score, its noise included, from the forecast's median.

        Parameters
        ----------
        points
            The error, in percentage points for fractions, and in the units of a benchmark in
            `units`, such as Elo or minutes.

        Returns
        -------
        pandas.DataFrame
            One row per model and benchmark, the most certain first: model, benchmark, median, unit
            (of the median, as in `table`) and trust, the probability.

        Raises
        ------
        FitError
            If `points` is not a number above 0.

        Examples
        --------
        >>> rows = fit.scores.to_frame()[["model", "family", "params_b", "tokens_t"]].head(1)
        >>> ls.predict(fit, rows, seed=1).trust(points=5).columns.tolist()
        ['model', 'benchmark', 'median', 'unit', 'trust']
        """
        points = real_number(points, "points", above=0, error=FitError)
        names = [str(name) for name in self.draws[BENCHMARK].values]
        reach = [points if name in self.units else points / 100 for name in names]
        # Recorded scores are multiples of 0.01: an error of exactly 5 points must be 5 on both
        # sides of the median, whatever 0.60 - 0.55 is in binary.
        reach = [size * (1 - _SAME_ERROR) for size in reach]
        within = xr.DataArray(reach, {BENCHMARK: names}, (BENCHMARK,))
        median = self.draws.median(SAMPLE)
        columns = xr.Dataset(
            {"median": median, "trust": (abs(self.draws - median) < within).mean(SAMPLE)}
        )
        table = columns.to_dataframe(dim_order=[MODEL, BENCHMARK])[
            ["median", "trust"]
        ].reset_index()
        table = with_units(table, self.units)[[MODEL, BENCHMARK, "median", "unit", "trust"]]
        return table.sort_values("trust", ascending=False, kind="stable").reset_index(drop=True)

    def log_score(self, score: xr.DataArray) -> xr.DataArray:
        """Return the log predictive density of measured scores.

        Parameters
        ----------
        score
            Fractions strictly inside (0, 1), others in their own units, dims (model, benchmark),
            of models and benchmarks of the forecast; NaN gives NaN.

        Returns
        -------
        xarray.DataArray
            Natural logarithms of the mean density over draws, dims (model, benchmark); per unit of
            a benchmark whose scores are not fractions.

        Raises
        ------
        DataError
            If `score` is not an array with these dims, names another model or benchmark, or holds a
            score that the likelihood does not allow.

        Examples
        --------
        >>> forecast = ls.predict(fit, planned, seed=1)
        >>> score = forecast.draws.median("sample")
        >>> forecast.log_score(score).dims
        ('model', 'benchmark')
        """
        expect(score, xr.DataArray, "score", "dims (model, benchmark)")
        for dim in (MODEL, BENCHMARK):
            known = [str(name) for name in self.draws[dim].values]
            for name in np.atleast_1d(score[dim].values) if dim in score.coords else ():
                if str(name) not in known:
                    raise DataError(
                        f'score: {dim} "{name}" is not in the forecast.{nearest(str(name), known)}'
                    )
        density = self._log_mean_density(score)
        undefined = ~xr.apply_ufunc(np.isfinite, density) & score.notnull()
        odd = np.argwhere(undefined.transpose(*density.dims).values)
        if len(odd):
            first = density.isel(dict(zip(density.dims, map(int, odd[0]), strict=True)))
            names = {dim: first[dim].item() for dim in density.dims}
            raise DataError(
                "score: "
                + ", ".join(f'{dim} "{name}"' for dim, name in names.items())
                + f": {float(score.broadcast_like(density).sel(names)):g} is not a score that the "
                "likelihood allows; fractions lie strictly between 0 and 1."
            )
        return density

    def _log_mean_density(self, score: xr.DataArray) -> xr.DataArray:
        """Return the log of the draws' mean density, models block by block; NaN where undefined."""
        mean, rows = self.mean_draws, [slice(None)]
        if MODEL in score.dims:
            mean = mean.sel({MODEL: score[MODEL].values})
            width = mean.sizes[SAMPLE] * mean.sizes[BENCHMARK]
            rows = list(parts(mean.sizes[MODEL], width, block_size(mean.size)))
        blocks = []
        for some in rows:
            with np.errstate(invalid="ignore", divide="ignore"):
                density = self.noise.log_density(
                    score.isel({MODEL: some}, missing_dims="ignore"),
                    mean.isel({MODEL: some}),
                    self.precision_draws,
                )
                blocks.append(on_draws(density).reduce(logsumexp, SAMPLE))
        joined = xr.concat(blocks, MODEL) if len(blocks) > 1 else blocks[0]
        return joined.transpose(*blocks[0].dims) - np.log(mean.sizes[SAMPLE])

    plot = Picture("plot_forecast")

    @property
    def headline(self) -> str:
        """The numbers of models, benchmarks and draws, and what the draws are based on.

        Examples
        --------
        >>> forecast.headline
        'Forecast of 1 model on 6 benchmarks, 800 draws'
        """
        sizes = self.draws.sizes
        given = self.conditioning
        scores = (
            ""
            if given is None
            else f" given {counted(given.n_scores, 'score')} ({given.method}, ESS {given.ess:.0f})"
        )
        drawn = self.token_draws
        tokens = "" if drawn is None else f", tokens of {drawn.sizes[MODEL]} drawn,"
        without = f"; no skills: {self.no_skills}" if self.no_skills else ""
        return (
            f"Forecast of {counted(sizes[MODEL], 'model')} on "
            f"{counted(sizes[BENCHMARK], 'benchmark')}{scores},{tokens} "
            f"{sizes[SAMPLE]} draws{without}"
            + units_note(self.units, map(str, self.draws[BENCHMARK].values))
            + means_note(self.without_mean)
        )

    @property
    def without_mean(self) -> tuple[str, ...]:
        """Benchmarks with a median and an interval in tables, but without mean and sd.

        These have scale ``"positive"`` and a likelihood with heavy tails. Their scores are
        exponentials of heavy-tailed variables, so a few of the largest draws determine the mean and
        the standard deviation, however many draws there are.

        Examples
        --------
        >>> forecast.without_mean
        ()
        """
        return without_mean(self.noise)

    @property
    def notes(self) -> tuple[str, ...]:
        """The fit's status if it is not fine, and values assumed where rows left them out.

        Examples
        --------
        >>> ls.predict(fit, planned, seed=1).notes[-1].partition(";")[0]
        'Left out and assumed: instruct=0 (family) in 1 of 1 row'
        """
        return (*super().notes, *assumed_note(with_assumed(self.models)[ASSUMED].values.tolist()))

    def brief(self) -> pd.DataFrame:
        """Return the table of the first models, without empty columns.

        Returns
        -------
        pandas.DataFrame
            As in `table`, for the first models, without columns that are empty.

        Examples
        --------
        >>> forecast.brief()["model"].unique().tolist()
        ['qwen2-30b']
        """
        wide = self._summaries(slice(BRIEF_MODELS), DEFAULT_PROB)
        names = ["basis", "extrapolates", ASSUMED]
        words = with_assumed(self.models)[names].to_dataframe()[names]
        return brief_rows(with_units(wide.reset_index().join(words, on=MODEL), self.units))

    def _summaries(self, models: slice, prob: float) -> pd.DataFrame:
        """Return the summaries in `table` for some models, indexed by model and benchmark."""
        draws = self.draws.isel({MODEL: models})
        ends, known = quantiles(draws, prob), ~draws[BENCHMARK].isin(self.without_mean)
        columns = {
            "mean": draws.mean(SAMPLE).where(known),
            "median": ends["median"],
            "sd": draws.std(SAMPLE, ddof=1).where(known),
            "lower": ends["lower"],
            "upper": ends["upper"],
        }
        return xr.Dataset(columns).to_dataframe(dim_order=[MODEL, BENCHMARK])[list(columns)]


def brief_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a forecast's table as shown in text and notebooks: without empty columns."""
    shown = on_screen(table)
    empty = [name for name in ("extrapolates", ASSUMED) if not shown[name].any()]
    return shown.drop(columns=empty)


def with_assumed(models: xr.Dataset) -> xr.Dataset:
    """Return models with a variable ``assumed``, empty for rows that were not read from a table."""
    if ASSUMED in models:
        return models
    return models.assign({ASSUMED: (MODEL, np.full(models.sizes[MODEL], ""))})
