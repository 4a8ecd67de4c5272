"""Partitioned inference: integrals over lineages' latents, weights, and files of a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

import latentscale as ls
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.errors import FitError, FitWarning, SpecError
from latentscale.inference.partitioned import method as partitioned_method
from latentscale.inference.partitioned import tasks
from latentscale.inference.partitioned.conditional import Sampler, centre
from latentscale.inference.partitioned.search import Profile
from latentscale.inference.partitioned.shard import Floats, Shard, units_of_latents
from latentscale.inference.partitioned.weights import along_axes, refitted, weighted
from latentscale.inference.tools.posterior_density import PosteriorDensity
from latentscale.inference.tools.workers import in_workers
from latentscale.model.batches import VariableSlices, deal
from latentscale.model.build import build_design
from latentscale.model.design import design
from latentscale.numerics.psis import k_limit
from tests.inference.family_specs import family_spec

TRIALS = 12.0
COUNTS = np.array([[3.0, 5.0], [9.0, 11.0], [6.0, 2.0]])
"""Successes of three lineages at two benchmarks."""


def binomial_shard() -> Shard:
    """Return three lineages, a latent each: logit of success at benchmark j is b_j + 0.8 z."""
    size = COUNTS.shape[1] + len(COUNTS)

    def evaluate(point: Floats) -> tuple[float, Floats]:
        b, z = point[:2], point[2:]
        eta = b + 0.8 * z[:, None]
        value = float((COUNTS * eta - TRIALS * np.logaddexp(0, eta)).sum()) - 0.5 * float(z @ z)
        away = COUNTS - TRIALS * expit(eta)
        slope = np.concatenate([away.sum(axis=0) - b, 0.8 * away.sum(axis=1) - z])
        return value - 0.5 * float(b @ b) - 1.5 * float(np.log(2 * np.pi)), slope

    def prior(b: Floats) -> tuple[float, Floats]:
        return -0.5 * float(b @ b), -b

    density = PosteriorDensity(np.zeros(size), evaluate, lambda point: {}, {}, {})
    return Shard(density, prior, np.arange(2), np.arange(2, size)[:, None], np.arange(3))


def log_marginal(b: Floats) -> float:
    """Return the log likelihood of the intercepts, latents integrated out by quadrature."""
    total = 0.0
    for row in COUNTS:

        def joint(z: float, row: Floats = row) -> float:
            eta = b + 0.8 * z
            terms = row * eta - TRIALS * np.logaddexp(0, eta)
            return float(np.exp(terms.sum() + 30) * stats.norm.pdf(z))

        total += float(np.log(integrate.quad(joint, -8, 8)[0])) - 30
    return total


def sampler(count: int, *, renew: bool = False) -> Sampler:
    shard = binomial_shard()
    here = centre(shard, np.array([0.1, -0.2]), np.zeros((3, 1)))
    return Sampler.of(shard, here, count, np.random.default_rng(1), renew=renew)


@pytest.mark.parametrize("renew", [False, True])
@pytest.mark.parametrize("b", [(0.1, -0.2), (0.5, 0.3), (-0.4, 0.2)])
def test_the_mean_weight_of_candidates_is_the_marginal_likelihood(
    b: tuple[float, float], renew: bool
) -> None:
    at = np.array(b)
    candidates = sampler(4000, renew=renew).at(at, np.random.default_rng(2))
    assert candidates.level == pytest.approx(log_marginal(at), abs=0.01)
    np.testing.assert_allclose(candidates.halves, candidates.level, atol=0.03)
    assert (candidates.ess > 2000).all()


def test_the_mean_score_is_the_gradient_of_the_marginal_likelihood() -> None:
    at = np.array([0.3, 0.1])
    score = sampler(4000).at(at, np.random.default_rng(2), scores=2000).score
    steps = 1e-4 * np.eye(2)
    slope = [(log_marginal(at + step) - log_marginal(at - step)) / 2e-4 for step in steps]
    np.testing.assert_allclose(score, slope, atol=0.05)


def test_drawn_latents_have_their_distribution_given_the_shared_parameters() -> None:
    at, rng = np.array([0.1, -0.2]), np.random.default_rng(3)
    many = sampler(400)
    drawn = np.array([many.at(at, rng).latents[0, 0] for _ in range(300)])
    grid = np.linspace(-6, 6, 2001)
    eta = at + 0.8 * grid[:, None]
    log_p = (COUNTS[0] * eta - TRIALS * np.logaddexp(0, eta)).sum(axis=1) - grid**2 / 2
    p = np.exp(log_p - log_p.max())
    mean = float((p * grid).sum() / p.sum())
    sd = float(np.sqrt((p * grid**2).sum() / p.sum() - mean**2))
    assert drawn.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(300))
    assert drawn.std() == pytest.approx(sd, rel=0.2)


def test_laplace_information_is_minus_the_marginal_curvature() -> None:
    shard = binomial_shard()
    here = centre(shard, np.array([0.1, -0.2]), np.zeros((3, 1)))
    step = 1e-3
    for k, axis in enumerate(np.eye(2)):
        ends = [log_marginal(here.shared + share * step * axis) for share in (1, 0, -1)]
        curvature = -(ends[0] - 2 * ends[1] + ends[2]) / step**2
        assert here.information[k, k] == pytest.approx(curvature, rel=0.1)


def skewed(x: Floats) -> Floats:
    """Return the log density of a standardised log gamma variable, by axis summed."""
    return np.asarray((4 * (0.5 * x) - 4 * np.exp(0.5 * x)).sum(axis=-1))


def profile(size: int) -> Profile:
    c = np.sqrt(3)
    slopes = [2 - 2 * np.exp(0.5 * x) for x in (-c, 0.0, c)]
    return Profile(np.zeros(size), np.eye(size), np.tile(slopes, (size, 1)).T)


def results_of(draws: Floats, log_p: Callable[[Floats], Floats]) -> list[tasks.Result]:
    level = log_p(draws)
    halves = np.stack([level, level], axis=1)
    return [{"level": level, "halves": halves, "ess": np.ones((1, 1)), "candidates": np.array(1)}]


def flat(point: Floats) -> tuple[float, Floats]:
    return 0.0, np.zeros_like(point)


def test_proposals_shaped_along_axes_carry_a_skewed_posterior() -> None:
    rng = np.random.default_rng(4)
    proposals = along_axes(profile(20), 2000, rng)
    weights = weighted(proposals, results_of(proposals.draws, skewed), flat)
    assert weights.pareto_k < k_limit(2000)
    assert weights.ess > 800
    # x = 2 log(G / 4) with G gamma of shape 4
    exact = 2 * (1.2561176684318005 - np.log(4))
    assert float((weights.weight @ weights.draws).mean()) == pytest.approx(exact, abs=0.03)


def test_a_refitted_proposal_mends_one_that_is_off_centre() -> None:
    rng = np.random.default_rng(5)
    away = replace(profile(10), mean=np.full(10, 0.8))
    proposals = along_axes(away, 2000, rng)
    first = weighted(proposals, results_of(proposals.draws, skewed), flat)
    again = refitted(first, np.eye(10), rng)
    second = weighted(again, results_of(again.draws, skewed), flat)
    assert second.ess > 2 * first.ess


def double(number: int) -> int:
    return 2 * number


def _anchored(**more: Any) -> ModelSpec:
    skills = {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}}
    family = {"level": "partial"}
    return spec_from_dict({"name": "anchored", "skills": skills, "family": family, **more})


def test_tables_that_differ_in_anything_are_other_shards(small_scores: ls.Scores) -> None:
    """A process and a folder keep results of a shard by its key."""
    spec = _anchored(covariates=["log_flops"], undisclosed={"kind": "estimated"})
    frame = small_scores.to_frame()
    closed = frame.assign(tokens_t=frame["tokens_t"].where(frame.index > 0))
    larger = closed.assign(params_b=closed["params_b"].where(closed.index > 0, 500.0))
    declared: list[dict[str, Any]] = [
        {},
        {"ceiling": 0.99},
        {"group": "reasoning"},
        {"lower_is_better": True},
        {"scale": "real"},
        {"scale": "positive"},
        {"scale": "real", "lower_is_better": True},
    ]
    tables = [
        ls.Scores.from_frame(frame, benchmarks={"beta": ls.Benchmark(**words)})
        for words in declared
    ]
    tables += [ls.Scores.from_frame(table) for table in (closed, larger)]
    made = [
        tasks.Task(
            spec, design(spec, t), 0, 0, np.zeros(1), None, np.zeros((0, 1)), 4, True, True, None
        )
        for t in tables
    ]
    assert len({task.key for task in made}) == len(tables)
    again = replace(made[0], design=design(spec, ls.Scores.from_frame(frame)))
    assert again.key != made[1].key and again.key_of_prior == made[0].key_of_prior
    assert made[2].key_of_prior != made[0].key_of_prior  # a group has its own parameters


def test_a_kept_result_that_was_cut_or_changed_anywhere_is_computed_again(tmp_path: Path) -> None:
    file, other = tmp_path / "one.npz", tmp_path / "two.npz"
    result = {"level": np.arange(5.0), "latents": np.ones((5, 3))}
    tasks._write(result, file)
    whole = file.read_bytes()
    kept = tasks.read_result(file)
    assert kept is not None and all((kept[name] == result[name]).all() for name in result)
    rng = np.random.default_rng(4)
    for place in rng.integers(len(whole), size=60).tolist():
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        for damaged in (bytes(flipped), whole[:place], whole + b"x"):
            file.write_bytes(damaged)
            assert tasks.read_result(file) is None
    other.write_bytes(whole)  # another task's result
    assert tasks.read_result(other) is None and tasks.read_result(tmp_path / "absent.npz") is None


def test_a_shard_counts_the_items_that_the_whole_table_counts(small_scores: ls.Scores) -> None:
    """One model states its items, so all scores of the benchmark count theirs, in every shard."""
    data = small_scores.dataset
    items = data["score"] * np.nan
    items[0, 0] = 50.0
    table = ls.Scores(data.assign(cell_items=items, n_items=data["n_items"] * 0 + 400.0))
    whole = design(_anchored(), table)
    assert whole.sampling is not None and float(whole.sampling[3, 0]) == pytest.approx(1 / 400)
    batches = deal(whole, 4, np.random.default_rng(2))
    assert len(batches) > 1
    for batch in batches:
        assert batch.design.sampling is not None
        own = whole.sampling.sel(model=list(batch.design.scores.models))
        np.testing.assert_array_equal(batch.design.sampling, own)


def test_every_latent_belongs_to_a_lineage_and_nothing_shared_does(small_scores) -> None:
    """Missing values of features and undisclosed tokens are latents of their models."""
    frame = small_scores.to_frame().assign(context=np.arange(12.0) + 1)
    frame.loc[[1, 7], "context"] = np.nan
    frame.loc[[3, 4], "tokens_t"] = np.nan
    tokens, context = (ls.Feature(n, missing="estimated") for n in ("tokens_t", "context"))
    table = ls.Scores.from_frame(frame, features=[tokens, context])
    spec = _anchored(covariates=["log_tokens", "context"])
    whole = design(spec, table)
    slices = VariableSlices.of(build_design(spec, whole))
    unit = units_of_latents(slices, whole)
    of_entry = np.repeat(list(slices.shapes), [int(np.prod(s)) for s in slices.shapes.values()])
    assert set(of_entry[unit < 0]) == set(slices.shared)
    owners = unit[of_entry == "missing_standard"]
    assert set(owners) == {int(whole.family_of_model[row]) for row in (1, 3, 4, 7)}


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_each_task_its_result(workers: int) -> None:
    assert dict(in_workers(double, [3, 5, 7], workers)) == {0: 6, 1: 10, 2: 14}


def killed_by_five(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return double(number)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_task_whose_process_is_killed_fails_alone() -> None:
    with pytest.warns(FitWarning, match="worker process was killed.*one at a time"):
        results = dict(in_workers(killed_by_five, [3, 5, 7], 2))
    lost = results.pop(1)
    assert results == {0: 6, 2: 14}
    assert isinstance(lost, FitError) and "memory ran out" in str(lost)


@pytest.mark.parametrize(("folder", "said"), [(None, "Give `folder`"), (Path(), "run it again")])
def test_a_worker_that_was_killed_is_named_with_what_to_do(
    folder: Path | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> Iterator[tuple[int, object]]:
        yield 1, {}
        yield 0, BrokenProcessPool("a process was terminated")

    monkeypatch.setattr(tasks, "in_workers", killed)
    todo: Any = [SimpleNamespace(file=folder)] * 2
    with pytest.raises(FitError, match=f"1 of 2 shards failed; the last: Broken.*{said}"):
        tasks.run_tasks(todo, 2, None, lambda: None)


def test_a_folder_that_is_a_file_is_refused_before_any_work(
    small_scores: ls.Scores, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    method = ls.methods.Partitioned(folder=file)
    assert method.settings["folder"] == str(file)
    with pytest.raises(FitError, match="Cannot make the folder"):
        ls.fit(family_spec(), small_scores, method=method, progress=False)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (ls.methods.Partitioned(), "Partitioned integrates out latents .* has none"),
        (ls.methods.Subsampled(), "Subsampled draws latents .* has none"),
    ],
)
def test_specs_without_latents_or_with_free_skills_are_refused(
    method: ls.methods.Partitioned | ls.methods.Subsampled, said: str, small_scores: ls.Scores
) -> None:
    with pytest.raises(SpecError, match=said):
        ls.fit(ls.load_spec("pooled_flops"), small_scores, method=method, progress=False)
    free = family_spec(skills={"count": 1, "identify": {"kind": "free"}})
    with pytest.raises(SpecError, match="skills can be rotated"):
        ls.fit(free, small_scores, method=method, progress=False)


def test_a_proposal_that_passes_is_kept_though_a_degenerate_one_has_more_effective_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = iter(
        [SimpleNamespace(pareto_k=0.9, ess=300.0), SimpleNamespace(pareto_k=0.2, ess=150.0)]
    )
    monkeypatch.setattr(
        partitioned_method, "along_axes", lambda *given: SimpleNamespace(draws=None)
    )
    monkeypatch.setattr(partitioned_method, "refitted", lambda *given: SimpleNamespace(draws=None))
    monkeypatch.setattr(partitioned_method, "weighted", lambda *given: next(judged))
    work = SimpleNamespace(run=lambda *given: [], table=SimpleNamespace(prior=None))
    search = SimpleNamespace(shards=1, shared=None, guesses=[], renew=False)
    profile = SimpleNamespace(root=None)
    kept, _ = ls.methods.Partitioned()._weighted(work, search, profile, np.random.default_rng(1))
    assert kept.pareto_k == 0.2


@pytest.fixture(scope="module")
def beside(known: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[ls.Fit, Any, Path]:
    """Return a partitioned fit of four shards, NUTS's draws of the same density, and the folder."""
    folder = tmp_path_factory.mktemp("shards")
    scores = known.scores.select(benchmarks=["alpha", "beta", "gamma"])
    method = ls.methods.Partitioned(draws=400, shard=26, candidates=32, folder=str(folder))
    fit = ls.fit(family_spec(), scores, method=method, seed=1, progress=False)
    same = replace(design(family_spec(), scores), centred=False)
    nuts = ls.NUTS(draws=600, tune=300, chains=2, cores=1)
    return fit, nuts.draw(family_spec(), same, seed=2, progress=False).posterior, folder


def test_four_shards_agree_with_nuts_on_the_whole_table(
    beside: tuple[ls.Fit, Any, Path],
) -> None:
    fit, nuts, _ = beside
    assert fit.status.converged, fit.status.message
    assert "4 shards" in fit.status.message
    assert not fit.design.centred
    for name in ("intercept", "loading", "slope", "precision", "family_skill"):
        ours, theirs = fit.posterior[name], nuts[name]
        sd = theirs.std(("chain", "draw"))
        apart = (ours.mean(("chain", "draw")) - theirs.mean(("chain", "draw"))) / sd.where(sd > 0)
        # with 100 effective draws in each: five standard errors of the difference
        assert float(np.abs(apart).max()) < 0.7, name
        ratio = (ours.std(("chain", "draw")) / sd.where(sd > 0)).values
        assert 0.8 < np.nanmedian(ratio) < 1.25, name


def test_a_run_goes_on_from_the_shards_that_its_folder_holds(
    beside: tuple[ls.Fit, Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, _, folder = beside
    worked = []
    computed = tasks._computed
    monkeypatch.setattr(tasks, "_computed", lambda task: worked.append(1) or computed(task))
    lost = max(folder.rglob("*.npz"), key=lambda file: file.stat().st_mtime)
    lost.write_bytes(lost.read_bytes()[:100])
    method = ls.methods.Partitioned(draws=400, shard=26, candidates=32, folder=str(folder))
    again = ls.fit(family_spec(), fit.scores, method=method, seed=1, progress=False)
    assert len(worked) == 1
    np.testing.assert_array_equal(again.posterior["slope"], fit.posterior["slope"])
