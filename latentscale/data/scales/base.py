"""Scale: what numbers a benchmark's scores are, and how they reach the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from latentscale.data.problems import Problem
from latentscale.maths import Named
from latentscale.registry import Registry

Floats = npt.NDArray[np.float64]


class Scale(ABC):
    """What numbers a benchmark's scores are; a kind is a subclass, registered by `SCALES`.

    A bounded scale has floor and ceiling, and the spec's link and likelihood. Any other is
    standardised: a score y is seen as (forward(y) - centre) / step, on the scale of the linear
    predictor, where centre and step are the mean and the standard deviation of forward(y) over
    the fitted scores, and step is negative where lower is better.
    """

    kind: ClassVar[str]
    bounded: ClassVar[tuple[float, float] | None] = None
    """Ends of the scale as they are written in a table; None where it has none."""

    kept_as: ClassVar[str]
    """The scale on which `Scores` keeps what was read."""

    unit: ClassVar[str] = ""
    """Unit of scores, unless a benchmark states one."""

    def read(self, values: Floats) -> Floats:
        """Return values of a table as `Scores` keeps them."""
        return values

    @abstractmethod
    def problems(
        self, values: Floats, rows: Sequence[int], labels: Sequence[str], name: str
    ) -> list[Problem]:
        """Return a problem for each value that the scale does not allow, or for the column.

        Parameters
        ----------
        values
            Scores of one benchmark as read, NaN where empty.
        rows, labels
            Row and model name of each, for the messages.
        name
            The column, for the messages.
        """

    def forward(self, score: Named) -> Named:
        """Return scores on the scale that is standardised."""
        return score

    def backward(self, value: Named) -> Named:
        """Return the inverse of `forward`."""
        return value

    def log_slope(self, score: Named) -> Named | float:
        """Return the log derivative of `forward` at a score."""
        return 0.0

    def step_at(self, score: Floats) -> Floats:
        """Return the derivative of `forward`, which carries a standard error (delta method)."""
        return np.ones_like(score)


def _kind_of(kind: type[Scale]) -> str:
    return kind.kind


SCALES: Final[Registry[Scale]] = Registry("scale", "latentscale.data.scales", _kind_of)


def scale_of(name: str) -> Scale:
    """Return the scale of a name.

    Raises
    ------
    SpecError
        If there is none of that name.
    """
    return SCALES[name]()
