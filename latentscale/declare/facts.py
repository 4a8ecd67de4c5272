"""A spec in a few words, and the settings that differ from its defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from latentscale.declare.record import Record
from latentscale.errors import listed

if TYPE_CHECKING:
    from latentscale.declare.spec import ModelSpec


def facts_of(spec: ModelSpec) -> dict[str, str]:
    """Do what `ModelSpec.facts` does."""
    skills, family, benchmarks = spec.skills, spec.family, spec.benchmarks
    return {
        "covariates": ", ".join(spec.covariates) or "none",
        "skills": f"{skills.count}, {skills.identify.kind}"
        + ("" if skills.scale_dims else ", spreads in common")
        + (", model residuals" if skills.residual else "")
        + (", partly shared by settings of a release" if skills.release else ""),
        "family": family.level
        + (", lineage" if family.lineage else "")
        + (", correlated" if family.correlated else "")
        + (f", slopes on {', '.join(family.slopes)}" if family.slopes else ""),
        "benchmarks": f"{benchmarks.link.kind} link, {benchmarks.floor} floor, "
        f"{benchmarks.ceiling} ceiling{_open(spec)}, {benchmarks.likelihood.kind} noise"
        + (f", pooled{_below(benchmarks.largest_precision)}" if benchmarks.pooled else "")
        + (", family effects" if benchmarks.family_effect else ""),
        **({"undisclosed tokens": "estimated"} if spec.undisclosed.kind == "estimated" else {}),
        **({"terms": ", ".join(_shortened(term) for term in spec.terms)} if spec.terms else {}),
    }


def away_from_defaults(record: Record, leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """Return the fields of a record that differ from their defaults, and always its kind."""
    fields: dict[str, Any] = {}
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        default = field.get_default(call_default_factory=True)
        if name in leave_out or (name != "kind" and value == default):
            continue
        if isinstance(value, tuple):
            value = [away_from_defaults(v) if isinstance(v, Record) else v for v in value]
        fields[name] = away_from_defaults(value) if isinstance(value, Record) else value
    return fields


def _below(largest: float | None) -> str:
    """Return the bound on pooled precisions, in words."""
    return "" if largest is None else f", precisions below {largest:g}"


def _open(spec: ModelSpec) -> str:
    """Return in which share of the draws estimated ceilings are opened."""
    settings = spec.benchmarks
    if not settings.ceiling_open:
        return ""
    if settings.ceiling != "estimated":
        return f" (ceiling_open {settings.ceiling_open:g} not used)"
    return f" (open in {settings.ceiling_open:.0%} of draws)"


def _shortened(term: Any) -> str:
    """Return a term's kind, with the settings that it has."""
    settings = ", ".join(
        f"{key} {listed(value) if isinstance(value, list) else value}"
        for key, value in away_from_defaults(term).items()
        if key != "kind"
    )
    return f"{term.kind} ({settings})" if settings else str(term.kind)
