"""A table of metadata to complete by hand, filled with what is known about the models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding, emit
from latentscale.data.columns import is_missing
from latentscale.data.datasets.catalogue import catalogue_row
from latentscale.data.readers.harness.read import table_and_findings
from latentscale.data.readers.leaderboard.flags import FlaggedReading
from latentscale.data.readers.leaderboard.models import completed
from latentscale.data.readers.leaderboard.read import contents_and_findings
from latentscale.data.readers.revisions import checkpoint_of, models_from_names
from latentscale.errors import DataError
from latentscale.files import expanded

TEMPLATE: Final = (
    "model",
    "family",
    "family_confidence",
    "family_basis",
    "lineage",
    "params_b",
    "tokens_t",
    "instruct",
    "released",
    "base_model",
    "catalogue_family",
    "filled_from",
)
"""Columns of a template. Columns unknown to `Scores.from_frame` are for the user's information."""

CONFIDENCE: Final[Mapping[str, str]] = {
    "base model": "high",  # the model's card names what it was made of
    "name": "medium",  # names of fine-tunes can name a series from which they were not made
    "architecture": "low",  # makers share architectures
    "none": "none",  # a family of its own, since its family is not known
}
"""Confidence in a guessed family, by what it was read from."""

_FROM_CATALOGUE: Final = ("params_b", "tokens_t", "instruct")


def metadata_template(
    source: str | Path | pd.DataFrame, *, flagged: FlaggedReading = "auto"
) -> pd.DataFrame:
    """Return a table of metadata with what the source and the package know about the models.

    Complete it by hand, and pass it as ``metadata=``. Families of all models are guessed by one
    rule, from the chain of base models if the source has it, else from names, else from the
    architecture, so that all fine-tunes of a pretrained model are one family. Dates come from the
    source, sizes and tokens too, or else from the catalogue (`latentscale.datasets.catalogue`). A
    model that is not in the catalogue takes the tokens of its base model, if that is.

    Parameters
    ----------
    source
        A folder or file of lm-evaluation-harness, or the leaderboard's contents table.
    flagged
        As for `leaderboard_table`.

    Returns
    -------
    pandas.DataFrame
        One row per model: model, family, family_confidence (high, medium, low or none),
        family_basis (what the family was read from), lineage, params_b (billions), tokens_t
        (trillions), instruct, released, base_model, catalogue_family (the catalogue's name of the
        family, which may be better if sizes of one series should form one family) and filled_from
        (which columns are not from the source, and their origin). Empty where not known.

    Raises
    ------
    DataError
        As `harness_table` and `leaderboard_table`.

    Warns
    -----
    DataWarning
        As `harness_table` and `leaderboard_table`.

    Examples
    --------
    >>> contents = pd.DataFrame(
    ...     {
    ...         "fullname": ["Qwen/Qwen2-7B", "Qwen/Qwen2-7B-Instruct"],
    ...         "Type": ["pretrained", "chat"],
    ...         "#Params (B)": [7.6, 7.6],
    ...         "IFEval Raw": [0.31, 0.57],
    ...         "MMLU-PRO Raw": [0.39, 0.38],
    ...     }
    ... )
    >>> ls.readers.metadata_template(contents)["family"].tolist()
    ['qwen2-7b', 'qwen2-7b']
    """
    table, findings = template_and_findings(source, flagged)
    emit(findings, about="Models were read")
    return table


def template_and_findings(
    source: str | Path | pd.DataFrame, flagged: FlaggedReading
) -> tuple[pd.DataFrame, list[Finding]]:
    """Do what `metadata_template` does, without issuing a warning."""
    table, findings = _known(source, flagged)
    for name in TEMPLATE:
        if name not in table:
            table[name] = pd.Series(None, table.index, dtype=object)
    table["family_confidence"] = table["family_basis"].map(CONFIDENCE)
    table["released"] = [_day(value) for value in table["released"]]
    bases = dict(zip(table["model"], table["base_model"], strict=True))
    rows = [_filled(row, bases) for row in table.to_dict("records")]
    return pd.DataFrame(rows, columns=list(TEMPLATE)), findings


def _known(
    source: str | Path | pd.DataFrame, flagged: FlaggedReading
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the source's information on its models, and findings on the source."""
    if isinstance(source, str | Path) and is_results(expanded(source, DataError)):
        scores, findings = table_and_findings(source)
        models = list(dict.fromkeys(scores["model"]))
        return models_from_names(models, None, basis=True)[0], findings
    table, findings = contents_and_findings(source, flagged)
    return completed(table)[0], findings


def is_results(source: Path) -> bool:
    """Return whether a path holds results of lm-evaluation-harness: a folder or a JSON file."""
    return source.is_dir() or source.suffix.lower() == ".json"


def _filled(row: dict[str, object], bases: Mapping[str, object]) -> dict[str, object]:
    """Return a row with its empty cells filled from the catalogue."""
    model = str(row["model"])
    run = checkpoint_of(model)[0]
    own = catalogue_row(run)
    base = None if own is not None else _known_base(run, bases)
    entry = own if own is not None else base
    if entry is None:
        return row
    row["catalogue_family"] = entry["family"]
    wanted = _FROM_CATALOGUE if own is not None else ("tokens_t",)
    filled = [name for name in wanted if is_missing(row[name]) and not is_missing(entry[name])]
    if run != model:  # a checkpoint has seen fewer tokens than the model
        filled = [name for name in filled if name != "tokens_t"]
    row |= {name: entry[name] for name in filled}
    if filled:
        which = "catalogue" if own is not None else f"catalogue, base model {entry['model']}"
        row["filled_from"] = f"{', '.join(filled)}: {which} ({entry['source']})"
    return row


def _known_base(model: str, bases: Mapping[str, object]) -> pd.Series | None:
    """Return the catalogue's row for the nearest model in the chain of base models."""
    seen = {model}
    name = bases.get(model)
    while isinstance(name, str) and name.strip() and name not in seen:
        entry = catalogue_row(name)
        if entry is not None:
            return entry
        seen.add(name)
        name = bases.get(name)
    return None


def _day(value: object) -> object:
    if is_missing(value):
        return None
    return str(np.datetime64(pd.Timestamp(value), "D"))  # type: ignore[arg-type]
