"""A card of the gallery shows the first figure of a page and links to the page."""

from __future__ import annotations

import pytest

pytest.importorskip("sphinx", reason="the docs extra is not installed (make docs)")

import thumbnails
from docutils import nodes
from docutils.utils import new_document


def page(*pictures: str) -> nodes.document:
    document = new_document("page")
    for name in pictures:
        document += nodes.container("", nodes.image(uri=name, candidates={"image/png": name}))
    return document


def test_a_card_has_the_first_figure_of_its_page_and_its_question() -> None:
    figure = thumbnails.first_figure(page("first.png", "second.png"))
    assert figure is not None and thumbnails.first_figure(page()) is None
    card = thumbnails.card("How well?", "forecast.html", figure)
    (link,) = card.findall(nodes.reference)
    (picture,) = card.findall(nodes.image)
    (words,) = card.findall(nodes.inline)
    assert link["refuri"] == "forecast.html" and words.astext() == "How well?"
    assert picture["uri"] == "first.png" and picture["alt"] == "Figure: How well?"
    assert picture["candidates"] == {"image/png": "first.png"}
