"""Allocate: the parameters and tokens that make the most of a FLOPs budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.choices.budget_line import Line, Segment, line, segment
from latentscale.analysis.choices.maximise import highest_by_search, highest_of_quadratic, value_at
from latentscale.analysis.choices.published import PUBLISHED, ROUNDING, SAME_BUDGET
from latentscale.analysis.choices.target import SCORE_KIND, SKILL_KIND, Target, checked_targets
from latentscale.analysis.curves.along import increasing_positive, refuse_active
from latentscale.analysis.forecasts.rows import (
    checked_family,
    held_features,
    members_of,
    usual_instruct,
)
from latentscale.analysis.skills.identified import require_identified
from latentscale.dims import (
    BENCHMARK,
    DEFAULT_PROB,
    SAMPLE,
    SKILL,
    interval_quantiles,
)
from latentscale.errors import DataError, SpecError, listed
from latentscale.expect import expect
from latentscale.markup import counted
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import is_number, plain, truth

TARGET = "target"
FLOPS = "flops"


@dataclass(frozen=True, repr=False)
class Allocation(Result):
    """Compute-optimal sizes and token counts.

    Attributes
    ----------
    draws
        One optimum per posterior draw: ``params`` (billions), ``tokens`` (trillions), ``value`` (an
        expected score, or a skill) and ``bound`` (-1 at the small end of the budget's range, 1 at
        its large end, 0 between), dims (sample, target, flops).
    choice
        The single allocation with the highest posterior mean of the target: ``params``, ``tokens``
        and ``value``, dims (target, flops).
    segments
        The allowed range of sizes for each budget, and what bounds it.
    targets
        Targets that were maximised.
    basis
        The family and kind of model, in words.
    fitted_params, fitted_tokens
        Ranges of the fitted models (billions, trillions).
    is_posterior
        False if the fit is a point estimate; tables then hold no intervals.
    held
        Values at which other features are held, in words; empty if there are none.

    Examples
    --------
    >>> plan = ls.optimal_allocation(fit, flops=1e23, target="mmlu")
    >>> plan.table()[["target", "kind"]].values.tolist()
    [['mmlu', 'score']]
    """

    draws: xr.Dataset
    choice: xr.Dataset
    segments: tuple[Segment, ...]
    targets: tuple[Target, ...]
    basis: str
    fitted_params: tuple[float, float]
    fitted_tokens: tuple[float, float]
    is_posterior: bool = True
    held: str = ""

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per target and budget.

        Parameters
        ----------
        prob
            Probability of the equal-tailed intervals.

        Returns
        -------
        pandas.DataFrame
            Columns target, kind, flops; params (billions), tokens (trillions), tokens_per_param and
            value (posterior medians), each with _lower and _upper (NaN for a point estimate);
            on_bound (probability that the optimum is on a bound) and bound (the likelier one);
            choice_params and choice_tokens (see `choice`); beyond_fitted (whether the medians lie
            outside the range of the fitted models).

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> plan.table(prob=0.5).columns.tolist()[:6]
        ['target', 'kind', 'flops', 'params', 'params_lower', 'params_upper']
        """
        low, high = interval_quantiles(prob)
        ratio = 1000 * self.draws["tokens"] / self.draws["params"]
        shown = self.draws[["params", "tokens", "value"]].assign(tokens_per_param=ratio)
        quantiles = shown.quantile([low, 0.5, high], dim=SAMPLE)
        if not self.is_posterior:
            quantiles = quantiles.where(quantiles["quantile"] == 0.5)
        columns = {}
        for name in ("params", "tokens", "tokens_per_param", "value"):
            for place, suffix in ((1, ""), (0, "_lower"), (2, "_upper")):
                columns[name + suffix] = quantiles[name].isel(quantile=place, drop=True)
        at_low, at_high = (self.draws["bound"] == -1), (self.draws["bound"] == 1)
        columns["on_bound"] = (at_low | at_high).mean(SAMPLE)
        columns["choice_params"] = self.choice["params"]
        columns["choice_tokens"] = self.choice["tokens"]
        table = xr.Dataset(columns).to_dataframe(dim_order=[TARGET, FLOPS])[list(columns)]
        table = table.reset_index()
        kinds = {target.label: target.kind for target in self.targets}
        table.insert(1, "kind", table["target"].map(kinds))
        table.insert(
            table.columns.get_loc("on_bound") + 1,
            "bound",
            self._likelier_bound(at_low.mean(SAMPLE), at_high.mean(SAMPLE)),
        )
        table["beyond_fitted"] = _outside(table["params"], self.fitted_params) | _outside(
            table["tokens"], self.fitted_tokens
        )
        return table

    def _likelier_bound(self, at_low: xr.DataArray, at_high: xr.DataArray) -> list[str]:
        names = []
        for target in self.targets:
            for budget_line in self.segments:
                where = {TARGET: target.label, FLOPS: budget_line.flops}
                below, above = float(at_low.sel(where)), float(at_high.sel(where))
                nearer = budget_line.low_bound if below >= above else budget_line.high_bound
                names.append(nearer if max(below, above) > 0 else "")
        return names

    def beside_published(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return our optima next to those of Cai et al. 2025, Table 2.

        Theirs are for math_lvl5, ifeval, hellaswag and bbh at ten budgets; ours are matched to them
        where budgets differ by less than 1%.

        Parameters
        ----------
        prob
            Probability of our equal-tailed intervals.

        Returns
        -------
        pandas.DataFrame
            Columns target, flops, published_params, published_tokens, then ours as in `table`,
            params_agrees (whether the published size is in our interval, to within its rounding;
            missing for a point estimate, which has no interval) and source.

        Raises
        ------
        DataError
            If no published benchmark and budget was requested.

        Examples
        --------
        >>> plan = ls.optimal_allocation(fit, flops=2.548e23, target="hellaswag")
        >>> plan.beside_published().columns.tolist()[:3]
        ['target', 'flops', 'published_params']
        """
        ours = self.table(prob)
        asked = ours[["target", "flops"]]
        shared = asked.merge(PUBLISHED, on="target", suffixes=("", "_published"))
        near = np.isclose(shared["flops"], shared["flops_published"], rtol=SAME_BUDGET)
        shared = shared[near]
        if shared.empty:
            budgets = ", ".join(f"{value:.4g}" for value in sorted(set(PUBLISHED["flops"])))
            raise DataError(
                "Published optima are known for the benchmarks "
                f"{listed(sorted(set(PUBLISHED['target'])))} at {budgets} FLOPs; call "
                "optimal_allocation with some of these to compare them."
            )
        joined = shared.drop(columns="flops_published").merge(ours, on=["target", "flops"])
        inside = joined["published_params"].between(
            joined["params_lower"] * (1 - ROUNDING), joined["params_upper"] * (1 + ROUNDING)
        )
        joined["params_agrees"] = inside if self.is_posterior else pd.NA
        last = joined.pop("source")
        return joined.assign(source=last)

    plot = Picture("plot_allocation")

    @property
    def headline(self) -> str:
        """Number of budgets and targets, and the kind of model.

        Examples
        --------
        >>> plan.headline
        'Allocation of 1 budget for 1 target, base model of the average family, 800 draws'
        """
        return (
            f"Allocation of {counted(self.draws.sizes[FLOPS], 'budget')} for "
            f"{counted(self.draws.sizes[TARGET], 'target')}, {self.basis}, "
            f"{self.draws.sizes[SAMPLE]} draws" + (f"; {self.held}" if self.held else "")
        )

    def brief(self) -> pd.DataFrame:
        """Return the table without ratios, values and the single choice.

        Returns
        -------
        pandas.DataFrame
            Columns target, flops, params and tokens with their intervals, on_bound and bound.

        Examples
        --------
        >>> plan.brief()[["target", "flops"]].values.tolist()
        [['mmlu', 1e+23]]
        """
        columns = ["target", "flops", "params", "params_lower", "params_upper"]
        columns += ["tokens", "tokens_lower", "tokens_upper", "on_bound", "bound"]
        return self.table()[columns]


def optimal_allocation(
    fit: Fit,
    *,
    flops: float | Sequence[float],
    target: Target | str | Sequence[Target | str] | None = None,
    family: str | None = None,
    instruct: bool | None = None,
    params: tuple[float, float] | None = None,
    tokens: tuple[float, float] | None = None,
) -> Allocation:
    """Return the parameters and tokens that make the most of training budgets.

    On the line log N + log D = log(C / 6) every covariate is at most quadratic in log N, so a skill
    or a linear predictor is a parabola, with its maximum in closed form (the translog case). A
    benchmark's expected score rises with its linear predictor, so its optimum is the same. A
    weighted mean of scores is maximised by a search. The optima of all posterior draws are draws
    from the optimum's posterior distribution.

    Parameters
    ----------
    fit
        A fit of a spec with size and tokens as separate covariates.
    flops
        Budgets, FLOPs (6 x parameters x tokens).
    target
        What to maximise: a benchmark's name, a `Target`, or a list of these. By default every
        benchmark on which higher is better, and every skill if skills are identified. Other
        features are held at the family's mean, or its most common level.
    family
        A fitted family, whose own slopes are then used; by default the mean over families.
    instruct
        Whether the model is instruction-tuned; by default like all fitted models of the family (or
        all fitted models), and a base model if they differ.
    params, tokens
        Limits of the search, billions and trillions; by default the ranges of the fitted
        models. Wider limits extrapolate.

    Returns
    -------
    Allocation
        The allocations: print ``.table()``, plot with `latentscale.plots.plot_allocation`, or
        compare them with published ones by ``.beside_published()``.

    Raises
    ------
    SpecError
        If the spec has no separate terms for size and tokens, uses active parameters, or a target
        is a skill that is not identified.
    DataError
        If a name is not in the fit, or a budget or limit is not valid.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), Table 2. The cost model: Kaplan et al.
    2020 (arXiv:2001.08361), section 2.1.

    Examples
    --------
    >>> plan = ls.optimal_allocation(fit, flops=1e23, target="mmlu")
    >>> plan.is_posterior
    True
    """
    expect(fit, Fit, "fit")
    _require_size_and_tokens(fit)
    refuse_active(fit)
    if instruct is not None:
        instruct = truth(instruct, "instruct", error=DataError, also="None")
    targets = checked_targets(fit, target)
    for wanted in targets:
        if wanted.kind == SKILL_KIND:
            require_identified(fit, "the optimum of a single skill")
    if family is not None:
        checked_family(fit, family)
    tuned = usual_instruct(fit, family) if instruct is None else instruct
    table = fit.scores.dataset
    fitted = {name: _span(table[name]) for name in ("params", "tokens")}
    limits = {
        "params": _checked_limits("params", params, fitted["params"]),
        "tokens": _checked_limits("tokens", tokens, fitted["tokens"]),
    }
    segments = [segment(budget, **limits) for budget in _checked_budgets(flops)]
    optima, chosen = [], []
    for budget_line in segments:
        along = line(fit, budget_line, family=family, instruct=tuned)
        draws, choice = _optima(along, budget_line, targets)
        optima.append(draws)
        chosen.append(choice)
    coords = {FLOPS: [budget_line.flops for budget_line in segments]}
    kind = "instruction-tuned model" if tuned else "base model"
    return Allocation(
        draws=xr.concat(optima, dim=FLOPS).assign_coords(coords).transpose(SAMPLE, TARGET, FLOPS),
        choice=xr.concat(chosen, dim=FLOPS).assign_coords(coords).transpose(TARGET, FLOPS),
        segments=tuple(segments),
        targets=targets,
        basis=f"{kind} of " + (f'family "{family}"' if family else "the average family"),
        fitted_params=fitted["params"],
        fitted_tokens=fitted["tokens"],
        is_posterior=fit.is_posterior,
        held="; ".join(held_features(fit, members_of(fit, family)).values()),
        fit_status=fit.status.caveat,
    )


def _optima(along: Line, budget_line: Segment, targets: Sequence[Target]) -> tuple[xr.Dataset, ...]:
    """Return each draw's optimum of every target, and the single best allocations."""
    places: dict[str, xr.DataArray] = {}
    values: dict[str, xr.DataArray] = {}
    for target in targets:
        names = [name for name, _ in target.weights]
        if target.kind == SKILL_KIND and along.skill is not None:
            curve = _weighted_sum(along.skill, target)
            places[target.label] = highest_of_quadratic(curve)
            values[target.label] = value_at(curve, places[target.label])
            continue
        if len(names) == 1:
            place = highest_of_quadratic(along.eta.sel({BENCHMARK: names[0]}, drop=True))
        else:
            place = highest_by_search(partial(_score, along, target))
        places[target.label], values[target.label] = place, _score(along, target, place)
    place, value = _by_target(places), _by_target(values)
    chosen, mean_value = _choice(along, targets)
    draws = {
        "params": budget_line.params(place),
        "tokens": budget_line.tokens(place),
        "value": value,
        "bound": xr.where(place <= -1, -1, xr.where(place >= 1, 1, 0)),
    }
    choice = {
        "params": budget_line.params(chosen),
        "tokens": budget_line.tokens(chosen),
        "value": mean_value,
    }
    return xr.Dataset(draws), xr.Dataset(choice)


def _choice(along: Line, targets: Sequence[Target]) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the place with the highest posterior mean of each target, and that mean."""
    places: dict[str, xr.DataArray] = {}
    values: dict[str, xr.DataArray] = {}
    for target in targets:
        if target.kind == SKILL_KIND and along.skill is not None:
            curve = _weighted_sum(along.skill, target).mean(SAMPLE)
            places[target.label] = highest_of_quadratic(curve)
            values[target.label] = value_at(curve, places[target.label])
    scored = [target for target in targets if target.kind == SCORE_KIND]
    if scored:

        def mean(u: xr.DataArray) -> xr.DataArray:
            at = [u.sel({TARGET: k}) if TARGET in u.dims else u for k in range(len(scored))]
            means = [_score(along, target, at[k]).mean(SAMPLE) for k, target in enumerate(scored)]
            return xr.concat(means, dim=TARGET)

        highest = highest_by_search(mean)
        best = mean(highest)
        for k, target in enumerate(scored):
            places[target.label], values[target.label] = highest.isel(target=k), best.isel(target=k)
    ordered = [target.label for target in targets]
    return (
        _by_target({label: places[label] for label in ordered}),
        _by_target({label: values[label] for label in ordered}),
    )


def _score(along: Line, target: Target, u: xr.DataArray) -> xr.DataArray:
    """Return a target's weighted mean of expected scores at places u."""
    scores = along.score(u, [name for name, _ in target.weights])
    total = sum(weight for _, weight in target.weights)
    return (scores * _weights(target, BENCHMARK)).sum(BENCHMARK) / total


def _weighted_sum(curves: xr.Dataset, target: Target) -> xr.Dataset:
    """Return the parabola of a target's weighted sum of skills."""
    chosen = curves.sel({SKILL: [name for name, _ in target.weights]})
    return (chosen * _weights(target, SKILL)).sum(SKILL)


def _weights(target: Target, dim: str) -> xr.DataArray:
    names, weights = zip(*target.weights, strict=True)
    return xr.DataArray([float(w) for w in weights], dims=(dim,), coords={dim: list(names)})


def _by_target(arrays: Mapping[str, xr.DataArray]) -> xr.DataArray:
    loose = [BENCHMARK, SKILL, TARGET]
    every = [array.drop_vars(loose, errors="ignore") for array in arrays.values()]
    return xr.concat(every, dim=TARGET).assign_coords({TARGET: list(arrays)})


def _require_size_and_tokens(fit: Fit) -> None:
    used = {factor for name in fit.spec.covariates for factor in name.split(":")}
    if len(used & {"log_params", "log_tokens", "log_flops"}) < 2:
        raise SpecError(
            f'The spec "{fit.spec.name}" has no separate terms for size and tokens: its covariates '
            f"are {listed(fit.spec.covariates) or 'none'}, so it cannot trade one off against the "
            "other. Fit a table with sizes and tokens (params_b, tokens_t) under a spec with "
            'log_params and log_tokens, such as the recommended load_spec("latentscale").'
        )


def _checked_budgets(flops: object) -> list[float]:
    bare = plain(flops)
    given = [bare] if isinstance(bare, Real) else bare
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise DataError(f"flops must be a number of FLOPs or a list of them; got {flops!r}.")
    budgets = []
    for budget in given:
        if not is_number(budget) or not float(budget) > 0:
            raise DataError(f"flops must be finite and above 0, such as 1e22; got {budget!r}.")
        budgets.append(float(budget))
    if not budgets or len(set(budgets)) < len(budgets):
        raise DataError(f"flops must name at least one budget, each once; got {flops!r}.")
    return budgets


def _checked_limits(
    name: str, limits: tuple[float, float] | None, fitted: tuple[float, float]
) -> tuple[float, float]:
    if limits is None:
        return fitted
    unit = "billions" if name == "params" else "trillions"
    example = f"({fitted[0]:g}, {fitted[1]:g})"
    return increasing_positive(limits, f"numbers, {unit}, such as {example}", name)


def _span(values: xr.DataArray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _outside(values: pd.Series, span: tuple[float, float]) -> pd.Series:
    return (values < span[0] * (1 - 1e-9)) | (values > span[1] * (1 + 1e-9))
