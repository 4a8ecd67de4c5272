"""The plot of AIC and BIC along the number of skills."""

from __future__ import annotations

from matplotlib.ticker import MaxNLocator

from latentscale.analysis.skills.criteria import Criteria
from latentscale.expect import expect
from latentscale.plots.style import BLUE, VERMILLION, OnAxes, Sheet, legend, panels, title

_LINES = {"aic": ("AIC", BLUE, "o"), "bic": ("BIC", VERMILLION, "s")}


def plot_criteria(criteria: Criteria, *, ax: OnAxes = None) -> Sheet:
    """Draw AIC and BIC above their smallest value; smaller is better.

    Fits that did not converge are drawn hollow.

    Parameters
    ----------
    criteria
        From `latentscale.studies.information_criteria`.
    ax
        Axes to draw on instead of a new figure, one per panel; their figure is then returned.

    Returns
    -------
    Sheet
        A matplotlib figure, which `plt.show()` shows where pyplot is imported.

    Raises
    ------
    FitError
        If `criteria` is not what `latentscale.studies.information_criteria` returns.

    Examples
    --------
    >>> spec = fit.spec.with_({"family": {"level": "partial"}, "benchmarks.family_effect": False})
    >>> criteria = ls.studies.information_criteria(
    ...     spec, fit.scores, counts=[1], method=ls.MarginalML(starts=1, cores=1), progress=False
    ... )
    >>> ls.plots.plot_criteria(criteria).savefig("figure.png")
    """
    expect(criteria, Criteria, "criteria")
    table = criteria.rows.sort_index()
    figure, (panel,) = panels(1, columns=1, width=4.6, height=3.0, ax=ax)
    for column, (name, colour, marker) in _LINES.items():
        above = table[column] - table[column].min()
        best = int(table[column].idxmin())
        panel.plot(above.index, above, color=colour, lw=1.6, marker=marker, ms=6, label=name)
        unsure = ~table["converged"].astype(bool)
        panel.plot(
            above.index[unsure],
            above[unsure],
            color=colour,
            ls="none",
            marker=marker,
            ms=6,
            mfc="white",
            zorder=3,
        )
        panel.annotate(
            f"{name}: {best}",
            (best, 0),
            xytext=(0, -14 if column == "aic" else 9),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            color=colour,
        )
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("number of skills")
    panel.set_ylabel("criterion minus its minimum")
    panel.margins(y=0.14)
    title(
        figure,
        "Number of skills by information criteria",
        f"Smaller is better. BIC counts {criteria.families} families as units. "
        "Hollow: maximum not found.",
        criteria.notes,
    )
    legend(figure, [panel])
    return figure
