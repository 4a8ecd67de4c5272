"""The planner: a page on which a planned model is described, and what a fit says of it.

`answers` has no page and `page` no numbers. Not for questions that are asked of many models at
once: these are verbs.
"""

from __future__ import annotations

from latentscale.explore.serve import explore

__all__ = ["explore"]
