"""Explanation: the parts of a forecast, the sources of its variance, and the pull of each score."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.parts import PART
from latentscale.analysis.forecasts.pulls import ALL, GIVEN, GIVEN_SCORE
from latentscale.analysis.forecasts.sources import SOURCE
from latentscale.analysis.tools.summaries import summary
from latentscale.analysis.tools.units import shown_score, stated_unit, units_note, with_units
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL, SAMPLE
from latentscale.errors import FitError
from latentscale.markup import counted, on_screen
from latentscale.result import Picture, Result

LEVEL = "benchmark level"
"""The row of `Explanation.table` with the average fitted model."""
_CASE = [MODEL, BENCHMARK]
_CHANGE = {"median": "change", "lower": "change_lower", "upper": "change_upper"}


@dataclass(frozen=True, repr=False)
class Explanation(Result):
    """The level, the variance and the given scores behind each forecast.

    Attributes
    ----------
    part_draws
        Parts of the linear predictor, on the link's scale: the contribution of a component or a
        covariate for the row minus its mean over the fitted models, draw by draw; dims
        (sample, model, benchmark, part).
    level_draws
        The linear predictor of the average fitted model; dims (sample, benchmark). Adding the sum
        of the parts gives the row's linear predictor.
    change_draws
        The expected score minus the expected score with only that part set to 0, in the units of
        the scores; dims as `part_draws`. Changes do not add up, since the link is not linear.
    level_score_draws
        The expected score of the average fitted model; dims (sample, benchmark).
    shares
        Shares of the variance of a new score by source; dims (model, benchmark, source). They sum
        to 1.
    pulls
        Variables ``pull`` (the median of the expected score minus the median without a given
        score), ``median`` (without it) and ``se`` (Monte Carlo standard error of the pull); dims
        (given, model, benchmark), in the units of the scores. The last entry along given leaves out
        all given scores. None if no scores were given or pulls were not requested.
    forecast
        The explained forecast, as `latentscale.predict` returns it with the same seed.
    advice
        Results that were left out, and how to get them.

    Raises
    ------
    FitError
        If the parts and the forecast have different samples.

    Examples
    --------
    >>> explanation = ls.studies.explain(fit, planned, "mmlu", seed=1)
    >>> explanation.part_draws.dims
    ('sample', 'model', 'benchmark', 'part')
    """

    part_draws: xr.DataArray
    level_draws: xr.DataArray
    change_draws: xr.DataArray
    level_score_draws: xr.DataArray
    shares: xr.DataArray
    pulls: xr.Dataset | None
    forecast: Forecast
    advice: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not np.array_equal(self.part_draws[SAMPLE].values, self.forecast.draws[SAMPLE].values):
            raise FitError("The parts of an explanation need the samples of its forecast.")

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return the parts of each forecast's level, one row per part.

        The first row of a model and benchmark is the benchmark's level: the average fitted model.

        Parameters
        ----------
        prob
            Probability of the equal-tailed intervals.

        Returns
        -------
        pandas.DataFrame
            Columns model, benchmark, part, mean, lower, upper (on the link's scale, relative to the
            average fitted model), change, change_lower, change_upper (median and interval of that
            part's change of the expected score, in its units; missing for the level), and unit.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> explanation.table()["part"].tolist()[:3]
        ['benchmark level', 'log_params', 'log_tokens']
        """
        columns = [*_CASE, PART]
        changes = summary(self.change_draws.transpose(SAMPLE, *columns), prob)
        table = _means(self._predictor(), prob).merge(
            changes.rename(columns=_CHANGE), on=columns, how="left"
        )
        return with_units(table, self.forecast.units)

    def shares_table(self) -> pd.DataFrame:
        """Return the sources of each forecast's variance, one row per source.

        Returns
        -------
        pandas.DataFrame
            Columns model, benchmark, source, share (of the variance, or of that of log scores where
            these are modelled; shares sum to 1), and sd: the standard deviation of a new score from
            all sources together, NaN for benchmarks in the forecast's `without_mean`.

        Examples
        --------
        >>> round(float(explanation.shares_table()["share"].sum()), 6)
        1.0
        """
        names = self.shares[BENCHMARK].values
        spread = self.forecast.draws.sel({BENCHMARK: names}).std(SAMPLE, ddof=1)
        spread = spread.where(~spread[BENCHMARK].isin(self.forecast.without_mean))
        table = _rows(self.shares, "share")
        table = table.merge(_rows(spread, "sd"), on=_CASE)
        return with_units(table, self.forecast.units)

    def pulls_table(self) -> pd.DataFrame:
        """Return how far each given score moves each forecast, one row per score.

        Returns
        -------
        pandas.DataFrame
            Columns model, benchmark (of the forecast), given (the score that is left out; all
            scores in the last row), score, median (of the expected score without it), pull (the
            median with all given scores minus that median), se (Monte Carlo standard error of the
            pull) and unit (of the forecast). Missing where weights are degenerate without the
            score; empty if there are no pulls.

        Examples
        --------
        >>> explanation.pulls_table().columns.tolist()
        ['model', 'benchmark', 'given', 'score', 'median', 'pull', 'se', 'unit']
        """
        names = [*_CASE, GIVEN, "score", "median", "pull", "se"]
        if self.pulls is None:
            return with_units(pd.DataFrame(columns=names), self.forecast.units)
        scores = dict(zip(self.pulls[GIVEN].values, self.pulls[GIVEN_SCORE].values, strict=True))
        table = self.pulls.to_dataframe(dim_order=[*_CASE, GIVEN]).reset_index()
        table = table.assign(score=[scores[name] for name in table[GIVEN]])
        return with_units(table[names], self.forecast.units)

    plot = Picture("plot_explanation")

    @property
    def headline(self) -> str:
        """What is explained; for a single forecast also the largest part and source of variance.

        Examples
        --------
        >>> explanation.headline.partition(":")[0]
        'Explanation of 1 model on 1 benchmark, 800 draws'
        """
        sizes = self.part_draws.sizes
        head = (
            f"Explanation of {counted(sizes[MODEL], 'model')} on "
            f"{counted(sizes[BENCHMARK], 'benchmark')}, {sizes[SAMPLE]} draws"
        )
        names = [str(name) for name in self.part_draws[BENCHMARK].values]
        if sizes[MODEL] > 1 or sizes[BENCHMARK] > 1:
            return head + units_note(self.forecast.units, names)
        return f"{head}: {self._in_words(names[0])}"

    @property
    def notes(self) -> tuple[str, ...]:
        """The forecast's notes: the status of its fit, and values assumed where rows left them out.

        Examples
        --------
        >>> explanation.notes == explanation.forecast.notes
        True
        """
        return self.forecast.notes

    def brief(self) -> pd.DataFrame:
        """Return the table of the parts.

        Returns
        -------
        pandas.DataFrame
            As from `table`, without units if all scores are fractions.

        Examples
        --------
        >>> explanation.brief()["model"].unique().tolist()
        ['qwen2-30b']
        """
        return on_screen(self.table())

    def _in_words(self, benchmark: str) -> str:
        """Describe the single forecast in words."""
        unit = self.forecast.units.get(benchmark)
        median = float(self.forecast.draws.sel({BENCHMARK: benchmark}).median())
        average = float(self.level_score_draws.mean())
        texts = [
            f"forecast {shown_score(median, unit, 1)}, average fitted model "
            f"{shown_score(average, unit, 1)}"
        ]
        if self.part_draws.sizes[PART]:
            change = self.change_draws.median(SAMPLE).squeeze(_CASE, drop=True)
            largest = change[int(np.argmax(abs(change.values)))]
            texts.append(f"most by {largest[PART].item()} ({_moved(float(largest), unit)})")
        share = self.shares.squeeze(_CASE, drop=True)
        source = share[int(np.argmax(share.values))]
        texts.append(f"variance mostly of {source[SOURCE].item()} ({float(source):.0%})")
        if self.pulls is not None:
            pull = float(self.pulls["pull"].sel({GIVEN: ALL}).squeeze())
            texts.append(f"given scores move it by {_moved(pull, unit)}")
        return "; ".join(texts)

    def _predictor(self) -> xr.DataArray:
        """Return the level and the parts as one array, dims (sample, model, benchmark, part)."""
        level = self.level_draws.expand_dims({MODEL: self.part_draws[MODEL].values, PART: [LEVEL]})
        return xr.concat([level, self.part_draws], dim=PART, coords="minimal", compat="override")


def _moved(change: float, unit: str | None) -> str:
    """Return a change of a score as text, in points for fractions (no unit)."""
    if unit is None:
        return f"{100 * change:+.1f} points"
    return f"{change:+.4g} {stated_unit(unit)}".rstrip()


def _means(draws: xr.DataArray, prob: float) -> pd.DataFrame:
    """Return mean, lower and upper of draws, one row per model, benchmark and part."""
    order = [*_CASE, PART]
    table = summary(draws.transpose(SAMPLE, *order), prob).drop(columns="median")
    means = draws.mean(SAMPLE).transpose(*order).to_series().rename("mean")
    return table.join(means, on=order)[[*order, "mean", "lower", "upper"]]


def _rows(values: xr.DataArray, name: str) -> pd.DataFrame:
    """Return one row per element, in the order of the array's dims."""
    return values.rename(name).to_dataframe().reset_index()[[*map(str, values.dims), name]]
