"""MIXED_UNITS.md: the results of `run.py`, with their figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

HERE = Path(__file__).resolve().parent
INTRO = """# Mixed units

Some leaderboards publish raw accuracies and some (score - floor) / (1 - floor), with scores below
the floor at 0. Here some of the bundled models are rescaled in this way, on every benchmark with
a guessing floor above 0 (nine of twelve); the rest stay raw, and the package is not informed. The
rescaled ones are random models (`models`), random families (`families`), or random models from the
better half (`strongest`), which is the hard case because strong models stay above the floor.
"""
DETECTION = """## Does the check of floors detect it?

Share of random mixtures for which `Scores` warns `floor-rescaled` for at least one benchmark (±
binomial standard error), in random tables of 20, 60 and all 194 models; `named` is the mean number
of benchmarks, out of nine, that the warning names. The row of share 0 is a raw table, where a
warning is a false alarm.
"""
FITS = """## What the mixture does to a fit

A plain K = 2 spec (see `light_spec`) is fitted by NUTS to mixtures of the training rows; one model
of each family of three or more is held out and its raw scores are forecast. Errors are in points,
with the standard error over families of the paired difference from the raw fit. `warned` is the
number of benchmarks for which the package warned on that training table.
"""
LOADINGS = """## What it does to loadings

Posterior mean loadings (90% interval) of the benchmarks that are not anchors, on each skill.
"""


def write_report(folder: Path, seed: int) -> None:
    """Write MIXED_UNITS.md and its figure from the result files."""
    out = HERE if folder.name == "results" else folder
    (out / "figures").mkdir(exist_ok=True)
    detected = pd.read_csv(folder / "mixed_units_detection.csv")
    table = pd.read_csv(folder / "mixed_units_errors.csv", keep_default_na=False)
    loadings = pd.read_csv(folder / "mixed_units_loadings.csv", keep_default_na=False)
    lines = [INTRO, provenance(seed), "", DETECTION, markdown(detection(detected)), ""]
    lines += [FITS, markdown(errors(table)), ""]
    lines += [LOADINGS, markdown(loading_table(loadings)), ""]
    lines += ["![Loadings as more rows are rescaled](figures/mixed_units.png)", ""]
    draw(loadings, out / "figures" / "mixed_units.png")
    (out / "MIXED_UNITS.md").write_text("\n".join(lines), encoding="utf-8")


def detection(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per kind and share, one column per table size."""
    rows = []
    for (kind, share), group in table.groupby(["kind", "share"], sort=False):
        row = {"rescaled": kind, "share": f"{100 * share:g}%"}
        for _, one in group.iterrows():
            rate = f"{100 * one['detected']:.0f} ± {100 * one['detected_se']:.0f}%"
            row[f"{one['size']:.0f} models"] = f"{rate} (named {one['named']:.1f})"
        rows.append(row)
    return pd.DataFrame(rows)


def errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per mixture: error and coverage of the held-out models' raw scores."""
    table = table.assign(
        error=100 * (table["score"] - table["median"]).abs(),
        inside=(table["score"] >= table["lower"]) & (table["score"] <= table["upper"]),
    )
    base = table[table["share"] == 0].set_index(["model", "benchmark"])["error"]
    rows = []
    for (kind, share), group in table.groupby(["kind", "share"], sort=False):
        own = group.set_index(["model", "benchmark"])
        more = (own["error"] - base).groupby(own["family"]).mean()
        rows.append(
            {
                "rescaled": kind,
                "share": f"{100 * share:g}%",
                "models": group["rescaled"].iloc[0],
                "mean absolute error": f"{group['error'].mean():.2f}",
                "more than raw": f"{more.mean():+.2f} ± {more.sem():.2f}",
                "90% intervals cover": f"{100 * group['inside'].mean():.0f}%",
                "log score": f"{group['log_score'].mean():.2f}",
                "warned": group["warned"].iloc[0],
                "R-hat": group["max_rhat"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def loading_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return loadings, one row per benchmark and skill, one column per mixture."""
    free = table[table["upper"] - table["lower"] > 1e-9]
    rows = []
    for (benchmark, skill), group in free.groupby(["benchmark", "skill"], sort=False):
        row = {"benchmark": benchmark, "skill": skill}
        for _, one in group.iterrows():
            name = f"{one['kind']} {100 * one['share']:g}%" if one["share"] else "raw"
            row[name] = f"{one['mean']:.2f} ({one['lower']:.2f} to {one['upper']:.2f})"
        rows.append(row)
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Plot loadings against the share of rescaled rows, one panel per benchmark."""
    from latentscale.plots.style import BLUE, VERMILLION, across_label, legend, panels, title

    free = table[(table["upper"] - table["lower"] > 1e-9) & table["kind"].isin(["none", "models"])]
    names = list(dict.fromkeys(free["benchmark"]))
    figure, axes = panels(len(names), columns=5, width=1.9, height=1.7)
    skills = list(dict.fromkeys(free["skill"]))
    for axis, name in zip(axes, names, strict=True):
        for shift, skill, colour, mark in zip(
            (-0.4, 0.4), skills, (BLUE, VERMILLION), ("o", "s"), strict=True
        ):
            group = free[(free["benchmark"] == name) & (free["skill"] == skill)]
            at = 100 * group["share"] + shift
            low, high = group["mean"] - group["lower"], group["upper"] - group["mean"]
            axis.errorbar(
                at,
                group["mean"],
                yerr=[low, high],
                color=colour,
                fmt=f"{mark}-",
                ms=3.5,
                linewidth=1,
                label=f"on the skill of {skill}",
            )
        axis.set_title(name, loc="left", fontsize=9, parse_math=False)
    across_label(axes, 5, "rescaled rows (%)")
    for axis in axes[::5]:
        axis.set_ylabel("loading")
    title(figure, "Loadings as more rows are rescaled", "Bars: 90% intervals. Left: the raw table")
    legend(figure, axes)
    figure.savefig(path, dpi=90)
