"""`SensitivityGrid`: results of refits with other priors, other specs or fewer families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from latentscale.errors import (
    FitError,
)
from latentscale.markup import counted, on_screen
from latentscale.result import Picture, Result

BASE = "base"
"""Name of the unchanged spec or table."""
KEY = ["variable", "where"]
"""Columns that identify a quantity."""


@dataclass(frozen=True, repr=False)
class SensitivityGrid(Result, table_was_attribute=True):
    """Changes of parameters and forecasts in refits with other priors or specs.

    Attributes
    ----------
    rows
        One row per variant and quantity: variant, variable, where, median, lower, upper, change
        (of the median from the base), change_in_sd (in posterior standard deviations of the
        base), width_ratio (width of the interval over that of the base), max_rhat of the refit, and
        unit (of an expected score; empty for parameters). Rows of the base have a change of 0.
    variants
        Description of each variant.
    failed
        Variants that could not be fitted, with the reason.
    prob
        Probability of the interval lower to upper.

    Examples
    --------
    >>> priors = {"wide": {"intercept": {"dist": "Normal", "mu": 0, "sigma": 4}}}
    >>> grid = ls.studies.sensitivity_grid(
    ...     pooled.spec, pooled.scores, priors, method=ls.Laplace(draws=100), progress=False
    ... )
    >>> grid.table().columns.tolist()[:4]
    ['variant', 'variable', 'where', 'median']
    """

    rows: pd.DataFrame
    variants: Mapping[str, str]
    failed: Mapping[str, str]
    prob: float

    plot = Picture("plot_tornado")

    @property
    def largest(self) -> pd.DataFrame:
        """One row per quantity: the variants that change its median most, down and up.

        Examples
        --------
        >>> grid.largest["largest_in_sd"].is_monotonic_decreasing
        True
        """
        moved = self.rows[self.rows["variant"] != BASE]
        rows = []
        for (variable, where), of_quantity in moved.groupby(KEY, sort=False):
            low, high = of_quantity["change"].idxmin(), of_quantity["change"].idxmax()
            rows.append(
                {
                    "variable": variable,
                    "where": where,
                    "lowest": of_quantity.loc[low, "change"],
                    "lowest_variant": of_quantity.loc[low, "variant"],
                    "highest": of_quantity.loc[high, "change"],
                    "highest_variant": of_quantity.loc[high, "variant"],
                    "largest_in_sd": of_quantity["change_in_sd"].abs().max(),
                    "unit": of_quantity["unit"].iloc[0],
                }
            )
        changes = pd.DataFrame(rows)
        return changes.sort_values("largest_in_sd", ascending=False, ignore_index=True)

    @property
    def headline(self) -> str:
        """How many variants were fitted, and the largest change.

        Examples
        --------
        >>> grid.headline.partition(".")[0]
        '1 variant refitted'
        """
        worst = self.largest.iloc[0]
        place = f"{worst['variable']} [{worst['where']}]" if worst["where"] else worst["variable"]
        failed = f"; {len(self.failed)} failed" if self.failed else ""
        return (
            f"{counted(len(self.variants), 'variant')} refitted{failed}. "
            f"Largest change of a median: {place}, "
            f"{worst['largest_in_sd']:.2f} posterior standard deviations"
        )

    def table(self, prob: float | None = None) -> pd.DataFrame:
        """Return `rows`.

        Parameters
        ----------
        prob
            Probability of the intervals, as in the call, since draws of refits are not kept.

        Returns
        -------
        pandas.DataFrame
            A copy of `rows`: one row per variant and quantity.

        Raises
        ------
        FitError
            If `prob` differs from that of the call.
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> sorted(set(grid.table()["variant"]))
        ['base', 'wide']
        """
        if prob is not None and prob != self.prob:
            raise FitError(
                f"The intervals have probability {self.prob:g}, and the refits' draws are not "
                f"kept; give prob={prob:g} to the call that refits."
            )
        return self.rows.copy()

    def brief(self) -> pd.DataFrame:
        """Return the largest changes.

        Returns
        -------
        pandas.DataFrame
            As `largest`.

        Examples
        --------
        >>> grid.brief().columns.tolist()[:4]
        ['variable', 'where', 'lowest', 'lowest_variant']
        """
        return on_screen(self.largest)
