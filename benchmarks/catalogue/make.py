"""Make the catalogue of public families that the package ships.

``python -m benchmarks.catalogue.make TABLES`` writes
``latentscale/data/datasets/figures/catalogue.csv`` from the bundled table and from public tables
below the folder TABLES: ``obsscaling`` (Apache-2.0), ``open_llm_leaderboard_v2`` and ``benchpress``
(MIT). What is taken of them are facts on models (family, size, tokens, date), no score; each row
names its sources. Where two sources say something, the first of this order counts.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

import latentscale as ls
from latentscale.data.datasets.catalogue import catalogue_key
from latentscale.data.readers.model_names import parse_name, provider_of
from latentscale.files import replacing

OUT = Path(ls.__file__).parent / "data" / "datasets" / "figures" / "catalogue.csv"
COLUMNS = ["model", "family", "lineage", "instruct", "params_b", "tokens_t", "released", "source"]
_TUNED = re.compile(r"-?(?:chat|instruct)$")
MOST_TOKENS_T = 50.0
"""Above this a count of the source is in billions: 627 for BTLM-3B, trained on 627 billion."""


def bundled() -> pd.DataFrame:
    """Return the models of the bundled table, with its corrections."""
    frame = ls.datasets.open_llm_leaderboard().to_frame()
    return frame.reindex(columns=COLUMNS).assign(source="bundled")


def obsscaling(folder: Path) -> pd.DataFrame:
    """Return base and tuned models of observational scaling laws."""
    parts = []
    for name, tuned in (("base_llm_benchmark_eval", 0), ("instruct_llm_benchmark_eval", 1)):
        table = pd.read_csv(folder / "obsscaling" / f"{name}.csv")
        families = table["Model Family"].str.casefold()
        tokens = table["Pretraining Data Size (T)"]
        parts.append(
            pd.DataFrame(
                {
                    "model": table["Model"],
                    "family": [
                        name if not tuned or _TUNED.search(name) else f"{name}-instruct"
                        for name in families
                    ],
                    "lineage": families.str.replace(_TUNED, "", regex=True),
                    "instruct": tuned,
                    "params_b": table["Model Size (B)"],
                    "tokens_t": tokens.where(tokens < MOST_TOKENS_T, tokens / 1000),
                    "source": "obsscaling",
                }
            )
        )
    return pd.concat(parts).reindex(columns=COLUMNS)


def leaderboard(folder: Path) -> pd.DataFrame:
    """Return the models that their makers themselves uploaded, with the day of upload."""
    (path,) = (folder / "open_llm_leaderboard_v2").glob("*.csv")
    raw = pd.read_csv(path)
    official = set(raw.loc[raw["Official Providers"].astype(str) == "True", "fullname"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ls.DataWarning)
        table = ls.readers.leaderboard_table(raw)
    table = table[table["model"].isin(official)].reset_index(drop=True)
    # Fine-tunes of other makers' models are of no family of their own: only what says that it is
    # pretrained, or a chat model, is taken.
    table = table[table["family_basis"].isin(["base model", "name"]) & table["instruct"].notna()]
    # The maker of a series is whoever uploaded its first model.
    maker = table["model"].str.split("/").str[0]
    first = table.assign(maker=maker).sort_values("released").groupby("lineage")["maker"].first()
    table = table[maker == table["lineage"].map(first)]
    tuned = table["instruct"]
    family = table["lineage"] + np.where(tuned == 1, "-instruct", "")
    return table.assign(family=family, instruct=tuned, source="leaderboard").reindex(
        columns=COLUMNS
    )


def benchpress(folder: Path) -> pd.DataFrame:
    """Return closed and open models of 2024 to 2026 with their day of release."""
    table = pd.read_csv(folder / "benchpress" / "models.csv")
    names = [parse_name(name) for name in table["model"]]
    frame = pd.DataFrame(
        {
            "model": table["model"],
            "family": [name.series for name in names],
            "lineage": [
                own if isinstance(own, str) else provider_of(name)
                for own, name in zip(table["provider"], names, strict=True)
            ],
            "params_b": [name.size_b for name in names],
            "released": table["release_date"],
            "source": "benchpress",
        }
    )
    return frame.reindex(columns=COLUMNS)


def merged(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return one row a model; a model's empty cells are filled from the later sources."""
    rows: dict[str, dict[str, object]] = {}
    homes: dict[str, Counter[tuple[str, str]]] = {}
    for part in parts:
        for record in part.to_dict("records"):
            key = catalogue_key(str(record["model"]))
            if key not in rows:
                rows[key] = dict(record)
                continue
            row = rows[key]
            if record["instruct"] == 0:
                home = (str(row["family"]), str(row["lineage"]))
                homes.setdefault(str(record["lineage"]), Counter())[home] += 1
            for name, value in record.items():
                if name == "source":
                    row[name] = "; ".join(dict.fromkeys([*str(row[name]).split("; "), str(value)]))
                elif pd.isna(row[name]):
                    row[name] = value
            if "/" in str(record["model"]) and "/" not in str(row["model"]):
                row["model"] = record["model"]  # the hub's name, with its maker
    table = pd.DataFrame(list(rows.values()))
    # One series has one name: the one under which the first source knows most of its models.
    best = {name: counts.most_common(1)[0][0] for name, counts in homes.items()}
    for name, (family, lineage) in best.items():
        mine = (table["lineage"] == name) & ~table["source"].str.startswith("bundled")
        tail = table.loc[mine, "family"].str.removeprefix(name)
        table.loc[mine, "family"] = family + tail
        table.loc[mine, "lineage"] = lineage
    released = pd.to_datetime(table["released"]).dt.strftime("%Y-%m-%d")
    table = table.assign(released=released, params_b=table["params_b"].astype(float).round(3))
    return table.sort_values(["lineage", "family", "params_b", "model"], kind="stable")


def main() -> None:
    """Write the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path)
    folder = parser.parse_args().tables
    table = merged([bundled(), obsscaling(folder), leaderboard(folder), benchpress(folder)])
    with replacing(OUT, ls.DataError) as unfinished:
        table.to_csv(unfinished, index=False)
    print(f"wrote {OUT}: {len(table)} models, {table['family'].nunique()} families")


if __name__ == "__main__":
    main()
