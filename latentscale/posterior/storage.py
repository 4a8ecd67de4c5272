"""Storage: a fit to and from one NetCDF file, or from a folder of draws; without pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.data.scores import Scores
from latentscale.dims import CHAIN, DRAW
from latentscale.errors import FitError
from latentscale.expect import expect_path
from latentscale.model.design import Design, design
from latentscale.posterior.convergence import convergence
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit, Provenance
from latentscale.posterior.integrity import content_hash
from latentscale.posterior.status import (
    Status,
    status_of_chains,
    status_of_partial,
    status_with_start,
)
from latentscale.posterior.stream import common_draws, read_chains, read_header, wanted_draws
from latentscale.spec.io import spec_from_json
from latentscale.spec.spec import ModelSpec

FORMAT = 1
_SCORES = "scores"
_ATTRIBUTE = "latentscale"


def save_fit(fit: Fit, path: Path) -> Path:
    """Write a fit to one NetCDF file (see `Fit.save`).

    Raises
    ------
    FitError
        If the folder does not exist.
    """
    if not path.parent.is_dir():
        raise FitError(f"Cannot write {path}: the folder {path.parent} does not exist.")
    tree = xr.DataTree.from_dict(
        {**{name: fit.tree[name].to_dataset() for name in fit.tree.children}}
        | {_SCORES: fit.scores.dataset}
    )
    header = {
        "format": FORMAT,
        "spec": fit.spec.to_json(),
        "digest": fit.spec.digest,
        "transform": fit.transform.to_dict(),
        "status": fit.status.to_dict(),
        "provenance": asdict(fit.provenance),
    }
    header["hash"] = content_hash(tree, header)
    tree.attrs[_ATTRIBUTE] = json.dumps(header, sort_keys=True)
    encoding = {
        f"/{name}": {
            str(variable): {"zlib": True, "complevel": 3}
            for variable, values in tree[name].data_vars.items()
            if values.dtype.kind == "f" and values.ndim
        }
        for name in tree.children
    }
    tree.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return path


def load_fit(path: str | Path) -> Fit:
    """Read a fit that `Fit.save` wrote, or the draws that ``NUTS(store=...)`` writes.

    Parameters
    ----------
    path
        The NetCDF file, or the folder of draws. A folder can be read while its sampler runs
        and after a crash: the fit then holds what the chains that got far have in common, and
        its status says that it is partial.

    Raises
    ------
    FitError
        If there is no such file, it was not written by latentscale, its format is newer
        than this version reads, its content does not match its hash, or a folder holds no
        draw yet.
    """
    expect_path(path, "path")
    path = Path(path)
    if path.is_dir():
        return read_folder(path).fit()
    if not path.is_file():
        raise FitError(f"There is no file {path}.")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except (OSError, ValueError, KeyError) as error:
        raise FitError(f"{path} cannot be read as NetCDF: {error}") from None
    header = _header(tree, path)
    spec = _spec(header, path)
    groups = {name: tree[name].to_dataset() for name in tree.children}
    scores = Scores(groups.pop(_SCORES)).select()  # which audits it anew
    return Fit(
        spec=spec,
        scores=scores,
        tree=xr.DataTree.from_dict(groups),
        status=Status.from_dict(header["status"]),
        transform=CovariateTransform.from_dict(header["transform"]),
        provenance=Provenance(**header["provenance"]),
    )


@dataclass(frozen=True)
class StoredRun:
    """What a folder of draws holds beside the draws.

    Attributes
    ----------
    path
        The folder.
    spec, scores, transform, provenance
        As in a fit.
    variables
        Names of the parameters that are stored.
    start_message, start_advice
        Where the chains began, and what to do about it; empty where nothing was looked for.
    chart
        The coordinates of the chains' positions; None for the model's own.
    """

    path: Path
    spec: ModelSpec
    scores: Scores
    transform: CovariateTransform
    provenance: Provenance
    variables: tuple[str, ...]
    start_message: str = ""
    start_advice: tuple[str, ...] = ()
    chart: dict[str, Any] | None = None

    @property
    def design(self) -> Design:
        """The constants of the model."""
        return design(self.spec, self.scores, transform=self.transform)

    def fit(self) -> Fit:
        """Return the draws in the folder as a fit."""
        chains = read_chains(self.path, self.variables)
        posterior, stats = common_draws(chains)
        wanted, asked = wanted_draws(self.path), self.provenance.settings["chains"]
        partial = posterior.sizes[CHAIN] < asked or posterior.sizes[DRAW] < wanted
        status = status_of_chains(convergence(posterior, stats), interrupted=partial)
        if partial:
            status = status_of_partial(
                status,
                f"{posterior.sizes[CHAIN]} of {asked} chains, "
                f"{posterior.sizes[DRAW]} of {wanted} draws a chain",
                f'latentscale.resume("{self.path}")',
            )
        status = status_with_start(status, self.start_message, self.start_advice)
        draws = Draws(posterior, stats, status, {})
        return Fit(
            spec=self.spec,
            scores=self.scores,
            tree=to_tree(self.spec, self.design, draws),
            status=status,
            transform=self.transform,
            provenance=self.provenance,
        )


def read_folder(path: Path) -> StoredRun:
    """Read what a folder of draws holds beside the draws.

    Raises
    ------
    FitError
        If it is not such a folder, or was changed after it was made.
    """
    header, scores = read_header(path)
    return StoredRun(
        path=path,
        spec=_spec(header, path),
        scores=Scores(scores).select(),
        transform=CovariateTransform.from_dict(header["transform"]),
        provenance=Provenance(**header["provenance"]),
        variables=tuple(header["variables"]),
        start_message=header.get("start", {}).get("message", ""),
        start_advice=tuple(header.get("start", {}).get("advice", ())),
        chart=header.get("chart"),
    )


def _spec(header: dict[str, Any], path: Path) -> ModelSpec:
    spec = spec_from_json(header["spec"])
    if spec.digest != header["digest"]:
        raise FitError(
            f"{path} holds the spec {header['digest']}, which this version reads as "
            f"{spec.digest}; fit the model again."
        )
    return spec


def _header(tree: xr.DataTree, path: Path) -> dict[str, Any]:
    if _ATTRIBUTE not in tree.attrs:
        raise FitError(f"{path} was not written by latentscale's Fit.save.")
    try:
        header: dict[str, Any] = json.loads(tree.attrs[_ATTRIBUTE])
    except (TypeError, json.JSONDecodeError):
        header = {}
    if header.get("format") != FORMAT:
        raise FitError(
            f"{path} has format {header.get('format')}, but this version reads format {FORMAT}; "
            "use the version of latentscale that wrote it, or fit again."
        )
    claimed = header.pop("hash", None)
    if claimed != content_hash(tree, header):
        raise FitError(f"{path} does not match its own hash: it was changed after it was saved.")
    return header
