"""Finding benchmarks on which lower seems to be better, though nobody said so."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.scaling import lower_is_better
from latentscale.dims import BENCHMARK, MODEL

_NAMES: Final = re.compile(
    r"edit.?distance|levenshtein|error.?rate|(?<![a-z])(wer|cer|ppl|rmse|mae|loss)(?![a-z])"
    r"|perplexity|(?<!non)(?<!non[ _-])hallucination.?rate|latency|toxicity"
)
"""Measures of which less is better, by the names that leaderboards give them."""
_USUALLY: Final = re.compile(
    r"librispeech|ted-?lium|gigaspeech|voxpopuli|common.?voice|(?<![a-z])wikitext"
)
"""Tests of speech recognition and language modelling, whose tables mostly give error rates and
perplexities."""
_SAID: Final = re.compile(r"[↑⬆▲]|higher.?(is.?)?better|(?<![a-z])acc(uracy)?(?![a-z])")
"""What a name says that settles it: nothing is suggested by its other words."""
_MIN_OVERLAP: Final = 8
"""Models that two benchmarks share before their rank correlation says anything (sd about 0.4)."""
_AGAINST: Final = -0.4
"""Mean rank correlation with the others below this; skills make benchmarks agree."""


def _spoken(name: str) -> str | None:
    """Return what a name suggests of scores of which less is better, None for nothing."""
    if _SAID.search(name):
        return None
    if _NAMES.search(name):
        return "its name speaks of a distance, an error or a loss"
    return "tables mostly give error rates or perplexities of it" if _USUALLY.search(name) else None


def orientation_findings(dataset: xr.Dataset) -> list[Finding]:
    """Name benchmarks that seem to fall as models get better, by name or by the other scores.

    Parameters
    ----------
    dataset
        Variables as in `Scores`.
    """
    stated = lower_is_better(dataset).values
    score = dataset["score"].transpose(MODEL, BENCHMARK).to_numpy()
    oriented = pd.DataFrame(np.where(stated, -score, score))
    correlation = oriented.corr(method="spearman", min_periods=_MIN_OVERLAP).to_numpy(copy=True)
    np.fill_diagonal(correlation, np.nan)
    findings = []
    for place, name in enumerate(dataset[BENCHMARK].to_numpy().tolist()):
        others = correlation[place][~np.isnan(correlation[place])]
        against = len(others) > 1 and float(others.mean()) < _AGAINST
        spoken = _spoken(name.casefold())
        if stated[place] or not (against or spoken):
            continue
        why = (
            f"its scores fall where those of {len(others)} others rise (mean rank correlation "
            f"{others.mean():.2f})"
            if against
            else spoken
        )
        message = (
            f"{why}, but it is read as one on which higher is better. If lower is better, pass "
            f'benchmarks={{"{name}": Benchmark(lower_is_better=True)}} with its scale; if not, '
            "check the column."
        )
        findings.append(Finding("warning", "lower-is-better", name, message))
    return findings
