"""Assembly: a checked dataset of scores, and its audit, from the columns read from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.audit import Audit, Finding
from latentscale.data.benchmarks import Benchmark, resolve
from latentscale.data.checks import dataset_findings, fractions_among_percentages
from latentscale.data.features.base import Feature
from latentscale.data.frames import AnyFrame
from latentscale.data.known_features import (
    INSTRUCT,
    UNSTATED,
    declared,
    kinds_among,
    with_features,
)
from latentscale.data.layout import (
    METADATA,
    REQUIRED,
    benchmark_columns,
    checked_frame,
    own_columns,
)
from latentscale.data.long import LONG_REQUIRED, read_long
from latentscale.data.measured import read_stderr_frame
from latentscale.data.problems import Problem, fail
from latentscale.data.scales.base import Scale, scale_of
from latentscale.data.scales.percent import PercentScale
from latentscale.data.scaling import benchmark_variables
from latentscale.data.sources import APART, MERGED, SOURCES, apart
from latentscale.data.table import Table, read_wide
from latentscale.data.units_of_rows import UNIT, has_units, units_of_rows
from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL
from latentscale.errors import DataError, listed
from latentscale.validate import choice

_WHAT = "This table cannot be used as scores"


def from_wide(
    frame: AnyFrame,
    features: Sequence[str | Feature] | None,
    benchmarks: Mapping[str, Benchmark] | None,
    n_items: pd.DataFrame | None,
    stderr: AnyFrame | None,
) -> tuple[xr.Dataset, Audit]:
    """Check a wide table, and return the variables of its scores and the findings.

    `n_items` has item counts of single scores, index model and columns benchmark; NaN, or no row or
    column, where the benchmark's count applies.
    """
    clean, findings = checked_frame(frame, REQUIRED, _WHAT)
    stated = declared(features, clean)
    measured = set(benchmarks if isinstance(benchmarks, Mapping) else ()) - set(METADATA)
    both = [feature.name for feature in stated if feature.name in measured]
    if both:
        raise DataError(
            f"{_WHAT}: {listed(both)} is declared as a feature and as a benchmark, in features= "
            "and benchmarks=. Declare it once, as what it is."
        )
    own = [name for name in own_columns(clean, stated) if name not in measured]
    names, problems, more = benchmark_columns(clean, own, measured)
    scales = _stated_scales(benchmarks)
    read = read_wide(clean, names, scales, stated)
    errors, error_problems = read_stderr_frame(stderr, read, scales)
    items = None
    if n_items is not None:
        by_model = n_items.reindex(index=read.models["model"].tolist(), columns=names)
        items = by_model.set_axis(read.models.index)
    table = replace(
        read, problems=(*problems, *read.problems, *error_problems), stderr=errors, n_items=items
    )
    dataset, audit = _assemble(table, benchmarks, findings + more)
    return _with_instruct(dataset, stated=INSTRUCT in clean), audit


def from_rows(
    frame: AnyFrame,
    features: Sequence[str | Feature] | None,
    benchmarks: Mapping[str, Benchmark] | None,
    sources: str = MERGED,
) -> tuple[xr.Dataset, Audit]:
    """Check a table with one row per score, and return its variables and the findings."""
    choice(sources, "sources", SOURCES, error=DataError)
    clean, findings = checked_frame(frame, LONG_REQUIRED, _WHAT)
    if sources == APART:
        clean, benchmarks, more = apart(clean, benchmarks)
        findings = [*findings, *more]
    scales, stated = _stated_scales(benchmarks), declared(features, clean)
    units: Mapping[str, str] = {}
    problems: list[Problem] = []
    if has_units(clean) and UNIT not in (feature.name for feature in stated):
        units, problems, more = units_of_rows(clean, _stated_benchmarks(benchmarks))
        clean, findings = clean.drop(columns=UNIT), [*findings, *more]
    read = read_long(clean, scales, stated, sources)
    read = replace(read, problems=(*read.problems, *problems))
    dataset, audit = _assemble(read, benchmarks, findings, units)
    return _with_instruct(dataset, stated=INSTRUCT in clean), audit


def _with_instruct(dataset: xr.Dataset, *, stated: bool) -> xr.Dataset:
    """Mark instruct where no column states it: specs that use it take 0, and tables omit it."""
    if stated:
        return dataset
    return dataset.assign({INSTRUCT: dataset[INSTRUCT].assign_attrs({UNSTATED: 1})})


def _assemble(
    table: Table,
    given: Mapping[str, Benchmark] | None,
    findings: Sequence[Finding],
    units: Mapping[str, str] | None = None,
) -> tuple[xr.Dataset, Audit]:
    """Raise the problems of a table, or join it into one dataset with its audit."""
    fail(table.problems, _WHAT)
    stated, unknown = resolve(table.scores.columns, given)
    stated |= {name: replace(stated[name], unit=unit) for name, unit in (units or {}).items()}
    info = {name: benchmark.as_kept() for name, benchmark in stated.items()}
    filled = table.scores.notna().any()
    if not filled.any():
        raise DataError(
            f"{_WHAT}: no benchmark has a single score. Give at least one score; the benchmark "
            f"columns are {listed(table.scores.columns)}."
        )
    dropped = [
        Finding("warning", "benchmark-without-score", name, "no score at all: it was dropped.")
        for name in filled.index[~filled]
    ]
    kept = [name for name in table.scores.columns if filled[name]]
    dataset = with_features(dataset_of_models(table.models, table.features), table.features)
    dataset = dataset.assign_coords({BENCHMARK: np.array(kept, np.str_)})
    items = [info[name].n_items for name in kept]
    dataset = dataset.assign(
        score=((MODEL, BENCHMARK), table.scores[kept].to_numpy(dtype=float)),
        floor=(BENCHMARK, np.array([float(info[name].floor) for name in kept])),
        n_items=(BENCHMARK, np.array([np.nan if n is None else float(n) for n in items])),
        suite=(BENCHMARK, np.array([info[name].suite for name in kept], np.str_)),
        basis=(BENCHMARK, np.array([info[name].basis for name in kept], np.str_)),
        **benchmark_variables(info, kept),
    )
    for name, values in {"cell_items": table.n_items, "stderr": table.stderr}.items():
        if values is not None and values.size and values[kept].notna().any(axis=None):
            own = values[kept].to_numpy(dtype=float)
            dataset = dataset.assign({name: ((MODEL, BENCHMARK), own)})
    unknown = [finding for finding in unknown if finding.where in kept]
    percent = [name for name in kept if stated[name].scale == PercentScale.kind]
    mixed = fractions_among_percentages(dataset, percent)
    checks = [*mixed, *dataset_findings(dataset)]
    all_findings = [*findings, *table.findings, *unknown, *dropped, *checks]
    return dataset, Audit(tuple(all_findings))


def _stated_scales(given: Mapping[str, Benchmark] | None) -> dict[str, Scale]:
    return {n: scale_of(b.scale) for n, b in _stated_benchmarks(given).items()}


def _stated_benchmarks(given: Mapping[str, Benchmark] | None) -> dict[str, Benchmark]:
    """Return what the caller states; what is not a benchmark is refused later."""
    benchmarks = given.items() if isinstance(given, Mapping) else ()
    return {n: benchmark for n, benchmark in benchmarks if isinstance(benchmark, Benchmark)}


def dataset_of_models(models: pd.DataFrame, features: Sequence[Feature] = ()) -> xr.Dataset:
    """Return the variables over ``model`` for judged rows; an unstated lineage is the family.

    Size, tokens and instruct are always present, other features where the rows have a column.
    """
    lineage = models["lineage"].where(models["lineage"] != "", models["family"])
    data: dict[str, tuple[str, object]] = {
        FAMILY: (MODEL, np.array(models["family"].tolist(), dtype=np.str_)),
        LINEAGE: (MODEL, np.array(lineage.tolist(), dtype=np.str_)),
    }
    for name, kind in kinds_among(features).items():
        if name in (*models.columns, INSTRUCT, "params_b", "tokens_t"):
            data[kind.variable] = (MODEL, kind.kept(models.get(name), len(models)))
    return xr.Dataset(data, coords={MODEL: np.array(models["model"].tolist(), dtype=np.str_)})


def commonest_lineage(table: pd.DataFrame) -> pd.Series:
    """Return one lineage per family from rows of family and lineage; the first row breaks ties."""
    counts = table.groupby([FAMILY, LINEAGE], sort=False).size().rename("count").reset_index()
    ranked = counts.sort_values("count", ascending=False, kind="stable")
    chosen = ranked.drop_duplicates(FAMILY).set_index(FAMILY)[LINEAGE].sort_index()
    return chosen.astype(object).rename_axis(FAMILY)
