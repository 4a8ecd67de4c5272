"""Files of finished refits: their names, their contents, and which process may write them.

A file is a table (CSV, text quoted, numbers with all digits) and a last line with the number of
rows and their hash, which reveals whether the file was truncated or changed. Each analysis defines
its refits, and `latentscale.analysis.tools.refits` runs them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from latentscale.analysis.forecasts.condition import FewShot
from latentscale.analysis.tools.fold import Fold
from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import VERSION
from latentscale.errors import FitError
from latentscale.expect import expect_path
from latentscale.files import reason, replacing
from latentscale.inference.method import Method

try:
    import fcntl
except ImportError:  # Windows: two processes that work on one fold at once both fit it
    fcntl = None  # type: ignore[assignment]

SCHEMA = 2
"""Version of the fold file format; part of the key, so that files in another format are not
read."""

# Fields of methods that affect how refits are run but not their results.
_SAME_NUMBERS = ("cores", "workers", "cluster", "folder")
# Variables of a table that describe its benchmarks in words.
_WORDS = ("suite", "basis")
# Hexadecimal digits of names: 64 bits, so that no two of millions of folds share one.
_DIGITS = 16
_END = "# rows"
_FEW_SHOT = FewShot()


def run_key(spec: ModelSpec, scores: Scores, method: Method, seed: int, prob: float) -> str:
    """Return a key for everything that the results of a run depend on, except its folds.

    The spec's digest (not its name), every variable of the table, the method's type and settings,
    the seed, the probability of the interval, and the file format. Cores, workers, the cluster,
    progress and the path of the folder do not affect it.
    """
    settings = {name: value for name, value in _plain(method).items() if name not in _SAME_NUMBERS}
    about = [SCHEMA, spec.digest, settings, seed, float(prob)]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=repr).encode())
    for name in sorted(str(variable) for variable in scores.dataset.variables):
        if name not in _WORDS:
            values = scores.dataset[name]
            text = values.values.astype(str).tolist()
            digest.update(json.dumps([name, values.dims, text]).encode())
    return digest.hexdigest()[:_DIGITS]


def fold_file(folder: Path, key: str, fold: Fold, few_shot: FewShot = _FEW_SHOT) -> Path:
    """Return a fold's file, named by its hidden and given cells, not by the fold's name."""
    parts: list[Any] = [fold.train, fold.test, fold.cells]
    if fold.given:
        parts += [fold.given, _plain(few_shot)]
    return _file_of(folder, key, parts)


def summary_file(
    folder: Path, key: str, frame: pd.DataFrame | None, variables: tuple[str, ...] | None
) -> Path:
    """Return the file for the summary of a fit to the whole table, named by what is summarised.

    Parameters
    ----------
    folder, key
        The folder, and the key of the fit from `run_key`.
    frame
        Planned models that are also forecast.
    variables
        Parameters to summarise; None for the top-level ones.
    """
    cells = None if frame is None else [list(map(str, frame)), frame.astype(str).values.tolist()]
    return _file_of(folder, key, ["summary", cells, variables])


def _file_of(folder: Path, key: str, about: list[Any]) -> Path:
    text = json.dumps(about, default=repr)
    return folder / key / f"{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}.csv"


def checked_folder(folder: str | Path) -> Path:
    """Return the folder with ``~`` expanded, and make it if it does not exist.

    Raises
    ------
    FitError
        If it is a file, or cannot be made.
    """
    expect_path(folder, "folder")
    place = Path(folder).expanduser().absolute()  # workers may have another working folder
    if place.exists() and not place.is_dir():
        raise FitError(f"folder must be a folder; {place} is a file. Give another name.")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise FitError(f"Cannot make the folder {place}: {reason(failure)}.") from failure
    return place


def refuse_unwritable(place: Path) -> None:
    """Refuse a folder in which files cannot be created, before any work is done.

    Raises
    ------
    FitError
        Naming the folder and what to do.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as failure:
        raise FitError(f"Cannot write to the folder {place}: {reason(failure)}.") from failure


def write_fold(table: pd.DataFrame, file: Path) -> None:
    """Write a fold's table, completely or not at all.

    Raises
    ------
    FitError
        If the disk is full or the folder cannot be written to.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(table.columns)
    columns = [table[name].tolist() for name in table]
    writer.writerows(zip(*columns, strict=True))
    body = text.getvalue().encode("utf-8", "surrogatepass")
    ending = f"{_END} {len(table)} sha256 {_hash(body, file, VERSION)} {VERSION}\n"
    with replacing(file, FitError) as unfinished:
        unfinished.write_bytes(body + ending.encode())


def read_fold(file: Path, columns: tuple[str, ...]) -> pd.DataFrame | None:
    """Return a fold's table exactly as written; None if the file was truncated or changed.

    Its ``attrs["version"]`` is the version that wrote it, empty if the file does not state it.

    Raises
    ------
    FitError
        If the file cannot be read at all.
    """
    try:
        content = file.read_bytes()
    except OSError as failure:
        raise FitError(f"Cannot read {file}: {reason(failure)}.") from failure
    body, mark, ending = content.rpartition(f"\n{_END} ".encode())
    body += b"\n"
    try:
        rows, _, digest, *versions = ending.decode("ascii").split(maxsplit=3)
        version = "".join(versions).removesuffix("\n")
        lines = csv.reader(
            io.StringIO(body.decode("utf-8", "surrogatepass"), newline=""),
            quoting=csv.QUOTE_NONNUMERIC,
        )
        header, *cells = list(lines)
    except (ValueError, csv.Error):
        return None
    whole = mark and digest == _hash(body, file, version) and rows == str(len(cells))
    if not whole or header != list(columns):
        return None
    table = pd.DataFrame(cells, columns=header)
    table.attrs["version"] = version
    return table


@contextmanager
def claimed(file: Path, *, wait: bool) -> Iterator[bool]:
    """Lock a fold while this process fits it, so that other processes can read it afterwards.

    The operating system releases the lock when the process ends, however it ends.

    Yields
    ------
    Whether this process has the lock. With `wait` it waits for the lock; otherwise False if another
    process has it.

    Raises
    ------
    FitError
        If the folder cannot be written to, or the disk is full.
    """
    if fcntl is None:
        yield True
        return
    lock = file.with_suffix(".lock")
    try:
        opened = lock.open("w")
    except OSError as failure:
        raise FitError(f"Cannot write {lock}: {reason(failure)}.") from failure
    with opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError:  # a file system without locks
            pass
        try:
            yield True
        finally:
            with suppress(OSError):
                os.unlink(lock)


def _hash(body: bytes, file: Path, version: str) -> str:
    """Hash a file's rows with its name, so that a renamed file is not mistaken for another fold's.

    The version that wrote the rows is included if the file states it.
    """
    name = f"{file.parent.name}/{file.name}{version and ' '}{version}".encode()
    return hashlib.sha256(name + b"\n" + body).hexdigest()


def _plain(settings: Any) -> dict[str, Any]:
    """Return a method's settings as JSON types, nested ones with the name of their type."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {"type": type(settings).__name__} | {
        name: _plain(value) if is_dataclass(value) else _number(value)
        for name, value in values.items()
    }


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
