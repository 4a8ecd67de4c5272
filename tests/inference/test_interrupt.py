"""Ctrl-C while sampling keeps the draws so far, reports it, and gives a usable fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, os, signal, sys
import numpy as np
import latentscale as ls
from latentscale.inference.nuts import chains as nutpie_chains
import pymc as pm

backend, folder = sys.argv[1:]
sent = set()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

def interrupt(chain=0):
    if chain not in sent:
        sent.add(chain)
        os.kill(os.getpid(), signal.SIGINT)

if backend == "nutpie":
    draws = 2_000_000
    class WatchfulProgress(nutpie_chains.WorkProgress):
        def update(self, done, note=""):
            super().update(done, note)
            if done > 2 * (50 + 2000):  # by then the main thread waits for the chains
                interrupt()
    nutpie_chains.WorkProgress = WatchfulProgress
else:
    draws = 20_000
    plain = pm.sample
    def watched(**named):
        def after(trace, draw):
            if not draw.tuning and draw.draw_idx > 110:
                interrupt(draw.chain)  # one after the other, and each has to be stopped
        return plain(callback=after, **named)
    pm.sample = watched

table = ls.datasets.open_llm_leaderboard()
scores = table.select(models=table.models[:12], benchmarks=["mmlu", "arc"])
cores = 2 if backend == "nutpie" else 1
method = ls.NUTS(draws=draws, tune=50, chains=2, cores=cores, backend=backend)
fit = ls.fit(ls.load_spec("pooled_flops"), scores, method=method, seed=1, progress=False)
back = ls.load(fit.save(folder + "/fit.nc"))
rows = scores.to_frame().drop(columns=["mmlu", "arc"])
forecast = ls.predict(back, rows)
print(json.dumps({
    "interrupted": fit.status.interrupted, "message": fit.status.message,
    "advice": list(fit.status.advice), "sizes": dict(fit.posterior.sizes),
    "finite": bool(np.isfinite(fit.posterior.to_array().values).all()),
    "stats": dict(fit.tree["sample_stats"].sizes), "loaded": back.status.interrupted,
    "forecast": bool(np.isfinite(forecast.draws.values).all()),
    "moving": float(fit.posterior["intercept"].std()),
}))
"""


def run(backend: str, folder: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, backend, str(folder)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def check(outcome: dict, asked: int) -> None:
    assert outcome["interrupted"] and outcome["loaded"]
    assert "interrupted" in outcome["message"]
    assert any("stopped early" in line for line in outcome["advice"])
    assert 1 <= outcome["sizes"]["draw"] < asked
    assert outcome["sizes"]["chain"] >= 1
    assert outcome["stats"]["draw"] == outcome["sizes"]["draw"]
    assert outcome["stats"]["chain"] == outcome["sizes"]["chain"]
    assert outcome["finite"] and outcome["forecast"] and outcome["moving"] > 0


def test_ctrl_c_with_nutpie_keeps_the_draws_so_far(tmp_path: Path) -> None:
    check(run("nutpie", tmp_path), 2_000_000)


@pytest.mark.slow
def test_ctrl_c_with_pymcs_sampler_keeps_the_draws_so_far(tmp_path: Path) -> None:
    check(run("pymc", tmp_path), 20_000)
