"""The section of a verb without its own: headline, advice, picture and table."""

from __future__ import annotations

from inspect import signature
from io import BytesIO
from typing import Any

from latentscale.errors import SpecError
from latentscale.reporting.blocks import Block, Bullets, Paragraph, PictureBlock, TableBlock
from latentscale.reporting.request import Request
from latentscale.result import Result
from latentscale.verb import Verb

_ROWS = 20
"""Rows of the table, as in the package's own sections."""


def answered(verb: type[Verb], request: Request) -> tuple[Block, ...]:
    """Return what a verb's function says about the fit.

    Raises
    ------
    SpecError
        If the function does not return a result.
    """
    function = verb.answer()
    first, *others = signature(function).parameters
    offered: dict[str, Any] = {"frame": request.planned, "prob": request.prob, "seed": request.seed}
    given = {name: offered[name] for name in others if name in offered}
    result = function(**{first: request.fit}, **given)
    if not isinstance(result, Result):
        raise SpecError(
            f'The verb "{verb.name}" has a section in the report, so its function must return a '
            f"Result; it returned a {type(result).__name__}."
        )
    table = result.table(request.prob)
    drawn = getattr(result, "plot", None)
    pictures = [PictureBlock(_svg(drawn()), result.headline, verb.question())] if drawn else []
    return (
        Paragraph(verb.question()),
        Paragraph(result.headline, strong=True),
        Bullets(tuple(getattr(result, "advice", ()))),
        *pictures,
        TableBlock(table, verb.question(), limit=_ROWS),
    )


def _svg(figure: Any) -> bytes:
    """Return a figure as SVG: one of the package's, or any other of matplotlib."""
    if hasattr(figure, "to_svg"):
        drawn: bytes = figure.to_svg()
        return drawn
    buffer = BytesIO()
    figure.savefig(buffer, format="svg")
    return buffer.getvalue()
