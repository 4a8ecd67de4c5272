"""The commands that forecast: predict, predict-each, explain, stack, curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from latentscale.cli.console import say
from latentscale.cli.inputs import few_shot_of, fits_by_name, loaded, numbers_by_name
from latentscale.cli.options import (
    BenchmarkNames,
    FigureOut,
    FitFile,
    Fits,
    Prob,
    Refit,
    Rows,
    SecondTableOut,
    Seed,
    StackedRows,
    TableOut,
    Verbose,
    existing_fit,
    figure_output,
)
from latentscale.cli.output import (
    SCREEN,
    announce,
    finish,
    print_table,
    save_figure,
    save_table,
)
from latentscale.dims import DEFAULT_PROB

if TYPE_CHECKING:
    from latentscale.analysis.forecasts.each import By, Forecasts
    from latentscale.analysis.forecasts.forecast import Forecast

UsedDraws = Annotated[
    int | None,
    typer.Option("--draws", help="Use at most this many posterior draws, evenly spread."),
]
Trust = Annotated[
    float | None,
    typer.Option(
        "--trust",
        help="Add the probability of an error below this many percentage points (or units, for a "
        "benchmark that is not a fraction).",
    ),
]


def predict(
    fit_file: FitFile,
    rows: Rows,
    prob: Prob = DEFAULT_PROB,
    out: TableOut = None,
    draws: UsedDraws = None,
    trust: Trust = None,
    refit: Refit = False,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Forecast models' scores, with intervals.

    The table holds mean, median, sd and interval of a new score, in its units; mean and sd are left
    out where, with heavy tails on a logarithmic scale, they depend on a few draws. ROWS.csv has the
    columns model and family, and those that the fit uses, such as params_b (billions), tokens_t
    (trillions), instruct and other features. Families may be fitted or new. Values that rows leave
    out are taken from the fitted models where these determine them; the column assumed lists them.
    """
    import latentscale as ls
    from latentscale.analysis.tools.units import means_note
    from latentscale.data.readers import read_planned

    announce([out], inputs=[fit_file, rows])
    frame = read_planned(rows)
    fit, few_shot = loaded(fit_file), few_shot_of(refit)
    forecast = ls.predict(fit, frame, seed=seed, draws=draws, few_shot=few_shot)
    if forecast.conditioning is not None:  # on standard error where the table is what is printed
        say(forecast.conditioning.headline, err=out == SCREEN)
    _show_forecast(forecast, prob, trust, out, means_note(forecast.without_mean))


def predict_each(
    fit_file: FitFile,
    rows: Rows,
    by: Annotated[
        str, typer.Option("--by", help="Which rows share their scores: model, release or family.")
    ] = "release",
    prob: Prob = DEFAULT_PROB,
    out: TableOut = None,
    draws: UsedDraws = None,
    trust: Trust = None,
    refit: Refit = False,
    workers: Annotated[int, typer.Option("--workers", help="Groups forecast at a time.")] = 1,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Forecast many models' scores, each given only its own scores.

    The rows of each model (--by model), of each release at its settings, or of each family are
    forecast as `latentscale predict` would forecast only these rows. Models that cannot be forecast
    are left out and named. Ctrl-C keeps finished forecasts.
    """
    import latentscale as ls
    from latentscale.data.readers import read_planned

    announce([out], inputs=[fit_file, rows])
    frame = read_planned(rows)
    fit, few_shot = loaded(fit_file), few_shot_of(refit)
    which = cast("By", by)  # checked there
    each = ls.studies.predict_each(
        fit, frame, by=which, seed=seed, draws=draws, few_shot=few_shot, workers=workers
    )
    say(each.headline, err=out == SCREEN)
    for name, why in each.left_out.items():
        say(f"not forecast: {name}: {why.partition('. ')[0]}", err=True)
    _show_forecast(each, prob, trust, out)


def explain(
    fit_file: FitFile,
    rows: Rows,
    benchmark: BenchmarkNames = None,
    given_scores: Annotated[
        bool | None,
        typer.Option(
            "--given-scores/--no-given-scores",
            help="Whether to forecast without each given score; by default for up to 12 scores.",
        ),
    ] = None,
    prob: Prob = DEFAULT_PROB,
    out: FigureOut = None,
    csv: SecondTableOut = None,
    draws: UsedDraws = None,
    refit: Refit = False,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Explain why forecasts are what they are.

    The output shows where the level comes from (parts on the link's scale, relative to the average
    fitted model, and what the expected score would lose without each), where the variance of a new
    score comes from, and how far scores in ROWS.csv move the medians. --csv writes the first of
    these.
    """
    import latentscale as ls
    from latentscale.data.readers import read_planned
    from latentscale.markup import on_screen

    announce([out, csv], inputs=[fit_file, rows])
    frame = read_planned(rows)
    explanation = ls.studies.explain(
        loaded(fit_file),
        frame,
        benchmark or None,
        seed=seed,
        few_shot=few_shot_of(refit),
        draws=draws,
        given_scores=given_scores,
    )
    finish(explanation, prob=prob, table=csv, figure=out)
    for table in (explanation.shares_table(), explanation.pulls_table()):
        if len(table):
            say("")
            print_table(on_screen(table), "{:.3f}".format)


def _show_forecast(
    forecast: Forecast | Forecasts,
    prob: float,
    trust: float | None,
    out: Path | None,
    note: str = "",
) -> None:
    """Write the table of a forecast, or print it under a line that ends with a note."""
    from latentscale.analysis.tools.units import units_note
    from latentscale.markup import on_screen

    table = forecast.table(prob)
    if trust is not None:
        sure = forecast.trust(trust)[["model", "benchmark", "trust"]]
        table = table.merge(sure, on=["model", "benchmark"], validate="one_to_one")
        table["unit"] = table.pop("unit")  # last, as without
    if out is not None:
        save_table(table, out)
        return
    units = units_note(forecast.units, dict.fromkeys(table["benchmark"]))
    if trust is not None:
        own = f", or {trust:g} of its unit on any other benchmark" if forecast.units else ""
        note += f"; trust: probability that the error is below {trust:g} percentage points{own}"
    say(f"lower, upper: {prob:.4g} interval of a new score{units}{note}")
    shown = table.drop(columns=[c for c in ("extrapolates", "assumed") if not table[c].any()])
    print_table(on_screen(shown), "{:.3f}".format)


def stack(
    fits: Fits,
    rows: StackedRows,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="NAME=NUMBER",
            help="Weight of each fit; by default stacking weights.",
        ),
    ] = None,
    out: TableOut = None,
    prob: Prob = DEFAULT_PROB,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Forecast models' scores with a mixture of fits.

    Without --weight the weights come from `latentscale compare`: they maximise the leave-one-out
    density of the mixture. The table is like that of `latentscale predict`.
    """
    import latentscale as ls
    from latentscale.analysis.tools.units import means_note, units_note
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
    note = means_note(forecast.without_mean)
    say(f"weights: {shares}; lower, upper: {prob:.4g} interval of a new score{units}{note}")
    print_table(on_screen(table), "{:.3f}".format)


def curve(
    fit_file: FitFile,
    family: Annotated[str, typer.Option("--family", help="A fitted family.")],
    over: Annotated[
        str | None,
        typer.Option("--over", help="log_flops, log_params, log_tokens, or a feature of the spec."),
    ] = None,
    benchmark: BenchmarkNames = None,
    limits: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--limits",
            metavar="FROM TO",
            help="Ends of the curve, in FLOPs, billions of parameters, trillions of tokens, dates "
            "or the feature's unit; by default the family's range and some way beyond.",
        ),
    ] = None,
    out: FigureOut = None,
    csv: SecondTableOut = None,
    prob: Prob = DEFAULT_PROB,
    expected: Annotated[
        bool,
        typer.Option("--expected", help="Draw bands of expected scores, without score noise."),
    ] = False,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Draw or tabulate a family's scaling curve.

    Without --out and --csv the figure is written to curve.png. --prob applies to the table; the
    figure has 50% and 90% bands.
    """
    import latentscale as ls

    if out is None and csv is None:
        out = figure_output(Path("curve.png"))
    announce([out, csv], inputs=[fit_file])
    fitted = loaded(fit_file)
    result = ls.scaling_curve(
        fitted, over=over, family=family, benchmarks=benchmark, limits=limits, seed=seed
    )
    if csv is not None:
        save_table(result.table(prob), csv)
    if out is not None:
        from latentscale.plots import plot_curve

        floors = {name: info.floor for name, info in fitted.scores.benchmark_info.items()}
        figure = plot_curve(result, noise=not expected, floors=floors)
        save_figure(figure, out)
