"""The planner: a page on which to describe a planned model, with a fit's answers about it.

`answers` has no page and `page` no numbers. Questions about many models at once are verbs.
"""

from __future__ import annotations

from latentscale.explore.serve import explore

__all__ = ["explore"]
