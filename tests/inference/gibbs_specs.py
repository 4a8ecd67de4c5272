"""Small specs that Gibbs sampling supports, which together have every term that it supports."""

from __future__ import annotations

import dataclasses
from typing import Any

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict

_ANCHORED = {"kind": "anchored", "anchors": ["alpha", "delta"]}

_DOCUMENTS: dict[str, dict[str, Any]] = {
    "lineages": {
        "covariates": ["log_flops"],
        "skills": {"count": 2, "identify": {**_ANCHORED, "unit": "anchor"}},
        "family": {"level": "partial", "lineage": True, "correlated": True},
        "benchmarks": {"likelihood": {"kind": "logit-normal"}, "instruct": {"shift": True}},
    },
    "unit families": {
        "covariates": ["log_params"],
        "skills": {"count": 2, "identify": {**_ANCHORED, "unit": "family"}},
        "family": {"level": "partial", "correlated": True},
        "benchmarks": {"likelihood": {"kind": "logit-normal"}},
        "priors": {"loading": {"dist": "Normal", "mu": 0, "sigma": 1}},
    },
    "pooled": {
        "covariates": ["log_flops"],
        "skills": {"count": 2, "identify": {"kind": "free"}, "residual": True},
        "family": {"level": "partial", "lineage": True},
        "benchmarks": {"likelihood": {"kind": "student-t"}, "pooled": True, "family_effect": True},
        "terms": [{"kind": "model-group"}],
    },
    "unpooled families": {
        "covariates": ["log_params"],
        "skills": {"count": 1, "identify": {"kind": "free"}},
        "family": {"level": "fixed"},
        "benchmarks": {"likelihood": {"kind": "student-t", "shared": False}},
    },
    "noise by model": {
        "covariates": ["log_flops"],
        "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
        "benchmarks": {"likelihood": {"kind": "student-t"}, "pooled": True},
        "terms": [{"kind": "model-precision"}],
    },
    "no skills": {
        "covariates": ["log_flops"],
        "skills": {"count": 0},
        "family": {"level": "none"},
        "benchmarks": {"likelihood": {"kind": "logit-normal"}, "slopes": ["log_flops"]},
    },
    "spreads by covariate": {
        "covariates": ["log_params", "log_tokens"],
        "skills": {"count": 1, "identify": {"kind": "free"}},
        "family": {"level": "partial"},
        "benchmarks": {
            "likelihood": {"kind": "logit-normal"},
            "family_slopes": ["log_tokens", "log_params"],
            "family_slope_spreads": "by-covariate",
        },
        # Slopes as large as the noise, so that wrong draws of their spreads would show.
        "priors": {"family_benchmark_slope_scale": {"dist": "HalfNormal", "sigma": 2}},
    },
    "everything": {
        "covariates": ["log_params", "log_tokens"],
        "skills": {"count": 2, "identify": {**_ANCHORED, "unit": "anchor"}, "residual": True},
        "family": {
            "level": "partial",
            "lineage": True,
            "correlated": True,
            "slopes": ["log_params"],
        },
        "benchmarks": {
            "likelihood": {"kind": "student-t"},
            "pooled": True,
            "family_effect": True,
            "slopes": ["log_tokens"],
            "family_slopes": ["log_tokens", "log_params"],
            "instruct": {"shift": True, "slopes": ["log_params"]},
        },
        "terms": [
            {"kind": "model-group"},
            {"kind": "model-precision"},
            {"kind": "trend", "covariate": "log_tokens", "knots": 3},
        ],
    },
}

NAMES = tuple(_DOCUMENTS)


def gibbs_spec(name: str) -> ModelSpec:
    """Return one of the specs."""
    return spec_from_dict({"name": name, **_DOCUMENTS[name]})


def without_floors(scores: Scores) -> Scores:
    """Return a table whose benchmarks have no guessing floors and are in two groups."""
    names = scores.benchmarks
    info = {
        name: ls.Benchmark(group="even" if place % 2 == 0 else "odd")
        for place, name in enumerate(names)
    }
    return dataclasses.replace(Scores.from_frame(scores.to_frame(), benchmarks=info))
