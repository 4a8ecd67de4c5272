"""Commands that run a model: resume, simulate, backtest."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from latentscale.cli.console import say, warn
from latentscale.cli.inputs import scores_of
from latentscale.cli.methods import MethodName, Settings, chosen_method
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    FitOut,
    Prob,
    Published,
    ScoresFile,
    Seed,
    TableOut,
    Verbose,
)
from latentscale.cli.output import announce, print_table, save_fit, save_scores, save_table
from latentscale.cli.suiting import AUTO, suited
from latentscale.dims import DEFAULT_PROB
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
"""What makes the folds of a scheme, the option that it takes, and the argument that this is."""
_USUAL: Final[dict[str, Any]] = {"--seen": 1, "--folds": 5}
"""Options of schemes where none is given: Maia Polo et al. 2024 let one member be seen, and five
folds are the usual number."""

_Spec = Annotated[str, typer.Option("--spec", help="A shipped spec, or the path of a TOML file.")]


def resume(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Folder that `latentscale fit --set store=RUN` wrote its draws to."
        ),
    ],
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            help="Kept draws of each chain in the end; as many as were asked for if not given.",
        ),
    ] = None,
    out: FitOut = Path("fit.nc"),
    verbose: Verbose = False,
) -> None:
    """Go on with a run that was stopped, and save the fit.

    NUTS wrote its draws to the folder as they came. Draws in it stay as they are. Ctrl-C while
    chains are sampled keeps the draws so far.
    """
    import latentscale as ls

    announce([out])
    result = ls.resume(folder.expanduser(), draws=draws)
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

    Models, covariates and which cells are measured are those of the table given; its scores are
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
            help="Number of folds, 5 if not given; of all schemes but leave-one-family (a fold a "
            "family) and chronological (a fold a cutoff).",
        ),
    ] = None,
    seen: Annotated[
        int | None,
        typer.Option(
            "--seen",
            help="Of leave-one-family: members of the hidden family that are fitted, 1 if not "
            "given.",
        ),
    ] = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(
            "--cutoff",
            metavar="DATE",
            help="Of chronological: a date such as 2024-06-01; may be given several times.",
        ),
    ] = None,
    given: Annotated[
        int,
        typer.Option(
            "--given",
            help="How many scores of each hidden model its forecast is conditional on, without a "
            "refit.",
        ),
    ] = 0,
    method: MethodName = "NUTS",
    settings: Settings = None,
    draws: Annotated[
        int, typer.Option("--draws", help="Kept draws, of each chain where there are any.")
    ] = 500,
    tune: Annotated[int | None, typer.Option("--tune", help="Warm-up draws of each chain.")] = None,
    chains: Annotated[int | None, typer.Option("--chains", help="Number of chains.")] = None,
    workers: Annotated[int, typer.Option("--workers", help="Folds fitted at a time.")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Folder that keeps folds; they are not redone.")
    ] = None,
    out: TableOut = None,
    prob: Prob = DEFAULT_PROB,
    seed: Seed = 0,
    verbose: Verbose = False,
) -> None:
    """Hide scores, refit, forecast them, and say how good the forecasts are.

    Printed are errors, widths and coverage over all hidden scores and by benchmark, with standard
    errors of a bootstrap over families. --out writes one row a hidden score.
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
    from latentscale.errors import DataError
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
    """Return folds that give so many scores of each hidden model to its forecast.

    Raises
    ------
    DataError
        If the scheme hides single cells and not models, or no model has more scores.
    """
    from latentscale.analysis import folds
    from latentscale.errors import DataError
    from latentscale.validate import whole_number

    whole_number(given, "--given", least=0, error=DataError)
    if not given:
        return made
    if any(fold.cells for fold in made):
        raise DataError(
            f"--given is for schemes that hide whole models; leave it out with --scheme {scheme}."
        )
    return folds.with_given(made, scores, given, seed=seed)
