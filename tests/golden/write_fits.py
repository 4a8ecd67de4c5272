"""Write small fits, and what they predict, with the version of latentscale that is imported.

``python tests/golden/write_fits.py tests/golden/COMMIT`` makes a folder with

* ``nuts_pooled_flops.nc``: a fit that ``fit.save`` wrote,
* ``store_pooled_flops/``: the folder of ``NUTS(store=...)``,
* ``nuts_pooled_flops.csv`` and ``store_pooled_flops.csv``: the expected scores that each predicts
  for `ROWS` (mean and quantiles over the draws, which are the same on every machine),
* ``fits_versions.json``: the versions that wrote them.

Later versions load these files and predict the same numbers (``test_fits.py``). A folder is written
once, by the commit that it is named after, and never again: run this with ``PYTHONPATH`` set to a
checkout of that commit.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
from scipy.special import expit

import latentscale as ls

FLOORS = {"arc": 0.25, "mmlu": 0.25, "gsm8k": 0.0}
SIZES = (0.5, 1.5, 4.0, 13.0)
SEED = 1

ROWS = pd.DataFrame(
    {
        "model": ["fam0-4b", "fam1-30b", "new-8b", "new-70b"],
        "family": ["fam0", "fam1", "new", "new"],
        "params_b": [4.0, 30.0, 8.0, 70.0],
        "tokens_t": [1.0, 2.0, 6.0, 6.0],
    }
)


def table() -> pd.DataFrame:
    """Return 16 models of 4 families on 3 benchmarks, by a formula without random numbers."""
    rows = []
    for family in range(4):
        for place, size in enumerate(SIZES):
            skill = 0.6 * (size * (1.0 + family)) ** 0.3 + 0.15 * ((5 * family + 3 * place) % 7 - 3)
            scores = {
                name: round(float(floor + (1 - floor) * expit(skill - 1.2 + 0.3 * number)), 4)
                for number, (name, floor) in enumerate(FLOORS.items())
            }
            about = {"model": f"fam{family}-{size:g}b", "family": f"fam{family}"}
            rows.append(about | {"params_b": size, "tokens_t": 1.0 + family} | scores)
    return pd.DataFrame(rows)


def expected_scores(fit: ls.Fit) -> pd.DataFrame:
    """Return mean, 5% and 95% quantile of each expected score: columns by model and benchmark."""
    draws = ls.predict(fit, ROWS, seed=SEED).mean_draws.transpose("sample", "model", "benchmark")
    cells = pd.MultiIndex.from_product(
        [draws["model"].values.astype(str), draws["benchmark"].values.astype(str)],
        names=["model", "benchmark"],
    )
    values = draws.values.reshape(len(draws), -1)
    frame = pd.DataFrame(values, columns=cells)
    return pd.DataFrame(
        {"mean": frame.mean(), "q05": frame.quantile(0.05), "q95": frame.quantile(0.95)}
    ).reset_index()


def write(folder: Path) -> None:
    """Fit in memory and in a folder, and write both with their predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    info = {name: ls.Benchmark(floor=floor, n_items=500) for name, floor in FLOORS.items()}
    scores = ls.Scores.from_frame(table(), benchmarks=info)
    for name, store in (("nuts", None), ("store", "store_pooled_flops")):
        # A folder keeps its own path among the settings: a relative one says nothing of a machine.
        method = ls.NUTS(draws=20, tune=20, chains=2, cores=1, store=store)
        fit = ls.fit(ls.load_spec("pooled_flops"), scores, method=method, seed=SEED, progress=False)
        if store is None:
            fit.save(folder / "nuts_pooled_flops.nc")
        expected_scores(fit).to_csv(
            folder / f"{name}_pooled_flops.csv", index=False, float_format="%.17g"
        )
    Path("store_pooled_flops").rename(folder / "store_pooled_flops")
    versions = {"commit": folder.name} | fit.provenance.versions
    (folder / "fits_versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write(Path(sys.argv[1]))
