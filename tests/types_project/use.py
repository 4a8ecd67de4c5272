"""A project that uses every public name of latentscale; `mypy --strict` checks it, nothing runs it.

Each result is bound to the type that the documentation promises, so a name that is typed otherwise,
or not at all, is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

import latentscale as ls
from latentscale import datasets, folds, methods, plots, readers, results, rotations, studies


def tables(frame: pd.DataFrame) -> ls.Scores:
    """Read scores, with features and benchmarks declared."""
    declared: dict[str, ls.Benchmark] = {"mmlu": ls.Benchmark(floor=0.25, n_items=14042)}
    feature: ls.Feature = ls.Feature("context_k", transform="log", unit="thousand tokens")
    scores: ls.Scores = ls.Scores.from_frame(frame, features=[feature], benchmarks=declared)
    bundled: ls.Scores = datasets.open_llm_leaderboard()
    names: list[str] = list(bundled.models)
    known: pd.DataFrame = datasets.catalogue(datasets.families()["family"].iloc[0])
    template: pd.DataFrame = readers.metadata_template("results")
    read: ls.Scores = readers.read_scores("scores.csv")
    assert names and len(known) and len(template) and read is not None
    return scores


def models() -> ls.ModelSpec:
    """Declare a model, and its priors."""
    spec: ls.ModelSpec = ls.load_spec("latentscale")
    choice: results.SpecChoice = ls.spec_for(datasets.open_llm_leaderboard())
    assert choice.reasons
    prior: ls.Prior = ls.Prior("Normal", mu=0.0, sigma=1.0)
    elicited: results.Elicited = ls.elicit(spec, "slope", 0.02, 0.2)
    table: pd.DataFrame = spec.priors_table()
    assert len(table)
    return elicited.spec.with_priors({"intercept": prior}).with_({"skills.count": 2})


def fits(spec: ls.ModelSpec, scores: ls.Scores) -> list[ls.Fit]:
    """Fit by each method, save and load."""
    kinds = [
        ls.NUTS(draws=10),
        ls.ADVI(),
        ls.Pathfinder(),
        ls.Laplace(),
        ls.MarginalML(),
        methods.StochasticMarginalML(),
    ]
    fit: list[ls.Fit] = [ls.fit(spec, scores, method=kind, seed=1) for kind in kinds]
    path: Path = fit[0].save("fit.nc")
    again: ls.Fit = ls.load(path)
    more: ls.Fit = ls.resume("draws", draws=10)
    return [*fit, again, more]


def forecasts(fit: ls.Fit, planned: pd.DataFrame) -> None:
    """Forecast, and decide."""
    why: results.Explanation = studies.explain(fit, planned, "mmlu", given_scores=True)
    forecast: results.Forecast = ls.predict(fit, planned, few_shot=ls.FewShot(draws=100))
    table: pd.DataFrame = forecast.table(prob=0.8)
    figure: bytes = plots.plot_forecast(forecast).to_svg()
    curve: results.Curve = ls.scaling_curve(fit, family="qwen2")
    needed: results.ComputeNeeded = ls.flops_for_target(fit, "mmlu", 0.8, family="qwen2")
    passing: results.Passing = ls.probability_above(fit, planned, 0.7)
    following: results.NextBenchmark = ls.next_benchmark(fit, planned)
    probes: results.ProbeSet = ls.probe_set(fit, n=3)
    frontier: results.Frontier = ls.frontier(fit, benchmark="mmlu", dates=["2027-01-01"])
    allocation: results.Allocation = ls.optimal_allocation(fit, flops=1e22, family="qwen2")
    ls.explore(fit)
    assert table is not None and figure is not None
    assert all(one.headline for one in (why, curve, needed, passing, following))
    assert all(one.headline for one in (probes, frontier, allocation))


def checks(fit: ls.Fit, scores: ls.Scores) -> None:
    """Ask whether a fit can be believed."""
    diagnosis: results.Diagnosis = ls.diagnose(fit)
    passed: bool = diagnosis.passed
    check: results.FitCheck = ls.check(fit)
    loo: results.LeaveOneOut = ls.leave_one_out(fit)
    both: results.Comparison = ls.compare({"a": fit, "b": fit})
    stacked: results.Forecast = ls.stack({"a": fit, "b": fit}, pd.DataFrame(), both)
    moved: results.Sensitivity = ls.sensitivity(fit)
    hidden: Iterable[folds.Fold] = folds.leave_one_family_out(scores)
    backtest: pd.DataFrame = ls.backtest(fit.spec, scores, hidden)
    skills: results.Skills = ls.skills(fit)
    aligned: results.Alignment = ls.align(fit, rotation=rotations.Varimax())
    index: results.CapabilityIndex = ls.capability_index(fit, anchors={"a": 0.0, "b": 1.0})
    simulated: results.Simulation = ls.simulate(fit.spec, scores)
    shares: results.VarianceShares = studies.variance_shares(fit)
    page: Path = ls.report(fit, "report.html", title="Title", source="where")
    ls.build(fit.spec, scores)
    assert passed and backtest is not None and page is not None
    assert all(one.headline for one in (check, loo, stacked, moved, skills, aligned))
    assert all(one.headline for one in (index, shares))
    assert simulated is not None


def errors(path: str) -> str:
    """Catch what users catch."""
    try:
        ls.load(path)
    except (ls.DataError, ls.FitError, ls.SpecError) as error:
        return str(error)
    except ls.LatentscaleError as error:
        return str(error)
    kinds: tuple[type[Warning], ...] = (ls.DataWarning, ls.FitWarning)
    return kinds[0].__name__
