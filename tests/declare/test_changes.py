"""Changed copies of records: every way to make one checks it, and dots address parts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import latentscale as ls
from latentscale.declare import PRIOR_SLOTS, ModelSpec, Prior, load_spec
from latentscale.declare.skills import Free
from latentscale.errors import LatentscaleError, SpecError

WIDE = {"dist": "Normal", "mu": 0, "sigma": 3}
COPIES: dict[str, Callable[[ModelSpec, dict], ModelSpec]] = {
    "with_": lambda spec, changes: spec.with_(changes),
    "model_copy": lambda spec, changes: spec.model_copy(update=changes),
    "deep model_copy": lambda spec, changes: spec.model_copy(update=changes, deep=True),
    "pydantic's old copy": lambda spec, changes: spec.copy(update=changes),
    "model_construct": lambda spec, changes: type(spec).model_construct(
        **{"name": "made", **changes}
    ),
}
if hasattr(copy, "replace"):  # from Python 3.13 on
    COPIES["copy.replace"] = lambda spec, changes: copy.replace(spec, **changes)
WRONG = [
    ({"priors": {"slop": WIDE}}, ['"slop"', 'Did you mean "slope"']),
    ({"priors": {"slope": {"dist": "Normal", "mu": 0, "sigmaa": 1}}}, ["priors.slope", "sigmaa"]),
    ({"priors": {"family_scale": WIDE}}, ["family_scale", "positive"]),
    ({"priors": 3}, ["priors must be a table"]),
    ({"skils": {"count": 1}}, ['"skils"', 'Did you mean "skills"']),
    ({"skills": {"cout": 1}}, ["skills:", '"cout"', 'Did you mean "count"']),
    ({"skills": {"count": "3"}}, ["skills.count", "'3'"]),
    ({"skills": 3}, ["skills", "3"]),
    ({"covariates": ["log_flops:"]}, ["covariates", '"log_flops:"']),
    ({"family": {"level": "none", "lineage": True}}, ['"none"', "family.lineage"]),
]


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return load_spec("latentscale")


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_no_way_of_copying_takes_a_typo(
    spec: ModelSpec, way: str, changes: dict, said: list[str]
) -> None:
    with pytest.raises(SpecError) as caught:
        COPIES[way](spec, changes)
    for part in said:
        assert part in str(caught.value)


@pytest.mark.parametrize("way", COPIES)
def test_every_way_of_copying_makes_the_change(spec: ModelSpec, way: str) -> None:
    changed = COPIES[way](spec, {"priors": {"slope": WIDE}, "skills": {"count": 3}})
    assert changed.prior("slope") == Prior("Normal", mu=0, sigma=3)
    assert changed.skills.count == 3 and spec.skills.count == 2
    assert changed.digest != spec.digest


def test_a_dot_leads_into_a_part_whose_other_fields_stay(spec: ModelSpec) -> None:
    changed = spec.with_(
        {
            "skills.count": np.int64(3),
            "skills.identify.anchors": ["gsm8k"],
            "priors.slope": WIDE,
            "benchmarks.link": {"kind": "cloglog"},
        }
    )
    assert (changed.skills.count, changed.skills.residual) == (3, spec.skills.residual)
    assert changed.skills.identify.anchors == ("gsm8k",)
    assert changed.skills.identify.unit == spec.skills.identify.unit == "anchor"
    assert changed.prior("slope").sigma == 3
    assert changed.prior("ceiling") == spec.prior("ceiling") != PRIOR_SLOTS["ceiling"].default
    assert changed.benchmarks.link.kind == "cloglog"
    assert changed.family == spec.family and changed.name == spec.name
    assert spec.with_({}) == spec
    assert spec.skills.with_({"count": 1}).count == 1


def test_changes_are_checked_together(spec: ModelSpec) -> None:
    with pytest.raises(SpecError, match="must also be among covariates"):
        spec.with_({"covariates": ["log_flops"]})
    changes = {"covariates": ["log_flops"], "family.slopes": ["log_flops"]}
    changes |= {"benchmarks": {}, "terms": []}
    assert spec.with_(changes).family.slopes == ("log_flops",)


def test_another_kind_starts_from_its_own_defaults(spec: ModelSpec) -> None:
    assert spec.with_({"skills.identify.kind": "free"}).skills.identify == Free()
    link = {"benchmarks.link.kind": "monotone", "benchmarks.link.knots": [-1.0, 1.0]}
    assert spec.with_(link).benchmarks.link.knots == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"skill.count": 3}, 'unknown key "skill".*Did you mean "skills"'),
        ({"skills.cont": 3}, 'skills: unknown key "cont".*Did you mean "count"'),
        ({"skills.identify.anchrs": []}, 'skills.identify: .*"anchrs".*"anchors"'),
        ({"benchmarks.link.kind": np.array([1, 2])}, "benchmarks.link.kind must be one of"),
        ({"benchmarks.link.kind": "monoton"}, 'benchmarks.link.kind .*"monoton".*"monotone"'),
        ({"name.x": 1}, '"name" has no parts'),
        ({"priors.slope.mu": 1}, 'give all of "priors.slope"'),
        ({"priors.slop": WIDE}, 'Did you mean "slope"'),
        ({"skills": {"count": 1}, "skills.count": 1}, "give only one of the two"),
        ({3: 1}, "by field name"),
        ("skills.count", "by field name"),
        ({".": 1}, "unknown key"),
    ],
)
def test_a_wrong_path_is_named(spec: ModelSpec, changes: dict, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        spec.with_(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda priors: priors.update(slop=WIDE),
        lambda priors: priors.setdefault("slop", WIDE),
        lambda priors: priors.pop("ceiling"),
        lambda priors: priors.clear(),
        lambda priors: priors.__ior__({"slop": WIDE}),
    ],
)
def test_priors_do_not_change_in_place(spec: ModelSpec, change: Callable) -> None:
    before = dict(spec.priors)
    with pytest.raises(TypeError, match="with_priors"):
        change(spec.priors)
    assert dict(spec.priors) == before


def test_copies_and_pickles_are_equal(spec: ModelSpec) -> None:
    assert copy.copy(spec) == copy.deepcopy(spec) == spec == spec.model_copy()


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (ls.NUTS(), {"draws": 0}),
        (ls.ADVI(), {"draws": 0}),
        (ls.Laplace(), {"draws": 0}),
        (ls.Pathfinder(), {"draws": 0}),
        (ls.MarginalML(), {"draws": 0}),
        (ls.methods.StochasticMarginalML(), {"draws": 0}),
        (Prior("Normal", mu=0, sigma=1), {"sigma": -1}),
        (ls.Benchmark(), {"floor": 2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_replaced_fields_of_methods_and_priors_are_checked(record: object, changes: dict) -> None:
    with pytest.raises(LatentscaleError):
        replace(record, **changes)  # type: ignore[type-var]


def test_a_field_is_not_set_but_changed_in_a_copy() -> None:
    spec = load_spec("pooled_flops")
    with pytest.raises(SpecError, match=r"cannot be changed: make a changed copy with \.with_"):
        spec.name = "other"
    with pytest.raises(SpecError, match="cannot be deleted"):
        del spec.name
    assert spec.name == "pooled_flops"


def test_attributes_of_priors_cannot_be_set() -> None:
    priors = load_spec("latentscale").priors
    with pytest.raises(TypeError, match="with_priors"):
        priors.slope = 1
    with pytest.raises(TypeError, match="with_priors"):
        del priors.slope
