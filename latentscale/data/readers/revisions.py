"""Checkpoints as revisions of models: "pythia-1b@step3000", and the tokens that they have seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.readers.families import base_families
from latentscale.data.readers.matching import matching_rows
from latentscale.data.readers.model_names import parse_name
from latentscale.errors import DataError, listed
from latentscale.markup import counted
from latentscale.validate import real_number

TokensPerStep = float | Mapping[str, float]

_NAMED_BATCH: Final = re.compile(r"(\d+(?:\.\d+)?)MtokBS")
_MEBI: Final = 2.0**20
"""Pythia's names give the batch in units of 1,048,576 tokens ("1MtokBS")."""


def checked_tokens(tokens_per_step: object) -> None:
    """Refuse tokens per step that are neither a positive number nor positive numbers by run.

    Raises
    ------
    DataError
        Naming what was given.
    """
    if tokens_per_step is None:
        return
    by_run = tokens_per_step if isinstance(tokens_per_step, Mapping) else {"": tokens_per_step}
    for run, number in by_run.items():
        what = f"tokens_per_step{f' of {run}' if run else ''}"
        real_number(number, what, above=0, error=DataError)


def checkpoint_of(name: str) -> tuple[str, float, float]:
    """Return the run, step and tokens that a checkpoint's name states, NaN where it does not.

    Examples
    --------
    >>> checkpoint_of("EleutherAI/pythia-1b@step3000")
    ('EleutherAI/pythia-1b', 3000.0, nan)
    >>> checkpoint_of("allenai/OLMo-1B@step1000-tokens4B")[2]
    4000000000.0
    """
    run, at, revision = name.rpartition("@")
    step = re.search(r"step_?(\d+)", revision)
    tokens = re.search(r"tokens_?(\d+(?:\.\d+)?)([BT])", revision)
    if not at or (step is None and tokens is None):
        return name, float("nan"), float("nan")
    seen = float(tokens[1]) * (1e9 if tokens[2] == "B" else 1e12) if tokens else float("nan")
    return run, float(step[1]) if step else float("nan"), seen


def checkpoint_metadata(
    models: Iterable[str], metadata: pd.DataFrame, tokens_per_step: TokensPerStep | None
) -> pd.DataFrame:
    """Add rows of checkpoints to a table of metadata that has their runs.

    A checkpoint ("pythia-1b@step3000") without a row gets its run's row, found by the full name or,
    if it is unambiguous, by the part after the last slash, with the tokens that the checkpoint has
    seen.

    Parameters
    ----------
    models
        Names of the evaluated models.
    metadata
        Column ``model`` and others.
    tokens_per_step
        Tokens of one training step, one number or by run; not needed for revisions that state
        tokens.
    """
    named = [str(name) for name in metadata["model"]]
    models = list(models)
    own, _ = matching_rows(models, named)
    row_of, _ = matching_rows(list({checkpoint_of(model)[0]: None for model in models}), named)
    added = []
    for model in models:
        run, step, tokens = checkpoint_of(model)
        if run == model or model in own:
            continue
        row = row_of.get(run)
        seen = tokens if np.isfinite(tokens) else step * tokens_of_step(run, tokens_per_step)
        if row is not None and np.isfinite(seen) and seen > 0:
            added.append(metadata.iloc[[row]].assign(model=model, tokens_t=seen / 1e12))
    return pd.concat([metadata, *added], ignore_index=True) if added else metadata


def tokens_of_step(run: str, tokens_per_step: TokensPerStep | None) -> float:
    """Return the tokens of one training step of a run, NaN if not known.

    Parameters
    ----------
    run
        The run; its name may state its batch ("pythia-1b-0.5MtokBS"), which takes precedence over
        one number for all runs.
    tokens_per_step
        One number, or by run.
    """
    named = _NAMED_BATCH.search(run)
    if isinstance(tokens_per_step, Mapping):
        if run in tokens_per_step:
            return float(tokens_per_step[run])
    elif tokens_per_step is not None and named is None:
        return float(tokens_per_step)
    return float(named[1]) * _MEBI if named else np.nan


def models_from_names(
    models: Sequence[str], tokens_per_step: TokensPerStep | None, *, basis: bool = False
) -> tuple[pd.DataFrame, list[Finding]]:
    """Return family, lineage, size and checkpoints' tokens from the names of open models.

    Parameters
    ----------
    models
        Names, of models or of their checkpoints.
    tokens_per_step
        As for `tokens_of_step`.
    basis
        Whether to keep the column family_basis, which states what the family was read from.

    Returns
    -------
    tuple
        Columns model, family, lineage, params_b and, if a checkpoint states them, tokens_t; and a
        finding with counts of what was read.
    """
    stated = [checkpoint_of(model) for model in models]
    runs = [run for run, _, _ in stated]
    sizes = [parse_name(run).size_b for run in runs]
    each = dict(zip(runs, sizes, strict=True))
    table, findings = base_families(list(each), params_b=list(each.values()))
    table = table.set_index("model").loc[runs].reset_index()
    seen = [
        (tokens if np.isfinite(tokens) else step * tokens_of_step(run, tokens_per_step)) / 1e12
        for run, step, tokens in stated
    ]
    is_run = pd.Series([run != model for run, model in zip(runs, models, strict=True)])
    table = table.assign(
        model=list(models),
        family=pd.Series(runs).where(is_run, table["family"]),
        params_b=sizes,
        tokens_t=[tokens if tokens > 0 else np.nan for tokens in seen],
    )
    kept = table if basis else table.drop(columns="family_basis")
    return kept.dropna(axis="columns", how="all"), [*findings, *_of_checkpoints(table, runs)]


def _of_checkpoints(table: pd.DataFrame, runs: Sequence[str]) -> list[Finding]:
    """Return a finding on checkpoints of one run, and on those whose tokens are not known."""
    named = table.loc[table["model"] != pd.Series(runs), ["model", "family", "tokens_t"]]
    if named.empty:
        return []
    message = (
        f"{counted(len(named), 'model is a checkpoint', 'models are checkpoints')} of "
        f"{counted(named['family'].nunique(), 'run')}, each of which is a family: "
        f"{listed(named['family'].unique(), 4)}."
    )
    findings = [Finding("info", "checkpoints", "family", message)]
    silent = named.loc[named["tokens_t"].isna(), "model"]
    if len(silent):
        message = (
            f"what {counted(len(silent), 'checkpoint')} had been trained on is not known: "
            f"{listed(silent, 4)}. Give tokens_per_step= (gather --tokens-per-step on the command "
            "line), or else checkpoints of one run count as models with equal covariates."
        )
        findings.append(Finding("warning", "checkpoints-without-tokens", "tokens_t", message))
    return findings
