"""Which engine compiles a model: the fast one, or the stock one where the fast one fails.

The fast engine reaches into libraries whose insides change between releases. Where that breaks, the
stock engine, on public functions alone, takes over with one warning, and results are the same but
for rounding: compilation is slower, and nothing compiled serves another table.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from latentscale.errors import FitError, FitWarning, LatentscaleError, listed

ENGINE = "LATENTSCALE_ENGINE"
"""Environment variable: ``"auto"`` (the default), ``"fast"`` or ``"stock"``."""

_CHOICES = ("auto", "fast", "stock")
# How PyTensor begins to say that it runs an operation by Python inside numba's code.
_OBJECT_MODE = "Numba will use object mode"
_faults: list[str] = []


def chosen_engine() -> str:
    """Return which engine is asked for.

    Raises
    ------
    FitError
        If the environment variable names none.
    """
    choice = os.environ.get(ENGINE, "auto")
    if choice not in _CHOICES:
        raise FitError(f'{ENGINE} must be one of {listed(_CHOICES)}; got "{choice}".')
    return choice


def engine_in_use() -> str:
    """Return ``"stock"`` where that was asked for or had to take over, else ``"fast"``."""
    return "stock" if chosen_engine() == "stock" or _faults else "fast"


def fast_or_stock[T](fast: Callable[[], T], stock: Callable[[], T]) -> T:
    """Return what the fast engine makes, or what the stock engine does where that fails.

    Parameters
    ----------
    fast, stock
        What to call.

    Warns
    -----
    FitWarning
        Once a process, if the fast engine fails where the stock one does not; it is not tried
        again.
    """
    choice = chosen_engine()
    if choice == "fast":
        return fast()
    if engine_in_use() == "stock":
        return _without_notices(stock)
    try:
        return _without_notices(fast)
    except (LatentscaleError, MemoryError):
        raise
    except Exception as failure:
        if _faults:  # what one choice tried may hold another, whose fault was warned of
            return _without_notices(stock)
        _faults.append(f"{type(failure).__name__}: {failure}")
        try:
            made = _without_notices(stock)
        except Exception:
            _faults.clear()  # both engines fail, so the fast one is not to blame
            raise
        _warn(_faults[0])
        return made


def _without_notices[T](compiled: Callable[[], T]) -> T:
    """Return what a call gives, without PyTensor's notices of operations that numba cannot run.

    Where numba is broken that is every operation of a graph, and one warning says so.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _OBJECT_MODE, UserWarning)
        return compiled()


def _warn(fault: str) -> None:
    warnings.warn(
        "The fast engine does not work with the installed versions of PyTensor, numba or "
        f"nutpie ({fault.splitlines()[0][:200]}). The stock engine takes over: the same "
        "results, but slower compilation. Install the versions that latentscale asks for, or "
        f"set {ENGINE}=stock to choose it without this warning.",
        FitWarning,
        stacklevel=4,
    )


def forget_faults() -> None:
    """Try the fast engine again at the next model, for tests that break it."""
    _faults.clear()
