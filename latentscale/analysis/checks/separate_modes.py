"""Separate modes: groups into which the draws of disagreeing chains fall, and how they differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.checks.modes import find_modes
from latentscale.analysis.skills.identified import is_identified
from latentscale.dims import BENCHMARK, CHAIN, DRAW, LOG_LIKELIHOOD, MODEL
from latentscale.posterior.convergence import PREDICTOR
from latentscale.posterior.fit import Fit
from latentscale.posterior.identified import PLACE, predictors, rotates

_MOST_OF_CHAIN = 0.5
"""A chain belongs to the mode of more than half of its draws."""
_WORST = 20
"""Number of linear predictors, those with the largest R-hat, that are split into groups: with all
2,000 of a table, noise alone would separate a few hundred draws."""
_SHOWN = 3
"""Pairs of a model and a benchmark that a message shows."""


def separate_modes(fit: Fit, judged: pd.DataFrame) -> tuple[str, ...]:
    """Say whether chains that disagree are in separate modes.

    Anchored or aligned skills are compared by their loadings. Free skills can rotate without any
    change of an expected score, so they are compared by linear predictors.

    Parameters
    ----------
    fit
        A fit with several chains.
    judged
        ``fit.convergence().table``.

    Returns
    -------
    tuple
        One line of advice; empty without separate modes.
    """
    modes, pairs = modes_of_fit(fit, judged)
    if len(modes) < 2:
        return ()
    if pairs is None:
        return (
            f"{_groups(fit, modes, 'loadings')} Raise ModeStart.climbs, so that chains start at "
            "the highest mode, keep the chains of one group (fit.with_chains), or use other "
            "anchors or fewer skills.",
        )
    return (
        f"{_groups(fit, modes, 'linear predictors')}{_differences(fit, modes, pairs)} Where the "
        "groups agree, forecasts can be relied on. To decide between them, add scores of these "
        "models on these benchmarks, or use fewer skills; fit.with_chains keeps the chains of "
        "one group.",
    )


def modes_of_fit(fit: Fit, judged: pd.DataFrame) -> tuple[pd.DataFrame, xr.DataArray | None]:
    """Return the groups into which draws fall, and the linear predictors that are compared.

    Parameters
    ----------
    fit, judged
        As for `separate_modes`.

    Returns
    -------
    tuple
        The table of `find_modes`, empty if there is nothing to compare; and the linear predictors
        of pairs of a model and a benchmark, None for anchored or aligned skills.
    """
    if is_identified(fit):
        known = "loading" in fit.posterior
        return (find_modes(fit.posterior["loading"]) if known else pd.DataFrame()), None
    if not rotates(fit.spec):
        return pd.DataFrame(), None
    rhats = judged.loc[judged["variable"] == PREDICTOR].set_index("where")["rhat"]
    pairs = predictors(fit.spec, fit.design, fit.posterior)[PREDICTOR]
    return find_modes(pairs.sel({PLACE: rhats.nlargest(_WORST).index.tolist()})), pairs


def _groups(fit: Fit, modes: pd.DataFrame, what: str) -> str:
    """Say how many groups there are, and which chains and log likelihoods each has."""
    by_chain = fit.tree[LOG_LIKELIHOOD]["score"].sum("cell").mean(DRAW)
    names = [str(name) for name in modes.columns if str(name).startswith(CHAIN)]
    groups = []
    for _, mode in modes.iterrows():
        own = [float(by_chain.isel({CHAIN: place})) for place in chains_of(mode)]
        most = [names[place] for place in chains_of(mode)]
        where = f" ({', '.join(most)}; mean log likelihood {max(own):.0f})" if most else ""
        groups.append(f"{mode['share']:.0%}{where}")
    return (
        f"The draws of the {what} fall into {len(modes)} separate groups: {'; '.join(groups)}. "
        "These are different modes; the shares of chains are not their probabilities, and "
        "averages over them describe none of them."
    )


def chains_of(mode: pd.Series) -> list[int]:
    """Return the positions of chains with most of their draws in a mode, a row of `find_modes`."""
    shares = [mode[name] for name in mode.index if str(name).startswith(CHAIN)]
    return [place for place, share in enumerate(shares) if share > _MOST_OF_CHAIN]


def _differences(fit: Fit, modes: pd.DataFrame, pairs: xr.DataArray) -> str:
    """Say where the first two groups with chains differ; empty if only one has chains."""
    groups = [chains for _, mode in modes.iterrows() if (chains := chains_of(mode))]
    if len(groups) < 2:
        return ""
    first, second = (pairs.isel({CHAIN: g}).mean([CHAIN, DRAW]).to_series() for g in groups[:2])
    apart = (first - second).abs()
    known = fit.scores.dataset["score"].notnull().transpose(MODEL, BENCHMARK).to_series()
    measured = {f"{model}, {benchmark}" for model, benchmark in known.index[known]}
    seen = np.array([place in measured for place in apart.index])
    shown = [
        f"{place} ({first[place]:.1f} and {second[place]:.1f})"
        for place in apart.nlargest(_SHOWN).index
    ]
    text = f" On the link's scale they differ most at {'; '.join(shown)}"
    if seen.any() and not seen.all():
        inside, outside = apart[seen].mean(), apart[~seen].mean()
        text += (
            f"; on average by {inside:.2f} where a score was measured, by {outside:.2f} elsewhere"
        )
    return f"{text}."
