"""Start the command line: ``latentscale``, or ``python -m latentscale``."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

_STOPPED: Final = 130
"""Exit code that a shell reports for a program ended by Ctrl-C: 128 plus the signal's number."""
_SIGNALS: Final = range(129, 160)
"""Exit codes of programs that a signal ended."""


def run() -> int:
    """Run a command and return its exit code; see `latentscale.cli.main`.

    A command that was stopped ends here: it does not wait for threads, and Python does not
    replace its exit code.
    """
    try:
        from latentscale.cli import main

        code = main()
    except KeyboardInterrupt:  # while the command line was imported
        code = _STOPPED
    if code in _SIGNALS:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(run())
