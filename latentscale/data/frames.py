"""Tables of other libraries (polars, pyarrow, dask, duckdb, ...) as pandas frames.

The only place that knows which tables are accepted. Their content is checked elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from latentscale.data.problems import refuse_repeated
from latentscale.errors import DataError

if TYPE_CHECKING:
    from narwhals.stable.v2.typing import IntoFrame

    AnyFrame = pd.DataFrame | IntoFrame
else:  # before narwhals 2.10 its alias names a type that only type checkers can look up
    AnyFrame = pd.DataFrame
"""A table of pandas, or of another library that narwhals supports."""


def as_pandas(frame: Any, what: str) -> pd.DataFrame:
    """Return a table as a pandas DataFrame; a pandas DataFrame is returned unchanged.

    Parameters
    ----------
    frame
        A pandas DataFrame, any eager or lazy frame that narwhals supports (polars, pyarrow, dask,
        duckdb, modin, cuDF, Ibis, PySpark, ...), or an object that exports itself as an Arrow
        table.
    what
        What the table is, for the message.

    Returns
    -------
    pandas.DataFrame
        Numbers have NumPy types, where a null is NaN; everything else Python objects, where a
        null is None.

    Raises
    ------
    DataError
        If it is not a table, its library cannot hand it over, or columns have several levels.
    """
    if isinstance(frame, pd.DataFrame):
        if isinstance(frame.columns, pd.MultiIndex):
            raise DataError(f"{what}: {_of_levels(frame.columns)}")
        return frame
    if isinstance(frame, type | str | bytes | dict | list | tuple):
        raise DataError(_refusal(frame, what))
    try:
        native = nw.from_native(_arrow(frame, what))
        eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    except DataError:
        raise
    except TypeError:
        raise DataError(_refusal(frame, what)) from None
    except Exception as error:  # whatever the other library raises while it computes
        raise DataError(f"{what}: {type_name(frame)} could not be read ({error}).") from error
    names = list(eager.columns)
    refuse_repeated(names, what)
    columns = {name: _column(eager[name]) for name in names}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(eager)))


def _of_levels(columns: pd.MultiIndex) -> str:
    """Return what to do about columns with several levels, such as groups above benchmarks.

    pandas calls an empty cell of a heading "Unnamed: 0_level_0".
    """
    parts = [[p for p in map(str, name) if p and not p.startswith("Unnamed:")] for name in columns]
    last = [part[-1] if part else "" for part in parts]
    how = "[-1]" if len(set(last)) == len(last) else ""
    names = f'[p for p in map(str, name) if not p.startswith("Unnamed:")]{how}'
    one = names if how else f'" ".join({names.removeprefix("[").removesuffix("]")})'
    return (
        "the columns have several levels; give each column one name, as by "
        f"frame.columns = [{one} for name in frame.columns]."
    )


def is_frame(given: object) -> bool:
    """Return whether it is a frame that narwhals supports, or exports itself as Arrow."""
    if isinstance(given, pd.DataFrame):  # also with repeated names, which narwhals refuses
        return True
    known = nw.from_native(given, pass_through=True) is not given
    return known or _exports_arrow(given)


def refuse_frame(given: object, what: str, instead: str) -> None:
    """Refuse a frame where a path is expected.

    Parameters
    ----------
    given
        The argument.
    what
        What the path should lead to.
    instead
        The function that accepts a frame.

    Raises
    ------
    DataError
        If it is a frame.
    """
    if is_frame(given):
        raise DataError(f"Give the path of {what}, not {type_name(given)}; {instead}.")


def _column(column: nw.Series[Any]) -> pd.Series:
    """Return one column: numbers through NumPy, others cell by cell, so that no type is guessed."""
    whole = column.dtype.is_integer() or column.dtype == nw.Boolean
    if column.dtype.is_integer() and column.null_count():
        column, whole = column.cast(nw.Float64), False  # NumPy's integers have no null
    if column.dtype.is_float() or (whole and not column.null_count()):
        return pd.Series(np.asarray(column.to_numpy()))
    return pd.Series(column.to_list(), dtype=object)


def _exports_arrow(given: object) -> bool:
    return hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")


def _arrow(frame: Any, what: str) -> Any:
    """Turn an object that exports itself as Arrow, but is unknown to narwhals, into pyarrow."""
    known = nw.from_native(frame, pass_through=True) is not frame
    if known or not _exports_arrow(frame):
        return frame
    try:
        import pyarrow

        return pyarrow.table(frame)
    except (ImportError, ValueError):  # a single column exports itself so, too
        raise DataError(_refusal(frame, what)) from None


def _refusal(given: object, what: str) -> str:
    """Return what was given instead of a table, and what to do."""
    text = f"{what}: give a pandas DataFrame, not {type_name(given)}"
    if isinstance(given, dict | list | tuple) or hasattr(given, "__array__"):
        return f"{text}. pandas.DataFrame(...) makes one."
    if isinstance(given, str) or hasattr(given, "__fspath__"):
        return f"{text}. latentscale.readers.read_csv(path) reads one from a file."
    if not isinstance(given, type) and callable(getattr(given, "to_frame", None)):
        return f"{text}. Its to_frame() gives one, with every column that it has."
    return f"{text}. Frames of polars, pyarrow and other libraries are taken too."


def type_name(given: object) -> str:
    """Return a type's name with its library, for messages: others have a DataFrame too."""
    kind = given if isinstance(given, type) else type(given)
    library = kind.__module__.partition(".")[0]
    name = kind.__name__ if library == "builtins" else f"{library}.{kind.__name__}"
    return f"the class {name}" if isinstance(given, type) else name
