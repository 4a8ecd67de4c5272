"""Make the catalogue of public families that the package ships.

``python -m benchmarks.catalogue.make`` writes
``latentscale/data/datasets/figures/catalogue.csv`` from the bundled table: facts on models (family,
lineage, size, tokens), no score.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import latentscale as ls
from latentscale.data.datasets.catalogue import COLUMNS
from latentscale.files import replacing

OUT = Path(ls.__file__).parent / "data" / "datasets" / "figures" / "catalogue.csv"


def catalogue() -> pd.DataFrame:
    """Return the models of the bundled table, with its corrections."""
    frame = ls.datasets.open_llm_leaderboard().to_frame().reindex(columns=list(COLUMNS))
    frame = frame.assign(source="bundled", params_b=frame["params_b"].astype(float).round(3))
    return frame.sort_values(["lineage", "family", "params_b", "model"], kind="stable")


def main() -> None:
    """Write the catalogue."""
    table = catalogue()
    with replacing(OUT, ls.DataError) as unfinished:
        table.to_csv(unfinished, index=False)
    print(f"wrote {OUT}: {len(table)} models, {table['family'].nunique()} families")


if __name__ == "__main__":
    main()
