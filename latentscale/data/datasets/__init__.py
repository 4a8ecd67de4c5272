"""Tables of figures shipped with the package."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from latentscale.data.datasets.catalogue import catalogue, families
from latentscale.data.scores import Scores, scores_from_frame
from latentscale.errors import DataError
from latentscale.validate import truth

__all__ = ["catalogue", "families", "open_llm_leaderboard"]


def __dir__() -> list[str]:
    return sorted(__all__)


def open_llm_leaderboard(corrected: bool = True, dated: bool = False) -> Scores:
    """Return public scores of 194 open-weight models on 12 benchmarks.

    Scores are raw accuracies, fractions in [0, 1]: ``arc``, ``hellaswag``, ``mmlu``,
    ``truthfulqa``, ``winogrande`` and ``gsm8k`` of the Open LLM Leaderboard v1 (168 models), and
    ``ifeval``, ``bbh``, ``math_lvl5``, ``gpqa``, ``musr`` and ``mmlu_pro`` of v2 (105 models, known
    to two decimals). 79 models have all twelve. A score of ``math_lvl5`` at or near 0 can mean a
    failure of answer format. Lineages (the base family that a model descends from) were assigned
    for this package; ``wizardlm-v1.0`` is the one family in two of them.

    Parameters
    ----------
    corrected
        Whether to correct 40 sizes and token counts that are wrong as published; the value and the
        basis of each are in ``figures/corrections.csv`` next to this module.
    dated
        Whether the table has the feature ``released``: the 15th of the month in which the first
        base model of a model's lineage was published. Fine-tunes have the date of their lineage.
        The source of each date is in ``figures/released.csv``.

    Returns
    -------
    Scores
        194 models x 12 benchmarks. Loading issues no warnings; see ``.audit``.

    Raises
    ------
    DataError
        If `corrected` or `dated` is not True or False.

    References
    ----------
    Scores: Open LLM Leaderboard v1 and v2, Hugging Face. Sizes and token counts: Maia Polo et al.
    2024, Sloth (arXiv:2412.06540), and Cai et al. 2025 (arXiv:2512.06553).

    Examples
    --------
    >>> from latentscale.data.datasets import open_llm_leaderboard
    >>> open_llm_leaderboard()
    Scores(194 models, 83 families, 36 lineages, 12 benchmarks, 1638 scores, 1 to check in .audit)
    >>> frame = open_llm_leaderboard(dated=True).to_frame()
    >>> str(frame.loc[frame["model"] == "qwen2-72b", "released"].item().date())
    '2024-06-15'
    """
    models = _figures("models.csv")
    if truth(corrected, "corrected", error=DataError):
        models = _corrected(models, _figures("corrections.csv"))
    features = []
    if truth(dated, "dated", error=DataError):
        models = models.assign(released=models["lineage"].map(_released()))
        features = ["released"]
    scores = _figures("scores.csv")
    order = list(dict.fromkeys(scores["benchmark"]))
    wide = scores.pivot(index="model", columns="benchmark", values="score")[order]
    return scores_from_frame(models.join(wide, on="model"), features=features)


def _figures(name: str) -> pd.DataFrame:
    source = resources.files(__name__).joinpath("figures").joinpath(name)
    with source.open("r", encoding="utf-8") as stream:
        return pd.read_csv(stream)


def _released() -> pd.Series:
    """Return the middle of the month in which each lineage began, by lineage."""
    months = _figures("released.csv").set_index("lineage")["released"]
    return pd.to_datetime(months + "-15")


def _corrected(models: pd.DataFrame, corrections: pd.DataFrame) -> pd.DataFrame:
    fixed = models.set_index("model").astype({"params_b": float, "tokens_t": float})
    for model, column, value in corrections[["model", "column", "value"]].itertuples(index=False):
        fixed.loc[model, column] = value
    return fixed.reset_index()
