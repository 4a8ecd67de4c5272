"""Stack: one forecast from several fits, mixed by weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.analysis.checks.compare import Comparison
from latentscale.analysis.forecasts.few_shot import Conditioning
from latentscale.analysis.forecasts.forecast import Forecast
from latentscale.analysis.forecasts.predict import predict
from latentscale.analysis.tools.units import other_units
from latentscale.data.recording import unlike
from latentscale.data.scaling import is_bounded, units_of
from latentscale.data.scores import Scores
from latentscale.declare.likelihood import Noise
from latentscale.dims import BENCHMARK, CHAIN, DRAW, MODEL, SAMPLE, SKILL, checked_seed
from latentscale.errors import DataError, FitError, SpecError, listed
from latentscale.expect import expect_each, shown
from latentscale.markup import FRACTION
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import with_origin
from latentscale.posterior.status import caveats
from latentscale.validate import is_number


def stack(
    fits: Mapping[str, Fit],
    frame: pd.DataFrame,
    weights: Mapping[str, float] | Comparison,
    *,
    seed: int = 0,
) -> Forecast:
    """Forecast with a mixture of fits: each draw comes from one fit, in proportion to the weights.

    Yao et al. 2018, "Using stacking to average Bayesian predictive distributions". The score,
    expected score, precision, noise, skills and tokens of a draw all come from one posterior draw
    of one fit, so the mixture keeps the dependence within a fit.

    Parameters
    ----------
    fits
        Fits by name, on the same benchmarks.
    frame
        The models to forecast, as for `latentscale.predict`.
    weights
        Weight of each fit, or a comparison with weights. They are scaled to sum to 1.
    seed
        Seed of the forecasts and of the choice of draws.

    Returns
    -------
    Forecast
        A forecast with as many draws as the longest fit. The coordinates ``fit``, ``fit_sample``,
        ``chain`` and ``draw`` along ``sample`` identify the fit and the posterior draw behind each
        draw. Its ``models`` come from the fit with the largest weight; a model counts as
        extrapolated if that fit extrapolates. Skills are included if they mean the same in all fits
        (same link, anchors, family level and models); otherwise ``no_skills`` gives the reason.
        Tokens are NaN in draws of fits that do not estimate them. Where scores condition a fit's
        forecast, the mixture's effective sample size is 1 / sum(share^2 / ESS of the fit).

    Raises
    ------
    DataError
        If a weight is missing, negative, or all are zero, or the table is malformed.
    FitError, SpecError
        If the fits have different benchmarks or likelihoods, different scores of the same models,
        or scores in different units.

    Examples
    --------
    >>> planned = pd.DataFrame(
    ...     {"model": ["qwen2-30b"], "family": ["qwen2"], "params_b": [30.0], "tokens_t": [7.0]}
    ... )
    >>> mixture = ls.stack(
    ...     {"skills": fit, "one curve": pooled}, planned, {"skills": 0.8, "one curve": 0.2}, seed=1
    ... )
    >>> len(mixture.table())
    6
    """
    expect_each(fits, Fit, "fits", '{"K = 1": fit1, "K = 2": fit2}')
    shares = _shares(fits, weights)
    _check_alike(fits)
    rng = np.random.default_rng(checked_seed(seed))
    forecasts = {name: predict(fits[name], frame, seed=seed) for name in shares}
    total = max(forecast.draws.sizes[SAMPLE] for forecast in forecasts.values())
    counts = {name: count for name, count in _counts(shares, total).items() if count}
    kept = {name: _chosen(forecasts[name], count, rng) for name, count in counts.items()}
    mixture = _Mixture({name: forecasts[name] for name in counts}, kept)
    first = max(counts, key=lambda name: shares[name])
    reason = _why_no_skills({name: fits[name] for name in counts})
    return Forecast(
        draws=mixture.join(lambda f: f.draws),
        mean_draws=mixture.join(lambda f: f.mean_draws),
        precision_draws=mixture.join(lambda f: f.precision_draws),
        models=forecasts[first].models,
        is_posterior=all(forecasts[name].is_posterior for name in counts),
        noise=mixture.noise(),
        skill_draws=None if reason else mixture.optional(lambda f: f.skill_draws),
        conditioning=mixture.conditioning(),
        token_draws=mixture.optional(lambda f: f.token_draws),
        no_skills=reason,
        units=forecasts[first].units,
        fit_status=caveats({name: fits[name].status for name in counts}),
    )


@dataclass(frozen=True)
class _Mixture:
    """Forecasts by name of their fit, and which of their rows the mixture takes from each."""

    parts: dict[str, Forecast]
    kept: dict[str, npt.NDArray[np.int64]]

    def join(self, array_of: Callable[[Forecast], xr.DataArray]) -> xr.DataArray:
        """Return one array of all parts, each row with its fit and posterior draw.

        An array without samples, or without a dim that it has in another part, is broadcast.
        """
        arrays = {name: array_of(forecast) for name, forecast in self.parts.items()}
        labels: dict[str, list[str]] = {}
        for array in arrays.values():
            for dim in (str(d) for d in array.dims if d != SAMPLE):
                known = labels.setdefault(dim, [])
                known.extend(str(label) for label in array[dim].values if str(label) not in known)
        rows = [self._rows(name, array, labels) for name, array in arrays.items()]
        joined = xr.concat(rows, dim=SAMPLE, coords="minimal", join="exact")
        count = joined.sizes[SAMPLE]
        named = next(iter(arrays.values())).name
        return joined.assign_coords({SAMPLE: np.arange(count)}).rename(named)

    def _rows(
        self, name: str, array: xr.DataArray, labels: Mapping[str, list[str]]
    ) -> xr.DataArray:
        draws = self.parts[name].draws
        whole = array
        if SAMPLE not in array.dims:
            whole = array.expand_dims({SAMPLE: draws.sizes[SAMPLE]})
            whole = with_origin(whole, draws)
        absent = {dim: known for dim, known in labels.items() if dim not in whole.dims}
        picked = whole.expand_dims(absent).isel({SAMPLE: self.kept[name]}).reindex(labels)
        loose = [c for c in picked.coords if c not in (*picked.dims, CHAIN, DRAW)]
        picked = picked.drop_vars(loose).transpose(SAMPLE, ..., *labels)
        return picked.assign_coords(
            fit_sample=(SAMPLE, picked[SAMPLE].values),
            fit=(SAMPLE, np.full(len(self.kept[name]), name)),
        ).drop_vars(SAMPLE)

    def optional(self, array_of: Callable[[Forecast], xr.DataArray | None]) -> xr.DataArray | None:
        """Return one array, NaN in the rows of parts without it; None if no part has it."""
        had = next((a for a in map(array_of, self.parts.values()) if a is not None), None)
        if had is None:
            return None
        empty = xr.full_like(had.isel({SAMPLE: 0}, drop=True), np.nan).reset_coords(drop=True)

        def filled(forecast: Forecast) -> xr.DataArray:
            array = array_of(forecast)
            return empty if array is None else array

        return self.join(filled)

    def noise(self) -> Noise:
        """Return the noise, by sample where it differs between fits or draws."""
        return self._noise(lambda forecast: forecast.noise)

    def _noise(self, noise_of: Callable[[Forecast], Noise]) -> Noise:
        first = noise_of(next(iter(self.parts.values())))
        changed: dict[str, Any] = {}
        for item in fields(first):
            of = partial(_field_of, noise_of, item.name)
            own = getattr(first, item.name)
            if isinstance(own, Noise):
                changed[item.name] = self._noise(of)
            elif hasattr(own, "dims"):
                alike = all(own.equals(of(forecast)) for forecast in self.parts.values())
                changed[item.name] = own if SAMPLE not in own.dims and alike else self.join(of)
        return replace(first, **changed)

    def conditioning(self) -> Conditioning | None:
        """Return how the parts were conditioned; None if none was."""
        given = {name: forecast.conditioning for name, forecast in self.parts.items()}
        known = [report for report in given.values() if report is not None]
        if not known:
            return None
        total = sum(len(rows) for rows in self.kept.values())
        inverse = 0.0
        for name, rows in self.kept.items():
            report = given[name]
            ess = min(report.ess, len(rows)) if report is not None else len(rows)
            inverse += (len(rows) / total) ** 2 / ess
        shapes = [report.pareto_k for report in known if not np.isnan(report.pareto_k)]
        index = [self.parts[name].draws[SAMPLE].values[rows] for name, rows in self.kept.items()]
        return Conditioning(
            method=", ".join(dict.fromkeys(report.method for report in known)),
            n_scores=max(report.n_scores for report in known),
            ess=1 / inverse,
            pareto_k=max(shapes, default=float("nan")),
            index=np.concatenate(index),
        )


def _field_of(noise_of: Callable[[Forecast], Noise], name: str, forecast: Forecast) -> Any:
    return getattr(noise_of(forecast), name)


def _why_no_skills(fits: Mapping[str, Fit]) -> str:
    """Return why skills of these fits cannot be mixed; empty if they can, or if there are none."""
    (first, reference), *others = fits.items()
    if not any(fit.spec.skills.count for fit in fits.values()) or not others:
        return ""
    loose = [name for name, fit in fits.items() if fit.spec.skills.identify.kind == "free"]
    if loose:
        return (
            f"those of {listed(loose)} are free to rotate, so they are not comparable across fits"
        )
    for name, fit in others:
        for what, of in _SAME_SKILLS.items():
            if of(fit) != of(reference):
                return f'those of "{first}" and "{name}" differ in their {what}'
    return ""


_SAME_SKILLS: dict[str, Callable[[Fit], object]] = {
    "number": lambda fit: fit.spec.skills.count,
    "anchors or units": lambda fit: (
        fit.spec.skills.identify,
        [str(name) for name in fit.posterior[SKILL].values],
    ),
    "link": lambda fit: fit.spec.benchmarks.link,
    "family level": lambda fit: (fit.spec.family.level, fit.spec.family.lineage),
    "fitted models and families, whose mean is a skill's zero": lambda fit: sorted(
        zip(fit.scores.models, map(str, fit.scores.dataset["family"].values), strict=True)
    ),
}


def _shares(fits: Mapping[str, Fit], weights: Mapping[str, float] | Comparison) -> dict[str, float]:
    if not isinstance(weights, Comparison | Mapping):
        raise DataError(
            "weights must be a Comparison, from latentscale.compare, or a mapping from the names "
            f"of the fits to numbers; got {shown(weights)}."
        )
    given = weights.weights if isinstance(weights, Comparison) else dict(weights)
    missing = [name for name in fits if name not in given]
    extra = [name for name in given if name not in fits]
    if missing or extra or not fits:
        raise DataError(
            f"weights must name exactly the fits {listed(fits)}; "
            f"missing {listed(missing) or 'none'}, unknown {listed(extra) or 'none'}."
        )
    for name, weight in given.items():
        if not is_number(weight) or not np.isfinite(weight) or weight < 0:
            raise DataError(
                f'The weight of "{name}" must be a number of at least 0; got {weight!r}.'
            )
    largest = max(float(weight) for weight in given.values())
    if largest <= 0:
        raise DataError("All weights are 0; at least one must be above 0.")
    # Scaled by the largest first: the sum of weights near 1e308 would overflow.
    scaled = {name: float(given[name]) / largest for name in fits}
    total = sum(scaled.values())
    return {name: weight / total for name, weight in scaled.items() if weight > 0}


def _check_alike(fits: Mapping[str, Fit]) -> None:
    (first, reference), *others = fits.items()
    for name, fit in others:
        if set(fit.scores.benchmarks) != set(reference.scores.benchmarks):
            apart = set(fit.scores.benchmarks) ^ set(reference.scores.benchmarks)
            raise FitError(
                f'"{first}" and "{name}" have different benchmarks: {listed(sorted(apart))} are in '
                "only one of them."
            )
        if fit.spec.benchmarks.likelihood != reference.spec.benchmarks.likelihood:
            raise SpecError(
                f'"{first}" and "{name}" have different likelihoods '
                f"({reference.spec.benchmarks.likelihood.kind}, "
                f"{fit.spec.benchmarks.likelihood.kind}); their draws cannot be one forecast."
            )
        _check_units(first, reference.scores, name, fit.scores)


def _check_units(first: str, reference: Scores, name: str, scores: Scores) -> None:
    """Refuse fits with scores of one benchmark in different units, such as minutes and seconds."""
    known, mine = units_of(reference.dataset), units_of(scores.dataset)
    stated = [n for n in known if known[n] and mine[n] and known[n] != mine[n]]
    if stated:
        units = f"{known[stated[0]]} and {mine[stated[0]]}"
        raise FitError(
            f'"{first}" and "{name}" give {stated[0]} in different units ({units}), so a mixture '
            "of their forecasts would have none. Fit both to scores in one unit."
        )
    cells = reference.dataset["score"].reset_coords(drop=True)
    other = scores.dataset["score"].reset_coords(drop=True)
    shared, again = xr.align(cells, other, join="inner", exclude=[BENCHMARK])
    again = again.sel({BENCHMARK: shared[BENCHMARK].values})
    apart = np.argwhere(unlike(shared, again, is_bounded(reference.dataset)).values)
    if len(apart):
        model, benchmark = apart[0]
        raise FitError(
            f'"{first}" and "{name}" hold different scores of the same cells: '
            f"{shared[MODEL].values[model]} on {shared[BENCHMARK].values[benchmark]} is "
            f"{shared.values[model, benchmark]:g} and {again.values[model, benchmark]:g}. "
            "Fit both to one table, in the same units."
        )
    measured = shared.notnull().any(MODEL) & again.notnull().any(MODEL)
    loose = {n for n in known if not bool(measured.sel({BENCHMARK: n}))}
    own, theirs = other_units(reference), other_units(scores)
    for benchmark_name in sorted(n for n in loose if own.get(n) != theirs.get(n)):
        raise FitError(
            f'"{first}" and "{name}" may give {benchmark_name} in different units '
            f"({own.get(benchmark_name, FRACTION)} and {theirs.get(benchmark_name, FRACTION)}). "
            "Declare one scale and one unit for it in both tables."
        )


def _counts(shares: Mapping[str, float], total: int) -> dict[str, int]:
    """Split `total` draws by largest remainder."""
    exact = {name: share * total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    order = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in order[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def _chosen(forecast: Forecast, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return indices of `count` draws, without repeats if there are enough draws."""
    size = forecast.draws.sizes[SAMPLE]
    rounds = [rng.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(rounds)[:count].astype(np.int64)
