"""What a legend names, looked up in a panel."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes


def labelled(panel: Axes, label: str) -> Any:
    """Return what a panel's legend names so."""
    handles, labels = panel.get_legend_handles_labels()
    return handles[labels.index(label)]
