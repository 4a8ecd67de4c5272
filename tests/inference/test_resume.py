"""Draws on disk: the same as in memory, kept after SIGKILL, and continued."""

from __future__ import annotations

import dataclasses
import importlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import latentscale as ls
from latentscale.inference.nuts import chains as nutpie_chains
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.posterior import stream

resume_module = importlib.import_module("latentscale.inference.nuts.resume")

SCRIPT = """
import json, sys, time
import latentscale as ls
from latentscale.inference.nuts import chains as nutpie_chains

folder, log = sys.argv[1:]

class LoggingProgress(nutpie_chains.WorkProgress):
    def update(self, done, note=""):
        super().update(done, note)
        with open(log, "a") as file:
            file.write(json.dumps([time.time(), done]) + chr(10))

nutpie_chains.WorkProgress = LoggingProgress
table = ls.datasets.open_llm_leaderboard()
scores = table.select(models=table.models[:12], benchmarks=["mmlu", "arc"])
method = ls.NUTS(draws=1_000_000, tune=60, chains=2, cores=2, store=folder)
ls.fit(ls.load_spec("pooled_flops"), scores, method=method, seed=1, progress=False)
"""


MOMENTS = """
import os, signal, sys
import latentscale as ls
from latentscale.inference.nuts import chains as nutpie_chains
from latentscale.posterior import folder as folders, netcdf, stream

path, moment = sys.argv[1:]

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

place = {
    "scores.nc": (folders.netcdf, "write"),
    "fit.json": (folders, "replacing"),
    "run": (nutpie_chains, "start_run"),
    "run.json": (stream, "replacing"),
    "gathering": (nutpie_chains, "finish_runs"),
    "removal": (stream.shutil, "rmtree"),
}
if moment in place:
    setattr(*place[moment], kill)
else:  # while the store is described, and in warm-up
    import threading
    whole = nutpie_chains.start_run
    def started(*arguments, **named):
        run = whole(*arguments, **named)
        threading.Timer(float(moment), kill).start()
        return run
    nutpie_chains.start_run = started
table = ls.datasets.open_llm_leaderboard()
scores = table.select(models=table.models[:12], benchmarks=["mmlu", "arc"])
tune, draws = (40, 40) if moment in place else (2000, 1_000_000)
method = ls.NUTS(draws=draws, tune=tune, chains=2, cores=2, store=path)
ls.fit(ls.load_spec("pooled_flops"), scores, method=method, seed=1, progress=False)
"""

KILLED = ["scores.nc", "fit.json", "run", "run.json", "gathering", "removal"]
KILLED += ["0.001", "0.005", "0.01", "0.02", "0.05", "0.2", "1.0"]


@pytest.mark.slow
@pytest.mark.parametrize("moment", KILLED)
def test_a_kill_at_any_moment_leaves_what_loads_or_can_be_begun_again(tmp_path, moment) -> None:
    folder = tmp_path / "draws"
    command = [sys.executable, "-W", "ignore", "-c", MOMENTS, str(folder), moment]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == -signal.SIGKILL, done.stderr
    try:
        assert ls.load(folder).posterior.sizes["draw"] > 0
        said = "resume"
    except ls.FitError as error:
        said = str(error)
    table = ls.datasets.open_llm_leaderboard()
    scores = table.select(models=table.models[:12], benchmarks=["mmlu", "arc"])
    method = ls.NUTS(draws=40, tune=40, chains=2, cores=2, store=folder)
    if "resume" in said:
        with pytest.raises(ls.FitError, match="resume"):
            ls.fit(ls.load_spec("pooled_flops"), scores, method=method, progress=False)
        held = [c.length for c in stream.read_chains(folder, ["intercept"]).values()]
        more = max([*held, 0]) + 40
        fit = ls.resume(folder, draws=more, progress=False)
    else:
        assert "Begin it" in said
        with pytest.raises(ls.FitError, match="Begin it"):
            ls.resume(folder)
        more, fit = 40, ls.fit(ls.load_spec("pooled_flops"), scores, method=method, progress=False)
    assert fit.posterior.sizes["draw"] == more and fit.posterior.sizes["chain"] == 2


SMALL_DISK = """
import resource, signal, sys
import latentscale as ls
table = ls.datasets.open_llm_leaderboard()
scores = table.select(models=table.models[:12], benchmarks=["mmlu", "arc"])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from latentscale.inference.nuts import chains as nutpie_chains
whole = nutpie_chains.start_run
def limited(*arguments, **named):
    run = whole(*arguments, **named)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    return run
nutpie_chains.start_run = limited
method = ls.NUTS(draws=200, tune=60, chains=2, cores=2, store=sys.argv[1])
try:
    ls.fit(ls.load_spec("pooled_flops"), scores, method=method, seed=1, progress=False)
except ls.FitError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes are Linux's")
def test_a_disk_that_takes_no_more_draws_says_how_to_go_on(tmp_path) -> None:
    folder = tmp_path / "draws"
    command = [sys.executable, "-W", "ignore", "-c", SMALL_DISK, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    assert f"Sampling to {folder} was stopped" in done.stdout
    assert f'latentscale.resume("{folder}")' in done.stdout
    assert ls.resume(folder, draws=20, progress=False).posterior.sizes["draw"] >= 20


def kill_at_random(folder: Path, log: Path) -> list[list[float]]:
    """Start a sampler in a separate process, and kill it; return what it had reported."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), str(log)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        until = time.time() + 240
        while not any(done > 300 for _, done in reports_in(log)):
            assert child.poll() is None and time.time() < until, child.stderr
            time.sleep(0.05)
        time.sleep(random.uniform(0.0, 1.5))
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    return [*reports_in(log), [time.time(), -1]]


def reports_in(log: Path) -> list[list[float]]:
    """Return the times and counts that the sampler wrote, except for an incomplete line."""
    lines = log.read_text().splitlines() if log.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("]")]


def test_a_killed_sampler_loses_only_its_last_seconds(tmp_path: Path) -> None:
    folder = tmp_path / "draws"
    *reports, (killed, _) = kill_at_random(folder, tmp_path / "log")
    fit = ls.load(folder)
    assert fit.status.interrupted and fit.status.message.startswith("partial")
    assert "latentscale.resume" in fit.status.advice[-1]
    posterior = fit.posterior
    assert np.isfinite(posterior.to_array().values).all()
    assert fit.tree["sample_stats"].sizes["draw"] == posterior.sizes["draw"] > 20
    assert float(posterior["intercept"].std()) > 0
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    assert np.isfinite(ls.predict(fit, rows).draws).all()
    settled = [done for when, done in reports if when < killed - 3]
    on_disk = sum(chain.length for chain in stream.read_chains(folder, list(posterior)).values())
    assert on_disk + 2 * 60 >= (settled[-1] if settled else 0)


@pytest.fixture(scope="module")
def stored(tmp_path_factory, quick_spec, small_scores) -> tuple[Path, object]:
    """A folder that a short run wrote, and its fit."""
    folder = tmp_path_factory.mktemp("stored") / "draws"
    method = ls.NUTS(draws=40, tune=60, chains=2, cores=1, store=folder)
    fit = ls.fit(quick_spec, small_scores, method=method, seed=1, progress=False)
    return folder, fit


def test_draws_on_disk_are_those_in_memory(stored, quick_fits) -> None:
    folder, fit = stored
    xr.testing.assert_identical(fit.posterior, quick_fits(seed=1).posterior)
    for name in ("sample_stats", "log_likelihood"):
        ours, theirs = fit.tree[name].to_dataset(), quick_fits(seed=1).tree[name].to_dataset()
        xr.testing.assert_identical(ours, theirs)
    loaded = ls.load(folder)
    xr.testing.assert_identical(loaded.posterior, fit.posterior)
    assert loaded.status == fit.status and not loaded.status.interrupted
    assert loaded.provenance.settings == fit.provenance.settings


def test_two_resumes_do_not_add_the_same_draws(stored, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "draws"
    shutil.copytree(stored[0], folder)

    def second(*_: object, **__: object) -> None:
        ls.resume(folder, draws=60, progress=False)

    monkeypatch.setattr(nutpie_chains, "continue_chains", second)
    monkeypatch.setattr(resume_module, "_compiled", lambda *_: None)
    with pytest.raises(ls.FitError, match="Another sampler writes to"):
        ls.resume(folder, draws=60, progress=False)
    assert len(stream.runs(folder)) == 1


def test_a_run_that_was_resumed_says_where_it_began(stored) -> None:
    record = json.loads((stored[0] / "run-000" / "run.json").read_text())
    assert record["before"] == {"0": 0, "1": 0}


def test_resume_adds_draws_where_the_chains_stood(stored) -> None:
    folder, fit = stored
    before = stream.read_chains(folder, list(fit.posterior.data_vars))
    more = ls.resume(folder, draws=90, progress=False)
    assert more.posterior.sizes["draw"] == 90 and more.posterior.sizes["chain"] == 2
    xr.testing.assert_identical(more.posterior.isel(draw=slice(40)), fit.posterior)
    added = more.posterior.isel(draw=slice(40, None))
    assert not np.array_equal(added["intercept"][0], added["intercept"][1])
    gap = abs(added["intercept"].mean() - fit.posterior["intercept"].mean())
    assert float(gap) < float(fit.posterior["intercept"].std())
    assert all(chain.position is not None for chain in before.values())
    assert not more.status.interrupted
    xr.testing.assert_identical(ls.load(folder).posterior, more.posterior)


def test_a_folder_of_another_density_is_not_resumed(stored, tmp_path, monkeypatch) -> None:
    """As from a version with another prior; the folder itself can be continued."""
    folder = tmp_path / "draws"
    shutil.copytree(stored[0], folder)
    held = stream.read_chains(folder, list(stored[1].posterior.data_vars))
    more = max(chain.length for chain in held.values()) + 10
    compiled = nutpie_chains.compiled

    def tilted(*arguments: object) -> object:
        model = compiled(*arguments)
        for chain in held.values():
            now = model.log_density(chain.position)[0]
            assert now == pytest.approx(chain.log_density, abs=1e-6)

        def log_density(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = model.log_density(point)
            return value + 0.1 * float(point.sum()), gradient

        return dataclasses.replace(model, log_density=log_density)

    monkeypatch.setattr(nutpie_chains, "compiled", tilted)
    with pytest.raises(
        ls.FitError, match="a different model from its spec than the version that began"
    ):
        ls.resume(folder, draws=more, progress=False)
    assert len(stream.runs(folder)) == len(stream.runs(stored[0]))


def test_chains_of_a_model_with_other_parameters_are_not_resumed(quick_spec, small_scores) -> None:
    """As from versions that had parameters for each setting of a release."""
    model = build_design(quick_spec, design(quick_spec, small_scores))
    size = sum(np.size(value) for value in model.initial_point(random_seed=0).values())

    def check(*positions: np.ndarray | None) -> None:
        work = [nutpie_chains.Continuation(k, p, 1, 1, 1, 1) for k, p in enumerate(positions)]
        resume_module._refuse_other_parameters(Path("run"), model, work)

    check(np.zeros(size), None)
    with pytest.raises(ls.FitError, match=f"have {size + 1} parameters, and the model has {size}"):
        check(np.zeros(size), np.zeros(size + 1))
