"""Masses: in whitened coordinates, chains begin at modes in proportion to posterior mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentscale.inference.nuts.start import (
    ModeStart,
    Start,
    StartingPoints,
    ascent,
    distinct_modes,
    scattered,
)
from latentscale.inference.nuts.whitening import WhitenedModel, Whitening
from latentscale.numerics.climb import Trajectory

# Most modes to weigh: each costs a Hessian, and a sixth has never held one percent.
_MOST_MODES = 6
# How far below the highest log density modes are weighed, unless `ModeStart.margin` is given:
# heights and log masses differ by up to 12 on the bundled table.
_MARGIN = 40.0
# Smallest share of the posterior for a mode to get chains, unless `ModeStart.least_share` is given:
# one chain of four in a mode with a twentieth of the mass would overcount it five times.
_LEAST_SHARE = 0.1
# Smallest share of a mode that the status mentions.
_WORTH_SAYING = 0.02
# Root mean square distance between two modes in standard deviations: at K = 6, climbs to one mode
# end within 0.05 of each other, and modes are 2.5 apart.
_APART = 0.25


@dataclass(frozen=True)
class ModeMass:
    """Whitened coordinates at a mode, and the log of the mode's mass up to a constant."""

    whitening: Whitening
    log_mass: float


def start_whitened(
    model: WhitenedModel,
    first: Whitening,
    start: Start,
    *,
    seed: int,
    cores: int | None,
    progress: bool,
) -> tuple[StartingPoints, Whitening]:
    """Give chains their starting points, and the coordinates in which they move.

    Parameters
    ----------
    model, first
        The model, and coordinates in which to climb.
    start
        Where chains should begin.
    seed, cores, progress
        Seed, threads and progress of the climbs.
    """
    if not isinstance(start, ModeStart):
        compiled = model.compiled(first)
        return start.place(compiled, seed=seed, cores=cores, progress=progress), first
    compiled = model.compiled_for_climbs(first)
    ends = start.climb(compiled, seed=seed, cores=cores, progress=progress)
    return heaviest_mode(model, first, distinct_modes(ends), start)


def heaviest_mode(
    model: WhitenedModel, first: Whitening, modes: tuple[Trajectory, ...], start: ModeStart
) -> tuple[StartingPoints, Whitening]:
    """Return starting points, and their coordinates, at the mode with the largest mass.

    Chains begin at modes in proportion to their mass by the Laplace approximation, which takes a
    mode's width into account: the highest need not be the heaviest. Modes with less than
    `ModeStart.least_share` of the total get no chain; modes more than `ModeStart.margin` below the
    highest in log density are not weighed.
    """
    margin = _MARGIN if start.margin is None else start.margin
    least_share = _LEAST_SHARE if start.least_share is None else start.least_share
    below = [modes[0].value - mode.value for mode in modes]
    high = [mode for mode, gap in zip(modes, below, strict=True) if gap <= margin]
    low = min((gap for gap in below if gap > margin), default=None)
    weighed = _distinct([ModeMass(*model.at_mode(first, m.mode)) for m in high[:_MOST_MODES]])
    mass = np.array([mode.log_mass for mode in weighed])
    share = np.exp(mass - mass.max()) / np.exp(mass - mass.max()).sum()
    whitening = weighed[int(np.argmax(share))].whitening
    density = model.density(whitening)
    kept = np.flatnonzero((share >= least_share) | (share == share.max()))
    tops = [
        ascent(density.log_density, model.place_of(whitening, weighed[k].whitening)) for k in kept
    ]
    compiled = scattered(density.for_nutpie(), tops, share[kept])
    left = share[np.setdiff1d(np.arange(len(share)), kept)]
    message, advice = _message_on(share[kept], left)
    if low is not None:
        message += f" (other climbs ended {low:.0f} or more lower in log density)"
    return StartingPoints(compiled, message, advice, modes), whitening


def _distinct(weighed: list[ModeMass]) -> list[ModeMass]:
    """Return the modes at distinct places, the first at each.

    Climbs that stop short of a mode, at different heights, continue to the same one in their own
    coordinates; counted twice, it would seem too heavy.
    """
    kept: list[ModeMass] = []
    for mode in weighed:
        if all(_distance(other.whitening, mode.whitening) > _APART for other in kept):
            kept.append(mode)
    return kept


def _distance(whitening: Whitening, other: Whitening) -> float:
    """Return the root mean square distance between two origins, in standard deviations."""
    apart = np.linalg.solve(whitening.spread, other.origin - whitening.origin)
    return float(np.sqrt(np.mean(apart**2)))


def _message_on(share: np.ndarray, left: np.ndarray) -> tuple[str, tuple[str, ...]]:
    """Return a message on the modes at which chains begin, and advice on those left out."""
    count = len(share) + len(left)
    whole = "the whole" if count == 1 else _percent(share)
    modes = "the highest mode" if count == 1 else f"the heaviest of {count} modes"
    message = (
        f"chains begin at {modes} that climbs found, holding {whole} of the posterior by "
        "Laplace's approximation"
    )
    worth = left[left >= _WORTH_SAYING]
    if not len(worth):
        return message, ()
    lowest = np.floor(100 * worth.min()) / 100
    return message, (
        f"No chain begins at {'a mode' if len(worth) == 1 else 'modes'} holding {_percent(worth)} "
        "of the posterior: draws and intervals leave that part out. "
        f"ModeStart(least_share={lowest:g}) puts chains there too; they will not mix with the "
        "others.",
    )


def _percent(share: np.ndarray) -> str:
    largest_first = np.sort(share[share >= _WORTH_SAYING])[::-1]
    return " and ".join(f"{100 * mass:.0f}%" for mass in largest_first)
