"""Start the command line: ``latentscale``, or ``python -m latentscale``."""

from __future__ import annotations

import sys

_STOPPED = 130  # what a shell reports of a program that Ctrl-C ended: 128 + 2


def run() -> int:
    """Run a command and return its exit code; see `latentscale.cli.main`.

    Ctrl-C before the command line is there, or after it has ended, is handled here.
    """
    try:
        from latentscale.cli import main

        return main()
    except KeyboardInterrupt:
        return _STOPPED


if __name__ == "__main__":
    sys.exit(run())
