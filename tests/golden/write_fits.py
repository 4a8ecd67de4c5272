"""Write small fits, and what they predict, with the version of latentscale that is imported.

``python tests/golden/write_fits.py tests/golden/COMMIT`` makes a folder with

* ``METHOD_SPEC.nc``: a fit of each method that ``fit.save`` wrote,
* ``store_pooled_flops/``: the folder of ``NUTS(store=...)``,
* ``METHOD_SPEC.csv`` and ``store_pooled_flops.csv``: the expected scores that each predicts for
  `ROWS` (mean and quantiles over the draws, which are the same on every machine),
* ``fits_versions.json``: the versions that wrote them.

Later versions load these files and predict the same numbers (``test_fits.py``). A file is written
once, by the commit that its folder is named after, and never again (existing files are not
changed): run this with ``PYTHONPATH`` set to a checkout of that commit.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

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


# The smallest spec that MarginalML takes: it integrates out families' anchored skills.
ONE_SKILL = """
name = "one_skill"
covariates = ["log_params"]
skills = { count = 1, identify = { kind = "anchored", anchors = ["mmlu"], unit = "family" } }
family = { level = "partial" }
"""

# A folder keeps its own path among the settings; a relative one does not reveal the machine.
STORE = "store_pooled_flops"


def cases() -> dict[str, tuple[ls.ModelSpec, Any]]:
    """Return specs and methods to fit, small and quick, by the names of their files."""
    pooled = ls.load_spec("pooled_flops")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one_skill.toml"
        path.write_text(ONE_SKILL)
        one_skill = ls.load_spec(path)
    chains = {"draws": 20, "tune": 20, "chains": 2, "cores": 1}
    return {
        "nuts_pooled_flops": (pooled, ls.NUTS(**chains)),
        STORE: (pooled, ls.NUTS(**chains, store=STORE)),
        "advi_pooled_flops": (pooled, ls.ADVI(draws=40, steps=2000)),
        "pathfinder_pooled_flops": (pooled, ls.Pathfinder(draws=40, paths=2)),
        "laplace_pooled_flops": (pooled, ls.Laplace(draws=40)),
        "marginal_one_skill": (one_skill, ls.MarginalML(draws=40, starts=2, cores=1)),
    }


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
    """Fit by every method and in a folder, and write files not there yet, with predictions."""
    folder.mkdir(parents=True, exist_ok=True)
    info = {name: ls.Benchmark(floor=floor, n_items=500) for name, floor in FLOORS.items()}
    scores = ls.Scores.from_frame(table(), benchmarks=info)
    for name, (spec, method) in cases().items():
        target = folder / (name if name == STORE else f"{name}.nc")
        if target.exists():
            continue
        fit = ls.fit(spec, scores, method=method, seed=SEED, progress=False)
        if name == STORE:
            Path(STORE).rename(target)
        else:
            fit.save(target)
        expected_scores(fit).to_csv(folder / f"{name}.csv", index=False, float_format="%.17g")
        versions = {"commit": folder.name} | fit.provenance.versions
        (folder / "fits_versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write(Path(sys.argv[1]))
