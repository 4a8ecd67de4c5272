"""NUTS: the No-U-Turn sampler, through nutpie, NumPyro or PyMC's own implementation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError
from latentscale.files import expanded
from latentscale.inference.method import METHODS, Method
from latentscale.inference.nuts.backends import BACKENDS, Backend, BackendName, Coordinates
from latentscale.inference.nuts.on_nutpie import run_on_nutpie
from latentscale.inference.nuts.on_pymc import run_on_pymc
from latentscale.inference.nuts.runs import ChainRun
from latentscale.inference.nuts.start import Start, start_from
from latentscale.markup import call_text
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.posterior.draws import Draws
from latentscale.posterior.folder import claimed
from latentscale.posterior.identified import convergence_of
from latentscale.posterior.status import FOR_ANYTHING, status_of_chains

# Samplers set memory aside for all draws and chains at the start, and end the process where there
# is none: a draw of 100 parameters takes 800 bytes, so a chain of these 8 GB.
MOST_DRAWS = 10_000_000
_MOST_CHAINS = 10_000
_MOST_DOUBLINGS = 10  # trees have at most that depth by default


@METHODS.add
@dataclass(frozen=True)
class NUTS(Method):
    """Hamiltonian Monte Carlo with the No-U-Turn rule (Hoffman and Gelman 2014).

    A setting that a backend or a spec cannot honour is refused.

    Attributes
    ----------
    draws, chains
        Kept draws of each chain, and the number of chains.
    tune
        Warm-up draws of each chain; None for the backend's default: 400 with nutpie, which adapts
        in so many, and 1,000 with PyMC's and NumPyro's samplers.
    target_accept
        Mean acceptance that the step size is tuned to, in (0, 1). None for 0.95 in centred
        coordinates, where chains of longer steps can be stuck, and 0.8 in others.
    max_depth
        Largest tree depth; a draw takes at most 2**max_depth gradient evaluations.
    extra_doublings
        With nutpie's backends, how many times a trajectory is doubled after it has turned back.
        Each doubles the time of a draw. The rule stops a trajectory when most parameters, taken
        together, turn back: the few that move slowest have then hardly moved. None for 1 in
        centred coordinates and 0 in others, where it gains nothing.
    cores
        Chains run at once; None for as many as the machine has. NumPyro takes its chains in
        turn, so it takes no more than 1.
    backend
        ``"nutpie"`` (compiled by numba: the fastest draws), ``"nutpie-jax"`` (compiles in seconds,
        slower draws), ``"numpyro"`` (on JAX), or ``"pymc"`` (PyMC's own sampler). Those on JAX
        need ``pip install "latentscale[jax]"``.
    adaptation
        The mass matrix: ``"diag"``, or with nutpie's backends ``"low_rank"``, which also follows
        the strongest correlations.
    start
        Where chains begin: `ModeStart`, around the highest modes that climbs reach, or
        `PriorStart`, scattered over the priors' middle. None is ``ModeStart()`` for anchored
        skills, whose signs can flip, but ``PriorStart()`` where they are in units of their
        anchors and models have residuals, and for all other specs. Only nutpie's backends take
        one; the others begin where PyMC lets them.
    store
        A new folder to which nutpie writes its draws as they come, ``~`` expanded, or None to
        keep them in memory. Whatever ends the process, `latentscale.load` opens the draws in the
        folder and `latentscale.resume` goes on with them. One process writes to a folder at a
        time; it is made before the model is compiled, so one that cannot be used is refused then.
    coordinates
        In what chains move. ``"model"``: the model's own variables. ``"whitened"``, where families'
        anchored skills are the only latents, with the backend ``"nutpie"``: families' skills
        centred where their scores put them and all other parameters whitened at the posterior
        mode, where the posterior is nearly normal. ``"centred"``, where benchmarks are pooled, with
        the same backend and chains that begin by the prior: models' skills and benchmarks'
        parameters themselves where there are many scores of them. ``"auto"``: whitened or centred
        where possible. The fit's provenance records which.

    Raises
    ------
    FitError
        If a field is out of range, or the backend cannot honour it.

    Examples
    --------
    >>> ls.NUTS(draws=500, chains=2).tune
    400
    """

    __repr__ = call_text

    good_for: ClassVar[str] = FOR_ANYTHING

    draws: int = 1000
    tune: int = None  # type: ignore[assignment]  # an int from the start on: the backend's default
    chains: int = 4
    target_accept: float | None = None
    max_depth: int = 10
    extra_doublings: int | None = None
    cores: int | None = None
    backend: BackendName = "nutpie"
    adaptation: Literal["diag", "low_rank"] = "diag"
    start: Start | None = None
    store: str | Path | None = None
    coordinates: Coordinates = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_choice("backend", tuple(BACKENDS))
        if self.tune is None:
            object.__setattr__(self, "tune", self._backend.tune)
        self._check_counts("max_depth")
        if self.extra_doublings is not None:
            self._check_counts("extra_doublings", least=0, most=_MOST_DOUBLINGS)
        self._check_counts("draws", "tune", most=MOST_DRAWS)
        self._check_counts("chains", most=_MOST_CHAINS)
        self._check_cores()
        if self.target_accept is not None:
            self._check_between("target_accept", 0, 1)
        self._check_choice("adaptation", ("diag", "low_rank"))
        self._check_choice("coordinates", ("auto", "whitened", "centred", "model"))
        object.__setattr__(self, "start", start_from(self.start))
        if self.store is not None:
            if not isinstance(self.store, str | Path) or not str(self.store):
                raise FitError(f"NUTS.store must be the path of a folder; got {self.store!r}.")
            object.__setattr__(self, "store", str(expanded(self.store, FitError)))  # as JSON has it
        self._backend.refuse_idle(vars(self))

    @property
    def _backend(self) -> Backend:
        return BACKENDS[self.backend]

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Sample the posterior; Ctrl-C keeps the draws so far and marks the fit.

        PyMC's own sampler on one core takes its chains in turn: Ctrl-C ends the chain that
        runs, and the next one starts. Of NumPyro's draws Ctrl-C keeps none.

        Parameters
        ----------
        spec, design, seed, progress
            As for `Method.draw`.

        Returns
        -------
        Draws
            As `Method.draw` returns.

        Raises
        ------
        FitError
            If the backend is not installed, `store` cannot be written, or a chain cannot begin.

        Examples
        --------
        >>> method = ls.NUTS(draws=20, tune=20, chains=1, cores=1)
        >>> drawn = method.draw(pooled.spec, pooled.design, seed=1, progress=False)
        >>> drawn.posterior["intercept"].sizes["draw"]
        20
        """
        self._backend.require()
        folder = nullcontext() if self.store is None else claimed(Path(self.store))
        with folder:
            model = build_design(spec, design)
            if self.backend in ("nutpie", "nutpie-jax"):
                run = run_on_nutpie(model, spec, design, self, seed, progress)
            else:
                run = run_on_pymc(model, self, seed, progress)
        names = [name for name in run.posterior.data_vars if not str(name).endswith("_raw")]
        posterior = run.posterior[names]
        figures = convergence_of(spec, design, posterior, run.stats)
        status = status_of_chains(figures, interrupted=run.interrupted, good_for=self.good_for)
        status = run.points.noted_in(status)
        return Draws(posterior, run.stats, status, run.seconds, chosen=run.chosen)

    def positions(
        self,
        spec: ModelSpec,
        design: Design,
        names: Sequence[str],
        *,
        min_depth: int = 0,
        seed: int,
        progress: bool,
    ) -> ChainRun:
        """Sample some variables, with every position on the model's unconstrained scale.

        For methods that go on from the draws. By nutpie, in memory, in the model's own coordinates
        whatever "auto" would choose. Where intercepts have priors of their own, the mean linear
        predictor of each benchmark's models moves in their place, so `names` must have them.

        Parameters
        ----------
        spec, design
            The model, and its constants on a table.
        names
            The variables that draws hold.
        min_depth
            Least tree depth: a draw takes at least 2**min_depth - 1 gradient evaluations.
        seed
            Seed of the random numbers.
        progress
            Whether to show progress.

        Returns
        -------
        ChainRun
            Draws of the variables, statistics, and positions, shape (chain, draw, n).

        Raises
        ------
        FitError
            If a chain cannot begin, or `coordinates` asks for others than the model's.

        Examples
        --------
        >>> method = ls.NUTS(draws=20, tune=20, chains=1, cores=1)
        >>> run = method.positions(
        ...     pooled.spec, pooled.design, ["intercept"], seed=1, progress=False
        ... )
        >>> run.positions.shape[:2], list(run.posterior)
        ((1, 20), ['intercept'])
        """
        if self.coordinates not in ("auto", "model"):
            raise FitError(
                f'NUTS.coordinates = "{self.coordinates}": positions are those of the model\'s own '
                'variables. Leave coordinates out, or use "model".'
            )
        model, own = build_design(spec, design), replace(self, coordinates="model")
        return run_on_nutpie(
            model, spec, design, own, seed, progress, only=names, min_depth=min_depth
        )
