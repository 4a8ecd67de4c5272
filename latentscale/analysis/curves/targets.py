"""Targets: the chance that a planned model passes a threshold, and the compute that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.curves.along import increasing_positive
from latentscale.analysis.forecasts.condition import Conditioning, FewShot
from latentscale.analysis.forecasts.forecast import Forecast, forecast_rows, predict
from latentscale.analysis.forecasts.rows import (
    fitted_lineages,
    members_of,
    planned_rows,
    typical_features,
    usual_instruct,
    warn_of_new_family,
)
from latentscale.analysis.tools.units import FRACTION, other_units
from latentscale.data.features.compute import flops_of
from latentscale.data.scaling import best_of, is_bounded, lower_is_better, scales_of
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    FAMILY,
    FLOPS_PER_BILLION_TRILLION,
    LINEAGE,
    MODEL,
    SAMPLE,
    interval_quantiles,
)
from latentscale.errors import DataError, FitError, SpecError, listed, nearest
from latentscale.expect import expect, shown
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import at_samples, with_origin
from latentscale.result import FixedTable, Picture, Result
from latentscale.validate import is_number, real_number, whole_number

POINT = "point"
_BELOW, _ABOVE = 10.0, 1e4
_FEW_SHOT = FewShot()
_SIZES = ("log_flops", "log_params", "log_tokens")


@dataclass(frozen=True, repr=False)
class Passing(FixedTable):
    """Chances that models pass thresholds.

    Attributes
    ----------
    rows
        One row a model and benchmark: model, benchmark, threshold (fraction), probability
        (that a new score, noise included, is at least the threshold), probability_expected
        (that the expected score is), basis and assumed (as in a forecast's table).
    joint
        Chance that a model's new scores pass every threshold at once, by model.
    """

    rows: pd.DataFrame
    joint: pd.Series
    units: Mapping[str, str] = field(default_factory=dict)
    falling: tuple[str, ...] = ()

    plot = Picture("plot_passing")

    @property
    def headline(self) -> str:
        """How many models pass every threshold at once, more likely than not."""
        likely = int((self.joint > 0.5).sum())
        several = "its threshold" if self.rows["benchmark"].nunique() == 1 else "every threshold"
        return f"{likely} of {len(self.joint)} models pass {several} more likely than not"


def probability_above(
    fit: Fit,
    frame: pd.DataFrame,
    threshold: float | Mapping[str, float],
    *,
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
) -> Passing:
    """Return the chance that models reach thresholds: the share of forecast draws that do.

    Parameters
    ----------
    fit
        A fit.
    frame
        Rows as for `latentscale.predict`; scores in it condition the forecast.
    threshold
        A fraction for every benchmark, or thresholds by benchmark, each in the units of its
        scores. Where lower is better, a score of at most the threshold reaches it.
    seed
        Seed of the random numbers.
    few_shot
        How scores in the table condition the forecast.

    Raises
    ------
    DataError
        If the table is malformed, a benchmark is unknown, a threshold is not on the scale of its
        benchmark (a fraction is strictly between 0 and 1), or one is given for all and they have
        several units.
    FitError
        If the fit is a point estimate, which has no probabilities to give.

    Examples
    --------
    >>> planned = pd.DataFrame(
    ...     {"model": ["qwen2-30b"], "family": ["qwen2"], "params_b": [30.0], "tokens_t": [7.0]}
    ... )
    >>> passing = ls.probability_above(fit, planned, {"mmlu": 0.5}, seed=1)
    >>> round(float(passing.table()["probability"].iloc[0]), 1)
    1.0
    """
    expect(fit, Fit, "fit")
    expect(few_shot, FewShot, "few_shot")
    _need_posterior(fit)
    names = fit.scores.benchmarks
    if not isinstance(threshold, Mapping):
        _refuse_several_units(fit, threshold)
    wanted = dict(threshold) if isinstance(threshold, Mapping) else dict.fromkeys(names, threshold)
    if not wanted:
        raise DataError("threshold names no benchmark; give at least one.")
    for name, value in wanted.items():
        _check_benchmark(fit, name)
        _check_on_scale(fit, name, f'The threshold of "{name}"', value)
    forecast = predict(fit, frame, seed=seed, few_shot=few_shot)
    limit = xr.DataArray(list(wanted.values()), {BENCHMARK: list(wanted)}, (BENCHMARK,))
    sign = _signs(fit).sel({BENCHMARK: list(wanted)})
    passed = sign * forecast.draws.sel({BENCHMARK: list(wanted)}) >= sign * limit
    expected = sign * forecast.mean_draws.sel({BENCHMARK: list(wanted)}) >= sign * limit
    shares = xr.Dataset(
        {
            "threshold": limit,
            "probability": passed.mean(SAMPLE),
            "probability_expected": expected.mean(SAMPLE),
        }
    )
    table = shares.to_dataframe(dim_order=[MODEL, BENCHMARK])[list(shares.data_vars)].reset_index()
    about = forecast.models[["basis", "assumed"]].to_dataframe()[["basis", "assumed"]]
    table = table.join(about, on=MODEL)
    joint = passed.all(BENCHMARK).mean(SAMPLE).to_series().rename("probability")
    falling = tuple(str(name) for name in wanted if float(sign.sel({BENCHMARK: name})) < 0)
    return Passing(table, joint, other_units(fit.scores), falling)


@dataclass(frozen=True, repr=False)
class ComputeNeeded(Result):
    """Training compute that a target score takes, as a posterior distribution.

    Attributes
    ----------
    benchmark, target, family
        The question; target is in the units of the scores.
    draws
        FLOPs by posterior draw, dims (sample,): infinite where the target is not reached below
        the upper limit, and the lower limit where that is enough already.
    limits
        Ends of the range that was searched, FLOPs.
    fitted_range
        Smallest and largest FLOPs among all fitted models.
    tokens_per_parameter
        Held fixed: size and tokens grow together.
    probability_unreachable
        Chance that the target is not reached below the upper limit.
    probability_above_ceiling
        Chance that it is not reached at any compute, since the benchmark's ceiling is lower.
    probability_already
        Chance that the lower limit is enough.
    reached
        Chance that a model reaches the target, by compute: dims (point,), coordinate ``at``
        (FLOPs).
    conditioning
        How given scores were used; None where there were none.
    instruct
        Whether the model is taken to be instruction-tuned.
    unit
        Unit of the target; ``"fraction"`` for fractions.
    """

    benchmark: str
    target: float
    family: str
    draws: xr.DataArray
    limits: tuple[float, float]
    fitted_range: tuple[float, float]
    tokens_per_parameter: float
    probability_unreachable: float
    probability_above_ceiling: float
    probability_already: float
    reached: xr.DataArray = field(repr=False)
    conditioning: Conditioning | None = None
    instruct: bool = False
    unit: str = FRACTION

    @property
    def shown_target(self) -> str:
        """The target with its unit; a fraction as a percentage."""
        return f"{self.target:.0%}" if self.unit == FRACTION else f"{self.target:g} {self.unit}"

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return median and ends of the equal-tailed interval.

        Returns
        -------
        Rows lower, median, upper; columns flops, params_b (billions), tokens_t (trillions) and
        beyond_fitted (bool). Infinite where the quantile is beyond the upper limit.
        """
        low, high = interval_quantiles(prob)
        # A quantile between a finite and an infinite draw must be a draw, not their mean.
        flops = np.quantile(self.draws.values, [low, 0.5, high], method="inverted_cdf")
        params = np.sqrt(flops / (FLOPS_PER_BILLION_TRILLION * self.tokens_per_parameter / 1000))
        first, last = self.fitted_range
        return pd.DataFrame(
            {
                "flops": flops,
                "params_b": params,
                "tokens_t": params * self.tokens_per_parameter / 1000,
                "beyond_fitted": (flops < first) | (flops > last),
            },
            index=pd.Index(["lower", "median", "upper"], name="quantile"),
        )

    plot = Picture("plot_compute_needed")

    @property
    def headline(self) -> str:
        """The compute, with its interval, and how likely none is enough."""
        flops = self.table()["flops"]
        return (
            f"{self.family} reaches {self.shown_target} on {self.benchmark} at "
            f"{flops['median']:.2g} FLOPs ({DEFAULT_PROB:.0%} interval {flops['lower']:.2g} to "
            f"{flops['upper']:.2g}); not below {self.limits[1]:.2g} with probability "
            f"{self.probability_unreachable:.2f}"
        )

    def brief(self) -> pd.DataFrame:
        """Return the table with the quantiles' names as a column."""
        return self.table().reset_index()


def flops_for_target(
    fit: Fit,
    benchmark: str,
    target: float,
    *,
    family: str,
    given: pd.DataFrame | None = None,
    tokens_per_parameter: float | None = None,
    instruct: bool | None = None,
    limits: tuple[float, float] | None = None,
    points: int = 161,
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
) -> ComputeNeeded:
    """Return the training FLOPs at which a family's expected score reaches a target.

    On every posterior draw the expected score of one new model of the family (with one
    residual, where the spec has them) is followed along compute at a fixed ratio of tokens to
    parameters; the answer is where it first reaches the target, interpolated between points
    that are evenly spaced in log FLOPs.

    Parameters
    ----------
    fit
        A fit.
    benchmark
        A fitted benchmark.
    target
        Expected score wanted, in the units of the benchmark's scores; where lower is better, at
        most so much.
    family
        A fitted family, a family of `given`, or any new name: then a family of its own lineage
        is drawn from the population.
    given
        Rows as for `latentscale.predict` whose scores condition the answer.
    tokens_per_parameter
        Ratio held along the curve; by default the geometric mean of the family's models, in
        the fit or in `given`, else that of all fitted models.
    instruct
        Whether the model is instruction-tuned; by default as all models of the family are, in
        the fit and in `given` (of a new family: as all fitted models are), and a base model
        where they differ.
    limits
        FLOPs between which to look; by default a tenth of the least to 10,000 times the most
        compute among the fitted models.
    points
        Points along the curve.
    seed
        Seed of the random numbers.
    few_shot
        How the scores in `given` condition the answer.

    Raises
    ------
    DataError
        If the benchmark is unknown, the target lies at or below the guessing floor or above
        every draw of the ceiling, or another argument makes no sense.
    SpecError
        If the spec uses neither size, tokens nor compute.
    FitError
        If the fit is a point estimate.

    Warns
    -----
    DataWarning
        If a new family's name differs from a known one only in case, spaces, dots, dashes or
        underscores.

    Examples
    --------
    >>> needed = ls.flops_for_target(
    ...     fit, "mmlu", 0.7, family="qwen2", tokens_per_parameter=100, seed=1
    ... )
    >>> needed.probability_unreachable < 0.01
    True
    """
    expect(fit, Fit, "fit")
    expect(benchmark, str, "benchmark", f'such as "{fit.scores.benchmarks[0]}"')
    expect(family, str, "family", f'such as "{fit.scores.families[0]}"')
    if not (instruct is None or isinstance(instruct, bool | np.bool_) or instruct in (0, 1)):
        raise DataError(f"instruct must be True, False or None; got {shown(instruct)}.")
    expect(few_shot, FewShot, "few_shot")
    _need_posterior(fit)
    _check_benchmark(fit, benchmark)
    _check_target(fit, benchmark, target)
    _check_moves(fit)
    points = whole_number(points, "points", least=2, error=DataError)
    _check_family(family)
    rows = None if given is None else planned_rows(fit, given)
    warn_of_new_family(fit, family, rows, stacklevel=3)
    tuned = usual_instruct(fit, family, rows) if instruct is None else bool(instruct)
    ratio = _ratio(fit, family, rows, tokens_per_parameter)
    fitted = _fitted_range(fit)
    ends = _limits(limits, fitted)
    at = np.geomspace(*ends, points)
    grid = _grid(fit, family, rows, at, ratio, tuned)
    names = [str(name) for name in grid[MODEL].values]
    planned = grid if rows is None else xr.concat([rows, grid], dim=MODEL)
    forecast = forecast_rows(fit, planned, seed=seed, few_shot=few_shot, one_model=names)
    expected = forecast.mean_draws.sel({MODEL: names, BENCHMARK: benchmark})
    curve = expected.transpose(SAMPLE, MODEL).values
    sign = float(_signs(fit).sel({BENCHMARK: benchmark}))
    flops = _first_reach(sign * curve, at, sign * target)
    return ComputeNeeded(
        benchmark=benchmark,
        target=float(target),
        family=family,
        draws=with_origin(xr.DataArray(flops, dims=(SAMPLE,)), forecast.mean_draws),
        limits=ends,
        fitted_range=fitted,
        tokens_per_parameter=ratio,
        probability_unreachable=float(np.isinf(flops).mean()),
        probability_above_ceiling=_above_ceiling(fit, benchmark, target, forecast),
        probability_already=float((sign * curve[:, 0] >= sign * target).mean()),
        reached=xr.DataArray(
            (sign * curve >= sign * target).mean(0), {"at": (POINT, at)}, (POINT,)
        ),
        conditioning=forecast.conditioning,
        instruct=tuned,
        unit=other_units(fit.scores).get(benchmark, FRACTION),
    )


def _first_reach(curve: np.ndarray, at: np.ndarray, target: float) -> np.ndarray:
    """Return where each row of `curve` first reaches the target; infinite where it never does."""
    reached = curve >= target
    first = reached.argmax(axis=1)
    found = np.full(len(curve), np.inf)
    found[reached[:, 0]] = at[0]
    log_at = np.log(at)
    rows = np.nonzero(reached.any(axis=1) & ~reached[:, 0])[0]
    after = first[rows]
    low, high = curve[rows, after - 1], curve[rows, after]
    share = (target - low) / (high - low)
    found[rows] = np.exp(log_at[after - 1] + share * (log_at[after] - log_at[after - 1]))
    return found


def _need_posterior(fit: Fit) -> None:
    if not fit.is_posterior:
        raise FitError(
            "This fit is a point estimate and says nothing of uncertainty; fit with NUTS to get "
            "probabilities and intervals."
        )


def _check_benchmark(fit: Fit, benchmark: str) -> None:
    names = fit.scores.benchmarks
    if benchmark not in names:
        raise DataError(
            f'Benchmark "{benchmark}" is not in the fit, which has {listed(names, 20)}.'
            + nearest(str(benchmark), names)
        )


def _signs(fit: Fit) -> xr.DataArray:
    """Return -1 for benchmarks on which lower is better, 1 for others, dims (benchmark,)."""
    found: xr.DataArray = xr.where(lower_is_better(fit.scores.dataset), -1.0, 1.0)
    return found


def _refuse_several_units(fit: Fit, threshold: object) -> None:
    units = other_units(fit.scores)
    if units:
        raise DataError(
            f"threshold {threshold!r} is one number for all benchmarks, but these have units of "
            f"their own: {listed([f'{name} ({unit})' for name, unit in units.items()])}. Give "
            f'thresholds by benchmark, such as {{"{next(iter(units))}": ...}}.'
        )


def _check_on_scale(fit: Fit, benchmark: str, what: str, value: object) -> None:
    """Refuse what is no score of a benchmark; fractions lie strictly between 0 and 1."""
    scale = scales_of(fit.scores.dataset)[benchmark]
    given = float(value) if is_number(value) else float("nan")  # type: ignore[arg-type]
    if scale.bounded is not None:
        if not 0 < given < 1:
            raise DataError(f"{what} must be a fraction strictly between 0 and 1; got {value!r}.")
        return
    good = np.isfinite(given) and not scale.problems(np.array([given]), [0], [""], benchmark)
    if not good:
        unit = other_units(fit.scores)[benchmark]
        raise DataError(f'{what} must be a score of scale "{scale.kind}" ({unit}); got {value!r}.')


def _check_target(fit: Fit, benchmark: str, target: float) -> None:
    _check_on_scale(fit, benchmark, "target", target)
    data = fit.scores.dataset.sel({BENCHMARK: [benchmark]})
    if not bool(is_bounded(data).item()):
        return
    sign, floor = float(_signs(fit).sel({BENCHMARK: benchmark})), float(data["floor"].item())
    if sign * target <= sign * floor:
        side = "above" if sign > 0 else "below"
        raise DataError(
            f"target {target:g} is not {side} the guessing floor {floor:g} of {benchmark}: any "
            "model is expected to reach it. Ask for more."
        )
    top = float((sign * _ceilings(fit, benchmark)).max()) * sign
    if sign * target >= sign * top:
        side, end = ("above", "at most") if sign > 0 else ("below", "at least")
        raise DataError(
            f"target {target:g} is {side} every draw of the ceiling of {benchmark} ({end} "
            f"{top:.3f}): no compute reaches it under this fit. Ask for less."
        )


def _ceilings(fit: Fit, benchmark: str) -> xr.DataArray:
    """Return draws of a benchmark's best score, or the one that is fixed."""
    if "ceiling" in fit.samples:
        return fit.samples["ceiling"].sel({BENCHMARK: benchmark})
    return best_of(fit.scores.dataset).sel({BENCHMARK: benchmark})


def _check_moves(fit: Fit) -> None:
    parts = {part for name in fit.spec.covariates for part in name.split(":")}
    if not parts & set(_SIZES):
        raise SpecError(
            f'The spec "{fit.spec.name}" uses none of {listed(_SIZES)} (its covariates are '
            f"{listed(fit.spec.covariates) or 'none'}), so its scores do not change with compute."
        )


def _check_family(family: object) -> None:
    if not isinstance(family, str) or not family.strip():
        raise DataError(f"family must be a name; got {family!r}.")


def _ratio(
    fit: Fit, family: str, rows: xr.Dataset | None, tokens_per_parameter: float | None
) -> float:
    if tokens_per_parameter is not None:
        return real_number(tokens_per_parameter, "tokens_per_parameter", above=0, error=DataError)
    tables = [fit.scores.dataset] if rows is None else [fit.scores.dataset, rows]
    mine, every = (
        np.concatenate([_log_ratio(table, name) for table in tables]) for name in (family, None)
    )
    chosen = mine[np.isfinite(mine)] if np.isfinite(mine).any() else every[np.isfinite(every)]
    if not len(chosen):
        raise DataError("No model discloses its tokens: give tokens_per_parameter.")
    return float(np.exp(chosen.mean()))


def _log_ratio(table: xr.Dataset, family: str | None) -> np.ndarray:
    ratio = np.log(1000 * table["tokens"].values / table["params"].values)
    return ratio if family is None else ratio[table[FAMILY].values == family]


def _fitted_range(fit: Fit) -> tuple[float, float]:
    data = fit.scores.dataset
    flops = flops_of(data)
    if not np.isfinite(flops).any():
        return float("nan"), float("nan")
    return float(np.nanmin(flops)), float(np.nanmax(flops))


def _limits(limits: tuple[float, float] | None, fitted: tuple[float, float]) -> tuple[float, float]:
    if limits is None:
        if np.isnan(fitted[0]):
            raise DataError("No fitted model discloses its tokens: give limits in FLOPs.")
        return fitted[0] / _BELOW, fitted[1] * _ABOVE
    return increasing_positive(limits, "FLOPs")


def _grid(
    fit: Fit,
    family: str,
    rows: xr.Dataset | None,
    at: np.ndarray,
    ratio: float,
    instruct: bool,
) -> xr.Dataset:
    known = fitted_lineages(fit)
    if rows is not None:
        pairs = zip(rows[FAMILY].values, rows[LINEAGE].values, strict=True)
        known = {str(f): str(g) for f, g in pairs} | known
    params = np.sqrt(at / (FLOPS_PER_BILLION_TRILLION * ratio / 1000))
    # Names no model of the caller's can have, so that a point is never a fitted model.
    names = [f"{family} \N{INFORMATION SEPARATOR ONE} {index}" for index in range(len(at))]
    grid = xr.Dataset(
        {
            "params": (MODEL, params),
            "tokens": (MODEL, params * ratio / 1000),
            "instruct": (MODEL, np.full(len(at), float(instruct))),
            **typical_features(fit, members_of(fit, family), len(at)),
            FAMILY: (MODEL, np.full(len(at), family)),
            LINEAGE: (MODEL, np.full(len(at), known.get(family, family))),
        },
        coords={MODEL: names},
    )
    if rows is None:
        return grid
    absent = {name: rows[name] for name in rows.data_vars if name not in grid}
    empty = {name: value.isel({MODEL: [0] * len(at)}) for name, value in absent.items()}
    return grid.assign(
        {name: (value.dims, _empty(value)) for name, value in empty.items()}
    ).assign_coords({dim: rows[dim] for dim in (BENCHMARK,) if dim in rows.coords})


def _empty(like: xr.DataArray) -> np.ndarray:
    """Return empty cells (NaN, NaT or empty text) of an array's shape and kind."""
    nothing = "" if like.dtype.kind == "U" else np.nan
    return np.full(like.shape, nothing).astype(like.dtype)


def _above_ceiling(fit: Fit, benchmark: str, target: float, forecast: Forecast) -> float:
    given = forecast.conditioning
    samples = fit.samples if given is None or given.fit is None else given.fit.samples
    if "ceiling" not in samples:
        return 0.0
    ceiling = at_samples(samples["ceiling"].sel({BENCHMARK: benchmark}), forecast.mean_draws)
    if not bool(is_bounded(fit.scores.dataset).sel({BENCHMARK: benchmark})):
        return 0.0
    sign = float(_signs(fit).sel({BENCHMARK: benchmark}))
    return float((sign * ceiling <= sign * target).mean())
