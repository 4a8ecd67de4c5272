"""The plot of an explanation: parts of a forecast, sources of its variance, pulls of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from latentscale.analysis.forecasts.explanation import Explanation
from latentscale.analysis.forecasts.parts import PART
from latentscale.analysis.forecasts.pulls import ALL, GIVEN
from latentscale.analysis.forecasts.sources import SOURCE
from latentscale.analysis.tools.summaries import summary
from latentscale.analysis.tools.units import stated_unit
from latentscale.dims import BENCHMARK, MODEL
from latentscale.expect import expect
from latentscale.plots.intervals import NARROW, WIDE, intervals
from latentscale.plots.labels import drawn
from latentscale.plots.style import (
    BLACK,
    BLUE,
    GREY,
    OnAxes,
    Sheet,
    headings,
    legend,
    name_rows,
    panels,
    part_shown,
    percent_axis,
    title,
)

_MOST_CASES = 6
"""Forecasts in one picture, one row of panels each: as many as fit on a page."""
_ROW_INCHES, _PANEL_INCHES = 0.22, 0.7
"""Height of a row of small text, and of the space above and below the rows of a panel."""
_ERRORS = 2
"""Standard errors drawn: they cover some 95% of a normal distribution."""
_WIDTH = 3.3
"""Inches of a panel: rows have names of some twenty letters."""


def plot_explanation(
    explanation: Explanation,
    *,
    models: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    ax: OnAxes = None,
) -> Sheet:
    """Draw what makes up forecasts: one row of panels for each model and benchmark.

    The first panel shows the parts of the linear predictor, relative to the average fitted model,
    with 50% and 90% intervals; the second the shares of the variance of a new score; the third, if
    scores were given, how far each moves the forecast's median.

    Parameters
    ----------
    explanation
        From `latentscale.studies.explain`.
    models, benchmarks
        Which are drawn, in this order; by default the first six forecasts, and the headline says
        if there are more.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, not registered with pyplot: save it with ``.savefig``, or let a
        notebook show it.

    Raises
    ------
    FitError
        If `explanation` is not what `latentscale.studies.explain` returns.
    DataError
        If `models` or `benchmarks` names one that is not explained.

    Examples
    --------
    >>> explanation = ls.studies.explain(fit, planned, "mmlu", seed=1)
    >>> ls.plots.plot_explanation(explanation).savefig("figure.png")
    """
    expect(explanation, Explanation, "explanation")
    known = {
        dim: [str(n) for n in explanation.part_draws[dim].values] for dim in (MODEL, BENCHMARK)
    }
    chosen_models = drawn(known[MODEL], models, len(known[MODEL]), "models")
    chosen_benchmarks = drawn(known[BENCHMARK], benchmarks, len(known[BENCHMARK]), "benchmarks")
    every = [(model, benchmark) for model in chosen_models for benchmark in chosen_benchmarks]
    asked = models is not None and benchmarks is not None
    cases = every if asked else every[:_MOST_CASES]
    pulls = explanation.pulls
    columns = 2 if pulls is None else 3
    rows = max(
        explanation.part_draws.sizes[PART],
        explanation.shares.sizes[SOURCE],
        0 if pulls is None else pulls.sizes[GIVEN],
    )
    height = _PANEL_INCHES + _ROW_INCHES * rows
    figure, axes = panels(
        columns * len(cases), columns=columns, width=_WIDTH, height=height, share_y=False, ax=ax
    )
    for place, case in enumerate(cases):
        line = axes[columns * place : columns * (place + 1)]
        _parts(line[0], explanation, case)
        _shares(line[1], explanation, case)
        if pulls is not None:
            _pulls(line[2], explanation, case)
        headings(line, [f"{case[0]}: {case[1]}", "variance", "given scores"][: len(line)])
    title(
        figure,
        f"What the {'forecast is' if len(cases) == 1 else 'forecasts are'} made of"
        + part_shown(len(cases), len(every)),
        f"Parts: medians, {NARROW:.0%} and {WIDE:.0%} intervals, from the average fitted model.",
        explanation.notes,
    )
    legend(figure, axes)
    return figure


def _parts(panel: Axes, explanation: Explanation, case: tuple[str, str]) -> None:
    """Draw the parts of one linear predictor."""
    mine = explanation.part_draws.sel(dict(zip((MODEL, BENCHMARK), case, strict=True)))
    wide, narrow = (summary(mine.reset_coords(drop=True), prob) for prob in (WIDE, NARROW))
    intervals(panel, wide, narrow, bands=True)
    panel.axvline(0, color=GREY, lw=0.9, zorder=1)
    name_rows(panel, [str(name) for name in mine[PART].values])
    panel.set_xlabel("part (link scale)", fontsize=8.5)


def _shares(panel: Axes, explanation: Explanation, case: tuple[str, str]) -> None:
    """Draw the shares of the variance of one new score."""
    mine = explanation.shares.sel(dict(zip((MODEL, BENCHMARK), case, strict=True)))
    panel.barh(np.arange(mine.size), mine.values, height=0.6, color=BLUE)
    name_rows(panel, [str(name) for name in mine[SOURCE].values])
    panel.grid(axis="y", visible=False)
    percent_axis(panel.xaxis)
    panel.set_xlim(0, 1)
    panel.set_xlabel("share of the variance (%)", fontsize=8.5)


def _pulls(panel: Axes, explanation: Explanation, case: tuple[str, str]) -> None:
    """Draw how far each given score moves one median."""
    assert explanation.pulls is not None  # the caller has checked
    mine = explanation.pulls.sel(dict(zip((MODEL, BENCHMARK), case, strict=True)))
    names = [str(name) for name in mine[GIVEN].values]
    place = np.arange(len(names))
    colours = [BLACK if name == ALL else BLUE for name in names]
    panel.barh(place, mine["pull"].values, height=0.6, color=colours)
    ends = [mine["pull"].values + sign * _ERRORS * mine["se"].values for sign in (-1, 1)]
    panel.hlines(
        place, *ends, color=GREY, lw=1.6, zorder=4, label="two Monte Carlo standard errors"
    )
    panel.axvline(0, color=GREY, lw=0.9, zorder=1)
    name_rows(panel, names)
    panel.grid(axis="y", visible=False)
    unit = explanation.forecast.units.get(case[1])
    if unit is None:
        percent_axis(panel.xaxis)
    said = "points" if unit is None else stated_unit(unit)
    label = "pull on the median" + (f" ({said})" if said else "")
    panel.set_xlabel(label, fontsize=8.5, parse_math=False)
