"""Regression on skills: outcomes that are not benchmark scores, such as ratings or revenue."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from latentscale.analysis.forecasts.few_shot import FewShot
from latentscale.analysis.forecasts.latents import Floats
from latentscale.analysis.forecasts.predict import predict
from latentscale.analysis.skills.identified import is_identified
from latentscale.analysis.tools.summaries import quantiles
from latentscale.data.frames import type_name
from latentscale.dims import DEFAULT_PROB, MODEL, SAMPLE, SKILL, checked_seed
from latentscale.errors import DataError, DataWarning, FitError, SpecError, listed, nearest
from latentscale.expect import expect
from latentscale.markup import counted
from latentscale.posterior.fit import Fit
from latentscale.posterior.pairing import at_samples, with_origin
from latentscale.result import Picture, Result
from latentscale.validate import plain_fields, real_number

TERM = "term"
INTERCEPT = "intercept"
_FEW_SHOT = FewShot()
_MODELS_A_TERM = 5
"""Models per coefficient below which there is a warning: about five cases are the usual minimum."""


@dataclass(frozen=True)
class RegressionPrior:
    """Prior of a regression, with the outcome and the skills standardised.

    beta given sigma^2 ~ Normal(0, sigma^2 sd^2), sigma^2 ~ InverseGamma(shape, scale).

    Attributes
    ----------
    intercept_sd, coefficient_sd
        Prior standard deviations in units of sigma.
    shape, scale
        Parameters of the inverse gamma.

    Raises
    ------
    DataError
        If a number is not above 0.

    Examples
    --------
    >>> ls.studies.RegressionPrior(coefficient_sd=1.0)
    RegressionPrior(intercept_sd=10.0, coefficient_sd=1.0, shape=0.5, scale=0.02)
    """

    intercept_sd: float = 10.0
    coefficient_sd: float = 2.0
    shape: float = 0.5
    scale: float = 0.02

    def __post_init__(self) -> None:
        plain_fields(self)
        for name in ("intercept_sd", "coefficient_sd", "shape", "scale"):
            real_number(getattr(self, name), f"RegressionPrior.{name}", above=0, error=DataError)


@dataclass(frozen=True, repr=False)
class OutcomeForecast(Result):
    """Forecast outcomes, in the outcome's own unit.

    Attributes
    ----------
    draws
        New outcomes, noise included, dims (sample, model).
    mean_draws
        Expected outcomes, same dims.

    Examples
    --------
    >>> outcome = fit.scores.to_frame().set_index("model")["mmlu"]
    >>> regression = ls.studies.regress_on_skills(fit, outcome, name="mmlu", seed=1)
    >>> outcomes = regression.predict(planned, seed=1)
    >>> outcomes.table().columns.tolist()[:5]
    ['model', 'mean', 'median', 'sd', 'lower']
    """

    draws: xr.DataArray
    mean_draws: xr.DataArray

    @property
    def headline(self) -> str:
        """How many models were forecast.

        Examples
        --------
        >>> outcomes.headline
        'Forecast of an outcome of 1 model, 800 draws'
        """
        sizes = self.draws.sizes
        return f"Forecast of an outcome of {counted(sizes[MODEL], 'model')}, {sizes[SAMPLE]} draws"

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per model.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns model, mean, median, sd, lower, upper of a new outcome, in the outcome's unit.

        Raises
        ------
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> outcomes.table(prob=0.5)["model"].tolist()
        ['qwen2-30b']
        """
        ends = quantiles(self.draws, prob)
        columns = {
            "mean": self.draws.mean(SAMPLE),
            "median": ends["median"],
            "sd": self.draws.std(SAMPLE, ddof=1),
            "lower": ends["lower"],
            "upper": ends["upper"],
        }
        return xr.Dataset(columns).to_dataframe()[list(columns)].reset_index()


@dataclass(frozen=True, repr=False)
class SkillRegression(Result):
    """A linear regression of an outcome on latent skills, one draw per posterior draw.

    Attributes
    ----------
    name
        Name of the outcome.
    coefficients
        Dims (sample, term): the intercept, and the change of the outcome per unit of each skill.
    sigma
        Standard deviation of the noise, in the outcome's unit, dims (sample,).
    r_squared
        Share of variance explained, var(fit) / (var(fit) + sigma^2), dims (sample,)
        (Gelman et al. 2019, "R-squared for Bayesian regression models", eq. 3).
    outcome
        The outcomes used, by model.
    fit
        The fit that the skills come from.

    Examples
    --------
    >>> outcome = fit.scores.to_frame().set_index("model")["mmlu"]
    >>> regression = ls.studies.regress_on_skills(fit, outcome, name="mmlu", seed=1)
    >>> regression.table().columns.tolist()[:5]
    ['term', 'mean', 'median', 'sd', 'lower']
    """

    name: str
    coefficients: xr.DataArray
    sigma: xr.DataArray
    r_squared: xr.DataArray
    outcome: pd.Series = field(repr=False)
    fit: Fit = field(repr=False)

    plot = Picture("plot_regression")

    @property
    def headline(self) -> str:
        """The outcome, and the share of its variance that skills explain.

        Examples
        --------
        >>> regression.headline.partition(";")[0]
        'Regression of mmlu on the skills of 52 models'
        """
        return (
            f"Regression of {self.name} on the skills of {len(self.outcome)} models; median share "
            f"of variance explained {float(self.r_squared.median()):.0%}"
        )

    def brief(self) -> pd.DataFrame | None:
        """Return the table; None if coefficients of single skills have no meaning.

        Returns
        -------
        pandas.DataFrame or None
            As `table`.

        Examples
        --------
        >>> regression.brief()["term"].tolist()
        ['intercept', 'mmlu', 'ifeval', 'sigma', 'r_squared']
        """
        return self.table() if is_identified(self.fit) else None

    def table(self, prob: float = DEFAULT_PROB) -> pd.DataFrame:
        """Return one row per coefficient, and one for sigma and for r_squared.

        Parameters
        ----------
        prob
            Probability of the equal-tailed interval.

        Returns
        -------
        pandas.DataFrame
            Columns term, mean, median, sd, lower, upper and probability_positive.

        Raises
        ------
        SpecError
            If the fit's skills are free to rotate and not aligned, so that a coefficient has no
            meaning; `predict` still works.
        LatentscaleError
            If `prob` is not strictly between 0 and 1.

        Examples
        --------
        >>> regression.table(prob=0.5)["term"].tolist()
        ['intercept', 'mmlu', 'ifeval', 'sigma', 'r_squared']
        """
        if not is_identified(self.fit):
            raise SpecError(
                f'The skills of "{self.fit.spec.name}" are free to rotate, so coefficients of '
                "single skills have no meaning. Use .predict, align the draws first "
                "(latentscale.align(fit).fit), or fit a spec with anchored skills."
            )
        parts = {str(t): self.coefficients.sel({TERM: t}) for t in self.coefficients[TERM].values}
        parts |= {"sigma": self.sigma, "r_squared": self.r_squared}
        rows = []
        for term, draws in parts.items():
            ends = quantiles(draws, prob)
            lower, median, upper = (float(ends[name]) for name in ("lower", "median", "upper"))
            mean, sd = float(draws.mean()), float(draws.std(ddof=1))
            rows.append((term, mean, median, sd, lower, upper, float((draws > 0).mean())))
        columns = ["term", "mean", "median", "sd", "lower", "upper", "probability_positive"]
        return pd.DataFrame(rows, columns=columns)

    def predict(
        self, frame: pd.DataFrame, *, seed: int = 0, few_shot: FewShot = _FEW_SHOT
    ) -> OutcomeForecast:
        """Forecast the outcome of models from their skills' posterior.

        Parameters
        ----------
        frame
            Rows as for `latentscale.predict`: fitted models, or new ones with or without scores.
        seed
            Seed of the random numbers.
        few_shot
            How scores of new models condition their skills.

        Returns
        -------
        OutcomeForecast
            Joint draws of the models' outcomes.

        Raises
        ------
        DataError
            As `latentscale.predict`.
        FitError
            As `latentscale.predict`, and if the scores needed a refit.

        Examples
        --------
        >>> outcome = fit.scores.to_frame().set_index("model")["mmlu"]
        >>> regression = ls.studies.regress_on_skills(fit, outcome, name="mmlu", seed=1)
        >>> regression.predict(planned, seed=1).table()["model"].tolist()
        ['qwen2-30b']
        """
        forecast = predict(self.fit, frame, seed=seed, few_shot=few_shot)
        skill = forecast.skill_draws
        assert skill is not None  # regress_on_skills refuses a spec without skills
        given = forecast.conditioning
        if given is not None and given.fit is not None:
            raise FitError(
                "The scores given needed a refit, and this regression does not apply to its "
                "skills. Add the rows to the table, fit, and call regress_on_skills with that fit."
            )
        own = at_samples(self.coefficients, skill)
        slopes = own.sel({TERM: skill[SKILL].values}).rename({TERM: SKILL})
        mean = own.sel({TERM: INTERCEPT}, drop=True) + (skill * slopes).sum(SKILL)
        mean = mean.transpose(SAMPLE, MODEL)
        noise = np.random.default_rng([checked_seed(seed), 1]).standard_normal(mean.shape)
        spread = at_samples(self.sigma, skill)
        scores = mean + mean.copy(data=noise) * spread
        return OutcomeForecast(scores, mean, fit_status=forecast.fit_status)


def regress_on_skills(
    fit: Fit,
    outcome: pd.Series | Mapping[str, float],
    *,
    name: str | None = None,
    prior: RegressionPrior | None = None,
    seed: int = 0,
) -> SkillRegression:
    """Regress an outcome on latent skills, and propagate the skills' uncertainty.

    Given each posterior draw of the skills, coefficients are drawn from their conjugate
    normal-inverse-gamma posterior in closed form: V = (X'X + D)^-1, m = V X'y, sigma^2 ~ IG(a +
    n/2, b + (y'y - m'V^-1 m)/2), beta ~ Normal(m, sigma^2 V). The outcome does not inform the
    skills (a cut posterior), so where skills are uncertain, coefficients shrink towards 0.

    Parameters
    ----------
    fit
        A fit with skills.
    outcome
        One number per fitted model, in any unit; empty values are left out. An outcome that is a
        fraction is better added to the fit as a benchmark.
    name
        Name of the outcome; by default "outcome", or the name of a series.
    prior
        Prior of the coefficients and the noise.
    seed
        Seed of the random numbers.

    Returns
    -------
    SkillRegression
        Draws of coefficients, noise and share of variance explained.

    Raises
    ------
    SpecError
        If the spec has no skills.
    FitError
        If the fit is a point estimate.
    DataError
        If a model is not in the fit or is repeated, a value is not a finite number, all values
        are equal, or fewer than 3 remain.

    Warns
    -----
    DataWarning
        If there are fewer than 5 models per coefficient.

    References
    ----------
    Gelman et al. 2013, "Bayesian Data Analysis", section 14.2 and 14.8; Plummer 2015, "Cuts in
    Bayesian graphical models".

    Examples
    --------
    >>> bundled = ls.datasets.open_llm_leaderboard().to_frame().set_index("model")
    >>> outcome = bundled["winogrande"].reindex(fit.scores.models).dropna()
    >>> regression = ls.studies.regress_on_skills(fit, outcome, name="winogrande", seed=1)
    >>> round(float(regression.r_squared.median()), 1)
    0.9
    """
    expect(fit, Fit, "fit")
    if name is not None:
        expect(name, str, "name", "what the outcome is called")
    if prior is not None:
        expect(prior, RegressionPrior, "prior")
    if not fit.spec.skills.count:
        raise SpecError(f'The spec "{fit.spec.name}" has no skills to regress on.')
    if not fit.is_posterior:
        raise FitError("This fit is a point estimate; fit with NUTS to carry uncertainty through.")
    values, called = _checked_outcome(fit, outcome), name or _name_of(outcome)
    terms = 1 + fit.spec.skills.count
    if len(values) < _MODELS_A_TERM * terms:
        warnings.warn(
            f"{len(values)} models have the outcome, for {terms} coefficients: the prior strongly "
            "affects the answer. Look at the intervals, or use a spec with fewer skills.",
            DataWarning,
            stacklevel=2,
        )
    skill = fit.samples["model_skill"].sel({MODEL: list(values.index)})
    centre, scale = _standards(skill, identified=is_identified(fit))
    x = ((skill - centre) / scale).transpose(SAMPLE, MODEL, SKILL).values
    y = values.to_numpy(dtype=float)
    middle, spread = y.mean(), y.std()
    beta, sigma = _draw_conjugate(
        x,
        (y - middle) / spread,
        prior or RegressionPrior(),
        np.random.default_rng(checked_seed(seed)),
    )
    slopes = xr.DataArray(beta[:, 1:] * spread, {SKILL: skill[SKILL].values}, (SAMPLE, SKILL))
    slopes = slopes / scale
    level = (
        middle + spread * xr.DataArray(beta[:, 0], dims=(SAMPLE,)) - (slopes * centre).sum(SKILL)
    )
    fitted = (skill * slopes).sum(SKILL).var(MODEL, ddof=1)
    noise = xr.DataArray(sigma * spread, dims=(SAMPLE,))
    both = [level.expand_dims({TERM: [INTERCEPT]}), slopes.rename({SKILL: TERM})]
    return SkillRegression(
        name=called,
        coefficients=with_origin(xr.concat(both, dim=TERM).transpose(SAMPLE, TERM), skill),
        sigma=with_origin(noise, skill),
        r_squared=fitted / (fitted + noise**2),
        outcome=values,
        fit=fit,
        fit_status=fit.status.caveat,
    )


def _standards(skill: xr.DataArray, *, identified: bool) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the values by which skills are centred and scaled, dims with skill.

    Posterior means of skills that rotate are near 0, whatever their variance; the values used for
    them are invariant to the rotation of each draw.
    """
    if identified:
        centre, scale = skill.mean([SAMPLE, MODEL]), skill.mean(SAMPLE).std(MODEL)
    else:
        centre = skill.mean(MODEL)
        scale = xr.ones_like(skill.isel({SAMPLE: 0, MODEL: 0}, drop=True))
        scale = scale * float(skill.var(MODEL).mean()) ** 0.5
    return centre, scale.where(scale > 0, 1.0)


def _draw_conjugate(
    x: Floats, y: Floats, prior: RegressionPrior, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw (beta, sigma) from the conjugate posterior of each design.

    Parameters
    ----------
    x
        Regressors without the intercept, shape (sample, model, skill).
    y
        Outcomes, shape (model,).
    prior
        Prior of the coefficients and the noise.
    rng
        Source of random numbers.

    Returns
    -------
    Coefficients, the intercept first, shape (sample, 1 + skill), and sigma, shape (sample,).
    """
    design = np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=2)
    sds = np.array([prior.intercept_sd, *[prior.coefficient_sd] * x.shape[2]])
    precision = design.swapaxes(1, 2) @ design + np.diag(sds**-2.0)
    moment = design.swapaxes(1, 2) @ y
    mean = np.linalg.solve(precision, moment[..., None])[..., 0]
    shape = prior.shape + len(y) / 2
    rate = prior.scale + 0.5 * (y @ y - (mean * moment).sum(axis=1))
    sigma = np.sqrt(rate / rng.gamma(shape, size=len(x)))
    # With L L' the precision, L'^-1 u has covariance (L L')^-1.
    upper = np.linalg.cholesky(precision).swapaxes(1, 2)
    step = np.linalg.solve(upper, rng.standard_normal((*mean.shape, 1)))[..., 0]
    return mean + sigma[:, None] * step, sigma


def _name_of(outcome: pd.Series | Mapping[str, float]) -> str:
    name = outcome.name if isinstance(outcome, pd.Series) else None
    return str(name) if name is not None else "outcome"


def _checked_outcome(fit: Fit, outcome: pd.Series | Mapping[str, float]) -> pd.Series:
    if not isinstance(outcome, pd.Series | Mapping):
        raise DataError(
            f"outcome must be a pandas Series indexed by model, or a mapping from model to number; "
            f"got {type_name(outcome)}."
        )
    given = outcome if isinstance(outcome, pd.Series) else pd.Series(dict(outcome), dtype=object)
    twice = list(given.index[given.index.duplicated()])
    if twice:
        raise DataError(f"outcome has more than one value for {listed(twice)}; keep one.")
    unknown = [str(m) for m in given.index if m not in set(fit.scores.models)]
    if unknown:
        raise DataError(
            f"outcome names models that are not in the fit: {listed(unknown)}."
            + nearest(unknown[0], fit.scores.models)
            + " Index it by the names of fitted models."
        )
    values = pd.to_numeric(given, errors="coerce").astype(float)
    wrong = given.notna() & ~np.isfinite(values)
    if wrong.any():
        model = wrong.index[wrong.to_numpy()][0]
        raise DataError(
            f'outcome of model "{model}": expected a finite number, got {given[model]!r}.'
        )
    kept = values.dropna()
    if len(kept) < 3:
        raise DataError(f"outcome has {len(kept)} values; give at least 3.")
    if kept.nunique() == 1:
        raise DataError(
            f"outcome is {kept.iloc[0]:g} for every model: there is nothing to explain."
        )
    return kept
