"""Warnings about settings and priors of a spec that have no effect on its model.

A spec refuses contradictory settings (`latentscale.declare.spec`); `latentscale.model.feasible`
handles parts for which a table has no data.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from latentscale.declare.kinds import TERMS
from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitWarning, listed


def warn_of_no_effect(spec: ModelSpec, *, stacklevel: int) -> None:
    """Warn about priors and settings of a spec that its model does not use.

    Parameters
    ----------
    spec
        The spec.
    stacklevel
        Stack level of the warnings, as for `warnings.warn` in the caller.

    Warns
    -----
    FitWarning
        Once for the priors, and once for each setting.
    """
    for message in (*_unused_priors(spec), *_settings(spec)):
        warnings.warn(f'The spec "{spec.name}" {message}', FitWarning, stacklevel=stacklevel + 1)


def _unused_priors(spec: ModelSpec) -> Iterator[str]:
    unused = spec.unused_priors()
    if unused:
        yield (
            f"sets priors of parameters that its model does not have: {listed(unused, 30)}. They "
            f"change nothing. It has {listed(spec.used_priors(), 30)}; move the prior to one of "
            "these, or leave it out."
        )


def _settings(spec: ModelSpec) -> Iterator[str]:
    skills, family, benchmarks = spec.skills, spec.family, spec.benchmarks
    nothing = "which changes nothing"
    if benchmarks.ceiling_open and benchmarks.ceiling == "fixed":
        yield (
            f"has benchmarks.ceiling_open = {benchmarks.ceiling_open:g}, {nothing}: it opens "
            'estimated ceilings, and benchmarks.ceiling is "fixed". Set ceiling_open to 0, or '
            'ceiling to "estimated".'
        )
    if benchmarks.largest_precision is not None and not benchmarks.pooled:
        yield (
            f"has benchmarks.largest_precision = {benchmarks.largest_precision:g}, {nothing}: it "
            "bounds pooled precisions, and benchmarks.pooled is false. Leave it out, or set "
            "benchmarks.pooled to true."
        )
    terms = (kind.of(spec) for kind in TERMS.values())
    if family.level != "none" and not any(term is not None and term.effect for term in terms):
        yield (
            f'has family.level = "{family.level}", {nothing}: skills.count is 0, so families have '
            "no levels of skills, and all share one curve. Set benchmarks.family_effect to true, "
            'or family.level to "none".'
        )
    if family.lineage and not skills.count:
        yield (
            f"has family.lineage = true, {nothing}: lineages have levels of skills, and "
            "skills.count is 0. Leave it out, or set skills.count."
        )
    if family.correlated and not (skills.count and family.level == "partial"):
        why = f'family.level is "{family.level}"' if skills.count else "skills.count is 0"
        yield (
            f"has family.correlated = true, {nothing}: it correlates partially pooled levels of "
            f"skills, and {why}. Leave it out, or set "
            f"{'family.level to "partial"' if skills.count else 'skills.count'}."
        )
