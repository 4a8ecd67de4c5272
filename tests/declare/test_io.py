"""Specs from TOML and JSON: the grammar, and messages that name the place and the nearest key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import latentscale as ls
from latentscale.declare import Prior, load_spec, shipped_specs, spec_from_dict, spec_from_json
from latentscale.errors import SpecError

SHIPPED = (
    "cai2025",
    "cai2025_heteroscedastic",
    "family_flops",
    "family_size_tokens",
    "latentscale",
    "latentscale_dated",
    "pooled_flops",
    "pooled_size_tokens",
    "sloth",
)

EVERYTHING = """
name = "mine"
description = "every key once"
sources = ["arXiv:2512.06553"]
covariates = ["log_params", "log_tokens", "log_params:log_tokens", "instruct"]

[skills]
count = 3
identify = { kind = "anchored", anchors = ["mmlu", "gsm8k"], unit = "anchor" }
residual = true

[family]
level = "partial"
lineage = true
correlated = true
slopes = ["log_params"]

[benchmarks]
link = { kind = "power-logistic" }
ceiling = "estimated"
likelihood = { kind = "beta" }
precision_covariates = ["log_tokens"]
family_effect = true
slopes = ["log_tokens"]
family_slopes = ["log_params", "log_tokens"]
instruct = { shift = true, slopes = ["log_params"] }

[priors]
slope = { dist = "StudentT", nu = 4, mu = 1, sigma = 0.5 }

[priors.intercept]
dist = "Normal"
mu = -1
sigma = 3
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(document: dict) -> str:
    with pytest.raises(SpecError) as caught:
        spec_from_dict({"name": "x", **document})
    return str(caught.value)


def test_the_shipped_specs_are_there() -> None:
    assert set(SHIPPED) <= set(shipped_specs())


@pytest.mark.parametrize("name", shipped_specs())
def test_a_shipped_spec_loads_says_what_it_is_and_cites(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == name
    assert spec.description
    assert all(source.startswith("arXiv:") for source in spec.sources) and spec.sources
    assert name in str(spec)


def test_cai2025_is_the_published_model() -> None:
    spec = load_spec("cai2025")
    assert spec.covariates == ("log_params", "log_tokens", "log_params:log_tokens")
    assert spec.skills.count == 4 and spec.skills.identify.kind == "anchored"
    assert spec.skills.identify.unit == "family" and spec.family.correlated
    assert spec.benchmarks.link.kind == "logistic" and spec.benchmarks.ceiling == "fixed"
    assert not spec.benchmarks.family_effect and not spec.needs_instruct


def test_every_key_of_the_grammar(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path, EVERYTHING))
    raw = tomllib.loads(EVERYTHING)
    assert spec.name == "mine" and spec.description == "every key once"
    assert spec.covariates == tuple(raw["covariates"])
    assert spec.skills.count == 3 and spec.skills.residual
    assert spec.skills.identify.anchors == ("mmlu", "gsm8k")  # type: ignore[union-attr]
    assert spec.skills.identify.unit == "anchor"  # type: ignore[union-attr]
    assert spec.family.slopes == ("log_params",) and spec.family.lineage
    assert spec.benchmarks.link.kind == "power-logistic"
    assert spec.benchmarks.precision_covariates == ("log_tokens",)
    assert spec.benchmarks.family_slopes == ("log_params", "log_tokens")
    assert spec.benchmarks.instruct.shift and spec.benchmarks.instruct.slopes == ("log_params",)
    assert spec.prior("slope") == Prior("StudentT", nu=4, mu=1, sigma=0.5)
    assert spec.prior("intercept") == Prior("Normal", mu=-1, sigma=3)
    assert spec.needs_tokens and spec.needs_instruct


def test_the_name_of_a_file_is_the_name_of_its_spec(tmp_path: Path) -> None:
    assert load_spec(written(tmp_path, "")).name == "spec"
    assert load_spec(str(written(tmp_path, ""))).name == "spec"


@pytest.mark.parametrize("name", shipped_specs())
def test_json_round_trip_of_shipped_specs(name: str) -> None:
    spec = load_spec(name)
    back = spec_from_json(spec.to_json())
    assert back == spec and hash(back) == hash(spec) and back.digest == spec.digest


def test_json_round_trip_of_every_key(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path, EVERYTHING))
    assert spec_from_json(spec.to_json()) == spec
    assert spec_from_dict(spec.to_dict()) == spec
    assert json.loads(spec.to_json())["priors"]["slope"]["dist"] == "StudentT"


TYPOS = [
    ({"covariate": ["log_flops"]}, 'unknown key "covariate"', "covariates"),
    ({"skill": {"count": 2}}, 'unknown key "skill"', "skills"),
    ({"skills": {"cuont": 2}}, '"cuont"', "count"),
    ({"family": {"lineages": True}}, '"lineages"', "lineage"),
    ({"benchmarks": {"celing": "fixed"}}, '"celing"', "ceiling"),
    ({"benchmarks": {"instruct": {"shfit": True}}}, '"shfit"', "shift"),
    ({"skills": {"identify": {"kind": "anchored", "anchor": []}}}, "anchor", "anchors"),
    ({"benchmarks": {"link": {"kindd": "logistic"}}}, "kindd", "kind"),
    ({"benchmarks": {"likelihood": {"knd": "beta"}}}, "knd", "kind"),
    ({"priors": {"slpe": {"dist": "Normal", "mu": 0, "sigma": 1}}}, '"slpe"', "slope"),
    ({"priors": {"slope": {"dist": "Normal", "mu": 0, "sgma": 1}}}, "sgma", "sigma"),
    ({"priors": {"slope": {"dist": "Norml", "mu": 0, "sigma": 1}}}, "Norml", "Normal"),
]


@pytest.mark.parametrize(("document", "named", "meant"), TYPOS)
def test_a_misspelt_key_is_named_with_the_nearest_one(
    document: dict, named: str, meant: str
) -> None:
    message = refused(document)
    assert named in message
    assert f'Did you mean "{meant}"?' in message


BAD_VALUES = [
    ({"family": {"level": "some"}}, ["family.level", "partial", "some"]),
    ({"skills": {"count": -1}}, ["skills.count", "-1"]),
    ({"skills": {"count": 2.5}}, ["skills.count", "2.5"]),
    ({"skills": {"count": 100}}, ["skills.count", "12"]),
    ({"skills": {"identify": {"kind": "rotated"}}}, ["skills.identify", "anchored", "rotated"]),
    ({"benchmarks": {"link": {"kind": "probit"}}}, ["benchmarks.link", "logistic", "probit"]),
    ({"benchmarks": {"ceiling": "free"}}, ["benchmarks.ceiling", "estimated", "free"]),
    ({"covariates": ["log_flops", "log_flops"]}, ["covariates", "repeated"]),
    ({"covariates": ["log_params:log_tokens:instruct"]}, ["more than two"]),
    ({"skills": 3}, ["skills", "table"]),
    ({"priors": 3}, ["priors", "table"]),
    ({"priors": {"slope": 3}}, ["priors.slope", "dist"]),
    ({"priors": {"slope": {"mu": 0, "sigma": 1}}}, ["priors.slope", "dist"]),
    ({"priors": {"slope": {"dist": "Normal", "mu": 0, "sigma": -1}}}, ["priors.slope", "-1"]),
    ({"priors": {"slope": {"dist": "Normal", "mu": 0, "sigma": "wide"}}}, ["slope", "wide"]),
    ({"priors": {"slope": {"dist": "Normal", "mu": 0}}}, ["priors.slope", "sigma"]),
]


@pytest.mark.parametrize(("document", "said"), BAD_VALUES)
def test_a_bad_value_is_named_with_what_is_allowed(document: dict, said: list[str]) -> None:
    message = refused(document)
    for part in said:
        assert part in message


@pytest.mark.parametrize(
    "document",
    [
        {"skills": {"count": True}},
        {"skills": {"residual": "yes"}},
        {"priors": {"slope": {"dist": "Normal", "mu": True, "sigma": 1}}},
        {"priors": {"slope": {"dist": "Normal", "mu": 0, "sigma": "1"}}},
    ],
)
def test_a_value_of_the_wrong_type_is_refused_not_converted(document: dict) -> None:
    refused(document)


def test_an_unknown_name_lists_what_ships_and_the_nearest() -> None:
    with pytest.raises(SpecError, match='Did you mean "latentscale"') as caught:
        load_spec("latenscale")
    assert "cai2025" in str(caught.value)


@pytest.mark.parametrize("text", ["covariates = [", "= 3", "a = 1\na = 2"])
def test_a_file_that_is_not_toml(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SpecError, match="not a readable TOML") as caught:
        load_spec(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SpecError, match="not a readable TOML"):
        load_spec(path)


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_json_that_is_no_spec_gives_a_spec_error(text: str) -> None:
    with pytest.raises(SpecError):
        spec_from_json(text)


def test_the_document_that_is_read_is_not_changed() -> None:
    document = {"name": "x", "priors": {"slope": {"dist": "Normal", "mu": 0, "sigma": 1}}}
    before = json.dumps(document)
    spec_from_dict(document)
    assert json.dumps(document) == before
    assert ls.load_spec("cai2025").to_dict() == ls.load_spec("cai2025").to_dict()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("a = " + "9" * 5000, "not a readable TOML file"),
        ('name = "a\\u0000"', "NUL character"),
        ('name = "a"\nsources = ["b\\u0000"]', "NUL character"),
    ],
    ids=["deep", "digits", "name", "sources"],
)
def test_a_file_that_is_no_spec_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=said):
        load_spec(path)


def test_a_byte_order_mark_is_no_part_of_a_spec(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('covariates = ["log_flops"]', encoding="utf-8-sig")
    assert load_spec(path).covariates == ("log_flops",)
