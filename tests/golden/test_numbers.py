"""Densities, likelihoods and forecasts equal those of released versions, up to rounding."""

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
"""Relative tolerance: sums of some 2,000 terms in another order differ by about 1e-12."""


@pytest.fixture(scope="session")
def leaderboard() -> Scores:
    return ls.datasets.open_llm_leaderboard()


def stored_specs() -> list[tuple[str, str]]:
    """Return name and folder of the specs whose numbers are kept; later specs have none."""
    pairs = []
    for path in sorted(HERE.glob("*/numbers.npz")):
        with np.load(path) as stored:
            names = dict.fromkeys(key.partition("|")[0] for key in stored.files)
        pairs += [(name, path.parent.name) for name in names if name in specs()]
    return pairs


@pytest.mark.parametrize(("name", "folder"), stored_specs())
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
