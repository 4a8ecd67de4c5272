"""A verb from outside the package: which model leads each benchmark, and with what probability."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from latentscale.extend import (
    BENCHMARK,
    FITTED_RESIDUALS,
    MODEL,
    SAMPLE,
    VERBS,
    Fit,
    FixedTable,
    ReportSection,
    Verb,
)


@dataclass(frozen=True, repr=False)
class Leaders(FixedTable):
    """The models that lead: benchmark, model, prob_first."""

    rows: pd.DataFrame

    @property
    def headline(self) -> str:
        first = self.rows["model"].mode().iloc[0]
        return f"{first} leads most of {self.rows['benchmark'].nunique()} benchmarks"


@VERBS.add
class LeadersVerb(Verb):
    """Which model leads each benchmark?"""

    name = "leaders"
    example = "latentscale leaders fit.nc --top 2 --out leaders.csv"
    section = ReportSection("leaders", "Leaders")

    @staticmethod
    def function(fit: Fit, *, top: int = 1) -> Leaders:
        """Return the models with the highest expected scores, and how often they are first.

        Parameters
        ----------
        fit
            A fit.
        top
            Models to name a benchmark.
        """
        at = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals=FITTED_RESIDUALS)
        first = at.mean == at.mean.max(MODEL)
        share = first.mean(SAMPLE).to_series().rename("prob_first").reset_index()
        best = share.sort_values([BENCHMARK, "prob_first"], ascending=[True, False])
        rows = best.groupby(BENCHMARK).head(top)[[BENCHMARK, MODEL, "prob_first"]]
        return Leaders(rows.reset_index(drop=True))
