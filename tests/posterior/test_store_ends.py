"""Stores whose sampler was killed while finishing them."""

from __future__ import annotations

import zarr

from latentscale.posterior import stream


def test_arrays_of_divergent_transitions_of_different_lengths_lose_no_draw(
    folder, prepared, store, begin, names
) -> None:
    """The sampler sets their lengths one after the other, after its last draw."""
    run = begin(folder, before={0: 0, 1: 0, 2: 0})
    store(run, prepared.scores.benchmarks, {0: 40, 1: 40, 2: 40})
    for group in ("sample_stats", "warmup_sample_stats"):
        statistics = zarr.open_group(stream.zarr_folder(run) / group, mode="a")
        for name, length in (("divergence_start", 7), ("divergence_message", 0)):
            dims = ["chain", "divergence"]
            statistics.create_array(name, shape=(3, length), dtype="f8", dimension_names=dims)
    chains = stream.read_chains(folder, names)
    assert [chain.length for chain in chains.values()] == [40, 40, 40]
