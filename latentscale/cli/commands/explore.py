"""The command that serves the planner: explore."""

from __future__ import annotations

from typing import Annotated

import typer

from latentscale.cli.console import say
from latentscale.cli.inputs import loaded
from latentscale.cli.options import FitFile, Prob, Seed, Verbose
from latentscale.dims import DEFAULT_PROB


def explore(
    fit_file: FitFile,
    prob: Prob = DEFAULT_PROB,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")
    ] = 0,
    show: Annotated[bool, typer.Option("--show/--no-show", help="Open a browser.")] = True,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Serve a page on which a planned model is described and forecast.

    It is served only on this machine, and needs no network. Ctrl-C stops it.
    """
    from latentscale.explore.serve import serve

    fit = loaded(fit_file)
    server = serve(fit, port=port, prob=prob, seed=seed, show=show)
    say(f"The planner of {fit_file} is at http://127.0.0.1:{server.port}; press Ctrl-C to stop it.")
    server.start()
    server.io_loop.start()
