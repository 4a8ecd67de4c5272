"""The latents that new scores inform, and the likelihood of the scores as a function of them.

Conditional on the parameters that all families share, a family's latents (its own effects and those
of its models) depend only on its own scores, and the linear predictor is linear in them. Each group
of families is therefore a separate small problem on every posterior draw: eta = offset + matrix z,
with the elements of z independent a priori.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.groups import Group
from latentscale.analysis.forecasts.matrix import matrix_of
from latentscale.analysis.forecasts.moves import SHIFT, moved_by
from latentscale.data.scaling import sampling_of, usual_sampling
from latentscale.declare.likelihood import Noise
from latentscale.dims import BENCHMARK, CELL, FAMILY, LINEAGE, MODEL, SAMPLE, SKILL
from latentscale.maths import on_draws
from latentscale.model.equations import expected_score
from latentscale.model.evaluate import Evaluation
from latentscale.model.noise import of_fractions
from latentscale.model.scaled import CODE
from latentscale.model.unseen import (
    family_effects,
    linked_rows,
    model_effects_of_raw,
    model_terms,
    noise_effects,
    other_families,
    raw_model_template,
    raw_of_model_effects,
    raw_of_terms,
    raw_template,
    terms_of_raw,
    tied_latents,
)
from latentscale.posterior.fit import Fit

Floats = npt.NDArray[np.float64]
_CANDIDATE = "candidate"
_STEP = 1e-3
"""Step of finite differences in the linear predictor: rounding and truncation errors balance."""


@dataclass(frozen=True)
class LocalProblem:
    """Latents z of one group on every posterior draw: shapes (sample, latent) and (sample, cell).

    Attributes
    ----------
    template
        Zeros with the dims of the group's raw (standardised) latents.
    fitted
        Their values in the fit, (sample, all latents); 0 for latents that are not in the fit.
    free
        Which of them are in z, by latent of the template; the others are fixed at the fit's values.
    offset, matrix
        eta = offset + matrix z; shapes (sample, cell) and (sample, cell, latent).
    start
        Values of z in the fit, (sample, latent); 0 for latents that are not in the fit.
    known
        Whether the latent is in the fit, by latent of z.
    unpooled
        Whether the latent is the effect of an unpooled family, with that effect's prior; all others
        are standard normal a priori.
    noise_of_models
        Effects on the precision, by variable, dims (sample, model): the fit's, or draws from their
        population for new models. They belong to the posterior draw, not to the latents.
    moves
        Changes of the effects that all models share, by variable, dims (sample, shift, ...). The
        shifts are the last elements of z. Empty without any.
    """

    fit: Fit
    draws: xr.Dataset
    group: Group
    template: xr.Dataset
    fitted: Floats
    free: npt.NDArray[np.bool_]
    offset: Floats
    matrix: Floats
    start: Floats
    known: npt.NDArray[np.bool_]
    unpooled: npt.NDArray[np.bool_]
    at_cells: dict[str, xr.DataArray]
    phi: xr.DataArray
    noise: Noise
    noise_of_models: xr.Dataset
    moves: xr.Dataset = field(default_factory=xr.Dataset)

    def eta(self, z: Floats) -> Floats:
        """Return the linear predictor at the cells, (..., sample, cell) for z (..., latent)."""
        return self.offset + (self.matrix @ z[..., None])[..., 0]

    def log_likelihood(self, eta: Floats) -> Floats:
        """Return the log density of each cell's score, shape (..., sample, cell) as eta.

        Eta may have a leading axis of candidates: one call for all candidates is several times as
        fast as one call for each.
        """
        dims = (_CANDIDATE, SAMPLE, CELL)[-eta.ndim :]
        named = xr.DataArray(eta, dims=dims)
        mean = expected_score(self.fit.spec, self.at_cells, named)
        score = xr.DataArray(self.group.score, dims=(CELL,))
        density = self.noise.log_density(score, mean, self.phi)
        return np.asarray(on_draws(density).transpose(*dims).values, dtype=float)

    def log_prior(self, z: Floats) -> Floats:
        """Return the log prior density of each latent, shape (..., sample, latent)."""
        density = -0.5 * (z**2 + np.log(2 * np.pi))
        if self.unpooled.any():
            prior = self.fit.spec.prior("fixed_family")
            density[..., self.unpooled] = prior.log_density(z[..., self.unpooled])
        return density

    def draw_prior(self, rng: np.random.Generator) -> Floats:
        """Draw every latent from its prior, shape (sample, latent)."""
        z = rng.standard_normal(self.start.shape)
        if self.unpooled.any():
            prior = self.fit.spec.prior("fixed_family")
            z[:, self.unpooled] = prior.draw(z[:, self.unpooled].shape, rng)
        return z

    def at(self, index: npt.NDArray[np.int64]) -> LocalProblem:
        """Return the problem on chosen posterior draws, which may repeat."""

        def chosen(array: xr.DataArray) -> xr.DataArray:
            kept = array.isel({SAMPLE: index}, missing_dims="ignore")
            return kept.drop_vars(SAMPLE, errors="ignore")

        return replace(
            self,
            draws=_at_samples(self.draws, index),
            offset=self.offset[index],
            matrix=self.matrix[index],
            fitted=self.fitted[index],
            start=self.start[index],
            at_cells={name: chosen(value) for name, value in self.at_cells.items()},
            phi=chosen(self.phi),
            noise=self.noise.mapped(chosen),
            noise_of_models=_at_samples(self.noise_of_models, index),
            moves=_at_samples(self.moves, index),
        )

    def terms(
        self, index: npt.NDArray[np.int64], z: Floats
    ) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
        """Return family terms, effects by model and moved shared effects, on chosen draws.

        Dims (sample, ...); the last dataset also has the shifts, (sample, shift).

        Parameters
        ----------
        index
            Posterior draw of each sample.
        z
            Latents, shape (len(index), latent).
        """
        draws = _at_samples(self.draws, index)
        own_latents = int(self.free.sum())
        shared = moved_by(draws, _at_samples(self.moves, index), z[:, own_latents:])
        draws = draws.assign(shared.data_vars)
        start = _unpack(self.template, self.fitted[index])
        moved = self.fitted[index]
        moved[:, self.free] = z[:, :own_latents]  # a copy: integer indexing
        raw = _unpack(self.template, moved)
        terms = _terms(self.fit, draws, self.group, raw, start)
        own = model_effects_of_raw(self.fit.spec, draws, raw)
        if self.noise_of_models.data_vars:  # an empty dataset has no dim sample
            own = own.assign(_at_samples(self.noise_of_models, index).data_vars)
        if shared.data_vars:
            shared = shared.assign({SHIFT: ((SAMPLE, SHIFT), z[:, own_latents:])})
        return terms, own, shared


def latent_count(fit: Fit, draws: xr.Dataset, group: Group) -> int:
    """Return the number of latents of a group of families."""
    return _n_latents(_template(fit, draws, group)[0])


def local_problem(
    fit: Fit,
    draws: xr.Dataset,
    group: Group,
    noise_of_models: xr.Dataset,
    *,
    hold: bool = False,
    moves: xr.Dataset | None = None,
) -> LocalProblem:
    """Return a group's latents and likelihood on posterior draws.

    Parameters
    ----------
    fit
        A fit.
    draws
        Its draws with floors, dims (sample, ...).
    group
        From `family_groups`.
    noise_of_models
        From `draw_noise_of_models`, on the same draws.
    hold
        Whether to fix all latents in the fit at its values. Latents that depend a priori on effects
        of models outside the group are fixed in any case.
    moves
        Changes of the effects that all models share, dims (sample, shift, ...); each shift is one
        more latent.
    """
    moves = xr.Dataset() if moves is None else moves
    template, known = _template(fit, draws, group)
    free = ~known if hold else ~tied_latents(fit.spec, draws, fit.design, template)
    fitted = _start(fit, draws, group, template)
    begin = _unpack(template, fitted)

    def at(raw: xr.Dataset) -> Floats:
        return _cell_eta(_evaluated(fit, draws, group, raw, begin, noise_of_models), group)

    base = _unpack(template, np.where(free, 0.0, fitted))
    evaluation = _evaluated(fit, draws, group, base, begin, noise_of_models)
    offset = _cell_eta(evaluation, group)
    linked = linked_rows(fit.spec, draws, template)
    matrix = matrix_of(group, linked, base, free, at, offset)
    shifts = moves.sizes.get(SHIFT, 0)
    for place in range(shifts):
        unit = np.eye(shifts)[[place] * len(fitted)]
        there = draws.assign(moved_by(draws, moves, unit).data_vars)
        evaluated = _evaluated(fit, there, group, base, begin, noise_of_models)
        column = _cell_eta(evaluated, group) - offset
        matrix = np.concatenate([matrix, column[..., None]], axis=2)
    none = np.zeros(shifts, bool)
    here = _cells(group.benchmark_of_cell)
    at_cells = {
        name: value.sel({BENCHMARK: here}).drop_vars(BENCHMARK)
        if BENCHMARK in value.dims
        else value
        for name, value in evaluation.values.items()
        if not {MODEL, FAMILY, LINEAGE, SKILL}.intersection(map(str, value.dims))
    }
    fixed, by_model = fit.spec.family.level == "fixed", model_terms(fit.spec)
    unpooled = np.concatenate(
        [np.full(v.size, fixed and name not in by_model) for name, v in template.data_vars.items()]
        or [np.zeros(0, bool)]
    )
    phi, noise = evaluation.precision, _noise(fit, group, evaluation)
    if CODE in at_cells and not at_cells[CODE].any():  # only fractions: half the work
        noise = of_fractions(noise)
        del at_cells[CODE]
    return LocalProblem(
        fit=fit,
        draws=draws,
        group=group,
        template=template,
        fitted=fitted,
        free=free,
        offset=offset,
        matrix=matrix,
        start=np.pad(fitted[:, free], ((0, 0), (0, shifts))),
        known=np.concatenate([known[free], none]),
        unpooled=np.concatenate([unpooled[free], none]),
        at_cells=at_cells,
        phi=phi.sel(_cell_index(group, phi)).drop_vars([MODEL, BENCHMARK], errors="ignore"),
        noise=noise,
        noise_of_models=noise_of_models,
        moves=moves,
    )


def slope_and_curvature(problem: LocalProblem, eta: Floats) -> tuple[Floats, Floats]:
    """Return the first and negative second derivatives of each cell's log density in eta."""
    _, slope, curvature = density_and_derivatives(problem, eta)
    return slope, curvature


def density_and_derivatives(problem: LocalProblem, eta: Floats) -> tuple[Floats, Floats, Floats]:
    """Return each cell's log density and its first and negative second derivatives in eta.

    Central differences work for every link and likelihood.
    """
    middle, up, down = problem.log_likelihood(np.stack([eta, eta + _STEP, eta - _STEP]))
    return middle, (up - down) / (2 * _STEP), -(up - 2 * middle + down) / _STEP**2


def _noise(fit: Fit, group: Group, evaluation: Evaluation) -> Noise:
    """Return the noise of the group's cells."""
    columns = fit.scores.dataset.get_index(BENCHMARK).get_indexer(group.benchmark_of_cell)
    at = {BENCHMARK: xr.DataArray(columns, dims=(CELL,))}
    data = fit.scores.dataset
    items = _by_cell(data["n_items"], fit.scores.item_counts, group)
    usual, own = usual_sampling(data), sampling_of(data)
    sampling = None if usual is None or own is None else _by_cell(usual, own, group)
    return evaluation.noise(items, sampling).at(at)


def _by_cell(usual: xr.DataArray, own: xr.DataArray, group: Group) -> xr.DataArray:
    """Return `own` for cells of old scores and the benchmark's `usual` for new ones, (cell,)."""
    new = group.is_new
    models, benchmarks = np.array(group.model_of_cell), np.array(group.benchmark_of_cell)
    values = np.empty(len(new))
    values[new] = usual.sel({BENCHMARK: _cells(benchmarks[new])}).values
    old = {MODEL: _cells(models[~new]), BENCHMARK: _cells(benchmarks[~new])}
    values[~new] = own.sel(old).values
    return xr.DataArray(values, dims=(CELL,))


def _template(
    fit: Fit, draws: xr.Dataset, group: Group
) -> tuple[xr.Dataset, npt.NDArray[np.bool_]]:
    """Return zeros with the dims of the group's raw latents, and which latents are in the fit."""
    families = {**group.fitted, **group.new}
    raw = raw_template(fit.spec, draws, list(families), list(families.values()))
    rows = [str(name) for name in group.rows[MODEL].values]
    by_model = raw_model_template(fit.spec, draws, rows)
    raw = raw.merge(by_model.drop_vars(noise_effects(fit.spec), errors="ignore"))
    fitted = {FAMILY: list(group.fitted), MODEL: list(fit.scores.models), LINEAGE: []}
    known = []
    for variable in raw.data_vars.values():
        first = str(variable.dims[0])
        marked = variable.copy(data=np.zeros(variable.shape, bool))
        marked.loc[{first: np.isin(variable[first].values, fitted[first])}] = True
        known.append(marked.values.ravel())
    return raw, np.concatenate(known) if known else np.zeros(0, bool)


def _start(fit: Fit, draws: xr.Dataset, group: Group, template: xr.Dataset) -> Floats:
    count = draws.sizes[SAMPLE]
    start = template.map(lambda v: v.expand_dims({SAMPLE: count}).copy())
    if group.fitted:
        families, lineages = list(group.fitted), list(group.fitted.values())
        raw = raw_of_terms(fit.spec, draws, families, lineages, centred=fit.design.centred)
        for name in raw.data_vars:
            start[name].loc[{FAMILY: list(group.fitted)}] = raw[name].transpose(*start[name].dims)
    if MODEL in template.dims:
        fitted = set(fit.scores.models)
        names = [name for name in template[MODEL].values.tolist() if name in fitted]
        raw = raw_of_model_effects(fit.spec, draws, names)
        for name in (name for name in raw.data_vars if name in start):
            start[name].loc[{MODEL: names}] = raw[name].transpose(*start[name].dims)
    return _pack(start, count)


def _terms(
    fit: Fit, draws: xr.Dataset, group: Group, raw: xr.Dataset, start: xr.Dataset
) -> xr.Dataset:
    """Return the terms of the group's families, on the scale of the fitted effects.

    A fitted family moves by the change of its deviation from the other families, which are fixed.
    """
    if not family_effects(fit.spec, draws).data_vars:
        return xr.Dataset()
    terms = []
    if group.new:
        lineages = list(group.new.values())
        mine = raw.sel({FAMILY: list(group.new)}) if FAMILY in raw.dims else raw
        others = other_families(draws, fitted=False, centred=fit.design.centred)
        terms.append(terms_of_raw(fit.spec, draws, mine, lineages, others=others))
    if group.fitted:
        names, lineages = list(group.fitted), list(group.fitted.values())
        others = other_families(draws, fitted=True, centred=fit.design.centred)
        now, then = (
            terms_of_raw(
                fit.spec,
                draws,
                latents.sel({FAMILY: names}) if FAMILY in latents.dims else latents,
                lineages,
                others=others,
            )
            for latents in (raw, start)
        )
        had = draws[list(now.data_vars)].sel({FAMILY: names})
        terms.append(had + now - then)
    return xr.concat(terms, dim=FAMILY) if len(terms) > 1 else terms[0]


def draw_noise_of_models(
    fit: Fit, draws: xr.Dataset, group: Group, rng: np.random.Generator
) -> xr.Dataset:
    """Return effects on the precision of the group's models, dims (sample, model).

    Fitted models have the fit's effects; effects of new models are drawn.
    """
    rows = [str(name) for name in group.rows[MODEL].values]
    names = [name for name in noise_effects(fit.spec) if name in draws]
    template = raw_model_template(fit.spec, draws, rows)[names]
    if not names:
        return template
    count = draws.sizes[SAMPLE]
    raw = template.map(
        lambda v: v.expand_dims({SAMPLE: count}).copy(data=rng.standard_normal((count, *v.shape)))
    )
    effects = model_effects_of_raw(fit.spec, draws, raw)
    fitted = set(fit.scores.models)
    known = [name for name in rows if name in fitted]
    for name in names:
        effect = effects[name].transpose(SAMPLE, MODEL, ...)
        own = draws[name].sel({MODEL: known}).transpose(*effect.dims)
        effect.loc[{MODEL: known}] = own.values
        effects[name] = effect
    return effects


def _evaluated(
    fit: Fit,
    draws: xr.Dataset,
    group: Group,
    raw: xr.Dataset,
    start: xr.Dataset,
    noise_of_models: xr.Dataset,
) -> Evaluation:
    """Evaluate the model at the group's rows, for given raw latents.

    Undisclosed tokens are part of the posterior draw and are used as if they were known.
    """
    residuals = model_effects_of_raw(fit.spec, draws, raw).assign(noise_of_models.data_vars)
    effects = _terms(fit, draws, group, raw, start)
    return fit.evaluator.at(draws, group.rows, residuals=residuals, effects=effects)


def _cell_eta(evaluation: Evaluation, group: Group) -> Floats:
    """Return the linear predictor at the group's cells, shape (sample, cell)."""
    picked = evaluation.eta.sel(_cell_index(group, evaluation.eta)).reset_coords(drop=True)
    shape = {SAMPLE: evaluation.values["precision"].sizes[SAMPLE], CELL: len(group.score)}
    absent = {dim: size for dim, size in shape.items() if dim not in picked.dims}
    return np.asarray(picked.expand_dims(absent).transpose(SAMPLE, CELL).values, dtype=float)


def _cell_index(group: Group, array: xr.DataArray) -> dict[str, xr.DataArray]:
    wanted = {MODEL: group.model_of_cell, BENCHMARK: group.benchmark_of_cell}
    return {dim: _cells(names) for dim, names in wanted.items() if dim in array.dims}


def _cells(names: Sequence[str] | npt.NDArray[np.str_]) -> xr.DataArray:
    return xr.DataArray(np.asarray(names, dtype=np.str_), dims=(CELL,))


def _n_latents(template: xr.Dataset) -> int:
    return sum(variable.size for variable in template.data_vars.values())


def _pack(raw: xr.Dataset, count: int) -> Floats:
    columns = [variable.values.reshape(count, -1) for variable in raw.data_vars.values()]
    return np.concatenate(columns, axis=1) if columns else np.zeros((count, 0))


def _unpack(template: xr.Dataset, values: Floats) -> xr.Dataset:
    """Return latents of shape (sample, latent) as variables with the template's dims."""
    latents, at = {}, 0
    for name, variable in template.data_vars.items():
        block = values[:, at : at + variable.size].reshape(len(values), *variable.shape)
        latents[name] = variable.expand_dims({SAMPLE: len(values)}).copy(data=block)
        at += variable.size
    return xr.Dataset(latents)


def _at_samples(draws: xr.Dataset, index: npt.NDArray[np.int64]) -> xr.Dataset:
    kept = draws.isel({SAMPLE: index}, missing_dims="ignore")  # an empty dataset has no dim
    return kept.drop_vars(SAMPLE, errors="ignore")
