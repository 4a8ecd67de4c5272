"""Report: everything that a fit says, on one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from latentscale.dims import DEFAULT_PROB, VERSION
from latentscale.errors import FitError
from latentscale.expect import expect, expect_path
from latentscale.files import replacing, writable_path
from latentscale.plots.style import apart_from_pyplot
from latentscale.posterior.fit import Fit
from latentscale.reporting.page import render
from latentscale.reporting.request import request
from latentscale.reporting.sections import sections_of
from latentscale.reporting.summary import summary


def report(
    fit: Fit,
    path: str | Path,
    *,
    planned: pd.DataFrame | None = None,
    families: Sequence[str] | None = None,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
    title: str | None = None,
    source: str | None = None,
    progress: bool = False,
) -> Path:
    """Write what a fit says to one HTML file that needs no other file and no network.

    A section that the fit cannot answer says why instead.

    Parameters
    ----------
    fit
        A fit.
    path
        File to write, replaced in one step if it exists; its folder must exist. ``~`` is expanded.
    planned
        Models to forecast, as for `latentscale.predict`; by default, for each family drawn, a
        model four times its largest or, where no size is disclosed or the fit uses none, one like
        its latest.
    families
        Families whose scaling curves are drawn; by default the three with the most models.
    prob
        Probability of the equal-tailed intervals in tables and forecasts.
    seed
        Seed of the random numbers; the same seed gives the same page on the same day.
    title
        Heading of the page; by default the spec's name.
    source
        Source of the scores, shown below the heading; by default "source not stated".
    progress
        Whether to show how many sections are done.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    FitError
        If the file cannot be written.
    DataError
        If a family is not in the fit.
    LatentscaleError
        If `prob` or `seed` is out of range.

    Examples
    --------
    >>> ls.report(fit, "report.html", families=["qwen2"]).name
    'report.html'
    """
    expect(fit, Fit, "fit")
    expect_path(path, "path")
    path = writable_path(path, FitError)
    asked = request(fit, families=families, planned=planned, prob=prob, seed=seed)
    for name, text in (("title", title), ("source", source)):
        if text is not None:
            expect(text, str, name)
    with apart_from_pyplot():
        sections = sections_of(asked, progress=progress)
    page = render(
        title or f"{fit.spec.name}: report of a fit",
        f"{fit.provenance.method}: {fit.status.message}.",
        sections,
        f"Written by latentscale {VERSION}. Intervals are equal-tailed, {prob:.0%} unless they "
        "say otherwise.",
        facts={
            "Date": datetime.now(UTC).date().isoformat(),
            "Data": source or "source not stated",
        },
        summary=summary(asked),
    )
    with replacing(path, FitError) as unfinished:
        # Names read from JSON may hold halves of surrogate pairs, which cannot be written.
        unfinished.write_text(page, encoding="utf-8", errors="replace")
    return path
