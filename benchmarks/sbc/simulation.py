"""What is simulated, fitted and ranked in one simulation of the calibration study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from pytensor.graph.replace import clone_replace

import latentscale as ls
from benchmarks.common.refit import as_fit, thin, with_scores
from benchmarks.sbc.cases import BENCHMARKS, SEED, Case
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.dims import BENCHMARK, CELL, CHAIN, DRAW, LOG_LIKELIHOOD, MODEL, SAMPLE, SKILL
from latentscale.model.build import build_design
from latentscale.model.design import Design, design
from latentscale.posterior.convergence import PREDICTOR
from latentscale.posterior.identified import predictors, rotates

KEPT = 63  # draws among which a true value is ranked: 64 equally likely ranks
EDGE = 5e-4  # half an item of 1,000
BLOCK = 200
MAX_BLOCKS = 100
PREDICTORS = 11  # every eleventh pair: 48 models x 6 benchmarks give 27
FAULTS = ("none", "family", "floor", "prior")


@dataclass(frozen=True)
class Study:
    """One case with its fault: a simulator, and what is fitted.

    Attributes
    ----------
    case
        What is simulated.
    whole, train
        Design of all rows, and of the rows that are fitted; they share a covariate transform.
    simulator
        The model of `whole`.
    fit_spec, fit_design
        Spec and design of the fit, deliberately wrong if there is a fault.
    """

    case: Case
    fault: str
    whole: Design
    train: Design
    simulator: pm.Model
    fit_spec: ModelSpec
    fit_design: Design


@dataclass(frozen=True)
class Simulation:
    """Parameters from the prior, and scores from them: fitted cells and held-out models."""

    truth: xr.Dataset
    score_of_cell: np.ndarray
    held: xr.DataArray
    tried: int


def prepare(case: Case, fault: str) -> Study:
    """Build the simulator and decide what is fitted."""
    whole, train = designs(case)
    simulator = build_design(case.spec, whole)
    return Study(case, fault, whole, train, simulator, *faulty_fit(case.spec, train, fault))


def designs(case: Case) -> tuple[Design, Design]:
    """Return the design of all rows and that of the fitted rows, on one covariate scale."""
    rows = case.template()
    train = design(case.spec, rows.without(list(case.held)))
    return design(case.spec, rows, transform=train.transform), train


def faulty_fit(spec: ModelSpec, train: Design, fault: str) -> tuple[ModelSpec, Design]:
    """Return spec and design of the fit: those of the simulation, or wrong in one place.

    ``floor``: the fit takes the floor of arc as 0, while scores were simulated with 0.25.
    ``prior``: the fit has the prior Normal(0, 0.5) for intercepts, while they were drawn from the
    spec's own prior.
    ``family`` is a fault of the data (`draw_block`).
    """
    if fault == "floor":
        floor = train.scores.dataset["floor"].copy()
        floor.loc[{BENCHMARK: "arc"}] = 0.0
        return spec, replace(train, scores=Scores(train.scores.dataset.assign(floor=floor)))
    if fault == "prior":
        return spec.with_priors({"intercept": {"dist": "Normal", "mu": 0.0, "sigma": 0.5}}), train
    return spec, train


def draw_block(model: pm.Model, fault: str, count: int, seed: int) -> tuple[xr.Dataset, np.ndarray]:
    """Draw parameters and scores from the prior, dims (draw, ...) and (draw, cell).

    With the fault ``family``, scores are made with family levels twice those recorded.
    """
    kept = [v for v in [*model.free_RVs, *model.deterministics] if not v.name.endswith("_raw")]
    score = model["score"]
    if fault == "family":
        level = model["family_skill"]
        kept_and_score = clone_replace([score], {level: 2.0 * level}, rebuild_strict=False)
        score = kept_and_score[0]
    *values, scores = pm.draw([*kept, score], count, random_seed=seed, mode="FAST_COMPILE")
    coords = {dim: list(names) for dim, names in model.coords.items() if names is not None}
    variables = {
        v.name: ((DRAW, *v.dims), np.asarray(value)) for v, value in zip(kept, values, strict=True)
    }
    used = {dim for dims, _ in variables.values() for dim in dims}
    drawn = xr.Dataset(variables, coords={k: c for k, c in coords.items() if k in used})
    return drawn, np.asarray(scores)


def inside(scores: np.ndarray) -> np.ndarray:
    """Return which tables, dims (draw, cell), keep every score away from 0 and 1.

    The rule depends only on the data, so the posterior given an accepted table is unchanged, and
    ranks over accepted tables stay uniform. Clamping scores instead would change the data but not
    the density that is fitted to them.
    """
    return np.all((scores > EDGE) & (scores < 1 - EDGE), axis=1)


def simulate(study: Study, number: int) -> Simulation:
    """Draw from the prior until a table is accepted."""
    fitted = study.whole.model_of_cell < len(study.train.scores.models)
    for block in range(MAX_BLOCKS):
        seed = int(np.random.SeedSequence([SEED, number, block]).generate_state(1)[0])
        drawn, scores = draw_block(study.simulator, study.fault, BLOCK, seed)
        good = np.flatnonzero(inside(scores[:, fitted]))
        if len(good):
            first = int(good[0])
            truth = drawn.isel({DRAW: first})
            table = np.full(
                [study.whole.scores.dataset.sizes[d] for d in (MODEL, BENCHMARK)], np.nan
            )
            table[study.whole.model_of_cell, study.whole.benchmark_of_cell] = scores[first]
            held = xr.DataArray(
                table[-len(study.case.held) :],
                dims=(MODEL, BENCHMARK),
                coords={
                    MODEL: list(study.case.held),
                    BENCHMARK: list(study.whole.scores.benchmarks),
                },
            )
            if MODEL in truth.dims:
                truth = truth.sel({MODEL: list(study.train.scores.models)})
            return Simulation(truth, scores[first, fitted], held, block * BLOCK + first + 1)
    raise RuntimeError(f"Simulation {number}: no table accepted in {MAX_BLOCKS * BLOCK} draws.")


def ranks_of(
    study: Study, simulated: Simulation, posterior: xr.Dataset, seed: int
) -> dict[str, int]:
    """Return the rank of every test quantity's truth among the kept draws."""
    from benchmarks.sbc.uniformity import rank

    rng = np.random.default_rng(seed)
    right = with_scores(study.train, simulated.score_of_cell)
    believed = with_scores(study.fit_design, simulated.score_of_cell)
    fit = as_fit(study.fit_spec, believed, thin(posterior, KEPT), seed)
    known = simulated.truth.expand_dims({CHAIN: 1, DRAW: 1})
    truth = as_fit(study.case.spec, right, known, seed)
    new = study.case.new
    pairs = [*_parameters(truth, fit), *_likelihood(truth, fit), *_forecasts(truth, fit, new, seed)]
    if rotates(study.case.spec):
        pairs += [*_of_benchmarks(truth, fit), *_predictors(truth, fit, right)]
    held = study.case.rows.iloc[-len(study.case.held) :].drop(columns=list(BENCHMARKS))
    draws = ls.predict(fit, held, seed=seed).draws
    for model in study.case.held:
        for benchmark in BENCHMARKS:
            cell = {MODEL: model, BENCHMARK: benchmark}
            true = float(simulated.held.sel(cell))
            pairs.append((f"score of {model}: {benchmark}", true, draws.sel(cell).values))
    return {name: rank(true, draws, rng) for name, true, draws in pairs}


Pair = tuple[str, float, np.ndarray]


def _parameters(truth: ls.Fit, fit: ls.Fit) -> Iterator[Pair]:
    """Yield every top-level parameter, and the mean of each that has several elements.

    Parameters of single skills are left out where skills are free to rotate.
    """
    true, draws = truth.samples, fit.samples
    for name in fit.tree["log_prior"].to_dataset().data_vars:
        if rotates(fit.spec) and SKILL in draws[name].dims:
            continue
        elements = _elements(draws[name])
        whole = _elements(true[name])
        free = {key: d for key, d in elements.items() if np.ptp(d) > 1e-9}
        if len(free) > 1:
            total = np.mean([whole[key][0] for key in free])
            yield f"{name}, mean", float(total), np.mean(list(free.values()), axis=0)
        for key, values in free.items():
            yield f"{name}{key}", float(whole[key][0]), values
    if "skill_cholesky" in draws:
        yield (
            "skill correlation [2, 1]",
            float(true["skill_cholesky"].values[0, 1, 0]),
            draws["skill_cholesky"].values[:, 1, 0],
        )


def _elements(array: xr.DataArray) -> dict[str, np.ndarray]:
    rest = [dim for dim in array.dims if dim != SAMPLE]
    if not rest:
        return {"": array.values}
    flat = array.stack(element=rest).transpose(SAMPLE, "element")
    labels = [
        f" [{', '.join(str(coordinate) for coordinate in key)}]" for key in flat["element"].values
    ]
    return {label: flat.values[:, place] for place, label in enumerate(labels)}


def _likelihood(truth: ls.Fit, fit: ls.Fit) -> Iterator[Pair]:
    """Yield the log likelihood of the table, which depends on both data and parameters."""
    total = [f.tree[LOG_LIKELIHOOD]["score"].sum(CELL).values.ravel() for f in (truth, fit)]
    yield "log likelihood", float(total[0][0]), total[1]


def _of_benchmarks(truth: ls.Fit, fit: ls.Fit) -> Iterator[Pair]:
    """Yield rotation-invariant functions of each benchmark's loadings and slopes.

    The length of its loadings over the skills, and the slope of its predictor in each covariate.
    """
    both = [known.samples for known in (truth, fit)]
    lengths = [np.sqrt((draws["loading"] ** 2).sum(SKILL)) for draws in both]
    slopes = [(draws["loading"] * draws["slope"]).sum(SKILL) for draws in both]
    for of, (true, draws) in {"loadings": lengths, "slope": slopes}.items():
        elements, whole = _elements(draws), _elements(true)
        for key, values in elements.items():
            yield f"{of} of{key}", float(whole[key][0]), values


def _predictors(truth: ls.Fit, fit: ls.Fit, right: Design) -> Iterator[Pair]:
    """Yield the predictor of every eleventh pair of a fitted model and a benchmark."""
    values = [predictors(known.spec, right, known.posterior)[PREDICTOR] for known in (truth, fit)]
    for place in range(0, values[0].sizes["model_benchmark"], PREDICTORS):
        true, draws = (value.isel(model_benchmark=place) for value in values)
        label = str(true["model_benchmark"].item())
        yield f"predictor of [{label}]", true.values.item(), draws.values.ravel()


def _forecasts(truth: ls.Fit, fit: ls.Fit, new: pd.DataFrame, seed: int) -> Iterator[Pair]:
    """Yield expected scores of models of new families, averaged over benchmarks."""
    true = ls.predict(truth, new, seed=seed + 7919).mean_draws.mean(BENCHMARK)
    draws = ls.predict(fit, new, seed=seed).mean_draws.mean(BENCHMARK)
    for name in new["model"]:
        one = {MODEL: name}
        yield f"curve of {name}", true.sel(one).values.item(), draws.sel(one).values
