"""Plots, drawn with matplotlib from what the analysis returns."""

from __future__ import annotations

from latentscale.plots.allocate import plot_allocation
from latentscale.plots.curve import plot_curve
from latentscale.plots.forecast import plot_forecast
from latentscale.plots.skills import plot_family_skills, plot_loadings, plot_variance_shares

__all__ = [
    "plot_allocation",
    "plot_curve",
    "plot_family_skills",
    "plot_forecast",
    "plot_loadings",
    "plot_variance_shares",
]
