"""Records of skills and families: how many skills, what identifies them, how families differ."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from latentscale.declare.record import Record
from latentscale.dims import SKILL
from latentscale.errors import SpecError, listed


class Anchored(Record):
    """Skill k alone drives its anchor benchmark, with a positive loading (Cai et al. 2025).

    Attributes
    ----------
    anchors
        Benchmarks in order of preference; the first `count` that the table has are the anchors.
        If the table has too few, the rest are chosen from the scores.
    unit
        ``"family"``: families have unit variance in every skill, as in Cai et al.;
        ``"anchor"``: a skill is measured in its anchor's link scale (anchor loading 1),
        and the spread of families is a parameter.
    """

    kind: Literal["anchored"] = "anchored"
    anchors: tuple[str, ...] = ()
    unit: Literal["family", "anchor"] = "family"

    @field_validator("anchors")
    @classmethod
    def _each_once(cls, anchors: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(anchors)) < len(anchors):
            raise SpecError(f"anchors: a benchmark is repeated in {listed(anchors)}.")
        return anchors


class Free(Record):
    """Unconstrained loadings: fine for prediction, but single skills have no meaning.

    Attributes
    ----------
    scales
        ``"by-skill"``: loadings and effects on skills have a separate spread for every skill;
        ``"shared"``: all skills have one spread, so the priors too are invariant to rotations of
        the skills.
    """

    kind: Literal["free"] = "free"
    scales: Literal["by-skill", "shared"] = "by-skill"


class SkillSpec(Record):
    """Latent skills: how many, how they are identified, and whether models deviate.

    Attributes
    ----------
    count
        Number of skills K; with 0, each benchmark has its own curve.
    identify
        What identifies the rotation of skills: anchors, or nothing.
    residual
        Whether every model deviates from its family's curve, skill by skill.
    release
        Whether models that are one release at several settings, such as reasoning efforts, share
        part of that deviation.
    """

    count: int = Field(default=2, ge=0, le=12)
    identify: Annotated[Anchored | Free, Field(discriminator="kind")] = Anchored()
    residual: bool = False
    release: bool = False

    @property
    def scale_dims(self) -> tuple[str, ...]:
        """Dims of the spread of an effect on skills, in addition to its own groups' dims.

        Examples
        --------
        >>> SkillSpec(identify={"kind": "free", "scales": "shared"}).scale_dims
        ()
        """
        shared = isinstance(self.identify, Free) and self.identify.scales == "shared"
        return () if shared else (SKILL,)


class FamilySpec(Record):
    """How families differ.

    Attributes
    ----------
    level
        ``"none"``: families share one curve; ``"fixed"``: every family has its own level under a
        wide prior, without pooling; ``"partial"``: partially pooled.
    lineage
        Whether families are pooled towards the lineage that they descend from.
    correlated
        Whether a family's skills are correlated (an LKJ prior) instead of independent.
    slopes
        Covariates whose slopes differ between families, partially pooled.
    """

    level: Literal["none", "fixed", "partial"] = "partial"
    lineage: bool = False
    correlated: bool = False
    slopes: tuple[str, ...] = ()
