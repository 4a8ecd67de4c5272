"""Agreement: whether the skills of two fits agree, also if their numbers differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.tools.summaries import summary
from latentscale.dims import DEFAULT_PROB, MODEL, SAMPLE, SKILL, checked_seed
from latentscale.errors import DataError, SpecError
from latentscale.expect import expect
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import caveats
from latentscale.result import Result
from latentscale.validate import MOST_REPEATS, whole_number

DIRECTION = "direction"
_RANK = 1e-8
"""Singular values below this share of the largest are rounding error."""
_MIN_MODELS = 3
"""With two models, any two directions are perfectly correlated."""


@dataclass(frozen=True, repr=False)
class SkillAgreement(Result):
    """Agreement of the skills of two fits over the models in both.

    Attributes
    ----------
    canonical
        Canonical correlations, largest first, dims (sample, direction): how similar the two skill
        spaces are, direction by direction, whatever the rotation of each.
    explained
        R^2 of each skill of the second fit on all skills of the first, dims (sample, skill).
    models
        The models compared.
    is_posterior
        False if either fit is a point estimate; tables then hold no intervals.

    Examples
    --------
    >>> agreement = ls.studies.skill_agreement(fit, fit, seed=1)
    >>> agreement.table().columns.tolist()[:5]
    ['direction', 'median', 'lower', 'upper']
    """

    canonical: xr.DataArray
    explained: xr.DataArray
    models: tuple[str, ...]
    is_posterior: bool = True

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per direction: its canonical correlation.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns direction, median, lower and upper, the largest correlation first.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> len(agreement.table(prob=0.5))
        2
        """
        return summary(self.canonical, prob, is_posterior=self.is_posterior)

    def explained_table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per skill of the second fit: skill, median, lower, upper R^2.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns skill, median, lower and upper.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> ls.studies.skill_agreement(fit, fit, seed=1).explained_table().columns.tolist()[:2]
        ['skill', 'median']
        """
        return summary(self.explained, prob, is_posterior=self.is_posterior)

    @property
    def headline(self) -> str:
        """The median canonical correlations.

        Examples
        --------
        >>> agreement.headline.partition(":")[0]
        'Skill agreement over 55 models'
        """
        middle = ", ".join(f"{value:.2f}" for value in self.canonical.median(SAMPLE).values)
        return f"Skill agreement over {len(self.models)} models: canonical correlations {middle}"


def skill_agreement(first: Fit, second: Fit, *, pairs: int = 400, seed: int = 0) -> SkillAgreement:
    """Compare the skill spaces of two fits, such as fits with K = 2 and K = 3.

    Draws of the two fits are paired at random, and the skills of the shared models are compared by
    canonical correlations (Hotelling 1936). These are invariant to rotation and scale, so free fits
    need not be aligned. The R^2 of single skills of the second fit require identified skills.

    Parameters
    ----------
    first, second
        Two fits with skills.
    pairs
        Number of pairs of draws to compare, one draw from each fit.
    seed
        Seed of the pairing.

    Returns
    -------
    SkillAgreement
        Draws of canonical correlations, and of the R^2 of single skills.

    Raises
    ------
    SpecError
        If a spec has no skills.
    DataError
        If the fits share too few models, or `pairs` is not a whole number of at least 1.

    Examples
    --------
    >>> agreement = ls.studies.skill_agreement(fit, fit, seed=1)
    >>> agreement.table().columns.tolist()[:5]
    ['direction', 'median', 'lower', 'upper']
    """
    expect(first, Fit, "first")
    expect(second, Fit, "second")
    for fit in (first, second):
        if not fit.spec.skills.count:
            raise SpecError(f'The spec "{fit.spec.name}" has no skills to compare.')
    pairs = whole_number(pairs, "pairs", least=1, most=MOST_REPEATS, error=DataError)
    shared = [name for name in first.scores.models if name in set(second.scores.models)]
    largest = max(first.spec.skills.count, second.spec.skills.count)
    if len(shared) < max(_MIN_MODELS, largest + 2):
        raise DataError(
            f"The fits share {len(shared)} models; comparing {largest} skills needs at least "
            f"{max(_MIN_MODELS, largest + 2)}."
        )
    rng = np.random.default_rng(checked_seed(seed))
    a, b = (_centred(fit, shared, pairs, rng) for fit in (first, second))
    basis_a, basis_b = _basis(a), _basis(b)
    correlations = np.linalg.svd(np.swapaxes(basis_a, -1, -2) @ basis_b, compute_uv=False)
    fitted = basis_a @ (np.swapaxes(basis_a, -1, -2) @ b)
    explained = np.einsum("smk,smk->sk", fitted, fitted) / np.einsum("smk,smk->sk", b, b)
    return SkillAgreement(
        canonical=xr.DataArray(
            np.clip(correlations, 0, 1),
            dims=(SAMPLE, DIRECTION),
            coords={DIRECTION: np.arange(1, correlations.shape[1] + 1)},
        ),
        explained=xr.DataArray(
            explained, dims=(SAMPLE, SKILL), coords={SKILL: second.posterior[SKILL].values}
        ),
        models=tuple(shared),
        is_posterior=first.is_posterior and second.is_posterior,
        fit_status=caveats({"first": first.status, "second": second.status}),
    )


def _centred(fit: Fit, models: list[str], pairs: int, rng: np.random.Generator) -> np.ndarray:
    """Return skills minus their mean over models, shape (pairs, model, skill)."""
    skill = fit.samples["model_skill"].sel({MODEL: models})
    chosen = rng.integers(skill.sizes[SAMPLE], size=pairs)
    picked = skill.isel({SAMPLE: chosen}).transpose(SAMPLE, MODEL, SKILL)
    return np.asarray((picked - picked.mean(MODEL)).values, dtype=float)


def _basis(values: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of each draw's skill space, with zero columns below full rank."""
    left, size, _ = np.linalg.svd(values, full_matrices=False)
    return left * (size > _RANK * size[..., :1])[..., None, :]
