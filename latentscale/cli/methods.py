"""Inference methods on the command line: their names and settings, and the command methods."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from latentscale.cli.console import say
from latentscale.cli.derive import described
from latentscale.cli.options import Verbose
from latentscale.cli.output import print_table
from latentscale.errors import FitError

if TYPE_CHECKING:
    from latentscale.inference.method import Method

MethodName = Annotated[
    str,
    typer.Option("--method", help="How to fit; `latentscale methods` lists the names."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SETTING=VALUE",
        help="A setting of the method, such as target_accept=0.9, which `latentscale methods "
        "NAME` lists; may be given several times.",
    ),
]
_NUMBERS = (int, float)


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A method, in upper or lower case.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """List the inference methods, or show the settings of one.

    Methods of other packages are listed too. Settings are given as --set SETTING=VALUE.
    """
    import pandas as pd

    from latentscale.inference.method import METHODS, method_class

    if name is None:
        width = max(len(known) for known in METHODS)
        for known in sorted(METHODS):
            say(f"{known:<{width}}  {_first_line(METHODS[known])}")
        return
    kind = method_class(name)
    say(f"{kind.__name__}: {_first_line(kind)}\n")
    about = described(kind, "Attributes")
    rows = [
        {"setting": f.name, "default": _default(f), "meaning": about.get(f.name, "")}
        for f in fields(kind)
        if f.init
    ]
    print_table(pd.DataFrame(rows, columns=["setting", "default", "meaning"]), str)


def chosen_method(
    name: str, words: Sequence[str] | None, options: Mapping[str, Any] | None = None
) -> Method:
    """Return the method that a command line names, with its settings.

    Parameters
    ----------
    name
        Name of the method, in upper or lower case.
    words
        ``SETTING=VALUE``, with numbers, truth values, lists and tables as JSON has them, and none
        for None.
    options
        Settings that have options of their own; None where one was not given.

    Raises
    ------
    FitError
        If there is no such method or setting, a setting is given twice or out of range, or a word
        has another form.
    """
    from latentscale.inference.method import method_class, method_of

    hints = get_type_hints(method_class(name))
    given = {setting: value for setting, value in (options or {}).items() if value is not None}
    for word in words or ():
        setting, mark, text = word.partition("=")
        setting = setting.strip().replace("-", "_")
        if not mark or not setting:
            raise FitError(f'--set takes SETTING=VALUE, such as draws=500; got "{word}".')
        if setting in given:
            raise FitError(f'The setting "{setting}" is given twice; leave one out.')
        given[setting] = _value(text.strip(), hints.get(setting, Any))
    return method_of(name, given)


def _value(text: str, hint: Any) -> Any:
    """Return typed text parsed as JSON, or as text if it is not JSON or text is wanted."""
    if text.lower() == "none":
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    kinds = get_args(hint) or (hint,)
    wants_text = str in kinds and not any(number in kinds for number in _NUMBERS)
    return text if wants_text and not isinstance(value, str) else value


def _first_line(kind: type[Method]) -> str:
    return cleandoc(kind.__doc__ or "").partition("\n")[0]


def _default(field: Field[Any]) -> str:
    if field.default is MISSING:
        return "must be given" if field.default_factory is MISSING else "its own"
    return "none" if field.default is None else str(field.default)
