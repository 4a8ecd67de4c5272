"""Bayesian scaling laws with latent skills for families of language models.

Declare (`load_spec`), fit (`fit`), analyse (`diagnose`, `predict`, `scaling_curve`): three
separate steps. The names are listed in ``__init__.pyi`` and imported when first used, so that
``import latentscale`` is quick. Classes of results are in `latentscale.results`, rotations of
skills in `latentscale.rotations`, further methods and settings in `latentscale.methods`, and
questions that are asked less often in `latentscale.studies`.
"""

from __future__ import annotations

import warnings
from importlib import import_module

from lazy_loader import attach_stub

from latentscale.dims import VERSION

__version__ = VERSION

_lazy, _, __all__ = attach_stub(__name__, __file__)

# Names that were here up to version 0.1. They go with the next release.
_MOVED = {
    "methods": "ModeStart PriorStart StochasticMarginalML marginal_estimate",
    "results": "Alignment Allocation Comparison ComputeNeeded Conditioning Criteria Curve "
    "Diagnosis FamilyInfluence FitCheck Forecast LeaveOneOut MarginalEstimate NextBenchmark "
    "OutcomeForecast Passing PredictiveCheck Sensitivity SensitivityGrid Simulation SkillAgreement "
    "SkillRegression Skills Undisclosed VarianceShares",
    "rotations": "Geomin Oblimin PrincipalAxes Quartimax Varimax",
    "declare": "shipped_specs",
    "studies": "RegressionPrior Target anchor_variants compare_backtests family_influence "
    "information_criteria leave_families_out pit_histogram posterior_predictive prior_predictive "
    "regress_on_skills reliability sensitivity_grid skill_agreement summarise undisclosed "
    "variance_shares",
}
_NEW_HOME = {name: home for home, names in _MOVED.items() for name in names.split()}


def __getattr__(name: str) -> object:
    home = _NEW_HOME.get(name)
    if home is None:
        try:
            return _lazy(name)
        except AttributeError:
            if name in __all__:  # a module that is wrong inside, not a wrong name
                raise
            raise AttributeError(f"module 'latentscale' has no attribute {name!r}") from None
    warnings.warn(
        f"latentscale.{name} is latentscale.{home}.{name} now; the old name goes with the next "
        "release.",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(import_module(f"latentscale.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
