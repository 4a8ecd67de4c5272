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
    from latentscale.analysis.backtest import backtest
    from latentscale.analysis.calibrate import pit_histogram, reliability, summarise
    from latentscale.analysis.check import FitCheck, check
    from latentscale.analysis.compare import Comparison, compare, compare_backtests
    from latentscale.analysis.curves import Curve, scaling_curve
    from latentscale.analysis.diagnose import Diagnosis, diagnose
    from latentscale.analysis.forecast import Forecast, predict
    from latentscale.analysis.influence import FamilyInfluence, family_influence
    from latentscale.analysis.leave_one_out import LeaveOneOut, leave_one_out
    from latentscale.analysis.predictive import (
        PredictiveCheck,
        posterior_predictive,
        prior_predictive,
    )
    from latentscale.analysis.sensitivity import Sensitivity, sensitivity
    from latentscale.analysis.sensitivity_grid import (
        SensitivityGrid,
        anchor_variants,
        leave_families_out,
        sensitivity_grid,
    )
    from latentscale.analysis.stack import stack
    from latentscale.data import datasets
    from latentscale.data.benchmarks import Benchmark
    from latentscale.data.scores import Scores
    from latentscale.errors import (
        DataError,
        DataWarning,
        FitError,
        FitWarning,
        LatentscaleError,
        SpecError,
    )
    from latentscale.inference.nuts import NUTS
    from latentscale.inference.run import fit
    from latentscale.model.build import build
    from latentscale.model.simulate import Simulation, simulate
    from latentscale.posterior.fit import Fit
    from latentscale.posterior.storage import load_fit as load
    from latentscale.spec.io import load_spec, shipped_specs
    from latentscale.spec.prior import Prior
    from latentscale.spec.spec import ModelSpec

__version__ = VERSION

_HOME = {
    "Benchmark": "latentscale.data.benchmarks:Benchmark",
    "Comparison": "latentscale.analysis.compare:Comparison",
    "Curve": "latentscale.analysis.curves:Curve",
    "DataError": "latentscale.errors:DataError",
    "DataWarning": "latentscale.errors:DataWarning",
    "Diagnosis": "latentscale.analysis.diagnose:Diagnosis",
    "FamilyInfluence": "latentscale.analysis.influence:FamilyInfluence",
    "Fit": "latentscale.posterior.fit:Fit",
    "FitCheck": "latentscale.analysis.check:FitCheck",
    "FitError": "latentscale.errors:FitError",
    "FitWarning": "latentscale.errors:FitWarning",
    "Forecast": "latentscale.analysis.forecast:Forecast",
    "LatentscaleError": "latentscale.errors:LatentscaleError",
    "LeaveOneOut": "latentscale.analysis.leave_one_out:LeaveOneOut",
    "ModelSpec": "latentscale.spec.spec:ModelSpec",
    "NUTS": "latentscale.inference.nuts:NUTS",
    "PredictiveCheck": "latentscale.analysis.predictive:PredictiveCheck",
    "Prior": "latentscale.spec.prior:Prior",
    "Scores": "latentscale.data.scores:Scores",
    "Sensitivity": "latentscale.analysis.sensitivity:Sensitivity",
    "SensitivityGrid": "latentscale.analysis.sensitivity_grid:SensitivityGrid",
    "Simulation": "latentscale.model.simulate:Simulation",
    "SpecError": "latentscale.errors:SpecError",
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
    "folds": "latentscale.analysis.folds",
    "leave_families_out": "latentscale.analysis.sensitivity_grid:leave_families_out",
    "leave_one_out": "latentscale.analysis.leave_one_out:leave_one_out",
    "load": "latentscale.posterior.storage:load_fit",
    "load_spec": "latentscale.spec.io:load_spec",
    "pit_histogram": "latentscale.analysis.calibrate:pit_histogram",
    "posterior_predictive": "latentscale.analysis.predictive:posterior_predictive",
    "predict": "latentscale.analysis.forecast:predict",
    "prior_predictive": "latentscale.analysis.predictive:prior_predictive",
    "reliability": "latentscale.analysis.calibrate:reliability",
    "scaling_curve": "latentscale.analysis.curves:scaling_curve",
    "sensitivity": "latentscale.analysis.sensitivity:sensitivity",
    "sensitivity_grid": "latentscale.analysis.sensitivity_grid:sensitivity_grid",
    "shipped_specs": "latentscale.spec.io:shipped_specs",
    "simulate": "latentscale.model.simulate:simulate",
    "stack": "latentscale.analysis.stack:stack",
    "summarise": "latentscale.analysis.calibrate:summarise",
}

__all__ = [
    "NUTS",
    "Benchmark",
    "Comparison",
    "Curve",
    "DataError",
    "DataWarning",
    "Diagnosis",
    "FamilyInfluence",
    "Fit",
    "FitCheck",
    "FitError",
    "FitWarning",
    "Forecast",
    "LatentscaleError",
    "LeaveOneOut",
    "ModelSpec",
    "PredictiveCheck",
    "Prior",
    "Scores",
    "Sensitivity",
    "SensitivityGrid",
    "Simulation",
    "SpecError",
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
    "folds",
    "leave_families_out",
    "leave_one_out",
    "load",
    "load_spec",
    "pit_histogram",
    "posterior_predictive",
    "predict",
    "prior_predictive",
    "reliability",
    "scaling_curve",
    "sensitivity",
    "sensitivity_grid",
    "shipped_specs",
    "simulate",
    "stack",
    "summarise",
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
