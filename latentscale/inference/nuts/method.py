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

# Samplers allocate memory for all draws and chains at the start, and end the process if there is
# not enough: a draw of 100 parameters takes 800 bytes, so a chain of this many takes 8 GB.
MOST_DRAWS = 10_000_000
_MOST_CHAINS = 10_000
_MOST_DOUBLINGS = 10  # the default largest tree depth


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
        Warm-up draws of each chain; None for the backend's default: 400 with nutpie, which needs
        no more to adapt, and 1,000 with PyMC's and NumPyro's samplers.
    target_accept
        Mean acceptance to which the step size is tuned, in (0, 1). None for 0.95 in centred
        coordinates, where chains with longer steps can get stuck, and 0.8 in others.
    max_depth
        Largest tree depth; a draw takes at most 2**max_depth gradient evaluations.
    extra_doublings
        With nutpie's backends, how many more times to double a trajectory after it turns back.
        Each doubles the time per draw. The No-U-Turn rule stops a trajectory when the parameters
        as a group turn back; the slowest few have then hardly moved. None for 1 in centred
        coordinates and 0 in others, where it gains nothing.
    cores
        Chains to run at once; None for as many as the machine has. NumPyro runs its chains in
        turn, so it accepts at most 1.
    backend
        ``"nutpie"`` (compiled by numba: the fastest draws), ``"nutpie-jax"`` (compiles in seconds,
        slower draws), ``"numpyro"`` (on JAX), or ``"pymc"`` (PyMC's own sampler). The JAX backends
        need ``pip install "latentscale[jax]"``.
    adaptation
        The mass matrix: ``"diag"``, or with nutpie's backends ``"low_rank"``, which also follows
        the strongest correlations.
    start
        Where chains start: `ModeStart`, around the highest modes that climbs reach, or
        `PriorStart`, scattered around the centres of the priors. None means ``ModeStart()`` for
        anchored skills, whose signs can flip, unless skills are in units of their anchors and
        models have residuals; it means ``PriorStart()`` for all other specs. Only nutpie's backends
        accept a start; the others use PyMC's own.
    store
        A new folder to which nutpie streams its draws, ``~`` expanded, or None to keep them in
        memory. However the process ends, `latentscale.load` opens the draws in the folder and
        `latentscale.resume` continues them. Only one process can write to a folder at a time. The
        folder is made before the model is compiled, so an unusable one is refused early.
    coordinates
        Parameterisation in which chains move. ``"model"``: the model's own variables.
        ``"whitened"``, if families' anchored skills are the only latents and the backend is
        ``"nutpie"``: families' skills are centred where their scores put them, and all other
        parameters are whitened at the posterior mode, so that the posterior is nearly normal.
        ``"centred"``, if benchmarks are pooled, with the same backend and `PriorStart`: models'
        skills and benchmarks' parameters with many scores are sampled directly. ``"auto"``:
        whitened or centred if possible. The fit's provenance records the choice.

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
    tune: int = None  # type: ignore[assignment]  # None becomes the backend's default
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
            object.__setattr__(self, "store", str(expanded(self.store, FitError)))  # as in JSON
        self._backend.refuse_idle(vars(self))

    @property
    def _backend(self) -> Backend:
        return BACKENDS[self.backend]

    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Sample the posterior; Ctrl-C keeps the draws so far and marks the fit as interrupted.

        PyMC's own sampler on one core runs its chains in turn: Ctrl-C ends the current chain, and
        the next one starts. With NumPyro, Ctrl-C keeps no draws.

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

        For methods that build on these draws. It uses nutpie, in memory, in the model's own
        coordinates whatever "auto" would choose. If intercepts have their own priors, the mean
        linear predictor of each benchmark's models is sampled in their place, so `names` must have
        them.

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
                f'NUTS.coordinates = "{self.coordinates}" cannot be used here: positions are '
                'in the model\'s own variables. Leave coordinates out, or use "model".'
            )
        model, own = build_design(spec, design), replace(self, coordinates="model")
        return run_on_nutpie(
            model, spec, design, own, seed, progress, only=names, min_depth=min_depth
        )
