"""Densities, likelihoods and forecasts are those of the released versions, to rounding."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

import latentscale as ls
from latentscale.data.scores import Scores

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # numbers_of is shared with the script that writes the numbers
from numbers_of import numbers_of, specs  # noqa: E402

CLOSE = 1e-9
"""Relative: sums of some 2,000 terms in another order differ by about 1e-12."""


@pytest.fixture(scope="session")
def leaderboard() -> Scores:
    return ls.datasets.open_llm_leaderboard()


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in HERE.glob("*/numbers.npz")))
@pytest.mark.parametrize("name", list(specs()))
def test_the_numbers_are_those_of_the_released_version(
    name: str,
    folder: str,
    leaderboard: Scores,
    fixed: Callable[[], AbstractContextManager[None]],
) -> None:
    with np.load(HERE / folder / "numbers.npz") as stored:
        then = {
            key.partition("|")[2]: stored[key] for key in stored.files if key.startswith(f"{name}|")
        }
    with fixed():  # the points at which the numbers were taken are drawn at random
        now = numbers_of(specs()[name], leaderboard)
    assert now.keys() == then.keys()
    for key, value in then.items():
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(now[key], value, rtol=CLOSE, atol=CLOSE * scale, err_msg=key)
