"""Facts about a release are the same in all files that state them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import latentscale as ls

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("CITATION.cff", r"^version: (.+)$"),
        ("recipe/recipe.yaml", r'^  version: "(.+)"$'),
        ("latentscale/dims.py", r'^VERSION: Final = "(.+)"$'),
    ],
)
def test_every_file_names_the_same_version(name: str, pattern: str) -> None:
    assert re.findall(pattern, read(name), re.MULTILINE) == [PROJECT["version"]] == [ls.__version__]


def test_the_conda_recipe_has_the_dependencies_of_the_package() -> None:
    run = read("recipe/recipe.yaml").split("  run:\n")[1].split("\n\n")[0]
    pins = dict(re.findall(r"^    - ([\w-]+) (\S+)$", run, re.MULTILINE))
    assert pins.pop("python") == PROJECT["requires-python"]
    ours = dict(re.match(r"([\w-]+)(.*)", text).groups() for text in PROJECT["dependencies"])
    conda = {CONDA_NAMES.get(name, name): bounds for name, bounds in pins.items()}
    assert {name.replace("_", "-"): bounds for name, bounds in ours.items()} == conda


def test_workflows_call_make_targets_that_exist() -> None:
    targets = set(re.search(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE)[1].split())
    called = set()
    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        called |= set(re.findall(r"run: make (?:PYTHON=python )?([a-z][\w-]*)", text))
        called |= set(re.findall(r"target: ([\w-]+)", text))
        for several in re.findall(r"target: \[(.+)\]", text):
            called |= set(several.split(", "))
    assert {"lowest", "newest", "compat", "notebooks", "docs", "wheels"} <= called <= targets


def test_every_make_target_is_in_its_help() -> None:
    text = read("Makefile")
    targets = set(re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)[1].split()) - {"help"}
    assert targets == set(re.findall(r'@echo "make ([\w-]+)', text))


def test_the_upgrade_guide_names_the_new_home_of_every_name_that_moved() -> None:
    rows = [line for line in read("docs/upgrade.md").splitlines() if line.startswith("| `")]
    homes = {
        name: row.split("`latentscale.")[1].split("`")[0]
        for row in rows
        if "| `latentscale." in row
        for name in re.findall(r"`(\w+)`", row.rsplit("|", 2)[0])
    }
    assert homes == ls._NEW_HOME


def test_supported_pythons_are_those_of_the_workflows() -> None:
    named = {text.rsplit(" ", 1)[1] for text in PROJECT["classifiers"] if ":: 3." in text}
    matrix = re.search(r"python: \[(.+)\]", read(".github/workflows/checks.yml"))[1]
    assert set(re.findall(r"\d\.\d+", matrix)) == named


def test_the_source_archive_has_the_folders_that_make_and_the_tests_read() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    included = {
        name.strip("/") for name in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    }
    scripts = {path.split("/")[0] for path in re.findall(r"[\w.]+/\w+", read("Makefile"))}
    read_here = {WORKFLOWS[0].relative_to(ROOT).parts[0], "tests", "recipe"}
    assert {name for name in scripts | read_here if (ROOT / name).is_dir()} - {
        ".venv",
        "dist",
    } <= included
