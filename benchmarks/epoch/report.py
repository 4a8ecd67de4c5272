"""EPOCH.md: errors, bias and coverage of every kept forecast, paired with the baseline."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.common.recalibrated import recalibrated_coverage

SHIPPED = "capabilities"
"""The variant of the study that is the shipped spec."""

GIVEN_FITTED = "given scores fitted"
"""The shipped spec, fitted to the given scores of all later models as well."""

BY_FAMILY = "given by family"
"""Forecasts by the shipped spec's fits, conditional on the given scores of a family's models."""

PROTOTYPE = {
    ("2025-01-01", 0): (11.5, 14.6),
    ("2025-07-01", 0): (10.2, 12.6),
    ("2025-01-01", 3): (7.8, 11.3),
    ("2025-07-01", 3): (7.6, 10.3),
}
"""MAE of the prototype and of its best baseline on the longer table (to April 2026)."""


def write_report(folder: Path, hub: Path, seed: int) -> None:
    """Write EPOCH.md of all forecasts in the folder runs."""
    runs = folder / "runs"
    rows, kinds = [], []
    reasoning = ls.readers.read_epoch(hub).to_frame().set_index("model")["reasoning"]
    for path in sorted(runs.glob("*/*.csv")):
        cut, given = path.stem.rsplit("-", 1)
        baselines = pd.read_csv(runs / f"baselines-{path.stem}.csv")
        table = pd.read_csv(path)
        rows.append(compared_row(path.parent.name, cut, int(given), table, baselines))
        flags = table["model"].map(reasoning)
        for flag, name in ((0, "no"), (1, "yes")):
            new_row = compared_row(
                path.parent.name, cut, int(given), table[flags == flag], baselines
            )
            kinds.append(
                {"cut": cut, "given": given, "spec": new_row["spec"], "reasoning": name} | new_row
            )
    baselines = [
        _baseline_row(*path.stem.removeprefix("baselines-").rsplit("-", 1), pd.read_csv(path))
        for path in sorted(runs.glob("baselines-*.csv"))
    ]
    parts = [
        "# Epoch's hub: forecasts in time",
        provenance(seed),
        "Dated models released before a cut are fitted on benchmarks with at least 8 scores, and "
        "every later score on those benchmarks is forecast by its predictive median: with no score "
        "of the model given, and conditional on three of its scores, model by model. In rows "
        f"`{BY_FAMILY}`, three scores of every later model of a family are given together, and "
        'degenerate weights are tempered (`--by-family`, `FewShot(degenerate="temper")`). In rows '
        f"`{GIVEN_FITTED}`, the three scores of every later model are fitted together with those "
        "before the cut, so that the scores of one new model also inform forecasts of the others "
        "(`--fitted`). Both variants were added after forecasts with three scores given had been "
        "seen at all cuts. Errors and widths are in percentage points and leave out Elo and "
        "minutes. Standard errors are between families. `less trend` is the mean absolute error "
        f"minus that of the baseline on the same cells. Fits: the spec `{SHIPPED}`"
        f"{_others(rows)}, by NUTS with 4 chains of 400 + 400 draws and otherwise default settings "
        "(`python -m benchmarks.epoch.run capabilities CUT --given`); max R-hat is the largest "
        "among expected scores. The copy of the hub ends before 2025-10-01, so that cut cannot be "
        "measured. The cut in 2024 is for choosing among specs; no reasoning model had been "
        "released before it.",
        markdown(pd.DataFrame(rows).sort_values(["cut", "given", "spec"])),
        *variants_less(runs),
        "Baselines on the same cells: `trend` is a linear trend in the date for each benchmark, "
        "with an offset for each provider, or for each model where three of its scores are given; "
        "`mean` is the benchmark's mean.",
        markdown(pd.DataFrame([row for pair in baselines for row in pair])),
        *_recalibrated(runs),
        "## Models with and without reasoning",
        "The flag is read from names and settings. No reasoning model was released before July "
        "2024, so the earliest fit has none.",
        markdown(pd.DataFrame(kinds).sort_values(["cut", "given", "spec", "reasoning"])),
        _earlier(),
        *_indices(runs, hub),
        *_frontiers(runs, hub, seed),
    ]
    (folder / "EPOCH.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _recalibrated(runs: Path) -> list[str]:
    """Return coverage of the shipped spec at probabilities adjusted by earlier cuts."""
    rows = []
    for given in sorted({given for _, given in PROTOTYPE}):
        paths = sorted((runs / SHIPPED).glob(f"*-{given}.csv"))
        tables = [_bounded_cells(path) for path in paths]
        for place in range(1, len(paths)):
            cut = paths[place].stem.rsplit("-", 1)[0]
            coverage = recalibrated_coverage(tables[place], pd.concat(tables[:place]))
            rows.append({"cut": cut, "given": given} | coverage)
    if not rows:
        return []
    text = (
        f"Forecasts by `{SHIPPED}`, with no score or three scores of one model given, at the "
        "nominal probability that coverage after earlier cuts suggests (`ls.studies.nominal_for`; "
        "the factor is the root mean square of the normal scores of the probability integral "
        "transform, 1 for calibrated forecasts). These rows were added after coverage at all cuts "
        "had been seen."
    )
    return ["## Intervals recalibrated on earlier cuts", text, markdown(pd.DataFrame(rows))]


def _bounded_cells(path: Path) -> pd.DataFrame:
    """Return kept forecasts of the cells that are evaluated: scores that are fractions."""
    simple = pd.read_csv(path.parents[1] / f"baselines-{path.stem}.csv")
    return pd.read_csv(path).merge(simple[["model", "benchmark"]].drop_duplicates())


def _others(rows: list[dict[str, object]]) -> str:
    """Return the variants that were run, as the report names them."""
    specs = dict.fromkeys(str(row["spec"]) for row in rows)
    others = [name for name in specs if name not in (SHIPPED, BY_FAMILY, GIVEN_FITTED)]
    return f", and variants of it: {', '.join(others)}" if others else ""


def compared_row(
    spec: str, cut: str, given: int, table: pd.DataFrame, baselines: pd.DataFrame
) -> dict[str, object]:
    """Return errors, coverage and width of forecasts, and their error minus the baseline's."""
    trend = baselines[baselines["baseline"] == "trend"]
    cells = table.merge(
        trend[["model", "benchmark", "median"]].rename(columns={"median": "theirs"}),
        on=["model", "benchmark"],
        validate="one_to_one",
    )
    error = 100 * (cells["median"] - cells["score"])
    theirs = 100 * (cells["theirs"] - cells["score"]).abs()
    inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
    width = 100 * (cells["upper"] - cells["lower"])
    by = cells["family"]
    return {
        "cut": cut,
        "given": given,
        "spec": spec,
        "cells": len(cells),
        "MAE": shown(error.abs(), by),
        "bias": shown(error, by),
        "cover 90%": shown(inside.astype(float), by, 3),
        "width": f"{width.median():.1f}",
        "less trend": shown(error.abs() - theirs, by),
        "max R-hat": f"{cells['max_rhat'].max():.2f}",
    }


def variants_less(runs: Path, names: tuple[str, ...] = ()) -> list[str]:
    """Return variants minus the shipped spec, paired by cell; nothing where none was run.

    `names` are the variants wanted; by default all.
    """
    rows = []
    for path in sorted(runs.glob("*/*.csv")):
        shipped, name = runs / SHIPPED / path.name, path.parent.name
        if name == SHIPPED or not shipped.exists() or (names and name not in names):
            continue
        cut, given = path.stem.rsplit("-", 1)
        own, other = (
            pd.read_csv(file).set_index(["model", "benchmark"]) for file in (path, shipped)
        )
        simple = pd.read_csv(runs / f"baselines-{path.stem}.csv")  # of fractions only
        cells = pd.MultiIndex.from_frame(simple[["model", "benchmark"]].drop_duplicates())
        less, by = _judged(own.loc[cells]) - _judged(other.loc[cells]), own.loc[cells, "family"]
        about = {"cut": cut, "given": given, "spec": path.parent.name}
        columns = {"MAE less": "error", "CRPS less": "crps", "cover 90% less": "inside"}
        rows.append(about | {name: shown(less[one], by) for name, one in columns.items()})
    if not rows:
        return []
    text = (
        f"Variants minus `{SHIPPED}` on the same cells, in percentage points: negative differences "
        "in error and CRPS favour the variant, positive ones in coverage mean that more scores lie "
        "inside. Each row compares one fit with one other."
    )
    return [text, markdown(pd.DataFrame(rows))]


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return the error, CRPS and coverage of each cell, in points."""
    inside = (table["score"] >= table["lower"]) & (table["score"] <= table["upper"])
    error = (table["median"] - table["score"]).abs()
    return 100 * pd.DataFrame({"error": error, "crps": table["crps"], "inside": inside * 1.0})


def _baseline_row(cut: str, given: str, table: pd.DataFrame) -> list[dict[str, object]]:
    rows = []
    for name, cells in table.groupby("baseline"):
        error = 100 * (cells["median"] - cells["score"])
        inside = (cells["score"] >= cells["lower"]) & (cells["score"] <= cells["upper"])
        rows.append(
            {
                "cut": cut,
                "given": int(given),
                "baseline": name,
                "MAE": f"{error.abs().mean():.2f}",
                "bias": f"{error.mean():+.2f}",
                "cover 90%": f"{inside.mean():.3f}",
                "width": f"{100 * (cells['upper'] - cells['lower']).median():.1f}",
            }
        )
    return rows


def _earlier() -> str:
    said = [
        f"{ours} and {theirs} ({cut}, {given} given)"
        for (cut, given), (ours, theirs) in PROTOTYPE.items()
    ]
    return (
        "A longer table of the hub, to April 2026, has more later models. There the mean absolute "
        f"errors of a prototype and of its best baseline were {'; '.join(said)}."
    )


def _indices(runs: Path, hub: Path) -> list[str]:
    """Return the agreement of the capability index with the hub's own, one row per fit."""
    published = _published(hub)["index"].to_dict()
    rows = []
    for path in sorted(runs.glob("*/*.nc")):
        fit = ls.load(path)
        common = {name: published[name] for name in fit.scores.models if name in published}
        index = ls.capability_index(fit, anchors=common)
        agreement = index.agreement(published)
        row = {"spec": path.parent.name, "fitted before": path.stem}
        rows.append(row | {name: f"{value:.3g}" for name, value in agreement.items()})
    if not rows:
        return []
    return [
        "## Capability index compared with the hub's own",
        "`ls.capability_index` of each fit, scaled by least squares to the hub's index over all "
        "models in common, and `CapabilityIndex.agreement` with that index on these models. "
        "(Scaling by two anchors, as the hub does, would carry the anchors' own errors into every "
        "model's difference.)",
        markdown(pd.DataFrame(rows)),
    ]


def _published(hub: Path) -> pd.DataFrame:
    """Return the hub's own index and its dates by model, for the best of several settings."""
    return ls.readers.epoch_index(hub).groupby("model").max()


def _frontiers(runs: Path, hub: Path, seed: int) -> list[str]:
    """Return the frontier of each fit of the shipped spec, and the hub's own index."""
    published = _published(hub)
    rows = []
    for path in sorted(runs.glob(f"{SHIPPED}/*.nc")):
        fit = ls.load(path)
        common = {
            m: float(published["index"][m]) for m in fit.scores.models if m in published.index
        }
        dates = pd.date_range(path.stem, published["released"].max(), freq="QS").astype(str)
        frontier = ls.frontier(fit, dates=list(dates), anchors=common, seed=seed)
        for row in frontier.table().itertuples():
            there = published.loc[published["released"] <= row.date, "index"]
            leader = f"{row.leader_median:.1f} ({row.leader_lower:.1f} to {row.leader_upper:.1f})"
            rows.append(
                {
                    "fitted before": path.stem,
                    "date": f"{row.date:%Y-%m-%d}",
                    "median": f"{row.median:.1f}",
                    "90%": f"{row.lower:.1f} to {row.upper:.1f}",
                    "fitted leader (90%)": leader if row.date == pd.Timestamp(path.stem) else "",
                    "the hub's best": f"{there.max():.1f}",
                    "its model": str(there.idxmax()),
                }
            )
    if not rows:
        return []
    return [
        "## Frontier compared with the hub's own",
        "`ls.frontier` of each fit of `capabilities`, on the scale above, at dates after the last "
        "fitted release, and the highest index that the hub gives to models released by then (from "
        "all scores that it now has). The frontier is the highest index among all releases, "
        "however well they are measured. The maximum over many uncertain indices exceeds the "
        "largest estimate, so the first date of each fit also shows the index of the model with "
        "the highest posterior mean.",
        markdown(pd.DataFrame(rows)),
    ]
