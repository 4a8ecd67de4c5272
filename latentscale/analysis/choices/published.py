"""Published optima, for comparison with those of a fit."""

from __future__ import annotations

import pandas as pd

SOURCE = "Cai et al. 2025 (arXiv:2512.06553), Table 2"

# Budgets in 1e19 FLOPs; then size (billions) and tokens (trillions) for MATH, IFEval, and for
# HellaSwag and BBH, which share one optimum.
_ROWS: tuple[tuple[float, tuple[float, float], tuple[float, float], tuple[float, float]], ...] = (
    (6.30, (0.07, 0.15), (0.07, 0.15), (0.07, 0.15)),
    (25.15, (0.07, 0.60), (0.13, 0.32), (0.28, 0.15)),
    (100.37, (0.07, 2.39), (0.26, 0.63), (1.12, 0.15)),
    (400.62, (0.07, 9.54), (0.53, 1.27), (4.45, 0.15)),
    (1599.05, (0.18, 15.0), (1.06, 2.52), (17.77, 0.15)),
    (6382.53, (0.71, 15.0), (2.10, 5.05), (70.92, 0.15)),
    (25475.55, (2.83, 15.0), (4.22, 10.06), (180.0, 0.24)),
    (101684.33, (11.30, 15.0), (11.30, 15.0), (180.0, 0.94)),
    (405867.73, (45.10, 15.0), (45.10, 15.0), (180.0, 3.76)),
    (1620000.0, (180.0, 15.0), (180.0, 15.0), (180.0, 15.0)),
)
_TARGETS = {"math_lvl5": 0, "ifeval": 1, "hellaswag": 2, "bbh": 2}

PUBLISHED = pd.DataFrame(
    [
        {
            "target": target,
            "flops": 1e19 * budget,
            "published_params": optima[place][0],
            "published_tokens": optima[place][1],
            "source": SOURCE,
        }
        for target, place in _TARGETS.items()
        for budget, *optima in _ROWS
    ]
)
"""Published optima: one row per target and budget, in FLOPs, billions and trillions."""

SAME_BUDGET = 0.01
"""Relative difference within which budgets count as equal: the published 1.0037e21 is called
1e21."""
ROUNDING = 0.02
"""Relative slack for the rounding of the published optima, which have two decimals."""
