"""What settings of one release have in common: equally correlated deviations.

If a share rho of the variance is common, any two standardised deviations of a release's n settings
have correlation rho. Their covariance matrix has the eigenvalue 1 - rho + n rho along the mean and
1 - rho across it. So its square root, and powers of that, act as multiples of each deviation and of
their mean, and no further variables are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from latentscale.dims import MODEL, RELEASE, SETTING
from latentscale.maths import Named, as_data, maths_of
from latentscale.model.design import Design

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """Models of a table that share their release with others.

    Attributes
    ----------
    models
        Their indices, shape (setting,).
    release
        The release of each, shape (setting,).
    sizes
        Number of settings of each release, shape (release,).
    """

    models: np.ndarray
    release: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, design: Design) -> Settings:
        """Return a table's settings; if it has none, a release of only the first model.

        Batches of a table thus have the same graph whether or not they contain a release with
        several settings.
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
        The share rho of their variance that is common to settings of a release, dims ().
    design
        The table.

    Returns
    -------
    Named
        Values of unit variance, dims of `raw`; unchanged for models alone in their release.
    """
    along, across = variances(share, design)
    return scaled(raw, along**0.5, across**0.5, design)


def variances(share: Named, design: Design) -> tuple[Any, Any]:
    """Return the variances of standardised deviations in the eigenvectors of their covariance.

    Parameters
    ----------
    share, design
        As for `correlated`.

    Returns
    -------
    The variance along the mean of each model's release, dims (model,), 1 for models alone in
    theirs; and the variance of differences between settings, dims ().
    """
    rho: Any = share
    of_model = design.release_of_model
    others = np.bincount(of_model)[of_model] - 1.0
    return 1 + rho * as_data(others, (MODEL,)), 1 - rho


def scaled(values: Named, along: Named, across: Named, design: Design) -> Named:
    """Return values after scaling the mean of each release and the deviations from it.

    Parameters
    ----------
    values
        Dims (model, ...).
    along, across
        Factors of the mean, and of deviations from it; any dims of `values`, the same for all
        models of a release. A model alone in its release equals its mean.
    design
        The table.

    Returns
    -------
    Named
        Values with the dims of `values` and of the factors.
    """
    settings = Settings.of(design)
    averaging = (
        np.equal.outer(np.arange(len(settings.sizes)), settings.release) / settings.sizes[:, None]
    )
    own: Any = values.isel({MODEL: as_data(settings.models, (SETTING,))})
    weights: Any = as_data(averaging, (RELEASE, SETTING))
    mean = (weights * own).sum(SETTING)  # a matrix product takes longer to compile
    places, member = _places(design, settings)
    inside: Any = as_data(member, (MODEL,))
    of_mean, of_rest, every = cast("Any", along), cast("Any", across), cast("Any", values)
    differs = inside * (of_rest - of_mean)
    return every * (of_mean + differs) - differs * mean.isel({RELEASE: as_data(places, (MODEL,))})


def log_volume(along: Named, across: Named, design: Design) -> Any:
    """Return the sum of log determinants of `scaled` over all dims of the factors except models.

    Parameters
    ----------
    along, across, design
        As for `scaled`; both factors have the same dims (model, ...).

    Returns
    -------
    Named
        Dims ().
    """
    maths, of_model = maths_of(along), design.release_of_model
    once: Any = as_data(1.0 / np.bincount(of_model)[of_model], (MODEL,))
    of_mean, of_rest = cast("Any", maths.log(along)), cast("Any", maths.log(across))
    return (of_rest + once * (of_mean - of_rest)).sum()


def mean_of_releases(values: Floats, design: Design) -> Floats:
    """Return the mean over the release of each model, shape (model,)."""
    of_model = design.release_of_model
    mean: Floats = np.bincount(of_model, weights=values) / np.bincount(of_model)
    return mean[of_model]


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
    sums = np.zeros_like(values)  # by release: there are at most as many as models
    np.add.at(sums.swapaxes(0, 1), release, values.swapaxes(0, 1))
    rest = [1] * (values.ndim - 2)
    rho = share.reshape(-1, 1, *rest)
    count = np.bincount(release)[release].reshape(-1, *rest)
    of_others = rho / (1 + (count - 1) * rho) * sums[:, release]
    return np.asarray(np.where(count > 1, (values - of_others) / (1 - rho), values))


def _places(design: Design, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return each model's release, 0 if it is alone in it, and a mask of the others; (model,)."""
    places = np.zeros(len(design.scores.models), dtype=np.int64)
    member = np.zeros(len(places))
    places[settings.models] = settings.release
    member[settings.models] = 1.0
    return places, member
