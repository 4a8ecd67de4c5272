"""Next benchmark: which measurement is most informative about a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtri
from scipy.stats import rankdata

from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.latents import Floats
from latentscale.analysis.forecasts.predict import predict
from latentscale.analysis.tools.units import common_unit, spread_note
from latentscale.dims import BENCHMARK, MODEL, SAMPLE
from latentscale.errors import DataError, FitError, listed, nearest
from latentscale.expect import expect, expect_names, shown
from latentscale.markup import FRACTION
from latentscale.posterior.fit import Fit
from latentscale.result import FixedTable, Picture
from latentscale.validate import is_number, is_whole

MOST_SETS = 3000
"""Up to this many, all sets are compared, which takes about a second."""
_NO_VARIANCE = 1e-9
FEWEST_DRAWS = 50
"""With fewer draws, a covariance of a dozen variables is mostly noise."""
_FEW_SHOT = FewShot()
_RANKINGS = ("variance", "information")
_COLUMNS = (
    "benchmarks",
    "cost",
    "sd_before",
    "sd_after",
    "variance_removed",
    "information",
    "gain",
)


@dataclass(frozen=True, repr=False)
class NextBenchmark(FixedTable):
    """Candidate measurements of one model, the most informative first.

    Attributes
    ----------
    model
        The model.
    rows
        One row per set of benchmarks: benchmarks (names joined by " + "), cost, sd_before and
        sd_after (root mean variance of the targets' expected scores, in `unit`),
        variance_removed (expected share of the targets' summed variance that is removed),
        information (nats about the targets), and gain, by which rows are sorted: variance_removed
        or information, according to `ranked_by`, divided by cost (a share of the variance, or nats,
        per unit of cost).
    sets
        The sets of benchmarks, in the table's order.
    targets, measured
        Benchmarks to learn about, and those that are already measured.
    ranked_by
        ``"variance"`` or ``"information"``.
    search
        ``"exact"`` (every set was compared) or ``"greedy"`` (one benchmark at a time; the
        table holds the last step).
    unit
        Unit of the standard deviations: fractions, the targets' own unit, or, for targets of
        several units, the standard deviation of each benchmark's scores.

    Examples
    --------
    >>> choice = ls.next_benchmark(fit, planned.assign(hellaswag=0.84), seed=1)
    >>> len(choice.table())
    5
    """

    model: str
    rows: pd.DataFrame
    sets: tuple[tuple[str, ...], ...]
    targets: tuple[str, ...]
    measured: tuple[str, ...]
    ranked_by: str
    search: str
    unit: str = FRACTION

    @property
    def best(self) -> tuple[str, ...]:
        """The most informative set per unit of cost.

        Examples
        --------
        >>> choice.best == choice.sets[0]
        True
        """
        return self.sets[0]

    plot = Picture("plot_next_benchmark")

    @property
    def headline(self) -> str:
        """What to measure next, and its expected gain.

        Examples
        --------
        >>> choice.headline.partition(":")[0]
        'Next for qwen2-30b'
        """
        first = self.rows.iloc[0]
        return (
            f"Next for {self.model}: {first['benchmarks']}, which is expected to remove "
            f"{first['variance_removed']:.0%} of the variance of {listed(self.targets)}"
            + spread_note("sd_before and sd_after", self.unit)
        )


def next_benchmark(
    fit: Fit,
    frame: pd.DataFrame,
    *,
    model: str | None = None,
    targets: Sequence[str] | None = None,
    candidates: Sequence[str] | None = None,
    costs: Mapping[str, float] | None = None,
    n: int = 1,
    rank_by: Literal["variance", "information"] = "variance",
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
) -> NextBenchmark:
    """Return which benchmark, or which n benchmarks, to run next on a model.

    The forecast given the scores so far has joint draws of the targets' expected scores t and of
    the candidates' new scores y (noise included). The expected covariance after measuring the set A
    is S_tt - S_tA S_AA^-1 S_At, with normal scores of y (the normal quantiles of its ranks among
    the draws). This is exact if t and some increasing function of y are jointly normal; otherwise
    it is the error of the best linear prediction of t from the normal scores, an upper bound on the
    expected conditional variance.

    Parameters
    ----------
    fit
        A fit.
    frame
        Rows as for `latentscale.predict`, with the scores measured so far. It is not changed.
    model
        The row to ask about; may be left out if there is only one row.
    targets
        Benchmarks to learn about. By default all that are not measured yet; a candidate is then
        also informative about itself.
    candidates
        Benchmarks that could be run; by default all that are neither measured nor targets, and
        without `targets` all that are not measured.
    costs
        Cost of each candidate, in any unit; 1 each by default. Gains are divided by a set's
        summed cost.
    n
        Number of benchmarks to run together. All sets are compared if there are at most 3,000;
        otherwise one benchmark is added at a time.
    rank_by
        ``"variance"``: expected share of the targets' summed variance removed;
        ``"information"``: mutual information 1/2 log det S_tt - 1/2 log det S_tt|A in nats,
        of the targets' normal scores (Gaussian copula).
    seed
        Seed of the random numbers.
    few_shot
        How the scores so far condition the forecast.

    Returns
    -------
    NextBenchmark
        One row per set of candidates, the most informative per unit of cost first.

    Raises
    ------
    DataError
        If the table is malformed, the row is ambiguous, a name or a cost is unknown, or no
        candidate is left.
    FitError
        If the fit is a point estimate or has fewer than 50 draws.

    References
    ----------
    Lindley 1956, "On a measure of the information provided by an experiment"; for the
    Gaussian case Krause, Singh and Guestrin 2008, section 3; for mutual information of normal
    scores Ince et al. 2017, "A statistical framework for neuroimaging data analysis based on
    mutual information estimated via a Gaussian copula".

    Examples
    --------
    >>> planned = pd.DataFrame(
    ...     {"model": ["qwen2-30b"], "family": ["qwen2"], "params_b": [30.0], "tokens_t": [7.0]}
    ... )
    >>> choice = ls.next_benchmark(fit, planned.assign(hellaswag=0.84), costs=None, seed=1)
    >>> len(choice.table())
    5
    """
    expect(fit, Fit, "fit")
    expect(few_shot, FewShot, "few_shot")
    example = f'["{fit.scores.benchmarks[0]}"]'
    if model is not None:
        expect(model, str, "model", "a name in frame")
    expect(rank_by, str, "rank_by", '"variance" or "information"')
    if targets is not None:
        targets = expect_names(targets, "targets", example)
    if candidates is not None:
        candidates = expect_names(candidates, "candidates", example)
    if rank_by not in _RANKINGS:
        raise DataError(f'rank_by must be "variance" or "information"; got {rank_by!r}.')
    if not fit.is_posterior or fit.samples.sizes[SAMPLE] < FEWEST_DRAWS:
        raise FitError(
            f"next_benchmark needs at least {FEWEST_DRAWS} posterior draws; fit with NUTS."
        )
    forecast = predict(fit, frame, seed=seed, few_shot=few_shot)
    return next_of_forecast(
        fit,
        forecast,
        model=model,
        targets=targets,
        candidates=candidates,
        costs=costs,
        n=n,
        rank_by=rank_by,
    )


def next_of_forecast(
    fit: Fit,
    forecast: Forecast,
    *,
    model: str | None = None,
    targets: Sequence[str] | None = None,
    candidates: Sequence[str] | None = None,
    costs: Mapping[str, float] | None = None,
    n: int = 1,
    rank_by: Literal["variance", "information"] = "variance",
) -> NextBenchmark:
    """Return which benchmark to run next, from a forecast given the scores so far.

    As `next_benchmark`, with the same arguments, if the forecast already exists.

    Raises
    ------
    DataError
        As `next_benchmark`.
    FitError
        If the forecast comes from a point estimate or has fewer than 50 draws.
    """
    if not fit.is_posterior or forecast.draws.sizes[SAMPLE] < FEWEST_DRAWS:
        raise FitError(
            f"next_benchmark needs at least {FEWEST_DRAWS} posterior draws; fit with NUTS."
        )
    name = _the_model(forecast, model)
    measured = _measured(fit, forecast, name)
    open_ones = [b for b in fit.scores.benchmarks if b not in measured]
    wanted = checked_names(targets, fit.scores.benchmarks, "targets") or open_ones
    offered = checked_names(candidates, fit.scores.benchmarks, "candidates")
    if offered is None:
        offered = [b for b in open_ones if targets is None or b not in wanted]
    again = [b for b in offered if b in measured]
    if again or not offered:
        raise DataError(
            f'Model "{name}" has a score on {listed(again) or "every benchmark that could be run"}'
            " already; name candidates that are not measured."
        )
    count = _checked_count(n, offered)
    price = checked_costs(costs, offered)
    divisor, unit = common_unit(fit.scores, wanted)
    draws = _joint(forecast, name, wanted, offered, divisor)
    sets, search = _sets(draws, offered, count, price, rank_by)
    ranked = _ranked(draws, sets, price, rank_by, search, name, (tuple(wanted), tuple(measured)))
    return replace(ranked, unit=unit, fit_status=forecast.fit_status)


@dataclass(frozen=True)
class Joint:
    """Covariances of the targets and of the benchmarks that could be measured, for one model.

    Attributes
    ----------
    plain, of_ranks
        Covariance of the targets' expected scores (raw, or as normal scores) and the normal scores
        of the candidates' new scores; the targets come first.
    targets
        Number of targets.
    candidates
        Names of the candidates.
    """

    plain: Floats
    of_ranks: Floats
    targets: int
    candidates: tuple[str, ...]

    def after(self, names: Sequence[str], *, of_ranks: bool = False) -> Floats:
        """Return the targets' covariance expected after measuring these candidates."""
        whole = self.of_ranks if of_ranks else self.plain
        places = [self.targets + self.candidates.index(name) for name in names]
        return covariance_after(whole, list(range(self.targets)), places)


def covariance_after(covariance: Floats, targets: Sequence[int], measured: Sequence[int]) -> Floats:
    """Return S_tt - S_tm S_mm^-1 S_mt, the conditional covariance given the measured variables.

    Parameters
    ----------
    covariance
        Shape (variable, variable).
    targets, measured
        Indices of variables t and m; m may be empty.
    """
    cross = covariance[np.ix_(targets, measured)]
    own = covariance[np.ix_(measured, measured)]
    left = covariance[np.ix_(targets, targets)] - cross @ np.linalg.pinv(own) @ cross.T
    return np.asarray(left, dtype=float)


def normal_scores(values: Floats) -> Floats:
    """Return normal quantiles of each column's ranks, ties sharing their mean rank.

    The logit of a score near its floor is unbounded: a few draws would dominate its variance.

    Parameters
    ----------
    values
        Draws, shape (sample, variable).

    References
    ----------
    Van der Waerden 1952: quantiles at rank / (draws + 1).
    """
    return np.asarray(ndtri(rankdata(values, axis=0) / (len(values) + 1)), dtype=float)


def _the_model(forecast: Forecast, model: str | None) -> str:
    names = [str(m) for m in forecast.draws[MODEL].values]
    if model is None:
        if len(names) > 1:
            raise DataError(f"The table has {len(names)} rows; choose one with model=.")
        return names[0]
    if model not in names:
        raise DataError(f'Model "{model}" is not a row of the table.' + nearest(model, names))
    return model


def _measured(fit: Fit, forecast: Forecast, model: str) -> list[str]:
    tables = [forecast.models] if "score" in forecast.models else []
    if model in fit.scores.models:
        tables.append(fit.scores.dataset)
    measured: set[str] = set()
    for table in tables:
        score = table["score"].sel({MODEL: model})
        measured |= {str(b) for b in score[BENCHMARK].values[score.notnull().values]}
    return [b for b in fit.scores.benchmarks if b in measured]


def checked_names(names: Sequence[str] | None, known: Sequence[str], what: str) -> list[str] | None:
    """Return names of fitted benchmarks without repeats, or None; other names raise DataError."""
    if names is None:
        return None
    names = expect_names(names, what, f'["{known[0]}"]')
    if not names:
        raise DataError(f"{what} must be a list of at least one benchmark; got an empty one.")
    for name in names:
        if name not in known:
            raise DataError(
                f'{what}: "{name}" is not a fitted benchmark.{nearest(name, known)} '
                f"Allowed: {listed(known, 20)}."
            )
    return list(dict.fromkeys(names))


def _checked_count(n: int, offered: Sequence[str]) -> int:
    if not is_whole(n, least=1, most=len(offered)):
        raise DataError(
            f"n must be a whole number from 1 to the {len(offered)} candidates; got {n!r}."
        )
    return int(n)


def checked_costs(costs: Mapping[str, float] | None, offered: Sequence[str]) -> dict[str, float]:
    """Return the cost of each candidate, 1 by default. Costs must be positive (DataError)."""
    if costs is None:
        return dict.fromkeys(offered, 1.0)
    if not isinstance(costs, Mapping):
        raise DataError(
            f'costs must be a mapping from benchmarks to numbers, such as {{"{offered[0]}": 2.5}}; '
            f"got {shown(costs)}."
        )
    missing = [name for name in offered if name not in costs]
    if missing:
        raise DataError(
            f"costs has no entry for {listed(missing)}; give the cost of every candidate."
        )
    for name in offered:
        cost = costs[name]
        if not is_number(cost) or not cost > 0:
            raise DataError(f'The cost of "{name}" must be a number above 0; got {cost!r}.')
    return {name: float(costs[name]) for name in offered}


def _joint(
    forecast: Forecast,
    model: str,
    targets: Sequence[str],
    candidates: Sequence[str],
    divisor: xr.DataArray,
) -> Joint:
    expected = forecast.mean_draws.sel({MODEL: model, BENCHMARK: list(targets)}) / divisor
    scores = forecast.draws.sel({MODEL: model, BENCHMARK: list(candidates)})
    expected, scores = xr.align(expected, scores, join="exact", exclude=[BENCHMARK])
    known = normal_scores(scores.transpose(SAMPLE, BENCHMARK).values)
    wanted = expected.transpose(SAMPLE, BENCHMARK).values
    return Joint(
        plain=np.cov(np.hstack([wanted, known]), rowvar=False),
        of_ranks=np.cov(np.hstack([normal_scores(wanted), known]), rowvar=False),
        targets=len(targets),
        candidates=tuple(candidates),
    )


def _sets(
    joint: Joint, offered: Sequence[str], n: int, price: Mapping[str, float], rank_by: str
) -> tuple[list[tuple[str, ...]], str]:
    """Return the sets to compare: all sets, or the sets of the last greedy step."""
    if comb(len(offered), n) <= MOST_SETS:
        return list(combinations(offered, n)), "exact"
    chosen: tuple[str, ...] = ()
    for _ in range(n - 1):
        longer = [(*chosen, name) for name in offered if name not in chosen]
        table = _figures(joint, longer, price, rank_by)
        chosen = longer[int(table["gain"].argmax())]
    return [(*chosen, name) for name in offered if name not in chosen], "greedy"


def _figures(
    joint: Joint, sets: Sequence[tuple[str, ...]], price: Mapping[str, float], rank_by: str
) -> pd.DataFrame:
    was = np.trace(joint.after(()))
    basis = _varying(joint.after((), of_ranks=True))
    volume = _log_volume(joint.after((), of_ranks=True), basis)
    rows = []
    for names in sets:
        left = max(float(np.trace(joint.after(names))), 0.0)
        removed = 1 - left / was if was > 0 else 0.0
        nats = 0.5 * (volume - _log_volume(joint.after(names, of_ranks=True), basis))
        cost = sum(price[name] for name in names)
        gain = (removed if rank_by == "variance" else nats) / cost
        spread = np.sqrt(np.array([was, left]) / joint.targets)
        rows.append((" + ".join(names), cost, *spread, removed, nats, gain))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _varying(covariance: Floats) -> Floats:
    """Return a basis of the directions in which targets vary; fewer than targets if collinear."""
    size, direction = np.linalg.eigh(covariance)
    return np.asarray(direction[:, size > _NO_VARIANCE * size.max()], dtype=float)


def _log_volume(covariance: Floats, basis: Floats) -> float:
    return float(np.linalg.slogdet(basis.T @ covariance @ basis)[1])


def _ranked(
    joint: Joint,
    sets: Sequence[tuple[str, ...]],
    price: Mapping[str, float],
    rank_by: str,
    search: str,
    model: str,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> NextBenchmark:
    table = _figures(joint, sets, price, rank_by)
    order = np.argsort(-table["gain"].to_numpy(), kind="stable")
    return NextBenchmark(
        model=model,
        rows=table.iloc[order].reset_index(drop=True),
        sets=tuple(sets[int(place)] for place in order),
        targets=names[0],
        measured=names[1],
        ranked_by=rank_by,
        search=search,
    )
