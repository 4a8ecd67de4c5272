"""Plots of sensitivity: power-scaling, tornado of refits, influence of families."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from latentscale.analysis.sensitivity.grid_result import BASE, KEY, SensitivityGrid
from latentscale.analysis.sensitivity.influence import FamilyInfluence
from latentscale.analysis.sensitivity.sensitivity import (
    CONFLICT,
    STRONG_PRIOR,
    UNCLEAR,
    Sensitivity,
)
from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect
from latentscale.markup import shortened
from latentscale.plots.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILLION,
    OnAxes,
    Sheet,
    heading,
    legend,
    name_rows,
    panels,
    part_shown,
    title,
)
from latentscale.validate import whole_number

_ROW_INCHES = 0.24
"""Height of a row with its interval."""
_MAX_NAME = 40
"""Letters of a quantity next to a row; longer names are cut."""
_SHOWN = 20
"""Rows: the largest come first, so the rest are small."""
_APART = 0.16
"""Share of a row by which its two markers are offset from its middle."""
_LEAST = 0.005  # left end of the axis; a line that reaches it continues to 0


def plot_sensitivity(sensitivity: Sensitivity, *, rows: int = _SHOWN, ax: OnAxes = None) -> Sheet:
    """Draw how far priors and scores move each quantity, the most clearly prior-sensitive first.

    A line extends left from each estimate by its Monte Carlo error. A marker is filled where the
    whole line is beyond the limit; a hollow marker beyond the limit is within Monte Carlo noise of
    it.

    Parameters
    ----------
    sensitivity
        From `latentscale.sensitivity`.
    rows
        Largest number of quantities shown.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `sensitivity` is not what `latentscale.sensitivity` returns.
    DataError
        If `rows` is not a whole number above 0.

    Examples
    --------
    >>> sensitivity = ls.sensitivity(fit, variables=["slope"])
    >>> ls.plots.plot_sensitivity(sensitivity).savefig("figure.png")
    """
    expect(sensitivity, Sensitivity, "sensitivity")
    _check_rows(rows)
    clear = (sensitivity.rows["prior"] - sensitivity.rows["prior_noise"]).sort_values(
        ascending=False
    )
    table = sensitivity.rows.loc[clear.index].head(rows)
    figure, (panel,) = panels(1, columns=1, width=5.6, height=0.5 + _ROW_INCHES * len(table), ax=ax)
    places = np.arange(len(table))
    for name, color, marker, off in (
        ("prior", VERMILLION, "o", -_APART),
        ("likelihood", BLUE, "D", _APART),
    ):
        low = (table[name] - table[f"{name}_noise"]).clip(lower=_LEAST)
        panel.hlines(places + off, low, table[name].clip(lower=_LEAST), color=color, lw=1.6)
        counts = (table[name] - table[f"{name}_noise"] >= sensitivity.limit).to_numpy()
        for chosen, fill, label in (
            (counts, color, name),
            (~counts, "white", f"{name}, below the limit or within noise of it"),
        ):
            if chosen.any():
                panel.scatter(
                    table[name][chosen].clip(lower=_LEAST),
                    places[chosen] + off,
                    s=26,
                    color=fill,
                    edgecolors=color,
                    linewidths=1.1,
                    marker=marker,
                    zorder=3,
                    label=label,
                )
    panel.axvline(
        sensitivity.limit, color=BLACK, lw=1, ls="--", label=f"limit {sensitivity.limit:g}"
    )
    panel.set_xscale("log")
    panel.set_xlim(left=_LEAST)
    panel.xaxis.set_major_formatter("{x:g}")
    panel.set_xlabel("sensitivity, log scale (distance per doubling of strength)")
    name_rows(panel, _quantities(table), limit=_MAX_NAME)
    counts = sensitivity.rows["diagnosis"].value_counts()
    cut = part_shown(len(table), len(sensitivity.rows))
    title(
        figure,
        f"Sensitivity to the priors and to the scores{cut}",
        f"{counts.get(CONFLICT, 0)} with a {CONFLICT}, "
        f"{counts.get(STRONG_PRIOR, 0)} with a {STRONG_PRIOR}, "
        f"{counts.get(UNCLEAR, 0)} with the scores' part unclear.\n"
        "Lines extend left from the estimate by its Monte Carlo error; marks are filled where the "
        "whole line is beyond the limit.",
        sensitivity.notes,
    )
    legend(figure, [panel])
    return figure


def plot_tornado(
    grid: SensitivityGrid, *, variable: str | None = None, rows: int = _SHOWN, ax: OnAxes = None
) -> Sheet:
    """Draw how far each quantity's median moves between variants, the widest first.

    Parameters
    ----------
    grid
        From `latentscale.studies.sensitivity_grid` or `latentscale.studies.leave_families_out`.
    variable
        A single variable, such as ``"expected score"``, in its own units, one panel per unit; by
        default all, in posterior standard deviations under the base spec.
    rows
        Largest number of quantities shown in a panel.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If the grid does not hold `variable`.

    Examples
    --------
    >>> priors = {"wide": {"intercept": {"dist": "Normal", "mu": 0, "sigma": 4}}}
    >>> grid = ls.studies.sensitivity_grid(
    ...     pooled.spec, pooled.scores, priors, method=ls.Laplace(draws=100), progress=False
    ... )
    >>> ls.plots.plot_tornado(grid).savefig("figure.png")
    """
    expect(grid, SensitivityGrid, "grid")
    _check_rows(rows)
    moved = grid.rows[grid.rows["variant"] != BASE]
    known = list(dict.fromkeys(moved["variable"]))
    if variable is not None and variable not in known:
        raise DataError(
            f'The grid has no variable "{variable}"; it has {listed(known, 20)}.'
            + nearest(variable, known)
        )
    value = "change_in_sd" if variable is None else "change"
    parts = [moved]
    if variable is not None:  # scores in percent and in Elo share no axis
        moved = moved[moved["variable"] == variable]
        parts = [part for _, part in moved.groupby("unit", sort=False)]
    sizes = [_sizes(part, value).head(rows) for part in parts]
    figure, axes = panels(
        len(parts),
        columns=1,
        width=5.6,
        height=0.6 + _ROW_INCHES * max(map(len, sizes)),
        share_y=False,
        ax=ax,
    )
    for panel, part, size in zip(axes, parts, sizes, strict=True):
        _draw_changes(panel, part, value, size)
        unit = part["unit"].iloc[0] if variable is not None else ""
        panel.set_xlabel(
            "change of the median (posterior standard deviations under the base spec)"
            if variable is None
            else f"change of the median of {variable}" + (f" ({unit})" if unit else ""),
            parse_math=False,
        )
        labels = [_name(*key) if variable is None else key[1] or key[0] for key in size.index]
        name_rows(panel, labels, limit=_MAX_NAME)
    cut = part_shown(sum(map(len, sizes)), len(_sizes(moved, value)), "quantities")
    title(
        figure,
        f"What {len(grid.variants)} variants change{cut}",
        f"Variants: {shortened(', '.join(grid.variants), 80)}.",
        grid.notes,
    )
    legend(figure, axes)
    return figure


def _sizes(moved: pd.DataFrame, value: str) -> pd.Series:
    """Return the largest change of each quantity, the largest first."""
    changes = moved.groupby(KEY, sort=False)[value]
    return changes.agg(lambda of_one: of_one.abs().max()).sort_values(ascending=False)


def _draw_changes(panel: Axes, moved: pd.DataFrame, value: str, size: pd.Series) -> None:
    """Draw a bar from the lowest to the highest change of each quantity, and every variant."""
    for place, key in enumerate(size.index):
        changes = moved.loc[(moved[KEY] == list(key)).all(axis=1), value]
        low, high = min(changes.min(), 0.0), max(changes.max(), 0.0)
        panel.barh(place, -low, left=low, height=0.62, color=VERMILLION, label="lower than base")
        panel.barh(place, high, height=0.62, color=BLUE, label="higher than base")
        panel.scatter(
            changes,
            [place] * len(changes),
            s=9,
            color=BLACK,
            zorder=3,
            label="one variant",
        )
    panel.axvline(0, color=BLACK, lw=1)
    panel.use_sticky_edges = False  # otherwise the longest bar to the left ends on the axis
    panel.autoscale_view()


def plot_influence(influence: FamilyInfluence, *, rows: int = _SHOWN, ax: OnAxes = None) -> Sheet:
    """Draw the largest change from leaving each family out, and Pareto k.

    Parameters
    ----------
    influence
        From `latentscale.studies.family_influence`.
    rows
        Largest number of families shown, the most influential first.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `influence` is not what `latentscale.studies.family_influence` returns.
    DataError
        If `rows` is not a whole number above 0.

    Examples
    --------
    >>> influence = ls.studies.family_influence(pooled, progress=False)
    >>> ls.plots.plot_influence(influence).savefig("figure.png")
    """
    expect(influence, FamilyInfluence, "influence")
    _check_rows(rows)
    table = influence.families.head(rows)
    height = 0.6 + _ROW_INCHES * len(table)
    figure, (change, weight) = panels(2, columns=2, width=3.3, height=height, ax=ax)
    places = np.arange(len(table))
    known = table["reliable"].to_numpy(dtype=bool)
    heading(change, "largest change")
    for chosen, color, label in (
        (known, BLUE, "reliable"),
        (~known, GREY, "rough: Pareto k too high"),
    ):
        if chosen.any():
            size = table["largest_in_sd"][chosen]
            change.barh(places[chosen], size, height=0.62, color=color, label=label)
    change.set_xlabel("posterior standard deviations")
    heading(weight, "Pareto k of the importance weights")
    weight.scatter(table["pareto_k"], places, s=24, color=VERMILLION)
    weight.axvline(
        influence.k_limit, color=BLACK, lw=1, ls="--", label=f"limit {influence.k_limit:.2f}"
    )
    for place in places[~np.isfinite(table["pareto_k"])]:  # one draw has all the weight
        weight.text(
            0.98, place, "infinite", transform=weight.get_yaxis_transform(), ha="right", va="center"
        )
    weight.set_xlabel("Pareto k")
    for panel in (change, weight):
        name_rows(panel, [str(name) for name in table["family"]], limit=_MAX_NAME)
    cut = part_shown(len(table), len(influence.families))
    title(
        figure,
        f"Influence of single families{cut}",
        "Largest change of any quantity's median when the family is left out.",
        influence.notes,
    )
    legend(figure, [change, weight])
    return figure


def _check_rows(rows: int) -> None:
    whole_number(rows, "rows", least=1, error=DataError)


def _quantities(table: pd.DataFrame) -> list[str]:
    return [_name(str(v), str(w)) for v, w in zip(table["variable"], table["where"], strict=True)]


def _name(variable: str, where: str) -> str:
    return f"{variable} [{where}]" if where else variable
