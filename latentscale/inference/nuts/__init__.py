"""NUTS: its settings, starting points, coordinates, backends, and how a run is resumed."""
