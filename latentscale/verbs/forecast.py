"""Forecast: predict, predict-each, explain, stack, curve, passing, compute."""

from __future__ import annotations

from latentscale.verb import VERBS, ReportSection, Verb


@VERBS.add
class Predict(Verb):
    """What will models score?"""

    name = "predict"
    function = "latentscale.analysis.forecasts.predict:predict"
    example = "latentscale predict fit.nc planned.csv --out forecast.csv"
    command = "latentscale.cli.commands.forecast:predict"
    section = ReportSection("forecasts", "Forecasts", 5, "latentscale.reporting.sections:forecasts")


@VERBS.add
class PredictEach(Verb):
    """What will many models score, each given only its own scores?"""

    name = "predict-each"
    function = "latentscale.analysis.forecasts.each:predict_each"
    example = "latentscale predict-each fit.nc planned.csv --out forecast.csv"
    command = "latentscale.cli.commands.forecast:predict_each"


@VERBS.add
class Explain(Verb):
    """Why is a forecast what it is, and how certain is it?"""

    name = "explain"
    function = "latentscale.analysis.forecasts.explain:explain"
    example = "latentscale explain fit.nc planned.csv --benchmark mmlu --out why.png"
    command = "latentscale.cli.commands.forecast:explain"


@VERBS.add
class Stack(Verb):
    """What will models score, according to several fits combined?"""

    name = "stack"
    function = "latentscale.analysis.forecasts.stack:stack"
    example = "latentscale stack one=fit1.nc two=fit2.nc --rows planned.csv --out forecast.csv"
    command = "latentscale.cli.commands.forecast:stack"


@VERBS.add
class Curve(Verb):
    """How do a family's scores grow with compute, size or tokens?"""

    name = "curve"
    function = "latentscale.analysis.curves.curves:scaling_curve"
    example = "latentscale curve fit.nc --family qwen2 --out curve.png"
    command = "latentscale.cli.commands.forecast:curve"
    section = ReportSection("curves", "Scaling curves", 10, "latentscale.reporting.sections:curves")


@VERBS.add
class Passing(Verb):
    """How likely are models to pass a threshold?"""

    name = "passing"
    function = "latentscale.analysis.curves.passing:probability_above"
    example = "latentscale passing fit.nc planned.csv --threshold 0.7"


@VERBS.add
class Compute(Verb):
    """How much compute does a target score take?"""

    name = "compute"
    function = "latentscale.analysis.curves.compute_needed:flops_for_target"
    example = "latentscale compute fit.nc --benchmark mmlu --target 0.8 --family qwen2"
