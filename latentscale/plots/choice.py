"""Plots for choosing what to measure and what to train."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from latentscale.analysis.choices.next_benchmark import NextBenchmark
from latentscale.analysis.curves.compute_needed import ComputeNeeded
from latentscale.analysis.curves.passing import Passing
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.skills.regression import SkillRegression
from latentscale.analysis.tools.summaries import quantiles
from latentscale.analysis.tools.units import stated_unit
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL
from latentscale.errors import DataError, listed
from latentscale.expect import expect
from latentscale.markup import counted
from latentscale.plots.forecast import given_scores, mark_given
from latentscale.plots.labels import MOST_MODELS, MOST_PANELS, distinct, drawn
from latentscale.plots.style import (
    BLACK,
    BLUE,
    GREY,
    ROW_LETTERS,
    VERMILLION,
    OnAxes,
    Sheet,
    headings,
    legend,
    name_rows,
    panels,
    part_shown,
    percent_axis,
    score_axis,
    score_label,
    title,
    unit_ending,
)

_BARS = 15
"""Benchmarks shown; the rest are hardly worth running."""
_ROOM = 0.08
"""Share of the axis right of the longest bar, for the number there."""
_MAX_LABEL = 45
"""Letters of a set of benchmarks next to a bar: the bars keep half of the figure."""
_ROW_INCHES = 0.24
"""Height of a row with its interval."""
_SIDE = 0.17
"""Share of a row by which its two intervals are offset from its middle."""


def plot_next_benchmark(choice: NextBenchmark, *, ax: OnAxes = None) -> Sheet:
    """Draw the expected gain of each candidate measurement, the best at the top.

    Parameters
    ----------
    choice
        From `latentscale.next_benchmark`; its first 15 rows are drawn.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `choice` is not what `latentscale.next_benchmark` returns.

    Examples
    --------
    >>> choice = ls.next_benchmark(fit, planned.assign(hellaswag=0.84), seed=1)
    >>> ls.plots.plot_next_benchmark(choice).savefig("figure.png")
    """
    expect(choice, NextBenchmark, "choice")
    table = choice.rows.iloc[:_BARS]
    figure, (panel,) = panels(1, columns=1, width=6.6, height=0.6 + _ROW_INCHES * len(table), ax=ax)
    rows = np.arange(len(table))
    by_variance = choice.ranked_by == "variance"
    values = table["variance_removed" if by_variance else "information"]
    bars = panel.barh(rows, values, color=BLUE, height=0.62)
    labels, order = list(table["benchmarks"]), "In order of gain."
    if choice.rows["cost"].nunique() > 1:
        labels = [f"{n} (cost {c:g})" for n, c in zip(labels, table["cost"], strict=True)]
        gains = [f"{100 * gain:.2g}%" if by_variance else f"{gain:.2g}" for gain in table["gain"]]
        panel.bar_label(bars, gains, padding=3, fontsize=8)
        panel.margins(x=_ROOM)
        what = "share of the variance" if by_variance else "nats"
        order = f"In order of the numbers at the bars: gain ({what}) per unit of cost."
    panel.set_yticks(rows, distinct(labels, _MAX_LABEL), parse_math=False)
    panel.invert_yaxis()
    panel.grid(visible=False, axis="y")
    panel.set_xlim(left=0)
    if by_variance:
        percent_axis(panel.xaxis)
        panel.set_xlabel("expected share of the variance removed (%)")
    else:
        panel.set_xlabel("expected information (nats)")
    known = f"Measured so far: {_cut(choice.measured)}." if choice.measured else "Nothing measured."
    title(
        figure,
        f"{choice.model}: what to measure next{part_shown(len(table), len(choice.rows))}",
        f"To learn about {_cut(choice.targets)}.\n{known}\n{order}",
        choice.notes,
    )
    return figure


def plot_compute_needed(
    needed: ComputeNeeded, *, prob: float = DEFAULT_PROB, ax: OnAxes = None
) -> Sheet:
    """Draw the probability of reaching the target by training compute, with the interval.

    Parameters
    ----------
    needed
        From `latentscale.flops_for_target`.
    prob
        Probability of the interval that is drawn.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `needed` is not what `latentscale.flops_for_target` returns.
    LatentscaleError
        If `prob` is not strictly between 0 and 1.

    Examples
    --------
    >>> needed = ls.flops_for_target(fit, "mmlu", 0.7, family="qwen2", seed=1)
    >>> ls.plots.plot_compute_needed(needed).savefig("figure.png")
    """
    expect(needed, ComputeNeeded, "needed")
    table = needed.table(prob)["flops"]
    figure, (panel,) = panels(1, columns=1, width=6.6, height=2.9, ax=ax)
    at = needed.reached["at"].values
    panel.plot(
        at, needed.reached.values, color=BLUE, lw=1.8, label="probability that it is reached"
    )
    for end in needed.fitted_range:
        if at[0] < end < at[-1]:
            panel.axvline(end, color=BLACK, lw=1, ls="--", label="range of all fitted models")
    low, high = max(table["lower"], at[0]), min(table["upper"], at[-1])
    if low < high:
        opens = [
            side
            for side, here in (
                ("below", table["lower"] <= at[0]),
                ("above", np.isinf(table["upper"])),
            )
            if here
        ]
        label = f"{prob:.0%} interval" + (f", open {' and '.join(opens)}" if opens else "")
        panel.axvspan(low, high, color=BLUE, alpha=0.14, lw=0, label=label)
    if at[0] < table["median"] < np.inf:  # otherwise the median is beyond an end of the axis
        panel.scatter([table["median"]], [0.5], color=VERMILLION, s=34, zorder=4, label="median")
    if needed.probability_above_ceiling > 0:
        panel.axhline(
            1 - needed.probability_above_ceiling,
            color=GREY,
            ls=":",
            lw=1.2,
            label="probability that the ceiling allows it",
        )
    panel.set_xscale("log")
    panel.set_xlim(at[0], at[-1])
    panel.set_ylim(0, 1.02)
    percent_axis(panel.yaxis)
    panel.set_xlabel(
        f"training compute (FLOPs), at {needed.tokens_per_parameter:,.0f} tokens per parameter"
    )
    panel.set_ylabel("probability (%)")
    title(
        figure,
        f"{needed.family}: compute for {needed.shown_target} on {needed.benchmark}",
        f"Probability that {at[-1]:.2g} FLOPs do not suffice: "
        f"{needed.probability_unreachable:.0%}.",
        needed.notes,
    )
    legend(figure, [panel])
    return figure


def plot_passing(passing: Passing, *, ax: OnAxes = None) -> Sheet:
    """Draw the probability that each model passes each threshold, one panel per benchmark.

    Parameters
    ----------
    passing
        From `latentscale.probability_above`; of its models the first 40 are drawn, and of its
        benchmarks the first 24.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `passing` is not what `latentscale.probability_above` returns.

    Examples
    --------
    >>> passing = ls.probability_above(fit, planned, {"mmlu": 0.5})
    >>> ls.plots.plot_passing(passing).savefig("figure.png")
    """
    expect(passing, Passing, "passing")
    table = passing.rows
    every, rows_of = list(dict.fromkeys(table["benchmark"])), list(passing.joint.index)
    names, models = every[:MOST_PANELS], rows_of[:MOST_MODELS]
    cut = part_shown(len(models), len(rows_of), "models")
    cut += part_shown(len(names), len(every), "benchmarks")
    columns = min(len(names), 4)
    height = 0.7 + _ROW_INCHES * len(models)
    figure, axes = panels(len(names), columns=columns, width=2.4, height=height, ax=ax)
    thresholds = table.groupby("benchmark")["threshold"].first()
    endings = [_threshold(passing, name, float(thresholds[name])) for name in names]
    headings(axes, names, endings, beside=models)
    for name, panel in zip(names, axes, strict=True):
        mine = table[table["benchmark"] == name].set_index("model").loc[models]
        rows = np.arange(len(models))
        panel.hlines(rows, 0, mine["probability"], color=BLUE, lw=2)
        panel.scatter(mine["probability"], rows, color=BLUE, s=24, zorder=3, label="a new score")
        panel.scatter(
            mine["probability_expected"],
            rows,
            facecolors="none",
            edgecolors=VERMILLION,
            marker="D",
            s=26,
            zorder=4,
            label="the expected score, without noise",
        )
        name_rows(panel, models)
        panel.set_xlim(-0.03, 1.03)
        percent_axis(panel.xaxis)
    for panel in axes[-columns:]:
        panel.set_xlabel("probability (%)", fontsize=8.5)
    headline = f"Probability of passing each threshold{cut}"
    title(figure, headline, _thresholds_in(passing), passing.notes)
    legend(figure, axes)
    return figure


def plot_few_shot(
    before: Forecast,
    after: Forecast,
    *,
    prob: float = DEFAULT_PROB,
    models: Sequence[str] | None = None,
    benchmarks: Sequence[str] | None = None,
    ax: OnAxes = None,
) -> Sheet:
    """Draw forecasts without and with the scores given, one panel per benchmark.

    Parameters
    ----------
    before, after
        From `latentscale.predict`, of the same models: without and with scores in the table.
    prob
        Probability of the equal-tailed interval of a new score.
    models, benchmarks
        Which are drawn, in this order; by default the first 40 models and the first 24 benchmarks
        of `before`, and the headline says if there are more.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If `after` was given no scores or does not forecast a model of `before`, or if `models` or
        `benchmarks` names one that is not in `before`.

    Examples
    --------
    >>> before = ls.predict(fit, planned, seed=1)
    >>> after = ls.predict(fit, planned.assign(hellaswag=0.84), seed=1)
    >>> ls.plots.plot_few_shot(before, after).savefig("figure.png")
    """
    expect(before, Forecast, "before")
    expect(after, Forecast, "after")
    if after.conditioning is None:
        raise DataError(
            "after was forecast without new scores; give the scores in predict's table."
        )
    every = [str(name) for name in before.draws[MODEL].values]
    missing = [name for name in every if name not in after.draws[MODEL].values]
    if missing:
        raise DataError(
            f"after has no forecast of {listed(missing)}; forecast the same models both times."
        )
    known = [str(name) for name in before.draws[BENCHMARK].values]
    models = drawn(every, models, MOST_MODELS, "models")
    names = drawn(known, benchmarks, MOST_PANELS, "benchmarks")
    cut = part_shown(len(models), len(every), "models")
    cut += part_shown(len(names), len(known), "benchmarks")
    columns = min(len(names), 4)
    height = 0.7 + 1.5 * _ROW_INCHES * len(models)
    figure, axes = panels(len(names), columns=columns, width=2.4, height=height, ax=ax)
    endings = [unit_ending(name, before.units) for name in names]
    headings(axes, names, endings, beside=models)
    scores, place = given_scores(after), dict(zip(models, range(len(models)), strict=True))
    for name, panel in zip(names, axes, strict=True):
        for forecast, color, side, label in (
            (before, GREY, -_SIDE, "without scores"),
            (after, BLUE, _SIDE, "given the scores"),
        ):
            _interval_rows(panel, forecast, name, models, prob, (color, side, label))
        mark_given(panel, scores[scores["benchmark"] == name], place)
        name_rows(panel, models)
        score_axis(panel.xaxis, name, before.units)
    for panel in axes[-columns:]:
        panel.set_xlabel(score_label(names, before.units), fontsize=8.5)
    given = after.conditioning
    title(
        figure,
        f"Forecasts without and with {counted(given.n_scores, 'score')}{cut}",
        f"Dots: median. Lines: {prob:.0%} interval of a new score. By {given.method}, effective "
        f"sample size {given.ess:.0f}.",
        tuple(dict.fromkeys([*before.notes, *after.notes])),
    )
    legend(figure, axes)
    return figure


def plot_regression(
    regression: SkillRegression, *, prob: float = DEFAULT_PROB, ax: OnAxes = None
) -> Sheet:
    """Draw the coefficients of the skills, with intervals.

    Parameters
    ----------
    regression
        From `latentscale.studies.regress_on_skills`.
    prob
        Probability of the equal-tailed interval.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    SpecError
        If skills are free to rotate.

    Examples
    --------
    >>> outcome = fit.scores.to_frame().set_index("model")["mmlu"]
    >>> regression = ls.studies.regress_on_skills(fit, outcome, name="mmlu", seed=1)
    >>> ls.plots.plot_regression(regression).savefig("figure.png")
    """
    expect(regression, SkillRegression, "regression")
    table = regression.table(prob).set_index("term")
    skills = [term for term in table.index if term not in ("intercept", "sigma", "r_squared")]
    coefficients, rows = table.loc[skills], np.arange(len(skills))
    figure, (panel,) = panels(
        1, columns=1, width=6.6, height=0.9 + _ROW_INCHES * len(skills), ax=ax
    )
    panel.axvline(0, color=BLACK, lw=0.8)
    panel.hlines(
        rows,
        coefficients["lower"],
        coefficients["upper"],
        color=BLUE,
        lw=2,
        label=f"{prob:.0%} interval",
    )
    panel.scatter(coefficients["median"], rows, color=BLUE, s=26, zorder=3, label="median")
    name_rows(panel, skills)
    (outcome,) = distinct([regression.name], ROW_LETTERS)
    panel.set_xlabel(f"change of {outcome} per unit of the skill", parse_math=False)
    explained = table.loc["r_squared"]
    title(
        figure,
        f"{regression.name} on latent skills",
        f"{len(regression.outcome)} models. Share of variance explained: {explained['median']:.0%} "
        f"({explained['lower']:.0%} to {explained['upper']:.0%}).",
        regression.notes,
    )
    legend(figure, [panel])
    return figure


def _interval_rows(
    panel: Axes,
    forecast: Forecast,
    benchmark: str,
    models: list[str],
    prob: float,
    look: tuple[str, float, str],
) -> None:
    color, side, label = look
    draws = forecast.draws.sel({MODEL: models, BENCHMARK: benchmark})
    ends = quantiles(draws, prob)
    rows = np.arange(len(models)) + side
    panel.hlines(rows, ends["lower"], ends["upper"], color=color, lw=2, label=label)
    panel.scatter(ends["median"], rows, color=color, s=16, zorder=3)


def _threshold(passing: Passing, name: str, value: float) -> str:
    """Return what follows a benchmark's name: its threshold, in points or in its unit."""
    side = "≤" if name in passing.falling else "≥"
    unit = passing.units.get(name)
    if unit is None:
        return f" {side} {100 * value:g}"
    return f" {side} {value:g} {stated_unit(unit)}".rstrip()


def _thresholds_in(passing: Passing) -> str:
    own = " or their units" if set(passing.rows["benchmark"]) & set(passing.units) else ""
    return f"Thresholds in points{own}, above each panel."


def _cut(names: tuple[str, ...], limit: int = 5) -> str:
    if len(names) <= limit:
        return ", ".join(names)
    return ", ".join(names[:limit]) + f" and {len(names) - limit} more"
