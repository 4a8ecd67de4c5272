"""Plots, drawn with matplotlib from what the analysis returns."""

from __future__ import annotations

from latentscale.plots.calibration import plot_coverage, plot_pit, plot_reliability
from latentscale.plots.check import plot_outliers, plot_predictive, plot_residuals
from latentscale.plots.comparison import plot_compare
from latentscale.plots.curve import plot_curve
from latentscale.plots.forecast import plot_forecast
from latentscale.plots.sensitivity import plot_influence, plot_sensitivity, plot_tornado

__all__ = [
    "plot_compare",
    "plot_coverage",
    "plot_curve",
    "plot_forecast",
    "plot_influence",
    "plot_outliers",
    "plot_pit",
    "plot_predictive",
    "plot_reliability",
    "plot_residuals",
    "plot_sensitivity",
    "plot_tornado",
]
