"""The commands that ask what a fit means: skills, allocate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentscale.cli.modelling import loaded, save_figure
from latentscale.cli.options import FitFile, Prob, Verbose, writable
from latentscale.dims import DEFAULT_PROB

if TYPE_CHECKING:
    import pandas as pd

_Figure = Annotated[Path | None, typer.Option("--out", metavar="PNG", help="Figure to write.")]
_Table = Annotated[Path | None, typer.Option("--csv", metavar="CSV", help="Table to write.")]


def skills(
    fit_file: FitFile,
    out: _Figure = None,
    csv: _Table = None,
    prob: Prob = DEFAULT_PROB,
    verbose: Verbose = False,
) -> None:
    """Show which benchmarks each skill moves.

    The table holds loadings: the change of a benchmark, on the scale of its link, with each skill.
    The figure draws them. Fits whose skills are free to rotate are refused.
    """
    import latentscale as ls

    writable(out)
    writable(csv)
    found = ls.skills(loaded(fit_file))
    typer.echo(found.top_benchmarks().to_string(index=False, float_format=_short))
    _table(found.loadings(prob), csv, f"\nLoadings; lower, upper: {prob:.4g} interval")
    if out is not None:
        from latentscale.plots import plot_loadings

        save_figure(plot_loadings(found), out)


def allocate(
    fit_file: FitFile,
    flops: Annotated[
        list[float],
        typer.Option("--flops", help="A budget, such as 1e22; may be given several times."),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", help="A benchmark; may be given several times; all if none."),
    ] = None,
    family: Annotated[
        str | None, typer.Option("--family", help="A fitted family; the average one if none.")
    ] = None,
    instruct: Annotated[
        bool | None,
        typer.Option(
            "--instruct/--base",
            help="For an instruction-tuned or a base model; as the family's models are if neither.",
        ),
    ] = None,
    out: _Figure = None,
    csv: _Table = None,
    prob: Prob = DEFAULT_PROB,
    verbose: Verbose = False,
) -> None:
    """Split training budgets into parameters and tokens.

    The table holds the parameters (billions) and tokens (trillions) that make the most of each
    budget inside the sizes and token counts of the fitted models, and the probability that the
    optimum sits on a bound of these. The spec must tell size and tokens apart.
    """
    import latentscale as ls

    writable(out)
    writable(csv)
    fitted = loaded(fit_file)
    found = ls.optimal_allocation(
        fitted, flops=flops, target=target, family=family, instruct=instruct
    )
    table = found.table(prob)
    brief = ["target", "flops", "params", "params_lower", "params_upper"]
    brief += ["tokens", "tokens_lower", "tokens_upper", "on_bound", "bound"]
    _table(table, csv, f"For the {found.basis}; lower, upper: {prob:.4g} interval", brief)
    if out is not None:
        from latentscale.plots import plot_allocation

        save_figure(plot_allocation(found), out)


def _table(
    table: pd.DataFrame, csv: Path | None, title: str, columns: list[str] | None = None
) -> None:
    """Write a table, or print some of its columns."""
    if csv is not None:
        table.to_csv(csv, index=False)
        typer.echo(f"wrote {csv}: {len(table)} rows")
        return
    typer.echo(title)
    typer.echo(table[columns or list(table)].to_string(index=False, float_format=_short))


def _short(value: float) -> str:
    return f"{value:.3g}"
