"""Releases: which models of a table are one release run at several settings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from latentscale.data.features.base import FeatureKind
from latentscale.data.readers.efforts import SETTINGS
from latentscale.data.readers.model_names import parse_name
from latentscale.data.scores import Scores
from latentscale.dims import MODEL


def features_of_models(scores: Scores) -> pd.DataFrame:
    """Return the models of a table with family, lineage and features, one row per model."""
    return scores.to_frame().drop(columns=list(scores.benchmarks))


def name_without_setting(name: str) -> str:
    """Return a model's name without the setting that it states, in lower case.

    Examples
    --------
    >>> name_without_setting("o3_high"), name_without_setting("Claude 4 Opus (thinking)")
    ('o3', 'claude 4 opus')
    """
    return parse_name(name).version.casefold()


def named_release_of_rows(rows: pd.DataFrame) -> np.ndarray:
    """Return the number of each row's release by its name, shape (row,), in order of first rows.

    Rows that differ only in `SETTINGS` are one release if their names, too, differ only in the
    setting that they state ("o3_high" and "o3_low").

    Parameters
    ----------
    rows
        Models with family, lineage and features, and without scores.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": ["o3_high", "o3_low", "o3-pro"], "reasoning": [1, 0, 0]})
    >>> named_release_of_rows(rows).tolist()
    [0, 0, 1]
    """
    return _alike_and_name(rows).groupby(["alike", "name"], sort=False).ngroup().to_numpy()


def release_of_rows(rows: pd.DataFrame) -> np.ndarray:
    """Return the number of each row's release, shape (row,), in the order of first rows.

    For counts of releases. In addition to the rule of `named_release_of_rows`, rows with other
    names are one release if they differ in `SETTINGS` only, such as a model of one family and date
    at three efforts; rows with equal settings are several releases. In tables without dates and
    sizes, rows merged by this rule may have only their family in common.

    Parameters
    ----------
    rows
        Models with family, lineage and features, and without scores.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": ["o3_high", "o3_low", "o3-pro"], "family": "o3"})
    >>> release_of_rows(rows).tolist()
    [0, 0, 1]
    """
    settings = [name for name in SETTINGS if name in rows.columns]
    keys = _alike_and_name(rows)
    by_name = keys.groupby(["alike", "name"], sort=False)
    single = by_name["name"].transform("size").to_numpy() == 1
    # Where names do not decide, the first row of each setting form one release, and so on.
    turn = np.zeros(len(rows), dtype=np.int64)
    alone = rows[settings].assign(alike=keys["alike"].to_numpy())[single]
    turn[single] = alone.groupby([*alone.columns], dropna=False, sort=False).cumcount()
    keys = keys.assign(name=keys["name"].where(~single, ""), turn=turn)
    return keys.groupby([*keys.columns], sort=False).ngroup().to_numpy()


def setting_covariates(kinds: Iterable[FeatureKind]) -> set[str]:
    """Return the base covariates of `SETTINGS` among some features.

    Parameters
    ----------
    kinds
        Kinds of features.
    """
    return {base for kind in kinds if kind.name in SETTINGS for base in kind.bases()}


def _alike_and_name(rows: pd.DataFrame) -> pd.DataFrame:
    """Return which rows differ only in name and settings, and their names without settings."""
    apart = [name for name in rows.columns if name not in (MODEL, *SETTINGS)]
    alike = np.zeros(len(rows), dtype=np.int64)
    if apart:
        alike = rows.groupby(apart, dropna=False, sort=False).ngroup().to_numpy()
    names = [name_without_setting(str(name)) for name in rows[MODEL]]
    return pd.DataFrame({"alike": alike, "name": names})
