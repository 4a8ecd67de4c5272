"""The report of a fit: one page of HTML, made of analysis results and their plots."""

from __future__ import annotations

from latentscale.reporting.report import report

__all__ = ["report"]
