"""Parts of rows' linear predictors, each relative to the average fitted model, draw by draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import mul
from typing import Final

import xarray as xr

from latentscale.analysis.forecasts.in_blocks import Block, Samples
from latentscale.analysis.skills.variance import OTHER
from latentscale.analysis.tools.blocks import parts as slices
from latentscale.dims import BENCHMARK, FAMILY, LINEAGE, MODEL, SAMPLE
from latentscale.maths import on_draws
from latentscale.model.attempts import FIRST
from latentscale.model.contributions import Contribution, by_component, by_covariate
from latentscale.model.evaluate import Evaluation
from latentscale.model.terms.family_level import LINEAGE_LEVEL, FamilyLevel

PART: Final = "part"
LEVELS, PARTS = "level", "parts"
"""Results of `Parts`: dims (sample, benchmark) and (sample, model, benchmark, part)."""

LINEAGES: Final = "skills: lineages"
"""Contribution of a row's lineage to skills; the rest of the family's part is the family's own."""
_FAMILIES: Final = str(FamilyLevel.component)
_BLOCK: Final = 2**21
"""Array elements of fitted models evaluated at once, 16 MB: about ten such arrays are held."""
_NOTHING: Final = 1e-11
"""Relative size below which a part is rounding error: sums of about ten products of doubles."""

Contributions = dict[str, Contribution]


class Parts:
    """Computes the parts of each block of a forecast (`latentscale.analysis.forecasts.in_blocks`).

    The level of a benchmark is the mean linear predictor of the fitted models. A part is the
    contribution of a component or a covariate for a row minus its mean over the fitted models, so
    that the level and the parts add up to the row's linear predictor.

    Parameters
    ----------
    benchmarks
        Benchmarks to include.
    """

    def __init__(self, benchmarks: Sequence[str]) -> None:
        self._benchmarks = list(benchmarks)
        self._last: tuple[Samples, Contributions, xr.DataArray] | None = None

    def __call__(self, block: Block) -> dict[str, xr.DataArray]:
        """Return the level of benchmarks and the parts of the block's rows."""
        average, level = self._average(block.samples)
        at = self._chosen(block.at)
        families, lineages = (block.rows[name].values.tolist() for name in (FAMILY, LINEAGE))
        of_rows = dict(zip(families, lineages, strict=True))
        own = _contributions(at, _lineages_of(block.samples) | of_rows)
        parts = {
            name: self._kept(added.predictor(at) - average[name].predictor(at))
            for name, added in own.items()
        }
        if LINEAGES in parts:
            known = block.rows[LINEAGE].isin(block.samples.draws[LINEAGE].values)
            # A new lineage is not identified apart from its family: they share one part.
            of_lineage = parts[LINEAGES].where(known.reset_coords(drop=True), 0.0)
            parts |= {LINEAGES: of_lineage, _FAMILIES: parts[_FAMILIES] - of_lineage}
        eta = (self._kept(at.eta) - level).transpose(SAMPLE, MODEL, BENCHMARK)
        parts[OTHER] = eta - sum(parts.values())
        wide = [value.broadcast_like(eta).transpose(*eta.dims) for value in parts.values()]
        joined = xr.concat(wide, dim=PART).transpose(..., PART)
        return {LEVELS: level, PARTS: joined.assign_coords({PART: list(parts)})}

    def _average(self, samples: Samples) -> tuple[Contributions, xr.DataArray]:
        """Return means of contributions and of linear predictors over the fitted models.

        They are computed once for all blocks of the same draws.
        """
        if self._last is None or self._last[0] is not samples:
            self._last = samples, *self._average_of(samples)
        return self._last[1:]

    def _average_of(self, samples: Samples) -> tuple[Contributions, xr.DataArray]:
        count = len(samples.fit.scores.models)
        width = samples.draws.sizes[SAMPLE] * len(samples.fit.scores.benchmarks)
        lineages = _lineages_of(samples)
        total: Contributions = {}
        level = xr.DataArray(0.0)
        for rows in slices(count, width, _BLOCK):
            at = self._chosen(samples.of_fitted(rows))
            share = (rows.stop - rows.start) / count
            for name, added in _contributions(at, lineages).items():
                mean = added.mean().mapped(partial(mul, share))
                total[name] = total.get(name, Contribution()) + mean
            level = level + share * self._kept(at.eta).mean(MODEL)
        return total, level.transpose(SAMPLE, BENCHMARK)

    def _chosen(self, at: Evaluation) -> Evaluation:
        """Return the evaluation on the requested benchmarks, if each has its own curve."""
        if FIRST in at.values:
            return at
        return replace(at, values={name: self._kept(value) for name, value in at.values.items()})

    def _kept(self, value: xr.DataArray) -> xr.DataArray:
        kept = value.sel({BENCHMARK: self._benchmarks}) if BENCHMARK in value.dims else value
        return kept.reset_coords(drop=True)


def _contributions(at: Evaluation, lineages: Mapping[str, str]) -> Contributions:
    """Return the contributions of covariates, components and lineages for some rows.

    `lineages` maps families to lineages.
    """
    found = by_covariate(at)
    for name, added in by_component(at, lambda term: not term.covariates_apart).items():
        if name == _FAMILIES and LINEAGE_LEVEL in at.values:
            found[LINEAGES] = _of_lineages(at, lineages)
        found[name] = added
    return found


def without_idle(parts: xr.DataArray, eta: xr.DataArray) -> xr.DataArray:
    """Return parts without those that are 0, up to rounding, in all draws of all rows.

    Parameters
    ----------
    parts
        Parts, one of whose dims is part.
    eta
        Linear predictors, whose size determines what counts as rounding error.
    """
    size = max(1.0, float(abs(eta).max()))
    others = [dim for dim in parts.dims if dim != PART]
    largest = abs(parts).max(others)
    return parts.isel({PART: (largest > _NOTHING * size).values})


def _lineages_of(samples: Samples) -> dict[str, str]:
    """Return the lineage of each fitted family."""
    pairs = samples.fit.scores.family_lineage().items()
    return {str(family): str(lineage) for family, lineage in pairs}


def _of_lineages(at: Evaluation, lineages: Mapping[str, str]) -> Contribution:
    """Return the contributions of the rows' lineages; 0 for lineages that were not fitted."""
    name = str(FamilyLevel.effect)
    level = at.values[LINEAGE_LEVEL]
    families = at.values[name][FAMILY].values
    fitted = level.get_index(LINEAGE)
    places = fitted.get_indexer([lineages.get(str(family)) for family in families])
    of_family = level.isel({LINEAGE: xr.DataArray(places, dims=(FAMILY,))}).drop_vars(LINEAGE)
    known = xr.DataArray(places >= 0, dims=(FAMILY,))
    values = {**at.values, name: of_family.where(known, 0.0).assign_coords({FAMILY: families})}
    term = FamilyLevel.of(at.spec)
    assert term is not None  # the term that has lineages
    skill = term.skill(values, at.rows)
    return Contribution(None if skill is None else on_draws(skill))
