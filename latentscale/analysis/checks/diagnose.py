"""Diagnose: whether draws can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from latentscale.analysis.checks.separate_modes import separate_modes
from latentscale.dims import ESTIMATE, LOG_LIKELIHOOD, SAMPLE
from latentscale.expect import expect
from latentscale.inference.method import METHODS
from latentscale.markup import counted, known_number
from latentscale.numerics.psis import MIN_DRAWS, k_limit, pareto_smoothed
from latentscale.posterior.convergence import Convergence
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import by_sample
from latentscale.posterior.status import problems
from latentscale.result import FixedTable

_DISAGREE = 1.1
"""R-hat above which chains clearly disagree, however short they are."""


@dataclass(frozen=True, repr=False)
class Diagnosis(FixedTable):
    """Convergence of a fit.

    Attributes
    ----------
    passed
        Whether R-hat, ESS, divergences and E-BFMI all pass; for draws without chains, whether the
        method's own status says that it converged.
    rows
        One row per variable: its number of elements, largest R-hat, smallest bulk and tail ESS, and
        where the largest R-hat is.
    divergences, ebfmi
        Divergent transitions, and the smallest energy fraction over chains.
    max_rhat, min_ess
        Worst figures over all parameters.
    high_pareto_k
        Number of scores whose leave-one-out weights are too heavy-tailed (Pareto k above `k_limit`,
        or NaN), as in `latentscale.leave_one_out`: each of them alone moves the posterior. They do
        not make a fit fail.
    k_limit
        Largest Pareto k at which these weights are reliable: min(1 - 1 / log10(draws), 0.7).
    advice
        What to do, one step per entry; empty where all is well.
    left_out
        Variables that are not judged, since the rotation and level of free skills are not
        identified; linear predictors are judged instead.
    approximation_k
        Pareto k of the importance weights of an approximation, which has no chains to judge;
        None for other draws.
    approximation_limit
        Largest such k of a close approximation: `k_limit`, but at most 0.5 where its draws are used
        without weights; None for other draws.
    of_estimator
        Whether the draws are independent and around a maximum, such as MarginalML's, which have no
        chains to judge either.
    thinned
        Whether the fit keeps only some of the draws of its chains, as with `Subsampled`: its status
        judged all of them, and `rows` has the figures for those that were kept.

    Examples
    --------
    >>> diagnosis = ls.diagnose(fit)
    >>> diagnosis.passed
    False
    """

    passed: bool
    rows: pd.DataFrame
    divergences: int
    ebfmi: float
    max_rhat: float
    min_ess: float
    high_pareto_k: int
    k_limit: float
    advice: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    approximation_k: float | None = None
    approximation_limit: float | None = None
    of_estimator: bool = False
    thinned: bool = False

    @property
    def headline(self) -> str:
        """Whether the draws pass, with the worst figures.

        Examples
        --------
        >>> diagnosis.headline.partition(":")[0]
        'Diagnostics NOT passed'
        """
        head = "passed" if self.passed else "NOT passed"
        return (
            f"Diagnostics {head}: {self._figures()}, "
            f"{counted(self.high_pareto_k, 'score')} with Pareto k above {self.k_limit:.2f}"
            + ("; free skills are judged by linear predictors" if self.left_out else "")
        )

    def _figures(self) -> str:
        """Describe what was judged, with its worst figures."""
        if self.of_estimator:
            return "independent draws around a maximum"
        if self.thinned:
            return "draws kept from longer chains, which the fit's status judges"
        if self.approximation_k is not None:
            return f"an approximation with Pareto k {self.approximation_k:.2f}"
        return (
            f"max R-hat {known_number(self.max_rhat, '.3f')}, "
            f"min ESS {known_number(self.min_ess, '.0f')}, "
            f"{counted(self.divergences, 'divergence')}, E-BFMI {known_number(self.ebfmi, '.3f')}"
        )

    def brief(self) -> pd.DataFrame:
        """Return the table, the largest R-hat first.

        Returns
        -------
        pandas.DataFrame
            One row per scalar parameter.

        Examples
        --------
        >>> diagnosis.brief()["rhat"].is_monotonic_decreasing
        True
        """
        return self.rows.sort_values("rhat", ascending=False)


def diagnose(fit: Fit) -> Diagnosis:
    """Check R-hat, effective sample size, divergences, energy and Pareto k.

    R-hat must be at most 1.01 and bulk and tail ESS at least 400 for every parameter
    (Vehtari et al. 2021), with no divergences, no stuck chain and E-BFMI of at least 0.3. Skills
    that are free to rotate, their loadings, and the intercepts, which shift with the common level
    of the skills, are judged by the linear predictors that they imply. An approximation, such as
    ADVI's, is judged by its own status: whether its optimiser converged, and Pareto k of its
    importance weights.
    Draws around a maximum, such as MarginalML's, are independent: their status says whether the
    maximum was found. For a method that keeps only some of its draws, such as `Subsampled`, the
    status judges the full chains.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    Diagnosis
        The diagnosis; print it, or read ``.passed``, ``.table()`` and ``.advice``.

    Raises
    ------
    FitError
        If `fit` is not a fit.

    Examples
    --------
    >>> diagnosis = ls.diagnose(fit)
    >>> diagnosis.divergences, diagnosis.max_rhat < 1.05
    (0, True)
    """
    expect(fit, Fit, "fit")
    convergence = fit.convergence()
    heavy = _high_pareto_k(fit, convergence)
    of_estimator = ESTIMATE in fit.tree.children
    chains = fit.status.pareto_k is None and not of_estimator  # others draw independently
    made = fit.provenance.method
    thinned = made in METHODS and METHODS[made].thins
    limit = None if fit.status.pareto_k is None else _approximation_limit(fit)
    wrong = problems(convergence) if chains and not thinned else _not_close(fit, limit)
    disagree = chains and convergence.max_rhat > _DISAGREE
    apart = separate_modes(fit, convergence.table) if disagree else ()
    advice = list(dict.fromkeys([*wrong, *apart, *fit.status.advice]))
    return Diagnosis(
        passed=not wrong and fit.status.converged is not False,
        rows=_by_variable(convergence),
        divergences=convergence.divergences,
        ebfmi=convergence.ebfmi,
        max_rhat=convergence.max_rhat,
        min_ess=convergence.min_ess,
        high_pareto_k=heavy,
        k_limit=k_limit(fit.samples.sizes[SAMPLE]),
        advice=tuple(advice),
        left_out=convergence.left_out,
        approximation_k=fit.status.pareto_k,
        approximation_limit=limit,
        of_estimator=of_estimator,
        thinned=thinned,
    )


def _by_variable(convergence: Convergence) -> pd.DataFrame:
    rows = []
    for variable, elements in convergence.table.groupby("variable", sort=False):
        worst = elements["rhat"].fillna(-1.0).idxmax()
        rows.append(
            {
                "variable": variable,
                "elements": len(elements),
                "rhat": elements["rhat"].max(),
                "ess_bulk": elements["ess_bulk"].min(),
                "ess_tail": elements["ess_tail"].min(),
                "worst": elements.loc[worst, "where"],
            }
        )
    return pd.DataFrame(rows)


def _approximation_limit(fit: Fit) -> float:
    """Return the largest Pareto k of a close approximation by the fit's method."""
    made, kept = fit.provenance, fit.samples.sizes[SAMPLE]
    if made.method not in METHODS:
        return k_limit(kept)
    method = METHODS[made.method]
    return k_limit(method.weighed(made.settings, kept), weighted=method.weighted)


def _not_close(fit: Fit, limit: float | None) -> tuple[str, ...]:
    """Say that an approximation is not close if its status, with a higher limit, calls it close."""
    pareto_k = fit.status.pareto_k
    if limit is None or pareto_k is None or pareto_k <= limit or fit.status.converged is False:
        return ()
    return (
        f"Pareto k is {pareto_k:.2f}, above {limit:.2f}, the limit for a close approximation, "
        "although the fit's status calls it close (earlier versions had a higher limit). Use "
        "NUTS for numbers that matter.",
    )


def _high_pareto_k(fit: Fit, convergence: Convergence) -> int:
    """Count scores whose PSIS leave-one-out weights are unreliable (Vehtari et al. 2024).

    A score whose k is NaN (its density is 0 at some draw, or the tail is too short) counts as
    unreliable; a score with the same density at every draw has equal weights, which are fine.
    """
    draws = fit.samples.sizes[SAMPLE]
    if not fit.is_posterior or draws < MIN_DRAWS:
        return 0
    logs = by_sample(fit, fit.tree[LOG_LIKELIHOOD].to_dataset()["score"])
    ratio = -logs.transpose(..., SAMPLE).values
    pareto_k = pareto_smoothed(ratio, efficiency=convergence.efficiency(draws)).pareto_k
    return int(np.sum(~(pareto_k <= k_limit(draws))))
