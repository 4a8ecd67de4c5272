"""Letters that the usual font does not have."""

from __future__ import annotations

import warnings
from io import BytesIO

import pytest
from matplotlib.text import Text

from latentscale.errors import DataWarning
from latentscale.plots import fonts
from latentscale.plots.style import Sheet, name_rows, panels, title

CHINESE, BARRED = "通义千问", "\N{LATIN LETTER VOICED LARYNGEAL SPIRANT}"


def named(*names: str) -> Sheet:
    """Return a figure with these names next to its rows and in its title."""
    figure, (panel,) = panels(1, columns=1, width=3, height=2)
    name_rows(panel, names)
    title(figure, names[0], "caption")
    return figure


@pytest.fixture(autouse=True)
def without_other_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_OTHERS", ())
    monkeypatch.setattr(fonts, "_named", set())


def test_letters_that_no_font_has_are_named_once() -> None:
    """matplotlib warned about each in every text, 81 times in a report on 24 models."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        named(CHINESE, f"{CHINESE} 2", BARRED).to_svg()
        named(f"{CHINESE} 3").savefig(BytesIO(), format="png", bbox_inches="tight")
    (warning,) = caught
    assert warning.category is DataWarning
    assert f'boxes in place of letters such as "{CHINESE[0]}", "{BARRED}"' in str(warning.message)
    with pytest.warns(DataWarning, match='such as "한"'):  # another script
        named("한국어").savefig(BytesIO(), format="png")


def test_an_installed_font_that_has_them_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(DataWarning, match=BARRED):
        boxes = named(BARRED, "a").to_svg()
    monkeypatch.setattr(fonts, "_named", set())
    monkeypatch.setattr(fonts, "_OTHERS", ("Not Installed", "DejaVu Serif"))
    figure = named(BARRED, "a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        letters = figure.to_svg()
    assert letters != boxes and figure.to_svg() == letters
    families = {text.get_text(): text.get_fontfamily() for text in figure.findobj(Text)}
    assert families[BARRED][-1] == "DejaVu Serif" and "DejaVu Serif" not in families["a"]


def test_other_warnings_of_a_drawing_come_through() -> None:
    class Odd(Text):
        def draw(self, renderer: object) -> None:
            warnings.warn("an odd line", RuntimeWarning, stacklevel=1)

    figure = named("a")
    figure.add_artist(Odd(0.5, 0.5, "b"))
    with pytest.warns(RuntimeWarning, match="an odd line"):
        figure.canvas.draw()
