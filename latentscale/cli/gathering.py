"""The command that makes a table of scores from result files or from a leaderboard: gather."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from latentscale.cli.console import say
from latentscale.cli.options import Metadata, Source, TableOut, Verbose
from latentscale.cli.output import announce, print_table, save_scores
from latentscale.errors import DataError, listed

if TYPE_CHECKING:
    import pandas as pd

    from latentscale.data.readers import FlaggedReading
    from latentscale.data.scores import Scores


def gather(
    source: Source = None,
    hub: Annotated[
        bool, typer.Option("--hub", help="Fetch the leaderboard's table from the Hugging Face hub.")
    ] = False,
    metadata: Metadata = None,
    drop_unmatched: Annotated[
        bool, typer.Option("--drop-unmatched", help="Leave out models without metadata.")
    ] = False,
    flagged: Annotated[
        str,
        typer.Option(
            "--flagged",
            help='What the leaderboard\'s column "Flagged" means: auto, as-named, inverted, keep.',
        ),
    ] = "auto",
    out: TableOut = None,
    verbose: Verbose = False,
) -> None:
    """Make a table of scores from lm-evaluation-harness results or the Open LLM Leaderboard.

    The source knows scores but not families and training tokens. --metadata is a CSV or Parquet
    file with the columns model, family, params_b (billions) and tokens_t (trillions; empty if
    undisclosed), optionally lineage, instruct and released. Without it, what the source holds is
    shown.
    """
    announce([out], inputs=[source, metadata])
    if (source is None) == (not hub):
        raise DataError("Give either a SOURCE (a folder or a table) or --hub.")
    if metadata is None:
        if out is not None:
            raise DataError("--out needs --metadata: a table of scores names families and tokens.")
        _show(_found(source, _reading(flagged)))
        return
    from latentscale.data.readers import read_table

    scores = _scores(source, read_table(metadata), drop_unmatched, _reading(flagged))
    say(repr(scores))
    if out is None:
        say(str(scores.audit))
        return
    save_scores(scores, out)


def _is_results(source: Path) -> bool:
    return source.is_dir() or source.suffix.lower() == ".json"


def _reading(text: str) -> FlaggedReading:
    from latentscale.data.readers import FlaggedReading

    allowed: tuple[FlaggedReading, ...] = get_args(FlaggedReading)
    for reading in allowed:
        if text == reading:
            return reading
    raise DataError(f"--flagged {text} is not known; allowed are {listed(allowed)}.")


def _scores(
    source: Path | None, metadata: pd.DataFrame, drop_unmatched: bool, flagged: FlaggedReading
) -> Scores:
    from latentscale.data.readers import download_leaderboard, read_harness, read_leaderboard

    if source is not None and _is_results(source):
        return read_harness(source, metadata, drop_unmatched=drop_unmatched)
    table = download_leaderboard() if source is None else source
    return read_leaderboard(table, metadata, flagged=flagged, drop_unmatched=drop_unmatched)


def _found(source: Path | None, flagged: FlaggedReading) -> pd.DataFrame:
    """Return one row a model: its name and its scores, known benchmarks first."""
    from latentscale.data.benchmarks import KNOWN_BENCHMARKS
    from latentscale.data.readers import download_leaderboard, harness_table, leaderboard_table

    if source is None or not _is_results(source):
        contents = download_leaderboard() if source is None else source
        table = leaderboard_table(contents, flagged=flagged)
        return table[["model", *(name for name in KNOWN_BENCHMARKS if name in table)]]
    table = harness_table(source)
    wide = table.pivot(index="model", columns="benchmark", values="score").reset_index()
    known = [name for name in KNOWN_BENCHMARKS if name in wide]
    others = [name for name in wide if name != "model" and name not in known]
    return wide[["model", *known, *others]]


def _show(found: pd.DataFrame) -> None:
    print_table(found, "{:.4g}".format, empty="")
    say(
        f"\n{len(found)} models. To make a table of scores, say their family, params_b and "
        "tokens_t in a file for --metadata."
    )
