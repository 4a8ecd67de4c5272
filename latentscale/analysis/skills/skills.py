"""Skills: what they are, which models have them, and how they correlate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.skills.identified import require_identified
from latentscale.analysis.tools.summaries import summary
from latentscale.dims import BENCHMARK, DEFAULT_PROB, FAMILY, MODEL, SAMPLE, SKILL
from latentscale.errors import DataError, SpecError, nearest
from latentscale.expect import expect
from latentscale.model.evaluate import FITTED_RESIDUALS
from latentscale.model.terms.family_level import SKILL_FACTOR
from latentscale.posterior.fit import Fit
from latentscale.result import Picture, Result
from latentscale.validate import whole_number

OTHER_SKILL = "other_skill"
BETWEEN_FAMILIES = "families"
BETWEEN_MODELS = "models"


@dataclass(frozen=True, repr=False)
class Skills(Result):
    """The skills of a fit, as draws.

    Attributes
    ----------
    loading
        lambda, change of a benchmark's linear predictor per unit of a skill, dims (sample,
        benchmark, skill).
    share
        Standardised loading: lambda times the standard deviation of the skill over that of
        the linear predictor, both over the fitted models; same dims.
    model
        theta, skills of the fitted models, dims (sample, model, skill).
    family
        alpha, a family's effect on the skills of its members beyond their size, tokens and other
        covariates, at the covariates' mean; dims (sample, family, skill), None if families have no
        level.
    population
        Covariance of alpha between families, dims (sample, skill, other_skill); None if families
        are not pooled.
    family_of_model
        Names of families, dims (model,).
    is_posterior
        False if the fit is a point estimate; tables then hold no intervals.

    Examples
    --------
    >>> skills = ls.skills(fit)
    >>> skills.loadings().columns.tolist()[:5]
    ['benchmark', 'skill', 'median', 'lower', 'upper']
    """

    loading: xr.DataArray
    share: xr.DataArray
    model: xr.DataArray
    family: xr.DataArray | None
    population: xr.DataArray | None
    family_of_model: xr.DataArray
    is_posterior: bool = True

    def loadings(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per benchmark and skill.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns benchmark, skill, median, lower, upper (of the loading), standardised (median)
            and prob_positive.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> ls.skills(fit).loadings().columns.tolist()[:3]
        ['benchmark', 'skill', 'median']
        """
        table = summary(self.loading, prob, is_posterior=self.is_posterior)
        order = [BENCHMARK, SKILL]
        more = xr.Dataset(
            {
                "standardised": self.share.median(SAMPLE),
                "prob_positive": (self.loading > 0).mean(SAMPLE),
            }
        ).to_dataframe(dim_order=order)
        return table.join(more[["standardised", "prob_positive"]], on=order)

    def models(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per model and skill.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns model, skill, median, lower, upper and family.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> ls.skills(fit).models().columns.tolist()[:3]
        ['model', 'skill', 'median']
        """
        table = summary(self.model, prob, is_posterior=self.is_posterior)
        return table.join(self.family_of_model.to_series().rename(FAMILY), on=MODEL)

    def families(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per family and skill.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns skill, family, median, lower and upper.

        Raises
        ------
        SpecError
            If the spec gives families no level.
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> ls.skills(fit).families().columns.tolist()[:3]
        ['skill', 'family', 'median']
        """
        by_skill = self._family().transpose(..., SKILL, FAMILY)
        return summary(by_skill, prob, is_posterior=self.is_posterior)

    def compare_families(self, a: str, b: str, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return how much higher family `a` is than family `b`, skill by skill.

        The difference of alpha, at equal size, tokens and other covariates. It excludes effects
        outside the skills, such as a benchmark's own effect of instruction tuning.

        Parameters
        ----------
        a, b
            Two fitted families.
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns skill, median, lower, upper (of a minus b) and prob_higher (that a is higher).

        Raises
        ------
        SpecError
            If the spec gives families no level.
        DataError
            If a family is not in the fit.

        Examples
        --------
        >>> ls.skills(fit).compare_families("qwen2", "llama-2").columns.tolist()[:3]
        ['skill', 'median', 'lower']
        """
        every = self._family()
        difference = _selected(every, FAMILY, a) - _selected(every, FAMILY, b)
        return self._compared(difference, prob)

    def compare_models(self, a: str, b: str, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return how much higher model `a` is than model `b`, as `compare_families` does.

        Parameters
        ----------
        a, b
            Names of fitted models.
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns as in `compare_families`, one row per skill.

        Raises
        ------
        DataError
            If a model is not in the fit.
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> ls.skills(fit).compare_models("qwen2-7b", "llama-2-7b").columns.tolist()[:3]
        ['skill', 'median', 'lower']
        """
        difference = _selected(self.model, MODEL, a) - _selected(self.model, MODEL, b)
        return self._compared(difference, prob)

    def correlations(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return the correlation of each pair of skills.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns between (``"families"``: of alpha in the population of families, where they are
            pooled; ``"models"``: of theta over the fitted models, covariates included), skill,
            other_skill, median, lower, upper.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> ls.skills(fit).correlations().columns.tolist()[:3]
        ['between', 'skill', 'other_skill']
        """
        centred = self.model - self.model.mean(MODEL)
        other = centred.rename({SKILL: OTHER_SKILL})
        matrices = {BETWEEN_MODELS: _correlation((centred * other).mean(MODEL))}
        if self.population is not None:
            matrices = {BETWEEN_FAMILIES: _correlation(self.population), **matrices}
        tables = []
        place = {str(name): index for index, name in enumerate(self.loading[SKILL].values)}
        for between, draws in matrices.items():
            table = summary(draws.transpose(SAMPLE, SKILL, OTHER_SKILL), prob)
            table = table[table[SKILL].map(place) < table[OTHER_SKILL].map(place)]
            if not self.is_posterior:
                table = table.assign(lower=np.nan, upper=np.nan)
            table.insert(0, "between", between)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def top_benchmarks(self, n: int = 3) -> pd.DataFrame:
        """Return the benchmarks that each skill affects most, to help name it.

        Parameters
        ----------
        n
            Number of benchmarks per skill.

        Returns
        -------
        pandas.DataFrame
            Columns skill, rank, benchmark, standardised (median standardised loading) and prob_top
            (posterior probability that it is among the n largest in size).

        Raises
        ------
        DataError
            If `n` is not a whole number of at least 1.

        Examples
        --------
        >>> ls.skills(fit).top_benchmarks(1).columns.tolist()[:2]
        ['skill', 'rank']
        """
        n = whole_number(n, "n", least=1, error=DataError)
        size = abs(self.share)
        ahead = (size.rename({BENCHMARK: "rival"}) > size).sum("rival")
        among = (ahead < n).mean(SAMPLE)
        middle = self.share.median(SAMPLE)
        rows = []
        for skill in self.share[SKILL].values:
            here = middle.sel({SKILL: skill})
            order = here[BENCHMARK].values[np.argsort(-abs(here.values), kind="stable")][:n]
            for place, benchmark in enumerate(order, start=1):
                rows.append(
                    {
                        "skill": str(skill),
                        "rank": place,
                        "benchmark": str(benchmark),
                        "standardised": float(here.sel({BENCHMARK: benchmark})),
                        "prob_top": float(among.sel({SKILL: skill, BENCHMARK: benchmark})),
                    }
                )
        return pd.DataFrame(rows)

    def _family(self) -> xr.DataArray:
        if self.family is None:
            raise SpecError(
                'The spec gives families no level (family.level is "none"), so their skills do '
                "not differ; .models() has the skills of models."
            )
        return self.family

    def _compared(self, difference: xr.DataArray, prob: float) -> pd.DataFrame:
        table = summary(difference, prob, is_posterior=self.is_posterior)
        higher = (difference > 0).mean(SAMPLE).to_series().rename("prob_higher")
        return table.join(higher, on=SKILL)

    plot = Picture("plot_loadings")

    @property
    def headline(self) -> str:
        """Number of skills, models and benchmarks.

        Examples
        --------
        >>> skills.headline.partition(",")[0]
        '2 skills of 55 models on 6 benchmarks'
        """
        sizes = self.loading.sizes
        return (
            f"{sizes[SKILL]} skills of {self.model.sizes[MODEL]} models on {sizes[BENCHMARK]} "
            f"benchmarks, {sizes[SAMPLE]} draws; below, what each moves most"
        )

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return the loadings, as `loadings` does.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            One row per benchmark and skill.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> skills.table().equals(skills.loadings())
        True
        """
        return self.loadings(prob)

    def brief(self) -> pd.DataFrame:
        """Return the benchmarks that each skill affects most.

        Returns
        -------
        pandas.DataFrame
            As `top_benchmarks`.

        Examples
        --------
        >>> skills.brief().columns.tolist()[:3]
        ['skill', 'rank', 'benchmark']
        """
        return self.top_benchmarks()


def skills(fit: Fit) -> Skills:
    """Return the skills of a fit: loadings, profiles, comparisons, correlations.

    Parameters
    ----------
    fit
        A fit whose skills are anchored, or free and aligned (`latentscale.align`).

    Returns
    -------
    Skills
        Skills as draws, with tables.

    Raises
    ------
    SpecError
        If the spec has no skills, or they are free and not aligned.

    References
    ----------
    Cai et al. 2025 (arXiv:2512.06553), section 2 for the notation; anchors give the skills
    their meaning.

    Examples
    --------
    >>> skills = ls.skills(fit)
    >>> sorted(set(skills.top_benchmarks()["skill"]))
    ['ifeval', 'mmlu']
    """
    expect(fit, Fit, "fit")
    require_identified(fit, "the meaning of a single skill")
    draws = fit.samples
    design = fit.design
    eta = fit.evaluator.at(draws, fit.scores.dataset, residuals=FITTED_RESIDUALS).eta
    spread = draws["model_skill"].std(MODEL) / eta.std(MODEL)
    order = (SAMPLE, BENCHMARK, SKILL)
    families = np.asarray(design.families)[design.family_of_model]
    return Skills(
        loading=draws["loading"].transpose(*order),
        share=(draws["loading"] * spread).transpose(*order),
        model=draws["model_skill"],
        family=draws.get("family_skill"),
        population=_population(fit, draws),
        family_of_model=xr.DataArray(
            families, dims=(MODEL,), coords={MODEL: draws[MODEL].values}, name=FAMILY
        ),
        is_posterior=fit.is_posterior,
        fit_status=fit.status.caveat,
    )


def _population(fit: Fit, draws: xr.Dataset) -> xr.DataArray | None:
    """Return the covariance of families' skills, dims (sample, skill, other_skill)."""
    if fit.spec.family.level != "partial":
        return None
    if "skill_cholesky" in draws:
        factor = draws["skill_cholesky"]
    else:
        eye = xr.DataArray(np.eye(draws.sizes[SKILL]), dims=(SKILL, SKILL_FACTOR))
        factor = eye.assign_coords({SKILL: draws[SKILL].values}).expand_dims(
            {SAMPLE: draws.sizes[SAMPLE]}
        )
    if "family_scale" in draws:
        factor = factor * draws["family_scale"]
    covariance = (factor * factor.rename({SKILL: OTHER_SKILL})).sum(SKILL_FACTOR)
    return covariance.transpose(SAMPLE, SKILL, OTHER_SKILL)


def _correlation(covariance: xr.DataArray) -> xr.DataArray:
    names = covariance[SKILL].values
    own = [covariance.sel({SKILL: name, OTHER_SKILL: name}, drop=True) for name in names]
    deviation = xr.concat(own, dim=SKILL).assign_coords({SKILL: names}) ** 0.5
    return covariance / deviation / deviation.rename({SKILL: OTHER_SKILL})


def _selected(draws: xr.DataArray, dim: str, name: str) -> xr.DataArray:
    known = [str(label) for label in draws[dim].values]
    if name not in known:
        raise DataError(f'{dim.capitalize()} "{name}" is not in the fit.' + nearest(name, known))
    return draws.sel({dim: name}, drop=True)
