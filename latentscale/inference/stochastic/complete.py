"""The complete-data likelihood: scores of parameters given latents, and control variates.

The goal is the mean of the score over the latents' posterior. Most of its variance comes from a few
motions of all latents together (a shift, a scale, a rotation), which the data hardly distinguish
from changes in intercepts, loadings and slopes. For any field v of latents y,
E[v . grad log p + div v] = 0 over their posterior (Stein's identity). These sums along the motions
are the control variates (Mira, Solgi and Imparato 2013).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import pymc as pm

from latentscale.declare.spec import ModelSpec
from latentscale.dims import MODEL, SKILL
from latentscale.engine.graphs import flat_graph
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.model.terms.base import terms_of
from latentscale.numerics.curvature import differences

# Gradient of the scores below which a parameter affects no score: rounding of the sum.
_UNTOUCHED = 1e-9


@dataclass(frozen=True)
class CompleteData:
    """Log density of scores and latents together, on the unconstrained scale.

    Attributes
    ----------
    target
        The model's log posterior density.
    prior
        From a point (n,) to the gradient (n,) of the parameters' log prior with the Jacobian of
        their transforms; zero at latents.
    parameters, latents
        Indices of the two in a point. Parameters that affect no score are in neither.
    labels
        Name of each parameter.
    motions
        Motions of the latents that the control variates follow.
    """

    target: PosteriorDensity
    prior: Callable[[np.ndarray], np.ndarray]
    parameters: np.ndarray
    latents: np.ndarray
    labels: tuple[str, ...]
    motions: tuple[Motion, ...]

    def score(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient (P,) of log p(scores, latents | parameters), and the controls (C,).

        The controls have mean zero over the latents' posterior.
        """
        gradient = self.target.value_and_gradient(point)[1]
        controls = [motion.controls(point, gradient) for motion in self.motions]
        own = (gradient - self.prior(point))[self.parameters]
        return own, np.concatenate(controls)

    def information(self, point: np.ndarray, mix: np.ndarray, cores: int | None) -> np.ndarray:
        """Return minus the derivative (P, P) of the reduced score as the latents move along.

        The reduced score is the score minus mix times controls. A step in a parameter moves the
        latents by minus its mix of the motions: in this augmentation, the reduced score is the
        score.

        Parameters
        ----------
        point
            The point, shape (n,).
        mix
            Shape (P, C).
        cores
            Threads.
        """

        def reduced(there: np.ndarray) -> np.ndarray:
            score, controls = self.score(there)
            return np.asarray(score - mix @ controls)

        directions = np.eye(point.size)[self.parameters]
        directions += np.array([self.carried(point, own) for own in mix])
        return -differences(reduced, point, directions, cores=cores)

    def carried(self, point: np.ndarray, mix: np.ndarray) -> np.ndarray:
        """Return how the latents of a point (n,) move with a step of mix (C,)."""
        velocity = np.zeros(point.size)
        begin = 0
        for motion in self.motions:
            velocity[motion.places] = -motion.velocity(point, mix[begin : begin + motion.size])
            begin += motion.size
        return velocity


@dataclass(frozen=True)
class Motion:
    """Motions of one variable's latents together.

    Attributes
    ----------
    places
        Its indices in a point, shape (unit, column).
    weights
        Shifts of units: ones, and covariates; shape (unit, W).
    turns
        Whether columns are also mixed, as skills are; otherwise each is only scaled.
    """

    places: np.ndarray
    weights: np.ndarray
    turns: bool

    @property
    def size(self) -> int:
        """Number of motions."""
        columns = self.places.shape[1]
        return columns * (self.weights.shape[1] + (columns if self.turns else 1))

    def velocity(self, point: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the latents' velocity (unit, column) in a mix of the motions."""
        y = point[self.places]
        columns = y.shape[1]
        shifts = weights[: columns * self.weights.shape[1]].reshape(-1, columns)
        rest = weights[shifts.size :]
        moved = y @ rest.reshape(columns, columns) if self.turns else y * rest
        return np.asarray(self.weights @ shifts + moved)

    def controls(self, point: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return v . grad log p + div v along each motion, shape (C,)."""
        y, slope = point[self.places], gradient[self.places]
        units, columns = y.shape
        shifts = (self.weights.T @ slope).ravel()
        if self.turns:
            return np.concatenate([shifts, (y.T @ slope + units * np.eye(columns)).ravel()])
        return np.concatenate([shifts, (y * slope).sum(axis=0) + units])


def complete_data(spec: ModelSpec, design: Design, rng: np.random.Generator) -> CompleteData:
    """Compile the complete-data likelihood of a spec on a table."""
    model = build_design(spec, design)
    target = posterior_density(model)
    names, labels = _places(model)
    latents = [name for term in terms_of(spec) for name in term.latent_variables(design)]
    latent = np.isin(names, latents)
    prior = _prior_gradient(model, names, latents)
    touched = np.zeros(len(names), bool)
    for _ in range(2):
        point = target.start + 0.3 * rng.standard_normal(target.size)
        gradient = target.value_and_gradient(point)[1] - prior(point)
        touched |= np.abs(gradient) > _UNTOUCHED
    kept = np.nonzero(~latent & touched)[0]
    return CompleteData(
        target=target,
        prior=prior,
        parameters=kept,
        latents=np.nonzero(latent)[0],
        labels=tuple(np.asarray(labels)[kept].tolist()),
        motions=_motions(model, design, names, latents),
    )


def _motions(
    model: pm.Model, design: Design, names: np.ndarray, latents: Sequence[str]
) -> tuple[Motion, ...]:
    by_model = np.nan_to_num(np.asarray(design.x.transpose(MODEL, ...).values, dtype=float))
    member = np.equal.outer(np.arange(len(design.families)), design.family_of_model)
    by_family = member @ by_model / member.sum(axis=1, keepdims=True)
    covariates = {"family_skill_raw": by_family, "residual_raw": by_model}
    motions = []
    for variable in model.free_RVs:
        if variable.name not in latents:
            continue
        shape = [int(model.dim_lengths[dim].get_value()) for dim in variable.type.dims]
        places = np.nonzero(names == variable.name)[0].reshape(shape[0], -1)
        ones = np.ones((shape[0], 1))
        weights = np.hstack([ones, covariates.get(variable.name, ones[:, :0])])
        turns = variable.type.dims[-1] == SKILL and len(shape) == 2
        motions.append(Motion(places, weights, turns))
    return tuple(motions)


def _places(model: pm.Model) -> tuple[np.ndarray, list[str]]:
    """Return the variable and the label of every entry of an unconstrained point."""
    start = model.initial_point(random_seed=0)
    names: list[str] = []
    labels: list[str] = []
    for variable in model.free_RVs:
        shape = np.shape(start[model.rvs_to_values[variable].name])
        names += [variable.name] * int(np.prod(shape))
        labels += [f"{variable.name}{list(index) if index else ''}" for index in np.ndindex(shape)]
    return np.asarray(names), labels


def _prior_gradient(model: pm.Model, names: np.ndarray, latents: Sequence[str]) -> Any:
    """Return the gradient of the parameters' log prior with respect to the point.

    The graph is small and without data, so it runs uncompiled, which starts at once.
    """
    import pytensor
    import pytensor.tensor as pt

    own = [variable for variable in model.free_RVs if variable.name not in latents]
    values = [model.rvs_to_values[variable] for variable in own]
    total: Any = model.logp(vars=own)
    gradients: Any = pt.grad(total, values)
    function = pytensor.function(values, flat_graph(gradients), mode="FAST_COMPILE")
    start = model.initial_point(random_seed=0)
    shapes = [np.shape(start[value.name]) for value in values]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parameter = ~np.isin(names, list(latents))
    one_at_a_time = Lock()  # climbs run in threads, and the function stores what it computes

    def gradient(point: np.ndarray) -> np.ndarray:
        parts = np.split(point[parameter], ends)
        shaped = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        whole = np.zeros(point.size)
        with one_at_a_time:
            whole[parameter] = function(*shaped)
        return whole

    return gradient
