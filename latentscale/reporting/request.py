"""What a report is asked for, and what it chooses by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.predict import predict
from latentscale.analysis.forecasts.rows import members_of, typical_features
from latentscale.data.features.compute import ACTIVE, FLOPS
from latentscale.data.frames import as_pandas
from latentscale.data.planned import NOT_FORECAST
from latentscale.dims import DEFAULT_PROB, FAMILY, MODEL, checked_seed, interval_quantiles
from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect_names
from latentscale.posterior.fit import Fit

_FAMILIES = 3
"""Families whose curves are drawn unless others are named: as many as fit on a page."""
_LARGER = 4.0
"""Example models are this many times the largest of their family: a usual next step."""
_WITH_SIZE = (ACTIVE, FLOPS)
"""Columns that grow with the number of parameters when tokens are fixed."""
_SIZES = ("params_b", "tokens_t", *_WITH_SIZE)
_USABLE = "usable"


@dataclass(frozen=True)
class Request:
    """What a report is about.

    Attributes
    ----------
    fit
        The fit.
    families
        Families whose curves are drawn.
    planned
        Models to forecast, with the columns of `latentscale.predict`.
    is_example
        Whether `planned` was chosen here and not by the caller.
    prob
        Probability of the intervals.
    seed
        Seed of the random numbers.
    """

    fit: Fit
    families: tuple[str, ...]
    planned: pd.DataFrame
    is_example: bool
    prob: float = DEFAULT_PROB
    seed: int = 0

    @cached_property
    def forecast(self) -> Forecast:
        """The forecast of `planned`, made once."""
        return predict(self.fit, self.planned, seed=self.seed)


def request(
    fit: Fit,
    *,
    families: Sequence[str] | None,
    planned: pd.DataFrame | None,
    prob: float,
    seed: int,
) -> Request:
    """Check what is asked for, and choose the rest.

    Raises
    ------
    DataError
        If a family is not in the fit.
    LatentscaleError
        If `prob` or `seed` is out of range.
    """
    interval_quantiles(prob)
    checked_seed(seed)
    chosen = _largest(fit) if families is None else _checked(fit, families)
    rows = _example(fit, chosen) if planned is None else as_pandas(planned, NOT_FORECAST)
    return Request(fit, chosen, rows, planned is None, prob, seed)


def _checked(fit: Fit, families: Sequence[str]) -> tuple[str, ...]:
    if isinstance(families, str):
        raise DataError(f"families must be a list of at least one name; got {families!r}.")
    families = expect_names(families, "families", f'["{fit.scores.families[0]}"]')
    if not families:
        raise DataError("families must be a list of at least one name; got none.")
    known = fit.scores.families
    for name in families:
        if name not in known:
            raise DataError(
                f'Family "{name}" is not in the fit.{nearest(name, known)} It has {listed(known)}.'
            )
    return tuple(dict.fromkeys(families))


def _largest(fit: Fit) -> tuple[str, ...]:
    """Return the families with the widest range of sizes among those with most models."""
    models = _models(fit)
    models = models[models[_USABLE]]
    by_family = models.groupby(FAMILY)["params"]
    if models["params"].isna().all():
        counts = models.groupby(FAMILY).size().sort_values(ascending=False, kind="stable")
        return tuple(str(name) for name in counts.index[:_FAMILIES])
    spread = np.log(by_family.max() / by_family.min())
    order = pd.DataFrame({"count": by_family.count(), "spread": spread}).sort_values(
        ["count", "spread"], ascending=False, kind="stable"
    )
    return tuple(str(name) for name in order.index[:_FAMILIES])


def _example(fit: Fit, families: Sequence[str]) -> pd.DataFrame:
    """Return a model of each family, four times its largest in size, with as many tokens.

    Its active parameters and compute, where the largest states them, are also four times as large.
    Where no size is disclosed or the fit uses none, the model has the features that the family's
    models have; the same holds for a family whose sizes are all undisclosed.
    """
    typical = _typical(fit, families)
    if why_unsized(fit):
        return typical
    rows: list[dict[str, object]] = []
    taken = set(fit.scores.models)
    models = _models(fit)
    for family in families:
        members = models[(models[FAMILY] == family) & models["params"].notna()]
        if members.empty:
            whole = typical.loc[typical["family"] == family].iloc[0]
            kept = [name for name in ("model", "family", *_WITH_SIZE) if name in whole]
            rows.append({name: whole[name] for name in kept})
            continue
        if members[_USABLE].any():
            members = members[members[_USABLE]]
        largest = members.sort_values("params").iloc[-1]
        size = _LARGER * float(largest["params"])
        name = f"{family}, {size:.3g}B"
        rows.append(
            {
                "model": name if name not in taken else f"{name} (planned)",
                "family": family,
                "lineage": str(largest["lineage"]),
                "instruct": int(largest["instruct"]),
                "params_b": size,
                "tokens_t": float(largest["tokens"]),
                **{
                    column: _LARGER * float(largest[column])
                    for column in _WITH_SIZE
                    if column in largest and pd.notna(largest[column])
                },
            }
        )
    frame = pd.DataFrame(rows)
    added = [name for name in typical if name not in frame and name not in _WITH_SIZE]
    return frame.join(typical[added])


def why_unsized(fit: Fit) -> str:
    """Return why example models have no size of their own; an empty text where they have one."""
    if fit.scores.dataset["params"].isnull().all():
        return "no size is disclosed"
    used = any(kind.variable == "params" or kind.name in _WITH_SIZE for kind in fit.transform.kinds)
    return "" if used else "the fit does not use sizes"


def _typical(fit: Fit, families: Sequence[str]) -> pd.DataFrame:
    """Return a model of each family with its latest models' values of the fit's features.

    It is released on the family's latest date: at the mean date, the forecast would be of the past.
    """
    rows = []
    for family in families:
        members = members_of(fit, family)
        features = typical_features(fit, members, 1, to_come=True)
        cells = {
            kind.name: kind.cells(features[kind.variable][1])[0]
            for kind in fit.transform.kinds
            if kind.variable in features
        }
        cells |= _usual_compute(fit, members)
        tuned = int(float(members["instruct"].mean()) > 0.5)
        rows.append({"model": f"{family}, next", "family": family, "instruct": tuned, **cells})
    return pd.DataFrame(rows)


def _usual_compute(fit: Fit, members: xr.Dataset) -> dict[str, float]:
    """Return the geometric mean of the compute of a family's models, if the fit uses compute."""
    for kind in fit.transform.kinds:
        if kind.name == FLOPS:
            given = np.flatnonzero(kind.given(members))
            some = members.isel({MODEL: given}) if len(given) else fit.scores.dataset
            return {FLOPS: float(kind.typical(some)[0])}
    return {}


def _models(fit: Fit) -> pd.DataFrame:
    """Return the sizes that the table states, and which models state all that the fit uses."""
    table = fit.scores.dataset
    names = [FAMILY, "lineage", "instruct", "params", "tokens"]
    names += [name for name in _WITH_SIZE if name in table]
    sized = [kind for kind in fit.transform.kinds if kind.name in _SIZES]
    usable = np.all([kind.given(table) for kind in sized], axis=0) if sized else np.array(True)
    usable = usable if usable.any() else np.array(True)  # where all leave it to be estimated
    return table[names].to_dataframe().rename_axis(MODEL).assign(**{_USABLE: usable})
