"""Writing files so that a stop, a full disk or a second writer never leaves half a file.

For whole files only; `latentscale.posterior.stream` writes draws while a sampler runs.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from latentscale.errors import LatentscaleError

# What the user can do, by the operating system's error number.
_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space, or write to another disk",
    errno.EDQUOT: "the disk quota is used up; free some space, or write to another disk",
    errno.EROFS: "the file system is read-only; write to another folder",
    errno.EACCES: "permission denied; write to a folder that is yours",
    errno.EPERM: "permission denied; write to a folder that is yours",
    errno.ELOOP: "its links lead to each other; choose another name",
    errno.ENAMETOOLONG: "the file name is too long; choose a shorter one",
}
FIGURE_ENDINGS: Final = (
    *(".png", ".svg", ".pdf", ".eps", ".ps"),
    *(".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".avif", ".svgz"),
)
"""Endings of figures: the formats that matplotlib writes without LaTeX."""
PAGE_ENDINGS: Final = (".html", ".htm", "")

# Characters of a file's name kept in the name of its temporary file: most file systems allow 255
# bytes per name, and a character takes up to 4.
_KEPT_OF_NAME = 40


def expanded(path: object, error: type[LatentscaleError]) -> Path:
    """Return a path with ``~`` expanded.

    Raises
    ------
    LatentscaleError
        Of the type `error`, if it is not a path, or names the home folder of an unknown user.
    """
    if not isinstance(path, str | os.PathLike) or not str(path) or not _nameable(str(path)):
        raise error(
            "A path must be text or a pathlib.Path without NUL characters and halves of surrogate "
            f"pairs; got {path!r}."
        )
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise error(f"{path}: there is no such home folder; give the whole path.") from None


def _nameable(path: str) -> bool:
    """Return whether a file can have this name; bytes that are not UTF-8 are surrogate escapes."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def writable_path(path: str | os.PathLike[str], error: type[LatentscaleError]) -> Path:
    """Return the path with ``~`` expanded, once it is clear that a file can be written there.

    Raises
    ------
    LatentscaleError
        Of the type `error`, if the path is a folder, its folder does not exist or cannot be
        written to, or the file is there and write-protected.
    """
    path = expanded(path, error)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as failure:  # the name is too long, or links form a ring
        raise error(f"Cannot write {path}: {reason(failure)}.") from None
    if path.is_dir():
        raise error(f"Cannot write {path}: it is a folder; give the name of a file in it.")
    if path.parent.exists() and not path.parent.is_dir():
        raise error(f"Cannot write {path}: {path.parent} is a file, not a folder.")
    folder = path.resolve().parent  # of the file that a link points to
    if not (path.parent.is_dir() and folder.is_dir()):
        missing = folder if path.parent.is_dir() else path.parent
        raise error(f"Cannot write {path}: the folder {missing} does not exist.")
    if path.exists() and not os.access(path, os.W_OK):
        raise error(f"Cannot write {path}: it is write-protected; choose another name.")
    if not (is_stream(path) or os.access(folder, os.W_OK)):
        raise error(
            f"Cannot write {path}: the folder {path.parent} cannot be written to; choose one that "
            "is yours, on a disk that is not read-only."
        )
    return path


def is_stream(path: Path) -> bool:
    """Return whether a path is there and is neither file nor folder: a pipe or a device."""
    return os.path.exists(path) and not path.is_file() and not path.is_dir()


def checked_ending(
    path: Path, allowed: Sequence[str], what: str, error: type[LatentscaleError]
) -> Path:
    """Return the path if its ending, in upper or lower case, is an allowed one.

    Parameters
    ----------
    path
        Name of a file to write.
    allowed
        Endings with their dots. The empty one allows a name without an ending.
    what
        What the file is, for the message: "a figure".
    error
        Type of the error.

    Raises
    ------
    LatentscaleError
        Of the type `error`, if the ending is another one.
    """
    if path.suffix.lower() in allowed:
        return path
    had = f'its ending "{path.suffix}" is unknown' if path.suffix else "its name has no ending"
    endings = ", ".join(ending for ending in allowed if ending)
    raise error(
        f"Cannot write {path}: {had}. The ending says how {what} is written; allowed: {endings}."
    )


def reason(failure: OSError) -> str:
    """Return what went wrong in writing, and what to do about it."""
    if failure.errno in _ADVICE:
        return _ADVICE[failure.errno]
    return failure.strerror or str(failure)


@contextmanager
def replacing(path: str | os.PathLike[str], error: type[LatentscaleError]) -> Iterator[Path]:
    """Yield a temporary path to write to, and replace `path` by that file afterwards.

    The temporary file is in the same folder and has the same ending. It is flushed to the disk
    and renamed if the block ends well, and removed otherwise, so `path` holds either its old
    content or all of the new one. A pipe or a device (``/dev/stdout``, a shell's process
    substitution) cannot be renamed onto, so it is written to directly.

    Parameters
    ----------
    path
        Where the file goes; ``~`` is expanded.
    error
        Type of the error that names a path or disk that cannot be written to.

    Yields
    ------
    The path to write to.

    Raises
    ------
    LatentscaleError
        Of the type `error`, if the path cannot be written to or the disk is full. A broken pipe is
        raised unchanged: nobody reads the output any more.

    Examples
    --------
    >>> import tempfile
    >>> from latentscale.errors import DataError
    >>> path = Path(tempfile.mkdtemp()) / "table.csv"
    >>> with replacing(path, DataError) as unfinished:
    ...     _ = unfinished.write_text("a,b")
    >>> path.read_text()
    'a,b'
    """
    path = writable_path(path, error)
    if is_stream(path):
        with _named(path, error):
            yield path
        return
    path = path.resolve()  # a link keeps pointing to the file that is replaced
    unfinished = path.with_name(
        # No dot before the number, which would be the ending of a name that has none.
        f".{path.stem.lstrip('.')[:_KEPT_OF_NAME]}-{os.getpid()}-{secrets.token_hex(4)}{path.suffix}"
    )
    try:
        with _named(path, error):
            yield unfinished
            _flush(unfinished)
            if path.exists():
                os.chmod(unfinished, path.stat().st_mode & 0o777)
            os.replace(unfinished, path)
            _flush_folder(path.parent)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def _named(path: Path, error: type[LatentscaleError]) -> Iterator[None]:
    """Raise an operating system's error as one that names the file and says what to do."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as failure:
        raise error(f"Cannot write {path}: {reason(failure)}.") from failure


def _flush(path: Path) -> None:
    """Flush a file's content to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush the new name to the disk too, where the operating system can (not Windows)."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
