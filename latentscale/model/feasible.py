"""Which parts of a spec a table has the data for; the others are left out with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

from latentscale.data.covariates import features_in_use
from latentscale.data.features.base import ESTIMATED
from latentscale.data.known_features import features_of, kinds_among
from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.declare.undisclosed import some_need_tokens
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import FitWarning, listed

USES_COVARIATES: Final = (
    "covariates",
    "family.slopes",
    "benchmarks.slopes",
    "benchmarks.family_slopes",
    "benchmarks.precision_covariates",
    "benchmarks.instruct.slopes",
)
"""Fields of a spec that name covariates."""


LEAST_SHARE: Final = 0.5
"""Share of the models that must state an optional covariate. A fit with the covariate leaves out
the models that do not state it; with a smaller share, that would be most of the table."""


def feasible(spec: ModelSpec, scores: Scores) -> ModelSpec:
    """Return a spec without the parts that a table has no data for; warn about what is left out.

    The parts left out are optional covariates that fewer than half of the models with a score
    state, optional categories with one level, the terms that use them, and terms that have no
    effect for the table, such as effects on groups of benchmarks if no benchmarks share a group.
    Any other covariate that a table does not have is an error when covariates are read from it.

    Parameters
    ----------
    spec, scores
        The model and the table.

    Warns
    -----
    FitWarning
        Once, naming everything that is left out.
    """
    optional = [name for name in spec.covariates if name in spec.optional]
    unstated = [name for name in optional if stated_share(name, scores) < LEAST_SHARE]
    alike = [name for name in optional if name not in unstated and one_level(name, scores)]
    gone = [*unstated, *alike]
    terms: tuple[Any, ...] = spec.terms  # records of `latentscale.model.terms.base.Term`
    idle = {term.kind: term.idle(scores) for term in terms if not set(used(term)) & set(gone)}
    left = [term for term in terms if not set(used(term)) & set(gone) and not idle[term.kind]]
    if not gone and len(left) == len(terms):
        return spec
    reasons = [f"fewer than half of the models state {listed(unstated, 10)}"] if unstated else []
    reasons += [f"all models have the same {', '.join(alike)}"] if alike else []
    reasons += [reason for reason in idle.values() if reason]
    dropped = [f"the covariate {name}" for name in gone]
    dropped += [f"the term {term.kind}" for term in terms if term not in left]
    warnings.warn(
        f'"{spec.name}" is fitted without {" and ".join(dropped)}: {"; ".join(reasons)}.',
        FitWarning,
        stacklevel=3,
    )
    changes = without_covariates(spec, gone)
    reduced = spec.with_(changes | {"terms": [term.model_dump() for term in left]})
    fresh = set(reduced.unused_priors()) - set(spec.unused_priors())
    kept = {name: prior for name, prior in spec.priors.items() if name not in fresh}
    return reduced.model_copy(update={"priors": kept}) if fresh else reduced


def without_covariates(spec: ModelSpec, gone: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a spec that name some covariates, without these, for `spec.with_`.

    If no remaining covariate uses training tokens, undisclosed tokens are not estimated.
    """
    changes: dict[str, Any] = {}
    for path in USES_COVARIATES:
        value: Any = spec
        for name in path.split("."):
            value = getattr(value, name)
        kept = [name for name in value if name not in gone]
        if len(kept) < len(value):
            changes[path] = kept
    if spec.undisclosed.kind == "estimated" and not some_need_tokens(
        changes.get("covariates", spec.covariates)
    ):
        changes["undisclosed"] = {"kind": "leave-out"}
    return changes


def used(term: Any) -> tuple[str, ...]:
    """Return the covariates and categories that a term uses, each once."""
    own = [name for names in term.covariates().values() for name in names]
    own += term.categories()
    return tuple(dict.fromkeys([*own, *filter(None, [getattr(term, "covariate", None)])]))


def drawable(scores: Scores, columns: Sequence[str]) -> list[str]:
    """Return the columns of features whose missing values can be parameters."""
    kinds = kinds_among(features_of(scores.dataset))
    return [name for name in columns if name in kinds and ESTIMATED in kinds[name].if_missing]


def stated_share(covariate: str, scores: Scores) -> float:
    """Return the share of models with a score that state the features that a covariate needs.

    If a category's missing values are a level, all models of a table that has it state it.
    """
    table = scores.dataset
    scored = table["score"].notnull().any(BENCHMARK).values
    kinds = features_in_use(table, [covariate])
    if not scored.any() or any(kind.pooled and kind.variable not in table for kind in kinds):
        return 0.0
    return float(min((kind.given(table)[scored].mean() for kind in kinds), default=1.0))


def one_level(covariate: str, scores: Scores) -> bool:
    """Return whether no two models with a score differ in a pooled category."""
    table = scores.dataset
    scored = table.isel({MODEL: table["score"].notnull().any(BENCHMARK)})
    kinds = features_in_use(table, [covariate])
    return any(kind.pooled and len(kind.settled(scored).feature.levels) < 2 for kind in kinds)
