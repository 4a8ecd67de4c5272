"""Benchmarks: from skills to expected scores, and the precision of scores round them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc.dims as pmd
from scipy.special import logit

from latentscale.dims import BENCHMARK, SKILL
from latentscale.model.design import Design
from latentscale.model.family import FamilyEffects
from latentscale.model.links import declare_link, link_share
from latentscale.model.maths import Named, maths_of
from latentscale.model.noise import declare_noise
from latentscale.model.priors import declare
from latentscale.model.regressors import (
    BENCHMARK_SLOPE,
    FAMILY_BENCHMARK_SLOPE,
    INSTRUCT_SLOPE,
    PRECISION,
    Regressors,
)
from latentscale.spec.spec import ModelSpec

_EDGE = 1e-6


def declare_benchmarks(spec: ModelSpec, design: Design) -> dict[str, Named]:
    """Add the benchmark terms to the open PyMC model; return them by name.

    With fixed family effects the intercept is left out: families would only repeat it.
    """
    part = spec.benchmarks
    terms: dict[str, Named] = {}

    def add(name: str, dims: tuple[str, ...]) -> None:
        terms[name] = declare(name, spec.prior(name), dims)

    if not (spec.family.level == "fixed" and part.family_effect):
        add("intercept", (BENCHMARK,))
    if part.slopes:
        add("benchmark_slope", (BENCHMARK, BENCHMARK_SLOPE))
    if part.instruct.shift:
        add("instruct_shift", (BENCHMARK,))
    if part.instruct.slopes:
        add("instruct_slope", (BENCHMARK, INSTRUCT_SLOPE))
    terms |= declare_link(spec)
    add("precision", (BENCHMARK,))
    if part.precision_covariates:
        add("precision_slope", (BENCHMARK, PRECISION))
    terms |= declare_noise(spec)
    terms["floor"] = floor = _floor(spec, design)
    if part.ceiling == "estimated":
        share = declare("ceiling_share", spec.prior("ceiling"), (BENCHMARK,))
        terms["ceiling"] = pmd.Deterministic("ceiling", floor + (1 - floor) * share)
    return terms


def _floor(spec: ModelSpec, design: Design) -> Named:
    """Return the floors: as known, or logit c_j = logit of the known floor + a shift.

    Where nothing can be guessed the floor stays 0, and the shift keeps its prior.
    """
    known = design.floor.values.astype("float64")
    if spec.benchmarks.floor == "fixed":
        return maths_of(None).named(known, (BENCHMARK,))
    shift = declare("floor_shift", spec.prior("floor_shift"), (BENCHMARK,))
    maths = maths_of(shift)
    guessed = known > 0
    centre = maths.named(logit(np.where(guessed, known, 0.5)), (BENCHMARK,))
    mask = maths.named(guessed.astype("float64"), (BENCHMARK,))
    return pmd.Deterministic("floor", mask * maths.sigmoid(centre + shift))


def linear_predictor(
    parameters: Mapping[str, Named],
    effects: FamilyEffects,
    regressors: Regressors,
    skill: Named | None,
) -> Named:
    """Return eta_ij: intercept, skills through loadings, family, slopes, instruction tuning.

    Cai et al. 2025, eq. (1), with the optional terms of this package. Dims
    (model, benchmark), and sample on draws; on the link's scale.
    """
    parts = []
    if "intercept" in parameters:
        parts.append(parameters["intercept"])
    if skill is not None:
        parts.append((skill * parameters["loading"]).sum(SKILL))
    if effects.benchmark is not None:
        parts.append(effects.benchmark)
    if effects.benchmark_slope is not None:
        own = regressors.family_benchmark_slope * effects.benchmark_slope
        parts.append(own.sum(FAMILY_BENCHMARK_SLOPE))
    if "benchmark_slope" in parameters:
        slopes = regressors.benchmark_slope * parameters["benchmark_slope"]
        parts.append(slopes.sum(BENCHMARK_SLOPE))
    if "instruct_shift" in parameters:
        parts.append(regressors.instruct * parameters["instruct_shift"])
    if "instruct_slope" in parameters:
        change = regressors.instruct_slope * parameters["instruct_slope"]
        parts.append(regressors.instruct * change.sum(INSTRUCT_SLOPE))
    eta = parts[0]
    for part in parts[1:]:
        eta = eta + part
    return eta


def expected_score(spec: ModelSpec, parameters: Mapping[str, Named], eta: Named) -> Named:
    """Return mu = c + (d - c) h(eta), a fraction strictly inside (0, 1), with eta's dims.

    mu is the expected score under a Beta or beta-binomial likelihood, and the median score
    under those on the logit scale (logit-normal, Student-t).

    Parameters
    ----------
    spec
        Names the link h.
    parameters
        ``floor`` c, ``ceiling`` d (1 where absent) and the link's own parameters, with dims
        that line up with those of `eta`.
    eta
        Linear predictor.
    """
    share = link_share(spec, parameters, eta)
    floor = parameters["floor"]
    top = parameters.get("ceiling", 1.0)
    mean = floor + (top - floor) * share
    return maths_of(mean).clip(mean, _EDGE, 1 - _EDGE)


def precision(parameters: Mapping[str, Named], regressors: Regressors) -> Named:
    """Return phi: dims (benchmark,), and model where it depends on covariates.

    log phi is linear in the covariates. What phi means is said by the classes of
    `latentscale.model.noise`: the larger, the closer scores lie to mu.
    """
    level = parameters["precision"]
    if "precision_slope" not in parameters:
        return level
    change = (regressors.precision * parameters["precision_slope"]).sum(PRECISION)
    return level * maths_of(change).exp(change)
