"""The table of a refit with given scores: their noise is as in a forecast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.analysis.forecasts import condition
from latentscale.analysis.forecasts.new_scores import with_rows
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.forecasts.weights import Degenerate, DrawWeights
from latentscale.data.scaling import sampling_of, usual_sampling
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.posterior.fit import Fit

NAMES = {"alpha": ls.Benchmark(), "beta": ls.Benchmark(), "gamma": ls.Benchmark(scale="real")}


def frame_of(scores: Scores) -> pd.DataFrame:
    """Return a table of two fractions and a rating, with a score of its second model left out."""
    frame = scores.to_frame().drop(columns="delta")
    frame["gamma"] = 1200 + 100 * frame["gamma"]
    frame.loc[1, "alpha"] = np.nan
    return frame


def with_errors(scores: Scores) -> Scores:
    frame = frame_of(scores)
    errors = frame[["model"]].assign(alpha=0.05, gamma=np.linspace(20, 60, len(frame)))
    return Scores.from_frame(frame, benchmarks=NAMES, stderr=errors)


def with_items(scores: Scores) -> Scores:
    long = frame_of(scores).melt(
        id_vars=["model", "family", "lineage", "params_b", "tokens_t", "instruct"],
        value_vars=list(NAMES),
        var_name="benchmark",
        value_name="score",
    )
    long["n_items"] = np.where(long["benchmark"] == "alpha", 40 + 5 * (long.index % 7), np.nan)
    return Scores.from_long(long.dropna(subset="score"), benchmarks=NAMES)


@pytest.mark.parametrize("stated", [with_errors, with_items])
def test_scores_that_are_fitted_have_the_sampling_error_that_forecasts_give_them(
    small_scores: Scores,
    prior_fit: Callable[..., Fit],
    quick_spec: ModelSpec,
    stated: Callable[[Scores], Scores],
) -> None:
    """Item counts were missing, so a refit took a score of 40 items as free of sampling error."""
    fit = prior_fit(quick_spec, stated(small_scores))
    known = fit.scores.to_frame()
    columns = ["model", "family", "params_b", "tokens_t", "instruct"]
    unmeasured = known["alpha"].isna()
    old = known.loc[unmeasured, columns].head(1).assign(alpha=1.0)
    new = known.loc[[0], columns].assign(model="new", family="new", alpha=0.9, beta=0.4, gamma=1290)
    rows = pd.concat([old, new], ignore_index=True)
    table = with_rows(fit, planned_rows(fit, rows)).dataset
    data = fit.scores.dataset
    usual, sampling = usual_sampling(data), sampling_of(table)
    assert usual is not None and sampling is not None and float(usual.sel(benchmark="alpha")) > 0
    xr.testing.assert_allclose(sampling.sel(model="new", drop=True), usual)
    (second,) = old["model"]
    where = {"model": second, "benchmark": "alpha"}
    np.testing.assert_allclose(sampling.sel(where), usual.sel(benchmark="alpha"))
    before = sampling_of(data)
    assert before is not None
    unchanged = before.notnull() & data["score"].notnull()
    fitted = sampling.sel({"model": data["model"]})
    xr.testing.assert_allclose(fitted.where(unchanged), before.where(unchanged))
    assert float(before.sel(benchmark="alpha").max()) > 0


def test_a_table_without_errors_stays_without(
    small_scores: Scores, prior_fit: Callable[..., Fit], quick_spec: ModelSpec
) -> None:
    fit = prior_fit(quick_spec, small_scores)
    row = fit.scores.to_frame().loc[[0]].assign(model="new", family="new")
    table = with_rows(fit, planned_rows(fit, row)).dataset
    assert "stderr" not in table and sampling_of(table) is None
    np.testing.assert_allclose(
        table["score"].sel(model="new"), fit.scores.dataset["score"].isel(model=0)
    )


@pytest.mark.slow
def test_a_refit_forecasts_what_importance_weights_do(
    known, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of a new family, of a new member and of a fitted model, with pooled providers."""
    names = list(known.scores.benchmarks)
    frame = known.frame.rename(columns={"lineage": "provider"})
    shot = frame[frame["model"].isin(["fam05-m0", "fam05-m1", "fam07-m3"])].copy()
    shot.loc[shot["model"] == "fam05-m0", names[2:]] = np.nan
    shot.loc[shot["model"] == "fam05-m1", names] = np.nan
    shot.loc[shot["model"] == "fam07-m3", names[1:]] = np.nan
    rest = frame[(frame["family"] != "fam05") & (frame["model"] != "fam07-m3")].reset_index()
    rest.loc[0, names[0]] = np.nan
    shot = pd.concat([shot, rest.head(1)[shot.columns].assign(**{names[0]: 0.6})])
    scores = Scores.from_frame(
        rest.drop(columns="index"),
        features=[ls.Feature("provider", coding="pooled")],
        benchmarks={name: ls.Benchmark() for name in names},
    )
    document = {
        "name": "providers",
        "covariates": ["log_flops", "provider"],
        "skills": {
            "count": 1,
            "identify": {"kind": "anchored", "anchors": ["alpha"]},
            "residual": True,
        },
        "family": {"level": "partial"},
        "benchmarks": {"likelihood": {"kind": "logit-normal"}},
    }
    method = ls.methods.Gibbs(draws=2000, chains=2, cores=1, thin=2)
    fit = ls.fit(spec_from_dict(document), scores, method=method, seed=1, progress=False)
    weighted = ls.predict(fit, shot, seed=1)
    assert weighted.conditioning is not None and weighted.conditioning.method != "refit"

    def refuse(weights: DrawWeights, n_scores: int, count: int, *_: object) -> None:
        raise Degenerate(n_scores, weights.ess, weights.pareto_k, count, several=False)

    monkeypatch.setattr(condition, "refuse_degenerate", refuse)
    refitted = ls.predict(fit, shot, seed=2, few_shot=ls.FewShot(refit=method))
    assert refitted.conditioning is not None and refitted.conditioning.method == "refit"
    one, two = (np.log(f.mean_draws / (1 - f.mean_draws)) for f in (weighted, refitted))
    # Means of 200 effective draws are known to a tenth of a standard deviation.
    apart = abs(one.mean("sample") - two.mean("sample")) / two.std("sample")
    assert float(apart.max()) < 0.4
    np.testing.assert_allclose(one.std("sample"), two.std("sample"), rtol=0.3)
