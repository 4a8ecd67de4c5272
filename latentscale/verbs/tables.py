"""Tables and fits: data, gather, specs, methods, fit, resume, simulate, demo, report."""

from __future__ import annotations

from latentscale.verb import VERBS, ReportSection, Verb


@VERBS.add
class Data(Verb):
    """What does a table of scores hold, and what is odd in it?"""

    name = "data"
    function = "latentscale.data.readers:read_scores"
    example = "latentscale data scores.csv"
    command = "latentscale.cli.commands.tables:data"
    section = ReportSection("data", "Data audit", 40, "latentscale.reporting.sections:data_audit")


@VERBS.add
class Gather(Verb):
    """What table of scores do result files or a leaderboard give?"""

    name = "gather"
    function = "latentscale.data.readers:read_scores"
    example = "latentscale gather results/ --metadata models.csv --out scores.csv"
    command = "latentscale.cli.commands.gather:gather"


@VERBS.add
class Specs(Verb):
    """Which model specs are there, and what does each declare?"""

    name = "specs"
    function = "latentscale.declare.io:load_spec"
    example = "latentscale specs cai2025"
    command = "latentscale.cli.commands.tables:specs"
    section = ReportSection(
        "model", "Model and method", 100, "latentscale.reporting.sections:declaration"
    )


@VERBS.add
class SpecFor(Verb):
    """Which model spec suits a table, and why?"""

    name = "spec-for"
    function = "latentscale.model.spec_for:spec_for"
    example = "latentscale spec-for scores.csv"
    command = "latentscale.cli.commands.tables:spec_for"


@VERBS.add
class Methods(Verb):
    """How can a model be fitted, and what can be set?"""

    name = "methods"
    function = "latentscale.inference.method:method_of"
    example = "latentscale methods NUTS"
    command = "latentscale.cli.methods:methods"


@VERBS.add
class Fit(Verb):
    """What do scores say about a model's parameters?"""

    name = "fit"
    function = "latentscale.inference.run:fit"
    example = "latentscale fit --scores scores.csv --seed 1 --out fit.nc"
    command = "latentscale.cli.commands.fits:fit"


@VERBS.add
class Resume(Verb):
    """How does a stopped run continue?"""

    name = "resume"
    function = "latentscale.inference.nuts.resume:resume"
    example = "latentscale resume run/ --out fit.nc"
    command = "latentscale.cli.commands.fits:resume"


@VERBS.add
class Simulate(Verb):
    """Which scores would a spec's prior give?"""

    name = "simulate"
    function = "latentscale.model.simulate:simulate"
    example = "latentscale simulate --spec cai2025 --seed 1 --out simulated.csv"
    command = "latentscale.cli.commands.fits:simulate"


@VERBS.add
class Demo(Verb):
    """How well are hidden models forecast?"""

    name = "demo"
    function = "latentscale.demo:run_demo"
    example = "latentscale demo --folder results --seed 1"
    command = "latentscale.cli.commands.demo:demo"


@VERBS.add
class Report(Verb):
    """What does a fit say, on one page?"""

    name = "report"
    function = "latentscale.reporting.report:report"
    example = "latentscale report fit.nc --out report.html"
    command = "latentscale.cli.commands.report:report"
