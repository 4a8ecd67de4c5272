"""Structures for `capabilities`, compared with a near copy that samples in seconds: SCREEN.md.

The table is the BenchPress matrix (../shared/tables/benchpress, read in place: MIT licence), the
model `near_copy.py`. Splits hide a quarter of every model's scores inside the training data of a
published fold, as in `run.py`. Cuts fit the models released before a date and forecast those of
the next quarter, on benchmarks with at least three fitted scores, given five scores each: one new
model at a time ("alone"), or with the given scores of all new models fitted ("together").

    python -m benchmarks.capabilities_selection.screen base series --splits 0 1 2 3
    python -m benchmarks.capabilities_selection.screen base --cuts 2025-05-01 2025-08-01
    python -m benchmarks.capabilities_selection.screen        # write SCREEN.md of what is there
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import scoringrules

import latentscale as ls
from benchmarks.benchpress.run import SHARED, units
from benchmarks.capabilities_selection.near_copy import Matrix, Structure, sampled
from benchmarks.capabilities_selection.run import SEED, split
from benchmarks.common.clusters import mean_and_error, shown
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

HERE = Path(__file__).resolve().parent
KEPT = HERE / "runs" / "screen"
GIVEN, FEWEST = 5, 3
"""Scores given of a new model, and fitted scores of a benchmark, as in the study of releases."""
QUARTER = pd.DateOffset(months=3)
DRAWS = {"warm_up": 250, "draws": 500}
"""Sweeps of one chain; the 500 draws are correlated, so all figures have Monte Carlo error."""
DRAWS_ALONE = {"warm_up": 130, "draws": 200}
"""For cuts with one fit per new model."""

CANDIDATES: dict[str, Structure] = {
    "base": Structure(),
    "series": Structure(series=True),
    "series, editions alone": Structure(series=True),
    "drift": Structure(drift=True),
    "age": Structure(age=True),
    "heavy tails": Structure(tails=True),
    "no groups": Structure(groups=False),
    "two skills": Structure(skills=2),
}
_EDITIONS: Sequence[tuple[str, str]] = (
    (r"aime|hmmt|brumo|cmimc|^smt_|cnmo", "competitions with short answers"),
    (r"swe_bench", "SWE-bench"),
    (r"^(swelancer|frontiermath|terminal_bench|tau|bfcl|hle|gpqa|arc_agi|aider|charxiv)", ""),
    (r"^(graphwalks|multichallenge|omnidoc|longfact|mrcr|mmmu)", ""),
    (r"simpleqa", "SimpleQA"),
    (r"^browsecomp(_zh)?$", "BrowseComp"),
)
"""Series by parts of ids; the first match counts and gives the series' name."""
_KINDS: Sequence[tuple[str, str]] = (
    (r"^imo_|^usamo|apex_2025", "olympiads"),
    (r"^math$|^math_500|^gsm8k|^mgsm", "school mathematics"),
    (r"^humaneval|^mbpp", "single functions"),
    (r"^mcp", "MCP"),
    (r"^factscore", "longfact"),
    (r"^supergpqa", "gpqa"),
    (r"^mmlu_pro|^mmmlu", "MMLU"),
    (r"^video_mm", "video"),
    (r"^ifeval|^multi_if", "IFEval"),
    (r"^arena_hard|^alpaca", "judged by models"),
)
"""Benchmarks of one kind of item."""


def series_of(name: str, editions_alone: bool) -> str:
    """Return the series of a benchmark by its id, an empty text for none."""
    for pattern, series in _EDITIONS if editions_alone else (*_EDITIONS, *_KINDS):
        hit = re.search(pattern, name)
        if hit:
            return series or hit.group(1)
    return ""


@lru_cache
def table() -> tuple[ls.Scores, pd.DataFrame]:
    """Return the scores, and models with their features, both in the reader's order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = ls.readers.read_benchpress(SHARED)
    return scores, scores.to_frame().set_index("model")


def matrix(editions_alone: bool) -> Matrix:
    """Return the table in the near copy's form."""
    scores, frame = table()
    data = scores.dataset
    days = (frame["released"] - pd.Timestamp("2024-01-01")) / pd.Timedelta(days=1)
    return Matrix(
        scores=data["score"].transpose("model", "benchmark").values,
        scale=[str(kind) for kind in data["scale"].values],
        floor=data["floor"].values,
        group=[str(name) for name in data["group"].values],
        series=[series_of(name, editions_alone) for name in scores.benchmarks],
        days=days.to_numpy(float),
        reasoning=frame["reasoning"].to_numpy(float),
        family=list(frame["family"].astype(str)),
        lineage=list(frame["lineage"].astype(str)),
    )


def forecast(
    name: str,
    fitted: npt.NDArray[np.bool_],
    cells: Sequence[tuple[int, int]],
    sizes: dict[str, int],
) -> pd.DataFrame:
    """Return cells with their forecasts, in the table's units."""
    m = matrix("editions" in name)
    drawn = sampled(m, fitted, cells, CANDIDATES[name], seed=SEED, **sizes)
    scores, _ = table()
    model, benchmark = np.array(cells).T
    names = np.array(scores.benchmarks)[benchmark]
    unit = units().reindex(names).to_numpy()
    measured = m.scores[model, benchmark]
    low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95], axis=0)
    return pd.DataFrame(
        {
            "model": np.array(scores.models)[model],
            "benchmark": names,
            "percent": unit == 100,
            "fitted": fitted.sum(axis=0)[benchmark],
            "error": (middle - measured) * unit,
            "crps": scoringrules.crps_ensemble(measured, drawn.T) * unit,
            "below": measured < low,
            "above": measured > high,
            "width": (high - low) * unit,
        }
    )


def on_split(name: str, number: int) -> pd.DataFrame:
    """Return forecasts of the hidden cells of a split."""
    scores, _ = table()
    place = [
        {label: i for i, label in enumerate(labels)}
        for labels in (scores.models, scores.benchmarks)
    ]
    gone, hidden = (
        [(place[0][m], place[1][b]) for m, b in part.itertuples(index=False) if b in place[1]]
        for part in split(number)
    )
    fitted = np.isfinite(matrix(False).scores)
    for model, benchmark in (*gone, *hidden):
        fitted[model, benchmark] = False
    cells = [cell for cell in hidden if fitted[:, cell[1]].any()]
    return forecast(name, fitted, cells, DRAWS)


def on_cut(name: str, cut: str, together: bool) -> pd.DataFrame:
    """Return forecasts of the models of the quarter from a date on."""
    _, frame = table()
    start = pd.Timestamp(cut)
    released, there = frame["released"], np.isfinite(matrix(False).scores)
    before = (released < start).to_numpy()
    kept = (there & before[:, None]).sum(axis=0) >= FEWEST
    fitted = there & before[:, None] & kept
    rng = np.random.default_rng([SEED, start.year, start.month])
    given: dict[int, list[int]] = {}
    cells: dict[int, list[tuple[int, int]]] = {}
    for model in np.flatnonzero((released >= start) & (released < start + QUARTER)):
        on = rng.permutation(np.flatnonzero(there[model] & kept))
        if len(on) > GIVEN:
            given[model] = list(on[:GIVEN])
            cells[model] = [(model, benchmark) for benchmark in on[GIVEN:]]
    parts = []
    for some in [list(given)] if together else [[model] for model in given]:
        seen = fitted.copy()
        for model in some:
            seen[model, given[model]] = True
        wanted = [cell for model in some for cell in cells[model]]
        part = forecast(name, seen, wanted, DRAWS if together else DRAWS_ALONE)
        part["fitted"] = fitted.sum(axis=0)[[benchmark for _, benchmark in wanted]]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def kept(name: str, where: str) -> Path:
    """Return where forecasts are kept."""
    return KEPT / f"{name}--{where}.csv"


def run(names: Sequence[str], splits: Sequence[int], cuts: Sequence[str], together: bool) -> None:
    """Make missing forecasts, and print a line for each."""
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in names:
        for where in [f"split {number}" for number in splits] + [
            f"{cut} {'together' if together else 'alone'}" for cut in cuts
        ]:
            path = kept(name, where)
            if not path.exists():
                first, last = where.split()
                on = on_split(name, int(last)) if first == "split" else None
                on = on_cut(name, first, together) if on is None else on
                on.to_csv(path, index=False)
            print(row(name, where, pd.read_csv(path)), flush=True)


def row(name: str, where: str, cells: pd.DataFrame) -> dict[str, str]:
    """Return the figures of some forecasts, with standard errors between models."""
    percent = cells[cells["percent"]]
    inside = ~(cells["below"] | cells["above"])
    base = kept("base", where)
    figures = {
        "where": where,
        "candidate": name,
        "cells": str(len(cells)),
        "MedAE": f"{cells['error'].abs().median():.2f}",
        "MAE": f"{percent['error'].abs().mean():.2f}",
        "bias": f"{percent['error'].mean():+.2f}",
        "CRPS": f"{percent['crps'].mean():.2f}",
        "cover 90%": shown(inside.astype(float), cells["model"], 3),
        "width": f"{cells['width'].median():.1f}",
    }
    if name != "base" and base.exists():
        less = less_base(cells, pd.read_csv(base))
        figures["CRPS less base"] = shown(less["less"], less["model"])
    return figures


def less_base(cells: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Return each percentage's CRPS minus the base's on the same cell, with its model."""
    keys = ["model", "benchmark"]
    both = cells[cells["percent"]].merge(base, on=keys, suffixes=("", "_base"), validate="1:1")
    return both[["model"]].assign(less=both["crps"] - both["crps_base"])


def over_splits() -> pd.DataFrame:
    """Return the mean difference to the base over all splits."""
    rows = []
    for name in (name for name in CANDIDATES if name != "base"):
        paths = sorted(KEPT.glob(f"{name}--split*.csv"))
        paths = [p for p in paths if kept("base", p.stem.split("--")[1]).exists()]
        if not paths:
            continue
        parts = []
        for path in paths:
            cells = pd.read_csv(path)
            base = pd.read_csv(kept("base", path.stem.split("--")[1]))
            parts.append(less_base(cells, base))
        every = pd.concat(parts, ignore_index=True)
        rows.append(
            {
                "candidate": name,
                "splits": str(len(paths)),
                "CRPS less base": shown(every["less"], every["model"]),
            }
        )
    return pd.DataFrame(rows)


def by_fitted(where: Sequence[str]) -> pd.DataFrame:
    """Return the base's errors after cuts by the fitted scores of the benchmark."""
    every = pd.concat(
        [pd.read_csv(kept("base", one)) for one in where if kept("base", one).exists()]
    )
    rows = []
    for low, high in ((3, 4), (5, 8), (9, 15), (16, 99)):
        some = every[every["fitted"].between(low, high) & every["percent"]]
        bias, error = mean_and_error(some["error"], some["model"])
        outside = some["below"] | some["above"]
        rows.append(
            {
                "fitted scores": f"{low} to {high}",
                "cells": str(len(some)),
                "MAE": f"{some['error'].abs().mean():.2f}",
                "bias": f"{bias:+.2f} ± {error:.2f}",
                "cover 90%": shown((~outside).astype(float), some["model"], 3),
                "above": f"{some['above'].mean():.3f}",
                "below": f"{some['below'].mean():.3f}",
            }
        )
    return pd.DataFrame(rows)


def write() -> None:
    """Write SCREEN.md of all forecasts that are there."""
    paths = sorted(KEPT.glob("*.csv"), key=lambda p: p.stem.split("--")[::-1])
    rows = [row(*path.stem.split("--"), pd.read_csv(path)) for path in paths]
    alone = sorted({p.stem.split("--")[1] for p in paths if p.stem.endswith("alone")})
    parts = [
        "# Structures for `capabilities` by a near copy",
        __doc__.split("\n\n")[1],
        provenance(SEED),
        "Errors and scores are in the table's units; CRPS, MAE and bias are over percentages "
        "only. Differences are paired by cell, with standard errors between models; one chain per "
        "fit.",
        markdown(pd.DataFrame(rows).fillna("")),
        "## Splits together",
        markdown(over_splits()),
        "## New models alone, by how many scores of the benchmark were fitted",
        f"Candidate base; {', '.join(one.split()[0] for one in alone)}.",
        markdown(by_fitted(alone)),
        (HERE / "screen_notes.md").read_text(encoding="utf-8").strip(),
    ]
    (HERE / "SCREEN.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CANDIDATES)}")
    parser.add_argument("--splits", nargs="*", type=int, default=[], help="numbers of folds")
    parser.add_argument("--cuts", nargs="*", default=[], help="dates")
    parser.add_argument("--together", action="store_true", help="fit all new models' scores")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CANDIDATES]
    if unknown:
        parser.error(f"no candidate is called {unknown}; there are {list(CANDIDATES)}")
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not there: the study reads the public table in place.")
    if options.names:
        run(options.names, options.splits, options.cuts, options.together)
    else:
        write()


if __name__ == "__main__":
    main()
