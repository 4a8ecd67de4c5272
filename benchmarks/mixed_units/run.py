"""Mixed units: effects on a fit of scores rescaled by (score - floor) / (1 - floor) among raw ones.

Builds such mixtures from the bundled figures, fits them, and counts how often the package's check
of floors detects them.

    python -m benchmarks.mixed_units.run              # writes MIXED_UNITS.md and its figure
    python -m benchmarks.mixed_units.run --quick      # one mixture, few subsets, files apart
    python -m benchmarks.mixed_units.run --report     # only write them from the result files
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import latentscale as ls
from benchmarks.common.refit import as_fit, sample, with_scores
from latentscale.analysis.backtest import score_forecast
from latentscale.analysis.forecasts.predict import forecast_rows
from latentscale.data.floors import floor_findings
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.dims import BENCHMARK, MODEL, SAMPLE
from latentscale.model.design import Design, design, pull_inside
from latentscale.posterior.convergence import convergence

HERE = Path(__file__).resolve().parent
SEED = 613
FITTED_SHARES = (0.0, 0.1, 0.25, 0.5)
DETECTED_SHARES = (0.02, 0.05, 0.1, 0.25, 0.5)
SIZES = (20, 60, 194)
KINDS = ("models", "families", "strongest")
SUBSETS = 60


def light_spec() -> ModelSpec:
    """Return a plain K = 2 spec: cai2025's curve on compute, with family x benchmark effects."""
    document = ls.load_spec("cai2025").to_dict()
    identify = {"kind": "anchored", "anchors": ["mmlu", "ifeval"], "unit": "anchor"}
    return spec_from_dict(
        {
            **document,
            "name": "mixed units K=2",
            "covariates": ["log_flops"],
            "skills": {**document["skills"], "count": 2, "identify": identify},
            "benchmarks": {
                "link": {"kind": "logistic"},
                "family_effect": True,
                "instruct": {"shift": True},
            },
            "priors": {},
        }
    )


def rescale(dataset: xr.Dataset, models: list[str]) -> xr.Dataset:
    """Return the dataset with some models' scores as (score - floor) / (1 - floor), 0 at least.

    The Open LLM Leaderboard v2 publishes scores in this form, with scores below the floor at 0.
    """
    score, floor = dataset["score"], dataset["floor"]
    moved = ((score - floor) / (1 - floor)).clip(min=0)
    chosen = dataset[MODEL].isin(models)
    return dataset.assign(score=xr.where(chosen, moved, score).transpose(*score.dims))


def chosen_models(dataset: xr.Dataset, kind: str, share: float, rng: np.random.Generator) -> list:
    """Return the models that come from the source of rescaled scores.

    Parameters
    ----------
    dataset
        The table.
    kind
        ``"models"``: at random; ``"families"``: whole families at random, until the share is
        reached; ``"strongest"``: at random among the better half, which is the hard case, since
        strong models stay above the floor.
    share
        Share of all models, at least one.
    rng
        Source of random numbers.
    """
    names = dataset[MODEL].values
    count = max(round(share * len(names)), 1)
    if kind == "models":
        return list(rng.choice(names, count, replace=False))
    if kind == "families":
        family = dataset["family"].values
        order = rng.permutation(np.unique(family))
        ordered = np.concatenate([names[family == one] for one in order])
        return list(ordered[:count])
    centred = dataset["score"] - dataset["score"].mean(MODEL)
    level = centred.mean(BENCHMARK).values
    better = names[np.argsort(-level, kind="stable")[: max(len(names) // 2, count)]]
    return list(rng.choice(better, count, replace=False))


def flagged(dataset: xr.Dataset) -> list[str]:
    """Return benchmarks that the package's check of floors calls rescaled."""
    return [f.where for f in floor_findings(dataset) if f.code == "floor-rescaled"]


def detection(dataset: xr.Dataset, subsets: int) -> pd.DataFrame:
    """Return how often random mixtures of random tables are detected.

    Returns
    -------
    One row per kind, share and table size: size, subsets, detected (share of mixtures with at least
    one benchmark flagged) with its binomial standard error, and named (mean number flagged).
    """
    cases = [("none", 0.0), *((kind, share) for kind in KINDS for share in DETECTED_SHARES)]
    rows = []
    for kind, share in cases:
        for size in SIZES:
            seeds = [SEED, ("none", *KINDS).index(kind), round(1000 * share), size]
            rng = np.random.default_rng(seeds)
            detected = []
            for _ in range(subsets):
                names = rng.choice(dataset[MODEL].values, size, replace=False)
                table = dataset.sel({MODEL: names})
                models = chosen_models(table, kind, share, rng) if share else []
                detected.append(len(flagged(rescale(table, models))))
            rate = float(np.mean(np.array(detected) > 0))
            about = {"kind": kind, "share": share, "size": size, "subsets": subsets}
            error = np.sqrt(rate * (1 - rate) / subsets)
            rows.append(
                {**about, "detected": rate, "detected_se": error, "named": np.mean(detected)}
            )
    return pd.DataFrame(rows)


def held_out(scores: Scores) -> list[str]:
    """Return one model of every family of at least three, drawn at random."""
    rng = np.random.default_rng(SEED)
    family = scores.dataset["family"].values
    names = scores.dataset[MODEL].values
    groups = [names[family == one] for one in np.unique(family)]
    return [str(rng.choice(group)) for group in groups if len(group) >= 3]


def fit_mixture(
    made: Design, whole: Scores, share: float, kind: str, method: ls.NUTS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit a mixture and forecast raw scores of the held-out models.

    Returns
    -------
    Scores of the forecast, one row per cell; and loadings, one row each.
    """
    spec, clean = light_spec(), made.scores.dataset
    asked = held_out(whole)
    rng = np.random.default_rng([SEED, KINDS.index(kind), round(1000 * share)])
    models = chosen_models(clean, kind, share, rng) if share else []
    mixed = rescale(clean, models)
    inside, _ = pull_inside(mixed["score"], mixed["n_items"])
    cells = inside.transpose(MODEL, BENCHMARK).values
    observed = with_scores(made, cells[made.model_of_cell, made.benchmark_of_cell])
    drawn = sample(spec, observed, method, SEED).draws
    fit = as_fit(spec, observed, drawn.posterior, SEED)
    about = {"kind": kind if share else "none", "share": share}
    about |= {"rescaled": len(models), "warned": len(flagged(mixed))}
    about["max_rhat"] = round(convergence(drawn.posterior[["loading", "slope"]], None).max_rhat, 3)
    rows = whole.dataset.sel({MODEL: asked})
    forecast = forecast_rows(fit, rows, seed=SEED)
    errors = score_forecast(forecast, rows["score"], rows["n_items"]).assign(**about)
    family = dict(zip(asked, rows["family"].values.tolist(), strict=True))
    errors["family"] = errors["model"].map(family)
    loading = fit.samples["loading"]
    table = xr.Dataset(
        {
            "mean": loading.mean(SAMPLE),
            "lower": loading.quantile(0.05, SAMPLE, keep_attrs=False).drop_vars("quantile"),
            "upper": loading.quantile(0.95, SAMPLE, keep_attrs=False).drop_vars("quantile"),
        }
    )
    return errors, table.to_dataframe().reset_index().assign(**about)


def run_fits(scores: Scores, mixtures: list[tuple[str, float]], method: ls.NUTS, folder: Path):
    """Fit every mixture that is not in the result files yet; all share one compilation."""
    paths = [folder / "mixed_units_errors.csv", folder / "mixed_units_loadings.csv"]
    done = set()
    if all(path.is_file() for path in paths):
        before = pd.read_csv(paths[1], keep_default_na=False)
        done = set(zip(before["kind"], before["share"], strict=True))
    missing = [(k, s) for k, s in mixtures if ((k if s else "none"), s) not in done]
    if not missing:
        return
    made = design(light_spec(), scores.without(held_out(scores)))
    for kind, share in missing:
        tables = fit_mixture(made, scores, share, kind, method)
        for path, table in zip(paths, tables, strict=True):
            table.to_csv(
                path, mode="a", header=not path.is_file(), index=False, float_format="%.6g"
            )
        errors = tables[0]
        mae = (errors["score"] - errors["median"]).abs().mean()
        print(f"{kind} {share:g}: MAE {100 * mae:.2f}, R-hat {errors['max_rhat'][0]}", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=250)
    parser.add_argument("--quick", action="store_true", help="one mixture, 20 subsets, apart")
    parser.add_argument("--report", action="store_true", help="only write MIXED_UNITS.md")
    given = parser.parse_args()
    folder = HERE / "runs" / "quick" if given.quick else HERE / "results"
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", ls.DataWarning)
    if not given.report:
        scores = ls.datasets.open_llm_leaderboard()
        table = detection(scores.dataset, 20 if given.quick else SUBSETS)
        table.to_csv(folder / "mixed_units_detection.csv", index=False, float_format="%.4g")
        shares = (0.0, 0.25) if given.quick else FITTED_SHARES
        mixtures = [("models", share) for share in shares]
        mixtures += [] if given.quick else [("strongest", 0.25)]
        method = ls.NUTS(draws=given.draws, tune=given.draws, chains=2, cores=1)
        run_fits(scores, mixtures, method, folder)
    from benchmarks.mixed_units.report import write_report

    write_report(folder, SEED)


if __name__ == "__main__":
    main()
