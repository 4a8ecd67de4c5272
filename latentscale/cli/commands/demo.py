"""The command that forecasts hidden models of the bundled table: demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentscale.cli.console import say
from latentscale.cli.options import (
    Seed,
    Verbose,
)
from latentscale.cli.output import announce


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Folder for the results; created if it does not exist.")
    ] = Path("latentscale-demo"),
    draws: Annotated[
        int | None,
        typer.Option("--draws", help="Draws kept per chain; by default as many as in the study."),
    ] = None,
    tune: Annotated[int | None, typer.Option("--tune", help="Warm-up draws per chain.")] = None,
    chains: Annotated[int | None, typer.Option("--chains", help="Number of chains.")] = None,
    seed: Seed = 1,
    verbose: Verbose = False,
) -> None:
    """Forecast hidden models of the bundled table.

    The largest base model of every family with at least four base models is hidden. The
    recommended spec and a pooled baseline are fitted to the rest and forecast the hidden models;
    the output compares both with the measured scores.
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
