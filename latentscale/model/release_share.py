"""What settings of one release have in common: equally correlated deviations.

With a share rho of the variance in common, the standardised deviations of a release's n settings
have correlation rho between any two. Their covariance matrix has the eigenvalue 1 - rho + n rho
along the mean and 1 - rho across it, so that its square root, and powers of that, are a multiple
of each deviation and of their mean: no further variables are needed.
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
    That along the mean of each model's release, dims (model,), 1 for models alone in theirs; and
    that of what differs between settings, dims ().
    """
    rho: Any = share
    of_model = design.release_of_model
    others = np.bincount(of_model)[of_model] - 1.0
    return 1 + rho * as_data(others, (MODEL,)), 1 - rho


def scaled(values: Named, along: Named, across: Named, design: Design) -> Named:
    """Return values of which the mean of each release is scaled, and what differs from it.

    Parameters
    ----------
    values
        Dims (model, ...).
    along, across
        Factors of the mean, and of deviations from it; any dims of `values`, the same for all
        models of a release. A model alone in its release is the mean of it.
    design
        The table.

    Returns
    -------
    Named
        Dims of `values`, and of the factors.
    """
    settings = Settings.of(design)
    averaging = (
        np.equal.outer(np.arange(len(settings.sizes)), settings.release) / settings.sizes[:, None]
    )
    own: Any = values.isel({MODEL: as_data(settings.models, (SETTING,))})
    weights: Any = as_data(averaging, (RELEASE, SETTING))
    mean = (weights * own).sum(SETTING)  # a product of matrices takes longer to compile
    places, member = _places(design, settings)
    inside: Any = as_data(member, (MODEL,))
    of_mean, of_rest, every = cast("Any", along), cast("Any", across), cast("Any", values)
    differs = inside * (of_rest - of_mean)
    return every * (of_mean + differs) - differs * mean.isel({RELEASE: as_data(places, (MODEL,))})


def log_volume(along: Named, across: Named, design: Design) -> Any:
    """Return the sum of log determinants of `scaled` over all dims of the factors but models.

    Parameters
    ----------
    along, across, design
        As for `scaled`; dims (model, ...), the same ones.

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
    """Return the mean over the models of each model's release, (model,)."""
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
    sums = np.zeros_like(values)  # by release; no more releases than models
    np.add.at(sums.swapaxes(0, 1), release, values.swapaxes(0, 1))
    rest = [1] * (values.ndim - 2)
    rho = share.reshape(-1, 1, *rest)
    count = np.bincount(release)[release].reshape(-1, *rest)
    of_others = rho / (1 + (count - 1) * rho) * sums[:, release]
    return np.asarray(np.where(count > 1, (values - of_others) / (1 - rho), values))


def _places(design: Design, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return each model's release, 0 if it is alone in its own, and which are not; (model,)."""
    places = np.zeros(len(design.scores.models), dtype=np.int64)
    member = np.zeros(len(places))
    places[settings.models] = settings.release
    member[settings.models] = 1.0
    return places, member
