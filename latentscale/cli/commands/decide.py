"""The commands on skills, budgets and priors: skills, align, allocate, elicit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentscale.cli.console import say
from latentscale.cli.inputs import loaded
from latentscale.cli.options import (
    FigureOut,
    FitFile,
    Prob,
    SecondTableOut,
    Verbose,
    fit_output,
    probability,
)
from latentscale.cli.output import announce, finish, print_table, save_figure, save_table
from latentscale.dims import DEFAULT_PROB

if TYPE_CHECKING:
    import pandas as pd


def skills(
    fit_file: FitFile,
    out: FigureOut = None,
    csv: SecondTableOut = None,
    prob: Prob = DEFAULT_PROB,
    verbose: Verbose = False,
) -> None:
    """Show which benchmarks each skill moves.

    The table holds loadings: the change of a benchmark, on its link scale, per unit of each skill.
    The figure draws them. Fits whose skills are free to rotate are refused.
    """
    import latentscale as ls

    announce([out, csv], inputs=[fit_file])
    fitted_skills = ls.skills(loaded(fit_file))
    print_table(fitted_skills.top_benchmarks(), "{:.3g}".format)
    _table(fitted_skills.loadings(prob), csv, f"\nLoadings; lower, upper: {prob:.4g} interval")
    if out is not None:
        from latentscale.plots import plot_loadings

        save_figure(plot_loadings(fitted_skills), out)


def align(
    fit_file: FitFile,
    rotation: Annotated[
        str | None,
        typer.Option(
            "--rotation",
            help="Rotation of the common loadings, such as varimax or oblimin; an unknown name "
            "lists them all. Principal axes by default.",
        ),
    ] = None,
    match: Annotated[
        str, typer.Option("--match", help="How draws are matched: rotation or permutation.")
    ] = "rotation",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FIT.nc", help="File to write the aligned fit to.", callback=fit_output
        ),
    ] = None,
    csv: SecondTableOut = None,
    prob: Prob = DEFAULT_PROB,
    verbose: Verbose = False,
) -> None:
    """Give the skills of every draw the same meaning, and save the aligned fit.

    This is for fits whose skills are free to rotate. The table holds the aligned loadings; other
    commands, such as `latentscale skills`, accept the aligned fit.
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


def allocate(
    fit_file: FitFile,
    flops: Annotated[
        list[float],
        typer.Option(
            "--flops",
            metavar="NUMBER",
            help="A budget of training FLOPs, such as 1e22; may be given several times.",
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="NAME",
            help="A benchmark whose score is to be high; may be given several times; all by "
            "default.",
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option("--family", help="A fitted family; the average family by default.")
    ] = None,
    instruct: Annotated[
        bool | None,
        typer.Option(
            "--instruct/--base",
            help="Whether the model is instruction-tuned or a base model; by default whichever "
            "the family's models are.",
        ),
    ] = None,
    out: FigureOut = None,
    csv: SecondTableOut = None,
    prob: Prob = DEFAULT_PROB,
    verbose: Verbose = False,
) -> None:
    """Split training budgets into parameters and tokens.

    The table holds the parameters (billions) and tokens (trillions) that make the most of each
    budget within the sizes and token counts of the fitted models, and the probability that the
    optimum is on a bound of this range. The spec must have separate effects of size and tokens.
    """
    import latentscale as ls

    announce([out, csv], inputs=[fit_file])
    fitted = loaded(fit_file)
    allocation = ls.optimal_allocation(
        fitted, flops=flops, target=target, family=family, instruct=instruct
    )
    table = allocation.table(prob)
    brief = ["target", "flops", "params", "params_lower", "params_upper"]
    brief += ["tokens", "tokens_lower", "tokens_upper", "on_bound", "bound"]
    held = f"; {allocation.held}" if allocation.held else ""
    _table(
        table, csv, f"For the {allocation.basis}{held}; lower, upper: {prob:.4g} interval", brief
    )
    if out is not None:
        from latentscale.plots import plot_allocation

        save_figure(plot_allocation(allocation), out)


def elicit(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="A shipped spec, or a TOML file's path.")
    ],
    slot: Annotated[str, typer.Argument(metavar="PRIOR", help="A prior that the spec uses.")],
    lower: Annotated[float, typer.Argument(help="Lower bound, a score or a change in score.")],
    upper: Annotated[float, typer.Argument(help="Upper bound.")],
    prob: Annotated[
        float,
        typer.Option(
            "--prob",
            callback=probability,
            help="Probability that the value is between the bounds.",
        ),
    ] = DEFAULT_PROB,
    at: Annotated[
        float,
        typer.Option("--at", help="Score at which changes start, or around which scores scatter."),
    ] = 0.5,
    floor: Annotated[float, typer.Option("--floor", help="Lowest score of the curve.")] = 0.0,
    ceiling: Annotated[float, typer.Option("--ceiling", help="Highest score of the curve.")] = 1.0,
    dist: Annotated[
        str | None, typer.Option("--dist", help="Distribution; by default the prior's own.")
    ] = None,
    of_parameter: Annotated[
        bool, typer.Option("--of-parameter", help="The bounds are on the parameter itself.")
    ] = False,
    csv: SecondTableOut = None,
    verbose: Verbose = False,
) -> None:
    """Find a prior from bounds in score units.

    PreliZ finds the prior of maximum entropy that has the probability --prob between the bounds.
    The last lines printed go into the spec's file. Needs the extra elicit.
    """
    import latentscale as ls

    announce([csv])
    elicited = ls.elicit(
        ls.load_spec(spec),
        slot,
        lower,
        upper,
        prob=prob,
        at=at,
        floor=floor,
        ceiling=ceiling,
        dist=dist,
        units="parameter" if of_parameter else "score",
    )
    _table(elicited.table(prob), csv, elicited.headline)
    numbers = ", ".join(f"{name} = {value:.12g}" for name, value in elicited.prior.numbers.items())
    say(f'\n[priors]\n{slot} = {{ dist = "{elicited.prior.dist}", {numbers} }}')


def _table(
    table: pd.DataFrame, csv: Path | None, title: str, columns: list[str] | None = None
) -> None:
    """Write a table, or print some of its columns."""
    if csv is not None:
        save_table(table, csv)
        return
    say(title)
    print_table(table[columns or list(table)], "{:.3g}".format)
