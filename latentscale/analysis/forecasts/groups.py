"""Groups of families whose latents new scores inform: their rows, cells and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.recording import pull_inside
from latentscale.data.scaling import is_bounded
from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL
from latentscale.posterior.fit import Fit

_ROW_VARIABLES = ("params", "tokens", "instruct", FAMILY, LINEAGE)


@dataclass(frozen=True)
class Group:
    """Families with dependent latents: the rows and cells of one small problem.

    Attributes
    ----------
    rows
        The planned rows with new scores and, where families have latents, the fitted members of
        their families; variables as for a forecast, dims (model,).
    fitted, new
        Its families that are in the fit and those that are not, each with its lineage.
    model_of_cell, benchmark_of_cell
        Names of each observed cell's row and column.
    score
        Scores, fractions strictly inside (0, 1), dims (cell,).
    is_new
        Whether the score is new to the fit, by cell.
    """

    rows: xr.Dataset
    fitted: dict[str, str]
    new: dict[str, str]
    model_of_cell: list[str]
    benchmark_of_cell: list[str]
    score: npt.NDArray[np.float64]
    is_new: npt.NDArray[np.bool_]

    def has_fitted_latents(self, fit: Fit) -> bool:
        """Return whether latents of its families or rows are in the fit."""
        return bool(self.fitted) or bool(np.isin(self.rows[MODEL].values, fit.scores.models).any())

    def of_new_scores(self) -> Group:
        """Return the group with only its new scores and their rows."""
        kept = np.flatnonzero(self.is_new)
        models = [self.model_of_cell[cell] for cell in kept]
        return replace(
            self,
            rows=self.rows.isel({MODEL: np.isin(self.rows[MODEL].values, models)}),
            model_of_cell=models,
            benchmark_of_cell=[self.benchmark_of_cell[cell] for cell in kept],
            score=self.score[kept],
            is_new=self.is_new[kept],
        )


def family_groups(fit: Fit, planned: xr.Dataset, is_new: xr.DataArray) -> list[Group]:
    """Return the groups of families whose latents the new scores inform.

    Families of one new lineage share that lineage's draw, so they form one group, whether they have
    scores or not; every other family is a group by itself.

    Parameters
    ----------
    fit
        A fit.
    planned
        Checked rows with their scores.
    is_new
        Which of their cells are new scores, dims (model, benchmark).
    """
    lineage_of = {
        str(f): str(g) for f, g in zip(planned[FAMILY].values, planned[LINEAGE].values, strict=True)
    }
    tied = "lineage_skill" in fit.posterior
    fitted = {str(lineage) for lineage in fit.scores.family_lineage()}
    shared = {
        family: f"lineage {lineage}"
        if tied and family not in fit.scores.families and lineage not in fitted
        else family
        for family, lineage in lineage_of.items()
    }
    scored = planned.isel({MODEL: is_new.any(BENCHMARK).values})
    keys = dict.fromkeys(shared[str(family)] for family in scored[FAMILY].values)
    return [
        _group(fit, planned, is_new, {f: g for f, g in lineage_of.items() if shared[f] == key})
        for key in keys
    ]


def joined_group(groups: Sequence[Group]) -> Group:
    """Return groups of new scores as one."""
    return Group(
        rows=xr.concat([group.rows for group in groups], dim=MODEL),
        fitted={f: g for group in groups for f, g in group.fitted.items()},
        new={f: g for group in groups for f, g in group.new.items()},
        model_of_cell=[name for group in groups for name in group.model_of_cell],
        benchmark_of_cell=[name for group in groups for name in group.benchmark_of_cell],
        score=np.concatenate([group.score for group in groups]),
        is_new=np.concatenate([group.is_new for group in groups]),
    )


def fitted_group(fit: Fit) -> Group:
    """Return all fitted models and scores as one group."""
    data = fit.scores.dataset
    table = data["score"].transpose(MODEL, BENCHMARK)
    models, benchmarks, scores = _observed(table, fit.scores.item_counts, is_bounded(data))
    pairs = zip(data[FAMILY].values, data[LINEAGE].values, strict=True)
    return Group(
        rows=data,
        fitted={str(family): str(lineage) for family, lineage in pairs},
        new={},
        model_of_cell=models,
        benchmark_of_cell=benchmarks,
        score=np.array(scores, dtype=float),
        is_new=np.zeros(len(scores), bool),
    )


def _group(
    fit: Fit, planned: xr.Dataset, is_new: xr.DataArray, lineage_of: dict[str, str]
) -> Group:
    scored = is_new.any(BENCHMARK).values
    mine = np.isin(planned[FAMILY].values, list(lineage_of)) & scored
    asked = planned.isel({MODEL: mine})
    names = [str(name) for name in asked[MODEL].values]
    data = fit.scores.dataset
    fitted_rows = np.isin(data[MODEL].values, names)
    if fit.spec.family.level != "none":
        fitted_rows |= np.isin(data[FAMILY].values, list(lineage_of))
    seen = data.isel({MODEL: fitted_rows})
    fresh = asked.isel({MODEL: ~np.isin(names, fit.scores.models)})
    kinds = (kind.variable for kind in fit.transform.kinds)
    variables = [name for name in dict.fromkeys([*_ROW_VARIABLES, *kinds]) if name in fresh]
    tables = [rows[variables].reset_coords(drop=True) for rows in (seen, fresh)]
    new_scores = planned["score"].where(is_new).isel({MODEL: mine})
    fractions = is_bounded(data)
    old = _observed(seen["score"].transpose(MODEL, BENCHMARK), fit.scores.item_counts, fractions)
    new = _observed(new_scores.transpose(MODEL, BENCHMARK), data["n_items"], fractions)
    known = set(fit.scores.families)
    return Group(
        rows=xr.concat([rows for rows in tables if rows.sizes[MODEL]], dim=MODEL),
        fitted={f: g for f, g in lineage_of.items() if f in known},
        new={f: g for f, g in lineage_of.items() if f not in known},
        model_of_cell=old[0] + new[0],
        benchmark_of_cell=old[1] + new[1],
        score=np.array(old[2] + new[2], dtype=float),
        is_new=np.repeat([False, True], [len(old[0]), len(new[0])]),
    )


def _observed(
    table: xr.DataArray, n_items: xr.DataArray, fractions: xr.DataArray
) -> tuple[list[str], list[str], list[float]]:
    items = n_items.sel({dim: table[dim] for dim in n_items.dims})
    inside, _ = pull_inside(table, items, fractions.sel({BENCHMARK: table[BENCHMARK]}))
    rows, columns = np.nonzero(inside.notnull().values)
    models, benchmarks = (  # once: one look-up per cell is slow
        [str(name) for name in inside[dim].values.tolist()] for dim in (MODEL, BENCHMARK)
    )
    return (
        [models[i] for i in rows],
        [benchmarks[j] for j in columns],
        inside.values[rows, columns].tolist(),
    )
