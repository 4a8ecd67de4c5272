"""The commands that fit a model and ask a fit: fit, predict, curve, report, diagnose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentscale.cli.console import warn
from latentscale.cli.options import FitFile, Prob, Published, Seed, Verbose, writable
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import DataError

if TYPE_CHECKING:
    from latentscale.plots.style import Sheet
    from latentscale.posterior.fit import Fit


def fit(
    spec: Annotated[
        str, typer.Option("--spec", help="A shipped spec, or the path of a TOML file.")
    ] = "latentscale",
    scores: Annotated[
        Path | None,
        typer.Option("--scores", metavar="TABLE", help="Table of scores; the bundled one if none."),
    ] = None,
    published: Published = False,
    out: Annotated[
        Path, typer.Option("--out", metavar="FIT.nc", help="File to write; replaced if it exists.")
    ] = Path("fit.nc"),
    draws: Annotated[int, typer.Option("--draws", help="Kept draws of each chain.")] = 1000,
    tune: Annotated[int, typer.Option("--tune", help="Warm-up draws of each chain.")] = 400,
    chains: Annotated[int, typer.Option("--chains", help="Chains.")] = 4,
    seed: Seed = 0,
    backend: Annotated[str, typer.Option("--backend", help="nutpie or pymc.")] = "nutpie",
    verbose: Verbose = False,
) -> None:
    """Fit a spec to a table of scores and save the fit.

    The method is NUTS. The table is a CSV or Parquet file with the columns model, family, params_b
    (billions), tokens_t (trillions; empty if undisclosed), optionally lineage and instruct, and
    one column of fractions a benchmark; or one row a score with the columns benchmark and score.
    """
    import latentscale as ls

    writable(out)
    if scores is not None and published:
        raise DataError("--published is for the bundled table; leave it out with --scores.")
    method = ls.NUTS(draws=draws, tune=tune, chains=chains, backend=backend)  # type: ignore[arg-type]
    model = ls.load_spec(spec)
    if scores is None:
        table = ls.datasets.open_llm_leaderboard(corrected=not published)
    else:
        from latentscale.data.readers import read_scores

        table = read_scores(scores)
    result = ls.fit(model, table, method=method, seed=seed)
    result.save(out)
    typer.echo(repr(result))
    for line in result.status.advice:
        warn(line)
    typer.echo(f"wrote {out}")


def predict(
    fit_file: FitFile,
    rows: Annotated[
        Path, typer.Argument(metavar="ROWS.csv", help="Models to forecast, one a row.")
    ],
    prob: Prob = DEFAULT_PROB,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="CSV", help="Write the table here, not to the screen."),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option("--draws", help="Use at most so many posterior draws, evenly spread."),
    ] = None,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Forecast models' scores, with intervals.

    The table holds mean, median and interval of a new score, as fractions. ROWS.csv has the
    columns model, family, params_b (billions) and tokens_t (trillions), and optionally lineage
    and instruct. Its families may be fitted ones or new. What rows leave out is taken from the
    fitted models where these settle it; the column assumed says so.
    """
    import latentscale as ls
    from latentscale.data.readers import read_csv

    writable(out)
    frame = read_csv(rows)
    table = ls.predict(loaded(fit_file), frame, seed=seed, draws=draws).table(prob)
    if out is not None:
        table.to_csv(out, index=False)
        typer.echo(f"wrote {out}: {len(table)} rows")
        return
    typer.echo(f"lower, upper: {prob:.4g} interval of a new score")
    shown = table.drop(columns=[c for c in ("extrapolates", "assumed") if not table[c].any()])
    typer.echo(shown.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


def curve(
    fit_file: FitFile,
    family: Annotated[str, typer.Option("--family", help="A fitted family.")],
    over: Annotated[
        str | None,
        typer.Option("--over", help="log_flops, log_params or log_tokens; what the spec uses."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PNG", help="Figure to write.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="CSV", help="Table to write.")
    ] = None,
    prob: Prob = DEFAULT_PROB,
    expected: Annotated[
        bool,
        typer.Option("--expected", help="Draw bands of expected scores, without score noise."),
    ] = False,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Draw or tabulate a family's scaling curve.

    Without --out and --csv the figure is written to curve.png. --prob is that of the table; the
    figure has the 50% and 90% bands.
    """
    import latentscale as ls

    if out is None and csv is None:
        out = Path("curve.png")
    writable(out)
    writable(csv)
    fitted = loaded(fit_file)
    result = ls.scaling_curve(fitted, over=over, family=family, seed=seed)
    if csv is not None:
        table = result.table(prob)
        table.to_csv(csv, index=False)
        typer.echo(f"wrote {csv}: {len(table)} rows")
    if out is not None:
        from latentscale.plots import plot_curve

        floors = {name: info.floor for name, info in fitted.scores.benchmark_info.items()}
        figure = plot_curve(result, noise=not expected, floors=floors)
        save_figure(figure, out)


def report(
    fit_file: FitFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="HTML", help="Page to write.")] = Path(
        "report.html"
    ),
    planned: Annotated[
        Path | None,
        typer.Option("--planned", metavar="ROWS.csv", help="Models to forecast, one a row."),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option("--family", help="A family to draw; may be given several times."),
    ] = None,
    prob: Prob = DEFAULT_PROB,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Write everything that a fit says to one HTML page.

    The page holds the data audit, diagnostics, scaling curves, forecasts and the model itself. It
    needs no other file and no network. Without --planned, models four times the largest of their
    family are forecast as an example.
    """
    import latentscale as ls
    from latentscale.data.readers import read_table

    writable(out)
    rows = None if planned is None else read_table(planned)
    ls.report(loaded(fit_file), out, planned=rows, families=family, prob=prob, seed=seed)
    typer.echo(f"wrote {out}")


def diagnose(fit_file: FitFile, verbose: Verbose = False) -> None:
    """Say whether a fit can be believed.

    If not, it also says what to do. The exit code is 0 if the draws pass and 1 if they do not,
    so that a script can stop there.
    """
    import latentscale as ls

    diagnosis = ls.diagnose(ls.load(fit_file))
    typer.echo(str(diagnosis))
    typer.echo("")
    typer.echo(diagnosis.table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    if not diagnosis.passed:
        raise typer.Exit(1)


def loaded(path: Path) -> Fit:
    """Read a fit, and warn if its draws did not converge."""
    import latentscale as ls

    fitted = ls.load(path)
    if fitted.status.converged is False:
        warn(f"{path} has {fitted.status.message}; see `latentscale diagnose {path}`.")
    return fitted


def save_figure(figure: Sheet, path: Path) -> None:
    """Write a figure and say so.

    Raises
    ------
    DataError
        If the path has an ending that matplotlib cannot write.
    """
    try:
        figure.savefig(path)
    except ValueError as error:
        raise DataError(f"Cannot write {path}: {error}") from None
    typer.echo(f"wrote {path}")
