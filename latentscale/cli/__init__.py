"""The command line: parse, call, print. Its commands are the registered verbs.

What a command calls is imported when it runs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from latentscale.cli.console import guarded, say
from latentscale.cli.options import Verbose
from latentscale.errors import nearest
from latentscale.verb import VERBS, Verb, imported

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_BRACES = re.compile(r"^\{(.*)\}")
_ABOUT = """Forecast benchmark scores of language models, with their uncertainty.

\b
Example, from a table to a forecast:
  latentscale fit --scores scores.csv --out fit.nc
  latentscale diagnose fit.nc
  latentscale predict fit.nc planned.csv

Files: an existing output file is replaced in one step at the end; standard error says so
beforehand. A command never writes to a file that it reads, and results never replace a table of
scores or of planned models. The file name's ending makes a table CSV, TSV or Parquet. In CSV, names
that begin with = + - or @ are written with an apostrophe in front, so that spreadsheets do not
evaluate them; latentscale reads them back without it.

\b
Exit codes:
  0    done
  1    diagnostics not passed
  2    usage or input error; the message says what to change
  70   a fault of latentscale itself
  130  stopped by Ctrl-C (143 and 129: by SIGTERM and SIGHUP)
  141  the reader of the output closed it, as in `latentscale data | head -1`
"""


class _Verbs(TyperGroup):
    """One command a verb, made when it is asked for: help lists them without importing them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return command_of(VERBS[cmd_name]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in VERBS:
            ctx.fail(f'No such command "{args[0]}".{nearest(args[0], VERBS)}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, VERBS[name].question()) for name in self.list_commands(ctx)])


class _Command(TyperCommand):
    """A command whose arguments may be negative numbers, which look like options."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        # "FIT.nc", where some versions of typer put braces around what must be given.
        return [_BRACES.sub(r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # A number with a leading space reads the same, and is not taken for an option.
        numbers = [f" {word}" if _NEGATIVE.fullmatch(word) else word for word in args]
        return super().parse_args(ctx, numbers)


def command_of(verb: type[Verb]) -> Any:
    """Return the command of a verb: written by hand, or derived from its function."""
    if verb.command:
        function = imported(verb.command)
    else:
        from latentscale.cli.derive import derived

        function = derived(verb)
    text = f"{cleandoc(function.__doc__ or '')}\n\n\b\nExample:\n  {verb.example}"
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(verb.name, cls=_Command, help=text, context_settings=_SETTINGS)(function)
    return get_command(single)


# Plain help text keeps the examples' line breaks, and --help quick: it needs no rich.
app = typer.Typer(
    name="latentscale",
    help=_ABOUT,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=_SETTINGS,
    cls=_Verbs,
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
    """Hold the options given before a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments
        Words after the program's name; by default the process's arguments.

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
