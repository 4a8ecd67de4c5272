"""Features of the Open LLM Leaderboard's models that are guessed where metadata are missing."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.readers.families import base_families

_TUNED: Final = re.compile(r"(?:^|[-_.])(?:instruct|chat|it|dpo|rlhf|orpo|simpo)(?:$|[-_.\d])")
"""Words at the end of a part of a name that mark an instruction-tuned model."""


def with_guessed_families(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the table with guessed family, lineage and basis after the model's name."""
    models = table["model"].tolist()

    def column(name: str) -> list[object] | None:
        return table[name].tolist() if name in table else None

    guessed, findings = base_families(
        models,
        base_models=column("base_model"),
        params_b=table["params_b"].tolist() if "params_b" in table else None,
        architectures=column("architecture"),
    )
    own = guessed.drop(columns="model").set_axis(table.index)
    rest = table.drop(columns="model")
    return pd.concat([table[["model"]], own, rest], axis="columns"), findings


def completed(table: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Fill instruct, where the type does not state it, from names and chat templates."""
    findings = []
    stated = table["instruct"] if "instruct" in table else pd.Series(np.nan, table.index)
    by_name = [bool(_TUNED.search(name.rsplit("/", 1)[-1].casefold())) for name in table["model"]]
    guess = pd.Series(by_name, table.index)
    if "chat_template" in table:
        guess |= table["chat_template"] == 1
    guess = guess.astype(float)
    count = int(stated.isna().sum())
    if count:
        tuned = int(guess[stated.isna()].sum())
        message = (
            f"the type of {count} models does not say whether they are instruction-tuned: {tuned} "
            "are taken to be, by their names or since they were run with a chat template, and "
            f"{count - tuned} not."
        )
        findings.append(Finding("info", "instruct-guessed", "instruct", message))
    return table.assign(instruct=stated.fillna(guess)), findings
