"""Saving: write a fit to one NetCDF file, completely or not at all.

Draws that are streamed to a folder are in `latentscale.posterior.folder`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from latentscale.data.audit import Audit, Finding
from latentscale.data.scores import Scores
from latentscale.errors import FitError
from latentscale.files import writable_path
from latentscale.markup import counted
from latentscale.posterior import netcdf
from latentscale.posterior.header import FitHeader, parsed, readable, sealed, verified

if TYPE_CHECKING:
    from latentscale.posterior.fit import Fit

SCORES = "scores"
"""Group of the table; the other groups are those of the fit's tree."""
AUDIT: Final = "audit"
"""Attribute of that group with the findings made when the table was read; not in older files."""
_MOST_FINDINGS: Final = 10_000
"""Most findings that a file keeps: a few MB of header, and more than anyone will read."""


def save_fit(fit: Fit, path: str | Path) -> Path:
    """Write a fit to one NetCDF file (see `Fit.save`).

    Raises
    ------
    FitError
        If the path cannot be written to, or the tree holds something the file cannot store.
    """
    path = writable_path(path, FitError)
    if SCORES in fit.tree.children:
        raise FitError(
            f'Cannot write {path}: the tree has a group "{SCORES}", the name under which the file '
            "keeps the fitted table; give the group another name."
        )
    groups = {node.path: node.to_dataset() for node in fit.tree.subtree}
    table = fit.scores.dataset.assign_attrs({AUDIT: _findings(fit.scores.audit)})
    tree = xr.DataTree.from_dict({**groups, f"/{SCORES}": table})
    try:
        header = FitHeader(
            spec=fit.spec,
            transform=fit.transform,
            provenance=fit.provenance,
            status=fit.status,
            attributes=attributes_of(tree),
        )
        text = sealed(header.to_dict(), tree)
    except (TypeError, ValueError, RecursionError) as error:
        raise FitError(
            f"Cannot write {path}: its settings, or the attributes of its tree, cannot be written "
            f"as JSON ({error})."
        ) from None
    content = netcdf.image(tree, text, path)
    _check(content, path)
    netcdf.write(path, content)
    return path


def scores_of(table: xr.Dataset) -> Scores:
    """Return the scores of a file's table, with the audit that was saved with it.

    Much of the audit concerns the original cells, which the table no longer shows: several sources
    of a score, dates without a day. A table saved without its audit is audited again.
    """
    bare = table.copy()
    found = bare.attrs.pop(AUDIT, None)
    scores = Scores(bare).select()
    if found is None:
        return scores
    return Scores(scores.dataset, Audit(tuple(Finding(**finding) for finding in found)))


def _findings(audit: Audit) -> list[dict[str, str]]:
    kept = list(audit.findings[:_MOST_FINDINGS])
    if len(audit) > len(kept):
        more = f"{counted(len(audit) - len(kept), 'more finding')}, left out of the saved fit."
        kept.append(Finding("info", "findings-cut", "table", more))
    return [asdict(finding) for finding in kept]


def attributes_of(tree: xr.DataTree) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the attributes of a tree's groups and variables as JSON types.

    Returns
    -------
    By the group's path, then by the variable's name (``""`` for the group itself); groups without
    attributes are left out.
    """
    attributes: dict[str, dict[str, dict[str, Any]]] = {}
    for node in tree.subtree:
        owners = {"": node.attrs} | {str(k): v.attrs for k, v in node.variables.items()}
        held = {name: _as_json(own) for name, own in owners.items() if own}
        if held:
            attributes[node.path] = held
    return attributes


def with_attributes(
    tree: xr.DataTree, attributes: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> xr.DataTree:
    """Return a tree with the attributes that `attributes_of` gave, and no others."""
    groups = {node.path: node.to_dataset(inherit=False).drop_attrs() for node in tree.subtree}
    for path, owners in attributes.items():
        for name, held in owners.items():
            owner = groups[path].variables[name] if name else groups[path]
            owner.attrs.update(held)
    return xr.DataTree.from_dict(groups)


def _check(content: io.BytesIO, path: Path) -> None:
    """Refuse to write a file that could not be read back, such as one with a NUL in a string."""
    try:
        with readable(path):
            text = netcdf.header_text(content, path)
            document = verified(parsed(text, path), netcdf.read_tree(content, path), path)
            FitHeader.from_dict(document, path)
    except FitError as error:
        raise FitError(f"Cannot write {path}: it could not be read back ({error})") from None


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(held) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_json(held) for held in value]
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiubUO":
        return _as_json(value.tolist())
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return value.isoformat() if isinstance(value, date) else str(value)
