"""The command that writes the report on a fit: report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentscale.cli.console import say
from latentscale.cli.fits import fit_of_scores
from latentscale.cli.inputs import loaded, scores_of
from latentscale.cli.methods import Settings
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    FitOrSource,
    KeptFit,
    PageOut,
    PlannedRows,
    Prob,
    Seed,
    Verbose,
    is_fit,
)
from latentscale.cli.output import announce
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import DataError

if TYPE_CHECKING:
    pass


def report(
    source: FitOrSource,
    out: PageOut = Path("report.html"),
    spec: Annotated[
        str,
        typer.Option(
            "--spec",
            help="For scores: a shipped spec, or the path of a TOML file; auto is the one that "
            "latentscale spec-for gives for them.",
        ),
    ] = "auto",
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="For scores: how to fit, by a name that `latentscale methods` lists; auto is "
            "NUTS, and ADVI for many models.",
        ),
    ] = "auto",
    settings: Settings = None,
    draws: Annotated[
        int | None, typer.Option("--draws", help="For scores: draws kept, per chain for NUTS.")
    ] = None,
    keep: KeptFit = None,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    planned: PlannedRows = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            "--family", metavar="NAME", help="A family to draw; may be given several times."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page.")] = None,
    data_source: Annotated[
        str | None,
        typer.Option("--data-source", help="Where the scores come from; by default SOURCE."),
    ] = None,
    prob: Prob = DEFAULT_PROB,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Write everything that a fit says to one HTML page; scores are fitted first.

    SOURCE is a fit (a file .nc), or scores: a table as `latentscale fit` takes, the Open LLM
    Leaderboard's contents table, Epoch's hub, BenchPress, LiveBench, or the published table of
    another hub. Families and features that the source does not state are read from names; the
    printed audit says what was guessed.

    The page has a summary, forecasts, scaling curves, diagnostics, the data audit and the model. It
    needs no other file and no network. Without --planned, a next model of some families is forecast
    as an example: four times their largest or, where the fit uses no sizes, like their latest.
    """
    import latentscale as ls
    from latentscale.data.readers import read_planned

    announce([out, keep], inputs=[source, planned, features, benchmarks])
    rows = None if planned is None else read_planned(planned)
    if is_fit(source):
        if feature or features or benchmarks:
            raise DataError(
                "--feature, --features and --benchmarks describe scores; a fit has its own."
            )
        fitted = loaded(source)
    else:
        fitted = fit_of_scores(
            source,
            spec=spec,
            method=method,
            settings=settings,
            draws=draws,
            seed=seed,
            keep=keep,
            described=lambda: scores_of(source, False, feature, features, benchmarks),
        )
    ls.report(
        fitted,
        out,
        planned=rows,
        families=family,
        prob=prob,
        seed=seed,
        title=title,
        source=data_source or source.name,
        progress=True,
    )
    say(f"wrote {out}")
