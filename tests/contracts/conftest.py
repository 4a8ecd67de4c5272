"""Models evaluated by PyMC itself, each once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec

sys.path.insert(0, str(Path(__file__).parent))
from evaluated import Evaluation, evaluate


@pytest.fixture(scope="session")
def bundled() -> Scores:
    """The bundled table."""
    return ls.datasets.open_llm_leaderboard()


@pytest.fixture(scope="session")
def evaluated(bundled: Scores) -> Callable[[ModelSpec, Scores | None], Evaluation]:
    """Return `evaluate` with a cache; by default on the bundled table."""
    done: dict[tuple[ModelSpec, int], Evaluation] = {}

    def remember(spec: ModelSpec, scores: Scores | None = None) -> Evaluation:
        table = bundled if scores is None else scores
        if (spec, id(table)) not in done:
            done[spec, id(table)] = evaluate(spec, table, gradient=scores is None)
        return done[spec, id(table)]

    return remember
