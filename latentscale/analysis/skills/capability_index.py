"""Capability index: one number per model, on a scale fixed by anchor models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import rankdata, spearmanr

from latentscale.analysis.tools.summaries import summary
from latentscale.data.frames import AnyFrame, as_pandas, is_frame
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL, SAMPLE, interval_quantiles
from latentscale.errors import DataError, FitError, listed, nearest
from latentscale.expect import expect, shown
from latentscale.markup import counted
from latentscale.model.evaluate import FITTED_RESIDUALS
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import is_number

_SAME = 1e-9
"""Relative difference within which the anchors' predictors are equal up to rounding error."""
_FEWEST_COMMON = 3
"""Fewest models that two indices must have in common: two are always perfectly correlated."""
_COLUMNS = ("model", "index")
"""Columns of a table with another index."""


@dataclass(frozen=True, repr=False)
class CapabilityIndex(Result):
    """An index of general capability for every fitted model, as draws.

    Attributes
    ----------
    draws
        The index, dims (sample, model).
    anchors
        The models that fix the scale, with their values.
    weights
        Coefficient of each benchmark's linear predictor in the index, dims (benchmark,).
    is_posterior
        False if the fit is a point estimate; tables then hold no intervals and no probabilities.

    Examples
    --------
    >>> index = ls.capability_index(dated, anchors={"acme-1": 100, "delta-1": 90})
    >>> index.ranks.dims
    ('sample', 'model')
    """

    draws: xr.DataArray
    anchors: Mapping[str, float]
    weights: xr.DataArray
    is_posterior: bool = True

    plot = Picture("plot_capability_index")

    @property
    def headline(self) -> str:
        """The best model, and its interval.

        Examples
        --------
        >>> index.headline.partition(":")[0]
        'Capability index of 32 models on the scale on which acme-1 = 100 and delta-1 = 90'
        """
        first = self.table().iloc[0]
        scale = " and ".join(f"{name} = {value:g}" for name, value in self.anchors.items())
        ends = f"({first['lower']:.1f} to {first['upper']:.1f})"
        return (
            f"Capability index of {self.draws.sizes[MODEL]} models on the scale on which {scale}: "
            f"{first['model']} leads with {first['median']:.1f} "
            + (ends if self.is_posterior else "(a point estimate, without an interval)")
        )

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per model, the best first.

        Parameters
        ----------
        prob
            Probability of the equal-tailed intervals of the index and the rank.

        Returns
        -------
        pandas.DataFrame
            Columns model, median, lower, upper (on the scale of the anchors), rank (median over
            draws; 1 is the best), rank_lower, rank_upper and probability_best.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> index.table(prob=0.5).columns.tolist()[:6]
        ['model', 'median', 'lower', 'upper', 'rank', 'rank_lower']
        """
        table = summary(self.draws.rename("index"), prob, is_posterior=self.is_posterior)
        rank = self.ranks
        low, high = interval_quantiles(prob)
        places = rank.quantile([low, 0.5, high], dim=SAMPLE, method="nearest").astype(int)
        table = table.assign(
            rank=places.isel(quantile=1).values,
            rank_lower=places.isel(quantile=0).values,
            rank_upper=places.isel(quantile=2).values,
            probability_best=(rank == 1).mean(SAMPLE).values,
        )
        if not self.is_posterior:
            table[["rank_lower", "rank_upper", "probability_best"]] = np.nan
        return table.sort_values("median", ascending=False, kind="stable").reset_index(drop=True)

    def brief(self) -> pd.DataFrame:
        """Return the table without the ranks' intervals.

        Returns
        -------
        pandas.DataFrame
            One row per model, the best first.

        Examples
        --------
        >>> index.brief().columns.tolist()
        ['model', 'median', 'lower', 'upper', 'rank', 'probability_best']
        """
        return self.table().drop(columns=["rank_lower", "rank_upper"])

    @property
    def ranks(self) -> xr.DataArray:
        """The rank of each model, 1 for the best, dims (sample, model).

        Examples
        --------
        >>> int(index.ranks.min()), int(index.ranks.max()) == len(dated.scores.models)
        (1, True)
        """
        order = rankdata(-self.draws.transpose(SAMPLE, MODEL).values, axis=1, method="min")
        return self.draws.transpose(SAMPLE, MODEL).copy(data=order.astype(int))

    def probability_above(self, first: str, second: str) -> float:
        """Return the probability that the first model is more capable than the second.

        Parameters
        ----------
        first, second
            Names of fitted models.

        Returns
        -------
        float
            A share of the draws, in [0, 1].

        Raises
        ------
        DataError
            If a model was not fitted.
        FitError
            If the fit is a point estimate.

        Examples
        --------
        >>> index = ls.capability_index(dated, anchors={"acme-1": 100, "delta-1": 90})
        >>> index.probability_above("acme-8", "acme-1") > 0.9
        True
        """
        a, b = (self._of(name) for name in (first, second))
        if not self.is_posterior:
            raise FitError(
                "This index comes from a point estimate, which has no probabilities; fit with NUTS."
            )
        return float((a > b).mean())

    def agreement(self, published: Mapping[str, float] | pd.Series | AnyFrame) -> pd.Series:
        """Return how well another index agrees with this one on the models in both.

        Parameters
        ----------
        published
            The other index: a mapping or a Series of values by model, or a table with the columns
            model and index, such as the Epoch Capabilities Index as
            ``readers.epoch_index`` returns it.

        Returns
        -------
        pandas.Series
            models (in common), correlation, rank_correlation (Spearman), mean_abs_difference
            and covered_90 (share of published values inside this index's 90% interval, NaN for a
            point estimate). The last two are useful if both indices are on one scale. An index with
            the same value for all models in common is refused, since its correlations are
            undefined.

        Raises
        ------
        DataError
            If `published` is none of these, names a model twice, has a value that is not a number,
            or has fewer than three models in common with this index.

        Examples
        --------
        >>> index = ls.capability_index(dated, anchors={"acme-1": 100, "delta-1": 90})
        >>> other = index.table().set_index("model")["median"] + 1
        >>> round(float(index.agreement(other)["correlation"]), 2)
        1.0
        """
        values = _checked_published(published)
        common = [str(m) for m in self.draws[MODEL].values if str(m) in values]
        if len(common) < _FEWEST_COMMON:
            raise DataError(
                f"The two indices have {counted(len(common), 'model')} in common; at least "
                f"{_FEWEST_COMMON} are needed, named alike. The fit has "
                f"{listed(self.draws[MODEL].values)}, the other index {listed(values) or 'none'}."
            )
        theirs = np.array([values[name] for name in common])
        ours = self.draws.sel({MODEL: common})
        median = ours.median(SAMPLE).values
        low, high = interval_quantiles(DEFAULT_PROB)
        lower, upper = (ours.quantile(q, SAMPLE).values for q in (low, high))
        for which, known in (("other index", theirs), ("index of this fit", median)):
            if np.ptp(known) == 0:
                raise DataError(
                    f"The {which} is {known[0]:g} for all {len(common)} models in common, so its "
                    "correlation with another is not defined. Give values that differ."
                )
        return pd.Series(
            {
                "models": len(common),
                "correlation": float(np.corrcoef(median, theirs)[0, 1]),
                "rank_correlation": float(spearmanr(median, theirs).statistic),
                "mean_abs_difference": float(np.abs(median - theirs).mean()),
                "covered_90": float(np.mean((theirs >= lower) & (theirs <= upper)))
                if self.is_posterior
                else np.nan,
            },
            name="agreement",
        )

    def _of(self, name: str) -> xr.DataArray:
        names = [str(m) for m in self.draws[MODEL].values]
        if name not in names:
            raise DataError(f'Model "{name}" was not fitted.' + nearest(str(name), names))
        return self.draws.sel({MODEL: name}, drop=True)


def capability_index(fit: Fit, *, anchors: Mapping[str, float] | pd.Series) -> CapabilityIndex:
    """Return one number per model: its mean linear predictor over benchmarks, rescaled.

    The linear predictors of each benchmark are divided by their standard deviation over the fitted
    models, so that every benchmark has equal weight, and averaged; with one skill this is the skill
    itself up to scale. On the scale of the index, the anchors' posterior means have the given
    values (by least squares for more than two anchors). Skills may be free: a rotation changes
    nothing.

    Parameters
    ----------
    fit
        A fit with skills or other effects of models.
    anchors
        Values of two models or more, such as ``{"Claude 3.5 Sonnet": 130, "GPT-5": 150}``, the
        anchors of the Epoch Capabilities Index. A mapping or a Series by model.

    Returns
    -------
    CapabilityIndex
        Draws of the index, with ranks and their probabilities.

    Raises
    ------
    DataError
        If there are fewer than two anchors, or anchors were not fitted, are named twice, have
        equal values, are equally capable under the fit, or are in the order opposite to the fit's.
    FitError
        If no benchmark differs between models.

    References
    ----------
    Ho et al. 2025 (arXiv:2512.00193), whose index is the one skill of a logistic model.

    Examples
    --------
    >>> anchors = {"acme-1": 100, "borealis-2": 120}
    >>> index = ls.capability_index(dated, anchors=anchors)
    >>> index.table().columns.tolist()[:5]
    ['model', 'median', 'lower', 'upper', 'rank']
    """
    expect(fit, Fit, "fit")
    values = _checked_anchors(anchors, fit)
    draws = fit.samples
    eta = fit.evaluator.at(draws, fit.scores.dataset, residuals=FITTED_RESIDUALS).eta
    eta = eta.transpose(SAMPLE, MODEL, BENCHMARK)
    spread = eta.mean(SAMPLE).std(MODEL)
    if not bool((spread > 0).any()):
        raise FitError(
            "The models of this fit do not differ on any benchmark, so there is no index."
        )
    weights = (1 / spread.where(spread > 0)).fillna(0.0) / int((spread > 0).sum())
    plain = (eta * weights).sum(BENCHMARK)
    names = list(values)
    there = plain.mean(SAMPLE).sel({MODEL: names}).values
    wanted = np.array([values[name] for name in names])
    if np.ptp(there) <= _SAME * np.abs(there).max():
        raise DataError(
            f"The anchors {listed(names)} are equally capable under this fit, so their values do "
            "not fix a scale. Name models that differ in their scores, family or features."
        )
    slope, start = np.polyfit(there, wanted, 1)
    if not slope > 0:
        given = ", ".join(f"{name} = {value:g}" for name, value in values.items())
        raise DataError(
            f"The anchors {given} are in the order opposite to the fit's. Give values that rise "
            "with capability."
        )
    scaled = (start + slope * plain).rename("index")
    return CapabilityIndex(
        draws=scaled,
        anchors=values,
        weights=(slope * weights).rename("weight"),
        is_posterior=fit.is_posterior,
        fit_status=fit.status.caveat,
    )


def _checked_published(published: object) -> dict[str, float]:
    """Return the values of another index by model."""
    if not isinstance(published, Mapping | pd.Series) and is_frame(published):
        frame = as_pandas(published, "published")
        if absent := [name for name in _COLUMNS if name not in frame]:
            raise DataError(
                f"published: the columns {listed(absent)} are missing; it has "
                f"{listed(frame.columns) or 'none'}. Rename its columns to model and index, as in "
                "what readers.epoch_index returns."
            )
        published = frame.set_index("model")["index"]
    if not isinstance(published, Mapping | pd.Series):
        raise DataError(
            "published must be values by model: a mapping such as {'GPT-5': 150}, a Series, or a "
            "table with the columns model and index, such as what readers.epoch_index returns; got "
            f"{shown(published)}."
        )
    values: dict[str, float] = {}
    for name, value in published.items():
        if not is_number(value):
            raise DataError(
                f'The published index of "{name}" is not a number: {value!r}. Leave the model out.'
            )
        if str(name) in values:
            raise DataError(
                f'The published index has several values of "{name}". Keep one, or take their mean.'
            )
        values[str(name)] = float(value)
    return values


def _checked_anchors(anchors: object, fit: Fit) -> dict[str, float]:
    first, last = fit.scores.models[0], fit.scores.models[-1]
    example = f'"{first}": 130, "{last}": 150'
    if not isinstance(anchors, Mapping | pd.Series):
        raise DataError(
            f"anchors must be values by model, such as {{{example}}}, as a mapping or a Series; "
            f"got {shown(anchors)}."
        )
    values: dict[str, float] = {}
    for name, value in anchors.items():
        if name not in fit.scores.models:
            raise DataError(
                f'anchors: model "{name}" was not fitted.{nearest(str(name), fit.scores.models)}'
            )
        if not is_number(value):
            raise DataError(f'anchors: the value of "{name}" must be a number; got {value!r}.')
        if str(name) in values:
            raise DataError(f'anchors: "{name}" has several values; keep one.')
        values[str(name)] = float(value)
    if len(set(values.values())) < 2:
        raise DataError(
            f"anchors must give two models or more different values, such as {{{example}}}; "
            f"got {values!r}."
        )
    return values
