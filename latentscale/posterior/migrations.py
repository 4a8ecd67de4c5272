"""Migrations: turn headers of earlier schemas into this version's.

Only headers need this: variables have kept their names since schema 1. Add a function here whenever
`latentscale.posterior.header.SCHEMA` grows, and never change an existing one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

Document = dict[str, Any]

_PRIORS_OF_SCHEMA_1: Final[dict[str, dict[str, Any]]] = {
    "intercept": {"dist": "Normal", "mu": 0.0, "sigma": 2.0},
    "loading": {"dist": "HalfNormal", "sigma": 1.0},
    "anchor_loading": {"dist": "HalfNormal", "sigma": 1.0},
    "slope": {"dist": "Normal", "mu": 0.0, "sigma": 1.0},
    "family_scale": {"dist": "HalfNormal", "sigma": 1.0},
    "lineage_share": {"dist": "Beta", "alpha": 2.0, "beta": 2.0},
    "fixed_family": {"dist": "Normal", "mu": 0.0, "sigma": 5.0},
    "family_slope_scale": {"dist": "HalfNormal", "sigma": 0.3},
    "residual_scale": {"dist": "HalfNormal", "sigma": 0.3},
    "family_benchmark_scale": {"dist": "HalfNormal", "sigma": 0.5},
    "family_benchmark_slope_scale": {"dist": "HalfNormal", "sigma": 0.3},
    "benchmark_slope": {"dist": "Normal", "mu": 0.0, "sigma": 0.3},
    "instruct_shift": {"dist": "Normal", "mu": 0.0, "sigma": 0.5},
    "instruct_slope": {"dist": "Normal", "mu": 0.0, "sigma": 0.3},
    "link_power": {"dist": "LogNormal", "mu": 0.0, "sigma": 0.5},
    "link_slope": {"dist": "LogNormal", "mu": 0.0, "sigma": 0.5},
    "floor_shift": {"dist": "Normal", "mu": 0.0, "sigma": 0.2},
    "ceiling": {"dist": "Beta", "alpha": 18.0, "beta": 2.0},
    "precision": {"dist": "LogNormal", "mu": 4.5, "sigma": 1.0},
    "precision_slope": {"dist": "Normal", "mu": 0.0, "sigma": 0.5},
    "tail": {"dist": "Gamma", "alpha": 2.0, "beta": 0.1},
    "log_tokens": {"dist": "Normal", "mu": 0.7, "sigma": 1.0},
}
"""The default priors of commit 590bc21, which its files leave out."""


def _from_1(document: Document) -> Document:
    """Write out the defaults that schema 1 leaves out, and drop its digest of the spec."""
    priors = json.loads(document["spec"]).get("priors", {})
    kept = {key: value for key, value in document.items() if key not in ("format", "digest")}
    added: Document = {"schema": 2, "priors": {**_PRIORS_OF_SCHEMA_1, **priors}}
    if "status" in document:
        added["attributes"] = None
    return kept | added


def _from_2(document: Document) -> Document:
    """Add an empty list of declared features to a transform, which schema 2 may leave out.

    The record of a run in a folder of draws does not have a transform.
    """
    if "transform" not in document:
        return document
    return document | {"transform": {"features": [], **document["transform"]}}


MIGRATIONS: Final[Mapping[int, Callable[[Document], Document]]] = {1: _from_1, 2: _from_2}
"""For each schema, the function that gives a header of the next schema."""
