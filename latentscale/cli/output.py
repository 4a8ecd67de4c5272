"""Output of commands: tables, figures, and notes about files that are replaced."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latentscale.cli.console import say, warn, with_options
from latentscale.cli.stops import saving
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import LatentscaleError

if TYPE_CHECKING:
    import pandas as pd

    from latentscale.data.scores import Scores
    from latentscale.posterior.fit import Fit
    from latentscale.result import Drawing, Result

SCREEN = Path("/dev/stdout")
"""Prints a table as it would be written."""
_HEAD = 2**16
"""Characters of a table's first line that are read: names of a thousand columns."""
_ANSWERED = frozenset(("lower", "upper", "median", "pareto_k", "crps", "probability", "change"))
"""Columns of tables of results, which new results may replace."""


def announce(
    outputs: Sequence[Path | None], inputs: Sequence[Path | None] = (), *, models: bool = False
) -> None:
    """Check the files to write against each other and against what is read.

    Says on standard error which files exist and will be replaced.

    Parameters
    ----------
    outputs, inputs
        Files to write, and files that are read.
    models
        Whether tables of models are written, which may replace another one.

    Raises
    ------
    LatentscaleError
        If a file to write is also read, is named twice, or holds a table of models (scores, or
        rows to forecast) that an answer would replace.
    """
    written = [path for path in outputs if path is not None]
    for place, path in enumerate(written):
        if str(path) == "-":
            raise LatentscaleError(f'Cannot write "-": name a file, or {SCREEN} to print it.')
        if any(_same(path, other) for other in inputs if other is not None):
            raise LatentscaleError(
                f"Cannot write {path}: it is read by this command. Give another name."
            )
        if any(_same(path, other) for other in written[:place]):
            raise LatentscaleError(f"Cannot write {path} twice. Give two names.")
        if not models and _holds_models(path):
            raise LatentscaleError(
                f"Cannot write {path}: it holds a table of models, with the columns model and "
                "family, which this would replace. Give another name, or remove that file."
            )
    for path in written:
        if path.is_file() and path != SCREEN:
            say(f"{path} exists and will be replaced", err=True)


def _holds_models(path: Path) -> bool:
    """Return whether a file is a CSV or TSV table of models, and not a command's result."""
    if not path.is_file() or path.suffix.lower() not in (".csv", ".tsv", ".tab"):
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        head = file.readline(_HEAD)
    names = {name.strip().strip('"') for name in re.split(r"[,;\t]", head)}
    return {"model", "family"} <= names and not names & _ANSWERED


def print_table(table: pd.DataFrame, form: Callable[[float], str], empty: str = "NaN") -> None:
    """Print a table, one line per row at any width of the terminal; nothing is cut."""
    import pandas as pd

    # Chinese and Japanese characters are two columns wide, in terminals too.
    with pd.option_context("display.unicode.east_asian_width", True, "display.max_colwidth", None):
        say(table.to_string(index=False, float_format=form, na_rep=empty))


def save_table(table: pd.DataFrame, path: Path, what: str = "rows") -> None:
    """Write a table and say so."""
    from latentscale.data.table_files import quoted, write_table

    written = f"wrote {path}: {len(table)} {what}"
    if path == SCREEN and sys.stdout is not None:  # which the shell may be appending to a file
        sys.stdout.write(quoted(table).to_csv(index=False))
        say(written, err=True)
        return
    write_table(table, path)
    say(written)


def save_scores(scores: Scores, path: Path) -> None:
    """Write a table of scores, with the file that belongs to it, and say so."""
    from latentscale.data.saving import is_wide

    if path == SCREEN:
        save_table(scores.to_frame() if is_wide(scores) else scores.to_long(), path)
        return
    table, *others = scores.save(path)
    say(f"wrote {table}: {len(scores.models)} models")
    for other in others:
        say(f"wrote {other}, which is read with the table")


def save_fit(fit: Fit, path: Path) -> None:
    """Write a fit, and say what it is, how far to trust it, and where it is."""
    with saving():
        fit.save(path)
        say(f"{fit!r}")
        for line in fit.status.advice:
            warn(line)
        say(f"wrote {path}")


def save_figure(figure: Drawing, path: Path) -> None:
    """Write a figure and say so."""
    figure.savefig(path)
    say(f"wrote {path}")


def _same(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.is_file() and path.samefile(other)
    return path.resolve() == other.resolve()


def finish(
    result: Result | pd.DataFrame,
    *,
    prob: float | None = None,
    table: Path | None = None,
    figure: Path | None = None,
) -> None:
    """Print a verb's answer, and write its table and its figure.

    Parameters
    ----------
    result
        What the verb returned.
    prob
        Probability of the table's intervals; None for the result's own.
    table, figure
        Files to write; without `table` the rows that matter most are printed.
    """
    if hasattr(result, "headline"):
        from latentscale.markup import on_screen

        advice = [f"  - {with_options(text)}" for text in getattr(result, "advice", ())]
        for line in (result.headline, *advice):
            say(line)
        rows = result.table() if prob is None else result.table(prob)
        # A brief has the default interval.
        shown = result.brief() if prob in (None, DEFAULT_PROB) else on_screen(rows)
    else:
        rows = shown = result
    if table is not None:
        save_table(rows.reset_index() if rows.index.name else rows, table)
    elif shown is not None and len(shown):
        print_table(shown, "{:.4g}".format)
    if figure is not None:
        save_figure(result.plot(), figure)  # type: ignore[union-attr]
