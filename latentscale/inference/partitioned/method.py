"""Partitioned: inference for tables of any size, shard by shard, checked by weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.dims import CHAIN, DRAW
from latentscale.engine.compile import compile_prior
from latentscale.engine.density import LogDensity
from latentscale.errors import FitError
from latentscale.inference.method import METHODS, Method
from latentscale.inference.partitioned.refusals import (
    check_engine,
    made_folder,
    refuse_sizes,
    refuse_specs,
)
from latentscale.inference.partitioned.search import Profile, Search
from latentscale.inference.partitioned.shard import Floats, units_of_latents
from latentscale.inference.partitioned.tasks import Result, Task, run_tasks
from latentscale.inference.partitioned.weights import (
    Weighted,
    along_axes,
    refitted,
    weighted,
)
from latentscale.inference.progress import WorkProgress
from latentscale.inference.tools.posterior_density import PosteriorDensity, posterior_density
from latentscale.model.batches import Batch, VariableSlices, deal
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.numerics.psis import k_limit
from latentscale.numerics.resampling import resampled
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.draws import Draws
from latentscale.posterior.provenance import FAMILIES_CENTRED
from latentscale.posterior.status import FOR_ANYTHING, Status, status_of_approximation

# Last step of the normal's mean, in posterior standard deviations: it shifts means by that much.
_STEP_LIMIT = 0.25
# Monte Carlo error of the latents' integrals, in posterior standard deviations, as a root mean
# square over parameters: means are off by an eighth of one, single means by several times that.
_ERROR_LIMIT = 0.12
_LEAST_ESS = 100  # effective draws: posterior means are then off by 0.1 standard deviations
_REFITS = 3  # of the proposal to weighted draws: each about doubles the effective draws
Places = npt.NDArray[np.int64]
SEARCH = "search"
"""Note of progress until the draws."""


@METHODS.add
@dataclass(frozen=True)
class Partitioned(Method):
    """Importance sampling of the shared parameters, with latents integrated out lineage by lineage.

    Experimental: with more than a hundred shared parameters, as in the recommended spec, weights
    are degenerate on the tables tried so far, and the status reports it.

    Lineages (families, in a spec without a lineage level) are
    independent given the shared parameters. So the table is partitioned into shards of lineages,
    and the log marginal likelihood of the shared parameters is a sum over shards, each computed by
    any process. Newton's method finds the mode of their marginal posterior, a normal is fitted to
    it, and parameters are drawn from a distribution with the posterior's slopes along the normal's
    axes. Each lineage's latents are proposed from the normal at their mode, and the mean weight of
    these candidates estimates the lineage's likelihood without bias. Draws are weighted by the
    product of these estimates, Pareto-smoothed and resampled, and each comes with latents chosen by
    their own weights. Pareto k shows whether the result can be trusted.

    Families' effects are not centred on their mean over the table, which a shard cannot know; the
    intercepts refer to the population of families.

    Attributes
    ----------
    draws
        Draws of the shared parameters, which are weighted and resampled.
    shard
        Models per shard; a lineage is never split, so shards can be larger.
    candidates
        Candidates of each lineage's latents at each draw, a multiple of 4.
    rounds
        Maximum number of Newton steps, on the first shard and then on all.
    workers
        Shards to process at once, each in its own process.
    cluster
        Address of a dask.distributed scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers do
        this instead; they must have access to `folder`.
    folder
        Where results of shards are kept; a run that was stopped, or lost a worker, continues from
        them.

    Raises
    ------
    FitError
        If a field is out of range.

    References
    ----------
    Tran, Scharth, Pitt and Kohn 2014 (arXiv:1309.3339), importance sampling with estimated
    likelihoods; Geweke 1989, proposals shaped along axes; Opper and Archambeau 2009, the normal;
    Vehtari et al. 2024 (arXiv:1507.02646), Pareto smoothing.

    Examples
    --------
    >>> ls.methods.Partitioned(draws=400, workers=2).shard
    400
    """

    good_for: ClassVar[str] = FOR_ANYTHING

    draws: int = 1000
    shard: int = 400
    candidates: int = 16
    rounds: int = 25
    workers: int = 1
    cluster: str | None = None
    folder: str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("draws", least=4)
        self._check_counts("shard", "candidates", "rounds")
        if self.candidates % 4:
            raise FitError(
                f"Partitioned.candidates must be a multiple of 4; got {self.candidates}. They form "
                "two halves, each of pairs with opposite signs."
            )
        check_engine(self)

    @one_blas_thread()
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Draw from the posterior (see the class).

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
        SpecError
            If the spec has no latents, or its skills are not identified, or one lineage has too
            many latents.
        FitError
            If a worker was lost or the folder cannot be used.

        Examples
        --------
        >>> ls.methods.Partitioned().draw(pooled.spec, pooled.design, seed=1, progress=False)
        Traceback (most recent call last):
            ...
        latentscale.errors.SpecError: Partitioned integrates out latents of families, ...
        """
        folder = made_folder(self.folder)
        began = time.perf_counter()
        refuse_specs(spec, self)
        table = _Table.of(self, spec, design, np.random.default_rng([seed, 0]))
        seconds = {"compile": time.perf_counter() - began}
        rng = np.random.default_rng([seed, 1])
        shards = len(table.batches)
        with WorkProgress(shards, "Partitioned", "shards", enabled=progress) as shown:
            work = _Work(self, table, seed, shown, folder)
            began = time.perf_counter()
            search = Search(work.run, table.prior, table.start(), shards)
            search.climb(self.rounds)
            profile = search.profile()
            seconds["search"] = time.perf_counter() - began
            began = time.perf_counter()
            weights, results = self._weighted(work, search, profile, rng)
            seconds["sample"] = time.perf_counter() - began
        began = time.perf_counter()
        chosen = rng.permutation(resampled(weights.weight, rng))
        posterior = table.whole.to_posterior(table.points(weights.draws, results, chosen))
        seconds["gather"] = time.perf_counter() - began
        stats = {"lp": weights.log_p[chosen], "log_q": weights.log_q[chosen]}
        named = {name: ((CHAIN, DRAW), values[None]) for name, values in stats.items()}
        return Draws(
            posterior,
            xr.Dataset(named),
            self._status(search, weights, shards),
            seconds,
            chosen={FAMILIES_CENTRED: False},
        )

    def _weighted(
        self, work: _Work, search: Search, profile: Profile, rng: np.random.Generator
    ) -> tuple[Weighted, list[Result]]:
        """Weight draws along the axes; refit the proposal while their weights are degenerate."""
        best: tuple[Weighted, list[Result]] | None = None
        proposals = along_axes(profile, self.draws, rng)
        for _ in range(1 + _REFITS):
            results = work.run(
                search.shards, search.shared, proposals.draws, search.guesses, search.renew, "draws"
            )
            weights = weighted(proposals, results, work.table.prior)
            if best is None or weights.ess > best[0].ess:
                best = weights, results
            if weights.pareto_k <= k_limit(self.draws) and weights.ess >= self._least_ess:
                # Other rounds may have more effective draws, but from degenerate weights.
                return weights, results
            proposals = refitted(weights, profile.root, rng)
        assert best is not None
        return best

    @property
    def _least_ess(self) -> float:
        return min(_LEAST_ESS, self.draws / 4)

    def _status(self, search: Search, weights: Weighted, shards: int) -> Status:
        faults = []
        if not search.step < _STEP_LIMIT:
            faults.append(
                f"The last step of the search was {search.step:.2f} posterior standard deviations "
                "long: raise rounds, or use NUTS."
            )
        if not weights.error < _ERROR_LIMIT:
            faults.append(
                "Monte Carlo error of the latents' integrals shifts posterior means by "
                f"{weights.error:.2f} standard deviations: raise candidates."
            )
        if not weights.ess >= self._least_ess:
            faults.append(
                f"The importance weights leave {weights.ess:.0f} effective draws: raise draws."
            )
        return status_of_approximation(
            weights.pareto_k,
            tuple(faults),
            figures=f"{weights.ess:.0f} effective of {self.draws} draws, {shards} shards, "
            f"last step {search.step:.2f} and Monte Carlo error {weights.error:.2f} standard "
            f"deviations, {weights.unit_share:.0%} of a lineage's candidates effective",
            good_for=self.good_for,
            limit=k_limit(self.draws),
        )


@dataclass(frozen=True)
class _Table:
    """A table partitioned into shards, with the whole density to map points to parameters."""

    spec: ModelSpec
    slices: VariableSlices
    batches: tuple[Batch, ...]
    whole: PosteriorDensity
    prior: LogDensity
    shared: Places

    @classmethod
    def of(
        cls, method: Partitioned, spec: ModelSpec, design: Design, rng: np.random.Generator
    ) -> _Table:
        design = replace(design, centred=False)
        model = build_design(spec, design)
        slices = VariableSlices.of(model)
        unit = units_of_latents(slices, design)
        refuse_sizes(unit, method, does="integrates out")
        return cls(
            spec=spec,
            slices=slices,
            batches=deal(design, method.shard, rng),
            whole=posterior_density(model),
            prior=compile_prior(model, slices.shared),
            shared=np.nonzero(unit < 0)[0],
        )

    def start(self) -> Floats:
        """Return shared parameters at the priors' support points.

        The joint density of parameters and latents has no mode at which to begin: it is unbounded
        where latents fit all scores and precisions grow.
        """
        return np.asarray(self.whole.start[self.shared])

    def points(self, draws: Floats, results: Sequence[Result], chosen: Places) -> Floats:
        """Return the chosen draws as whole points, shape (draw, n)."""
        points = np.empty((len(chosen), self.whole.size))
        points[:, self.shared] = draws[chosen]
        for batch, result in zip(self.batches, results, strict=True):
            places, shared = self.slices.places(batch)
            points[:, places[~shared]] = result["latents"][chosen]
        return points


@dataclass(frozen=True)
class _Work:
    """How one run processes its shards."""

    method: Partitioned
    table: _Table
    seed: int
    shown: WorkProgress
    folder: Path | None

    def run(
        self,
        count: int,
        shared: Floats,
        draws: Floats,
        guesses: Sequence[Floats | None],
        renew: bool,
        note: str = SEARCH,
    ) -> list[Result]:
        """Return the first shards' results (see `latentscale.inference.partitioned.tasks`)."""
        tasks = [
            Task(
                spec=self.table.spec,
                design=batch.design,
                place=place,
                seed=self.seed,
                shared=shared,
                begin=guess,
                draws=draws,
                candidates=self.method.candidates,
                renew=renew,
                alike=note == SEARCH,
                folder=self.folder,
            )
            for place, (batch, guess) in enumerate(
                zip(self.table.batches[:count], guesses[:count], strict=True)
            )
        ]
        done = 0

        def one_more() -> None:
            nonlocal done
            done += 1
            self.shown.update(done, note)

        return run_tasks(tasks, self.method.workers, self.method.cluster, one_more)
