"""A spec's digest never changes: fits and caches are identified by it.

It covers settings that differ from the defaults and the priors that the spec uses, so options that
a later version adds with a default do not change it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Literal

import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.declare.kinds import LINKS, TERMS
from latentscale.declare.link import Link
from latentscale.declare.prior import PRIOR_SLOTS, Prior, PriorSlot
from latentscale.declare.skills import SkillSpec
from latentscale.model.terms.base import Term
from latentscale.posterior.fit import Fit

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # numbers_of is shared with the script that writes the numbers
from numbers_of import specs  # noqa: E402

TABLES = sorted(HERE.glob("*/digests.json"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.parent.name)
def test_digests_are_those_of_the_released_version(table: Path) -> None:
    then = json.loads(table.read_text(encoding="utf-8"))
    assert len(then) >= 24
    assert {name: spec.digest for name, spec in specs().items() if name in then} == then


@pytest.fixture
def a_later_version() -> Iterator[None]:
    """Register a term and a link with prior slots, as a later version would."""

    class Novelty(Term):
        kind: Literal["novelty"] = "novelty"
        slots: ClassVar = {"novelty": PriorSlot(Prior("Normal", mu=0, sigma=1), "something new")}

    class Probit(Link):
        kind: Literal["novel-link"] = "novel-link"
        slots: ClassVar = {"bend": PriorSlot(Prior("HalfNormal", sigma=1), "a bend")}

    TERMS.add(Novelty)
    LINKS.add(Probit)
    yield
    TERMS.remove("novelty")
    LINKS.remove("novel-link")


class LaterSkills(SkillSpec):
    """Skills with a field that a later version adds."""

    whiten: bool = False


class LaterSpec(ModelSpec):
    """A spec with fields that a later version adds."""

    skills: LaterSkills = LaterSkills()
    horizon: float = 1.5
    windows: tuple[str, ...] = ()


def later(spec: ModelSpec, **changes: object) -> LaterSpec:
    """Return what a later version reads from a spec."""
    values = {name: getattr(spec, name) for name in type(spec).model_fields}
    values["skills"] = LaterSkills(**{n: getattr(spec.skills, n) for n in SkillSpec.model_fields})
    return LaterSpec(**{**values, **changes})


@pytest.mark.parametrize("name", json.loads(TABLES[-1].read_text(encoding="utf-8")))
def test_a_new_prior_slot_changes_no_digest(name: str, a_later_version: None) -> None:
    assert "novelty" in PRIOR_SLOTS and "bend" in PRIOR_SLOTS
    then = json.loads(TABLES[-1].read_text(encoding="utf-8"))
    assert specs()[name].digest == then[name]


@pytest.mark.parametrize("name", list(specs()))
def test_a_new_field_with_a_default_changes_no_digest(name: str) -> None:
    spec = specs()[name]
    assert later(spec).digest == spec.digest
    assert later(spec, horizon=2.0).digest != spec.digest


def test_what_a_spec_sets_and_the_priors_that_it_uses_change_its_digest() -> None:
    spec = ls.load_spec("pooled_flops")
    used = spec.with_priors({"intercept": {"dist": "Normal", "mu": 0, "sigma": 1.9}})
    unused = spec.with_priors({"link_power": {"dist": "LogNormal", "mu": 0, "sigma": 0.4}})
    assert used.digest != spec.digest
    assert unused.digest == spec.digest  # a logistic link has no power
    assert spec.model_copy(update={"name": "other", "description": "x"}).digest == spec.digest


def test_a_saved_fit_loads_in_a_version_with_another_prior_slot(
    prior_fit: Callable[..., Fit],
    small_scores: Scores,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    spec = ls.load_spec("pooled_flops")
    path = prior_fit(spec, small_scores, draws=5).save(tmp_path / "fit.nc")
    request.getfixturevalue("a_later_version")
    assert ls.load(path).spec == spec
