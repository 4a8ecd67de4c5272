"""Features of models: the record that declares one, and their kinds, one a file."""

from __future__ import annotations

from latentscale.data.features.base import FEATURES, Feature, FeatureKind

__all__ = ["FEATURES", "Feature", "FeatureKind"]
