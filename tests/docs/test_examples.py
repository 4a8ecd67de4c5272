"""The Examples of public docstrings run and give the outputs shown.

They share names that a user would have: ``ls``, ``pd``, ``np`` and ``xr``, three fits, ``fit``,
``pooled`` and ``dated``, a row ``planned`` and a backtest's ``table``; and those of their own
module. Examples of a class's methods and properties continue those of the class, as on its page.
"""

from __future__ import annotations

import doctest
import inspect
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from public_members import public_names

import latentscale as ls

FITS = Path(__file__).parent / "fits"  # short chains, which the outputs in docstrings are of

EXTRAS = {
    "elicit": "preliz",
    "Elicited": "preliz",
    "explore": "panel",
    "read_parquet": "pyarrow",
}
"""Libraries beyond the package's own that an example needs."""

PUBLIC = {public.name: public for public in public_names()}
EXAMPLES = {name: public for name, public in PUBLIC.items() if ">>>" in public.text}
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def run(text: str, known: dict[str, Any], name: str) -> dict[str, Any]:
    """Run a docstring's examples with these names; return the names defined afterwards."""
    example = doctest.DocTestParser().get_doctest(text, known, name, name, 0)
    assert example.examples
    failures: list[str] = []
    out: Callable[[str], object] = failures.append
    result = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=out, clear_globs=False)
    assert result.failed == 0, "".join(failures)
    return example.globs


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    pooled = ls.load(FITS / "pooled_flops.nc")
    folds = ls.folds.k_fold_by_family(pooled.scores, n_folds=2, seed=1)
    method = ls.Laplace(draws=200)
    return {
        "ls": ls,
        "pd": pd,
        "np": np,
        "xr": xr,
        "warnings": warnings,
        "fit": ls.load(FITS / "small.nc"),
        "pooled": pooled,
        "dated": ls.load(FITS / "dated.nc"),
        "planned": pd.DataFrame(
            {"model": ["qwen2-30b"], "family": ["qwen2"], "params_b": [30.0], "tokens_t": [7.0]}
        ),
        "table": ls.backtest(pooled.spec, pooled.scores, folds, method=method, progress=False),
    }


@pytest.fixture(scope="module")
def of_class(names: dict[str, Any]) -> Callable[[type | None], dict[str, Any]]:
    """Return a function for the names that a class's examples leave to those of its members."""

    @cache
    def left(owner: type | None) -> dict[str, Any]:
        text = "" if owner is None else inspect.getdoc(owner) or ""
        if ">>>" not in text:
            return names
        assert owner is not None
        return run(text, {**vars(inspect.getmodule(owner)), **names}, owner.__name__)

    return left


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_give_what_they_say(
    name: str,
    of_class: Callable[[type | None], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    public = EXAMPLES[name]
    for needed in EXTRAS.keys() & {name, name.partition(".")[0]}:
        pytest.importorskip(EXTRAS[needed])
    if inspect.isclass(public.value):
        of_class(public.value)
        return
    function = inspect.unwrap(public.function)
    run(public.text, {**vars(inspect.getmodule(function)), **of_class(public.owner)}, name)
