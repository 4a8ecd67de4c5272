"""The page: sections as one HTML file that needs nothing else, on a screen or on paper."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from latentscale.markup import bullets, data_table
from latentscale.reporting.blocks import (
    Block,
    Bullets,
    Facts,
    Heading,
    Paragraph,
    PictureBlock,
    Section,
    TableBlock,
)

# Colours have a contrast of at least 7 to 1 with the background, and never carry meaning alone.
_STYLE = """
:root { color-scheme: light; --ink: #1a1a1a; --soft: #4a4a4a; --line: #c8c8c8; --link: #00497a; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: #fff; line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.skip { position: absolute; left: -999em; }
.skip:focus { left: 1rem; top: 1rem; padding: .5rem; background: #fff; }
header, main, footer { max-width: 64rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2rem 0 .25rem; overflow-wrap: anywhere; }
p { max-width: 46rem; margin: .6rem 0; }
p, li, dd, caption, figcaption { overflow-wrap: anywhere; }
.about, .absent, figcaption, footer { color: var(--soft); }
.summary { font-size: 1.1rem; max-width: 52rem; }
.verdict { font-weight: 600; border-left: 4px solid var(--ink); padding-left: .75rem; }
a { color: var(--link); }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: 1rem 0; }
dt { font-weight: 600; }
dd { margin: 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { caption-side: top; color: var(--soft); padding-bottom: .35rem; }
th, td { padding: .28rem .9rem .28rem 0; border-bottom: 1px solid #e4e4e4; vertical-align: top; }
thead th { border-bottom: 1px solid var(--ink); vertical-align: bottom; }
tbody th { font-weight: 400; }
td { max-width: 42rem; }
figure { margin: 1.25rem 0; }
figcaption, summary { font-size: .9rem; max-width: 46rem; }
figure img { display: block; width: 100%; min-width: 52rem; height: auto; }
summary { cursor: pointer; color: var(--link); margin: .75rem 0; }
footer { padding-top: 2rem; padding-bottom: 2rem; font-size: .875rem; }
@media (max-width: 40rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.4rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  figure img { min-width: 40rem; }
  figcaption::after { content: " The figure is wider than the screen: scroll it sideways."; }
}
@media print {
  @page { margin: 16mm; }
  body { font-size: 9.5pt; }
  header, main, footer { max-width: none; padding: 0; }
  nav, .skip, summary { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr, dl { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; }
  figure img { min-width: 0; }
  figcaption::after { content: none; }
  table { font-size: 8pt; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
}
"""


def render(
    title: str,
    about: str,
    sections: Sequence[Section],
    foot: str,
    *,
    facts: Mapping[str, str] | None = None,
    summary: str = "",
) -> str:
    """Return the whole page.

    Parameters
    ----------
    title, about
        Heading of the page, and the line below it.
    sections
        The parts, in order.
    foot
        The last line.
    facts
        Facts about the page (date, source), below the title.
    summary
        A paragraph before everything else.
    """
    stated = _block(Facts(facts)) if facts else ""
    first = f'<p class="summary">{_lines(summary)}</p>' if summary else ""
    links = "".join(
        f'<li><a href="#{escape(section.key)}">{escape(section.title)}</a></li>'
        for section in sections
    )
    parts = "\n".join(_section(section) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>{escape(title)}</h1>
<p class="about">{escape(about)}</p>
{stated}{first}
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="content">
{parts}
</main>
<footer><p>{escape(foot)}</p></footer>
</body>
</html>
"""


def _section(section: Section) -> str:
    key = escape(section.key)
    if section.absent:
        body = f'<p class="absent">{_lines(section.absent)}</p>'
    else:
        body = "\n".join(_block(block) for block in section.blocks)
    return (
        f'<section id="{key}" aria-labelledby="{key}-title">\n'
        f'<h2 id="{key}-title">{escape(section.title)}</h2>\n{body}\n</section>'
    )


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        verdict = ' class="verdict"' if block.strong else ""
        return f"<p{verdict}>{_lines(block.text)}</p>"
    if isinstance(block, Heading):
        return f"<h3>{escape(block.text)}</h3>"
    if isinstance(block, Bullets):
        return bullets(block.lines)
    if isinstance(block, Facts):
        pairs = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in block.facts.items())
        return f"<dl>{''.join(pairs)}</dl>"
    if isinstance(block, TableBlock):
        return _table(block)
    return _picture(block)


def _table(block: TableBlock) -> str:
    table = data_table(
        block.frame, caption=block.caption, decimals=block.decimals, limit=block.limit
    )
    # A part that scrolls must be reachable and named for those who use the keyboard.
    label = escape(block.caption)
    scrolled = f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{table}</div>'
    if not block.folded:
        return scrolled
    return f"<details><summary>{escape(block.folded)}</summary>{scrolled}</details>"


def _picture(block: PictureBlock) -> str:
    data = b64encode(block.svg).decode("ascii")
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(block.alt)}">'
    label = escape(f"Figure: {block.caption}")
    return (
        f'<figure><div class="scroll" role="region" tabindex="0" aria-label="{label}">{image}</div>'
        f"<figcaption>{escape(block.caption)}</figcaption></figure>"
    )


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")
