"""Rotations of loadings to simple structure.

With loadings A (benchmark, skill) of uncorrelated skills of unit variance, a rotation is a
matrix M: loadings become A M, skills inverse(M) theta. Oblique rotations let skills correlate and
keep their unit variance.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from inspect import isabstract
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize

from latentscale.errors import SpecError
from latentscale.validate import is_number, plain_fields, truth

_STARTS = 12
"""Random starts: criteria have local optima, and several of twelve starts reach the best one."""
_SEED = 20512
"""Fixed, so that rotations are reproducible; any number would do."""
_SINGULAR = 1e-6
"""Determinant of unit axes below which two axes nearly coincide."""
_OFF_LIMITS = 1e6
"""Value of a criterion in that case, larger than any value for loadings of order 1."""


@dataclass(frozen=True)
class Rotation(ABC):
    """A way to rotate loadings; its fields are its settings.

    Examples
    --------
    >>> issubclass(ls.rotations.Varimax, ls.rotations.Rotation)
    True
    """

    @abstractmethod
    def matrix(self, loading: np.ndarray) -> np.ndarray:
        """Return the matrix M that rotates loadings A to A M.

        Parameters
        ----------
        loading
            Loadings A of uncorrelated skills of unit variance, shape (benchmark, skill).

        Returns
        -------
        numpy.ndarray
            M, shape (skill, skill).

        Examples
        --------
        >>> loadings = np.array([[0.9, 0.3], [0.8, 0.2], [0.2, 0.7]])
        >>> axes = ls.rotations.Varimax().matrix(loadings)
        >>> bool(np.allclose(axes @ axes.T, np.eye(2)))
        True
        """


@dataclass(frozen=True)
class PrincipalAxes(Rotation):
    """Orthogonal: skill 1 explains as much variance as possible, skill 2 of the rest, and so on.

    Examples
    --------
    >>> loadings = np.array([[0.9, 0.3], [0.8, 0.2], [0.2, 0.7]])
    >>> ls.rotations.PrincipalAxes().matrix(loadings).shape
    (2, 2)
    """

    def matrix(self, loading: np.ndarray) -> np.ndarray:
        """Return the right singular vectors of the loadings.

        Parameters
        ----------
        loading
            Loadings, shape (benchmark, skill).

        Returns
        -------
        numpy.ndarray
            M, shape (skill, skill): orthogonal.

        Examples
        --------
        >>> rotated = loadings @ ls.rotations.PrincipalAxes().matrix(loadings)
        >>> abs(round(float(rotated[:, 0] @ rotated[:, 1]), 6))
        0.0
        """
        return np.linalg.svd(loading, full_matrices=False)[2].T


@dataclass(frozen=True)
class _Orthomax(Rotation):
    """Orthogonal, by a criterion of the orthomax family.

    Jennrich 1970, "Orthogonal rotation algorithms". `kaiser` gives all benchmarks equal weight,
    whatever the length of their loadings.
    """

    weight: ClassVar[float]

    kaiser: bool = True

    def __post_init__(self) -> None:
        truth(self.kaiser, f"{type(self).__name__}.kaiser", error=SpecError)

    def matrix(self, loading: np.ndarray) -> np.ndarray:
        """Return the best of several starts (statsmodels' gradient projection).

        Parameters
        ----------
        loading
            Loadings, shape (benchmark, skill).

        Returns
        -------
        numpy.ndarray
            M, shape (skill, skill): orthogonal.

        Raises
        ------
        SpecError
            If statsmodels, which rotates, is not installed.

        Examples
        --------
        >>> rotated = loadings @ ls.rotations.Quartimax().matrix(loadings)
        >>> bool((rotated**4).sum() >= (loadings**4).sum())
        True
        """
        return _orthomax(_weighted(loading, self.kaiser), self.weight)


@dataclass(frozen=True)
class Varimax(_Orthomax):
    """Orthogonal, with a large variance of squared loadings within skills (Kaiser 1958).

    Parameters
    ----------
    kaiser
        Whether all benchmarks have equal weight, whatever the length of their loadings.

    Examples
    --------
    >>> loadings = np.array([[0.9, 0.3], [0.8, 0.2], [0.2, 0.7]])
    >>> ls.rotations.Varimax().matrix(loadings).shape
    (2, 2)
    """

    weight: ClassVar[float] = 1.0


@dataclass(frozen=True)
class Quartimax(_Orthomax):
    """Orthogonal, with benchmarks of low complexity: large fourth powers of loadings.

    Neuhaus and Wrigley 1954. It favours one general skill.

    Parameters
    ----------
    kaiser
        Whether all benchmarks have equal weight, whatever the length of their loadings.

    Examples
    --------
    >>> loadings = np.array([[0.9, 0.3], [0.8, 0.2], [0.2, 0.7]])
    >>> ls.rotations.Quartimax().matrix(loadings).shape
    (2, 2)
    """

    weight: ClassVar[float] = 0.0


@dataclass(frozen=True)
class Oblimin(Rotation):
    """Oblique, with small products of squared loadings on different skills.

    Jennrich and Sampson 1966. `gamma` 0 is quartimin; larger lets skills correlate more.

    Parameters
    ----------
    gamma
        0 is quartimin; larger values let skills correlate more.
    kaiser
        Whether all benchmarks have equal weight, whatever the length of their loadings.

    Raises
    ------
    SpecError
        If a field is out of range; `gamma` is at most 0.8.

    Examples
    --------
    >>> loadings = np.array([[0.9, 0.3], [0.8, 0.2], [0.2, 0.7]])
    >>> ls.rotations.Oblimin().matrix(loadings).shape
    (2, 2)
    """

    gamma: float = 0.0
    kaiser: bool = True

    def __post_init__(self) -> None:
        plain_fields(self)
        truth(self.kaiser, f"{type(self).__name__}.kaiser", error=SpecError)
        if not is_number(self.gamma) or self.gamma > 0.8:
            raise SpecError(
                f"gamma of Oblimin must be a number of at most 0.8; got {self.gamma!r}. 0 is usual."
            )

    def matrix(self, loading: np.ndarray) -> np.ndarray:
        """Return the best of several starts (statsmodels' gradient projection).

        Parameters
        ----------
        loading
            Loadings, shape (benchmark, skill).

        Returns
        -------
        numpy.ndarray
            M, shape (skill, skill), for skills of unit variance.

        Raises
        ------
        SpecError
            If statsmodels, which rotates, is not installed.

        Examples
        --------
        >>> oblimin = ls.rotations.Oblimin()
        >>> oblimin.criterion(loadings @ oblimin.matrix(loadings)) < oblimin.criterion(loadings)
        True
        """
        weighted = _weighted(loading, self.kaiser)
        rotate = _rotate_factors()

        def turn(start: np.ndarray) -> np.ndarray:
            _, normal = rotate(weighted @ start, "oblimin", self.gamma, "oblique")
            return start @ np.linalg.inv(normal.T)

        return _best(turn, lambda m: self.criterion(weighted @ m), loading.shape[1])

    def criterion(self, rotated: np.ndarray) -> float:
        """Return the criterion to minimise: products of squared loadings, summed over skill pairs.

        Parameters
        ----------
        rotated
            Rotated loadings, shape (benchmark, skill).

        Returns
        -------
        float
            The sum.

        Examples
        --------
        >>> ls.rotations.Oblimin().criterion(np.array([[0.9, 0.0], [0.0, 0.7]]))
        0.0
        """
        squares = rotated**2
        centred = squares - self.gamma * squares.mean(axis=0)
        products = squares.T @ centred
        return float(products.sum() - np.trace(products))


@dataclass(frozen=True)
class Geomin(Rotation):
    """Oblique, with at least one small loading per benchmark: small geometric means.

    Yates 1987; `epsilon` keeps zero loadings from masking the others (0.01 is usual).

    Parameters
    ----------
    epsilon
        Above 0: keeps zero loadings from masking the others; 0.01 is usual.
    kaiser
        Whether all benchmarks have equal weight, whatever the length of their loadings.

    Raises
    ------
    SpecError
        If a field is out of range.

    Examples
    --------
    >>> loadings = np.array([[0.9, 0.3], [0.8, 0.2], [0.2, 0.7]])
    >>> ls.rotations.Geomin().matrix(loadings).shape
    (2, 2)
    """

    epsilon: float = 0.01
    kaiser: bool = True

    def __post_init__(self) -> None:
        plain_fields(self)
        truth(self.kaiser, f"{type(self).__name__}.kaiser", error=SpecError)
        if not is_number(self.epsilon) or self.epsilon <= 0:
            raise SpecError(
                f"epsilon of Geomin must be a number above 0; got {self.epsilon!r}. 0.01 is usual."
            )

    def matrix(self, loading: np.ndarray) -> np.ndarray:
        """Return the best of several starts (SciPy's BFGS over normal matrices).

        Parameters
        ----------
        loading
            Loadings, shape (benchmark, skill).

        Returns
        -------
        numpy.ndarray
            M, shape (skill, skill), for skills of unit variance.

        Examples
        --------
        >>> geomin = ls.rotations.Geomin()
        >>> geomin.criterion(loadings @ geomin.matrix(loadings)) < geomin.criterion(loadings)
        True
        """
        weighted = _weighted(loading, self.kaiser)
        count = loading.shape[1]

        def unit(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            columns = flat.reshape(count, count)
            length = np.linalg.norm(columns, axis=0)
            return columns / length, length

        def height(flat: np.ndarray) -> tuple[float, np.ndarray]:
            """Return the criterion at normal T = X / |X|, L = A inverse(T'), and its gradient in X.

            Jennrich 2002, for the gradient in T.
            """
            normal, length = unit(flat)
            if abs(np.linalg.det(normal)) < _SINGULAR:
                return _OFF_LIMITS, np.zeros(flat.size)
            inverse = np.linalg.inv(normal)
            rotated = weighted @ inverse.T
            means = self._means(rotated)
            slope = 2 * rotated / (rotated**2 + self.epsilon) * means[:, None] / count
            by_normal = -(rotated.T @ slope @ inverse).T
            along = (normal * by_normal).sum(axis=0)
            return float(means.sum()), ((by_normal - normal * along) / length).ravel()

        def turn(start: np.ndarray) -> np.ndarray:
            optimum = minimize(
                height, start.ravel(), method="BFGS", jac=True, options={"gtol": 1e-7}
            )
            return np.linalg.inv(unit(optimum.x)[0].T)

        return _best(turn, lambda m: self.criterion(weighted @ m), count)

    def criterion(self, rotated: np.ndarray) -> float:
        """Return the criterion to minimise: geometric means of squared loadings, over benchmarks.

        Parameters
        ----------
        rotated
            Rotated loadings, shape (benchmark, skill).

        Returns
        -------
        float
            The sum over benchmarks, at least 0.

        Examples
        --------
        >>> simple = np.array([[0.9, 0.0], [0.0, 0.7]])
        >>> ls.rotations.Geomin().criterion(simple) < ls.rotations.Geomin().criterion(loadings)
        True
        """
        return float(self._means(rotated).sum())

    def _means(self, rotated: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(np.log(rotated**2 + self.epsilon).mean(axis=1)))


def rotations_by_name() -> dict[str, type[Rotation]]:
    """Return the kinds of rotation by name, such as ``principal-axes``, including plug-ins.

    A kind is a public class derived, directly or indirectly, from `Rotation`; it is named after the
    class.
    """
    kinds: dict[str, type[Rotation]] = {}
    rest = Rotation.__subclasses__()
    while rest:
        kind = rest.pop(0)
        rest += kind.__subclasses__()
        if not kind.__name__.startswith("_") and not isabstract(kind):
            kinds[re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()] = kind
    return kinds


def _orthomax(weighted: np.ndarray, gamma: float) -> np.ndarray:
    rotate = _rotate_factors()

    def turn(start: np.ndarray) -> np.ndarray:
        _, rotation = rotate(weighted @ start, "orthomax", gamma)
        return start @ rotation

    def cost(matrix: np.ndarray) -> float:
        squares = (weighted @ matrix) ** 2
        return -float((squares**2).sum() - gamma * (squares.sum(axis=0) ** 2).mean() * _ratio)

    _ratio = weighted.shape[1] / weighted.shape[0]
    return _best(turn, cost, weighted.shape[1])


def _best(turn: Any, cost: Any, count: int) -> np.ndarray:
    """Return the rotation of least cost over a fixed set of starts; the identity for one skill."""
    if count == 1:
        return np.ones((1, 1))
    rng = np.random.default_rng(_SEED)
    starts = [np.eye(count)]
    starts += [np.linalg.qr(rng.standard_normal((count, count)))[0] for _ in range(_STARTS)]
    candidates = [turn(start) for start in starts]
    return np.asarray(min(candidates, key=cost))


def _weighted(loading: np.ndarray, kaiser: bool) -> np.ndarray:
    """Return loadings, with rows of unit length if requested (Kaiser's normalisation)."""
    if not kaiser:
        return loading
    length = np.linalg.norm(loading, axis=1, keepdims=True)
    return loading / np.where(length > 0, length, 1.0)


def _rotate_factors() -> Any:
    try:
        from statsmodels.multivariate.factor_rotation import rotate_factors
    except ImportError:
        raise SpecError(
            "This rotation needs statsmodels: install it with "
            '`pip install "latentscale[rotation]"`, or use PrincipalAxes() or Geomin().'
        ) from None
    return rotate_factors
