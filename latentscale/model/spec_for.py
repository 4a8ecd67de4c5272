"""Which spec suits a table's data, and why; not how well it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import xarray as xr

from latentscale.data.covariates import CovariateTransform, missing_features
from latentscale.data.features.base import ESTIMATED
from latentscale.data.scores import Scores
from latentscale.declare.io import load_spec, shipped_specs
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import SpecError, listed
from latentscale.expect import expect
from latentscale.markup import bullets, counted, fitted_text
from latentscale.model.feasible import (
    LEAST_SHARE,
    drawable,
    one_level,
    stated_share,
    used,
    without_covariates,
)

AUTO: Final = "auto"
"""The choice among the specs below by the features that most models of a table state."""
WITH_SIZES, WITH_SIZES_AND_DATES, WITHOUT_SIZES, OF_RUNS = (
    "latentscale",
    "latentscale_dated",
    "capabilities",
    "checkpoints",
)
_LEAST_SIZED: Final = 0.75
"""Share of the models that must state a size, or a date, for a spec that leaves out the others: if
more than a quarter were left out, forecasts would no longer be for the table that was given."""
_A_CURVE: Final = 3
"""Smallest number of token counts for a family's models of one size to be checkpoints of a run: a
family that was trained again on more data has two."""
_FOR_A_FACTOR: Final = 2
"""Benchmarks per factor, plus one more in total, for the noise of each to be identified: with
fewer, the loadings without one benchmark do not split into two parts of full rank (Anderson and
Rubin 1956, theorem 5.1)."""
_TOKENS: Final = "tokens_t"
_CALLED: Final = {"params_b": "size", _TOKENS: "training tokens"}
"""Names of columns in reasons; other columns have their own names."""


@dataclass(frozen=True, repr=False)
class SpecChoice:
    """A spec for which a table has the data, and the reasons for choosing it.

    Attributes
    ----------
    spec
        The spec, for `latentscale.fit` or `latentscale.backtest`.
    reasons
        A sentence for each decision: the spec chosen, what it is fitted without, and which models
        it leaves out. Empty if a spec is returned unchanged.

    Examples
    --------
    >>> choice = ls.spec_for(ls.datasets.open_llm_leaderboard())
    >>> choice.spec.name, choice.reasons
    ('latentscale', ('most models state their size: the spec is latentscale',))
    """

    spec: ModelSpec
    reasons: tuple[str, ...]

    @property
    def _headline(self) -> str:
        return f"{self.spec.name}, on {', '.join(self.spec.covariates) or 'no covariate'}"

    def __repr__(self) -> str:
        lines = [f"SpecChoice: {self._headline}", *(f"  - {line}" for line in self.reasons)]
        return fitted_text([*lines, "See .spec, .reasons"])

    def _repr_html_(self) -> str:
        return f"<p>SpecChoice: {escape(self._headline)}</p>{bullets(self.reasons)}"


def spec_for(scores: Scores, spec: str | Path = AUTO) -> SpecChoice:
    """Return a spec that a table can be fitted with, and the reasons.

    ``"auto"`` chooses ``checkpoints`` if at least half of the models are checkpoints: models of
    one family and size at three or more numbers of tokens. Otherwise it chooses ``latentscale`` if
    at least three quarters of the models state a size, or ``latentscale_dated`` if as many also
    state a release date and dates differ. For all other tables it chooses ``capabilities``, which
    leaves out no model for lack of a size.

    With ``"auto"``, covariates that fewer than half of the models state are then dropped; with the
    name of a shipped spec, only those that no model states. In either case, terms that need these
    covariates, or groups of benchmarks that the table does not have, are dropped too. There is at
    most one skill per benchmark. Free skills with residuals, as in ``capabilities``, number at most
    (n - 1) / 2 for n benchmarks, and at least one; with more, the noise is not identified
    (Anderson and Rubin 1956). ``--spec`` on the command line does the same.

    Parameters
    ----------
    scores
        The table. Models without a score do not count.
    spec
        ``"auto"``, or the name of a shipped spec. A TOML file given by its path is read and
        returned unchanged.

    Returns
    -------
    SpecChoice
        The spec, and a sentence for each decision.

    Raises
    ------
    LatentscaleError
        If `scores` is not a table of scores.
    SpecError
        If `spec` is neither ``"auto"``, nor a shipped spec, nor a readable file.

    Examples
    --------
    >>> scores = ls.datasets.open_llm_leaderboard(dated=True)
    >>> ls.spec_for(scores)
    SpecChoice: latentscale_dated, on log_params, log_tokens, log_params:log_tokens, released
      - most models state their size and date: the spec is latentscale_dated
    See .spec, .reasons
    >>> ls.spec_for(scores, "capabilities").reasons[0]
    'no model has reasoning, size_class: capabilities is fitted on released alone'
    """
    expect(scores, Scores, "scores")
    if spec != AUTO:
        model = load_spec(spec)
        if str(spec) not in shipped_specs():
            return SpecChoice(model, ())
        model, reasons = _reduced(model, scores, share=0.0)
        return SpecChoice(model, (*reasons, *_left_out(model, scores)))
    name, reasons = _chosen(scores)
    model, without = _reduced(load_spec(name), scores, share=LEAST_SHARE)
    model, drawn = _with_tokens_estimated(model, scores)
    return SpecChoice(model, (*reasons, *without, *drawn, *_left_out(model, scores)))


def _chosen(scores: Scores) -> tuple[str, tuple[str, ...]]:
    """Return the shipped spec for a table, and why."""
    sized = stated_share("log_params", scores)
    if sized < LEAST_SHARE:
        return WITHOUT_SIZES, (f"most models state no size: the spec is {WITHOUT_SIZES}",)
    if (share := _share_of_checkpoints(scores)) >= LEAST_SHARE:
        return OF_RUNS, (
            f"{share:.0%} of the models are checkpoints, of one family and size at {_A_CURVE} or "
            f"more token counts: the spec is {OF_RUNS}",
        )
    if sized < _LEAST_SIZED:
        return WITHOUT_SIZES, (
            f"{1 - sized:.0%} of the models state no size: the spec is {WITHOUT_SIZES}, "
            f"which keeps them; {WITH_SIZES} would leave them out",
        )
    dated = _stated("released", scores, _LEAST_SIZED) and _varies("released", scores)
    spec = WITH_SIZES_AND_DATES if dated else WITH_SIZES
    return spec, (
        f"most models state their size{' and date' if dated else ''}: the spec is {spec}",
    )


def _left_out(model: ModelSpec, scores: Scores) -> tuple[str, ...]:
    """Return how many models a spec leaves out, for which feature, and how to keep them.

    If the spec uses sizes and tokens, both are named, so that both are drawn if missing.
    """
    table = _scored(scores)
    missing = missing_features(table, model.covariates)
    if model.undisclosed.kind == "estimated":
        missing.pop(_TOKENS, None)
    reasons = []
    for column, rows in missing.items():
        if not rows.any():
            continue
        why = f"{int(rows.sum())} of {counted(len(rows), 'model')} state no "
        why += f"{_CALLED.get(column, column)} and are left out: "
        names = [column, _TOKENS] if column == "params_b" and model.needs_tokens else [column]
        keeps = [f"the spec {WITHOUT_SIZES} keeps them"] if column in ("params_b", _TOKENS) else []
        if drawable(scores, names) == names:
            shown = ", ".join(f'"{name}"' for name in names)
            keeps.append(f"scores.with_estimated([{shown}]) keeps them and draws it")
        reasons.append(why + (", or ".join(keeps) or "fill it, or name a spec without it"))
    return tuple(reasons)


def _reduced(
    model: ModelSpec, scores: Scores, *, share: float
) -> tuple[ModelSpec, tuple[str, ...]]:
    """Return a spec without covariates that too few models state, and why.

    `share` is the share of the models that must state a covariate; 0 requires only one model.
    """
    unstated = [name for name in model.covariates if not _stated(name, scores, share)]
    alike = [n for n in model.covariates if n not in unstated and one_level(n, scores)]
    gone = [*unstated, *alike]
    changes = without_covariates(model, gone)
    terms: tuple[Any, ...] = model.terms  # records of `latentscale.model.terms.base.Term`
    idle = {term.kind: term.idle(scores) for term in terms if not set(used(term)) & set(gone)}
    left = [term for term in terms if not set(used(term)) & set(gone) and not idle[term.kind]]
    if len(left) < len(terms):
        changes["terms"] = [term.model_dump() for term in left]
    reasons = []
    if gone:
        why = [_why_unstated(unstated, scores, share)] if unstated else []
        why += [f"all models have the same {', '.join(alike)}"] if alike else []
        without = [term.kind for term in terms if term.kind not in idle]
        on = _what_is_left(model, scores, changes["covariates"], gone, "; ".join(why))
        on += f", {_without(without)}" if without else ""
        reasons.append(f"{'; '.join(why)}: {model.name} is fitted on {on}")
    reasons += [
        f"{why}: {model.name} is fitted {_without([kind])}" for kind, why in idle.items() if why
    ]
    reduced = model.with_(changes) if changes else model
    reduced, fewer = _with_fewer_skills(reduced, scores)
    return reduced, (*reasons, *fewer)


def _without(kinds: Sequence[str]) -> str:
    """Return a clause that names the terms a spec is fitted without."""
    return f"without the {'terms' if len(kinds) > 1 else 'term'} {', '.join(kinds)}"


def _what_is_left(
    model: ModelSpec, scores: Scores, kept: Sequence[str], gone: Sequence[str], why: str
) -> str:
    """Return the covariates that a spec keeps.

    Raises
    ------
    SpecError
        If nothing is left in which models differ.
    """
    if kept or model.skills.count or model.benchmarks.family_effect:
        return f"{', '.join(kept)} alone" if kept else "no covariate"
    columns = listed(missing_features(scores.dataset, gone))
    raise SpecError(
        f'The spec "{model.name}" cannot be fitted: {why}, and it has no other covariate, no '
        "skills and no effects of families, so its models would not differ at all. Give "
        f"{columns} when the table is read, or name a spec that needs none of them, such as "
        f'"{WITHOUT_SIZES}".'
    )


def _why_unstated(covariates: Sequence[str], scores: Scores, share: float) -> str:
    """Return a clause that too few models, or none, state some covariates."""
    if not share and set(_stated_by_none(covariates, scores)) == {_TOKENS}:
        return "no model states its training tokens"
    how_many = "fewer than half of the models have" if share else "no model has"
    return f"{how_many} {', '.join(covariates)}"


def _stated_by_none(covariates: Sequence[str], scores: Scores) -> list[str]:
    """Return the columns that these covariates need and that no model with a score states."""
    table = _scored(scores)
    return [name for name, rows in missing_features(table, covariates).items() if rows.all()]


def _with_tokens_estimated(model: ModelSpec, scores: Scores) -> tuple[ModelSpec, tuple[str, ...]]:
    """Return a spec that draws the tokens of the models that do not state them, if any."""
    if any(one.name == _TOKENS and one.missing == ESTIMATED for one in scores.features):
        return model, ()
    table = _scored(scores)
    sized = table["tokens"].where(table["params"].notnull(), drop=True)
    unknown = int(sized.isnull().sum())
    if not model.needs_tokens or not unknown:
        return model, ()
    why = (
        f"{unknown} of {counted(sized.size, 'model')} of known size state no training tokens: "
        f'{model.name} is fitted with undisclosed = {{kind = "estimated"}}, which draws them'
    )
    return model.with_({"undisclosed": {"kind": "estimated"}}), (why,)


def _with_fewer_skills(model: ModelSpec, scores: Scores) -> tuple[ModelSpec, tuple[str, ...]]:
    """Return a spec with no more skills than the benchmarks that have a score identify."""
    scored = int(scores.dataset["score"].notnull().any(MODEL).sum())
    most = scored
    if model.skills.residual and model.skills.identify.kind == "free":  # factors plus noise
        most = max((scored - 1) // _FOR_A_FACTOR, min(scored, 1))
    if not 0 < most < model.skills.count:
        return model, ()
    why = (
        f"the table has {counted(scored, 'benchmark')}: {model.name} is fitted with "
        f"{counted(most, 'skill')} instead of {model.skills.count}"
    )
    alone = {"family.correlated": False} if most == 1 else {}
    return model.with_({"skills.count": most, **alone}), (why,)


def _scored(scores: Scores) -> xr.Dataset:
    """Return the rows of a table that have a score."""
    return scores.dataset.isel({MODEL: scores.dataset["score"].notnull().any(BENCHMARK)})


def _stated(name: str, scores: Scores, share: float) -> bool:
    """Return whether some models, and at least a share, state what a covariate needs."""
    given = stated_share(name, scores)
    return given > 0 and given >= share


def _share_of_checkpoints(scores: Scores) -> float:
    """Return the share of models in families that have a model of that size at several tokens."""
    table = _scored(scores)
    frame = table[["family", "params", "tokens"]].to_dataframe()
    counts = frame.groupby(["family", "params"])["tokens"].transform("nunique")
    return float((counts >= _A_CURVE).sum() / max(len(frame), 1))


def _varies(name: str, scores: Scores) -> bool:
    fitted = CovariateTransform.fit(scores, [name])
    return fitted.lower[name] < fitted.upper[name]
