"""A fit small enough to be read several hundred times, and folders of draws made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.model.design import Design, design
from latentscale.posterior import folder as folders
from latentscale.posterior import stream
from latentscale.posterior.fit import Fit
from latentscale.posterior.provenance import Provenance

NAMES = ("intercept", "benchmark_slope", "precision")
CHAINS, DRAWS = 3, 40


@pytest.fixture(scope="session")
def tiny_fit(prior_fit: Callable[..., Fit], quick_spec: ModelSpec, small_scores: Scores) -> Fit:
    """Eight prior draws, with only the posterior group."""
    fit = prior_fit(quick_spec, small_scores, draws=8)
    return replace(fit, tree=xr.DataTree.from_dict({"posterior": fit.posterior}))


@pytest.fixture(scope="session")
def same() -> Callable[[Fit, Fit], bool]:
    """Return whether two fits hold the same."""

    def compare(ours: Fit, theirs: Fit) -> bool:
        parts = ("spec", "status", "transform", "provenance")
        groups = set(ours.tree.children)
        return (
            all(getattr(ours, part) == getattr(theirs, part) for part in parts)
            and groups == set(theirs.tree.children)
            and all(
                ours.tree[name].to_dataset().identical(theirs.tree[name].to_dataset())
                for name in groups
            )
            and ours.scores.dataset.equals(theirs.scores.dataset)
        )

    return compare


def written_store(
    run: Path, benchmarks: tuple[str, ...], lengths: dict[int, int], warm_up: int = 20
):
    """Write a store as the sampler leaves it: at full size, and empty from some draw on."""
    rng = np.random.default_rng(len(run.name))
    shape = (len(lengths), DRAWS, len(benchmarks))
    dims = ("chain", "draw", "benchmark")
    coords = {"benchmark": list(benchmarks), "benchmark_slope_covariate": ["log_flops"]}
    posterior = xr.Dataset(
        {
            "intercept": (dims, rng.normal(size=shape)),
            "benchmark_slope": (
                (*dims, "benchmark_slope_covariate"),
                rng.normal(size=(*shape, 1)),
            ),
            "precision": (dims, rng.gamma(20, 5, size=shape)),
        },
        coords=coords,
    )

    def statistics(draws: int) -> xr.Dataset:
        size = (len(lengths), draws)
        numbers = {name: rng.normal(size=size) for name in ("energy", "step_size")}
        named = {name: (("chain", "draw"), values) for name, values in numbers.items()}
        named["mean_tree_accept"] = (("chain", "draw"), rng.uniform(0.5, 1, size))
        named["n_steps"] = (("chain", "draw"), np.full(size, 7))
        named["depth"] = (("chain", "draw"), np.full(size, 3))
        named["diverging"] = (("chain", "draw"), np.zeros(size, dtype=bool))
        position = rng.normal(size=(*size, 5))
        named["unconstrained_draw"] = (("chain", "draw", "unconstrained_parameter"), position)
        return xr.Dataset(named)

    def cut(dataset: xr.Dataset, ends: list[int]) -> xr.Dataset:
        end = xr.DataArray(ends, dims="chain")
        held = xr.DataArray(np.arange(dataset.sizes["draw"]), dims="draw") < end
        return xr.Dataset(
            {
                name: v.where(held, 0 if v.dtype.kind in "iub" else np.nan).astype(v.dtype)
                for name, v in dataset.data_vars.items()
            },
            coords=dataset.coords,
        )

    ends = list(lengths.values())
    groups = {
        "posterior": cut(posterior, ends),
        "sample_stats": cut(statistics(DRAWS), ends),
        "warmup_sample_stats": cut(statistics(20), [warm_up] * len(ends)),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.to_zarr(stream.zarr_folder(run), mode="w", consolidated=False, write_inherited_coords=True)
    return groups


@pytest.fixture(scope="session")
def names() -> tuple[str, ...]:
    """Names of the parameters in a store made by hand."""
    return NAMES


@pytest.fixture(scope="session")
def store() -> Callable[..., dict[str, xr.Dataset]]:
    """Return a writer of stores as the sampler leaves them."""
    return written_store


@pytest.fixture(scope="session")
def begin() -> Callable[..., Path]:
    """Return a function that begins a run in the folder."""

    def start(folder: Path, chains=range(CHAINS), draws: int = DRAWS, before=None) -> Path:
        return stream.start_run(folder, chains, draws, 20, 4, before)

    return start


@pytest.fixture(scope="session")
def prepared(quick_spec: ModelSpec, small_scores: Scores) -> Design:
    """The constants of pooled curves."""
    return design(quick_spec, small_scores)


@pytest.fixture
def folder(tmp_path: Path, quick_spec: ModelSpec, prepared: Design) -> Path:
    """A folder of draws without a run."""
    path = tmp_path / "draws"
    method = ls.NUTS(draws=DRAWS, tune=20, chains=CHAINS, store=path)
    made = Provenance("NUTS", method.settings, 4, {}, {"python": "3"})
    folders.start_folder(path, quick_spec, prepared, made, NAMES)
    return path
