"""Settings of NUTS, and refusals of `fit` before it compiles anything."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path

import pytest

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec
from latentscale.errors import DataError, FitError, SpecError
from latentscale.model.design import design


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="samples"):
        ls.NUTS(samples=10)  # type: ignore[call-arg]


def test_settings_are_frozen_and_plain() -> None:
    method = ls.NUTS(draws=5, tune=7)
    with pytest.raises(dataclasses.FrozenInstanceError):
        method.draws = 6  # type: ignore[misc]
    assert json.loads(json.dumps(method.settings)) == method.settings
    assert method.settings["draws"] == 5 and method.settings["backend"] == "nutpie"
    assert ls.NUTS(store=Path("a") / "b").settings["store"] == str(Path("a") / "b")
    assert ls.NUTS() == ls.NUTS(draws=1000, tune=400, chains=4)


@pytest.mark.parametrize(
    ("backend", "tune"), [("nutpie", 400), ("nutpie-jax", 400), ("numpyro", 1000), ("pymc", 1000)]
)
def test_each_backend_has_its_own_warm_up(backend: str, tune: int) -> None:
    assert ls.NUTS(backend=backend).tune == tune
    assert ls.NUTS(backend=backend, tune=70).settings["tune"] == 70


def test_whitened_coordinates_are_refused_where_there_are_none(
    quick_spec: ModelSpec, small_scores: Scores
) -> None:
    method = ls.NUTS(coordinates="whitened")
    with pytest.raises(FitError, match=r"NUTS.coordinates.*anchored skills"):
        ls.fit(quick_spec, small_scores, method=method, progress=False)


def test_centred_coordinates_are_refused_where_no_benchmarks_are_pooled(
    quick_spec: ModelSpec, small_scores: Scores
) -> None:
    method = ls.NUTS(coordinates="centred")
    with pytest.raises(FitError, match=r"NUTS.coordinates.*benchmarks.pooled"):
        ls.fit(quick_spec, small_scores, method=method, progress=False)


def test_pooled_benchmarks_move_centred_and_a_stored_run_goes_on_so(
    quick_spec: ModelSpec,
    small_scores: Scores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = quick_spec.with_({"name": "pooled", "benchmarks.pooled": True})
    method = ls.NUTS(draws=10, tune=30, chains=2, cores=1, store=tmp_path / "run")
    first = ls.fit(spec, small_scores, method=method, seed=2, progress=False)
    chosen = first.provenance.settings
    assert chosen["coordinates"] == "centred"
    assert chosen["extra_doublings"] == 1 and chosen["target_accept"] == 0.95
    on = ls.resume(tmp_path / "run", draws=15, progress=False).posterior
    assert on.isel(draw=slice(10)).equals(first.posterior) and on.sizes["draw"] == 15
    later = importlib.import_module("latentscale.inference.nuts.resume")
    monkeypatch.setattr(later, "CENTRING", {"centring": "of a later version"})
    with pytest.raises(FitError, match=r"cannot be resumed.*centred coordinates"):
        ls.resume(tmp_path / "run", draws=20, progress=False)
    assert ls.load(tmp_path / "run").posterior.sizes["draw"] == 15


def test_positions_are_those_of_the_model_s_own_variables(
    quick_spec: ModelSpec, small_scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("latentscale.inference.nuts.method")
    asked = []
    monkeypatch.setattr(module, "run_on_nutpie", lambda *a, **k: asked.append(a[3].coordinates))
    spec = quick_spec.with_({"name": "pooled", "benchmarks.pooled": True})
    table = design(spec, small_scores)
    ls.NUTS().positions(spec, table, ["intercept"], seed=1, progress=False)
    assert asked == ["model"]
    with pytest.raises(FitError, match=r'coordinates = "centred".*own variables'):
        ls.NUTS(coordinates="centred").positions(spec, table, ["slope"], seed=1, progress=False)


def test_what_a_run_chose_is_in_the_provenance(quick_spec: ModelSpec, small_scores: Scores) -> None:
    method = ls.NUTS(draws=10, tune=20, chains=2, cores=1)
    fit = ls.fit(quick_spec, small_scores, method=method, seed=2, progress=False)
    settings = fit.provenance.settings
    assert settings["coordinates"] == "model" and settings["start"] == {"kind": "prior"}
    assert settings["extra_doublings"] == 0 and settings["target_accept"] == 0.8
    again = ls.NUTS(**settings)
    same = ls.fit(quick_spec, small_scores, method=again, seed=2, progress=False)
    assert same.posterior.identical(fit.posterior)


def test_a_trajectory_is_doubled_after_it_has_turned_back(
    quick_spec: ModelSpec, small_scores: Scores
) -> None:
    depths = []
    for extra in (0, 2):
        method = ls.NUTS(draws=40, tune=60, chains=2, cores=1, extra_doublings=extra)
        fit = ls.fit(quick_spec, small_scores, method=method, seed=1, progress=False)
        depths.append(float(fit.tree["sample_stats"].to_dataset()["tree_depth"].mean()))
    assert 1 < depths[1] - depths[0] < 3


def test_the_wrong_spec_is_refused(small_scores: Scores) -> None:
    with pytest.raises(SpecError, match=r"load_spec; got 'latentscale'"):
        ls.fit("latentscale", small_scores)  # type: ignore[arg-type]


def test_the_wrong_scores_are_refused(quick_spec: ModelSpec, known) -> None:
    with pytest.raises(DataError, match=r"Scores.from_frame.*DataFrame"):
        ls.fit(quick_spec, known.frame)


@pytest.mark.parametrize("method", [ls.NUTS, "nuts", {"draws": 10}, None])
def test_the_wrong_method_is_refused(
    method: object, quick_spec: ModelSpec, small_scores: Scores
) -> None:
    with pytest.raises(FitError, match="NUTS"):
        ls.fit(quick_spec, small_scores, method=method)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["a", -1, 1.5])
def test_a_seed_is_checked_before_the_work(
    seed: object, quick_spec: ModelSpec, small_scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*arguments: object, **named: object) -> None:
        raise AssertionError("the method was started with a bad seed")

    monkeypatch.setattr(ls.NUTS, "draw", too_late)
    with pytest.raises(ls.LatentscaleError, match="seed"):
        ls.fit(quick_spec, small_scores, seed=seed, progress=False)  # type: ignore[arg-type]


def test_spec_and_table_that_do_not_fit_are_refused_early(small_scores: Scores) -> None:
    with pytest.raises(SpecError, match="benchmarks"):
        ls.fit(
            ls.load_spec("cai2025"),
            small_scores.select(benchmarks=["alpha", "beta"]),
            progress=False,
        )
