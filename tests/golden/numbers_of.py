"""Numbers of a model that no change of the code may alter: densities, likelihoods, forecasts.

Shared by the script that writes them (`write_numbers.py`) and by the test that compares them.
Points are drawn by the name of each variable, so the order of declarations does not matter.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import latentscale as ls
from latentscale.model import priors
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.posterior.convert import to_tree
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit, Provenance
from latentscale.posterior.status import Status

try:
    from latentscale.declare import ModelSpec, shipped_specs, spec_from_dict
except ModuleNotFoundError:  # version 0.1
    from latentscale.spec import ModelSpec, shipped_specs, spec_from_dict

JITTERS = (0.0, 0.3, 0.6)
"""Distance of each point from PyMC's initial point, in units of the unconstrained scale."""

VARIANTS: dict[str, dict[str, Any]] = {
    "free skills": {"skills": {"count": 3, "identify": {"kind": "free"}}},
    "cloglog link": {"benchmarks": {"link": {"kind": "cloglog"}, "ceiling": "estimated"}},
    "monotone link": {"benchmarks": {"link": {"kind": "monotone"}, "floor": "estimated"}},
    "shared monotone link": {
        "benchmarks": {"link": {"kind": "monotone", "knots": [0], "shared": True}}
    },
    "family unit": {
        "skills": {"count": 3, "identify": {"kind": "anchored", "unit": "family"}},
        "family": {"level": "partial", "correlated": True, "lineage": True},
    },
    "fixed families": {"family": {"level": "fixed"}, "benchmarks": {"family_effect": True}},
    "residual, no families": {
        "skills": {"count": 2, "residual": True},
        "family": {"level": "none"},
    },
    "no covariates": {"covariates": [], "skills": {"count": 1}},
    "instruct as a covariate": {"covariates": ["log_params", "instruct", "log_params:instruct"]},
    "benchmark curves alone": {
        "skills": {"count": 0},
        "benchmarks": {"slopes": ["log_flops"], "family_effect": True},
    },
    "beta-binomial": {"benchmarks": {"likelihood": {"kind": "beta-binomial"}}},
    "logit-normal": {"benchmarks": {"likelihood": {"kind": "logit-normal"}}},
    "student-t": {
        "benchmarks": {"likelihood": {"kind": "student-t"}, "precision_covariates": ["log_flops"]}
    },
    "student-t by benchmark": {
        "benchmarks": {"likelihood": {"kind": "student-t", "shared": False}}
    },
    "estimated tokens": {
        "covariates": ["log_params", "log_tokens", "log_params:log_tokens"],
        "undisclosed": {"kind": "estimated"},
    },
    "every term": {
        "covariates": ["log_params", "log_tokens", "log_params:log_tokens"],
        "skills": {"count": 2, "residual": True},
        "family": {
            "level": "partial",
            "lineage": True,
            "correlated": True,
            "slopes": ["log_params", "log_tokens"],
        },
        "benchmarks": {
            "link": {"kind": "power-logistic"},
            "ceiling": "estimated",
            "family_effect": True,
            "slopes": ["log_tokens"],
            "family_slopes": ["log_tokens", "log_params"],
            "instruct": {"shift": True, "slopes": ["log_params", "log_params:log_tokens"]},
            "precision_covariates": ["log_params"],
        },
    },
}
"""Specs that switch on each optional term, link and likelihood, in addition to the shipped ones."""

ANCHORS_OF_CAI2025 = ["mmlu", "hellaswag", "math_lvl5", "ifeval"]
"""Those of version 0.1, whose numbers are kept; 0.2 uses those of the paper."""


def specs() -> dict[str, ModelSpec]:
    """Return the specs whose numbers are kept, by name."""
    specs = {name: ls.load_spec(name) for name in shipped_specs()}
    # The bundled table, on which they are evaluated, has no dates.
    documents = {
        n: spec.to_dict() for n, spec in specs.items() if "released" not in spec.covariates
    }
    for name, document in documents.items():
        if name.startswith("cai2025"):
            document["skills"]["identify"]["anchors"] = ANCHORS_OF_CAI2025
        if name == "latentscale":
            document.pop("terms", None)  # 0.2 added the curvature of benchmarks
            document["benchmarks"].pop("ceiling_open", None)  # and opens ceilings in some draws
    shipped = {name: spec_from_dict(document) for name, document in documents.items()}
    return shipped | {
        name: spec_from_dict({"name": name, **document}) for name, document in VARIANTS.items()
    }


def numbers_of(spec: ModelSpec, scores: ls.Scores) -> dict[str, np.ndarray]:
    """Return a spec's numbers on a table, at three points.

    Returns
    -------
    ``logp`` (point,); ``gradient/NAME`` (point,), the gradient in a free variable projected on
    a fixed direction; ``likelihood/model`` and ``likelihood/benchmark`` (point, ...), sums over
    cells; and of forecasts ``mean`` (point, row, benchmark) and ``precision``.
    """
    prepared = design(spec, scores)
    model = build_design(spec, prepared)
    values = model.continuous_value_vars
    natural = {
        v.name: (position, tuple(map(str, v.dims)))
        for position, v in enumerate(model.unobserved_value_vars)
        if v.name in {known.name for known in [*model.free_RVs, *model.deterministics]}
    }
    function = model.compile_fn(
        [model.logp(), model.dlogp(), *model.unobserved_value_vars],
        mode="FAST_COMPILE",
        on_unused_input="ignore",
    )
    start = _starts(spec, prepared)
    rows = [
        function({name: value + j * direction(name, value) for name, value in start.items()})
        for j in JITTERS
    ]
    numbers = {"logp": np.array([float(row[0]) for row in rows])}
    edges = np.cumsum([start[v.name].size for v in values])[:-1]
    for place, variable in enumerate(values):
        parts = [np.split(np.asarray(row[1]), edges)[place] for row in rows]
        along = direction(f"gradient of {variable.name}", parts[0])
        numbers[f"gradient/{variable.name}"] = np.array([part @ along for part in parts])
    draws = {
        name: (("chain", "draw", *dims), np.stack([np.asarray(row[2 + at]) for row in rows])[None])
        for name, (at, dims) in natural.items()
        if not str(name).endswith("_raw")
    }
    used = {dim for dims, _ in draws.values() for dim in dims}
    coords = {k: list(v) for k, v in model.coords.items() if v is not None and k in used}
    fit = _fit_of(spec, prepared, xr.Dataset(draws, coords=coords))
    return numbers | _likelihood(fit) | _forecasts(fit)


def _starts(spec: ModelSpec, prepared: Any) -> dict[str, np.ndarray]:
    """Return the points around which numbers are computed: initial points common to all versions.

    PyTensor computes with plain numbers that it holds exactly in single precision. Where priors'
    numbers enter as data it does so in double, which moves PyMC's starts in the eighth digit.
    """
    as_data = getattr(priors, "as_number", None)
    if as_data is None:  # a version before numbers were data
        return build_design(spec, prepared).initial_point()
    priors.as_number = lambda value, name: value
    try:
        return build_design(spec, prepared).initial_point()
    finally:
        priors.as_number = as_data


def direction(name: str, like: np.ndarray) -> np.ndarray:
    """Return standard normals of a shape, the same for every version of the package."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.standard_normal(np.shape(like))


def _fit_of(spec: ModelSpec, prepared: Any, posterior: xr.Dataset) -> Fit:
    status = Status(True, None, False, "points")
    return Fit(
        spec=spec,
        scores=prepared.scores,
        tree=to_tree(spec, prepared, Draws(posterior, None, status, {})),
        status=status,
        transform=prepared.transform,
        provenance=Provenance("points", {}, 0, {}, {}),
    )


def _likelihood(fit: Fit) -> dict[str, np.ndarray]:
    cells = fit.tree["log_likelihood"].to_dataset()["score"].isel(chain=0)
    frame = cells.transpose("cell", "draw").to_pandas()
    return {
        f"likelihood/{name}": frame.groupby(cells[f"cell_{name}"].values).sum().to_numpy().T
        for name in ("model", "benchmark")
    }


def _forecasts(fit: Fit) -> dict[str, np.ndarray]:
    """Return expected scores and precisions of known models, new families and new lineages."""
    known = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks)).iloc[[3, 40, 120]]
    sizes = {"params_b": [3.0, 30.0], "tokens_t": [2.0, 9.0], "instruct": [0, 1]}
    lineage = str(known["lineage"].iloc[0])
    new = [
        pd.DataFrame({"model": [f"{f}-a", f"{f}-b"], "family": f, "lineage": g, **sizes})
        for f, g in (
            (str(known["family"].iloc[1]), str(known["lineage"].iloc[1])),
            ("sibling", lineage),
            ("stranger", "elsewhere"),
        )
    ]
    columns = ["model", "family", "lineage", *sizes]
    rows = pd.concat([known[columns], *new], ignore_index=True)
    forecast = ls.predict(fit, rows, seed=4)
    precision = forecast.precision_draws.broadcast_like(forecast.mean_draws)
    return {
        name: draws.transpose("sample", "model", "benchmark").values
        for name, draws in (("mean", forecast.mean_draws), ("precision", precision))
    }
