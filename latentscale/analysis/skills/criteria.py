"""Information criteria: how many skills the marginal likelihood supports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.errors import SpecError
from latentscale.expect import expect, shown
from latentscale.inference.marginal.estimate import MarginalEstimate
from latentscale.inference.marginal.method import MarginalML, marginal_estimate
from latentscale.inference.marginal.refusals import MAX_SKILLS
from latentscale.markup import counted
from latentscale.result import FixedTable, Picture
from latentscale.validate import is_whole, plain

_AGREE = 0.1
"""Difference of log likelihoods: a tenth changes a criterion by at most 0.2."""
_DEFAULT_METHOD = MarginalML()


@dataclass(frozen=True, repr=False)
class Criteria(FixedTable):
    """AIC and BIC of one spec at several numbers of skills.

    Attributes
    ----------
    rows
        One row per number of skills, by which it is indexed (``skills``): parameters,
        log_likelihood, aic, bic (P log of the number of families), bic_of_scores (P log of the
        number of scores), agreeing_starts (within 0.1 of the best), starts, converged.
    estimates
        The estimate at each number of skills.
    families, scores
        Number of families and of scores.

    Examples
    --------
    >>> spec = fit.spec.with_({"family": {"level": "partial"}, "benchmarks.family_effect": False})
    >>> criteria = ls.studies.information_criteria(
    ...     spec, fit.scores, counts=[1], method=ls.MarginalML(starts=1, cores=1), progress=False
    ... )
    >>> criteria.best()
    1
    """

    rows: pd.DataFrame
    estimates: dict[int, MarginalEstimate]
    families: int
    scores: int

    plot = Picture("plot_criteria")

    @property
    def headline(self) -> str:
        """The number of skills that each criterion prefers, and those without a maximum.

        Examples
        --------
        >>> criteria.headline
        '1 skill by AIC, 1 by BIC, of 1 number of skills tried on 282 scores of 13 families'
        """
        unsure = [str(count) for count in self.rows.index[~self.rows["converged"].astype(bool)]]
        return (
            f"{counted(self.best('aic'), 'skill')} by AIC, {self.best()} by BIC, of "
            f"{counted(len(self.rows), 'number')} of skills tried on {self.scores} scores of "
            f"{self.families} families"
            + (
                f"; no maximum was found with {' or '.join(unsure)}, so the criteria there may be "
                "too large"
                if unsure
                else ""
            )
        )

    def brief(self) -> pd.DataFrame:
        """Return the table with the number of skills as a column.

        Returns
        -------
        pandas.DataFrame
            One row per number of skills.

        Examples
        --------
        >>> criteria.brief().columns.tolist()[:3]
        ['skills', 'parameters', 'log_likelihood']
        """
        return self.rows.reset_index()

    def best(self, criterion: str = "bic") -> int:
        """Return the number of skills with the smallest criterion.

        Parameters
        ----------
        criterion
            ``"aic"``, ``"bic"`` (over families) or ``"bic_of_scores"``.

        Returns
        -------
        int
            The number of skills.

        Raises
        ------
        SpecError
            If the criterion is not ``"aic"``, ``"bic"`` or ``"bic_of_scores"``.

        Examples
        --------
        >>> criteria.best("aic")
        1
        """
        if criterion not in ("aic", "bic", "bic_of_scores"):
            raise SpecError(
                f'criterion must be "aic", "bic" or "bic_of_scores"; got {criterion!r}.'
            )
        return int(self.rows[criterion].idxmin())


def information_criteria(
    spec: ModelSpec,
    scores: Scores,
    *,
    counts: Iterable[int] = (1, 2, 3, 4, 5, 6),
    method: MarginalML = _DEFAULT_METHOD,
    seed: int = 0,
    progress: bool = True,
) -> Criteria:
    """Fit a spec by maximum marginal likelihood at several numbers of skills.

    AIC is 2 P - 2 log L and BIC is P log n - 2 log L, with P free parameters. The independent
    units are families, so n is their number; BIC with the number of scores is also given.

    Parameters
    ----------
    spec
        The model; its ``skills.count`` is replaced. Anchors beyond those that it names are
        chosen from the scores.
    scores
        The table.
    counts
        Numbers of skills, from 1 to 6.
    method
        Settings of the maximiser.
    seed
        Seed of the starts.
    progress
        Whether to show progress on standard error.

    Returns
    -------
    Criteria
        One row per number of skills.

    Raises
    ------
    SpecError
        If a count is not a whole number from 1 to 6, or quadrature cannot fit the spec.
    FitError
        If the method fails.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), choice of the number of skills; Schwarz 1978.

    Examples
    --------
    >>> spec = fit.spec.with_({"family": {"level": "partial"}, "benchmarks.family_effect": False})
    >>> criteria = ls.studies.information_criteria(
    ...     spec, fit.scores, counts=[1], method=ls.MarginalML(starts=1, cores=1), progress=False
    ... )
    >>> criteria.best()
    1
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    expect(method, MarginalML, "method")
    if not isinstance(counts, Iterable) or isinstance(counts, str | Mapping):
        raise SpecError(f"counts must be a list of whole numbers; got {shown(counts)}.")
    wanted = [plain(count) for count in counts]
    for count in wanted:
        if not is_whole(count, least=1, most=MAX_SKILLS):
            raise SpecError(f"counts must be whole numbers from 1 to {MAX_SKILLS}; got {count!r}.")
    if not wanted or len(set(wanted)) < len(wanted):
        raise SpecError(f"counts must name each number of skills once; got {wanted!r}.")
    estimates = {}
    for count in wanted:
        with_count = spec.with_({"skills.count": count})
        estimates[count] = marginal_estimate(
            with_count, scores, method=method, seed=seed, progress=progress
        )
    first = estimates[wanted[0]]
    return Criteria(_table(estimates), estimates, first.families, first.scores)


def _table(estimates: dict[int, MarginalEstimate]) -> pd.DataFrame:
    rows = {
        count: {
            "parameters": estimate.n_parameters,
            "log_likelihood": estimate.log_likelihood,
            "aic": estimate.aic,
            "bic": estimate.bic,
            "bic_of_scores": estimate.bic_of_scores,
            "agreeing_starts": sum(v > max(estimate.starts) - _AGREE for v in estimate.starts),
            "starts": len(estimate.starts),
            "converged": estimate.converged,
        }
        for count, estimate in estimates.items()
    }
    return pd.DataFrame(rows.values(), index=pd.Index(rows, name="skills"))
