"""Consistency: do errors shrink as 1/sqrt(families), and do intervals cover, as families grow?

Tables with one fixed truth (K = 2, anchored, after Cai et al. 2025) and fresh families in every
replication, simulated with numpy alone; fitted by NUTS. By theory (arXiv:2512.06553) loadings,
slopes and family variances are consistent and asymptotically normal in the number of families.
The levels of one family are not: they depend on that family's own scores.

    python -m benchmarks.consistency.run                  # all sizes; resumes where it was stopped
    python -m benchmarks.consistency.run --families 20 --replications 4
    python -m benchmarks.consistency.run --quick          # two sizes, two replications, files apart
    python -m benchmarks.consistency.run --report         # only write CONSISTENCY.md and the figure
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit

import latentscale as ls
from benchmarks.common.refit import as_fit, sample, with_scores
from latentscale.data.scores import Scores, scores_from_frame
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.dims import BENCHMARK, COVARIATE, MODEL, SAMPLE
from latentscale.model.design import Design, design
from latentscale.model.equations import expected_score, latent_skill, linear_predictor
from latentscale.model.rows import rows_of
from latentscale.model.terms.base import Term
from latentscale.posterior.convergence import convergence

HERE = Path(__file__).resolve().parent
SEED = 20251206
REPLICATIONS = {20: 24, 40: 20, 80: 16, 160: 12, 320: 8}
MEMBERS = 3
NEW = 60  # new members and new families forecast in each replication
ANCHORS = ("mmlu", "math_lvl5")
BENCHMARKS = ("mmlu", "math_lvl5", "hellaswag", "ifeval", "arc", "mmlu_pro")
COVARIATES = ("log_params", "log_tokens")
LOADING = np.array([[1, 0], [0, 1], [1.1, -0.2], [0.5, 0.6], [0.9, 0.2], [0.4, 0.9]])
INTERCEPT = np.array([0.2, -1.2, 0.8, -0.3, 0.4, -0.8])
SLOPE = np.array([[0.9, 0.7], [0.4, 0.6]])
SCALE = np.array([0.7, 0.8])
CORRELATION = 0.4
PRECISION = np.array([100.0, 60.0, 120.0, 40.0, 90.0, 80.0])
GRID = np.array([-1.0, 0.0, 1.0])
CHECKED = ("loading", "slope", "family_scale", "precision")


def consistency_spec() -> ModelSpec:
    """Return the spec: cai2025 at K = 2, without the product, in units of its anchors."""
    document = ls.load_spec("cai2025").to_dict()
    identify = {"kind": "anchored", "anchors": list(ANCHORS), "unit": "anchor"}
    skills = {**document["skills"], "count": 2, "identify": identify}
    return spec_from_dict(
        {**document, "name": "cai2025 K=2", "covariates": list(COVARIATES), "skills": skills}
    )


@dataclass(frozen=True)
class Table:
    """One replication: fitted scores, what the fit should find, and scores to forecast."""

    score_of_cell: np.ndarray
    truth: dict[str, np.ndarray]
    new_scores: np.ndarray
    new_means: np.ndarray


def rows(families: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return fitted rows, and rows to forecast: members of fitted families, then new families."""
    rng = np.random.default_rng([SEED, families])
    names = [f"family {f:03d}" for f in range(families)]
    fresh = [f"new {f:02d}" for f in range(NEW)]
    fitted = _models(np.repeat(names, MEMBERS), rng)
    members = _models(np.array(names)[np.arange(NEW) % families], rng, "held")
    return fitted, pd.concat([members, _models(np.array(fresh), rng)], ignore_index=True)


def _models(family: np.ndarray, rng: np.random.Generator, prefix: str = "m") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": [f"{prefix} {name} {i}" for i, name in enumerate(family)],
            "family": family,
            "params_b": np.exp(rng.uniform(np.log(0.5), np.log(80), len(family))),
            "tokens_t": np.exp(rng.uniform(np.log(0.3), np.log(12), len(family))),
        }
    )


def template(fitted: pd.DataFrame) -> Scores:
    """Return the fitted rows with placeholder scores, one cell in twelve empty."""
    rng = np.random.default_rng([SEED, len(fitted)])
    score = np.full((len(fitted), len(BENCHMARKS)), 0.5)
    score[rng.random(score.shape) < 1 / 12] = np.nan
    score[:, 0] = 0.5  # no row is empty
    return scores_from_frame(fitted.join(pd.DataFrame(score, columns=list(BENCHMARKS))))


def simulate(made: Design, planned: pd.DataFrame, seed: int) -> Table:
    """Draw fresh families and scores around the fixed truth, with numpy alone."""
    rng = np.random.default_rng([SEED, seed])
    families = len(made.families)
    mix = np.array([[1.0, 0.0], [CORRELATION, np.sqrt(1 - CORRELATION**2)]])
    level = SCALE * (rng.standard_normal((families + NEW, 2)) @ mix.T)
    floor = made.floor.values
    theta = level[made.family_of_model] + made.x.values @ SLOPE
    _, scores = _scores(theta, floor, rng)
    position = {name: f for f, name in enumerate(made.families)}
    own = [position.get(name, families + i - NEW) for i, name in enumerate(planned["family"])]
    planned_x = made.transform.apply(_dataset(planned)).values
    new_means, new_scores = _scores(level[own] + planned_x @ SLOPE, floor, rng)
    centre = level[:families].mean(axis=0)
    intercept = INTERCEPT + LOADING @ centre
    eta = intercept + GRID[:, None] * SLOPE.sum(axis=0) @ LOADING.T
    truth = {
        "loadings": LOADING[len(ANCHORS) :],
        "slopes": SLOPE,
        "family scales": SCALE,
        "skill correlation": np.array([CORRELATION]),
        "log precisions": np.log(PRECISION),
        "curve of the average family": floor + (1 - floor) * expit(eta),
    }
    return Table(scores[made.model_of_cell, made.benchmark_of_cell], truth, new_scores, new_means)


def _scores(
    theta: np.ndarray, floor: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    mean = floor + (1 - floor) * expit(INTERCEPT + theta @ LOADING.T)
    drawn = rng.beta(mean * PRECISION, (1 - mean) * PRECISION)
    return mean, np.clip(drawn, 5e-4, 1 - 5e-4)


def _dataset(frame: pd.DataFrame) -> xr.Dataset:
    columns = {"params": "params_b", "tokens": "tokens_t"}
    data = {name: (MODEL, frame[column].to_numpy()) for name, column in columns.items()}
    data["instruct"] = (MODEL, np.zeros(len(frame)))
    return xr.Dataset(data, coords={MODEL: frame["model"].to_numpy(dtype=str)})


def found(spec: ModelSpec, fit: ls.Fit) -> dict[str, np.ndarray]:
    """Return draws of what `Table.truth` holds, each (sample, ...)."""
    draws = fit.samples
    other = [name for name in BENCHMARKS if name not in ANCHORS]
    loading = draws["loading"].sel({BENCHMARK: other})
    return {
        "loadings": loading.transpose(SAMPLE, BENCHMARK, "skill").values,
        "slopes": draws["slope"].transpose(SAMPLE, COVARIATE, "skill").values,
        "family scales": draws["family_scale"].values,
        "skill correlation": draws["skill_cholesky"].values[:, 1, :1],
        "log precisions": np.log(draws["precision"].values),
        "curve of the average family": average_family(spec, fit).values,
    }


def average_family(spec: ModelSpec, fit: ls.Fit) -> xr.DataArray:
    """Return the expected score of a family at the fitted families' mean, on the grid.

    Every covariate is `GRID` standard deviations from its mean; dims (sample, model,
    benchmark).
    """
    names = [f"x = {value:g}" for value in GRID]
    x = xr.DataArray(
        np.repeat(GRID[:, None], len(COVARIATES), axis=1),
        dims=(MODEL, COVARIATE),
        coords={MODEL: names, COVARIATE: list(COVARIATES)},
    )
    untuned = xr.zeros_like(x.isel({COVARIATE: 0}, drop=True))
    rows = rows_of(spec, x, xr.Dataset({"instruct": untuned}))
    values = fit.evaluator.values(fit.samples)

    def of_all_families(term: Term) -> bool:
        return term.effect is None

    skill = latent_skill(spec, values, rows, of_all_families)
    eta = linear_predictor(spec, values, rows, skill, of_all_families)
    return expected_score(spec, values, eta).transpose(SAMPLE, MODEL, BENCHMARK)


def compare(quantity: str, truth: np.ndarray, draws: np.ndarray) -> dict[str, object]:
    """Return sums over the elements of one quantity: squared errors, coverage, z scores.

    Parameters
    ----------
    quantity
        Its name.
    truth, draws
        True values (...) and posterior draws (sample, ...).
    """
    error = draws.mean(axis=0) - truth
    z = error / draws.std(axis=0, ddof=1)
    row: dict[str, object] = {"quantity": quantity, "elements": truth.size}
    row["squared_error"] = float((error**2).sum())
    for prob in (0.5, 0.9):
        low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        row[f"covered_{round(100 * prob)}"] = int(((truth >= low) & (truth <= high)).sum())
    row["z"], row["z_squared"] = float(z.sum()), float((z**2).sum())
    return row


def replicate(
    spec: ModelSpec, made: Design, planned: pd.DataFrame, method: ls.NUTS, number: int
) -> pd.DataFrame:
    """Simulate, fit and compare once; one row per quantity."""
    families = len(made.families)
    seed = int(np.random.SeedSequence([SEED, families, number]).generate_state(1)[0]) % 2**31
    table = simulate(made, planned, seed)
    told = with_scores(made, table.score_of_cell)
    start = time.perf_counter()
    sampled = sample(spec, told, method, seed)
    drawn = sampled.draws
    seconds = time.perf_counter() - start
    fit = as_fit(spec, told, drawn.posterior, seed)
    checked = convergence(drawn.posterior[list(CHECKED)], drawn.sample_stats)
    compared = [compare(name, table.truth[name], draws) for name, draws in found(spec, fit).items()]
    forecast = ls.predict(fit, planned, seed=seed)
    order = {MODEL: list(planned["model"])}
    means = forecast.mean_draws.sel(order).transpose(SAMPLE, MODEL, BENCHMARK).values
    scores = forecast.draws.sel(order).transpose(SAMPLE, MODEL, BENCHMARK).values
    kinds = {"new member of a fitted family": slice(NEW), "new family": slice(NEW, None)}
    for kind, at in kinds.items():
        name = f"expected score, {kind}"
        compared.append(compare(name, table.new_means[at], means[:, at]))
        compared.append(compare(f"new score, {kind}", table.new_scores[at], scores[:, at]))
    about = {"families": families, "replication": number, "seconds": round(seconds, 1)}
    about |= {"max_rhat": round(checked.max_rhat, 3), "min_ess": round(checked.min_ess)}
    about |= {"divergences": checked.divergences, "first_rhat": round(sampled.first_rhat, 3)}
    about["dropped_chains"] = sampled.dropped_chains
    return pd.DataFrame([{**about, **row} for row in compared])


def run(families: int, replications: int, method: ls.NUTS, path: Path) -> None:
    """Run replications of one size that are not in the file yet."""
    done: set[int] = set()
    if path.is_file():
        before = pd.read_csv(path)
        done = set(before.loc[before["families"] == families, "replication"])
    missing = [number for number in range(replications) if number not in done]
    if not missing:
        return
    spec = consistency_spec()
    fitted, planned = rows(families)
    made = design(spec, template(fitted))
    for number in missing:
        table = replicate(spec, made, planned, method, number)
        table.to_csv(path, mode="a", header=not path.is_file(), index=False, float_format="%.8g")
        first = table.iloc[0]
        print(
            f"{families} families, {number}: {first['seconds']:.0f} s, "
            f"R-hat {first['max_rhat']}, {first['divergences']} divergences",
            flush=True,
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=int, action="append", choices=list(REPLICATIONS))
    parser.add_argument("--replications", type=int, help="of each size; by default fewer if large")
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--quick", action="store_true", help="two sizes, two replications, apart")
    parser.add_argument("--report", action="store_true", help="only write CONSISTENCY.md")
    given = parser.parse_args()
    folder = HERE / "runs" / "quick" if given.quick else HERE / "results"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "consistency.csv"
    warnings.simplefilter("ignore", ls.DataWarning)
    sizes = given.families or ([20, 40] if given.quick else list(REPLICATIONS))
    if not given.report:
        start = (
            ls.methods.PriorStart()
        )  # what the stored results were made with; ModeStart() is better
        method = ls.NUTS(draws=given.draws, tune=given.draws, chains=2, cores=1, start=start)
        for families in sizes:
            count = 2 if given.quick else given.replications or REPLICATIONS[families]
            run(families, count, method, path)
    from benchmarks.consistency.report import write_report

    write_report(path, SEED)


if __name__ == "__main__":
    main()
