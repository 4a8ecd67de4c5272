"""Undisclosed: unpublished training tokens, estimated from the models' scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.tools.summaries import summary
from latentscale.declare.prior import Prior
from latentscale.dims import DEFAULT_PROB, FAMILY, MODEL, UNDISCLOSED
from latentscale.errors import SpecError
from latentscale.expect import expect
from latentscale.markup import counted
from latentscale.model.undisclosed import LOG_TOKENS
from latentscale.posterior.fit import Fit
from latentscale.result import Result


@dataclass(frozen=True, repr=False)
class Undisclosed(Result):
    """Training tokens of fitted models that do not disclose them.

    Attributes
    ----------
    draws
        Trillions of tokens, dims (sample, model).
    about
        Family and params (billions) of the models, dims (model,).
    prior
        Prior of the natural log of trillions of tokens.
    is_posterior
        False if the fit is a point estimate; the table then holds no intervals.

    Examples
    --------
    >>> frame = fit.scores.to_frame()
    >>> frame.loc[frame["model"] == "opt-6.7b", "tokens_t"] = None
    >>> spec = pooled.spec.with_({"undisclosed": {"kind": "estimated"}})
    >>> method = ls.NUTS(draws=100, tune=100, chains=2, cores=1)
    >>> scores = ls.Scores.from_frame(frame)
    >>> partly = ls.fit(spec, scores, method=method, seed=1, progress=False)
    >>> tokens = ls.studies.undisclosed(partly)
    >>> tokens.table()["model"].tolist()
    ['opt-6.7b']
    """

    draws: xr.DataArray
    about: xr.Dataset
    prior: Prior
    is_posterior: bool = True

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per model: model, family, params, and median, lower, upper of its tokens.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Sizes in billions of parameters, tokens in trillions.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> tokens.table(prob=0.5).columns.tolist()
        ['model', 'family', 'params', 'median', 'lower', 'upper']
        """
        tokens = summary(self.draws, prob, is_posterior=self.is_posterior)
        about = self.about.to_dataframe()[[FAMILY, "params"]]
        ends = ["median", "lower", "upper"]
        return tokens.join(about, on=MODEL)[[MODEL, FAMILY, "params", *ends]]

    @property
    def headline(self) -> str:
        """The number of models, and the prior.

        Examples
        --------
        >>> tokens.headline.partition(";")[0]
        'Undisclosed training tokens of 1 model (trillions)'
        """
        return (
            f"Undisclosed training tokens of {counted(self.draws.sizes[MODEL], 'model')} "
            f"(trillions); prior of their natural log {self.prior}"
        )


def undisclosed(fit: Fit) -> Undisclosed:
    """Return the posterior of undisclosed training tokens.

    A model's size and scores, and data on its family, inform its tokens; if they inform them only
    weakly, the interval is close to that of the prior.

    Parameters
    ----------
    fit
        A fit of a spec with ``undisclosed = {kind = "estimated"}``.

    Returns
    -------
    Undisclosed
        Draws of the tokens, in trillions, of each model that does not disclose them.

    Raises
    ------
    SpecError
        If the spec leaves such models out, or there are none.

    Examples
    --------
    >>> frame = fit.scores.to_frame()
    >>> frame.loc[frame["model"] == "opt-6.7b", "tokens_t"] = None
    >>> spec = pooled.spec.with_({"undisclosed": {"kind": "estimated"}})
    >>> method = ls.NUTS(draws=100, tune=100, chains=2, cores=1)
    >>> scores = ls.Scores.from_frame(frame)
    >>> partly = ls.fit(spec, scores, method=method, seed=1, progress=False)
    >>> ls.studies.undisclosed(partly).table()["model"].tolist()
    ['opt-6.7b']
    """
    expect(fit, Fit, "fit")
    if fit.spec.undisclosed.kind != "estimated":
        raise SpecError(
            f'The spec "{fit.spec.name}" estimates no training tokens. Set undisclosed = '
            '{kind = "estimated"} in it, and fit again.'
        )
    draws = fit.samples
    if LOG_TOKENS not in draws:
        raise SpecError("Every fitted model discloses its training tokens; nothing is estimated.")
    tokens = draws[LOG_TOKENS].rename({UNDISCLOSED: MODEL})
    about = fit.scores.dataset[[FAMILY, "params"]].sel({MODEL: tokens[MODEL].values})
    return Undisclosed(
        draws=xr.apply_ufunc(np.exp, tokens).rename("tokens"),
        about=about.reset_coords(drop=True),
        prior=fit.spec.prior(LOG_TOKENS),
        is_posterior=fit.is_posterior,
        fit_status=fit.status.caveat,
    )
