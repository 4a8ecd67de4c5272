"""Plots, drawn with matplotlib from what the analysis returns."""

from __future__ import annotations

from latentscale.plots.choice import (
    plot_compute_needed,
    plot_few_shot,
    plot_next_benchmark,
    plot_passing,
    plot_regression,
)
from latentscale.plots.curve import plot_curve
from latentscale.plots.forecast import plot_forecast

__all__ = [
    "plot_compute_needed",
    "plot_curve",
    "plot_few_shot",
    "plot_forecast",
    "plot_next_benchmark",
    "plot_passing",
    "plot_regression",
]
