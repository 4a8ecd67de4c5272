"""Rows to forecast: planned models, or known ones without scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.assembly import commonest_lineage, dataset_of_models
from latentscale.data.assumed_values import (
    assumed_feature,
    assumed_instruct,
    assumed_lineages,
    left_out,
)
from latentscale.data.audit import Finding, emit
from latentscale.data.checks import category_levels, model_findings
from latentscale.data.columns import as_objects
from latentscale.data.features.base import Feature
from latentscale.data.fitted_releases import fitted_releases, with_values_of_releases
from latentscale.data.frames import AnyFrame
from latentscale.data.known_features import (
    INSTRUCT,
    features_of,
    kinds_among,
    with_features,
)
from latentscale.data.layout import METADATA, REQUIRED, checked_frame
from latentscale.data.planned_scores import percentages_without_sign
from latentscale.data.problems import Problem, at_column, fail
from latentscale.data.scaling import scales_of
from latentscale.data.table import read_wide
from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL
from latentscale.errors import DataError, listed, nearest

NOT_FORECAST = "These rows cannot be forecast"
_NEVER_ASSUMED = ("instruct", "params_b", "active_params_b", "tokens_t", "flops")
"""Features that `assumed_feature` does not fill: instruct has a rule of its own, and an empty size
or token count means undisclosed."""
ASSUMED = "assumed"
"""Variable over model: what a row left out and was taken from the fit, in words."""


def planned_models(
    frame: AnyFrame,
    known_benchmarks: Sequence[str],
    lineages: Mapping[str, str] | None = None,
    *,
    fitted: xr.Dataset | None = None,
    uses: Collection[str] = (),
) -> xr.Dataset:
    """Check rows to forecast and return them as a dataset.

    A row may leave out `instruct` (no such column, or an empty cell) if the fitted models
    determine it: a fitted model's row has that model's value; a row of a fitted family, the value
    that all its models share; a row of a new family, the value that all fitted models share. If
    they do not share one, and the forecast depends on it, that is an error. The same holds for
    other features that the forecast depends on, except size, tokens and FLOPs; features that the
    fitted models do not determine stay empty. A new setting of a fitted release (``"o3_low"``
    after ``"o3_high"``) takes any features, size and tokens that it leaves out from the release; if
    it states others, it is another release. A row may leave out its lineage: a fitted family keeps
    its fitted lineage, and a new family is a lineage of its own unless another of its rows states
    one.

    Parameters
    ----------
    frame
        Columns as in `Scores.from_frame`: model and family; optionally lineage, features, known
        or declared with the fitted table, and known benchmarks with scores. It is not modified.
    known_benchmarks
        Benchmarks for which scores can be given.
    lineages
        Lineage of each fitted family. A fitted family keeps its lineage: rows need not state it,
        and a row that states another causes a warning.
    fitted
        The fitted models (a dataset as in `Scores`); without them an empty `instruct` is 0.
    uses
        Which features the forecast depends on, and whether on lineage.

    Returns
    -------
    xarray.Dataset
        Over ``model``: params (billions), tokens (trillions, NaN where unknown), instruct,
        family, lineage, other features that are given or assumed, and assumed (what a row left out
        and was taken from the fit, such as ``"instruct=1 (family)"``); ``score`` (model, benchmark)
        if the table has a benchmark column.

    Raises
    ------
    DataError
        Naming every bad cell, unknown column and repeated model, and every row that leaves out
        what the fitted models do not determine.

    Warns
    -----
    DataWarning
        Once, if sizes, tokens, names or lineages look wrong, a name differs from a fitted one only
        in case, accents, spaces, dots, dashes or underscores, or new settings of fitted releases
        leave features out or contradict them.
    """
    lineages = {} if lineages is None else lineages
    _refuse_one_row_a_score(frame, known_benchmarks)
    clean, findings = checked_frame(frame, REQUIRED, NOT_FORECAST)
    given = [name for name in clean.columns if name in known_benchmarks]
    features = () if fitted is None else features_of(fitted)
    scales = {} if fitted is None or BENCHMARK not in fitted.dims else scales_of(fitted)
    table = read_wide(clean, given, scales, features, fitted=True)
    problems = [*_unknown_columns(clean, known_benchmarks, features), *table.problems]
    if fitted is not None and "score" in fitted:
        of_signs, odd_scores = percentages_without_sign(table.scores, table.models[MODEL], fitted)
        problems, findings = [*problems, *of_signs], [*findings, *odd_scores]
    models, texts = table.models, [""] * len(clean)
    if fitted is not None and not problems:
        empty = left_out(clean, INSTRUCT)
        releases = fitted_releases(models, fitted)
        assumed = assumed_instruct(models, empty, fitted, releases.values, needed=INSTRUCT in uses)
        models = models.assign(instruct=assumed.values)
        problems += assumed.problems
        models, more, of_releases = with_values_of_releases(models, releases, uses)
        findings = [*findings, *of_releases]
        texts = _joined(assumed.texts, more)
        models, texts = _with_assumed(models, texts, fitted, uses)
    fail(problems, NOT_FORECAST)
    stated_rows = _fill_lineages(models, lineages)
    used_rows = _one_lineage_a_family(stated_rows)
    if LINEAGE in uses:
        more = assumed_lineages(models, used_rows, lineages)
        texts = _joined(texts, more)
    dataset = dataset_of_models(used_rows, features)
    dataset[ASSUMED] = (MODEL, np.array(texts, dtype=np.str_))
    if given:
        dataset = dataset.assign_coords({BENCHMARK: np.array(given, np.str_)})
        dataset["score"] = ((MODEL, BENCHMARK), table.scores.to_numpy(dtype=float))
    # Checked before each family gets its one lineage, so that a disagreement is still seen.
    # The audit of the fitted table has already reported on rows that were fitted unchanged.
    new_rows = stated_rows[~_as_fitted(stated_rows, fitted)]
    checked = with_features(dataset_of_models(new_rows, features), features)
    stated = model_findings(checked, _fitted_names(fitted, lineages))
    # That finding on rows without tokens is about fits; a forecast draws tokens or refuses.
    odd = [finding for finding in stated if finding.code != "unknown-tokens"]
    # If the fit is known, an empty instruct was determined above, and not taken as 0.
    read = [f for f in table.findings if fitted is None or f.code != "instruct-missing"]
    all_findings: list[Finding] = [*findings, *read, *_contradictions(models, lineages), *odd]
    emit(all_findings, about="Rows to forecast were read")
    return dataset


def _refuse_one_row_a_score(frame: AnyFrame, benchmarks: Collection[str]) -> None:
    """Refuse a long table, such as a forecast's own, with an error that names it."""
    names = [str(name).strip() for name in getattr(frame, "columns", [])]
    if "benchmark" in benchmarks or "benchmark" not in names:
        return
    what = "a forecast's own table" if {"lower", "upper"} <= set(names) else "a table of scores"
    raise DataError(
        f'{NOT_FORECAST}: they have one row per score (column "benchmark"), as {what} has. Give '
        "one row per model: the columns model and family, the features that the spec uses, and, to "
        "condition on scores, a column for each benchmark."
    )


def _with_assumed(
    models: pd.DataFrame, texts: list[str], fitted: xr.Dataset, uses: Collection[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Fill features in use from the fitted models where rows leave them out."""
    for name, kind in kinds_among(features_of(fitted)).items():
        if name in uses and (kind.estimated or name not in _NEVER_ASSUMED):
            cells, more = assumed_feature(models, kind, fitted)
            models = models.assign(**{name: cells})
            texts = _joined(texts, more)
    return models, texts


def _joined(texts: Sequence[str], more: Sequence[str]) -> list[str]:
    return ["; ".join(filter(None, pair)) for pair in zip(texts, more, strict=True)]


def _as_fitted(models: pd.DataFrame, fitted: xr.Dataset | None) -> npt.NDArray[np.bool_]:
    """Return which rows are fitted models with their fitted family, size and tokens."""
    if fitted is None:
        return np.zeros(len(models), dtype=bool)
    known = pd.DataFrame(
        {
            MODEL: fitted[MODEL].to_numpy().astype(str),
            FAMILY: fitted[FAMILY].to_numpy().astype(str),
            "params_b": fitted["params"].to_numpy().astype(float),
            "tokens_t": fitted["tokens"].to_numpy().astype(float),
        }
    ).set_index(MODEL)
    rows = known.reindex(models[MODEL].tolist())
    same = rows[FAMILY].to_numpy() == models[FAMILY].to_numpy()
    for name in ("params_b", "tokens_t"):
        own = models[name] if name in models else pd.Series(np.nan, models.index)
        first, second = rows[name].to_numpy(), own.to_numpy(dtype=float)
        same &= (first == second) | (np.isnan(first) & np.isnan(second))
    return same


def _fitted_names(
    fitted: xr.Dataset | None, lineages: Mapping[str, str]
) -> dict[str, Collection[str]]:
    """Return the names that a fit knows, by variable and category."""
    models = [] if fitted is None else [str(name) for name in fitted[MODEL].to_numpy()]
    levels = {} if fitted is None else category_levels(fitted)
    of_lineages = list(dict.fromkeys(lineages.values()))
    return {MODEL: models, FAMILY: list(lineages), LINEAGE: of_lineages, **levels}


def _unknown_columns(
    frame: pd.DataFrame, benchmarks: Sequence[str], features: Sequence[Feature]
) -> list[Problem]:
    allowed = dict.fromkeys([*METADATA, *kinds_among(features), *benchmarks])
    return [
        at_column(
            name,
            "neither a feature of the fitted table nor a fitted benchmark."
            f"{nearest(name, allowed)} Allowed: {listed(allowed, limit=30)}. "
            "Rename it, or drop it.",
        )
        for name in frame.columns
        if name not in allowed
    ]


def _contradictions(models: pd.DataFrame, lineages: Mapping[str, str]) -> list[Finding]:
    """Find rows of a fitted family that state a lineage other than the fitted one."""
    findings = []
    columns = (models[name].tolist() for name in (MODEL, FAMILY, LINEAGE))
    for model, family, lineage in zip(*columns, strict=True):
        fitted = lineages.get(family)
        if fitted is None or lineage in ("", fitted):
            continue
        message = (
            f'Model "{model}" states lineage "{lineage}", but its family "{family}" was fitted in '
            f'lineage "{fitted}", which is used. If it descends from "{lineage}", give it a '
            "family of its own."
        )
        findings.append(Finding("warning", "other-lineage", family, message))
    return findings


def _fill_lineages(models: pd.DataFrame, lineages: Mapping[str, str]) -> pd.DataFrame:
    """Assign a fitted family its lineage, and a row without a lineage that of its family."""
    pairs = zip(models[FAMILY].tolist(), models[LINEAGE].tolist(), strict=True)
    kept = [lineages.get(family, lineage) for family, lineage in pairs]
    models = models.assign(lineage=as_objects(kept, models.index))
    chosen = commonest_lineage(models[models[LINEAGE] != ""]).to_dict()
    filled = [
        lineage or str(chosen.get(family, family))
        for family, lineage in zip(models[FAMILY].tolist(), kept, strict=True)
    ]
    return models.assign(lineage=as_objects(filled, models.index))


def _one_lineage_a_family(models: pd.DataFrame) -> pd.DataFrame:
    """Assign every row its family's commonest lineage, since a family has one latent draw."""
    return models.assign(lineage=models[FAMILY].map(commonest_lineage(models)))
