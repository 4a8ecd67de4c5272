"""Saving: whole or not at all, whatever stops it; what cannot be stored is refused beforehand."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from xarray.backends.h5netcdf_ import H5NetCDFStore

import latentscale as ls
from latentscale.errors import FitError
from latentscale.posterior.fit import Fit

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def older(tiny_fit: Fit, tmp_path: Path) -> Path:
    """A separate folder with an earlier file in it."""
    path = tmp_path / "only" / "fit.nc"
    path.parent.mkdir()
    return tiny_fit.save(path)


def with_tree(fit: Fit, **changes: xr.Dataset) -> Fit:
    groups = {name: fit.tree[name].to_dataset() for name in fit.tree.children}
    return replace(fit, tree=xr.DataTree.from_dict({**groups, **changes}))


def still_there(path: Path, content: bytes) -> None:
    assert path.read_bytes() == content and os.listdir(path.parent) == [path.name]


def test_ctrl_c_while_variables_are_written_leaves_the_earlier_file(
    tiny_fit, older, monkeypatch
) -> None:
    content, seen, whole = older.read_bytes(), [0], H5NetCDFStore.prepare_variable

    def stopped(self, *arguments, **named):
        seen[0] += 1
        if seen[0] == 6:
            raise KeyboardInterrupt
        return whole(self, *arguments, **named)

    monkeypatch.setattr(H5NetCDFStore, "prepare_variable", stopped)
    with pytest.raises(KeyboardInterrupt):
        tiny_fit.save(older)
    still_there(older, content)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_a_stop_while_bytes_are_written_leaves_the_earlier_file(
    tiny_fit, older, monkeypatch, stop, place
) -> None:
    content = older.read_bytes()

    def stopped(*_: object) -> None:
        raise stop

    monkeypatch.setattr(os, place, stopped)
    with pytest.raises(stop):
        tiny_fit.save(older)
    monkeypatch.undo()
    still_there(older, content)


def test_a_full_disk_is_named_and_the_fit_survives(tiny_fit, older, monkeypatch, same) -> None:
    content = older.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FitError, match=r"fit\.nc: the disk is full; free some space"):
        tiny_fit.save(older)
    monkeypatch.undo()
    still_there(older, content)
    assert same(ls.load(tiny_fit.save(older)), tiny_fit)


LIMITED = """
import resource, signal, sys
import latentscale as ls
fit = ls.load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    fit.save(sys.argv[1])
except ls.FitError as error:
    print(error, fit.spec.name)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes are Linux's")
def test_a_system_that_refuses_to_write_more_does_not_end_the_process(older) -> None:
    content = older.read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(older)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Cannot write {older}") and "pooled_flops" in done.stdout
    still_there(older, content)


def test_a_path_that_cannot_be_written_to_is_refused(tiny_fit, tmp_path) -> None:
    with pytest.raises(FitError, match="it is a folder"):
        tiny_fit.save(tmp_path)
    with pytest.raises(FitError, match="folder"):
        tiny_fit.save(tmp_path / "none" / "fit.nc")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FitError, match="folder"):
        tiny_fit.save(tmp_path / "file" / "fit.nc")


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tiny_fit, older) -> None:
    older.parent.chmod(0o500)
    try:
        with pytest.raises(FitError, match="permission denied"):
            tiny_fit.save(older)
        assert ls.load(older).spec == tiny_fit.spec
    finally:
        older.parent.chmod(0o700)


def test_a_home_folder_is_expanded(tiny_fit, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tiny_fit.save("~/fit.nc") == tmp_path / "fit.nc"
    assert ls.load("~/fit.nc").spec == tiny_fit.spec
    assert tiny_fit.save(Path("~/fit.nc")).is_file()


def test_attributes_of_the_tree_come_back_as_json_holds_them(tiny_fit, tmp_path) -> None:
    held = {
        "note": None,
        "flag": True,
        "coordinates": "draw",
        "numbers": np.arange(3),
        "one": np.float64(0.5),
        "table": {"a": [1, None], 2: "b"},
        "when": pd.Timestamp("2025-01-02"),
        "of any type": frozenset([object]),
        "latentscale": "mine",
    }
    tree = tiny_fit.tree.copy()
    tree.attrs["by"] = "me"
    tree["posterior"].attrs.update(held)
    tree["posterior"]["intercept"].attrs.update({"units": "days since 2000-01-01", "add_offset": 4})
    fit = replace(tiny_fit, tree=tree)
    back = ls.load(fit.save(tmp_path / "fit.nc"))
    assert back.tree.attrs == {"by": "me"}
    assert back.posterior.attrs == held | {
        "numbers": [0, 1, 2],
        "table": {"a": [1, None], "2": "b"},
        "when": "2025-01-02T00:00:00",
        "of any type": ["<class 'object'>"],
    }
    assert back.posterior["intercept"].attrs["add_offset"] == 4
    np.testing.assert_array_equal(back.posterior["intercept"], fit.posterior["intercept"])
    assert fit.tree["posterior"].attrs["note"] is None  # the fit in memory does not change


def test_encodings_of_another_file_do_not_change_the_numbers(tiny_fit, tmp_path) -> None:
    posterior = tiny_fit.posterior.copy(deep=True)
    posterior["intercept"].encoding = {
        "dtype": "int16",
        "scale_factor": 0.1,
        "chunksizes": (9, 9, 9),
    }
    back = ls.load(with_tree(tiny_fit, posterior=posterior).save(tmp_path / "fit.nc"))
    np.testing.assert_array_equal(back.posterior["intercept"], posterior["intercept"])


@pytest.mark.parametrize(
    "odd",
    [
        xr.Dataset({"x": ("t", np.array([1 + 2j]))}),
        xr.Dataset({"x": ("t", np.array(["a\0b"], dtype=object))}),
        xr.Dataset({"x": ("t", np.array(["\ud800"]))}),
        xr.Dataset({"x": ("t", np.array([{"a": 1}, None], dtype=object))}),
        xr.Dataset({"x": ("t", np.zeros(1, dtype=[("a", "f8")]))}),
    ],
    ids=["complex", "NUL", "surrogate", "objects", "records"],
)
def test_what_a_file_cannot_hold_is_refused_and_the_earlier_file_stays(
    tiny_fit, older, odd
) -> None:
    content = older.read_bytes()
    with pytest.raises(FitError, match=r"Cannot write .*fit\.nc"):
        with_tree(tiny_fit, odd=odd).save(older)
    still_there(older, content)


def test_numbers_of_every_kind_come_back(tiny_fit, tmp_path, same) -> None:
    extra = xr.Dataset(
        {
            "float32": ("t", np.array([0.1, np.nan, -np.inf], dtype="f4")),
            "negative nan": ("t", -np.array([np.nan, 1.0, 2.0])),
            "big": ("t", np.array([2**64 - 1, 0, 1], dtype="u8")),
            "big endian": ("t", np.array([1.0, 2.0, 3.0], dtype=">f8")),
            "flags": ("t", [True, False, True]),
            "when": ("t", np.array(["2024-01-01T13:45", "NaT", "1990-01-01"], "M8[s]")),
            "nothing": ("empty", np.zeros(0)),
            "text": ("t", ["", "é", "漢"]),
            "scalar": 3.0,
        }
    )
    back = ls.load(with_tree(tiny_fit, extra=extra).save(tmp_path / "fit.nc"))
    for name, variable in extra.data_vars.items():
        np.testing.assert_array_equal(back.tree["extra"][name].values, variable.values)


def test_a_group_named_as_the_table_is_refused(tiny_fit, tmp_path) -> None:
    with pytest.raises(FitError, match='has a group "scores"'):
        with_tree(tiny_fit, scores=xr.Dataset({"x": 1})).save(tmp_path / "fit.nc")


def test_settings_that_json_cannot_hold_are_refused(tiny_fit, tmp_path) -> None:
    settings = {"model": object()}
    fit = replace(tiny_fit, provenance=replace(tiny_fit.provenance, settings=settings))
    with pytest.raises(FitError, match="JSON"):
        fit.save(tmp_path / "fit.nc")
    assert not os.listdir(tmp_path)
