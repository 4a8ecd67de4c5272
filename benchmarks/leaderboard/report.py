"""LEADERBOARD.md: tables of kept forecasts of the Open LLM Leaderboard v2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.common.recalibrated import recalibrated_coverage
from benchmarks.leaderboard.specs import CHOSEN, REFERENCE, VARIANTS
from benchmarks.leaderboard.split import AT_RANDOM, CUT, EARLIER, EARLIEST, HERE, SEED, leaderboard

METHODS = ("advi", "nuts")
MEMBERS = (-1, 0, 2, 10, 1000)
"""Edges of the numbers of a family's fitted models: none, one or two, a few, and more."""
MEMBER_NAMES = ("0", "1 to 2", "3 to 10", "more")
UNDER = ("ifeval", "math_lvl5")
"""Benchmarks whose intervals under-cover."""
NEAR_ZERO = 0.002
"""Scores are clamped to this before taking logits: less than one item of the smallest benchmark."""


def parts_of(table: pd.DataFrame, cut: str) -> dict[str, pd.DataFrame]:
    """Return the hidden cells of fitted models, and the scores of later ones.

    Later models are also split into lineages with fitted models and new lineages.
    """
    scores, fold = leaderboard(SEED, cut)
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
    few = tuned_shares()
    parts = [
        "# The Open LLM Leaderboard v2, whole",
        provenance(seed),
        "Models uploaded before a cut are fitted, except for a random tenth of their scores; "
        "these and all scores of later models are forecast by the predictive median. Families, "
        "lineages and the instruct flag are read from base models and names. Points are "
        "percentage points; standard errors are between families. Specs were chosen at the cuts "
        f"{EARLIEST} and {EARLIER}, which use no model uploaded from {EARLIER} and from {CUT} on, "
        f"and measured at {CUT}.",
        "## Choosing",
        f"Against `{REFERENCE}`: differences of the CRPS in points (below 0 is better) and of the "
        "share of scores inside intervals of 90%, in points, by pairs of cells.",
        markdown(pd.DataFrame(choosing(runs))),
        (HERE / "notes.md").read_text(encoding="utf-8").strip(),
        *at_random(runs),
        f"## Measured at {CUT}",
        markdown(pd.DataFrame(measured(runs))),
        "Later models, with the nominal probability of intervals chosen from later models of the "
        "earlier cuts (`ls.studies.nominal_for`; the factor is the root mean square of their "
        "normal scores, which is 1 if forecasts are calibrated):",
        markdown(pd.DataFrame(widened(runs))),
        "Later models by benchmark:",
        markdown(pd.DataFrame(by_benchmark(runs))),
        "## Later models by the fitted models of their family",
        f"Uploaded from {EARLIER} on, by how many models of their family are fitted; spec "
        f"`{CHOSEN}`. In families with one or two fitted models, {few[0]:.0%} of the fitted "
        f"models are tuned and {few[1]:.0%} of the later ones.",
        markdown(by_fitted_members(runs)),
        "The effect of tuning differs between families. Moment estimates of standard deviations "
        f"on the logit scale, for the fitted models of the cut {EARLIER}, given size, date and "
        "chat template:",
        markdown(between_families()),
        "## Later models on math_lvl5, by lineage",
        f"Spec `{CHOSEN}`. Shares of scores below and above intervals of 90%:",
        _math(runs),
    ]
    return "\n\n".join(parts) + "\n"


def kept_runs(runs: Path, cut: str) -> dict[str, pd.DataFrame]:
    """Return the kept forecasts of a cut, by spec and method, in the order of `VARIANTS`."""
    return {
        path.stem.rsplit(", ", 1)[0]: pd.read_csv(path)
        for variant in VARIANTS
        for method in METHODS
        for path in sorted(runs.glob(f"{variant}, {method}*, {cut}.csv"))
    }


def choosing(runs: Path) -> list[dict[str, str]]:
    """Return later models at the cuts for choosing, and paired differences from `REFERENCE`."""
    rows = []
    for cut in (EARLIEST, EARLIER):
        tables = kept_runs(runs, cut)
        reference = parts_of(tables[f"{REFERENCE}, advi"], cut)
        for name, table in tables.items():
            parts = parts_of(table, cut)
            for part in ("later models", "later models, new lineages"):
                cells = parts[part]
                shown_row = {"cut": cut, "spec": name, "held out": part, **row(cells)}
                rows.append(shown_row | paired(cells, reference[part]))
    return rows


def paired(cells: pd.DataFrame, others: pd.DataFrame) -> dict[str, str]:
    """Return differences of CRPS and of coverage from the same cells of another spec."""
    both = cells.merge(others, on=["model", "benchmark"], validate="one_to_one")
    inside = [
        ((both["score_x"] >= both[f"lower_{side}"]) & (both["score_x"] <= both[f"upper_{side}"]))
        for side in "xy"
    ]
    crps = 100 * (both["crps_x"] - both["crps_y"])
    covered = 100 * (inside[0].astype(float) - inside[1].astype(float))
    if not crps.any():
        return {"CRPS less": "", "cover 90% less": ""}
    by = both["family_x"]
    return {"CRPS less": shown(crps, by, 3), "cover 90% less": shown(covered, by)}


def at_random(runs: Path) -> list[str]:
    """Return the section on models hidden at random, by benchmark and overall, if any were run."""
    rows = [
        {"spec": name, "benchmark": benchmark, **row(cells)}
        for name, table in kept_runs(runs, AT_RANDOM).items()
        for benchmark, cells in [("all", table), *table.groupby("benchmark")]
    ]
    about = f"A fifth of the models uploaded before {EARLIER} hidden, whatever their date:"
    return ["## Models at random", about, markdown(pd.DataFrame(rows))] if rows else []


def measured(runs: Path) -> list[dict[str, str]]:
    """Return all parts of the section on the cut for measuring."""
    return [
        {"spec": name, "held out": part, **row(cells)}
        for name, table in kept_runs(runs, CUT).items()
        for part, cells in parts_of(table, CUT).items()
    ]


def widened(runs: Path) -> list[dict[str, str]]:
    """Return later models' coverage, with the nominal probability chosen from earlier cuts."""
    late = {
        cut: {
            name: parts_of(table, cut)["later models"]
            for name, table in kept_runs(runs, cut).items()
        }
        for cut in (EARLIEST, EARLIER, CUT)
    }
    rows = []
    for cut, before in ((EARLIER, [EARLIEST]), (CUT, [EARLIEST, EARLIER])):
        for name, cells in late[cut].items():
            if not all(name in late[known] for known in before):
                continue
            earlier = pd.concat([late[known][name] for known in before])
            rows.append({"cut": cut, "spec": name, **recalibrated_coverage(cells, earlier)})
    return rows


def by_benchmark(runs: Path) -> list[dict[str, str]]:
    """Return later models of the cut for measuring by benchmark, of `REFERENCE` and `CHOSEN`."""
    tables = kept_runs(runs, CUT)
    return [
        {"spec": name, "benchmark": str(benchmark), **row(cells)}
        for name in (f"{REFERENCE}, advi", f"{CHOSEN}, advi")
        for benchmark, cells in parts_of(tables[name], CUT)["later models"].groupby("benchmark")
    ]


def by_fitted_members(runs: Path) -> pd.DataFrame:
    """Return coverage of `CHOSEN` by how many models of the family are fitted, at EARLIER."""
    scores, fold = leaderboard(SEED, EARLIER)
    family = scores.to_frame().set_index("model")["family"]
    members = family[list(fold.train)].value_counts()
    late = parts_of(kept_runs(runs, EARLIER)[f"{CHOSEN}, advi"], EARLIER)["later models"]
    count = late["family"].map(members).fillna(0)
    kinds = pd.cut(count, MEMBERS, labels=list(MEMBER_NAMES))
    return pd.DataFrame(
        [
            {"benchmark": benchmark, "fitted of family": about, **row(cells)}
            for (benchmark, about), cells in late.groupby(["benchmark", kinds], observed=True)
            if benchmark in UNDER
        ]
    )


def tuned_shares() -> tuple[float, float]:
    """Return the shares of tuned models in families with one or two fitted ones at EARLIER.

    One share for fitted models in families that have later ones, one for the later models.
    """
    scores, fold = leaderboard(SEED, EARLIER)
    frame = scores.to_frame().set_index("model")
    fitted, later = frame.loc[list(fold.train)], frame.loc[list(fold.test)]
    counts = fitted["family"].value_counts()
    few = set(counts.index[counts <= MEMBERS[2]]) & set(later["family"])
    before, after = (part.loc[part["family"].isin(few), "instruct"] for part in (fitted, later))
    return float(before.mean()), float(after.mean())


def between_families() -> pd.DataFrame:
    """Return standard deviations between and within families of base and of tuned models.

    Moment estimates from least-squares residuals of logits of scores on log size, date and
    chat template; families have equal weight.
    """
    scores, fold = leaderboard(SEED, EARLIER)
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
    """Return shares of later models' math_lvl5 scores outside their intervals, by lineage."""
    scores, fold = leaderboard(SEED, CUT)
    frame = scores.to_frame().set_index("model")
    rows = []
    cells = parts_of(kept_runs(runs, CUT)[f"{CHOSEN}, advi"], CUT)["later models"]
    cells = cells[cells["benchmark"] == "math_lvl5"]
    lineage = cells["model"].map(frame["lineage"])
    for name in lineage.value_counts().index[:8]:  # those with the most later models
        mine = cells[lineage == name]
        rows.append(
            {
                "lineage": name,
                "models": len(mine),
                "fitted models": int((frame.loc[list(fold.train), "lineage"] == name).sum()),
                "bias": f"{100 * (mine['median'] - mine['score']).mean():+.1f}",
                "below": f"{np.mean(mine['score'] < mine['lower']):.2f}",
                "above": f"{np.mean(mine['score'] > mine['upper']):.2f}",
            }
        )
    return markdown(pd.DataFrame(rows))
