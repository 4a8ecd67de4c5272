"""The header of a saved fit or a folder of draws: how it is written, checked and migrated.

`latentscale.posterior.netcdf` reads the variables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.declare.io import spec_from_json
from latentscale.declare.prior import PRIOR_SLOTS
from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError, LatentscaleError, listed
from latentscale.posterior.heaps import SIGNATURE
from latentscale.posterior.integrity import content_hash
from latentscale.posterior.migrations import MIGRATIONS
from latentscale.posterior.provenance import Provenance
from latentscale.posterior.status import Status
from latentscale.validate import is_whole

SCHEMA: Final = 3
"""Schema that this version writes; `MIGRATIONS` reads all earlier ones."""

MOST_CHARACTERS: Final = 2**26
"""Longest header: a spec and settings take a few kB, chains' coordinates and findings a few MB."""

_NUMBER = (int, float)
_NONE = type(None)
_COMMON: Final[dict[str, tuple[type, ...]]] = {
    "schema": (int,),
    "spec": (str,),
    "priors": (dict,),
    "transform": (dict,),
    "provenance": (dict,),
}
_OF_FIT = _COMMON | {"status": (dict,), "attributes": (dict, _NONE)}
_OF_FOLDER = _COMMON | {"variables": (list,), "start": (dict,), "chart": (dict, _NONE)}
_STATUS: Final[dict[str, tuple[type, ...]]] = {
    "is_posterior": (bool,),
    "converged": (bool, _NONE),
    "interrupted": (bool,),
    "message": (str,),
    "advice": (list,),
    "good_for": (str,),
    "pareto_k": (*_NUMBER, _NONE),
}
_PROVENANCE: Final[dict[str, tuple[type, ...]]] = {
    "method": (str,),
    "settings": (dict,),
    "seed": (int,),
    "seconds": (dict,),
    "versions": (dict,),
}
_CHART = ("eta", "weight", "origin", "spread")


@dataclass(frozen=True)
class Header:
    """Fields that the headers of a fit and of a folder of draws have in common.

    Attributes
    ----------
    spec, transform, provenance
        As in a fit.
    """

    spec: ModelSpec
    transform: CovariateTransform
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "schema": SCHEMA,
            "spec": self.spec.to_json(),
            "priors": {name: self.spec.prior(name).to_dict() for name in PRIOR_SLOTS},
            "transform": self.transform.to_dict(),
            "provenance": asdict(self.provenance),
        }


@dataclass(frozen=True)
class FitHeader(Header):
    """The header of a file that `Fit.save` wrote.

    Attributes
    ----------
    status
        As in a fit.
    attributes
        Attributes of the tree's groups and variables, by group's path, then by variable's name
        (``""`` for the group itself); None to use the file's own (schema 1).
    """

    status: Status
    attributes: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        own = {"status": self.status.to_dict(), "attributes": self.attributes}
        return super().to_dict() | own

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], path: Path) -> FitHeader:
        """Read a header from the output of `verified`.

        Raises
        ------
        FitError
            Naming the file and the key, if a key is missing or unknown, or its value is wrong.
        """
        _check_keys(document, _OF_FIT, path, "")
        status = document["status"]
        _check_keys(status, _STATUS, path, "status.")
        _check_all(status["advice"], (str,), path, "status.advice")
        attributes = document["attributes"]
        for group, variables in (attributes or {}).items():
            _check_all(variables, (dict,), path, f"attributes.{group}")
        return cls(
            **_common(document, path), status=Status.from_dict(status), attributes=attributes
        )


@dataclass(frozen=True)
class FolderHeader(Header):
    """The header of a folder of draws.

    Attributes
    ----------
    variables
        Names of the stored parameters.
    start_message, start_advice
        Where the chains started and the advice on that; empty if no search for modes was made.
    chart
        The coordinate system of the chains' positions; None for the model's own.
    """

    variables: tuple[str, ...]
    start_message: str = ""
    start_advice: tuple[str, ...] = ()
    chart: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        start = {"message": self.start_message, "advice": list(self.start_advice)}
        own = {"variables": list(self.variables), "start": start, "chart": self.chart}
        return super().to_dict() | own

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], path: Path) -> FolderHeader:
        """Read a header from the output of `verified`.

        Raises
        ------
        FitError
            Naming the folder and the key, if a key is missing or unknown, or its value is wrong.
        """
        _check_keys(document, _OF_FOLDER, path, "")
        start, chart = document["start"], document["chart"]
        _check_keys(start, {"message": (str,), "advice": (list,)}, path, "start.")
        _check_all(start["advice"], (str,), path, "start.advice")
        _check_all(document["variables"], (str,), path, "variables")
        if chart is not None:
            _check_keys(chart, dict.fromkeys(_CHART, (list,)), path, "chart.")
        settings = document["provenance"].get("settings")
        if not isinstance(settings, dict) or not _counts(settings.get("chains")):
            raise _wrong(path, "provenance.settings.chains", "must be a number of chains")
        return cls(
            **_common(document, path),
            variables=tuple(document["variables"]),
            start_message=start["message"],
            start_advice=tuple(start["advice"]),
            chart=chart,
        )


def sealed(document: Mapping[str, Any], tree: xr.DataTree) -> str:
    """Return a header as JSON text, with a hash of the header and of the variables of a tree."""
    return json.dumps({**document, "hash": content_hash(tree, document)}, sort_keys=True)


def parsed(text: object, path: Path) -> dict[str, Any]:
    """Parse a header from JSON text, if this version can read its schema.

    Its other entries cannot be trusted before `verified`.

    Raises
    ------
    FitError
        Naming the file, if the text is not a header, or a newer version wrote it.
    """
    document = json_table(text, path)
    schema = _schema(document)
    if schema is None:
        raise FitError(f"{path} cannot be read: its header does not name a schema.")
    if schema > SCHEMA:
        raise FitError(
            f"{path} was written by a newer version of latentscale (schema {schema}; this version "
            f"reads up to {SCHEMA}): update latentscale to read it."
        )
    return document


def json_table(text: object, path: Path) -> dict[str, Any]:
    """Parse a JSON object.

    Raises
    ------
    FitError
        Naming the file, if the text is not a JSON object, or is far longer than any header.
    """
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise FitError(f"{path} cannot be read: its header is not text, or is unusually long.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FitError(f"{path} cannot be read: its header is not JSON ({error}).") from None
    if not isinstance(document, dict):
        raise FitError(f"{path} cannot be read: its header is not a table.")
    return document


def file_text(path: Path) -> str:
    """Return the text of a file, truncated just beyond the longest allowed header."""
    with readable(path), path.open(encoding="utf-8") as file:
        return file.read(MOST_CHARACTERS + 1)


def verified(document: Mapping[str, Any], tree: xr.DataTree, path: Path) -> dict[str, Any]:
    """Return a header in this version's schema, if it and the variables match its hash.

    Raises
    ------
    FitError
        Naming the file, if they do not match: it was damaged or changed.
    """
    content = {key: value for key, value in document.items() if key != "hash"}
    if document.get("hash") != content_hash(tree, content):
        raise FitError(
            f"{path} does not match its own hash: it was changed after it was saved, or damaged."
        )
    for schema in range(_schema(content) or SCHEMA, SCHEMA):
        try:
            content = MIGRATIONS[schema](content)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise FitError(f"{path} cannot be read: its header is incomplete ({reason}).") from None
    return content


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn any exception that a damaged or crafted file causes into a FitError.

    HDF5, Zarr, h5netcdf, xarray and their decoders raise nearly every type on such files.
    """
    try:
        yield
    except LatentscaleError:
        raise
    except MemoryError:
        raise FitError(f"{path} cannot be read: it needs more memory than is free.") from None
    except PermissionError:
        raise FitError(f"{path} cannot be read: permission denied.") from None
    except Exception as error:
        if path.suffix != ".nc" and _is_another_file(path):
            raise FitError(
                f"{path} is not a saved fit. Give a file that Fit.save or `latentscale fit --out "
                "fit.nc` wrote; `latentscale data` checks a table of scores."
            ) from None
        reason = f"{type(error).__name__}: {error}"
        kind = " as NetCDF" if path.suffix == ".nc" else ""
        raise FitError(f"{path} cannot be read{kind}: it is damaged ({reason}).") from error


def _is_another_file(path: Path) -> bool:
    """Return whether a path is a readable file without the signature of HDF5."""
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(len(SIGNATURE)) != SIGNATURE
    except OSError:
        return False


def _schema(document: Mapping[str, Any]) -> int | None:
    """Return a header's schema; headers of schema 1 call it ``format``."""
    schema = document.get("schema", document.get("format"))
    return schema if _counts(schema) else None


def _counts(value: object) -> bool:
    return is_whole(value, least=1)


def _common(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    provenance = document["provenance"]
    _check_keys(provenance, _PROVENANCE, path, "provenance.")
    _check_all(provenance["seconds"], _NUMBER, path, "provenance.seconds")
    _check_all(provenance["versions"], (str,), path, "provenance.versions")
    if provenance["seed"] < 0:
        raise _wrong(path, "provenance.seed", "must be at least 0")
    try:
        spec = _spec(document["spec"], document["priors"])
        transform = CovariateTransform.from_dict(document["transform"])
    except (LatentscaleError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FitError(f"{path} cannot be read by this version: {error}") from None
    if transform.names != spec.covariates:
        raise _wrong(path, "transform.names", "must be the covariates of the spec")
    for field in ("mean", "scale", "lower", "upper"):
        if not all(isfinite(number) for number in getattr(transform, field).values()):
            raise _wrong(path, f"transform.{field}", "must hold finite numbers")
    return {"spec": spec, "transform": transform, "provenance": Provenance(**provenance)}


def _spec(text: str, priors: Mapping[str, Any]) -> ModelSpec:
    """Read a spec with the meaning that it had when it was written.

    Default priors may change between versions, so the fitted ones are kept. `text` states every
    field.
    """
    spec = spec_from_json(text)
    fitted = spec.with_priors(priors)
    changed = {
        name: fitted.prior(name) for name in priors if fitted.prior(name) != spec.prior(name)
    }
    spec = spec.with_priors(changed) if changed else spec
    if not _holds(spec.to_dict(), json.loads(text)):
        raise FitError("its spec means something else in this version; fit the model again.")
    return spec


def _holds(whole: object, subset: object) -> bool:
    """Return whether a JSON value contains another: `whole` may have further keys."""
    if isinstance(whole, dict) and isinstance(subset, dict):
        return all(key in whole and _holds(whole[key], value) for key, value in subset.items())
    return whole == subset


def _check_keys(
    document: object, kinds: Mapping[str, tuple[type, ...]], path: Path, where: str
) -> None:
    if not isinstance(document, dict):
        raise _wrong(path, where.rstrip("."), "must be a table")
    for key, kind in kinds.items():
        if key not in document:
            raise _wrong(path, where + key, "is missing")
        if type(document[key]) not in kind:
            raise _wrong(path, where + key, f"has the wrong type ({type(document[key]).__name__})")
    unknown = sorted(set(document) - set(kinds))
    if unknown:
        raise _wrong(path, where + unknown[0], f"is unknown; known are {listed(kinds, 20)}")


def _check_all(values: object, kind: tuple[type, ...], path: Path, where: str) -> None:
    if not isinstance(values, list | dict):
        raise _wrong(path, where, "must be a list or a table")
    for value in values.values() if isinstance(values, dict) else values:
        if type(value) not in kind:
            raise _wrong(path, where, f"holds a value of the wrong type ({value!r:.40})")


def _wrong(path: Path, key: str, what: str) -> FitError:
    return FitError(
        f'{path} cannot be read: "{key}" in its header {what}. It is damaged, or was not written '
        "by latentscale."
    )
