"""NUTS on a subsample, with all other lineages conditioned on it, against NUTS; writes
SUBSAMPLED.md.

Run from the project's root, in pieces; an interrupted piece resumes:

    python -m benchmarks.subsampled.run nuts --models 1000 --chain 0     # and --chain 1
    python -m benchmarks.subsampled.run exact --models 1000
    python -m benchmarks.subsampled.run fit --models 1000 --draws 600
    python -m benchmarks.subsampled.run fit --models 20000 --draws 1200 --kept 200 --workers 2
    python -m benchmarks.subsampled.run cluster --models 2000

Tables are those of `benchmarks.growth`: 12 benchmarks, families of four, lineages of two families.
No fit sees the last member of every tenth family, whose scores are forecast and compared. NUTS on
the whole table samples the density without centring, so that all parameters can be compared.

`exact` redraws the latents of every lineage given draws of NUTS: if that is exact, means and
standard deviations do not change. Its second line repeats this with a wrong Jacobian.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import latentscale as ls
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.growth.run import SPEC, peak_megabytes
from benchmarks.partitioned.run import SHARED, coverage, table_of
from latentscale.dims import CHAIN, DRAW
from latentscale.engine.sampler import nutpie_module
from latentscale.inference.nuts import chains
from latentscale.inference.nuts.start import usual_start
from latentscale.inference.partitioned.shard import Shard, units_of_latents
from latentscale.inference.partitioned.trajectories import draw_latents
from latentscale.inference.tools.posterior_density import (
    PosteriorDensity,
    kept_names,
    posterior_density,
)
from latentscale.model.batches import VariableSlices, deal
from latentscale.model.build import build_design
from latentscale.model.design import Design, design

HERE = Path(__file__).parent
RUNS = HERE / "runs"
REPORT = HERE / "SUBSAMPLED.md"
TUNE, DRAWS = 400, 1000
"""Draws of NUTS on the whole table, per chain."""
EACH = 200  # draws of a chain at which latents are redrawn
TRAJECTORIES = ls.methods.Subsampled().trajectories
BATCHES = 10  # batches per chain, for Monte Carlo errors: 100 draws of NUTS each
WRONG = 0.3  # spurious slope of the density in each latent, whose sd is below 1


def prepared(models: int, seed: int) -> Design:
    """Return the design of a table, without centring."""
    return replace(design(ls.load_spec(SPEC), table_of(models, seed)[0]), centred=False)


def nuts(options: argparse.Namespace) -> None:
    """Sample one chain of the whole table, with unconstrained positions."""
    spec, whole = ls.load_spec(SPEC), prepared(options.models, options.seed)
    model = build_design(spec, whole)
    seed = 201 + options.chain
    compiled = chains.compiled(model, kept_names(model), "nutpie")
    start = usual_start(spec).place(compiled, seed=seed, cores=1, progress=False)
    began = time.process_time()
    trace = nutpie_module().sample(
        start.compiled.compiled(),
        **{"draws": DRAWS, "tune": TUNE, "chains": 1, "cores": 1, "seed": seed},
        **{"progress_bar": False, "store_unconstrained": True, "save_warmup": False},
    )
    found = trace["sample_stats"]
    RUNS.mkdir(exist_ok=True)
    np.savez(
        RUNS / f"nuts-{options.models}-{options.chain}.npz",
        x=found["unconstrained_draw"].values[0],
        steps=found["n_steps"].values,
        div=found["diverging"].values,
        seconds=time.process_time() - began,
    )


def reference(models: int) -> np.ndarray:
    """Return the positions of NUTS, shape (chain, draw, n)."""
    files = sorted(RUNS.glob(f"nuts-{models}-*.npz"))
    return np.stack([np.load(file)["x"] for file in files])


def exact(options: argparse.Namespace) -> None:
    """Redraw all latents given draws of NUTS, and compare; then with a wrong Jacobian."""
    spec, whole = ls.load_spec(SPEC), prepared(options.models, options.seed)
    slices = VariableSlices.of(build_design(spec, whole))
    unit = units_of_latents(slices, whole)
    every = reference(options.models)
    some = np.linspace(0, every.shape[1] - 1, EACH).round().astype(int)
    theirs = every[:, some].reshape(-1, every.shape[-1])
    shards = []
    for place, batch in enumerate(deal(whole, 400, np.random.default_rng(7))):
        where, common = slices.places(batch)
        rng = np.random.default_rng([options.seed, place])
        shards.append((Shard.of(spec, batch.design), where[~common], rng))
    rows = []
    for wrong in (0.0, WRONG):
        ours, figures = theirs.copy(), []
        began = time.process_time()
        for shard, where, rng in shards:
            drawn = draw_latents(_wrong(shard, wrong), theirs[:, unit < 0], TRAJECTORIES, rng)
            figures.append(drawn)
            ours[:, where] = [shard.in_order(one) for one in drawn.drawn]
        seconds = time.process_time() - began
        rows.append(compared(ours, theirs, unit >= 0) | {"wrong": wrong, "seconds": seconds})
        rows[-1]["acceptance"] = float(min(f.acceptance.min() for f in figures))
        rows[-1]["rounding"] = float(max(f.rounding for f in figures))
    RUNS.mkdir(exist_ok=True)
    (RUNS / f"exact-{options.models}.json").write_text(json.dumps(rows), encoding="utf-8")


def _wrong(shard: Shard, wrong: float) -> Shard:
    """Return a shard whose density has a spurious slope in every latent."""
    of, latents = shard.density, shard.places[shard.present]

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = of.evaluate(point)
        slope = np.array(slope)
        slope[latents] += wrong
        return value + wrong * float(point[latents].sum()), slope

    density = PosteriorDensity(of.start, evaluate, of.expand, of.dims, of.coords)
    return replace(shard, density=density)


def compared(ours: np.ndarray, theirs: np.ndarray, latents: np.ndarray) -> dict[str, float]:
    """Return z of the differences of means, by batches of both chains, and ratios of sds."""
    change = (ours - theirs)[:, latents]
    means = change.reshape(2 * BATCHES, -1, change.shape[1]).mean(axis=1)
    z = means.mean(axis=0) / (means.std(axis=0, ddof=1) / np.sqrt(len(means)))
    sd = theirs[:, latents].std(axis=0)
    ratio = ours[:, latents].std(axis=0) / sd
    free = len(means) - 1
    return {
        "latents": z.size,
        "shift": float(np.sqrt(((change.mean(axis=0) / sd) ** 2).mean())),
        "z": float(np.sqrt((z**2).mean())),
        "expected": float(np.sqrt(free / (free - 2))),
        "largest": float(np.abs(z).max()),
        "chance": float(min(1.0, 2 * z.size * stats.t.sf(np.abs(z).max(), free))),
        "ratio": float(np.median(ratio)),
    }


def fit(options: argparse.Namespace) -> None:
    """Fit a table by a subsample, and keep what is reported."""
    scores, hidden = table_of(options.models, options.seed)
    name = f"fit-{options.models}-{options.subsample}"
    method = ls.methods.Subsampled(
        models=options.subsample,
        draws=options.draws,
        kept=options.kept,
        workers=options.workers,
        folder=str(RUNS / name),
    )
    began = time.perf_counter()
    made = ls.fit(ls.load_spec(SPEC), scores, method=method, seed=options.seed)
    taken = {"minutes": (time.perf_counter() - began) / 60, "peak": peak_megabytes()}
    moments = {}
    for variable in SHARED:
        if variable in made.posterior:
            values = made.posterior[variable]
            both = [values.mean((CHAIN, DRAW)), values.std((CHAIN, DRAW))]
            moments[variable] = [np.ravel(one.values).tolist() for one in both]
    about = {
        "models": options.models,
        "subsample": options.subsample,
        "workers": options.workers,
        "message": made.status.message,
        "seconds": made.provenance.seconds,
        "moments": moments,
    }
    file = RUNS / f"{name}.json"
    file.write_text(json.dumps(about | taken), encoding="utf-8")
    covered = coverage(made, hidden, options.seed)
    taken["peak_with_forecasts"] = peak_megabytes()
    file.write_text(json.dumps(about | taken | covered), encoding="utf-8")


def cluster(options: argparse.Namespace) -> None:
    """Time the latents over a dask cluster of one and two workers, and kill one worker mid-run."""
    from distributed import LocalCluster

    scores, _ = table_of(options.models, options.seed)
    spec, rows = ls.load_spec(SPEC), []
    with tempfile.TemporaryDirectory() as folder:
        for workers, killed in ((1, False), (2, False), (2, True)):
            with LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, processes=True
            ) as local:
                method = ls.methods.Subsampled(
                    **{"models": 100, "draws": 200, "kept": 100, "shard": 125},
                    cluster=local.scheduler_address,
                    folder=f"{folder}/{workers}-{killed}",
                )
                rows.append(
                    {"workers": workers, "killed": killed}
                    | _over(method, spec, scores, local if killed else None, options.seed)
                )
    RUNS.mkdir(exist_ok=True)
    (RUNS / f"cluster-{options.models}.json").write_text(json.dumps(rows), encoding="utf-8")


def _over(
    method: ls.methods.Subsampled, spec: ls.ModelSpec, scores: ls.Scores, local: object, seed: int
) -> dict[str, object]:
    """Fit; where a cluster is given, kill a worker as soon as a shard's file is there."""
    if local is not None:
        import threading

        def kill() -> None:
            while not list(Path(str(method.folder)).glob("*/*.npz")):
                time.sleep(0.2)
            worker = next(iter(local.workers.values()))  # type: ignore[attr-defined]
            os.kill(worker.pid, signal.SIGKILL)

        threading.Thread(target=kill, daemon=True).start()
    made = ls.fit(spec, scores, method=method, seed=seed, progress=False)
    mean = float(made.posterior["family_skill"].mean())
    return {"latents": made.provenance.seconds["latents"], "mean": mean}


def report(seed: int) -> None:
    """Write SUBSAMPLED.md from the files of finished pieces."""
    lines = ["# A subsample by NUTS, all other lineages conditioned", "", provenance(seed), ""]
    runs = [json.loads(f.read_text("utf-8")) for f in sorted(RUNS.glob("fit-*.json"))]
    columns = ("models", "subsample", "workers", "minutes", "peak", "error", "width", "covered")
    rows = [
        {c: f"{r[c]:.1f}" if isinstance(r.get(c), float) else r.get(c, "") for c in columns}
        for r in runs
    ]
    lines += ["The recommended spec on simulated tables of 12 benchmarks.", ""]
    if rows:
        lines += [
            "Wall time in minutes; peak memory of the first process in MB, without forecasts; on "
            "models that no fit saw, error and width of 90% intervals in points and their "
            "coverage in percent.",
            "",
            markdown(pd.DataFrame(rows)),
            "",
            "Statuses:",
            "",
            *[f"- {r['models']} models, {r['subsample']}: {r['message']}." for r in runs],
        ]
    else:
        lines += [
            "No fit of a whole table has been kept yet, so minutes, memory, error and coverage "
            "are not measured, nor how shared parameters compare with those of NUTS."
        ]
    for file in sorted(RUNS.glob("exact-*.json")):
        lines += ["", *_exactness(json.loads(file.read_text("utf-8")), file.stem)]
    for file in sorted(RUNS.glob("cluster-*.json")):
        lines += ["", f"## Over a cluster, {file.stem.split('-')[1]} models", ""]
        lines += [
            "Wall time of the latents alone, in seconds. Draws do not depend on the number of "
            "workers: the mean of all families' skills is identical.",
            "",
            markdown(_over_cluster(json.loads(file.read_text("utf-8")))),
        ]
    for run in runs:
        if list(RUNS.glob(f"nuts-{run['models']}-*.npz")):
            lines += ["", *_beside(run, seed)]
    REPORT.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _over_cluster(rows: list[dict]) -> pd.DataFrame:
    """Return one row per run over a cluster."""
    table = [
        {
            "workers": row["workers"],
            "one worker killed": "yes" if row["killed"] else "no",
            "seconds": f"{row['latents']:.1f}",
            "mean skill": f"{row['mean']:.12f}",
        }
        for row in rows
    ]
    return pd.DataFrame(table)


def _exactness(rows: list[dict[str, float]], name: str) -> list[str]:
    table = [
        {
            "Jacobian error": row["wrong"],
            "latents": row["latents"],
            "shift of means, sd (root mean square)": f"{row['shift']:.3f}",
            "z (root mean square; Student t has " + f"{row['expected']:.3f})": f"{row['z']:.3f}",
            "largest z": f"{row['largest']:.1f}",
            "p of the largest z": f"{row['chance']:.2g}",
            "median ratio of sds": f"{row['ratio']:.3f}",
            "least acceptance": f"{row['acceptance']:.2f}",
            "error of log densities": f"{row['rounding']:.1g}",
            "processor s": f"{row['seconds']:.0f}",
        }
        for row in rows
    ]
    title = f"## Latents redrawn at {2 * EACH} draws of NUTS, {name.split('-')[1]} models"
    return [title, "", markdown(pd.DataFrame(table))]


def _beside(run: dict, seed: int) -> list[str]:
    """Return a table that compares moments of shared parameters with NUTS on the whole table."""
    density = posterior_density(build_design(ls.load_spec(SPEC), prepared(run["models"], seed)))
    theirs = density.to_posterior(reference(run["models"])[:, ::5])
    rows = []
    for variable, (means, deviations) in run["moments"].items():
        mean = np.ravel(theirs[variable].mean((CHAIN, DRAW)))
        sd = np.ravel(theirs[variable].std((CHAIN, DRAW)))
        moves = sd > 0
        shift = (np.array(means) - mean)[moves] / np.array(deviations)[moves]
        ratio = np.array(deviations)[moves] / sd[moves]
        rows.append(
            {
                "parameter": variable,
                "difference of means in the subsample's sd (root mean square)": (
                    f"{np.sqrt((shift**2).mean()):.2f}"
                ),
                "largest": f"{np.abs(shift).max():.2f}",
                "sd over that of NUTS, median": f"{np.median(ratio):.2f}",
            }
        )
    title = f"## {run['models']} models, a subsample of {run['subsample']} and NUTS on all"
    return [title, "", markdown(pd.DataFrame(rows))]


def main() -> None:
    """Do one piece, and write the report of all so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("piece", choices=["nuts", "exact", "fit", "cluster", "report"])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--subsample", type=int, default=400)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--kept", type=int, default=400)
    parser.add_argument("--chain", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.piece != "report":
        work = {"nuts": nuts, "exact": exact, "fit": fit, "cluster": cluster}
        work[options.piece](options)
    report(options.seed)


if __name__ == "__main__":
    main()
