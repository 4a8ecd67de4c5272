"""The package itself, and PyMC's samplers on the package's model."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pymc as pm

import latentscale as ls
from benchmarks.speed.peers.contender import Contender, Law, PeerDraws, shared_draws
from latentscale.inference.nuts.whitening import WhitenedModel
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.model.coordinates import can_be_centred
from latentscale.model.design import design


def median_seconds(call: Callable[[np.ndarray], object], points: np.ndarray, repeats: int) -> float:
    """Return the median processor time of a call, after one call to warm up."""
    call(points[0])
    each = []
    for index in range(repeats):
        begun = time.process_time()
        call(points[index % len(points)])
        each.append(time.process_time() - begun)
    return float(np.median(each))


class Latentscale(Contender):
    """The package: `latentscale.fit` with NUTS at its defaults."""

    libraries = ("latentscale", "nutpie", "pytensor", "numba")

    def first_draw(self, seed: int) -> None:
        """Fit one draw of one chain."""
        method = ls.NUTS(draws=1, tune=1, chains=1)
        ls.fit(self.spec, self.scores, method=method, seed=seed, progress=False)

    def sample(self, draws: int, tune: int, cores: int) -> PeerDraws:
        """Fit all chains, timed by the package's own record of sampling."""
        method = ls.NUTS(draws=draws, tune=tune, chains=self.chains, cores=cores)
        fit = ls.fit(self.spec, self.scores, method=method, seed=self.seed, progress=False)
        stats = fit.tree["sample_stats"].to_dataset()
        return PeerDraws(
            shared_draws(fit.tree["posterior"].to_dataset()),
            stats["n_steps"].transpose("chain", "draw").values,
            int(stats["diverging"].sum()),
            fit.provenance.seconds["sample"],
        )

    def gradient_seconds(self, repeats: int) -> float:
        """Time the density that the sampler uses, in its own coordinates."""
        law, table = Law.of(self.spec, self.scores), design(self.spec, self.scores)
        points = self.points(law.model)
        if not can_be_centred(self.spec, table):
            return median_seconds(law.target.evaluate, points, repeats)
        whitened = WhitenedModel(self.spec, table, law.model, kept_names(law.model))
        density = whitened.density(whitened.first())
        near = 0.1 * np.random.default_rng(self.seed).standard_normal(points.shape)
        return median_seconds(density.log_density, near, repeats)

    def log_density_of(self, law: Law) -> Callable[[np.ndarray], float]:
        """Return PyMC's log density of the model, compiled by PyMC."""
        return _pymc_value(law.model)


class PyMC(Contender):
    """`pymc.sample` on the package's model, with the sampler that PyMC chooses."""

    sampler: ClassVar[str | None] = None
    libraries = ("pymc", "pytensor", "nutpie", "numba")

    def first_draw(self, seed: int) -> None:
        """Sample one draw of one chain."""
        self._run(1, 1, 1, 1, seed)

    def sample(self, draws: int, tune: int, cores: int) -> PeerDraws:
        """Sample all chains, timed by PyMC's own record of sampling."""
        trace = self._run(draws, tune, self.chains, cores, self.seed)
        stats = trace["sample_stats"].to_dataset()
        return PeerDraws(
            shared_draws(trace["posterior"].to_dataset()),
            stats["n_steps"].transpose("chain", "draw").values,
            int(stats["diverging"].sum()),
            float(trace["posterior"].attrs["sampling_time"]),
        )

    def _run(self, draws: int, tune: int, chains: int, cores: int, seed: int) -> object:
        model = ls.build(self.spec, self.scores)
        with model:
            return pm.sample(
                draws=draws,
                tune=tune,
                chains=chains,
                cores=cores,
                random_seed=seed,
                var_names=kept_names(model),
                nuts_sampler=self.sampler,
                progressbar=False,
                compute_convergence_checks=False,
                quiet=True,
            )

    def gradient_seconds(self, repeats: int) -> float:
        """Time PyMC's own compiled value and gradient."""
        model = ls.build(self.spec, self.scores)
        function = model.logp_dlogp_function(ravel_inputs=True)
        function.set_extra_values({})
        return median_seconds(function._pytensor_function, self.points(model), repeats)

    def log_density_of(self, law: Law) -> Callable[[np.ndarray], float]:
        """Return PyMC's log density of the model, compiled by PyMC."""
        return _pymc_value(law.model)


class PyMCOwn(PyMC):
    """`pymc.sample` with the sampler that PyMC has without nutpie."""

    sampler = "pymc"
    libraries = ("pymc", "pytensor", "numba")


def _pymc_value(model: pm.Model) -> Callable[[np.ndarray], float]:
    from pymc.blocking import DictToArrayBijection

    initial = model.initial_point(random_seed=0)
    layout = DictToArrayBijection.map(initial)
    compiled = model.compile_logp()

    def value(point: np.ndarray) -> float:
        return float(compiled(DictToArrayBijection.rmap(layout._replace(data=point))))

    return value
