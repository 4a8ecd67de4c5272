"""Refuse specs and tables that Gibbs sampling cannot handle, and advise what to use instead."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from latentscale.data.scaling import is_bounded, lower_is_better
from latentscale.declare.likelihood import Likelihood
from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError, listed
from latentscale.model.design import Design
from latentscale.model.scaled import CEILING
from latentscale.model.terms.base import Term, terms_of
from latentscale.model.terms.curve import BenchmarkCurve
from latentscale.model.terms.loading import Loadings
from latentscale.model.terms.model_precision import ModelPrecision
from latentscale.model.terms.precision import Precision

INSTEAD = "Use NUTS(), which takes every spec."
_OWN = (
    BenchmarkCurve,
    Loadings,
    ModelPrecision,
    Precision,
)  # the sampler has its own updates for these


def refuse(spec: ModelSpec, design: Design) -> None:
    """Raise FitError if Gibbs sampling cannot draw some conditional exactly.

    Raises
    ------
    FitError
        Naming each term or field, and what to do.
    """
    faults = [*_of_scores(spec, design), *_of_terms(spec, design)]
    if faults:
        raise FitError(
            f'Gibbs cannot draw under the spec "{spec.name}": {"; ".join(faults)}. {INSTEAD}'
        )


def _of_scores(spec: ModelSpec, design: Design) -> Iterator[str]:
    """Yield why scores are not normal around the linear predictor."""
    settings, data = spec.benchmarks, design.scores.dataset
    bounded = is_bounded(data).values
    likelihood = settings.likelihood
    if bounded.any() and not likelihood.normal_on_logit:
        yield (
            f'the likelihood "{likelihood.kind}" is not normal on the logit scale '
            '(benchmarks.likelihood = {kind = "student-t"} or {kind = "logit-normal"} is)'
        )
    elif not (likelihood.normal_on_logit or type(likelihood).unbounded is Likelihood.unbounded):
        yield f'the likelihood "{likelihood.kind}" is not normal for scores that are not fractions'
    if bounded.any() and settings.link.kind != "logistic":
        yield (
            f'the link "{settings.link.kind}" is not linear on the logit scale '
            '(benchmarks.link = {kind = "logistic"} is)'
        )
    if settings.floor == "estimated" or settings.ceiling == "estimated":
        yield 'benchmarks.floor and benchmarks.ceiling must be "fixed"'
    names = np.array(design.scores.benchmarks)
    end = lower_is_better(data).values.astype(float)
    away = names[bounded & (design.floor.values != end)]
    if len(away):
        yield (
            f"{listed(list(away))} have guessing floors, above which curves are not linear on "
            "the logit scale (Benchmark(floor=0) leaves the floors out of the model)"
        )
    if CEILING in design.known_curve:
        off = names[bounded & (design.known_curve[CEILING].values != 1 - end)]
        if len(off):
            yield f"{listed(list(off))} have ceilings other than 1"
    if design.sampling is not None:
        yield (
            "the table states standard errors or item counts of single scores, so variances depend "
            "on expected scores"
        )
    if settings.pooled and settings.largest_precision is not None:
        yield (
            f"benchmarks.largest_precision = {settings.largest_precision:g} bounds pooled "
            "precisions, whose prior is then not normal on the log scale; leave it out"
        )
    if spec.skills.count and not spec.skills.scale_dims:
        yield (
            'skills.identify.scales is "shared", but Gibbs draws separate spreads for each skill '
            '(set "by-skill")'
        )
    if settings.precision_covariates:
        yield "benchmarks.precision_covariates make variances differ between models"


def _of_terms(spec: ModelSpec, design: Design) -> Iterator[str]:
    """Yield the terms and priors whose conditionals have another form."""
    if design.undisclosed:
        yield f"undisclosed training tokens are parameters ({listed(design.undisclosed)})"
        return
    if design.estimated:
        yield f"missing values of features are parameters ({listed(design.estimated)})"
        return
    for term in terms_of(spec):
        if isinstance(term, _OWN):
            continue
        effects = term.normal_effects(spec, design)
        if effects is None:
            yield f'the term "{term.kind}" is not declared as linear in normal effects'
            continue
        if any(e.equal_correlation is not None for e in effects):
            yield "the settings of one release have correlated residuals (skills.release)"
        slots = [e.prior for e in effects if e.prior is not None]
        slots += [f"{e.pooling.name}_mean" for e in effects if e.pooling is not None]
        yield from _not_normal(spec, slots)
    yield from _of_loadings(spec)


def _of_loadings(spec: ModelSpec) -> Iterator[str]:
    term = Loadings.of(spec)
    if term is not None and term.pooled:
        yield from _not_normal(spec, [f"{term.pooling.name}_mean"])
    elif term is not None and spec.prior("loading").support == "real":
        yield from _not_normal(spec, ["loading"])
    if spec.benchmarks.pooled:
        yield from _not_normal(spec, ["precision_mean"])


def _not_normal(spec: ModelSpec, slots: list[str]) -> Iterator[str]:
    for slot in slots:
        if spec.prior(slot).dist != "Normal":
            yield f'the prior of "{slot}" is {spec.prior(slot)}, but must be a Normal'


def unused(term: Term) -> bool:
    """Return whether the sampler has its own updates for a term."""
    return isinstance(term, _OWN)
