"""Does `latentscale.next_benchmark` choose better than chance? A backtest on the bundled figures.

Families are held out whole. In each, one model has a single score; four of its benchmarks are the
targets and the rest are candidates. Measuring each candidate in turn shows how much the chosen one
and a random one (the mean over candidates) improve the targets' forecasts.

Run from the project's root: ``python -m benchmarks.next_benchmark.run``.
It writes NEXT_BENCHMARK.md.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scoringrules

import latentscale as ls
from benchmarks.common.provenance import provenance

HERE = Path(__file__).resolve().parent
TARGETS = 4
SETTINGS = ls.NUTS(draws=500, tune=300, chains=2, cores=1)
FEW_SHOT = ls.FewShot(degenerate="warn")
"""Two unexpected scores leave the weight on few draws; these trials are included."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", type=int, default=16, help="families that are fitted")
    parser.add_argument("--held-out", type=int, default=8, help="families that are not")
    parser.add_argument("--repeats", type=int, default=2, help="random splits of a model's columns")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    start = time.perf_counter()
    rng = np.random.default_rng(chosen.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = ls.datasets.open_llm_leaderboard()
        fit, frame = held_out_fit(scores, chosen.families, chosen.held_out, chosen.seed, rng)
        rows = [
            trial(fit, row, rng, repeat)
            for _, row in frame.iterrows()
            for repeat in range(chosen.repeats)
        ]
    table = pd.DataFrame(rows)
    text = report(table, fit, chosen, time.perf_counter() - start)
    (HERE / "NEXT_BENCHMARK.md").write_text(text, encoding="utf-8")
    print(text)


def held_out_fit(
    scores: ls.Scores, fitted: int, held: int, seed: int, rng: np.random.Generator
) -> tuple[ls.Fit, pd.DataFrame]:
    """Fit some families; return the fit and the largest full row of each of the others."""
    frame = scores.to_frame().dropna(subset=["tokens_t"])
    full = frame.dropna(subset=list(scores.benchmarks))
    families = [str(name) for name in rng.permutation(full["family"].unique())]
    out = families[:held]
    rest = [f for f in rng.permutation(frame["family"].unique()) if f not in out][:fitted]
    train = scores.select(models=list(frame.loc[frame["family"].isin(rest), "model"]))
    fit = ls.fit(ls.load_spec("latentscale"), train, method=SETTINGS, seed=seed, progress=False)
    largest = full[full["family"].isin(out)].sort_values("params_b").groupby("family").tail(1)
    return fit, largest


def trial(fit: ls.Fit, row: pd.Series, rng: np.random.Generator, repeat: int) -> dict[str, object]:
    """Return the targets' errors after the chosen candidate, and after each other one."""
    names = [str(b) for b in rng.permutation(fit.scores.benchmarks)]
    targets, seen, candidates = names[:TARGETS], names[TARGETS], names[TARGETS + 1 :]
    about = ["model", "family", "lineage", "instruct", "params_b", "tokens_t"]
    known = pd.DataFrame([row[[*about, seen]]])
    choice = ls.next_benchmark(
        fit, known, targets=targets, candidates=candidates, seed=repeat, few_shot=FEW_SHOT
    )
    errors = {name: error(fit, known, row, targets, [name], repeat) for name in candidates}
    mean = {key: np.mean([e[key] for e in errors.values()]) for key in ("mae", "crps", "sd")}
    before, chosen = error(fit, known, row, targets, [], repeat), errors[choice.best[0]]
    figures = {"before": before, "random": mean, "chosen": chosen}
    flat = {f"{key}_{what}": figure[key] for what, figure in figures.items() for key in figure}
    hindsight = min(e["mae"] for e in errors.values())
    return {
        "family": row["family"], "model": row["model"], "pick": choice.best[0],
        "mae_hindsight": hindsight, **flat,
    }  # fmt: skip


def error(
    fit: ls.Fit, known: pd.DataFrame, row: pd.Series, targets: list[str], more: list[str], seed: int
) -> dict[str, float]:
    """Return mean absolute error, CRPS and predictive sd of the targets, in points."""
    given = known.assign(**{name: row[name] for name in more})
    forecast = ls.predict(fit, given, seed=seed, few_shot=FEW_SHOT)
    draws = forecast.draws.isel(model=0).sel(benchmark=targets)
    truth = row[targets].to_numpy(dtype=float)
    crps = scoringrules.crps_ensemble(truth, draws.transpose("benchmark", "sample").values)
    return {
        "mae": float(100 * np.abs(draws.median("sample").values - truth).mean()),
        "crps": float(100 * crps.mean()),
        "sd": float(100 * draws.std("sample").mean()),
    }


def report(table: pd.DataFrame, fit: ls.Fit, chosen: argparse.Namespace, seconds: float) -> str:
    lines = [
        "# Next benchmark against random choice",
        "",
        provenance(chosen.seed),
        "",
        f"{len(fit.scores.models)} models of {len(fit.scores.families)} families fitted "
        f"({fit.spec.name}, {fit.status.message}); {table['family'].nunique()} families held out, "
        f"one model each, {chosen.repeats} random splits of its 12 benchmarks into one seen, "
        f"{TARGETS} targets and 7 candidates. Errors of the targets' forecasts are in points; "
        "standard errors are over families. Forecasts with degenerate importance weights, after "
        "scores that the fit did not expect, are included.",
        "",
        "| what is measured | mean absolute error | CRPS | predictive sd |",
        "|---|---|---|---|",
    ]
    labels = {
        "before": "the one score alone",
        "random": "and a random candidate",
        "chosen": "and the chosen candidate",
    }
    for key, label in labels.items():
        cells = [table[f"{name}_{key}"].mean() for name in ("mae", "crps", "sd")]
        lines.append(f"| {label} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    lines.append(
        f"| and the best candidate in hindsight | {table['mae_hindsight'].mean():.2f} | | |"
    )
    lines.append("")
    for name, label in (("mae", "mean absolute error"), ("crps", "CRPS"), ("sd", "predictive sd")):
        gap = table[f"{name}_random"] - table[f"{name}_chosen"]
        by_family = gap.groupby(table["family"]).mean()
        error_of_mean = by_family.std(ddof=1) / np.sqrt(len(by_family))
        lines.append(
            f"- Chosen below random in {label} by {by_family.mean():.2f} "
            f"(standard error {error_of_mean:.2f})."
        )
    picks = table["pick"].value_counts()
    counts = ", ".join(f"{name} {count}" for name, count in picks.items())
    lines += ["", f"Picks: {counts}.", "", f"Took {seconds:.0f} s.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
