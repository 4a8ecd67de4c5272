"""Plots, drawn with matplotlib from what the analysis returns."""

from __future__ import annotations

from latentscale.plots.allocate import plot_allocation
from latentscale.plots.calibration import (
    plot_coverage,
    plot_leave_one_out,
    plot_pit,
    plot_reliability,
)
from latentscale.plots.capability_index import plot_capability_index
from latentscale.plots.check import plot_outliers, plot_predictive, plot_residuals
from latentscale.plots.choice import (
    plot_compute_needed,
    plot_few_shot,
    plot_next_benchmark,
    plot_passing,
    plot_regression,
)
from latentscale.plots.comparison import plot_compare
from latentscale.plots.criteria import plot_criteria
from latentscale.plots.curve import plot_curve
from latentscale.plots.explanation import plot_explanation
from latentscale.plots.forecast import plot_forecast
from latentscale.plots.frontier import plot_frontier
from latentscale.plots.joint import plot_joint_skills
from latentscale.plots.probe_set import plot_probe_set
from latentscale.plots.sensitivity import plot_influence, plot_sensitivity, plot_tornado
from latentscale.plots.skills import (
    plot_aligned,
    plot_family_skills,
    plot_loadings,
    plot_variance_shares,
)

__all__ = [
    "plot_aligned",
    "plot_allocation",
    "plot_capability_index",
    "plot_compare",
    "plot_compute_needed",
    "plot_coverage",
    "plot_criteria",
    "plot_curve",
    "plot_explanation",
    "plot_family_skills",
    "plot_few_shot",
    "plot_forecast",
    "plot_frontier",
    "plot_influence",
    "plot_joint_skills",
    "plot_leave_one_out",
    "plot_loadings",
    "plot_next_benchmark",
    "plot_outliers",
    "plot_passing",
    "plot_pit",
    "plot_predictive",
    "plot_probe_set",
    "plot_regression",
    "plot_reliability",
    "plot_residuals",
    "plot_sensitivity",
    "plot_tornado",
    "plot_variance_shares",
]


def __dir__() -> list[str]:
    return sorted(__all__)
