"""Joining scores of models with the caller's metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import SCORES_READ, SET_ASIDE, Audit, Finding, emit
from latentscale.data.benchmarks import Benchmark
from latentscale.data.columns import is_missing, number_of_cell
from latentscale.data.features.base import Feature
from latentscale.data.frames import AnyFrame
from latentscale.data.known_features import known_features
from latentscale.data.layout import METADATA, OPTIONAL, REQUIRED, checked_frame, own_columns
from latentscale.data.readers.matching import matching_rows
from latentscale.data.scales.base import scale_of
from latentscale.data.scores import Scores, scores_from_frame
from latentscale.data.table import read_wide
from latentscale.errors import DataError, listed, nearest
from latentscale.validate import truth

_WHAT: Final = "This table of metadata cannot be used"
_DISAGREE: Final = 1.25
"""Ratio above which two sizes of one model contradict each other."""


def scores_with_metadata(
    wide: pd.DataFrame,
    metadata: AnyFrame | None,
    findings: list[Finding],
    *,
    drop_unmatched: bool,
    set_aside: bool = False,
    benchmarks: Mapping[str, Benchmark] | None,
    n_items: pd.DataFrame | None = None,
    stderr: pd.DataFrame | None = None,
    features: Sequence[Feature] = (),
) -> Scores:
    """Join scores with metadata, check them as `Scores.from_frame` does, and warn once.

    Parameters
    ----------
    wide
        Column ``model``, one column per benchmark, and the source's own information on the models.
    metadata
        As for `join_metadata`; None if the source has everything.
    findings
        Findings from reading the source; they come first in the audit.
    drop_unmatched
        As for `join_metadata`.
    set_aside
        Leave out every row that cannot be used, with one finding per model, instead of refusing.
    benchmarks
        As for `Scores.from_frame`; benchmarks that the source does not have are ignored.
    n_items
        Item counts of single scores, index model and columns benchmark, NaN where the benchmark's
        count applies; None if it applies to all.
    stderr
        Standard errors, column ``model`` and one per benchmark, as for `Scores.from_frame`; those
        of models and benchmarks that are left out are ignored.
    features
        Declarations of columns that the source has in addition to metadata and scores.
    """
    set_aside = truth(set_aside, "set_aside", error=DataError)
    drop_unmatched = truth(drop_unmatched, "drop_unmatched", error=DataError)
    joined, more = join_metadata(wide, metadata, drop_unmatched=drop_unmatched or set_aside)
    if set_aside:
        joined, left_out = usable_rows(wide, joined, benchmarks or {}, features)
        more = [*left_out, *(finding for finding in more if finding.code != "metadata-missing")]
    given = {name: info for name, info in (benchmarks or {}).items() if name in joined}
    if stderr is not None:
        columns = [name for name in stderr if name in joined]
        stderr = stderr.loc[stderr["model"].isin(joined["model"]), columns]
    scores = scores_from_frame(
        joined, features=features, benchmarks=given, n_items=n_items, stderr=stderr
    )
    audit = Audit((*findings, *more, *scores.audit.findings))
    emit(audit.findings, about=SCORES_READ, stacklevel=4)
    return Scores(scores.dataset, audit)


def usable_rows(
    wide: pd.DataFrame,
    joined: pd.DataFrame,
    benchmarks: Mapping[str, Benchmark],
    features: Sequence[Feature] = (),
) -> tuple[pd.DataFrame, list[Finding]]:
    """Leave out the rows for which a table of scores would be refused.

    Parameters
    ----------
    wide
        The source's rows; rows that are not in `joined` have no metadata.
    joined
        The rows with their metadata.
    benchmarks
        Descriptions of benchmarks, whose scales define which scores are allowed.
    features
        Declarations of columns that do not hold scores.

    Returns
    -------
    tuple
        The other rows, and one finding ``set-aside`` per model, with its reasons.

    Raises
    ------
    DataError
        If no row is left.
    """
    kept = set(joined["model"])
    reasons = {
        name: ["the metadata has no row of it"] for name in wide["model"] if name not in kept
    }
    described = set(benchmarks) - set(METADATA)
    own = [name for name in own_columns(joined, features) if name not in described]
    named = [name for name in joined if name not in own]
    scales = {
        name: scale_of(benchmark.scale) for name, benchmark in benchmarks.items() if name in joined
    }
    for problem in read_wide(joined, named, scales, features).problems:
        if problem.row >= 0:
            reasons.setdefault(str(joined["model"].iloc[problem.row]), []).append(problem.text)
    usable = joined[~joined["model"].isin(reasons)].reset_index(drop=True)
    findings = [
        Finding("warning", SET_ASIDE, name, f"the model was set aside: {' '.join(said)}")
        for name, said in reasons.items()
    ]
    if usable.empty:
        raise DataError(
            f"None of the {len(wide)} models can be used. {findings[0].where}: "
            f"{findings[0].message}"
        )
    return usable, findings


def join_metadata(
    wide: AnyFrame, metadata: AnyFrame | None, *, drop_unmatched: bool = False
) -> tuple[pd.DataFrame, list[Finding]]:
    """Add family, size, tokens and other features to a table of scores.

    A model is looked up by its name, or else by the part after the last slash, ignoring case, if
    only one row on each side has it; a slash at the end is ignored. Folder names such as ``final``
    or ``checkpoint-1000`` do not identify a model, so two paths that share only such a name are
    kept apart. If source and metadata both give a value, the metadata's value is used; sizes that
    differ by more than a quarter are reported.

    Parameters
    ----------
    wide
        Column ``model``, benchmark columns, and possibly columns of metadata. Not modified.
    metadata
        Columns ``model``, ``family``, ``params_b`` (billions) and ``tokens_t`` (trillions, empty
        if undisclosed), optionally ``lineage`` and the other features that the package knows, such
        as ``instruct``, ``released``, ``reasoning`` and ``provider``; columns that `wide` has may
        be left out. Other columns are not used, which a finding reports. Not modified.
    drop_unmatched
        Leave out models that are not in the metadata; they are counted in a finding.

    Returns
    -------
    tuple
        A table for `Scores.from_frame`, and findings.

    Raises
    ------
    DataError
        If models are not in the metadata, the metadata name a model twice, or no model is left.

    Examples
    --------
    >>> wide = pd.DataFrame({"model": ["org/a-1b"], "mmlu": [0.3]})
    >>> known = pd.DataFrame({"model": ["a-1b"], "family": ["a"], "params_b": [1.0]})
    >>> joined, findings = ls.readers.join_metadata(wide, known)
    >>> joined["family"].tolist()
    ['a']
    """
    drop_unmatched = truth(drop_unmatched, "drop_unmatched", error=DataError)
    wide, _ = checked_frame(wide, ("model",), "This table cannot be joined with metadata")
    if metadata is None:
        metadata = pd.DataFrame({"model": []}, dtype=object)
    else:
        metadata, _ = checked_frame(metadata, ("model",), _WHAT)
        _refuse_repeated(metadata)
    _refuse_without_columns(wide, metadata)
    row_of, by_short = matching_rows(wide["model"].tolist(), metadata["model"].tolist())
    needed = [name for name in REQUIRED if name not in wide]
    missing = [name for name in wide["model"] if name not in row_of] if needed else []
    findings = _match_findings(by_short, row_of, metadata)
    if missing and not drop_unmatched:
        raise DataError(_without_row(missing, wide, metadata, needed))
    if missing:
        wide = wide[wide["model"].isin(row_of)]
        message = f"{len(missing)} models without metadata were left out: {listed(missing)}."
        findings.append(Finding("info", "metadata-missing", "rows", message))
    if wide.empty:
        raise DataError(
            "No model of the source is in the metadata, so no row is left. Check the "
            f"names: the source has {listed(missing)}, the metadata "
            f"{listed(metadata['model'])}."
        )
    return _joined(wide, metadata, row_of, findings), findings


def _refuse_repeated(metadata: pd.DataFrame) -> None:
    counts = Counter(metadata["model"].tolist())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise DataError(f"{_WHAT}: models with several rows: {listed(repeated)}. Keep one each.")


def _refuse_without_columns(wide: pd.DataFrame, metadata: pd.DataFrame) -> None:
    known = {*wide.columns, *metadata.columns}
    missing = [name for name in REQUIRED if name not in known]
    if missing:
        raise DataError(
            f"The source does not say {listed(missing)} of its models. Give metadata= with the "
            f"columns {listed(['model', *missing])}, one row a model (tokens_t may be empty); the "
            f"source's models are {listed(wide['model'])}."
        )


def _match_findings(
    by_short: Mapping[str, str], row_of: Mapping[str, int], metadata: pd.DataFrame
) -> list[Finding]:
    findings = []
    if by_short:
        pairs = listed([f"{name} as {known}" for name, known in by_short.items()])
        message = f"{len(by_short)} models were found in the metadata by their short name: {pairs}."
        findings.append(Finding("info", "names-matched", "model", message))
    used = set(row_of.values())
    columns = [name for name in metadata if name not in (*METADATA, *known_features())]
    if columns:
        message = f"the metadata's columns {listed(columns)} are not used: no known features."
        findings.append(Finding("info", "metadata-columns", "columns", message))
    unused = [name for row, name in enumerate(metadata["model"]) if row not in used]
    if unused:
        message = f"{len(unused)} models of the metadata have no scores here: {listed(unused)}."
        findings.append(Finding("info", "metadata-unused", "model", message))
    return findings


def _without_row(
    missing: list[str], wide: pd.DataFrame, metadata: pd.DataFrame, needed: list[str]
) -> str:
    hint = nearest(missing[0], metadata["model"].tolist()) if len(metadata) else ""
    return (
        f"{len(missing)} of {len(wide)} models have no row in the metadata: {listed(missing, 20)}."
        f"{hint} Add their {listed(needed)}, or leave them out with drop_unmatched=True "
        "(--drop-unmatched on the command line)."
    )


def _joined(
    wide: pd.DataFrame, metadata: pd.DataFrame, row_of: Mapping[str, int], findings: list[Finding]
) -> pd.DataFrame:
    rows = [row_of.get(name, -1) for name in wide["model"]]
    columns: dict[str, object] = {"model": wide["model"].tolist()}
    for name in (*REQUIRED[1:], *OPTIONAL, *_further(wide, metadata)):
        own = wide[name].tolist() if name in wide else [None] * len(wide)
        stated = metadata[name].tolist() if name in metadata else []
        values = [stated[row] if stated and row >= 0 else None for row in rows]
        if name == "params_b" and name in wide:
            findings += _disagreeing(wide["model"].tolist(), own, values)
        if name in wide or name in metadata:
            columns[name] = [
                mine if is_missing(value) else value
                for mine, value in zip(own, values, strict=True)
            ]
    scores = wide[[name for name in wide if name not in columns]]
    about = pd.DataFrame(columns, index=wide.index)
    for name in ("params_b", "tokens_t", "instruct"):
        if name in about and all(_numeric(cell) for cell in about[name]):
            about[name] = about[name].astype(float)
    return pd.concat([about, scores], axis="columns").reset_index(drop=True)


def _further(wide: pd.DataFrame, metadata: pd.DataFrame) -> list[str]:
    """Return known features that the metadata give, except names of benchmarks of the source."""
    known = [name for name in known_features() if name not in METADATA]
    return [name for name in known if name in metadata and name not in wide]


def _numeric(cell: object) -> bool:
    return is_missing(cell) or number_of_cell(cell) is not None


def _disagreeing(models: list[str], own: list[object], stated: list[object]) -> list[Finding]:
    odd = []
    for model, mine, value in zip(models, own, stated, strict=True):
        first, second = number_of_cell(mine), number_of_cell(value)
        if first and second and first > 0 and second > 0:
            ratio = float(np.exp(abs(np.log(first / second))))
            if ratio > _DISAGREE:
                odd.append(f"{model}: {first:g} in the source, {second:g} in the metadata")
    if not odd:
        return []
    message = f"sizes differ ({listed(odd)}); the metadata's are used. Check them."
    return [Finding("warning", "sizes-differ", "params_b", message)]
