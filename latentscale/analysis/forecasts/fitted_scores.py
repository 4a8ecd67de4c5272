"""Log likelihood of the fitted scores on posterior draws, with derivatives, as `shifts` needs it.

It does not depend on the rows that are forecast, so that several forecasts can share it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from latentscale.analysis.forecasts.groups import Group, fitted_group
from latentscale.analysis.forecasts.latents import (
    Floats,
    LocalProblem,
    density_and_derivatives,
    draw_noise_of_models,
    local_problem,
)
from latentscale.dims import SAMPLE
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import ORIGIN


@dataclass(frozen=True)
class FittedScores:
    """All fitted scores, and their log likelihood at the posterior draws.

    Attributes
    ----------
    group
        The fitted models and their scores.
    problem
        Their likelihood on the draws, with all latents fixed at the fit's values.
    density
        Log density of each score at the draws, (sample, cell).
    slope, curvature
        Its first and negative second derivatives in the linear predictor.
    """

    group: Group
    problem: LocalProblem
    density: Floats
    slope: Floats
    curvature: Floats


def fitted_scores(fit: Fit, draws: xr.Dataset) -> FittedScores:
    """Return the fitted scores on draws of the fit, dims (sample, ...)."""
    group = fitted_group(fit)
    rng = np.random.default_rng(0)  # not used: fitted models have their effects on the precision
    noise = draw_noise_of_models(fit, draws, group, rng)
    problem = local_problem(fit, draws, group, noise, hold=True)
    return FittedScores(group, problem, *density_and_derivatives(problem, problem.offset))


class SharedFittedScores:
    """The fitted scores of one fit, for forecasts of several groups of rows.

    They are computed when first needed, and again only if other draws are used.
    """

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._made: tuple[npt.NDArray[np.int64], FittedScores] | None = None

    def at(self, places: npt.NDArray[np.int64]) -> FittedScores:
        """Return the fitted scores on the draws at these positions in the posterior."""
        if self._made is None or not np.array_equal(places, self._made[0]):
            draws = self._fit.samples.isel({SAMPLE: places}).drop_vars(list(ORIGIN))
            self._made = places, fitted_scores(self._fit, draws)
        return self._made[1]
