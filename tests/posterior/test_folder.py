"""Folders of draws: one writer at a time, partial states after a stop, damage refused."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.errors import DataError, FitError, FitWarning
from latentscale.inference.nuts import chains as nutpie_chains
from latentscale.posterior import folder as folders
from latentscale.posterior import lock, stream
from latentscale.posterior.folder import claimed, refuse_used, start_folder
from latentscale.posterior.lock import locked
from latentscale.posterior.provenance import Provenance

ALL = {0: 40, 1: 40, 2: 40}


@pytest.fixture
def finished(folder, prepared, store, begin, names) -> Path:
    """A folder with one run that ended."""
    run = begin(folder, before={0: 0, 1: 0, 2: 0})
    store(run, prepared.scores.benchmarks, ALL)
    stream.finish_run(run, names)
    return folder


# ---------------------------------------------------------------- one writer at a time


def test_a_folder_has_one_writer(folder) -> None:
    with (
        locked(folder),
        pytest.raises(FitError, match=rf"Another sampler writes to .*process {os.getpid()} on"),
        locked(folder),
    ):
        pass
    with locked(folder):  # and it is free again
        pass


HOLD = """
import sys, time
from pathlib import Path
from latentscale.posterior.lock import locked
from latentscale.posterior.provenance import Provenance
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_resume_and_fit_beside_a_living_sampler_are_refused_until_it_is_killed(
    finished, quick_spec, small_scores
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(finished)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(FitError, match=rf"Another sampler.*process {child.pid} "):
            ls.resume(finished, draws=90, progress=False)
        (finished / folders.HEADER).rename(finished / "aside")  # as before it was described
        method = ls.NUTS(store=finished)
        with pytest.raises(FitError, match="in use"):
            ls.fit(quick_spec, small_scores, method=method, progress=False)
        (finished / "aside").rename(finished / folders.HEADER)
        assert ls.load(finished).posterior.sizes["draw"] == 40  # reading needs no lock
    finally:
        child.kill()
        child.wait()
    assert ls.resume(finished, draws=40, progress=False).posterior.sizes["draw"] == 40


def test_without_locks_of_the_system_the_process_in_the_file_decides(folder, monkeypatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", unsupported)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    here = lock.socket.gethostname()
    for process, machine, refused in (
        (child.pid, here, False),
        (os.getpid(), here, True),
        (1, "another-machine", True),
    ):
        text = json.dumps({"process": process, "machine": machine})
        (folder / lock.LOCK).write_text(text)
        if refused:
            with pytest.raises(FitError, match="If it has ended, delete"), locked(folder):
                pass
        else:
            with locked(folder):
                pass
    for text in ("", "{", "[" * 9000, '{"process": "x"}'):
        (folder / lock.LOCK).write_text(text)
        with locked(folder):
            pass


def test_two_samplers_that_claim_one_folder(tmp_path) -> None:
    path, refused = tmp_path / "new", pytest.raises(FitError, match="Another sampler")
    with claimed(path), refused, claimed(path):
        pass


# ---------------------------------------------------------------- the same draws twice


def test_draws_that_two_samplers_added_in_the_same_place_are_refused(
    folder, prepared, store, begin, names
) -> None:
    store(
        begin(folder, before={0: 0, 1: 0, 2: 0}), prepared.scores.benchmarks, {0: 20, 1: 40, 2: 40}
    )
    for _ in range(2):
        again = begin(folder, [0], before={0: 20})
        store(again, prepared.scores.benchmarks, {0: 10})
    for call in (ls.load, ls.resume):
        with pytest.raises(FitError, match=r"run-002 and a run before it hold the same draws"):
            call(folder)
    shutil.rmtree(again)
    assert stream.read_chains(folder, names)[0].length == 30


def test_more_draws_than_were_asked_for_are_refused_in_old_folders_too(
    folder, prepared, store, begin
) -> None:
    store(begin(folder), prepared.scores.benchmarks, ALL)
    store(begin(folder, [0], draws=60), prepared.scores.benchmarks, {0: 40})
    with pytest.raises(FitError, match="the same draws of chain 0"):
        ls.load(folder)


def test_a_run_that_was_removed_is_missed(folder, prepared, store, begin) -> None:
    first = begin(folder, before={0: 0, 1: 0, 2: 0})
    store(first, prepared.scores.benchmarks, {0: 20, 1: 40, 2: 40})
    store(begin(folder, [0], before={0: 20}), prepared.scores.benchmarks, {0: 20})
    assert ls.load(folder).posterior.sizes["draw"] == 40
    shutil.rmtree(first)
    with pytest.raises(FitError, match="a run is missing"):
        ls.load(folder)


def test_runs_are_read_in_the_order_of_their_numbers(folder) -> None:
    for number in (1000, 2, 999, 10):
        (folder / f"run-{number:03d}").mkdir()
        (folder / f"run-{number:03d}" / "run.json").write_text("{}")
    assert [run.name for run in stream.runs(folder)] == [
        "run-002",
        "run-010",
        "run-999",
        "run-1000",
    ]


# ---------------------------------------------------------------- changed and damaged


def test_a_moved_draw_is_refused(finished) -> None:
    path = finished / "run-000" / "draws.nc"
    tree = xr.open_datatree(path, engine="h5netcdf").load()
    tree.close()
    tree["chain-1/posterior/intercept"][:] += 100
    tree.to_netcdf(path, engine="h5netcdf")
    for call in (ls.load, ls.resume):
        with pytest.raises(FitError, match=r"draws\.nc does not match its own hash"):
            call(finished)


@pytest.mark.parametrize(
    "key", ["chains", "before", "draws", "tune", "seed", "fit", "hash", "schema"]
)
def test_a_changed_record_of_a_run_is_refused(finished, key) -> None:
    path = finished / "run-000" / "run.json"
    whole = json.loads(path.read_text())
    dropped = {name: value for name, value in whole.items() if name != key}
    for changed in (dropped, whole | {key: 7}, whole | {key: None}, whole | {key: [[0]]}):
        path.write_text(json.dumps(changed))
        for call in (ls.load, ls.resume):
            with pytest.raises(FitError, match=r"run-000"):
                call(finished)


def test_a_run_of_another_folder_is_refused(finished, tmp_path) -> None:
    shutil.copytree(finished / "run-000", finished / "run-001")
    record = json.loads((finished / "run-001" / "run.json").read_text())
    changed = {k: v for k, v in record.items() if k != "hash"} | {"fit": "0" * 64}
    (finished / "run-001" / "run.json").write_text(stream.sealed(changed, xr.DataTree()))
    with pytest.raises(FitError, match="belongs to another folder"):
        ls.load(finished)


def test_draws_of_another_run_are_refused(finished, prepared, store, begin, names) -> None:
    run = begin(finished, draws=80, before={0: 40, 1: 40, 2: 40})
    store(run, prepared.scores.benchmarks, ALL)
    stream.finish_run(run, names)
    assert ls.load(finished).posterior.sizes["draw"] == 80
    shutil.copy(finished / "run-000" / "draws.nc", run / "draws.nc")
    with pytest.raises(FitError, match="belongs to a different run"):
        ls.load(finished)


@pytest.mark.parametrize("name", ["fit.json", "scores.nc", "run-000/run.json", "run-000/draws.nc"])
def test_a_flipped_bit_in_a_folder_gives_the_same_draws_or_an_error(finished, name) -> None:
    path, wanted = finished / name, ls.load(finished).posterior
    whole, rng = path.read_bytes(), random.Random(3)
    for number in range(12):
        spoiled = bytearray(whole)
        spoiled[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(spoiled if number else b"")
        try:
            assert ls.load(finished).posterior.identical(wanted)
        except (FitError, DataError) as error:
            assert str(finished) in str(error)


@pytest.mark.parametrize("name", ["scores.nc", "fit.json"])
def test_a_file_that_is_missing_is_named(finished, name) -> None:
    (finished / name).unlink()
    for call in (ls.load, ls.resume):
        with pytest.raises(FitError, match=name.replace(".", r"\.")):
            call(finished)


def test_a_newer_folder_says_so(finished) -> None:
    path = finished / folders.HEADER
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    for call in (ls.load, ls.resume):
        with pytest.raises(FitError, match="newer version"):
            call(finished)


# ---------------------------------------------------------------- what a stop leaves


def test_a_folder_stopped_before_its_header_can_be_begun_again(
    tmp_path, prepared, quick_spec, monkeypatch
) -> None:
    path = tmp_path / "draws"
    method = ls.NUTS(store=path)
    made = Provenance("NUTS", method.settings, 1, {}, {})

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    for place in ("sealed", "replacing"):
        with monkeypatch.context() as patch, claimed(path):
            patch.setattr(folders, place, stopped)
            with pytest.raises(KeyboardInterrupt):
                start_folder(path, quick_spec, prepared, made, ("intercept",))
        for call in (ls.load, ls.resume):
            with pytest.raises(
                FitError, match=r"holds no draws.*yet.*Begin it with latentscale\.fit"
            ):
                call(path)
        refuse_used(path)
    (path / ".fit.1-abc.json").write_text("{")  # as after a kill
    (path / "scores.nc").write_bytes(b"half")
    with claimed(path):
        start_folder(path, quick_spec, prepared, made, ("intercept",))
    with pytest.raises(FitError, match="before the first kept draw"):
        ls.load(path)


def test_what_a_kill_of_the_first_version_left_can_be_begun_again(folder) -> None:
    (folder / folders.HEADER).rename(folder / "fit.unfinished")
    refuse_used(folder)
    with pytest.raises(FitError, match="Begin it with"):
        ls.load(folder)


def test_files_of_others_are_left_alone(tmp_path) -> None:
    xr.Dataset({"score": ("x", [1.0])}).to_netcdf(tmp_path / "scores.nc", engine="h5netcdf")
    with pytest.raises(FitError, match=r'holds "scores\.nc", which latentscale did not write'):
        refuse_used(tmp_path)
    with pytest.raises(FitError, match="holds no draws by latentscale"):
        ls.resume(tmp_path)


def test_a_run_without_its_record_is_passed_over(finished) -> None:
    stream.zarr_folder(finished / "run-001").mkdir(parents=True)
    assert ls.load(finished).posterior.sizes["draw"] == 40
    assert stream.start_run(finished, [0], 50, 20, 4).name == "run-002"


@pytest.mark.parametrize("keep", [[], ["zarr.json"], ["zarr.json", "posterior/zarr.json"]])
def test_a_store_stopped_while_it_was_described_takes_no_other_run_along(
    finished, prepared, store, begin, names, keep
) -> None:
    run = begin(finished, [0], draws=60, before={0: 40})
    store(run, prepared.scores.benchmarks, {0: 0})
    for file in [f for f in stream.zarr_folder(run).rglob("*") if f.is_file()]:
        if str(file.relative_to(stream.zarr_folder(run))) not in keep:
            file.unlink()
    assert stream.read_chains(finished, names)[0].length == 40
    assert ls.load(finished).status.interrupted
    stream.finish_run(run, names)
    assert ls.load(finished).posterior.sizes["draw"] == 40


def described(zarr: Path) -> list[Path]:
    return sorted(path for path in zarr.rglob("*") if path.is_file())


def test_a_store_cut_off_after_any_of_its_files_is_readable_or_says_why(
    finished, prepared, store, begin, names
) -> None:
    run = begin(finished, [0], draws=60, before={0: 40})
    store(run, prepared.scores.benchmarks, {0: 0})
    zarr = stream.zarr_folder(run)
    shutil.rmtree(zarr / "posterior")
    files = described(zarr)
    rng = random.Random(1)
    for file in rng.sample(files, 5):
        kept = file.read_bytes()
        for content in (None, b"", kept[: len(kept) // 2]):
            file.unlink() if content is None else file.write_bytes(content)
            assert stream.read_chains(finished, names)[0].length == 40
        file.write_bytes(kept)


def test_a_store_with_draws_that_cannot_be_read_is_refused_by_name(
    folder, prepared, store, begin
) -> None:
    run = begin(folder)
    store(run, prepared.scores.benchmarks, ALL)
    for name in ("zarr.json", "posterior/intercept/zarr.json", "sample_stats/energy/zarr.json"):
        file = stream.zarr_folder(run) / name
        kept = file.read_bytes()
        file.write_bytes(kept[:20])
        with pytest.raises(FitError, match=r"run-000.*damaged"):
            ls.load(folder)
        file.write_bytes(kept)
    assert ls.load(folder).posterior.sizes["draw"] == 40


def test_a_last_chunk_that_is_empty_costs_only_its_own_draws(
    folder, prepared, store, begin, names
) -> None:
    run = begin(folder)
    groups = store(run, prepared.scores.benchmarks, ALL)
    sizes = {"chain": 1, "draw": 16}  # as nutpie cuts them
    encoding = {
        f"/{group}": {
            name: {"chunks": tuple(sizes.get(d, v.sizes[d]) for d in v.dims)}
            for name, v in dataset.data_vars.items()
        }
        for group, dataset in groups.items()
    }
    xr.DataTree.from_dict(groups).to_zarr(
        stream.zarr_folder(run), mode="w", consolidated=False, encoding=encoding
    )
    chunk = stream.zarr_folder(run) / "posterior" / "precision" / "c" / "1" / "2" / "0"
    chunk.write_bytes(b"")
    chains = stream.read_chains(folder, names)
    assert [chain.length for chain in chains.values()] == [40, 32, 40]
    (chunk.parents[1] / "0" / "0").write_bytes(b"")
    with pytest.raises(FitError, match="damaged"):
        ls.load(folder)


def test_a_run_stopped_while_it_was_gathered_is_whole(
    folder, prepared, store, begin, names, monkeypatch
) -> None:
    run = begin(folder)
    store(run, prepared.scores.benchmarks, ALL)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for module, place in ((stream.netcdf, "write"), (stream.shutil, "rmtree")):
        with monkeypatch.context() as patch:
            patch.setattr(module, place, stopped)
            with pytest.raises(KeyboardInterrupt):
                stream.finish_run(run, names)
        assert ls.load(folder).posterior.sizes["draw"] == 40
    shutil.rmtree(stream.zarr_folder(run) / "posterior")  # killed in the middle of the removal
    assert ls.load(folder).posterior.sizes["draw"] == 40
    stream.finish_run(run, names)
    assert not stream.zarr_folder(run).exists()


# ---------------------------------------------------------------- disks, paths, messages


def test_a_full_disk_while_draws_are_gathered_loses_nothing(
    folder, prepared, store, begin, names, monkeypatch
) -> None:
    run = begin(folder)
    store(run, prepared.scores.benchmarks, ALL)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(FitWarning, match=r"disk is full.*nothing is lost"):
        nutpie_chains.finish_runs([run], names)
    assert ls.load(folder).posterior.sizes["draw"] == 40


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            RuntimeError("Chunk write: No space left on device (os error 28)\nStack backtrace: x"),
            "full",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "full"),
        (RuntimeError("All initialization points failed"), "All initialization points failed"),
    ],
)
def test_what_ends_a_sampler_says_how_to_go_on(tmp_path, failure, said) -> None:
    refused = pytest.raises(FitError, match=rf"{said}(.|\n)*latentscale\.resume")
    with refused as caught, nutpie_chains._how_to_go_on(tmp_path):
        raise failure
    assert "backtrace" not in str(caught.value)


@pytest.mark.parametrize("kind", ["file", "inside a file", "name too long", "read-only"])
def test_a_store_that_cannot_be_made_is_refused_before_sampling(
    tmp_path, quick_spec, small_scores, monkeypatch, kind
) -> None:
    (tmp_path / "file").write_text("x")
    path = {
        "file": tmp_path / "file",
        "inside a file": tmp_path / "file" / "draws",
        "name too long": tmp_path / ("x" * 400),
        "read-only": tmp_path / "draws",
    }[kind]
    if kind == "read-only":
        real = Path.mkdir

        def refused(self: Path, *arguments: object, **named: object) -> None:
            if self == path:
                raise OSError(errno.EROFS, "Read-only file system")
            real(self, *arguments, **named)

        monkeypatch.setattr(Path, "mkdir", refused)
    monkeypatch.setattr(
        "latentscale.inference.nuts.method.build_design", None
    )  # nothing is compiled
    with pytest.raises(FitError):
        ls.fit(quick_spec, small_scores, method=ls.NUTS(store=path), progress=False)
    assert (tmp_path / "file").read_text() == "x"


def test_a_home_folder_is_expanded(finished, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(finished.parent))
    assert ls.NUTS(store="~/draws").store == str(finished)
    assert ls.load("~/draws").posterior.sizes["draw"] == 40
    assert ls.resume("~/draws", draws=30).posterior.sizes["draw"] == 40
    with pytest.raises(FitError, match="already in use"):
        refuse_used(Path("~/draws").expanduser())


@pytest.mark.parametrize("store", [3, b"x", "", "a\0b", "~nobody-of-this-name/draws"])
def test_a_store_that_is_no_path_is_refused(store) -> None:
    with pytest.raises(FitError):
        ls.NUTS(store=store)


def test_resume_of_a_file_or_of_nothing_says_what_it_is(tmp_path) -> None:
    (tmp_path / "file.nc").write_text("x")
    with pytest.raises(FitError, match=r"file\.nc is a file, not a folder.*latentscale\.load"):
        ls.resume(tmp_path / "file.nc")
    with pytest.raises(FitError, match="There is no folder"):
        ls.resume(tmp_path / "nothing")
    with pytest.raises(FitError, match="There is no file"):
        ls.load(tmp_path / "nothing")
    assert not (tmp_path / lock.LOCK).exists()


def test_settings_that_this_version_does_not_take_are_named(finished, prepared, quick_spec) -> None:
    settings = ls.NUTS(store=finished.parent / "odd").settings | {"surprise": 1}
    made = Provenance("NUTS", settings, 1, {}, {})
    start_folder(finished.parent / "odd", quick_spec, prepared, made, ("intercept",))
    with pytest.raises(FitError, match="surprise"):
        ls.resume(finished.parent / "odd", progress=False)


def test_positions_come_back_for_resume(finished, names) -> None:
    for chain in stream.read_chains(finished, names).values():
        assert chain.position is not None and np.isfinite(chain.position).all()
