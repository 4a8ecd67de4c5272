"""Scores of one cell from several sources: one skill, with a partially pooled offset per source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import DataError, SpecError
from latentscale.model.evaluate import NO_RESIDUALS
from latentscale.posterior.fit import Fit

OFFSETS = {"lab": 0.0, "vendor": 0.5, "blog": -0.3}


def spec() -> ModelSpec:
    part = {"name": "sources", "covariates": ["log_params"], "skills": {"count": 0}}
    part |= {"family": {"level": "none"}, "benchmarks": {"slopes": ["log_params"]}}
    return spec_from_dict(part | {"terms": [{"kind": "sources"}]})


def rows(models: int = 60) -> pd.DataFrame:
    """Two benchmarks; the lab measures all models, the others two thirds of them."""
    rng = np.random.default_rng(6)
    size = np.exp(rng.uniform(-1, 4, models))
    x = (np.log(size) - np.log(size).mean()) / np.log(size).std()
    table = []
    for name, level in {"quiz": 0.2, "code": -0.6}.items():
        for source, offset in OFFSETS.items():
            for i in range(models):
                if source == "lab" or rng.random() < 0.67:
                    mean = 1 / (1 + np.exp(-(level + x[i] + offset)))
                    score = rng.beta(120 * mean, 120 * (1 - mean))
                    table.append((f"m{i}", "f", size[i], name, score, source))
    names = ["model", "family", "params_b", "benchmark", "score", "source"]
    return pd.DataFrame(table, columns=names)


def test_further_sources_are_benchmarks_of_one_task() -> None:
    scores = ls.Scores.from_long(rows(9), sources="apart")
    info = scores.benchmark_info
    assert set(scores.benchmarks) == {
        f"{name}{source}" for name in ("quiz", "code") for source in ("", " (vendor)", " (blog)")
    }
    assert info["quiz (blog)"].task == "quiz" and info["quiz (blog)"].source == "blog"
    assert info["quiz"].source == "lab" and scores.n_observed == len(rows(9))
    with pytest.raises(DataError, match="sources"):
        ls.Scores.from_long(rows(9), sources="both")


def test_offsets_of_sources_are_recovered() -> None:
    scores = ls.Scores.from_long(rows(), sources="apart")
    fit = ls.fit(spec(), scores, method=ls.Laplace(draws=400), seed=1, progress=False)
    drawn = fit.samples["source"]
    for source in ("vendor", "blog"):
        away = drawn.sel(score_source=source) - drawn.sel(score_source="lab")
        assert float(away.mean()) == pytest.approx(OFFSETS[source], abs=4 * float(away.std()))
        assert float(away.std()) < 0.1


def test_benchmarks_of_one_task_differ_by_their_offsets_alone(
    prior_fit: Callable[..., Fit],
) -> None:
    fit = prior_fit(spec(), ls.Scores.from_long(rows(6), sources="apart"), draws=4)
    eta = fit.evaluator.at(fit.samples, fit.scores.dataset, residuals=NO_RESIDUALS).eta
    offset = fit.samples["source"]
    apart = eta.sel(benchmark="quiz (vendor)", drop=True) - eta.sel(benchmark="quiz", drop=True)
    wanted = offset.sel(score_source="vendor", drop=True) - offset.sel(
        score_source="lab", drop=True
    )
    np.testing.assert_allclose(
        apart.transpose("sample", "model"),
        wanted.values[:, None] + 0 * apart.transpose("sample", "model"),
    )


def test_offsets_have_the_standard_deviation_of_sources(prior_fit: Callable[..., Fit]) -> None:
    draws = prior_fit(spec(), ls.Scores.from_long(rows(6), sources="apart"), draws=500).samples
    unit = draws["source"] / draws["source_scale"]
    # 3 sources x 500 draws: a standard error of 0.018.
    assert unit.size == 1500 and float(unit.std()) == pytest.approx(1.0, abs=0.1)


def test_a_table_without_sources_says_how_they_are_read(small_scores: ls.Scores) -> None:
    with pytest.raises(SpecError, match='sources="apart"'):
        ls.build(spec(), small_scores)


def test_the_source_that_keeps_the_name_does_not_hang_on_the_order_of_rows() -> None:
    frame = pd.DataFrame({"model": ["a", "a", "b", "b"], "family": "f", "benchmark": "quiz"})
    frame = frame.assign(source=["z", "y", "z", "y"], score=[0.9, 0.5, 0.8, 0.4])
    for table in (frame, frame.iloc[::-1]):
        wide = ls.Scores.from_long(table, sources="apart").to_frame().set_index("model")
        assert wide.loc["a", ["quiz", "quiz (z)"]].tolist() == [0.5, 0.9]


def test_scores_without_a_source_beside_those_of_one_are_named() -> None:
    frame = pd.DataFrame({"model": list("aab"), "family": "f", "benchmark": "quiz"})
    frame = frame.assign(source=["z", "y", None], score=[0.9, 0.5, 0.8])
    with pytest.warns(ls.DataWarning, match=r"quiz \(1 scores, beside those of y\)"):
        ls.Scores.from_long(frame, sources="apart")
    taken = frame.assign(benchmark=["quiz", "quiz", "quiz (z)"], source=["z", "y", "x"])
    with pytest.raises(ls.DataError, match="would take that name"):
        ls.Scores.from_long(taken, sources="apart")


def test_a_benchmark_that_names_no_source_has_no_offset(prior_fit: Callable[..., Fit]) -> None:
    frame = (
        rows(6)
        .query("source == 'lab'")
        .pivot_table(index=["model", "family", "params_b"], columns="benchmark", values="score")
    )
    table = frame.reset_index().assign(plain=0.5)
    info = {"quiz": ls.Benchmark(source="vendor"), "code": ls.Benchmark(source="lab")}
    draws = prior_fit(spec(), ls.Scores.from_frame(table, benchmarks=info), draws=4).samples
    offset, own = draws["source_offset"], draws["source"]
    np.testing.assert_array_equal(offset.sel(benchmark="plain"), 0.0)
    for name, source in (("quiz", "vendor"), ("code", "lab")):
        np.testing.assert_array_equal(offset.sel(benchmark=name), own.sel(score_source=source))
