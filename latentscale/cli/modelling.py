"""Commands that fit a model and ask a fit: fit, predict, predict-each, curve, report, diagnose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from latentscale.cli.console import say
from latentscale.cli.inputs import few_shot_of, loaded, scores_of
from latentscale.cli.methods import MethodName, Settings, chosen_method
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    FigureOut,
    FitFile,
    FitOrSource,
    FitOut,
    KeptFit,
    PageOut,
    PlannedRows,
    Prob,
    Published,
    Refit,
    Rows,
    ScoresFile,
    SecondTableOut,
    Seed,
    TableOut,
    Verbose,
    figure_output,
)
from latentscale.cli.output import (
    SCREEN,
    announce,
    print_table,
    save_figure,
    save_fit,
    save_table,
)
from latentscale.cli.suiting import AUTO, suited
from latentscale.cli.surveying import fit_of_scores, is_fit
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import DataError

if TYPE_CHECKING:
    from latentscale.analysis.forecasts.each import By, Forecasts
    from latentscale.analysis.forecasts.forecast import Forecast

UsedDraws = Annotated[
    int | None,
    typer.Option("--draws", help="Use at most so many posterior draws, evenly spread."),
]
Trust = Annotated[
    float | None,
    typer.Option(
        "--trust",
        help="Add the probability of an error below so many percentage points (or units of a "
        "benchmark that is not a fraction).",
    ),
]


def fit(
    spec: Annotated[
        str,
        typer.Option(
            "--spec",
            help="A shipped spec, or the path of a TOML file; auto is what latentscale spec-for "
            "says of the table.",
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
        int | None, typer.Option("--draws", help="Kept draws, of each chain where there are any.")
    ] = None,
    tune: Annotated[int | None, typer.Option("--tune", help="Warm-up draws of each chain.")] = None,
    chains: Annotated[int | None, typer.Option("--chains", help="Number of chains.")] = None,
    seed: Seed = 0,
    backend: Annotated[
        str | None, typer.Option("--backend", help="Of NUTS: nutpie, nutpie-jax, numpyro or pymc.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Fit a spec to a table of scores and save the fit.

    The table is a CSV or Parquet file with the columns model and family, the
    features that the spec needs, such as params_b (billions), tokens_t (trillions; empty if
    undisclosed), instruct or released, optionally lineage, and one column of fractions a
    benchmark; or one row a score with the columns benchmark and score. --feature names other
    columns that describe models, and --benchmarks says which columns are not fractions, with
    floors and units. Ctrl-C while chains are sampled saves the draws so far.
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

    The table holds mean, median and interval of a new score, in its units. ROWS.csv has the
    columns model and family, and those that the fit uses, such as params_b (billions), tokens_t
    (trillions), instruct and other features. Its families may be fitted ones or new. What rows
    leave out is taken from the fitted models where these settle it; the column assumed says so.
    """
    import latentscale as ls
    from latentscale.data.readers import read_planned

    announce([out], inputs=[fit_file, rows])
    frame = read_planned(rows)
    fit, few_shot = loaded(fit_file), few_shot_of(refit)
    forecast = ls.predict(fit, frame, seed=seed, draws=draws, few_shot=few_shot)
    if forecast.conditioning is not None:  # on standard error where the table is what is printed
        say(forecast.conditioning.headline, err=out == SCREEN)
    _show_forecast(forecast, prob, trust, out)


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
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Forecast many models' scores, each given its own scores alone.

    The rows of each model (--by model), of each release at its settings, or of each family are
    forecast as `latentscale predict` would forecast these rows alone. Models that cannot be
    forecast are left out and named. Ctrl-C keeps those that are done.
    """
    import latentscale as ls
    from latentscale.data.readers import read_planned

    announce([out], inputs=[fit_file, rows])
    frame = read_planned(rows)
    fit, few_shot = loaded(fit_file), few_shot_of(refit)
    which = cast("By", by)  # checked there
    each = ls.studies.predict_each(fit, frame, by=which, seed=seed, draws=draws, few_shot=few_shot)
    say(each.headline, err=out == SCREEN)
    for name, why in each.left_out.items():
        say(f"not forecast: {name}: {why.partition('. ')[0]}", err=True)
    _show_forecast(each, prob, trust, out)


def _show_forecast(
    forecast: Forecast | Forecasts, prob: float, trust: float | None, out: Path | None
) -> None:
    """Write the table of a forecast, or print it."""
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
    say(f"lower, upper: {prob:.4g} interval of a new score{units}")
    shown = table.drop(columns=[c for c in ("extrapolates", "assumed") if not table[c].any()])
    print_table(on_screen(shown), "{:.3f}".format)


def curve(
    fit_file: FitFile,
    family: Annotated[str, typer.Option("--family", help="A fitted family.")],
    over: Annotated[
        str | None,
        typer.Option("--over", help="log_flops, log_params, log_tokens, or a feature of the spec."),
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

    Without --out and --csv the figure is written to curve.png. --prob is that of the table; the
    figure has the 50% and 90% bands.
    """
    import latentscale as ls

    if out is None and csv is None:
        out = figure_output(Path("curve.png"))
    announce([out, csv], inputs=[fit_file])
    fitted = loaded(fit_file)
    result = ls.scaling_curve(fitted, over=over, family=family, seed=seed)
    if csv is not None:
        save_table(result.table(prob), csv)
    if out is not None:
        from latentscale.plots import plot_curve

        floors = {name: info.floor for name, info in fitted.scores.benchmark_info.items()}
        figure = plot_curve(result, noise=not expected, floors=floors)
        save_figure(figure, out)


def report(
    source: FitOrSource,
    out: PageOut = Path("report.html"),
    spec: Annotated[
        str,
        typer.Option(
            "--spec",
            help="Of scores: a shipped spec, or the path of a TOML file; auto is what latentscale "
            "spec-for says of them.",
        ),
    ] = "auto",
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="Of scores: how to fit, by a name that `latentscale methods` lists; auto is NUTS, "
            "and ADVI for many models.",
        ),
    ] = "auto",
    settings: Settings = None,
    draws: Annotated[
        int | None, typer.Option("--draws", help="Of scores: kept draws, of each chain of NUTS.")
    ] = None,
    keep: KeptFit = None,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    planned: PlannedRows = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            "--family", metavar="NAME", help="A family to draw; may be given several times."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page.")] = None,
    data_source: Annotated[
        str | None,
        typer.Option("--data-source", help="Where the scores are from; SOURCE if not given."),
    ] = None,
    prob: Prob = DEFAULT_PROB,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Write everything that a fit says to one HTML page; of scores, fit them first.

    SOURCE is a fit (a file .nc), or scores: a table as `latentscale fit` takes, the Open LLM
    Leaderboard's contents table, Epoch's hub, BenchPress, LiveBench, or a table as another hub
    publishes it. Families and features that such a source does not state are read from names; the
    audit that is printed says what was guessed.

    The page holds a summary, forecasts, scaling curves, diagnostics, data audit and the model. It
    needs no other file and no network. Without --planned, a next model of families is forecast as
    an example: four times their largest or, where the fit uses no sizes, like their latest.
    """
    import latentscale as ls
    from latentscale.data.readers import read_planned

    announce([out, keep], inputs=[source, planned, features, benchmarks])
    rows = None if planned is None else read_planned(planned)
    if is_fit(source):
        if feature or features or benchmarks:
            raise DataError(
                "--feature, --features and --benchmarks describe scores; a fit has its own."
            )
        fitted = loaded(source)
    else:
        fitted = fit_of_scores(
            source,
            spec=spec,
            method=method,
            settings=settings,
            draws=draws,
            seed=seed,
            keep=keep,
            described=lambda: scores_of(source, False, feature, features, benchmarks),
        )
    ls.report(
        fitted,
        out,
        planned=rows,
        families=family,
        prob=prob,
        seed=seed,
        title=title,
        source=data_source or source.name,
        progress=True,
    )
    say(f"wrote {out}")


def diagnose(fit_file: FitFile, verbose: Verbose = False) -> None:
    """Say whether a fit can be believed.

    If not, it also says what to do. The exit code is 0 if the draws pass and 1 if they do not,
    so that a script can stop there.
    """
    import latentscale as ls

    diagnosis = ls.diagnose(ls.load(fit_file))
    for line in (diagnosis.headline, *(f"  - {line}" for line in diagnosis.advice), ""):
        say(line)
    print_table(diagnosis.table(), "{:.3f}".format)
    if not diagnosis.passed:
        raise typer.Exit(1)
