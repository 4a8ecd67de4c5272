"""Trends of providers on Epoch's hub, beside one trend for all; PROVIDER_TRENDS.md.

The forecasts in time of `benchmarks.epoch.run`, with nothing given, by `capabilities` and by a
variant in which providers are a category with a slope and a local linear trend each (the term
`category-trend`), in place of lineages. The first cut is for choosing among specs. Fits and
forecasts are those of that study, in its folder runs.

    python -m benchmarks.epoch.provider_trends            # what is missing, then the report
    python -m benchmarks.epoch.provider_trends --report   # fit nothing
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.epoch.report import SHIPPED, compared_row, variants_less

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
CUTS = ("2024-07-01", "2025-01-01")
VARIANT = "provider trends"
SEED = 1


def missing() -> list[tuple[str, str]]:
    """Return the spec and cut of every forecast that is not kept."""
    pairs = [(spec, cut) for cut in CUTS for spec in (SHIPPED, VARIANT)]
    return [(spec, cut) for spec, cut in pairs if not (RUNS / spec / f"{cut}-0.csv").exists()]


def spreads() -> pd.DataFrame:
    """Return how much providers' slopes differ beside the common one, on predictors."""
    rows = []
    for cut in CUTS:
        draws = ls.load(RUNS / VARIANT / f"{cut}.nc").samples
        load = draws["loading"]
        own = (draws["category_slope"] * load).sum("skill").std("category_trend_level")
        common = (draws["slope"].sel(covariate="released") * load).sum("skill")
        rows.append(
            {
                "cut": cut,
                "providers": str(draws.sizes["category_trend_level"]),
                "common slope": f"{float(common.mean('benchmark').median()):.2f}",
                "sd of providers' slopes": _interval(own.mean("benchmark")),
            }
        )
    return pd.DataFrame(rows)


def _interval(draws: object) -> str:
    values = pd.Series(draws.values.ravel())  # type: ignore[attr-defined]
    low, middle, high = values.quantile([0.05, 0.5, 0.95])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def report() -> str:
    """Return PROVIDER_TRENDS.md."""
    rows = []
    for cut in CUTS:
        baselines = pd.read_csv(RUNS / f"baselines-{cut}-0.csv")
        for spec in (SHIPPED, VARIANT):
            table = pd.read_csv(RUNS / spec / f"{cut}-0.csv")
            rows.append(compared_row(spec, cut, 0, table, baselines))
    parts = [
        "# Trends of providers on Epoch's hub",
        provenance(SEED),
        "Models released before a cut are fitted, and every later score is forecast with nothing "
        "given, as in EPOCH.md: `capabilities`, and the same with providers as a category in place "
        f"of lineages and the term `category-trend` (*{VARIANT}*). Percentage points; standard "
        "errors between families. `less trend` is the mean absolute error less that of a line in "
        "the date by benchmark with an offset by provider. The cut in 2024 is for choosing.",
        markdown(pd.DataFrame(rows)),
        *variants_less(RUNS, names=(VARIANT,)),
        "Slopes in the release date, over one standard deviation of dates, on linear predictors, "
        "means over benchmarks: the common one, and the standard deviation over providers of their "
        "own, with 90% intervals.",
        markdown(spreads()),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="fit nothing")
    options = parser.parse_args()
    for spec, cut in () if options.report else missing():
        subprocess.run([sys.executable, "-m", "benchmarks.epoch.run", spec, cut], check=True)
    if left := missing():
        raise SystemExit(f"No forecasts yet of: {left}.")
    (HERE / "PROVIDER_TRENDS.md").write_text(report(), encoding="utf-8")


if __name__ == "__main__":
    main()
