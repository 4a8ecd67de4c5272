"""Progress: a bar in a terminal, an updated line in a notebook, a few plain lines in a log."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from types import TracebackType
from typing import Any, Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from latentscale.markup import counted

_LOG_STEPS: Final = 5
"""Most lines in a log for one piece of work: one for every fifth of it."""
_NOTEBOOK_SECONDS: Final = 0.5
"""Shortest time between two updates in a notebook: each is a message to the browser."""
_PATIENCE: Final = 1.0
"""Seconds before a wait is shown, and between updates of its line. Reading a cache is faster."""
_NOTEBOOK_BAR: Final = 30
"""Width of a notebook's bar in characters: with its numbers the line fits into 80."""


class _Display(Protocol):
    """A place where progress is shown."""

    def show(self, done: int, note: str) -> None: ...

    def close(self) -> None: ...


class WorkProgress:
    """Shows how much of `total` is done; use it as a context manager.

    A terminal gets a bar on standard error. A notebook gets a line with a text bar, updated in
    place without widgets; its last state stays in the saved notebook. A log (anything else) gets
    a line after every fifth of the work, so that saved output stays short.

    An error in showing progress never stops the work; nothing more is shown after it.
    """

    def __init__(self, total: int, label: str, unit: str, *, enabled: bool) -> None:
        self._work = _Work(max(total, 1), label, unit)
        self._enabled = enabled
        self._display: _Display | None = None
        self._lock = threading.Lock()

    def update(self, done: int, note: str = "") -> None:
        """Show that `done` of the total is finished. Safe to call from a thread."""
        with self._lock:
            if self._display is None:
                return
            try:
                self._display.show(done, note)
            except (OSError, ValueError):  # a closed pipe, a full disk, a closed stream
                self._display = None

    def __enter__(self) -> WorkProgress:
        if self._enabled:
            try:
                self._display = _display(self._work)
            except (OSError, ValueError):
                self._display = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            display, self._display = self._display, None
        if display is not None:
            try:
                display.close()
            except (OSError, ValueError):
                return


COMPILING: Final = "compiling the model"
"""Shown after a method's name while it waits for the compiler."""


class Waiting:
    """Shows how long work of unknown length, such as compilation, has been running.

    Use it as a context manager. Work that ends within a second is not shown. A terminal gets a line
    with the elapsed time. A notebook gets a line that is updated in place and keeps its last state.
    A log gets the label once.
    """

    def __init__(self, label: str, *, enabled: bool) -> None:
        self._label = label
        self._enabled = enabled
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Waiting:
        if self._enabled:
            began = time.monotonic()
            context = contextvars.copy_context()  # a kernel identifies its cell by context
            self._thread = threading.Thread(
                target=self._show, args=(began, context), daemon=True, name="waiting"
            )
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self, began: float, context: contextvars.Context) -> None:
        if self._over.wait(_PATIENCE):
            return
        try:
            if _in_notebook():
                self._show_in_notebook(began, context)
            elif sys.stderr is not None:
                self._show_on_stderr()
        except (OSError, ValueError):  # a closed pipe, a full disk, a closed stream
            return

    def _show_in_notebook(self, began: float, context: contextvars.Context) -> None:
        handle = None
        going = True
        while going:
            going = not self._over.wait(0.0 if handle is None else _PATIENCE)
            passed = _clock(time.monotonic() - began)
            shown = _publish_text(f"{self._label}, {passed}", handle, context)
            handle = handle or shown

    def _show_on_stderr(self) -> None:
        console = Console(stderr=True)
        if not console.is_terminal:
            print(self._label, file=sys.stderr, flush=True)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console) as line:
            line.add_task(self._label, total=None)
            self._over.wait()


class _Work:
    """A piece of work: its amount, its name and its unit."""

    def __init__(self, total: int, label: str, unit: str) -> None:
        self.total = total
        self.label = label
        self.unit = unit

    def line(self, done: int, note: str) -> str:
        """Return the state of the work in words."""
        return f"{self.label}: {done} of {self.total} {self.unit} {note}".rstrip()


def _display(work: _Work) -> _Display | None:
    """Return a display for a notebook, a terminal or a log, whichever this is."""
    if _in_notebook():
        return _Notebook(work)
    if sys.stderr is None:  # closed, or a program without a console
        return None
    console = Console(stderr=True)
    return _Terminal(work, console) if console.is_terminal else _Log(work)


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel (also Colab's and the like) runs this program."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class _Terminal:
    def __init__(self, work: _Work, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._task = self._bar.add_task(work.label, total=work.total, note="")
        self._bar.start()

    def show(self, done: int, note: str) -> None:
        self._bar.update(self._task, completed=done, note=note)

    def close(self) -> None:
        self._bar.stop()


class _Log:
    def __init__(self, work: _Work) -> None:
        self._work = work
        self._shown = 0

    def show(self, done: int, note: str) -> None:
        step = _LOG_STEPS * done // self._work.total
        if step > self._shown:
            self._shown = step
            print(self._work.line(done, note), file=sys.stderr, flush=True)

    def close(self) -> None:
        return


class _Notebook:
    def __init__(self, work: _Work) -> None:
        self._work = work
        self._began = time.monotonic()
        self._shown_at = self._began
        self._last = (0, "")
        self._ended = False
        # The cell in which this began: kernels find it by context, and other threads have their
        # own.
        self._context = contextvars.copy_context()
        self._handle: Any = self._publish(None)

    def show(self, done: int, note: str) -> None:
        self._last = (done, note)
        now = time.monotonic()
        if done >= self._work.total or now - self._shown_at >= _NOTEBOOK_SECONDS:
            self._shown_at = now
            self._publish(self._handle)

    def close(self) -> None:
        self._ended = True
        self._publish(self._handle)

    def _publish(self, handle: Any) -> Any:
        return _publish_text(self._text(), handle, self._context)

    def _text(self) -> str:
        done, note = self._last
        share = min(max(done / self._work.total, 0.0), 1.0)
        full = int(_NOTEBOOK_BAR * share)
        seconds = time.monotonic() - self._began
        going = 0 < share < 1 and not self._ended
        left = f", {_clock(seconds * (1 - share) / share)} left" if going else ""
        bar = "#" * full + "-" * (_NOTEBOOK_BAR - full)
        return f"[{bar}] {self._work.line(done, '')}, {_clock(seconds)}{left} {note}".rstrip()


def _publish_text(text: str, handle: Any, context: contextvars.Context) -> Any:
    """Show a text in a new output of a notebook cell, or update the output of a handle."""
    from IPython.display import display, update_display

    # Plain text only, which browsers, saved notebooks and converters all show.
    data = {"text/plain": text}
    if handle is None:
        return context.run(display, data, raw=True, display_id=True)
    return context.run(update_display, data, raw=True, display_id=handle.display_id)


def divergence_note(count: int) -> str:
    """Return a note on divergent transitions for a sampler's progress; empty if there are none."""
    return counted(count, "divergence") if count else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
