"""A spec with families' effects, which partitioned methods take."""

from __future__ import annotations

from typing import Any

from latentscale.declare import ModelSpec, spec_from_dict


def family_spec(**other: Any) -> ModelSpec:
    """Return a curve over compute with one skill, whose families are partially pooled."""
    document: dict[str, Any] = {
        "name": "families",
        "covariates": ["log_flops"],
        "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
        "family": {"level": "partial"},
    }
    return spec_from_dict(document | other)
