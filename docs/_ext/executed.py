"""Where the outputs of executed pages are kept: one folder for each state of what they come from.

Pages' own text is in the cache's own key. What their code runs is not: the package and its shipped
specs, the stored fits, and the versions of libraries that are pinned. Where one of these changes,
the folder is another, its predecessors are removed, and every page is run again; the folder is a
setting of Sphinx, so that pages whose text did not change are read again too.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ("latentscale", "model_specs", "docs/fits", "constraints.txt")
"""What executed pages run, load or show, under the root."""
_DIGITS: Final = 16
"""Hexadecimal digits of the name: 64 bits, so two states of one checkout do not share them."""


def key(root: Path = ROOT) -> str:
    """Return a name that is another where a file of `SOURCES` is added, removed or changed."""
    digest = sha256()
    for source in SOURCES:
        top = root / source
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                content = path.read_bytes()
                name = path.relative_to(root).as_posix()
                digest.update(f"{name}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()[:_DIGITS]


def cache(folder: Path, root: Path = ROOT) -> Path:
    """Return the folder of outputs for the sources as they are; others in `folder` are removed."""
    kept = folder / key(root)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path != kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return kept
