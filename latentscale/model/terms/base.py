"""Term: a part of the model's equations, and what each kind declares.

The classes are in ``latentscale/model/terms``, one per file. Code that goes through a model's terms
(building, forecasts, few-shot conditioning, variance shares, rotation of skills) asks each term and
keeps no separate list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, PriorSlot
from latentscale.declare.record import Record
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, FAMILY, SKILL, SKILL_FACTOR
from latentscale.errors import SpecError
from latentscale.maths import Named
from latentscale.model.design import Design
from latentscale.model.normal_effects import NormalEffect
from latentscale.model.pooling import Pooling
from latentscale.model.priors import declare_parameters


@dataclass(frozen=True)
class Rows[Array: Named]:
    """Models as the equations see them, on draws or in a PyTensor graph.

    Attributes
    ----------
    covariates
        Standardised covariates by dim: ``covariate`` for covariates of skills, and a separate dim
        for every term that uses a subset; dims (model, that dim), and sample if tokens are drawn.
    instruct
        The instruct flag, 0 or 1, dims (model,).
    data
        What else terms need of the models, by the names that the terms give.
    family
        Index of each model's family into the family dim of the terms, dims (model,); None if
        nothing differs between families.

    Examples
    --------
    >>> family, instruct = (xr.DataArray(v, dims="model") for v in ([0, 0, 1], [0, 1, 0]))
    >>> rows = Rows(covariates={}, instruct=instruct, data={}, family=family)
    >>> rows.instruct.dims
    ('model',)
    """

    covariates: Mapping[str, Array]
    instruct: Array
    data: Mapping[str, Array]
    family: Array | None = None

    def of_family(self, value: Named) -> Named:
        """Return values by family (family, ...) for each model, dims (model, ...).

        Parameters
        ----------
        value
            Values by family, dims (family, ...).

        Returns
        -------
        Named
            The value of each model's family.

        Examples
        --------
        >>> levels = xr.DataArray([0.5, -0.5], dims="family", coords={"family": ["a", "b"]})
        >>> rows.of_family(levels).values.tolist()
        [0.5, 0.5, -0.5]
        """
        gathered = value.isel({FAMILY: self.family})
        if isinstance(gathered, xr.DataArray):
            return gathered.drop_vars(FAMILY, errors="ignore")
        return gathered


@dataclass(frozen=True)
class Groups:
    """Families whose effects are drawn or updated, and the levels that they are drawn around.

    Attributes
    ----------
    lineages
        The lineage of each family.
    others
        Number of fitted families whose mean the effects are deviations from. That mean is not
        known, so a deviation from it has 1 + 1 / others times the variance of an effect. Infinite
        if effects are deviations from the population mean (`Design.centred` is false).
    lineage_levels
        Levels of the lineages, dims with (lineage, skill); None without a lineage level.

    Examples
    --------
    >>> groups = Groups(lineages=["llama", "qwen"], others=4)
    >>> round(groups.widening, 3)
    1.118
    """

    lineages: Sequence[str]
    others: float
    lineage_levels: xr.DataArray | None = None

    @property
    def widening(self) -> float:
        """How much wider a deviation from the fitted families' mean is than an effect.

        Examples
        --------
        >>> round(groups.widening**2, 6) == 1 + 1 / 4
        True
        """
        return float((1 + 1 / self.others) ** 0.5)

    @property
    def from_others(self) -> float:
        """Deviation of a fitted family from the mean of the others, per unit from that of all.

        Fitted effects are taken from the mean of all F families, so the deviation of one from
        the mean of the other F - 1 is F / (F - 1) times as large.

        Examples
        --------
        >>> groups.from_others
        1.25
        """
        return 1 + 1 / self.others


class Term(Record):
    """A part of the equations that a spec switches on; its fields are its settings.

    A kind is a subclass with a field ``kind``, registered by ``@TERMS.add``. A spec switches it on
    with a table ``[[terms]]`` that gives its kind and settings, unless the kind's `of` decides
    which specs have it. Values of a term are the variables that it declares, by name, with named
    dims; methods work both on a PyTensor graph and on draws.

    Attributes
    ----------
    kind
        Its name in a spec.

    Examples
    --------
    >>> from latentscale.extend import TERMS
    >>> trend = TERMS["trend"]
    >>> trend.is_set_by_table()
    True
    """

    kind: str
    slots: ClassVar[Mapping[str, PriorSlot]] = {}
    """Priors of its parameters, by the name used under ``[priors]``."""

    equation: ClassVar[str] = ""
    """What it adds to the equations, in LaTeX; for the documentation."""

    order: ClassVar[int] = 100
    """Terms are declared and drawn in this order, then by name.

    It fixes which random numbers each term gets, so a seed gives the same draws as before.
    """

    component: ClassVar[str | None] = None
    """Its name among the shares of variance; None if it is not a share."""

    component_place: ClassVar[int] = 100
    """Shares of variance are listed and coloured in this order, then by name."""

    covariates_apart: ClassVar[bool] = False
    """Whether explanations of forecasts show its contribution by covariate instead of as its
    component: for effects of covariates that all families share."""

    latents: ClassVar[Mapping[str, str]] = {}
    """Its standard normal variables, by family, model or knot, with the spec's field for each."""

    quadrature: ClassVar[bool] = False
    """Whether the compiled loops of `latentscale.inference.marginal` have the term."""

    effect: ClassVar[str | None] = None
    """Variable of the effects by family, if it has any."""

    model_effect: ClassVar[str | None] = None
    """Variable of the effects by model, if it has any: independent between models."""

    model_effect_on: ClassVar[Literal["predictor", "precision"]] = "predictor"
    """What the effects by model are added to: skills or the linear predictor, or log precision."""

    skill_vectors: ClassVar[tuple[str, ...]] = ()
    """Its variables that change with skills when skills are rotated, dims with skill."""

    skill_populations: ClassVar[tuple[str, ...]] = ()
    """Its population parameters over skills, which have no meaning once skills are rotated."""

    skill_scales: ClassVar[tuple[str, ...]] = ()
    """Its scales of independent effects on skills, by skill or one for all, which `align` makes
    dependent."""

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term as a spec sets it, or None if the spec has no such term.

        By default the one among ``spec.terms``.
        """
        return next((term for term in spec.terms if type(term) is cls), None)

    @classmethod
    def is_set_by_table(cls) -> bool:
        """Return whether a spec switches the kind on by a table ``[[terms]]``."""
        return cls.of.__func__ is Term.of.__func__  # type: ignore[attr-defined]

    def check(self, spec: ModelSpec) -> None:
        """Raise SpecError if the spec contradicts the term."""

    def idle(self, scores: Scores) -> str | None:
        """Return why the term is left out of a fit to some scores; None if it is kept.

        Parameters
        ----------
        scores
            The table.
        """
        return None

    def share(self) -> tuple[int, str] | None:
        """Return place and name of its component of variance; by default those of its kind.

        None if it is not a share.
        """
        return None if self.component is None else (self.component_place, self.component)

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the prior slots that the term uses under a spec."""
        return tuple(self.slots)

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the `latents` that a model of this table has."""
        return tuple(self.latents)

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the coordinates of the term's own dims."""
        return {}

    def covariates(self) -> dict[str, tuple[str, ...]]:
        """Return the covariates that the term uses, by the dim that they have in it."""
        return {}

    def categories(self) -> tuple[str, ...]:
        """Return the categories, of the covariates, whose levels have effects in the term."""
        return ()

    def with_levels(
        self, draws: xr.Dataset, new: Sequence[str], rng: np.random.Generator
    ) -> xr.Dataset:
        """Return draws with its effects of category levels that were not fitted added.

        Parameters
        ----------
        draws
            Posterior draws, dims (sample, ...).
        new
            The levels, such as ``"provider=Acme"``; at least one, of any category.
        rng
            Source of random numbers.
        """
        return draws

    def data(self, table: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return the data on models, other than covariates, that the term needs, by name.

        Each is a numeric array, dims with model; `Rows.data` has it under the same name.

        Parameters
        ----------
        table
            Fitted or planned models: params (billions), tokens (trillions), instruct, family and
            lineage, dims (model,), and their names as coordinate.
        """
        return {}

    def known(self, table: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return the data on benchmarks that the term needs, by name, dims (benchmark,).

        The term's values have them under the same names.

        Parameters
        ----------
        table
            The fitted table: group, suite, floor and n_items, dims (benchmark,).
        """
        return {}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return its top-level parameters by variable name: each with its slot and its dims."""
        return {}

    def further_priors(self, posterior: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return log prior densities of parameters without a slot, by variable of the draws.

        Parameters
        ----------
        posterior
            Draws, dims (chain, draw, ...).
        """
        return {}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the term to the open PyMC model; return its values by name.

        By default only the parameters.
        """
        return declare_parameters(spec, self.parameters(spec, design))

    def curve_places(self, design: Design) -> npt.NDArray[np.int64] | None:
        """Return the place of the benchmark whose floor, ceiling and link each benchmark uses.

        Shape (benchmark,). None, the default, if each has its own.
        """
        return None

    def fixed(self, design: Design) -> dict[str, Any]:
        """Return the inputs of its equations that depend only on the table, by name."""
        return {}

    def poolings(self) -> tuple[Pooling, ...]:
        """Return how its benchmark parameters are pooled; empty if they are not."""
        return ()

    def normal_effects(self, spec: ModelSpec, design: Design) -> tuple[NormalEffect, ...] | None:
        """Return its effects if it is linear in them and they are normal a priori.

        None, the default, for any other form, which `latentscale.methods.Gibbs` refuses.
        """
        return None

    def skill(self, values: Mapping[str, Named], rows: Rows[Named]) -> Named | None:
        """Return what it adds to the skills of models, dims (model, skill); None for nothing."""
        return None

    def predictor(
        self, values: Mapping[str, Named], rows: Rows[Named], skill: Named | None
    ) -> Named | None:
        """Return what it adds to the linear predictor, dims with benchmark; None for nothing."""
        return None

    def log_precision(self, values: Mapping[str, Named], rows: Rows[Named]) -> Named | None:
        """Return what it adds to the log precision of scores; None for nothing."""
        return None

    def effects_of_raw(
        self, spec: ModelSpec, draws: xr.Dataset, raw: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Return effects by family from raw ones: standard normal, or under an unpooled prior.

        Linear in `raw`, so that new scores can also move the raw effects.
        """
        raise SpecError(f'The term "{self.kind}" has no effects by family.')

    def raw_of_effects(
        self, spec: ModelSpec, draws: xr.Dataset, effect: xr.DataArray, groups: Groups
    ) -> xr.DataArray:
        """Undo `effects_of_raw`; an effect whose scale is 0 has raw value 0."""
        raise SpecError(f'The term "{self.kind}" has no effects by family.')

    def model_effect_of_raw(self, draws: xr.Dataset, raw: xr.DataArray) -> xr.DataArray:
        """Return effects by model from standard normal ones, dims (..., model, ...); linear.

        By default they have the standard deviation in the variable ``<model_effect>_scale``.
        """
        return scaled(draws, str(self.model_effect), raw)

    def tied_models(self, draws: xr.Dataset, design: Design) -> tuple[str, ...]:
        """Return fitted models whose effects depend a priori on other models' effects."""
        return ()

    def linked_rows(self, draws: xr.Dataset, models: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return a number for each model, equal for models whose raw effects are linked."""
        return np.arange(len(models))

    def raw_of_model_effect(self, draws: xr.Dataset, effect: xr.DataArray) -> xr.DataArray:
        """Undo `model_effect_of_raw`; an effect whose scale is 0 has raw value 0."""
        scale = draws[f"{self.model_effect}_scale"]
        return xr.where(scale > 0, effect / scale.where(scale > 0, 1.0), 0.0)


def terms_of(spec: ModelSpec) -> tuple[Term, ...]:
    """Return the terms that a spec switches on, in the order of their declaration."""
    kinds = sorted(TERMS.items(), key=lambda item: (item[1].order, item[0]))
    return tuple(term for term in (kind.of(spec) for _, kind in kinds) if term is not None)


def curve_places(spec: ModelSpec, design: Design) -> npt.NDArray[np.int64] | None:
    """Return the place of the benchmark whose curve each one has; None where each has its own."""
    places = (term.curve_places(design) for term in terms_of(spec))
    return next((place for place in places if place is not None), None)


def known_of(spec: ModelSpec, table: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return what the terms of a spec take from a table's benchmarks, dims (benchmark,)."""
    names = {BENCHMARK: table[BENCHMARK].values}
    return {
        name: array.assign_coords(names)
        for term in terms_of(spec)
        for name, array in term.known(table).items()
    }


def components(terms: Iterable[Term | type[Term]]) -> tuple[str, ...]:
    """Return the components of variance of some terms, each once, in the order of listing."""
    named: list[tuple[int, str]] = []
    for term in terms:
        share = term.share() if isinstance(term, Term) else (term.component_place, term.component)
        if share is not None and share[1] is not None:
            named.append((share[0], share[1]))
    return tuple(dict.fromkeys(name for _, name in sorted(named)))


def scaled(draws: xr.Dataset, effect: str, noise: xr.DataArray) -> xr.DataArray:
    """Return an effect on skills drawn from its population.

    Parameters
    ----------
    draws
        Posterior draws with the effect's ``_scale``; and its ``_factor``, dims with skill and
        skill_factor, where skills were rotated after the fit and are no longer independent.
    effect
        Its name, such as ``"residual"``.
    noise
        Values of unit variance, dims with skill.

    Returns
    -------
    xarray.DataArray
        The effect, with the dims of both.

    Examples
    --------
    >>> draws = xr.Dataset({"residual_scale": ("skill", [2.0])})
    >>> noise = xr.DataArray([[1.0], [-1.0]], dims=("model", "skill"))
    >>> scaled(draws, "residual", noise).values.tolist()
    [[2.0], [-2.0]]
    """
    if f"{effect}_factor" in draws:
        return through_factor(draws, effect, noise)
    return noise * draws[f"{effect}_scale"]


def through_factor(draws: xr.Dataset, effect: str, noise: xr.DataArray) -> xr.DataArray:
    """Return independent values multiplied by an effect's factor, if skills were rotated."""
    if f"{effect}_factor" not in draws:
        return noise
    independent = noise.rename({SKILL: SKILL_FACTOR}).drop_vars(SKILL_FACTOR, errors="ignore")
    return (draws[f"{effect}_factor"] * independent).sum(SKILL_FACTOR)


def standardised(effect: xr.DataArray, scale: xr.DataArray, groups: Groups) -> xr.DataArray:
    """Return fitted effects as standardised deviations from the other families.

    An effect whose scale is 0 has the standardised value 0.

    Parameters
    ----------
    effect
        Fitted effects, taken from the mean over families.
    scale
        Their standard deviation in the population.
    groups
        The families, and how many others there are.

    Returns
    -------
    xarray.DataArray
        Standardised effects, with the dims of both.

    Examples
    --------
    >>> groups = Groups(lineages=["llama"], others=4)
    >>> float(standardised(xr.DataArray(0.0), xr.DataArray(1.0), groups))
    0.0
    """
    away = effect * groups.from_others
    safe = scale.where(scale > 0, 1.0)
    return xr.where(scale > 0, away / (groups.widening * safe), 0.0)
