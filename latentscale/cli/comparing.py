"""Commands on several fits, or that make a fit of a fit: compare, stack, align."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentscale.cli.console import say
from latentscale.cli.inputs import fits_by_name, loaded, numbers_by_name
from latentscale.cli.options import (
    FigureOut,
    FitFile,
    Prob,
    SecondTableOut,
    Seed,
    TableOut,
    Verbose,
    existing_fit,
    existing_input,
    fit_output,
)
from latentscale.cli.output import SCREEN, announce, finish, print_table, save_table
from latentscale.dims import DEFAULT_PROB

Fits = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]FIT.nc", help="Two fits or more; the name is the file's if none is given."
    ),
]


def compare(
    fits: Fits,
    out: FigureOut = None,
    csv: SecondTableOut = None,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Compare fits of the same scores by their leave-one-out densities.

    The table holds each model's log density, its difference from the best with a standard error,
    its weight in a stacked forecast, and the scores whose Pareto k is too high.
    """
    import latentscale as ls

    paths = {name: existing_fit(path) for name, path in fits_by_name(fits).items()}
    announce([out, csv], inputs=list(paths.values()))
    result = ls.compare({name: loaded(path) for name, path in paths.items()}, seed=seed)
    finish(result, table=csv, figure=out)


def stack(
    fits: Fits,
    rows: Annotated[
        Path,
        typer.Option(
            "--rows",
            metavar="ROWS.csv",
            help="Models to forecast, one a row (CSV or Parquet).",
            callback=existing_input,
        ),
    ],
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="NAME=NUMBER",
            help="Weight of each fit; those of stacking if none is given.",
        ),
    ] = None,
    out: TableOut = None,
    prob: Prob = DEFAULT_PROB,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Forecast models' scores with a mixture of fits.

    Without --weight the weights are those that `latentscale compare` gives: they maximise the
    leave-one-out density of the mixture. The table is that of `latentscale predict`.
    """
    import latentscale as ls
    from latentscale.analysis.tools.units import units_note
    from latentscale.data.readers import read_table
    from latentscale.markup import on_screen

    paths = {name: existing_fit(path) for name, path in fits_by_name(fits).items()}
    announce([out], inputs=[rows, *paths.values()])
    frame = read_table(rows)
    opened = {name: loaded(path) for name, path in paths.items()}
    given = numbers_by_name(weight, "--weight")
    weights = given if isinstance(given, dict) else ls.compare(opened, seed=seed).weights
    forecast = ls.stack(opened, frame, weights, seed=seed)
    table = forecast.table(prob)
    shares = ", ".join(f"{name} {share:.3g}" for name, share in weights.items())
    if forecast.conditioning is not None:  # on standard error where the table is what is printed
        say(forecast.conditioning.headline, err=out == SCREEN)
    if out is not None:
        say(f"weights: {shares}", err=out == SCREEN)
        save_table(table, out)
        return
    units = units_note(forecast.units, dict.fromkeys(table["benchmark"]))
    say(f"weights: {shares}; lower, upper: {prob:.4g} interval of a new score{units}")
    print_table(on_screen(table), "{:.3f}".format)


def align(
    fit_file: FitFile,
    rotation: Annotated[
        str | None,
        typer.Option(
            "--rotation",
            help="How the common loadings are rotated, such as varimax or oblimin; an unknown "
            "name is answered with all. Principal axes if none.",
        ),
    ] = None,
    match: Annotated[
        str, typer.Option("--match", help="How draws are matched: rotation or permutation.")
    ] = "rotation",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FIT.nc", help="Aligned fit to write.", callback=fit_output),
    ] = None,
    csv: SecondTableOut = None,
    prob: Prob = DEFAULT_PROB,
    verbose: Verbose = False,
) -> None:
    """Give the skills of every draw the same meaning, and save the aligned fit.

    For fits whose skills are free to rotate. The table holds the aligned loadings; other commands,
    such as `latentscale skills`, take the aligned fit.
    """
    import latentscale as ls
    from latentscale.analysis.skills.rotations import rotations_by_name
    from latentscale.errors import SpecError
    from latentscale.validate import choice

    kinds = rotations_by_name()
    if rotation is not None:
        choice(rotation, "--rotation", kinds, error=SpecError)
    announce([out, csv], inputs=[fit_file])
    turned = None if rotation is None else kinds[rotation]()
    result = ls.align(loaded(fit_file), match=match, rotation=turned)  # type: ignore[arg-type]
    finish(result, prob=prob, table=csv)
    if out is not None:
        result.fit.save(out)
        say(f"wrote {out}")
