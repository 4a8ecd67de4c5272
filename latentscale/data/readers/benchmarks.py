"""Descriptions of benchmarks from a TOML or JSON file, for tables that are read from files."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from latentscale.data.benchmarks import Benchmark
from latentscale.data.feature_declarations import declared_document
from latentscale.errors import DataError, listed, nearest
from latentscale.files import expanded

_KEYS = tuple(field.name for field in fields(Benchmark))


def read_benchmarks(path: str | Path) -> dict[str, Benchmark]:
    """Read descriptions of benchmarks from TOML, with one table per benchmark, or from JSON.

    Parameters
    ----------
    path
        For example::

            [arena]
            scale = "real"
            unit = "Elo"

            [mmlu]
            floor = 0.25
            n_items = 14042

    Returns
    -------
    dict
        `Benchmark` by name, as `Scores.from_frame` takes them. A file whose name ends in
        ``.json`` must hold an object of objects with the same keys.

    Raises
    ------
    DataError
        If the file cannot be read, is neither TOML nor JSON, or holds an unknown key or a
        forbidden value.

    Examples
    --------
    >>> import json
    >>> with open("benchmarks.json", "w") as file:
    ...     json.dump({"quiz": {"floor": 0.25, "n_items": 400}}, file)
    >>> ls.readers.read_benchmarks("benchmarks.json")["quiz"].floor
    0.25
    """
    document = declared_document(path)
    path = expanded(path, DataError)
    if not isinstance(document, dict):
        raise DataError(f"{path}: expected one table or object a benchmark, by its name.")
    return {name: _benchmark(path, name, about) for name, about in document.items()}


def _benchmark(path: Path, name: str, about: object) -> Benchmark:
    where = f'{path}, benchmark "{name}"'
    if not isinstance(about, dict):
        raise DataError(f'{where}: write a table [{name}] with keys such as floor; got "{about}".')
    for key in about:
        if key not in _KEYS:
            raise DataError(
                f'{where}: unknown key "{key}".{nearest(key, _KEYS)} Allowed: {listed(_KEYS, 20)}.'
            )
    try:
        return Benchmark(**about)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
