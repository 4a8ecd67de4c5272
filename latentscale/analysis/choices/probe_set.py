"""Probe set: the few benchmarks that are most informative about all others, for future models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.choices.next_benchmark import (
    FEWEST_DRAWS,
    MOST_SETS,
    checked_costs,
    checked_names,
    covariance_after,
    normal_scores,
)
from latentscale.analysis.forecasts.latents import Floats
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.tools.units import common_unit, spread_note
from latentscale.data.frames import AnyFrame, as_pandas
from latentscale.data.planned import NOT_FORECAST
from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL, SAMPLE
from latentscale.errors import DataError, FitError, listed
from latentscale.expect import expect, expect_names
from latentscale.markup import FRACTION
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import is_whole, whole_number

_USUAL = 5
"""Default size of a set: benchmarks that can be run in an afternoon, and few compared with the
dozens of a hub."""
_MOST_ROWS = 60
"""Most rows that represent future models: with more, the mean changes in the third digit."""
_NOTHING = 1e-12
"""Variance, relative to the largest, below which a benchmark counts as constant."""


@dataclass(frozen=True, repr=False)
class ProbeSet(Result):
    """The benchmarks to run first on new models, and the variance of the others that remains.

    Attributes
    ----------
    steps
        One row per benchmark in the order in which it was added: benchmark, cost, total_cost;
        share_left: share of variance that the set so far leaves, mean over all targets (0 for a
        target in the set), which falls from step to step; and rmse_left: expected root mean square
        error, over future models, of the expected scores of the targets outside the set so far (in
        `unit`). Fewer targets remain at each step, so it may rise.
    left
        One row per benchmark outside the set: benchmark, sd_before, sd_after (standard deviation of
        its expected score before and after the set is measured), share_explained.
    search
        ``"exact"`` (every set was compared) or ``"greedy with exchanges"``.
    unit
        Unit of errors and standard deviations: fractions, the benchmarks' own unit, or, for
        benchmarks of several units, the standard deviation of each one's scores.
    note
        What was chosen automatically, such as the size of the set; empty if nothing was.

    Examples
    --------
    >>> probes = ls.probe_set(fit, 2, seed=1)
    >>> len(probes.best)
    2
    """

    steps: pd.DataFrame
    left: pd.DataFrame
    search: str
    unit: str = FRACTION
    note: str = ""

    plot = Picture("plot_probe_set")

    @property
    def best(self) -> tuple[str, ...]:
        """The benchmarks of the set, in the order in which they were added.

        Examples
        --------
        >>> set(probes.best) <= set(fit.scores.benchmarks)
        True
        """
        return tuple(self.steps["benchmark"])

    @property
    def headline(self) -> str:
        """The set, and how much of the others it explains.

        Examples
        --------
        >>> all(name in probes.headline for name in probes.best)
        True
        """
        first = f"Run {listed(self.best, len(self.best))} first"
        if not len(self.left):
            return f"{first}: the set contains every target, so nothing is left to explain"
        share = float(self.left["share_explained"].mean())
        verb = "they explain" if len(self.best) > 1 else "it explains"
        others = "benchmark" if len(self.left) == 1 else f"{len(self.left)} benchmarks"
        return (
            f"{first}: {verb} {share:.0%} of the variance of the other {others} between future "
            f"models ({self.search} search)"
            + (f"; {self.note}" if self.note else "")
            + spread_note("rmse_left", self.unit)
        )

    def table(self, prob: float | None = None) -> pd.DataFrame:
        """Return the set in the order in which it was built; it has no intervals.

        Parameters
        ----------
        prob
            Checked but not used; the table has no intervals.

        Returns
        -------
        pandas.DataFrame
            One row per step: the benchmark added, and the share of variance that remains.

        Raises
        ------
        LatentscaleError
            If `prob` is given and not strictly between 0 and 1.

        Examples
        --------
        >>> probes.table()["benchmark"].tolist() == list(probes.best)
        True
        """
        return self.steps.copy()


def probe_set(
    fit: Fit,
    n: int | None = None,
    *,
    costs: Mapping[str, float] | None = None,
    candidates: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    frame: AnyFrame | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> ProbeSet:
    """Choose n benchmarks that leave the least variance in all others, for future models.

    Future models are drawn from the posterior as new families. The expected covariance of the other
    benchmarks' expected scores t after measuring the set A is S_tt - S_tA S_AA^-1 S_At, with normal
    scores of the measurements (noise included), as in `next_benchmark`, averaged over the rows of
    `frame`. The criterion is the share of variance that remains, averaged over targets, so that
    benchmarks in any unit have equal weight; the share of a target in the set is 0. With costs,
    each step adds the benchmark with the largest gain per cost, and an exchange must not cost more.

    Parameters
    ----------
    fit
        A fit.
    n
        Number of benchmarks; by default 5, or, if that would leave no target outside the set, as
        many as leave one. The headline says so.
    costs
        Cost of each candidate, in any unit; 1 each by default.
    candidates
        Benchmarks that could be in the set; by default all.
    targets
        Benchmarks to learn about; by default all.
    frame
        Rows as for `latentscale.predict`, without scores: the future models. By default the fitted
        models' features, as members of new families.
    draws
        Posterior draws to use at most, evenly spaced; 50 or more.
    seed
        Seed of the random numbers.

    Returns
    -------
    ProbeSet
        The set, and the variance that remains. All sets are compared if there are at most 3,000 and
        no costs; otherwise benchmarks are added one at a time, and then exchanged while that helps.

    Raises
    ------
    DataError
        If n, a name, a cost or a row is not valid.
    FitError
        If the fit is a point estimate or has fewer than 50 draws, or `draws` are fewer.

    References
    ----------
    Krause, Singh and Guestrin 2008, "Near-optimal sensor placements in Gaussian processes",
    sections 3 and 4.

    Examples
    --------
    >>> probes = ls.probe_set(fit, 2, seed=1)
    >>> len(probes.best)
    2
    """
    expect(fit, Fit, "fit")
    names = fit.scores.benchmarks
    example = f'["{names[0]}"]'
    for given, what in ((candidates, "candidates"), (targets, "targets")):
        if given is not None:
            expect_names(given, what, example)
    offered = checked_names(candidates, names, "candidates") or list(names)
    wanted = checked_names(targets, names, "targets") or list(names)
    size, note = (n, "") if n is not None else _usual_size(offered, wanted)
    if not is_whole(size, least=1, most=len(offered)):
        raise DataError(
            f"n must be a whole number from 1 to the {len(offered)} candidates; got {n!r}."
        )
    if not fit.is_posterior or fit.samples.sizes[SAMPLE] < FEWEST_DRAWS:
        raise FitError(f"probe_set needs at least {FEWEST_DRAWS} posterior draws; fit with NUTS.")
    draws = whole_number(draws, "draws", least=FEWEST_DRAWS, error=FitError)
    price = checked_costs(costs, offered)
    joint = _joint(fit, wanted, offered, _rows_to_come(fit, frame), draws, seed)
    if costs is None and comb(len(offered), int(size)) <= MOST_SETS:
        sets = [frozenset(some) for some in combinations(offered, int(size))]
        chosen, search = joint.in_order(min(sets, key=joint.unknown)), "exact"
    else:
        chosen, search = _by_exchange(joint, offered, int(size), price), "greedy with exchanges"
    made = _described(joint, chosen, price, search)
    return replace(made, note=note, fit_status=fit.status.caveat)


def _usual_size(offered: Sequence[str], wanted: Sequence[str]) -> tuple[int, str]:
    """Return the default number of benchmarks in a set, and the note on it."""
    most = len(offered) if set(wanted) - set(offered) else len(offered) - 1
    size = max(1, min(_USUAL, most))
    if size == _USUAL:
        return size, ""
    return size, f"{size} of {len(offered)}, since {_USUAL} would leave no other; n sets the number"


@dataclass(frozen=True)
class _Joint:
    """Covariances of expected scores (targets, first) and new scores, one for each row."""

    covariances: Floats
    targets: tuple[str, ...]
    candidates: tuple[str, ...]
    unit: str

    def variance(self, measured: frozenset[str] | Sequence[str]) -> Floats:
        """Return the mean variance of each target's expected score after measuring a set."""
        at = [len(self.targets) + self.candidates.index(name) for name in sorted(measured)]
        places = list(range(len(self.targets)))
        left = [np.diag(covariance_after(s, places, at)) for s in self.covariances]
        return np.maximum(np.mean(left, axis=0), 0.0)

    def unknown(self, measured: frozenset[str]) -> float:
        """Return the share of variance that remains, mean over targets; 0 for those in the set."""
        before = self.variance(())
        varies = before > _NOTHING * before.max()
        share = np.where(varies, self.variance(measured) / np.where(varies, before, 1.0), 0.0)
        inside = np.array([name in measured for name in self.targets])
        return float(np.where(inside, 0.0, share).mean())

    def in_order(self, chosen: frozenset[str]) -> list[str]:
        """Return a set in greedy order: each next benchmark leaves the least variance."""
        order: list[str] = []
        while len(order) < len(chosen):
            rest = sorted(chosen - set(order))
            order.append(min(rest, key=lambda name: self.unknown(frozenset([*order, name]))))
        return order


def _by_exchange(
    joint: _Joint, offered: Sequence[str], n: int, price: Mapping[str, float]
) -> list[str]:
    """Return a set built greedily by gain per cost, then improved by exchanges."""
    chosen: list[str] = []
    now = joint.unknown(frozenset())
    for _ in range(n):
        left = {b: joint.unknown(frozenset([*chosen, b])) for b in offered if b not in chosen}
        best = max(left, key=lambda b: (now - left[b]) / price[b])
        chosen.append(best)
        now = left[best]
    while True:
        swaps = [
            [*(kept for kept in chosen if kept != old), new]
            for old in chosen
            for new in offered
            if new not in chosen and price[new] <= price[old]
        ]
        scored = [(joint.unknown(frozenset(swap)), swap) for swap in swaps]
        better = min(scored, default=(np.inf, []), key=lambda pair: pair[0])
        if not better[0] < now - _NOTHING:
            return joint.in_order(frozenset(chosen))
        now, chosen = better


def _rows_to_come(fit: Fit, frame: AnyFrame | None) -> pd.DataFrame:
    """Return the rows that represent future models, by default with the fitted models' features."""
    if frame is not None:
        rows = as_pandas(frame, NOT_FORECAST)
        given = [name for name in fit.scores.benchmarks if name in rows]
        scored = [name for name in given if rows[name].notna().any()]
        if scored:
            raise DataError(
                f"frame holds scores on {listed(scored)}. A probe set is chosen before anything is "
                "measured: leave these columns out, or use next_benchmark for a model that has "
                "scores."
            )
        return rows
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).astype(int))
    rows = rows.iloc[places].reset_index(drop=True)
    rows[MODEL] = [f"new model {place + 1}" for place in range(len(rows))]
    rows[FAMILY] = [f"new family {place + 1}" for place in range(len(rows))]
    # Lineages are stated, since a new family would otherwise get that of its provider.
    return rows.assign(**{LINEAGE: rows[FAMILY]})


def _joint(
    fit: Fit,
    targets: Sequence[str],
    candidates: Sequence[str],
    rows: pd.DataFrame,
    draws: int,
    seed: int,
) -> _Joint:
    forecast = forecast_rows(fit, planned_rows(fit, rows), seed=seed, draws=draws)
    divisor, unit = common_unit(fit.scores, targets)
    expected = forecast.mean_draws.sel({BENCHMARK: list(targets)}) / divisor
    scores = forecast.draws.sel({BENCHMARK: list(candidates)})
    expected, scores = xr.align(expected, scores, join="exact", exclude=[BENCHMARK])
    covariances = [
        np.cov(
            np.hstack(
                [
                    expected.isel({MODEL: row}).transpose(SAMPLE, BENCHMARK).values,
                    normal_scores(scores.isel({MODEL: row}).transpose(SAMPLE, BENCHMARK).values),
                ]
            ),
            rowvar=False,
        )
        for row in range(expected.sizes[MODEL])
    ]
    return _Joint(np.array(covariances), tuple(targets), tuple(candidates), unit)


def _described(
    joint: _Joint, chosen: Sequence[str], price: Mapping[str, float], search: str
) -> ProbeSet:
    before, total, steps = joint.variance(()), 0.0, []
    for count, name in enumerate(chosen, start=1):
        total += price[name]
        outside = [t not in chosen[:count] for t in joint.targets]
        left = joint.variance(chosen[:count])[outside]
        rmse = float(np.sqrt(left.mean())) if len(left) else 0.0
        steps.append((name, price[name], total, joint.unknown(frozenset(chosen[:count])), rmse))
    after = joint.variance(chosen)
    share = 1 - after / np.where(before > 0, before, 1.0)
    rows = pd.DataFrame(
        {
            BENCHMARK: joint.targets,
            "sd_before": np.sqrt(before),
            "sd_after": np.sqrt(after),
            "share_explained": share,
        }
    )
    rest = rows[~rows[BENCHMARK].isin(chosen)]
    return ProbeSet(
        steps=pd.DataFrame(
            steps, columns=[BENCHMARK, "cost", "total_cost", "share_left", "rmse_left"]
        ),
        left=rest.sort_values("share_explained", ascending=False).reset_index(drop=True),
        search=search,
        unit=joint.unit,
    )
