"""Figures that cells make are described, for readers who do not see them, by their heading."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class AltText(SphinxPostTransform):
    """Give images without a description the title of the section that holds them."""

    default_priority = 600
    """After outputs of cells have become images (myst-nb, 4) and before images are copied."""

    def run(self, **settings: Any) -> None:
        """Describe the images of one page."""
        for image in self.document.findall(nodes.image):
            if not image.get("alt"):
                image["alt"] = f"Figure: {_heading(image)}"


def _heading(node: nodes.Node) -> str:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, nodes.section):
            title = node.next_node(nodes.title)
            return title.astext() if title else "output"
    return "output"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_post_transform(AltText)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
