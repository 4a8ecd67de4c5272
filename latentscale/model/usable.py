"""The rows and benchmarks of a table that a spec can use, and findings on the others.

The design (`design.py`) is made from them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np

from latentscale.data.audit import Finding
from latentscale.data.covariates import missing_features
from latentscale.data.scores import Scores, part_of
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import DataError, DataWarning, listed
from latentscale.markup import counted
from latentscale.model.feasible import drawable

_TOKENS = "tokens_t"
_WITHOUT_SIZES = 'fit a spec that needs neither sizes nor tokens, such as "capabilities"'
LEFT_OUT = "rows-left-out"
"""Code of findings on models and benchmarks that a spec cannot use."""


def usable(spec: ModelSpec, scores: Scores) -> tuple[Scores, tuple[str, ...]]:
    """Return the scores that a spec can use, and the models that it leaves out.

    The audit of the former has the findings of the table's reader, and what was left out and why.

    Raises
    ------
    DataError
        If no row can be used.

    Warns
    -----
    DataWarning
        If models are left out because they do not state a feature that the spec needs.
    """
    data = scores.dataset
    scored = data["score"].notnull().any(BENCHMARK).values
    missing = missing_features(data, spec.covariates)
    if spec.undisclosed.kind == "estimated":
        missing.pop(_TOKENS, None)
    known = ~np.any([np.zeros(len(scored), dtype=bool), *missing.values()], axis=0)
    keep = scored & known
    names = np.asarray(scores.models)
    left_out = tuple(str(name) for name in names[~keep])
    needed = "its training tokens" if set(missing) == {_TOKENS} else listed(missing)
    if not keep.any():
        raise DataError(
            f'No row can be used by the spec "{spec.name}": no model has '
            f"{f'both a score and {needed}. {_instead(missing)}' if missing else 'a score.'}"
        )
    findings = []
    if not scored.all():
        text = f"without a score, so left out of the fit: {listed(names[~scored])}."
        findings.append(Finding("info", LEFT_OUT, MODEL, text))
    without = names[~known & scored]
    if len(without):
        text = _left_out_text(spec, missing, scores, scored, without)
        warnings.warn(text, DataWarning, stacklevel=4)
        findings.append(Finding("warning", LEFT_OUT, MODEL, text))
    filled = data["score"].isel({MODEL: keep}).notnull().any(MODEL).values
    benchmarks = np.asarray(scores.benchmarks)
    if not filled.all():
        text = "none of the models that the spec can use has a score, so it is not fitted."
        findings += [
            Finding("warning", LEFT_OUT, name, text) for name in map(str, benchmarks[~filled])
        ]
    if not findings:
        return scores, left_out
    kept = data.sel({MODEL: names[keep].tolist(), BENCHMARK: benchmarks[filled].tolist()})
    return part_of(scores, kept, findings), left_out


def _instead(missing: Iterable[str]) -> str:
    """Return advice for when no model states all features that a spec needs."""
    sizes = {"params_b", _TOKENS}
    other = _WITHOUT_SIZES if sizes & set(missing) else "take their covariates out of the spec"
    return f"Give these when the table is read, or {other}."


def _left_out_text(
    spec: ModelSpec,
    missing: dict[str, np.ndarray],
    scores: Scores,
    scored: np.ndarray,
    names: np.ndarray,
) -> str:
    if set(missing) == {_TOKENS}:
        return (
            f'The spec "{spec.name}" needs training tokens, so it leaves out '
            f"{counted(len(names), 'model')} without disclosed tokens: {listed(names)}. "
            "Give tokens_t, use a spec on log_params alone, or have them estimated: "
            'undisclosed = {kind = "estimated"}.'
        )
    counts = {column: int((rows & scored).sum()) for column, rows in missing.items()}
    columns = ", ".join(f"{column} of {count}" for column, count in counts.items() if count)
    return (
        f'The spec "{spec.name}" leaves out {counted(len(names), "model")}, missing {columns}: '
        f"{listed(names)}. Fill these cells, or use a spec with covariates other than "
        f"{listed(spec.covariates)}.{_drawn_instead(scores, [c for c in counts if counts[c]])}"
    )


def _drawn_instead(scores: Scores, columns: list[str]) -> str:
    """Return how to keep models whose missing features can be drawn; empty if they cannot be."""
    names = drawable(scores, columns)
    if len(names) < len(columns):
        return ""
    return (
        f" Or keep the models by drawing what they do not state: scores.with_estimated({names})."
    ).replace("'", '"')
