"""Trajectories: lineages' latents given shared parameters, by Hamiltonian Monte Carlo.

Every lineage has its own chain, and one gradient of a shard moves all chains. A chain begins at a
draw from the normal at the latents' mode, and moves in coordinates in which that normal is
standard, so that the latents are nearly independent with unit scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentscale.inference.partitioned.conditional import centre, moved_to_mode
from latentscale.inference.partitioned.shard import Floats, Shard

# Steps of a trajectory and their size: a quarter of the orbit of a standard normal, 1.57, after
# which the start is nearly forgotten. With 74 latents under the recommended spec, four in five
# trajectories are accepted (`benchmarks/subsampled`).
_STEPS = 3
_STEP = 0.52
# Steps are shortened at random, down to this share, so that no latent returns to where it was.
_SHORTEST = 0.7
# Four-point Gauss-Lobatto rule on (0, 1), including both ends: exact for a log density of degree 6
# along the path. The weights are for an end and for an inner point.
_NODES = (0.5 - 0.5 * float(np.sqrt(1 / 5)), 0.5 + 0.5 * float(np.sqrt(1 / 5)))
_END_WEIGHT, _WEIGHT = 1 / 12, 5 / 12
LEAST_TRAJECTORIES = 2
"""Fewest trajectories, since halfway and the end are compared."""


@dataclass(frozen=True)
class Latents:
    """Latents of a shard at each value of the shared parameters.

    Attributes
    ----------
    drawn
        Shape (draw, unit, latent).
    acceptance
        Share of trajectories accepted, shape (unit,).
    memory
        Correlation between chains' beginnings and ends, over draws and latents, shape (unit,).
    drift
        Largest change between halfway and the end in a latent's mean or in the squared distance
        from the mode, in standard errors, shape (unit,).
    rounding
        Root mean square error of the change in a unit's log density along its last trajectory, if
        accepted: the error of the sum over units, which the shard's value also gives, divided by
        the root of their number. Trajectories that go far off are rejected whatever their error,
        and the first ones begin at draws from the normal, not from the density.
    """

    drawn: Floats
    acceptance: Floats
    memory: Floats
    drift: Floats
    rounding: float


def draw_latents(
    shard: Shard, points: Floats, trajectories: int, rng: np.random.Generator
) -> Latents:
    """Draw the latents at shared parameters of shape (draw, d)."""
    here = centre(shard, points.mean(axis=0), np.zeros(shard.places.shape))
    root = np.linalg.inv(np.linalg.cholesky(here.curvature))
    states = np.empty((3, len(points), *shard.places.shape))  # begin, halfway, end
    drawn = np.empty((len(points), *shard.places.shape))
    accepted = np.zeros(len(shard.places))
    errors = []
    for place, point in enumerate(points):
        orbit = _Orbit(shard, point, moved_to_mode(shard, here, point), root)
        at = orbit.at(rng.standard_normal(shard.places.shape) * shard.present)
        states[0, place] = at.standard
        for number in range(trajectories):
            if number == trajectories // 2:
                states[1, place] = at.standard
            before = at
            at, taken = orbit.moved(at, rng)
            accepted += taken
        errors.append(orbit.error(before, at))
        states[2, place] = at.standard
        drawn[place] = orbit.latents(at.standard)
    return Latents(
        drawn,
        accepted / (trajectories * len(points)),
        _memory(states[0], states[2]),
        _drift(states[1], states[2], shard.present),
        float(np.sqrt(np.mean(np.square(errors)) / len(shard.places))),
    )


@dataclass(frozen=True)
class _State:
    """State of chains: coordinates, slopes at them, shapes (unit, latent), and the shard's value.

    After a trajectory, the value is the previous one plus the gains of the accepted units.
    """

    standard: Floats
    slope: Floats
    value: float


@dataclass(frozen=True)
class _Orbit:
    """Hamiltonian dynamics of all units at one value of the shared parameters."""

    shard: Shard
    shared: Floats
    mode: Floats
    root: Floats

    def latents(self, standard: Floats) -> Floats:
        """Return latents from coordinates, (unit, latent)."""
        return np.asarray(self.mode + (standard[:, None] @ self.root)[:, 0])

    def at(self, standard: Floats) -> _State:
        value, slope = self.shard.along_latents(self.shared, self.latents(standard))
        return _State(standard, (self.root @ slope[..., None])[..., 0], value)

    def moved(self, begin: _State, rng: np.random.Generator) -> tuple[_State, Floats]:
        """Return where one trajectory of each unit ends, and which were accepted.

        If a unit leaves the range of the density, all stay, as the reverse trajectory would leave
        it too.
        """
        present = self.shard.present
        momentum = rng.standard_normal(present.shape) * present
        size = _STEP * rng.uniform(_SHORTEST, 1.0, (len(present), 1))
        level = np.log(rng.random(len(present)))
        energy = 0.5 * (momentum**2).sum(axis=1)
        end = begin
        finite = True
        for _ in range(_STEPS):
            momentum = momentum + 0.5 * size * end.slope
            end = self.at(end.standard + size * momentum)
            momentum = momentum + 0.5 * size * end.slope
            finite &= bool(np.isfinite(end.value))
        gain, inside = self._gain(begin, end)
        if not (finite and inside):
            return begin, np.zeros(len(present))
        taken = level < gain + energy - 0.5 * (momentum**2).sum(axis=1)
        return self._chosen(begin, end, gain, taken), taken.astype(float)

    def error(self, begin: _State, end: _State) -> float:
        """Return the error of the sum of units' changes between two states."""
        true = self.at(end.standard).value - self.at(begin.standard).value
        return (end.value - begin.value) - true

    def _gain(self, begin: _State, end: _State) -> tuple[Floats, bool]:
        """Return the change of each unit's log density, (unit,), and whether all was finite.

        This is the integral of its slope along the straight path, since the shard's value is only
        the sum.
        """
        way = end.standard - begin.standard
        between = [self.at(begin.standard + node * way) for node in _NODES]
        mean = _END_WEIGHT * (begin.slope + end.slope)
        mean = mean + _WEIGHT * (between[0].slope + between[1].slope)
        inside = all(np.isfinite(state.value) for state in between)
        return np.asarray((mean * way).sum(axis=1)), inside

    @staticmethod
    def _chosen(begin: _State, end: _State, gain: Floats, taken: np.ndarray) -> _State:
        row = taken[:, None]
        return _State(
            np.where(row, end.standard, begin.standard),
            np.where(row, end.slope, begin.slope),
            begin.value + float(gain[taken].sum()),
        )


def _memory(begin: Floats, end: Floats) -> Floats:
    """Return the correlation between two sets of states (draw, unit, latent), for each unit."""
    both = (begin * end).sum(axis=(0, 2))
    return np.asarray(both / np.sqrt((begin**2).sum(axis=(0, 2)) * (end**2).sum(axis=(0, 2))))


def _drift(middle: Floats, end: Floats, present: np.ndarray) -> Floats:
    """Return the largest change for each unit, in standard errors (see `Latents`)."""
    change = np.concatenate(
        [end - middle, ((end**2) - (middle**2)).sum(axis=2, keepdims=True)], axis=2
    )
    error = change.std(axis=0, ddof=1) / np.sqrt(len(change))
    known = np.concatenate([present, np.ones((len(present), 1), dtype=bool)], axis=1)
    moves = np.divide(
        np.abs(change.mean(axis=0)), error, out=np.zeros(known.shape), where=error > 0
    )
    return np.asarray(np.where(known, moves, 0.0).max(axis=1))
