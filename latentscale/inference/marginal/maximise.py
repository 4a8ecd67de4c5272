"""Maximising a marginal likelihood: a search from several starts, then Newton's method."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from latentscale.errors import FitError
from latentscale.inference.marginal.estimate import (
    MarginalEstimate,
    natural_dataset,
    natural_table,
)
from latentscale.inference.marginal.information import (
    Information,
    information,
)
from latentscale.inference.marginal.likelihood import MarginalLikelihood, Placement
from latentscale.inference.marginal.quadrature import Nodes, gauss_hermite
from latentscale.inference.progress import WorkProgress
from latentscale.numerics.climb import climb
from latentscale.numerics.threads import in_threads

# The search uses 3 nodes per skill: its maximum is within a standard error of the finer
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


@dataclass(frozen=True)
class Search:
    """How to maximise.

    Attributes
    ----------
    starts
        Starting points.
    nodes
        Quadrature nodes per skill.
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


def maximise(
    likelihood: MarginalLikelihood,
    *,
    spec_name: str,
    settings: Search,
    rng: np.random.Generator,
    progress: bool,
) -> tuple[MarginalEstimate, Placement]:
    """Maximise a marginal likelihood from several starts; return also where latents lie there.

    Each start is carried to its maximum by a rule of 3 nodes per skill, the best one on by the
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
            "The marginal likelihood is not finite at any start; check scores.audit for scores "
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
