"""What the verbs return: with `.table(prob)`, a short text, and `.plot()` if it has a picture."""

from __future__ import annotations

from latentscale.analysis.checks.check import FitCheck
from latentscale.analysis.checks.compare import Comparison
from latentscale.analysis.checks.diagnose import Diagnosis
from latentscale.analysis.checks.leave_one_out import LeaveOneOut
from latentscale.analysis.checks.predictive import PredictiveCheck
from latentscale.analysis.choices.allocate import Allocation
from latentscale.analysis.choices.next_benchmark import NextBenchmark
from latentscale.analysis.choices.probe_set import ProbeSet
from latentscale.analysis.curves.compute_needed import ComputeNeeded
from latentscale.analysis.curves.curves import Curve
from latentscale.analysis.curves.frontier import Frontier
from latentscale.analysis.curves.passing import Passing
from latentscale.analysis.forecasts.each import Forecasts
from latentscale.analysis.forecasts.explanation import Explanation
from latentscale.analysis.forecasts.few_shot import Conditioning
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.sensitivity.elicit import Elicited
from latentscale.analysis.sensitivity.influence import FamilyInfluence
from latentscale.analysis.sensitivity.sensitivity import Sensitivity
from latentscale.analysis.sensitivity.sensitivity_grid import SensitivityGrid
from latentscale.analysis.skills.agreement import SkillAgreement
from latentscale.analysis.skills.align import Alignment
from latentscale.analysis.skills.capability_index import CapabilityIndex
from latentscale.analysis.skills.criteria import Criteria
from latentscale.analysis.skills.regression import OutcomeForecast, SkillRegression
from latentscale.analysis.skills.skills import Skills
from latentscale.analysis.skills.undisclosed import Undisclosed
from latentscale.analysis.skills.variance import VarianceShares
from latentscale.inference.marginal.estimate import MarginalEstimate
from latentscale.model.simulate import Simulation
from latentscale.model.spec_for import SpecChoice
from latentscale.result import Result

__all__ = [
    "Alignment",
    "Allocation",
    "CapabilityIndex",
    "Comparison",
    "ComputeNeeded",
    "Conditioning",
    "Criteria",
    "Curve",
    "Diagnosis",
    "Elicited",
    "Explanation",
    "FamilyInfluence",
    "FitCheck",
    "Forecast",
    "Forecasts",
    "Frontier",
    "LeaveOneOut",
    "MarginalEstimate",
    "NextBenchmark",
    "OutcomeForecast",
    "Passing",
    "PredictiveCheck",
    "ProbeSet",
    "Result",
    "Sensitivity",
    "SensitivityGrid",
    "Simulation",
    "SkillAgreement",
    "SkillRegression",
    "Skills",
    "SpecChoice",
    "Undisclosed",
    "VarianceShares",
]


def __dir__() -> list[str]:
    return sorted(__all__)
