"""Draws of a population of benchmarks' parameters: its mean, its groups' means and its spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentscale.inference.gibbs.blocks import PooledPrior
from latentscale.inference.gibbs.kernels import normal_draw
from latentscale.inference.gibbs.slices import slice_scale


@dataclass
class PopulationState:
    """Values of populations: one per skill for loadings, otherwise one.

    Attributes
    ----------
    prior
        Their priors.
    mean, spread, group_spread
        Shape (population,).
    group
        Groups' means minus `mean`, shape (population, group).
    """

    prior: PooledPrior
    mean: np.ndarray
    spread: np.ndarray
    group_spread: np.ndarray
    group: np.ndarray

    @classmethod
    def started(cls, prior: PooledPrior, rng: np.random.Generator) -> PopulationState:
        """Return a population at the start of a chain: the prior's mean and scattered spreads."""
        count, groups = prior.count, prior.member.shape[1]
        return cls(
            prior,
            np.full(count, float(prior.mean.mu or 0.0)),
            rng.uniform(0.5, 1.0, count),
            rng.uniform(0.1, 0.5, count),
            np.zeros((count, groups)),
        )

    def middle(self, place: int) -> np.ndarray:
        """Return the mean of each benchmark's parameter, shape (benchmark,)."""
        return self.mean[place] + self.prior.member @ self.group[place]

    def draw(self, place: int, x: np.ndarray, own: np.ndarray, rng: np.random.Generator) -> None:
        """Draw a population given its members' parameters, in place.

        Parameters
        ----------
        place
            Index of the population.
        x
            The parameters on the real line, shape (benchmark,).
        own
            Which benchmarks have a parameter from the population: anchors' loadings are not.
        rng
            Source of random numbers.
        """
        x, member = x[own], self.prior.member[own]
        groups = member.shape[1]
        mu, sigma = float(self.prior.mean.mu or 0.0), float(self.prior.mean.sigma or 1.0)
        design = np.hstack([np.ones((len(x), 1)), member])
        weight = 1 / self.spread[place] ** 2
        precision = weight * design.T @ design
        precision[0, 0] += 1 / sigma**2
        precision[np.arange(1, groups + 1), np.arange(1, groups + 1)] += (
            1 / self.group_spread[place] ** 2
        )
        shift = weight * design.T @ x
        shift[0] += mu / sigma**2
        draw = normal_draw(precision, shift, rng.standard_normal(groups + 1))
        self.mean[place], self.group[place] = draw[0], draw[1:]
        square = float(np.sum((x - design @ draw) ** 2))
        self.spread[place] = slice_scale(
            self.spread[place], self.prior.spread, float(len(x)), square, 0.0, 0.0, 1.0, rng
        )
        if groups:
            self._draw_groups(place, x, member, rng)

    def _draw_groups(
        self, place: int, x: np.ndarray, member: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Draw the groups' spread twice: given their means, and given the means in its units."""
        prior, groups = self.prior.group_spread, float(self.group.shape[1])
        square = float(np.sum(self.group[place] ** 2))
        self.group_spread[place] = slice_scale(
            self.group_spread[place], prior, groups, square, 0.0, 0.0, 1.0, rng
        )
        before = self.group_spread[place]
        change = member @ self.group[place] / before
        left = x - self.mean[place] - member @ self.group[place]
        weight = 1 / self.spread[place] ** 2
        slope, bend = weight * float(change @ left), weight * float(change @ change)
        after = slice_scale(before, prior, 0.0, 0.0, slope, bend, before, rng)
        self.group_spread[place] = after
        self.group[place] *= after / before
