"""A prior from bounds in score units, found by PreliZ for a slot of a spec."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final, Literal, cast

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import brentq

from latentscale import validate
from latentscale.declare.prior import POSITIVE, PRIOR_SLOTS, Prior, distributions_on
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, DEFAULT_PROB, interval_quantiles
from latentscale.errors import LatentscaleError, SpecError, listed, nearest
from latentscale.expect import expect
from latentscale.result import Result

Units = Literal["score", "parameter"]

_FARTHEST: Final = 40.0
"""Scores are inverted for linear predictors between plus and minus this: the logistic is 1e-17
there."""
_MISSED: Final = 0.02
"""Deviation from the requested probability above which the message mentions it."""
_NOTHING: Final = 1e-6
"""Optimiser's tolerance: a location closer to 0 counts as 0."""
_DIGITS: Final = 4
"""Digits of a prior's parameters, as many as are read from a file of priors."""
_FIXED: Final = {"StudentT": {"nu": 4.0}, "HalfStudentT": {"nu": 4.0}}
"""Degrees of freedom of Student's t, which two bounds cannot determine."""


@dataclass(frozen=True, repr=False)
class Elicited(Result):
    """The prior of a slot that follows from bounds in score units.

    Attributes
    ----------
    slot
        The slot.
    prior
        Its prior.
    spec
        The spec with that prior.
    lower, upper
        The requested bounds, in their units.
    prob
        Requested probability between them.
    mass
        Probability of that interval under the prior.
    reading
        What the bounds refer to, in words.
    in_units
        Function from a value of the parameter to these units.

    Examples
    --------
    >>> elicited = ls.elicit(fit.spec, "intercept", 0.2, 0.8)
    >>> elicited.table().columns.tolist()[:3]
    ['quantile', 'parameter', 'a score']
    """

    slot: str
    prior: Prior
    spec: ModelSpec
    lower: float
    upper: float
    prob: float
    mass: float
    reading: str
    in_units: Callable[[float], float] = field(repr=False)

    @property
    def headline(self) -> str:
        """The prior, and the bounds it was derived from.

        Examples
        --------
        >>> elicited.headline.partition(":")[0]
        'intercept'
        """
        missed = abs(self.mass - self.prob) > _MISSED
        but = (
            f"; it has {self.mass:.0%} there, the nearest that a {self.prior.dist} comes"
            if missed
            else ""
        )
        return (
            f"{self.slot}: {self.prior}, for {self.reading} between {self.lower:g} and "
            f"{self.upper:g} with probability {self.prob:.0%}{but}"
        )

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return quantiles of the parameter under the prior, and their meaning in scores.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval shown with the median.

        Returns
        -------
        pandas.DataFrame
            One row per quantile: columns quantile, parameter (on its own scale), and the resulting
            score or change of score, named in words.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> elicited.table(prob=0.5)["quantile"].tolist()
        [0.25, 0.5, 0.75]
        """
        low, high = interval_quantiles(prob)
        values = [self.prior.quantile(q) for q in (low, 0.5, high)]
        means = [self.in_units(value) for value in values]
        return pd.DataFrame(
            {"quantile": [low, 0.5, high], "parameter": values, self.reading: means}
        )


def elicit(
    spec: ModelSpec,
    slot: str,
    lower: float,
    upper: float,
    *,
    prob: float = DEFAULT_PROB,
    at: float = 0.5,
    floor: float = 0.0,
    ceiling: float = 1.0,
    dist: str | None = None,
    units: Units = "score",
) -> Elicited:
    """Find the prior of a slot that has most of its probability between two bounds.

    The bounds are scores, or changes of scores, for parameters that determine scores:

    - a level (``intercept``): the score of a benchmark for a model of average skill;
    - a change of the linear predictor (slopes, effects, loadings and standard deviations): the
      change of the score from `at` for one standard deviation of the covariate, one unit of skill,
      or one standard deviation of families;
    - the precision: the standard deviation of scores around an expected score of `at`; for a
      likelihood of counts, that of success rates, to which the sampling of items is added;
    - the ceiling: the best possible score.

    Of all distributions of its kind, PreliZ takes the one of maximum entropy (``preliz.maxent``).

    Parameters
    ----------
    spec
        The spec, whose link converts scores to values of the parameter. Parameters of the link are
        fixed at their prior medians.
    slot
        The slot, one of ``spec.used_priors()``.
    lower, upper
        The bounds, fractions of 1.
    prob
        Probability between them.
    at
        The score from which changes start, or around which scores scatter.
    floor, ceiling
        Ends of the benchmark's curve.
    dist
        Distribution (``"Normal"``); by default that of the slot, but ``"LogNormal"`` if the slot's
        distribution has only one parameter, which cannot satisfy two bounds, unless `lower` is 0.
    units
        ``"parameter"`` for bounds on the parameter itself.

    Returns
    -------
    Elicited
        With ``.prior``, ``.spec`` (the spec with it) and ``.table()``.

    Raises
    ------
    SpecError
        If the spec has no such slot, the slot does not determine scores, or the bounds are out of
        range or order.
    LatentscaleError
        If PreliZ is not installed.

    Examples
    --------
    >>> spec = ls.load_spec("pooled_flops")
    >>> elicited = ls.elicit(spec, "benchmark_slope", 0.02, 0.20)  # points gained by one sd
    >>> elicited.prior.dist
    'Normal'
    """
    expect(spec, ModelSpec, "spec")
    if not isinstance(slot, str) or slot not in spec.used_priors():
        raise SpecError(
            f'"{slot}" is not a prior of {spec.name}; it uses {listed(spec.used_priors(), 30)}.'
            + nearest(str(slot), spec.used_priors())
        )
    prob = validate.prob(prob)
    validate.choice(units, "units", ("score", "parameter"), error=SpecError)
    low = validate.real_number(lower, "lower", error=SpecError)
    high = validate.real_number(upper, "upper", error=SpecError)
    if not low < high:
        raise SpecError(f"lower must be below upper; got {low:g} and {high:g}.")
    reading, to_parameter, in_units = _translation(spec, slot, units, at, floor, ceiling)
    bounds = sorted([to_parameter(low), to_parameter(high)])
    prior = _maximum_entropy(_distribution(spec, slot, dist, bounds[0]), bounds, prob)
    mass = _mass(prior, bounds)
    changed = spec.with_priors({slot: prior})
    return Elicited(slot, prior, changed, low, high, prob, mass, reading, in_units)


def _translation(
    spec: ModelSpec, slot: str, units: Units, at: float, floor: float, ceiling: float
) -> tuple[str, Callable[[float], float], Callable[[float], float]]:
    """Return the meaning of the bounds, and the functions from them to the parameter and back."""
    known = PRIOR_SLOTS[slot]
    support = spec.prior(slot).support

    def as_it_is(value: float) -> float:
        if (support != "real" and value < 0) or (support == "unit" and value > 1):
            raise SpecError(f'"{slot}" is {support}; got the bound {value:g}.')
        return value

    if units == "parameter":
        return f"the parameter ({known.meaning})", as_it_is, lambda value: value
    if known.reading == "own":
        raise SpecError(
            f'"{slot}" ({known.meaning}) does not determine scores by itself; give bounds on the '
            'parameter with units="parameter".'
        )
    curve = _Curve(spec, *_ends(at, floor, ceiling))
    if known.reading == "level":
        return "a score", curve.predictor, curve.score
    if known.reading == "noise":
        if not spec.benchmarks.likelihood.linearised:
            raise SpecError(
                f"The precision of a {spec.benchmarks.likelihood.kind} likelihood does not "
                'determine how far scores scatter; give bounds on it with units="parameter".'
            )
        # For counts of items, the precision applies to the rates; sampling of items is added.
        of = "success rates" if spec.benchmarks.likelihood.needs_items else "scores"
        return f"the standard deviation of {of} around {at:g}", curve.precision, curve.scatter
    if known.reading == "ceiling":
        return "the best score possible", curve.share_of_ceiling, curve.ceiling_of_share
    if support == POSITIVE:
        return f"a change of the score from {at:g}", curve.positive_shift, curve.change
    return f"a change of the score from {at:g}", curve.shift, curve.change


def _ends(at: float, floor: float, ceiling: float) -> tuple[float, float, float]:
    numbers = [
        validate.real_number(value, name, error=SpecError)
        for value, name in ((at, "at"), (floor, "floor"), (ceiling, "ceiling"))
    ]
    if not 0 <= numbers[1] < numbers[0] < numbers[2] <= 1:
        raise SpecError(
            "floor, at and ceiling must increase between 0 and 1; got "
            f"{numbers[1]:g}, {numbers[0]:g} and {numbers[2]:g}. Scores are fractions here."
        )
    return numbers[0], numbers[1], numbers[2]


class _Curve:
    """The curve from linear predictor to scores, with the link's parameters at their medians."""

    def __init__(self, spec: ModelSpec, at: float, floor: float, ceiling: float) -> None:
        self.link = spec.benchmarks.link
        self.at, self.floor, self.ceiling = at, floor, ceiling
        self.parameters = {
            name: xr.DataArray(spec.prior(parameter.slot).quantile(0.5)).expand_dims(
                {dim: self.link.coords().get(dim, ["any"]) for dim in parameter.dims}
            )
            for name, parameter in self.link.parameters().items()
        }
        self.start = self.predictor(at)

    def score(self, eta: float) -> float:
        """Return the expected score of a linear predictor."""
        line = xr.DataArray([eta], dims=[BENCHMARK])
        share = float(cast(xr.DataArray, self.link.share(self.parameters, line)).item())
        return self.floor + (self.ceiling - self.floor) * share

    def predictor(self, score: float) -> float:
        """Return the linear predictor of an expected score."""
        if not self.score(-_FARTHEST) < score < self.score(_FARTHEST):
            raise SpecError(
                f"A score of {score:g} is outside the curve, which runs from {self.floor:g} to "
                f"{self.ceiling:g}; give bounds within it, or floor= and ceiling=."
            )
        return float(brentq(lambda eta: self.score(eta) - score, -_FARTHEST, _FARTHEST))

    def shift(self, change: float) -> float:
        """Return the change of the linear predictor that changes the score by `change`."""
        return self.predictor(self.at + change) - self.start

    def positive_shift(self, change: float) -> float:
        """Return `shift` for a standard deviation, which is not negative."""
        if change < 0:
            raise SpecError(f"The parameter is positive; got a change of {change:g}.")
        return self.shift(change) if change else 0.0

    def change(self, shift: float) -> float:
        """Return the change of the score by a change of the linear predictor."""
        return self.score(self.start + shift) - self.at

    def precision(self, scatter: float) -> float:
        """Return the precision of scores with this standard deviation: mu (1 - mu) / (1 + phi)."""
        widest = float(np.sqrt(self.at * (1 - self.at)))
        if not 0 < scatter < widest:
            raise SpecError(
                f"Scores around {self.at:g} have standard deviations above 0 and below "
                f"{widest:.3g}; got {scatter:g}."
            )
        return widest**2 / scatter**2 - 1

    def scatter(self, precision: float) -> float:
        """Return the standard deviation of scores with this precision."""
        return float(np.sqrt(self.at * (1 - self.at) / (1 + precision)))

    def share_of_ceiling(self, ceiling: float) -> float:
        """Return the share of the range above the floor that is below a ceiling."""
        share = (ceiling - self.floor) / (1 - self.floor)
        if not 0 < share < 1:
            raise SpecError(
                f"A ceiling must be above the floor ({self.floor:g}) and below 1; got {ceiling:g}."
            )
        return share

    def ceiling_of_share(self, share: float) -> float:
        """Return the ceiling for a share."""
        return self.floor + (1 - self.floor) * share


def _distribution(spec: ModelSpec, slot: str, dist: str | None, lowest: float) -> str:
    own = spec.prior(slot)
    if dist is not None:
        allowed = distributions_on(own.support)
        return validate.choice(dist, "dist", allowed, error=SpecError)
    free = len(own.numbers) - len(_FIXED.get(own.dist, {}))
    return "LogNormal" if own.support == POSITIVE and free < 2 and lowest > 0 else own.dist


def _maximum_entropy(dist: str, bounds: list[float], prob: float) -> Prior:
    """Return the distribution of maximum entropy with this probability between the bounds."""
    if find_spec("preliz") is None:
        raise LatentscaleError(
            "Eliciting priors needs PreliZ, which is not installed: install the extra elicit, as "
            'in pip install "latentscale[elicit]".'
        )
    import preliz

    kind: Any = getattr(preliz, dist, None)
    if kind is None:
        raise SpecError(f'PreliZ has no distribution "{dist}"; give another one in dist=.')
    fixed = _FIXED.get(dist, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `mass` has the resulting probability
        warnings.simplefilter("ignore", RuntimeWarning)  # from steps of its search
        try:
            optimum = preliz.maxent(kind(**fixed), *bounds, prob, plot=False)
        except (ValueError, ArithmeticError) as error:
            raise SpecError(
                f"PreliZ finds no {dist} with {prob:g} of its probability from {bounds[0]:.4g} to "
                f"{bounds[1]:.4g} ({error}). Give other bounds, or another dist=."
            ) from error
    if not all(map(np.isfinite, optimum.params_dict.values())):
        raise SpecError(
            f"PreliZ finds no {dist} with {prob:g} of its probability from {bounds[0]:.4g} to "
            f"{bounds[1]:.4g}. Give other bounds, or another dist=."
        )
    numbers = {name: float(f"{value:.{_DIGITS}g}") for name, value in optimum.params_dict.items()}
    if "mu" in numbers:  # rounded to a thousandth of the scale, however narrow that is
        middle, spread = float(optimum.params_dict["mu"]), numbers.get("sigma") or numbers["b"]
        more = int(np.log10(max(abs(middle) / spread, 1.0)))
        numbers["mu"] = float(f"{middle:.{_DIGITS + more}g}")
    if abs(numbers.get("mu", 1.0)) < _NOTHING:
        numbers["mu"] = 0.0
    return Prior(dist, **numbers)


def _mass(prior: Prior, bounds: list[float]) -> float:
    """Return the prior probability between two values."""
    return prior.below(bounds[1]) - prior.below(bounds[0])
