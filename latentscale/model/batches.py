"""Batches: families partitioned into groups of models, and the positions of their parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pymc as pm

from latentscale.data.scaling import with_items_of_scores
from latentscale.data.scores import Scores
from latentscale.dims import (
    FAMILY,
    LINEAGE,
    MISSING_OF_RELEASE,
    MISSING_VALUE,
    MODEL,
    UNDISCLOSED,
    UNDISCLOSED_RELEASE,
)
from latentscale.model.design import Design
from latentscale.model.rows import release_coords

LOCAL_DIMS = (
    MODEL,
    FAMILY,
    LINEAGE,
    UNDISCLOSED,
    MISSING_VALUE,
    UNDISCLOSED_RELEASE,
    MISSING_OF_RELEASE,
)
"""Dims of parameters that belong only to some models of the table."""


@dataclass(frozen=True)
class Batch:
    """Some families of a table, with their lineages, models and cells.

    Attributes
    ----------
    design
        The batch's own design, with the whole table's covariate transform.
    positions
        For each dim of `LOCAL_DIMS`, the positions of the batch's entries in the whole table.
    """

    design: Design
    positions: dict[str, np.ndarray]


@dataclass(frozen=True)
class VariableSlices:
    """Positions of a model's free variables in its unconstrained point.

    Attributes
    ----------
    shapes, dims
        Shape and dims of each variable's unconstrained value, in the point's order.
    """

    shapes: dict[str, tuple[int, ...]]
    dims: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, model: pm.Model) -> VariableSlices:
        """Return the slices of a model that `build_design` made."""
        initial = model.initial_point(random_seed=0)
        named = {v.name: model.rvs_to_values[v].name for v in model.free_RVs}
        return cls(
            shapes={name: np.shape(initial[value]) for name, value in named.items()},
            dims={
                name: tuple(str(dim) for dim in model.named_vars_to_dims.get(name, ()))
                for name in named
            },
        )

    @property
    def shared(self) -> tuple[str, ...]:
        """Variables that all batches of a table share."""
        return tuple(name for name, dims in self.dims.items() if not set(dims) & set(LOCAL_DIMS))

    def places(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of a batch's parameters in the whole point.

        Returns
        -------
        Positions of the batch's parameters in this model's point, in the batch's order, shape (n,),
        and which of them all batches share, shape (n,).
        """
        begin, where, shared = 0, [], []
        for name, shape in self.shapes.items():
            along = [
                batch.positions.get(dim, np.arange(length))
                for dim, length in zip(self.dims[name], shape, strict=True)
            ]
            inside = begin + np.arange(int(np.prod(shape))).reshape(shape)
            where.append(np.ravel(inside[np.ix_(*along)] if shape else inside))
            shared.append(np.full(where[-1].size, name in self.shared))
            begin += inside.size
        return np.concatenate(where), np.concatenate(shared)


def deal(design: Design, size: int, rng: np.random.Generator) -> tuple[Batch, ...]:
    """Partition a table's families, lineage by lineage, into batches of about `size` models.

    Parameters
    ----------
    design
        The whole table.
    size
        Models per batch; a lineage is never split, so batches can be larger.
    rng
        Generator that draws the order.

    Returns
    -------
    Batches without centring (see `Design.centred`), each model in one of them.
    """
    of_family = design.lineage_of_family if design.use_lineage else np.arange(len(design.families))
    of_model = of_family[design.family_of_model]
    counts = np.bincount(of_model, minlength=of_family.max() + 1)
    order = rng.permutation(len(counts))
    number = max(1, round(len(of_model) / size))
    batch_of_group = np.empty(len(counts), int)
    reached = np.cumsum(counts[order]) - counts[order] / 2
    batch_of_group[order] = np.minimum(number * reached / len(of_model), number - 1).astype(int)
    batch_of_model = batch_of_group[of_model]
    return tuple(
        batch_of(design, np.nonzero(batch_of_model == k)[0]) for k in np.unique(batch_of_model)
    )


def batch_of(design: Design, models: np.ndarray) -> Batch:
    """Return some models of a table as a batch.

    Parameters
    ----------
    design
        The whole table.
    models
        Ascending indices of the models, shape (n,); a lineage is included whole or not at all.
    """
    families = np.unique(design.family_of_model[models])
    lineages = np.unique(design.lineage_of_family[families])
    cells = np.isin(design.model_of_cell, models)
    whole = Scores(with_items_of_scores(design.scores.dataset))
    own = replace(
        design,
        scores=whole.select(models=list(np.array(design.scores.models)[models])),
        x=design.x.isel({MODEL: models}),
        families=tuple(design.families[f] for f in families),
        lineages=tuple(design.lineages[g] for g in lineages),
        family_of_model=np.searchsorted(families, design.family_of_model[models]),
        lineage_of_family=np.searchsorted(lineages, design.lineage_of_family[families]),
        model_of_cell=np.searchsorted(models, design.model_of_cell[cells]),
        benchmark_of_cell=design.benchmark_of_cell[cells],
        score_of_cell=design.score_of_cell[cells],
        centred=False,
    )
    positions = {
        MODEL: models,
        FAMILY: families,
        LINEAGE: lineages,
        UNDISCLOSED: _places(own.undisclosed, design.undisclosed),
        MISSING_VALUE: _places(own.estimated, design.estimated),
    }
    if design.use_release:
        mine, whole_table = release_coords(own), release_coords(design)
        positions |= {dim: _places(mine.get(dim, []), all_) for dim, all_ in whole_table.items()}
    return Batch(own, positions)


def _places(labels: Iterable[str], among: Iterable[str]) -> np.ndarray:
    place = {label: index for index, label in enumerate(among)}
    return np.array([place[label] for label in labels], dtype=int)
