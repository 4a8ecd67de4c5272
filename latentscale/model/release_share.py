"""What settings of one release have in common: equally correlated deviations.

With a share rho of the variance in common, the standardised deviations of a release's n settings
have correlation rho between any two. Their covariance matrix has the eigenvalue 1 - rho + n rho
along the mean and 1 - rho across it, so that its square root, and powers of that, are a multiple
of each deviation and of their mean: no further variables are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from latentscale.dims import MODEL, RELEASE, SETTING
from latentscale.maths import Named, as_data, maths_of
from latentscale.model.design import Design

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """Models of a table that are one release with others.

    Attributes
    ----------
    models
        Their places, shape (setting,).
    release
        Which release each is of, shape (setting,).
    sizes
        How many settings each release has, shape (release,).
    """

    models: np.ndarray
    release: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, design: Design) -> Settings:
        """Return those of a table; of one without any, a release of the first model alone.

        So batches of a table have one graph whether or not a release of several is among them.
        """
        of_model = design.release_of_model
        several = np.bincount(of_model)[of_model] > 1
        if not several.any():
            several = np.arange(len(of_model)) == 0
        _, release = np.unique(of_model[several], return_inverse=True)
        return cls(np.flatnonzero(several), release, np.bincount(release))


def correlated(raw: Named, share: Named, design: Design) -> Named:
    """Return equally correlated deviations within releases from independent ones.

    Parameters
    ----------
    raw
        Independent values of unit variance, dims (model, ...).
    share
        The share rho of their variance that settings of a release have in common, dims ().
    design
        The table.

    Returns
    -------
    Named
        Values of unit variance, dims of `raw`: those of models alone in their release as they
        were.
    """
    return _powered(raw, share, design, 0.5)


def independent(deviations: Named, share: Named, design: Design) -> Named:
    """Undo `correlated`."""
    return _powered(deviations, share, design, -0.5)


def log_determinant(share: Named, design: Design) -> Named:
    """Return the log determinant of `correlated` for one value a model, dims ()."""
    sizes: Any = as_data(Settings.of(design).sizes.astype(float), (RELEASE,))
    across, along = _eigenvalues(share, sizes)
    maths = maths_of(share)
    total: Any = (sizes - 1) * maths.log(across) + maths.log(along)
    return 0.5 * total.sum(RELEASE)


def times_inverse_correlation(
    values: Floats, share: Floats, release: npt.NDArray[np.int64]
) -> Floats:
    """Return the inverse correlation matrix of releases times values, on draws.

    Parameters
    ----------
    values
        Values by model, (sample, model, ...).
    share
        The correlation within releases, (sample,).
    release
        The release of each model, (model,).

    Returns
    -------
    numpy.ndarray
        Shape of `values`.
    """
    sums = np.zeros_like(values)  # by release; no more releases than models
    np.add.at(sums.swapaxes(0, 1), release, values.swapaxes(0, 1))
    rest = [1] * (values.ndim - 2)
    rho = share.reshape(-1, 1, *rest)
    count = np.bincount(release)[release].reshape(-1, *rest)
    of_others = rho / (1 + (count - 1) * rho) * sums[:, release]
    return np.asarray(np.where(count > 1, (values - of_others) / (1 - rho), values))


def _powered(values: Named, share: Named, design: Design, power: float) -> Named:
    """Return the covariance matrix of releases to a power, times values; dims (model, ...)."""
    settings = Settings.of(design)
    sizes: Any = as_data(settings.sizes.astype(float), (RELEASE,))
    across, along = (value**power for value in _eigenvalues(share, sizes))
    averaging = (
        np.equal.outer(np.arange(len(settings.sizes)), settings.release) / settings.sizes[:, None]
    )
    own: Any = values.isel({MODEL: as_data(settings.models, (SETTING,))})
    weights: Any = as_data(averaging, (RELEASE, SETTING))
    mean = (weights * own).sum(SETTING)  # a product of matrices takes longer to compile
    places, member = _places(design, settings)
    of_mean = ((along - across) * mean).isel({RELEASE: as_data(places, (MODEL,))})
    inside: Any = as_data(member, (MODEL,))
    return values * (1 + inside * (across - 1)) + inside * of_mean


def _eigenvalues(share: Any, sizes: Any) -> tuple[Any, Any]:
    """Return the covariance matrix's eigenvalues across the mean, and along it (release,)."""
    return 1 - share, 1 + share * (sizes - 1)


def _places(design: Design, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return each model's release, 0 if it is alone in its own, and which are not; (model,)."""
    places = np.zeros(len(design.scores.models), dtype=np.int64)
    member = np.zeros(len(places))
    places[settings.models] = settings.release
    member[settings.models] = 1.0
    return places, member
