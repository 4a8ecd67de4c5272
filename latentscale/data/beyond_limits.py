"""Finding scores beyond a declared ceiling, or beyond the floor where lower is better.

Scores below the guessing floor of benchmarks on which higher is better are in `floors`.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from latentscale.data.audit import Finding
from latentscale.data.floors import margins, median_beyond
from latentscale.data.scaling import is_bounded, lower_is_better
from latentscale.dims import BENCHMARK, MODEL
from latentscale.errors import listed


def beyond_findings(dataset: xr.Dataset) -> list[Finding]:
    """Look for scores beyond the ends of their benchmark's curve by more than chance.

    Parameters
    ----------
    dataset
        Variables score (model, benchmark), floor and n_items (benchmark); ceiling and
        lower_is_better (benchmark), and cell_items (model, benchmark), if there are.

    Returns
    -------
    list
        ``beyond-ceiling`` and, where lower is better, ``above-floor``: warnings if single scores,
        or the median, lie farther beyond than chance explains (by `margins`); otherwise findings of
        level ``"info"``.
    """
    lower, bounded = lower_is_better(dataset).to_series(), is_bounded(dataset).to_series()
    findings = []
    for name in (str(n) for n in dataset[BENCHMARK].to_numpy() if bounded[n]):
        column = dataset.sel({BENCHMARK: name})
        ceiling = float(column["ceiling"]) if "ceiling" in column else np.nan
        if not np.isnan(ceiling):
            remedy = "a better ceiling, or none"
            findings += _beyond(column, "ceiling", ceiling, remedy, above=not lower[name])
        if lower[name]:
            findings += _beyond(
                column, "floor", float(column["floor"]), "a worse floor", above=True
            )
    return findings


def _beyond(
    column: xr.Dataset, what: str, end: float, remedy: str, *, above: bool
) -> list[Finding]:
    """Return a finding on scores above (or below) one end of a benchmark's curve."""
    scores = column["score"].to_numpy()
    # The distance from there to the end of the scale; scores beyond have less.
    left, least = (1 - scores, 1 - end) if above else (scores, end)
    if least <= 0:
        return []
    side, name = "above" if above else "below", str(column[BENCHMARK].item())
    known = int(np.count_nonzero(~np.isnan(scores)))
    beyond = np.flatnonzero(left < least)
    if not len(beyond):
        return []
    far = np.flatnonzero(left < least - margins(column, least))
    order = beyond[np.argsort(left[beyond], kind="stable")]
    seen = f"{len(beyond)} of {known} scores lie {side} the {what} {end:g}"
    code = "beyond-ceiling" if what == "ceiling" else "above-floor"
    if not (len(far) or median_beyond(left, least)):
        message = f"{seen}, the farthest at {scores[order[0]]:.3g}, which chance can explain."
        return [Finding("info", code, name, message)]
    where = listed(column[MODEL].to_numpy()[order].tolist(), limit=6)
    count = (
        f", {len(far)} of them by more than chance" if len(far) else ", and so does their median"
    )
    message = (
        f"{seen}{count} (the farthest at {scores[order[0]]:.3g}): {where}. Curves of expected "
        f"scores do not pass it: declare {remedy}, or correct the scores or their unit."
    )
    return [Finding("warning", code, name, message)]
