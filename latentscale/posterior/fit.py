"""Fit: a spec, the rows it used, its draws and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import xarray as xr

from latentscale.data.covariates import CovariateTransform
from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    ALIGNMENT,
    BENCHMARK,
    CHAIN,
    DRAW,
    OPENED,
    POSTERIOR,
    SAMPLE_STATS,
    SKILL,
)
from latentscale.markup import bullets, counted, facts_table, fitted_text
from latentscale.model.design import Design, design
from latentscale.model.evaluate import Evaluator
from latentscale.model.open_ceilings import IS_OPEN, estimated_ceilings
from latentscale.posterior.chains import fit_of_chains
from latentscale.posterior.convergence import Convergence
from latentscale.posterior.identified import convergence_of
from latentscale.posterior.pairing import joined_chains
from latentscale.posterior.provenance import FAMILIES_CENTRED, Provenance
from latentscale.posterior.saving import save_fit
from latentscale.posterior.status import Status


@dataclass(frozen=True, eq=False)
class Fit:
    """The result of every inference method.

    Attributes
    ----------
    spec
        The model that was fitted.
    scores
        The rows of the table that were used.
    tree
        DataTree with ArviZ's groups: posterior, sample_stats, log_likelihood, log_prior,
        observed_data, constant_data, and opened where ceilings were opened in a share of the
        draws; dims chain, draw, model, benchmark, skill, family, lineage, covariate.
    status
        Whether the fit converged, and what to do if it did not.
    transform
        The covariate transform, fitted on `scores`.
    provenance
        Method, settings, seed, seconds and versions.

    Examples
    --------
    >>> fit.samples.sizes["sample"], fit.status.converged
    (800, False)
    >>> path = fit.save("small.nc")
    >>> ls.load(path).spec == fit.spec
    True
    """

    spec: ModelSpec
    scores: Scores
    tree: xr.DataTree
    status: Status
    transform: CovariateTransform
    provenance: Provenance

    @property
    def is_posterior(self) -> bool:
        """Whether the draws describe uncertainty; False for a point estimate.

        Examples
        --------
        >>> fit.is_posterior
        True
        """
        return self.status.is_posterior

    @property
    def posterior(self) -> xr.Dataset:
        """Posterior draws of the parameters as sampled, dims (chain, draw, ...).

        Examples
        --------
        >>> fit.posterior["loading"].dims
        ('chain', 'draw', 'benchmark', 'skill')
        """
        return self.tree[POSTERIOR].to_dataset()

    @property
    def samples(self) -> xr.Dataset:
        """Draws with chains joined, dims (sample, ...), sample counted from 0.

        The coordinates sample, chain and draw identify each draw, also after selection and
        resampling. Where ceilings were opened in a share of the draws
        (``spec.benchmarks.ceiling_open``), ``open_ceiling`` is 1 in these draws and their curves
        are the ones that forecasts use; `posterior` keeps the curves as sampled.

        Examples
        --------
        >>> fit.samples["loading"].sizes["sample"], int(fit.samples["chain"][-1])
        (800, 1)
        """
        return self._samples

    @property
    def design(self) -> Design:
        """The constants of the fitted model, computed once from `scores`.

        Examples
        --------
        >>> fit.design.scores.n_observed == fit.scores.n_observed
        True
        """
        return self._design

    @property
    def evaluator(self) -> Evaluator:
        """Computes skills, linear predictors, expected scores and precisions from draws and rows.

        Examples
        --------
        >>> rows = fit.scores.dataset.isel(model=[0])
        >>> fit.evaluator.at(fit.samples, rows, residuals="fitted").mean.dims
        ('benchmark', 'sample', 'model')
        """
        return self._evaluator

    # Cached here and not in the public properties: ``?`` shows the value of a cached property.
    @cached_property
    def _samples(self) -> xr.Dataset:
        if OPENED not in self.tree:
            return joined_chains(self.posterior)
        opened = self.tree[OPENED].to_dataset()
        return joined_chains(self.posterior.assign(opened.data_vars))

    @cached_property
    def _design(self) -> Design:
        made = design(self.spec, self.scores, transform=self.transform)
        if not self.provenance.settings.get(FAMILIES_CENTRED, True):
            made = replace(made, centred=False)
        skills = self.posterior.coords.get(SKILL)
        if not made.anchors or skills is None:
            return made
        # Anchors come from the draws: an earlier version may have chosen others for this table.
        return replace(made, anchors=tuple(str(name) for name in skills.values))

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator.of(self.spec, self.transform, self.scores.dataset)

    @cached_property
    def _convergence(self) -> Convergence:
        stats = self.tree[SAMPLE_STATS].to_dataset() if SAMPLE_STATS in self.tree else None
        aligned = ALIGNMENT in self.tree
        return convergence_of(self.spec, self.design, self.posterior, stats, aligned=aligned)

    def convergence(self) -> Convergence:
        """Return R-hat, ESS, divergences and energy of the draws.

        Free skills that are not aligned can rotate, so linear predictors are judged in place of
        loadings and skills.

        Returns
        -------
        Convergence
            Diagnostics of every parameter, and the worst of them: ``max_rhat``, ``min_ess``,
            ``divergences`` and ``ebfmi``.

        Examples
        --------
        >>> fit.convergence().divergences
        0
        """
        figures = self._convergence
        return replace(figures, table=figures.table.copy())

    def with_chains(self, chains: Iterable[int]) -> Fit:
        """Return the fit with only some of its chains, and judge their convergence again.

        Use it when chains are in separate modes (`latentscale.diagnose` says which). Intervals of
        the result ignore the other chains, and the probability of each mode is not estimated. The
        provenance records the choice as ``chains_kept``.

        Parameters
        ----------
        chains
            Numbers of the chains to keep, as in ``fit.posterior["chain"]``.

        Returns
        -------
        Fit
            A new fit of the same spec and scores; this one is unchanged.

        Raises
        ------
        FitError
            If a chain is not in the fit, or the method does not draw chains.

        Examples
        --------
        >>> fit.with_chains([0]).posterior.sizes["chain"]
        1
        """
        return fit_of_chains(self, chains)

    def save(self, path: str | Path) -> Path:
        """Write the fit to one NetCDF file; `latentscale.load` reads it back.

        The file holds the draws, the spec, the scores with their audit, the covariate transform,
        versions and a hash of the contents. Nothing is pickled. Attributes of the tree are stored
        as JSON: numbers, strings, lists and mappings unchanged, anything else as text.

        Parameters
        ----------
        path
            The file to write, ``~`` expanded; its folder must exist. An existing file is replaced
            only once the new one is complete, so an interrupted save or a full disk leaves the old
            one.

        Returns
        -------
        pathlib.Path
            The path written.

        Raises
        ------
        FitError
            If the path cannot be written to, the disk is full, or the tree holds something that a
            NetCDF file cannot store. The fit in memory is unchanged.

        Examples
        --------
        >>> ls.load(fit.save("example.nc")).provenance.seed == fit.provenance.seed
        True
        """
        return save_fit(self, path)

    def __repr__(self) -> str:
        return fitted_text([f"{name}: {value}" for name, value in self._facts().items()])

    def _repr_html_(self) -> str:
        advice = list(self.status.advice)
        return facts_table("", self._facts()) + bullets(advice)

    def _priors(self) -> str:
        """Say which priors were given and which are defaults."""
        defaults = list(self.spec.default_priors())
        given = [name for name in self.spec.used_priors() if name not in defaults]
        parts = [f"given {', '.join(given)}"] if given else []
        parts += [f"default {', '.join(defaults)}"] if defaults else []
        return f"{'; '.join(parts)} (.spec.priors_table())"

    def _open_ceilings(self) -> str:
        """Say in how many draws ceilings were opened, and how many curves are as sampled."""
        opened = self.tree[OPENED][IS_OPEN]
        draws = opened.any(BENCHMARK)
        curves = int(draws.sum()) * len(estimated_ceilings(self.spec, self.design)) - int(
            opened.sum()
        )
        kept = f"; {curves} curves did not converge and are as sampled" if curves > 0 else ""
        return f"{int(draws.sum())} of {draws.size} draws{kept}"

    def _facts(self) -> dict[str, str]:
        sizes = self.posterior.sizes
        seconds = ", ".join(f"{k} {v:.0f} s" for k, v in self.provenance.seconds.items())
        return {
            "Fit of": f"{self.spec.name} ({self.spec.digest})",
            "data": f"{len(self.scores.models)} models, {len(self.scores.benchmarks)} benchmarks, "
            f"{self.scores.n_observed} scores",
            "method": f"{self.provenance.method}, seed {self.provenance.seed}, {seconds}",
            "draws": f"{counted(sizes.get(CHAIN, 0), 'chain')} x "
            f"{counted(sizes.get(DRAW, 0), 'draw')}",
            **({"open ceilings": self._open_ceilings()} if OPENED in self.tree else {}),
            "priors": self._priors(),
            "status": self.status.message,
            **({"good for": self.status.good_for} if self.status.good_for else {}),
        }
