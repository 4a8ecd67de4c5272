"""Folders of draws: what can be read after a crash, from stores written by the tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.errors import FitError
from latentscale.posterior import folder as folders
from latentscale.posterior import stream


def test_a_finished_run_is_a_full_fit(folder, prepared, store, begin, names) -> None:
    run = begin(folder)
    groups = store(run, prepared.scores.benchmarks, {0: 40, 1: 40, 2: 40})
    for _ in range(2):  # as the sampler leaves it, then as one file
        fit = ls.load(folder)
        assert not fit.status.interrupted and "partial" not in fit.status.message
        assert dict(fit.posterior.sizes) | {"chain": 3, "draw": 40} == dict(fit.posterior.sizes)
        for name in names:
            np.testing.assert_array_equal(fit.posterior[name], groups["posterior"][name])
        stats = fit.tree["sample_stats"].to_dataset()
        np.testing.assert_array_equal(stats["energy"], groups["sample_stats"]["energy"])
        assert fit.spec.name == "pooled_flops" and fit.provenance.seed == 4
        assert fit.scores.models == prepared.scores.models
        if stream.zarr_folder(run).exists():
            stream.finish_run(run, names)
    assert not stream.zarr_folder(run).exists()


def test_a_killed_run_is_partial_and_says_so(folder, prepared, store, begin) -> None:
    groups = store(begin(folder), prepared.scores.benchmarks, {0: 31, 1: 25, 2: 0})
    fit = ls.load(folder)
    assert fit.status.interrupted and fit.status.message.startswith("partial")
    assert "2 of 3 chains, 25 of 40 draws" in fit.status.message
    assert "latentscale.resume" in fit.status.advice[-1]
    np.testing.assert_array_equal(
        fit.posterior["precision"], groups["posterior"]["precision"][:2, :25]
    )
    back = ls.load(fit.save(folder.parent / "fit.nc"))
    assert back.status == fit.status


def test_chains_keep_their_numbers_where_one_has_no_draws(folder, prepared, store, begin) -> None:
    groups = store(begin(folder), prepared.scores.benchmarks, {0: 0, 1: 31, 2: 25})
    fit = ls.load(folder)
    assert fit.posterior["chain"].values.tolist() == [1, 2]
    np.testing.assert_array_equal(
        fit.posterior["precision"].sel(chain=2), groups["posterior"]["precision"][2, :25]
    )
    assert set(fit.samples["chain"].values) == {1, 2}


def test_draws_of_a_killed_run_have_a_hash_once_they_are_resumed(
    folder, prepared, store, begin, monkeypatch
) -> None:
    from latentscale.inference.nuts import resume as module

    run = begin(folder)
    store(run, prepared.scores.benchmarks, {0: 31, 1: 25, 2: 0})
    killed = ls.load(folder)
    assert '"run-000" did not end, so its draws have no hash' in killed.status.advice[-1]
    monkeypatch.setattr(module, "_compiled", lambda *given: None)
    monkeypatch.setattr(module.nutpie_chains, "continue_chains", lambda *given, **named: None)
    resumed = ls.resume(folder, progress=False)
    xr.testing.assert_identical(resumed.posterior, killed.posterior)
    assert not any("no hash" in line for line in resumed.status.advice)
    assert not stream.zarr_folder(run).exists()


def test_a_draw_that_is_not_whole_is_left_out(folder, prepared, store, begin, names) -> None:
    run = begin(folder)
    groups = store(run, prepared.scores.benchmarks, {0: 30, 1: 30, 2: 30})
    held = groups["posterior"]["precision"].copy()
    held[1, 24:] = np.nan  # its last chunks were not written yet
    spoiled = {**groups, "posterior": groups["posterior"].assign(precision=held)}
    tree = xr.DataTree.from_dict(spoiled)
    tree.to_zarr(stream.zarr_folder(run), mode="w", consolidated=False, write_inherited_coords=True)
    chains = stream.read_chains(folder, names)
    assert [chain.length for chain in chains.values()] == [30, 24, 30]
    position = groups["sample_stats"]["unconstrained_draw"]
    np.testing.assert_array_equal(chains[1].position, position[1, 23])
    np.testing.assert_array_equal(chains[0].position, position[0, 29])


def test_runs_of_a_chain_are_joined_in_order(folder, prepared, store, begin, names) -> None:
    first = store(begin(folder), prepared.scores.benchmarks, {0: 30, 1: 25, 2: 0})
    more = {}
    for chain, length in ((0, 10), (1, 15), (2, 40)):
        run = begin(folder, [chain])
        more[chain] = store(run, prepared.scores.benchmarks, {chain: length})
        stream.finish_run(run, names)
    fit = ls.load(folder)
    assert not fit.status.interrupted and fit.posterior.sizes["draw"] == 40
    intercept = fit.posterior["intercept"]
    np.testing.assert_array_equal(intercept[1, :25], first["posterior"]["intercept"][1, :25])
    np.testing.assert_array_equal(intercept[1, 25:], more[1]["posterior"]["intercept"][0, :15])
    np.testing.assert_array_equal(intercept[2], more[2]["posterior"]["intercept"][0])


def test_a_chain_in_warm_up_is_known_by_its_position(folder, prepared, store, begin, names) -> None:
    groups = store(begin(folder), prepared.scores.benchmarks, {0: 0, 1: 0, 2: 0}, warm_up=12)
    chains = stream.read_chains(folder, names)
    position = groups["warmup_sample_stats"]["unconstrained_draw"]
    np.testing.assert_array_equal(chains[2].position, position[2, 11])
    with pytest.raises(FitError, match="before the first kept draw"):
        ls.load(folder)


def test_a_folder_without_a_draw_is_refused(folder, begin, names) -> None:
    with pytest.raises(FitError, match="before the first kept draw"):
        ls.load(folder)
    begin(folder)  # killed before the sampler had described its store
    with pytest.raises(FitError, match="before the first kept draw"):
        ls.load(folder)
    assert stream.read_chains(folder, names) == {}


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    for call in (ls.load, ls.resume):
        with pytest.raises(FitError, match="holds no draws by latentscale"):
            call(tmp_path)


def test_a_changed_header_or_table_is_refused(folder) -> None:
    path = folder / folders.HEADER
    kept = path.read_text()
    header = json.loads(kept)
    header["provenance"]["seed"] = 5
    path.write_text(json.dumps(header))
    with pytest.raises(FitError, match="changed"):
        ls.load(folder)
    path.write_text(kept)
    scores = xr.load_dataset(folder / "scores.nc", engine="h5netcdf")
    scores["params"][0] *= 1.01
    scores.to_netcdf(folder / "scores.nc", engine="h5netcdf")
    with pytest.raises(FitError, match="changed"):
        ls.resume(folder)


def test_a_folder_in_use_is_refused(folder, quick_spec, small_scores) -> None:
    method = ls.NUTS(store=folder)
    with pytest.raises(FitError, match=r"already in use.*resume"):
        ls.fit(quick_spec, small_scores, method=method, progress=False)


@pytest.mark.parametrize("draws", [0, 2.5, True, "10"])
def test_a_wrong_number_of_draws_is_refused(folder, prepared, draws, store, begin) -> None:
    store(begin(folder), prepared.scores.benchmarks, {0: 40, 1: 40, 2: 40})
    with pytest.raises(FitError, match="draws must be"):
        ls.resume(folder, draws=draws)


def test_nothing_is_sampled_where_nothing_is_missing(
    folder, prepared, monkeypatch, store, begin
) -> None:
    from latentscale.inference.nuts import chains as nutpie_chains

    store(begin(folder), prepared.scores.benchmarks, {0: 40, 1: 40, 2: 40})
    monkeypatch.setattr(nutpie_chains, "compiled", None)
    assert ls.resume(folder, draws=30).posterior.sizes["draw"] == 40
    assert len(stream.runs(folder)) == 1
