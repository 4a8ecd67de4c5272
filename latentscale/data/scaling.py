"""How a table's benchmarks are scaled: their ends, centres and steps, and sampling errors.

`latentscale.data.benchmarks.Benchmark` describes single benchmarks. The functions here read the
dataset of `Scores`, which holds only what differs from plain fractions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from latentscale.data.benchmarks import Benchmark
from latentscale.data.scales.base import Scale, scale_of
from latentscale.data.scales.fraction import FractionScale
from latentscale.dims import BENCHMARK, MODEL
from latentscale.maths import on_draws

CENTRE: Final = "centre"
STEP: Final = "step"
_LARGEST_SAMPLING: Final = 0.5
"""Sampling error of two items: a larger one leaves a score with almost no information."""


def benchmark_variables(info: Mapping[str, Benchmark], names: list[str]) -> dict[str, Any]:
    """Return the variables over benchmark that define how scores are scaled.

    Variables in which no benchmark differs from a plain fraction are left out, so that tables of
    fractions are the same as before other scales existed.
    """
    columns = {
        "scale": (np.array([info[n].scale for n in names], np.str_), FractionScale.kind),
        "lower_is_better": (np.array([info[n].lower_is_better for n in names]), False),
        "group": (np.array([info[n].group for n in names], np.str_), ""),
        "unit": (np.array([info[n].unit for n in names], np.str_), ""),
        "attempts": (np.array([info[n].attempts for n in names], dtype=int), 1),
        "source": (np.array([info[n].source for n in names], np.str_), ""),
        "task": (np.array([info[n].task for n in names], np.str_), ""),
    }
    variables: dict[str, Any] = {
        name: (BENCHMARK, values)
        for name, (values, plain) in columns.items()
        if any(values != plain)
    }
    ceilings = [info[n].ceiling for n in names]
    if any(ceiling is not None for ceiling in ceilings):
        values = [np.nan if ceiling is None else ceiling for ceiling in ceilings]
        variables["ceiling"] = (BENCHMARK, np.array(values, dtype=float))
    return variables


def scaling_of(benchmark: xr.Dataset) -> dict[str, Any]:
    """Return the fields of `Benchmark` from the variables of one benchmark."""
    fields: dict[str, Any] = {
        name: benchmark[name].item()
        for name in ("scale", "lower_is_better", "group", "unit", "attempts", "task", "source")
        if name in benchmark
    }
    if "ceiling" in benchmark and not np.isnan(float(benchmark["ceiling"])):
        fields["ceiling"] = float(benchmark["ceiling"])
    return fields


def scaling_columns(info: Sequence[Benchmark]) -> dict[str, list[Any]]:
    """Return columns on how benchmarks differ from plain fractions; none if none does."""
    plain = Benchmark()
    fields = ("scale", "lower_is_better", "ceiling", "unit")
    if all(
        getattr(benchmark, name) == getattr(plain, name) for benchmark in info for name in fields
    ):
        return {}
    return {
        "scale": [benchmark.scale for benchmark in info],
        "better": ["lower" if benchmark.lower_is_better else "higher" for benchmark in info],
        "ceiling": [
            np.nan if benchmark.ceiling is None else benchmark.ceiling for benchmark in info
        ],
        "unit": [benchmark.unit for benchmark in info],
    }


def scales_of(dataset: xr.Dataset) -> dict[str, Scale]:
    """Return the scale of each benchmark of a table, by name."""
    names = [str(name) for name in dataset[BENCHMARK].values]
    if "scale" not in dataset:
        return dict.fromkeys(names, FractionScale())
    return {name: scale_of(str(dataset["scale"].sel({BENCHMARK: name}).item())) for name in names}


def is_bounded(dataset: xr.Dataset) -> xr.DataArray:
    """Return which benchmarks' scores are fractions, dims (benchmark,)."""
    bounded = [scale.bounded is not None for scale in scales_of(dataset).values()]
    return _over_benchmarks(dataset, np.array(bounded, dtype=bool))


def lower_is_better(dataset: xr.Dataset) -> xr.DataArray:
    """Return on which benchmarks a lower score is better, dims (benchmark,)."""
    if "lower_is_better" in dataset:
        return dataset["lower_is_better"].astype(bool)
    return _over_benchmarks(dataset, np.zeros(dataset.sizes[BENCHMARK], dtype=bool))


def best_of(dataset: xr.Dataset) -> xr.DataArray:
    """Return the best fraction that each benchmark allows, dims (benchmark,): ceiling, 1 or 0."""
    ends = xr.where(lower_is_better(dataset), 0.0, 1.0)
    return dataset["ceiling"].fillna(ends) if "ceiling" in dataset else ends


def units_of(dataset: xr.Dataset) -> dict[str, str]:
    """Return the unit of each benchmark's scores, by name; an empty string if none is stated."""
    names = [str(name) for name in dataset[BENCHMARK].values]
    if "unit" not in dataset:
        return dict.fromkeys(names, "")
    return {name: str(dataset["unit"].sel({BENCHMARK: name}).item()) for name in names}


def with_standards(dataset: xr.Dataset) -> xr.Dataset:
    """Return the table with the centre and step of its unbounded benchmarks.

    Centre and step are the mean and standard deviation of the measured scores (of their logarithms
    on the scale ``"positive"``); the step is negative where lower is better, and 1 or -1 where
    scores do not vary. Existing ones are kept: tables simulated from a fitted one, and scores added
    to it, are on the same scale. Fractions have centre 0 and step 1, which nothing uses.
    """
    bounded = is_bounded(dataset)
    if bool(bounded.all()) or CENTRE in dataset:
        return dataset
    centre, step = np.zeros(dataset.sizes[BENCHMARK]), np.ones(dataset.sizes[BENCHMARK])
    sign = np.where(lower_is_better(dataset).values, -1.0, 1.0)
    for place, (name, scale) in enumerate(scales_of(dataset).items()):
        if scale.bounded is not None:
            continue
        values = on_draws(scale.forward(dataset["score"].sel({BENCHMARK: name}))).values
        known = values[~np.isnan(values)]
        centre[place] = known.mean() if known.size else 0.0
        spread = float(known.std()) if known.size else 0.0
        # Equal scores leave rounding noise, not always an exact zero.
        varies = spread > 1e-9 * max(1.0, abs(centre[place]))
        step[place] = sign[place] * (spread if varies else 1.0)
    return dataset.assign({CENTRE: (BENCHMARK, centre), STEP: (BENCHMARK, step)})


def without_standards(dataset: xr.Dataset) -> xr.Dataset:
    """Return a table without centre and step, for a fit to part of its scores."""
    return dataset.drop_vars([CENTRE, STEP], errors="ignore")


def on_one_scale(dataset: xr.Dataset) -> xr.DataArray:
    """Return scores that are comparable between benchmarks: higher is better, all unbounded.

    Logits of fractions (of 1 - score where lower is better), and standardised scores; dims
    (model, benchmark).

    Parameters
    ----------
    dataset
        A table with centre and step, its fractions inside (0, 1).
    """
    score = dataset["score"].transpose(MODEL, BENCHMARK)
    bounded = is_bounded(dataset)
    inside = score.where(bounded, 0.5)
    logit = np.log(inside) - np.log1p(-inside)
    value = xr.where(lower_is_better(dataset), -logit, logit).where(score.notnull())
    if CENTRE in dataset:
        value = value.where(bounded, standard_scores(dataset))
    return value.transpose(MODEL, BENCHMARK)


def standard_scores(dataset: xr.Dataset) -> xr.DataArray:
    """Return (forward(score) - centre) / step of unbounded benchmarks, NaN for fractions."""
    score = dataset["score"].transpose(MODEL, BENCHMARK)
    value = xr.full_like(score, np.nan)
    for place, scale in enumerate(scales_of(dataset).values()):
        if scale.bounded is None:
            value[:, place] = scale.forward(score[:, place])
    return (value - dataset[CENTRE]) / dataset[STEP]


def sampling_of(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the sampling error of each score, or None if the table states none.

    For a fraction measured on n items it is 1 / n; a standard error s counts as s^2 / (m (1 - m))
    at the score m, and takes precedence over a count. For other scores it is the variance on the
    standardised scale. It is 0 where nothing is stated. A benchmark's item count is used only if
    some of its scores state an error or a count of their own: otherwise the sampling of items is
    part of the estimated precision.

    Parameters
    ----------
    dataset
        A table with centre and step.

    Returns
    -------
    Dims (model, benchmark).
    """
    if "stderr" not in dataset and "cell_items" not in dataset:
        return None
    score = dataset["score"].transpose(MODEL, BENCHMARK)
    nothing = xr.full_like(score, np.nan)
    error = dataset.get("stderr", nothing).transpose(MODEL, BENCHMARK)
    items = with_items_of_scores(dataset)["cell_items"].transpose(MODEL, BENCHMARK)
    # A score of 0 with a standard error s is taken as s: it is not known to be below that.
    known = error.fillna(0.0).clip(0.0, _LARGEST_SAMPLING)
    middle = score.clip(known, 1 - known)
    variance = (middle * (1 - middle)).where(known > 0, 1.0)
    # If all n items are right, or all wrong, the error is estimated as 0, but it is not 0.
    exact = (error == 0) & (score > 0) & (score < 1)
    share = xr.where(known > 0, known**2 / variance, xr.where(exact, 0.0, 1 / items))
    sampling = share.clip(max=_LARGEST_SAMPLING)
    for place, scale in enumerate(scales_of(dataset).values()):
        if scale.bounded is None:
            slope = scale.step_at(score[:, place].values) / dataset[STEP].values[place]
            sampling[:, place] = (error[:, place] * slope) ** 2
    return sampling.fillna(0.0).where(score.notnull(), 0.0).transpose(MODEL, BENCHMARK)


def with_items_of_scores(dataset: xr.Dataset) -> xr.Dataset:
    """Return a table that states errors or counts, with the item count of every score written out.

    A benchmark's item count applies to its scores if some of them state an error or a count. In a
    part of the table none of them may; a part made from this table keeps the counts.
    """
    if "stderr" not in dataset and "cell_items" not in dataset:
        return dataset
    nothing = xr.full_like(dataset["score"], np.nan)
    own = dataset.get("cell_items", nothing)
    stated = (dataset.get("stderr", nothing).notnull() | own.notnull()).any(MODEL)
    return dataset.assign(cell_items=own.fillna(dataset["n_items"].where(stated)))


def with_errors_of(dataset: xr.Dataset, sampling: xr.DataArray) -> xr.Dataset:
    """Return a table whose standard errors imply these sampling errors at its own scores.

    The sampling error that a standard error implies depends on the score, so for scores that
    replace others, the original standard errors would be wrong. If no error is stated, none is
    added.

    Parameters
    ----------
    dataset
        A table with centre and step.
    sampling
        As `sampling_of` returns it, dims (model, benchmark).
    """
    if "stderr" not in dataset:
        return dataset
    score = dataset["score"].transpose(MODEL, BENCHMARK)
    share = score.where(is_bounded(dataset), 0.5)
    # As sampling_of reads them: s^2 / (m (1 - m)), and s / (1 - s) for scores within s of an end.
    inner = (sampling * share * (1 - share)) ** 0.5
    error = inner.where(inner < np.minimum(share, 1 - share), sampling / (1 + sampling))
    for place, scale in enumerate(scales_of(dataset).values()):
        if scale.bounded is None:
            slope = scale.step_at(score[:, place].values) / dataset[STEP].values[place]
            error[:, place] = np.sqrt(sampling[:, place]) / np.abs(slope)
    stated = dataset["stderr"]
    return dataset.assign(stderr=error.transpose(*stated.dims).where(stated.notnull()))


def usual_sampling(dataset: xr.Dataset) -> xr.DataArray | None:
    """Return the sampling error of a new score of each benchmark: the median of the known ones.

    Dims (benchmark,); 0 for a benchmark whose scores state none, None if no score does.
    """
    sampling = sampling_of(dataset)
    if sampling is None:
        return None
    return sampling.where(sampling > 0).median(MODEL).fillna(0.0)


def _over_benchmarks(dataset: xr.Dataset, values: np.ndarray) -> xr.DataArray:
    return xr.DataArray(values, {BENCHMARK: dataset[BENCHMARK].values}, (BENCHMARK,))
