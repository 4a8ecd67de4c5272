"""Fit: run an inference method on a spec and a table."""

from __future__ import annotations

from latentscale.data.scores import Scores
from latentscale.dims import checked_seed
from latentscale.errors import DataError, FitError, SpecError
from latentscale.inference.method import Method
from latentscale.inference.nuts import NUTS
from latentscale.inference.versions import library_versions
from latentscale.model.design import design
from latentscale.model.double import double_precision
from latentscale.posterior.convert import to_tree
from latentscale.posterior.fit import Fit, Provenance
from latentscale.spec.spec import ModelSpec

_DEFAULT_METHOD = NUTS()


def fit(
    spec: ModelSpec,
    scores: Scores,
    *,
    method: Method = _DEFAULT_METHOD,
    seed: int = 0,
    progress: bool = True,
) -> Fit:
    """Fit a model to a table of scores.

    Parameters
    ----------
    spec
        The model, from `latentscale.load_spec`.
    scores
        The table, from `Scores.from_frame` or `latentscale.datasets`. Rows that the spec
        cannot use (no score, or unknown tokens where it needs them) are left out with a
        warning and are not in ``fit.scores``.
    method
        How to fit; NUTS with 4 chains of 1,000 draws by default.
    seed
        Seed of the random numbers; the same seed gives the same draws.
    progress
        Whether to show a progress bar on standard error.

    Returns
    -------
    The fit. Look at ``fit.status`` before you trust it.

    Raises
    ------
    DataError, SpecError
        If the table or the spec cannot be used, or they do not fit each other.
    FitError
        If the method fails.
    """
    if not isinstance(spec, ModelSpec):
        raise SpecError(
            f"spec must be a ModelSpec from latentscale.load_spec; got {type(spec).__name__}."
        )
    if not isinstance(scores, Scores):
        raise DataError(
            f"scores must be a Scores, such as Scores.from_frame(frame); "
            f"got {type(scores).__name__}."
        )
    if not isinstance(method, Method):
        raise FitError(
            f"method must be an object such as latentscale.NUTS(draws=1000); got {method!r}."
        )
    seed = checked_seed(seed)
    prepared = design(spec, scores)
    with double_precision():
        draws = method.draw(spec, prepared, seed=seed, progress=progress)
        tree = to_tree(spec, prepared, draws)
    return Fit(
        spec=spec,
        scores=prepared.scores,
        tree=tree,
        status=draws.status,
        transform=prepared.transform,
        provenance=Provenance(
            method=type(method).__name__,
            settings=method.settings,
            seed=seed,
            seconds=draws.seconds,
            versions=library_versions(),
        ),
    )
