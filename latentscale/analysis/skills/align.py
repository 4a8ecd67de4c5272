"""Align: give the skills of every draw of a free fit the same meaning."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.checks.modes import find_modes
from latentscale.analysis.skills.procrustes import (
    cholesky_of,
    match_by_permutation,
    match_by_rotation,
    mean_matrix,
    order_and_sign,
)
from latentscale.analysis.skills.rotations import PrincipalAxes, Rotation
from latentscale.analysis.tools.summaries import quantiles
from latentscale.dims import (
    ALIGNMENT,
    BENCHMARK,
    CHAIN,
    DEFAULT_PROB,
    DRAW,
    MODEL,
    POSTERIOR,
    SAMPLE_STATS,
    SKILL,
    SKILL_FACTOR,
)
from latentscale.errors import FitError, FitWarning, SpecError
from latentscale.expect import expect
from latentscale.model.terms.base import terms_of
from latentscale.posterior.convergence import convergence
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import status_of_chains
from latentscale.result import Picture, Result

SAMPLED = "sampled_skill"
_DISAGREE = 1.1
"""R-hat above which chains clearly disagree, however short they are."""
_FEW = 1e-8
"""Singular values below this share of the largest are rounding error."""


@dataclass(frozen=True, repr=False)
class Alignment(Result):
    """A free fit with aligned draws, and how they were aligned.

    Attributes
    ----------
    fit
        The aligned fit: loadings, slopes, family and model skills are rotated together, so that
        all forecasts are unchanged. It can be saved, and `latentscale.skills` accepts it.
    rotation
        Matrix by which each draw's loadings were multiplied, dims (chain, draw, sampled_skill,
        skill); skills were multiplied by its inverse.
    matched
        How draws were matched to each other: ``"rotation"`` or ``"permutation"``.
    rotated
        The rotation of the common loadings, or None.
    convergence
        One row per loading: benchmark, skill, rhat_before, rhat, ess_before, ess.
    modes
        One row per group of draws: its share, and its share of each chain (``chain 0``, numbered as
        in the fit). A single row means that the aligned draws form one group.
    unimodal
        False if the draws fall into separate groups, or the chains disagree.
    message
        The findings, in words.

    Examples
    --------
    >>> spec = fit.spec.with_({"skills.identify": {"kind": "free"}})
    >>> free = ls.fit(spec, fit.scores, method=ls.Laplace(draws=50), seed=1, progress=False)
    >>> alignment = ls.align(free)
    >>> alignment.fit.posterior["loading"].dims
    ('chain', 'draw', 'benchmark', 'skill')
    """

    fit: Fit
    rotation: xr.DataArray
    matched: str
    rotated: Rotation | None
    convergence: pd.DataFrame
    modes: pd.DataFrame
    unimodal: bool
    message: str

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return the aligned loadings: benchmark, skill, median, lower, upper, rhat, ess.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            One row per benchmark and skill, with R-hat and effective sample size of the aligned
            draws.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> alignment.table().columns.tolist()
        ['benchmark', 'skill', 'median', 'lower', 'upper', 'rhat', 'ess']
        """
        columns = quantiles(self.fit.posterior["loading"], prob, dim=(CHAIN, DRAW))
        wide = columns.to_dataframe(dim_order=[BENCHMARK, SKILL])
        figures = self.convergence.set_index([BENCHMARK, SKILL])[["rhat", "ess"]]
        return wide[list(columns)].join(figures).reset_index()

    plot = Picture("plot_aligned")

    @property
    def headline(self) -> str:
        """How the draws were matched, and whether they form one group.

        Examples
        --------
        >>> alignment.headline == f"Alignment: {alignment.message}"
        True
        """
        return f"Alignment: {self.message}"


def align(
    fit: Fit,
    *,
    match: Literal["rotation", "permutation"] = "rotation",
    rotation: Rotation | None = None,
) -> Alignment:
    """Align the draws of a fit whose skills are free.

    A draw's loadings can be multiplied by any rotation, and its skills by the inverse, without
    changing any forecast; chains wander over these rotations. Each draw is transformed to skills
    that are uncorrelated with unit variance (between families where they are pooled, otherwise over
    the fitted models) and then rotated to the loadings' common mean by orthogonal Procrustes, until
    that mean converges. Finally, one rotation of the common mean is applied to all draws. Skills
    are ordered by their sums of squared loadings, with signs that make the loadings mostly
    positive.

    Parameters
    ----------
    fit
        A fit of a spec with ``skills.identify.kind = "free"``.
    match
        ``"rotation"``; or ``"permutation"``, which only permutes skills and flips signs, for priors
        that identify skills up to permutation and sign.
    rotation
        Rotation of the common loadings: `PrincipalAxes`, `Varimax`, `Quartimax`, `Geomin` or
        `Oblimin`; by default principal axes. Not allowed with ``"permutation"``.

    Returns
    -------
    Alignment
        The alignment: ``.fit`` is the aligned fit, ``.rotation`` the matrices, ``.table()`` the
        loadings, and ``.modes`` and ``.message`` say whether the draws form one group.

    Raises
    ------
    SpecError
        If the spec's skills are not free or vary along fewer directions than there are skills, or
        an argument is not allowed.

    Warns
    -----
    FitWarning
        If the aligned draws fall into separate groups, or the chains disagree.

    References
    ----------
    Aßmann, Boysen-Hogrefe and Pape 2016, "Bayesian analysis of static and dynamic factor
    models: an ex-post approach towards the rotation problem"; Papastamoulis and Ntzoufras
    2022, "On the identifiability of Bayesian factor analytic models".

    Examples
    --------
    >>> spec = fit.spec.with_({"skills.identify": {"kind": "free"}})
    >>> method = ls.Laplace(draws=50)
    >>> free = ls.fit(spec, fit.scores, method=method, seed=1, progress=False)
    >>> aligned = ls.align(free, rotation=ls.rotations.Varimax())
    >>> aligned.table().columns.tolist()[:5]
    ['benchmark', 'skill', 'median', 'lower', 'upper']
    """
    expect(fit, Fit, "fit")
    expect(match, str, "match", '"rotation" or "permutation"')
    _check(fit, match, rotation)
    posterior = fit.posterior
    loading = _batch(posterior["loading"], BENCHMARK, SKILL)
    if match == "permutation":
        turn = match_by_permutation(loading)
    else:
        scale = _population_factor(fit)
        turned = match_by_rotation(loading @ scale)
        common = mean_matrix(loading @ scale @ turned)
        turn = scale @ turned @ (rotation or PrincipalAxes()).matrix(common)
    turn = turn @ order_and_sign(mean_matrix(loading @ turn))
    matrix = xr.DataArray(
        turn,
        dims=(CHAIN, DRAW, SAMPLED, SKILL),
        coords={CHAIN: posterior[CHAIN], DRAW: posterior[DRAW], SKILL: posterior[SKILL].values},
    )
    rotated = _rotate(fit, matrix)
    return _report(fit, rotated, matrix, match, rotation)


def _check(fit: Fit, match: str, rotation: object) -> None:
    if match not in ("rotation", "permutation"):
        raise SpecError(f'match must be "rotation" or "permutation"; got {match!r}.')
    if rotation is not None and not isinstance(rotation, Rotation):
        raise SpecError(
            f"rotation must be an object such as latentscale.rotations.Varimax(); got {rotation!r}."
        )
    if rotation is not None and match == "permutation":
        raise SpecError(
            'match="permutation" keeps the sampled directions, so it takes no rotation; '
            'use match="rotation" with it.'
        )
    skills = fit.spec.skills
    if not skills.count:
        raise SpecError(f'The spec "{fit.spec.name}" has no skills, so there is nothing to align.')
    if skills.identify.kind != "free":
        raise SpecError(
            f'The skills of "{fit.spec.name}" are {skills.identify.kind}, so their meaning is '
            "already fixed; align is for free skills."
        )


def _population_factor(fit: Fit) -> np.ndarray:
    """Return the Cholesky factor of the skills' covariance, shape (chain, draw, skill, skill)."""
    posterior, count = fit.posterior, fit.spec.skills.count
    if fit.spec.family.level == "partial":
        if "skill_cholesky" in posterior:
            return cholesky_of(_batch(posterior["skill_cholesky"], SKILL, SKILL_FACTOR))
        return np.broadcast_to(np.eye(count), (*_chains_and_draws(posterior), count, count))
    skill = posterior["model_skill"]
    centred = _batch(skill - skill.mean(MODEL), MODEL, SKILL)
    factor = np.swapaxes(centred, -1, -2) / np.sqrt(skill.sizes[MODEL])
    spread = np.linalg.svd(factor, compute_uv=False)
    if (spread[..., -1] <= _FEW * spread[..., 0]).any():
        raise SpecError(
            f'The {count} skills of "{fit.spec.name}" vary along fewer than {count} directions '
            "(families share one level and there are too few covariates), so they are not "
            "identified; use fewer skills."
        )
    return cholesky_of(factor)


def _rotate(fit: Fit, matrix: xr.DataArray) -> xr.Dataset:
    """Return the posterior with all variables that have a skill dim rotated consistently."""
    posterior = fit.posterior
    inverse = matrix.copy(data=np.swapaxes(np.linalg.inv(matrix.values), -1, -2))
    changed: dict[str, xr.DataArray] = {}
    terms = terms_of(fit.spec)
    vectors = {"model_skill"} | {name for term in terms for name in term.skill_vectors}
    scales = {name for term in terms for name in term.skill_scales}
    lost = [name for term in terms for name in term.skill_populations if name in posterior]
    posterior = posterior.drop_vars(lost)
    shared = [name for name in scales if name in posterior and SKILL not in posterior[name].dims]
    each = xr.ones_like(posterior[SKILL], dtype=float)
    posterior = posterior.assign({name: posterior[name] * each for name in shared})
    for name, values in posterior.data_vars.items():
        if SKILL not in values.dims:
            continue
        dims = values.dims
        sampled = values.rename({SKILL: SAMPLED}).drop_vars(SAMPLED, errors="ignore")
        if name == "loading":
            changed[name] = (sampled * matrix).sum(SAMPLED).transpose(*dims)
        elif name in vectors:
            changed[name] = (sampled * inverse).sum(SAMPLED).transpose(*dims)
        elif name in scales:
            factor = _lower(_as_factor(inverse) * sampled.rename({SAMPLED: SKILL_FACTOR}))
            changed[name] = ((factor**2).sum(SKILL_FACTOR) ** 0.5).transpose(*dims)
            changed[f"{str(name).removesuffix('_scale')}_factor"] = factor
        elif name != "skill_cholesky":
            raise FitError(f'align does not know how to rotate "{name}".')
    if fit.spec.family.level == "partial":
        population = _as_factor(inverse)
        if "skill_cholesky" in posterior:
            own = posterior["skill_cholesky"].rename({SKILL: SAMPLED})
            population = (own.drop_vars(SAMPLED, errors="ignore") * inverse).sum(SAMPLED)
        changed["skill_cholesky"] = _lower(population)
    if fit.spec.family.level == "fixed":
        prior = fit.spec.prior("fixed_family")
        round_zero = prior.dist == "Normal" and prior.mu == 0
        factor = _as_factor(inverse)
        changed["family_skill_factor"] = _lower(factor) if round_zero else factor
    factors = np.arange(matrix.sizes[SKILL])
    return posterior.assign(changed).assign_coords({SKILL_FACTOR: factors})


def _as_factor(inverse: xr.DataArray) -> xr.DataArray:
    return inverse.rename({SAMPLED: SKILL_FACTOR})


def _lower(factor: xr.DataArray) -> xr.DataArray:
    """Return the lower Cholesky factor of F F', which is invariant to rotations of F."""
    ordered = factor.transpose(..., SKILL, SKILL_FACTOR)
    return ordered.copy(data=cholesky_of(ordered.values))


def _report(
    fit: Fit,
    posterior: xr.Dataset,
    matrix: xr.DataArray,
    match: str,
    rotation: Rotation | None,
) -> Alignment:
    before, after = (
        convergence(draws[["loading"]], None).table for draws in (fit.posterior, posterior)
    )
    before, after = before.set_index("where"), after.set_index("where")
    table = after[["rhat", "ess_bulk"]].rename(columns={"ess_bulk": "ess"})
    table["rhat_before"], table["ess_before"] = before["rhat"], before["ess_bulk"]
    places = pd.DataFrame([str(w).rsplit(", ", 1) for w in table.index], columns=[BENCHMARK, SKILL])
    agreement = pd.concat([places, table.reset_index(drop=True)], axis="columns")
    modes = find_modes(posterior["loading"])
    worst, was = float(table["rhat"].max()), float(table["rhat_before"].max())
    apart = len(modes) > 1
    disagree = posterior.sizes[CHAIN] > 1 and worst > _DISAGREE
    message = (
        f"draws matched by {match}"
        + (f" and rotated by {type(rotation).__name__}" if rotation else "")
        + f"; the largest R-hat of loadings is {worst:.3f} (before: {was:.3f})"
    )
    if apart:
        shares = ", ".join(f"{share:.0%}" for share in modes["share"])
        message += (
            f"; the aligned draws fall into {len(modes)} separate groups ({shares}): the "
            "posterior has several modes, and averages over them describe none of them"
        )
    elif disagree:
        message += "; the chains still disagree: run longer ones, or use fewer skills"
    if apart or disagree:
        warnings.warn(f"align: {message}.", FitWarning, stacklevel=3)
    aligned = _aligned_fit(fit, posterior, matrix, match, rotation)
    return Alignment(
        aligned,
        matrix,
        match,
        rotation,
        agreement,
        modes,
        not (apart or disagree),
        message,
        fit_status=aligned.status.caveat,
    )


def _aligned_fit(
    fit: Fit, posterior: xr.Dataset, matrix: xr.DataArray, match: str, rotation: Rotation | None
) -> Fit:
    settings = {} if rotation is None else asdict(rotation)
    group = xr.Dataset(
        {"rotation": matrix},
        attrs={
            "match": match,
            "rotation": "" if rotation is None else type(rotation).__name__,
            **{f"rotation_{name}": float(value) for name, value in settings.items()},
        },
    )
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    tree = xr.DataTree.from_dict({**groups, POSTERIOR: posterior, ALIGNMENT: group})
    stats = groups.get(SAMPLE_STATS)
    status = fit.status
    if stats is not None and "diverging" in stats:
        judged = convergence(posterior, stats)
        status = status_of_chains(judged, interrupted=status.interrupted)
    return replace(fit, tree=tree, status=status)


def _batch(values: xr.DataArray, row: str, column: str) -> np.ndarray:
    """Return matrices, shape (chain, draw, row, column)."""
    return np.asarray(values.transpose(CHAIN, DRAW, row, column).values, dtype=float)


def _chains_and_draws(posterior: xr.Dataset) -> tuple[int, int]:
    return posterior.sizes[CHAIN], posterior.sizes[DRAW]
