"""Scores that leave a likelihood without a maximum, and the methods that need one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import SpecError
from latentscale.inference.marginal.likelihood import marginal_likelihood
from latentscale.inference.marginal.quadrature import gauss_hermite
from latentscale.inference.method import Method
from latentscale.inference.tools.exact_fits import fitted_exactly
from latentscale.model.design import design

SPEC = spec_from_dict(
    {
        "name": "one skill",
        "covariates": ["log_params"],
        "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
        "family": {"level": "partial"},
    }
)
SLOPES = SPEC.with_({"benchmarks.slopes": ["log_params"]})
TUNED = SPEC.with_({"benchmarks.instruct.shift": True})


def table(lone: list[float | None], **about: object) -> ls.Scores:
    """Return four models of two families and two sizes; one benchmark has these scores."""
    frame = pd.DataFrame(
        {
            "model": ["a1", "a2", "b1", "b2"],
            "family": ["a", "a", "b", "b"],
            "params_b": [1.0, 2.0, 1.0, 2.0],
            "instruct": [False, True, True, False],
            "alpha": [0.3, 0.5, 0.4, 0.7],
            "lone": lone,
        }
    )
    lone_about = ls.Benchmark(**{"floor": 0.25, **about})  # type: ignore[arg-type]
    return ls.Scores.from_frame(frame, benchmarks={"alpha": ls.Benchmark(), "lone": lone_about})


@pytest.mark.parametrize(
    ("spec", "lone", "exact"),
    [
        (SPEC, [0.5, None, None, None], True),
        (SPEC, [0.5, 0.5, 0.5, 0.5], True),
        (SPEC, [0.5, 0.6, None, None], False),
        (SPEC, [0.1, None, None, None], False),  # below the floor, which the mean cannot reach
        (SLOPES, [0.5, 0.6, None, None], True),  # as many coefficients as sizes
        (SLOPES, [0.5, 0.6, 0.5, 0.6], True),
        (SLOPES, [0.5, 0.6, 0.51, None], False),  # of one size
        (TUNED, [0.5, 0.6, 0.6, None], True),
        (TUNED, [0.5, 0.6, None, 0.7], False),
    ],
)
def test_which_scores_are_fitted_exactly(
    spec: ModelSpec, lone: list[float | None], exact: bool
) -> None:
    found = fitted_exactly(spec, design(spec, table(lone)))
    assert found == (["lone"] if exact else [])


def test_sampling_error_and_the_ends_of_a_curve_bound_the_density() -> None:
    lone = [0.9, None, None, None]
    assert fitted_exactly(SPEC, design(SPEC, table(lone, ceiling=0.8))) == []
    assert fitted_exactly(SPEC, design(SPEC, table(lone, floor=1.0, lower_is_better=True)))
    frame = table(lone).to_long()
    frame["stderr"] = np.where(frame["benchmark"] == "lone", 0.02, np.nan)
    sampled = ls.Scores.from_long(frame, benchmarks=table(lone).benchmark_info)
    assert sampled.n_observed == 5
    assert fitted_exactly(SPEC, design(SPEC, sampled)) == []


def test_the_likelihood_of_a_lone_score_grows_with_its_precision() -> None:
    prepared = design(SPEC, table([0.5, None, None, None]))
    likelihood = marginal_likelihood(SPEC, prepared)
    labels, vector = likelihood.parameters.labels(), likelihood.start.copy()
    vector[labels.index("loading[lone, alpha]")] = 0.0
    vector[labels.index("intercept[lone]")] = np.log(0.25 / 0.5)  # 0.5 = 0.25 + 0.75 x 1 / 3
    levels = []
    for log_precision in (8.0, 16.0):
        vector[labels.index("precision[lone]")] = log_precision
        placed = likelihood.place(vector)
        levels.append(likelihood.by_family(vector, placed, gauss_hermite(1, 5)).sum())
    # A density at its mean is proportional to the root of its precision.
    assert levels[1] - levels[0] == pytest.approx(4.0, abs=1e-3)


def test_precisions_that_differ_by_rounding_alone_are_out_of_range() -> None:
    likelihood = marginal_likelihood(SPEC, design(SPEC, table([0.5, 0.6, None, None])))
    place = likelihood.parameters.labels().index("precision[lone]")
    nodes, vector = gauss_hermite(1, 5), likelihood.start.copy()
    for log_precision, inside in ((18.0, True), (19.0, False), (60.0, False), (300.0, False)):
        vector[place] = log_precision
        placed = likelihood.place(vector)
        values, _ = likelihood.with_scores(vector, placed, nodes)
        np.testing.assert_array_equal(np.isfinite(values), inside)
        np.testing.assert_array_equal(
            np.isfinite(likelihood.by_family(vector, placed, nodes)), inside
        )


def test_two_scores_leave_their_precision_alone_open() -> None:
    rng = np.random.default_rng(3)
    level = np.repeat(rng.standard_normal(8), 3) + np.tile([-0.5, 0.0, 0.5], 8)
    frame = pd.DataFrame({"model": [f"m{i}" for i in range(24)], "params_b": [1.0, 2.0, 4.0] * 8})
    frame["family"] = np.repeat([f"f{i}" for i in range(8)], 3)
    for name, loading in (("alpha", 1.0), ("beta", 0.8), ("gamma", 1.2)):
        mean = 1 / (1 + np.exp(-loading * level))
        frame[name] = np.round(rng.beta(60 * mean, 60 * (1 - mean)).clip(0.01, 0.99), 3)
    frame["lone"] = [0.5, *[None] * 4, 0.6, *[None] * 18]
    method = ls.MarginalML(starts=1, cores=1)
    estimate = ls.methods.marginal_estimate(
        SPEC, ls.Scores.from_frame(frame), method=method, progress=False
    )
    assert "precision[lone]" in estimate.flat_parameters and not estimate.converged
    assert abs(estimate.log_likelihood) < 1000
    assert "slope[log_params, alpha]" not in estimate.flat_parameters


@pytest.mark.parametrize(
    "method", [ls.MarginalML(starts=1, cores=1), ls.methods.StochasticMarginalML(cores=1)]
)
def test_methods_that_need_a_maximum_refuse_such_benchmarks(method: Method) -> None:
    said = f'no maximum, which {type(method).__name__} needs: the scores of "lone"'
    with pytest.raises(SpecError, match=said) as error:
        ls.fit(SPEC, table([0.5, None, None, None]), method=method, progress=False)
    assert "scores.select(benchmarks=[...])" in str(error.value)
