"""Checks on a whole, well-formed table: what looks odd in it, and what is worth knowing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.beyond_limits import beyond_findings
from latentscale.data.copied_benchmarks import copied_scores, scores_in_two_forms
from latentscale.data.features.base import ESTIMATED
from latentscale.data.features.category import MISSING, Category
from latentscale.data.floors import floor_findings
from latentscale.data.known_features import features_of, kinds_among
from latentscale.data.odd_models import odd_model_findings
from latentscale.data.orientation import orientation_findings
from latentscale.data.scaling import is_bounded
from latentscale.data.similar_names import names_like_empty_cells, similar_names
from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL
from latentscale.errors import listed
from latentscale.markup import counted

PLAUSIBLE_PARAMS_B: Final = (1e-3, 5e3)
"""Sizes outside this range, in billions, are probably in another unit."""
PLAUSIBLE_TOKENS_T: Final = (1e-3, 50.0)
"""Token counts outside this range, in trillions, are probably in another unit."""
PLAUSIBLE_RATIO: Final = (0.5, 1e5)
"""Training tokens per parameter; known recipes lie between about 2 and 60,000."""
_ACTIVE: Final = "active_params_b"
_RARE: Final = 8
"""With this many scores, a benchmark's intercept, loading and precision each have some data."""
_RARE_SHARE: Final = 0.25
"""In a small table fewer are expected: a quarter of its models is enough."""

_HUNDREDTH: Final = 0.01
"""A fraction that was divided by 100 again is at most this."""
_APART: Final = 20
"""Ratio to the next score: weak models do not fall so far behind with no models in between."""
_FEWEST_OTHERS: Final = 3
"""With this many scores, a benchmark shows what its typical scores are."""


def dataset_findings(dataset: xr.Dataset) -> list[Finding]:
    """Run every check on a dataset of models and scores.

    Parameters
    ----------
    dataset
        As in `Scores`: score (model, benchmark), and the variables of models and benchmarks.

    Returns
    -------
    list
        Findings on the models first, then on the benchmarks.
    """
    return [
        *model_findings(dataset),
        *_undisclosed(dataset),
        *similar_names({BENCHMARK: [str(name) for name in dataset[BENCHMARK].to_numpy()]}, {}),
        *_models_without_score(dataset),
        *_constant_benchmarks(dataset),
        *_rarely_measured(dataset),
        *copied_scores(dataset),
        *scores_in_two_forms(dataset),
        *_exact_bounds(dataset),
        *odd_model_findings(dataset),
        *_other_units(dataset),
        *floor_findings(dataset),
        *beyond_findings(dataset),
        *orientation_findings(dataset),
    ]


def model_findings(
    dataset: xr.Dataset, fitted: Mapping[str, Collection[str]] | None = None
) -> list[Finding]:
    """Run the checks that do not need scores; models to forecast get them too.

    Parameters
    ----------
    dataset
        The variables of models, dims (model,).
    fitted
        Names that a fit already knows, by variable (model, family, lineage) and category.
    """
    names = {
        variable: [str(name) for name in dataset[variable].to_numpy()]
        for variable in (MODEL, FAMILY, LINEAGE)
    }
    return [
        *_odd_sizes(dataset),
        *_more_active_than_all(dataset),
        *_two_lineages(dataset),
        *similar_names(names | category_levels(dataset), fitted or {}),
        *names_like_empty_cells({name: names[name] for name in (FAMILY, LINEAGE)}),
    ]


def category_levels(table: xr.Dataset) -> dict[str, list[str]]:
    """Return the levels that occur in a table of models, by category."""
    levels = {
        name: pd.unique(kind.levels(table)).tolist()
        for name, kind in kinds_among(features_of(table)).items()
        if isinstance(kind, Category) and kind.variable in table
    }
    return {
        name: [level for level in own if level not in ("", MISSING)] for name, own in levels.items()
    }


def _odd_sizes(dataset: xr.Dataset) -> list[Finding]:
    params = dataset["params"].to_numpy()
    tokens = dataset["tokens"].to_numpy()
    with np.errstate(over="ignore"):  # a size next to 0 is reported below
        ratio = tokens * 1e12 / (params * 1e9)
    checks = (
        ("odd-size", "params_b", params, PLAUSIBLE_PARAMS_B, "billions of parameters"),
        ("odd-tokens", "tokens_t", tokens, PLAUSIBLE_TOKENS_T, "trillions of training tokens"),
        ("odd-ratio", "tokens_t", ratio, PLAUSIBLE_RATIO, "training tokens per parameter"),
    )
    models = dataset[MODEL].to_numpy()
    findings = []
    for code, column, values, (lowest, highest), unit in checks:
        odd = np.flatnonzero((values < lowest) | (values > highest))
        if not len(odd):
            continue
        examples = listed([f"{models[i]}: {values[i]:.4g}" for i in odd], limit=6)
        message = (
            f"{len(odd)} rows have implausible {unit} (outside {lowest:g} to {highest:g}): "
            f"{examples}. Check the units: params_b is in billions, tokens_t in trillions."
        )
        findings.append(Finding("warning", code, column, message))
    return findings


def _more_active_than_all(dataset: xr.Dataset) -> list[Finding]:
    if _ACTIVE not in dataset:
        return []
    active, params = dataset[_ACTIVE].to_numpy(), dataset["params"].to_numpy()
    odd = np.flatnonzero(active > params)
    if not len(odd):
        return []
    models = dataset[MODEL].to_numpy()
    examples = listed([f"{models[i]}: {active[i]:.4g} of {params[i]:.4g}" for i in odd], limit=6)
    message = (
        f"{len(odd)} rows have more active parameters than parameters: {examples}. params_b counts "
        "all parameters of a mixture of experts, active_params_b those that one token uses."
    )
    return [Finding("warning", "more-active-than-all", _ACTIVE, message)]


def _two_lineages(dataset: xr.Dataset) -> list[Finding]:
    said: dict[str, dict[str, None]] = defaultdict(dict)
    families = dataset[FAMILY].to_numpy().tolist()
    for family, lineage in zip(families, dataset[LINEAGE].to_numpy().tolist(), strict=True):
        said[family][lineage] = None
    return [
        Finding(
            "warning",
            "two-lineages",
            family,
            f"its models name {len(lineages)} lineages: {listed(lineages)}. A family has one "
            "lineage in a fit: the commonest among its models is used (the first row's if tied). "
            "Split the family, or correct the lineage.",
        )
        for family, lineages in said.items()
        if len(lineages) > 1
    ]


_UNDISCLOSED: Final = (
    (
        "unknown-sizes",
        "params_b",
        "params",
        "size",
        "Specs whose covariates use size (log_params, and log_flops where flops is empty) leave "
        "these rows out.",
    ),
    (
        "unknown-tokens",
        "tokens_t",
        "tokens",
        "token count",
        "Specs whose covariates use tokens (log_tokens, log_flops and their products) leave these "
        'rows out unless they say undisclosed = {kind = "estimated"}; specs on log_params and '
        "instruct alone use them.",
    ),
)


_PARAMETERS: Final = "As the feature is declared, each is a parameter."


def _undisclosed(dataset: xr.Dataset) -> list[Finding]:
    """Find models without a size or token count in a table that gives them for other models."""
    findings = []
    estimated = {one.name for one in features_of(dataset) if one.missing == ESTIMATED}
    for code, column, variable, what, use in _UNDISCLOSED:
        empty = np.isnan(dataset[variable].to_numpy())
        if empty.any() and not empty.all():
            unknown = dataset[MODEL].to_numpy()[empty]
            rows = counted(len(unknown), "row has", "rows have")
            message = f"{rows} no {what}: {listed(unknown)}."
            findings.append(
                Finding("info", code, column, f"{message} {_PARAMETERS}")
                if column in estimated
                else Finding("warning", code, column, f"{message} {use}")
            )
    return findings


def _models_without_score(dataset: xr.Dataset) -> list[Finding]:
    empty = np.isnan(dataset["score"].to_numpy()).all(axis=1)
    if not empty.any():
        return []
    message = (
        f"{counted(int(empty.sum()), 'row has', 'rows have')} no score on any benchmark: "
        f"{listed(dataset[MODEL].to_numpy()[empty])}. "
        "A row without scores stays in the table, but the fit learns nothing from it."
    )
    return [Finding("warning", "model-without-score", "rows", message)]


def _constant_benchmarks(dataset: xr.Dataset) -> list[Finding]:
    findings = []
    for name, scores in zip(
        dataset[BENCHMARK].to_numpy().tolist(), dataset["score"].to_numpy().T, strict=True
    ):
        known = scores[~np.isnan(scores)]
        if len(known) == 0:
            text = "no score in these rows: the fit learns nothing about this benchmark."
            findings.append(Finding("warning", "benchmark-without-score", name, text))
        elif len(known) == 1 and len(scores) > 1:
            text = "only one model has a score: the fit learns nothing about its scaling."
            findings.append(Finding("warning", "constant-benchmark", name, text))
        elif len(known) > 1 and np.ptp(known) == 0:
            text = (
                f"all {len(known)} scores are {known[0]:g}: a constant benchmark does not "
                "distinguish models. Check the column, or drop it."
            )
            findings.append(Finding("warning", "constant-benchmark", name, text))
    return findings


def _rarely_measured(dataset: xr.Dataset) -> list[Finding]:
    """Find benchmarks with scores of few models: their posteriors rest mostly on their priors."""
    scored = dataset["score"].notnull()
    models = int(scored.any(BENCHMARK).sum())
    findings = []
    for name, count in zip(
        dataset[BENCHMARK].values.tolist(), scored.sum(MODEL).values.tolist(), strict=True
    ):
        if 1 < count < min(_RARE, _RARE_SHARE * models):
            text = (
                f"only {count} of {models} models have a score. It joins the fit through its "
                "skills, but its level, loadings and spread rest largely on their priors: look at "
                "its forecast intervals, and measure more models if they are too wide."
            )
            findings.append(Finding("warning", "rarely-measured", name, text))
    return findings


def _exact_bounds(dataset: xr.Dataset) -> list[Finding]:
    scores = dataset["score"].to_numpy()
    exact = ((scores == 0) | (scores == 1)) & is_bounded(dataset).to_numpy()
    if not exact.any():
        return []
    by_name = zip(dataset[BENCHMARK].to_numpy(), exact.sum(axis=0), strict=True)
    counts = ", ".join(f"{name}: {count}" for name, count in by_name if count)
    message = (
        f"{counted(int(exact.sum()), 'score')} of exactly 0 or 1 ({counts}): allowed, and pulled "
        "inside by half an item when fitted."
    )
    return [Finding("info", "exact-bounds", "scores", message)]


def _other_units(dataset: xr.Dataset) -> list[Finding]:
    """Find scores that would lie among the others if multiplied by 100."""
    score, bounded = dataset["score"].to_numpy(), is_bounded(dataset).to_numpy()
    models = dataset[MODEL].to_numpy()
    findings = []
    for place, name in enumerate(dataset[BENCHMARK].to_numpy().tolist()):
        column = score[:, place]
        small = (column > 0) & (column <= _HUNDREDTH)
        rest = column[~small & (column > 0)]
        if not (bounded[place] and small.any()) or len(rest) < _FEWEST_OTHERS:
            continue
        if rest.min() < _APART * column[small].max():
            continue
        turned = column[small] / _HUNDREDTH
        if turned.min() < rest.min() or turned.max() > rest.max():
            continue
        cells = listed([f"{models[row]}: {column[row]:.4g}" for row in np.flatnonzero(small)])
        message = (
            f"{int(small.sum())} scores are far below all {len(rest)} others, which begin at "
            f"{rest.min():.3g}: {cells}. If they were fractions among percentages, or were "
            "divided by 100 twice, correct them."
        )
        findings.append(Finding("warning", "mixed-units", name, message))
    return findings


def fractions_among_percentages(dataset: xr.Dataset, names: Collection[str]) -> list[Finding]:
    """Find benchmarks that are declared as percentages, though no score is above 1.

    Parameters
    ----------
    dataset
        As for `dataset_findings`: scores as the table keeps them, percentages divided by 100.
    names
        Benchmarks that are declared as percentages.
    """
    findings = []
    for name in names:
        scores = dataset["score"].sel({BENCHMARK: name}).to_numpy() / _HUNDREDTH
        known = scores[scores > 0]
        if len(known) < _FEWEST_OTHERS or known.max() > 1:
            continue
        message = (
            f"none of {len(known)} scores above 0 is above 1 ({known.min():.3g} to "
            f"{known.max():.3g}); they are divided by 100, as the benchmark is declared as "
            'percentages. If they are fractions, declare scale="fraction" (with floor and ceiling '
            "as fractions)."
        )
        findings.append(Finding("warning", "fractions-as-percent", name, message))
    return findings
