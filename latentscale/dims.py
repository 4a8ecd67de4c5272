"""Names of dimensions and of tree groups, and the default interval."""

from __future__ import annotations

from typing import Final

from latentscale import validate

VERSION: Final = "0.2.0"
"""Version of the package, as in pyproject.toml."""

MODEL: Final = "model"
BENCHMARK: Final = "benchmark"
SKILL: Final = "skill"
SKILL_FACTOR: Final = "skill_factor"
FAMILY: Final = "family"
LINEAGE: Final = "lineage"
RELEASE: Final = "release"
SETTING: Final = "setting"
COVARIATE: Final = "covariate"
CELL: Final = "cell"
CHAIN: Final = "chain"
DRAW: Final = "draw"
SAMPLE: Final = "sample"
FEATURE: Final = "feature"
CATEGORY: Final = "category"
CATEGORY_LEVEL: Final = "category_level"
UNDISCLOSED: Final = "undisclosed_model"
MISSING_VALUE: Final = "missing_value"
UNDISCLOSED_RELEASE: Final = "undisclosed_release"
MISSING_OF_RELEASE: Final = "missing_value_of_release"

POSTERIOR: Final = "posterior"
SAMPLE_STATS: Final = "sample_stats"
LOG_LIKELIHOOD: Final = "log_likelihood"
LOG_PRIOR: Final = "log_prior"
OBSERVED_DATA: Final = "observed_data"
POSTERIOR_PREDICTIVE: Final = "posterior_predictive"
OPENED: Final = "opened"
"""Group of curves whose ceilings were opened after the fit, as in `Fit.samples`; the
posterior group keeps the draws as sampled."""
CONSTANT_DATA: Final = "constant_data"
ESTIMATE: Final = "estimate"
ALIGNMENT: Final = "alignment"
"""Group of an aligned fit's tree: the rotation applied to each draw."""

FLOPS_PER_BILLION_TRILLION: Final = 6e21
"""Training FLOPs of one billion parameters on one trillion tokens: 6 x parameters x tokens.

Kaplan et al. 2020 (arXiv:2001.08361), section 2.1.
"""

DEFAULT_PROB: Final = 0.9
"""Probability of the equal-tailed interval that tables and plots show."""


checked_seed = validate.seed


def interval_quantiles(prob: float) -> tuple[float, float]:
    """Return the two tail probabilities of the equal-tailed interval of probability `prob`."""
    prob = validate.prob(prob)
    return (1 - prob) / 2, (1 + prob) / 2
