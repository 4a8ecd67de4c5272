"""Decide and understand: what to run, how to spend compute, what skills mean."""

from __future__ import annotations

from latentscale.verb import VERBS, ReportSection, Verb


@VERBS.add
class NextBenchmark(Verb):
    """Which benchmark should be run next?"""

    name = "next-benchmark"
    function = "latentscale.analysis.choices.next_benchmark:next_benchmark"
    example = "latentscale next-benchmark fit.nc measured.csv --target mmlu --out next.png"


@VERBS.add
class Allocate(Verb):
    """How should a compute budget be split?"""

    name = "allocate"
    function = "latentscale.analysis.choices.allocate:optimal_allocation"
    example = "latentscale allocate fit.nc --flops 1e22 --flops 1e24 --out allocation.png"
    command = "latentscale.cli.commands.decide:allocate"
    section = ReportSection(
        "allocation", "Compute-optimal allocation", 80, "latentscale.reporting.skills:allocation"
    )


@VERBS.add
class Skills(Verb):
    """What are the skills, and who has them?"""

    name = "skills"
    function = "latentscale.analysis.skills.skills:skills"
    example = "latentscale skills fit.nc --out skills.png"
    command = "latentscale.cli.commands.decide:skills"
    section = ReportSection("skills", "Skills", 60, "latentscale.reporting.skills:latent_skills")


@VERBS.add
class Elicit(Verb):
    """Which prior matches what is believed about scores?"""

    name = "elicit"
    function = "latentscale.analysis.sensitivity.elicit:elicit"
    example = "latentscale elicit pooled_flops benchmark_slope 0.02 0.20"
    command = "latentscale.cli.commands.decide:elicit"


@VERBS.add
class Variance(Verb):
    """What makes models differ?"""

    name = "variance"
    function = "latentscale.analysis.skills.variance:variance_shares"
    example = "latentscale variance fit.nc --csv variance.csv --out variance.png"
    section = ReportSection(
        "variance", "What makes models differ", 70, "latentscale.reporting.skills:variance"
    )


@VERBS.add
class Align(Verb):
    """What are the skills of a fit whose skills are free to rotate?"""

    name = "align"
    function = "latentscale.analysis.skills.align:align"
    example = "latentscale align free.nc --rotation varimax --out aligned.nc"
    command = "latentscale.cli.commands.decide:align"


@VERBS.add
class Agreement(Verb):
    """Do the skills of two fits mean the same?"""

    name = "agreement"
    function = "latentscale.analysis.skills.agreement:skill_agreement"
    example = "latentscale agreement fit1.nc fit2.nc"


@VERBS.add
class Undisclosed(Verb):
    """How many training tokens did models use that do not disclose them?"""

    name = "undisclosed"
    function = "latentscale.analysis.skills.undisclosed:undisclosed"
    example = "latentscale undisclosed fit.nc --out tokens.csv"


@VERBS.add
class Regress(Verb):
    """Do skills predict an outcome outside the table of benchmarks?"""

    name = "regress"
    function = "latentscale.analysis.skills.regression:regress_on_skills"
    example = "latentscale regress fit.nc --outcome arena.csv"


@VERBS.add
class CapabilityIndex(Verb):
    """How capable is each model, in one number?"""

    name = "capability-index"
    function = "latentscale.analysis.skills.capability_index:capability_index"
    example = "latentscale capability-index fit.nc --anchor bloom=90 --anchor qwen2-7b=150"


@VERBS.add
class Frontier(Verb):
    """How good will the best model be, and when?"""

    name = "frontier"
    function = "latentscale.analysis.curves.frontier:frontier"
    example = "latentscale frontier fit.nc --benchmark gpqa --date 2027-01-01 --csv frontier.csv"


@VERBS.add
class ProbeSet(Verb):
    """Which few benchmarks say most about future models?"""

    name = "probe-set"
    function = "latentscale.analysis.choices.probe_set:probe_set"
    example = "latentscale probe-set fit.nc --n 5 --csv probes.csv"


@VERBS.add
class Explore(Verb):
    """What would a planned model score, as its features change?"""

    name = "explore"
    function = "latentscale.explore.serve:explore"
    example = "latentscale explore fit.nc"
    command = "latentscale.cli.commands.explore:explore"
