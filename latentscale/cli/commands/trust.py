"""The commands on how far fits can be trusted: diagnose, compare, backtest."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from latentscale.cli.console import say, warn
from latentscale.cli.fits import AUTO, suited
from latentscale.cli.inputs import fits_by_name, loaded, scores_of
from latentscale.cli.methods import MethodName, Settings, chosen_method
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    FigureOut,
    FitFile,
    Fits,
    Prob,
    Published,
    ScoresFile,
    SecondTableOut,
    Seed,
    TableOut,
    Verbose,
    existing_fit,
)
from latentscale.cli.output import (
    announce,
    finish,
    print_table,
    save_table,
)
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import DataError
from latentscale.markup import counted

if TYPE_CHECKING:
    import pandas as pd

    from latentscale.analysis.folds import Fold
    from latentscale.data.scores import Scores

_SCHEMES: Final = {
    "leave-one-family": ("leave_one_family_out", "--seen", "n_seen"),
    "largest-member": ("largest_member_out", "--folds", "n_folds"),
    "families": ("k_fold_by_family", "--folds", "n_folds"),
    "cells": ("random_cells_out", "--folds", "n_folds"),
    "model-cells": ("k_fold_by_cell", "--folds", "n_folds"),
    "chronological": ("chronological", "--cutoff", "cutoffs"),
}
"""By scheme: the function that makes its folds, the option that it takes, and the argument that the
option sets."""
_USUAL: Final[dict[str, Any]] = {"--seen": 1, "--folds": 5}
"""Defaults of the schemes' options: Maia Polo et al. 2024 keep one member in the fit, and five
folds are usual."""


def diagnose(fit_file: FitFile, verbose: Verbose = False) -> None:
    """Say whether a fit can be trusted.

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


def backtest(
    spec: Annotated[
        str,
        typer.Option(
            "--spec",
            help="A shipped spec, or the path of a TOML file; auto chooses by the table, as for "
            "fit.",
        ),
    ] = "latentscale",
    scores: ScoresFile = None,
    feature: Features = None,
    features: FeaturesFile = None,
    benchmarks: BenchmarksFile = None,
    published: Published = False,
    scheme: Annotated[
        str,
        typer.Option(
            "--scheme",
            help="What is hidden: leave-one-family (its larger members), largest-member, families, "
            "cells (a tenth at random), model-cells (each model's scores in --folds parts), or "
            "chronological (models released from a cutoff on).",
        ),
    ] = "leave-one-family",
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            help="Number of folds, by default 5; for all schemes except leave-one-family (one "
            "fold per family) and chronological (one per cutoff).",
        ),
    ] = None,
    seen: Annotated[
        int | None,
        typer.Option(
            "--seen",
            help="For leave-one-family: members of the hidden family that are fitted, by default "
            "1.",
        ),
    ] = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(
            "--cutoff",
            metavar="DATE",
            help="For chronological: a date such as 2024-06-01; may be given several times.",
        ),
    ] = None,
    given: Annotated[
        int,
        typer.Option(
            "--given",
            help="Number of scores of each hidden model that its forecast is conditional on, "
            "without a refit.",
        ),
    ] = 0,
    method: MethodName = "NUTS",
    settings: Settings = None,
    draws: Annotated[
        int, typer.Option("--draws", help="Draws kept, per chain if the method has chains.")
    ] = 500,
    tune: Annotated[int | None, typer.Option("--tune", help="Warm-up draws per chain.")] = None,
    chains: Annotated[int | None, typer.Option("--chains", help="Number of chains.")] = None,
    workers: Annotated[int, typer.Option("--workers", help="Folds fitted at a time.")] = 1,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", help="Folder to keep finished folds in, which are then not fitted again."
        ),
    ] = None,
    out: TableOut = None,
    prob: Prob = DEFAULT_PROB,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Hide scores, refit, forecast them, and report how good the forecasts are.

    The output shows errors, widths and coverage over all hidden scores and by benchmark, with
    standard errors from a bootstrap over families. --out writes one row per hidden score.
    """
    import latentscale as ls

    announce([out], inputs=[scores, features, benchmarks])
    how = chosen_method(method, settings, {"draws": draws, "tune": tune, "chains": chains})
    table = scores_of(scores, published, feature, features, benchmarks)
    asked = {"--folds": folds, "--seen": seen, "--cutoff": cutoff or None}
    made = _folds(table, scheme, asked, seed)
    results = ls.backtest(
        suited(spec, table) if spec == AUTO else ls.load_spec(spec),
        table,
        _with_given(made, table, scheme, given, seed),
        method=how,
        seed=seed,
        prob=prob,
        workers=workers,
        folder=folder,
    )
    if out is not None:
        save_table(results, out)
    whole = ls.studies.summarise(results, seed=seed).assign(benchmark="all")
    each = ls.studies.summarise(results, ["benchmark"], seed=seed)
    _warn_of_rhat(results)
    units = ["unit"] if "unit" in each else []  # where some scores are not fractions
    names = ["benchmark", *units, "cells", "mae", "mae_se", "crps", "width", "cover", "cover_se"]
    for rows in (whole, each):
        print_table(rows[names], "{:.3f}".format)
        say("")


def _warn_of_rhat(results: pd.DataFrame) -> None:
    """Warn of folds whose draws have not converged: their errors and intervals are rough."""
    from latentscale.posterior.convergence import RHAT_LIMIT

    of_folds = results.groupby("fold")["max_rhat"].first()
    bad = of_folds[of_folds > RHAT_LIMIT]
    if len(bad):
        warn(
            f"the draws of {len(bad)} of {counted(len(of_folds), 'fold')} have not converged "
            f"(largest R-hat {bad.max():.3f}, above {RHAT_LIMIT}), so the errors and intervals "
            "below are rough. Give more --tune and --draws."
        )


def _folds(scores: Scores, scheme: str, asked: Mapping[str, Any], seed: int) -> tuple[Fold, ...]:
    """Return the folds of a scheme.

    Raises
    ------
    DataError
        If the scheme is unknown, does not take one of the options given, or needs a cutoff that is
        not given.
    """
    from latentscale.analysis import folds
    from latentscale.validate import choice

    choice(scheme, "--scheme", _SCHEMES, error=DataError)
    maker, taken, argument = _SCHEMES[scheme]
    for option, value in asked.items():
        if value is not None and option != taken:
            others = [name for name, (_, other, _) in _SCHEMES.items() if other == option]
            raise DataError(
                f"{option} is for --scheme {' or '.join(others)}; leave it out with {scheme}, "
                f"which takes {taken}."
            )
    value = _USUAL.get(taken) if asked[taken] is None else asked[taken]
    if value is None:
        raise DataError(f"--scheme {scheme} needs {taken}, such as {taken} 2024-06-01.")
    make = getattr(folds, maker)
    drawn = {"seed": seed} if "seed" in signature(make).parameters else {}
    made: tuple[Fold, ...] = make(scores, **{argument: value}, **drawn)
    return made


def _with_given(
    made: tuple[Fold, ...], scores: Scores, scheme: str, given: int, seed: int
) -> tuple[Fold, ...]:
    """Return folds that give this many scores of each hidden model to its forecast.

    Raises
    ------
    DataError
        If the scheme hides single cells rather than models, or no model has more scores.
    """
    from latentscale.analysis import folds
    from latentscale.validate import whole_number

    whole_number(given, "--given", least=0, error=DataError)
    if not given:
        return made
    if any(fold.cells for fold in made):
        raise DataError(
            f"--given is for schemes that hide whole models; leave it out with --scheme {scheme}."
        )
    return folds.with_given(made, scores, given, seed=seed)
