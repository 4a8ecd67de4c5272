"""Estimate: the maximum of the marginal likelihood, with standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.dims import SKILL
from latentscale.inference.marginal.information import (
    COVARIANCES,
    Information,
)
from latentscale.inference.marginal.likelihood import MarginalLikelihood
from latentscale.inference.tools.regressions import PARTIAL_CORRELATION
from latentscale.model.terms.family_level import SKILL_FACTOR
from latentscale.numerics.curvature import differences
from latentscale.result import FixedTable

# Newton decrement at which the maximum is reached: 1/1000 in log likelihood, 0.04 standard errors.
_REACHED = 1e-3
# Share of a parameter's squared length along flat directions above which it is called flat.
_FLAT_SHARE = 1e-2


@dataclass(frozen=True, repr=False)
class MarginalEstimate(FixedTable):
    """The maximum marginal likelihood estimate of a spec on a table.

    Attributes
    ----------
    spec_name
        Name of the spec.
    vector, labels
        The estimate on the unconstrained scale, and the name of each entry.
    parameters
        The estimate on the natural scale, with named dims. ``intercept`` is for families with mean
        zero, as in Cai et al.; in the draws of a fit, families are centred on their own mean.
    rows
        One row per natural parameter: estimate, and standard errors ``se_observed``,
        ``se_outer_product`` and ``se_sandwich`` by the delta method; NaN if it is not identified.
    information
        Observed information and families' scores, on the unconstrained scale.
    log_likelihood
        Log likelihood at the maximum, by the finest rule.
    quadrature_error
        Difference between the rule that was maximised and the finest rule, in log likelihood.
    starts
        Log likelihood that each start reached, by the coarse rule of the search; the first start is
        from regressions.
    decrement
        Newton decrement g' J^-1 g / 2 at the maximum: the remaining gain in log likelihood.
    families, scores
        Number of independent units, and of measured scores.
    seconds
        Wall-clock seconds by stage.

    Examples
    --------
    >>> spec = fit.spec.with_(
    ...     {
    ...         "skills.count": 1,
    ...         "skills.identify.anchors": ["mmlu"],
    ...         "family": {"level": "partial"},
    ...         "benchmarks.family_effect": False,
    ...     }
    ... )
    >>> method = ls.MarginalML(starts=1, cores=1)
    >>> estimate = ls.methods.marginal_estimate(spec, fit.scores, method=method, progress=False)
    >>> estimate.bic > estimate.aic
    True
    """

    spec_name: str
    vector: np.ndarray
    labels: tuple[str, ...]
    parameters: xr.Dataset
    rows: pd.DataFrame
    information: Information
    log_likelihood: float
    quadrature_error: float
    starts: tuple[float, ...]
    decrement: float
    families: int
    scores: int
    seconds: dict[str, float]

    @property
    def headline(self) -> str:
        """The maximum, its criteria, and whether it was reached.

        Examples
        --------
        >>> estimate.headline.partition(":")[0]
        'Maximum marginal likelihood of small'
        """
        state = "" if self.converged else "; NOT a proper maximum"
        return (
            f"Maximum marginal likelihood of {self.spec_name}: log likelihood "
            f"{self.log_likelihood:.2f} with {self.n_parameters} parameters, AIC {self.aic:.1f}, "
            f"BIC {self.bic:.1f}{state}"
        )

    def brief(self) -> pd.DataFrame:
        """Return the table with the parameters' names as a column.

        Returns
        -------
        pandas.DataFrame
            One row per parameter.

        Examples
        --------
        >>> estimate.brief().columns.tolist()[0]
        'parameter'
        """
        return self.rows.rename_axis("parameter").reset_index()

    @property
    def n_parameters(self) -> int:
        """Number of free parameters P.

        Examples
        --------
        >>> estimate.n_parameters == len(estimate.table())
        True
        """
        return len(self.labels)

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 P - 2 log likelihood.

        Examples
        --------
        >>> estimate.aic == 2 * estimate.n_parameters - 2 * estimate.log_likelihood
        True
        """
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, P log F - 2 log likelihood.

        The independent units are the F families; `bic_of_scores` uses the number of scores.

        Examples
        --------
        >>> estimate.bic < estimate.bic_of_scores
        True
        """
        return float(self.n_parameters * np.log(self.families) - 2 * self.log_likelihood)

    @property
    def bic_of_scores(self) -> float:
        """Schwarz's criterion with scores as the units, P log(number of scores) - 2 log likelihood.

        Examples
        --------
        >>> estimate.bic_of_scores > estimate.bic
        True
        """
        return float(self.n_parameters * np.log(self.scores) - 2 * self.log_likelihood)

    @property
    def converged(self) -> bool:
        """Whether the gradient vanishes at a proper maximum.

        Examples
        --------
        >>> estimate.converged
        True
        """
        return self.decrement < _REACHED and not self.information.flat.shape[1]

    @property
    def flat_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that the likelihood does not identify.

        Examples
        --------
        >>> estimate.flat_parameters
        ()
        """
        return tuple(np.asarray(self.labels)[_is_flat(self.information)].tolist())

    def to_dataset(self) -> xr.Dataset:
        """Return the contents for a fit's tree: table, criteria, starts; dims (parameter, start).

        Returns
        -------
        xarray.Dataset
            Columns of the table by parameter, the log likelihood that each start reached, and the
            criteria.

        Examples
        --------
        >>> sorted(estimate.to_dataset().dims)
        ['parameter', 'start']
        """
        columns = {str(name): ("parameter", self.rows[name].to_numpy()) for name in self.rows}
        return xr.Dataset(
            {
                **columns,
                "start_log_likelihood": ("start", np.array(self.starts)),
                "log_likelihood": self.log_likelihood,
                "quadrature_error": self.quadrature_error,
                "n_parameters": self.n_parameters,
                "n_families": self.families,
                "n_scores": self.scores,
                "aic": self.aic,
                "bic": self.bic,
                "bic_of_scores": self.bic_of_scores,
            },
            coords={
                "parameter": [str(name) for name in self.rows.index],
                "start": np.arange(len(self.starts)),
            },
        )


def natural_dataset(likelihood: MarginalLikelihood, vector: np.ndarray) -> xr.Dataset:
    """Return one vector as natural parameters with named dims, and ``skill_correlation``."""
    natural = likelihood.parameters.dataset(vector, ())
    if "skill_cholesky" in natural:
        factor = natural["skill_cholesky"]
        other = factor.rename({SKILL: "other_skill"})
        natural = natural.assign(skill_correlation=(factor * other).sum(SKILL_FACTOR))
    return natural


def natural_table(
    likelihood: MarginalLikelihood, vector: np.ndarray, curvature: Information
) -> pd.DataFrame:
    """Return natural parameters with standard errors by the delta method."""
    names, estimate, jacobian = _natural_jacobian(likelihood, vector)
    columns: dict[str, np.ndarray] = {"estimate": estimate}
    flat = np.abs(jacobian[:, _is_flat(curvature)]).sum(axis=1) > 0
    for kind in COVARIANCES:
        column = "se_" + kind.replace("-", "_")
        columns[column] = np.full(len(names), np.nan)
        if kind == "outer-product" and curvature.scores.shape[0] <= curvature.scores.shape[1]:
            continue
        covariance = curvature.covariance(kind)
        errors = np.sqrt(np.maximum(np.einsum("np,pq,nq->n", jacobian, covariance, jacobian), 0))
        columns[column] = np.where(flat, np.nan, errors)
    return pd.DataFrame(columns, index=pd.Index(names, name="parameter"))


def _is_flat(curvature: Information) -> np.ndarray:
    """Return which entries of the vector are along flat directions."""
    return np.asarray(np.square(curvature.flat).sum(axis=1) > _FLAT_SHARE)


def _natural_jacobian(
    likelihood: MarginalLikelihood, vector: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, values (n,) and derivatives (n, P) of the natural parameters that vary."""
    parameters = likelihood.parameters
    labels = parameters.labels()
    places = parameters.places
    blocks = [block for block in parameters.blocks if block.name != PARTIAL_CORRELATION]
    names = [name for block in blocks for name in labels[places[block.name]]]
    rows, columns = np.tril_indices(parameters.skills, -1)
    correlated = PARTIAL_CORRELATION in places
    if correlated:
        skills = parameters.coords[SKILL]
        names += [
            f"skill_correlation[{skills[i]}, {skills[j]}]"
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]

    def natural(there: np.ndarray) -> np.ndarray:
        values = [block.natural(there[places[block.name]]) for block in blocks]
        if correlated:
            factor = parameters.natural(there)["skill_cholesky"]
            values.append((factor @ factor.T)[rows, columns])
        return np.concatenate(values)

    return names, natural(vector), differences(natural, vector, np.eye(vector.size))
