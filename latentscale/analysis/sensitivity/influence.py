"""Influence: how single families affect parameters and forecasts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.checks.leave_one_out import refuse_few_draws, weighted_quantiles
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.sensitivity.sensitivity import (
    flat,
    identified_parameters,
    quantities_of,
)
from latentscale.analysis.sensitivity.sensitivity_grid import leave_families_out
from latentscale.data.frames import as_pandas
from latentscale.data.planned import NOT_FORECAST
from latentscale.dims import CELL, FAMILY, LOG_LIKELIHOOD, MODEL, SAMPLE, checked_seed
from latentscale.errors import DataError, DataWarning, FitError, SpecError, listed, nearest
from latentscale.expect import checked_cluster, checked_workers, expect, expect_names, expect_path
from latentscale.inference.method import Method
from latentscale.markup import counted
from latentscale.numerics.psis import k_limit, pareto_smoothed
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import at_samples, by_sample
from latentscale.result import FixedTable, Picture

WEIGHTS = "importance weights"
REFIT = "refit"


@dataclass(frozen=True, repr=False)
class FamilyInfluence(FixedTable):
    """How parameters and forecasts change without each family.

    Attributes
    ----------
    families
        One row per family, the most influential first: family, scores, pareto_k, basis
        (importance weights, or refit), reliable, largest_in_sd (largest change of a quantity, in
        posterior standard deviations), variable and where of that quantity.
    rows
        One row per family and quantity: family, variable, where, median (without the family),
        change (from the median with it), change_in_sd, basis.
    k_limit
        Largest Pareto k at which importance weights are reliable.

    Examples
    --------
    >>> influence = ls.studies.family_influence(pooled, progress=False)
    >>> influence.table().columns.tolist()[:5]
    ['family', 'variable', 'where', 'median', 'change']
    """

    families: pd.DataFrame
    rows: pd.DataFrame
    k_limit: float

    plot = Picture("plot_influence")

    @property
    def headline(self) -> str:
        """The most influential family, and the quantity that it changes most.

        Examples
        --------
        >>> influence.headline.partition(":")[0]
        'Most influential of 13 families'
        """
        top = self.families.iloc[0]
        place = f"{top['variable']} [{top['where']}]" if top["where"] else str(top["variable"])
        bad = self.families[~self.families["reliable"]]
        note = (
            f". For {counted(len(bad), 'family', 'families')} ({listed(bad['family'], 4)}) the "
            f"weights are too heavy-tailed (Pareto k above {self.k_limit:.2f}) and these figures "
            "are rough; give refit"
            if len(bad)
            else ""
        )
        return (
            f"Most influential of {counted(len(self.families), 'family', 'families')}: "
            f'"{top["family"]}" moves {place} '
            f"by {top['largest_in_sd']:.2f} posterior standard deviations{note}"
        )

    def brief(self) -> pd.DataFrame:
        """Return the families.

        Returns
        -------
        pandas.DataFrame
            One row per family, the most influential first.

        Examples
        --------
        >>> influence.brief().columns.tolist()[:3]
        ['family', 'scores', 'pareto_k']
        """
        return self.families


@dataclass(frozen=True)
class _Running:
    """Settings of the refits."""

    workers: int
    folder: str | Path | None
    cluster: str | None
    seed: int
    progress: bool

    def __post_init__(self) -> None:
        checked_workers(self.workers)
        checked_cluster(self.cluster)
        if self.folder is not None:
            expect_path(self.folder, "folder")


def family_influence(
    fit: Fit,
    frame: pd.DataFrame | None = None,
    *,
    families: Sequence[str] | None = None,
    variables: Sequence[str] | None = None,
    refit: Method | None = None,
    workers: int = 1,
    folder: str | Path | None = None,
    cluster: str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> FamilyInfluence:
    """Leave each family out, by importance weights or by a refit, and compare the results.

    Draws are weighted by 1 / p(scores of the family | draw), Pareto-smoothed (Vehtari et al.
    2024). The draws of the effects of a family with many scores are concentrated by these scores,
    so its Pareto k is often above the limit: such families are refitted if `refit` is given. The
    curves of ceilings opened after the fit (``benchmarks.ceiling_open``) were fitted to all scores
    and do not change with the weights: near them only a refit shows forecasts without the family.

    Parameters
    ----------
    fit
        A fit with posterior draws.
    frame
        Planned models, as for `latentscale.predict`, whose expected scores are also quantities.
        Quantities of a family itself are not compared when that family is left out.
    families
        Families to leave out; by default all.
    variables
        Parameters to include; by default all top-level ones, except those that change with the
        rotation of free skills.
    refit
        Method for exact refits if Pareto k is above the limit; None for no refits.
    workers
        Number of refits that run at once, each in its own process.
    folder
        Where results of finished refits are kept, as in `latentscale.studies.leave_families_out`.
    cluster
        Address of a dask.distributed scheduler whose workers run the refits instead.
    seed
        Seed of forecasts and refits.
    progress
        Whether to show how many refits are done.

    Returns
    -------
    FamilyInfluence
        One row per family and quantity, and one row per family with its largest change.

    Raises
    ------
    FitError
        If the fit is a point estimate, has fewer than 25 draws, or has one family.
    SpecError
        If a variable is not a parameter of the fit.
    DataError
        If a family is not in the fit, `frame` is malformed, or all quantities are the family's own.

    Examples
    --------
    >>> influence = ls.studies.family_influence(fit, variables=["slope"], progress=False)
    >>> len(influence.families) == len(fit.scores.families)
    True
    """
    expect(fit, Fit, "fit")
    refuse_few_draws(fit, "Family influence")
    if refit is not None:
        expect(refit, Method, "refit")
    run = _Running(workers, folder, cluster, checked_seed(seed), progress)
    names = _families(fit, families)
    shown = identified_parameters(fit) if variables is None else _variables(fit, variables)
    frame = None if frame is None else as_pandas(frame, NOT_FORECAST)
    quantities = quantities_of(fit, shown, frame, seed)
    weights, khat, limit = _weights(fit, names)
    heavy = [name for name in names if not khat[name] <= limit]  # NaN counts as heavy
    refitted = _refitted(fit, heavy, frame, shown, refit, run)
    owner = _families_of_models(fit, frame)
    tables = []
    for name in names:
        others = [_of_others(group, owner, name) for group in quantities]
        kept = [samples for samples in others if samples is not None]
        if not kept:
            raise DataError(
                f'Nothing is left to compare without "{name}": all quantities belong to it. Name '
                "other variables, or give a frame with models of other families."
            )
        moved = pd.concat([_moved(s, weights[name], name) for s in kept], ignore_index=True)
        if name in refitted:
            exact = refitted[name].set_index(["variable", "where"])
            both = moved.set_index(["variable", "where"])[["family"]].join(exact, how="inner")
            moved = both.assign(basis=REFIT).reset_index()[list(moved.columns)]
        tables.append(moved)
    table = pd.concat(tables, ignore_index=True)
    families_of_fit = _by_family(fit, table, names, khat, limit)
    return FamilyInfluence(families_of_fit, table, limit, fit_status=fit.status.caveat)


def _variables(fit: Fit, variables: Sequence[str]) -> list[str]:
    names = expect_names(variables, "variables", '["slope"]')
    known = [str(name) for name in fit.posterior.data_vars]
    for name in names:
        if name not in known:
            raise SpecError(
                f'variables: "{name}" is not a parameter of this fit; known are '
                f"{listed(known, 30)}." + nearest(name, known)
            )
    return list(names)


def _families(fit: Fit, families: Sequence[str] | None) -> list[str]:
    known = fit.scores.families
    if len(known) < 2:
        raise FitError("The fit has only one family; without it nothing is left.")
    if families is None:
        return list(known)
    families = expect_names(families, "families", f'["{known[0]}"]')
    if not families:
        raise DataError(f'families must name at least one, such as ["{known[0]}"].')
    for name in families:
        if name not in known:
            raise DataError(
                f'"{name}" is not a family of the fit; known are {listed(known)}.'
                + nearest(str(name), known)
            )
    return list(dict.fromkeys(families))


def _refitted(
    fit: Fit,
    families: list[str],
    frame: pd.DataFrame | None,
    variables: Sequence[str],
    refit: Method | None,
    run: _Running,
) -> dict[str, pd.DataFrame]:
    """Return the results of exact refits without these families; empty without a method."""
    if refit is None or not families:
        return {}
    grid = leave_families_out(
        fit.spec,
        fit.scores,
        families,
        frame=frame,
        variables=variables,
        method=refit,
        seed=run.seed,
        workers=run.workers,
        folder=run.folder,
        cluster=run.cluster,
        progress=run.progress,
    )
    columns = ["variable", "where", "median", "change", "change_in_sd"]
    done = grid.rows.set_index("variant")[columns]
    variants = {name: f"without {name}" for name in families}
    return {name: done.loc[variant] for name, variant in variants.items() if variant in done.index}


def _families_of_models(fit: Fit, frame: pd.DataFrame | None) -> dict[str, str]:
    """Return the family of each fitted and each planned model."""
    tables = [fit.scores.dataset]
    if frame is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # the forecasts have already warned
            tables.append(planned_rows(fit, frame))
    return {
        str(model): str(family)
        for table in tables
        for model, family in zip(table[MODEL].values, table[FAMILY].values, strict=True)
    }


def _of_others(
    quantities: xr.Dataset, owner: Mapping[str, str], family: str
) -> xr.DataArray | None:
    """Return the quantities that are not the family's own, (sample, quantity); None without any."""
    kept = quantities
    if FAMILY in quantities.dims:
        kept = kept.sel({FAMILY: kept[FAMILY] != family})
    if MODEL in quantities.dims:
        others = [owner.get(str(name)) != family for name in kept[MODEL].values]
        kept = kept.isel({MODEL: np.nonzero(others)[0]})
    kept = kept[[name for name, values in kept.data_vars.items() if values.size]]
    return None if not kept.data_vars else flat(kept)


def _weights(fit: Fit, names: list[str]) -> tuple[dict[str, xr.DataArray], dict[str, float], float]:
    """Return each family's weights (summing to 1 over sample) and Pareto k, and the limit."""
    logs = by_sample(fit, fit.tree[LOG_LIKELIHOOD].to_dataset()["score"])
    owner = fit.scores.dataset[FAMILY].to_series()
    of_cell = owner.loc[logs["cell_model"].values].to_numpy()
    count = logs.sizes[SAMPLE]
    efficiency = fit.convergence().efficiency(count)
    weights, khat = {}, {}
    for name in names:
        mine = logs[{CELL: np.nonzero(of_cell == name)[0]}].sum(CELL)
        smooth = pareto_smoothed(-mine.values, efficiency=efficiency)
        weights[name] = mine.copy(data=np.exp(smooth.log_weights))
        khat[name] = float(smooth.pareto_k)
    return weights, khat, k_limit(count)


def _moved(samples: xr.DataArray, weights: xr.DataArray, family: str) -> pd.DataFrame:
    mass = at_samples(weights, samples)
    median = weighted_quantiles(samples, mass / mass.sum(SAMPLE), (0.5,)).isel(quantile=0)
    change = median - samples.median(SAMPLE)
    return pd.DataFrame(
        {
            "family": family,
            "variable": samples["variable"].values,
            "where": samples["where"].values,
            "median": median.values,
            "change": change.values,
            "change_in_sd": (change / samples.std(SAMPLE, ddof=1)).values,
            "basis": WEIGHTS,
        }
    )


def _by_family(
    fit: Fit, table: pd.DataFrame, names: list[str], khat: dict[str, float], limit: float
) -> pd.DataFrame:
    data = fit.scores.dataset
    scores = data["score"].notnull().sum("benchmark").groupby(data[FAMILY]).sum(MODEL).to_series()
    rows = []
    for name in names:
        changes = table[table["family"] == name]
        worst = changes.loc[changes["change_in_sd"].abs().idxmax()]
        rows.append(
            {
                "family": name,
                "scores": int(scores[name]),
                "pareto_k": khat[name],
                "basis": worst["basis"],
                "reliable": worst["basis"] == REFIT or khat[name] <= limit,
                "largest_in_sd": abs(worst["change_in_sd"]),
                "variable": worst["variable"],
                "where": worst["where"],
            }
        )
    by_family = pd.DataFrame(rows)
    return by_family.sort_values("largest_in_sd", ascending=False, ignore_index=True)
