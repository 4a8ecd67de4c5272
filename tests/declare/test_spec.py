"""`ModelSpec`: contradictions, precedence of priors, digest, and that it is frozen."""

from __future__ import annotations

import pytest

import latentscale as ls
from latentscale.declare import PRIOR_SLOTS, ModelSpec, Prior, load_spec, spec_from_dict
from latentscale.errors import SpecError

BASE: dict = {
    "name": "base",
    "covariates": ["log_params", "log_tokens"],
    "skills": {"count": 2, "identify": {"kind": "anchored", "anchors": ["mmlu"]}},
    "family": {"level": "partial"},
    "benchmarks": {"family_effect": True},
    "priors": {"slope": {"dist": "Normal", "mu": 1, "sigma": 2}},
}


def made(**changes: object) -> ModelSpec:
    return spec_from_dict({**BASE, **changes})


CONTRADICTIONS = [
    ({"family": {"level": "partial", "slopes": ["log_flops"]}}, ["family.slopes", "log_flops"]),
    ({"benchmarks": {"slopes": ["log_flops"]}}, ["benchmarks.slopes"]),
    ({"benchmarks": {"instruct": {"slopes": ["instruct"]}}}, ["benchmarks.instruct.slopes"]),
    ({"benchmarks": {"family_slopes": ["log_flops"]}}, ["benchmarks.family_slopes"]),
    (
        {"family": {"level": "fixed"}, "benchmarks": {"family_slopes": ["log_params"]}},
        ['"fixed"', "benchmarks.family_slopes"],
    ),
    (
        {"benchmarks": {"family_slope_spreads": "by-covariate"}},
        ["benchmarks.family_slope_spreads", "benchmarks.family_slopes is empty"],
    ),
    ({"benchmarks": {"precision_covariates": ["x"]}}, ["benchmarks.precision_covariates"]),
    ({"skills": {"count": 0, "residual": True}}, ["skills.count is 0"]),
    ({"skills": {"count": 0}, "family": {"slopes": ["log_params"]}}, ["skills.count is 0"]),
    ({"family": {"level": "fixed", "lineage": True}}, ['"fixed"', "family.lineage"]),
    ({"family": {"level": "none"}}, ["benchmarks.family_effect", '"none"']),
    (
        {
            "covariates": [],
            "family": {"level": "none"},
            "benchmarks": {},
            "skills": {"count": 2},
        },
        ["Skills must vary", "covariates"],
    ),
    (
        {"skills": {"count": 2, "identify": {"kind": "anchored", "anchors": ["mmlu", "mmlu"]}}},
        ["anchors", "mmlu"],
    ),
]


@pytest.mark.parametrize(("changes", "said"), CONTRADICTIONS)
def test_fields_that_contradict_each_other_are_refused(changes: dict, said: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        made(**changes)
    for part in said:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "varying",
    [
        {"benchmarks": {"slopes": ["log_params"]}},
        {"benchmarks": {"instruct": {"shift": True}}},
        {"benchmarks": {"instruct": {"slopes": ["log_params"]}}},
        {"terms": [{"kind": "curvature", "squares": ["log_params"], "of_each": "benchmark"}]},
        {"terms": [{"kind": "model-group"}]},
    ],
)
def test_without_skills_something_else_has_to_differ_between_models(varying: dict) -> None:
    part = {"name": "no skills", "covariates": ["log_params"], "skills": {"count": 0}}
    part["family"] = {"level": "none"}
    assert spec_from_dict(part | varying).skills.count == 0
    for same in ({}, {"terms": [{"kind": "model-precision"}]}):  # from the noise alone
        with pytest.raises(SpecError, match=r"the same expected score; .* benchmarks\.instruct"):
            spec_from_dict(part | same)


@pytest.mark.parametrize(
    ("slot", "prior", "where"),
    [
        ("slope", Prior("HalfNormal", sigma=1), "real"),
        ("family_scale", Prior("Normal", mu=0, sigma=1), "positive"),
        ("precision", Prior("Beta", alpha=1, beta=1), "positive"),
        ("ceiling", Prior("LogNormal", mu=0, sigma=1), "unit"),
        ("link_power", Prior("StudentT", nu=3, mu=0, sigma=1), "positive"),
    ],
)
def test_a_prior_on_the_wrong_support_is_refused(slot: str, prior: Prior, where: str) -> None:
    with pytest.raises(SpecError) as caught:
        made(priors={slot: prior.to_dict()})
    assert slot in str(caught.value) and where in str(caught.value)


def test_a_loading_may_have_a_sign_unlike_an_anchor() -> None:
    signed = {"dist": "Normal", "mu": 0, "sigma": 1}
    assert made(priors={"loading": signed}).prior("loading").support == "real"
    with pytest.raises(SpecError, match="anchor_loading"):
        made(priors={"anchor_loading": signed})


def test_a_users_prior_wins_over_the_file_and_the_file_over_the_default() -> None:
    spec = made()
    user = Prior("Normal", mu=7, sigma=8)
    assert spec.prior("intercept") == PRIOR_SLOTS["intercept"].default
    assert spec.prior("slope") == Prior("Normal", mu=1, sigma=2) != PRIOR_SLOTS["slope"].default
    changed = spec.with_priors({"slope": user})
    assert changed.prior("slope") == user
    assert changed.prior("intercept") == PRIOR_SLOTS["intercept"].default
    assert spec.prior("slope") == Prior("Normal", mu=1, sigma=2)
    also = spec.with_priors({"precision": {"dist": "Gamma", "alpha": 2, "beta": 0.1}})
    assert also.prior("slope") == spec.prior("slope")
    assert also.prior("precision") == Prior("Gamma", alpha=2, beta=0.1)


def test_an_unknown_parameter_is_refused_wherever_it_is_named() -> None:
    with pytest.raises(SpecError, match='Did you mean "slope"'):
        made().prior("slopes")
    with pytest.raises(SpecError, match='Did you mean "slope"'):
        made().with_priors({"slopes": Prior("Normal", mu=0, sigma=1)})


def test_with_priors_refuses_what_is_no_prior() -> None:
    with pytest.raises(SpecError, match="slope"):
        made().with_priors({"slope": 3})  # type: ignore[dict-item]


CHANGES = [
    {"covariates": ["log_params", "log_tokens", "log_params:log_tokens"]},
    {"skills": {**BASE["skills"], "count": 3}},
    {"skills": {**BASE["skills"], "residual": True}},
    {"skills": {"count": 2, "identify": {"kind": "free"}}},
    {"skills": {"count": 2, "identify": {"kind": "anchored", "anchors": ["gsm8k"]}}},
    {"skills": {"count": 2, "identify": {**BASE["skills"]["identify"], "unit": "anchor"}}},
    {"family": {"level": "fixed"}},
    {"family": {"level": "partial", "lineage": True}},
    {"family": {"level": "partial", "correlated": True}},
    {"family": {"level": "partial", "slopes": ["log_params"]}},
    {"benchmarks": {"family_effect": False}},
    {"benchmarks": {"family_effect": True, "ceiling": "estimated"}},
    {"benchmarks": {"family_effect": True, "family_slopes": ["log_params"]}},
    {"benchmarks": {"family_effect": True, "link": {"kind": "cloglog"}}},
    {"benchmarks": {"family_effect": True, "instruct": {"shift": True}}},
    {"priors": {"slope": {"dist": "Normal", "mu": 1, "sigma": 2.0001}}},
    {"priors": {}},
]


def test_the_digest_changes_with_every_change_of_meaning() -> None:
    digests = [made().digest, *(made(**change).digest for change in CHANGES)]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in digests)


def test_the_digest_is_blind_to_names_and_to_the_order_of_priors() -> None:
    spec = made()
    described = made(name="other", description="words", sources=["arXiv:1"])
    assert described.digest == spec.digest and described != spec
    one = {"slope": BASE["priors"]["slope"], "intercept": {"dist": "Normal", "mu": 1, "sigma": 1}}
    other = dict(reversed(one.items()))
    assert made(priors=one).digest == made(priors=other).digest
    assert made(priors=one) == made(priors=other)
    assert hash(made(priors=one)) == hash(made(priors=other))


def test_a_default_written_out_means_the_same_and_has_the_same_digest() -> None:
    spec = made()
    said = spec.with_priors({"intercept": PRIOR_SLOTS["intercept"].default})
    assert said.prior("intercept") == spec.prior("intercept")
    assert said.digest == spec.digest


def test_a_spec_is_frozen_all_through() -> None:
    spec = made()
    with pytest.raises(SpecError, match="cannot be changed"):
        spec.name = "x"  # type: ignore[misc]
    with pytest.raises(SpecError, match="cannot be changed"):
        spec.skills.count = 3  # type: ignore[misc]
    before = spec.digest
    with pytest.raises(TypeError):
        spec.priors["slope"] = Prior("Normal", mu=0, sigma=9)  # type: ignore[index]
    assert spec.digest == before


def test_a_spec_is_apart_from_the_mapping_that_it_was_made_from() -> None:
    priors = {"slope": Prior("Normal", mu=0, sigma=1)}
    spec = ModelSpec(name="x", priors=priors)
    priors["slope"] = Prior("Normal", mu=5, sigma=1)
    assert spec.prior("slope") == Prior("Normal", mu=0, sigma=1)
    document = spec.to_dict()
    document["priors"]["slope"]["mu"] = 5
    document["covariates"].append("instruct")
    assert spec.prior("slope").mu == 0 and spec.covariates == ("log_flops",)


def test_a_spec_is_a_key_and_prints() -> None:
    spec = load_spec("latentscale")
    assert {spec: 1}[load_spec("latentscale")] == 1
    shown = str(spec)
    for part in ("log_tokens", "anchored", "partial", "lineage", "power-logistic", spec.digest):
        assert part in shown


@pytest.mark.parametrize(
    ("covariates", "tokens"),
    [
        (["log_params"], False),
        (["log_flops"], True),
        (["log_tokens"], True),
        (["log_params:log_tokens"], True),
        (["instruct"], False),
        ([], False),
    ],
)
def test_which_specs_need_tokens(covariates: list[str], tokens: bool) -> None:
    assert made(covariates=covariates).needs_tokens is tokens


def test_which_specs_need_the_instruct_flag() -> None:
    assert not made().needs_instruct
    assert made(covariates=["instruct"]).needs_instruct
    assert made(covariates=["log_params", "log_params:instruct"]).needs_instruct
    assert made(benchmarks={"instruct": {"shift": True}}).needs_instruct
    assert made(benchmarks={"instruct": {"slopes": ["log_params"]}}).needs_instruct


def test_a_wrong_spec_made_in_python_raises_the_package_error() -> None:
    with pytest.raises(SpecError, match="log_flops"):
        ls.ModelSpec(name="x", covariates=("log_flops", "log_flops"))


@pytest.mark.parametrize("name", ["", " "])
def test_a_copy_has_a_name(name: str) -> None:
    with pytest.raises(SpecError, match="is empty; give a name"):
        load_spec("latentscale").with_({"name": name})


def test_a_key_that_resembles_no_other_gets_no_suggestion() -> None:
    with pytest.raises(ValueError, match='unknown key "lineage"') as caught:
        ModelSpec.model_validate({"name": "x", "lineage": True})
    assert "Did you mean" not in str(caught.value)


def test_a_term_is_given_once() -> None:
    term = {"kind": "trend", "covariate": "log_flops"}
    with pytest.raises(SpecError, match=r'terms\[1\]\.kind "trend" is repeated; give it once'):
        spec_from_dict({"name": "x", "covariates": ["log_flops"], "terms": [term, term]})


def test_skills_may_vary_by_the_deviations_of_single_models_alone() -> None:
    document = {"name": "x", "family": {"level": "none"}, "covariates": []}
    spec = spec_from_dict(document | {"skills": {"count": 1, "residual": True}})
    assert spec.skills.residual and not spec.covariates
    with pytest.raises(SpecError, match="Skills must vary between models"):
        spec_from_dict(document | {"skills": {"count": 1}})
