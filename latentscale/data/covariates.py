"""Covariates: logs of size, tokens and compute, centred and scaled once on the fitted models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from latentscale.data.scores import Scores
from latentscale.dims import (
    BASE_COVARIATES,
    COVARIATE,
    FLOPS_PER_BILLION_TRILLION,
    MODEL,
    TOKEN_COVARIATES,
)
from latentscale.errors import DataError, SpecError, listed, nearest

_FIELDS = ("names", "mean", "scale", "lower", "upper")


@dataclass(frozen=True)
class CovariateTransform:
    """How sizes and tokens become covariates; fitted once, then used for every later row.

    Parameters
    ----------
    names
        Covariates in order: ``log_params``, ``log_tokens``, ``log_flops``, ``instruct``, and
        products such as ``log_params:log_tokens``.
    mean, scale
        Centre and standard deviation of each base covariate in use, on the natural-log scale of
        billions, trillions and FLOPs (6 x parameters x tokens); 0 and 1 for ``instruct``.
    lower, upper
        Range of each base covariate among the fitted models, on the same scale.
    """

    names: tuple[str, ...]
    mean: Mapping[str, float] = field(hash=False)
    scale: Mapping[str, float] = field(hash=False)
    lower: Mapping[str, float] = field(hash=False)
    upper: Mapping[str, float] = field(hash=False)

    @classmethod
    def fit(cls, scores: Scores, names: Sequence[str]) -> CovariateTransform:
        """Centre and scale on the models of a table that a fit can use.

        Parameters
        ----------
        scores
            Models without any score are passed over, and so are models without a token count
            when a covariate needs one.
        names
            Covariates in the order wanted.

        Returns
        -------
        CovariateTransform
            With the population standard deviation; a covariate that does not vary has scale 1.

        Raises
        ------
        SpecError
            If a covariate is unknown or named twice.
        DataError
            If no model is left to centre on.
        """
        bases = _bases(names)
        table = scores.dataset
        used = table["score"].notnull().any("benchmark").to_numpy()
        if set(bases) & set(TOKEN_COVARIATES):
            used = used & table["tokens"].notnull().to_numpy()
        if not used.any():
            raise DataError(
                "No model is left to scale the covariates on: every row lacks scores, or lacks the "
                f"token count that {listed(names)} need. Fill tokens_t, or use log_params alone."
            )
        mean, scale, lower, upper = {}, {}, {}, {}
        for base in bases:
            values = raw_covariate(table, base)[used]
            lower[base], upper[base] = float(values.min()), float(values.max())
            mean[base], scale[base] = (0.0, 1.0) if base == "instruct" else _centre(values)
        return cls(tuple(names), mean, scale, lower, upper)

    @property
    def needs_tokens(self) -> bool:
        """Whether a row without a token count has no value for some covariate."""
        return bool(set(self.mean) & set(TOKEN_COVARIATES))

    def apply(self, table: xr.Dataset) -> xr.DataArray:
        """Return the covariates of some models.

        Parameters
        ----------
        table
            Variables params (billions), tokens (trillions) and instruct over model.

        Returns
        -------
        xarray.DataArray
            Dims (model, covariate), in the order of `names`. A product is the product of its
            standardised parts. NaN where a token count is needed and unknown.
        """
        standard = {
            base: (raw_covariate(table, base) - self.mean[base]) / self.scale[base]
            for base in self.mean
        }
        values = np.empty((table.sizes[MODEL], len(self.names)))
        for column, name in enumerate(self.names):
            values[:, column] = np.prod([standard[part] for part in name.split(":")], axis=0)
        coords = {MODEL: table[MODEL].to_numpy(), COVARIATE: np.array(self.names, dtype=np.str_)}
        return xr.DataArray(values, coords=coords, dims=(MODEL, COVARIATE), name=COVARIATE)

    def extrapolates(self, table: xr.Dataset) -> pd.Series:
        """Say for each model which covariates lie outside the range of the fitted models.

        Parameters
        ----------
        table
            As for `apply`.

        Returns
        -------
        pandas.Series
            Text by model, such as ``"log_flops above the fitted range (60.1 > 58.3)"``; empty
            where every covariate lies inside, or cannot be told for want of a token count.
        """
        texts: list[list[str]] = [[] for _ in range(table.sizes[MODEL])]
        for base in self.mean:
            lower, upper = self.lower[base], self.upper[base]
            # A row that was fitted lies on the edge exactly; allow for rounding in the logs.
            slack = 1e-9 * max(1.0, abs(lower), abs(upper))
            values = raw_covariate(table, base)
            for row in np.flatnonzero(values > upper + slack).tolist():
                said = f"{base} above the fitted range ({values[row]:.4g} > {upper:.4g})"
                texts[row].append(said)
            for row in np.flatnonzero(values < lower - slack).tolist():
                said = f"{base} below the fitted range ({values[row]:.4g} < {lower:.4g})"
                texts[row].append(said)
        index = pd.Index([str(model) for model in table[MODEL].to_numpy()], name=MODEL)
        return pd.Series(["; ".join(text) for text in texts], index=index, dtype=object)

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types that `from_dict` reads back."""
        numbers = {name: dict(getattr(self, name)) for name in _FIELDS[1:]}
        return {"names": list(self.names), **numbers}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> CovariateTransform:
        """Read what `to_dict` wrote.

        Raises
        ------
        SpecError
            If fields are missing or unknown, or do not cover the covariates.
        """
        if set(data) != set(_FIELDS):
            raise SpecError(
                f"A covariate transform has the fields {listed(_FIELDS)}; got {listed(data)}."
            )
        raw_names = data["names"]
        if not isinstance(raw_names, list | tuple):
            raise SpecError(f"The names of a covariate transform are a list; got {raw_names!r}.")
        names = tuple(str(name) for name in raw_names)
        bases = _bases(names)
        numbers = {name: _numbers(name, data[name], bases) for name in _FIELDS[1:]}
        return cls(names, **numbers)


def raw_covariate(table: xr.Dataset, base: str) -> npt.NDArray[np.float64]:
    """Return a base covariate before centring, over model.

    Parameters
    ----------
    table
        Variables params (billions), tokens (trillions) and instruct over model.
    base
        One of `latentscale.dims.BASE_COVARIATES`.

    Returns
    -------
    numpy.ndarray
        Natural logs, except ``instruct`` (0 or 1); NaN where a token count is unknown.
    """
    params: npt.NDArray[np.float64] = table["params"].to_numpy().astype(float)
    if base == "instruct":
        return np.asarray(table["instruct"].to_numpy(), dtype=float)
    if base == "log_params":
        return np.log(params)
    tokens: npt.NDArray[np.float64] = table["tokens"].to_numpy().astype(float)
    if base == "log_tokens":
        return np.log(tokens)
    return np.asarray(np.log(FLOPS_PER_BILLION_TRILLION * params * tokens), dtype=float)


def _centre(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    mean, scale = float(np.mean(values)), float(np.std(values))
    # Equal sizes leave rounding noise, not always an exact zero.
    return mean, scale if scale > 1e-9 * max(1.0, abs(mean)) else 1.0


def _bases(names: Sequence[str]) -> tuple[str, ...]:
    """Check some names, and return the base covariates that they use in a fixed order."""
    if isinstance(names, str):
        raise SpecError(f'Covariates are a list of names, such as ["{names}"], not one string.')
    parts = set()
    for name in names:
        for part in name.split(":"):
            if part not in BASE_COVARIATES:
                raise SpecError(
                    f'Unknown covariate "{part}" in "{name}".{nearest(part, BASE_COVARIATES)} '
                    f"Allowed: {listed(BASE_COVARIATES)}, and products such as "
                    '"log_params:log_tokens".'
                )
            parts.add(part)
    if len(set(names)) < len(names):
        raise SpecError(f"A covariate is named twice in {listed(names)}; name each once.")
    return tuple(base for base in BASE_COVARIATES if base in parts)


def _numbers(name: str, values: object, bases: Sequence[str]) -> dict[str, float]:
    if not isinstance(values, Mapping) or set(values) != set(bases):
        raise SpecError(
            f'Field "{name}" of a covariate transform needs one number for each of '
            f"{listed(bases)}; got {values!r}."
        )
    return {base: float(values[base]) for base in bases}
