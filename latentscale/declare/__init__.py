"""Declaring a model: frozen specs, priors, and how they are read and written."""

from latentscale.declare.io import load_spec, shipped_specs, spec_from_dict, spec_from_json
from latentscale.declare.prior import PRIOR_SLOTS, Prior
from latentscale.declare.spec import ModelSpec

__all__ = [
    "PRIOR_SLOTS",
    "ModelSpec",
    "Prior",
    "load_spec",
    "shipped_specs",
    "spec_from_dict",
    "spec_from_json",
]


def __dir__() -> list[str]:
    return sorted(__all__)
