"""Density: a model's log density on R^n, its gradient, and the map back to named parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from latentscale.engine.choice import fast_or_stock
from latentscale.engine.sampler import nutpie_module

LogDensity = Callable[[np.ndarray], tuple[float, np.ndarray]]
Begin = Callable[[Any], np.ndarray]
"""From a seed to a point where a chain begins, shape (size,)."""
Make = Callable[[Begin], Any]
"""From the function that says where chains begin to nutpie's model."""


@dataclass(frozen=True)
class Affine:
    """Some elements x of a point as an affine map of new coordinates w, x = origin + spread w.

    Attributes
    ----------
    places
        Indices of these elements, shape (n,).
    origin, spread
        Shapes (n,) and (n, n).
    """

    places: np.ndarray
    origin: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class ChainModel:
    """A compiled model whose chains begin where `begin` says.

    Attributes
    ----------
    log_density
        From a point, shape (size,), to the log density and its gradient, shape (size,).
    begin
        Where a chain begins, by seed.
    make
        Makes the model for nutpie.
    expand
        From a point to the variables on their natural scale, by name; None if the engine does not
        have it.
    """

    log_density: LogDensity
    begin: Begin
    make: Make
    expand: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None

    def beginning(self, begin: Begin) -> ChainModel:
        """Return the model with chains that begin elsewhere."""
        return replace(self, begin=begin)

    def compiled(self) -> Any:
        """Return the model in nutpie's form."""
        return self.make(self.begin)


@dataclass(frozen=True)
class Density:
    """Log density of a model on the unconstrained scale, bound to one table.

    Attributes
    ----------
    start
        Where a sampler may start: the priors' support points, unconstrained, shape (size,).
    shapes
        Shape of every variable that `expand` returns.
    dims, coords
        Dims of those variables, and the coordinates of the model.
    log_density
        From a point, shape (size,), to the log density and its gradient, shape (size,).
    expand
        From a point to the variables on their natural scale, by name.
    reused
        Whether functions compiled earlier in this process serve this table too.
    engine
        ``"fast"`` or ``"stock"``.
    native
        From an affine map of the point, or None, to both compiled functions for C; None if the
        engine has none.
    affine
        The map from this density's point to that of the compiled functions, if any.
    public
        Makes nutpie's own model of the same density with its public function; None in coordinates
        that the PyMC model does not have.
    """

    start: np.ndarray
    shapes: dict[str, tuple[int, ...]]
    dims: dict[str, tuple[str, ...]]
    coords: dict[str, Any]
    log_density: LogDensity
    expand: Callable[[np.ndarray], dict[str, np.ndarray]]
    reused: bool
    engine: str
    native: Callable[[Affine | None], Any] | None = None
    affine: Affine | None = None
    public: Callable[[], Any] | None = None

    @property
    def size(self) -> int:
        """Number of unconstrained parameters."""
        return len(self.start)

    def mapped(self, affine: Affine) -> Density:
        """Return the density in coordinates that an affine map turns into these.

        The constant log determinant of the map is left out. At most one map.
        """
        assert self.affine is None
        places = affine.places

        def back(point: np.ndarray) -> np.ndarray:
            moved = point.copy()
            moved[places] = affine.origin + affine.spread @ point[places]
            return moved

        def log_density(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self.log_density(back(point))
            gradient = np.array(gradient)
            gradient[places] = gradient[places] @ affine.spread
            return value, gradient

        start = self.start.copy()
        start[places] = np.linalg.solve(affine.spread, start[places] - affine.origin)
        return replace(
            self,
            start=start,
            log_density=log_density,
            expand=lambda point: self.expand(back(point)),
            affine=affine,
            public=None,
        )

    def for_nutpie(self) -> ChainModel:
        """Return the model for nutpie's chains."""

        def begin(seed: Any) -> np.ndarray:
            return self.start + np.random.default_rng(seed).uniform(-1, 1, self.size)

        def by_native_calls() -> Make:
            from latentscale.engine.nutpie_model import native_model

            assert self.native is not None
            make = partial(native_model, self.native(self.affine), self)
            _try_on_nutpie(make(begin))
            return make

        def by_python() -> Make:
            from latentscale.engine.stock import python_model

            return partial(python_model, self, begin)

        make = by_python() if self.native is None else fast_or_stock(by_native_calls, by_python)
        return ChainModel(self.log_density, begin, make, self.expand)


def _try_on_nutpie(model: Any) -> None:
    """Start nutpie on a model, so that faults in handing it over show before sampling.

    The sampler is stopped at once, so an error of the density at the first point is not raised.
    """
    sampler = nutpie_module().sample(
        model, draws=1, tune=1, chains=1, cores=1, seed=0, progress_bar=False, blocking=False
    )
    sampler.cancel()
