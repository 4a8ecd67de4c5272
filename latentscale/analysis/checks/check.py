"""Check: whether a fit describes the scores, and which scores are outliers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from latentscale.analysis.backtest import training_scores
from latentscale.analysis.checks.leave_one_out import (
    LeaveOneOut,
    draws_of_cells,
    logit_residual,
    with_replicated,
)
from latentscale.analysis.checks.predictive import PredictiveCheck, of_replicated
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.analysis.tools.fold import Fold
from latentscale.analysis.tools.refits import whole
from latentscale.analysis.tools.summaries import quantiles
from latentscale.data.scaling import is_bounded, lower_is_better
from latentscale.dims import (
    BENCHMARK,
    CELL,
    DEFAULT_PROB,
    FAMILY,
    MODEL,
    SAMPLE,
)
from latentscale.errors import FitError, FitWarning, listed
from latentscale.expect import expect
from latentscale.inference.method import Method
from latentscale.inference.run import fit as run_fit
from latentscale.markup import counted
from latentscale.posterior.fit import Fit
from latentscale.posterior.opened import as_sampled
from latentscale.result import Picture, Result
from latentscale.validate import is_number

_FALSE_ALARMS = 0.1
_SUSPECT_Z = 2.0
"""Standard deviations that 5% of correct scores exceed."""
_NEAR_FLOOR = 0.03
"""Two standard errors of a share near one quarter over about 800 items."""
_WHOLE_MODEL = 0.5
"""If more than half of a model's scores deviate in one direction, its row is suspect, not its
scores."""
_FEWEST_PIT = 10
"""With fewer scores, a test of uniform PIT values has hardly any power."""
_COLUMNS = (
    "model",
    "family",
    "benchmark",
    "score",
    "median",
    "lower",
    "upper",
    "z",
    "pareto_k",
    "basis",
    "advice",
)
WEIGHTS = "importance weights"
REFIT = "refit"


@dataclass(frozen=True, repr=False)
class FitCheck(Result):
    """How well a fit describes the scores.

    Attributes
    ----------
    loo
        Leave-one-out predictions of every score.
    predictive
        Posterior predictive check.
    pit_p_value
        p-value of the hypothesis that leave-one-out PIT values are uniform, allowing for their
        dependence; computed from the reliable scores only, NaN if there are fewer than 10.
    residuals
        Leave-one-out residuals z, dims (model, benchmark), on the logit scale in predictive
        standard deviations, positive where a score is better than predicted; NaN where nothing
        was measured. ``reliable`` is a coordinate.
    by_family, by_benchmark
        Residuals by group: scores, mean_z, rms_z (1 if the noise is as expected).
    outliers
        Scores far outside their leave-one-out interval, worst first: model, family, benchmark,
        score, median, lower, upper, z, pareto_k, basis (importance weights, or a refit without
        the score), and advice.
    unsettled
        Suspect scores whose Pareto k is too high to judge by importance weights.
    threshold
        Absolute z above which a score is an outlier.
    advice
        What to do, one step per entry.

    Examples
    --------
    >>> checked = ls.check(pooled)
    >>> checked.table().columns.tolist()[:4]
    ['model', 'family', 'benchmark', 'score']
    """

    loo: LeaveOneOut
    predictive: PredictiveCheck
    pit_p_value: float
    residuals: xr.DataArray
    by_family: pd.DataFrame
    by_benchmark: pd.DataFrame
    outliers: pd.DataFrame
    unsettled: pd.DataFrame
    threshold: float
    advice: tuple[str, ...]

    plot = Picture("plot_residuals")

    @property
    def headline(self) -> str:
        """How many scores are outliers, and what the predictive check says.

        Examples
        --------
        >>> "leave-one-out pit uniform" in checked.headline
        True
        """
        few = f"not tested with fewer than {_FEWEST_PIT} reliable scores"
        uniform = few if np.isnan(self.pit_p_value) else f"p = {self.pit_p_value:.3f}"
        return (
            f"{counted(len(self.outliers), 'outlier')} among {len(self.loo.rows)} scores "
            f"(abs z above {self.threshold:.1f}), {len(self.unsettled)} unsettled; "
            f"leave-one-out pit uniform: {uniform}. {self.predictive.headline}"
        )

    def table(self, prob: float | None = None) -> pd.DataFrame:
        """Return one row per score: the leave-one-out table, and a verdict.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval of a new score; by default that of the check.

        Returns
        -------
        pandas.DataFrame
            Columns of `latentscale.results.LeaveOneOut.table`, and verdict: ``"outlier"``,
            ``"unsettled"`` or empty.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> len(checked.table()) == pooled.scores.n_observed
        True
        """
        table = self.loo.table(self.loo.prob if prob is None else prob)
        verdicts = {"outlier": self.outliers, "unsettled": self.unsettled}
        verdict = {
            (row.model, row.benchmark): name
            for name, rows in verdicts.items()
            for row in rows.itertuples()
        }
        cells = zip(table["model"], table["benchmark"], strict=True)
        return table.assign(verdict=[verdict.get(cell, "") for cell in cells])

    def brief(self) -> pd.DataFrame:
        """Return the outliers.

        Returns
        -------
        pandas.DataFrame
            One row per outlier: model, benchmark, score and its leave-one-out figures.

        Examples
        --------
        >>> checked.brief().columns.tolist()[:3]
        ['model', 'benchmark', 'score']
        """
        return self.outliers[[n for n in self.outliers if n not in ("family", "basis", "advice")]]


def check(
    fit: Fit,
    *,
    refit: Method | None = None,
    false_alarms: float = _FALSE_ALARMS,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
) -> FitCheck:
    """Check a fit against the scores: calibration, residuals and outliers.

    A score is an outlier if its leave-one-out residual exceeds a threshold that, on average,
    `false_alarms` scores of a sound table exceed.

    Parameters
    ----------
    fit
        A fit with posterior draws.
    refit
        Method for one more fit without the outliers and the unsettled scores, which judges them
        exactly; None to use importance weights where they are reliable.
    false_alarms
        Expected number of false outliers in a sound table, above 0.
    prob
        Probability of the leave-one-out interval.
    seed
        Seed of the noise of new scores, and of the refit.

    Returns
    -------
    FitCheck
        Outliers, unsettled scores, residuals and a predictive check.

    Raises
    ------
    FitError
        If the fit is a point estimate, has too few draws, or `false_alarms` is out of range.

    References
    ----------
    Vehtari, Gelman and Gabry 2017, section 2 (leave-one-out residuals and pit).

    Examples
    --------
    >>> checked = ls.check(fit, seed=1)
    >>> 0 <= checked.pit_p_value <= 1
    True
    """
    expect(fit, Fit, "fit")
    loo, replicated = with_replicated(fit, prob, seed)
    count = len(loo.rows)
    if not is_number(false_alarms) or not 0 < false_alarms < count:
        raise FitError(
            f"false_alarms must be above 0 and below the {count} scores; got {false_alarms!r}."
        )
    if refit is not None:
        expect(refit, Method, "refit")
    false_alarms = float(false_alarms)
    threshold = float(norm.isf(false_alarms / count / 2))
    table = loo.rows
    large = table["z"].abs() > threshold
    doubtful = (table["z"].abs() > _SUSPECT_Z) | table["z"].isna()
    odd = ~table["reliable"] & doubtful & ~large
    outliers, unsettled = table[large].assign(basis=WEIGHTS), table[odd].assign(basis=WEIGHTS)
    if refit is not None and (large | odd).any():
        outliers = _confirmed_by_refit(fit, table[large | odd], refit, threshold, prob, seed)
        unsettled = unsettled.iloc[:0]
    outliers = outliers.assign(advice=_advice_for(fit, outliers, table))
    unsettled = unsettled.assign(advice="Confirm by a refit without it: check(fit, refit=...).")
    return FitCheck(
        loo=loo,
        predictive=of_replicated(fit, replicated, prob),
        pit_p_value=uniform_p_value(table.loc[table["reliable"], "pit"]),
        residuals=_residual_map(fit, table),
        by_family=mean_residuals(table, "family"),
        by_benchmark=mean_residuals(table, "benchmark"),
        outliers=_worst_first(outliers),
        unsettled=_worst_first(unsettled),
        threshold=threshold,
        advice=_advice(loo, len(outliers), len(unsettled)),
        fit_status=fit.status.caveat,
    )


def uniform_p_value(pit: pd.Series) -> float:
    """Return the p-value of the hypothesis that PIT values are uniform, allowing for dependence.

    ArviZ's test of pointwise order statistics, combined by truncated Cauchy (Tesso and Vehtari
    2025, "LOO-PIT predictive model checking"). NaN with fewer than 10 values.
    """
    if len(pit) < _FEWEST_PIT:
        return float("nan")
    values = xr.DataArray(pit.clip(1e-6, 1 - 1e-6).to_numpy(), dims=(CELL,))
    return float(values.azstats.uniformity_test(dim=CELL, method="pot_c")[0])


def _confirmed_by_refit(
    fit: Fit, suspects: pd.DataFrame, method: Method, threshold: float, prob: float, seed: int
) -> pd.DataFrame:
    """Return the suspect scores that are still outliers under a refit without all of them."""
    score = xr.DataArray(suspects["score"].to_numpy(), dims=(CELL,)).assign_coords(
        cell_model=(CELL, suspects["model"].to_numpy(dtype=str)),
        cell_benchmark=(CELL, suspects["benchmark"].to_numpy(dtype=str)),
    )
    data = fit.scores.dataset
    cells = zip(suspects["model"].astype(str), suspects["benchmark"].astype(str), strict=True)
    # As for a fold: the refit uses neither their errors nor a centre and step that depend on them.
    table = training_scores(fit.scores, Fold("suspects", fit.scores.models, cells=tuple(cells)))
    measured = table.dataset["score"].notnull().any(MODEL)
    bare = [str(b) for b in measured[BENCHMARK].values[~measured.values]]
    if bare:
        raise FitError(f"All scores of {listed(bare)} are suspect; nothing is left to refit on.")
    again = whole(run_fit(fit.spec, table, method=method, seed=seed, progress=False))
    if again.status.converged is False:
        warnings.warn(
            f"The refit without the suspects: {again.status.message}", FitWarning, stacklevel=3
        )
    replicated = forecast_rows(as_sampled(again), data, seed=seed, replicate=True).draws
    drawn = draws_of_cells(replicated, score)
    ends = quantiles(drawn, prob)
    even = xr.ones_like(drawn) / drawn.sizes[SAMPLE]
    below = (drawn < score) + 0.5 * (drawn == score)
    refitted = suspects.assign(
        basis=REFIT,
        mean=drawn.mean(SAMPLE).where(suspects["mean"].notna().to_numpy()).values,
        median=ends["median"].values,
        lower=ends["lower"].values,
        upper=ends["upper"].values,
        pit=below.mean(SAMPLE).values,
        z=logit_residual(fit, score, drawn, even).values,
    )
    return refitted[refitted["z"].abs() > threshold]


def _advice_for(fit: Fit, outliers: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Return the likely cause of each outlier: metadata, a format failure, or contamination."""
    data = fit.scores.dataset
    sign = xr.where(lower_is_better(data), -1, 1).to_series()
    # Scores at or beyond this value, towards the worse end, are no better than guessing.
    guessing = (sign * data["floor"].to_series() + _NEAR_FLOOR).where(is_bounded(data).to_series())
    own = table.groupby("model")["z"].agg(
        ["size", lambda z: (z > _SUSPECT_Z).mean(), lambda z: (z < -_SUSPECT_Z).mean()]
    )
    own.columns = ["scores", "above", "below"]
    lines = []
    for row in outliers.itertuples():
        model = own.loc[row.model]
        same = model["above"] if row.z > 0 else model["below"]
        if model["scores"] >= 3 and same >= _WHOLE_MODEL:
            side = "better" if row.z > 0 else "worse"
            lines.append(
                f"Most scores of this model are {side} than expected: check its size, tokens, "
                "family and instruct flag."
            )
        elif row.z < 0 and sign[row.benchmark] * row.score <= guessing[row.benchmark]:
            lines.append(
                "The score is no better than guessing: a format failure is likely; check the "
                "prompt template and how answers were parsed."
            )
        elif row.z < 0:
            how = "Lower" if sign[row.benchmark] > 0 else "Worse"
            lines.append(
                f"{how} than the model's other scores predict: check the harness settings (shots, "
                "prompt, truncation) and the unit of the column."
            )
        else:
            how = "Higher" if sign[row.benchmark] > 0 else "Better"
            lines.append(
                f"{how} than the model's other scores predict: check for contamination with the "
                "benchmark's items, for settings that differ from the rest, and the unit of the "
                "column."
            )
    return lines


def _residual_map(fit: Fit, table: pd.DataFrame) -> xr.DataArray:
    cells = table.set_index(["model", "benchmark"])[["z", "reliable"]].to_xarray()
    wanted = {MODEL: list(fit.scores.models), BENCHMARK: list(fit.scores.benchmarks)}
    known = cells.reindex(wanted)
    families = fit.scores.dataset[FAMILY].values.astype(str)
    return known["z"].assign_coords(
        reliable=((MODEL, BENCHMARK), known["reliable"].fillna(False).values.astype(bool)),
        family=(MODEL, families),
    )


def mean_residuals(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return one row per model, family or benchmark: scores, mean_z and rms_z.

    Parameters
    ----------
    table
        Rows of `LeaveOneOut`.
    by
        Its column ``"model"``, ``"family"`` or ``"benchmark"``.
    """
    grouped = table.groupby(by, sort=True)["z"]
    residuals = grouped.agg(scores="size", mean_z="mean")
    residuals["rms_z"] = np.sqrt(grouped.apply(lambda z: (z**2).mean()))
    return residuals.reset_index()


def _worst_first(rows: pd.DataFrame) -> pd.DataFrame:
    order = rows["z"].abs().sort_values(ascending=False).index
    return rows.loc[order, list(_COLUMNS)].reset_index(drop=True)


def _advice(loo: LeaveOneOut, outliers: int, unsettled: int) -> tuple[str, ...]:
    lines = []
    if outliers:
        lines.append(
            "Look at each outlier's source before you drop it; a true surprise belongs in the fit."
        )
    heavy = len(loo.unreliable)
    if heavy:
        lines.append(
            f"{heavy} of {len(loo.rows)} scores have a Pareto k above {loo.k_limit:.2f}: their "
            "residuals are too small, since the weights leave them out only in part."
        )
    if unsettled:
        lines.append(
            f"{unsettled} of these look odd: check(fit, refit=latentscale.NUTS()) settles them "
            "with one fit without them."
        )
    return tuple(lines)
