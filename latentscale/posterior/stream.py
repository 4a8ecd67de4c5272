"""Draws on disk as they come: a folder that can be read at any moment, also after a crash.

A folder holds the spec, the scores and the settings (``fit.json``, ``scores.nc``) and one
sub-folder a run of the sampler. While a run goes on its draws are chunks of a Zarr store, each
written whole; when it ends they become one NetCDF file.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.errors import FitError
from latentscale.model.design import Design
from latentscale.posterior.draws import kept_chains, sampler_statistics
from latentscale.posterior.fit import Provenance
from latentscale.posterior.integrity import content_hash
from latentscale.spec.spec import ModelSpec

FORMAT = 1
HEADER = "fit.json"
_SCORES, _RUN, _ZARR, _DONE = "scores.nc", "run.json", "draws.zarr", "draws.nc"
_POSITION = "position"


@dataclass(frozen=True)
class ChainDraws:
    """Draws of one chain.

    Attributes
    ----------
    posterior, stats
        Parameters and statistics, dims (draw, ...).
    position
        Where the chain stood last on the unconstrained scale, shape (n,); None if it had not
        moved.
    """

    posterior: xr.Dataset
    stats: xr.Dataset
    position: np.ndarray | None

    @property
    def length(self) -> int:
        """Number of kept draws."""
        return int(self.posterior.sizes.get(DRAW, 0))


def start_folder(
    path: Path,
    spec: ModelSpec,
    design: Design,
    provenance: Provenance,
    variables: Sequence[str],
    *,
    message: str = "",
    advice: Sequence[str] = (),
    chart: Mapping[str, Any] | None = None,
) -> None:
    """Make a folder for draws, with all that is needed to read them.

    Parameters
    ----------
    path
        The folder to make.
    spec, design, provenance
        What is fitted, and how.
    variables
        Names of the parameters that are stored.
    message, advice
        Where the chains begin, and what to do about it, for the status.
    chart
        The coordinates of the chains' positions, as JSON holds them; None for the model's own.

    Raises
    ------
    FitError
        If there is already something at `path`.
    """
    refuse_used(path)
    path.mkdir(parents=True, exist_ok=True)
    design.scores.dataset.to_netcdf(path / _SCORES, engine="h5netcdf")
    header = {
        "format": FORMAT,
        "spec": spec.to_json(),
        "digest": spec.digest,
        "transform": design.transform.to_dict(),
        "provenance": asdict(provenance),
        "variables": list(variables),
        "start": {"message": message, "advice": list(advice)},
        "chart": chart,
    }
    header["hash"] = content_hash(_tree_of(design.scores.dataset), header)
    _write_json(path / HEADER, header)


def refuse_used(path: Path) -> None:
    """Refuse a path at which something stands already.

    Raises
    ------
    FitError
        If it is a file, or a folder that is not empty.
    """
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise FitError(
            f"{path} is already in use: name a new folder, or go on with the draws in it by "
            f'latentscale.resume("{path}").'
        )


def read_header(path: Path) -> tuple[dict[str, Any], xr.Dataset]:
    """Return the header and the scores of a folder.

    Raises
    ------
    FitError
        If it is not a folder of draws, or was changed after it was made.
    """
    if not (path / HEADER).is_file():
        raise FitError(
            f'{path} is a folder and holds no draws by latentscale: there is no "{HEADER}" in it. '
            "Give the file that fit.save wrote, or the folder of NUTS(store=...)."
        )
    try:
        header: dict[str, Any] = json.loads((path / HEADER).read_text(encoding="utf-8"))
        scores = xr.load_dataset(path / _SCORES, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise FitError(f"{path} is not a folder of draws by latentscale: {error}") from None
    if header.get("format") != FORMAT:
        raise FitError(
            f"{path} has format {header.get('format')}, but this version reads format {FORMAT}."
        )
    claimed = header.pop("hash", None)
    if claimed != content_hash(_tree_of(scores), header):
        raise FitError(f"{path} does not match its own hash: it was changed after it was made.")
    return header, scores


def start_run(path: Path, chains: Sequence[int], draws: int, tune: int, seed: int) -> Path:
    """Make the sub-folder of one run and return it; its Zarr store is `zarr_folder`.

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
    """
    for number in range(len(runs(path)), 1_000_000):
        run = path / f"run-{number:03d}"
        try:
            run.mkdir()
        except FileExistsError:
            continue
        zarr_folder(run).mkdir()
        record = {"chains": list(chains), "draws": draws, "tune": tune, "seed": seed}
        _write_json(run / _RUN, record)
        return run
    raise FitError(f"{path} holds too many runs.")


def runs(path: Path) -> list[Path]:
    """Return the runs of a folder in order."""
    return sorted(run for run in path.glob("run-*") if (run / _RUN).is_file())


def zarr_folder(run: Path) -> Path:
    """Return where a run's draws go while it samples."""
    return run / _ZARR


def wanted_draws(path: Path) -> int:
    """Return how many draws a chain should have when all runs are done."""
    return max((_record(run)["draws"] for run in runs(path)), default=0)


def finish_run(run: Path, variables: Sequence[str]) -> None:
    """Turn a run's Zarr store into one NetCDF file."""
    chains = _read_zarr(run, variables)
    groups: dict[str, xr.Dataset] = {}
    for number, chain in chains.items():
        groups[f"chain-{number}/posterior"] = chain.posterior
        stats = chain.stats
        if chain.position is not None:
            stats = stats.assign({_POSITION: ("unconstrained", chain.position)})
        groups[f"chain-{number}/sample_stats"] = stats
    unfinished = run / "unfinished.nc"
    xr.DataTree.from_dict(groups).to_netcdf(unfinished, engine="h5netcdf")
    os.replace(unfinished, run / _DONE)
    shutil.rmtree(zarr_folder(run))


def read_chains(path: Path, variables: Sequence[str]) -> dict[int, ChainDraws]:
    """Return all draws in a folder, chain by chain, runs joined in order."""
    found: dict[int, ChainDraws] = {}
    for run in runs(path):
        done = (run / _DONE).is_file()
        chains = _read_done(run) if done else _read_zarr(run, variables)
        for number, chain in chains.items():
            found[number] = _joined(found[number], chain) if number in found else chain
    return dict(sorted(found.items()))


def common_draws(chains: dict[int, ChainDraws]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return what the chains that got far have in common, dims (chain, draw, ...).

    Raises
    ------
    FitError
        If there is no kept draw.
    """
    numbers = list(chains)
    far, length = kept_chains([chains[number].length for number in numbers])
    kept = [chains[numbers[index]] for index in far]
    index = xr.DataArray(np.arange(len(kept)), dims=(CHAIN,), name=CHAIN)

    def joined(parts: list[xr.Dataset]) -> xr.Dataset:
        cut = [part.isel({DRAW: slice(length)}) for part in parts]
        together = xr.concat(cut, dim=index).assign_coords({DRAW: np.arange(length)})
        return together.transpose(CHAIN, DRAW, ...)

    return joined([chain.posterior for chain in kept]), joined([chain.stats for chain in kept])


def _joined(first: ChainDraws, second: ChainDraws) -> ChainDraws:
    position = first.position if second.position is None else second.position
    parts = [part for part in (first, second) if part.length]
    if len(parts) < 2:
        kept = parts[0] if parts else second
        return ChainDraws(kept.posterior, kept.stats, position)
    posterior = xr.concat([part.posterior for part in parts], dim=DRAW)
    return ChainDraws(posterior, xr.concat([p.stats for p in parts], dim=DRAW), position)


def _read_done(run: Path) -> dict[int, ChainDraws]:
    with xr.open_datatree(run / _DONE, engine="h5netcdf") as opened:
        tree = opened.load()
    found = {}
    for number in _record(run)["chains"]:
        stats = tree[f"chain-{number}/sample_stats"].to_dataset()
        position = stats[_POSITION].values if _POSITION in stats else None
        posterior = tree[f"chain-{number}/posterior"].to_dataset()
        found[number] = ChainDraws(posterior, stats.drop_vars(_POSITION, errors="ignore"), position)
    return found


def _read_zarr(run: Path, variables: Sequence[str]) -> dict[int, ChainDraws]:
    try:
        tree = xr.open_datatree(zarr_folder(run), engine="zarr", consolidated=False)
        groups = [tree[name] for name in ("posterior", "sample_stats", "warmup_sample_stats")]
    except (OSError, ValueError, KeyError):
        return {}  # stopped before the sampler had described its store
    posterior, stats, warm_up = (group.to_dataset() for group in groups)
    found = {}
    for place, number in enumerate(_record(run)["chains"]):
        at = {CHAIN: place}
        found[number] = _read_chain(
            posterior[list(variables)].isel(at), stats.isel(at), warm_up.isel(at)
        )
    return found


def _read_chain(posterior: xr.Dataset, stats: xr.Dataset, warm_up: xr.Dataset) -> ChainDraws:
    """Read the draws that are whole: chunks of other variables may not have been written."""
    until = slice(_drawn(stats["energy"]))
    position = stats["unconstrained_draw"].isel({DRAW: until}).values
    posterior = _plain(posterior.isel({DRAW: until}).load())
    named = sampler_statistics(stats).isel({DRAW: until}).load().drop_attrs()
    whole = np.isfinite(position).all(axis=1) & (named["n_steps"].values > 0)
    for dataset in (posterior, named):
        for variable in dataset.data_vars.values():
            finite = np.isfinite(variable.transpose(DRAW, ...).values)
            whole &= finite.all(axis=tuple(range(1, finite.ndim)))
    length = int(whole.cumprod().sum())
    keep = {DRAW: slice(length)}
    if length:
        return ChainDraws(posterior.isel(keep), named.isel(keep), position[length - 1])
    moved = _drawn(warm_up["energy"])
    last = warm_up["unconstrained_draw"].isel({DRAW: slice(max(moved - 1, 0), moved)}).values
    there = last[0] if len(last) and np.isfinite(last).all() else None
    return ChainDraws(posterior.isel(keep), named.isel(keep), there)


def _drawn(energy: xr.DataArray) -> int:
    """Return the number of draws written, by bisection: the store is as long as it will be."""
    low, high = 0, int(energy.sizes[DRAW])
    while low < high:
        middle = (low + high) // 2
        if np.isfinite(float(energy.isel({DRAW: middle}))):
            low = middle + 1
        else:
            high = middle
    return low


def _plain(posterior: xr.Dataset) -> xr.Dataset:
    """Return draws with plain text labels, and only the coordinates that they use."""
    used = {dim for variable in posterior.data_vars.values() for dim in variable.dims}
    dropped = [name for name in posterior.coords if name not in used or name in (CHAIN, DRAW)]
    plain = posterior.drop_vars(dropped).drop_attrs()
    texts = {
        name: np.array([str(text) for text in label.values])
        for name, label in plain.coords.items()
        if label.dtype.kind not in "iufb"
    }
    return plain.assign_coords(texts)


def _record(run: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((run / _RUN).read_text(encoding="utf-8"))
    return record


def _tree_of(scores: xr.Dataset) -> xr.DataTree:
    return xr.DataTree.from_dict({"scores": scores})


def _write_json(path: Path, document: dict[str, Any]) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(document, sort_keys=True), encoding="utf-8")
    os.replace(unfinished, path)
