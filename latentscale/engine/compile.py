"""Compile a model's density with the engine in use."""

from __future__ import annotations

from collections.abc import Sequence

import pymc as pm

from latentscale.engine.agreement import expect_agreement
from latentscale.engine.choice import fast_or_stock
from latentscale.engine.coordinate import Coordinate
from latentscale.engine.density import Density, LogDensity


def compile_density(
    model: pm.Model, kept: Sequence[str], coordinates: Sequence[Coordinate] = ()
) -> Density:
    """Compile a model's log density, or reuse functions compiled for the same structure.

    Parameters
    ----------
    model
        A model from `latentscale.build`, whose table enters as shared variables.
    kept
        Names of the variables that draws should hold.
    coordinates
        What is sampled in place of some of the model's variables.
    """

    def fast() -> Density:
        from latentscale.engine import fast as engine

        density = engine.compile_density(model, kept, coordinates)
        expect_agreement(density.log_density, density.start)
        return density

    def stock() -> Density:
        from latentscale.engine import stock as engine

        return engine.compile_density(model, kept, coordinates)

    return fast_or_stock(fast, stock)


def compile_prior(model: pm.Model, names: Sequence[str]) -> LogDensity:
    """Compile the log prior density of some free variables that depend on no others.

    Parameters
    ----------
    model
        A model from `latentscale.build`.
    names
        The variables; a point is their unconstrained values, concatenated in the model's order.
    """

    def fast() -> LogDensity:
        from latentscale.engine import fast as engine

        return engine.compile_prior(model, names)

    def stock() -> LogDensity:
        from latentscale.engine import stock as engine

        return engine.compile_prior(model, names)

    return fast_or_stock(fast, stock)
