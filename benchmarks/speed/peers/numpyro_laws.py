"""The laws written by hand in NumPyro, non-centred."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import Array
from jax.nn import sigmoid, softplus

from benchmarks.speed.peers.law_data import LawData

LKJ_CONCENTRATION = 2.0
_EDGE = 1e-6


def numpyro_law(data: LawData) -> Callable[[], None]:
    """Return the NumPyro model of a law, bound to its data."""
    return lambda: (_recommended if data.law == "recommended" else _framework)(data)


def _recommended(data: LawData) -> None:
    sizes, priors = data.sizes, data.priors
    benchmarks, skills = sizes["benchmarks"], sizes["skills"]
    free, family = len(data.others), data.family_of_model
    loading = _halfnormal("loading", priors["loading"], (free, skills))
    slope = _normal("slope", priors["slope"], (sizes["covariates"], skills))
    residual_scale = _halfnormal("residual_scale", priors["residual_scale"], (skills,))
    residual = residual_scale * _standard("residual_raw", (sizes["models"], skills))
    theta = data.x @ slope + _lineage_skill(data)[family] + _family_slope(data) + residual
    loadings = jnp.zeros((benchmarks, skills)).at[data.others].set(loading)
    loadings = loadings.at[data.anchors, jnp.arange(skills)].set(1.0)
    iota = _normal("instruct_shift", priors["instruct_shift"], (benchmarks,))
    shape = (benchmarks, sizes["instruct_slopes"])
    kappa = _normal("instruct_slope", priors["instruct_slope"], shape)
    intercept = _normal("intercept", priors["intercept"], (benchmarks,))
    eta = intercept + theta @ loadings.T
    eta = eta + data.instruct[:, None] * (iota + data.x_instruct @ kappa.T)
    eta = eta + _family_benchmark(data)
    ceiling = _sample("ceiling_share", dist.Beta(*priors["ceiling"]), (benchmarks,))
    power = _sample("link_power", dist.LogNormal(*priors["link_power"]), (benchmarks,))
    shift = -jnp.log(jnp.expm1(jnp.log(2.0) / power))
    stretch = -0.5 / (power * jnp.expm1(-jnp.log(2.0) / power))
    at = data.benchmark_of_cell
    logit = shift[at] + stretch[at] * eta[data.model_of_cell, at]
    share = jnp.exp(-power[at] * softplus(-logit))
    _observe(data, data.floor[at] + (1 - data.floor[at]) * ceiling[at] * share)


def _lineage_skill(data: LawData) -> Array:
    """Return the families' skills, shape (family, skill), with a level of every lineage.

    Levels are centred on the mean of the lineages' levels, each in units of its spread.
    """
    sizes, lineage = data.sizes, data.lineage_of_family
    skills = sizes["skills"]
    scale = _halfnormal("family_scale", data.priors["family_scale"], (skills,))
    share = numpyro.sample("lineage_share", dist.Beta(*data.priors["lineage_share"]))
    between = jnp.sqrt(share) * _standard("lineage_raw", (sizes["lineages"], skills))
    within = jnp.sqrt(1 - share) * _standard("family_raw", (sizes["families"], skills))
    level = between[lineage] + within
    members = np.bincount(lineage, minlength=sizes["lineages"])
    spread = jnp.sqrt(share + (1 - share) / members)[:, None]
    mean = jnp.zeros((sizes["lineages"], skills)).at[lineage].add(level) / members[:, None]
    level = level - spread[lineage] * (mean / spread).mean(0)
    return numpyro.deterministic("family_skill", _correlated(data, level) * scale)


def _family_slope(data: LawData) -> Array:
    """Return what families' own slopes add to the skills, shape (model, skill)."""
    sizes = data.sizes
    shape = (sizes["family_slopes"], sizes["skills"])
    scale = _halfnormal("family_slope_scale", data.priors["family_slope_scale"], shape)
    raw = _standard("family_slope_raw", (sizes["families"], *shape))
    own = scale * (raw - raw.mean(0))
    return jnp.einsum("is,isk->ik", data.x_family, own[data.family_of_model])


def _correlated(data: LawData, level: Array) -> Array:
    skills = data.sizes["skills"]
    if skills == 1:
        return level
    factor = numpyro.sample("skill_cholesky", dist.LKJCholesky(skills, LKJ_CONCENTRATION))
    return level @ factor.T


def _family_benchmark(data: LawData) -> Array:
    """Return the families' levels and slopes on each benchmark, shape (model, benchmark)."""
    sizes, family = data.sizes, data.family_of_model
    families, benchmarks, free = sizes["families"], sizes["benchmarks"], len(data.others)
    scale = _halfnormal("family_benchmark_scale", data.priors["family_benchmark_scale"], (free,))
    raw = _standard("family_benchmark_raw", (families, free))
    effect = jnp.zeros((families, benchmarks)).at[:, data.others].set(scale * (raw - raw.mean(0)))
    name = "family_benchmark_slope"
    scale = _halfnormal(f"{name}_scale", data.priors[f"{name}_scale"], (benchmarks,))
    raw = _standard(f"{name}_raw", (families, benchmarks, sizes["family_benchmark_slopes"]))
    slopes = scale[:, None] * (raw - raw.mean(0))
    return effect[family] + jnp.einsum("is,ijs->ij", data.x_family_benchmark, slopes[family])


def _framework(data: LawData) -> None:
    sizes, priors = data.sizes, data.priors
    benchmarks, skills = sizes["benchmarks"], sizes["skills"]
    loading = _normal("loading", priors["loading"], (len(data.others), skills))
    own = _halfnormal("anchor_loading", priors["anchor_loading"], (skills,))
    slope = _normal("slope", priors["slope"], (sizes["covariates"], skills))
    raw = _standard("family_raw", (sizes["families"], skills))
    family = numpyro.deterministic("family_skill", _correlated(data, raw - raw.mean(0)))
    theta = data.x @ slope + family[data.family_of_model]
    loadings = jnp.zeros((benchmarks, skills)).at[data.others].set(loading)
    loadings = loadings.at[data.anchors, jnp.arange(skills)].set(own)
    eta = _normal("intercept", priors["intercept"], (benchmarks,)) + theta @ loadings.T
    at = data.benchmark_of_cell
    _observe(data, data.floor[at] + (1 - data.floor[at]) * sigmoid(eta[data.model_of_cell, at]))


def _observe(data: LawData, mean: Array) -> None:
    prior = dist.LogNormal(*data.priors["precision"])
    precision = _sample("precision", prior, (data.sizes["benchmarks"],))
    mean, phi = jnp.clip(mean, _EDGE, 1 - _EDGE), precision[data.benchmark_of_cell]
    numpyro.sample("score", dist.Beta(mean * phi, (1 - mean) * phi), obs=data.score_of_cell)


def _sample(name: str, prior: dist.Distribution, shape: tuple[int, ...]) -> Array:
    return numpyro.sample(name, prior.expand(shape).to_event(len(shape)))


def _normal(name: str, numbers: tuple[float, ...], shape: tuple[int, ...]) -> Array:
    return _sample(name, dist.Normal(*numbers), shape)


def _halfnormal(name: str, numbers: tuple[float, ...], shape: tuple[int, ...]) -> Array:
    return _sample(name, dist.HalfNormal(*numbers), shape)


def _standard(name: str, shape: tuple[int, ...]) -> Array:
    return _sample(name, dist.Normal(0.0, 1.0), shape)
