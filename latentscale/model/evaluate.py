"""Evaluate: models and draws go in; skills, predictors, expected scores, precisions come out.

This is the only evaluation of the model outside its PyTensor graph: forecasts, curves, few-shot
conditioning, variance shares, allocation and the sampler's starting points all use it. Every call
states how models deviate from their families' curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.declare.likelihood import Noise
from latentscale.declare.spec import ModelSpec
from latentscale.dims import FAMILY, MODEL
from latentscale.errors import DataError, listed
from latentscale.model.equations import (
    expected_score,
    latent_skill,
    linear_predictor,
    precision,
)
from latentscale.model.noise import noise_of
from latentscale.model.rows import families_of, with_families
from latentscale.model.scaled import known_curve
from latentscale.model.terms.base import Rows, known_of
from latentscale.model.undisclosed import rows_of_table
from latentscale.model.unseen import family_effects, model_terms

FITTED_RESIDUALS: Literal["fitted"] = "fitted"
"""Each row is a fitted model, with the effects by model that were estimated for it."""

NO_RESIDUALS: Literal["none"] = "none"
"""Rows are on their family's curve."""

Residuals = Literal["fitted", "none"] | xr.Dataset
"""Or the rows' effects by model, dims (sample, model, ...), drawn or shared as the caller wants."""


@dataclass(frozen=True)
class Evaluation:
    """The model at some rows, on some draws; each quantity is computed once, when first needed.

    Attributes
    ----------
    spec
        The model.
    values
        Draws by name, with the floors, effects by family and residuals that were used.
    rows
        The rows' covariates and families.
    """

    spec: ModelSpec
    values: Mapping[str, xr.DataArray]
    rows: Rows[xr.DataArray]

    @cached_property
    def skill(self) -> xr.DataArray | None:
        """Latent skills theta, dims of the draws, model and skill; None without skills."""
        return latent_skill(self.spec, self.values, self.rows)

    @cached_property
    def eta(self) -> xr.DataArray:
        """Linear predictors, dims of the draws, model and benchmark."""
        return linear_predictor(self.spec, self.values, self.rows, self.skill)

    @cached_property
    def mean(self) -> xr.DataArray:
        """Expected scores mu, with the dims of `eta`."""
        return expected_score(self.spec, self.values, self.eta)

    @cached_property
    def precision(self) -> xr.DataArray:
        """Precisions phi, dims of the draws and benchmark, and model if a term changes it."""
        return precision(self.spec, self.values, self.rows)

    def noise(self, n_items: xr.DataArray, sampling: xr.DataArray | None = None) -> Noise:
        """Return the distribution of scores around mu.

        Parameters
        ----------
        n_items, sampling
            Item counts and sampling errors, dims (benchmark,), (model, benchmark) or (cell,); no
            sampling error by default.
        """
        return noise_of(self.spec.benchmarks.likelihood, self.values, n_items, sampling)


@dataclass(frozen=True)
class Evaluator:
    """What the evaluation of a fitted model needs besides draws and rows.

    Attributes
    ----------
    spec
        The model.
    transform
        Covariate transform, as fitted.
    known
        Constants from the table, by name, dims (benchmark,): floors, further constants of curves if
        scores are not plain fractions (`latentscale.model.scaled.known_curve`), and data on
        benchmarks that terms need.
    """

    spec: ModelSpec
    transform: CovariateTransform
    known: Mapping[str, xr.DataArray]

    @classmethod
    def of(cls, spec: ModelSpec, transform: CovariateTransform, table: xr.Dataset) -> Evaluator:
        """Return the evaluator of a spec that was fitted to a table, with its transform."""
        return cls(spec, transform, {**known_curve(table), **known_of(spec, table)})

    def values(self, draws: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return draws by name, with the known constants of curves that were not estimated."""
        return {**self.known, **{str(name): draws[name] for name in draws.data_vars}}

    def at(
        self,
        draws: xr.Dataset,
        table: xr.Dataset,
        *,
        residuals: Residuals,
        effects: xr.Dataset | None = None,
    ) -> Evaluation:
        """Evaluate the model at some rows.

        Parameters
        ----------
        draws
            Draws of the parameters, dims (sample, ...) or (chain, draw, ...).
        table
            The rows: params (billions), tokens (trillions), instruct and family, dims (model,).
        residuals
            Deviations of the rows from their families' curves, if the spec has any:
            `FITTED_RESIDUALS`, `NO_RESIDUALS`, or the effects by model themselves, by variable.
        effects
            Effects by family, dims (..., family, ...), for every family of the rows; by default
            those of the fitted families in `draws`.

        Raises
        ------
        DataError
            If `effects` do not have some row's family, or the effects by model do not have some
            row.
        """
        if effects is None:
            effects = family_effects(self.spec, draws)
        values = self.values(draws) | {str(name): effects[name] for name in effects.data_vars}
        if isinstance(residuals, xr.Dataset) or residuals == NO_RESIDUALS:
            for name in model_terms(self.spec):
                values.pop(name, None)
        if isinstance(residuals, xr.Dataset):
            values |= {str(name): residuals[name] for name in residuals.data_vars}
        for name in model_terms(self.spec):
            if name in values:
                _refuse_other_rows(values[name], table)
        rows = rows_of_table(self.spec, self.transform, table, draws)
        families = list(table[FAMILY].values) if FAMILY in table else [""] * table.sizes[MODEL]
        return Evaluation(
            spec=self.spec,
            values=values,
            rows=with_families(rows, families, families_of(effects)),
        )


def _refuse_other_rows(effect: xr.DataArray, table: xr.Dataset) -> None:
    """Refuse rows without effects by model, which sums over both would leave out."""
    if MODEL not in effect.coords or MODEL not in table.coords:
        return
    names = table.get_index(MODEL)
    new = names[~names.isin(effect.get_index(MODEL))]
    if len(new):
        raise DataError(
            f'These rows are not among the models of "{effect.name}": '
            f"{listed([str(name) for name in new])}. Forecast them with latentscale.predict, which "
            f'draws the effects of new models, give residuals="{NO_RESIDUALS}" for their '
            "families' curves, or give their effects as residuals."
        )
