"""Links: increasing curves from the linear predictor to (0, 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import expit

from latentscale.dims import BENCHMARK
from latentscale.model.maths import Named, maths_of
from latentscale.model.priors import declare
from latentscale.spec.benchmarks import Monotone
from latentscale.spec.spec import ModelSpec

LINK_PIECE: str = "link_piece"
_SOFTNESS = 0.5
_FAR = 100.0  # where exp(eta) is far from overflow, and cloglog has long reached 0 or 1
_LOG_2 = float(np.log(2))


def declare_link(spec: ModelSpec) -> dict[str, Named]:
    """Add the link's own parameters to the open PyMC model; return them by name."""
    link = spec.benchmarks.link
    if link.kind == "power-logistic":
        return {"link_power": declare("link_power", spec.prior("link_power"), (BENCHMARK,))}
    if link.kind == "monotone":
        dims = (LINK_PIECE,) if link.shared else (BENCHMARK, LINK_PIECE)
        return {"link_slope": declare("link_slope", spec.prior("link_slope"), dims)}
    return {}


def link_coords(spec: ModelSpec) -> dict[str, list[str]]:
    """Return the coordinates of the link's dims: its free pieces, by the knots round them."""
    link = spec.benchmarks.link
    if link.kind != "monotone":
        return {}
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(link.knots)]
    pieces = [f"below {link.knots[0]:g}", *inner, f"above {link.knots[-1]:g}"]
    return {LINK_PIECE: [name for p, name in enumerate(pieces) if p != _middle(link)]}


def link_share(spec: ModelSpec, parameters: Mapping[str, Named], eta: Named) -> Named:
    """Return h(eta), the share of the way from floor to ceiling, in (0, 1).

    Parameters
    ----------
    spec
        Names the link h.
    parameters
        The link's own parameters, with dims that line up with those of `eta`.
    eta
        Linear predictor.
    """
    link = spec.benchmarks.link
    return _LINKS[link.kind](link, parameters, eta)


def with_link_constants(parameters: Mapping[str, Named]) -> dict[str, Named]:
    """Return parameters with what a power link computes from its power alone.

    A model computes this once for each benchmark, before parameters are spread over cells.
    """
    found = dict(parameters)
    if "link_power" in found:
        power = found["link_power"]
        maths = maths_of(power)
        found["link_shift"] = -maths.log(maths.expm1(_LOG_2 / power))
        found["link_stretch"] = -0.5 / (power * maths.expm1(-_LOG_2 / power))
    return found


def _logistic(link: object, parameters: Mapping[str, Named], eta: Named) -> Named:
    return maths_of(eta).sigmoid(eta)


def _power_logistic(link: object, parameters: Mapping[str, Named], eta: Named) -> Named:
    """Logistic curve to the power p, shifted and stretched so that h(0) = 1/2 and h'(0) = 1/4.

    The power then changes the asymmetry alone: without this it trades off against the
    intercept and the slopes, and the sampler crawls along that ridge.
    """
    maths = maths_of(eta)
    if "link_shift" not in parameters:
        parameters = with_link_constants(parameters)
    line = parameters["link_shift"] + parameters["link_stretch"] * eta
    return maths.exp(-parameters["link_power"] * maths.softplus(-line))


def _complementary_log_log(link: object, parameters: Mapping[str, Named], eta: Named) -> Named:
    maths = maths_of(eta)
    return -maths.expm1(-maths.exp(maths.clip(eta, -_FAR, _FAR)))


def _monotone(link: Monotone, parameters: Mapping[str, Named], eta: Named) -> Named:
    """Logistic of a smooth increasing curve m with learned slopes between knots.

    m' = sum_p s_p B_p(eta), where the B_p are differences of logistic steps at the knots, so
    positive and summing to one: any s > 0 gives an increasing m. Only ratios of the s_p count
    (a simplex: the middle piece has s = 1), since m is divided by m'(0). With m(0) = 0 that
    gives h(0) = 1/2 and h'(0) = 1/4 for every s, so that intercept and slopes keep their
    meaning; s = 1 throughout is the logistic link.
    """
    maths = maths_of(eta)
    free = parameters["link_slope"]
    middle = _middle(link)

    def slope(piece: int) -> Named:
        if piece == middle:
            return 1.0
        chosen = np.zeros(len(link.knots))
        chosen[piece - (piece > middle)] = 1.0
        return (free * maths.named(chosen, (LINK_PIECE,))).sum(LINK_PIECE)

    curve, rate = slope(0) * eta, slope(0)
    for place, knot in enumerate(link.knots):
        bend = slope(place + 1) - slope(place)
        at_zero = float(np.logaddexp(0.0, -knot / _SOFTNESS))
        curve = curve + bend * _SOFTNESS * (maths.softplus((eta - knot) / _SOFTNESS) - at_zero)
        rate = rate + bend * float(expit(-knot / _SOFTNESS))
    return maths.sigmoid(curve / rate)


def _middle(link: Monotone) -> int:
    """Return the position of the piece that holds 0, whose slope is 1."""
    return sum(knot <= 0 for knot in link.knots)


_LINKS: dict[str, Callable[[Any, Mapping[str, Named], Named], Named]] = {
    "logistic": _logistic,
    "power-logistic": _power_logistic,
    "cloglog": _complementary_log_log,
    "monotone": _monotone,
}
