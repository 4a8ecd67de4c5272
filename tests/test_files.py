"""Whole files are replaced at once, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from latentscale.errors import DataError, FitError
from latentscale.files import replacing, writable_path


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path, DataError) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_a_full_disk_is_named_in_an_error_of_the_type_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    with pytest.raises(FitError, match=r"fit\.nc: the disk is full"), replacing(path, FitError):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_the_new_file_keeps_ending_link_and_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with replacing(link, DataError) as unfinished:
        assert unfinished.suffix == ".csv"
        unfinished.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_what_cannot_be_renamed_onto_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(pipe, DataError) as path:
        path.write_text("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)


@pytest.mark.parametrize(("name", "said"), [("", "it is a folder"), ("no/file.csv", "not exist")])
def test_a_path_without_room_for_a_file_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        writable_path(tmp_path / name, DataError)


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert writable_path("~/fit.nc", FitError) == tmp_path / "fit.nc"
