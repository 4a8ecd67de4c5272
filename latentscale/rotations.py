"""Rotations of free skills, for `latentscale.align`."""

from __future__ import annotations

from latentscale.analysis.skills.rotations import (
    Geomin,
    Oblimin,
    PrincipalAxes,
    Quartimax,
    Rotation,
    Varimax,
)

__all__ = ["Geomin", "Oblimin", "PrincipalAxes", "Quartimax", "Rotation", "Varimax"]


def __dir__() -> list[str]:
    return sorted(__all__)
