"""Forecasts of many models, each conditional only on its own scores."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.fitted_scores import SharedFittedScores
from latentscale.analysis.forecasts.forecast import (
    BRIEF_MODELS,
    Forecast,
    brief_rows,
    with_assumed,
)
from latentscale.analysis.forecasts.new_scores import new_scores
from latentscale.analysis.forecasts.one_by_one import one_by_one
from latentscale.analysis.forecasts.predict import forecast_rows, sized_rows
from latentscale.analysis.forecasts.rows import planned_rows
from latentscale.analysis.forecasts.unused import new_models, warn_of_unused_features
from latentscale.analysis.tools.refits import in_one_process
from latentscale.analysis.tools.units import means_note
from latentscale.data.assumed_values import assumed_note
from latentscale.data.planned import ASSUMED
from latentscale.data.releases import named_release_of_rows
from latentscale.dims import BENCHMARK, DEFAULT_PROB, FAMILY, MODEL
from latentscale.errors import FitError, FitWarning, listed, nearest
from latentscale.expect import checked_workers, expect
from latentscale.markup import counted
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import truth

By = Literal["model", "release", "family"]
_FEW_SHOT = FewShot()
_STOPPED = "stopped before its turn"


@dataclass(frozen=True, repr=False)
class Forecasts(Result):
    """Forecasts of many models, each conditional only on its own scores.

    Each group of models has its own draws, based on different posterior draws. For joint statements
    about models of two groups, such as which one is better, call `latentscale.predict` on their
    rows.

    Attributes
    ----------
    models
        Names of the forecast models, in the order of the rows.
    by
        Which rows are conditioned together: ``"model"``, ``"release"`` or ``"family"``.
    parts
        The forecast of each group, and one forecast of all rows whose group has no new score.
    left_out
        Reasons why models are not forecast, by name.

    Raises
    ------
    FitError
        If the parts do not forecast each of these models exactly once.

    Examples
    --------
    >>> rows = planned.assign(hellaswag=0.84)
    >>> ls.studies.predict_each(fit, rows, seed=1, progress=False).models
    ('qwen2-30b',)
    """

    models: tuple[str, ...]
    by: By
    parts: tuple[Forecast, ...] = field(repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        held = [str(name) for part in self.parts for name in part.draws[MODEL].values]
        if sorted(held) != sorted(self.models):
            raise FitError(
                f"The parts forecast {listed(held)}, not each of {listed(self.models)} once."
            )

    plot = Picture("plot_forecast")

    @property
    def units(self) -> Mapping[str, str]:
        """Units of the benchmarks whose scores are not fractions, by name.

        Examples
        --------
        >>> ls.studies.predict_each(fit, planned, seed=1, progress=False).units
        {}
        """
        return self.parts[0].units

    @property
    def without_mean(self) -> tuple[str, ...]:
        """Benchmarks whose mean and sd are left out (see `Forecast.without_mean`).

        Examples
        --------
        >>> ls.studies.predict_each(fit, planned, seed=1, progress=False).without_mean
        ()
        """
        return self.parts[0].without_mean

    @property
    def headline(self) -> str:
        """How many models are forecast, how many of these have scores, and how many are left out.

        Examples
        --------
        >>> ls.studies.predict_each(fit, planned, seed=1, progress=False).headline
        'Forecasts of 1 model on 6 benchmarks, none of which has new scores'
        """
        benchmarks = self.parts[0].draws.sizes[BENCHMARK]
        given = [part for part in self.parts if part.conditioning is not None]
        scored = sum(part.draws.sizes[MODEL] for part in given)
        total = sum(part.conditioning.n_scores for part in given if part.conditioning)
        how = (
            f"{scored} of them given {counted(total, 'score')}, each {self.by} its own"
            if given
            else "none of which has new scores"
        )
        out = f"; {len(self.left_out)} left out (.left_out)" if self.left_out else ""
        return (
            f"Forecasts of {counted(len(self.models), 'model')} on "
            f"{counted(benchmarks, 'benchmark')}, {how}{out}{means_note(self.without_mean)}"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """The fit's status if it is not fine, and values assumed where rows left them out.

        Examples
        --------
        >>> each = ls.studies.predict_each(fit, planned, seed=1, progress=False)
        >>> each.notes[-1].partition(";")[0]
        'Left out and assumed: instruct=0 (family) in 1 of 1 row'
        """
        texts = [
            text
            for part in self.parts
            for text in with_assumed(part.models)[ASSUMED].values.tolist()
        ]
        return (*super().notes, *assumed_note(texts))

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per model and benchmark, as in `Forecast.table`.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval of a new score.

        Returns
        -------
        pandas.DataFrame
            The tables of all parts, models in the order of the rows.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> len(ls.studies.predict_each(fit, planned, seed=1, progress=False).table(prob=0.5))
        6
        """
        return self._in_order([part.table(prob) for part in self.parts])

    def trust(self, points: float = 5.0) -> pd.DataFrame:
        """Return how certain each forecast is (see `Forecast.trust`), the most certain first.

        Parameters
        ----------
        points
            The error, in percentage points for fractions and in units for other benchmarks.

        Returns
        -------
        pandas.DataFrame
            Columns model, benchmark, median, unit and trust.

        Raises
        ------
        FitError
            If `points` is not a number above 0.

        Examples
        --------
        >>> sure = ls.studies.predict_each(fit, planned, seed=1, progress=False).trust(points=5)
        >>> len(sure)
        6
        """
        table = self._in_order([part.trust(points) for part in self.parts])
        return table.sort_values("trust", ascending=False, kind="stable").reset_index(drop=True)

    def conditioning(self) -> pd.DataFrame:
        """Return how scores condition the forecast of each model.

        Returns
        -------
        pandas.DataFrame
            Columns model, n_scores (new scores of its group), method, ess (effective number of
            posterior draws behind its forecast), pareto_k (of their weights), power (below 1 if
            weights were tempered), and left_out: why it is not forecast, empty if it is. Models
            without a new score in their group have n_scores 0, and empty cells where a column does
            not apply.

        Examples
        --------
        >>> rows = planned.assign(hellaswag=0.84)
        >>> each = ls.studies.predict_each(fit, rows, seed=1, progress=False)
        >>> each.conditioning()["n_scores"].tolist()
        [1]
        """
        rows = []
        for part in self.parts:
            given = part.conditioning
            about = {
                "n_scores": 0 if given is None else given.n_scores,
                "method": "" if given is None else given.method,
                "ess": np.nan if given is None else given.ess,
                "pareto_k": np.nan if given is None else given.pareto_k,
                "power": np.nan if given is None else given.power,
                "left_out": "",
            }
            rows += [{"model": str(name), **about} for name in part.draws[MODEL].values]
        out = [{"model": name, "left_out": why} for name, why in self.left_out.items()]
        table = pd.concat([self._in_order([pd.DataFrame(rows)]), pd.DataFrame(out)])
        return table.astype({"n_scores": "Int64"}).reset_index(drop=True)

    def of(self, model: str) -> Forecast:
        """Return the forecast that contains a model, with the others of its group.

        Parameters
        ----------
        model
            Its name.

        Returns
        -------
        Forecast
            Joint draws of these models.

        Raises
        ------
        FitError
            If the model is not forecast.

        Examples
        --------
        >>> each = ls.studies.predict_each(fit, planned, seed=1, progress=False)
        >>> each.of("qwen2-30b").draws.sizes["model"]
        1
        """
        for part in self.parts:
            if model in part.draws[MODEL].values:
                return part
        if model in self.left_out:
            raise FitError(f'Model "{model}" is not forecast: {self.left_out[model]}')
        raise FitError(f'Model "{model}" is not among these.{nearest(str(model), self.models)}')

    def brief(self) -> pd.DataFrame:
        """Return the rows of the first models, without empty columns.

        Returns
        -------
        pandas.DataFrame
            As in `table`, for the first models, without columns that are empty.

        Examples
        --------
        >>> each = ls.studies.predict_each(fit, planned, seed=1, progress=False)
        >>> each.brief()["model"].unique().tolist()
        ['qwen2-30b']
        """
        first = self.models[:BRIEF_MODELS]
        parts = [part for part in self.parts if np.isin(part.draws[MODEL].values, first).any()]
        table = self._in_order([part.table() for part in parts])
        return brief_rows(table[table["model"].isin(first)])

    def _in_order(self, tables: list[pd.DataFrame]) -> pd.DataFrame:
        table = pd.concat(tables, ignore_index=True)
        place = {name: number for number, name in enumerate(self.models)}
        return table.sort_values(
            "model", key=lambda names: names.map(place), kind="stable"
        ).reset_index(drop=True)


def predict_each(
    fit: Fit,
    frame: pd.DataFrame,
    *,
    by: By = "release",
    seed: int = 0,
    few_shot: FewShot = _FEW_SHOT,
    draws: int | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Forecasts:
    """Forecast the scores of many models, each conditional only on its own scores.

    `latentscale.predict` conditions all rows on all new scores together. The scores of about ten or
    more new models are so informative that the weights of the posterior draws become degenerate,
    and the table has to be fitted. Here the rows of each model, release or family are forecast
    separately, exactly as `predict` would forecast these rows alone. What scores of one group imply
    about other groups, and about the effects that all models share, is not passed on to them.

    Parameters
    ----------
    fit
        A fit.
    frame
        Rows as for `latentscale.predict`.
    by
        Which rows share their scores. ``"release"``: the settings of one model (``"o3_low"`` and
        ``"o3_high"``), and every other row by itself. ``"model"``: every row by itself.
        ``"family"``: the rows of one family, whose scores then inform one another's forecasts;
        weights are degenerate more often (``FewShot(degenerate="temper")``).
    seed
        Seed of the random numbers, the same for each group.
    few_shot
        How scores condition the forecast. Where a group's weights are degenerate and neither
        ``few_shot.refit`` nor ``few_shot.degenerate`` says what to do, its models are left out.
    draws
        At most this many posterior draws are used, evenly spread; by default all.
    workers
        Processes that forecast at once, each with its own copy of the fit in memory; results are
        the same for any number of processes. With several, a ``few_shot.refit`` runs its chains one
        after the other.
    progress
        Whether to show how many groups are done.

    Returns
    -------
    Forecasts
        One table of all models; ``.of(model)`` is the forecast of a model with its joint draws.
        After a stop (Ctrl-C), the groups done so far, with all others in ``left_out``.

    Raises
    ------
    FitError
        If `by` is none of these, `workers` is not a whole number above 0, no group can be
        forecast, or the forecasts would not fit in memory.
    DataError
        As `latentscale.predict`.

    Warns
    -----
    FitWarning
        If models are left out, or some have most of the weight on few posterior draws.
    DataWarning
        As `latentscale.predict`.

    Examples
    --------
    >>> two = pd.DataFrame(
    ...     {
    ...         "model": ["qwen2-30b", "new-7b"],
    ...         "family": ["qwen2", "new"],
    ...         "params_b": [30.0, 7.0],
    ...         "tokens_t": [7.0, 5.0],
    ...         "instruct": [0, 0],
    ...         "hellaswag": [0.84, 0.8],
    ...     }
    ... )
    >>> each = ls.studies.predict_each(fit, two, seed=1, progress=False)
    >>> each.headline
    'Forecasts of 2 models on 6 benchmarks, 2 of them given 2 scores, each release its own'
    """
    expect(fit, Fit, "fit")
    if not isinstance(by, str) or by not in get_args(By):
        raise FitError(f"by must be one of {listed(get_args(By))}; got {by!r}.")
    truth(progress, "progress", error=FitError)
    workers = checked_workers(workers)
    planned = planned_rows(fit, sized_rows(fit, frame, few_shot, draws))
    new = new_models(fit.scores.dataset, planned)
    warn_of_unused_features(fit.spec, fit.scores.dataset, new, "new rows", stacklevel=2)
    groups, rest = _groups(fit, planned, by)
    if few_shot.refit is not None:
        few_shot = replace(few_shot, refit=in_one_process(few_shot.refit, workers))
    forecast = _Alone(fit, planned, seed, few_shot, draws, SharedFittedScores(fit))
    # Rows without new scores come first, so that a stop does not lose finished groups.
    parts = [forecast(rest, None)] if rest else []
    made: dict[str, Forecast] = {}
    left_out = {name: _STOPPED for names in groups for name in names}
    warned: dict[str, str] = {}
    try:
        for names, part, said in one_by_one(groups, forecast.given, progress, workers):
            for name in names:
                del left_out[name]
            if part is None:
                left_out |= dict.fromkeys(names, said)
                continue
            made[names[0]] = part
            warned |= dict.fromkeys(names, said) if said else {}
    except KeyboardInterrupt:
        if not parts and not made:
            raise
    # Groups arrive as they finish; messages about them follow the order of the rows.
    parts += [made[names[0]] for names in groups if names[0] in made]
    given = [name for names in groups for name in names]
    left_out = {name: left_out[name] for name in given if name in left_out}
    warned = {name: warned[name] for name in given if name in warned}
    if not parts:
        name, why = next(iter(left_out.items()))
        raise FitError(f'No model can be forecast. Model "{name}": {why}')
    _warn(left_out, warned)
    kept = [str(name) for name in planned[MODEL].values if name not in left_out]
    return Forecasts(tuple(kept), by, tuple(parts), left_out, fit_status=fit.status.caveat)


def _groups(fit: Fit, planned: xr.Dataset, by: By) -> tuple[list[list[str]], list[str]]:
    """Return the names of the rows of each group with new scores, and of all other rows."""
    names = [str(name) for name in planned[MODEL].values]
    if "score" not in planned:
        return [], names
    labels: list[object] = list(names)
    if by == "release":
        about = planned.drop_dims(BENCHMARK).drop_vars(ASSUMED).to_dataframe().reset_index()
        labels = named_release_of_rows(about).tolist()
    elif by == "family":
        labels = planned[FAMILY].values.tolist()
    scored = new_scores(fit, planned).any(BENCHMARK).values
    known = {label for label, has in zip(labels, scored, strict=True) if has}
    groups: dict[object, list[str]] = {label: [] for label in labels if label in known}
    for name, label in zip(names, labels, strict=True):
        if label in known:
            groups[label].append(name)
    rest = [name for name, label in zip(names, labels, strict=True) if label not in known]
    return list(groups.values()), rest


@dataclass(frozen=True)
class _Alone:
    """Forecasts rows by themselves; holds all that a worker process needs."""

    fit: Fit
    planned: xr.Dataset
    seed: int
    few_shot: FewShot
    draws: int | None
    fitted: SharedFittedScores

    def __call__(self, names: list[str], how: FewShot | None) -> Forecast:
        """Return the forecast of the rows with these names."""
        rows = self.planned.sel({MODEL: names})
        return forecast_rows(
            self.fit, rows, seed=self.seed, few_shot=how, draws=self.draws, fitted=self.fitted
        )

    def given(self, names: list[str]) -> Forecast:
        """Return the forecast of these rows given their scores."""
        return self(names, self.few_shot)


def _warn(left_out: Mapping[str, str], warned: Mapping[str, str]) -> None:
    """Give one warning for models left out and one for models whose forecasts had warnings."""
    if left_out:
        first, why = next(iter(left_out.items()))
        warnings.warn(
            f"{counted(len(left_out), 'model')} not forecast: {listed(left_out)}. .left_out says "
            f'why; of "{first}": {why}',
            FitWarning,
            stacklevel=3,
        )
    if warned:
        warnings.warn(warned_text(warned), FitWarning, stacklevel=3)


def warned_text(warned: Mapping[str, str]) -> str:
    """Return one warning text for all models whose forecasts had warnings."""
    first, why = next(iter(warned.items()))
    several = len(warned) > 1
    return (
        f"Of the forecasts given scores, {counted(len(warned), 'model')} "
        f'{"have" if several else "has"} a warning: {listed(warned)}. Of "{first}": {why}'
    )
