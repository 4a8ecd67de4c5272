"""Stop signals (Ctrl-C, a scheduler's): they end a command at once, but not during a save.

`latentscale.cli.console` reports a stopped command.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C; what `kill` and batch schedulers send; a terminal that closes (Windows has none).
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stops:
    """The stop signals that a command received.

    Attributes
    ----------
    received
        Number of the last signal; None before the first.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._process = os.getpid()
        self._holding = False
        self._held = False

    @property
    def code(self) -> int:
        """The exit code: 128 plus the signal's number, as in a shell; 130 for Ctrl-C."""
        return 128 + (signal.SIGINT if self.received is None else self.received)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Stop the command, or mark it to stop after a save."""
        if os.getpid() != self._process and number != signal.SIGINT:
            # A sampler's child process inherits these handlers; a signal must still end it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.received = number
        if self._holding and not self._held:
            self._held = True
            return
        raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let a save end before a first stop signal takes effect; a second one is not held."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._held:
            raise KeyboardInterrupt


_current = Stops()


@contextmanager
def catching() -> Iterator[Stops]:
    """Catch stop signals while a command runs. Ignored signals stay ignored (``nohup``)."""
    global _current
    _current = stops = Stops()
    earlier = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for name in _NAMES:
                number = getattr(signal, name, None)
                if number is None or signal.getsignal(number) in (signal.SIG_IGN, None):
                    continue
                earlier[number] = signal.signal(number, stops.handle)
        yield stops
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


@contextmanager
def saving() -> Iterator[None]:
    """Hold stop signals of the running command while it saves work that took long."""
    with _current.held():
        yield
