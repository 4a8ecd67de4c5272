"""Fixtures shared by all tests: a simulated table, a NUTS fit of it, and fits made of prior draws.

The table is simulated with numpy alone, from the design's equations, so that the package does not
check itself. Compiling a model for the sampler takes seconds, so one fit serves most tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from numbers import Integral
from typing import Any

import numpy as np
import nutpie
import pandas as pd
import pymc as pm
import pytensor
import pytest
import xarray as xr
from scipy.special import expit

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.inference.run import fit as run_fit
from latentscale.model.build import build_design
from latentscale.model.design import Design, design
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit, Provenance
from latentscale.posterior.status import Status

FLOORS = {"alpha": 0.0, "beta": 0.25, "gamma": 0.0, "delta": 0.1, "epsilon": 0.0, "zeta": 0.2}
ANCHORS = ("alpha", "delta")

SEED_SHIFT = int(os.environ.get("LATENTSCALE_TEST_SEED_SHIFT", "0"))
"""Added to every seed, the tests' and the package's: no test may depend on a single seed.

The tables that tests analyse are data and do not change: see `fixed_seeds`.
"""

_fixed = False


def shifted(seed: Any) -> Any:
    """Return a seed with the shift; if it has several numbers, the first is shifted."""
    if _fixed:
        return seed
    if isinstance(seed, Integral):
        return int(seed) + SEED_SHIFT
    if isinstance(seed, list | tuple) and seed and isinstance(seed[0], Integral):
        return [int(seed[0]) + SEED_SHIFT, *seed[1:]]
    return seed


def _shift_seeds() -> None:
    """Shift the seeds of everything that draws random numbers, without the tests' doing."""

    def shifting(function: Callable[..., Any], name: str, place: int) -> Callable[..., Any]:
        @wraps(function)
        def shift(*arguments: Any, **settings: Any) -> Any:
            if len(arguments) > place:
                arguments = (
                    *arguments[:place],
                    shifted(arguments[place]),
                    *arguments[place + 1 :],
                )
            elif name in settings:
                settings[name] = shifted(settings[name])
            return function(*arguments, **settings)

        return shift

    by_name_only = 99  # more arguments than any of them takes by position
    np.random.default_rng = shifting(np.random.default_rng, "seed", 0)
    pm.draw = shifting(pm.draw, "random_seed", by_name_only)
    pm.sample = shifting(pm.sample, "random_seed", by_name_only)
    nutpie.sample = shifting(nutpie.sample, "seed", by_name_only)


if SEED_SHIFT:
    _shift_seeds()


@contextmanager
def fixed_seeds() -> Iterator[None]:
    """Do not shift seeds: the block makes a table that tests treat as measured."""
    global _fixed
    _fixed = True
    try:
        yield
    finally:
        _fixed = False


def pytest_report_header() -> str:
    """Report what the random numbers depend on in addition to the versions."""
    names = ("LATENTSCALE_TEST_SEED_SHIFT", "NPY_DISABLE_CPU_FEATURES", "NUMBA_CPU_NAME")
    return ", ".join(f"{name}={os.environ.get(name, '')}" for name in names)


@dataclass(frozen=True)
class Known:
    """A simulated table, with every parameter behind it."""

    frame: pd.DataFrame
    scores: Scores
    truth: xr.Dataset


def known_document() -> dict[str, object]:
    """Return the spec that the simulated table follows, as TOML would give it."""
    return {
        "name": "known",
        "covariates": ["log_flops"],
        "skills": {
            "count": 2,
            "identify": {"kind": "anchored", "anchors": list(ANCHORS), "unit": "anchor"},
        },
        "family": {"level": "partial", "lineage": True, "correlated": True},
        "benchmarks": {"instruct": {"shift": True}},
        "priors": {"slope": {"dist": "Normal", "mu": 0.8, "sigma": 0.5}},
    }


def simulate_by_hand(seed: int = 11, lineages: int = 13, members: int = 4) -> Known:
    """Simulate 26 families in 13 lineages, 4 members each, on 6 benchmarks (floors as above).

    eta = b + lambda (alpha_f + B x) + instruct iota, mu = c + (1 - c) logistic(eta), Beta noise;
    alpha_f = D L (sqrt(r) a_g + sqrt(1 - r) b_f), of whose variance the share r is the lineage's.
    """
    rng = np.random.default_rng(seed)
    families = 2 * lineages
    lineage_of_family = np.repeat(np.arange(lineages), 2)
    family = np.repeat(np.arange(families), members)
    params = np.exp(rng.uniform(np.log(0.5), np.log(80), family.size))
    tokens = np.exp(rng.uniform(np.log(0.3), np.log(12), families))[family]
    instruct = (np.arange(family.size) % 2).astype(float)
    flops = np.log(6 * params * 1e9 * tokens * 1e12)
    x = (flops - flops.mean()) / flops.std()
    benchmarks, floor = list(FLOORS), np.array(list(FLOORS.values()))
    loading = np.array([[1, 0], [0.9, 0.5], [0.3, 1.1], [0, 1], [1.2, 0.2], [0.6, 0.7]])
    intercept = np.array([0.3, -0.4, -1.0, 0.1, 0.8, -0.2])
    shift = np.array([0.5, -0.3, 0.8, 0.0, -0.6, 0.4])
    slope = np.array([[0.9, 0.5]])
    factor = np.array([[1.0, 0.0], [0.4, np.sqrt(1 - 0.16)]])
    scale, share = np.array([0.8, 0.7]), 0.45
    phi = np.array([90.0, 120.0, 60.0, 150.0, 80.0, 100.0])
    between, within = rng.standard_normal((lineages, 2)), rng.standard_normal((families, 2))
    unit = np.sqrt(share) * between[lineage_of_family] + np.sqrt(1 - share) * within
    skill = scale * (unit @ factor.T)
    theta = skill[family] + x[:, None] * slope
    eta = intercept + theta @ loading.T + instruct[:, None] * shift
    mean = floor + (1 - floor) * expit(eta)
    score = rng.beta(mean * phi, (1 - mean) * phi)
    score = np.where(rng.random(score.shape) < 0.08, np.nan, np.clip(score, 0.001, 0.999))
    names = [f"fam{f:02d}" for f in range(families)]
    models = {"family": [names[f] for f in family], "params_b": params, "tokens_t": tokens}
    frame = pd.DataFrame(
        {
            "model": [f"{names[f]}-m{i % members}" for i, f in enumerate(family)],
            "lineage": [f"lin{lineage_of_family[f]:02d}" for f in family],
            "instruct": instruct.astype(int),
            **models,
            **dict(zip(benchmarks, score.T, strict=True)),
        }
    )
    info = {name: ls.Benchmark(floor=c, n_items=500) for name, c in FLOORS.items()}
    truth = xr.Dataset(
        {
            "loading": (("benchmark", "skill"), loading),
            "intercept": ("benchmark", intercept),
            "instruct_shift": ("benchmark", shift),
            "slope": (("covariate", "skill"), slope),
            "family_skill": (("family", "skill"), skill),
            "family_scale": ("skill", scale),
            "lineage_share": share,
            "precision": ("benchmark", phi),
            "expected_score": (("model", "benchmark"), mean),
        },
        coords={
            "benchmark": benchmarks,
            "skill": list(ANCHORS),
            "family": names,
            "covariate": ["log_flops"],
            "model": frame["model"].to_numpy(dtype=str),
        },
    )
    return Known(frame, Scores.from_frame(frame, benchmarks=info), truth)


@pytest.fixture(scope="session")
def seed_shift() -> int:
    """The shift of every seed here, for separate processes, where it is not applied."""
    return SEED_SHIFT


@pytest.fixture(scope="session")
def known() -> Known:
    """The simulated table with its truth."""
    with fixed_seeds():
        return simulate_by_hand()


@pytest.fixture(scope="session")
def fixed() -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which seeds are not shifted."""
    return fixed_seeds


@pytest.fixture(scope="session")
def simulated() -> Callable[[ModelSpec, Scores, int], Scores]:
    """Return a maker of tables from a spec's prior, which do not depend on the seed shift."""

    def make(spec: ModelSpec, template: Scores, seed: int) -> Scores:
        with fixed_seeds():
            return ls.simulate(spec, template, seed=seed).scores

    return make


@pytest.fixture(scope="session")
def known_spec() -> ModelSpec:
    """The spec that the simulated table follows."""
    return spec_from_dict(known_document())


@pytest.fixture(scope="session")
def known_fit(known: Known, known_spec: ModelSpec) -> Fit:
    """One NUTS fit of the right spec to the simulated table, the most expensive fixture."""
    method = ls.NUTS(draws=400, tune=400, chains=2, cores=2)
    return run_fit(known_spec, known.scores, method=method, seed=3, progress=False)


@pytest.fixture(scope="session")
def small_scores(known: Known) -> Scores:
    """Twelve models in six families and three lineages, on four benchmarks."""
    rows = [f"fam{f:02d}-m{i}" for f in range(6) for i in (0, 1)]
    return known.scores.select(models=rows, benchmarks=["alpha", "beta", "gamma", "delta"])


@pytest.fixture(scope="session")
def quick_spec() -> ModelSpec:
    """The shipped spec that compiles fastest."""
    return ls.load_spec("pooled_flops")


@pytest.fixture(scope="session")
def everything_spec() -> ModelSpec:
    """A spec that has every term at once."""
    document = known_document()
    document |= {
        "name": "everything",
        "covariates": ["log_params", "log_tokens", "log_params:log_tokens"],
        "skills": {**document["skills"], "residual": True},  # type: ignore[dict-item]
        "family": {
            "level": "partial",
            "lineage": True,
            "correlated": True,
            "slopes": ["log_params", "log_tokens"],
        },
        "benchmarks": {
            "link": {"kind": "power-logistic"},
            "ceiling": "estimated",
            "family_effect": True,
            "slopes": ["log_tokens"],
            "family_slopes": ["log_tokens", "log_params"],
            "instruct": {"shift": True, "slopes": ["log_params", "log_params:log_tokens"]},
            "precision_covariates": ["log_params"],
        },
    }
    return spec_from_dict(document)


def draws_from_prior(spec: ModelSpec, prepared: Design, count: int, seed: int) -> xr.Dataset:
    """Return prior draws of every parameter, dims (chain, draw, ...), with light compilation."""
    model = build_design(spec, prepared)
    names = [
        v.name for v in [*model.free_RVs, *model.deterministics] if not v.name.endswith("_raw")
    ]
    variables = [model[name] for name in names]
    values = pm.draw(variables, count, random_seed=seed, mode="FAST_COMPILE")
    return xr.Dataset(
        {
            name: (("chain", "draw", *variable.dims), np.asarray(value)[None])
            for name, variable, value in zip(names, variables, values, strict=True)
        },
        coords={
            dim: list(labels)
            for dim, labels in model.coords.items()
            if labels is not None and any(dim in v.dims for v in variables)
        },
    )


@pytest.fixture(scope="session")
def prior_fit() -> Callable[..., Fit]:
    """Return a maker of fits whose draws are prior draws: no sampler, the same equations."""

    def make(spec: ModelSpec, scores: Scores, *, draws: int = 60, seed: int = 5) -> Fit:
        prepared = design(spec, scores)
        status = Status(True, None, False, "draws from the prior")
        drawn = Draws(draws_from_prior(spec, prepared, draws, seed), None, status, {})
        return Fit(
            spec=spec,
            scores=prepared.scores,
            tree=to_tree(spec, prepared, drawn),
            status=status,
            transform=prepared.transform,
            provenance=Provenance("prior", {}, seed, {}, {}),
        )

    return make


@pytest.fixture
def light_compilation():
    """Compile PyTensor graphs without optimising them, which suits functions that run once."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


@pytest.fixture(scope="session")
def without_instruct(known_spec: ModelSpec) -> ModelSpec:
    """A wrong spec for the simulated table: it ignores instruction tuning."""
    part = known_spec.benchmarks.model_copy(
        update={"instruct": type(known_spec.benchmarks.instruct)()}
    )
    return known_spec.model_copy(update={"benchmarks": part, "name": "without instruct"})


@pytest.fixture(scope="session")
def thinned() -> Callable[[Fit, int], Fit]:
    """Return a function that keeps the first draws of a fit."""

    def keep(fit: Fit, draws: int) -> Fit:
        groups = {
            name: (ds.isel(draw=slice(draws)) if "draw" in ds.dims else ds)
            for name, ds in ((n, fit.tree[n].to_dataset()) for n in fit.tree.children)
        }
        return replace(fit, tree=xr.DataTree.from_dict(groups))

    return keep
