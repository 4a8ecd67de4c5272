"""The marginal likelihood, with families' latents integrated out, and each family's score.

Families are independent given the parameters, so the log likelihood is a sum over families of
log integral p(Y_f | alpha) Normal(alpha; 0, Sigma) d alpha, Cai et al. 2025 (arXiv:2512.06553).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from latentscale.declare.spec import ModelSpec
from latentscale.dims import MODEL
from latentscale.inference.marginal import kernel
from latentscale.inference.marginal.parameters import (
    FREE_LOADING,
    Arrays,
    ParameterVector,
    cholesky_of_partials,
    parameter_vector,
)
from latentscale.inference.marginal.quadrature import Nodes
from latentscale.inference.tools.exact_fits import own_regressors
from latentscale.inference.tools.regressions import (
    PARTIAL_CORRELATION,
    partials_of_cholesky,
    regressed,
)
from latentscale.model.design import Design
from latentscale.model.rows import rows_of
from latentscale.model.terms.base import Rows
from latentscale.model.terms.precision import PRECISION

_LOG_2 = float(np.log(2))
"""Constant of the power link's stretch."""
_TINY = 1e-30  # complex step: its square is 0 in double precision
_MOST_PRECISE = 1e8
"""Precision beyond which the likelihood counts as 0. The standard deviation of scores is then half
a ten-thousandth, smaller than tables' rounding. Log gamma functions of such numbers lose the digits
in which likelihoods differ, so that a climb would follow rounding errors endlessly."""


@dataclass(frozen=True)
class Placement:
    """Where the quadrature nodes are placed: y = mode + spread z for each family.

    Attributes
    ----------
    modes
        Most probable standard latents y, shape (family, K).
    spreads
        Inverse square root of the negative Hessian there, shape (family, K, K).
    peaks
        Log density of scores and latents at the mode, plus K/2 log 2 pi, shape (family,).
    """

    modes: np.ndarray
    spreads: np.ndarray
    peaks: np.ndarray

    @property
    def laplace(self) -> np.ndarray:
        """The Laplace approximation to each family's log marginal likelihood."""
        return self.peaks + np.log(np.einsum("fkk->fk", self.spreads)).sum(axis=1)


@dataclass(frozen=True)
class MarginalLikelihood:
    """Log likelihood and scores of a spec on a table, with latents integrated out.

    Attributes
    ----------
    parameters
        The parameters as one unconstrained vector.
    start
        Rough values from regressions, where maximisation begins, shape (P,).
    families
        Number of families F.
    first
        Where each family's cells begin, shape (family + 1,).
    model, bench, family
        Model, benchmark and family of each cell, with cells sorted by family.
    log_score, log_rest
        log s and log(1 - s), shape (cell,).
    regression
        Regressors of each model in benchmarks' linear predictors, shape (model, D): one, then
        regressors of slopes and instruction tuning.
    x, precision_x
        Covariates of skills and of precision, shapes (model, C) and (model, P).
    link
        The link's code in the compiled loops.
    """

    parameters: ParameterVector
    start: np.ndarray
    families: int
    first: np.ndarray
    model: np.ndarray
    bench: np.ndarray
    family: np.ndarray
    log_score: np.ndarray
    log_rest: np.ndarray
    regression: np.ndarray
    x: np.ndarray
    precision_x: np.ndarray
    link: int

    def place(self, vector: np.ndarray, start: np.ndarray | None = None) -> Placement:
        """Find each family's mode and spread, from `start` (family, K) or from zero."""
        begin = np.zeros((self.families, self.parameters.skills)) if start is None else start
        return Placement(*kernel.family_modes(self._loop(self.parameters.natural(vector)), begin))

    def by_family(self, vector: np.ndarray, placement: Placement, nodes: Nodes) -> np.ndarray:
        """Return each family's log marginal likelihood, shape (family,)."""
        loop = self._loop(self.parameters.natural(vector))
        values: np.ndarray = kernel.integrate(
            loop, placement.modes, placement.spreads, nodes.points, nodes.log_weights
        )
        return values if loop.phi.max() <= _MOST_PRECISE else np.full_like(values, -np.inf)

    def with_scores(
        self, vector: np.ndarray, placement: Placement, nodes: Nodes
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log likelihoods (family,) and their gradients (family, P).

        The gradient is for the quadrature's sum with fixed nodes. Beyond `_MOST_PRECISE`, values
        are -inf.
        """
        natural = self.parameters.natural(vector)
        loop = self._loop(natural)
        values, expected = kernel.integrate_with_scores(
            loop,
            placement.modes,
            placement.spreads,
            nodes.points,
            nodes.log_weights,
        )
        values = values if loop.phi.max() <= _MOST_PRECISE else np.full_like(values, -np.inf)
        return values, self._scores(natural, expected)

    def joint_at(self, vector: np.ndarray, latents: np.ndarray) -> np.ndarray:
        """Return log p(Y_f, y) plus K/2 log 2 pi, at latents (family, point, K)."""
        values: np.ndarray = kernel.joint_at(self._loop(self.parameters.natural(vector)), latents)
        return values

    def _loop(self, natural: Arrays) -> kernel.Loop:
        """Return the inputs of the compiled loops."""
        coefficients = self._coefficients(natural)
        loading = natural["loading"]
        fixed = self.regression @ coefficients.T
        if "slope" in natural:
            fixed = fixed + self.x @ natural["slope"] @ loading.T
        phi = natural["precision"][self.bench]
        if "precision_slope" in natural:
            change = self.precision_x @ natural["precision_slope"].T
            phi = phi * np.exp(change[self.model, self.bench])
        constant = np.column_stack([gammaln(phi), digamma(phi), self.log_score, self.log_rest])
        mix = np.ascontiguousarray(loading @ natural["factor"])
        base = fixed[self.model, self.bench]
        curve = self._curve(natural)
        return kernel.Loop(self.first, self.bench, base, phi, constant, curve, mix, self.link)

    def _coefficients(self, natural: Arrays) -> np.ndarray:
        """Return the benchmarks' coefficients in the order of `regression`'s columns."""
        wanted = ("intercept", "benchmark_slope", "instruct_shift", "instruct_slope")
        count = natural["intercept"].shape[0]
        return np.concatenate(
            [natural[name].reshape(count, -1) for name in wanted if name in natural], axis=1
        )

    def _curve(self, natural: Arrays) -> np.ndarray:
        floor = self.parameters.floor
        curve = np.ones((floor.size, 7))
        curve[:, 0] = floor
        curve[:, 1] = natural.get("ceiling", 1.0)
        if "link_power" in natural:
            power = natural["link_power"]
            rise, fall = np.expm1(_LOG_2 / power), np.expm1(-_LOG_2 / power)
            by_power = fall + (fall + 1) * _LOG_2 / power
            curve[:, 2] = power
            curve[:, 3] = -np.log(rise)
            curve[:, 4] = -0.5 / (power * fall)
            curve[:, 5] = -_LOG_2 / power**2 / fall
            curve[:, 6] = 0.5 * by_power / (power * fall) ** 2
        return curve

    def _scores(self, natural: Arrays, expected: np.ndarray) -> np.ndarray:
        """Turn cells' expected derivatives into families' gradients with respect to the vector."""
        count = self.parameters.loading_mask.shape[0]
        cells = self.family * count + self.bench

        def gather(columns: np.ndarray) -> np.ndarray:
            """Sum columns (cell, n) over the cells of a family and benchmark."""
            sums = [np.bincount(cells, column, self.families * count) for column in columns.T]
            return np.stack(sums, axis=1).reshape(self.families, count, -1)

        by_eta, by_latent = expected[:, :1], expected[:, kernel.EXTRAS :]
        loading, factor = natural["loading"], natural["factor"]
        latent = gather(by_latent)
        by_loading = latent @ factor.T
        scores: Arrays = {}
        if "slope" in natural:
            along = gather(by_eta * self.x[self.model])
            scores["slope"] = np.einsum("fjc,jk->fck", along, loading)
            by_loading = by_loading + along @ natural["slope"]
        split = gather(by_eta * self.regression[self.model])
        begin = 0
        for name in ("intercept", "benchmark_slope", "instruct_shift", "instruct_slope"):
            if name in natural:
                width = natural[name].reshape(count, -1).shape[1]
                scores[name] = split[:, :, begin : begin + width]
                begin += width
        mask = self.parameters.loading_mask
        scores[FREE_LOADING] = by_loading[:, mask == 1]
        if "anchor_loading" in natural:
            at = np.argmax(mask == 2, axis=0)
            skills = np.arange(mask.shape[1])
            scores["anchor_loading"] = by_loading[:, at, skills] * loading[at, skills]
        by_factor = np.einsum("jk,fjl->fkl", loading, latent)
        self._factor_scores(natural, by_factor, scores)
        by_phi = expected[:, 1:2]
        scores["precision"] = gather(by_phi)
        if "precision_slope" in natural:
            scores["precision_slope"] = gather(by_phi * self.precision_x[self.model])
        if "link_power" in natural:
            scores["link_power"] = gather(expected[:, 2:3])
        if "ceiling_share" in natural:
            share = natural["ceiling_share"]
            by_share = (1 - self.parameters.floor) * share * (1 - share)
            scores["ceiling_share"] = gather(expected[:, 3:4])[:, :, 0] * by_share
        return np.concatenate(
            [scores[block.name].reshape(self.families, -1) for block in self.parameters.blocks],
            axis=1,
        )

    def _factor_scores(self, natural: Arrays, by_factor: np.ndarray, scores: Arrays) -> None:
        """Add the scores of the families' scales and of the skills' correlation."""
        if "family_scale" in natural:
            scores["family_scale"] = (by_factor * natural["factor"]).sum(axis=2)
        if "skill_cholesky" in natural:
            slopes = _factor_slopes(natural["skill_cholesky"])
            if "family_scale" in natural:
                slopes = slopes * natural["family_scale"][:, None]
            scores[PARTIAL_CORRELATION] = np.einsum("fkl,pkl->fp", by_factor, slopes)


def _factor_slopes(factor: np.ndarray) -> np.ndarray:
    """Return the derivatives (pair, K, K) of a Cholesky factor by atanh of the partials.

    The complex-step method is exact up to rounding.
    """
    count = factor.shape[0]
    partial = partials_of_cholesky(factor)
    free = np.arctanh(np.clip(partial, -1 + 1e-15, 1 - 1e-15))
    stepped = np.tanh(free + 1j * _TINY * np.eye(free.size))
    return np.asarray(cholesky_of_partials(stepped, count).imag / _TINY)


def marginal_likelihood(spec: ModelSpec, design: Design) -> MarginalLikelihood:
    """Prepare the marginal likelihood of a spec on a table.

    The spec must be one that quadrature can fit; see
    `latentscale.inference.marginal.refusals.refuse_other_latents`.
    """
    family = design.family_of_model[design.model_of_cell]
    order = np.argsort(family, kind="stable")
    families = len(design.families)
    score = design.score_of_cell[order]
    parameters = parameter_vector(spec, design)
    return MarginalLikelihood(
        parameters=parameters,
        start=_start(parameters, regressed(spec, design)),
        families=families,
        first=np.searchsorted(family[order], np.arange(families + 1)),
        model=design.model_of_cell[order],
        bench=design.benchmark_of_cell[order],
        family=family[order],
        log_score=np.log(score),
        log_rest=np.log1p(-score),
        regression=own_regressors(spec, design),
        x=np.asarray(design.x.values, dtype=float),
        precision_x=_precision_covariates(rows_of(spec, design.x, design.scores.dataset)),
        link=kernel.LINKS[str(spec.benchmarks.link.scalar)],
    )


def _start(parameters: ParameterVector, rough: Arrays) -> np.ndarray:
    """Return rough values as a vector, 0 for what regressions do not estimate."""
    zeros = {block.name: np.zeros(block.shape) for block in parameters.blocks}
    return parameters.vector(zeros | rough)


def _precision_covariates(rows: Rows) -> np.ndarray:
    """Return the covariates of precision, shape (model, P); without columns if it has none."""
    if PRECISION not in rows.covariates:
        return np.zeros((rows.instruct.sizes[MODEL], 0))
    return np.asarray(rows.covariates[PRECISION].values, dtype=float)
