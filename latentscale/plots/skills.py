"""Plots of skills: loadings, families side by side, and what makes scores vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from latentscale.analysis.skills.align import Alignment
from latentscale.analysis.skills.skills import Skills
from latentscale.analysis.skills.skills import skills as skills_of
from latentscale.analysis.skills.variance import NOISE, OTHER, VarianceShares
from latentscale.declare.kinds import TERMS
from latentscale.dims import FAMILY, SKILL
from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect
from latentscale.model.terms.base import components
from latentscale.plots.intervals import NARROW, WIDE, intervals
from latentscale.plots.style import (
    FILLS,
    GREY,
    OnAxes,
    Sheet,
    headings,
    legend,
    name_rows,
    panels,
    percent_axis,
    title,
)

_COLUMNS = 4
"""Panels per row: their labels stay readable across a page."""
_MOST_FAMILIES = 12
"""Families in one figure: there are no more distinct colours and markers."""
_ROUNDING = 1e-8
"""Share of the largest level below which a mean is zero, up to rounding of sums of doubles."""
_VISIBLE = 0.005
"""Half a per cent of the variance: bars that are shorter are hardly seen."""
# For components that are not terms: unlike every colour and hatch of the terms.
_FILLS_OF_RESTS: dict[str, tuple[str, str | None]] = {
    OTHER: ("#009E73", "xx"),
    NOISE: ("#BDBDBD", None),
}


def plot_loadings(skills: Skills, *, ax: OnAxes = None) -> Sheet:
    """Draw every benchmark's loading on each skill, with 50% and 90% intervals.

    Parameters
    ----------
    skills
        From `latentscale.skills`.
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
        If `skills` is not what `latentscale.skills` returns.

    Examples
    --------
    >>> skills = ls.skills(fit)
    >>> ls.plots.plot_loadings(skills).savefig("figure.png")
    """
    expect(skills, Skills, "skills")
    wide, narrow = skills.loadings(WIDE), skills.loadings(NARROW)
    names = [str(name) for name in skills.loading[SKILL].values]
    rows = list(dict.fromkeys(wide["benchmark"]))
    figure, axes = _rows_of(names, len(rows), ax)
    headings(axes, [of_skill(name) for name in names], beside=rows)
    for name, panel in zip(names, axes, strict=True):
        outer, inner = (table[table["skill"] == name] for table in (wide, narrow))
        intervals(panel, outer, inner, skills.is_posterior)
        panel.axvline(0, color=GREY, lw=0.9, zorder=1)
        name_rows(panel, rows)
        panel.set_xlabel("loading (link scale per unit of skill)", fontsize=8.5)
    _caption(figure, skills, "What each skill moves", "loadings")
    legend(figure, axes)
    return figure


def plot_aligned(alignment: Alignment, *, ax: OnAxes = None) -> Sheet:
    """Draw the aligned loadings, as `plot_loadings` does.

    Parameters
    ----------
    alignment
        From `latentscale.align`.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `alignment` is not what `latentscale.align` returns.

    Examples
    --------
    >>> spec = fit.spec.with_({"skills.identify": {"kind": "free"}})
    >>> free = ls.fit(spec, fit.scores, method=ls.Laplace(draws=50), seed=1, progress=False)
    >>> ls.plots.plot_aligned(ls.align(free)).savefig("figure.png")
    """
    expect(alignment, Alignment, "alignment")
    return plot_loadings(skills_of(alignment.fit), ax=ax)


def plot_family_skills(skills: Skills, families: Sequence[str], *, ax: OnAxes = None) -> Sheet:
    """Draw the skills of some families side by side, with 50% and 90% intervals.

    What a family adds to the skills of its members beyond size, tokens and other covariates.

    Parameters
    ----------
    skills
        From `latentscale.skills`.
    families
        Fitted families, at most 12.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If a family is not in the fit, or there are none or too many.
    SpecError
        If the spec gives families no level.

    Examples
    --------
    >>> sheet = ls.plots.plot_family_skills(ls.skills(fit), ["qwen2", "llama-2"])
    >>> sheet.savefig("figure.png")
    """
    expect(skills, Skills, "skills")
    wide, narrow = skills.families(WIDE), skills.families(NARROW)
    chosen = _checked(families, list(dict.fromkeys(wide[FAMILY])))
    names = [str(name) for name in skills.loading[SKILL].values]
    figure, axes = _rows_of(names, len(chosen), ax)
    headings(axes, [of_skill(name) for name in names], beside=chosen)
    for name, panel in zip(names, axes, strict=True):
        outer, inner = (
            table[table["skill"] == name].set_index(FAMILY).loc[chosen].reset_index()
            for table in (wide, narrow)
        )
        intervals(panel, outer, inner, skills.is_posterior)
        panel.axvline(0, color=GREY, lw=0.9, zorder=1)
        name_rows(panel, chosen)
        panel.set_xlabel(f"family's skill, {zero_of(skills)} = 0", fontsize=8.5)
    _caption(
        figure,
        skills,
        "Skills of families at equal size, tokens and other covariates",
        "family skills",
    )
    legend(figure, axes)
    return figure


def zero_of(skills: Skills) -> str:
    """Return what a family's skill of 0 means, in words.

    Levels are centred on the fitted families, or on the lineages where there are lineages; levels
    that are not pooled are not centred.
    """
    assert skills.family is not None  # the callers have checked
    mean = abs(skills.family.mean(FAMILY))
    if float(mean.max()) <= _ROUNDING * float(abs(skills.family).max()):
        return "average of families"
    return "level of the intercepts" if skills.population is None else "population mean"


def plot_variance_shares(shares: VarianceShares, *, ax: OnAxes = None) -> Sheet:
    """Draw what makes scores vary over models: stacked posterior means, one bar per benchmark.

    A negative share (a term that offsets the others) is drawn left of 0.

    Parameters
    ----------
    shares
        From `latentscale.studies.variance_shares`.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `shares` is not what `latentscale.studies.variance_shares` returns.

    Examples
    --------
    >>> shares = ls.studies.variance_shares(fit, draws=50)
    >>> ls.plots.plot_variance_shares(shares).savefig("figure.png")
    """
    expect(shares, VarianceShares, "shares")
    table = shares.table(WIDE).pivot(index="benchmark", columns="component", values="mean")
    rows = [str(name) for name in shares.draws["benchmark"].values]
    table = table.loc[rows, [str(name) for name in shares.draws["component"].values]]
    height = max(1.6, 0.28 * len(rows) + 0.5)
    figure, axes = panels(1, columns=1, width=6.6, height=height, ax=ax)
    panel = axes[0]
    place = np.arange(len(rows))
    right, left = np.zeros(len(rows)), np.zeros(len(rows))
    fills = _fills([str(name) for name in table.columns])
    for component in table.columns:
        colour, hatch = fills[component]
        share = table[component].to_numpy(dtype=float)
        if not share.any():  # a term without effect on this table
            continue
        start = np.where(share >= 0, right, left)
        panel.barh(
            place,
            share,
            left=start,
            height=0.74,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.5,
            label=component,
        )
        right, left = right + np.clip(share, 0, None), left + np.clip(share, None, 0)
    name_rows(panel, rows)
    panel.grid(axis="y", visible=False)
    percent_axis(panel.xaxis)
    panel.set_xlim(min(0.0, float(left.min()) * 1.05), float(right.max()))
    panel.set_xlabel("share of the variance of scores over models (%)", fontsize=8.5)
    offset = "\nA component with a share below zero offsets the others."
    unvaried = f"\nNot drawn, as fewer than two models have scores: {listed(shares.left_out)}."
    title(
        figure,
        "What makes models differ",
        "Posterior means; each bar sums to 100%.\n"
        "Noise is a share on the scale of scores; the rest is divided on the link's scale."
        + (offset if left.min() < -_VISIBLE else "")
        + (unvaried if shares.left_out else ""),
        shares.notes,
    )
    legend(figure, axes)
    return figure


def _fills(names: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Return colour and hatch of each component: the same in every figure, whatever its spec."""
    known = [*components(TERMS.values()), *_FILLS_OF_RESTS]
    terms = [*known[: -len(_FILLS_OF_RESTS)], *(name for name in names if name not in known)]
    by_term = {name: FILLS[place % len(FILLS)] for place, name in enumerate(terms)}
    return by_term | _FILLS_OF_RESTS


def _rows_of(names: Sequence[str], rows: int, ax: OnAxes) -> tuple[Sheet, list[Axes]]:
    columns = min(len(names), _COLUMNS)
    height = max(1.4, 0.22 * rows + 0.7)
    return panels(len(names), columns=columns, width=2.6, height=height, ax=ax)


def of_skill(name: str) -> str:
    """Return a skill's name after the word "skill", unless the name begins with it."""
    return name if name.startswith("skill") else f"skill {name}"


def _caption(figure: Sheet, skills: Skills, headline: str, what: str) -> None:
    bars = f"Bars: {NARROW:.0%} and {WIDE:.0%} intervals of {what}."
    title(figure, headline, bars if skills.is_posterior else "", skills.notes)


def _checked(families: Sequence[str], known: list[str]) -> list[str]:
    if isinstance(families, str) or not 1 <= len(families) <= _MOST_FAMILIES:
        raise DataError(
            f"families must be a list of 1 to {_MOST_FAMILIES} names; got {families!r}."
        )
    unknown = [name for name in families if name not in known]
    if unknown:
        raise DataError(f"Families not in the fit: {listed(unknown)}." + nearest(unknown[0], known))
    return list(families)
