"""Specs that the study of the Open LLM Leaderboard v2 compares."""

from __future__ import annotations

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec

REFERENCE = "date and tuning by series"
"""Specs are compared with it."""
CHOSEN = f"{REFERENCE}, noise by date"
"""The spec chosen at the cuts for choosing."""
INTERACTIONS = ("chat_template:tuning=merge", "chat_template:tuning=chat")
STUDENT, TREND, PRODUCTS = (f"{CHOSEN}, {what}" for what in ("Student-t", "trend", "products"))
VARIANTS = (
    "size",
    "date",
    "date and tuning",
    "date and tuning by family",
    REFERENCE,
    CHOSEN,
    PRODUCTS,
    STUDENT,
    TREND,
)
WIDE = {"dist": "HalfNormal", "sigma": 1.0}
"""Prior of spreads of families' own slopes on a benchmark, in logits. Instruction tuning moves
families' scores on instruction following by several logits or by none, so that the recommended
spec's 0.3, which is for slopes in log size, is narrow for it."""
TUNING = ("chat_template", "tuning=chat", "tuning=fine-tuned", "tuning=merge")
"""How a model was tuned and run, by the leaderboard; few models have other levels."""
NOISE = ("instruct", "chat_template", "released")
"""What the noise of `CHOSEN` depends on: tuned models and later ones scatter more."""


def spec_of(variant: str) -> ModelSpec:
    """Return the recommended spec on size alone, or with the date of upload.

    ``date and tuning`` adds the chat template and the kind of tuning, on skills and on each
    benchmark; ``by family``, what instruction tuning adds differs between families. ``by series``,
    families are series of base models (`table_of`), spreads of what tuning adds and of what size
    adds differ and have a wider prior, and noise differs between base and tuned models. ``noise by
    date``, noise also depends on the chat template and the date. ``Student-t`` further adds heavy
    tails on the logit scale, ``trend`` a local linear trend of the skills over the date, and
    ``products`` what a chat template does to each kind of tuning (`INTERACTIONS`).
    """
    dated = [] if variant == "size" else ["released"]
    tuning = list(TUNING) if "tuning" in variant else []
    series = "by series" in variant
    instruct = ["instruct"] if series or variant == "date and tuning by family" else []
    slopes = ["log_params", *instruct]
    products = list(INTERACTIONS) if variant == PRODUCTS else []
    kind = "student-t" if variant == STUDENT else "beta"
    spec = ls.load_spec("latentscale").with_(
        {
            "name": variant,
            "covariates": ["log_params", *dated, *tuning, *instruct, *products],
            "family.slopes": slopes,
            "benchmarks.family_slopes": slopes,
            "benchmarks.slopes": [*tuning, *(["instruct"] if products else []), *products],
            "benchmarks.likelihood": {"kind": kind},
        }
    )
    if not series:
        return spec
    changes = {
        "family.lineage": False,
        "benchmarks.family_slope_spreads": "by-covariate",
        "benchmarks.precision_covariates": list(NOISE) if "noise by date" in variant else instruct,
        "priors.family_benchmark_slope_scale": WIDE,
    }
    if variant == TREND:
        trend = {"kind": "trend", "covariate": "released", "shape": "local-linear"}
        changes["terms"] = [*spec.to_dict()["terms"], trend]
    return spec.with_(changes)


def table_of(variant: str, scores: Scores) -> Scores:
    """Return the table with a variant's definition of families.

    ``by series``, families are series such as Llama 3.1 instead of base models: sizes of a series
    then share its effects on each benchmark, and a base model with one fitted tune borrows
    strength from those of other sizes.
    """
    if "by series" not in variant:
        return scores
    table = scores.dataset
    lineage, family = (table[name].values.astype(str) for name in ("lineage", "family"))
    series = [own or other for own, other in zip(lineage, family, strict=True)]
    return Scores(table.assign(family=("model", series)))
