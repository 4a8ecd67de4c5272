"""The commands that show what there is: demo, data, specs, spec-for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from latentscale.cli.console import say, with_options
from latentscale.cli.inputs import scores_of
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    Published,
    ScoresArgument,
    Seed,
    TableOut,
    Verbose,
)
from latentscale.cli.output import announce, print_table, save_scores
from latentscale.cli.suiting import AUTO, suited
from latentscale.errors import DataWarning


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Folder for the results; made if it is not there.")
    ] = Path("latentscale-demo"),
    draws: Annotated[
        int | None,
        typer.Option("--draws", help="Kept draws of each chain; those of the study if not given."),
    ] = None,
    tune: Annotated[int | None, typer.Option("--tune", help="Warm-up draws of each chain.")] = None,
    chains: Annotated[int | None, typer.Option("--chains", help="Number of chains.")] = None,
    seed: Seed = 1,
    verbose: Verbose = False,
) -> None:
    """Forecast hidden models of the bundled table.

    The largest base model of every family with at least four base models is hidden. The
    recommended spec and a pooled baseline are fitted to the rest and forecast what is hidden;
    the output sets both beside what was measured.
    """
    from dataclasses import replace

    from latentscale.demo import FILES, METHOD, results_folder, run_demo

    method = replace(
        METHOD,
        draws=METHOD.draws if draws is None else draws,
        tune=METHOD.tune if tune is None else tune,
        chains=METHOD.chains if chains is None else chains,
    )
    folder = results_folder(folder)
    announce([folder / name for name in FILES], models=True)
    run_demo(folder, method=method, seed=seed, echo=say)


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

    --out also writes the table as it was understood.
    """
    announce([out], inputs=[csv, features, benchmarks], models=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the audit, printed below, says it all
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
        bool, typer.Option("--toml", help="Print its TOML file, to be changed and given as --spec.")
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
        typer.Option("--spec", help="A shipped spec, in place of the one that the table suits."),
    ] = AUTO,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    published: Published = False,
    verbose: Verbose = False,
) -> None:
    """Show the spec that a table has the data for, and why: what --spec auto of fit takes.

    Nothing is fitted.
    """
    announce([], inputs=[csv, features, benchmarks])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the table's audit is printed by fit
        table = scores_of(csv, published, feature, features, benchmarks)
    say(f"{table!r}\n")
    chosen = suited(spec, table)
    say(f"\n{chosen}")
