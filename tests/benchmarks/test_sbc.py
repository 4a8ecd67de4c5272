"""The simulator of the calibration study, its rule for extreme tables and its faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from benchmarks.sbc import refits
from benchmarks.sbc import simulation as sbc
from benchmarks.sbc.cases import BENCHMARKS, cases
from benchmarks.sbc.report import form_of_spec
from latentscale.model.build import build_design


@pytest.fixture(scope="module")
def study() -> sbc.Study:
    """The study of the shipped cai2025, with no fault."""
    case = cases()["cai2025"]
    whole, train = sbc.designs(case)
    return sbc.Study(case, "none", whole, train, build_design(case.spec, whole), case.spec, train)


def test_held_out_models_share_the_fitted_covariate_scale(study) -> None:
    names = list(study.train.scores.models)
    xr.testing.assert_allclose(study.whole.x.sel(model=names), study.train.x)
    assert set(study.whole.scores.models) - set(names) == set(study.case.held)
    assert study.whole.families == study.train.families
    assert study.whole.anchors == study.train.anchors
    fitted = study.whole.model_of_cell < len(names)
    assert np.array_equal(study.whole.model_of_cell[fitted], study.train.model_of_cell)
    assert np.array_equal(study.whole.benchmark_of_cell[fitted], study.train.benchmark_of_cell)


def test_accepted_tables_are_inside_and_repeatable(study) -> None:
    one, again = (sbc.simulate(study, 3) for _ in range(2))
    assert len(one.score_of_cell) == len(study.train.score_of_cell)
    assert np.all((one.score_of_cell > sbc.EDGE) & (one.score_of_cell < 1 - sbc.EDGE))
    assert np.array_equal(one.score_of_cell, again.score_of_cell)
    xr.testing.assert_equal(one.truth, again.truth)
    assert one.held.sizes == {"model": 2, "benchmark": 6} and one.tried >= 1
    assert not np.array_equal(one.score_of_cell, sbc.simulate(study, 4).score_of_cell)


def test_held_scores_are_those_of_their_own_cells(study, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = zip(study.whole.model_of_cell, study.whole.benchmark_of_cell, strict=True)
    own = np.array([0.1 + (model + 0.1 * benchmark) / 100 for model, benchmark in cells])
    monkeypatch.setattr(
        sbc, "draw_block", lambda *given: (xr.Dataset({"a": ("draw", [0.0])}), own[None])
    )
    held = sbc.simulate(study, 3).held
    names, benchmarks = list(study.whole.scores.models), list(study.whole.scores.benchmarks)
    for name in study.case.held:
        for benchmark in benchmarks:
            wanted = 0.1 + (names.index(name) + 0.1 * benchmarks.index(benchmark)) / 100
            assert float(held.sel(model=name, benchmark=benchmark)) == pytest.approx(wanted)


def test_the_rule_looks_at_every_cell() -> None:
    tables = np.full((3, 4), 0.5)
    tables[1, 2], tables[2, 0] = 1 - 1e-6, 0.0
    assert sbc.inside(tables).tolist() == [True, False, False]


def test_the_family_fault_doubles_levels_in_the_data_alone(study) -> None:
    truth, scores = sbc.draw_block(study.simulator, "none", 40, seed=9)
    same, faulty = sbc.draw_block(study.simulator, "family", 40, seed=9)
    xr.testing.assert_equal(truth, same)
    assert np.mean(scores != faulty) > 0.9


def test_the_other_faults_change_the_fit_alone(study) -> None:
    spec, train = sbc.faulty_fit(study.case.spec, study.train, "floor")
    assert spec == study.case.spec
    assert train.floor.sel(benchmark="arc") == 0 and study.train.floor.sel(benchmark="arc") == 0.25
    spec, train = sbc.faulty_fit(study.case.spec, study.train, "prior")
    assert spec.prior("intercept").sigma == 0.5 and train is study.train
    assert sbc.faulty_fit(study.case.spec, study.train, "none") == (study.case.spec, study.train)


def prior_draws(study: sbc.Study, seed: int) -> xr.Dataset:
    """Return prior draws in the shape of a posterior of the fitted rows."""
    drawn, _ = sbc.draw_block(study.simulator, "none", 80, seed)
    return drawn.expand_dims("chain")


def test_ranks_name_every_quantity_and_ignore_what_is_fixed(study) -> None:
    simulated = sbc.simulate(study, 5)
    ranks = sbc.ranks_of(study, simulated, prior_draws(study, 21), seed=1)
    assert all(0 <= value <= sbc.KEPT for value in ranks.values())
    for name in (
        "log likelihood",
        "loading [arc, mmlu]",
        "loading, mean",
        "anchor_loading [ifeval]",
        "skill correlation [2, 1]",
        "curve of new family",
        "score of held tuned: math_lvl5",
    ):
        assert name in ranks
    assert "loading [mmlu, hellaswag]" not in ranks  # fixed at zero
    assert ranks == sbc.ranks_of(study, simulated, prior_draws(study, 21), seed=1)


def test_a_truth_above_every_draw_ranks_highest(study) -> None:
    simulated = sbc.simulate(study, 5)
    high = simulated.truth["slope"] + 100
    moved = replace(simulated, truth=simulated.truth.assign(slope=high))
    ranks = sbc.ranks_of(study, moved, prior_draws(study, 21), seed=1)
    assert ranks["slope, mean"] == sbc.KEPT


def test_prior_draws_as_posterior_give_uniform_ranks_of_parameters(study) -> None:
    """Draws that ignore the data are calibrated for parameters if no table is rejected."""
    drawn, scores = sbc.draw_block(study.simulator, "none", 10, seed=33)
    names = list(study.train.scores.models)
    posterior = prior_draws(study, 44)
    rows = []
    fitted = study.whole.model_of_cell < len(names)
    for place in range(10):
        table = sbc.Simulation(
            drawn.isel(draw=place),
            np.clip(scores[place, fitted], 1e-3, 1 - 1e-3),
            xr.DataArray(
                np.full((2, 6), 0.5),
                dims=("model", "benchmark"),
                coords={"model": list(study.case.held), "benchmark": list(BENCHMARKS)},
            ),
            1,
        )
        rows.append(sbc.ranks_of(study, table, posterior, seed=place))
    ranks = pd.DataFrame(rows)
    centre = ranks[[c for c in ranks if c.startswith(("intercept [", "slope ["))]].mean().mean()
    assert centre / sbc.KEPT == pytest.approx(0.5, abs=0.1)


def test_a_result_file_takes_quantities_that_it_did_not_have(tmp_path) -> None:
    path = tmp_path / "sbc.csv"
    refits.with_row(pd.DataFrame(), {"simulation": 0, "slope": 12}).to_csv(path, index=False)
    row = {"simulation": 1, "slope": 40, "score of held base: arc": 7}
    refits.with_row(pd.read_csv(path), row).to_csv(path, index=False)
    table = refits.with_row(pd.read_csv(path), {**row, "simulation": 2})
    assert list(table["slope"]) == [12, 40, 40]
    assert list(table["score of held base: arc"].isna()) == [True, False, False]
    table.to_csv(path, index=False)
    assert path.read_text().splitlines()[1:3] == ["0,12,", "1,40,7"]


def test_simulations_go_on_where_they_were_and_a_failure_stops_no_other(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = []

    def ranked(study: object, number: int, method: object) -> dict[str, float]:
        if number == 1 and 1 not in fitted:
            fitted.append(number)
            raise ValueError("chains were lost")
        fitted.append(number)
        return {"seconds": 0.5, "slope": 10 + number}

    monkeypatch.setattr(refits, "_study", lambda case, fault: None)
    monkeypatch.setattr(refits, "ranked", ranked)
    given = ("cai2025", "none", 3, refits.ls.NUTS(draws=9, tune=9), tmp_path / "results")
    with pytest.raises(RuntimeError, match=r"simulations 1 failed.*chains were lost"):
        refits.run(*given)
    refits.run(*given)
    refits.run(*given)
    assert fitted == [0, 1, 2, 1]
    (path,) = (tmp_path / "results").glob("*.csv")
    table = pd.read_csv(path).sort_values("simulation")
    assert table["slope"].tolist() == [10, 11, 12] and table["seconds"].tolist() == [0.5] * 3


def test_what_is_ranked_of_free_skills_does_not_change_with_their_signs() -> None:
    study = sbc.prepare(cases()["capabilities"], "none")
    drawn, scores = sbc.draw_block(study.simulator, "none", sbc.KEPT + 1, seed=7)
    fitted = study.whole.model_of_cell < len(study.train.scores.models)
    held = xr.DataArray(
        np.full((2, len(BENCHMARKS)), 0.5),
        dims=("model", "benchmark"),
        coords={"model": list(study.case.held), "benchmark": list(BENCHMARKS)},
    )
    inside = np.clip(scores[-1, fitted], 1e-3, 1 - 1e-3)
    drawn = drawn.sel(model=list(study.train.scores.models))
    truth, posterior = drawn.isel(draw=-1), drawn.isel(draw=slice(sbc.KEPT)).expand_dims("chain")
    turned = truth.copy()
    for name, values in truth.items():
        if "skill" in values.dims:
            turned[name] = values * xr.DataArray([-1.0, 1.0, -1.0], dims="skill")
    ranks, again = (
        sbc.ranks_of(study, sbc.Simulation(one, inside, held, 1), posterior, seed=3)
        for one in (truth, turned)
    )
    # The skills of a new family are drawn, so its curve changes with their signs.
    differ = [name for name in ranks if ranks[name] != again[name]]
    assert all(name.startswith("curve of new family") for name in differ)
    assert "slope of [mmlu, released]" in ranks and "loadings of [arc]" in ranks
    assert not [name for name in ranks if name.startswith(("loading [", "slope ["))]
    assert sum(name.startswith("predictor of") for name in ranks) == 27


def test_results_say_whether_they_are_of_the_spec_of_today() -> None:
    digest = cases()["cai2025"].spec.digest[:8]
    assert form_of_spec("cai2025", digest) == "today's"
    assert (
        form_of_spec("cai2025", "0" * 8) == form_of_spec("a case that is gone", digest) == "earlier"
    )
