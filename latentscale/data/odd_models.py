"""Rows that look like errors: released years apart from all others, or all right or all wrong.

Other checks compare single scores within their benchmark.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.features.date import Date
from latentscale.data.known_features import features_of
from latentscale.data.scaling import is_bounded
from latentscale.dims import MODEL
from latentscale.errors import listed
from latentscale.markup import counted

_FEWEST_DATES: Final = 5
"""With this many dated models, most dates show when the table's models were released."""
_GAP: Final = np.timedelta64(5 * 365, "D")
"""Five years without a release: longer than between generations of language models."""
_FEWEST_SAME: Final = 4
"""Separately measured models do not share this many scores: with 500 items each, and models within
a tenth of a point, four agree in about one of 100,000 pairs."""
_SHOWN_SAME: Final = 3
"""Names of one group of copies that the finding lists."""
_FEWEST_SCORES: Final = 3
"""Number of scores, all of a model's, that are rarely all exactly 0 or all exactly 1."""


def odd_model_findings(dataset: xr.Dataset) -> list[Finding]:
    """Return findings on models whose dates or scores look like an error in the table.

    Parameters
    ----------
    dataset
        As in `Scores`: score (model, benchmark), and the variables of models and benchmarks.
    """
    return [*_odd_dates(dataset), *_all_at_a_bound(dataset), *_identical(dataset)]


def _odd_dates(dataset: xr.Dataset) -> list[Finding]:
    """Find dates that a gap of years separates from those around the median."""
    findings = []
    models = dataset[MODEL].to_numpy()
    for feature in features_of(dataset):
        if feature.kind != Date.kind or feature.name not in dataset:
            continue
        days = dataset[feature.name].to_numpy().astype("datetime64[D]")
        known = np.sort(days[~np.isnat(days)])
        if len(known) < _FEWEST_DATES:
            continue
        gaps = np.flatnonzero(np.diff(known) > _GAP)
        middle = (len(known) - 1) // 2
        first = known[max((gap + 1 for gap in gaps if gap < middle), default=0)]
        last = known[min((gap for gap in gaps if gap >= middle), default=len(known) - 1)]
        odd = np.flatnonzero((days < first) | (days > last))
        if not len(odd):
            continue
        shown = listed([f"{models[row]}: {days[row]}" for row in odd], 6)
        message = (
            f"{counted(len(odd), 'model')} years from all others, which lie between {first} and "
            f"{last}: {shown}. A wrong date bends the trend and moves the last release, from which "
            "frontiers are forecast: correct it, or leave the cell empty."
        )
        findings.append(Finding("warning", "odd-date", feature.name, message))
    return findings


def _identical(dataset: xr.Dataset) -> list[Finding]:
    """Find models with another model's scores on every benchmark: copies, quantised or renamed."""
    groups: dict[bytes, list[str]] = {}
    for name, row in zip(
        dataset[MODEL].to_numpy().tolist(), dataset["score"].to_numpy(), strict=True
    ):
        inside = row[~np.isnan(row) & (row != 0) & (row != 1)]
        if len(inside) >= _FEWEST_SAME:
            groups.setdefault(row.astype(float).tobytes(), []).append(name)
    copies = [names for names in groups.values() if len(names) > 1]
    if not copies:
        return []
    count = sum(len(names) - 1 for names in copies)
    shown = listed([" = ".join(names[:_SHOWN_SAME]) for names in copies], 3)
    message = (
        f"{counted(count, 'model')} with exactly another's scores on all of its benchmarks: "
        f"{shown}. If they are copies, a fit counts one measurement several times: keep one of "
        "each."
    )
    return [Finding("warning", "identical-models", "rows", message)]


def _all_at_a_bound(dataset: xr.Dataset) -> list[Finding]:
    """Find models whose scores on bounded benchmarks are all 0 or all 1: a run that failed."""
    score = dataset["score"].to_numpy()[:, is_bounded(dataset).to_numpy()]
    measured = (~np.isnan(score)).sum(axis=1)
    findings = []
    for bound in (0, 1):
        at = (np.where(np.isnan(score), bound, score) == bound).all(axis=1)
        rows = np.flatnonzero(at & (measured >= _FEWEST_SCORES))
        if len(rows):
            shown = listed([f"{dataset[MODEL].to_numpy()[row]} ({measured[row]})" for row in rows])
            message = (
                f"{counted(len(rows), 'model')} with scores of exactly {bound} on all of several "
                f"benchmarks: {shown}. Did the evaluation fail, or was the row filled in? Leave "
                "such cells empty; a fit treats them as measured scores."
            )
            findings.append(Finding("warning", "all-at-a-bound", "rows", message))
    return findings
