"""The planner in a notebook and as a page of its own, only on the loopback interface."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

from latentscale import validate
from latentscale.dims import DEFAULT_PROB, checked_seed
from latentscale.errors import LatentscaleError
from latentscale.expect import expect
from latentscale.posterior.fit import Fit

_LOOPBACK: Final = "127.0.0.1"
"""The only address that the page is served on: a fit's data stay off the network."""


def explore(fit: Fit, *, prob: float = DEFAULT_PROB, seed: int = 0) -> Any:
    """Return the planner of a fit: describe a model, and see what the fit says about it.

    In a notebook the page is displayed; `latentscale explore fit.nc` serves it. Choose a family or
    a new one, set features, enter known scores, and see forecasts with intervals, the model's rank
    among the fitted ones, the scaling curve, the next benchmark to run and the probability of
    passing thresholds. The row and the table can be saved.

    Parameters
    ----------
    fit
        A fit with draws.
    prob
        Probability of the intervals.
    seed
        Seed of the random numbers: the same model gives the same answer.

    Returns
    -------
    panel.Column
        The page.

    Raises
    ------
    LatentscaleError
        If Panel is not installed, or `prob` or `seed` is out of range.

    Examples
    --------
    >>> page = ls.explore(fit)  # in a notebook, show it by its name: page
    >>> type(page).__name__
    'Column'
    """
    expect(fit, Fit, "fit")
    prob = validate.prob(prob)
    seed = checked_seed(seed)
    _need_panel()
    import panel as pn

    from latentscale.explore.page import Page

    pn.extension()
    return Page(fit, prob=prob, seed=seed).layout()


def serve(
    fit: Fit, *, port: int, prob: float = DEFAULT_PROB, seed: int = 0, show: bool = False
) -> Any:
    """Serve the planner on the loopback interface, and return the server without starting it.

    Parameters
    ----------
    fit, prob, seed
        As for `explore`.
    port
        Port; 0 for any free one.
    show
        Whether to open a browser.

    Raises
    ------
    LatentscaleError
        If Panel is not installed, or the port is taken.
    """
    expect(fit, Fit, "fit")
    prob = validate.prob(prob)
    _need_panel()
    import panel as pn

    from latentscale.explore.page import Page

    def page() -> Any:
        return Page(fit, prob=prob, seed=seed).layout()

    try:
        return pn.io.server.get_server(
            page,
            port=port,
            address=_LOOPBACK,
            title="latentscale planner",
            show=show,
            start=False,
        )
    except OSError as error:
        raise LatentscaleError(
            f"Port {port} cannot be used ({error.strerror or error}); give another with --port."
        ) from None


def _need_panel() -> None:
    if find_spec("panel") is None:
        raise LatentscaleError(
            "The planner needs Panel, which is not installed: install the extra explore, as in "
            'pip install "latentscale[explore]".'
        )
