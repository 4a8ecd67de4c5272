"""Rows to forecast, read with a fit's models, families and lineages."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.from_names import (
    with_families_read,
    with_lineages_of_providers,
    with_names_read,
)
from latentscale.data.columns import is_blank
from latentscale.data.covariates import features_in_use
from latentscale.data.features.compute import counted_in_full, counted_in_full_text
from latentscale.data.frames import as_pandas
from latentscale.data.known_features import known_features
from latentscale.data.planned import ASSUMED, NOT_FORECAST, planned_models
from latentscale.data.scores import Scores
from latentscale.data.similar_names import warn_of_spelling
from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, LINEAGE, MODEL
from latentscale.errors import DataError, DataWarning, nearest
from latentscale.posterior.fit import Fit


def planned_rows(fit: Fit, frame: pd.DataFrame) -> xr.Dataset:
    """Read and check rows to forecast (see `latentscale.data.planned_models`).

    Parameters
    ----------
    fit
        A fit; values that rows leave out are taken from its models.
    frame
        Rows as for `latentscale.predict`.

    Raises
    ------
    DataError
        If the table is malformed, or a row leaves out what the forecast needs and the fitted models
        do not determine.

    Warns
    -----
    DataWarning
        If compute is used and computed from all parameters for mixtures of experts.
    """
    uses = {
        "instruct": fit.spec.needs_instruct,
        LINEAGE: "lineage_skill" in fit.posterior,
    }
    features = [f.name for f in fit.transform.features if f.name not in uses]
    frame, from_names = with_names_read(fit, as_pandas(frame, NOT_FORECAST))
    rows = planned_models(
        frame,
        fit.scores.benchmarks,
        fitted_lineages(fit),
        fitted=fit.scores.dataset,
        uses=[*(name for name, used in uses.items() if used), *features],
    )
    mixtures = [name for name in counted_in_full(rows) if name not in fit.scores.models]
    if mixtures and fit.transform.needs("log_flops"):
        said_of_them = f"The fit uses training compute, and {counted_in_full_text(mixtures)}"
        warnings.warn(said_of_them, DataWarning, stacklevel=3)
    texts = zip(from_names, rows[ASSUMED].values.tolist(), strict=True)
    said = ["; ".join(filter(None, pair)) for pair in texts]
    return rows.assign({ASSUMED: (MODEL, np.array(said, dtype=np.str_))})


def stated_rows(frame: pd.DataFrame, scores: Scores, spec: ModelSpec) -> pd.DataFrame:
    """Return rows with the family, lineage and features that the whole table determines filled in.

    For forecasts from fits to parts of the table, for which some of these families are new.

    Parameters
    ----------
    frame
        Rows as for `latentscale.predict`.
    scores
        The whole table.
    spec
        The model to fit; rows are given the features that it uses.

    Raises
    ------
    DataError
        As `planned_rows`.
    """
    lineages = {str(f): str(g) for f, g in scores.family_lineage().items()}
    kinds = {kind.name: kind for kind in features_in_use(scores.dataset, spec.covariates)}
    uses = [*kinds, *(["instruct"] if spec.needs_instruct else [])]
    frame, _ = with_families_read(scores, as_pandas(frame, NOT_FORECAST))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the forecasts will warn
        named, _ = with_lineages_of_providers(scores, frame)
        rows = planned_models(named, scores.benchmarks, lineages, fitted=scores.dataset, uses=uses)
    features = {
        name: kind.cells(rows[kind.variable].values)
        for name, kind in kinds.items()
        if kind.variable in rows
    }
    own = {"instruct": rows["instruct"].values, "lineage": rows[LINEAGE].values}
    return frame.rename(columns=str.strip).assign(**features, **own)


def fitted_lineages(fit: Fit) -> dict[str, str]:
    """Return the lineage of each fitted family."""
    return {str(f): str(g) for f, g in fit.scores.family_lineage().items()}


def checked_family(fit: Fit, family: str) -> None:
    """Refuse a name that is not a fitted family.

    Raises
    ------
    DataError
        If it is not fitted; the message suggests the closest name.
    """
    if family not in fit.scores.families:
        raise DataError(
            f'Family "{family}" is not in the fit.'
            + nearest(family, fit.scores.families)
            + " See fit.scores.families."
        )


def usual_instruct(fit: Fit, family: str | None, rows: xr.Dataset | None = None) -> bool:
    """Return whether all of a family's models are instruction-tuned; False if they differ.

    Parameters
    ----------
    fit
        A fit.
    family
        A fitted family, a family of `rows`, or a new one (then all models are used). None stands
        for the average family.
    rows
        Checked rows that were given in addition to the fit.
    """
    tables = [fit.scores.dataset] if rows is None else [fit.scores.dataset, rows]
    every: set[float] = set()
    mine: set[float] = set()
    for table in tables:
        for name, value in zip(table[FAMILY].values, table["instruct"].values, strict=True):
            every.add(float(value))
            if str(name) == family:
                mine.add(float(value))
    return (mine or every) == {1.0}


def typical_features(
    fit: Fit, members: xr.Dataset, count: int, *, to_come: bool = False
) -> dict[str, tuple[str, npt.NDArray[Any]]]:
    """Return typical feature values of a family's models, by variable, dims (model,).

    Size, tokens, FLOPs and instruct are set by the caller (`Known.chosen`).

    Parameters
    ----------
    fit
        A fit.
    members
        Models of the family; if none has a value of a feature, all fitted models are used.
    count
        Number of identical rows.
    to_come
        Whether the rows come after the members: dates are then the latest rather than the mean, and
        other features are those of the members with the latest date.
    """
    features = {}
    chosen = {name for name, known in known_features().items() if known.chosen}
    for kind in fit.transform.kinds:
        if kind.name in chosen:
            continue
        tables = [*([_latest(members)] if to_come else []), members]
        stated = (table.isel({MODEL: np.flatnonzero(kind.given(table))}) for table in tables)
        some = next((table for table in stated if table.sizes[MODEL]), fit.scores.dataset)
        value = kind.coming(some) if to_come else kind.typical(some)
        features[kind.variable] = (MODEL, np.repeat(value, count))
    return features


def _latest(members: xr.Dataset) -> xr.Dataset:
    """Return the models with the latest release date; all models if none has a date."""
    if "released" not in members or members["released"].isnull().all():
        return members
    dates = members["released"].values
    return members.isel({MODEL: np.flatnonzero(dates == np.nanmax(dates))})


def held_features(fit: Fit, members: xr.Dataset) -> dict[str, str]:
    """Describe the values at which `typical_features` holds features, by covariate.

    Parameters
    ----------
    fit
        A fit.
    members
        As for `typical_features`.
    """
    typical = typical_features(fit, members, 1)
    texts = {}
    for kind in fit.transform.kinds:
        if kind.variable in typical:
            cell = kind.cells(typical[kind.variable][1])[0]
            if is_blank(cell):  # missing is a level, here the most common one
                shown = str(getattr(kind, "missing_level", "missing"))
            elif isinstance(cell, np.datetime64):
                shown = str(cell.astype("datetime64[D]"))
            else:
                shown = cell if isinstance(cell, str) else f"{float(cell):.3g}"
            texts[kind.covariate] = f"{kind.name} held at {shown}"
    return texts


def members_of(fit: Fit, family: str | None, rows: xr.Dataset | None = None) -> xr.Dataset:
    """Return the models of a family.

    Parameters
    ----------
    fit
        A fit.
    family
        A fitted family, or a family of `rows`, whose rows are then used. For None or any other new
        family, all fitted models are returned.
    rows
        Checked rows that were given in addition to the fit.
    """
    for table in (fit.scores.dataset, *([] if rows is None else [rows])):
        mine = np.flatnonzero(table[FAMILY].values == family)
        if len(mine):
            return table.isel({MODEL: mine})
    return fit.scores.dataset


def warn_of_new_family(
    fit: Fit, family: str, rows: xr.Dataset | None = None, *, stacklevel: int
) -> None:
    """Warn of a name that differs from a fitted family, or one of `rows`, only in spelling.

    `stacklevel` is as in `warnings.warn`; 2 refers to the caller of this function.
    """
    given = [] if rows is None else [str(name) for name in rows[FAMILY].values]
    if family not in given:  # reading the rows has already warned of their families
        known = [*fit.scores.families, *given]
        warn_of_spelling(FAMILY, family, known, stacklevel=stacklevel + 1)
