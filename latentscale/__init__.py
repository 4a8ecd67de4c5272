"""Bayesian scaling laws with latent skills for families of language models.

Declare (`load_spec`), fit (`fit`), analyse (`diagnose`, `predict`, `scaling_curve`): three
separate steps. Names are imported when first used, so that ``import latentscale`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from latentscale.dims import VERSION

if TYPE_CHECKING:
    from latentscale.analysis import folds
    from latentscale.analysis.agreement import SkillAgreement, skill_agreement
    from latentscale.analysis.align import Alignment, align
    from latentscale.analysis.allocate import Allocation, optimal_allocation
    from latentscale.analysis.backtest import backtest
    from latentscale.analysis.calibrate import pit_histogram, reliability, summarise
    from latentscale.analysis.check import FitCheck, check
    from latentscale.analysis.compare import Comparison, compare, compare_backtests
    from latentscale.analysis.condition import Conditioning, FewShot
    from latentscale.analysis.criteria import Criteria, information_criteria
    from latentscale.analysis.curves import Curve, scaling_curve
    from latentscale.analysis.diagnose import Diagnosis, diagnose
    from latentscale.analysis.forecast import Forecast, predict
    from latentscale.analysis.influence import FamilyInfluence, family_influence
    from latentscale.analysis.leave_one_out import LeaveOneOut, leave_one_out
    from latentscale.analysis.next_benchmark import NextBenchmark, next_benchmark
    from latentscale.analysis.predictive import (
        PredictiveCheck,
        posterior_predictive,
        prior_predictive,
    )
    from latentscale.analysis.regression import (
        OutcomeForecast,
        RegressionPrior,
        SkillRegression,
        regress_on_skills,
    )
    from latentscale.analysis.rotations import Geomin, Oblimin, PrincipalAxes, Quartimax, Varimax
    from latentscale.analysis.sensitivity import Sensitivity, sensitivity
    from latentscale.analysis.sensitivity_grid import (
        SensitivityGrid,
        anchor_variants,
        leave_families_out,
        sensitivity_grid,
    )
    from latentscale.analysis.skills import Skills, skills
    from latentscale.analysis.stack import stack
    from latentscale.analysis.target import Target
    from latentscale.analysis.targets import (
        ComputeNeeded,
        Passing,
        flops_for_target,
        probability_above,
    )
    from latentscale.analysis.undisclosed import Undisclosed, undisclosed
    from latentscale.analysis.variance import VarianceShares, variance_shares
    from latentscale.data import datasets, readers
    from latentscale.data.benchmarks import Benchmark
    from latentscale.data.features.base import Feature
    from latentscale.data.scores import Scores
    from latentscale.errors import (
        DataError,
        DataWarning,
        FitError,
        FitWarning,
        LatentscaleError,
        SpecError,
    )
    from latentscale.inference.laplace import Laplace
    from latentscale.inference.marginal.estimate import MarginalEstimate
    from latentscale.inference.marginal.method import MarginalML, marginal_estimate
    from latentscale.inference.marginal.stochastic import StochasticMarginalML
    from latentscale.inference.nuts import NUTS
    from latentscale.inference.pathfinder import Pathfinder
    from latentscale.inference.resume import resume
    from latentscale.inference.run import fit
    from latentscale.inference.start import ModeStart, PriorStart
    from latentscale.inference.variational import ADVI
    from latentscale.model.build import build
    from latentscale.model.simulate import Simulation, simulate
    from latentscale.posterior.fit import Fit
    from latentscale.posterior.storage import load_fit as load
    from latentscale.reporting.report import report
    from latentscale.spec.io import load_spec, shipped_specs
    from latentscale.spec.prior import Prior
    from latentscale.spec.spec import ModelSpec

__version__ = VERSION

_HOME = {
    "ADVI": "latentscale.inference.variational:ADVI",
    "Alignment": "latentscale.analysis.align:Alignment",
    "Allocation": "latentscale.analysis.allocate:Allocation",
    "Benchmark": "latentscale.data.benchmarks:Benchmark",
    "Comparison": "latentscale.analysis.compare:Comparison",
    "ComputeNeeded": "latentscale.analysis.targets:ComputeNeeded",
    "Conditioning": "latentscale.analysis.condition:Conditioning",
    "Criteria": "latentscale.analysis.criteria:Criteria",
    "Curve": "latentscale.analysis.curves:Curve",
    "DataError": "latentscale.errors:DataError",
    "DataWarning": "latentscale.errors:DataWarning",
    "Diagnosis": "latentscale.analysis.diagnose:Diagnosis",
    "FamilyInfluence": "latentscale.analysis.influence:FamilyInfluence",
    "Feature": "latentscale.data.features.base:Feature",
    "FewShot": "latentscale.analysis.condition:FewShot",
    "Fit": "latentscale.posterior.fit:Fit",
    "FitCheck": "latentscale.analysis.check:FitCheck",
    "FitError": "latentscale.errors:FitError",
    "FitWarning": "latentscale.errors:FitWarning",
    "Forecast": "latentscale.analysis.forecast:Forecast",
    "Geomin": "latentscale.analysis.rotations:Geomin",
    "Laplace": "latentscale.inference.laplace:Laplace",
    "LatentscaleError": "latentscale.errors:LatentscaleError",
    "LeaveOneOut": "latentscale.analysis.leave_one_out:LeaveOneOut",
    "MarginalEstimate": "latentscale.inference.marginal.estimate:MarginalEstimate",
    "MarginalML": "latentscale.inference.marginal.method:MarginalML",
    "ModeStart": "latentscale.inference.start:ModeStart",
    "ModelSpec": "latentscale.spec.spec:ModelSpec",
    "NUTS": "latentscale.inference.nuts:NUTS",
    "NextBenchmark": "latentscale.analysis.next_benchmark:NextBenchmark",
    "Oblimin": "latentscale.analysis.rotations:Oblimin",
    "OutcomeForecast": "latentscale.analysis.regression:OutcomeForecast",
    "Passing": "latentscale.analysis.targets:Passing",
    "Pathfinder": "latentscale.inference.pathfinder:Pathfinder",
    "PredictiveCheck": "latentscale.analysis.predictive:PredictiveCheck",
    "PrincipalAxes": "latentscale.analysis.rotations:PrincipalAxes",
    "Prior": "latentscale.spec.prior:Prior",
    "PriorStart": "latentscale.inference.start:PriorStart",
    "Quartimax": "latentscale.analysis.rotations:Quartimax",
    "RegressionPrior": "latentscale.analysis.regression:RegressionPrior",
    "Scores": "latentscale.data.scores:Scores",
    "Sensitivity": "latentscale.analysis.sensitivity:Sensitivity",
    "SensitivityGrid": "latentscale.analysis.sensitivity_grid:SensitivityGrid",
    "Simulation": "latentscale.model.simulate:Simulation",
    "SkillAgreement": "latentscale.analysis.agreement:SkillAgreement",
    "SkillRegression": "latentscale.analysis.regression:SkillRegression",
    "Skills": "latentscale.analysis.skills:Skills",
    "SpecError": "latentscale.errors:SpecError",
    "StochasticMarginalML": "latentscale.inference.marginal.stochastic:StochasticMarginalML",
    "Target": "latentscale.analysis.target:Target",
    "Undisclosed": "latentscale.analysis.undisclosed:Undisclosed",
    "VarianceShares": "latentscale.analysis.variance:VarianceShares",
    "Varimax": "latentscale.analysis.rotations:Varimax",
    "align": "latentscale.analysis.align:align",
    "anchor_variants": "latentscale.analysis.sensitivity_grid:anchor_variants",
    "backtest": "latentscale.analysis.backtest:backtest",
    "build": "latentscale.model.build:build",
    "check": "latentscale.analysis.check:check",
    "compare": "latentscale.analysis.compare:compare",
    "compare_backtests": "latentscale.analysis.compare:compare_backtests",
    "datasets": "latentscale.data.datasets",
    "diagnose": "latentscale.analysis.diagnose:diagnose",
    "family_influence": "latentscale.analysis.influence:family_influence",
    "fit": "latentscale.inference.run:fit",
    "flops_for_target": "latentscale.analysis.targets:flops_for_target",
    "folds": "latentscale.analysis.folds",
    "information_criteria": "latentscale.analysis.criteria:information_criteria",
    "leave_families_out": "latentscale.analysis.sensitivity_grid:leave_families_out",
    "leave_one_out": "latentscale.analysis.leave_one_out:leave_one_out",
    "load": "latentscale.posterior.storage:load_fit",
    "load_spec": "latentscale.spec.io:load_spec",
    "marginal_estimate": "latentscale.inference.marginal.method:marginal_estimate",
    "next_benchmark": "latentscale.analysis.next_benchmark:next_benchmark",
    "optimal_allocation": "latentscale.analysis.allocate:optimal_allocation",
    "pit_histogram": "latentscale.analysis.calibrate:pit_histogram",
    "posterior_predictive": "latentscale.analysis.predictive:posterior_predictive",
    "predict": "latentscale.analysis.forecast:predict",
    "prior_predictive": "latentscale.analysis.predictive:prior_predictive",
    "probability_above": "latentscale.analysis.targets:probability_above",
    "readers": "latentscale.data.readers",
    "regress_on_skills": "latentscale.analysis.regression:regress_on_skills",
    "reliability": "latentscale.analysis.calibrate:reliability",
    "report": "latentscale.reporting.report:report",
    "resume": "latentscale.inference.resume:resume",
    "scaling_curve": "latentscale.analysis.curves:scaling_curve",
    "sensitivity": "latentscale.analysis.sensitivity:sensitivity",
    "sensitivity_grid": "latentscale.analysis.sensitivity_grid:sensitivity_grid",
    "shipped_specs": "latentscale.spec.io:shipped_specs",
    "simulate": "latentscale.model.simulate:simulate",
    "skill_agreement": "latentscale.analysis.agreement:skill_agreement",
    "skills": "latentscale.analysis.skills:skills",
    "stack": "latentscale.analysis.stack:stack",
    "summarise": "latentscale.analysis.calibrate:summarise",
    "undisclosed": "latentscale.analysis.undisclosed:undisclosed",
    "variance_shares": "latentscale.analysis.variance:variance_shares",
}

__all__ = [
    "ADVI",
    "NUTS",
    "Alignment",
    "Allocation",
    "Benchmark",
    "Comparison",
    "ComputeNeeded",
    "Conditioning",
    "Criteria",
    "Curve",
    "DataError",
    "DataWarning",
    "Diagnosis",
    "FamilyInfluence",
    "Feature",
    "FewShot",
    "Fit",
    "FitCheck",
    "FitError",
    "FitWarning",
    "Forecast",
    "Geomin",
    "Laplace",
    "LatentscaleError",
    "LeaveOneOut",
    "MarginalEstimate",
    "MarginalML",
    "ModeStart",
    "ModelSpec",
    "NextBenchmark",
    "Oblimin",
    "OutcomeForecast",
    "Passing",
    "Pathfinder",
    "PredictiveCheck",
    "PrincipalAxes",
    "Prior",
    "PriorStart",
    "Quartimax",
    "RegressionPrior",
    "Scores",
    "Sensitivity",
    "SensitivityGrid",
    "Simulation",
    "SkillAgreement",
    "SkillRegression",
    "Skills",
    "SpecError",
    "StochasticMarginalML",
    "Target",
    "Undisclosed",
    "VarianceShares",
    "Varimax",
    "align",
    "anchor_variants",
    "backtest",
    "build",
    "check",
    "compare",
    "compare_backtests",
    "datasets",
    "diagnose",
    "family_influence",
    "fit",
    "flops_for_target",
    "folds",
    "information_criteria",
    "leave_families_out",
    "leave_one_out",
    "load",
    "load_spec",
    "marginal_estimate",
    "next_benchmark",
    "optimal_allocation",
    "pit_histogram",
    "posterior_predictive",
    "predict",
    "prior_predictive",
    "probability_above",
    "readers",
    "regress_on_skills",
    "reliability",
    "report",
    "resume",
    "scaling_curve",
    "sensitivity",
    "sensitivity_grid",
    "shipped_specs",
    "simulate",
    "skill_agreement",
    "skills",
    "stack",
    "summarise",
    "undisclosed",
    "variance_shares",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'latentscale' has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    found = import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
