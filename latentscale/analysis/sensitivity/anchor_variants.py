"""Copies of a spec with other anchors, for comparison by `sensitivity_grid`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from latentscale.declare.skills import Anchored
from latentscale.declare.spec import ModelSpec
from latentscale.errors import SpecError, listed
from latentscale.expect import expect, expect_names, shown


def anchor_variants(spec: ModelSpec, anchors: Sequence[Sequence[str]]) -> dict[str, ModelSpec]:
    """Return copies of a spec with other anchors, for `sensitivity_grid`.

    Skills with other anchors are different quantities, so only quantities without a skill dim can
    be compared: give `sensitivity_grid` a frame, and look at forecasts.

    Parameters
    ----------
    spec
        A spec with anchored skills.
    anchors
        Sets of anchors, each with one benchmark per skill.

    Returns
    -------
    dict
        Specs by name, for `sensitivity_grid`.

    Raises
    ------
    SpecError
        If the skills are not anchored, or a set has the wrong size.

    Examples
    --------
    >>> anchors = [["mmlu", "bbh", "gsm8k", "ifeval"]]
    >>> variants = ls.studies.anchor_variants(ls.load_spec("cai2025"), anchors)
    >>> len(variants)
    1
    """
    expect(spec, ModelSpec, "spec")
    identify = spec.skills.identify
    if not isinstance(identify, Anchored) or not spec.skills.count:
        raise SpecError(f'The skills of "{spec.name}" have no anchors to vary.')
    example = '[["mmlu"], ["bbh"]]'
    if isinstance(anchors, str | Mapping) or not isinstance(anchors, Sequence):
        raise SpecError(
            f"anchors must be a list of sets of anchors, such as {example}; got {shown(anchors)}."
        )
    variants = {}
    for chosen in anchors:
        names = (chosen,) if isinstance(chosen, str) else expect_names(chosen, "anchors", example)
        if len(names) != spec.skills.count:
            raise SpecError(
                f"Each set of anchors needs {spec.skills.count} benchmarks, one a skill; got "
                f"{listed(names)}."
            )
        variants[" + ".join(names)] = spec.with_({"skills.identify.anchors": names})
    if not variants:
        raise SpecError("Give at least one set of anchors.")
    return variants
