"""Trust: diagnose, check, loo, predictive, compare, backtest, sensitivity, influence."""

from __future__ import annotations

from latentscale.verb import VERBS, ReportSection, Verb


@VERBS.add
class Diagnose(Verb):
    """Did the draws converge?"""

    name = "diagnose"
    function = "latentscale.analysis.checks.diagnose:diagnose"
    example = "latentscale diagnose fit.nc"
    command = "latentscale.cli.commands.trust:diagnose"
    section = ReportSection(
        "diagnostics", "Diagnostics", 20, "latentscale.reporting.sections:diagnostics"
    )


@VERBS.add
class Check(Verb):
    """Does the model describe the scores, and which are outliers?"""

    name = "check"
    function = "latentscale.analysis.checks.check:check"
    example = "latentscale check fit.nc --csv residuals.csv --out residuals.png"
    section = ReportSection(
        "checks", "Checks and outliers", 30, "latentscale.reporting.checks:checks"
    )


@VERBS.add
class Loo(Verb):
    """How well is each score predicted from all others?"""

    name = "loo"
    function = "latentscale.analysis.checks.leave_one_out:leave_one_out"
    example = "latentscale loo fit.nc --csv loo.csv"


@VERBS.add
class Predictive(Verb):
    """Could the fitted model have produced these scores?"""

    name = "predictive"
    function = "latentscale.analysis.checks.predictive:posterior_predictive"
    example = "latentscale predictive fit.nc --out predictive.png"


@VERBS.add
class Compare(Verb):
    """Which of several fits predicts best?"""

    name = "compare"
    function = "latentscale.analysis.checks.compare:compare"
    example = "latentscale compare one=fit1.nc two=fit2.nc --csv comparison.csv"
    command = "latentscale.cli.commands.trust:compare"


@VERBS.add
class Backtest(Verb):
    """How good are forecasts of held-out scores?"""

    name = "backtest"
    function = "latentscale.analysis.backtest:backtest"
    example = "latentscale backtest --scores scores.csv --scheme largest-member --out errors.csv"
    command = "latentscale.cli.commands.trust:backtest"


@VERBS.add
class Sensitivity(Verb):
    """How much do the priors decide?"""

    name = "sensitivity"
    function = "latentscale.analysis.sensitivity.sensitivity:sensitivity"
    example = "latentscale sensitivity fit.nc --csv sensitivity.csv"
    section = ReportSection(
        "sensitivity", "Sensitivity to priors", 90, "latentscale.reporting.checks:prior_sensitivity"
    )


@VERBS.add
class Influence(Verb):
    """What would change without each family?"""

    name = "influence"
    function = "latentscale.analysis.sensitivity.influence:family_influence"
    example = "latentscale influence fit.nc --family qwen2 --csv influence.csv"


@VERBS.add
class Criteria(Verb):
    """How many skills do AIC and BIC favour?"""

    name = "criteria"
    function = "latentscale.analysis.skills.criteria:information_criteria"
    example = "latentscale criteria --spec cai2025 --count 1 --count 2"
