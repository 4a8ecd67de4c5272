"""The command that makes a table of scores from result files, leaderboards and hubs: gather."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, get_args

import typer

from latentscale.cli.console import say, with_options
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    Metadata,
    Source,
    TableOut,
    Verbose,
    table_output,
)
from latentscale.cli.output import announce, print_table, save_scores, save_table
from latentscale.errors import DataError, listed
from latentscale.files import is_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from latentscale.data.audit import Finding
    from latentscale.data.benchmarks import Benchmark
    from latentscale.data.features.base import Feature
    from latentscale.data.readers import FlaggedReading
    from latentscale.data.scores import Scores

_WANTED: Final = {
    "params_b": "billions of parameters",
    "tokens_t": "trillions of training tokens; empty where undisclosed",
    "released": "day of release",
}


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
    template: Annotated[
        Path | None,
        typer.Option(
            "--template",
            metavar="TABLE",
            help="Write a metadata file to complete, with what the source and the catalogue know "
            "about each model.",
            callback=table_output,
            readable=False,
        ),
    ] = None,
    out: TableOut = None,
    aside: Annotated[
        Path | None,
        typer.Option(
            "--aside",
            metavar="TABLE",
            help="Where to list files and models that cannot be used, with reasons; by default in "
            "the folder of --out.",
            callback=table_output,
            readable=False,
        ),
    ] = None,
    repeats: Annotated[
        str | None,
        typer.Option(
            "--repeats",
            help="For a published table with several rows for one score: take their mean, or the "
            "best (the lowest where lower is better).",
        ),
    ] = None,
    sources: Annotated[
        str | None,
        typer.Option(
            "--sources",
            help="For a published table with scores from several sources: merged, or apart (one "
            "benchmark per source, for specs with the term sources).",
        ),
    ] = None,
    tokens_per_step: Annotated[
        float | None,
        typer.Option(
            "--tokens-per-step",
            help="For training checkpoints: tokens per step, such as 2097152, where neither "
            "columns nor names of runs give them.",
        ),
    ] = None,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    verbose: Verbose = False,
) -> None:
    """Make a table of scores from result files, a leaderboard or a hub's table.

    A hub's table in its published form (LMArena, LiveBench, Epoch's hub and others: models, one
    column per benchmark, under any column names) needs nothing else: families are read from names,
    and the choices made are printed.

    Results of lm-evaluation-harness and the Open LLM Leaderboard have scores, but no families or
    training tokens. --metadata is a CSV or Parquet file with the columns model, family, params_b
    (billions) and tokens_t (trillions; empty if undisclosed), optionally lineage, instruct and
    released. --template writes such a file with what is known: complete it, and give it as
    --metadata. Models and result files that cannot be used are set aside with their reasons when a
    table is written. Without these options, the contents of the source are shown.
    """
    if aside is None and out is not None and metadata is not None and not is_stream(out):
        aside = out.with_name(f"{out.stem}.aside{out.suffix}")
    inputs = [source, metadata, features, benchmarks]
    announce([template, out, aside], inputs=inputs, models=True)
    if (source is None) == (not hub):
        raise DataError("Give either a SOURCE (a folder or a table) or --hub.")
    from latentscale.data.feature_declarations import stated_features
    from latentscale.data.readers import read_benchmarks

    about = None if benchmarks is None else read_benchmarks(benchmarks)
    stated = stated_features(feature, features) or None
    if source is not None and (tokens_per_step is not None or _names_its_models(source)):
        for_others = {
            "--metadata": metadata,
            "--template": template,
            "--aside": aside,
            "--drop-unmatched": drop_unmatched or None,
            "--flagged": None if flagged == "auto" else flagged,
        }
        _refuse_options(source, for_others)
        _gather_published(source, out, repeats, sources, tokens_per_step, stated, about)
        return
    if stated is not None:
        raise DataError(
            "--feature and --features are for a table that describes its models; for results of "
            "lm-evaluation-harness and the Open LLM Leaderboard, add known features, such as "
            "released, as columns of --metadata."
        )
    if repeats is not None or sources is not None:
        raise DataError("--repeats and --sources are for a hub's table; leave them out.")
    if benchmarks is not None and metadata is None:
        raise DataError("--benchmarks describes a table of scores, which needs --metadata here.")
    if template is not None:
        if metadata is not None:
            raise DataError("--template makes the file for --metadata; give one of the two.")
        _write_template(source, _reading(flagged), template, aside)
        return
    if metadata is None:
        if out is not None:
            raise DataError("--out needs --metadata: a table of scores names families and tokens.")
        _print_models(_scores_of_models(source, _reading(flagged)))
        return
    from latentscale.data.readers import read_table

    scores = _scores(
        source, read_table(metadata), drop_unmatched, out is not None, _reading(flagged), about
    )
    say(repr(scores))
    if out is None:
        say(with_options(str(scores.audit)))
        return
    save_scores(scores, out)
    _save_aside(scores.audit.findings, aside)


def _names_its_models(source: Path) -> bool:
    """Return whether a source's model names say enough: for all but these two sources."""
    from latentscale.data.readers import read_leaderboard, read_table
    from latentscale.data.readers.sources import is_harness, reader_of_path, reader_of_table

    if not source.exists() or is_stream(source) or is_harness(source):
        return False
    if reader_of_path(source) is not None:
        return True
    return reader_of_table(read_table(source)) is not read_leaderboard


def _refuse_options(source: Path, options: Mapping[str, object]) -> None:
    """Refuse options that do nothing for a source which names its models."""
    given = [option for option, value in options.items() if value is not None]
    if given:
        raise DataError(
            f"{source}: families are read from the model names of this source, and options for "
            "results of lm-evaluation-harness and the Open LLM Leaderboard have no effect; leave "
            f"out {listed(given)}. To name families yourself, write the table with --out and "
            "correct its column family."
        )


def _gather_published(
    source: Path,
    out: Path | None,
    repeats: str | None,
    sources: str | None,
    tokens_per_step: float | None,
    features: Sequence[str | Feature] | None,
    benchmarks: Mapping[str, Benchmark] | None,
) -> None:
    """Read a hub's table or checkpoints, say what was decided, and write a table of scores."""
    from latentscale.data.readers import read_checkpoints, read_published, read_scores, read_table
    from latentscale.data.readers.published.read import is_published
    from latentscale.errors import DataWarning

    if tokens_per_step is not None and features is not None:
        raise DataError(
            f"{source}: training checkpoints are read with size and tokens alone; leave out "
            "--feature and --features, or write the table with --out, add the column there, and "
            "give them to the commands that read it."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # repeated in the audit printed below
        if tokens_per_step is not None and repeats is None and sources is None:
            scores = read_checkpoints(
                source, tokens_per_step=tokens_per_step, benchmarks=benchmarks
            )
        elif repeats is None and sources is None:
            scores = read_scores(source, features=features, benchmarks=benchmarks)
        elif tokens_per_step is None and source.is_file() and is_published(read_table(source)):
            scores = read_published(
                source,
                repeats=repeats or "mean",
                sources=sources or "merged",
                features=features,
                benchmarks=benchmarks,
            )
        else:
            raise DataError(
                f"{source}: --repeats and --sources are for a published table in one file."
            )
    say(f"{scores!r}\n{scores.audit}")
    if out is not None:
        save_scores(scores, out)


def _write_template(
    source: Path | None, flagged: FlaggedReading, path: Path, aside: Path | None
) -> None:
    """Write what is known about the source's models, and say what is missing."""
    from latentscale.data.readers import download_leaderboard
    from latentscale.data.readers.template import CONFIDENCE, template_and_findings

    contents: Path | pd.DataFrame = download_leaderboard() if source is None else source
    table, findings = template_and_findings(contents, flagged)
    save_table(table, path, "models")
    for name, what in _WANTED.items():
        empty = int(table[name].isna().sum())
        if empty:
            say(f"{name} ({what}) is empty for {empty} of {len(table)} models")
    counts = table["family_confidence"].value_counts()
    sure = ", ".join(f"{name} {counts[name]}" for name in CONFIDENCE.values() if name in counts)
    say(f"families are guessed; confidence: {sure}")
    say(
        "fine-tunes of one base model form one family; to make all sizes of a series one family, "
        "copy the column catalogue_family or lineage to family"
    )
    _save_aside(findings, aside)


def _save_aside(findings: Iterable[Finding], path: Path | None) -> None:
    """Write what was set aside and why; report it even if no file is given for it."""
    import pandas as pd

    from latentscale.data.audit import SET_ASIDE

    left = [(finding.where, finding.message) for finding in findings if finding.code == SET_ASIDE]
    if not left:
        return
    if path is None:
        for where, message in left:
            say(f"{where}: {message}", err=True)
        return
    save_table(pd.DataFrame(left, columns=["what", "reason"]), path, "files or models set aside")


def _reading(text: str) -> FlaggedReading:
    from latentscale.data.readers import FlaggedReading

    allowed: tuple[FlaggedReading, ...] = get_args(FlaggedReading)
    for reading in allowed:
        if text == reading:
            return reading
    raise DataError(f"--flagged {text} is not known; allowed are {listed(allowed)}.")


def _scores(
    source: Path | None,
    metadata: pd.DataFrame,
    drop_unmatched: bool,
    set_aside: bool,
    flagged: FlaggedReading,
    benchmarks: Mapping[str, Benchmark] | None,
) -> Scores:
    from latentscale.data.readers import download_leaderboard, read_harness, read_leaderboard
    from latentscale.data.readers.template import is_results

    if source is not None and is_results(source):
        return read_harness(
            source,
            metadata,
            drop_unmatched=drop_unmatched,
            set_aside=set_aside,
            benchmarks=benchmarks,
        )
    table = download_leaderboard() if source is None else source
    return read_leaderboard(
        table,
        metadata,
        flagged=flagged,
        drop_unmatched=drop_unmatched,
        set_aside=set_aside,
        benchmarks=benchmarks,
    )


def _scores_of_models(source: Path | None, flagged: FlaggedReading) -> pd.DataFrame:
    """Return one row per model: its name and its scores, known benchmarks first."""
    from latentscale.data.benchmarks import KNOWN_BENCHMARKS
    from latentscale.data.readers import download_leaderboard, harness_table, leaderboard_table
    from latentscale.data.readers.template import is_results

    if source is None or not is_results(source):
        contents = download_leaderboard() if source is None else source
        table = leaderboard_table(contents, flagged=flagged)
        return table[["model", *(name for name in KNOWN_BENCHMARKS if name in table)]]
    table = harness_table(source)
    wide = table.pivot(index="model", columns="benchmark", values="score").reset_index()
    known = [name for name in KNOWN_BENCHMARKS if name in wide]
    others = [name for name in wide if name != "model" and name not in known]
    return wide[["model", *known, *others]]


def _print_models(table: pd.DataFrame) -> None:
    print_table(table, "{:.4g}".format, empty="")
    say(
        f"\n{len(table)} models. To make a table of scores, give their family, params_b and "
        "tokens_t in a file for --metadata; --template writes one with what is known."
    )
