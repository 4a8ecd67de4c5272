"""Draws streamed to disk: runs of a sampler that can be read at any moment, even after a crash.

`latentscale.posterior.folder` describes the folder that holds the runs. During a run, draws are
written as complete chunks of a Zarr store; at its end they become one NetCDF file. ``run.json``
records which chains run and how many draws each had before.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.errors import FitError
from latentscale.files import reason, replacing
from latentscale.posterior import netcdf
from latentscale.posterior.draws import kept_chains
from latentscale.posterior.folder import unverified_header
from latentscale.posterior.header import (
    SCHEMA,
    file_text,
    json_table,
    parsed,
    readable,
    sealed,
    verified,
)
from latentscale.posterior.zarr_store import ChainDraws, read_store

_RUN, _ZARR, _DONE = "run.json", "draws.zarr", "draws.nc"
_POSITION, _LOG_DENSITY = "position", "log_density"
"""Stored with the statistics, only for the last draw."""
_MOST_RUNS = 1_000_000  # reached after three years of resuming a thousand times a day


def start_run(
    path: Path,
    chains: Sequence[int],
    draws: int,
    tune: int,
    seed: int,
    before: Mapping[int, int] | None = None,
) -> Path:
    """Make the sub-folder of one run and return it; its Zarr store is at `zarr_folder`.

    Parameters
    ----------
    path
        The folder of draws.
    chains
        Numbers of the chains that run, in the sampler's order.
    draws
        Draws that each chain has after this run, earlier runs included.
    tune, seed
        Warm-up and seed of this run.
    before
        Draws that each chain has before this run; None if unknown.

    Raises
    ------
    FitError
        If the folder cannot be written to.
    """
    record = {
        "schema": SCHEMA,
        "fit": unverified_header(path).get("hash"),
        "chains": list(chains),
        "before": None if before is None else {str(c): before.get(c, 0) for c in chains},
        "draws": draws,
        "tune": tune,
        "seed": seed,
    }
    for number in range(len(runs(path)), _MOST_RUNS):
        run = path / f"run-{number:03d}"
        try:
            run.mkdir()
            zarr_folder(run).mkdir()
        except FileExistsError:
            continue
        except OSError as failure:
            raise FitError(f"Cannot write to {path}: {reason(failure)}.") from failure
        with replacing(run / _RUN, FitError) as unfinished:
            unfinished.write_text(sealed(record, xr.DataTree()), encoding="utf-8")
        return run
    raise FitError(f"{path} holds too many runs.")


def runs(path: Path) -> list[Path]:
    """Return the runs of a folder in order."""
    begun = [run for run in path.glob("run-*") if (run / _RUN).is_file()]
    return sorted(begun, key=lambda run: (len(run.name), run.name))


def runs_without_hash(path: Path) -> list[str]:
    """Return the names of runs whose draws are still in the sampler's own store.

    The sampler writes chunks without a hash, so a change there cannot be detected; the file of a
    finished run has a hash.
    """
    return [run.name for run in runs(path) if not (run / _DONE).is_file()]


def finished_runs_without_hash(path: Path) -> list[str]:
    """Return the names of finished runs of schema 1, whose files do not have a hash."""
    done = [(run, record) for run, record in _records(path) if (run / _DONE).is_file()]
    return [run.name for run, record in done if "schema" not in record]


def zarr_folder(run: Path) -> Path:
    """Return the folder of a run's draws during sampling."""
    return run / _ZARR


def wanted_draws(path: Path) -> int:
    """Return the number of draws that each chain will have when all runs are done."""
    return max((record["draws"] for _, record in _records(path)), default=0)


def finish_run(run: Path, variables: Sequence[str]) -> None:
    """Turn a run's Zarr store into one NetCDF file; a run without draws is left unchanged.

    Raises
    ------
    FitError
        If the disk is full; the draws then stay in the Zarr store.
    """
    if not (run / _DONE).is_file():
        record = _record(run, unverified_header(run.parent))
        chains = read_store(zarr_folder(run), record["chains"], variables)
        if not chains:
            return
        groups: dict[str, xr.Dataset] = {}
        for number, chain in chains.items():
            groups[f"chain-{number}/posterior"] = chain.posterior
            stats = chain.stats
            if chain.position is not None:
                stats = stats.assign({_POSITION: ("unconstrained", chain.position)})
            if chain.log_density is not None:
                stats = stats.assign({_LOG_DENSITY: chain.log_density})
            groups[f"chain-{number}/sample_stats"] = stats
        tree = xr.DataTree.from_dict(groups)
        header = sealed({"schema": SCHEMA, "run": record.get("hash")}, tree)
        netcdf.write(run / _DONE, netcdf.image(tree, header, run / _DONE))
    shutil.rmtree(zarr_folder(run), ignore_errors=True)


def read_chains(path: Path, variables: Sequence[str]) -> dict[int, ChainDraws]:
    """Return all draws in a folder by chain, with runs joined in order.

    Raises
    ------
    FitError
        If a run is damaged or was changed, or two runs hold the same draws of a chain.
    """
    held: dict[int, ChainDraws] = {}
    for run, record in _records(path):
        for number, chain in _read_run(run, record, variables).items():
            earlier = held[number].length if number in held else 0
            _refuse_overlap(run, record, number, earlier, chain.length)
            held[number] = _joined(held[number], chain) if number in held else chain
    return dict(sorted(held.items()))


def common_draws(chains: dict[int, ChainDraws]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the draws that the longer chains have in common, dims (chain, draw, ...).

    Chains keep their numbers, to which statuses refer.

    Raises
    ------
    FitError
        If there are no kept draws.
    """
    numbers = list(chains)
    far, length = kept_chains([chains[number].length for number in numbers])
    kept = [chains[numbers[index]] for index in far]
    index = xr.DataArray([numbers[index] for index in far], dims=(CHAIN,), name=CHAIN)

    def joined(chains: list[xr.Dataset]) -> xr.Dataset:
        cut = [draws.isel({DRAW: slice(length)}) for draws in chains]
        together = xr.concat(cut, dim=index).assign_coords({DRAW: np.arange(length)})
        return together.transpose(CHAIN, DRAW, ...)

    return joined([chain.posterior for chain in kept]), joined([chain.stats for chain in kept])


def _joined(first: ChainDraws, second: ChainDraws) -> ChainDraws:
    at = first if second.position is None else second
    moved_on = first.has_moved_on if at is first else not second.length
    runs = [draws for draws in (first, second) if draws.length]
    if len(runs) < 2:
        kept = runs[0] if runs else second
        return ChainDraws(kept.posterior, kept.stats, at.position, at.log_density, moved_on)
    posterior = xr.concat([draws.posterior for draws in runs], dim=DRAW)
    stats = xr.concat([draws.stats for draws in runs], dim=DRAW)
    return ChainDraws(posterior, stats, at.position, at.log_density, moved_on)


def _refuse_overlap(
    run: Path, record: Mapping[str, Any], chain: int, earlier: int, length: int
) -> None:
    """Refuse draws that two samplers added at the same position, and gaps left by removed runs."""
    before = (record.get("before") or {}).get(str(chain))
    if length and before is not None and before > earlier:
        raise FitError(
            f"{run} continues from draw {before} of chain {chain}, but the runs before it hold "
            f"{earlier}: a run is missing from the folder, or damaged."
        )
    # Runs of schema 1 do not record their start, but none goes beyond the requested draws.
    twice = earlier + length > record["draws"] if before is None else before < earlier
    if length and twice:
        raise FitError(
            f"{run} and a run before it hold the same draws of chain {chain}: two samplers ran at "
            f"once. Move {run} out of the folder, then load or resume it."
        )


def _read_run(
    run: Path, record: Mapping[str, Any], variables: Sequence[str]
) -> dict[int, ChainDraws]:
    if (run / _DONE).is_file():
        return _read_done(run, record)
    try:
        chains = read_store(zarr_folder(run), record["chains"], variables)
    except FitError:
        chains = {}
        if not (run / _DONE).is_file():
            raise
    # The sampler may have finished and removed the store while it was being read.
    return _read_done(run, record) if (run / _DONE).is_file() else chains


def _read_done(run: Path, record: Mapping[str, Any]) -> dict[int, ChainDraws]:
    path = run / _DONE
    with readable(path):
        with netcdf.opened(path) as file:
            text = netcdf.header_text(file, path)
            tree = netcdf.read_tree(file, path)
        if "schema" in record:
            content = verified(parsed(text, path), tree, path)
            if content.get("run") != record["hash"]:
                raise FitError(f"{path} belongs to a different run: it was moved or changed.")
        return {
            number: _chain(tree.children[f"chain-{number}"])
            for number in record["chains"]
            if f"chain-{number}" in tree.children
        }


def _chain(group: xr.DataTree) -> ChainDraws:
    stats = group["sample_stats"].to_dataset()
    position = stats[_POSITION].values if _POSITION in stats else None
    density = float(stats[_LOG_DENSITY]) if _LOG_DENSITY in stats else None
    posterior = group["posterior"].to_dataset()
    plain = stats.drop_vars([_POSITION, _LOG_DENSITY], errors="ignore")
    return ChainDraws(posterior, plain, position, density)


def _records(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    fit = unverified_header(path)
    return [(run, _record(run, fit)) for run in runs(path)]


def _record(run: Path, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's record, verified except for runs of schema 1, which do not have a hash.

    A folder of schema 1 may hold runs of both kinds; `fit` is its header.
    """
    path = run / _RUN
    text = file_text(path)
    document = json_table(text, path)
    is_sealed = "schema" in document or "schema" in fit
    if is_sealed:
        verified(parsed(text, path), xr.DataTree(), path)
        if document.get("fit") != fit.get("hash"):
            raise FitError(f"{run} belongs to another folder of draws: take it out of this one.")
    kinds: dict[str, Any] = {"chains": list, "draws": int, "tune": int, "seed": int}
    kinds |= {"before": dict | None} if is_sealed else {}
    for key, kind in kinds.items():
        if not isinstance(document.get(key), kind):
            raise FitError(f'{path} cannot be read: its "{key}" is missing or of the wrong type.')
    if not all(isinstance(chain, int) for chain in document["chains"]):
        raise FitError(f'{path} cannot be read: its "chains" are not numbers.')
    return document
