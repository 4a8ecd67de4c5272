# The front door: what `latentscale` offers, for type checkers and for the lazy loader, which reads
# this file. Further results, settings and studies are in the modules at the end.
from . import methods as methods
from . import plots as plots
from . import results as results
from . import rotations as rotations
from . import studies as studies
from .analysis import folds as folds
from .analysis.backtest import backtest as backtest
from .analysis.checks.check import check as check
from .analysis.checks.compare import compare as compare
from .analysis.checks.diagnose import diagnose as diagnose
from .analysis.checks.leave_one_out import leave_one_out as leave_one_out
from .analysis.choices.allocate import optimal_allocation as optimal_allocation
from .analysis.choices.next_benchmark import next_benchmark as next_benchmark
from .analysis.choices.probe_set import probe_set as probe_set
from .analysis.curves.compute_needed import flops_for_target as flops_for_target
from .analysis.curves.curves import scaling_curve as scaling_curve
from .analysis.curves.frontier import frontier as frontier
from .analysis.curves.passing import probability_above as probability_above
from .analysis.forecasts.few_shot import FewShot as FewShot
from .analysis.forecasts.predict import predict as predict
from .analysis.forecasts.stack import stack as stack
from .analysis.sensitivity.elicit import elicit as elicit
from .analysis.sensitivity.sensitivity import sensitivity as sensitivity
from .analysis.skills.align import align as align
from .analysis.skills.capability_index import capability_index as capability_index
from .analysis.skills.skills import skills as skills
from .data import datasets as datasets
from .data import readers as readers
from .data.benchmarks import Benchmark as Benchmark
from .data.features.base import Feature as Feature
from .data.scores import Scores as Scores
from .declare.io import load_spec as load_spec
from .declare.prior import Prior as Prior
from .declare.spec import ModelSpec as ModelSpec
from .errors import DataError as DataError
from .errors import DataWarning as DataWarning
from .errors import FitError as FitError
from .errors import FitWarning as FitWarning
from .errors import LatentscaleError as LatentscaleError
from .errors import SpecError as SpecError
from .explore.serve import explore as explore
from .inference.approximations.advi import ADVI as ADVI
from .inference.approximations.laplace import Laplace as Laplace
from .inference.approximations.pathfinder import Pathfinder as Pathfinder
from .inference.marginal.method import MarginalML as MarginalML
from .inference.nuts.method import NUTS as NUTS
from .inference.nuts.resume import resume as resume
from .inference.run import fit as fit
from .model.build import build as build
from .model.simulate import simulate as simulate
from .model.spec_for import spec_for as spec_for
from .posterior.fit import Fit as Fit
from .posterior.storage import load as load
from .reporting.report import report as report

__version__: str
__all__ = [
    "ADVI",
    "NUTS",
    "Benchmark",
    "DataError",
    "DataWarning",
    "Feature",
    "FewShot",
    "Fit",
    "FitError",
    "FitWarning",
    "Laplace",
    "LatentscaleError",
    "MarginalML",
    "ModelSpec",
    "Pathfinder",
    "Prior",
    "Scores",
    "SpecError",
    "align",
    "backtest",
    "build",
    "capability_index",
    "check",
    "compare",
    "datasets",
    "diagnose",
    "elicit",
    "explore",
    "fit",
    "flops_for_target",
    "folds",
    "frontier",
    "leave_one_out",
    "load",
    "load_spec",
    "methods",
    "next_benchmark",
    "optimal_allocation",
    "plots",
    "predict",
    "probability_above",
    "probe_set",
    "readers",
    "report",
    "results",
    "resume",
    "rotations",
    "scaling_curve",
    "sensitivity",
    "simulate",
    "skills",
    "spec_for",
    "stack",
    "studies",
]
