"""Compiled code: the process that compiles it and one that reads it from disk run the same code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
import pytest
from numba.core.event import install_recorder

from latentscale.engine.contained import self_contained
from latentscale.engine.linker import numba_function

DIGEST = """
import hashlib, sys
import numpy as np
from numba.core.event import install_recorder
import latentscale as ls
from latentscale.inference.tools.posterior_density import posterior_density
from latentscale.model.build import build

table, spec, what = sys.argv[1:]
recorder = install_recorder("numba:compile")
compiled = recorder.__enter__().buffer
scores, spec = ls.Scores.from_frame(ls.readers.read_csv(table)), ls.load_spec(spec)
if what == "density":
    density = posterior_density(build(spec, scores))
    # Of 300 points some show the last digit of one sum in another order; of 50 none did.
    points = density.start + np.random.default_rng(1).uniform(-1, 1, (300, density.size))
    values = [np.append(*density.evaluate(point)) for point in points]
    method = ls.NUTS(
        draws=4, tune=4, chains=1, start=ls.methods.PriorStart(), coordinates="model"
    )
    ls.fit(spec, scores, method=method, seed=1, progress=False)
    print(len(compiled), "matplotlib" in sys.modules)
else:
    method = ls.NUTS(draws=20, tune=30, chains=2, cores=2, backend=what)
    posterior = ls.fit(spec, scores, method=method, seed=1, progress=False).posterior
    values = [posterior[name].values for name in sorted(posterior.data_vars)]
print(hashlib.sha256(b"".join(np.ascontiguousarray(v).tobytes() for v in values)).hexdigest())
"""
TWO_SKILLS = """
name = "two skills"
covariates = ["log_flops"]
family = { level = "partial" }
[skills]
count = 2
identify = { kind = "anchored", anchors = ["alpha", "delta"] }
"""


@numba.njit(fastmath=True)
def summed(values):  # type: ignore[no-untyped-def]
    """Call itself, so that it cannot be inlined."""
    if values.size < 9:
        return values.sum()
    half = values.size // 2
    return summed(values[:half]) + summed(values[half:])


def above(values):  # type: ignore[no-untyped-def]
    return np.log(summed(values))


def test_no_function_is_left_to_be_chosen_when_the_code_is_loaded() -> None:
    values = np.arange(1.0, 40.0)
    shared, own = numba.njit(above), self_contained(above, cache=False)
    assert own(values) == shared(values) == pytest.approx(np.log(values.sum()))
    codes = [f.overloads[f.signatures[0]].library.get_llvm_str() for f in (shared, own)]
    assert ["linkonce_odr" in code for code in codes] == [True, False]
    assert all("summed" in code for code in codes)


@numba.njit
def doubled(value):  # type: ignore[no-untyped-def]
    return 2 * value


@numba.njit
def by_python(value):  # type: ignore[no-untyped-def]
    with numba.objmode(halved="float64"):
        halved = float(np.float64(value) / 2)
    return halved


@numba.njit
def refused(value):  # type: ignore[no-untyped-def]
    if value < 0:
        raise ValueError("negative", value)
    return value


def test_a_function_that_was_copied_is_called_by_itself() -> None:
    """Its machine code is made when Python first calls it, or at the call with another type."""
    whole = self_contained(lambda value: doubled(value) + 1, cache=False)
    assert whole(3.0) == 7.0
    assert doubled(3.0) == 6.0 and doubled(3) == 6


def test_what_copies_need_of_python_is_there() -> None:
    """Objects that only Python can handle: error texts, and calls back to the interpreter."""
    whole = self_contained(lambda value: by_python(refused(value)), cache=False)
    assert whole(3.0) == 1.5
    with pytest.raises(ValueError, match="negative"):
        whole(-3.0)


def test_equal_operations_are_compiled_once() -> None:
    x, y = pt.dvectors("x", "y")

    def compiled_functions(outputs: list[Any]) -> int:
        _, program = numba_function([x, y], outputs)
        with install_recorder("numba:compile") as recorder:
            program(np.ones(3), np.ones(3))
        return len(recorder.buffer)

    once, six_times = (
        compiled_functions([pt.outer(x + i, y * i) for i in range(1, 1 + count)])
        for count in (1, 6)
    )
    assert six_times <= once + 6  # the code that gathers outputs may differ


@pytest.mark.parametrize(
    "what", ["density", *(pytest.param(b, marks=pytest.mark.slow) for b in ("nutpie", "pymc"))]
)
def test_numbers_are_the_same_just_compiled_and_read_from_disk(
    known, tmp_path: Path, what: str
) -> None:
    """With this spec, code that is not self-contained differs in the last digits."""
    spec, table = tmp_path / "spec.toml", tmp_path / "scores.csv"
    spec.write_text(TWO_SKILLS)
    known.frame.to_csv(table, index=False)
    flags = [os.environ.get("PYTENSOR_FLAGS", ""), f"base_compiledir={tmp_path / 'compiled'}"]
    caches = {
        "PYTENSOR_FLAGS": ",".join(flag for flag in flags if flag),
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
    }
    command = [sys.executable, "-c", DIGEST, str(table), str(spec), what]
    cold, warm = (
        subprocess.run(
            command,
            env=os.environ | caches,
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
        for _ in range(2)
    )
    *at_first, digest = cold.stdout.split()
    *then, same = warm.stdout.split()
    assert digest == same and len(digest) == 64
    if what == "density":  # the later process compiles nothing, and a fit needs no pictures
        assert int(at_first[0]) > 0 and [*at_first[1:], *then] == ["False", "0", "False"]
