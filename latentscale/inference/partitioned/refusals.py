"""Settings, folders, specs and tables that methods with shards refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError, SpecError
from latentscale.expect import checked_cluster, checked_workers, expect_path
from latentscale.files import expanded, reason, writable_path
from latentscale.inference.method import Method

MOST_LATENTS = 1000
"""Most latents of one lineage: importance sampling in more dimensions is degenerate, and the
curvature takes one gradient per latent."""


def check_engine(method: Method) -> None:
    """Refuse invalid workers, address and folder; make the folder's path absolute."""
    name, settings = type(method).__name__, vars(method)
    checked_workers(settings["workers"])
    checked_cluster(settings["cluster"], f"{name}.cluster")
    folder = settings["folder"]
    if folder is not None:
        expect_path(folder, f"{name}.folder")
        path = expanded(folder, FitError).absolute()  # workers may run in another folder
        object.__setattr__(method, "folder", str(path))  # as in JSON


def made_folder(path: str | Path | None) -> Path | None:
    """Return a folder, made if it does not exist; refuse it if no file can be made in it."""
    if path is None:
        return None
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise FitError(f"Cannot make the folder {folder}: {reason(failure)}.") from failure
    writable_path(folder / "result.npz", FitError)
    return folder


def refuse_specs(spec: ModelSpec, method: Method) -> None:
    """Refuse skills that can be rotated, since the posterior then has no single mode."""
    if spec.skills.count and spec.skills.identify.kind != "anchored":
        raise SpecError(
            f'{type(method).__name__} needs skills.identify of kind "anchored"; it is '
            f'"{spec.skills.identify.kind}", and then skills can be rotated, so the posterior of '
            "loadings has no single mode. Name anchors, or use NUTS."
        )


def refuse_sizes(unit: np.ndarray, method: Method, *, does: str) -> None:
    """Refuse a table without latents, and lineages with too many; `unit` has latents' lineages."""
    name = type(method).__name__
    if not (unit >= 0).any():
        raise SpecError(
            f"{name} {does} latents of families, lineages and models, but this spec "
            "has none. Use NUTS or Laplace."
        )
    most = int(np.bincount(unit[unit >= 0]).max())
    if most > MOST_LATENTS:
        raise SpecError(
            f"One lineage has {most} latents; {name} takes up to {MOST_LATENTS}. Set "
            "family.lineage = false if a lineage has very many families, or use ADVI(batch=500)."
        )
