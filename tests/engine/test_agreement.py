"""A wrong compiled gradient is detected, and the stock engine takes over."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.engine import choice, fast
from latentscale.engine.agreement import expect_agreement
from latentscale.engine.compile import compile_density
from latentscale.errors import FitWarning
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.model.build import build


@pytest.fixture(autouse=True)
def unbroken() -> Iterator[None]:
    choice.forget_faults()
    yield
    choice.forget_faults()


def _curved(scale: float) -> Any:
    """Return a log density with curvature and third derivatives, times a factor."""

    def log_density(point: np.ndarray) -> tuple[float, np.ndarray]:
        value = scale * float(np.sum(-np.exp(point) + 2 * point - point**4))
        return value, scale * (-np.exp(point) + 2 - 4 * point**3)

    return log_density


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("size", [1, 40, 5_000])
def test_a_right_gradient_passes(scale: float, size: int) -> None:
    expect_agreement(_curved(scale), np.zeros(size))


@pytest.mark.parametrize("size", [1, 40, 5_000])
def test_a_gradient_with_a_wrong_tenth_is_seen(size: int) -> None:
    right = _curved(1.0)

    def wrong(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = right(point)
        gradient[: max(size // 10, 1)] *= 1.5
        return value, gradient

    with pytest.raises(ArithmeticError, match="finite differences"):
        expect_agreement(wrong, np.zeros(size))


def test_where_the_log_density_is_not_finite_nothing_is_judged() -> None:
    expect_agreement(lambda point: (-np.inf, np.ones(len(point))), np.zeros(3))
    expect_agreement(lambda point: (0.0, np.full(len(point), np.nan)), np.zeros(3))


def test_the_stock_engine_takes_over_with_one_warning(
    quick_spec: ModelSpec, small_scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = fast.compile_density

    def wrong(*arguments: Any) -> Any:
        density = right(*arguments)

        def log_density(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = density.log_density(point)
            return value, np.roll(gradient, 1)

        return replace(density, log_density=log_density)

    model = build(quick_spec, small_scores)
    names = kept_names(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compile_density(model, names).engine == "fast"
    monkeypatch.setattr(fast, "compile_density", wrong)
    with pytest.warns(FitWarning, match="finite differences"):
        assert compile_density(model, names).engine == "stock"
