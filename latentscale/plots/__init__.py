"""Plots, drawn with matplotlib from what the analysis returns."""

from __future__ import annotations

from latentscale.plots.calibration import plot_coverage, plot_pit, plot_reliability
from latentscale.plots.curve import plot_curve
from latentscale.plots.forecast import plot_forecast

__all__ = ["plot_coverage", "plot_curve", "plot_forecast", "plot_pit", "plot_reliability"]
