"""Storage: read a fit from a file by `Fit.save` or from a folder of draws, without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import xarray as xr

from latentscale.data.scores import Scores
from latentscale.dims import CHAIN, DRAW, POSTERIOR
from latentscale.errors import FitError, listed
from latentscale.expect import expect_path
from latentscale.files import expanded
from latentscale.model.design import Design, design
from latentscale.model.rows import coordinates_of
from latentscale.posterior import netcdf
from latentscale.posterior.convert import skills_last, to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit
from latentscale.posterior.folder import read_header
from latentscale.posterior.header import FitHeader, FolderHeader, parsed, readable, verified
from latentscale.posterior.identified import convergence_of
from latentscale.posterior.saving import SCORES, scores_of, with_attributes
from latentscale.posterior.status import (
    status_of_chains,
    status_of_partial,
    status_with_start,
)
from latentscale.posterior.stream import (
    common_draws,
    finished_runs_without_hash,
    read_chains,
    runs_without_hash,
    wanted_draws,
)
from latentscale.posterior.zarr_store import ChainDraws


def load(path: str | Path) -> Fit:
    """Read a fit that `Fit.save` wrote, or the draws that ``NUTS(store=...)`` writes.

    Files and folders of every earlier version can be read.

    Parameters
    ----------
    path
        The NetCDF file, or the folder of draws; ``~`` is expanded. A folder can be read while its
        sampler runs and after a crash. The fit then holds the draws that the longer chains have
        in common, and its status says that it is partial.

    Returns
    -------
    Fit
        The saved fit.

    Raises
    ------
    FitError
        If there is no such file; if it was not written by latentscale, or by a newer version; if
        it is damaged or was changed; or if a folder holds no draws yet.

    Examples
    --------
    >>> path = fit.save("example.nc")
    >>> ls.load(path).spec.name
    'small'
    """
    expect_path(path, "path")
    path = expanded(path, FitError)
    with readable(path):
        if path.is_dir():
            return read_folder(path).fit()
        with netcdf.opened(path) as file:
            text = netcdf.header_text(file, path)
            if text is None:
                raise FitError(f"{path} was not written by latentscale's Fit.save.")
            document = parsed(text, path)
            tree = netcdf.read_tree(file, path)
        header = FitHeader.from_dict(verified(document, tree, path), path)
        if header.attributes is not None:
            tree = with_attributes(tree, header.attributes)
        posterior = tree[POSTERIOR].to_dataset()
        tree[POSTERIOR] = xr.DataTree(skills_last(posterior))  # earlier versions wrote other orders
        return Fit(
            spec=header.spec,
            scores=scores_of(tree[SCORES].to_dataset()),
            tree=tree.drop_nodes(SCORES),
            status=header.status,
            transform=header.transform,
            provenance=header.provenance,
        )


@dataclass(frozen=True)
class StoredRun:
    """The contents of a folder of draws other than the draws.

    Attributes
    ----------
    path
        The folder.
    header
        Its spec, covariate transform, provenance, stored variables and starting points.
    scores
        As in a fit.
    """

    path: Path
    header: FolderHeader
    scores: Scores

    @property
    def design(self) -> Design:
        """The constants of the model."""
        return design(self.header.spec, self.scores, transform=self.header.transform)

    def chains(self) -> dict[int, ChainDraws]:
        """Return the draws in the folder, chain by chain.

        Raises
        ------
        FitError
            If they are damaged, or their labels differ from those of the scores and the spec.
        """
        chains = read_chains(self.path, self.header.variables)
        expected = coordinates_of(self.header.spec, self.design)
        for number, chain in chains.items():
            for dim, labels in chain.posterior.coords.items():
                wanted = [str(label) for label in expected.get(str(dim), labels.values)]
                if labels.values.astype(str).tolist() != wanted:
                    raise FitError(
                        f'{self.path} cannot be read: chain {number} labels its "{dim}" '
                        f"{listed(labels.values)}, but its scores and spec have "
                        f"{listed(wanted)}. It is damaged; use an intact copy."
                    )
        return chains

    def fit(self) -> Fit:
        """Return the draws in the folder as a fit.

        Raises
        ------
        FitError
            If there is no kept draw yet, or the draws are damaged.
        """
        header = self.header
        unhashed = runs_without_hash(self.path)
        old = finished_runs_without_hash(self.path)
        chains = self.chains()
        go_on = f'latentscale.resume("{self.path}")'
        if not any(chain.length for chain in chains.values()):
            raise FitError(
                f"{self.path} holds no draws yet: sampling was stopped before the first kept draw, "
                f"or is still in warm-up. {go_on} starts it again."
            )
        posterior, stats = common_draws(chains)
        wanted, asked = wanted_draws(self.path), header.provenance.settings["chains"]
        partial = posterior.sizes[CHAIN] < asked or posterior.sizes[DRAW] < wanted
        figures = convergence_of(header.spec, self.design, posterior, stats)
        status = status_of_chains(figures, interrupted=partial)
        if partial:
            held = (
                f"{posterior.sizes[CHAIN]} of {asked} chains, "
                f"{posterior.sizes[DRAW]} of {wanted} draws a chain"
            )
            status = status_of_partial(status, held, go_on)
        if unhashed:
            status = replace(status, advice=(*status.advice, _without_hash(unhashed, go_on)))
        if old:
            status = replace(status, advice=(*status.advice, _of_old(old)))
        status = status_with_start(status, header.start_message, header.start_advice)
        draws = Draws(posterior, stats, status, {})
        return Fit(
            spec=header.spec,
            scores=self.scores,
            tree=to_tree(header.spec, self.design, draws),
            status=status,
            transform=header.transform,
            provenance=header.provenance,
        )


def _without_hash(names: Sequence[str], go_on: str) -> str:
    return (
        f"{listed(names)} did not end, so its draws have no hash: they are known to be complete, "
        f"but someone may have changed them. {go_on} ends it and gives them one."
    )


def _of_old(names: Sequence[str]) -> str:
    return (
        f"{listed(names)}: a version before 0.2 wrote these draws without a hash, so damage that "
        "leaves valid numbers cannot be detected. Save the fit with fit.save(path), which gives it "
        "one."
    )


def read_folder(path: Path) -> StoredRun:
    """Read the contents of a folder of draws other than the draws.

    Raises
    ------
    FitError
        If it is not a folder of draws, or was changed after it was made.
    """
    header, scores = read_header(path)
    return StoredRun(path, header, Scores(scores).select())
