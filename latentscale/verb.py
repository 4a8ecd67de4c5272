"""Verbs: the questions that users ask, each registered once.

The command line has a command for each, the report a section for those that have one, and both are
made from the registration. Not here: the answers, which are functions of `latentscale.analysis` and
of the parts before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from typing import Any, ClassVar

from latentscale.errors import SpecError
from latentscale.registry import Registry

_LAST = 90
"""Place of sections that state none: after the package's own, before the spec itself (100)."""


@dataclass(frozen=True)
class ReportSection:
    """Where and how a verb appears in the report.

    Attributes
    ----------
    key
        Its address on the page.
    heading
        Its heading.
    place
        Sections are shown by rising place.
    blocks
        ``"module:function"`` that makes its blocks from a request. By default the verb's function
        is called with the fit, and its result shown: headline, advice, picture and table.

    Examples
    --------
    >>> ReportSection("leaders", "Leaders", place=50).heading
    'Leaders'
    """

    key: str
    heading: str
    place: int = _LAST
    blocks: str = ""


class Verb:
    """A question that users ask: each is a subclass, registered with ``@VERBS.add``.

    The first line of its docstring is the question.

    Attributes
    ----------
    name
        Name of its command, such as ``"next-benchmark"``.
    function
        What answers it: ``"module:function"``, or a static method. Its first argument is a fit.
    example
        A command line.
    command
        ``"module:function"`` of a command that is written by hand; by default the command follows
        from the function: its arguments become options, and its result is printed and written.
    section
        Its section in the report; None for none.

    Examples
    --------
    >>> from latentscale.extend import VERBS
    >>> VERBS["frontier"].name
    'frontier'
    """

    name: ClassVar[str]
    function: ClassVar[str | Callable[..., Any]]
    example: ClassVar[str]
    command: ClassVar[str] = ""
    section: ClassVar[ReportSection | None] = None

    @classmethod
    def question(cls) -> str:
        """Return the question.

        Returns
        -------
        str
            The first line of the docstring.

        Examples
        --------
        >>> VERBS["frontier"].question()
        'How good will the best model be, and when?'
        """
        return cleandoc(cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def answer(cls) -> Callable[..., Any]:
        """Return the function, imported if need be.

        Returns
        -------
        callable
            A function whose first argument is a fit.

        Examples
        --------
        >>> VERBS["frontier"].answer() is ls.frontier
        True
        """
        return imported(cls.function) if isinstance(cls.function, str) else cls.function


def _name_of(kind: type[Verb]) -> str:
    name = getattr(kind, "name", "")
    if not isinstance(name, str) or not name.replace("-", "").isalnum() or name != name.lower():
        raise SpecError(
            f"{kind.__name__}.name must be small letters, digits and hyphens, such as "
            f'"next-benchmark"; got {name!r}.'
        )
    missing = [given for given in ("function", "example") if not hasattr(kind, given)]
    missing += [] if kind.question() else ["a docstring, whose first line is its question"]
    if missing:
        raise SpecError(f"The verb {kind.__name__} needs {', '.join(missing)}.")
    return name


VERBS: Registry[Verb] = Registry("verb", "latentscale.verbs", _name_of)
"""Every verb by the name of its command."""


def imported(path: str) -> Callable[..., Any]:
    """Return the function called ``"module:function"``."""
    module, _, name = path.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def sections() -> tuple[tuple[type[Verb], ReportSection], ...]:
    """Return the verbs that have a section in the report, in the order of the page."""
    having = [(verb, verb.section) for verb in VERBS.values() if verb.section is not None]
    return tuple(sorted(having, key=lambda pair: (pair[1].place, pair[1].key)))
