"""Gibbs sampling and NUTS on the same posteriors: agreement, time, effective draws; GIBBS.md.

Cases: `cai2025` and a version of `latentscale` with logit-normal noise, logistic link and ceilings
of 1, on the bundled table without guessing floors; `capabilities` with Student-t noise on
a fold of BenchPress (../shared/tables/benchpress, read in place). Each run has one case and one
method, and is kept in the folder results.

    python -m benchmarks.gibbs.run cai2025 --method gibbs
    python -m benchmarks.gibbs.run cai2025 --method nuts
    python -m benchmarks.gibbs.run --report            # GIBBS.md from what there is
    python -m benchmarks.gibbs.run --sbc 200           # simulation-based calibration
    python -m benchmarks.gibbs.run --folds 3           # BenchPress's folds, for their errors
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import arviz_stats as azs
import numpy as np
import pandas as pd
import xarray as xr

import latentscale as ls
from benchmarks.benchpress.run import SHARED, figures, forecast_hidden
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.declare.io import spec_from_dict
from latentscale.inference.method import Method
from latentscale.model.design import design
from latentscale.model.evaluate import FITTED_RESIDUALS, Evaluator
from latentscale.posterior.fit import Fit

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
_SPARSE = {
    "likelihood": {"kind": "student-t"},
    "family_effect": True,
    "largest_precision": None,
}
"""How `capabilities` is changed here: noise that Gibbs sampling supports, and effects of families
on single benchmarks, which the spec had when its fold was run."""
_PLAIN_SKILLS = {"identify": {"kind": "free"}, "release": False}
"""Spreads by skill and independent residuals, which Gibbs sampling supports."""

CASES = ("cai2025", "latentscale", "capabilities")
SHARED_PARAMETERS = (
    "intercept",
    "precision",
    "slope",
    "family_scale",
    "residual_scale",
    "lineage_share",
    "anchor_loading",
    "instruct_shift",
    "family_slope_scale",
    "family_benchmark_scale",
    "tail",
    "precision_mean",
    "precision_spread",
    "model_group_scale",
)
"""Parameters whose posteriors are compared if a case has them; loadings that are free to
rotate are left out."""
METHODS: dict[str, Method] = {
    "gibbs": ls.methods.Gibbs(draws=2000, tune=1000, chains=2, cores=1),
    "nuts": ls.NUTS(draws=500, tune=400, chains=2, cores=1),
}
LEVEL = 4.0
"""Largest difference allowed, in standard errors: 1 in 16,000 exceeds it by chance, and some
hundreds are compared."""
RANKED = 31  # draws among which a true value is ranked: 32 equally likely ranks
SEED = 1


@dataclass(frozen=True)
class Figures:
    """What a run cost and what it found.

    Attributes
    ----------
    case, method
        What was run.
    prepare, sample
        Seconds before the first sweep or step, and of sampling.
    ess, ess_score
        Smallest bulk ESS of shared parameters and of expected scores.
    rhat_score
        Largest R-hat of an expected score.
    mean, sd, error
        Posterior moments of every quantity compared, with Monte Carlo standard errors of the mean
        and of the sd.
    """

    case: str
    method: str
    prepare: float
    sample: float
    ess: float
    ess_score: float
    rhat_score: float
    mean: dict[str, float]
    sd: dict[str, float]
    error: dict[str, float]
    error_sd: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", choices=CASES)
    parser.add_argument("--method", choices=tuple(METHODS), default="gibbs")
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--sbc", type=int, default=0, help="simulations")
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")  # warned about whenever such tables are read
    if options.case:
        path = RESULTS / f"{options.case}-{options.method}.json"
        path.write_text(json.dumps(asdict(run(options.case, options.method))), encoding="utf-8")
    if options.folds:
        run_folds(options.folds)
    if options.sbc:
        run_sbc(options.sbc)
    (HERE / "GIBBS.md").write_text(report(), encoding="utf-8")


def without_floors(scores: Scores) -> Scores:
    """Return a table whose benchmarks have no guessing floors."""
    data = scores.dataset
    return Scores(data.assign(floor=data["floor"].where(data["floor"] == 1, 0.0)), scores.audit)


def problem(case: str) -> tuple[ModelSpec, Scores]:
    """Return the spec and the table of a case."""
    spec = ls.load_spec(case)
    document = spec.to_dict()
    if case == "capabilities":
        document["benchmarks"] |= _SPARSE
        document["skills"] |= _PLAIN_SKILLS
        scores = ls.readers.read_benchpress(SHARED)
        hidden = hidden_cells()[0]
        gone = xr.zeros_like(scores.dataset["score"], dtype=bool)
        for model, benchmark in zip(hidden["model_id"], hidden["benchmark_id"], strict=True):
            gone.loc[{"model": model, "benchmark": benchmark}] = True
        data = scores.dataset.assign(score=scores.dataset["score"].where(~gone))
        return spec_from_dict(document), without_floors(Scores(data, scores.audit))
    document["benchmarks"] |= {
        "likelihood": {"kind": "logit-normal"},
        "link": {"kind": "logistic"},
        "ceiling": "fixed",
    }
    document["priors"].pop("ceiling", None)
    return spec_from_dict(document), without_floors(ls.datasets.open_llm_leaderboard())


def hidden_cells() -> list[pd.DataFrame]:
    """Return the hidden cells of BenchPress's folds."""
    folds = pd.read_csv(SHARED / "folds.csv")
    return [hidden for _, hidden in folds.groupby(["seed", "fold"], sort=True)]


def run(case: str, name: str) -> Figures:
    """Fit a case and summarise what is compared."""
    spec, scores = problem(case)
    fit = ls.fit(spec, scores, method=METHODS[name], seed=SEED, progress=True)
    seconds = dict(fit.provenance.seconds)
    sample = seconds.pop("sample")
    comparison = compared(fit)
    score = comparison[["expected score"]]
    mean, sd = (
        flat(x) for x in (comparison.mean(("chain", "draw")), comparison.std(("chain", "draw")))
    )
    parameters = comparison.drop_vars("expected score")
    return Figures(
        case,
        name,
        prepare=sum(seconds.values()),
        sample=sample,
        ess=min(float(v.min()) for v in azs.ess(parameters, method="bulk").values()),
        ess_score=float(azs.ess(score, method="bulk")["expected score"].min()),
        rhat_score=float(azs.rhat(score)["expected score"].max()),
        mean=mean,
        sd=sd,
        error=flat(azs.mcse(comparison, method="mean")),
        error_sd=flat(azs.mcse(comparison, method="sd")),
    )


def compared(fit: Fit) -> xr.Dataset:
    """Return draws of shared parameters (logs of positive ones) and of measured expected scores."""
    names = [name for name in SHARED_PARAMETERS if name in fit.posterior]
    draws = fit.posterior[names]
    prepared = design(fit.spec, fit.scores)
    evaluator = Evaluator.of(fit.spec, fit.transform, prepared.scores.dataset)
    mean = evaluator.at(fit.posterior, prepared.scores.dataset, residuals=FITTED_RESIDUALS).mean
    cells = {
        "model": xr.DataArray(prepared.model_of_cell, dims="cell"),
        "benchmark": xr.DataArray(prepared.benchmark_of_cell, dims="cell"),
    }
    picked = mean.isel(cells).drop_vars(["model", "benchmark"], errors="ignore")
    logs = {n: np.log(draws[n]) for n in names if fit.spec.prior(n).support == "positive"}
    kept = draws.assign(logs)
    varies = {n: kept[n] for n in names if bool(np.isfinite(kept[n]).all())}
    return xr.Dataset(varies).assign({"expected score": picked}).reset_coords(drop=True)


def flat(posterior: xr.Dataset) -> dict[str, float]:
    """Return every number by its name and place."""
    return {
        f"{name} {place}": float(value)
        for name in posterior.data_vars
        for place, value in enumerate(np.ravel(posterior[name].values))
    }


def run_folds(count: int) -> None:
    """Forecast BenchPress's hidden cells; a fold is kept as a row."""
    document = ls.load_spec("capabilities").to_dict()
    document["benchmarks"] |= _SPARSE
    document["skills"] |= _PLAIN_SKILLS
    spec = spec_from_dict(document)
    scores = without_floors(ls.readers.read_benchpress(SHARED))
    method = ls.methods.Gibbs(draws=600, tune=400, chains=2, cores=1)
    for place, hidden in enumerate(hidden_cells()[:count]):
        path = RESULTS / f"fold-{place:02d}.json"
        if path.exists():
            continue
        cells = forecast_hidden(spec, scores, hidden, method, SEED)
        path.write_text(json.dumps(figures(cells)), encoding="utf-8")


def sbc_problem() -> tuple[ModelSpec, Scores]:
    """Return a small spec and the rows that are simulated: 8 families x 3 models x 4 benchmarks."""
    rng = np.random.default_rng(20261127)
    family = np.repeat(np.arange(8), 3)
    frame = pd.DataFrame(
        {
            "model": [f"m{i}" for i in range(family.size)],
            "family": [f"family {f}" for f in family],
            "params_b": np.exp(rng.uniform(np.log(0.5), np.log(80), family.size)),
            **{name: np.full(family.size, 0.5) for name in ("a", "b", "c", "d")},
        }
    )
    document = {
        "name": "small",
        "covariates": ["log_params"],
        "skills": {
            "count": 1,
            "identify": {"kind": "anchored", "anchors": ["a"], "unit": "anchor"},
        },
        "benchmarks": {"likelihood": {"kind": "student-t"}},
        "priors": {"intercept": {"dist": "Normal", "mu": 0, "sigma": 1}},
    }
    return spec_from_dict(document), Scores.from_frame(frame)


def run_sbc(simulations: int) -> None:
    """Rank true parameters among draws of fits to tables simulated by PyMC, one row per table."""
    spec, template = sbc_problem()
    path = RESULTS / "sbc.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    method = ls.methods.Gibbs(draws=20 * RANKED, tune=300, chains=1, cores=1)
    for seed in range(len(rows), simulations):
        simulation = ls.simulate(spec, template, seed=seed)
        fit = ls.fit(spec, simulation.scores, method=method, seed=seed, progress=False)
        thin = fit.posterior.isel(chain=0, draw=slice(19, None, 20))
        ranks: dict[str, object] = {}
        for name in simulation.truth.data_vars:
            if str(name) in thin and str(name) != "model_skill":
                below = (thin[name] < simulation.truth[name]).sum("draw")
                varies = np.ravel((thin[name].std("draw") > 0).values)  # not an anchor's fixed 1
                ranks |= {
                    f"{name} {e}": int(r) for e, r in enumerate(np.ravel(below.values)) if varies[e]
                }
        rows.append(ranks)
        if seed % 10 == 9 or seed == simulations - 1:
            pd.DataFrame(rows).to_csv(path, index=False)


def report() -> str:
    """Return GIBBS.md."""
    parts = ["# Gibbs sampling compared with NUTS", provenance(SEED)]
    by_run = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*-*.json"))}
    runs = {name: one for name, one in by_run.items() if "case" in one}
    if runs:
        parts += [
            "Both methods sample the same posterior: same spec, same table. Times are of one chain "
            "after another on one core. `prepare` is compilation for NUTS, with a warm cache where "
            "an earlier run left one, and designs for Gibbs.",
            markdown(pd.DataFrame([_cost(one) for one in runs.values()])),
        ]
        both = [c for c in CASES if {f"{c}-gibbs", f"{c}-nuts"} <= set(runs)]
        rows = [_agreement(c, runs[f"{c}-gibbs"], runs[f"{c}-nuts"]) for c in both]
        if rows:
            parts += [
                "## Agreement",
                "Differences of posterior means and standard deviations of shared parameters "
                "(logs of positive ones) and of expected scores of measured cells, in Monte Carlo "
                f"standard errors of the difference; beyond {LEVEL:g} one in 16,000 by chance.",
                markdown(pd.DataFrame(rows)),
            ]
    folds = [one for name, one in by_run.items() if name.startswith("fold-")]
    if folds:
        table = pd.DataFrame(folds)
        summary = table.agg(["median", "mean"]).T.round(3).reset_index(names="figure")
        parts += [
            f"## BenchPress, {len(folds)} folds",
            "`capabilities` with Student-t noise instead of its own likelihood, with effects of "
            "families on single benchmarks, and without floors; Gibbs, 2 chains of 400 + 600 "
            "sweeps on one core; figures as in `benchmarks/benchpress`. max_rhat is the largest "
            "R-hat over cells: above 1.1 the chains have not converged, and forecasts of such "
            "cells depend on the seed. Fit this spec with NUTS, which supports its own likelihood.",
            markdown(summary),
        ]
    if (RESULTS / "sbc.csv").exists():
        parts += ["## Simulation-based calibration", *_sbc_lines()]
    return "\n\n".join(parts) + "\n"


def _cost(one: dict[str, object]) -> dict[str, object]:
    sample, ess, score = (float(one[n]) for n in ("sample", "ess", "ess_score"))  # type: ignore[arg-type]
    return {
        "case": one["case"],
        "method": one["method"],
        "prepare s": f"{one['prepare']:.0f}",
        "sample s": f"{sample:.0f}",
        "least ESS, parameters": f"{ess:.0f}",
        "ESS per second, parameters": f"{ess / sample:.2f}",
        "least ESS, expected scores": f"{score:.0f}",
        "ESS per second, expected scores": f"{score / sample:.2f}",
        "largest R-hat, expected scores": f"{one['rhat_score']:.3f}",
    }


def _agreement(case: str, ours: dict[str, dict], theirs: dict[str, dict]) -> dict[str, object]:
    row: dict[str, object] = {"case": case}
    for what, error in (("mean", "error"), ("sd", "error_sd")):
        names = sorted(set(ours[what]) & set(theirs[what]))
        z = np.array(
            [
                (ours[what][n] - theirs[what][n]) / np.hypot(ours[error][n], theirs[error][n])
                for n in names
                if ours["sd"][n] > 0
            ]
        )
        row |= {
            "quantities": len(z),
            f"rms z of {what}s": f"{np.sqrt(np.mean(z**2)):.2f}",
            f"largest |z| of {what}s": f"{np.abs(z).max():.1f}",
            f"{what}s beyond {LEVEL:g}": int((np.abs(z) > LEVEL).sum()),
        }
    return row


def _sbc_lines() -> list[str]:
    from benchmarks.sbc.uniformity import uniformity

    ranks = pd.read_csv(RESULTS / "sbc.csv")
    test_of_ranks = uniformity(ranks, RANKED, SEED)
    lowest = float(test_of_ranks["p_holm"].min())
    verdict = "rejected" if lowest < 0.05 else "not rejected"
    held = 100 * test_of_ranks["cover_90"].mean()
    return [
        f"A small spec (one skill, 8 families, 4 benchmarks, Student-t noise): {len(ranks)} tables "
        f"simulated by PyMC, {len(test_of_ranks)} quantities ranked among {RANKED} draws. "
        f"Uniformity of ranks is {verdict}: smallest corrected p {lowest:.2g} (Holm over "
        f"all quantities and two tests each); 90% intervals contain the truth in {held:.0f}% "
        "of cases.",
    ]


if __name__ == "__main__":
    main()
