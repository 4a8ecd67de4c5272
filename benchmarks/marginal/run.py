"""MarginalML measured: quadrature against Monte Carlo, time, and coverage by standard errors.

    python -m benchmarks.marginal.run [--replications 100] [--draws 1000000] [--near 1000000]

writes benchmarks/marginal/MARGINAL.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln
from scipy.stats import norm

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.inference.marginal.likelihood import MarginalLikelihood, marginal_likelihood
from latentscale.model.design import design

OUT = Path(__file__).with_name("MARGINAL.md")
FAMILIES, MEMBERS = 40, 3
LOADING = np.array([[0.8, 0], [0.7, 0.4], [0.2, 0.9], [0, 0.7], [0.9, 0.2], [0.5, 0.6]])
INTERCEPT = np.array([0.3, -0.4, -1.0, 0.1, 0.8, -0.2])
SLOPE = np.array([1.0, 0.6])
PRECISION = np.array([90.0, 120.0, 60.0, 150.0, 80.0, 100.0])
CORRELATION = 0.4
NAMES = [f"b{j}" for j in range(6)]
BLOCK = 20_000


def monte_carlo(
    likelihood: MarginalLikelihood, vector: np.ndarray, draws: int, seed: int, *, prior: bool
) -> tuple[float, float]:
    """Return the total log likelihood by Monte Carlo, and its standard error.

    Latents are drawn from their population, or around each family's mode with weights.
    """
    rng = np.random.default_rng(seed)
    placement = likelihood.place(vector)
    families, size = placement.modes.shape
    top = np.full((families, 1), -np.inf)
    sums = np.zeros((families, 2))
    for done in range(0, draws, BLOCK):
        z = rng.standard_normal((families, min(BLOCK, draws - done), size))
        if prior:
            value = likelihood.joint_at(vector, z) + 0.5 * np.square(z).sum(axis=2)
        else:
            width = np.sqrt(7 / rng.chisquare(7, z.shape[:2]))[..., None]
            z = z * width
            y = placement.modes[:, None] + z @ np.swapaxes(placement.spreads, -1, -2)
            value = likelihood.joint_at(vector, y) - _log_t(z, 7)
            value += np.log(np.einsum("fkk->fk", placement.spreads)).sum(axis=1)[:, None]
            value -= size / 2 * np.log(2 * np.pi)
        peak = np.maximum(top, value.max(axis=1, keepdims=True))
        sums *= np.exp(top - peak) ** [1, 2]
        weight = np.exp(value - peak)
        sums += np.stack([weight.sum(axis=1), np.square(weight).sum(axis=1)], axis=1)
        top = peak
    mean = sums[:, 0] / draws
    variance = (sums[:, 1] / draws / mean**2 - 1) / draws
    return float((np.log(mean) + top[:, 0]).sum()), float(np.sqrt(variance.sum()))


def _log_t(z: np.ndarray, freedom: float) -> np.ndarray:
    """Return the log density of a standard t distribution in several dimensions."""
    size = z.shape[-1]
    top = gammaln((freedom + size) / 2) - gammaln(freedom / 2)
    scale = size / 2 * np.log(freedom * np.pi)
    tail = (freedom + size) / 2 * np.log1p(np.square(z).sum(axis=-1) / freedom)
    return np.asarray(top - scale - tail)


def simulated(seed: int) -> ls.Scores:
    """Simulate one table of 40 families from known parameters."""
    rng = np.random.default_rng(seed)
    family = np.repeat(np.arange(FAMILIES), MEMBERS)
    grid = np.random.default_rng(99)  # the same sizes in every table
    params = np.exp(grid.uniform(np.log(0.5), np.log(80), family.size))
    flops = np.log(params)
    x = (flops - flops.mean()) / flops.std()
    factor = np.array([[1, 0], [CORRELATION, np.sqrt(1 - CORRELATION**2)]])
    theta = (rng.standard_normal((FAMILIES, 2)) @ factor.T)[family] + x[:, None] * SLOPE
    mean = np.clip(expit(INTERCEPT + theta @ LOADING.T), 1e-6, 1 - 1e-6)
    score = np.clip(rng.beta(mean * PRECISION, (1 - mean) * PRECISION), 1e-4, 1 - 1e-4)
    frame = pd.DataFrame(
        {
            "model": [f"f{f:02d}-{i}" for i, f in enumerate(family)],
            "family": [f"f{f:02d}" for f in family],
            "params_b": params,
            "tokens_t": 1.0,
            **{name: score[:, j] for j, name in enumerate(NAMES)},
        }
    )
    info = {name: ls.Benchmark(floor=0.0, n_items=1000) for name in NAMES}
    return ls.Scores.from_frame(frame, benchmarks=info)


def truth() -> dict[str, float]:
    """Return the true value of every parameter by its name in the estimate's table."""
    anchors = {"b0": 0, "b3": 1}
    values = {f"intercept[{n}]": INTERCEPT[j] for j, n in enumerate(NAMES)}
    values |= {f"precision[{n}]": PRECISION[j] for j, n in enumerate(NAMES)}
    for j, name in enumerate(NAMES):
        if name not in anchors:
            values |= {f"loading[{name}, {a}]": LOADING[j, k] for a, k in anchors.items()}
    for anchor, k in anchors.items():
        values[f"anchor_loading[{anchor}]"] = LOADING[NAMES.index(anchor), k]
        values[f"slope[log_params, {anchor}]"] = SLOPE[k]
    return values | {"skill_correlation[b3, b0]": CORRELATION}


def coverage(replications: int, seed: int) -> pd.DataFrame:
    """Return coverage of normal intervals by covariance, level and kind of parameter."""
    spec = spec_from_dict(
        {
            "name": "coverage",
            "covariates": ["log_params"],
            "skills": {"count": 2, "identify": {"kind": "anchored", "anchors": ["b0", "b3"]}},
            "family": {"level": "partial", "correlated": True},
        }
    )
    method = ls.MarginalML(starts=1, nodes=3, drop=0.0)
    true = pd.Series(truth())
    rows = []
    for replication in range(replications):
        estimate = ls.methods.marginal_estimate(
            spec, simulated(seed + replication), method=method, seed=1, progress=False
        )
        table = estimate.table().reindex(true.index)
        for kind in ("observed", "outer_product", "sandwich"):
            z = (table["estimate"] - true) / table[f"se_{kind}"]
            rows.append(
                pd.DataFrame({"z": z, "covariance": kind, "of": true.index.str.split("[").str[0]})
            )
    every = pd.concat(rows)
    for prob in (0.9, 0.95):
        every[f"{prob:.0%}"] = every["z"].abs() < norm.ppf((1 + prob) / 2)
    by = every.groupby(["covariance", "of"])[["90%", "95%"]].mean()
    overall = every.groupby("covariance")[["90%", "95%"]].mean()
    overall.index = pd.MultiIndex.from_product([overall.index, ["all"]], names=by.index.names)
    return pd.concat([by, overall]).sort_index()


def markdown(table: pd.DataFrame) -> str:
    """Write a table with its index as Markdown."""
    flat = table.reset_index()
    head = "| " + " | ".join(map(str, flat.columns)) + " |"
    rule = "|" + "---|" * flat.shape[1]
    body = ["| " + " | ".join(_cell(v) for v in row) + " |" for row in flat.to_numpy()]
    return "\n".join([head, rule, *body])


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def timed_fit(spec: ls.ModelSpec, scores: ls.Scores, seed: int) -> tuple[tuple[float, float], Any]:
    """Return wall and processor seconds of a whole fit, and the fit."""
    clock, cpu = time.perf_counter(), time.process_time()
    fit = ls.fit(spec, scores, method=ls.MarginalML(), seed=seed, progress=False)
    return (time.perf_counter() - clock, time.process_time() - cpu), fit


def log_likelihoods(
    spec: ls.ModelSpec,
    scores: ls.Scores,
    estimate: ls.results.MarginalEstimate,
    draws: int,
    near: int,
) -> pd.DataFrame:
    """Return the total log likelihood at the estimate by several routes."""
    likelihood = marginal_likelihood(spec, design(spec, scores))
    laplace = float(likelihood.place(estimate.vector).laplace.sum())
    lines = [("adaptive Gauss-Hermite, 7 nodes per skill", estimate.log_likelihood, 0.0)]
    lines.append(
        ("the same, 5 nodes (maximised)", estimate.log_likelihood - estimate.quadrature_error, 0.0)
    )
    lines.append(("Laplace", laplace, 0.0))
    level = monte_carlo(likelihood, estimate.vector, near, 3, prior=False)
    lines.append((f"Monte Carlo around each mode, {near:.0e} draws per family", *level))
    brute = monte_carlo(likelihood, estimate.vector, draws, 2, prior=True)
    lines.append((f"Monte Carlo from the population, {draws:.0e} draws per family", *brute))
    return pd.DataFrame(lines, columns=["by", "total log likelihood", "standard error"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--near", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    scores, spec = ls.datasets.open_llm_leaderboard(), ls.load_spec("cai2025")
    cold, _ = timed_fit(spec, scores, given.seed)
    warm, fit = timed_fit(spec, scores, given.seed)
    estimates = fit.tree["estimate"].to_dataset()
    method = ls.MarginalML(starts=1)
    estimate = ls.methods.marginal_estimate(spec, scores, method=method, progress=False)
    total = log_likelihoods(spec, scores, estimate, given.draws, given.near)
    began = time.process_time()
    covered = coverage(given.replications, 1000 * given.seed)
    spent = time.process_time() - began
    libraries = ", ".join(f"{n} {version(n)}" for n in ("numpy", "scipy", "numba", "xarray"))
    OUT.write_text(
        f"""# MarginalML, measured

Written by `python -m benchmarks.marginal.run {" ".join(sys.argv[1:])}`, seed {given.seed};
latentscale {ls.__version__}, Python {platform.python_version()}, {libraries};
{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}
when written (wall times mean little under load; processor times are next to them).

## Log likelihood of cai2025 (K = 4) on the bundled figures, at its maximum

{markdown(total.set_index("by"))}

## Time of the whole fit: {estimates.sizes["start"]} starts, standard errors, 1,000 draws

| | wall s | processor s |
|---|---|---|
| first in this process | {cold[0]:.1f} | {cold[1]:.1f} |
| again | {warm[0]:.1f} | {warm[1]:.1f} |

Starts reached {", ".join(f"{v:.2f}" for v in estimates["start_log_likelihood"].values)} by the
rule with 3 nodes per skill.

## Coverage of normal intervals

{given.replications} tables simulated from the model: {FAMILIES} families of {MEMBERS} models, 6
benchmarks, 2 skills; {len(truth())} parameters per table, intervals on the
natural scale ({spent:.0f} s of processor time).

{markdown(covered)}
""",
        encoding="utf-8",
    )
    print(OUT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
