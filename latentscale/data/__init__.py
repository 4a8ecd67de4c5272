"""Tables of models and scores: validation, audit, covariates, bundled figures and readers."""

from __future__ import annotations

from latentscale.data.audit import Audit, Finding
from latentscale.data.benchmarks import KNOWN_BENCHMARKS, Benchmark
from latentscale.data.covariates import CovariateTransform
from latentscale.data.planned import planned_models
from latentscale.data.scores import Scores

from latentscale.data import datasets, readers  # isort: skip  # they import the names above

__all__ = [
    "KNOWN_BENCHMARKS",
    "Audit",
    "Benchmark",
    "CovariateTransform",
    "Finding",
    "Scores",
    "datasets",
    "planned_models",
    "readers",
]


def __dir__() -> list[str]:
    return sorted(__all__)
