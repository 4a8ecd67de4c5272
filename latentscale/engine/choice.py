"""Which engine compiles a model: the fast one, or the stock one if the fast one fails.

The fast engine uses internals of libraries, which change between releases. If it breaks, the stock
engine, which uses only public functions, takes over with one warning. Results are the same up to
rounding, but compilation is slower and compiled code is not reused for other tables.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from latentscale.errors import FitError, FitWarning, LatentscaleError, listed

ENGINE = "LATENTSCALE_ENGINE"
"""Environment variable: ``"auto"`` (the default), ``"fast"`` or ``"stock"``."""

_CHOICES = ("auto", "fast", "stock")
# The beginning of PyTensor's warning that it runs an operation in Python inside numba's code.
_OBJECT_MODE = "Numba will use object mode"
_faults: list[str] = []


def chosen_engine() -> str:
    """Return the engine that the environment variable asks for.

    Raises
    ------
    FitError
        If the variable does not name an engine.
    """
    choice = os.environ.get(ENGINE, "auto")
    if choice not in _CHOICES:
        raise FitError(f'{ENGINE} must be one of {listed(_CHOICES)}; got "{choice}".')
    return choice


def engine_in_use() -> str:
    """Return ``"stock"`` if that was asked for or had to take over, else ``"fast"``."""
    return "stock" if chosen_engine() == "stock" or _faults else "fast"


def fast_or_stock[T](fast: Callable[[], T], stock: Callable[[], T]) -> T:
    """Return what the fast engine makes, or what the stock engine makes if that fails.

    Parameters
    ----------
    fast, stock
        What to call.

    Warns
    -----
    FitWarning
        Once per process, if the fast engine fails but the stock one does not; the fast engine is
        then not tried again.
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
        if _faults:  # calls may be nested, and the inner one has already warned
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

    If numba is broken, that is every operation of a graph, and our own warning is enough.
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
