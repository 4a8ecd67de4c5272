"""The data of a law as plain arrays, the input of a hand-written model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import COVARIATE, FAMILY, LINEAGE
from latentscale.model.design import design
from latentscale.model.rows import rows_of
from latentscale.model.terms.family_benchmark_slopes import FAMILY_BENCHMARK_SLOPE
from latentscale.model.terms.family_slopes import FAMILY_SLOPE
from latentscale.model.terms.instruct import INSTRUCT_SLOPE

_DISTRIBUTIONS = {
    "intercept": "Normal",
    "slope": "Normal",
    "precision": "LogNormal",
    "loading": "HalfNormal",
    "family_scale": "HalfNormal",
    "lineage_share": "Beta",
    "family_slope_scale": "HalfNormal",
    "residual_scale": "HalfNormal",
    "family_benchmark_scale": "HalfNormal",
    "family_benchmark_slope_scale": "HalfNormal",
    "instruct_shift": "Normal",
    "instruct_slope": "Normal",
    "link_power": "LogNormal",
    "ceiling": "Beta",
}
_FRAMEWORK_DISTRIBUTIONS = {
    "intercept": "Normal",
    "slope": "Normal",
    "precision": "LogNormal",
    "loading": "Normal",
    "anchor_loading": "HalfNormal",
}
_COMMON = {
    "skills.identify.kind": "anchored",
    "family.level": "partial",
    "family.correlated": True,
    "benchmarks.likelihood.kind": "beta",
    "benchmarks.floor": "fixed",
    "benchmarks.slopes": (),
    "benchmarks.precision_covariates": (),
    "undisclosed.kind": "leave-out",
    "terms": (),
}
_TERMS = {
    "recommended": {
        **_COMMON,
        "skills.identify.unit": "anchor",
        "skills.residual": True,
        "family.lineage": True,
        "benchmarks.link.kind": "power-logistic",
        "benchmarks.ceiling": "estimated",
        "benchmarks.family_effect": True,
        "benchmarks.instruct.shift": True,
    },
    "framework": {
        **_COMMON,
        "skills.identify.unit": "family",
        "skills.residual": False,
        "family.lineage": False,
        "family.slopes": (),
        "benchmarks.link.kind": "logistic",
        "benchmarks.ceiling": "fixed",
        "benchmarks.family_effect": False,
        "benchmarks.family_slopes": (),
        "benchmarks.instruct.shift": False,
        "benchmarks.instruct.slopes": (),
    },
}


@dataclass(frozen=True)
class LawData:
    """Observed cells, covariates, groups and the numbers of the priors, indices from 0.

    Attributes
    ----------
    law
        Which hand-written model it is for: ``"recommended"`` (the spec latentscale) or
        ``"framework"`` (the spec cai2025, Cai et al. 2025).
    sizes
        Counts: models, benchmarks, families, lineages, cells, skills, covariates,
        family_slopes, family_benchmark_slopes, instruct_slopes.
    x, x_family, x_family_benchmark, x_instruct
        Standardised covariates of skills, of the families' own slopes on skills and on
        benchmarks, and of slopes with instruction tuning, shape (model, covariate).
    instruct
        0 or 1, shape (model,).
    family_of_model, lineage_of_family, model_of_cell, benchmark_of_cell
        Indices.
    score_of_cell
        Scores strictly inside (0, 1), shape (cell,).
    floor
        Guessing floors, shape (benchmark,).
    anchors, others
        Benchmarks that anchor the skills, in the order of skills, and all the others.
    priors
        Numbers of each prior, in PyMC's order.
    """

    law: str
    sizes: dict[str, int]
    x: np.ndarray
    x_family: np.ndarray
    x_family_benchmark: np.ndarray
    x_instruct: np.ndarray
    instruct: np.ndarray
    family_of_model: np.ndarray
    lineage_of_family: np.ndarray
    model_of_cell: np.ndarray
    benchmark_of_cell: np.ndarray
    score_of_cell: np.ndarray
    floor: np.ndarray
    anchors: np.ndarray
    others: np.ndarray
    priors: dict[str, tuple[float, ...]]


def law_data(spec: ModelSpec, scores: Scores) -> LawData:
    """Extract from a table what the hand-written models need.

    Raises
    ------
    ValueError
        If the spec has a term, or a kind of prior, that no hand-written model has.
    """
    law = law_of(spec)
    if law == "recommended" and not (spec.family.slopes and spec.benchmarks.family_slopes):
        raise ValueError(
            "The hand-written recommended law needs family.slopes and benchmarks.family_slopes: "
            f"got {spec.family.slopes} and {spec.benchmarks.family_slopes}."
        )
    made = design(spec, scores)
    if law == "recommended" and not made.use_lineage:
        raise ValueError("The hand-written recommended law needs a lineage of several families.")
    covariates = rows_of(spec, made.x, made.scores.dataset).covariates

    def of_term(dim: str) -> np.ndarray:
        return _values(covariates[dim]) if dim in covariates else np.zeros((len(made.x), 0))

    benchmarks = list(made.scores.benchmarks)
    anchors = [benchmarks.index(name) for name in made.anchors]
    others = [j for j in range(len(benchmarks)) if j not in anchors]
    sizes = {
        "models": len(made.scores.models),
        "benchmarks": len(benchmarks),
        FAMILY: len(made.families),
        LINEAGE: len(made.lineages),
        "cells": len(made.score_of_cell),
        "skills": spec.skills.count,
        "covariates": len(spec.covariates),
        "family_slopes": len(spec.family.slopes),
        "family_benchmark_slopes": len(spec.benchmarks.family_slopes),
        "instruct_slopes": len(spec.benchmarks.instruct.slopes),
    }
    sizes["families"], sizes["lineages"] = sizes.pop(FAMILY), sizes.pop(LINEAGE)
    return LawData(
        law=law,
        sizes=sizes,
        x=of_term(COVARIATE),
        x_family=of_term(FAMILY_SLOPE),
        x_family_benchmark=of_term(FAMILY_BENCHMARK_SLOPE),
        x_instruct=of_term(INSTRUCT_SLOPE),
        instruct=_values(made.instruct),
        family_of_model=made.family_of_model,
        lineage_of_family=made.lineage_of_family,
        model_of_cell=made.model_of_cell,
        benchmark_of_cell=made.benchmark_of_cell,
        score_of_cell=made.score_of_cell,
        floor=_values(made.floor),
        anchors=np.array(anchors, dtype="int64"),
        others=np.array(others, dtype="int64"),
        priors=_priors(spec, law),
    )


def law_of(spec: ModelSpec) -> str:
    """Return which hand-written model has the terms of a spec.

    Raises
    ------
    ValueError
        If none has; the message names the terms that differ.
    """
    unlike = {
        law: [f"{path} = {_at(spec, path)!r}" for path in terms if _at(spec, path) != terms[path]]
        for law, terms in _TERMS.items()
    }
    law = min(unlike, key=lambda name: len(unlike[name]))
    if unlike[law]:
        raise ValueError(
            f'No hand-written model has the terms of the spec "{spec.name}". The nearest, '
            f'"{law}", differs in {", ".join(unlike[law])}.'
        )
    return law


def _at(spec: ModelSpec, path: str) -> Any:
    value: Any = spec
    for name in path.split("."):
        value = getattr(value, name, None)  # other kinds of a record have other fields
    return value


def _priors(spec: ModelSpec, law: str) -> dict[str, tuple[float, ...]]:
    expected = _DISTRIBUTIONS if law == "recommended" else _FRAMEWORK_DISTRIBUTIONS
    numbers = {}
    for name, dist in expected.items():
        prior = spec.prior(name)
        if prior.dist != dist or (prior.numbers.get("mu", 0.0) != 0 and dist == "HalfNormal"):
            raise ValueError(f"The hand-written models take a {dist} prior of {name}; got {prior}.")
        numbers[name] = tuple(prior.numbers.values())
    return numbers


def _values(array: Any) -> np.ndarray:
    return np.asarray(array.values, dtype="float64")
