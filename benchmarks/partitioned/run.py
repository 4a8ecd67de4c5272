"""Partitioned inference on simulated tables, compared with NUTS; writes PARTITIONED.md.

Run from the project's root, in pieces; an interrupted piece resumes from its shards' files:

    python -m benchmarks.partitioned.run partitioned --models 1000
    python -m benchmarks.partitioned.run nuts --models 1000
    python -m benchmarks.partitioned.run partitioned --models 20000 --candidates 8

Tables are those of `benchmarks.growth`: 12 benchmarks, families of four, lineages of two families.
No fit sees the last member of every tenth family, whose scores are forecast and compared. NUTS
samples the density without centring, as the shards do, so that all parameters can be compared.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.growth.run import MEMBERS, SPEC, made_up, peak_megabytes
from latentscale.data.scores import Scores
from latentscale.dims import CHAIN, DRAW
from latentscale.model.design import design

HERE = Path(__file__).parent
RUNS = HERE / "runs"
REPORT = HERE / "PARTITIONED.md"
BENCHMARKS = 12
SHARED = ("intercept", "loading", "precision", "slope", "family_scale", "residual_scale")
"""Parameters whose means and standard deviations are compared, if the spec has them."""


def table_of(models: int, seed: int) -> tuple[Scores, pd.DataFrame]:
    """Return a table for the fit, and the models hidden from it."""
    frame = made_up(models, BENCHMARKS, seed)
    hidden = np.arange(models) % (10 * MEMBERS) == MEMBERS - 1
    return Scores.from_frame(frame[~hidden]), frame[hidden]


def coverage(fit: ls.Fit, hidden: pd.DataFrame, seed: int) -> dict[str, float]:
    """Return error, width and coverage of forecasts of hidden models, in points and percent."""
    names = [name for name in hidden if name.startswith("b")]
    table = ls.predict(fit, hidden.drop(columns=names), seed=seed).table()
    measured = hidden.set_index("model")[names].stack()
    measured.index.names = ["model", "benchmark"]
    table = table.set_index(["model", "benchmark"]).assign(score=measured)
    inside = table["score"].between(table["lower"], table["upper"])
    return {
        "error": 100 * float((table["median"] - table["score"]).abs().mean()),
        "width": 100 * float((table["upper"] - table["lower"]).mean()),
        "covered": 100 * float(inside.mean()),
    }


def partitioned(options: argparse.Namespace) -> None:
    """Fit by partitioned inference, and keep what is reported."""
    scores, hidden = table_of(options.models, options.seed)
    method = ls.methods.Partitioned(
        draws=options.draws,
        candidates=options.candidates,
        workers=options.workers,
        folder=str(RUNS / f"shards-{options.models}"),
    )
    began, processor = time.perf_counter(), time.process_time()
    fit = ls.fit(ls.load_spec(SPEC), scores, method=method, seed=options.seed)
    taken = {
        "minutes": (time.perf_counter() - began) / 60,
        "processor_minutes": (time.process_time() - processor) / 60,
    }
    keep("partitioned", options, fit.posterior, fit.status.message, taken)
    covered = coverage(fit, hidden, options.seed)
    keep("partitioned", options, fit.posterior, fit.status.message, taken | covered)


def nuts(options: argparse.Namespace) -> None:
    """Sample the whole table by NUTS, and keep what is compared."""
    scores, _ = table_of(options.models, options.seed)
    spec = ls.load_spec(SPEC)
    prepared = replace(design(spec, scores), centred=False)
    method = ls.NUTS(draws=options.draws, tune=options.draws, chains=2, cores=1)
    began = time.perf_counter()
    drawn = method.draw(spec, prepared, seed=options.seed, progress=True)
    taken = {"minutes": (time.perf_counter() - began) / 60}
    keep("nuts", options, drawn.posterior, drawn.status.message, taken)


def keep(
    name: str,
    options: argparse.Namespace,
    posterior: xr.Dataset,
    message: str,
    figures: dict[str, float],
) -> None:
    """Write a run's figures, with means and standard deviations of shared parameters."""
    moments = {}
    for variable in SHARED:
        if variable in posterior:
            values = posterior[variable]
            both = [values.mean((CHAIN, DRAW)), values.std((CHAIN, DRAW))]
            moments[variable] = [np.ravel(one.values).tolist() for one in both]
    about = {"models": options.models, "message": message, "peak": peak_megabytes()}
    RUNS.mkdir(exist_ok=True)
    file = RUNS / f"{name}-{options.models}.json"
    file.write_text(json.dumps(about | figures | {"moments": moments}), encoding="utf-8")


def report(seed: int) -> None:
    """Write PARTITIONED.md from the files of finished runs."""
    runs = {file.stem: json.loads(file.read_text("utf-8")) for file in RUNS.glob("*.json")}
    rows, lines = [], ["# Partitioned inference", "", provenance(seed), ""]
    columns = ("minutes", "peak", "error", "width", "covered")
    for name, run in sorted(runs.items()):
        figures = {key: f"{run[key]:.1f}" if key in run else "" for key in columns}
        rows.append({"run": name, "models": run["models"]} | figures)
    lines += [
        f"The recommended spec on simulated tables of {BENCHMARKS} benchmarks. Wall time in "
        "minutes, on a machine with other work; memory of the first process in MB; on models that "
        "no fit saw, error and width of 90% intervals in points and their coverage in percent.",
        "",
        markdown(pd.DataFrame(rows)),
        "",
        "Statuses:",
        "",
        *[f"- {name}: {run['message']}." for name, run in sorted(runs.items())],
    ]
    for name, run in sorted(runs.items()):
        other = runs.get(name.replace("partitioned", "nuts"))
        if name.startswith("partitioned") and other:
            lines += ["", *beside(run, other)]
    REPORT.write_text("\n".join([*lines, ""]), encoding="utf-8")


def beside(run: dict, other: dict) -> list[str]:
    """Return a table that compares moments of shared parameters with those of NUTS."""
    rows = []
    for variable, (means, deviations) in run["moments"].items():
        theirs, spread = (np.array(moment) for moment in other["moments"][variable])
        moves = spread > 0
        shift = np.abs(np.array(means) - theirs)[moves] / spread[moves]
        ratio = np.array(deviations)[moves] / spread[moves]
        rows.append(
            {
                "parameter": variable,
                "largest difference of means, sd": f"{shift.max():.2f}",
                "root mean square": f"{np.sqrt((shift**2).mean()):.2f}",
                "ratio of sds": f"{ratio.min():.2f} to {ratio.max():.2f}",
            }
        )
    title = f"## {run['models']} models, partitioned against NUTS on the whole table"
    return [title, "", markdown(pd.DataFrame(rows))]


def main() -> None:
    """Do one piece, and write the report of all so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("piece", choices=["partitioned", "nuts", "report"])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.piece != "report":
        {"partitioned": partitioned, "nuts": nuts}[options.piece](options)
    report(options.seed)


if __name__ == "__main__":
    main()
