"""A folder of draws: its header, and which process may write to it.

`latentscale.posterior.stream` handles runs and their draws. A folder holds the spec, the scores and
the settings (``fit.json``, ``scores.nc``), a lock file, and one sub-folder for each run of the
sampler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError, listed
from latentscale.files import reason, replacing
from latentscale.model.design import Design
from latentscale.posterior import netcdf
from latentscale.posterior.header import (
    FolderHeader,
    file_text,
    parsed,
    readable,
    sealed,
    verified,
)
from latentscale.posterior.lock import LOCK, locked
from latentscale.posterior.provenance import Provenance

HEADER = "fit.json"
SCORES = "scores.nc"
_GROUP = "scores"
# Files that a sampler leaves if it stops before it has written the header: temporary files are
# renamed once they are complete. Names with "unfinished" date from commit 590bc21.
_LEFT_OVER = (LOCK, SCORES, ".scores.*", ".fit.*", "fit.unfinished")


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Make a folder for draws and hold its lock.

    Raises
    ------
    FitError
        If the folder is in use, or cannot be made or written to.
    """
    refuse_used(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise FitError(f"Cannot make the folder {path}: {reason(failure)}.") from failure
    with locked(path):
        refuse_used(path)  # another sampler may have been faster
        yield


def refuse_used(path: Path) -> None:
    """Refuse a path that holds draws, or files that latentscale did not write.

    Files left by a sampler that stopped before it wrote its header are allowed.

    Raises
    ------
    FitError
        If it is a file, or a folder that is not empty.
    """
    with readable(path):
        if not path.is_dir():
            if path.exists() or path.is_symlink():
                raise FitError(f"{path} is already in use: it is a file; name a new folder.")
            return
        if (path / HEADER).exists():
            raise FitError(
                f"{path} is already in use: name a new folder, or continue the draws in it "
                f'with latentscale.resume("{path}").'
            )
        others = _others(path)
    if others:
        raise FitError(
            f"{path} is already in use: it holds {listed(others, 3)}, which latentscale did not "
            "write; name a new folder."
        )


def start_folder(
    path: Path,
    spec: ModelSpec,
    design: Design,
    provenance: Provenance,
    variables: Sequence[str],
    *,
    message: str = "",
    advice: Sequence[str] = (),
    chart: Mapping[str, Any] | None = None,
) -> None:
    """Make a folder for draws, with everything needed to read them.

    Parameters
    ----------
    path
        The folder to make.
    spec, design, provenance
        What is fitted, and how.
    variables
        Names of the stored parameters.
    message, advice
        Where the chains start and the advice on that, for the status.
    chart
        The coordinate system of the chains' positions, as JSON; None for the model's own.

    Raises
    ------
    FitError
        If `path` already exists, or the disk is full.
    """
    refuse_used(path)
    path.mkdir(parents=True, exist_ok=True)
    header = FolderHeader(
        spec=spec,
        transform=design.transform,
        provenance=provenance,
        variables=tuple(variables),
        start_message=message,
        start_advice=tuple(advice),
        chart=None if chart is None else dict(chart),
    )
    document = header.to_dict()
    text = sealed(document, _hashed(design.scores.dataset))
    # The table is at the root of its file, as in schema 1.
    root = xr.DataTree(design.scores.dataset)
    netcdf.write(path / SCORES, netcdf.image(root, None, path / SCORES))
    with replacing(path / HEADER, FitError) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def read_header(path: Path) -> tuple[FolderHeader, xr.Dataset]:
    """Return the header and the scores of a folder.

    Raises
    ------
    FitError
        If it is not a folder of draws, or was damaged or changed after it was made.
    """
    document = unverified_header(path)
    table = path / SCORES
    with readable(table), netcdf.opened(table) as file:
        scores = netcdf.read_tree(file, table).to_dataset()
    with readable(path):
        content = verified(document, _hashed(scores), path)
        return FolderHeader.from_dict(content, path), scores


def unverified_header(path: Path) -> dict[str, Any]:
    """Return the header of a folder as written, before any of it is verified.

    Raises
    ------
    FitError
        If it is not a folder of draws, holds no draws yet, or a newer version wrote it.
    """
    if path.is_file():
        raise FitError(
            f"{path} is a file, not a folder of draws by NUTS(store=...); read a file that "
            f'fit.save wrote with latentscale.load("{path}").'
        )
    if not path.is_dir():
        raise FitError(f"There is no folder {path}.")
    with readable(path):
        if (path / HEADER).is_file():
            return parsed(file_text(path / HEADER), path / HEADER)
        if _others(path):
            raise FitError(
                f'{path} is a folder but holds no draws by latentscale: it has no "{HEADER}". '
                "Give the file that fit.save wrote, or the folder of NUTS(store=...)."
            )
    raise FitError(
        f"{path} holds no draws by latentscale yet: it is empty, or its sampler was stopped before "
        f'it began. Begin it with latentscale.fit(..., method=latentscale.NUTS(store="{path}")).'
    )


def _others(path: Path) -> list[str]:
    """Return the files in a folder without a header that are not left over from a sampler."""
    names = [
        child.name
        for child in sorted(path.iterdir())
        if not any(child.match(pattern) for pattern in _LEFT_OVER) or child.is_dir()
    ]
    table = path / SCORES
    if table.is_file() and not (path / LOCK).is_file() and not _is_ours(table):
        names.append(SCORES)
    return names


def _is_ours(table: Path) -> bool:
    """Return whether a file is a table of scores, or was cut short when it was written."""
    try:
        with h5py.File(table, "r") as file:
            return {"score", "params", "tokens"} <= set(file)
    except OSError:
        return True


def _hashed(scores: xr.Dataset) -> xr.DataTree:
    return xr.DataTree.from_dict({_GROUP: scores})
