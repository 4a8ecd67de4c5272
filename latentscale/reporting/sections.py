"""The sections of the report: each is a function of the request."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from latentscale.analysis.checks.diagnose import Diagnosis, diagnose
from latentscale.analysis.curves.along import place_text
from latentscale.analysis.curves.curves import Curve, scaling_curve
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.tools.units import in_words, means_note, other_units, shown_score
from latentscale.data.columns import is_blank
from latentscale.data.features.date import Date
from latentscale.data.scaling import is_bounded
from latentscale.data.similar_names import fitted_spelling
from latentscale.dims import FAMILY
from latentscale.errors import LatentscaleError, listed
from latentscale.inference.progress import WorkProgress
from latentscale.markup import counted, known_number
from latentscale.plots import plot_curve, plot_forecast
from latentscale.posterior.convergence import EBFMI_LIMIT, ESS_LIMIT, RHAT_LIMIT
from latentscale.posterior.fit import Fit
from latentscale.reporting.answered import answered
from latentscale.reporting.blocks import (
    Block,
    Bullets,
    Facts,
    Heading,
    Paragraph,
    PictureBlock,
    Section,
    TableBlock,
)
from latentscale.reporting.request import Request, why_unsized
from latentscale.verb import imported, sections

_WORST = 15
"""Parameters in the table: one screen."""
FORECASTS: Final = "forecasts"
"""Key of the section on planned models."""


def data_audit(request: Request) -> tuple[Block, ...]:
    """Return what was fitted, and what is odd in it."""
    scores = request.fit.scores
    cells = len(scores.models) * len(scores.benchmarks)
    facts = {
        "models": f"{len(scores.models)} in {len(scores.families)} families",
        "scores": f"{scores.n_observed} of {cells} cells ({scores.n_observed / cells:.0%})",
    }
    for name, variable, unit in (
        ("sizes", "params", "billion parameters"),
        ("training tokens", "tokens", "trillion"),
    ):
        values = scores.dataset[variable].to_series()
        facts[name] = _range_in_words(values, unit) if values.notna().any() else "undisclosed"
    findings = scores.audit.table()
    shares = bool(is_bounded(scores.dataset).any())
    blocks: list[Block] = [
        Facts(facts),
        TableBlock(
            scores.benchmark_table(),
            f"Benchmarks: {'guessing floor, number of items, and the ' if shares else ''}scores "
            f"({in_words(other_units(scores), scores.benchmarks)})",
        ),
        TableBlock(
            scores.feature_table(), "Features of models: number of models with a value, and range"
        ),
    ]
    if findings.empty:
        return (*blocks, Paragraph("The audit found nothing odd in the fitted rows."))
    warned = len(scores.audit.warnings)
    verdict = f"{counted(warned, 'finding')} to check." if warned else ""
    shown = findings[["where", "level", "message"]]
    return (
        *blocks,
        *([Paragraph(verdict, strong=True)] if verdict else []),
        TableBlock(shown, "Findings of the table's audit"),
    )


def diagnostics(request: Request) -> tuple[Block, ...]:
    """Return whether the draws can be trusted."""
    fit = request.fit
    if not fit.is_posterior:
        return (
            Paragraph(
                "This is a point estimate: there are no draws to diagnose, and intervals leave "
                "out the uncertainty of the parameters.",
                strong=True,
            ),
            Paragraph(fit.status.message),
            Bullets(fit.status.advice),
        )
    diagnosis = diagnose(fit)
    if diagnosis.of_estimator:
        return _by_status(
            diagnosis,
            fit.status.message,
            "The maximum was found, and the draws around it are independent.",
            "The maximum was NOT confirmed: do not rely on the draws around it yet.",
        )
    if diagnosis.approximation_k is not None:
        return _approximation(diagnosis, fit.status.message)
    if diagnosis.thinned:
        return _by_status(
            diagnosis,
            fit.status.message,
            "The chains that the draws come from passed.",
            "The draws were NOT confirmed: do not rely on them yet.",
        )
    verdict = (
        "The draws passed."
        if diagnosis.passed
        else "The draws did NOT pass: do not rely on them yet."
    )
    facts = {
        "largest R-hat": f"{known_number(diagnosis.max_rhat, '.3f')} (at most {RHAT_LIMIT:g})",
        "smallest ESS": f"{known_number(diagnosis.min_ess, '.0f')} (at least {ESS_LIMIT:g})",
        "divergent transitions": f"{diagnosis.divergences} (none)",
        "E-BFMI": f"{known_number(diagnosis.ebfmi, '.3f')} (at least {EBFMI_LIMIT:g})",
        **_heavy(diagnosis),
    }
    worst = diagnosis.rows.sort_values("rhat", ascending=False)
    whole = {name: worst[name].round().astype("Int64") for name in ("ess_bulk", "ess_tail")}
    table = worst.assign(**whole).rename(
        columns={"rhat": "R-hat", "ess_bulk": "bulk ESS", "ess_tail": "tail ESS"}
    )
    return (
        Paragraph(verdict, strong=True),
        Facts(facts),
        Bullets(diagnosis.advice),
        TableBlock(
            table,
            "Convergence by parameter, worst first: largest R-hat, smallest effective sample sizes",
            limit=_WORST,
            folded="Convergence by parameter",
        ),
    )


def _by_status(diagnosis: Diagnosis, message: str, found: str, not_found: str) -> tuple[Block, ...]:
    """Return the status of draws whose own R-hat and ESS are not informative."""
    return (
        Paragraph(found if diagnosis.passed else not_found, strong=True),
        Paragraph(message),
        Facts(_heavy(diagnosis)),
        Bullets(diagnosis.advice),
    )


def _approximation(diagnosis: Diagnosis, message: str) -> tuple[Block, ...]:
    """Return how close an approximation is; R-hat does not apply to its independent draws."""
    verdict = (
        "The approximation is close to the posterior."
        if diagnosis.passed
        else "The approximation was NOT confirmed as close to the posterior."
    )
    facts = {
        "Pareto k of the approximation": (
            f"{diagnosis.approximation_k:.2f} (at most {diagnosis.approximation_limit:.2f})"
        ),
        **_heavy(diagnosis),
    }
    return (
        Paragraph(verdict, strong=True),
        Paragraph(message),
        Facts(facts),
        Bullets(diagnosis.advice),
    )


def _heavy(diagnosis: Diagnosis) -> dict[str, str]:
    """Return how many scores have leave-one-out weights that are too heavy-tailed."""
    count = f"{diagnosis.high_pareto_k} (above {diagnosis.k_limit:.2f})"
    return {"scores with a high Pareto k": count}


def curves(request: Request) -> tuple[Block, ...]:
    """Return the scaling curves of some families."""
    blocks: list[Block] = []
    floors = {name: info.floor for name, info in request.fit.scores.benchmark_info.items()}
    for family in request.families:
        curve = scaling_curve(request.fit, family=family, seed=request.seed)
        sheet = plot_curve(curve, floors=floors)
        caption = (
            f"{family}: expected and new scores along {curve.label}; {curve.held}. Dots are fitted "
            "models."
        )
        blocks.append(Heading(family))
        blocks.append(PictureBlock(sheet.to_svg(), _curve_in_words(curve, request.prob), caption))
        blocks.append(_curve_table(curve, request.prob))
    return tuple(blocks)


def _curve_table(curve: Curve, prob: float) -> TableBlock:
    table = curve.table(prob)
    shown = sorted(table["at"].unique())
    kept = table[table["at"].isin([shown[0], shown[len(shown) // 2], shown[-1]])]
    unit = curve.label
    scores = in_words(curve.units, table["benchmark"])
    columns = {"at": unit, "score_lower": "new score lower", "score_upper": "new score upper"}
    return TableBlock(
        kept.drop(columns=["mean", "beyond_fitted"]).rename(columns=columns),
        f"{curve.family}: ends and middle of the curve; lower and upper are {prob:.0%} intervals "
        f"of the expected score and of a new score ({scores})",
        folded=f"Table of the curves of {curve.family}",
    )


def _curve_in_words(curve: Curve, prob: float) -> str:
    table = curve.table(prob)
    first, last = map(place_text, curve.ends)
    ends = f", with the {prob:.0%} interval at the end" if curve.is_posterior else ""
    parts = []
    for name, rows in table.groupby("benchmark", sort=False):
        low, high = rows.iloc[0], rows.iloc[-1]
        parts.append(
            f"{name} from {shown_score(low['median'], curve.units.get(name))} to "
            f"{_with_interval(high['median'], high['lower'], high['upper'], curve.units.get(name))}"
        )
    return (
        f"Scaling curves of {curve.family}. Median expected score from {first} to {last} "
        f"of {curve.label}{ends}: {'; '.join(parts)}."
    )


def forecasts(request: Request) -> tuple[Block, ...]:
    """Return the forecasts of planned models."""
    forecast = request.forecast
    table = forecast.table(request.prob)
    unsized = why_unsized(request.fit)
    tokens = request.planned.get("tokens_t")
    has_tokens = tokens is not None and tokens.notna().any()
    alike = ", trained on equally many tokens" if has_tokens else ""
    example = (
        f"a model with the features of its fitted models, since {unsized}"
        if unsized
        else f"a model with four times the parameters of its largest{alike}"
    )
    if any(isinstance(kind, Date) for kind in request.fit.transform.kinds):
        example += ", released on its latest date and otherwise like its models of that date"
    lead = (
        f"No models were named, so each family below is extended by an example: {example}."
        f"{_stated_features(request)}"
        if request.is_example
        else "The requested models."
    )
    beyond = sorted({str(m) for m in table.loc[table["extrapolates"] != "", "model"]})
    blocks: list[Block] = [Paragraph(lead)]
    if beyond:
        blocks.append(
            Paragraph(
                f"Outside the range of the fitted models: {listed(beyond)}. These forecasts "
                "extrapolate and depend on the functional form of the model."
            )
        )
    blocks += _misspelt(request.fit, forecast)
    interval = f"{request.prob:.0%} interval of a new score"
    listed_scores = "; ".join(
        f"{row.model} on {row.benchmark}: "
        + _with_interval(row.median, row.lower, row.upper, forecast.units.get(row.benchmark))
        for row in table.itertuples()
    )
    picture = PictureBlock(
        plot_forecast(forecast, prob=request.prob).to_svg(),
        f"Forecast medians and the {interval}. {listed_scores}.",
        f"Forecast scores: medians, and the {interval}.",
    )
    shown = ["model", "benchmark", "median", "lower", "upper", "sd", "basis", "extrapolates"]
    shown += ["assumed"] if table["assumed"].any() else []
    return (
        *blocks,
        picture,
        TableBlock(
            table[shown],
            f"Forecasts ({in_words(forecast.units, table['benchmark'])}); {interval}"
            + means_note(forecast.without_mean),
            folded="Table of the forecasts",
        ),
    )


def _stated_features(request: Request) -> str:
    """Return the features that example rows state, model by model."""
    kinds = [kind for kind in request.fit.transform.kinds if kind.name in request.planned]
    texts = []
    for row in request.planned.to_dict("records"):
        cells = {kind.name: row[kind.name] for kind in kinds if not is_blank(row[kind.name])}
        shown = [f"{name}={_cell_text(cell)}" for name, cell in cells.items()]
        texts += [f"{row['model']}: {', '.join(shown)}"] if shown else []
    return f" {'; '.join(texts)}." if texts else ""


def _cell_text(cell: Any) -> str:
    if isinstance(cell, np.datetime64 | pd.Timestamp):
        return f"{pd.Timestamp(cell):%Y-%m-%d}"
    return cell if isinstance(cell, str) else f"{float(cell):.3g}"


def _with_interval(median: float, lower: float, upper: float, unit: str | None) -> str:
    if np.isnan(lower):  # of a point estimate
        return shown_score(median, unit)
    shown = (shown_score(value, unit) for value in (median, lower, upper))
    return "{} ({} to {})".format(*shown)


def _misspelt(fit: Fit, forecast: Forecast) -> list[Block]:
    """Return a paragraph on new families whose names differ from fitted ones in spelling alone."""
    families = dict.fromkeys(str(name) for name in forecast.models[FAMILY].values)
    pairs = [(name, fitted_spelling(name, fit.scores.families)) for name in families]
    alike = [f'"{name}" (fitted is "{other}")' for name, other in pairs if other is not None]
    if not alike:
        return []
    return [
        Paragraph(
            "Forecast as new families, though a fitted name differs only in spelling: "
            f"{', '.join(alike)}. If they are the same, use the fitted names.",
            strong=True,
        )
    ]


def declaration(request: Request) -> tuple[Block, ...]:
    """Return the spec, and how the fit was made."""
    fit, spec = request.fit, request.fit.spec
    made = fit.provenance
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    settings = ", ".join(f"{name} {value}" for name, value in made.settings.items())
    blocks: list[Block] = [
        Facts(
            {
                "spec": f"{spec.name} ({spec.digest})",
                **({"about": spec.description} if spec.description else {}),
                **spec.facts(),
                **({"sources": ", ".join(spec.sources)} if spec.sources else {}),
                "method": f"{made.method} ({settings})" if settings else made.method,
                "seed": f"{made.seed} for the fit, {request.seed} for this report",
                **({"versions": versions} if versions else {}),
            }
        )
    ]
    priors = TableBlock(
        spec.priors_table(),
        "Priors: those given by the spec, and defaults for all other parameters",
    )
    blocks.append(priors)
    return tuple(blocks)


def _range_in_words(values: pd.Series, unit: str) -> str:
    known = values.dropna()
    if known.empty:
        return "undisclosed"
    unknown = len(values) - len(known)
    rest = f", undisclosed for {unknown}" if unknown else ""
    return f"{known.min():.3g} to {known.max():.3g} {unit}{rest}"


def sections_of(request: Request, *, progress: bool = False) -> tuple[Section, ...]:
    """Make the section of every verb that has one; one that the fit cannot answer says why.

    Parameters
    ----------
    request
        What the report is about.
    progress
        Whether to show how many sections are done.

    Raises
    ------
    LatentscaleError
        If the models to forecast are not described correctly.
    """
    made = {}
    having = sections()
    with WorkProgress(len(having), "Report", "sections", enabled=progress) as shown:
        # The forecasts first: a fault in the caller's own table is found before the long work.
        for verb, section in sorted(having, key=lambda pair: pair[1].key != FORECASTS):
            try:
                blocks = (
                    imported(section.blocks)(request) if section.blocks else answered(verb, request)
                )
                made[section.key] = Section(section.key, section.heading, blocks)
            except LatentscaleError as error:
                if section.key == FORECASTS and not request.is_example:
                    raise
                made[section.key] = Section(
                    section.key, section.heading, absent=f"Not shown: {error}"
                )
            shown.update(len(made), section.heading)
    return tuple(made[section.key] for _, section in having)
