"""What every result of an analysis has: `.table(prob)`, a short text, and perhaps `.plot()`.

A result computes its own numbers; nothing here does.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import wraps
from html import escape
from importlib import import_module
from inspect import isfunction, signature
from textwrap import wrap
from types import MethodType
from typing import Any, Protocol, overload

import pandas as pd

from latentscale import validate
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import FitError
from latentscale.markup import bullets, counted, data_table, on_screen, plain_text, shortened

WIDTH = 100
"""Columns of text; terminals that are narrower wrap it."""
_ROWS = 8
"""Rows of a table in text, minus a row for each line of notes: a result stays within 20 lines."""
_ADVICE_LINES = 5
"""Lines of advice in text, for the same reason."""
_HTML_ROWS = 12
"""Rows of a table in a notebook: a screen."""
_CELL = 28
"""Letters of a cell in text; longer ones are cut."""
# The one place where results reach for pictures, by name: `plots` imports the results.
_PLOTS = "latentscale.plots"


class Drawing(Protocol):
    """A figure, as `latentscale.plots` makes them."""

    def savefig(self, fname: Any, **settings: Any) -> None:
        """Write it to a file."""

    def to_svg(self) -> bytes:
        """Return it as SVG."""


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Result(ABC):
    """A result: subclasses are frozen dataclasses with ``repr=False``, a headline and a table.

    A subclass may hold `advice`, a tuple of text, which is shown with it. ``table_was_attribute``
    is for classes whose table was an attribute up to version 0.1: that use still works, with a
    DeprecationWarning. A result is equal only to itself: comparing arrays gives no single truth
    value.

    Attributes
    ----------
    fit_status
        ``Status.caveat`` of the fit that the numbers rest on, or of each of several; empty where it
        converged, or where the numbers rest on no fit.

    Examples
    --------
    >>> isinstance(ls.skills(fit), ls.results.Result)
    True
    """

    fit_status: str = field(default="", repr=False)

    def __init_subclass__(cls, *, table_was_attribute: bool = False) -> None:
        super().__init_subclass__()
        # Before `dataclass` compares fields, which for arrays is an error.
        type.__setattr__(cls, "__eq__", object.__eq__)
        type.__setattr__(cls, "__hash__", object.__hash__)
        own = vars(cls).get("table")
        if isfunction(own):
            method = _with_checked_prob(own)
            # Type checkers see the method as written; the descriptor only adds the old use.
            type.__setattr__(cls, "table", _OldTable(method) if table_was_attribute else method)

    @property
    @abstractmethod
    def headline(self) -> str:
        """The result in one sentence.

        Examples
        --------
        >>> ls.skills(fit).headline
        '2 skills of 55 models on 6 benchmarks, 800 draws; below, what each moves most'
        """

    @abstractmethod
    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return it as a table, with equal-tailed intervals of probability `prob`.

        Parameters
        ----------
        prob
            Probability of the intervals, in (0, 1).

        Returns
        -------
        pandas.DataFrame
            One row per quantity; each result documents its columns.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> ls.skills(fit).table(prob=0.5).columns.tolist()[:4]
        ['benchmark', 'skill', 'median', 'lower']
        """

    def brief(self) -> pd.DataFrame | None:
        """Return the rows and columns that text and notebooks show; None for no table.

        By default the whole table, without its units where all scores are fractions.

        Returns
        -------
        pandas.DataFrame or None
            A part of the table.

        Examples
        --------
        >>> ls.skills(fit).brief().columns.tolist()[:2]
        ['skill', 'rank']
        """
        return on_screen(self.table())

    @property
    def notes(self) -> tuple[str, ...]:
        """What readers must know along with the numbers; shown in the text and in the figure.

        Examples
        --------
        >>> [note.partition(" (")[0] for note in ls.skills(fit).notes]
        ['Fit: not converged']
        """
        return (f"Fit: {self.fit_status}",) if self.fit_status else ()

    def __repr__(self) -> str:
        lines = wrap(self.headline, WIDTH, subsequent_indent="  ")
        notes = _note_lines(self.notes)
        lines += [*notes, *_advice(getattr(self, "advice", ()))]
        frame = self.brief()
        if frame is not None and len(frame):
            lines += _table_lines(frame, _ROWS - len(notes))
        return "\n".join([*lines, *wrap(self._see(), WIDTH, subsequent_indent="  ")[:2]])

    def _repr_html_(self) -> str:
        frame = self.brief()
        table = "" if frame is None else data_table(frame, limit=_HTML_ROWS)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        advice = bullets(getattr(self, "advice", ()))
        return f"<p>{escape(self.headline)}</p>{notes}{advice}{table}<p>{escape(self._see())}</p>"

    def _see(self) -> str:
        """Return the names of attributes that hold more."""
        members = {
            name: f".{name}()" if isfunction(value) else f".{name}"
            for name, value in vars(type(self)).items()
            if isfunction(value) or isinstance(value, property)
        }
        held = [f".{f.name}" for f in fields(self) if f.repr]  # type: ignore[arg-type]
        hidden = {".rows", ".headline", ".notes", ".brief()", ".table()"}
        shown = [name for name in (*members.values(), *held) if name not in hidden]
        picture = [".plot()"] if isinstance(vars(type(self)).get("plot"), Picture) else []
        public = [name for name in shown if not name.startswith("._")]
        return "See " + ", ".join([f".table(prob={DEFAULT_PROB:g})", *picture, *public])


def rows_of_prob(
    rows: pd.DataFrame,
    prob: float | None,
    own_prob: float,
    again: Callable[[float], pd.DataFrame] | None,
    call: str,
) -> pd.DataFrame:
    """Return a result's rows, computed again if another probability is asked for.

    Parameters
    ----------
    rows, own_prob
        Rows that the result holds, and the probability of their intervals.
    prob
        Probability asked for; None for that of the result.
    again
        Computes the rows; None where the result does not hold what that needs.
    call
        Which call gives another probability, for the message.

    Raises
    ------
    FitError
        If another probability is asked for and `again` is None.
    """
    if prob is None or prob == own_prob:
        return rows.copy()
    if again is None:
        raise FitError(
            f"This result holds only intervals of probability {own_prob:g}; call {call} with "
            f"prob={prob:g}."
        )
    return again(prob)


class Picture:
    """The method `plot` of a result: a function that draws it, given the result.

    It takes that function's other arguments. The function is imported when it is asked for, so
    that no analysis imports matplotlib.

    Parameters
    ----------
    name
        Name of a function of `latentscale.plots`, or ``"module:function"`` of any other that
        returns a `Drawing` or a matplotlib figure.

    Examples
    --------
    >>> vars(ls.results.Skills)["plot"].name
    'plot_loadings'
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._module, _, self._function = name.rpartition(":")
        self._module = self._module or _PLOTS
        function = f"{self._module}.{self._function}"
        self.__doc__ = f"Draw it with `{function}`; takes the other arguments of that function."

    @overload
    def __get__(self, result: None, owner: type) -> Picture: ...

    @overload
    def __get__(self, result: Result, owner: type) -> Callable[..., Drawing]: ...

    def __get__(self, result: Result | None, owner: type) -> Picture | Callable[..., Drawing]:
        if result is None:
            return self
        # A method of the result, so that ``?`` shows the function's own text and arguments.
        return MethodType(getattr(import_module(self._module), self._function), result)


def _with_checked_prob(method: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    default = signature(method).parameters["prob"].default

    @wraps(method)
    def table(self: Result, prob: float | None = default) -> pd.DataFrame:
        return method(self, None if prob is None and default is None else validate.prob(prob))

    return table


def was_attribute(table: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """Return the method `table` of a class, which still works as the attribute it used to be.

    For records that are not results. Such use is deprecated; the method checks its `prob`.
    """
    # Typing sees a method, as in `Result`.
    return _OldTable(_with_checked_prob(table))  # type: ignore[return-value]


class _OldTable:
    """`table` as a method that can still be used as the data frame it once was."""

    def __init__(self, method: Callable[..., pd.DataFrame]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, result: Result | None, owner: type) -> Callable[..., pd.DataFrame]:
        if result is None:
            return self._method
        return TableOrMethod(MethodType(self._method, result), owner.__name__)


class TableOrMethod:
    """Call it to get the table. Using it as the table itself is deprecated."""

    def __init__(self, method: Callable[..., pd.DataFrame], owner: str) -> None:
        self._method, self._owner = method, owner
        self.__doc__ = method.__doc__

    def __call__(self, prob: float | None = None) -> pd.DataFrame:
        """Return the table."""
        return self._method() if prob is None else self._method(prob)

    def __getattr__(self, name: str) -> Any:
        # Python and notebooks look for optional methods of this form; data frames have none.
        if name.startswith("__") and name not in ("__array__", "__dataframe__"):
            raise AttributeError(name)
        return getattr(self._frame(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._frame()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(f"{self._owner}.table is a method now; change a copy: .table().")

    def __len__(self) -> int:
        return len(self._frame())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._frame())

    def __contains__(self, key: object) -> bool:
        return key in self._frame()

    def __eq__(self, other: object) -> Any:
        return self._frame() == other

    def __ne__(self, other: object) -> Any:
        return self._frame() != other

    __hash__ = None  # type: ignore[assignment]  # as of a data frame

    def __repr__(self) -> str:
        return repr(self._frame())

    def _repr_html_(self) -> str:
        return self._frame().to_html()

    def _frame(self) -> pd.DataFrame:
        warnings.warn(
            f"{self._owner}.table is a method now: write .table(). The attribute goes with the "
            "next release.",
            DeprecationWarning,
            stacklevel=3,
        )
        return self._method()


class FixedTable(Result, table_was_attribute=True):
    """A result whose table, the field `rows`, holds no interval.

    Examples
    --------
    >>> passing = ls.probability_above(fit, planned, {"mmlu": 0.5}, seed=1)
    >>> isinstance(passing, FixedTable)
    True
    """

    rows: pd.DataFrame

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return a copy of `rows`.

        Parameters
        ----------
        prob
            Checked, as in every result; the table holds no interval.

        Returns
        -------
        pandas.DataFrame
            The rows; changing them does not change the result.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> passing.table()["benchmark"].tolist()
        ['mmlu']
        """
        return self.rows.copy()


def _note_lines(notes: tuple[str, ...]) -> list[str]:
    """Return the notes, each cut after two lines."""
    return [
        line
        for note in notes
        for line in wrap(note, WIDTH, subsequent_indent="  ", max_lines=2, placeholder=" …")
    ]


def _advice(advice: tuple[str, ...]) -> list[str]:
    lines: list[str] = []
    for count, line in enumerate(advice):
        wrapped = wrap(line, WIDTH - 2, initial_indent="  - ", subsequent_indent="    ")
        if len(lines) + len(wrapped) > _ADVICE_LINES:
            return [*lines, f"  - and {len(advice) - count} more in .advice"]
        lines += wrapped
    return lines


def _table_lines(frame: pd.DataFrame, rows: int) -> list[str]:
    """Return the first rows, and as many columns as there is room for."""
    shown = frame.head(rows).copy()
    for name in shown.columns:
        if not pd.api.types.is_numeric_dtype(shown[name]):
            shown[name] = [shortened(plain_text(value), _CELL) for value in shown[name]]
    count = len(shown.columns)
    while True:
        text = shown.iloc[:, :count].to_string(index=False, float_format=_figure, na_rep="-")
        lines = text.splitlines()
        if count == 1 or max(map(len, lines)) <= WIDTH:
            break
        count -= 1
    more = {"row": len(frame) - len(shown), "column": len(shown.columns) - count}
    left = [counted(number, f"more {what}") for what, number in more.items() if number]
    return [*lines, *([f"and {', '.join(left)}"] if left else [])]


def _figure(value: float) -> str:
    # As many digits as scores and probabilities need, and powers of ten for compute.
    small = value == 0 or 1e-3 <= abs(value) < 1e5
    return f"{value:.3f}" if small else f"{value:.3g}"
