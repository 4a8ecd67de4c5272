"""Docstrings in the words of the command line: arguments as options, calls as commands.

Not for messages of errors, below which `latentscale.cli.console.with_options` names options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from latentscale.verb import VERBS

_CALL: Final = re.compile(r"`latentscale\.(?:\w+\.)*(\w+)`")
_ARGUMENT: Final = re.compile(r"(?<!`)`(\w+)`(?!`)")
_NUMBERS: Final = re.compile(r"``\{(\"[^\"]+\": [\d.]+(?:, \"[^\"]+\": [\d.]+)*)\}``")
"""Numbers by name as Python has them: ``{"a": 1, "b": 2}``."""
MARK: Final = "\0"
"""Placeholder for backticks that stay when docstrings lose theirs."""


def for_command(text: str, options: Mapping[str, str]) -> str:
    """Return a docstring's text with options and commands instead of arguments and calls.

    Parameters
    ----------
    text
        With the marks of the docstring.
    options
        What is typed for each argument, such as ``{"given": "--given"}``.
    """
    commands = {_name(verb.function): name for name, verb in VERBS.items()}

    def of_call(match: re.Match[str]) -> str:
        name = commands.get(match[1])
        return match[0] if name is None else f"{MARK}latentscale {name}{MARK}"

    def of_numbers(match: re.Match[str]) -> str:
        pairs = re.findall(r"\"([^\"]+)\": ([\d.]+)", match[1])
        return " and ".join(f'"{name}={value}"' for name, value in pairs)

    text = _NUMBERS.sub(of_numbers, _CALL.sub(of_call, text))
    return _ARGUMENT.sub(lambda match: options.get(match[1], match[0]), text)


def _name(function: object) -> str:
    """Return the name of a verb's function, which is not imported for it."""
    if isinstance(function, str):
        return function.rpartition(":")[2]
    return getattr(function, "__name__", "")
