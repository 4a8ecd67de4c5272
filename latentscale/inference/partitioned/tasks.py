"""Tasks: computations on one shard, by any process, and the files that keep their results."""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latentscale.declare.spec import ModelSpec
from latentscale.dims import MODEL
from latentscale.engine.density import LogDensity
from latentscale.errors import FitError
from latentscale.files import reason, replacing
from latentscale.inference.partitioned.conditional import Sampler, centre, chosen_noise
from latentscale.inference.partitioned.shard import Floats, Shard
from latentscale.inference.tools.workers import in_workers
from latentscale.model.design import Design
from latentscale.model.double import double_precision
from latentscale.numerics.threads import one_blas_thread

# Draws of the latents over which the score at the centre is averaged: its error is then one or two
# tenths of a posterior standard deviation, which is enough for rounds of Newton's method.
_SCORES = 16
# Compiled shards that a process keeps: with latents of several hundred models, 10 MB each.
_MOST_SHARDS = 64
# Hexadecimal digits of names: 64 bits, so that no two tasks of a run share one.
_DIGITS = 16
_shards: OrderedDict[str, Shard] = OrderedDict()
_priors: OrderedDict[str, LogDensity] = OrderedDict()

Result = dict[str, Floats]


@dataclass(frozen=True)
class ShardWork(ABC):
    """Work on a shard, by any process, whose result may be kept in a file.

    Attributes
    ----------
    spec, design
        The spec, and the shard's own design.
    place
        Number of the shard.
    seed
        Seed of the run.
    """

    spec: ModelSpec
    design: Design
    place: int
    seed: int

    @property
    @abstractmethod
    def file(self) -> Path | None:
        """Path of the result, with a name that depends on all its inputs; None if not kept."""

    @abstractmethod
    def computed(self) -> Result:
        """Do the work."""

    @property
    def key(self) -> str:
        """Name of the shard, from its spec, its whole table, its number and the seed."""
        design, table = self.design, self.design.scores.dataset
        text = [self.spec.digest, self.place, self.seed, design.families, design.lineages]
        text += [design.anchors, design.use_lineage, *_transform(design), list(map(str, table))]
        arrays = [table[name].values for name in table.variables]
        arrays += [design.x.values, design.family_of_model, design.lineage_of_family]
        arrays += [design.model_of_cell, design.benchmark_of_cell, design.score_of_cell]
        return named_by(repr(text), arrays)

    @property
    def key_of_prior(self) -> str:
        """Name of the shared parameters' prior, from the spec and benchmarks' data."""
        design, table = self.design, self.design.scores.dataset
        text = [self.spec.digest, design.anchors, *_transform(design)]
        of_models = [name for name in table.variables if MODEL in table[name].dims]
        kept = table.drop_vars(of_models)
        return named_by(
            repr([*text, list(map(str, kept))]), [kept[n].values for n in kept.variables]
        )


@dataclass(frozen=True)
class Task(ShardWork):
    """One piece of work of partitioned inference.

    Attributes
    ----------
    shared
        Shared parameters at which latents are centred, shape (d,).
    begin
        A guess of the latents' mode at `shared`, shape (unit, latent); None for 0.
    draws
        Shared parameters at which the latents are sampled, shape (draw, d); empty to compute the
        score and the information at `shared`.
    candidates
        Number of candidates for the latents of each unit.
    renew
        Whether the latents' curvature is recomputed at each draw.
    alike
        Whether latents are chosen with the same random numbers at each draw, so that differences
        between scores have little noise.
    folder
        Where the result is kept, if anywhere.
    """

    shared: Floats
    begin: Floats | None
    draws: Floats
    candidates: int
    renew: bool
    alike: bool
    folder: Path | None

    @property
    def file(self) -> Path | None:
        """Path of the result, with a name that depends on all its inputs."""
        if self.folder is None:
            return None
        about = repr([self.candidates, self.renew, self.alike])
        begin = np.zeros(0) if self.begin is None else self.begin
        name = named_by(about, [self.shared, self.draws, begin])
        return self.folder / self.key / f"{name}.npz"

    def computed(self) -> Result:
        """Return the shard's score and information, or draws."""
        return _computed(self)


def run_tasks(
    tasks: Sequence[ShardWork], workers: int, cluster: str | None, done: Callable[[], None]
) -> list[Result]:
    """Return the results of tasks, in order; results with intact files are read instead.

    Parameters
    ----------
    tasks
        The work.
    workers, cluster
        Where tasks run (see `latentscale.inference.tools.workers.in_workers`).
    done
        Called after each task.

    Raises
    ------
    FitError
        If a worker was lost or its work failed.
    """
    results = [read_result(task.file) for task in tasks]
    todo = []
    for place, result in enumerate(results):
        if result is None:
            todo.append(place)
        else:
            done()
    lost: BaseException | None = None
    for number, outcome in in_workers(run_task, [tasks[k] for k in todo], workers, cluster):
        if isinstance(outcome, BaseException):
            lost = outcome
            continue
        results[todo[number]] = outcome
        done()
    whole = [result for result in results if result is not None]
    if len(whole) < len(tasks):
        kept = tasks[0].file is not None
        raise FitError(
            f"{len(tasks) - len(whole)} of {len(tasks)} shards failed; the last: "
            f"{type(lost).__name__}: {lost}. "
            + (
                "The others are kept: run it again."
                if kept
                else "Give `folder` to keep finished shards for the next run."
            )
        )
    return whole


@double_precision()
@one_blas_thread()
def run_task(task: ShardWork) -> Result:
    """Run one task, and keep the result in its file."""
    result = task.computed()
    keep_result(result, task.file)
    return result


def keep_result(result: Result, file: Path | None) -> None:
    """Write a result to its file, if it has one."""
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise FitError(f"Cannot make the folder {file.parent}: {reason(failure)}.") from failure
    _write(result, file)


def _computed(task: Task) -> Result:
    shard = shard_of(task)
    begin = np.zeros(shard.places.shape) if task.begin is None else task.begin
    here = centre(shard, task.shared, begin)
    candidates, choices = chosen_noise(task.seed, task.place)
    sampler = Sampler.of(shard, here, task.candidates, candidates, renew=task.renew)
    result = {"mode": here.mode}
    if len(task.draws):
        drawn = [
            sampler.at(point, deepcopy(choices), _SCORES)
            if task.alike
            else sampler.at(point, choices)
            for point in task.draws
        ]
        result["latents"] = np.array([shard.in_order(one.latents) for one in drawn])
    else:
        drawn = [sampler.at(task.shared, choices, _SCORES)]
        result["information"] = here.information
    return result | {
        "level": np.array([one.level for one in drawn]),
        "halves": np.array([one.halves for one in drawn]),
        "score": np.array([one.score for one in drawn]),
        "ess": np.array([one.ess for one in drawn]),
        "candidates": np.array(task.candidates),
    }


def shard_of(task: ShardWork) -> Shard:
    """Return the compiled shard of a task, from those in this process if possible."""
    key = task.key
    if key not in _shards:
        of_prior = task.key_of_prior
        _shards[key] = Shard.of(task.spec, task.design, _priors.get(of_prior))
        _priors[of_prior] = _shards[key].prior
    _shards.move_to_end(key)
    while len(_shards) > _MOST_SHARDS:
        _shards.popitem(last=False)
    return _shards[key]


def _write(result: Result, file: Path) -> None:
    """Write a result: a line with the hash of the rest, then arrays."""
    image = io.BytesIO()
    np.savez(image, **result)  # type: ignore[arg-type]
    body = image.getvalue()
    with replacing(file, FitError) as unfinished:
        unfinished.write_bytes(_seal(body, file) + body)


def read_result(file: Path | None) -> Result | None:
    """Return a result kept on disk; None if its file is missing or damaged."""
    content = b""
    if file is not None:
        with suppress(OSError):
            content = file.read_bytes()
    seal, _, body = content.partition(b"\n")
    if file is None or not body or seal + b"\n" != _seal(body, file):
        return None
    with np.load(io.BytesIO(body)) as of:
        return {name: of[name] for name in of.files}


def _seal(body: bytes, file: Path) -> bytes:
    """Return the first line of a file: a hash, also of its name, to detect swapped files."""
    name = f"{file.parent.name}/{file.name}\n".encode()
    return hashlib.sha256(name + body).hexdigest().encode() + b"\n"


def _transform(design: Design) -> list[object]:
    """Return the constants of the covariate transform, which missing values also use."""
    own = design.transform
    kinds = [feature.to_dict() for feature in own.features]
    return [own.names, dict(own.mean), dict(own.scale), kinds]


def named_by(text: str, arrays: Sequence[Floats]) -> str:
    """Return a name that depends on a text and on arrays."""
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        digest.update(repr((array.shape, str(array.dtype))).encode())
        digest.update(
            repr(array.tolist()).encode("utf-8", "surrogatepass")
            if array.dtype.hasobject
            else np.ascontiguousarray(array).tobytes()
        )
    return digest.hexdigest()[:_DIGITS]
