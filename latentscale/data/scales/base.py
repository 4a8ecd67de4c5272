"""Scale: which numbers a benchmark's scores can be, and how they enter the model."""

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
    """Which numbers a benchmark's scores can be; a kind is a subclass, registered by `SCALES`.

    A bounded scale has floor and ceiling, and the spec's link and likelihood. Any other is
    standardised: a score y becomes (forward(y) - centre) / step, on the scale of the linear
    predictor, where centre and step are the mean and the standard deviation of forward(y) over
    the fitted scores, and step is negative where lower is better.

    Examples
    --------
    >>> from latentscale.extend import SCALES
    >>> percent, positive = SCALES["percent"](), SCALES["positive"]()
    >>> percent.kept_as, percent.bounded
    ('fraction', (0.0, 100.0))
    """

    kind: ClassVar[str]
    bounded: ClassVar[tuple[float, float] | None] = None
    """Ends of the scale as written in a table; None if it has none."""

    kept_as: ClassVar[str]
    """The scale on which `Scores` keeps scores."""

    unit: ClassVar[str] = ""
    """Unit of scores, unless a benchmark states one."""

    logarithmic: ClassVar[bool] = False
    """Whether `backward` is an exponential: with heavy-tailed noise, the mean is then unusable."""

    def read(self, values: Floats) -> Floats:
        """Return a table's values on the scale of `Scores`.

        Parameters
        ----------
        values
            Scores as a table has them.

        Returns
        -------
        numpy.ndarray
            Scores as kept, of the same shape.

        Examples
        --------
        >>> percent.read(np.array([50.0, 75.0])).tolist()
        [0.5, 0.75]
        """
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

        Returns
        -------
        list of Problem
            Empty if all values are allowed.

        Examples
        --------
        >>> positive.problems(np.array([-1.0]), [0], ["a-1b"], "minutes")[0].row
        0
        """

    def forward(self, score: Named) -> Named:
        """Return scores on the scale that is standardised.

        Parameters
        ----------
        score
            Scores as kept.

        Returns
        -------
        Named
            On the scale that is standardised.

        Examples
        --------
        >>> float(positive.forward(xr.DataArray(1.0)))
        0.0
        """
        return score

    def backward(self, value: Named) -> Named:
        """Return the inverse of `forward`.

        Parameters
        ----------
        value
            Values on the scale that is standardised.

        Returns
        -------
        Named
            Scores as kept.

        Examples
        --------
        >>> float(positive.backward(xr.DataArray(0.0)))
        1.0
        """
        return value

    def log_slope(self, score: Named) -> Named | float:
        """Return the log derivative of `forward` at a score.

        Parameters
        ----------
        score
            Scores as kept.

        Returns
        -------
        Named or float
            Natural logarithms, with the dims of `score`.

        Examples
        --------
        >>> round(float(positive.log_slope(xr.DataArray(2.0))), 3)
        -0.693
        """
        return 0.0

    def step_at(self, score: Floats) -> Floats:
        """Return the derivative of `forward`, which carries a standard error (delta method).

        Parameters
        ----------
        score
            Scores as kept.

        Returns
        -------
        numpy.ndarray
            Derivatives, of the same shape.

        Examples
        --------
        >>> positive.step_at(np.array([2.0])).tolist()
        [0.5]
        """
        return np.ones_like(score)


def _kind_of(kind: type[Scale]) -> str:
    return kind.kind


SCALES: Final[Registry[Scale]] = Registry("scale", "latentscale.data.scales", _kind_of)


def scale_of(name: str) -> Scale:
    """Return the scale with a name.

    Raises
    ------
    SpecError
        If no scale has that name.
    """
    return SCALES[name]()
