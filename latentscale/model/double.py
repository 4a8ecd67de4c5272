"""Double precision whatever PyTensor's setting: our densities and their derivatives need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytensor


@contextmanager
def double_precision() -> Iterator[None]:
    """Build and compile in float64, and then restore PyTensor's own setting.

    ``floatX="float32"``, set for another model of the session, would give log densities that
    differ in their fourth digit: too coarse for gradients that a sampler follows.
    """
    with pytensor.config.change_flags(floatX="float64", warn_float64="ignore"):
        yield
