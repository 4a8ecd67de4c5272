"""The design: what a spec takes from a table, as the model's constants."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from latentscale.data.covariates import (
    CovariateTransform,
    single_covariates_of,
)
from latentscale.data.features.compute import counted_in_full, counted_in_full_text
from latentscale.data.recording import pull_inside
from latentscale.data.releases import (
    features_of_models,
    named_release_of_rows,
    setting_covariates,
)
from latentscale.data.scaling import is_bounded, on_one_scale, sampling_of, with_standards
from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, COVARIATE, MODEL
from latentscale.errors import DataWarning, SpecError, listed
from latentscale.model.attempts import first_of_each
from latentscale.model.identify import choose_anchors
from latentscale.model.scaled import known_curve
from latentscale.model.usable import usable
from latentscale.model.without_effect import warn_of_no_effect


@dataclass(frozen=True)
class Design:
    """Constants of a model: names, covariates, group indices and observed cells.

    Attributes
    ----------
    scores
        The rows that the spec can use; models without a score or without a needed
        covariate are left out and named in `left_out`.
    transform
        Covariate transform, fitted on these rows.
    x
        Standardised covariates, dims (model, covariate); NaN where tokens are undisclosed, and
        with missing values of features that are parameters at their prior mean.
    families, lineages
        Names in index order.
    family_of_model, lineage_of_family
        Integer indices, one for each model and for each family.
    use_lineage
        Whether some lineage has more than one family; otherwise a lineage level would be confounded
        with the family level.
    use_release
        Whether settings of a release share deviations: the spec has this, and some release was run
        at several settings.
    model_of_cell, benchmark_of_cell, score_of_cell
        The observed cells, benchmark by benchmark: indices and scores, fractions strictly inside
        (0, 1), others in their own units.
    pulled_inside
        Cells with a score of exactly 0 or 1, as (model, benchmark).
    anchors
        Anchor benchmark of each skill; empty if skills are free or absent.
    left_out
        Models that the spec cannot use.
    centred
        Whether families' effects are centred on their mean over the fitted families. A part of a
        table cannot know that mean (see `latentscale.model.batches`).

    Examples
    --------
    >>> design = fit.design
    >>> design.x.dims, len(design.score_of_cell) == fit.scores.n_observed
    (('model', 'covariate'), True)
    """

    def __repr__(self) -> str:
        return (
            f"Design({len(self.scores.models)} models in {len(self.families)} families, "
            f"{len(self.score_of_cell)} scores, {self.x.shape[1]} covariates)"
        )

    scores: Scores
    transform: CovariateTransform
    x: xr.DataArray
    families: tuple[str, ...]
    lineages: tuple[str, ...]
    family_of_model: np.ndarray
    lineage_of_family: np.ndarray
    use_lineage: bool
    use_release: bool
    model_of_cell: np.ndarray
    benchmark_of_cell: np.ndarray
    score_of_cell: np.ndarray
    pulled_inside: tuple[tuple[str, str], ...]
    anchors: tuple[str, ...]
    left_out: tuple[str, ...]
    centred: bool = True

    @property
    def instruct(self) -> xr.DataArray:
        """The instruct flag, 0 or 1, dims (model,).

        Examples
        --------
        >>> design.instruct.dims
        ('model',)
        """
        return self.scores.dataset["instruct"]

    @property
    def release_of_model(self) -> np.ndarray:
        """The release of each model, shape (model,), numbered by first appearance.

        Examples
        --------
        >>> len(design.release_of_model) == len(design.scores.models)
        True
        """
        return self._release_of_model

    @property
    def undisclosed(self) -> tuple[str, ...]:
        """Models whose training tokens are needed but undisclosed, and are therefore parameters.

        Examples
        --------
        >>> design.undisclosed
        ()
        """
        unknown = self.x.isnull().any(COVARIATE) & self.scores.dataset["tokens"].isnull()
        return tuple(str(name) for name in self.x[MODEL].values[unknown.values])

    @property
    def estimated(self) -> dict[str, tuple[str, int]]:
        """Missing values of features that are parameters: base covariate and row, by label.

        Examples
        --------
        >>> design.estimated
        {}
        """
        return self._estimated

    @property
    def undisclosed_release(self) -> dict[str, str]:
        """The first undisclosed model of its release, by undisclosed model.

        Examples
        --------
        >>> design.undisclosed_release
        {}
        """
        release = dict(zip(self.scores.models, self.release_of_model.tolist(), strict=True))
        return _first_of_each({name: release[name] for name in self.undisclosed})

    @property
    def estimated_release(self) -> dict[str, str]:
        """The first label of `estimated` of the same covariate and release, by label.

        Covariates such as effort differ between settings of a release, so each setting has its own.

        Examples
        --------
        >>> design.estimated_release
        {}
        """
        settings = setting_covariates(self.transform.kinds)
        return _first_of_each(
            {
                label: (base, row) if base in settings else (base, -1, self.release_of_model[row])
                for label, (base, row) in self.estimated.items()
            }
        )

    @property
    def known_curve(self) -> dict[str, xr.DataArray]:
        """Curves' constants from the table (see `latentscale.model.scaled.known_curve`).

        Examples
        --------
        >>> sorted(design.known_curve)
        ['floor']
        """
        return self._known_curve

    @property
    def floor(self) -> xr.DataArray:
        """Guessing floors as fractions, dims (benchmark,).

        Examples
        --------
        >>> float(design.floor.sel(benchmark="mmlu"))
        0.25
        """
        return self.scores.dataset["floor"]

    @property
    def sampling(self) -> xr.DataArray | None:
        """Sampling error of each score, dims (model, benchmark); None if the table states none.

        Examples
        --------
        >>> design.sampling is None
        True
        """
        return self._sampling

    # Computed once; the properties above are separate, since ``?`` shows a cached property's value.
    @cached_property
    def _estimated(self) -> dict[str, tuple[str, int]]:
        labels = {}
        for base, values in self.transform.estimated(self.scores.dataset).items():
            for row in np.flatnonzero(np.isnan(values)).tolist():
                labels[f"{base} of {self.scores.models[row]}"] = (base, row)
        return labels

    @cached_property
    def _release_of_model(self) -> np.ndarray:
        return named_release_of_rows(features_of_models(self.scores))

    @cached_property
    def _known_curve(self) -> dict[str, xr.DataArray]:
        return known_curve(self.scores.dataset)

    @cached_property
    def _sampling(self) -> xr.DataArray | None:
        return sampling_of(self.scores.dataset)


def design(
    spec: ModelSpec, scores: Scores, *, transform: CovariateTransform | None = None
) -> Design:
    """Return what a spec needs from a table.

    Parameters
    ----------
    spec, scores
        The model and the table.
    transform
        A covariate transform to reuse, for a table that is simulated from or held out of another;
        by default it is fitted on the rows used here.

    Raises
    ------
    DataError
        If no row can be used.
    SpecError
        If the spec asks for more skills than there are benchmarks, or its likelihood needs
        item counts that the table does not have.

    Warns
    -----
    DataWarning
        If rows are left out because they do not state a feature that the spec needs, if the FLOPs
        of mixtures of experts count all their parameters, or if scores of 0 and 1 are on a single
        item.
    FitWarning
        If the spec sets priors or other fields that have no effect on its model.
    """
    used, left_out = usable(spec, scores)
    if transform is None:  # otherwise the warnings were given with the first design
        _warn_of_mixtures(spec, used)
        warn_of_no_effect(spec, stacklevel=3)
        _warn_of_single_items(used)
    data = with_standards(used.dataset)
    used = used if data is used.dataset else Scores(data, used.audit)
    _refuse_unknown_items(spec, used)
    inside, pulled = pull_inside(data["score"], used.item_counts, is_bounded(data))
    lineage_by_family = used.family_lineage()
    families = tuple(str(name) for name in sorted(lineage_by_family.index))
    lineages = tuple(sorted({str(lineage_by_family[name]) for name in families}))
    transform = transform or _fitted_transform(spec, used)
    if transform.names != spec.covariates:
        raise SpecError(
            f"The covariate transform holds {listed(transform.names)}, "
            f"but the spec uses {listed(spec.covariates)}."
        )
    _refuse_levels(spec, transform)
    _refuse_both(spec, transform)
    values = inside.transpose(MODEL, BENCHMARK).to_numpy()
    benchmark_of_cell, model_of_cell = np.nonzero(~np.isnan(values.T))
    return Design(
        scores=used,
        transform=transform,
        x=transform.apply(data, at_mean=True),
        families=families,
        lineages=lineages,
        family_of_model=_positions(data["family"].values, families),
        lineage_of_family=_positions([lineage_by_family[f] for f in families], lineages),
        use_lineage=spec.family.lineage and len(lineages) < len(families),
        use_release=spec.skills.release and _has_settings(used),
        model_of_cell=model_of_cell,
        benchmark_of_cell=benchmark_of_cell,
        score_of_cell=values[model_of_cell, benchmark_of_cell],
        pulled_inside=pulled,
        anchors=choose_anchors(spec.skills, _for_anchors(spec, data.assign(score=inside))),
        left_out=left_out,
    )


def _first_of_each(keys: dict[str, Hashable]) -> dict[str, str]:
    """Return the first label with the same key, by label."""
    first: dict[Hashable, str] = {}
    return {label: first.setdefault(key, label) for label, key in keys.items()}


def _has_settings(scores: Scores) -> bool:
    """Return whether some release of a table was run at several settings."""
    return len(np.unique(named_release_of_rows(features_of_models(scores)))) < len(scores.models)


def _fitted_transform(spec: ModelSpec, used: Scores) -> CovariateTransform:
    """Return the covariate transform of the rows that a spec uses."""
    transform = CovariateTransform.fit(used, spec.covariates)
    if spec.undisclosed.kind == "estimated":
        return transform.ranging_over(used.dataset)
    return transform


def _for_anchors(spec: ModelSpec, data: xr.Dataset) -> xr.DataArray:
    """Return scores of benchmarks that have their own loadings, on one scale."""
    score = on_one_scale(data)
    if all(term.kind not in ("attempts", "sources") for term in spec.terms):  # type: ignore[attr-defined]
        return score
    return score.isel({BENCHMARK: np.unique(first_of_each(data))})


def _warn_of_mixtures(spec: ModelSpec, scores: Scores) -> None:
    names = counted_in_full(scores.dataset)
    if names and any("log_flops" in name.split(":") for name in spec.covariates):
        warnings.warn(
            f'The spec "{spec.name}" uses training compute, and {counted_in_full_text(names)}',
            DataWarning,
            stacklevel=4,
        )


def _warn_of_single_items(scores: Scores) -> None:
    """Warn of exact 0s and 1s on a single item: half an item from either end is one half."""
    score = scores.dataset["score"]
    at_end = ((score == 0) | (score == 1)) & is_bounded(scores.dataset)
    single = at_end & (scores.item_counts == 1)
    counts = single.sum(MODEL).to_series()
    if counts.any():
        where = ", ".join(f'"{name}" ({count})' for name, count in counts[counts > 0].items())
        warnings.warn(
            f"Scores of 0 or 1 on a single item are fitted as 0.5, right or wrong, so they carry "
            f"no information about their models: benchmarks {where}, n_items 1. Average several "
            "items into one score, give the number of items, or leave these scores out.",
            DataWarning,
            stacklevel=4,
        )


def _refuse_levels(spec: ModelSpec, transform: CovariateTransform) -> None:
    """Raise SpecError if a term uses a category or several covariates as a number."""
    subsets = {
        "family.slopes": spec.family.slopes,
        "benchmarks.slopes": spec.benchmarks.slopes,
        "benchmarks.family_slopes": spec.benchmarks.family_slopes,
        "benchmarks.instruct.slopes": spec.benchmarks.instruct.slopes,
        "benchmarks.precision_covariates": spec.benchmarks.precision_covariates,
    }
    terms: tuple[Any, ...] = spec.terms  # records of `latentscale.model.terms.base.Term`
    subsets |= {f"terms, {t.kind}": sum(t.covariates().values(), ()) for t in terms}
    kinds = {kind.covariate: kind for kind in transform.kinds}
    for where, names in subsets.items():
        for name in names:
            if name not in transform.columns:
                raise SpecError(
                    f'{where}: "{name}" is not a single number, so it has no slope. Leave it out, '
                    f"or in covariates and here {single_covariates_of(kinds[name])}."
                )
    if transform.categories and not spec.skills.count:
        raise SpecError(
            f'covariates: "{transform.categories[0].name}" is a category whose levels move '
            'skills, but skills.count is 0; declare it with coding="reference", or leave it out.'
        )


def missing_values_are_parameters(method: str, design: Design) -> str:
    """Return a message that a method has no distribution for missing values of features."""
    return (
        f"{method} cannot integrate out missing values of features "
        f"({listed(design.estimated, 3)}); declare these features without "
        'missing="estimated", or use NUTS.'
    )


def _refuse_both(spec: ModelSpec, transform: CovariateTransform) -> None:
    """Raise SpecError if tokens are estimated by the spec, and features by their declaration."""
    names = [kind.name for kind in transform.kinds if kind.estimated]
    if names and spec.undisclosed.kind == "estimated":
        raise SpecError(
            f'Missing values of {listed(names)} are declared as "estimated", and the spec has '
            'undisclosed = {kind = "estimated"}, which covers tokens only. Leave that out of the '
            'spec, and declare Feature("tokens_t", missing="estimated") as well.'
        )


def _refuse_unknown_items(spec: ModelSpec, scores: Scores) -> None:
    """Raise SpecError if the likelihood counts items and some count is unknown or below 2."""
    n_items = scores.dataset["n_items"]
    few = (scores.item_counts < 2) & scores.dataset["score"].notnull()
    unknown = ((~(n_items >= 2) | few.any(MODEL)) & is_bounded(scores.dataset)).values
    likelihood = spec.benchmarks.likelihood
    if not likelihood.needs_items or not unknown.any():
        return
    names = list(dict.fromkeys(str(name) for name in n_items[BENCHMARK].values[unknown]))
    raise SpecError(
        f'benchmarks.likelihood is "{likelihood.kind}", which needs the number of items of every '
        f"benchmark (2 or more), but n_items is unknown or 1 for {listed(names)}. Give it when "
        f'the table is read, as in benchmarks={{"{names[0]}": Benchmark(floor=..., n_items=...)}}, '
        'leave the benchmark out, or take the likelihood "beta".'
    )


def _positions(values: object, names: tuple[str, ...]) -> np.ndarray:
    place = {name: index for index, name in enumerate(names)}
    return np.array([place[str(value)] for value in np.asarray(values)], dtype="int64")
