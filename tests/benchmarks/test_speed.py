"""The hand-written laws have the package's posterior, and the table shows what was measured."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import latentscale as ls
from benchmarks.speed.peers.contender import Law
from benchmarks.speed.peers.law_data import law_data, law_of
from benchmarks.speed.peers.natural import UNUSED, natural_parameters, places, random_points
from benchmarks.speed.report import write
from benchmarks.speed.run import (
    AGREEMENT_LIMIT,
    TaskError,
    _options,
    _settings,
    refuse_another_posterior,
)
from benchmarks.speed.settings import FULL, HERE, QUICK, command, folder_of, table_of
from benchmarks.speed.task import law as law_named


def _spec(name: str) -> ls.ModelSpec:
    spec, _ = law_named(name, None)
    return spec.model_copy(update={"skills": spec.skills.model_copy(update={"count": 2})})


@pytest.fixture(scope="module", params=["latentscale", "cai2025"])
def law(request, small_scores) -> Law:
    return Law.of(_spec(request.param), small_scores)


def _spread_of_difference(law: Law, theirs) -> float:
    points = random_points(law.model, law.data, law.target.start, 5, seed=3)
    return float(np.ptp(law.target.values(points) - [theirs(law.natural(p)) for p in points]))


def _numpyro_density(law: Law, data):
    pytest.importorskip("numpyro", reason="the extra peers is not installed")
    import jax
    from numpyro.infer.util import potential_energy, unconstrain_fn

    from benchmarks.speed.peers.numpyro_laws import numpyro_law

    model = numpyro_law(data)

    def value(named) -> float:
        with jax.enable_x64(True):
            return -float(potential_energy(model, (), {}, unconstrain_fn(model, (), {}, named)))

    return value


def test_numpyro_codes_the_same_posterior(law) -> None:
    assert _spread_of_difference(law, _numpyro_density(law, law.data)) < 1e-7


@pytest.mark.parametrize("prior", ["intercept", "precision"])
def test_another_prior_is_noticed(law, prior) -> None:
    mu, sigma = law.data.priors[prior]
    other = replace(law.data, priors=law.data.priors | {prior: (mu, 1.01 * sigma)})
    assert _spread_of_difference(law, _numpyro_density(law, other)) > 10 * AGREEMENT_LIMIT


@pytest.mark.slow  # Stan compiles for minutes
def test_stan_codes_the_same_posterior(law, tmp_path) -> None:
    pytest.importorskip("stan", reason="the extra peers is not installed")
    from benchmarks.speed.peers.natural import for_stan
    from benchmarks.speed.peers.stan_laws import load_pystan, stan_data, stan_program

    stan = load_pystan(tmp_path)
    model = stan.build(stan_program(law.data), data=stan_data(law.data), random_seed=1)

    def value(named) -> float:
        return float(model.log_prob(model.unconstrain_pars(for_stan(named))))

    assert _spread_of_difference(law, value) < 1e-6


@pytest.mark.slow  # numba compiles for half a minute
@pytest.mark.parametrize("name", ["latentscale", "cai2025"])
def test_the_kernel_has_the_packages_density_and_gradient(small_scores, name: str) -> None:
    from benchmarks.speed.peers.kernel import kernel

    spec = _spec(name)
    of_kernel = Law.of(spec, small_scores)
    evaluate = kernel(of_kernel.model, of_kernel.data)
    rng = np.random.default_rng(5)
    differences = []
    for _ in range(4):
        point = of_kernel.target.start + 0.4 * rng.standard_normal(of_kernel.target.size)
        value, gradient = of_kernel.target.evaluate(point)
        by_hand, slope = evaluate(point)
        differences.append(value - by_hand)
        assert np.allclose(slope, gradient, rtol=1e-8, atol=1e-8 * np.abs(gradient).max())
    assert np.ptp(differences) < 1e-7


def test_entries_that_peers_leave_out_are_held(law) -> None:
    points = random_points(law.model, law.data, law.target.start, 3, seed=1)
    where = places(law.model)
    assert sum(np.prod(shape) for _, shape in where.values()) == law.target.size
    moved = (points != law.target.start).any(0)
    held = {name: np.count_nonzero(~moved[part]) for name, (part, _) in where.items()}
    assert all(held[name] > 0 for name in UNUSED if name in held)
    assert not any(count for name, count in held.items() if name not in UNUSED)


def test_natural_scales_lie_where_they_must(law) -> None:
    point = law.target.start + 0.3 * np.random.default_rng(2).standard_normal(law.target.size)
    named = natural_parameters(law.model, law.data, point)
    assert np.allclose(np.square(named["skill_cholesky"]).sum(1), 1)
    assert (named["precision"] > 0).all()


def test_a_spec_with_other_terms_is_refused(small_scores) -> None:
    recommended, _ = law_named("latentscale", None)
    assert law_of(recommended) == "recommended"
    assert law_of(ls.load_spec("cai2025")) == "framework"
    with pytest.raises(ValueError, match=r"differs in terms"):
        law_of(ls.load_spec("latentscale"))
    with pytest.raises(ValueError, match=r"differs in .*family\.level"):
        law_data(ls.load_spec("sloth"), small_scores)
    spec = recommended
    without = spec.model_copy(update={"family": spec.family.model_copy(update={"slopes": ()})})
    with pytest.raises(ValueError, match=r"needs family\.slopes"):
        law_data(without, small_scores)
    spec = ls.load_spec("cai2025")
    wide = ls.Prior("StudentT", nu=3, mu=0, sigma=1)
    changed = spec.model_copy(update={"priors": {**spec.priors, "intercept": wide}})
    with pytest.raises(ValueError, match="Normal prior of intercept"):
        law_data(changed, small_scores)


def test_skills_of_the_framework_can_be_chosen() -> None:
    assert law_named("cai2025", 3)[0].skills.count == 3
    assert law_named("cai2025", None)[0].skills.count == 4
    assert law_named("latentscale", 3)[0].skills.count == 2


def test_timings_of_another_posterior_are_refused(capsys) -> None:
    row = {"spec": "cai2025", "contender": "stan"}
    refuse_another_posterior({**row, "difference": 1e-9})
    assert "1.0e-09" in capsys.readouterr().out
    with pytest.raises(TaskError, match="stan does not code the posterior of cai2025"):
        refuse_another_posterior({**row, "difference": 0.02})
    with pytest.raises(TaskError, match="differs"):
        refuse_another_posterior({**row, "difference": np.nan})


def _asked(monkeypatch: pytest.MonkeyPatch, *words: str):
    monkeypatch.setattr("sys.argv", ["run.py", *words])
    return _options()


def test_the_stated_command_asks_for_the_same_run(monkeypatch) -> None:
    words = ["--draws", "300", "--tune", "200", "--chains", "2", "--skills", "3", "--seed", "4"]
    words += ["--specs", "cai2025", "--contenders", "latentscale", "stan"]
    options = _asked(monkeypatch, *words)
    settings = _settings(options)
    assert (settings.draws, settings.tune, settings.chains) == (300, 200, 2)
    arguments = command(
        settings, options.specs, [*options.contenders, "kernel"], table_of(settings)
    )
    again = _asked(monkeypatch, *arguments.split()[3:])
    assert (again.specs, again.contenders) == (options.specs, options.contenders)
    assert _settings(again) == settings
    plain = command(FULL, ["cai2025", "latentscale"], _asked(monkeypatch).contenders, HERE / "a.md")
    assert plain == "python -m benchmarks.speed.run --seed 1 --out benchmarks/speed/a.md"


def test_runs_of_other_settings_keep_apart(monkeypatch, capsys) -> None:
    runs = [(), ("--quick",), ("--draws", "10"), ("--tune", "9"), ("--chains", "2")]
    runs += [("--seed", "2"), ("--skills", "3"), ("--quick", "--draws", "1000")]
    settings = [_settings(_asked(monkeypatch, *words)) for words in runs]
    assert settings[:2] == [FULL, QUICK]
    assert len({folder_of(each) for each in settings}) == len(runs)
    assert [each for each in settings if table_of(each).parent == HERE] == [FULL, settings[5]]
    with pytest.raises(SystemExit):
        _asked(monkeypatch, "--chains", "1")
    assert "--chains must be at least 2; got 1." in capsys.readouterr().err


def test_the_table_has_ratios_and_goals(tmp_path) -> None:
    common = {"spec": "latentscale", "python": "3", "skills": 2}
    common["settings"] = asdict(replace(FULL, draws=300))
    run = {"steps_a_draw": 9.0, "least_ess_of": "slope", "max_rhat": 1.0, "divergences": 0}
    run |= {"peak_megabytes": 400.0, "worker_megabytes": 0.0}
    rows = [
        {"contender": "latentscale", "task": "cold", "seconds": 80.0},
        {"contender": "latentscale", "task": "gradient", "seconds": 3e-4},
        {"contender": "latentscale", "task": "sample", "seconds": 100, "least_ess": 400, **run},
        {"contender": "stan", "task": "sample", "seconds": 400, "least_ess": 800, **run},
        {"contender": "kernel", "task": "gradient", "seconds": 2e-4, "package_seconds": 3e-4},
    ]
    for number, row in enumerate(rows):
        (tmp_path / f"{number}.json").write_text(json.dumps(common | row))
    write(tmp_path, tmp_path / "SPEED.md")
    text = (tmp_path / "SPEED.md").read_text()
    assert "least ESS per second, over the best of the others: 2, goal at least 1.5: met" in text
    assert "`python -m benchmarks.speed.run --draws 300 --seed 1 --specs latentscale " in text
    assert "gradient over the kernel's: 1.5, goal at most 2: met" in text
    assert "first draw, cold, seconds: 80, goal at most 60: missed" in text
    stan = next(line for line in text.splitlines() if line.startswith("| Stan") and "0" not in line)
    assert stan.split("|")[6].strip() == "2"
