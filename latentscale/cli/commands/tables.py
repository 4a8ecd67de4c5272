"""The commands on tables and specs: data, specs, spec-for."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from latentscale.cli.console import say, with_options
from latentscale.cli.fits import AUTO, suited
from latentscale.cli.inputs import scores_of
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    Published,
    ScoresArgument,
    TableOut,
    Verbose,
)
from latentscale.cli.output import announce, print_table, save_scores
from latentscale.errors import DataWarning


def data(
    csv: ScoresArgument = None,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    published: Published = False,
    out: TableOut = None,
    verbose: Verbose = False,
) -> None:
    """Check a table of scores and show what it holds.

    --out also writes the table as it was read.
    """
    announce([out], inputs=[csv, features, benchmarks], models=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # repeated in the audit printed below
        table = scores_of(csv, published, feature, features, benchmarks)
    say(f"{table!r}\n")
    print_table(table.benchmark_table(), "{:.4g}".format, empty="")
    say("\nFeatures of models")
    print_table(table.feature_table(), "{:.4g}".format)
    say("\nAudit")
    say(with_options(str(table.audit)))
    if out is not None:
        say("")
        save_scores(table, out)


def specs(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A shipped spec, or a TOML file's path.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole spec as JSON.")] = False,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print its TOML file, to edit and pass as --spec.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """List the shipped model specs, or show one."""
    from latentscale.declare.io import load_spec, shipped_specs, spec_text

    if name is None:
        width = max(len(known) for known in shipped_specs())
        for known in shipped_specs():
            say(f"{known:<{width}}  {load_spec(known).description}")
        return
    spec = load_spec(name)
    if as_toml:
        say(spec_text(name).rstrip())
        return
    if as_json:
        import json

        say(json.dumps(spec.to_dict(), indent=2))
        return
    for line in (str(spec), "", spec.description, *spec.sources):
        say(line)


def spec_for(
    csv: ScoresArgument = None,
    spec: Annotated[
        str,
        typer.Option("--spec", help="A shipped spec, instead of the one that suits the table."),
    ] = AUTO,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    published: Published = False,
    verbose: Verbose = False,
) -> None:
    """Show which spec suits a table's data, and why: the choice of fit --spec auto.

    Nothing is fitted.
    """
    announce([], inputs=[csv, features, benchmarks])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the table's audit is printed by fit
        table = scores_of(csv, published, feature, features, benchmarks)
    say(f"{table!r}\n")
    chosen = suited(spec, table)
    say(f"\n{chosen}")
