"""`ScoreTable`: what a table of models and benchmark scores holds, and the tables it gives.

How scores are read, subset and written is in `scores.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.assembly import commonest_lineage
from latentscale.data.audit import Audit
from latentscale.data.benchmarks import Benchmark
from latentscale.data.features.base import Feature
from latentscale.data.known_features import (
    INSTRUCT,
    feature_table,
    features_of,
    is_stated,
    kinds_among,
)
from latentscale.data.scaling import is_bounded, scaling_columns, scaling_of
from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL
from latentscale.errors import DataError, listed
from latentscale.markup import bullets, counted, data_table

_VARIABLES = ("score", FAMILY, LINEAGE, "instruct", "params", "tokens", "floor", "n_items", "suite")
OF_CELLS: Final = {"stderr": "stderr", "n_items": "cell_items"}
"""Columns of a long table that belong to single scores, and the variables that keep them."""


@dataclass(frozen=True, eq=False, repr=False)
class ScoreTable:
    """The variables of a table of scores, with what was found in it: see `Scores`."""

    dataset: xr.Dataset
    audit: Audit = field(default_factory=Audit)

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, xr.Dataset) or not isinstance(self.audit, Audit):
            raise DataError(
                "Scores holds a dataset of xarray and an audit; build it with Scores.from_frame."
            )
        missing = [name for name in _VARIABLES if name not in self.dataset]
        if missing:
            raise DataError(
                f"A dataset of scores has no {listed(missing)}; build it with Scores.from_frame."
            )

    @property
    def models(self) -> tuple[str, ...]:
        """Model names, in row order.

        Examples
        --------
        >>> scores.models[:2]
        ('bloom-560m', 'bloom-1b1')
        """
        return _names(self.dataset, MODEL)

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Benchmark names, in column order.

        Examples
        --------
        >>> fit.scores.benchmarks
        ('mmlu', 'hellaswag', 'gsm8k', 'mmlu_pro', 'ifeval', 'bbh')
        """
        return _names(self.dataset, BENCHMARK)

    @property
    def features(self) -> tuple[Feature, ...]:
        """Features that the table has: known ones with some value, and declared ones.

        Examples
        --------
        >>> [feature.name for feature in dated.scores.features]
        ['instruct', 'released']
        """
        return tuple(
            kind.feature
            for kind in kinds_among(features_of(self.dataset)).values()
            if is_stated(self.dataset, kind) and kind.given(self.dataset).any()
        )

    @property
    def families(self) -> tuple[str, ...]:
        """Family names, each once, sorted.

        Examples
        --------
        >>> fit.scores.families[:3]
        ('bloom', 'falcon', 'llama')
        """
        return tuple(sorted(set(_names(self.dataset, FAMILY))))

    @property
    def n_observed(self) -> int:
        """Number of scores that were measured.

        Examples
        --------
        >>> fit.scores.n_observed
        282
        """
        return int(self.dataset["score"].notnull().sum())

    @property
    def benchmark_info(self) -> dict[str, Benchmark]:
        """What is known of each benchmark, by name: what `from_frame` takes.

        Examples
        --------
        >>> info = scores.benchmark_info["mmlu"]
        >>> info.floor, info.n_items
        (0.25, 14042)
        """
        info = {}
        for name in self.benchmarks:
            own = self.dataset.sel({BENCHMARK: name})
            items = float(own["n_items"])
            info[name] = Benchmark(
                floor=float(own["floor"]),
                n_items=None if np.isnan(items) else int(items),
                suite=str(own["suite"].item()),
                basis=str(own["basis"].item()) if "basis" in own else "",
                **scaling_of(own),
            )
        return info

    @property
    def item_counts(self) -> xr.DataArray:
        """Items that each score was measured on, dims (model, benchmark), NaN where unknown.

        Examples
        --------
        >>> counts = scores.item_counts
        >>> counts.dims, float(counts.sel(model="llama-7b", benchmark="arc"))
        (('model', 'benchmark'), 1172.0)
        """
        items = self.dataset["n_items"].broadcast_like(self.dataset["score"])
        items = items.transpose(MODEL, BENCHMARK)
        return self.dataset["cell_items"].fillna(items) if "cell_items" in self.dataset else items

    def benchmark_table(self) -> pd.DataFrame:
        """Return one row per benchmark: guessing floor, items, number and range of its scores.

        Returns
        -------
        pandas.DataFrame
            Columns benchmark, floor, items (``"unknown"`` if not known; ``"30"`` or ``"20 to 100"``
            if scores have their own), scores (how many were measured), lowest, median, highest
            (fractions, or in the benchmark's unit). If some benchmark is not a plain fraction, also
            scale, better (``"higher"`` or ``"lower"``), ceiling and unit. A benchmark that is not a
            share of items has neither floor nor items: NaN and ``""``.

        Examples
        --------
        >>> scores.benchmark_table().loc[:1, ["benchmark", "floor", "items", "scores"]]
           benchmark  floor  items  scores
        0        arc   0.25   1172     168
        1  hellaswag   0.25  10042     168
        """
        score = self.dataset["score"].transpose(MODEL, BENCHMARK).to_numpy()
        wide = pd.DataFrame(score, columns=list(self.benchmarks))
        info = self.benchmark_info
        shares = is_bounded(self.dataset).values
        table = pd.DataFrame(
            {
                "benchmark": list(self.benchmarks),
                "floor": np.where(shares, [info[name].floor for name in self.benchmarks], np.nan),
                "items": self._items_shown(),
                "scores": wide.notna().sum().to_numpy(),
                "lowest": wide.min().to_numpy(),
                "median": wide.median().to_numpy(),
                "highest": wide.max().to_numpy(),
            }
        )
        return table.assign(**scaling_columns(list(info.values())))

    def _items_shown(self) -> list[int | str]:
        """Return the items of each benchmark's scores as `benchmark_table` shows them."""
        score = self.dataset["score"]
        counts = self.item_counts.where(score.notnull()).transpose(MODEL, BENCHMARK).to_numpy()
        shown: list[int | str] = []
        for j, (name, about) in enumerate(self.benchmark_info.items()):
            own = counts[~np.isnan(counts[:, j]), j]
            if not bool(is_bounded(self.dataset).sel({BENCHMARK: name})):
                shown.append("")
            elif about.n_items or not own.size:
                shown.append(about.n_items or "unknown")
            else:
                ends = dict.fromkeys((f"{own.min():.0f}", f"{own.max():.0f}"))
                shown.append(" to ".join(ends))
        return shown

    def feature_table(self) -> pd.DataFrame:
        """Return one row per feature: kind, unit, how many models give it, and its range.

        Returns
        -------
        pandas.DataFrame
            Columns feature, kind, unit, models (how many give it), from, to (texts; for a category
            its number of levels).

        Examples
        --------
        >>> dated.scores.feature_table()[["feature", "kind", "models"]]
            feature  kind  models
        0  instruct  flag      32
        1  released  date      32
        """
        return feature_table(self.dataset)

    def family_lineage(self) -> pd.Series:
        """Return one lineage per family: the commonest among its models, else the first row's.

        Returns
        -------
        pandas.Series
            Lineage names, indexed by family in the order of `families`.

        Examples
        --------
        >>> scores.family_lineage()["wizardlm-v1.0"]
        'llama'
        """
        table = pd.DataFrame(
            {FAMILY: _names(self.dataset, FAMILY), LINEAGE: _names(self.dataset, LINEAGE)}
        )
        return commonest_lineage(table)

    def to_frame(self) -> pd.DataFrame:
        """Return a wide table with the columns of `from_frame`.

        ``Scores.from_frame(frame, features=scores.features, benchmarks=scores.benchmark_info)``
        reads it back. Only `to_long` has standard errors and item counts of single scores; `save`
        writes everything to files.

        Returns
        -------
        pandas.DataFrame
            One row per model, in the table's order: model, family, lineage, instruct if a column
            stated it, then features and benchmarks. Scores are fractions, or in their benchmark's
            unit, and NaN where not measured.

        Examples
        --------
        >>> frame = fit.scores.to_frame()
        >>> frame.loc[:1, ["model", "family", "params_b", "mmlu"]].round(3)
                model family  params_b   mmlu
        0  bloom-560m  bloom      0.56  0.242
        1   bloom-1b1  bloom      1.10  0.267
        """
        data = self.dataset
        columns: dict[str, object] = {
            "model": list(self.models),
            "family": list(_names(data, FAMILY)),
            "lineage": list(_names(data, LINEAGE)),
        }
        kinds = kinds_among(features_of(data))
        if is_stated(data, kinds[INSTRUCT]):
            columns[INSTRUCT] = data[INSTRUCT].to_numpy().astype(int)
        for name, kind in kinds.items():
            if is_stated(data, kind) and name not in columns:
                columns[name] = kind.cells(data[kind.variable].to_numpy())
        scores = data["score"].transpose(MODEL, BENCHMARK).to_numpy()
        columns |= {name: scores[:, j] for j, name in enumerate(self.benchmarks)}
        return pd.DataFrame(columns)

    def to_long(self) -> pd.DataFrame:
        """Return a long table with the columns of `from_long`, one row per score.

        Columns stderr and n_items hold the standard errors and item counts of single scores, if
        there are any. ``Scores.from_long(frame, features=scores.features,
        benchmarks=scores.benchmark_info)`` reads it back.

        Returns
        -------
        pandas.DataFrame
            One row per measured score: model, the columns that describe the model, benchmark and
            score.

        Examples
        --------
        >>> long = fit.scores.to_long()
        >>> len(long) == fit.scores.n_observed
        True
        >>> long.loc[:1, ["model", "benchmark", "score"]].round(3)
                model  benchmark  score
        0  bloom-560m       mmlu  0.242
        1  bloom-560m  hellaswag  0.372
        """
        wide = self.to_frame()
        names = list(self.benchmarks)
        data = self.dataset
        shape = (len(wide), len(names))
        columns: dict[str, Any] = {
            name: wide[name].repeat(len(names)).reset_index(drop=True)
            for name in wide.columns.drop(names)
        }
        columns["benchmark"] = np.tile(np.array(names, dtype=object), len(wide))
        columns["score"] = data["score"].transpose(MODEL, BENCHMARK).to_numpy().ravel()
        for column, variable in OF_CELLS.items():
            if variable in data:
                columns[column] = data[variable].transpose(MODEL, BENCHMARK).to_numpy().ravel()
        table = pd.DataFrame(columns)
        measured = table["score"].notna().to_numpy()
        # Rows without a score preserve the order of benchmarks, and models without any score.
        unscored = ~measured.reshape(shape).any(axis=1)
        unscored[0] = True
        return table[measured | np.repeat(unscored, len(names))].reset_index(drop=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._facts())})"

    def _repr_html_(self) -> str:
        table = data_table(self.benchmark_table(), caption=", ".join(self._facts()), limit=30)
        return table + bullets([f"{f.where}: {f.message}" for f in self.audit.warnings])

    def _facts(self) -> list[str]:
        lineages = len(set(_names(self.dataset, LINEAGE)))
        facts = [
            counted(len(self.models), "model"),
            counted(len(self.families), "family", "families"),
            counted(lineages, "lineage"),
            counted(len(self.benchmarks), "benchmark"),
            counted(self.n_observed, "score"),
        ]
        warned = len(self.audit.warnings)
        return facts if not warned else [*facts, f"{warned} to check in .audit"]


def _names(dataset: xr.Dataset, variable: str) -> tuple[str, ...]:
    return tuple(str(name) for name in dataset[variable].to_numpy())
