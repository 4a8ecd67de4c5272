"""New scores: scores of planned rows that are new to the fit, and the table with them added."""

from __future__ import annotations

import numpy as np
import xarray as xr

from latentscale.data.known_features import features_of, kinds_among
from latentscale.data.recording import unlike
from latentscale.data.scaling import is_bounded, usual_sampling, with_errors_of
from latentscale.data.scores import Scores
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import DataError
from latentscale.posterior.fit import Fit


def new_scores(fit: Fit, planned: xr.Dataset) -> xr.DataArray:
    """Return which scores of planned rows are new to the fit, dims (model, benchmark).

    Raises
    ------
    DataError
        If a score of a fitted model differs from the one that was fitted.
    """
    score = planned["score"].transpose(MODEL, BENCHMARK)
    fitted = fit.scores.dataset["score"].reindex_like(score).transpose(MODEL, BENCHMARK)
    apart = unlike(score, fitted, is_bounded(fit.scores.dataset))
    if bool(apart.any()):
        i, j = (int(at[0]) for at in np.nonzero(apart.values))
        raise DataError(
            f'Model "{score[MODEL].values[i]}", column "{score[BENCHMARK].values[j]}": the fit has '
            f"{float(fitted[i, j]):g}, this row {float(score[i, j]):g}. Give the fitted score or "
            "leave the cell empty; to correct a fitted score, fit again."
        )
    return score.notnull() & fitted.isnull()


def with_rows(fit: Fit, planned: xr.Dataset) -> Scores:
    """Return the fitted table with the new scores of planned rows added.

    If the table states standard errors or numbers of items of single scores, a new score has the
    usual sampling error of its benchmark, as in a forecast: planned rows cannot state one.

    Parameters
    ----------
    fit
        A fit.
    planned
        Checked rows with scores, dims (model, benchmark); rows without scores are left out.
    """
    data = fit.scores.dataset
    scored = planned.isel({MODEL: planned["score"].notnull().any(BENCHMARK).values})
    for kind in kinds_among(features_of(data)).values():
        if kind.variable in data and kind.variable not in scored:
            empty = kind.kept(None, scored.sizes[MODEL])
            scored = scored.assign({kind.variable: (MODEL, empty)})
    names = [str(name) for name in scored[MODEL].values if str(name) not in fit.scores.models]
    of_models = [str(name) for name, v in data.data_vars.items() if MODEL in v.dims]
    shared = [name for name in of_models if name in scored]
    rows = scored[shared].sel({MODEL: names}).reset_coords(drop=True)
    joined = xr.concat([data[of_models].reset_coords(drop=True), rows], dim=MODEL, join="outer")
    both = data.drop_dims(MODEL).merge(joined.reindex({BENCHMARK: data[BENCHMARK]}))
    score = both["score"].transpose(MODEL, BENCHMARK)
    given = scored["score"].reindex_like(score).transpose(MODEL, BENCHMARK)
    new = given.notnull() & data["score"].reindex_like(score).isnull()
    filled = both.assign(score=score.fillna(given))
    return Scores(_with_errors(filled, new, usual_sampling(data)))


def _with_errors(dataset: xr.Dataset, new: xr.DataArray, usual: xr.DataArray | None) -> xr.Dataset:
    """Return the table with the usual sampling error of their benchmark stated for new scores."""
    if usual is None:
        return dataset
    stated = dataset.get("stderr", xr.full_like(dataset["score"], np.nan))
    sampling = usual.where(new & (usual > 0)).transpose(MODEL, BENCHMARK)
    wanted = with_errors_of(dataset.assign(stderr=sampling), sampling)["stderr"]
    return dataset.assign(stderr=wanted.where(new, stated))
