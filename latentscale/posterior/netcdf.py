"""NetCDF files of latentscale: built in memory, and read only once their sizes are checked.

This module handles bytes; `latentscale.posterior.header` interprets the header.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np
import xarray as xr

from latentscale.errors import FitError
from latentscale.files import replacing
from latentscale.posterior.heaps import refuse_endless_texts

ATTRIBUTE = "latentscale"
"""Attribute of the root group that holds the header."""

_LEVEL = 3  # deflate level: higher ones take longer and save about 1%, since draws are noise
# Best compression ratio of deflate: a match of 258 bytes takes at least 2 bits (RFC 1951).
_BEST_RATIO = 1032
# Bytes accepted without a check: a chunk of an array without rows is not stored at all.
_SMALL = 2**16
# Attributes name dimensions and fill values, with 16 bytes for each variable on a dimension.
_LARGEST_ATTRIBUTE = 2**19
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
_NUMBERS = "fiu"  # numpy's kinds of numbers: floating, integer, unsigned
# Strings are measured a few at a time, so that a crafted file cannot force a read above 256 MB.
_MOST_TEXTS = 4096
_MOST_TEXT_BYTES = 2**28
# How netCDF names a dimension without labels, which holds no data.
_ONLY_LENGTH = b"This is a netCDF dimension but not a netCDF variable"


def image(tree: xr.DataTree, header: str | None, path: Path) -> io.BytesIO:
    """Return the bytes of a NetCDF file, with no attributes other than the header.

    It is built in memory, because HDF5 ends the process if it cannot finish writing a file.

    Parameters
    ----------
    tree
        The variables.
    header
        The header's text; None if another file holds it.
    path
        Where the file goes, for messages.

    Raises
    ------
    FitError
        If the tree holds something that NetCDF cannot store.
    """
    plain = xr.DataTree.from_dict(
        {node.path: node.to_dataset().drop_encoding().drop_attrs() for node in tree.subtree}
    )
    if header is not None:
        plain.attrs[ATTRIBUTE] = header
    encoding = {
        node.path: {
            str(name): {"zlib": True, "complevel": _LEVEL}
            for name, values in node.data_vars.items()
            if values.dtype.kind == "f" and values.ndim
        }
        for node in plain.subtree
    }
    buffer = io.BytesIO()
    try:
        plain.to_netcdf(buffer, engine="h5netcdf", encoding=encoding)
    except MemoryError:
        raise FitError(f"Cannot write {path}: there is not enough memory to build it.") from None
    except Exception as error:  # of nearly any type, depending on what is in the user's tree
        raise FitError(f"Cannot write {path}: NetCDF cannot store its tree ({error}).") from error
    return buffer


def write(path: Path, content: io.BytesIO) -> None:
    """Write the bytes of a file to `path`, replacing an existing file.

    Raises
    ------
    FitError
        If the disk is full, or the folder cannot be written to.
    """
    with (
        replacing(path, FitError) as unfinished,
        unfinished.open("wb") as file,
        content.getbuffer() as view,
    ):
        file.write(view)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file once, so that everything is read from it even if it is replaced."""
    if not path.is_file():
        raise FitError(f"There is no file {path}.")
    with path.open("rb") as file:
        yield file


def header_text(file: BinaryIO, path: Path) -> str | None:
    """Return the header of a file, or None if it has none; nothing else is read.

    Raises
    ------
    FitError
        If it is not a text.
    """
    with _hdf5(file, path) as root:
        if ATTRIBUTE not in root.attrs:
            return None
        kind = h5py.h5a.open(root.id, ATTRIBUTE.encode())
        text = h5py.check_string_dtype(kind.dtype)
        if text is None or kind.shape != ():
            raise FitError(f"{path} cannot be read: its header is not text.")
        header = root.attrs[ATTRIBUTE]
        return header.decode() if isinstance(header, bytes) else str(header)


def read_tree(file: BinaryIO, path: Path) -> xr.DataTree:
    """Return all variables of a file, after a check that they fit its size and the memory.

    Raises
    ------
    FitError
        If it declares more data than it can hold, or holds data that latentscale does not write.
    """
    size = file.seek(0, os.SEEK_END)
    with _hdf5(file, path) as root:
        declared = sum(_declared(data, size, path) for data in _datasets(root, path, set()))
    memory = _memory()
    if memory is not None and declared > memory:
        raise FitError(
            f"{path} declares {declared / 1e9:,.1f} GB of data; this machine has "
            f"{memory / 1e9:,.1f} GB of memory. Read it on a larger machine."
        )
    file.seek(0)
    with xr.open_datatree(file, engine="h5netcdf") as tree:
        # Group by group: loading the whole tree skips index coordinates of groups without data.
        groups = {node.path: node.to_dataset(inherit=False).load() for node in tree.subtree}
    loaded = xr.DataTree.from_dict(groups)
    loaded.attrs.pop(ATTRIBUTE, None)
    return loaded


@contextmanager
def _hdf5(file: BinaryIO, path: Path) -> Iterator[h5py.File]:
    refuse_endless_texts(file, path)
    file.seek(0)
    with h5py.File(file, "r") as root:
        yield root


def _datasets(group: h5py.Group, path: Path, seen: set[int]) -> Iterator[h5py.Dataset]:
    """Yield the datasets of a file; refuse external links and cyclic groups."""
    address = h5py.h5o.get_info(group.id).addr
    if address in seen:
        raise FitError(f'{path} cannot be read: its group "{group.name}" is linked twice.')
    seen.add(address)
    _check_attributes(group, path)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise FitError(f'{path} cannot be read: "{group.name}/{name}" is not a plain link.')
        child = group[name]
        if isinstance(child, h5py.Dataset):
            _check_attributes(child, path)
            yield child
        elif isinstance(child, h5py.Group):
            yield from _datasets(child, path, seen)
        else:
            raise FitError(f'{path} cannot be read: "{child.name}" is neither group nor data.')


def _check_attributes(owner: h5py.Group | h5py.Dataset, path: Path) -> None:
    for name in owner.attrs:
        attribute = h5py.h5a.open(owner.id, name.encode())
        if _size(attribute.shape) * attribute.dtype.itemsize > _LARGEST_ATTRIBUTE:
            raise FitError(f'{path} cannot be read: the attribute "{name}" is too large.')


def _declared(data: h5py.Dataset, size: int, path: Path) -> int:
    """Return a dataset's bytes in memory, after a check that the file can contain them."""
    if bytes(np.bytes_(data.attrs.get("NAME", b""))).startswith(_ONLY_LENGTH):
        return 0
    is_text = h5py.check_string_dtype(data.dtype) is not None
    settings = data.id.get_create_plist()
    filters = [settings.get_filter(number)[0] for number in range(settings.get_nfilters())]
    usual = len(set(filters)) == len(filters) and set(filters) <= _FILTERS
    if data.is_virtual or data.external or not (is_text or data.dtype.kind in _NUMBERS):
        usual = False
    if not usual:
        raise FitError(f'{path} cannot be read: latentscale writes no data such as "{data.name}".')
    ratio = _BEST_RATIO if h5py.h5z.FILTER_DEFLATE in filters else 1
    needed = max(_size(data.shape), _size(data.chunks or (0,))) * data.dtype.itemsize
    if needed > ratio * min(data.id.get_storage_size(), size) + _SMALL:
        raise FitError(
            f'{path} cannot be read: "{data.name}" declares {needed / 1e6:,.1f} MB of data, more '
            f"than {size / 1e6:,.3f} MB of file can hold. It is damaged."
        )
    return needed + (_text_bytes(data, size, path) if is_text and data.ndim else 0)


def _text_bytes(data: h5py.Dataset, size: int, path: Path) -> int:
    """Return the bytes of all strings; several cells may refer to the same string in the file."""
    at_once = max(1, min(_MOST_TEXTS, _MOST_TEXT_BYTES // size) // max(1, _size(data.shape[1:])))
    total = 0
    for start in range(0, data.shape[0], at_once):
        total += sum(len(text) for text in np.ravel(data[start : start + at_once]))
        if total > size:
            raise FitError(f'{path} cannot be read: the texts of "{data.name}" exceed its size.')
    return total


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def _memory() -> int | None:
    """Return this machine's memory in bytes, or None if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
