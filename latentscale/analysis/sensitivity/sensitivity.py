"""Sensitivity: how strongly priors and scores each influence the parameters and the forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.checks.leave_one_out import refuse_few_draws
from latentscale.analysis.forecasts.predict import predict
from latentscale.analysis.sensitivity.power_scaling import (
    CONSTANT,
    QUANTITY,
    index_noise,
    sensitivity_index,
)
from latentscale.dims import (
    ALIGNMENT,
    CELL,
    CHAIN,
    DRAW,
    LOG_LIKELIHOOD,
    LOG_PRIOR,
    SAMPLE,
    checked_seed,
)
from latentscale.errors import FitError, SpecError, listed, nearest
from latentscale.expect import expect, expect_names
from latentscale.markup import counted
from latentscale.posterior.fit import Fit
from latentscale.posterior.identified import not_identified
from latentscale.posterior.pairing import at_samples, by_sample, in_chains, joined_chains
from latentscale.result import FixedTable, Picture
from latentscale.validate import real_number

FORECAST = "expected score"
CONFLICT = "prior-data conflict"
STRONG_PRIOR = "strong prior or weak data"
UNCLEAR = "prior counts, scores' part within noise"
LIMIT = 0.05
"""Index from which a power-scaled component counts (Kallioinen et al. 2024, arXiv:2107.14054)."""


@dataclass(frozen=True, repr=False)
class Sensitivity(FixedTable):
    """Power-scaling sensitivity of parameters and forecasts.

    Attributes
    ----------
    rows
        One row per quantity: variable, where; prior and likelihood (sensitivity: distance that the
        posterior moves per doubling of the component's power), each with _noise (99% quantile of
        the sensitivity under Monte Carlo error alone) and _shift (change of the mean per doubling,
        in posterior standard deviations); diagnosis (empty unless the prior counts) and driver (the
        prior that moves it most; empty unless the prior counts).
    by_prior
        One row per prior: prior, largest (sensitivity over all quantities) and its noise,
        variable and where of that quantity, moved (number of quantities for which it counts).
    limit
        A component counts for a quantity if its sensitivity exceeds the limit by more than the
        noise (the limit of Kallioinen et al. 2024: 0.05).
    advice
        What to do, one step per entry.

    Examples
    --------
    >>> sensitivity = ls.sensitivity(fit, variables=["slope"], seed=1)
    >>> sensitivity.table().columns.tolist()[:4]
    ['variable', 'where', 'prior', 'prior_noise']
    """

    rows: pd.DataFrame
    by_prior: pd.DataFrame
    limit: float
    advice: tuple[str, ...]

    plot = Picture("plot_sensitivity")

    @property
    def flagged(self) -> pd.DataFrame:
        """Rows with a diagnosis, the most sensitive to the prior first.

        Examples
        --------
        >>> bool((sensitivity.flagged["diagnosis"] != "").all())
        True
        """
        rows = self.rows[self.rows["diagnosis"] != ""]
        return rows.sort_values("prior", ascending=False, ignore_index=True)

    @property
    def headline(self) -> str:
        """The numbers of quantities by diagnosis.

        Examples
        --------
        >>> sensitivity.headline.partition(":")[0]
        'Power-scaling sensitivity of 4 quantities'
        """
        counts = self.rows["diagnosis"].value_counts()
        unclear = counts.get(UNCLEAR, 0)
        return (
            f"Power-scaling sensitivity of {len(self.rows)} quantities: "
            f"{counts.get(CONFLICT, 0)} with a {CONFLICT}, "
            f"{counts.get(STRONG_PRIOR, 0)} with a {STRONG_PRIOR}"
            + (f", {unclear} of which only the prior's part is clear" if unclear else "")
        )

    def brief(self) -> pd.DataFrame:
        """Return the rows with a diagnosis, or all if there are none.

        Returns
        -------
        pandas.DataFrame
            One row per quantity.

        Examples
        --------
        >>> sensitivity.brief().columns.tolist()[:4]
        ['variable', 'where', 'prior', 'prior_noise']
        """
        return self.flagged if len(self.flagged) else self.rows


def sensitivity(
    fit: Fit,
    frame: pd.DataFrame | None = None,
    *,
    variables: Sequence[str] | None = None,
    priors: Sequence[str] | None = None,
    limit: float = LIMIT,
    seed: int = 0,
) -> Sensitivity:
    """Measure how the posterior moves when priors or the likelihood get stronger or weaker.

    The prior (of the top-level parameters, correlations between skills included) or the likelihood
    is raised to a power near 1 by importance weights, without refitting; the sensitivity is the
    derivative of the cumulative Jensen-Shannon distance to the posterior with respect to log2 of
    the power (Kallioinen et al. 2024, "Detecting and diagnosing prior and likelihood sensitivity
    with power-scaling", eq. 9 to 12). Priors of lower levels (families, models) are part of the
    model and stay fixed. Ceilings opened after the fit (``benchmarks.ceiling_open``) keep their
    curves. Which draws are open depends on neither component, so the weights are correct for them,
    but the curves were fitted once to all scores, so the sensitivity to the likelihood is
    understated near ceilings.

    Parameters
    ----------
    fit
        A fit with posterior draws.
    frame
        Planned models, as for `latentscale.predict`, whose expected scores are also quantities.
        Scores in it condition those forecasts; only the likelihood of the fitted scores is scaled.
    variables
        Parameters to include; by default all top-level ones, except those that change with the
        rotation of free skills. Empty for forecasts only.
    priors
        Top-level parameters whose priors are scaled together; by default all.
    limit
        Sensitivity above which a component counts.
    seed
        Seed of the forecasts and of the noise estimate.

    Returns
    -------
    Sensitivity
        The sensitivity; print it, or read ``.table()``, ``.flagged``, ``.by_prior`` and
        ``.advice``.

    Raises
    ------
    FitError
        If the fit is a point estimate or has fewer than 25 draws.
    SpecError
        If a name is not a top-level parameter, or there are no quantities.
    DataError
        If `frame` is malformed.

    Examples
    --------
    >>> sensitivity = ls.sensitivity(fit, variables=["slope"], seed=1)
    >>> sorted(set(sensitivity.table()["variable"]))
    ['slope']
    """
    expect(fit, Fit, "fit")
    refuse_few_draws(fit, "Sensitivity")
    limit = real_number(limit, "limit", above=0)
    log_priors = _log_priors(fit)
    scaled = _named(priors, list(log_priors), "priors")
    if variables is None:
        shown = identified_parameters(fit)
    else:
        known = [name for name in log_priors if name in fit.posterior]
        shown = _named(variables, known, "variables")
    components: dict[str, xr.DataArray] = {
        "prior": sum((log_priors[name] for name in scaled[1:]), log_priors[scaled[0]]),
        "likelihood": by_sample(fit, fit.tree[LOG_LIKELIHOOD].to_dataset()["score"]).sum(CELL),
    }
    groups = [flat(group) for group in quantities_of(fit, shown, frame, seed)]
    groups = [group for group in groups if group.sizes[QUANTITY]]
    if not groups:
        raise SpecError("None of these quantities varies between draws; name other variables.")
    rng = np.random.default_rng(checked_seed(seed))
    table = pd.concat(
        [_figures(fit, group, components, rng) for group in groups], ignore_index=True
    )
    chosen = {name: log_priors[name] for name in scaled}
    singles = pd.concat([_indices(fit, group, chosen) for group in groups], ignore_index=True)
    noises = _noises(fit, groups, singles, log_priors, limit, rng)
    table["diagnosis"] = _diagnoses(table, limit)
    table["driver"] = singles.idxmax(axis="columns").where(table["diagnosis"] != "", "")
    by_prior = _by_prior(singles, noises, table, limit)
    advice = _advice(table, by_prior, limit)
    return Sensitivity(table, by_prior, float(limit), advice, fit_status=fit.status.caveat)


def _figures(
    fit: Fit,
    quantities: xr.DataArray,
    components: dict[str, xr.DataArray],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return sensitivity, noise and shift of some quantities, dims (sample, quantity)."""
    table = pd.DataFrame({name: quantities[name].values for name in ("variable", "where")})
    draws = in_chains(fit, quantities)
    for name, component in components.items():
        logs = in_chains(fit, at_samples(component, quantities))
        table[name] = sensitivity_index(draws, logs)
        table[f"{name}_noise"] = index_noise(draws, logs, rng)
        table[f"{name}_shift"] = _shifts(draws, logs)
    return table


def _indices(fit: Fit, quantities: xr.DataArray, priors: dict[str, xr.DataArray]) -> pd.DataFrame:
    """Return the sensitivity of some quantities to each prior, one column per prior."""
    draws = in_chains(fit, quantities)
    return pd.DataFrame(
        {
            name: sensitivity_index(draws, in_chains(fit, at_samples(logs, quantities)))
            for name, logs in priors.items()
        }
    )


def _noises(
    fit: Fit,
    groups: list[xr.DataArray],
    singles: pd.DataFrame,
    log_priors: dict[str, xr.DataArray],
    limit: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the noise of each prior's index; NaN below the limit, except for its largest index."""
    noises = pd.DataFrame(np.nan, index=singles.index, columns=singles.columns)
    for name in singles:
        index = singles[name].to_numpy()
        asked = (index >= limit) | (index == index.max())
        first = 0
        for group in groups:
            rows = np.arange(first, first + group.sizes[QUANTITY])
            first += len(rows)
            rows = rows[asked[rows]]
            if len(rows):
                some = group[{QUANTITY: rows - (first - group.sizes[QUANTITY])}]
                logs = in_chains(fit, at_samples(log_priors[str(name)], group))
                noises.loc[rows, name] = index_noise(in_chains(fit, some), logs, rng)
    return noises


def _diagnoses(table: pd.DataFrame, limit: float) -> np.ndarray:
    """Return the diagnosis of each quantity, empty unless the prior counts beyond its noise."""
    counts = table["prior"] - table["prior_noise"] >= limit
    scores_count = table["likelihood"] - table["likelihood_noise"] >= limit
    weak = table["likelihood"] < limit
    conditions = [counts & scores_count, counts & weak, counts]
    return np.select(conditions, [CONFLICT, STRONG_PRIOR, UNCLEAR], "")


def identified_parameters(fit: Fit) -> list[str]:
    """Return the top-level parameters, except those that change with the rotation of free skills.

    Draws of these can differ without any difference of an expected score, so their summaries depend
    on the seed.
    """
    moving = not_identified(fit.spec, fit.posterior, aligned=ALIGNMENT in fit.tree)
    tops = [str(name) for name in fit.tree[LOG_PRIOR].data_vars]
    # An aligned fit has log priors of parameters that are not among its rotated draws.
    return [name for name in tops if name in fit.posterior and name not in moving]


def quantities_of(
    fit: Fit, variables: Sequence[str], frame: pd.DataFrame | None, seed: int
) -> list[xr.Dataset]:
    """Return draws of parameters, and draws of the expected scores of planned models.

    Returns
    -------
    Up to two datasets, dims (sample, ...), whose samples identify the posterior draw of each row:
    parameters, and ``expected score`` (sample, model, benchmark). If scores in the frame condition
    the forecast, its samples are posterior draws with repeats and so differ from those of the
    parameters.

    Raises
    ------
    SpecError
        If there is neither a parameter nor a frame.
    """
    # As sampled: the weights by prior and likelihood do not apply to opened ceilings.
    parts = [joined_chains(fit.posterior)[list(variables)]] if len(variables) else []
    if frame is not None:
        mean = predict(fit, frame, seed=seed).mean_draws
        parts.append(mean.rename(FORECAST).to_dataset())
    if not parts:
        raise SpecError("There are no quantities to compare; name variables, or give a frame.")
    return parts


def flat(quantities: xr.Dataset) -> xr.DataArray:
    """Return all quantities that vary as one array, dims (sample, quantity).

    The coordinates ``variable`` and ``where`` identify each quantity.
    """
    kept = {CHAIN, DRAW, SAMPLE}
    parts = []
    for name, draws in quantities.data_vars.items():
        rest = [dim for dim in draws.dims if dim != SAMPLE]
        stacked = draws.stack(quantity=rest, create_index=False) if rest else draws
        labels = _labels(draws, [str(dim) for dim in rest])
        bare = stacked.drop_vars([c for c in stacked.coords if c not in kept])
        bare = bare if rest else bare.expand_dims(QUANTITY)
        named = bare.assign_coords(
            variable=(QUANTITY, [str(name)] * len(labels)), where=(QUANTITY, labels)
        )
        parts.append(named.rename(None).transpose(SAMPLE, QUANTITY))
    joined = xr.concat(parts, dim=QUANTITY, coords="minimal", join="exact")
    return joined[{QUANTITY: (joined.std(SAMPLE) > CONSTANT).values}]


def _labels(draws: xr.DataArray, dims: list[str]) -> list[str]:
    if not dims:
        return [""]
    index = pd.MultiIndex.from_product([draws[dim].values for dim in dims])
    return [", ".join(str(label) for label in place) for place in index]


def _log_priors(fit: Fit) -> dict[str, xr.DataArray]:
    """Return log prior densities of top-level parameters, summed over elements, dims (sample,)."""
    group = fit.tree[LOG_PRIOR].to_dataset()
    log_priors = {}
    for name, values in group.data_vars.items():
        density = by_sample(fit, values)
        # Elements that are constant by construction (an anchor's loading) do not affect weights.
        varies = density.std(SAMPLE) > CONSTANT
        inside = density.where(np.isfinite(density) & varies, 0.0)
        log_priors[str(name)] = inside.sum([dim for dim in density.dims if dim != SAMPLE])
    if not log_priors:
        raise FitError("The fit holds no log prior densities; fit again with this version.")
    return log_priors


def _named(names: Sequence[str] | None, allowed: list[str], what: str) -> list[str]:
    if names is None:
        return allowed
    if isinstance(names, str):
        raise SpecError(f'{what} must be a list of names, such as ["{names}"]; got one string.')
    names = expect_names(names, what, '["slope"]')
    for name in names:
        if name not in allowed:
            raise SpecError(
                f'{what}: "{name}" is not a top-level parameter of this fit; allowed are '
                f"{listed(allowed, 30)}." + nearest(str(name), allowed)
            )
    if what == "priors" and not names:
        raise SpecError(f"{what} is empty; name at least one of {listed(allowed, 30)}.")
    return list(names)


def _shifts(draws: xr.DataArray, logs: xr.DataArray) -> np.ndarray:
    """Return the change of each mean per doubling of a component, in standard deviations.

    The derivative of a mean with respect to the power is its covariance with the log density.
    """
    covariance = xr.cov(draws, logs, dim=(CHAIN, DRAW))
    return (np.log(2) * covariance / draws.std((CHAIN, DRAW))).values


def _by_prior(
    singles: pd.DataFrame, noises: pd.DataFrame, table: pd.DataFrame, limit: float
) -> pd.DataFrame:
    rows = []
    for name in singles:
        worst = int(singles[name].to_numpy().argmax())
        rows.append(
            {
                "prior": str(name),
                "largest": float(singles[name].iloc[worst]),
                "noise": float(noises[name].iloc[worst]),
                "variable": table["variable"].iloc[worst],
                "where": table["where"].iloc[worst],
                "moved": int((singles[name] - noises[name] >= limit).sum()),
            }
        )
    by_prior = pd.DataFrame(rows)
    return by_prior.sort_values("largest", ascending=False, ignore_index=True)


def _advice(table: pd.DataFrame, by_prior: pd.DataFrame, limit: float) -> tuple[str, ...]:
    lines = []
    for diagnosis, what, step in (
        (
            CONFLICT,
            f"with a {CONFLICT}",
            "prior and scores disagree: check that the prior expresses what you intend",
        ),
        (
            STRONG_PRIOR,
            f"with a {STRONG_PRIOR}",
            "the scores are weakly informative, so the prior dominates: state it as an assumption",
        ),
        (
            UNCLEAR,
            "that the prior moves, with the sensitivity to the scores within noise",
            "sample more draws to see whether the scores are informative as well",
        ),
    ):
        rows = table[table["diagnosis"] == diagnosis].sort_values("prior", ascending=False)
        if len(rows):
            names = [
                f"{r.variable} [{r.where}]" if r.where else str(r.variable)
                for r in rows.itertuples()
            ]
            count = counted(len(rows), "quantity", "quantities")
            lines.append(f"{count} {what} ({listed(names, 4)}): {step}.")
    forecasts = table[table["variable"] == FORECAST]
    moved = int((forecasts["diagnosis"] != "").sum())
    if len(forecasts):
        lines.append(
            f"{moved} of {len(forecasts)} forecasts move with the priors"
            + (
                "; refit with other priors to see how far (latentscale.studies.sensitivity_grid)."
                if moved
                else "."
            )
        )
    if len(lines) and (by_prior["moved"] > 0).any():
        top = by_prior[by_prior["moved"] > 0].iloc[0]
        lines.append(f'The prior of "{top["prior"]}" moves the most.')
    unclear = int(((table["prior"] >= limit) & (table["diagnosis"] == "")).sum())
    if unclear:
        lines.append(
            f"{counted(unclear, 'quantity', 'quantities')} above the limit of {limit:g} by less "
            f"than the Monte Carlo noise (up to {table['prior_noise'].max():.2f}) and so without a "
            "verdict; four times the draws halve the noise."
        )
    return tuple(lines)
