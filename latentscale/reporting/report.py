"""Report: everything that a fit says, on one page of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from latentscale.dims import DEFAULT_PROB, VERSION
from latentscale.errors import FitError
from latentscale.expect import expect, expect_path
from latentscale.posterior.fit import Fit
from latentscale.reporting.page import render
from latentscale.reporting.request import request
from latentscale.reporting.sections import sections_of


def report(
    fit: Fit,
    path: str | Path,
    *,
    planned: pd.DataFrame | None = None,
    families: Sequence[str] | None = None,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
) -> Path:
    """Write what a fit says to one HTML file that needs no other file and no network.

    A section that the fit cannot answer says why instead.

    Parameters
    ----------
    fit
        A fit.
    path
        File to write, replaced if it exists; its folder must exist.
    planned
        Models to forecast, as for `latentscale.predict`; by default, for each family drawn, a
        model four times its largest.
    families
        Families whose scaling curves are drawn; by default the three with the most models.
    prob
        Probability of the equal-tailed intervals in tables and forecasts.
    seed
        Seed of the random numbers; the same seed gives the same page.

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
    """
    expect(fit, Fit, "fit")
    expect_path(path, "path")
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise FitError(
            f"Cannot write {path}: it is a folder, or its folder does not exist. Give the path of "
            "a file, such as report.html, in a folder that is there."
        )
    asked = request(fit, families=families, planned=planned, prob=prob, seed=seed)
    scores = fit.scores
    page = render(
        f"{fit.spec.name}: report of a fit",
        f"{len(scores.models)} models, {len(scores.benchmarks)} benchmarks, {scores.n_observed} "
        f"scores. {fit.provenance.method}: {fit.status.message}.",
        sections_of(asked),
        f"Written by latentscale {VERSION}. Intervals are equal-tailed, {prob:.0%} unless they "
        "say otherwise.",
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise FitError(f"Cannot write {path}: {error.strerror or error}.") from error
    return path
