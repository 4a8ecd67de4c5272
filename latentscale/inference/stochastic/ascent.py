"""Stochastic ascent of the marginal likelihood, with posterior draws of the latents.

Fisher's identity: the gradient of the log marginal likelihood is the posterior mean of the
complete-data score. Louis (1982): the observed information is the posterior mean of the
complete-data information minus the posterior covariance of that score. Both also hold for the score
minus any combination of control variates, which is far less noisy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentscale.inference.progress import WorkProgress
from latentscale.inference.stochastic.complete import CompleteData
from latentscale.inference.stochastic.latent_chain import LatentChain

# The box on which parameters are projected, on the unconstrained scale: exp(15) is 3 million.
_BOX = 15.0
# Longest change of a parameter in a settling step, on that scale: a scale grows by half.
_LONGEST = 0.4
# Points of a run at which the complete-data information is computed; its noise averages out.
_CURVATURES = 12
# Fewest moves of a short run or a settling step; regressions on controls need a few dozen.
_SHORT = 40
# Moves before the first step: the latents come from the posterior mode, their step size from 0.1.
_WARM = 200
# Smallest curvature of a direction: with a standard error above 4, it counts as not identified.
_LEAST = 0.05
# Share of a parameter's squared length along these directions above which it is not identified.
_FLAT_SHARE = 0.01
# Longest Newton step, in standard errors: further out, the log likelihood is not quadratic and its
# curvature can have the wrong sign. EM steps, which always climb, are then used.
_NEWTON = 1.0
# Longest step of either kind, in standard errors, to limit the harm of one noisy run.
_FAR = 2.0
# A last step of this length, in standard errors, adds 3% to the error. Longer ones are followed by
# more, up to this many times the requested rounds.
STEP_LIMIT = 0.25
_MORE = 3
# Batches of the Monte Carlo variance of a mean (Flegal and Jones 2010: 20 to 30 are enough).
_BATCHES = 20
# Step lengths (t + 10)^-0.6: the exponent is between 1/2 and 1, as averaging requires (Polyak and
# Juditsky 1992), and the offset keeps the first step from undoing the start.
_DECAY = 0.6
_DELAY = 10


@dataclass(frozen=True)
class StochasticMaximum:
    """Where the stochastic ascent of the marginal likelihood ended.

    Attributes
    ----------
    vector
        The estimate, shape (P,), on the unconstrained scale.
    covariance
        Inverse of the observed information, shape (P, P).
    error
        Monte Carlo standard error of the estimate, shape (P,).
    last_step
        The last Newton step in standard errors, the largest over parameters, even if it was too
        long to be taken.
    acceptance
        Mean acceptance of the latents' trajectories.
    flat
        Which parameters the likelihood does not identify, shape (P,): they are along directions
        whose observed information is negative, or so small that a standard error would be 4.
    """

    vector: np.ndarray
    covariance: np.ndarray
    error: np.ndarray
    last_step: float
    acceptance: float
    flat: np.ndarray

    @property
    def standard_error(self) -> np.ndarray:
        """Standard errors, shape (P,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def noise(self) -> float:
        """Largest Monte Carlo error, in standard errors."""
        return float((self.error / self.standard_error).max())


def maximise_stochastically(
    complete: CompleteData,
    chain: LatentChain,
    *,
    steps: int,
    rounds: int,
    moves: int,
    cores: int | None,
    shown: WorkProgress,
) -> StochasticMaximum:
    """Climb by projected stochastic gradients, then by Newton steps from long runs.

    Parameters
    ----------
    complete, chain
        The likelihood, and the chain of latents, at the initial point.
    steps
        Stochastic gradient steps, each after one trajectory of the latents. A third of the steps
        are for settling. The others are preconditioned by the complete-data information, their
        lengths fall as t^-0.6, and their second half is averaged (Polyak and Juditsky 1992).
    rounds, moves
        Newton steps, and the trajectories at fixed parameters for each; up to three times as many
        steps while the last one is longer than a quarter of a standard error.
    cores
        Threads.
    shown
        Where progress is shown.
    """
    places = complete.parameters
    third = steps // 3
    settle(complete, chain, third, cores, shown)
    run = run_at_fixed(complete, chain, max(moves // 2, 60), cores)
    _stochastic_steps(complete, chain, run, range(third, steps), shown)
    chain.adapt = False
    first = len(chain.accepted)
    for number in range(_MORE * rounds):
        run = run_at_fixed(complete, chain, moves, cores)
        _move(complete, chain, run.mix, run.step)
        done = min(number + 1, rounds)
        shown.update(steps + done * moves, f"Newton step {number + 1}")
        if done == rounds and run.distance <= STEP_LIMIT:
            break
    return StochasticMaximum(
        vector=chain.point[places].copy(),
        covariance=run.covariance,
        error=run.error,
        last_step=run.distance,
        acceptance=float(np.mean(chain.accepted[first:])),
        flat=run.flat,
    )


@dataclass(frozen=True)
class FixedRun:
    """Summaries of a run of the latents at fixed parameters.

    Attributes
    ----------
    mix
        Weights of the control variates that remove most noise from the score, shape (P, C).
    bread
        Inverse of the complete-data information, shape (P, P): steps with it are safe.
    covariance
        Inverse of the observed information, shape (P, P).
    step
        Newton step if it is at most a standard error long; otherwise the EM step, at most two
        standard errors long, shape (P,).
    distance
        Length of the Newton step, whether taken or not, in standard errors, the largest over
        parameters: the estimated distance to the maximum.
    error
        Monte Carlo standard error of the step, shape (P,).
    flat
        Which parameters are along directions without curvature, shape (P,).
    """

    mix: np.ndarray
    bread: np.ndarray
    covariance: np.ndarray
    step: np.ndarray
    distance: float
    error: np.ndarray
    flat: np.ndarray


def run_at_fixed(
    complete: CompleteData, chain: LatentChain, moves: int, cores: int | None, *, far: bool = False
) -> FixedRun:
    """Run the latents with the parameters fixed; return the Newton step from there.

    If the maximum is `far`, the curvature of the marginal likelihood can have the wrong sign: the
    complete-data information is then used instead, as in expectation-maximisation.
    """
    pairs, points = [], []
    for move in range(moves):
        pairs.append(complete.score(chain.move()))
        if move % -(-moves // _CURVATURES) == 0:
            points.append(chain.point.copy())
    scores, controls = (np.array(series) for series in zip(*pairs, strict=True))
    mix = best_mix(scores, controls)
    reduced = scores - controls @ mix.T
    curvature = np.mean([complete.information(point, mix, cores) for point in points], axis=0)
    bread = _inverse(curvature)
    observed = curvature - np.atleast_2d(np.cov(reduced.T, ddof=0))
    covariance = bread if far else _inverse(observed)
    step = covariance @ reduced.mean(axis=0)
    distance = _in_standard_errors(step, covariance)
    if distance > _NEWTON:
        step = bread @ reduced.mean(axis=0)
    step *= min(1.0, _FAR / max(_in_standard_errors(step, covariance), 1e-12))
    error = np.sqrt(np.diag(covariance @ _covariance_of_mean(reduced) @ covariance))
    return FixedRun(mix, bread, covariance, step, distance, error, _is_flat(observed))


def _in_standard_errors(step: np.ndarray, covariance: np.ndarray) -> float:
    """Return the length of a step, the largest over parameters, in standard errors."""
    return float((np.abs(step) / np.sqrt(np.diag(covariance))).max())


def best_mix(scores: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Return the weights (P, C) of control variates from regression of scores on them.

    Parameters
    ----------
    scores, controls
        Values at draws of the latents, shapes (draw, P) and (draw, C).
    """
    centred = controls - controls.mean(axis=0)
    spread = np.maximum(centred.std(axis=0), 1e-12)
    weights = np.linalg.lstsq(centred / spread, scores - scores.mean(axis=0), rcond=1e-6)[0]
    return np.asarray((weights / spread[:, None]).T)


def settle(
    complete: CompleteData,
    chain: LatentChain,
    steps: int,
    cores: int | None,
    shown: WorkProgress,
) -> None:
    """Approach the maximum by short runs, each with an expectation-maximisation step."""
    length = max(_SHORT, 3 * sum(motion.size for motion in complete.motions))
    for number in range(_WARM):
        chain.move()
        if number == _WARM // 2:
            chain.learn_mass()
    for done in range(0, steps, _SHORT):
        run = run_at_fixed(complete, chain, length, cores, far=True)
        _move(complete, chain, run.mix, np.clip(run.step, -_LONGEST, _LONGEST))
        chain.learn_mass()
        shown.update(done, "settling")


def _stochastic_steps(
    complete: CompleteData,
    chain: LatentChain,
    run: FixedRun,
    numbers: range,
    shown: WorkProgress,
) -> None:
    """Take gradient steps in the chain's parameters; end at their average over the second half."""
    places = complete.parameters
    longest = np.sqrt(np.diag(run.covariance))
    kept = []
    for count, number in enumerate(numbers, start=1):
        score, controls = complete.score(chain.move())
        length = (count + _DELAY) ** -_DECAY
        step = length * (run.bread @ (score - run.mix @ controls))
        _move(complete, chain, run.mix, np.clip(step, -longest, longest))
        if 2 * count > len(numbers):
            kept.append(chain.point[places].copy())
        shown.update(number + 1, "stochastic gradients")
    chain.point[places] = np.mean(kept, axis=0)


def _move(complete: CompleteData, chain: LatentChain, mix: np.ndarray, step: np.ndarray) -> None:
    """Move the parameters by a step, inside the box, and the latents along with it."""
    places = complete.parameters
    moved = np.clip(chain.point[places] + step, -_BOX, _BOX)
    carried = complete.carried(chain.point, (moved - chain.point[places]) @ mix)
    chain.point[places] = moved
    chain.point += carried


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Invert a symmetric matrix, with its eigenvalues made positive."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors / np.maximum(np.abs(values), _LEAST)) @ vectors.T)


def _is_flat(matrix: np.ndarray) -> np.ndarray:
    """Return which entries are along directions that `_inverse` has to raise or reverse."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray(np.square(vectors[:, values < _LEAST]).sum(axis=1) > _FLAT_SHARE)


def _covariance_of_mean(scores: np.ndarray) -> np.ndarray:
    """Return the Monte Carlo covariance of the mean score, from means of 20 batches."""
    batches = np.array([batch.mean(axis=0) for batch in np.array_split(scores, _BATCHES)])
    return np.atleast_2d(np.cov(batches.T)) / _BATCHES
