"""Whole files are replaced at once, or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from latentscale.errors import DataError, FitError
from latentscale.files import checked_ending, replacing, writable_path


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


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file, not a folder"):
        writable_path(tmp_path / "file" / "table.csv", DataError)


@pytest.mark.parametrize(
    ("closed", "said"), [("t.csv", "it is write-protected"), ("", "cannot be written to")]
)
def test_what_is_read_only_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str, said: str
) -> None:
    (tmp_path / "t.csv").write_text("old")
    # Permissions do not bind the administrator, who may run these tests.
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != tmp_path / closed and allowed(path, mode)
    )
    with pytest.raises(DataError, match=said):
        writable_path(tmp_path / "t.csv", DataError)


def test_an_ending_is_compared_without_case_and_those_allowed_are_named() -> None:
    assert checked_ending(Path("a.PNG"), (".png",), "a figure", FitError) == Path("a.PNG")
    with pytest.raises(FitError, match=r"no ending.*how a figure is written; allowed: \.png\."):
        checked_ending(Path("a"), (".png",), "a figure", FitError)


def test_an_endless_name_and_a_ring_of_links_are_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="the file name is too long"):
        writable_path(tmp_path / ("x" * 300 + ".nc"), FitError)
    ring = tmp_path / "ring.nc"
    ring.symlink_to(ring)
    with pytest.raises(FitError, match="links lead to each other"):
        writable_path(ring, FitError)


def test_a_link_into_a_missing_folder_names_that_folder(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "nowhere" / "x.csv")
    with pytest.raises(DataError, match=r"the folder .*nowhere does not exist"):
        writable_path(link, DataError)
