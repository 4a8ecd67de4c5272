"""Skills: loadings, slopes, and a model's latent skills."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc.dims as pmd

from latentscale.dims import BENCHMARK, COVARIATE, MODEL, SKILL
from latentscale.model.design import Design
from latentscale.model.family import FamilyEffects
from latentscale.model.identify import loading_masks
from latentscale.model.maths import Named, maths_of
from latentscale.model.priors import declare, standard_normal
from latentscale.model.regressors import FAMILY_SLOPE, Regressors
from latentscale.spec.prior import REAL
from latentscale.spec.spec import ModelSpec


def declare_skills(spec: ModelSpec, design: Design) -> dict[str, Named]:
    """Add loadings, slopes and residuals to the open PyMC model; return them by name."""
    terms: dict[str, Named] = {}
    if not spec.skills.count:
        return terms
    terms["loading"] = pmd.Deterministic("loading", _loading(spec, design))
    if spec.covariates:
        terms["slope"] = declare("slope", spec.prior("slope"), (COVARIATE, SKILL))
    if spec.skills.residual:
        scale = declare("residual_scale", spec.prior("residual_scale"), (SKILL,))
        raw = standard_normal("residual", (MODEL, SKILL))
        terms["residual"] = pmd.Deterministic("residual", raw * scale)
    return terms


def _loading(spec: ModelSpec, design: Design) -> Named:
    prior, identify = spec.prior("loading"), spec.skills.identify
    if identify.kind != "anchored":
        return declare("loading_raw", prior, (BENCHMARK, SKILL), _apart(spec, design))
    raw = declare("loading_raw", prior, (BENCHMARK, SKILL))
    mask = loading_masks(design.anchors, design.scores.benchmarks, spec.skills.count)
    maths = maths_of(raw)
    free = maths.named((mask == 1).astype(float), (BENCHMARK, SKILL))
    anchor = maths.named((mask == 2).astype(float), (BENCHMARK, SKILL))
    if identify.unit == "anchor":
        return raw * free + anchor
    own = declare("anchor_loading", spec.prior("anchor_loading"), (SKILL,))
    return raw * free + own * anchor


def _apart(spec: ModelSpec, design: Design) -> np.ndarray | None:
    """Return signed loadings to start from that tell skills apart, shape (benchmark, skill).

    Where loadings and skills are all 0 the gradient of both is 0, and it cannot part skills
    that are alike: an optimiser that starts there stays there. Positive loadings start at
    PyMC's choice, since it takes no start for transformed variables with named dims.
    """
    if spec.prior("loading").support != REAL:
        return None
    count = len(design.scores.benchmarks)
    place = (np.arange(count) + 0.5)[:, None] * np.arange(spec.skills.count) / count
    return 0.5 * np.cos(np.pi * place)


def latent_skill(
    parameters: Mapping[str, Named], effects: FamilyEffects, regressors: Regressors
) -> Named | None:
    """Return theta_i = alpha_f(i) + B' x_i (+ the family's own slopes, + the residual).

    Cai et al. 2025, eq. (2). Dims (model, skill), and sample on draws; None without skills.

    Parameters
    ----------
    parameters
        ``slope`` (covariate, skill) and, where the spec has it, ``residual`` (model, skill).
    effects
        What each model inherits from its family.
    regressors
        Covariates of the same models.
    """
    if "loading" not in parameters:
        return None
    parts = []
    if "slope" in parameters:
        parts.append((regressors.x * parameters["slope"]).sum(COVARIATE))
    if effects.skill is not None:
        parts.append(effects.skill)
    if effects.slope is not None:
        parts.append((regressors.family_slope * effects.slope).sum(FAMILY_SLOPE))
    if "residual" in parameters:
        parts.append(parameters["residual"])
    theta = parts[0]
    for part in parts[1:]:
        theta = theta + part
    return theta
