"""The gallery's pages as cards: the question of each, and the first figure that its cells make.

The directive ``thumbnails`` makes a card of every page in the toctree of its page. Pages without a
figure have none.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective


class Placeholder(nodes.General, nodes.Element):
    """Where the cards will be, once all pages are read and their figures are known."""


class Thumbnails(SphinxDirective):
    """Cards of the pages below this one."""

    def run(self) -> list[nodes.Node]:
        """Return the place of the cards; its page is read at every build, as figures change."""
        self.env.note_reread()
        return [Placeholder()]


class MakeThumbnails(SphinxPostTransform):
    """Put the cards into their place."""

    default_priority = 500
    """Before pictures are copied, which is the writer's work."""

    def run(self, **settings: Any) -> None:
        """Make the cards of one page."""
        for place in list(self.document.findall(Placeholder)):
            cards = nodes.container(classes=["thumbnails"])
            for page in self.env.toctree_includes.get(self.env.docname, []):
                figure = first_figure(self.env.get_doctree(page))
                if figure is not None:
                    where = self.app.builder.get_relative_uri(self.env.docname, page)
                    cards += card(self.env.titles[page].astext(), where, figure)
            place.replace_self(cards)


def first_figure(document: nodes.document) -> nodes.image | None:
    """Return the first picture of a page; None where it has none."""
    return next(iter(document.findall(nodes.image)), None)


def card(question: str, where: str, figure: nodes.image) -> nodes.paragraph:
    """Return a link to a page with its figure above its question."""
    link = nodes.reference("", "", internal=True, refuri=where)
    picture = nodes.image(
        uri=figure["uri"], candidates=dict(figure["candidates"]), alt=f"Figure: {question}"
    )
    picture["loading"] = "lazy"
    link += [picture, nodes.inline("", question)]
    return nodes.paragraph("", "", link, classes=["thumbnail"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the transform."""
    app.add_node(Placeholder)
    app.add_directive("thumbnails", Thumbnails)
    app.add_post_transform(MakeThumbnails)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
