"""Coordinates for sampling where the model's own variables make narrow ridges.

If a family has only its skills (no effects by benchmark, no residuals of models), its scores
determine the skills closely, given loadings, slopes and intercepts. If skills are coded by standard
normals, every change in a loading's scale must then move all families, and chains are slow. Here
chains sample the deviation of a family's latents from the values that its scores suggest
(`latentscale.engine.ops.centring`). The density is that of the same model: a change of variables
with its Jacobian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
from scipy.special import logit

from latentscale.data.scaling import standard_scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, CELL, FAMILY, MODEL, SKILL
from latentscale.engine.coordinate import Coordinate
from latentscale.maths import Named, as_data
from latentscale.model.design import Design
from latentscale.model.equations import latent_skill, linear_predictor, precision
from latentscale.model.parts import parts_of
from latentscale.model.scaled import CEILING, CODE
from latentscale.model.terms.base import Term, terms_of
from latentscale.model.terms.family_level import FAMILY_LATENT, SKILL_FACTOR

LATENT = FAMILY_LATENT
"""Name of the replaced variable."""

# Shares nearer to 0 or 1 are moved to this one: their logits inform the predictor least.
_EDGE = 0.03
UNBOUNDED_WEIGHT = 0.25
"""Fisher information of a standardised score on eta for a precision of 1: its sd is 2."""
# The mean over families of the latents' standardised deviations has its prior's width, about 1 /
# sqrt(families), and is stretched to the width of the other coordinates for about 25 families.
_STRETCH = 5.0


@dataclass(frozen=True)
class WorkingResponse:
    """Scores as observations of their cells' linear predictors: the linearised likelihood.

    Attributes
    ----------
    eta
        The linear predictor at which the model expects the score, shape (cell,).
    weight
        Fisher information on `eta` for a precision of 1, shape (cell,).
    """

    eta: np.ndarray
    weight: np.ndarray


def can_be_centred(spec: ModelSpec, design: Design) -> bool:
    """Return whether families' anchored skills are the only latents, identified by scores."""
    latents = {name for term in terms_of(spec) for name in term.latent_variables(design)}
    return (
        latents == {LATENT}
        and spec.skills.identify.kind == "anchored"
        and spec.benchmarks.floor == "fixed"
        and spec.benchmarks.likelihood.linearised
        and not design.undisclosed
        and not design.estimated
        and not any(
            term.kind in ("attempts", "sources") for term in terms_of(spec)
        )  # benchmarks without their own predictor
    )


def response_of_scores(design: Design) -> WorkingResponse:
    """Return the working response from scores alone, by the logistic link from floor to ceiling.

    Shares near 0 and 1 are made slightly less extreme. Scores that are not fractions equal the
    linear predictor once they are standardised. Sampling error is ignored.
    """
    known = {name: v.values[design.benchmark_of_cell] for name, v in design.known_curve.items()}
    other = known[CODE] > 0 if CODE in known else np.zeros(len(design.score_of_cell), dtype=bool)
    # Scores that are not fractions have neither floor nor ceiling; these are placeholders.
    floor = np.where(other, 0.0, known["floor"])
    top = np.where(other, 1.0, known.get(CEILING, 1.0))
    share = np.clip((design.score_of_cell - floor) / (top - floor), _EDGE, 1 - _EDGE)
    mean = floor + (top - floor) * share
    rise = (top - floor) * share * (1 - share)
    eta, weight = logit(share), rise**2 / (mean * (1 - mean))
    if not other.any():
        return WorkingResponse(eta, weight)
    standard = standard_scores(design.scores.dataset).values
    own = standard[design.model_of_cell, design.benchmark_of_cell]
    return WorkingResponse(np.where(other, own, eta), np.where(other, UNBOUNDED_WEIGHT, weight))


def families_centred(
    spec: ModelSpec, design: Design, model: pm.Model, response: WorkingResponse
) -> Coordinate:
    """Return the families' standard latents y as deviations z from the values that scores suggest.

    The model subtracts the mean of y over families, so scores do not inform it. It is the mean of
    only L'^-1 z, stretched to the width of its prior, about 1 / sqrt(families).

    Parameters
    ----------
    spec, design
        A model that `can_be_centred`, and its table.
    model
        The model that `build_design` made from them.
    response
        The scores' working response; the more accurate it is, the closer z is to standard normal.
    """
    import pytensor.tensor as pt
    from pytensor.xtensor import as_xtensor

    from latentscale.engine.ops.centring import centring

    parts = parts_of(model)
    known, rows = parts.values, parts.rows

    def without_latents(term: Term) -> bool:
        return not term.latent_variables(design)

    skill = latent_skill(spec, known, rows, without_latents)
    rest = linear_predictor(spec, known, rows, skill, without_latents)
    cells = {
        MODEL: as_data(design.model_of_cell, (CELL,)),
        BENCHMARK: as_data(design.benchmark_of_cell, (CELL,)),
    }

    def at_cells(variable: Named) -> Named:
        return variable.isel({dim: cells[dim] for dim in cells if dim in variable.dims})

    def plain(variable: Named, *dims: str) -> Any:
        named: Any = variable
        return pt.as_tensor(named.transpose(*dims), allow_xtensor_conversion=True)

    raw = model[LATENT]
    point = raw.type(name="family_skill_point")
    weight = as_data(response.weight, (CELL,)) * at_cells(precision(spec, known, rows))
    family = as_data(design.family_of_model[design.model_of_cell], (CELL,))
    centred: Any = centring(
        plain(weight, CELL),
        plain(as_data(response.eta, (CELL,)) - at_cells(rest), CELL),
        plain(_mix(known), BENCHMARK, SKILL),
        plain(point, FAMILY, SKILL),
        plain(family, CELL),
        plain(cells[BENCHMARK], CELL),
    )
    centre, stray, volume, _ = centred
    value = centre - centre.mean(axis=0) + stray + (_STRETCH - 1) * stray.mean(axis=0)
    named = as_xtensor(value, dims=(FAMILY, SKILL)).transpose(*raw.dims)
    return Coordinate(LATENT, point, named, volume.sum() + spec.skills.count * np.log(_STRETCH))


def _mix(known: Mapping[str, Named]) -> Named:
    """Return the effect of standard latents on eta: loadings times scales and correlation."""
    loading = known["loading"]
    if "family_scale" in known:
        loading = loading * known["family_scale"]
    if "skill_cholesky" not in known:
        return loading
    return (loading * known["skill_cholesky"]).sum(SKILL).rename({SKILL_FACTOR: SKILL})
