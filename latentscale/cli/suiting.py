"""Which spec a table can be fitted with at once: for commands that take scores instead of a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from latentscale.cli.console import say
from latentscale.markup import counted

if TYPE_CHECKING:
    from latentscale.data.scores import Scores
    from latentscale.declare.spec import ModelSpec

AUTO: Final = "auto"
"""The recommended spec for models with sizes, with dates or not, or that for models without."""
WITH_SIZES, WITH_SIZES_AND_DATES, WITHOUT_SIZES = (
    "latentscale",
    "latentscale_dated",
    "capabilities",
)
_MOST: Final = 0.5
"""Share of models that must state a feature: else most of the table would be left out."""


def suited(name: str, scores: Scores) -> ModelSpec:
    """Return a spec for a table, without what the table cannot give where a shipped one is meant.

    Parameters
    ----------
    name
        A shipped spec, the path of a TOML file, which is taken as it is, or `AUTO`.
    scores
        The table. Covariates that no model states, or with `AUTO` fewer than half, are left out,
        and so are terms that need them or groups of benchmarks, and skills beyond the number of
        benchmarks; this is said.
    """
    import latentscale as ls
    from latentscale.declare.io import shipped_specs

    if name == AUTO:
        spec, have = WITHOUT_SIZES, "most models state no size"
        if float(scores.dataset["params"].notnull().mean()) >= _MOST:
            dated = _stated("released", scores, _MOST) and _varies("released", scores)
            spec = WITH_SIZES_AND_DATES if dated else WITH_SIZES
            have = f"most models state their size{' and date' if dated else ''}"
        say(f"{have}: the spec is {spec} (--spec names another)")
        unsized = int(scores.dataset["params"].isnull().sum())
        if spec != WITHOUT_SIZES and unsized:
            say(
                f"{unsized} of {counted(len(scores.models), 'model')} state no size and are left "
                f"out: --spec {WITHOUT_SIZES} keeps them"
            )
        return _with_tokens_estimated(
            without_unstated(ls.load_spec(spec), scores, share=_MOST), scores
        )
    model = ls.load_spec(name)
    return without_unstated(model, scores, share=0.0) if name in shipped_specs() else model


def without_unstated(model: ModelSpec, scores: Scores, *, share: float) -> ModelSpec:
    """Leave out covariates that no model states, or at most a share of the models.

    Parameters
    ----------
    model
        A spec.
    scores
        The table.
    share
        Share of the models that must state a feature, or 0 for any.
    """
    from latentscale.model.feasible import used, without_covariates

    gone = [name for name in model.covariates if not _stated(name, scores, share)]
    changes = without_covariates(model, gone)
    terms: tuple[Any, ...] = model.terms  # records of `latentscale.model.terms.base.Term`
    without = [
        term for term in terms if any(name in gone for name in used(term)) or term.idle(scores)
    ]
    if without:
        changes["terms"] = [term.model_dump() for term in terms if term not in without]
    if gone:
        kept = changes["covariates"]
        on = f"{', '.join(kept)} alone" if kept else "no covariate"
        if _tokens_alone(gone) and not share:
            why = "no model states its training tokens"
        else:
            why = f"{'fewer than half of the models have' if share else 'no model has'} "
            why += ", ".join(gone)
        say(f"{why}: {model.name} is fitted on {on}")
    for term in without:
        if not any(name in gone for name in used(term)):
            say(f"{term.idle(scores)}: {model.name} is fitted without the term {term.kind}")
    return _with_fewer_skills(model.with_(changes) if changes else model, scores)


def _with_tokens_estimated(model: ModelSpec, scores: Scores) -> ModelSpec:
    """Return a spec that draws the tokens of the models that do not state them, if any."""
    sized = scores.dataset["tokens"].where(scores.dataset["params"].notnull(), drop=True)
    unknown = int(sized.isnull().sum())
    if not model.needs_tokens or not unknown:
        return model
    say(
        f"{unknown} of {counted(sized.size, 'model')} of known size state no training tokens: "
        f'{model.name} is fitted with undisclosed = {{kind = "estimated"}}, which draws them'
    )
    return model.with_({"undisclosed": {"kind": "estimated"}})


def _with_fewer_skills(model: ModelSpec, scores: Scores) -> ModelSpec:
    """Return a spec with at most one skill for each benchmark that has a score."""
    from latentscale.dims import MODEL

    scored = int(scores.dataset["score"].notnull().any(MODEL).sum())
    if not 0 < scored < model.skills.count:
        return model
    say(
        f"the table has {counted(scored, 'benchmark')}: {model.name} is fitted with "
        f"{counted(scored, 'skill')} in place of {model.skills.count}"
    )
    alone = {"family.correlated": False} if scored == 1 else {}
    return model.with_({"skills.count": scored, **alone})


def _stated(name: str, scores: Scores, share: float) -> bool:
    from latentscale.data.covariates import features_in_use

    kinds = features_in_use(scores.dataset, [name])
    given = [float(kind.given(scores.dataset).mean()) for kind in kinds]
    return all(given_share > 0 and given_share >= share for given_share in given)


def _varies(name: str, scores: Scores) -> bool:
    from latentscale.data.covariates import CovariateTransform

    fitted = CovariateTransform.fit(scores, [name])
    return fitted.lower[name] < fitted.upper[name]


def _tokens_alone(names: Sequence[str]) -> bool:
    return all("log_tokens" in name or "log_flops" in name for name in names)
