"""Joint density of families' skills, two skills at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil, sqrt
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy.stats import gaussian_kde

from latentscale.analysis.skills.skills import Skills
from latentscale.dims import FAMILY, SAMPLE, SKILL
from latentscale.errors import DataError, FitError, SpecError, listed, nearest
from latentscale.expect import expect, expect_names
from latentscale.plots.labels import distinct
from latentscale.plots.skills import of_skill, zero_of
from latentscale.plots.style import (
    BLACK,
    BLUE,
    VERMILLION,
    OnAxes,
    Sheet,
    heading,
    legend,
    panels,
    title,
)

_COLOURS: Final = (BLUE, VERMILLION, "#009E73", BLACK)  # Okabe and Ito 2008
_MARKERS: Final = ("o", "s", "^", "D")
"""Markers of the medians: a colour-blind reader tells families apart by them."""
_MOST_FAMILIES: Final = len(_COLOURS)
_PROBS: Final = (0.9, 0.5)
"""Probabilities inside the outer and inner contours, as in the other figures."""
_GRID: Final = 90
"""Grid points per side: contours look smooth on a panel of 3 inches."""
_FEWEST: Final = 50
"""With this many draws 5 lie outside a 90% contour; with fewer its position is noise."""
_MARGIN: Final = 0.35
"""Margin around the draws, as a share of their range: the kernels' tails end inside."""
_LETTERS: Final = 24
"""Letters of a skill's name next to an axis: at 9 points they fit the height of a panel."""
_MOST_PANELS: Final = 6
"""Pairs of four skills: more cannot be read as one figure."""


def plot_joint_skills(
    skills: Skills,
    families: Sequence[str],
    pair: tuple[str, str] | None = None,
    *,
    ax: OnAxes = None,
) -> Sheet:
    """Draw the joint posterior density of families' skills, with 50% and 90% contours.

    Contours come from kernel density estimates of the draws; where two families' contours are
    separate, the fit distinguishes the families on the two skills jointly.

    Parameters
    ----------
    skills
        From `latentscale.skills`.
    families
        One to four fitted families.
    pair
        Two skills; by default every pair of the fit's skills, at most six panels.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    DataError
        If a family or a skill is not in the fit, or there are none or too many.
    SpecError
        If the spec gives families no level, or has one skill, or the fit is a point estimate.
    FitError
        If the fit has fewer than 50 draws, or a skill of a family is the same in all draws.

    Examples
    --------
    >>> sheet = ls.plots.plot_joint_skills(ls.skills(fit), ["qwen2", "llama-2"])
    >>> sheet.savefig("figure.png")
    """
    expect(skills, Skills, "skills")
    if skills.family is None or not skills.is_posterior:
        raise SpecError(
            "A joint density of families needs posterior draws of families' levels; this fit has "
            "none. Fit a spec with family.level by NUTS."
        )
    count = skills.family.sizes[SAMPLE]
    if count < _FEWEST:
        raise FitError(
            f"A density of families' skills needs at least {_FEWEST} draws; this fit has {count}. "
            "Fit with more draws, or use plot_family_skills."
        )
    known = [str(name) for name in skills.family[FAMILY].values]
    chosen = _checked(families, known, "families", _MOST_FAMILIES)
    names = [str(name) for name in skills.family[SKILL].values]
    pairs = _pairs(pair, names)
    shown = dict(zip(names, distinct(names, _LETTERS), strict=True))
    columns = min(len(pairs), ceil(sqrt(len(pairs))))
    figure, axes = panels(len(pairs), columns=columns, width=3.3, height=2.9, share_y=False, ax=ax)
    for (across, up), panel in zip(pairs, axes, strict=True):
        heading(panel, f"{shown[across]} and {shown[up]}")
        panel.axhline(0, color="#BBBBBB", lw=0.8, zorder=1)
        panel.axvline(0, color="#BBBBBB", lw=0.8, zorder=1)
        for family, colour, marker in zip(chosen, _COLOURS, _MARKERS, strict=False):
            draws = skills.family.sel({FAMILY: family}).transpose(SAMPLE, SKILL)
            points = np.stack([draws.sel({SKILL: one}).values for one in (across, up)])
            _refuse_flat(points, (across, up), family)
            _contours(panel, points, colour, marker)
        panel.set_xlabel(of_skill(shown[across]), parse_math=False)
        panel.set_ylabel(of_skill(shown[up]), parse_math=False)
    title(
        figure,
        "Skills of families, two at a time",
        "Contours hold 50% and 90% of the posterior draws; markers are medians; "
        f"{zero_of(skills)} = 0.",
        skills.notes,
    )
    legend(figure, axes, _marks(chosen))
    return figure


def _refuse_flat(points: np.ndarray, pair: tuple[str, str], family: str) -> None:
    """Refuse draws that lie on a line, which have no density in the plane."""
    for name, values in zip(pair, points, strict=True):
        if np.ptp(values) == 0:
            raise FitError(
                f'Skill "{name}" of family "{family}" is the same in all draws, so it has no '
                "density; use plot_family_skills."
            )
    if np.linalg.matrix_rank(np.cov(points)) < len(pair):
        raise FitError(
            f'Skills "{pair[0]}" and "{pair[1]}" of family "{family}" lie on one line in all '
            "draws, so they have no joint density; use plot_family_skills."
        )


def _contours(panel: Axes, points: np.ndarray, colour: str, marker: str) -> None:
    density = gaussian_kde(points)
    low, high = points.min(axis=1), points.max(axis=1)
    room = _MARGIN * (high - low)
    x, y = (np.linspace(a, b, _GRID) for a, b in zip(low - room, high + room, strict=True))
    height = density(np.stack([axis.ravel() for axis in np.meshgrid(x, y)])).reshape(_GRID, _GRID)
    levels = np.quantile(density(points), [1 - prob for prob in _PROBS])
    panel.contourf(x, y, height, levels=[*levels, height.max()], colors=colour, alpha=0.28)
    panel.contour(x, y, height, levels=levels, colors=colour, linewidths=(0.9, 1.6))
    panel.plot(*np.median(points, axis=1), marker=marker, ms=4, color=colour, zorder=4)


def _marks(families: list[str]) -> dict[str, Line2D]:
    """Return what stands for each family and each contour in the legend."""
    marks = {
        name: Line2D([], [], color=colour, lw=1.6, marker=marker, ms=4)
        for name, colour, marker in zip(families, _COLOURS, _MARKERS, strict=False)
    }
    for prob, width in zip(_PROBS, (0.9, 1.6), strict=True):
        marks[f"{prob:.0%} of draws"] = Line2D([], [], color="#666666", lw=width)
    return marks


def _pairs(pair: tuple[str, str] | None, names: list[str]) -> list[tuple[str, str]]:
    if len(names) < 2:
        raise SpecError("A joint density needs a spec with two skills or more; this one has one.")
    if pair is None:
        every = list(combinations(names, 2))
        if len(every) > _MOST_PANELS:
            raise DataError(
                f"{len(names)} skills have {len(every)} pairs, more than {_MOST_PANELS} panels: "
                f"give pair= two of {listed(names)}."
            )
        return every
    two = _checked(pair, names, "pair", 2)
    if len(two) != 2:
        raise DataError(f"pair must be two of the skills {listed(names)}; got {listed(two)}.")
    return [(two[0], two[1])]


def _checked(given: object, known: list[str], what: str, most: int) -> list[str]:
    names = list(expect_names(given, what, f"[{listed(known[:2])}]"))
    if not 1 <= len(names) <= most:
        raise DataError(f"{what} must be a list of 1 to {most} names; got {len(names)}.")
    for name in names:
        if name not in known:
            raise DataError(f'{what}: "{name}" is not in the fit.' + nearest(name, known))
    if len(set(names)) < len(names):
        raise DataError(f"{what} has a repeated name: {listed(names)}.")
    return names
