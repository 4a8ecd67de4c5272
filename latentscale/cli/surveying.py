"""A fit for a command that takes a fit or scores: read from its file, or made on the spot."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from latentscale.cli.console import say, warn
from latentscale.cli.stops import saving
from latentscale.errors import DataError, DataWarning, FitError, listed
from latentscale.files import expanded, is_stream

if TYPE_CHECKING:
    from latentscale.data.scores import Scores
    from latentscale.declare.spec import ModelSpec
    from latentscale.inference.method import Method
    from latentscale.posterior.fit import Fit

METHODS: Final = ("auto", "nuts", "advi")
MANY_MODELS: Final = 500
"""Above so many models "auto" is ADVI: NUTS takes about a minute for every hundred models."""
BATCH: Final = 500
"""Models that a step of ADVI looks at in such a table."""
ENDING: Final = ".nc"
"""How files of fits are named."""
_TOKENS: Final = ("log_tokens", "log_flops")
_COVARIATES: Final = (
    "covariates",
    "family.slopes",
    "benchmarks.slopes",
    "benchmarks.family_slopes",
    "benchmarks.precision_covariates",
    "benchmarks.instruct.slopes",
)
"""Fields of a spec that name covariates."""


def fit_or_source(path: Path) -> Path:
    """Return the path of a fit or of scores, once it is clear that it can be read.

    Raises
    ------
    LatentscaleError
        If it is a fit and a pipe.
    """
    path = expanded(path, DataError)
    if path.suffix.lower() == ENDING and is_stream(path):
        raise FitError(f"{path}: a pipe or device; a fit is read from a file. Give its path.")
    return path


def is_fit(path: Path) -> bool:
    """Return whether a path is named as a fit."""
    return path.suffix.lower() == ENDING


def fit_of_scores(
    path: Path, *, spec: str, method: str, draws: int, seed: int, keep: Path | None
) -> Fit:
    """Read scores, fit a spec to them, and save the fit where that is asked for.

    Parameters
    ----------
    path
        A table of scores, or a published source that `read_scores` knows.
    spec
        A shipped spec, or the path of a TOML file. Where the table has no training tokens, a
        shipped spec is used without its covariates of tokens; this is said.
    method
        One of `METHODS`.
    draws
        Kept draws, of each chain of NUTS.
    seed
        Seed of the random numbers.
    keep
        File to write the fit to.
    """
    import latentscale as ls
    from latentscale.data.readers import read_scores
    from latentscale.declare.io import shipped_specs

    if method not in METHODS:
        raise DataError(f"--method {method} is not known; allowed are {listed(METHODS)}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the audit, printed below, says it all
        scores = read_scores(path)
    say(f"{scores!r}\n{scores.audit}")
    model = _without_tokens(ls.load_spec(spec), scores, shipped=spec in shipped_specs())
    fitted = ls.fit(model, scores, method=_method(method, scores, draws), seed=seed)
    with saving():
        if keep is not None:
            fitted.save(keep)
            say(f"wrote {keep}")
        for line in fitted.status.advice:
            warn(line)
    return fitted


def _without_tokens(model: ModelSpec, scores: Scores, *, shipped: bool) -> ModelSpec:
    """Leave tokens out of a shipped spec where no model of the table states them."""
    if not shipped or scores.dataset["tokens"].notnull().any():
        return model
    changes = {}
    for path in _COVARIATES:
        names = _at(model, path)
        kept = [n for n in names if not any(part in _TOKENS for part in n.split(":"))]
        if len(kept) < len(names):
            changes[path] = kept
    if changes:
        kept = changes.get("covariates", list(model.covariates))
        on = listed(kept) if kept else "no covariate"
        say(f"no model states its training tokens: {model.name} is fitted on {on} alone")
    return model.with_(changes)


def _at(model: ModelSpec, path: str) -> Sequence[str]:
    value: Any = model
    for name in path.split("."):
        value = getattr(value, name)
    return tuple(value)


def _method(name: str, scores: Scores, draws: int) -> Method:
    import latentscale as ls

    many = len(scores.models) > MANY_MODELS
    if name == "nuts" or (name == "auto" and not many):
        return ls.NUTS(draws=draws)
    if name == "auto":
        say(f"{len(scores.models)} models: ADVI (--method nuts samples the posterior, and is slow)")
    return ls.ADVI(draws=draws, batch=BATCH if many else None)
