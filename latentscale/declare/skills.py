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
        Benchmarks in order of preference; the first `count` of them that the table holds
        are the anchors. Where too few are there, the rest are chosen from the scores.
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
    """Loadings are not tied down: fine for prediction, no meaning for a single skill.

    Attributes
    ----------
    scales
        ``"by-skill"``: loadings and effects on skills have a spread of their own in every skill;
        ``"shared"``: one spread in all of them, so that priors too are the same for all rotations
        of the skills.
    """

    kind: Literal["free"] = "free"
    scales: Literal["by-skill", "shared"] = "by-skill"


class SkillSpec(Record):
    """Latent skills: how many, how they are identified, and whether models deviate.

    Attributes
    ----------
    count
        Number of skills K; with 0 there are none and each benchmark has its own curve.
    identify
        What identifies skills among their rotations: anchors, or nothing.
    residual
        Whether every model deviates from its family's curve, skill by skill.
    release
        Whether models that are one release at several settings, such as reasoning efforts, have
        a share of that deviation in common.
    """

    count: int = Field(default=2, ge=0, le=12)
    identify: Annotated[Anchored | Free, Field(discriminator="kind")] = Anchored()
    residual: bool = False
    release: bool = False

    @property
    def scale_dims(self) -> tuple[str, ...]:
        """Dims of the spread of an effect on skills, beside those of the effect's own groups.

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
        ``"none"``: families share one curve; ``"fixed"``: every family has its own level
        under a wide prior, nothing is shared; ``"partial"``: partially pooled.
    lineage
        Families borrow from the lineage that they descend from.
    correlated
        A family's skills are correlated (an LKJ prior); otherwise independent.
    slopes
        Covariates whose slopes differ between families, partially pooled.
    """

    level: Literal["none", "fixed", "partial"] = "partial"
    lineage: bool = False
    correlated: bool = False
    slopes: tuple[str, ...] = ()
