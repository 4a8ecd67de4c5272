"""Fits of the commands: the spec that suits a table, and a fit of the table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from latentscale.cli.console import say, warn, with_options
from latentscale.cli.methods import chosen_method
from latentscale.cli.stops import saving
from latentscale.errors import DataWarning

if TYPE_CHECKING:
    from latentscale.data.scores import Scores
    from latentscale.declare.spec import ModelSpec
    from latentscale.inference.method import Method
    from latentscale.posterior.fit import Fit

AUTO: Final = "auto"
"""Chosen from the table: a spec by `latentscale.model.spec_for`; the method NUTS, or ADVI for
many models."""
MANY_MODELS: Final = 500
"""Above this many models "auto" is ADVI: NUTS takes about a minute for every hundred models."""
BATCH: Final = 500
"""Models in each step of ADVI for such a table."""


def suited(name: str, scores: Scores) -> ModelSpec:
    """Return a spec for a table as `latentscale.spec_for` does, and print the reasons.

    Parameters
    ----------
    name
        A shipped spec, the path of a TOML file, or `AUTO`.
    scores
        The table.
    """
    import latentscale as ls

    choice = ls.spec_for(scores, name)
    if choice.reasons:
        say(with_options("\n".join(choice.reasons)))
    if name == AUTO:
        say("--spec names another spec")
    return choice.spec


def fit_of_scores(
    path: Path,
    *,
    spec: str,
    method: str,
    settings: Sequence[str] | None,
    draws: int | None,
    seed: int,
    keep: Path | None,
    described: Callable[[], Scores] | None = None,
) -> Fit:
    """Read scores, fit a spec to them, and save the fit if requested.

    Parameters
    ----------
    path
        A table of scores, or a published source that `read_scores` knows.
    spec
        A shipped spec, the path of a TOML file, or ``"auto"``. A shipped spec is used without parts
        that the table has no data for, such as covariates of tokens; a message says so.
    method
        The name of a method, or `AUTO`.
    settings
        Its settings, as `chosen_method` takes them.
    draws
        Kept draws, of each chain of NUTS; None for the method's default.
    seed
        Seed of the random numbers.
    keep
        File to write the fit to.
    described
        Reads the table where features or benchmarks are declared; None for `read_scores`.
    """
    import latentscale as ls
    from latentscale.data.readers import read_scores

    if method != AUTO:
        chosen_method(method, settings, {"draws": draws})  # refused before a long table is read
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # repeated in the audit printed below
        scores = read_scores(path) if described is None else described()
    say(f"{scores!r}\n{with_options(str(scores.audit))}")
    model = suited(spec, scores)
    how = _method(method, scores, settings, draws)
    fitted = ls.fit(model, scores, method=how, seed=seed)
    with saving():
        if keep is not None:
            fitted.save(keep)
            say(f"wrote {keep}")
        for line in fitted.status.advice:
            warn(line)
    return fitted


def _method(name: str, scores: Scores, settings: Sequence[str] | None, draws: int | None) -> Method:
    from latentscale.inference.approximations.advi import ADVI

    many = len(scores.models) > MANY_MODELS
    if name == AUTO:
        name = "ADVI" if many else "NUTS"
        if many:
            say(
                f"{len(scores.models)} models: ADVI (--method NUTS samples the posterior, but is "
                "slow)"
            )
    method = chosen_method(name, settings, {"draws": draws})
    if isinstance(method, ADVI) and method.batch is None and many:
        return replace(method, batch=BATCH)
    return method
