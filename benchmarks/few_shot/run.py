"""Compare forecasts conditioned on given scores with refits that include them; write FEW_SHOT.md.

A family is left out of the table. Then some of its scores are given to `latentscale.predict`, and
a refit includes the same scores in the table. The expected scores of the family's other cells are
compared on the logit scale: how far the means are apart in standard deviations of the refit, and
how wide the conditioned forecast is relative to the refit. Half of the cases give scores as
measured; the other half shift them alternately up and down by one logit, which makes them
outliers. Each refit is compared with several numbers of posterior draws, so that the effective
sample size varies. If weights are degenerate, forecasts by these weights and by tempered ones are
compared. Refits are kept in the folder runs.

    python -m benchmarks.few_shot.run            # what has not been run yet, then the table
    python -m benchmarks.few_shot.run qwen2      # the cases of one family
"""

from __future__ import annotations

import argparse
import json
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs"
SEED = 1
FAMILIES = ("qwen2", "llama")
"""Families of four models each, on both leaderboards."""
TABLE = (
    *("bloom", "falcon", "llama", "llama-2", "llama-2-chat", "opt", "pythia"),
    *("qwen1.5", "qwen1.5-chat", "qwen2", "qwen2-instruct", "yi-1.5", "yi-1.5-chat"),
)
BENCHMARKS = ("mmlu", "hellaswag", "gsm8k", "mmlu_pro", "ifeval", "bbh")
GIVEN = (1, 3, 8)
"""Numbers of scores given, starting with the smallest models."""
MOVED = {"as measured": 0.0, "one logit off": 1.0}
DRAWS = (100, 400, 2000)
"""Posterior draws that a forecast uses."""
TEMPERED = "tempered"
METHOD = ls.NUTS(draws=1000, tune=500, chains=2, cores=1)


def spec() -> ls.ModelSpec:
    """Return Cai et al.'s spec with two skills: the cheapest of the shipped ones with latents."""
    changes = {"skills.count": 2, "skills.identify.anchors": ["mmlu", "ifeval"]}
    return ls.load_spec("cai2025").with_({**changes, "name": "two skills"})


def table() -> pd.DataFrame:
    """Return the scores of the chosen families, small models first in each."""
    frame = ls.datasets.open_llm_leaderboard().select(benchmarks=BENCHMARKS).to_frame()
    chosen = frame[frame["family"].isin(TABLE)]
    return chosen.sort_values(["family", "params_b"], kind="stable").reset_index(drop=True)


def given(frame: pd.DataFrame, family: str, count: int, moved: float) -> pd.DataFrame:
    """Return a family's rows with only its first scores, shifted alternately up and down."""
    rows = frame[frame["family"] == family].reset_index(drop=True)
    values = rows[list(BENCHMARKS)].to_numpy()
    places = np.argwhere(np.isfinite(values))[:count]
    kept = np.full(values.shape, np.nan)
    for turn, (i, j) in enumerate(places):
        # Half an item of 1,000 from the ends, as the package takes exact zeros.
        inside = np.clip(values[i, j], 0.0005, 0.9995)
        eta = np.log(inside / (1 - inside)) + moved * (1 if turn % 2 == 0 else -1)
        kept[i, j] = values[i, j] if moved == 0 else 1 / (1 + np.exp(-eta))
    return rows.assign(**{name: kept[:, j] for j, name in enumerate(BENCHMARKS)})


def fitted(frame: pd.DataFrame, name: str) -> ls.Fit:
    """Return the fit to a table, from the folder if it was made before."""
    file = RUNS / f"{name}.nc"
    if file.is_file():
        fit = ls.load(file)
        if fit.spec.digest == spec().digest and is_of(fit, METHOD):
            return fit
    scored = frame[frame[list(BENCHMARKS)].notna().any(axis=1)]
    fit = ls.fit(spec(), ls.Scores.from_frame(scored), method=METHOD, seed=SEED, progress=False)
    fit.save(file)
    return fit


def is_of(fit: ls.Fit, method: ls.NUTS) -> bool:
    """Return whether a fit has a method's settings, apart from those that the method left open."""
    asked = {name: v for name, v in method.settings.items() if v not in (None, "auto")}
    return all(fit.provenance.settings.get(name) == value for name, value in asked.items())


def logits(forecast: ls.results.Forecast, rows: pd.DataFrame) -> xr.DataArray:
    """Return logits of expected scores of the cells that were not given, dims (cell, sample)."""
    mean = forecast.mean_draws
    hidden = xr.DataArray(
        rows[list(BENCHMARKS)].isna().to_numpy(),
        dims=("model", "benchmark"),
        coords={"model": rows["model"].tolist(), "benchmark": list(BENCHMARKS)},
    )
    cells = mean.sel(model=hidden["model"], benchmark=hidden["benchmark"])
    stacked = cells.stack(cell=("model", "benchmark"))
    stacked = stacked.isel(cell=np.flatnonzero(hidden.values.ravel()))
    return np.log(stacked / (1 - stacked)).reset_index("cell", drop=True)


def compare(family: str, count: int, moved: str) -> list[dict[str, Any]]:
    """Return one row per number of draws: the conditioned forecast compared with the refit."""
    frame = table()
    rest = frame[frame["family"] != family]
    rows = given(frame, family, count, MOVED[moved])
    bare = rows.drop(columns=list(BENCHMARKS))
    base = fitted(rest, f"without {family}")
    again = fitted(pd.concat([rest, rows]), f"{family}, {count}, {moved}")
    exact = logits(ls.predict(again, bare, seed=SEED), rows)
    own = again.convergence()
    compared = []
    for draws, degenerate in product(DRAWS, ("warn", "temper")):
        few_shot = ls.FewShot(draws=draws, degenerate=degenerate)
        forecast = ls.predict(base, rows, few_shot=few_shot, seed=SEED)
        how = forecast.conditioning
        assert how is not None
        if degenerate == "temper" and how.power == 1:  # not degenerate: the forecast above
            continue
        there = logits(forecast, rows)
        gap = (there.mean("sample") - exact.mean("sample")) / exact.std("sample")
        width = there.std("sample") / exact.std("sample")
        compared.append(
            {
                "family": family,
                "scores given": count,
                "scores": moved,
                "draws": draws,
                "method": how.method + (f", {TEMPERED}" if how.power < 1 else ""),
                "ESS": round(how.ess),
                "Pareto k": round(how.pareto_k, 2),
                "power": round(how.power, 2),
                "rms difference": round(float(np.sqrt((gap**2).mean())), 2),
                "largest": round(float(abs(gap).max()), 2),
                "width": round(float(width.mean()), 2),
                "refit's max R-hat": round(own.max_rhat, 3),
            }
        )
    return compared


def by_ess(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison with refits by range of effective sample sizes.

    The ranges end at the package's own limits, 50 and 100. Forecasts whose weights have a heavy
    tail, which the package refuses for their Pareto k, have a separate row, and so do tempered
    ones.
    """
    heavy = rows["Pareto k"] > 0.7
    tempered = rows["method"].str.endswith(TEMPERED)
    ranges = {
        "Pareto k above 0.7": rows[heavy],
        "weights tempered": rows[tempered],
        **{
            f"ESS {low} to {high}": rows[~heavy & ~tempered & rows["ESS"].between(low, high - 1)]
            for low, high in ((0, 25), (25, 50), (50, 100), (100, 400), (400, 2001))
        },
    }
    return pd.DataFrame(
        [
            {
                "forecasts with": name,
                "number": len(bin_of_ess),
                "rms difference, median": round(bin_of_ess["rms difference"].median(), 2),
                "rms difference, largest": round(bin_of_ess["rms difference"].max(), 2),
                "one cell, largest": round(bin_of_ess["largest"].max(), 2),
                "width, least": round(bin_of_ess["width"].min(), 2),
                "width, largest": round(bin_of_ess["width"].max(), 2),
                "1 / sqrt(ESS), median": round(float((1 / np.sqrt(bin_of_ess["ESS"])).median()), 2),
            }
            for name, bin_of_ess in ranges.items()
            if len(bin_of_ess)
        ]
    )


def write(rows: pd.DataFrame) -> None:
    """Write FEW_SHOT.md."""
    about = (
        "Differences are between posterior means of the logit of expected scores, in posterior "
        "standard deviations of the refit, over the family's cells that were not given; width is "
        "the ratio of the standard deviations. Two independent fits with 1,000 effective draws "
        f"differ by 0.05. Spec: Cai et al. with two skills; {len(TABLE)} families, "
        f"{len(BENCHMARKS)} benchmarks. The first table is the basis for the limits in "
        "`latentscale/analysis/forecasts/weights.py`."
    )
    parts = [
        "# Forecasts conditioned on given scores against refits",
        provenance(SEED),
        about,
        markdown(by_ess(rows)),
        "## Every case",
        markdown(rows),
    ]
    (HERE / "FEW_SHOT.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", help=", ".join(FAMILIES))
    families = parser.parse_args().families or FAMILIES
    RUNS.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", ls.FitWarning)  # ESS and R-hat are in the table
    warnings.simplefilter("ignore", ls.DataWarning)
    for family, count, moved in product(families, GIVEN, MOVED):
        file = RUNS / f"{family}, {count}, {moved}.json"
        if not file.is_file():
            file.write_text(json.dumps(compare(family, count, moved)))
        print(file.stem, flush=True)
    done = [json.loads(file.read_text()) for file in sorted(RUNS.glob("*.json"))]
    write(pd.DataFrame([row for rows in done for row in rows]))


if __name__ == "__main__":
    main()
