"""Sections on trust: whether the model describes the scores, and how much the priors matter."""

from __future__ import annotations

import warnings
from typing import Any

from latentscale.analysis.checks.check import FitCheck, check, mean_residuals
from latentscale.analysis.checks.predictive import PredictiveCheck
from latentscale.analysis.sensitivity.sensitivity import Sensitivity, sensitivity
from latentscale.analysis.tools.units import in_words, other_units, shown_score
from latentscale.errors import DataWarning
from latentscale.plots import plot_outliers, plot_predictive, plot_residuals, plot_sensitivity
from latentscale.plots.check import MAX_ROWS
from latentscale.reporting.blocks import Block, Bullets, Facts, Paragraph, PictureBlock, TableBlock
from latentscale.reporting.request import Request

_ROWS = 20
"""Rows of a table or figure: one screen."""
_P_LIMIT = 0.05
"""The conventional level of a test."""


def checks(request: Request) -> tuple[Block, ...]:
    """Return whether the model describes the scores, and which scores are outliers."""
    result = check(request.fit, prob=request.prob, seed=request.seed)
    scores, surprising = len(result.loo.rows), result.predictive.surprising
    heavy = len(result.loo.unreliable)
    facts = {
        "outliers": f"{len(result.outliers)} of {scores} scores, beyond {result.threshold:.1f} "
        "predictive standard deviations",
        "unsettled": f"{len(result.unsettled)}",
        "leave-one-out ranks": ranks_in_words(result.pit_p_value),
        "replicated tables": f"{len(surprising)} of {len(result.predictive.rows)} statistics of "
        f"the scores lie outside their {request.prob:.0%} interval",
        "leave-one-out log score": f"{result.loo.elpd:.1f} (standard error {result.loo.se:.1f})",
        "high Pareto k": f"{heavy} of {scores} scores, above {result.loo.k_limit:.2f}",
    }
    return (
        Facts(facts),
        Bullets(result.advice),
        *_predictive_picture(result),
        PictureBlock(
            plot_residuals(result).to_svg(),
            _residuals_in_words(result),
            f"Leave-one-out residuals, in predictive standard deviations{_on_scale(result)}.",
        ),
        *outliers(result),
        TableBlock(
            mean_residuals(result.loo.rows, "model")
            .sort_values("rms_z", ascending=False)
            .rename(columns=_SIZES),
            "Leave-one-out residuals by model, the largest first (1: as large as expected)",
            limit=MAX_ROWS,
            folded="Residuals by model",
        ),
        TableBlock(
            result.by_family.sort_values("rms_z", ascending=False).rename(columns=_SIZES),
            "Leave-one-out residuals by family, the largest first (1: as large as expected)",
            limit=_ROWS,
            folded="Residuals by family",
        ),
        TableBlock(
            result.by_benchmark.sort_values("rms_z", ascending=False).rename(columns=_SIZES),
            "Leave-one-out residuals by benchmark, the largest first (1: as large as expected)",
            folded="Residuals by benchmark",
        ),
    )


_SIZES = {"mean_z": "mean residual", "rms_z": "root mean square residual"}


def ranks_in_words(p_value: float) -> str:
    """Return what the test of uniform leave-one-out ranks says."""
    if p_value != p_value:
        return "too few scores to judge"
    verdict = (
        "not uniform: intervals are off" if p_value < _P_LIMIT else "uniform, as they should be"
    )
    shown = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    return f"{verdict} ({shown})"


def outliers(result: FitCheck) -> tuple[Block, ...]:
    """Return the outliers and the unsettled scores."""
    if result.outliers.empty and result.unsettled.empty:
        return (Paragraph("No score is far from what the others predict."),)
    shown = ["model", "benchmark", "score", "median", "lower", "upper", "z", "pareto_k"]
    names = {"pareto_k": "Pareto k", "z": "residual"}
    judged = result.predictive.scores
    units = in_words(_units(result.predictive), () if judged is None else judged.benchmarks)
    blocks: list[Block] = [
        PictureBlock(
            plot_outliers(result, rows=_ROWS).to_svg(),
            _outliers_in_words(result),
            "Scores far from what the others predict, and what was expected.",
        )
    ]
    if len(result.outliers):
        blocks.append(
            TableBlock(
                result.outliers[[*shown, "advice"]].rename(columns=names),
                f"Outliers, worst first ({units}; residual in predictive standard deviations, "
                "positive where the score is better than expected)",
                limit=_ROWS,
            )
        )
    if len(result.unsettled):
        blocks.append(
            TableBlock(
                result.unsettled[shown].rename(columns=names),
                f"Unsettled scores, whose Pareto k is too high to judge without a refit ({units})",
                limit=_ROWS,
                folded="Unsettled scores",
            )
        )
    return tuple(blocks)


def _predictive_picture(result: FitCheck) -> tuple[PictureBlock, ...]:
    """Return the picture of the predictive check; none where no two benchmarks share a unit."""
    if not _fractions(result):
        return ()
    return (
        PictureBlock(
            plot_predictive(result.predictive).to_svg(),
            _predictive_in_words(result),
            "Posterior predictive check: statistics of replicated tables from the fitted model, "
            "and of the measured table.",
        ),
    )


def _fractions(result: FitCheck) -> set[str]:
    """Return the benchmarks whose scores are fractions."""
    names = result.predictive.rows.loc[result.predictive.rows["by"] == "benchmark", "group"]
    return set(names) - set(_units(result.predictive))


def _on_scale(result: FitCheck) -> str:
    """Return on which scale scores are compared with their forecasts."""
    units = _units(result.predictive)
    if not units:
        return " on the logit scale"
    own = "raw scores, or their logarithms where they are positive"
    return f" (of logits of fractions; else of {own})" if _fractions(result) else f" (of {own})"


def _units(predictive: PredictiveCheck) -> dict[str, str]:
    return {} if predictive.scores is None else other_units(predictive.scores)


def _score(result: FitCheck, row: Any, column: str) -> str:
    """Return a score of a table's row as text, with its unit."""
    return shown_score(getattr(row, column), _units(result.predictive).get(row.benchmark))


def _predictive_in_words(result: FitCheck) -> str:
    table = result.predictive.rows
    units = _units(result.predictive)
    rows = table[(table["by"] == "benchmark") & (table["statistic"] == "mean")]
    parts = [
        "{}: {} ({} to {})".format(
            row.group,
            *(shown_score(v, units.get(row.group)) for v in (row.observed, row.lower, row.upper)),
        )
        for row in rows.itertuples()
    ]
    return (
        "Measured mean of each benchmark, and interval of the replicated means. "
        f"{'; '.join(parts)}."
    )


def _residuals_in_words(result: FitCheck) -> str:
    parts = [f"{row.benchmark} {row.rms_z:.2f}" for row in result.by_benchmark.itertuples()]
    return (
        "Map of residuals, models by benchmarks. Root mean square by benchmark (1 if noise is as "
        f"expected): {', '.join(parts)}."
    )


def _outliers_in_words(result: FitCheck) -> str:
    rows = result.outliers if len(result.outliers) else result.unsettled
    parts = [
        f"{row.model} on {row.benchmark} {_score(result, row, 'score')}, expected "
        f"{_score(result, row, 'lower')} to {_score(result, row, 'upper')}"
        for row in rows.head(_ROWS).itertuples()
    ]
    return f"Scores outside their expected interval: {'; '.join(parts)}."


def prior_sensitivity(request: Request) -> tuple[Block, ...]:
    """Return how much the priors affect parameters and forecasts."""
    with warnings.catch_warnings():
        # The forecast has already warned about odd rows.
        warnings.simplefilter("ignore", DataWarning)
        result = sensitivity(request.fit, request.planned, seed=request.seed)
    table = result.rows.sort_values("prior", ascending=False)
    flagged = len(result.flagged)
    verdict = (
        f"{flagged} of {len(table)} quantities are flagged."
        if flagged
        else "Sensitivity to the priors exceeds the limit and the Monte Carlo noise nowhere."
    )
    names = {
        "prior_noise": "noise (prior)",
        "likelihood_noise": "noise (likelihood)",
        "prior_shift": "shift (prior)",
        "likelihood_shift": "shift (likelihood)",
    }
    return (
        Paragraph(
            "How far the posterior moves when the priors, or the likelihood, are made slightly "
            "stronger or weaker. Forecasts are for the models above."
        ),
        Paragraph(verdict, strong=True),
        Bullets(result.advice),
        PictureBlock(
            plot_sensitivity(result).to_svg(),
            _sensitivity_in_words(result),
            f"Sensitivity to priors and scores; values that exceed {result.limit:g} by more than "
            "the Monte Carlo noise matter.",
        ),
        TableBlock(
            table.rename(columns=names),
            "Sensitivity, largest to the priors first. Noise: the value from Monte Carlo error "
            "alone. Shift: of the mean, per doubling, in posterior standard deviations",
            limit=_ROWS,
            folded="Table of sensitivities",
        ),
        TableBlock(
            result.by_prior,
            "Sensitivity by prior: largest over quantities, and number of quantities moved",
            folded="Sensitivity by prior",
        ),
    )


def _sensitivity_in_words(result: Sensitivity) -> str:
    rows = result.rows.sort_values("prior", ascending=False).head(_ROWS)
    parts = [
        f"{row.variable}{f' of {row.where}' if row.where else ''}: {row.prior:.2f} to priors, "
        f"{row.likelihood:.2f} to scores"
        for row in rows.itertuples()
    ]
    return f"Quantities most sensitive to the priors. {'; '.join(parts)}."
