"""Values of future releases on posterior draws, computed for some releases at a time.

`latentscale.analysis.curves.releases` determines which releases occur, and when.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from latentscale.analysis.curves.releases import ReleasesToCome, with_drawn_releases
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.tools.blocks import Stream, parts
from latentscale.dims import MODEL, SAMPLE
from latentscale.model.evaluate import Evaluation
from latentscale.model.other_settings import raw_of_settings
from latentscale.model.unseen import model_effects_of_raw, raw_model_template
from latentscale.posterior.fit import Fit

_MOST_NUMBERS = 2**23
"""Elements of one array (sample, release, benchmark) held at a time: 64 MB."""


def values_to_come(
    fit: Fit,
    posterior: xr.Dataset,
    coming: ReleasesToCome,
    value: Callable[[Evaluation], xr.DataArray],
    rng: np.random.Generator,
) -> xr.DataArray:
    """Return values of future releases, dims (sample, model).

    Parameters
    ----------
    fit
        A fit.
    posterior
        Its draws, dims (sample, ...).
    coming
        The releases.
    value
        Reduces an evaluation to one value per model, dims (sample, model).
    rng
        Source of random numbers; those of earlier releases do not depend on how many follow.
    """
    planned = planned_rows(fit, coming.rows)
    shared = _Noise(fit, posterior, len(coming.names), rng)
    own = _Noise(fit, posterior, len(coming.rows), rng)
    settings = int(np.unique(coming.release, return_counts=True)[1].max())
    width = settings * posterior.sizes[SAMPLE] * len(fit.scores.benchmarks)
    values = []
    for some in parts(len(coming.names), width, _MOST_NUMBERS):
        here = coming.part(some)
        names = here.rows[MODEL].tolist()
        rows = planned.sel({MODEL: names})
        raw = raw_of_settings(posterior, here.of_rows(shared.of(here.names)), own.of(names))
        effects = model_effects_of_raw(fit.spec, posterior, raw)
        sampled = with_drawn_releases(fit, posterior, here, rows, rng)
        values.append(value(fit.evaluator.at(sampled, rows, residuals=effects)))
    return xr.concat(values, dim=MODEL).transpose(SAMPLE, MODEL)


class _Noise:
    """Noise of releases or rows, drawn in order, so that it does not depend on how many follow.

    Parameters
    ----------
    fit, posterior
        A fit and its draws, dims (sample, ...).
    count
        Number of releases or rows.
    rng
        Source of random numbers.
    """

    def __init__(
        self, fit: Fit, posterior: xr.Dataset, count: int, rng: np.random.Generator
    ) -> None:
        self._spec, self._posterior = fit.spec, posterior
        template = self._template([""])
        self._streams = {
            name: Stream(
                lambda shape, source: source.standard_normal(shape),
                (count, *one.shape[1:]),
                rng.spawn(1)[0],
                _MOST_NUMBERS,
            )
            for name, one in template.items()
        }

    def of(self, names: list[str]) -> xr.Dataset:
        """Return the noise of the next releases or rows, dims (model, sample, ...)."""
        template = self._template(names)
        return template.map(lambda one: one.copy(data=self._streams[one.name].take(len(names))))

    def _template(self, names: list[str]) -> xr.Dataset:
        samples = {SAMPLE: self._posterior.sizes[SAMPLE]}
        plain = raw_model_template(self._spec, self._posterior, names)
        return plain.map(lambda one: one.expand_dims(samples).transpose(MODEL, SAMPLE, ...))
