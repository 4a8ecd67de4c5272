"""Parts of a section of the report: paragraphs, facts, tables, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from latentscale.errors import FitError


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text; a strong one is a verdict."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of lines."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and facts about them."""

    facts: Mapping[str, str]


@dataclass(frozen=True)
class TableBlock:
    """A table whose first column names its rows.

    Attributes
    ----------
    frame
        What is shown, without the index.
    caption
        What it is, with the units.
    decimals
        Decimals of numbers that are not whole.
    limit
        Most rows shown; None for all.
    folded
        Label that the reader opens to see the table; always shown if empty, and on paper.
    """

    frame: pd.DataFrame
    caption: str
    decimals: int = 3
    limit: int | None = None
    folded: str = ""


@dataclass(frozen=True)
class PictureBlock:
    """A figure, with its description for those who cannot see it.

    Attributes
    ----------
    svg
        The drawing.
    alt
        What it shows, for those who cannot see it.
    caption
        The caption below it.
    """

    svg: bytes
    alt: str
    caption: str

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise FitError("A picture of the report needs a description in words.")


Block = Paragraph | Heading | Bullets | Facts | TableBlock | PictureBlock


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    key
        Its address on the page.
    title
        Its heading.
    blocks
        Its contents; empty where `absent` says why.
    absent
        Why it is empty, for example that the spec cannot answer its question.
    """

    key: str
    title: str
    blocks: tuple[Block, ...] = ()
    absent: str = ""
