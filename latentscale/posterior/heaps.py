"""Damaged strings of an HDF5 file that would send the library into an endless loop.

HDF5 stores strings of variable length in collections, one after the other, and uses the size of
each to find the next ("HDF5 File Format Specification", III.E). In versions up to 2.0, an unused
string of size 0, as in a zeroed disk block, points to itself.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from latentscale.errors import FitError

_MARK: Final = b"GCOL\x01\x00\x00\x00"
"""Beginning of a collection: its signature, version and reserved bytes."""
_HEAD: Final = struct.Struct("<8sQ")
"""The mark and the size of the whole collection."""
_TEXT: Final = struct.Struct("<HHIQ")
"""Number of a string (0 if unused), references to it, reserved bytes, and its size."""
_WORD: Final = 8
"""Strings are padded to a multiple of this many bytes."""
SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file."""
_WIDTHS: Final = {0: 13, 1: 13, 2: 9, 3: 9}
"""Offset of the widths of addresses and sizes, one byte each, by version of the superblock."""


def refuse_endless_texts(file: BinaryIO, path: Path) -> None:
    """Refuse a file whose strings would send HDF5 into an endless loop.

    Raises
    ------
    FitError
        Naming the file.
    """
    with _bytes_of(file) as content:
        version = content[8] if len(content) > len(SIGNATURE) else 0
        widths = content[_WIDTHS.get(version, 0) :][:2]
        if content[: len(SIGNATURE)] == SIGNATURE and widths != bytes((_WORD, _WORD)):
            raise FitError(
                f"{path} cannot be read: its numbers have an unusual width. It is damaged, or was "
                "not written by latentscale."
            )
        place = content.find(_MARK)
        while place >= 0:
            _check(content, place, path)
            place = content.find(_MARK, place + 1)


def _check(content: bytes | mmap.mmap, start: int, path: Path) -> None:
    if start + _HEAD.size > len(content):
        return
    end = start + _HEAD.unpack_from(content, start)[1]
    place = start + _HEAD.size
    while place + _TEXT.size <= min(end, len(content)):
        number, _, _, size = _TEXT.unpack_from(content, place)
        step = size if number == 0 else _TEXT.size + -(-size // _WORD) * _WORD
        if step < _TEXT.size:
            raise FitError(
                f"{path} cannot be read: its texts are damaged (a size of {size} bytes at "
                f"{place}). Use an intact copy of the file."
            )
        place += step


@contextmanager
def _bytes_of(file: BinaryIO) -> Iterator[bytes | mmap.mmap]:
    """Yield the content of a file without reading a large one into memory."""
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
    elif os.fstat(file.fileno()).st_size == 0:
        yield b""  # an empty file cannot be mapped
    else:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped
