"""One look for every figure: colours, text sizes, panels and the legend."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from math import ceil, floor, log10
from os import PathLike
from pathlib import Path
from textwrap import fill
from typing import IO, Any, Final
from weakref import WeakKeyDictionary, ref

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from latentscale.analysis.tools.units import stated_unit
from latentscale.errors import LatentscaleError
from latentscale.files import FIGURE_ENDINGS, checked_ending, is_stream, replacing, writable_path
from latentscale.markup import counted
from latentscale.plots.fonts import Lettered
from latentscale.plots.labels import broken, distinct

# Okabe and Ito 2008, "Color universal design": distinguishable with every kind of colour vision.
BLACK: Final = "#000000"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
GREY: Final = "#8C8C8C"

# The same colours, distinct in lightness too. The first three share a hue, for what acts through
# skills; each of the others also has its own hatch.
FILLS: Final[tuple[tuple[str, str | None], ...]] = (
    (BLUE, None),
    ("#56B4E9", None),
    ("#B5DCF5", None),
    (VERMILLION, "//"),
    ("#E69F00", "\\\\"),
    ("#F0E442", ".."),
    ("#CC79A7", "++"),
    (BLACK, "oo"),
)
"""Colours and hatches of stacked bars, in the order in which they are used."""

SCORE_LABEL: Final = "score (%)"

ROW_LETTERS: Final = 30
"""Letters of a name next to a row; longer names are cut: panels keep most of the figure."""

_WIDE_SPAN: Final = 100.0
"""Ratio of largest to smallest value above which an axis is logarithmic: on a linear one the
smallest value, and with it most scores in minutes or dollars, would be within a hundredth of its
end."""

_FULL_DECADES: Final = 1.5
"""Below this many decades an axis shows more ticks than the powers of ten."""

# Any: matplotlib types the keys of its settings as a list of literals.
_STYLE: Final[Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
_DPI: Final = 150
_MIN_WIDTH: Final = 6.6
_LETTER_INCHES: Final = 0.08
"""Mean width of a letter of captions, at 10 points: 97 Latin or 90 Cyrillic took 7.2 inches."""
_LINE_INCHES: Final = 0.2
"""Height of a line of captions, at 10 points and 1.4 lines."""
_BOLD_INCHES: Final = 0.095
"""Mean width of a letter above a panel, bold at 9.5 points."""
_LEGEND_INCHES: Final = 0.07
"""Mean width of a letter of the legend, at 8.5 points."""
_LEGEND_LINES: Final = 2
"""Legend lines for which a figure's height has room; more lines make it taller."""
_HANDLE_INCHES: Final = 0.6
"""Width of the line or mark, and of the gaps, in a column of the legend."""
_ROW_LETTER_INCHES: Final = 0.06
"""Mean width of a letter of a row's name, at 8 points."""
_GAP_INCHES: Final = 0.15
"""Gap to the next panel, as a share of a panel's width."""
_AXIS_INCHES: Final = 0.5
"""Numbers of the vertical axis and gap to the next panel, as a share of a panel's width."""


_MOST_OPEN: Final = 10
"""Figures that pyplot holds for `plt.show()`: it warns when more than 20 are open."""
_BELOW_LABELS: Final = -0.22
"""Top of a legend below a caller's axes, in heights of the legend: under ticks and label."""
_open: deque[ref[Sheet]] = deque()
_apart: ContextVar[bool] = ContextVar("apart", default=False)
_guests: WeakKeyDictionary[Figure, list[Axes]] = WeakKeyDictionary()
"""Callers' figures that are drawn on, and the axes that were given."""

type OnAxes = Axes | Sequence[Axes] | np.ndarray | None
"""Where a plot is drawn: the caller's axes, one per panel, or a new figure."""


@contextmanager
def apart_from_pyplot() -> Iterator[None]:
    """Keep figures for pages and files out of `plt.show()` and notebooks."""
    token = _apart.set(True)
    try:
        yield
    finally:
        _apart.reset(token)


class Sheet(Lettered):
    """A matplotlib figure that pyplot shows if it is imported, and a notebook only once."""

    def _repr_png_(self) -> bytes:
        stream = BytesIO()
        self.savefig(stream, format="png")
        return stream.getvalue()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"image/png": self._repr_png_(), "text/plain": repr(self)}, raw=True)
        self._leave_pyplot()  # which would show it again at the end of the cell

    def _leave_pyplot(self) -> None:
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close(self)

    def savefig(self, fname: str | PathLike[str] | IO[bytes], **settings: Any) -> None:
        """Save the figure as matplotlib does; a file is replaced completely or not at all.

        Parameters
        ----------
        fname
            A path or an open file. The path's ending sets the format; without one it is PNG, and
            ``.png`` is added. ``~`` is expanded.
        settings
            Settings of `matplotlib.figure.Figure.savefig`.

        Raises
        ------
        LatentscaleError
            If the ending is not one of a figure, or the file cannot be written.
        """
        if not isinstance(fname, str | PathLike):
            super().savefig(fname, **settings)
            return
        form = settings.pop("format", None)
        path = Path(fname)
        if form is None:
            if not path.suffix and not is_stream(path):
                path = path.with_name(f"{path.name}.png")
            path = writable_path(path, LatentscaleError)
            if path.suffix:
                # matplotlib writes GIF from version 3.10 on.
                drawable = {f".{name}" for name in self.canvas.get_supported_filetypes()}
                allowed = tuple(ending for ending in FIGURE_ENDINGS if ending in drawable)
                checked_ending(path, allowed, "a figure", LatentscaleError)
            form = path.suffix.lower().lstrip(".") or "png"
        drawn = BytesIO()  # a pipe or a full disk then gets only finished bytes
        super().savefig(drawn, format=form, **settings)
        with replacing(path, LatentscaleError) as unfinished:
            unfinished.write_bytes(drawn.getvalue())

    def to_svg(self) -> bytes:
        """Return the figure as SVG with its letters drawn, the same bytes every time."""
        stream = BytesIO()
        with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "latentscale"}):
            self.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        return stream.getvalue()


def _new_sheet(**settings: Any) -> Sheet:
    """Return a figure; if the user has imported pyplot, `plt.show()` shows it.

    pyplot keeps the last of a program's many figures; the others stay with their owners.
    """
    pyplot = sys.modules.get("matplotlib.pyplot")
    main = threading.current_thread() is threading.main_thread()
    if pyplot is None or _apart.get() or not main:
        figure = Sheet(**settings)
        FigureCanvasAgg(figure)
        return figure
    managed: Sheet = pyplot.figure(FigureClass=Sheet, **settings)
    _open.append(ref(managed))
    while len(_open) > _MOST_OPEN:
        oldest = _open.popleft()()
        if oldest is not None:
            oldest._leave_pyplot()
    return managed


def _given_axes(ax: Axes | Sequence[Axes] | np.ndarray, count: int) -> list[Axes]:
    """Return the caller's axes, one per panel.

    Raises
    ------
    LatentscaleError
        If they are not axes, belong to several figures, or differ in number from the panels.
    """
    given = list(np.ravel(np.asarray(ax, dtype=object)))
    if not all(isinstance(one, Axes) for one in given):
        raise LatentscaleError(
            f"ax must be matplotlib Axes, or a list or array of them; got {ax!r}."
        )
    if len(given) != count:
        raise LatentscaleError(
            f"This plot has {counted(count, 'panel')}, but ax has {len(given)}: give as many axes, "
            f"such as plt.subplots(1, {count})[1]."
        )
    if len({id(one.figure) for one in given}) > 1:
        raise LatentscaleError("The axes in ax belong to several figures; give axes of one figure.")
    return given


def panels(
    count: int,
    *,
    columns: int,
    width: float,
    height: float,
    share_y: bool = True,
    ax: OnAxes = None,
) -> tuple[Sheet, list[Axes]]:
    """Return a figure with `count` panels in rows of `columns`: a new one, or the figure of `ax`.

    Parameters
    ----------
    count, columns
        Panels, and the largest number of them side by side.
    width, height
        Size of one panel, inches; a few panels are widened to hold the caption and legend.
    share_y
        Whether all panels have the same vertical axis.
    ax
        The caller's axes, one per panel; None for a new figure.
    """
    if ax is not None:
        given = _given_axes(ax, count)
        host: Any = given[0].get_figure()  # typed as ours: a caller's figure is saved by the caller
        _guests[host] = given
        return host, given
    across = min(count, columns)
    down = ceil(count / across)
    width = max(width, _MIN_WIDTH / across)
    # Outside the context, whose end would undo the settings that a notebook makes with its first
    # figure.
    figure = _new_sheet(
        figsize=(across * width + 0.6, down * height + 0.9),
        dpi=_DPI,
        layout="constrained",
        facecolor=_STYLE["figure.facecolor"],
    )
    with mpl.rc_context(_STYLE):
        grid = figure.subplots(down, across, sharey=share_y, squeeze=False)
    axes = [axis for row in grid for axis in row]
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def hosted(figure: Figure) -> list[Axes]:
    """Return the caller's axes that a plot is drawn on; none for a figure of ours."""
    return _guests.get(figure, [])


def heading(panel: Axes, name: str) -> None:
    """Write the name of a panel above it (see `headings`)."""
    headings([panel], [name])


def headings(
    axes: Sequence[Axes],
    names: Sequence[str],
    endings: Sequence[str] = (),
    *,
    beside: Sequence[str] = (),
) -> None:
    """Write the names of panels above them; long names take a few lines or are cut.

    Names that are cut stay different from one another, and keep their units in brackets.

    Parameters
    ----------
    axes, names
        Panels, and the name of each.
    endings
        What follows each name and is never cut, such as its unit or threshold.
    beside
        Names of rows, left of the first panel in a row, which narrow all panels.
    """
    endings = endings or [""] * len(names)
    figure: Any = axes[0].get_figure()
    if not hosted(figure):
        grid = axes[0].get_subplotspec()
        across = 1 if grid is None else grid.get_gridspec().ncols
        letters = min(max(map(len, beside), default=0), ROW_LETTERS)
        width = (figure.get_figwidth() - letters * _ROW_LETTER_INCHES) / across
        fits = int((width - (_GAP_INCHES if beside else _AXIS_INCHES)) / _BOLD_INCHES)
        room = 2 * fits - max(map(len, endings))
        cut = distinct(names, max(room, fits), keep_end=True)
        texts = [broken(f"{name}{end}", fits) for name, end in zip(cut, endings, strict=True)]
    else:
        texts = [f"{name}{end}" for name, end in zip(names, endings, strict=True)]
    for panel, text in zip(axes, texts, strict=True):
        panel.set_title(text, loc="left", fontsize=9.5, fontweight="bold", parse_math=False)


def title(figure: Figure, headline: str, caption: str, notes: Sequence[str] = ()) -> None:
    """Write a headline above the figure, and its caption on the next lines.

    Above a caller's axes only the headline is written, if there is one panel without a name.

    Parameters
    ----------
    figure, headline, caption
        The figure, and what is written; the caption may have several lines, or be empty.
    notes
        `Result.notes` of what is drawn: the last lines of the caption.
    """
    if host := hosted(figure):
        if len(host) == 1 and not host[0].get_title(loc="left"):
            heading(host[0], headline)
        return
    fits = int(figure.get_figwidth() / _LETTER_INCHES)
    lines = [line for part in (headline, caption, *notes) if part for line in part.split("\n")]
    text = "\n".join(fill(line, fits) for line in lines)
    more = text.count("\n") - f"{headline}\n{caption}".count("\n")  # without room yet
    figure.set_figheight(figure.get_figheight() + _LINE_INCHES * more)  # panels keep their height
    # Names of models and families may hold a dollar sign, which is not mathematics here.
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, linespacing=1.4, parse_math=False)


def part_shown(shown: int, of: int, what: str = "") -> str:
    """Return the headline's addition where a figure has no room for all rows; otherwise nothing."""
    return f", {shown} of {of}{f' {what}' if what else ''} shown" if shown < of else ""


def across_label(axes: list[Axes], columns: int, text: str) -> None:
    """Label the horizontal axis of the lowest panel of each column."""
    for panel in axes[-columns:]:
        panel.set_xlabel(text, fontsize=8.5, parse_math=False)


def percent_axis(axis: Any) -> None:
    """Show fractions as percentages on one axis of a panel, ``panel.xaxis`` or ``panel.yaxis``."""
    # As many decimals as a tick needs: 2.5 must not be written as 2, nor 5 as 5.0.
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 6):g}"))


def log_axis(axis: Any, first: float, last: float) -> None:
    """Label a logarithmic axis: plain numbers such as 0.5, 20 and 700, compute as powers of ten.

    Parameters
    ----------
    axis
        ``panel.xaxis`` or ``panel.yaxis``, already logarithmic.
    first, last
        Its ends.
    """
    few = log10(last / first) < _FULL_DECADES
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=6))
    axis.set_major_formatter(FuncFormatter(_natural))
    axis.set_minor_formatter(NullFormatter())


def _natural(value: float, _position: int | None = None) -> str:
    if value <= 0:
        return ""
    power = floor(log10(value) + 1e-9)
    if -3 <= power < 5:
        return f"{value:g}"
    mantissa = round(value / 10.0**power)
    return f"$10^{{{power}}}$" if mantissa == 1 else f"${mantissa}\\cdot10^{{{power}}}$"


def score_axis(axis: Any, name: str, units: Mapping[str, str]) -> None:
    """Show a benchmark's scores on one axis: fractions as percentages, others unchanged.

    The axis of other scores, such as minutes, is logarithmic if everything drawn is above 0 and
    spans two decades or more; call this once everything is drawn.
    """
    if name not in units:
        percent_axis(axis)
        return
    low, high = axis.get_data_interval()
    if low > 0 and high / low >= _WIDE_SPAN:
        set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
        set_scale("log")
        log_axis(axis, low, high)


def unit_ending(name: str, units: Mapping[str, str]) -> str:
    """Return what follows a benchmark's name: its unit in brackets unless it is percent.

    Nothing follows a name that states its unit, such as "horizon (minutes)", or where no unit is
    stated.
    """
    unit = stated_unit(units.get(name, ""))
    return f" ({unit})" if unit and f"({unit})" not in name else ""


def with_unit(name: str, units: Mapping[str, str]) -> str:
    """Return the name of an axis of a benchmark's scores (see `unit_ending`)."""
    return f"{name}{unit_ending(name, units)}"


def score_label(names: Sequence[str], units: Mapping[str, str]) -> str:
    """Return the label of axes of these benchmarks' scores."""
    own = [name for name in names if name in units]
    if not own:
        return SCORE_LABEL
    return "score" if len(own) == len(names) else "score (% or named unit)"


def name_rows(panel: Axes, names: Sequence[str], *, limit: int | None = ROW_LETTERS) -> None:
    """Label rows 0, 1, ... from the top down; a name is never read as mathematics.

    Parameters
    ----------
    panel
        Its rows are at whole numbers.
    names
        One a row.
    limit
        Most letters of a name (see `distinct`); None for no limit.
    """
    shown = list(names) if limit is None else distinct(names, limit)
    panel.set_yticks(range(len(shown)), shown, parse_math=False)
    panel.set_ylim(len(shown) - 0.4, -0.6)


def within(panel: Axes, name: str, units: Mapping[str, str]) -> None:
    """Let the axis of a benchmark's scores end at 0 and 100%, where they are fractions."""
    if name not in units:
        low, high = panel.get_xlim()
        panel.set_xlim(max(low, 0.0), min(high, 1.0))


def legend(figure: Figure, axes: list[Axes], extra: Mapping[str, Any] | None = None) -> None:
    """Put one legend below all panels; each label once, cut if wider than the figure.

    Parameters
    ----------
    figure, axes
        The figure, and its panels.
    extra
        Further handles by label, placed before the panels' handles.
    """
    handles = dict(extra or {})
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if hosted(figure):
        drawn = axes[-1].legend(
            list(handles.values()),
            list(handles),
            loc="upper left",
            bbox_to_anchor=(0, _BELOW_LABELS),
            ncols=2,
            fontsize=7.5,
            frameon=False,
        )
    else:
        width = figure.get_figwidth()
        labels = distinct(list(handles), int((width - _HANDLE_INCHES) / _LEGEND_INCHES))
        widest = max(map(len, labels), default=0) * _LEGEND_INCHES + _HANDLE_INCHES
        columns = max(1, min(len(handles), 3, int(width / widest)))
        more = max(0, ceil(len(handles) / columns) - _LEGEND_LINES)
        figure.set_figheight(figure.get_figheight() + _LINE_INCHES * more)
        with mpl.rc_context(_STYLE):
            drawn = figure.legend(
                list(handles.values()),
                labels,
                loc="outside lower left",
                ncols=columns,
                fontsize=8.5,
            )
    for text in drawn.get_texts():  # names of levels may hold dollar signs
        text.set_parse_math(False)
