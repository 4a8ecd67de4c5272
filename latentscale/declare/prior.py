"""Priors: a distribution's name and its numbers, and the defaults of every parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal

import numpy as np
from scipy import stats

from latentscale.errors import SpecError, listed, nearest
from latentscale.validate import is_number, plain_fields, real_number

Reading = Literal["own", "level", "shift", "noise", "ceiling"]
"""What a parameter's value means for scores; see `PriorSlot`."""

REAL: Final = "real"
POSITIVE: Final = "positive"
UNIT: Final = "unit"

_DISTRIBUTIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "Normal": (REAL, ("mu", "sigma")),
    "StudentT": (REAL, ("nu", "mu", "sigma")),
    "Laplace": (REAL, ("mu", "b")),
    "HalfNormal": (POSITIVE, ("sigma",)),
    "HalfStudentT": (POSITIVE, ("nu", "sigma")),
    "LogNormal": (POSITIVE, ("mu", "sigma")),
    "Gamma": (POSITIVE, ("alpha", "beta")),
    "Exponential": (POSITIVE, ("lam",)),
    "Beta": (UNIT, ("alpha", "beta")),
}
_NUMBERS: Final = ("mu", "sigma", "nu", "alpha", "beta", "b", "lam")
_LOCATIONS: Final = ("mu",)


def distributions_on(support: str) -> tuple[str, ...]:
    """Return the names of the prior distributions with a support, such as ``"real"``."""
    return tuple(name for name, (where, _) in _DISTRIBUTIONS.items() if where == support)


@dataclass(frozen=True)
class Prior:
    """A prior distribution with fixed numbers.

    Parameters
    ----------
    dist
        Name of the distribution, as PyMC spells it: Normal, StudentT, Laplace (real line);
        HalfNormal, HalfStudentT, LogNormal, Gamma, Exponential (positive); Beta (unit interval).
    mu, sigma, nu, alpha, beta, b, lam
        The parameters of `dist`, as PyMC names them; leave out parameters of other distributions.

    Raises
    ------
    SpecError
        If `dist` is unknown, a number is missing, not used by `dist`, or out of range.

    Examples
    --------
    >>> prior = ls.Prior("Beta", alpha=9, beta=1)
    >>> prior.support
    'unit'
    >>> print(prior)
    Beta(alpha=9, beta=1)
    """

    dist: str
    mu: float | None = None
    sigma: float | None = None
    nu: float | None = None
    alpha: float | None = None
    beta: float | None = None
    b: float | None = None
    lam: float | None = None

    def __post_init__(self) -> None:
        plain_fields(self)
        if not isinstance(self.dist, str) or self.dist not in _DISTRIBUTIONS:
            raise SpecError(
                f'Unknown prior distribution "{self.dist}"; allowed are '
                f"{listed(_DISTRIBUTIONS, 20)}." + nearest(str(self.dist), _DISTRIBUTIONS)
            )
        wanted = _DISTRIBUTIONS[self.dist][1]
        given = [name for name in _NUMBERS if getattr(self, name) is not None]
        if set(given) != set(wanted):
            raise SpecError(
                f"A {self.dist} prior takes exactly {listed(wanted)}; "
                f"got {listed(given) or 'none'}."
            )
        for name in given:
            value = getattr(self, name)
            if not is_number(value) or (name not in _LOCATIONS and value <= 0):
                raise SpecError(
                    f"{name} of a {self.dist} prior must be a finite number"
                    f"{'' if name in _LOCATIONS else ' above 0'}; got {value!r}."
                )
            object.__setattr__(self, name, float(value))

    @property
    def support(self) -> str:
        """Support of the distribution: ``"real"``, ``"positive"`` or ``"unit"``.

        Examples
        --------
        >>> ls.Prior("HalfNormal", sigma=1).support
        'positive'
        """
        return _DISTRIBUTIONS[self.dist][0]

    @property
    def numbers(self) -> dict[str, float]:
        """The distribution's numbers by name, in PyMC's order.

        Examples
        --------
        >>> prior.numbers
        {'alpha': 9.0, 'beta': 1.0}
        """
        return {name: getattr(self, name) for name in _DISTRIBUTIONS[self.dist][1]}

    def log_density(self, value: np.ndarray) -> np.ndarray:
        """Return the log density at `value`, elementwise; -inf outside the support.

        Parameters
        ----------
        value
            Values in the parameter's unit, of any shape.

        Returns
        -------
        numpy.ndarray
            Natural logarithms of the density, of the same shape.

        Examples
        --------
        >>> round(float(ls.Prior("Normal", mu=0, sigma=1).log_density(0.0)), 3)
        -0.919
        """
        if self.dist == "HalfStudentT":
            return np.where(value >= 0, self._frozen().logpdf(value) + np.log(2), -np.inf)
        return self._frozen().logpdf(value)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return independent draws of this shape.

        Parameters
        ----------
        shape
            Shape of the array.
        rng
            NumPy's generator, which is moved on.

        Returns
        -------
        numpy.ndarray
            Draws of that shape, in the parameter's unit.

        Examples
        --------
        >>> ls.Prior("Normal", mu=0, sigma=1).draw((3,), np.random.default_rng(1)).shape
        (3,)
        """
        drawn = np.asarray(self._frozen().rvs(size=shape, random_state=rng))
        return np.abs(drawn) if self.dist == "HalfStudentT" else drawn

    def quantile(self, prob: float) -> float:
        """Return the value below which the prior has this probability.

        Parameters
        ----------
        prob
            Probability, in [0, 1].

        Returns
        -------
        float
            The value, in the parameter's unit.

        Raises
        ------
        SpecError
            If `prob` is not a number from 0 to 1.

        Examples
        --------
        >>> round(float(ls.Prior("Normal", mu=0, sigma=1).quantile(0.975)), 2)
        1.96
        """
        prob = real_number(prob, "prob", least=0, most=1, error=SpecError)
        if self.dist == "HalfStudentT":
            return float(self._frozen().ppf((1 + prob) / 2))
        return float(self._frozen().ppf(prob))

    def below(self, value: float) -> float:
        """Return the probability below a value.

        Parameters
        ----------
        value
            A value in the parameter's unit.

        Returns
        -------
        float
            The distribution function there, in [0, 1].

        Examples
        --------
        >>> round(float(ls.Prior("Normal", mu=0, sigma=1).below(0.0)), 2)
        0.5
        """
        share = float(self._frozen().cdf(value))
        return max(2 * share - 1, 0.0) if self.dist == "HalfStudentT" else share

    def _frozen(self) -> Any:
        """Return SciPy's distribution; for HalfStudentT, the t distribution before folding."""
        n = self.numbers
        return {
            "Normal": lambda: stats.norm(n["mu"], n["sigma"]),
            "StudentT": lambda: stats.t(n["nu"], n["mu"], n["sigma"]),
            "Laplace": lambda: stats.laplace(n["mu"], n["b"]),
            "HalfNormal": lambda: stats.halfnorm(scale=n["sigma"]),
            "HalfStudentT": lambda: stats.t(n["nu"], scale=n["sigma"]),
            "LogNormal": lambda: stats.lognorm(n["sigma"], scale=np.exp(n["mu"])),
            "Gamma": lambda: stats.gamma(n["alpha"], scale=1 / n["beta"]),
            "Exponential": lambda: stats.expon(scale=1 / n["lam"]),
            "Beta": lambda: stats.beta(n["alpha"], n["beta"]),
        }[self.dist]()

    def to_dict(self) -> dict[str, str | float]:
        """Return plain JSON types that `Prior` reads back.

        Returns
        -------
        dict
            The key ``dist`` and the distribution's numbers.

        Examples
        --------
        >>> prior.to_dict()
        {'dist': 'Beta', 'alpha': 9.0, 'beta': 1.0}
        >>> ls.Prior(**prior.to_dict()) == prior
        True
        """
        return {"dist": self.dist, **self.numbers}

    def __str__(self) -> str:
        return f"{self.dist}({', '.join(f'{k}={v:g}' for k, v in self.numbers.items())})"

    def __repr__(self) -> str:
        numbers = "".join(f", {name}={value!r}" for name, value in self.numbers.items())
        return f"Prior({self.dist!r}{numbers})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(str(self))}</code>"


@dataclass(frozen=True)
class PriorSlot:
    """A parameter that takes a prior: its default, and what the parameter is.

    Parameters
    ----------
    default
        The prior used by specs that give none.
    meaning
        A short description of the parameter.
    reading
        What a value means for scores, for `latentscale.elicit`: ``"level"``, the score of a
        benchmark at average skill; ``"shift"``, a change of the linear predictor, or its standard
        deviation; ``"noise"``, how far scores scatter; ``"ceiling"``; or ``"own"`` for parameters
        that cannot be read in scores.

    Examples
    --------
    >>> ls.declare.PRIOR_SLOTS["intercept"].default
    Prior('Normal', mu=0.0, sigma=2.0)
    """

    default: Prior
    meaning: str
    reading: Reading = "own"


@dataclass(frozen=True)
class Parameter:
    """A top-level parameter of the model: the slot of its prior, and its dims.

    Parameters
    ----------
    slot
        Name of its prior slot.
    dims
        Names of its dims, in order.

    Examples
    --------
    >>> Parameter("slope", ("covariate", "skill")).slot
    'slope'
    """

    slot: str
    dims: tuple[str, ...]


class PriorSlots(Mapping[str, PriorSlot]):
    """Every parameter that takes a prior, by the name used under ``[priors]`` in a spec file.

    Collected from the registered terms, links and likelihoods, each of which declares its own.
    """

    def __getitem__(self, name: str) -> PriorSlot:
        return self._slots()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._slots())

    def __len__(self) -> int:
        return len(self._slots())

    def _slots(self) -> dict[str, PriorSlot]:
        from latentscale.declare.kinds import LIKELIHOODS, LINKS, TERMS

        slots: dict[str, PriorSlot] = {}
        for kind in (*TERMS.values(), *LINKS.values(), *LIKELIHOODS.values()):
            for name, slot in kind.slots.items():
                if slots.setdefault(name, slot) != slot:
                    raise SpecError(
                        f'{kind.__name__} has a prior slot "{name}", and so has another kind, '
                        "with another default or meaning; choose another name."
                    )
        return slots


PRIOR_SLOTS: Final = PriorSlots()
