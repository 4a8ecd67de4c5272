"""A verb with a picture from outside the package: models by their mean expected score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from latentscale.extend import (
    BENCHMARK,
    DEFAULT_PROB,
    FITTED_RESIDUALS,
    MODEL,
    SAMPLE,
    VERBS,
    Fit,
    Picture,
    ReportSection,
    Result,
    Verb,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Podium(Result):
    """Mean expected scores over benchmarks, dims (sample, model)."""

    draws: xr.DataArray

    plot = Picture("podium_verb:plot_podium")

    @property
    def headline(self) -> str:
        return f"{self.table()['model'].iloc[0]} has the highest mean expected score"

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per model: model, median, lower, upper; the best first."""
        low, middle, high = self.draws.quantile(
            [(1 - prob) / 2, 0.5, (1 + prob) / 2], SAMPLE
        ).values
        columns = {"model": self.draws[MODEL].values, "median": middle, "lower": low, "upper": high}
        return pd.DataFrame(columns).sort_values("median", ascending=False, ignore_index=True)


def plot_podium(podium: Podium, *, rows: int = 3) -> Figure:
    """Draw the best models as bars."""
    from matplotlib.figure import Figure

    figure, best = Figure(), podium.table().head(rows)
    figure.subplots().barh(best["model"], best["median"])
    return figure


@VERBS.add
class PodiumVerb(Verb):
    """Which models are the best on average?"""

    name = "podium"
    example = "latentscale podium fit.nc --out podium.png --csv podium.csv"
    section = ReportSection("podium", "Podium")

    @staticmethod
    def function(fit: Fit) -> Podium:
        """Average each model's expected scores over benchmarks."""
        at = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals=FITTED_RESIDUALS)
        return Podium(at.mean.mean(BENCHMARK).transpose(SAMPLE, MODEL))
