"""Letters that matplotlib's usual font does not have: other installed fonts, or one warning.

Not for sizes and weights of text (`style`).
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from typing import Final

from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.text import Text

from latentscale.errors import DataWarning, listed

_OTHERS: Final = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "IPAexGothic",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti TC",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "SimHei",
    "Yu Gothic",
    "Malgun Gothic",
)
"""Fonts of Chinese, Japanese and Korean that come with Linux, macOS and Windows, best first."""
_MISSING: Final = r"Glyph (\d+) \(.*\) missing from"
"""Start of matplotlib's warning about a letter that no font has."""
_named: set[str] = set()
"""Scripts, such as "CJK", that a warning has named."""


class Lettered(Figure):
    """A figure that is drawn with whatever installed font has its letters.

    matplotlib repeats its warning about letters that no font has for every text, dozens of times
    per figure; here one `DataWarning` per script names them.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure; texts keep their font for the letters that it has."""
        _add_fonts(self)
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", _MISSING, UserWarning)
            super().draw(renderer)
        absent = []
        for one in caught:
            found = re.match(_MISSING, str(one.message))
            if found:
                absent.append(chr(int(found[1])))
            else:
                warnings.warn_explicit(str(one.message), one.category, one.filename, one.lineno)
        _warn(absent)


def _add_fonts(figure: Figure) -> None:
    """Add fonts of other scripts to texts that have more than ASCII."""
    installed = set(get_font_names())
    others = [name for name in _OTHERS if name in installed]
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not text.get_text().isascii():
            own = text.get_fontfamily()
            more = [name for name in others if name not in own]
            if more:
                text.set_fontfamily([*own, *more])


def _warn(absent: list[str]) -> None:
    first: dict[str, str] = {}
    for letter in absent:
        first.setdefault(unicodedata.name(letter, "").partition(" ")[0], letter)
    new = {script: letter for script, letter in first.items() if script not in _named}
    if not new:
        return
    _named.update(new)
    warnings.warn(
        f"Figures show boxes in place of letters such as {listed(new.values())}, which no font "
        "that matplotlib uses contains; tables and texts show them. Install a font that contains "
        "them (Noto Sans CJK for Chinese, Japanese and Korean) and remove the file "
        "fontlist-*.json in matplotlib.get_cachedir(), or add an installed one to "
        'matplotlib.rcParams["font.family"].',
        DataWarning,
        stacklevel=2,
    )
