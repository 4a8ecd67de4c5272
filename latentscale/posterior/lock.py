"""A lock on a folder of draws: one process writes to it at a time.

The operating system releases the lock when the process ends, however it ends. On a file system
without such locks, the process and machine named in the file decide.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from latentscale.errors import FitError
from latentscale.files import reason

LOCK = "lock"
"""Name of the file in a folder of draws."""

# Errors if another process holds the lock: EAGAIN or EACCES on POSIX, EACCES or EDEADLK on Windows.
_HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_LONGEST = 1000  # characters of the file, which has a process number and the name of a machine
# Windows locks bytes, and locked bytes cannot be read, so a byte far beyond the text is locked.
_LOCKED_BYTE = 2**20


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Parameters
    ----------
    folder
        An existing folder.

    Raises
    ------
    FitError
        If another sampler writes to the folder, or the folder cannot be written to.
    """
    try:
        # Unbuffered: on a full disk a buffer is written, and fails, when the file is closed.
        file = open(folder / LOCK, "a+b", buffering=0)  # noqa: SIM115 - held until the end
    except OSError as failure:
        raise FitError(f"Cannot write to {folder}: {reason(failure)}.") from failure
    with file:
        _take(file, folder)
        try:
            with contextlib.suppress(OSError):  # on a full disk the lock works without its text
                _write(file, json.dumps({"process": os.getpid(), "machine": socket.gethostname()}))
            yield
        finally:
            with contextlib.suppress(OSError):
                _write(file, "")


def _take(file: FileIO, folder: Path) -> None:
    try:
        _lock(file)
    except OSError as failure:
        holder = _holder(file)
        if failure.errno in _HELD or _may_run(holder):
            gone = "" if failure.errno in _HELD else f" If it has ended, delete {folder / LOCK}."
            raise FitError(
                f"Another sampler writes to {folder} ({_holder_in_words(holder)}): wait until it "
                f"has ended, or stop it.{gone}"
            ) from None


def _lock(file: FileIO) -> None:
    """Lock a file for this process without waiting; raises OSError if it is locked."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        windows: Any = msvcrt
        file.seek(_LOCKED_BYTE)
        windows.locking(file.fileno(), windows.LK_NBLCK, 1)
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(file: FileIO, text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text.encode())


def _holder(file: FileIO) -> dict[str, Any]:
    """Return the process and the machine that a lock names; empty if it names none."""
    try:
        file.seek(0)
        holder = json.loads(file.read(_LONGEST))
    except (OSError, ValueError):
        return {}
    known = isinstance(holder, dict) and isinstance(holder.get("process"), int)
    return holder if known else {}


def _may_run(holder: dict[str, Any]) -> bool:
    """Return whether a lock's process may still be running; on another machine, assume so."""
    if not holder:
        return False
    if holder.get("machine") != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(holder["process"], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _holder_in_words(holder: dict[str, Any]) -> str:
    if not holder:
        return "process unknown"
    return f"process {holder['process']} on {holder.get('machine')}"
