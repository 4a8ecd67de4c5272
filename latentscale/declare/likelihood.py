"""Likelihood: how a measured score scatters around mu, and what each kind declares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import xarray as xr

from latentscale.declare.prior import Parameter, PriorSlot
from latentscale.declare.record import Record
from latentscale.maths import Named, maths_of, on_draws

Step = Callable[[xr.DataArray, xr.DataArray, xr.DataArray, np.random.Generator], xr.DataArray]
"""A pass of `Noise.steps`: from (what was drawn before, mean, phi, rng) to new values."""


class Likelihood(Record):
    """The distribution of a score; its fields are its settings in a spec.

    A kind is a subclass with a field ``kind``, registered by ``@LIKELIHOODS.add``. The package's
    own kinds are in ``latentscale/model/likelihoods``.

    Attributes
    ----------
    kind
        Its name in a spec.

    Examples
    --------
    >>> from latentscale.extend import LIKELIHOODS
    >>> beta = LIKELIHOODS["beta"]()
    >>> beta.kind, beta.needs_items
    ('beta', False)
    """

    kind: str
    slots: ClassVar[Mapping[str, PriorSlot]] = {}
    """Priors of the likelihood's own parameters, by the name used under ``[priors]``."""

    equation: ClassVar[str] = ""
    """The distribution of a score, in LaTeX; for the documentation."""

    needs_items: ClassVar[bool] = False
    """Whether every benchmark must state its number of items, 2 or more."""

    linearised: ClassVar[bool] = False
    """Whether the variance of a score is about mu (1 - mu) / phi, so that scores linearise.

    Required for sampling in coordinates centred by linearised scores.
    """

    normal_on_logit: ClassVar[bool] = False
    """Whether logits of scores are normal around logit mu with variance 4 / phi.

    Or Student-t with ``tail`` degrees of freedom, a mixture of normals over phi. Required for
    Gibbs sampling.
    """

    scalar: ClassVar[bool] = False
    """Whether `latentscale.inference.marginal.kernel` has its compiled scalar form."""

    def parameters(self) -> dict[str, Parameter]:
        """Return the likelihood's own parameters by name: each with its slot and its dims.

        Returns
        -------
        dict
            `Parameter` by name; empty for a likelihood without parameters of its own.

        Examples
        --------
        >>> sorted(LIKELIHOODS["student-t"]().parameters())
        ['tail']
        """
        return {}

    @abstractmethod
    def noise(self, parameters: Mapping[str, Named], n_items: xr.DataArray) -> Noise:
        """Return the noise of scores.

        Parameters
        ----------
        parameters
            The likelihood's own parameters.
        n_items
            Item counts, dims (benchmark,) or (cell,).

        Returns
        -------
        Noise
            The noise, with the parameters in it.

        Examples
        --------
        >>> beta.noise({}, xr.DataArray([100.0], dims="benchmark"))
        BetaNoise()
        """

    def unbounded(self, parameters: Mapping[str, Named]) -> Noise:
        """Return the noise of scores that are not fractions, on the linear predictor's scale.

        Normal unless a kind says otherwise.

        Parameters
        ----------
        parameters
            The likelihood's own parameters.

        Returns
        -------
        Noise
            The noise around the linear predictor.

        Examples
        --------
        >>> beta.unbounded({})
        NormalNoise()
        """
        return NormalNoise()


@dataclass(frozen=True)
class Noise(ABC):
    """Distribution of a score given mu and the precision phi; a larger phi keeps it closer to mu.

    A kind is a frozen dataclass; its fields are what a density needs in addition to mu and phi:
    arrays with named dims, or plain settings. A PyMC model uses `log_density` and `draw` directly,
    unless the kind also has the method `observe` of `Observes`. Log densities are per unit of
    score for every likelihood, so they are comparable.

    Examples
    --------
    >>> from latentscale.extend import LIKELIHOODS
    >>> noise = LIKELIHOODS["beta"]().noise({}, xr.DataArray([100.0], dims="benchmark"))
    >>> mean = xr.DataArray([0.2, 0.6], dims="model")
    >>> noise.draw(mean, xr.DataArray(50.0), np.random.default_rng(1)).dims
    ('model',)
    """

    heavy_tailed: ClassVar[bool] = False
    """Whether tails are heavier than a normal's; used only for noise on an unbounded scale."""

    @abstractmethod
    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the log density of scores inside (0, 1), by broadcasting over dims.

        Written with the functions of `latentscale.maths.maths_of`, it serves both draws and the
        PyMC model; a kind that has `observe` needs it only on draws.

        Parameters
        ----------
        score
            Scores, fractions inside (0, 1).
        mean
            Expected scores mu.
        phi
            Precision.

        Returns
        -------
        Named
            Natural logarithms, with the dims of all three.

        Examples
        --------
        >>> noise.log_density(xr.DataArray(0.5), mean, xr.DataArray(50.0)).dims
        ('model',)
        """

    @abstractmethod
    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw a new score for every element of `mean`, with its dims.

        Parameters
        ----------
        mean
            Expected scores mu.
        phi
            Precision, whose dims are among those of `mean`.
        rng
            NumPy's generator, which is moved on.

        Returns
        -------
        xarray.DataArray
            New scores, with the dims of `mean`.

        Examples
        --------
        >>> drawn = noise.draw(mean, xr.DataArray(50.0), np.random.default_rng(1))
        >>> bool(((drawn > 0) & (drawn < 1)).all())
        True
        """

    def steps(self) -> tuple[Step, ...]:
        """Return what `draw` does, as passes over all scores that follow one another.

        Each takes what the one before gave, mean, phi and a source of random numbers. Taking one
        over consecutive parts of the scores, then the next, gives the numbers of `draw`.

        Returns
        -------
        tuple of callable
            From (what was drawn before, mean, phi, rng) to new values.

        Examples
        --------
        >>> len(noise.steps())
        1
        """
        return (lambda _, mean, phi, rng: self.draw(mean, phi, rng),)

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision of scores that have a sampling error beside this noise.

        By default for a noise with variance mu (1 - mu) / (1 + phi) and a score over n items,
        binomial given the rate: the variances add to mu (1 - mu) (n + phi) / (n (1 + phi)).

        Parameters
        ----------
        phi, mean
            Precision of the noise itself, and expected scores.
        sampling
            1 / n, 0 for none (`latentscale.data.scaling.sampling_of`).

        Returns
        -------
        Named
            The precision of both together.

        Examples
        --------
        >>> float(noise.sampled(xr.DataArray(99.0), mean, xr.DataArray(0.01)).round(2))
        49.25
        """
        return phi * (1 - sampling) / (1 + phi * sampling)

    def at(self, indexers: Mapping[str, Any]) -> Self:
        """Return the noise of some cells, picked by index along dims.

        Parameters
        ----------
        indexers
            Positions by dim.

        Returns
        -------
        Noise
            Of the same kind.

        Examples
        --------
        >>> noise.at({"benchmark": [0]}) == noise
        True
        """
        return self.mapped(
            lambda array: array.isel({dim: indexers[dim] for dim in array.dims if dim in indexers})
        )

    def mapped(self, change: Callable[[Any], Any]) -> Self:
        """Return the noise with each of its arrays changed; other fields stay.

        Parameters
        ----------
        change
            From an array to an array.

        Returns
        -------
        Noise
            Of the same kind.

        Examples
        --------
        >>> noise.mapped(lambda array: array + 1) == noise  # of a noise without arrays
        True
        """
        changed: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Noise):
                changed[field.name] = value.mapped(change)
            elif hasattr(value, "dims"):
                changed[field.name] = change(value)
        return replace(self, **changed)

    def arrays(self) -> Iterator[Named]:
        """Yield its arrays, and those of noises that it is put together from.

        Returns
        -------
        Iterator
            Arrays with named dims.

        Examples
        --------
        >>> list(noise.arrays())
        []
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Noise):
                yield from value.arrays()
            elif hasattr(value, "dims"):
                yield value


@runtime_checkable
class Observes(Protocol):
    """A noise that adds its own variable to a PyMC model: PyMC's own, or a faster density."""

    def observe(self, score: np.ndarray, mean: Named, phi: Named) -> None:
        """Add the observed variable ``score`` to the open PyMC model.

        Parameters
        ----------
        score
            Observed cells, fractions inside (0, 1), shape (cell,).
        mean, phi
            mu and phi of the cells, dims (cell,).
        """


@dataclass(frozen=True)
class NormalNoise(Noise):
    """Normal with standard deviation 2 / sqrt(phi), for values on an unbounded scale.

    That is also the standard deviation of logit-normal scores on the logit scale, so that one prior
    of phi serves all.
    """

    def log_density(self, score: Named, mean: Named, phi: Named) -> Named:
        """Return the normal log density."""
        log = maths_of(phi).log
        return 0.5 * log(phi / (8 * np.pi)) - (score - mean) ** 2 * phi / 8

    def draw(self, mean: xr.DataArray, phi: xr.DataArray, rng: np.random.Generator) -> xr.DataArray:
        """Draw from the normal."""
        mu, spread = aligned(mean, phi)
        return mean.copy(data=mu + 2 * rng.standard_normal(mu.shape) / np.sqrt(spread))

    def sampled(self, phi: Named, mean: Named, sampling: Named) -> Named:
        """Return the precision where a variance `sampling` is added to 4 / phi."""
        return phi / (1 + phi * sampling / 4)


def aligned(mean: xr.DataArray, other: Named) -> tuple[np.ndarray, np.ndarray]:
    """Return both arrays with the dims of `mean`, in its order.

    Parameters
    ----------
    mean
        Expected scores.
    other
        An array whose dims are among those of `mean`.

    Returns
    -------
    tuple of numpy.ndarray
        Both arrays, of the shape of `mean`.

    Examples
    --------
    >>> mean = xr.DataArray([[0.2, 0.6]], dims=("sample", "model"))
    >>> aligned(mean, xr.DataArray([5.0, 6.0], dims="model"))[1].tolist()
    [[5.0, 6.0]]
    """
    wide, narrow = xr.broadcast(mean, on_draws(other))
    return wide.transpose(*mean.dims).values, narrow.transpose(*mean.dims).values
