"""Check every link inside the built site, and list those that lead outside.

``python docs/check_links.py [FOLDER]`` reads each page of ``docs/_build/html``, and exits with 1 if
a link or picture leads to a file or to an anchor that is not there, or if a page would fetch a
script, style sheet or picture from a network. Links to other sites are listed in
``outside_links.txt`` beside the site; none is fetched.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FOLDER = Path(__file__).parent / "_build" / "html"
_FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src")}


@dataclass
class Page(HTMLParser):
    """Links and anchors of one page.

    Attributes
    ----------
    links
        Each link's target, and whether a browser fetches it by itself.
    anchors
        Names that a link may lead to.
    """

    links: list[tuple[str, bool]] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag links to and what it can be linked by."""
        given = {name: value for name, value in attrs if value is not None}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        rel = given.get("rel", "")
        for name in ("href", "src"):
            if name in given and not (tag == "link" and rel in ("canonical", "author")):
                self.links.append((given[name], (tag, name) in _FETCHED))


def read(path: Path) -> Page:
    """Return the links and anchors of a page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _pages(folder: Path) -> list[Path]:
    """Return the pages of a site, without the theme's own templates."""
    return sorted(path for path in folder.rglob("*.html") if "_static" not in path.parts)


def _has(page: Page, anchor: str) -> bool:
    return not anchor or anchor in page.anchors


def problems(folder: Path) -> tuple[list[str], list[str]]:
    """Return what is wrong with the links of a site, and the links that lead outside, sorted.

    Parameters
    ----------
    folder
        The built site.
    """
    pages = {path.resolve(): read(path) for path in _pages(folder)}
    wrong: list[str] = []
    outside: set[str] = set()
    for path, page in pages.items():
        here = path.relative_to(folder.resolve())
        for link, fetched in page.links:
            parts = urlsplit(link)
            if parts.scheme == "data" or link.startswith("javascript:"):
                continue
            if parts.scheme or parts.netloc:
                outside.add(link)
                if fetched:
                    wrong.append(f"{here}: fetches {link} from a network")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append(f"{here}: {link} leads to no file")
            elif target in pages and not _has(pages[target], unquote(parts.fragment)):
                wrong.append(f"{here}: {link} leads to no anchor")
    return wrong, sorted(outside)


def main() -> int:
    """Check the site and say what was found."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if not any(folder.rglob("*.html")):
        print(f"No page in {folder}; build the site first: make docs", file=sys.stderr)
        return 1
    wrong, outside = problems(folder)
    (folder.parent / "outside_links.txt").write_text("\n".join([*outside, ""]), encoding="utf-8")
    for line in wrong:
        print(line, file=sys.stderr)
    print(
        f"Links: {len(wrong)} wrong inside the site, {len(outside)} to other sites (not fetched)."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
