"""Where do skills level off: in tokens, or in tokens per parameter? OLMO_SHAPE.md.

Least squares on one skill for each checkpoint, without a sampler: the first principal component of
scores on the logit scale between floor and 1. Three shapes of the skill in size and tokens are
fitted to small or short runs and forecast the others. Held-out runs are those that other studies
fit: neither the 7B and 13B models nor Pythia's 12b take part. The forecasts by the full model are
in `run.py` and `benchmarks/pythia`.

    python -m benchmarks.olmo_ladder.shape   # seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.stats import linregress

from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.olmo_ladder import run as olmo
from benchmarks.olmo_ladder.two_step import SMOOTHED
from benchmarks.pythia import run as pythia

HERE = Path(__file__).resolve().parent
FLOORS = {"ARC-Challenge": 0.18, "OpenBookQA": 0.18}
"""Small runs score below chance on these two, so their floors are set below all scores."""
ZERO_SHOT = {"lambada_openai": 0.0, "arc_easy": 0.25, "piqa": 0.5, "sciq": 0.25, "winogrande": 0.47}
"""Pythia's benchmarks that rise for all sizes, with floors below all scores."""
NEAREST = 0.004
"""Scores closer to the floor than this, or below it, are moved to this distance above it, so that
logits are finite. This affects only 19 of 770 scores of Pythia, all at step 512, and none of the
ladder. With half or twice the distance the shapes have the same ranking on every split, and no
mean error changes by more than 0.04."""
BEFORE = 2000
"""Pythia's steps up to which every run scores near chance."""
KNOTS, BEYOND = 8, 2.0
"""Knots of the trend in tokens, as in the shipped spec."""
SD_SLOPE, SD_RATE, SD_CHANGE = 0.5, 0.5, 0.15
"""Spread of slopes and of exponents, and of changes of slope over one standard deviation of the
covariate, as ridge penalties: the first two are the shipped spec's priors, the third is about
where its posterior puts the trend's scale."""
SD_NOISE = 0.05
"""Residual standard deviation that the penalties are weighed against: about that of the fits."""
LOSSES = {
    "C4": "eval/c4_en-validation/CrossEntropyLoss",
    "Pile": "eval/pile-validation/CrossEntropyLoss",
    "bits per byte of the tasks' answers": "",
}
"""Losses that do not depend on any score."""
SHAPES: dict[str, tuple[str, ...]] = {
    "tokens": ("size levels off", "tokens level off", "trend"),
    "tokens, product": ("size levels off", "tokens level off", "trend", "product"),
    "tokens per parameter": ("size levels off", "tokens", "ratio levels off", "trend"),
}
"""Terms of the skill: the shipped spec's, these with the product, and the alternative's."""


@dataclass(frozen=True)
class Runs:
    """Checkpoints: logs of size and tokens, share of the run done, run, and skill; dims (row,)."""

    size: np.ndarray
    tokens: np.ndarray
    done: np.ndarray
    run: pd.Series
    skill: np.ndarray


def skill_of(frame: pd.DataFrame, floors: Mapping[str, float]) -> np.ndarray:
    """Return the first principal component of the benchmarks' logits, over their root number."""
    above = {name: np.maximum(frame[name] - floor, NEAREST) for name, floor in floors.items()}
    logit = np.column_stack([np.log(above[name] / (1 - frame[name])) for name in floors])
    axis = np.linalg.svd(logit - logit.mean(axis=0), full_matrices=False)[2][0]
    skill: np.ndarray = logit @ (axis * np.sign(axis.sum())) / np.sqrt(len(floors))
    return skill - skill.mean()


def runs_of(frame: pd.DataFrame, floors: Mapping[str, float]) -> Runs:
    """Return checkpoints of a table, with their skill."""
    done = frame["tokens_t"] / frame.groupby("family")["tokens_t"].transform("max")
    size, tokens = (np.log(frame[name].to_numpy()) for name in ("params_b", "tokens_t"))
    skill = skill_of(frame, floors)
    return Runs(size, tokens, done.to_numpy(), frame["family"], skill)


def standardised(x: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return a covariate, centred and scaled on the fitted rows."""
    return np.asarray((x - x[fitted].mean()) / x[fitted].std())


def levelled(x: np.ndarray, rate: float) -> np.ndarray:
    """Return (1 - exp(-rate x)) / rate."""
    return -np.expm1(-rate * x) / rate if rate > 1e-6 else x  # the limit, up to rounding


def hinges(x: np.ndarray, fitted: np.ndarray) -> tuple[np.ndarray, float]:
    """Return max(x - knot, 0) above the mean and max(knot - x, 0) below, and the knots' step."""
    lower, upper = x[fitted].min(), x[fitted].max()
    step = (upper - lower) / KNOTS
    first, last = np.floor((lower - BEYOND) / step), np.ceil((upper + BEYOND) / step)
    knots = np.arange(first, last + 1) * step
    return np.maximum(np.where(knots >= 0, 1, -1) * (x[:, None] - knots), 0.0), float(step)


def fit(shape: str, runs: Runs, fitted: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Return the expected skill of every row, and the exponents of the levelling terms."""
    size, tokens, ratio = (
        standardised(x, fitted) for x in (runs.size, runs.tokens, runs.tokens - runs.size)
    )
    basis, step = hinges(tokens, fitted)
    curves = {"size levels off": size, "tokens level off": tokens, "ratio levels off": ratio}
    lines = {"tokens": tokens, "product": size * tokens, "done": runs.done - 1}
    rates = {name: place for place, name in enumerate(n for n in SHAPES[shape] if n in curves)}
    straight = [lines[name] for name in (*SHAPES[shape], "done") if name in lines]
    changes = SD_CHANGE * np.sqrt(step) * basis if "trend" in SHAPES[shape] else basis[:, :0]

    def design(p: np.ndarray) -> np.ndarray:
        bent = [levelled(curves[name], SD_RATE * abs(p[at])) for name, at in rates.items()]
        return np.column_stack([*bent, *straight, changes])

    def solved(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        columns = design(p)
        count = len(rates) + len(straight)
        spread = np.where(np.arange(columns.shape[1]) < count, SD_SLOPE, 1.0)
        scaled = np.column_stack([np.ones(len(columns)), columns * spread])
        ridge = SD_NOISE * np.eye(scaled.shape[1])[1:]
        known = np.concatenate([runs.skill[fitted], np.zeros(len(ridge))])
        solution = np.linalg.lstsq(np.vstack([scaled[fitted], ridge]), known)[0]
        expected = scaled @ solution
        away = np.concatenate([(expected - runs.skill)[fitted], ridge @ solution, SD_NOISE * p])
        return expected, away

    starts = [np.full(len(rates), start) for start in (0.2, 1.0)]
    fits = [least_squares(lambda p: solved(p)[1], start) for start in starts]
    best = min(fits, key=lambda one: one.cost)
    return solved(best.x)[0], {n: SD_RATE * abs(best.x[at]) for n, at in rates.items()}


NOTES = (
    "Why the shipped spec `checkpoints` forecasts the ladder's 7B and 13B models worse once the "
    "3B runs are fitted, and Pythia's 12b worse than a simple rule. Every checkpoint has one "
    "skill: the first principal component of the benchmarks' logits above their floors. A "
    "difference of 0.1 is about two percentage points in the middle of a benchmark's range. Three "
    "shapes are fitted by least squares with ridge penalties matching the spec's priors: the "
    "shipped spec's shape, a curve in size plus a curve in tokens; the same with the product of "
    "size and tokens; and a curve in size plus one in tokens per parameter, with a trend in "
    "tokens. Here runs have no effects of their own. The shape was found on these tables when the "
    "forecasts of 7B, 13B and 12b were already known; the splits below leave these models out. "
    "Standard errors are between runs; there are five sizes, and runs of one size are not "
    "independent draws.",
    "**Tokens.** At a given multiple of Chinchilla's tokens the gain from tokens is about the "
    "same at all sizes, so skills level off in tokens per parameter. No curve in size plus a "
    "curve in tokens can have that shape. Its residual within a run is a slope in tokens that "
    "rises with the run's size. The spec has a slope for every run and treats these slopes as "
    "draws from one population, so a larger, unseen run gets the mean slope. The product of size "
    "and tokens captures this but grows without bound: it overpredicts the ladder's larger runs "
    "most.",
    "**Size.** At equal tokens per parameter the step from 1.3B to 3B gains less than the steps "
    "below it. Losses on text, which do not depend on any score, also fall least there, so "
    "neither a benchmark's ceiling nor the scoring of the 3B runs is the cause. Up to 1.3B the "
    "steps in skill do not generally get smaller, so the scores give no warning. All five 3B runs "
    "share the smaller step: for the curve in size they are one observation, not five, and with "
    "them the exponent of size rises.",
    "**Together.** By the full model (OLMO_LADDER.md), forecasts of 7B-4T and 13B-5T fall by six "
    "to eight points once the 3B runs are fitted, whether skills level off in tokens or in tokens "
    "per parameter: that is the step in size. With either set of runs, forecasts of the shipped "
    "spec are six to eight points below those with tokens per parameter: that is the shape in "
    "tokens. From runs up to 1.3B the two errors cancel, and the shipped spec is about right; "
    "with the 3B runs the first disappears and the second remains. On the 3B runs themselves the "
    "spec is right probably because under its prior skills level off in size, although the "
    "smaller runs do not.",
)

Splits = dict[str, tuple[np.ndarray, np.ndarray]]


def ladder() -> tuple[Runs, Splits]:
    """Return the ladder's runs up to 3B, and splits: fitted, and held-out last checkpoints."""
    frame = olmo.scores().to_frame()
    frame = frame[~frame["family"].isin(olmo.TARGETS)].reset_index(drop=True)
    runs = runs_of(frame, {k: FLOORS.get(k, olmo.FLOORS.get(k, 0.25)) for k in olmo.TASKS})
    names = frame["family"].str.split("-", expand=True)
    size, long = names[0], names[1].isin(["5xC", "10xC"])
    end, large = frame["trained"] == 1, size == "3B"
    small = size.isin(["190M", "370M", "760M"])
    splits = {
        "3B from runs up to 1.3B": (~large, large & end),
        "1.3B from runs up to 760M": (small, (size == "1B") & end),
        "10xC from runs up to 5xC": (names[1] != "10xC", (names[1] == "10xC") & end),
        "5xC and 10xC from runs up to 2xC": (~long, long & end),
        "5xC and 10xC of 3B from runs up to 2xC and 1.3B": (~long & ~large, long & large & end),
    }
    return runs, {name: (a.to_numpy(), b.to_numpy()) for name, (a, b) in splits.items()}


def suite() -> tuple[Runs, Splits]:
    """Return Pythia's runs but the 12b ones, and splits of them."""
    frame = pythia.scores().to_frame()
    frame = frame[~frame["family"].str.contains("12b")].reset_index(drop=True)
    floors = {f"{name} 0-shot": floor for name, floor in ZERO_SHOT.items()}
    frame = frame.dropna(subset=list(floors)).reset_index(drop=True)
    runs = runs_of(frame, floors)
    runs = Runs(runs.size, runs.tokens, np.ones(len(frame)), runs.run, runs.skill)
    step = frame["tokens_t"] * 1e12 / pythia.TOKENS_PER_STEP
    size = frame["family"].str.extract(r"pythia-([\d.]+[mb])")[0]
    large, late = size == "6.9b", step > BEFORE
    small = ~large & (size != "2.8b")
    splits = {
        "6.9b from runs up to 2.8b": (~large, large),
        "2.8b from runs up to 1.4b": (small, size == "2.8b"),
        "6.9b from runs up to 2.8b, after step 2,000": (~large & late, large & late),
        "2.8b from runs up to 1.4b, after step 2,000": (small & late, (size == "2.8b") & late),
        "step 13,000 to half of every run, from before": (
            step <= pythia.EARLY,
            (step > pythia.EARLY) & (step <= pythia.HALF),
        ),
    }
    return runs, {name: (a.to_numpy(), b.to_numpy()) for name, (a, b) in splits.items()}


def compared(runs: Runs, splits: Splits) -> pd.DataFrame:
    """Return each shape's residuals on fitted checkpoints and errors on held-out ones."""
    rows = []
    for split, (fitted, held) in splits.items():
        for shape in SHAPES:
            expected, rates = fit(shape, runs, fitted)
            error = pd.Series((expected - runs.skill)[held])
            run = runs.run[held].reset_index(drop=True)
            rows.append(
                {
                    "held out": split,
                    "skill levels off in": shape,
                    "residual sd": f"{(expected - runs.skill)[fitted].std():.3f}",
                    "MAE": shown(error.abs(), run, 3),
                    "bias": shown(error, run, 3),
                    "exponent of size": f"{rates['size levels off']:.2f}",
                }
            )
    return pd.DataFrame(rows)


def gains(runs: Runs) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return gains of the skill between last checkpoints, by log tokens and by log size."""
    last = pd.DataFrame({"run": runs.run, "size": runs.size, "tokens": runs.tokens})
    last = last.assign(skill=runs.skill)[runs.done == 1]
    last[["name", "times"]] = last["run"].str.split("-", n=1, expand=True)
    by = {what: last.pivot(index="name", columns="times", values=what) for what in last}
    sizes, times = ["190M", "370M", "760M", "1B", "3B"], ["0.5xC", "1xC", "2xC", "5xC", "10xC"]
    grid = {w: by[w].loc[sizes, times].to_numpy(dtype=float) for w in ("size", "tokens", "skill")}
    in_tokens = np.diff(grid["skill"], axis=1) / np.diff(grid["tokens"], axis=1)
    in_size = np.diff(grid["skill"], axis=0) / np.diff(grid["size"], axis=0)
    pairs = [f"{a} to {b}" for a, b in pairwise(times)]
    steps = [f"{a} to {b}" for a, b in pairwise(sizes)]
    return _gain_table(in_tokens, sizes, pairs), _gain_table(in_size.T, times, steps)


def losses() -> pd.DataFrame:
    """Return how fast log losses fall with log size at equal tokens per parameter, in percent."""
    sizes, times = list(olmo.sizes()), ["0.5xC", "1xC", "2xC", "5xC", "10xC"]
    steps = [f"{a} to {b}" for a, b in pairwise(sizes)]
    tables = olmo.tables()
    rows = []
    for what, column in LOSSES.items():
        last = [
            [_last(tables[f"{size}-{time}"], column) for size in sizes]
            for time in times
            if all(f"{size}-{time}" in tables for size in sizes)
        ]
        fall = -np.diff(np.log(last), axis=1) / np.diff(np.log(list(olmo.sizes().values())))
        error = fall.std(axis=0, ddof=1) / np.sqrt(len(fall))
        cells = zip(100 * fall.mean(axis=0), 100 * error, strict=True)
        rows.append([what, *(f"{mean:.1f} ± {e:.1f}" for mean, e in cells)])
    return pd.DataFrame(rows, columns=["loss", *steps])


def _last(table: pd.DataFrame, column: str) -> float:
    if column:
        return float(table[column].iloc[-SMOOTHED:].mean())
    answers = [olmo.figure(table, task, "bpb")[-SMOOTHED:].mean() for task in olmo.TASKS]
    return float(np.mean(answers))


def _gain_table(values: np.ndarray, rows: list[str], columns: list[str]) -> pd.DataFrame:
    body = [dict(zip(columns, (f"{v:.2f}" for v in line), strict=True)) for line in values]
    table = pd.DataFrame([{"": name, **line} for name, line in zip(rows, body, strict=True)])
    spread = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    means = zip(values.mean(axis=0), spread, strict=True)
    shown_means = (f"{mean:.2f} ± {error:.2f}" for mean, error in means)
    table.loc[len(table)] = ["mean", *shown_means]
    return table


def first_step(runs: Runs, splits: Splits) -> pd.DataFrame:
    """Return the residual of every last checkpoint under the shipped shape, fitted up to 1.3B."""
    fitted, _ = splits["3B from runs up to 1.3B"]
    rows = []
    for what, rule in (("190M to 1.3B", fitted), ("190M to 3B", np.ones(len(fitted), bool))):
        expected, rates = fit("tokens", runs, rule)
        left = pd.Series((runs.skill - expected)[runs.done == 1])
        size = runs.run[runs.done == 1].str.split("-").str[0].reset_index(drop=True)
        by = left.groupby(size).agg(["mean", "std"])
        cells = {n: f"{by['mean'][n]:+.3f} ({by['std'][n]:.3f})" for n in olmo.sizes()}
        rows.append(
            {"fitted": what, **cells, "exponent of size": f"{rates['size levels off']:.2f}"}
        )
    return pd.DataFrame(rows)


def left_to_runs(tables: Mapping[str, Runs]) -> pd.DataFrame:
    """Return slopes in log tokens of each shape's residuals within runs, against log size."""
    rows = []
    for name, runs in tables.items():
        everything = np.ones(len(runs.skill), dtype=bool)
        for shape in SHAPES:
            left = runs.skill - fit(shape, runs, everything)[0]
            data = pd.DataFrame({"left": left, "tokens": runs.tokens, "size": runs.size})
            data[["left", "tokens"]] -= data.groupby(runs.run)[["left", "tokens"]].transform("mean")
            sums = (data["left"] * data["tokens"]).groupby(runs.run).sum()
            slope = sums / (data["tokens"] ** 2).groupby(runs.run).sum()
            line = linregress(data["size"].groupby(runs.run).first(), slope)
            rows.append(
                {
                    "runs": name,
                    "skill levels off in": shape,
                    "sd of slopes": f"{slope.std():.3f}",
                    "on log size": f"{line.slope:+.3f} ± {line.stderr:.3f}",
                    "R2": f"{line.rvalue**2:.2f}",
                }
            )
    return pd.DataFrame(rows)


def report() -> str:
    """Return OLMO_SHAPE.md."""
    runs, splits = ladder()
    others = suite()
    tokens, size = gains(runs)
    parts = [
        "# The shape of the OLMo ladder's and Pythia's runs in size and tokens",
        provenance(1).replace("seed 1; ", "without random numbers; "),
        *NOTES,
        "## Gain of the skill by log tokens, between last checkpoints of runs of one size",
        markdown(tokens),
        "## Gain of the skill by log size, between last checkpoints at equal tokens per parameter",
        markdown(size),
        "## Fall of the log loss by log size at equal tokens per parameter, in percent",
        markdown(losses()),
        "## Last checkpoints less their expected skill, tokens levelling off: mean (sd) by size",
        markdown(first_step(runs, splits)),
        "## Slopes in log tokens of what is left within each run, all runs fitted",
        markdown(left_to_runs({"OLMo ladder": runs, "Pythia": others[0]})),
        "## Forecasts of larger and longer runs of the ladder",
        markdown(compared(runs, splits)),
        "## Forecasts of larger and later runs of Pythia",
        markdown(compared(*others)),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    if not olmo.SHARED.is_dir() or not pythia.SHARED.is_file():
        raise SystemExit(f"{olmo.SHARED} or {pythia.SHARED} is not there: both are read in place.")
    (HERE / "OLMO_SHAPE.md").write_text(report(), encoding="utf-8")
