"""Options that several commands share, with checks of paths before any work starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from latentscale.dims import interval_quantiles
from latentscale.errors import DataError, FitError, LatentscaleError
from latentscale.files import (
    FIGURE_ENDINGS,
    PAGE_ENDINGS,
    checked_ending,
    expanded,
    is_stream,
    writable_path,
)

FIT_ENDING: Final = ".nc"
"""How files of fits are named."""


def is_fit(path: Path) -> bool:
    """Return whether a path is named as a fit."""
    return path.suffix.lower() == FIT_ENDING


def fit_or_source(path: Path) -> Path:
    """Return the path of a fit, or of scores, which may be a pipe.

    Raises
    ------
    LatentscaleError
        If it is a fit in a pipe.
    """
    path = expanded(path, DataError)
    return existing_fit(path) if is_fit(path) else path


def probability(prob: float) -> float:
    """Return a probability, refusing values that are not strictly between 0 and 1."""
    try:
        interval_quantiles(prob)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return prob


def existing_input(path: Path | None) -> Path | None:
    """Return the path of a file to read, which is opened later, with ``~`` expanded."""
    return None if path is None else expanded(path, DataError)


def existing_fit(path: Path) -> Path:
    """Return the path of a fit to read, refusing a pipe or a device."""
    path = expanded(path, FitError)
    if is_stream(path):
        raise FitError(f"{path} is a pipe or device; a fit is read from a file. Give its path.")
    return path


def existing_run(path: Path) -> Path:
    """Return the path of a folder of draws, once it is clear that it is one."""
    from latentscale.posterior.folder import unverified_header

    path = expanded(path, FitError)
    unverified_header(path)
    return path


def fit_output(path: Path | None) -> Path | None:
    """Return the path of a fit to write, once it is clear that it can be written."""
    if path is None:
        return None
    path = writable_path(path, FitError)
    if is_stream(path):
        raise FitError(f"Cannot write {path}: it is a pipe or device; a fit is written to a file.")
    return path


def table_output(path: Path | None) -> Path | None:
    """Return the path of a table to write, once it is clear that it can be written.

    Raises
    ------
    LatentscaleError
        If the ending is not a table's, or the path cannot be written to.
    """
    if path is None:
        return None
    from latentscale.data.table_files import checked_table_path

    return checked_table_path(writable_path(path, DataError))


def figure_output(path: Path | None) -> Path | None:
    """Return the path of a figure to write, once it is clear that it can be written.

    Raises
    ------
    LatentscaleError
        If the ending is not a figure's, or the path cannot be written to.
    """
    if path is None:
        return None
    path = writable_path(path, LatentscaleError)
    if is_stream(path) and not path.suffix:  # such as >(command): PNG
        return path
    return checked_ending(path, FIGURE_ENDINGS, "a figure", LatentscaleError)


def _page_output(path: Path) -> Path:
    path = writable_path(path, FitError)
    return checked_ending(path, PAGE_ENDINGS, "a page", FitError)


def _read(option: str, metavar: str, about: str) -> Any:
    """Return the option of a file that is read."""
    return typer.Option(option, metavar=metavar, help=about, callback=existing_input)


def _read_first(metavar: str, about: str, callback: Callable[..., Any] = existing_input) -> Any:
    """Return the argument, without an option's name, of a file that is read."""
    return typer.Argument(metavar=metavar, help=about, callback=callback)


def _written(option: str, metavar: str, about: str, callback: Callable[..., Any]) -> Any:
    """Return the option of a file that is written."""
    return typer.Option(option, metavar=metavar, help=about, callback=callback, readable=False)


_PLANNED: Final = "Models to forecast, one per row (CSV or Parquet)."
_SCORES: Final = "Table of scores (CSV or Parquet); by default the bundled one."
_TABLE: Final = "Table to write: .csv, .tsv or .parquet."

Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", help="Show tracebacks, and the warnings and logs of the libraries used."
    ),
]
FitFile = Annotated[
    Path, _read_first("FIT.nc", "A fit that `latentscale fit` wrote.", existing_fit)
]
Fits = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]FIT.nc", help="Two fits or more; by default each is named after its file."
    ),
]
FitOrSource = Annotated[
    Path,
    _read_first(
        "SOURCE",
        "A fit that `latentscale fit` wrote, or scores: a table or a published source.",
        fit_or_source,
    ),
]
KeptFit = Annotated[
    Path | None, _written("--keep", "FIT.nc", "For scores: file to write the fit to.", fit_output)
]
FitOut = Annotated[Path, _written("--out", "FIT.nc", "File to write.", fit_output)]
Rows = Annotated[Path, _read_first("ROWS.csv", _PLANNED)]
PlannedRows = Annotated[Path | None, _read("--planned", "ROWS.csv", _PLANNED)]
StackedRows = Annotated[Path, _read("--rows", "ROWS.csv", _PLANNED)]
ScoresFile = Annotated[Path | None, _read("--scores", "TABLE", _SCORES)]
ScoresArgument = Annotated[Path | None, _read_first("TABLE", _SCORES)]
BenchmarkNames = Annotated[
    list[str] | None,
    typer.Option(
        "--benchmark",
        metavar="BENCHMARK",
        help="A benchmark; may be given several times; all by default.",
    ),
]
BenchmarksFile = Annotated[
    Path | None,
    _read(
        "--benchmarks",
        "BENCHMARKS.toml",
        "Scale, floor, items and other properties of the table's benchmarks, one TOML table each.",
    ),
]
Features = Annotated[
    list[str] | None,
    typer.Option(
        "--feature",
        metavar="COLUMN[:HOW]",
        help="A column of the table that describes models, such as released, context_k:log, "
        "tier:mini<flash<pro or provider:reference; may be given several times.",
    ),
]
FeaturesFile = Annotated[
    Path | None,
    _read(
        "--features",
        "FILE",
        "Declarations of such columns: TOML tables [[features]], or a JSON list.",
    ),
]
Source = Annotated[
    Path | None,
    _read_first(
        "SOURCE",
        "Folder of lm-evaluation-harness results, the leaderboard's contents table, or a table, "
        "folder or zip of a hub.",
    ),
]
Metadata = Annotated[
    Path | None,
    _read("--metadata", "TABLE", "Family, size and tokens of the models (CSV or Parquet)."),
]
TableOut = Annotated[Path | None, _written("--out", "TABLE", _TABLE, table_output)]
SecondTableOut = Annotated[Path | None, _written("--csv", "TABLE", _TABLE, table_output)]
FigureOut = Annotated[
    Path | None,
    _written("--out", "FIGURE", "Figure to write: .png, .svg, .pdf and others.", figure_output),
]
PageOut = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="HTML", help="Page to write.", callback=_page_output, readable=False
    ),
]
Prob = Annotated[
    float,
    typer.Option("--prob", callback=probability, help="Probability of the intervals."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the random numbers.")]
Published = Annotated[
    bool,
    typer.Option(
        "--published",
        help="Use the bundled table as published, without corrections to sizes and tokens.",
    ),
]
Refit = Annotated[
    bool,
    typer.Option(
        "--refit",
        help="Where importance weights are degenerate, fit the given scores as well, with NUTS.",
    ),
]
