"""Integrity: a hash of everything in a file of draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

# NumPy's array kinds whose bytes are hashed: numbers and booleans; dates and durations.
_NUMBERS = "fiub"
_TIMES = "Mm"


def content_hash(tree: xr.DataTree, header: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a header and of every variable of a tree, as hexadecimal digits.

    The header's ``schema`` determines how variables are hashed; headers of schema 1 do not have it.
    """
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for piece in _pieces(tree) if "schema" in header else _pieces_of_schema_1(tree):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(tree: xr.DataTree) -> Iterator[bytes]:
    for node in sorted(tree.subtree, key=lambda node: node.path):
        dataset = node.to_dataset()
        for name in sorted(str(variable) for variable in dataset.variables):
            variable = dataset[name]
            values = _canonical(np.asarray(variable.values))
            kind = values.dtype.str if values.dtype.kind in _NUMBERS else "text"
            about = [node.path, name, list(variable.dims), list(values.shape), kind]
            yield json.dumps(about).encode()
            yield _as_bytes(values)


def _canonical(values: np.ndarray) -> np.ndarray:
    """Return values in the form read from a file: one NaN, one byte order, one unit of time."""
    kind = values.dtype.kind
    if kind in _TIMES:
        # Microseconds cover the years -290,000 to 290,000; a file may use another unit.
        return values.astype(f"{kind}8[us]").astype(np.int64)
    values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.where(np.isnan(values), values.dtype.type(np.nan), values) if kind == "f" else values


def _as_bytes(values: np.ndarray) -> bytes:
    if values.dtype.kind in _NUMBERS:
        return np.ascontiguousarray(values).tobytes()
    return json.dumps(values.astype(str).tolist()).encode()


def _pieces_of_schema_1(tree: xr.DataTree) -> Iterator[bytes]:
    """Yield the pieces hashed by commit 590bc21: without types and shapes."""
    for group in sorted(tree.children):
        dataset = tree[group].to_dataset()
        for name in sorted(str(variable) for variable in dataset.variables):
            values = np.asarray(dataset[name].values)
            yield f"{group}/{name}{dataset[name].dims}".encode()
            yield _as_bytes(values)
