"""Inference methods: frozen objects that hold settings, with one result type, found by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Final, Self

from latentscale.declare.spec import ModelSpec
from latentscale.errors import FitError, listed, nearest
from latentscale.model.design import Design
from latentscale.posterior.draws import Draws
from latentscale.registry import Registry
from latentscale.validate import choice, plain_fields, real_number, whole_number

_CORES: Final = "cores"
"""Setting of methods that use several cores; None for all cores of the machine."""
MOST_COUNTED = 2**31 - 1
"""The largest count that all underlying libraries accept (signed 32 bits)."""


@dataclass(frozen=True)
class Method(ABC):
    """An inference method; its fields are its settings.

    Examples
    --------
    >>> isinstance(ls.NUTS(), Method)
    True
    """

    weighted: ClassVar[bool] = True
    """Whether draws of an approximation are resampled by their importance weights.

    Unweighted draws must be closer to the posterior: Pareto k up to 0.5.
    """
    thins: ClassVar[bool] = False
    """Whether a fit keeps only some of the draws on which its status is based."""

    @classmethod
    def weighed(cls, settings: Mapping[str, Any], kept: int) -> int:
        """Return how many draws of an approximation have importance weights.

        Parameters
        ----------
        settings
            Fields of the method, as in a fit's provenance.
        kept
            Draws of the fit.

        Returns
        -------
        int
            `kept`, unless the method chooses its draws from a larger number.

        Examples
        --------
        >>> ls.Pathfinder.weighed({"paths": 8, "draws": 1000}, 1000)
        8000
        """
        return kept

    @abstractmethod
    def draw(self, spec: ModelSpec, design: Design, *, seed: int, progress: bool) -> Draws:
        """Draw from the posterior of `spec` on `design`, or approximate it.

        Parameters
        ----------
        spec, design
            What to fit.
        seed
            Seed of the random numbers; see `fit` for when the same seed gives the same draws.
        progress
            Whether to show progress.

        Returns
        -------
        Draws
            Posterior with dims (chain, draw, ...), sampling statistics, status and seconds.

        Examples
        --------
        >>> method = ls.Laplace(draws=50)
        >>> drawn = method.draw(pooled.spec, pooled.design, seed=1, progress=False)
        >>> drawn.posterior.sizes["draw"]
        50
        """

    @property
    def settings(self) -> dict[str, Any]:
        """The method's fields as plain JSON types.

        Examples
        --------
        >>> ls.Laplace(draws=200).settings["draws"]
        200
        """
        return asdict(self)

    def on_one_core(self) -> Self:
        """Return the method for use in parallel jobs: on one core, unless `cores` was set.

        Returns
        -------
        Method
            The method itself if its number of cores was set.

        Examples
        --------
        >>> ls.NUTS().on_one_core().cores, ls.NUTS(cores=4).on_one_core().cores
        (1, 4)
        """
        return replace(self, **{_CORES: 1}) if getattr(self, _CORES, 1) is None else self

    def __post_init__(self) -> None:
        plain_fields(self)

    def _check_counts(self, *names: str, least: int = 1, most: int = MOST_COUNTED) -> None:
        """Refuse fields that are not whole numbers from `least` to `most`."""
        for name in names:
            value, what = getattr(self, name), self._named(name)
            whole_number(value, what, least=least, error=FitError)
            whole_number(value, what, least=least, most=most, error=FitError)

    def _check_cores(self) -> None:
        """Refuse a number of cores that is neither a count nor None (all cores)."""
        if getattr(self, _CORES) is not None:
            self._check_counts(_CORES)

    def _check_between(self, name: str, lower: float, upper: float) -> None:
        """Refuse a field that is not a number strictly between two bounds."""
        value = getattr(self, name)
        real_number(value, self._named(name), above=lower, below=upper, error=FitError)

    def _check_choice(self, name: str, allowed: tuple[str, ...]) -> None:
        """Refuse a field that is not one of some words."""
        choice(getattr(self, name), self._named(name), allowed, error=FitError)

    def _named(self, name: str) -> str:
        return f"{type(self).__name__}.{name}"


def _name_of(kind: type[Method]) -> str:
    return kind.__name__


METHODS: Registry[Method] = Registry("method", "latentscale.inference", _name_of, FitError)
"""Every inference method by the name of its class, which a fit's provenance also records."""


def method_class(name: str) -> type[Method]:
    """Return the method with a name, ignoring case as the command line does.

    Raises
    ------
    FitError
        If no method has that name.
    """
    alike = [known for known in METHODS if known.lower() == name.lower()]
    return METHODS[alike[0] if alike else name]


def method_of(name: str, settings: Mapping[str, Any]) -> Method:
    """Return a method with settings, as given on a command line or in a fit's provenance.

    Parameters
    ----------
    name
        Name of the method, such as ``"NUTS"``.
    settings
        Values of its fields by name; other fields keep their defaults.

    Raises
    ------
    FitError
        If no method has that name, it has no such setting, or a value is out of range.
    """
    kind = method_class(name)
    known = [field.name for field in fields(kind) if field.init]
    for setting in settings:
        if setting not in known:
            raise FitError(
                f'{kind.__name__} has no setting "{setting}"; it has {listed(known, 30)}.'
                + nearest(setting, known)
            )
    return kind(**settings)
