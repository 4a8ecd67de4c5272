"""The problem: a spec and its table as the constant arrays that chains use."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from latentscale.data.scaling import CENTRE, STEP, is_bounded, lower_is_better
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, MODEL, SKILL
from latentscale.errors import FitError
from latentscale.inference.gibbs.blocks import (
    Cells,
    ColumnBlock,
    GibbsProblem,
    LoadingPlan,
    PooledPrior,
    Scales,
    SingleBlock,
    SkillBlock,
)
from latentscale.inference.gibbs.designs import Designed, designed, labels_of
from latentscale.inference.gibbs.refusals import INSTEAD, refuse, unused
from latentscale.inference.gibbs.slices import prior_code
from latentscale.model.design import Design
from latentscale.model.identify import loading_masks
from latentscale.model.normal_effects import EffectScale, NormalEffect
from latentscale.model.pooling import Pooling, benchmark_groups, group_of_benchmark
from latentscale.model.scaled import CODE, without_bounds
from latentscale.model.terms.base import terms_of
from latentscale.model.terms.loading import Loadings
from latentscale.model.terms.model_precision import ModelPrecision
from latentscale.model.terms.precision import PRECISION_POOLING


def problem_of(spec: ModelSpec, design: Design) -> GibbsProblem:
    """Return a spec and its table as arrays.

    Raises
    ------
    FitError
        If Gibbs sampling cannot draw under the spec on this table.
    """
    refuse(spec, design)
    terms = [term for term in terms_of(spec) if not unused(term)]
    labels = labels_of(
        spec, design, [e for term in terms for e in term.normal_effects(spec, design) or ()]
    )
    designs = [made for term in terms for made in designed(spec, design, term, labels)]
    cells = cells_of(design)
    columns, column, value = _columns(spec, designs, labels, cells)
    likelihood = spec.benchmarks.likelihood
    tail = likelihood.parameters().get("tail") if likelihood.normal_on_logit else None
    return GibbsProblem(
        spec=spec,
        labels=labels,
        cells=cells,
        skills=spec.skills.count,
        skill_blocks=_skill_blocks(spec, designs, labels),
        column_blocks=columns,
        single_blocks=tuple(
            _single_block(spec, d, labels, cells)
            for d in designs
            if not d.on_skills and BENCHMARK not in d.shape
        ),
        column=column,
        value=value,
        mean_of=_joined([block.mean_of for block in columns]),
        loading=_loadings(spec, design),
        precision=_precision(spec, design),
        tail=None if tail is None else prior_code(spec.prior(tail.slot)),
        tail_shared=tail is not None and tail.dims == (),
        model_noise=_model_noise(spec),
        pooled={
            d.effect.variable: _population(spec, design, d.effect.pooling)
            for d in designs
            if d.effect.pooling is not None
        },
    )


def cells_of(design: Design) -> Cells:
    """Return the scores on the link's scale."""
    bench = design.benchmark_of_cell.astype(np.int64)
    data = design.scores.dataset
    bounded = is_bounded(data).values[bench]
    score = design.score_of_cell
    inside = np.where(bounded, score, 0.5)
    logit = np.log(inside) - np.log1p(-inside)
    sign = np.where(lower_is_better(data).values[bench] & bounded, -1.0, 1.0)
    y = sign * logit
    known = design.known_curve
    if CODE in known:
        code, centre, step = (known[n].values[bench] for n in (CODE, CENTRE, STEP))
        own = without_bounds(xr.DataArray(code, dims="cell"), xr.DataArray(score, dims="cell"))
        y = np.where(bounded, y, (own.values - centre) / step)
    count = len(design.scores.benchmarks)
    return Cells(
        y=y,
        model=design.model_of_cell.astype(np.int64),
        bench=bench,
        start=np.searchsorted(bench, np.arange(count + 1)).astype(np.int64),
        models=len(design.scores.models),
        benchmarks=count,
    )


def _skill_blocks(
    spec: ModelSpec, designs: list[Designed], labels: dict[str, Any]
) -> tuple[SkillBlock, ...]:
    blocks = tuple(_skill_block(spec, made, labels) for made in designs if made.on_skills)
    single = [f'"{block.effect.variable}"' for block in blocks if block.single]
    if len(single) > 1:  # only one can be integrated out, and drawn given all others
        raise FitError(
            f"Gibbs can draw only one effect of individual models on skills; the spec has "
            f"{len(single)}: {' and '.join(single)}. {INSTEAD}"
        )
    return blocks


def _skill_block(spec: ModelSpec, made: Designed, labels: dict[str, Any]) -> SkillBlock:
    effect = made.effect
    single = MODEL in effect.dims
    if single and (made.levels or effect.scale is None):
        raise FitError(
            f'Gibbs cannot draw the effects "{effect.variable}" of individual models. {INSTEAD}'
        )
    levels = {d: made.shape[d] for d in effect.dims if d != SKILL}
    size = int(np.prod(list(levels.values())))
    shape = {**levels, SKILL: made.shape[SKILL]}
    return SkillBlock(
        effect=effect,
        levels=levels,
        prior=None if effect.prior is None else spec.prior(effect.prior),
        scales=_scales(spec, effect, shape, labels, (size, made.shape[SKILL])),
        mean_of=_mean_of(effect, levels),
        design=made.values.copy(),
        single=single,
    )


def _columns(
    spec: ModelSpec, designs: list[Designed], labels: dict[str, Any], cells: Cells
) -> tuple[tuple[ColumnBlock, ...], np.ndarray, np.ndarray]:
    blocks, indices, values, first = [], [], [], 0
    for made in designs:
        if made.on_skills or BENCHMARK not in made.shape:
            continue
        effect = made.effect
        if MODEL in made.shape:
            raise FitError(
                f'Gibbs cannot draw "{effect.variable}", which has a value for every score. '
                f"{INSTEAD}"
            )
        levels = {d: made.shape[d] for d in made.levels}
        last = first + made.values.shape[-1]
        shape = {BENCHMARK: cells.benchmarks, **levels}
        coefficients = (cells.benchmarks, last - first)
        blocks.append(
            ColumnBlock(
                effect=effect,
                levels=levels,
                prior=None if effect.prior is None else spec.prior(effect.prior),
                scales=_scales(spec, effect, shape, labels, coefficients),
                mean_of=_mean_of(effect, levels),
                first=first,
                last=last,
            )
        )
        factors = made.values[cells.model, cells.bench]
        if effect.scale is not None and effect.scale.switched_on is not None:
            factors = factors * effect.scale.switched_on[cells.bench, None]
        index, value = _used(factors)
        indices.append(index + first)
        values.append(value)
        first = last
    if not blocks:
        none = (len(cells.y), 0)
        return (), np.zeros(none, np.int64), np.zeros(none)
    return tuple(blocks), np.concatenate(indices, axis=1), np.concatenate(values, axis=1)


def _used(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels with non-zero factors, and the factors, shapes (cell, most of any cell)."""
    most = max(int((values != 0).sum(axis=1).max()), 1)
    index = np.argsort(values == 0, axis=1, kind="stable")[:, :most].astype(np.int64)
    return index, np.take_along_axis(values, index, axis=1)


def _single_block(
    spec: ModelSpec, made: Designed, labels: dict[str, Any], cells: Cells
) -> SingleBlock:
    effect = made.effect
    values = made.values[cells.model, cells.bench]
    if MODEL not in made.shape or (values != 0).sum(axis=1).max() > 1 or effect.centred:
        raise FitError(
            f'Gibbs cannot draw the effects "{effect.variable}": a score depends on several. '
            f"{INSTEAD}"
        )
    levels = {d: made.shape[d] for d in effect.dims}
    index, factor = _used(values)
    place = {d: np.zeros(len(cells.y), np.int64) for d in levels}
    place[MODEL] = cells.model
    rest = np.unravel_index(index[:, 0], tuple(made.shape[d] for d in made.levels) or (1,))
    place |= dict(zip(made.levels, rest, strict=False))
    sizes = tuple(levels.values())
    entry = np.ravel_multi_index(tuple(place[d] for d in levels), sizes).astype(np.int64)
    size = int(np.prod(sizes))
    return SingleBlock(
        effect=effect,
        levels=levels,
        prior=None if effect.prior is None else spec.prior(effect.prior),
        scales=_scales(spec, effect, levels, labels, (size,)),
        mean_of=np.full(size, -1),
        entry=entry,
        factor=factor[:, 0],
        size=size,
    )


def _scales(
    spec: ModelSpec,
    effect: NormalEffect,
    shape: dict[str, int],
    labels: dict[str, Any],
    coefficients: tuple[int, ...],
) -> Scales | None:
    """Return the standard deviations of coefficients whose dims have the sizes `shape`."""
    scale: EffectScale | None = effect.scale
    if scale is None:
        return None
    sizes = tuple(len(labels[d]) for d in scale.dims)
    positions: list[np.ndarray] = []
    for dim in scale.dims:
        along, index = scale.owners.get(dim, (dim, np.arange(len(labels[dim]))))
        axis = list(shape).index(along)
        view = [1] * len(shape)
        view[axis] = shape[along]
        positions.append(np.broadcast_to(np.reshape(index, view), tuple(shape.values())))
    count = int(np.prod(sizes)) if sizes else 1
    flat = np.zeros(tuple(shape.values()), np.int64)
    if positions:
        flat = np.ravel_multi_index(tuple(positions), sizes)
    on = np.ones(count, bool)
    if scale.switched_on is not None:
        on = np.asarray(scale.switched_on, bool)
    return Scales(
        name=scale.name,
        dims=scale.dims,
        shape=sizes,
        prior=prior_code(spec.prior(scale.name)),
        index=flat.reshape(coefficients),
        times=scale.times,
        on=on,
    )


def _mean_of(effect: NormalEffect, levels: dict[str, int]) -> np.ndarray:
    """Return the group of levels on whose mean each level is centred."""
    size = int(np.prod(list(levels.values()))) if levels else 1
    if effect.centred is None or effect.nesting is not None:
        return np.full(size, -1)
    others = [d for d in levels if d != effect.centred]
    grid = np.indices(tuple(levels.values()))
    place = [grid[list(levels).index(d)].ravel() for d in others]
    if not others:
        return np.zeros(size, np.int64)
    return np.ravel_multi_index(tuple(place), tuple(levels[d] for d in others)).astype(np.int64)


def _joined(groups: list[np.ndarray]) -> np.ndarray:
    """Return the groups of all columns, with distinct numbers."""
    numbered, first = [np.zeros(0, np.int64)], 0
    for own in groups:
        numbered.append(np.where(own >= 0, own + first, -1).astype(np.int64))
        first += int(own.max(initial=-1)) + 1
    return np.concatenate(numbered)


def _population(spec: ModelSpec, design: Design, pooling: Pooling) -> PooledPrior:
    table = design.scores.dataset
    groups = benchmark_groups(table)
    member = [[float(own == g) for g in groups] for own in group_of_benchmark(table)]
    name = pooling.name
    return PooledPrior(
        pooling=pooling,
        mean=spec.prior(f"{name}_mean"),
        spread=prior_code(spec.prior(f"{name}_spread")),
        group_spread=prior_code(spec.prior(f"{name}_group_spread")),
        member=np.array(member).reshape(len(design.scores.benchmarks), len(groups)),
        count=spec.skills.count if SKILL in pooling.rest else 1,
    )


def _loadings(spec: ModelSpec, design: Design) -> LoadingPlan:
    shape = (len(design.scores.benchmarks), spec.skills.count)
    term = Loadings.of(spec)
    none = np.zeros(0, np.int64)
    if term is None:
        nothing = np.zeros(shape, bool)
        return LoadingPlan(
            nothing, nothing, np.zeros(shape), None, np.zeros((*shape, 4)), None, none
        )
    mask = np.ones(shape)
    if term.anchored:
        mask = loading_masks(design.anchors, list(design.scores.benchmarks), shape[1])
    prior = spec.prior("loading")
    signed = (not term.anchored) if term.pooled else prior.support == "real"
    codes = np.tile(prior_code(prior), (*shape, 1))
    positive = (mask == 1) & (not signed)
    if term.family_unit:
        codes[mask == 2] = prior_code(spec.prior("anchor_loading"))
        positive |= mask == 2
    return LoadingPlan(
        normal=(mask == 1) & signed,
        positive=positive,
        fixed=(mask == 2).astype(float),
        prior=prior if signed and not term.pooled else None,
        codes=codes,
        pooled=_population(spec, design, term.pooling) if term.pooled else None,
        anchors=np.argmax(mask == 2, axis=0) if term.family_unit else none,
    )


def _precision(spec: ModelSpec, design: Design) -> np.ndarray | PooledPrior:
    if not spec.benchmarks.pooled:
        return prior_code(spec.prior("precision"))
    return _population(spec, design, PRECISION_POOLING)


def _model_noise(spec: ModelSpec) -> np.ndarray | None:
    if ModelPrecision.of(spec) is None:
        return None
    return prior_code(spec.prior("model_precision_scale"))
