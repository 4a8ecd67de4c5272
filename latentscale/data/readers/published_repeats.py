"""Rows of one score that differ in how a model was run: what a mean of them mixes."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.empty import is_empty
from latentscale.data.readers.published_columns import Roles
from latentscale.errors import listed
from latentscale.markup import counted

_SETTING: Final = re.compile(
    r"\W*((n|num|number of|k)?\W*(few)?\W*shots?|prompt( (style|template|type))?|settings?|cot"
    r"|config(uration)?|temperature|language|lang|locale|split|subset|version|difficulty|tools?)\W*",
    re.IGNORECASE,
)
"""Columns that say how a score was measured, and not, like a seed, which of several alike it is."""
_SHOWN: Final = 4
"""Values that a message shows, as many as other messages here."""


def mixed_settings(
    table: pd.DataFrame,
    named: pd.Series,
    roles: Roles,
    own: Collection[str],
    *,
    by_source: bool,
) -> list[Finding]:
    """Return a finding on columns of settings that differ between rows of one score.

    Parameters
    ----------
    table
        Rows that name a model.
    named
        The model of each row.
    roles
        What the columns are.
    own
        Columns declared as features.
    by_source
        Whether rows of different sources stay apart.
    """
    keys = [named.rename("model")]
    apart = ("benchmark", "source") if by_source else ("benchmark",)
    keys += [table[roles.columns[role]] for role in apart if role in roles.columns]
    findings = []
    for name in roles.others:
        if name in own or not _SETTING.fullmatch(name.replace("_", " ")):
            continue
        said = table[name].map(lambda cell: "" if is_empty(cell) else str(cell).strip())
        counts = said.groupby([key.to_numpy() for key in keys], sort=False).nunique()
        mixed = int((counts > 1).sum())
        if mixed:
            message = (
                f"the rows of one model and benchmark differ here ({listed(said.unique(), _SHOWN)}"
                f"), {counted(mixed, 'time')}, and were merged. Keep the rows of one value, or add "
                "it to the benchmark's name."
            )
            findings.append(Finding("warning", "settings-merged", name, message))
    return findings
