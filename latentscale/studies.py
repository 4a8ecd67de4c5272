"""Questions that are asked less often than those of `latentscale` itself.

Of a fit: what makes scores vary, how skills go with outcomes and with another fit's, undisclosed
tokens, predictive checks, single families, other priors. Of backtests: scores and calibration.
"""

from __future__ import annotations

from latentscale.analysis.agreement import skill_agreement
from latentscale.analysis.calibrate import pit_histogram, reliability, summarise
from latentscale.analysis.compare import compare_backtests
from latentscale.analysis.criteria import information_criteria
from latentscale.analysis.influence import family_influence
from latentscale.analysis.predictive import posterior_predictive, prior_predictive
from latentscale.analysis.regression import RegressionPrior, regress_on_skills
from latentscale.analysis.sensitivity_grid import (
    anchor_variants,
    leave_families_out,
    sensitivity_grid,
)
from latentscale.analysis.target import Target
from latentscale.analysis.undisclosed import undisclosed
from latentscale.analysis.variance import variance_shares

__all__ = [
    "RegressionPrior",
    "Target",
    "anchor_variants",
    "compare_backtests",
    "family_influence",
    "information_criteria",
    "leave_families_out",
    "pit_histogram",
    "posterior_predictive",
    "prior_predictive",
    "regress_on_skills",
    "reliability",
    "sensitivity_grid",
    "skill_agreement",
    "summarise",
    "undisclosed",
    "variance_shares",
]
