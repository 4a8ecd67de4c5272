"""What commands print and write: tables, figures, and a word about files that are replaced."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latentscale.cli.console import say
from latentscale.errors import LatentscaleError

if TYPE_CHECKING:
    import pandas as pd

    from latentscale.plots.style import Sheet

_SCREEN = Path("/dev/stdout")


def announce(outputs: Sequence[Path | None], inputs: Sequence[Path | None] = ()) -> None:
    """Check the files to write against each other and against what is read.

    Says on standard error which files are there already and will be replaced.

    Raises
    ------
    LatentscaleError
        If a file to write is also read, or is named twice.
    """
    written = [path for path in outputs if path is not None]
    for place, path in enumerate(written):
        if any(_same(path, other) for other in inputs if other is not None):
            raise LatentscaleError(
                f"Cannot write {path}: it is read by this command. Give another name."
            )
        if any(_same(path, other) for other in written[:place]):
            raise LatentscaleError(f"Cannot write {path} twice. Give two names.")
    for path in written:
        if path.is_file() and path != _SCREEN:
            say(f"{path} exists and will be replaced", err=True)


def print_table(table: pd.DataFrame, form: Callable[[float], str], empty: str = "NaN") -> None:
    """Print a table, one line a row whatever the width of the terminal; nothing is cut."""
    import pandas as pd

    # Chinese and Japanese characters are two columns wide, in terminals too.
    with pd.option_context("display.unicode.east_asian_width", True, "display.max_colwidth", None):
        say(table.to_string(index=False, float_format=form, na_rep=empty))


def save_table(table: pd.DataFrame, path: Path, what: str = "rows") -> None:
    """Write a table and say so."""
    from latentscale.data.tables import quoted, write_table

    written = f"wrote {path}: {len(table)} {what}"
    if path == _SCREEN and sys.stdout is not None:  # which the shell may be appending to a file
        sys.stdout.write(quoted(table).to_csv(index=False))
        say(written, err=True)
        return
    write_table(table, path)
    say(written)


def save_figure(figure: Sheet, path: Path) -> None:
    """Write a figure and say so."""
    figure.savefig(path)
    say(f"wrote {path}")


def _same(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.is_file() and path.samefile(other)
    return path.resolve() == other.resolve()
