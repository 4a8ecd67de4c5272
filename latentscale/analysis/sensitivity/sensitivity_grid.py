"""Sensitivity by refitting: other priors, other anchors, and single families left out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.from_names import with_families_read
from latentscale.analysis.forecasts.rows import stated_rows
from latentscale.analysis.sensitivity.grid_result import BASE, KEY, SensitivityGrid
from latentscale.analysis.sensitivity.sensitivity import (
    FORECAST,
    flat,
    identified_parameters,
    quantities_of,
)
from latentscale.analysis.tools.refit_files import checked_folder, run_key, summary_file
from latentscale.analysis.tools.refits import (
    Refit,
    in_one_process,
    refuse_store,
    run_refits,
    whole,
)
from latentscale.analysis.tools.summaries import quantiles
from latentscale.analysis.tools.units import other_units
from latentscale.data.frames import as_pandas
from latentscale.data.planned import NOT_FORECAST, planned_models
from latentscale.data.scaling import without_standards
from latentscale.data.scores import Scores
from latentscale.declare.prior import Prior
from latentscale.declare.skills import Anchored
from latentscale.declare.spec import ModelSpec
from latentscale.dims import DEFAULT_PROB, SAMPLE, checked_seed, interval_quantiles
from latentscale.errors import (
    DataError,
    DataWarning,
    FitError,
    FitWarning,
    SpecError,
    listed,
    nearest,
)
from latentscale.expect import checked_cluster, checked_workers, expect, expect_names
from latentscale.inference.method import Method
from latentscale.inference.nuts.method import NUTS
from latentscale.inference.run import fit
from latentscale.markup import FRACTION
from latentscale.model.build import build
from latentscale.posterior.fit import Fit

_DEFAULT_METHOD = NUTS(draws=500, tune=500)
"""Half the usual draws: enough to compare medians and intervals, since each variant is a refit."""
SUMMARY = ("variable", "where", "median", "sd", "lower", "upper", "max_rhat")
"""Columns of `summary_of`."""

Variant = ModelSpec | Mapping[str, Prior | Mapping[str, Any]]


@dataclass(frozen=True)
class _Variant(Refit):
    name: str = field(default="", kw_only=True)
    spec: ModelSpec
    scores: Scores
    frame: pd.DataFrame | None
    variables: tuple[str, ...] | None
    method: Method
    seed: int
    prob: float
    file: Path | None = None
    columns = SUMMARY

    def table(self) -> pd.DataFrame:
        fitted = fit(self.spec, self.scores, method=self.method, seed=self.seed, progress=False)
        return summary_of(whole(fitted), self.frame, self.variables, self.prob, self.seed)


@dataclass(frozen=True)
class _Run:
    """Settings of the refits of one call."""

    frame: pd.DataFrame | None
    variables: Sequence[str] | None
    method: Method
    prob: float
    seed: int
    workers: int
    folder: Path | None
    cluster: str | None
    progress: bool


def sensitivity_grid(
    spec: ModelSpec,
    scores: Scores,
    variants: Mapping[str, Variant],
    *,
    frame: pd.DataFrame | None = None,
    variables: Sequence[str] | None = None,
    method: Method = _DEFAULT_METHOD,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
    workers: int = 1,
    folder: str | Path | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> SensitivityGrid:
    """Refit with other priors, or other specs, and compare parameters and forecasts.

    Parameters
    ----------
    spec, scores
        The base model and the table.
    variants
        By name, priors that replace the spec's own, such as ``{"wide slopes": {"slope": {"dist":
        "Normal", "mu": 0, "sigma": 3}}}``, or whole specs.
    frame
        Planned models, as for `latentscale.predict`, whose expected scores are also compared.
    variables
        Parameters to compare; by default the top-level ones, except those that change with the
        rotation of free skills. Parameters that a variant does not have are left out for it.
    method
        How each variant is fitted. Changes smaller than a tenth of a standard deviation may be
        Monte Carlo error with few draws.
    prob
        Probability of the intervals.
    seed
        Seed of every fit, the same for all.
    workers
        Refits that run at once, each in its own process.
    folder
        Where results of finished refits are kept; a stopped call continues from there, and one with
        more variants fits only those. The folder keeps summaries, by spec, table, method, seed,
        interval, frame and variables; different runs can share a folder, as in
        `latentscale.backtest`.
    cluster
        Address of a dask.distributed scheduler whose workers run the refits instead, as in
        `latentscale.backtest`.
    progress
        Whether to show how many refits are done.

    Returns
    -------
    SensitivityGrid
        One row per variant and quantity.

    Raises
    ------
    SpecError
        If `variants` is empty, a variant is called ``base`` or names an unknown prior, or two
        variants have the same name (1 and ``"1"``).
    FitError
        If the base or every variant fails, or the folder cannot be used.

    Examples
    --------
    >>> priors = {"wide": {"intercept": {"dist": "Normal", "mu": 0, "sigma": 4}}}
    >>> grid = ls.studies.sensitivity_grid(
    ...     pooled.spec, pooled.scores, priors, method=ls.Laplace(draws=100), progress=False
    ... )
    >>> grid.table().columns.tolist()[:4]
    ['variant', 'variable', 'where', 'median']
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    run = _checked_run(frame, variables, method, prob, seed, workers, folder, cluster, progress)
    specs = _specs(spec, variants)
    if frame is not None:
        named, _ = with_families_read(scores, as_pandas(frame, NOT_FORECAST))
        run = replace(run, frame=named)
    tables, failed = _refitted(specs, {name: scores for name in specs}, run, "variants")
    if BASE in failed:
        raise FitError(f"The base spec failed: {failed[BASE]}")
    words = {name: _words(spec, other) for name, other in specs.items() if name != BASE}
    return SensitivityGrid(_with_units(_changes(tables), scores), words, failed, prob)


def leave_families_out(
    spec: ModelSpec,
    scores: Scores,
    families: Sequence[str],
    *,
    frame: pd.DataFrame | None = None,
    variables: Sequence[str] | None = None,
    method: Method = _DEFAULT_METHOD,
    prob: float = DEFAULT_PROB,
    seed: int = 0,
    workers: int = 1,
    folder: str | Path | None = None,
    cluster: str | None = None,
    progress: bool = True,
) -> SensitivityGrid:
    """Refit without each of some families and compare parameters and forecasts: exact influence.

    Models of `frame` in a family that is left out are forecast as members of a new family.

    Parameters
    ----------
    spec, scores, frame, variables, method, prob, seed, workers, folder, cluster, progress
        As for `sensitivity_grid`.
    families
        Families that are left out, one at a time.

    Returns
    -------
    SensitivityGrid
        One variant per family, called ``without FAMILY``.

    Raises
    ------
    DataError
        If a family is unknown, or it is the only one.
    FitError
        If the fit with all families fails.

    Examples
    --------
    >>> grid = ls.studies.leave_families_out(
    ...     pooled.spec, pooled.scores, ["qwen2"], method=ls.Laplace(draws=100), progress=False
    ... )
    >>> grid.table().columns.tolist()[:4]
    ['variant', 'variable', 'where', 'median']
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    run = _checked_run(frame, variables, method, prob, seed, workers, folder, cluster, progress)
    families = expect_names(families, "families", f'["{scores.families[0]}"]')
    unknown = [name for name in families if name not in scores.families]
    if unknown or not families:
        raise DataError(
            "families must be a list of families of the table; unknown: "
            f"{listed(unknown) or 'none'}. Allowed: {listed(scores.families)}."
            + (nearest(unknown[0], scores.families) if unknown else "")
        )
    if len(scores.families) < 2:
        raise DataError("The table has only one family; without it nothing is left.")
    owner = dict(zip(scores.dataset["model"].values, scores.dataset["family"].values, strict=True))
    tables = {BASE: scores}
    for family in families:
        rest = scores.without([m for m, f in owner.items() if f == family])
        # The centre and step of a fit's scores must not depend on the family.
        tables[f"without {family}"] = Scores(without_standards(rest.dataset), rest.audit)
    specs = {name: spec for name in tables}
    # A family that is left out is new to the refit, which could not fill in values missing in rows.
    if frame is not None:
        stated = stated_rows(frame, scores, spec)
        run = replace(run, frame=stated)
    summaries, failed = _refitted(specs, tables, run, "families")
    if BASE in failed:
        raise FitError(f"The fit with all families failed: {failed[BASE]}")
    words = {name: f"{name}, exact refit" for name in tables if name != BASE}
    return SensitivityGrid(_with_units(_changes(summaries), scores), words, failed, prob)


def summary_of(
    result: Fit,
    frame: pd.DataFrame | None,
    variables: Sequence[str] | None,
    prob: float,
    seed: int,
) -> pd.DataFrame:
    """Return median, sd and interval of parameters and forecasts, one row per quantity."""
    if variables is None:
        names = identified_parameters(result)
    else:
        names = [name for name in variables if name in result.posterior]
    groups = [flat(group) for group in quantities_of(result, names, frame, seed)]
    rhat = result.convergence().max_rhat
    return pd.concat([_summary(group, prob, rhat) for group in groups], ignore_index=True)


def _summary(draws: xr.DataArray, prob: float, max_rhat: float) -> pd.DataFrame:
    ends = quantiles(draws, prob)
    return pd.DataFrame(
        {
            "variable": draws["variable"].values,
            "where": draws["where"].values,
            "median": ends["median"].values,
            "sd": draws.std(SAMPLE, ddof=1).values,
            "lower": ends["lower"].values,
            "upper": ends["upper"].values,
            "max_rhat": max_rhat,
        }
    )


def _checked_run(
    frame: pd.DataFrame | None,
    variables: Sequence[str] | None,
    method: Method,
    prob: float,
    seed: int,
    workers: int,
    folder: str | Path | None,
    cluster: str | None,
    progress: bool,
) -> _Run:
    expect(method, Method, "method")
    refuse_store(method, "variant")
    workers, seed = checked_workers(workers), checked_seed(seed)
    interval_quantiles(prob)
    place = None if folder is None else checked_folder(folder)
    address = checked_cluster(cluster)
    return _Run(frame, variables, method, prob, seed, workers, place, address, progress)


def _specs(spec: ModelSpec, variants: Mapping[str, Variant]) -> dict[str, ModelSpec]:
    if not isinstance(variants, Mapping) or not variants:
        raise SpecError('Give at least one variant, such as {"wide": {"slope": {...}}}.')
    if BASE in variants:
        raise SpecError(
            f'"{BASE}" is the name of the unchanged spec; give the variant another name.'
        )
    specs = {BASE: spec}
    for name, variant in variants.items():
        try:
            made = variant if isinstance(variant, ModelSpec) else spec.with_priors(variant)
        except (SpecError, AttributeError, TypeError) as error:
            raise SpecError(f'variant "{name}": {error}') from None
        if str(name) in specs:
            raise SpecError(f'Two variants have the name "{name}" as text; give each its own name.')
        specs[str(name)] = made
    return specs


def _refitted(
    specs: Mapping[str, ModelSpec], tables: Mapping[str, Scores], run: _Run, unit: str
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Return the summary of each variant, the base first, and the reasons of failures."""
    # Invalid rows and names are refused before the first fit.
    frame = None if run.frame is None else as_pandas(run.frame, NOT_FORECAST)
    for table in () if frame is None else tables.values():
        lineages = {str(f): str(g) for f, g in table.family_lineage().items()}
        planned_models(frame, table.benchmarks, lineages)
    names = _checked_variables(specs, tables, run.variables)
    method = in_one_process(run.method, run.workers, run.cluster)
    made = []
    for name, spec in specs.items():
        file = None
        if run.folder is not None:
            key = run_key(spec, tables[name], run.method, run.seed, run.prob)
            file = summary_file(run.folder, key, frame, names)
        made.append(
            _Variant(spec, tables[name], frame, names, method, run.seed, run.prob, file, name=name)
        )
    summaries, failed = run_refits(
        made, run.workers, run.cluster, title="refits", unit=unit, progress=run.progress
    )
    if BASE in failed:
        return summaries, failed
    if set(summaries) <= {BASE}:
        raise FitError(f"Every refit failed; the first: {next(iter(failed.values()))}")
    if failed:
        reasons = "; ".join(f'"{name}": {reason}' for name, reason in failed.items())
        warnings.warn(f"{len(failed)} refits failed. {reasons}", FitWarning, stacklevel=3)
    return summaries, failed


def _checked_variables(
    specs: Mapping[str, ModelSpec], tables: Mapping[str, Scores], variables: Sequence[str] | None
) -> tuple[str, ...] | None:
    """Refuse a parameter that is in no variant's model, before the first fit."""
    if variables is None:
        return None
    names = expect_names(variables, "variables", '["slope"]')
    if not names:
        return names
    known: dict[str, None] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the fits warn about rows left out
        for name, spec in specs.items():
            known |= dict.fromkeys(str(n) for n in build(spec, tables[name]).named_vars)
            known |= {"model_skill": None} if spec.skills.count else {}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SpecError(
            f"variables: no variant has {listed(unknown)}; known are {listed(known, 30)}."
            + nearest(unknown[0], known)
        )
    return names


def _changes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return all variants compared with the base, for quantities that both have."""
    base = tables[BASE].set_index(KEY)
    parts = []
    for name, table in tables.items():
        mine = table.set_index(KEY)
        both = mine.index.intersection(base.index, sort=False)
        mine, own = mine.loc[both], base.loc[both]
        change = mine["median"] - own["median"]
        parts.append(
            mine.drop(columns="sd")
            .assign(
                variant=name,
                change=change,
                change_in_sd=change / own["sd"],
                width_ratio=(mine["upper"] - mine["lower"]) / (own["upper"] - own["lower"]),
            )
            .reset_index()
        )
    table = pd.concat(parts, ignore_index=True)
    columns = ["median", "lower", "upper", "change", "change_in_sd", "width_ratio", "max_rhat"]
    return table[["variant", *KEY, *columns]]


def _with_units(rows: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Return the rows with a last column, the unit of each expected score ("" for parameters)."""
    units = other_units(scores)
    unit_of = {name: units.get(name, FRACTION) for name in sorted(scores.benchmarks, key=len)}

    def unit(variable: str, where: str) -> str:
        if variable != FORECAST:
            return ""
        # `flat` labels it "model, benchmark"; a benchmark's own name may have a comma.
        return [said for name, said in unit_of.items() if where.endswith(f", {name}")][-1]

    return rows.assign(unit=list(map(unit, rows["variable"], rows["where"])))


def _words(base: ModelSpec, other: ModelSpec) -> str:
    """Describe how a variant differs from the base."""
    names = {*base.priors, *other.priors}
    changed = [
        f"{name} ~ {other.prior(name)} for {base.prior(name)}"
        for name in sorted(names)
        if base.prior(name) != other.prior(name)
    ]
    bare = [spec.with_({"priors": {}}) for spec in (base, other)]
    if bare[0].digest != bare[1].digest:
        was, now = base.skills.identify, other.skills.identify
        if isinstance(was, Anchored) and isinstance(now, Anchored) and was != now:
            changed.append(f"anchors {listed(now.anchors)}")
        else:
            changed.append(f'spec "{other.name}"')
    return "; ".join(changed) or "the same as the base"
