"""Parts that every figure shares."""

from __future__ import annotations

import numpy as np
import pytest

from latentscale.plots.style import panels, percent_axis


@pytest.mark.parametrize("high", [0.01, 0.025, 0.03, 0.1, 0.25, 0.5, 1.0, 1.2])
def test_percent_ticks_say_where_they_are(high: float) -> None:
    figure, (panel,) = panels(1, columns=1, width=3, height=2)
    panel.set_ylim(-high / 3, high)
    percent_axis(panel.yaxis)
    figure.canvas.draw()
    texts = [text.get_text().replace("\u2212", "-") for text in panel.get_yticklabels()]
    np.testing.assert_allclose([float(text) / 100 for text in texts], panel.get_yticks(), atol=1e-9)
    assert max(len(text) for text in texts) <= 5
    assert not any(text.endswith((".0", ".00")) for text in texts)
