"""c_j, d_j and the link's own parameters: the curve from linear predictor to expected score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from scipy.special import logit

from latentscale.data.scaling import best_of, lower_is_better
from latentscale.declare.kinds import TERMS
from latentscale.declare.link import Link
from latentscale.declare.prior import UNIT, Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.maths import Named, as_data, maths_of
from latentscale.model.design import Design
from latentscale.model.pooling import Pooling, declared_or_pooled
from latentscale.model.priors import declare_parameters, deterministic
from latentscale.model.terms.base import Term, curve_places

_POOLING = Pooling(
    "ceiling_share", UNIT, Prior("Normal", mu=2.2, sigma=1), Prior("HalfNormal", sigma=1)
)
"""sigmoid(2.2) = 0.9, the mean of the ceiling's prior where benchmarks are not pooled."""


_OWN = "_of_each"
"""Suffix of a link's parameter that several benchmarks take from one of them."""


@TERMS.add
class BenchmarkCurve(Term):
    """Floors, ceilings and the link of every benchmark."""

    link: Link
    floor: Literal["fixed", "estimated"]
    ceiling: Literal["fixed", "estimated"]
    pooled: bool = False
    kind: Literal["curve"] = "curve"
    equation: ClassVar[str] = r"\mu_{ij} = c_j + (d_j - c_j)\, h_j(\eta_{ij})"
    order: ClassVar[int] = 40
    quadrature: ClassVar[bool] = True
    latents: ClassVar[Mapping[str, str]] = _POOLING.latents
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        "floor_shift": PriorSlot(
            Prior("Normal", mu=0, sigma=0.2),
            "logit c_j minus the logit of the known floor (of c_j / d_j, for a stated ceiling d_j)",
        ),
        "ceiling": PriorSlot(
            Prior("Beta", alpha=18, beta=2),
            "(d_j - c_j) / (1 - c_j), share of the range above the floor",
            reading="ceiling",
        ),
        **_POOLING.slots,
    }

    @classmethod
    def of(cls, spec: ModelSpec) -> Self | None:
        """Return the term, which every spec has."""
        settings = spec.benchmarks
        pooled = settings.pooled and settings.ceiling == "estimated"
        return cls(
            link=settings.link, floor=settings.floor, ceiling=settings.ceiling, pooled=pooled
        )

    def used_slots(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the link's slots, and those of bounds that are estimated."""
        bounds = {"floor_shift": self.floor, "ceiling": self.ceiling}
        estimated = [slot for slot, how in bounds.items() if how == "estimated"]
        if self.pooled:
            estimated.remove("ceiling")
            estimated += _POOLING.slots
        return (*self.link.slots, *estimated)

    def latent_variables(self, design: Design) -> tuple[str, ...]:
        """Return the standard normal variables of pooled ceilings."""
        return _POOLING.latent_variables(design) if self.pooled else ()

    def coords(self, spec: ModelSpec) -> dict[str, list[Any]]:
        """Return the coordinates of the link's dims."""
        return dict(self.link.coords())

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the link's parameters, shifts of floors and shares of ceilings."""
        parameters = self.link.parameters()
        if curve_places(spec, design) is not None:
            parameters = {
                f"{name}{_OWN}" if BENCHMARK in parameter.dims else name: parameter
                for name, parameter in parameters.items()
            }
        if self.floor == "estimated":
            parameters["floor_shift"] = Parameter("floor_shift", (BENCHMARK,))
        if self.pooled:
            return parameters | _POOLING.parameters(design)
        if self.ceiling == "estimated":
            parameters["ceiling_share"] = Parameter("ceiling", (BENCHMARK,))
        return parameters

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add floors (known, or estimated around known ones), ceilings and the link's parameters.

        logit c_j is the logit of the known floor plus a shift, and where the table states a ceiling
        d_j that of c_j / d_j, so that c_j stays below it. Where nothing can be guessed the
        floor stays 0 (or 1, where lower is better), and the shift keeps its prior; so does the
        share of a ceiling that the table states. Where a term gives benchmarks the curve of another
        one, they also take its parameters.
        """
        population = _POOLING.parameters(design) if self.pooled else {}
        parameters = self.parameters(spec, design)
        own = {name: p for name, p in parameters.items() if name not in population}
        values = declared_or_pooled(
            _POOLING if self.pooled else None,
            "ceiling_share",
            declare_parameters(spec, own),
            spec,
            design,
        )
        values |= _of_curve(values, spec, design)
        fixed = {name: array.values for name, array in design.known_curve.items()}
        known = fixed.pop("floor")
        values |= {n: maths_of(None).named(array, (BENCHMARK,)) for n, array in fixed.items()}
        if "floor_shift" in values:
            values["floor"] = deterministic(
                "floor", _estimated_floor(design, values["floor_shift"])
            )
        else:
            values["floor"] = maths_of(None).named(known, (BENCHMARK,))
        if "ceiling_share" in values:
            floor = values["floor"]
            share = values["ceiling_share"]
            if "ceiling" in fixed:
                values["ceiling"] = deterministic(
                    "ceiling", _estimated_ceiling(design, floor, share)
                )
            else:
                values["ceiling"] = deterministic("ceiling", floor + (1 - floor) * share)
        return values


def _of_curve(values: Mapping[str, Named], spec: ModelSpec, design: Design) -> dict[str, Named]:
    """Return the values that benchmarks take from others, by name; none if each has its own."""
    places = curve_places(spec, design)
    if places is None:
        return {}
    index = as_data(places, (BENCHMARK,))

    def of_first(value: Named) -> Named:
        return value.isel({BENCHMARK: index})

    shared = {
        name.removesuffix(_OWN): deterministic(name.removesuffix(_OWN), of_first(value))
        for name, value in values.items()
        if name.endswith(_OWN)
    }
    bounds = {n: of_first(values[n]) for n in ("floor_shift", "ceiling_share") if n in values}
    return shared | bounds


def _estimated_floor(design: Design, shift: Named) -> Named:
    """Return floors between the worst score and 1, or the ceiling that the table states.

    Where lower is better, between the ceiling and 1.
    """
    maths, known = maths_of(shift), design.known_curve["floor"].values
    lower = lower_is_better(design.scores.dataset).values
    best = best_of(design.scores.dataset).values
    least, most = np.where(lower, best, 0.0), np.where(lower, 1.0, best)
    guessed = (known > least) & (known < most)
    share = np.where(guessed, (known - least) / (most - least), 0.5)
    # Factors of 1 and summands of 0 are left out: the same graph as without stated ceilings.
    width = maths.named(np.where(guessed, most - least, 0.0), (BENCHMARK,))
    floor: Any = width * maths.sigmoid(maths.named(logit(share), (BENCHMARK,)) + shift)
    rest = np.where(guessed, least, known)
    return floor + maths.named(rest, (BENCHMARK,)) if rest.any() else floor


def _estimated_ceiling(design: Design, floor: Named, share: Named) -> Named:
    """Return ceilings where some are stated by the table, or lower is better for some."""
    data, maths = design.scores.dataset, maths_of(share)
    lower = lower_is_better(data).values.astype("float64")
    stated = data["ceiling"].notnull().values if "ceiling" in data else np.zeros(len(lower), bool)
    best = maths.named(np.where(stated, design.known_curve["ceiling"].values, 0.0), (BENCHMARK,))
    free = maths.named((~stated).astype("float64"), (BENCHMARK,))
    end = maths.named(1 - lower, (BENCHMARK,))
    return best + free * (floor + (end - floor) * share)
