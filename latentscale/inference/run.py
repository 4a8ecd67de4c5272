"""Fit: run an inference method on a spec and a table."""

from __future__ import annotations

from latentscale.data.scores import Scores
from latentscale.declare.spec import ModelSpec
from latentscale.dims import checked_seed
from latentscale.expect import expect
from latentscale.inference.method import Method
from latentscale.inference.nuts.method import NUTS
from latentscale.inference.tools.versions import library_versions
from latentscale.model.design import design
from latentscale.model.double import double_precision
from latentscale.model.feasible import feasible
from latentscale.posterior.convert import to_tree
from latentscale.posterior.fit import Fit
from latentscale.posterior.provenance import Provenance

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
        The table, from `Scores.from_frame` or `latentscale.datasets`. Rows that the spec cannot use
        (without a score, or without the tokens that it needs) are left out of ``fit.scores`` with a
        warning. Optional covariates (`ModelSpec.optional`) and terms without data in the table are
        left out of ``fit.spec`` with a warning.
    method
        How to fit; NUTS with 4 chains of 1,000 draws by default.
    seed
        Seed of the random numbers. The same seed gives the same draws with the same library
        versions on the same kind of processor, whether the model is compiled now or read from
        disk. Other processors round the last digit differently, and the chains then diverge.
    progress
        Whether to show a progress bar on standard error.

    Returns
    -------
    Fit
        The fit. Check ``fit.status`` before you trust it.

    Raises
    ------
    DataError, SpecError
        If the table or the spec cannot be used, or they do not match each other.
    FitError
        If the method fails.

    Examples
    --------
    >>> scores = ls.datasets.open_llm_leaderboard().select(benchmarks=["mmlu", "hellaswag"])
    >>> spec = ls.load_spec("pooled_flops")
    >>> method = ls.NUTS(draws=100, tune=100, chains=2, cores=1)
    >>> quick = ls.fit(spec, scores, method=method, seed=1, progress=False)
    >>> quick.samples.sizes["sample"]
    200
    """
    expect(spec, ModelSpec, "spec")
    expect(scores, Scores, "scores")
    expect(method, Method, "method")
    seed = checked_seed(seed)
    spec = feasible(spec, scores)
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
            settings=method.settings | dict(draws.chosen),
            seed=seed,
            seconds=draws.seconds,
            versions=library_versions(),
        ),
    )
