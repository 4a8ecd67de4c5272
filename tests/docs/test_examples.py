"""The Examples of public docstrings run and give what they say.

They share names that a user would have: ``ls``, ``pd``, and two fits, ``fit`` and ``pooled``; and
know those of their own module.
"""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import latentscale as ls
import latentscale.declare

FITS = Path(__file__).parents[2] / "docs" / "fits"

VERBS = (
    "anchor_variants",
    "build",
    "check",
    "compare",
    "diagnose",
    "family_influence",
    "flops_for_target",
    "leave_one_out",
    "load",
    "load_spec",
    "next_benchmark",
    "optimal_allocation",
    "posterior_predictive",
    "predict",
    "prior_predictive",
    "probability_above",
    "regress_on_skills",
    "report",
    "scaling_curve",
    "sensitivity",
    "shipped_specs",
    "simulate",
    "skills",
    "stack",
    "variance_shares",
)
"""Functions whose docstrings must have Examples."""


EXTRAS = {"elicit": "preliz"}
"""Libraries beyond the package's own that an example needs."""

MODULES = (
    ls,
    ls.studies,
    ls.methods,
    ls.results,
    ls.datasets,
    ls.folds,
    ls.readers,
    latentscale.declare,
)
"""Modules whose public names are looked at."""


def _objects() -> Iterator[tuple[str, Any]]:
    """Yield every public name, and the public methods of public classes."""
    for module in MODULES:
        own = (
            n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__
        )
        for name in getattr(module, "__all__", None) or own:
            value = getattr(module, name)
            yield name, value
            if inspect.isclass(value):
                for method, function in vars(value).items():
                    raw = getattr(function, "__func__", function)
                    if not method.startswith("_") and inspect.isfunction(raw):
                        yield f"{name}.{method}", raw


EXAMPLES = {name: value for name, value in _objects() if ">>>" in (inspect.getdoc(value) or "")}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    return {
        "ls": ls,
        "pd": pd,
        "fit": ls.load(FITS / "small.nc"),
        "pooled": ls.load(FITS / "pooled_flops.nc"),
    }


@pytest.mark.parametrize("verb", VERBS)
def test_the_main_verbs_have_examples(verb: str) -> None:
    assert verb in EXAMPLES and "Examples\n" in (inspect.getdoc(EXAMPLES[verb]) or "")


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_give_what_they_say(
    name: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name])
    text = inspect.getdoc(EXAMPLES[name]) or ""
    known = {**vars(inspect.getmodule(EXAMPLES[name])), **names}
    example = doctest.DocTestParser().get_doctest(text, known, name, name, 0)
    assert example.examples
    failures: list[str] = []
    out: Callable[[str], object] = failures.append
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=out)
    assert result.failed == 0, "".join(failures)
