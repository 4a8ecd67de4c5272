"""What the command line prints, on which stream, and the exit code of each fault."""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Final, TextIO

import typer

from latentscale.cli.stops import Stops, catching
from latentscale.errors import DataWarning, FitWarning, LatentscaleError

FAULT: Final = 2
BROKEN: Final = 70
"""An internal error: EX_SOFTWARE of BSD's sysexits.h."""
PIPE_CLOSED: Final = 141
"""Exit code that a shell reports for a program ended by SIGPIPE: 128 + 13."""
_OPTIONS: Final = {
    "benchmarks={": '--benchmarks FILE.toml, which has a table such as ["arena"] for a benchmark, '
    'with lines such as scale = "real", lower_is_better = true or group = "science".',
    "features=[": "--feature COLUMN.",
    'benchmark="': "--benchmark NAME.",
    "anchors={": "--anchor NAME=NUMBER, for each of two models or more.",
    "with model=": "--model NAME.",
    'sources="apart"': "latentscale gather --sources apart --out TABLE, and fit that table.",
    "given_scores=True": "--given-scores.",
    "FewShot(refit=": "--refit, of predict and the other commands that forecast rows.",
    "latentscale.studies.predict_each": "latentscale predict-each FIT.nc ROWS.csv.",
    "latentscale.align(": "latentscale align FIT.nc --out ALIGNED.nc.",
    "with_estimated(": "--features FILE.toml, with the line\n{features}",
}
"""Arguments named in messages, and the options of commands that stand for them."""
_ESTIMATED: Final = re.compile(r"with_estimated\(\[([^\]]*)\]\)")
_QUOTED: Final = re.compile(r'"[^"]+"')
_explained: Final[set[str]] = set()
"""Arguments whose options the running command has explained."""

# typer does not export the base class of its usage errors: it is the most general ancestor of this
# class that can format its own message.
_USAGE: Final = next(
    kind for kind in reversed(typer.BadParameter.__mro__) if hasattr(kind, "format_message")
)
# Control characters of a name must not steer a terminal; line breaks and tabs are ours.
_CONTROL: Final = {
    number: f"\\x{number:02x}"
    for number in (*range(0x20), *range(0x7F, 0xA0))
    if chr(number) not in "\n\t"
}


def guarded(run: Callable[[], int], *, verbose: bool) -> int:
    """Run a command; turn exceptions into one message on standard error and an exit code.

    Parameters
    ----------
    run
        The command; returns its own exit code.
    verbose
        Whether to show tracebacks, and the warnings and logs of other libraries.

    Returns
    -------
    The command's code; 2 for a usage or input error; 128 plus the signal's number if stopped (130
    for Ctrl-C); 141 if the reader of the output closed it; 70 for a fault of latentscale itself.
    """
    _explained.clear()
    with _encodable(), catching() as stops:
        try:
            with _quiet(verbose):
                return _outcome(run, stops, verbose)
        except KeyboardInterrupt:  # while a message was being written
            return _stopped(stops)
        finally:
            for stream in (sys.stdout, sys.stderr):
                _settle(stream)


def say(text: str, *, err: bool = False) -> None:
    """Print a line on standard output, or on standard error.

    A standard error that is closed or full does not stop the work.

    Raises
    ------
    OSError
        If standard output is closed or full: what was asked for would be lost.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:  # closed when the process began
        if err:
            return
        raise OSError(errno.EBADF, "standard output is closed, so there is nowhere to print to")
    with suppress(OSError) if err else nullcontext():
        print(text.translate(_CONTROL), file=stream, flush=True)


def warn(message: str) -> None:
    """Print a warning on standard error."""
    say(f"warning: {message}", err=True)


def _outcome(run: Callable[[], int], stops: Stops, verbose: bool) -> int:
    try:
        code = run()
        if sys.stdout is not None:
            sys.stdout.flush()  # so that a full disk or a closed pipe is noticed here
    except (KeyboardInterrupt, typer.Abort):
        return _stopped(stops)
    except LatentscaleError as error:
        failed = _fail(with_options(str(error)), verbose)
        return failed if stops.received is None else stops.code
    except BrokenPipeError:
        return PIPE_CLOSED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", verbose)
    except Exception as error:
        if stops.received is not None:  # some libraries turn a stop into an error of their own
            return _stopped(stops)
        return _unforeseen(error, verbose)
    # A stopped sampler returns the draws that it has, and these were written.
    return code if stops.received is None else _stopped(stops)


def with_options(message: str) -> str:
    """Return a message that names Python arguments, followed by the options for them.

    Within a command each option is explained once.
    """
    listings = _ESTIMATED.findall(message)
    columns = list(dict.fromkeys(_QUOTED.findall(" ".join(listings)))) or ['"COLUMN"']
    declared = ", ".join(f'{{name = {name}, missing = "estimated"}}' for name in columns)
    new = [name for name in _OPTIONS if name in message and name not in _explained]
    _explained.update(new)
    options = [_OPTIONS[name].replace("{features}", f"features = [{declared}]") for name in new]
    return "\n".join([message, *(f"On the command line: {option}" for option in options)])


def _unforeseen(error: Exception, verbose: bool) -> int:
    if isinstance(error, _USAGE):
        words = str(error.format_message())  # type: ignore[attr-defined]
        end = "" if words.endswith(("?", ".")) else "."
        context = getattr(error, "ctx", None)
        command = f" {context.info_name}" if context is not None and context.parent else ""
        return _fail(f"{words}{end} See `latentscale{command} --help`.", verbose)
    if isinstance(error, MemoryError):
        return _fail("There is not enough memory for this. Give fewer rows or draws.", verbose)
    return _fail(
        f"latentscale failed unexpectedly: {type(error).__name__}: {error}\n"
        "Run it again with --verbose and report the traceback.",
        verbose,
        BROKEN,
    )


def _fail(message: str, verbose: bool, code: int = FAULT) -> int:
    if verbose:
        say(traceback.format_exc(), err=True)
    say(f"error: {message}", err=True)
    return code


def _stopped(stops: Stops) -> int:
    say("stopped", err=True)
    return stops.code


@contextmanager
def _encodable() -> Iterator[None]:
    r"""Write characters that an output's encoding does not have as ``\u6a21``, not as an error."""
    changed: list[tuple[io.TextIOWrapper, str]] = []
    for stream in (sys.stdout, sys.stderr):
        errors = getattr(stream, "errors", None)
        if isinstance(stream, io.TextIOWrapper) and errors in ("strict", "surrogateescape"):
            changed.append((stream, errors))
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in changed:
            with suppress(OSError, ValueError):
                stream.reconfigure(errors=errors)


def _settle(stream: TextIO | None) -> None:
    """Flush a stream; discard its contents if nobody reads it.

    Python would otherwise complain, and change the exit code, when it ends.
    """
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


@contextmanager
def _quiet(verbose: bool) -> Iterator[None]:
    """Show latentscale's own warnings, one line each, and others only if asked to."""
    if verbose:
        yield
        return
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for kind in (DataWarning, FitWarning):
                warnings.filterwarnings("always", category=kind)
            warnings.showwarning = _show
            yield
    finally:
        logging.disable(disabled)


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    warn(with_options(str(message)))
