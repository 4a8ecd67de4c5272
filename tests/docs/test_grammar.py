"""The grammar of specs has every key, kind, prior slot and shipped spec, and their defaults."""

from __future__ import annotations

import pytest

pytest.importorskip("numpydoc", reason="the docs extra is not installed (make docs)")

import grammar
import recipes
from pydantic import BaseModel, Field

import latentscale as ls
from latentscale.data.features.base import FEATURES
from latentscale.declare import shipped_specs
from latentscale.declare.benchmarks import BenchmarkSpec, Instruct
from latentscale.declare.kinds import LIKELIHOODS, LINKS, TERMS
from latentscale.declare.prior import PRIOR_SLOTS
from latentscale.declare.skills import Anchored, FamilySpec, SkillSpec
from latentscale.declare.spec import ModelSpec
from latentscale.inference.method import METHODS


@pytest.fixture(scope="module")
def page() -> str:
    return "\n".join(grammar.page())


@pytest.mark.parametrize(
    "record", [ModelSpec, SkillSpec, Anchored, FamilySpec, BenchmarkSpec, Instruct]
)
def test_every_key_has_a_meaning(record: type[BaseModel], page: str) -> None:
    keys = [key for key in record.model_fields if key != "kind"]
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("|")}
    meanings = {key: grammar._meanings(record).get(key, "") for key in keys}
    assert all(f"`{key}`" in rows for key in keys)
    assert [key for key, meaning in meanings.items() if not meaning] == []


def test_every_kind_and_prior_slot_is_on_the_page(page: str) -> None:
    for kinds in (LINKS, LIKELIHOODS, TERMS):
        assert [name for name in kinds if f"### `{name}`\n" not in page] == []
    for name, slot in PRIOR_SLOTS.items():
        assert f"| `{name}` | {slot.default.support} | `{slot.default}` |" in page


def test_every_method_is_on_the_page_with_its_settings(page: str) -> None:
    part = page[page.index("## Inference methods") :]
    for name, method in METHODS.items():
        assert f"### `{name}`\n" in part
        missing = [key for key in vars(method()) if f"| `{key}` | " not in part]
        assert missing == []
    assert "| `max_depth` | `10` | Largest tree depth" in part


def test_every_kind_of_feature_is_on_the_page(page: str) -> None:
    assert [name for name in FEATURES if f"| `{name}` | " not in page] == []


def test_every_recipe_from_outside_has_its_file_on_the_page() -> None:
    text = "\n".join(recipes.page())
    files = [path.name for path in recipes.EXTENDING.glob("*_*.py") if path.name[:5] != "test_"]
    assert len(files) >= 4 and all(f"tests/extending/{name}" in text for name in files)


@pytest.mark.parametrize("name", shipped_specs())
def test_the_equations_of_a_shipped_spec_are_on_the_page(name: str, page: str) -> None:
    spec = ls.load_spec(name)
    kinds = [spec.benchmarks.link, spec.benchmarks.likelihood]
    kinds += [term for kind in TERMS.values() if (term := kind.of(spec)) is not None]
    assert [kind.kind for kind in kinds if f"$$\n{kind.equation}\n$$" not in page] == []
    assert all(kind.equation for kind in kinds)


def test_a_shipped_spec_is_shown_with_the_priors_that_it_changes(page: str) -> None:
    for name in shipped_specs():
        assert f"model_specs/{name}.toml" in page
    assert "**sloth** `Normal(mu=0, sigma=5)`" in page


def test_a_new_key_is_written_with_its_type_bounds_and_default() -> None:
    class Wind(BaseModel):
        """Wind.

        Attributes
        ----------
        force
            How hard it blows.
        """

        force: int = Field(default=3, ge=0, le=12)

    row = "| `force` | whole number from 0 to 12 | `3` | How hard it blows. |"
    assert row in list(grammar._record(Wind, "wind"))
