"""Backends: the samplers that NUTS runs on, their defaults, and the settings that they honour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

from latentscale.errors import FitError, listed

BackendName = Literal["nutpie", "nutpie-jax", "numpyro", "pymc"]
Coordinates = Literal["auto", "whitened", "centred", "model"]

# Values of a setting that a backend honours, if it does not honour all.
_NOT_OURS: Mapping[str, tuple[Any, ...]] = {
    "start": (None,),
    "store": (None,),
    "extra_doublings": (None, 0),
    "adaptation": ("diag",),
}
_ACCEPTANCE = 0.8
"""Mean acceptance: all from 0.6 to 0.9 cost about the same (Betancourt, Byrne and Girolami
2014)."""
_CENTRED_ACCEPTANCE = 0.95
"""In centred coordinates: if a benchmark's precision is high, skills are narrower than the steps
tuned to 0.8 and chains get stuck (benchmarks/capabilities_selection/CHAINS.md)."""
_MODEL: tuple[Coordinates, ...] = ("auto", "model")


def usual_acceptance(coordinates: str) -> float:
    """Return the mean acceptance to which steps are tuned in given coordinates."""
    return _CENTRED_ACCEPTANCE if coordinates == "centred" else _ACCEPTANCE


@dataclass(frozen=True)
class Backend:
    """One sampler.

    Attributes
    ----------
    name
        As in `NUTS.backend`.
    tune
        Default number of warm-up draws: nutpie adapts its mass matrix from the first draws on, also
        using gradients, in about 400; the others use Stan's windows, whose default is 1,000.
    needs
        Libraries that are not installed with the package.
    honours
        For settings that the sampler honours only in part: the values that it accepts.
    """

    name: BackendName
    tune: int
    needs: tuple[str, ...] = ()
    honours: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def refuse_idle(self, settings: Mapping[str, Any]) -> None:
        """Refuse a setting that would have no effect.

        Raises
        ------
        FitError
            Naming the setting, and the backends that honour it.
        """
        for name, values in self.honours.items():
            if settings[name] in values:
                continue
            able = [other.name for other in BACKENDS.values() if other.can(name, settings[name])]
            raise FitError(
                f"NUTS.{name} = {settings[name]!r} works with the backend"
                f"{'s' if len(able) > 1 else ''} {listed(able)}; leave it out for "
                f'"{self.name}".'
            )

    def can(self, name: str, value: Any) -> bool:
        """Return whether the backend honours a value of a setting."""
        return name not in self.honours or value in self.honours[name]

    def require(self) -> None:
        """Refuse a backend whose libraries are not installed.

        Raises
        ------
        FitError
            With the command that installs them.
        """
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise FitError(
                f'NUTS(backend="{self.name}") needs {" and ".join(missing)}, which '
                f"{'is' if len(missing) == 1 else 'are'} not installed: "
                'pip install "latentscale[jax]", or use backend="nutpie".'
            )


BACKENDS: Mapping[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend("nutpie", 400),
        Backend("nutpie-jax", 400, ("jax",), {"coordinates": _MODEL}),
        Backend(
            "numpyro",
            1000,
            ("jax", "numpyro"),
            # NumPyro runs its chains in turn on one device, so a number of cores would have no
            # effect.
            {**_NOT_OURS, "coordinates": _MODEL, "cores": (None, 1)},
        ),
        Backend("pymc", 1000, (), {**_NOT_OURS, "coordinates": _MODEL}),
    )
}
"""All backends by name."""
