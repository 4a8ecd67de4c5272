"""Plots, drawn with matplotlib from what the analysis returns."""

from __future__ import annotations

from latentscale.plots.allocate import plot_allocation
from latentscale.plots.calibration import plot_coverage, plot_pit, plot_reliability
from latentscale.plots.curve import plot_curve
from latentscale.plots.forecast import plot_forecast
from latentscale.plots.skills import plot_family_skills, plot_loadings, plot_variance_shares

__all__ = [
    "plot_allocation",
    "plot_coverage",
    "plot_curve",
    "plot_family_skills",
    "plot_forecast",
    "plot_loadings",
    "plot_pit",
    "plot_reliability",
    "plot_variance_shares",
]
