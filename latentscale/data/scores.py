"""`Scores`: how a table of models and benchmark scores is checked, subset and written.

What it holds and the tables that it gives are in `score_table.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd
import xarray as xr

from latentscale.data.assembly import from_rows, from_wide
from latentscale.data.audit import SCORES_READ, Audit, Finding, emit, with_whole
from latentscale.data.benchmarks import Benchmark
from latentscale.data.checks import dataset_findings
from latentscale.data.features.base import ESTIMATED, Feature
from latentscale.data.frames import AnyFrame
from latentscale.data.known_features import features_of, kinds_among, with_features
from latentscale.data.saving import save_scores
from latentscale.data.score_table import ScoreTable
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import DataError, listed, nearest
from latentscale.expect import expect_names


@dataclass(frozen=True, eq=False, repr=False)
class Scores(ScoreTable):
    """Models, their features, and their scores on benchmarks.

    Build it with `from_frame` or `from_long`, which check every cell.

    Parameters
    ----------
    dataset
        Variable ``score`` (model, benchmark): fractions in [0, 1], or numbers in the unit of a
        benchmark on another scale; NaN where not measured.
        Over ``model``: ``family``, ``lineage``, ``instruct`` (0 or 1), ``params`` (billions),
        ``tokens`` (trillions, NaN where undisclosed) and other features by their names. Over
        ``benchmark``: ``floor``, ``n_items`` (NaN where unknown), ``suite``, ``basis``. If some
        scores have item counts other than their benchmark's (a run cut short), also ``cell_items``
        (model, benchmark): their own counts, NaN elsewhere. If standard errors are stated, also
        ``stderr`` (model, benchmark). If some benchmark is not a plain fraction, also ``scale``,
        ``lower_is_better``, ``ceiling``, ``group`` and ``unit``, as in `Benchmark`, and in a fit's
        scores ``centre`` and ``step``, with which unbounded scores were standardised.
    audit
        What was found in the table that did not stop it from being used.

    Examples
    --------
    >>> scores = ls.datasets.open_llm_leaderboard()
    >>> scores.n_observed, scores.benchmarks[:3]
    (1638, ('arc', 'hellaswag', 'mmlu'))
    """

    @classmethod
    def from_frame(
        cls,
        frame: AnyFrame,
        *,
        features: Sequence[str | Feature] | None = None,
        benchmarks: Mapping[str, Benchmark] | None = None,
        stderr: AnyFrame | None = None,
    ) -> Scores:
        """Check a wide table, one row per model, and return its scores.

        Parameters
        ----------
        frame
            Columns ``model`` and ``family``; optionally ``lineage`` (default: the family) and
            known features: ``params_b`` and ``active_params_b`` (billions), ``tokens_t``
            (trillions), ``flops``, each empty where undisclosed, ``instruct`` (0 or 1, default
            0), ``reasoning``, ``effort``, ``released``, ``provider`` and ``size_class``. Every
            other column that is not declared is a benchmark: fractions in [0, 1] unless
            `benchmarks` says otherwise, empty where not measured. A frame of pandas, or of another
            library that narwhals supports, such as polars and pyarrow. It is not modified.
        features
            Further columns that describe models: their names, or `Feature` records that say how
            to read them. Specs name them among their covariates.
        benchmarks
            Scale, floor, item count and more of benchmarks, by column name; these take precedence
            over the known ones.
        stderr
            Standard errors of scores, in their units: a second table with the column ``model``
            and some of the benchmarks' columns, empty where unknown. They enter the noise.

        Returns
        -------
        Scores
            With rows and columns in the table's order; benchmarks without any score are dropped.

        Raises
        ------
        DataError
            Naming every bad cell: row, model, column, value, what is allowed and what to do.
        SpecError
            If a declaration of a feature is not allowed, or has no column.

        Warns
        -----
        DataWarning
            Once, when something looks wrong but can be used; also kept in ``.audit``.

        Examples
        --------
        >>> frame = pd.DataFrame(
        ...     {
        ...         "model": ["a-1b", "a-7b", "b-8b"],
        ...         "family": ["a", "a", "b"],
        ...         "params_b": [1.1, 7.0, 8.0],
        ...         "tokens_t": [1.0, 1.0, 4.0],
        ...         "quiz": [0.31, 0.45, None],
        ...     }
        ... )
        >>> ls.Scores.from_frame(frame, benchmarks={"quiz": ls.Benchmark(floor=0.25)}).n_observed
        2
        """
        scores = scores_from_frame(frame, features=features, benchmarks=benchmarks, stderr=stderr)
        emit(scores.audit.findings, about=SCORES_READ)
        return scores

    @classmethod
    def from_long(
        cls,
        frame: AnyFrame,
        *,
        features: Sequence[str | Feature] | None = None,
        benchmarks: Mapping[str, Benchmark] | None = None,
        sources: str = "merged",
    ) -> Scores:
        """Check a long table, one row per score, and return its scores.

        Parameters
        ----------
        frame
            Columns ``model``, ``family``, ``benchmark`` and ``score``; ``lineage`` and features
            as in `from_frame`, repeated on the rows of a model. Optionally for each score:
            ``stderr`` (its standard error, in its units) and ``n_items`` (how many items it was
            measured on), which enter the noise; ``unit``, one per
            benchmark, as `Benchmark.unit`; and ``source``: scores of one model and
            benchmark from several sources are merged, weighted by inverse variance if all
            state stderr, else by items if all state these, else equally. Equal scores count as one
            measurement, published more than once; the errors of different scores count as
            independent, which understates them if the sources ran the same items. The frame is not
            modified.
        features, benchmarks
            As in `from_frame`.
        sources
            ``"merged"``, as above; or ``"apart"``: the scores of each further source of a
            benchmark form a benchmark of the same task, "gpqa (vendor)", and the term ``sources``
            of a spec estimates how sources differ. Scores that repeat another source's value are
            left out. Scores that are not fractions are merged.

        Returns
        -------
        Scores
            Models and benchmarks in the order in which they first appear.

        Raises
        ------
        DataError
            As `from_frame`; also when a model and benchmark occur twice (with the same source),
            or when the rows of one model disagree about it.

        Warns
        -----
        DataWarning
            As `from_frame`.

        Examples
        --------
        >>> long = pd.DataFrame({"model": ["a-1b", "a-1b"], "family": "a", "benchmark": ["x", "y"]})
        >>> ls.Scores.from_long(long.assign(score=[0.3, 0.5], params_b=1.0)).benchmarks
        ('x', 'y')
        """
        scores = scores_from_long(frame, features=features, benchmarks=benchmarks, sources=sources)
        emit(scores.audit.findings, about=SCORES_READ)
        return scores

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write a table that `latentscale.readers.read_scores` reads back unchanged.

        Parameters
        ----------
        path
            ``.csv`` or no ending, ``.tsv``, ``.tab``, ``.parquet`` or ``.pq``. The table is wide,
            or long if scores have standard errors or items of their own. What a reader could not
            know about benchmarks goes to ``NAME.benchmarks.json`` next to it, declarations of
            features to ``NAME.features.json``, and audit findings that the table does not show,
            such as what was guessed or left out of its source, to ``NAME.audit.json``.

        Returns
        -------
        tuple of pathlib.Path
            The files written, the table first.

        Raises
        ------
        DataError
            If the ending is another one, a file cannot be written, or a category has a level
            that CSV and TSV cannot keep, such as "NA" or "007".

        Examples
        --------
        >>> fit.scores.save("scores.csv")[0].name
        'scores.csv'
        """
        return save_scores(self, path, _audit_of)

    def select(
        self,
        models: Sequence[str] | None = None,
        benchmarks: Sequence[str] | None = None,
    ) -> Scores:
        """Return the scores of some models and benchmarks, in the requested order.

        Parameters
        ----------
        models, benchmarks
            Names to keep; None keeps all.

        Returns
        -------
        Scores
            With an audit of the part, and the reader's findings, marked as findings on the whole
            table. A benchmark that is left without a score is kept.

        Raises
        ------
        DataError
            If a name is unknown or repeated, or nothing is left.

        Examples
        --------
        >>> ls.datasets.open_llm_leaderboard().select(benchmarks=["mmlu", "ifeval"]).benchmarks
        ('mmlu', 'ifeval')
        """
        wanted = {
            MODEL: _checked_names(models, self.models, MODEL),
            BENCHMARK: _checked_names(benchmarks, self.benchmarks, BENCHMARK),
        }
        selected = self.dataset.sel({dim: list(names) for dim, names in wanted.items()})
        return part_of(self, selected)

    @cached_property
    def _checked(self) -> tuple[Finding, ...]:
        return tuple(dataset_findings(self.dataset))

    def without(self, models: Sequence[str]) -> Scores:
        """Return the scores of all models except these.

        Parameters
        ----------
        models
            Names of the models to leave out.

        Returns
        -------
        Scores
            As from `select`.

        Raises
        ------
        DataError
            If a name is unknown or repeated, or nothing is left.

        Examples
        --------
        >>> table = ls.datasets.open_llm_leaderboard()
        >>> len(table.models) - len(table.without(["llama-7b"]).models)
        1
        """
        if not isinstance(models, str):
            models = expect_names(models, "models", f'["{self.models[0]}"]')
        if not models:
            return self.select()
        dropped = set(_checked_names(models, self.models, MODEL))
        return self.select([model for model in self.models if model not in dropped])

    def without_errors(self) -> Scores:
        """Return the scores without standard errors and item counts of their own.

        Sampling error is then part of the precision that a fit estimates; methods that cannot use
        the sampling error of each score need such a table.

        Returns
        -------
        Scores
            The same scores and audit.

        Examples
        --------
        >>> table = pd.DataFrame({"model": ["a-1b", "a-7b"], "family": "a", "quiz": [0.4, 0.6]})
        >>> errors = pd.DataFrame({"model": ["a-1b", "a-7b"], "quiz": [0.02, 0.02]})
        >>> measured = ls.Scores.from_frame(table, stderr=errors)
        >>> "stderr" in measured.dataset, "stderr" in measured.without_errors().dataset
        (True, False)
        """
        return Scores(self.dataset.drop_vars(["stderr", "cell_items"], errors="ignore"), self.audit)

    def with_estimated(self, features: Sequence[str]) -> Scores:
        """Return the scores with missing values of some features marked for fits to estimate.

        Equivalent to ``Feature(name, missing="estimated")`` when the table is read: models that
        leave the feature empty are fitted, each with a parameter for it under the prior
        ``missing_feature``. Look at R-hat: a missing size can have two modes.

        Parameters
        ----------
        features
            Names of features that are numbers or dates, such as ``["released"]``. For sizes name
            ``tokens_t`` too where the spec uses tokens.

        Returns
        -------
        Scores
            The same scores, audited again; the reader's findings are kept.

        Raises
        ------
        DataError
            If a name is repeated, or is not a feature of the table that fits can estimate.

        Examples
        --------
        >>> table = ls.datasets.open_llm_leaderboard(dated=True).with_estimated(["released"])
        >>> [feature.name for feature in table.features if feature.missing == "estimated"]
        ['released']
        """
        names = expect_names(features, "features", '["released"]')
        kinds = {
            name: kind
            for name, kind in kinds_among(features_of(self.dataset)).items()
            if ESTIMATED in kind.if_missing and kind.given(self.dataset).any()
        }
        _checked_names(names, tuple(kinds), "feature")
        drawn = {name: replace(kinds[name].feature, missing=ESTIMATED) for name in names}
        own = {feature.name: feature for feature in features_of(self.dataset)}
        declared = with_features(self.dataset, tuple((own | drawn).values()))
        return part_of(self, declared)


def part_of(scores: Scores, dataset: xr.Dataset, more: Sequence[Finding] = ()) -> Scores:
    """Return a part of the scores, or the same scores declared otherwise, with their audit.

    Parameters
    ----------
    scores, dataset
        The whole, and the part of its dataset that is kept.
    more
        Findings on what was left out.

    Returns
    -------
    Scores
        Its audit has the reader's findings, except on models and benchmarks that were left out, and
        the size of the table that they describe; then `more` and the checks of the part.
    """
    checked, found = scores._checked, scores.audit.findings
    gone = {*scores.models, *scores.benchmarks}
    gone -= {str(name) for dim in (MODEL, BENCHMARK) for name in dataset[dim].values}
    read = [f for f in found if f not in checked and f.where not in gone]
    whole, part = ((d.sizes[MODEL], d.sizes[BENCHMARK]) for d in (scores.dataset, dataset))
    # What the reader said in other words, or expects of its source, does not apply to the part.
    said = {(f.code, f.where) for f in found}
    passed = {(f.code, f.where) for f in checked} - said if found else set()
    anew = [f for f in dataset_findings(dataset) if (f.code, f.where) not in passed]
    return Scores(dataset, Audit((*with_whole(read, whole, part), *more, *anew)))


def scores_from_frame(
    frame: AnyFrame,
    *,
    features: Sequence[str | Feature] | None = None,
    benchmarks: Mapping[str, Benchmark] | None = None,
    n_items: pd.DataFrame | None = None,
    stderr: AnyFrame | None = None,
) -> Scores:
    """Do what `Scores.from_frame` does, without issuing a warning.

    `n_items` has item counts of single scores, index model and columns benchmark; NaN, or no row or
    column, where the benchmark's count applies.
    """
    return Scores(*from_wide(frame, features, benchmarks, n_items, stderr))


def scores_from_long(
    frame: AnyFrame,
    *,
    features: Sequence[str | Feature] | None = None,
    benchmarks: Mapping[str, Benchmark] | None = None,
    sources: str = "merged",
) -> Scores:
    """Do what `Scores.from_long` does, without issuing a warning."""
    return Scores(*from_rows(frame, features, benchmarks, sources))


def _audit_of(
    frame: pd.DataFrame, features: Sequence[Feature], benchmarks: Mapping[str, Benchmark]
) -> Audit:
    """Return the audit that reading a written table gives; empty if the table cannot be read."""
    read = scores_from_long if {"benchmark", "score"} <= set(frame.columns) else scores_from_frame
    try:
        return read(frame, features=features, benchmarks=benchmarks).audit
    except DataError:  # every finding is kept; reading the file raises the error
        return Audit()


def _checked_names(
    names: Sequence[str] | None, allowed: Sequence[str], what: str
) -> tuple[str, ...]:
    if names is None:
        return tuple(allowed)
    if isinstance(names, str):
        raise DataError(f'Give a list of {what} names, such as ["{names}"], not one string.')
    names = expect_names(names, f"{what}s", f'["{allowed[0]}"]')
    known = set(allowed)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"Unknown {what}: {listed(unknown)}.{nearest(unknown[0], allowed)} "
            f"Known are {listed(allowed)}."
        )
    if len(set(names)) < len(names):
        raise DataError(f"A {what} name is repeated in {listed(names)}; name each once.")
    if not len(names):
        raise DataError(f"No {what} is left; name at least one.")
    return tuple(names)
