"""Start: where chains begin, scattered around the priors or at modes that climbs reach.

Skills have modes that a chain does not leave. If an anchor's own loading is near zero, its skill's
sign can flip: the skill, its slopes and its loadings change sign together, at a cost to the fit of
the anchor's scores alone. A chain that begins in such a mode stays there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from latentscale.declare.spec import ModelSpec
from latentscale.engine.density import ChainModel, LogDensity
from latentscale.errors import FitError
from latentscale.inference.progress import WorkProgress
from latentscale.numerics.climb import Trajectory, climb
from latentscale.numerics.path_normals import PathNormal, normals_along
from latentscale.numerics.threads import in_threads
from latentscale.posterior.status import Status, status_with_start
from latentscale.validate import plain_fields, real_number, whole_number

_STEPS = 1500  # of a climb: most take 200 to 400
_HISTORY = 20  # pairs of L-BFGS, as many as help (Nocedal and Wright: 3 to 20)
# Iterates whose curvature makes the normal at a mode: 6 differences, as Zhang et al. 2022 use.
_KEPT = 7
# Relative gain in log density of a step that ends a climb: about a thousandth for 1000 scores.
_TOLERANCE = 1e-9
# Log densities closer than this belong to one mode: climbs to one mode stop at most 0.1 apart.
_SAME = 0.5
# How far below the highest a mode may be and still hold a share of the posterior worth advice:
# widths of hierarchical modes differ by at most that much in log volume.
_NEAR = 30.0
_MARGIN = 10.0  # of the modes that get chains, unless `ModeStart.margin` is given
# Draws around a mode are narrowed: L-BFGS's normal is often too wide, and warm-up soon widens it.
_NARROW = 0.5
# Half-width of the scatter if a climb left no curvature: a tenth of a standard prior's.
_SCATTER = 0.1


@dataclass(frozen=True)
class StartingPoints:
    """A compiled model with starting points for its chains.

    Attributes
    ----------
    compiled
        The compiled model; None if the backend chooses.
    message
        Where they are, in one line; empty if no modes were looked for.
    advice
        What to do about it; empty if there is nothing to do.
    modes
        All modes that climbs reached, highest first; empty if there were no climbs.
    """

    compiled: ChainModel | None
    message: str = ""
    advice: tuple[str, ...] = ()
    modes: tuple[Trajectory, ...] = ()

    def noted_in(self, status: Status) -> Status:
        """Return a status of chains that also says where they began."""
        return status_with_start(status, self.message, self.advice)


@dataclass(frozen=True)
class Start(ABC):
    """Where chains begin; its fields are its settings."""

    @abstractmethod
    def place(
        self, compiled: ChainModel, *, seed: int, cores: int | None, progress: bool
    ) -> StartingPoints:
        """Give the compiled model its starting points."""


@dataclass(frozen=True)
class PriorStart(Start):
    """Chains begin at the priors' support points, each coordinate moved by up to 1.

    The scatter is uniform on the unconstrained scale. It costs nothing, but if the posterior has
    separate modes, a chain may end in any of them.

    Attributes
    ----------
    kind
        Always ``"prior"``, its name in saved settings.

    Examples
    --------
    >>> ls.NUTS(start=ls.methods.PriorStart()).start.kind
    'prior'
    """

    kind: Literal["prior"] = "prior"

    def place(
        self, compiled: ChainModel, *, seed: int, cores: int | None, progress: bool
    ) -> StartingPoints:
        """Leave the model's own starting points.

        Parameters
        ----------
        compiled
            The compiled model.
        seed, cores, progress
            Have no effect: nothing is computed.

        Returns
        -------
        StartingPoints
            The unchanged model.

        Examples
        --------
        >>> from latentscale.engine.density import ChainModel
        >>> def log_density(point):
        ...     return -0.5 * float(point @ point), -point
        >>> def begin(seed):
        ...     return np.random.default_rng(seed).normal(size=2)
        >>> normal = ChainModel(log_density, begin, make=None)
        >>> start = ls.methods.PriorStart()
        >>> start.place(normal, seed=1, cores=1, progress=False).compiled is normal
        True
        """
        return StartingPoints(compiled)


@dataclass(frozen=True)
class ModeStart(Start):
    """Chains begin around the highest modes that climbs from scattered points reach.

    Every climb is L-BFGS from a point of `PriorStart`. A chain takes one of the modes within
    `margin` of the highest, and begins at a draw of the normal that L-BFGS's curvature gives
    there, narrowed by half. ``fit.status`` describes the modes left out.

    The log density at a mode is not its posterior mass, since modes of hierarchical models also
    differ in width. Differences of hundreds are decisive; differences of ten or twenty are not. A
    larger margin puts chains into lower modes, so that R-hat shows whether they mix.

    In whitened coordinates (``NUTS.coordinates``), two thirds of the climbs begin around simple
    regressions, and modes within `margin` are weighed by the Laplace approximation of their mass.
    Chains are allotted in proportion to mass among modes with at least `least_share`: one chain of
    four in a mode with a twentieth of the mass would overcount it five times.

    Attributes
    ----------
    climbs
        Number of climbs.
    margin
        How far a mode's log density may be below the highest for it to get chains or be weighed;
        None for 10, or for 40 where modes are weighed.
    iterations
        Maximum number of steps per climb.
    least_share
        Where modes are weighed, the smallest share of the posterior for a mode to get chains; None
        for 0.1. Refused in the model's own coordinates, where modes are not weighed.
    kind
        Always ``"modes"``, its name in saved settings.

    Raises
    ------
    FitError
        If a field is out of range.

    References
    ----------
    Zhang, Carpenter, Gelman and Vehtari 2022, "Pathfinder: parallel quasi-Newton variational
    inference", section 3, for chains that begin at draws of L-BFGS's normals.

    Examples
    --------
    >>> ls.NUTS(start=ls.methods.ModeStart(climbs=8)).start.climbs
    8
    """

    climbs: int = 32
    margin: float | None = None
    iterations: int = _STEPS
    least_share: float | None = None
    kind: Literal["modes"] = "modes"

    def __post_init__(self) -> None:
        plain_fields(self)
        for name in ("climbs", "iterations"):
            whole_number(getattr(self, name), f"ModeStart.{name}", least=1, error=FitError)
        if self.margin is not None:
            real_number(self.margin, "ModeStart.margin", least=0, error=FitError)
        if self.least_share is not None:
            real_number(self.least_share, "ModeStart.least_share", least=0, below=1, error=FitError)

    def place(
        self, compiled: ChainModel, *, seed: int, cores: int | None, progress: bool
    ) -> StartingPoints:
        """Climb, and put chains around the highest modes.

        Parameters
        ----------
        compiled
            The compiled model.
        seed
            Seed of where climbs begin.
        cores
            Threads; None for as many as the machine has.
        progress
            Whether to show progress.

        Returns
        -------
        StartingPoints
            The model with chains that begin around the highest modes, and notes for the status.

        Raises
        ------
        FitError
            If the density is not finite at any start of a climb, or `least_share` was given.

        Examples
        --------
        >>> from latentscale.engine.density import ChainModel
        >>> def log_density(point):
        ...     return -0.5 * float(point @ point), -point
        >>> def begin(seed):
        ...     return np.random.default_rng(seed).normal(size=2)
        >>> normal = ChainModel(log_density, begin, make=None)
        >>> start = ls.methods.ModeStart(climbs=2)
        >>> len(start.place(normal, seed=1, cores=1, progress=False).modes)
        1
        """
        if self.least_share is not None:
            raise FitError(
                "ModeStart.least_share works only in whitened coordinates (NUTS.coordinates), "
                "where modes are weighted by their mass; this run moves in the model's own. Leave "
                "it out and use ModeStart.margin."
            )
        ends = self.climb(compiled, seed=seed, cores=cores, progress=progress)
        modes = distinct_modes(ends)
        margin = _MARGIN if self.margin is None else self.margin
        high = [mode for mode in modes if mode.value >= modes[0].value - margin]
        message, advice = _message_on(ends, modes, len(high), margin)
        return StartingPoints(scattered(compiled, high), message, advice, modes)

    def climb(
        self, compiled: ChainModel, *, seed: int, cores: int | None, progress: bool
    ) -> list[Trajectory]:
        """Climb from scattered points; return the ends, highest first.

        Parameters
        ----------
        compiled
            The compiled model.
        seed
            Seed of where climbs begin.
        cores
            Threads; None for as many as the machine has.
        progress
            Whether to show progress.

        Returns
        -------
        list of Trajectory
            The end of each climb: its position, its log density and the curvature along the path.

        Raises
        ------
        FitError
            If the density is not finite at any start of a climb.

        Examples
        --------
        >>> from latentscale.engine.density import ChainModel
        >>> def log_density(point):
        ...     return -0.5 * float(point @ point), -point
        >>> def begin(seed):
        ...     return np.random.default_rng(seed).normal(size=2)
        >>> normal = ChainModel(log_density, begin, make=None)
        >>> ends = ls.methods.ModeStart(climbs=2).climb(normal, seed=1, cores=1, progress=False)
        >>> [abs(round(end.value, 6)) for end in ends]
        [0.0, 0.0]
        """
        streams = np.random.SeedSequence(seed).spawn(self.climbs)
        seeds = [int(stream.generate_state(1)[0]) for stream in streams]
        done: list[float] = []
        with WorkProgress(self.climbs, "Start", "climbs", enabled=progress) as shown:

            def work(own: int) -> Trajectory:
                begin = np.asarray(compiled.begin(own), dtype=float)
                reached = ascent(compiled.log_density, begin, self.iterations)
                done.append(reached.value)
                shown.update(len(done), f"highest log density {max(done):.1f}")
                return reached

            ends = in_threads(work, seeds, cores)
        finite = [end for end in ends if np.isfinite(end.value)]
        if not finite:
            raise FitError(
                "The log density is not finite at any start; check scores.audit for scores far "
                "from the others, and the priors for scales that are too wide."
            )
        return sorted(finite, key=lambda end: -end.value)


def ascent(log_density: LogDensity, begin: np.ndarray, steps: int = _STEPS) -> Trajectory:
    """Climb to a mode; keep the iterates that give the normal there."""
    return climb(
        log_density, begin, steps=steps, history=_HISTORY, tolerance=_TOLERANCE, kept=_KEPT
    )


def _message_on(
    ends: Sequence[Trajectory], modes: Sequence[Trajectory], high: int, margin: float
) -> tuple[str, tuple[str, ...]]:
    """Return a message on the `high` modes at which chains begin, and advice on those left out."""
    top, floor = modes[0].value, modes[high - 1].value - _SAME
    inside = sum(end.value >= floor for end in ends)
    message = (
        f"chains begin within {margin:g} of the highest log density, where {inside} of "
        f"{len(ends)} climbs ended"
    )
    advice = []
    if high < len(modes):
        gap = top - modes[high].value
        message += f" (the others {gap:.0f} or more below it)"
        if gap < _NEAR:
            advice.append(
                f"{len(ends) - inside} of {len(ends)} climbs ended in other modes, the highest "
                f"{gap:.1f} below in log density; no chain began there, though such a mode may "
                f"hold part of the posterior. ModeStart(margin={np.ceil(gap):g}) puts chains there "
                "too."
            )
    if len(ends) > 1 and inside == 1:
        advice.append(
            f"Only 1 of {len(ends)} climbs reached the highest mode, and there may be a higher "
            "one: raise ModeStart.climbs."
        )
    return message, tuple(advice)


def usual_start(spec: ModelSpec) -> Start:
    """Return where chains begin if `NUTS.start` is None.

    Signs of anchored skills can flip, so climbs are worth their time. They are not if skills are in
    units of their anchors and models have residuals, since chains can then leave a flipped mode.
    Free loadings have rotated modes of equal height, which `align` undoes.
    """
    identify = spec.skills.identify
    anchored = spec.skills.count and identify.kind == "anchored"
    passable = identify.kind == "anchored" and identify.unit == "anchor" and spec.skills.residual
    return ModeStart() if anchored and not passable else PriorStart()


def start_from(settings: Start | dict[str, Any] | None) -> Start | None:
    """Return a start, made from its settings if they are given as in JSON.

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


def distinct_modes(ends: Sequence[Trajectory]) -> tuple[Trajectory, ...]:
    """Return one climb for each log density reached, highest first.

    Climbs to the same height count as one mode: mirror images have the same height and the same
    forecasts.
    """
    kept: list[Trajectory] = []
    for end in sorted(ends, key=lambda mode: -mode.value):
        if not kept or kept[-1].value - end.value > _SAME:
            kept.append(end)
    return tuple(kept)


def scattered(
    compiled: ChainModel, modes: Sequence[Trajectory], share: np.ndarray | None = None
) -> ChainModel:
    """Return the compiled model with chains that begin around modes, by shares or equally."""
    return compiled.beginning(_Scatter(modes, share))


class _Scatter:
    """Starting points around modes: a seed determines the mode and the place."""

    def __init__(self, modes: Sequence[Trajectory], share: np.ndarray | None) -> None:
        self._modes = [(mode.mode, _normal(mode)) for mode in modes]
        even = np.ones(len(modes)) if share is None else share
        self._ends = np.cumsum(even / even.sum())

    def __call__(self, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        chosen = int(np.searchsorted(self._ends[:-1], rng.random(), side="right"))
        mode, normal = self._modes[chosen]
        if normal is None:
            return np.asarray(mode + _SCATTER * rng.uniform(-1, 1, mode.size))
        point = normal.draw(1, rng)[0][0]
        return np.asarray(mode + _NARROW * (point - normal.mean))


def _normal(mode: Trajectory) -> PathNormal | None:
    normals = normals_along(mode, _KEPT)
    return normals[-1] if normals else None
