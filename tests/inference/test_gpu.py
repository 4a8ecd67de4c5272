"""NumPyro on a GPU: the same model, on the device that JAX finds."""

from __future__ import annotations

import pytest

import latentscale as ls
from latentscale.data.scores import Scores


def test_numpyro_samples_on_a_gpu(small_scores: Scores) -> None:
    jax = pytest.importorskip("jax", reason="needs jax and numpyro: the extra jax")
    pytest.importorskip("numpyro", reason="needs numpyro: the extra jax")
    if jax.default_backend() != "gpu":
        pytest.skip(f"JAX sees no GPU here, only {jax.default_backend()}")
    method = ls.NUTS(backend="numpyro", draws=200, tune=300, chains=2)
    spec = ls.load_spec("pooled_flops")
    on_gpu = ls.fit(spec, small_scores, method=method, seed=1, progress=False)
    on_cpu = ls.fit(spec, small_scores, method=ls.NUTS(draws=200, chains=2), seed=1, progress=False)
    for name in ("intercept", "benchmark_slope"):
        ours, theirs = (fit.posterior[name].mean(("chain", "draw")) for fit in (on_gpu, on_cpu))
        spread = on_cpu.posterior[name].std(("chain", "draw"))
        # Means of 400 draws, at least 100 of them effective: five standard errors.
        assert float((abs(ours - theirs) / spread).max()) < 0.7, name
