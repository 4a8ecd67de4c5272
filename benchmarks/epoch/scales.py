"""Free skills with separate or shared spreads, on Epoch's hub; SCALES.md.

`capabilities` with `skills.identify.scales` of "by-skill" and "shared" is fitted to the models that
were released before a cut, with the defaults of NUTS except for fewer draws, and scores of later
models are forecast with none of their scores given. The question is how far chains agree. Fits are
kept in the folder runs, so an interrupted run resumes. The hub is read in place
(../shared/tables/epoch).

    python -m benchmarks.epoch.scales 2025-01-01 2025-07-01
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import pandas as pd

import latentscale as ls
from benchmarks.common.clusters import shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.epoch.report import SHIPPED
from benchmarks.epoch.run import CHAINS, DRAWS, HERE, SHARED, TUNE, bounded, fitted, hub
from latentscale.analysis.backtest import forecast_fold
from latentscale.analysis.checks.separate_modes import chains_of, modes_of_fit, separate_modes
from latentscale.data.scores import Scores

SCALES = ("by-skill", "shared")
SEED = 1
AGREED = 1.05
"""R-hat up to which chains this short can be said to agree."""


def fit_with(scales: str, cut: str, scores: Scores, fold: ls.folds.Fold) -> ls.Fit:
    """Return a fit to the models before a cut; the shipped spec's is from `benchmarks.epoch`."""
    spec = ls.load_spec(SHIPPED)
    shipped = spec.skills.identify.scales == scales
    folder = HERE / "runs" / (SHIPPED if shipped else f"scales/{scales}")
    folder.mkdir(parents=True, exist_ok=True)
    own = spec.with_({"skills.identify.scales": scales})
    options = argparse.Namespace(draws=DRAWS, tune=TUNE, seed=SEED)
    return fitted(own, scores, fold, folder / f"{cut}.nc", options)


def row(scales: str, cut: str, scores: Scores, fold: ls.folds.Fold, fit: ls.Fit) -> dict[str, Any]:
    """Return how the chains of a fit agree, and how it forecasts later models."""
    judged = fit.convergence()
    modes, _ = modes_of_fit(fit, judged.table)
    chains = chains_of(modes.iloc[0])
    alone = judged if len(modes) == 1 else fit.with_chains(chains).convergence()
    steps = float(fit.tree["sample_stats"].to_dataset()["n_steps"].sum())
    cells = forecast_fold(fit, scores, fold, seed=SEED)
    cells = cells[cells["benchmark"].isin(bounded(scores))]
    error = 100 * (cells["median"] - cells["score"]).abs()
    inside = (cells["lower"] <= cells["score"]) & (cells["score"] <= cells["upper"])
    return {
        "cut": cut,
        "scales": scales,
        "quantities checked": len(judged.table),
        "max R-hat": f"{judged.max_rhat:.3f}",
        f"above {AGREED}": f"{(judged.table['rhat'] > AGREED).mean():.1%}",
        "least ESS": f"{judged.min_ess:.0f}",
        "ESS, 5th percentile": f"{judged.table['ess_bulk'].quantile(0.05):.0f}",
        "chains in the largest mode": len(chains) if len(modes) > 1 else CHAINS,
        "max R-hat of these": f"{alone.max_rhat:.3f}",
        f"above {AGREED} of these": f"{(alone.table['rhat'] > AGREED).mean():.1%}",
        "ESS, 5th percentile, of these": f"{alone.table['ess_bulk'].quantile(0.05):.0f}",
        "divergences": judged.divergences,
        "gradients per draw": f"{steps / (CHAINS * DRAWS):.0f}",
        "cells": len(cells),
        "MAE": shown(error, cells["family"]),
        "cover 90%": shown(inside.astype(float), cells["family"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cuts", nargs="+")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public hub in place.")
    rows, modes = [], []
    for cut in sorted(options.cuts):
        scores, fold = hub(cut)
        for scales in SCALES:
            fit = fit_with(scales, cut, scores, fold)
            rows.append(row(scales, cut, scores, fold, fit))
            found = separate_modes(fit, fit.convergence().table)
            modes += [f"- {cut}, {scales}: {line}" for line in found]
    parts = [
        "# Free skills with separate or shared spreads",
        provenance(SEED),
        "`capabilities` with `skills.identify.scales` as stated, fitted to the models of Epoch's "
        f"hub that were released before a cut: NUTS, {CHAINS} chains of {TUNE} + {DRAWS} draws, "
        "otherwise its defaults. R-hat and ESS are of the quantities that `Fit.convergence` "
        "judges, which include shared spreads. MAE is in points, for later models with no score "
        "given; standard errors are between families.",
        markdown(pd.DataFrame(rows)),
        "## Separate modes\n\nWhat `ls.diagnose` says about chains of these fits that are in "
        "separate modes:",
        "\n".join(modes) or "- None do.",
        (HERE / "scales_notes.md").read_text(encoding="utf-8").strip(),
    ]
    (HERE / "SCALES.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
