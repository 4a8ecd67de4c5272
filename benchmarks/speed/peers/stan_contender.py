"""The laws on Stan through PyStan: NUTS, one process per chain."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.speed.peers.contender import SHARED, Contender, Law, PeerDraws
from benchmarks.speed.peers.law_data import law_data
from benchmarks.speed.peers.natural import for_stan
from benchmarks.speed.peers.stan_laws import SERVICES, load_pystan, stan_data, stan_program


class Stan(Contender):
    """A law written in Stan."""

    libraries = ("pystan", "httpstan")

    def first_draw(self, seed: int) -> None:
        """Compile and sample one draw of one chain."""
        self._model(seed).sample(num_chains=1, num_warmup=1, num_samples=1)

    def sample(self, draws: int, tune: int, cores: int) -> PeerDraws:
        """Sample all chains, as many at once as the machine has cores."""
        model = self._model(self.seed)
        begun = time.perf_counter()
        fit = model.sample(num_chains=self.chains, num_warmup=tune, num_samples=draws)
        seconds = time.perf_counter() - begun
        names = [name for name in SHARED if name in fit.param_names]
        return PeerDraws(
            xr.Dataset({name: self._named(name, fit[name]) for name in names}),
            self._by_chain(fit["n_leapfrog__"])[..., 0],
            int(fit["divergent__"].sum()),
            seconds,
        )

    def gradient_seconds(self, repeats: int) -> float:
        """Return the time of a leapfrog step in one chain: PyStan gives no bare gradient.

        The chain is short and includes warm-up, whose first trees have hundreds of steps each.
        """
        model = self._model(self.seed + 1)
        begun = time.perf_counter()
        model.sample(num_chains=1, num_warmup=1, num_samples=1)
        idle = time.perf_counter() - begun
        model = self._model(self.seed + 2)
        begun = time.perf_counter()
        fit = model.sample(
            num_chains=1, num_warmup=max(20, repeats // 100), num_samples=5, save_warmup=True
        )
        return (time.perf_counter() - begun - idle) / float(fit["n_leapfrog__"].sum())

    def log_density_of(self, law: Law) -> Callable[[np.ndarray], float]:
        """Return Stan's log density on its own unconstrained scale."""
        model = self._model(self.seed)

        def value(point: np.ndarray) -> float:
            there = model.unconstrain_pars(for_stan(law.natural(point)))
            return float(model.log_prob(there, adjust_transform=True))

        return value

    def _model(self, seed: int) -> Any:
        data = law_data(self.spec, self.scores)
        stan = load_pystan(Path(os.environ[SERVICES]))
        return stan.build(stan_program(data), data=stan_data(data), random_seed=seed)

    def _by_chain(self, values: np.ndarray) -> np.ndarray:
        """Return draws as (chain, draw, ...); PyStan puts them last, chains fastest."""
        moved = np.moveaxis(values, -1, 0)
        split = moved.reshape(-1, self.chains, *moved.shape[1:])
        return np.moveaxis(split, 1, 0)

    def _named(self, name: str, values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        array = self._by_chain(values)
        return ("chain", "draw", *[f"{name}_{axis}" for axis in range(array.ndim - 2)]), array
