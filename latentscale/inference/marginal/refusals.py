"""Refuse specs whose family latents cannot be integrated out by quadrature."""

from __future__ import annotations

import numpy as np

from latentscale.data.scaling import is_bounded, lower_is_better
from latentscale.declare.kinds import LIKELIHOODS, LINKS
from latentscale.declare.spec import ModelSpec
from latentscale.errors import SpecError, listed
from latentscale.inference.tools.exact_fits import refuse_exact_fits
from latentscale.markup import counted
from latentscale.model.design import Design, missing_values_are_parameters
from latentscale.model.terms.base import terms_of
from latentscale.model.terms.family_level import FAMILY_LATENT

MAX_SKILLS = 6
"""Most skills: 5 nodes each are 15,625 points per family, the lightest of which are left out."""

_INSTEAD = "use NUTS, or leave it out of the spec."


def refuse_other_latents(spec: ModelSpec, design: Design, method: str) -> None:
    """Refuse a spec whose latents are not one standard normal vector of K skills per family.

    Also refuse tables whose scores the compiled loops do not support, or leave the likelihood
    unbounded.

    Raises
    ------
    SpecError
        Naming the field that prevents it, and what to do.
    """
    if not 1 <= spec.skills.count <= MAX_SKILLS:
        raise SpecError(
            f"{method} integrates over 1 to {MAX_SKILLS} skills; skills.count is "
            f"{spec.skills.count}. Use NUTS for this spec."
        )
    if spec.skills.identify.kind != "anchored":
        raise SpecError(
            f'{method} needs skills.identify of kind "anchored"; it is '
            f'"{spec.skills.identify.kind}", and then the likelihood has no single maximum '
            "(skills can be rotated). Name anchors, or use NUTS."
        )
    if spec.family.level != "partial":
        raise SpecError(
            f'{method} integrates out family latents, but family.level is "{spec.family.level}"; '
            'set it to "partial", or use NUTS.'
        )
    _refuse_latents(spec, design, method)
    if design.undisclosed:
        raise SpecError(
            f"{method} cannot integrate out the training tokens of "
            f"{counted(len(design.undisclosed), 'model')} without disclosed tokens; "
            'set undisclosed = {kind = "leave-out"}, or use NUTS.'
        )
    if design.estimated:
        raise SpecError(missing_values_are_parameters(method, design))
    _refuse_scores(spec, method)
    _refuse_scales(design, method)
    refuse_exact_fits(spec, design, method)


def _refuse_latents(spec: ModelSpec, design: Design, method: str) -> None:
    """Refuse latents beyond a family's skills."""
    for term in terms_of(spec):
        for latent in term.latent_variables(design):
            if latent != FAMILY_LATENT:
                raise SpecError(
                    f"{method} cannot integrate out {term.latents[latent]}: it adds latents beyond "
                    f"a family's {spec.skills.count} skills, too many dimensions for quadrature; "
                    f"{_INSTEAD}"
                )


def _refuse_scores(spec: ModelSpec, method: str) -> None:
    """Refuse likelihoods, floors, links and terms that the compiled loops do not support."""
    benchmark = spec.benchmarks
    if not benchmark.likelihood.scalar:
        known = listed(name for name, kind in LIKELIHOODS.items() if kind.scalar)
        raise SpecError(
            f"{method} supports only benchmarks.likelihood {known}; this spec has "
            f'"{benchmark.likelihood.kind}". Change it, or use NUTS.'
        )
    if benchmark.floor != "fixed":
        raise SpecError(
            f'{method} supports only benchmarks.floor "fixed"; it is "{benchmark.floor}". Change '
            "it, or use NUTS."
        )
    if benchmark.link.scalar is None:
        known = ", ".join(name for name, kind in LINKS.items() if kind.scalar)
        raise SpecError(
            f"{method} supports the links {known}; benchmarks.link is "
            f'"{benchmark.link.kind}". Change it, or use NUTS.'
        )
    for term in terms_of(spec):
        if not term.quadrature:
            raise SpecError(f'{method} does not support the term "{term.kind}"; {_INSTEAD}')


def _refuse_scales(design: Design, method: str) -> None:
    """Refuse tables whose scores the compiled loops do not support."""
    data = design.scores.dataset
    lower, names = lower_is_better(data).values, np.array(design.scores.benchmarks)
    ceiling = data["ceiling"].notnull().values if "ceiling" in data else np.zeros_like(lower)
    for mask, why in (
        (~is_bounded(data).values, "whose scores are not fractions"),
        (lower, "on which lower is better"),
        (ceiling, "with a ceiling of their own"),
    ):
        if mask.any():
            raise SpecError(
                f"{method} cannot take benchmarks {why}: {listed(names[mask].tolist())}. Leave "
                "them out, or use NUTS."
            )
    if design.sampling is not None:
        raise SpecError(
            f"{method} cannot take scores with standard errors or item counts of their own. Fit "
            "scores.without_errors(), or use NUTS."
        )
