"""What the verbs return: with `.table(prob)`, a short text, and `.plot()` if it has a picture."""

from __future__ import annotations

from latentscale.analysis.agreement import SkillAgreement
from latentscale.analysis.align import Alignment
from latentscale.analysis.allocate import Allocation
from latentscale.analysis.capability_index import CapabilityIndex
from latentscale.analysis.check import FitCheck
from latentscale.analysis.compare import Comparison
from latentscale.analysis.condition import Conditioning
from latentscale.analysis.criteria import Criteria
from latentscale.analysis.curves import Curve
from latentscale.analysis.diagnose import Diagnosis
from latentscale.analysis.forecast import Forecast
from latentscale.analysis.frontier import Frontier
from latentscale.analysis.influence import FamilyInfluence
from latentscale.analysis.leave_one_out import LeaveOneOut
from latentscale.analysis.next_benchmark import NextBenchmark
from latentscale.analysis.predictive import PredictiveCheck
from latentscale.analysis.probe_set import ProbeSet
from latentscale.analysis.regression import OutcomeForecast, SkillRegression
from latentscale.analysis.sensitivity import Sensitivity
from latentscale.analysis.sensitivity_grid import SensitivityGrid
from latentscale.analysis.skills import Skills
from latentscale.analysis.targets import ComputeNeeded, Passing
from latentscale.analysis.undisclosed import Undisclosed
from latentscale.analysis.variance import VarianceShares
from latentscale.inference.marginal.estimate import MarginalEstimate
from latentscale.model.simulate import Simulation
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
    "FamilyInfluence",
    "FitCheck",
    "Forecast",
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
    "Undisclosed",
    "VarianceShares",
]
