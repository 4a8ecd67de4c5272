"""Integrity: a hash of everything that a file of draws holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr


def content_hash(tree: xr.DataTree, header: dict[str, Any]) -> str:
    """Return the SHA-256 of a header and of every variable of a tree, as hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for piece in _pieces(tree):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(tree: xr.DataTree) -> Iterator[bytes]:
    for group in sorted(tree.children):
        dataset = tree[group].to_dataset()
        for name in sorted(str(variable) for variable in dataset.variables):
            values = np.asarray(dataset[name].values)
            text = values.dtype.kind not in "fiub"
            yield f"{group}/{name}{dataset[name].dims}".encode()
            yield (
                json.dumps(values.astype(str).tolist()).encode()
                if text
                else np.ascontiguousarray(values).tobytes()
            )
