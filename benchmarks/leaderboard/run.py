"""The Open LLM Leaderboard v2 whole: random cells, and models uploaded after a cut; LEADERBOARD.md.

The leaderboard's contents table is read in place as published, with families and base models from
names (../shared/tables/open_llm_leaderboard_v2). Models uploaded before the cut are fitted but for
a tenth of their scores; those, and all scores of later models, are forecast. Forecasts are kept in
the folder runs, so a run that was stopped goes on.

    python -m benchmarks.leaderboard.run date       # one spec
    python -m benchmarks.leaderboard.run --report   # LEADERBOARD.md of all that is there
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from latentscale.analysis.backtest import forecast_fold, training_scores
from latentscale.data.known import features_of
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared" / "tables" / "open_llm_leaderboard_v2" / "contents.csv"
CUT = "2024-09-01"
"""Two months before the last upload in the table: about a third of the models are later."""
SHARE = 0.1
"""Share of the fitted models' scores that is hidden."""
EARLIER = "2024-07-15"
"""A cut at which variants are compared: scores of models uploaded up to CUT alone are used."""
EARLIEST = "2024-06-01"
"""Another, with models uploaded up to EARLIER: new base models that were better came after it."""
UNTIL = {EARLIEST: EARLIER, EARLIER: CUT}
"""Models uploaded later than this are left out of the tables of the cuts for choosing."""
MEMBERS = (-1, 0, 2, 10, 1000)
"""Edges of the numbers of a family's fitted models: none, one or two, a few, and more."""
MEMBER_NAMES = ("0", "1 to 2", "3 to 10", "more")
UNDER = ("ifeval", "math_lvl5")
"""Benchmarks whose intervals under-cover."""
NEAR_ZERO = 0.002
"""Scores are clamped to this before their logits are taken: less than one item of the smallest."""
VARIANTS = (
    "size",
    "date",
    "date by benchmark",
    "date by family",
    "date and outliers",
    "date and tuning",
    "date and tuning by family",
    "date and tuning by series",
    "date and tuning by series, first upload",
    "date and tuning by series, uploader",
)
OWN_FEATURES = {"uploader": "uploader", "began": "first upload"}
"""Features that `table_of` adds, by what variants call them."""
WIDE = {"dist": "HalfNormal", "sigma": 1.0}
"""Prior of spreads of families' own slopes on a benchmark, in logits. Instruction tuning moves
families' scores on instruction following by several logits or by none, so that the recommended
spec's 0.3, which is for slopes in log size, is narrow for it."""
TUNING = ("chat_template", "tuning=chat", "tuning=fine-tuned", "tuning=merge")
"""What the leaderboard says of how a model was tuned and run; few models are of other levels."""


def spec_of(variant: str) -> ModelSpec:
    """Return the recommended spec on size alone, or with the date of upload.

    ``date by benchmark`` also lets each benchmark rise with the date in its own way; ``date by
    family`` each family, in its skills and on every benchmark, so that what has been uploaded
    later is less certain; ``date and outliers`` takes the noise of `capabilities`, with a share of
    outliers; ``date and tuning`` adds the chat template and the kind of tuning, on skills and
    on each benchmark; ``by family``, what instruction tuning adds differs between families. ``by
    series``, families are series of base models (`table_of`), spreads of what tuning adds and of
    what size adds differ and have a wider prior, and noise differs between base and tuned models.
    ``first upload`` is a covariate: when the first model of the series was uploaded. ``uploader``
    adds effects of uploaders on skills, partially pooled.
    """
    dated = [] if variant == "size" else ["released"]
    tuning = list(TUNING) if "tuning" in variant else []
    series = "by series" in variant
    instruct = ["instruct"] if series or variant == "date and tuning by family" else []
    by_family = ["log_params", *instruct, *(dated if variant == "date by family" else [])]
    outliers = variant == "date and outliers"
    own = [name for name, what in OWN_FEATURES.items() if what in variant]
    changes = {
        "name": variant,
        "covariates": ["log_params", *dated, *tuning, *instruct, *own],
        "family.slopes": by_family,
        "benchmarks.family_slopes": by_family,
        "benchmarks.slopes": dated if variant == "date by benchmark" else tuning,
        "benchmarks.likelihood": {"kind": "contaminated-beta" if outliers else "beta"},
    }
    if series:
        changes |= {
            "family.lineage": False,
            "benchmarks.family_slope_spreads": "by-covariate",
            "benchmarks.precision_covariates": instruct,
            "priors.family_benchmark_slope_scale": WIDE,
        }
    return ls.load_spec("latentscale").with_(changes)


def table_of(variant: str, scores: Scores) -> Scores:
    """Return the table with families as a variant takes them, and with its own features.

    ``by series``, families are series such as Llama 3.1 in place of base models: sizes of a series
    then share what is particular to it on each benchmark, and a base model of which one tune is
    fitted learns from those of other sizes.
    """
    if "by series" not in variant:
        return scores
    frame = scores.to_frame()
    series = frame["lineage"].where(frame["lineage"] != "", frame["family"])
    features = list(features_of(scores.dataset))
    if "uploader" in variant:
        frame["uploader"] = frame["model"].str.split("/").str[0].str.casefold()
        features.append(ls.Feature("uploader", kind="category"))
    if "first upload" in variant:
        frame["began"] = frame.groupby(series)["released"].transform("min")
        features.append(ls.Feature("began", kind="date"))
    if any(name in frame for name in OWN_FEATURES):
        declared = [feature for feature in features if feature.name in frame]
        info = scores.benchmark_info
        scores = Scores.from_frame(frame, features=declared, benchmarks=info)
    table = scores.dataset
    families = series.to_numpy(table["family"].dtype)
    return Scores(table.assign(family=("model", families)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("variant", nargs="?", choices=VARIANTS, default="date")
    parser.add_argument("--method", choices=("advi", "nuts"), default="advi")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cut", choices=(EARLIEST, EARLIER, CUT), default=CUT)
    parser.add_argument("--report", action="store_true", help="write LEADERBOARD.md, fit nothing")
    options = parser.parse_args()
    if not SHARED.is_file():
        raise SystemExit(f"{SHARED} is not there: the study reads the published table in place.")
    runs = HERE / "runs"
    runs.mkdir(exist_ok=True)
    if options.report:
        (HERE / "LEADERBOARD.md").write_text(report(runs, options.seed), encoding="utf-8")
        return
    path = runs / f"{options.variant}, {options.method}, {options.cut}.csv"
    if not path.exists():
        scores, fold = leaderboard(options.seed, options.cut)
        began = time.time()
        method: ls.ADVI | ls.NUTS = ls.ADVI(batch=500)
        if options.method == "nuts":
            method = ls.NUTS(draws=100, tune=200, chains=2, cores=2)
        table = table_of(options.variant, scores)
        fit = ls.fit(
            spec_of(options.variant),
            training_scores(table, fold),
            method=method,
            seed=options.seed,
            progress=False,
        )
        seconds = time.time() - began
        forecasts = forecast_fold(fit, table, fold, seed=options.seed)
        # Standard errors are between families as read, whatever the spec takes for them.
        family = scores.to_frame().set_index("model")["family"]
        forecasts["family"] = forecasts["model"].map(family)
        forecasts.assign(seconds=seconds).to_csv(path, index=False)
    table = pd.read_csv(path)
    for part, cells in parts_of(table, options.cut).items():
        print(options.variant, options.cut, part, row(cells), flush=True)


@lru_cache
def leaderboard(seed: int, cut: str) -> tuple[Scores, ls.folds.Fold]:
    """Return the models of known size, and one fold of later models and of random cells.

    The few multimodal models are left out, since no fitted one has this kind of tuning. For the
    cuts for choosing, models uploaded later than `UNTIL` are left out altogether.
    """
    scores = ls.readers.read_leaderboard(SHARED)
    frame = scores.to_frame()
    kept = frame["params_b"].notna() & (frame["tuning"] != "multimodal")
    if cut in UNTIL:
        kept &= frame["released"] < pd.Timestamp(UNTIL[cut])
    scores = scores.select(models=list(frame.loc[kept, "model"]))
    (late,) = ls.folds.after(scores, cut)
    early = scores.select(models=list(late.train))
    cells = ls.folds.random_cells_out(early, SHARE, n_folds=1, seed=seed)[0].cells
    return scores, replace(late, cells=cells)


def parts_of(table: pd.DataFrame, cut: str) -> dict[str, pd.DataFrame]:
    """Return the hidden cells of fitted models, and the scores of later ones.

    Of the later ones also those of lineages that have fitted models, and those of new lineages.
    """
    scores, fold = leaderboard(0, cut)
    late = table["model"].isin(set(fold.test))
    lineage = scores.to_frame().set_index("model")["lineage"]
    known = table["model"].map(lineage).isin(set(lineage[list(fold.train)]))
    return {
        "random cells": table[~late],
        "later models": table[late],
        "later models, fitted lineages": table[late & known],
        "later models, new lineages": table[late & ~known],
    }


def row(cells: pd.DataFrame) -> dict[str, str]:
    """Return error, bias and coverage, with standard errors between families."""
    error = 100 * (cells["median"] - cells["score"])
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    half = (cells["pit"] > 0.25) & (cells["pit"] < 0.75)
    by = cells["family"]
    return {
        "cells": str(len(cells)),
        "MAE": shown(error.abs(), by),
        "bias": shown(error, by),
        "cover 90%": shown(inside.astype(float), by, 3),
        "cover 50%": shown(half.astype(float), by, 3),
        "width": f"{100 * (cells['upper'] - cells['lower']).median():.1f}",
    }


def report(runs: Path, seed: int) -> str:
    """Return LEADERBOARD.md of all kept forecasts."""
    whole, each, few = [], [], tuned_shares()
    for path in sorted(runs.glob("*.csv"), key=lambda path: (_cut(path), path.stem)):
        table = pd.read_csv(path)
        name, cut = path.stem.rsplit(", ", 1)
        seconds = f"{table['seconds'].iloc[0]:.0f}"
        for part, cells in parts_of(table, cut).items():
            about = {"cut": cut, "spec": name, "held out": part}
            whole.append({**about, **row(cells), "seconds": seconds})
        if cut == CUT:
            late = parts_of(table, cut)["later models"]
            for benchmark, cells in late.groupby("benchmark"):
                each.append({"spec": name, "benchmark": benchmark, **row(cells)})
    parts = [
        "# The Open LLM Leaderboard v2, whole",
        provenance(seed),
        f"Models uploaded before a cut are fitted but for a tenth of their scores at random; these "
        "and all scores of later models are forecast by their median. Families, lineages and the "
        "instruct flag are read from base models and names. Points are percentage points; standard "
        "errors are between families; seconds are those of the fit, compilation included. The cuts "
        f"{EARLIEST} and {EARLIER} are for choosing among specs: they use no model uploaded from "
        f"{EARLIER} and from {CUT} on.",
        markdown(pd.DataFrame(whole)),
        "Families that are series of base models, with a spread of slopes for each covariate (`by "
        f"series`), have the least error of later models at {EARLIER}. Effects of uploaders "
        f"besides lower the error at {EARLIEST} and raise it at {EARLIER}, so they were left out. "
        f"On models from {CUT} on `by series` gains nothing but at random cells: new lineages are "
        "better than the date of upload gives reason to expect.",
        f"Models from {CUT} on by benchmark:",
        markdown(pd.DataFrame(each)),
        "## Later models by the fitted models of their family",
        f"Uploaded from {EARLIER} on, by how many models of their family are fitted. Families of "
        "one or two fitted models under-cover most, on the two benchmarks that depend most on "
        f"tuning: {few[0]:.0%} of these fitted models are tuned, {few[1]:.0%} of the later ones.",
        markdown(by_fitted_members(runs)),
        "What tuning adds differs between families, while all specs but those `by family` and `by "
        "series` give every family one shift a benchmark. On the logit scale, standard deviations "
        f"by moments, fitted models of the cut {EARLIER}, given size, date and chat template:",
        markdown(between_families()),
        "## Later models on math_lvl5, by lineage",
        "Where its intervals under-cover: in lineages that no fitted model has (Qwen 2.5, Llama "
        "3.2), on both sides, since whole lineages came that were trained on mathematics and the "
        "fitted ones give no measure of such a spread; in Gemma 2, whose later fine-tunes lie "
        "above the fitted ones; and in models known by their architecture alone (Qwen 2), where "
        "the name does not say which series they descend from. A slope of its own in the date for "
        "each benchmark changes little, so a trend is not what is missing.",
        _math(runs),
    ]
    return "\n\n".join(parts) + "\n"


def by_fitted_members(runs: Path) -> pd.DataFrame:
    """Return coverage at the earlier cut by how many models of the family are fitted."""
    scores, fold = leaderboard(0, EARLIER)
    family = scores.to_frame().set_index("model")["family"]
    members = family[list(fold.train)].value_counts()
    rows = []
    for path in sorted(runs.glob(f"*, {EARLIER}.csv")):
        late = parts_of(pd.read_csv(path), EARLIER)["later models"]
        count = late["family"].map(members).fillna(0)
        for (benchmark, about), cells in late.groupby(
            ["benchmark", pd.cut(count, MEMBERS, labels=list(MEMBER_NAMES))], observed=True
        ):
            if benchmark in UNDER:
                name = path.stem.rsplit(", ", 1)[0]
                about_cells = {"spec": name, "benchmark": benchmark, "fitted of family": about}
                rows.append({**about_cells, **row(cells)})
    return pd.DataFrame(rows)


def tuned_shares() -> tuple[float, float]:
    """Return the shares of tuned models in families with one or two fitted ones at EARLIER.

    Of the fitted models, in families that have later ones, and of the later models.
    """
    scores, fold = leaderboard(0, EARLIER)
    frame = scores.to_frame().set_index("model")
    fitted, later = frame.loc[list(fold.train)], frame.loc[list(fold.test)]
    counts = fitted["family"].value_counts()
    few = set(counts.index[counts <= MEMBERS[2]]) & set(later["family"])
    before, after = (part.loc[part["family"].isin(few), "instruct"] for part in (fitted, later))
    return float(before.mean()), float(after.mean())


def between_families() -> pd.DataFrame:
    """Return standard deviations between and within families of base and of tuned models.

    By moments: residuals of logits of scores on log size, date and chat template, by least
    squares; families count alike.
    """
    scores, fold = leaderboard(0, EARLIER)
    frame = scores.to_frame().set_index("model").loc[list(fold.train)]
    days = (frame["released"] - frame["released"].min()).dt.days
    x = np.column_stack(
        [np.ones(len(frame)), np.log(frame["params_b"]), days, frame["chat_template"].fillna(0)]
    )
    rows = []
    for benchmark in scores.benchmarks:
        for flag, state in ((0, "base"), (1, "tuned")):
            used = ((frame["instruct"] == flag) & frame[benchmark].notna()).to_numpy()
            score = frame.loc[used, benchmark].clip(NEAR_ZERO, 1 - NEAR_ZERO)
            logit = np.log(score / (1 - score))
            rest = logit - x[used] @ np.linalg.lstsq(x[used], logit, rcond=None)[0]
            families = rest.groupby(frame.loc[used, "family"])
            within = ((rest - families.transform("mean")) ** 2).sum()
            within /= len(rest) - families.ngroups
            between = (families.mean() ** 2 - within / families.size()).mean()
            sd = {"between": max(between, 0.0) ** 0.5, "within": within**0.5}
            shown_sd = {name: f"{value:.2f}" for name, value in sd.items()}
            about = {"benchmark": benchmark, "models": state, "families": families.ngroups}
            rows.append({**about, **shown_sd})
    return pd.DataFrame(rows)


def _math(runs: Path) -> str:
    """Return where later models' scores on math_lvl5 lie beside their intervals, by lineage."""
    scores, fold = leaderboard(0, CUT)
    frame = scores.to_frame().set_index("model")
    rows = []
    for path in sorted(runs.glob(f"*, {CUT}.csv")):
        cells = parts_of(pd.read_csv(path), CUT)["later models"]
        cells = cells[cells["benchmark"] == "math_lvl5"]
        lineage = cells["model"].map(frame["lineage"])
        for name in lineage.value_counts().index[:8]:  # those with the most later models
            mine = cells[lineage == name]
            below, above = mine["score"] < mine["lower"], mine["score"] > mine["upper"]
            rows.append(
                {
                    "spec": path.stem.rsplit(", ", 1)[0],
                    "lineage": name,
                    "models": len(mine),
                    "fitted models": int((frame.loc[list(fold.train), "lineage"] == name).sum()),
                    "bias": f"{100 * (mine['median'] - mine['score']).mean():+.1f}",
                    "below": f"{np.mean(below):.2f}",
                    "above": f"{np.mean(above):.2f}",
                }
            )
    return markdown(pd.DataFrame(rows))


def _cut(path: Path) -> str:
    return path.stem.rsplit(", ", 1)[1]


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
