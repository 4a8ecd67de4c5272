"""The Examples of public docstrings run and give what they say.

They share names that a user would have: ``ls``, ``pd`` and ``np``, three fits, ``fit``, ``pooled``
and ``dated``, a row ``planned`` and a backtest's ``table``; and know those of their own module.
"""

from __future__ import annotations

import doctest
import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
import latentscale.declare

FITS = Path(__file__).parents[2] / "docs" / "fits"

EXTRAS = {
    "elicit": "preliz",
    "Elicited": "preliz",
    "explore": "panel",
    "read_parquet": "pyarrow",
}
"""Libraries beyond the package's own that an example needs."""

MODULES = (
    ls,
    ls.studies,
    ls.methods,
    ls.results,
    ls.datasets,
    ls.folds,
    ls.plots,
    ls.readers,
    ls.rotations,
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


PUBLIC = sorted(
    {
        name: value
        for module in MODULES[:-1]
        for name in getattr(module, "__all__", ())
        if inspect.isroutine(value := getattr(module, name)) or inspect.isclass(value)
    }
)
"""Public functions and classes: each has Examples."""

EXAMPLES = {name: value for name, value in _objects() if ">>>" in (inspect.getdoc(value) or "")}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    pooled = ls.load(FITS / "pooled_flops.nc")
    folds = ls.folds.k_fold_by_family(pooled.scores, n_folds=2, seed=1)
    method = ls.Laplace(draws=200)
    return {
        "ls": ls,
        "pd": pd,
        "np": np,
        "warnings": warnings,
        "fit": ls.load(FITS / "small.nc"),
        "pooled": pooled,
        "dated": ls.load(FITS / "dated.nc"),
        "planned": pd.DataFrame(
            {"model": ["qwen2-30b"], "family": ["qwen2"], "params_b": [30.0], "tokens_t": [7.0]}
        ),
        "table": ls.backtest(pooled.spec, pooled.scores, folds, method=method, progress=False),
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_examples(name: str) -> None:
    assert name in EXAMPLES and "Examples\n" in (inspect.getdoc(EXAMPLES[name]) or "")


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
