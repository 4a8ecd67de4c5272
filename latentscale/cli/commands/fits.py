"""The commands that make fits: fit, resume; and scores from a spec: simulate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentscale.cli.console import say
from latentscale.cli.fits import AUTO, suited
from latentscale.cli.inputs import scores_of
from latentscale.cli.methods import MethodName, Settings, chosen_method
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    FitOut,
    Published,
    ScoresFile,
    Seed,
    TableOut,
    Verbose,
    existing_run,
)
from latentscale.cli.output import (
    announce,
    print_table,
    save_fit,
    save_scores,
)

if TYPE_CHECKING:
    pass

_Spec = Annotated[str, typer.Option("--spec", help="A shipped spec, or the path of a TOML file.")]


def fit(
    spec: Annotated[
        str,
        typer.Option(
            "--spec",
            help="A shipped spec, or the path of a TOML file; auto is the one that latentscale "
            "spec-for gives for the table.",
        ),
    ] = "latentscale",
    scores: ScoresFile = None,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    published: Published = False,
    out: FitOut = Path("fit.nc"),
    method: MethodName = "NUTS",
    settings: Settings = None,
    draws: Annotated[
        int | None, typer.Option("--draws", help="Draws kept, per chain if the method has chains.")
    ] = None,
    tune: Annotated[int | None, typer.Option("--tune", help="Warm-up draws per chain.")] = None,
    chains: Annotated[int | None, typer.Option("--chains", help="Number of chains.")] = None,
    seed: Seed = 0,
    backend: Annotated[
        str | None, typer.Option("--backend", help="For NUTS: nutpie, nutpie-jax, numpyro or pymc.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Fit a spec to a table of scores and save the fit.

    The table is a CSV or Parquet file with the columns model and family, the
    features that the spec needs, such as params_b (billions), tokens_t (trillions; empty if
    undisclosed), instruct or released, optionally lineage, and one column of fractions per
    benchmark; or one row per score with the columns benchmark and score. --feature names other
    columns that describe models, and --benchmarks says which columns are not fractions, with floors
    and units. Ctrl-C while chains are sampled saves the draws so far.
    """
    import latentscale as ls

    announce([out], inputs=[scores, features, benchmarks])
    options = {"draws": draws, "tune": tune, "chains": chains, "backend": backend}
    how = chosen_method(method, settings, options)
    named = None if spec == AUTO else ls.load_spec(spec)
    table = scores_of(scores, published, feature, features, benchmarks)
    model = named or suited(spec, table)
    result = ls.fit(model, table, method=how, seed=seed)
    save_fit(result, out)


def resume(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder that `latentscale fit --set store=RUN` wrote its draws to.",
            callback=existing_run,
        ),
    ],
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            help="Draws kept per chain in the end; by default as many as were first asked for.",
        ),
    ] = None,
    out: FitOut = Path("fit.nc"),
    verbose: Verbose = False,
) -> None:
    """Continue a stopped run, and save the fit.

    The folder has the draws that NUTS saved while sampling; they are kept. Ctrl-C while chains are
    sampled keeps the draws so far.
    """
    import latentscale as ls

    announce([out])
    result = ls.resume(folder, draws=draws)
    save_fit(result, out)


def simulate(
    spec: _Spec = "latentscale",
    scores: ScoresFile = None,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    published: Published = False,
    out: TableOut = None,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Draw parameters from a spec's prior, and a table of scores from them.

    Models, covariates and the pattern of measured cells come from the given table; its scores are
    replaced. Without --out the table's benchmarks are summarised.
    """
    import latentscale as ls

    announce([out], inputs=[scores, features, benchmarks], models=True)
    table = scores_of(scores, published, feature, features, benchmarks)
    simulated = ls.simulate(ls.load_spec(spec), table, seed=seed)
    if out is not None:
        save_scores(simulated.scores, out)
        return
    say(f"{simulated.scores!r}")
    print_table(simulated.scores.benchmark_table(), "{:.4g}".format, empty="")
