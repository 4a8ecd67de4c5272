"""Compare: fits of several specs on the same scores, and backtests on the same folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import minimize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from latentscale.analysis.checks.calibrate import bootstrap_errors, cell_figures, check_column
from latentscale.analysis.checks.leave_one_out import leave_one_out
from latentscale.analysis.tools.units import SCALE_COLUMNS, in_one_unit
from latentscale.data.frames import as_pandas
from latentscale.data.recorded import unlike
from latentscale.data.scaling import is_bounded
from latentscale.dims import BENCHMARK, MODEL, checked_seed
from latentscale.errors import DataError, FitError, listed
from latentscale.expect import expect_each
from latentscale.posterior.fit import Fit
from latentscale.result import FixedTable, Picture

_RESAMPLES = 2000
"""Standard errors within 2%."""
_CELL = [MODEL, BENCHMARK]
_HELD_OUT = ["fold", *_CELL]


@dataclass(frozen=True, repr=False)
class Comparison(FixedTable):
    """Predictive accuracy of several models on the same scores.

    Attributes
    ----------
    rows
        One row a model, best first: name, elpd (sum of log predictive densities; higher is
        better), difference (elpd less that of the best) with its difference_se, weight (in the
        stacked forecast), cells; and p_loo and high_k (scores whose Pareto k is too high) for
        leave-one-out, or mae, mae_difference, mae_difference_se and crps for backtests.
        Standard errors are of a bootstrap over families, NaN with one family; scores that share a
        family in any of the compared tables are drawn together.
    cells
        One row a model and score: name, model, family, benchmark, elpd, and pareto_k for
        leave-one-out or fold for backtests.
    held_out
        True for backtests (exact); False for importance sampling.
    advice
        What to be careful of, one step an entry.

    Examples
    --------
    >>> comparison = ls.compare({"skills": fit, "one curve": pooled}, seed=1)
    >>> {name: round(weight) for name, weight in comparison.weights.items()}
    {'skills': 1, 'one curve': 0}
    """

    rows: pd.DataFrame
    cells: pd.DataFrame
    held_out: bool
    advice: tuple[str, ...]

    @property
    def weights(self) -> dict[str, float]:
        """Stacking weight of each model; they sum to 1.

        Examples
        --------
        >>> round(sum(comparison.weights.values()), 6)
        1.0
        """
        return {str(row.name): float(row["weight"]) for _, row in self._by_name().iterrows()}

    def _by_name(self) -> pd.DataFrame:
        return self.rows.set_index("name")

    plot = Picture("plot_compare")

    @property
    def headline(self) -> str:
        """Which model predicts best, and how.

        Examples
        --------
        >>> comparison.headline
        '2 models by leave-one-out log density: "skills" is highest'
        """
        how = "held-out" if self.held_out else "leave-one-out"
        best = self.rows.loc[self.rows["elpd"] == self.rows["elpd"].iloc[0], "name"]
        verdict = "is highest" if len(best) == 1 else "are equally high"
        return f"{len(self.rows)} models by {how} log density: {listed(best, 5)} {verdict}"


def compare(fits: Mapping[str, Fit], *, seed: int = 0) -> Comparison:
    """Compare fits by PSIS leave-one-out on each score.

    Leave-one-out is of the curves that were sampled: specs that differ in
    ``benchmarks.ceiling_open`` alone are equal here, and a backtest says which forecasts better.

    Parameters
    ----------
    fits
        Fits by name, such as ``{"K = 1": fit1, "K = 2": fit2}``; all on the same scores.
    seed
        Of the bootstrap over families.

    Returns
    -------
    Comparison
        The comparison. Where ``high_k`` is more than a few scores, leave-one-out flatters that
        model: compare `latentscale.backtest` runs by `compare_backtests` instead, which is exact.

    Raises
    ------
    FitError
        If there are fewer than two fits, they hold different scores, exact 0 and 1 were moved
        inside by other items, or one is a point estimate.

    References
    ----------
    Vehtari, Gelman and Gabry 2017 (PSIS-LOO); Yao et al. 2018, eq. 5 (stacking).

    Examples
    --------
    >>> comparison = ls.compare({"skills": fit, "one curve": pooled}, seed=1)
    >>> comparison.table()["name"].iloc[0]
    'skills'
    """
    _check_fits(fits)
    seed = checked_seed(seed)
    by_fit = {name: leave_one_out(fit, seed=seed) for name, fit in fits.items()}
    parts = []
    for name, result in by_fit.items():
        parts.append(result.rows.assign(name=name))
    cells = pd.concat(parts, ignore_index=True)
    table = _ranking(*_wide(cells, _CELL, "elpd", list(fits)), seed)
    table["p_loo"] = [by_fit[name].p_loo for name in table["name"]]
    table["high_k"] = [len(by_fit[name].unreliable) for name in table["name"]]
    columns = ["name", "model", "family", "benchmark", "elpd", "pareto_k"]
    advice = (*_not_converged(fits), *_advice(table, heavy=True))
    return Comparison(table, cells[columns], False, advice)


def compare_backtests(tables: Mapping[str, pd.DataFrame], *, seed: int = 0) -> Comparison:
    """Compare backtests of several specs on the same folds: exact, whatever was held out.

    With `latentscale.folds.leave_one_family_out` and 0 members seen this is exact
    leave-one-family-out cross-validation.

    Parameters
    ----------
    tables
        Tables of `latentscale.backtest` by name.
    seed
        Of the bootstrap over families.

    Returns
    -------
    Comparison
        One row a backtest, the best first.

    Raises
    ------
    DataError
        If there are fewer than two tables, a column or a number is missing, or they forecast
        different scores (a fold that failed for one spec, for instance).

    Examples
    --------
    >>> worse = table.assign(log_score=table["log_score"] - 0.5)
    >>> ls.studies.compare_backtests({"a": table, "b": worse}).table()["name"].tolist()
    ['a', 'b']
    """
    seed = checked_seed(seed)
    tables = _with_scales_of_the_first(_checked_tables(tables))
    parts = []
    for name, table in tables.items():
        parts.append(_with_figures(table, name))
    cells = pd.concat(parts, ignore_index=True)
    names = list(tables)
    table = _ranking(*_wide(cells, _HELD_OUT, "elpd", names), seed)
    errors, families = _wide(cells, _HELD_OUT, "mae", names)
    gaps = errors.sub(errors[table["name"].iloc[0]], axis=0)
    rng = np.random.default_rng(seed)
    spread = bootstrap_errors(gaps, families, _RESAMPLES, rng)
    by_name = pd.DataFrame({"mean": errors.mean(), "gap": gaps.mean(), "se": spread})
    order = list(table["name"])
    table["mae"] = by_name["mean"].loc[order].to_numpy()
    table["mae_difference"] = by_name["gap"].loc[order].to_numpy()
    table["mae_difference_se"] = by_name["se"].loc[order].to_numpy()
    table["crps"] = cells.groupby("name")["crps"].mean().loc[order].to_numpy()
    columns = ["name", "fold", "model", "family", "benchmark", "elpd"]
    return Comparison(table, cells[columns], True, _advice(table, heavy=False))


def stacking_weights(elpd: pd.DataFrame) -> np.ndarray:
    """Return the weights of the mixture with the highest summed log predictive density.

    Yao et al. 2018 (doi:10.1214/17-BA1091), eq. 5: the log of a mixture is concave in its
    weights, so the optimum is unique up to ties.

    Parameters
    ----------
    elpd
        Log predictive densities, one row a score, one column a model.
    """
    values = elpd.to_numpy()
    values = values[np.isfinite(values.max(1))]  # a score that all rule out favours none
    density = np.exp(values - values.max(1, keepdims=True))
    count = density.shape[1]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = density @ weights
        return -float(np.log(mixed).mean()), -(density / mixed[:, None]).mean(0)

    optimum = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(1e-12, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    weights = np.clip(optimum.x, 0, None)
    weights[weights < 1e-9] = 0.0
    return weights / weights.sum()


def _ranking(values: pd.DataFrame, families: pd.Series, seed: int) -> pd.DataFrame:
    """Return models from best to worst with differences from the best and stacking weights.

    Parameters
    ----------
    values
        Log predictive densities, one row a score, one column a model.
    families
        The family of each row.
    seed
        Of the bootstrap over families.
    """
    total = values.sum()
    gaps = values.sub(values[total.idxmax()], axis=0)
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "name": list(values),
            "elpd": total.to_numpy(),
            "difference": gaps.sum().to_numpy(),
            "difference_se": len(values) * bootstrap_errors(gaps, families, _RESAMPLES, rng),
            "weight": stacking_weights(values),
            "cells": len(values),
        }
    )
    return table.sort_values("elpd", ascending=False, ignore_index=True)


def _wide(
    cells: pd.DataFrame, key: list[str], value: str, names: list[str]
) -> tuple[pd.DataFrame, pd.Series]:
    """Return one row a score and one column a model, and the family of each row."""
    wide = cells.pivot(index=key, columns="name", values=[value, "family"])
    families = joint_families(wide["family"][names])
    return wide[value][names].astype(float).rename_axis(columns=None).reset_index(
        drop=True
    ), families


def joint_families(own: pd.DataFrame) -> pd.Series:
    """Return the families that scores are resampled by, where tables may state different ones.

    Scores that share a family in any of the tables are of one family.

    Parameters
    ----------
    own
        Families as each table states them, one row a score, one column a table.
    """
    nodes, count = [], 0
    for name in own:
        codes, known = pd.factorize(own[name])
        nodes.append(codes + count)
        count += len(known)
    first = np.tile(nodes[0], len(nodes))
    edges = coo_array((np.ones(first.size), (first, np.concatenate(nodes))), shape=(count, count))
    _, joined = connected_components(edges, directed=False)
    stated = own.iloc[:, 0].reset_index(drop=True)
    return stated.groupby(joined[nodes[0]]).transform("min").rename("family")


def _check_names(names: Mapping[str, object], error: type[DataError] | type[FitError]) -> None:
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise error(f'Names must be text, such as "K = 1"; got {name!r}.')


def _advice(table: pd.DataFrame, *, heavy: bool) -> tuple[str, ...]:
    lines = []
    if heavy and (table["high_k"] > 0).any():
        counts = ", ".join(f'"{r["name"]}" {r["high_k"]}' for _, r in table.iterrows())
        lines.append(
            f"Scores with too high a Pareto k: {counts}. Their leave-one-out densities are too "
            "favourable, most of all for models with many local effects. Run latentscale.backtest "
            "on the same folds for each spec and use compare_backtests."
        )
    if table["difference_se"].isna().all():
        lines.append(
            "All scores are of one family, whose models are not independent, so the differences "
            "have no standard errors. Compare on scores of several families."
        )
    for row in table.iloc[1:].itertuples():
        if abs(row.difference) < 2 * row.difference_se:
            lines.append(
                f'"{row.name}" is within two standard errors of "{table["name"].iloc[0]}": these '
                "scores do not separate them."
            )
    return tuple(lines)


def _not_converged(fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """Return a line for each fit whose draws are not those of its posterior."""
    return tuple(
        f'"{name}" is {fit.status.message.partition(";")[0]}: its densities are those of its '
        "draws, which may not be those of its posterior. Fit it longer before you choose."
        for name, fit in fits.items()
        if fit.status.converged is False
    )


def _check_fits(fits: Mapping[str, Fit]) -> None:
    example = '{"K = 1": fit1, "K = 2": fit2}'
    expect_each(fits, Fit, "fits", example)
    if len(fits) < 2:
        raise FitError(f"Give at least two fits by name, such as {example}.")
    _check_names(fits, FitError)
    (first, reference), *others = fits.items()
    cells = _measured(reference)
    for name, fit in others:
        mine = _measured(fit)
        wide, other = xr.align(cells, mine, join="outer")
        apart = np.argwhere((wide.notnull() != other.notnull()).values)
        if len(apart):
            examples = listed([_cell_text(wide, at) for at in apart[:3]])
            raise FitError(
                f'"{first}" and "{name}" are not fits of the same scores: {len(apart)} are in one '
                f"of them only, such as {examples}. Fit both to the same table; rows without "
                "tokens are left out by specs that need tokens."
            )
        changed = np.argwhere(unlike(wide, other, is_bounded(reference.scores.dataset)).values)
        if len(changed):
            at = tuple(changed[0])
            raise FitError(
                f'"{first}" and "{name}" hold different scores of the same cells: '
                f"{_cell_text(wide, at)} is {wide.values[at]:.8g} and {other.values[at]:.8g}."
            )
        _check_exact(first, reference, name, fit)


def _check_exact(first: str, reference: Fit, name: str, fit: Fit) -> None:
    """Refuse exact 0 and 1 that the two fits take for other numbers: densities there differ."""
    one, two = _as_fitted(reference), _as_fitted(fit)
    for cell in reference.design.pulled_inside:
        if not np.isclose([one[cell], 1 - one[cell]], [two[cell], 1 - two[cell]], atol=0).all():
            raise FitError(
                f'"{first}" and "{name}" were fitted with {cell[0]} on {cell[1]} at {one[cell]:g} '
                f"and {two[cell]:g}: exact 0 and 1 are moved inside by half an item, and the items "
                "differ. Fit both to one table with the same n_items."
            )


def _cell_text(scores: xr.DataArray, at: Sequence[int]) -> str:
    return f"{scores[MODEL].values[at[0]]} on {scores[BENCHMARK].values[at[1]]}"


def _as_fitted(fit: Fit) -> pd.Series:
    """Return the scores as the likelihood takes them: exact 0 and 1 moved inside."""
    made = fit.design
    models = np.asarray(made.scores.models)[made.model_of_cell]
    benchmarks = np.asarray(made.scores.benchmarks)[made.benchmark_of_cell]
    index = pd.MultiIndex.from_arrays([models, benchmarks], names=_CELL)
    return pd.Series(made.score_of_cell, index=index)


def _measured(fit: Fit) -> xr.DataArray:
    """Return a fit's scores, dims (model, benchmark), names sorted."""
    return fit.scores.dataset["score"].transpose(*_CELL).sortby(_CELL).reset_coords(drop=True)


def _with_figures(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a backtest's table with elpd and mae by cell, in one unit."""
    figures, _ = in_one_unit(cell_figures(table), table)
    return table.assign(name=name, elpd=figures["log_score"], mae=figures["mae"])


def _with_scales_of_the_first(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables with one scale, unit and spread of each benchmark's scores.

    The scores are the same, but spreads are those of whole tables, which may hold other models.
    """
    first = next(iter(tables.values()))
    scales = [name for name in SCALE_COLUMNS if name in first]
    by_benchmark = first.drop_duplicates("benchmark").set_index("benchmark")[scales]
    return {
        name: table.drop(columns=list(SCALE_COLUMNS), errors="ignore").join(
            by_benchmark, on="benchmark"
        )
        for name, table in tables.items()
    }


def _checked_tables(given: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    example = '{"K = 1": table1, "K = 2": table2}'
    if isinstance(given, Mapping):
        must = "must be a table from latentscale.backtest"
        given = {name: as_pandas(t, f'tables["{name}"] {must}') for name, t in given.items()}
    expect_each(given, pd.DataFrame, "tables", example, "a table from latentscale.backtest")
    if len(given) < 2:
        raise DataError(f"Give at least two backtest tables by name, such as {example}.")
    _check_names(given, DataError)
    tables: dict[str, pd.DataFrame] = dict(given)
    (first, reference), *others = tables.items()
    for name, table in tables.items():
        needed = (*_HELD_OUT, "family", "score", "median", "lower", "upper", "crps", "log_score")
        missing = [column for column in needed if column not in table]
        if missing or table.empty:
            lost = f"has no {listed(missing)}" if missing else "is empty"
            raise DataError(f'"{name}" {lost}; give tables from latentscale.backtest.')
        scales = ["spread"] if set(SCALE_COLUMNS) <= set(table.columns) else []
        for column in (
            "family",
            *scales,
            *(name for name in needed if name not in (*_HELD_OUT, "family")),
        ):
            check_column(table[column], f'"{name}"')
        twice = table[table.duplicated(_HELD_OUT)]
        if len(twice):
            fold, model, benchmark = twice[_HELD_OUT].iloc[0]
            raise DataError(
                f'"{name}" has {model} on {benchmark} in the fold "{fold}" in more than one row.'
            )
    key = reference.set_index(_HELD_OUT)["score"].sort_index()
    for name, table in others:
        mine = table.set_index(_HELD_OUT)["score"].sort_index()
        apart = key.index.symmetric_difference(mine.index)
        if len(apart):
            fold, model, benchmark = apart[0]
            raise DataError(
                f'"{first}" and "{name}" forecast different scores: {len(apart)} are in one of '
                f'them only, such as {model} on {benchmark} in the fold "{fold}". Use the same '
                "folds, and look at failed ones."
            )
        if not np.allclose(key.to_numpy(), mine.loc[key.index].to_numpy()):
            raise DataError(f'"{first}" and "{name}" were measured against different scores.')
    return tables
