"""Draws of family latents given parameters: resampling of candidates around each mode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentscale.inference.marginal.likelihood import MarginalLikelihood, Placement
from latentscale.numerics.threads import in_threads

# Degrees of freedom of the candidates: tails heavier than those of any posterior with a normal
# prior, with hardly fewer effective candidates than a normal would give.
_FREEDOM = 7.0


@dataclass(frozen=True)
class LatentDraws:
    """Family latents drawn given each vector of parameters.

    Attributes
    ----------
    skill
        alpha = A y, shape (draw, family, K), with mean zero over the population of families.
    effective
        Effective share of the candidates by family, from 0 to 1, averaged over draws.
    """

    skill: np.ndarray
    effective: np.ndarray


def draw_latents(
    likelihood: MarginalLikelihood,
    vectors: np.ndarray,
    start: Placement,
    candidates: int,
    rng: np.random.Generator,
    cores: int | None,
) -> LatentDraws:
    """Draw every family's latents from their conditional distribution.

    For each vector, `candidates` are drawn from a t distribution with 7 degrees of freedom at the
    mode, and one is kept with probability proportional to its importance weight (sampling
    importance resampling, Rubin 1987). Each vector has its own random stream, so that the draws do
    not depend on the number of threads.
    """

    def work(task: tuple[np.ndarray, np.random.Generator]) -> tuple[np.ndarray, np.ndarray]:
        vector, own = task
        placement = likelihood.place(vector, start.modes)
        return _resample(likelihood, vector, placement, candidates, own)

    streams = rng.spawn(len(vectors))
    resampled = in_threads(work, zip(vectors, streams, strict=True), cores)
    factor = likelihood.parameters.natural(vectors)["factor"]
    kept = np.stack([latents for latents, _ in resampled])
    return LatentDraws(
        skill=kept @ np.swapaxes(factor, -1, -2),
        effective=np.mean([share for _, share in resampled], axis=0),
    )


def _resample(
    likelihood: MarginalLikelihood,
    vector: np.ndarray,
    placement: Placement,
    candidates: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return one kept candidate (family, K), and the effective share of all (family,)."""
    families, size = placement.modes.shape
    normal = rng.standard_normal((families, candidates, size))
    width = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, (families, candidates)))
    z = normal * width[:, :, None]
    y = placement.modes[:, None, :] + z @ np.swapaxes(placement.spreads, -1, -2)
    log_weight = likelihood.joint_at(vector, y)
    log_weight += (_FREEDOM + size) / 2 * np.log1p(np.square(z).sum(axis=2) / _FREEDOM)
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    chance = rng.random((families, 1))
    chosen = (np.cumsum(weight, axis=1) < chance).sum(axis=1).clip(max=candidates - 1)
    return y[np.arange(families), chosen], 1 / np.square(weight).sum(axis=1) / candidates
