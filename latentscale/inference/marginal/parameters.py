"""Parameters of the marginal likelihood: one unconstrained vector, and its natural values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from scipy.special import expit, logit

from latentscale.declare.skills import Anchored
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK, COVARIATE, SKILL
from latentscale.inference.tools.regressions import PARTIAL_CORRELATION
from latentscale.model.design import Design
from latentscale.model.identify import loading_masks
from latentscale.model.links.power_logistic import POWER
from latentscale.model.rows import covariate_coords
from latentscale.model.terms.benchmark_slopes import BENCHMARK_SLOPE
from latentscale.model.terms.family_level import SKILL_FACTOR
from latentscale.model.terms.instruct import INSTRUCT_SLOPE
from latentscale.model.terms.precision import PRECISION

FREE_LOADING = "free_loading"
OTHER_SKILL = "other_skill"

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class ParameterBlock:
    """Some parameters that share a name.

    Attributes
    ----------
    name, dims, shape
        Name and named dims of the natural parameter, and its shape.
    scale
        Map from an unconstrained number to a natural one: identity, exp, tanh or the logistic
        curve.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    scale: Literal["real", "log", "atanh", "logit"] = "real"

    @property
    def size(self) -> int:
        """Number of parameters."""
        return int(np.prod(self.shape))

    def natural(self, free: np.ndarray) -> np.ndarray:
        """Return natural values of unconstrained ones."""
        if self.scale == "log":
            return np.exp(free)
        if self.scale == "atanh":
            return np.tanh(free)
        return expit(free) if self.scale == "logit" else free

    def free(self, natural: np.ndarray) -> np.ndarray:
        """Return unconstrained values of natural ones."""
        if self.scale == "log":
            return np.log(natural)
        if self.scale == "atanh":
            return np.arctanh(natural)
        return logit(natural) if self.scale == "logit" else natural


@dataclass(frozen=True)
class ParameterVector:
    """The parameters as one unconstrained vector.

    The vector holds intercepts, slopes and free loadings; the logs of anchor loadings, families'
    scales, precisions and link powers; and atanh of the skills' canonical partial correlations
    (Lewandowski, Kurowicka and Joe 2009), so that every vector gives a valid correlation matrix.

    Attributes
    ----------
    blocks
        The parameters in order.
    loading_mask
        Shape (benchmark, K): 1 for a free loading, 2 for an anchor's own, 0 for an anchor's others.
    floor
        Shape (benchmark,).
    coords
        Names along each dim.
    """

    blocks: tuple[ParameterBlock, ...]
    loading_mask: np.ndarray
    floor: np.ndarray
    coords: Mapping[str, list[str]]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(block.size for block in self.blocks)

    @property
    def skills(self) -> int:
        """Number of skills K."""
        return self.loading_mask.shape[1]

    @property
    def places(self) -> dict[str, slice]:
        """Slice of each block in the vector."""
        ends = np.cumsum([block.size for block in self.blocks])
        return {
            block.name: slice(end - block.size, end)
            for block, end in zip(self.blocks, ends, strict=True)
        }

    def block(self, name: str) -> ParameterBlock | None:
        """Return a block by name, or None if the spec has no such parameter."""
        return next((block for block in self.blocks if block.name == name), None)

    def natural(self, vector: np.ndarray) -> Arrays:
        """Return natural parameters of one vector (P,) or several (..., P), by name.

        In addition to the blocks: ``loading`` (benchmark, skill) with the anchors in place,
        ``factor`` A (skill, skill), with family latents alpha = A y for standard normal y, and, if
        the spec has them, ``skill_cholesky`` and ``ceiling``.
        """
        lead = vector.shape[:-1]
        places = self.places
        values = {
            block.name: block.natural(vector[..., places[block.name]]).reshape(*lead, *block.shape)
            for block in self.blocks
        }
        loading = np.zeros((*lead, *self.loading_mask.shape))
        loading[..., self.loading_mask == 1] = values.pop(FREE_LOADING)
        own = values.get("anchor_loading", np.ones((*lead, self.skills)))
        loading[..., self.loading_mask == 2] = own[..., self._anchor_order()]
        values["loading"] = loading
        factor = np.broadcast_to(np.eye(self.skills), (*lead, self.skills, self.skills))
        if PARTIAL_CORRELATION in values:
            factor = cholesky_of_partials(values.pop(PARTIAL_CORRELATION), self.skills)
            values["skill_cholesky"] = factor
        if "family_scale" in values:
            factor = values["family_scale"][..., :, None] * factor
        values["factor"] = factor
        if "ceiling_share" in values:
            values["ceiling"] = self.floor + (1 - self.floor) * values["ceiling_share"]
        return values

    def _anchor_order(self) -> np.ndarray:
        """Return the skill of each anchor in the order of the benchmarks."""
        return np.nonzero(self.loading_mask == 2)[1]

    def vector(self, natural: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the unconstrained vector of natural parameters (blocks, ``loading``)."""
        parts = []
        for block in self.blocks:
            if block.name == FREE_LOADING:
                value = natural["loading"][self.loading_mask == 1]
            else:
                value = natural[block.name]
            parts.append(block.free(np.asarray(value, dtype=float).ravel()))
        return np.concatenate(parts)

    def labels(self) -> list[str]:
        """Return a name for each entry of the vector, such as ``slope[log_flops, mmlu]``."""
        names: list[str] = []
        for block in self.blocks:
            if block.name == FREE_LOADING:
                rows = [self.coords[BENCHMARK][j] for j in np.nonzero(self.loading_mask == 1)[0]]
                columns = [self.coords[SKILL][k] for k in np.nonzero(self.loading_mask == 1)[1]]
                pairs = zip(rows, columns, strict=True)
                names += [f"loading[{row}, {column}]" for row, column in pairs]
            elif block.name == PARTIAL_CORRELATION:
                rows, columns = (index.tolist() for index in np.tril_indices(self.skills, -1))
                names += [
                    f"{block.name}[{self.coords[SKILL][i]}, {self.coords[SKILL][j]}]"
                    for i, j in zip(rows, columns, strict=True)
                ]
            else:
                axes = [self.coords[dim] for dim in block.dims]
                index = np.ndindex(*block.shape)
                names += [
                    f"{block.name}[{', '.join(a[i] for a, i in zip(axes, at, strict=True))}]"
                    for at in index
                ]
        return names

    def dataset(self, vectors: np.ndarray, lead: tuple[str, ...]) -> xr.Dataset:
        """Return natural parameters of vectors (..., P) with named dims.

        Parameters
        ----------
        vectors
            Unconstrained vectors.
        lead
            Names of their leading dims, such as (chain, draw).
        """
        values = self.natural(vectors)
        del values["factor"]
        dims = {block.name: block.dims for block in self.blocks} | {
            "loading": (BENCHMARK, SKILL),
            "skill_cholesky": (SKILL, SKILL_FACTOR),
            "ceiling": (BENCHMARK,),
        }
        natural = xr.Dataset(
            {name: ((*lead, *dims[name]), value) for name, value in values.items()}
        )
        used = {name: labels for name, labels in self.coords.items() if name in natural.dims}
        if SKILL_FACTOR in natural.dims:
            used[SKILL_FACTOR] = list(range(self.skills))  # type: ignore[arg-type]
        return natural.assign_coords(used)


def parameter_vector(spec: ModelSpec, design: Design) -> ParameterVector:
    """Return the ordered parameters of a spec that quadrature can fit on a table."""
    benchmarks = list(design.scores.benchmarks)
    covariates = covariate_coords(spec, design.transform)
    skills, benchmark = list(design.anchors), spec.benchmarks
    mask = loading_masks(design.anchors, benchmarks, len(skills))
    count, j = len(skills), len(benchmarks)
    anchored = isinstance(spec.skills.identify, Anchored)
    family_unit = anchored and spec.skills.identify.unit == "family"  # type: ignore[union-attr]
    blocks = [ParameterBlock("intercept", (BENCHMARK,), (j,))]
    if benchmark.slopes:
        blocks.append(
            ParameterBlock(
                "benchmark_slope", (BENCHMARK, BENCHMARK_SLOPE), (j, len(benchmark.slopes))
            )
        )
    if benchmark.instruct.shift:
        blocks.append(ParameterBlock("instruct_shift", (BENCHMARK,), (j,)))
    if benchmark.instruct.slopes:
        blocks.append(
            ParameterBlock(
                "instruct_slope", (BENCHMARK, INSTRUCT_SLOPE), (j, len(benchmark.instruct.slopes))
            )
        )
    blocks.append(ParameterBlock(FREE_LOADING, (FREE_LOADING,), (int((mask == 1).sum()),)))
    unit = "anchor_loading" if family_unit else "family_scale"
    blocks.append(ParameterBlock(unit, (SKILL,), (count,), "log"))
    columns = design.transform.columns
    if columns:
        blocks.append(ParameterBlock("slope", (COVARIATE, SKILL), (len(columns), count)))
    if spec.family.correlated and count > 1:
        blocks.append(
            ParameterBlock(
                PARTIAL_CORRELATION, (PARTIAL_CORRELATION,), (count * (count - 1) // 2,), "atanh"
            )
        )
    blocks.append(ParameterBlock("precision", (BENCHMARK,), (j,), "log"))
    if benchmark.precision_covariates:
        shape = (j, len(benchmark.precision_covariates))
        blocks.append(ParameterBlock("precision_slope", (BENCHMARK, PRECISION), shape))
    if POWER in benchmark.link.parameters():
        blocks.append(ParameterBlock(POWER, (BENCHMARK,), (j,), "log"))
    if benchmark.ceiling == "estimated":
        blocks.append(ParameterBlock("ceiling_share", (BENCHMARK,), (j,), "logit"))
    coords = {BENCHMARK: benchmarks, SKILL: skills, **covariates}
    return ParameterVector(tuple(blocks), mask, design.floor.values.astype(float), coords)


def cholesky_of_partials(partial: np.ndarray, count: int) -> np.ndarray:
    """Return Cholesky factors (..., K, K) of correlations from partial correlations (..., pairs).

    Lewandowski, Kurowicka and Joe (2009), with pairs in the order of the lower triangle's
    rows; every row has unit length, so the correlation has unit diagonal.
    """
    factor = np.zeros((*partial.shape[:-1], count, count), dtype=partial.dtype)
    left = np.ones((*partial.shape[:-1], count), dtype=partial.dtype)
    rows, columns = np.tril_indices(count, -1)
    for column in range(count):
        factor[..., column, column] = left[..., column]
        below = rows[columns == column]
        entry = partial[..., np.nonzero(columns == column)[0]]
        factor[..., below, column] = left[..., below] * entry
        left[..., below] = left[..., below] * np.sqrt(1 - entry**2)
    return factor
