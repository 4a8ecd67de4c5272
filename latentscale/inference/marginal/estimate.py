"""Estimate: the maximum of the marginal likelihood, with standard errors."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.dims import SKILL
from latentscale.errors import FitError
from latentscale.inference.marginal.information import (
    COVARIANCES,
    CovarianceKind,
    Information,
    information,
)
from latentscale.inference.marginal.likelihood import MarginalLikelihood, Placement
from latentscale.inference.marginal.quadrature import Nodes, gauss_hermite
from latentscale.inference.progress import WorkProgress
from latentscale.inference.tools.regressions import PARTIAL_CORRELATION
from latentscale.model.terms.family_level import SKILL_FACTOR
from latentscale.numerics.climb import climb
from latentscale.numerics.curvature import differences
from latentscale.numerics.threads import in_threads
from latentscale.result import FixedTable

# The search maximises by 3 nodes a skill: its maximum is within a standard error of the finer
# rule's, at a fraction of the cost (benchmarks/MARGINAL.md).
_SEARCH_NODES = 3
# Share of the weight left out in the search with more than 4 skills, where 3^K nodes are many.
_SEARCH_DROP = 0.02
_FEW_SKILLS = 4
# Pairs of differences of L-BFGS: some hundred parameters, whose evaluations cost far more.
_HISTORY = 30
# Relative gain at which a search ends; Newton's method goes on from there.
_TOLERANCE = 1e-10
# Scatter of the other starts around the first, in logits and logs: a wide guess of its error.
_JITTER = 0.4
# Steps with one curvature; it is computed anew after them.
_STEPS_A_CURVATURE = 10
# Gain in log likelihood that a Newton step must promise: below it the sum's rounding rules.
_SMALL_STEP = 1e-7
# Lengths to which a Newton step is halved before it is given up.
_LENGTHS = tuple(0.5**k for k in range(7))
# Most curvatures; each is a gradient or two a parameter, and three are enough on all our tables.
_CURVATURES = 8
# Gain below which the curvature is taken to be that of the maximum, in log likelihood.
_NEAR = 0.01
# Newton decrement at which the maximum is reached: 1/1000 in log likelihood, 0.04 standard errors.
_REACHED = 1e-3
# Share of a parameter's squared length that lies along flat directions before it is called flat.
_FLAT_SHARE = 1e-2


@dataclass(frozen=True)
class Search:
    """How to maximise.

    Attributes
    ----------
    starts
        Starting points.
    nodes
        Quadrature nodes a skill.
    drop
        Share of the quadrature's weight left out with its lightest nodes.
    iterations
        Most steps from one start.
    cores
        Threads; None for as many as the machine has.
    """

    starts: int
    nodes: int
    drop: float
    iterations: int
    cores: int | None


@dataclass(frozen=True, repr=False)
class MarginalEstimate(FixedTable):
    """The maximum marginal likelihood estimate of a spec on a table.

    Attributes
    ----------
    spec_name
        Name of the spec.
    vector, labels
        The estimate on the unconstrained scale, and the name of each entry.
    parameters
        The estimate on the natural scale, named dims. ``intercept`` is that of families with
        mean zero, as in Cai et al.; the draws of a fit take families from their own mean.
    rows
        One row a natural parameter: estimate, and standard errors ``se_observed``,
        ``se_outer_product`` and ``se_sandwich`` by the delta method; NaN where it is
        not identified.
    information
        Observed information and families' scores, on the unconstrained scale.
    log_likelihood
        At the maximum, by the finest rule.
    quadrature_error
        How far the rule that was maximised lies from that finest one, in log likelihood.
    starts
        Log likelihood that each start reached, by the coarse rule of the search; the first
        start is that of the regressions.
    decrement
        Newton decrement g' J^-1 g / 2 at the maximum: what log likelihood is left to gain.
    families, scores
        Number of independent units, and of measured scores.
    seconds
        Wall-clock seconds by stage.

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
    >>> estimate.bic > estimate.aic
    True
    """

    spec_name: str
    vector: np.ndarray
    labels: tuple[str, ...]
    parameters: xr.Dataset
    rows: pd.DataFrame
    information: Information
    log_likelihood: float
    quadrature_error: float
    starts: tuple[float, ...]
    decrement: float
    families: int
    scores: int
    seconds: dict[str, float]

    @property
    def headline(self) -> str:
        """The maximum, its criteria, and whether it is one."""
        state = "" if self.converged else "; NOT a proper maximum"
        return (
            f"Maximum marginal likelihood of {self.spec_name}: log likelihood "
            f"{self.log_likelihood:.2f} with {self.n_parameters} parameters, AIC {self.aic:.1f}, "
            f"BIC {self.bic:.1f}{state}"
        )

    def brief(self) -> pd.DataFrame:
        """Return the table with the parameters' names as a column."""
        return self.rows.rename_axis("parameter").reset_index()

    @property
    def n_parameters(self) -> int:
        """Number of free parameters P."""
        return len(self.labels)

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 P - 2 log likelihood."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, P log F - 2 log likelihood.

        The independent units are the F families, not the scores, whose number
        `bic_of_scores` uses.
        """
        return float(self.n_parameters * np.log(self.families) - 2 * self.log_likelihood)

    @property
    def bic_of_scores(self) -> float:
        """P log(number of scores) - 2 log likelihood."""
        return float(self.n_parameters * np.log(self.scores) - 2 * self.log_likelihood)

    @property
    def converged(self) -> bool:
        """Whether the gradient vanishes at a proper maximum."""
        return self.decrement < _REACHED and not self.information.flat.shape[1]

    @property
    def flat_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that the likelihood does not identify."""
        return tuple(np.asarray(self.labels)[_is_flat(self.information)].tolist())

    def to_dataset(self) -> xr.Dataset:
        """Return what a fit's tree keeps: table, criteria, starts; dims (parameter, start)."""
        columns = {str(name): ("parameter", self.rows[name].to_numpy()) for name in self.rows}
        return xr.Dataset(
            {
                **columns,
                "start_log_likelihood": ("start", np.array(self.starts)),
                "log_likelihood": self.log_likelihood,
                "quadrature_error": self.quadrature_error,
                "n_parameters": self.n_parameters,
                "n_families": self.families,
                "n_scores": self.scores,
                "aic": self.aic,
                "bic": self.bic,
                "bic_of_scores": self.bic_of_scores,
            },
            coords={
                "parameter": [str(name) for name in self.rows.index],
                "start": np.arange(len(self.starts)),
            },
        )


def maximise(
    likelihood: MarginalLikelihood,
    *,
    spec_name: str,
    settings: Search,
    rng: np.random.Generator,
    progress: bool,
) -> tuple[MarginalEstimate, Placement]:
    """Maximise a marginal likelihood from several starts; return also where latents lie there.

    Each start is carried to its maximum by a rule of 3 nodes a skill, the best one on by the
    settings' nodes; the log likelihood is that of two nodes more.

    Raises
    ------
    FitError
        If the likelihood is not finite at any start.
    """
    size = likelihood.parameters.skills
    began = time.perf_counter()
    search = gauss_hermite(size, _SEARCH_NODES, drop=0 if size <= _FEW_SKILLS else _SEARCH_DROP)
    reached, values = _from_every_start(likelihood, search, settings, rng, progress)
    searched = time.perf_counter()
    nodes = gauss_hermite(size, settings.nodes, drop=settings.drop)
    vector = reached[int(np.argmax(values))]
    vector, curvature, placement = newton(likelihood, vector, nodes, search, settings.cores)
    polished = time.perf_counter()
    finest = gauss_hermite(size, settings.nodes + 2, drop=settings.drop / 10)
    best = float(likelihood.by_family(vector, placement, finest).sum())
    gradient = curvature.scores.sum(axis=0)
    estimate = MarginalEstimate(
        spec_name=spec_name,
        vector=vector,
        labels=tuple(likelihood.parameters.labels()),
        parameters=natural_dataset(likelihood, vector),
        rows=natural_table(likelihood, vector, curvature),
        information=curvature,
        log_likelihood=best,
        quadrature_error=best - float(likelihood.by_family(vector, placement, nodes).sum()),
        starts=tuple(values),
        decrement=float(gradient @ curvature.covariance("observed") @ gradient / 2),
        families=likelihood.families,
        scores=likelihood.bench.size,
        seconds={"search": searched - began, "polish": polished - searched},
    )
    return estimate, placement


def _from_every_start(
    likelihood: MarginalLikelihood,
    nodes: Nodes,
    settings: Search,
    rng: np.random.Generator,
    progress: bool,
) -> tuple[list[np.ndarray], list[float]]:
    """Return the maximum that each start reached, and its log likelihood."""
    first = likelihood.start
    scatter = (_JITTER * rng.standard_normal(first.size) for _ in range(settings.starts - 1))
    starts = [first, *(first + step for step in scatter)]
    done: list[float] = []
    with WorkProgress(settings.starts, "MarginalML", "starts", enabled=progress) as shown:

        def work(start: np.ndarray) -> tuple[np.ndarray, float]:
            reached = maximise_from(likelihood, start, nodes, settings.iterations)
            done.append(reached[1])
            shown.update(len(done), f"best log likelihood {max(done):.2f}")
            return reached

        ended = in_threads(work, starts, settings.cores)
    values = [value for _, value in ended]
    if not np.isfinite(max(values)):
        raise FitError(
            "The marginal likelihood is not finite at any start; look at scores.audit for scores "
            "far from the others, or use NUTS."
        )
    return [vector for vector, _ in ended], values


def maximise_from(
    likelihood: MarginalLikelihood, start: np.ndarray, nodes: Nodes, iterations: int
) -> tuple[np.ndarray, float]:
    """Maximise by L-BFGS from one start, placing the nodes anew at every step."""
    modes: np.ndarray | None = None

    def log_likelihood(vector: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal modes
        with np.errstate(over="ignore", invalid="ignore"):
            placement = likelihood.place(vector, modes)
            values, scores = likelihood.with_scores(vector, placement, nodes)
        total, gradient = float(values.sum()), scores.sum(axis=0)
        finite = np.isfinite(total) and np.isfinite(gradient).all()
        modes = placement.modes if finite else None
        return total, gradient

    end = climb(
        log_likelihood, start, steps=iterations, history=_HISTORY, tolerance=_TOLERANCE, kept=1
    )
    return end.mode, end.value


def newton(
    likelihood: MarginalLikelihood,
    vector: np.ndarray,
    nodes: Nodes,
    coarse: Nodes,
    cores: int | None,
) -> tuple[np.ndarray, Information, Placement]:
    """Go from the maximum of a coarse rule to that of a finer one, by Newton's method.

    The search may have stopped short, so the coarse rule's own maximum comes first, where a step
    is cheap. The curvature is the coarse rule's; it is computed anew until it was computed close
    to where the climb ends, so that the standard errors belong to the maximum.
    """
    placement = likelihood.place(vector)
    searching = True
    for _ in range(_CURVATURES):
        curvature = information(likelihood, vector, placement, coarse, cores)
        if searching:
            vector, placement, _, gained = _ascend(likelihood, vector, placement, coarse, curvature)
            searching = gained >= _NEAR
        if not searching:
            vector, placement, scores, gained = _ascend(
                likelihood, vector, placement, nodes, curvature
            )
            if gained < _NEAR:
                break
    else:
        scores = likelihood.with_scores(vector, placement, nodes)[1]
    return vector, Information(curvature.observed, scores), placement


def _ascend(
    likelihood: MarginalLikelihood,
    vector: np.ndarray,
    placement: Placement,
    nodes: Nodes,
    curvature: Information,
) -> tuple[np.ndarray, Placement, np.ndarray, float]:
    """Climb with one curvature, halving a step that does not gain.

    Return the vector, its placement and scores, and the log likelihood gained.
    """
    bread = curvature.ascent
    values, scores = likelihood.with_scores(vector, placement, nodes)
    before = values.sum()
    for _ in range(_STEPS_A_CURVATURE):
        gradient = scores.sum(axis=0)
        step = bread @ gradient
        if gradient @ step < _SMALL_STEP:
            break
        for length in _LENGTHS:
            tried = vector + length * step
            there = likelihood.place(tried, placement.modes)
            reached, steeper = likelihood.with_scores(tried, there, nodes)
            if reached.sum() > values.sum():
                break
        else:
            break
        vector, placement, values, scores = tried, there, reached, steeper
    return vector, placement, scores, float(values.sum() - before)


def natural_dataset(likelihood: MarginalLikelihood, vector: np.ndarray) -> xr.Dataset:
    """Return one vector as natural parameters with named dims, and ``skill_correlation``."""
    natural = likelihood.parameters.dataset(vector, ())
    if "skill_cholesky" in natural:
        factor = natural["skill_cholesky"]
        other = factor.rename({SKILL: "other_skill"})
        natural = natural.assign(skill_correlation=(factor * other).sum(SKILL_FACTOR))
    return natural


def natural_table(
    likelihood: MarginalLikelihood, vector: np.ndarray, curvature: Information
) -> pd.DataFrame:
    """Return natural parameters with standard errors by the delta method."""
    names, estimate, jacobian = _natural_jacobian(likelihood, vector)
    columns: dict[str, np.ndarray] = {"estimate": estimate}
    flat = np.abs(jacobian[:, _is_flat(curvature)]).sum(axis=1) > 0
    for kind in COVARIANCES:
        column = "se_" + kind.replace("-", "_")
        columns[column] = np.full(len(names), np.nan)
        if kind == "outer-product" and curvature.scores.shape[0] <= curvature.scores.shape[1]:
            continue
        covariance = curvature.covariance(_kind(kind))
        errors = np.sqrt(np.maximum(np.einsum("np,pq,nq->n", jacobian, covariance, jacobian), 0))
        columns[column] = np.where(flat, np.nan, errors)
    return pd.DataFrame(columns, index=pd.Index(names, name="parameter"))


def _kind(kind: str) -> CovarianceKind:
    return kind  # type: ignore[return-value]


def _is_flat(curvature: Information) -> np.ndarray:
    """Return which entries of the vector lie along flat directions."""
    return np.asarray(np.square(curvature.flat).sum(axis=1) > _FLAT_SHARE)


def _natural_jacobian(
    likelihood: MarginalLikelihood, vector: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, values (n,) and derivatives (n, P) of the natural parameters that vary."""
    parameters = likelihood.parameters
    labels = parameters.labels()
    places = parameters.places
    blocks = [block for block in parameters.blocks if block.name != PARTIAL_CORRELATION]
    names = [name for block in blocks for name in labels[places[block.name]]]
    rows, columns = np.tril_indices(parameters.skills, -1)
    correlated = PARTIAL_CORRELATION in places
    if correlated:
        skills = parameters.coords[SKILL]
        names += [
            f"skill_correlation[{skills[i]}, {skills[j]}]"
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]

    def natural(there: np.ndarray) -> np.ndarray:
        values = [block.natural(there[places[block.name]]) for block in blocks]
        if correlated:
            factor = parameters.natural(there)["skill_cholesky"]
            values.append((factor @ factor.T)[rows, columns])
        return np.concatenate(values)

    return names, natural(vector), differences(natural, vector, np.eye(vector.size))
