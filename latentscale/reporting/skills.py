"""Sections on skills: what they are, what makes models differ, and how to spend a budget."""

from __future__ import annotations

from typing import Final

import numpy as np

from latentscale.analysis.choices.allocate import Allocation, optimal_allocation
from latentscale.analysis.skills.skills import Skills, skills
from latentscale.analysis.skills.variance import NOISE, VarianceShares, variance_shares
from latentscale.dims import FLOPS_PER_BILLION_TRILLION, SKILL
from latentscale.numerics.thinning import evenly_spread
from latentscale.plots import plot_allocation, plot_loadings, plot_variance_shares
from latentscale.posterior.fit import Fit
from latentscale.reporting.blocks import Block, Bullets, Paragraph, PictureBlock, TableBlock
from latentscale.reporting.request import Request

_TOP = 3
"""Benchmarks named per skill."""
_BUDGETS = 3
"""Budgets in the section, evenly spread over the budgets of the fitted models."""
_NO_BOUND: Final = "–"


def latent_skills(request: Request) -> tuple[Block, ...]:
    """Return what the skills are, and how families differ in them."""
    result = skills(request.fit)
    top = result.top_benchmarks(_TOP)
    lines = tuple(
        f"{name}: moves {', '.join(rows['benchmark'])} most"
        for name, rows in top.groupby("skill", sort=False)
    )
    blocks: list[Block] = [
        Paragraph(
            "For each skill, the benchmarks with the largest loadings show what it measures:"
        ),
        Bullets(lines),
        PictureBlock(
            plot_loadings(result).to_svg(),
            _loadings_in_words(result, request.prob),
            "Loadings: the change of a benchmark, on the link's scale, per unit of each skill.",
        ),
        TableBlock(
            result.loadings(request.prob),
            f"Loadings, with {request.prob:.0%} intervals; standardised: in standard deviations "
            "of the benchmark per standard deviation of the skill, over the fitted models",
            folded="Table of the loadings",
        ),
    ]
    correlations = result.correlations(request.prob)
    if len(correlations):
        blocks.append(
            TableBlock(
                correlations.rename(columns={"other_skill": "other skill"}),
                "Correlations of skills, between families (at equal covariates) and over the "
                f"fitted models (covariates included), with {request.prob:.0%} intervals",
                folded="Correlations of the skills",
            )
        )
    if result.family is not None:
        blocks.append(
            TableBlock(
                result.families(request.prob),
                "What a family adds to the skills of its members at equal size, tokens and other "
                f"covariates, with {request.prob:.0%} intervals",
                folded="Skills of the families",
            )
        )
    return tuple(blocks)


def _loadings_in_words(result: Skills, prob: float) -> str:
    table = result.loadings(prob)
    parts = []
    for name, rows in table.groupby(SKILL, sort=False):
        largest = rows.sort_values("standardised", key=abs, ascending=False).head(_TOP)
        each = "; ".join(
            f"{row.benchmark} {row.median:.2f}{_between(row.lower, row.upper)}"
            for row in largest.itertuples()
        )
        parts.append(f"skill {name}: {each}")
    return f"Largest loadings of benchmarks on each skill. {'. '.join(parts)}."


def variance(request: Request) -> tuple[Block, ...]:
    """Return what makes models differ on each benchmark."""
    shares = variance_shares(request.fit, seed=request.seed)
    return (
        PictureBlock(
            plot_variance_shares(shares).to_svg(),
            _shares_in_words(shares),
            "Posterior mean shares of the variance of scores over the models measured on each "
            "benchmark. Noise is what would change in a new measurement; the rest is divided on "
            "the link's scale.",
        ),
        TableBlock(
            shares.table(request.prob),
            f"Shares of variance (fractions), with {request.prob:.0%} intervals; the shares of "
            "one benchmark sum to 1",
            folded="Table of the shares",
        ),
    )


def _shares_in_words(shares: VarianceShares) -> str:
    parts = []
    for name, rows in shares.table().groupby("benchmark", sort=False):
        largest = rows[rows["component"] != NOISE].sort_values("mean", ascending=False).iloc[0]
        noise = rows.loc[rows["component"] == NOISE, "mean"].sum()
        parts.append(f"{name}: {largest['component']} {largest['mean']:.0%}, {NOISE} {noise:.0%}")
    return (
        "What makes models differ: the largest share of variance on each benchmark, and the share "
        f"of noise. {'; '.join(parts)}."
    )


def allocation(request: Request) -> tuple[Block, ...]:
    """Return how to spend a few training budgets."""
    result = optimal_allocation(request.fit, flops=budgets(request.fit))
    table = result.table(request.prob).drop(columns=["kind", "choice_params", "choice_tokens"])
    table["bound"] = table["bound"].replace("", _NO_BOUND)
    units = {
        "params": "parameters (billion)",
        "tokens": "tokens (trillion)",
        "tokens_per_param": "tokens per parameter",
        "value": "score or skill",
    }
    names = {
        f"{name}{end}": unit + end.replace("_", " ")
        for name, unit in units.items()
        for end in ("", "_lower", "_upper")
    }
    names |= {
        "on_bound": "probability on a bound",
        "beyond_fitted": "beyond fitted models",
    }
    return (
        Paragraph(
            f"For the {result.basis}, within the sizes and token counts of the fitted models"
            f"{f' ({result.held})' if result.held else ''}. "
            "Where the optimum is mostly on a bound of that range, the scores do not determine it."
        ),
        PictureBlock(
            plot_allocation(result).to_svg(),
            _allocation_in_words(result, request.prob),
            "Compute-optimal size by budget: median optimum and its intervals, within the range "
            "of the fitted models.",
        ),
        TableBlock(
            table.rename(columns=names),
            "Optimal split of a budget of FLOPs (6 x parameters x tokens): medians and "
            f"{request.prob:.0%} intervals",
            folded="Table of the allocations",
        ),
    )


def _allocation_in_words(result: Allocation, prob: float) -> str:
    parts = [
        f"{row.target} at {row.flops:.1g} FLOPs: {row.params:.3g} billion "
        f"parameters{_between(row.params_lower, row.params_upper, '.3g')}, on a bound with "
        f"probability {row.on_bound:.0%}"
        for row in result.table(prob).itertuples()
    ]
    return f"Median optimal number of parameters. {'; '.join(parts)}."


def budgets(fit: Fit) -> list[float]:
    """Return up to three budgets within those of the fitted models, powers of ten if possible.

    Returns
    -------
    FLOPs, increasing; the geometric middle of the fitted models if no power of ten is inside.
    """
    table = fit.scores.dataset
    flops = (FLOPS_PER_BILLION_TRILLION * table["params"] * table["tokens"]).dropna("model")
    if not flops.size:
        return [1e22]
    low, high = float(np.log10(flops.min())), float(np.log10(flops.max()))
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    if not powers.size:
        return [float(10 ** ((low + high) / 2))]
    places = evenly_spread(powers.size, _BUDGETS)
    return [float(f"1e{int(power)}") for power in powers[places]]


def _between(low: float, high: float, form: str = ".2f") -> str:
    return "" if np.isnan(low) else f" ({low:{form}} to {high:{form}})"
