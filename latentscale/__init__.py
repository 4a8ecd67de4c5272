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
    from latentscale.analysis.calibrate import summarise
    from latentscale.analysis.criteria import Criteria, information_criteria
    from latentscale.analysis.curves import Curve, scaling_curve
    from latentscale.analysis.diagnose import Diagnosis, diagnose
    from latentscale.analysis.forecast import Forecast, predict
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
    from latentscale.inference.marginal.estimate import MarginalEstimate
    from latentscale.inference.marginal.method import MarginalML, marginal_estimate
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
    "Criteria": "latentscale.analysis.criteria:Criteria",
    "Curve": "latentscale.analysis.curves:Curve",
    "DataError": "latentscale.errors:DataError",
    "DataWarning": "latentscale.errors:DataWarning",
    "Diagnosis": "latentscale.analysis.diagnose:Diagnosis",
    "Fit": "latentscale.posterior.fit:Fit",
    "FitError": "latentscale.errors:FitError",
    "FitWarning": "latentscale.errors:FitWarning",
    "Forecast": "latentscale.analysis.forecast:Forecast",
    "LatentscaleError": "latentscale.errors:LatentscaleError",
    "MarginalEstimate": "latentscale.inference.marginal.estimate:MarginalEstimate",
    "MarginalML": "latentscale.inference.marginal.method:MarginalML",
    "ModelSpec": "latentscale.spec.spec:ModelSpec",
    "NUTS": "latentscale.inference.nuts:NUTS",
    "Prior": "latentscale.spec.prior:Prior",
    "Scores": "latentscale.data.scores:Scores",
    "Simulation": "latentscale.model.simulate:Simulation",
    "SpecError": "latentscale.errors:SpecError",
    "backtest": "latentscale.analysis.backtest:backtest",
    "build": "latentscale.model.build:build",
    "datasets": "latentscale.data.datasets",
    "diagnose": "latentscale.analysis.diagnose:diagnose",
    "fit": "latentscale.inference.run:fit",
    "folds": "latentscale.analysis.folds",
    "information_criteria": "latentscale.analysis.criteria:information_criteria",
    "load": "latentscale.posterior.storage:load_fit",
    "load_spec": "latentscale.spec.io:load_spec",
    "marginal_estimate": "latentscale.inference.marginal.method:marginal_estimate",
    "predict": "latentscale.analysis.forecast:predict",
    "scaling_curve": "latentscale.analysis.curves:scaling_curve",
    "shipped_specs": "latentscale.spec.io:shipped_specs",
    "simulate": "latentscale.model.simulate:simulate",
    "summarise": "latentscale.analysis.calibrate:summarise",
}

__all__ = [
    "NUTS",
    "Benchmark",
    "Criteria",
    "Curve",
    "DataError",
    "DataWarning",
    "Diagnosis",
    "Fit",
    "FitError",
    "FitWarning",
    "Forecast",
    "LatentscaleError",
    "MarginalEstimate",
    "MarginalML",
    "ModelSpec",
    "Prior",
    "Scores",
    "Simulation",
    "SpecError",
    "backtest",
    "build",
    "datasets",
    "diagnose",
    "fit",
    "folds",
    "information_criteria",
    "load",
    "load_spec",
    "marginal_estimate",
    "predict",
    "scaling_curve",
    "shipped_specs",
    "simulate",
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
