"""NUTS: its settings, starting points, coordinates, backends, and how a run is resumed."""

from latentscale.inference.nuts.method import NUTS

__all__ = ["NUTS"]
