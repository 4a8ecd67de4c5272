"""Every registered likelihood, link and term passes the checks of its concept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.declare.kinds import LIKELIHOODS, LINKS, TERMS
from latentscale.declare.likelihood import Likelihood
from latentscale.declare.link import Link
from latentscale.model.terms.base import terms_of

sys.path.insert(0, str(Path(__file__).parent))  # shared with the tests of kinds from outside
from kind_checks import check_density, check_draws, check_link, check_log_prior


def settings(kind: type[Likelihood] | type[Link]) -> list[Any]:
    """Return a kind with its default settings, and with each of its flags reversed."""
    usual = kind()  # type: ignore[call-arg]
    flags = [name for name in type(usual).model_fields if isinstance(getattr(usual, name), bool)]
    return [usual, *(usual.model_copy(update={f: not getattr(usual, f)}) for f in flags)]


EVERY_LIKELIHOOD = [one for kind in LIKELIHOODS.values() for one in settings(kind)]
PRECISION = {"heavy-tailed-beta": 120.0}
"""Where 12 does not work: mass of the widest Beta then rounds to 1, which no grid resolves."""
EVERY_LINK = [one for kind in LINKS.values() for one in settings(kind)]


@pytest.mark.parametrize("likelihood", EVERY_LIKELIHOOD, ids=str)
def test_a_likelihood_has_one_density(likelihood: Likelihood) -> None:
    check_density(likelihood)


@pytest.mark.parametrize("likelihood", EVERY_LIKELIHOOD, ids=str)
def test_draws_follow_the_likelihoods_density(likelihood: Likelihood) -> None:
    check_draws(likelihood, PRECISION.get(likelihood.kind, 12.0))


@pytest.mark.parametrize("link", EVERY_LINK, ids=str)
def test_a_link_increases_inside_the_unit_interval(link: Link) -> None:
    check_link(link)


SETTINGS: dict[str, dict[str, Any]] = {
    "trend": {"covariate": "log_params"},
    "category-trend": {"covariate": "log_params", "category": "provider"},
    "curvature": {"squares": ["log_params"]},
    "levelling": {"names": ["log_params"]},
}
"""Settings of kinds of term that a spec switches on by a table and that require settings."""


def spec_using(kind: str, everything: ModelSpec) -> ModelSpec:
    """Return a spec that has a term of the kind."""
    estimated = spec_from_dict({"name": "tokens", "undisclosed": {"kind": "estimated"}})
    settings = SETTINGS.get(kind, {})
    if "category" in settings:
        covariates = [settings["covariate"], settings["category"]]
        terms = [{"kind": kind, **settings}]
        return spec_from_dict({"name": kind, "covariates": covariates, "terms": terms})
    if TERMS[kind].is_set_by_table():
        return everything.with_({"terms": [{"kind": kind, **settings}]})
    category = everything.with_({"covariates": [*everything.covariates, "provider"]})
    specs = (everything, estimated, category)
    return next(s for s in specs if any(term.kind == kind for term in terms_of(s)))


@pytest.mark.parametrize("kind", list(TERMS))
def test_log_priors_are_those_of_the_free_parameters_of_a_term(
    kind: str, everything_spec: ModelSpec, small_scores: Scores, evaluated: Any
) -> None:
    spec = spec_using(kind, everything_spec)
    info = {
        name: ls.Benchmark(
            floor=b.floor, n_items=b.n_items, group="some", attempts=2, source=name[:1]
        )
        for name, b in small_scores.benchmark_info.items()
    }
    frame = small_scores.to_frame()
    table = frame.assign(provider=["a", "b", "c"] * (len(frame) // 3))
    grouped = Scores.from_frame(table, benchmarks=info)
    check_log_prior(spec, evaluated(spec, grouped))


OTHER_SETTINGS = {
    "fixed families": {"family": {"level": "fixed"}, "benchmarks": {"family_effect": True}},
    "family unit": {
        "skills": {"count": 2, "identify": {"kind": "anchored", "unit": "family"}},
        "family": {"level": "partial", "correlated": True},
    },
    "pooled benchmarks": {"benchmarks": {"pooled": True, "ceiling": "estimated"}},
    "pooled benchmarks, free skills": {
        "skills": {"count": 2, "identify": {"kind": "free"}},
        "benchmarks": {"pooled": True, "precision_covariates": ["log_flops"]},
    },
    "free skills": {"skills": {"count": 2, "identify": {"kind": "free"}}},
    "estimated floors": {"benchmarks": {"floor": "estimated", "likelihood": {"kind": "student-t"}}},
}


@pytest.mark.parametrize("name", OTHER_SETTINGS)
def test_log_priors_are_those_of_other_settings(
    name: str, small_scores: Scores, evaluated: Any
) -> None:
    spec = spec_from_dict({"name": name, **OTHER_SETTINGS[name]})
    check_log_prior(spec, evaluated(spec, small_scores))


@pytest.mark.filterwarnings("ignore:Scores were read")  # a row without tokens, as wanted
def test_undisclosed_tokens_have_their_log_prior(small_scores: Scores, evaluated: Any) -> None:
    frame = small_scores.to_frame()
    frame.loc[frame["model"] == "fam00-m1", "tokens_t"] = None
    hidden = ls.Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    spec = spec_from_dict({"name": "tokens", "undisclosed": {"kind": "estimated"}})
    values = evaluated(spec, hidden)
    assert "log_tokens" in values.natural
    check_log_prior(spec, values)
