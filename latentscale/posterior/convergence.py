"""Convergence: R-hat, effective sample size and energy of a set of draws."""

from __future__ import annotations

from dataclasses import dataclass

import arviz_stats as azs
import numpy as np
import pandas as pd
import xarray as xr

from latentscale.dims import CHAIN, DRAW
from latentscale.markup import counted, fitted_text, known_number

RHAT_LIMIT = 1.01
"""Largest acceptable R-hat (Vehtari et al. 2021, section 4)."""

ESS_LIMIT = 400.0
"""Smallest acceptable ESS: 100 for each of four chains (Vehtari et al. 2021, section 4)."""

EBFMI_LIMIT = 0.3
"""E-BFMI below which Stan and PyMC warn (Betancourt 2016, arXiv:1604.00695)."""

PREDICTOR = "linear_predictor"
"""Name of the linear predictors in the table of a fit with free skills."""

# Standard deviation below which a parameter counts as constant, such as a fixed loading.
_CONSTANT = 1e-12
FROZEN: float = 0.2
"""Ratio of a chain's standard deviation to the largest one, below which the chain has hardly moved.
Short chains of one posterior differed by a factor of at most 1.6; a stuck chain differed by 10."""

_REJECTED = 0.05
"""Acceptance rate below which nearly every point of a trajectory is rejected: with an average
acceptance of 0.8, it is this low in at most 0.2 / 0.95 of the transitions (Markov's inequality)."""
_STUCK: int = 10
"""Number of consecutive such transitions from which a chain counts as stuck. If they were
independent, fewer than one draw in a million would start such a run. It is a hundredth of a default
chain."""

# Fewest draws for which ArviZ computes R-hat and effective sample sizes.
_FEWEST = 4


@dataclass(frozen=True, repr=False)
class Convergence:
    """Convergence diagnostics: the worst over all parameters, and a table by parameter.

    Attributes
    ----------
    table
        Columns variable, where, rhat, ess_bulk, ess_tail; one row per scalar parameter.
    divergences
        Number of divergent transitions after warm-up.
    ebfmi
        Smallest energy Bayesian fraction of missing information over chains.
    left_out
        Variables that are not judged, because scores do not identify the rotation and level of
        free skills; linear predictors are judged instead.
    frozen
        Numbers of the chains that hardly moved: for half of their parameters, the standard
        deviation is below a fifth of the largest among chains. Their warm-up ended before it had
        found a suitable step size.
    not_finite
        Variables with NaN or infinite draws, whose diagnostics cannot be computed.
    stuck
        Chains that rejected nearly every step for ten or more consecutive transitions, each with
        the length of its longest such run. There the posterior is narrower than the step size.
    """

    table: pd.DataFrame
    divergences: int
    ebfmi: float
    left_out: tuple[str, ...] = ()
    frozen: tuple[int, ...] = ()
    not_finite: tuple[str, ...] = ()
    stuck: tuple[tuple[int, int], ...] = ()

    def __repr__(self) -> str:
        lines = [f"Convergence of {counted(len(self.table), 'number')}"]
        if len(self.table):
            lines += [f"  max R-hat    {known_number(self.max_rhat, '.3f')}"]
            lines += [f"  least ESS    {known_number(self.min_ess, '.0f')}"]
        lines += [
            f"  divergences  {self.divergences}",
            f"  least E-BFMI {known_number(self.ebfmi, '.3f')}",
        ]
        lines += [f"  chain {chain} hardly moved" for chain in self.frozen]
        lines += [f"  chain {chain} was stuck for {count} draws" for chain, count in self.stuck]
        lines += [f"  {name} has draws that are not finite" for name in self.not_finite]
        return fitted_text([*lines, "See .table, .left_out"])

    @property
    def max_rhat(self) -> float:
        """Largest R-hat; NaN if it cannot be computed (one short chain)."""
        return float(self.table["rhat"].max())

    @property
    def min_ess(self) -> float:
        """Smallest bulk or tail effective sample size."""
        return float(self.table[["ess_bulk", "ess_tail"]].min().min())

    @property
    def slowest(self) -> str:
        """The parameter with the largest R-hat, such as "precision, gsm8k".

        For free skills it also gives the largest R-hat of the linear predictors, on which forecasts
        depend.
        """
        worst = self.table.loc[self.table["rhat"].idxmax()]
        place = ", ".join(text for text in (worst["variable"], worst["where"]) if text)
        rhats = self.table.loc[self.table["variable"] == PREDICTOR, "rhat"]
        if rhats.empty or worst["variable"] == PREDICTOR:
            return place
        return f"{place}; of linear predictors at most {rhats.max():.3f}"

    def efficiency(self, draws: int) -> float:
        """Return the mean ratio of effective to actual sample size, at most 1; 1 if unknown."""
        share = float(self.table["ess_bulk"].mean()) / draws
        return min(share, 1.0) if np.isfinite(share) else 1.0


def convergence(posterior: xr.Dataset, sample_stats: xr.Dataset | None) -> Convergence:
    """Compute rank-normalised split R-hat and ESS of every scalar parameter.

    Vehtari et al. 2021, "Rank-normalization, folding, and localization: an improved R-hat".
    Parameters that are constant by construction (an anchor's fixed loading) are left out.

    Parameters
    ----------
    posterior
        Draws, dims (chain, draw, ...).
    sample_stats
        Sampler statistics with ``diverging``, ``energy`` and ``acceptance_rate``, or None.

    Returns
    -------
    Convergence
        Diagnostics of every scalar parameter that varies, and the worst of them.

    Examples
    --------
    >>> convergence(pooled.posterior, None).table.columns.tolist()
    ['variable', 'where', 'rhat', 'ess_bulk', 'ess_tail']
    """
    rows = []
    for name in posterior.data_vars:
        draws = posterior[name].transpose(CHAIN, DRAW, ...)
        rows.append(_figures(str(name), draws))
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    divergences, ebfmi = 0, float("nan")
    if sample_stats is not None and "diverging" in sample_stats:
        divergences = int(sample_stats["diverging"].sum())
    if sample_stats is not None and "energy" in sample_stats:
        ebfmi = _ebfmi(sample_stats["energy"])
    odd = [str(name) for name, v in posterior.items() if not np.isfinite(v.values).all()]
    return Convergence(
        table,
        divergences,
        ebfmi,
        frozen=_frozen(posterior),
        not_finite=tuple(odd),
        stuck=_stuck(posterior[CHAIN].values, sample_stats),
    )


def _stuck(chains: np.ndarray, sample_stats: xr.Dataset | None) -> tuple[tuple[int, int], ...]:
    """Return the chains that were stuck, each with its longest run of rejected transitions."""
    if sample_stats is None or "acceptance_rate" not in sample_stats:
        return ()
    rates = sample_stats["acceptance_rate"].transpose(CHAIN, DRAW)
    runs = []
    for chain, rejected in zip(chains, rates.values < _REJECTED, strict=True):
        moved = np.flatnonzero(~np.concatenate([[False], rejected, [False]]))
        runs.append((int(chain), int(np.diff(moved).max()) - 1))
    return tuple((chain, count) for chain, count in runs if count >= _STUCK)


def _frozen(posterior: xr.Dataset) -> tuple[int, ...]:
    """Return the chains whose standard deviations are far below those of the most mobile chain."""
    if posterior.sizes[CHAIN] < 2 or posterior.sizes[DRAW] < _FEWEST:
        return ()
    spreads = [
        draws.where(np.isfinite(draws))
        .std(DRAW)
        .transpose(CHAIN, ...)
        .values.reshape(posterior.sizes[CHAIN], -1)
        for draws in posterior.data_vars.values()
    ]
    spread = np.concatenate(spreads, axis=1)
    widest = spread.max(axis=0)
    moving = widest > _CONSTANT
    if not moving.any():
        return ()
    share = np.median(spread[:, moving] / widest[moving], axis=1)
    return tuple(int(chain) for chain in posterior[CHAIN].values[share < FROZEN])


def _figures(name: str, draws: xr.DataArray) -> pd.DataFrame:
    rest = [str(dim) for dim in draws.dims if dim not in (CHAIN, DRAW)]
    flat = draws.stack(cell=rest) if rest else draws.expand_dims("cell", axis=-1)
    flat = flat.where(np.isfinite(flat))  # R-hat and ESS need finite draws
    varies = (flat.std((CHAIN, DRAW)) > _CONSTANT).values
    values = flat.transpose("cell", CHAIN, DRAW).values[varies]
    where = _varying_labels(draws, rest, varies)
    sample = xr.Dataset({"x": (("cell", CHAIN, DRAW), values)})
    if not len(values) or draws.sizes[DRAW] < _FEWEST:
        empty = np.full(len(values), np.nan)
        figures = {"rhat": empty, "ess_bulk": empty, "ess_tail": empty}
    else:
        figures = {
            "rhat": azs.rhat(sample)["x"].values,
            "ess_bulk": azs.ess(sample, method="bulk")["x"].values,
            "ess_tail": azs.ess(sample, method="tail")["x"].values,
        }
    return pd.DataFrame({"variable": name, "where": where, **figures})


def _varying_labels(draws: xr.DataArray, rest: list[str], varies: np.ndarray) -> list[str]:
    if not rest:
        return [""] if varies.all() else []
    index = pd.MultiIndex.from_product([draws[dim].values for dim in rest])
    labels = [", ".join(str(label) for label in place) for place in index]
    return [label for label, keep in zip(labels, varies, strict=True) if keep]


def _ebfmi(energy: xr.DataArray) -> float:
    if energy.sizes[DRAW] < _FEWEST:
        return float("nan")
    return float(azs.bfmi(energy.to_dataset(name="energy"))["energy"].min())
