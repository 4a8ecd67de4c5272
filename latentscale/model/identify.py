"""Identification: which benchmarks anchor the skills."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from latentscale.data.readers.benchmark_names import same_benchmark
from latentscale.declare.skills import Anchored, SkillSpec
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import SpecError, spelling
from latentscale.markup import counted

# Models that two benchmarks must share for a correlation; with fewer it counts as 0.
_MIN_OVERLAP = 5
# Correlations are shrunk, so that pairs measured on different models give a definite matrix.
_SHRINK = 0.9
# An anchor determines the scale and sign of its skill. With less than this share of the scores of
# the most measured benchmark, both would depend on a few models.
_MEASURED = 0.5


def choose_anchors(skills: SkillSpec, score: xr.DataArray) -> tuple[str, ...]:
    """Return the anchor benchmark of each skill, or an empty tuple if none is needed.

    Preferred anchors that the table has come first, in the spec's order. Other spellings count
    ("MMLU-Pro" for mmlu_pro); of several, the one with most scores is used. The rest are chosen by
    a pivoted factorisation of the benchmarks' correlation matrix: each new anchor is the benchmark
    that most resembles others and that the anchors so far explain least, among those with at least
    half as many scores as the most measured one, if there are enough.

    Parameters
    ----------
    skills
        The spec's skills.
    score
        Scores on an unbounded scale where higher is better, such as logits of fractions
        (`latentscale.data.scaling.on_one_scale`); dims (model, benchmark), NaN where not measured.

    Raises
    ------
    SpecError
        If there are more skills than benchmarks.
    """
    names = [str(name) for name in score[BENCHMARK].values]
    if skills.count > len(names):
        raise SpecError(
            f"skills.count is {skills.count}, but the table has only "
            f"{counted(len(names), 'benchmark')}; use at most {counted(len(names), 'skill')}, as "
            f'in spec.with_({{"skills.count": {len(names)}}}).'
        )
    if skills.count == 0 or not isinstance(skills.identify, Anchored):
        return ()
    counts = score.notnull().sum(MODEL).to_series()
    chosen: list[str] = []
    for anchor in skills.identify.anchors:
        alike = [name for name in names if name not in chosen and _is(name, anchor)]
        if anchor in names or alike:
            chosen.append(anchor if anchor in names else max(alike, key=lambda n: counts[n]))
    chosen = list(dict.fromkeys(chosen))[: skills.count]
    correlation = _correlation(score)
    usual = {name for name in names if counts[name] >= _MEASURED * counts.max()}
    while len(chosen) < skills.count:
        others = [name for name in names if name not in chosen]
        offered = [name for name in others if name in usual] or others
        chosen.append(_next_anchor(correlation, names, chosen, offered))
    return tuple(chosen)


def _is(name: str, anchor: str) -> bool:
    """Return whether a table's benchmark is a spec's anchor in another spelling."""
    return spelling(name) == spelling(anchor) or same_benchmark(name) == anchor


def _correlation(score: xr.DataArray) -> np.ndarray:
    ordered = score.transpose(MODEL, BENCHMARK).to_pandas()
    correlation = ordered.corr(min_periods=_MIN_OVERLAP).fillna(0.0).to_numpy(copy=True)
    correlation *= _SHRINK
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _next_anchor(
    correlation: np.ndarray, names: Sequence[str], chosen: Sequence[str], offered: Sequence[str]
) -> str:
    taken, others = ([names.index(name) for name in some] for some in (chosen, offered))
    off_diagonal = np.abs(correlation - np.eye(len(names)))
    if not taken:
        return offered[int(np.argmax(off_diagonal[others].mean(axis=1)))]
    cross = correlation[np.ix_(others, taken)]
    block = correlation[np.ix_(taken, taken)]
    explained = np.einsum("ij,ji->i", cross, np.linalg.pinv(block) @ cross.T)
    resemblance = off_diagonal[others].max(axis=1)
    return offered[int(np.argmax(resemblance * np.clip(1 - explained, 0, 1)))]


def loading_masks(anchors: Sequence[str], benchmarks: Sequence[str], count: int) -> np.ndarray:
    """Return which loadings are free, which are anchors and which are zero.

    Returns
    -------
    Array of shape (benchmark, skill): 1 free, 2 an anchor on its own skill, 0 an anchor
    on another skill.
    """
    mask = np.ones((len(benchmarks), count))
    for skill, anchor in enumerate(anchors):
        row = list(benchmarks).index(anchor)
        mask[row, :] = 0
        mask[row, skill] = 2
    return mask
