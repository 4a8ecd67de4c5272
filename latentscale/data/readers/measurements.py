"""What a reader of published tables returns: scores, features of models, and declarations.

The readers of single sources make it; only this module turns it into `Scores`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.audit import SCORES_READ, Audit, Finding, emit
from latentscale.data.benchmarks import Benchmark
from latentscale.data.features import Feature
from latentscale.data.known_features import INSTRUCT
from latentscale.data.readers.efforts import UNSTATED, effort, reasoning
from latentscale.data.readers.model_names import parse_name, provider_of, without_owner
from latentscale.data.readers.size_classes import size_class
from latentscale.data.scores import Scores, scores_from_long
from latentscale.errors import DataError, listed, spelling
from latentscale.markup import counted

CELLS: Final = ("model", "benchmark", "score", "stderr", "n_items", "source")
"""Columns of a table of scores, in order."""
_UNSTATED: Final = Finding(
    "info",
    "instruct-unstated",
    INSTRUCT,
    "the source does not say which models are instruction-tuned. Specs that use it treat all "
    "models alike; a column instruct (1 or 0) states it.",
)


@dataclass(frozen=True, eq=False)
class Measurements:
    """Scores as a source publishes them, with its information on models and benchmarks.

    Parameters
    ----------
    cells
        One row per score: model, benchmark, score (in the benchmark's units), stderr and n_items
        (NaN where not given) and source. A model and benchmark occur once for each source.
    models
        One row per model: model, family, lineage, and a column for each feature.
    benchmarks
        Scale, floor, group and the like, by benchmark.
    features
        Declarations of the columns of `models` that are features.
    audit
        Decisions made while reading, with counts.
    expected
        Codes of findings that are normal for this source, and are not repeated: early checkpoints
        have seen few tokens.
    sources
        As for `Scores.from_long`: how scores of one cell from several sources are treated.
    said
        Codes and places of findings that `audit` makes in other words, which are not repeated.

    Examples
    --------
    >>> scores = pd.DataFrame({"model_id": ["o3", "gpt-5"], "score": [83.3, 85.7]})
    >>> scores.assign(benchmark_id="gpqa").to_csv("scores.csv", index=False)
    >>> models = pd.DataFrame({"model_id": ["o3", "gpt-5"], "provider": "OpenAI"})
    >>> models = models.assign(reasoning=1, open_weights=0, effort="n/a")
    >>> models.assign(release_date="2025-04-16").to_csv("models.csv", index=False)
    >>> read = ls.readers.benchpress_measurements(".")
    >>> read.to_scores().n_observed
    2
    """

    cells: pd.DataFrame
    models: pd.DataFrame
    benchmarks: Mapping[str, Benchmark]
    features: tuple[str | Feature, ...] = ()
    audit: Audit = field(default_factory=Audit)
    expected: tuple[str, ...] = ()
    sources: str = "merged"
    said: tuple[tuple[str, str], ...] = ()

    @property
    def frame(self) -> pd.DataFrame:
        """One row per score with its model's columns, as `Scores.from_long` takes it.

        Examples
        --------
        >>> read.frame[["model", "benchmark", "score"]].values.tolist()
        [['o3', 'gpqa', 83.3], ['gpt-5', 'gpqa', 85.7]]
        """
        return self.cells.merge(self.models, on="model", how="left", validate="many_to_one")

    def to_scores(self, *, benchmarks: Mapping[str, Benchmark] | None = None) -> Scores:
        """Return the measurements as `Scores`, whose audit begins with this one.

        Parameters
        ----------
        benchmarks
            Declarations that take precedence over the source's, by benchmark.

        Returns
        -------
        Scores
            The checked table.

        Raises
        ------
        DataError
            As `Scores.from_long`, and if `benchmarks` names one that the source does not have.

        Warns
        -----
        DataWarning
            Once, when something looks wrong but can be used.

        Examples
        --------
        >>> scores = pd.DataFrame({"model_id": ["o3", "gpt-5"], "score": [83.3, 85.7]})
        >>> scores.assign(benchmark_id="gpqa").to_csv("scores.csv", index=False)
        >>> models = pd.DataFrame({"model_id": ["o3", "gpt-5"], "provider": "OpenAI"})
        >>> models = models.assign(reasoning=1, open_weights=0, effort="n/a")
        >>> models.assign(release_date="2025-04-16").to_csv("models.csv", index=False)
        >>> ls.readers.benchpress_measurements(".").to_scores().benchmarks
        ('gpqa',)
        """
        scores = self._scores(benchmarks)
        emit(scores.audit.findings, about=SCORES_READ)
        return scores

    def _scores(self, benchmarks: Mapping[str, Benchmark] | None) -> Scores:
        declared = {**self.benchmarks, **(benchmarks or {})}
        frame = self.frame.dropna(axis="columns", how="all")
        features = [f for f in self.features if _name_of(f) in frame]
        scores = scores_from_long(
            frame, features=features, benchmarks=declared, sources=self.sources
        )
        more = [
            finding
            for finding in scores.audit.findings
            if finding.code not in self.expected and (finding.code, finding.where) not in self.said
        ]
        unstated = [] if INSTRUCT in frame else [_UNSTATED]
        return replace(scores, audit=Audit((*self.audit.findings, *unstated, *more)))


def read_measurements(
    measurements: Measurements, benchmarks: Mapping[str, Benchmark] | None
) -> Scores:
    """Do what `Measurements.to_scores` does, with warnings that point at the caller's caller."""
    scores = measurements._scores(benchmarks)
    emit(scores.audit.findings, about=SCORES_READ, stacklevel=4)
    return scores


def _name_of(feature: str | Feature) -> str:
    return feature if isinstance(feature, str) else feature.name


def same_names(names: Sequence[str], *, hosts: bool = True) -> tuple[dict[str, str], list[Finding]]:
    """Return one spelling of each model: the commonest one, without the host before a slash.

    Parameters
    ----------
    names
        Names as in the source's rows, with repetitions.
    hosts
        Whether the part before a slash is a host, not a part of the name; in a hub's names it is
        their owner.

    Returns
    -------
    tuple
        The spelling by name, and a finding on names that were treated as one model.
    """
    counts = pd.Series(list(names), dtype=object).value_counts(sort=False)
    groups: dict[str, dict[str, int]] = {}
    key_of = {}
    for name, count in counts.items():
        short = without_owner(str(name)) if hosts else str(name)
        key = spelling(short, keep_numbers_apart=True)
        key_of[str(name)] = key
        group = groups.setdefault(key, {})
        group[short] = group.get(short, 0) + int(count)
    best = {key: max(group, key=lambda n: group[n]) for key, group in groups.items()}
    chosen = {name: best[key] for name, key in key_of.items()}
    joined: dict[str, list[str]] = {}
    for name, spelt in chosen.items():
        if name != spelt:
            joined.setdefault(spelt, []).append(name)
    if not joined:
        return chosen, []
    pairs = [f"{' and '.join(others)} as {spelt}" for spelt, others in joined.items()]
    in_what = "case, dots, dashes or a host before a slash" if hosts else "case, dots or dashes"
    models = counted(len(joined), "model is", "models are")
    message = (
        f"{models} written in several ways, which differ in {in_what}, and were merged: "
        f"{listed(pairs, 3)}."
    )
    return chosen, [Finding("info", "names-joined", "model", message)]


def commonest(column: pd.Series, by: pd.Series) -> pd.Series:
    """Return the commonest non-empty value of each group; the first breaks ties."""
    table = pd.DataFrame({"key": by.to_numpy(), "value": column.to_numpy()}).dropna()
    sizes = table.groupby(["key", "value"], sort=False).size().reset_index(name="count")
    sizes = sizes.sort_values("count", ascending=False, kind="stable")
    return sizes.drop_duplicates("key").set_index("key")["value"]


def with_names(models: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    """Add features from the names of models: family, lineage, reasoning, effort and size class.

    The family is the series ("claude-opus", "qwen"), the lineage its provider: the commonest in
    the column ``provider``, else the only maker of the series. Existing columns are kept, and
    completed where they are empty.

    Returns
    -------
    tuple
        The table, and findings on what was read from names.
    """
    names = models["model"]
    parsed = [parse_name(name) for name in names]
    models = models.assign(family=[name.series for name in parsed])
    findings = [_families(models)]
    nothing = pd.Series(None, models.index, dtype=object)
    own = models.get("provider", nothing)
    by_series = models["family"].map(commonest(own, models["family"]))
    makers = pd.Series([provider_of(name) for name in parsed], models.index, dtype=object)
    stated = {spelling(str(name)): name for name in own.dropna().unique()}
    makers = makers.map(lambda name: stated.get(spelling(str(name)), name))
    guess = by_series.astype(object).where(by_series.notna(), makers)
    filled = own.isna() & guess.notna()
    if filled.any():
        message = (
            f"{counted(int(filled.sum()), 'model has', 'models have')} the provider of "
            f"{'its' if filled.sum() == 1 else 'their'} series: "
            f"{listed(models.loc[filled, 'model'], 4)}."
        )
        findings.append(Finding("info", "provider-by-series", "provider", message))
    provider = own.astype(object).where(own.notna(), guess)
    lineage = guess.where(guess.notna(), models["family"])
    models = models.assign(provider=provider, lineage=lineage)
    readings = {"reasoning": reasoning(names), "effort": effort(names)}
    for name, read in readings.items():
        values = read.values.where(read.values != UNSTATED, None)
        if name in models and models[name].notna().all():
            continue
        own = models.get(name, nothing)
        merged = own.astype(object).where(own.notna(), values)
        models = models.assign(**{name: merged.infer_objects()})
        findings += read.audit.findings
    stated = models.get("size_class", nothing).astype(object)
    if stated.notna().all():
        return models, findings
    sizes = size_class(names)
    models = models.assign(size_class=stated.where(stated.notna(), sizes.values))
    return models, [*findings, *sizes.audit.findings]


def _families(models: pd.DataFrame) -> Finding:
    families = models["family"].value_counts()
    largest = ", ".join(f"{name} ({count})" for name, count in families.head(5).items())
    message = (
        f"families of {counted(len(models), 'model')} are the series in names: {len(families)} "
        f"({int((families == 1).sum())} of one model), the largest {largest}."
    )
    return Finding("info", "families-from-names", "family", message)


def name_features() -> tuple[str | Feature, ...]:
    """Return declarations of provider and of the features that `with_names` gives.

    A function, because a declaration looks up the kinds of features, including plug-ins.
    """
    return (
        "reasoning",
        Feature("provider", kind="category", missing="level"),
        Feature("effort", kind="category", missing="level"),
        "size_class",
    )


def one_score_a_cell(
    cells: pd.DataFrame, rule: str, *, by_source: bool = False, falling: Collection[str] = ()
) -> tuple[pd.DataFrame, list[Finding]]:
    """Merge the rows that a model has on one benchmark.

    Parameters
    ----------
    cells
        Columns `CELLS`.
    rule
        ``"mean"`` of the rows (settings, prompts, agents), with a standard error that treats
        theirs as independent and is missing if one of theirs is; or ``"best"``, the row with the
        best score.
    by_source
        Whether rows of different sources are kept apart.
    falling
        Benchmarks on which lower is better.

    Raises
    ------
    DataError
        If the rule is unknown.
    """
    if rule not in ("mean", "best"):
        raise DataError(f'repeats="{rule}" is not known; allowed are "mean" and "best".')
    keys = ["model", "benchmark", "source"] if by_source else ["model", "benchmark"]
    several = cells.duplicated(keys, keep=False)
    if not several.any():
        return cells, []
    groups = cells[several].groupby(keys, sort=False)
    if rule == "best":
        sign = np.where(cells["benchmark"].isin(list(falling)), -1.0, 1.0)
        oriented = (sign * cells["score"])[several]
        of_cell = [cells.loc[several, key] for key in keys]
        merged = cells.loc[oriented.groupby(of_cell, sort=False).idxmax()]
    else:
        errors = cells.loc[several, "stderr"] ** 2
        total = errors.groupby([cells.loc[several, key] for key in keys], sort=False)
        merged = groups.agg(score=("score", "mean"))
        if not by_source:
            merged["source"] = groups["source"].agg(
                lambda s: "; ".join(dict.fromkeys(filter(None, s)))
            )
        merged["stderr"] = np.sqrt(total.sum(min_count=1)) / total.size()
        merged.loc[total.count() < total.size(), "stderr"] = np.nan
        items = groups["n_items"]
        merged["n_items"] = items.sum(min_count=1).where(items.count() == items.size())
        merged = merged.reset_index()
    counts = groups.size().groupby("benchmark", sort=False).size().sort_values(ascending=False)
    largest = ", ".join(f"{name} {count}" for name, count in counts.head(5).items())
    message = (
        f"{counted(len(counts), 'benchmark has', 'benchmarks have')} several rows of one model "
        f"({int(several.sum())} rows of {counted(len(merged), 'score')}; "
        f"{largest}{' and others' if len(counts) > 5 else ''}); the {rule} was taken."
    )
    whole = pd.concat([cells[~several], merged[list(cells.columns)]], ignore_index=True)
    return whole, [Finding("info", "repeats-merged", "scores", message)]
