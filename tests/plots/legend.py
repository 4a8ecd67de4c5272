"""A panel's handles, by their labels in the legend."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes


def labelled(panel: Axes, label: str) -> Any:
    """Return the handle that a panel's legend lists under a label."""
    handles, labels = panel.get_legend_handles_labels()
    return handles[labels.index(label)]
