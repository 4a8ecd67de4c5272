"""LaTeX in cells and headings that were pasted from the source of a paper."""

from __future__ import annotations

import re
from typing import Final

_SIGNS: Final = {
    "pm": "±",
    "uparrow": "↑",
    "downarrow": "↓",
    "dagger": "†",
    "ddagger": "‡",
    "ast": "*",
    "star": "*",
    "sim": "~",
    "approx": "≈",
    "tau": "τ",
    "alpha": "α",
    "beta": "β",
    "mu": "μ",
    "times": "×",
    "checkmark": "✓",
    "xmark": "✗",
}
"""Commands that stand for one sign of a table of scores."""
_SIGN: Final = re.compile(rf"\\({'|'.join(_SIGNS)})(?![a-zA-Z])")
_ESCAPED: Final = re.compile(r"\\([%&_#$])")
_SPREAD: Final = re.compile(r"_\{\s*(?:\\pm|±)\s*([\d.]+)\s*\}")
_RAISED: Final = re.compile(
    r"\$\s*\^\s*(?:\{([^{}]*)\}|(\\?\w+|[*†‡]))\s*\$|\\textsuperscript\{([^{}]*)\}"
)
_SPANNED: Final = re.compile(r"\\multi(?:row|column)\*?\{[^{}]*\}\{[^{}]*\}\{([^{}]*)\}")
_COLOURED: Final = re.compile(r"\\(?:cell|row|text)?color(?:\[[^\]]*\])?\{[^{}]*\}")
_COMMAND: Final = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|sc)?|underline|uline|emph|math(?:bf|rm|it)|makecell)\{([^{}]*)\}"
)
_SWITCH: Final = re.compile(
    r"\\(?:bf(?:series)?|it|em|tiny|small|footnotesize|scriptsize)(?![a-zA-Z])\s*"
)
_BRACES: Final = re.compile(r"(?<![\\a-zA-Z^_])\{([^{}]*)\}")
_MATHS: Final = re.compile(r"\$\s*([-+]?\d[\d.,]*|[^$\s\d][^$\d]*)\s*\$")
"""A sign or a number in the signs of mathematics; "$1.25 / $14" has those of a currency."""
_ANY_MATHS: Final = re.compile(r"\$([^$]*)\$")
"""Anything in these signs, in a text that has commands too."""


def without_latex(text: str, raised: str = "") -> str:
    r"""Return a text without the commands of LaTeX, as it was where it has none.

    Parameters
    ----------
    text
        A cell or a heading.
    raised
        What a raised text becomes: nothing, as it is a footnote's mark, or ``r"^\1"``.

    Examples
    --------
    >>> without_latex(r"\textbf{92.1}$^\dagger$"), without_latex(r"90.1$_{\pm 0.3}$")
    ('92.1', '90.1 ± 0.3')
    >>> without_latex(r"95\%"), without_latex(r"WER $\downarrow$"), without_latex("$1 / $2")
    ('95%', 'WER ↓', '$1 / $2')
    """
    if "\\" not in text and text.count("$") < 2:
        return text
    plain = _RAISED.sub(lambda found: raised and f"^{found[1] or found[2] or found[3]}", text)
    plain = _SPREAD.sub(r" ± \1", _SPANNED.sub(r"\1", _COLOURED.sub("", plain)))
    while (inner := _COMMAND.sub(r"\1", plain)) != plain:
        plain = inner
    plain = _SIGN.sub(lambda found: _SIGNS[found[1]], _SWITCH.sub("", plain))
    plain = _BRACES.sub(r"\1", plain) if plain != text else plain
    plain = (_ANY_MATHS if "\\" in text else _MATHS).sub(r"\1", plain)
    plain = _ESCAPED.sub(r"\1", plain)
    return text if plain == text else re.sub(r"\s+", " ", plain).strip()
