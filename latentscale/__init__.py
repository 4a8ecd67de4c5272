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
    from latentscale.analysis.calibrate import summarise
    from latentscale.analysis.curves import Curve, scaling_curve
    from latentscale.analysis.diagnose import Diagnosis, diagnose
    from latentscale.analysis.forecast import Forecast, predict
    from latentscale.analysis.rotations import (
        Geomin,
        Oblimin,
        PrincipalAxes,
        Quartimax,
        Varimax,
    )
    from latentscale.analysis.skills import Skills, skills
    from latentscale.analysis.target import Target
    from latentscale.analysis.variance import VarianceShares, variance_shares
    from latentscale.data import datasets, readers
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
    from latentscale.reporting.report import report
    from latentscale.spec.io import load_spec, shipped_specs
    from latentscale.spec.prior import Prior
    from latentscale.spec.spec import ModelSpec

__version__ = VERSION

_HOME = {
    "Alignment": "latentscale.analysis.align:Alignment",
    "Allocation": "latentscale.analysis.allocate:Allocation",
    "Benchmark": "latentscale.data.benchmarks:Benchmark",
    "Curve": "latentscale.analysis.curves:Curve",
    "DataError": "latentscale.errors:DataError",
    "DataWarning": "latentscale.errors:DataWarning",
    "Diagnosis": "latentscale.analysis.diagnose:Diagnosis",
    "Fit": "latentscale.posterior.fit:Fit",
    "FitError": "latentscale.errors:FitError",
    "FitWarning": "latentscale.errors:FitWarning",
    "Forecast": "latentscale.analysis.forecast:Forecast",
    "Geomin": "latentscale.analysis.rotations:Geomin",
    "LatentscaleError": "latentscale.errors:LatentscaleError",
    "ModelSpec": "latentscale.spec.spec:ModelSpec",
    "NUTS": "latentscale.inference.nuts:NUTS",
    "Oblimin": "latentscale.analysis.rotations:Oblimin",
    "PrincipalAxes": "latentscale.analysis.rotations:PrincipalAxes",
    "Prior": "latentscale.spec.prior:Prior",
    "Quartimax": "latentscale.analysis.rotations:Quartimax",
    "Scores": "latentscale.data.scores:Scores",
    "Simulation": "latentscale.model.simulate:Simulation",
    "SkillAgreement": "latentscale.analysis.agreement:SkillAgreement",
    "Skills": "latentscale.analysis.skills:Skills",
    "SpecError": "latentscale.errors:SpecError",
    "Target": "latentscale.analysis.target:Target",
    "VarianceShares": "latentscale.analysis.variance:VarianceShares",
    "Varimax": "latentscale.analysis.rotations:Varimax",
    "align": "latentscale.analysis.align:align",
    "backtest": "latentscale.analysis.backtest:backtest",
    "build": "latentscale.model.build:build",
    "datasets": "latentscale.data.datasets",
    "diagnose": "latentscale.analysis.diagnose:diagnose",
    "fit": "latentscale.inference.run:fit",
    "folds": "latentscale.analysis.folds",
    "load": "latentscale.posterior.storage:load_fit",
    "load_spec": "latentscale.spec.io:load_spec",
    "optimal_allocation": "latentscale.analysis.allocate:optimal_allocation",
    "predict": "latentscale.analysis.forecast:predict",
    "readers": "latentscale.data.readers",
    "report": "latentscale.reporting.report:report",
    "scaling_curve": "latentscale.analysis.curves:scaling_curve",
    "shipped_specs": "latentscale.spec.io:shipped_specs",
    "simulate": "latentscale.model.simulate:simulate",
    "skill_agreement": "latentscale.analysis.agreement:skill_agreement",
    "skills": "latentscale.analysis.skills:skills",
    "summarise": "latentscale.analysis.calibrate:summarise",
    "variance_shares": "latentscale.analysis.variance:variance_shares",
}

__all__ = [
    "NUTS",
    "Alignment",
    "Allocation",
    "Benchmark",
    "Curve",
    "DataError",
    "DataWarning",
    "Diagnosis",
    "Fit",
    "FitError",
    "FitWarning",
    "Forecast",
    "Geomin",
    "LatentscaleError",
    "ModelSpec",
    "Oblimin",
    "PrincipalAxes",
    "Prior",
    "Quartimax",
    "Scores",
    "Simulation",
    "SkillAgreement",
    "Skills",
    "SpecError",
    "Target",
    "VarianceShares",
    "Varimax",
    "align",
    "backtest",
    "build",
    "datasets",
    "diagnose",
    "fit",
    "folds",
    "load",
    "load_spec",
    "optimal_allocation",
    "predict",
    "readers",
    "report",
    "scaling_curve",
    "shipped_specs",
    "simulate",
    "skill_agreement",
    "skills",
    "summarise",
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
