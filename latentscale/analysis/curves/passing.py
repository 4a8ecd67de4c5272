"""Passing: the probability that planned models reach thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
import xarray as xr

from latentscale.analysis.curves.thresholds import (
    check_benchmark,
    check_on_scale,
    need_posterior,
    signs,
)
from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.predict import predict
from latentscale.analysis.tools.units import other_units, units_note, with_units
from latentscale.data.assumed_values import assumed_note
from latentscale.dims import (
    BENCHMARK,
    MODEL,
    SAMPLE,
)
from latentscale.errors import DataError, listed
from latentscale.expect import expect
from latentscale.posterior.fit import Fit
from latentscale.result import FixedTable, Picture

_FEW_SHOT = FewShot()


@dataclass(frozen=True, repr=False)
class Passing(FixedTable):
    """Probabilities that models pass thresholds.

    Attributes
    ----------
    rows
        One row per model and benchmark: model, benchmark, threshold (in the benchmark's units),
        probability (that a new score, noise included, is at least the threshold; at most it,
        where lower is better), probability_expected (that the expected score is), and basis,
        assumed and unit (as in a forecast's table).
    joint
        Probability that a model's new scores pass every threshold at once, by model.
    units
        Units of benchmarks whose scores are not fractions, by name.
    falling
        Benchmarks among them on which lower is better.

    Examples
    --------
    >>> passing = ls.probability_above(fit, planned, {"mmlu": 0.5}, seed=1)
    >>> passing.table().columns.tolist()[:5]
    ['model', 'benchmark', 'threshold', 'probability', 'probability_expected']
    """

    rows: pd.DataFrame
    joint: pd.Series
    units: Mapping[str, str] = field(default_factory=dict)
    falling: tuple[str, ...] = ()

    plot = Picture("plot_passing")

    @property
    def headline(self) -> str:
        """How many models are more likely than not to pass every threshold at once.

        Examples
        --------
        >>> passing.headline.partition(" models")[2].strip()
        'pass its threshold more likely than not'
        """
        likely = int((self.joint > 0.5).sum())
        several = "its threshold" if self.rows["benchmark"].nunique() == 1 else "every threshold"
        lower = f" (at most the threshold on {listed(self.falling)})" if self.falling else ""
        return (
            f"{likely} of {len(self.joint)} models pass {several}{lower} more likely than not"
            + units_note(self.units, dict.fromkeys(self.rows["benchmark"]))
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """The fit's status if it is not fine, and values assumed where rows left them out.

        Examples
        --------
        >>> passing.notes[-1].partition(";")[0]
        'Left out and assumed: instruct=0 (family) in 1 of 1 row'
        """
        of_models = self.rows.drop_duplicates("model")["assumed"]
        return (*super().notes, *assumed_note(of_models.tolist()))


def probability_above(
    fit: Fit,
    frame: pd.DataFrame,
    threshold: float | Mapping[str, float],
    *,
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
) -> Passing:
    """Return the probability that models reach thresholds, as a share of forecast draws.

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

    Returns
    -------
    Passing
        One row per model and benchmark, and each model's probability of passing all at once.

    Raises
    ------
    DataError
        If the table is malformed, a benchmark is unknown, a threshold is not on the scale of its
        benchmark (a fraction is strictly between 0 and 1), or one threshold is given for benchmarks
        in several units.
    FitError
        If the fit is a point estimate, which does not give probabilities.

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
    need_posterior(fit)
    names = fit.scores.benchmarks
    if not isinstance(threshold, Mapping):
        _refuse_several_units(fit, threshold)
    wanted = dict(threshold) if isinstance(threshold, Mapping) else dict.fromkeys(names, threshold)
    if not wanted:
        raise DataError("threshold names no benchmark; give at least one.")
    for name, value in wanted.items():
        check_benchmark(fit, name)
        check_on_scale(fit, name, f'The threshold of "{name}"', value)
    forecast = predict(fit, frame, seed=seed, few_shot=few_shot)
    limit = xr.DataArray(list(wanted.values()), {BENCHMARK: list(wanted)}, (BENCHMARK,))
    sign = signs(fit).sel({BENCHMARK: list(wanted)})
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
    units = other_units(fit.scores)
    table = with_units(table.join(about, on=MODEL), units)
    joint = passed.all(BENCHMARK).mean(SAMPLE).to_series().rename("probability")
    falling = tuple(str(name) for name in wanted if float(sign.sel({BENCHMARK: name})) < 0)
    return Passing(table, joint, units, falling, fit_status=forecast.fit_status)


def _refuse_several_units(fit: Fit, threshold: object) -> None:
    units = other_units(fit.scores)
    if units:
        raise DataError(
            f"threshold {threshold!r} is one number for all benchmarks, but these have units of "
            f"their own: {listed([f'{name} ({unit})' for name, unit in units.items()])}. Give "
            f'thresholds by benchmark, such as {{"{next(iter(units))}": ...}}.'
        )
