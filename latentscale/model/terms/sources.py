"""o_s: offsets between scores of different sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import xarray as xr

from latentscale.declare.kinds import TERMS
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.spec import ModelSpec
from latentscale.dims import BENCHMARK
from latentscale.errors import SpecError
from latentscale.maths import Named, as_data
from latentscale.model.attempts import FIRST, OFFSET, first_of_each
from latentscale.model.design import Design
from latentscale.model.priors import coordinate, declare_parameters, deterministic, standard_normal
from latentscale.model.terms.base import Term

SOURCE = "score_source"


@TERMS.add
class Sources(Term):
    """Offsets of sources: harnesses, prompts and vendors that score the same models differently.

    A source's offset is added to the linear predictor of all its benchmarks, partially pooled over
    sources. Benchmarks of one task (``Scores.from_long(..., sources="apart")``) share everything
    except precision and offset: their own intercepts and loadings are not used, and keep their
    priors. Scores of one model from several sources are independent given skills and offsets: a
    deviation that is particular to model and task counts once for each source.
    """

    kind: Literal["sources"] = "sources"
    equation: ClassVar[str] = (
        r"\eta_{ij} \mathrel{+}= o_{s(j)}, \quad o_s \sim \mathrm{Normal}(0, \sigma_o^2)"
    )
    order: ClassVar[int] = 98
    latents: ClassVar[Mapping[str, str]] = {"source_raw": "terms, sources"}
    slots: ClassVar[Mapping[str, PriorSlot]] = {
        # 0.3 on the logit scale is 7 points in the middle: what a prompt or a harness changes.
        "source_scale": PriorSlot(
            Prior("HalfNormal", sigma=0.3),
            "standard deviation of sources' offsets o_s",
            reading="shift",
        )
    }

    def known(self, table: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return the place of each benchmark's task among benchmarks."""
        return {FIRST: xr.DataArray(first_of_each(table), dims=(BENCHMARK,))}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        """Return the spread of the offsets."""
        return {"source_scale": Parameter("source_scale", ())}

    def declare(self, spec: ModelSpec, design: Design) -> dict[str, Named]:
        """Add the offsets, dims (score_source,), and those of benchmarks."""
        table = design.scores.dataset
        own = table["source"].values.astype(str) if "source" in table else np.array([], str)
        names = list(dict.fromkeys(name for name in own.tolist() if name))
        if len(names) < 2:
            raise SpecError(
                "terms, sources: the benchmarks of this table name fewer than two sources. Read a "
                'long table with a column source by Scores.from_long(..., sources="apart"), or '
                "leave the term out."
            )
        coordinate(SOURCE, names)
        values = declare_parameters(spec, self.parameters(spec, design))
        offset = deterministic(
            "source", standard_normal("source", (SOURCE,)) * values["source_scale"]
        )
        places = np.array(
            [names.index(n) if n in names else 0 for n in own.tolist()], dtype="int64"
        )
        named = np.array([float(n in names) for n in own.tolist()])
        of_each = offset.isel({SOURCE: as_data(places, (BENCHMARK,))}) * as_data(
            named, (BENCHMARK,)
        )
        return values | {OFFSET: deterministic(OFFSET, of_each)}
