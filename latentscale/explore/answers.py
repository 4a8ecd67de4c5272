"""What a fit says about one planned model: everything that the planner's page shows.

Nothing here depends on the page. Answers are kept, so that going back to an earlier state is quick.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.choices.next_benchmark import NextBenchmark, next_of_forecast
from latentscale.analysis.curves.curves import Curve, scaling_curve
from latentscale.analysis.curves.thresholds import signs
from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.predict import predict
from latentscale.analysis.tools.blocks import spread_draws
from latentscale.analysis.tools.summaries import quantiles
from latentscale.dims import BENCHMARK, MODEL, SAMPLE, interval_quantiles
from latentscale.errors import LatentscaleError
from latentscale.markup import on_screen
from latentscale.model.evaluate import FITTED_RESIDUALS
from latentscale.posterior.fit import Fit

_DRAWS: Final = 500
"""Posterior draws used: 90% intervals are then accurate to about 2% of their width, in a second."""
_KEPT: Final = 64
"""Answers kept: more than a person goes back to."""
_POINTS: Final = 25
"""Points of a curve: smooth at the width of a panel."""


@dataclass(frozen=True)
class Planned:
    """A planned model.

    Attributes
    ----------
    model, family
        Names.
    features
        Its features, by column.
    scores
        Its scores so far, by benchmark, in the benchmark's units.
    lineage
        Lineage of a new family; if empty, as in `latentscale.predict`.
    """

    model: str
    family: str
    features: Mapping[str, Any]
    scores: Mapping[str, float]
    lineage: str = ""

    @property
    def row(self) -> pd.DataFrame:
        """The row to forecast, as `latentscale.predict` takes it."""
        lineage = {"lineage": self.lineage} if self.lineage else {}
        cells = {"model": self.model, "family": self.family, **lineage}
        return pd.DataFrame([{**cells, **self.features, **self.scores}])

    @property
    def key(self) -> str:
        """A text that identifies the model."""
        return json.dumps(
            [self.model, self.family, self.lineage, dict(self.features), dict(self.scores)],
            default=str,
            sort_keys=True,
        )


@dataclass(frozen=True)
class Answer:
    """What the fit says about a planned model.

    Attributes
    ----------
    planned
        The model.
    forecast
        Its scores.
    index
        Draws of its index, dims (sample,): the mean over benchmarks of its expected score,
        standardised over the fitted models, with the sign reversed where lower is better. 0 is the
        average fitted model, 1 a standard deviation above.
    rank
        Draws of its rank among the fitted models by this index, 1 for the best.
    fitted
        Number of fitted models in the ranking.
    following
        Which benchmark to run next; None where none is left, or the fit has too few draws.
    why_none
        Why `following` is None.
    falling
        Benchmarks on which lower is better.
    """

    planned: Planned
    forecast: Forecast
    index: xr.DataArray
    rank: xr.DataArray
    fitted: int
    following: NextBenchmark | None
    why_none: str = ""
    falling: tuple[str, ...] = ()

    def passing(self, thresholds: Mapping[str, float], prob: float) -> pd.DataFrame:
        """Return forecasts with the probability that a new score reaches a threshold.

        At least the threshold, or at most where lower is better.

        Parameters
        ----------
        thresholds
            In the benchmarks' units, by benchmark; benchmarks without one have an empty cell.
        prob
            Probability of the intervals.
        """
        table = self.forecast.table(prob)
        table = on_screen(table[["benchmark", "unit", "median", "lower", "upper"]])
        draws = self.forecast.draws.isel({MODEL: 0})
        shares = {}
        for name, value in thresholds.items():
            scores = draws.sel({BENCHMARK: name})
            reached = scores <= value if name in self.falling else scores >= value
            shares[name] = float(reached.mean())
        return table.assign(
            measured=[self.planned.scores.get(name, np.nan) for name in table["benchmark"]],
            threshold=[thresholds.get(name, np.nan) for name in table["benchmark"]],
            probability=[shares.get(name, np.nan) for name in table["benchmark"]],
        )

    def standing(self, prob: float) -> str:
        """Return index and rank in a sentence, with intervals of probability `prob`."""
        ends = quantiles(self.index, prob)
        low, high = interval_quantiles(prob)
        places = self.rank.quantile([low, 0.5, high], SAMPLE, method="nearest").astype(int).values
        index = " to ".join(f"{float(ends[name]):.2f}" for name in ("lower", "upper"))
        return (
            f"Index {float(ends['median']):.2f} ({prob:.0%} interval {index}): standard deviations "
            f"above the average fitted model, over all benchmarks. Rank {places[1]} ({prob:.0%} "
            f"interval {places[0]} to {places[2]}) among {self.fitted} fitted models."
        )


class Planner:
    """Answers of a fit about one planned model after another.

    Parameters
    ----------
    fit
        A fit.
    seed
        Seed of the random numbers: the same model gives the same answer.
    """

    def __init__(self, fit: Fit, *, seed: int = 0) -> None:
        self.fit, self.seed = fit, seed
        self._few_shot = FewShot(draws=_DRAWS)
        self._answers: OrderedDict[str, Answer | LatentscaleError] = OrderedDict()
        self._curves: dict[str, Curve] = {}
        self._fitted: xr.DataArray | None = None

    def answer(self, planned: Planned) -> Answer:
        """Return what the fit says about a model.

        Raises
        ------
        LatentscaleError
            If the row cannot be forecast, or its scores leave too few draws.
        """
        key = planned.key
        if key not in self._answers:
            try:
                self._answers[key] = self._new(planned)
            except LatentscaleError as error:
                self._answers[key] = error
        self._answers.move_to_end(key)
        while len(self._answers) > _KEPT:
            self._answers.popitem(last=False)
        answer = self._answers[key]
        if isinstance(answer, LatentscaleError):
            raise answer
        return answer

    def curve(self, family: str) -> Curve:
        """Return the scaling curve of a fitted family, over the first covariate that has one.

        Raises
        ------
        LatentscaleError
            If the spec has no covariate to draw it along.
        """
        if family not in self._curves:
            self._curves[family] = scaling_curve(
                self.fit, family=family, points=_POINTS, seed=self.seed
            )
        return self._curves[family]

    def _new(self, planned: Planned) -> Answer:
        forecast = predict(
            self.fit, planned.row, seed=self.seed, few_shot=self._few_shot, draws=_DRAWS
        )
        index, rank = self._standing(forecast)
        try:
            following, why = next_of_forecast(self.fit, forecast), ""
        except LatentscaleError as error:
            following, why = None, str(error)
        count = len(self.fit.scores.models)
        sign = signs(self.fit)
        falling = tuple(str(name) for name in sign[BENCHMARK].values[sign.values < 0])
        return Answer(planned, forecast, index, rank, count, following, why, falling)

    def _standing(self, forecast: Forecast) -> tuple[xr.DataArray, xr.DataArray]:
        """Return a model's index and its rank among the fitted models, over the same draws."""
        fitted = self._expected().isel({SAMPLE: self._places(forecast)})
        centre = fitted.mean([SAMPLE, MODEL])
        spread = fitted.mean(SAMPLE).std(MODEL)
        usable = [str(b) for b in spread[BENCHMARK].values[np.asarray(spread > 0)]]
        spread = spread * signs(self.fit)  # more is better in every summand
        theirs = ((fitted - centre) / spread).sel({BENCHMARK: usable}).mean(BENCHMARK)
        mine = forecast.mean_draws.isel({MODEL: 0}, drop=True).transpose(SAMPLE, BENCHMARK)
        own = ((mine.drop_vars(SAMPLE) - centre) / spread).sel({BENCHMARK: usable}).mean(BENCHMARK)
        better = (theirs.drop_vars(SAMPLE) > own).sum(MODEL)
        return own, better + 1

    def _expected(self) -> xr.DataArray:
        """Return expected scores of the fitted models, dims (sample, model, benchmark)."""
        if self._fitted is None:
            fitted = self.fit.evaluator.at(
                self.fit.samples, self.fit.scores.dataset, residuals=FITTED_RESIDUALS
            )
            self._fitted = fitted.mean.transpose(SAMPLE, MODEL, BENCHMARK)
        return self._fitted

    def _places(self, forecast: Forecast) -> np.ndarray:
        """Return the posterior draw that each sample of the forecast rests on."""
        if forecast.conditioning is not None:
            return np.asarray(forecast.conditioning.index)
        return np.asarray(spread_draws(self.fit, _DRAWS))
