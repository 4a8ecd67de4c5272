"""The lock of a folder in which the lock's text cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from latentscale.errors import FitError
from latentscale.posterior.lock import locked


def test_a_full_disk_hides_nothing_behind_the_lock(tmp_path: Path) -> None:
    """The user sees the error raised inside, and no file is left behind."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with locked(tmp_path):
            pass
        with pytest.raises(FitError, match="the disk is full"), locked(tmp_path):
            raise FitError("the disk is full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
