"""Subsampled: NUTS on a subsample of lineages, and all lineages' latents given its draws."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from latentscale.declare.spec import ModelSpec
from latentscale.dims import CHAIN, DRAW
from latentscale.errors import FitError, listed
from latentscale.inference.method import METHODS, Method, method_of
from latentscale.inference.partitioned.lineages import Places, subsample
from latentscale.inference.partitioned.refusals import (
    check_engine,
    made_folder,
    refuse_sizes,
    refuse_specs,
)
from latentscale.inference.partitioned.shard import Floats, units_of_latents
from latentscale.inference.partitioned.tasks import (
    Result,
    ShardWork,
    keep_result,
    named_by,
    read_result,
    run_tasks,
    shard_of,
)
from latentscale.inference.partitioned.trajectories import LEAST_TRAJECTORIES, draw_latents
from latentscale.inference.progress import WorkProgress
from latentscale.inference.tools.posterior_density import kept_names, posterior_density
from latentscale.markup import call_text
from latentscale.model.batches import VariableSlices, batch_of, deal
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.numerics.thinning import evenly_spread
from latentscale.numerics.threads import one_blas_thread
from latentscale.posterior.draws import Draws
from latentscale.posterior.identified import convergence_of
from latentscale.posterior.provenance import FAMILIES_CENTRED
from latentscale.posterior.status import FOR_ANYTHING, Status, status_of_chains

# With a lower acceptance than this, steps are too long for the lineage.
_LEAST_ACCEPTANCE = 0.5
# Correlation between a chain's beginning and end, in excess of four standard errors: a
# mean is then off by less than a tenth of the distance between the normal's mean and its own.
_MOST_MEMORY, _ERRORS = 0.1, 4.0
# Standard errors between halfway and the end: 74 latents of 2,500 lineages pass 5.5 by chance in
# one lineage of 140 runs.
_MOST_DRIFT = 5.5
# Error of a log density by quadrature: acceptance is off by less than a hundredth.
_MOST_ROUNDING = 0.01
# Kept draws that are enough to check the latents' distribution, 5 of which are beyond either end of
# a 90% interval: Monte Carlo error shifts a mean by 0.1 standard deviations.
_LEAST_KEPT = 100
_MOST_DEPTH = 10
"""Tree depth at which NUTS ends a trajectory."""
_NAMED = 3
"""Number of failed lineages that the status names."""


@METHODS.add
@dataclass(frozen=True)
class Subsampled(Method):
    """NUTS on a random subsample of lineages, then every lineage's latents given its draws.

    ``benchmarks/subsampled`` reports times for 20,000 models, and forecasts of held-out models.

    Lineages (families, in a spec without a lineage level) are independent given the shared
    parameters. NUTS on the subsample gives the posterior of the shared parameters given only the
    subsample's scores, which is valid but wider than the posterior given the whole table. The
    latents of every lineage, including the subsample's, are then drawn given each of these draws
    and the lineage's own scores, by Hamiltonian Monte Carlo from the normal at their mode. Shared
    draws are not weighted by the other lineages' scores.

    The status assesses the shared parameters as `NUTS` assesses chains, and each lineage by its
    acceptance, by the correlation of its chains' ends with their beginnings, and by the difference
    between halfway and the end.

    As in `Partitioned`, families' effects are not centred on their mean over the table.

    Attributes
    ----------
    models
        Models in the subsample; all if the table is smaller. Lineages are drawn at random, but
        those that a benchmark, a level of a category or an end of a covariate needs come first, so
        there can be more.
    draws, tune, chains, target_accept
        Settings of NUTS on the subsample.
    min_depth
        Smallest tree depth of NUTS, at most 10. Slopes and populations' means move together with
        effects of all lineages. A trajectory that ends when the thousands of other latents turn
        back has hardly moved them. 0 for NUTS's usual rule.
    kept
        Number of draws, over all chains and evenly spaced, for which latents are drawn and which
        the fit keeps: a multiple of `chains`. Fewer than 100 are not enough to check the latents'
        distribution, and the fit then counts as not converged.
    trajectories
        Trajectories of each lineage's chain at each kept draw, at least 2; after each, the chain
        has almost forgotten where it began.
    shard
        Models per task that draws latents; a lineage is never split, so there can be more.
    workers
        Shards and chains that run at once, each in its own process or thread.
    cluster
        Address of a dask.distributed scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers
        draw the latents; they must have access to `folder`. Chains run in this process, `workers`
        at a time.
    folder
        Where draws of NUTS and latents of shards are kept; a run that was stopped, or lost a
        worker, continues from them.

    Raises
    ------
    FitError
        If a field is out of range.

    References
    ----------
    Neal 2011 (arXiv:1206.1901), Hamiltonian Monte Carlo. Plummer 2015
    (doi:10.1007/s11222-014-9503-z) calls it a cut when latents are drawn from their conditional
    given draws of the others.

    Examples
    --------
    >>> ls.methods.Subsampled(models=600, workers=2).kept
    400
    """

    good_for: ClassVar[str] = FOR_ANYTHING
    thins: ClassVar[bool] = True

    models: int = 800
    draws: int = 1500
    tune: int = 400
    chains: int = 2
    target_accept: float = 0.8
    min_depth: int = 7
    kept: int = 400
    trajectories: int = 4
    shard: int = 400
    workers: int = 1
    cluster: str | None = None
    folder: str | Path | None = None

    __repr__ = call_text

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("models", "draws", "tune", "chains", "shard")
        self._check_counts("trajectories", least=LEAST_TRAJECTORIES)
        self._check_counts("kept", least=self.chains, most=self.draws * self.chains)
        if self.kept % self.chains:
            raise FitError(
                f"Subsampled.kept must be a multiple of chains, {self.chains}; got {self.kept}: "
                "each chain keeps as many draws."
            )
        self._check_between("target_accept", 0, 1)
        self._check_counts("min_depth", least=0, most=_MOST_DEPTH)
        check_engine(self)

    @one_blas_thread()
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Draw from the posterior given the subsample (see the class).

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
            If a chain cannot begin, a worker was lost or the folder cannot be used.

        Examples
        --------
        >>> ls.methods.Subsampled().draw(pooled.spec, pooled.design, seed=1, progress=False)
        Traceback (most recent call last):
            ...
        latentscale.errors.SpecError: Subsampled draws latents of families, ...
        """
        refuse_specs(spec, self)
        folder = made_folder(self.folder)
        design = replace(design, centred=False)
        began = time.perf_counter()
        model = build_design(spec, design)
        slices = VariableSlices.of(model)
        unit = units_of_latents(slices, design)
        refuse_sizes(unit, self, does="draws")
        whole = posterior_density(model)
        seconds = {"compile": time.perf_counter() - began}
        began = time.perf_counter()
        places = subsample(design, self.models, np.random.default_rng([seed, 0]))
        shared = _SharedDraws.of(self, spec, design, places, seed, progress, folder)
        seconds["sample"] = time.perf_counter() - began
        began = time.perf_counter()
        batches = deal(design, self.shard, np.random.default_rng([seed, 1]))
        flat = shared.points.reshape(-1, shared.points.shape[-1])
        tasks = [
            LatentTask(spec, batch.design, place, seed, flat, self.trajectories, folder)
            for place, batch in enumerate(batches)
        ]
        with WorkProgress(len(tasks), "Subsampled", "shards", enabled=progress) as shown:
            done = iter(range(1, len(tasks) + 1))
            results = run_tasks(
                tasks, self.workers, self.cluster, lambda: shown.update(next(done), "latents")
            )
        seconds["latents"] = time.perf_counter() - began
        began = time.perf_counter()
        points = np.empty((*shared.points.shape[:2], whole.size))
        points[..., unit < 0] = shared.points
        rows = points.reshape(-1, whole.size)
        for batch, result in zip(batches, results, strict=True):
            where, common = slices.places(batch)
            rows[:, where[~common]] = result.pop("latents")
        posterior = whole.to_posterior(points)
        seconds["gather"] = time.perf_counter() - began
        status = _judged(shared, results, (len(places), len(design.scores.models)), tasks)
        chosen = {FAMILIES_CENTRED: False}
        return Draws(posterior, shared.stats, status, seconds, chosen=chosen)


@dataclass(frozen=True)
class _SharedDraws:
    """Kept draws of the shared parameters.

    Attributes
    ----------
    points
        Unconstrained, shape (chain, draw, d).
    stats
        NUTS's statistics of the kept draws, dims (chain, draw).
    status
        Status of all draws of the shared parameters.
    """

    points: Floats
    stats: xr.Dataset
    status: Status

    @classmethod
    def of(
        cls,
        method: Subsampled,
        spec: ModelSpec,
        design: Design,
        places: Places,
        seed: int,
        progress: bool,
        folder: Path | None,
    ) -> _SharedDraws:
        """Draw them by NUTS on some models, given by index, or read them from the folder."""
        own = batch_of(design, places).design
        key = LatentTask(spec, own, 0, seed, np.zeros(0), 0, None).key
        settings = [
            method.draws,
            method.tune,
            method.chains,
            method.target_accept,
            method.min_depth,
        ]
        settings.append(method.kept)
        file = folder / f"shared-{named_by(repr([key, *settings]), [])}.npz" if folder else None
        kept = read_result(file)
        if kept is None:
            drawn = cls._sampled(method, spec, own, seed, progress)
            if not drawn.status.interrupted:
                keep_result(drawn._arrays(), file)
            return drawn
        status = Status.from_dict(json.loads(bytes(kept.pop("status").astype(np.uint8)).decode()))
        points = kept.pop("points")
        stats = {name: ((CHAIN, DRAW), values) for name, values in kept.items()}
        return cls(points, xr.Dataset(stats), status)

    def _arrays(self) -> Result:
        text = json.dumps(self.status.to_dict()).encode()
        stats = {str(name): values.values for name, values in self.stats.items()}
        return {"status": np.frombuffer(text, dtype=np.uint8), "points": self.points, **stats}

    @classmethod
    def _sampled(
        cls, method: Subsampled, spec: ModelSpec, design: Design, seed: int, progress: bool
    ) -> _SharedDraws:
        model = build_design(spec, design)
        slices = VariableSlices.of(model)
        names = [name for name in kept_names(model) if name in slices.shared]
        settings = {"draws": method.draws, "tune": method.tune, "chains": method.chains}
        nuts = method_of(
            "NUTS",
            settings
            | {"target_accept": method.target_accept, "coordinates": "model"}
            | {"cores": min(method.workers, method.chains)},
        )
        run = nuts.positions(  # type: ignore[attr-defined]
            spec, design, names, min_depth=method.min_depth, seed=seed, progress=progress
        )
        figures = convergence_of(spec, design, run.posterior, run.stats)
        status = status_of_chains(figures, interrupted=run.interrupted, good_for=method.good_for)
        chains, length = run.positions.shape[:2]
        some = evenly_spread(length, method.kept // chains)
        shared = units_of_latents(slices, design) < 0
        stats = run.stats.isel({DRAW: some}).drop_vars([CHAIN, DRAW], errors="ignore")
        points = np.asarray(run.positions[:, some][..., shared], dtype=float)
        return cls(points, stats.transpose(CHAIN, DRAW), run.points.noted_in(status))


@dataclass(frozen=True)
class LatentTask(ShardWork):
    """Latents of a shard at draws of the shared parameters.

    Attributes
    ----------
    points
        The draws, shape (draw, d).
    trajectories
        As for `Subsampled`.
    folder
        Where the result is kept, if anywhere.
    """

    points: Floats
    trajectories: int
    folder: Path | None

    @property
    def file(self) -> Path | None:
        """Path of the result, with a name that depends on all its inputs."""
        if self.folder is None:
            return None
        name = named_by(repr(["latents of units", self.trajectories]), [self.points])
        return self.folder / self.key / f"{name}.npz"

    def computed(self) -> Result:
        """Return latents, (draw, latent), and the diagnostics of each lineage, (unit,)."""
        shard = shard_of(self)
        rng = np.random.default_rng([self.seed, 2, self.place])
        latents = draw_latents(shard, self.points, self.trajectories, rng)
        return {
            "latents": np.array([shard.in_order(one) for one in latents.drawn]),
            "acceptance": latents.acceptance,
            "memory": latents.memory,
            "drift": latents.drift,
            "sizes": shard.present.sum(axis=1),
            "units": shard.units,
            "rounding": np.array(latents.rounding),
        }


def _judged(
    shared: _SharedDraws,
    results: list[Result],
    sizes: tuple[int, int],
    tasks: list[LatentTask],
) -> Status:
    """Return the status of the shared draws with findings on lineages, and on the subsample's size.

    Parameters
    ----------
    shared, results
        Draws of the shared parameters, and the tasks' results.
    sizes
        Models in the subsample and in the table.
    tasks
        The tasks that were run.
    """
    figures = {
        name: np.concatenate([result[name] for result in results])
        for name in ("acceptance", "memory", "drift", "sizes")
    }
    names = [
        name
        for task, result in zip(tasks, results, strict=True)
        for name in _names_of_units(task.design, result["units"])
    ]
    draws = shared.points.shape[0] * shared.points.shape[1]
    rounding = max(float(result["rounding"]) for result in results)
    by_chance = _ERRORS / np.sqrt(draws * figures["sizes"])
    failed = ~(figures["acceptance"] >= _LEAST_ACCEPTANCE)
    failed |= ~(np.abs(figures["memory"]) <= _MOST_MEMORY + by_chance)
    failed |= ~(figures["drift"] <= _MOST_DRIFT)
    advice = []
    if draws < _LEAST_KEPT:
        failed[:] = True
        advice.append(
            f"The fit has {draws} draws, too few to confirm latents and to estimate interval ends: "
            f"raise kept to {_LEAST_KEPT} or more."
        )
    elif failed.any():
        which = listed([names[place] for place in np.nonzero(failed)[0]], _NAMED)
        advice.append(
            f"Latents of {int(failed.sum())} of {len(failed)} lineages are not confirmed "
            f"({which}): raise trajectories; if that does not help, use NUTS for a table with them."
        )
    if not rounding <= _MOST_ROUNDING:
        advice.append(
            f"Log densities of lineages are off by {rounding:.3f} along their trajectories: use "
            "NUTS, and please report the spec."
        )
    kept, total = sizes
    message = (
        f"{shared.status.message}; shared parameters are informed by {kept:,} of {total:,} models; "
        f"latents of {len(failed) - int(failed.sum()):,} of {len(failed):,} lineages confirmed at "
        f"{draws} draws (least acceptance {figures['acceptance'].min():.2f}, largest memory "
        f"{np.abs(figures['memory']).max():.2f} and drift {figures['drift'].max():.1f})"
    )
    return replace(
        shared.status,
        converged=bool(shared.status.converged) and not advice,
        message=message if not advice else f"latents not confirmed; {message}",
        advice=(*shared.status.advice, *advice),
    )


def _names_of_units(design: Design, units: Floats) -> list[str]:
    """Return the names of a shard's lineages, or families without a lineage level, by number."""
    names = design.lineages if design.use_lineage else design.families
    return [str(names[int(place)]) for place in units]
