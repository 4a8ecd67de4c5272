"""Analyses that are needed less often than the ones in `latentscale` itself.

For a fit: explanations of forecasts, sources of the variance of scores, relations of skills to
outcomes and to another fit's skills, undisclosed tokens, predictive checks, the influence of single
families, other priors, and forecasts of many new models, each from its own scores. For backtests:
scores and calibration.
"""

from __future__ import annotations

from latentscale.analysis.checks.calibrate import pit_histogram, reliability, summarise
from latentscale.analysis.checks.compare import compare_backtests
from latentscale.analysis.checks.predictive import posterior_predictive, prior_predictive
from latentscale.analysis.checks.recalibrate import nominal_for
from latentscale.analysis.checks.replicated import with_posterior_predictive
from latentscale.analysis.choices.target import Target
from latentscale.analysis.forecasts.each import predict_each
from latentscale.analysis.forecasts.explain import explain
from latentscale.analysis.sensitivity.anchor_variants import anchor_variants
from latentscale.analysis.sensitivity.influence import family_influence
from latentscale.analysis.sensitivity.sensitivity_grid import (
    leave_families_out,
    sensitivity_grid,
)
from latentscale.analysis.skills.agreement import skill_agreement
from latentscale.analysis.skills.criteria import information_criteria
from latentscale.analysis.skills.regression import RegressionPrior, regress_on_skills
from latentscale.analysis.skills.undisclosed import undisclosed
from latentscale.analysis.skills.variance import variance_shares

__all__ = [
    "RegressionPrior",
    "Target",
    "anchor_variants",
    "compare_backtests",
    "explain",
    "family_influence",
    "information_criteria",
    "leave_families_out",
    "nominal_for",
    "pit_histogram",
    "posterior_predictive",
    "predict_each",
    "prior_predictive",
    "regress_on_skills",
    "reliability",
    "sensitivity_grid",
    "skill_agreement",
    "summarise",
    "undisclosed",
    "variance_shares",
    "with_posterior_predictive",
]


def __dir__() -> list[str]:
    return sorted(__all__)
