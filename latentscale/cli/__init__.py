"""The command line: parse, call, print. What it calls is imported when a command runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from inspect import cleandoc

import typer
from typer.main import get_command

from latentscale.cli import explaining, gathering, looking, modelling
from latentscale.cli.console import guarded, say
from latentscale.cli.options import Verbose

_ABOUT = """Forecast benchmark scores of language models, with their uncertainty.

\b
Example, from a table to a forecast:
  latentscale fit --scores scores.csv --out fit.nc
  latentscale diagnose fit.nc
  latentscale predict fit.nc planned.csv

Files: an output that exists is replaced, as a whole and once all is done; standard error says so
beforehand. What a command reads is never written to. Tables are CSV, TSV or Parquet, by their
ending. In CSV, names that begin with = + - or @ have an apostrophe before them, so that no
spreadsheet computes them; latentscale reads them back without it.

\b
Exit codes:
  0    done
  1    diagnostics not passed
  2    usage or input error; the message says what to change
  70   a fault of latentscale itself
  130  stopped by Ctrl-C (143 and 129: by SIGTERM and SIGHUP)
  141  the reader of the output closed it, as in `latentscale data | head -1`
"""

# Plain help text keeps the examples' line breaks, and rich out of a quick --help.
app = typer.Typer(
    name="latentscale",
    help=_ABOUT,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from latentscale import __version__

        say(f"latentscale {__version__}")
        raise typer.Exit


@app.callback()
def _group(
    verbose: Verbose = False,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Hold the options that stand before a command."""


_COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "demo": (looking.demo, "latentscale demo --folder results --seed 1"),
    "fit": (modelling.fit, "latentscale fit --scores scores.csv --seed 1 --out fit.nc"),
    "predict": (modelling.predict, "latentscale predict fit.nc planned.csv --out forecast.csv"),
    "curve": (modelling.curve, "latentscale curve fit.nc --family qwen2 --out curve.png"),
    "skills": (explaining.skills, "latentscale skills fit.nc --out skills.png"),
    "allocate": (
        explaining.allocate,
        "latentscale allocate fit.nc --flops 1e22 --flops 1e24 --out allocation.png",
    ),
    "report": (modelling.report, "latentscale report fit.nc --out report.html"),
    "diagnose": (modelling.diagnose, "latentscale diagnose fit.nc"),
    "gather": (
        gathering.gather,
        "latentscale gather results/ --metadata models.csv --out scores.csv",
    ),
    "data": (looking.data, "latentscale data scores.csv"),
    "specs": (looking.specs, "latentscale specs cai2025"),
}
for _name, (_command, _example) in _COMMANDS.items():
    _help = f"{cleandoc(_command.__doc__ or '')}\n\n\b\nExample:\n  {_example}"
    app.command(_name, help=_help)(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments
        Words after the program's name; those of the process by default.

    Returns
    -------
    0 if it worked, 1 if ``diagnose`` did not pass, 2 if an argument, a file or a table is wrong
    (one message on standard error says how to correct it), 70 for a fault of latentscale itself,
    130 if it was stopped by Ctrl-C, 141 if the reader of its output closed it.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)

    def run() -> int:
        # Not `app(...)`, which turns a closed pipe into exit code 1: that means "not passed".
        command = get_command(app)
        try:
            with command.make_context("latentscale", words or ["--help"]) as context:
                command.invoke(context)
        except typer.Exit as end:
            return end.exit_code
        return 0

    # Read here, not by typer, so that it also holds for errors made while parsing.
    return guarded(run, verbose="--verbose" in words)
