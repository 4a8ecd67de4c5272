"""The laws on NumPyro: NUTS on JAX, double precision, chains in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import numpyro
import xarray as xr
from jax.flatten_util import ravel_pytree
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import initialize_model, potential_energy, unconstrain_fn

import latentscale as ls
from benchmarks.speed.peers.contender import Contender, Law, PeerDraws, shared_draws
from benchmarks.speed.peers.law_data import law_data
from benchmarks.speed.peers.numpyro_laws import numpyro_law
from benchmarks.speed.peers.pymc_contenders import median_seconds


class NumPyro(Contender):
    """A law written in NumPyro."""

    libraries = ("numpyro", "jax")

    def __init__(self, spec: ls.ModelSpec, scores: ls.Scores, seed: int, chains: int) -> None:
        super().__init__(spec, scores, seed, chains)
        numpyro.set_host_device_count(chains)
        numpyro.enable_x64()
        self.law = numpyro_law(law_data(spec, scores))
        self._compiling = 0.0

    def first_draw(self, seed: int) -> None:
        """Sample one draw of one chain."""
        self._run(1, 1, 1, seed)

    def sample(self, draws: int, tune: int, cores: int) -> PeerDraws:
        """Sample all chains at once; the compilation time that JAX records is subtracted."""
        jax.monitoring.register_event_duration_secs_listener(self._count)
        begun = time.perf_counter()
        mcmc = self._run(draws, tune, self.chains, self.seed)
        seconds = time.perf_counter() - begun - self._compiling
        samples = mcmc.get_samples(group_by_chain=True)
        extra = mcmc.get_extra_fields(group_by_chain=True)
        posterior = xr.Dataset({name: _named(name, value) for name, value in samples.items()})
        return PeerDraws(
            shared_draws(posterior),
            np.asarray(extra["num_steps"]),
            int(extra["diverging"].sum()),
            seconds,
        )

    def _run(self, draws: int, tune: int, chains: int, seed: int) -> MCMC:
        mcmc = MCMC(
            NUTS(self.law),
            num_warmup=tune,
            num_samples=draws,
            num_chains=chains,
            chain_method="parallel",
            progress_bar=False,
        )
        mcmc.run(jax.random.PRNGKey(seed), extra_fields=("num_steps", "diverging"))
        jax.block_until_ready(mcmc.get_samples())
        return mcmc

    def _count(self, event: str, seconds: float, **_: Any) -> None:
        if event.endswith(("backend_compile_duration", "jaxpr_to_mlir_module_duration")):
            self._compiling += seconds

    def gradient_seconds(self, repeats: int) -> float:
        """Time the potential with its gradient, compiled by JAX."""
        info = initialize_model(jax.random.PRNGKey(self.seed), self.law)
        evaluate = jax.jit(jax.value_and_grad(info.potential_fn))
        start, shape = ravel_pytree(info.param_info.z)
        rng = np.random.default_rng(self.seed)
        flat = [0.1 * rng.standard_normal(len(start)) for _ in range(4)]
        points = [jax.device_put(shape(point)) for point in flat]
        return median_seconds(lambda z: jax.block_until_ready(evaluate(z)), points, repeats)

    def log_density_of(self, law: Law) -> Callable[[np.ndarray], float]:
        """Return NumPyro's log density on its own unconstrained scale."""

        def value(point: np.ndarray) -> float:
            there = unconstrain_fn(self.law, (), {}, law.natural(point))
            return -float(potential_energy(self.law, (), {}, there))

        return value


def _named(name: str, value: Any) -> tuple[tuple[str, ...], np.ndarray]:
    array = np.asarray(value)
    return ("chain", "draw", *[f"{name}_{axis}" for axis in range(array.ndim - 2)]), array
