"""Plots, drawn with matplotlib from what the analysis returns."""

from __future__ import annotations

from latentscale.plots.criteria import plot_criteria
from latentscale.plots.curve import plot_curve
from latentscale.plots.forecast import plot_forecast

__all__ = ["plot_criteria", "plot_curve", "plot_forecast"]
