"""Start: where chains begin, round the priors or round modes found by climbing the density.

Skills have modes that a chain does not leave. Where an anchor's own loading is near zero its
skill can turn round: the sign of the skill, of its slopes and of its loadings change together,
and only the anchor's scores speak against it. A chain that begins in such a mode stays there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import optimize

from latentscale.engine.density import ChainModel, LogDensity
from latentscale.errors import FitError
from latentscale.inference.mode import Trajectory
from latentscale.inference.pathfinder import PathNormal, normals_along
from latentscale.inference.progress import WorkProgress
from latentscale.inference.threads import in_threads
from latentscale.posterior.status import Status, status_with_start
from latentscale.spec.spec import ModelSpec
from latentscale.validate import plain_fields, real_number, whole_number

_HISTORY = 20
_KEPT = 7
_TOLERANCE = 1e-9
_SAME = 0.5
_NEAR = 30.0
_NARROW = 0.5
_WORSE_THAN_ANY = 1e300


@dataclass(frozen=True)
class Placed:
    """A compiled model whose chains begin where they should.

    Attributes
    ----------
    compiled
        the compiled model.
    message
        What was found, in one line; empty where nothing was looked for.
    advice
        What to do about it; empty where all is well.
    modes
        All modes that climbs found, highest first; empty where nothing was looked for.
    """

    compiled: ChainModel | None
    message: str = ""
    advice: tuple[str, ...] = ()
    modes: tuple[Trajectory, ...] = ()

    def told(self, status: Status) -> Status:
        """Return a status of chains that also tells where they began."""
        return status_with_start(status, self.message, self.advice)


@dataclass(frozen=True)
class Start(ABC):
    """Where chains begin; its fields are its settings."""

    @abstractmethod
    def place(
        self, compiled: ChainModel, *, seed: int, cores: int | None, progress: bool
    ) -> Placed:
        """Give the compiled model its starting points."""


@dataclass(frozen=True)
class PriorStart(Start):
    """Chains begin at the priors' support points, each coordinate moved by up to 1.

    The scatter is uniform on the unconstrained scale. Nothing is spent on it, and where the
    posterior has separate modes chains end in any of them.
    """

    kind: Literal["prior"] = "prior"

    def place(
        self, compiled: ChainModel, *, seed: int, cores: int | None, progress: bool
    ) -> Placed:
        """Leave the model's own starting points."""
        return Placed(compiled)


@dataclass(frozen=True)
class ModeStart(Start):
    """Chains begin round the highest modes that climbs from scattered points reach.

    Every climb is L-BFGS from a point of `PriorStart`. A chain takes one of the modes within
    `margin` of the highest, and begins at a draw of the normal that L-BFGS's curvature gives
    there, narrowed by half. The modes left out are told in ``fit.status``.

    Log density at a mode is not the mode's mass: modes of hierarchical models differ in width
    too. Differences of hundreds settle the matter, those of ten or twenty do not; a larger
    margin puts chains into such modes, so that R-hat tells whether they mix.

    Where families' skills are the only latents (cai2025) and nutpie runs on numba, chains move in
    coordinates in which latents and parameters are nearly independent. Two climbs in three
    then begin round simple regressions, and modes are weighed by Laplace's approximation of their
    mass. Chains begin in proportion to it at modes that hold `least_share` or more: one chain of
    four in a mode of a twentieth would count it five times. The status tells of the others.
    `margin` is not used.

    Attributes
    ----------
    climbs
        Number of climbs.
    margin
        How far below the highest log density a mode may lie and still get chains.
    iterations
        Most steps of one climb.
    least_share
        Where modes are weighed, the least part of the posterior that a mode with chains holds.

    Raises
    ------
    FitError
        If a field is out of range.

    References
    ----------
    Zhang, Carpenter, Gelman and Vehtari 2022, "Pathfinder: parallel quasi-Newton variational
    inference", section 3, for chains that begin at draws of L-BFGS's normals.
    """

    climbs: int = 32
    margin: float = 10.0
    iterations: int = 1500
    least_share: float = 0.1
    kind: Literal["modes"] = "modes"

    def __post_init__(self) -> None:
        plain_fields(self)
        for name in ("climbs", "iterations"):
            whole_number(getattr(self, name), f"ModeStart.{name}", least=1, error=FitError)
        real_number(self.margin, "ModeStart.margin", least=0, error=FitError)
        real_number(self.least_share, "ModeStart.least_share", least=0, below=1, error=FitError)

    def place(
        self, compiled: ChainModel, *, seed: int, cores: int | None, progress: bool
    ) -> Placed:
        """Climb, and put chains round the highest modes.

        Raises
        ------
        FitError
            If the density is not finite wherever a climb began.
        """
        streams = np.random.SeedSequence(seed).spawn(self.climbs)
        seeds = [int(stream.generate_state(1)[0]) for stream in streams]
        done: list[float] = []
        with WorkProgress(self.climbs, "Start", "climbs", enabled=progress) as shown:

            def work(own: int) -> Trajectory:
                begin = np.asarray(compiled.begin(own), dtype=float)
                reached = climb(compiled.log_density, begin, self.iterations)
                done.append(reached.value)
                shown.update(len(done), f"highest log density {max(done):.1f}")
                return reached

            found = in_threads(work, seeds, cores)
        found = sorted((one for one in found if np.isfinite(one.value)), key=lambda one: -one.value)
        if not found:
            raise FitError(
                "The log density is not finite at any start; look at scores.audit for scores far "
                "from the others, or at the priors for scales that are too wide."
            )
        distinct = distinct_modes(found)
        high = [mode for mode in distinct if mode.value >= distinct[0].value - self.margin]
        message, advice = self._told(found, distinct, high)
        return Placed(scattered(compiled, high), message, advice, tuple(distinct))

    def _told(
        self, found: list[Trajectory], distinct: list[Trajectory], high: list[Trajectory]
    ) -> tuple[str, tuple[str, ...]]:
        top, floor = high[0].value, high[-1].value - _SAME
        inside = sum(one.value >= floor for one in found)
        message = (
            f"chains begin within {self.margin:g} of the highest log density, where {inside} of "
            f"{len(found)} climbs ended"
        )
        left = distinct[len(high) :]
        advice = []
        if left:
            message += f" (the others {top - left[0].value:.0f} or more below it)"
        if left and top - left[0].value < _NEAR:
            advice.append(
                f"{len(found) - inside} of {len(found)} climbs ended in other modes, the highest "
                f"{top - left[0].value:.1f} below in log density; no chain began there, though "
                "such a mode may hold part of the posterior. ModeStart(margin="
                f"{np.ceil(top - left[0].value):g}) puts chains there too."
            )
        if len(found) > 1 and inside == 1:
            advice.append(
                f"Only 1 of {len(found)} climbs reached the highest mode: raise ModeStart.climbs, "
                "there may be a higher one."
            )
        return message, tuple(advice)


def usual_start(spec: ModelSpec) -> Start:
    """Return where chains begin unless told otherwise.

    Anchored skills can turn round, and climbs are worth their time. Not so where skills are in
    units of their anchors and models have residuals, which make the way back passable; free
    loadings have turned modes of equal height, which `align` undoes.
    """
    identify = spec.skills.identify
    anchored = spec.skills.count and identify.kind == "anchored"
    passable = identify.kind == "anchored" and identify.unit == "anchor" and spec.skills.residual
    return ModeStart() if anchored and not passable else PriorStart()


def start_from(settings: Start | dict[str, Any] | None) -> Start | None:
    """Return a start from its settings, as JSON holds them; a start as it is.

    Raises
    ------
    FitError
        If it is neither.
    """
    if settings is None or isinstance(settings, Start):
        return settings
    kinds: dict[str, type[Start]] = {"prior": PriorStart, "modes": ModeStart}
    if isinstance(settings, dict) and settings.get("kind") in kinds:
        return kinds[settings["kind"]](**settings)
    raise FitError(
        "NUTS.start must be an object such as latentscale.methods.ModeStart(climbs=16) or "
        f"latentscale.methods.PriorStart(); got {settings!r}."
    )


def climb(density: LogDensity, begin: np.ndarray, iterations: int) -> Trajectory:
    """Climb a log density by L-BFGS; return the last steps alone.

    Parameters
    ----------
    density
        From a point, shape (n,), to the log density and its gradient.
    begin
        Where to begin.
    iterations
        Most steps.
    """
    path: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=_KEPT)
    latest = begin, np.zeros_like(begin)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal latest
        value, gradient = density(point)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return _WORSE_THAN_ANY, np.zeros_like(point)
        latest = point.copy(), np.array(gradient)
        return -float(value), -np.asarray(gradient)

    def keep(point: np.ndarray) -> None:
        if np.array_equal(point, latest[0]):  # a step ends where its line search ended
            path.append(latest)

    options = {"maxcor": _HISTORY, "maxiter": iterations, "maxfun": 2 * iterations}
    solved = optimize.minimize(
        loss,
        begin,
        jac=True,
        method="L-BFGS-B",
        callback=keep,
        options={**options, "ftol": _TOLERANCE},
    )
    value = -float(solved.fun) if solved.fun < _WORSE_THAN_ANY else -np.inf
    points = np.array([point for point, _ in path] or [solved.x])
    gradients = np.array([gradient for _, gradient in path] or [-solved.jac])
    return Trajectory(points, gradients, value, bool(solved.success))


def distinct_modes(found: list[Trajectory]) -> list[Trajectory]:
    """Return one climb for each log density reached, highest first.

    Climbs of the same height are taken for one mode: mirror images are as high as each other,
    and no forecast tells them apart.
    """
    kept: list[Trajectory] = []
    for one in sorted(found, key=lambda mode: -mode.value):
        if not kept or kept[-1].value - one.value > _SAME:
            kept.append(one)
    return kept


def scattered(
    compiled: ChainModel, modes: Sequence[Trajectory], share: np.ndarray | None = None
) -> ChainModel:
    """Return the compiled model with chains that begin round modes, by shares or alike."""
    return compiled.beginning(_Scatter(modes, share))


class _Scatter:
    """Starting points round modes: a seed gives the mode and the place."""

    def __init__(self, modes: Sequence[Trajectory], share: np.ndarray | None) -> None:
        self._modes = [(mode.mode, _normal(mode)) for mode in modes]
        even = np.ones(len(modes)) if share is None else share
        self._ends = np.cumsum(even / even.sum())

    def __call__(self, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        chosen = int(np.searchsorted(self._ends[:-1], rng.random(), side="right"))
        mode, normal = self._modes[chosen]
        if normal is None:
            return np.asarray(mode + 0.1 * rng.uniform(-1, 1, mode.size))
        point = normal.draw(1, rng)[0][0]
        return np.asarray(mode + _NARROW * (point - normal.mean))


def _normal(mode: Trajectory) -> PathNormal | None:
    normals = normals_along(mode, _KEPT)
    return normals[-1] if normals else None
