"""The first paragraph of the report: a fit's main results, in words and numbers."""

from __future__ import annotations

import numpy as np

from latentscale.analysis.checks.diagnose import diagnose
from latentscale.analysis.tools.units import shown_score
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import LatentscaleError
from latentscale.markup import known_number
from latentscale.reporting.request import Request


def summary(request: Request) -> str:
    """Return a paragraph: the main forecast, how wide intervals are, whether draws passed.

    The main forecast is for the first requested model, on the benchmark with the most scores.
    """
    scores = request.fit.scores
    parts = [
        f"{len(scores.models)} models of {len(scores.families)} families were fitted to "
        f"{scores.n_observed} scores on {len(scores.benchmarks)} benchmarks."
    ]
    try:
        parts += _forecast(request)
    except LatentscaleError as error:
        parts.append(f"No forecast: {error}")
    return " ".join([*parts, _trust(request)])


def _forecast(request: Request) -> list[str]:
    counts = request.fit.scores.dataset["score"].notnull().sum(MODEL)
    foremost = str(counts[BENCHMARK].values[np.argmax(counts.values)])
    table = request.forecast.table(request.prob)
    units = request.forecast.units
    row = table[table["benchmark"] == foremost].iloc[0]
    middle, low, high = (
        shown_score(row[name], units.get(foremost)) for name in ("median", "lower", "upper")
    )
    sentences = [
        f"{row['model']} is forecast to score {middle} on {foremost}, with probability "
        f"{request.prob:.0%} between {low} and {high}."
    ]
    plain = table[~table["benchmark"].isin(list(units))]
    if len(plain):
        half = 100 * float((plain["upper"] - plain["lower"]).median()) / 2
        which = "all forecasts" if len(plain) == len(table) else "the forecasts of fractions"
        sentences.append(
            f"Half of {which} have {request.prob:.0%} intervals of ±{half:.1f} points or less."
        )
    beyond = table.loc[table["extrapolates"] != "", "model"].nunique()
    if beyond:
        of = table["model"].nunique()
        sentences.append(
            f"{beyond} of {of} planned models are outside the range of the fitted ones, and their "
            "forecasts depend on the functional form of the model."
        )
    return sentences


def _trust(request: Request) -> str:
    fit = request.fit
    if not fit.is_posterior:
        return "The fit is a point estimate: the intervals leave out the parameters' uncertainty."
    diagnosis = diagnose(fit)
    if diagnosis.of_estimator:
        return (
            "The draws are independent, around a maximum of the likelihood."
            if diagnosis.passed
            else "The maximum of the likelihood, around which the draws were made, was NOT "
            "confirmed: do not rely on these numbers yet."
        )
    if diagnosis.approximation_k is not None:
        known = "is close" if diagnosis.passed else "was NOT confirmed as close"
        return (
            f"The draws come from an approximation that {known} to the posterior (Pareto k "
            f"{diagnosis.approximation_k:.2f}, at most {diagnosis.approximation_limit:.2f})"
            + ("." if diagnosis.passed else ": intervals may be too narrow or off centre.")
        )
    if diagnosis.thinned:
        return (
            "The chains that the draws come from passed their diagnostics."
            if diagnosis.passed
            else "The draws were NOT confirmed by their fit's status: do not rely on these "
            "numbers yet."
        )
    rhat = known_number(diagnosis.max_rhat, ".3f")
    if diagnosis.passed:
        return f"The draws passed their diagnostics (largest R-hat {rhat})."
    return (
        f"The draws did NOT pass their diagnostics (largest R-hat {rhat}): "
        "do not rely on these numbers yet."
    )
