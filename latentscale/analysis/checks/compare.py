"""Compare: fits of several specs on the same scores, and backtests on the same folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.checks.calibrate import bootstrap_errors, cell_figures, check_column
from latentscale.analysis.checks.leave_one_out import leave_one_out
from latentscale.analysis.checks.ranking import RESAMPLES, joint_families, ranking
from latentscale.analysis.tools.units import SCALE_COLUMNS, in_one_unit
from latentscale.data.frames import as_pandas
from latentscale.data.recording import unlike
from latentscale.data.scaling import is_bounded
from latentscale.dims import BENCHMARK, MODEL, checked_seed
from latentscale.errors import DataError, FitError, listed
from latentscale.expect import expect_each
from latentscale.markup import counted
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import caveats
from latentscale.result import FixedTable, Picture

_CELL = [MODEL, BENCHMARK]
_HELD_OUT = ["fold", *_CELL]


@dataclass(frozen=True, repr=False)
class Comparison(FixedTable):
    """Predictive accuracy of several models on the same scores.

    Attributes
    ----------
    rows
        One row per model, best first: name, elpd (sum of log predictive densities; higher is
        better), difference (elpd minus the best elpd) with its difference_se, weight (in the
        stacked forecast), cells; and p_loo and high_k (scores whose Pareto k is too high) for
        leave-one-out, or mae, mae_difference, mae_difference_se, crps and ruled_out for backtests.
        Standard errors come from a bootstrap over families, and are NaN with one family; scores
        that share a family in any of the compared tables are drawn together. ``ruled_out`` counts
        scores with log score -inf, to which the forecast gives density 0. Scores that all models
        rule out are left out of elpd, difference, weight and cells; any other makes elpd -inf. If
        elpd is -inf for all models, the differences are NaN.
    cells
        One row per model and score: name, model, family, benchmark, elpd, and pareto_k for
        leave-one-out or fold for backtests.
    held_out
        True for backtests (exact); False for importance sampling.
    advice
        What to be careful about, one step per entry.

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
        """Which model predicts best, and by what criterion.

        Examples
        --------
        >>> comparison.headline
        '2 models by leave-one-out log density: "skills" is highest'
        """
        how = "held-out" if self.held_out else "leave-one-out"
        top, counted_in = self.rows["elpd"].iloc[0], self.rows["cells"].iloc[0]
        best = self.rows.loc[self.rows["elpd"] == top, "name"]
        verdict = f"{listed(best, 5)} {'is highest' if len(best) == 1 else 'are equally high'}"
        if top == -np.inf:
            verdict = "none is highest, as each rules out a score that another allows"
        given = len(self.cells) // len(self.rows)
        of = f" of {counted_in} of {given} scores" if counted_in < given else ""
        rest = f"; {given - counted_in} ruled out by all" if of else ""
        return f"{len(self.rows)} models by {how} log density{of}: {verdict}{rest}"


def compare(fits: Mapping[str, Fit], *, seed: int = 0) -> Comparison:
    """Compare fits by PSIS leave-one-out on each score.

    Leave-one-out uses the sampled curves, so specs that differ only in ``benchmarks.ceiling_open``
    are equal here; a backtest shows which one forecasts better.

    Parameters
    ----------
    fits
        Fits by name, such as ``{"K = 1": fit1, "K = 2": fit2}``; all on the same scores.
    seed
        Seed of the bootstrap over families.

    Returns
    -------
    Comparison
        The comparison. If ``high_k`` counts more than a few scores, leave-one-out is too favourable
        to that model: compare `latentscale.backtest` runs with `compare_backtests` instead, which
        is exact.

    Raises
    ------
    FitError
        If there are fewer than two fits, they hold different scores, exact 0 and 1 were clamped
        with different numbers of items, or one is a point estimate.

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
    table = ranking(*_wide(cells, _CELL, "elpd", list(fits)), seed)
    table["p_loo"] = [by_fit[name].p_loo for name in table["name"]]
    table["high_k"] = [len(by_fit[name].unreliable) for name in table["name"]]
    columns = ["name", "model", "family", "benchmark", "elpd", "pareto_k"]
    advice = (*_not_converged(fits), *_advice(table, heavy=True))
    status = caveats({name: fit.status for name, fit in fits.items()})
    return Comparison(table, cells[columns], False, advice, fit_status=status)


def compare_backtests(tables: Mapping[str, pd.DataFrame], *, seed: int = 0) -> Comparison:
    """Compare backtests of several specs on the same folds: exact, whatever was held out.

    With `latentscale.folds.leave_one_family_out` and 0 members seen this is exact
    leave-one-family-out cross-validation.

    Parameters
    ----------
    tables
        Tables of `latentscale.backtest` by name.
    seed
        Seed of the bootstrap over families.

    Returns
    -------
    Comparison
        One row per backtest, the best first. Scores that all backtests rule out (log score -inf)
        are left out of the log densities, and the headline and the advice count them.

    Raises
    ------
    DataError
        If there are fewer than two tables, a column or a number is missing, they forecast
        different scores (a fold that failed for one spec, for instance), or every score is ruled
        out by all of them.

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
    ruled_out = cells[cells["elpd"] == -np.inf]
    of_all = ruled_out[ruled_out.groupby(_HELD_OUT)["name"].transform("size") == len(names)]
    if len(of_all) == len(cells):
        raise DataError(
            f"Every score has the log score -inf in {listed(names, 5)}: no forecast gives any of "
            "them a density above 0, so log scores cannot compare them. Look at the column crps."
        )
    table = ranking(*_wide(cells.drop(of_all.index), _HELD_OUT, "elpd", names), seed)
    errors, families = _wide(cells, _HELD_OUT, "mae", names)
    gaps = errors.sub(errors[table["name"].iloc[0]], axis=0)
    rng = np.random.default_rng(seed)
    spread = bootstrap_errors(gaps, families, RESAMPLES, rng)
    by_name = pd.DataFrame({"mean": errors.mean(), "gap": gaps.mean(), "se": spread})
    order = list(table["name"])
    table["mae"] = by_name["mean"].loc[order].to_numpy()
    table["mae_difference"] = by_name["gap"].loc[order].to_numpy()
    table["mae_difference_se"] = by_name["se"].loc[order].to_numpy()
    table["crps"] = cells.groupby("name")["crps"].mean().loc[order].to_numpy()
    table["ruled_out"] = ruled_out["name"].value_counts().reindex(order, fill_value=0).to_numpy()
    columns = ["name", "fold", "model", "family", "benchmark", "elpd"]
    advice = (*_of_ruled_out(table, of_all), *_advice(table, heavy=False))
    return Comparison(table, cells[columns], True, advice)


def _wide(
    cells: pd.DataFrame, key: list[str], value: str, names: list[str]
) -> tuple[pd.DataFrame, pd.Series]:
    """Return one row per score and one column per model, and the family of each row."""
    wide = cells.pivot(index=key, columns="name", values=[value, "family"])
    families = joint_families(wide["family"][names])
    return wide[value][names].astype(float).rename_axis(columns=None).reset_index(
        drop=True
    ), families


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
            "favourable, especially for models with many local effects. Run latentscale.backtest "
            "on the same folds for each spec and use compare_backtests."
        )
    if table["difference_se"].isna().all() and table["difference"].notna().any():
        lines.append(
            "All scores belong to one family, whose models are not independent, so the "
            "differences have no standard errors. Compare on scores of several families."
        )
    for row in table.iloc[1:].itertuples():
        if abs(row.difference) < 2 * row.difference_se:
            lines.append(
                f'"{row.name}" is within two standard errors of "{table["name"].iloc[0]}": these '
                "scores do not distinguish them."
            )
    return tuple(lines)


def _of_ruled_out(table: pd.DataFrame, of_all: pd.DataFrame) -> list[str]:
    """Say which scores have the log score -inf, and how this affects the comparison."""
    lines = []
    common = of_all.drop_duplicates(_HELD_OUT)
    if len(common):
        first = common.iloc[0]
        lines.append(
            f"{counted(len(common), 'score')} ruled out by all (log score -inf), such as "
            f'{first["model"]} on {first["benchmark"]} in the fold "{first["fold"]}": left out of '
            "elpd, difference and weight, but not of mae and crps."
        )
    own = {r["name"]: r["ruled_out"] - len(common) for _, r in table.iterrows()}
    counts = ", ".join(f'"{name}" {count}' for name, count in own.items() if count)
    if counts:
        lines.append(
            f"Scores ruled out (log score -inf) that another model allows: {counts}. A single one "
            "makes elpd -inf, whatever the other scores; compare by mae and crps too."
        )
    return lines


def _not_converged(fits: Mapping[str, Fit]) -> tuple[str, ...]:
    """Return a line for each fit whose draws may not represent its posterior."""
    return tuple(
        f'The densities of "{name}" come from draws that may not represent its posterior, as its '
        "status says. Fit it longer before you choose."
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
                f'"{first}" and "{name}" are not fits of the same scores: {len(apart)} are in only '
                f"one of them, such as {examples}. Fit both to the same table; specs that need "
                "tokens leave out rows without them."
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
    """Refuse exact 0 and 1 that the two fits clamp to different values: their densities differ."""
    one, two = _as_fitted(reference), _as_fitted(fit)
    for cell in reference.design.pulled_inside:
        if not np.isclose([one[cell], 1 - one[cell]], [two[cell], 1 - two[cell]], atol=0).all():
            raise FitError(
                f'"{first}" and "{name}" were fitted with {cell[0]} on {cell[1]} at {one[cell]:g} '
                f"and {two[cell]:g}: exact 0 and 1 are clamped to the open interval by half an "
                "item, and the numbers of items differ. Fit both to one table with the same "
                "n_items."
            )


def _cell_text(scores: xr.DataArray, at: Sequence[int]) -> str:
    return f"{scores[MODEL].values[at[0]]} on {scores[BENCHMARK].values[at[1]]}"


def _as_fitted(fit: Fit) -> pd.Series:
    """Return the scores as the likelihood uses them: exact 0 and 1 clamped to the open interval."""
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

    The scores are the same, but spreads come from whole tables, which may hold other models.
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
                f'"{first}" and "{name}" forecast different scores: {len(apart)} are in only one '
                f'of them, such as {model} on {benchmark} in the fold "{fold}". Use the same '
                "folds, and check for failed ones."
            )
        if not np.allclose(key.to_numpy(), mine.loc[key.index].to_numpy()):
            raise DataError(f'"{first}" and "{name}" were measured against different scores.')
    return tables
