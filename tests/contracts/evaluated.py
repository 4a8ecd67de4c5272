"""A model evaluated by PyMC itself at some points, to compare with the package's own equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.xtensor.math as xtm
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.model.build import build_design
from latentscale.model.design import Design, design
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit, Provenance
from latentscale.posterior.status import Status

POINTS = 3


@dataclass(frozen=True)
class Evaluation:
    """A model at its initial point and at points near it, dims (draw, ...)."""

    model: pm.Model
    design: Design
    logp: np.ndarray
    gradient: np.ndarray
    natural: xr.Dataset
    score_logp: np.ndarray
    prior_logp: dict[str, np.ndarray]
    log_joint: np.ndarray
    mean: np.ndarray
    phi: np.ndarray

    def as_fit(self, spec: ModelSpec) -> Fit:
        """Return the points as if they were posterior draws."""
        status = Status(True, None, False, "points")
        kept = [name for name in self.natural.data_vars if not str(name).endswith("_raw")]
        drawn = Draws(self.natural[kept].expand_dims("chain"), None, status, {})
        return Fit(
            spec=spec,
            scores=self.design.scores,
            tree=to_tree(spec, self.design, drawn),
            status=status,
            transform=self.design.transform,
            provenance=Provenance("points", {}, 0, {}, {}),
        )


def location_and_precision(spec: ModelSpec, score) -> list:
    """Return mu and phi of the cells, from the parameters of PyMC's own distribution."""
    kind = spec.benchmarks.likelihood.kind
    if kind not in ("beta", "beta-binomial", "logit-normal", "student-t"):
        return list(score.owner.inputs[1:3])  # for a kind whose own density enters the model
    first, second = score.owner.inputs[-3:-1] if kind == "student-t" else score.owner.inputs[-2:]
    if kind == "beta":
        return [first, second]
    if kind == "beta-binomial":
        return [first / (first + second), first + second]
    return [xtm.sigmoid(first), 4 / second**2]


def evaluate(spec: ModelSpec, scores: Scores, *, gradient: bool) -> Evaluation:
    """Evaluate log density, gradient, parameters and the likelihood's own mean."""
    prepared = design(spec, scores)
    model = build_design(spec, prepared)
    score = model["score"]
    mean, phi = model.replace_rvs_by_values(location_and_precision(spec, score))
    natural = list(model.unobserved_value_vars)
    free = list(model.free_RVs)
    outputs = [
        model.logp(),
        model.dlogp() if gradient else phi,
        model.logp(vars=[score], sum=False, jacobian=False)[0],
        mean,
        phi,
        model.logp(jacobian=False),
        *model.logp(vars=free, sum=False, jacobian=False),
        *natural,
    ]
    function = model.compile_fn(outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    rng = np.random.default_rng(8)
    start = model.initial_point()
    rows = []
    for jitter in np.linspace(0, 0.7, POINTS):
        point = {k: v + jitter * rng.standard_normal(np.shape(v)) for k, v in start.items()}
        rows.append(function(point))
    dims = {v.name: tuple(v.dims) for v in [*model.free_RVs, *model.deterministics]}
    values = {}
    for position, variable in enumerate(natural, start=6 + len(free)):
        if variable.name in dims:
            stacked = np.stack([np.asarray(row[position]) for row in rows])
            values[variable.name] = (("draw", *dims[variable.name]), stacked)
    used = {dim for d, _ in values.values() for dim in d}
    coords = {k: list(v) for k, v in model.coords.items() if v is not None and k in used}
    return Evaluation(
        model=model,
        design=prepared,
        logp=np.array([float(row[0]) for row in rows]),
        gradient=np.stack([np.asarray(row[1]) for row in rows]),
        natural=xr.Dataset(values, coords=coords),
        score_logp=np.stack([np.asarray(row[2]) for row in rows]),
        prior_logp={
            variable.name: np.stack([np.asarray(row[place]) for row in rows])
            for place, variable in enumerate(free, start=6)
        },
        log_joint=np.array([float(row[5]) for row in rows]),
        mean=np.stack([np.asarray(row[3]) for row in rows]),
        phi=np.stack([np.asarray(row[4]) for row in rows]),
    )
