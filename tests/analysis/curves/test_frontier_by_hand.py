"""The frontier compared with a simulation by hand from the raw draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

import latentscale as ls
from latentscale.analysis.curves import values_to_come
from latentscale.analysis.curves.releases import spread_order
from latentscale.data.scores import Scores
from latentscale.declare import spec_from_dict
from latentscale.errors import DataError
from latentscale.posterior.fit import Fit


@pytest.fixture(scope="module")
def fit(small_scores: Scores, prior_fit: Callable[..., Fit]) -> Fit:
    """Twelve models, the last ten of which were released within a year."""
    frame = small_scores.to_frame().drop(columns=["params_b", "tokens_t"])
    days = pd.to_timedelta(40 * np.arange(len(frame)), unit="D")
    frame["released"] = pd.Timestamp("2024-05-01") + days
    document = {
        "name": "dated",
        "covariates": ["released"],
        "skills": {"count": 1, "residual": True},
        "family": {"level": "partial"},
        "priors": {"slope": {"dist": "Normal", "mu": 1.0, "sigma": 0.1}},
    }
    dated = Scores.from_frame(frame, benchmarks=small_scores.benchmark_info)
    return prior_fit(spec_from_dict(document), dated, draws=700)


def best_by_hand(fit: Fit, day: np.datetime64, per_year: float) -> np.ndarray:
    """Return the best logit of alpha by a day, from the raw draws: each release is simulated."""
    draws, rng = fit.samples, np.random.default_rng(8)
    released = fit.scores.dataset["released"].values
    slope = draws["slope"].transpose("sample", ...).values[:, 0, 0]
    alpha = {"benchmark": "alpha"}
    start, loading = draws["intercept"].sel(alpha).values, draws["loading"].sel(alpha).values[:, 0]
    fitted = draws["model_skill"].transpose("sample", "model", "skill").values[:, :, 0]
    last, year = released.max(), np.timedelta64(8766, "h")
    like = np.argsort(released)[::-1]
    like = like[released[like] > last - year]
    family = draws["family_skill"].sel(family=fit.scores.dataset["family"].values[like])
    family = family.transpose("sample", "family", "skill").values[:, :, 0]
    sigma = draws["residual_scale"].values[:, 0]
    number = released.astype("datetime64[s]").astype(float)
    best = (start[:, None] + loading[:, None] * fitted).max(axis=1)
    for place in range(int(3 * per_year * ((day - last) / year))):
        at = (last + (place + 1) / (3 * per_year) * year).astype("datetime64[s]").astype(float)
        x = (at - number.mean()) / number.std()
        own = family[:, spread_order(len(like))[place % len(like)]]
        skill = own + slope * x + sigma * rng.standard_normal(len(slope))
        comes = rng.random(len(slope)) < 1 / 3
        best = np.where(comes, np.maximum(best, start + loading * skill), best)
    return best


@pytest.mark.parametrize("far", ["2026-07-16", "2030-07-16"])
def test_as_many_releases_come_as_the_headline_says(fit: Fit, far: str) -> None:
    """Of 750 releases expected by the later date 300 came, and 60 of 150 by the nearer one."""
    near = np.datetime64("2026-07-16")
    found = ls.frontier(fit, benchmark="alpha", dates=[str(near), far], per_year=150, seed=1)
    ours = logit(found.draws.sel(date=near).isel(date=0, missing_dims="ignore").values)
    over = ours - best_by_hand(fit, near, 150)
    assert abs(over.mean()) < 4 * over.std() / np.sqrt(over.size)


def test_more_releases_than_can_be_simulated_are_refused(fit: Fit) -> None:
    with pytest.raises(DataError, match=r"900 releases a year .* 2034-07-16 .*the 3000 that"):
        ls.frontier(fit, benchmark="alpha", dates=["2034-07-16"], per_year=900)


def test_releases_simulated_a_part_at_a_time_are_the_same(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    dates = ["2026-07-16"]
    whole = ls.frontier(fit, benchmark="alpha", dates=dates, seed=1)
    monkeypatch.setattr(values_to_come, "_MOST_NUMBERS", 7 * 700 * 4)  # seven releases
    np.testing.assert_array_equal(
        ls.frontier(fit, benchmark="alpha", dates=dates, seed=1).draws, whole.draws
    )
