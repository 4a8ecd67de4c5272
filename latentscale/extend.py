"""What you need to add a link, likelihood, term, scale, feature, method or verb.

    from latentscale.extend import LINKS, Link, maths_of

    @LINKS.add
    class Gompertz(Link):
        ...

A kind is a class with a field ``kind``, registered by ``LINKS.add``, ``LIKELIHOODS.add``,
``TERMS.add``, ``SCALES.add`` or ``FEATURES.add``. Specs and tables then name it as they name the
package's own. A verb is a class registered by ``VERBS.add``: a function of a fit gets a command
and, if it asks for one, a section in the report. An inference method is a frozen dataclass
registered by ``METHODS.add``: `latentscale.fit` takes it, and the command line by its name.

A package names the modules that register its kinds as entry points of the group
``latentscale.kinds``; for a single module, the environment variable ``LATENTSCALE_PLUGINS`` holds
its name. Either way, saved fits and the command line find the kinds in any process.
"""

from latentscale.data.columns import is_missing
from latentscale.data.features.base import FEATURES, Feature, FeatureKind
from latentscale.data.problems import Problem, at_cell, at_cells
from latentscale.data.scales.base import SCALES, Scale
from latentscale.declare.kinds import LIKELIHOODS, LINKS, TERMS
from latentscale.declare.likelihood import Likelihood, Noise, aligned
from latentscale.declare.link import Link
from latentscale.declare.prior import Parameter, Prior, PriorSlot
from latentscale.declare.record import Record
from latentscale.declare.spec import ModelSpec
from latentscale.dims import (
    BENCHMARK,
    CELL,
    COVARIATE,
    DEFAULT_PROB,
    FAMILY,
    LINEAGE,
    MODEL,
    SAMPLE,
    SKILL,
)
from latentscale.errors import FitError, SpecError
from latentscale.inference.method import METHODS, Method
from latentscale.inference.tools.posterior_density import (
    PosteriorDensity,
    kept_names,
    posterior_density,
)
from latentscale.maths import Maths, Named, as_data, maths_of
from latentscale.model.build import build_design
from latentscale.model.design import Design
from latentscale.model.evaluate import FITTED_RESIDUALS
from latentscale.model.priors import (
    declare_parameters,
    deterministic,
    deviations,
    standard_normal,
)
from latentscale.model.terms.base import Groups, Rows, Term, scaled, standardised
from latentscale.posterior.convergence import convergence
from latentscale.posterior.draws import Draws
from latentscale.posterior.fit import Fit
from latentscale.posterior.status import Status, status_of_approximation, status_of_chains
from latentscale.result import FixedTable, Picture, Result
from latentscale.verb import VERBS, ReportSection, Verb

__all__ = [
    "BENCHMARK",
    "CELL",
    "COVARIATE",
    "DEFAULT_PROB",
    "FAMILY",
    "FEATURES",
    "FITTED_RESIDUALS",
    "LIKELIHOODS",
    "LINEAGE",
    "LINKS",
    "METHODS",
    "MODEL",
    "SAMPLE",
    "SCALES",
    "SKILL",
    "TERMS",
    "VERBS",
    "Design",
    "Draws",
    "Feature",
    "FeatureKind",
    "Fit",
    "FitError",
    "FixedTable",
    "Groups",
    "Likelihood",
    "Link",
    "Maths",
    "Method",
    "ModelSpec",
    "Named",
    "Noise",
    "Parameter",
    "Picture",
    "PosteriorDensity",
    "Prior",
    "PriorSlot",
    "Problem",
    "Record",
    "ReportSection",
    "Result",
    "Rows",
    "Scale",
    "SpecError",
    "Status",
    "Term",
    "Verb",
    "aligned",
    "as_data",
    "at_cell",
    "at_cells",
    "build_design",
    "convergence",
    "declare_parameters",
    "deterministic",
    "deviations",
    "is_missing",
    "kept_names",
    "maths_of",
    "posterior_density",
    "scaled",
    "standard_normal",
    "standardised",
    "status_of_approximation",
    "status_of_chains",
]


def __dir__() -> list[str]:
    return sorted(__all__)
