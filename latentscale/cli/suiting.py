"""The spec of a command that takes scores, with the reasons for it printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from latentscale.cli.console import say, with_options

if TYPE_CHECKING:
    from latentscale.data.scores import Scores
    from latentscale.declare.spec import ModelSpec

AUTO: Final = "auto"
"""The choice by the table, whose rule is in `latentscale.model.spec_for`."""


def suited(name: str, scores: Scores) -> ModelSpec:
    """Return a spec for a table as `latentscale.spec_for` does, and print the reasons.

    Parameters
    ----------
    name
        A shipped spec, the path of a TOML file, or `AUTO`.
    scores
        The table.
    """
    import latentscale as ls

    choice = ls.spec_for(scores, name)
    if choice.reasons:
        say(with_options("\n".join(choice.reasons)))
    if name == AUTO:
        say("--spec names another spec")
    return choice.spec
