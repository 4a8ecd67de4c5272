"""Link: an increasing curve from the linear predictor to (0, 1), and what each kind declares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from latentscale.declare.prior import Parameter, PriorSlot
from latentscale.declare.record import Record
from latentscale.maths import Named


class Link(Record):
    """An increasing link h; its fields are its settings in a spec.

    A kind is a subclass with a field ``kind``, registered by ``@LINKS.add``; its instances are
    part of a spec. The package's own kinds are in ``latentscale/model/links``.

    Attributes
    ----------
    kind
        Its name in a spec.

    Examples
    --------
    >>> from latentscale.extend import LINKS
    >>> link = LINKS["logistic"]()
    >>> float(link.share({}, xr.DataArray(0.0)))
    0.5
    """

    kind: str
    slots: ClassVar[Mapping[str, PriorSlot]] = {}
    """Priors of the link's own parameters, by the name used under ``[priors]``."""

    equation: ClassVar[str] = ""
    """h, in LaTeX; for the documentation."""

    scalar: ClassVar[str | None] = None
    """Name of the compiled scalar form in ``latentscale.inference.marginal.kernel``, if any.

    Marginal maximum likelihood and starting points by regression need it.
    """

    def parameters(self) -> dict[str, Parameter]:
        """Return the link's own parameters by name: each with its prior slot and its dims.

        Returns
        -------
        dict
            `Parameter` by name; empty for a link without parameters of its own.

        Examples
        --------
        >>> LINKS["power-logistic"]().parameters()
        {'link_power': Parameter(slot='link_power', dims=('benchmark',))}
        """
        return {}

    def coords(self) -> dict[str, list[str]]:
        """Return the coordinates of the link's own dims.

        Returns
        -------
        dict
            Labels by dim.

        Examples
        --------
        >>> link.coords()
        {}
        """
        return {}

    def constants(self, parameters: Mapping[str, Named]) -> dict[str, Named]:
        """Return quantities that depend only on the parameters, by name.

        A model computes them once for each benchmark, before parameters are expanded to cells;
        `share` uses those that it finds among its parameters.

        Parameters
        ----------
        parameters
            The link's own parameters, dims (benchmark, ...).

        Returns
        -------
        dict
            Arrays by name.

        Examples
        --------
        >>> link.constants({})
        {}
        """
        return {}

    @abstractmethod
    def share(self, parameters: Mapping[str, Named], eta: Named) -> Named:
        """Return h(eta), the fraction of the range from floor to ceiling, in (0, 1).

        Parameters
        ----------
        parameters
            The link's own parameters, with dims that broadcast against those of `eta`.
        eta
            Linear predictor; an xarray array or a variable of a PyTensor graph. Use the functions
            of `latentscale.maths.maths_of`, which work with both.

        Returns
        -------
        Named
            With the dims of `eta`.

        Examples
        --------
        >>> eta = xr.DataArray([-1.0, 0.0, 1.0], dims="model")
        >>> link.share({}, eta).round(3).values.tolist()
        [0.269, 0.5, 0.731]
        """
