"""Rows evaluated on posterior draws, block by block; effects that are not in the fit are drawn.

The equations are in `latentscale.model.evaluate`; this module has the blocks and random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import xarray as xr

from latentscale.analysis.forecasts.condition import LatentsGivenScores
from latentscale.analysis.tools.blocks import BlockArray, Stream, block_size, parts
from latentscale.dims import BENCHMARK, FAMILY, MODEL, SAMPLE, SKILL
from latentscale.model.evaluate import Evaluation
from latentscale.model.other_settings import with_settings_given
from latentscale.model.unseen import (
    draw_new_families,
    draw_raw,
    family_effects,
    model_effects_of_raw,
    model_terms,
    raw_model_template,
    raw_template,
)
from latentscale.posterior.fit import Fit


@dataclass(frozen=True)
class ExpectedScores:
    """Parameters of the distribution of a forecast's scores.

    Attributes
    ----------
    mean
        Expected scores, dims (sample, model, benchmark).
    phi
        Precision, dims (sample, benchmark), and model where it depends on covariates.
    skill
        Latent skills, dims (sample, model, skill); None for a spec without skills.
    further
        Further quantities that were asked for, by name.
    """

    mean: xr.DataArray
    phi: xr.DataArray
    skill: xr.DataArray | None
    further: Mapping[str, xr.DataArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Samples:
    """Some posterior draws of a forecast, with the effects by family and model that go with them.

    Attributes
    ----------
    fit
        The fit whose draws these are.
    draws
        The draws, with effects of fitted models updated by the rows' own scores.
    effects
        Effects by family, for fitted families and for the families of the rows.
    """

    fit: Fit
    draws: xr.Dataset
    effects: xr.Dataset

    def of_fitted(self, rows: slice) -> Evaluation:
        """Evaluate the model at some fitted models."""
        table = self.fit.scores.dataset.isel({MODEL: rows})
        names = [name for name in model_terms(self.fit.spec) if name in self.draws]
        own = self.draws[names].sel({MODEL: table[MODEL].values}) if names else xr.Dataset()
        return self.fit.evaluator.at(self.draws, table, residuals=own, effects=self.effects)


@dataclass(frozen=True)
class Block:
    """Some rows of a forecast evaluated on some draws.

    Attributes
    ----------
    samples
        The draws; the same object in all blocks of these draws.
    rows
        The rows, as checked.
    at
        The rows evaluated.
    """

    samples: Samples
    rows: xr.Dataset
    at: Evaluation


Further = Callable[[Block], Mapping[str, xr.DataArray]]
"""Further quantities of each block, by name; dims (sample, ...), with or without model."""


def evaluate_in_blocks(
    fit: Fit,
    draws: xr.Dataset,
    planned: xr.Dataset,
    rng: np.random.Generator,
    *,
    given: LatentsGivenScores | None = None,
    one_model: Sequence[str] = (),
    further: Further | None = None,
) -> ExpectedScores:
    """Evaluate the model's equations for rows, drawing effects that the fit does not have.

    Parameters
    ----------
    fit
        A fit.
    draws
        Its draws with floors and tokens, dims (sample, ...).
    planned
        Checked rows.
    rng
        Source of random numbers, for new families and for residuals of new models.
    given
        Latents drawn given the rows' own scores, on the same samples.
    one_model
        Rows that are one model at several sizes, and so share one residual.
    further
        Computes further quantities of each block.
    """
    draws = with_settings_given(draws, () if given is None else given.residuals)
    samples, models = draws.sizes[SAMPLE], planned.sizes[MODEL]
    width = len(fit.scores.benchmarks)
    most = block_size(samples * models * width)
    families = _Families(fit, draws, planned, rng, given, most)
    residuals = _Residuals(fit, draws, planned, rng, given, one_model, most)
    arrays = {name: BlockArray(draws, planned) for name in ("mean", "phi", "skill")}
    more: dict[str, BlockArray] = {}
    for some in parts(samples, models * width, most):
        here = draws.isel({SAMPLE: some})
        effects = families.effects(here, some)
        own = residuals.block(here, some)
        together = Samples(fit, residuals.with_moved(here, some), effects)
        for rows in parts(models, width, most):
            place = {SAMPLE: some, MODEL: rows}
            mine = own.isel({MODEL: rows}) if own.data_vars else own
            asked = planned.isel({MODEL: rows})
            at = fit.evaluator.at(here, asked, residuals=mine, effects=effects)
            arrays["mean"].put(at.mean.transpose(SAMPLE, MODEL, BENCHMARK), place)
            arrays["phi"].put(at.precision, place)
            if at.skill is not None:
                arrays["skill"].put(at.skill.transpose(SAMPLE, MODEL, SKILL), place)
            wanted = {} if further is None else further(Block(together, asked, at))
            for name, array in wanted.items():
                more.setdefault(name, BlockArray(draws, planned)).put(array, place)
    skills = arrays["skill"].whole() if fit.spec.skills.count else None
    others = {name: array.whole() for name, array in more.items()}
    return ExpectedScores(arrays["mean"].whole(), arrays["phi"].whole(), skills, others)


class _Families:
    """Effects of fitted, conditioned and new families, one block of samples at a time."""

    def __init__(
        self,
        fit: Fit,
        draws: xr.Dataset,
        planned: xr.Dataset,
        rng: np.random.Generator,
        given: LatentsGivenScores | None,
        most: int,
    ) -> None:
        self._spec, self._centred = fit.spec, fit.design.centred
        self._names = [str(name) for name in family_effects(fit.spec, draws)]
        self._moved = [] if given is None else [terms for terms in given.terms if terms.data_vars]
        conditioned = {str(family) for terms in self._moved for family in terms[FAMILY].values}
        fitted = [str(f) for f in draws[FAMILY].values] if self._names else []
        self._kept = [family not in conditioned for family in fitted]
        known = set(fit.scores.families) | conditioned
        pairs = dict(zip(planned["family"].values, planned["lineage"].values, strict=True))
        new = [str(family) for family in pairs if str(family) not in known] if fitted else []
        self._new, self._lineages = new, [str(pairs[family]) for family in new]
        template = raw_template(fit.spec, draws, new, self._lineages)
        draw, count = partial(draw_raw, fit.spec), draws.sizes[SAMPLE]
        self._streams = {
            str(name): Stream(draw, (count, *variable.shape), rng, most)
            for name, variable in template.data_vars.items()
        }

    def effects(self, here: xr.Dataset, some: slice) -> xr.Dataset:
        """Return the effects on samples `some`, with draws `here`; call in the order of samples."""
        fitted = here[self._names]
        moved = [terms.isel({SAMPLE: some}) for terms in self._moved]
        drawn = []
        if self._streams:
            names, lineages = self._new, self._lineages
            centred = self._centred
            drawn = [
                draw_new_families(self._spec, here, names, lineages, self._raw, centred=centred)
            ]
        if not moved and not drawn:
            return fitted
        return xr.concat([fitted.sel({FAMILY: self._kept}), *moved, *drawn], dim=FAMILY)

    def _raw(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return self._streams[name].take(shape[0])


class _Residuals:
    """Effects by model, one block of samples at a time: fitted, conditioned or newly drawn."""

    def __init__(
        self,
        fit: Fit,
        draws: xr.Dataset,
        planned: xr.Dataset,
        rng: np.random.Generator,
        given: LatentsGivenScores | None,
        one_model: Sequence[str],
        most: int,
    ) -> None:
        self._spec = fit.spec
        self._names = [str(name) for name in planned[MODEL].values]
        self._template = raw_model_template(fit.spec, draws, self._names)
        count = draws.sizes[SAMPLE]
        self._streams = {
            str(name): Stream(_standard_normal, (count, *variable.shape), rng, most)
            for name, variable in self._template.data_vars.items()
        }
        fitted = {str(name) for name in draws[MODEL].values} if self._streams else set()
        self._fitted = [name for name in self._names if name in fitted]
        self._moved = () if given is None else given.residuals
        self._one_model = list(one_model)

    def block(self, here: xr.Dataset, some: slice) -> xr.Dataset:
        """Return the effects on samples `some`, with draws `here`; call in the order of samples.

        Dims (sample, model, ...); empty where no term has effects by model.
        """
        raw = xr.Dataset(
            {
                name: self._template[name]
                .expand_dims({SAMPLE: here.sizes[SAMPLE]})
                .copy(data=stream.take(here.sizes[SAMPLE]))
                for name, stream in self._streams.items()
            }
        )
        drawn = model_effects_of_raw(self._spec, here, raw)
        return drawn.map(self._of_rows, here=here, some=some)

    def _of_rows(self, drawn: xr.DataArray, *, here: xr.Dataset, some: slice) -> xr.DataArray:
        """Return one effect for all rows: fitted, conditioned on new scores, or newly drawn."""
        name = str(drawn.name)
        effect = drawn.transpose(SAMPLE, MODEL, ...)
        if self._fitted:
            own = here[name].sel({MODEL: self._fitted})
            effect.loc[{MODEL: self._fitted}] = own.transpose(*effect.dims).values
        self._put_moved(effect, self._names, some)
        if not self._one_model:
            return effect
        first = effect.sel({MODEL: self._one_model[0]}, drop=True)
        return effect.where(~effect[MODEL].isin(self._one_model), first)

    def with_moved(self, here: xr.Dataset, some: slice) -> xr.Dataset:
        """Return the draws `here` with effects of fitted models updated by new scores."""
        effects = {}
        for name in model_terms(self._spec) if self._moved else ():
            effects[name] = here[name].copy()
            self._put_moved(effects[name], here[MODEL].values.tolist(), some)
        return here.assign(effects)

    def _put_moved(self, effect: xr.DataArray, names: Sequence[str], some: slice) -> None:
        """Replace an effect of these models by its values given the new scores."""
        for moved in self._moved:
            held = {str(model) for model in moved[MODEL].values}
            mine = [model for model in names if model in held]
            values = moved[effect.name].isel({SAMPLE: some}).sel({MODEL: mine})
            effect.loc[{MODEL: mine}] = values.transpose(*effect.dims).values


def _standard_normal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape)
