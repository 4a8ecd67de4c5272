"""Few-shot: how given scores condition a forecast, and the effective sample size that remains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentscale.dims import DEFAULT_PROB
from latentscale.errors import FitError, listed
from latentscale.inference.method import Method
from latentscale.markup import call_text, counted
from latentscale.posterior.fit import Fit
from latentscale.result import Result
from latentscale.validate import plain_fields, real_number, truth, whole_number

IMPORTANCE = "importance resampling"
SAMPLER = "conditional sampler"
REFIT = "refit"

_DEGENERATE = ("refuse", "temper", "warn")


@dataclass(frozen=True)
class FewShot:
    """How new scores condition a forecast.

    Attributes
    ----------
    draws
        At most this many posterior draws are used, evenly spread; the forecast has as many.
    latents
        Number of candidate latents on every posterior draw.
    steps
        Steps of the conditional sampler after resampling, so that copies of a draw separate.
    min_ess
        Effective sample size below which the conditional sampler replaces importance resampling (or
        below a quarter of the draws, if that is less).
    sampler_only
        Whether to use the conditional sampler from the start.
    refit
        Method for an exact refit with the given scores added to the table, used where the weights
        of the posterior draws are degenerate: Pareto k above min(1 - 1 / log10(draws), 0.7), or an
        effective sample size below 50 (or below an eighth of the draws, if that is less). None
        leaves them to `degenerate`.
    degenerate
        What to do with degenerate weights without a refit. ``"refuse"`` raises an error.
        ``"temper"`` raises the weights to the largest power, below 1, that leaves enough draws:
        latents of the new rows are drawn given all scores on each posterior draw, while effects
        that all models share learn less from these scores than they should. Compared with refits,
        these intervals have about the right width, and medians are closer, but two standard
        deviations off where many scores are outlying (`benchmarks/few_shot`). ``"warn"`` uses the
        weights unchanged: medians can be equally far off, and intervals less than half as wide as
        they should be.

    Raises
    ------
    FitError
        If a field is out of range.

    Examples
    --------
    >>> ls.FewShot(draws=500)
    FewShot(draws=500, latents=8, steps=5, min_ess=400.0, sampler_only=False, refit=None,
        degenerate='refuse')
    """

    __repr__ = call_text

    draws: int = 2000
    latents: int = 8
    steps: int = 5
    min_ess: float = 400.0
    sampler_only: bool = False
    refit: Method | None = None
    degenerate: Literal["refuse", "temper", "warn"] = "refuse"

    @property
    def tempers(self) -> bool:
        """Whether degenerate weights are tempered rather than replaced by a refit.

        Examples
        --------
        >>> ls.FewShot(degenerate="temper").tempers
        True
        """
        return self.degenerate == "temper" and self.refit is None

    def __post_init__(self) -> None:
        plain_fields(self)
        for name in ("draws", "latents", "steps"):
            whole_number(getattr(self, name), f"FewShot.{name}", least=1, error=FitError)
        truth(self.sampler_only, "FewShot.sampler_only", error=FitError)
        real_number(self.min_ess, "FewShot.min_ess", above=0, error=FitError)
        if type(self.degenerate) is not str or self.degenerate not in _DEGENERATE:
            raise FitError(
                f"FewShot.degenerate must be one of {listed(_DEGENERATE)}; got "
                f"{self.degenerate!r}. To fit the scores instead, give FewShot.refit a method such "
                "as latentscale.NUTS()."
            )
        if self.refit is not None and not isinstance(self.refit, Method):
            raise FitError(
                f"FewShot.refit must be a method such as latentscale.NUTS(); got {self.refit!r}."
            )


@dataclass(frozen=True, repr=False)
class Conditioning(Result):
    """How a forecast was conditioned on scores, and its effective number of draws.

    Attributes
    ----------
    method
        ``"importance resampling"``, ``"conditional sampler"`` or ``"refit"``.
    n_scores
        Number of new scores.
    ess
        Effective number of posterior draws behind the forecast, by their weights; for a refit, the
        smallest over its parameters.
    pareto_k
        Pareto shape of the tail of the posterior draws' weights (PSIS). NaN if there are too few
        draws to estimate it, or no tail. For a refit: its value before the refit.
    index
        Posterior draw behind each sample of the forecast, as its coordinate ``sample``.
    fit
        The refit that the draws come from; None where they come from the original fit.
    power
        Power of the posterior draws' weights, to which `ess` and `pareto_k` refer; below 1 where
        they were tempered (`FewShot.degenerate`).

    Examples
    --------
    >>> forecast = ls.predict(fit, planned.assign(hellaswag=0.84), seed=1)
    >>> forecast.conditioning.n_scores
    1
    """

    method: str
    n_scores: int
    ess: float
    pareto_k: float
    index: npt.NDArray[np.int64] = field(repr=False)
    fit: Fit | None = field(default=None, repr=False)
    power: float = 1.0

    @property
    def headline(self) -> str:
        """How many scores were used, how, and the effective number of draws.

        Examples
        --------
        >>> forecast.conditioning.headline.partition(" (")[0]
        'Given 1 score'
        """
        power = f", weights to the power {self.power:.2f}" if self.power < 1 else ""
        scores = counted(self.n_scores, "score")
        return f"Given {scores} ({self.method}, ESS {self.ess:.0f}{power})"

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row: method, n_scores, ess, pareto_k, power.

        Parameters
        ----------
        prob
            Checked, as in every result; the table holds no interval.

        Returns
        -------
        pandas.DataFrame
            One row: how scores condition the forecast, their number, the effective number of
            posterior draws, Pareto k and the power of the weights.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> forecast.conditioning.table().columns.tolist()
        ['method', 'n_scores', 'ess', 'pareto_k', 'power']
        """
        names = ("method", "n_scores", "ess", "pareto_k", "power")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])
