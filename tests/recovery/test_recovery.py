"""NUTS recovers the truth behind a simulated table, and the check would notice if it did not.

The table comes from numpy alone (tests/conftest.py). 90% intervals must contain the truth at about
their rate, and means must be close. Controls: the truth of other parameters, a truth moved by a
fifth, and a fit that ignores instruction tuning all fail the same check.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.posterior.fit import Fit

CLOSE = {  # largest root mean square error of the posterior mean
    "loading": 0.10,
    "instruct_shift": 0.10,
    "slope": 0.08,
    "intercept": 0.15,
    "family_skill": 0.15,
    "family_scale": 0.25,
    "lineage_share": 0.35,
}
COVERED = (0.82, 0.99)
MEANS = (0.84, 0.96)  # 624 expected scores


def identified(parameters: xr.Dataset) -> xr.Dataset:
    """Subtract the families' mean: a shift of all families is a shift of the intercepts."""
    mean = parameters["family_skill"].mean("family")
    shift = (parameters["loading"] * mean).sum("skill")
    return parameters.assign(
        family_skill=parameters["family_skill"] - mean, intercept=parameters["intercept"] + shift
    )


def failures(fit: Fit, truth: xr.Dataset) -> list[str]:
    """Report which parameters are too far from a truth, and if intervals contain it too rarely."""
    messages, inside = [], []
    samples, wanted = identified(fit.samples), identified(truth)
    for name, limit in CLOSE.items():
        if name not in fit.posterior:
            messages.append(f"{name} is not in the fit")
            continue
        draws, true = samples[name], wanted[name]
        error = float(np.sqrt(((draws.mean("sample") - true) ** 2).mean()))
        if error > limit:
            messages.append(f"{name}: rms error {error:.3f} above {limit}")
        low, high = draws.quantile([0.05, 0.95], "sample")
        free = draws.std("sample") > 1e-9
        held = ((true >= low) & (true <= high)).transpose(*free.dims)
        inside.append(held.values[free.values])
    rate = float(np.concatenate(inside).mean())
    if not COVERED[0] <= rate <= COVERED[1]:
        messages.append(f"90% intervals hold {rate:.2f} of the parameters")
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    mean = ls.predict(fit, rows).mean_draws
    low, high = mean.quantile([0.05, 0.95], "sample")
    true = truth["expected_score"]
    rate = float(((true >= low) & (true <= high)).mean())
    if not MEANS[0] <= rate <= MEANS[1]:
        messages.append(f"90% intervals hold {rate:.2f} of the expected scores")
    error = float(abs(mean.mean("sample") - true).mean())
    if error > 0.015:
        messages.append(f"expected scores: mean absolute error {error:.4f}")
    return messages


def test_the_fit_recovers_the_truth(known_fit: Fit, known) -> None:
    assert failures(known_fit, known.truth) == []


def test_the_noise_is_recovered(known_fit: Fit, known) -> None:
    draws = np.log(known_fit.samples["precision"])
    z = (draws.mean("sample") - np.log(known.truth["precision"])) / draws.std("sample")
    assert float(abs(z).max()) < 3 and float(draws.std("sample").max()) < 0.4


@pytest.mark.parametrize("name", ["loading", "instruct_shift", "family_skill", "expected_score"])
def test_a_shuffled_truth_is_noticed(known_fit: Fit, known, name: str) -> None:
    dim = "family" if name == "family_skill" else "benchmark"
    size = known.truth.sizes[dim]
    rolled = known.truth[name].copy(data=known.truth[name].roll({dim: size // 2}).values)
    assert failures(known_fit, known.truth.assign({name: rolled}))


@pytest.mark.parametrize("name", ["slope", "loading", "instruct_shift"])
def test_a_truth_moved_by_a_fifth_of_a_unit_is_noticed(known_fit: Fit, known, name: str) -> None:
    assert failures(known_fit, known.truth.assign({name: known.truth[name] + 0.2}))


@pytest.mark.slow
def test_a_wrong_spec_is_noticed(without_instruct, known) -> None:
    method = ls.NUTS(draws=300, tune=400, chains=2, cores=2)
    fit = ls.fit(without_instruct, known.scores, method=method, seed=3, progress=False)
    messages = [line for line in failures(fit, known.truth) if "not in the fit" not in line]
    assert any("expected scores" in line for line in messages)
