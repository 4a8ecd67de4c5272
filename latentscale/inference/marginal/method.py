"""MarginalML: maximum likelihood with the families' latents integrated out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import CHAIN, DRAW, FAMILY, SKILL, checked_seed
from latentscale.errors import FitError, listed
from latentscale.expect import expect
from latentscale.inference.marginal.information import COVARIANCES, CovarianceKind
from latentscale.inference.marginal.latents import LatentDraws, draw_latents
from latentscale.inference.marginal.refusals import refuse_other_latents
from latentscale.inference.method import METHODS, Method
from latentscale.markup import call_text
from latentscale.model.design import Design, design
from latentscale.model.double import double_precision
from latentscale.model.feasible import feasible
from latentscale.numerics.curvature import normal_draws
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.draws import Draws
from latentscale.posterior.status import Status
from latentscale.validate import real_number

if TYPE_CHECKING:
    from latentscale.inference.marginal.estimate import MarginalEstimate
    from latentscale.inference.marginal.maximise import Search

# Error of the quadrature in log likelihood, a twentieth of what AIC charges for a parameter.
_ERROR_LIMIT = 0.1
# Least effective share of the candidates for a family's latents: 3 of the default 32.
_EFFECTIVE_LIMIT = 0.1
# Log likelihoods of starts that differ by less reached one maximum; searches stop so far short.
_SAME_MAXIMUM = 0.1


@METHODS.add
@dataclass(frozen=True)
class MarginalML(Method):
    """The estimator of Cai et al. 2025: maximum marginal likelihood, with normal draws around it.

    A family's latents are integrated out by adaptive Gauss-Hermite quadrature (Liu and Pierce
    1994), and the likelihood is maximised under the anchors and the unit diagonal of the skills'
    correlation. The spec's priors play no part. Draws of the parameters are normal on the
    unconstrained scale, with the covariance chosen; each draw's family latents come from their
    distribution given those parameters, so that forecasts hold both uncertainties.

    Attributes
    ----------
    starts
        Starting points: the first from regressions, the others scattered around it.
    nodes
        Quadrature nodes per skill, at least 3; a rule with two more gives the error. With 3 nodes
        gradient and value may disagree at the maximum, which then counts as not reached.
    drop
        Share of the quadrature's weight that is left out with its lightest nodes.
    draws
        Draws of the parameters.
    candidates
        Candidates for each draw of a family's latents.
    covariance
        ``"observed"`` (inverse of the observed information), ``"outer-product"`` (inverse of
        the outer product of families' scores; needs more families than parameters) or
        ``"sandwich"`` (of both; right where the model is not, but it needs many more families
        than parameters).
    iterations
        Most steps of the maximiser from one start.
    cores
        Threads; None for as many as the machine has. The result does not depend on it.

    Raises
    ------
    FitError
        If a field is out of range.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), estimation by maximum marginal likelihood.

    Examples
    --------
    >>> ls.MarginalML(starts=2, draws=500)
    MarginalML(starts=2, nodes=5, drop=0.0001, draws=500, candidates=32, covariance='observed',
        iterations=500, cores=None)
    """

    __repr__ = call_text

    good_for: ClassVar[str] = (
        "estimates, standard errors, AIC and BIC, and forecasts where families are many; intervals "
        "of scales assume that their logs are normal"
    )

    starts: int = 6
    nodes: int = 5
    drop: float = 1e-4
    draws: int = 1000
    candidates: int = 32
    covariance: CovarianceKind = "observed"
    iterations: int = 500
    cores: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("starts", "draws", "iterations")
        self._check_counts("nodes", least=3)
        self._check_counts("candidates", least=2)
        self._check_cores()
        real_number(self.drop, "MarginalML.drop", least=0, most=0.01, error=FitError)
        self._check_choice("covariance", COVARIANCES)

    @one_blas_thread()
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Maximise, then draw parameters and latents (see the class).

        Parameters
        ----------
        spec, design, seed, progress
            As for `Method.draw`.

        Returns
        -------
        Draws
            As `Method.draw` returns.

        Raises
        ------
        SpecError
            If the spec has latents that quadrature cannot integrate out, or the scores of some
            benchmark leave the likelihood without a maximum.
        FitError
            If the likelihood is not finite, or the covariance asked for does not exist.

        Examples
        --------
        >>> ls.MarginalML().draw(pooled.spec, pooled.design, seed=1, progress=False)
        Traceback (most recent call last):
            ...
        latentscale.errors.SpecError: MarginalML integrates over 1 to 6 skills; ...
        """
        from latentscale.inference.marginal.likelihood import marginal_likelihood
        from latentscale.inference.marginal.maximise import maximise

        refuse_other_latents(spec, design, type(self).__name__)
        rng = np.random.default_rng(seed)
        began = time.perf_counter()
        likelihood = marginal_likelihood(spec, design)
        estimate, placement = maximise(
            likelihood,
            spec_name=spec.name,
            settings=_search(self),
            rng=rng,
            progress=progress,
        )
        drawing = time.perf_counter()
        covariance = estimate.information.covariance(self.covariance)
        vectors = normal_draws(estimate.vector, covariance, self.draws, rng)
        latents = draw_latents(likelihood, vectors, placement, self.candidates, rng, self.cores)
        posterior = likelihood.parameters.dataset(vectors[None], (CHAIN, DRAW))
        posterior = _with_families(posterior, latents, list(design.families))
        seconds = {
            **estimate.seconds,
            "draw": time.perf_counter() - drawing,
            "all": time.perf_counter() - began,
        }
        status = _status(estimate, latents, self.covariance)
        return Draws(posterior, None, status, seconds, estimate.to_dataset())


def _search(method: MarginalML) -> Search:
    from latentscale.inference.marginal.maximise import Search

    return Search(method.starts, method.nodes, method.drop, method.iterations, method.cores)


def _with_families(posterior: xr.Dataset, latents: LatentDraws, families: list[str]) -> xr.Dataset:
    """Add family latents, taken from their mean as the model declares them.

    The intercepts take up loading times that mean: the same scores, coded as in the other
    methods' draws, so that a new family is drawn in the same way.
    """
    skill = xr.DataArray(
        latents.skill[None],
        dims=(CHAIN, DRAW, FAMILY, SKILL),
        coords={FAMILY: families, SKILL: posterior[SKILL].values},
    )
    mean = skill.mean(FAMILY)
    intercept = posterior["intercept"] + (posterior["loading"] * mean).sum(SKILL)
    return posterior.assign(family_skill=skill - mean, intercept=intercept)


def _status(estimate: MarginalEstimate, latents: LatentDraws, covariance: str) -> Status:
    advice = []
    if estimate.flat_parameters:
        advice.append(
            f"The likelihood does not identify {listed(estimate.flat_parameters)}: draws hold them "
            "at the estimate, so intervals are too narrow. Use fewer skills or other anchors, "
            "leave out benchmarks with few scores, or use NUTS with priors."
        )
    elif not estimate.converged:
        coarse = abs(estimate.quadrature_error) > _ERROR_LIMIT
        raised = "nodes, so that gradient and value agree" if coarse else "iterations or starts"
        advice.append(
            f"The maximum was not reached (Newton decrement {estimate.decrement:.2g}): raise "
            f"{raised}."
        )
    same = sum(value > max(estimate.starts) - _SAME_MAXIMUM for value in estimate.starts)
    if len(estimate.starts) > 1 and same == 1:
        advice.append(
            f"Only 1 of {len(estimate.starts)} starts reached the best maximum: raise starts."
        )
    if abs(estimate.quadrature_error) > _ERROR_LIMIT:
        advice.append(
            f"The quadrature is off by {abs(estimate.quadrature_error):.2g} in log likelihood: "
            "raise nodes."
        )
    if latents.effective.min() < _EFFECTIVE_LIMIT:
        advice.append("Some family's latents are drawn from few candidates: raise candidates.")
    if covariance != "observed" and estimate.families < 5 * estimate.n_parameters:
        advice.append(
            f"{estimate.families} families are too few for {estimate.n_parameters} parameters: the "
            f'{covariance} covariance is unreliable; prefer covariance = "observed".'
        )
    word = "maximum found" if estimate.converged else "maximum NOT found"
    message = (
        f"{word}: log likelihood {estimate.log_likelihood:.2f}, {estimate.n_parameters} "
        f"parameters, {same} of {len(estimate.starts)} starts agree; draws approximate by a "
        f"normal distribution ({covariance} covariance), priors not used"
    )
    return Status(True, estimate.converged, False, message, tuple(advice), MarginalML.good_for)


def marginal_estimate(
    spec: ModelSpec,
    scores: Scores,
    *,
    method: MarginalML | None = None,
    seed: int = 0,
    progress: bool = True,
) -> MarginalEstimate:
    """Maximise the marginal likelihood without drawing: estimates, standard errors, AIC, BIC.

    Parameters
    ----------
    spec, scores
        The model and the table.
    method
        Settings; `MarginalML()` by default. Its ``draws`` and ``covariance`` play no part.
    seed
        Seed of the starts.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    MarginalEstimate
        Estimates with standard errors, and the criteria.

    Raises
    ------
    DataError, SpecError
        If the table or the spec cannot be used by this method.
    FitError
        If the method fails.

    Examples
    --------
    >>> spec = fit.spec.with_(
    ...     {
    ...         "skills.count": 1,
    ...         "skills.identify.anchors": ["mmlu"],
    ...         "family": {"level": "partial"},
    ...         "benchmarks.family_effect": False,
    ...     }
    ... )
    >>> method = ls.MarginalML(starts=1, cores=1)
    >>> estimate = ls.methods.marginal_estimate(spec, fit.scores, method=method, progress=False)
    >>> estimate.converged
    True
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    if method is not None:
        expect(method, MarginalML, "method")
    from latentscale.inference.marginal.likelihood import marginal_likelihood
    from latentscale.inference.marginal.maximise import maximise

    method = MarginalML() if method is None else method
    rng = np.random.default_rng(checked_seed(seed))
    spec = feasible(spec, scores)
    prepared = design(spec, scores)
    refuse_other_latents(spec, prepared, "MarginalML")
    with double_precision():
        estimate, _ = maximise(
            marginal_likelihood(spec, prepared),
            spec_name=spec.name,
            settings=_search(method),
            rng=rng,
            progress=progress,
        )
    return estimate
