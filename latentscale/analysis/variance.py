"""Variance: what makes models differ on a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from html import escape

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.summaries import summary
from latentscale.dims import BENCHMARK, DEFAULT_PROB, MODEL, SAMPLE, checked_seed
from latentscale.errors import DataError
from latentscale.expect import expect
from latentscale.model.benchmarks import (
    expected_score,
    linear_predictor,
    precision,
)
from latentscale.model.family import FamilyEffects
from latentscale.model.noise import noise_of
from latentscale.model.regressors import Regressors
from latentscale.model.skills import latent_skill
from latentscale.model.undisclosed import regressors_of_rows
from latentscale.posterior.convert import fitted_effects, parameters_of, with_floor
from latentscale.posterior.fit import Fit
from latentscale.validate import whole_number

COMPONENT = "component"
SKILL_COVARIATES = "skills: covariates"
SKILL_FAMILY = "skills: families"
SKILL_RESIDUAL = "skills: single models"
FAMILY_BENCHMARK = "family x benchmark"
BENCHMARK_SLOPE = "benchmark's own slopes"
INSTRUCT = "instruction tuning"
OTHER = "other terms"
NOISE = "noise"
_NONE = FamilyEffects(**{field.name: None for field in fields(FamilyEffects)})
_REPLICATES = 4
_NOTHING = 1e-10


@dataclass(frozen=True)
class VarianceShares:
    """Shares of the variance of scores over models, by benchmark.

    Attributes
    ----------
    draws
        Dims (sample, benchmark, component); the components of a benchmark sum to 1. One that
        goes against the others (large where they are small) has a share below 0.
    is_posterior
        False if the fit is a point estimate; tables then hold no intervals.
    """

    draws: xr.DataArray
    is_posterior: bool = True

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row a benchmark and component: benchmark, component, mean, lower, upper.

        Means sum to 1 within a benchmark.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.
        """
        table = summary(self.draws, prob, is_posterior=self.is_posterior)
        means = self.draws.mean(SAMPLE).to_series().rename("mean")
        order = [BENCHMARK, COMPONENT]
        return table.join(means, on=order)[[*order, "mean", "lower", "upper"]]

    def __repr__(self) -> str:
        return (
            f"Variance shares of {self.draws.sizes[BENCHMARK]} benchmarks: "
            + ", ".join(str(name) for name in self.draws[COMPONENT].values)
            + "; see .table(prob=0.9)"
        )

    def _repr_html_(self) -> str:
        wide = self.draws.mean(SAMPLE).to_pandas().round(2)
        return f"<p>{escape(repr(self))}</p>{wide.to_html()}"


def variance_shares(fit: Fit, *, draws: int = 400, seed: int = 0) -> VarianceShares:
    """Split the variance of each benchmark's scores over the models measured on it.

    Noise: its share is mean Var(Y | mu) / (Var(mu) + mean Var(Y | mu)) on the scale of
    scores, with the noise variance from simulated scores. The rest is split on the link's
    scale: term c of the linear predictor eta has the share Cov(c, eta) / Var(eta), so that
    terms which vary together divide what they have in common (Pratt 1987). These shares do
    not depend on how skills are rotated, so the fit's skills may be free.

    Parameters
    ----------
    fit
        A fit.
    draws
        Posterior draws to use at most, evenly spaced.
    seed
        Seed of the simulated scores.

    Raises
    ------
    DataError
        If `draws` is not a whole number of at least 1.
    """
    expect(fit, Fit, "fit")
    draws = whole_number(draws, "draws", least=1, error=DataError)
    rng = np.random.default_rng(checked_seed(seed))
    design = fit.design
    every = with_floor(fit.samples, fit.scores.dataset["floor"])
    count = every.sizes[SAMPLE]
    chosen = np.unique(np.linspace(0, count - 1, min(draws, count)).round().astype(int))
    some = every.isel({SAMPLE: chosen})
    parameters = parameters_of(some)
    parts = regressors_of_rows(fit.spec, fit.transform, design.scores.dataset, some)
    effects = fitted_effects(some, design)
    theta = latent_skill(parameters, effects, parts)
    eta = linear_predictor(parameters, effects, parts, theta)
    measured = design.scores.dataset["score"].notnull()
    signal, noise = _signal_and_noise(fit, parameters, parts, eta, measured, rng)
    found = _components(parameters, effects, parts)
    rest = eta - parameters.get("intercept", 0.0)
    for part in found.values():
        rest = rest - part
    if float(abs(rest).max()) > _NOTHING * max(1.0, float(abs(eta).max())):
        found[OTHER] = rest
    spread = _covariance(eta, eta, measured)
    reliable = signal / (signal + noise)
    shares = {
        name: reliable * _covariance(part, eta, measured) / spread for name, part in found.items()
    }
    shares[NOISE] = 1 - reliable
    joined = xr.concat(list(shares.values()), dim=COMPONENT)
    joined = joined.assign_coords({COMPONENT: list(shares)}).rename("share")
    return VarianceShares(joined.transpose(SAMPLE, BENCHMARK, COMPONENT), fit.is_posterior)


def _components(
    parameters: Mapping[str, xr.DataArray], effects: FamilyEffects, parts: Regressors
) -> dict[str, xr.DataArray]:
    """Return the terms of the linear predictor that the spec has, each by the model's equation."""
    found: dict[str, xr.DataArray] = {}

    def through_skills(name: str, needs: tuple[str, ...], family: FamilyEffects) -> None:
        own = {key: parameters[key] for key in ("loading", *needs)}
        theta = latent_skill(own, family, parts)
        found[name] = linear_predictor({"loading": own["loading"]}, _NONE, parts, theta)

    def outside(name: str, terms: tuple[str, ...]) -> None:
        own = {key: parameters[key] for key in terms if key in parameters}
        if own:
            found[name] = linear_predictor(own, _NONE, parts, None)

    if "loading" in parameters:
        if "slope" in parameters:
            through_skills(SKILL_COVARIATES, ("slope",), _NONE)
        if effects.skill is not None or effects.slope is not None:
            own = replace(_NONE, skill=effects.skill, slope=effects.slope)
            through_skills(SKILL_FAMILY, (), own)
        if "residual" in parameters:
            through_skills(SKILL_RESIDUAL, ("residual",), _NONE)
    if effects.benchmark is not None or effects.benchmark_slope is not None:
        own = replace(_NONE, benchmark=effects.benchmark, benchmark_slope=effects.benchmark_slope)
        found[FAMILY_BENCHMARK] = linear_predictor({}, own, parts, None)
    outside(BENCHMARK_SLOPE, ("benchmark_slope",))
    outside(INSTRUCT, ("instruct_shift", "instruct_slope"))
    return found


def _signal_and_noise(
    fit: Fit,
    parameters: Mapping[str, xr.DataArray],
    parts: Regressors,
    eta: xr.DataArray,
    measured: xr.DataArray,
    rng: np.random.Generator,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the variance of expected scores over models, and the mean variance of noise."""
    mean = expected_score(fit.spec, parameters, eta).transpose(SAMPLE, MODEL, BENCHMARK)
    phi = precision(parameters, parts)
    noise = noise_of(fit.spec, parameters, fit.scores.item_counts)
    spread = xr.zeros_like(mean)
    for _ in range(_REPLICATES):
        spread = spread + (noise.draw(mean, phi, rng) - mean) ** 2 / _REPLICATES
    return _covariance(mean, mean, measured), spread.where(measured).mean(MODEL)


def _covariance(a: xr.DataArray, b: xr.DataArray, measured: xr.DataArray) -> xr.DataArray:
    """Return the covariance over measured models, by sample and benchmark."""
    first, second = (x.where(measured) for x in (a, b))
    return ((first - first.mean(MODEL)) * (second - second.mean(MODEL))).mean(MODEL)
