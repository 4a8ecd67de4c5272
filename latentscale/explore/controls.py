"""Settings of a model: one control per feature of the fit, with its range or levels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from numbers import Real
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from latentscale.analysis.forecasts.rows import members_of
from latentscale.data.columns import is_missing
from latentscale.dims import MODEL
from latentscale.posterior.fit import Fit

Sort = Literal["number", "date", "flag", "choice"]

_BEYOND: Final = 4.0
"""Sliders of sizes and the like end this many times beyond the fitted models: a usual next step."""
_DECADE: Final = 10.0
"""Ratio of the largest to the smallest value above which a slider moves in equal steps of the
log."""
_YEARS: Final = 365 * 2
"""Days by which date sliders extend beyond the fitted models."""
_INSTRUCT: Final = "instruct"
_HALF: Final = 0.5
"""Share of instruction-tuned models above which a family counts as instruction-tuned."""
_UNITS: Final = {"params_b": "billion parameters", "tokens_t": "trillion training tokens"}


@dataclass(frozen=True)
class Control:
    """One feature that can be set.

    Attributes
    ----------
    name
        Column of the row to forecast.
    label
        Name with its unit.
    sort
        Kind of control that it needs.
    log
        Whether steps are even on the log scale.
    ends
        Smallest and largest value of numbers and dates; None for others.
    levels
        Values of a choice.
    blank
        The value of a choice that stands for an empty cell; empty if none does.
    """

    name: str
    label: str
    sort: Sort
    log: bool = False
    ends: tuple[Any, Any] | None = None
    levels: tuple[str, ...] = ()
    blank: str = ""


def controls_of(fit: Fit) -> tuple[Control, ...]:
    """Return the controls of the features that the fit uses, in its order."""
    controls = []
    for kind in fit.transform.kinds:
        given = kind.given(fit.scores.dataset)
        some = fit.scores.dataset.isel({MODEL: np.flatnonzero(given)})
        if not given.any() or kind.variable not in some:
            continue
        unit = kind.feature.unit or _UNITS.get(kind.name, "")
        label = f"{kind.name} ({unit})" if unit else kind.name
        blank = str(getattr(kind, "missing_level", ""))
        cells = list(kind.cells(some[kind.variable].values))
        controls.append(_control(kind.name, label, cells, blank))
    if fit.spec.needs_instruct and all(control.name != _INSTRUCT for control in controls):
        controls.append(Control(_INSTRUCT, "instruct (instruction-tuned)", "flag"))
    return tuple(controls)


def _control(name: str, label: str, cells: list[Any], blank: str) -> Control:
    values = [cell for cell in cells if not is_missing(cell)]
    if all(isinstance(v, Real) for v in values) and set(values) <= {0, 1}:
        return Control(name, label, "flag")
    if all(isinstance(v, Real) for v in values):
        low, high = float(min(values)), float(max(values))
        log = low > 0 and high / low >= _DECADE
        ends = (low / _BEYOND, high * _BEYOND) if log else (low, high + (high - low or 1.0))
        return Control(name, label, "number", log, ends)
    if all(isinstance(v, date | np.datetime64) for v in values):
        days = pd.to_datetime(pd.Series(values))
        last = days.max() + pd.Timedelta(days=_YEARS)
        return Control(name, label, "date", ends=(days.min().date(), last.date()))
    levels = sorted({str(v) for v in values}) + ([blank] if blank else [])
    return Control(name, label, "choice", levels=tuple(levels), blank=blank)


def usual_values(fit: Fit, family: str | None) -> dict[str, Any]:
    """Return typical values of a family's models, by control; of all models for a new family."""
    members = members_of(fit, family)
    values = {}
    for kind in fit.transform.kinds:
        given = kind.given(members)
        some = members if given.any() else fit.scores.dataset
        known = some.isel({MODEL: np.flatnonzero(kind.given(some))})
        if known.sizes[MODEL] and kind.variable in known:
            values[kind.name] = kind.cells(np.atleast_1d(kind.typical(known)))[0]
    values[_INSTRUCT] = bool(members[_INSTRUCT].mean() > _HALF)
    return values
