"""Tables as hubs publish them, to which tests add columns, and the findings of an audit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from latentscale.data.scores import Scores

FOUR = ("GPT-5", "o3", "Claude Opus 4.1", "Gemini 2.5 Pro")
EIGHT = ("GPT-5.2", "GPT-5", "o3", "Claude Opus 4.5", "Gemini 3 Pro", "Grok 4", "GLM-5", "Kimi K2")


def of_four(**columns: object) -> pd.DataFrame:
    """Return a table of four models with their scores on GPQA."""
    return pd.DataFrame({"Model": FOUR, "GPQA": [85.7, 83.3, 80.0, 84.0]} | columns)


def of_eight(**columns: object) -> pd.DataFrame:
    """Return a table of eight models with scores on GPQA from 40 to 80."""
    return pd.DataFrame({"Model": EIGHT} | {"GPQA": np.linspace(40.0, 80.0, 8)} | columns)


def of_first(**columns: list) -> pd.DataFrame:
    """Return a table with as many models as the columns have cells, at most five."""
    models = ["gpt-5", "o3", "claude-opus-4", "qwen3-32b", "gpt-4o"]
    return pd.DataFrame({"Model": models[: len(next(iter(columns.values())))]} | columns)


def said(scores: Scores, code: str) -> str:
    """Return the messages of an audit's findings with a code."""
    return " ".join(finding.message for finding in scores.audit.filter(code))
